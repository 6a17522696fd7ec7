"""Songs and words of a corpus, looked up where they are stored: a search, the page of one song, similar songs and related words.

Whatever the size of the corpus, a search streams over its files and keeps one page of rows. Related words are counted on a
sample of the training songs: two words are related in use if they are in one line more often than chance (positive pointwise
mutual information, discounted for rare events: Pantel and Lin, "Discovering word senses from text", 2002), and similar in
meaning if they have the same neighbours (cosine of these rows).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, unreadable
from lyrist.text import WORD_PATTERN, key, words

PAGE = 25
"""Default number of songs on a page of results."""
FEATURES = ("id", "title", "artist", "genre", "year", "language")
LISTED = 300
"""Genres and artists that `common` returns: those with the most songs."""
SAMPLE = 10_000
"""Training songs on which related words are counted, and among which similar songs are found."""
VOCABULARY = 8_000
"""Most frequent words among which related words are found."""
WINDOW = 5
"""Words of a line that count as neighbours on each side."""
LEAST = 3
"""Occurrences below which a word has no related words."""


@dataclass(frozen=True)
class Found:
    """A page of songs."""

    songs: list[dict[str, Any]]
    """Each with `FEATURES` and ``line``: the line of the lyrics that contains the search text, or empty."""
    start: int
    more: bool
    """Whether other songs follow."""


def search(
    corpus: Corpus,
    text: str = "",
    *,
    genre: str = "",
    artist: str = "",
    lyrics: bool = True,
    start: int = 0,
    limit: int = PAGE,
) -> Found:
    """Return a page of the songs with a text in their title, their artist's name or (``lyrics``) their lyrics.

    Parameters
    ----------
    corpus
        The corpus.
    text
        Looked for as it is, in any case; empty: all songs.
    genre, artist
        Only songs of these; empty: of all.
    lyrics
        Search in the lyrics too.
    start
        Number of results to skip.
    limit
        Maximum songs of the page.
    """
    text = " ".join(text.split())[:200]
    pattern = "(?i)" + pl.escape_regex(text)
    frame = corpus.scan()
    for column, value in (("genre", genre), ("artist", artist)):
        frame = frame.filter(pl.col(column) == value) if value else frame
    places = ["title", "artist", *(["lyrics"] if lyrics else [])]
    if text:
        frame = frame.filter(
            pl.any_horizontal(pl.col(place).str.contains(pattern).fill_null(False) for place in places)
        )
    line = pl.col("lyrics").str.extract(rf"(?m)^(.*{pattern}.*)$", 1) if text and lyrics else pl.lit("")
    page = frame.slice(max(start, 0), limit + 1).select(*FEATURES, line=line.fill_null("").str.slice(0, 240))
    songs = _read(corpus, page).to_dicts()
    return Found(songs[:limit], start, len(songs) > limit)


def song(corpus: Corpus, number: int) -> dict[str, Any] | None:
    """Return the page of a song: all its columns, ``split``, ``copies`` and ``contained``; None if its id does not exist.

    ``copies`` are the other songs of its near-duplicate cluster, dropped ones included; ``contained`` the pairs in which one
    of both contains the other (``within``: whether this song is the contained one).
    """
    frame = _read(corpus, corpus.scan().filter(pl.col("id") == number).head(1))
    if frame.is_empty():
        return None
    clusters = corpus.duplicates
    own = clusters.filter(pl.col("id") == number)["cluster"].to_list()
    copies = clusters.filter(pl.col("cluster").is_in(own) & (pl.col("id") != number)).head(100)
    pairs = corpus.contained.filter((pl.col("id") == number) | (pl.col("within") == number)).head(100)
    return {
        **frame.to_dicts()[0],
        "copies": copies.select("id", "title", "artist", "kind", "jaccard", "split").to_dicts(),
        "contained": [_other(pair, number) for pair in pairs.iter_rows(named=True)],
    }


def _other(pair: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the other song of a pair of which one contains the other."""
    inside = pair["id"] == number
    before = "within_" if inside else ""
    return {
        "id": pair["within"] if inside else pair["id"], "within": inside, "containment": pair["containment"],
        **{name: pair[before + name] for name in ("title", "artist", "split")},
    }  # fmt: skip


def common(corpus: Corpus, column: str) -> list[tuple[str, int]]:
    """Return the most frequent values of a column with their numbers of songs."""
    counted = corpus.scan().filter(pl.col(column).is_not_null()).group_by(column).len()
    frame = _read(corpus, counted.sort(["len", column], descending=[True, False]).head(LISTED))
    return [(str(name), int(count)) for name, count in frame.iter_rows()]


