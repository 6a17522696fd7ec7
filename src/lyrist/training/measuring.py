"""The metrics of training, and the figures of a finished training run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.nn import functional

from lyrist.training.batches import Batch
from lyrist.training.journal import Sums

Measure = Callable[[Any, Batch], Sums]
"""From the outputs of a model and a batch to the logged sums, which must include ``loss`` (in nats)."""


def classification(outputs: Any, batch: Batch) -> Sums:
    """Return the cross-entropy in nats and the number of correct predictions, summed over the songs of the batch."""
    logits, labels = outputs.logits.float(), batch["labels"]
    return {
        "loss": (functional.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        "accuracy": ((logits.argmax(dim=-1) == labels).sum(), len(labels)),
    }


def language(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of the scored tokens: lyrics and the end, without conditions and padding."""
    return _summed(outputs, batch, batch["labels"][:, 1:])  # the first token is not predicted


def continuation(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of all labels of a decoder."""
    return _summed(outputs, batch, batch["labels"])


def _summed(outputs: Any, batch: Batch, labels: Any) -> Sums:
    count = (labels != -100).sum()
    items = batch.get("num_items_in_batch")
    return {"loss": (outputs.loss.detach().double() * (count if items is None else items), int(count))}


@dataclass(frozen=True)
class Outcome:
    """Figures of a finished training run."""

    steps: int
    """Number of updates."""
    epochs: float
    """Number of epochs."""
    best_step: int
    """The update with the lowest validation loss, whose weights were selected (without validation, the last)."""
    best_loss: float | None
    """Its validation loss, in nats per item."""
    tokens: int
    """Training tokens, without padding."""
    tokens_per_second: float
    """Training tokens per second, without padding and without validation time."""
    padding: float
    """Share of padding in the batches."""
    seconds: float
    """Wall-clock seconds, including validation."""
    device: str
    """``cpu``, or the name of the GPU."""
    precision: str
    """``float32`` or ``bf16``."""
    processes: int
    """Number of processes."""
    metrics: list[dict[str, Any]] = field(repr=False, default_factory=list)
    """The rows of ``metrics.jsonl``."""

    def summary(self) -> dict[str, Any]:
        """Return all figures except the metrics, ready for JSON."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "metrics"}
