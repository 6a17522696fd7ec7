"""Conversion of Matplotlib drawings to SVG that can be embedded in a page.

Matplotlib lays out axes, ticks and labels. Its SVG is then cleaned: identifiers become unique (a page has several charts), global
style sheets are removed, coordinates are rounded, and fonts are those of the reader. Text remains text.

Labels are untrusted text. Dollar signs do not start formulas. Characters that are missing in the font of Matplotlib (which would
cause a warning and a wrong width) are drawn as a placeholder of the right width, which the real text replaces in the result. The
output is deterministic: no date, fixed salt.
"""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import matplotlib as mpl
import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties, findfont, get_font

from lyrist.errors import UsageError
from lyrist.files import explained, write_text
from lyrist.reports import palette
from lyrist.reports.blocks import Figure
from lyrist.reports.labels import columns, one_line

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
    "text.color": palette.INK,
    "axes.labelcolor": palette.SOFT,
    "axes.edgecolor": palette.FAINT,
    "xtick.color": palette.SOFT,
    "ytick.color": palette.SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": palette.FAINT,
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
    rules = f"<style>@media (prefers-color-scheme: dark){{\n{palette.dark_rules()}}}</style>"
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
