"""Sanitised labels from untrusted text, and the colours of pages and charts.

A chart is drawn in literal light colours, so that any viewer shows it. In dark mode CSS rules replace each value (`dark_rules`),
so the same file works in both modes. The series colours can be distinguished with common kinds of colour blindness (they also
differ in lightness) and have a contrast of at least 3 : 1 to both backgrounds.
"""

from __future__ import annotations

import re
import unicodedata

from lyrist.text import printable

_JOINERS = "\u200c\u200d\u00ad"  # harmless: they join letters and emoji, or mark where words can break
_OTHERS = re.compile(f"[^{_JOINERS}]+")
_NO_CHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")  # XML does not allow the last two


def visible(text: str) -> str:
    """Return ``text`` with control, direction and invisible characters as ``�``, except line ends and tabs."""
    return _NO_CHARACTERS.sub("�", _OTHERS.sub(lambda run: printable(run[0]), text))


def one_line(text: str) -> str:
    """Return ``text`` as one line, with invisible characters replaced."""
    return visible(" ".join(text.split()))


def columns(text: str) -> int:
    """Return the width of ``text`` in terminal columns: 0 for combining marks, 2 for wide characters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" or c > "\U0001f000" else 1
        for c in text
    )


def shorten(text: str, width: int = 28) -> str:
    """Return ``text`` as one line, truncated to ``width`` columns with an ellipsis."""
    text = one_line(text)
    if columns(text) <= width:
        return text
    taken, end = 0, 0
    while taken + columns(text[end]) < width:
        taken += columns(text[end])
        end += 1
    return text[:end].rstrip() + "…"


PAPER = ("#fcfbf8", "#15171b")
"""Background."""

INK, SOFT, FAINT, ON_FILL = "#1c2024", "#5c626b", "#dad7d0", "#fffffe"
"""Text; axis labels and values; grid lines; text on a filled area."""

SERIES = ("#1f5fa8", "#c4570a", "#0b7a5f", "#a8488f", "#856a00", "#2a86b5", "#666c78", "#9c2f2f")
"""The colours of the series, in this order."""

DARK = {
    INK: "#e9e7e2",
    SOFT: "#a4a9b1",
    FAINT: "#363b43",
    ON_FILL: "#15171c",
    SERIES[0]: "#6fb1f3",
    SERIES[1]: "#f29450",
    SERIES[2]: "#3fc19c",
    SERIES[3]: "#e08fcb",
    SERIES[4]: "#d6b440",
    SERIES[5]: "#8fd4f6",
    SERIES[6]: "#aab0bb",
    SERIES[7]: "#f08a80",
}
"""The dark value of each colour of charts."""


def series(number: int) -> str:
    """Return the colour of the ``number``-th series (from 0), cyclically."""
    return SERIES[number % len(SERIES)]


def dark_rules(scope: str = "") -> str:
    """Return the CSS rules for charts in dark mode, for use inside ``@media (prefers-color-scheme: dark)``.

    Parameters
    ----------
    scope
        A selector of the charts, such as ``"figure svg"``; empty inside an SVG file.
    """
    before = f"{scope} " if scope else ""
    return "".join(
        f'{before}[style*="{part}: {light}"]{{{part}:{dark} !important}}\n'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )


def variables() -> str:
    """Return the colours as CSS custom properties: light, then dark inside a media query."""
    names = ["--paper", "--ink", "--soft", "--faint", "--on-fill", *(f"--c{n + 1}" for n in range(len(SERIES)))]
    light = [PAPER[0], *DARK]
    dark = [PAPER[1], *DARK.values()]
    rules = [";".join(f"{n}:{v}" for n, v in zip(names, values, strict=True)) for values in (light, dark)]
    return f":root{{{rules[0]}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{rules[1]}}}}}\n"
