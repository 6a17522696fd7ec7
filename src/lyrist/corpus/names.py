"""Columns of names as they are compared (`lyrist.text`); the corpus keeps every name as the table has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import polars as pl

from lyrist.text import APOSTROPHES, KEY_PATTERN, MASK, SPACELESS, artist_of, name_pattern, shortened

_EDITION = re.compile(
    r"\s*[(\[].*$|\s+[-–—]\s.*$|,?\s+(?:pt|part|version|take|reprise|intro|outro|interlude|skit|live|remix|remaster(?:ed)?)\b.*$"
)


def artist_key(column: str = "artist") -> pl.Expr:
    """Return the expression for the key of an artist's name (`artist_of`); null where there is none."""
    return _each(pl.col(column), artist_of)


def title_key(column: str = "title") -> pl.Expr:
    """Return the expression for the key of a title without its edition: "Low Tide (Live)" and "Low Tide - Remix" are one."""
    return _each(pl.col(column), partial(shortened, _EDITION))


def _each(names: pl.Expr, function: Callable[[str], str]) -> pl.Expr:
    """Return the expression that calls ``function`` once for each different value; an empty result is null."""

    def keys(values: pl.Series) -> pl.Series:
        texts = values.cast(pl.String)
        known = texts.unique().drop_nulls()
        found = [function(name) or None for name in known]
        return texts.replace_strict(known, pl.Series(found, dtype=pl.String), default=None, return_dtype=pl.String)

    return names.map_batches(keys, return_dtype=pl.String)


def mentions(lyrics: pl.Expr, label: pl.Expr) -> pl.Expr:
    """Return the expression for whether each text names its label, as words in a row; false where there is no label.

    Names are compared as artists are, and without accents; in scripts without spaces they may be inside other characters. A
    label of one letter is named by no text.
    """
    plain = lyrics.str.to_lowercase().str.replace_all(APOSTROPHES, "").str.replace_all(r"[&+]", " and ")
    words = _plain(pl.concat_str([pl.lit(" "), plain.str.replace_all(KEY_PATTERN, " "), pl.lit(" ")]))
    name = _each(label, artist_of)
    spaced = pl.concat_str([pl.lit(" "), name, pl.lit(" ")])
    sought = pl.when(name.str.contains(SPACELESS.pattern)).then(name).otherwise(spaced)
    named = words.str.contains(_plain(sought), literal=True)
    return (named & (name.str.len_chars() > 1)).fill_null(value=False)


def _plain(text: pl.Expr) -> pl.Expr:
    """Return text without accents."""
    return text.str.normalize("NFD").str.replace_all("[\u0300-\u036f]", "")


def masked(lyrics: pl.Series, labels: pl.Series) -> pl.Series:
    """Return the texts with the name of their label, and of each singer in it, replaced by `MASK`."""
    found = []
    for text, label in zip(lyrics, labels, strict=True):
        pattern = name_pattern(label) if label else None
        found.append(pattern.sub(MASK, text) if pattern and text else text)
    return pl.Series(lyrics.name, found, dtype=pl.String)
