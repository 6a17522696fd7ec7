"""Lyrics and pictures are labelled, those of several requests at once; what decided is looked for text by text."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from lyrist.corpus.cleaning import Cleaning
from lyrist.errors import UsageError
from lyrist.evaluation.classify import Label
from lyrist.evaluation.explain import explain
from lyrist.images.decoding import UndecodableError, careful, decode
from lyrist.models.inputs import songs
from lyrist.serving.lanes import Job
from lyrist.serving.scoring import prepared

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pictures of other formats are not opened: some of their decoders start programs."""

PIXELS = 25_000_000
"""Pixels of a picture at most: a file of a few bytes can claim any number."""

_decoding = threading.Lock()  # Python's filters of warnings are changed while a picture is decoded, for all threads


@dataclass(frozen=True)
class Texts:
    """Lyrics that are to be labelled."""

    texts: tuple[str, ...]
    artist: str
    explain: bool


def texts(model: Any, cleaning: Cleaning, watch: Callable[[int], object]) -> Any:
    """Return what the lane of a classifier of lyrics does."""
    classes = [str(label) for label in model.classes_]

    def label(jobs: list[Job[Texts]]) -> list[Job[Texts]]:
        later = [job for job in jobs if "labels" in job.state]
        new = [job for job in jobs if "labels" not in job.state and prepared(job, cleaning)]
        if new:
            given = [text for job in new for text in job.state["texts"]]
            watch(len(given))
            artists = [job.asked.artist for job in new for _ in job.asked.texts]
            rows = np.asarray(model.predict_proba(songs(given, artists)), dtype=float)
            for job in new:
                count = len(job.asked.texts)
                own, rows = rows[:count], rows[count:]
                found = [Label(*pair) for pair in zip(job.state["texts"], ranked(own, classes), strict=True)]
                if job.asked.explain:
                    job.state["labels"], job.state["explained"] = found, 0
                    later.append(job)
                else:
                    job.ticket.answer(found)
        return [job for job in later if not _explained(model, job)]

    return label


def _explained(model: Any, job: Job[Texts]) -> bool:
    """Explain the next text of a job, answer when all are; one at a time, since each may take seconds."""
    found, place = job.state["labels"], job.state["explained"]
    told = explain(model, found[place].text, label=found[place].label, artist=job.asked.artist)
    found[place] = replace(found[place], explanation=told)
    job.state["explained"] += 1
    if place + 1 < len(found):
        return False
    job.ticket.answer(found)
    return True


def pictures(model: Any, watch: Callable[[int], object]) -> Any:
    """Return what the lane of a classifier of pictures does."""

    def label(jobs: list[Job[tuple[bytes, ...]]]) -> None:
        ready = []
        for job in jobs:
            try:
                job.state["pixels"] = [_decoded(data, model.side, place) for place, data in enumerate(job.asked, 1)]
                ready.append(job)
            except UsageError as error:
                job.ticket.fail(error)
        pixels = [square for job in ready for square in job.state["pixels"]]
        if not pixels:
            return
        watch(len(pixels))
        found = ranked(model.predict_proba(np.stack(pixels), device="cpu"), model.classes_)
        for job in ready:
            count = len(job.asked)
            job.ticket.answer(found[:count])
            found = found[count:]

    return label


def ranked(rows: Any, classes: Sequence[str]) -> list[dict[str, float]]:
    """Return for each row every label with its probability, the most probable first."""
    return [{classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")} for row in rows]


def _decoded(data: bytes, side: int, number: int) -> Any:
    try:
        with _decoding, careful():
            _look(data)
            return decode(data, side)
    except UndecodableError as error:
        raise UsageError(f"Picture {number} cannot be read: {error}.") from None


def _look(data: bytes) -> None:
    """Raise where a picture is of no format that is served, or too large, before any of it is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > PIXELS:
                raise UndecodableError(f"{picture.width} x {picture.height} pixels are too many")
    except UndecodableError:
        raise
    except Exception:  # a damaged header can fail in any way
        raise UndecodableError(f"it is none of {', '.join(FORMATS)}, or damaged") from None
