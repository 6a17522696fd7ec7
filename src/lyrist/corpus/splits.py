"""Splits into training, validation and test: stratified, by near-copy cluster or by artist, decided by the seed.

There is no exact solution (it is bin packing). The method:

1. a group belongs to the stratum of its rarest class, as in Sechidis, Tsoumakas and Vlahavas, "On the Stratification
   of Multi-Label Data" (2011);
2. each stratum gets a whole number of songs for test and validation, rounded so that the sums are as requested;
3. the largest group of each stratum stays in training; the others are taken in random order, each that still fits, then
   one more where that comes closer to the number;
4. where a class would be missing in a split, its smallest group goes there, see `PRESENT` and `GROWTH`.

The result does not depend on the order of the rows or on the number of processes: a group is identified by its smallest
id, and the random order is a hash of that id and the seed. All steps work on arrays, with some 200 bytes a song at the
peak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.arrays import Ints, components, distinct, hashed, run_starts
from lyrist.corpus.containment import united
from lyrist.corpus.corpus import SPLITS
from lyrist.corpus.names import artist_key
from lyrist.errors import LyristError, UsageError
from lyrist.text import printable

TRAIN, VALIDATION, TEST = range(3)

PRESENT = 100
"""So many of the largest classes are on every side, whatever that does to its size."""

GROWTH = 0.25
"""Smaller classes do while a side grows by no more than this share: no class of three songs has a tenth in test."""

Sides = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Groups:
    """What is split: one entry a group in each array."""

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
    assigned = np.where(rare, stratum.max() + 1 if pool else -1, stratum)
    return np.asarray(np.unique(assigned, return_inverse=True)[1] - (not pool), dtype=np.int64)


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

        Systematic rounding: the strata are in random order on a line, and so do the whole numbers.
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


_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Split:
    """How the songs are split into training, validation and test."""

    by: str = "song"
    """``song``: near-copies stay together; ``artist``: the songs of an artist as well; ``year``: training on songs up to
    a year, test on later ones; any other: the songs with the same value in this column stay together."""
    validation: float = 0.1
    """Share of the songs; 0 for none."""
    test: float = 0.1
    """Share of the songs; 0 for none."""
    seed: int = 0
    column: str | None = None
    """The table's own column of splits, used instead; `assign` finds its values under the name ``split``."""
    stratify: str | None = None
    """Column whose shares each side shall have; None: genre where songs have one, else artist (by song only)."""
    train_until: int | None = None
    """By year, the last year of the training songs; None: the test share is later."""
    stable: bool = False
    """Whether a song keeps its side when songs are added: sides follow from a hash of the group, and the shares of songs
    and classes are only nearly as requested."""

    def __post_init__(self) -> None:
        if not self.by:
            raise UsageError("--split-by is song, artist, year or a column; it is empty.")
        if self.train_until is not None and self.by != "year":
            raise UsageError("--train-until needs --split-by year.")
        if self.stable and (self.by == "year" or self.column):
            raise UsageError(
                "--stable is for --split-by song, artist or a column; the split of a year or a table is fixed."
            )
        for name in ("validation", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"--{name} is a share of the songs, from 0 to below 1; {getattr(self, name)} is not.")
        if self.validation + self.test >= 1:
            raise UsageError(f"--validation {self.validation} and --test {self.test} leave no song for training.")
        if self.seed < 0:
            raise UsageError(f"--seed is 0 or above; {self.seed} is not.")


def assign(frame: pl.DataFrame, split: Split) -> pl.Series:
    """Return ``train``, ``validation`` or ``test`` for every song.

    Parameters
    ----------
    frame
        ``id`` (each once), ``cluster`` (of near-copies; its own id for a song alone), ``artist`` (null where missing),
        the columns by which to split and to stratify, ``key`` (a hash of the text) for a stable split by song, and ``split``
        where the table's own is requested. Rows in any order.
    split
        What is asked.

    Returns
    -------
    Series of strings, named ``split``, in the order of the rows
        No cluster is on two sides, and by artist no artist does (names compared without case and punctuation; a
        song without artist is a group of its own). A class with a group for each side is in training always, and on the
        other sides as far as `dealing.PRESENT` and `dealing.GROWTH` allow; one with fewer is in training only. The
        table's own split is taken as it is: `leaks` counts what it tears apart. By year, null for a song of a later
        year whose cluster has an earlier one.

    Raises
    ------
    LyristError
        There are too few groups, no song has an artist, or the table's own split has a value that names no side.
    """
    if split.column is not None:
        return _own(frame["split"], split.column)
    if split.by == "year":
        return _by_year(frame, split)
    shares = {side: share for side, share in ((TEST, split.test), (VALIDATION, split.validation)) if share}
    group = _group_numbers(frame, split.by)
    count = int(group.max(initial=-1)) + 1
    if count <= len(shares):
        raise LyristError(_too_few(count, 1 + len(shares), split.by))
    if split.stable:
        return _by_hash(frame, group, shares, split)
    groups = _groups(group, frame["id"].to_numpy(), _classes(frame, split), split.seed)
    return pl.Series("split", SPLITS).gather(deal(groups, shares, split.seed)[group])


