"""How lyrics change over the years: means by period, with intervals, and words that become more or less frequent.

A period is a decade, or a year if the songs are from 20 years or fewer. Songs of one artist resemble each other, so the
standard errors are clustered by artist (Liang and Zeger, "Longitudinal data analysis using generalized linear models", 1986).
Words that rise and fall: the test of a trend in proportions of Armitage, "Tests for linear trends in proportions and
frequencies" (1955), with the correction of Holm for the number of words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.arrays import hashed
from lyrist.corpus.labels import Labels
from lyrist.text import languages, rhyme

FEWEST = 20
"""A period, or a period of a genre or an artist, needs so many songs."""
DECADES_FROM = 20
"""Songs from more years than this are grouped by decade."""
GROUPS = 6
"""At most so many genres, and artists, have trends of their own."""
RHYMED = 4_000
"""At most so many songs are searched for rhymes."""
FIRST = 100
"""A word counts if it is among so many first words of a song: in longer songs, every word is more likely."""
WORDS = 15
"""At most so many words rise, and so many fall."""
LANGUAGES = 4
"""The shares of the commonest languages are followed."""
Z = 1.959964

MEASURES = {
    "words": ("words in a song", ",.0f"),
    "lines": ("lines in a song", ",.0f"),
    "repetition": ("repeated words", ".1%"),
    "diversity": ("different words in 50 in a row", ".1%"),
    "rhyme": ("lines that rhyme", ".1%"),
}
"""Every measure: its name on the page and the format of its numbers."""


def find(
    songs: pl.DataFrame, sample: pl.DataFrame, various: pl.DataFrame, seed: int, genre: Labels
) -> dict[str, Any] | None:
    """Return how songs change from period to period; None if fewer than two periods have `FEWEST` songs.

    Parameters
    ----------
    songs
        One row a song: id, year, artist, genre, language, words, lines, repetition.
    sample
        id, lyrics and tokens of some of the songs.
    various
        id and diversity.
    seed
        Seed of the songs that are searched for rhymes.
    genre
        What the column genre holds: a song with several genres counts for each.
    """
    known = songs.drop_nulls("year").with_columns(pl.col("artist", "genre", "language").cast(pl.String))
    if known.is_empty():
        return None
    span = known.select(pl.col("year").quantile(0.99) - pl.col("year").quantile(0.01)).item()
    length = 10 if span > DECADES_FROM else 1
    known = known.with_columns(period=pl.col("year") // length * length)
    known = known.filter(pl.len().over("period") >= FEWEST)
    periods = sorted(known["period"].unique())
    if len(periods) < 2:
        return None
    texts = sample.join(known.select("id", "period", "language"), on="id")
    known = known.join(various, on="id", how="left").join(_rhymes(texts, seed), on="id", how="left")
    artists = known.drop_nulls("artist").group_by("artist").len().sort("len", "artist", descending=[True, False])
    by_genre = genre.rows(known)
    genres = by_genre.drop_nulls("genre").group_by("genre").len().sort("len", "genre", descending=[True, False])
    return {
        "length": length,
        "periods": [{"period": period, "songs": int((known["period"] == period).sum())} for period in periods],
        "all": _means(known),
        "genre": _by_group(by_genre, "genre", genres["genre"].to_list()),
        "artist": _by_group(known, "artist", artists["artist"].to_list()),
        "languages": _languages(known),
        **_words(texts, periods),
    }


def _rhymes(texts: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return id and ``rhyme``, the rhyme density, of songs in languages with rules for rhyme; unknown is taken for English."""
    spoken = texts.with_columns(pl.col("language").fill_null("und").replace("und", "en"))
    spoken = spoken.filter(pl.col("language").is_in(languages.SUPPORTED))
    chosen = (
        spoken.with_columns(chance=pl.Series(hashed(spoken["id"].to_numpy(), seed))).sort("chance", "id").head(RHYMED)
    )
    found = [
        rhyme.density(rhyme.sections(lyrics), language=language)
        for lyrics, language in chosen.select("lyrics", "language").iter_rows()
    ]
    return pl.DataFrame({"id": chosen["id"], "rhyme": pl.Series(found, dtype=pl.Float64)})


