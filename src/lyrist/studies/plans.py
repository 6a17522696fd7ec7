"""Named studies: which recipes are fitted with which options, written as TOML files beside this one or by the user."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from lyrist.errors import LyristError, UsageError, unknown
from lyrist.models import registry
from lyrist.training.schedule import Protocol, options_of

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One line of the comparison."""

    recipe: str
    """The recipe's name in the registry."""
    name: str = ""
    """What the line is called; the recipe's name where it is empty."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the recipe and of the training loop."""
    unless_target: tuple[str, ...] = ()
    """Targets for which this line makes no sense (a look-up of the artist where the artist is the target)."""
    optional: bool = False
    """Leave the line out, with a note that says why, where it cannot be fitted here (pretrained weights that are not there)."""

    @property
    def title(self) -> str:
        """What the line is called."""
        return self.name or self.recipe


@dataclass(frozen=True)
class Reported:
    """A model of a published report: its settings, and what the report says of it."""

    name: str
    recipe: str
    report: str
    """Which report and which of its models."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the recipe, at the report's sizes."""
    protocol: Protocol = field(default_factory=Protocol)
    """How it was trained and selected."""
    measure: Literal["accuracy", "mse", "perplexity"] = "accuracy"
    """What the figures of its columns are: accuracy (0 to 1), mean squared error, or perplexity a token."""
    value: float | None = None
    """The reported figure."""
    n: int | None = None
    """The songs on which it was measured; without them it has no interval."""
    seconds: float | None = None
    """The reported training time."""
    device: str = ""
    """The machine of the report."""
    says: str = ""
    """What else the report says."""
    right: str = ""
    """The line of the study that does the same right; by default the selected one."""
    why: str = ""
    """Where the differences between the columns come from."""
    assumed: tuple[str, ...] = ()
    """Settings on which the report is silent, and what was assumed."""
    parameters: int | None = None
    """The reported number of parameters."""
    unless_target: tuple[str, ...] = ()
    """As in `Entry`."""
    block: str = "1"
    """Pictures: the block of classes."""
    source: str = ""
    """Pictures: the reported model above it whose features it reads."""


