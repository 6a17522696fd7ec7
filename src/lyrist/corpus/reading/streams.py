"""The bytes of a source, whatever it is packed in: counted, hashed and unpacked while they are read.

Damage in a packed file (cut short, a wrong checksum) does not lose what came before it: the bytes that could be unpacked
are all delivered first, and only then does reading raise `DamageError`. Unpacking is bounded: in memory at any moment, and
over the whole file by `RATIO` and `TOTAL`, so that a small file cannot fill the memory or the disk.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import errno
import hashlib
import io
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

from lyrist.corpus.encodings import code_page_of, is_utf8, seven_bit_of, utf16_of
from lyrist.corpus.reading.remote import Address, RemoteFile, SourceError
from lyrist.errors import LyristError, UsageError
from lyrist.files import DiskFullError

BLOCK = 1 << 20
_LINES = 1 << 16  # bytes that are divided into lines at once
_FEED = 1 << 14
"""Packed bytes given to an unpacker at once: few, so that one step unpacks a bounded number of bytes."""
RATIO = 100
"""A packed file may unpack to so many times its size (lyrics pack to a quarter), and `ALLOWANCE` more."""
ALLOWANCE = 64 << 20
TOTAL = 128 << 30
"""A packed file may unpack to so many bytes at most."""
_WINDOW = 1 << 27
"""Bytes of memory that a packed file may require for its window."""

AUTO = "auto"
"""The value of ``--encoding`` for the detected one."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
         (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip

_PACKED: dict[str, tuple[bytes, Callable[[], Any], int]] = {
    "gz": (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31), 1 << 13),
    "zst": (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj(), 1 << 10),
    "bz2": (b"BZh", bz2.BZ2Decompressor, _FEED),
    "xz": (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=2 * _WINDOW), _FEED),
}
"""For each kind: its first bytes, an unpacker, and the packed bytes that it is given at once.

From gzip data, 8 KB unpack to 8 MB at most, from Zstandard data 1 KB to 32 MB; the others have a limit of their own.
"""
_BROKEN = (zlib.error, zstandard.ZstdError, lzma.LZMAError, zipfile.BadZipFile, EOFError)


class DamageError(Exception):
    """The source ends here, but not as it should."""


