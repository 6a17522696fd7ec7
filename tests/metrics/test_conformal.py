"""Prediction sets cover the true label as often as requested, on data where that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.metrics.conformal import PredictionSets, uniform_of

CLASSES = ["a", "b", "c", "d", "e"]


def drawn(n: int, seed: int, sharpness: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return labels that follow the probabilities of a calibrated model, and uniform numbers."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([sharpness] * len(CLASSES), size=n)
    truth = [CLASSES[rng.choice(len(CLASSES), p=row)] for row in p]
    return truth, p, rng.random(n)


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0])
def test_the_coverage_is_the_requested_one(coverage: float, sharpness: float) -> None:
    sets = PredictionSets.calibrated(*drawn(2_000, 0, sharpness)[:2], CLASSES, drawn(2_000, 0, sharpness)[2], coverage)
    truth, p, u = drawn(4_000, 1, sharpness)
    found = sets.evaluate(truth, p, CLASSES, u)
    assert abs(found["coverage"]["value"] - coverage) < 0.03
    assert found["coverage"]["low"] < found["coverage"]["value"] < found["coverage"]["high"]
    assert found["mean_size"]["low"] <= found["mean_size"]["value"] <= found["mean_size"]["high"]
    assert sum(each["n"] for each in found["by_class"].values()) == found["n"] == 4_000


def test_with_equal_probabilities_the_coverage_is_at_least_the_requested_one() -> None:
    rng = np.random.default_rng(0)
    p = np.round(rng.dirichlet([1.0] * 5, size=6_000) * 4) / 4  # many ties, rows that do not even sum to 1
    p[:3_000:2] = 0.2
    truth = [CLASSES[rng.integers(5)] for _ in p]
    order = rng.permutation(6_000)
    p, truth, u = p[order], [truth[i] for i in order], rng.random(6_000)
    sets = PredictionSets.calibrated(truth[:3_000], p[:3_000], CLASSES, u[:3_000], 0.8)
    found = sets.evaluate(truth[3_000:], p[3_000:], CLASSES, u[3_000:])
    assert found["coverage"]["value"] > 0.77  # labels without any probability are covered together
    constant = np.full((100, 4), 0.25)
    labels = ["abcd"[i % 4] for i in range(100)]
    sets = PredictionSets.calibrated(labels, constant, list("abcd"), u[:100], 0.9)
    assert sets.evaluate(labels, constant, list("abcd"), u[100:200])["coverage"]["value"] > 0.75


def test_a_known_answer() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    sets = PredictionSets(0.9, 0.7, 10)
    assert sets.members(p, np.zeros(2)).tolist() == [[True, True, False], [False, True, True]]
    assert sets.members(p, np.ones(2)).tolist() == [[True, False, False], [False, True, False]]
    assert PredictionSets(0.9, 0.1, 10).members(p, np.ones(2)).sum() == 0  # an empty set is possible


def test_a_label_that_training_lacked_is_never_covered_and_few_songs_give_whole_sets() -> None:
    p = np.full((4, 2), 0.5)
    sets = PredictionSets.calibrated(["x", "a", "a", "b"], p, ["a", "b"], np.full(4, 0.5), 0.9)
    assert sets.threshold == np.inf
    assert sets.members(p, np.ones(4)).all()
    found = sets.evaluate(["x", "a", "a", "b"], p, ["a", "b"], np.ones(4))
    assert found["by_class"]["x"]["coverage"]["value"] == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        PredictionSets.calibrated(["a"], [[1.0]], ["a"], [0.5], 1.0)


@given(st.integers(0, 10_000), st.floats(0.05, 20))
@settings(max_examples=25, deadline=None)
def test_a_higher_threshold_never_removes_a_label_and_order_does_not_matter(seed: int, sharpness: float) -> None:
    _, p, u = drawn(30, seed, sharpness)
    small, large = (PredictionSets(0.9, threshold, 9).members(p, u) for threshold in (0.5, 0.8))
    assert not (small & ~large).any()
    turned = PredictionSets(0.9, 0.8, 9).members(p[:, ::-1], u)[:, ::-1]
    assert (turned == large).all()


def test_the_uniform_number_belongs_to_the_text() -> None:
    texts = [f"song {number}" for number in range(4_000)]
    u = uniform_of(texts)
    assert (uniform_of(texts[::-1])[::-1] == u).all()
    assert 0 <= u.min() < 0.01 < 0.99 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.02
