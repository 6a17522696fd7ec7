"""Charts: each function takes plain numbers and names and returns a `Figure` for a page.

Charts have direct labels instead of legends, values next to their marks, and no frames. Missing values (None, NaN) are skipped,
never drawn as zero.
"""

from __future__ import annotations

import base64
import io
import math
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Unpack
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.patches import Rectangle
from PIL import Image, ImageFont

from lyrist.reports import style
from lyrist.reports.blocks import Figure
from lyrist.reports.style import columns, one_line, shorten, visible
from lyrist.reports.svg import (
    DOTTED,
    FONT,
    HALF,
    ROW,
    SVG,
    Label,
    Named,
    Words,
    bare,
    draw,
    finish,
    finite,
    grid,
    hover,
    is_number,
    legend,
    name_ends,
    name_rows,
    nothing,
    points,
    save,
    scales,
    upright,
    write_at_right,
    write_value,
)

__all__ = [
    "bars",
    "calibration",
    "cloud",
    "confusion",
    "curves",
    "histogram",
    "intervals",
    "save",
    "sheet",
    "spreads",
    "stacked",
]

WIDE = 520

Mark = tuple[str, float]
"""Name and position of a reference line."""


def bars(
    values: Named,
    *,
    spec: str = ",.0f",
    **words: Unpack[Words],
) -> Figure:
    """Draw horizontal bars with their values.

    Parameters
    ----------
    values
        Names and values of 0 or more, from top to bottom.
    spec
        Format specification of the values, such as ``",.0f"`` or ``".1%"``.
    **words
        As in `Words`.
    """
    rows = finite(values)
    if not rows:
        return nothing(words, "bars")

    def paint(axes: Axes, label: Label) -> None:
        drawn = axes.barh(range(len(rows)), [value for _, value in rows], height=0.66, color=style.SERIES[0])
        for mark, (name, value) in zip(drawn, rows, strict=True):
            hover(mark, f"{name}: {exact(value, spec)}")
        for place, (_, value) in enumerate(rows):
            write_value(axes, label, value, place, format(value, spec))
        name_rows(axes, label, [name for name, _ in rows])
        bare(axes)

    description = ", ".join(f"{n} {format(v, spec)}" for n, v in sorted(rows, key=lambda row: -row[1])[:5])
    return draw(paint, words, kind="bars", description=description, height=ROW * len(rows) + 12)


def stacked(
    names: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    side_by_side: bool = False,
    spec: str = ",.0f",
    **words: Unpack[Words],
) -> Figure:
    """Draw stacked horizontal bars, or grouped bars with ``side_by_side``.

    Parameters
    ----------
    names
        The n rows, from the top.
    parts
        The n values, 0 or more, of each part.
    side_by_side
        Draw a separate bar for each part, with its value.
    spec
        Format specification of the values.
    **words
        As in `Words`.
    """
    table = {part: [v if is_number(v) else 0.0 for v in values] for part, values in parts.items()}
    if not names or not table:
        return nothing(words, "stacked")
    thick = 0.8 / len(table) if side_by_side else 0.66

    def paint(axes: Axes, label: Label) -> None:
        left = [0.0] * len(names)
        for number, (part, values) in enumerate(table.items()):
            look: dict[str, Any] = {"color": style.series(number), "label": label(shorten(part))}
            if side_by_side:
                places = [row + (number - (len(table) - 1) / 2) * thick for row in range(len(names))]
                drawn = axes.barh(places, values, height=thick * 0.92, **look)
                for place, value in zip(places, values, strict=True):
                    write_value(axes, label, value, place, format(value, spec))
            else:
                drawn = axes.barh(range(len(names)), values, height=thick, left=left, **look)
                left = [a + b for a, b in zip(left, values, strict=True)]
            for mark, name, value in zip(drawn, names, values, strict=True):
                hover(mark, f"{name}, {part}: {exact(value, spec)}")
        if not side_by_side:
            for row, value in enumerate(left):
                write_value(axes, label, value, row, format(value, spec))
        name_rows(axes, label, names)
        bare(axes)
        legend(axes)

    row = 18 * len(table) + 8 if side_by_side else ROW
    description = f"{', '.join(table)} for {', '.join(names[:8])}"
    return draw(paint, words, kind="stacked", description=description, height=row * len(names) + 44)


