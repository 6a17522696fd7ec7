"""Baselines: the majority label, the label of the artist, the label that the text names, and the layout of the song.

A model that does not beat them has learnt nothing from the words. They are in every table of results. `artist-lookup` shows how
much of a genre result is due to the artist: if genres were assigned to artists and not to songs, it is nearly always right
unless the split is by artist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from lyrist.models.calibration import mix
from lyrist.models.columns import ColumnFeatures
from lyrist.models.inputs import (
    ARTIST,
    artists_of,
    class_shares,
    class_sizes,
    lyrics_of,
    members,
    names_of,
    with_artist,
)
from lyrist.models.layout import LayoutKernel
from lyrist.models.least_squares_svm import ClassWeight, Floats, LinearFit, fit_svm, song_weights
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import ScoringClassifier, SongClassifier
from lyrist.text import artist_of, name_words


@register("majority", "always predicts the most frequent label", family="baseline")
class Majority(SongClassifier):
    """Always predicts the most frequent training label, with the label frequencies as probabilities.

    Attributes
    ----------
    classes_ : array, shape (k,)
    share_ : array, shape (k,)
        The share of each label in training.
    """

    least_classes: ClassVar[int] = 1
    multilabel: ClassVar[bool] = True

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        self.share_ = class_sizes(index, len(self.classes_), weights) / weights.sum()

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        return np.tile(self.share_, (len(lyrics_of(X)), 1))


@register("artist-lookup", "predicts the label of the artist's training songs; no lyrics", family="baseline")
@dataclass(eq=False, repr=False)
class ArtistLookup(SongClassifier):
    """Predicts from the training labels of the song's artist, without the lyrics.

    Parameters
    ----------
    alpha
        Weight of the overall label frequencies, as a number of songs per artist. An artist without training songs gets the
        overall frequencies.

    Attributes
    ----------
    classes_ : array, shape (k,)
    artists_ : array of str, shape (m,)
        The artists of the training songs, sorted.
    share_ : array, shape (m + 1, k)
        The probabilities for each of these artists, and in the last row for any other artist.
    """

    alpha: float = 1.0

    least_classes: ClassVar[int] = 1
    multilabel: ClassVar[bool] = True

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        artists = np.array(artists_of(X), dtype=np.str_)
        self.artists_, place = np.unique(artists[artists != ""], return_inverse=True)
        overall = class_sizes(index, len(self.classes_), weights) / weights.sum()
        named, have = artists != "", np.zeros((len(self.artists_) + 1, 1))
        counts = np.zeros((len(self.artists_) + 1, len(self.classes_)))
        np.add.at(counts, place, members(index[named], len(self.classes_)) * weights[named, None])
        np.add.at(have, place, weights[named, None])
        weight = max(float(self.alpha), 1e-3)
        self.share_ = (counts + weight * overall) / (have + weight)

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        artists = np.array(artists_of(X), dtype=np.str_)
        if not len(self.artists_):
            return np.tile(self.share_[-1], (len(artists), 1))
        place = np.minimum(np.searchsorted(self.artists_, artists), len(self.artists_) - 1)
        return np.asarray(self.share_[np.where(self.artists_[place] == artists, place, len(self.artists_))])


@register("label-mention", "predicts the label that the lyrics name; no other words", family="baseline")
@dataclass(eq=False, repr=False)
class LabelMention(SongClassifier):
    """Predicts the label that the lyrics name most often; where they name none, the majority label.

    It shows how much of a result can be read in the text: songs that say their artist's name.

    Parameters
    ----------
    alpha
        Weight of the overall label shares, in mentions.

    Attributes
    ----------
    classes_ : array, shape (k,)
    share_ : array, shape (k,)
        The share of each label in training.
    """

    alpha: float = 0.1

    least_classes: ClassVar[int] = 1
    multilabel: ClassVar[bool] = True

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        self.share_ = class_sizes(index, len(self.classes_), weights) / weights.sum()

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        names: dict[str, list[tuple[list[str], int]]] = {}  # by their first word
        for place, label in enumerate(self.classes_):
            if len(name := artist_of(str(label))) > 1 and (parts := name.split()):
                names.setdefault(parts[0], []).append((parts, place))
        texts = lyrics_of(X)
        found = np.tile(max(float(self.alpha), 1e-6) * self.share_, (len(texts), 1))
        for row, lyrics in enumerate(texts):
            words = name_words(lyrics)
            for start, word in enumerate(words):
                for parts, place in names.get(word, ()):
                    found[row, place] += words[start : start + len(parts)] == parts
        if self.multilabel_:
            alpha = max(float(self.alpha), 1e-6)
            mentioned = found - alpha * self.share_
            return np.asarray((mentioned + alpha * self.share_) / (mentioned + alpha))
        return np.asarray(found / found.sum(axis=1, keepdims=True))


@register("layout", "kernel SVM on line lengths, punctuation, repeated lines and capitals; no words", family="baseline")
@dataclass(eq=False, repr=False)
class LayoutClassifier(ScoringClassifier):
    """A kernel SVM on the layout of songs: line lengths, punctuation, repeated lines, capitals; no words.

    Parameters
    ----------
    C
        Inverse of the regularisation strength.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array, shape (k,)
    layout_ : LayoutKernel
        The fitted kernel features.
    coef_ : array of float32, shape (features, k)
    intercept_ : array of float64, shape (k,)
    """

    parts: ClassVar[tuple[type, ...]] = (LayoutKernel,)
    multilabel: ClassVar[bool] = True

    C: float = 1.0
    class_weight: ClassWeight = 0.5
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, machines=True, weights=1, layout=True)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        self.layout_ = LayoutKernel(random_state=self.random_state)
        rows = sp.csr_matrix(self.layout_.fit_transform(X))
        of_songs = song_weights(index, self.classes_, self.class_weight, weights)
        found = fit_svm(rows, index, len(self.classes_), weights=of_songs, C=self.C, seed=self.random_state)
        self.coef_, self.intercept_ = _calibrated(found, index, weights, prior=0.5)

    def _scores(self, X: Any) -> NDArray[np.float64]:
        return np.asarray(self.layout_.product(X, self.coef_) + self.intercept_, dtype=np.float64)


@register("columns", "the columns of --features alone; no lyrics", family="baseline")
@dataclass(eq=False, repr=False)
class ColumnsClassifier(ScoringClassifier):
    """A linear classifier of other columns of the table, without the lyrics.

    Parameters
    ----------
    features
        The columns, separated by commas, such as ``year,language``; the artist may be one of them.
    C
        Inverse of the regularisation strength.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array, shape (k,)
    columns_ : ColumnFeatures
        The fitted features of the columns.
    coef_ : array of float32, shape (features, k)
    intercept_ : array of float64, shape (k,)
    """

    parts: ClassVar[tuple[type, ...]] = (ColumnFeatures,)
    multilabel: ClassVar[bool] = True

    features: str = "artist"
    C: float = 2.5
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, machines=True, weights=1)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        names = names_of(self.features) + ((ARTIST,) if with_artist(self.features) else ())
        self.columns_ = ColumnFeatures(names).fit(X)
        rows, k = self.columns_.transform(X), len(self.classes_)
        found = fit_svm(rows, index, k, weights=weights, C=self.C, seed=self.random_state)
        self.coef_, self.intercept_ = _calibrated(found, index, weights, prior=1.0)

    def _scores(self, X: Any) -> NDArray[np.float64]:
        return np.asarray(self.columns_.transform(X) @ self.coef_ + self.intercept_, dtype=np.float64)


def _calibrated(
    found: LinearFit, index: NDArray[np.int64], weights: Floats, prior: float
) -> tuple[Floats, NDArray[np.float64]]:
    """Return the weights and the intercept of a fit, calibrated with class frequencies to the power of ``prior``."""
    shares = class_shares(index, found.coef.shape[1], weights)
    mixed = mix([found.scores], index[found.rows], shares, prior=prior, sample_weight=weights[found.rows])
    return found.coef * np.float32(mixed.weights[0]), mixed.offset + mixed.weights[0] * found.intercept
