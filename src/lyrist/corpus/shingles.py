"""Texts as sets of word sequences (shingles), hashed: what near-copies and contained versions are found by.

One pass over the bytes gives the hash of every word: with the prefix sums C of byte * P^position (modulo 2^64), the
hash of the bytes from s to e is (C[e] - C[s]) * P^-s, mixed. The hash of a run is a weighted sum of those of its words.
Only NumPy is used, so the hashes are the same on every machine and in every version.

Polynomial hashing: Karp and Rabin, "Efficient randomized pattern-matching algorithms" (1987).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.arrays import Ints, Numbers, distinct
from lyrist.files import whole

WIDTH = 3
"""Words in a shingle by which two songs are compared."""

BITS = 30
"""Bits of a hash in `shingle_hashes`."""

_TEXTS, _BYTES = 128, 1 << 18  # what is hashed at a time stays in the cache of a core
_FACTOR = 0x9E3779B97F4A7C15
_WEIGHTS = np.array([pow(0xC2B2AE3D27D4EB4F, place, 1 << 64) for place in range(1, 17)], np.uint64)  # of words in a run
_SPACE, _END = ord(" "), ord("\n")

# `text.KEY_PATTERN` with a space, written so that the single spaces between words are no matches: half the time.
_NOT_KEY = r"[^\p{L}\p{N} ][^\p{L}\p{N}]*| [^\p{L}\p{N}]+"
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""A character of a script that puts no space between words; a regular expression of Rust's `regex` syntax."""


def normalised(lyrics: pl.Series) -> pl.Series:
    """Return the texts in lower case with every run of other than letters and digits as one space; null is empty.

    The same as `lyrist.text.key`, on a column.
    """
    return lyrics.fill_null("").str.to_lowercase().str.replace_all(_NOT_KEY, " ").str.strip_chars(" ")


def spaced(normal: pl.Series) -> pl.Series:
    """Return normalised texts with a space after each character of a script that puts none between words."""
    wide = (normal.str.len_bytes() != normal.str.len_chars()).arg_true()  # all of these scripts are beyond ASCII
    if wide.is_empty():
        return normal
    parted = normal.gather(wide).str.replace_all(f"({UNSPACED}) ?", "$1 ").str.strip_chars_end(" ")
    return normal.scatter(wide, parted)


def hashed_runs(texts: pl.Series, widths: Sequence[int]) -> Iterator[tuple[int, int, list[tuple[Ints, Numbers]]]]:
    """Yield the hashes of all runs of words of the texts, some texts at a time.

    Parameters
    ----------
    texts
        What `spaced` returns: words with one space between them.
    widths
        Numbers of words in a run, rising. A text of fewer words has one run, all of it.

    Yields
    ------
    first
        The place of the first text.
    count
        The number of texts.
    runs
        For each width, the number of each run's text, from 0, and the run's hash; the runs of a text in its order.
    """
    ended = texts.to_frame("text").select(pl.col("text") + "\n").to_series()
    _, offsets, buffer = ended.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(texts) + 1] if len(texts) else np.zeros(1, np.int64)
    data = np.frombuffer(buffer, np.uint8) if buffer else np.empty(0, np.uint8)
    longest = int(np.diff(ends).max(initial=_BYTES))
    scratch = np.empty(
        (2, longest + 1), np.uint64
    )  # used again and again: to allocate memory again costs more than the sums
    first = 0
    while first < len(texts):
        most = int(np.searchsorted(ends, ends[first] + _BYTES, side="right")) - 1
        last = min(max(most, first + 1), first + _TEXTS, len(texts))
        yield first, last - first, _hashed(data[ends[first] : ends[last]], widths, scratch)
        first = last


