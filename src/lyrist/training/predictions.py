"""What a classifier predicted for the songs of one split, with the true labels: one class for each kind of target.

Every figure of a classifier is computed here from its probabilities, so `train`, `study`, `evaluate` and `label` do not ask which
kind of target they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist import files
from lyrist.metrics import multilabel, ordinal
from lyrist.metrics.classification import constant_accuracy, losses, score
from lyrist.metrics.conformal import LabelSets, NumberIntervals, PredictionSets, uniform_of
from lyrist.metrics.intervals import mcnemar, paired_bootstrap_macro_f1
from lyrist.training import runs

if TYPE_CHECKING:
    from lyrist.training.runs import Run


@dataclass(frozen=True)
class Predictions:
    """The predicted probabilities of one label a song, with the true labels."""

    ids: npt.NDArray[np.int64]
    truth: list[Any]
    """The label of each song; for several labels a list, for an ordered target a number."""
    probabilities: npt.NDArray[np.float64]
    """Shape (songs, classes); of one label a song, rows sum to 1."""
    classes: list[str]
    limits: npt.NDArray[np.float64] | None = None
    """With several labels: the threshold of each."""
    groups: npt.NDArray[Any] | None = None
    """The cluster of near-copies of each song, for intervals by bootstrap."""

    stored: ClassVar[Any] = pl.String
    """The type of truth and prediction on disk."""

    @staticmethod
    def of(run: Run, split: str) -> Predictions:
        """Return the predictions that a run has stored for ``validation`` or ``test``."""
        table = run.predictions(split)
        probabilities = np.array(table["probabilities"].to_list(), dtype=float).reshape(len(table), -1)
        kind, limits = kind_of(run.info), run.info.get("thresholds")
        groups = table["cluster"].to_numpy() if "cluster" in table.columns else None
        return kind(
            table["id"].to_numpy(), table["truth"].to_list(), probabilities, list(run.info["classes"]),
            None if limits is None else np.array(limits, dtype=float), groups,
        )  # fmt: skip

    @property
    def answers(self) -> list[Any]:
        """What is predicted for each song: the most probable label."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is right."""
        return np.array([a == t for a, t in zip(self.answers, self.truth, strict=True)], dtype=bool)

    def losses(self) -> npt.NDArray[np.float64]:
        """Return the loss of each song in nats."""
        return losses(self.truth, self.probabilities, self.classes)

    def examples(self, *, right: bool, most: int) -> list[int]:
        """Return the places of songs that are predicted rightly, the lowest loss first, or wrongly, the highest loss first."""
        nats, places = self.losses(), self.right == right
        return [int(place) for place in np.argsort(nats if right else -nats, kind="stable") if places[place]][:most]

    def shown(self, value: Any) -> str:
        """Return a truth or an answer as text."""
        return str(value)

    def explained(self, place: int) -> str:
        """Return the class that explains the prediction for one song: the most probable one."""
        return self.classes[int(self.probabilities[place].argmax())]

    def score(self) -> dict[str, Any]:
        """Return all scores; see `lyrist.metrics`."""
        return score(self.truth, self.probabilities, self.classes)

    def sets(self, coverage: float = 0.9) -> Any:
        """Return prediction sets that are calibrated on these songs."""
        uniform = uniform_of(self.ids.tolist())
        return PredictionSets.calibrated(self.truth, self.probabilities, self.classes, uniform, coverage)

    def evaluate_sets(self, sets: Any) -> dict[str, Any]:
        """Return coverage and size of prediction sets on these songs."""
        found: dict[str, Any] = sets.evaluate(
            self.truth, self.probabilities, self.classes, uniform_of(self.ids.tolist())
        )
        return found

    def against(self, other: Predictions) -> dict[str, Any]:
        """Return the paired test of this model and another one on the same songs.

        Returns
        -------
        dict
            ``difference`` of the share of songs that are wholly right, ``only_first`` and ``only_other`` (songs that one alone
            got right), ``p`` of the exact McNemar test, and for each figure that is compared by a bootstrap its
            ``difference``, ``low``, ``high`` and ``p``.
        """
        a, b = self.right, other.right
        only_first, only_other = int((a & ~b).sum()), int((b & ~a).sum())
        return {
            "difference": float(a.mean() - b.mean()),
            "only_first": only_first,
            "only_other": only_other,
            "p": mcnemar(only_first, only_other),
            **self._paired(other),
        }

    def _paired(self, other: Predictions) -> dict[str, dict[str, float]]:
        return {"macro_f1": paired_bootstrap_macro_f1(self.truth, self.answers, other.answers)}

    def write(self, run: Path, split: str) -> None:
        """Write ``predictions/SPLIT.parquet`` of a run."""
        if not runs.is_main():
            return
        columns = {
            "id": pl.Series(self.ids, dtype=pl.Int64),
            "truth": pl.Series(list(self.truth), dtype=self.stored),
            "prediction": pl.Series(self.answers, dtype=self.stored),
            "probabilities": pl.Series(self.probabilities.astype(np.float32).tolist(), dtype=pl.List(pl.Float32)),
        }
        if self.groups is not None:
            columns["cluster"] = pl.Series(self.groups, dtype=pl.Int64)
        path = run / runs.PREDICTIONS / f"{split}.parquet"
        with files.explained(path):
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f".{path.name}.tmp")
            pl.DataFrame(columns).write_parquet(temporary)
            temporary.replace(path)

    @staticmethod
    def baseline(train: Sequence[Any], test: Sequence[Any], groups: npt.NDArray[Any] | None = None) -> dict[str, Any]:
        """Return the test figures of the constant prediction that fits the training songs best, and its ``label``."""
        labels, counts = np.unique(np.array(train, dtype=object).astype(str), return_counts=True)
        return constant_accuracy(str(labels[counts.argmax()]), test)


