"""Charts: each function takes plain numbers and names and returns a `Figure` for a page.

Charts have direct labels instead of legends, values next to their marks, and no frames. Missing values (None, NaN) are skipped,
never drawn as zero. This module has the horizontal charts and re-exports lines, heat maps and word clouds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from matplotlib.axes import Axes

from lyrist.reports import palette
from lyrist.reports.axes import (
    ROW,
    Named,
    bare,
    finite,
    grid,
    is_number,
    legend,
    name_rows,
    nothing,
    upright,
    write_at_right,
    write_value,
)
from lyrist.reports.blocks import Figure
from lyrist.reports.clouds import cloud
from lyrist.reports.heatmaps import confusion
from lyrist.reports.labels import shorten
from lyrist.reports.lines import calibration, curves, scatter
from lyrist.reports.svg import Label, Words, draw, hover, save

__all__ = [
    "bars",
    "calibration",
    "cloud",
    "confusion",
    "curves",
    "histogram",
    "intervals",
    "save",
    "scatter",
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
    reference: Mark | None = None,
    highlight: Sequence[str] = (),
    **words: Unpack[Words],
) -> Figure:
    """Draw horizontal bars with their values.

    Parameters
    ----------
    values
        Names and values of 0 or more, from top to bottom.
    spec
        Format specification of the values, such as ``",.0f"`` or ``".1%"``.
    reference
        Name and position of a vertical line.
    highlight
        Names whose bars are drawn in the second colour.
    **words
        As in `Words`.
    """
    rows = finite(values)
    if not rows:
        return nothing(words, "bars")

    def paint(axes: Axes, label: Label) -> None:
        colours = [palette.SERIES[1 if name in highlight else 0] for name, _ in rows]
        drawn = axes.barh(range(len(rows)), [value for _, value in rows], height=0.66, color=colours)
        for mark, (name, value) in zip(drawn, rows, strict=True):
            hover(mark, f"{name}: {exact(value, spec)}")
        for place, (_, value) in enumerate(rows):
            write_value(axes, label, value, place, format(value, spec))
        name_rows(axes, label, [name for name, _ in rows])
        bare(axes)
        if reference:
            upright(axes, label, *reference)

    description = ", ".join(f"{n} {format(v, spec)}" for n, v in sorted(rows, key=lambda row: -row[1])[:5])
    return draw(
        paint, words, kind="bars", description=description, height=ROW * len(rows) + 12 + (18 if reference else 0)
    )


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
            look: dict[str, Any] = {"color": palette.series(number), "label": label(shorten(part))}
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
    ylabel: str = "songs",
    marks: Sequence[Mark] = (),
    percent: str = "",
    plain: str = "",
    height: int = 230,
    **words: Unpack[Words],
) -> Figure:
    """Draw histograms.

    Parameters
    ----------
    edges
        The n + 1 bin edges, ascending (as from ``numpy.histogram``).
    counts
        The n counts of each histogram. A single one is filled, several are outlines.
    xlabel, ylabel
        The names of the axes.
    marks
        Names and positions of vertical lines, such as the median.
    percent
        The letters of the axes (of ``"xy"``) that show percentages.
    plain
        The letters of the axes that show years, without thousands separators.
    height
        Height in CSS pixels.
    **words
        As in `Words`.
    """
    shapes = {n: [v if is_number(v) else 0.0 for v in values] for n, values in counts.items()}
    if not any(any(values) for values in shapes.values()):
        return nothing(words, "histogram")

    def paint(axes: Axes, label: Label) -> None:
        for number, (what, values) in enumerate(shapes.items()):
            look: dict[str, Any] = {"fill": True, "alpha": 0.85} if len(shapes) == 1 else {"linewidth": 1.8}
            axes.stairs(values, edges, color=palette.series(number), label=label(shorten(what)), **look)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, None)
        grid(axes, label, xlabel, ylabel, percent=percent, plain=plain)
        for what, place in marks:
            upright(axes, label, what, place)
        if len(shapes) > 1:
            legend(axes)

    peak = {n: edges[max(range(len(v)), key=v.__getitem__)] for n, v in shapes.items()}
    description = "; ".join(f"{n}: {sum(v):,.4g}, most at about {peak[n]:,.3g}" for n, v in shapes.items())
    return draw(paint, words, kind="histogram", description=description, height=height)


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
            colour = palette.SERIES[1 if what in highlight else 0]
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
    reference: Mark | None = None,
    xlabel: str = "",
    percent: bool = False,
    spec: str = "",
    **words: Unpack[Words],
) -> Figure:
    """Draw the distribution of each row: median, interquartile range, and 5% to 95% quantiles.

    Parameters
    ----------
    rows
        (label, (5%, 25%, 50%, 75%, 95% quantile)) each, from top to bottom.
    reference, xlabel, percent, spec
        As in `intervals`; the value of a row is its median.
    **words
        As in `Words`.
    """
    shown = [(what, list(q)) for what, q in rows if len(q) == 5 and all(map(is_number, q))]
    if not shown:
        return nothing(words, "spreads")
    spec = spec or (".0%" if percent else ",.3g")

    def paint(axes: Axes, label: Label) -> None:
        colour = palette.SERIES[0]
        for place, (what, (low, first, middle, third, high)) in enumerate(shown):
            axes.plot([low, high], [place, place], color=colour, linewidth=1.4, alpha=0.6)
            axes.plot([first, third], [place, place], color=colour, linewidth=7, alpha=0.55, solid_capstyle="butt")
            (mark,) = axes.plot([middle], [place], marker="o", markersize=6, color=colour, linestyle="")
            hover(
                mark,
                f"{what}: median {exact(middle, spec)}, half {_span(first, third, spec)}, 90% {_span(low, high, spec)}",
            )
            write_at_right(axes, label, place, format(middle, spec))
        _finish_rows(axes, label, [row[0] for row in shown], xlabel, reference, percent)

    description = "; ".join(f"{what}: median {format(q[2], spec)}" for what, q in shown[:12])
    return draw(
        paint, words, kind="spreads", description=description, height=ROW * len(shown) + _around(xlabel, reference)
    )


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
