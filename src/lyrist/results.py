"""The common interface of the results of commands."""

from __future__ import annotations

from typing import Any, Protocol


class Result(Protocol):
    """The result of a command: a summary for people and figures for programs.

    Each task has a class of its own with more attributes; ``run``, for example, is the run that ``train`` wrote.
    """

    def summary(self) -> str:
        """Return a few lines for a person."""

    def figures(self) -> Any:
        """Return the same for a program: plain values for JSON."""
