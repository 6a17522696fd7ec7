"""Work over shards gives the same counts in one process, in several and on Ray; a failure is told, not swallowed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from servers import free_port, running

from lyrist.corpus.corpus import Corpus
from lyrist.corpus.parallel import Workers, check_engine
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError, UsageError


def measure(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    if shard == settings.get("bad"):
        raise LyristError(f"{shard} is bad; leave it out.")
    if together := settings.get("together"):  # no worker does all the work while another starts
        Path(together, str(os.getpid())).touch()
        while len(list(Path(together).iterdir())) < settings["workers"]:
            time.sleep(0.01)
    return {"shard": shard, "length": len(shard) * settings["factor"], "pid": os.getpid()}


SHARDS = [f"shard-{'x' * n}" for n in range(6)]


def run(work: Any, settings: dict[str, Any], workers: int) -> list[dict[str, Any]]:
    with Workers(count=workers) as started:
        return list(started.map(work, SHARDS, settings))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_shard_is_worked_on_once(workers: int, tmp_path: Path) -> None:
    settings = {"factor": 2, "together": str(tmp_path), "workers": workers}
    found = run(measure, settings, workers)
    assert sorted(c["shard"] for c in found) == sorted(SHARDS)
    assert all(c["length"] == 2 * len(c["shard"]) for c in found)
    assert len({c["pid"] for c in found}) == workers
    assert (os.getpid() in {c["pid"] for c in found}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_workers_error_reaches_the_user(workers: int) -> None:
    with pytest.raises(LyristError, match="shard-xx is bad; leave it out"):
        run(measure, {"factor": 1, "bad": "shard-xx"}, workers)


def converted(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {"length": len(pa.array([shard])), "pandas": "pandas.core" in sys.modules}


def test_workers_do_not_import_pandas() -> None:
    assert run(converted, {}, 2) == [{"length": 1, "pandas": False}] * len(SHARDS)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="local, ray"):
        check_engine("spark")


def killed(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    if shard == settings["last"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"shard": shard}


def test_a_worker_that_is_killed_is_told_in_a_sentence() -> None:
    with pytest.raises(LyristError, match=r"A worker ended before its work did: .* --resume"):
        run(killed, {"last": SHARDS[3]}, 2)


CLUSTER = """
import json, os, signal, sys, threading, time
import psutil
from ray.cluster_utils import Cluster

tables, out = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
for _ in range(2):
    cluster.add_node(num_cpus=1)
os.environ["RAY_ADDRESS"] = cluster.address

from lyrist.corpus import ingest
ingest.SHARD_ROWS = 1

def kill(*victims):
    "End with SIGKILL, as soon as shards are finished, one process of each kind that works on them."
    counts, done = os.path.join(out + ".partial", "work", "counts"), 0
    for victim in victims:
        while not os.path.isdir(counts) or len(os.listdir(counts)) <= done:
            time.sleep(0.01)
        done = len(os.listdir(counts))
        for process in psutil.Process().children(recursive=True):
            try:
                found = process.cmdline()[0].startswith(victim)
            except (psutil.Error, IndexError):
                continue
            if found:
                process.kill()
                print("killed", victim, flush=True)
                break

threading.Thread(target=kill, args=("ray::answer", "ray::answer"), daemon=True).start()
from lyrist.cli import run
code = run(["prepare", tables, "--out", out, "--engine", "ray", "--quiet"])
import ray
ray.shutdown()
cluster.shutdown()
os._exit(code)
"""


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_corpus_though_workers_are_killed(tmp_path: Path) -> None:
    """On a real cluster of three nodes, in a process of its own: a runner cannot be changed once it is set."""
    pytest.importorskip("ray")
    tables = songs_in(tmp_path / "tables", count=10, times=20)
    script = [sys.executable, "-c", CLUSTER, str(tables), str(tmp_path / "ray")]
    environment = {**os.environ, "RAY_DEDUP_LOGS": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(script, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("killed")], done.stdout
    are_the_same(tables, tmp_path / "ray")


def songs_in(folder: Path, count: int, times: int = 1) -> Path:
    """Write the songbook as so many tables; all but the first hold their songs so many times."""
    folder.mkdir()
    for number in range(count):
        from songtables.fouracts import songbook  # a worker that imports this module has no path to the benchmarks

        songs = songbook()[number::count] * (times if number else 1)
        columns = {name: [getattr(song, name) for song in songs] for name in ("artist", "title", "genre", "lyrics")}
        pl.DataFrame(columns).write_csv(folder / f"{number}.csv")
    return folder


def are_the_same(tables: Path, corpus: Path) -> None:
    """Check a corpus that Ray made against that of this machine alone."""
    local, ray = prepare(str(tables), out=str(corpus.with_name("local"))).corpus, Corpus.open(corpus)
    assert ray.ledger == local.ledger
    assert set(ray.songs().rows()) == set(local.songs().rows())
    assert set(ray.dropped().rows()) == set(local.dropped().rows())
    assert ray.fingerprint == local.fingerprint


@pytest.mark.slow
def test_a_cluster_at_an_address_gives_the_same_corpus(tmp_path: Path) -> None:
    """As from a machine that is no part of the cluster: through Ray's client, with the cluster's token."""
    pytest.importorskip("ray")
    tables, port = songs_in(tmp_path / "tables", count=3), free_port()
    options = [
        "--head",
        "--block",
        "--port=0",
        f"--ray-client-server-port={port}",
        "--num-cpus=2",
        "--include-dashboard=false",
    ]
    command = [sys.executable, "-m", "lyrist", "prepare", str(tables), "--out", str(tmp_path / "ray"), "--quiet"]
    known = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-test-alone" * 3, "OMP_NUM_THREADS": "1"}
    with running(str(Path(sys.executable).with_name("ray")), "start", *options, port=port, **known):
        for _ in range(3):  # a head that has only just started may keep a client waiting longer than Ray lets it
            asked = [*command, "--engine", f"ray://127.0.0.1:{port}"]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=200, env={**os.environ, **known})
            if "cannot be reached" not in done.stderr:
                break
    assert done.returncode == 0, done.stderr
    are_the_same(tables, tmp_path / "ray")
