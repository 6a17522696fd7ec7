"""Intervals and tests against answers known by hand, from scipy and from scikit-learn."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from lyrist.metrics import intervals


def test_wilson_agrees_with_scipy_and_with_the_book() -> None:
    for correct, n in [(0, 10), (19, 43), (43, 43), (1, 1), (500, 1000)]:
        known = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
        assert intervals.wilson(correct, n) == pytest.approx((known.low, known.high), abs=1e-12)
    # Newcombe (1998), table I: 81 of 263.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_knows_nothing_of_no_songs() -> None:
    assert intervals.wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and n"):
        intervals.wilson(3, 2)


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_bounds(counts: tuple[int, int]) -> None:
    correct, n = counts
    low, high = intervals.wilson(correct, n)
    assert 0 <= low <= (correct / n if n else 0.5) <= high <= 1


def test_mean_and_standard_deviation() -> None:
    assert intervals.mean_sd([0.8, 0.9, 1.0]) == pytest.approx((0.9, 0.1))
    assert intervals.mean_sd([0.5, 0.7]) == pytest.approx((0.6, 0.02**0.5))
    assert intervals.mean_sd([0.5]) == (0.5, 0.0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, answers = zip(*pairs, strict=True)
    matrix = confusion_matrix(truth, answers, labels=list("abcd"))
    known = f1_score(truth, answers, average="macro", zero_division=0.0)
    assert intervals.macro_f1(matrix) == pytest.approx(known)


def test_bootstrap_of_macro_f1_resamples_songs() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 150)
    answers = np.where(rng.random(150) < 0.7, truth, rng.integers(0, 3, 150))
    low, high = intervals.bootstrap_macro_f1(confusion_matrix(truth, answers), samples=4000)
    drawn = rng.integers(0, 150, size=(4000, 150))
    matrices = np.zeros((4000, 3, 3))
    np.add.at(matrices, (np.arange(4000)[:, None], truth[drawn], answers[drawn]), 1)
    slow = intervals.macro_f1(matrices)
    assert (low, high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.01)
    assert intervals.bootstrap_macro_f1(confusion_matrix(truth, answers), samples=4000) == (low, high)


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(2, 1, 400)
    low, high = intervals.bootstrap_mean(values, samples=4000)
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_mcnemar_is_a_coin_toss() -> None:
    assert intervals.mcnemar(0, 0) == 1.0
    assert intervals.mcnemar(5, 0) == pytest.approx(2 / 2**5)
    assert intervals.mcnemar(3, 10) == intervals.mcnemar(10, 3) == pytest.approx(stats.binomtest(3, 13).pvalue)


def test_paired_bootstrap_of_losses_finds_a_difference_and_none() -> None:
    rng = np.random.default_rng(1)
    base = rng.exponential(1, 300)
    apart = intervals.paired_bootstrap_loss(base, base + rng.normal(0.3, 0.5, 300))
    assert apart["difference"] == pytest.approx(-0.3, abs=0.1)
    assert apart["p"] < 0.01
    assert apart["low"] < apart["difference"] < apart["high"] < 0
    same = intervals.paired_bootstrap_loss(base, base)
    assert (same["difference"], same["p"]) == (0, 1)
    with pytest.raises(ValueError, match="same songs"):
        intervals.paired_bootstrap_loss([1.0], [1.0, 2.0])


def test_paired_bootstrap_of_macro_f1_is_paired() -> None:
    rng = np.random.default_rng(2)
    truth = list("abc" * 60)
    good = [t if r < 0.8 else "a" for t, r in zip(truth, rng.random(180), strict=True)]
    worse = [g if r < 0.85 else "b" for g, r in zip(good, rng.random(180), strict=True)]
    found = intervals.paired_bootstrap_macro_f1(truth, good, worse)
    known = f1_score(truth, good, average="macro") - f1_score(truth, worse, average="macro")
    assert found["difference"] == pytest.approx(known)
    assert found["low"] < known < found["high"]
    assert found["p"] < 0.05
    assert intervals.paired_bootstrap_macro_f1(truth, good, good)["p"] == 1


def test_holm_agrees_with_the_worked_example() -> None:
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert intervals.holm([]) == []
    assert intervals.holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p: list[float]) -> None:
    corrected = intervals.holm(p)
    assert all(a <= b <= 1 for a, b in zip(p, corrected, strict=True))
    ranked = [q for _, q in sorted(zip(p, corrected, strict=True))]
    assert all(a <= b for a, b in pairwise(ranked))


def test_corrected_t_widens_the_plain_one_by_the_overlap() -> None:
    d = [0.02, 0.05, 0.01, 0.04, 0.03]
    found = intervals.corrected_resampled_t(d, n_train=80, n_test=20)
    plain = stats.ttest_1samp(d, 0)
    assert found["t"] == pytest.approx(plain.statistic / math.sqrt(1 + 5 * 0.25))
    assert found["p"] == pytest.approx(2 * stats.t.sf(found["t"], 4))
    assert found["mean"] == pytest.approx(0.03)
    assert found["low"] < 0.03 < found["high"]
    same = {"mean": 0.25, "low": 0.25, "high": 0.25, "t": 0.0, "p": 0.0}
    assert intervals.corrected_resampled_t([0.25, 0.25], 80, 20) == same
    assert intervals.corrected_resampled_t([0.0, 0.0], 80, 20)["p"] == 1
    with pytest.raises(ValueError, match="at least two"):
        intervals.corrected_resampled_t([0.1], 80, 20)


@pytest.mark.parametrize("samples", [9, 99, 999])
def test_a_bootstrap_p_value_is_never_zero(samples: int) -> None:
    """Davison & Hinkley (1997), section 4.2: (1 + exceedances) / (1 + resamples), doubled for two sides."""
    ones, zeros = np.ones(20), np.zeros(20)
    assert intervals.paired_bootstrap_loss(ones, zeros, samples=samples)["p"] == pytest.approx(2 / (samples + 1))
    assert intervals.paired_bootstrap_ratio(ones, zeros, ones, samples=samples)["p"] == pytest.approx(2 / (samples + 1))


def test_a_bootstrap_p_value_counts_the_smaller_tail() -> None:
    first, second = np.array([3.0, -1.0]), np.zeros(2)
    drawn = intervals._resampled_means(first, 499, seed=5)
    assert set(drawn) == {-1.0, 1.0, 3.0}
    expected = 2 * (1 + (drawn <= 0).sum()) / 500
    assert intervals.paired_bootstrap_loss(first, second, samples=499, seed=5)["p"] == pytest.approx(expected)
    assert intervals.paired_bootstrap_loss(second, first, samples=499, seed=5)["p"] == pytest.approx(expected)


def test_the_level_widens_every_interval() -> None:
    values = np.random.default_rng(0).exponential(1, 60)
    below = np.ones(60)
    matrix = np.array([[20, 5], [8, 27]])
    for interval in (
        lambda level: intervals.bootstrap_mean(values, level),
        lambda level: intervals.bootstrap_ratio(values, below, level),
        lambda level: intervals.bootstrap_macro_f1(matrix, level),
        lambda level: intervals.wilson(12, 60, level),
    ):
        (low90, high90), (low99, high99) = interval(0.9), interval(0.99)
        assert low99 < low90 < high90 < high99
    assert intervals.bootstrap_mean(values) == intervals.bootstrap_mean(values, 0.95, 1_000, 0)


def test_intervals_of_nothing_are_unbounded() -> None:
    assert intervals.bootstrap_mean([]) == (-math.inf, math.inf)
    assert intervals.bootstrap_macro_f1(np.zeros((2, 2))) == (0.0, 1.0)
    assert intervals.macro_f1(np.zeros((3, 3))) == 0


def test_the_interval_of_the_corrected_t_test_is_that_of_its_formula() -> None:
    d = [0.02, 0.05, 0.01, 0.04, 0.03]
    found = intervals.corrected_resampled_t(d, n_train=80, n_test=20)
    error = math.sqrt((1 / 5 + 20 / 80) * float(np.var(d, ddof=1)))
    half = stats.t.ppf(0.975, 4) * error
    assert (found["low"], found["high"]) == pytest.approx((0.03 - half, 0.03 + half))


def test_large_samples_are_resampled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0, 1, 30)
    whole = intervals.bootstrap_mean(values, samples=500)
    monkeypatch.setattr(intervals, "_CELLS", 30 * 7)
    assert intervals.bootstrap_mean(values, samples=500) == pytest.approx(whole, abs=1e-12)
    assert len(intervals._resampled_ratios(values, np.ones(30), 500, 0)) == 500
    assert len(intervals._draws(np.array([10, 20]), 500, np.random.default_rng(0), 2)) > 1


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=30))
def test_the_paired_difference_of_macro_f1_is_that_of_scikit_learn(songs: list[tuple[str, str, str]]) -> None:
    truth, first, second = map(list, zip(*songs, strict=True))
    found = intervals.paired_bootstrap_macro_f1(truth, first, second, samples=10)
    one, other = (f1_score(truth, answers, average="macro", zero_division=0.0) for answers in (first, second))
    assert found["difference"] == pytest.approx(one - other)


def test_paired_tests_need_the_same_songs() -> None:
    for truth, first, second in (("ab", "ab", "a"), ("ab", "a", "ab"), ("", "", "")):
        with pytest.raises(ValueError, match="the same songs"):
            intervals.paired_bootstrap_macro_f1(truth, first, second)


def test_the_same_seed_gives_the_same_interval_and_the_default_is_0() -> None:
    rng = np.random.default_rng(0)
    a, b, below = rng.exponential(1, (3, 40))
    truth, first, second = (rng.choice(list("abc"), 40).tolist() for _ in range(3))
    matrix = confusion_matrix(truth, first)
    for test in (
        lambda **seed: intervals.bootstrap_mean(a, **seed),
        lambda **seed: intervals.bootstrap_ratio(a, below, **seed),
        lambda **seed: intervals.bootstrap_macro_f1(matrix, **seed),
        lambda **seed: intervals.paired_bootstrap_loss(a, b, **seed),
        lambda **seed: intervals.paired_bootstrap_ratio(a, b, below, **seed),
        lambda **seed: intervals.paired_bootstrap_macro_f1(truth, first, second, **seed),
    ):
        assert test() == test(seed=0) != test(seed=1)


def test_resamples_in_parts_are_as_many_as_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_CELLS", 40)
    parts = intervals._draws(np.array([3, 1, 2]), 25, np.random.default_rng(0), 2)
    assert [len(part) for part in parts] == [3] * 8 + [1]
    assert (np.concatenate(parts).sum(axis=1) == 6).all()
    monkeypatch.setattr(intervals, "_CELLS", 1)
    values = np.arange(5.0)
    assert len(intervals._draws(np.array([3, 1, 2]), 4, np.random.default_rng(0), 2)) == 4
    assert len(intervals._resampled_means(values, 7, seed=0)) == 7
    assert len(intervals._resampled_ratios(values, values + 1, 7, seed=0)) == 7


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_auroc_is_that_of_scikit_learn_and_within_its_interval(negative: list[int], positive: list[int]) -> None:
    found = intervals.auroc(negative, positive)
    truth = [0] * len(negative) + [1] * len(positive)
    assert found["value"] == pytest.approx(roc_auc_score(truth, negative + positive))
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert (found["n"], found["against"]) == (len(positive), len(negative))


def test_a_perfect_separation_of_few_songs_is_not_certain() -> None:
    few, many = intervals.auroc(range(100), range(100, 106)), intervals.auroc(range(100), range(100, 400))
    assert few["value"] == many["value"] == few["high"] == 1
    assert few["low"] < 0.9 < many["low"]
