"""How groups of songs are dealt to training, validation and test, by class: numbers only.

There is no exact solution (it is bin packing). What is done:

1. a group belongs to the stratum of its rarest class, as in Sechidis, Tsoumakas and Vlahavas, "On the Stratification
   of Multi-Label Data" (2011);
2. each stratum gets a whole number of songs for test and validation, rounded so that the sums are as asked;
3. the largest group of each stratum stays in training; the others are taken in random order, each that still fits, then
   one more where that comes closer to the number;
4. where a class would be missing on a side, its smallest group goes there, see `PRESENT` and `GROWTH`.

Each step is done for all strata at once, on arrays: six million songs in as many groups take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lyrist.corpus.arrays import Ints, hashed, run_starts

TRAIN, VALIDATION, TEST = range(3)

PRESENT = 100
"""So many of the largest classes stand on every side, whatever that does to its size."""

GROWTH = 0.25
"""Smaller classes do while a side grows by no more than this share: no class of three songs has a tenth in test."""

Sides = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Groups:
    """What is dealt: one entry a group in each array."""

    size: Ints
    """Songs."""
    chance: npt.NDArray[np.uint64]
    """Random; decides the order."""
    members: tuple[Ints, Ints]
    """Every group and class that occur together, each pair once, by group; groups without class do not occur."""


def deal(groups: Groups, shares: Mapping[int, float], seed: int) -> Sides:
    """Return the side of each group: `TRAIN`, or one of ``shares``.

    Parameters
    ----------
    groups
        At least one more than there are shares.
    shares
        The share of the songs, in (0, 1), for `TEST`, `VALIDATION` or both.
    seed
        Of what is left to chance among the strata.
    """
    needed = 1 + len(shares)
    stratum = _pooled(_strata(groups), groups.size, needed)
    order = np.lexsort((groups.chance, stratum))
    dealer = _Dealer(groups.size[order], stratum[order], seed)
    for place, (side, share) in enumerate(shares.items(), start=1):
        dealer.deal(side, share, last=place == len(shares))
    sides = np.empty(len(order), np.int8)
    sides[order] = dealer.sides
    return _in_training(sides, groups, needed)


def _strata(groups: Groups) -> Ints:
    """Return each group's rarest class (that of the fewest groups); groups without class are a stratum of their own."""
    group, label = groups.members
    mixed = np.any(group[1:] == group[:-1])
    by_rarity = np.lexsort((label, np.bincount(label)[label], group)) if mixed else np.arange(len(group))
    own, place = np.unique(group[by_rarity], return_index=True)
    stratum = np.full(len(groups.size), label.max(initial=-1) + 1)
    stratum[own] = label[by_rarity][place]
    return np.asarray(np.unique(stratum, return_inverse=True)[1], dtype=np.int64)


def _pooled(stratum: Ints, size: Ints, needed: int) -> Ints:
    """Return each group's stratum; -1 (training) where a stratum has too few groups for all sides.

    Where more than half of the songs would go to training that way, such classes are one stratum instead: then the
    column is hardly a class, as an artist is by artist.
    """
    rare = np.bincount(stratum)[stratum] < needed
    if not rare.any():
        return stratum
    pool = rare.sum() >= needed and size[rare].sum() > size.sum() / 2
    dealt = np.where(rare, stratum.max() + 1 if pool else -1, stratum)
    return np.asarray(np.unique(dealt, return_inverse=True)[1] - (not pool), dtype=np.int64)


