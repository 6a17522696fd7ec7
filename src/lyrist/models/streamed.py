"""Out-of-core linear models: they are fitted on any number of songs in the memory of one block.

The features are hashed n-grams as in the other linear recipes, selected on a sample of the songs, so that no pass over all songs
is needed before the first step. The optimizer is AdaGrad (Duchi, Hazan and Singer 2011), with a learning rate per n-gram that
decays with its own gradients. The first songs of the stream are not used for training: they calibrate the probabilities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils import _safe_indexing

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models.calibration import softmax
from lyrist.models.columns import ColumnFeatures
from lyrist.models.features import NGrams
from lyrist.models.inputs import artists_of, class_sizes, column_of, lyrics_of, names_of, songs, with_artist
from lyrist.models.layout import LayoutKernel
from lyrist.models.least_squares_svm import ClassWeight, Floats, class_weights
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, LinearSongs
from lyrist.models.weighting import Contributions, SongFeatures

Blocks = Callable[[], Iterator[tuple[Any, ...]]]
"""Returns the songs (as read by `inputs`), their labels and, if they have any, their weights in shuffled blocks, in the same
order at each call."""

LAYOUTS = 10_000
"""Number of songs for the quantiles and landmarks of the layout."""
READ, EPOCHS = 100_000, 20
"""Songs that are read in all epochs together, where the number of epochs is not given, and the most epochs."""
EVERY = 32
"""Updates between the weights that are averaged."""
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
@dataclass(eq=False, repr=False)
class StreamedLogistic(LinearSongs):
    """Multinomial logistic regression on words, fitted out of core in mini-batches.

    Parameters
    ----------
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    epochs
        Epochs; None: as many as read 100,000 songs, from 1 to 20.
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
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    averaged: ClassVar[bool] = False
    """Whether the weights of the second half of the updates are averaged."""
    sample: ClassVar[int] = 50_000
    """Number of songs for the selection of n-grams."""

    word_high: int = 2
    epochs: int | None = 2
    learning_rate: float = 0.2
    batch_size: int = 64
    class_weight: ClassWeight = 0.0
    min_df: int = 2
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes: of the sample, and of the list of all songs."""
        sample = dataclasses.replace(size, songs=min(size.songs, self.sample))
        lengths = sum(kind.high - kind.low + 1 for kind in self._grams() if kind.unit == "char")
        weights = 3 if self.averaged else 2
        return of_ngrams(sample, self.max_features, lengths=lengths, words=True, weights=weights) + _LISTED * size.songs

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        classes = self.classes_
        order = np.random.default_rng(self.random_state).permutation(len(index))

        def blocks() -> Iterator[tuple[Any, ...]]:
            for start in range(0, len(order), _BLOCK):
                part = order[start : start + _BLOCK]
                labels = index[part] if index.ndim == 2 else classes[index[part]].tolist()
                yield _safe_indexing(X, part), labels, weights[part]

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
        self.classes_ = np.array([*sizes], dtype=object) if several else np.array(sorted(sizes))
        self._note_kind(several)
        self.n_features_in_ = getattr(self, "n_features_in_", 1)
        n, k = count or int(sum(sizes.values())), len(sizes)
        self._choose(blocks)
        d = len(self.features_.scale_) + self.features_.width
        known = self.classes_.tolist()
        balanced = None if several else self.class_weight
        of_classes = class_weights(np.array([sizes[label] for label in known]), known, balanced)
        epochs = self._epochs(n)
        learner = _Learner(d, k, self.learning_rate, self._width())
        held = min(HELD, int(HELD_SHARE * n))
        half = epochs * (n - held) // self.batch_size // 2
        kept: list[tuple[sp.csr_matrix, Floats | None, NDArray[np.int64], Floats]] = []
        with progress.task("learning") as advance:
            for epoch in range(epochs):
                done = 0
                for X, labels, *given in blocks():
                    rows, dense = self._rows(X)
                    classes = labels if several else np.searchsorted(self.classes_, labels)
                    index = np.asarray(classes, dtype=np.int64)
                    own = given[0] if given else np.ones(len(index), np.float32)
                    weights = own if several else of_classes[index] * own
                    aside = min(max(held - done, 0), len(index))
                    if aside and not epoch:
                        part = None if dense is None else dense[:aside]
                        kept.append((rows[:aside], part, index[:aside], own[:aside]))
                    for start in range(aside, len(index), self.batch_size):
                        batch = slice(start, start + self.batch_size)
                        part = None if dense is None else dense[batch]
                        learner.step(rows[batch], index[batch], weights[batch], part)
                        if self.averaged and learner.steps > half and learner.steps % EVERY == 0:
                            learner.sum_up()
                    done += len(index)
                    advance(epoch * n + done, epochs * n)
        if self.averaged:
            learner.average()
        self.coef_, self.intercept_ = learner.coef, learner.intercept
        self._keep(learner)
        scores = [learner.logits(rows, dense) for rows, dense, _, _ in kept]
        self.sharpness_ = 1.0
        if kept:
            index, own = (np.concatenate([part[i] for part in kept]) for i in (2, 3))
            self._calibrate(np.concatenate(scores), index, own)
        return self

    def _epochs(self, n: int) -> int:
        return self.epochs or min(max(READ // n, 1), EPOCHS)

    def _choose(self, blocks: Blocks) -> None:
        """Choose the n-grams on the first songs of the stream, and the artists of all songs."""
        lyrics: list[str] = []
        artists: set[str] = set()
        others: dict[str, list[str]] = {name: [] for name in names_of(self.features)}
        for X, *_ in blocks():
            if len(lyrics) < self.sample:
                for name, values in others.items():
                    values += column_of(X, name)
            lyrics += lyrics_of(X)[: self.sample - len(lyrics)]
            if with_artist(self.features):
                artists.update(name for name in artists_of(X) if name)
            elif len(lyrics) >= self.sample:
                break
        self.features_ = SongFeatures(self._grams(), "presence-idf")
        self.features_.fit_counts(lyrics)
        if with_artist(self.features):
            self.features_.artist, self.features_.artists_ = True, np.array(sorted(artists), dtype=np.str_)
        if others:
            table = songs([""] * len(next(iter(others.values()))), None, others)
            self.features_.columns, self.features_.columns_ = tuple(others), ColumnFeatures(tuple(others)).fit(table)
        self._fit_dense(lyrics)

    def _grams(self) -> tuple[NGrams, ...]:
        return (NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features),)

    def _fit_dense(self, lyrics: list[str]) -> None:
        """Fit the features other than n-grams on the first songs of the stream."""

    def _width(self) -> int:
        """Return the number of features other than n-grams."""
        return 0

    def _rows(self, X: Any) -> tuple[sp.csr_matrix, Floats | None]:
        """Return the n-grams of songs, and their other features."""
        return self.features_.transform(X), None

    def _keep(self, learner: _Learner) -> None:
        """Keep the fitted weights of the features other than n-grams."""


@register(
    "streamed-ensemble",
    "out-of-core logistic regression on hashed words and layout: for any number of songs",
    family="ensemble",
    source="Duchi et al. (2011), Adaptive subgradient methods for online learning and stochastic optimization; "
    "Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging",
)
@dataclass(eq=False, repr=False)
class StreamedEnsemble(StreamedLogistic):
    """Multinomial logistic regression on words and layout together, fitted out of core in mini-batches.

    The n-grams and the kernel of the layout (`LayoutKernel`) are those of `LyricEnsemble`. Its members would each have to read
    all songs; here one model weighs all features, and its weights are averaged over the second half of the updates.

    Parameters
    ----------
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    characters
        Use n-grams of 2 to 4 characters, too: twice the time, and no gain on many songs.
    landmarks
        Maximum number of songs that the layout of a song is compared with.
    epochs
        Epochs; by default as many as read 100,000 songs, from 1 to 20.
    learning_rate
        Initial learning rate of AdaGrad.
    batch_size
        Songs per update.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    min_df
        Ignore n-grams that occur in fewer songs of a sample of 20,000 songs.
    max_features
        Largest number of word n-grams, and of character n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    parts: ClassVar[tuple[type, ...]] = (SongFeatures, LayoutKernel)
    averaged: ClassVar[bool] = True
    sample: ClassVar[int] = 20_000

    epochs: int | None = None
    max_features: int = 100_000
    characters: bool = False
    landmarks: int = 400

    def contributions(self, X: Any, label: str) -> Contributions:
        """Return the contribution of each character of one song, its layout and its artist to the logit of ``label``."""
        found, c = super().contributions(X, label), int(np.flatnonzero(self.classes_ == label)[0])
        coef = (
            self.layout_coef_ if self.multilabel_ else self.layout_coef_ - self.layout_coef_.mean(axis=1, keepdims=True)
        )
        layout = float((self.layout_.transform(X) @ coef[:, c]).item()) * self.sharpness_
        return Contributions(found.characters, {**found.other, "layout": layout})

    def _scores(self, X: Any) -> Floats:
        return np.asarray(super()._scores(X) + self.layout_.product(X, self.layout_coef_), dtype=np.float32)

    def _grams(self) -> tuple[NGrams, ...]:
        characters = NGrams("char", 2, 4, min_df=self.min_df, max_features=self.max_features)
        return (characters, *super()._grams()) if self.characters else super()._grams()

    def _fit_dense(self, lyrics: list[str]) -> None:
        self.layout_ = LayoutKernel(random_state=self.random_state, landmarks=self.landmarks).fit(lyrics[:LAYOUTS])

    def _width(self) -> int:
        return int(self.layout_.root_.shape[1])

    def _rows(self, X: Any) -> tuple[sp.csr_matrix, Floats | None]:
        return self.features_.transform(X), self.layout_.transform(X)

    def _keep(self, learner: _Learner) -> None:
        self.layout_coef_ = learner.dense


