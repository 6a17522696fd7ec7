"""Scores of a classifier: against scikit-learn, with unseen labels, and ready for JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, f1_score, log_loss, top_k_accuracy_score

from lyrist.errors import LyristError
from lyrist.metrics import classification
from lyrist.training.predictions import Predictions

CLASSES = ["folk", "pop", "rap", "soul"]


def songs(n: int = 200, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), truth] += 1
    P = np.exp(logits)
    return [CLASSES[t] for t in truth], P / P.sum(axis=1, keepdims=True)


def test_figures_are_those_of_scikit_learn() -> None:
    truth, P = songs()
    answers = [CLASSES[i] for i in P.argmax(axis=1)]
    found = classification.score(truth, P, CLASSES)
    report = classification_report(truth, answers, output_dict=True)
    assert found["n"] == 200
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truth, answers))
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
    assert found["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    assert found["macro_f1_interval"]["low"] < found["macro_f1"] < found["macro_f1_interval"]["high"]
    assert found["loss"] == pytest.approx(log_loss(truth, P))
    assert found["top3"] == pytest.approx(top_k_accuracy_score(truth, P, k=3, labels=CLASSES))
    assert found["unseen_labels"] == []
    assert found["calibration"] == classification.calibration_of(truth, P, CLASSES)
    for label in CLASSES:
        known = report[label]
        here = found["by_class"][label]
        assert (here["n"], here["precision"], here["recall"], here["f1"]) == pytest.approx(
            (known["support"], known["precision"], known["recall"], known["f1-score"])
        )


def test_a_class_of_one_song_that_is_predicted_once_is_perfect() -> None:
    found = classification.score(["folk", "rap"], [[1, 0, 0, 0], [0, 0, 1, 0]], CLASSES)["by_class"]
    assert found["folk"] == found["rap"] == {"n": 1, "precision": 1, "recall": 1, "f1": 1}


def test_scores_are_plain_numbers() -> None:
    truth, P = songs(30)
    assert json.loads(json.dumps(classification.score(truth, P, CLASSES), allow_nan=False))


def test_labels_that_training_lacked_count_as_wrong_and_are_named() -> None:
    truth, P = songs(40)
    strange = ["disco", *truth[1:]]
    before, after = classification.score(truth, P, CLASSES), classification.score(strange, P, CLASSES)
    was_right = truth[0] == CLASSES[P[0].argmax()]
    assert after["unseen_labels"] == ["disco"]
    assert after["accuracy"]["value"] == pytest.approx(before["accuracy"]["value"] - was_right / 40)
    assert after["by_class"]["disco"] == {"n": 1, "precision": 0, "recall": 0, "f1": 0}
    assert after["loss"] > before["loss"]
    assert classification.losses(strange, P, CLASSES)[0] == pytest.approx(-np.log(classification.FLOOR))
    assert classification.losses(["pop"], [[1, 0, 0, 0]], CLASSES)[0] == pytest.approx(-np.log(classification.FLOOR))


@pytest.mark.parametrize(
    ("truth", "P", "says"),
    [
        ([], np.zeros((0, 4)), "no song"),
        (["folk"], np.zeros((2, 4)), "have the shape"),
        (["folk"], np.full((1, 4), np.nan), "not a number"),
    ],
)
def test_what_cannot_be_scored_is_reported_in_a_sentence(truth: list[str], P: np.ndarray, says: str) -> None:
    with pytest.raises(LyristError, match=says):
        classification.score(truth, P, CLASSES)


def test_calibration_by_hand() -> None:
    P = [[0.95, 0.05], [0.95, 0.05], [0.45, 0.55], [0.55, 0.45]]
    found = classification.calibration_of(["a", "b", "b", "a"], P, ["a", "b"])
    assert found["ece"] == pytest.approx(0.5 * abs(0.5 - 0.95) + 0.5 * abs(1 - 0.55))
    assert [(b["n"], b["accuracy"]) for b in found["bins"]] == [(2, 1.0), (2, 0.5)]
    assert [(b["low"], b["high"]) for b in found["bins"]] == [(0.5, 0.6), (0.9, 1.0)]
    many = [f"class {number}" for number in range(20)]
    [least] = classification.calibration_of(many[:1], [[0.05] * 20], many)["bins"]
    assert (least["low"], least["high"]) == (0.0, 0.1)


@given(st.integers(1, 60), st.integers(0, 1000))
def test_bins_hold_every_song(n: int, seed: int) -> None:
    truth, P = songs(n, seed)
    found = classification.calibration_of(truth, P, CLASSES)
    assert sum(b["n"] for b in found["bins"]) == n
    assert all(b["low"] <= b["confidence"] <= b["high"] for b in found["bins"])
    assert 0 <= found["ece"] <= 1


def test_confusion_counts_truth_by_rows() -> None:
    assert classification.confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b", "c"]) == [
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]
    with pytest.raises(LyristError, match="'z' is not among"):
        classification.confusion(["a"], ["z"], ["a"])


def test_groups_come_largest_first_with_intervals() -> None:
    found = classification.by_group("aabbc", "abbbb", ["Y", "Y", "X", "Z", "W"])
    assert list(found) == ["Y", "W", "X", "Z"]  # groups of one size by name, whatever their accuracy
    assert list(classification.by_group("ab", "aa", ["A", "B"])) == ["A", "B"]
    with pytest.raises(ValueError, match="shorter"):
        classification.by_group("ab", "a", ["A", "B"])
    assert found["Y"]["n"] == 2
    assert found["Y"]["accuracy"]["value"] == 0.5
    assert found["X"]["accuracy"]["low"] < 1 == found["X"]["accuracy"]["high"]


def test_the_hardest_and_the_clearest_songs() -> None:
    def examples(truth: list[str], P: list[list[float]], *, right: bool, most: int = 10) -> list[int]:
        songs = np.arange(len(truth), dtype=np.int64)
        return Predictions(songs, truth, np.array(P), ["a", "b"]).examples(right=right, most=most)

    P = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.01, 0.99]]
    truth = ["a", "b", "b", "a"]
    assert examples(truth, P, right=False) == [3, 1]
    assert examples(truth, P, right=True, most=1) == [0]
    assert [classification.top_k(truth, P, ["a", "b"], k) for k in (1, 2)] == [0.5, 1]
    assert examples(truth[::-1], P[::-1], right=True) == [3, 1]
    wrong, right = ["b"] * 12, ["a"] * 12
    assert examples(wrong, [[1.0, 0.0]] * 12, right=False) == list(range(10))
    assert examples(right, [[1.0, 0.0]] * 12, right=True) == list(range(10))
