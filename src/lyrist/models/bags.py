"""The fastText model: the mean of learnt vectors of words and word pairs, and a linear layer.

Joulin, Grave, Bojanowski and Mikolov (2016), Bag of tricks for efficient text classification. Unlike fastText it is fitted
with sparse Adam, which updates only the vectors of the words in a batch, and with dropout of words, because it overfits small
data sets otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lyrist import progress
from lyrist.models.features import NGrams
from lyrist.models.least_squares_svm import Floats
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, ScoringClassifier
from lyrist.models.weighting import SongFeatures

SHOWN = 60_000
"""Default number of training examples over all epochs."""
PASSES = 25
"""Largest default number of epochs."""


@register(
    "bag-of-embeddings",
    "fastText: the mean of learnt vectors of words and word pairs, and a linear layer",
    family="linear",
    source="Joulin et al. (2016), Bag of tricks for efficient text classification",
)
@dataclass(eq=False, repr=False)
class BagOfEmbeddings(ScoringClassifier):
    """The fastText classifier: the mean of learnt word vectors, then a linear layer.

    Parameters
    ----------
    size
        Length of the vectors.
    word_high
        Longest word n-gram with a vector, from 1.
    epochs
        Epochs; by default 60,000 divided by the number of training songs, between 1 and 25.
    learning_rate
        Initial learning rate of Adam; it decays linearly to 0.
    dropout
        Share of the n-grams of a song that are dropped in each epoch.
    batch_size
        Songs per update.
    max_features
        Number of n-grams with a vector: those in the most songs.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array, shape (k,)
        The labels, sorted.
    features_ : SongFeatures
        The fitted n-gram counter.
    embedding_ : array of float32, shape (d, size)
        The vector of each n-gram.
    coef_ : array of float32, shape (size, k)
    intercept_ : array of float32, shape (k,)
    """

    parts: ClassVar[tuple[type, ...]] = (SongFeatures,)
    multilabel: ClassVar[bool] = True

    size: int = 64
    word_high: int = 2
    epochs: int | None = None
    learning_rate: float = 0.02
    dropout: float = 0.5
    batch_size: int = 32
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, words=True, vector=self.size)

    def _learn(self, X: Any, index: NDArray[np.int64], sample_weight: Floats) -> None:
        grams = [NGrams("word", 1, self.word_high, min_df=2, max_features=self.max_features)]
        self.features_ = SongFeatures.beside(grams, "presence", self.features)
        rows = self.features_.fit_transform(X)
        rng = np.random.default_rng(self.random_state)
        start = rng.uniform(-1, 1, (rows.shape[1], self.size)) / self.size
        vectors = torch.from_numpy(start.astype(np.float32)).requires_grad_()
        weights = torch.zeros(self.size, len(self.classes_), requires_grad=True)
        bias = torch.zeros(len(self.classes_), requires_grad=True)
        sparse = torch.optim.SparseAdam([vectors], lr=self.learning_rate)
        dense = torch.optim.Adam([weights, bias], lr=self.learning_rate)
        target, passes = torch.from_numpy(index), self._passes(len(index))
        of_songs = torch.from_numpy(sample_weight)
        total = passes * -(-len(index) // self.batch_size)
        with progress.task("learning", "steps") as advance:
            for step, places in enumerate(self._batches(len(index), passes, rng)):
                ids, offsets = self._bags(rows[places], rng)
                bags = functional.embedding_bag(ids, vectors, offsets, mode="mean", sparse=True)
                logits = bags @ weights + bias
                if self.multilabel_:
                    given = target[places].float()
                    nats = functional.binary_cross_entropy_with_logits(logits, given, reduction="none").sum(dim=1)
                else:
                    nats = functional.cross_entropy(logits, target[places], reduction="none")
                loss = (nats * of_songs[places]).mean()
                for optimizer in (sparse, dense):
                    optimizer.zero_grad()
                    for group in optimizer.param_groups:
                        group["lr"] = self.learning_rate * (1 - step / total)
                loss.backward()  # type: ignore[no-untyped-call]
                sparse.step()  # type: ignore[no-untyped-call]
                dense.step()
                advance(step + 1, total)
        self.embedding_ = vectors.detach().numpy()
        self.coef_, self.intercept_ = weights.detach().numpy(), bias.detach().numpy()

    def _passes(self, songs: int) -> int:
        return self.epochs or min(max(SHOWN // max(songs, 1), 1), PASSES)

    def _batches(self, songs: int, passes: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield the indices of the songs of each batch."""
        for _ in range(passes):
            yield from np.array_split(rng.permutation(songs), -(-songs // self.batch_size))

    def _bags(self, rows: sp.csr_matrix, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the concatenated n-grams of some songs after dropout, and the offset of each song."""
        kept = rng.random(rows.nnz) >= self.dropout
        lengths = np.add.reduceat(np.append(kept, 0), rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        return torch.from_numpy(rows.indices[kept].astype(np.int64)), torch.from_numpy(offsets.astype(np.int64))

    def _scores(self, X: Any) -> NDArray[np.float64]:
        rows = self.features_.transform(X).sign()
        means = (rows @ self.embedding_) / np.maximum(np.diff(rows.indptr), 1)[:, None]
        return np.asarray(means @ self.coef_ + self.intercept_, dtype=np.float64)
