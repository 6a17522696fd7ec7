"""Loss and accuracy of a training run against global steps, as pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lyrist.reports import figures
from lyrist.reports.blocks import Figure

Rows = Sequence[Mapping[str, Any]]
"""The objects of ``metrics.jsonl``."""

UNITS = {"loss": "nats a song", "accuracy": "share of songs"}


def curves(rows: Rows, name: str, best_step: int | None = None) -> list[Figure]:
    """Return the pictures of loss and of accuracy; none where nothing was logged.

    Parameters
    ----------
    rows
        What was logged, validation of step 0 included.
    name
        Names the recipe in titles.
    best_step
        The step whose weights were kept.
    """
    drawn = []
    for measure, unit in UNITS.items():
        lines = {}
        for split in ("train", "validation"):
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
                    at=("kept", best_step) if best_step is not None else None,
                    title=f"{name}: {measure}",
                    name=f"{name}-{measure}",
                )
            )
    return drawn


def beside(pictures: Sequence[Figure]) -> str:
    """Return one SVG that holds the pictures side by side: the ``curves.svg`` of a run."""
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
