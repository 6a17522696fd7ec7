"""Layout features of a song: line and section lengths, punctuation, repetition, line ends; no words.

These numbers alone predict one of three artists correctly for two songs of three: partly because of the artist's style, partly
because of the habits of whoever typed the lyrics. So every table of results needs this baseline, and a model of words becomes
better with these features (docs/log.md).
"""

from __future__ import annotations

import functools
import operator
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from lyrist.models.inputs import lyrics_of
from lyrist.text import WORD, syllables

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
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
_CLIPPED = ("in'", "in’")
_WORDS_A_LINE, _LINES_A_SECTION, _LETTERS_A_WORD = 14, 9, 11
_GAPS = (1, 2, 4, 8)
_LAGS = (1, 2, 3, 4)


@dataclass(frozen=True)
class _Song:
    text: str
    raw: list[str]
    lines: list[str]
    tokens: list[list[str]]
    """The words of each line in lower case; one empty word if there is none."""

    @functools.cached_property
    def words(self) -> list[str]:
        return [word for line in self.tokens for word in line]

    @functools.cached_property
    def plain(self) -> list[str]:
        return [" ".join(line) for line in self.tokens]

    @functools.cached_property
    def characters(self) -> Counter[str]:
        return Counter(self.text)

    def of(self, holds: Callable[[str], bool]) -> int:
        """Return the number of characters with a property; it is evaluated once per distinct character."""
        return sum(count for character, count in self.characters.items() if holds(character))


def layout(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the layout features of each text, shape (n, len(NAMES)): shares, means and logarithms."""
    found = np.zeros((len(texts), len(NAMES)))
    for row, text in zip(found, texts, strict=True):
        song = _read(text)
        row[:] = [value for family in _FAMILIES for value in family(song)]
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


def _read(text: str) -> _Song:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text.split("\n")
    lines = [line for line in (part.strip() for part in raw) if line] or [""]
    return _Song(text, raw, lines, [WORD.findall(line.lower()) or [""] for line in lines])


def _sizes(song: _Song) -> list[float]:
    a_line = np.array([len(line) for line in song.tokens], dtype=float)
    widths = np.sort([len(line) for line in song.lines])
    at = [widths[int(share * (len(widths) - 1))] for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1)]
    return [
        *np.log1p([len(song.text), len(song.words), len(song.lines), a_line.mean(), *at]).tolist(),
        float(a_line.std() / a_line.mean()),
        *_shares(a_line, _WORDS_A_LINE),
    ]


def _steps(song: _Song) -> list[float]:
    """Return differences of line lengths between successive lines."""
    a_line = np.array([len(line) for line in song.tokens], dtype=float)
    one, two = np.abs(a_line[1:] - a_line[:-1]), np.abs(a_line[2:] - a_line[:-2])
    mean = a_line.mean()
    return [_mean(one) / mean, _mean(two) / mean, _mean(one == 0)]


def _sections(song: _Song) -> list[float]:
    found = [sum(1 for line in part.split("\n") if line.strip()) for part in _BLANK_LINE.split(song.text.strip())]
    sizes = np.array(found, dtype=float)
    spread = np.log1p([len(sizes), sizes.mean(), sizes.std(), sizes.max()])
    return [*spread.tolist(), *_shares(sizes, _LINES_A_SECTION)]


def _words(song: _Song) -> list[float]:
    letters = np.array([len(word) for word in song.words], dtype=float)
    beats = np.array([sum(map(_beats, line)) for line in song.tokens], dtype=float)
    counts = Counter(song.words)
    n = len(song.words)
    return [
        float(letters.mean()),
        *_shares(letters, _LETTERS_A_WORD),
        float(np.log1p(beats.mean())),
        float(beats.std() / max(beats.mean(), 1)),
        float(beats.sum() / n),
        1 - len(counts) / n,
        sum(count == 1 for count in counts.values()) / len(counts),
        float(np.log(max(counts.values()) / n)),
        sum(map(operator.eq, song.words, song.words[1:])) / n,
        len(zlib.compress(song.text.encode("utf-8", "replace"), 6)) / (len(song.text) + 1),
    ]


def _repeats(song: _Song) -> list[float]:
    """Return how many lines are repeated, and at which distance."""
    n, counts = len(song.plain), Counter(song.plain)
    last: dict[str, int] = {}
    gaps = []
    for place, line in enumerate(song.plain):
        if line in last:
            gaps.append(place - last[line])
        last[line] = place
    half = set(song.plain[: n // 2])
    return [
        1 - len(counts) / n,
        float(np.log(max(counts.values()))),
        *(gaps.count(gap) / n for gap in _GAPS),
        sum(gap > _GAPS[-1] for gap in gaps) / n,
        float(np.log1p(sum(gaps) / max(len(gaps), 1))),
        sum(line in half for line in song.plain[n // 2 :]) / n,
    ]


def _echoes(song: _Song) -> list[float]:
    """Return how often lines begin or end with the same word, the same last letters or the same punctuation."""
    first, last = [line[0] for line in song.tokens], [line[-1] for line in song.tokens]
    rhyme = [word[-2:] for word in last]
    marks = [line[-1:] if not line[-1:].isalnum() else "" for line in song.lines]
    return [
        *(_same(first, lag) for lag in _LAGS[:2]),
        *(_same(last, lag) for lag in _LAGS[:2]),
        *(_same(rhyme, lag) for lag in _LAGS),
        *(_same(marks, lag) for lag in _LAGS[:2]),
    ]


def _capitals(song: _Song) -> list[float]:
    inner = [word for line in song.lines for word in line.split()[1:]]
    raised = sum(map(str.isupper, [word[0] for word in inner])) - inner.count("I")
    letters = max(song.of(str.isalpha), 1)
    n = len(song.lines)
    return [
        sum(line[:1].isupper() for line in song.lines) / n,
        sum(line.isupper() and len(line) > 3 for line in song.lines) / n,
        raised / len(song.words),
        song.of(str.isupper) / letters,
        (len(song.text) - len(song.text.encode("ascii", "ignore"))) / letters,
    ]


def _marks(song: _Song) -> list[float]:
    n, words = len(song.lines), len(song.words)
    ends = [line[-1:] for line in song.lines]
    clipped = any(end in song.text for end in _CLIPPED)
    return [
        *(sum(map(song.characters.__getitem__, marks)) / words for marks in _MARKS.values()),
        *(sum(end in marks for end in ends if end) / n for marks in _ENDS.values()),
        sum(end.isalnum() for end in ends) / n,
        sum("," in line[:-1] for line in song.lines) / n,
        sum("(" in line for line in song.lines) / n,
        sum(word.rstrip(",.!?;:)").endswith(_CLIPPED) for word in song.text.split() if clipped) / words,
        sum(line != line.rstrip() for line in song.raw) / len(song.raw),
        song.text.count("  ") / words,
    ]


_beats = functools.lru_cache(maxsize=1 << 16)(syllables)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else 0.0


def _shares(values: NDArray[np.float64], most: int) -> list[float]:
    """Return the share of values that are 1, 2, ... up to ``most``; larger values count as ``most``."""
    counted = np.bincount(np.minimum(values, most).astype(np.int64), minlength=most + 1)[1:]
    found: list[float] = (counted / len(values)).tolist()
    return found


def _same(values: list[str], lag: int) -> float:
    same: int = sum(map(operator.eq, values, values[lag:]))
    return same / max(len(values) - lag, 1)


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
