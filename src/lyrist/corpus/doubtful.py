"""Songs whose label is probably wrong.

Songs are listed for four reasons:

- ``near-copy``: most songs with nearly the same text have another label;
- ``contained``: the song that contains this one (a live version, a remix) has another label;
- ``artist``: all other songs of the artist have one other label;
- ``words``: the rule of confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in
  dataset labels") on probabilities of a model that was not fitted on the song or its near-copies, ranked by the
  probability of the given label.

Of several labels a song, each is judged by itself: one that the song has may be wrong, and one that it has not may be missing.

The rule alone expects a model that is mostly right, and lyrics are hard to classify. So the given label must also be far less
probable than a random guess (`RATIO`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from lyrist import progress
from lyrist.corpus.arrays import hashed
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.labels import labels_of
from lyrist.errors import LyristError
from lyrist.metrics.multilabel import indicators

MOST = 5_000
"""Maximum number of songs that the model reads, sampled by a hash of their cluster."""
FOLDS = 4
FEWEST = 5
"""Smallest number of songs of a label that the model judges, and of an artist with one odd song."""
RATIO = 0.1
"""A label is doubtful if its probability is below this share of a random guess between the other labels."""
REASONS = ("near-copy", "contained", "artist", "words")
JOINER = ", "
"""Between several labels of one song in the list."""
SCHEMA = {
    "id": pl.Int64,
    "artist": pl.String,
    "title": pl.String,
    "given": pl.String,
    "suggested": pl.String,
    "reasons": pl.String,
    "probability": pl.Float64,
    "other": pl.String,
}
"""Columns of the list: ``probability`` is that of the given label by the model, ``other`` the song that it was compared with."""


def doubtful(given: ArrayLike, probabilities: ArrayLike, ratio: float = RATIO) -> NDArray[np.int64]:
    """Return the songs with a probably wrong label, the least probable label first.

    Parameters
    ----------
    given
        The class of each of the n songs.
    probabilities
        Out-of-sample probabilities, shape (n, k).
    ratio
        See `RATIO`.
    """
    index, P = np.asarray(given, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    k = P.shape[1]
    own, sizes = P[np.arange(len(P)), index], np.bincount(index, minlength=k)
    # The mean probability of a class among the songs with this label: above it, a song is confidently of the class.
    threshold = np.bincount(index, own, minlength=k) / np.maximum(sizes, 1)
    confident = np.where((threshold <= P) & (sizes > 0), P, -1.0)
    other = (confident.max(axis=1) >= 0) & (confident.argmax(axis=1) != index)
    found = np.flatnonzero(other & (own * (k - 1) <= ratio))
    return found[np.argsort(own[found], kind="stable")]


def find(corpus: Corpus, column: str, *, by_words: bool) -> dict[str, Any]:
    """Return the songs of a corpus with a doubtful label in a column.

    Parameters
    ----------
    corpus
        The corpus.
    column
        ``genre``, ``artist``, or another column of labels.
    by_words
        Fit a model, too, on at most `MOST` songs.

    Returns
    -------
    dict
        ``column``, ``songs`` (that have a label), ``read`` (songs that the model read), ``listed``, ``reasons`` (number of
        songs by reason) and ``list`` (rows of `SCHEMA`).
    """
    columns = list(dict.fromkeys(["id", "artist", "title", "cluster", column]))
    songs = corpus.songs(columns=columns).with_columns(label=pl.col(column).cast(pl.String))
    if (labels := labels_of(corpus, column)).multi:  # the order of several labels does not count
        songs = songs.with_columns(labels=labels.read(songs[column]))
        songs = songs.with_columns(label=pl.col("labels").list.join(JOINER))
    songs = songs.drop_nulls("label")
    parts, read = [by_rules(songs, corpus.contained, artists=column != "artist")], 0
    if by_words:
        some = sample(songs)
        if some["labels" if labels.multi else "label"].explode().n_unique() < 2:
            raise LyristError(
                f"No two values of the column '{column}' have {FEWEST} songs or more, so no model can judge the labels; "
                "choose another column."
            )
        lyrics = corpus.scan().select("id", "lyrics").filter(pl.col("id").is_in(some["id"].implode())).collect()
        some = some.join(lyrics, on="id", how="left", maintain_order="left")
        classes, probabilities = out_of_fold(some, artists=column != "artist")
        parts.append((by_labels if labels.multi else by_model)(some, classes, probabilities))
        read = len(some)
    rows = merged(parts)
    return {"column": column, "songs": len(songs), "read": read, **listed(rows)}


def listed(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the number of listed songs, in all and by reason, and the first 2,000 of them."""
    counts = {reason: int(rows["reasons"].str.contains(reason, literal=True).sum()) for reason in REASONS}
    return {"listed": len(rows), "reasons": counts, "list": rows.head(2_000).to_dicts()}