def _hashed(data: npt.NDArray[np.uint8], widths: Sequence[int], scratch: Numbers) -> list[tuple[Ints, Numbers]]:
    power, inverse = _powers(len(data))
    terms, sums = scratch[0, : len(data)], scratch[1, : len(data) + 1]
    sums[0] = 0
    np.cumsum(np.multiply(data, power, out=terms), out=sums[1:])
    ends = np.flatnonzero(data <= _SPACE)  # every word ends before a space or the end of its text
    starts = np.append(0, ends[:-1] + 1)
    word = mixed((sums.take(ends) - sums.take(starts)) * inverse.take(starts))
    last = np.flatnonzero(data[ends] == _END)  # the last word of each text
    words = np.diff(last, prepend=-1)
    song = np.repeat(np.arange(len(words)), words)
    left = np.repeat(last, words) - np.arange(len(ends))  # words after this one in its text
    found, sums_of_runs, summed = [], word * _WEIGHTS[0], 1
    for width in widths:
        for step in range(summed, min(width, len(word))):
            sums_of_runs[:-step] += word[step:] * _WEIGHTS[step]
        begin, run, summed = left >= width - 1, sums_of_runs, width
        if words.min() < width:
            run = run.copy()
            for text in np.flatnonzero(words < width):
                first = last[text] - words[text] + 1
                begin[first] = True
                run[first] = (word[first : last[text] + 1] * _WEIGHTS[: words[text]]).sum()
        places = np.flatnonzero(begin)
        found.append((song.take(places), mixed(run.take(places))))
    return found


def _powers(count: int) -> tuple[Numbers, Numbers]:
    """Return the first powers of the factor and of its inverse; tables that grow as they are needed."""
    global _tables
    if len(_tables[0]) < count:
        size = max(_BYTES, 1 << (count - 1).bit_length())
        _tables = _powers_of(_FACTOR, size), _powers_of(pow(_FACTOR, -1, 1 << 64), size)
    return _tables[0][:count], _tables[1]


def _powers_of(factor: int, count: int) -> Numbers:
    factors = np.full(count, factor, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


_tables: tuple[Numbers, Numbers] = (np.empty(0, np.uint64), np.empty(0, np.uint64))


def mixed(values: Numbers) -> Numbers:
    """Return the values with all bits spread (the finaliser of SplitMix64, other constants)."""
    values ^= values >> np.uint64(31)
    values *= np.uint64(0x7FB5D329728EA185)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x81DADEF4BC2DD44D)
    values ^= values >> np.uint64(33)
    return values


def shingle_hashes(lyrics: pl.Series) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return the shingle sets of the texts.

    Returns
    -------
    counts
        (n,) size of each set, at least 1: a text of fewer than three words is one shingle.
    hashes
        The sets one after the other, each sorted, without repeats; values in [0, 2**30).
    """
    counts, hashes = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for _, count, [(song, run)] in hashed_runs(spaced(normalised(lyrics)), [WIDTH]):
        found = distinct((song << BITS) | (run >> np.uint64(64 - BITS)).astype(np.int64))
        counts.append(np.bincount(found >> BITS, minlength=count))
        hashes.append((found & ((1 << BITS) - 1)).astype(np.int32))
    return np.concatenate(counts), np.concatenate(hashes)


Hashed = tuple[Ints, Ints, npt.NDArray[np.int32]]
"""Song ids, the sizes of their sets, and the hashes of these sets one after another."""


def hashed_texts(lyrics: Iterator[tuple[Ints, pl.Series]]) -> Iterator[Hashed]:
    """Yield the shingle sets of chunks of ids and texts."""
    for ids, texts in lyrics:
        for start in range(0, len(ids), 2_048):  # some 50 MB while they are normalised
            yield ids[start : start + 2_048], *shingle_hashes(texts[start : start + 2_048])


def take_shingles(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Write the shingle sets of some songs of a shard; a task of `Workers`.

    Parameters
    ----------
    shard
        A Parquet file with ``id`` (sorted) and ``lyrics``.
    settings
        ``wanted`` (a file of sorted ids) and ``folder`` (for what is written).
    """
    ids = pl.read_parquet(shard, columns=["id"], glob=False)["id"].to_numpy()
    wanted = np.load(settings["wanted"], mmap_mode="r")
    wanted = wanted[slice(*np.searchsorted(wanted, [ids[0], ids[-1] + 1]))] if len(ids) else wanted[:0]
    rows = np.searchsorted(ids, wanted)
    rows = rows[ids[np.minimum(rows, len(ids) - 1)] == wanted] if len(ids) else rows
    if len(rows):
        texts = pl.read_parquet(shard, columns=["lyrics"], glob=False)["lyrics"][rows]
        parts = zip(*hashed_texts(iter([(ids[rows], texts)])), strict=True)
        for name, part in zip(_FILES, parts, strict=True):
            place = Path(settings["folder"], f"{Path(shard).stem}.{name}.npy")
            whole(place, partial(save, np.concatenate(part)))
    return {"songs": len(rows)}


