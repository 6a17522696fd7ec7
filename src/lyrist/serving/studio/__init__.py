"""The studio: a page for people who write and look into lyrics with the served runs.

The page is HTML, CSS and JavaScript modules in the folder ``page``, without a build step. It uses the HTTP API only and requests
nothing from another server; its Content-Security-Policy forbids both, and inline scripts and styles too.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.studio.pages import add_pages

PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


class _Page(StaticFiles):
    """The files of the page, with its policy; a browser revalidates them."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        found = await super().get_response(path, scope)
        found.headers.update(HEADERS)
        return found


def mount(app: FastAPI, engine: InferenceEngine) -> None:
    """Serve the studio at ``/``, behind every route of an application."""
    add_pages(app, engine)
    app.mount("/", _Page(directory=PAGE, html=True), name="studio")
