"""Selection on validation by the rule of one standard error, and the order of preference among equal recipes."""

from typing import Any

import numpy as np
import pytest

from lyrist.metrics.classification import score
from lyrist.studies.ranking import best, rank, select

FAMILIES = {"words": "linear", "chars": "linear", "pool": "ensemble", "tree": "tree", "net": "neural"}


def scored(**losses: float) -> dict[str, Any]:
    return {
        name: {"loss": loss, "loss_se": 0.1, "accuracy": {"value": 1 - loss}, "n": 25} for name, loss in losses.items()
    }


@pytest.mark.parametrize(
    ("losses", "picked", "equal"),
    [
        ({"words": 0.50, "pool": 0.59}, "pool", ["pool"]),  # within the error: the ensemble is preferred
        ({"words": 0.50, "pool": 0.61}, "words", []),  # beyond it
        ({"words": 0.54, "chars": 0.50, "net": 0.45}, "chars", ["chars", "words"]),  # of one family, the better
        ({"tree": 0.50, "net": 0.45}, "tree", ["tree"]),
        ({"pool": 0.40, "words": 0.45}, "pool", ["words"]),
    ],
)
def test_equal_recipes_are_decided_by_the_order_of_preference(losses: Any, picked: str, equal: list[str]) -> None:
    found = select(scored(**losses), "loss", FAMILIES)
    assert (found.name, found.equal) == (picked, equal)
    said = found.sentence("loss")
    assert picked in said
    assert all(name in said for name in equal)


def test_accuracy_has_the_error_of_a_proportion() -> None:
    found = select(scored(words=0.2, pool=0.25), "accuracy", FAMILIES)
    assert (found.best, found.name) == ("words", "pool")
    assert found.error == pytest.approx((0.8 * 0.2 / 25) ** 0.5)


def test_ranks_follow_the_figure_alone() -> None:
    losses = scored(pool=0.5, words=0.45, net=0.48)
    assert rank(losses, "loss") == ["words", "net", "pool"]
    assert best(losses, "accuracy") == "words"


def test_the_standard_error_of_the_loss_is_that_of_the_songs() -> None:
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    found = score(["a", "b", "b"], probabilities, ["a", "b"])
    nats = -np.log([0.9, 0.5, 0.8])
    assert found["loss"] == pytest.approx(nats.mean())
    assert found["loss_se"] == pytest.approx(nats.std(ddof=1) / 3**0.5)
