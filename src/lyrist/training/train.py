"""`train`: fit one recipe, score it on validation and, once, on test, and write the run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist import files, progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import UsageError
from lyrist.metrics.classification import score
from lyrist.metrics.intervals import wilson
from lyrist.models import registry
from lyrist.models.inputs import songs as as_input
from lyrist.results import Result
from lyrist.training import estimators, journal, runs
from lyrist.training.cards import card
from lyrist.training.dataset import Predictions, View, view
from lyrist.training.memoryguard import Room, room

HELD = ("validation", "test")

LYRICS = "lyrics"
"""The target of a recipe that writes."""


@dataclass(frozen=True)
class Fitted:
    """A recipe that was fitted and scored."""

    run: runs.Run
    judged: Mapping[str, Predictions]
    """By split: what it answered."""

    def summary(self) -> str:
        """Return the scores, beside the majority's, and where the run is."""
        info, results = self.run.info, self.run.results
        lines = [f"{info['recipe']} on {info['target']}: {info['parameters']:,} parameters, {info['seconds']:.1f} s"]
        if info.get("songs_available"):
            learnt = f"{info['songs']['train']:,} of {info['songs_available']:,} training songs"
            lines.append(f"  learnt from {learnt}, drawn from each {info['target']} alike (--max-songs)")
        lines += [f"  {split:<11} {scored(results[split])}" for split in HELD]
        if note := Room(info.get("memory_estimate"), info.get("memory_available", 0)).note:
            lines.append(f"  it {note}")
        majority = results["majority"]
        lines.append(f"  majority    accuracy {majority['accuracy']['value']:.3f} (always '{majority['label']}')")
        if results["test"].get("unseen_labels"):
            lines.append(f"  not in training, so counted as wrong: {', '.join(results['test']['unseen_labels'][:5])}")
        lines.append(f"run: {self.run.path}")
        return "\n".join(lines)

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds, with the run's path and cost."""
        info = self.run.info
        return {
            "run": str(self.run.path),
            **{k: info[k] for k in ("recipe", "parameters", "seconds")},
            **self.run.results,
        }


def scored(scores: Mapping[str, Any]) -> str:
    """Return accuracy with interval and n, macro F1 and loss as text."""
    accuracy = scores["accuracy"]
    return (
        f"accuracy {accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}] (n = {scores['n']:,}), "
        f"macro F1 {scores['macro_f1']:.3f}, loss {scores['loss']:.3f}"
    )


def train(
    recipe: str,
    data: str,
    *,
    out: str,
    target: str | None = None,
    condition: str = "",
    only: str = "",
    max_songs: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    seed: int = 0,
    resume: bool = False,
    **options: str,
) -> Result:
    """Fit one model and score it on validation and test.

    Parameters
    ----------
    recipe
        The model; ``lyrist recipes`` lists them.
    data
        A corpus directory, made by ``lyrist prepare``.
    out
        The run directory.
    target
        What is told from the lyrics: artist (the default), genre, or another column of the corpus; ``lyrics`` for a
        recipe that writes.
    condition
        For a recipe that writes: the columns that it is told first, separated by commas, such as genre,artist.
    only
        Labels to keep, separated by commas; empty keeps all.
    max_songs
        Learn from at most so many training songs, drawn at random, of each label alike; by default from all.
    steps
        The budget of a network in updates of its weights.
    minutes
        The budget of a network in wall-clock minutes.
    batch_size
        Songs an update of a network.
    device
        auto, cpu or cuda.
    seed
        Decides everything that is drawn at random.
    resume
        Go on with an interrupted run.
    options
        Any option of the recipe; ``lyrist recipes NAME`` lists them.

    Raises
    ------
    LyristError
        The corpus, the target, the recipe or an option is not there or cannot be used.
    """
    given = {**asked(recipe, steps=steps, minutes=minutes, batch_size=batch_size, device=device), **options}
    if registry.get(recipe).task == "picture":
        refused = {"target": target, "condition": condition, "only": only, "max-songs": max_songs}
        from lyrist.training import trainpictures

        return trainpictures.train(recipe, data, out=out, given=given, seed=seed, resume=resume, refused=refused)
    if registry.get(recipe).task == "write" or target == LYRICS:
        from lyrist.training import trainwriter

        if max_songs is not None:
            raise UsageError(f"'{recipe}' writes; --max-songs is for recipes that tell a label: leave it out.")
        return trainwriter.train(
            recipe, data, out=out, target=target, condition=condition, only=only, given=given, seed=seed, resume=resume
        )
    if condition:
        raise UsageError(
            f"'{recipe}' does not write, so there is no --condition; the artist goes in by --features artist."
        )
    corpus, target = Corpus.open(data), target or "artist"
    estimators.make_estimator(recipe, given, seed)
    labels = tuple(part.strip() for part in only.split(",") if part.strip())
    question = view(corpus, target, labels, most=max_songs, seed=seed, lyrics=False)
    return fit(question, recipe, Path(out), options=given, seed=seed, resume=resume)


