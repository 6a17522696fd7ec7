"""The protocol of a published report: a model trained as its authors did, with none of Lyrist's improvements.

One training run gives two figures. Every candidate (an epoch of a network, a point of a grid) is scored on validation and on
test. The rule of the report selects by the test songs, which is biased: the best of many noisy figures is reported. The same
rule, applied to the validation songs, is the honest one: the test songs are then read once. The run keeps the honestly selected
weights. Where a report counts a figure in a way of its own (padding included), the scores of a candidate have both: ``counted``
as the report did, and ``real``.

Rules: ``best`` is the epoch with the highest accuracy; ``stop`` ends training when the loss has not fallen for ``patience``
epochs, and keeps the last weights (the default of Keras); ``last`` is the last epoch, which selects nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.metrics.classification import score, score_reconstructions
from lyrist.metrics.intervals import proportion
from lyrist.models import registry
from lyrist.training import estimators
from lyrist.training.classification_task import ClassificationTask, inputs
from lyrist.training.journal import Journal
from lyrist.training.picture_task import PictureTask
from lyrist.training.picture_task import network as open_network
from lyrist.training.schedule import Protocol, Rule, kept_memory, threads
from lyrist.training.train import HELD, Task, json_ready

if TYPE_CHECKING:
    from lyrist.training.batches import Examples
    from lyrist.training.classifier import NeuralClassifier
    from lyrist.training.loop import Measure, Outcome


SMALLEST = 0.2
"""Smallest share of the epochs of a report that a rerun is trained for.

