"""Layout features of a song: line and section lengths, punctuation, repetition, line ends; no words.

These numbers alone predict one of three artists correctly for two songs of three: partly because of the artist's style, partly
because of the habits of whoever typed the lyrics. So every table of results needs this baseline, and a model of words becomes
better with these features (docs/log.md).

The features of a block of songs are computed together, by array operations on all their characters, words and lines: a loop over
songs takes five times as long. Only the compressed length is computed song by song.

Each layout feature is used twice: standardised, and as its normal score (rank) among the training songs. The kernel is
approximated by Nystroem's method with random landmark songs; with at most ``landmarks`` songs it is exact.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.models.features import CharacterTable, Hashes, code_points, mix_bits
from lyrist.models.inputs import SongInput, lyrics_of

BLOCK = 256
"""Songs that are computed together: enough that a call of numpy is cheap, few enough for the cache of the processor."""

_MARKS = {
    "commas": ",",
    "full stops": ".",
    "question marks": "?",
    "exclamation marks": "!",
    "apostrophes": "'’",
    "hyphens and dashes": "-–—",
    "ellipses": "…",
    "quotation marks": '"“”',
    "parentheses": "()",
    "brackets": "[]",
    "colons and semicolons": ":;",
    "digits": "0123456789",
}
_ENDS = {"comma": ",", "full stop": ".", "question mark": "?", "exclamation mark": "!", "closing mark": ')]"”'}
_AFTER_CLIPPED = ",.!?;:)"
_VOWELS = "aeiouyàâäáãåæèéêëìíîïòóôöõøœùúûüýÿ"
_WORDS_A_LINE, _LINES_A_SECTION, _LETTERS_A_WORD = 14, 9, 11
_GAPS = (1, 2, 4, 8)
_LAGS = (1, 2, 3, 4)

_SPACE, _LETTER, _ALPHA, _UPPER, _LOWER, _VOWEL, _MARK = (1 << bit for bit in range(7))
"""Properties of a character; the number of its kind in `_MARKS`, from 1, times `_MARK` is added to them."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def _properties(character: str) -> int:
    title = character.istitle() and not character.isupper()
    mark = next((i for i, marks in enumerate(_MARKS.values(), 1) if character in marks), 0)
    return (
        _SPACE * character.isspace()
        + _LETTER * character.isalnum()
        + _ALPHA * character.isalpha()
        + _UPPER * character.isupper()
        + _LOWER * (character.islower() or title)
        + _VOWEL * (character in _VOWELS)
        + _MARK * mark
    )


_properties_of = CharacterTable(_properties)


def layout(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the layout features of each text, shape (n, len(NAMES)): shares, means and logarithms."""
    found = np.zeros((len(texts), len(NAMES)))
    for start in range(0, len(texts), BLOCK):
        songs = _read(texts[start : start + BLOCK])
        found[start : start + BLOCK] = np.column_stack([column for family in _FAMILIES for column in family(songs)])
    return found


class Layout(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`layout` as a scikit-learn transformer without parameters."""

    def fit(self, X: Any, y: Any = None) -> Layout:
        """Do nothing."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return `layout` of the songs."""
        return layout(lyrics_of(X))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.str_]:
        """Return `NAMES`."""
        return np.array(NAMES)

    def __sklearn_is_fitted__(self) -> bool:
        """Return True: the transformer needs no fit."""
        return True


