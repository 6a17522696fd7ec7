"""Waiting for answers without holding a thread: of a ticket, until the client goes away; of a stream, piece by piece.

Whoever leaves frees the place: a ticket is given up as soon as the connection is seen to be closed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lyrist.serving.limits import Cancelled, TimedOut
from lyrist.serving.tickets import Ticket

Answer = TypeVar("Answer")


async def answers(request: Request, tickets: Sequence[Ticket[Answer]]) -> list[Answer]:
    """Return the answers to all tickets.

    Raises
    ------
    Cancelled
        The client went away.
    TimedOut
        One took too long.
    """
    try:
        return await unless_gone(request, asyncio.gather(*(arrived(ticket) for ticket in tickets)))
    finally:
        for ticket in tickets:
            ticket.give_up()  # nothing where it was answered


async def unless_gone(request: Request, waiting: Awaitable[Answer]) -> Answer:
    """Return what is waited for; raises `Cancelled` where the client goes away before."""
    found, gone = asyncio.ensure_future(waiting), asyncio.ensure_future(_gone(request.receive))
    try:
        both: set[asyncio.Future[Any]] = {found, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            raise Cancelled
        return await found
    finally:
        found.cancel()
        gone.cancel()
        await asyncio.gather(found, gone, return_exceptions=True)


async def arrived(ticket: Ticket[Answer]) -> Answer:
    """Return the answer to a ticket; raises as `Ticket.result`."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(ticket.future), ticket.left + 0.05)
    except TimeoutError:
        ticket.give_up()
        raise TimedOut(ticket.seconds) from None
    except asyncio.CancelledError:
        if ticket.future.cancelled() and ticket.cancelled.is_set():
            raise Cancelled from None
        raise


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Events(Response):
    """Server-sent events, each a JSON object, until there are no more or the client goes away."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[dict[str, Any]]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        sending, gone = asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)  # so that `_send` lets go of what it asked for

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for event in self._events:
                text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})
        finally:
            await self._events.aclose()  # type: ignore[attr-defined]
