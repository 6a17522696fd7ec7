"""Whose words are these? How much of what was written stands in the songs that were learnt from, and in which.

A writer can reach any figure by reciting. So what it writes is looked up word by word: the share of its phrases of 4 to 12
words that stand in a training song, and the longest run of words that does, with the song named. Real songs that nobody
trained on share phrases with the training songs too; `originality` gives their figures as the measure of what is usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lyrist import files, progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.evaluation.hashedwords import BREAK, Hashes, hashed_words, plain
from lyrist.evaluation.hashedwords import places as places_of
from lyrist.evaluation.phrases import LONGEST, SHORTEST, Phrases, write_order
from lyrist.metrics.intervals import bootstrap_mean, bootstrap_ratio

FORMAT = 1
LENGTHS = tuple(range(SHORTEST, LONGEST + 1))
"""Words of the phrases whose share is told."""

FOLDER = "phrases"
MARKER = "index.json"
COLUMNS = ("id", "title", "artist", "lyrics")

_EQUALS = 2_000  # places that are followed of one phrase of twelve words; "la la la" may have more


@dataclass(frozen=True)
class Song:
    """A song that words were found in."""

    id: int
    title: str
    artist: str


@dataclass(frozen=True)
class Copied:
    """What of a text stands in the training songs."""

    count: int
    """Words of the text."""
    longest_run: int
    """Words of the longest run that stands in one song; 0 where there is none of four."""
    words: str
    """That run, in plain words."""
    song: Song | None
    """The song, or one of several."""
    shares: dict[int, float]
    """By n, 4 to 12: the share of the text's runs of n words that stand in some song, 0 to 1."""
    found: dict[int, int]
    """By n: how many they are."""
    runs: dict[int, int]
    """By n: how many runs of n words the text has."""


@dataclass(frozen=True)
class Passage:
    """A run of words of a text that stands in a training song."""

    start: int
    end: int
    """Its first character in the text, and the one after its last."""
    words: int
    song: Song
    """The song, or one of several."""


