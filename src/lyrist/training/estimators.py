"""The unfitted estimator of any classification recipe. Linear recipes import no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.training.schedule import Schedule


def configure(recipe_name: str, options: Mapping[str, Any], seed: int) -> tuple[registry.Recipe, Any, Schedule]:
    """Return a neural recipe, its options, and the schedule (options override the defaults of the recipe)."""
    recipe = registry.get(recipe_name)
    if recipe.family != "neural":
        raise LyristError(f"The recipe '{recipe_name}' is not a network; make_estimator builds it.")
    for_schedule, for_recipe = registry.split_options(options, Schedule, recipe.options)
    settings = registry.configure(recipe.options, for_recipe, recipe_name)
    own = getattr(settings, "schedule", {})
    schedule = registry.configure(Schedule, {**own, "seed": seed, **for_schedule}, recipe_name)
    return recipe, settings, schedule


def make_estimator(recipe_name: str, options: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
    """Return the unfitted scikit-learn estimator of any classification recipe.

    Parameters
    ----------
    recipe_name
        Any recipe of the registry for the task ``classify``.
    options
        Options of the recipe (and of the training schedule, for networks), by name.
    seed
        The seed.

    Raises
    ------
    UsageError
        The recipe or an option is unknown (the message has the nearest name), or a value is invalid.
    """
    recipe, given = registry.get(recipe_name), dict(options or {})
    if recipe.family == "neural":
        configure(recipe_name, given, seed)  # report invalid options now, not during the fit
        from lyrist.training.classifier import NeuralClassifier

        return NeuralClassifier(recipe_name, given, seed)
    return recipe.build(registry.configure(recipe.options, _seeded(recipe, given, seed), recipe_name))


def predicts_several(estimator: Any) -> bool:
    """Return whether an estimator can predict several labels a song."""
    from sklearn.utils import get_tags

    tags = get_tags(estimator).classifier_tags
    return bool(tags and tags.multi_label)


def resolved(recipe_name: str, options: Mapping[str, Any] | None = None, seed: int = 0) -> dict[str, Any]:
    """Return every option of a recipe with its effective value, for ``run.json``."""
    recipe, given = registry.get(recipe_name), dict(options or {})
    if recipe.family == "neural":
        _, settings, schedule = configure(recipe_name, given, seed)
        return {**registry.values(settings), **registry.values(schedule)}
    return registry.values(registry.configure(recipe.options, _seeded(recipe, given, seed), recipe_name))


def _seeded(recipe: registry.Recipe, given: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the options with the seed, if the recipe has one and it is not set."""
    takes = any(each.name == "seed" for each in recipe.parameters)
    return {"seed": seed, **given} if takes else given
