"""The figures of each kind of target, in the order of every table, chart and summary; the first is the main one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lyrist.errors import UsageError
from lyrist.metrics.ordinal import WITHIN


@dataclass(frozen=True)
class Figure:
    """One figure of a classifier."""

    key: str
    """The key in the scores."""
    name: str
    percent: bool = False
    lower: bool = False
    """Whether a lower figure is better."""

    @property
    def spec(self) -> str:
        """How a table writes it."""
        return ".1%" if self.percent else ".3f"


LOSS = Figure("loss", "loss", lower=True)
MACRO_F1 = Figure("macro_f1", "macro F1")

FIGURES = {
    "single": (Figure("accuracy", "accuracy", percent=True), MACRO_F1, LOSS),
    "multi": (
        Figure("micro_f1", "micro F1"),
        MACRO_F1,
        Figure("average_precision", "average precision"),
        Figure("subset_accuracy", "all labels right", percent=True),
        LOSS,
    ),
    "ordinal": (
        Figure("mae", "mean absolute error", lower=True),
        Figure(f"within_{WITHIN}", f"within {WITHIN}", percent=True),
        Figure("median_error", "median absolute error", lower=True),
        LOSS,
    ),
}


def figures_of(scores: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures that some scores, a run or a study have, by their kind."""
    return FIGURES[scores.get("kind", "single")]


def main_of(scores: Mapping[str, Any]) -> Figure:
    """Return the main figure of some scores, a run or a study."""
    return figures_of(scores)[0]


def value_of(scores: Mapping[str, Any], key: str) -> float:
    """Return one figure of some scores as a number."""
    value = scores[key]
    return float(value["value"] if isinstance(value, Mapping) else value)


def interval_of(scores: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Return the 95% interval of one figure; None if it has none."""
    found = scores[key] if isinstance(scores[key], Mapping) else scores.get(f"{key}_interval")
    return (float(found["low"]), float(found["high"])) if found else None


def check_choice(choose_by: str, kind: str) -> None:
    """Raise if a figure that shall select a recipe is not one of this kind of target.

    Raises
    ------
    UsageError
        The message has the figures that are.
    """
    known = [figure.key for figure in FIGURES[kind]]
    if choose_by not in known:
        raise UsageError(f"--choose-by {choose_by} is no figure of this target; choose one of {', '.join(known)}.")


def phrase(scores: Mapping[str, Any]) -> str:
    """Return the figures of one split as a phrase: the main one with interval and n, then the others."""
    parts = []
    for number, figure in enumerate(figures_of(scores)):
        value, interval = value_of(scores, figure.key), interval_of(scores, figure.key)
        text = f"{figure.name} {value:.3f}"
        if isinstance(scores[figure.key], Mapping) and interval:
            text += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
        parts.append(text + (f" (n = {scores['n']:,})" if number == 0 else ""))
    return ", ".join(parts)
