"""Work over shards gives the same counts in one process, in several and on Ray; a failure is told, not swallowed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lyrist.corpus.engine import check_engine, over_shards
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError, UsageError
from lyrist.sample.songbook import write_songbook


def measure(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    if shard == settings.get("bad"):
        raise LyristError(f"{shard} is bad; leave it out.")
    return {"shard": shard, "length": len(shard) * settings["factor"], "pid": os.getpid()}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import the function by name, so they must find this file."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


SHARDS = [f"shard-{'x' * n}" for n in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_shard_is_worked_on_once(workers: int) -> None:
    found = list(over_shards(measure, SHARDS, {"factor": 2}, workers=workers))
    assert sorted(c["shard"] for c in found) == sorted(SHARDS)
    assert all(c["length"] == 2 * len(c["shard"]) for c in found)
    assert len({c["pid"] for c in found}) == workers
    assert (os.getpid() in {c["pid"] for c in found}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_workers_error_reaches_the_user(workers: int) -> None:
    with pytest.raises(LyristError, match="shard-xx is bad; leave it out"):
        list(over_shards(measure, SHARDS, {"factor": 1, "bad": "shard-xx"}, workers=workers))


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="local, ray"):
        check_engine("spark")


@pytest.mark.slow
def test_ray_gives_the_same_corpus(tmp_path: Path) -> None:
    """On a real local cluster, in a process of its own: a runner cannot be changed once it is set."""
    pytest.importorskip("ray")
    write_songbook(tmp_path / "songs.csv")
    code = (
        "import sys; from lyrist.corpus import ingest; ingest.SHARD_ROWS = 40; from lyrist.cli import run;"
        "sys.exit(run(sys.argv[1:]))"
    )
    arguments = [
        "prepare",
        str(tmp_path / "songs.csv"),
        "--out",
        str(tmp_path / "ray"),
        "--engine",
        "ray",
        "--json",
        "--quiet",
    ]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    local = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "local")).corpus
    assert told["kept"] == local.ledger.kept
    assert json.loads((tmp_path / "ray" / "corpus.json").read_text())["fingerprint"] == local.fingerprint
