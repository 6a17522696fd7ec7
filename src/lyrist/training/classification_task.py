"""The task of predicting a label of a song from its lyrics: the fit, the scores and the majority class beside them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import UsageError
from lyrist.metrics.classification import constant_accuracy, score
from lyrist.metrics.conformal import PredictionSets, uniform_of
from lyrist.models import registry
from lyrist.models.inputs import songs as as_input
from lyrist.training import cards, estimators, runs
from lyrist.training.dataset import Predictions, View, view
from lyrist.training.domain import Domain
from lyrist.training.memoryguard import Room, room
from lyrist.training.train import HELD, Selection, Task, json_ready

if TYPE_CHECKING:
    from lyrist.reports.blocks import Figure


@dataclass(frozen=True)
class ClassificationTask(Task):
    """Predict the label of each song of a view."""

    kind: ClassVar[str] = "classify"
    view: View

    @classmethod
    def open(
        cls, recipe: str, data: str, selection: Selection, options: Mapping[str, Any], seed: int
    ) -> tuple[ClassificationTask, dict[str, Any]]:
        """Return the task of predicting the selected column of a corpus."""
        if selection.condition:
            raise UsageError(
                f"'{recipe}' does not write, so there is no --condition; the artist becomes an input by --features artist."
            )
        corpus = Corpus.open(data)
        estimators.make_estimator(recipe, options, seed)
        songs = view(
            corpus,
            selection.target or "artist",
            selection.labels,
            most=selection.max_songs,
            seed=seed,
            lyrics=False,
        )
        return cls(songs), dict(options)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the corpus."""
        return self.view.corpus.fingerprint

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome."""
        songs = self.view
        return {
            "recipe": recipe,
            "target": songs.target,
            "split_by": songs.split_by,
            "split_seed": songs.seed,
            "only": list(songs.only),
            "songs": {split: len(songs.part(split)) for split in ("train", *HELD)},
            "config": json_ready(estimators.resolved(recipe, options, seed)),
            "fingerprint": self.fingerprint,
            "seed": seed,
        }

    def memory(self, recipe: str, options: Mapping[str, Any]) -> Room:
        """Return the memory that the fit is estimated to take, and what is available."""
        songs = self.view
        return room(recipe, options, len(songs.part("train")), len(songs.classes), songs.characters)

    def held_out(self) -> tuple[Any, Any] | None:
        """Return texts and labels of the songs by which the step of a network is selected; None for a part of training."""
        held = self.view.texts("validation")
        return inputs(held), labels(held)

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
        """Return the fitted estimator; the validation songs select the step of a network."""
        estimator, space = estimators.make_estimator(recipe, options, seed), self.memory(recipe, options)
        if registry.get(recipe).family == "neural":
            estimator.set_params(folder=folder, resume=resume)
            train = self.view.texts("train")
            estimator.fit(inputs(train), labels(train), validation=self.held_out())
        elif hasattr(estimator, "fit_blocks"):
            sizes = dict(self.view.part("train")["label"].value_counts().iter_rows())
            blocks = self.view.mixed
            estimator.fit_blocks(lambda: ((inputs(b), labels(b)) for b in blocks("train", seed)), sizes)
        else:
            train = self.view.texts("train")
            with progress.task(title or recipe) as advance:
                advance(0, len(train), space.note)
                estimator.fit(inputs(train), labels(train))
                advance(len(train), len(train))
        return estimator

    def describe(self, model: Any) -> dict[str, Any]:
        """Return the keys of ``run.json`` that describe the estimator and its songs."""
        songs = self.view
        return {
            **runs.describe(model),
            **({"songs_available": songs.available} if songs.available else {}),
            **({"note": songs.several_labels} if songs.several_labels else {}),
            "corpus": str(songs.corpus.path.resolve()),
            "languages": list(songs.corpus.info["counts"]["languages"])[:20],
            "cleaning": songs.corpus.info["settings"]["cleaning"],
        }

    def predict(self, model: Any, split: str) -> Predictions:
        """Predict the songs of a split, one block at a time: n-grams take ten times the memory of their text."""
        part, classes = self.view.part(split).sort("id"), [str(c) for c in model.classes_]
        ids, probabilities = part["id"].to_numpy(), np.empty((len(part), len(classes)))
        done = 0
        with progress.task(f"scoring on {split}") as advance:
            for block in self.view.blocks(split):  # in the order of the files, which is random
                probabilities[np.searchsorted(ids, block["id"].to_numpy())] = model.predict_proba(inputs(block))
                done += len(block)
                advance(done, len(part))
        return Predictions(ids, labels(part), probabilities, classes)

    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores on validation and test, and those of the majority class.

        Prediction sets are calibrated on the validation songs and evaluated on the test songs.
        """
        found: dict[str, Any] = {}
        cpu = time.process_time()
        predictions = {split: self.predict(model, split) for split in HELD}
        spent = time.process_time() - cpu
        for split, predicted in predictions.items():
            found[split] = score(predicted.truth, predicted.probabilities, predicted.classes)
            if folder:
                ids, probabilities = predicted.ids.tolist(), predicted.probabilities
                runs.write_predictions(folder, split, ids, predicted.truth, predicted.classes, probabilities)
        held, test = (predictions[split] for split in HELD)
        songs = len(held.ids) + len(test.ids)
        sets = PredictionSets.calibrated(held.truth, held.probabilities, held.classes, uniform_of(held.ids.tolist()))
        uniform = uniform_of(test.ids.tolist())
        found["test"]["prediction_sets"] = sets.evaluate(test.truth, test.probabilities, test.classes, uniform)
        return {**found, "majority": self.majority(), "prediction": {"songs": songs, "cpu_seconds": spent}}

    def fit_scores(self, recipe: str, options: Mapping[str, Any], seed: int, title: str = "") -> dict[str, Any]:
        """Fit and score without saving; return ``results``, ``seconds`` and ``cpu_seconds``."""
        started, cpu = time.monotonic(), time.process_time()
        model = self.learn(recipe, options, seed=seed, title=title)
        cost = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        return {"results": self.score(model), **cost}

    def majority(self) -> dict[str, Any]:
        """Return the test accuracy of always predicting the most frequent training label."""
        counts = self.view.part("train")["label"].value_counts()
        label = counts.sort(["count", "label"], descending=[True, False])["label"][0]
        return constant_accuracy(label, self.view.part("test")["label"].to_list())

    def save(self, model: Any, folder: Path) -> None:
        """Write the estimator into a run directory, with the languages and words of its training songs."""
        runs.save_model(model, folder)
        Domain.of(self.view).save(folder / runs.MODEL)

    def resplit(self, by: str, seed: int) -> ClassificationTask:
        """Return the task on another split of the same songs; see `View.resplit`."""
        return dataclasses.replace(self, view=self.view.resplit(by, seed))

    @staticmethod
    def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
        """Return the model card in Markdown."""
        return cards.card(info, results)

    @staticmethod
    def curves(run: runs.Run) -> list[Figure]:
        """Return the training curves; none for a model that is not trained in steps."""
        from lyrist.training.curves import curves

        return curves(run.metrics, run.info["name"], run.info.get("best_step"))

    @staticmethod
    def headline(run: runs.Run) -> list[str]:
        """Return the lines of the summary that precede the scores."""
        info = run.info
        lines = [f"{info['recipe']} on {info['target']}: {info['parameters']:,} parameters, {info['seconds']:.1f} s"]
        if info.get("songs_available"):
            used = f"{info['songs']['train']:,} of {info['songs_available']:,} training songs"
            lines.append(f"  fitted on {used}, sampled by {info['target']} (--max-songs)")
        return lines

    @staticmethod
    def remarks(run: runs.Run) -> list[str]:
        """Return the lines of the summary that follow the scores."""
        results, lines = run.results, []
        majority = results["majority"]
        lines.append(f"  majority    accuracy {majority['accuracy']['value']:.3f} (always '{majority['label']}')")
        if note := run.info.get("note"):
            lines.append(f"  {note}")
        if results["test"].get("unseen_labels"):
            lines.append(f"  not in training, so counted as wrong: {', '.join(results['test']['unseen_labels'][:5])}")
        return lines

    @staticmethod
    def scored(scores: Mapping[str, Any]) -> str:
        """Return accuracy with interval and n, macro F1 and loss as text."""
        accuracy = scores["accuracy"]
        return (
            f"accuracy {accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}] (n = {scores['n']:,}), "
            f"macro F1 {scores['macro_f1']:.3f}, loss {scores['loss']:.3f}"
        )


