"""Weights of several distributions, one set for each group of places, fitted on songs that no part has seen.

The weights are fitted by expectation-maximisation: the likelihood is concave in them, so there is one best set. A
Dirichlet prior worth a few tokens keeps groups that were hardly seen near weights that make sense everywhere. Within a
group the weights may depend on a number (how sure a network is), by linear interpolation between knots: a set that
changed by steps would make scores depend on the last bit of that number.
Source: Jelinek and Mercer, Interpolated estimation of Markov source parameters, 1980.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lyrist.models.kneserney import Ints

Array = NDArray[np.float64]

ROUNDS = 30
STRENGTH = 10.0
"""Tokens that the prior is worth for each set of weights."""


def between(values: Array, knots: Array) -> Array:
    """Return the share of each knot at each value, shape (n, knots): rows sum to 1, at most two are not 0.

    Values beyond the first or last knot count as that knot.
    """
    found = np.zeros((len(values), len(knots)))
    if len(knots) == 1:
        found[:] = 1
        return found
    inside = np.clip(values, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    share = (inside - knots[left]) / (knots[left + 1] - knots[left])
    rows = np.arange(len(values))
    found[rows, left], found[rows, left + 1] = 1 - share, share
    return found


def mixed(weights: Array, group: Ints, share: Array) -> Array:
    """Return the weights of the parts at each place, shape (n, parts), from (groups, knots, parts)."""
    found: Array = np.matmul(share[:, None, :], weights[group])[:, 0]
    return found


def fit(chances: Array, group: Ints, share: Array, prior: Array, rounds: int = ROUNDS) -> Array:
    """Return the weights, shape (groups, knots, parts), of which each set sums to 1.

    Parameters
    ----------
    chances : shape (n, parts)
        What each part gave to the token that came.
    group : shape (n,)
        The group of each place.
    share : shape (n, knots)
        What `between` returned; a column of ones where there is one knot.
    prior : shape (groups, parts)
        Rows sum to 1; a part of weight 0 keeps it.
    """
    weights = np.repeat(prior[:, None], share.shape[1], axis=1)
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(len(prior) + 1))
    for each, own in enumerate(prior):
        places, used = order[ends[each] : ends[each + 1]], np.flatnonzero(own > 0)
        if len(places):
            found = _maximise(chances[np.ix_(places, used)], share[places], own[used], rounds)
            weights[each][:, used] = found
    return weights


def _maximise(chances: Array, share: Array, own: Array, rounds: int) -> Array:
    weights = np.repeat(own[None], share.shape[1], axis=0)
    for _ in range(rounds):
        chance = np.einsum("nk,nk->n", share @ weights, chances)
        # Of what came, this much was the doing of each part by each knot.
        done = weights * (share.T @ (chances / np.maximum(chance, 1e-300)[:, None])) + STRENGTH * own
        weights = done / done.sum(axis=1, keepdims=True)
    return weights
