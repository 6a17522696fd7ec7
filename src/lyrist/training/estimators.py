"""The options of any recipe, and the unfitted estimator of a classification recipe. Linear recipes import no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lyrist.errors import UsageError
from lyrist.models import registry
from lyrist.training.schedule import Schedule

TASKS = {"classify": "classifying lyrics", "write": "writing", "picture": "pictures"}
"""What the recipes of each task are for."""


def configure(
    recipe_name: str, options: Mapping[str, Any] | None = None, seed: int = 0, task: str = "classify"
) -> tuple[registry.Recipe, Any, Schedule]:
    """Return a recipe, its options, and the training schedule; given options override the defaults of the recipe.

    Parameters
    ----------
    recipe_name
        A recipe of the task.
    options
        Options of the recipe and, for networks, of the training schedule, by name.
    seed
        The seed.
    task
        classify, write or picture.

    Returns
    -------
    Recipe
        The recipe.
    object
        Its options: a dataclass for networks and writers, else the estimator.
    Schedule
        The training schedule; only networks are trained by it.

    Raises
    ------
    UsageError
        The recipe is unknown or of another task, an option is unknown, or a value is invalid.
    """
    recipe = registry.get(recipe_name)
    if recipe.task != task:
        known = ", ".join(each.name for each in registry.recipes(task))
        raise UsageError(f"The recipe '{recipe_name}' is not for {TASKS[task]}; choose one of {known}.")
    kinds = (Schedule, recipe.options) if recipe.trained_in_steps else (recipe.options,)
    *for_schedule, for_recipe = registry.split_options(options or {}, *kinds)
    if not recipe.trained_in_steps and any(each.name == "seed" for each in recipe.parameters):
        for_recipe = {"seed": seed, **for_recipe}
    settings = registry.configure(recipe.options, for_recipe, recipe_name)
    given = {**getattr(settings, "schedule", {}), "seed": seed, **(for_schedule[0] if for_schedule else {})}
    return recipe, settings, registry.configure(Schedule, given, recipe_name)


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
    recipe, settings, _ = configure(recipe_name, options, seed)
    if recipe.family == "neural":
        from lyrist.training.classifier import NeuralClassifier

        return NeuralClassifier(recipe_name, dict(options or {}), seed)
    return recipe.build(settings)


def predicts_several(estimator: Any) -> bool:
    """Return whether an estimator can predict several labels a song."""
    from sklearn.utils import get_tags

    tags = get_tags(estimator).classifier_tags
    return bool(tags and tags.multi_label)


def resolved(
    recipe_name: str, options: Mapping[str, Any] | None = None, seed: int = 0, task: str = "classify"
) -> dict[str, Any]:
    """Return every option of a recipe with its effective value, for ``run.json``; parameters as `configure`."""
    recipe, settings, schedule = configure(recipe_name, options, seed, task)
    return {**registry.values(settings), **(registry.values(schedule) if recipe.trained_in_steps else {})}
