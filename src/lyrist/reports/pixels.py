"""Contact sheets of small pictures with captions, such as misclassified pictures or reconstructions."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt
from PIL import Image

from lyrist.reports import palette
from lyrist.reports.axes import nothing
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import one_line, shorten, visible
from lyrist.reports.svg import FONT, Words

GAP = 14
LINE = 15
TEXT = 11
NARROWEST = 360
"""Smallest width in CSS pixels, for the title and the caption."""


@dataclass(frozen=True)
class Shot:
    """Pictures in one column, and the lines of text below them."""

    pictures: Sequence[npt.NDArray[np.uint8]]
    """(side, side, 3) each."""
    lines: Sequence[str] = ()


def sheet(shots: Sequence[Shot], *, across: int = 8, size: int = 72, **words: Unpack[Words]) -> Figure:
    """Draw a contact sheet.

    Parameters
    ----------
    shots
        The pictures, in order.
    across
        Shots per row.
    size
        Width of a picture in CSS pixels; pictures are enlarged without smoothing.
    **words
        As in `Words`.
    """
    if not shots:
        return nothing(words, "pictures")
    deep, captions = max(len(s.pictures) for s in shots), max(len(s.lines) for s in shots)
    step = (size + GAP, deep * (size + 4) + captions * LINE + GAP)
    columns, rows = min(across, len(shots)), -(-len(shots) // across)
    width, height = max(NARROWEST, columns * step[0] - GAP), rows * step[1] - GAP + 4
    parts = []
    for number, shot in enumerate(shots):
        x, y = number % across * step[0], number // across * step[1]
        parts += [
            f'<image x="{x}" y="{y + place * (size + 4)}" width="{size}" height="{size}" '
            f'style="image-rendering: pixelated" href="{_address(picture)}"/>'
            for place, picture in enumerate(shot.pictures)
        ]
        top = y + len(shot.pictures) * (size + 4)
        for place, line in enumerate(shot.lines):
            colour = palette.INK if place == 0 else palette.SOFT
            text = escape(visible(shorten(one_line(line), max(6, (size + GAP) // 6))))
            parts.append(
                f'<text x="{x}" y="{top + LINE * (place + 1) - 3}" '
                f'style="font-size: {TEXT}px; fill: {colour}">{text}</text>'
            )
    alt = one_line(words.get("alt") or f"{words.get('title') or 'Pictures'}: {len(shots)} small pictures.")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(visible(alt))} style="font-family: {escape(FONT)}">{"".join(parts)}</svg>'
    )
    return Figure(
        svg=svg, alt=alt, title=words.get("title", ""), caption=words.get("caption", ""),
        name=words.get("name") or "pictures", width=width,
    )  # fmt: skip


def _address(picture: npt.NDArray[np.uint8]) -> str:
    """Return the picture as a data URL with a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
