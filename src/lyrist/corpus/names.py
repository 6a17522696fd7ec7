"""Names as they are compared: one artist in several spellings is one artist, and a version has the title of its song.

The corpus keeps every name as the table has it; only comparing and counting go by keys.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import partial

import polars as pl

from lyrist.text import key

_FEATURED = re.compile(r"(?<=\w)[\s,]*[(\[]?\s*\b(?:feat(?:uring)?|ft)\b\.?\s.*$")
_ARTICLE_LAST = re.compile(r"^(.*\w),\s*(the)$")
_ARTICLE = re.compile(r"^the\s+(?=\S)")
_APART = re.compile(r"\s*(?:[,;/+&]|\b(?:and|with|vs|versus|x|feat(?:uring)?|ft)\b\.?)\s*")
_GUESTS = re.compile(r"\b(?:feat(?:uring)?|ft|with)\b\.?\s+([^()\[\]]+)")
_EDITION = re.compile(
    r"\s*[(\[].*$|\s+[-–—]\s.*$|,?\s+(?:pt|part|version|take|reprise|intro|outro|interlude|skit|live|remix|remaster(?:ed)?)\b.*$"
)


def artist_key(column: str = "artist") -> pl.Expr:
    """Return the expression for the key of an artist's name; null where there is none.

    Equal for names that differ in case, punctuation, accents written as one character or two (NFC, NFD), HTML entities,
    "&" and "and", the place of "The", and guests ("feat. ..."). A name of symbols alone is its own key.
    """
    return _each(column, artist_of)


def title_key(column: str = "title") -> pl.Expr:
    """Return the expression for the key of a title without its edition: "Low Tide (Live)" and "Low Tide - Remix" are one."""
    return _each(column, partial(_shortened, _EDITION))


def _each(column: str, function: Callable[[str], str]) -> pl.Expr:
    """Return the expression that calls ``function`` once for each different value; an empty result is null."""

    def keys(values: pl.Series) -> pl.Series:
        names = values.cast(pl.String)
        known = names.unique().drop_nulls()
        found = [function(name) or None for name in known]
        return names.replace_strict(known, pl.Series(found, dtype=pl.String), default=None, return_dtype=pl.String)

    return pl.col(column).map_batches(keys, return_dtype=pl.String)


def artist_of(name: str) -> str:
    """Return the key of one artist's name (see `artist_key`); empty where there is none."""
    plain = _FEATURED.sub("", _plain(name))
    plain = _ARTICLE_LAST.sub(r"\2 \1", plain)
    return _shortened(_ARTICLE, re.sub(r"\s*[&+]\s*", " and ", plain))


def singers(artist: str, title: str = "") -> frozenset[str]:
    """Return the keys of all who are named in an artist's name, and as guests in a title."""
    parts = [
        *_APART.split(_plain(artist)),
        *(n for guests in _GUESTS.findall(_plain(title)) for n in _APART.split(guests)),
    ]
    found = frozenset(filter(None, (artist_of(part) for part in parts)))
    return found or frozenset({artist_of(artist)})


def _plain(name: str) -> str:
    """Return a name without entities, in one form of Unicode and one case."""
    for _ in range(4):  # some tables were escaped several times
        if (plain := html.unescape(name)) == name:
            break
        name = plain
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _shortened(cut: re.Pattern[str], name: str) -> str:
    """Return the key of a name without what ``cut`` matches, unless nothing would be left."""
    plain = re.sub(r"['’`´]", "", _plain(name))
    return key(cut.sub("", plain)) or key(plain) or plain
