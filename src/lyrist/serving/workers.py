"""Batch workers: one thread for each run and kind of work, and what they compute.

A worker takes everything that is queued as one batch and never waits for more: the next batch collects while one is computed.
Only its thread touches its model.
"""

from __future__ import annotations

import io
import math
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image

from lyrist.corpus.cleaning import Cleaning, clean_texts
from lyrist.corpus.ingest import Tables
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import Label, predicted_of
from lyrist.evaluation.explain import explain
from lyrist.evaluation.label import Labeller, label_in_steps, write_table
from lyrist.evaluation.originality import Copied, Index
from lyrist.generation.language_model import Composition, answer_together
from lyrist.images.decoding import UndecodableError, careful, decode
from lyrist.models.inputs import songs
from lyrist.serving.requests import FairQueue, PendingRequest
from lyrist.serving.songworker import GenerationRequest, score_prompts
from lyrist.training.runs import Run

Payload = TypeVar("Payload")


@dataclass(eq=False)
class BatchJob(Generic[Payload]):
    """A request in the queue of a worker."""

    pending: PendingRequest[Any]
    payload: Payload
    weight: int = 1
    """Number of texts or pictures."""
    state: dict[str, Any] = field(default_factory=dict)
    """Intermediate results."""


Steps = Generator[Any, Any, Any]
"""A computation in steps; the value that it returns is the answer."""

Work = Callable[[list[BatchJob[Payload]]], Sequence[BatchJob[Payload]] | None]
"""Computes a batch; the jobs that it returns are queued again."""


