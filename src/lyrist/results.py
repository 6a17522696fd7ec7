"""The common interface of the results of commands."""

from __future__ import annotations

from html import escape
from typing import Any


class Result:
    """The result of a command: a summary for people and figures for programs.

    Each task has a class of its own with more attributes; ``run``, for example, is the run that ``train`` wrote.
    """

    def summary(self) -> str:
        """Return a few lines for a person."""
        raise NotImplementedError

    def figures(self) -> Any:
        """Return the same for a program: plain values for JSON."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the first line of the summary."""
        return f"<{type(self).__name__}: {next(iter(self.summary().splitlines()), '').strip()}>"

    def _repr_html_(self) -> str:
        """Return the summary for a notebook."""
        return f"<pre>{escape(self.summary())}</pre>"
