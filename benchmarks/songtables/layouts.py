"""The columns of the tables that generated songs come in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

Layout = Callable[[np.random.Generator, pl.DataFrame], pl.DataFrame]

_CONFUSED = 0.02  # share of songs on whose language the two identifiers of the Genius table differ


def genius(rng: np.random.Generator, songs: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the table of five million songs of Genius."""
    confused = pl.Series(rng.random(len(songs)) < _CONFUSED)
    return songs.select(
        "title",
        tag="genre",
        artist="artist",
        year="year",
        views=pl.Series(rng.lognormal(5, 2.2, len(songs)).astype(np.int64)),
        features=pl.lit("{}"),
        lyrics="lyrics",
        id=pl.col("row") + 1_000_000,
        language_cld3=pl.when(confused & pl.col("language").is_not_null()).then(pl.lit("no")).otherwise("language"),
        language_ft="language",
        language=pl.when(~confused).then(pl.col("language")),
    )


def songdata(rng: np.random.Generator, songs: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the table of 57,650 songs."""
    link = pl.format("/{}/{}_{}.html", _slug("artist"), _slug("title"), "row")
    return songs.select("artist", song="title", link=link, text="lyrics")


def _slug(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "-").str.strip_chars("-")


LAYOUTS: dict[str, Layout] = {"genius": genius, "songdata": songdata}
"""By name, a function of a random stream and songs (row, artist, genre, year, title, lyrics, language)."""
