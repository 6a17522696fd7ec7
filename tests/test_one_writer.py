"""Two processes on one output: the second is refused in a sentence, whichever verb; a lock ends with its process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lyrist.cli import run
from songtables.fouracts import write_songbook

HOLDER = """
import fcntl, sys
handle = open(sys.argv[1], "w")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(out: Path) -> Iterator["subprocess.Popen[str]"]:
    """Have another process hold an output, as one that writes there does."""
    command = [sys.executable, "-S", "-c", HOLDER, str(out.with_name(f".{out.name}.lock"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    write_songbook(folder / "songs.csv")
    (folder / "plan.toml").write_text('[[recipes]]\nrecipe = "majority"\n')
    assert run(["prepare", str(folder / "songs.csv"), "--out", str(folder / "corpus"), "--quiet"]) == 0
    return folder / "corpus"


@pytest.mark.parametrize("verb", ["prepare", "train", "writer", "study", "explore", "demo"])
def test_the_second_is_refused(corpus: Path, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "prepare": ["prepare", str(corpus.with_name("songs.csv"))],
        "train": ["train", "majority", str(corpus)],
        "writer": ["train", "ngram", str(corpus)],
        "study": ["study", str(corpus.with_name("plan.toml")), str(corpus)],
        "explore": ["explore", str(corpus)],
        "demo": ["demo"],
    }[verb]
    out = tmp_path / "out"
    command = [*given, "--out", str(out), "--quiet"]
    with held(out):
        for more in ([], ["--resume"] if verb not in ("explore", "demo") else []):
            assert run([*command, *more]) == 1
            said = capsys.readouterr().err
            assert said == f"lyrist: Another process is writing {out}; wait for it to end or choose another --out.\n"
        assert not out.exists() or not any(out.iterdir())
        assert not out.with_name("out.partial").exists()


def test_a_lock_ends_with_its_process(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with held(out) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert run(["train", "majority", str(corpus), "--out", str(out), "--quiet"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
