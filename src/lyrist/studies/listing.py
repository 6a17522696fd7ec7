"""What there is, a line each: the recipes and the studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lyrist.models import registry
from lyrist.studies.plans import plans
from lyrist.training.schedule import options_of


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
        return Listing(_options(registry.get(name)))
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


def _options(recipe: registry.Recipe) -> list[dict[str, Any]]:
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
