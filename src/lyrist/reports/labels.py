"""Texts of strangers, made fit to be shown: nothing hides, nothing turns the direction of what follows, nothing is too long."""

from __future__ import annotations

import re
import unicodedata

from lyrist.text import printable

_JOINERS = "\u200c\u200d\u00ad"  # they shape letters and emoji, and break words; they move nothing
_OTHERS = re.compile(f"[^{_JOINERS}]+")
_NO_CHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")  # XML does not allow the last two


def visible(text: str) -> str:
    """Return ``text`` with every control, direction and invisible character as ``�``; line ends and tabs stay."""
    return _NO_CHARACTERS.sub("�", _OTHERS.sub(lambda run: printable(run[0]), text))


def one_line(text: str) -> str:
    """Return ``text`` made visible, on one line."""
    return visible(" ".join(text.split()))


def columns(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes: combining marks none, wide characters two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" or c > "\U0001f000" else 1
        for c in text
    )


def shorten(text: str, width: int = 28) -> str:
    """Return ``text`` on one line, cut to ``width`` columns with an ellipsis."""
    text = one_line(text)
    if columns(text) <= width:
        return text
    taken, end = 0, 0
    while taken + columns(text[end]) < width:
        taken += columns(text[end])
        end += 1
    return text[:end].rstrip() + "…"
