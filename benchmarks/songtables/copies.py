"""Copies of songs: exact ones in other dress, and near ones with some words changed, whose likeness is computed.

Words are changed in the flat list of all tokens of all texts, so that no text is touched on its own. The Jaccard
similarity recorded is that of the sets of word 3-shingles of what is sung (section headers do not count, words as
`lyrist.text.key` splits them), computed from the two texts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.text import KEY_PATTERN
from songtables.vocabulary import Ints

AMOUNTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.18)
"""Shares of the words that are changed; 0.0 stands for a single word."""

WIDTH = 3

_UNIT = r"\[[^\]\n]*\]\s*|\S+\s*"
_HEADER_LINE = r"(?m)^\[[^\]\n]*\]$"
_AFTER = r"([^\p{L}\p{N}]*)$"
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def changed(
    rng: np.random.Generator, lyrics: pl.Series, amounts: npt.NDArray[np.float64], words: pl.Series
) -> pl.Series:
    """Return the texts with words replaced (3 of 5), left out or put in; at least one each.

    Parameters
    ----------
    rng
        Decides which words, and by what.
    lyrics
        Texts of at least one word outside section headers.
    amounts
        (n,) the share of the words to change, in [0, 1).
    words
        What is put in.
    """
    if not len(lyrics):
        return lyrics
    tokens = pl.DataFrame({"song": np.arange(len(lyrics)), "token": lyrics.str.extract_all(_UNIT)}).explode("token")
    token = tokens["token"]
    song = tokens["song"].to_numpy()
    chance = rng.random(len(token))
    chance[token.str.starts_with("[").to_numpy()] = 2.0  # headers stay
    lowest = np.lexsort((chance, song))[np.flatnonzero(np.diff(song, prepend=-1))]  # one word a song in any case
    hit = chance < amounts[song]
    hit[lowest] = True
    rows = np.flatnonzero(hit)
    old, new = token.gather(rows), words.gather(rng.integers(0, len(words), len(rows)))
    after = old.str.extract(_AFTER, 1)
    out = pl.select(pl.when(after.str.contains("\n")).then(after).otherwise(pl.lit(""))).to_series()
    how = pl.Series(rng.integers(0, 5, len(rows)))
    put = pl.select(pl.when(how < 3).then(new + after).when(how == 3).then(out).otherwise(new + " " + old)).to_series()
    tokens = tokens.with_columns(token=token.scatter(rows, put))
    return tokens.group_by("song", maintain_order=True).agg(pl.col("token").str.join("")).get_column("token")


def parts(rng: np.random.Generator, lyrics: pl.Series, least: float, most: float) -> pl.Series:
    """Return of each text some lines in a row: a share of its lines between ``least`` and ``most``, two at least."""
    found = []
    for text, share, place in zip(lyrics, rng.uniform(least, most, len(lyrics)), rng.random(len(lyrics)), strict=True):
        lines = text.split("\n")
        count = min(max(round(share * len(lines)), 2), len(lines))
        start = round(place * (len(lines) - count))
        found.append("\n".join(lines[start : start + count]))
    return pl.Series(found, dtype=pl.String)


def jaccard(left: pl.Series, right: pl.Series) -> npt.NDArray[np.float32]:
    """Return, for each pair of texts, the Jaccard similarity of their sets of word 3-shingles, in [0, 1]."""
    return likeness(left, right)[0]


def likeness(
    left: pl.Series, right: pl.Series
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return, for each pair of texts, how alike their sets of word 3-shingles are.

    Returns
    -------
    jaccard
        The size of the intersection over that of the union, in [0, 1].
    containment
        The size of the intersection over that of the smaller set, in [0, 1].
    shared
        The size of the intersection.
    """
    if not len(left):
        return np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.int32)
    a, b = _shingles(left), _shingles(right)
    sizes = pl.DataFrame({"song": np.arange(len(left))})
    for name, found in (("a", a), ("b", b), ("both", a.join(b, on=["song", "shingle"], how="semi"))):
        counts = found.group_by("song").agg(pl.len().cast(pl.Int64).alias(name))
        sizes = sizes.join(counts, on="song", how="left", maintain_order="left")
    sizes = sizes.fill_null(0)
    union = sizes["a"] + sizes["b"] - sizes["both"]
    smaller = sizes.select(pl.min_horizontal("a", "b")).to_series()
    both = sizes["both"]
    shares = [(both / size).to_numpy().astype(np.float32) for size in (union, smaller)]
    return shares[0], shares[1], both.to_numpy().astype(np.int32)


def _shingles(lyrics: pl.Series) -> pl.DataFrame:
    """Return the distinct shingles (as 64-bit hashes) of each text: columns song and shingle."""
    sung = lyrics.str.replace_all(_HEADER_LINE, " ").str.to_lowercase().str.replace_all(KEY_PATTERN, " ")
    words = sung.str.strip_chars(" ").str.split(" ")
    song: Ints = np.repeat(np.arange(len(lyrics)), words.list.len().to_numpy().astype(np.int64))
    hashed = words.explode().hash().to_numpy()
    inside = song[: 1 - WIDTH] == song[WIDTH - 1 :]
    shingle = sum(hashed[at : len(hashed) + 1 - WIDTH + at] * _MIX[at] for at in range(WIDTH))
    return pl.DataFrame({"song": song[: 1 - WIDTH], "shingle": shingle}).filter(pl.Series(inside)).unique()
