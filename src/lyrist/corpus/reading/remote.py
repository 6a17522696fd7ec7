"""Remote tables as files: read as a stream or from any place, and read on where a connection is cut.

The stores (S3, Google's, Azure's, the Hugging Face hub) are Arrow's file systems, the web is Python's own client: no
further package is needed. Credentials come from the environment variables that are usual for each, nowhere else.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import time
from collections.abc import Iterator
from typing import Any, Protocol

from lyrist.corpus.reading import stores, web
from lyrist.corpus.reading.addresses import WEB, Address, LostError
from lyrist.errors import LyristError

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a broken connection is tried again; then the reading ends in an error."""

AHEAD = 8 << 20
"""Bytes fetched at once from a store at most: each fetch is a request. The first few are smaller, for who looks in only."""


_LEAST = 16
"""Bytes that are read at once at least, so that the first of a packed file are enough to know it by."""


class Place(Protocol):
    """A remote file."""

    size: int | None
    """Its bytes, where they are known."""
    seekable: bool
    """Whether it can be read from any place."""
    ahead: int
    """Bytes to fetch at once, when much is read."""

    def at(self, position: int) -> Any:
        """Return a stream that begins there; it may read nothing before it is asked to."""

    def close(self) -> None:
        """Let go of what was opened to look."""


def place(address: Address) -> Place:
    """Find the file at an address.

    Raises
    ------
    LyristError
        It is not there, may not be read, or the host cannot be reached.
    """
    with _told(address):
        for pause in (*PAUSES, None):
            try:
                return web.Page(address) if address.scheme in WEB else stores.Object(address, AHEAD)
            except web.PassingError as error:
                if pause is None:
                    raise _unreachable(address, error) from error
                time.sleep(pause)
    raise AssertionError("unreachable")


class Remote(io.RawIOBase):
    """The bytes of a remote file; a connection that breaks is made again, and goes on where it stood.

    Raises
    ------
    LyristError
        While reading: the connection broke again and again, or the file is another one than at first.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._place = place(address)
        self._stream: Any = None
        self._position = 0
        """Where the next byte that is asked for stands."""
        self._ready = memoryview(b"")
        """Bytes fetched ahead."""
        self._next = 0
        """Bytes to fetch at least, the next time."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return whether it can be read from any place."""
        return self._place.seekable

    def tell(self) -> int:
        """Return where the next byte stands."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place; the next read makes a new request."""
        if not self.seekable():
            raise io.UnsupportedOperation(f"{self._address} cannot be read from any place")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._place.size or 0}[whence]
        if base + offset != self._position:
            self._drop()
            self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        if not self._ready and not self._ended():
            with _told(self._address):
                block = self._fetched(len(buffer), 0)
                while 0 < len(block) < _LEAST and (more := self._fetched(_LEAST, len(block))):
                    block += more
                self._ready = memoryview(block)
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        self._position += size
        return size

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()
        self._place.close()
        super().close()

    def _ended(self, further: int = 0) -> bool:
        return self._place.size is not None and self._position + further >= self._place.size

    def _fetched(self, wanted: int, further: int) -> bytes:
        """Return the next bytes but ``further`` that have been fetched."""
        position = self._position + further
        if self._ended(further):
            return b""
        for pause in (*PAUSES, None):
            try:
                if self._stream is None:
                    self._stream, self._next = self._place.at(position), 0
                block: bytes = self._stream.read(max(wanted, self._next))
                self._next = min(2 * len(block), self._place.ahead)
                if not block and self._place.size is not None:
                    raise EOFError(f"the connection was cut after {position:,} of {self._place.size:,} bytes")
                return block
            except (*stores.FAILURES, EOFError, http.client.HTTPException) as error:
                self._drop()
                if pause is None or stores.is_final(error):
                    raise _broken(self._address, error) from error
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _drop(self) -> None:
        self._ready = memoryview(b"")
        if self._stream is not None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._stream.close()
            self._stream = None


def size(address: Address) -> int:
    """Return the bytes of a remote file; 0 where its host does not tell."""
    found = place(address)
    found.close()
    return found.size or 0


def expanded(address: Address) -> Iterator[tuple[str, bool]]:
    """Yield the addresses that one stands for, and of each whether its name alone was reason to take it.

    That is itself, what matches a pattern, or the tables in a folder.

    Raises
    ------
    LyristError
        Nothing is there, or it cannot be reached.
    """
    if address.scheme in WEB:
        yield address, False
        return
    with _told(address):
        found = list(stores.listed(address))
    yield from found


@contextlib.contextmanager
def _told(address: Address) -> Iterator[None]:
    """Turn what a store says into one sentence."""
    try:
        yield
    except LyristError:
        raise
    except (*stores.FAILURES, http.client.HTTPException) as error:
        raise stores.sentence(address, error) from error


def _unreachable(address: Address, error: Exception) -> LostError:
    return LostError(f"{address} cannot be reached: {error}; check the address and the network.")


def _broken(address: Address, error: Exception) -> LostError:
    if stores.is_final(error):
        return stores.sentence(address, error)
    return LostError(
        f"{address} cannot be read to its end: {stores.short(error)} ({len(PAUSES) + 1} tries); run again when the "
        "connection is better, or fetch the table first."
    )
