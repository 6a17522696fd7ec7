"""A labelled image data set in memory, read from a published archive or from one folder per class.

All pictures are one array of bytes, 3,072 for a picture of 32 x 32 (CIFAR-100: 184 MB). Files are decoded on all cores. A file
that cannot be decoded is skipped and listed with the reason.

The split of a picture depends only on the seed and on its position in its class. Pictures with identical bytes are kept on one
side when a validation or test split is drawn.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.images.cifar import StoredSet, check_archive, check_folder, read_published, wanted
from lyrist.images.decoding import Entry, UndecodableError, careful, decode, entries

PARTS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2, "testing": 2}
"""Names of folders above those of the classes, and the split of each: 0 train, 1 validation, 2 test."""

Parts = Mapping[str, int]

AHEAD = 256
"""Largest number of files in memory that wait to be decoded."""


@dataclass(frozen=True)
class Decoded:
    """The content of a folder with one folder per class."""

    pixels: NDArray[np.uint8]
    """(n, side, side, 3)."""
    labels: NDArray[np.int64]
    given: NDArray[np.int8]
    """(n,): 0, 1, 2 as in `PARTS`; -1 if the folders define no split."""
    classes: tuple[str, ...]
    names: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    """Path and reason of each skipped file."""


class FolderDecoder:
    """Decodes files in parallel while they are read; `finish` sorts them by path."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._pixels: dict[str, NDArray[np.uint8]] = {}
        self._folders: set[str] = set()
        self._rejected: list[tuple[str, str]] = []
        self._waiting: deque[tuple[str, Future[NDArray[np.uint8]]]] = deque()
        self._pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))

    def __enter__(self) -> FolderDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, entry: Entry) -> None:
        """Add a file or a folder."""
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
            There is no picture, no folder per class, or a class without a picture.
        """
        while self._waiting:
            self._take()
        if not self._pixels:
            first = (
                f" (the first of {len(self._rejected)} files: {': '.join(self._rejected[0])})" if self._rejected else ""
            )
            raise LyristError(
                f"There is no picture that can be read in {path}{first}; use a folder with one subfolder per class."
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
            raise LyristError(f"The pictures in {path} are not in subfolders; use one subfolder per class.")
        places = [_place(name, depth, parts) for name in kept]
        classes = sorted({place[1] for place in places if place})
        self._check_empty_classes(path, depth, parts, classes, rejected)
        number = {label: place for place, label in enumerate(classes)}
        return Decoded(
            np.stack([self._pixels.pop(name) for name in kept]),
            np.array([number[place[1]] for place in places if place], dtype=np.int64),
            np.array([place[0] for place in places if place], dtype=np.int8),
            tuple(classes),
            tuple(kept),
            tuple(sorted(rejected)),
        )

    def _check_empty_classes(
        self, path: Path, depth: int, parts: Parts, classes: Sequence[str], rejected: list[tuple[str, str]]
    ) -> None:
        """Raise an error if a class has no picture."""
        inside = [
            place for name in self._folders if (place := _place(f"{name}/x", depth, parts)) and place[1] not in classes
        ]
        inside += [place for name, _ in rejected if (place := _place(name, depth, parts)) and place[1] not in classes]
        if inside:
            raise LyristError(
                f"The class '{inside[0][1]}' in {path} has no picture that can be read; add pictures or delete its folder."
            )


def _depth(names: Sequence[str]) -> int:
    """Return the number of leading folders that all paths have in common (such as the top folder of an archive)."""
    tops: list[list[str]] = [name.split("/") for name in names]
    depth = 0
    while True:
        heads = {parts[depth] for parts in tops if len(parts) > depth}
        deep = any(len(parts) > depth + 2 for parts in tops)
        if len(heads) != 1 or not deep or next(iter(heads)).lower() in PARTS:
            return depth
        depth += 1


def _parts(names: Iterable[str], depth: int) -> Parts:
    """Return `PARTS` if a folder of such a name has subfolders with pictures; else such names are classes (test tubes)."""
    below = (name.split("/")[depth:] for name in names)
    return PARTS if any(len(path) > 2 and path[0].lower() in PARTS for path in below) else {}


def _place(name: str, depth: int, parts: Parts) -> tuple[int, str] | None:
    """Return split and class of the file at the path ``name``; None if it is not in the folder of a class."""
    path = name.split("/")[depth:]
    split = parts.get(path[0].lower(), -1) if len(path) > 1 else -1
    if split >= 0:
        path = path[1:]
    return (split, path[0]) if len(path) > 1 else None


SIDE = 32
"""Default side length of pictures from files."""

FEWEST = 4
"""Smallest number of classes: two blocks of two."""

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures."""

    path: Path
    form: str
    """``cifar-100``, ``cifar-10``, ``idx`` or ``folders``."""
    pixels: NDArray[np.uint8]
    """(n, side, side, 3): red, green, blue."""
    labels: NDArray[np.int64]
    """(n,) indices in ``classes``."""
    given: NDArray[np.int8]
    """(n,): 0 train, 1 validation, 2 test, -1 if the data set defines no split."""
    classes: tuple[str, ...]
    names: tuple[str, ...]
    """The path of each picture."""
    rejected: tuple[tuple[str, str], ...]
    """Path and reason of each skipped file."""
    checksum: str
    """A note on the origin of the file."""

    @property
    def side(self) -> int:
        """Width and height in pixels."""
        return int(self.pixels.shape[1])

    @property
    def fingerprint(self) -> str:
        """A digest of pictures, labels, classes and the published split."""
        digest = hashlib.sha256()
        for part in (self.pixels, self.labels, self.given):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update("\n".join(self.classes).encode("utf-8", errors="replace"))
        return digest.hexdigest()[:16]

    def ledger(self) -> dict[str, Any]:
        """Return the number of files read, kept and rejected, and the reason for each rejected file."""
        rejected = [{"name": name, "reason": reason} for name, reason in self.rejected]
        kept = len(self.labels)
        return {"read": kept + len(rejected), "kept": kept, "rejected": len(rejected), "files": rejected}