@dataclass(frozen=True)
class MultiPredictions(Predictions):
    """The predicted probabilities of several labels a song."""

    stored: ClassVar[Any] = pl.List(pl.String)

    @property
    def chosen(self) -> npt.NDArray[np.bool_]:
        """Which labels are predicted: those that reach their threshold, shape (songs, classes)."""
        limits = np.full(len(self.classes), 0.5) if self.limits is None else self.limits
        return np.asarray(self.probabilities >= limits)

    @property
    def answers(self) -> list[list[str]]:
        """The predicted labels of each song, sorted."""
        return [[self.classes[c] for c in np.flatnonzero(row)] for row in self.chosen]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether all labels of each song are right."""
        return np.array([set(a) == set(t) for a, t in zip(self.answers, self.truth, strict=True)], dtype=bool)

    @property
    def indicators(self) -> npt.NDArray[np.bool_]:
        """Which of the classes each song has, shape (songs, classes)."""
        return multilabel.indicators(self.truth, self.classes)

    def losses(self) -> npt.NDArray[np.float64]:
        """Return the loss of each song in nats, summed over labels."""
        return multilabel.losses(self.truth, self.probabilities, self.classes)

    def shown(self, value: Any) -> str:
        """Return the labels of a song as text."""
        return ", ".join(value)

    def score(self) -> dict[str, Any]:
        """Return all scores; see `lyrist.metrics.multilabel.score`."""
        limits = np.full(len(self.classes), 0.5) if self.limits is None else self.limits
        return multilabel.score(self.truth, self.probabilities, self.classes, limits, self.groups)

    def sets(self, coverage: float = 0.9) -> Any:
        """Return sets that hold so large a share of the labels of a song, calibrated on these songs."""
        return LabelSets.calibrated(self.truth, self.probabilities, self.classes, coverage)

    def evaluate_sets(self, sets: Any) -> dict[str, Any]:
        """Return coverage and size of such sets on these songs."""
        found: dict[str, Any] = sets.evaluate(self.truth, self.probabilities, self.classes)
        return found

    def _paired(self, other: Predictions) -> dict[str, dict[str, float]]:
        assert isinstance(other, MultiPredictions)  # noqa: S101 - runs of one study have one kind
        return multilabel.paired(self.truth, self.chosen, other.chosen, self.classes, self.groups)

    @staticmethod
    def baseline(train: Sequence[Any], test: Sequence[Any], groups: npt.NDArray[Any] | None = None) -> dict[str, Any]:
        """Return the test figures of the label frequencies, with the constant labels that have the best micro F1."""
        labels, shares, best = multilabel.constant(train)
        limits = np.where(np.isin(labels, best), shares, np.inf)
        found = multilabel.score(test, np.tile(shares, (len(test), 1)), labels, limits, groups)
        return {"label": ", ".join(best), **{key: found[key] for key in found if key != "by_class"}}


@dataclass(frozen=True)
class OrdinalPredictions(Predictions):
    """The predicted distribution of a number, such as a year."""

    stored: ClassVar[Any] = pl.Float64

    @property
    def answers(self) -> list[float]:
        """The median of the distribution of each song."""
        found: list[float] = ordinal.quantiles(self.probabilities, self.classes).tolist()
        return found

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each prediction is within `lyrist.metrics.ordinal.WITHIN`."""
        return np.asarray(np.abs(np.array(self.answers) - np.array(self.truth)) <= ordinal.WITHIN)

    def losses(self) -> npt.NDArray[np.float64]:
        """Return the distance of each prediction."""
        off: npt.NDArray[np.float64] = np.abs(np.array(self.answers) - np.array(self.truth))
        return off

    def shown(self, value: Any) -> str:
        """Return a number as text."""
        return f"{value:.4g}"

    def explained(self, place: int) -> str:
        """Return the edge that is as likely below the number as above it."""
        return self.classes[int(np.abs(self.probabilities[place] - 0.5).argmin())]

    def score(self) -> dict[str, Any]:
        """Return all scores; see `lyrist.metrics.ordinal.score`."""
        return ordinal.score(self.truth, self.probabilities, self.classes, self.groups)

    def sets(self, coverage: float = 0.9) -> Any:
        """Return intervals that are calibrated on these songs."""
        return NumberIntervals.calibrated(self.truth, self.answers, coverage)

    def evaluate_sets(self, sets: Any) -> dict[str, Any]:
        """Return coverage and width of such intervals on these songs."""
        found: dict[str, Any] = sets.evaluate(self.truth, self.answers)
        return found

    def _paired(self, other: Predictions) -> dict[str, dict[str, float]]:
        return {"mae": ordinal.paired(self.truth, self.answers, other.answers, self.groups)}

    @staticmethod
    def baseline(train: Sequence[Any], test: Sequence[Any], groups: npt.NDArray[Any] | None = None) -> dict[str, Any]:
        """Return the test figures of always predicting the median of the training songs."""
        middle = float(np.median(train))
        found = ordinal.errors(test, np.full(len(test), middle), groups)
        return {"kind": "ordinal", "label": f"{middle:g}", "n": len(test), **found}


def kind_of(described: Mapping[str, Any]) -> type[Predictions]:
    """Return the class of predictions for what ``run.json``, scores or `Labels.described` say about the target."""
    return {"multi": MultiPredictions, "ordinal": OrdinalPredictions}.get(described.get("kind", ""), Predictions)