def by_rules(songs: pl.DataFrame, contained: pl.DataFrame, *, artists: bool) -> pl.DataFrame:
    """Return the songs whose near-copies, containing song or other songs of the artist have another label.

    Parameters
    ----------
    songs
        ``id``, ``artist``, ``title``, ``cluster`` and ``label``, no label null.
    contained
        `Corpus.contained`.
    artists
        Compare the songs of an artist with each other.
    """
    label = pl.col("label")
    counts = songs.group_by("cluster", "label").len("n").filter(pl.len().over("cluster") > 1)
    others = counts.rename({"label": "suggested", "n": "more"})
    best = (
        counts.join(others, on="cluster")
        .filter((label != pl.col("suggested")) & (pl.col("more") >= pl.col("n")))
        .sort(["more", "suggested"], descending=[True, False])
        .unique(["cluster", "label"], keep="first", maintain_order=True)
    )
    witness = songs.sort("id").select("cluster", suggested="label", other="title")
    witness = witness.unique(["cluster", "suggested"], keep="first", maintain_order=True)
    copies = songs.join(best, on=["cluster", "label"]).join(witness, on=["cluster", "suggested"], how="left")
    parts = [_rows(copies, "near-copy")]

    within = songs.select(within="id", suggested="label", around="cluster")
    inside = songs.join(contained.select("id", "within", other="within_title"), on="id").join(within, on="within")
    inside = inside.filter((label != pl.col("suggested")) & (pl.col("cluster") != pl.col("around")))
    parts.append(_rows(inside.unique("id", keep="first", maintain_order=True), "contained"))

    if artists:
        counts = songs.drop_nulls("artist").group_by("artist", "label").len("n")
        two = counts.filter((pl.len().over("artist") == 2) & (pl.col("n").sum().over("artist") >= FEWEST))
        usual = two.filter(pl.col("n") > 1).select("artist", suggested="label")
        odd = two.filter(pl.col("n") == 1).join(usual, on="artist")
        parts.append(_rows(songs.join(odd, on=["artist", "label"]), "artist"))
    return pl.concat(parts)


def by_model(songs: pl.DataFrame, classes: Sequence[str], probabilities: NDArray[np.float64]) -> pl.DataFrame:
    """Return the songs whose given label a model finds very improbable.

    Parameters
    ----------
    songs
        ``id``, ``artist``, ``title`` and ``label``; songs with a label that is not among ``classes`` are left out.
    classes
        The k labels of the model.
    probabilities
        Out-of-sample probabilities, shape (n, k), in the order of the songs.
    """
    place = {name: number for number, name in enumerate(classes)}
    index = np.array([place.get(name, -1) for name in songs["label"].to_list()], dtype=np.int64)
    known = np.flatnonzero(index >= 0)
    P = probabilities[known]
    found = doubtful(index[known], P)
    rows = songs[known[found]].with_columns(
        suggested=pl.Series([classes[c] for c in P[found].argmax(axis=1)], dtype=pl.String),
        probability=pl.Series(P[found, index[known[found]]], dtype=pl.Float64),
    )
    return _rows(rows, "words")


def by_labels(songs: pl.DataFrame, classes: Sequence[str], probabilities: NDArray[np.float64]) -> pl.DataFrame:
    """Return the songs of which a model finds one of several labels, or the lack of one, very improbable.

    The rule is that of `doubtful` on each label, where a random guess is the label's share of songs.

    Parameters
    ----------
    songs
        ``id``, ``artist``, ``title``, ``labels`` (lists) and ``label`` (the same as text).
    classes
        The k labels of the model.
    probabilities
        Out-of-sample probability of each label, shape (n, k), in the order of the songs.
    """
    has = indicators(songs["labels"].to_list(), classes).astype(bool)
    own = np.where(has, probabilities, 1 - probabilities)
    share = has.mean(axis=0) if len(has) else np.zeros(len(classes))
    guess = np.where(has, share, 1 - share)
    mean = [np.where(w, own, 0).sum(axis=0) / np.maximum(w.sum(axis=0), 1) for w in (has, ~has)]
    wrong = (own <= RATIO * guess) & (1 - own >= np.where(has, mean[1], mean[0])) & (share > 0)
    found: list[int] = np.flatnonzero(wrong.any(axis=1)).tolist()
    known, rows = set(classes), songs[found]
    suggested = []
    for place, given in zip(found, rows["labels"].to_list(), strict=True):
        likely = {classes[c] for c in np.flatnonzero(has[place] != wrong[place]).tolist()} or {
            classes[probabilities[place].argmax()]
        }
        suggested.append(JOINER.join(sorted(likely | (set(given) - known))))
    rows = rows.with_columns(
        suggested=pl.Series(suggested, dtype=pl.String),
        probability=pl.Series(np.where(wrong, own, 1).min(axis=1, initial=1)[found], dtype=pl.Float64),
    )
    return _rows(rows.filter(pl.col("suggested") != pl.col("label")), "words")


