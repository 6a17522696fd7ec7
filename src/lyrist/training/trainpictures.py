"""`train` for pictures: fit one recipe on a block of classes, score it on validation and, once, on test, write the run."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lyrist import files
from lyrist.errors import LyristError, UsageError
from lyrist.images.blocks import Block, block
from lyrist.images.copies import Copies, find
from lyrist.images.pictureset import read
from lyrist.metrics.images import describe, score_pictures, score_reconstructions
from lyrist.metrics.intervals import wilson
from lyrist.training import image_training, journal, runs
from lyrist.training.cards import picture_card
from lyrist.training.curves import beside, curves
from lyrist.training.dataset import Predictions
from lyrist.training.image_training import Material, PictureModel

HELD = ("validation", "test")

UNITS = {"loss": "nats a picture", "accuracy": "share of pictures"}
PAINTED = {"loss": "mean squared error"}


@dataclass(frozen=True)
class Question:
    """A block of classes, and what is known about copies between its parts."""

    block: Block
    per_class: int | None = None
    """Training pictures of each class at most; None for all."""

    @cached_property
    def copies(self) -> Copies:
        """Return the test pictures that have a near-copy among those that models are fitted or chosen by."""
        there = self.block
        seen = np.concatenate([there.pixels("train"), there.pixels("validation")])
        return find(seen, there.pixels("test"))

    @cached_property
    def material(self) -> Material:
        """Return what networks are fitted on."""
        there = self.block
        return Material(
            there.classes, there.pixels("train"), there.targets("train"),
            there.pixels("validation"), there.targets("validation"),
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the whole set."""
        return self.block.pictures.fingerprint

    def majority(self) -> dict[str, Any]:
        """Return what always answering the commonest training class would reach on test."""
        counts = np.bincount(self.block.targets("train"), minlength=len(self.block.classes))
        label, truth = int(counts.argmax()), self.block.targets("test")
        right = int((truth == label).sum())
        low, high = wilson(right, len(truth))
        accuracy = {"value": right / len(truth), "low": low, "high": high}
        return {"label": self.block.classes[label], "n": len(truth), "accuracy": accuracy}


@dataclass(frozen=True)
class FittedPictures:
    """A recipe for pictures that was fitted and scored."""

    run: runs.Run

    @property
    def paints(self) -> bool:
        """Whether it is an autoencoder."""
        return "mse" in self.run.results["test"]

    @cached_property
    def model(self) -> PictureModel:
        """Return the network."""
        return PictureModel.load(self.run.path / runs.MODEL)

    def judged(self, split: str) -> Predictions:
        """Return what it answered on a split."""
        table = self.run.predictions(split)
        probabilities = np.array(table["probabilities"].to_list(), dtype=float)
        return Predictions(
            table["id"].to_numpy(), table["truth"].to_list(), probabilities, list(self.run.info["classes"])
        )

    def summary(self) -> str:
        """Return the scores, beside the majority's, and where the run is."""
        info, results = self.run.info, self.run.results
        lines = [
            f"{info['recipe']} on {len(info['block_classes'])} classes (block {info['block']}): {info['parameters']:,} "
            f"parameters, {info['seconds']:.1f} s, {info['pictures_per_second']:,.0f} pictures/s"
        ]
        lines += [f"  {split:<11} {describe(results[split])}" for split in HELD]
        if not self.paints:
            best = results["majority"]
            lines.append(f"  majority    top-1 {best['accuracy']['value']:.3f} (always '{best['label']}')")
        copies = results["copies"]
        lines.append(
            f"  near-copies {copies['with_copy_in_training']:,} of {copies['test_pictures']:,} test pictures have one in "
            f"training ({copies['exact']:,} exact)"
        )
        left = results["ledger"]["rejected"]
        if left:
            first = results["ledger"]["files"][0]
            lines.append(f"  left out    {left:,} files, the first: {first['name']} ({first['reason']})")
        return "\n".join([*lines, f"run: {self.run.path}"])

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds, with the run's path and cost."""
        info = self.run.info
        keys = ("recipe", "parameters", "seconds", "pictures_per_second")
        return {"run": str(self.run.path), **{k: info[k] for k in keys}, **self.run.results}


