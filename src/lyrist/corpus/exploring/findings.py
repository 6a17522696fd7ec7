"""All that `explore` finds in a corpus, as plain values: what ``explore.json`` holds and the page shows.

Names of artists and genres and titles stand in it as they stand in the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.duplicates import covers
from lyrist.corpus.exploring import measures, terms
from lyrist.corpus.exploring.measures import Measured, binned, spread
from lyrist.corpus.ledger import REASONS
from lyrist.corpus.splits import Split, leak

SEED = 0
GENRES = 12
"""At most so many genres are compared with one another."""
LISTED = 1_000
"""At most so many values of a column are listed: some columns hold a different one for every song."""
EACH = ((1, 1), (2, 4), (5, 9), (10, 49), (50, None))
"""Ranges of songs an artist has."""


def find(corpus: Corpus, top: int) -> dict[str, Any]:
    """Return everything that is found in ``corpus``; lists of artists hold the ``top`` commonest."""
    measured = measures.measure(corpus, top, SEED)
    songs = measured.songs
    various = measures.diversity(measured.sample)
    genres, artists = _counted(songs, "genre"), _counted(songs, "artist")
    return {
        "corpus": {
            "path": str(corpus.path),
            "fingerprint": corpus.fingerprint,
            "songs": len(songs),
            "splits": {name: corpus.info["counts"]["splits"].get(name, 0) for name in SPLITS},
        },
        "top": top,
        "sample": {"songs": len(measured.sample), "of": len(songs), "seed": SEED},
        "rows": _rows(corpus),
        "artists": {**_labels(songs, artists, "artist", top), "songs_each": _songs_each(artists)},
        "genres": {**_labels(songs, genres, "genre"), "profiles": _profiles(songs, various, genres)},
        "languages": _labels(songs, _counted(songs, "language"), "language"),
        "years": _years(songs),
        "columns": {
            name: _labels(songs, _counted(songs, measures.KEPT_AS.format(name)), "value")
            for name in corpus.info["settings"].get("keep", [])
        },
        "lengths": _lengths(songs),
        "sections": {
            "kept": corpus.info["settings"]["cleaning"]["sections"] == "keep",
            "songs_with": int((songs["sections"] > 0).sum()),
            "kinds": measured.sections,
        },
        "repetition": {
            "cleaning": corpus.info["counts"]["repetition"],
            "songs": spread(songs["repetition"]),
            "histogram": binned(songs["repetition"], 25, whole=False),
        },
        "diversity": {
            "window": measures.WINDOW,
            "songs": spread(various["diversity"]),
            "histogram": binned(various["diversity"], 25, whole=False),
        },
        "words": _words(measured, genres, artists, top),
        "near_copies": _near_copies(corpus),
        "leak": _leak(corpus, songs),
    }


def _counted(songs: pl.DataFrame, column: str) -> list[tuple[str, int]]:
    """Return the values of a column and their songs, the commonest first."""
    counts = songs.select(pl.col(column).cast(pl.String)).drop_nulls().group_by(column).len("songs")
    return list(counts.sort("songs", column, descending=[True, False]).iter_rows())


def _labels(songs: pl.DataFrame, counts: list[tuple[str, int]], name: str, top: int = LISTED) -> dict[str, Any]:
    """Return how the songs fall on the values of one column; a share is of the songs that have a value."""
    known = sum(n for _, n in counts)
    shown = [{name: value, "songs": n, "share": n / known} for value, n in counts[:top]]
    return {"different": len(counts), "known": known, "missing": len(songs) - known, "songs": shown}


def _songs_each(artists: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return how many artists have one song, a few, many."""
    counts = [n for _, n in artists]
    told = []
    for low, high in EACH:
        theirs = [n for n in counts if low <= n and (high is None or n <= high)]
        name = f"{low}" if low == high else f"{low} to {high}" if high else f"{low} or more"
        told.append({"songs": name, "artists": len(theirs), "songs_in_all": sum(theirs)})
    return told


def _years(songs: pl.DataFrame) -> dict[str, Any]:
    counts = songs["year"].drop_nulls().value_counts().sort("year")
    return {
        "missing": songs["year"].null_count(),
        "songs": [{"year": int(y), "songs": int(n)} for y, n in counts.iter_rows()],
    }


def _rows(corpus: Corpus) -> dict[str, Any]:
    counts = corpus.info["counts"]
    ledger = corpus.ledger.to_json()
    return {
        "read": ledger["read"],
        "kept": ledger["kept"],
        "dropped": [
            {"reason": reason, "rows": n, "share": n / ledger["read"], "meaning": REASONS.get(reason, "")}
            for reason, n in ledger["dropped"].items()
        ],
        "repaired": counts["repaired"],
        "rules": {
            rule: {"songs": n, "share": n / max(ledger["read"], 1)}
            for rule, n in sorted(counts["rules"].items(), key=lambda item: -item[1])
            if n
        },
        "sources": [
            {key: source[key] for key in ("name", "bytes", "rows", "sha256")} for source in corpus.info["sources"]
        ],
    }


