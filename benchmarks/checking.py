"""Comparison of a prepared corpus with the ground truth of the generated table.

The generator records what it planted: copies with their similarities, songs in other languages, rows that are not songs. So
recall is a count, not an estimate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.names import artist_key
from songtables.generating import truth_path

SIMILAR = (0.9, 0.8, 0.7, 0.6, 0.5, 0.0)
"""Near-copies are told apart by their Jaccard similarity to the original: at least so much."""

COPIES = ("exact", "near", "cover")
NO_SONGS = ("instrumental", "empty", "short", "malformed")
"""Planted rows that a preparation has to leave out, each for its own reason."""

Ints = npt.NDArray[np.int64]


def check(corpus: Corpus, table: Path) -> dict[str, Any]:
    """Return what is right and wrong in a corpus made of one generated table.

    Returns
    -------
    dict
        ``copies``: by kind and similarity, how many were planted and which share stands in its original's cluster;
        ``merges``: songs put into another song's cluster; ``languages``: by code, songs kept and the share told right;
        ``splits``: clusters and artists that stand on two sides; ``ledger``: whether the sums agree; ``no_songs``: which
        share of the planted rows of each kind was left out; ``lost``: songs that are neither planted nor copies and
        left out other than by a balance.
    """
    truth = pl.read_parquet(truth_path(table))
    dropped = pl.read_parquet(corpus.path / "dropped" / "*.parquet", columns=["row", "reason"])
    return {
        **_clusters(corpus, truth, dropped),
        "languages": _languages(corpus, truth),
        "splits": _splits(corpus),
        "ledger": _ledger(corpus, dropped),
        "no_songs": _no_songs(truth, dropped),
        "lost": _lost(corpus, truth, dropped),
    }


def _clusters(corpus: Corpus, truth: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, Any]:
    rows = int(corpus.ledger.read)
    root: Ints = np.arange(rows + 1)
    copies = truth.filter(pl.col("kind").is_in(COPIES))
    root[copies["row"].to_numpy()] = copies["of"].to_numpy()
    cluster: Ints = np.arange(rows + 1)
    found = corpus.duplicates
    cluster[found["id"].to_numpy() + 1] = found["cluster"].to_numpy() + 1
    gone = dropped.filter(~pl.col("reason").str.ends_with("-duplicate") & (pl.col("reason") != "balance"))["row"]
    there = copies.filter(~pl.col("row").is_in(gone.implode()) & ~pl.col("of").is_in(gone.implode()))
    hit = cluster[there["row"].to_numpy()] == cluster[there["of"].to_numpy()]
    there = there.with_columns(hit=pl.Series(hit), alike=pl.col("jaccard").fill_null(1.0))
    told = {"exact": _share(there.filter(pl.col("kind") == "exact"))}
    others, above = there.filter(pl.col("kind") != "exact"), 1.01
    for least in SIMILAR:
        told[f"{least:g}"] = _share(others.filter(pl.col("alike") >= least - 1e-6, pl.col("alike") < above - 1e-6))
        above = least
    everything = there.filter(pl.col("alike") >= 0.8)
    members = found.filter(pl.col("id") != pl.col("cluster"))
    false = root[members["id"].to_numpy() + 1] != root[members["cluster"].to_numpy() + 1]
    mixed = len(np.unique(members["cluster"].to_numpy()[false]))
    return {
        "copies": told,
        "recall": _share(everything),
        "merges": {"songs": len(members), "false": int(false.sum()), "mixed_clusters": mixed},
    }


def _share(copies: pl.DataFrame) -> dict[str, Any]:
    return {"n": len(copies), "found": float(copies["hit"].mean() or 0) if len(copies) else None}  # type: ignore[arg-type]


def _languages(corpus: Corpus, truth: pl.DataFrame) -> dict[str, Any]:
    told = corpus.scan().select("id", "language").collect()
    sung = truth.filter(pl.col("kind") == "foreign").select(id=pl.col("row") - 1, sung="language")
    told = told.join(sung, on="id", how="left").with_columns(pl.col("sung").fill_null("en"))
    by_language = told.group_by("sung").agg(n=pl.len(), right=(pl.col("language") == pl.col("sung")).mean())
    return {code: {"n": n, "right": right} for code, n, right in by_language.sort("n", descending=True).iter_rows()}


def _splits(corpus: Corpus) -> dict[str, Any]:
    sides = corpus.scan().select("cluster", "split", artist=artist_key())
    two = {
        name: sides.drop_nulls(name).group_by(name).agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
        for name in ("cluster", "artist")
    }
    asked = corpus.info["settings"]["split"]
    sizes = corpus.info["counts"]["splits"]
    whole = max(sum(sizes.values()), 1)
    return {
        "by": asked["by"],
        "shares": {name: sizes[name] / whole for name in SPLITS},
        **{f"{name}s_on_two_sides": int(found.select(pl.len()).collect().item()) for name, found in two.items()},
    }


def _ledger(corpus: Corpus, dropped: pl.DataFrame) -> dict[str, Any]:
    ledger = corpus.ledger
    counted = dict(dropped["reason"].value_counts().iter_rows())
    kept = corpus.scan().select(pl.len()).collect().item()
    agrees = ledger.read == ledger.kept + sum(ledger.dropped.values()) and counted == dict(ledger.dropped)
    return {"read": ledger.read, "kept": ledger.kept, "agrees": bool(agrees and kept == ledger.kept)}


def _no_songs(truth: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, Any]:
    planted = truth.filter(pl.col("kind").is_in(NO_SONGS)).select("row", "kind")
    left_out = planted.with_columns(out=pl.col("row").is_in(dropped["row"].implode()))
    shares = left_out.group_by("kind").agg(pl.len(), pl.col("out").mean()).sort("kind")
    return {kind: {"n": n, "found": share} for kind, n, share in shares.iter_rows()}


def _lost(corpus: Corpus, truth: pl.DataFrame, dropped: pl.DataFrame) -> int:
    out = dropped.filter(pl.col("reason") != "balance")["row"]
    return int((~out.is_in(truth["row"].implode())).sum())
