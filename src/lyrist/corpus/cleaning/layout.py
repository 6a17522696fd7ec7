r"""The layout of a text: one kind of line end, single spaces, at most one blank line.

These rules come before the others and again after each of them, so that every other rule reads a tidy text: no line
begins or ends with a space, and ``^`` and ``$`` mean what they say. Single spaces are never rewritten, which is what
makes tidying cheap: the text of most songs matches `TRIGGER` nowhere.
"""

from __future__ import annotations

import polars as pl

from lyrist.corpus.cleaning.rules import Rule, either, replacing

_WIDE = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"  # spaces beyond ASCII; Genius marks its copies with U+2005 and U+205F
_ENDS = r"\r\x0b\x0c\u2028\u2029"

_squeeze = replacing((rf"[ \t{_WIDE}]{{2,}}|[\t{_WIDE}]", " "), (r" \n ?|\n ", "\n"))


def _spaces(texts: pl.Series) -> pl.Series:
    return _squeeze(texts).str.strip_chars(" ")


def _blank_lines(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\n{3,}", "\n\n").str.strip_chars("\n")


LAYOUT = (
    Rule(
        "line-ends",
        "Every kind of line end becomes one newline.",
        "first\r\nsecond\rthird",
        "first\nsecond\nthird",
        replacing((r"\r+\n|[" + _ENDS + "]", "\n")),
        rf"[{_ENDS}]",
    ),
    Rule(
        "spaces",
        "Tabs, wide spaces and runs of spaces become one space; none at the ends of lines.",
        "  wide \t open \nroad ",
        "wide open\nroad",
        _spaces,
        either(rf"[\t{_WIDE}]", "  ", " \n", "\n ", r"\A | \z"),
    ),
    Rule(
        "blank-lines",
        "At most one blank line between sections, none at the ends of the text.",
        "\nfirst\n\n\n\nsecond\n",
        "first\n\nsecond",
        _blank_lines,
        either("\n\n\n", r"\A\n|\n\z"),
    ),
)
"""The rules of layout, in the order in which they are applied."""
