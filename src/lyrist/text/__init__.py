"""Words, lines and syllables of lyrics, and sanitised text for terminals."""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
"""A word: letters or digits, apostrophes inside it (``don't`` is one word)."""

KEY_PATTERN = r"[^\p{L}\p{N}]+"
"""The pattern that `key` replaces by one space, in the syntax of Rust's `regex`, for use on columns."""

_NOT_KEY = re.compile(r"(?:[^\w]|_)+")
_VOWELS = re.compile(r"[aeiouyàâäáãåæèéêëìíîïòóôöõøœùúûüýÿ]+")
_SILENT_E = re.compile(r"[^aeiouyl]e$|[aeiouy]le$|[^td]ed$|[^sxzc]es$")
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def words(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, in order."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]


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
