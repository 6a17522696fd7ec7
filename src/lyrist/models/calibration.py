"""Calibrated probabilities: temperature scaling of one model, and the weighted combination of several.

The combination is a logarithmic opinion pool (Genest & Zidek 1986): the logits are a sum of the members' scores with
non-negative weights, plus the log of the class shares times an exponent. These few numbers are fitted by maximum likelihood with
an L2 penalty on out-of-sample scores, so that a hundred songs are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp

_PENALTY = 0.02


def platt(
    scores: NDArray[Any], index: NDArray[np.int64], weights: NDArray[Any] | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Return the slope and the offset of each label that minimise the loss of ``sigmoid(slope * scores + offset)``.

    Platt (1999), Probabilistic outputs for support vector machines, with his smoothed targets; the labels share one slope, so
    that a label of a few songs is calibrated too.

    Parameters
    ----------
    scores
        Out-of-sample scores of n songs, shape (n, k).
    index
        0 or 1 for each label of each song, shape (n, k).
    weights
        The weight of each song; None: all are equal.
    """
    n, k = index.shape
    if not n:
        return 1.0, np.zeros(k)
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    unit, total = max(float(np.std(scores)), 1e-12), float(share.sum())
    Z, have = np.asarray(scores, dtype=np.float64) / unit, share @ index
    above, below = (have + 1) / (have + 2), 1 / (total - have + 2)
    target, share = np.where(index == 1, above, below), share / total

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = v[0] * Z + v[1:]
        nats = share @ (np.logaddexp(0, logits) - target * logits).sum(axis=1)
        error = (expit(logits) - target) * share[:, None]
        return float(nats), np.append((error * Z).sum(), error.sum(axis=0))

    start = np.append(1.0, np.log((have + 1) / (total - have + 1)))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(1e-3, None)] + [(None, None)] * k).x
    return float(found[0] / unit), np.asarray(found[1:], dtype=np.float64)


def sharpness(scores: NDArray[np.float32], index: NDArray[np.int64], weights: NDArray[Any] | None = None) -> float:
    """Return the inverse temperature s that minimises the (weighted) loss of ``softmax(s * scores)`` on held-out songs.

    Temperature scaling: Guo et al. 2017, On calibration of modern neural networks.
    """
    if not len(index):
        return 1.0
    Z = scores.astype(np.float64)
    unit = max(float(Z.std()), 1e-12)

    def loss(log_factor: float) -> float:
        logits = np.exp(log_factor) / unit * Z
        nats = logsumexp(logits, axis=1) - logits[np.arange(len(index)), index]
        return float(np.average(nats, weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=(-7, 5), method="bounded").x) / unit)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the softmax of each row, in float64 so that rows sum to one."""
    logits = logits.astype(np.float64)
    return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)), dtype=np.float64)


@dataclass(frozen=True)
class Mix:
    """Weights of a combination of scores."""

    weights: NDArray[np.float64]
    """One per member."""
    offset: NDArray[np.float64]
    """Added to the logit of each class."""


def mix(
    scores: Sequence[NDArray[Any]],
    index: NDArray[np.int64],
    shares: NDArray[np.float64],
    prior: float,
    sample_weight: NDArray[Any] | None = None,
) -> Mix:
    """Fit the weights of the members on out-of-sample scores.

    Parameters
    ----------
    scores
        The scores of each member for n songs that it was not fitted on, shape (n, k) each.
    index
        The class of each song, or 0 and 1 for each label, shape (n, k); then the offsets are calibrated label by label.
    shares
        The frequency of each class among all training songs, shape (k,), none 0.
    prior
        Factor of the fitted exponent of the class frequencies: 1 has the best loss and accuracy, 0 the best macro F1, since
        members with balanced class weights then predict rare classes.
    sample_weight
        The weight of each song; None: all are equal.
    """
    if not len(index):
        return Mix(np.ones(len(scores)), np.zeros(len(shares)))
    Z = np.stack([np.asarray(one, dtype=np.float64) for one in scores])
    units = np.maximum(Z.std(axis=(1, 2)), 1e-12)
    Z /= units[:, None, None]
    several = index.ndim == 2
    logs = np.log(shares / (1 - shares)) if several else np.log(shares)
    share = np.ones(len(index)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    rows, m, penalty, share = np.arange(len(index)), len(Z), _PENALTY + 1 / share.sum(), share / share.sum()

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(v[:m], Z, 1) + v[m] * logs
        if several:
            nats = share @ (np.logaddexp(0, logits) - index * logits).sum(axis=1)
            error = (expit(logits) - index) * share[:, None]
            slopes = (error * Z).sum(axis=(1, 2)) + 2 * penalty * v[:m]
            return float(penalty * (v[:m] ** 2).sum() + nats), np.append(slopes, (error @ logs).sum())
        logits -= logsumexp(logits, axis=1, keepdims=True)
        P = np.exp(logits) * share[:, None]
        gradient = (P * Z).sum(axis=(1, 2)) - Z[:, rows, index] @ share + 2 * penalty * v[:m]
        power = (P @ logs).sum() - logs[index] @ share
        return float(penalty * (v[:m] ** 2).sum() - logits[rows, index] @ share), np.append(gradient, power)

    start = np.append(np.ones(m), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * m + [(0, 2)]).x
    if not found[:m].any():
        found[:m] = 1.0
    offset = prior * found[m] * logs
    if several:
        slope, offsets = platt(np.tensordot(found[:m], Z, 1), index, sample_weight)
        return Mix(slope * found[:m] / units, offsets)
    factor = sharpness((np.tensordot(found[:m], Z, 1) + offset).astype(np.float32), index, share)
    return Mix(factor * found[:m] / units, factor * offset)
