"""The one training loop: `transformers.Trainer`, with validation by global step and a way back after any interruption.

The Trainer brings the loop itself, optimizers, clipping, accumulation, several processes and its callbacks; what it
logs, validates, keeps and saves is decided here. What is unusual:

- the whole run is one "epoch" of the Trainer, over a stream of numbered batches (`lyrist.training.batches`), so that
  going on after an interruption starts at the right batch at once;
- losses and accuracies are sums over real items divided by their number, over all processes, never means of means;
- validation is in full precision, and the weights with the lowest validation loss are those that are kept;
- a checkpoint is whole or absent: it is renamed into place after its last file has been written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from lyrist import files, progress
from lyrist.errors import LyristError
from lyrist.models.network import hushed
from lyrist.training.batches import Batch, Examples, Stream, in_order_of_length
from lyrist.training.journal import Journal, Sums, Tally, read_whole
from lyrist.training.schedule import Schedule, device_for, half_precision, threads

CHECKPOINTS = "checkpoints"
"""The folder, inside a run's, that is there while the run is not finished."""

SAVE_SECONDS = 20.0
"""Checkpoints are written at validations, but not more often than this."""

Measure = Callable[[Any, Batch], Sums]
"""From the model's outputs and a batch to the sums that are logged; ``loss`` (in nats) must be among them."""


