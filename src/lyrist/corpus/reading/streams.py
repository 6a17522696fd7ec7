"""The bytes of a source, whatever it is packed in: counted, hashed and unpacked as they stream by.

What is unusual: damage in a packed file (cut short, a wrong checksum) does not lose what came before it. The bytes that
could be unpacked are all delivered first; only then does reading raise `DamageError`.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import errno
import hashlib
import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from lyrist.corpus.reading.addresses import Address
from lyrist.corpus.reading.remote import Remote
from lyrist.errors import LyristError, UsageError
from lyrist.files import DiskFullError

BLOCK = 1 << 20
_FEED = 1 << 14
"""Packed bytes given to an unpacker at once: small, so that a bomb unpacks piece by piece."""

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
         (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip

_PACKED: dict[str, tuple[bytes, Callable[[], Any]]] = {
    "gz": (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    "zst": (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj()),
    "bz2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
}
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
    """What a packed stream holds; several packed one after another are read as one."""

    def __init__(self, raw: IO[bytes], kind: str) -> None:
        self._raw, (self._magic, self._make) = raw, _PACKED[kind]
        self._unpacker = self._make()
        self._packed = b""
        self._ready = memoryview(b"")

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
        """Unpack some more; return whether there was more."""
        if self._unpacker.eof:
            if not self._next_stream():
                return False
        elif not self._packed:
            self._packed = self._raw.read(_FEED)
            if not self._packed:
                raise DamageError("it ends before its packed data do")
        try:
            self._ready = memoryview(self._unpacker.decompress(self._packed))
        except (*_BROKEN, OSError) as error:
            raise DamageError(str(error)) from error
        self._packed = b""
        return True

    def _next_stream(self) -> bool:
        """Begin the packed stream after the one that ended; other bytes there are padding, as for the packers."""
        rest = self._unpacker.unused_data + self._raw.read(_FEED)
        if not rest.startswith(self._magic):
            return False
        self._unpacker, self._packed = self._make(), rest
        return True


@dataclass(frozen=True)
class Opened:
    """An open source."""

    data: IO[bytes]
    """Its bytes, unpacked."""
    tap: Tap
    """What they run through as they lie on the disk."""
    packed: bool
    """Whether the two differ, or the source is the member of an archive."""
    remote: bool = False
    """Whether it is at an address."""


@contextlib.contextmanager
def opened(path: str, member: str = "", buffer: int = BLOCK) -> Iterator[Opened]:
    """Open a file, or the member of a zip archive, for reading as unpacked bytes.

    Raises
    ------
    LyristError
        It is not there, may not be read, is no whole archive, or is locked by a password.
    """
    with contextlib.ExitStack() as stack:
        with explained(path):
            raw: Any = stack.enter_context(file(path))
            if member:
                raw = _member(stack.enter_context(zipfile.ZipFile(seekable(raw, stack))), member, path)
        tap = Tap(raw)
        data: Any = io.BufferedReader(tap, buffer)
        kind = ""
        with contextlib.suppress(DamageError):  # then the first read says so
            kind = packing(data.peek(8)[:8])
        if kind:
            data = io.BufferedReader(_Unpacked(data, kind), buffer)
        yield Opened(data, tap, bool(member or kind), isinstance(path, Address))


def file(path: str) -> IO[bytes]:
    """Return a file, here or at an address, for reading without a buffer."""
    return Remote(path) if isinstance(path, Address) else Path(path).open("rb", buffering=0)  # type: ignore[return-value]


def seekable(raw: IO[bytes], stack: contextlib.ExitStack) -> IO[bytes]:
    """Return ``raw`` for readers that go to and fro and count on all they ask for; a copy on the disk where it must be."""
    if raw.seekable():
        return io.BufferedReader(raw, _FEED) if isinstance(raw, Remote) else raw
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    shutil.copyfileobj(raw, copy, BLOCK)
    copy.seek(0)
    return copy


def _member(archive: zipfile.ZipFile, name: str, path: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except (RuntimeError, NotImplementedError) as error:  # a password, or a method of packing that zipfile has not
        raise unreadable(path, str(error)) from error


def packing(head: bytes) -> str:
    """Return ``gz``, ``zst``, ``bz2`` or ``xz`` for the first bytes of a packed file; empty for any other."""
    return next((kind for kind, (magic, _) in _PACKED.items() if head.startswith(magic)), "")


def head(path: str, member: str = "", size: int = 1 << 16) -> tuple[bytes, bool]:
    """Return the first ``size`` bytes, unpacked, and whether that is all there is."""
    found = b""
    with opened(path, member, buffer=1 << 16) as source, explained(path):
        try:
            while len(found) < size and (block := source.data.read1(size - len(found))):  # type: ignore[attr-defined]
                found += block
        except DamageError as error:
            if not found:
                raise unreadable(path, str(error)) from error
    return found, len(found) < size


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what the system says about reading ``path`` into one sentence."""
    try:
        yield
    except PermissionError as error:
        raise LyristError(f"No permission to read {path}; change its permissions, or run as a user who may.") from error
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

    A byte order mark decides; without one, UTF-16 shows itself by its zeros; anything else is as the user says.

    Raises
    ------
    UsageError
        ``encoding`` is not the name of one.
    """
    try:
        info = codecs.lookup(encoding)
    except (LookupError, ValueError):
        info = None
    if info is None or not getattr(info, "_is_text_encoding", True):
        raise UsageError(
            f"There is no encoding '{encoding}'; --encoding takes such as utf-8, utf-16, cp1252 or latin-1."
        )
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    sample = data[:2048]
    zeros = [sample[half::2].count(0) / max(len(sample) // 2, 1) for half in (0, 1)]
    if info.name == "utf-8" and len(sample) > 8 and max(zeros) > 0.7 and min(zeros) < 0.1:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return info.name


def escape(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are wrong in any encoding as lone surrogates, one a byte, as ``surrogateescape`` does for UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), error.end


codecs.register_error("lyrist-escape", escape)


def text(data: IO[bytes], encoding: str, *, newline: str | None = "") -> io.TextIOWrapper:
    """Return the text of ``data``; bytes that are not text become lone surrogates, which are looked for later.

    So clean files pay nothing for the check: Arrow refuses a lone surrogate, and only then is it looked for.
    """
    return io.TextIOWrapper(data, encoding, errors=_errors(encoding), newline=newline)


def pieces(data: IO[bytes], encoding: str) -> Iterator[str]:
    """Yield the text of ``data`` in pieces; unlike `text`, all that comes before damage is delivered."""
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    read: Callable[[int], bytes] = getattr(data, "read1", data.read)
    while block := read(BLOCK):
        if piece := decoder.decode(block):
            yield piece
    if piece := decoder.decode(b"", final=True):
        yield piece


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "lyrist-escape"