def _read(corpus: Corpus, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except unreadable() as error:
        raise LyristError(f"A file of the corpus {corpus.path} is damaged or missing; prepare it again.") from error


# Related words.


class RelatedWords:
    """Words of a corpus that are used together, and words that are used alike."""

    def __init__(self, lyrics: Iterable[pl.Series]) -> None:
        """Count neighbours in blocks of lyrics; a line that a song repeats counts once."""
        lines = pl.concat(
            [pl.Series("lyrics", [], dtype=pl.String).to_frame(), *(block.to_frame("lyrics") for block in lyrics)]
        )
        split = lines.with_row_index("song").with_columns(pl.col("lyrics").str.to_lowercase().str.split("\n"))
        split = split.explode("lyrics", empty_as_null=True).unique(["song", "lyrics"], maintain_order=True)
        tokens = split.select(word=pl.col("lyrics").str.extract_all(WORD_PATTERN)).with_row_index("line")
        tokens = (
            tokens.explode("word", empty_as_null=True)
            .drop_nulls()
            .with_columns(pl.col("word").str.replace_all("’", "'"))
        )
        counts = tokens["word"].value_counts().filter(pl.col("count") >= LEAST)
        counts = counts.sort(["count", "word"], descending=[True, False]).head(VOCABULARY)
        self.words: list[str] = counts["word"].to_list()
        self._places = {word: place for place, word in enumerate(self.words)}
        kept = tokens.join(counts.select("word").with_row_index("place"), on="word", how="left", maintain_order="left")
        places = kept["place"].cast(pl.Int64).fill_null(-1).to_numpy()
        self._weights = _associations(places, kept["line"].to_numpy(), len(self.words))

    @classmethod
    def of(cls, corpus: Corpus) -> RelatedWords:
        """Count the neighbours in a sample of the training songs, which are in random order."""

        def blocks() -> Iterable[pl.Series]:
            left = SAMPLE
            for batch in corpus.batches("train", ["lyrics"]):
                yield batch["lyrics"].head(left)
                left -= len(batch)
                if left <= 0:
                    return

        return cls(blocks())

    def together(self, word: str, limit: int = 20) -> list[str]:
        """Return the words that are most strongly associated with a word in a line."""
        place = self._place(word)
        if place is None:
            return []
        return self._best(self._weights[[place]].toarray()[0], place, limit)

    def similar(self, word: str, limit: int = 20) -> list[str]:
        """Return the words whose neighbours are most like those of a word."""
        place = self._place(word)
        if place is None:
            return []
        lengths = np.sqrt(self._weights.multiply(self._weights).sum(axis=1)).ravel()
        row = self._weights @ self._weights[[place]].toarray()[0] / np.maximum(lengths, 1e-12)
        return self._best(row, place, limit)

    def _place(self, word: str) -> int | None:
        found = words(word)
        return self._places.get(found[0]) if len(found) == 1 else None

    def _best(self, row: Any, place: int, limit: int) -> list[str]:
        same = key(self.words[place])
        best = [int(each) for each in np.argsort(-row, kind="stable")[: limit + 1] if row[each] > 0]
        return [self.words[each] for each in best if key(self.words[each]) != same][:limit]


def _associations(places: Any, lines: Any, size: int) -> Any:
    """Return the discounted positive mutual information of neighbours, sparse (size, size)."""
    from scipy import sparse

    pairs = [np.zeros(0, np.int64)]
    for apart in range(1, WINDOW + 1):
        first, second = places[:-apart], places[apart:]
        near = (lines[:-apart] == lines[apart:]) & (first >= 0) & (second >= 0) & (first != second)
        pairs.append(first[near] * size + second[near])
    codes, found = np.unique(np.concatenate(pairs), return_counts=True)
    one_way = sparse.csr_array((found.astype(np.float64), (codes // max(size, 1), codes % max(size, 1))), (size, size))
    counts = (one_way + one_way.T).tocoo()
    sums = np.asarray(counts.sum(axis=1)).ravel()
    row, column = counts.coords
    information = np.log(counts.data * sums.sum() / (sums[row] * sums[column]))
    rarer = np.minimum(sums[row], sums[column])
    discount = counts.data / (counts.data + 1) * rarer / (rarer + 1)
    weights = sparse.csr_array((np.maximum(information, 0) * discount, (row, column)), (size, size))
    weights.eliminate_zeros()
    return weights


# Similar songs.


class SimilarSongs:
    """Songs that use the same words: the cosine of their words, weighted by how rare each is (TF-IDF)."""

    def __init__(self, songs: pl.DataFrame) -> None:
        """Weigh the words of songs with ``id``, ``title``, ``artist`` and ``lyrics``."""
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        self._songs = songs.select("id", "title", "artist")
        self._counts: Any = HashingVectorizer(analyzer=words, n_features=2**18, alternate_sign=False, norm=None)
        self._weights: Any = TfidfTransformer(sublinear_tf=True)
        self._rows = self._weights.fit_transform(self._counts.transform(songs["lyrics"]))

    @classmethod
    def of(cls, corpus: Corpus) -> SimilarSongs:
        """Weigh the words of a sample of the training songs, which are in random order."""
        frame = corpus.scan("train").head(SAMPLE)
        return cls(_read(corpus, frame.select("id", "title", "artist", "lyrics")))

    def to(self, lyrics: str, limit: int = 10, but: Collection[int] = ()) -> list[dict[str, Any]]:
        """Return the most similar songs with their ``similarity``, without those of the ids ``but``."""
        row = self._weights.transform(self._counts.transform([lyrics]))
        likeness = (self._rows @ row.T).toarray()[:, 0]
        best = [int(place) for place in np.argsort(-likeness, kind="stable")[: limit + len(but)] if likeness[place] > 0]
        found = [{**self._songs.row(place, named=True), "similarity": float(likeness[place])} for place in best]
        return [each for each in found if each["id"] not in but][:limit]
