"""Lyrist's networks for the ``Auto`` classes of `transformers`.

``AutoModel...from_pretrained(DIR)`` looks the class up by the ``model_type`` in ``config.json``. Lyrist's own loaders register
the classes first. In a script that uses only `transformers`, ``import lyrist.models.auto`` does the same.
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
    """Import every module that registers a network; repeated calls do nothing."""
    for name in MODULES:
        importlib.import_module(f"lyrist.models.{name}")


register()
