"""Least-squares support vector machines with exact leave-one-out scores.

With a few thousand songs and 100,000 n-grams the Gram matrix of the songs is much smaller than the feature matrix. One Cholesky
factorisation of it gives the weights of all classes together (scikit-learn's `LinearSVC` solves each class separately) and the
exact leave-one-out scores of every training song. These scores calibrate the probabilities and determine the weights of ensemble
members without further fits. The loss is the squared error of labels -1 and +1 instead of the squared hinge; with so many
features almost every song is a support vector, and the difference in accuracy is smaller than that between splits. Above
`GRAM_LIMIT` songs (more with many classes, see `by_gram`) the Gram matrix is too large: then `LinearSVC` is fitted, and
calibrated on a tenth of the songs held out of a first fit.

Songs of one artist have correlated errors. Where new songs are by other artists (a split by artist), `solve` takes the artists
as groups: the errors of a group share a random effect, and scores are of fits without the whole group.

Sources: Suykens & Vandewalle (1999), Least squares support vector machine classifiers; Rifkin & Lippert (2007), Notes
on regularized least squares (the leave-one-out formula); Laird & Ware (1982), Random-effects models for longitudinal data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit
from sklearn.svm import LinearSVC

from lyrist.errors import InputError, LyristError
from lyrist.models.inputs import members

GRAM_LIMIT = 6_000
"""Largest number of songs for the Gram matrix with few classes: 144 MB."""

MANY_GRAM_LIMIT = 16_000
"""Largest number of songs with many classes: 1 GB, and half a minute for the factorisation."""

BIAS = 1.0
"""Square of the constant feature: the intercept is regularised slightly, as in liblinear."""

SHARED = 0.1
"""Variance of the error that the songs of a group share, relative to that of a song's own error."""

_DENSE_FROM = 0.04  # n-grams in more than this share of songs are multiplied as a dense block, which is much faster
_DENSE_COLUMNS = 2_000  # columns of a dense block, which bounds memory
_ROWS = 1_024  # songs per block of the Gram matrix, which bounds memory

Floats = NDArray[np.float32]
Groups = NDArray[np.int64] | None
"""The group of each song, or None: every song is a group of its own."""


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear model of k classes."""

    coef: Floats
    """Shape (d, k)."""
    intercept: Floats
    """Shape (k,)."""
    rows: NDArray[np.int64]
    """The songs with out-of-sample scores."""
    scores: Floats
    """Their scores by a fit without them, shape (len(rows), k)."""


def by_gram(n: int, k: int) -> bool:
    """Return whether n songs of k classes are solved by the Gram matrix.

    Its cost does not depend on the number of classes, that of `LinearSVC` does: at 10,500 songs 30 CPU-seconds, against one
    per class.
    """
    return n <= GRAM_LIMIT or (n <= MANY_GRAM_LIMIT and k > n / 150)


def gram(X: sp.csr_matrix, Z: sp.csr_matrix | None = None) -> Floats:
    """Return the inner products of the rows of ``Z`` (default: of ``X``) with those of ``X``, shape (m, n)."""
    df = np.bincount(X.indices, minlength=X.shape[1])
    common = df > _DENSE_FROM * X.shape[0]
    rare = X[:, ~common]
    K = _symmetric(rare) if Z is None else _products(Z[:, ~common], rare)
    columns = np.flatnonzero(common)
    for start in range(0, len(columns), _DENSE_COLUMNS):
        part = columns[start : start + _DENSE_COLUMNS]
        D = X[:, part].toarray()
        K += D @ D.T if Z is None else Z[:, part].toarray() @ D.T  # numpy computes only one half of D @ D.T
    return K


def _symmetric(X: sp.csr_matrix) -> Floats:
    """Return the inner products of the rows of a sparse matrix; one half is computed, the other is its mirror image."""
    n = X.shape[0]
    K = np.empty((n, n), dtype=np.float32)
    for start in range(0, n, _ROWS):
        end = min(start + _ROWS, n)
        part = (X[start:end] @ X[start:].T).toarray()
        K[start:end, start:] = part
        K[end:, start:end] = part[:, end - start :].T
    return K


def _products(Z: sp.csr_matrix, X: sp.csr_matrix) -> Floats:
    across, m = X.T.tocsr(), Z.shape[0]
    K = np.empty((m, X.shape[0]), dtype=np.float32)
    for start in range(0, m, _ROWS):
        K[start : start + _ROWS] = (Z[start : start + _ROWS] @ across).toarray()
    return K


def folds(n: int, seed: int, groups: Groups = None) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (training songs, held-out songs) of each fold, for models without a leave-one-out formula.

    Few songs are split into three folds. With more songs two of the folds, or a held-out tenth, are enough. A group is on one
    side.
    """
    if n > GRAM_LIMIT:
        single = ShuffleSplit if groups is None else GroupShuffleSplit
        return list(single(1, test_size=0.1, random_state=seed).split(np.arange(n), groups=groups))
    number = min(3, n if groups is None else len(np.unique(groups)))
    several = KFold if groups is None else GroupKFold
    splits = list(several(number, shuffle=True, random_state=seed).split(np.arange(n), groups=groups))
    return splits[:2] if n > 1_500 else splits


