"""Errors as OpenAI's clients know them: ``{"error": {"message", "type", "param", "code"}}`` with the right status."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from lyrist.errors import LyristError
from lyrist.serving.limits import Busy, Cancelled, Closing, TimedOut

TYPES = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    408: ("invalid_request_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_media_type"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    499: ("invalid_request_error", "cancelled"),
    500: ("server_error", "server_error"),
    503: ("server_error", "shutting_down"),
    504: ("server_error", "timeout"),
}
"""Status to the type and code of the error."""

_OPTION = re.compile(r"(?<!\w)--?([a-z][a-z-]*)")


class Refused(HTTPException):
    """A request that is answered with an error; FastAPI lets such ones pass wherever they come up."""

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
        message = self.message.encode("utf-8", "replace").decode()  # it may quote what the client sent
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code or code}}

    def response(self) -> JSONResponse:
        """Return the response."""
        return JSONResponse(self.body(), self.status, self.headers)


def refused(error: BaseException) -> Refused:
    """Return the answer to any error; what nobody foresaw tells nothing of itself."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Busy):
        return Refused(429, str(error), headers={"Retry-After": str(error.again)})
    if isinstance(error, Closing):
        return Refused(503, str(error), headers={"Retry-After": "5"})
    if isinstance(error, TimedOut):
        return Refused(504, str(error))
    if isinstance(error, Cancelled):
        return Refused(499, str(error))
    if isinstance(error, LyristError):
        return Refused(400, _OPTION.sub(lambda found: found[1].replace("-", "_"), str(error)))
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return Refused(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    return Refused(500, "This is a defect of the server, not of the request; its log says more.")


def _invalid(error: RequestValidationError) -> Refused:
    """Return the first of what is wrong with a body."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "str", "list[str]")]
    param = ".".join(place).encode("utf-8", "replace").decode() or None
    said = str(first["msg"]).removeprefix("Value error, ")
    message = f"{param}: {said}" if param else said
    return Refused(400, message, param=param, code=str(first["type"]))


def loads(body: bytes) -> Any:
    """Return what a JSON body says: UTF-8, and no NaN or Infinity, which are no JSON.

    Raises
    ------
    Refused
        It is no JSON.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_never, parse_float=_finite)
    except RecursionError:
        raise Refused(400, "The body is nested too deeply.", code="invalid_json") from None
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is not UTF-8 (byte {error.start}).", code="invalid_json") from None
    except ValueError as error:  # numbers of thousands of digits, too
        raise Refused(400, f"The body is not JSON: {str(error)[:200]}.", code="invalid_json") from None


def _never(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is beyond what a number can hold")
    return number


def phrase(status: int) -> str:
    """Return what a status means."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
