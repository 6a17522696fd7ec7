"""Confusion matrices as heat maps.

One colour, with an intensity by the share of the row, which also works in dark mode and in print. With up to a dozen classes the
cells show counts; of very many classes only the most frequent are drawn, and the caption says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lyrist.reports import palette
from lyrist.reports.axes import nothing
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import columns, shorten
from lyrist.reports.svg import Label, Words, draw

NUMBERS = 12
"""Largest number of classes for which cells show counts."""
MOST = 40
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
    if len(names) > MOST:
        frequent = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST])
        words["caption"] = f"{words.get('caption', '')} The {MOST} most frequent of {len(names):,} classes.".strip()
        counts, names = counts[np.ix_(frequent, frequent)], [names[i] for i in frequent]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = _side(names)

    def paint(axes: Axes, label: Label) -> None:
        _cells(axes, label, counts, shares)
        _names(axes, label, names)

    longest = max((columns(shorten(n, 22)) for n in names), default=0)
    margin = min(longest, 22) * 7 + 48
    words["width"] = max(side * len(names) + margin, 200)
    height = side * len(names) + (margin if _upright(names) else 48)
    return draw(paint, words, kind="confusion", description=_description(shares, names), height=height)


def _side(names: Sequence[str]) -> int:
    """Return the size of a cell in pixels."""
    for most, side in ((5, 68), (NUMBERS, 44), (24, 18)):
        if len(names) <= most:
            return side
    return 15


def _upright(names: Sequence[str]) -> bool:
    """Return whether the names of the columns are too long to be horizontal."""
    return max((columns(shorten(n, 22)) for n in names), default=0) * 7.5 > _side(names)


def _cells(axes: Axes, label: Label, counts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> None:
    numbers = len(counts) <= NUMBERS
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = float(shares[row, column])
        square = Rectangle((column - 0.48, row - 0.48), 0.96, 0.96)
        square.set(facecolor=palette.SERIES[0], alpha=round(0.06 + 0.94 * share, 2), linewidth=0)
        axes.add_patch(square)
        if numbers:
            colour = palette.ON_FILL if share > 0.55 else palette.INK
            axes.text(column, row, f"{counts[row, column]:,.0f}", ha="center", va="center", color=colour, fontsize=11)
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines["bottom"].set_visible(False)


def _names(axes: Axes, label: Label, names: Sequence[str]) -> None:
    places = range(len(names))
    size = 12 if len(names) <= NUMBERS else 10
    shown = [label(shorten(n, 22)) for n in names]
    axes.set_yticks(places, shown, color=palette.INK, fontsize=size)
    axes.set_xticks(places, shown, color=palette.INK, fontsize=size)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if _upright(names):
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def _description(shares: npt.NDArray[np.float64], names: Sequence[str]) -> str:
    off = shares - np.diag(np.diag(shares))
    worst = np.dstack(np.unravel_index(np.argsort(-off, axis=None, kind="stable")[:3], off.shape))[0]
    pairs = "; ".join(f"{names[r]} predicted as {names[c]} {off[r, c]:.0%}" for r, c in worst if off[r, c] > 0)
    return f"{len(names)} classes; " + (f"most often confused: {pairs}" if pairs else "none confused")