def directory(name: str) -> str:
    """Return what a line is called as the name of a directory."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


@dataclass(frozen=True)
class Plan:
    """A study: a question and the recipes that answer it."""

    name: str
    summary: str
    """One line for ``lyrist studies``."""
    recipes: tuple[Entry, ...]
    target: str = "artist"
    """The column that is predicted where the user names none."""
    reported: tuple[Reported, ...] = ()
    """The models of published reports that are trained by their own protocol, cheap ones first."""
    why: str = ""
    """A paragraph for the report: what the study is for and what to look at."""
    condition: tuple[str, ...] = ()
    """The columns that a writer is conditioned on."""
    command: tuple[str, ...] = ()
    """The words of the command that requests it with the options that were given; the report shows them."""

    @property
    def task(self) -> str:
        """What all its recipes are for: ``classify``, ``write`` or ``picture``."""
        return registry.get(self.recipes[0].recipe).task

    def reruns(self, target: str) -> list[Reported]:
        """Return the reported models that make sense for ``target``."""
        return [each for each in self.reported if target not in each.unless_target]

    def lines(self, target: str) -> list[Entry]:
        """Return the lines that make sense for ``target``."""
        return [entry for entry in self.recipes if target not in entry.unless_target]


def plans() -> list[Plan]:
    """Return the studies that come with Lyrist, the default first."""
    found = [load(str(path)) for path in sorted(FOLDER.glob("*.toml"))]
    return sorted(found, key=lambda plan: plan.name != "ladder")


def load(study: str) -> Plan:
    """Return the study called ``study``, or the one in the TOML file of that path.

    Raises
    ------
    LyristError
        There is no such study or file, the file is not TOML, or a key, recipe or option in it is unknown.
    """
    path = Path(study)
    if path.suffix != ".toml":
        path = FOLDER / f"{study}.toml"
        if not path.is_file():
            raise unknown("study", study, sorted(p.stem for p in FOLDER.glob("*.toml")))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LyristError(
            f"There is no file {path}; name a study ('lyrist studies' lists them) or a TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LyristError(f"{path} is not TOML: {error}.") from None
    return _plan(table, path)


def _plan(table: dict[str, Any], path: Path) -> Plan:
    entries = table.pop("recipes", [])
    if not isinstance(entries, list) or not entries:
        raise UsageError(f'{path} names no recipe; add one: [[recipes]] recipe = "char-svm".')
    table.setdefault("name", path.stem)
    table.setdefault("summary", "")
    recipes = tuple(_dataclass(Entry, entry, f"a recipe in {path}") for entry in entries)
    reported: dict[str, Reported] = {}
    common, networks = (_table(table.pop(name, {}), f"[{name}] in {path}") for name in ("common", "networks"))
    for entry in table.pop("reported", []):
        found = _reported(entry, path, common, networks)
        if found.name in reported:
            raise UsageError(f"{path} has two reported models called '{found.name}'; give one of them another name.")
        if found.source and found.source not in reported:
            raise unknown(f"reported model above '{found.name}' in {path} called", found.source, list(reported))
        reported[found.name] = found
    plan: Plan = _dataclass(Plan, {**table, "recipes": recipes, "reported": tuple(reported.values())}, str(path))
    compared: tuple[Entry | Reported, ...] = (*plan.recipes, *plan.reported)
    for entry in compared:
        if registry.get(entry.recipe).task != plan.task:
            raise UsageError(
                f"{path} compares '{plan.recipes[0].recipe}', a recipe to {plan.task}, with '{entry.recipe}', a recipe to "
                f"{registry.get(entry.recipe).task}; a study compares recipes for one task."
            )
    names = [entry.title for entry in plan.recipes]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{path} has two lines called '{name}'; give one of them another name.")
    for model in plan.reported:
        if model.right and model.right not in names:
            raise unknown(f"line in {path} called", model.right, names)
    return plan


def _reported(table: Any, path: Path, common: Mapping[str, Any], networks: Mapping[str, Any]) -> Reported:
    """Return a reported model; what its table leaves out is in ``networks``, if it is one, and then in ``common``."""
    where = f"a reported model in {path}"
    neural = registry.get(_table(table, where).get("recipe", "")).family == "neural"
    parts = (common, networks if neural else {}, table)
    given = {key: value for part in parts for key, value in part.items()}
    for key in ("options", "protocol"):
        tables = [_table(part.get(key, {}), f"'{key}' of {where}") for part in parts]
        given[key] = {name: value for part in tables for name, value in part.items()}
    given["protocol"] = _dataclass(Protocol, given["protocol"], f"the protocol of {where}")
    model: Reported = _dataclass(Reported, given, where)
    return model


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} is not a table of keys and values.")
    return value


def _dataclass(kind: Any, table: Any, where: str) -> Any:
    known = [f.name for f in fields(kind)]
    for key in _table(table, where):
        if key not in known:
            raise unknown(f"key in {where} called", key, known)
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    except TypeError as error:
        raise UsageError(f"{where}: {error}.") from None


@dataclass(frozen=True)
class Listing:
    """Names with a line about each."""

    rows: list[dict[str, Any]]

    def summary(self) -> str:
        """Return one line for each row."""
        width = max((len(row["name"]) for row in self.rows), default=0)
        return "\n".join(f"{row['name']:<{width}}  {row['summary']}" for row in self.rows)

    def figures(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows


def recipes(name: str | None = None) -> Listing:
    """List the models that can be fitted; with a name, the options of that one.

    Parameters
    ----------
    name
        A recipe.
    """
    if name is not None:
        return Listing(_recipe_options(registry.get(name)))
    return Listing(
        [
            {
                "name": r.name,
                "summary": r.summary,
                "task": r.task,
                "family": r.family,
                "source": r.source,
            }
            for r in registry.recipes()
        ]
    )


def studies() -> Listing:
    """List the named studies."""
    return Listing(
        [
            {
                "name": plan.name,
                "summary": plan.summary,
                "task": plan.task,
                "target": plan.target,
                "condition": list(plan.condition),
                "recipes": [e.title for e in plan.recipes],
            }
            for plan in plans()
        ]
    )


def _recipe_options(recipe: registry.Recipe) -> list[dict[str, Any]]:
    """Return the options of a recipe; of those of the training loop, the ones whose default the recipe sets."""
    own = {*(each.name for each in recipe.parameters), *getattr(recipe.options(), "schedule", {})}
    return [
        {
            "name": "--" + each.name.replace("_", "-"),
            "summary": f"{each.help} [default: {_shown(each.default)}]",
            "default": each.default,
        }
        for each in options_of(recipe)
        if each.name in own
    ]


def _shown(value: Any) -> str:
    return (
        ",".join(map(str, value))
        if isinstance(value, tuple)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
