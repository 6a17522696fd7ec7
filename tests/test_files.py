"""Files are whole or absent, whatever interrupts their writing."""

import errno
import json
import os
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

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
    with pytest.raises(files.DiskFullError, match="--resume"), files.staged(tmp_path / "out", resume=False) as building:
        (building / "first").write_text("finished")
        with files.explained(building):
            raise OSError(errno.ENOSPC, "No space left on device")
    with files.staged(tmp_path / "out", resume=True) as building:
        assert (building / "first").read_text() == "finished"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError("26076 requested and 6656 written"),
    ],
)
def test_after_a_full_disk_nothing_is_left_that_nobody_could_go_on_with(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(files.DiskFullError), files.staged(tmp_path / "out"):
        raise error
    assert not list(tmp_path.iterdir())


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


def test_a_lock_that_was_left_by_a_kill_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").write_text("")
    make(tmp_path / "out", "one")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted on Windows")
def test_a_lock_file_that_its_holder_deletes_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process waits for the lock file, then the first deletes it: the second must lock the new file."""
    monkeypatch.setattr(files, "LOCK_TIMEOUT", 60)
    place = tmp_path / ".out.lock"
    holder = FileLock(place)
    holder.acquire()
    waiting = threading.Event()

    def release() -> None:
        waiting.wait()
        place.unlink()
        holder.release()

    acquire = FileLock.acquire

    def announced(self: FileLock, *args: object, **kwargs: object) -> object:
        waiting.set()
        return acquire(self, *args, **kwargs)  # type: ignore[arg-type]

    thread = threading.Thread(target=release)
    thread.start()
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "acquire", announced)
        with files.locked(tmp_path / "out"):
            assert place.exists()
            with monkeypatch.context() as short, pytest.raises(LyristError, match="Another process"):
                short.setattr(files, "LOCK_TIMEOUT", 0.01)
                with files.locked(tmp_path / "out"):
                    pytest.fail("the lock is held")
    thread.join()
    assert not place.exists()


def test_a_file_system_without_locks_is_used_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refused)
    make(tmp_path / "out", "one")
    assert (tmp_path / "out" / "part" / "a.txt").read_text() == "one"


def test_a_kill_between_the_two_renames_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    make(out, "one")
    replace, renamed = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if self.name == "out.partial":
            raise KeyboardInterrupt
        renamed.append(self)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            make(out, "two")
    assert not out.exists()
    with pytest.raises(LyristError, match="wrong"), files.staged(out, marker="done.json"):
        assert (out / "part" / "a.txt").read_text() == "one"  # it has its name again
        raise LyristError("wrong")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_kill_when_all_is_whole_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scaffold is gone in part, the new result not yet in its place; the next to look puts it there."""
    out = tmp_path / "out"
    make(out, "one")

    def killed(folder: Path) -> None:
        (folder / "half").unlink()
        os._exit(9)

    if (child := os.fork()) == 0:
        monkeypatch.setattr(files.shutil, "rmtree", killed)
        with files.staged(out, marker="done.json", scaffold=("work",)) as building:
            (building / "work").mkdir()
            (building / "work" / "half").write_text("")
            (building / "done.json").write_text("two")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (out / "done.json").read_text() == "{}"
    assert files.finished(out, "done.json")
    assert (out / "done.json").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_was_finished_is_where_resume_begins(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(out, "one")
    assert files.finished(out, "done.json")
    with files.staged(out, resume=True, marker="done.json", again=("part", "absent")) as building:
        assert [p.name for p in building.iterdir()] == ["part"]
        files.write_text(building / "part" / "a.txt", "two")
        assert (out / "part" / "a.txt").read_text() == "one"
        assert not files.finished(out, "done.json")
    assert (out / "part" / "a.txt").read_text() == "two"


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


@pytest.mark.parametrize("left", [".out.lock", ".out.partial.tmp", "out.partial", ".out.complete", ".out.old"])
def test_what_a_kill_leaves_is_removed_by_the_next_command(left: str, tmp_path: Path) -> None:
    make(tmp_path / "out", "one")
    if left.endswith((".lock", ".complete")):
        (tmp_path / left).write_text("")
    else:
        (tmp_path / left).mkdir()
        (tmp_path / left / "half").write_text("half")
    make(tmp_path / "out", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "part" / "a.txt").read_text() == "two"


def test_a_text_that_could_not_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, **options: str) -> int:
        path.write_bytes(text.encode()[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "w.txt").write_bytes(b"earlier")
    (tmp_path / ".w.txt.tmp").write_bytes(b"of a kill")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(files.DiskFullError):
        files.write_text(tmp_path / "w.txt", "a new song")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"w.txt": b"earlier"}


@pytest.mark.parametrize(
    "text",
    ["=1", "＝1", ' "=1', "\u3000+1", "-x", "－x", "@x", "＠x", "\t=1", "\n=1", "\ufeff=1", "\u200b=1", "\u202e=1"],
)
def test_no_text_is_a_formula_in_a_spreadsheet(text: str) -> None:
    (safe,) = files.spreadsheet_safe(pl.DataFrame({"a": [text]}))["a"]
    assert safe.startswith("'")
    assert not {*safe} & {*"\ufeff\u200b\u202e"}


@pytest.mark.parametrize("text", ["a=1", "rock-pop", "", "'=1", "café", "爱"])
def test_other_texts_stay_in_a_spreadsheet(text: str) -> None:
    assert files.spreadsheet_safe(pl.DataFrame({"a": [text], "n": [-1.5]})).rows() == [(text, -1.5)]
