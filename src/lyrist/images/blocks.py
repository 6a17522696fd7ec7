"""Two disjoint blocks of classes, and three splits of the pictures, both determined by the seed.

The split of a picture depends only on the seed and on its position in its class. Pictures with identical bytes are kept on one
side when a validation or test split is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError, UsageError
from lyrist.images.pictureset import SPLITS, Pictures

VALIDATION, TEST = 0.1, 0.2
"""Shares of each class: of validation in the training part of the data set, and of test if it has no test part."""


@dataclass(frozen=True)
class Block:
    """Some classes of a data set, with three splits."""

    pictures: Pictures
    name: str
    """``1``, ``2`` or ``all``."""
    classes: tuple[str, ...]
    """Sorted, in the order of the outputs of the model."""
    splits: NDArray[np.int8]
    """(n,) for the whole data set: 0 train, 1 validation, 2 test, -1 a picture of another block."""
    seed: int
    numbers: NDArray[np.int64]
    """(classes of the data set,): the index of each in ``classes``; -1 outside the block."""

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the indices of the pictures of one split, in order."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    def pixels(self, split: str) -> NDArray[np.uint8]:
        """Return the pictures of one split, (n, side, side, 3)."""
        return self.pictures.pixels[self.rows(split)]

    def targets(self, split: str) -> NDArray[np.int64]:
        """Return the class numbers of one split, (n,)."""
        return self.numbers[self.pictures.labels[self.rows(split)]]

    def labels(self, split: str) -> list[str]:
        """Return the class names of one split."""
        return [self.classes[number] for number in self.targets(split)]

    def counts(self) -> dict[str, int]:
        """Return the number of pictures of each split."""
        return {split: len(self.rows(split)) for split in SPLITS}

    def with_at_most(self, per_class: int, seed: int) -> Block:
        """Return the block with at most ``per_class`` training pictures per class; smaller subsets are nested in larger ones."""
        splits = self.splits.copy()
        train, target = self.rows("train"), self.targets("train")
        order = np.random.default_rng((seed, 3)).permutation(len(train))
        for number in range(len(self.classes)):
            splits[train[order[target[order] == number][per_class:]]] = -1
        return Block(self.pictures, self.name, self.classes, splits, self.seed, self.numbers)


def halves(classes: Sequence[str], seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a random partition of the classes into two blocks; the first has one more if the number is odd."""
    drawn = np.random.default_rng((seed, 1)).permutation(len(classes))
    middle = -(-len(classes) // 2)
    first, second = (sorted(classes[place] for place in part) for part in (drawn[:middle], drawn[middle:]))
    return tuple(first), tuple(second)


def block(pictures: Pictures, name: str = "all", seed: int = 0) -> Block:
    """Return one of the two blocks of classes, or all classes, with its three splits.

    Parameters
    ----------
    pictures
        The data set.
    name
        ``1``, ``2`` or ``all``.
    seed
        Seed of the blocks, and of the splits that the data set does not define.

    Raises
    ------
    LyristError
        A class has too few pictures to be in every split.
    """
    if name not in ("1", "2", "all"):
        raise UsageError(f"--block must be 1, 2 or all, got '{name}'.")
    chosen = sorted(pictures.classes) if name == "all" else halves(pictures.classes, seed)[int(name) - 1]
    numbers = np.full(len(pictures.classes), -1, dtype=np.int64)
    for place, label in enumerate(chosen):
        numbers[pictures.classes.index(label)] = place
    splits = split(pictures, seed)
    splits[numbers[pictures.labels] < 0] = -1
    made = Block(pictures, name, tuple(chosen), splits, seed, numbers)
    _check(made)
    return made


def split(pictures: Pictures, seed: int) -> NDArray[np.int8]:
    """Return the split of every picture, (n,): as defined by the data set, the rest stratified by class."""
    splits = np.where(pictures.given < 0, 0, pictures.given).astype(np.int8)
    same = _same(pictures.pixels)
    for part, share, wanted in ((2, TEST, not (splits == 2).any()), (1, VALIDATION, not (splits == 1).any())):
        if wanted:
            for number in range(len(pictures.classes)):
                rows = np.flatnonzero((pictures.labels == number) & (splits == 0))
                splits[_draw(rows, same, share, (seed, 2, part, number))] = part
    return splits


def _draw(rows: NDArray[np.int64], same: NDArray[np.int64], share: float, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Return a random share of the rows, at least one of two, with identical pictures together."""
    groups = np.random.default_rng(seed).permutation(np.unique(same[rows]))
    count = max(1, round(share * len(groups))) if len(groups) > 1 else 0
    return rows[np.isin(same[rows], groups[:count])]


def _same(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each picture the index of the first one with the same bytes."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(one.tobytes(), place) for place, one in enumerate(pixels)], dtype=np.int64)


def _check(made: Block) -> None:
    for part in SPLITS:
        counts = np.bincount(made.targets(part), minlength=len(made.classes))
        if not counts.all():
            label = made.classes[int(counts.argmin())]
            total = int((made.numbers[made.pictures.labels] == made.classes.index(label)).sum())
            raise LyristError(
                f"The class '{label}' in {made.pictures.path} has {total} pictures, none of them in {part}; "
                "add pictures, as training, validation and test need at least one each."
            )
