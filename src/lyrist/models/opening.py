"""Let `transformers` open Lyrist's networks with ``AutoModel...from_pretrained(DIR)`` after ``import lyrist``.

A model directory names its architecture, and `transformers` must be told which class that is. Importing it in order to
tell it would cost every command seconds. So what is told waits: when (and if) the part of `transformers` that keeps
those names is imported, Lyrist's networks are imported right after it and register themselves.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

WAITING: dict[str, tuple[tuple[str, ...], ...]] = {
    "transformers.models.auto.configuration_auto": (
        ("lyrist.models.configuration",),
        ("lyrist.models.language_configs",),
        ("lyrist.models.image_configs",),
    ),
    "transformers.models.auto.modeling_auto": (
        ("lyrist.models.recurrent", "lyrist.models.convolutional"),
        ("lyrist.models.recurrentlm",),
        ("lyrist.models.ngram",),
        ("lyrist.models.mixture",),
        ("lyrist.models.gpt",),
        ("lyrist.models.image_networks", "lyrist.models.image_transfer"),
    ),
}
"""The modules of `transformers` that keep the names, and those of Lyrist that register theirs there, in groups."""


def install() -> None:
    """Have the configurations and the networks registered as soon as `transformers` can take them."""
    for target in WAITING:
        if target in sys.modules:
            _register(target)
        elif not any(isinstance(finder, _Finder) and finder.target == target for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder(target))


def _register(target: str) -> None:
    """Import what registers itself; a group of which a module is being imported already will do so without help."""
    for group in WAITING[target]:
        if not any(name in sys.modules for name in group):
            for name in group:
                importlib.import_module(name)


class _Finder(MetaPathFinder):
    """Finds one module, once, to put `_Loader` in the place of its loader."""

    def __init__(self, target: str) -> None:
        self.target = target

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.target:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Runs the module as its own loader does, then registers what belongs to it."""

    def __init__(self, own: Loader) -> None:
        self.own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.own.exec_module(module)
        _register(module.__name__)
