"""The task of predicting a label of a song from its lyrics: the fit, the scores and the majority class beside them."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import UsageError
from lyrist.metrics import multilabel
from lyrist.metrics.kinds import main_of, phrase, value_of
from lyrist.models import registry
from lyrist.models.inputs import names_of
from lyrist.models.inputs import songs as as_input
from lyrist.training import cards, estimators, runs
from lyrist.training.dataset import FEATURE, View, view
from lyrist.training.domain import Domain
from lyrist.training.memoryguard import Room, room
from lyrist.training.predictions import Predictions, kind_of
from lyrist.training.train import HELD, Selection, Task, json_ready

if TYPE_CHECKING:
    from lyrist.reports.blocks import Figure


class KindError(UsageError):
    """A recipe cannot predict this kind of target."""


def selected(
    corpus: Corpus, target: str, selection: Selection, seed: int, *, lyrics: bool = True, features: str = ""
) -> View:
    """Return the songs of a corpus that a selection names, with the labels of a target and columns beside the lyrics."""
    return view(
        corpus,
        target,
        selection.labels,
        most=selection.max_songs,
        seed=seed,
        lyrics=lyrics,
        multi_label=selection.multi_label,
        ordinal=selection.ordinal,
        mask_labels=selection.mask_labels,
        features=names_of(features),
    )


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
        corpus, features = Corpus.open(data), str(options.get("features", ""))
        estimators.make_estimator(recipe, options, seed)
        task = cls(selected(corpus, selection.target or "artist", selection, seed, lyrics=False, features=features))
        task.check(recipe, options, seed)
        return task, dict(options)

    def check(self, recipe: str, options: Mapping[str, Any], seed: int) -> None:
        """Raise if a recipe cannot be fitted with these options, or cannot predict this kind of target."""
        estimator, labels = estimators.make_estimator(recipe, options, seed), self.view.labels
        if labels.kind != "single" and not estimators.predicts_several(estimator):
            what = "several labels a song" if labels.multi else "a number"
            way = "--multi-label off" if labels.multi else "no --ordinal"
            raise KindError(
                f"'{recipe}' predicts one label a song, and the target {labels.column} is {what}; choose another, or {way}."
            )

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
            **songs.labels.described,
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
        return inputs(held), self.view.y(held)

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
            estimator.fit(inputs(train), self.view.y(train), validation=self.held_out())
        elif hasattr(estimator, "fit_blocks"):
            train, blocks = self.view.part("train"), self.view.mixed
            several = self.view.labels.kind != "single"
            y = self.view.y(train)
            sizes = dict(zip(y.columns, y.sum().row(0), strict=True)) if several else dict(Counter(y))
            more = {"count": len(train), "several": True} if several else {}
            estimator.fit_blocks(lambda: ((inputs(b), self.view.y(b)) for b in blocks("train", seed)), sizes, **more)
        else:
            train = self.view.texts("train")
            with progress.task(title or recipe) as advance:
                advance(0, len(train), space.note)
                estimator.fit(inputs(train), self.view.y(train), **self._groups(estimator, train))
                advance(len(train), len(train))
        if self.view.labels.multi:
            estimator.thresholds_ = self.thresholds(estimator)
        return estimator

    def _groups(self, estimator: Any, songs: pl.DataFrame) -> dict[str, Any]:
        """Return the artists as groups for an estimator that uses them, if the test songs are by other artists."""
        if self.view.split_by != "artist" or not getattr(estimator, "grouped", False):
            return {}
        unknown = pl.format("{}", pl.col("id"))  # a song without an artist is a group of its own
        named = pl.format("artist {}", pl.col("artist"))
        known = pl.col("artist").fill_null("") != ""
        return {"groups": songs.select(pl.when(known).then(named).otherwise(unknown)).to_series().to_list()}

    def thresholds(self, model: Any) -> np.ndarray[Any, Any]:
        """Return the probability from which each of several labels is predicted, chosen on the validation songs."""
        held = self.predict(model, "validation")
        return multilabel.thresholds(multilabel.indicators(held.truth, held.classes), held.probabilities)

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
            **self._of_network(model),
        }

    def _of_network(self, model: Any) -> dict[str, Any]:
        """Return how much of the test songs a network reads, and the pretrained model that it is made of; else nothing."""
        if not runs.is_network(model):
            return {}
        read = model.tokens_read(inputs(self.view.texts("test")))
        cut = int((read[:, 0] < read[:, 1]).sum())
        found: dict[str, Any] = {
            "tokens_of_test": {"read": int(read[:, 0].sum()), "of": int(read[:, 1].sum()), "truncated": cut}
        }
        if registry.is_pretrained(model.recipe):
            from lyrist.models.hub import licence_of

            name = estimators.resolved(model.recipe, model.options)["model"]
            found["base"] = {"name": name, "licence": licence_of(name)}
        return found

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
        limits = getattr(model, "thresholds_", None) if self.view.labels.multi else None
        kind = kind_of(self.view.labels.described)
        return kind(ids, part["label"].to_list(), probabilities, classes, limits, part["cluster"].to_numpy())

    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores on validation and test, and those of the majority class.

        Prediction sets are calibrated on the validation songs and evaluated on the test songs.
        """
        found: dict[str, Any] = {}
        cpu = time.process_time()
        predictions = {split: self.predict(model, split) for split in HELD}
        spent = time.process_time() - cpu
        for split, predicted in predictions.items():
            found[split] = predicted.score()
            if folder:
                predicted.write(folder, split)
        held, test = (predictions[split] for split in HELD)
        songs = len(held.ids) + len(test.ids)
        found["test"]["prediction_sets"] = test.evaluate_sets(held.sets())
        return {**found, "majority": self.majority(), "prediction": {"songs": songs, "cpu_seconds": spent}}

    def fit_scores(self, recipe: str, options: Mapping[str, Any], seed: int, title: str = "") -> dict[str, Any]:
        """Fit and score without saving; return ``results``, ``seconds`` and ``cpu_seconds``."""
        started, cpu = time.monotonic(), time.process_time()
        model = self.learn(recipe, options, seed=seed, title=title)
        cost = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        return {"results": self.score(model), **cost}

    def majority(self) -> dict[str, Any]:
        """Return the test figures of the constant prediction: the most frequent label or labels, or the median number."""
        train, test = (self.view.part(split) for split in ("train", "test"))
        kind = kind_of(self.view.labels.described)
        return kind.baseline(train["label"].to_list(), test["label"].to_list(), test["cluster"].to_numpy())

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
        majority, main = results["majority"], main_of(run.info)
        value = value_of(majority, main.key)
        lines.append(
            f"  {'majority' if main.key == 'accuracy' else 'baseline':<11} {main.name} {value:.3f} (always '{majority['label']}')"
        )
        if note := run.info.get("note"):
            lines.append(f"  {note}")
        tokens = run.info.get("tokens_of_test")
        if tokens and tokens["truncated"]:
            lines.append(
                f"  read {tokens['read']:,} of {tokens['of']:,} tokens of the test songs: {tokens['truncated']:,} songs are "
                "longer than --max-length"
            )
        if results["test"].get("unseen_labels"):
            lines.append(f"  not in training, so counted as wrong: {', '.join(results['test']['unseen_labels'][:5])}")
        return lines

    @staticmethod
    def scored(scores: Mapping[str, Any]) -> str:
        """Return the figures of the kind of target as text, the main one with interval and n."""
        return phrase(scores)


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

    def thresholds(self, model: Any) -> np.ndarray[Any, Any]:
        """Return the thresholds of the first run; a label of validation songs only has that of all labels together."""
        first = Predictions.of(runs.open_run(self.first), "validation")
        limits = multilabel.thresholds(multilabel.indicators(first.truth, first.classes), first.probabilities)
        known = dict(zip(first.classes, limits.tolist(), strict=True))
        return np.array([known.get(str(label), float(np.median(limits))) for label in model.classes_])

    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the scores on test, and those of the first run on validation."""
        first = runs.open_run(self.first)
        held, test = Predictions.of(first, "validation"), self.predict(model, "test")
        if folder:
            for split, found in (("validation", held), ("test", test)):
                found.write(folder, split)
        scores = test.score()
        scores["prediction_sets"] = test.evaluate_sets(held.sets())
        return {"validation": first.results["validation"], "test": scores, "majority": self.majority()}

    def save(self, model: Any, folder: Path) -> None:
        """Write the estimator, with the languages and words that the first run has stored."""
        runs.save_model(model, folder)
        if domain := Domain.load(self.first / runs.MODEL):
            domain.save(folder / runs.MODEL)


def inputs(songs: pl.DataFrame) -> Any:
    """Return the texts, the artists and the other columns of songs as the input of a classifier."""
    others = {name.removeprefix(FEATURE): songs[name] for name in songs.columns if name.startswith(FEATURE)}
    return as_input(songs["lyrics"].fill_null("").to_list(), songs["artist"].fill_null("").to_list(), others)
