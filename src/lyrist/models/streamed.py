"""Out-of-core logistic regression: fits any number of songs in the memory of one block.

The features are hashed n-grams as in the other linear recipes, selected on a sample of the songs, so that no pass over all songs
is needed before the first step. The optimizer is AdaGrad (Duchi, Hazan and Singer 2011), with a learning rate per n-gram that
decays with its own gradients. The first songs of the stream are not used for training: they calibrate the probabilities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models.calibration import platt, sharpness, softmax
from lyrist.models.features import NGrams
from lyrist.models.inputs import artists_of, class_sizes, is_table, lyrics_of, songs
from lyrist.models.least_squares_svm import ClassWeight, Floats, class_weights
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, LinearSongs
from lyrist.models.weighting import SongFeatures

Blocks = Callable[[], Iterator[tuple[Any, ...]]]
"""Returns the songs (as read by `inputs`), their labels and, if they have any, their weights in shuffled blocks, in the same
order at each call."""

SAMPLE = 50_000
"""Number of songs for the selection of n-grams."""
HELD, HELD_SHARE = 10_000, 0.1
"""Largest number, and largest share, of songs for the calibration."""
_BLOCK = 4_096  # songs whose n-grams are in memory at once
_LISTED = 500  # bytes of a song whose lyrics are on disk: its id, artist, label and split, and its probabilities


@register(
    "streamed-logistic",
    "out-of-core logistic regression on hashed words: for any number of songs",
    family="linear",
    source="Duchi et al. (2011), Adaptive subgradient methods for online learning and stochastic optimization",
)
class StreamedLogistic(LinearSongs):
    """Multinomial logistic regression on words, fitted out of core in mini-batches.

    Parameters
    ----------
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    epochs
        Epochs.
    learning_rate
        Initial learning rate of AdaGrad.
    batch_size
        Songs per update.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    min_df
        Ignore n-grams that occur in fewer songs of a sample of 50,000 songs.
    max_features
        Largest number of n-grams: those in the most songs are kept.
    features
        ``artist`` adds the artist as a feature.
    random_state
        Seed.
    """

    def __init__(
        self,
        word_high: int = 2,
        epochs: int = 2,
        learning_rate: float = 0.2,
        batch_size: int = 64,
        class_weight: ClassWeight = 0.0,
        min_df: int = 2,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.word_high = word_high
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes: of the sample, and of the list of all songs."""
        sample = dataclasses.replace(size, songs=min(size.songs, SAMPLE))
        return of_ngrams(sample, self.max_features, words=True, weights=2) + _LISTED * size.songs

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        classes = self.classes_
        order = np.random.default_rng(self.random_state).permutation(len(index))
        lyrics = lyrics_of(X)
        artists = artists_of(X) if is_table(X) else None

        def blocks() -> Iterator[tuple[Any, ...]]:
            for start in range(0, len(order), _BLOCK):
                part = order[start : start + _BLOCK]
                names = None if artists is None else [artists[i] for i in part]
                labels = index[part] if index.ndim == 2 else classes[index[part]].tolist()
                yield songs([lyrics[i] for i in part], names), labels, weights[part]

        sizes = class_sizes(index, len(classes), weights)
        by_class = dict(zip(classes.tolist(), sizes.tolist(), strict=True))
        self.fit_blocks(blocks, by_class, len(index), several=self.multilabel_)
        self.classes_ = classes  # of the type of the labels

    def fit_blocks(
        self, blocks: Blocks, sizes: Mapping[Any, float], count: int | None = None, several: bool = False
    ) -> StreamedLogistic:
        """Fit on songs that are read block by block.

        Parameters
        ----------
        blocks
            Reads the songs again at each call.
        sizes
            The number of songs of each label, or the sum of their weights. With several labels a song, the labels of a block
            are 0 and 1 in a column for each label, in this order.
        count
            The number of songs, if the sizes are weights or a song has several labels.
        several
            Whether a song has several labels.

        Raises
        ------
        LyristError
            There are fewer than two labels, or the songs share no words.
        """
        if len(sizes) < 2:
            raise LyristError("All training songs have one label; a classifier needs at least two labels.")
        self.multilabel_ = several
        self.classes_ = np.array([*sizes], dtype=object) if several else np.array(sorted(sizes))
        if several:
            self.thresholds_ = np.full(len(sizes), 0.5)
        self.n_features_in_ = getattr(self, "n_features_in_", 1)
        n, k = count or int(sum(sizes.values())), len(sizes)
        self.features_ = self._chosen(blocks)
        d = len(self.features_.scale_) + len(self.features_.artists_)
        known = self.classes_.tolist()
        balanced = None if several else self.class_weight
        of_classes = class_weights(np.array([sizes[label] for label in known]), known, balanced)
        learner = _Learner(d, k, self.learning_rate)
        held = min(HELD, int(HELD_SHARE * n))
        kept: list[tuple[sp.csr_matrix, NDArray[np.int64], Floats]] = []
        with progress.task("learning") as advance:
            for epoch in range(self.epochs):
                done = 0
                for X, labels, *given in blocks():
                    rows, index = self._rows(X, labels)
                    own = given[0] if given else np.ones(len(index), np.float32)
                    weights = own if several else of_classes[index] * own
                    aside = min(max(held - done, 0), len(index))
                    if aside and not epoch:
                        kept.append((rows[:aside], index[:aside], own[:aside]))
                    for start in range(aside, len(index), self.batch_size):
                        batch = slice(start, start + self.batch_size)
                        learner.step(rows[batch], index[batch], weights[batch])
                    done += len(index)
                    advance(epoch * n + done, self.epochs * n)
        self.coef_, self.intercept_ = learner.coef, learner.intercept
        scores = [rows @ self.coef_ + self.intercept_ for rows, _, _ in kept]
        self.sharpness_ = 1.0
        if kept:
            index, own = (np.concatenate([part[i] for part in kept]) for i in (1, 2))
            if several:
                self.sharpness_, offsets = platt(np.concatenate(scores), index, own)
                self.intercept_ = (self.intercept_ + offsets / self.sharpness_).astype(np.float32)
            else:
                self.sharpness_ = sharpness(np.concatenate(scores), index, own)
        return self

    def _chosen(self, blocks: Blocks) -> SongFeatures:
        """Return the n-grams of the first songs of the stream, and the artists of all songs."""
        lyrics: list[str] = []
        artists: set[str] = set()
        for X, *_ in blocks():
            lyrics += lyrics_of(X)[: SAMPLE - len(lyrics)]
            if self.features == "artist":
                artists.update(name for name in artists_of(X) if name)
            elif len(lyrics) >= SAMPLE:
                break
        grams = NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features)
        found = SongFeatures((grams,), "presence-idf")
        found.fit_counts(lyrics)
        if self.features == "artist":
            found.artist, found.artists_ = True, np.array(sorted(artists), dtype=np.str_)
        return found

    def _rows(self, X: Any, labels: Any) -> tuple[sp.csr_matrix, NDArray[np.int64]]:
        index = np.asarray(labels) if self.multilabel_ else np.searchsorted(self.classes_, labels)
        return self.features_.transform(X), index.astype(np.int64)