OURS = ("block", "source", "side", "per_class")
"""Options that decide on the data, not on the recipe."""


def train(
    recipe: str, data: str, *, out: str, given: Mapping[str, Any], seed: int, resume: bool, refused: Mapping[str, Any]
) -> FittedPictures:
    """Fit a recipe for pictures; `lyrist.training.train.train` hands it over.

    Parameters
    ----------
    recipe
        A recipe for pictures.
    data
        A set of pictures, as `lyrist.images.pictureset.read` takes it.
    out
        The run directory.
    given
        Options of the recipe and of the training, and ``block`` (1, 2 or all), ``source`` (the run whose features a
        transfer reads), ``side`` (of the pictures, in pixels), ``per_class`` (training pictures of each class at most).
    seed
        Decides the blocks, the splits and everything else that is drawn.
    resume
        Go on with an interrupted run.
    refused
        Options of `train` that have no meaning here, with what was given.

    Raises
    ------
    LyristError
        The pictures, the recipe or an option are not there or cannot be used.
    """
    refuse(refused, recipe)
    own, options = split_options(given)
    image_training.configure(recipe, options, seed)
    source = open_source(own["source"]) if own.get("source") else None
    side = whole("side", own.get("side"))
    if source is not None and side is None:
        side = source.model.side
    there = block(read(data, side), str(own.get("block", "all")), seed)
    question = limited(Question(there), whole("per-class", own.get("per_class")), seed)
    return fit(question, recipe, Path(out), options=options, seed=seed, resume=resume, source=source)


def refuse(given: Mapping[str, Any], what: str) -> None:
    """Raise where an option was given that has no meaning for pictures."""
    for name, value in given.items():
        if value:
            raise UsageError(f"'{what}' reads pictures, whose folders are their classes; leave --{name} out.")


