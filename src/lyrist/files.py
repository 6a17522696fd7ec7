"""Files that are whole or absent: everything is written under a temporary name first, then renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lyrist.errors import LyristError


class DiskFullError(LyristError):
    """There is no space left; what was written so far is kept, so that the work can go on."""


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8: whole, or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    with explained(path):
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON (no NaN: JSON has none); whole, or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Return the JSON value in ``path``; ``what`` names the thing it belongs to in the error when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LyristError(f"{path.parent} is not {what}: it has no {path.name}.") from None
    except (ValueError, OSError) as error:
        raise LyristError(f"{path} is damaged ({error}); make {what} again.") from None


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` about ``path`` (full disk, no permission) into one sentence with the way out."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(
                f"The disk is full while writing {path}; free some space there, then run again with --resume."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise LyristError(
                f"No permission to write {path}; choose another --out or change its permissions."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise LyristError(
                f"{error.filename or path} is a file where a folder is needed; choose another --out."
            ) from error
        raise


def staging_path(out: Path) -> Path:
    """Return where ``out`` is built before it is whole: its own name with ``.partial``, beside it."""
    return out.with_name(out.name + ".partial")


@contextlib.contextmanager
def staged(out: Path, *, resume: bool = False, marker: str = "") -> Iterator[Path]:
    """Build a directory under a temporary name and rename it to ``out`` when the block ends without an error.

    Parameters
    ----------
    out
        Where the directory shall stand. It must not exist, be empty, or hold the file ``marker`` (an earlier result
        of the same kind, which is replaced only when the new one is whole).
    resume
        Keep what an interrupted run left in the staging directory; otherwise start it empty.
    marker
        The file by which an earlier result of the same kind is recognised, such as ``corpus.json``.

    Raises
    ------
    LyristError
        ``out`` holds something else, another process is writing it, or the disk or permissions do not allow it.
    """
    out = out.absolute()
    occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if occupied and not (marker and (out / marker).is_file()):
        raise LyristError(f"{out} exists and is not {_kind(marker)}; choose another --out.")
    building = staging_path(out)
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        building.mkdir(exist_ok=True)
        with _locked(building):
            if not resume:
                _empty(building)
            try:
                yield building
            except LyristError as error:
                if not resume and not isinstance(error, DiskFullError):
                    shutil.rmtree(building)  # a mistake in the command: there is nothing to go on with
                raise
            (building / LOCK).unlink(missing_ok=True)
            _swap(building, out)


LOCK = ".lock"


def _kind(marker: str) -> str:
    return f"an earlier result (it has no {marker})" if marker else "empty"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process; the lock goes with the process, however it ends."""
    with (folder / LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LyristError(
                f"Another process is writing {folder}; wait for it to end or choose another --out."
            ) from None
        yield


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name == LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _swap(building: Path, out: Path) -> None:
    """Put the finished directory in the place of ``out``; an earlier one goes only after the new one stands."""
    old = out.with_name(f".{out.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if out.exists():
        out.replace(old)
    building.replace(out)
    if old.exists():
        shutil.rmtree(old)
