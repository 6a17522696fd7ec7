"""The registry of recipes: every model that Lyrist can fit, by name.

A recipe is registered by a decorator on the class or function that builds its model. The list of recipes is read from the
source of the decorators, so that ``lyrist recipes`` imports no model; a module is imported when its recipe is used.
Packages outside Lyrist register their recipes by the entry point group ``lyrist.recipes``.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import importlib.metadata
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lyrist.errors import LyristError, UsageError, needed_by, unknown

TASKS = ("classify", "write", "picture")
FAMILIES = ("baseline", "linear", "tree", "ensemble", "counts", "mixture", "neural")
"""The kinds of models, in the order in which ``lyrist recipes`` lists them; neural recipes use the training loop."""

ENTRY_POINTS = "lyrist.recipes"
"""The entry point group of packages that add recipes; each entry point names a module that registers them."""


@dataclass(frozen=True)
class Recipe:
    """One entry of the registry."""

    name: str
    """The name on the command line: lower case, words joined by hyphens."""
    summary: str
    """One line for ``lyrist recipes``."""
    family: str
    """One of `FAMILIES`."""
    task: str
    """One of `TASKS`."""
    source: str
    """The paper or book that describes the method."""
    module: str
    """The module that defines the recipe; it is imported when `options` or `build` is read."""

    @property
    def trained_in_steps(self) -> bool:
        """Whether a network is trained, so that the options of the training loop apply."""
        return self.family in ("neural", "mixture")

    @property
    def options(self) -> type:
        """The estimator class, whose constructor declares the options; for networks, the dataclass of the options."""
        return self._definition()[0]

    @property
    def build(self) -> Callable[..., Any]:
        """The function from configured options to the model.

        For estimators, ``build(configure(options, given, name))`` is the unfitted estimator. For networks, ``build(options,
        shape)`` is a ``transformers.PreTrainedModel``, where `Shape` has the properties that depend on the data.
        """
        return self._definition()[1]

    @property
    def parameters(self) -> list[Option]:
        """The options of the recipe, in the order of their declaration."""
        return parameters(self.options)

    def _definition(self) -> tuple[type, Callable[..., Any]]:
        if self.name not in _definitions:
            with needed_by(f"The recipe '{self.name}'"):
                importlib.import_module(self.module)
        return _definitions[self.name]


@dataclass(frozen=True)
class Option:
    """One option of a recipe, as its class or dataclass declares it."""

    name: str
    """With underscores; ``seed`` and ``c`` instead of scikit-learn's ``random_state`` and ``C``."""
    parameter: str
    """The name of the constructor's parameter."""
    kind: Any
    """The annotated type."""
    default: Any
    help: str


@dataclass(frozen=True)
class Shape:
    """The properties of a network that depend on the data."""

    vocabulary: int
    """Number of token ids, padding and unknown included."""
    padding: int
    """The id of the padding token."""
    labels: tuple[str, ...] = ()
    """Class names, in the order of the logits."""
    columns: int = 0
    """Number of features of other columns of the table."""
    artists: int = 0
    """Number of artist ids if the artist is an input (0: it is not; id 0 is the unknown artist)."""


_definitions: dict[str, tuple[type, Callable[..., Any]]] = {}
_outside: dict[str, Recipe] = {}


def option(default: Any, help: str) -> Any:  # noqa: A002 - the key in the field's metadata
    """Return a dataclass field with a default and its help text."""
    return dataclasses.field(default=default, metadata={"help": help})


def register(
    name: str,
    summary: str,
    *,
    family: str,
    task: str = "classify",
    options: type | None = None,
    source: str = "",
) -> Callable[[Any], Any]:
    """Register the decorated estimator class, or the decorated builder of a network, as the recipe ``name``.

    The arguments other than ``options`` must be literals: the list of recipes is read from the source.

    Parameters
    ----------
    name
        The name on the command line: lower case, words joined by hyphens.
    summary
        One line for ``lyrist recipes``.
    family, task
        One of `FAMILIES` and one of `TASKS`.
    options
        The dataclass of a network's options (each field made by `option`). An estimator class needs none: its
        constructor's parameters are the options, and the Parameters section of its docstring is their help.
    source
        The papers or books that describe the method: ``"Authors (year), Title"``, separated by semicolons.

    Raises
    ------
    ValueError
        The name is registered twice, or the family or task is unknown.
    """

    def decorate(build: Any) -> Any:
        if family not in FAMILIES or task not in TASKS:
            raise ValueError(
                f"the recipe '{name}': family is one of {', '.join(FAMILIES)}, task one of {', '.join(TASKS)}"
            )
        known = _index().get(name) or _outside.get(name)
        if name in _definitions or (known and known.module != build.__module__):
            raise ValueError(f"the recipe '{name}' is registered twice")
        if options is None and not isinstance(build, type):
            raise ValueError(f"the recipe '{name}' has no options: pass options=, or decorate the estimator class")
        _definitions[name] = (options, build) if options is not None else (build, lambda configured: configured)
        if known is None:
            _outside[name] = Recipe(name, summary, family, task, source, build.__module__)
        return build

    return decorate


