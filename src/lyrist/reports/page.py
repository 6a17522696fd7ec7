"""Self-contained pages: one HTML file without network access, in light and dark, for phone, screen and print.

Blocks contain plain text, and the template escapes all of it. A content security policy is the second line of defence: it allows
one script, by its hash, which makes tables sortable, saves tables and charts, and counts guesses. The page is complete without
it. Names and lyrics are isolated (``<bdi>``), so that right-to-left text does not affect its surroundings.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files as resources
from itertools import groupby, pairwise
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from lyrist.files import explained, write_text
from lyrist.reports.blocks import Block, Cell, Column, Details, Figure, Lyrics, Page, Section, Table
from lyrist.reports.style import dark_rules, variables, visible

SHORT = 28
"""Characters of a cell that is not wrapped."""

LONG_PAGE = 4
"""Number of sections from which a page has a table of contents."""


def write(page: Page, path: str | Path) -> None:
    """Render ``page`` and write it to ``path``, atomically."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render(page))


def render(page: Page, *, interactive: bool = True) -> str:
    """Return ``page`` as one self-contained HTML document; ``interactive`` adds the script of tables and charts."""
    anchors = _anchors(page.sections)
    contents = page.contents if page.contents is not None else len(page.sections) >= LONG_PAGE
    script, script_hash = _script() if interactive else (Markup(""), "")
    return str(
        _template().render(
            page=page, anchors=anchors, contents=contents, css=_css(), script=script, script_hash=script_hash
        )
    )


def figures_of(page: Page) -> Iterator[Figure]:
    """Yield every figure of ``page``, in order, including those inside details."""

    def within(blocks: Sequence[Block]) -> Iterator[Figure]:
        for block in blocks:
            if isinstance(block, Figure):
                yield block
            elif isinstance(block, Details):
                yield from within(block.blocks)

    yield from within(page.lead)
    for section in page.sections:
        yield from within(section.blocks)


@cache
def _template() -> Any:
    return _environment().get_template("page.html")


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_read),
    )
    environment.filters |= {
        "visible": visible,
        "paragraphs": _paragraphs,
        "grid": _grid,
        "inline": _inline,
        "pieces": _pieces,
        "address": _address,
        "picture": lambda figure: Markup(figure.svg),  # noqa: S704 - from our own drawing code, which escapes
        "kind": lambda block: type(block).__name__,
        "rows": _rows,
    }
    return environment


def _read(name: str) -> str:
    return resources("lyrist.reports").joinpath(name).read_text(encoding="utf-8")


@cache
def _css() -> Markup:
    own = _read("page.css")
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{dark_rules('.picture svg')}}}\n"
    return Markup(variables() + own + dark)  # noqa: S704 - our own style sheet


def without_script(html: str) -> str:
    """Return a rendered page without its script, for a frame that runs none."""
    return html.replace(f"<script>{_script()[0]}</script>\n", "")


