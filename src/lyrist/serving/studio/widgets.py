"""What the tabs share of Gradio: places for our own HTML, and the buttons in it."""

from __future__ import annotations

from typing import Any

import gradio as gr

PRESSED = """
element.addEventListener('click', event => {
  const button = event.target.closest('button[data-act]');
  if (!button || !element.contains(button)) return;
  element.querySelectorAll('[aria-current]').forEach(other => other.removeAttribute('aria-current'));
  if (button.dataset.act === 'open') button.setAttribute('aria-current', 'true');
  trigger('click', {act: button.dataset.act, line: Number(button.dataset.line)});
});
"""
"""Tells Python which button in our HTML was pressed."""

QUIET: Any = {"show_progress": "hidden", "api_visibility": "private"}
"""How all events are set up: we tell ourselves that something is under way, and no client calls them by name."""

ACTS = ("lock", "take", "drop", "open")


def panel(
    value: str = "", *, elem_classes: str | None = None, elem_id: str | None = None, js_on_load: str | None = None
) -> gr.HTML:
    """Return a place for HTML of ours."""
    return gr.HTML(
        value, elem_classes=elem_classes, elem_id=elem_id, js_on_load=js_on_load, apply_default_css=False, padding=False
    )


def pressed(event: gr.EventData) -> tuple[str, int] | None:
    """Return which button was pressed, and its number; None for anything else that a client might send."""
    data: Any = getattr(event, "_data", None)
    if not isinstance(data, dict) or data.get("act") not in ACTS:
        return None
    line = data.get("line")
    return (
        (str(data["act"]), line) if isinstance(line, int) and not isinstance(line, bool) and 0 <= line < 2**62 else None
    )
