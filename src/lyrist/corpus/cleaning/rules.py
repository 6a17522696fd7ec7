r"""What a cleaning rule is, and the two ways to write one: as regular expressions, or as a function of one text.

Unusual, and why: a rule names its *trigger*, an expression that every text it could change matches, and few others.
Looking for all the triggers at once costs about 2 microseconds a song, rewriting ten times that, and most songs need no
rewriting. Expressions are in the syntax of Rust's `regex`: no look-around, no back-references, linear time on any
input. Polars keeps the last 32 that it compiled, so they are kept few and small: counted repeats of large classes, such
as ``[^\n]{0,80}``, take milliseconds to compile. Word bounds are those of ASCII, ``(?-u:\b)``: Unicode's would slow
down the search in every text beyond ASCII, a hundred times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Change = Callable[[pl.Series], pl.Series]
"""A function from texts to cleaned texts, row by row."""

Rows = npt.NDArray[np.int64]
"""Indices of texts, ascending."""


@dataclass(frozen=True)
class Rule:
    """One named kind of cleaning.

    Attributes
    ----------
    name
        What the rule is called in `Cleaning.off`, in counts and in reports.
    summary
        What it does, in one line.
    before, after
        An example: the rule turns the first into the second.
    change
        What it does to the texts that match.
    trigger
        A regular expression; with ``wide`` it matches every text which the rule can change.
    wide
        The part of the trigger that matches only texts beyond ASCII, where alone it is looked for.
    """

    name: str
    summary: str
    before: str
    after: str
    change: Change
    trigger: str = ""
    wide: str = ""


def replacing(*steps: tuple[str, str]) -> Change:
    """Return the change that replaces all matches of each expression in turn; ``$1`` stands for a captured group."""

    def change(texts: pl.Series) -> pl.Series:
        expression = pl.col(texts.name)
        for pattern, replacement in steps:
            expression = expression.str.replace_all(pattern, replacement)
        return texts.to_frame().select(expression).to_series()

    return change


def one_by_one(function: Callable[[str], str]) -> Change:
    """Return the change that calls ``function`` on each text: for what regular expressions cannot do."""

    def change(texts: pl.Series) -> pl.Series:
        return pl.Series(texts.name, [function(text) for text in texts.to_list()], dtype=pl.String)

    return change


def either(*patterns: str) -> str:
    """Return the expression that matches where any of ``patterns`` does (those that are not empty)."""
    return "|".join(f"(?:{pattern})" for pattern in patterns if pattern)


def where(texts: pl.Series, pattern: str, change: Change) -> pl.Series:
    """Return ``texts`` with ``change`` applied to those that match ``pattern``."""
    rows = texts.str.contains(pattern).arg_true().to_numpy()
    return put(texts, rows, change(texts.gather(rows))) if len(rows) else texts


def put(texts: pl.Series, rows: Rows, new: pl.Series) -> pl.Series:
    """Return ``texts`` with ``new`` in the places ``rows`` (ascending); no text is copied, only references to it."""
    if len(rows) == 0:
        return texts
    order = np.arange(len(texts))
    order[rows] = len(texts) + np.arange(len(rows))
    return pl.concat([texts, new.alias(texts.name)]).gather(order)
