"""Pages that the studio shows in frames: a run closely, the report of its study, and what `explore` shows of a corpus.

A client names a page by a number that the server gave it; no path from a client is ever opened. The policy of a page lets nothing
run in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.responses import Response

from lyrist.corpus import profile
from lyrist.corpus.profile_page import page_of
from lyrist.errors import LyristError
from lyrist.metrics.classification import confusion
from lyrist.reports import figures, page
from lyrist.reports.blocks import Block, Facts, Page, Prose, Section
from lyrist.reports.style import shorten
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ServedModel
from lyrist.training.curves import curves, writer_curves

PREFIX = "/studio"
ARTISTS = 30
"""Artists on the page about a corpus."""
CLASSES = 40
"""Classes of a confusion matrix: those with the most test songs."""
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}


def add_pages(app: FastAPI, engine: InferenceEngine) -> None:
    """Add the pages to an application, and their list at ``/studio/pages``."""
    runs, corpora = list(engine.models.items.values()), list(dict.fromkeys(engine.corpora.values()))
    reports = {served.name: path for served in runs if (path := _report(served)) is not None}
    made: dict[str, str] = {}
    drawing = threading.Lock()  # the drawing library has one state for all threads

    def drawn(key: str, make: Callable[[], Page]) -> Response:
        """Return a page that is made once."""
        with drawing:
            if key not in made:
                made[key] = page.render(make(), interactive=False)
        return Response(made[key], media_type="text/html", headers=HEADERS)

    @app.get(PREFIX + "/pages", include_in_schema=False)
    def pages() -> dict[str, Any]:
        found = [
            {
                "model": served.name, "page": f"{PREFIX}/runs/{number}",
                "report": f"{PREFIX}/reports/{number}" if served.name in reports else None,
            }
            for number, served in enumerate(runs)
        ]  # fmt: skip
        listed = [
            {"models": corpus.runs, "page": f"{PREFIX}/explored/{number}"} for number, corpus in enumerate(corpora)
        ]
        return {"runs": found, "corpora": listed}

    @app.get(PREFIX + "/runs/{number}", include_in_schema=False)
    def run(number: str) -> Response:
        served = _nth(runs, number)
        return _missing() if served is None else drawn(f"run {number}", lambda: run_page(served))

    @app.get(PREFIX + "/reports/{number}", include_in_schema=False)
    def report(number: str) -> Response:
        served = _nth(runs, number)
        path = reports.get(served.name) if served is not None else None
        if path is None or not path.is_file():
            return _missing()
        return Response(page.without_script(path.read_text(encoding="utf-8")), media_type="text/html", headers=HEADERS)

    @app.get(PREFIX + "/explored/{number}", include_in_schema=False)
    def explored(number: str) -> Response:
        served = _nth(corpora, number)
        if served is None:
            return _missing()
        corpus = served.corpus()
        return drawn(f"corpus {number}", lambda: page_of(profile.find(corpus, ARTISTS), corpus))


def run_page(served: ServedModel) -> Page:
    """Return the page about one run: its training, its curves, and the confusion of a classifier."""
    info = served.run.info
    if "parameters" not in info:  # a pretrained model has no run
        return Page(
            shorten(served.name, 40),
            [Section("Training", [Prose("This model was not trained here.", "note")])],
            contents=False,
        )
    rows = served.run.metrics
    name = shorten(served.name, 40)
    counted = info.get("songs") or info.get("pictures")
    facts = [
        ("recipe", served.recipe, f"seed {info.get('seed', 0)}"),
        ("parameters", f"{info['parameters']:,}", ""),
        (
            "seconds of training",
            f"{info['seconds']:,.1f}",
            f"{info.get('steps', 0):,} steps, {info.get('device', 'cpu')}",
        ),
    ]
    if isinstance(counted, dict) and "train" in counted:
        what = "songs" if info.get("songs") else "pictures"
        facts.append((f"training {what}", f"{counted['train']:,}", f"{counted.get('test', 0):,} in test"))
    drawing = writer_curves if served.task == "write" else curves
    drawn: list[Block] = list(drawing(rows, name, info.get("best_step"))) if rows else []
    none = Prose("This recipe is not trained in steps, so it has no curves.", "note")
    sections = [Section("Training", drawn or [none])]
    if served.task != "write":
        sections.append(Section("Confusion on test", _confusion(served)))
    return Page(name, sections, lead=[Facts(facts)], contents=False)


def _confusion(served: ServedModel) -> list[Block]:
    try:
        found = served.run.predictions("test")
    except LyristError as error:
        return [Prose(str(error).replace(str(served.path), served.name), "note")]
    common = {str(name) for name in found["truth"].value_counts(sort=True)["truth"].head(CLASSES)}
    classes = [name for name in served.labels if name in common]
    rest = len(served.labels) - len(classes)
    kept = found.filter(found["truth"].is_in(classes) & found["prediction"].is_in(classes))
    matrix = np.asarray(confusion(kept["truth"].to_list(), kept["prediction"].to_list(), classes))
    caption = f"The {len(classes)} classes with the most test songs; {rest} others are left out." if rest else ""
    return [figures.confusion(matrix, classes, title="Confusion on test", caption=caption)]


def _report(served: ServedModel) -> Path | None:
    """Return the report of the study that a run belongs to."""
    study = served.path.parent.parent
    report = study / "report.html"
    exists = served.path.parent.name == "runs" and (study / "results.json").is_file() and report.is_file()
    return report if exists else None


def _nth(items: list[Any], number: str) -> Any:
    """Return an item by the number in an address; None if there is none."""
    place = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else len(items)
    return items[place] if place < len(items) else None


def _missing() -> Response:
    return Response("This page does not exist; open it from the studio.", status_code=404, media_type="text/plain")
