"""What becomes of each clean song: copies, balance and split, decided on ids and labels alone.

Six million songs are decided in one process. So nothing here is a string a song: labels are categories, the verdict is
numbers by place, and titles are read for the songs in clusters only. That takes some 200 bytes a song at the peak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist import progress
from lyrist.corpus.arrays import Ints
from lyrist.corpus.corpus import SPLITS
from lyrist.corpus.duplicates import find_clusters
from lyrist.corpus.splits import Split, assign, balance, leaks

REASONS = ("exact-duplicate", "near-duplicate", "balance")
"""Why the narrow stages drop a song."""

SIDE, REASON = pl.Enum(SPLITS), pl.Enum(REASONS)


def labels(work: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Return ``id`` and some columns of every clean song, as categories, in the order of id."""
    return (
        pl.scan_parquet(work / "keys" / "*.parquet")
        .select("id", *(pl.col(name).cast(pl.String).cast(pl.Categorical) for name in dict.fromkeys(columns)))
        .sort("id")
        .collect()
    )


def near_copies(work: Path, *, ignore: bool = False) -> pl.DataFrame:
    """Return the clusters of copies and near-copies among the clean songs (see `find_clusters`); none with ``ignore``."""
    shards = sorted((work / "clean").glob("*.parquet"))

    def fetch(ids: Ints) -> Iterator[tuple[Ints, pl.Series]]:
        for shard in shards:
            texts = pl.scan_parquet(shard).select("id", "lyrics")
            texts = texts.filter(pl.col("id").is_in(pl.Series(ids).implode()))
            found = texts.collect()
            yield found["id"].to_numpy(), found["lyrics"]

    if ignore:
        return find_clusters(None, fetch)
    with progress.task("near-copies", "stages") as advance:
        return find_clusters(pl.scan_parquet(work / "signatures" / "*.parquet"), fetch, advance=advance)


def names(work: Path, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the clusters with the titles and artists of their songs, by id."""
    keys = pl.scan_parquet(work / "keys" / "*.parquet").select("id", "title", "artist")
    known = keys.filter(pl.col("id").is_in(clusters["id"].implode())).collect()
    return clusters.join(known, on="id", how="left", maintain_order="left")


def verdict(
    songs: pl.DataFrame, clusters: pl.DataFrame, split: Split, *, drop: bool, balanced: str | None, seed: int
) -> tuple[pl.DataFrame, int]:
    """Decide about every song.

    Parameters
    ----------
    songs
        `labels`: id, artist, and the columns by which to split and to balance.
    clusters
        `near_copies`, by id.
    split
        How the songs that stay are dealt.
    drop
        Whether all but one of each cluster go.
    balanced
        Column whose classes are down-sampled to the rarest.
    seed
        Of the balance.

    Returns
    -------
    verdict : DataFrame
        ``id`` (sorted), ``split`` (null: dropped), ``cluster``, ``reason``: one row a song.
    leaked : int
        Clusters that stand on two sides.
    """
    ids: Ints = songs["id"].to_numpy()
    place = np.searchsorted(ids, clusters["id"].to_numpy())
    cluster = ids.copy()
    cluster[place] = clusters["cluster"].to_numpy()
    reason = np.full(len(ids), -1, np.int8)
    if drop:
        for code, kind in enumerate(("exact", "near")):
            gone = (clusters["kind"] == kind) & (clusters["id"] != clusters["cluster"])
            reason[place[gone.to_numpy()]] = code
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
    dealt = np.full(len(ids), -1, np.int8)
    dealt[free] = side
    several = np.intersect1d(free, place)  # a song outside the clusters cannot stand on two sides
    several_sides = pl.DataFrame({"cluster": cluster[several]}), _named(dealt[several], SPLITS)
    decided = {"id": ids, "split": _named(dealt, SPLITS), "cluster": cluster, "reason": _named(reason, REASONS)}
    return pl.DataFrame(decided), leaks(*several_sides)


def details(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return why a song is a copy in words: ``id`` and ``detail`` of every song of `names` but the first of a cluster."""
    shown = pl.format("{} - {}", pl.col("artist").fill_null("?"), pl.col("title").fill_null("?"))
    first = clusters.select(cluster="id", first=shown)
    copies = clusters.filter(pl.col("cluster") != pl.col("id")).join(first, on="cluster", how="left")
    told = pl.format("of id {} ({}), Jaccard {}", "cluster", "first", pl.col("jaccard").round(2))
    return copies.select("id", detail=told).sort("id")


def _numbers(values: pl.Series, known: Sequence[str]) -> npt.NDArray[np.int8]:
    return values.cast(pl.Enum(known)).to_physical().cast(pl.Int8).to_numpy()


def _named(codes: npt.NDArray[np.int8], known: Sequence[str]) -> pl.Series:
    """Return numbers as names, and -1 as null."""
    numbers = pl.Series(codes)
    return numbers.set(numbers < 0, None).cast(pl.UInt8).cat.to(pl.Enum(known))
