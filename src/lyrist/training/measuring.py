"""What a training run is measured by, and what it was in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.nn import functional

from lyrist.training.batches import Batch
from lyrist.training.journal import Sums

Measure = Callable[[Any, Batch], Sums]
"""From the model's outputs and a batch to the sums that are logged; ``loss`` (in nats) must be among them."""


def classification(outputs: Any, batch: Batch) -> Sums:
    """Return cross-entropy in nats and correct answers, summed over the songs of the batch."""
    logits, labels = outputs.logits.float(), batch["labels"]
    return {
        "loss": (functional.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        "accuracy": ((logits.argmax(dim=-1) == labels).sum(), len(labels)),
    }


def language(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of the tokens that are scored: those of lyrics and the end, neither conditions nor padding."""
    return _summed(outputs, batch, batch["labels"][:, 1:])  # the first place of a row is predicted by nothing


def continuation(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of the tokens that a decoder writes; all its labels are."""
    return _summed(outputs, batch, batch["labels"])


def _summed(outputs: Any, batch: Batch, labels: Any) -> Sums:
    count = (labels != -100).sum()
    items = batch.get("num_items_in_batch")
    return {"loss": (outputs.loss.detach().double() * (count if items is None else items), int(count))}


@dataclass(frozen=True)
class Outcome:
    """What a training run was."""

    steps: int
    """Updates made."""
    epochs: float
    """Passes over the training examples."""
    best_step: int
    """The update whose weights were kept: the one with the lowest validation loss (the last without validation)."""
    best_loss: float | None
    """Its validation loss, in nats an item."""
    tokens: int
    """Real tokens read in training, padding not counted."""
    tokens_per_second: float
    """Real tokens a second of training, validation not counted."""
    padding: float
    """Share of the places in the batches that were padding."""
    seconds: float
    """Wall-clock seconds, validation included."""
    device: str
    """``cpu``, or the name of the GPU."""
    precision: str
    """``float32`` or ``bf16``."""
    processes: int
    """Processes that trained together."""
    metrics: list[dict[str, Any]] = field(repr=False, default_factory=list)
    """The rows of ``metrics.jsonl``."""

    def summary(self) -> dict[str, Any]:
        """Return all but the metrics, JSON-ready."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "metrics"}