class Tap(io.RawIOBase):
    """Bytes that are counted and hashed as they are read."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._hash = hashlib.sha256()
        self._read: Callable[[int], bytes] = getattr(raw, "read1", raw.read)
        self._most = _FEED if hasattr(raw, "read1") else BLOCK  # what a damaged zip member loses at its end
        self._damage: DamageError | None = None
        self.count = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; raise `DamageError` where a zip member is, and again each time."""
        if self._damage:
            raise self._damage
        try:
            block = self._read(min(len(buffer), self._most))
        except _BROKEN as error:
            self._damage = DamageError(str(error))
            raise self._damage from error
        self._hash.update(block)
        self.count += len(block)
        buffer[: len(block)] = block
        return len(block)

    def finish(self) -> str:
        """Read what is left and return the SHA-256 of the whole, in hexadecimal."""
        buffer = bytearray(BLOCK)
        with contextlib.suppress(DamageError):
            while self.readinto(buffer):
                pass
        return self._hash.hexdigest()


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a packed stream; several packed streams one after another are read as one."""

    def __init__(self, raw: IO[bytes], kind: str, path: str) -> None:
        self._raw, (self._magic, self._make, self._feed) = raw, _PACKED[kind]
        self._path = path
        self._unpacker = self._make()
        self._packed = b""
        self._ready = memoryview(b"")
        self._bytes_in = self._bytes_out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._unpack():
                return 0
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _unpack(self) -> bool:
        """Unpack the next bytes; return whether there were any."""
        bounded = hasattr(self._unpacker, "needs_input")  # it keeps what does not fit into one block
        if self._unpacker.eof:
            if not self._next_stream():
                return False
        elif not self._packed and (not bounded or self._unpacker.needs_input):
            self._packed = self._read()
            if not self._packed:
                raise DamageError("it ends before its packed data do")
        try:
            block = self._unpacker.decompress(self._packed, *([BLOCK] if bounded else []))
        except (*_BROKEN, OSError) as error:
            raise DamageError(str(error)) from error
        self._packed = b""
        self._ready = memoryview(block)
        self._bytes_out += len(block)
        check_ratio(self._path, self._bytes_in, self._bytes_out)
        return True

    def _next_stream(self) -> bool:
        """Begin the packed stream after the one that ended; other bytes there are padding, as for the packers."""
        rest = self._unpacker.unused_data + self._read()
        if not rest.startswith(self._magic):
            return False
        self._unpacker, self._packed = self._make(), rest
        return True

    def _read(self) -> bytes:
        block = self._raw.read(self._feed)
        self._bytes_in += len(block)
        return block


def check_ratio(path: str, packed: int, unpacked: int) -> None:
    """Refuse a file that unpacks to far more than text does."""
    if unpacked > min(ALLOWANCE + RATIO * packed, TOTAL):
        limit = f"{TOTAL >> 30} GB" if unpacked > TOTAL else f"{RATIO} times its size"
        raise LyristError(
            f"{path} unpacks to more than {limit} and is not read to its end; unpack it yourself if you trust it, and give "
            "the unpacked file."
        )


@dataclass(frozen=True)
class Opened:
    """An open source."""

    data: IO[bytes]
    """Its bytes, unpacked."""
    tap: Tap
    """Counts and hashes the bytes as they are stored."""
    packed: bool
    """Whether the two differ, or the source is the member of an archive."""
    check: Callable[[], None]
    """Raises an error if the file is no longer what it was when it was opened."""
    remote: bool = False
    """Whether it is at an address."""


@contextlib.contextmanager
def opened(path: str, member: str = "", buffer: int = BLOCK, within: Archive | None = None) -> Iterator[Opened]:
    """Open a file, or the member of an archive (``within`` if it is open already), for reading as unpacked bytes.

    Raises
    ------
    LyristError
        It does not exist, is not a regular file, may not be read, is not a whole archive, or is locked by a password.
    """
    with contextlib.ExitStack() as stack:
        with explained(path):
            raw: Any = stack.enter_context(file(path))
            check = (
                (lambda: None) if isinstance(path, Address) else partial(check_unchanged, path, os.fstat(raw.fileno()))
            )
            if member:
                raw = (within or stack.enter_context(archive(path))).open(member)
        tap = Tap(raw)
        data: Any = io.BufferedReader(tap, buffer)
        kind = ""
        with contextlib.suppress(DamageError):  # then the first read says so
            kind = packing(data.peek(8)[:8])
        if kind:
            data = io.BufferedReader(_Unpacked(data, kind, path), buffer)
        yield Opened(data, tap, bool(member or kind), check, isinstance(path, Address))


def check_unchanged(path: str, before: os.stat_result) -> None:
    """Raise an error if a file was written or replaced since ``before``."""
    try:
        now = Path(path).stat()
    except OSError:
        now = None
    if now is None or _version(now) != _version(before):
        raise SourceError(f"{path} changed while it was read; run again when no other program writes to it.")


def file(path: str) -> IO[bytes]:
    """Return a file, here or at an address, for reading without a buffer."""
    return RemoteFile(path) if isinstance(path, Address) else io.FileIO(path, opener=_regular)  # type: ignore[return-value]


def _regular(path: str, flags: int) -> int:
    """Open a regular file; anything else is closed at once, a FIFO without waiting for a writer."""
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if what := special(os.fstat(number)):
        os.close(number)
        raise not_a_file(path, what)
    return number


def special(found: os.stat_result) -> str:
    """Return what something is that is not a regular file; empty for a regular file."""
    kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return "" if stat.S_ISREG(found.st_mode) else kinds.get(stat.S_IFMT(found.st_mode), "a folder")


def not_a_file(path: str, what: str) -> LyristError:
    """Return the error for a path that is not a regular file."""
    return LyristError(f"{path} is not a file but {what}; save what it gives to a file and give that.")


def seekable(raw: IO[bytes], stack: contextlib.ExitStack) -> IO[bytes]:
    """Return ``raw``, or a copy of it on the disk, for readers that need any position and whole reads."""
    if raw.seekable() and not isinstance(raw, io.BufferedReader):
        return io.BufferedReader(raw, _FEED) if isinstance(raw, RemoteFile) else raw
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    shutil.copyfileobj(raw, copy, BLOCK)
    copy.seek(0)
    return copy


ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip archive begins."""


