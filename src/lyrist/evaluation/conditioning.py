"""Conditioning accuracy: how often lyrics generated for a genre or an artist are classified as that genre or artist.

The judge is one of Lyrist's classifiers, fitted to the training songs. It also misclassifies real songs, especially short
ones. Its accuracy on generated lyrics is therefore reported together with its accuracy on held-out songs of the same labels,
cut to the same lengths, and with chance. An accuracy far above that of real songs means that a style is exaggerated.

The judge chooses only among the labels that were requested, and its probabilities are corrected for their frequency in the
training songs (by `PRIOR_CORRECTION`); otherwise it would predict the most frequent label too often. The accuracy on real
songs is weighted by the number of generated songs per label, so both figures are for the same label distribution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.evaluation.songcraft import cut_alike
from lyrist.metrics.intervals import wilson
from lyrist.models.inputs import songs as as_input
from lyrist.training.estimators import make_estimator

JUDGE = "char-svm"
"""The recipe of the judge: fits a few thousand songs in a second or two, and is accurate for both artists and genres."""

TRAINING = 6_000
"""Largest number of training songs of the judge, sampled at random: its cost grows with their square."""

PRIOR_CORRECTION = 0.5
"""Each probability is divided by the label's share of the training songs to this power. With 0 the most frequent label is
predicted too often; with 1 the rarest, because the judge's own probabilities favour rare labels. See docs/log.md."""

OTHERS = 9
"""If only one label was requested, the judge also considers this many of the most frequent other labels."""


@dataclass(frozen=True)
class Judge:
    """A classifier fitted to training songs, with held-out songs for reference."""

    column: str
    recipe: str
    labels: tuple[str, ...]
    """The labels it chooses among."""
    shares: NDArray[np.float64]
    """Each label's share of its training songs."""
    model: Any
    held: pl.DataFrame
    """``lyrics`` and ``label`` of held-out songs."""

    @classmethod
    def fit(
        cls,
        corpus: Corpus,
        column: str,
        requested: Sequence[str],
        *,
        split: str = "test",
        recipe: str = JUDGE,
        seed: int = 0,
    ) -> Judge:
        """Fit a judge on the training songs of a corpus.

        Parameters
        ----------
        corpus
            The corpus of the language model.
        column
            The column that the judge predicts from the lyrics, such as genre.
        requested
            The labels that lyrics were generated for; repetitions do not matter.
        split
            The split of the held-out songs.
        recipe
            A recipe of a classifier that uses only the lyrics.
        seed
            Seed of the sample of training songs if there are more than `TRAINING`.

        Raises
        ------
        LyristError
            The corpus has no such column, no song with a requested label, or only one label.
        """
        corpus.check_target(column)
        found = {part: _labelled(corpus, part, column) for part in ("train", split)}
        counts = Counter(found["train"]["label"].to_list())
        missing = sorted(set(requested) - counts.keys())
        if missing:
            raise LyristError(
                f"No training song of {corpus.path} has the {column} '{missing[0]}', for which lyrics were generated."
            )
        labels = set(requested)
        if len(labels) == 1:
            labels |= {label for label, _ in counts.most_common(OTHERS + 1)}
        if len(labels) < 2:
            raise LyristError(
                f"All training songs have one {column}, so conditioning accuracy cannot be measured; use another column."
            )
        train, held = (frame.filter(pl.col("label").is_in(sorted(labels))) for frame in found.values())
        train = _limited(train, seed)
        model = make_estimator(recipe, {}, seed)
        with progress.task(f"fitting the judge of {column}") as advance:
            model.fit(_inputs(train["lyrics"].to_list()), train["label"].to_list())
            advance(len(train), len(train))
        known = [str(label) for label in model.classes_]
        learnt = Counter(train["label"].to_list())
        shares = np.array([learnt[label] / len(train) for label in known])
        return cls(column, recipe, tuple(known), shares, model, held)

    def recognised(self, lyrics: Sequence[str], labels: Sequence[str]) -> list[bool]:
        """Return for each text whether the judge predicts its label."""
        if not lyrics:
            return []
        probabilities = np.asarray(self.model.predict_proba(_inputs(list(lyrics))), dtype=np.float64)
        predicted = (probabilities / self.shares**PRIOR_CORRECTION).argmax(axis=1)
        return [self.labels[place] == label for place, label in zip(predicted, labels, strict=True)]


