"""What of Gradio's own server is reachable: what its page needs, and nothing else.

What is unusual: Gradio looks into every value that a client sends for what looks like a file, and would open or download
what it names; it also takes uploads, serves files, and forwards requests. The studio needs none of it: its controls
send plain values only, so anything else is refused before Gradio sees it.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lyrist.serving.responses import ApiError

PAGES = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt")
FOLDERS = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")
API = (
    "/gradio_api/info",
    "/gradio_api/theme.css",
    "/gradio_api/queue/data",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
)
JOIN = "/gradio_api/queue/join"
POSTS = (JOIN, "/gradio_api/cancel", "/gradio_api/reset")


class Fence:
    """Middleware around Gradio's app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer that there is nothing."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        plain = path.rstrip("/") or "/"
        if scope["type"] != "http" or not _known(scope["method"], path, plain):
            await _refuse(scope, receive, send, 404, "There is nothing at this path.")
        elif plain == JOIN:
            await self._join(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _join(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in what a control sends, if it is made of plain values."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if not _is_plain(body):
            await _refuse(scope, receive, send, 400, "A control of the studio sends plain values only.")
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


def _known(method: str, path: str, plain: str) -> bool:
    if method == "POST":
        return plain in POSTS
    return method in ("GET", "HEAD") and (plain in (*PAGES, *API) or path.startswith(FOLDERS))


def _is_plain(body: bytes) -> bool:
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError):
        return False
    data = asked.get("data", []) if isinstance(asked, dict) else None
    return isinstance(data, list) and all(value is None or isinstance(value, str | int | float) for value in data)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await ApiError(status, why).response()(scope, receive, send)