def _by_year(frame: pl.DataFrame, split: Split) -> pl.Series:
    """Put songs of later years into test, and a share of the clusters of the others into validation."""
    years: Ints = frame["year"].to_numpy().astype(np.int64)
    until = split.train_until
    if until is None:
        later = max(round(split.test * len(years)), 1)
        until = int(np.sort(years)[-later]) - 1 if len(years) else 0
    early = frame.select(pl.col("year").min().over("cluster") <= until).to_series().to_numpy()
    if not early.any() or early.all():
        span = f"{years.min()} to {years.max()}" if len(years) else "none"
        raise LyristError(
            f"Split at the year {until}, {'no song is later' if early.any() else 'every song is later'}; the years of the "
            f"songs are {span}: choose another --train-until."
        )
    side = np.where(early, np.where(years <= until, TRAIN, -1), TEST)
    trained = np.flatnonzero(side == TRAIN)
    if split.validation:
        share = min(split.validation * len(years) / len(trained), 0.5)
        rest = replace(split, by="song", validation=share, test=0, train_until=None)
        side[trained] = _numbers(assign(frame[trained], rest), SPLITS)
    return _named(side.astype(np.int8), SPLITS).cast(pl.String).alias("split")


def _by_hash(frame: pl.DataFrame, group: Ints, shares: Mapping[int, float], split: Split) -> pl.Series:
    """Put each group on the side that a hash of its first song's text, artist or value says, and of nothing else."""
    ids = frame["id"].to_numpy()
    order = np.lexsort((ids, group))
    first = order[run_starts(group[order])]
    if split.by == "song":
        names = frame["key"].gather(first).cast(pl.String)
    else:
        name = artist_key() if split.by == "artist" else pl.col(split.by).cast(pl.String)
        names = frame[first].select(name.fill_null(pl.col("id").cast(pl.String))).to_series()
    salted = (f"{split.seed} {name}".encode() for name in names)
    chance = np.array([int.from_bytes(blake2b(name, digest_size=8).digest(), "little") for name in salted], np.uint64)
    place = chance / 2.0**64
    side = np.full(len(first), TRAIN)
    limit = 0.0
    for number, share in shares.items():
        side[(place >= limit) & (place < limit + share)] = number
        limit += share
    missing = [SPLITS[number] for number in (TRAIN, *shares) if not (side == number).any()]
    if missing:
        raise LyristError(
            f"The {missing[0]} split has no song: --stable divides only many groups nearly as requested, and there are "
            f"{len(first)}; leave --stable out, or request a larger share."
        )
    return pl.Series("split", SPLITS).gather(side[group])


def leaks(frame: pl.DataFrame, split: pl.Series) -> int:
    """Return the number of clusters whose songs are on two sides or more (null is no side)."""
    sides = frame.select("cluster", split.alias("split")).drop_nulls()
    return int(sides.group_by("cluster").agg(pl.col("split").n_unique()).select((pl.col("split") > 1).sum()).item())


def leak(frame: pl.DataFrame, seed: int = 0, split: Split | None = None) -> dict[str, Any]:
    """Return what a plain random split of single songs would have leaked.

    Parameters
    ----------
    frame
        ``id``, ``cluster``, ``artist``; near-copies that were dropped have to be in it to count.
    seed
        Of the random split.
    split
        The shares; by default 0.1 and 0.1.

    Returns
    -------
    dict
        ``test``: number of test songs; ``artist`` and ``near_copy``: the share of them, 0 to 1, whose artist or
        near-copy is in training.
    """
    shares = split or Split()
    songs = frame.select("id", "cluster", artist=artist_key()).sort("id")
    order = np.argsort(hashed(songs["id"].to_numpy(), seed))
    held = round(shares.test * len(songs))
    train_from = held + round(shares.validation * len(songs))
    test, train = songs[order[:held]], songs[order[train_from:]]
    known = {name: test[name].is_in(train[name].drop_nulls().unique().implode()) for name in ("artist", "cluster")}
    share = {name: float(found.fill_null(value=False).sum()) / max(held, 1) for name, found in known.items()}
    return {"test": held, "artist": share["artist"], "near_copy": share["cluster"]}


