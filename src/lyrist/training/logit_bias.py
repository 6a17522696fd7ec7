"""Logit bias by genre or artist: words that are more frequent in songs of a genre or artist than in all songs.

A small language model is conditioned by a token before the first line, whose effect is lost after a few lines; n-grams lose it
within a few tokens. `lyrist write` therefore adds a bias to the logit of each word: how much more frequent the word is in songs
of the requested genre or artist. The model and its scores do not change.

Songs are counted, not words, because a word that one song repeats forty times says little about its genre. The prior `PRIOR` is
added to the observed and to the expected number of songs, so that words in few songs have a small bias (the shrunken ratio of
DuMouchel, Bayesian data mining in large frequency tables, 1999). Adapting a model by such ratios goes back to Kneser, Peters and
Klakow, Language model adaptation using dynamic marginals, 1997.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist import files
from lyrist.errors import LyristError, unreadable
from lyrist.training.song_tokens import SongTokens, Split

NAME = "style.parquet"
PRIOR = 5.0
"""Number of songs added to the observed and to the expected count of a word."""
STRONGEST = 512
"""Number of words per genre or artist that are stored: those with the largest absolute bias."""
LEAST = 3
"""Smallest number of songs of a genre or artist."""
BLOCK = 20_000
"""Songs that are counted at once."""

_SCHEMA = pl.Schema({"column": pl.String, "value": pl.String, "token": pl.Int32, "lean": pl.Float32})
_MARKS = ("Ġ", "▁")  # how tokenizers write the space before a word


@dataclass(frozen=True)
class Style:
    """The logit bias of words for each value of a condition, such as each genre.

    Attributes
    ----------
    table : polars.DataFrame
        ``column`` and ``value`` of the condition, ``token``, and ``lean``: the log ratio of the observed to the expected
        number of songs with that word.
    """

    table: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_SCHEMA))

    def bias(self, given: Mapping[str, str], size: int) -> NDArray[np.float32] | None:
        """Return the bias of the logits of ``size`` tokens, shape (size,); the mean over several conditions.

        None if there is no bias for these conditions.
        """
        kinds = [(pl.col("column") == column) & (pl.col("value") == value) for column, value in given.items()]
        found = [each for each in (self.table.filter(kind) for kind in kinds) if len(each)]
        if not found:
            return None
        bias = np.zeros(size, dtype=np.float32)
        for each in found:
            known = each.filter(pl.col("token").is_between(0, size, closed="left"))
            bias[known["token"].to_numpy()] += known["lean"].to_numpy() / len(found)
        return bias

    def save(self, folder: Path) -> None:
        """Write the table into the folder of a model; nothing if it is empty."""
        if len(self.table):
            with files.explained(folder / NAME):
                self.table.write_parquet(folder / NAME)

    @classmethod
    def load(cls, folder: Path) -> Style:
        """Load what `save` wrote; an empty one if there is no file.

        Raises
        ------
        LyristError
            The file is damaged.
        """
        place = folder / NAME
        if not place.exists():
            return cls()
        try:
            table = pl.read_parquet(place, columns=list(_SCHEMA), glob=False).cast(_SCHEMA)
            if table.null_count().sum_horizontal().item() or not table["lean"].is_finite().all():
                raise ValueError("values are missing")
        except unreadable(ValueError) as error:
            raise LyristError(f"{place} is damaged ({error}); train the writer again.") from None
        return cls(table)


def learn(tokens: SongTokens) -> Style:
    """Compute the bias of words for each condition from the training songs."""
    split, size = tokens.splits["train"], tokens.lyrics
    words = _words(tokens.tokenizer, size)
    share = np.zeros(size)
    by_column: dict[str, list[pl.DataFrame]] = {column: [] for column in tokens.conditions}
    for first in range(0, len(split), BLOCK):
        seen = _seen(split, first, min(first + BLOCK, len(split)))
        share += np.bincount(seen["token"].to_numpy(), minlength=size)[:size]
        for place, frames in enumerate(by_column.values()):
            code = pl.Series("code", split.conditions[:, place])[seen["song"]]
            frames.append(seen.with_columns(code).filter(pl.col("code") >= 0).group_by("code", "token").len())
    share /= max(share.sum(), 1)
    found = [
        _biases(pl.concat(frames), share, words).select(
            pl.lit(column).alias("column"),
            pl.col("code").replace_strict(dict(enumerate(values)), return_dtype=pl.String).alias("value"),
            "token",
            "lean",
        )
        for (column, frames), values in zip(by_column.items(), tokens.conditions.values(), strict=True)
    ]
    return Style(pl.concat(found).cast(_SCHEMA)) if found else Style()


def _seen(split: Split, first: int, last: int) -> pl.DataFrame:
    """Return the distinct tokens of the songs from ``first`` to before ``last``: ``song`` and ``token``."""
    starts = split.starts[first : last + 1]
    song = np.repeat(np.arange(first, last), np.diff(starts))
    token = np.asarray(split.ids[starts[0] : starts[-1]], dtype=np.int64)
    return pl.DataFrame({"song": song, "token": token}).unique()


def _biases(counted: pl.DataFrame, share: NDArray[np.float64], words: NDArray[np.bool_]) -> pl.DataFrame:
    """Return ``code``, ``token`` and ``lean`` of the words with the largest absolute bias, for each code.

    Parameters
    ----------
    counted
        ``code``, ``token``, and ``len``: songs of that code with the token; pairs may occur several times.
    share
        The share of each token among all (song, token) pairs.
    words
        Which tokens are words.
    """
    frames = [pl.DataFrame(schema={"token": pl.Int64, "lean": pl.Float64, "code": counted["code"].dtype})]
    summed = counted.group_by("code", "token").agg(pl.col("len").sum())
    for (code,), own in summed.filter(pl.col("len").max().over("code") >= LEAST).group_by("code"):
        songs = np.bincount(own["token"].to_numpy(), weights=own["len"].to_numpy(), minlength=len(share))[: len(share)]
        lean = np.where(words, np.log((songs + PRIOR) / (songs.sum() * share + PRIOR)), 0.0)
        strongest = np.sort(np.argsort(-np.abs(lean), kind="stable")[:STRONGEST])
        strongest = strongest[lean[strongest] != 0]
        frames.append(
            pl.DataFrame({"token": strongest, "lean": lean[strongest]}).with_columns(
                code=pl.lit(code, counted["code"].dtype)
            )
        )
    return pl.concat(frames).sort("code", "token")


def _words(tokenizer: Any, size: int) -> NDArray[np.bool_]:
    """Return which tokens are a space and letters; a bias of word pieces would produce words that do not exist."""
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    return np.array([bool(name) and name[0] in _MARKS and name[1:].isalpha() for name in names])
