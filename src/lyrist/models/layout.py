"""How a song is laid out: line lengths, marks at line ends, repeated lines, blanks between sections, capitals. No words.

These few numbers alone tell three artists apart in two songs of three, mostly because whoever typed an artist's songs
had habits. So they are a control that every table of results needs, and a member of the ensemble.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from lyrist.models.inputs import lyrics_of
from lyrist.text import repetition, words

_SECTION = re.compile(r"\n[^\S\n]*\n")
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

NAMES: tuple[str, ...] = (
    "characters (log)",
    "words (log)",
    "lines (log)",
    "words a line, mean",
    "words a line, spread",
    "characters a line, median",
    "characters a line, longest",
    "letters a word",
    "words of one to three letters",
    "sections (log)",
    "lines a section (log)",
    "repeated lines",
    "copies of the commonest line (log)",
    "repeated words",
    "lines that follow their copy",
    "lines with a capital first",
    "lines all in capitals",
    "words with a capital within a line",
    "capital letters",
    "letters beyond a to z",
    "lines with blanks at their end",
    "runs of blanks",
    *(f"{name} a word" for name in _MARKS),
    *(f"lines that end in a {name}" for name in _ENDS),
)
"""What each number is, in the order of the columns of `layout`."""


def layout(texts: list[str]) -> NDArray[np.float64]:
    """Return the layout of each text, shape (n, len(NAMES)): shares, means and logarithms, none of them a word."""
    if not texts:
        return np.zeros((0, len(NAMES)))
    return np.array([_layout(text) for text in texts], dtype=np.float64)


class Layout(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`layout` as a scikit-learn transformer; there is nothing to learn."""

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
        """Tell scikit-learn that it may be used as it is."""
        return True


def _layout(text: str) -> list[float]:
    raw = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [line.strip() for line in raw if line.strip()]
    tokens = words(text)
    n_lines, n_words = max(len(lines), 1), max(len(tokens), 1)
    return [
        *_lengths(text, lines, tokens, n_lines, n_words),
        *_repeats(text, lines, n_lines),
        *_capitals(text, lines, raw, n_lines, n_words),
        *(sum(map(text.count, marks)) / n_words for marks in _MARKS.values()),
        *(sum(line[-1] in marks for line in lines) / n_lines for marks in _ENDS.values()),
    ]


def _lengths(text: str, lines: list[str], tokens: list[str], n_lines: int, n_words: int) -> list[float]:
    a_line = np.array([line.count(" ") + 1 for line in lines] or [0], dtype=float)
    widths = np.array([len(line) for line in lines] or [0], dtype=float)
    sizes = [len(token) for token in tokens]
    return [
        float(np.log1p(len(text))),
        float(np.log1p(len(tokens))),
        float(np.log1p(len(lines))),
        float(np.log1p(a_line.mean())),
        float(a_line.std() / (1 + a_line.mean())),
        float(np.log1p(np.median(widths))),
        float(np.log1p(widths.max())),
        sum(sizes) / n_words,
        sum(size <= 3 for size in sizes) / n_words,
    ]


def _repeats(text: str, lines: list[str], n_lines: int) -> list[float]:
    sections = len(_SECTION.findall(text.strip())) + 1
    low = [line.lower().rstrip(",.;:!? ") for line in lines]
    counts = Counter(low)
    return [
        float(np.log(sections)),
        float(np.log1p(len(lines) / sections)),
        1 - len(counts) / n_lines if lines else 0.0,
        float(np.log(max(counts.values(), default=1))),
        repetition(text),
        sum(a == b for a, b in itertools.pairwise(low)) / n_lines,
    ]


def _capitals(text: str, lines: list[str], raw: list[str], n_lines: int, n_words: int) -> list[float]:
    inner = sum(word[:1].isupper() and word != "I" for line in lines for word in line.split()[1:])
    letters = [c for c in text if c.isalpha()]
    return [
        sum(line[0].isupper() for line in lines) / n_lines,
        sum(line.isupper() and len(line) > 3 for line in lines) / n_lines,
        inner / n_words,
        sum(c.isupper() for c in letters) / max(len(letters), 1),
        sum(not c.isascii() for c in letters) / max(len(letters), 1),
        sum(line != line.rstrip() for line in raw) / max(len(raw), 1),
        text.count("  ") / n_words,
    ]
