"""Which of several fitted recipes is better: selected on validation, tested in pairs on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lyrist.metrics.intervals import holm
from lyrist.metrics.kinds import FIGURES, interval_of, value_of
from lyrist.models import registry
from lyrist.training.predictions import Predictions

Scores = Mapping[str, Any]
"""The scores of a recipe on one split, as in ``results.json``."""

ChooseBy = Literal[
    "loss",
    "accuracy",
    "macro_f1",
    "micro_f1",
    "average_precision",
    "subset_accuracy",
    "mae",
    "within_5",
    "median_error",
]
"""The validation figure that selects a recipe; see `lyrist.metrics.kinds` for those of each kind of target."""

LOWER = {figure.key for figures in FIGURES.values() for figure in figures if figure.lower}
"""The figures of which the lowest is best."""


PREFERENCE = ("ensemble", "linear", "tree", "neural")
"""Families in the order in which one of several equal recipes is preferred."""


@dataclass(frozen=True)
class Selected:
    """The recipe that the validation songs select."""

    name: str
    best: str
    """The recipe with the best figure."""
    value: float
    """The best figure."""
    error: float
    """Its standard error."""
    equal: list[str]
    """The other recipes within one standard error of it, the best first."""

    def sentence(self, choose_by: ChooseBy) -> str:
        """Return why this recipe was selected."""
        what = f"the best validation {choose_by.replace('_', ' ')} ({self.value:.3f}, standard error {self.error:.3f})"
        if not self.equal:
            return f"{self.name} has {what}; no other recipe is within one standard error of it."
        names = ", ".join(self.equal)
        if self.name == self.best:
            return f"{self.name} has {what}. Within one standard error of it: {names}; among equal recipes it is preferred."
        return (
            f"{self.best} has {what}. Within one standard error of it, so counted as equal: {names}. Of equal recipes the order "
            f"of preference ({', '.join(PREFERENCE)}; then the better figure) selects {self.name}."
        )


def best(validation: Mapping[str, Scores], choose_by: ChooseBy) -> str:
    """Return the name of the recipe with the best validation figure; of equal ones, the first."""
    if choose_by in LOWER:
        return min(validation, key=lambda name: value_of(validation[name], choose_by))
    return max(validation, key=lambda name: value_of(validation[name], choose_by))


def select(validation: Mapping[str, Scores], choose_by: ChooseBy, families: Mapping[str, str]) -> Selected:
    """Select a recipe on validation by the one-standard-error rule (Breiman et al. 1984).

    Recipes whose figure is within one standard error of the best are equal, because the validation songs do not show which is
    better. Of these, the family decides, and within a family the figure.

    Parameters
    ----------
    validation
        Scores on validation by name, in the order of the study: simpler recipes first.
    choose_by
        The figure.
    families
        The family of each recipe, see `PREFERENCE`; one that is not listed comes last.
    """
    first = best(validation, choose_by)
    error, value = _standard_error(validation[first], choose_by), value_of(validation[first], choose_by)
    close = {name: found for name, found in validation.items() if abs(value_of(found, choose_by) - value) <= error}
    ordered = rank(close, choose_by)
    place = {family: number for number, family in enumerate(PREFERENCE)}
    name = min(ordered, key=lambda one: place.get(families[one], len(place)))  # stable: of one family, the better
    return Selected(name, first, value, error, [one for one in ordered if one != first])


def _standard_error(scores: Scores, choose_by: ChooseBy) -> float:
    if choose_by == "loss":
        return float(scores.get("loss_se", 0.0))
    if choose_by != "accuracy":
        low, high = interval_of(scores, choose_by) or (0.0, 0.0)
        return (high - low) / (2 * 1.96)
    value = value_of(scores, choose_by)
    return float((value * (1 - value) / scores["n"]) ** 0.5)


def families(fitted: Mapping[str, Any]) -> dict[str, str]:
    """Return the family of each fitted line."""
    return {name: registry.get(one.run.info["recipe"]).family for name, one in fitted.items()}


def models(validation: Mapping[str, Scores], fitted: Mapping[str, Any]) -> dict[str, Scores]:
    """Return the recipes that can be selected: all except the baselines; all if there are no others."""
    others = {name: found for name, found in validation.items() if not is_baseline(fitted[name])}
    return others or dict(validation)


def is_baseline(fitted: Any) -> bool:
    """Return whether a fitted line is a baseline."""
    return registry.get(fitted.run.info["recipe"]).family == "baseline"


def strong_baselines(
    picked: str, validation: Mapping[str, Scores], fitted: Mapping[str, Any], choose_by: ChooseBy, target: str
) -> list[str]:
    """Return a sentence for each baseline that is at least as good on validation as the selected recipe."""
    found = []
    for name in validation:
        if name != picked and is_baseline(fitted[name]):
            both = {name: validation[name], picked: validation[picked]}
            if best(both, choose_by) == name:
                found.append(
                    f"The baseline '{name}' is at least as good as {picked} on validation: the {target} may be predictable here "
                    "without the words."
                )
    return found


def rank(validation: Mapping[str, Scores], choose_by: ChooseBy) -> list[str]:
    """Return all names, the best on validation first."""
    left, order = dict(validation), []
    while left:
        order.append(best(left, choose_by))
        del left[order[-1]]
    return order


def against(first: Predictions, others: dict[str, Predictions]) -> dict[str, dict[str, Any]]:
    """Test one recipe against each of the others on the same songs.

    Returns
    -------
    dict
        By name: what `Predictions.against` returns, and ``p_holm`` with Holm's correction for the number of comparisons, also in
        the test of each figure.
    """
    found = {name: first.against(other) for name, other in others.items()}
    correct(list(found.values()))
    for key in bootstrapped(next(iter(found.values()), {})):
        correct([test[key] for test in found.values()])
    return found


def bootstrapped(test: Mapping[str, Any]) -> list[str]:
    """Return the figures that a paired test compares by a bootstrap."""
    return [key for key, value in test.items() if isinstance(value, dict)]


def correct(tests: Sequence[dict[str, Any]]) -> None:
    """Add ``p_holm`` to each test: its ``p`` with Holm's correction for their number."""
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p


def sentence(first: str, second: str, test: Mapping[str, Any]) -> str:
    """Return the result of the paired test of two recipes as a sentence."""
    if main := next((each for kind in ("multi", "ordinal") if (each := FIGURES[kind][0]).key in test), None):
        compared = test[main.key]
        said = f"{first} differs from {second} by {compared['difference']:+.3f} in {main.name}"
        interval = (
            f"95% interval {compared['low']:+.3f} to {compared['high']:+.3f}, paired bootstrap p = {compared['p']:.3g}"
        )
        return f"{said} ({interval})."
    counts = f"{first} alone was right on {test['only_first']} test songs, {second} alone on {test['only_other']}"
    if test["p"] < 0.05:
        better = first if test["difference"] > 0 else second
        return f"{counts}: {better} is better (exact McNemar p = {test['p']:.3g})."
    return f"{counts}: the difference is not significant (exact McNemar p = {test['p']:.2f})."
