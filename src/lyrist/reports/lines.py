"""Charts with two axes: curves, scatter plots and reliability diagrams."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from matplotlib.axes import Axes

from lyrist.reports import palette
from lyrist.reports.axes import DOTTED, grid, is_number, legend, name_ends, nothing, points, scales, upright
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import shorten
from lyrist.reports.svg import Label, Words, draw, hover

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
    reference: tuple[str, float] | None = None,
    markers: bool = False,
    bands: Mapping[str, Line] | None = None,
    plain: str = "",
    height: int = 280,
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
    reference
        Name and y of a horizontal line, such as the majority baseline.
    markers
        Mark each point.
    bands
        Lower and upper bounds of a line, as many as it has points.
    plain
        The letters of the axes whose numbers are written without thousands separators, such as years.
    height
        Height in CSS pixels.
    **words
        As in `Words`.
    """
    every = {name: points(x, y, log_x="x" in log, log_y="y" in log) for name, (x, y) in lines.items()}
    drawn = {name: found for name, found in every.items() if found}
    if not drawn:
        return nothing(words, "curves")

    def paint(axes: Axes, label: Label) -> None:
        ends = [(name, found[-1][1], palette.series(number)) for number, (name, found) in enumerate(drawn.items())]
        for number, (name, found) in enumerate(drawn.items()):
            _line(axes, number, name, found, markers or len(found) == 1)
        for number, name in enumerate(drawn):
            if bands and name in bands:
                axes.fill_between(lines[name][0], *bands[name], color=palette.series(number), alpha=0.15, linewidth=0)
        scales(axes, "x" in log, "y" in log)
        if reference and is_number(reference[1]):
            axes.axhline(reference[1], color=palette.SOFT, linewidth=1, linestyle=DOTTED)
            ends.append((*reference, palette.SOFT))
        grid(axes, label, xlabel, ylabel, percent="y" if percent else "", plain=plain, log=log)
        if at and is_number(at[1]):
            upright(axes, label, *at)
        name_ends(axes, label, ends, height)

    description = "; ".join(f"{name} ends at {found[-1][1]:.3g}" for name, found in drawn.items())
    return draw(paint, words, kind="curves", description=description, height=height)


def _line(axes: Axes, number: int, name: str, found: Sequence[tuple[float, float]], marked: bool) -> None:
    x, y = zip(*found, strict=True)
    if marked and len(found) <= MARKED:
        for at, value in found:
            (mark,) = axes.plot([at], [value], color=palette.series(number), marker="o", markersize=4, linestyle="")
            hover(mark, f"{name}, {at:.6g}: {value:.4g}")
    (line,) = axes.plot(x, y, color=palette.series(number), linewidth=1.8, markersize=4, marker="o" if marked else "")
    line.set_linestyle(DASHES[number % len(DASHES)])


def scatter(
    groups: Mapping[str, Line],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
    percent: bool = False,
    height: int = 340,
    **words: Unpack[Words],
) -> Figure:
    """Draw points.

    Parameters
    ----------
    groups
        x and y values of each group.
    labels
        For a group the texts next to its points.
    xlabel, ylabel, log, percent, height
        As in `curves`.
    **words
        As in `Words`.
    """
    log_x, log_y = "x" in log, "y" in log
    count = sum(len(points(x, y, log_x=log_x, log_y=log_y)) for x, y in groups.values())
    if not count:
        return nothing(words, "scatter")

    def paint(axes: Axes, label: Label) -> None:
        for number, (group, (xs, ys)) in enumerate(groups.items()):
            texts = (labels or {}).get(group) or [""] * len(xs)
            look: dict[str, Any] = {
                "color": palette.series(number),
                "label": label(shorten(group)),
                "markeredgewidth": 0,
            }
            look |= {"markersize": 6, "alpha": 0.8} if count < 200 else {"markersize": 3, "alpha": 0.45}
            found = points(xs, ys, log_x=log_x, log_y=log_y)
            axes.plot([x for x, _ in found], [y for _, y in found], "o^sDv"[number % 5], **look)
            for x, y, text in zip(xs, ys, texts, strict=True):
                if text and points([x], [y], log_x=log_x, log_y=log_y):
                    axes.annotate(label(shorten(text, 22)), (x, y), (6, 0), textcoords="offset points", va="center")
        scales(axes, log_x, log_y)
        grid(axes, label, xlabel, ylabel, percent="y" if percent else "", log=log, vertical=True)
        if len(groups) > 1:
            legend(axes)

    description = f"{count:,} points, {xlabel or 'x'} against {ylabel or 'y'}"
    return draw(paint, words, kind="scatter", description=description, height=height)


def calibration(bins: Sequence[tuple[float, float, int]], *, height: int = 340, **words: Unpack[Words]) -> Figure:
    """Draw a reliability diagram: accuracy against confidence; a calibrated model is on the diagonal.

    Parameters
    ----------
    bins
        (mean confidence, accuracy, number of songs) of each bin; empty bins are skipped.
    height
        Height in CSS pixels.
    **words
        As in `Words`.
    """
    shown = [(c, a, n) for c, a, n in bins if n and is_number(c) and is_number(a)]
    if not shown:
        return nothing(words, "calibration")
    largest = max(n for _, _, n in shown)

    def paint(axes: Axes, label: Label) -> None:
        axes.plot([0, 1], [0, 1], color=palette.SOFT, linewidth=1, linestyle=DOTTED)
        axes.plot([c for c, _, _ in shown], [a for _, a, _ in shown], color=palette.SERIES[0], linewidth=1.4)
        for confidence, accuracy, n in shown:
            size = 4 + 8 * math.sqrt(n / largest)
            axes.plot([confidence], [accuracy], "o", color=palette.SERIES[0], markersize=size, clip_on=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        grid(axes, label, "confidence", "accuracy", percent="xy", vertical=True)

    each_bin = "; ".join(f"confidence {c:.0%}, accuracy {a:.0%}" for c, a, _ in shown)
    description = f"{sum(n for _, _, n in shown):,} songs; {each_bin}"
    return draw(paint, words, kind="calibration", description=description, height=height)