_FILES = ("ids", "sizes", "hashes")


def save(array: npt.NDArray[Any], part: Path) -> None:
    """Write an array to a file of any name."""
    with part.open("wb") as file:
        np.save(file, array)


def taken(folder: Path, ids: Ints) -> Iterator[Hashed]:
    """Yield the sets of these songs (sorted ids) that `take_shingles` wrote."""
    for file in sorted(folder.glob("*.ids.npy")):
        own, sizes, hashes = (
            np.load(file.with_name(file.name.replace(".ids.", f".{name}.")), mmap_mode="r") for name in _FILES
        )
        rows = np.flatnonzero(np.isin(own, ids[slice(*np.searchsorted(ids, [own[0], own[-1] + 1]))]))
        if len(rows):
            ends = np.cumsum(sizes)
            spans = [hashes[end - size : end] for end, size in zip(ends[rows], sizes[rows], strict=True)]
            yield own[rows], sizes[rows], np.concatenate(spans)


class ShingleSets:
    """The shingle sets of many songs, to be compared pair by pair.

    Parameters
    ----------
    sets
        From `hashed_texts` or `taken`, in any order, each id once.
    """

    def __init__(self, sets: Iterator[Hashed]) -> None:
        ids, counts, hashes = bytearray(), bytearray(), bytearray()  # they grow in place, a list of arrays is copied
        for chunk_ids, chunk_counts, chunk_hashes in sets:
            ids += np.asarray(chunk_ids, dtype=np.int64).tobytes()
            counts += np.asarray(chunk_counts, dtype=np.int64).tobytes()
            hashes += chunk_hashes.tobytes()
        self._ids = np.frombuffer(ids, np.int64)
        self._order = np.argsort(self._ids)
        self._counts = np.frombuffer(counts, np.int64)
        self._hashes = np.frombuffer(hashes, np.int32)
        self._starts = np.cumsum(self._counts) - self._counts

    def sizes(self, ids: Ints) -> Ints:
        """Return the size of the set of each of these songs."""
        return np.asarray(self._counts[self._rows(ids)])

    def shared(self, left: Ints, right: Ints) -> Ints:
        """Return, for each pair of ids, how many shingles their songs share.

        Raises
        ------
        KeyError
            No text came for one of the ids.
        """
        a, b = self._rows(left), self._rows(right)
        common = np.empty(len(a), np.int64)
        for start in range(0, len(a), 4_096):
            rows = np.concatenate([a[start : start + 4_096], b[start : start + 4_096]])
            sizes = self._counts[rows]
            place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes - self._starts[rows], sizes)
            pair = np.repeat(np.tile(np.arange(len(rows) // 2), 2), sizes)
            both = np.sort((pair << BITS) | self._hashes[place])  # a shingle of both sets of a pair is there twice
            common[start : start + 4_096] = np.bincount(
                both[1:][both[1:] == both[:-1]] >> BITS, minlength=len(rows) // 2
            )
        return common

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Return, for each pair of ids, the size of the intersection of their sets over that of the union.

        Raises
        ------
        KeyError
            No text came for one of the ids.
        """
        common = self.shared(left, right)
        return np.asarray(common / (self.sizes(left) + self.sizes(right) - common))

    def _rows(self, ids: Ints) -> Ints:
        if not len(self._ids):
            rows, known = ids, np.zeros(len(ids), np.bool_)
        else:
            place = np.searchsorted(self._ids, ids, sorter=self._order)
            rows = self._order[np.minimum(place, len(self._order) - 1)]
            known = self._ids[rows] == ids
        if not known.all():
            raise KeyError(f"no lyrics came for {np.count_nonzero(~known)} songs, one of them with id {ids[~known][0]}")
        return rows
