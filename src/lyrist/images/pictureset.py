"""A set of pictures in memory, read from an archive or folder as published, or from a folder for each class.

All pictures are one array of bytes, 3,072 for a picture of 32 x 32 (CIFAR-100: 184 MB). Files are decoded on all cores. A
file that is not a picture is named with the reason and left out.
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


SIDE = 32
"""Side of the squares that pictures of a folder become."""

FEWEST = 4
"""Classes that two blocks of two need."""

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
    """(n,) places in ``classes``."""
    given: NDArray[np.int8]
    """(n,): 0 train, 1 validation, 2 test, -1 where no split is given."""
    classes: tuple[str, ...]
    names: tuple[str, ...]
    """What each picture is called: its path."""
    rejected: tuple[tuple[str, str], ...]
    """Path and reason of each file that was left out."""
    checksum: str
    """What is known about the origin of the file."""

    @property
    def side(self) -> int:
        """Width and height in pixels."""
        return int(self.pixels.shape[1])

    @property
    def fingerprint(self) -> str:
        """A digest of pictures, labels, classes and the given split."""
        digest = hashlib.sha256()
        for part in (self.pixels, self.labels, self.given):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update("\n".join(self.classes).encode("utf-8", errors="replace"))
        return digest.hexdigest()[:16]

    def ledger(self) -> dict[str, Any]:
        """Return how many files were read, kept and left out, and the reason for each of these."""
        left = [{"name": name, "reason": reason} for name, reason in self.rejected]
        kept = len(self.labels)
        return {"read": kept + len(left), "kept": kept, "rejected": len(left), "files": left}


def read(path: str | Path, side: int | None = None) -> Pictures:
    """Read a set of pictures.

    Parameters
    ----------
    path
        CIFAR-100's or CIFAR-10's python archive (or its folder), a folder of IDX files, or a folder or an archive with a
        folder a class, which may stand inside ``train``, ``validation`` and ``test``.
    side
        Side in pixels of the squares that all pictures become; by default that of the published set, 32 for files.

    Raises
    ------
    LyristError
        There is nothing there, it is damaged or hostile, a class has no picture, or there are fewer than four classes.
    """
    path = Path(path)
    if side is not None and (side < 8 or side % 4):
        raise UsageError(f"--side is {side}; it must be a multiple of 4, at least 8.")
    found: StoredSet | Decoded | None
    with careful(), Gatherer(side or SIDE) as gatherer, progress.task("reading", "pictures") as advance:
        files: dict[str, bytes] = {}
        checksum = check_archive(path)
        for entry in entries(path):
            name = wanted(entry.name) if entry.data else ""
            if name and entry.data is not None:
                files[name] = entry.data
            else:
                gatherer.add(entry)
            advance(len(gatherer))
        found = read_published(files, path) or gatherer.finish(path)
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
            f"{path} has {len(found.classes)} classes ({', '.join(found.classes)}); two blocks need at least {FEWEST}."
        )
    counts = np.bincount(found.labels, minlength=len(found.classes))
    if not counts.all():
        raise LyristError(
            f"The class '{found.classes[int(counts.argmin())]}' in {path} has no picture; put some in or leave the class out."
        )


def _resized(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    if side in (None, pixels.shape[1]) and pixels.shape[1] == pixels.shape[2] and pixels.shape[1] % 4 == 0:
        return pixels
    square = (side or SIDE, side or SIDE)
    return np.stack([np.asarray(Image.fromarray(one).resize(square, Image.Resampling.BICUBIC)) for one in pixels])