@cache
def _index() -> dict[str, Recipe]:
    """Return the recipes of `lyrist.models`, read from the decorators in its source files; no model is imported."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "\n@register(" not in text:
            continue
        for node in ast.parse(text).body:
            for call in getattr(node, "decorator_list", ()):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "register":
                    given = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords if key.arg != "options"}
                    name, summary = (ast.literal_eval(argument) for argument in call.args)
                    given = {"task": "classify", "source": "", **given}
                    found[name] = Recipe(name, summary, module=f"{__package__}.{path.stem}", **given)
    return found


@cache
def _load_entry_points() -> None:
    """Import the modules of other packages that register recipes.

    Raises
    ------
    LyristError
        One of them cannot be imported.
    """
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            raise LyristError(
                f"The package that adds the recipe '{entry.name}' ({entry.value}) cannot be imported: {error}; "
                "update or remove that package."
            ) from error


def recipes(task: str | None = None) -> list[Recipe]:
    """Return all recipes, or those for one task, ordered by task, family and module; no model is imported."""
    _load_entry_points()
    found = [recipe for recipe in (_index() | _outside).values() if task in (None, recipe.task)]
    return sorted(found, key=lambda recipe: (TASKS.index(recipe.task), FAMILIES.index(recipe.family)))


def get(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises
    ------
    UsageError
        There is none; the message lists the nearest name and all names.
    """
    known = {recipe.name: recipe for recipe in recipes()}
    if name not in known:
        raise unknown("recipe", name, known)
    return known[name]


def recipe_of(kind: type) -> Recipe | None:
    """Return the recipe whose estimator class is ``kind``, if there is one."""
    return next((get(name) for name, (options, _) in _definitions.items() if options is kind), None)


def is_pretrained(name: str) -> bool:
    """Return whether a recipe starts from a pretrained network, which its option ``model`` names."""
    return any(each.name == "model" for each in get(name).parameters)


OPTION_NAMES = {"C": "c", "random_state": "seed"}
"""Options with another name than the parameter of scikit-learn; an estimator class adds its own as ``option_names``."""


def option_names(kind: type) -> dict[str, str]:
    """Return the options of an estimator class that have another name than its parameter, by the parameter."""
    return {**OPTION_NAMES, **getattr(kind, "option_names", {})}


@cache
def parameters(kind: type[Any]) -> list[Option]:
    """Return the parameters of the constructor of an estimator, or of another dataclass of options."""
    hints = typing.get_type_hints(kind if dataclasses.is_dataclass(kind) else kind.__init__)
    helps = _parameter_docs(kind)
    if dataclasses.is_dataclass(kind):
        helps |= {each.name: each.metadata["help"] for each in dataclasses.fields(kind) if "help" in each.metadata}
    fields = [
        (each.name, each.default, helps.get(each.name, "")) for each in inspect.signature(kind).parameters.values()
    ]
    renamed = option_names(kind)
    return [Option(renamed.get(name, name), name, hints[name], default, text) for name, default, text in fields]