def signs(index: NDArray[np.int64], k: int) -> Floats:
    """Return +1 for the class (or classes) of each song and -1 for the others, shape (n, k)."""
    return 2 * members(index, k) - 1


ClassWeight = float | Literal["balanced"] | dict[Any, float] | None
"""None or 0: every song has the same weight; ``balanced`` or 1: every class; between: a power; or the weight of each class."""


def class_weights(sizes: NDArray[Any], classes: Sequence[Any], weight: ClassWeight) -> Floats:
    """Return the weight of each class, shape (k,); all songs together keep their weight unless the weights are given."""
    if isinstance(weight, Mapping):
        if unknown := [label for label in weight if label not in classes]:
            raise InputError(f"class_weight names {unknown[:5]}, which are not among the classes; leave them out.")
        return np.array([weight.get(label, 1.0) for label in classes], dtype=np.float32)
    power = 1.0 if weight == "balanced" else weight or 0.0
    if isinstance(power, str) or not 0 <= power <= 1:
        raise InputError(f"class_weight is 'balanced', a number from 0 to 1, a dict or None, not {weight!r}.")
    found = np.maximum(sizes, 1e-3).astype(np.float64) ** -power
    return np.asarray(found * (np.sum(sizes) / max(float(np.sum(found * sizes)), 1e-12)), dtype=np.float32)


def song_weights(index: NDArray[np.int64], classes: NDArray[Any], weight: ClassWeight, sample_weight: Floats) -> Floats:
    """Return the weight of each song, shape (n,): its own times that of its class.

    With several labels a song it is its own: one Gram matrix serves all labels, and each label has a threshold.
    """
    if index.ndim == 2:
        if isinstance(weight, Mapping):
            raise InputError("With several labels a song, class_weight cannot be a dict; use sample_weight.")
        return sample_weight
    sizes = np.bincount(index, sample_weight, minlength=len(classes))
    return np.asarray(sample_weight * class_weights(sizes, classes.tolist(), weight)[index], dtype=np.float32)


