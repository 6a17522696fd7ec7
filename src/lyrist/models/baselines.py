"""Controls: what can be had without reading a word. A model that does not beat them has learnt nothing of the lyrics.

They stand in every table of results. `artist-lookup` in particular shows how much of a genre result is the artist: where
genres were given to artists and not to songs, it is right nearly always until artists are split apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.errors import LyristError
from lyrist.models.inputs import artists_of, labels_of, lyrics_of
from lyrist.models.labels import class_shares, classes_and_index
from lyrist.models.layoutkernel import LayoutKernel
from lyrist.models.margins import fit_margins, softmax
from lyrist.models.mixing import mix
from lyrist.models.registry import register


class _Baseline(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the controls share: the likeliest label is the answer."""

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the likeliest label of each song."""
        labels: NDArray[np.str_] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        raise NotImplementedError


@register("majority", "the commonest label, always", family="baseline")
class Majority(_Baseline):
    """Answers the commonest training label always, with the labels' shares as probabilities.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    share_ : array, shape (k,)
        The share of each label in training.
    """

    def fit(self, X: Any, y: Any) -> Majority:
        """Count the labels."""
        labels, n = labels_of(y), len(lyrics_of(X))
        if not labels or len(labels) != n:
            raise LyristError(f"There are {n} songs to learn from and {len(labels)} labels; give one label a song.")
        self.classes_, counts = np.unique(np.array(labels, dtype=np.str_), return_counts=True)
        self.share_ = counts / counts.sum()
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the labels' shares for each song, shape (n, k)."""
        check_is_fitted(self, "share_")
        return np.tile(self.share_, (len(lyrics_of(X)), 1))


@register("artist-lookup", "the artist's label in training; no lyrics", family="baseline")
class ArtistLookup(_Baseline):
    """Answers with the labels that the song's artist had in training, and never looks at the lyrics.

    Parameters
    ----------
    smoothing
        Weight of the overall label shares, in songs of each artist. An artist without training songs has only
        these shares.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    artists_ : array of str, shape (m,)
        The artists of training, sorted.
    share_ : array, shape (m + 1, k)
        The probabilities for each of them, and last for any other artist.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        self.smoothing = smoothing

    def fit(self, X: Any, y: Any) -> ArtistLookup:
        """Count the labels of each artist."""
        artists = np.array(artists_of(X), dtype=np.str_)
        self.classes_, index = np.unique(np.array(labels_of(y), dtype=np.str_), return_inverse=True)
        if not len(index) or len(index) != len(artists):
            raise LyristError(f"There are {len(artists)} songs and {len(index)} labels; give one label a song.")
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


@register("layout", "line lengths, marks, repeated lines, capitals; no words", family="baseline")
class LayoutClassifier(_Baseline):
    """A kernel machine on how songs are built: line lengths, marks, repeated lines, capitals; no words.

    Parameters
    ----------
    C
        Cost of training errors against the smoothness of the decision function.
    balance
        Class weights: 0 weighs every song equally, 1 every class.
    random_state
        Seed of everything that is drawn at random.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    layout_ : LayoutKernel
        What turns songs into rows.
    coef_ : array of float32, shape (features, k)
    intercept_ : array of float64, shape (k,)
    """

    def __init__(self, C: float = 1.0, balance: float = 0.5, random_state: int = 0) -> None:
        self.C = C
        self.balance = balance
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> LayoutClassifier:
        """Learn from the layout of songs and their labels."""
        self.classes_, index = classes_and_index(X, y)
        k = len(self.classes_)
        self.layout_ = LayoutKernel(random_state=self.random_state)
        rows = sp.csr_matrix(self.layout_.fit_transform(X))
        found = fit_margins(rows, index, k, C=self.C, balance=self.balance, seed=self.random_state)
        mixed = mix([found.scores], index[found.rows], class_shares(index, k), prior=0.5)
        self.coef_ = found.coef * np.float32(mixed.weights[0])
        self.intercept_ = mixed.offset + mixed.weights[0] * found.intercept
        self.n_features_in_ = 1
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of each class for each song, shape (n, k), for two classes too."""
        check_is_fitted(self, "coef_")
        return np.asarray(self.layout_.transform(X) @ self.coef_ + self.intercept_, dtype=np.float64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        return softmax(self.decision_function(X))
