"""The registry of recipes: every model that Lyrist can fit, by name.

A recipe is a name, a line about it, its options (a frozen dataclass) and a function that builds the unfitted model from
them. Registering it is all that is needed: ``lyrist recipes`` lists it, ``lyrist train`` fits it, studies may name it and
the tests that run over the registry cover it.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lyrist.errors import UsageError, unknown
from lyrist.models import ranges

MODULES = (
    "controls",
    "linear",
    "streamed",
    "trees",
    "bags",
    "ensemble",
    "recurrent",
    "convolutional",
    "transformer",
    "ngram",
    "mixture",
    "recurrentlm",
    "gpt",
    "pretrained",
    "image_networks",
    "image_transfer",
)
"""The modules of this room that register recipes, in the order in which ``lyrist recipes`` lists them."""


@dataclass(frozen=True)
class Recipe:
    """One entry of the registry."""

    name: str
    """What the user types; lower case, words joined by hyphens."""
    summary: str
    """One line for ``lyrist recipes``."""
    task: str
    """What it is for: ``classify``, ``write`` or ``picture``."""
    family: str
    """``baseline``, ``linear``, ``tree``, ``ensemble`` or ``neural``; the training loop fits neural recipes."""
    options: type
    """The frozen dataclass of its options; each field is made by `option`."""
    build: Callable[..., Any]
    """From the options to the model. Estimators: ``build(options) -> scikit-learn estimator``; neural recipes:
    ``build(options, shape) -> transformers.PreTrainedModel`` (`Shape` tells what the data decide)."""
    source: str = ""
    """The paper, report or book the method comes from."""


@dataclass(frozen=True)
class Shape:
    """What the data decide about a network."""

    vocabulary: int
    """Number of token ids, padding and unknown included."""
    padding: int
    """The id of the padding token."""
    labels: tuple[str, ...] = ()
    """Class names, in the order of the logits."""
    artists: int = 0
    """Number of artist ids where the artist is an input (0: none is; id 0 is the unknown artist)."""


_recipes: dict[str, Recipe] = {}


def option(default: Any, help: str) -> Any:  # noqa: A002 - it is what the field's metadata key is called
    """Return a dataclass field with a default and the line that documents it."""
    return dataclasses.field(default=default, metadata={"help": help})


def register(
    name: str, summary: str, *, family: str, options: type, task: str = "classify", source: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the builder of the recipe ``name``."""

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        if name in _recipes:
            raise ValueError(f"the recipe '{name}' is registered twice")
        _recipes[name] = Recipe(name, summary, task, family, options, build, source)
        return build

    return decorate


def recipes(task: str | None = None) -> list[Recipe]:
    """Return all recipes, or those for one task, in the order of `MODULES`, whichever was imported first."""
    place = {f"lyrist.models.{module}": number for number, module in enumerate(MODULES)}
    for module in place:
        importlib.import_module(module)
    found = [recipe for recipe in _recipes.values() if task in (None, recipe.task)]
    return sorted(found, key=lambda recipe: place.get(recipe.build.__module__, len(place)))


def get(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises
    ------
    UsageError
        There is none; the message has the nearest name and all names.
    """
    known = {recipe.name: recipe for recipe in recipes()}
    if name not in known:
        raise unknown("recipe", name, known)
    return known[name]


def configure(options: type, given: Mapping[str, Any], what: str) -> Any:
    """Return the options dataclass filled from ``given``; strings are read as the field's type.

    Parameters
    ----------
    options
        The dataclass.
    given
        Names (hyphens or underscores) and values, from the command line, a TOML file or Python.
    what
        Names the recipe in errors.

    Raises
    ------
    UsageError
        A key is unknown or a value does not fit its field.
    """
    hints = typing.get_type_hints(options)
    values = {}
    for key, value in given.items():
        field = key.replace("-", "_")
        if field not in hints:
            raise unknown(f"option of {what} called", key.replace("_", "-"), [n.replace("_", "-") for n in hints])
        where = f"--{key.replace('_', '-')} of {what}"
        values[field] = _read(value, hints[field], where)
        ranges.check(field, values[field], where)
    return options(**values)


def split_options(given: Mapping[str, Any], *dataclasses_: type) -> list[dict[str, Any]]:
    """Deal the given options out to the dataclasses that have such a field; the last takes what none has.

    `configure` on the last one then says what is unknown.
    """
    dealt: list[dict[str, Any]] = [{} for _ in dataclasses_]
    names = [{field.name for field in dataclasses.fields(kind)} for kind in dataclasses_]
    for key, value in given.items():
        home = next((i for i, fields in enumerate(names) if key.replace("-", "_") in fields), len(dealt) - 1)
        dealt[home][key] = value
    return dealt


def _read(value: Any, kind: Any, where: str) -> Any:
    """Return ``value`` as ``kind`` (bool, int, float, str, a Literal, a tuple of one of them, or one of these or None)."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None or value == "none":
            return None
        return _read(value, next(a for a in inner if a is not type(None)), where)
    if origin is typing.Literal:
        if value not in inner:
            close = difflib.get_close_matches(str(value), inner, n=1)
            raise UsageError(
                f"{where} is one of {', '.join(inner)}; '{value}' is not{f' (did you mean {close[0]}?)' if close else ''}."
            )
        return value
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        return tuple(_read(item, inner[0], where) for item in items)
    if kind is bool:
        known = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
        if str(value).lower() not in known:
            raise UsageError(f"{where} is true or false; '{value}' is neither.")
        return known[str(value).lower()]
    try:
        if kind is int and isinstance(value, float) and value != int(value):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        name = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise UsageError(f"{where} is {name}; '{value}' is not.") from None
