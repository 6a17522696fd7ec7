"""The one pass over the text of a shard: clean, filter with reasons, tell the language, make the signatures.

Kept songs go to ``clean/``, their labels to ``keys/``, what tells copies of them to ``signatures/`` (apart, since a table
may have a column of any name), dropped rows to ``dropped/``; each file has the number of its shard and is whole or absent, so
that an interrupted pass goes on where it stood.
"""

from __future__ import annotations

import resource
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus import languages
from lyrist.corpus.cleaning import Cleaning, clean_series, is_instrumental, is_placeholder, word_count
from lyrist.corpus.duplicates import signatures
from lyrist.files import explained, read_json, write_json
from lyrist.text import repetition

DROPPED = ("id", "source", "row", "reason", "detail", "title", "artist")
"""What is kept of a dropped row."""

SAMPLED = 256
"""Songs a shard, evenly spread, on which the repetition score is measured before and after cleaning."""

_LETTERS_A_WORD = 24
"""A text is read so far, for each word that it needs at least, before all its words are counted."""


@dataclass(frozen=True)
class Filters:
    """Which songs are kept; all limits are inclusive."""

    languages: tuple[str, ...] = ()
    """Language codes; empty for all."""
    genres: tuple[str, ...] = ()
    """Genres, in lower case; empty for all."""
    min_words: int = 10
    """A song of fewer words is too short."""
    max_words: int = 5_000
    """A song of more words is too long: whole books stand in some tables."""
    labelled: tuple[str, ...] = ()
    """Columns that must not be empty."""


