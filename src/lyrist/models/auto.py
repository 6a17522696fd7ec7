"""Lyrist's networks for the ``Auto`` classes of `transformers`.

A saved network names its architecture, and ``AutoModel...from_pretrained(DIR)`` must know the class. Lyrist's own loaders
call `register` first. In a script that uses `transformers` alone, ``import lyrist.models.auto`` does the same.
"""

from __future__ import annotations

import importlib

MODULES = (
    "recurrent",
    "convolutional",
    "recurrentlm",
    "ngram",
    "mixture",
    "gpt",
    "image_networks",
    "image_transfer",
)
"""The modules of `lyrist.models` that register a network with an ``Auto`` class when they are imported."""


def register() -> None:
    """Import every module that registers a network; repeated calls cost nothing."""
    for name in MODULES:
        importlib.import_module(f"lyrist.models.{name}")


register()
