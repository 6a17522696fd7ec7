"""Lyrics as sets of word triples, and the exact share that two of them have in common.

Unusual: a set is a sorted run of 30-bit hashes in one flat array, so that a quarter of a million songs take some 200 MB
and a million pairs are compared without a Python loop. Two different triples of a pair fall together about once in
25,000 pairs, which moves its figure in the third place.

Scripts without spaces between words (Chinese, Japanese, Thai ...) are taken character by character.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.arrays import Ints, distinct

WIDTH = 3
"""Words in a shingle."""

_BITS = 30
_SONGS_AT_ONCE = 2_048  # some 50 MB while they are hashed
_PAIRS_AT_ONCE = 16_384
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)

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
    return normal.str.replace_all(f"({UNSPACED}) ?", "$1 ").str.strip_chars_end(" ")


def shingle_hashes(lyrics: pl.Series) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return the shingle sets of the texts.

    Returns
    -------
    counts
        (n,) size of each set, at least 1: a text of fewer than three words is one shingle.
    hashes
        The sets one after the other, each sorted, without repeats; values in [0, 2**30).
    """
    words = spaced(normalised(lyrics)).str.split(" ")
    lengths = words.list.len().to_numpy().astype(np.int64)
    hashed = words.explode().hash().to_numpy()
    song = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(hashed)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    mixed = hashed * _MIX[0]
    for step in range(1, WIDTH):
        inside = place[:-step] + step < lengths[song[:-step]]
        mixed[:-step] += np.where(inside, hashed[step:], 0) * _MIX[step]
    starts = place < np.maximum(lengths - WIDTH + 1, 1)[song]
    found = distinct((song[starts] << _BITS) | (mixed[starts] >> np.uint64(64 - _BITS)).astype(np.int64))
    return np.bincount(found >> _BITS, minlength=len(lengths)), (found & ((1 << _BITS) - 1)).astype(np.int32)


class ShingleSets:
    """The shingle sets of many songs, to be compared pair by pair.

    Parameters
    ----------
    lyrics
        Chunks of song ids, (n,) int64, and their texts, in any order, each id once.
    """

    def __init__(self, lyrics: Iterator[tuple[Ints, pl.Series]]) -> None:
        from scipy.sparse import csr_array  # here, as in `arrays`

        ids, counts, hashes = bytearray(), bytearray(), bytearray()  # they grow in place, a list of arrays is copied
        for chunk_ids, chunk in lyrics:
            ids += np.asarray(chunk_ids, dtype=np.int64).tobytes()
            for part in chunk.to_frame().iter_slices(_SONGS_AT_ONCE):
                part_counts, part_hashes = shingle_hashes(part.to_series())
                counts += part_counts.tobytes()
                hashes += part_hashes.tobytes()
        self._ids = np.frombuffer(ids, np.int64)
        self._order = np.argsort(self._ids)
        self._counts = np.frombuffer(counts, np.int64)
        columns = np.frombuffer(hashes, np.int32)
        ends = np.append(0, np.cumsum(self._counts))
        ends = ends.astype(np.int32 if ends[-1] < 1 << 31 else np.int64)  # else SciPy widens the columns too
        self._sets = csr_array((np.ones(len(columns), np.bool_), columns, ends), shape=(len(self._ids), 1 << _BITS))
        self._sets.has_canonical_format = True  # sorted and without repeats, as `shingle_hashes` gives them

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Return, for each pair of ids, the size of the intersection of their sets over that of the union.

        Raises
        ------
        KeyError
            No text came for one of the ids.
        """
        a, b = self._rows(left), self._rows(right)
        common = np.empty(len(a), np.int64)
        for start in range(0, len(a), _PAIRS_AT_ONCE):
            block = slice(start, start + _PAIRS_AT_ONCE)
            common[block] = np.diff(self._sets[a[block]].multiply(self._sets[b[block]]).tocsr().indptr)
        return np.asarray(common / (self._counts[a] + self._counts[b] - common))

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
