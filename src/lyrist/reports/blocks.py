"""What a page is made of. Every text in a block is plain text, however hostile: only the template turns it into HTML."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Cell: TypeAlias = str | int | float | None
"""What stands in a table: a missing value and NaN are shown as a dash."""


@dataclass(frozen=True)
class Figure:
    """A picture, as the functions of `lyrist.reports.figures` make it."""

    svg: str
    """The whole ``<svg>`` element. It goes into the page as it is: never build it from text that is not escaped."""
    alt: str
    """What the picture says, for those who do not see it."""
    title: str = ""
    """One line above the picture."""
    caption: str = ""
    """What to know about it, below."""
    name: str = "figure"
    """The file name without its ending, where pictures are saved beside the page."""
    width: int = 460
    """Width in CSS pixels at which its text has its natural size; narrower pictures stand side by side."""


@dataclass(frozen=True)
class Column:
    """How one column of a table is shown."""

    name: str
    format: str = ""
    """A format specification for its numbers, such as ``",.0f"`` or ``".1%"``; by default integers get thousands
    separators and other numbers three significant digits."""
    bar: bool = False
    """Draw a bar behind each number, as long as its share of the column's largest."""
    align: Literal["auto", "left", "right"] = "auto"
    """``auto``: right if the column holds numbers only."""
    note: str = ""
    """A few words under the name."""


@dataclass(frozen=True)
class Table:
    """Rows and columns; the first column names the row."""

    columns: Sequence[str | Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    highlight: Collection[int] = ()
    """The numbers of the rows (from 0) that stand out."""
    note: str = ""
    """What to know about it, below."""


@dataclass(frozen=True)
class Prose:
    """Paragraphs, separated by empty lines. Here and in intros, items, notes and captions `` `backticks` `` mark commands."""

    text: str
    kind: Literal["text", "note", "warning"] = "text"
    """``note`` and ``warning`` are set in a box."""


@dataclass(frozen=True)
class Items:
    """A list of short statements."""

    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """The few numbers that matter most, large: (label, value, note) each."""

    facts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Lyrics:
    """A lyric, its lines kept, with the words that decided marked."""

    text: str
    spans: Sequence[tuple[int, int, float]] = ()
    """(start, end, weight) of what is marked, in characters; a weight above 0 speaks for, below 0 against, and the
    strength of the mark is its size over the largest. Where spans overlap their weights add up."""
    title: str = ""
    note: str = ""
    """Says what the marks mean."""


@dataclass(frozen=True)
class Code:
    """Commands or output, as they are typed."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Links:
    """Other pages and files: (text, address, note) each; addresses are relative paths, ``#anchors`` or https."""

    links: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Details:
    """Blocks that open on a click."""

    summary: str
    blocks: Sequence[Block]
    open: bool = False


Block: TypeAlias = Figure | Table | Prose | Items | Facts | Lyrics | Code | Links | Details


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block] = ()
    intro: str = ""
    """What the section shows, in a sentence or a few paragraphs."""
    anchor: str = ""
    """The section's address on the page; by default made from the title."""


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    sections: Sequence[Section]
    subtitle: str = ""
    kicker: str = "Lyrist"
    """A word above the title: what kind of page this is."""
    lead: Sequence[Block] = field(default=())
    """Blocks before the first section: the main result, the facts."""
    footer: str = ""
    contents: bool | None = None
    """Whether to show a table of contents; by default on pages of four or more sections."""
