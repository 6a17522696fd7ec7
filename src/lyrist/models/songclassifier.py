"""Base class of the linear classifiers: n-gram features, linear scores, calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.models.calibration import sharpness, softmax
from lyrist.models.inputs import artists_of, classes_and_index, is_table, lyrics_of
from lyrist.models.least_squares_svm import Floats, LinearFit
from lyrist.models.weighting import Contributions, SongFeatures

Features = Literal["none", "artist"]
"""Inputs in addition to the lyrics."""


class LinearSongs(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of the linear classifiers.

    A recipe implements the choice of features (`_features`) and the fit of the weights (`_learn`).

    Attributes
    ----------
    classes_ : array of str, shape (k,)
        The labels, sorted.
    features_ : SongFeatures
        The fitted features.
    coef_ : array of float32, shape (d, k)
        The weight of each feature for each class.
    intercept_ : array of float32, shape (k,)
    sharpness_ : float
        Probabilities are ``softmax(sharpness_ * decision_function)``.
    """

    features: Features
    random_state: int
    parts: ClassVar[tuple[type, ...]] = (SongFeatures,)

    def fit(self, X: Any, y: Any) -> LinearSongs:
        """Fit on songs and their labels."""
        self.classes_, index = classes_and_index(X, y)
        self.features_ = self._features()
        found = self._learn(self.features_.fit_counts(X), X, index)
        self.coef_, self.intercept_ = found.coef, found.intercept
        self.sharpness_ = sharpness(found.scores, index[found.rows])
        self.n_features_in_ = 1
        return self

    def decision_function(self, X: Any) -> Floats:
        """Return the score of each class for each song, float32, shape (n, k), also for two classes."""
        check_is_fitted(self, "coef_")
        return np.asarray(self.features_.transform(X) @ self.coef_ + self.intercept_, dtype=np.float32)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        return softmax(self.decision_function(X) * self.sharpness_)

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the most probable label of each song."""
        labels: NDArray[np.str_] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return labels

    def contributions(self, X: Any, label: str) -> Contributions:
        """Return the contribution of each character of one song to the logit of ``label``, relative to the mean of classes.

        Parameters
        ----------
        X
            One song: a list of one text, or a table of one row.
        label
            One of `classes_`.
        """
        check_is_fitted(self, "coef_")
        c = int(np.flatnonzero(self.classes_ == label)[0])
        artist = artists_of(X)[0] if is_table(X) and self.features == "artist" else ""
        coef = (self.coef_[:, c] - self.coef_.mean(axis=1)) * self.sharpness_
        found = self.features_.contributions(lyrics_of(X)[0], artist, coef)
        own = float(self.intercept_[c] - self.intercept_.mean()) * self.sharpness_
        return Contributions(found.characters, found.other | {"intercept": own})

    def feature_weights(self) -> Iterator[tuple[str, NDArray[np.str_], Floats]]:
        """Yield for each class (label, feature names, standardised weights relative to the mean over all classes).

        A standardised weight is the weight times the standard deviation of the feature over the training songs, so that rare
        features with large weights do not come first.
        """
        check_is_fitted(self, "coef_")
        names, mean = self.features_.shown_names(), self.coef_.mean(axis=1)
        spread = self.features_.spread() * self.sharpness_
        for c, label in enumerate(self.classes_):
            yield str(label), names, (self.coef_[:, c] - mean) * spread

    def _features(self) -> SongFeatures:
        raise NotImplementedError

    def _learn(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64]) -> LinearFit:
        raise NotImplementedError
