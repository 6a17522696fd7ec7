"""The words of lyrics as 32-bit numbers, without a vocabulary: the same word is the same number in any corpus.

Case, punctuation, layout and apostrophes make no difference (``Don't`` and ``dont`` are one word), since a copy with other
commas is a copy. Two different words share a number once in four thousand million pairs, and a phrase of four words would
need that beside three that are truly the same.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist.corpus.shingles import UNSPACED, normalised, spaced

Hashes = NDArray[np.uint32]

BREAK = 0
"""Stands after each text; no word has it."""

_PLACES = 64
_FACTORS = np.random.default_rng(20_240_917).integers(1, 2**64, _PLACES, dtype=np.uint64) | np.uint64(1)
_MIX = np.uint64(0xFF51AFD7ED558CCD)


def plain(lyrics: pl.Series) -> pl.Series:
    """Return the texts as words in lower case with one space between them, apostrophes left out."""
    return spaced(normalised(lyrics.str.replace_all("['’`]", "")))


def hashed_words(lyrics: pl.Series) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the words of n texts as numbers.

    Returns
    -------
    words
        The words of all texts, one text after the other, a `BREAK` after each.
    starts
        (n + 1,) where each text begins in ``words``, and the end.
    """
    texts = plain(lyrics)
    # A text's end is a word of its own here (a line feed, which no normalised text holds), so that it gets a place.
    joined = "".join(f"{text} \n " if text else "\n " for text in texts.to_list()).encode()
    letters = np.frombuffer(joined, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord(" "))
    begins = np.append(0, ends[:-1] + 1) if len(ends) else ends
    words = _hash(letters, begins, ends)
    breaks = np.flatnonzero(letters[begins] == ord("\n")) if len(ends) else ends
    words[breaks] = BREAK
    return words, np.append(0, breaks + 1)


def _hash(letters: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Hashes:
    """Return a multilinear hash of each word (Carter and Wegman 1979): letters times random factors of their places."""
    if not len(ends):
        return np.zeros(0, dtype=np.uint32)
    place = np.arange(len(letters), dtype=np.int32) - np.repeat(begins.astype(np.int32), ends - begins + 1)
    sums = np.add.reduceat(letters * _FACTORS[place & (_PLACES - 1)], begins)
    mixed = (sums ^ (sums >> np.uint64(33))) * _MIX
    return np.asarray(np.maximum((mixed >> np.uint64(32)).astype(np.uint32), 1), dtype=np.uint32)


def places(text: str) -> list[tuple[int, int]]:
    """Return where each word of `plain` stands in one text: its first character and the one after its last."""
    letters = list(text.lower() if len(text.lower()) == len(text) else map(str.lower, text))
    known = pl.Series(sorted(set(letters)), dtype=pl.String)
    word = set(known.filter(known.str.contains(r"^[\p{L}\p{N}]+$")).to_list())
    alone = set(known.filter(known.str.contains(f"{UNSPACED}$")).to_list())
    found: list[tuple[int, int]] = []
    start: int | None = None
    for place, letter in enumerate([*letters, " "]):
        if letter in word:
            start = place if start is None else start
            if letter in alone:
                found.append((start, place + 1))
                start = None
        elif letter not in "'’`" and start is not None:
            found.append((start, place))
            start = None
    return found
