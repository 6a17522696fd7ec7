"""Files on the web, with Python's own client: proxies and certificates are those of the system.

Whether a server can send a part of a file shows in its answer to the first request, which asks for "all from byte 0".
"""

from __future__ import annotations

import base64
import http.client
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from lyrist._version import __version__
from lyrist.corpus.reading.addresses import Address, LostError

TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)


class PassingError(Exception):
    """What may be over when it is tried again."""


class Page:
    """A file on the web."""

    ahead = 0

    def __init__(self, address: Address) -> None:
        self._address = address
        answer = _asked(address, 0)
        self._mark = _mark(answer)
        self.seekable = answer is not None and answer.status == http.client.PARTIAL_CONTENT
        self.size = _size(answer)
        self._first: Any = answer

    def at(self, position: int) -> Any:
        """Return the answer of the server from there on; the one to the first request is used for position 0."""
        answer, self._first = self._first, None
        if position or answer is None:
            if answer is not None:
                answer.close()
            answer = _asked(self._address, position)
        if answer is None:
            raise EOFError("the server has no such byte")
        if _mark(answer) != self._mark or _size(answer) != self.size:
            answer.close()
            raise LostError(f"{self._address} changed while it was read; run again.")
        if position and answer.status != http.client.PARTIAL_CONTENT:
            _skip(answer, position)
        return answer

    def close(self) -> None:
        """End the connection of the first request."""
        if self._first is not None:
            self._first.close()
            self._first = None


def _asked(address: Address, position: int) -> Any:
    """Return the answer of the server; None where the file is empty."""
    place, headers = _request(address.real)
    request = urllib.request.Request(place, headers={**headers, "Range": f"bytes={position}-"})  # noqa: S310 - http(s)
    if "Authorization" in request.headers:  # not for whoever the server sends us to
        request.add_unredirected_header("Authorization", request.headers.pop("Authorization"))
    try:
        return _client().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and not position:
            return None
        raise _refused(address, error) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, socket.gaierror) and error.reason.errno == socket.EAI_NONAME:
            raise LostError(f"{address} cannot be reached: there is no host of this name; check it.") from None
        raise PassingError(_reason(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise PassingError(_reason(error)) from error
    except ValueError as error:
        raise LostError(f"{address} is not an address that can be opened; check it.") from error


def _client() -> urllib.request.OpenerDirector:
    """Return a client that speaks HTTP only, whatever a server would redirect it to."""
    client = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        client.add_handler(handler)
    return client


def _request(given: str) -> tuple[str, dict[str, str]]:
    """Return the address without name and password, and the headers of a request, which hold them."""
    parts = urlsplit(given)
    headers = {"User-Agent": f"lyrist/{__version__}", "Accept-Encoding": "identity"}
    user, at, host = parts.netloc.rpartition("@")
    if at:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit((parts.scheme, host, parts.path or "/", parts.query, "")), headers


def _refused(address: Address, error: urllib.error.HTTPError) -> Exception:
    code = error.code
    if code in (401, 403):
        return LostError(
            f"No permission to read {address}: the server answers {code}; check the address, and its password or "
            "signature, which may have run out."
        )
    if code in (404, 410):
        return LostError(f"There is no {address}: the server answers {code}; check the address.")
    if code in _PASSING:
        return PassingError(f"the server answers {code}")
    return LostError(f"{address} cannot be read: the server answers {code}; fetch the table first and give the file.")


def _reason(error: Any) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _mark(answer: Any) -> tuple[str | None, str | None]:
    """Return what tells one version of a file from another."""
    return (answer.headers["ETag"], answer.headers["Last-Modified"]) if answer is not None else (None, None)


def _size(answer: Any) -> int | None:
    """Return the bytes of the whole file, where the answer tells."""
    if answer is None:
        return 0
    whole = (answer.headers["Content-Range"] or "").rpartition("/")[2]
    if answer.status != http.client.PARTIAL_CONTENT:
        whole = answer.headers["Content-Length"] or ""
    return int(whole) if whole.isdigit() else None


def _skip(answer: Any, count: int) -> None:
    """Read what was read before: the server cannot begin in the middle."""
    while count:
        block = answer.read(min(count, 1 << 20))
        if not block:
            raise EOFError("the connection was cut")
        count -= len(block)
