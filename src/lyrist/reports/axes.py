"""Common parts of charts: named rows, grids, reference lines, labels at the ends of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from lyrist.reports import palette
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import shorten
from lyrist.reports.svg import HALF, Label, Words, draw

ROW = 24
"""Height of one row of a bar chart."""

DOTTED = (0, (2, 2))

Named = Mapping[str, float] | Sequence[tuple[str, float]]


def is_number(value: Any) -> bool:
    """Return whether ``value`` can be drawn: a number, not NaN, not infinite."""
    return isinstance(value, Real) and math.isfinite(value)


def finite(values: Named) -> list[tuple[str, float]]:
    """Return names and values, without those that are not numbers."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return [(name, float(value)) for name, value in pairs if is_number(value)]


def points(x: Sequence[float], y: Sequence[float], *, log_x: bool, log_y: bool) -> list[tuple[float, float]]:
    """Return the points that can be drawn on these axes."""
    return [
        (float(a), float(b))
        for a, b in zip(x, y, strict=True)
        if is_number(a) and is_number(b) and (a > 0 or not log_x) and (b > 0 or not log_y)
    ]


def nothing(words: Words, kind: str, width: int = HALF) -> Figure:
    """Return a placeholder figure for charts without data."""

    def paint(axes: Axes, label: Label) -> None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", color=palette.SOFT, transform=axes.transAxes)

    return draw(paint, words, kind=kind, description="nothing to show", height=60, width=width)


def name_rows(axes: Axes, label: Label, names: Sequence[str]) -> None:
    """Label the rows of a horizontal chart, the first on top."""
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.set_yticklabels([label(shorten(name)) for name in names], color=palette.INK, fontsize=12)
    axes.set_ylim(len(names) - 0.45, -0.55)


def bare(axes: Axes) -> None:
    """Hide the horizontal axis: the values are written next to their bars."""
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)


def write_value(axes: Axes, label: Label, x: float, y: float, text: str) -> None:
    """Write a value at the end of its bar."""
    away: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate(label(text), (x, y), (5, 0), color=palette.SOFT, **away)


def write_at_right(axes: Axes, label: Label, place: float, text: str) -> None:
    """Write a value at the right end of its row."""
    at = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(1.02, place, label(text), transform=at, va="center", color=palette.INK)


def upright(axes: Axes, label: Label, text: str, place: float) -> None:
    """Draw a vertical reference line with its name above the chart."""
    axes.axvline(place, color=palette.SOFT, linewidth=1, linestyle=DOTTED, zorder=3)
    low, high = axes.get_xlim()
    share = (place - low) / (high - low)
    # Near an edge the name is aligned to one side of the line, and above the name of the vertical axis.
    away: dict[str, Any] = {"textcoords": "offset points", "va": "bottom", "annotation_clip": False}
    away["ha"] = "left" if share < 0.12 else "right" if share > 0.88 else "center"
    raised = 20 if axes.get_title(loc="left") and share < 0.35 else 4
    at = blended_transform_factory(axes.transData, axes.transAxes)
    axes.annotate(label(shorten(text, 36)), (place, 1), (0, raised), xycoords=at, color=palette.SOFT, **away)


def scales(axes: Axes, log_x: bool, log_y: bool) -> None:
    """Set logarithmic axes where requested."""
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")


def grid(
    axes: Axes,
    label: Label,
    xlabel: str,
    ylabel: str,
    *,
    percent: str = "",
    log: str = "",
    plain: str = "",
    vertical: bool = False,
) -> None:
    """Set ticks, labels and faint lines.

    Parameters
    ----------
    percent, log, plain
        The letters of the axes (of ``"xy"``) that show percentages, that are logarithmic, that show years.
    vertical
        Also draw vertical lines.
    """
    axes.set_xlabel(label(shorten(xlabel, 60)))
    # The name of the vertical axis is horizontal and above it, which is easier to read.
    axes.set_title(label(shorten(ylabel, 40)), loc="left", color=palette.SOFT, fontweight="normal")
    named = isinstance(axes.yaxis.get_major_locator(), FixedLocator)
    _ticks(axes.xaxis, _format("x", percent, plain), log="x" in log)
    if not named:
        _ticks(axes.yaxis, _format("y", percent, plain), log="y" in log)
        axes.grid(visible=True, axis="y")
    if vertical:
        axes.grid(visible=True, axis="x")


def _format(letter: str, percent: str, plain: str) -> Callable[[float, int | None], str]:
    return _percent if letter in percent else _plain if letter in plain else _short


def _ticks(axis: Axis, write: Callable[[float, int | None], str], *, log: bool) -> None:
    low, high = sorted(axis.get_view_interval())
    if not log or high < 20 * low:  # a short logarithmic axis contains too few powers of ten
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(write))


def _percent(value: float, _: int | None = None) -> str:
    return f"{value * 100:.3g}%"


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:g}"


def _short(value: float, _: int | None = None) -> str:
    """Return a number as a tick label: 1,500; 20k; 3M."""
    for least, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / unit:,.4g}{letter}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def legend(axes: Axes) -> None:
    """Add a legend above the chart."""
    handles, names = axes.get_legend_handles_labels()
    columns = 4 if sum(map(len, names)) < 48 else 2
    figure: Any = axes.figure
    figure.legend(handles, names, loc="outside upper left", ncols=columns, handlelength=1.2, columnspacing=1.4)


def name_ends(axes: Axes, label: Label, ends: Sequence[tuple[str, float, str]], height: int) -> None:
    """Write the names of lines at their right ends, moved apart if they overlap.

    Parameters
    ----------
    ends
        Name, last y and colour of each line.
    height
        Height of the picture in pixels.
    """
    to_share = axes.transData + axes.transAxes.inverted()
    left = axes.get_xlim()[0]
    wanted = sorted((float(to_share.transform((left, y))[1]), name, colour) for name, y, colour in ends)
    gap = 15 / (height * 0.75)
    placed: list[float] = []
    for share, _, _ in wanted:
        placed.append(max(share, placed[-1] + gap) if placed else share)
    top = max(1.0, wanted[-1][0])
    for i in reversed(range(len(placed))):  # labels above the top are moved down, keeping the gaps
        placed[i] = min(placed[i], top)
        top = placed[i] - gap
    for share, (_, name, colour) in zip(placed, wanted, strict=True):
        axes.text(1.015, share, label(shorten(name)), transform=axes.transAxes, va="center", color=colour)
