"""Scores, thresholds and sets of classifiers with several labels a song, and of ordered targets."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from lyrist.errors import LyristError, UsageError
from lyrist.metrics import multilabel, ordinal
from lyrist.metrics.conformal import LabelSets, NumberIntervals
from lyrist.metrics.kinds import check_choice, phrase

LABELS = ["folk", "pop", "rock"]


def predictions(n: int = 200, seed: int = 0, k: int = 3) -> tuple[Any, Any]:
    """Return truth and well-calibrated probabilities."""
    rng = np.random.default_rng(seed)
    P = rng.beta(0.6, 1.2, (n, k)).round(2)
    return rng.random((n, k)) < P, P


def named(Y: Any) -> list[list[str]]:
    return [[LABELS[c] for c in np.flatnonzero(row)] for row in Y]


def test_figures_are_those_of_scikit_learn() -> None:
    Y, P = predictions()
    limits = np.array([0.3, 0.5, 0.7])
    found = multilabel.score(named(Y), P, LABELS, limits)
    predicted = limits <= P
    assert found["micro_f1"]["value"] == pytest.approx(f1_score(Y, predicted, average="micro"))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(Y, predicted, average="macro"))
    assert found["average_precision"]["value"] == pytest.approx(average_precision_score(Y, P, average="macro"))
    assert found["subset_accuracy"]["value"] == pytest.approx((predicted == Y).all(axis=1).mean())
    for figure in ("micro_f1", "macro_f1", "average_precision", "subset_accuracy"):
        assert found[figure]["low"] < found[figure]["value"] < found[figure]["high"]
    assert found["by_class"]["pop"]["f1"] == pytest.approx(f1_score(Y[:, 1], predicted[:, 1]))
    nats = -np.where(Y, np.log(np.clip(P, 1e-7, 1)), np.log(np.clip(1 - P, 1e-7, 1))).sum(axis=1)
    assert found["loss"] == pytest.approx(nats.mean())
    assert "micro F1" in phrase(found)


def test_labels_that_the_model_does_not_know_are_missed() -> None:
    found = multilabel.score([["pop", "ska"], ["pop"]], [[0.9], [0.9]], ["pop"], [0.5])
    assert found["unseen_labels"] == ["ska"]
    assert found["micro_f1"]["value"] == pytest.approx(2 * 2 / (3 + 2))
    assert found["by_class"]["ska"]["recall"] == 0


def test_songs_of_one_cluster_are_resampled_together() -> None:
    Y, P = predictions(40)
    apart = multilabel.score(named(Y), P, LABELS, [0.5] * 3)["subset_accuracy"]
    copies = [named(Y) * 9, np.tile(P, (9, 1)), LABELS, [0.5] * 3]
    together = multilabel.score(*copies, groups=np.tile(np.arange(40), 9))["subset_accuracy"]
    alone = multilabel.score(*copies)["subset_accuracy"]
    assert together["high"] - together["low"] == pytest.approx(apart["high"] - apart["low"], abs=0.03)
    assert alone["high"] - alone["low"] < 0.6 * (together["high"] - together["low"])


def test_thresholds_have_the_best_f1() -> None:
    Y, P = predictions(60)
    limits = multilabel.thresholds(Y, P)
    for c, limit in enumerate(limits):
        best = max(f1_score(Y[:, c], P[:, c] >= other) for other in np.unique(P[:, c]))
        assert f1_score(Y[:, c], limit <= P[:, c]) == pytest.approx(best)


def test_a_rare_label_has_the_threshold_of_all_labels_together() -> None:
    Y, P = predictions(300)
    Y[:, 2] = np.arange(300) < multilabel.FEW - 1
    limits = multilabel.thresholds(Y, P)
    pooled = max(f1_score(Y.ravel(), P.ravel() >= other) for other in np.unique(P)[::5])
    assert f1_score(Y.ravel(), limits[2] <= P.ravel()) >= pooled
    assert multilabel.thresholds(np.zeros((4, 1)), np.ones((4, 1))).tolist() == [0.5]


def test_sets_hold_the_promised_share_of_the_labels() -> None:
    covered = []
    for seed in range(30):
        Y, P = predictions(240, seed)
        sets = LabelSets.calibrated(named(Y[:120]), P[:120], LABELS, 0.8)
        covered.append(sets.evaluate(named(Y[120:]), P[120:], LABELS)["coverage"]["value"])
        assert sets.threshold > 0
    has_none = np.mean([(~predictions(240, seed)[0].any(axis=1)).mean() for seed in range(30)])
    assert 0.8 - 0.02 <= np.mean(covered) + has_none <= 0.8 + 0.05
    few = LabelSets.calibrated([["pop"]] * 3, np.full((3, 1), 0.9), ["pop"], 0.9)
    assert few.threshold == 0


def test_the_constant_prediction_has_the_best_micro_f1() -> None:
    labels, shares, best = multilabel.constant([["pop"], ["pop", "rock"], ["pop"], ["folk", "pop"]])
    assert labels == ["folk", "pop", "rock"]
    assert shares.tolist() == [0.25, 1, 0.25]
    assert best == ["pop"]


def test_paired_differences() -> None:
    Y, P = predictions(300)
    good, bad = P >= 0.5, P >= 2
    found = multilabel.paired(named(Y), good, bad, LABELS)
    assert found["micro_f1"]["difference"] == pytest.approx(f1_score(Y, good, average="micro"))
    assert found["micro_f1"]["p"] < 0.01
    assert multilabel.paired(named(Y), good, good, LABELS)["macro_f1"]["p"] == 1


def test_bad_scores_are_refused() -> None:
    with pytest.raises(LyristError, match="no song"):
        multilabel.score([], np.zeros((0, 1)), ["pop"], [0.5])
    with pytest.raises(LyristError, match="another model"):
        multilabel.score([["pop"]], np.zeros((1, 2)), ["pop"], [0.5])
    with pytest.raises(LyristError, match="not a number"):
        multilabel.score([["pop"]], [[np.nan]], ["pop"], [0.5])
    with pytest.raises(UsageError, match="choose one of mae"):
        check_choice("accuracy", "ordinal")


def test_the_median_of_a_distribution_over_years() -> None:
    years = np.repeat(np.arange(1960, 2000), 5)
    classes = ordinal.names(years)
    assert len(classes) == ordinal.EDGES
    certain = ordinal.above(years, classes)
    spacing = np.diff(ordinal.edges(classes)).max()
    assert np.abs(ordinal.quantiles(certain, classes) - years).max() <= spacing
    found = ordinal.score(years, certain, classes)
    assert found["mae"]["value"] < 2
    assert found["within_5"]["value"] == 1
    assert found["correlation"] > 0.99
    shares = np.tile((years[:, None] > ordinal.edges(classes)).mean(axis=0), (200, 1))
    middle = ordinal.quantiles(shares, classes)
    assert middle == pytest.approx(np.median(years), abs=spacing)
    assert ordinal.names([3, 1, 2]) == ["> 1", "> 2"]


def test_intervals_of_numbers_hold_the_promised_share() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(100):
        off = rng.normal(size=140)
        intervals = NumberIntervals.calibrated(off[:70], np.zeros(70), 0.8)
        held.append(intervals.evaluate(off[70:], np.zeros(70))["coverage"]["value"])
    assert np.mean(held) == pytest.approx(0.8, abs=0.02)
    assert NumberIntervals.calibrated([1], [1]).evaluate([1], [2])["radius"] is None


def test_paired_errors_of_numbers() -> None:
    truth = np.arange(100.0)
    assert ordinal.paired(truth, truth + 1, truth + 3)["difference"] == -2
    assert ordinal.paired(truth, truth + 1, truth - 1)["p"] == 1
