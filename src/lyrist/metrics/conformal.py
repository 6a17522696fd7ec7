"""Sets and intervals that contain the true label or number with a given frequency, by split conformal prediction.

Of one label a song, the method is adaptive prediction sets (Romano, Sesia and Candès 2020, "Classification with Valid and
Adaptive Coverage"), calibrated on held-out songs. The set of a song holds its most probable labels until their probabilities
add up to the calibrated threshold; whether the last one is kept is decided by a uniform number, so that the coverage is
exact and not only a lower bound. The number is computed from the text, so that a song has the same set in any table and any
order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lyrist.metrics.intervals import mean_of, proportion
from lyrist.metrics.multilabel import with_unknown


@dataclass(frozen=True)
class _Calibrated:
    coverage: float
    threshold: float
    n: int


class PredictionSets(_Calibrated):
    """Calibrated prediction sets for one classifier.

    Attributes
    ----------
    coverage : float
        The share of songs whose set shall contain the true label, between 0 and 1.
    threshold : float
        The calibrated sum of probabilities; infinite where there were too few calibration songs for the coverage, so that
        every set holds all labels.
    n : int
        The number of calibration songs.
    """

    @classmethod
    def calibrated(
        cls,
        truth: Sequence[str],
        probabilities: ArrayLike,
        classes: Sequence[str],
        uniform: ArrayLike,
        coverage: float = 0.9,
    ) -> PredictionSets:
        """Return sets with a threshold that is calibrated on n songs that the model was not fitted on.

        Parameters
        ----------
        truth
            The labels of the n songs; a label that is not among ``classes`` is never covered.
        probabilities
            Shape (n, k), rows sum to 1.
        classes
            The k labels, in the order of the columns.
        uniform
            A number from 0 to 1 for each song, see `uniform_of`.
        coverage
            The share of songs whose set shall contain the true label.
        """
        if not 0 < coverage < 1:
            raise ValueError("coverage must be between 0 and 1")
        p, u = np.asarray(probabilities, dtype=float), np.asarray(uniform, dtype=float)
        place = {str(label): number for number, label in enumerate(classes)}
        column = np.array([place.get(label, -1) for label in truth], dtype=np.int64)
        rows, n = np.arange(len(p)), len(p)
        scores = np.where(column < 0, math.inf, _before(p)[rows, column] + u * p[rows, column])
        rank = math.ceil((n + 1) * coverage)
        threshold = float(np.sort(scores)[rank - 1]) if rank <= n else math.inf
        return cls(coverage, threshold, n)

    def members(self, probabilities: ArrayLike, uniform: ArrayLike) -> NDArray[np.bool_]:
        """Return which labels are in the set of each song, shape (n, k)."""
        p, u = np.asarray(probabilities, dtype=float), np.asarray(uniform, dtype=float)
        found: NDArray[np.bool_] = _before(p) + u[:, None] * p <= self.threshold
        return found

    def evaluate(
        self, truth: Sequence[str], probabilities: ArrayLike, classes: Sequence[str], uniform: ArrayLike
    ) -> dict[str, Any]:
        """Return coverage and size of the sets on test songs.

        Returns
        -------
        dict
            ``target``, ``calibration_songs``, ``n``; ``coverage`` (Wilson interval) and ``mean_size`` (bootstrap interval):
            value, low, high; ``empty`` and ``single``: shares of sets with no label and with one; ``by_class``: n and
            coverage of each label.
        """
        members = self.members(probabilities, uniform)
        place = {str(label): number for number, label in enumerate(classes)}
        covered = np.array(
            [label in place and members[row, place[label]] for row, label in enumerate(truth)], dtype=bool
        )
        sizes, labels = members.sum(axis=1), np.asarray(truth, dtype=object)
        return {
            "target": self.coverage,
            "calibration_songs": self.n,
            "n": len(covered),
            "coverage": _share(covered),
            **described(sizes),
            "by_class": {
                str(label): {"n": int((labels == label).sum()), "coverage": _share(covered[labels == label])}
                for label in sorted(set(truth))
            },
        }


class LabelSets(_Calibrated):
    """Sets that hold most of the labels of a song, by conformal risk control.

    Angelopoulos, Bates, Fisch, Lei and Schuster (2024), Conformal risk control: the sets hold each label whose probability
    reaches a threshold, the largest for which the share of the labels of a song that are missed is, in expectation over new
    songs, at most 1 - coverage.

    Attributes
    ----------
    coverage : float
        The share of the labels of a song that its set shall contain, in the mean over songs.
    threshold : float
        The calibrated probability; 0 where there were too few calibration songs, so that every set holds all labels.
    n : int
        The number of calibration songs.
    """

    @classmethod
    def calibrated(
        cls, truth: Sequence[Sequence[str]], probabilities: ArrayLike, classes: Sequence[str], coverage: float = 0.9
    ) -> LabelSets:
        """Return sets with a threshold that is calibrated on n songs that the model was not fitted on."""
        P, Y, _ = with_unknown(truth, probabilities, classes)
        n, have = len(Y), Y.sum(axis=1)
        missed = np.where(Y, 1 / np.maximum(have, 1)[:, None], 0)
        order = np.argsort(P[Y], kind="stable")
        at, lost = P[Y][order], np.cumsum(missed[Y][order])  # with a threshold above `at`, so much is lost
        allowed = (n + 1) * (1 - coverage) - 1
        place = int(np.searchsorted(lost, allowed, side="right"))
        threshold = 0.0 if allowed < 0 else float(at[min(place, len(at) - 1)]) if len(at) else 0.0
        return cls(coverage, threshold, n)

    def members(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return which labels are in the set of each song, shape (n, k)."""
        return np.asarray(np.asarray(probabilities, dtype=np.float64) >= self.threshold)

    def evaluate(
        self, truth: Sequence[Sequence[str]], probabilities: ArrayLike, classes: Sequence[str]
    ) -> dict[str, Any]:
        """Return coverage and size of the sets on test songs, with the keys of `PredictionSets.evaluate`."""
        P, Y, labels = with_unknown(truth, probabilities, classes)
        inside: NDArray[np.bool_] = self.members(P) & (np.arange(len(labels)) < len(classes))
        known = np.asarray(Y.any(axis=0))
        held = (inside & Y).sum(axis=1) / np.maximum(Y.sum(axis=1), 1)
        return {
            "kind": "multi",
            "target": self.coverage,
            "calibration_songs": self.n,
            "n": len(Y),
            "coverage": mean_of(held),
            **described(inside.sum(axis=1)),
            "by_class": {
                label: {"n": int(Y[:, c].sum()), "coverage": mean_of(inside[Y[:, c], c])}
                for c, label in enumerate(labels)
                if known[c]
            },
        }


