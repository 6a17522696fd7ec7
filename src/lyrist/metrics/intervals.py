"""Confidence intervals of scores, and paired tests between models.

Bootstraps work on counts where possible: songs with the same truth and predictions are interchangeable, so a resample is one
multinomial draw, and a thousand resamples of a million songs take no longer than of a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAMPLES = 1_000
"""Number of bootstrap resamples."""

_CELLS = 4_000_000  # numbers held at once while resampling


def wilson(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927).

    It is within 0 and 1 and keeps its coverage for few songs and for proportions near 0 and 1, unlike ``p +- 1.96 s``.

    Parameters
    ----------
    correct, n
        Number of successes, and of trials. With ``n = 0`` the interval is (0, 1).
    level
        The confidence level, 0 to 1.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be between 0 and n, got {correct} of {n}")
    if n == 0:
        return 0.0, 1.0
    from scipy import stats

    interval = stats.binomtest(correct, n).proportion_ci(level, method="wilson")
    return (0.0 if correct == 0 else float(interval.low)), (1.0 if correct == n else float(interval.high))


def proportion(correct: int, n: int) -> dict[str, float]:
    """Return ``value``, and ``low`` and ``high`` of its 95% interval (`wilson`), of a proportion of n > 0 trials."""
    return dict(zip(("value", "low", "high"), (correct / n, *wilson(correct, n)), strict=True))


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (``n - 1``), which is 0 for one value."""
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else 0.0


def macro_f1(confusion: ArrayLike) -> NDArray[np.float64]:
    """Return the mean F1 over the classes that occur in the truth or the predictions.

    Parameters
    ----------
    confusion
        Songs by true (rows) and predicted label (columns), shape (..., k, k).

    Returns
    -------
    array of float64, shape (...)
        Equal to scikit-learn's `f1_score(average="macro")`; 0 if there is no song.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return _mean_f1(hits, counts.sum(-1) + counts.sum(-2))


def bootstrap_macro_f1(
    confusion: ArrayLike, level: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the macro F1 (Efron 1979).

    Parameters
    ----------
    confusion
        Songs by true and predicted label, shape (k, k).
    """
    counts = np.asarray(confusion, dtype=np.int64)
    truth, predicted = np.nonzero(counts)
    if not len(truth):
        return 0.0, 1.0
    found = _resampled_f1(truth, predicted, counts[truth, predicted], len(counts), samples, np.random.default_rng(seed))
    return _percentiles(found, level)


def auroc(negative: ArrayLike, positive: ArrayLike, level: float = 0.95) -> dict[str, float]:
    """Return the area under the ROC curve: the probability that a positive example has the higher score; ties count half.

    The interval is the score interval of Newcombe (2006, method 5) with the variance of Hanley and McNeil (1982), which keeps its
    coverage for few examples and near 1.

    Parameters
    ----------
    negative, positive
        The scores of the examples of each kind, at least one each.
    """
    from scipy import stats
    from scipy.optimize import brentq

    low_scores, high_scores = (np.asarray(scores, dtype=np.float64) for scores in (negative, positive))
    m, n = len(low_scores), len(high_scores)
    ranks = stats.rankdata(np.concatenate([high_scores, low_scores]))
    area = float((ranks[:n].sum() - n * (n + 1) / 2) / (m * n))
    z, pairs = float(stats.norm.ppf(0.5 + level / 2)), (m + n) / 2 - 1

    def excess(value: float) -> float:
        spread = value * (1 - value) * (1 + pairs * ((1 - value) / (2 - value) + value / (1 + value))) / (m * n)
        return float((area - value) ** 2 - z * z * spread)

    low = brentq(excess, 0, min(area, 1 - 1e-9)) if area > 0 else 0.0
    high = brentq(excess, max(area, 1e-9), 1) if area < 1 else 1.0
    return {"n": n, "against": m, "value": area, "low": float(low), "high": float(high)}


