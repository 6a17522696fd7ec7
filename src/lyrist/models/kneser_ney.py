"""Interpolated modified Kneser-Ney smoothing over token ids, and mixture weights fitted on held-out songs.

Counting and look-up use sorting only. The n-grams of each length are one sorted array of keys, ``key = (index of the n-gram
without its last token) * vocabulary + last token``, so the arrays together are an exact trie. A corpus is counted with one
sort per length; songs are scored with one binary search per length. Counting runs over blocks of songs that are merged, so
memory holds the distinct n-grams (about 16 bytes each) and 4 bytes per token.

Mixture weights are fitted by expectation-maximisation: the likelihood is concave in them. A Dirichlet prior worth a few
tokens regularises groups with few tokens. Within a group the weights may depend on a number (the entropy of a network), by
linear interpolation between knots, so that scores do not jump.
Source: Jelinek and Mercer, Interpolated estimation of Markov source parameters, 1980.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

BLOCK = 4_000_000
"""Tokens that are counted at once."""

_TOKEN = 16  # bytes of a token: id, place in its song, place of its context twice
_NGRAM = 16  # bytes of an n-gram that was counted: key and count
_MERGED = 100  # bytes of each n-gram of the longest while parts are merged: sorted with their places
_BLOCKED = 80  # bytes of each token of the block that is being counted
_OVER = 1.5  # how far n-grams seen twice exceed the bound for those seen once, in songs


@dataclass(frozen=True)
class Level:
    """The n-grams of one length, as a level of the trie.

    Attributes
    ----------
    keys : array of int64, shape (m,), sorted
        Index of the n-gram's first n - 1 tokens in the level below, times the vocabulary, plus its last token.
    kept : array of float32, shape (m,)
        The discounted probability of the last token after the first n - 1.
    left : array of float32, shape (m,)
        The back-off weight of the n-gram as a context; 1 if nothing followed it.
    """

    keys: Ints
    kept: Floats
    left: Floats


@dataclass(frozen=True)
class Tokens:
    """Concatenated songs.

    Attributes
    ----------
    ids : array of int32, shape (n,)
    place : array of int32, shape (n,)
        The position of each token in its song, from 0.
    """

    ids: NDArray[np.int32]
    place: NDArray[np.int32]

    @classmethod
    def of(cls, songs: Sequence[NDArray[np.integer]]) -> Tokens:
        """Concatenate ``songs``."""
        if not len(songs):
            return cls(np.zeros(0, np.int32), np.zeros(0, np.int32))
        ids = np.concatenate([np.asarray(song, dtype=np.int32) for song in songs])
        return cls(ids, np.concatenate([np.arange(len(song), dtype=np.int32) for song in songs]))

    def before(self, values: NDArray[np.integer], n: int) -> Ints:
        """Return for each token the value at the previous token; -1 for the first ``n`` tokens of a song."""
        shifted = np.full(len(values), -1, dtype=np.int64)
        shifted[1:] = values[:-1]
        shifted[self.place < n] = -1
        return shifted


@dataclass(frozen=True)
class KneserNey:
    """A Kneser-Ney model of the next token.

    Attributes
    ----------
    vocabulary : int
        Number of token ids.
    first : array of float32, shape (vocabulary,)
        Unigram probabilities: 0 for tokens that are never predicted (see `learn`).
    left : array of float32, shape (vocabulary,)
        The back-off weight of each token as a context.
    levels : list of Level
        For n-grams of 2, 3, ... tokens.

    References
    ----------
    Chen and Goodman, An empirical study of smoothing techniques for language modeling, 1998.
    """

    vocabulary: int
    first: Floats
    left: Floats
    levels: list[Level] = field(default_factory=list)

    @property
    def order(self) -> int:
        """The longest n-gram."""
        return len(self.levels) + 1

    def nodes(self, tokens: Tokens) -> list[Ints]:
        """Return for n = 1, 2, ... the index in its level of the n-gram that ends at each token; -1 if unknown."""
        found = [tokens.ids.astype(np.int64)]
        for n, level in enumerate(self.levels, start=2):
            found.append(find(level.keys, self.keys(tokens.before(found[-1], n - 1), tokens.ids)))
        return found

    def keys(self, contexts: Ints, ids: NDArray[np.integer]) -> Ints:
        """Return the keys of contexts (indices; -1 for unknown ones) followed by tokens; negative if unknown."""
        return np.where(contexts >= 0, contexts * self.vocabulary + ids, -1)

    def probabilities(self, tokens: Tokens) -> NDArray[np.float64]:
        """Return the probability of each token given the previous tokens of its song, shape (n,)."""
        nodes = self.nodes(tokens)
        probability = self.first[tokens.ids].astype(np.float64)
        for n, level in enumerate(self.levels, start=2):
            probability *= self._left(n - 1, tokens.before(nodes[n - 2], n - 1))
            known = nodes[n - 1] >= 0
            probability[known] += level.kept[nodes[n - 1][known]]
        return probability

    def advance(self, contexts: Ints, ids: Ints) -> Ints:
        """Return the contexts of songs after another token.

        Parameters
        ----------
        contexts : shape (songs, order)
            In column n - 1 the index of the n-gram that ends each song, -1 if it is unknown or longer than the song.
        ids : shape (songs,)
        """
        moved = np.empty_like(contexts)
        moved[:, 0] = ids
        for n, level in enumerate(self.levels, start=2):
            moved[:, n - 1] = find(level.keys, self.keys(contexts[:, n - 2], ids))
        return moved

    def distribution(self, contexts: Ints) -> NDArray[np.float64]:
        """Return the probability of every token after each song's contexts (see `advance`), shape (songs, vocabulary)."""
        probabilities = np.zeros((len(contexts), self.vocabulary))
        rest = np.ones(len(contexts))  # probability left by the longer contexts
        for n, level in reversed(list(enumerate(self.levels, start=2))):
            known = np.flatnonzero(contexts[:, n - 2] >= 0)
            places = contexts[known, n - 2]
            starts = np.searchsorted(level.keys, places * self.vocabulary)
            counts = np.searchsorted(level.keys, (places + 1) * self.vocabulary) - starts
            children = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
            tokens = level.keys[children] - np.repeat(places * self.vocabulary, counts)
            probabilities[np.repeat(known, counts), tokens] += level.kept[children] * np.repeat(rest[known], counts)
            rest[known] *= self._left(n - 1, places)
        probabilities += rest[:, None] * self.first
        return probabilities

    def _left(self, n: int, places: Ints) -> Floats:
        """Return the back-off weights of contexts of ``n`` tokens; 1 for unknown ones."""
        left = self.left if n == 1 else self.levels[n - 2].left
        return np.where(places >= 0, left[places], np.float32(1)) if len(left) else np.ones(len(places), np.float32)