def _lengths(songs: pl.DataFrame) -> dict[str, Any]:
    return {
        "words": {"spread": spread(songs["words"]), "histogram": binned(songs["words"])},
        "lines": {"spread": spread(songs["lines"]), "histogram": binned(songs["lines"])},
        "words_a_line": {"spread": spread(songs.select(pl.col("words") / pl.col("lines")).to_series())},
        "one_line": int(((songs["lines"] == 1) & (songs["words"] >= 60)).sum()),
    }


def _profiles(songs: pl.DataFrame, various: pl.DataFrame, genres: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return what the songs of each of the commonest genres are like."""
    told = []
    joined = songs.select("id", "words", "repetition", pl.col("genre", "artist").cast(pl.String))
    joined = joined.join(various, on="id", how="left")
    for genre, n in genres[:GENRES]:
        own = joined.filter(pl.col("genre") == genre)
        found = {name: spread(own[name]) for name in ("words", "repetition", "diversity")}
        told.append({"genre": genre, "songs": n, "artists": own["artist"].drop_nulls().n_unique(), **found})
    return told


def _words(
    measured: Measured, genres: list[tuple[str, int]], artists: list[tuple[str, int]], top: int
) -> dict[str, Any]:
    """Return the words of all songs, and those that tell the genres and the artists."""
    sample = measured.sample
    weighed = terms.weigh(sample)
    told: dict[str, Any] = {"common": terms.common(weighed, sample["general"].to_numpy())}
    for column, groups in (("genre", genres[:GENRES]), ("artist", artists[:top])):
        labels = sample[column].cast(pl.String).to_list()
        found = terms.telling(weighed, labels, [name for name, _ in groups], most=60)
        have = {name: labels.count(name) for name in found}
        told[column] = [
            {
                column: name,
                "songs": have[name],
                "words": [{"word": word, "weight": weight, "songs": n} for word, weight, n in words],
            }
            for name, words in found.items()
            if words
        ]
    return told


def _near_copies(corpus: Corpus) -> dict[str, Any]:
    """Return how many near-copies there are, and the clusters of them with all their names."""
    found = corpus.duplicates
    looked = corpus.info["settings"]["duplicates"] != "keep"
    if found.is_empty():
        return {"looked_for": looked, "songs": 0, "clusters": 0, "covers": 0, "list": []}
    about = covers(found)
    grouped = (
        found.join(about.select("cluster", "cover"), on="cluster")
        .sort("cluster", "jaccard", "id", descending=[False, True, False])
        .group_by("cluster", maintain_order=True)
        .agg("id", "artist", "title", "jaccard", "split", pl.col("cover").first())
        .sort("cover", "cluster", descending=[True, False])
    )
    clusters = [
        {
            "cover": row["cover"],
            "jaccard": min(row["jaccard"]),
            "songs": [
                {"id": i, "artist": a, "title": t, "split": s}
                for i, a, t, s in zip(row["id"], row["artist"], row["title"], row["split"], strict=True)
            ],
        }
        for row in grouped.head(2_000).iter_rows(named=True)
    ]
    return {
        "looked_for": looked,
        "songs": len(found),
        "clusters": len(about),
        "covers": int(about["cover"].sum()),
        "list": clusters,
    }


def _leak(corpus: Corpus, songs: pl.DataFrame) -> dict[str, Any]:
    """Return the share of test songs whose artist or near-copy is in training: by a random split, and in this corpus."""
    settings = corpus.info["settings"]["split"]
    shares = Split(validation=settings["validation"], test=settings["test"] or 0.1)
    own = songs.select("id", "cluster", "split", pl.col("artist").cast(pl.String))
    gone = corpus.duplicates.filter(pl.col("split").is_null()).select("id", "cluster", "artist")
    everything = pl.concat([own.select("id", "cluster", "artist"), gone])
    looked = corpus.info["settings"]["duplicates"] != "keep"
    told = {"random": leak(everything, SEED, shares), "corpus": _own_leak(own), "looked_for": looked}
    for found in (told["random"], told["corpus"]):
        if not looked:
            found["near_copy"] = None
        if own["artist"].null_count() == len(own):
            found["artist"] = None
    return told


def _own_leak(songs: pl.DataFrame) -> dict[str, Any]:
    test, train = (songs.filter(pl.col("split").cast(pl.String) == name) for name in ("test", "train"))
    shares = {}
    for column in ("artist", "cluster"):
        known = test[column].is_in(train[column].drop_nulls().unique().implode()).fill_null(value=False)
        shares[column] = float(np.mean(known.to_numpy())) if len(known) else 0.0
    return {"test": len(test), "artist": shares["artist"], "near_copy": shares["cluster"]}
