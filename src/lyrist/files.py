"""Atomic output: files and directories are written under a temporary name and then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lyrist.errors import LyristError

LOCK_TIMEOUT = 0.2
"""Seconds after which a lock counts as held: long enough to retry after another process has deleted the file."""


class DiskFullError(LyristError):
    """The disk is full. What was written so far is kept, so that the command can resume."""


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, atomically."""
    temporary = path.with_name(f".{path.name}.tmp")
    with explained(path):
        try:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Return the JSON value in ``path``; ``what`` names the thing it belongs to in the error when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LyristError(f"{path.parent} is not {what}: it has no {path.name}.") from None
    except (ValueError, OSError) as error:
        raise LyristError(f"{path} is damaged ({error}); make {what} again.") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name and rename it.

    Several processes may write the same file: one may have outlived a kill, or a cluster may take one for lost.
    """
    part = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    write(part)
    part.replace(path)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Convert an error about writing ``path`` (full disk, no permission) into a `LyristError` that says what to do.

    Libraries that do their own writing report a full disk with different exceptions; all are recognised.
    """
    try:
        yield
    except LyristError:
        raise
    except Exception as error:
        if _full(error):
            raise DiskFullError(
                f"The disk is full while writing {path}; free some space there, then run again, with --resume where the "
                "command has it."
            ) from error
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise LyristError(
                f"No permission to write {path}; choose another --out or change its permissions."
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise LyristError(f"{path.name[:20]}… is too long a name; choose a shorter --out.") from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise LyristError(
                f"{error.filename or path} is a file where a folder is needed; choose another --out."
            ) from error
        raise


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|os error (?:28|122|27)\b"
    r"|inline_container.* unexpected pos"  # PyTorch's message for an incomplete write
    r"|^\d+ requested and \d+ written$"  # NumPy's
)


