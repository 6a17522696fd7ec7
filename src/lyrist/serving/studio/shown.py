"""Pieces of HTML for the studio. Every text of a stranger goes through `shown`; what this module returns is safe to show.

Gradio puts the value of its HTML component into the page as it is, by a template that reads it once: ``${value}``. Never
give such a component a template with ``{{value}}``, which Gradio would read as a program.
"""

from __future__ import annotations

import html
import logging
import re

from lyrist.errors import LyristError
from lyrist.reports.labels import shorten, visible

log = logging.getLogger(__name__)

_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
"""An option of the command line: here the control has its name, without dashes."""


def shown(text: object) -> str:
    """Return a text for use inside an element or an attribute: escaped, with nothing invisible in it."""
    return html.escape(visible(str(text)))


def isolated(text: object) -> str:
    """Return a text as an element of its own direction, so that a right-to-left name turns nothing around it."""
    return f"<bdi>{shown(text)}</bdi>"


def short(text: object, width: int = 60) -> str:
    """Return a text on one line and not too long, isolated; the whole of it appears on hovering."""
    whole = str(text)
    cut = shorten(whole, width)
    title = f' title="{shown(whole)}"' if cut != whole else ""
    return f"<bdi{title}>{html.escape(cut)}</bdi>"


def plain(text: object, width: int = 60) -> str:
    """Return a text for a choice in a list, which Gradio shows as text: on one line, visible, not too long."""
    return shorten(str(text), width)


def note(text: str, kind: str = "note") -> str:
    """Return a sentence in a box: ``note``, ``busy`` or ``error``, which a screen reader speaks at once."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="say {kind}" role="{role}" dir="auto">{shown(text)}</p>'


def empty(title: str, text: str) -> str:
    """Return what stands where there is nothing yet: what will, and how to have it."""
    return f'<div class="empty"><p class="what">{shown(title)}</p><p>{shown(text)}</p></div>'


def failed(error: Exception) -> str:
    """Return what went wrong: a sentence for what a person can mend; all else is told to the server's log only."""
    if isinstance(error, LyristError):
        told = _OPTION.sub(lambda option: option[1].replace("-", " "), str(error))
        return note(told[:1].upper() + told[1:], "error")
    log.error("The studio failed.", exc_info=error)
    return note("That did not work, and it is the server's fault; its log says why. Try again.", "error")
