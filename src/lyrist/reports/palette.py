"""The colours of every page and picture: one token has a light and a dark value.

A picture is drawn in the light values, written out plainly, so that any viewer shows it. In dark surroundings a few
rules of CSS replace each value where it stands (`dark_rules`): the same file serves both. The series colours are told
apart in the common kinds of colour blindness (they differ in lightness too) and stand at least 3 : 1 from both papers.
"""

from __future__ import annotations

PAPER = ("#fcfbf8", "#15171b")
"""What lies under everything."""

INK, SOFT, FAINT, ON_FILL = "#1c2024", "#5c626b", "#dad7d0", "#fffffe"
"""Text; labels of axes and values; grid lines; text on a strong fill."""

SERIES = ("#1f5fa8", "#c4570a", "#0b7a5f", "#a8488f", "#856a00", "#2a86b5", "#666c78", "#9c2f2f")
"""The colours of things compared, in this order."""

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
"""The dark value of each colour that pictures are drawn in."""


def series(number: int) -> str:
    """Return the colour of the ``number``-th thing compared (from 0); they come round again."""
    return SERIES[number % len(SERIES)]


def dark_rules(scope: str = "") -> str:
    """Return the CSS rules that turn pictures dark, for use inside ``@media (prefers-color-scheme: dark)``.

    Parameters
    ----------
    scope
        A selector under which the pictures lie, such as ``"figure svg"``; empty inside a picture's own file.
    """
    before = f"{scope} " if scope else ""
    return "".join(
        f'{before}[style*="{part}: {light}"]{{{part}:{dark} !important}}\n'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )


def variables() -> str:
    """Return the tokens as CSS custom properties: light, then dark inside its media query."""
    names = ["--paper", "--ink", "--soft", "--faint", "--on-fill", *(f"--c{n + 1}" for n in range(len(SERIES)))]
    light = [PAPER[0], *DARK]
    dark = [PAPER[1], *DARK.values()]
    told = [";".join(f"{n}:{v}" for n, v in zip(names, values, strict=True)) for values in (light, dark)]
    return f":root{{{told[0]}}}\n@media (prefers-color-scheme: dark){{:root{{{told[1]}}}}}\n"
