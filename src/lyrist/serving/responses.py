"""HTTP responses: errors in OpenAI's format, strict JSON, waiting for answers, and event streams.

Errors are ``{"error": {"message", "type", "param", "code"}}`` with the matching status. No thread is held while a request waits,
and a request is cancelled as soon as its client disconnects.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Container, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from lyrist.errors import LyristError
from lyrist.serving.requests import Busy, Cancelled, Closing, PendingRequest, TimedOut, Unavailable

Answer = TypeVar("Answer")

EVENT = {
    "type": "object",
    "description": "One event of the stream; data is a chunk as JSON, or [DONE].",
    "properties": {"data": {"type": "string"}},
    "required": ["data"],
}
"""The schema of an event: OpenAPI 3.1 describes each event of a stream."""

TYPES = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    408: ("invalid_request_error", "request_timeout"),
    409: ("invalid_request_error", "unavailable"),
    412: ("invalid_request_error", "changed_meanwhile"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_media_type"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    499: ("invalid_request_error", "cancelled"),
    500: ("server_error", "server_error"),
    503: ("server_error", "shutting_down"),
    504: ("server_error", "timeout"),
    507: ("server_error", "not_saved"),
}
"""Type and code of an error by its status."""

_UNION = re.compile(r"body|query|path|str|int|list\[.*\]")
"""Parts of the place of a validation error that name no field."""
_OPTION = re.compile(r"(?<!\w)--?([a-z][a-z-]*)")


class ApiError(HTTPException):
    """An error with an HTTP status; FastAPI passes it through from any place."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        """Return the error for JSON."""
        kind, code = TYPES.get(self.status, ("invalid_request_error" if self.status < 500 else "server_error", "error"))
        message = self.message.encode("utf-8", "replace").decode()  # it may quote the client's text
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code or code}}

    def response(self) -> JSONResponse:
        """Return the response."""
        return JSONResponse(self.body(), self.status, self.headers)


def as_api_error(error: BaseException) -> ApiError:
    """Return the API error for any exception; an unexpected one reveals no details."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Busy):
        return ApiError(429, str(error), headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, Closing):
        return ApiError(503, str(error), headers={"Retry-After": "5"})
    if isinstance(error, Unavailable):
        return ApiError(409, str(error))
    if isinstance(error, TimedOut | Cancelled):
        return ApiError(504 if isinstance(error, TimedOut) else 499, str(error))
    if isinstance(error, LyristError):
        return ApiError(400, _OPTION.sub(lambda found: found[1].replace("-", "_"), str(error)))
    if isinstance(error, RequestValidationError):
        return _validation_error(error)
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    return ApiError(500, "This is a defect of the server, not of the request; the server's log has details.")


def _validation_error(error: RequestValidationError) -> ApiError:
    """Return the first validation error of a body."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if not _UNION.fullmatch(str(part))]
    param = ".".join(place).encode("utf-8", "replace").decode() or None
    reason = str(first["msg"]).removeprefix("Value error, ")
    message = f"{param}: {reason}" if param else reason
    return ApiError(400, message, param=param, code=str(first["type"]))


def known(models: Container[str], name: str) -> None:
    """Raise an error with the status 404 unless a model is served."""
    if name not in models:
        shown = name.encode("utf-8", "replace").decode()[:100]
        message = f"There is no model '{shown}'; GET /v1/models lists the models."
        raise ApiError(404, message, param="model", code="model_not_found")


def phrase(status: int) -> str:
    """Return the standard phrase of a status."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"


def loads(body: bytes) -> Any:
    """Parse a JSON body strictly: UTF-8 only, without NaN and Infinity.

    Raises
    ------
    ApiError
        The body is not valid JSON.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_reject_constant, parse_float=_finite)
    except RecursionError:
        raise ApiError(400, "The body is nested too deeply.", code="invalid_json") from None
    except UnicodeDecodeError as error:
        raise ApiError(400, f"The body is not UTF-8 (byte {error.start}).", code="invalid_json") from None
    except ValueError as error:  # also numbers with thousands of digits
        raise ApiError(400, f"The body is not JSON: {str(error)[:200]}.", code="invalid_json") from None


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


# Waiting for the engine.


async def answers(request: Request, pending_requests: Sequence[PendingRequest[Answer]]) -> list[Answer]:
    """Return the answers to all pending requests.

    Raises
    ------
    Cancelled
        The client disconnected.
    TimedOut
        A request exceeded its time limit.
    """
    try:
        return await unless_disconnected(request, asyncio.gather(*(arrived(pending) for pending in pending_requests)))
    finally:
        for pending in pending_requests:
            pending.cancel()  # no effect on those that are answered


async def unless_disconnected(request: Request, waiting: Awaitable[Answer]) -> Answer:
    """Return the result of an awaitable; raise `Cancelled` if the client disconnects before."""
    found, gone = asyncio.ensure_future(waiting), asyncio.ensure_future(_disconnected(request.receive))
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


async def arrived(pending: PendingRequest[Answer]) -> Answer:
    """Return the answer to a pending request; raises as `PendingRequest.result`."""
    try:
        async with asyncio.timeout(pending.left + 0.05):  # `wait_for` can lose a cancellation before Python 3.12
            return await asyncio.wrap_future(pending.future)
    except TimeoutError:
        pending.cancel()
        raise TimedOut(pending.seconds) from None
    except asyncio.CancelledError:
        if pending.future.cancelled() and pending.cancelled.is_set():
            raise Cancelled from None
        raise


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Server-sent events, one JSON object each, with ``[DONE]`` at the end; stops when the client disconnects.

    sse-starlette is not used: it replaces `uvicorn.Server.handle_exit` for the whole process, while this server finishes its
    streams before it exits.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[dict[str, Any]]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        sending, gone = asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)  # so that `_send` closes the events

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for event in self._events:
                text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})
        finally:
            await self._events.aclose()  # type: ignore[attr-defined]
