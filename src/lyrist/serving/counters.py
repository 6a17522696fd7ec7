"""What is counted for Prometheus: requests by outcome, how long they took, tokens, and how full the batches were."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SONGS = (1, 2, 4, 8, 16, 32, 64, 128)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counters:
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
