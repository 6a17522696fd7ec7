"""What is measured on every song of a corpus, in one pass over its text.

The text is read in blocks and let go; of each song a few numbers and labels stay (some 60 bytes), so that medians and
quantiles are exact. What needs the words themselves is done on a sample, drawn by hash of the song's id: the same songs
whatever the order or the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.arrays import hashed
from lyrist.corpus.cleaning.headers import KEPT
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.duplicates import artist_key

SAMPLE = 20_000
"""At most so many songs are looked at word by word."""
GENERAL = 0.6
"""Share of a full sample that is drawn from all songs; the rest goes to the commonest artists, evenly."""
WINDOW = 50
"""Words in the window on which lexical diversity is measured."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

WORD = r"[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*"
"""`lyrist.text.WORD` in the syntax of columns."""
HEADER = rf"(?m)^{KEPT}$"
"""A section header, as ``--sections keep`` leaves it."""

LABELS = ("artist", "genre", "language")

KEPT_AS = "kept {}"
"""What a kept column is called here: one called ``words`` or ``lines`` would be taken for what is measured."""


@dataclass(frozen=True)
class Measured:
    """What a pass over the corpus found."""

    songs: pl.DataFrame
    """One row a song, by id: id, split, cluster, artist, genre, language, year, kept columns (`KEPT_AS`), words, lines,
    repetition, sections. An artist is written in one way, the commonest."""
    sections: dict[str, int]
    """Songs that have a section of each kind."""
    sample: pl.DataFrame
    """By id: id, artist, genre, language, ``general`` (false: drawn for its artist) and ``tokens``, the words in lower
    case."""


def measure(corpus: Corpus, top: int, seed: int = 0) -> Measured:
    """Measure all songs of ``corpus``; the sample holds songs of its ``top`` commonest artists for certain."""
    kept = {name: KEPT_AS.format(name) for name in corpus.info["settings"].get("keep", [])}
    labels = one_spelling(corpus.songs(columns=["id", "artist"]))
    drawn = draw(labels, top, seed)
    headers = corpus.info["settings"]["cleaning"]["sections"] == "keep"
    parts, sampled = [], []
    kinds: dict[str, int] = {}
    columns = ["id", "cluster", "genre", "language", "year", "lyrics", *kept]
    with progress.task("measuring") as advance:
        done = 0
        for split in SPLITS:
            for batch in corpus.batches(split, columns):
                if headers:
                    _count_kinds(batch["lyrics"], kinds)
                read = _measured(batch.rename(kept).with_columns(split=pl.lit(split)), headers)
                sampled.append(read.select("id", "tokens").filter(pl.col("id").is_in(drawn["id"].implode())))
                parts.append(_narrow(read, kept.values()))
                done += len(batch)
                advance(done, len(labels))
    songs = pl.concat(parts).join(labels, on="id", how="left").sort("id")
    known = songs.select("id", *LABELS)
    sample = pl.concat(sampled).join(drawn, on="id").join(known, on="id", how="left").sort("id")
    return Measured(songs, dict(sorted(kinds.items(), key=lambda item: -item[1])), sample)


def one_spelling(songs: pl.DataFrame) -> pl.DataFrame:
    """Return id and artist, names that differ in case and punctuation only written as the commonest of them."""
    keyed = songs.select("id", "artist", key=artist_key())
    names = keyed.drop_nulls().group_by("key", "artist").len().sort("len", "artist", descending=[True, False])
    names = names.unique("key", keep="first", maintain_order=True).select("key", "artist")
    told = keyed.select("id", "key").join(names, on="key", how="left")
    return told.select("id", pl.col("artist").cast(pl.Categorical)).sort("id")


def draw(labels: pl.DataFrame, top: int, seed: int, most: int = SAMPLE) -> pl.DataFrame:
    """Return ``id`` and ``general`` of the sampled songs: all of them, if they are no more than ``most``."""
    songs = labels.with_columns(chance=pl.Series(hashed(labels["id"].to_numpy(), seed))).sort("chance", "id")
    if len(songs) <= most:
        return songs.select("id", general=pl.lit(value=True))
    general = songs.head(int(most * GENERAL))
    common = songs.drop_nulls("artist").group_by("artist").len().top_k(top, by=["len", "artist"])
    each = int(most * (1 - GENERAL)) // max(len(common), 1)
    theirs = songs.join(common, on="artist", how="semi", maintain_order="left")
    theirs = theirs.filter(pl.int_range(pl.len()).over("artist") < each)
    both = pl.concat([general.select("id", general=True), theirs.select("id", general=False)])
    return both.unique("id", keep="first", maintain_order=True)


def tokens(column: str = "lyrics", *, headers: bool = False) -> pl.Expr:
    """Return the expression for the words of a text as `lyrist.text.words` gives them, section headers left out."""
    text = pl.col(column)
    if headers:
        text = text.str.replace_all(HEADER, "")
    return text.str.to_lowercase().str.extract_all(WORD).list.eval(pl.element().str.replace_all("’", "'", literal=True))


