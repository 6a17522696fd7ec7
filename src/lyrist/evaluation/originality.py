"""How much of a text was copied from the training songs, and from which.

A language model that repeats its training songs can reach a low perplexity. `originality` therefore looks every generated
text up: the share of its phrases of 4 to 12 words that occur in a training song, and the longest run of words that does,
with the song named. Held-out songs share phrases with the training songs too, so their figures serve as the reference.

The index is a suffix array (Manber and Myers 1993) cut off at twelve words. The first four words of a phrase are compared
as one hash. Phrases that share their first n words (n from 4 to 12) are neighbours in the sorted order, so the longest match
of a text is at one of the two neighbours of its insertion point. The result is exact, however often a phrase occurs. All
look-ups of a text run together as array operations on memory-mapped files:

words.u32      the words of all songs as 32-bit hashes, with a separator after each song
order.u32|i64  the positions at which a phrase of four words begins, sorted by these words and the eight that follow
buckets.i64    where in ``order`` the phrases begin whose key has the same first bits
starts.i64     where each song begins in ``words``

Words are hashed without a vocabulary, so the same word has the same number in any corpus. Case, punctuation, layout and
apostrophes are ignored (``Don't`` and ``dont`` are one word), because a copy with other commas is still a copy. Two different
words have the same hash once in four thousand million pairs; a wrong match of four words would need that beside three words
that truly agree.
"""

from __future__ import annotations

import math
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
from lyrist.corpus.shingles import UNSPACED, normalised, spaced
from lyrist.errors import LyristError
from lyrist.metrics.intervals import bootstrap_mean, bootstrap_ratio

Hashes = NDArray[np.uint32]

BREAK = 0
"""Separator after each text; no word has this hash."""

_LETTER_PLACES = 64
_LETTER_FACTORS = np.random.default_rng(20_240_917).integers(1, 2**64, _LETTER_PLACES, dtype=np.uint64) | np.uint64(1)
_LETTER_MIX = np.uint64(0xFF51AFD7ED558CCD)

SHORTEST, LONGEST = 4, 12
"""Words of the shortest phrase that is indexed, and of the longest that determines the sorted order."""

_PER_BUCKET = 16  # phrases, on average
_CHUNK = 1 << 21  # words
_PART = 1 << 21  # phrases that are sorted at once, some 400 MB
_AHEAD = np.arange(LONGEST)
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
_MIX = np.uint64(0xBF58476D1CE4E5B9)

Places = NDArray[np.int64]
Keys = NDArray[np.uint64]

FORMAT = 1
LENGTHS = tuple(range(SHORTEST, LONGEST + 1))
"""Words of the phrases whose share is reported."""

FOLDER = "phrases"
MARKER = "index.json"
COLUMNS = ("id", "title", "artist", "lyrics")

_EQUALS = 2_000  # occurrences of one phrase of twelve words that are extended; "la la la" may have more


# ------------------------------------------------------------------------------------------------------ words as hashes


def plain(lyrics: pl.Series) -> pl.Series:
    """Return the texts as words in lower case with one space between them, apostrophes left out."""
    return spaced(normalised(lyrics.str.replace_all("['’`]", "")))