@dataclass(frozen=True)
class RefitTask(ClassificationTask):
    """Fit again on training and validation songs, after the selection; only the test songs are predicted.

    A network selects its step on a tenth of these songs.
    """

    first: Path = Path()
    """The run that was fitted on the training songs: its validation scores and predictions are those of this run."""

    def held_out(self) -> None:
        """Return nothing: the validation songs are among those that are fitted on."""

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome."""
        return {**super().identity(recipe, options, seed), "fitted_on": ["train", "validation"]}

    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores on test, and those of the first run on validation."""
        first = runs.open_run(self.first)
        held, test = Predictions.of(first, "validation"), self.predict(model, "test")
        if folder:
            for split, found in (("validation", held), ("test", test)):
                ids = found.ids.tolist()
                runs.write_predictions(folder, split, ids, found.truth, found.classes, found.probabilities)
        sets = PredictionSets.calibrated(held.truth, held.probabilities, held.classes, uniform_of(held.ids.tolist()))
        scores = score(test.truth, test.probabilities, test.classes)
        scores["prediction_sets"] = sets.evaluate(
            test.truth, test.probabilities, test.classes, uniform_of(test.ids.tolist())
        )
        return {"validation": first.results["validation"], "test": scores, "majority": self.majority()}

    def save(self, model: Any, folder: Path) -> None:
        """Write the estimator, with the languages and words that the first run has stored."""
        runs.save_model(model, folder)
        if domain := Domain.load(self.first / runs.MODEL):
            domain.save(folder / runs.MODEL)


def inputs(songs: pl.DataFrame) -> Any:
    """Return the texts and artists of songs as the input of a classifier."""
    return as_input(songs["lyrics"].fill_null("").to_list(), songs["artist"].fill_null("").to_list())


def labels(songs: pl.DataFrame) -> list[str]:
    """Return the labels of songs."""
    return songs["label"].to_list()