class Index:
    """The words of the training songs, on disk, ready to be searched; made by `build`, `of` or `open`."""

    def __init__(self, folder: Path, info: dict[str, Any], phrases: Phrases, starts: NDArray[np.int64]) -> None:
        self.folder, self.info = folder, info
        self._phrases, self._starts = phrases, starts

    @classmethod
    def of(cls, corpus: Corpus, folder: Path | None = None) -> Index:
        """Return the index of a corpus's training songs: the one in ``folder`` if it is of this corpus, else a new one.

        Parameters
        ----------
        corpus
            The corpus that the writer learnt from.
        folder
            Where the index stands; by default ``phrases`` in the corpus.
        """
        folder = folder or corpus.path / FOLDER
        if (folder / MARKER).is_file():
            found = cls.open(folder)
            if found.info["fingerprint"] == corpus.fingerprint:
                return found
        total = int(corpus.info["counts"]["splits"].get("train", 0))
        return cls.build(corpus.batches("train", COLUMNS), folder, fingerprint=corpus.fingerprint, total=total)

    @classmethod
    def build(
        cls, songs: Iterable[pl.DataFrame], folder: Path | str, *, fingerprint: str = "", total: int | None = None
    ) -> Index:
        """Index songs, which come as frames with the columns id, title, artist and lyrics, and write it to ``folder``.

        Takes some 9 bytes a word on disk, 13 while it is made, and under a gigabyte of memory however many songs there are.

        Raises
        ------
        LyristError
            The folder holds something else or cannot be written.
        """
        folder = Path(folder)
        with files.staged(folder, marker=MARKER) as building, files.explained(building):
            length, count = _write_words(building, songs, total)
            with progress.task("sorting phrases", "words") as advance:
                write_order(building, _mapped(building / "words.u32", np.uint32), length)
                advance(length, length)
            info = {"format": FORMAT, "fingerprint": fingerprint, "songs": count, "words": length - count}
            files.write_json(building / MARKER, info)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """Open the index in ``folder``.

        Raises
        ------
        LyristError
            It is not there, damaged, or of another format.
        """
        folder = Path(folder)
        info = files.read_json(folder / MARKER, "an index of phrases")
        if not isinstance(info, dict) or info.get("format") != FORMAT:
            raise LyristError(f"{folder} is an index of another format; remove it, and it will be made again.")
        wide = (folder / "order.i64").is_file()
        try:
            words = _mapped(folder / "words.u32", np.uint32)
            order = _mapped(folder / f"order.{'i64' if wide else 'u32'}", np.int64 if wide else np.uint32)
            buckets, starts = (_mapped(folder / name, np.int64) for name in ("buckets.i64", "starts.i64"))
        except (OSError, ValueError) as error:
            raise LyristError(f"{folder} is damaged ({error}); remove it, and it will be made again.") from error
        whole = len(words) == info["words"] + info["songs"] + LONGEST and len(starts) == info["songs"] + 1
        if not whole or not len(buckets) or buckets[-1] != len(order):
            raise LyristError(f"{folder} is damaged (a file is too short); remove it, and it will be made again.")
        return cls(folder, info, Phrases(words, order, buckets), starts)

    def copied(self, text: str) -> Copied:
        """Return what of a text stands in the training songs."""
        return self.copied_all([text])[0]

    def copied_all(self, texts: Sequence[str]) -> list[Copied]:
        """Return what of each text stands in the training songs; faster than one by one."""
        lyrics = pl.Series(list(texts), dtype=pl.String)
        words, starts = hashed_words(lyrics)
        lengths, runs, places = self._search(words)
        return [
            self._told(text, lengths[start : end - 1], runs[start : end - 1], places[start : end - 1])
            for text, start, end in zip(texts, starts[:-1], starts[1:], strict=True)
        ]

    def passages(self, text: str, least: int = 5, most: int = 50) -> list[Passage]:
        """Return the runs of at least ``least`` words that stand in a training song, in the order of the text.

        Of runs that overlap the longest is told; of more than ``most`` the longest.
        """
        spans = places_of(text)
        _, runs, places = self._search(hashed_words(pl.Series([text], dtype=pl.String))[0])
        taken = np.zeros(len(spans), dtype=bool)
        found: list[Passage] = []
        for first in np.argsort(-runs[: len(spans)], kind="stable").tolist():
            last = first + int(runs[first])
            if last - first < max(least, SHORTEST) or len(found) == most:
                break
            if last <= len(spans) and not taken[first:last].any():
                taken[first:last] = True
                found.append(Passage(spans[first][0], spans[last - 1][1], last - first, self._song(int(places[first]))))
        return sorted(found, key=lambda each: each.start)

    def extends(self, words: str | Sequence[str]) -> int:
        """Return how many words of the longest run in ``words`` stand in one training song; 0 where there is none of four.

        For looking at a line while a song is written: give the last words before it (as many as a run may have) and the
        line itself.
        """
        return self.extends_all([words if isinstance(words, str) else " ".join(words)])[0]

    def extends_all(self, texts: Sequence[str]) -> list[int]:
        """Return `extends` of each text; many candidates for a line take little longer than one."""
        words, starts = hashed_words(pl.Series(list(texts), dtype=pl.String))
        runs = self._search(words)[1]
        return [int(runs[start:end].max(initial=0)) for start, end in pairwise(starts)]

    def _search(self, words: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return for each place in ``words``: the match up to twelve words, the whole run, and where it stands."""
        padded = np.append(words, np.full(LONGEST, BREAK, dtype=np.uint32))
        windows = np.lib.stride_tricks.sliding_window_view(padded, LONGEST)[: len(words)]
        lengths, places = (np.zeros(len(words), dtype=np.int64) for _ in range(2))
        phrases = np.flatnonzero((windows[:, :SHORTEST] != BREAK).all(axis=1))
        lengths[phrases], places[phrases] = self._phrases.longest(windows[phrases])
        runs = lengths.copy()
        long = np.flatnonzero(lengths == LONGEST)
        if len(long):
            runs[long], places[long] = self._followed(padded, windows, long)
        return lengths, runs, places

    def _followed(
        self, words: Hashes, windows: Hashes, long: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how far the runs of at least twelve words go on, at the best of all places, and that place."""
        first, last = self._phrases.find(windows[long]), self._phrases.find(windows[long], after=True)
        counts = np.minimum(last - first, _EQUALS)
        which = np.repeat(np.arange(len(long)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        theirs = self._phrases.order[np.repeat(first, counts) + within].astype(np.int64)
        reach = _reach(self._phrases.words, theirs, words, long[which])
        best = np.full(len(long), LONGEST)
        np.maximum.at(best, which, reach)
        at_best = np.flatnonzero(reach == best[which])[::-1]
        where = np.zeros(len(long), dtype=np.int64)
        where[which[at_best]] = theirs[at_best]  # reversed, so that the first of several stays
        return best, where

    def _told(
        self, text: str, lengths: NDArray[np.int64], runs: NDArray[np.int64], places: NDArray[np.int64]
    ) -> Copied:
        count = len(lengths)
        found = {n: int((lengths >= n).sum()) for n in LENGTHS}
        possible = {n: max(count - n + 1, 0) for n in LENGTHS}
        shares = {n: found[n] / possible[n] if possible[n] else 0.0 for n in LENGTHS}
        best = int(runs.argmax()) if count else 0
        longest = int(runs[best]) if count else 0
        if not longest:
            return Copied(count, 0, "", None, shares, found, possible)
        words = plain(pl.Series([text], dtype=pl.String))[0].split(" ")[best : best + longest]
        return Copied(count, longest, " ".join(words), self._song(int(places[best])), shares, found, possible)

    def _song(self, place: int) -> Song:
        """Return the song that the word at ``place`` belongs to."""
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        group = int(np.searchsorted(self._groups, number, side="right")) - 1
        with pq.ParquetFile(self.folder / "songs.parquet") as table:
            row = table.read_row_group(group).slice(number - self._groups[group], 1).to_pylist()[0]
        return Song(row["id"], row["title"] or "", row["artist"] or "")

    @cached_property
    def _groups(self) -> list[int]:
        """The number of the first song in each row group of ``songs.parquet``."""
        with pq.ParquetFile(self.folder / "songs.parquet") as table:
            sizes = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        return [0, *np.cumsum(sizes).tolist()]


def originality(index: Index, texts: Sequence[str]) -> dict[str, Any]:
    """Return how much of some texts stands in the training songs.

    Returns
    -------
    dict
        ``n`` texts; ``shares``: by the number of words ("4" to "12") the share of all runs that stand in a training song,
        with low and high of the 95% interval by a bootstrap over texts; ``longest_run``: its mean over texts with low and
        high, and the median; ``longest``: the longest of all, with its ``words`` and the song's id, title and artist.
    """
    if not texts:
        raise LyristError("There is no text whose words could be looked up.")
    found = index.copied_all(texts)
    longest = max(found, key=lambda each: each.longest_run)
    runs = np.array([each.longest_run for each in found], dtype=np.float64)
    low, high = bootstrap_mean(runs)
    song = longest.song
    named = {"id": song.id, "title": song.title, "artist": song.artist} if song else None
    return {
        "n": len(found),
        "shares": {str(n): _share(found, n) for n in LENGTHS},
        "longest_run": {"value": float(runs.mean()), "low": low, "high": high, "median": float(np.median(runs))},
        "longest": {"run": longest.longest_run, "words": longest.words, "song": named},
    }


def _share(found: Sequence[Copied], n: int) -> dict[str, float]:
    above = np.array([each.found[n] for each in found], dtype=np.float64)
    below = np.array([each.runs[n] for each in found], dtype=np.float64)
    some = below > 0  # a text too short for such a run says nothing
    if not some.any():
        return {"value": 0.0, "low": 0.0, "high": 1.0}
    low, high = bootstrap_ratio(above[some], below[some])
    return {"value": float(above.sum() / below.sum()), "low": low, "high": high}


def _reach(
    theirs: Hashes, their_places: NDArray[np.int64], ours: Hashes, our_places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many words agree from each pair of places on, given that twelve do."""
    reach = np.full(len(their_places), LONGEST, dtype=np.int64)
    going = np.arange(len(reach))
    while len(going):
        word = ours[our_places[going] + reach[going]]
        same = (theirs[their_places[going] + reach[going]] == word) & (word != BREAK)
        going = going[same]
        reach[going] += 1
    return reach


def _write_words(folder: Path, songs: Iterable[pl.DataFrame], total: int | None) -> tuple[int, int]:
    """Write the words, the starts and the names of all songs; return how many words and songs these are."""
    words = count = 0
    with (folder / "words.u32").open("wb") as out, (folder / "starts.i64").open("wb") as begins:
        names: pq.ParquetWriter | None = None
        with progress.task("indexing words") as advance:
            for frame in _sliced(songs):
                hashed, starts = hashed_words(frame["lyrics"])
                hashed.tofile(out)
                (starts[:-1] + words).tofile(begins)
                table = frame.select(pl.col("id").cast(pl.Int64), pl.col("title", "artist").cast(pl.String)).to_arrow()
                names = names or pq.ParquetWriter(folder / "songs.parquet", table.schema)
                names.write_table(table)
                words, count = words + len(hashed), count + len(frame)
                advance(count, total)
        if names is None:
            raise LyristError("There is no song to index; prepare the corpus with a larger share for training.")
        names.close()
        np.full(LONGEST, BREAK, dtype=np.uint32).tofile(out)
        np.array([words], dtype=np.int64).tofile(begins)
    return words, count


def _sliced(songs: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in songs:
        yield from frame.iter_slices(1_024)  # so few that what is computed of them stays in the cache


def _mapped(path: Path, kind: Any) -> NDArray[Any]:
    return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.zeros(0, dtype=kind)