class BatchWorker(Generic[Payload]):
    """A thread that computes queued jobs in batches."""

    def __init__(
        self, name: str, work: Work[Payload], batch_size: int, threads: int | None = None, keeps: bool = False
    ) -> None:
        """Start the thread.

        Parameters
        ----------
        name
            Name of the thread.
        work
            Computes a batch; if it fails, each job is computed alone.
        batch_size
            Maximum weight of a batch; a single job may exceed it.
        threads
            PyTorch threads; None: PyTorch's setting.
        keeps
            Whether unfinished jobs stay in the batch, which bounds the jobs in progress; otherwise they are queued again.
        """
        self._work, self._batch_size, self._threads, self._keeps = work, batch_size, threads, keeps
        self._kept: list[BatchJob[Payload]] = []
        self._queue: FairQueue[BatchJob[Payload]] = FairQueue()
        self._cost = 0.0
        """Mean seconds of a text or picture, an estimate for those that are taken together."""
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: BatchJob[Payload]) -> None:
        """Queue a job."""
        with self._change:
            self._queue.put(job.pending.client, job)
            self._change.notify()

    def close(self) -> None:
        """Let the thread end when its queue is empty."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(5)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        while jobs := self._next():
            wanted = [job for job in jobs if job.pending.start()]
            if wanted:
                began = time.monotonic()
                again = self._compute(wanted)
                each = (time.monotonic() - began) / sum(job.weight for job in wanted)
                with self._change:
                    for job in wanted:
                        self._queue.charge(job.pending.client, (each - self._cost) * job.weight)
                    self._cost = each
                    if self._keeps:
                        self._kept = list(again)
                    else:
                        for job in again:
                            self._queue.put(job.pending.client, job)
            del jobs, wanted  # otherwise the last batch stays in memory while the queue is empty

    def _next(self) -> list[BatchJob[Payload]]:
        with self._change:
            self._change.wait_for(lambda: self._kept or self._queue or not self._open)
            batch, self._kept = self._kept, []
            while self._queue and (
                not batch or sum(j.weight for j in [*batch, self._queue.first()]) <= self._batch_size
            ):
                batch.append(self._queue.take())
            for job in batch:
                self._queue.charge(job.pending.client, self._cost * job.weight)
            return batch

    def _compute(self, jobs: list[BatchJob[Payload]]) -> Sequence[BatchJob[Payload]]:
        """Compute a batch; on an error compute each job alone, so that only the faulty one fails."""
        try:
            return self._work(jobs) or []
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].pending.fail(error)
                return []
        return [again for job in jobs if not job.pending.future.done() for again in self._compute([job])]


def prepared(job: BatchJob[Any], cleaning: Cleaning) -> bool:
    """Clean the texts of a job like the corpus of the run; fail the job and return False if a text becomes empty."""
    texts = clean_texts(job.payload.texts, cleaning)
    for number, text in enumerate(texts, 1):
        if not text.strip():
            job.pending.fail(UsageError(f"Text {number} is empty after cleaning; give a text with words."))
            return False
    job.state["texts"] = texts
    return True


def lookup_work(jobs: list[BatchJob[Callable[[], Any]]]) -> None:
    """Call the functions of the jobs."""
    for job in jobs:
        job.pending.answer(job.payload())


ROWS = 48
"""Lines that a composing worker samples at once: four songs of twelve candidates. More are not faster, and take memory."""


def compose_work(on_batch: Callable[[int], object]) -> Any:
    """Return the work of composing: each job runs until it requests lines; then the requests of all are answered together."""

    def work(jobs: list[BatchJob[Callable[[], Composition[Any]]]]) -> list[BatchJob[Any]]:
        waiting = [job for job in jobs if "request" in job.state]
        if waiting:
            on_batch(len(waiting))
        requests = [job.state["request"] for job in waiting]
        lines = dict(zip(waiting, answer_together(requests), strict=True))
        again = []
        for job in jobs:
            try:
                if not advanced(job, job.payload, lines.get(job)):
                    job.weight = job.state["request"].n
                    again.append(job)
            except Exception as error:  # only this job fails
                job.pending.fail(error)
        return again

    return work


def advanced(job: BatchJob[Any], steps: Callable[[], Steps], sent: Any = None) -> bool:
    """Advance the generator of a job until its next request; return whether it has ended, and the job is answered."""
    if "steps" not in job.state:
        job.state["steps"] = steps()
    try:
        job.state["request"] = job.state["steps"].send(sent)
    except StopIteration as end:
        job.pending.answer(end.value)
        return True
    return False


# Lyrics are classified.


@dataclass(frozen=True)
class ClassifyJob:
    """Lyrics to classify."""

    texts: tuple[str, ...]
    artist: str
    explain: bool


@dataclass(frozen=True)
class LabelJob:
    """A table to label."""

    data: bytes
    suffix: str
    options: dict[str, Any]
    format: str | None


def classify_work(run: Run, model: Any, cleaning: Cleaning, on_batch: Callable[[int], object]) -> Any:
    """Return the work of a classifier of lyrics; a table is labelled in steps, other jobs come in between."""
    labellers: dict[float, Labeller] = {}
    classes = [str(label) for label in model.classes_]

    def work(jobs: list[BatchJob[Any]]) -> list[BatchJob[Any]]:
        tables = [job for job in jobs if isinstance(job.payload, LabelJob)]
        jobs = [job for job in jobs if not isinstance(job.payload, LabelJob)]
        explaining = [job for job in jobs if "labels" in job.state]
        new = [job for job in jobs if "labels" not in job.state and prepared(job, cleaning)]
        if new:
            texts = [text for job in new for text in job.state["texts"]]
            on_batch(len(texts))
            artists = [job.payload.artist for job in new for _ in job.payload.texts]
            rows = np.asarray(model.predict_proba(songs(texts, artists)), dtype=float)
            for job in new:
                count = len(job.payload.texts)
                own, rows = rows[:count], rows[count:]
                predicted = predicted_of(run.info, classes, own)
                found = [
                    Label(text, shares, None, chosen)
                    for text, shares, chosen in zip(job.state["texts"], ranked(own, classes), predicted, strict=True)
                ]
                if job.payload.explain:
                    job.state["labels"], job.state["explained"] = found, 0
                    explaining.append(job)
                else:
                    job.pending.answer(found)
        unfinished = [job for job in explaining if not _explain_next(model, job)]
        return unfinished + [job for job in tables if not _label_next(run, labellers, job)]

    return work


def _explain_next(model: Any, job: BatchJob[ClassifyJob]) -> bool:
    """Explain the next text of a job; return whether all are explained. Each may take seconds."""
    found, place = job.state["labels"], job.state["explained"]
    explanation = explain(model, found[place].text, label=found[place].label, artist=job.payload.artist)
    found[place] = replace(found[place], explanation=explanation)
    job.state["explained"] += 1
    if place + 1 < len(found):
        return False
    job.pending.answer(found)
    return True


def _label_next(run: Run, labellers: dict[float, Labeller], job: BatchJob[LabelJob]) -> bool:
    """Label the next rows of a table; return whether all are labelled."""
    given = job.payload.options
    coverage = given.get("coverage", 0.9)
    if coverage not in labellers:
        if len(labellers) >= 8:  # clients choose it
            labellers.clear()
        labellers[coverage] = Labeller.of(run, coverage)
    options = {"top": 1, "probabilities": False, "abstain": False, "largest_set": 3, **given}
    return advanced(job, lambda: _label_steps(labellers[coverage], job.payload, options))


def _label_steps(labeller: Labeller, table: LabelJob, options: dict[str, Any]) -> Steps:
    """Label a table in steps; return the rows or the bytes of the file."""
    try:
        if "\0" in table.data.decode("utf-8"):
            raise ValueError
    except ValueError:
        raise UsageError("The table is not a text in UTF-8; save it as CSV, TSV or JSON lines in UTF-8.") from None
    with tempfile.TemporaryDirectory(prefix="lyrist-upload-") as folder:
        path = Path(folder, f"table{table.suffix}")
        path.write_bytes(table.data)
        tables = Tables.of([str(path)], "auto", options.get("keep", ()), "utf-8", lyrics=options.get("lyrics"))
        try:
            rows = (yield from label_in_steps(labeller, tables, options)).drop("source")
            if table.format is None:
                return rows.to_dicts()
            out = Path(folder, f"labels.{table.format}")
            write_table([rows], out)
            return out.read_bytes()
        except LyristError as error:  # the client does not know the temporary file
            raise UsageError(str(error).replace(str(path), "The table").replace(path.name, "The table")) from None


def ranked(rows: Any, classes: Sequence[str]) -> list[dict[str, float]]:
    """Return for each row the probability of each label, the most probable first."""
    return [{classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")} for row in rows]


# Pictures are classified.

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Accepted formats; decoders of some other formats start programs."""
PIXELS = 25_000_000
"""Maximum pixels of a picture: a file of a few bytes can declare any number."""