class _Learner:
    """The weights of k classes and the AdaGrad optimizer; ``width`` further features are dense."""

    def __init__(self, d: int, k: int, rate: float, width: int = 0) -> None:
        self.coef = np.zeros((d, k), np.float32)
        self.dense = np.zeros((width, k), np.float32)
        self.intercept = np.zeros(k, np.float32)
        self.steps = 0
        self._squares = np.full((d, k), 1e-8, np.float32)
        self._squares_dense = np.full((width, k), 1e-8, np.float32)
        self._squares_intercept = np.full(k, 1e-8, np.float32)
        self._rate = np.float32(rate)
        self._sums: list[Floats] = []
        self._summed = 0

    def logits(self, rows: sp.csr_matrix, dense: Floats | None) -> Floats:
        """Return the scores of songs, (n, k)."""
        found = rows @ self.coef + self.intercept
        return np.asarray(found if dense is None else found + dense @ self.dense)

    def sum_up(self) -> None:
        """Add the weights to the sums that `average` divides."""
        weights = [self.coef, self.dense, self.intercept]
        if not self._sums:
            self._sums = [np.zeros_like(each) for each in weights]
        for total, each in zip(self._sums, weights, strict=True):
            total += each
        self._summed += 1

    def average(self) -> None:
        """Set the weights to the mean of those that were summed up, if there are any."""
        if self._summed:
            self.coef, self.dense, self.intercept = (total / np.float32(self._summed) for total in self._sums)

    def step(self, rows: sp.csr_matrix, index: NDArray[np.int64], weights: Floats, dense: Floats | None = None) -> None:
        """Update the weights on a batch; only those of its n-grams and of the dense features change."""
        self.steps += 1
        # A batch has a few thousand of the columns: a small matrix of just these is cheaper.
        used, place = np.unique(rows.indices, return_inverse=True)
        small = sp.csr_matrix((rows.data, place.astype(np.int32), rows.indptr), shape=(rows.shape[0], len(used)))
        coef = self.coef[used]
        logits = small @ coef + self.intercept
        if dense is not None:
            logits += dense @ self.dense
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
        if dense is not None:
            gradient = dense.T @ wrong
            self._squares_dense += gradient**2
            self.dense -= self._rate * gradient / np.sqrt(self._squares_dense)
        total = wrong.sum(axis=0)
        self._squares_intercept += total**2
        self.intercept -= self._rate * total / np.sqrt(self._squares_intercept)
