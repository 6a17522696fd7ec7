"""Near-duplicates of test pictures in training: candidates by a perceptual hash, confirmed by pixels.

The hash has 64 signs of the lowest frequencies of the brightness (pHash, Zauner 2010), of the picture and of its mirror image.
Pairs whose hashes differ in few bits are near-copies if their slightly blurred, contrast-normalised pixels correlate, and
correlate much more than those of other pictures: thousands of trousers on black look alike without being copies. A tenth of the
test pictures of CIFAR-100 have such a copy (Barz and Denzler, ciFAIR, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

SMALL = 16
"""Side length at which pictures are compared."""

BITS = 12
"""Pairs are candidates if their hashes differ in at most this many of 64 bits."""

ALIKE = 0.95
"""Smallest correlation of a near-copy."""

CLOSEST = 32
"""Largest number of training pictures that each test picture is compared with: those with the closest hashes."""

OTHERS, NEARER = 10, 0.15
"""1 minus the correlation of a near-copy is at most this share (second number) of that of the tenth most similar picture."""

DETAIL = 0.7
"""Smallest correlation of the brightness of a near-copy after subtracting the local mean of 3 x 3 pixels."""

_PAIRS = 20_000_000  # pairs of hashes that are compared at once
_ALL = 4_000_000_000  # with more pairs, only those that share a quarter of the hash are compared


@dataclass(frozen=True)
class Copies:
    """Near-copies between the test pictures and the training pictures."""

    test: NDArray[np.int64]
    """(n,) indices of test pictures that have a copy in training."""
    train: NDArray[np.int64]
    """(n,) index of the closest training picture of each."""
    exact: NDArray[np.bool_]
    """(n,) whether all pixels are equal."""
    alike: NDArray[np.float64]
    """(n,) correlation of each pair, at most 1."""

    def summary(self, test_pictures: int) -> dict[str, Any]:
        """Return the counts, JSON-ready."""
        return {
            "test_pictures": test_pictures,
            "with_copy_in_training": len(self.test),
            "exact": int(self.exact.sum()),
            "near": int((~self.exact).sum()),
            "share": len(self.test) / max(1, test_pictures),
        }


def find(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> Copies:
    """Find the test pictures with an exact or a near-copy in training, including mirror images.

    Parameters
    ----------
    train, test
        Pictures, (n, side, side, 3).
    """
    here, there = _small(train), _small(test)
    known = hashes(here)
    pairs = [_candidates(known, hashes(turned)) for turned in (there, there[:, :, ::-1])]
    best: dict[int, tuple[float, int]] = {}
    for turned, (i, j) in zip((there, there[:, :, ::-1]), pairs, strict=True):
        alike = _correlations(turned, here, i, j)
        found = np.flatnonzero(_outstanding(i, alike))
        for place in found[_correlated(_detail(turned[i[found]]), _detail(here[j[found]])) >= DETAIL]:
            row, value = int(i[place]), float(alike[place])
            if value > best.get(row, (0.0, 0))[0]:
                best[row] = (value, int(j[place]))
    first = {one.tobytes(): spot for spot, one in reversed(list(enumerate(train)))}
    exact = {row: spot for row, one in enumerate(test) if (spot := first.get(one.tobytes())) is not None}
    rows = sorted(best.keys() | exact.keys())
    return Copies(
        np.array(rows, dtype=np.int64),
        np.array([exact.get(row, best.get(row, (0, 0))[1]) for row in rows], dtype=np.int64),
        np.array([row in exact for row in rows], dtype=bool),
        np.array([1.0 if row in exact else min(best[row][0], 1.0) for row in rows], dtype=np.float64),
    )


def hashes(small: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the perceptual hash of each picture, (n,), from the result of `_small`."""
    grey = small @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    low = fft.dctn(grey, axes=(1, 2))[:, :8, :8].reshape(len(grey), 64)
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True) if len(low) else np.zeros((0, 64), dtype=bool)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the pictures scaled to the side `SMALL` by area averaging, (n, 16, 16, 3)."""
    side = pixels.shape[1]
    edges = np.linspace(0, side, SMALL + 1)
    low, high = np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
    mixing = np.zeros((SMALL, side), dtype=np.float32)
    for place, (start, end) in enumerate(zip(low, high, strict=True)):
        mixing[place, start:end] = 1 / (end - start)
    found = np.empty((len(pixels), SMALL, SMALL, 3), dtype=np.float32)
    for start in range(0, len(pixels), 4096):
        part = pixels[start : start + 4096].astype(np.float32)
        found[start : start + 4096] = np.einsum("ih,nhwc,jw->nijc", mixing, part, mixing, optimize=True)
    return found


def _candidates(train: NDArray[np.uint64], test: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (test, train) whose hashes are close."""
    if len(train) * len(test) > _ALL:
        return _sharing(train, test)
    step = max(1, _PAIRS // max(1, len(train)))
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    for start in range(0, len(test), step):
        apart = np.bitwise_count(test[start : start + step, None] ^ train[None])
        i, j = _closest(apart)
        rows.append(i + start)
        columns.append(j)
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([*rows, none]), np.concatenate([*columns, none])


def _closest(apart: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the close pairs in a matrix of distances, at most the `CLOSEST` closest of each row."""
    i, j = np.nonzero(apart <= BITS)
    if not len(i) or np.bincount(i).max() <= CLOSEST:
        return i, j
    order = np.lexsort((j, apart[i, j], i))
    i, j = i[order], j[order]
    kept = _place_in_row(i) < CLOSEST
    return i[kept], j[kept]


def _place_in_row(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of some sorted numbers the number of equal ones before it."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))


def _outstanding(rows: NDArray[np.int64], alike: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pairs are near-copies: similar, and much more so than the tenth most similar pair of the row."""
    order = np.lexsort((-alike, rows))
    place = _place_in_row(rows[order])
    tenth = np.zeros(int(rows.max(initial=-1)) + 1)
    there = place == OTHERS - 1
    tenth[rows[order][there]] = alike[order][there]
    return np.asarray((alike >= ALIKE) & (1 - alike <= NEARER * (1 - tenth[rows])))


def _sharing(train: NDArray[np.uint64], test: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the close pairs that share one of the four quarters of the hash, for very large data sets."""
    pairs: set[tuple[int, int]] = set()
    for quarter in range(4):
        key = np.uint64(16 * quarter)
        own, other = ((h >> key) & np.uint64(0xFFFF) for h in (train, test))
        order = np.argsort(own, kind="stable")
        left, right = np.searchsorted(own[order], other, "left"), np.searchsorted(own[order], other, "right")
        for row in np.flatnonzero(right > left):
            near = order[left[row] : right[row]]
            apart = np.bitwise_count(train[near] ^ test[row])
            order_here = np.argsort(apart, kind="stable")[:CLOSEST]
            close = near[order_here][apart[order_here] <= BITS]
            pairs.update((int(row), int(column)) for column in close)
    found = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _correlations(
    first: NDArray[np.float32], second: NDArray[np.float32], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the correlation of the pixels of each pair; 0 if a picture has no contrast."""
    found = np.zeros(len(i), dtype=np.float64)
    for start in range(0, len(i), 65_536):
        part = slice(start, start + 65_536)
        found[part] = _correlated(first[i[part]], second[j[part]])
    return found


def _correlated(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the correlation of each pair of arrays, (n,); 0 if one of them is constant."""
    a, b = (x.reshape(len(x), int(np.prod(x.shape[1:]))) for x in (first, second))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray(np.where(norm > SMALL, (a * b).sum(axis=1) / np.maximum(norm, 1e-9), 0), dtype=np.float64)


def _detail(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the brightness of each pixel minus the local mean."""
    grey = small.mean(axis=-1)
    return np.asarray(grey - ndimage.uniform_filter(grey, (0, 3, 3)), dtype=np.float32)