def solve(
    K: Floats, Y: Floats, weights: Floats, C: float, *, leave_out: bool = True, groups: Groups = None
) -> tuple[Floats, Floats | None]:
    """Solve the least-squares SVM of all classes from a Gram matrix.

    Parameters
    ----------
    K
        Inner products of the n training songs, shape (n, n), without the bias; overwritten to save memory.
    Y
        Targets -1 and +1, shape (n, k).
    weights
        Sample weights, shape (n,).
    C
        As in `LinearSVC`: the inverse of the regularisation strength.
    leave_out
        Whether to compute the leave-one-out scores, which takes as long as the fit.
    groups
        The group of each song, shape (n,): errors of a group are correlated, and it is left out as a whole.

    Returns
    -------
    alpha : array of float32, shape (n, k)
        The weight vector of each class is ``X.T @ alpha``, its intercept ``BIAS * alpha.sum(0)``.
    left_out : array of float32, shape (n, k)
        The scores of each song by a fit without that song, or without its group.

    Raises
    ------
    LyristError
        ``C`` is so large that the matrix is numerically singular.
    """
    K += np.float32(BIAS)
    K[np.diag_indices_from(K)] += (0.5 / C) / weights
    together = [] if groups is None else _members(groups)
    for songs in together:
        spread = np.sqrt((0.5 / C) / weights[songs])
        K[np.ix_(songs, songs)] += np.float32(SHARED) * np.outer(spread, spread)
    factor, failed = lapack.spotrf(
        K.T, lower=True, clean=True, overwrite_a=True
    )  # in Fortran order, so no copy is made
    if failed:
        raise LyristError(f"C = {C:g} is too large for the numerical precision; choose a smaller --c.")
    alpha, _ = lapack.spotrs(factor, Y, lower=True)
    if not leave_out:
        return alpha, None
    inverse, _ = lapack.strtri(factor, lower=True, overwrite_c=True)
    if together:  # the block of the inverse for each group, from the columns of the inverse factor
        left_out = np.empty_like(Y)
        for songs in together:
            columns = inverse[songs[0] :, songs]
            left_out[songs] = Y[songs] - np.linalg.solve(columns.T @ columns, alpha[songs])
        return alpha, left_out
    # The diagonal of the inverse: the sums of squares of the columns of the inverse factor.
    diagonal = np.empty(len(Y), dtype=np.float32)
    for start in range(0, len(Y), _ROWS):
        diagonal[start : start + _ROWS] = (inverse[start:, start : start + _ROWS] ** 2).sum(axis=0)
    return alpha, np.asarray(Y - alpha / diagonal[:, None], dtype=np.float32)


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the songs of each group, ascending."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def fit_svm(
    X: sp.csr_matrix,
    index: NDArray[np.int64],
    k: int,
    *,
    weights: Floats,
    C: float,
    seed: int,
    calibrate: bool = True,
    groups: Groups = None,
) -> LinearFit:
    """Fit a linear model of k classes to the rows of ``X``.

    Parameters
    ----------
    X
        Songs by features, rows with a norm of about 1, shape (n, d).
    index
        The class of each song, 0 to k - 1, or 0 and 1 for each label, shape (n, k); a class may have no song.
    weights
        The weight of each song, shape (n,), none 0.
    C
        As in `LinearSVC`.
    seed
        Seed of the calibration split on large data sets.
    calibrate
        Whether to compute out-of-sample scores; without a Gram matrix this takes a second fit.
    groups
        The group of each song, shape (n,), see `solve`; without a Gram matrix only the scores are by group.
    """
    no_scores = np.zeros(0, dtype=np.int64), np.zeros((0, k), dtype=np.float32)
    if by_gram(X.shape[0], k):
        alpha, left_out = solve(gram(X), signs(index, k), weights, C, leave_out=calibrate, groups=groups)
        coef = np.asarray((X.T @ alpha), dtype=np.float32)
        held_out = no_scores if left_out is None else (np.arange(len(index)), left_out)
        return LinearFit(coef, BIAS * alpha.sum(axis=0), *held_out)
    coef, intercept = _primal(X, index, k, weights, C, seed)
    if not calibrate:
        return LinearFit(coef, intercept, *no_scores)
    ((first, held),) = folds(len(index), seed, groups)
    scores = fit_and_score(X[first], index[first], X[held], k, weights=weights[first], C=C, seed=seed)
    return LinearFit(coef, intercept, held, scores)


def fit_and_score(
    X: sp.csr_matrix,
    index: NDArray[np.int64],
    Z: sp.csr_matrix,
    k: int,
    *,
    weights: Floats,
    C: float,
    seed: int,
    groups: Groups = None,
) -> Floats:
    """Return the scores of the rows of ``Z`` by a model fitted on ``X``, shape (m, k)."""
    if by_gram(X.shape[0], k):
        alpha, _ = solve(gram(X), signs(index, k), weights, C, leave_out=False, groups=groups)
        return np.asarray(gram(X, Z) @ alpha + BIAS * alpha.sum(axis=0), dtype=np.float32)
    coef, intercept = _primal(X, index, k, weights, C, seed)
    return np.asarray(Z @ coef + intercept, dtype=np.float32)


def _primal(X: sp.csr_matrix, index: Any, k: int, weights: Floats, C: float, seed: int) -> tuple[Floats, Floats]:
    """Fit one support vector machine per class; a class without songs is never predicted."""
    coef = np.zeros((X.shape[1], k), dtype=np.float32)
    intercept = np.full(k, -1, dtype=np.float32)
    for c in range(k):
        own = index[:, c] == 1 if index.ndim == 2 else index == c
        if own.all():
            intercept[c] = 1
        elif own.any():
            model = LinearSVC(C=C, random_state=seed).fit(X, own, sample_weight=weights)
            coef[:, c], intercept[c] = model.coef_[0], model.intercept_[0]
    return coef, intercept