def histogram(
    edges: Sequence[float],
    counts: Mapping[str, Sequence[float]],
    *,
    xlabel: str = "",
    marks: Sequence[Mark] = (),
    percent: str = "",
    plain: str = "",
    **words: Unpack[Words],
) -> Figure:
    """Draw histograms.

    Parameters
    ----------
    edges
        The n + 1 bin edges, ascending (as from ``numpy.histogram``).
    counts
        The n counts of each histogram. A single one is filled, several are outlines.
    xlabel
        The name of the horizontal axis; the other one shows songs.
    marks
        Names and positions of vertical lines, such as the median.
    percent
        The letters of the axes (of ``"xy"``) that show percentages.
    plain
        The letters of the axes that show years, without thousands separators.
    **words
        As in `Words`.
    """
    shapes = {n: [v if is_number(v) else 0.0 for v in values] for n, values in counts.items()}
    if not any(any(values) for values in shapes.values()):
        return nothing(words, "histogram")

    def paint(axes: Axes, label: Label) -> None:
        for number, (what, values) in enumerate(shapes.items()):
            look: dict[str, Any] = {"fill": True, "alpha": 0.85} if len(shapes) == 1 else {"linewidth": 1.8}
            axes.stairs(values, edges, color=style.series(number), label=label(shorten(what)), **look)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, None)
        grid(axes, label, xlabel, "songs", percent=percent, plain=plain)
        for what, place in marks:
            upright(axes, label, what, place)
        if len(shapes) > 1:
            legend(axes)

    peak = {n: edges[max(range(len(v)), key=v.__getitem__)] for n, v in shapes.items()}
    description = "; ".join(f"{n}: {sum(v):,.4g}, most at about {peak[n]:,.3g}" for n, v in shapes.items())
    return draw(paint, words, kind="histogram", description=description, height=230)


def intervals(
    rows: Sequence[tuple[str, float, float | None, float | None]],
    *,
    reference: Mark | None = None,
    highlight: Sequence[str] = (),
    xlabel: str = "",
    percent: bool = True,
    spec: str = "",
    **words: Unpack[Words],
) -> Figure:
    """Draw a dot with its interval for each row: the main chart of a study.

    Parameters
    ----------
    rows
        (label, value, low, high) each, from top to bottom. Without a finite interval only the dot is drawn.
    reference
        Name and place of a vertical line, such as the majority baseline.
    highlight
        Labels drawn in the second colour, such as the selected recipe.
    xlabel
        The name of the axis.
    percent
        Show the values as percentages.
    spec
        Format specification of the values; by default ``".1%"``, or ``".3g"`` if not in percent.
    **words
        As in `Words`.
    """
    shown = [row for row in rows if is_number(row[1])]
    if not shown:
        return nothing(words, "intervals", WIDE)
    spec = spec or (".1%" if percent else ".3g")

    def paint(axes: Axes, label: Label) -> None:
        for place, (what, value, low, high) in enumerate(shown):
            colour = style.SERIES[1 if what in highlight else 0]
            if low is not None and high is not None and is_number(low) and is_number(high):
                axes.plot([low, high], [place, place], color=colour, linewidth=2.4, alpha=0.55, solid_capstyle="round")
            (mark,) = axes.plot([value], [place], marker="o", markersize=7, color=colour, linestyle="")
            hover(mark, f"{what}: {exact(value, spec)} ({_span(low, high, spec)})")
            write_at_right(axes, label, place, format(value, spec))
        _finish_rows(axes, label, [row[0] for row in shown], xlabel, reference, percent)

    description = "; ".join(f"{n} {format(v, spec)} ({_span(low, high, spec)})" for n, v, low, high in shown[:12])
    height = (ROW + 4) * len(shown) + _around(xlabel, reference)
    return draw(paint, words, kind="intervals", description=description, height=height, width=WIDE)