def find(keys: Ints, wanted: Ints) -> Ints:
    """Return the indices of ``wanted`` in the sorted ``keys``, -1 for missing ones."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def learn(
    songs: Sequence[NDArray[np.integer]],
    order: int,
    vocabulary: int,
    written: NDArray[np.bool_],
    largest: int = 20_000_000,
) -> KneserNey:
    """Count the n-grams of ``songs`` and discount them.

    Parameters
    ----------
    songs
        Token ids of each song, the beginning-of-song token and any conditions first.
    order
        The longest n-gram, at least 1.
    vocabulary
        Number of token ids.
    written : shape (vocabulary,)
        Which tokens may be predicted; the others are only context and have probability 0.
    largest
        If a length has more n-grams than this, those that occur once are dropped.

    Raises
    ------
    LyristError
        There are no tokens.
    """
    blocks = [Tokens.of(part) for part in parts(songs, BLOCK)]
    if not any(written[block.ids].any() for block in blocks):
        raise LyristError("There are no lyrics to count n-grams in: the training songs have no tokens.")
    single = np.sum([np.bincount(block.ids, minlength=vocabulary) for block in blocks], axis=0)
    counted = [_Counted(np.arange(vocabulary), single)]
    places = [block.ids for block in blocks]
    for n in range(2, order + 1):
        level = _count(blocks, places, n, vocabulary, largest)
        counted[-1] = _continued(counted[-1], level.suffixes)
        counted.append(_common(level, largest))
        del level
        places = [
            find(counted[-1].keys, _keys(block, below, n, vocabulary)).astype(np.int32)
            for block, below in zip(blocks, places, strict=True)
        ]
    return _discounted(counted, vocabulary, written)


@dataclass(frozen=True)
class _Counted:
    """The n-grams of one length with their counts, and the index of each without its first token in the level below.

    That index, -1 if unknown, is needed only until the level below has its counts.
    """

    keys: Ints
    counts: Ints
    suffixes: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


def memory(tokens: int, order: int, largest: int) -> int:
    """Return an estimate of the peak memory of `learn` in bytes.

    Every token is stored with its position and its context. The number of distinct n-grams of each length is at most the
    number of tokens, and about ``largest`` when those that occur once are dropped. A merge of two parts needs several copies.
    """
    each = min(tokens, int(_OVER * largest))
    return _TOKEN * tokens + _NGRAM * each * (order - 1) + _MERGED * each + _BLOCKED * min(tokens, BLOCK)


def parts(songs: Sequence[NDArray[np.integer]], most: int) -> Iterator[list[NDArray[np.integer]]]:
    """Yield the songs, in order, in lists of about ``most`` tokens."""
    part: list[NDArray[np.integer]] = []
    size = 0
    for song in songs:
        part.append(song)
        size += len(song)
        if size >= most:
            yield part
            part, size = [], 0
    if part:
        yield part


def _count(blocks: list[Tokens], below: list[NDArray[np.int32]], n: int, vocabulary: int, largest: int) -> _Counted:
    """Return the n-grams of length ``n``; ``below`` has the index of the shorter n-gram that ends at each token.

    If several blocks together have too many, those that occur once are dropped while merging, which bounds memory.
    """
    parts: list[_Counted] = []
    for block, places in zip(blocks, below, strict=True):
        wanted = _keys(block, places, n, vocabulary)
        real = np.flatnonzero(wanted >= 0)
        keys, first, counts = np.unique(wanted[real], return_index=True, return_counts=True)
        parts.append(_Counted(keys, counts, places[real[first]]))
        while len(parts) > 1 and len(parts[-2].keys) <= 2 * len(
            parts[-1].keys
        ):  # merge parts of similar size, so that each n-gram is moved only a few times
            parts[-2:] = [_common(_merge(parts[-2:]), largest)]
    return _merge(parts)


def _common(level: _Counted, largest: int) -> _Counted:
    """Return the n-grams, without those that occur once if there are too many."""
    often = level.counts > 1 if len(level.keys) > largest else slice(None)
    return _Counted(level.keys[often], level.counts[often], level.suffixes[often])


def _keys(block: Tokens, below: NDArray[np.int32], n: int, vocabulary: int) -> Ints:
    """Return the key of the ``n``-gram that ends at each token; negative if there is none."""
    context = block.before(below, n - 1)
    return np.where(context >= 0, context * vocabulary + block.ids, -1)


def _merge(parts: list[_Counted]) -> _Counted:
    """Return the n-grams of all parts with their counts added."""
    if len(parts) == 1:
        return parts[0]
    keys, first, inverse = np.unique(
        np.concatenate([part.keys for part in parts]), return_index=True, return_inverse=True
    )
    counts = np.bincount(inverse, weights=np.concatenate([part.counts for part in parts])).astype(np.int64)
    return _Counted(keys, counts, np.concatenate([part.suffixes for part in parts])[first])


def _continued(level: _Counted, suffixes: NDArray[np.int32]) -> _Counted:
    """Return the n-grams with continuation counts: the number of distinct tokens before each.

    The longest n-grams, and those at the beginning of a song, keep their plain counts.
    """
    ways = np.bincount(suffixes[suffixes >= 0], minlength=len(level.keys))
    return _Counted(level.keys, np.where(ways > 0, ways, level.counts))


def _discounts(counts: Ints) -> NDArray[np.float64]:
    """Return the discounts of counts 0, 1, 2, and 3 or more (estimate of Chen and Goodman)."""
    one, two, three, four = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    share = one / (one + 2 * two) if one else 0.5  # there are none if rare n-grams were dropped
    taken = [0.0]
    for k, (now, following) in enumerate([(one, two), (two, three), (three, four)], start=1):
        taken.append(min(max(k - (k + 1) * share * following / now, 0.05), k - 0.05) if now else 0.5 * k)
    return np.array(taken)


def _discounted(counted: list[_Counted], vocabulary: int, written: NDArray[np.bool_]) -> KneserNey:
    """Convert counts to probabilities, level by level; counts are freed on the way, as they are half of the memory."""
    keys = [level.keys for level in counted]
    kept: list[NDArray[Any]] = []
    left: list[NDArray[Any]] = []
    while counted:
        level = counted.pop(0)
        share, rest = _shares(level, np.where(written[level.keys % vocabulary], level.counts, 0), vocabulary)
        kept.append(share.astype(np.float32) if kept else share)
        left.append(rest.astype(np.float32) if left else rest)
        del level, share, rest
    first = (kept[0] + float(left[0][0]) * written / written.sum()).astype(np.float32)
    left.append(np.ones(0))
    levels = [
        Level(keys[n], kept[n], _padded(left[n + 1], len(keys[n]) if n + 1 < len(keys) else 0))
        for n in range(1, len(keys))
    ]
    return KneserNey(vocabulary, first, _padded(left[1], vocabulary if len(keys) > 1 else 0), levels)


def _shares(level: _Counted, counts: Ints, vocabulary: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the discounted probability of each n-gram in its context, and the back-off weight of each context."""
    context = level.keys // vocabulary
    taken = _discounts(counts)[np.minimum(counts, 3)]
    total = np.bincount(context, weights=counts)
    over = np.bincount(context, weights=taken)
    whole = np.maximum(total, 1)
    return (counts - taken) / whole[context], np.where(total > 0, over / whole, 1.0)