class Archive(Protocol):
    """An open archive."""

    sizes: dict[str, int]
    """The bytes of each member that is a regular file, unpacked."""
    links: list[str]
    """Members that are links."""

    def open(self, name: str) -> IO[bytes]:
        """Return a member for reading."""


@contextlib.contextmanager
def archive(path: str) -> Iterator[Archive]:
    """Open a zip or tar archive.

    Raises
    ------
    LyristError
        It is damaged, or would unpack to far more than text does.
    """
    with contextlib.ExitStack() as stack:
        with explained(path):
            raw = stack.enter_context(file(path))
            start = raw.read(4)
            if not start.startswith(ZIP):
                opened: Archive = _tar(path, None if isinstance(path, Address) else _version(Path(path).stat()))
            else:
                raw = seekable(stack.enter_context(file(path)), stack)
                opened = _Zip(path, raw.seek(0, os.SEEK_END), stack.enter_context(zipfile.ZipFile(raw)))
        yield opened


class _Zip:
    def __init__(self, path: str, size: int, zipped: zipfile.ZipFile) -> None:
        self._path, self._zipped = path, zipped
        infos = [info for info in zipped.infolist() if not info.is_dir()]
        check_ratio(path, size, sum(info.file_size for info in infos))
        self.sizes = {info.filename: info.file_size for info in infos if not stat.S_ISLNK(info.external_attr >> 16)}
        self.links = [info.filename for info in infos if info.filename not in self.sizes]

    def open(self, name: str) -> IO[bytes]:
        if self._zipped.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise unreadable(self._path, f"{name} is packed by a method other than deflate")  # others have no limit
        try:
            return self._zipped.open(name)
        except (RuntimeError, NotImplementedError) as error:  # a password, or a feature that zipfile does not have
            raise unreadable(self._path, str(error)) from error


class _Tar:
    """A tar archive; one that is packed is unpacked to the disk."""

    def __init__(self, path: str) -> None:
        with contextlib.ExitStack() as stack:
            raw: Any = stack.enter_context(file(path))
            kind = packing(raw.read(8))
            raw = stack.enter_context(file(path))
            if kind:
                raw = io.BufferedReader(_Unpacked(raw, kind, path), BLOCK)
            try:
                self._file = seekable(raw, stack)
                with tarfile.open(fileobj=self._file, mode="r:") as tar:
                    infos = [info for info in tar if not info.isdir()]
            except (tarfile.TarError, DamageError, EOFError) as error:
                raise unreadable(path, f"it is not a whole tar archive ({error})") from error
            self._places = {
                i.name.removeprefix("./"): (i.offset_data, i.size) for i in infos if i.isreg() and not i.issparse()
            }
            self.links = [info.name for info in infos if not info.isreg() or info.issparse()]
            self.sizes = {name: size for name, (_, size) in self._places.items()}
            weakref.finalize(self, stack.pop_all().close)

    def open(self, name: str) -> IO[bytes]:
        return io.BufferedReader(Section(self._file, *self._places[name]))


@lru_cache(maxsize=1)
def _tar(path: str, version: tuple[int, ...] | None) -> _Tar:
    """Return a tar archive; the last one is kept, since its members are found only by reading all of it."""
    return _Tar(path)


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns


class Section(io.RawIOBase):
    """A part of a file."""

    def __init__(self, whole: IO[bytes], start: int, size: int) -> None:
        self._whole, self._start, self._size, self._at = whole, start, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        self._whole.seek(self._start + self._at)
        block = self._whole.read(min(len(buffer), self._size - self._at))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)


@contextlib.contextmanager
def on_disk(source: Opened, path: str) -> Iterator[str]:
    """Give the place of a file on the disk, for readers that need one: its own, or that of a copy."""
    if not source.packed and not source.remote:
        yield path
        return
    with explained(path), tempfile.NamedTemporaryFile(prefix="lyrist-") as copy:
        try:
            shutil.copyfileobj(source.data, copy, BLOCK)
        except DamageError as error:
            raise unreadable(path, str(error)) from error
        copy.flush()
        yield copy.name


def packing(head: bytes) -> str:
    """Return ``gz``, ``zst``, ``bz2`` or ``xz`` for the first bytes of a packed file; empty for any other."""
    return next((kind for kind, (magic, *_) in _PACKED.items() if head.startswith(magic)), "")