def split_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options that decide on the data, and the rest."""
    own = {key.replace("-", "_"): value for key, value in given.items() if key.replace("-", "_") in OURS}
    return own, {key: value for key, value in given.items() if key.replace("-", "_") not in OURS}


def whole(name: str, value: Any) -> int | None:
    """Return an option as a whole number above 0, or None where it was not given."""
    if value is None:
        return None
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = 0
    if found < 1:
        raise UsageError(f"--{name} is a whole number above 0; '{value}' is not.")
    return found


def limited(question: Question, per_class: int | None, seed: int) -> Question:
    """Return the question with at most so many training pictures of each class."""
    if per_class is None:
        return question
    return dataclasses.replace(question, block=question.block.with_at_most(per_class, seed), per_class=per_class)


def open_source(path: str) -> FittedPictures:
    """Open the run whose features are to be transferred.

    Raises
    ------
    LyristError
        It is not there, or did not read pictures.
    """
    run = runs.open_run(path)
    if run.info["task"] != "picture":
        raise LyristError(f"The run {path} does not read pictures; give one that does as --source.")
    return FittedPictures(run)


def fit(
    question: Question,
    recipe: str,
    out: Path,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    name: str = "",
    source: FittedPictures | None = None,
) -> FittedPictures:
    """Fit a recipe on the training pictures of a block and write the run directory ``out``.

    With ``resume``, a run of just this that is finished is returned.
    """
    if resume and files.finished(out, runs.MARKER):
        before = fitted_before(out, question, recipe, options, seed, source)
        if before:
            return before
    with runs.create(out, resume=resume, asked=_asked(question, recipe, options, seed, source)) as folder:
        model, cost = learn(
            question, recipe, options=options, seed=seed, folder=folder, resume=resume, name=name, source=source
        )
        results = _results(question, model, folder)
        info = {**_described(question, recipe, options, seed, name, source), **_told(model), **cost}
        runs.write_results(folder, results)
        whole_info = runs.write_run(folder, _Labels(model.classes_), info)
        if runs.is_main():
            model.save(folder / runs.MODEL)
            files.write_text(folder / runs.MODEL / "README.md", picture_card(whole_info, results))
            drawn = curves(journal.read(folder), recipe, info["best_step"], PAINTED if model.paints else UNITS)
            files.write_text(folder / "curves.svg", beside(drawn))
    return FittedPictures(runs.open_run(out))


def learn(
    question: Question,
    recipe: str,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    name: str = "",
    source: FittedPictures | None = None,
) -> tuple[PictureModel, dict[str, float]]:
    """Fit a recipe; return the network, and its wall-clock and CPU seconds."""
    started, cpu = time.monotonic(), time.process_time()
    model = image_training.learn(
        recipe, options, question.material, seed=seed, folder=folder, resume=resume,
        source=source.model if source else None, title=name or recipe,
    )  # fmt: skip
    return model, {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}


@dataclass(frozen=True)
class _Labels:
    """What `runs.write_run` asks of a fitted model."""

    classes_: list[str]


def _described(
    question: Question, recipe: str, options: Mapping[str, Any], seed: int, name: str, source: FittedPictures | None
) -> dict[str, Any]:
    """Return what decides the outcome of a run, JSON-ready."""
    there = question.block
    return {
        "recipe": recipe,
        "name": name or recipe,
        "task": "picture",
        "target": "class",
        "block": there.name,
        "block_classes": list(there.classes),
        "split_by": "picture",
        "split_seed": there.seed,
        "only": [],
        "per_class": question.per_class,
        "side": there.pictures.side,
        "pictures": there.counts(),
        "config": json.loads(json.dumps(image_training.resolved(recipe, options, seed))),
        "corpus": str(there.pictures.path.resolve()),
        "form": there.pictures.form,
        "checksum": there.pictures.checksum,
        "fingerprint": question.fingerprint,
        "source": source.run.info["name"] if source else None,
        "source_fingerprint": _source_of(source) if source else None,
        "seed": seed,
    }


def _source_of(source: FittedPictures) -> dict[str, Any]:
    """Return what tells one source from another."""
    return {key: source.run.info.get(key) for key in ("recipe", "config", "block", "fingerprint", "seed", "best_loss")}


def _told(model: PictureModel) -> dict[str, Any]:
    """Return what the training was."""
    if model.outcome is None:
        raise LyristError("The network was not trained here.")
    speed = image_training.pictures_per_second([model.before, model.outcome])
    found = {"parameters": model.parameters(), **model.outcome.summary(), "pictures_per_second": speed}
    return found | ({"autoencoder": model.before.summary()} if model.before else {})


def _results(question: Question, model: PictureModel, folder: Path) -> dict[str, Any]:
    """Score the network; write its predictions."""
    there, found = question.block, dict[str, Any]()
    for part in HELD:
        pixels, truth = there.pixels(part), there.labels(part)
        if model.paints:
            found[part] = score_reconstructions(pixels, model.reconstruct(pixels))
            continue
        probabilities = model.predict_proba(pixels)
        found[part] = score_pictures(truth, probabilities, model.classes_)
        runs.write_predictions(folder, part, there.rows(part).tolist(), truth, model.classes_, probabilities)
        if part == "test" and 0 < len(question.copies.test) < len(truth):
            alone = np.setdiff1d(np.arange(len(truth)), question.copies.test)
            kept = score_pictures([truth[i] for i in alone], probabilities[alone], model.classes_)
            found["test_without_copies"] = kept
    found["copies"] = question.copies.summary(len(there.rows("test")))
    found["ledger"] = there.pictures.ledger()
    return found if model.paints else {**found, "majority": question.majority()}


def fitted_before(
    out: Path, question: Question, recipe: str, options: Mapping[str, Any], seed: int, source: FittedPictures | None
) -> FittedPictures | None:
    """Return the finished run in ``out`` if it is of just this recipe, options, seed, block and source; else None."""
    files.complete(out)
    if not (out / runs.MARKER).is_file():
        return None
    run, wanted = runs.open_run(out), _asked(question, recipe, options, seed, source)
    return FittedPictures(run) if all(run.info.get(key) == value for key, value in wanted.items()) else None


def _asked(
    question: Question, recipe: str, options: Mapping[str, Any], seed: int, source: FittedPictures | None
) -> dict[str, Any]:
    """Return what decides the outcome of a run, wherever its pictures stand."""
    described = _described(question, recipe, options, seed, "", source)
    return {key: value for key, value in described.items() if key not in ("name", "corpus")}