def bootstrap_mean(
    values: ArrayLike, level: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean, such as the mean loss over songs."""
    found = np.asarray(values, dtype=np.float64)
    if not len(found):
        return -math.inf, math.inf
    return _percentiles(_resampled_means(found, samples, seed), level)


def mean_of(values: ArrayLike) -> dict[str, float]:
    """Return ``value``, and ``low`` and ``high`` of its 95% interval (`bootstrap_mean`), of a mean of at least one value."""
    return dict(
        zip(
            ("value", "low", "high"),
            (float(np.asarray(values, dtype=np.float64).mean()), *bootstrap_mean(values)),
            strict=True,
        )
    )


def bootstrap_ratio(
    above: ArrayLike, below: ArrayLike, level: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of ``sum(above) / sum(below)``, such as total bits over total bytes.

    Parameters
    ----------
    above, below
        Numerator and denominator of each song, shape (n,) each; songs are resampled, so both are drawn together.
    """
    a, b = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if a.shape != b.shape or not a.size:
        raise ValueError("a ratio needs both figures of the same songs, at least one")
    return _percentiles(_resampled_ratios(a, b, samples, seed), level)


def paired_bootstrap_ratio(
    first: ArrayLike, second: ArrayLike, below: ArrayLike, level: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> dict[str, float]:
    """Compare two models by a ratio of sums over the same songs: ``sum(first - second) / sum(below)``.

    Returns
    -------
    dict
        As `paired_bootstrap_loss`.
    """
    a, b, under = (np.asarray(x, dtype=np.float64) for x in (first, second, below))
    if not a.shape == b.shape == under.shape or not a.size:
        raise ValueError("a paired test needs the same songs, at least one, from both models")
    return compared(float((a - b).sum() / under.sum()), _resampled_ratios(a - b, under, samples, seed), level)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test of two models on the same songs.

    Parameters
    ----------
    only_first, only_second
        Songs that only the first model classified correctly, and only the second. If both were equally good, each of these
        songs would be equally likely to be either.
    """
    from scipy import stats

    n = only_first + only_second
    return float(stats.binomtest(only_first, n, 0.5).pvalue) if n else 1.0


def paired_bootstrap_loss(
    first: ArrayLike, second: ArrayLike, level: float = 0.95, samples: int = SAMPLES, seed: int = 0
) -> dict[str, float]:
    """Compare two models by the mean of a figure per song, such as its loss.

    Parameters
    ----------
    first, second
        The figure of each song for each model, shape (n,), in the same order.

    Returns
    -------
    dict
        ``difference`` (first minus second), ``low`` and ``high`` of its interval, and the two-sided ``p`` value.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not a.size:
        raise ValueError("a paired test needs the same songs, at least one, from both models")
    return compared(float((a - b).mean()), _resampled_means(a - b, samples, seed), level)


def paired_bootstrap_macro_f1(
    truth: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    level: float = 0.95,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, float]:
    """Compare the macro F1 of two models on the same songs by a bootstrap over songs.

    Returns
    -------
    dict
        As `paired_bootstrap_loss`.
    """
    if not len(truth) == len(first) == len(second) or not len(truth):
        raise ValueError("a paired test needs the same songs, at least one, from both models")
    classes, index = np.unique(np.array([*truth, *first, *second], dtype=np.str_), return_inverse=True)
    triples, counts = np.unique(index.reshape(3, -1), axis=1, return_counts=True)
    k = len(classes)
    observed = _f1_of(triples, counts[None], k)
    drawn = np.concatenate(
        [_f1_of(triples, part, k) for part in _draws(counts, samples, np.random.default_rng(seed), k)]
    )
    return compared(float(observed[0]), drawn, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple testing by Holm's step-down method (1979), in the input order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return [float(value) for value in corrected]


def corrected_resampled_t(differences: Sequence[float], n_train: int, n_test: int) -> dict[str, float]:
    """Return the corrected resampled t-test of differences over repeated splits, whose training sets overlap.

    Nadeau & Bengio (2003), Inference for the generalization error: the variance of the mean of J splits is
    ``(1 / J + n_test / n_train)`` times that of one, since splits of the same songs are not independent.

    Parameters
    ----------
    differences
        The difference of two scores on each split; at least two splits.
    n_train, n_test
        Songs in the training and the test part of a split.

    Returns
    -------
    dict
        ``mean``, its 95% interval ``low`` and ``high``, ``t``, and the two-sided ``p``.
    """
    from scipy import stats

    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 2:
        raise ValueError("a test over repeated splits needs at least two")
    mean = float(d.mean())
    error = math.sqrt((1 / len(d) + n_test / n_train) * float(d.var(ddof=1)))
    half = float(stats.t.ppf(0.975, len(d) - 1)) * error
    if error == 0:
        return {"mean": mean, "low": mean, "high": mean, "t": 0.0, "p": 1.0 if mean == 0 else 0.0}
    t = mean / error
    return {
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
        "t": t,
        "p": float(2 * stats.t.sf(abs(t), len(d) - 1)),
    }


def _mean_f1(hits: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of ``2 hits / totals`` over classes; a total is the songs of a class plus the predictions of it."""
    present = totals > 0
    f1 = np.where(present, 2 * hits / np.where(present, totals, 1), 0)
    return np.asarray(f1.sum(-1) / np.maximum(present.sum(-1), 1), dtype=np.float64)


def _draws(counts: NDArray[np.int64], samples: int, rng: np.random.Generator, width: int) -> list[NDArray[np.int64]]:
    """Return bootstrap samples as counts of each kind of song, in parts that fit in memory."""
    n, step = int(counts.sum()), max(1, _CELLS // (len(counts) + 4 * width))
    shares = counts / n
    return [rng.multinomial(n, shares, size=min(step, samples - start)) for start in range(0, samples, step)]


def _summed(which: NDArray[np.int64], drawn: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return for each resample and class the number of songs of that class, shape (samples, k)."""
    from scipy import sparse

    member = sparse.csr_matrix((np.ones(len(which)), (which, np.arange(len(which)))), shape=(k, len(which)))
    return np.asarray((member @ drawn.T).T, dtype=np.float64)


def _f1_of(triples: NDArray[np.int64], drawn: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the difference of macro F1 of two models from counts of (truth, first prediction, second prediction)."""
    truth = _summed(triples[0], drawn, k)
    found = []
    for predicted in (triples[1], triples[2]):
        right = np.where(predicted == triples[0], drawn, 0)
        found.append(_mean_f1(_summed(triples[0], right, k), truth + _summed(predicted, drawn, k)))
    return found[0] - found[1]


def _resampled_f1(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    counts: NDArray[np.int64],
    k: int,
    samples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    found = []
    for drawn in _draws(counts, samples, rng, k):
        right = np.where(predicted == truth, drawn, 0)
        totals = _summed(truth, drawn, k) + _summed(predicted, drawn, k)
        found.append(_mean_f1(_summed(truth, right, k), totals))
    return np.concatenate(found)


def _resampled_means(values: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:
    rng, n = np.random.default_rng(seed), len(values)
    step = max(1, _CELLS // n)
    parts = [
        values[rng.integers(0, n, size=(min(step, samples - start), n))].mean(axis=1)
        for start in range(0, samples, step)
    ]
    return np.concatenate(parts)


def _resampled_ratios(
    above: NDArray[np.float64], below: NDArray[np.float64], samples: int, seed: int
) -> NDArray[np.float64]:
    rng, n = np.random.default_rng(seed), len(above)
    step = max(1, _CELLS // n)
    parts = []
    for start in range(0, samples, step):
        drawn = rng.integers(0, n, size=(min(step, samples - start), n))
        parts.append(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))
    return np.concatenate(parts)


def _percentiles(found: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def compared(observed: float, drawn: NDArray[np.float64], level: float) -> dict[str, float]:
    """Return a difference with its interval and two-sided p-value from its resamples; see `paired_bootstrap_loss`."""
    low, high = _percentiles(drawn, level)
    # One is added to each tail, so that p is never 0 (Davison & Hinkley 1997).
    tail = 1 + min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return {"difference": observed, "low": low, "high": high, "p": min(1.0, 2 * tail / (len(drawn) + 1))}