def head(path: str, member: str = "", size: int = 1 << 16, within: Archive | None = None) -> tuple[bytes, bool]:
    """Return the first ``size`` bytes, unpacked, and whether that is all there is."""
    found = b""
    with opened(path, member, buffer=1 << 16, within=within) as source, explained(path):
        try:
            while len(found) < size and (block := source.data.read1(size - len(found))):  # type: ignore[attr-defined]
                found += block
        except DamageError as error:
            if not found:
                raise unreadable(path, str(error)) from error
    return found, len(found) < size


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Convert an error of the system about reading ``path`` into one sentence."""
    try:
        yield
    except PermissionError as error:
        raise LyristError(
            f"No permission to read {path}; change its permissions, or run as a user who may read it."
        ) from error
    except zipfile.BadZipFile as error:
        raise unreadable(path, "it is not a whole zip archive") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"The disk is full while a copy of {path} is made in {tempfile.gettempdir()}; free some space there, or set "
                "TMPDIR to a folder with more, then run again with --resume."
            ) from error
        raise LyristError(f"{path} cannot be read: {error.strerror or error}.") from error


def unreadable(path: str, why: str) -> LyristError:
    """Return the error for a damaged file of which nothing could be read."""
    return LyristError(f"{path} is damaged and not one song could be read: {why}. Fetch it again.")


def encoding_of(data: bytes, encoding: str) -> str:
    """Return the encoding in which to decode a text that begins with ``data``.

    A byte order mark decides. Without one, UTF-16 is recognised by its zeros, and anything else is as the user says; with
    `AUTO`, it is detected, and UTF-8 where nothing else is found.

    Raises
    ------
    UsageError
        ``encoding`` is not the name of one.
    """
    if encoding == AUTO:
        name = "utf-8"
    else:
        try:
            info = codecs.lookup(encoding)
        except (LookupError, ValueError):
            info = None
        if info is None or not getattr(info, "_is_text_encoding", True):
            raise UsageError(
                f"There is no encoding '{encoding}'; --encoding takes auto, or names such as utf-8, utf-16, cp1252 or latin-1."
            )
        name = info.name
    mark = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    if mark or name != "utf-8":
        return mark or name
    if data.isascii() and 0 not in data:
        return (seven_bit_of(data) if encoding == AUTO else "") or name
    if wide := utf16_of(data):
        return wide
    return (code_page_of(data) if encoding == AUTO and not is_utf8(data) else "") or name


def escape(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are wrong in any encoding as lone surrogates, one a byte, as ``surrogateescape`` does for UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), error.end


codecs.register_error("lyrist-escape", escape)


def lines(data: IO[bytes], encoding: str, limit: int) -> Iterator[list[str]]:
    """Yield the lines of ``data``, some at a time, each cut after ``limit`` characters and continued in the next one.

    Bytes that are not text become lone surrogates. Clean files pay nothing for this check: Arrow refuses a lone surrogate,
    and only then is its place searched. The line that damage cuts is left out.
    """
    waiting, size = [""], 0
    for piece in pieces(data, encoding, _LINES):
        waiting.append(piece)
        size += len(piece)
        if size <= limit and "\n" not in piece and "\r" not in piece:
            continue  # joined when the line ends: a long one is not copied for each piece
        text = "".join(waiting)
        found = io.StringIO(text, newline="").readlines()
        if len(text) > limit:
            found = [line[start : start + limit] for line in found for start in range(0, len(line), limit)]
        waiting = ["" if found[-1].endswith("\n") else found.pop()]
        size = len(waiting[0])
        if found:
            yield found
    if rest := "".join(waiting):
        yield io.StringIO(rest, newline="").readlines()


def skip_line(line: str, rest: Iterator[str]) -> None:
    """Read over what follows of a line that was cut at its limit."""
    while line and not line.endswith(("\n", "\r")):
        line = next(rest, "")


def decoded(data: bytes, encoding: str) -> str:
    """Return a whole text, as `lines` would decode it."""
    return data.decode(encoding, _errors(encoding))


def pieces(data: IO[bytes], encoding: str, size: int = BLOCK) -> Iterator[str]:
    """Yield the text of ``data`` in pieces of so many bytes; all that comes before damage is delivered."""
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    read: Callable[[int], bytes] = getattr(data, "read1", data.read)
    while block := read(size):
        if piece := decoder.decode(block):
            yield piece
    if piece := decoder.decode(b"", final=True):
        yield piece


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "lyrist-escape"
