"""Explanations of a prediction: the words and lines with the largest weights for and against a label.

The logit of a linear model is a sum over features. Its explanation is exact: the contribution of each character, summed over
words and lines. Any other model is explained by occlusion (Zeiler & Fergus 2014): the weight of a word or a line is the
change of the label's log-probability when it is removed. `Explanation.method` says which of the two was used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist.errors import LyristError, unknown
from lyrist.models.inputs import songs
from lyrist.text import WORD

Columns = Mapping[str, Any]
"""The value of each column of one song."""

EXACT = "exact shares of the logit"
OCCLUSION = "leaving words and lines out"

MOST_LEFT_OUT = 400
"""Largest number of distinct words of a text that are removed one by one: the most frequent ones."""

MERGED = 3
"""Smallest number of characters of a part of a word that is merged into it; shorter ones are in too many words."""


@dataclass(frozen=True)
class Explanation:
    """The words and lines that contributed most to the prediction for one text."""

    label: str
    """The label that is explained."""
    words: list[tuple[str, float]]
    """Words in lower case and their weights, the largest absolute weight first: above 0 for the label, below 0 against it.
    The weight of a word is the sum over all its occurrences."""
    lines: list[tuple[str, float]]
    """Lines and their weights, likewise."""
    method: str
    """How the weights were computed."""
    other: dict[str, float] = field(default_factory=dict)
    """Weights of everything else: the artist, the layout, punctuation between words, the intercept."""


def explain(
    model: Any, text: str, label: str | None = None, top: int = 12, artist: str = "", columns: Columns | None = None
) -> Explanation:
    """Return the words and lines of a text with the largest weights for or against a label.

    Parameters
    ----------
    model
        A fitted classifier: explained exactly if it has a method ``contributions``, else by occlusion.
    text
        The lyrics.
    label
        The label to explain; by default the most probable.
    top
        The number of words, and of lines, to return.
    artist
        The artist of the text, for a model that uses the artist.
    columns
        The values of other columns that the model reads, by name; the others are missing.

    Raises
    ------
    UsageError
        The model has no such label.
    """
    classes = [str(c) for c in model.classes_]
    if label is None:
        label = classes[int(np.argmax(model.predict_proba(_inputs([text], artist, columns))[0]))]
    if label not in classes:
        raise unknown("label", label, classes)
    if hasattr(model, "contributions"):
        return _exact(model, text, label, top, _inputs([text], artist, columns))
    return _occlusion(model, text, label, top, lambda texts: _inputs(texts, artist, columns))


def _inputs(texts: Sequence[str], artist: str, columns: Columns | None) -> Any:
    """Return texts with one artist and one value of each other column as the input of a classifier."""
    others = {name: [value] * len(texts) for name, value in (columns or {}).items()}
    return songs(texts, [artist] * len(texts), others)


def telling_words(model: Any, songs: pl.DataFrame, top: int = 15) -> dict[str, list[tuple[str, float]]]:
    """Return for each label the words with the largest positive weights; empty for models that are not linear.

    Each of the features with the largest weights is merged into the most frequent word of the label's songs that contains it, so
    that character n-grams are shown as words; the weight of a word is the sum of theirs. A sequence of words is kept as it is.

    Parameters
    ----------
    model
        A fitted classifier.
    songs
        Training songs, with the columns ``label`` and ``lyrics``.
    top
        The number of words for each label.
    """
    if not hasattr(model, "feature_weights"):
        return {}
    lyrics = dict(songs.group_by("label").agg("lyrics").iter_rows())
    return {
        str(label): _merged(names, weights, vocabulary(lyrics.get(label, ())), top)
        for label, names, weights in model.feature_weights()
    }


def vocabulary(texts: Iterable[str | None]) -> str:
    """Return the words of texts in lower case, the most frequent first, with a blank before and after each."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({match[0].lower().replace("’", "'") for match in WORD.finditer(text or "")})
    return "".join(f" {word} " for word, _ in counts.most_common())


