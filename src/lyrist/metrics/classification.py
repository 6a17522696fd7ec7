"""How good a classifier is on songs that it has not seen: figures that can go into JSON and on a page as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lyrist.errors import LyristError
from lyrist.metrics.intervals import bootstrap_macro_f1, macro_f1, wilson

FLOOR = 1e-7
"""The least probability that a loss is taken of, 16.1 nats: what a float32 can tell from 0 beside 1. A label that
training lacked has no probability and gets this one, from every model alike."""

BINS = 10


@dataclass(frozen=True)
class _Judged:
    """Truth and answers as numbers: classes of the model first, then labels that it does not know."""

    labels: list[str]
    truth: NDArray[np.int64]
    answer: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    known: int


def score(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Return every figure of a classifier on n songs.

    Parameters
    ----------
    y_true
        The labels of n songs.
    probabilities
        The model's probabilities, shape (n, k), rows sum to 1.
    classes
        Its k labels, in the order of the columns.

    Returns
    -------
    dict
        ``n``; ``accuracy``: value, and low and high of the 95% interval by Wilson; ``macro_f1`` (over the classes that
        occur in truth or answers) and ``macro_f1_interval`` by bootstrap; ``loss``: mean cross-entropy in nats;
        ``top3``: the share of songs whose label is among the three likeliest; ``calibration`` as `calibration_of`;
        ``by_class``: n, precision, recall and F1 of each label; ``unseen_labels``: labels of songs that the model does
        not know, which count as wrong. Plain numbers only.

    Raises
    ------
    LyristError
        There is no song, or the shapes do not fit.
    """
    judged = _judge(y_true, probabilities, classes)
    n, right = len(judged.truth), judged.truth == judged.answer
    matrix = _matrix(judged)
    low, high = wilson(int(right.sum()), n)
    f1_low, f1_high = bootstrap_macro_f1(matrix)
    return {
        "n": n,
        "accuracy": {"value": float(right.mean()), "low": low, "high": high},
        "macro_f1": float(macro_f1(matrix)),
        "macro_f1_interval": {"low": f1_low, "high": f1_high},
        "loss": float(_losses(judged).mean()),
        "top3": _top(judged, 3),
        "calibration": _calibration(judged),
        "by_class": _by_class(matrix, judged.labels),
        "unseen_labels": judged.labels[judged.known :],
    }


def losses(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return each song's cross-entropy in nats, shape (n,); at most ``-log(FLOOR)``."""
    return _losses(_judge(y_true, probabilities, classes))


def top_k(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str], k: int) -> float:
    """Return the share of songs whose label is among the ``k`` likeliest."""
    return _top(_judge(y_true, probabilities, classes), k)


def calibration_of(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Return how well the model knows how sure it may be.

    Returns
    -------
    dict
        ``ece``: the expected calibration error (Naeini et al. 2015), the mean distance between how sure the model is
        of its answer and how often it is right, over ten equal bins of sureness; ``bins``: low, high, n, the mean
        ``confidence`` and the ``accuracy`` of each bin that holds a song.
    """
    return _calibration(_judge(y_true, probabilities, classes))


def confusion(y_true: Sequence[str], y_pred: Sequence[str], classes: Sequence[str]) -> list[list[int]]:
    """Return the number of songs by truth (rows) and answer (columns), in the order of ``classes``.

    Raises
    ------
    LyristError
        A label is not among ``classes``.
    """
    place = {label: number for number, label in enumerate(classes)}
    strange = sorted({*y_true, *y_pred} - set(place))
    if strange:
        raise LyristError(f"The label '{strange[0]}' is not among the {len(place)} classes of the confusion matrix.")
    matrix = np.zeros((len(place), len(place)), dtype=np.int64)
    np.add.at(matrix, ([place[t] for t in y_true], [place[p] for p in y_pred]), 1)
    found: list[list[int]] = matrix.tolist()
    return found


def by_group(y_true: Sequence[str], y_pred: Sequence[str], groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return n and accuracy (value, low, high) for each group of songs, such as each artist, the largest first."""
    counted: dict[str, list[int]] = {}
    for truth, answer, group in zip(y_true, y_pred, groups, strict=True):
        tally = counted.setdefault(str(group), [0, 0])
        tally[0] += truth == answer
        tally[1] += 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1][1], item[0]))
    return {
        group: {"n": n, "accuracy": dict(zip(("value", "low", "high"), (right / n, *wilson(right, n)), strict=True))}
        for group, (right, n) in ordered
    }


