"""The blocks of a page. All texts are plain text from untrusted sources; only the template converts them to HTML."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Cell: TypeAlias = str | int | float | None
"""A value in a table: a missing value and NaN are shown as a dash."""


@dataclass(frozen=True)
class Figure:
    """A chart, as returned by the functions of `lyrist.reports.figures`."""

    svg: str
    """The ``<svg>`` element. It is inserted unescaped: never build it from unescaped text."""
    alt: str
    """Alternative text for screen readers."""
    title: str = ""
    """One line above the picture."""
    caption: str = ""
    """A note below."""
    name: str = "figure"
    """The file name without suffix, if charts are also saved as files."""
    width: int = 460
    """Natural width in CSS pixels; narrow charts are placed side by side."""


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown."""

    name: str
    format: str = ""
    """A format specification for its numbers, such as ``",.0f"`` or ``".1%"``; by default integers get thousands
    separators and other numbers three significant digits."""
    bar: bool = False
    """Draw a bar behind each number, relative to the largest of the column."""
    align: Literal["auto", "left", "right"] = "auto"
    """``auto``: right if the column has only numbers."""
    note: str = ""
    """A few words under the name."""


@dataclass(frozen=True)
class Table:
    """Rows and columns; the first column names the row."""

    columns: Sequence[str | Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    highlight: Collection[int] = ()
    """Indices of highlighted rows."""
    note: str = ""
    """A note below."""


@dataclass(frozen=True)
class Prose:
    """Paragraphs, separated by empty lines. Text in `` `backticks` `` is set as code, also in intros, items and notes."""

    text: str
    kind: Literal["text", "note", "warning"] = "text"
    """``note`` and ``warning`` are shown in a box."""


@dataclass(frozen=True)
class Items:
    """A list of short statements."""

    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Key figures in large type: (label, value, note) each."""

    facts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Lyrics:
    """A lyric with line breaks and highlighted words."""

    text: str
    spans: Sequence[tuple[int, int, float]] = ()
    """(start, end, weight) of highlighted spans, in characters; a weight above 0 is for the label, below 0 against it. The
    intensity is relative to the largest absolute weight. Weights of overlapping spans are added."""
    title: str = ""
    note: str = ""
    """The meaning of the highlights."""


@dataclass(frozen=True)
class Round:
    """Two texts of which one is real."""

    title: str
    texts: tuple[str, str]
    real: int
    """Which of them is real: 0 or 1."""
    answer: str
    """What the reader learns after the guess."""


@dataclass(frozen=True)
class Game:
    """Pairs of texts, to guess which of the two is real; the script of a page counts the guesses."""

    rounds: Sequence[Round]


@dataclass(frozen=True)
class Code:
    """Commands or output, in a fixed-width font."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Links:
    """Other pages and files: (text, address, note) each; addresses are relative paths, ``#anchors`` or https."""

    links: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Details:
    """Collapsible blocks."""

    summary: str
    blocks: Sequence[Block]
    open: bool = False


Block: TypeAlias = Figure | Table | Prose | Items | Facts | Lyrics | Game | Code | Links | Details


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: Sequence[Block] = ()
    intro: str = ""
    """What the section shows, in a sentence or a few paragraphs."""
    anchor: str = ""
    """The anchor of the section; by default derived from the title."""


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    sections: Sequence[Section]
    subtitle: str = ""
    kicker: str = "Lyrist"
    """The kind of page, above the title."""
    lead: Sequence[Block] = field(default=())
    """Blocks before the first section: the main result and key figures."""
    footer: str = ""
    contents: bool | None = None
    """Whether to show a table of contents; by default on pages with four or more sections."""
