"""A chunk of a generated table: its songs, what is planted among them, and the record of it.

Every chunk has its own random stream, so that a table depends on nothing but its arguments. Copies are of earlier rows:
of the same chunk, or of a pool of songs from all chunks before, so that they stand next to their originals and far away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from songtables.artists import GENRES, OTHER_GENRE, SHARES, SIGNAL, SLOTS, WORDS, even_tables, make_artists
from songtables.copies import AMOUNTS, changed, jaccard, likeness, parts
from songtables.debris import DEBRIS, EMPTY, INSTRUMENTAL, SHORT
from songtables.foreign import FOREIGN
from songtables.layouts import LAYOUTS
from songtables.sinks import FEWER, INVALID, MORE
from songtables.verses import Songs, sing, titles
from songtables.vocabulary import Ints, english, foreign

PLANTED: dict[str, float] = {
    "exact": 0.015,
    "near": 0.02,
    "cover": 0.01,
    "excerpt": 0.0,
    "extended": 0.0,
    "medley": 0.0,
    "debris": 0.03,
    "foreign": 0.06,
    "instrumental": 0.01,
    "empty": 0.005,
    "short": 0.005,
    "malformed": 0.0005,
    "invalid-utf8": 0.0,
}
"""Kinds of planted rows and their shares: exact copies (in four kinds of dress), near-copies and covers (by another
artist) with words changed, excerpts of songs, songs with further text, medleys of several songs, songs between debris,
songs in other languages, rows without a song, rows with too many or
too few fields, rows with a byte that is not UTF-8."""

TRUTH_SCHEMA = pl.Schema(
    {
        "row": pl.Int64,
        "kind": pl.String,
        "of": pl.Int64,
        "language": pl.String,
        "jaccard": pl.Float32,
        "containment": pl.Float32,
        "shared": pl.Int32,
        "detail": pl.String,
    }
)

DRESSES = ("identical", "capitals", "blank lines", "debris")
"""How an exact copy differs from its original: in nothing that a preparation shall count."""

CONTAINED = ("excerpt", "extended", "medley")
"""Kinds of rows of which one song contains the other."""

EDITS = (0.0, 0.0, 0.01, 0.03, 0.07)
"""Shares of the words that are changed in a contained version; 0.0 stands for none."""

EDITIONS = ("", "", " (Live)", " (Remix)", " (Acoustic)", " - Remastered")

_POOL, _RENEWED = 4096, 1024  # songs of earlier chunks that can still be copied, and those replaced by each chunk
_SPREAD = 0.55  # of the logarithm of a song's length
_HEADED = np.array([0.3, 0.4, 0.15, 0.15])


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table."""

    table: pl.DataFrame
    """In the columns of the layout."""
    truth: pl.DataFrame
    """Of `TRUTH_SCHEMA`: the planted ones among them."""
    faults: dict[int, str]
    """Which rows shall be malformed, by position."""


@dataclass
class _Draft:
    """The rows of a chunk while they are made: ``songs`` has row, artist and genre (numbers), year, title, lyrics."""

    songs: pl.DataFrame
    kinds: npt.NDArray[np.object_]
    language: npt.NDArray[np.object_]
    of: Ints
    jaccard: npt.NDArray[np.float32]
    containment: npt.NDArray[np.float32]
    shared: npt.NDArray[np.int32]
    detail: npt.NDArray[np.object_]

    def at(self, kind: str) -> Ints:
        return np.flatnonzero(self.kinds == kind)

    def put(self, rows: Ints, **columns: Any) -> None:
        """Set columns of ``songs`` at some rows."""
        if len(rows):
            new = {name: self.songs[name].scatter(rows, pl.Series(values)) for name, values in columns.items()}
            self.songs = self.songs.with_columns(**new)