def hardest(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str], top: int = 10) -> list[int]:
    """Return the places of the songs with the highest loss among those that the model got wrong."""
    judged = _judge(y_true, probabilities, classes)
    order = np.argsort(-_losses(judged), kind="stable")
    return [int(i) for i in order if judged.truth[i] != judged.answer[i]][:top]


def most_telling(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str], top: int = 10) -> list[int]:
    """Return the places of the songs that the model was surest of among those that it got right."""
    judged = _judge(y_true, probabilities, classes)
    order = np.argsort(_losses(judged), kind="stable")
    return [int(i) for i in order if judged.truth[i] == judged.answer[i]][:top]


def _judge(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> _Judged:
    P = np.asarray(probabilities, dtype=np.float64)
    known = [str(label) for label in classes]
    truth = [str(label) for label in y_true]
    if not truth:
        raise LyristError("There is no song to score.")
    if P.shape != (len(truth), len(known)):
        raise LyristError(
            f"The probabilities of {len(truth)} songs for {len(known)} classes have the shape {P.shape}; "
            "they come from another model or other songs."
        )
    if not np.isfinite(P).all():
        raise LyristError("A probability is not a number: the model's training went astray; train it again.")
    labels = [*known, *sorted(set(truth) - set(known))]
    place = {label: number for number, label in enumerate(labels)}
    return _Judged(labels, np.array([place[label] for label in truth]), P.argmax(axis=1), P, len(known))


def _matrix(judged: _Judged) -> NDArray[np.int64]:
    k = len(judged.labels)
    return np.bincount(judged.truth * k + judged.answer, minlength=k * k).reshape(k, k)


def _losses(judged: _Judged) -> NDArray[np.float64]:
    seen = judged.truth < judged.known
    found = np.full(len(judged.truth), FLOOR)
    found[seen] = judged.probabilities[np.flatnonzero(seen), judged.truth[seen]]
    return np.asarray(-np.log(np.clip(found, FLOOR, 1)), dtype=np.float64)


def _top(judged: _Judged, k: int) -> float:
    likeliest = np.argsort(-judged.probabilities, axis=1, kind="stable")[:, :k]
    return float((likeliest == judged.truth[:, None]).any(axis=1).mean())


def _calibration(judged: _Judged) -> dict[str, Any]:
    sure = judged.probabilities.max(axis=1)
    right = judged.truth == judged.answer
    which = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        here = which == number
        n = int(here.sum())
        if n:
            confidence, accuracy = float(sure[here].mean()), float(right[here].mean())
            bins.append(
                {
                    "low": number / BINS,
                    "high": (number + 1) / BINS,
                    "n": n,
                    "confidence": confidence,
                    "accuracy": accuracy,
                }
            )
            error += n / len(sure) * abs(confidence - accuracy)
    return {"ece": error, "bins": bins}


def _by_class(matrix: NDArray[np.int64], labels: list[str]) -> dict[str, dict[str, Any]]:
    hits, songs, answers = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        label: {
            "n": int(songs[c]),
            "precision": float(hits[c] / max(answers[c], 1)),
            "recall": float(hits[c] / max(songs[c], 1)),
            "f1": float(2 * hits[c] / max(songs[c] + answers[c], 1)),
        }
        for c, label in enumerate(labels)
    }


def constant_accuracy(label: str, truth: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy of always predicting one label: ``label``, ``n`` and ``accuracy`` with a Wilson interval."""
    right = sum(each == label for each in truth)
    low, high = wilson(right, len(truth))
    return {"label": label, "n": len(truth), "accuracy": {"value": right / len(truth), "low": low, "high": high}}
