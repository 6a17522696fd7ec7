"""Support vector machines by their Gram matrix: what is solved, and what each song would have got without itself."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from lyrist.errors import LyristError
from lyrist.models import least_squares_svm as svm
from lyrist.models.calibration import mix, sharpness, softmax
from lyrist.models.least_squares_svm import (
    BIAS,
    by_gram,
    fit_and_score,
    fit_svm,
    folds,
    gram,
    signs,
    solve,
    song_weights,
)  # fmt: skip

EQUAL = np.ones(200, dtype=np.float32)


def balanced(index: Any) -> Any:
    return song_weights(index, np.arange(index.max() + 1), 1.0, EQUAL[: len(index)])


def data(n: int = 60, d: int = 300, k: int = 3, seed: int = 0) -> tuple[sp.csr_matrix, Any]:
    """Return sparse rows of length 1, some columns common, and classes that they tell."""
    rng = np.random.default_rng(seed)
    index = np.arange(n) % k
    X = rng.random((n, d)) * (rng.random((n, d)) < np.where(np.arange(d) < 20, 0.5, 0.03))
    X[np.arange(n), index] += 1.0
    X /= np.sqrt((X**2).sum(axis=1, keepdims=True))
    return sp.csr_matrix(X.astype(np.float32)), index


@pytest.mark.parametrize("rows", [7, 64, 1_000])
def test_gram_is_the_table_of_inner_products(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "_ROWS", rows)
    monkeypatch.setattr(svm, "_DENSE_COLUMNS", 8)
    X, _ = data()
    Z, _ = data(23, seed=1)
    K = gram(X)
    np.testing.assert_allclose(K, (X @ X.T).toarray(), atol=1e-6)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_allclose(gram(X, Z), (Z @ X.T).toarray(), atol=1e-6)


def test_it_solves_what_it_says_and_leaves_out_what_it_says() -> None:
    X, index = data(30)
    weights, Y = balanced(index), signs(index, 3)
    alpha, left_out = solve(gram(X), Y, weights, 2.5)
    A = (X @ X.T).toarray().astype(np.float64) + BIAS + np.diag(0.2 / weights)
    np.testing.assert_allclose(alpha, np.linalg.solve(A, Y), atol=1e-4)
    assert left_out is not None
    for song in (0, 7, 29):
        rest = np.delete(np.arange(30), song)
        without = np.linalg.solve(A[np.ix_(rest, rest)], Y[rest])
        score = (A[song, rest]) @ without
        np.testing.assert_allclose(left_out[song], score, atol=1e-4)
    assert solve(gram(X), Y, weights, 2.5, leave_out=False)[1] is None


def test_with_groups_their_errors_are_correlated_and_each_is_left_out_as_a_whole() -> None:
    X, index = data(30)
    weights, Y, groups = balanced(index), signs(index, 3), np.arange(30) // 2 % 7
    alpha, left_out = solve(gram(X), Y, weights, 2.5, groups=groups)
    spread, same = np.sqrt(0.2 / weights), groups[:, None] == groups[None]
    A = (
        (X @ X.T).toarray().astype(np.float64)
        + BIAS
        + np.diag(0.2 / weights)
        + svm.SHARED * same * np.outer(spread, spread)
    )
    np.testing.assert_allclose(alpha, np.linalg.solve(A, Y), atol=1e-4)
    assert left_out is not None
    for group in range(7):
        out, rest = np.flatnonzero(groups == group), np.flatnonzero(groups != group)
        scores = A[np.ix_(out, rest)] @ np.linalg.solve(A[np.ix_(rest, rest)], Y[rest])
        np.testing.assert_allclose(left_out[out], scores, atol=1e-4)


@pytest.mark.parametrize("limit", [100, 10])
def test_a_group_is_in_one_fold(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "GRAM_LIMIT", limit)
    groups = np.arange(60) % 11
    for inside, outside in folds(60, 0, groups):
        assert len(inside) + len(outside) == 60
        assert not set(groups[inside]) & set(groups[outside])


def test_without_weights_it_is_ridge_regression_on_signs() -> None:
    X, index = data()
    found = fit_svm(X, index, 3, weights=EQUAL[:60], C=2.5, seed=0)
    both = sp.hstack([X, np.ones((60, 1))]).tocsr()  # the bias is one more feature, regularised like the others
    ridge = RidgeClassifier(alpha=0.2, fit_intercept=False, solver="cholesky").fit(both.toarray(), index)
    np.testing.assert_allclose(found.coef, ridge.coef_[:, :-1].T, atol=1e-4)
    np.testing.assert_allclose(found.intercept, ridge.coef_[:, -1], atol=1e-4)


def test_above_the_limit_it_is_liblinear_with_a_tenth_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "GRAM_LIMIT", 50)
    monkeypatch.setattr(svm, "MANY_GRAM_LIMIT", 50)
    X, index = data(200)
    found = fit_svm(X, index, 4, weights=EQUAL[:200], C=1.0, seed=0)
    for c in range(3):
        model = LinearSVC(C=1.0, random_state=0).fit(X, index == c)
        np.testing.assert_allclose(found.coef[:, c], model.coef_[0], atol=1e-4)
    assert not found.coef[:, 3].any()  # a class that no song has is refused always
    assert found.intercept[3] == -1
    assert len(found.rows) == 20
    assert fit_svm(X, index, 4, weights=EQUAL[:200], C=1.0, seed=0, calibrate=False).scores.shape == (0, 4)


def test_both_ways_agree_on_what_is_easy(monkeypatch: pytest.MonkeyPatch) -> None:
    X, index = data(200)
    by_matrix = fit_and_score(X[:150], index[:150], X[150:], 3, weights=balanced(index[:150]), C=1.0, seed=0)
    monkeypatch.setattr(svm, "GRAM_LIMIT", 50)
    by_liblinear = fit_and_score(X[:150], index[:150], X[150:], 3, weights=balanced(index[:150]), C=1.0, seed=0)
    assert (by_matrix.argmax(axis=1) == by_liblinear.argmax(axis=1)).mean() > 0.95


def test_many_classes_are_solved_by_the_matrix_for_longer() -> None:
    assert by_gram(6_000, 2)
    assert not by_gram(6_001, 2)
    assert by_gram(10_500, 300)
    assert not by_gram(10_500, 20)
    assert not by_gram(17_000, 5_000)


def test_weights_balance_the_classes() -> None:
    index, ones, names = np.array([0, 0, 0, 1]), EQUAL[:4], np.array(["a", "b"])
    assert song_weights(index, names, 0.0, ones).tolist() == [1, 1, 1, 1]
    assert song_weights(index, names, None, ones).tolist() == [1, 1, 1, 1]
    equal = song_weights(index, names, "balanced", ones)
    assert equal[:3].sum() == pytest.approx(equal[3])
    assert equal.mean() == pytest.approx(1)
    assert song_weights(index, names, {"b": 3}, 2 * ones).tolist() == [2, 2, 2, 6]
    repeated = song_weights(np.repeat(index, [2, 1, 1, 2]), names, 0.5, EQUAL[:6])
    weighted = song_weights(index, names, 0.5, np.array([2, 1, 1, 2], dtype=np.float32))
    assert weighted.tolist() == pytest.approx([2 * repeated[0], repeated[2], repeated[3], 2 * repeated[4]])


@pytest.mark.parametrize("weight", [{"c": 1.0}, "auto", 2.0, -1])
def test_class_weights_that_mean_nothing_are_refused(weight: Any) -> None:
    with pytest.raises(LyristError, match="class_weight"):
        song_weights(np.array([0, 1]), np.array(["a", "b"]), weight, EQUAL[:2])


def test_a_cost_beyond_the_precision_of_numbers_is_reported() -> None:
    X = sp.csr_matrix(np.ones((9, 2), dtype=np.float32))
    with pytest.raises(LyristError, match="smaller --c"):
        fit_svm(X, np.arange(9) % 2, 2, weights=EQUAL[:9], C=1e30, seed=0)


@pytest.mark.parametrize(
    ("n", "parts", "held"), [(1, 0, 0), (2, 2, 2), (90, 3, 90), (1_800, 2, 1_200), (7_000, 1, 700)]
)
def test_songs_are_scored_by_folds_that_do_not_overlap(n: int, parts: int, held: int) -> None:
    if n == 1:
        return
    dealt = folds(n, 3)
    outside = np.concatenate([o for _, o in dealt])
    assert (len(dealt), len(outside), len(set(outside.tolist()))) == (parts, held, held)
    for inside, out in dealt:
        assert not set(inside.tolist()) & set(out.tolist())


def test_sharpness_has_the_least_loss() -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 3, 500)
    scores = rng.normal(size=(500, 3)).astype(np.float32)
    scores[np.arange(500), index] += 1
    best = sharpness(scores, index)

    def loss(s: float) -> float:
        return float(-np.log(softmax(scores * s)[np.arange(500), index]).mean())

    assert all(loss(best) <= loss(best * f) for f in (0.8, 0.95, 1.05, 1.25))
    assert sharpness(scores[:0], index[:0]) == 1.0


def test_a_mix_trusts_the_member_that_is_right() -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 3, 400)
    good = signs(index, 3) + rng.normal(size=(400, 3))
    noise = rng.normal(size=(400, 3))
    found = mix([noise, good], index, np.full(3, 1 / 3), 0.5)
    assert found.weights[0] < 0.2 * found.weights[1]
    assert (found.weights >= 0).all()
    worse = mix([-good, noise], index, np.full(3, 1 / 3), 0.5)
    assert worse.weights[0] < 0.01
    assert mix([good[:0]], index[:0], np.full(3, 1 / 3), 0.5).weights.tolist() == [1.0]