def _parameter_docs(kind: type) -> dict[str, str]:
    """Return the text of each entry in the Parameters section of a numpydoc docstring."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Parameters\n----------\n")
    section = re.split(r"\n\n?(?=\w[\w ]*\n---)", section)[0]
    found = re.findall(r"^(\w[\w, ]*?)(?: : .*)?\n((?:[ ]+.*\n?|\n)+)", section, re.MULTILINE)
    return {name: _as_help(text) for names, text in found for name in names.split(", ")}


def _as_help(text: str) -> str:
    """Return a docstring entry in the style of the other help texts: no markup, lower case, no period after one sentence."""
    text = " ".join(text.split()).replace("``", "")
    text = text.removesuffix(".") if ". " not in text else text
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def configure(kind: type, given: Mapping[str, Any], what: str) -> Any:
    """Return an instance of a dataclass of options, or of an estimator class, from options by name.

    Parameters
    ----------
    kind
        `Recipe.options`, or another dataclass whose fields are options.
    given
        Names (hyphens or underscores) and values, from the command line, a TOML file or Python; strings are converted
        to the declared type.
    what
        The name of the recipe, for error messages.

    Raises
    ------
    UsageError
        A name is unknown or a value does not fit.
    """
    known = {each.name: each for each in parameters(kind)}
    values = {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if name not in known:
            raise unknown(f"option of {what} called", key.replace("_", "-"), [n.replace("_", "-") for n in known])
        where = f"--{name.replace('_', '-')} of {what}"
        converted = _convert(value, known[name].kind, where)
        check_range(name, converted, where)
        values[known[name].parameter] = converted
    return kind(**values)


def values(configured: Any) -> dict[str, Any]:
    """Return every option with its value, by option name, of what `configure` returned."""
    return {each.name: getattr(configured, each.parameter) for each in parameters(configured.__class__)}


def split_options(given: Mapping[str, Any], *kinds: type) -> list[dict[str, Any]]:
    """Split the given options by the classes that declare them; the last class gets those that no class declares.

    `configure` on the last one then reports what is unknown.
    """
    found: list[dict[str, Any]] = [{} for _ in kinds]
    names = [{each.name for each in parameters(kind)} for kind in kinds]
    for key, value in given.items():
        place = next((i for i, known in enumerate(names) if key.replace("-", "_") in known), len(found) - 1)
        found[place][key] = value
    return found


# An option has the same meaning in every recipe, so its range is declared once.
_COUNTS = (
    "artist_size", "batch_size", "channels", "char_high", "char_low", "context", "embedding_size", "heads", "hidden", "high",
    "kernel", "kernels", "layers", "low", "max_features", "max_length", "max_words", "min_count", "min_df", "order",
    "segments", "size", "vocabulary", "width", "word_high",
)  # fmt: skip
_SHARES = ("artist_dropout", "dropout", "embedding_dropout", "label_smoothing", "word_dropout")

_AT_LEAST = dict.fromkeys(_COUNTS, 1) | dict.fromkeys((*_SHARES, "balance", "power", "prior"), 0) | {"folds": 2}
_ABOVE = ("c", "epochs", "learning_rate", "ridge", "smoothing")
_AT_MOST = {"balance": 1, "prior": 1}


def check_range(field: str, value: Any, where: str) -> None:
    """Raise an error if a number, or one of several, is out of the range of an option.

    Parameters
    ----------
    field
        The option's name, with underscores.
    value
        Its value; only numbers are checked.
    where
        The name of the option, for the error message.

    Raises
    ------
    UsageError
        The number is out of range, or not finite.
    """
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if not math.isfinite(number):
            raise UsageError(f"{where} is {number}, which is not a finite number.")
        if field in _ABOVE and number <= 0:
            raise UsageError(f"{where} must be more than 0, got {number}.")
        if number < _AT_LEAST.get(field, -math.inf):
            raise UsageError(f"{where} must be at least {_AT_LEAST[field]}, got {number}.")
        if field in _SHARES and number >= 1:
            raise UsageError(f"{where} must be a share, at least 0 and less than 1, got {number}.")
        if number > _AT_MOST.get(field, math.inf):
            raise UsageError(f"{where} must be at most {_AT_MOST[field]}, got {number}.")


def _convert(value: Any, kind: Any, where: str) -> Any:
    """Return ``value`` as ``kind``: bool, int, float, str, a Literal, a tuple of one of them, or one of these or None."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None or value == "none":
            return None
        kinds = [each for each in inner if each is not type(None)]
        if any(isinstance(value, str) and value in typing.get_args(each) for each in kinds):
            return value
        if isinstance(value, dict) and any(typing.get_origin(each) is dict for each in kinds):
            return value
        return _convert(value, kinds[0], where)
    if origin is typing.Literal:
        if value not in inner:
            close = difflib.get_close_matches(str(value), inner, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise UsageError(f"{where} must be one of {', '.join(inner)}, got '{value}'{hint}.")
        return value
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        return tuple(_convert(item, inner[0], where) for item in items)
    if kind is bool:
        known = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
        if str(value).lower() not in known:
            raise UsageError(f"{where} must be true or false, got '{value}'.")
        return known[str(value).lower()]
    try:
        if kind is int and isinstance(value, float) and value != int(value):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        name = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise UsageError(f"{where} must be {name}, got '{value}'.") from None
