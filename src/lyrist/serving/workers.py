"""Workers."""

from __future__ import annotations

import io
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image

from lyrist.corpus.cleaning import Cleaning, clean
from lyrist.errors import UsageError
from lyrist.evaluation.classify import Label
from lyrist.evaluation.explain import explain
from lyrist.evaluation.originality import Copied, Index
from lyrist.images.decoding import UndecodableError, careful, decode
from lyrist.models.inputs import songs
from lyrist.serving.requests import PendingRequest

Payload = TypeVar("Payload")


@dataclass(eq=False)
class BatchJob(Generic[Payload]):
    """A request that waits in a lane."""

    pending: PendingRequest[Any]
    payload: Payload
    weight: int = 1
    """How many texts it has."""
    state: dict[str, Any] = field(default_factory=dict)
    """What was found for it so far."""


Work = Callable[[list[BatchJob[Payload]]], Sequence[BatchJob[Payload]] | None]
"""Answers the jobs; those that it returns come again, after what waits."""


class BatchWorker(Generic[Payload]):
    """A thread that works on what waits."""

    def __init__(self, name: str, work: Work[Payload], most: int, threads: int | None = None) -> None:
        """Start the thread.

        Parameters
        ----------
        name
            For a person who looks at the threads.
        work
            Answers some jobs at once; an error of several is looked for again one by one.
        most
            Weight that is taken at once; a single job may have more.
        threads
            Threads that PyTorch computes with; None: as it is set.
        """
        self._work, self._most, self._threads = work, most, threads
        self._waiting: deque[BatchJob[Payload]] = deque()
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: BatchJob[Payload]) -> None:
        """Let a job wait."""
        with self._change:
            self._waiting.append(job)
            self._change.notify()

    def close(self) -> None:
        """Let the thread end when nothing waits."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(5)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        while jobs := self._next():
            wanted = [job for job in jobs if job.pending.taken()]
            if wanted:
                again = self._answered(wanted)
                with self._change:
                    self._waiting.extend(again)
            del jobs, wanted  # or what was asked last would be held while nothing is asked

    def _next(self) -> list[BatchJob[Payload]]:
        with self._change:
            self._change.wait_for(lambda: self._waiting or not self._open)
            taken: list[BatchJob[Payload]] = []
            while self._waiting and (not taken or sum(j.weight for j in [*taken, self._waiting[0]]) <= self._most):
                taken.append(self._waiting.popleft())
            return taken

    def _answered(self, jobs: list[BatchJob[Payload]]) -> Sequence[BatchJob[Payload]]:
        """Work on the jobs; where that fails, on each alone, so that only the one that is to blame fails."""
        try:
            return self._work(jobs) or []
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].pending.fail(error)
                return []
        return [later for job in jobs if not job.pending.future.done() for later in self._answered([job])]


FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pictures of other formats are not opened: some of their decoders start programs."""

PIXELS = 25_000_000
"""Pixels of a picture at most: a file of a few bytes can claim any number."""

_decoding = threading.Lock()  # Python's filters of warnings are changed while a picture is decoded, for all threads


@dataclass(frozen=True)
class ClassifyJob:
    """Lyrics that are to be labelled."""

    texts: tuple[str, ...]
    artist: str
    explain: bool


def texts(model: Any, cleaning: Cleaning, watch: Callable[[int], object]) -> Any:
    """Return what the lane of a classifier of lyrics does."""
    classes = [str(label) for label in model.classes_]

    def label(jobs: list[BatchJob[ClassifyJob]]) -> list[BatchJob[ClassifyJob]]:
        later = [job for job in jobs if "labels" in job.state]
        new = [job for job in jobs if "labels" not in job.state and prepared(job, cleaning)]
        if new:
            given = [text for job in new for text in job.state["texts"]]
            watch(len(given))
            artists = [job.payload.artist for job in new for _ in job.payload.texts]
            rows = np.asarray(model.predict_proba(songs(given, artists)), dtype=float)
            for job in new:
                count = len(job.payload.texts)
                own, rows = rows[:count], rows[count:]
                found = [Label(*pair) for pair in zip(job.state["texts"], ranked(own, classes), strict=True)]
                if job.payload.explain:
                    job.state["labels"], job.state["explained"] = found, 0
                    later.append(job)
                else:
                    job.pending.answer(found)
        return [job for job in later if not _explained(model, job)]

    return label


