"""Several models of different kinds, asked together: the geometric mean of their probabilities.

Characters, words, counts and layout err on different songs, so that together they err less than the best of them. A
plain mean has nothing to fit, and so nothing to overfit on the few songs of a small table. The mean of logarithms (the
product rule of Kittler et al. 1998, On combining classifiers; the logarithmic opinion pool) is as accurate as the mean
of probabilities and has the lower loss: it is not made timid by its most timid member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from lyrist.models.controls import LayoutClassifier
from lyrist.models.labels import classes_and_index
from lyrist.models.linear import NBSVM, CharSVM, ComplementNaiveBayes
from lyrist.models.registry import option, register
from lyrist.models.songclassifier import Features

FLOOR = 1e-6
"""The smallest probability that a member is believed: one member alone must not rule a class out."""


class PoolOfModels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits each member on the same songs and answers with the geometric mean of their probabilities.

    Parameters
    ----------
    members
        Unfitted classifiers of songs that know `predict_proba`.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
        The labels, sorted.
    members_ : list of estimators
        The fitted members.
    """

    def __init__(self, members: list[Any]) -> None:
        self.members = members

    def fit(self, X: Any, y: Any) -> PoolOfModels:
        """Fit every member."""
        self.classes_, _ = classes_and_index(X, y)
        self.members_ = [clone(member).fit(X, y) for member in self.members]
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the pooled probability of each class for each song, shape (n, k)."""
        check_is_fitted(self, "members_")
        logs = [np.log(np.clip(member.predict_proba(X), FLOOR, 1)) for member in self.members_]
        return np.asarray(softmax(np.mean(logs, axis=0), axis=1), dtype=np.float64)

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the most probable label of each song."""
        found: NDArray[np.str_] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


@dataclass(frozen=True)
class EnsembleOptions:
    """Options of `ensemble`."""

    features: Features = option("none", "artist: the artist as a feature of the members that read words or characters")
    seed: int = option(0, "decides everything that is drawn at random")


@register(
    "ensemble",
    "four kinds of model pooled: characters, ratios, counts and layout",
    family="ensemble",
    options=EnsembleOptions,
    source="Kittler et al. (1998), On combining classifiers",
)
def build_ensemble(options: EnsembleOptions) -> PoolOfModels:
    """Build `PoolOfModels` of models that err on different songs."""
    more: dict[str, Any] = {"features": options.features, "random_state": options.seed}
    return PoolOfModels(
        [
            CharSVM(low=2, high=5, **more),
            NBSVM(**more),
            ComplementNaiveBayes(**more),
            LayoutClassifier(random_state=options.seed),
        ]
    )