def spreads(
    rows: Sequence[tuple[str, Sequence[float]]],
    *,
    percent: bool = False,
    **words: Unpack[Words],
) -> Figure:
    """Draw the distribution of each row: median, interquartile range, and 5% to 95% quantiles.

    Parameters
    ----------
    rows
        (label, (5%, 25%, 50%, 75%, 95% quantile)) each, from top to bottom.
    percent
        Show the values as percentages.
    **words
        As in `Words`.
    """
    shown = [(what, list(q)) for what, q in rows if len(q) == 5 and all(map(is_number, q))]
    if not shown:
        return nothing(words, "spreads")
    spec = ".0%" if percent else ",.3g"

    def paint(axes: Axes, label: Label) -> None:
        colour = style.SERIES[0]
        for place, (what, (low, first, middle, third, high)) in enumerate(shown):
            axes.plot([low, high], [place, place], color=colour, linewidth=1.4, alpha=0.6)
            axes.plot([first, third], [place, place], color=colour, linewidth=7, alpha=0.55, solid_capstyle="butt")
            (mark,) = axes.plot([middle], [place], marker="o", markersize=6, color=colour, linestyle="")
            hover(
                mark,
                f"{what}: median {exact(middle, spec)}, half {_span(first, third, spec)}, 90% {_span(low, high, spec)}",
            )
            write_at_right(axes, label, place, format(middle, spec))
        _finish_rows(axes, label, [row[0] for row in shown], "", None, percent)

    description = "; ".join(f"{what}: median {format(q[2], spec)}" for what, q in shown[:12])
    return draw(paint, words, kind="spreads", description=description, height=ROW * len(shown) + 40)


def exact(value: float, spec: str) -> str:
    """Return a number with two more digits than ``spec`` shows."""
    return f"{value:.3%}" if spec.endswith("%") else f"{value:,.6g}"


def _finish_rows(
    axes: Axes, label: Label, names: Sequence[str], xlabel: str, reference: Mark | None, percent: bool
) -> None:
    name_rows(axes, label, names)
    axes.spines["bottom"].set_visible(False)
    grid(axes, label, xlabel, "", percent="x" if percent else "", vertical=True)
    if reference and is_number(reference[1]):
        upright(axes, label, *reference)


def _around(xlabel: str, reference: Mark | None) -> int:
    """Return the height of ticks, axis name and the name of the reference line."""
    return 40 + (20 if xlabel else 0) + (18 if reference else 0)


def _span(low: float | None, high: float | None, spec: str) -> str:
    if low is None or high is None or not is_number(low) or not is_number(high):
        return "no interval"
    return f"{format(low, spec)} to {format(high, spec)}"


DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
"""Lines differ by dashes as well as by colour."""

MARKED = 60
"""A line with at most so many marked points has a text for the pointer on each."""

Line = tuple[Sequence[float], Sequence[float]]
"""x and y values, of equal length."""


def curves(
    lines: Mapping[str, Line],
    *,
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
    percent: bool = False,
    at: tuple[str, float] | None = None,
    markers: bool = False,
    bands: Mapping[str, Line] | None = None,
    plain: str = "",
    **words: Unpack[Words],
) -> Figure:
    """Draw lines, each with its name at its end.

    Parameters
    ----------
    lines
        x and y values of each line; points with None or NaN are skipped.
    xlabel, ylabel
        The names of the axes.
    log
        The letters of the axes (of ``"xy"``) that are logarithmic; values of 0 or less are skipped there.
    percent
        Show the y values as percentages.
    at
        Name and x of a vertical line, such as the selected step.
    markers
        Mark each point.
    bands
        Lower and upper bounds of a line, as many as it has points.
    plain
        The letters of the axes whose numbers are written without thousands separators, such as years.
    **words
        As in `Words`.
    """
    every = {name: points(x, y, log_x="x" in log, log_y="y" in log) for name, (x, y) in lines.items()}
    drawn = {name: found for name, found in every.items() if found}
    if not drawn:
        return nothing(words, "curves")

    def paint(axes: Axes, label: Label) -> None:
        ends = [(name, found[-1][1], style.series(number)) for number, (name, found) in enumerate(drawn.items())]
        for number, (name, found) in enumerate(drawn.items()):
            _draw_line(axes, number, name, found, markers or len(found) == 1)
        for number, name in enumerate(drawn):
            if bands and name in bands:
                axes.fill_between(lines[name][0], *bands[name], color=style.series(number), alpha=0.15, linewidth=0)
        scales(axes, "x" in log, "y" in log)
        grid(axes, label, xlabel, ylabel, percent="y" if percent else "", plain=plain, log=log)
        if at and is_number(at[1]):
            upright(axes, label, *at)
        name_ends(axes, label, ends, 280)

    description = "; ".join(f"{name} ends at {found[-1][1]:.3g}" for name, found in drawn.items())
    return draw(paint, words, kind="curves", description=description, height=280)


