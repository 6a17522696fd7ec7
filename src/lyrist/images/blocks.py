"""Two blocks of classes, and three splits of the pictures: all drawn by the seed, disjoint and complete.

A picture's split depends on the seed and on its place in its class alone. Pictures that are the same to the last byte
stay together when a validation or test part is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError, UsageError
from lyrist.images.pictureset import SPLITS, Pictures

VALIDATION, TEST = 0.1, 0.2
"""Shares of each class: validation is taken out of what the set gives for training; test where the set gives none."""


@dataclass(frozen=True)
class Block:
    """Some classes of a set, split in three."""

    pictures: Pictures
    name: str
    """``1``, ``2`` or ``all``."""
    classes: tuple[str, ...]
    """In the order of the model's answers: sorted."""
    splits: NDArray[np.int8]
    """(n,) of the whole set: 0 train, 1 validation, 2 test, -1 a picture of another block."""
    seed: int
    numbers: NDArray[np.int64]
    """(classes of the set,): the place of each in ``classes``; -1 outside the block."""

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the places in the set of the pictures of one split, in order."""
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
        """Return the same block with at most so many training pictures of each class; smaller ones lie in larger ones."""
        splits = self.splits.copy()
        train, target = self.rows("train"), self.targets("train")
        order = np.random.default_rng((seed, 3)).permutation(len(train))
        for number in range(len(self.classes)):
            splits[train[order[target[order] == number][per_class:]]] = -1
        return Block(self.pictures, self.name, self.classes, splits, self.seed, self.numbers)


def halves(classes: Sequence[str], seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw two blocks of classes: every class in one of them, none in both; of an odd number the first has one more."""
    drawn = np.random.default_rng((seed, 1)).permutation(len(classes))
    middle = -(-len(classes) // 2)
    first, second = (sorted(classes[place] for place in part) for part in (drawn[:middle], drawn[middle:]))
    return tuple(first), tuple(second)


def block(pictures: Pictures, name: str = "all", seed: int = 0) -> Block:
    """Return one of the two blocks of classes, or all classes, with its three splits.

    Parameters
    ----------
    pictures
        The set.
    name
        ``1``, ``2`` or ``all``.
    seed
        Decides the blocks, and the splits where the set gives none.

    Raises
    ------
    LyristError
        A class has too few pictures to be in every split.
    """
    if name not in ("1", "2", "all"):
        raise UsageError(f"--block is 1, 2 or all; '{name}' is none of them.")
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
    """Return the split of every picture, (n,): as the set gives it, the rest drawn class by class."""
    splits = np.where(pictures.given < 0, 0, pictures.given).astype(np.int8)
    same = _same(pictures.pixels)
    for part, share, wanted in ((2, TEST, not (splits == 2).any()), (1, VALIDATION, not (splits == 1).any())):
        if wanted:
            for number in range(len(pictures.classes)):
                rows = np.flatnonzero((pictures.labels == number) & (splits == 0))
                splits[_draw(rows, same, share, (seed, 2, part, number))] = part
    return splits


def _draw(rows: NDArray[np.int64], same: NDArray[np.int64], share: float, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Return about a share of the rows, at least one where there are two, equal pictures together."""
    groups = np.random.default_rng(seed).permutation(np.unique(same[rows]))
    count = max(1, round(share * len(groups))) if len(groups) > 1 else 0
    return rows[np.isin(same[rows], groups[:count])]


def _same(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each picture the place of the first one with the same bytes."""
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
                "training, validation and test need one each."
            )
