"""A set of pictures in memory: bytes, labels, classes, and which split each picture was given.

Everything that reads pictures goes through `read`: an archive or a folder as published, or a folder a class. The whole
set is one array of bytes, 3,072 a picture of 32 x 32: CIFAR-100 takes 184 MB.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.images import published
from lyrist.images.decoding import careful
from lyrist.images.entries import entries
from lyrist.images.folders import Decoded, Gatherer

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
    found: published.Arrays | Decoded | None
    with careful(), Gatherer(side or SIDE) as gatherer, progress.task("reading", "pictures") as advance:
        files: dict[str, bytes] = {}
        checksum = published.check_archive(path)
        for entry in entries(path):
            name = published.wanted(entry.name) if entry.data else ""
            if name and entry.data is not None:
                files[name] = entry.data
            else:
                gatherer.add(entry)
            advance(len(gatherer))
        found = published.read(files, path) or gatherer.finish(path)
    if isinstance(found, published.Arrays):
        rejected: tuple[tuple[str, str], ...] = ()
        form, pixels = found.form, _resized(found.pixels, side)
        checksum = checksum or published.check_folder(path, files, found.form)
    else:
        form, rejected, pixels = "folders", found.rejected, found.pixels
    _check_classes(found, path)
    return Pictures(path, form, pixels, found.labels, found.given, found.classes, found.names, rejected, checksum)


def _check_classes(found: published.Arrays | Decoded, path: Path) -> None:
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
