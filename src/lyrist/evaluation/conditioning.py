"""Does it obey? Whether lyrics written for a genre or an artist are recognised as such, by a judge who knows real songs.

The judge is a classifier from the ladder, fitted to the real training songs. It errs on real songs too, the more so on
short ones; so its accuracy on what was written stands beside its accuracy on held-out songs of the same labels, cut to the
same lengths, and beside guessing. A writer that is recognised far more often than real songs are overdoes it.

What is unusual: the judge knows what was asked for. It chooses among those labels alone, and makes up for how rare the songs
of each are (by `EVENING`); else a judge of a table of pop would take everything for pop. And the accuracy on real
songs is weighted by what was written, so that both are of one mix of labels.
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
"""The recipe of the judge: a second or two for some thousand songs, and strong on artists and genres alike."""

TRAINING = 6_000
"""Real songs that the judge learns from at most, drawn at random: its cost grows with their square."""

EVENING = 0.5
"""The power of a label's share of the training songs that its probability is divided by. With 0 the commonest label is taken
too often; with 1 the rarest, since the judge's own probabilities favour rare labels already. See docs/log.md."""

OTHERS = 9
"""Where all was written for one label, so many others, the commonest, are those that it could be taken for."""


@dataclass(frozen=True)
class Judge:
    """A classifier that was fitted to real songs, and real songs that it has not seen."""

    column: str
    recipe: str
    labels: tuple[str, ...]
    """What it tells apart."""
    shares: NDArray[np.float64]
    """How often each label was among the songs that it learnt from."""
    model: Any
    held: pl.DataFrame
    """``lyrics`` and ``label`` of held-out songs."""

    @classmethod
    def fit(
        cls,
        corpus: Corpus,
        column: str,
        wanted: Sequence[str],
        *,
        split: str = "test",
        recipe: str = JUDGE,
        seed: int = 0,
    ) -> Judge:
        """Fit a judge to the training songs of a corpus.

        Parameters
        ----------
        corpus
            What the writer learnt from.
        column
            What the judge tells from the lyrics, such as genre.
        wanted
            The labels that were written for, any number of times each.
        split
            Where the held-out songs come from.
        recipe
            A recipe that classifies by the lyrics.
        seed
            Draws the songs that it learns from where there are more than `TRAINING`.

        Raises
        ------
        LyristError
            The corpus has no such column, no song with a wanted label, or but one label.
        """
        corpus.check_target(column)
        found = {part: _labelled(corpus, part, column) for part in ("train", split)}
        counts = Counter(found["train"]["label"].to_list())
        missing = sorted(set(wanted) - counts.keys())
        if missing:
            raise LyristError(
                f"No training song of {corpus.path} has the {column} '{missing[0]}' that was written for."
            )
        labels = set(wanted)
        if len(labels) == 1:
            labels |= {label for label, _ in counts.most_common(OTHERS + 1)}
        if len(labels) < 2:
            raise LyristError(f"All training songs have one {column}, so there is nothing to recognise.")
        train, held = (frame.filter(pl.col("label").is_in(sorted(labels))) for frame in found.values())
        train = _drawn(train, seed)
        model = make_estimator(recipe, {}, seed)
        with progress.task(f"fitting the judge of {column}") as advance:
            model.fit(_inputs(train["lyrics"].to_list()), train["label"].to_list())
            advance(len(train), len(train))
        known = [str(label) for label in model.classes_]
        learnt = Counter(train["label"].to_list())
        shares = np.array([learnt[label] / len(train) for label in known])
        return cls(column, recipe, tuple(known), shares, model, held)

    def recognised(self, lyrics: Sequence[str], labels: Sequence[str]) -> list[bool]:
        """Return of each text whether the judge gives it its own label."""
        if not lyrics:
            return []
        likely = np.asarray(self.model.predict_proba(_inputs(list(lyrics))), dtype=np.float64) / self.shares**EVENING
        return [self.labels[place] == label for place, label in zip(likely.argmax(axis=1), labels, strict=True)]


def obedience(judge: Judge, lyrics: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return how often what was written is recognised as what it was written for.

    Parameters
    ----------
    judge
        Of the column that the labels are of.
    lyrics, labels
        What was written, and for which genre or artist each; n of both.
    seed
        Draws the lengths to which real songs are cut.

    Returns
    -------
    dict
        ``column``, ``judge``, ``labels``: how many it tells apart; ``written`` and ``real``: n and accuracy with low and
        high of the 95% interval by Wilson, the real songs being held-out ones with the labels that were written for,
        cut to the same lengths and weighted to the same mix; ``guessing``: the accuracy of choosing any label that the
        judge knows; ``by_label``: n and accuracy of either, by label.

    Raises
    ------
    LyristError
        Nothing was written.
    """
    if not lyrics:
        raise LyristError("Nothing was written, so there is nothing to recognise.")
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
    """Return the accuracy of several labels in a mix, with the interval of as many songs as tell as much.

    Parameters
    ----------
    parts
        The weight of each label, and n and accuracy of it; labels without a song are left out.
    """
    some = [(weight, part["n"], part["accuracy"]["value"]) for weight, part in parts if part["n"]]
    if not some:
        return _share([])
    weights, counts, values = (np.array(column, dtype=np.float64) for column in zip(*some, strict=True))
    weights /= weights.sum()
    value = float(weights @ values)
    worth = max(1, round(1 / float((weights**2 / counts).sum())))  # Kish's effective size
    low, high = wilson(min(worth, round(value * worth)), worth)
    accuracy = {"value": value, "low": min(low, value), "high": max(high, value)}
    return {"n": int(counts.sum()), "accuracy": accuracy}


def _share(right: Sequence[bool]) -> dict[str, Any]:
    n, hits = len(right), sum(right)
    low, high = wilson(hits, n)
    return {"n": n, "accuracy": {"value": hits / n if n else None, "low": low, "high": high}}


def _of(right: Sequence[bool], labels: Sequence[str], label: str) -> dict[str, Any]:
    return _share([hit for hit, own in zip(right, labels, strict=True) if own == label])


def _drawn(songs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return at most `TRAINING` songs; of the commonest labels so many fewer that the rare ones keep all of theirs."""
    if len(songs) <= TRAINING:
        return songs
    sizes = np.sort(songs["label"].value_counts()["count"].to_numpy())
    limit = next(
        most for most in range(int(sizes[-1]), 0, -1) if np.minimum(sizes, most).sum() <= max(TRAINING, len(sizes))
    )
    order = songs.sample(fraction=1, shuffle=True, seed=seed)
    return order.filter(pl.int_range(pl.len()).over("label") < limit)


def _labelled(corpus: Corpus, split: str, column: str) -> pl.DataFrame:
    """Return lyrics and label of the songs that have one."""
    frame = corpus.songs(split, ["lyrics", column]).drop_nulls()
    return frame.select("lyrics", label=pl.col(column).cast(pl.String))


def _inputs(lyrics: list[str]) -> Any:
    return as_input(lyrics, [""] * len(lyrics))
