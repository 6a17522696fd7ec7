"""Lyrist: a workbench for machine learning on song lyrics.

Each verb of the command line is one function here, imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lyrist._version import __version__

VERBS = {
    "prepare": "lyrist.corpus.prepare",
    "explore": "lyrist.corpus.explore",
    "train": "lyrist.training.train",
    "study": "lyrist.studies.study",
    "report": "lyrist.studies.redraw",
    "evaluate": "lyrist.evaluation.evaluate",
    "classify": "lyrist.evaluation.classify",
    "compare": "lyrist.studies.compare",
    "write": "lyrist.generation.write",
    "serve": "lyrist.serving.serve",
    "demo": "lyrist.studies.demo",
}
"""Where each verb lives; the function has the verb's name."""

LISTINGS = {
    "recipes": "lyrist.studies.listing",
    "studies": "lyrist.studies.listing",
    "rules": "lyrist.corpus.cleaning.rules",
}
"""Where the verbs that list what there is live."""

__all__ = ["LISTINGS", "VERBS", "__version__", *VERBS]


def __getattr__(name: str) -> Any:
    if name in VERBS:
        return getattr(import_module(VERBS[name]), name)
    raise AttributeError(f"module 'lyrist' has no attribute '{name}'")
