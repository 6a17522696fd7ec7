"""Words, lines, syllables and names in lyrics, and sanitised text for terminals."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

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


MASK = "___"
"""The placeholder of a masked name: no word, to a model of words."""

APOSTROPHES = "['’`´]"

_FEATURED = re.compile(r"(?<=\w)[\s,]*[(\[]?\s*\b(?:feat(?:uring)?|ft)\b\.?\s.*$")
_ARTICLE_LAST = re.compile(r"^(.*\w),\s*(the)$")
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}(?:[^\W\d_]\b)?")
_ARTICLE = re.compile(r"^the\s+(?=\S)")
_APART = re.compile(r"\s*(?:[,;/+&]|\b(?:and|with|vs|versus|x|feat(?:uring)?|ft)\b\.?)\s*")
_GUESTS = re.compile(r"\b(?:feat(?:uring)?|ft|with)\b\.?\s+([^()\[\]]+)")
_GAP = r"[^\w\n]+"
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
"""A character of a script whose words have no spaces between them, or particles at their ends (Korean)."""


def artist_of(name: str) -> str:
    """Return the key of an artist's name; empty where there is none.

    Equal for names that differ in case, punctuation, accents written as one character or two (NFC, NFD), HTML entities,
    "&" and "and", the place of "The", full stops of initials, and guests ("feat. ..."). A name of symbols alone is its own key.
    """
    name = _ARTICLE_LAST.sub(r"\2 \1", _FEATURED.sub("", plain_name(name)))
    name = _INITIALS.sub(lambda found: found[0].replace(".", ""), name)
    return shortened(_ARTICLE, re.sub(r"\s*[&+]\s*", " and ", name))


def singers(artist: str, title: str = "") -> frozenset[str]:
    """Return the keys of all who are named in an artist's name, and as guests in a title."""
    guests = [name for found in _GUESTS.findall(plain_name(title)) for name in _APART.split(found)]
    plain = _ARTICLE_LAST.sub(r"\2 \1", plain_name(artist))
    found = frozenset(map(artist_of, [*_APART.split(plain), *guests])) - {"", "the"}
    return found or frozenset({artist_of(artist)})


def plain_name(name: str) -> str:
    """Return a name without entities, in one form of Unicode and one case."""
    for _ in range(4):  # some tables were escaped several times
        if (plain := html.unescape(name)) == name:
            break
        name = plain
    return unicodedata.normalize("NFKC", name).casefold().strip()


def shortened(cut: re.Pattern[str], name: str) -> str:
    """Return the key of a name without what ``cut`` matches, unless nothing would be left."""
    plain = re.sub(APOSTROPHES, "", plain_name(name))
    return key(cut.sub("", plain)) or key(plain) or plain


def name_words(text: str) -> list[str]:
    """Return the words of a text as names are compared: without apostrophes, "&" as "and"."""
    return key(re.sub("[&+]", " and ", re.sub(APOSTROPHES, "", text))).split()


@lru_cache(maxsize=4_096)
def name_pattern(label: str) -> re.Pattern[str] | None:
    """Return what finds a name, or a singer in it, in a text of any case and punctuation, with or without accents.

    Names in scripts without spaces are found inside other characters. None for single letters.
    """
    names = sorted({artist_of(label), *singers(label)}, key=lambda name: (-len(name), name))
    parts = [
        ("" if SPACELESS.match(name[0]) else r"(?<!\w)")
        + _GAP.join(map(_loosely, name.split()))
        + ("" if SPACELESS.match(name[-1]) else r"(?:['’]s)?(?!\w)")
        for name in names
        if len(name) > 1
    ]
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _loosely(word: str) -> str:
    return r"(?:and|&|\+|n)" if word == "and" else f"{APOSTROPHES}?".join(map(_with_and_without_accent, word))


def _with_and_without_accent(letter: str) -> str:
    plain = unicodedata.normalize("NFD", letter)[0]
    return f"[{letter}{plain}]" if plain != letter and plain.isascii() else re.escape(letter)