def asked(recipe: str, **given: Any) -> dict[str, Any]:
    """Return the options of the training loop that were given for one recipe.

    Raises
    ------
    UsageError
        The recipe is not trained in steps, so that they would mean nothing.
    """
    used = budget(recipe, **given)
    for name, value in given.items():
        if value not in (None, "cpu", "auto") and name not in used:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"'{recipe}' is fitted on the CPU in one go, so {flag} means nothing to it; leave it out.")
    return used


def budget(recipe: str, **given: Any) -> dict[str, Any]:
    """Return the options of the training loop that were given, for a network; other recipes have no use for them."""
    if registry.get(recipe).family not in ("neural", "mixture"):
        return {}
    return {name: value for name, value in given.items() if value is not None}


def fit(
    view: View,
    recipe: str,
    out: Path,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    name: str = "",
) -> Fitted:
    """Fit a recipe on the training songs of a view and write the run directory ``out``.

    The validation songs choose the step of a network; the test songs are read once, at the end. With ``resume``, a run of
    just this that is finished is returned.
    """
    if resume and files.finished(out, runs.MARKER):
        before = fitted_before(out, recipe, options, seed, view)
        if before:
            return before
    asked = _asked(recipe, options, seed, view)
    with runs.create(out, resume=resume, asked=asked) as folder:
        learnt = learn(view, recipe, options=options, seed=seed, folder=folder, resume=resume, name=name)
        estimator, judged, results = learnt.estimator, learnt.judged, learnt.results
        runs.save_model(estimator, folder)
        info = {
            **asked,
            "name": name or recipe,
            "task": "classify",
            **({"songs_available": view.available} if view.available else {}),
            "corpus": str(view.corpus.path.resolve()),
            "cleaning": view.corpus.info["settings"]["cleaning"],
            "seconds": learnt.seconds,
            "cpu_seconds": learnt.cpu_seconds,
            **learnt.room.told(),
        }
        for split, answers in judged.items():
            runs.write_predictions(
                folder, split, answers.ids.tolist(), answers.truth, answers.classes, answers.probabilities
            )
        runs.write_results(folder, results)
        whole = runs.write_run(folder, estimator, info)
        if runs.is_main():
            files.write_text(folder / runs.MODEL / "README.md", card(whole, results))
            _draw_curves(folder, recipe, whole.get("best_step"))
    return Fitted(runs.open_run(out), judged)


@dataclass(frozen=True)
class Learnt:
    """A fitted estimator and what it answered, in memory."""

    estimator: Any
    judged: Mapping[str, Predictions]
    """By split."""
    results: dict[str, Any]
    """By split the scores, and the majority's."""
    seconds: float
    """Wall-clock seconds of fitting."""
    cpu_seconds: float
    """CPU seconds of fitting, of this process."""
    room: Room
    """What memory it was estimated to take before it was fitted."""


def learn(
    view: View,
    recipe: str,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    name: str = "",
) -> Learnt:
    """Fit a recipe on the training songs of a view and score it on the others; nothing is saved but a network's log."""
    estimator, space = estimators.make_estimator(recipe, options, seed), space_for(view, recipe, options)
    started, cpu = time.monotonic(), time.process_time()
    if registry.get(recipe).family == "neural":
        estimator.set_params(folder=folder, resume=resume)
        train, held = view.texts("train"), view.texts("validation")
        estimator.fit(_inputs(train), _labels(train), validation=(_inputs(held), _labels(held)))
    elif hasattr(estimator, "fit_blocks"):
        sizes = dict(view.part("train")["label"].value_counts().iter_rows())
        estimator.fit_blocks(lambda: ((_inputs(block), _labels(block)) for block in view.mixed("train", seed)), sizes)
    else:
        train = view.texts("train")
        with progress.task(name or recipe) as advance:
            advance(0, len(train), space.note)
            estimator.fit(_inputs(train), _labels(train))
            advance(len(train), len(train))
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
    judged = {split: _judge(estimator, view, split) for split in HELD}
    return Learnt(estimator, judged, _results(view, judged), seconds, cpu_seconds, space)


