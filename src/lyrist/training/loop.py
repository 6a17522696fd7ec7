"""The training loop: `transformers.Trainer` with validation by global step and exact resumption after an interruption.

The Trainer provides the loop, optimizers, clipping, gradient accumulation, several processes and callbacks. Logging, validation,
model selection and checkpoints are implemented here:

- The whole run is one "epoch" of the Trainer over a stream of numbered batches (`lyrist.training.batches`), so that a resumed run
  starts directly at the right batch.
- Losses and accuracies are sums over items divided by their number, over all processes, never means of means.
- Validation is in full precision, on the moving average of the weights if there is one. The weights with the lowest validation
  loss are selected.
- Checkpoints are atomic: they are renamed into place after the last file.
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
    """Fit ``model`` in place; at the end it has the best weights and is in evaluation mode on the CPU.

    Parameters
    ----------
    model
        Its ``forward`` takes a batch of ``examples`` as keyword arguments and returns ``loss`` and the inputs of ``measure``.
    examples, validation
        The training set, and the validation set for the selection of the best step (None: the last step is used).
    schedule
        Budget, learning rate and other settings.
    measure
        The sums that are logged.
    folder
        The folder for ``metrics.jsonl`` and for checkpoints (in `CHECKPOINTS`, which the caller deletes); None: the metrics
        are only in memory.
    resume
        Continue from the last checkpoint in ``folder``, if there is one. A resumed run has the same metrics and weights as an
        uninterrupted one (approximately, with a budget in minutes).
    bucketed
        Batch examples of similar length.
    title
        The title of the progress bar.
    callbacks
        Functions that create additional callbacks of the Trainer.

    Raises
    ------
    LyristError
        The device does not exist, the loss is no longer a number, or the checkpoint is of a run with other settings.
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
    """Seed all random generators while the block runs, and restore their state afterwards."""
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
