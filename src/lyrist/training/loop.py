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

import atexit
import contextlib
import dataclasses
import gc
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from transformers.integrations import integration_utils

from lyrist import files, progress
from lyrist.errors import LyristError, unknown
from lyrist.models.network import hushed
from lyrist.training import muon
from lyrist.training.batches import IGNORED, Batch, Examples, Stream, in_order_of_length
from lyrist.training.journal import CHECKPOINTS, Journal, Sums, Tally, last_checkpoint, other_settings, read_whole
from lyrist.training.muon import Muon
from lyrist.training.schedule import FREE, Schedule, device_for, half_precision, threads

SAVE_SECONDS = 20.0
"""Smallest time between checkpoints, which are written after validations."""


class Resumable(Trainer):
    """A Trainer with atomic checkpoints in ``folder / CHECKPOINTS``, of which only the newest is kept."""

    folder: Path
    """The run's folder."""
    _building: Path | None = None

    def write_progress(self, folder: Path) -> None:
        """Add the state of the loop to a checkpoint; called in every process."""

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._building or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        home = self.folder / CHECKPOINTS
        self._building = home / "partial"
        main = self.is_world_process_zero()
        with files.explained(home):
            if main:
                _clear(home)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            name = f"checkpoint-{self.state.global_step}"
            self.write_progress(self._building / name)
            self.accelerator.wait_for_everyone()
            if main:
                _replace(self._building / name, home / name)
        self.accelerator.wait_for_everyone()


def _clear(home: Path) -> None:
    """Delete incomplete checkpoints after a kill or a full disk."""
    for left in ("partial", "replaced"):
        shutil.rmtree(home / left, ignore_errors=True)


def _replace(built: Path, place: Path) -> None:
    """Rename a finished checkpoint into place, then delete older ones; there is a complete one at any time."""
    if place.exists():
        place.replace(built.with_name("replaced"))
    built.replace(place)
    for other in place.parent.iterdir():
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


TENSORBOARD = "tensorboard"
"""The tracker that needs no account; also the name of its folder in the run."""


def tracker(name: str, folder: Path) -> tuple[TrainerCallback, ...]:
    """Return the callback of a tracker; none for an empty name, or in processes other than the first.

    Parameters
    ----------
    name
        Its name in `transformers`: tensorboard, mlflow, wandb, trackio ...
    folder
        The run; the files of TensorBoard are in its folder ``tensorboard``.

    Raises
    ------
    UsageError
        There is no tracker of this name.
    LyristError
        Its package is not installed.
    """
    if not name or os.environ.get("RANK", "0") != "0":  # only one of the processes of torchrun logs
        return ()
    known = integration_utils.INTEGRATION_TO_CALLBACK
    if name not in known:
        raise unknown("tracker", name, known)
    try:
        if name == TENSORBOARD:
            from torch.utils.tensorboard import SummaryWriter

            writer: Any = SummaryWriter(str(folder / TENSORBOARD))
            return (known[name](writer),)
        return (known[name](),)
    except (ImportError, RuntimeError) as error:
        way = "pip install 'lyrist[track]'" if name == TENSORBOARD else f"install the package of {name}"
        raise LyristError(f"--track {name} needs a package that is not installed ({error}); {way}.") from None


def as_logged(row: Mapping[str, Any]) -> dict[str, float]:
    """Return a row of ``metrics.jsonl`` with the names of trackers: the prefix ``eval_`` for validation."""
    begin = "eval_" if row["split"] == "validation" else ""
    return {begin + name: value for name, value in row.items() if name not in ("step", "split")}


Measure = Callable[[Any, Batch], Sums]
"""From the outputs of a model and a batch to the logged sums, which must include ``loss`` (in nats)."""


def classification(outputs: Any, batch: Batch) -> Sums:
    """Return the cross-entropy in nats and the number of correct predictions, summed over the songs of the batch.

    A song whose label is `IGNORED` counts as wrong and has no loss.
    """
    logits, labels = outputs.logits.float(), batch["labels"]
    if labels.dim() == 2:  # several labels a song: right where all are
        nats = functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
        return {
            "loss": (nats, len(labels)),
            "accuracy": (((logits > 0) == (labels > 0.5)).all(dim=1).sum(), len(labels)),
        }
    nats = functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    return {
        "loss": (nats, (labels != IGNORED).sum()),
        "accuracy": ((logits.argmax(dim=-1) == labels).sum(), len(labels)),
    }


