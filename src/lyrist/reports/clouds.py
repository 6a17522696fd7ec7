"""Word clouds.

Each word takes the first free position along a spiral from the centre, words with the largest weights first; if one finds none,
all are made smaller. The boxes of words never overlap, and the text is fitted to the measured width, so this is also true in the
font of the reader. Widths are measured with the font of Matplotlib, so the result does not depend on installed fonts. (The
package `wordcloud` 1.9.6 measures a word in one box and draws it in another: of 45 words, 3% of the ink was on another word, and
some words were clipped.)
"""

from __future__ import annotations

import math
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, Unpack

import numpy as np
import numpy.typing as npt
from matplotlib.font_manager import FontProperties, findfont
from PIL import ImageFont

from lyrist.reports import palette
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import shorten
from lyrist.reports.svg import HALF, SVG, Words, finish

SMALLEST = 9.0
"""Smallest font size in pixels; smaller words are not drawn."""
GAP = 3.0
FILLED = 0.62
"""Initial share of the area that the boxes cover."""

Floats = npt.NDArray[np.float64]


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


def cloud(
    weights: Mapping[str, float], *, most: int = 80, seed: int = 0, height: int = 260, **words: Unpack[Words]
) -> Figure:
    """Draw a word cloud.

    Parameters
    ----------
    weights
        Words and weights above 0; the area of a word is proportional to its weight.
    most
        Largest number of words.
    seed
        Seed of the start angles of the spirals.
    height
        Height in CSS pixels.
    **words
        As in `Words`.
    """
    width = words.get("width", HALF)
    root = ET.Element("svg", {"xmlns": SVG})
    placed = layout(weights, width, height, most=most, seed=seed)
    for word in placed:
        own = {
            "x": f"{word.left:.1f}",
            "y": f"{word.baseline:.1f}",
            "textLength": f"{word.width:.1f}",
            "lengthAdjust": "spacingAndGlyphs",
            "style": f"font-size: {word.size:.1f}px; font-weight: 600; fill: {palette.SERIES[0]}",
        }
        ET.SubElement(root, "text", own).text = word.text
    if not placed:
        nothing = {"x": str(width / 2), "y": str(height / 2), "style": f"text-anchor: middle; fill: {palette.SOFT}"}
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
    scale = min(scale, 0.5 * height, (width - 2 * GAP) / float((sizes * shapes[:, 0]).max()))
    phases = np.random.default_rng(seed).uniform(0, 2 * math.pi, len(best))
    for _ in range(12):
        placed = _place([text for text, _ in best], shapes, sizes * scale, phases, width, height)
        if len(placed) == len(best):
            break
        scale *= 0.93
    return placed


def _place(texts: list[str], shapes: Floats, sizes: Floats, phases: Floats, width: int, height: int) -> list[Word]:
    """Return the words that can be placed at these sizes."""
    boxes: Floats = np.empty((0, 4))
    placed: list[Word] = []
    for text, (wide, high, above), size, phase in zip(texts, shapes, sizes, phases, strict=True):
        if size < SMALLEST:
            continue
        box = np.array([wide, high]) * size + GAP
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
        word = Word(text, float(size), left + GAP / 2, top + GAP / 2, wide * size, high * size, 0.0)
        placed.append(word._replace(baseline=word.top + above * size))
    return placed


def _spiral(phase: float, width: int, height: int) -> Floats:
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
