"""All phrases of a corpus in order, on disk, to look up where a run of words stands and how far it goes on.

words.u32      the words of all songs as numbers (`hashedwords`), a break after each song
order.u32|i64  the places of all words at which a phrase of four begins, sorted by that phrase and the eight words after it
buckets.i64    where in ``order`` the phrases begin whose key has the same first bits
starts.i64     where each song begins in ``words``

What is unusual: it is a suffix array (Manber and Myers 1993) cut off at twelve words, whose first four are compared as one
hash. Phrases that share n words, n from 4 to 12, stand side by side, so the longest match of any text is at one of the two
neighbours of the place where it would stand: exact, however often a phrase occurs. All searches of a text run at once as
array operations. Nothing is held in memory but the pages that the searches touch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist.evaluation.hashedwords import BREAK, Hashes

SHORTEST, LONGEST = 4, 12
"""Words of the shortest and the longest phrase that are told apart in the order."""

_PER_BUCKET = 16  # phrases, on average
_CHUNK = 1 << 21  # words
_PART = 1 << 21  # phrases that are sorted at once, some 400 MB
_AHEAD = np.arange(LONGEST)
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
_MIX = np.uint64(0xBF58476D1CE4E5B9)

Places = NDArray[np.int64]
Keys = NDArray[np.uint64]


def heads(windows: Hashes) -> Keys:
    """Return the hash of the first four words of each window, shape (m, at least 4) -> (m,)."""
    summed = windows[:, 0].astype(np.uint64) * _FACTORS[0]
    for place in range(1, SHORTEST):
        summed += windows[:, place].astype(np.uint64) * _FACTORS[place]
    mixed = (summed ^ (summed >> np.uint64(32))) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), dtype=np.uint64)


def keys(windows: Hashes) -> Keys:
    """Return what windows of twelve words are sorted by, shape (m, 12) -> (m, 5): the head, then two words each."""
    pairs = windows[:, SHORTEST:].astype(np.uint64)
    return np.column_stack([heads(windows), (pairs[:, ::2] << np.uint64(32)) | pairs[:, 1::2]])


@dataclass(frozen=True)
class Phrases:
    """The files of an index, memory-mapped."""

    words: Hashes
    """Twelve breaks stand at the end, so that every window is whole."""
    order: NDArray[Any]
    buckets: Places

    def windows(self, places: NDArray[Any]) -> Hashes:
        """Return the twelve words from each place on, shape (m,) -> (m, 12)."""
        return np.asarray(self.words[places.astype(np.int64)[:, None] + _AHEAD])

    def find(self, windows: Hashes, *, after: bool = False) -> Places:
        """Return where in the order each window would stand: before its equals, or after them."""
        wanted = keys(windows)
        bucket = (wanted[:, 0] >> np.uint64(64 - self._bits)).astype(np.int64) if self._bits else 0
        low = self.buckets[bucket] + np.zeros(len(windows), dtype=np.int64)
        high = self.buckets[np.asarray(bucket) + 1] + np.zeros(len(windows), dtype=np.int64)
        open_ = np.flatnonzero(low < high)
        while len(open_):
            middle = (low[open_] + high[open_]) >> 1
            right = _precedes(keys(self.windows(self.order[middle])), wanted[open_], equal=after)
            low[open_[right]] = middle[right] + 1
            high[open_[~right]] = middle[~right]
            open_ = open_[low[open_] < high[open_]]
        return low

    @property
    def _bits(self) -> int:
        return (len(self.buckets) - 1).bit_length() - 1

    def longest(self, windows: Hashes) -> tuple[NDArray[np.int64], Places]:
        """Return how many words of each window stand somewhere, 0 or 4 to 12, and one place where they do."""
        found, where = np.zeros(len(windows), dtype=np.int64), np.zeros(len(windows), dtype=np.int64)
        if not len(self.order) or not len(windows):
            return found, where
        place = self.find(windows)
        for side in (place, place - 1):
            start = self.order[np.clip(side, 0, len(self.order) - 1)].astype(np.int64)
            length = agreeing(self.windows(start), windows)
            better = length > found
            found[better], where[better] = length[better], start[better]
        found[found < SHORTEST] = 0
        return found, where


def agreeing(theirs: Hashes, ours: Hashes) -> NDArray[np.int64]:
    """Return how many words of two windows are the same before the first that differs, (m, w) each -> (m,)."""
    same = (theirs == ours) & (ours != BREAK)
    return np.asarray(np.where(same.all(axis=1), same.shape[1], same.argmin(axis=1)), dtype=np.int64)


def _precedes(left: Keys, right: Keys, *, equal: bool) -> NDArray[np.bool_]:
    """Return where a row of ``left`` stands before that of ``right``; equal ones do if ``equal``."""
    first = (left != right).argmax(axis=1)
    rows = np.arange(len(left))
    a, b = left[rows, first], right[rows, first]
    return np.asarray((a < b) | ((a == b) & equal), dtype=np.bool_)


def write_order(folder: Path, words: Hashes, total: int) -> None:
    """Sort the phrases of ``words`` and write ``order`` and ``buckets``, a part that fits in memory at a time.

    Parameters
    ----------
    folder
        Where ``words`` is; some 4 bytes a word of scratch stand there for a while.
    words
        Memory-mapped, with twelve breaks at the end.
    total
        Words before these.
    """
    kind = np.dtype(np.uint32 if total < 1 << 32 else np.int64)
    bits = max(0, int(math.log2(max(total, 1) / _PER_BUCKET))) if total > _PER_BUCKET else 0
    shift = max(0, math.ceil(math.log2(max(total, 1) / _PART)))
    parts = _dealt(folder, words, total, shift, kind)
    counts = np.zeros(1 << bits, dtype=np.int64)
    with (folder / f"order.{'u32' if kind == np.uint32 else 'i64'}").open("wb") as out:
        for part in parts:
            places = np.fromfile(part, dtype=kind)
            part.unlink()
            ordered, head = _sorted(words, places)
            ordered.astype(kind).tofile(out)
            bucket = (head >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(head), dtype=np.int64)
            if len(bucket):
                first = int(bucket.min())
                tally = np.bincount(bucket - first)
                counts[first : first + len(tally)] += tally
    np.append(0, np.cumsum(counts)).tofile(folder / "buckets.i64")


def _dealt(folder: Path, words: Hashes, total: int, shift: int, kind: np.dtype[Any]) -> list[Path]:
    """Write the places of all phrases into ``2 ** shift`` files by the first bits of their keys."""
    paths = [folder / f".part-{number}" for number in range(1 << shift)]
    for path in paths:
        path.write_bytes(b"")
    for start, head, whole in _heads_of(words, total):
        places = np.flatnonzero(whole)
        part = (head[places] >> np.uint64(64 - shift)).astype(np.uint16) if shift else np.zeros(len(places), np.uint16)
        order = np.argsort(part, kind="stable")
        dealt = np.split((places[order] + start).astype(kind), np.cumsum(np.bincount(part, minlength=len(paths)))[:-1])
        for path, some in zip(paths, dealt, strict=True):
            with path.open("ab") as out:  # opened again each time: there may be more than a process can hold open
                some.tofile(out)
    return paths


def _heads_of(words: Hashes, total: int) -> Iterator[tuple[int, Keys, NDArray[np.bool_]]]:
    """Yield chunk by chunk: where it starts, the key of each place's four words, and whether all four are words."""
    for start in range(0, total, _CHUNK):
        size = min(_CHUNK, total - start)
        chunk = np.asarray(words[start : start + size + SHORTEST - 1])
        four = np.lib.stride_tricks.sliding_window_view(chunk, SHORTEST)
        yield start, heads(four), (four != BREAK).all(axis=1)


def _sorted(words: Hashes, places: NDArray[Any]) -> tuple[NDArray[Any], Keys]:
    """Return the places in the order of their keys (equal ones in the order of the songs), and their heads."""
    columns = keys(np.asarray(words[places.astype(np.int64)[:, None] + _AHEAD]))
    names = [f"key{number}" for number in range(columns.shape[1])]
    frame = pl.DataFrame({name: columns[:, number] for number, name in enumerate(names)}).with_columns(
        place=pl.Series(places)
    )
    del columns
    ordered = frame.sort([*names, "place"]).select("place", names[0])
    return ordered["place"].to_numpy(), ordered[names[0]].to_numpy()