@cache
def _script() -> tuple[Markup, str]:
    """Return the script of a page, and its hash for the content security policy."""
    script = _read("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return Markup(script), f"sha256-{digest}"  # noqa: S704 - our own script


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Return a unique anchor for each section."""
    taken: dict[str, int] = {}
    anchors = []
    for section in sections:
        stem = re.sub(r"[^a-z0-9]+", "-", (section.anchor or section.title).lower()).strip("-") or "section"
        taken[stem] = taken.get(stem, 0) + 1
        anchors.append(stem if taken[stem] == 1 else f"{stem}-{taken[stem]}")
    return anchors


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _inline(text: str) -> list[tuple[str, bool]]:
    """Return the text in pieces: (piece, whether it was in backticks)."""
    pieces = re.split(r"`([^`\n]+)`", text)
    return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]


def _grid(blocks: Sequence[Block]) -> list[tuple[bool, list[Block]]]:
    """Return runs of blocks: (whether they are figures, which are placed side by side; the blocks)."""
    return [(is_figure, list(run)) for is_figure, run in groupby(blocks, lambda block: isinstance(block, Figure))]


def _address(href: str) -> str:
    """Return a link to a relative file, an anchor or https, never to a script."""
    if href.startswith(("https://", "#")):
        return href
    return quote(re.sub(r"^/+", "/", href), safe="/#?=&%")


# ----------------------------------------------------------------------------------------------------------- tables


class _Shown(NamedTuple):
    """A cell as the template writes it."""

    text: str
    right: bool
    share: str
    """Length of the bar in percent, or empty."""
    value: str
    """The number in full, or empty."""
    short: bool
    """Whether the texts of the column are short enough never to be wrapped."""


class _Grid(NamedTuple):
    columns: list[tuple[str, str, bool]]
    """Name, note, right-aligned."""
    rows: list[tuple[bool, list[_Shown]]]
    """Whether the row is highlighted, and its cells."""


def _rows(table: Table) -> _Grid:
    columns = [c if isinstance(c, Column) else Column(c) for c in table.columns]
    for number, row in enumerate(table.rows):
        if len(row) != len(columns):
            raise ValueError(f"row {number} of the table has {len(row)} cells for {len(columns)} columns")
    right = [_right(column, [row[i] for row in table.rows]) for i, column in enumerate(columns)]
    largest = [
        max((abs(float(row[i])) for row in table.rows if _number(row[i])), default=0.0) if column.bar else 0.0  # type: ignore[arg-type]
        for i, column in enumerate(columns)
    ]
    texts = [[_text(cell, column) for cell, column in zip(row, columns, strict=True)] for row in table.rows]
    short = [max((len(row[i]) for row in texts), default=0) <= SHORT for i in range(len(columns))]
    rows = [
        (
            number in table.highlight,
            [
                _Shown(texts[number][i], right[i], _share(cell, largest[i]), _exact(cell), short[i])
                for i, cell in enumerate(row)
            ],
        )
        for number, row in enumerate(table.rows)
    ]
    return _Grid([(c.name, c.note, r) for c, r in zip(columns, right, strict=True)], rows)


def _exact(cell: Cell) -> str:
    """Return a number with up to eight significant digits, empty for anything else."""
    if not _number(cell):
        return ""
    return str(cell) if isinstance(cell, Integral) else f"{cell:.8g}"


def _number(cell: Cell) -> bool:
    return isinstance(cell, Real) and not isinstance(cell, bool) and math.isfinite(cell)


def _right(column: Column, cells: Sequence[Cell]) -> bool:
    """Return whether the column is right-aligned: by default if all its known values are numbers."""
    if column.align != "auto":
        return column.align == "right"
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, Real) for cell in known)


def _text(cell: Cell, column: Column) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or not math.isfinite(cell):
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if column.format:
        return format(cell, column.format)
    if isinstance(cell, Integral) or abs(cell) >= 1000:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


def _share(cell: Cell, largest: float) -> str:
    return f"{abs(float(cell)) / largest:.1%}" if largest and _number(cell) else ""  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- lyrics


def _pieces(lyrics: Lyrics) -> list[tuple[str, str, str]]:
    """Return the text in pieces: (text, ``for`` / ``against`` / empty, intensity from 0 to 1)."""
    text = lyrics.text
    spans = [(max(0, s), min(len(text), e), float(w)) for s, e, w in lyrics.spans if math.isfinite(w) and w]
    spans = [span for span in spans if span[0] < span[1]]
    cuts = sorted({0, len(text), *(s for s, _, _ in spans), *(e for _, e, _ in spans)})
    pieces = [
        (text[start:end], sum(w for s, e, w in spans if s <= start and end <= e)) for start, end in pairwise(cuts)
    ]
    largest = max((abs(w) for _, w in pieces), default=0.0) or 1.0
    return [(piece, "" if not w else "for" if w > 0 else "against", f"{abs(w) / largest:.2f}") for piece, w in pieces]
