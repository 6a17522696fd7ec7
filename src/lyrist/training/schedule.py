"""How long to train, how fast to learn, on what: the settings of a training run, resolved before it starts."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lyrist.errors import LyristError, UsageError
from lyrist.models.registry import Option, Recipe, option, parameters

if TYPE_CHECKING:
    import torch
    from torch import nn

FREE = ("device", "precision", "threads", "track")
"""Settings that an interrupted run may go on without: they decide where it is computed, not what."""

SMALL = 5_000_000
"""Weights below which a network is computed on one thread."""

FIRST, LAST = 0.04, 0.0005
"""Learning rate at the start and at the end of a one-cycle schedule, as shares of its peak."""


@dataclass(frozen=True)
class Schedule:
    """Settings of one training run; ``lyrist train --help`` shows them."""

    steps: int | None = option(None, "budget: updates of the weights (instead of epochs)")
    minutes: float | None = option(None, "budget: wall-clock minutes (instead of epochs)")
    epochs: float | None = option(None, "budget: passes over the training songs")
    pace: float = option(15.0, "budget where none is given: this many updates times the square root of the songs")
    batch_size: int = option(16, "songs an update, over all processes together")
    accumulate: int = option(1, "smaller batches that make up one update, where memory is short")
    learning_rate: float = option(3e-3, "highest learning rate")
    schedule: Literal["one-cycle", "linear", "cosine", "constant", "plateau"] = option(
        "one-cycle", "how the learning rate moves: one-cycle, linear, cosine, constant or plateau (halved when stuck)"
    )
    warmup: float = option(0.2, "share of the budget in which the learning rate rises")
    optimizer: Literal["adamw", "muon"] = option(
        "adamw", "adamw; or muon for the matrices inside the network and AdamW for the rest"
    )
    weight_decay: float = option(0.01, "weight decay of the optimizer, on matrices")
    clip: float = option(1.0, "largest norm of the gradient (0: no limit)")
    average: float = option(
        0.0, "share of the past that a running average of the weights keeps at each update (0: none)"
    )
    patience: int = option(0, "stop after this many validations without a better loss (0: never)")
    evaluate_every: int | None = option(
        None, "validate every so many updates (default: about once an epoch; with --minutes ten times a run as well)"
    )
    log_every: int = option(10, "log the training loss every so many updates")
    precision: Literal["auto", "float32", "bf16"] = option("auto", "auto: bf16 autocast where the device is fast at it")
    threads: int | None = option(
        None, "CPU threads (default: one for a network of less than 5 million weights, else all)"
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", "auto: a GPU where there is one")
    track: str = option("", "pass the figures on to tensorboard, or to another tracker that transformers knows")
    seed: int = option(0, "decides the first weights, the order of the songs and what is dropped")

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise UsageError("Give --steps or --minutes as the budget, not both.")
        positive = ("steps", "minutes", "epochs", "pace", "batch_size", "accumulate", "learning_rate", "evaluate_every")
        for name in (*positive, "log_every", "threads"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be more than 0.")
        for name in ("warmup", "weight_decay", "clip", "patience"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must not be negative.")
        if not 0 <= self.average < 1:
            raise UsageError(f"--average is at least 0 and less than 1; {self.average} is not.")
        if self.warmup > 1:
            raise UsageError(f"--warmup is a share of the budget, from 0 to 1; {self.warmup} is not.")

    def updates_per_epoch(self, examples: int) -> int:
        """Return the updates in one pass over so many examples."""
        return max(1, -(-examples // self.batch_size))

    def total(self, examples: int) -> int:
        """Return the updates of a whole run over so many examples; with a budget in minutes, more than could be made."""
        if self.minutes is not None:
            return 10**9
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * self.updates_per_epoch(examples)))
        return max(1, round(self.pace * math.sqrt(examples)))

    def evaluation_interval(self, examples: int) -> int:
        """Return the updates between validations: as asked, else an epoch, but at least twelve validations a run.

        With a budget in minutes nobody knows the updates of a run; the loop adds validations by the clock.
        """
        if self.evaluate_every:
            return self.evaluate_every
        epoch = self.updates_per_epoch(examples)
        return epoch if self.minutes is not None else max(1, min(epoch, self.total(examples) // 12))

    def rate(self, progress: float) -> float:
        """Return the learning rate at ``progress`` (0 to 1 of the budget), as a share of its peak.

        ``one-cycle`` rises by half a cosine and falls by another (Smith, Super-convergence, 2018); the others rise
        linearly, then fall linearly, by a cosine, or not at all.
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


def options_of(recipe: Recipe) -> list[Option]:
    """Return the options of a recipe and, for a network, those of its training with the defaults that the recipe sets."""
    own = getattr(recipe.options(), "schedule", {})
    found = list(recipe.parameters)
    if own or recipe.family == "neural":
        known = {each.name for each in found}
        schedule = [each for each in parameters(Schedule) if each.name not in known]
        found += [dataclasses.replace(each, default=own.get(each.name, each.default)) for each in schedule]
    return found


@contextlib.contextmanager
def threads(model: nn.Module, wanted: int | None = None) -> Iterator[None]:
    """Compute on ``wanted`` CPU threads while the block runs; by default on one for a small network, else on all.

    Threads wait for each other after every operation. The operations of a small recurrent network take microseconds, so
    that a second thread gains little on an idle machine and costs a multiple on a busy one, where each wait is for a
    thread that has no core. The number depends on the network alone, so that the same seed gives the same sums.
    """
    import torch

    before = torch.get_num_threads()
    small = sum(weights.numel() for weights in model.parameters()) < SMALL
    torch.set_num_threads(wanted or (1 if small else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_for(wanted: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` stands for here.

    Raises
    ------
    LyristError
        A GPU is wanted and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise LyristError(
            "No CUDA GPU can be used here (none is there, or PyTorch was installed without CUDA); "
            "choose --device cpu or --device auto."
        )
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def half_precision(wanted: str, device: torch.device) -> bool:
    """Return whether to train under bf16 autocast: when asked, or with ``auto`` where the device computes in bf16.

    On a CPU with bf16 instructions a recurrent network trains about twice as fast; without them it is much slower.
    """
    import torch

    if wanted != "auto":
        return wanted == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_tile"))
