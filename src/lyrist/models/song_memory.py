"""N-grams of the song so far as a model of the next token: what followed the same words earlier in the same song.

Songs repeat their lines, so this is the most important part of an n-gram model (a third of all bits). Contexts of 0 to 64 tokens
are looked up in the song itself. Their weights depend on the longest context that was found, and on whether the song is in a
loop: a line that was just repeated four times in a row is more likely to end than a chorus, and without this distinction
generated songs would never leave the loop. The probabilities are computed in two ways, which tests compare: for whole songs by
sorting hashes of contexts (`shares`), and token by token in generation from the lengths of the common suffixes of all prefixes
(`SongMemory`).

The parts, each a distribution over tokens: all tokens so far (context length 0); the tokens that followed the last k tokens, for
each k of ``LENGTHS``; and the one token after the latest occurrence of the longest context.
References: Kuhn and De Mori's cache, 1990; prediction by partial matching, Cleary and Witten, 1984; Liu et al.,
Infini-gram, 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lyrist.models.kneser_ney import Ints, Tokens

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Context lengths that are looked up."""

ROUNDS = (1, 2, 4)
"""Thresholds of the loop groups: the length of the longest context divided by the distance to its latest occurrence."""

Shares = NDArray[np.float64]


def parts(lengths: Sequence[int]) -> int:
    """Return the number of parts: context length 0, one for each length, and the latest occurrence."""
    return len(lengths) + 2


def groups(lengths: Sequence[int]) -> int:
    """Return the number of weight groups: empty song, no context found, or each longest context; by loop group."""
    return (len(lengths) + 2) * (len(ROUNDS) + 1)


def depths(lengths: Sequence[int]) -> Ints:
    """Return for each group 0 for an empty song, 1 if no context was found, 2 + i for the ``i``-th length."""
    return np.arange(groups(lengths)) // (len(ROUNDS) + 1)


def allowed(lengths: Sequence[int]) -> NDArray[np.bool_]:
    """Return which parts are defined in each group, shape (groups, parts)."""
    depth, part = depths(lengths)[:, None], np.arange(parts(lengths))
    latest = (part == parts(lengths) - 1) & (depth >= 2)
    return np.asarray(((part < depth) & (part < parts(lengths) - 1)) | latest)


def _group(depth: Ints, back: Ints, lengths: Sequence[int]) -> Ints:
    """Return the group from the depth (see `depths`) and the distance to the latest occurrence of the longest context."""
    sizes = np.array([0, 0, *lengths])
    rounds = np.searchsorted(np.array(ROUNDS), sizes[depth] / np.maximum(back, 1), side="right")
    return depth * (len(ROUNDS) + 1) + rounds


def shares(tokens: Tokens, written: NDArray[np.bool_], lengths: Sequence[int] = LENGTHS) -> tuple[Shares, Ints]:
    """Return the probability of each token by each part, from the previous tokens of the song.

    Parameters
    ----------
    tokens
        n tokens of any number of songs.
    written : shape (vocabulary,)
        Tokens of lyrics; others are neither counted nor part of a context, and their rows must not be used.

    Returns
    -------
    array of float64, shape (n, parts)
    array of int64, shape (n,)
        The group, by `depths` and rounds.
    """
    found = np.zeros((len(tokens.ids), parts(lengths)))
    depth, distance = np.zeros((2, len(tokens.ids)), dtype=np.int64)
    lyric = written[tokens.ids]
    run = _run(tokens, lyric)
    song = np.cumsum(tokens.place == 0).astype(np.uint64)
    before = _mix(song)
    # An offset, so that token 5 in song 3 and token 3 in song 5 have different hashes.
    came = _mix(tokens.ids.astype(np.uint64) + np.uint64(1 << 40))
    reach, where = 0, np.flatnonzero(lyric)
    for part, length in enumerate([0, *lengths]):
        for back in range(reach + 1, length + 1):
            before[back:] = _mix(before[back:] ^ tokens.ids[:-back].astype(np.uint64) ^ np.uint64(back << 32))
        reach, where = length, where[run[where] >= length]
        seen, latest, twice = _occurrences(before[where])
        hits, _, _ = _occurrences(_mix(before[where] ^ came[where]))
        known = seen > 0
        at = where[known]
        found[at, part] = hits[known] / seen[known]
        depth[at] = part + 1
        if length:
            found[at, -1] = tokens.ids[where[latest[known]]] == tokens.ids[at]
            distance[at] = at - where[latest[known]]
        where = where[twice]
    return found, _group(depth, distance, lengths)