def _padded(left: NDArray[Any], size: int) -> Floats:
    """Return back-off weights for all contexts, 1 for those beyond the end of ``left``."""
    full = np.ones(size, dtype=np.float32)
    full[: min(len(left), size)] = left[:size]
    return full


Array = NDArray[np.float64]

EM_ROUNDS = 30
PRIOR_STRENGTH = 10.0
"""Strength of the Dirichlet prior of each set of weights, in tokens."""


def knot_shares(values: Array, knots: Array) -> Array:
    """Return the interpolation weight of each knot at each value, shape (n, knots): rows sum to 1, at most two are not 0.

    Values beyond the first or last knot count as that knot.
    """
    found = np.zeros((len(values), len(knots)))
    if len(knots) == 1:
        found[:] = 1
        return found
    inside = np.clip(values, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    share = (inside - knots[left]) / (knots[left + 1] - knots[left])
    rows = np.arange(len(values))
    found[rows, left], found[rows, left + 1] = 1 - share, share
    return found


def mix_weights(weights: Array, group: Ints, share: Array) -> Array:
    """Return the weights of the parts for each token, shape (n, parts), from (groups, knots, parts)."""
    found: Array = np.matmul(share[:, None, :], weights[group])[:, 0]
    return found


def fit_weights(probabilities: Array, group: Ints, share: Array, prior: Array, rounds: int = EM_ROUNDS) -> Array:
    """Return the mixture weights, shape (groups, knots, parts); each set sums to 1.

    Parameters
    ----------
    probabilities : shape (n, parts)
        The probability of the true token by each part.
    group : shape (n,)
        The group of each token.
    share : shape (n, knots)
        The result of `knot_shares`; a column of ones if there is one knot.
    prior : shape (groups, parts)
        Rows sum to 1; a part of weight 0 keeps it.
    """
    weights = np.repeat(prior[:, None], share.shape[1], axis=1)
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(len(prior) + 1))
    for each, own in enumerate(prior):
        places, used = order[ends[each] : ends[each + 1]], np.flatnonzero(own > 0)
        if len(places):
            found = _maximise(probabilities[np.ix_(places, used)], share[places], own[used], rounds)
            weights[each][:, used] = found
    return weights


def _maximise(probabilities: Array, share: Array, own: Array, rounds: int) -> Array:
    weights = np.repeat(own[None], share.shape[1], axis=0)
    for _ in range(rounds):
        probability = np.einsum("nk,nk->n", share @ weights, probabilities)
        # Expected counts (responsibilities) of each part at each knot.
        done = weights * (share.T @ (probabilities / np.maximum(probability, 1e-300)[:, None])) + PRIOR_STRENGTH * own
        weights = done / done.sum(axis=1, keepdims=True)
    return weights
