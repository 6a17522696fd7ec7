import numpy as np
import pytest

from lyrist.models.trees import TunedTree

LYRICS = [f"{word} line\n{word} and {i % 5}" for i in range(20) for word in ("tide", "wire")]
LABELS = ["ann", "bob"] * 20


def test_it_finds_the_one_word_that_tells() -> None:
    model = TunedTree(folds=2).fit(LYRICS, LABELS)
    assert set(model.chosen_) == {"max_depth", "min_samples_leaf"}
    assert model.tree_.tree_.node_count == 3
    np.testing.assert_allclose(model.predict_proba(["the tide"]), [[20.5 / 21, 0.5 / 21]])
    assert model.predict(["wire wire", "tide"]).tolist() == ["bob", "ann"]


@pytest.mark.parametrize("n", [1, 2])
def test_with_a_lonely_class_nothing_is_tuned(n: int) -> None:
    model = TunedTree().fit([*LYRICS, *["alone"] * n], [*LABELS, *["zoe"] * n])
    assert (model.chosen_ == {"max_depth": 20, "min_samples_leaf": 2}) == (n == 1)


def test_the_seed_alone_decides() -> None:
    first, second = (TunedTree(random_state=1).fit(LYRICS, LABELS).predict_proba(LYRICS) for _ in range(2))
    np.testing.assert_array_equal(first, second)
