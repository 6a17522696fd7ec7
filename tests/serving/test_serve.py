"""The verb: it says where it listens, stops when told, and refuses in a sentence."""

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from servekit import soon

from lyrist.cli import run
from lyrist.serving import serve as verb
from lyrist.serving.serve import background_logging


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["serve", *arguments]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("lyrist: ")
    assert said.count("\n") == 1
    return said


def test_it_says_where_it_listens_and_finishes_what_runs_when_told_to_stop(saved: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "lyrist", "serve", str(saved["gpt"]), "--port", "0", "--no-studio", "--json"]
    environment = {**os.environ, "LYRIST_TOKEN": "from-the-environment", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"serving gpt at (http://127\.0\.0\.1:(\d+)) ", line)
        assert found, line
        assert int(found[2]) > 0
        headers = {"Authorization": "Bearer from-the-environment"}
        answers: list[httpx.Response] = []

        def ask() -> None:
            body = {
                "model": "gpt",
                "max_tokens": 100,
                "n": 8,
                "seed": 1,
                "temperature": 5,
                "min_p": 0,
                "max_repeats": 0,
            }
            answers.append(httpx.post(f"{found[1]}/v1/completions", json=body, headers=headers, timeout=120))

        asking = threading.Thread(target=ask)
        asking.start()
        soon(lambda: answers or httpx.get(f"{found[1]}/healthz", timeout=120).json()["inside"])
        server.send_signal(signal.SIGTERM)
        asking.join(120)
        assert answers[0].status_code == 200
        assert len(answers[0].json()["choices"]) == 8
        out, errors = server.communicate(timeout=120)
        assert server.returncode == 0
        assert '"answered": 1' in out
        assert errors == ""
    finally:
        server.kill()


def test_it_serves_from_a_notebook_which_runs_an_event_loop(saved: dict[str, Path]) -> None:
    code = (
        "import asyncio, sys, lyrist\n"
        "async def cell(): print(lyrist.serve(sys.argv[1], port=0, studio=False).summary())\n"
        "asyncio.run(cell())"
    )
    command = [sys.executable, "-c", code, str(saved["ngram"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            url = server.stderr.readline().split(" at ")[1].split()[0]
            assert httpx.get(f"{url}/healthz", timeout=120).json()["models"] == 1
            server.send_signal(signal.SIGINT)
            out, errors = server.communicate(timeout=120)
            assert (server.returncode, errors) == (0, "")
            assert out.startswith(f"{url} stopped after")
        finally:
            server.kill()


def test_a_taken_port_is_told(saved: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"Port {port} of 127.0.0.1 is in use" in refusal(capsys, str(saved["ngram"]), "--port", port)


def test_what_cannot_be_served_is_told(
    saved: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "serve needs a run" in refusal(capsys, "--port", "0")
    assert "There is no run directory" in refusal(capsys, str(tmp_path / "nothing"), "--port", "0")
    shutil.copytree(saved["ngram"], tmp_path / "broken")
    (tmp_path / "broken" / "model" / "config.json").write_text("{")
    assert "damaged" in refusal(capsys, str(tmp_path / "broken"), "--port", "0")
    one = str(saved["ngram"])
    assert "needs a --token" in refusal(capsys, one, "--host", "0.0.0.0")  # noqa: S104 - refused
    assert "not an address of this machine" in refusal(
        capsys, one, "--host", "no.such.host.invalid", "--token", "long-enough"
    )
    for option in (
        "--queue",
        "--batch",
        "--limit-seconds",
        "--max-tokens",
        "--max-characters",
        "--max-bytes",
        "--threads",
    ):
        assert f"{option} must be above 0, got 0" in refusal(capsys, one, option, "0")


def test_without_the_extra_it_says_how_to_get_it(
    saved: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'pip install "lyrist[serve]"' in refusal(capsys, str(saved["ngram"]))


def test_the_answer_is_one_line_and_json() -> None:
    stopped = verb.ServeResult("http://127.0.0.1:1", ("a",), {"answered": 3, "refused": 1}, 12.34)
    assert stopped.summary() == "http://127.0.0.1:1 stopped after 12 s; requests: 3 answered, 1 refused"
    assert stopped.figures()["requests"] == {"answered": 3, "refused": 1}


def test_a_log_that_nobody_reads_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    read, written = threading.Event(), list[str]()

    class Unread:
        def write(self, text: str) -> None:
            read.wait()
            written.append(text)

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stderr", Unread())
    with background_logging():
        for number in range(3_000):  # would wait forever at the first entry that is written here
            logging.getLogger("some.library").warning("entry %d", number)
        assert not written
        read.set()
    assert "entry 0" in "".join(written), "what was kept is written when it is read"
