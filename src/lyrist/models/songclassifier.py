"""Base classes of Lyrist's classifiers: scikit-learn's contract for songs, and linear scores with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from lyrist.errors import InputError
from lyrist.models.calibration import platt, sharpness, softmax
from lyrist.models.inputs import SongInput, encoded, is_table, lyrics_of
from lyrist.models.least_squares_svm import Floats, LinearFit
from lyrist.models.weighting import Contributions, SongFeatures

Features = str
"""Inputs in addition to the lyrics: ``none``, or columns separated by commas, such as ``artist`` or ``year,language``."""


class SongClassifier(SongInput, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of the classifiers: labels of any type, weights of songs, the most probable class.

    A recipe implements `_learn`, which sets the fitted attributes, and `_probabilities`.

    Attributes
    ----------
    classes_ : array, shape (k,)
        The labels, sorted, of the type of ``y``; with several labels a song the columns of ``y``.
    multilabel_ : bool
        Whether a song has several labels: each label has a probability of its own.
    thresholds_ : array, shape (k,)
        With several labels: the probability from which each label is predicted, at first 0.5; see
        `lyrist.metrics.multilabel.thresholds`.
    """

    least_classes: ClassVar[int] = 2
    multilabel: ClassVar[bool] = False
    """Whether `_learn` can fit several labels a song: then it may get an array (n, k) of 0 and 1 as classes."""
    grouped: ClassVar[bool] = False
    """Whether `_learn` takes the group of each song as well."""
    multilabel_: bool = False
    thresholds_: Any = None
    option_names: ClassVar[dict[str, str]] = {"class_weight": "balance", "alpha": "smoothing"}
    """Names of options on the command line; the parameters are named as scikit-learn names them."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit on songs and their labels.

        Parameters
        ----------
        X
            n texts, or a table with the column ``lyrics`` and, where the artist is an input, ``artist``.
        y
            n labels: texts, whole numbers or truth values; or 0 and 1 in a column for each label, shape (n, k).
        sample_weight
            The weight of each song, none negative; songs with weight 0 are left out. None: all are equal.
        groups
            The group of each song, such as its artist, if new songs are of other groups (only estimators with ``grouped``):
            members and probabilities are then fitted for songs of new groups.

        Raises
        ------
        InputError
            Songs, labels and groups do not match, a label is missing, there is only one class, or the estimator uses no groups.
        """
        X = self._read(X, fitting=True)
        n = len(X) if is_table(X) else len(lyrics_of(X))
        self.classes_, index = encoded(y, n, self.least_classes)
        self._note_kind(index.ndim == 2)
        if self.multilabel_ and not self.multilabel:
            raise InputError(f"{type(self).__name__} predicts one label a song, not several; choose another estimator.")
        weights = np.ones(n, dtype=np.float32)
        of_group = None if groups is None else self._groups(groups, n)
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, index, dtype=np.float32, ensure_non_negative=True)
            if not weights.all():
                kept = np.flatnonzero(weights)
                if self.multilabel_:
                    index = index[kept]
                else:
                    self.classes_, index = encoded(self.classes_[index[kept]], len(kept), self.least_classes)
                X, weights = _safe_indexing(X, kept), weights[kept]
                of_group = None if of_group is None else of_group[kept]
        several = of_group is not None and len(np.unique(of_group)) > 1
        self._learn(X, index, weights, *((of_group,) if several else ()))
        return self

    def _groups(self, groups: Any, n: int) -> NDArray[np.int64]:
        """Return the number of the group of each song."""
        if not self.grouped:
            raise InputError(f"{type(self).__name__} does not use groups; leave them out, or choose another estimator.")
        if len(groups) != n:
            raise InputError(f"There are {n} songs and {len(groups)} groups; pass one group for each song.")
        return np.asarray(np.unique(list(groups), return_inverse=True)[1], dtype=np.int64)

    def _note_kind(self, several: bool) -> None:
        """Store whether a song has several labels; the threshold of each is 0.5 at first."""
        self.multilabel_ = several
        self.__dict__.pop("thresholds_", None)
        if several:
            self.thresholds_ = np.full(len(self.classes_), 0.5)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        check_is_fitted(self)
        return self._probabilities(self._read(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each song; with several labels 0 or 1 for each, shape (n, k)."""
        if self.multilabel_:
            return np.asarray(np.greater_equal(self.predict_proba(X), self.thresholds_), dtype=np.int64)
        place = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[place]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.multilabel
        return tags

    def _read(self, X: Any, fitting: bool = False) -> Any:
        """Return the songs of ``X``, texts or a table, and note the number of columns when fitting."""
        if fitting:
            self.n_features_in_ = 1
        return X

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        """Fit on songs, the class of each song, and the weight of each song."""
        raise NotImplementedError

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        raise NotImplementedError


class ScoringClassifier(SongClassifier):
    """Base class of the classifiers with a score for each class; a recipe implements `_learn` and `_scores`.

    Probabilities are the softmax of the scores times ``sharpness_``, where a recipe has one; with several labels the sigmoid.
    """

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the score of each class for each song, shape (n, k); for two classes the second minus the first, (n,)."""
        scores = self._checked_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 and not self.multilabel_ else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each song; with several labels 0 or 1 for each, shape (n, k)."""
        if self.multilabel_:
            return super().predict(X)
        place = self._checked_scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[place]
        return labels

    def _checked_scores(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        return self._scores(self._read(X))

    def _scores(self, X: Any) -> NDArray[Any]:
        """Return the score of each class for each song, shape (n, k), also for two classes."""
        raise NotImplementedError

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        logits = self._scores(X) * getattr(self, "sharpness_", 1.0)
        return np.asarray(expit(logits.astype(np.float64))) if self.multilabel_ else softmax(logits)


class LinearSongs(ScoringClassifier):
    """Base class of the linear classifiers.

    A recipe implements the choice of features (`_features`) and the fit of the weights (`_weigh`).

    Attributes
    ----------
    classes_ : array, shape (k,)
        The labels, sorted, of the type of ``y``.
    features_ : SongFeatures
        The fitted features.
    coef_ : array of float32, shape (d, k)
        The weight of each feature for each class.
    intercept_ : array of float32, shape (k,)
    sharpness_ : float
        Probabilities are the softmax of the scores times ``sharpness_``.
    """

    features: Any
    random_state: int
    parts: ClassVar[tuple[type, ...]] = (SongFeatures,)
    multilabel: ClassVar[bool] = True

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        self.features_ = self._features()
        found = self._weigh(self.features_.fit_counts(X), X, index, weights)
        self.coef_, self.intercept_ = found.coef, found.intercept
        self._calibrate(found.scores, index[found.rows], weights[found.rows])

    def _calibrate(self, scores: Floats, index: NDArray[np.int64], weights: Floats) -> None:
        """Set `sharpness_`, and with several labels shift `intercept_`, by scores of songs that were not fitted on."""
        if self.multilabel_:
            self.sharpness_, offsets = platt(scores, index, weights)
            self.intercept_ = (self.intercept_ + offsets / self.sharpness_).astype(np.float32)
        else:
            self.sharpness_ = sharpness(scores, index, weights)

    def _scores(self, X: Any) -> Floats:
        return np.asarray(self.features_.transform(X) @ self.coef_ + self.intercept_, dtype=np.float32)

    def contributions(self, X: Any, label: str) -> Contributions:
        """Return the contribution of each character of one song to the logit of ``label``.

        With one label a song, contributions are relative to the mean of the classes.

        Parameters
        ----------
        X
            One song: a list of one text, or a table of one row.
        label
            One of `classes_`.
        """
        check_is_fitted(self)
        c = int(np.flatnonzero(self.classes_ == label)[0])
        mean, middle = (0.0, 0.0) if self.multilabel_ else (self.coef_.mean(axis=1), self.intercept_.mean())
        coef = (self.coef_[:, c] - mean) * self.sharpness_
        found = self.features_.contributions(X, coef)
        own = float(self.intercept_[c] - middle) * self.sharpness_
        return Contributions(found.characters, found.other | {"intercept": own})

    def feature_weights(self) -> Iterator[tuple[str, NDArray[np.str_], Floats]]:
        """Yield for each class (label, feature names, standardised weights).

        With one label a song, weights are relative to the mean over all classes.
        A standardised weight is the weight times the standard deviation of the feature over the training songs, so that rare
        features with large weights do not come first.
        """
        check_is_fitted(self)
        names, mean = self.features_.shown_names(), 0.0 if self.multilabel_ else self.coef_.mean(axis=1)
        spread = self.features_.spread() * self.sharpness_
        for c, label in enumerate(self.classes_):
            yield str(label), names, (self.coef_[:, c] - mean) * spread

    def _features(self) -> SongFeatures:
        raise NotImplementedError

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        """Return the weights of the features, from the counts of n-grams."""
        raise NotImplementedError
