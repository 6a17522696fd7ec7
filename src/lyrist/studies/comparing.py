"""Which of several fitted recipes is better, and whether that can be told: picked on validation, tested in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lyrist.evaluation.intervals import holm, mcnemar

ChooseBy = Literal["loss", "accuracy", "macro_f1"]
"""The validation figure by which a recipe is picked: the loss (lowest), the accuracy or the macro F1 (highest)."""


@dataclass(frozen=True)
class Judged:
    """What a recipe answered on the songs of one split, next to the truth."""

    ids: npt.NDArray[np.int64]
    truth: list[str]
    probabilities: npt.NDArray[np.float64]
    """Shape (songs, classes), rows sum to 1."""
    classes: list[str]

    @property
    def answers(self) -> list[str]:
        """The most probable label of each song."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is right."""
        return np.array([a == t for a, t in zip(self.answers, self.truth, strict=True)], dtype=bool)


def pick(validation: dict[str, dict[str, Any]], choose_by: ChooseBy) -> str:
    """Return the name of the recipe with the best validation figure; of equal ones, the first.

    Parameters
    ----------
    validation
        Scores on validation by name, in the order of the study: simpler recipes first.
    choose_by
        The figure.
    """
    if choose_by == "loss":
        return min(validation, key=lambda name: validation[name]["loss"])
    return max(validation, key=lambda name: figure(validation[name], choose_by))


def figure(scores: dict[str, Any], name: str) -> float:
    """Return one figure out of a split's scores, as a number."""
    value = scores[name]
    return float(value["value"] if isinstance(value, dict) else value)


def rank(validation: dict[str, dict[str, Any]], choose_by: ChooseBy) -> list[str]:
    """Return all names, the best on validation first."""
    left, order = dict(validation), []
    while left:
        order.append(pick(left, choose_by))
        del left[order[-1]]
    return order


def against(first: Judged, others: dict[str, Judged]) -> dict[str, dict[str, float]]:
    """Test one recipe against each of the others on the same songs.

    Returns
    -------
    dict
        By name: ``difference`` of accuracy, ``only_first`` and ``only_other`` (songs that one alone got right), ``p`` of
        the exact McNemar test, and ``p_holm`` with Holm's correction for the number of comparisons.
    """
    found: dict[str, dict[str, float]] = {}
    for name, other in others.items():
        a, b = first.right, other.right
        only_first, only_other = int((a & ~b).sum()), int((b & ~a).sum())
        found[name] = {
            "difference": float(a.mean() - b.mean()),
            "only_first": only_first,
            "only_other": only_other,
            "p": mcnemar(only_first, only_other),
        }
    corrected = holm([test["p"] for test in found.values()])
    for test, p in zip(found.values(), corrected, strict=True):
        test["p_holm"] = p
    return found


def sentence(first: str, second: str, test: dict[str, float]) -> str:
    """Say in words what the paired test of two recipes found."""
    told = f"{first} alone was right on {test['only_first']} test songs, {second} alone on {test['only_other']}"
    if test["p"] < 0.05:
        better = first if test["difference"] > 0 else second
        return f"{told}: {better} is better (exact McNemar p = {test['p']:.3g})."
    return f"{told}: this test set cannot tell them apart (exact McNemar p = {test['p']:.2f})."
