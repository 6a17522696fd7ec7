"""Engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import Label
from lyrist.evaluation.originality import Index
from lyrist.generation.sampling import SamplingOptions
from lyrist.generation.write import Wishes, index_of
from lyrist.serving import workers
from lyrist.serving.modelregistry import ModelRegistry, ServedModel
from lyrist.serving.requests import AdmissionGate, Cancelled, Limits, PendingRequest, TimedOut, check_count, check_text
from lyrist.serving.songworker import GenerationRequest, GenerationWorker, Say, ServedSong, composed, own
from lyrist.serving.workers import BatchJob, BatchWorker, TextScore

LINES = 400
"""Lines of a form at most."""


class InferenceEngine:
    """Answers what is asked of the runs of a shelf."""

    def __init__(
        self,
        models: ModelRegistry,
        limits: Limits | None = None,
        *,
        threads: int | None = None,
        metrics: ServerMetrics | None = None,
    ) -> None:
        """Start the threads.

        Parameters
        ----------
        shelf
            The runs.
        limits
            How much is taken at once.
        threads
            Threads that PyTorch computes with for one run; None: as it is set.
        counters
            Where it is counted what was done.
        """
        self.models, self.limits, self.metrics = models, limits or Limits(), metrics or ServerMetrics()
        self._threads = threads
        self._gate = AdmissionGate(self.limits.queue)
        self._until: float | None = None  # when what was begun must have ended, since nothing new is taken
        self.metrics.inside(lambda: self._gate.inside)
        self._indices: dict[str, Index | None] = {}
        self._indexing = threading.Lock()
        self._generators: dict[str, GenerationWorker] = {}
        self._workers: dict[tuple[str, str], BatchWorker[Any]] = {}
        for served in models.items.values():
            self._staff(served)

    # Writing.

    def write(
        self,
        name: str,
        *,
        given: Mapping[str, str] | None = None,
        prompt: str | None = None,
        sampling: SamplingOptions | None = None,
        wishes: Wishes | None = None,
        stops: Sequence[str] = (),
        top: int | None = None,
        say: Say | None = None,
        cancelled: threading.Event | None = None,
    ) -> tuple[ServedSong, ...]:
        """Write songs, and wait for them.

        Parameters
        ----------
        name
            A run that writes.
        given
            Its conditions: column to value.
        prompt
            The first words.
        sampling
            How tokens are drawn.
        wishes
            How many songs, and what they are to be like. The same seed writes the same songs, whoever else is served.
        stops
            A song ends where one of these would stand in it; not for songs to a plan.
        top
            Note at each token so many of the likeliest ones; not for songs to a plan.
        say
            ``say(song, text, ended)`` is called in the writing thread with the text of a song so far: after each token,
            or each line of a plan. It must not block, nor raise.
        cancelled
            Set it to give the request up.

        Raises
        ------
        UsageError
            It cannot be meant as it is asked.
        Busy, Closing, Cancelled, TimedOut
            It was not served.
        """
        return self.submit_write(
            name, given=given, prompt=prompt, sampling=sampling, wishes=wishes, stops=stops, top=top, say=say,
            cancelled=cancelled,
        ).result()  # fmt: skip

    def submit_write(
        self,
        name: str,
        *,
        given: Mapping[str, str] | None = None,
        prompt: str | None = None,
        sampling: SamplingOptions | None = None,
        wishes: Wishes | None = None,
        stops: Sequence[str] = (),
        top: int | None = None,
        say: Say | None = None,
        cancelled: threading.Event | None = None,
    ) -> PendingRequest[tuple[ServedSong, ...]]:
        """Ask for what `write` returns, without waiting for it."""
        served = self.models.get(name, "write")
        wishes = wishes or Wishes()
        payload = GenerationRequest(
            dict(given or {}), prompt or None, sampling or SamplingOptions(), wishes, tuple(stops), top, say
        )
        self._check_write(payload)
        served.model.checked(payload.given)
        pending: PendingRequest[tuple[ServedSong, ...]] = self._enter(served, "write", cancelled)
        pending.future.add_done_callback(lambda future: self._count_tokens(name, future))
        if wishes.plan() is None:
            self._generators[name].put(pending, payload)
        else:
            self._workers[name, "compose"].put(BatchJob(pending, payload))
        return pending

    def _check_write(self, payload: GenerationRequest) -> None:
        wishes, limits = payload.wishes, self.limits
        check_count("n", wishes.songs, limits.songs)
        check_count("max_tokens", wishes.max_tokens or 1, limits.max_tokens)
        check_count("candidates", wishes.candidates, 64)
        for name, text in [("prompt", payload.prompt), ("hook", wishes.hook), ("form", wishes.form)]:
            check_text(name, text or "", limits.characters)
        for text in [*payload.stops, *payload.given.values()]:
            check_text("stop or condition", text, 1_000)
        plan = wishes.plan()
        if plan is None:
            return
        if plan.sections:  # none where all that is asked is to be original
            check_count("lines of the form", sum(section.lines for section in plan.sections), LINES)
        if payload.stops or payload.top is not None:
            raise UsageError(
                "Songs to a plan have no stop and no logprobs; leave those out, or form, rhyme and the like."
            )

    def _count_tokens(self, name: str, future: Any) -> None:
        if not future.cancelled() and future.exception() is None:
            self.metrics.wrote(name, sum(song.tokens for song in future.result()))

    # Labels.

    def classify(
        self,
        name: str,
        texts: Sequence[str],
        *,
        artist: str | None = None,
        explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> list[Label]:
        """Label lyrics, and wait for it; raises as `write`.

        Parameters
        ----------
        name
            A run that labels lyrics.
        texts
            Lyrics; they are cleaned as the corpus was.
        artist
            Who sings them, for a run that was fitted with the artist as a feature.
        explain
            Find the words and lines that decided.
        cancelled
            Set it to give the request up.
        """
        return self.submit_classify(name, texts, artist=artist, explain=explain, cancelled=cancelled).result()

    def submit_classify(
        self,
        name: str,
        texts: Sequence[str],
        *,
        artist: str | None = None,
        explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> PendingRequest[list[Label]]:
        """Ask for what `classify` returns, without waiting for it."""
        served = self.models.get(name, "classify")
        self._check_texts(texts)
        if explain:
            check_count("texts with explain", len(texts), self.limits.explained)
        check_text("artist", artist or "", 1_000)
        pending: PendingRequest[list[Label]] = self._enter(served, "classify", cancelled)
        payload = workers.ClassifyJob(tuple(texts), artist or "", explain)
        self._workers[name, "classify"].put(BatchJob(pending, payload, len(texts)))
        return pending

    def classify_picture(
        self, name: str, image: bytes, *, cancelled: threading.Event | None = None
    ) -> dict[str, float]:
        """Return every label of a picture (the bytes of a file) with its probability, the likeliest first."""
        return self.submit_pictures(name, [image], cancelled=cancelled).result()[0]

    def submit_pictures(
        self, name: str, images: Sequence[bytes], *, cancelled: threading.Event | None = None
    ) -> PendingRequest[list[dict[str, float]]]:
        """Ask for the labels of pictures, without waiting for them."""
        served = self.models.get(name, "picture")
        check_count("pictures", len(images), self.limits.texts)
        pending: PendingRequest[list[dict[str, float]]] = self._enter(served, "picture", cancelled)
        self._workers[name, "picture"].put(BatchJob(pending, tuple(images), len(images)))
        return pending

    # Scores.

    def score(
        self,
        name: str,
        texts: Sequence[str],
        given: Mapping[str, str] | None = None,
        *,
        cancelled: threading.Event | None = None,
    ) -> list[TextScore]:
        """Return what a writer thinks of lyrics, and what of them stands in its training songs; raises as `write`."""
        return self.submit_score(name, texts, given, cancelled=cancelled).result()

    def submit_score(
        self,
        name: str,
        texts: Sequence[str],
        given: Mapping[str, str] | None = None,
        *,
        cancelled: threading.Event | None = None,
    ) -> PendingRequest[list[TextScore]]:
        """Ask for what `score` returns, without waiting for it."""
        served = self.models.get(name, "write")
        self._check_texts(texts)
        for text in (given or {}).values():
            check_text("condition", text, 1_000)
        served.model.checked(given)
        pending: PendingRequest[list[TextScore]] = self._enter(served, "score", cancelled)
        self._workers[name, "score"].put(
            BatchJob(pending, workers.ScoreJob(tuple(texts), dict(given or {})), len(texts))
        )
        return pending

    def index(self, name: str) -> Index | None:
        """Return the index of the songs that a writer learnt from; None where its corpus is there no more.

        It is made where the corpus has none yet, which takes a minute for a million songs; then it is kept.
        """
        served = self.models.get(name, "write")
        with self._indexing:
            if name not in self._indices:
                try:
                    self._indices[name] = index_of(served.run)
                except LyristError:
                    self._indices[name] = None
            return self._indices[name]

    # The desk itself.

    @property
    def inside(self) -> int:
        """Return how many requests wait or are being answered."""
        return self._gate.inside

    def refuse(self) -> None:
        """Take nothing new from now on."""
        self._gate.close()
        if self._until is None:
            self._until = time.monotonic() + self.limits.seconds + 1

    def close(self) -> None:
        """Take nothing new, finish what was begun (no longer than a request may take), and end the threads."""
        self.refuse()
        self._gate.wait(max(0.0, (self._until or 0.0) - time.monotonic()))
        for worker in self._workers.values():
            worker.close()
        for generator in self._generators.values():
            generator.close()

    def _check_texts(self, texts: Sequence[str]) -> None:
        check_count("texts", len(texts), self.limits.texts)
        for number, text in enumerate(texts, 1):
            check_text(f"text {number}", text, self.limits.characters)

    def _enter(self, served: ServedModel, kind: str, cancelled: threading.Event | None) -> PendingRequest[Any]:
        pending: PendingRequest[Any] = PendingRequest(self.limits.seconds, cancelled)
        try:
            self._gate.enter(pending)
        except LyristError:
            self.metrics.left(served.name, kind, "refused", 0.0)
            raise
        pending.future.add_done_callback(
            lambda future: self.metrics.left(served.name, kind, _outcome(future), pending.seconds - pending.left)
        )
        return pending

    def _staff(self, served: ServedModel) -> None:
        """Start the threads of a run."""
        name, most, threads = served.name, self.limits.batch, self._threads

        def watch(kind: str) -> Any:
            return lambda size: self.metrics.computed(name, kind, size)

        if served.task == "classify":
            work = workers.texts(served.model, served.run.cleaning, watch("classify"))
            self._workers[name, "classify"] = BatchWorker(f"classify {name}", work, most, threads)
        elif served.task == "picture":
            pictures = workers.picture_work(served.model, watch("picture"))
            self._workers[name, "picture"] = BatchWorker(f"picture {name}", pictures, most, threads)
        else:
            self._generators[name] = GenerationWorker(f"write {name}", served.model, most, threads, watch("write"))
            cleaning = served.run.cleaning
            score = workers.score_work(own(served.model), cleaning, lambda: self.index(name), watch("score"))
            self._workers[name, "score"] = BatchWorker(f"score {name}", score, most, threads)
            self._workers[name, "compose"] = BatchWorker(
                f"compose {name}", self._composing(name, own(served.model)), 1, threads
            )

    def _composing(self, name: str, writer: Any) -> Any:
        def work(jobs: list[BatchJob[GenerationRequest]]) -> None:
            for job in jobs:
                index = self.index(name) if job.payload.wishes.original is not None else None
                if job.payload.wishes.original is not None and index is None:
                    raise UsageError(
                        f"The songs that '{name}' learnt from are not there any more, so copies cannot be looked for; "
                        "leave original out."
                    )
                job.pending.answer(composed(writer, job.payload, job.pending, index))

        return work


def _outcome(future: Any) -> str:
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    if error is None:
        return "answered"
    if isinstance(error, Cancelled | TimedOut):
        return "cancelled" if isinstance(error, Cancelled) else "late"
    return "refused" if isinstance(error, LyristError) else "failed"


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SONGS = (1, 2, 4, 8, 16, 32, 64, 128)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ServerMetrics:
    """The figures of one server; nothing is counted for a process, so that several can stand in one."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lyrist_requests", "Requests that left, by model, kind and outcome.", ["model", "kind", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "lyrist_request_seconds", "Seconds of a request, its wait included.", ["kind"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = Counter("lyrist_tokens_written", "Tokens that were written.", ["model"], registry=registry)
        self._batch = Histogram(
            "lyrist_batch_size", "Songs, texts or pictures that were computed together.", ["model", "kind"],
            buckets=SONGS, registry=registry,
        )  # fmt: skip
        self._inside = Gauge("lyrist_requests_inside", "Requests that wait or are being answered.", registry=registry)
        self._responses = Counter("lyrist_http_responses", "HTTP responses by status.", ["status"], registry=registry)

    def left(self, model: str, kind: str, outcome: str, seconds: float) -> None:
        """Count a request that was answered, failed, or was turned away."""
        self._requests.labels(model, kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def wrote(self, model: str, tokens: int) -> None:
        """Count tokens."""
        self._tokens.labels(model).inc(tokens)

    def computed(self, model: str, kind: str, size: int) -> None:
        """Count a batch."""
        self._batch.labels(model, kind).observe(size)

    def responded(self, status: int) -> None:
        """Count an HTTP response."""
        self._responses.labels(str(status)).inc()

    def inside(self, count: Callable[[], float]) -> None:
        """Ask ``count`` how many requests are inside, whenever the figures are read."""
        self._inside.set_function(count)

    def outcomes(self) -> dict[str, int]:
        """Return how many requests were answered, refused, late, cancelled or failed."""
        found: dict[str, int] = {}
        for metric in self._requests.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    outcome = sample.labels["outcome"]
                    found[outcome] = found.get(outcome, 0) + int(sample.value)
        return found

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
