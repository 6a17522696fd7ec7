"""Charts of loss and accuracy by global step: `curves` of classifiers, `writer_curves` of language models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lyrist.reports import figures
from lyrist.reports.blocks import Figure

Rows = Sequence[Mapping[str, Any]]
"""The objects of ``metrics.jsonl``."""

UNITS = {"loss": "nats per song", "accuracy": "share of songs"}


def curves(rows: Rows, name: str, best_step: int | None = None, units: Mapping[str, str] = UNITS) -> list[Figure]:
    """Return the charts of loss and accuracy; none if nothing was logged.

    Parameters
    ----------
    rows
        The rows of the log, including the validation before the first update (step 0).
    name
        The name of the recipe, for titles.
    best_step
        The step with the selected weights.
    units
        The measures to draw, and their units.
    """
    drawn = []
    for measure, unit in units.items():
        lines = {}
        for split in ("train", "validation", "test"):  # test in the rerun of a report only, which selects by it
            points = [
                (row["step"], row[measure]) for row in rows if row["split"] == split and row.get(measure) is not None
            ]
            if points:
                lines[split] = ([float(x) for x, _ in points], [float(y) for _, y in points])
        if lines:
            drawn.append(
                figures.curves(
                    lines,
                    xlabel="global step",
                    ylabel=unit,
                    at=("selected", best_step) if best_step is not None else None,
                    title=f"{name}: {measure}",
                    name=f"{name}-{measure}",
                )
            )
    return drawn


FIRST = 100
"""Steps in the chart of the beginning of training."""


def writer_curves(rows: Rows, name: str, best_step: int | None = None) -> list[Figure]:
    """Return the charts of the training of a language model; none if nothing was logged.

    They are: the loss, the first hundred steps, validation from step 0 (before the first update), and validation after step 0,
    which shows small differences.

    Parameters
    ----------
    rows, name, best_step
        As in `curves`; losses are in nats per token.
    """
    train, held = _points(rows, "train"), _points(rows, "validation")
    at = ("selected", float(best_step)) if best_step is not None else None
    began = [point for point in train if point[0] <= FIRST]
    after = [point for point in held if point[0] > 0]
    drawn = []
    for what, lines, mark in (
        ("loss", {"train": train, "validation": held}, at),
        (f"the first {FIRST} steps", {"train": began}, None),
        ("validation from step 0", {"validation": held}, at),
        ("validation after step 0", {"validation": after}, at),
    ):
        shown = {split: ([x for x, _ in points], [y for _, y in points]) for split, points in lines.items() if points}
        if shown:
            title, file = f"{name}: {what}", f"{name}-{what.replace(' ', '-')}"
            marked = "train" not in shown
            drawn.append(
                figures.curves(
                    shown,
                    xlabel="global step",
                    ylabel="nats per token",
                    at=mark,
                    markers=marked,
                    title=title,
                    name=file,
                )
            )
    return drawn


def _points(rows: Rows, split: str) -> list[tuple[float, float]]:
    found = [row for row in rows if row["split"] == split and row.get("loss") is not None]
    return [(float(row["step"]), float(row["loss"])) for row in found]


def beside(pictures: Sequence[Figure]) -> str:
    """Return one SVG with the charts side by side: the ``curves.svg`` of a run."""
    parts, across, tall = [], 0.0, 0.0
    for picture in pictures:
        width, height = _size(picture.svg)
        parts.append(f'<g transform="translate({across:g} 0)">{picture.svg}</g>')
        across, tall = across + width + 16, max(tall, height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}" height="{tall:g}" '
        f'viewBox="0 0 {across:g} {tall:g}">{"".join(parts)}</svg>\n'
    )


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', svg)
    if found is None:
        raise ValueError("an SVG without a viewBox")
    return float(found[1]), float(found[2])
