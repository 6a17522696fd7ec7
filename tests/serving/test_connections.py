"""Connections have limits, a header a deadline, the queue an order that is fair, and the log a rate."""

import contextlib
import logging
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servekit import Running, serving, soon

from lyrist.serving import serve
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.requests import FairQueue, PendingRequest, client
from lyrist.serving.workers import BatchJob, BatchWorker


def connect(server: Running, sent: bytes = b"") -> socket.socket:
    place = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60)
    place.sendall(sent)
    return place


def read(place: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    found = b""
    with place, contextlib.suppress(ConnectionResetError):
        while data := place.recv(65_536):
            found += data
    return found


@contextlib.contextmanager
def limited(models: ModelRegistry, **limits: Any) -> Iterator[Running]:
    with serving(ModelRegistry({"genres": models.items["genres"]}), **limits) as running:
        yield running


@pytest.mark.parametrize("limits", [{"connections": 4}, {"connections_each": 4}])
def test_a_connection_over_the_limit_is_refused_and_the_others_are_served(
    models: ModelRegistry, limits: dict[str, int]
) -> None:
    with limited(models, **limits) as running:
        idle = [connect(running) for _ in range(3)]
        assert running.http.get("/healthz").status_code == 200
        refused = read(connect(running, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"too_many_connections" in refused
        assert running.http.get("/healthz").status_code == 200
        for each in idle:
            each.close()
        soon(lambda: httpx.get(f"{running.url}/healthz").status_code == 200)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n"])
def test_a_header_that_does_not_arrive_is_not_waited_for(models: ModelRegistry, sent: bytes) -> None:
    with limited(models, header_seconds=0.2) as running:
        assert read(connect(running, sent)).startswith(b"HTTP/1.1 408")
        place = connect(running, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n")
        answers = read(place)
        assert answers.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 408" in answers


@pytest.mark.slow
def test_idle_connections_do_not_use_up_the_descriptors(saved: dict[str, Path]) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); "
        "from lyrist.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "serve", str(saved["genres"]), "--port", "0", "--no-studio"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split(" at ")[1].split()[0]
        process = psutil.Process(server.pid)
        idle = [socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) for _ in range(300)]
        soon(lambda: len(select.select(idle, [], [], 0)[0]) > 30)  # refused: the others are sent nothing
        refused = select.select(idle, [], [], 0)[0]
        assert refused[0].recv(100).startswith(b"HTTP/1.1 503")
        before = sum(process.cpu_times()[:2])
        for place in idle:
            place.close()
        soon(lambda: _answers(url))
        assert sum(process.cpu_times()[:2]) - before < 5
        server.terminate()
        assert len(server.stderr.read()) < 2_000
        assert server.wait(60) == 0


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").status_code == 200
    return False


# The order of a queue.


def test_the_next_item_is_of_the_client_with_the_least_work() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3"):
        queue.put("a", item)
    queue.put("b", "b1")
    assert queue.take() == "a1"
    queue.charge("a", 5)
    assert queue.take() == "b1"
    queue.put("b", "b2")
    assert queue.take() == "a2" if queue._spent["b"] >= 5 else True
    queue.charge("a", 5)
    queue.put("c", "c1")
    assert queue.first() in ("b2", "c1")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), min_size=1, max_size=40))
def test_every_item_is_taken_once_and_those_of_a_client_in_order(items: list[tuple[str, int]]) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number, (who, _) in enumerate(items):
        queue.put(who, (who, number))
    assert len(queue) == len(items)
    taken = []
    while len(queue):
        who, number = queue.take()
        queue.charge(who, items[number][1])
        taken.append((who, number))
    assert sorted(taken, key=lambda each: each[1]) == [(who, n) for n, (who, _) in enumerate(items)]
    for who in "abc":
        own = [number for other, number in taken if other == who]
        assert own == sorted(own)


def test_a_client_with_much_work_does_not_keep_others_waiting() -> None:
    go, order = threading.Event(), []

    def work(jobs: list[BatchJob[str]]) -> None:
        go.wait(60)
        for job in jobs:
            order.append(job.payload)
            job.pending.answer(None)

    worker: BatchWorker[str] = BatchWorker("test", work, 1)
    jobs = []
    for who, count in (("many", 20), ("one", 1)):
        client.set(who)
        for _ in range(count):
            jobs.append(PendingRequest[None](60))
            worker.put(BatchJob(jobs[-1], who))
    client.set("")
    go.set()
    for job in jobs:
        job.result()
    worker.close()
    assert order.index("one") <= 2


def test_the_log_has_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with serve.background_logging():
        for number in range(500):
            logging.getLogger("test").error("It failed: %s", number)
        logging.getLogger("test").error("Something else")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "It failed" in line]) == serve.ALIKE
    assert any("Something else" in line for line in lines)
