"""Pages that the studio shows in frames: reports of studies, found when the server starts, and what `explore` shows.

A client names a page by a number that the server gave it; no path from a client is ever opened. A page comes with a
policy that lets nothing run in it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

from lyrist.corpus.profile import find
from lyrist.corpus.profile_page import page_of
from lyrist.reports import page
from lyrist.serving.modelregistry import ModelRegistry, ServedModel
from lyrist.serving.studio.browse import Shelved, corpora

PREFIX = "/studio"
TOP = 30
"""Artists that a page about a corpus shows."""
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}

draw = threading.Lock()
"""Held while pictures are drawn: the drawing library keeps one state for all threads."""


@dataclass
class Pages:
    """The pages that there are, by address."""

    reports: Sequence[Path] = ()
    """Reports of the studies that served runs belong to."""
    corpora: Sequence[Shelved] = ()
    explored: dict[int, str] = field(default_factory=dict)
    """Pages about corpora that were made, by their number."""
    _making: threading.Lock = field(default_factory=threading.Lock)

    def report(self, served: ServedModel) -> str | None:
        """Return the address of the report of the study that a run belongs to; None where there is none."""
        path = _report(served)
        return f"{PREFIX}/reports/{self.reports.index(path)}" if path in self.reports else None

    def explore(self, number: int) -> str:
        """Make the page about a corpus, unless it was made before; return its address."""
        with self._making:
            if number not in self.explored:
                corpus = self.corpora[number].corpus
                found = find(corpus, TOP)
                with draw:
                    self.explored[number] = page.render(page_of(found, corpus))
        return f"{PREFIX}/explored/{number}"

    def serve(self, app: FastAPI) -> None:
        """Add the routes of the pages to an app."""

        @app.get(PREFIX + "/reports/{number}", include_in_schema=False)
        def report(number: str) -> Response:
            place = _number(number)
            if place is None or place >= len(self.reports) or not self.reports[place].is_file():
                return _gone()
            return FileResponse(self.reports[place], media_type="text/html", headers=HEADERS)

        @app.get(PREFIX + "/explored/{number}", include_in_schema=False)
        def explored(number: str) -> Response:
            html = self.explored.get(-1 if (place := _number(number)) is None else place)
            return _gone() if html is None else Response(html, media_type="text/html", headers=HEADERS)


def pages(models: ModelRegistry) -> Pages:
    """Return the pages that there are for the runs that are served."""
    found = dict.fromkeys(path for served in models.items.values() if (path := _report(served)) is not None)
    return Pages(tuple(found), corpora(models))


def _report(served: ServedModel) -> Path | None:
    """Return the report of the study that a run belongs to."""
    study = served.path.parent.parent
    report = study / "report.html"
    there = served.path.parent.name == "runs" and (study / "results.json").is_file() and report.is_file()
    return report if there else None


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else None


def framed(address: str, title: str) -> str:
    """Return the frame that shows a page, and the way to it outside of it; ``title`` is one of ours."""
    return (
        f'<p class="beside"><a href="{address}" target="_blank" rel="noopener">Open {title} by itself</a></p>'
        f'<iframe class="report" sandbox src="{address}" title="{title}"></iframe>'
    )


def _gone() -> Response:
    return Response("There is no such page here; open it from the studio.", status_code=404, media_type="text/plain")
