"""Baselines: the majority label, the label of the artist, the label that the text names, and the layout of the song.

A model that does not beat them has learnt nothing from the words. They are in every table of results. `artist-lookup` shows how
much of a genre result is due to the artist: if genres were assigned to artists and not to songs, it is nearly always right
unless the split is by artist.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.errors import LyristError
from lyrist.models.calibration import mix, softmax
from lyrist.models.inputs import artists_of, class_shares, classes_and_index, labels_of, lyrics_of
from lyrist.models.layoutkernel import LayoutKernel
from lyrist.models.least_squares_svm import fit_svm
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.text.names import artist_of, words_of


class _Baseline(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base class: predicts the most probable label."""

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the most probable label of each song."""
        labels: NDArray[np.str_] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        raise NotImplementedError

    def _count_labels(self, X: Any, y: Any) -> None:
        """Set ``classes_`` and ``share_``, the share of each label in training."""
        labels, n = labels_of(y), len(lyrics_of(X))
        if not labels or len(labels) != n:
            raise LyristError(f"There are {n} songs and {len(labels)} labels; pass one label per song.")
        self.classes_, counts = np.unique(np.array(labels, dtype=np.str_), return_counts=True)
        self.share_ = counts / counts.sum()
        self.n_features_in_ = 1


@register("majority", "always predicts the most frequent label", family="baseline")
class Majority(_Baseline):
    """Always predicts the most frequent training label, with the label frequencies as probabilities.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    share_ : array, shape (k,)
        The share of each label in training.
    """

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def fit(self, X: Any, y: Any) -> Majority:
        """Count the labels."""
        self._count_labels(X, y)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the label frequencies for each song, shape (n, k)."""
        check_is_fitted(self, "share_")
        return np.tile(self.share_, (len(lyrics_of(X)), 1))


@register("artist-lookup", "predicts the label of the artist's training songs; no lyrics", family="baseline")
class ArtistLookup(_Baseline):
    """Predicts from the training labels of the song's artist, without the lyrics.

    Parameters
    ----------
    smoothing
        Weight of the overall label frequencies, as a number of songs per artist. An artist without training songs gets the
        overall frequencies.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    artists_ : array of str, shape (m,)
        The artists of the training songs, sorted.
    share_ : array, shape (m + 1, k)
        The probabilities for each of these artists, and in the last row for any other artist.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        self.smoothing = smoothing

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def fit(self, X: Any, y: Any) -> ArtistLookup:
        """Count the labels of each artist."""
        artists = np.array(artists_of(X), dtype=np.str_)
        self.classes_, index = np.unique(np.array(labels_of(y), dtype=np.str_), return_inverse=True)
        if not len(index) or len(index) != len(artists):
            raise LyristError(f"There are {len(artists)} songs and {len(index)} labels; pass one label per song.")
        self.artists_, place = np.unique(artists[artists != ""], return_inverse=True)
        overall = np.bincount(index, minlength=len(self.classes_)) / len(index)
        counts = np.zeros((len(self.artists_) + 1, len(self.classes_)))
        np.add.at(counts, (place, index[artists != ""]), 1)
        weight = max(float(self.smoothing), 1e-3)
        self.share_ = (counts + weight * overall) / (counts.sum(axis=1, keepdims=True) + weight)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        check_is_fitted(self, "share_")
        artists = np.array(artists_of(X), dtype=np.str_)
        if not len(self.artists_):
            return np.tile(self.share_[-1], (len(artists), 1))
        place = np.minimum(np.searchsorted(self.artists_, artists), len(self.artists_) - 1)
        return np.asarray(self.share_[np.where(self.artists_[place] == artists, place, len(self.artists_))])


@register("label-mention", "predicts the label that the lyrics name; no other words", family="baseline")
class LabelMention(_Baseline):
    """Predicts the label that the lyrics name most often; where they name none, the majority label.

    It shows how much of a result can be read in the text: songs that say their artist's name.

    Parameters
    ----------
    smoothing
        Weight of the overall label shares, in mentions.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    share_ : array, shape (k,)
        The share of each label in training.
    """

    def __init__(self, smoothing: float = 0.1) -> None:
        self.smoothing = smoothing

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def fit(self, X: Any, y: Any) -> LabelMention:
        """Count the labels; the lyrics are not read."""
        self._count_labels(X, y)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        check_is_fitted(self, "share_")
        names: dict[str, list[tuple[list[str], int]]] = {}  # by their first word
        for place, label in enumerate(self.classes_):
            if len(name := artist_of(label)) > 1 and (parts := name.split()):
                names.setdefault(parts[0], []).append((parts, place))
        texts = lyrics_of(X)
        found = np.tile(max(float(self.smoothing), 1e-6) * self.share_, (len(texts), 1))
        for row, lyrics in enumerate(texts):
            words = words_of(lyrics)
            for start, word in enumerate(words):
                for parts, place in names.get(word, ()):
                    found[row, place] += words[start : start + len(parts)] == parts
        return np.asarray(found / found.sum(axis=1, keepdims=True))


@register("layout", "kernel SVM on line lengths, punctuation, repeated lines and capitals; no words", family="baseline")
class LayoutClassifier(_Baseline):
    """A kernel SVM on the layout of songs: line lengths, punctuation, repeated lines, capitals; no words.

    Parameters
    ----------
    C
        Inverse of the regularisation strength.
    balance
        Class weights: 0 gives every song the same weight, 1 every class.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    layout_ : LayoutKernel
        The fitted kernel features.
    coef_ : array of float32, shape (features, k)
    intercept_ : array of float64, shape (k,)
    """

    parts: ClassVar[tuple[type, ...]] = (LayoutKernel,)

    def __init__(self, C: float = 1.0, balance: float = 0.5, random_state: int = 0) -> None:
        self.C = C
        self.balance = balance
        self.random_state = random_state

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, machines=True, weights=1, layout=True)

    def fit(self, X: Any, y: Any) -> LayoutClassifier:
        """Fit on the layout of songs and their labels."""
        self.classes_, index = classes_and_index(X, y)
        k = len(self.classes_)
        self.layout_ = LayoutKernel(random_state=self.random_state)
        rows = sp.csr_matrix(self.layout_.fit_transform(X))
        found = fit_svm(rows, index, k, C=self.C, balance=self.balance, seed=self.random_state)
        mixed = mix([found.scores], index[found.rows], class_shares(index, k), prior=0.5)
        self.coef_ = found.coef * np.float32(mixed.weights[0])
        self.intercept_ = mixed.offset + mixed.weights[0] * found.intercept
        self.n_features_in_ = 1
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of each class for each song, shape (n, k), also for two classes."""
        check_is_fitted(self, "coef_")
        return np.asarray(self.layout_.transform(X) @ self.coef_ + self.intercept_, dtype=np.float64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        return softmax(self.decision_function(X))
