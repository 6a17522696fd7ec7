"""Who stands on which side: splits by near-copy cluster, or by artist and cluster together, stratified, by seed.

Nothing here depends on the order of the rows or on the number of processes: a group is known by the smallest id in it,
and chance is a hash of that id and the seed. All is done on arrays; six million songs take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from lyrist.corpus.arrays import Ints, components, distinct, hashed
from lyrist.corpus.corpus import SPLITS
from lyrist.corpus.dealing import TEST, VALIDATION, Groups, deal
from lyrist.corpus.duplicates import artist_key
from lyrist.errors import LyristError, UsageError
from lyrist.text import printable

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
    """How the songs are dealt to training, validation and test."""

    by: Literal["song", "artist"] = "song"
    """``song``: near-copies stay together; ``artist``: the songs of an artist do as well."""
    validation: float = 0.1
    """Share of the songs; 0 for none."""
    test: float = 0.1
    """Share of the songs; 0 for none."""
    seed: int = 0
    column: str | None = None
    """The table's own column of splits, used instead; `assign` finds its values under the name ``split``."""
    stratify: str | None = None
    """Column whose shares each side shall have; None: genre where songs have one, else artist (by song only)."""

    def __post_init__(self) -> None:
        if self.by not in ("song", "artist"):
            raise UsageError(f"--split-by is song or artist; '{self.by}' is neither.")
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
        the column by which to stratify, and ``split`` where the table's own is asked for. Rows in any order.
    split
        What is asked.

    Returns
    -------
    Series of strings, named ``split``, in the order of the rows
        No cluster stands on two sides, and by artist no artist does (names compared without case and punctuation; a
        song without artist stands for itself). A class with a group for each side is in training always, and on the
        other sides as far as `dealing.PRESENT` and `dealing.GROWTH` allow; one with fewer is in training only. The
        table's own split is taken as it is: `leaks` counts what it tears apart.

    Raises
    ------
    LyristError
        There are too few groups, no song has an artist, or the table's own split has a value that names no side.
    """
    if split.column is not None:
        return _own(frame["split"], split.column)
    shares = {side: share for side, share in ((TEST, split.test), (VALIDATION, split.validation)) if share}
    group = _group_numbers(frame, split.by)
    count = int(group.max(initial=-1)) + 1
    if count <= len(shares):
        raise LyristError(_too_few(count, 1 + len(shares), split.by))
    groups = _groups(group, frame["id"].to_numpy(), _classes(frame, split), split.seed)
    return pl.Series("split", SPLITS).gather(deal(groups, shares, split.seed)[group])


def leaks(frame: pl.DataFrame, split: pl.Series) -> int:
    """Return the number of clusters whose songs stand on two sides or more (null is no side)."""
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
        told = f"says '{printable(value[:40])}'" if value else "is empty"
        raise LyristError(
            f"The column '{printable(column)}' {told} in {count:,} rows{more}, which names no split; "
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
    artist = _places(frame["artist"], artist=True)
    known = artist >= 0
    if not known.any():
        raise LyristError("No song has an artist, so that none can be kept together; use --split-by song.")
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
    """Return what is dealt, from the group, id and class of each song."""
    first = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, group, ids)
    known, classes = label >= 0, int(label.max(initial=0)) + 1
    pairs = distinct(group[known] * classes + label[known])
    return Groups(np.bincount(group), hashed(first, seed), (pairs // classes, pairs % classes))


def _too_few(groups: int, needed: int, by: str) -> str:
    what, way = "different song" + "s" * (groups != 1), "add songs"
    if by == "artist":
        what, way = "group" + "s" * (groups != 1) + " of artists and near-copies", "use --split-by song"
    return f"{groups} {what} cannot be dealt to {needed} splits; {way}, or leave a split out with --validation 0."