def _merged(names: NDArray[np.str_], weights: NDArray[Any], known: str, top: int) -> list[tuple[str, float]]:
    candidates = min(len(weights), 40 * top)
    order = np.argpartition(-weights, candidates - 1)[:candidates] if candidates else np.zeros(0, dtype=int)
    merged: dict[str, float] = {}
    for i in order[weights[order] > 0].tolist():
        word = _word_of(str(names[i]), known)
        if word:
            merged[word] = merged.get(word, 0.0) + float(weights[i])
    found: list[tuple[str, float]] = []
    for word, weight in sorted(merged.items(), key=lambda pair: (-pair[1], pair[0])):
        if not any(set(word.split()) & set(other.split()) for other, _ in found):
            found.append((word, weight))
    return found[:top]


def _word_of(name: str, known: str) -> str:
    """Return the word that a feature belongs to, or the words if it is a sequence of them; empty if there is none."""
    name = name.lower().replace("’", "'")
    words = re.findall(r"[\w']+", name)
    if len(words) > 1 and not re.search("[·↵]", name) and all(f" {word} " in known for word in words):
        return " ".join(words)
    pieces = re.split(r"[^\w']+", name)  # only between two pieces is the end of a word known
    bounded = [" " * (i > 0) + piece + " " * (i < len(pieces) - 1) for i, piece in enumerate(pieces)]
    longest = max(bounded, key=lambda piece: len(piece.strip()))
    bare, place = longest.strip("' "), known.find(longest)
    if len(bare) < MERGED and bare.isascii():
        return ""
    if place < 0:  # n-grams of scripts without blanks are in no word
        return "" if bare.isascii() else bare
    place += longest.startswith(" ")
    return known[known.rfind(" ", 0, place) + 1 : known.find(" ", place)]


def _exact(model: Any, text: str, label: str, top: int, song: Any) -> Explanation:
    found = model.contributions(song, label)
    shares, in_word = found.characters, np.zeros(len(text), dtype=bool)
    words: dict[str, float] = {}
    for match in WORD.finditer(text):
        name = match[0].lower().replace("’", "'")
        words[name] = words.get(name, 0.0) + float(shares[match.start() : match.end()].sum())
        in_word[match.start() : match.end()] = True
    lines: dict[str, float] = {}
    for start, end in _line_spans(text):
        line = text[start:end].strip()
        lines[line] = lines.get(line, 0.0) + float(shares[start:end].sum())
    marks = float(shares[~in_word].sum())
    other = dict(found.other) | ({"marks and blanks": marks} if marks else {})
    return Explanation(label, _largest(words, top), _largest(lines, top), EXACT, other)


def _occlusion(model: Any, text: str, label: str, top: int, inputs: Callable[[Sequence[str]], Any]) -> Explanation:
    words: dict[str, list[tuple[int, int]]] = {}
    for match in WORD.finditer(text):
        words.setdefault(match[0].lower().replace("’", "'"), []).append(match.span())
    kept = sorted(words, key=lambda word: -len(words[word]))[:MOST_LEFT_OUT]
    lines: dict[str, list[tuple[int, int]]] = {}
    for start, end in _line_spans(text):
        lines.setdefault(text[start:end].strip(), []).append((start, min(end + 1, len(text))))
    texts = [
        text,
        *(_without(text, words[word]) for word in kept),
        *(_without(text, spans) for spans in lines.values()),
    ]
    P = np.asarray(model.predict_proba(inputs(texts)), dtype=np.float64)
    column = [str(c) for c in model.classes_].index(label)
    logs = np.log(np.clip(P[:, column], 1e-12, 1))
    if not np.isfinite(logs).all():
        raise LyristError(
            "A predicted probability is not a number: the training of this model diverged; train it again."
        )
    change = (logs[0] - logs[1:]).tolist()
    by_word = dict(zip(kept, change[: len(kept)], strict=True))
    by_line = dict(zip(lines, change[len(kept) :], strict=True))
    return Explanation(label, _largest(by_word, top), _largest(by_line, top), OCCLUSION)


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, last = [], 0
    for start, end in spans:
        parts.append(text[last:start])
        last = end
    return "".join([*parts, text[last:]])


def _line_spans(text: str) -> list[tuple[int, int]]:
    spans, start = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def _largest(weights: dict[str, float], top: int) -> list[tuple[str, float]]:
    return sorted(((name, w) for name, w in weights.items() if w), key=lambda item: -abs(item[1]))[:top]
