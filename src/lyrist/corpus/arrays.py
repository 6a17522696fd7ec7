"""Small functions on arrays of integers that duplicates and splits share."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.uint64)


def distinct(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the different values, sorted.

    `numpy.unique` hashes first where only the values are asked for; on millions of random integers that took 16 times
    as long as sorting.
    """
    ordered = np.sort(values)
    return ordered[run_starts(ordered)]


def run_starts(values: npt.NDArray[Number]) -> Ints:
    """Return the places where a run of equal values begins."""
    if not len(values):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


def packed(left: Ints | Numbers, right: Ints | Numbers) -> Numbers:
    """Return pairs of numbers below 2**32 as one number each, the first in the upper half."""
    return (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)


def unpacked(pairs: Numbers) -> tuple[Ints, Ints]:
    """Return the two numbers of each pair that `packed` made."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def components(count: int, left: Ints, right: Ints) -> Ints:
    """Return, for each of ``count`` nodes, the number of its connected component, in the order of their first nodes.

    Parameters
    ----------
    count
        Nodes, numbered from 0.
    left, right
        The two ends of each link.
    """
    root = np.arange(count)
    while True:  # each turn joins every component with a neighbour at least, so there are few
        one, other = root[left], root[right]
        apart = one != other
        if not apart.any():
            return np.asarray(np.unique(root, return_inverse=True)[1], dtype=np.int64)
        one, other, left, right = one[apart], other[apart], left[apart], right[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further := root[root], root):
            root = further


def hashed(values: Ints, seed: int) -> npt.NDArray[np.uint64]:
    """Return 64 random bits for each value: the same for the same seed, on any machine and with any version of NumPy.

    SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
    """
    return _mixed(values.astype(np.uint64) + _mixed(np.array([seed % 2**64], np.uint64)))


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