def _nothing_of(measure: Measure) -> Measure:
    """Return a measure with the same names whose sums and counts are 0."""
    return lambda *given: {name: (0.0, 0 * count) for name, (_, count) in measure(*given).items()}


def tallied(network: nn.Module, batches: Iterable[Batch], measure: Measure) -> Tally:
    """Return the sums of a measure over batches; the network is left in evaluation mode."""
    tally = Tally()
    network.eval()
    with torch.no_grad():
        for batch in batches:
            tally.add(measure(network(**batch), batch))
    return tally


def language(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of the scored tokens: lyrics and the end, without conditions and padding."""
    return _summed(outputs, batch, batch["labels"][:, 1:])  # the first token is not predicted


def continuation(outputs: Any, batch: Batch) -> Sums:
    """Return the nats of all labels of a decoder."""
    return _summed(outputs, batch, batch["labels"])


def _summed(outputs: Any, batch: Batch, labels: Any) -> Sums:
    count = (labels != IGNORED).sum()
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


COSTLY = 8
"""A validation by elapsed time starts only after this many times the duration of the previous one."""


class Average:
    """An exponential moving average of the weights of a network, with a decay that increases during warm-up.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.keep = keep
        self.weights = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        """Update the average with the weights of ``network`` after update number ``step``."""
        keep = min(self.keep, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    self.weights[name].lerp_(value, 1 - keep)
                else:
                    self.weights[name].copy_(value)

    @contextlib.contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Set the weights of ``network`` to the average while the block runs."""
        own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)


class Loop(Resumable):
    """One training run; used through `lyrist.training.loop.train`."""

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
        self.every = schedule.evaluation_interval(len(stream.dataset))
        self.tally = Tally()
        self.best: tuple[int, float | None, dict[str, Tensor]] = (0, None, {})
        self.stale = 0
        self.before = {"seconds": 0.0, "aside": 0.0, "tokens": 0, "places": 0}
        self.aside = self.cost = self.looked = 0.0
        self.started = self.saved = time.monotonic()
        super().__init__(model=model, args=_arguments(schedule, stream, device, folder), train_dataset=stream.dataset)
        self.args._n_gpu = min(self.args._n_gpu, 1)  # no DataParallel: several GPUs need several processes
        self.averaged = Average(model, schedule.average) if schedule.average else None
        self.remove_callback(PrinterCallback)
        self.add_callback(StepCallback(self))
        self.journal = Journal(folder if keep and self.is_world_process_zero() else None)

    def run(self, resume: bool) -> None:
        """Train or resume, then load the best weights."""
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
            self.network.load_state_dict(self.best[2], strict=False)  # without frozen weights
        elif self.averaged:
            self.network.load_state_dict(self.averaged.weights)

    def outcome(self) -> Outcome:
        """Return the figures of the run, over all processes and interruptions."""
        tokens, places = self._sum_over_processes([self._counted("tokens"), self._counted("places")])
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

    # Overridden methods of the Trainer.

    def get_train_dataloader(self) -> Any:
        """Return the stream of batches; it needs no data loader, because its examples are in memory."""
        return self.stream

    def create_optimizer(self, model: Any = None) -> Any:
        """Return the optimizer of the schedule."""
        if self.optimizer is None and self.schedule.optimizer == "muon":
            rate, decay = self.schedule.learning_rate, self.schedule.weight_decay
            self.optimizer = Muon(*muon.split(self.network), rate, decay, self.half)
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return the learning rate schedule, by step or by elapsed time."""
        if self.lr_scheduler is None:
            kinds = torch.optim.lr_scheduler
            optimizer = self.optimizer if optimizer is None else optimizer
            made: Any
            if self.schedule.schedule == "plateau":
                made = kinds.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
            else:
                made = kinds.LambdaLR(optimizer, lambda step: self.schedule.rate(self.done(step)))
            self.lr_scheduler = made
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss_context_manager(self) -> Any:
        """Return the bf16 autocast context of a training step, if it is on."""
        if not self.half:
            return contextlib.nullcontext()
        return torch.autocast(self.args.device.type, dtype=torch.bfloat16)

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss, and add the figures to the log."""
        loss, outputs = super().compute_loss(model, dict(inputs), True, num_items_in_batch)
        with torch.no_grad():
            items: dict[str, Any] = {}
            if num_items_in_batch is not None:  # the Trainer multiplies the loss by the number of processes
                items["num_items_in_batch"] = num_items_in_batch / self.args.world_size
            self.tally.add(self.measure(outputs, {**inputs, **items}))
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: the count is not used and takes time in each step."""
        return 0

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Validate, log the figures, keep the best weights, and apply early stopping."""
        began = time.monotonic()
        loss = self.log_training()
        if self.validation is not None:
            with self.averaged.in_place(self.network) if self.averaged else contextlib.nullcontext():
                figures = self._validate(self.validation)
                loss = figures["loss"]
                self._log_row("validation", figures)
                self._select(loss)
        self.cost = time.monotonic() - began
        self.aside += self.cost
        self.looked = self.elapsed()
        self.control.should_save = self._save_now()
        metrics = {"eval_loss": loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # Logging, validation and model selection.

    def elapsed(self) -> float:
        """Return the seconds of this run, including those before an interruption."""
        return self.before["seconds"] + time.monotonic() - self.started

    def after_step(self, control: TrainerControl) -> None:
        """Log, and request a validation if it is due."""
        step = self.state.global_step
        if self.averaged:
            self.averaged.update(self.network, step)
        clock = self._clock() if self.schedule.minutes is not None else 0.0
        if self.schedule.minutes is not None and clock >= 60 * self.schedule.minutes:
            control.should_training_stop = True
        if step % self.every == 0 or control.should_training_stop or self._due(clock):
            control.should_evaluate = True
        elif step % self.schedule.log_every == 0:
            self.log_training()
        total = None if self.schedule.minutes else self.state.max_steps
        note = f"validation loss {self.best[1]:.3f}" if self.best[1] is not None else ""
        self.advance(step, total, note)

    def log_training(self) -> float:
        """Log the training figures since the last call; return the loss (infinite if there is none)."""
        if not self.tally:
            return math.inf
        figures = self.tally.means(self.accelerator.reduce, self.args.device)
        if not math.isfinite(figures["loss"]):
            raise LyristError(
                f"The training loss is no longer a number at step {self.state.global_step}; "
                f"train again with a lower --learning-rate (it was {self.schedule.learning_rate:g})."
            )
        self._log_row("train", figures)
        return figures["loss"]

    def _log_row(self, split: str, figures: dict[str, float]) -> None:
        step = self.state.global_step
        (tokens,) = self._sum_over_processes([self._counted("tokens")])
        row = {"step": step, "epoch": round(step / self.stream.updates_per_epoch, 4), "split": split, **figures}
        row |= {"tokens": int(tokens), "seconds": round(self.elapsed(), 3)}
        self.journal.add(row)
        if self.schedule.track:
            self.callback_handler.on_log(self.args, self.state, self.control, as_logged(row))

    def _validate(self, examples: Examples) -> dict[str, float]:
        rows = in_order_of_length(examples, 2 * self.schedule.batch_size)
        own = rows[self.args.process_index :: self.args.world_size]
        # With fewer batches than processes, a process without a batch still needs the names of the figures.
        measured = self.measure if own else _nothing_of(self.measure)
        batches = (self._prepare_inputs(examples.collate(each)) for each in own or rows[:1])
        tally = tallied(self.network, batches, measured)
        figures = tally.means(self.accelerator.reduce, self.args.device)
        if not math.isfinite(figures["loss"]):
            raise LyristError(
                f"The validation loss is not a number at step {self.state.global_step}; lower --learning-rate."
            )
        return figures

    def _select(self, loss: float) -> None:
        if self.best[1] is None or loss < self.best[1]:
            frozen = {name for name, value in self.network.named_parameters() if not value.requires_grad}
            weights = {
                name: value.detach().cpu().clone().contiguous()
                for name, value in self.network.state_dict().items()
                if name not in frozen
            }
            self.best, self.stale = (self.state.global_step, loss, weights), 0
        else:
            self.stale += 1
        if self.schedule.patience and self.stale >= self.schedule.patience:
            self.control.should_training_stop = True

    def done(self, step: int) -> float:
        """Return the used share of the budget, including the time before an interruption."""
        if self.schedule.minutes is not None:
            return self._clock() / (60 * self.schedule.minutes)
        return step / self.state.max_steps if self.state.max_steps else 0.0

    def _due(self, clock: float) -> bool:
        """Return whether a validation is due with a budget in minutes: ten times per run, unless it takes too long."""
        if self.validation is None or self.schedule.minutes is None or self.schedule.evaluate_every is not None:
            return False
        since, cost = self._sum_over_processes([self.looked, self.cost] if self.args.process_index == 0 else [0.0, 0.0])
        return clock - since >= max(6 * self.schedule.minutes, COSTLY * cost)

    def _clock(self) -> float:
        """Return the elapsed seconds of the first process, so that all processes have the same learning rate and end."""
        mine = self.elapsed() if self.args.process_index == 0 else 0.0
        return self._sum_over_processes([mine])[0]

    def _sum_over_processes(self, values: list[float]) -> list[float]:
        """Return the sums over all processes."""
        if self.args.world_size == 1:
            return values
        summed: list[float] = self.accelerator.reduce(
            torch.tensor(values, dtype=torch.float64, device=self.args.device)
        ).tolist()
        return summed

    def _counted(self, name: str) -> float:
        return float(self.before[name] + getattr(self.stream, name))

    # Resuming after an interruption.

    def _save_now(self) -> bool:
        due = time.monotonic() - self.saved >= SAVE_SECONDS or self.control.should_training_stop
        return self.keep and self.state.global_step > 0 and self._sum_over_processes([float(due)])[0] > 0

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        began = time.monotonic()
        super()._save_checkpoint(model, trial)
        self.saved = time.monotonic()
        self.aside += self.saved - began

    def write_progress(self, folder: Path) -> None:
        """Write the elapsed time, the counts and the best weights so far."""
        tokens, places = self._sum_over_processes([self._counted("tokens"), self._counted("places")])
        if not self.is_world_process_zero():
            return
        if self.best[2]:
            save_file(self.best[2], folder / "best.safetensors")
        if self.averaged:
            save_file(self.averaged.weights, folder / "average.safetensors")
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
        """Load what `write_progress` wrote; return whether the training was finished."""
        saved = files.read_json(checkpoint / "lyrist.json", "a checkpoint")
        changed = {name for name, value in self._settings().items() if saved["settings"].get(name) != value}
        if changed:
            raise other_settings(self.folder, changed)
        step = int(checkpoint.name.rpartition("-")[2])
        self.stream.start = self.state.global_step = step
        self.before = saved["before"]
        if self.args.process_index:  # the counts are sums over all processes
            self.before |= {"tokens": 0, "places": 0}
        best = checkpoint / "best.safetensors"
        self.best = (*saved["best"], load_file(best) if best.exists() else {})
        self.stale = saved["stale"]
        if self.averaged:
            self.averaged.weights = load_file(checkpoint / "average.safetensors", device=str(self.args.device))
        self.journal.start(read_whole(self.folder, step))
        return bool(saved["finished"])

    def _settings(self) -> dict[str, Any]:
        """Return the settings that must not change when a run is resumed."""
        settings = dataclasses.asdict(self.schedule)
        for name in FREE:
            del settings[name]
        lengths = self.stream.dataset.lengths
        shapes = [list(p.shape) for p in self.network.parameters()]
        return settings | {"songs": len(lengths), "tokens in them": int(lengths.sum()), "network": shapes}


class StepCallback(TrainerCallback):
    """Calls the loop after each step."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Log and validate if it is due."""
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
        ddp_find_unused_parameters=False,
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
        if loop.args.world_size > 1:
            atexit.unregister(_leave_process_group)
            atexit.register(_leave_process_group)
        return loop.outcome()


def _leave_process_group() -> None:
    """Destroy the process group, and so end its threads, while the interpreter still runs.

    A thread of Gloo that releases its last tensor during the exit of the interpreter aborts the process. Other trainings of
    this process use the same group, so it is kept until then; after an error it is not destroyed, because that can wait for
    a process that has ended.
    """
    gc.collect()  # the models of finished trainings refer to the group
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


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
