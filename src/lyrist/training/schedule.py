"""The settings of a training run: budget, learning rate, batch size, device."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lyrist.errors import LyristError, UsageError
from lyrist.models.registry import Option, Recipe, option, parameters

if TYPE_CHECKING:
    import torch
    from torch import nn

FREE = ("device", "precision", "threads", "track")
"""Settings that may change when a run is resumed, because they do not affect the result."""

SMALL = 5_000_000
"""Number of parameters below which a network is computed on one thread."""

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of ``mallopt`` in glibc."""

FIRST, LAST = 0.04, 0.0005
"""Learning rate at the start and at the end of a one-cycle schedule, as shares of its peak."""


@dataclass(frozen=True)
class Schedule:
    """Settings of one training run; ``lyrist train --help`` shows them."""

    steps: int | None = option(None, "budget: number of updates (instead of epochs)")
    minutes: float | None = option(None, "budget: wall-clock minutes (instead of epochs)")
    epochs: float | None = option(None, "budget: number of epochs")
    pace: float = option(15.0, "default budget: this number times the square root of the number of songs, in updates")
    batch_size: int = option(16, "songs per update, over all processes")
    accumulate: int = option(
        1, "gradient accumulation: split each update into this many smaller batches, to save memory"
    )
    learning_rate: float = option(3e-3, "peak learning rate")
    schedule: Literal["one-cycle", "linear", "cosine", "constant", "plateau"] = option(
        "one-cycle",
        "learning rate schedule: one-cycle, linear, cosine, constant or plateau (halved when the loss stops improving)",
    )
    warmup: float = option(0.2, "share of the budget for the linear or one-cycle warm-up of the learning rate")
    optimizer: Literal["adamw", "muon"] = option(
        "adamw", "adamw; or muon: Muon for the hidden matrices and AdamW for other parameters"
    )
    weight_decay: float = option(0.01, "weight decay, only for matrices")
    clip: float = option(1.0, "gradient clipping: largest norm (0: none)")
    average: float = option(0.0, "decay of an exponential moving average of the weights (0: none)")
    patience: int = option(0, "early stopping after this many validations without a better loss (0: never)")
    evaluate_every: int | None = option(
        None, "updates between validations (default: about one epoch; with --minutes also ten times per run)"
    )
    log_every: int = option(10, "updates between logs of the training loss")
    precision: Literal["auto", "float32", "bf16"] = option("auto", "auto: bf16 autocast on devices with fast bf16")
    threads: int | None = option(
        None, "CPU threads (default: one for networks with less than 5 million parameters, else all)"
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", "auto: a GPU if there is one")
    track: str = option("", "also log to tensorboard, or to another tracker that transformers supports")
    seed: int = option(0, "seed of the initial weights, the order of the songs and dropout")

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise UsageError("Set either --steps or --minutes as the budget, not both.")
        positive = ("steps", "minutes", "epochs", "pace", "batch_size", "accumulate", "learning_rate", "evaluate_every")
        for name in (*positive, "log_every", "threads"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"--{name.replace('_', '-')} must be more than 0, got {value}.")
        for name in ("warmup", "weight_decay", "clip", "patience"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative, got {getattr(self, name)}.")
        if not 0 <= self.average < 1:
            raise UsageError(f"--average must be at least 0 and less than 1, got {self.average}.")
        if self.warmup > 1:
            raise UsageError(f"--warmup must be a share of the budget between 0 and 1, got {self.warmup}.")

    def updates_per_epoch(self, examples: int) -> int:
        """Return the updates per epoch for a number of examples."""
        return max(1, -(-examples // self.batch_size))

    def total(self, examples: int) -> int:
        """Return the updates of a whole run for a number of examples; with a budget in minutes, a very large number."""
        if self.minutes is not None:
            return 10**9
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * self.updates_per_epoch(examples)))
        return max(1, round(self.pace * math.sqrt(examples)))

    def evaluation_interval(self, examples: int) -> int:
        """Return the updates between validations: as requested, else one epoch, but at least twelve validations per run.

        With a budget in minutes the number of updates is unknown; the loop then adds validations by elapsed time.
        """
        if self.evaluate_every:
            return self.evaluate_every
        epoch = self.updates_per_epoch(examples)
        return epoch if self.minutes is not None else max(1, min(epoch, self.total(examples) // 12))

    def rate(self, progress: float) -> float:
        """Return the learning rate at ``progress`` (0 to 1 of the budget), as a share of its peak.

        ``one-cycle`` increases and decreases by half cosines (Smith, Super-convergence, 2018); the others increase linearly,
        then decrease linearly, by a cosine, or not at all.
        """
        progress = min(max(progress, 0.0), 1.0)
        if progress < self.warmup:
            rise = progress / self.warmup
            return FIRST + (1 - FIRST) * (1 - math.cos(math.pi * rise)) / 2 if self.schedule == "one-cycle" else rise
        left = 1.0 if self.warmup >= 1 else (1 - progress) / (1 - self.warmup)
        if self.schedule == "one-cycle":
            return LAST + (1 - LAST) * (1 - math.cos(math.pi * left)) / 2
        if self.schedule == "cosine":
            return (1 - math.cos(math.pi * left)) / 2
        return left if self.schedule == "linear" else 1.0


Rule = Literal["best", "stop", "last"]


@dataclass(frozen=True)
class Protocol:
    """How a report trained and selected; the defaults are those of the libraries that the reports used."""

    epochs: int = 1
    """0 scores the model as it is."""
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: Literal["adam", "sgd"] = "adam"
    rule: Rule = "last"
    patience: int = 0
    """With the rule ``stop``: epochs without a lower loss until training ends; 0, the default of Keras, ends at the first."""
    plateau: int = 0
    """Epochs without a lower validation loss until the learning rate is divided by ten; 0: it is constant."""
    library: Literal["torch", "keras", "pretrained"] = "torch"
    """The library of the report: initial weights, and the epsilon of Adam; a ``pretrained`` network keeps its weights."""
    every: int = 0
    """Updates between validations, and one after the first update; 0: each epoch is validated."""
    grid: Mapping[str, Any] = field(default_factory=dict)
    """Options of a recipe that is no network, each with the list of values that were tried."""
    steps: int | None = None
    """Maximum number of updates of a network."""

    def scaled(self, scale: float) -> Protocol:
        """Return the protocol with so many times its epochs, at least one where there is any."""
        steps = None if self.steps is None else max(1, round(self.steps * scale))
        return dataclasses.replace(self, epochs=max(min(self.epochs, 1), round(self.epochs * scale)), steps=steps)


def options_of(recipe: Recipe) -> list[Option]:
    """Return the options of a recipe and, for a network, those of the schedule with the defaults of the recipe."""
    own = getattr(recipe.options(), "schedule", {})
    found = list(recipe.parameters)
    if own or recipe.family == "neural":
        known = {each.name for each in found}
        schedule = [each for each in parameters(Schedule) if each.name not in known]
        found += [dataclasses.replace(each, default=own.get(each.name, each.default)) for each in schedule]
    return found


@contextlib.contextmanager
def threads(model: nn.Module, wanted: int | None = None) -> Iterator[None]:
    """Use ``wanted`` CPU threads while the block runs; by default one for a small network, else all.

    Threads synchronise after every operation. The operations of a small recurrent network take microseconds, so a second thread
    gains little on an idle machine and slows a busy one down several times. The default depends only on the network, so the same
    seed gives the same result.

    Numbers below 1e-38 are set to zero in the block. A gradient that vanishes over hundreds of time steps becomes that small, and
    a CPU computes with such numbers ten times slower.
    """
    import torch

    before = torch.get_num_threads()
    small = sum(weights.numel() for weights in model.parameters()) < SMALL
    torch.set_num_threads(wanted or (1 if small else before))
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in the process while the block runs, where its C library is glibc.

    Otherwise large blocks are requested from the system and returned after each operation, and the system clears them: about a
    third of the CPU time of a recurrent network over long songs.
    """
    change: Any = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    change = change or (lambda parameter, value: 0)
    change(MMAP_MAX, 0)
    change(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        change(MMAP_MAX, 65_536)
        change(TRIM_THRESHOLD, 131_072)


def device_for(wanted: str) -> torch.device:
    """Return the device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LyristError
        A GPU is requested and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise LyristError(
            "No CUDA GPU is available (there is none, or PyTorch was installed without CUDA); "
            "choose --device cpu or --device auto."
        )
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def half_precision(wanted: str, device: torch.device) -> bool:
    """Return whether to train with bf16 autocast: if requested, or with ``auto`` on devices with fast bf16.

    On a CPU with bf16 instructions a recurrent network trains about twice as fast; without them it is much slower.
    """
    from lyrist.models.network import fast_bf16

    return fast_bf16(device) if wanted == "auto" else wanted == "bf16"