def _full(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes says that the disk or the quota is full."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (isinstance(error, OSError) and error.errno in _FULL) or _FULL_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def staging_path(out: Path) -> Path:
    """Return the staging directory of ``out``: its name with ``.partial``, in the same folder."""
    return out.with_name(out.name + ".partial")


@contextlib.contextmanager
def staged(
    out: Path, *, resume: bool | None = None, marker: str = "", again: Sequence[str] = (), scaffold: Sequence[str] = ()
) -> Iterator[Path]:
    """Build a directory under a temporary name and rename it to ``out`` when the block ends without an error.

    Parameters
    ----------
    out
        The directory to create. It must not exist, be empty, or hold the file ``marker`` (an earlier result of the same
        kind, which is replaced only when the new one is complete).
    resume
        Keep what an interrupted run left in the staging directory; otherwise start with an empty one. Call `finished`
        first: the interrupted run may have been complete. None: the command cannot resume, so nothing is kept after a
        full disk.
    marker
        The file by which an earlier result of the same kind is recognised, such as ``corpus.json``.
    again
        Folders of a finished result that ``resume`` reuses when no run was interrupted. They are hard-linked, since no
        file is ever written in place.
    scaffold
        Folders that are needed only while the result is built. They are deleted when everything else is complete.

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
        with locked(out):
            _recover(out)
            _note_of(out).unlink(missing_ok=True)
            if _temporary(building).exists():
                shutil.rmtree(_temporary(building))
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
                    shutil.rmtree(building)  # an error of the user: there is nothing to resume
                raise
            # From here on the result is complete: after a kill, `complete` finishes the renaming.
            note = _note_of(out)
            note.write_text(json.dumps(list(scaffold)), encoding="utf-8")
            _make_readable(building, note.stat().st_mode & 0o777)
            _complete(out, scaffold)


def _make_readable(folder: Path, mode: int) -> None:
    """Give files that a library made for its owner only the mode of every other file."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777 == 0o600 != mode:
            path.chmod(mode)


def finished(out: Path, marker: str) -> bool:
    """Return whether ``out`` holds a complete result and no run is in progress: then there is nothing to resume."""
    complete(out)
    return (out / marker).is_file() and not staging_path(out.absolute()).exists()


def complete(out: Path) -> None:
    """Rename a result that was complete when its process was killed; remove what the process left beside ``out``."""
    out = out.absolute()
    note = _note_of(out)
    with explained(out):
        if not any(path.exists() for path in (_lock_of(out), note, _old(out))):
            return
    with contextlib.suppress(LyristError), explained(out), locked(out):  # another process that holds it will do it
        scaffold = note.read_text(encoding="utf-8") if note.exists() else ""
        if scaffold and staging_path(out).exists():
            _complete(out, json.loads(scaffold))
        _recover(out)
        note.unlink(missing_ok=True)


def _complete(out: Path, scaffold: Sequence[str]) -> None:
    building = staging_path(out)
    for name in scaffold:
        if (building / name).exists():
            shutil.rmtree(building / name)
    _swap(building, out)
    _note_of(out).unlink(missing_ok=True)


def _begin(building: Path, earlier: Sequence[Path]) -> None:
    """Make ``building`` with these folders of an earlier result in it, in one step."""
    temporary = _temporary(building)
    temporary.mkdir()
    for folder in earlier:
        shutil.copytree(folder, temporary / folder.name, copy_function=_link)
    temporary.replace(building)


def _temporary(building: Path) -> Path:
    return building.with_name(f".{building.name}.tmp")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links, or too many exist
        shutil.copy2(source, target)


def _usable(out: Path, marker: str) -> bool:
    """Return whether a result may be written to ``out``: it is empty, or holds an earlier result of the same kind."""
    occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    return not occupied or bool(marker and (out / marker).is_file())


def _kind(marker: str) -> str:
    return f"an earlier result (it has no {marker})" if marker else "empty"


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Lock the output ``out`` for this process. The operating system releases the lock when the process ends.

    The lock is a file beside ``out``, because ``out`` itself is renamed. The holder deletes the file at the end; filelock
    detects a deleted file and tries again, so that two processes never hold locks of the same name.

    Raises
    ------
    LyristError
        Another process holds the lock.
    """
    place = _lock_of(out)
    lock = FileLock(place, timeout=LOCK_TIMEOUT, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise LyristError(f"Another process is writing {out}; wait for it to end or choose another --out.") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        yield  # a file system without locks is used without them
        return
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # Windows does not delete an open file; an empty one does no harm
            place.unlink(missing_ok=True)
        lock.release()


def _lock_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.lock")


def _note_of(out: Path) -> Path:
    """Return the file that says that the staging directory is complete; it lists the scaffold that may be left in it."""
    return out.with_name(f".{out.name}.complete")


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _recover(out: Path) -> None:
    """Restore the earlier result after a kill between the two renames of `_swap`; delete one that was replaced."""
    old = _old(out)
    if old.exists():
        if out.exists():
            shutil.rmtree(old)
        else:
            old.replace(out)


def _swap(building: Path, out: Path) -> None:
    """Rename the finished directory to ``out``; an earlier one is deleted after that."""
    old = _old(out)
    if out.exists():
        out.replace(old)
    building.replace(out)
    if old.exists():
        shutil.rmtree(old)


def spreadsheet_safe(table: Any) -> Any:
    """Return a polars table whose texts a spreadsheet reads as texts.

    A text that begins with ``=``, ``+``, ``-``, ``@`` or a wide form of these, also after spaces or quotation marks, or with a
    tab or a line end, would be read as a formula and is preceded by ``'``; control characters, invisible characters and
    characters that change the direction of text are removed.
    """
    import polars as pl

    text = pl.col(pl.String)
    clean = text.str.replace_all(
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\u{2028}-\u{202e}\u{2060}"
        r"\u{2066}-\u{2069}\u{feff}]",
        "",
    )
    return table.with_columns(clean.str.replace(r"^([\t\r\n]|[\s\"]*[=+\-@＝＋－＠﹦﹢﹣﹫−])", "'$1"))
