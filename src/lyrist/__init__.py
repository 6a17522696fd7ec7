"""Lyrist: a workbench for machine learning on song lyrics.

Each command of the command line is one function here, imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
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
    "recipes": "lyrist.studies.listing",
    "studies": "lyrist.studies.listing",
    "rules": "lyrist.corpus.cleaning.rules",
}
"""The modules of the commands that list what is available; they are not functions of the package."""

__all__ = ["COMMANDS", "LISTINGS", "__version__", *COMMANDS]


def __getattr__(name: str) -> Any:
    if name in COMMANDS:
        from lyrist.errors import needed_by

        with needed_by(f"lyrist.{name}"):
            function = getattr(import_module(COMMANDS[name]), name)
        return needed_by(f"lyrist.{name}")(function)
    raise AttributeError(f"module 'lyrist' has no attribute '{name}'")