def _run(tokens: Tokens, lyric: NDArray[np.bool_]) -> Ints:
    """Return the number of consecutive tokens of lyrics directly before each token in its song."""
    index = np.arange(len(lyric))
    broken = np.maximum.accumulate(np.where(lyric, -1, index))
    run = np.zeros(len(lyric), dtype=np.int64)
    run[1:] = index[1:] - 1 - broken[:-1]
    return np.minimum(run, tokens.place)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64-bit hashes of numbers (the last steps of splitmix64)."""
    values = (values + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(29))


def _occurrences(keys: NDArray[np.uint64]) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return how often each key occurred before, its latest occurrence (-1: none), and whether it occurs twice at all."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    index = np.arange(len(keys))
    seen, latest = np.empty(len(keys), dtype=np.int64), np.full(len(keys), -1, dtype=np.int64)
    seen[order] = index - np.maximum.accumulate(np.where(new, index, 0))
    latest[order[1:]] = np.where(new[1:], -1, order[:-1])
    twice = np.empty(len(keys), dtype=bool)
    twice[order] = ~new | np.append(~new[1:], False)
    return seen, latest, twice


class SongMemory:
    """Songs during generation: their tokens, and for each position the length of the match with the end of the song.

    Attributes
    ----------
    ids : array of int64, shape (songs, places)
        The tokens of each song, -1 beyond its end.
    matched : array of int64, shape (songs, places)
        The length of the longest common suffix of the tokens before the position and of the whole song.
    length : array of int64, shape (songs,)
    """

    def __init__(self, songs: int, written: NDArray[np.bool_], lengths: Sequence[int] = LENGTHS) -> None:
        self.written, self.lengths = written, np.array(lengths, dtype=np.int64)
        self.ids = np.full((songs, 64), -1, dtype=np.int64)
        self.matched = np.zeros((songs, 64), dtype=np.int64)
        self.length = np.zeros(songs, dtype=np.int64)

    def select(self, rows: Ints) -> SongMemory:
        """Return the songs ``rows``, which may repeat."""
        chosen = SongMemory(0, self.written, self.lengths.tolist())
        chosen.ids, chosen.matched, chosen.length = self.ids[rows], self.matched[rows], self.length[rows]
        return chosen

    def join(self, other: SongMemory) -> None:
        """Append the songs of another memory, in place; unused capacity is released."""
        places = max(64, int(max(self.length.max(initial=0), other.length.max(initial=0))) + 2)
        self.ids = np.concatenate([_wide(self.ids, places, -1), _wide(other.ids, places, -1)])
        self.matched = np.concatenate([_wide(self.matched, places, 0), _wide(other.matched, places, 0)])
        self.length = np.concatenate([self.length, other.length])

    def append(self, rows: Ints, tokens: Ints) -> None:
        """Add a token to each of the songs ``rows``."""
        if not len(rows):
            return
        if self.length[rows].max() + 1 >= self.ids.shape[1]:
            self.ids = np.pad(self.ids, ((0, 0), (0, self.ids.shape[1])), constant_values=-1)
            self.matched = np.pad(self.matched, ((0, 0), (0, self.matched.shape[1])))
        self.ids[rows, self.length[rows]] = tokens
        self.length[rows] += 1
        same = (self.ids[rows, :-1] == tokens[:, None]) & self.written[tokens][:, None]
        longer = np.where(same, self.matched[rows, :-1] + 1, 0)
        self.matched[rows, 1:] = longer
        # Nothing has followed the end of the song yet; the next token uses the match length stored there.

    def group(self) -> tuple[Ints, Ints]:
        """Return the group of each song (see `shares`), shape (songs,), and how many lengths match at each position.

        The latter, shape (songs, places), is -1 for positions without a token of lyrics.
        """
        counted = (np.arange(self.ids.shape[1]) < self.length[:, None]) & self.written[self.ids]
        place = np.where(counted, np.searchsorted(self.lengths, self.matched, side="right"), -1)
        return _group(place.max(axis=1) + 1, self.length - _latest(place), self.lengths.tolist()), place

    def distribution(self, place: Ints, weights: Shares, vocabulary: int) -> Shares:
        """Return the weighted sum of the parts, shape (songs, vocabulary).

        Parameters
        ----------
        place
            The second result of `group`.
        weights : shape (songs, parts)
            Zero for parts that are not defined in the group of a song.
        """
        songs, most = len(place), len(self.lengths) + 1
        row, column = np.nonzero(place >= 0)
        found = place[row, column]
        counts = np.bincount(row * most + found, minlength=songs * most).reshape(songs, most)
        seen = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # what followed k tokens also followed fewer
        each = np.cumsum(weights[:, :-1] / np.maximum(seen, 1), axis=1)
        cells = row * vocabulary + self.ids[row, column]
        flat = np.bincount(cells, weights=each[row, found], minlength=songs * vocabulary).astype(np.float64)
        spread = flat.reshape(songs, vocabulary)
        known = np.flatnonzero(place.max(axis=1) >= 1)
        spread[known, self.ids[known, _latest(place[known])]] += weights[known, -1]
        return spread


def _wide(values: Ints, places: int, filling: int) -> Ints:
    missing = max(0, places - values.shape[1])
    return np.pad(values[:, :places], ((0, 0), (0, missing)), constant_values=filling)


def _latest(place: Ints) -> Ints:
    """Return the last position of each song with the longest match."""
    back = (place == place.max(axis=1, keepdims=True))[:, ::-1].argmax(axis=1)
    return np.asarray(place.shape[1] - 1 - back)
