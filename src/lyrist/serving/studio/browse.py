"""Songs of a corpus looked up where they lie: whatever its size, a search reads what it needs and keeps a page of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.training.runs import Run

PAGE = 25
"""Songs of one page of results."""
LISTED = 300
"""Artists and genres that can be chosen from a list: those with the most songs; any other can be typed."""
FEATURES = ("id", "title", "artist", "genre", "year")


@dataclass(frozen=True)
class Shelved:
    """A corpus that served runs were fitted on."""

    name: str
    path: Path
    runs: tuple[str, ...]
    fitted: Run
    """One of the runs, which names the corpus and its fingerprint."""

    @cached_property
    def corpus(self) -> Corpus:
        """Return the corpus.

        Raises
        ------
        LyristError
            It is not where it was when the runs were fitted, has changed, or is damaged.
        """
        return self.fitted.corpus()

    @cached_property
    def genres(self) -> list[tuple[str, int]]:
        """Return the genres with their songs, the commonest first."""
        return self._counted("genre")

    @cached_property
    def artists(self) -> list[tuple[str, int]]:
        """Return the artists with their songs, the commonest first."""
        return self._counted("artist")

    def _counted(self, column: str) -> list[tuple[str, int]]:
        counted = self.corpus.scan().filter(pl.col(column).is_not_null()).group_by(column).len()
        frame = _read(self.corpus, counted.sort(["len", column], descending=[True, False]).head(LISTED))
        return [(str(name), int(count)) for name, count in frame.iter_rows()]


@dataclass(frozen=True)
class Found:
    """A page of songs."""

    songs: list[dict[str, Any]]
    """Each with `FEATURES`, and ``line``: the line of the lyrics that holds what was looked for, or empty."""
    start: int
    more: bool
    """Whether there are others after these."""


def corpora(models: ModelRegistry) -> list[Shelved]:
    """Return the corpora of the runs that are served, each once, named by their directories."""
    runs: dict[Path, list[str]] = {}
    first: dict[Path, Run] = {}
    for served in models.of("classify", "write"):
        runs.setdefault(Path(served.run.info["corpus"]), []).append(served.name)
        first.setdefault(Path(served.run.info["corpus"]), served.run)
    short = [path.name for path in runs]
    return [
        Shelved(path.name if short.count(path.name) == 1 else str(path), path, tuple(names), first[path])
        for path, names in runs.items()
    ]


def search(
    corpus: Corpus, words: str = "", *, genre: str = "", artist: str = "", lyrics: bool = True, start: int = 0
) -> Found:
    """Return a page of the songs that have some words in their title, their artist's name or (``lyrics``) their lyrics.

    Parameters
    ----------
    corpus
        Where to look.
    words
        Looked for as they stand, in any case; empty: all songs.
    genre, artist
        Only songs of these, where given.
    lyrics
        Look into lyrics as well.
    start
        Songs to pass over.
    """
    words = " ".join(words.split())[:200]
    pattern = "(?i)" + pl.escape_regex(words)
    frame = corpus.scan()
    for column, value in (("genre", genre), ("artist", artist)):
        frame = frame.filter(pl.col(column) == value) if value else frame
    places = ["title", "artist", *(["lyrics"] if lyrics else [])]
    if words:
        frame = frame.filter(
            pl.any_horizontal(pl.col(place).str.contains(pattern).fill_null(False) for place in places)
        )
    line = pl.col("lyrics").str.extract(rf"(?m)^(.*{pattern}.*)$", 1) if words and lyrics else pl.lit("")
    page = frame.slice(max(start, 0), PAGE + 1).select(*FEATURES, line=line.fill_null("").str.slice(0, 240))
    songs = _read(corpus, page).to_dicts()
    return Found(songs[:PAGE], start, len(songs) > PAGE)


def song(corpus: Corpus, number: int) -> dict[str, Any] | None:
    """Return one song with all its columns and its ``split``; None where there is none of this number."""
    frame = _read(corpus, corpus.scan().filter(pl.col("id") == number).head(1))
    return frame.to_dicts()[0] if len(frame) else None


def _read(corpus: Corpus, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LyristError(
            f"A file of the corpus {corpus.path.name} is damaged or missing; prepare it again."
        ) from error