class _Learner:
    """The weights of k classes and the AdaGrad optimizer."""

    def __init__(self, d: int, k: int, rate: float) -> None:
        self.coef = np.zeros((d, k), np.float32)
        self.intercept = np.zeros(k, np.float32)
        self._squares = np.full((d, k), 1e-8, np.float32)
        self._squares_intercept = np.full(k, 1e-8, np.float32)
        self._rate = np.float32(rate)

    def step(self, rows: sp.csr_matrix, index: NDArray[np.int64], weights: Floats) -> None:
        """Update the weights on a batch; only those of its n-grams change."""
        # A batch has a few thousand of the columns: a small matrix of just these is cheaper.
        used, place = np.unique(rows.indices, return_inverse=True)
        small = sp.csr_matrix((rows.data, place.astype(np.int32), rows.indptr), shape=(rows.shape[0], len(used)))
        coef = self.coef[used]
        logits = small @ coef + self.intercept
        if index.ndim == 2:
            wrong = (expit(logits) - index).astype(np.float32)
        else:
            wrong = softmax(logits).astype(np.float32)
            wrong[np.arange(len(index)), index] -= 1
        wrong *= weights[:, None] / len(index)
        gradient = small.T @ wrong
        squares = self._squares[used] + gradient**2
        self._squares[used] = squares
        self.coef[used] = coef - self._rate * gradient / np.sqrt(squares)
        total = wrong.sum(axis=0)
        self._squares_intercept += total**2
        self.intercept -= self._rate * total / np.sqrt(self._squares_intercept)
