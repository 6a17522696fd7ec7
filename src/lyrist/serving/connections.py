"""Limits of connections: how many there are, in all and from one address, and how long a client may take to send a header.

uvicorn limits neither. Without a limit, connections on which nothing is sent use up all file descriptors of the process, and
asyncio (before Python 3.13) then reports the failure thousands of times a second. Here a connection over a limit is answered with
503 and closed at once, and the limit is lower than the descriptors that are left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lyrist.serving.requests import Limits
from lyrist.serving.responses import ApiError

ACCEPTED = 16
"""Connections that are accepted at once, before the first of them is counted."""
RESERVE = 4 * ACCEPTED
"""File descriptors that are kept for files and for connections that are being refused."""


class Connections:
    """Counts the connections of a server."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.most, self.by_address = limits, min(limits.connections, _descriptors()), Counter[str]()

    def enter(self, address: str) -> ApiError | None:
        """Count a connection, or return why it is refused."""
        if self.by_address.total() >= self.most:
            return _refused("This server has as many connections as it can take")
        if self.by_address[address] >= self.limits.connections_each:
            return _refused("There are too many connections from this address")
        self.by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection that was closed."""
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


def _refused(reason: str) -> ApiError:
    return ApiError(
        503, f"{reason}; close some, or try again.", code="too_many_connections", headers={"Retry-After": "1"}
    )


def _descriptors() -> int:
    """Return how many connections the free file descriptors allow; at least `ACCEPTED`."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2**31
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = 64
    with contextlib.suppress(OSError):
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    return max(ACCEPTED, soft - used - RESERVE) if soft != resource.RLIM_INFINITY else 2**31


def protocol(connections: Connections) -> type[H11Protocol]:
    """Return uvicorn's protocol with the limits."""

    class LimitedProtocol(H11Protocol):
        """HTTP/1.1 on one connection."""

        _address: str | None = None
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            peer = transport.get_extra_info("peername")
            address = str(peer[0]) if isinstance(peer, tuple) else ""
            refused = connections.enter(address)
            if refused is not None:
                self.transport = transport
                _answer(transport, refused)
                return
            self._address = address
            super().connection_made(transport)
            self._await_header()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_deadline()
            if self._address is None:
                return
            connections.leave(self._address)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._address is None:
                return
            if self._deadline is None and self.conn.their_state is h11.IDLE:
                self._await_header()
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._forget_deadline()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            waiting = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
            if waiting and self._deadline is None and not self.transport.is_closing():
                self._await_header()  # the next request has begun

        def eof_received(self) -> None:
            if self._address is not None:
                super().eof_received()

        def _await_header(self) -> None:
            self._deadline = self.loop.call_later(connections.limits.header_seconds, self._late)

        def _forget_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _late(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                _answer(self.transport, ApiError(408, "The header did not arrive in time; send it again."))

    return LimitedProtocol


def _answer(transport: Any, error: ApiError) -> None:
    """Send an error on a connection on which no request was read, and close it."""
    body = json.dumps(error.body()).encode()
    head = [f"HTTP/1.1 {error.status} {error.status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    head += ["Connection: close", *(f"{name}: {value}" for name, value in (error.headers or {}).items())]
    transport.write("\r\n".join([*head, "", ""]).encode() + body)
    transport.close()
