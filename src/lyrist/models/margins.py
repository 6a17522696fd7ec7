"""Linear classifiers with honest scores for their own training songs: least-squares support vector machines.

What is unusual: with a few thousand songs and 100,000 n-grams the table of all songs' similarities (the Gram matrix) is
by far the smaller thing, and one Cholesky factor of it answers everything at once: the weights of all classes together
(scikit-learn's `LinearSVC` starts anew for each), and for every training song the scores that it would have got, had
it been left out. Those calibrate the probabilities and weigh the members of an ensemble at no further cost, and they
are exact. The loss is the squared error of labels -1 and +1 instead of the squared hinge; with so many features almost
every song is a support vector, and the two differ by less than the splits do. Above `GRAM_LIMIT` songs (more where there
are many classes, see `by_gram`) the Gram matrix would be the larger thing: then `LinearSVC` is fitted, and a tenth of
the songs held out of a first fit calibrates it.

Sources: Suykens & Vandewalle (1999), Least squares support vector machine classifiers; Rifkin & Lippert (2007), Notes
on regularized least squares (the leave-one-out formula).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.svm import LinearSVC

from lyrist.errors import LyristError

GRAM_LIMIT = 6_000
"""The most songs that are solved by their Gram matrix whatever the number of classes: 144 MB of it."""

MANY_GRAM_LIMIT = 16_000
"""The most where there are many classes: 1 GB, and half a minute for its factor."""

BIAS = 1.0
"""The constant feature's square: an intercept that is regularised a little, as in liblinear."""

_DENSE_FROM = 0.04  # n-grams in more than this share of songs are multiplied as a dense block, which is far faster
_DENSE_COLUMNS = 2_000  # ... so many at a time, to bound memory
_ROWS = 1_024  # songs whose similarities are found at a time, to bound memory as well

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Margins:
    """A fitted linear model of k classes."""

    coef: Floats
    """Shape (d, k)."""
    intercept: Floats
    """Shape (k,)."""
    rows: NDArray[np.int64]
    """The songs that have honest scores."""
    scores: Floats
    """Their scores from a fit without them, shape (len(rows), k)."""


def by_gram(n: int, k: int) -> bool:
    """Return whether n songs of k classes are solved by their Gram matrix.

    It costs the same whatever the number of classes, and `LinearSVC` as much for each: at 10,500 songs 30 CPU-seconds
    against one a class.
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
        K += D @ D.T if Z is None else Z[:, part].toarray() @ D.T  # of a matrix with itself, numpy computes one half
    return K


def _symmetric(X: sp.csr_matrix) -> Floats:
    """Return the inner products of the rows of a sparse matrix: one half is computed, the other mirrored."""
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


def folds(n: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (songs to learn from, songs to score) for honest scores of models that no formula leaves a song out of.

    Few songs are scored once each, in three folds; of many, two of the folds, or a tenth, are enough.
    """
    if n > GRAM_LIMIT:
        return list(ShuffleSplit(1, test_size=0.1, random_state=seed).split(np.arange(n)))
    dealt = list(KFold(min(3, n), shuffle=True, random_state=seed).split(np.arange(n)))
    return dealt[:2] if n > 1_500 else dealt


def signs(index: NDArray[np.int64], k: int) -> Floats:
    """Return +1 where a song has the class and -1 elsewhere, shape (n, k)."""
    Y = np.full((len(index), k), -1, dtype=np.float32)
    Y[np.arange(len(index)), index] = 1
    return Y


def class_weights(index: NDArray[np.int64], k: int, balance: float) -> Floats:
    """Return a weight for each song, of mean 1: its class's size to the power of ``-balance``, shape (n,)."""
    sizes = np.maximum(np.bincount(index, minlength=k), 1).astype(np.float64)
    weights = sizes[index] ** -balance
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def solve(K: Floats, Y: Floats, weights: Floats, C: float, *, leave_out: bool = True) -> tuple[Floats, Floats | None]:
    """Solve the least-squares support vector machine of a Gram matrix for all classes.

    Parameters
    ----------
    K
        Inner products of the n training songs, shape (n, n), without the bias; it is overwritten, since no other table
        is as large.
    Y
        Targets -1 and +1, shape (n, k).
    weights
        How much each song's error counts, shape (n,).
    C
        As in `LinearSVC`: the cost of errors against the length of the weights.
    leave_out
        Whether the second answer is wanted; it costs as much as the first.

    Returns
    -------
    alpha : array of float32, shape (n, k)
        The weight vector of each class is ``X.T @ alpha``, its intercept ``BIAS * alpha.sum(0)``.
    left_out : array of float32, shape (n, k)
        The scores of each song from a fit without that song.

    Raises
    ------
    LyristError
        ``C`` is so large that the songs are told apart by rounding errors alone.
    """
    K += np.float32(BIAS)
    K[np.diag_indices_from(K)] += (0.5 / C) / weights
    factor, failed = lapack.spotrf(K.T, lower=True, clean=True, overwrite_a=True)  # in Fortran's order, so no copy
    if failed:
        raise LyristError(f"The cost of errors, {C:g}, is too large for the precision of numbers; give a smaller --c.")
    alpha, _ = lapack.spotrs(factor, Y, lower=True)
    if not leave_out:
        return alpha, None
    # What the formula divides by is the inverse's diagonal: the squares of the inverted factor's columns, summed.
    inverse, _ = lapack.strtri(factor, lower=True, overwrite_c=True)
    diagonal = np.empty(len(Y), dtype=np.float32)
    for start in range(0, len(Y), _ROWS):
        diagonal[start : start + _ROWS] = (inverse[start:, start : start + _ROWS] ** 2).sum(axis=0)
    return alpha, np.asarray(Y - alpha / diagonal[:, None], dtype=np.float32)