@dataclass(frozen=True)
class _Groups:
    """Successive values, as those of lines, in groups, as the lines of a song; no group is empty."""

    bounds: Integers
    """The first member of each group, and the number of members, shape (n + 1,)."""

    @cached_property
    def sizes(self) -> Integers:
        return np.diff(self.bounds)

    @cached_property
    def group(self) -> Integers:
        """The group of each member."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def sum(self, values: NDArray[Any]) -> Floats:
        return np.asarray(np.add.reduceat(values, self.bounds[:-1], dtype=np.float64))

    def mean(self, values: NDArray[Any]) -> Floats:
        return self.sum(values) / self.sizes

    def spread(self, values: NDArray[Any]) -> Floats:
        """Return the standard deviation in each group.

        The sums are those of `numpy.std` to the last bit: the layout kernel compares values with quantiles of the training songs.
        """
        squares = (values - self.mean(values)[self.group]) ** 2
        sums = [np.add.reduce(squares[start:end]) for start, end in itertools.pairwise(self.bounds.tolist())]
        return np.sqrt(np.array(sums) / self.sizes)

    def most(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.maximum.reduceat(values, self.bounds[:-1]))

    def count(self, members: Integers) -> Integers:
        """Return the number of members in each group; ``members`` are ascending."""
        return np.diff(np.searchsorted(members, self.bounds))

    def shares(self, values: Integers, most: int) -> Floats:
        """Return the share of values that are 1, 2, ... up to ``most``, shape (n, most); larger values count as ``most``."""
        counts = np.bincount(self.group * (most + 1) + np.minimum(values, most), minlength=len(self.sizes) * (most + 1))
        return np.asarray(counts.reshape(-1, most + 1)[:, 1:] / self.sizes[:, None])

    def per_pair(self, values: NDArray[Any], lag: int) -> Floats:
        """Return the mean in each group of ``values[i]``, which belongs to the members i and i + lag; 0 without such a pair."""
        inside = self.group[lag:] == self.group[:-lag]
        total = np.bincount(self.group[lag:][inside], values[inside], len(self.sizes))
        return np.asarray(total / np.maximum(self.sizes - lag, 1))

    def same(self, values: NDArray[Any], lag: int) -> Floats:
        """Return how often the value of a member is that of the member ``lag`` later."""
        return self.per_pair(values[lag:] == values[:-lag], lag)


@dataclass(frozen=True)
class _Songs:
    """The characters, lines and words of a block of songs.

    Lines are stripped and not empty. A song without a line has one empty line, and a line without a word has one empty word.
    """

    texts: list[str]
    codes: NDArray[np.uint32]
    """The code points of all songs, each followed by a line end."""
    properties: NDArray[np.int16]
    characters: _Groups
    """The characters of each song."""
    token_start: Integers
    """The start of each sequence of characters between blanks."""
    token_end: Integers
    token_opens: NDArray[np.bool_]
    """Whether the token is the first of its line."""
    raw_ends: Integers
    """The end of each line before it is stripped; includes empty lines."""
    raw: Integers
    """The number of each line among these."""
    start: Integers
    """The start of each line."""
    end: Integers
    lines: _Groups
    """The lines of each song."""
    low: NDArray[np.uint32]
    """The code points in lower case, in which words are found."""
    word_start: Integers
    word_end: Integers
    word_head: Integers
    """The end of the part of a word before its first apostrophe."""
    word: NDArray[np.uint64]
    """The hash of each word."""
    of_line: _Groups
    """The words of each line."""

    @cached_property
    def words(self) -> _Groups:
        """The words of each song."""
        return _Groups(self.of_line.bounds[self.lines.bounds])

    @cached_property
    def a_line(self) -> Integers:
        """The number of words of each line."""
        return self.of_line.sizes

    @cached_property
    def last(self) -> NDArray[np.uint32]:
        """The last character of each line; a line end if the line is empty."""
        return self.codes[self.end - 1]

    def having(self, wanted: int) -> Integers:
        """Return the positions of the characters with a property."""
        return np.flatnonzero(self.properties & wanted)

    def in_lines(self, found: Integers) -> Integers:
        """Return the number of characters in each line, of their positions."""
        return np.diff(np.searchsorted(found, np.append(self.start, len(self.codes))))


def _read(texts: Sequence[str]) -> _Songs:
    texts = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    codes = code_points("".join([text + "\n" for text in texts]))
    properties = _properties_of(codes)
    characters = _Groups(np.cumsum([0, *(len(text) + 1 for text in texts)]))
    raw_ends = np.flatnonzero(codes == ord("\n"))
    token_start, token_end = _runs((properties & _SPACE) == 0)
    tokens = np.diff(np.searchsorted(token_start, raw_ends), prepend=0)
    raw_lines = np.searchsorted(raw_ends, characters.bounds)
    kept = tokens > 0
    blank = np.add.reduceat(kept, raw_lines[:-1], dtype=np.int64) == 0
    kept[raw_lines[:-1][blank]] = True
    raw = np.flatnonzero(kept)
    lines = _Groups(np.searchsorted(raw, raw_lines))
    start, end = np.empty(len(raw), np.int64), np.empty(len(raw), np.int64)
    visible = np.flatnonzero(tokens[raw])
    last_token = np.cumsum(tokens[raw][visible]) - 1
    first_token = last_token + 1 - tokens[raw][visible]
    start[visible], end[visible] = token_start[first_token], token_end[last_token]
    start[lines.bounds[:-1][blank]] = end[lines.bounds[:-1][blank]] = characters.bounds[:-1][blank]
    token_opens = np.zeros(len(token_start), dtype=bool)
    token_opens[first_token] = True

    low = code_points("".join([text.lower() + "\n" for text in texts]))
    letter = (_properties_of(low) & _LETTER) > 0
    apostrophes = np.flatnonzero((low == ord("'")) | (low == ord("’")))
    apostrophes = apostrophes[letter[apostrophes - 1] & letter[(apostrophes + 1) % len(low)]]
    letter[apostrophes] = True
    word_start, word_end = _runs(letter)
    word_head = word_end.copy()
    parted = np.searchsorted(word_start, apostrophes, side="right") - 1
    word_head[parted[::-1]] = apostrophes[::-1]  # the first apostrophe of a word is assigned last
    low_ends = np.flatnonzero(low == ord("\n"))[raw]
    bounds = np.concatenate([[0], np.searchsorted(word_start, low_ends)])
    wordless = np.flatnonzero(bounds[1:] == bounds[:-1])
    word_start, word_end, word_head = (
        np.insert(places, bounds[wordless], low_ends[wordless]) for places in (word_start, word_end, word_head)
    )
    bounds[1:] += np.cumsum(bounds[1:] == bounds[:-1])
    word = Hashes.of_codes(low).of(word_start, word_end)
    return _Songs(
        texts,
        codes,
        properties,
        characters,
        token_start,
        token_end,
        token_opens,
        raw_ends,
        raw,
        start,
        end,
        lines,
        low,
        word_start,
        word_end,
        word_head,
        word,
        _Groups(bounds),
    )


def _runs(flags: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return the start and the end (exclusive) of each run of true flags; the last flag is false."""
    change = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    if len(flags) and flags[0]:
        change = np.append(0, change)
    return change[::2], change[1::2]