def _draw_line(axes: Axes, number: int, name: str, found: Sequence[tuple[float, float]], marked: bool) -> None:
    x, y = zip(*found, strict=True)
    if marked and len(found) <= MARKED:
        for at, value in found:
            (mark,) = axes.plot([at], [value], color=style.series(number), marker="o", markersize=4, linestyle="")
            hover(mark, f"{name}, {at:.6g}: {value:.4g}")
    (line,) = axes.plot(x, y, color=style.series(number), linewidth=1.8, markersize=4, marker="o" if marked else "")
    line.set_linestyle(DASHES[number % len(DASHES)])


def calibration(bins: Sequence[tuple[float, float, int]], **words: Unpack[Words]) -> Figure:
    """Draw a reliability diagram: accuracy against confidence; a calibrated model is on the diagonal.

    Parameters
    ----------
    bins
        (mean confidence, accuracy, number of songs) of each bin; empty bins are skipped.
    **words
        As in `Words`.
    """
    shown = [(c, a, n) for c, a, n in bins if n and is_number(c) and is_number(a)]
    if not shown:
        return nothing(words, "calibration")
    largest = max(n for _, _, n in shown)

    def paint(axes: Axes, label: Label) -> None:
        axes.plot([0, 1], [0, 1], color=style.SOFT, linewidth=1, linestyle=DOTTED)
        axes.plot([c for c, _, _ in shown], [a for _, a, _ in shown], color=style.SERIES[0], linewidth=1.4)
        for confidence, accuracy, n in shown:
            size = 4 + 8 * math.sqrt(n / largest)
            axes.plot([confidence], [accuracy], "o", color=style.SERIES[0], markersize=size, clip_on=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        grid(axes, label, "confidence", "accuracy", percent="xy", vertical=True)

    each_bin = "; ".join(f"confidence {c:.0%}, accuracy {a:.0%}" for c, a, _ in shown)
    description = f"{sum(n for _, _, n in shown):,} songs; {each_bin}"
    return draw(paint, words, kind="calibration", description=description, height=340)


NUMBERS = 12
"""Largest number of classes for which cells show counts."""
MOST_CLASSES = 40
"""Largest number of classes that are drawn: the most frequent ones."""


def confusion(matrix: npt.ArrayLike, classes: Sequence[str], **words: Unpack[Words]) -> Figure:
    """Draw a confusion matrix.

    Parameters
    ----------
    matrix
        (n, n) counts, by true class (rows) and predicted class (columns).
    classes
        The n class names, in the order of the rows.
    **words
        As in `Words`; the width depends on the number of classes.

    Raises
    ------
    ValueError
        The matrix does not have n rows and columns.
    """
    counts = np.nan_to_num(np.asarray(matrix, dtype=float))
    counts = counts.reshape(0, 0) if counts.size == 0 else counts
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a matrix of shape {counts.shape} for {len(classes)} classes")
    names = list(classes)
    if not names:
        return nothing(words, "confusion")
    if len(names) > MOST_CLASSES:
        frequent = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES])
        words["caption"] = (
            f"{words.get('caption', '')} The {MOST_CLASSES} most frequent of {len(names):,} classes.".strip()
        )
        counts, names = counts[np.ix_(frequent, frequent)], [names[i] for i in frequent]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = _cell_side(names)

    def paint(axes: Axes, label: Label) -> None:
        _cells(axes, label, counts, shares)
        _name_classes(axes, label, names)

    longest = max((columns(shorten(n, 22)) for n in names), default=0)
    margin = min(longest, 22) * 7 + 48
    words["width"] = max(side * len(names) + margin, 200)
    height = side * len(names) + (margin if _upright(names) else 48)
    return draw(paint, words, kind="confusion", description=_describe_confusions(shares, names), height=height)


def _cell_side(names: Sequence[str]) -> int:
    """Return the size of a cell in pixels."""
    for most, side in ((5, 68), (NUMBERS, 44), (24, 18)):
        if len(names) <= most:
            return side
    return 15