def merged(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return one row a song: with several reasons first, then in the order of the reasons, then by probability."""
    rows = pl.concat(parts).with_columns(rank=pl.col("reasons").replace_strict({r: n for n, r in enumerate(REASONS)}))
    rows = rows.sort("rank", "probability", "id", nulls_last=True)
    first = [pl.col(name).drop_nulls().first() for name in SCHEMA if name not in ("id", "reasons")]
    merged = rows.group_by("id", maintain_order=True).agg(
        *first, reasons=pl.col("reasons").str.join(", "), rank=pl.col("rank").min(), several=pl.len()
    )
    order = merged.sort("several", "rank", "probability", "id", descending=[True, False, False, False], nulls_last=True)
    return order.select(*SCHEMA)


def out_of_fold(songs: pl.DataFrame, *, artists: bool) -> tuple[list[str], NDArray[np.float64]]:
    """Return the labels and the probabilities of each song by an ensemble that was not fitted on it or its near-copies.

    Parameters
    ----------
    songs
        ``artist``, ``cluster``, ``label`` and ``lyrics``, and ``labels`` (lists) where a song has several.
    artists
        The artist is an input of the model, since the songs of an artist mostly have the same label.
    """
    from lyrist.models.ensemble import LyricEnsemble
    from lyrist.models.inputs import songs as as_input

    several = "labels" in songs.columns
    every = songs["labels" if several else "label"].explode().drop_nulls().value_counts()
    classes = sorted(every.filter(pl.col("count") >= FEWEST).to_series() if several else every.to_series())
    place = np.array(classes)
    found = np.zeros((len(songs), len(classes)))
    fold = (hashed(songs["cluster"].to_numpy(), 1) % np.uint64(FOLDS)).astype(np.int64)
    with progress.task("fitting", "folds") as advance:
        for number in range(FOLDS):
            inside, outside = (songs.filter(pl.Series(mask)) for mask in (fold != number, fold == number))
            if len(outside) and inside["label"].n_unique() > 1:
                model = LyricEnsemble(features="artist" if artists else "none")
                model.fit(
                    _inputs(inside, as_input),
                    _targets(inside["labels"], classes) if several else inside["label"].to_list(),
                )
                columns = np.searchsorted(place, model.classes_)
                rows = np.flatnonzero(fold == number)
                found[np.ix_(rows, columns)] = model.predict_proba(_inputs(outside, as_input))
            advance(number + 1, FOLDS)
    return classes, found


def _targets(labels: pl.Series, classes: Sequence[str]) -> pl.DataFrame:
    """Return 0 and 1 in a column for each class that some song has, and another has not."""
    has = indicators(labels.to_list(), classes).astype(np.int64)
    both = np.flatnonzero((has.min(axis=0) == 0) & (has.max(axis=0) == 1))
    return pl.DataFrame(has[:, both], schema=[classes[c] for c in both.tolist()])


def _inputs(songs: pl.DataFrame, as_input: Any) -> Any:
    return as_input(songs["lyrics"].fill_null("").to_list(), songs["artist"].fill_null("").to_list())


def sample(songs: pl.DataFrame) -> pl.DataFrame:
    """Return at most `MOST` songs, cluster by cluster, of labels with `FEWEST` songs or more."""
    order = np.argsort(hashed(songs["cluster"].to_numpy(), 0), kind="stable")[:MOST]
    some = songs[np.sort(order)]
    if "labels" not in some.columns:
        return some.filter(pl.len().over("label") >= FEWEST)
    counts = some["labels"].explode().value_counts()
    known = counts.filter(pl.col("count") >= FEWEST).to_series()
    return some.filter(pl.col("labels").list.set_intersection(known.to_list()).list.len() > 0)


def _rows(songs: pl.DataFrame, reason: str) -> pl.DataFrame:
    missing = [pl.lit(None, SCHEMA[name]).alias(name) for name in ("probability", "other") if name not in songs.columns]
    named = songs.with_columns(*missing, given=pl.col("label"), reasons=pl.lit(reason))
    return named.select(*SCHEMA).cast(SCHEMA)  # type: ignore[arg-type]
