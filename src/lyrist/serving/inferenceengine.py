"""The inference engine: every request to a served run passes through it, from any thread.

Each run has its own worker threads, which batch what is queued. A caller either blocks (`InferenceEngine.write`) or receives a
`PendingRequest` with a future (`InferenceEngine.submit_write`). The number of admitted requests is bounded, and no string of a
client is used as a file name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import Label
from lyrist.evaluation.originality import Index
from lyrist.generation.config import GenerationConfig
from lyrist.generation.language_model import Composition, LanguageModel, LineRequest
from lyrist.generation.suggestions import CANDIDATES, TEMPERATURE, TakesTask
from lyrist.generation.write import candidates_of, in_language_of, line_writer
from lyrist.serving import workers
from lyrist.serving.corpora import corpora
from lyrist.serving.modelregistry import ModelRegistry, ServedModel, Task
from lyrist.serving.requests import (
    AdmissionGate,
    Cancelled,
    Limits,
    PendingRequest,
    TimedOut,
    check_count,
    check_text,
)
from lyrist.serving.songworker import (
    GenerationRequest,
    GenerationWorker,
    ScoredPrompt,
    ServedSong,
    own_tokenizer,
    write_constrained,
)
from lyrist.serving.workers import BatchJob, BatchWorker, TextScore

Answer = TypeVar("Answer")

FORM_LINES = 400
"""Maximum lines of a form."""
SECTIONS = 100
"""Maximum sections of a song."""
MOST_CANDIDATES = 64
"""Maximum candidates of a line."""


class InferenceEngine:
    """Answers requests to the runs of a model registry."""

    def __init__(
        self,
        models: ModelRegistry,
        limits: Limits | None = None,
        *,
        threads: int | None = None,
        metrics: ServerMetrics | None = None,
    ) -> None:
        """Start the worker threads.

        Parameters
        ----------
        models
            The runs.
        limits
            Limits of requests and of the queue.
        threads
            PyTorch threads of each worker; None: PyTorch's setting.
        metrics
            Where requests are counted.
        """
        self.models, self.limits, self.metrics = models, limits or Limits(), metrics or ServerMetrics()
        self._threads = threads
        self._gate = AdmissionGate(self.limits.queue)
        self._deadline: float | None = None  # of the requests in progress, once nothing new is admitted
        self.metrics.inside(lambda: self._gate.inside)
        self.corpora = corpora({served.name: served.run for served in models.of("classify", "write")})
        self._generators: dict[str, GenerationWorker] = {}
        self._workers: dict[tuple[str, str], BatchWorker[Any]] = {}
        self._composers: dict[str, Any] = {}
        """The writers of the composing threads."""
        self._next_words: dict[str, LanguageModel] = {}
        for served in models.items.values():
            self._start_workers(served)
        for kind in ("lookup", "corpus"):
            self._workers["", kind] = BatchWorker(kind, workers.lookup_work, 1)

    # Writing.

    def write(
        self, name: str, request: GenerationRequest | None = None, *, cancelled: threading.Event | None = None
    ) -> tuple[ServedSong, ...]:
        """Write songs and wait for them.

        Parameters
        ----------
        name
            A run that writes.
        request
            What to write.
        cancelled
            Set this event to cancel the request.

        Raises
        ------
        UsageError
            The request is invalid.
        Busy, Closing, Cancelled, TimedOut
            The request was not served.
        """
        return self.submit_write(name, request, cancelled=cancelled).result()

    def submit_write(
        self, name: str, request: GenerationRequest | None = None, *, cancelled: threading.Event | None = None
    ) -> PendingRequest[tuple[ServedSong, ...]]:
        """Submit a request to write; see `write`."""
        request = request or GenerationRequest()
        if name in self.corpora:
            request = replace(request, config=in_language_of(self.corpora[name].corpus, request.config))
        served, constrained = self.models.get(name, "write"), request.config.plan() is not None
        self._check_write(request)
        served.model.checked(request.conditions)
        pending: PendingRequest[tuple[ServedSong, ...]] = self._admit(name, "write", cancelled)
        pending.future.add_done_callback(lambda future: self._count_tokens(name, future))
        if constrained:
            rows = candidates_of(served.model, request.config)
            self._workers[name, "compose"].put(
                BatchJob(pending, lambda: self._write_steps(name, request, pending), rows)
            )
        else:
            self._generators[name].put(pending, request)
        return pending

    def submit_takes(
        self, name: str, sheet: Mapping[str, Any], target: Mapping[str, Any], *, n: int = 5, seed: int = 0,
        like: str | Sequence[str] | None = None, tone: str = "", candidates: int = CANDIDATES, temperature: float = TEMPERATURE,
        on_take: Callable[[dict[str, Any]], object] | None = None, cancelled: threading.Event | None = None,
    ) -> PendingRequest[list[dict[str, Any]]]:  # fmt: skip
        """Submit a sheet for which takes are written; see `lyrist.generation.takes`.

        Parameters
        ----------
        name
            A run that writes.
        sheet, target, n, seed, like, tone, candidates, temperature
            As `lyrist.generation.takes`.
        on_take
            Called in the composing thread with each take. With it, the time limit begins again with each line and take.
        cancelled
            Set this event to cancel the request.
        """
        self.models.get(name, "write")
        _check_sheet(sheet, like, self.limits.characters)

        def steps() -> Composition[list[dict[str, Any]]]:
            task = TakesTask(
                self._composers[name], sheet, target, n, seed, like, tone, index=self._ready_index(name),
                candidates=candidates, temperature=temperature,
            )  # fmt: skip
            writing = task.steps()
            found: list[dict[str, Any]] = []
            lines: Any = None
            while True:
                try:
                    step = writing.send(lines)
                except StopIteration:
                    return sorted(found, key=lambda each: -each["score"])
                lines = (yield step) if isinstance(step, LineRequest) else None
                if on_take is not None:
                    pending.renew()
                if not isinstance(step, LineRequest):
                    found.append(step)
                    if on_take is not None:
                        on_take(step)
                    if (reason := pending.expired()) is not None:
                        raise reason

        pending: PendingRequest[list[dict[str, Any]]] = self._admit(name, "compose", cancelled)
        self._workers[name, "compose"].put(BatchJob(pending, steps, candidates))
        return pending

    def submit_next_words(self, name: str, prefix: str, words: Sequence[str]) -> PendingRequest[list[float]]:
        """Submit words whose log-probabilities after a text are computed."""
        writer = self.models.get(name, "write").model

        def find() -> list[float]:
            if name not in self._next_words:
                self._next_words[name] = line_writer(own_tokenizer(writer), GenerationConfig()).model
            return self._next_words[name].next_words(prefix, words)

        pending: PendingRequest[list[float]] = self._admit(name, "words", None)
        self._workers[name, "words"].put(BatchJob(pending, find))
        return pending

    def _ready_index(self, name: str) -> Index | None:
        try:
            return self.corpora[name].index_if_ready() if name in self.corpora else None
        except LyristError:
            return None

    def submit_prompt_score(self, name: str, request: GenerationRequest) -> PendingRequest[ScoredPrompt]:
        """Submit a prompt whose tokens are scored; its answer has the prompt as the model reads it."""
        served = self.models.get(name, "write")
        self._check_write(request)
        served.model.checked(request.conditions)
        pending: PendingRequest[ScoredPrompt] = self._admit(name, "score", None)
        self._workers[name, "prompt"].put(BatchJob(pending, request))
        return pending

    def _check_write(self, request: GenerationRequest) -> None:
        config, limits = request.config, self.limits
        check_count("n", config.n, limits.songs)
        check_count("max_tokens", config.max_tokens or 1, limits.max_tokens)
        check_count("candidates", config.candidates or 1, MOST_CANDIDATES)
        for name, text in [("prompt", request.prompt), ("hook", config.hook), ("form", config.form)]:
            check_text(name, text or "", limits.characters)
        check_count("tokens of the prompt", len(request.ids or (0,)), limits.characters)
        check_text("messages", "\n".join(each["content"] for each in request.messages), limits.characters)
        for text in [*request.stops, *request.conditions.values()]:
            check_text("stop or condition", text, 1_000)
        plan = config.plan()
        if plan is None:
            return
        if plan.sections:  # empty if originality is the only constraint
            check_count("lines of the form", sum(section.lines for section in plan.sections), FORM_LINES)
        if request.stops or request.top_logprobs is not None:
            raise UsageError(
                "Songs with constraints have no stop and no logprobs; leave those out, or form, rhyme and the like."
            )

    def _count_tokens(self, name: str, future: Any) -> None:
        if not future.cancelled() and future.exception() is None:
            self.metrics.wrote(name, sum(song.tokens for song in future.result()))

    # Classification.

    def classify(
        self, name: str, texts: Sequence[str], *, artist: str | None = None, explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> list[Label]:  # fmt: skip
        """Classify lyrics and wait for the labels; raises as `write`.

        Parameters
        ----------
        name
            A run that classifies lyrics.
        texts
            Lyrics; they are cleaned like the corpus.
        artist
            The artist, for a run that uses the artist as a feature.
        explain
            Find the words and lines with the largest influence.
        cancelled
            Set this event to cancel the request.
        """
        return self.submit_classify(name, texts, artist=artist, explain=explain, cancelled=cancelled).result()

    def submit_classify(
        self, name: str, texts: Sequence[str], *, artist: str | None = None, explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> PendingRequest[list[Label]]:  # fmt: skip
        """Submit lyrics to classify; see `classify`."""
        self.models.get(name, "classify")
        self._check_texts(texts)
        if explain:
            check_count("texts with explain", len(texts), self.limits.explained)
        check_text("artist", artist or "", 1_000)
        pending: PendingRequest[list[Label]] = self._admit(name, "classify", cancelled)
        job = workers.ClassifyJob(tuple(texts), artist or "", explain)
        self._workers[name, "classify"].put(BatchJob(pending, job, len(texts)))
        return pending

    def submit_label(
        self, name: str, data: bytes, suffix: str, options: Mapping[str, Any], format: str | None = None,  # noqa: A002
        *, cancelled: threading.Event | None = None,
    ) -> PendingRequest[Any]:  # fmt: skip
        """Submit a table to label; the answer is the rows, or the bytes of a file.

        Parameters
        ----------
        name
            A run that classifies lyrics.
        data
            The table, as text in UTF-8.
        suffix
            The ending of its format.
        options
            Options of `lyrist.evaluation.label.label`.
        format
            csv, parquet or jsonl; None: rows.
        cancelled
            Set this event to cancel the request.
        """
        self.models.get(name, "classify").check_unchanged()
        job = workers.LabelJob(data, suffix, dict(options), format)
        pending: PendingRequest[Any] = self._admit(name, "label", cancelled)
        self._workers[name, "classify"].put(BatchJob(pending, job, self.limits.batch))
        return pending

    def classify_picture(
        self, name: str, image: bytes, *, cancelled: threading.Event | None = None
    ) -> dict[str, float]:
        """Return the probability of each label of a picture (the bytes of a file), the most likely first."""
        return self.submit_pictures(name, [image], cancelled=cancelled).result()[0]

    def submit_pictures(
        self, name: str, images: Sequence[bytes], *, cancelled: threading.Event | None = None
    ) -> PendingRequest[list[dict[str, float]]]:
        """Submit pictures to classify; see `classify_picture`."""
        self.models.get(name, "picture")
        check_count("pictures", len(images), self.limits.texts)
        pending: PendingRequest[list[dict[str, float]]] = self._admit(name, "picture", cancelled)
        self._workers[name, "picture"].put(BatchJob(pending, tuple(images), len(images)))
        return pending

    # Scores.

    def score(
        self, name: str, texts: Sequence[str], given: Mapping[str, str] | None = None, *,
        cancelled: threading.Event | None = None,
    ) -> list[TextScore]:  # fmt: skip
        """Return the loss of lyrics under a writer, and their runs of words from training songs; raises as `write`."""
        return self.submit_score(name, texts, given, cancelled=cancelled).result()

    def submit_score(
        self, name: str, texts: Sequence[str], given: Mapping[str, str] | None = None, *,
        cancelled: threading.Event | None = None,
    ) -> PendingRequest[list[TextScore]]:  # fmt: skip
        """Submit lyrics to score; see `score`."""
        served = self.models.get(name, "write")
        self._check_texts(texts)
        for text in (given or {}).values():
            check_text("condition", text, 1_000)
        served.model.checked(given)
        pending: PendingRequest[list[TextScore]] = self._admit(name, "score", cancelled)
        job = workers.ScoreJob(tuple(texts), dict(given or {}))
        self._workers[name, "score"].put(BatchJob(pending, job, len(texts)))
        return pending

    def submit_embedding(
        self, name: str, texts: Sequence[str], *, cancelled: threading.Event | None = None
    ) -> PendingRequest[tuple[Any, list[int]]]:
        """Submit texts whose representations are computed; the answer is the vectors and the numbers of tokens."""
        self.models.get(name, *get_args(Task))
        if (name, "embed") not in self._workers:
            raise UsageError(
                f"The model '{name}' has no representation: only neural writers and neural classifiers of lyrics have one."
            )
        self._check_texts(texts)
        pending: PendingRequest[tuple[Any, list[int]]] = self._admit(name, "embed", cancelled)
        self._workers[name, "embed"].put(BatchJob(pending, workers.EmbedJob(tuple(texts)), len(texts)))
        return pending

    # Lookups.

    def submit_lookup(
        self, kind: str, function: Callable[[], Answer], *, model: str = "", cancelled: threading.Event | None = None
    ) -> PendingRequest[Answer]:
        """Submit a function that needs no model, such as the analysis of a song; one at a time of each kind.

        Parameters
        ----------
        kind
            ``lookup`` for what takes milliseconds, ``corpus`` for what may read a whole corpus.
        function
            Called in the thread of this kind.
        model
            The run that it is about, for the metrics.
        cancelled
            Set this event to cancel the request.
        """
        pending: PendingRequest[Answer] = self._admit(model, kind, cancelled)
        self._workers["", kind].put(BatchJob(pending, function))
        return pending

    def index(self, name: str) -> Index | None:
        """Return the phrase index of a writer's training songs; None if the corpus is missing or has changed.

        The index is built on first use, which takes a minute for a million songs, and then kept.
        """
        self.models.get(name, "write")
        try:
            return self.corpora[name].index()
        except LyristError:
            return None

    # Admission, start and shutdown.

    @property
    def inside(self) -> int:
        """Number of requests that are queued or in progress."""
        return self._gate.inside

    def refuse(self) -> None:
        """Admit no further requests."""
        self._gate.close()
        if self._deadline is None:
            self._deadline = time.monotonic() + self.limits.seconds + 1

    def close(self) -> None:
        """Admit no further requests, finish those in progress (up to their time limit) and end the threads."""
        self.refuse()
        self._gate.wait(max(0.0, (self._deadline or 0.0) - time.monotonic()))
        for worker in self._workers.values():
            worker.close()
        for generator in self._generators.values():
            generator.close()

    def _check_texts(self, texts: Sequence[str]) -> None:
        check_count("texts", len(texts), self.limits.texts)
        for number, text in enumerate(texts, 1):
            check_text(f"text {number}", text, self.limits.characters)

    def _admit(self, model: str, kind: str, cancelled: threading.Event | None) -> PendingRequest[Any]:
        pending: PendingRequest[Any] = PendingRequest(self.limits.seconds, cancelled)
        try:
            self._gate.enter(pending)
        except LyristError:
            self.metrics.left(model, kind, "refused", 0.0)
            raise
        pending.future.add_done_callback(
            lambda future: self.metrics.left(model, kind, _outcome(future), time.monotonic() - pending.began)
        )
        return pending

    def _start_workers(self, served: ServedModel) -> None:
        name, limit, threads, model, cleaning = (
            served.name, self.limits.batch, self._threads, served.model, served.run.cleaning,
        )  # fmt: skip

        def add(kind: str, work: Any, batch_size: int = limit) -> None:
            self._workers[name, kind] = BatchWorker(f"{kind} {name}", work, batch_size, threads)

        def on_batch(kind: str) -> Callable[[int], object]:
            return lambda size: self.metrics.computed(name, kind, size)

        if served.task != "picture" and getattr(model, "represents", False):
            own = own_tokenizer(model) if served.task == "write" else model
            add("embed", workers.embed_work(own, cleaning, on_batch("embed")))
        if served.task == "classify":
            add("classify", workers.classify_work(served.run, model, cleaning, on_batch("classify")))
        elif served.task == "picture":
            add("picture", workers.picture_work(model, on_batch("picture")))
        else:
            self._generators[name] = GenerationWorker(f"write {name}", model, limit, threads, on_batch("write"))
            index = lambda: self.index(name)  # noqa: E731
            add("prompt", workers.prompt_work(own_tokenizer(model), on_batch("prompt")))
            add("score", workers.score_work(own_tokenizer(model), cleaning, index, on_batch("score")))
            self._composers[name] = own_tokenizer(model)
            add("words", workers.lookup_work, 1)
            composing, rows = workers.compose_work(on_batch("compose")), workers.ROWS if limit > 1 else 1
            self._workers[name, "compose"] = BatchWorker(f"compose {name}", composing, rows, threads, keeps=True)

    def _write_steps(
        self, name: str, request: GenerationRequest, pending: PendingRequest[Any]
    ) -> Composition[tuple[ServedSong, ...]]:
        """Write songs to a plan."""
        original = bool(request.config.original)
        index = self.index(name) if original else None
        if original and index is None:
            raise UsageError(
                f"The training songs of '{name}' are not available, so copied runs cannot be looked up; leave original out."
            )
        return (yield from write_constrained(self._composers[name], request, pending, index))


def _check_sheet(sheet: Mapping[str, Any], like: str | Sequence[str] | None, most: int) -> None:
    """Raise a `UsageError` for a sheet that is too large."""
    sections = sheet.get("sections") or ()
    lines = [line for section in sections for line in section.get("lines") or ()]
    if sections:
        check_count("sections", len(sections), SECTIONS)
    check_count("lines of the sheet", max(1, len(lines)), FORM_LINES)
    words = [*(sheet.get("use") or ()), *(sheet.get("avoid") or ())]
    check_count("words to use and to avoid", max(1, len(words)), 200)
    texts = [str(line.get("text") or "") for line in lines] + [str(section.get("name") or "") for section in sections]
    texts += [str(sheet.get(name) or "") for name in ("title", "topic", "mood", "genre", "artist")]
    check_text("the sheet", "\n".join([*texts, *words, *([like] if isinstance(like, str) else like or ())]), most)


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
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ServerMetrics:
    """Prometheus metrics of one server; a registry of its own allows several servers in one process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lyrist_requests", "Finished requests, by model, kind and outcome.", ["model", "kind", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "lyrist_request_seconds", "Seconds of a request, including its time in the queue.", ["kind"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = Counter("lyrist_tokens_written", "Generated tokens.", ["model"], registry=registry)
        self._batch = Histogram(
            "lyrist_batch_size", "Songs, texts or pictures in a batch.", ["model", "kind"],
            buckets=BATCH_SIZES, registry=registry,
        )  # fmt: skip
        self._inside = Gauge("lyrist_requests_inside", "Requests queued or in progress.", registry=registry)
        self._responses = Counter("lyrist_http_responses", "HTTP responses by status.", ["status"], registry=registry)

    def left(self, model: str, kind: str, outcome: str, seconds: float) -> None:
        """Count a finished or refused request."""
        self._requests.labels(model, kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def wrote(self, model: str, tokens: int) -> None:
        """Count generated tokens."""
        self._tokens.labels(model).inc(tokens)

    def computed(self, model: str, kind: str, size: int) -> None:
        """Count a batch."""
        self._batch.labels(model, kind).observe(size)

    def responded(self, status: int) -> None:
        """Count an HTTP response."""
        self._responses.labels(str(status)).inc()

    def inside(self, count: Callable[[], float]) -> None:
        """Call ``count`` for the number of admitted requests when the metrics are read."""
        self._inside.set_function(count)

    def outcomes(self) -> dict[str, int]:
        """Return the number of requests by outcome: answered, refused, late, cancelled, failed."""
        found: dict[str, int] = {}
        for metric in self._requests.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    outcome = sample.labels["outcome"]
                    found[outcome] = found.get(outcome, 0) + int(sample.value)
        return found

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
