"""Several models' scores as one: weights that fit best on songs which no member had seen.

A logarithmic opinion pool (Genest & Zidek 1986): the logits are a sum of the members' scores with weights of zero or
more, plus the logarithms of the classes' shares times a power. Few numbers are fitted, by likelihood and with a pull
towards zero, so that even a hundred songs do not lead them astray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from lyrist.models.margins import sharpness

_PULL = 0.02


@dataclass(frozen=True)
class Mix:
    """How scores are put together."""

    weights: NDArray[np.float64]
    """One a member."""
    offset: NDArray[np.float64]
    """Added to the logit of each class."""


def mix(scores: Sequence[NDArray[Any]], index: NDArray[np.int64], shares: NDArray[np.float64], prior: float) -> Mix:
    """Fit the weights of members on honest scores.

    Parameters
    ----------
    scores
        Each member's scores of n songs that it had not seen, shape (n, k) each.
    index
        The class of each song.
    shares
        The share of each class among all training songs, shape (k,), none 0.
    prior
        How much of the fitted power of the shares to use. Members that count every class the same find rare classes
        that the likeliest answer never is: 1 has the best loss and accuracy, 0 the best macro F1.
    """
    if not len(index):
        return Mix(np.ones(len(scores)), np.zeros(len(shares)))
    Z = np.stack([np.asarray(one, dtype=np.float64) for one in scores])
    units = np.maximum(Z.std(axis=(1, 2)), 1e-12)
    Z /= units[:, None, None]
    logs = np.log(shares)
    rows, m, pull = np.arange(len(index)), len(Z), _PULL + 1 / len(index)

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(v[:m], Z, 1) + v[m] * logs
        logits -= logsumexp(logits, axis=1, keepdims=True)
        P = np.exp(logits)
        gradient = (P * Z).sum(axis=(1, 2)) / len(index) - Z[:, rows, index].mean(axis=1) + 2 * pull * v[:m]
        power = (P @ logs).mean() - logs[index].mean()
        return float(pull * (v[:m] ** 2).sum() - logits[rows, index].mean()), np.append(gradient, power)

    start = np.append(np.ones(m), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * m + [(0, 2)]).x
    if not found[:m].any():
        found[:m] = 1.0
    offset = prior * found[m] * logs
    factor = sharpness((np.tensordot(found[:m], Z, 1) + offset).astype(np.float32), index)
    return Mix(factor * found[:m] / units, factor * offset)