def _keys(song: Integers, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the song and 54 bits of a hash as one number."""
    return (song.astype(np.uint64) << np.uint64(54)) | (hashes >> np.uint64(10))


def _sizes(songs: _Songs) -> list[NDArray[Any]]:
    lines, a_line = songs.lines, songs.a_line
    widths = songs.end - songs.start
    widths = np.sort((lines.group << 32) | widths) & ((1 << 32) - 1)
    at = [
        widths[lines.bounds[:-1] + (share * (lines.sizes - 1)).astype(np.int64)]
        for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1)
    ]
    mean = lines.mean(a_line)
    return [
        *(np.log1p(size) for size in (songs.characters.sizes - 1, songs.words.sizes, lines.sizes, mean, *at)),
        lines.spread(a_line) / mean,
        lines.shares(a_line, _WORDS_A_LINE),
    ]


def _steps(songs: _Songs) -> list[NDArray[Any]]:
    """Return differences of line lengths between successive lines."""
    lines, a_line = songs.lines, songs.a_line
    mean = lines.mean(a_line)
    one, two = np.abs(a_line[1:] - a_line[:-1]), np.abs(a_line[2:] - a_line[:-2])
    return [lines.per_pair(one, 1) / mean, lines.per_pair(two, 2) / mean, lines.same(a_line, 1)]


def _sections(songs: _Songs) -> list[NDArray[Any]]:
    """Return the sizes of sections, which one empty line separates: three in sequence enclose an empty section."""
    lines = songs.lines
    breaks = np.diff(songs.raw, prepend=0) // 2
    breaks[lines.bounds[:-1]] = 1
    first = np.flatnonzero(breaks)
    sizes = np.add.reduceat(songs.end > songs.start, first, dtype=np.int64)
    empty = breaks[first] - 1
    sizes = np.insert(sizes, np.repeat(np.arange(len(first)), empty), 0)
    sections = _Groups(np.append(0, np.cumsum(lines.sum(breaks).astype(np.int64))))
    measures = sections.sizes, sections.mean(sizes), sections.spread(sizes), sections.most(sizes)
    return [*map(np.log1p, measures), sections.shares(sizes, _LINES_A_SECTION)]


def _words(songs: _Songs) -> list[NDArray[Any]]:
    words, lines, n = songs.words, songs.lines, songs.words.sizes
    letters = songs.word_end - songs.word_start
    beats = songs.of_line.sum(_syllables(songs))
    keys = np.sort(_keys(words.group, songs.word))
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    counts = np.diff(np.append(first, len(keys)))
    distinct = _Groups(np.searchsorted(first, words.bounds))
    doubled = words.group[1:][(songs.word[1:] == songs.word[:-1]) & (words.group[1:] == words.group[:-1])]
    compressed = [len(zlib.compress(text.encode("utf-8", "replace"), 6)) for text in songs.texts]
    return [
        words.mean(letters),
        words.shares(letters, _LETTERS_A_WORD),
        np.log1p(lines.mean(beats)),
        lines.spread(beats) / np.maximum(lines.mean(beats), 1),
        lines.sum(beats) / n,
        1 - distinct.sizes / n,
        distinct.mean(counts == 1),
        np.log(distinct.most(counts) / n),
        np.bincount(doubled, minlength=len(n)) / n,
        compressed / songs.characters.sizes,
    ]


def _syllables(songs: _Songs) -> Integers:
    """Return `lyrist.text.syllables` of each word."""
    low, start, end = songs.low, songs.word_start, songs.word_head
    vowel = (_properties_of(low) & _VOWEL) > 0
    opens = np.append(vowel[:1], vowel[1:] & ~vowel[:-1])
    seen = np.append(0, np.cumsum(opens))
    count = np.asarray(seen[end] - seen[start], dtype=np.int64)
    several = np.flatnonzero(count > 1)  # three letters at least
    c, b, a = (low[end[several] - back] for back in (1, 2, 3))
    silent = (c == ord("e")) & (~_among(b, "aeiouyl") | ((b == ord("l")) & _among(a, "aeiouy")))
    silent |= (b == ord("e")) & (((c == ord("d")) & ~_among(a, "td")) | ((c == ord("s")) & ~_among(a, "sxzc")))
    count[several] -= silent
    return np.maximum(count, 1)


def _among(codes: NDArray[np.uint32], characters: str) -> NDArray[np.bool_]:
    return np.isin(codes, code_points(characters))


def _repeats(songs: _Songs) -> list[NDArray[Any]]:
    """Return how many lines are repeated, and at which distance."""
    lines, n = songs.lines, songs.lines.sizes
    place = np.arange(len(songs.word)) - songs.of_line.bounds[:-1][songs.of_line.group]
    hashes = np.add.reduceat(mix_bits(songs.word + mix_bits(place.astype(np.uint64))), songs.of_line.bounds[:-1])
    keys = _keys(lines.group, hashes)
    order = np.argsort(keys, kind="stable")
    again = keys[order][1:] == keys[order][:-1]
    gaps, song = (order[1:] - order[:-1])[again], lines.group[order[1:][again]]
    first = np.flatnonzero(np.append(True, ~again))
    counts = np.diff(np.append(first, len(keys)))
    distinct = _Groups(np.searchsorted(first, lines.bounds))
    half = lines.bounds[:-1] + n // 2
    late = order >= half[lines.group[order]]
    known = np.repeat(~late[first], counts)
    sums = [np.bincount(song, found, len(n)) for found in (*(gaps == gap for gap in _GAPS), gaps > _GAPS[-1], gaps)]
    return [
        1 - distinct.sizes / n,
        np.log(distinct.most(counts)),
        *(found / n for found in sums[:-1]),
        np.log1p(sums[-1] / np.maximum(n - distinct.sizes, 1)),
        lines.mean(late & known),
    ]


def _echoes(songs: _Songs) -> list[NDArray[Any]]:
    """Return how often lines begin or end with the same word, the same last letters or the same punctuation."""
    lines, final = songs.lines, songs.of_line.bounds[1:] - 1
    first, last = songs.word[songs.of_line.bounds[:-1]], songs.word[final]
    start, end = songs.word_start[final], songs.word_end[final]
    letters = [
        np.where(end - back >= start, songs.low[np.maximum(end - back, 0)], 0).astype(np.int64) for back in (1, 2)
    ]
    rhyme = (letters[1] << 32) | letters[0]
    marks = np.where(songs.properties[songs.end - 1] & _LETTER, 0, songs.last)
    return [
        *(lines.same(first, lag) for lag in _LAGS[:2]),
        *(lines.same(last, lag) for lag in _LAGS[:2]),
        *(lines.same(rhyme, lag) for lag in _LAGS),
        *(lines.same(marks, lag) for lag in _LAGS[:2]),
    ]


def _capitals(songs: _Songs) -> list[NDArray[Any]]:
    lines, characters = songs.lines, songs.characters
    raised = (songs.properties[songs.token_start] & _UPPER > 0) & ~songs.token_opens
    raised &= (songs.codes[songs.token_start] != ord("I")) | (songs.token_end - songs.token_start > 1)
    upper = songs.having(_UPPER)
    shouted = (songs.in_lines(upper) > 0) & (songs.in_lines(songs.having(_LOWER)) == 0) & (songs.end - songs.start > 3)
    letters = np.maximum(characters.count(songs.having(_ALPHA)), 1)
    return [
        lines.mean(songs.properties[songs.start] & _UPPER > 0),
        lines.mean(shouted),
        characters.count(songs.token_start[raised]) / songs.words.sizes,
        characters.count(upper) / letters,
        characters.count(np.flatnonzero(songs.codes > 127)) / letters,
    ]


def _marks(songs: _Songs) -> list[NDArray[Any]]:
    lines, characters, codes, words = songs.lines, songs.characters, songs.codes, songs.words.sizes
    places = np.flatnonzero(songs.properties >= _MARK)
    kind, code = songs.properties[places] // _MARK, codes[places]
    counts = [characters.count(places[kind == number]) / words for number in range(1, len(_MARKS) + 1)]
    commas = songs.in_lines(places[code == ord(",")]) - (songs.last == ord(","))
    apostrophes = places[_among(code, "'’")]
    clipped = apostrophes[(codes[apostrophes - 1] == ord("n")) & (codes[apostrophes - 2] == ord("i"))]
    token_end = songs.token_end[np.searchsorted(songs.token_start, clipped, side="right") - 1]
    after = places[_among(code, _AFTER_CLIPPED)]
    clipped = clipped[np.searchsorted(after, token_end) - np.searchsorted(after, clipped) == token_end - clipped - 1]
    space = songs.properties & _SPACE > 0
    trailing = songs.raw_ends[space[songs.raw_ends - 1] & (codes[songs.raw_ends - 1] != ord("\n"))]
    blank = codes == ord(" ")
    first, last = _runs(blank[1:] & blank[:-1])
    pairs = np.bincount(
        np.searchsorted(characters.bounds, first, side="right") - 1, (last - first + 1) // 2, len(words)
    )
    return [
        *counts,
        *(lines.mean(_among(songs.last, marks)) for marks in _ENDS.values()),
        lines.mean(songs.properties[songs.end - 1] & _LETTER > 0),
        lines.mean(commas > 0),
        lines.mean(songs.in_lines(places[code == ord("(")]) > 0),
        characters.count(clipped) / words,
        characters.count(trailing) / characters.count(songs.raw_ends),
        pairs / words,
    ]


_FAMILIES = (_sizes, _steps, _sections, _words, _repeats, _echoes, _capitals, _marks)


def _upto(what: str, most: int) -> list[str]:
    return [f"{what}: {n}" for n in range(1, most)] + [f"{what}: {most} and more"]


NAMES: tuple[str, ...] = (
    *("characters (log)", "words (log)", "lines (log)", "words per line, mean (log)"),
    *(f"characters per line, {name} (log)" for name in ("10%", "25%", "median", "75%", "90%", "longest")),
    *("words per line, spread", *_upto("lines by words", _WORDS_A_LINE)),
    *("step to the next line", "step to the line after next", "lines as long as the next"),
    *("sections (log)", "lines per section (log)", "lines per section, spread (log)", "longest section (log)"),
    *_upto("sections by lines", _LINES_A_SECTION),
    *("letters per word", *_upto("words by letters", _LETTERS_A_WORD)),
    *(
        "syllables per line (log)",
        "syllables per line, spread",
        "syllables per word",
        "repeated words",
        "words used once",
    ),
    *("share of the most frequent word (log)", "words doubled", "compressed length"),
    *("repeated lines", "copies of the most frequent line (log)", *(f"lines repeated after {gap}" for gap in _GAPS)),
    *("lines repeated later", "mean gap of repeats (log)", "second half repeats the first"),
    *(f"same first word {lag} later" for lag in _LAGS[:2]),
    *(f"same last word {lag} later" for lag in _LAGS[:2]),
    *(f"same last letters {lag} later" for lag in _LAGS),
    *(f"same mark at the end {lag} later" for lag in _LAGS[:2]),
    *("lines with a capital first", "lines all in capitals", "capitals within a line", "capital letters"),
    "letters beyond ASCII",
    *(f"{name} per word" for name in _MARKS),
    *(f"lines that end in a {name}" for name in _ENDS),
    *("lines that end in a letter", "lines with a comma inside", "lines with a parenthesis", "words in -in'"),
    *("lines with blanks at their end", "runs of blanks"),
)
"""The name of each feature, in the order of the columns of `layout`."""


LANDMARKS = 1_000
KNOTS = 257

Singles = NDArray[np.float32]


@dataclass(eq=False, repr=False)
class LayoutKernel(SongInput, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Nystroem features of a Gaussian kernel on the layout of songs.

    Parameters
    ----------
    width
        The kernel is ``exp(-d / (width * D))``, where d is the squared distance of two layouts and D its median.
    random_state
        Seed of the choice of landmarks.
    landmarks
        Maximum number of landmarks.

    Attributes
    ----------
    mean_, spread_ : arrays of float64, shape (p,)
        Mean and standard deviation of each layout feature.
    knots_ : array of float64, shape (KNOTS, p)
        Quantiles of each layout feature, for its rank.
    landmarks_ : array of float32, shape (m, 2 p)
    distance_ : float
        The median squared distance of two songs.
    root_ : array of float32, shape (m, r)
        Inverse square root of the kernel matrix of the landmarks.
    """

    width: float = 2.0
    random_state: int = 0
    landmarks: int = LANDMARKS

    def fit(self, X: Any, y: Any = None) -> LayoutKernel:
        """Fit the scaling and choose the landmarks."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Singles:
        """Fit on songs and return their features, float32, shape (n, r)."""
        raw = layout(lyrics_of(X))
        self.mean_, self.spread_ = raw.mean(axis=0), raw.std(axis=0) + 1e-6
        self.knots_ = np.quantile(raw, np.linspace(0, 1, KNOTS), axis=0)
        rows = self._rows(raw)
        rng = np.random.default_rng(self.random_state)
        chosen = np.sort(rng.permutation(len(rows))[: self.landmarks])
        self.landmarks_ = rows[chosen]
        apart = _distances(self.landmarks_, self.landmarks_)
        self.distance_ = float(np.median(apart)) or 1.0
        values, vectors = np.linalg.eigh(self._similarities(apart).astype(np.float64))
        kept = values > values[-1] * 1e-6
        self.root_ = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        self.n_features_in_ = 1
        return self._features(rows)

    def transform(self, X: Any) -> Singles:
        """Return the features of songs, float32, shape (n, r)."""
        check_is_fitted(self, "root_")
        return self._features(self._rows(layout(lyrics_of(X))))

    def product(self, X: Any, coef: NDArray[Any]) -> NDArray[np.float64]:
        """Return ``transform(X) @ coef``; with many songs the root is multiplied by ``coef`` first, which is much less work.

        The root has large entries of both signs, so the products are in float64.
        """
        check_is_fitted(self, "root_")
        similarities = self._similarities(_distances(self._rows(layout(lyrics_of(X))), self.landmarks_))
        factors = (similarities, self.root_, coef)
        return np.asarray(np.linalg.multi_dot([factor.astype(np.float64) for factor in factors]))

    def _features(self, rows: Singles) -> Singles:
        return np.asarray(self._similarities(_distances(rows, self.landmarks_)) @ self.root_, dtype=np.float32)

    def _similarities(self, apart: Singles) -> Singles:
        return np.asarray(np.exp(-apart / np.float32(self.width * self.distance_)), dtype=np.float32)

    def _rows(self, raw: NDArray[np.float64]) -> Singles:
        standard = np.clip((raw - self.mean_) / self.spread_, -4, 4)
        ranks = np.empty_like(raw)
        for p in range(raw.shape[1]):
            low = np.searchsorted(self.knots_[:, p], raw[:, p], side="left")
            high = np.searchsorted(self.knots_[:, p], raw[:, p], side="right")
            ranks[:, p] = (low + high + 1) / (2 * (KNOTS + 1))
        return np.hstack([standard, ndtri(np.clip(ranks, 0.002, 0.998))]).astype(np.float32)


def _distances(a: Singles, b: Singles) -> Singles:
    """Return the squared distances of the rows of ``a`` and ``b``, shape (len(a), len(b))."""
    found = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.asarray(np.maximum(found, 0), dtype=np.float32)