def _means(songs: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return period, n, mean and the 95% interval of every measure."""
    return {name: found for name in MEASURES if (found := _mean_by_period(songs, name))}


def _mean_by_period(songs: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    known = songs.drop_nulls(name).filter(pl.len().over("period") >= FEWEST)
    # A song without an artist is a cluster of its own.
    cluster = pl.coalesce(pl.col("artist"), pl.format("\0{}", "id"))
    centred = known.with_columns(mean=pl.col(name).cast(pl.Float64).mean().over("period"), cluster=cluster)
    sums = centred.group_by("period", "cluster").agg(
        off=(pl.col(name).cast(pl.Float64) - pl.col("mean")).sum(), n=pl.len(), mean=pl.col("mean").first()
    )
    found = sums.group_by("period").agg(
        n=pl.col("n").sum(), mean=pl.col("mean").first(), clusters=pl.len(), squares=(pl.col("off") ** 2).sum()
    )
    found = found.filter(pl.col("clusters") > 1).with_columns(
        error=(pl.col("squares") * pl.col("clusters") / (pl.col("clusters") - 1)).sqrt() / pl.col("n")
    )
    return (
        found.select(
            "period", "n", "mean", low=pl.col("mean") - Z * pl.col("error"), high=pl.col("mean") + Z * pl.col("error")
        )
        .sort("period")
        .to_dicts()
    )


def _by_group(songs: pl.DataFrame, column: str, groups: list[str]) -> list[dict[str, Any]]:
    """Return the means of the groups that have at least two periods, the largest groups first."""
    found: list[dict[str, Any]] = []
    for group in groups[: 5 * GROUPS]:
        own = songs.filter(pl.col(column) == group)
        if column == "artist":
            own = own.with_columns(artist=pl.lit(None, dtype=pl.String))  # one artist: every song is a cluster
        means = {name: rows for name, rows in _means(own).items() if len(rows) > 1}
        if means:
            found.append({column: group, "songs": len(own), "measures": means})
        if len(found) == GROUPS:
            break
    return found


def _languages(songs: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the share of the commonest languages by period; nothing if nearly all songs are in one."""
    counts = songs["language"].drop_nulls().value_counts(sort=True)
    common = counts["language"].head(LANGUAGES).to_list()
    if len(common) < 2 or counts["count"][0] > 0.98 * int(counts["count"].sum()):
        return []
    return [
        {"language": name, "shares": _mean_by_period(songs.with_columns(share=(pl.col("language") == name)), "share")}
        for name in common
    ]


def _words(texts: pl.DataFrame, periods: list[int]) -> dict[str, list[dict[str, Any]]]:
    """Return the words whose share of songs rises or falls, with the share in each period; none if a period has no long song."""
    from scipy.stats import norm

    texts = texts.filter(pl.col("tokens").list.len() >= FIRST)
    rows = texts.select("period", word=pl.col("tokens").list.head(FIRST).list.unique()).explode("word")
    totals = texts.group_by("period").len("songs").sort("period")
    n = totals["songs"].to_numpy().astype(float)
    if len(n) < len(periods):
        return {"rising": [], "falling": []}
    counts = (
        rows.drop_nulls("word")
        .filter(pl.col("word").str.contains(r"\p{L}.*\p{L}|\p{Lo}"))
        .group_by("word", "period")
        .len()
    )
    wide = counts.pivot("period", index="word", values="len").fill_null(0).sort("word")
    wide = wide.with_columns(pl.lit(0).alias(str(p)) for p in totals["period"] if str(p) not in wide.columns)
    table = wide.select(str(p) for p in totals["period"]).to_numpy().astype(float)
    frequent = table.sum(axis=1) >= FEWEST
    words = wide["word"].to_numpy()[frequent]
    z = trend(table[frequent], n, totals["period"].to_numpy().astype(float))
    order = np.argsort(-np.abs(z), kind="stable")
    # Holm: the smallest p-value is multiplied by the number of words, the next by one fewer, until one is too large.
    p = 2 * norm.sf(np.abs(z[order])) * np.arange(len(order), 0, -1)
    significant = order[: int(np.argmax(p > 0.05)) if (p > 0.05).any() else len(p)]
    shares = table[frequent] / n
    described: list[dict[str, Any]] = [
        {"word": str(words[i]), "z": float(z[i]), "shares": [float(share) for share in shares[i]]} for i in significant
    ]
    rising = [word for word in described if word["z"] > 0][:WORDS]
    return {"rising": rising, "falling": [word for word in described if word["z"] < 0][:WORDS]}


def trend(
    counts: npt.NDArray[np.float64], n: npt.NDArray[np.float64], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the standard normal deviate of the Cochran-Armitage test for each row of ``counts``.

    Parameters
    ----------
    counts
        (words, periods): songs of each period that have the word.
    n
        (periods,): songs of each period.
    at
        (periods,): the time of each.

    Returns
    -------
    ndarray, (words,)
        Above 0 if the share rises.
    """
    total = n.sum()
    share = counts.sum(axis=1) / total
    centred = at - (n * at).sum() / total
    statistic: npt.NDArray[np.float64] = counts @ centred
    variance = share * (1 - share) * (n * centred**2).sum()
    return np.where(variance > 0, statistic / np.sqrt(np.where(variance > 0, variance, 1)), 0.0)


def table_of(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the rows of ``tables/trends.csv``."""
    if not found:
        return []
    groups = [("all", "", found["all"])]
    groups += [(column, row[column], row["measures"]) for column in ("genre", "artist") for row in found[column]]
    return [
        {"by": by, "group": name, "measure": measure, **row}
        for by, name, measures in groups
        for measure, rows in measures.items()
        for row in rows
    ]