def _upright(names: Sequence[str]) -> bool:
    """Return whether the names of the columns are too long to be horizontal."""
    return max((columns(shorten(n, 22)) for n in names), default=0) * 7.5 > _cell_side(names)


def _cells(axes: Axes, label: Label, counts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> None:
    numbers = len(counts) <= NUMBERS
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = float(shares[row, column])
        square = Rectangle((column - 0.48, row - 0.48), 0.96, 0.96)
        square.set(facecolor=style.SERIES[0], alpha=round(0.06 + 0.94 * share, 2), linewidth=0)
        axes.add_patch(square)
        if numbers:
            colour = style.ON_FILL if share > 0.55 else style.INK
            axes.text(column, row, f"{counts[row, column]:,.0f}", ha="center", va="center", color=colour, fontsize=11)
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines["bottom"].set_visible(False)


def _name_classes(axes: Axes, label: Label, names: Sequence[str]) -> None:
    places = range(len(names))
    size = 12 if len(names) <= NUMBERS else 10
    shown = [label(shorten(n, 22)) for n in names]
    axes.set_yticks(places, shown, color=style.INK, fontsize=size)
    axes.set_xticks(places, shown, color=style.INK, fontsize=size)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if _upright(names):
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def _describe_confusions(shares: npt.NDArray[np.float64], names: Sequence[str]) -> str:
    off = shares - np.diag(np.diag(shares))
    worst = np.dstack(np.unravel_index(np.argsort(-off, axis=None, kind="stable")[:3], off.shape))[0]
    pairs = "; ".join(f"{names[r]} predicted as {names[c]} {off[r, c]:.0%}" for r, c in worst if off[r, c] > 0)
    return f"{len(names)} classes; " + (f"most often confused: {pairs}" if pairs else "none confused")


SMALLEST = 9.0
"""Smallest font size in pixels; smaller words are not drawn."""
WORD_GAP = 3.0
FILLED = 0.62
"""Initial share of the area that the boxes cover."""

_Floats = npt.NDArray[np.float64]


class Word(NamedTuple):
    """A placed word and its box, in pixels from the upper left."""

    text: str
    size: float
    left: float
    top: float
    width: float
    height: float
    baseline: float
    """From the top of the picture."""


def cloud(weights: Mapping[str, float], *, most: int = 80, height: int = 260, **words: Unpack[Words]) -> Figure:
    """Draw a word cloud.

    Parameters
    ----------
    weights
        Words and weights above 0; the area of a word is proportional to its weight.
    most
        Largest number of words.
    height
        Height in CSS pixels.
    **words
        As in `Words`.
    """
    width = words.get("width", HALF)
    root = ET.Element("svg", {"xmlns": SVG})
    placed = layout(weights, width, height, most=most)
    for word in placed:
        own = {
            "x": f"{word.left:.1f}",
            "y": f"{word.baseline:.1f}",
            "textLength": f"{word.width:.1f}",
            "lengthAdjust": "spacingAndGlyphs",
            "style": f"font-size: {word.size:.1f}px; font-weight: 600; fill: {style.SERIES[0]}",
        }
        ET.SubElement(root, "text", own).text = word.text
    if not placed:
        nothing = {"x": str(width / 2), "y": str(height / 2), "style": f"text-anchor: middle; fill: {style.SOFT}"}
        ET.SubElement(root, "text", nothing).text = "nothing to show"
    description = ", ".join(word.text for word in placed[:20]) or "nothing to show"
    written = ET.tostring(root, encoding="unicode")
    return finish(written, words, kind="cloud", description=description, width=width, height=height)


def layout(weights: Mapping[str, float], width: int, height: int, *, most: int = 80, seed: int = 0) -> list[Word]:
    """Return the words with the largest weights in positions without overlap, by decreasing weight."""
    merged: dict[str, float] = {}
    for word, weight in weights.items():
        text = shorten(word, 24)
        if text and math.isfinite(weight) and weight > 0:
            merged[text] = max(float(weight), merged.get(text, 0.0))
    best = sorted(merged.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    if not best:
        return []
    shapes = np.array([_shape(text) for text, _ in best])
    sizes = np.sqrt(np.array([weight for _, weight in best]) / best[0][1])
    scale = math.sqrt(FILLED * width * height / float((sizes**2 * shapes[:, 0] * shapes[:, 1]).sum()))
    scale = min(scale, 0.5 * height, (width - 2 * WORD_GAP) / float((sizes * shapes[:, 0]).max()))
    phases = np.random.default_rng(seed).uniform(0, 2 * math.pi, len(best))
    for _ in range(12):
        placed = _place_words([text for text, _ in best], shapes, sizes * scale, phases, width, height)
        if len(placed) == len(best):
            break
        scale *= 0.93
    return placed


def _place_words(
    texts: list[str], shapes: _Floats, sizes: _Floats, phases: _Floats, width: int, height: int
) -> list[Word]:
    """Return the words that can be placed at these sizes."""
    boxes: _Floats = np.empty((0, 4))
    placed: list[Word] = []
    for text, (wide, high, above), size, phase in zip(texts, shapes, sizes, phases, strict=True):
        if size < SMALLEST:
            continue
        box = np.array([wide, high]) * size + WORD_GAP
        spots = _spiral(phase, width, height) - box / 2
        spots = spots[(spots >= 0).all(axis=1) & (spots + box <= (width, height)).all(axis=1)]
        ends = spots + box
        apart = (
            (spots[:, None, 0] >= boxes[None, :, 2])
            | (ends[:, None, 0] <= boxes[None, :, 0])
            | (spots[:, None, 1] >= boxes[None, :, 3])
            | (ends[:, None, 1] <= boxes[None, :, 1])
        )
        free = np.flatnonzero(apart.all(axis=1))
        if not len(free):
            continue
        left, top = map(float, spots[free[0]])
        boxes = np.vstack([boxes, [left, top, left + box[0], top + box[1]]])
        word = Word(text, float(size), left + WORD_GAP / 2, top + WORD_GAP / 2, wide * size, high * size, 0.0)
        placed.append(word._replace(baseline=word.top + above * size))
    return placed


def _spiral(phase: float, width: int, height: int) -> _Floats:
    """Return points of an ellipse-shaped spiral that reaches the corners, (2400, 2)."""
    share = np.sqrt(np.linspace(0, 1, 2400))
    turn = phase + share * 60 * math.pi
    reach = share * math.sqrt(0.5)
    return np.column_stack([width / 2 + reach * width * np.cos(turn), height / 2 + reach * height * np.sin(turn)])


@cache
def _face() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight="bold")), 100)


