"""Ordered numbers, such as years, predicted by a classifier: the probability that the number is above each of several edges.

A model with several labels a song learns the labels "> 1984", "> 1991" ... (Frank & Hall 2001, A simple approach to ordinal
classification). Their probabilities are a distribution over the numbers. Its median is predicted, which has the smallest mean
absolute error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lyrist.errors import LyristError
from lyrist.metrics.classification import mean_loss
from lyrist.metrics.intervals import compared
from lyrist.metrics.multilabel import losses as label_losses
from lyrist.metrics.multilabel import weights

EDGES = 20
"""The most edges; they divide the training songs into parts of equal size."""

WITHIN = 5
"""A prediction within this distance counts as near."""

ABOVE = "> "
"""What the name of each label begins with; the edge follows."""

Floats = NDArray[np.float64]


def names(values: ArrayLike) -> list[str]:
    """Return the names of the labels for training numbers: up to `EDGES` edges between them, ascending."""
    numbers = np.asarray(values, dtype=np.float64)
    found = np.unique(numbers)
    edges = found[:-1]
    if len(edges) > EDGES:
        chosen = np.quantile(numbers, np.linspace(0, 1, EDGES + 2)[1:-1], method="lower")
        edges = np.unique(chosen[chosen < found[-1]])
    return [f"{ABOVE}{edge:.12g}" for edge in edges]


def edges(classes: Sequence[str]) -> Floats:
    """Return the edges that the names of labels hold."""
    return np.array([float(name.removeprefix(ABOVE)) for name in classes], dtype=np.float64)


def above(values: ArrayLike, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return 1 where a number is above an edge, shape (n, k)."""
    return (np.asarray(values, dtype=np.float64)[:, None] > edges(classes)).astype(np.int64)


def quantiles(probabilities: ArrayLike, classes: Sequence[str], level: float = 0.5) -> Floats:
    """Return a quantile of the predicted distribution of each song, linear between the edges, shape (n,)."""
    P, at = np.asarray(probabilities, dtype=np.float64), edges(classes)
    falling = (np.minimum.accumulate(P, axis=1) + np.maximum.accumulate(P[:, ::-1], axis=1)[:, ::-1]) / 2
    first, last = (at[1] - at[0], at[-1] - at[-2]) if len(at) > 1 else (1.0, 1.0)
    at = np.concatenate([[at[0] - first], at, [at[-1] + last]])
    below = np.pad(1 - falling, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    return np.array([np.interp(level, row, at) for row in below], dtype=np.float64)


def score(
    truth: ArrayLike, probabilities: ArrayLike, classes: Sequence[str], groups: ArrayLike | None = None
) -> dict[str, Any]:
    """Return all scores on n songs.

    Parameters
    ----------
    truth
        The number of each song.
    probabilities
        The predicted probability that it is above each edge, shape (n, k).
    classes
        The names of the labels, see `names`.
    groups
        The cluster of near-copies of each song; None: each song is its own.

    Returns
    -------
    dict
        ``kind`` (ordinal), ``n``; ``mae``: mean absolute error, ``within_5``: share of songs within `WITHIN`, and
        ``median_error``: value, low and high (bootstrap); ``bias``: mean of prediction minus truth; ``correlation``: Spearman;
        ``loss``: the sum over edges of the cross-entropy in nats, ``loss_se`` its standard error.
    """
    from scipy.stats import spearmanr

    y = np.asarray(truth, dtype=np.float64)
    if not len(y):
        raise LyristError("There is no song to score.")
    predicted, nats = quantiles(probabilities, classes), losses(y, probabilities, classes)
    varied = len(np.unique(y)) > 1 and len(np.unique(predicted)) > 1
    return {
        "kind": "ordinal",
        "n": len(y),
        **errors(y, predicted, groups),
        "bias": float((predicted - y).mean()),
        "correlation": float(spearmanr(y, predicted).statistic) if varied else 0.0,
        **mean_loss(nats),
    }


def errors(truth: ArrayLike, predicted: ArrayLike, groups: ArrayLike | None = None) -> dict[str, dict[str, float]]:
    """Return mean and median absolute error and the share within `WITHIN`, each with an interval."""
    off = np.abs(np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64))
    drawn = weights(len(off), groups)
    total, near = drawn.sum(axis=1), (off <= WITHIN).astype(float)
    order = np.argsort(off, kind="stable")
    half = (np.cumsum(drawn[:, order], axis=1) >= total[:, None] / 2).argmax(axis=1)
    found = {
        "mae": (off.mean(), drawn @ off / total),
        f"within_{WITHIN}": (near.mean(), drawn @ near / total),
        "median_error": (np.median(off), off[order][half]),
    }
    return {
        key: {
            "value": float(value),
            **dict(zip(("low", "high"), map(float, np.quantile(sample, [0.025, 0.975])), strict=True)),
        }
        for key, (value, sample) in found.items()
    }


def losses(truth: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> Floats:
    """Return each song's cross-entropy in nats, summed over the edges, shape (n,)."""
    held = above(truth, classes).astype(bool)
    return label_losses([[classes[c] for c in np.flatnonzero(row).tolist()] for row in held], probabilities, classes)


def paired(truth: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None) -> dict[str, float]:
    """Compare the mean absolute error of two models on the same songs, as `paired_bootstrap_loss` compares losses."""
    y, a, b = (np.asarray(each, dtype=np.float64) for each in (truth, first, second))
    less, drawn = np.abs(a - y) - np.abs(b - y), weights(len(y), groups)
    return compared(float(less.mean()), drawn @ less / drawn.sum(axis=1), 0.95)
