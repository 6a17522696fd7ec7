"""The task of classifying pictures, or of reconstructing them: the fit on one block of classes, and the scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lyrist.errors import LyristError, UsageError
from lyrist.images.copies import Copies, find
from lyrist.images.pictureset import Block, block, read
from lyrist.metrics import classification as image_metrics
from lyrist.metrics.classification import constant_accuracy, score_pictures, score_reconstructions
from lyrist.training import estimators, runs
from lyrist.training.cards import picture_card
from lyrist.training.memoryguard import Room, available
from lyrist.training.predictions import Predictions
from lyrist.training.train import HELD, Fitted, Selection, Task, json_ready

if TYPE_CHECKING:
    from lyrist.reports.blocks import Figure
    from lyrist.training.image_training import Material, PictureModel

UNITS = {"loss": "nats a picture", "accuracy": "share of pictures"}
RECONSTRUCTION_UNITS = {"loss": "mean squared error"}

DATA_OPTIONS = ("block", "source", "side", "per_class")
"""Options of `train` that decide the data, not the recipe."""


@dataclass(frozen=True)
class PictureTask(Task):
    """Classify the pictures of one block of classes."""

    kind: ClassVar[str] = "picture"
    block: Block
    per_class: int | None = None
    """Maximum number of training pictures of each class; None for all."""
    source: Fitted | None = None
    """The run whose features a transfer reads."""

    @classmethod
    def open(
        cls, recipe: str, data: str, selection: Selection, options: Mapping[str, Any], seed: int
    ) -> tuple[PictureTask, dict[str, Any]]:
        """Return the task on a set of pictures.

        ``options`` may hold ``block`` (1, 2 or all), ``source`` (the run whose features a transfer reads), ``side`` (of the
        pictures, in pixels) and ``per_class`` (maximum number of training pictures of each class).
        """
        refuse(selection.given(), recipe)
        named = {key.replace("-", "_"): value for key, value in options.items()}
        own = {key: value for key, value in named.items() if key in DATA_OPTIONS}
        rest = {key: value for key, value in named.items() if key not in DATA_OPTIONS}
        estimators.configure(recipe, rest, seed, "picture")
        source = open_source(own["source"]) if own.get("source") else None
        side = _whole("side", own.get("side"))
        if source is not None and side is None:
            side = network(source).side
        found = cls(block(read(data, side), str(own.get("block", "all")), seed), source=source)
        return found.limited(_whole("per-class", own.get("per_class")), seed), rest

    def limited(self, per_class: int | None, seed: int) -> PictureTask:
        """Return the task with at most so many training pictures of each class."""
        if per_class is None:
            return self
        return dataclasses.replace(self, block=self.block.with_at_most(per_class, seed), per_class=per_class)

    @cached_property
    def copies(self) -> Copies:
        """The test pictures that have a near-copy in training or validation."""
        seen = np.concatenate([self.block.pixels("train"), self.block.pixels("validation")])
        return find(seen, self.block.pixels("test"))

    @cached_property
    def material(self) -> Material:
        """The arrays on which networks are fitted."""
        from lyrist.training.image_training import Material

        there = self.block
        return Material(
            there.classes,
            there.pixels("train"),
            there.targets("train"),
            there.pixels("validation"),
            there.targets("validation"),
        )

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the whole set."""
        return self.block.pictures.fingerprint

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome, wherever the pictures are stored."""
        there, source = self.block, self.source
        compared = ("recipe", "config", "block", "fingerprint", "seed", "best_loss")
        return {
            "recipe": recipe,
            "target": "class",
            "block": there.name,
            "block_classes": list(there.classes),
            "split_by": "picture",
            "split_seed": there.seed,
            "only": [],
            "per_class": self.per_class,
            "side": there.pictures.side,
            "pictures": there.counts(),
            "config": json_ready(estimators.resolved(recipe, options, seed, "picture")),
            "form": there.pictures.form,
            "checksum": there.pictures.checksum,
            "fingerprint": self.fingerprint,
            "source": source.run.info["name"] if source else None,
            "source_fingerprint": {key: source.run.info.get(key) for key in compared} if source else None,
            "seed": seed,
        }

    def memory(self, recipe: str, options: Mapping[str, Any]) -> Room:
        """Return the available memory; there is no estimate for pictures."""
        return Room(None, available())

    def learn(
        self,
        recipe: str,
        options: Mapping[str, Any],
        *,
        seed: int,
        folder: Path | None = None,
        resume: bool = False,
        title: str = "",
    ) -> PictureModel:
        """Return the fitted network; the validation pictures select its step."""
        from lyrist.training import image_training

        return image_training.learn(
            recipe,
            options,
            self.material,
            seed=seed,
            folder=folder,
            resume=resume,
            source=network(self.source) if self.source else None,
            title=title,
        )

    def describe(self, model: PictureModel) -> dict[str, Any]:
        """Return the keys of ``run.json`` that describe the network and its training."""
        from lyrist.training.image_training import pictures_per_second

        if model.outcome is None:
            raise LyristError("The network was not trained here.")
        return {
            "parameters": model.parameters(),
            "classes": model.classes_,
            "corpus": str(self.block.pictures.path.resolve()),
            **model.outcome.summary(),
            "pictures_per_second": pictures_per_second([model.before, model.outcome]),
            **({"autoencoder": model.before.summary()} if model.before else {}),
        }

    def score(self, model: PictureModel, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores on validation and test, with and without near-copies; predictions are stored in ``folder``."""
        there, found = self.block, dict[str, Any]()
        for part in HELD:
            pixels, truth = there.pixels(part), there.labels(part)
            if model.is_autoencoder:
                found[part] = score_reconstructions(pixels, model.reconstruct(pixels))
                continue
            probabilities = model.predict_proba(pixels)
            found[part] = score_pictures(truth, probabilities, model.classes_)
            if folder:
                Predictions(there.rows(part), truth, probabilities, model.classes_).write(folder, part)
            if part == "test" and 0 < len(self.copies.test) < len(truth):
                alone = np.setdiff1d(np.arange(len(truth)), self.copies.test)
                kept = score_pictures([truth[i] for i in alone], probabilities[alone], model.classes_)
                found["test_without_copies"] = kept
        found["copies"] = self.copies.summary(len(there.rows("test")))
        found["ledger"] = there.pictures.ledger()
        return found if model.is_autoencoder else {**found, "majority": self.majority()}

    def majority(self) -> dict[str, Any]:
        """Return the test accuracy of always predicting the most frequent training class."""
        counts = np.bincount(self.block.targets("train"), minlength=len(self.block.classes))
        return constant_accuracy(self.block.classes[int(counts.argmax())], self.block.labels("test"))

    def save(self, model: PictureModel, folder: Path) -> None:
        """Write the network into a run directory."""
        model.save(folder / runs.MODEL)

    @staticmethod
    def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
        """Return the model card in Markdown."""
        return picture_card(info, results)

    @staticmethod
    def curves(run: runs.Run) -> list[Figure]:
        """Return the training curves."""
        from lyrist.training.curves import curves

        units = RECONSTRUCTION_UNITS if reconstructs(run) else UNITS
        return curves(run.metrics, run.info["name"], run.info["best_step"], units)

    @staticmethod
    def headline(run: runs.Run) -> list[str]:
        """Return the line of the summary that precedes the scores."""
        info = run.info
        return [
            f"{info['recipe']} on {len(info['block_classes'])} classes (block {info['block']}): {info['parameters']:,} "
            f"parameters, {info['seconds']:.1f} s, {info['pictures_per_second']:,.0f} pictures/s"
        ]

    @staticmethod
    def remarks(run: runs.Run) -> list[str]:
        """Return the lines of the summary that follow the scores."""
        results, lines = run.results, []
        if not reconstructs(run):
            majority = results["majority"]
            lines.append(f"  majority    top-1 {majority['accuracy']['value']:.3f} (always '{majority['label']}')")
        copies, ledger = results["copies"], results["ledger"]
        lines.append(
            f"  near-copies {copies['with_copy_in_training']:,} of {copies['test_pictures']:,} test pictures have one in "
            f"training ({copies['exact']:,} exact)"
        )
        if ledger["rejected"]:
            first = ledger["files"][0]
            lines.append(f"  left out    {ledger['rejected']:,} files, the first: {first['name']} ({first['reason']})")
        return lines

    @staticmethod
    def scored(scores: Mapping[str, Any]) -> str:
        """Return accuracy, or the error of an autoencoder, with interval and n as text."""
        return image_metrics.describe_pictures(scores)


def reconstructs(run: runs.Run) -> bool:
    """Return whether a run for pictures is an autoencoder."""
    return "mse" in run.results["test"]


def network(fitted: Fitted) -> PictureModel:
    """Open the network of a run for pictures."""
    from lyrist.training.image_training import PictureModel

    return PictureModel.load(fitted.run.path / runs.MODEL)


def open_source(path: str) -> Fitted:
    """Open the run whose features are to be transferred.

    Raises
    ------
    LyristError
        It does not exist, or is no run for pictures.
    """
    run = runs.open_run(path)
    if run.info["task"] != PictureTask.kind:
        raise LyristError(f"{path} is not a run for pictures; give one that is as --source.")
    return Fitted(run)


def refuse(given: list[str], what: str) -> None:
    """Raise where an option was given that has no meaning for pictures."""
    if given:
        raise UsageError(f"'{what}' is for pictures, whose folders are their classes; leave --{given[0]} out.")


def _whole(name: str, value: Any) -> int | None:
    """Return an option as a whole number above 0, or None where it was not given."""
    if value is None:
        return None
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = 0
    if found < 1:
        raise UsageError(f"--{name} must be a whole number above 0, got '{value}'.")
    return found