def hashed_words(lyrics: pl.Series) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the words of n texts as 32-bit hashes.

    Returns
    -------
    words
        The words of all texts in sequence, with a `BREAK` after each text.
    starts
        Shape (n + 1,): where each text begins in ``words``, and the end.
    """
    texts = plain(lyrics)
    # The end of a text is a word of its own here (a line feed, which no normalised text contains), so it gets a position.
    joined = "".join(f"{text} \n " if text else "\n " for text in texts.to_list()).encode()
    letters = np.frombuffer(joined, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord(" "))
    begins = np.append(0, ends[:-1] + 1) if len(ends) else ends
    words = _word_hashes(letters, begins, ends)
    breaks = np.flatnonzero(letters[begins] == ord("\n")) if len(ends) else ends
    words[breaks] = BREAK
    return words, np.append(0, breaks + 1)


def _word_hashes(letters: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Hashes:
    """Return a multilinear hash of each word (Carter and Wegman 1979): letters times random factors by position."""
    if not len(ends):
        return np.zeros(0, dtype=np.uint32)
    place = np.arange(len(letters), dtype=np.int32) - np.repeat(begins.astype(np.int32), ends - begins + 1)
    sums = np.add.reduceat(letters * _LETTER_FACTORS[place & (_LETTER_PLACES - 1)], begins)
    mixed = (sums ^ (sums >> np.uint64(33))) * _LETTER_MIX
    return np.asarray(np.maximum((mixed >> np.uint64(32)).astype(np.uint32), 1), dtype=np.uint32)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the position of each word of `plain` in one text: its first character and the one after its last."""
    letters = list(text.lower() if len(text.lower()) == len(text) else map(str.lower, text))
    known = pl.Series(sorted(set(letters)), dtype=pl.String)
    word = set(known.filter(known.str.contains(r"^[\p{L}\p{N}]+$")).to_list())
    alone = set(known.filter(known.str.contains(f"{UNSPACED}$")).to_list())
    found: list[tuple[int, int]] = []
    start: int | None = None
    for place, letter in enumerate([*letters, " "]):
        if letter in word:
            start = place if start is None else start
            if letter in alone:
                found.append((start, place + 1))
                start = None
        elif letter not in "'’`" and start is not None:
            found.append((start, place))
            start = None
    return found


# --------------------------------------------------------------------------------------------------- the sorted phrases


def heads(windows: Hashes) -> Keys:
    """Return the hash of the first four words of each window, shape (m, at least 4) -> (m,)."""
    summed = windows[:, 0].astype(np.uint64) * _FACTORS[0]
    for place in range(1, SHORTEST):
        summed += windows[:, place].astype(np.uint64) * _FACTORS[place]
    mixed = (summed ^ (summed >> np.uint64(32))) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), dtype=np.uint64)


def keys(windows: Hashes) -> Keys:
    """Return the sort keys of windows of twelve words, shape (m, 12) -> (m, 5): the head, then two words per key."""
    pairs = windows[:, SHORTEST:].astype(np.uint64)
    return np.column_stack([heads(windows), (pairs[:, ::2] << np.uint64(32)) | pairs[:, 1::2]])


@dataclass(frozen=True)
class Phrases:
    """The files of an index, memory-mapped."""

    words: Hashes
    """Ends with twelve separators, so that every window is complete."""
    order: NDArray[Any]
    buckets: Places

    def windows(self, places: NDArray[Any]) -> Hashes:
        """Return the twelve words from each position on, shape (m,) -> (m, 12)."""
        return np.asarray(self.words[places.astype(np.int64)[:, None] + _AHEAD])

    def find(self, windows: Hashes, *, after: bool = False) -> Places:
        """Return the insertion point of each window in the order: before equal phrases, or after them."""
        wanted = keys(windows)
        bucket = (wanted[:, 0] >> np.uint64(64 - self._bits)).astype(np.int64) if self._bits else 0
        low = self.buckets[bucket] + np.zeros(len(windows), dtype=np.int64)
        high = self.buckets[np.asarray(bucket) + 1] + np.zeros(len(windows), dtype=np.int64)
        unresolved = np.flatnonzero(low < high)
        while len(unresolved):
            middle = (low[unresolved] + high[unresolved]) >> 1
            right = _precedes(keys(self.windows(self.order[middle])), wanted[unresolved], equal=after)
            low[unresolved[right]] = middle[right] + 1
            high[unresolved[~right]] = middle[~right]
            unresolved = unresolved[low[unresolved] < high[unresolved]]
        return low

    @property
    def _bits(self) -> int:
        return (len(self.buckets) - 1).bit_length() - 1

    def longest(self, windows: Hashes) -> tuple[NDArray[np.int64], Places]:
        """Return the length of the longest match of each window, 0 or 4 to 12 words, and one position of it."""
        found, where = np.zeros(len(windows), dtype=np.int64), np.zeros(len(windows), dtype=np.int64)
        if not len(self.order) or not len(windows):
            return found, where
        place = self.find(windows)
        for side in (place, place - 1):
            start = self.order[np.clip(side, 0, len(self.order) - 1)].astype(np.int64)
            length = agreeing(self.windows(start), windows)
            better = length > found
            found[better], where[better] = length[better], start[better]
        found[found < SHORTEST] = 0
        return found, where


