"""Lyrist: a workbench for machine learning on song lyrics.

Each command of the command line is one function here, imported when it is first used.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from lyrist._version import __version__

COMMANDS = {
    "demo": "lyrist.studies.demo",
    "prepare": "lyrist.corpus.prepare",
    "explore": "lyrist.corpus.explore",
    "train": "lyrist.training.train",
    "study": "lyrist.studies.study",
    "report": "lyrist.studies.study",
    "evaluate": "lyrist.evaluation.evaluate",
    "compare": "lyrist.studies.compare",
    "classify": "lyrist.evaluation.classify",
    "label": "lyrist.evaluation.label",
    "write": "lyrist.generation.write",
    "serve": "lyrist.serving.serve",
}
"""The module of each command; the function has the command's name."""

LISTINGS = {
    "models": "lyrist.models.fetch",
    "recipes": "lyrist.studies.plans",
    "studies": "lyrist.studies.plans",
    "rules": "lyrist.corpus.cleaning.rules",
}
"""The modules of the commands that list what is available; they are not functions of the package."""

__all__ = ["__version__", *COMMANDS]


def __dir__() -> list[str]:
    return sorted(COMMANDS)


def __getattr__(name: str) -> Any:
    if name in COMMANDS:
        from lyrist.errors import needed_by

        with needed_by(f"lyrist.{name}"):
            function = getattr(import_module(COMMANDS[name]), name)
        function = needed_by(f"lyrist.{name}")(function)
        return _with_frames(function) if name in ("prepare", "label") else function
    raise AttributeError(f"module 'lyrist' has no attribute '{name}'")


def _with_frames(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that reads tables, such that a table may be a frame of polars or pandas instead of a path."""

    @functools.wraps(function)
    def call(*tables: Any, **options: Any) -> Any:
        with tempfile.TemporaryDirectory(prefix="lyrist-frames-") as folder:
            paths = []
            for number, table in enumerate(tables, 1):
                write = getattr(table, "write_parquet", None) or getattr(table, "to_parquet", None)
                path = Path(folder, f"table-{number}.parquet")
                if write is not None:
                    write(path)
                paths.append(table if write is None else str(path))
            return function(*paths, **options)

    return call
