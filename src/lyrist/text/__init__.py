"""Words, lines and syllables of lyrics, and sanitised text for terminals."""

from __future__ import annotations

import re
import unicodedata

_EACH = "々〇\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HANGUL = "\uac00-\ud7a3"
_BEFORE, _BASE = "\u0e40-\u0e44\u0ec0-\u0ec4", "\u0e01-\u0e2f\u0e81-\u0eae\u0edc-\u0edf\u1000-\u102a\u103f\u1780-\u17b3"
_AFTER = "\u0e30-\u0e3a\u0e45-\u0e4e\u0eb0-\u0ebd\u0ec6-\u0ece\u102b-\u103e\u17b6-\u17d1\u17d3"
_UNSPACED = _EACH + _KATAKANA + _HANGUL + _BEFORE + _BASE + _AFTER
"""Letters of scripts that are written without spaces between words, or with few."""
_JOINED = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03"
    "\u0a3c-\u0a4d\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c56\u0c81-\u0c83"
    "\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d"
)
"""Accents and vowel signs that belong to the letter before them."""


def _word(letter: str) -> str:
    """Return the pattern of a word, with ``letter`` for letters and digits of scripts with spaces."""
    run = f"{letter}+(?:[{_JOINED}]+{letter}*)*"
    syllable = rf"[{_BEFORE}]?[{_BASE}](?:\u17d2[{_BASE}]|[{_AFTER}])*".replace(r"\u17d2", "\u17d2")
    return f"{run}(?:['’]{run})*|[{_EACH}]|[{_KATAKANA}]+|[{_HANGUL}]{{1,3}}|(?:{syllable}){{1,3}}"


WORD = re.compile(_word(rf"[^\W_{_UNSPACED}]"))
"""A word: letters or digits, apostrophes inside it (``don't`` is one word).

Scripts without spaces are not segmented by a dictionary but cut by a rule, so that songs in them have about as many words as
others: a Chinese character or a hiragana is one word, a run of katakana is one, Hangul is cut after three syllables, and Thai,
Lao, Khmer and Burmese after three consonants with their vowels.
"""
_ASCII_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

WORD_PATTERN = _word(rf"[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]")
"""`WORD` in the syntax of Rust's `regex`, for use on columns."""

KEY_PATTERN = r"[^\p{L}\p{N}]+"
"""The pattern that `key` replaces by one space, in the syntax of Rust's `regex`, for use on columns."""

_NOT_KEY = re.compile(r"(?:[^\w]|_)+")
_VOWELS = re.compile(r"[aeiouyàâäáãåæèéêëìíîïòóôöõøœùúûüýÿ]+")
_SILENT_E = re.compile(r"[^aeiouyl]e$|[aeiouy]le$|[^td]ed$|[^sxzc]es$")
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def words(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, in order."""
    text = text.lower()
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return [word.replace("’", "'") for word in WORD.findall(text)]


def counted(count: int, noun: str) -> str:
    """Return a count and its noun, as in ``1 song`` and ``2,000 songs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def lines(text: str) -> list[str]:
    """Return the lines of ``text`` that are not empty, stripped."""
    return [line for line in (raw.strip() for raw in text.split("\n")) if line]


def key(text: str) -> str:
    """Return ``text`` in lower case, with every run of characters that are not letters or digits as one space.

    Two texts with equal keys differ only in case, punctuation and layout.
    """
    return _NOT_KEY.sub(" ", text.lower()).strip()


def syllables(word: str) -> int:
    """Return the number of syllables in a word, by counting groups of vowels; at least 1.

    A final silent ``e``, ``-ed`` and ``-es`` do not count. English spelling is assumed; other scripts count 1.
    """
    word = word.lower().replace("’", "'").split("'")[0]
    count = len(_VOWELS.findall(word))
    if count > 1 and _SILENT_E.search(word):
        count -= 1
    return max(count, 1)


def repetition(lyrics: str) -> float:
    """Return the share of words that have occurred before in the same song, from 0 (no repeats) towards 1.

    This is the repetition score: repeated words / all words. An empty text scores 0.
    """
    found = words(lyrics)
    return 1 - len(set(found)) / len(found) if found else 0.0


def printable(text: str) -> str:
    """Return ``text`` without characters that could move the cursor of a terminal, hide text or change its direction.

    Control, format (bidirectional marks, zero-width), surrogate and private-use characters become ``�``; line ends and
    tabs stay.
    """
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in _UNSAFE else "�" for c in text)