_decoding = threading.Lock()  # decoding changes Python's warning filters, which are global


def picture_work(model: Any, on_batch: Callable[[int], object]) -> Any:
    """Return the work of a classifier of pictures."""

    def work(jobs: list[BatchJob[tuple[bytes, ...]]]) -> None:
        ready, pixels = [], []
        for job in jobs:
            try:
                pixels += [_decoded(data, model.side, number) for number, data in enumerate(job.payload, 1)]
                ready.append(job)
            except UsageError as error:
                pixels = pixels[: sum(len(each.payload) for each in ready)]
                job.pending.fail(error)
        if not pixels:
            return
        on_batch(len(pixels))
        found = ranked(model.predict_proba(np.stack(pixels), device="cpu"), model.classes_)
        for job in ready:
            count = len(job.payload)
            job.pending.answer(found[:count])
            found = found[count:]

    return work


def _decoded(data: bytes, side: int, number: int) -> Any:
    try:
        with _decoding, careful():
            _check_header(data)
            return decode(data, side)
    except UndecodableError as error:
        raise UsageError(f"Picture {number} cannot be read: {error}.") from None


def _check_header(data: bytes) -> None:
    """Raise for an unsupported format or too many pixels, before anything is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > PIXELS:
                raise UndecodableError(f"{picture.width} x {picture.height} pixels are too many")
    except UndecodableError:
        raise
    except Exception:  # a damaged header can fail in any way
        raise UndecodableError(f"it is none of {', '.join(FORMATS)}, or damaged") from None


# Prompts are scored.


def prompt_work(writer: Any, on_batch: Callable[[int], object]) -> Any:
    """Return the work that scores the tokens of prompts."""

    def work(jobs: list[BatchJob[GenerationRequest]]) -> None:
        on_batch(len(jobs))
        for job, scored in zip(jobs, score_prompts(writer, [job.payload for job in jobs]), strict=True):
            job.pending.answer(scored)

    return work


# Texts are represented.


def embed_work(model: Any, cleaning: Cleaning, on_batch: Callable[[int], object]) -> Any:
    """Return the work that computes the representation of each text, one job at a time."""

    def work(jobs: list[BatchJob[EmbedJob]]) -> None:
        for job in jobs:
            if prepared(job, cleaning):
                on_batch(len(job.state["texts"]))
                job.pending.answer(model.represent(job.state["texts"]))

    return work


@dataclass(frozen=True)
class EmbedJob:
    """Texts to represent."""

    texts: tuple[str, ...]


# Lyrics are scored.

SCORE_BATCH = 2**16
"""Characters of a scoring batch: about thirty songs, or three texts of maximum length."""


@dataclass(frozen=True)
class ScoreJob:
    """Lyrics to score."""

    texts: tuple[str, ...]
    given: dict[str, str]


@dataclass(frozen=True)
class TextScore:
    """The score of one text."""

    text: str
    """The cleaned text."""
    bits_per_byte: float
    nats: float
    """Loss of all tokens, the end token included."""
    tokens: int
    """Number of tokens, the end token included."""
    bytes: int
    copied: Copied | None
    """Runs of words from training songs; None if these are not available."""


def score_work(
    writer: Any, cleaning: Cleaning, index: Callable[[], Index | None], on_batch: Callable[[int], object]
) -> Any:
    """Return the work that scores the texts of all jobs together, `SCORE_BATCH` characters at a time."""

    def work(jobs: list[BatchJob[ScoreJob]]) -> list[BatchJob[ScoreJob]]:
        ready = [job for job in jobs if "texts" in job.state or prepared(job, cleaning)]
        batch = _score_batch(ready)
        if not batch:
            return []
        texts = [text for _, text in batch]
        on_batch(len(texts))
        losses = writer.losses(texts, [job.payload.given for job, _ in batch], device="cpu")
        known = index()
        copied = known.copied_all(texts) if known is not None else [None] * len(texts)
        for (job, text), nats, runs in zip(batch, losses, copied, strict=True):
            job.state.setdefault("scores", []).append(_text_score(text, float(math.fsum(nats)), len(nats), runs))
        unfinished = []
        for job in ready:
            if len(scores := job.state.get("scores", [])) < len(job.state["texts"]):
                unfinished.append(job)
            else:
                job.pending.answer(scores)
        return unfinished

    return work


def _score_batch(jobs: Sequence[BatchJob[ScoreJob]]) -> list[tuple[BatchJob[ScoreJob], str]]:
    """Return the next texts without a score, at least one; cancellations are seen between batches."""
    found: list[tuple[BatchJob[ScoreJob], str]] = []
    size = 0
    for job in jobs:
        for text in job.state["texts"][len(job.state.get("scores", ())) :]:
            size += len(text)
            if found and size > SCORE_BATCH:
                return found
            found.append((job, text))
    return found


def _text_score(text: str, nats: float, tokens: int, copied: Copied | None) -> TextScore:
    size = len(text.encode())
    return TextScore(text, nats / math.log(2) / size, nats, tokens, size, copied)