def _measured(songs: pl.DataFrame, headers: bool) -> pl.DataFrame:
    """Add tokens, words, lines, repetition and sections."""
    songs = songs.with_columns(
        tokens=tokens(headers=headers),
        sections=pl.col("lyrics").str.count_matches(HEADER) if headers else pl.lit(0),
        lines=pl.col("lyrics").str.count_matches(r"\S[^\n]*"),
    ).drop("lyrics")
    words, distinct = pl.col("tokens").list.len(), pl.col("tokens").list.n_unique()
    return songs.with_columns(
        words=words,
        lines=pl.col("lines") - pl.col("sections"),
        repetition=pl.when(words > 0).then(1 - distinct / words).otherwise(0.0),
    )


def _narrow(songs: pl.DataFrame, kept: Iterable[str]) -> pl.DataFrame:
    """Keep what is wanted of every song, in as few bytes as will do."""
    return songs.select(
        "id",
        "cluster",
        pl.col("year").cast(pl.Int32),
        pl.col("split", "genre", "language", *kept).cast(pl.Categorical),
        pl.col("words", "lines", "sections").cast(pl.Int32),
        pl.col("repetition").cast(pl.Float32),
    )


def _count_kinds(lyrics: pl.Series, kinds: dict[str, int]) -> None:
    found = lyrics.str.extract_all(HEADER).list.unique().explode().drop_nulls()
    for header, count in found.value_counts().iter_rows():
        kind = header.strip("[]")
        kinds[kind] = kinds.get(kind, 0) + count


def diversity(sample: pl.DataFrame, window: int = WINDOW) -> pl.DataFrame:
    """Return the lexical diversity of each song: the mean share of different words in every window of it.

    The moving-average type-token ratio of Covington and McFall, "Cutting the Gordian knot" (2010): unlike different
    words over all words it does not fall with length. A word counts in each window that holds it but not its
    predecessor, so that the sum over all windows is a sum over the words.

    Parameters
    ----------
    sample
        ``id`` and ``tokens``.
    window
        Words in a window.

    Returns
    -------
    DataFrame, by id
        ``id`` and ``diversity`` (above 0 to 1) of the songs with at least ``window`` words.
    """
    long = sample.select("id", "tokens", n=pl.col("tokens").list.len().cast(pl.Int64)).filter(pl.col("n") >= window)
    found = []
    for part in long.iter_slices(4_096):
        each = part.with_columns(at=pl.int_ranges("n")).explode("tokens", "at")
        before = pl.col("at").shift(1).over("id", "tokens").fill_null(-1)
        first = pl.max_horizontal(before + 1, pl.col("at") - window + 1)
        last = pl.min_horizontal(pl.col("at"), pl.col("n") - window)
        counted = each.select("id", "n", count=(last - first + 1).clip(lower_bound=0))
        sums = counted.group_by("id").agg(pl.col("count").sum(), pl.col("n").first())
        found.append(sums.select("id", diversity=pl.col("count") / ((pl.col("n") - window + 1) * window)))
    empty = pl.DataFrame(schema={"id": pl.Int64, "diversity": pl.Float64})
    return pl.concat([empty, *found]).sort("id")


def spread(values: pl.Series) -> dict[str, float] | None:
    """Return n, mean, the 5, 25, 50, 75 and 95% quantiles and the maximum of ``values``; None of none."""
    values = values.drop_nulls()
    values = values.filter(values.is_finite())
    if values.is_empty():
        return None
    told: dict[str, Any] = {"n": len(values), "mean": float(values.cast(pl.Float64).mean())}  # type: ignore[arg-type]
    for share in QUANTILES:
        told[f"p{round(share * 100):02d}"] = float(values.quantile(share, "linear"))  # type: ignore[arg-type]
    return {**told, "max": float(values.max())}  # type: ignore[arg-type]


def quantiles(told: dict[str, float]) -> list[float]:
    """Return the five quantiles of what `spread` found."""
    return [told[f"p{round(share * 100):02d}"] for share in QUANTILES]


def binned(values: pl.Series, bins: int = 40, *, whole: bool = True) -> dict[str, list[float]]:
    """Return the edges and counts of a histogram; what is above the 99.5% quantile stands in the last bin.

    Parameters
    ----------
    values
        Numbers of 0 or more.
    bins
        About how many bins.
    whole
        The values are counts: bins have whole numbers for edges.
    """
    array = values.drop_nulls().to_numpy().astype(float)
    top = float(np.quantile(array, 0.995)) if len(array) else 1.0
    if whole:
        step = max(1, round(np.ceil(top / bins)))
        edges = np.arange(0, (np.ceil(top / step) + 1) * step + 1, step, dtype=float)
    else:
        edges = np.linspace(0, 1, bins + 1)
    counts, _ = np.histogram(np.minimum(array, edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.astype(float).tolist()}
