"""A folder a class, with pictures in it: in one folder for all, or in folders for training, validation and test.

Decoded as they come, on all cores; what stays in memory is the small squares. A file that is no picture is named, with
the reason, and left out.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError
from lyrist.images.decoding import UndecodableError, decode
from lyrist.images.entries import Entry

PARTS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2, "testing": 2}
"""What folders above those of the classes may be called, and which split each is: 0 train, 1 validation, 2 test."""

Parts = Mapping[str, int]

AHEAD = 256
"""Files in memory that wait for a core."""


@dataclass(frozen=True)
class Decoded:
    """What a folder of folders holds."""

    pixels: NDArray[np.uint8]
    """(n, side, side, 3)."""
    labels: NDArray[np.int64]
    given: NDArray[np.int8]
    """(n,): 0, 1, 2 as in `PARTS`; -1 where no split is given."""
    classes: tuple[str, ...]
    names: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    """Path and reason of each file that is not among the pictures."""


class Gatherer:
    """Decodes files while they are read; `finish` puts them in the order of their paths."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._pixels: dict[str, NDArray[np.uint8]] = {}
        self._folders: set[str] = set()
        self._rejected: list[tuple[str, str]] = []
        self._waiting: deque[tuple[str, Future[NDArray[np.uint8]]]] = deque()
        self._pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))

    def __enter__(self) -> Gatherer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, entry: Entry) -> None:
        """Take a file, or note a folder."""
        if entry.data is None:
            self._folders.add(entry.name)
        elif entry.reason:
            self._rejected.append((entry.name, entry.reason))
        else:
            self._waiting.append((entry.name, self._pool.submit(decode, entry.data, self._side)))
            while len(self._waiting) > AHEAD:
                self._take()

    def __len__(self) -> int:
        return len(self._pixels) + len(self._waiting)

    def _take(self) -> None:
        name, future = self._waiting.popleft()
        try:
            self._pixels[name] = future.result()
        except UndecodableError as error:
            self._rejected.append((name, str(error)))

    def finish(self, path: Path) -> Decoded:
        """Return everything that was read.

        Raises
        ------
        LyristError
            There is no picture, none in a folder of its class, or a class without one.
        """
        while self._waiting:
            self._take()
        if not self._pixels:
            told = (
                f" (the first of {len(self._rejected)} files: {': '.join(self._rejected[0])})" if self._rejected else ""
            )
            raise LyristError(
                f"There is no picture that can be read in {path}{told}; give a folder with a folder a class."
            )
        depth = _depth([*self._pixels, *self._folders])
        parts = _parts(self._pixels, depth)
        kept, rejected = [], list(self._rejected)
        for name in sorted(self._pixels):
            if _place(name, depth, parts) is None:
                rejected.append((name, "not in the folder of a class"))
            else:
                kept.append(name)
        if not kept:
            raise LyristError(
                f"The pictures in {path} are not in folders; put those of each class in a folder of its own."
            )
        places = [_place(name, depth, parts) for name in kept]
        classes = sorted({place[1] for place in places if place})
        self._complain(path, depth, parts, classes, rejected)
        number = {label: place for place, label in enumerate(classes)}
        return Decoded(
            np.stack([self._pixels.pop(name) for name in kept]),
            np.array([number[place[1]] for place in places if place], dtype=np.int64),
            np.array([place[0] for place in places if place], dtype=np.int8),
            tuple(classes),
            tuple(kept),
            tuple(sorted(rejected)),
        )

    def _complain(
        self, path: Path, depth: int, parts: Parts, classes: Sequence[str], rejected: list[tuple[str, str]]
    ) -> None:
        """Raise where a class has no picture."""
        inside = [
            place for name in self._folders if (place := _place(f"{name}/x", depth, parts)) and place[1] not in classes
        ]
        inside += [place for name, _ in rejected if (place := _place(name, depth, parts)) and place[1] not in classes]
        if inside:
            raise LyristError(
                f"The class '{inside[0][1]}' in {path} has no picture that can be read; put some in its folder or delete it."
            )


def _depth(names: Sequence[str]) -> int:
    """Return how many folders all paths have in common at their beginning (an archive's own folder, say)."""
    tops: list[list[str]] = [name.split("/") for name in names]
    depth = 0
    while True:
        heads = {parts[depth] for parts in tops if len(parts) > depth}
        deep = any(len(parts) > depth + 2 for parts in tops)
        if len(heads) != 1 or not deep or next(iter(heads)).lower() in PARTS:
            return depth
        depth += 1


def _parts(names: Iterable[str], depth: int) -> Parts:
    """Return `PARTS` where some folder called so has folders with pictures in it; else they are classes (trains, say)."""
    below = (name.split("/")[depth:] for name in names)
    return PARTS if any(len(path) > 2 and path[0].lower() in PARTS for path in below) else {}


def _place(name: str, depth: int, parts: Parts) -> tuple[int, str] | None:
    """Return split and class of the file at the path ``name``; None where it is in no class's folder."""
    path = name.split("/")[depth:]
    split = parts.get(path[0].lower(), -1) if len(path) > 1 else -1
    if split >= 0:
        path = path[1:]
    return (split, path[0]) if len(path) > 1 else None
