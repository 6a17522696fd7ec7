"""Sanitised labels from untrusted text: no invisible or direction-changing characters, limited length."""

from __future__ import annotations

import re
import unicodedata

from lyrist.text import printable

_JOINERS = "\u200c\u200d\u00ad"  # harmless: they join letters and emoji, or mark where words can break
_OTHERS = re.compile(f"[^{_JOINERS}]+")
_NO_CHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")  # XML does not allow the last two


def visible(text: str) -> str:
    """Return ``text`` with control, direction and invisible characters as ``�``, except line ends and tabs."""
    return _NO_CHARACTERS.sub("�", _OTHERS.sub(lambda run: printable(run[0]), text))


def one_line(text: str) -> str:
    """Return ``text`` as one line, with invisible characters replaced."""
    return visible(" ".join(text.split()))


def columns(text: str) -> int:
    """Return the width of ``text`` in terminal columns: 0 for combining marks, 2 for wide characters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" or c > "\U0001f000" else 1
        for c in text
    )


def shorten(text: str, width: int = 28) -> str:
    """Return ``text`` as one line, truncated to ``width`` columns with an ellipsis."""
    text = one_line(text)
    if columns(text) <= width:
        return text
    taken, end = 0, 0
    while taken + columns(text[end]) < width:
        taken += columns(text[end])
        end += 1
    return text[:end].rstrip() + "…"