def space_for(view: View, recipe: str, options: Mapping[str, Any]) -> Room:
    """Return what memory a recipe will take on the training songs of a view, and what there is.

    Raises
    ------
    LyristError
        There is too little.
    """
    return room(recipe, options, len(view.part("train")), len(view.classes), view.characters)


def fitted_before(out: Path, recipe: str, options: Mapping[str, Any], seed: int, view: View) -> Fitted | None:
    """Return the finished run in ``out`` if it is of just this recipe, options, seed and split; else None."""
    files.complete(out)
    if not (out / runs.MARKER).is_file():
        return None
    run, same = runs.open_run(out), _asked(recipe, options, seed, view)
    if any(run.info.get(key) != value for key, value in same.items()):
        return None
    return Fitted(run, {split: judged_before(run, split) for split in HELD})


def _asked(recipe: str, options: Mapping[str, Any], seed: int, view: View) -> dict[str, Any]:
    """Return what decides the outcome of a run, as ``run.json`` has it."""
    return {
        "recipe": recipe,
        "target": view.target,
        "split_by": view.split_by,
        "split_seed": view.seed,
        "only": list(view.only),
        "songs": {split: len(view.part(split)) for split in ("train", *HELD)},
        "config": _json_like(estimators.resolved(recipe, options, seed)),
        "fingerprint": view.corpus.fingerprint,
        "seed": seed,
    }


def judged_before(run: runs.Run, split: str) -> Predictions:
    """Return the answers that a finished run has saved."""
    table = run.predictions(split)
    probabilities = np.array(table["probabilities"].to_list(), dtype=float)
    return Predictions(table["id"].to_numpy(), table["truth"].to_list(), probabilities, list(run.info["classes"]))


def _json_like(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_like(item) for key, item in value.items()}
    return [_json_like(item) for item in value] if isinstance(value, list | tuple) else value


def _inputs(songs: pl.DataFrame) -> Any:
    return as_input(songs["lyrics"].fill_null("").to_list(), songs["artist"].fill_null("").to_list())


def _labels(songs: pl.DataFrame) -> list[str]:
    return songs["label"].to_list()


def _judge(estimator: Any, view: View, split: str) -> Predictions:
    """Answer the songs of a split, a block at a time: their n-grams take ten times the memory of their text."""
    part, classes = view.part(split), [str(c) for c in estimator.classes_]
    probabilities = np.empty((len(part), len(classes)))
    done = 0
    with progress.task(f"scoring on {split}") as advance:
        for block in view.blocks(split):
            probabilities[done : done + len(block)] = estimator.predict_proba(_inputs(block))
            done += len(block)
            advance(done, len(part))
    return Predictions(part["id"].to_numpy(), _labels(part), probabilities, classes)


def _results(view: View, judged: Mapping[str, Predictions]) -> dict[str, Any]:
    found: dict[str, Any] = {s: score(j.truth, j.probabilities, j.classes) for s, j in judged.items()}
    return {**found, "majority": majority(view)}


def majority(view: View) -> dict[str, Any]:
    """Return what always answering the commonest training label would reach on test."""
    label = view.part("train")["label"].value_counts().sort(["count", "label"], descending=[True, False])["label"][0]
    truth = view.part("test")["label"]
    right = int((truth == label).sum())
    low, high = wilson(right, len(truth))
    return {"label": label, "n": len(truth), "accuracy": {"value": right / len(truth), "low": low, "high": high}}


def _draw_curves(folder: Path, recipe: str, best_step: int | None) -> None:
    if not journal.read(folder):
        return
    from lyrist.training.curves import beside, curves

    drawn = curves(journal.read(folder), recipe, best_step)
    if drawn:
        files.write_text(folder / "curves.svg", beside(drawn))