def agreeing(theirs: Hashes, ours: Hashes) -> NDArray[np.int64]:
    """Return how many leading words of two windows agree, shapes (m, w) -> (m,)."""
    same = (theirs == ours) & (ours != BREAK)
    return np.asarray(np.where(same.all(axis=1), same.shape[1], same.argmin(axis=1)), dtype=np.int64)


def _precedes(left: Keys, right: Keys, *, equal: bool) -> NDArray[np.bool_]:
    """Return where a row of ``left`` sorts before that of ``right``, or is equal to it if ``equal``."""
    first = (left != right).argmax(axis=1)
    rows = np.arange(len(left))
    a, b = left[rows, first], right[rows, first]
    return np.asarray((a < b) | ((a == b) & equal), dtype=np.bool_)


def write_order(folder: Path, words: Hashes, total: int) -> None:
    """Sort the phrases of ``words`` and write ``order`` and ``buckets``, in parts that fit in memory.

    Parameters
    ----------
    folder
        The folder of ``words``; temporary files take about 4 bytes per word.
    words
        Memory-mapped, with twelve separators at the end.
    total
        The number of words before these separators.
    """
    kind = np.dtype(np.uint32 if total < 1 << 32 else np.int64)
    bits = max(0, int(math.log2(max(total, 1) / _PER_BUCKET))) if total > _PER_BUCKET else 0
    shift = max(0, math.ceil(math.log2(max(total, 1) / _PART)))
    parts = _partitioned(folder, words, total, shift, kind)
    counts = np.zeros(1 << bits, dtype=np.int64)
    with (folder / f"order.{'u32' if kind == np.uint32 else 'i64'}").open("wb") as out:
        for part in parts:
            places = np.fromfile(part, dtype=kind)
            part.unlink()
            ordered, head = _sorted(words, places)
            ordered.astype(kind).tofile(out)
            bucket = (head >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(head), dtype=np.int64)
            if len(bucket):
                first = int(bucket.min())
                tally = np.bincount(bucket - first)
                counts[first : first + len(tally)] += tally
    np.append(0, np.cumsum(counts)).tofile(folder / "buckets.i64")


def _partitioned(folder: Path, words: Hashes, total: int, shift: int, kind: np.dtype[Any]) -> list[Path]:
    """Write the positions of all phrases into ``2 ** shift`` files by the first bits of their keys."""
    paths = [folder / f".part-{number}" for number in range(1 << shift)]
    for path in paths:
        path.write_bytes(b"")
    for start, head, whole in _heads_of(words, total):
        places = np.flatnonzero(whole)
        part = (head[places] >> np.uint64(64 - shift)).astype(np.uint16) if shift else np.zeros(len(places), np.uint16)
        order = np.argsort(part, kind="stable")
        split = np.split((places[order] + start).astype(kind), np.cumsum(np.bincount(part, minlength=len(paths)))[:-1])
        for path, some in zip(paths, split, strict=True):
            with path.open("ab") as out:  # opened each time: a process cannot keep so many files open
                some.tofile(out)
    return paths


def _heads_of(words: Hashes, total: int) -> Iterator[tuple[int, Keys, NDArray[np.bool_]]]:
    """Yield for each chunk: its start, the head of each position, and whether all four words of it are words."""
    for start in range(0, total, _CHUNK):
        size = min(_CHUNK, total - start)
        chunk = np.asarray(words[start : start + size + SHORTEST - 1])
        four = np.lib.stride_tricks.sliding_window_view(chunk, SHORTEST)
        yield start, heads(four), (four != BREAK).all(axis=1)


