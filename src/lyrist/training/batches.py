"""Examples, and batches of similar length in an order that depends only on the seed.

A run is one stream of batches numbered from 0. Batch ``n`` depends only on the seed and on ``n``, so an interrupted run continues
directly with the next batch, and several processes agree without communication. Each global batch is split among the processes;
their number changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Batch = dict[str, Tensor]

IGNORED = -100
"""The label that losses ignore, as in PyTorch and transformers."""

POOL = 100
"""Number of batches that are sorted by length together; their order is random."""

JITTER = 0.03
"""Relative noise on the lengths before sorting, so that batches differ between epochs."""


class Examples(Protocol):
    """The interface of a training or validation set."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the number of tokens of each example, (n,); all equal if examples have no length."""
        ...

    def __len__(self) -> int: ...

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return these examples as the arguments of the model's ``forward``."""
        ...


class TokenExamples:
    """Token ids of songs, with their classes and artists.

    Parameters
    ----------
    ids
        n arrays of token ids, each of at least one.
    padding
        The padding id.
    labels
        (n,) class numbers, or (n, classes) 0 and 1 of several labels, or None for prediction.
    artists
        (n,) artist numbers, 0 for an unknown one; None if the artist is not an input.
    columns
        (n, columns) features of other columns; None if there are none.
    weights
        (n,) how often each song is drawn in an epoch, relative to the others; None: each once.
    """

    def __init__(
        self,
        ids: Sequence[NDArray[np.int32]],
        padding: int,
        labels: NDArray[Any] | None = None,
        artists: NDArray[np.int64] | None = None,
        columns: NDArray[np.float32] | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.lengths: NDArray[np.int64] = np.fromiter((len(i) for i in ids), dtype=np.int64, count=len(ids))
        self._flat = np.concatenate([*ids, np.zeros(0, dtype=np.int32)])
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._padding = padding
        self._labels, self._artists, self._columns = labels, artists, columns
        self.weights = weights

    def __len__(self) -> int:
        return len(self.lengths)

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return ``input_ids`` and ``attention_mask``, (songs, longest), and ``labels`` and ``artist_ids`` if set."""
        lengths = self.lengths[rows]
        ids = np.full((len(rows), int(lengths.max())), self._padding, dtype=np.int64)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[place, :length] = self._flat[self._starts[row] : self._starts[row] + length]
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if self._labels is not None:
            batch["labels"] = torch.from_numpy(self._labels[rows])
        if self._artists is not None:
            batch["artist_ids"] = torch.from_numpy(self._artists[rows])
        if self._columns is not None:
            batch["column_values"] = torch.from_numpy(self._columns[rows])
        return batch


class Stream:
    """The batches of a whole training run, for one process.

    Parameters
    ----------
    examples
        The training set.
    batch_size
        Largest number of examples per update, over all processes.
    total
        Number of updates of the run.
    seed
        Seed of the order.
    bucketed
        Batch examples of similar length; otherwise batches are random.
    process
        The rank of this process, and the number of processes.
    accumulate
        Gradient accumulation: batches per update in each process.

    Attributes
    ----------
    start
        The first update.
    tokens, places
        Number of tokens without padding, and with padding, that this process has yielded so far.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        total: int,
        *,
        seed: int = 0,
        bucketed: bool = True,
        process: tuple[int, int] = (0, 1),
        accumulate: int = 1,
    ) -> None:
        self.dataset = examples
        self.start = self.tokens = self.places = 0
        self._size, self._seed, self._bucketed = batch_size, seed, bucketed
        self._process, self._accumulate = process, accumulate
        self._total = total

    @property
    def updates_per_epoch(self) -> int:
        """Updates per epoch."""
        return max(1, -(-len(self.dataset) // self._size))

    def __len__(self) -> int:
        return self._total * self._accumulate

    def __iter__(self) -> Iterator[Batch]:
        number, processes = self._process
        parts = processes * self._accumulate
        for update in range(self.start, self._total):
            rows = self.rows(update)
            # Every part of an update has at least one example, even if the data set is smaller.
            shares = np.array_split(np.resize(rows, max(len(rows), parts)), parts)
            for share in shares[number * self._accumulate : (number + 1) * self._accumulate]:
                batch = self.dataset.collate(share)
                tokens, places = real_tokens(batch)
                self.tokens += tokens
                self.places += places
                yield batch

    def rows(self, update: int) -> NDArray[np.int64]:
        """Return the examples of an update, in the order in which they are split among processes."""
        epoch, place = divmod(update, self.updates_per_epoch)
        return self._order(epoch)[place]

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        if getattr(self, "_cached", (-1,))[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            order = rng.permutation(len(self.dataset))
            weights = getattr(self.dataset, "weights", None)
            if weights is not None:
                order = drawn(weights, rng)[order]
            batches = self._bucket(order, rng) if self._bucketed else np.array_split(order, self.updates_per_epoch)
            self._cached = (epoch, batches)
        return self._cached[1]

    def _bucket(self, order: NDArray[np.int64], rng: np.random.Generator) -> list[NDArray[np.int64]]:
        noise = rng.uniform(1 - JITTER, 1 + JITTER, len(order))
        length = self.dataset.lengths[order] * noise
        pools = np.array_split(np.arange(len(order)), -(-self.updates_per_epoch // POOL))
        by_length = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools])
        batches = np.array_split(order[by_length], self.updates_per_epoch)
        return [rng.permutation(batches[place]) for place in rng.permutation(len(batches))]


def drawn(weights: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return n examples, each drawn in proportion to its weight, by systematic sampling: the expected number to within one."""
    bounds = np.cumsum(weights, dtype=np.float64)
    places = (np.arange(len(weights)) + rng.random()) * bounds[-1] / len(weights)
    return np.asarray(np.minimum(np.searchsorted(bounds, places, side="right"), len(weights) - 1), dtype=np.int64)


def in_order_of_length(examples: Examples, batch_size: int) -> list[NDArray[np.int64]]:
    """Return batches that cover all examples once, the longest first, so that a lack of memory is noticed at the start."""
    order = np.argsort(-examples.lengths, kind="stable").astype(np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def real_tokens(batch: Batch) -> tuple[int, int]:
    """Return the number of tokens of a batch without and with padding; a picture counts as one."""
    if "attention_mask" in batch:
        return int(batch["attention_mask"].sum()), batch["attention_mask"].numel()
    size = batch["input_ids"].numel() if "input_ids" in batch else len(batch.get("pixel_values", ()))
    return size, size
