"""Conversion of Matplotlib drawings to SVG that can be embedded in a page.

Matplotlib lays out axes, ticks and labels. Its SVG is then cleaned: identifiers become unique (a page has several charts), global
style sheets are removed, coordinates are rounded, and fonts are those of the reader. Text remains text.

Labels are untrusted text. Dollar signs do not start formulas. Characters that are missing in the font of Matplotlib (which would
cause a warning and a wrong width) are drawn as a placeholder of the right width, which the real text replaces in the result. The
output is deterministic: no date, fixed salt.

The second part of the module has the common parts of charts: named rows, grids, reference lines, labels at the ends of lines.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, TypedDict

import matplotlib as mpl
import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from lyrist.errors import UsageError
from lyrist.files import explained, write_text
from lyrist.reports import style
from lyrist.reports.blocks import Figure
from lyrist.reports.style import columns, one_line, shorten

SVG = "http://www.w3.org/2000/svg"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
SIZE = 12.0
"""Size of the text in CSS pixels."""

HALF = 460
"""Default width of a chart in CSS pixels; two fit side by side on a wide screen."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lyrist",
    "text.parse_math": False,
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE,
    "xtick.labelsize": SIZE - 1,
    "ytick.labelsize": SIZE - 1,
    "legend.fontsize": SIZE,
    "legend.frameon": False,
    "text.color": style.INK,
    "axes.labelcolor": style.SOFT,
    "axes.edgecolor": style.FAINT,
    "xtick.color": style.SOFT,
    "ytick.color": style.SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": style.FAINT,
    "grid.linewidth": 0.8,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
}

HOVER = "hover:"
"""Prefix of the identifier of a mark that has a text for the pointer."""

Label = Callable[[str], str]
"""Converts a text to the text that Matplotlib draws."""


class Words(TypedDict, total=False):
    """Texts and width of a chart."""

    title: str
    """One line above the chart."""
    caption: str
    """A note below."""
    name: str
    """The file name without suffix."""
    alt: str
    """Alternative text for screen readers; by default generated from the data."""
    width: int
    """Width in CSS pixels."""


def draw(
    paint: Callable[[Axes, Label], None], words: Words, *, kind: str, description: str, height: int, width: int = HALF
) -> Figure:
    """Return the chart that ``paint`` draws.

    Parameters
    ----------
    paint
        A function of the axes and of a function that every untrusted text must pass through.
    words
        Texts and width by the caller.
    kind
        The default name of the chart.
    description
        A description of the data, for the default alternative text.
    height, width
        Size in CSS pixels; ``words["width"]`` has precedence.
    """
    texts: list[str] = []

    def label(text: str) -> str:
        text = one_line(text)
        if _has_all(text):
            return text
        texts.append(text)
        return _placeholder(len(texts) - 1, text)

    buffer = io.StringIO()
    width = words.get("width", width)
    with mpl.style.context(["default", STYLE]):  # the user's own matplotlibrc must not change a report
        drawing = Drawing(figsize=(width / 72, height / 72), layout="constrained")
        drawing.patch.set_visible(False)
        axes = drawing.add_subplot()
        axes.patch.set_visible(False)
        paint(axes, label)
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    return finish(buffer.getvalue(), words, kind=kind, description=description, width=width, height=height, texts=texts)


def hover(artist: Artist, text: str) -> None:
    """Show ``text`` when the pointer is on a mark of a chart."""
    artist.set_gid(HOVER + one_line(text))


