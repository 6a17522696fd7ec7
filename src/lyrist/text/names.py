"""Names as they are compared: one artist in several spellings is one artist, and may be named in a text."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from lyrist.text import key

MASK = "___"
"""The placeholder of a masked name: no word, to a model of words."""

APOSTROPHES = "['’`´]"

_FEATURED = re.compile(r"(?<=\w)[\s,]*[(\[]?\s*\b(?:feat(?:uring)?|ft)\b\.?\s.*$")
_ARTICLE_LAST = re.compile(r"^(.*\w),\s*(the)$")
_ARTICLE = re.compile(r"^the\s+(?=\S)")
_APART = re.compile(r"\s*(?:[,;/+&]|\b(?:and|with|vs|versus|x|feat(?:uring)?|ft)\b\.?)\s*")
_GUESTS = re.compile(r"\b(?:feat(?:uring)?|ft|with)\b\.?\s+([^()\[\]]+)")
_GAP = r"[^\w\n]+"


def artist_of(name: str) -> str:
    """Return the key of an artist's name; empty where there is none.

    Equal for names that differ in case, punctuation, accents written as one character or two (NFC, NFD), HTML entities,
    "&" and "and", the place of "The", and guests ("feat. ..."). A name of symbols alone is its own key.
    """
    name = _ARTICLE_LAST.sub(r"\2 \1", _FEATURED.sub("", plain_name(name)))
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


def words_of(text: str) -> list[str]:
    """Return the words of a text as names are compared: without apostrophes, "&" as "and"."""
    return key(re.sub("[&+]", " and ", re.sub(APOSTROPHES, "", text))).split()


@lru_cache(maxsize=4_096)
def name_pattern(label: str) -> re.Pattern[str] | None:
    """Return what finds a name, or a singer in it, in a text of any case and punctuation; None for single letters."""
    names = sorted({artist_of(label), *singers(label)}, key=lambda name: (-len(name), name))
    parts = [_GAP.join(map(_loosely, name.split())) for name in names if len(name) > 1]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?:['’]s)?(?!\w)", re.IGNORECASE) if parts else None


def _loosely(word: str) -> str:
    return r"(?:and|&|\+|n)" if word == "and" else f"{APOSTROPHES}?".join(map(re.escape, word))