def classification(outputs: Any, batch: Batch) -> Sums:
    """Return cross-entropy in nats and correct answers, summed over the songs of the batch."""
    logits, labels = outputs.logits.float(), batch["labels"]
    return {
        "loss": (functional.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        "accuracy": ((logits.argmax(dim=-1) == labels).sum(), len(labels)),
    }


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
    callbacks: tuple[TrainerCallback, ...] = (),
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
        More callbacks of the Trainer, such as a tracker's.

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
        for callback in callbacks:
            loop.add_callback(callback)
        loop.run(resume)
        model.to("cpu").eval()  # type: ignore[arg-type]
        return loop.outcome()


def _stream(examples: Examples, schedule: Schedule, bucketed: bool) -> Stream:
    total = schedule.total(max(1, -(-len(examples) // schedule.batch_size)))
    return Stream(
        examples,
        schedule.batch_size,
        total,
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


class Loop(Trainer):
    """One training run; `train` is how to use it."""

    def __init__(
        self,
        model: PreTrainedModel,
        stream: Stream,
        validation: Examples | None,
        schedule: Schedule,
        measure: Measure,
        device: torch.device,
        folder: Path,
        keep: bool,
    ) -> None:
        self.stream, self.validation, self.schedule, self.measure = stream, validation, schedule, measure
        self.folder, self.keep = folder, keep
        self.network = model
        self.half = half_precision(schedule.precision, device)
        self.advance: progress.Advance = lambda *_, **__: None
        self.every = schedule.evaluation_interval(stream.updates_per_epoch)
        self.tally = Tally()
        self.best: tuple[int, float | None, dict[str, Tensor]] = (0, None, {})
        self.stale = 0
        self.before = {"seconds": 0.0, "aside": 0.0, "tokens": 0, "places": 0}
        self.aside = 0.0
        self.started = self.saved = time.monotonic()
        self._building: Path | None = None
        super().__init__(model=model, args=_arguments(schedule, stream, device, folder), train_dataset=stream.dataset)
        self.args._n_gpu = min(self.args._n_gpu, 1)  # never DataParallel: several GPUs are several processes
        self.remove_callback(PrinterCallback)
        self.add_callback(Watch(self))
        self.journal = Journal(folder if keep and self.is_world_process_zero() else None)

    def run(self, resume: bool) -> None:
        """Train, or go on, and put the best weights in place."""
        checkpoint = last_checkpoint(self.folder) if resume else None
        finished = False
        if checkpoint:
            finished = self._restore(checkpoint)
        else:
            self.journal.start([])
        self.args.eval_on_start = checkpoint is None
        self.started = self.saved = time.monotonic()
        if finished:
            self._load_from_checkpoint(str(checkpoint))
        else:
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if self.best[2]:
            self.network.load_state_dict(self.best[2])

    def outcome(self) -> Outcome:
        """Return what the run was, over all processes and interruptions."""
        tokens, places = self._everywhere([self._counted("tokens"), self._counted("places")])
        step = self.state.global_step
        return Outcome(
            steps=step,
            epochs=round(step / self.stream.updates_per_epoch, 4),
            best_step=self.best[0] if self.best[1] is not None else step,
            best_loss=self.best[1],
            tokens=int(tokens),
            tokens_per_second=round(tokens / max(self.elapsed() - self.before["aside"] - self.aside, 1e-9), 1),
            padding=round(1 - tokens / places, 4) if places else 0.0,
            seconds=round(self.elapsed(), 3),
            device=torch.cuda.get_device_name() if self.args.device.type == "cuda" else "cpu",
            precision="bf16" if self.half else "float32",
            processes=self.args.world_size,
            metrics=self.journal.rows,
        )

    # What the Trainer asks for.

    def get_train_dataloader(self) -> Any:
        """Return the stream of batches; it needs no loader, since its examples are ready in memory."""
        return self.stream

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return the learning-rate schedule, by step or by the clock."""
        if self.lr_scheduler is None:
            kinds = torch.optim.lr_scheduler
            optimizer = self.optimizer if optimizer is None else optimizer
            made: Any
            if self.schedule.schedule == "plateau":
                made = kinds.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
            else:
                made = kinds.LambdaLR(optimizer, lambda step: self.schedule.rate(self._done(step)))
            self.lr_scheduler = made
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss_context_manager(self) -> Any:
        """Return bf16 autocast for a training step, where it is on."""
        if not self.half:
            return contextlib.nullcontext()
        return torch.autocast(self.args.device.type, dtype=torch.bfloat16)

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss, and note what is to be logged."""
        loss, outputs = super().compute_loss(model, dict(inputs), True, num_items_in_batch)
        with torch.no_grad():
            self.tally.add(self.measure(outputs, inputs))
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: counting them costs time at each step and nothing reads them."""
        return 0

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Validate, note the figures, keep the best weights, and stop where patience has run out."""
        began = time.monotonic()
        loss = self.log_training()
        if self.validation is not None:
            figures = self._validate(self.validation)
            loss = figures["loss"]
            self._note("validation", figures)
            self._judge(loss)
        self.aside += time.monotonic() - began
        self.control.should_save = self._save_now()
        metrics = {"eval_loss": loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # What is decided here.

    def elapsed(self) -> float:
        """Return the seconds of this run, those before an interruption included."""
        return self.before["seconds"] + time.monotonic() - self.started

    def after_step(self, control: TrainerControl) -> None:
        """Log, and ask for a validation when it is time."""
        step = self.state.global_step
        if self._out_of_time():
            control.should_training_stop = True
        if step % self.every == 0 or control.should_training_stop:
            control.should_evaluate = True
        elif step % self.schedule.log_every == 0:
            self.log_training()
        total = None if self.schedule.minutes else self.state.max_steps
        note = f"validation loss {self.best[1]:.3f}" if self.best[1] is not None else ""
        self.advance(step, total, note)

    def log_training(self) -> float:
        """Note the training figures since the last time; return the loss (infinite where there is none)."""
        if not self.tally:
            return math.inf
        figures = self.tally.means(self.accelerator.reduce, self.args.device)
        if not math.isfinite(figures["loss"]):
            raise LyristError(
                f"The training loss is no longer a number at step {self.state.global_step}; "
                f"train again with a lower --learning-rate (it was {self.schedule.learning_rate:g})."
            )
        self._note("train", figures)
        return figures["loss"]

    def _note(self, split: str, figures: dict[str, float]) -> None:
        step = self.state.global_step
        (tokens,) = self._everywhere([self._counted("tokens")])
        row = {"step": step, "epoch": round(step / self.stream.updates_per_epoch, 4), "split": split, **figures}
        self.journal.add(row | {"tokens": int(tokens), "seconds": round(self.elapsed(), 3)})

    def _validate(self, examples: Examples) -> dict[str, float]:
        batches = in_order_of_length(examples, 2 * self.schedule.batch_size)
        tally = Tally()
        self.network.eval()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for rows in batches[self.args.process_index :: self.args.world_size]:
                batch = self._prepare_inputs(examples.collate(rows))
                tally.add(self.measure(self.network(**batch), batch))
        figures = tally.means(self.accelerator.reduce, self.args.device, ["accuracy", "loss"] if not tally else None)
        if not math.isfinite(figures["loss"]):
            raise LyristError(
                f"The validation loss is not a number at step {self.state.global_step}; lower --learning-rate."
            )
        return figures

    def _judge(self, loss: float) -> None:
        if self.best[1] is None or loss < self.best[1]:
            weights = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            self.best, self.stale = (self.state.global_step, loss, weights), 0
        else:
            self.stale += 1
        if self.schedule.patience and self.stale >= self.schedule.patience:
            self.control.should_training_stop = True

    def _done(self, step: int) -> float:
        """Return the share of the budget that is used up."""
        if self.schedule.minutes is not None:
            return self._clock() / (60 * self.schedule.minutes)
        return step / self.state.max_steps if self.state.max_steps else 0.0

    def _out_of_time(self) -> bool:
        return self.schedule.minutes is not None and self._clock() >= 60 * self.schedule.minutes

    def _clock(self) -> float:
        """Return the elapsed seconds of the first process: all must move the learning rate and stop together."""
        mine = self.elapsed() if self.args.process_index == 0 else 0.0
        return self._everywhere([mine])[0]

    def _everywhere(self, values: list[float]) -> list[float]:
        """Return the sums over all processes."""
        if self.args.world_size == 1:
            return values
        summed: list[float] = self.accelerator.reduce(
            torch.tensor(values, dtype=torch.float64, device=self.args.device)
        ).tolist()
        return summed

    def _counted(self, name: str) -> float:
        return float(self.before[name] + getattr(self.stream, name))

    # Checkpoints.

    def _save_now(self) -> bool:
        due = time.monotonic() - self.saved >= SAVE_SECONDS or self.control.should_training_stop
        return self.keep and self.state.global_step > 0 and self._everywhere([float(due)])[0] > 0

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._building or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        began = time.monotonic()
        home = self.folder / CHECKPOINTS
        self._building = home / "partial"
        main = self.is_world_process_zero()
        with files.explained(home):
            if main:
                shutil.rmtree(self._building, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            name = f"checkpoint-{self.state.global_step}"
            self._save_progress(self._building / name)
            self.accelerator.wait_for_everyone()
            if main:
                _replace(self._building / name, home / name)
        self.accelerator.wait_for_everyone()
        self.saved = time.monotonic()
        self.aside += self.saved - began

    def _save_progress(self, folder: Path) -> None:
        """Write what the Trainer does not: the clock, the counts and the best weights so far."""
        tokens, places = self._everywhere([self._counted("tokens"), self._counted("places")])
        if not self.is_world_process_zero():
            return
        if self.best[2]:
            save_file({name: value.contiguous() for name, value in self.best[2].items()}, folder / "best.safetensors")
        state = {
            "settings": self._settings(),
            "before": {
                "seconds": self.elapsed(),
                "aside": self.before["aside"] + self.aside,
                "tokens": tokens,
                "places": places,
            },
            "best": self.best[:2],
            "stale": self.stale,
            "finished": self.control.should_training_stop,
        }
        files.write_json(folder / "lyrist.json", state)

    def _restore(self, checkpoint: Path) -> bool:
        """Take up what `_save_progress` left; return whether nothing is left to train."""
        saved = files.read_json(checkpoint / "lyrist.json", "a checkpoint")
        changed = {name for name, value in self._settings().items() if saved["settings"].get(name) != value}
        if changed:
            raise LyristError(
                f"The interrupted run in {self.folder} had other settings ({', '.join(sorted(changed))}); "
                "give the same ones, or start again without --resume."
            )
        step = int(checkpoint.name.rpartition("-")[2])
        self.stream.start = self.state.global_step = step
        self.before = saved["before"]
        if self.args.process_index:  # the counts are those of all processes together
            self.before |= {"tokens": 0, "places": 0}
        best = checkpoint / "best.safetensors"
        self.best = (*saved["best"], load_file(best) if best.exists() else {})
        self.stale = saved["stale"]
        self.journal.start(read_whole(self.folder, step))
        return bool(saved["finished"])

    def _settings(self) -> dict[str, Any]:
        """Return what must not change between the start of a run and its end."""
        settings = dataclasses.asdict(self.schedule)
        for name in ("device", "precision"):
            del settings[name]
        lengths = self.stream.dataset.lengths
        shapes = [list(p.shape) for p in self.network.parameters()]
        return settings | {"songs": len(lengths), "tokens in them": int(lengths.sum()), "network": shapes}


class Watch(TrainerCallback):
    """Tells the loop when a step is done."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Log and validate where it is time."""
        self.loop.after_step(control)
        return control


def _arguments(schedule: Schedule, stream: Stream, device: torch.device, folder: Path) -> TrainingArguments:
    cpu = device.type == "cpu"
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=len(stream) // schedule.accumulate,
        per_device_train_batch_size=schedule.batch_size,
        gradient_accumulation_steps=schedule.accumulate,
        learning_rate=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        max_grad_norm=schedule.clip,
        seed=schedule.seed,
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and int(os.environ.get("WORLD_SIZE", "1")) > 1 else None,
        optim="adamw_torch",
        metric_for_best_model="loss",
        greater_is_better=False,
        label_names=["labels"],
        ignore_data_skip=True,
        remove_unused_columns=False,
        logging_strategy="no",
        eval_strategy="no",
        save_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
    )


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or None."""
    found = (folder / CHECKPOINTS).glob("checkpoint-*")
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _replace(built: Path, place: Path) -> None:
    """Put a finished checkpoint in its place, then delete the older ones."""
    shutil.rmtree(place, ignore_errors=True)
    built.replace(place)
    for other in place.parent.iterdir():
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