@dataclass(frozen=True)
class NumberIntervals:
    """Intervals around the predicted number that hold the true one in a given share of songs (split conformal prediction).

    Lei et al. (2018), Distribution-free predictive inference for regression.

    Attributes
    ----------
    coverage : float
        The share of songs whose interval shall contain the true number.
    radius : float
        Half the width; infinite where there were too few calibration songs.
    n : int
        The number of calibration songs.
    """

    coverage: float
    radius: float
    n: int

    @classmethod
    def calibrated(cls, truth: ArrayLike, predicted: ArrayLike, coverage: float = 0.9) -> NumberIntervals:
        """Return intervals that are calibrated on n songs that the model was not fitted on."""
        off = np.sort(np.abs(np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)))
        rank = math.ceil((len(off) + 1) * coverage)
        return cls(coverage, float(off[rank - 1]) if rank <= len(off) else math.inf, len(off))

    def evaluate(self, truth: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
        """Return the coverage on test songs and the width."""
        held = np.abs(np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)) <= self.radius
        return {
            "kind": "ordinal",
            "target": self.coverage,
            "calibration_songs": self.n,
            "n": len(held),
            "coverage": proportion(int(held.sum()), len(held)),
            "radius": self.radius if math.isfinite(self.radius) else None,
        }


def _before(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the probabilities that precede each label, most probable first; equal ones in their order."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return found


def uniform_of(keys: Iterable[object]) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each key (a text or an id), the same for equal keys on every machine."""
    return np.array(
        [int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=8).digest(), "big") / 2**64 for key in keys]
    )


def described(sizes: NDArray[np.int64]) -> dict[str, Any]:
    """Return the mean size of sets, and the shares of those with no label and with one."""
    return {
        "mean_size": mean_of(sizes),
        "empty": float((sizes == 0).mean()),
        "single": float((sizes == 1).mean()),
    }


def _share(hits: NDArray[np.bool_]) -> dict[str, float]:
    return proportion(int(hits.sum()), len(hits))
