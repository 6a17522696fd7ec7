"""The words of the generated songs: short runs of function words, and the content words that they connect.

Unusual, and why: a song is drawn as pairs of a connector ("and the", "in my") and a content word ("harbour"). That reads
like English to a language identifier, takes half the random draws that single words would, and shares next to no
three-word sequence with another song. Each word stands in the pool of pieces once in every form in which it can occur
(with a capital, a space, a comma, a line end), so that one look-up by number writes the text.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lyrist.text import lines, words
from songtables.foreign import FOREIGN
from songtables.fouracts import songbook

Ints = npt.NDArray[np.int64]

_FUNCTION_WORDS = """
a about above across after again against ain't all along always am among an and another any are aren't around as at
away back be because been before behind being below beneath beside between beyond both but by came can can't could
couldn't did didn't do does doesn't doing don't done down each either else enough even ever every for from gone got
had has hasn't have haven't having he he'd he'll he's her here here's hers him his how i i'd i'll i'm i've if in inside
into is isn't it it'd it'll it's its just let like many may me might mine more most much must my myself near neither
never no nobody none nor not nothing now of off on once one only or other our ours out outside over own past perhaps
quite rather she she'd she'll she's should shouldn't since so some someone something somewhere still such than that
that's the their them then there there's these they they'd they'll they're they've this those though through till to
too toward towards under until up upon us very was wasn't we we'd we'll we're we've were weren't what what's when
where where's whether which while who who'd who'll who's whose why will with within without won't would wouldn't yet
you you'd you'll you're you've your yours
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that hold a sentence together; all others are content words."""

LONGEST_RUN = 3
"""Function words in a connector."""

DRAWS = 4096
"""Entries of a table from which connectors, or one artist's content words, are drawn with equal chances."""

COMMON_DRAWS = 65_536
"""Entries of the table of content words that all artists share."""

MIDDLE = (" ", ", ")
"""What follows a word inside a line."""

CLOSINGS = ("", ",", ".", "!", "?", " (yeah)", " (oh, oh)")
"""What follows the last word of a line."""

_FORMS = (*MIDDLE, *(closing + "\n" for closing in CLOSINGS), *CLOSINGS)
FORMS = len(_FORMS) + 2
"""Forms of a content word: the above, and two with a capital, for titles."""

TITLED, TITLED_ON = FORMS - 2, FORMS - 1
"""With a capital, as the last word of a title and as one that goes on."""

EMPTY = 0
"""The piece that is no text."""

_CONNECTOR_POWER = 0.7  # flatter than in the songbook, where a fifth of all connectors are "the"
_HEAD = 8.0  # Zipf-Mandelbrot: the frequency of rank r is 1 / (r + 8)


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of one language."""

    pieces: pa.StringArray
    """An empty piece; each connector plain and with a capital; each content word in `FORMS` forms."""
    connectors: Ints
    """(`DRAWS`,) first pieces of connectors, each as often as it shall be drawn."""
    chances: npt.NDArray[np.float64]
    """(words,) how likely each content word is; they sum to 1."""
    first_content: int
    """The piece with which the content words begin."""
    contents: tuple[str, ...]

    def content_piece(self, word: Any, form: Any) -> Any:
        """Return the piece of a content word (its number in ``contents``) in a form."""
        return self.first_content + word * FORMS + form


def drawn(chances: npt.NDArray[np.float64], size: int, offset: float = 0.5) -> Ints:
    """Return ``size`` indices, each as often as its chance says, rounded down or up by ``offset`` in [0, 1)."""
    cumulated = np.cumsum(chances)
    found: Ints = np.searchsorted(cumulated, (np.arange(size) + offset) / size * cumulated[-1])
    return found.clip(max=len(chances) - 1)


def _vocabulary(connectors: Sequence[str], weights: npt.NDArray[np.float64], contents: Sequence[str]) -> Vocabulary:
    pieces = [""]
    for text in connectors:
        pieces += [text + " ", _capital(text) + " "]
    first_content = len(pieces)
    for word in contents:
        pieces += [word + form for form in _FORMS]
        pieces += [_capital(word), _capital(word) + " "]
    chances = 1 / (np.arange(len(contents)) + _HEAD)
    table = 1 + 2 * drawn(weights, DRAWS)
    return Vocabulary(pa.array(pieces, pa.string()), table, chances / chances.sum(), first_content, tuple(contents))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@functools.cache
def english() -> Vocabulary:
    """Return the words of the songbook: its runs of function words, and its content words, the commonest first."""
    runs: Counter[str] = Counter()
    contents: Counter[str] = Counter()
    for song in songbook():
        for line in lines(song.lyrics):
            if line.startswith("["):
                continue
            run: list[str] = []
            for word in words(line):
                if word in FUNCTION_WORDS:
                    run.append(word)
                    continue
                if 0 < len(run) <= LONGEST_RUN:
                    runs[" ".join(run)] += 1
                run = []
                contents[word] += re.fullmatch(r"[a-z][a-z']+", word) is not None
    ordered = sorted(runs.items(), key=lambda item: (-item[1], item[0]))
    connectors = [re.sub(r"\bi\b", "I", run) for run, _ in ordered]
    weights = np.array([count for _, count in ordered], float) ** _CONNECTOR_POWER
    ranked = [word for word, count in sorted(contents.items(), key=lambda item: (-item[1], item[0])) if count]
    return _vocabulary(connectors, weights, ranked)


@functools.cache
def foreign(code: str) -> Vocabulary:
    """Return the words of another language of `FOREIGN`; all are equally likely."""
    connectors, contents = FOREIGN[code]
    found = _vocabulary(connectors, np.ones(len(connectors)), contents)
    even = np.full(len(contents), 1 / len(contents))
    return Vocabulary(found.pieces, found.connectors, even, found.first_content, found.contents)