def conditioning_accuracy(
    judge: Judge, lyrics: Sequence[str], labels: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """Return how often generated lyrics are classified as the label that they were generated for.

    Parameters
    ----------
    judge
        A judge of the column of these labels.
    lyrics, labels
        Generated lyrics and their requested labels, n each.
    seed
        Seed of the lengths to which real songs are cut.

    Returns
    -------
    dict
        ``column``; ``judge``: its recipe; ``labels``: the number of labels it chooses among; ``written`` and ``real``: n
        and accuracy of generated and held-out songs, with low and high of the 95% Wilson interval. Held-out songs are those
        with a requested label, cut to the same lengths and weighted to the same label distribution. ``guessing``: the
        accuracy of a uniform random choice; ``by_label``: n and accuracy of both, by label.

    Raises
    ------
    LyristError
        Nothing was written.
    """
    if not lyrics:
        raise LyristError("No lyrics were generated, so there is nothing to classify.")
    held = judge.held.filter(pl.col("label").is_in(sorted(set(labels)))) if len(judge.held) else judge.held
    real_labels = held["label"].to_list()
    real = judge.recognised(cut_alike(held["lyrics"].to_list(), lyrics, seed=seed), real_labels) if real_labels else []
    written = judge.recognised(lyrics, labels)
    by_label = {
        label: {"written": _of(written, labels, label), "real": _of(real, real_labels, label)}
        for label in sorted(set(labels))
    }
    return {
        "column": judge.column,
        "judge": judge.recipe,
        "labels": len(judge.labels),
        "written": _share(written),
        "real": _mixed([(each["written"]["n"], each["real"]) for each in by_label.values()]),
        "guessing": 1 / len(judge.labels),
        "by_label": by_label,
    }


def _mixed(parts: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """Return the weighted accuracy over labels, with the interval of the effective sample size.

    Parameters
    ----------
    parts
        The weight of each label, and its n and accuracy; labels without a song are skipped.
    """
    present = [(weight, part["n"], part["accuracy"]["value"]) for weight, part in parts if part["n"]]
    if not present:
        return _share([])
    weights, counts, values = (np.array(column, dtype=np.float64) for column in zip(*present, strict=True))
    weights /= weights.sum()
    value = float(weights @ values)
    effective = max(1, round(1 / float((weights**2 / counts).sum())))  # Kish's effective size
    low, high = wilson(min(effective, round(value * effective)), effective)
    accuracy = {"value": value, "low": min(low, value), "high": max(high, value)}
    return {"n": int(counts.sum()), "accuracy": accuracy}


def _share(right: Sequence[bool]) -> dict[str, Any]:
    n, hits = len(right), sum(right)
    low, high = wilson(hits, n)
    return {"n": n, "accuracy": {"value": hits / n if n else None, "low": low, "high": high}}


def _of(right: Sequence[bool], labels: Sequence[str], label: str) -> dict[str, Any]:
    return _share([hit for hit, own in zip(right, labels, strict=True) if own == label])


def _limited(songs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return at most `TRAINING` songs: frequent labels are reduced to a common limit, rare ones keep all their songs."""
    if len(songs) <= TRAINING:
        return songs
    sizes = np.sort(songs["label"].value_counts()["count"].to_numpy())
    limit = next(
        most for most in range(int(sizes[-1]), 0, -1) if np.minimum(sizes, most).sum() <= max(TRAINING, len(sizes))
    )
    order = songs.sample(fraction=1, shuffle=True, seed=seed)
    return order.filter(pl.int_range(pl.len()).over("label") < limit)


def _labelled(corpus: Corpus, split: str, column: str) -> pl.DataFrame:
    """Return lyrics and label of the songs that have both."""
    frame = corpus.songs(split, ["lyrics", column]).drop_nulls()
    return frame.select("lyrics", label=pl.col(column).cast(pl.String))


def _inputs(lyrics: list[str]) -> Any:
    return as_input(lyrics, [""] * len(lyrics))
