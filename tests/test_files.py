"""Files are whole or absent, whatever interrupts their writing."""

import errno
import json
from pathlib import Path

import pytest

from lyrist import files
from lyrist.errors import LyristError


def make(out: Path, text: str, *, resume: bool = False) -> None:
    with files.staged(out, resume=resume, marker="done.json") as building:
        (building / "part").mkdir(exist_ok=True)
        (building / "part" / "a.txt").write_text(text)
        (building / "done.json").write_text("{}")


def test_a_directory_appears_when_it_is_whole(tmp_path: Path) -> None:
    make(tmp_path / "out", "one")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["done.json", "part"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_result_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(out, "one")
    with pytest.raises(KeyboardInterrupt), files.staged(out, marker="done.json") as building:
        (building / "half").write_text("")
        raise KeyboardInterrupt
    assert (out / "part" / "a.txt").read_text() == "one"
    assert (files.staging_path(out) / "half").exists()  # to go on with
    make(out, "two")
    assert (out / "part" / "a.txt").read_text() == "two"
    assert not files.staging_path(out).exists()


def test_after_a_mistake_nothing_is_left_lying_about(tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="wrong"), files.staged(tmp_path / "out"):
        raise LyristError("wrong")
    assert not list(tmp_path.iterdir())


def test_after_a_full_disk_the_work_can_go_on(tmp_path: Path) -> None:
    with pytest.raises(files.DiskFullError, match="--resume"), files.staged(tmp_path / "out") as building:
        (building / "first").write_text("finished")
        with files.explained(building):
            raise OSError(errno.ENOSPC, "No space left on device")
    with files.staged(tmp_path / "out", resume=True) as building:
        assert (building / "first").read_text() == "finished"


@pytest.mark.parametrize("content", [None, "thesis"])
def test_what_lyrist_did_not_write_is_never_touched(content: str | None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if content is None:
        out.write_text("a file")
    else:
        out.mkdir()
        (out / "thesis.txt").write_text(content)
    with pytest.raises(LyristError, match="choose another --out"), files.staged(out, marker="done.json"):
        pytest.fail("the block must not run")
    assert out.read_text() == "a file" if content is None else (out / "thesis.txt").read_text() == content


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        files.staged(tmp_path / "out"),
        pytest.raises(LyristError, match="Another process"),
        files.staged(tmp_path / "out"),
    ):
        pytest.fail("the block must not run")


def test_json_is_whole_and_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": [1, "é"]})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, "é"]}
    path.write_text("{")
    with pytest.raises(LyristError, match="damaged"):
        files.read_json(path, "a thing")
    with pytest.raises(LyristError, match="not a thing"):
        files.read_json(tmp_path / "b.json", "a thing")