def _sorted(words: Hashes, places: NDArray[Any]) -> tuple[NDArray[Any], Keys]:
    """Return the positions sorted by their keys (equal ones in the order of the songs), and their heads."""
    columns = keys(np.asarray(words[places.astype(np.int64)[:, None] + _AHEAD]))
    names = [f"key{number}" for number in range(columns.shape[1])]
    frame = pl.DataFrame({name: columns[:, number] for number, name in enumerate(names)}).with_columns(
        place=pl.Series(places)
    )
    del columns
    ordered = frame.sort([*names, "place"]).select("place", names[0])
    return ordered["place"].to_numpy(), ordered[names[0]].to_numpy()


# ------------------------------------------------------------------------------------------------ the index of a corpus


@dataclass(frozen=True)
class TrainingSong:
    """A training song that a match was found in."""

    id: int
    title: str
    artist: str


@dataclass(frozen=True)
class Copied:
    """How much of a text occurs in the training songs."""

    count: int
    """The number of words of the text."""
    longest_run: int
    """Words of the longest run that occurs in one song; 0 if there is none of at least four."""
    words: str
    """That run, in lower case without punctuation."""
    song: TrainingSong | None
    """The song, or one of several."""
    shares: dict[int, float]
    """By n, 4 to 12: the share of the text's runs of n words that occur in a training song, 0 to 1."""
    found: dict[int, int]
    """By n: the number of these runs."""
    runs: dict[int, int]
    """By n: the number of runs of n words in the text."""


@dataclass(frozen=True)
class Passage:
    """A run of words of a text that occurs in a training song."""

    start: int
    end: int
    """Its first character in the text, and the one after its last."""
    words: int
    song: TrainingSong
    """The song, or one of several."""


