"""Access control: the outermost middleware, which checks host, origin, token and size before a request is read or routed.

Without a token the server only accepts a ``Host`` of this machine, against DNS rebinding, and never a page of another origin.
Starlette's ``TrustedHostMiddleware`` takes a fixed list of hosts and answers in plain text; here any loopback
address is accepted and errors are JSON. A token is accepted as a bearer
token or as the password of HTTP Basic, which a browser can send to the studio.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lyrist.errors import UsageError
from lyrist.serving.requests import client
from lyrist.serving.responses import ApiError, as_api_error

log = logging.getLogger(__name__)

OPEN = ("/healthz",)
"""Paths that need no token."""
SHARED = ("/v1/", "/healthz", "/openapi.json")
"""Paths that pages of allowed origins may use."""


@dataclass(frozen=True)
class ServerSettings:
    """Address and access rules of the server; checked when created."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    studio: bool = True
    projects: str | None = None
    """Folder of the projects; None: the server keeps none."""
    allow_origin: tuple[str, ...] = ()
    """Origins of pages that may use the API, such as ``http://localhost:3000``."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"--port must be between 0 (any free port) and 65535, got {self.port}.")
        if self.token is not None and not re.fullmatch(r"[!-~]{8,}", self.token):
            raise UsageError("--token must have at least 8 printable ASCII characters without spaces.")
        for origin in self.allow_origin:
            if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", origin):
                raise UsageError(
                    f"--allow-origin must be a scheme, a host and a port, such as http://localhost:3000, got '{origin}'."
                )
        if self.token is None and not self.loopback:
            raise UsageError(
                f"--host {self.host} is reachable from other machines and needs a --token "
                "(or the environment variable LYRIST_TOKEN)."
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return local(self.host)

    @property
    def url(self) -> str:
        """Address for a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def local(host: str) -> bool:
    """Return whether a name or address is a loopback address."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class AccessControl:
    """Middleware that checks each request, limits its body and answers errors."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        most: int,
        seconds: float,
        responded: Callable[[int], object] = lambda status: None,
    ) -> None:
        """Wrap an application.

        Parameters
        ----------
        app
            The application.
        settings
            Access rules.
        most
            Maximum bytes of a body.
        seconds
            Time limit for the arrival of a body.
        responded
            Called with the status of each response.
        """
        self.app, self.settings, self.most, self.seconds, self.responded = app, settings, most, seconds, responded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with an error."""
        if scope["type"] != "http":
            if scope["type"] == "websocket" and self._wrong(scope) is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        client.set(_client_of(scope))
        origin = self._allowed_origin(scope)
        answer = _Answer(send, self.responded, origin)
        try:
            if origin is not None and scope["method"] == "OPTIONS" and self._host_error(scope) is None:
                await _preflight(scope, receive, answer.send)
                return
            wrong = self._wrong(scope) or self._too_large(scope)
            if wrong is not None:
                raise wrong
            await self.app(scope, _Body(receive, self.most, self.seconds).receive, answer.send)
        except Exception as error:
            known = as_api_error(error)
            if known.status == 500:
                log.exception("A request failed: %s %r", scope["method"], scope["path"])
            if not answer.begun:
                await known.response()(scope, receive, answer.send)

    def _wrong(self, scope: Scope) -> ApiError | None:
        """Return the error of a request without access; None with access."""
        headers = _headers(scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        wrong = self._host_error(scope)
        if wrong is not None:
            return wrong
        foreign = origin is not None and urlsplit_host(origin) != host and self._allowed_origin(scope) is None
        if foreign and scope.get("method") not in ("GET", "HEAD"):
            return ApiError(403, "Pages of other origins may not use this server.", code="other_origin")
        if self.settings.token is not None and scope["path"] not in OPEN and not self._may(headers):
            scheme = "Bearer" if scope["path"].startswith("/v1/") else 'Basic realm="Lyrist", charset="UTF-8"'
            return ApiError(
                401, "The token is missing or wrong; send it as 'Authorization: Bearer TOKEN'.",
                headers={"WWW-Authenticate": scheme},
            )  # fmt: skip
        return None

    def _host_error(self, scope: Scope) -> ApiError | None:
        """Return the error of a request to another host, without a token."""
        if self.settings.token is None and not self._known(_headers(scope).get("host", "")):
            return ApiError(403, "This server accepts localhost only; use http://localhost or http://127.0.0.1.")
        return None

    def _allowed_origin(self, scope: Scope) -> str | None:
        """Return the origin of a request to the API if pages of it may use it."""
        origin = _headers(scope).get("origin")
        return origin if origin in self.settings.allow_origin and scope["path"].startswith(SHARED) else None

    def _known(self, host: str) -> bool:
        name = urlsplit_name(host)
        return name is not None and (local(name) or name.lower() == self.settings.host.lower())

    def _may(self, headers: dict[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
            except ValueError:
                return False
        elif scheme.lower() != "bearer":
            return False
        token = self.settings.token or ""
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())

    def _too_large(self, scope: Scope) -> ApiError | None:
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 18 or int(value) > self.most):
                return too_large(self.most)
        return None


def _client_of(scope: Scope) -> str:
    """Return the client of a request: its address, and on this machine its connection, as programs share the address."""
    host, port = scope.get("client") or ("", 0)
    return f"{host}:{port}" if local(host) else str(host)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _preflight(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the question of a browser whether a page of an allowed origin may send a request."""
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-None-Match",
        "Access-Control-Max-Age": "600",
    }
    if _headers(scope).get("access-control-request-private-network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    await Response(status_code=204, headers=headers)(scope, receive, send)


def too_large(most: int) -> ApiError:
    """Return the error for a body with too many bytes."""
    return ApiError(413, f"The body has more than {most:,} bytes, the maximum of this server.")


def urlsplit_name(host: str) -> str | None:
    """Return the name in a ``Host`` header, without its port; None if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def urlsplit_host(origin: str) -> str | None:
    """Return the ``Host`` header that belongs to an origin; None if it is invalid."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


class _Body:
    """A request body with limits of size (also without a content length) and time."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most = receive, most
        self._until = time.monotonic() + seconds
        self._seen, self._whole = 0, False

    async def receive(self) -> Message:
        if self._whole:  # only a disconnect can follow
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(408, "The body did not arrive in time; send it again.") from None
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._seen > self._most:
                raise too_large(self._most)
        return message


class _Answer:
    """A response: whether it has begun, its status, and the headers of every response."""

    def __init__(self, send: Send, responded: Callable[[int], object], origin: str | None = None) -> None:
        self._send, self._responded, self._origin = send, responded, origin
        self.begun = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self._responded(message["status"])
            message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            if self._origin is not None:
                message["headers"] += [
                    (b"access-control-allow-origin", self._origin.encode("latin-1")),
                    (b"access-control-expose-headers", b"ETag, Retry-After"), (b"vary", b"Origin"),
                ]  # fmt: skip
        await self._send(message)