def clean_shard(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Clean one raw shard; return its counts.

    Parameters
    ----------
    path
        ``work/raw/NNNNN.parquet``: id, source, row, title, artist, genre, year, language, split, lyrics and kept columns.
    settings
        ``cleaning`` and ``filters`` (the fields of `Cleaning` and `Filters`), ``signatures`` (whether to make them),
        ``keep`` (kept columns).

    Returns
    -------
    dict
        ``shard``, ``read``, ``kept``, ``reasons``, ``rules`` (songs changed by each rule), ``seconds`` by step and
        ``repetition`` (songs measured, sums before and after).
    """
    raw = Path(path)
    work = raw.parents[1]
    done = work / "counts" / f"{raw.stem}.json"
    if done.exists():
        counts: dict[str, Any] = read_json(done, "a shard")
        return counts
    clock = _Clock()
    songs = pl.read_parquet(raw)
    sample = np.linspace(0, max(len(songs) - 1, 0), min(SAMPLED, len(songs))).astype(np.int64)
    before = songs["lyrics"].gather(sample)
    cleaned, rules = clean_series(songs["lyrics"].fill_null(""), Cleaning(**_tuples(settings["cleaning"])))
    songs = songs.with_columns(lyrics=cleaned)
    clock.step("clean")
    songs = judge(songs, Filters(**_tuples(settings["filters"])), clock)
    kept = songs.filter(pl.col("reason").is_null())
    keys = kept.select("id", "title", "artist", "genre", "year", "language", "split", *settings["keep"])
    signed = signatures(kept["lyrics"]).insert_column(0, kept["id"]) if settings["signatures"] else None
    clock.step("signatures")
    with explained(work):
        _write(keys, work / "keys" / raw.name)
        if signed is not None:
            _write(signed, work / "signatures" / raw.name)
        _write(songs.filter(pl.col("reason").is_not_null()).select(DROPPED), work / "dropped" / raw.name)
        _write(kept.drop("reason", "detail"), work / "clean" / raw.name)
    clock.step("write")
    counts = {
        "shard": raw.stem,
        "read": len(songs),
        "kept": len(kept),
        "reasons": dict(songs["reason"].drop_nulls().value_counts().iter_rows()),
        "rules": rules,
        "languages": dict(kept["language"].value_counts().iter_rows()),
        "seconds": clock.seconds,
        "repetition": _repetition(before, songs[sample]),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    write_json(done, counts)
    return counts


def judge(songs: pl.DataFrame, filters: Filters, clock: _Clock | None = None) -> pl.DataFrame:
    """Return the songs with ``reason`` and ``detail`` (null for a song that stays) and the language that was heard.

    The cheap filters come first, so that languages are told only where they decide.
    """
    lyrics = songs["lyrics"]
    count = _deciding_count(lyrics, filters)
    everything = pl.repeat(value=True, n=len(songs), dtype=pl.Boolean, eager=True)
    genre = songs["genre"].str.to_lowercase().fill_null("")
    tests = {
        "instrumental": is_instrumental(lyrics),
        "empty": (count == 0) | is_placeholder(lyrics),
        "too-short": count < filters.min_words,
        "too-long": count > filters.max_words,
        "unlabelled": ~songs.select(
            pl.all_horizontal(everything, *(pl.col(c).is_not_null() for c in filters.labelled))
        ).to_series(),
        "unwanted-genre": ~(genre.is_in(filters.genres) if filters.genres else everything),
    }
    reason, detail = pl.Series([None] * len(songs), dtype=pl.String), pl.Series([None] * len(songs), dtype=pl.String)
    for name, fails in reversed(tests.items()):
        reason = reason.set(fails, name)
    short = reason.is_in(["too-short", "too-long"]).fill_null(value=False)
    detail = detail.zip_with(~short, pl.select(pl.format("{} words", count)).to_series())
    detail = detail.zip_with((reason != "unwanted-genre").fill_null(value=True), songs["genre"])
    if clock:
        clock.step("filter")
    language, heard = _languages(lyrics, reason.is_null())
    if filters.languages:
        foreign = reason.is_null() & ~language.is_in(filters.languages)
        reason, detail = reason.set(foreign, "other-language"), detail.zip_with(~foreign, heard)
    if clock:
        clock.step("language")
    return songs.with_columns(language=language, reason=reason, detail=detail)


def _deciding_count(lyrics: pl.Series, filters: Filters) -> pl.Series:
    """Return the number of words of each text, exact where it decides; elsewhere one that passes as the true one would.

    To count all words takes as long as a third of the cleaning. Nearly every song shows in its first characters that it
    has enough words, and has too few bytes to have too many: words and what stands between them take two bytes at least.
    """
    enough = max(filters.min_words, 1)
    count = word_count(lyrics.str.slice(0, _LETTERS_A_WORD * enough)).clip(upper_bound=enough)
    open_ = (count < enough) | (lyrics.str.len_bytes() > 2 * filters.max_words) | (enough > filters.max_words)
    places = open_.arg_true()
    return count.scatter(places, word_count(lyrics.gather(places))) if len(places) else count


def _languages(lyrics: pl.Series, wanted: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the language code of each wanted text (else null), and code and score as the detail of a dropped row."""
    places = wanted.arg_true()
    codes, scores = languages.detect(lyrics.gather(places))
    told = pl.DataFrame(
        {"i": places, "code": codes, "heard": pl.select(pl.format("{} {}", codes, scores.round(2))).to_series()}
    )
    every = pl.DataFrame({"i": pl.Series(range(len(lyrics)), dtype=places.dtype)})
    joined = every.join(told, on="i", how="left", maintain_order="left")
    return joined["code"], joined["heard"]


class _Clock:
    """CPU seconds by step: they are what a busy machine does not distort."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def step(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now


def _repetition(before: pl.Series, after: pl.DataFrame) -> list[float]:
    """Return how many kept songs were measured, and the sums of their repetition score before and after cleaning."""
    pairs = [
        (b or "", a) for b, a, reason in zip(before, after["lyrics"], after["reason"], strict=True) if reason is None
    ]
    return [len(pairs), sum(repetition(b) for b, _ in pairs), sum(repetition(a) for _, a in pairs)]


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the dataclasses have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _write(frame: pl.DataFrame, path: Path) -> None:
    # Another process may be at the same shard still: one that outlived a kill, or that a cluster took for lost.
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    frame.write_parquet(temporary, compression="zstd", compression_level=1)
    temporary.replace(path)
