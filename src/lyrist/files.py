"""Files that are whole or absent: everything is written under a temporary name first, then renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

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
    """Turn an error about writing ``path`` (full disk, no permission) into one sentence with the way out.

    Libraries that write with code of their own tell a full disk each in its own words.
    """
    try:
        yield
    except LyristError:
        raise
    except Exception as error:
        if _full(error):
            raise DiskFullError(
                f"The disk is full while writing {path}; free some space there, then run again, with --resume where the "
                "verb has it."
            ) from error
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise LyristError(
                f"No permission to write {path}; choose another --out or change its permissions."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise LyristError(
                f"{error.filename or path} is a file where a folder is needed; choose another --out."
            ) from error
        raise


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|os error (?:28|122|27)\b"
    r"|inline_container.* unexpected pos"  # how PyTorch's writer says that less was written than it gave
)


def _full(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came from, is that the disk, or what one may use of it, is full."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (isinstance(error, OSError) and error.errno in _FULL) or _FULL_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def staging_path(out: Path) -> Path:
    """Return where ``out`` is built before it is whole: its own name with ``.partial``, beside it."""
    return out.with_name(out.name + ".partial")


@contextlib.contextmanager
def staged(
    out: Path, *, resume: bool | None = None, marker: str = "", again: Sequence[str] = (), scaffold: Sequence[str] = ()
) -> Iterator[Path]:
    """Build a directory under a temporary name and rename it to ``out`` when the block ends without an error.

    Parameters
    ----------
    out
        Where the directory shall stand. It must not exist, be empty, or hold the file ``marker`` (an earlier result
        of the same kind, which is replaced only when the new one is whole).
    resume
        Keep what an interrupted run left in the staging directory; otherwise start it empty. Call `finished` before:
        the interruption may have come when nothing was left to do. None: the verb cannot go on, so a full disk leaves
        nothing that would keep it full.
    marker
        The file by which an earlier result of the same kind is recognised, such as ``corpus.json``.
    again
        Folders of a finished result with which ``resume`` begins where nothing was interrupted, so that they are not
        made again: as links, since no file is ever written in place.
    scaffold
        Folders that are needed for the building alone. They go when all else is whole, not before.

    Raises
    ------
    LyristError
        ``out`` holds something else, another process is writing it, or the disk or permissions do not allow it.
    """
    out = out.absolute()
    building = staging_path(out)
    with explained(out):
        if not _usable(out, marker):
            raise LyristError(f"{out} exists and is not {_kind(marker)}; choose another --out.")
        out.parent.mkdir(parents=True, exist_ok=True)
        with locked(out) as lock:
            _recover(out)
            lock.truncate(0)
            if resume and not building.exists():
                _begin(building, [out / name for name in again if (out / name).is_dir()])
            building.mkdir(exist_ok=True)
            if not resume:
                _empty(building)
            try:
                with explained(out):
                    yield building
            except LyristError as error:
                if resume is None or not (resume or isinstance(error, DiskFullError)):
                    shutil.rmtree(building)  # a mistake in the command: there is nothing to go on with
                raise
            lock.write(json.dumps(list(scaffold)))  # from here on it is whole, and a kill costs nothing any more
            lock.flush()
            _complete(out, scaffold)


def finished(out: Path, marker: str) -> bool:
    """Return whether a whole result stands at ``out`` and none is under way: then there is nothing to go on with."""
    complete(out)
    return (out / marker).is_file() and not staging_path(out.absolute()).exists()


def complete(out: Path) -> None:
    """Put a result in its place that a kill caught when it was whole; take away what a kill left beside ``out``."""
    out = out.absolute()
    if not _lock_of(out).exists() and not _old(out).exists():
        return
    with contextlib.suppress(LyristError), explained(out), locked(out) as lock:  # who holds it will do it
        lock.seek(0)
        said = lock.read()
        if said and staging_path(out).exists():
            _complete(out, json.loads(said))
        _recover(out)


def _complete(out: Path, scaffold: Sequence[str]) -> None:
    building = staging_path(out)
    for name in scaffold:
        if (building / name).exists():
            shutil.rmtree(building / name)
    _swap(building, out)


def _begin(building: Path, earlier: Sequence[Path]) -> None:
    """Make ``building`` with these folders of an earlier result in it, in one step."""
    temporary = building.with_name(f".{building.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for folder in earlier:
        shutil.copytree(folder, temporary / folder.name, copy_function=_link)
    temporary.replace(building)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links, or without more of them
        shutil.copy2(source, target)


def _usable(out: Path, marker: str) -> bool:
    """Return whether a result may stand at ``out``: nothing is there, or an earlier one of the same kind."""
    occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    return not occupied or bool(marker and (out / marker).is_file())


def _kind(marker: str) -> str:
    return f"an earlier result (it has no {marker})" if marker else "empty"


@contextlib.contextmanager
def locked(out: Path) -> Iterator[TextIO]:
    """Hold the output ``out`` for this process; the lock goes with the process, however it ends.

    The lock is on a file beside ``out``, for what stands there is renamed. Whoever held that file takes it away, so one
    that was opened just before is not the file of that name any more: then the lock on it is worth nothing, and the next
    one is tried.

    Yields
    ------
    TextIO
        The file, in which `staged` notes that the result is whole: the scaffold, which may be gone in part.

    Raises
    ------
    LyristError
        Another process holds it.
    """
    place = _lock_of(out)
    while True:
        with place.open("a+", encoding="utf-8") as handle:
            _lock(handle.fileno(), out)
            if not _is(place, handle.fileno()):
                continue
            try:
                yield handle
            finally:
                place.unlink(missing_ok=True)
            return


def _lock_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.lock")


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LyristError(f"Another process is writing {out}; wait for it to end or choose another --out.") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks is used without them
            raise


def _is(place: Path, handle: int) -> bool:
    """Return whether the file that is open is the one of that name."""
    try:
        return os.path.samestat(place.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _recover(out: Path) -> None:
    """Take back the earlier result where a kill came between the two renames of `_swap`; drop one that was replaced."""
    old = _old(out)
    if old.exists():
        if out.exists():
            shutil.rmtree(old)
        else:
            old.replace(out)


def _swap(building: Path, out: Path) -> None:
    """Put the finished directory in the place of ``out``; an earlier one goes only after the new one stands."""
    old = _old(out)
    if out.exists():
        out.replace(old)
    building.replace(out)
    if old.exists():
        shutil.rmtree(old)