class Index:
    """An index of the phrases of the training songs, on disk; made by `build`, `of` or `open`."""

    def __init__(self, folder: Path, info: dict[str, Any], phrases: Phrases, starts: NDArray[np.int64]) -> None:
        self.folder, self.info = folder, info
        self._phrases, self._starts = phrases, starts

    @classmethod
    def of(cls, corpus: Corpus, folder: Path | None = None) -> Index:
        """Return the index of the training songs of a corpus: the existing one if it is of this corpus, else a new one.

        Parameters
        ----------
        corpus
            The corpus of the language model.
        folder
            The folder of the index; by default ``phrases`` in the corpus.
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
        """Index songs and write the index to ``folder``; each frame has the columns id, title, artist and lyrics.

        The index takes about 9 bytes per word on disk (13 while it is built) and less than 1 GB of memory at any size.

        Raises
        ------
        LyristError
            The folder contains something else or cannot be written.
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
            It does not exist, is damaged, or has another format.
        """
        folder = Path(folder)
        info = files.read_json(folder / MARKER, "an index of phrases")
        if not isinstance(info, dict) or info.get("format") != FORMAT:
            raise LyristError(f"{folder} is an index of another format; remove it, and it will be built again.")
        wide = (folder / "order.i64").is_file()
        try:
            words = _mapped(folder / "words.u32", np.uint32)
            order = _mapped(folder / f"order.{'i64' if wide else 'u32'}", np.int64 if wide else np.uint32)
            buckets, starts = (_mapped(folder / name, np.int64) for name in ("buckets.i64", "starts.i64"))
        except (OSError, ValueError) as error:
            raise LyristError(f"{folder} is damaged ({error}); remove it, and it will be built again.") from error
        whole = len(words) == info["words"] + info["songs"] + LONGEST and len(starts) == info["songs"] + 1
        if not whole or not len(buckets) or buckets[-1] != len(order):
            raise LyristError(f"{folder} is damaged (a file is too short); remove it, and it will be built again.")
        return cls(folder, info, Phrases(words, order, buckets), starts)

    def copied(self, text: str) -> Copied:
        """Return how much of a text occurs in the training songs."""
        return self.copied_all([text])[0]

    def copied_all(self, texts: Sequence[str]) -> list[Copied]:
        """Return `copied` of each text; faster than one by one."""
        lyrics = pl.Series(list(texts), dtype=pl.String)
        words, starts = hashed_words(lyrics)
        lengths, runs, places = self._search(words)
        return [
            self._report(text, lengths[start : end - 1], runs[start : end - 1], places[start : end - 1])
            for text, start, end in zip(texts, starts[:-1], starts[1:], strict=True)
        ]

    def passages(self, text: str, least: int = 5, most: int = 50) -> list[Passage]:
        """Return the runs of at least ``least`` words that occur in a training song, in the order of the text.

        Of overlapping runs only the longest is returned, and at most ``most`` runs, the longest ones.
        """
        spans = word_spans(text)
        _, runs, places = self._search(hashed_words(pl.Series([text], dtype=pl.String))[0])
        covered = np.zeros(len(spans), dtype=bool)
        found: list[Passage] = []
        for first in np.argsort(-runs[: len(spans)], kind="stable").tolist():
            last = first + int(runs[first])
            if last - first < max(least, SHORTEST) or len(found) == most:
                break
            if last <= len(spans) and not covered[first:last].any():
                covered[first:last] = True
                found.append(Passage(spans[first][0], spans[last - 1][1], last - first, self._song(int(places[first]))))
        return sorted(found, key=lambda each: each.start)

    def extends_all(self, texts: Sequence[str]) -> list[int]:
        """Return for each text the length of its longest run that occurs in one training song; 0 if it has fewer than 4 words.

        For checking lines during generation: each text is a line with the words before it (as many as a run may have).
        """
        words, starts = hashed_words(pl.Series(list(texts), dtype=pl.String))
        runs = self._search(words)[1]
        return [int(runs[start:end].max(initial=0)) for start, end in pairwise(starts)]

    def _search(self, words: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return for each position in ``words``: the match of up to twelve words, the whole run, and its position."""
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
        """Return the full length of runs of at least twelve words, the longest over all occurrences, and its position."""
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
        where[which[at_best]] = theirs[at_best]  # in reverse order, so that the first of several remains
        return best, where

    def _report(
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

    def _song(self, place: int) -> TrainingSong:
        """Return the song that contains the word at position ``place``."""
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        group = int(np.searchsorted(self._groups, number, side="right")) - 1
        with pq.ParquetFile(self.folder / "songs.parquet") as table:
            row = table.read_row_group(group).slice(number - self._groups[group], 1).to_pylist()[0]
        return TrainingSong(row["id"], row["title"] or "", row["artist"] or "")

    @cached_property
    def _groups(self) -> list[int]:
        """The number of the first song in each row group of ``songs.parquet``."""
        with pq.ParquetFile(self.folder / "songs.parquet") as table:
            sizes = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        return [0, *np.cumsum(sizes).tolist()]


def originality(index: Index, texts: Sequence[str]) -> dict[str, Any]:
    """Return how much of some texts occurs in the training songs.

    Returns
    -------
    dict
        ``n`` texts; ``shares``: by the number of words ("4" to "12") the share of all runs that occur in a training song,
        with low and high of its 95% bootstrap interval over texts; ``longest_run``: mean over texts with low and high, and
        the median; ``longest``: the longest run of all, with its ``words`` and the id, title and artist of the song.
    """
    if not texts:
        raise LyristError("There is no text to look up in the training songs.")
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
    long_enough = below > 0
    if not long_enough.any():
        return {"value": 0.0, "low": 0.0, "high": 1.0}
    low, high = bootstrap_ratio(above[long_enough], below[long_enough])
    return {"value": float(above.sum() / below.sum()), "low": low, "high": high}


def _reach(
    theirs: Hashes, their_places: NDArray[np.int64], ours: Hashes, our_places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many words agree from each pair of positions on, given that the first twelve do."""
    reach = np.full(len(their_places), LONGEST, dtype=np.int64)
    active = np.arange(len(reach))
    while len(active):
        word = ours[our_places[active] + reach[active]]
        same = (theirs[their_places[active] + reach[active]] == word) & (word != BREAK)
        active = active[same]
        reach[active] += 1
    return reach


def _write_words(folder: Path, songs: Iterable[pl.DataFrame], total: int | None) -> tuple[int, int]:
    """Write the words, the starts and the names of all songs; return the number of words and songs."""
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
        yield from frame.iter_slices(1_024)  # small enough for the CPU cache


def _mapped(path: Path, kind: Any) -> NDArray[Any]:
    return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.zeros(0, dtype=kind)