def read(path: str | Path, side: int | None = None) -> Pictures:
    """Read an image data set.

    Parameters
    ----------
    path
        The Python archive of CIFAR-100 or CIFAR-10 (or its folder), a folder of IDX files, or a folder or an archive with one
        folder per class, optionally inside ``train``, ``validation`` and ``test``.
    side
        Side length in pixels of all pictures; by default that of the published data set, 32 for files.

    Raises
    ------
    LyristError
        It does not exist, is damaged or unsafe, a class has no picture, or there are fewer than four classes.
    """
    path = Path(path)
    if side is not None and (side < 8 or side % 4):
        raise UsageError(f"--side must be a multiple of 4 and at least 8, got {side}.")
    found: StoredSet | Decoded | None
    with careful(), FolderDecoder(side or SIDE) as decoder, progress.task("reading", "pictures") as advance:
        files: dict[str, bytes] = {}
        checksum = check_archive(path)
        for entry in entries(path):
            name = wanted(entry.name) if entry.data else ""
            if name and entry.data is not None:
                files[name] = entry.data
            else:
                decoder.add(entry)
            advance(len(decoder))
        found = read_published(files, path) or decoder.finish(path)
    if isinstance(found, StoredSet):
        rejected: tuple[tuple[str, str], ...] = ()
        form, pixels = found.form, _resized(found.pixels, side)
        checksum = checksum or check_folder(path, files, found.form)
    else:
        form, rejected, pixels = "folders", found.rejected, found.pixels
    _check_classes(found, path)
    return Pictures(path, form, pixels, found.labels, found.given, found.classes, found.names, rejected, checksum)


def _check_classes(found: StoredSet | Decoded, path: Path) -> None:
    if len(found.classes) < FEWEST:
        raise LyristError(
            f"{path} has {len(found.classes)} classes ({', '.join(found.classes)}); at least {FEWEST} are needed."
        )
    counts = np.bincount(found.labels, minlength=len(found.classes))
    if not counts.all():
        raise LyristError(
            f"The class '{found.classes[int(counts.argmin())]}' in {path} has no picture; add pictures or remove the class."
        )


def _resized(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    if side in (None, pixels.shape[1]) and pixels.shape[1] == pixels.shape[2] and pixels.shape[1] % 4 == 0:
        return pixels
    square = (side or SIDE, side or SIDE)
    return np.stack([np.asarray(Image.fromarray(one).resize(square, Image.Resampling.BICUBIC)) for one in pixels])


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
    for part, share, missing in ((2, TEST, not (splits == 2).any()), (1, VALIDATION, not (splits == 1).any())):
        if missing:
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