def _explained(model: Any, job: BatchJob[ClassifyJob]) -> bool:
    """Explain the next text of a job, answer when all are; one at a time, since each may take seconds."""
    found, place = job.state["labels"], job.state["explained"]
    told = explain(model, found[place].text, label=found[place].label, artist=job.payload.artist)
    found[place] = replace(found[place], explanation=told)
    job.state["explained"] += 1
    if place + 1 < len(found):
        return False
    job.pending.answer(found)
    return True


def picture_work(model: Any, watch: Callable[[int], object]) -> Any:
    """Return what the lane of a classifier of pictures does."""

    def label(jobs: list[BatchJob[tuple[bytes, ...]]]) -> None:
        ready = []
        for job in jobs:
            try:
                job.state["pixels"] = [_decoded(data, model.side, place) for place, data in enumerate(job.payload, 1)]
                ready.append(job)
            except UsageError as error:
                job.pending.fail(error)
        pixels = [square for job in ready for square in job.state["pixels"]]
        if not pixels:
            return
        watch(len(pixels))
        found = ranked(model.predict_proba(np.stack(pixels), device="cpu"), model.classes_)
        for job in ready:
            count = len(job.payload)
            job.pending.answer(found[:count])
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


SITTING = 2**16
"""Characters that are scored at once: thirty songs or so, or three texts as long as they may be."""


@dataclass(frozen=True)
class ScoreJob:
    """Lyrics that are to be scored."""

    texts: tuple[str, ...]
    given: dict[str, str]


@dataclass(frozen=True)
class TextScore:
    """What a writer thinks of one text."""

    text: str
    """The text after cleaning."""
    bits_per_byte: float
    nats: float
    """Loss of all its tokens and its end."""
    tokens: int
    """How many these are."""
    bytes: int
    copied: Copied | None
    """What of it stands in the songs that the writer learnt from; None where these are not there any more."""


def score_work(
    writer: Any, cleaning: Cleaning, index: Callable[[], Index | None], watch: Callable[[int], object]
) -> Any:
    """Return what a lane does: score the texts of all jobs together, a sitting of them at a time."""

    def score(jobs: list[BatchJob[ScoreJob]]) -> list[BatchJob[ScoreJob]]:
        ready = [job for job in jobs if "texts" in job.state or prepared(job, cleaning)]
        sitting = _sitting(ready)
        if not sitting:
            return []
        texts = [text for _, text in sitting]
        watch(len(texts))
        losses = writer.losses(texts, [job.payload.given for job, _ in sitting], device="cpu")
        known = index()
        copied = known.copied_all(texts) if known is not None else [None] * len(texts)
        for (job, text), nats, runs in zip(sitting, losses, copied, strict=True):
            job.state.setdefault("scores", []).append(_score(text, float(math.fsum(nats)), len(nats), runs))
        return [job for job in ready if not _answered(job)]

    return score


def _sitting(jobs: Sequence[BatchJob[ScoreJob]]) -> list[tuple[BatchJob[ScoreJob], str]]:
    """Return what is scored before it is looked again who still waits: texts without a score, at least one."""
    found: list[tuple[BatchJob[ScoreJob], str]] = []
    size = 0
    for job in jobs:
        for text in job.state["texts"][len(job.state.get("scores", ())) :]:
            size += len(text)
            if found and size > SITTING:
                return found
            found.append((job, text))
    return found


def _answered(job: BatchJob[ScoreJob]) -> bool:
    """Answer a job of which all texts have scores; return whether it is one."""
    scores = job.state.get("scores", [])
    if len(scores) < len(job.state["texts"]):
        return False
    job.pending.answer(scores)
    return True


def _score(text: str, nats: float, tokens: int, copied: Copied | None) -> TextScore:
    size = len(text.encode())
    return TextScore(text, nats / math.log(2) / size, nats, tokens, size, copied)


def prepared(job: BatchJob[Any], cleaning: Cleaning) -> bool:
    """Clean the texts of a job as those of the run's corpus; where one of them is empty then, tell so and return False."""
    texts = [clean(text, cleaning) for text in job.payload.texts]
    for number, text in enumerate(texts, 1):
        if not text.strip():
            job.pending.fail(UsageError(f"Text {number} is empty after cleaning; give a text with words."))
            return False
    job.state["texts"] = texts
    return True