class _Dealer:
    """Deals groups, sorted by stratum and chance, to one side after another."""

    def __init__(self, size: Ints, stratum: Ints, seed: int) -> None:
        self.size, self.stratum = size, stratum
        self.sides = np.full(len(size), TRAIN, np.int8)
        self.free = stratum >= 0
        self.songs = np.bincount(stratum[self.free], size[self.free]).astype(np.int64)
        self.seed = seed
        self.free[self._extreme(self.free, largest=True)] = False  # these stay in training

    def deal(self, side: int, share: float, *, last: bool) -> None:
        """Take ``share`` of the songs of each stratum for ``side``; leave a group for the side that is to come."""
        quota = self._quotas(share, self.seed + (side << 32))
        kept = np.empty(0, np.int64) if last else self._extreme(self.free, largest=False)
        self.free[kept] = False
        gap = quota - self._fill(side, quota)
        self._closer(side, gap)
        self._present(side, quota)
        self.free[kept] = True

    def _quotas(self, share: float, seed: int) -> Ints:
        """Return whole numbers of songs near ``share`` of each stratum, whose sum is near ``share`` of all.

        Systematic rounding: the strata stand in random order on a line, and so do the whole numbers.
        """
        chance = hashed(np.arange(len(self.songs) + 1), seed)
        order = np.argsort(chance[:-1])
        steps = np.floor(np.cumsum(share * self.songs[order]) + chance[-1] / 2.0**64)
        quota = np.empty(len(order), np.int64)
        quota[order] = np.diff(steps, prepend=0)
        return quota

    def _fill(self, side: int, quota: Ints) -> Ints:
        """Take free groups, in order, as long as they fit; return the songs taken by stratum."""
        gap = quota.copy()
        pool = np.flatnonzero(self.free)
        while len(pool := pool[self.size[pool] <= gap[self.stratum[pool]]]):
            stratum = self.stratum[pool]
            total = np.cumsum(self.size[pool])
            starts = run_starts(stratum)
            before = np.repeat(np.append(0, total[starts[1:] - 1]), np.diff(np.append(starts, len(pool))))
            fits = total - before <= gap[stratum]
            gap -= self._take(pool[fits], side)
            pool = pool[~fits]
        return quota - gap

    def _take(self, groups: Ints, side: int) -> Ints:
        """Put the groups on a side; return the songs that went there by stratum."""
        self.sides[groups] = side
        self.free[groups] = False
        return np.bincount(self.stratum[groups], self.size[groups], len(self.songs)).astype(np.int64)

    def _closer(self, side: int, gap: Ints) -> None:
        """Take the smallest free group of a stratum where too many songs are nearer to the quota than too few."""
        smallest = self._extreme(self.free, largest=False)
        self._take(smallest[self.size[smallest] < 2 * gap[self.stratum[smallest]]], side)

    def _present(self, side: int, quota: Ints) -> None:
        """Take the smallest free group of each stratum that has none on this side, as far as the size allows."""
        here = self.stratum[self.sides == side]
        lacking = np.bincount(here, minlength=len(self.songs)) == 0
        smallest = self._extreme(self.free & lacking[self.stratum], largest=False)
        rank = np.empty(len(self.songs), np.int64)
        rank[np.argsort(-self.songs, kind="stable")] = np.arange(len(self.songs))
        smallest = smallest[np.argsort(rank[self.stratum[smallest]])]
        affordable = np.cumsum(self.size[smallest]) <= GROWTH * quota.sum()
        self._take(smallest[affordable | (rank[self.stratum[smallest]] < PRESENT)], side)

    def _extreme(self, among: npt.NDArray[np.bool_], *, largest: bool) -> Ints:
        """Return the place of the largest or smallest group of each stratum, the first where several are equal."""
        places = np.flatnonzero(among)
        if not len(places):
            return places
        stratum, size = self.stratum[places], self.size[places]
        starts = run_starts(stratum)
        best = (np.maximum if largest else np.minimum).reduceat(size, starts)
        hits = np.flatnonzero(size == np.repeat(best, np.diff(np.append(starts, len(places)))))
        return np.asarray(places[hits[run_starts(stratum[hits])]])


def _in_training(sides: Sides, groups: Groups, needed: int) -> Sides:
    """Move a group to training for each class that has enough groups and none there.

    That happens only where all groups of a class hold rarer classes too.
    """
    group, label = groups.members
    trained = np.bincount(label, sides[group] == TRAIN) > 0
    missing = np.flatnonzero((np.bincount(label) >= needed) & ~trained)
    order = np.argsort(label, kind="stable") if len(missing) else label
    for name in missing:
        mine = group[order[slice(*np.searchsorted(label, [name, name + 1], sorter=order))]]
        if (sides[mine] == TRAIN).any():
            continue  # a group moved for another class brought this one along
        side = np.bincount(sides[mine]).argmax()
        there = mine[sides[mine] == side]
        sides[there[np.lexsort((groups.chance[there], groups.size[there]))[0]]] = TRAIN
    return sides
