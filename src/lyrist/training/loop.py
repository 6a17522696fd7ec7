"""The one training loop: `transformers.Trainer`, with validation by global step and a way back after any interruption.

The Trainer brings the loop itself, optimizers, clipping, accumulation, several processes and its callbacks; what it
logs, validates, keeps and saves is decided here. What is unusual:

- the whole run is one "epoch" of the Trainer, over a stream of numbered batches (`lyrist.training.batches`), so that
  going on after an interruption starts at the right batch at once;
- losses and accuracies are sums over real items divided by their number, over all processes, never means of means;
- validation is in full precision, on the running average of the weights where there is one, and the weights with the
  lowest validation loss are those that are kept;
- a checkpoint is whole or absent: it is renamed into place after its last file has been written.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, TrainerCallback

from lyrist import progress
from lyrist.models.network import hushed
from lyrist.training.batches import Examples, Stream
from lyrist.training.measuring import Measure, Outcome, classification
from lyrist.training.schedule import Schedule, device_for, threads
from lyrist.training.trackers import tracker
from lyrist.training.trainer import Loop


def train(
    model: PreTrainedModel,
    examples: Examples,
    validation: Examples | None,
    schedule: Schedule,
    *,
    measure: Measure = classification,
    folder: Path | None = None,
    resume: bool = False,
    bucketed: bool = True,
    title: str = "training",
    callbacks: Sequence[Callable[[Loop], TrainerCallback]] = (),
) -> Outcome:
    """Fit ``model`` in place and leave it, in evaluation mode on the CPU, with its best weights.

    Parameters
    ----------
    model
        Its ``forward`` takes a batch of ``examples`` as keyword arguments and returns ``loss`` and what ``measure``
        reads.
    examples, validation
        What to train on, and what to choose the best step by (None: the last step is kept).
    schedule
        Budget, learning rate and the rest.
    measure
        The sums that are logged.
    folder
        Where ``metrics.jsonl`` and the checkpoints go (this is in `CHECKPOINTS`, for the caller to delete); None keeps
        the metrics in memory and nothing else.
    resume
        Go on from the last checkpoint in ``folder``, if there is one. An interrupted run that goes on has the same
        metrics and weights as one that was not disturbed (with a budget in minutes, as far as a clock allows).
    bucketed
        Batches of examples of nearly equal length.
    title
        What the progress display says.
    callbacks
        Each makes a further callback of the Trainer for the loop that is at work.

    Raises
    ------
    LyristError
        The device is not there, the loss stopped being a number, or the checkpoint is of a run with other settings.
    """
    device = device_for(schedule.device)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hushed())
        stack.enter_context(seeded(schedule.seed))
        stack.enter_context(threads(model, schedule.threads))
        advance = stack.enter_context(progress.task(title, "steps"))
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lyrist-")))
        stream = _stream(examples, schedule, bucketed)
        loop = Loop(model, stream, validation, schedule, measure, device, place, keep=folder is not None)
        loop.advance = advance
        for callback in (*(make(loop) for make in callbacks), *tracker(schedule.track, place)):
            loop.add_callback(callback)
        loop.run(resume)
        model.to("cpu").eval()  # type: ignore[arg-type]
        return loop.outcome()


def _stream(examples: Examples, schedule: Schedule, bucketed: bool) -> Stream:
    return Stream(
        examples,
        schedule.batch_size,
        schedule.total(len(examples)),
        seed=schedule.seed,
        bucketed=bucketed,
        process=(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))),
        accumulate=schedule.accumulate,
    )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every generator for the length of the block, and give the caller's back as they were."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