def finish(
    written: str, words: Words, *, kind: str, description: str, width: int, height: int, texts: Sequence[str] = ()
) -> Figure:
    """Return the chart in the SVG document ``written``, cleaned; ``texts`` replace their placeholders."""
    alt = one_line(words.get("alt") or f"{words.get('title') or kind.capitalize()}: {description.rstrip('.')}.")
    root = ET.fromstring(written)  # noqa: S314 - our own drawing
    for element in list(root):
        if element.tag == f"{{{SVG}}}metadata" or element.find(f"{{{SVG}}}style") is not None:
            root.remove(element)
    for element in list(root.iter()):
        if element.attrib.get("id", "").startswith(HOVER):
            title = ET.Element("title")
            title.text = element.attrib.pop("id").removeprefix(HOVER)
            element.insert(0, title)
    _own_identifiers(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        _tidy(element, texts)
    root.attrib.clear()
    root.attrib.update(
        {
            "xmlns": SVG,
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "aria-label": alt,
            "style": f"stroke-linejoin: round; stroke-linecap: butt; font-family: {FONT}",
        }
    )
    return Figure(
        svg=_written(root),
        alt=alt,
        title=words.get("title", ""),
        caption=words.get("caption", ""),
        name=words.get("name") or kind,
        width=width,
    )


def _written(root: ET.Element) -> str:
    text = ET.tostring(root, encoding="unicode")
    return re.sub(r">\s*\n\s*<", ">\n<", text)


def save(figure: Figure, path: str | Path) -> None:
    """Write a chart to an ``.svg`` file, which supports dark mode.

    Raises
    ------
    UsageError
        The name has another suffix.
    """
    path = Path(path)
    if path.suffix.lower() != ".svg":
        raise UsageError(f"Charts are written as SVG: name the file {path.with_suffix('.svg').name}.")
    rules = f"<style>@media (prefers-color-scheme: dark){{\n{style.dark_rules()}}}</style>"
    head, gap, rest = figure.svg.partition(">")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{gap}{rules}{rest}\n')


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def _has_all(text: str) -> bool:
    return "⟦" not in text and _glyphs().issuperset(map(ord, text))


def _placeholder(number: int, text: str) -> str:
    """Return a numbered placeholder of about the width of ``text``."""
    mark = f"⟦{number}⟧"
    return mark + "n" * max(0, columns(text) - len(mark))


_PLACEHOLDER = re.compile(r"⟦(\d+)⟧n*")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_HREF = "{http://www.w3.org/1999/xlink}href"


def _own_identifiers(root: ET.Element) -> None:
    """Remove unused identifiers, and make the others and the references to them unique to this chart."""
    digest = hashlib.sha256(ET.tostring(root)).hexdigest()[:8]
    used = set(_REFERENCE.findall(" ".join(v for e in root.iter() for v in e.attrib.values())))
    used |= {e.attrib[_HREF].removeprefix("#") for e in root.iter() if _HREF in e.attrib}
    for element in root.iter():
        own = element.attrib
        if "id" in own:
            name = own.pop("id")
            if name in used:
                own["id"] = f"f{digest}-{name}"
        if _HREF in own:
            own["href"] = f"#f{digest}-{own.pop(_HREF).removeprefix('#')}"
        for key, value in own.items():
            own[key] = _REFERENCE.sub(rf"url(#f{digest}-\1)", value)


def _tidy(element: ET.Element, texts: Sequence[str]) -> None:
    own: dict[str, Any] = element.attrib
    for key in ("d", "x", "y", "points", "transform", "width", "height"):
        if key in own:
            own[key] = _LONG.sub(
                lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), own[key].replace("\n", "").strip()
            )
    if own.get("transform", "").startswith("rotate(-0 "):
        del own["transform"]
    if element.tag == "text":
        own["style"] = re.sub(r"font-family: [^;]*?sans-serif;?\s*", "", own.get("style", ""))
        text = element.text or ""
        if found := _PLACEHOLDER.fullmatch(text):
            element.text = texts[int(found[1])]


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
        axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", color=style.SOFT, transform=axes.transAxes)

    return draw(paint, words, kind=kind, description="nothing to show", height=60, width=width)


def name_rows(axes: Axes, label: Label, names: Sequence[str]) -> None:
    """Label the rows of a horizontal chart, the first on top."""
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.set_yticklabels([label(shorten(name)) for name in names], color=style.INK, fontsize=12)
    axes.set_ylim(len(names) - 0.45, -0.55)


def bare(axes: Axes) -> None:
    """Hide the horizontal axis: the values are written next to their bars."""
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)


def write_value(axes: Axes, label: Label, x: float, y: float, text: str) -> None:
    """Write a value at the end of its bar."""
    away: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate(label(text), (x, y), (5, 0), color=style.SOFT, **away)


def write_at_right(axes: Axes, label: Label, place: float, text: str) -> None:
    """Write a value at the right end of its row."""
    at = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(1.02, place, label(text), transform=at, va="center", color=style.INK)


def upright(axes: Axes, label: Label, text: str, place: float) -> None:
    """Draw a vertical reference line with its name above the chart."""
    axes.axvline(place, color=style.SOFT, linewidth=1, linestyle=DOTTED, zorder=3)
    low, high = axes.get_xlim()
    share = (place - low) / (high - low)
    # Near an edge the name is aligned to one side of the line, and above the name of the vertical axis.
    away: dict[str, Any] = {"textcoords": "offset points", "va": "bottom", "annotation_clip": False}
    away["ha"] = "left" if share < 0.12 else "right" if share > 0.88 else "center"
    raised = 20 if axes.get_title(loc="left") and share < 0.35 else 4
    at = blended_transform_factory(axes.transData, axes.transAxes)
    axes.annotate(label(shorten(text, 36)), (place, 1), (0, raised), xycoords=at, color=style.SOFT, **away)


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
    axes.set_title(label(shorten(ylabel, 40)), loc="left", color=style.SOFT, fontweight="normal")
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