class Chunks:
    """Makes the chunks of one table, which must be asked for in order.

    Parameters
    ----------
    seed, artists
        As in `benchmarks/generate.py`.
    shares
        Share of each kind of `PLANTED`.
    layout
        A key of `LAYOUTS`.
    """

    def __init__(self, seed: int, artists: int, shares: dict[str, float], layout: str) -> None:
        self._seed = seed
        self._layout = LAYOUTS[layout]
        self._kinds = np.array([*shares, "song"], object)
        self._chances = np.array([*shares.values(), 1 - min(sum(shares.values()), 1.0)])
        self._vocabulary = english()
        self._artists = make_artists(np.random.default_rng([seed, 0]), artists, self._vocabulary)
        self._words = pl.Series([word for word in self._vocabulary.contents if len(word) > 3])
        self._pool: pl.DataFrame | None = None

    def make(self, number: int, first_row: int, count: int) -> Chunk:
        """Return chunk ``number`` (from 0): ``count`` rows, of which the first has the number ``first_row``."""
        rng = np.random.default_rng([self._seed, 1, number])
        draft = self._songs(rng, first_row, count)
        own = draft.songs["lyrics"]
        self._copies(rng, draft)
        self._medleys(rng, draft)
        self._keep(rng, draft)
        for plant in (self._exact, self._near, self._covers, self._debris, self._without_songs, self._invalid):
            plant(rng, draft)
        self._excerpts(rng, draft)
        self._extended(rng, draft, own)
        faults = {int(at): (MORE, FEWER)[int(rng.integers(2))] for at in draft.at("malformed")}
        for at, fault in faults.items():
            draft.detail[at] = fault
        language = _strings(draft.language)
        named = draft.songs.with_columns(
            artist=_strings(self._artists.names[draft.songs["artist"]]),
            genre=_strings(np.array(GENRES, object)[draft.songs["genre"]]),
            language=language,
        )
        return Chunk(self._layout(rng, named), _truth(draft, language), faults)

    def _songs(self, rng: np.random.Generator, first_row: int, count: int) -> _Draft:
        """Draw everything anew: a song for each row, in English or, where that is planted, another language."""
        artist = self._artists.pick(rng, count)
        genre = self._artists.genres[artist]
        other = rng.random(count) < OTHER_GENRE
        genre = np.where(other, rng.choice(len(GENRES), count, p=SHARES), genre)
        asked = Songs(
            words=np.clip(WORDS[genre] * rng.lognormal(0, _SPREAD, count), 40, 1800).astype(np.int64),
            slots=SLOTS[genre],
            artist=artist,
            signal=(256 * rng.beta(*SIGNAL, count)).astype(np.int64),
            habit=self._artists.habits[artist],
            headed=rng.choice(len(_HEADED), count, p=_HEADED),
        )
        kinds = rng.choice(self._kinds, count, p=self._chances)
        songs = pl.DataFrame(
            {
                "row": np.arange(first_row, first_row + count),
                "artist": artist,
                "genre": genre,
                "year": np.clip(rng.normal(2008, 13, count), 1955, 2025).astype(np.int32),
                "title": titles(rng, self._vocabulary, self._artists.tables, asked),
                "lyrics": sing(rng, self._vocabulary, self._artists.tables, asked),
            }
        )
        nothing, language = np.full(count, None, object), np.full(count, "en", object)
        draft = _Draft(
            songs,
            kinds,
            language,
            np.full(count, -1),
            *np.full((2, count), np.nan, np.float32),
            np.zeros(count, np.int32),
            nothing,
        )
        codes = rng.choice(list(FOREIGN), count)
        for code in FOREIGN:
            rows = np.flatnonzero((draft.kinds == "foreign") & (codes == code))
            if len(rows):
                words = foreign(code)
                tables, some = even_tables(words, self._artists), _some(asked, rows)
                draft.put(rows, title=titles(rng, words, tables, some), lyrics=sing(rng, words, tables, some))
            draft.language[rows] = code
        return draft

    def _copies(self, rng: np.random.Generator, draft: _Draft) -> None:
        """Find an original for each copy and put it in its place; a copy with no song before it becomes a song."""
        copies = np.flatnonzero(np.isin(draft.kinds, ["exact", "near", "cover", "excerpt", "extended"]))
        own = draft.at("song")
        before = np.searchsorted(own, copies)
        pooled = 0 if self._pool is None else len(self._pool)
        near = (before > 0) & ((rng.random(len(copies)) < 0.5) | (pooled == 0))
        draft.kinds[copies[~near & (pooled == 0)]] = "song"
        found = near | (pooled > 0)
        copies, before, near = copies[found], before[found], near[found]
        if not len(copies):
            return
        place = rng.random(len(copies))
        inside = own[(place * before).astype(np.int64).clip(max=max(len(own) - 1, 0))] if len(own) else before
        source = np.where(near, pooled + inside, (place * pooled).astype(np.int64))
        everything = draft.songs if self._pool is None else pl.concat([self._pool, draft.songs])
        originals = everything[source]
        draft.of[copies] = originals["row"]
        draft.put(copies, **{name: originals[name] for name in ("artist", "genre", "year", "title", "lyrics")})

    def _keep(self, rng: np.random.Generator, draft: _Draft) -> None:
        """Put some of the songs of this chunk into the pool."""
        own = draft.at("song")
        room = _RENEWED if self._pool is not None and len(self._pool) == _POOL else _POOL
        new = draft.songs[np.sort(rng.choice(own, min(len(own), room), replace=False))]
        old = self._pool
        if old is not None:
            stay = np.sort(rng.choice(len(old), min(len(old), _POOL - len(new)), replace=False))
            new = pl.concat([old[stay], new])
        # a copy through Arrow's plain layout: views would hold the text of every chunk in memory
        self._pool = new.with_columns(_compact(new["title"]), _compact(new["lyrics"]))

    def _exact(self, rng: np.random.Generator, draft: _Draft) -> None:
        rows = draft.at("exact")
        dress = rng.integers(0, len(DRESSES), len(rows))
        text = draft.songs["lyrics"].gather(rows)
        text = text.zip_with(pl.Series(dress != 1), text.str.to_uppercase())
        text = text.zip_with(pl.Series(dress != 2), text.str.replace_all("\n", "\n\n", literal=True))
        draft.put(rows, lyrics=text)
        draft.detail[rows] = np.array(DRESSES, object)[dress]
        draft.jaccard[rows] = 1.0
        self._surround(rng, draft, rows[dress == 3], lambda kind: f"debris: {kind}")

    def _near(self, rng: np.random.Generator, draft: _Draft) -> None:
        rows = draft.at("near")
        self._change(rng, draft, rows)
        edition = np.array(EDITIONS, object)[rng.integers(0, len(EDITIONS), len(rows))]
        draft.put(rows, title=draft.songs["title"].gather(rows) + _strings(edition))

    def _covers(self, rng: np.random.Generator, draft: _Draft) -> None:
        """Give covers another artist, that artist's genre and a later year; about one in eight keeps every word."""
        rows = draft.at("cover")
        changing = rng.random(len(rows)) < 7 / 8
        draft.jaccard[rows] = 1.0
        draft.detail[rows] = "every word kept"
        self._change(rng, draft, rows[changing])
        artist = self._artists.pick(rng, len(rows))
        same = artist == draft.songs["artist"].gather(rows).to_numpy()
        artist = np.where(same, (artist + 1) % len(self._artists.names), artist)
        year = draft.songs["year"].gather(rows) + pl.Series(rng.integers(1, 20, len(rows)), dtype=pl.Int32)
        draft.put(rows, artist=artist, genre=self._artists.genres[artist], year=year)

    def _change(self, rng: np.random.Generator, draft: _Draft, rows: Ints) -> None:
        """Change words of the songs in ``rows`` and record how like they still are."""
        text = draft.songs["lyrics"].gather(rows)
        amounts = rng.choice(AMOUNTS, len(rows))
        other = changed(rng, text, amounts, self._words)
        draft.jaccard[rows] = jaccard(text, other)
        draft.detail[rows] = [f"{amount:.0%} of words changed" if amount else "one word changed" for amount in amounts]
        draft.put(rows, lyrics=other)

    def _excerpts(self, rng: np.random.Generator, draft: _Draft) -> None:
        rows = draft.at("excerpt")
        whole = draft.songs["lyrics"].gather(rows)
        self._contain(rng, draft, rows, whole, parts(rng, whole, 0.3, 0.7), " (Snippet)")

    def _extended(self, rng: np.random.Generator, draft: _Draft, own: pl.Series) -> None:
        """Put the song that each row would have had after the original, or before it."""
        rows = draft.at("extended")
        original, further = draft.songs["lyrics"].gather(rows), own.gather(rows)
        after = pl.Series(rng.random(len(rows)) < 0.5)
        longer = (original + "\n\n" + further).zip_with(after, further + "\n\n" + original)
        self._contain(rng, draft, rows, original, longer, " (Extended Version)")

    def _contain(
        self, rng: np.random.Generator, draft: _Draft, rows: Ints, original: pl.Series, other: pl.Series, edition: str
    ) -> None:
        """Write other versions of songs, some with words changed, and record how much of the shorter is in both."""
        amounts = rng.choice(EDITS, len(rows))
        edited = np.flatnonzero(amounts > 0)
        if len(edited):
            other = other.scatter(edited, changed(rng, other.gather(edited), amounts[edited], self._words))
        draft.jaccard[rows], draft.containment[rows], draft.shared[rows] = likeness(original, other)
        draft.detail[rows] = [f"{amount:.0%} of words changed" for amount in amounts]
        draft.put(rows, lyrics=other, title=draft.songs["title"].gather(rows) + edition)

    def _medleys(self, rng: np.random.Generator, draft: _Draft) -> None:
        """Put lines of three to five earlier songs one after the other; ``of`` is the first, ``detail`` has the rows of all."""
        own = draft.at("song")
        for row in draft.at("medley"):
            before = draft.songs[own[own < row]] if self._pool is None else self._pool
            if len(before) < 5:
                draft.kinds[row] = "song"
                continue
            whole = before[np.sort(rng.choice(len(before), int(rng.integers(3, 6)), replace=False))]
            lines = parts(rng, whole["lyrics"], 0.6, 1.0)
            medley = pl.Series(["\n\n".join(lines)] * len(whole))
            found, contained, shared = likeness(whole["lyrics"], medley)
            draft.shared[row] = shared.min()
            draft.of[row], draft.jaccard[row], draft.containment[row] = whole["row"][0], found.max(), contained.min()
            draft.detail[row] = "rows " + " ".join(map(str, whole["row"]))
            draft.put(np.array([row]), lyrics=medley[:1], title=pl.Series([f"Medley of {len(whole)}"]))

    def _debris(self, rng: np.random.Generator, draft: _Draft) -> None:
        self._surround(rng, draft, draft.at("debris"), lambda kind: kind)

    def _surround(self, rng: np.random.Generator, draft: _Draft, rows: Ints, describe: Callable[[str], str]) -> None:
        """Put each of the songs in ``rows`` between the debris of a site."""
        kinds = rng.choice(list(DEBRIS), len(rows))
        numbers = rng.integers(2, 90, len(rows))
        some = draft.songs[rows]
        names = self._artists.names[some["artist"]]
        lyrics = []
        for text, title, name, kind, number in zip(some["lyrics"], some["title"], names, kinds, numbers, strict=True):
            lyrics.append(DEBRIS[kind](text, title, name, int(number)))
        draft.put(rows, lyrics=pl.Series(lyrics, dtype=pl.String))
        draft.detail[rows] = [describe(kind) for kind in kinds]

    def _without_songs(self, rng: np.random.Generator, draft: _Draft) -> None:
        for kind, texts in (("instrumental", INSTRUMENTAL), ("empty", EMPTY), ("short", SHORT)):
            rows = draft.at(kind)
            words = self._words.gather(rng.integers(0, len(self._words), 2 * len(rows))).to_list()
            chosen = rng.integers(0, len(texts), len(rows))
            lyrics = [texts[at].format(*two) for at, *two in zip(chosen, words[0::2], words[1::2], strict=True)]
            draft.put(rows, lyrics=pl.Series(lyrics, dtype=pl.String))
            draft.language[rows] = None

    def _invalid(self, rng: np.random.Generator, draft: _Draft) -> None:
        rows = draft.at("invalid-utf8")
        text = draft.songs["lyrics"].gather(rows)
        draft.put(rows, lyrics=text.str.replace(r"e", INVALID, literal=True))


def _strings(values: npt.NDArray[np.object_]) -> pl.Series:
    return pl.Series(values.tolist(), dtype=pl.String)


def _compact(text: pl.Series) -> pl.Series:
    return pl.Series(text.name, text.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _some(songs: Songs, rows: Ints) -> Songs:
    return Songs(**{name: values[rows] for name, values in vars(songs).items()})


def _truth(draft: _Draft, language: pl.Series) -> pl.DataFrame:
    """Return the record of the planted rows."""
    every = pl.DataFrame(
        {
            "row": draft.songs["row"],
            "kind": _strings(draft.kinds),
            "of": draft.of,
            "language": language,
            "jaccard": draft.jaccard,
            "containment": draft.containment,
            "shared": draft.shared,
            "detail": _strings(draft.detail),
        },
        schema=TRUTH_SCHEMA,
    )
    unknown = every["of"] < 0
    every = every.with_columns(
        of=pl.when(~unknown).then(pl.col("of")),
        jaccard=pl.when(~unknown).then(pl.col("jaccard")),
        containment=pl.col("containment").fill_nan(None),
    )
    gone = pl.col("kind") == "malformed"
    return every.filter(pl.col("kind") != "song").with_columns(language=pl.when(~gone).then(pl.col("language")))