def fit_margins(
    X: sp.csr_matrix,
    index: NDArray[np.int64],
    k: int,
    *,
    C: float,
    balance: float,
    seed: int,
    calibrate: bool = True,
) -> Margins:
    """Fit a linear model of k classes to the rows of ``X``.

    Parameters
    ----------
    X
        Songs by features, rows of about length 1, shape (n, d).
    index
        The class of each song, 0 to k - 1; a class may have one song or none.
    C
        As in `LinearSVC`.
    balance
        0: every song counts the same; 1: every class counts the same.
    seed
        Deals the songs that calibrate, where there are more than `GRAM_LIMIT`.
    calibrate
        Whether honest scores are wanted; where there is no Gram matrix they cost a second fit.
    """
    weights = class_weights(index, k, balance)
    nobody = np.zeros(0, dtype=np.int64), np.zeros((0, k), dtype=np.float32)
    if by_gram(X.shape[0], k):
        alpha, left_out = solve(gram(X), signs(index, k), weights, C, leave_out=calibrate)
        coef = np.asarray((X.T @ alpha), dtype=np.float32)
        honest = nobody if left_out is None else (np.arange(len(index)), left_out)
        return Margins(coef, BIAS * alpha.sum(axis=0), *honest)
    coef, intercept = _primal(X, index, k, weights, C, seed)
    if not calibrate:
        return Margins(coef, intercept, *nobody)
    ((first, held),) = folds(len(index), seed)
    scores = learn_and_score(X[first], index[first], X[held], k, C=C, balance=balance, seed=seed)
    return Margins(coef, intercept, held, scores)


def learn_and_score(
    X: sp.csr_matrix, index: NDArray[np.int64], Z: sp.csr_matrix, k: int, *, C: float, balance: float, seed: int
) -> Floats:
    """Return the scores of the rows of ``Z`` by a model fitted to ``X``, shape (m, k)."""
    weights = class_weights(index, k, balance)
    if by_gram(X.shape[0], k):
        alpha, _ = solve(gram(X), signs(index, k), weights, C, leave_out=False)
        return np.asarray(gram(X, Z) @ alpha + BIAS * alpha.sum(axis=0), dtype=np.float32)
    coef, intercept = _primal(X, index, k, weights, C, seed)
    return np.asarray(Z @ coef + intercept, dtype=np.float32)


def _primal(X: sp.csr_matrix, index: Any, k: int, weights: Floats, C: float, seed: int) -> tuple[Floats, Floats]:
    """Fit one support vector machine a class; a class that the songs lack is refused always."""
    coef = np.zeros((X.shape[1], k), dtype=np.float32)
    intercept = np.full(k, -1, dtype=np.float32)
    for c in np.unique(index):
        model = LinearSVC(C=C, random_state=seed).fit(X, index == c, sample_weight=weights)
        coef[:, c], intercept[c] = model.coef_[0], model.intercept_[0]
    return coef, intercept


def sharpness(scores: Floats, index: NDArray[np.int64]) -> float:
    """Return the factor s for which ``softmax(s * scores)`` has the least loss on songs that were left out.

    Temperature scaling (Guo et al. 2017, On calibration of modern neural networks), with one parameter for all classes.
    """
    if not len(index):
        return 1.0
    Z = scores.astype(np.float64)
    unit = max(float(Z.std()), 1e-12)

    def loss(log_factor: float) -> float:
        logits = np.exp(log_factor) / unit * Z
        return float(np.mean(logsumexp(logits, axis=1) - logits[np.arange(len(index)), index]))

    return float(np.exp(minimize_scalar(loss, bounds=(-7, 5), method="bounded").x) / unit)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities from logits, row by row, in float64 so that they sum to one."""
    logits = logits.astype(np.float64)
    return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)), dtype=np.float64)