The reported LSTM of 128 on 309 songs predicts the most frequent class for the first 22 of its 150 epochs.
"""


class Choice:
    """The candidate that a rule selects by the scores on one split.

    Attributes
    ----------
    at
        The number of the selected candidate, from 1.
    kept
        What was passed with it.
    done
        Whether the rule needs no further candidate.
    """

    def __init__(self, rule: Rule, patience: int) -> None:
        self.rule, self.patience = rule, patience
        self.at, self.done = 0, False
        self.kept: Any = None
        self._best, self._waited = -math.inf, 0

    def offer(self, number: int, scores: Mapping[str, float], candidate: Any) -> None:
        """Consider the next candidate with its scores."""
        if self.done:
            return
        better = (scores["accuracy"] if self.rule == "best" else -scores["loss"]) > self._best
        if better:
            self._best, self._waited = scores["accuracy"] if self.rule == "best" else -scores["loss"], 0
        else:
            self._waited += 1
        if better or self.rule != "best":
            self.at, self.kept = number, candidate
        self.done = self.rule == "stop" and not better and self._waited >= self.patience


@dataclass(frozen=True)
class Reported(Task):
    """What the tasks that follow the protocol of a report share; among the bases it precedes the task of the data."""

    protocol: Protocol = field(default_factory=Protocol)
    limit: float = math.inf
    """CPU seconds that a fit may take."""

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome."""
        found = super().identity(recipe, options, seed)  # type: ignore[safe-super]
        return {**found, "protocol": json_ready(dataclasses.asdict(self.protocol))}

    def learn(
        self,
        recipe: str,
        options: Mapping[str, Any],
        *,
        seed: int,
        folder: Path | None = None,
        resume: bool = False,
        title: str = "",
    ) -> Any:
        """Return the model that the rule selects on validation; its `rerun_` has every candidate, both selections, the cost."""
        started, cpu = time.monotonic(), time.process_time()
        model, rerun = self.rerun(recipe, options, seed, folder, title or recipe)
        model.rerun_ = {**rerun, "seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        return model

    @abstractmethod
    def rerun(
        self, recipe: str, options: Mapping[str, Any], seed: int, folder: Path | None, title: str
    ) -> tuple[Any, dict[str, Any]]:
        """Return the model that the rule selects on validation, and every candidate with both selections."""

    def afford(self, estimate: float, smallest: float = SMALLEST) -> float:
        """Return the share of a training of so many CPU seconds that fits; less than ``smallest`` of it is refused.

        A training that does not fit takes half of what is left, so that others fit after it.
        """
        share = 1.0 if estimate <= self.limit else self.limit / 2 / estimate
        if share < smallest:
            raise LyristError(
                f"the rerun takes about {estimate / 60:,.1f} CPU-minutes, and {max(self.limit, 0) / 60:,.1f} are left of "
                "--cpu-minutes."
            )
        return share

    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores of the honestly selected model, and under ``rerun`` those of both selections."""
        return {**super().score(model, folder, title), "rerun": model.rerun_}  # type: ignore[safe-super]


@dataclass(frozen=True)
class ReportedTask(Reported, ClassificationTask):
    """Predict the label of each song by the protocol of a report."""

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome."""
        found = super().identity(recipe, options, seed)
        if registry.get(recipe).family == "neural":  # without the schedule of Lyrist's own training loop
            found["config"] = json_ready(registry.values(estimators.configure(recipe, options, seed)[1]))
        return found

    def rerun(
        self, recipe: str, options: Mapping[str, Any], seed: int, folder: Path | None, title: str
    ) -> tuple[Any, dict[str, Any]]:
        """Train a network, or fit every point of a grid."""
        if registry.get(recipe).family == "neural":
            return self._network(recipe, options, seed, folder, title)
        return self._grid(recipe, options, seed, title)

    def _grid(self, recipe: str, options: Mapping[str, Any], seed: int, title: str) -> tuple[Any, dict[str, Any]]:
        """Fit every point of the grid; return the estimator that validation selects."""
        grid, rows = self.protocol.grid, []
        points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        choices = {split: Choice("best", 0) for split in HELD}
        train, began = self.view.texts("train"), time.process_time()
        with progress.task(title, "fits") as advance:
            for number, point in enumerate(points, 1):
                model = estimators.make_estimator(recipe, {**options, **point}, seed).fit(
                    inputs(train), self.view.y(train)
                )
                row: dict[str, Any] = {"number": number, "options": point}
                for split in HELD:
                    predicted = self.predict(model, split)
                    found = score(predicted.truth, predicted.probabilities, predicted.classes)
                    row[split] = {"accuracy": found["accuracy"]["value"], "loss": found["loss"], "n": found["n"]}
                    choices[split].offer(number, row[split], model)
                rows.append(row)
                self.afford((time.process_time() - began) * len(points) / number, smallest=1.0)
                advance(number, len(points), "")
        return choices["validation"].kept, _record(rows, choices, "fit")

    def _network(
        self, recipe: str, options: Mapping[str, Any], seed: int, folder: Path | None, title: str
    ) -> tuple[NeuralClassifier, dict[str, Any]]:
        """Train a network; it ends with the weights that validation selects."""
        from lyrist.training.classifier import NeuralClassifier

        texts = {split: self.view.texts(split) for split in ("train", *HELD)}
        found = NeuralClassifier(recipe, options, seed)
        examples = found.build(inputs(texts["train"]), self.view.y(texts["train"]))
        held = {split: found.examples(inputs(texts[split]), self.view.y(texts[split])) for split in HELD}
        config: Any = found.model_.config
        if config.as_reported and not config.pad_batch:
            # One length for all songs, so that the scores of a song do not depend on its batch.
            config.pad_to = max(int(each.lengths.max()) for each in (examples, *held.values()))
            found.tokenizer_.model_max_length = config.pad_to
        learnt = "embedding" if found.coverage_ else ""  # word vectors from a file are no initial weights
        outcome, rerun = follow(
            found.model_, examples, held, self.protocol, seed=seed, folder=folder, title=title, afford=self.afford,
            keep=learnt,
        )  # fmt: skip
        padding = max(0.0, 1 - float(examples.lengths.mean()) / config.pad_to) if config.pad_to else 0.0
        found.outcome_ = dataclasses.replace(outcome, padding=padding)
        return found, rerun


@dataclass(frozen=True)
class ReportedPictureTask(Reported, PictureTask):
    """Classify the pictures of a block by the protocol of a report."""

    def rerun(
        self, recipe: str, options: Mapping[str, Any], seed: int, folder: Path | None, title: str
    ) -> tuple[Any, dict[str, Any]]:
        """Train a network; it ends with the weights that validation selects."""
        from lyrist.training.image_training import (
            PictureExamples,
            PictureModel,
            classification,
            reconstruction,
        )

        entry, settings, _ = estimators.configure(recipe, options, seed, "picture")
        parts = {part: PictureExamples(self.block.pixels(part), self.block.targets(part)) for part in ("train", *HELD)}
        source = open_network(self.source).network if self.source else None
        built: Any = entry.build(settings, self.material.shape(source))
        found = PictureModel(built)
        if source:  # the features are read as they are
            built.frozen = True
            built.body.requires_grad_(False)
        measure = reconstruction if found.is_autoencoder else classification(built.config.output)

        def errors(part: str) -> dict[str, Any]:
            pixels = self.block.pixels(part)
            scores = score_reconstructions(pixels, found.reconstruct(pixels))
            shown = {"mse": scores["mse"]}
            return {"loss": scores["mse"]["value"], "n": scores["n"], "counted": shown, "real": shown}

        found.outcome, rerun = follow(
            built, parts.pop("train"), parts, self.protocol, seed=seed, folder=folder, title=title, afford=self.afford,
            measure=measure, keep="body" if source else "", score=errors if found.is_autoencoder else None,
        )  # fmt: skip
        return found, rerun


def _record(rows: list[dict[str, Any]], choices: Mapping[str, Choice], unit: str) -> dict[str, Any]:
    """Return every candidate, and the test scores of those that the rule selects by test, by validation, and the last."""

    def scores(number: int, way: str) -> dict[str, Any]:
        test = rows[number - 1]["test"]
        shown = test.get(way) or {"accuracy": proportion(round(test["accuracy"] * test["n"]), test["n"])}
        return {"number": number, "n": test["n"], "loss": test["loss"], **shown}

    return {
        "unit": unit,
        "candidates": rows,
        "biased": scores(choices["test"].at, "counted"),
        "honest": scores(choices["validation"].at, "real"),
        "last": scores(len(rows), "counted"),
    }


def follow(
    model: Any,
    examples: Examples,
    held: Mapping[str, Examples],
    protocol: Protocol,
    *,
    seed: int,
    folder: Path | None,
    title: str,
    afford: Callable[[float], float],
    measure: Measure | None = None,
    keep: str = "",
    score: Callable[[str], dict[str, Any]] | None = None,
) -> tuple[Outcome, dict[str, Any]]:
    """Train a network by a protocol; it ends with the weights that validation selects.

    Parameters
    ----------
    model
        The network; its weights are drawn again as the library of the report does.
    examples, held
        The training set, and those of validation and test.
    protocol, seed
        How it is trained.
    folder
        The folder for ``metrics.jsonl``; None: none is written.
    title
        The title of the progress bar.
    afford
        Returns the share of the training that is affordable, from the estimated CPU seconds of all of it; or raises an error.
    measure
        The sums of loss and correct predictions on a batch; by default `lyrist.training.loop.classification`.
    keep
        The name of the module whose weights are not drawn again.
    score
        Returns the scores on validation or test; by default loss, accuracy and n by the measure.

    Returns
    -------
    Outcome
        Figures of the training.
    dict
        Every epoch and both selections.
    """
    import torch

    from lyrist.models.network import initialise
    from lyrist.training.batches import Stream
    from lyrist.training.loop import Outcome, classification, seeded

    stream = Stream(examples, protocol.batch_size, 1, seed=seed, bucketed=False)
    every = protocol.every or stream.updates_per_epoch
    total = protocol.epochs * stream.updates_per_epoch
    total = planned = min(total, protocol.steps or total)
    measure = measure or classification
    score = score or (lambda split: _scores(model, held[split], protocol.batch_size, measure))
    choices = {split: Choice(protocol.rule, protocol.patience) for split in HELD}
    journal, tokens = Journal(folder), 0
    rows: list[dict[str, Any]] = []
    journal.start([])
    began, started = time.process_time(), time.monotonic()
    kept = {name: value.clone() for name, value in model.state_dict().items() if keep and name.startswith(keep)}
    with seeded(seed), threads(model), kept_memory(), progress.task(title, "steps") as advance:
        if protocol.library != "pretrained":
            initialise(model, protocol.library)
        model.load_state_dict(kept, strict=False)
        weights = [w for w in model.parameters() if w.requires_grad]
        if protocol.optimizer == "adam":
            epsilon = 1e-7 if protocol.library == "keras" else 1e-8
            optimizer: Any = torch.optim.Adam(weights, lr=protocol.learning_rate, eps=epsilon)
        else:
            optimizer = torch.optim.SGD(weights, lr=protocol.learning_rate)
        cut = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=protocol.plateau or 10**9)
        for step in itertools.count(min(total, 1)):
            if step:
                batch = examples.collate(stream.rows(step - 1))
                model.train()
                outputs = model(**batch)
                optimizer.zero_grad()
                outputs.loss.backward()
                optimizer.step()
                loss = float(outputs.loss.detach())
                if not math.isfinite(loss):
                    raise LyristError(f"the loss of the rerun is no number at step {step}.")
                with torch.no_grad():
                    sums = measure(outputs, batch)
                shares = {name: float(value) / max(int(count), 1) for name, (value, count) in sums.items()}
                journal.add({"step": step, "split": "train", **shares, "loss": loss})
                tokens += int(batch["attention_mask"].sum()) if "attention_mask" in batch else len(batch["labels"])
                if step == 3:
                    afford((time.process_time() - began) * total / step)
            if step % every and step < total and not (protocol.every and step == 1):
                continue
            row: dict[str, Any] = {"number": len(rows) + 1, "step": step}
            for split in HELD:
                row[split] = score(split)
                logged = {name: row[split][name] for name in ("loss", "accuracy") if name in row[split]}
                journal.add({"step": step, "split": split, **logged})
            rows.append(row)
            if every <= step < 2 * every:  # after the first epoch with its validation
                estimate = (time.process_time() - began) * planned / step
                if (share := afford(estimate)) < 1:
                    total = max(round(share * planned / every), 1) * every
            state = {name: value.detach().clone() for name, value in model.state_dict().items()}
            for split in HELD:
                choices[split].offer(row["number"], row[split], state)
            cut.step(row["validation"]["loss"])  # not by the test songs: the run serves the honest selection too
            advance(step, total, f"test loss {row['test']['loss']:.3f}")
            if step >= total or all(choice.done for choice in choices.values()):
                break
    model.load_state_dict(choices["validation"].kept)
    model.eval()
    spent, best = time.monotonic() - started, rows[choices["validation"].at - 1]
    outcome = Outcome(
        steps=step, epochs=step / stream.updates_per_epoch, best_step=best["step"], best_loss=best["validation"]["loss"],
        tokens=tokens, tokens_per_second=tokens / spent, padding=0.0, seconds=spent, device="cpu", precision="float32",
        processes=1, metrics=journal.rows,
    )  # fmt: skip
    rerun = _record(rows, choices, "validation" if protocol.every else "epoch")
    return outcome, {**rerun, "share": total / planned, "estimate": estimate} if total < planned else rerun


def _scores(model: Any, examples: Examples, batch_size: int, measure: Measure) -> dict[str, Any]:
    """Return accuracy, loss and n of a network; a label that training lacks counts as wrong and has no loss."""
    import torch

    from lyrist.training.batches import in_order_of_length
    from lyrist.training.loop import tallied

    batches = map(examples.collate, in_order_of_length(examples, batch_size))
    means = tallied(model, batches, measure).means(lambda sums: sums, torch.device("cpu"))
    return {"accuracy": means["accuracy"], "loss": means.get("loss", 0.0), "n": len(examples)}