def balance(frame: pl.DataFrame, column: str, seed: int = 0) -> pl.Series:
    """Return the ids, sorted, of as many songs of every class in ``column`` as the rarest has; null is no class."""
    ids, label = frame["id"].to_numpy(), _places(frame[column], artist=False)
    songs = np.flatnonzero(label >= 0)
    if not len(songs):
        return frame["id"].clear()
    songs = songs[np.lexsort((ids[songs], hashed(ids[songs], seed), label[songs]))]
    sizes = np.bincount(label[songs])
    sizes = sizes[sizes > 0]
    place = np.arange(len(songs)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return pl.Series("id", np.sort(ids[songs[place < sizes.min()]]))


def _own(values: pl.Series, column: str) -> pl.Series:
    """Read the table's own split."""
    names = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    sides = names.replace_strict(_NAMES, default=None, return_dtype=pl.String).alias("split")
    odd = values.filter(sides.is_null()).cast(pl.String).fill_null("").alias("value").value_counts()
    if len(odd):
        value, count = odd.sort("count", "value", descending=[True, False]).row(0)
        more = f" (and {len(odd) - 1} other values)" if len(odd) > 1 else ""
        problem = f"says '{printable(value[:40])}'" if value else "is empty"
        raise LyristError(
            f"The column '{printable(column)}' {problem} in {count:,} rows{more}, which names no split; "
            "it must say train, validation or test, or leave out --split-column."
        )
    return sides


def _codes(values: pl.Series) -> Ints:
    """Return a number for each value, from 0, in the order of the values."""
    return np.unique(values.to_numpy(), return_inverse=True)[1].astype(np.int64)


def _group_numbers(frame: pl.DataFrame, by: str) -> Ints:
    """Return the number of each song's group."""
    cluster = _codes(frame["cluster"])
    if by == "song":
        return cluster
    artist = _places(frame[by], artist=by == "artist")
    known = artist >= 0
    if not known.any():
        what = "an artist" if by == "artist" else f"a value in the column '{printable(by)}'"
        raise LyristError(f"No song has {what}, so that none can be kept together; use --split-by song.")
    clusters = int(cluster.max()) + 1
    node = clusters + artist[known]
    return components(int(node.max()) + 1, cluster[known], node)[cluster]


def _classes(frame: pl.DataFrame, split: Split) -> Ints:
    """Return each song's class, from 0 in the order of the names, or -1 where it has none."""
    column = split.stratify
    if column is None:
        genres = "genre" in frame.columns and frame["genre"].null_count() < len(frame)
        column = "genre" if genres else "artist" if split.by == "song" else None
    if column is None:
        return np.full(len(frame), -1)
    return _places(frame[column], artist=column == "artist")


def _places(values: pl.Series, *, artist: bool) -> Ints:
    """Return the place of each value among the different ones, from 0 in their order, or -1 for null.

    Artists are compared by their key. Names are looked at once each, however many songs there are.
    """
    each = values.cast(pl.String).cast(pl.Categorical) if values.dtype != pl.Categorical else values
    kinds = each.drop_nulls().unique()
    names = pl.DataFrame({"name": kinds.cast(pl.String)}).select(artist_key("name") if artist else "name").to_series()
    numbers = kinds.to_physical().to_numpy()
    place = np.full(int(numbers.max(initial=0)) + 2, -1)
    place[numbers] = names.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return np.asarray(place[each.to_physical().cast(pl.Int64).fill_null(len(place) - 1).to_numpy()], dtype=np.int64)


def _groups(group: Ints, ids: Ints, label: Ints, seed: int) -> Groups:
    """Return what is split, from the group, id and class of each song."""
    first = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, group, ids)
    known, classes = label >= 0, int(label.max(initial=0)) + 1
    pairs = distinct(group[known] * classes + label[known])
    return Groups(np.bincount(group), hashed(first, seed), (pairs // classes, pairs % classes))


def _too_few(groups: int, needed: int, by: str) -> str:
    what, way = "different song" + "s" * (groups != 1), "add songs"
    if by != "song":
        what, way = "group" + "s" * (groups != 1) + f" of {by}s and near-copies", "use --split-by song"
    return f"{groups} {what} cannot be divided into {needed} splits; {way}, or leave a split out with --validation 0."


REASONS = ("site-notice", "exact-duplicate", "near-duplicate", "medley", "contained", "balance", "later-version")
"""Why the narrow stages drop a song."""

SIDE, REASON = pl.Enum(SPLITS), pl.Enum(REASONS)


def read_labels(work: Path, columns: Sequence[str], *, keyed: bool = False) -> pl.DataFrame:
    """Return ``id`` and some columns of every clean song, in the order of id, and the ``key`` of its text if requested.

    Years are numbers, all else is categories.
    """
    names = dict.fromkeys(columns)
    read = [pl.col(name) if name == "year" else pl.col(name).cast(pl.String).cast(pl.Categorical) for name in names]
    songs = (
        pl.scan_parquet(sorted((work / "keys").glob("*.parquet")), glob=False).select("id", *read).sort("id").collect()
    )
    if not keyed:
        return songs
    keys = (
        pl.scan_parquet(sorted((work / "signatures").glob("*.parquet")), glob=False)
        .select("id", "key")
        .sort("id")
        .collect()
    )
    return songs.with_columns(keys["key"])


def decide(
    songs: pl.DataFrame,
    clusters: pl.DataFrame,
    split: Split,
    *,
    drop: bool,
    balanced: str | None,
    seed: int,
    contained: pl.DataFrame | None = None,
    drop_contained: bool = False,
    notices: pl.Series | None = None,
) -> tuple[pl.DataFrame, int]:
    """Decide about every song.

    Parameters
    ----------
    songs
        `read_labels`: id, artist, and the columns by which to split and to balance.
    clusters
        `near_copies`, by id.
    split
        How the kept songs are split.
    drop
        Whether all but one of each cluster go.
    balanced
        Column whose classes are down-sampled to the rarest.
    seed
        Of the balance.
    contained
        `contained_pairs`: these songs are in one cluster with what contains them, and medleys are dropped.
    drop_contained
        Whether a song that is contained in another that is kept goes.
    notices
        Ids of songs that are notes of a site; they are dropped and in none of the clusters.

    Returns
    -------
    verdict : DataFrame
        ``id`` (sorted), ``split`` (null: dropped), ``cluster``, ``reason``: one row a song.
    leaked : int
        Clusters of near-copies whose songs are in two splits.
    """
    ids: Ints = songs["id"].to_numpy()
    place = np.searchsorted(ids, clusters["id"].to_numpy())
    cluster = ids.copy()
    cluster[place] = clusters["cluster"].to_numpy()
    reason = np.full(len(ids), -1, np.int8)
    if drop:
        for kind in ("exact", "near"):
            gone = (clusters["kind"] == kind) & (clusters["id"] != clusters["cluster"])
            reason[place[gone.to_numpy()]] = REASONS.index(f"{kind}-duplicate")
    if notices is not None:
        reason[np.searchsorted(ids, notices.to_numpy())] = REASONS.index("site-notice")
    near = cluster
    if contained is not None and len(contained):
        cluster, medley = united(ids, near, contained)
        if split.column is None:
            reason[medley & (reason < 0)] = REASONS.index("medley")
        if drop_contained:
            part, whole = (np.searchsorted(ids, contained[name].to_numpy()) for name in ("id", "within"))
            gone_part = part[reason[whole] < 0]
            reason[gone_part[reason[gone_part] < 0]] = REASONS.index("contained")
    if balanced:
        free = np.flatnonzero(reason < 0)
        stay = balance(songs.select("id", balanced)[free], balanced, seed).to_numpy()
        out = np.ones(len(ids), bool)
        out[np.searchsorted(ids, stay)] = False
        reason[free[out[free]]] = REASONS.index("balance")
    free = np.flatnonzero(reason < 0)
    left = songs.with_columns(cluster=pl.Series(cluster))
    left = left if len(free) == len(ids) else left[free]
    side = _numbers(assign(left, split), SPLITS)
    assigned = np.full(len(ids), -1, np.int8)
    assigned[free] = side
    reason[free[side < 0]] = REASONS.index("later-version")
    several = np.intersect1d(free, place)  # a song outside the clusters cannot be on two sides
    several_sides = pl.DataFrame({"cluster": near[several]}), _named(assigned[several], SPLITS)
    decided = {"id": ids, "split": _named(assigned, SPLITS), "cluster": cluster, "reason": _named(reason, REASONS)}
    return pl.DataFrame(decided), leaks(*several_sides)


def _numbers(values: pl.Series, known: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return names as numbers, and null as -1."""
    return values.cast(pl.Enum(known)).to_physical().cast(pl.Int8).fill_null(-1).to_numpy()


def _named(codes: npt.NDArray[np.int8], known: Sequence[str]) -> pl.Series:
    """Return numbers as names, and -1 as null."""
    numbers = pl.Series(codes)
    return numbers.set(numbers < 0, None).cast(pl.UInt8).cat.to(pl.Enum(known))