def _shape(text: str) -> tuple[float, float, float]:
    """Return width, height and height above the baseline of a text at size 1."""
    # The font has a narrow placeholder for missing wide characters; two of them are about as wide as the character.
    shown = "".join(c * 2 if unicodedata.east_asian_width(c) in "WF" else c for c in text)
    left, top, right, bottom = _face().getbbox(shown, anchor="ls")
    return max(right - left, 1) / 100, max(bottom - top, 1) / 100, -top / 100


SHOT_GAP = 14
SHOT_LINE = 15
SHOT_TEXT = 11
NARROWEST_SHEET = 360
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
    step = (size + SHOT_GAP, deep * (size + 4) + captions * SHOT_LINE + SHOT_GAP)
    columns, rows = min(across, len(shots)), -(-len(shots) // across)
    width, height = max(NARROWEST_SHEET, columns * step[0] - SHOT_GAP), rows * step[1] - SHOT_GAP + 4
    parts = []
    for number, shot in enumerate(shots):
        x, y = number % across * step[0], number // across * step[1]
        parts += [
            f'<image x="{x}" y="{y + place * (size + 4)}" width="{size}" height="{size}" '
            f'style="image-rendering: pixelated" href="{_data_url(picture)}"/>'
            for place, picture in enumerate(shot.pictures)
        ]
        top = y + len(shot.pictures) * (size + 4)
        for place, line in enumerate(shot.lines):
            colour = style.INK if place == 0 else style.SOFT
            text = escape(visible(shorten(one_line(line), max(6, (size + SHOT_GAP) // 6))))
            parts.append(
                f'<text x="{x}" y="{top + SHOT_LINE * (place + 1) - 3}" '
                f'style="font-size: {SHOT_TEXT}px; fill: {colour}">{text}</text>'
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


def _data_url(picture: npt.NDArray[np.uint8]) -> str:
    """Return the picture as a data URL with a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
