"""Logistic regression that learns a block of songs at a time: any number of songs in the memory of one block.

The columns are buckets of hashed n-grams as in the other linear recipes, chosen on a sample of the songs, so that no
pass over all of them is needed before the first step. The weights follow AdaGrad (Duchi, Hazan and Singer 2011): each
n-gram has its own step, which falls with what that n-gram has been taught so far, so that rare words learn at once and
common ones settle. The first songs of the stream are never learnt from: they calibrate the probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models.features import NGrams
from lyrist.models.inputs import artists_of, is_table, lyrics_of, songs
from lyrist.models.labels import classes_and_index
from lyrist.models.margins import Floats, sharpness, softmax
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, LinearSongs
from lyrist.models.weighting import SongFeatures

Blocks = Callable[[], Iterator[tuple[Any, list[str]]]]
"""Gives the songs (as `inputs` reads them) and their labels in blocks, mixed, in the same order at each call."""

SAMPLE = 50_000
"""On so many songs the n-grams are chosen."""
HELD, HELD_SHARE = 10_000, 0.1
"""At most so many songs, and at most this share of them, calibrate."""
_BLOCK = 4_096  # songs whose n-grams are in memory at one time


@register(
    "streamed-logistic",
    "hashed words and logistic regression, learnt a block at a time: for any number of songs",
    family="linear",
    source="Duchi et al. (2011), Adaptive subgradient methods for online learning and stochastic optimization",
)
class StreamedLogistic(LinearSongs):
    """Multinomial logistic regression on words, in mini-batches.

    Parameters
    ----------
    word_high
        Longest word n-gram, from 1; punctuation marks and line ends count as words.
    epochs
        Passes over the songs.
    learning_rate
        Initial step of each weight; it falls with the square root of the sum of squared gradients.
    batch_size
        Songs in an update.
    balance
        Class weights: 0 weighs every song equally, 1 every class.
    min_df
        Ignore n-grams that occur in fewer songs of the sample of `SAMPLE` songs.
    max_features
        Keep this many n-grams, those in the most songs.
    features
        ``artist`` adds the artist as a feature beside the lyrics.
    random_state
        Seed of everything that is drawn at random.
    """

    def __init__(
        self,
        word_high: int = 2,
        epochs: int = 2,
        learning_rate: float = 0.2,
        batch_size: int = 64,
        balance: float = 0.0,
        min_df: int = 2,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.word_high = word_high
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.balance = balance
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> StreamedLogistic:
        """Learn from songs that are all in memory."""
        classes, index = classes_and_index(X, y)
        order = np.random.default_rng(self.random_state).permutation(len(index))
        lyrics = lyrics_of(X)
        artists = artists_of(X) if is_table(X) else None

        def blocks() -> Iterator[tuple[Any, list[str]]]:
            for start in range(0, len(order), _BLOCK):
                part = order[start : start + _BLOCK]
                names = None if artists is None else [artists[i] for i in part]
                yield songs([lyrics[i] for i in part], names), classes[index[part]].tolist()

        sizes = np.bincount(index)
        return self.fit_blocks(blocks, dict(zip(classes.tolist(), sizes.tolist(), strict=True)))

    def fit_blocks(self, blocks: Blocks, sizes: dict[str, int]) -> StreamedLogistic:
        """Learn from songs that are read block by block.

        Parameters
        ----------
        blocks
            Reads the songs anew at each call.
        sizes
            How many songs each label has.

        Raises
        ------
        LyristError
            There are fewer than two labels, or the songs share no words.
        """
        if len(sizes) < 2:
            raise LyristError("All songs to learn from have one label; there is nothing to tell apart.")
        self.classes_ = np.array(sorted(sizes), dtype=np.str_)
        self.n_features_in_ = 1
        n, k = sum(sizes.values()), len(sizes)
        self.features_ = self._chosen(blocks)
        d = len(self.features_.scale_) + len(self.features_.artists_)
        weights = np.array([sizes[label] for label in self.classes_], dtype=np.float64) ** -self.balance
        weights *= n / sum(weights[i] * sizes[label] for i, label in enumerate(self.classes_))
        learner = _Learner(d, k, self.learning_rate, weights.astype(np.float32))
        held = min(HELD, int(HELD_SHARE * n))
        kept: list[tuple[sp.csr_matrix, NDArray[np.int64]]] = []
        with progress.task("learning") as advance:
            for epoch in range(self.epochs):
                done = 0
                for X, labels in blocks():
                    rows, index = self._rows(X, labels)
                    aside = min(max(held - done, 0), len(index))
                    if aside and not epoch:
                        kept.append((rows[:aside], index[:aside]))
                    for start in range(aside, len(index), self.batch_size):
                        learner.step(rows[start : start + self.batch_size], index[start : start + self.batch_size])
                    done += len(index)
                    advance(epoch * n + done, self.epochs * n)
        self.coef_, self.intercept_ = learner.coef, learner.intercept
        scores = [rows @ self.coef_ + self.intercept_ for rows, _ in kept]
        self.sharpness_ = 1.0
        if kept:
            self.sharpness_ = sharpness(np.concatenate(scores), np.concatenate([index for _, index in kept]))
        return self

    def _chosen(self, blocks: Blocks) -> SongFeatures:
        """Return the n-grams that the first songs of the stream have, and the artists of all."""
        lyrics: list[str] = []
        artists: set[str] = set()
        for X, _ in blocks():
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

    def _rows(self, X: Any, labels: list[str]) -> tuple[sp.csr_matrix, NDArray[np.int64]]:
        return self.features_.transform(X), np.searchsorted(self.classes_, labels).astype(np.int64)


class _Learner:
    """Weights of k classes, their squared gradients so far, and one step of AdaGrad."""

    def __init__(self, d: int, k: int, rate: float, weights: Floats) -> None:
        self.coef = np.zeros((d, k), np.float32)
        self.intercept = np.zeros(k, np.float32)
        self._taught = np.full((d, k), 1e-8, np.float32)
        self._taught_intercept = np.full(k, 1e-8, np.float32)
        self._rate, self._weights = np.float32(rate), weights

    def step(self, rows: sp.csr_matrix, index: NDArray[np.int64]) -> None:
        """Move the weights against the gradient of the loss of some songs; only those of their n-grams are touched."""
        # `rows` hold a few thousand of the columns: a small matrix of just those is cheaper than all of them.
        used, place = np.unique(rows.indices, return_inverse=True)
        small = sp.csr_matrix((rows.data, place.astype(np.int32), rows.indptr), shape=(rows.shape[0], len(used)))
        coef = self.coef[used]
        wrong = softmax(small @ coef + self.intercept).astype(np.float32)
        wrong[np.arange(len(index)), index] -= 1
        wrong *= self._weights[index, None] / len(index)
        gradient = small.T @ wrong
        taught = self._taught[used] + gradient**2
        self._taught[used] = taught
        self.coef[used] = coef - self._rate * gradient / np.sqrt(taught)
        total = wrong.sum(axis=0)
        self._taught_intercept += total**2
        self.intercept -= self._rate * total / np.sqrt(self._taught_intercept)
