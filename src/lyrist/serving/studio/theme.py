"""How the studio looks: Gradio's plainest theme in the colours of the reports, system fonts, light and dark."""

from __future__ import annotations

from importlib.resources import files as resources

import gradio as gr
from gradio.themes.utils.colors import Color

from lyrist.reports import palette
from lyrist.reports.page import style

_BLUE = Color(
    "#eff5fb",
    "#dbe8f5",
    "#b9d2ec",
    "#8fb7e0",
    "#6fb1f3",
    "#1f5fa8",
    "#1b5495",
    "#17477e",
    "#133a67",
    "#0f2e52",
    "#0a1f38",
)
_GREY = Color(
    "#fcfbf8",
    "#f4f2ed",
    "#e7e4dd",
    "#dad7d0",
    "#a4a9b1",
    "#7b818a",
    "#5c626b",
    "#3d434b",
    "#23272e",
    "#1b1e24",
    "#15171b",
)


def theme() -> gr.themes.Base:
    """Return the theme."""
    found = gr.themes.Base(
        primary_hue=_BLUE,
        secondary_hue=_BLUE,
        neutral_hue=_GREY,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"],
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    )
    light, dark = palette.PAPER
    ink, soft, faint = palette.INK, palette.SOFT, palette.FAINT
    both = {
        "body_background_fill": (light, dark),
        "background_fill_primary": ("#fffffe", "#1b1e24"),
        "background_fill_secondary": ("#f6f4ef", "#1f2329"),
        "block_background_fill": ("#fffffe", "#1b1e24"),
        "block_border_color": (faint, palette.DARK[faint]),
        "border_color_primary": (faint, palette.DARK[faint]),
        "body_text_color": (ink, palette.DARK[ink]),
        "body_text_color_subdued": (soft, palette.DARK[soft]),
        "block_label_text_color": (soft, palette.DARK[soft]),
        "block_title_text_color": (ink, palette.DARK[ink]),
        "block_info_text_color": (soft, palette.DARK[soft]),
        "input_background_fill": ("#fffffe", "#15171b"),
        "input_border_color": ("#8d929a", "#5f6671"),
        "input_border_color_focus": (palette.SERIES[0], palette.DARK[palette.SERIES[0]]),
        "input_placeholder_color": ("#6b717a", "#959ba4"),
        "button_primary_background_fill": (palette.SERIES[0], palette.DARK[palette.SERIES[0]]),
        "button_primary_background_fill_hover": ("#17477e", "#8fc4f7"),
        "button_primary_text_color": ("#fffffe", "#10141a"),
        "button_secondary_background_fill": ("#f4f2ed", "#2a2f37"),
        "button_secondary_background_fill_hover": ("#e7e4dd", "#363b43"),
        "button_secondary_text_color": (ink, palette.DARK[ink]),
        "slider_color": (palette.SERIES[0], palette.DARK[palette.SERIES[0]]),
        "link_text_color": (palette.SERIES[0], palette.DARK[palette.SERIES[0]]),
    }
    values = {name: pair[0] for name, pair in both.items()} | {f"{name}_dark": pair[1] for name, pair in both.items()}
    return found.set(**values, block_border_width="1px", block_shadow="none", button_large_radius="8px")


def head() -> str:
    """Return what the head of the page holds: the colours, the rules of the reports' blocks within ours, and our own."""
    names = ["--paper", "--ink", "--soft", "--faint", "--on-fill", *(f"--c{n + 1}" for n in range(len(palette.SERIES)))]
    light = ";".join(f"{n}:{v}" for n, v in zip(names, [palette.PAPER[0], *palette.DARK], strict=True))
    dark = ";".join(f"{n}:{v}" for n, v in zip(names, [palette.PAPER[1], *palette.DARK.values()], strict=True))
    fonts = style().split(":root {", 1)[1].split("}", 1)[0].replace("color-scheme: light dark;", "")
    own = resources("lyrist.serving.studio").joinpath("studio.css").read_text(encoding="utf-8")
    return (
        f"<style>:root{{{light};{fonts}}}\n.dark{{{dark};{fonts}}}\n.page{{{style()}}}\n"
        f"{palette.dark_rules('.dark .picture svg')}{own}</style>"
    )
