"""Scores of a classifier that predicts several labels a song, and thresholds by label.

A label is predicted where its probability reaches its threshold. The thresholds are chosen on validation songs. Intervals are by
bootstrap; songs of one cluster of near-copies are drawn together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lyrist.metrics.classification import FLOOR, checked, mean_loss
from lyrist.metrics.intervals import SAMPLES, compared

FEW = 5
"""A label of fewer validation songs gets the threshold that is best for all labels together."""

_CELLS = 200_000_000  # songs times labels times samples for the interval of the average precision

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def indicators(truth: Sequence[Sequence[str]], labels: Sequence[str]) -> Bools:
    """Return which labels each song has, shape (n, k); labels that are not among ``labels`` are left out."""
    place = {label: number for number, label in enumerate(labels)}
    found = np.zeros((len(truth), len(labels)), dtype=bool)
    for row, own in enumerate(truth):
        for label in own:
            if label in place:
                found[row, place[label]] = True
    return found


def thresholds(truth: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Return the probability from which each label is predicted: the one with the best F1 on these songs, shape (k,).

    Parameters
    ----------
    truth
        0 or 1 for each label of n songs, shape (n, k).
    probabilities
        The predicted probabilities, shape (n, k).
    """
    Y, P = np.asarray(truth, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    together = _best_threshold(Y.ravel(), P.ravel())
    return np.array(
        [_best_threshold(Y[:, c], P[:, c]) if Y[:, c].sum() >= FEW else together for c in range(Y.shape[1])],
        dtype=np.float64,
    )


def _best_threshold(y: Bools, p: Floats) -> float:
    """Return the threshold with the best F1, half way to the next probability below it; 0.5 without a song of the label."""
    if not y.any():
        return 0.5
    order = np.argsort(-p, kind="stable")
    ranked, hits = p[order], np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, len(y) + 1) + y.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal probabilities are predicted together
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def score(
    truth: Sequence[Sequence[str]],
    probabilities: ArrayLike,
    classes: Sequence[str],
    limits: ArrayLike,
    groups: ArrayLike | None = None,
) -> dict[str, Any]:
    """Return all scores on n songs.

    Parameters
    ----------
    truth
        The labels of each song.
    probabilities
        The predicted probability of each label, shape (n, k).
    classes
        The k labels, in the order of the columns.
    limits
        The threshold of each label, shape (k,).
    groups
        The cluster of near-copies of each song; None: each song is its own.

    Returns
    -------
    dict
        ``kind`` (multi), ``n``; ``micro_f1``, ``macro_f1`` (over the labels that occur in the truth or the predictions),
        ``average_precision`` (mean over the labels that occur) and ``subset_accuracy`` (all labels right): value, low and
        high; ``loss``: the sum over labels of the cross-entropy in nats, ``loss_se`` its standard error; ``labels_a_song``:
        ``true`` and ``predicted``; ``by_class``: n, precision, recall, F1, average precision and threshold of each label;
        ``unseen_labels``: labels that the model does not know, which count as missed.

    Raises
    ------
    LyristError
        There is no song, or the shapes do not match.
    """
    P, Y, labels = with_unknown(truth, probabilities, classes)
    limits = np.append(np.asarray(limits, dtype=np.float64), np.full(len(labels) - len(classes), np.inf))
    predicted = limits <= P
    nats, precision = losses(truth, probabilities, classes), average_precisions(Y, P)
    drawn = weights(len(Y), groups)
    right, hits, totals = (predicted == Y).all(axis=1), Y & predicted, Y.astype(np.float32) + predicted
    every, found = f1s(hits.sum(axis=0)[None], totals.sum(axis=0)[None]), f1s(drawn @ hits, drawn @ totals)
    occur, hit, guesses = np.asarray(Y.any(axis=0)), hits.sum(axis=0), predicted.sum(axis=0)
    return {
        "kind": "multi",
        "n": len(Y),
        **{key: _with_interval(every[key][0], found[key]) for key in every},
        "average_precision": _with_interval(precision[occur].mean(), _resampled_precision(Y, P, drawn)),
        "subset_accuracy": _with_interval(right.mean(), drawn @ right / drawn.sum(axis=1)),
        **mean_loss(nats),
        "labels_a_song": {"true": float(Y.sum(axis=1).mean()), "predicted": float(predicted.sum(axis=1).mean())},
        "by_class": {
            label: {
                "n": int(Y[:, c].sum()),
                "precision": float(hit[c] / max(guesses[c], 1)),
                "recall": float(hit[c] / max(Y[:, c].sum(), 1)),
                "f1": float(2 * hit[c] / max(totals[:, c].sum(), 1)),
                "average_precision": float(precision[c]) if occur[c] else None,
                "threshold": float(limits[c]) if c < len(classes) else None,
            }
            for c, label in enumerate(labels)
        },
        "unseen_labels": labels[len(classes) :],
    }


def losses(truth: Sequence[Sequence[str]], probabilities: ArrayLike, classes: Sequence[str]) -> Floats:
    """Return each song's cross-entropy in nats, summed over labels, shape (n,)."""
    P, Y, _ = with_unknown(truth, probabilities, classes)
    clipped = np.clip(P, FLOOR, 1 - FLOOR)
    return np.asarray(-np.where(Y, np.log(clipped), np.log1p(-clipped)).sum(axis=1), dtype=np.float64)


def average_precisions(Y: Bools, P: Floats) -> Floats:
    """Return the average precision of each label, shape (k,): the mean precision at the songs of the label; 0 without any."""
    return np.array([_precision(*_ranking(Y[:, c], P[:, c]))[0] for c in range(Y.shape[1])], dtype=np.float64)


def _ranking(y: Bools, p: Floats) -> tuple[NDArray[np.int64], Bools, Bools]:
    """Return the order of the songs by probability, their truth in it, and where a run of equal probabilities ends."""
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    return order, y[order], np.append(ranked[:-1] != ranked[1:], True)


def _precision(order: NDArray[np.int64], y: Bools, ends: Bools, weight: NDArray[Any] | None = None) -> Floats:
    """Return the average precision under each of several weightings of the songs, shape (samples,)."""
    w = np.ones((1, len(order))) if weight is None else np.atleast_2d(weight)[:, order]
    seen, hits = np.cumsum(w, axis=1)[:, ends], np.cumsum(w * y, axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    total = hits[:, -1]
    found = (gained * hits / np.maximum(seen, 1e-12)).sum(axis=1) / np.maximum(total, 1e-12)
    return np.asarray(found, dtype=np.float64)


def _resampled_precision(Y: Bools, P: Floats, drawn: Floats) -> Floats:
    """Return the mean average precision of each resample over the labels that it has; large data have fewer resamples."""
    used = drawn[: max(50, min(len(drawn), _CELLS // Y.size))]
    total, labels = np.zeros(len(used)), np.zeros(len(used))
    for c in np.flatnonzero(Y.any(axis=0)):
        order, y, ends = _ranking(Y[:, c], P[:, c])
        step = max(1, 8_000_000 // len(Y))
        found = np.concatenate(
            [_precision(order, y, ends, used[start : start + step]) for start in range(0, len(used), step)]
        )
        there = used @ Y[:, c] > 0
        total += np.where(there, found, 0)
        labels += there
    return np.asarray(total / np.maximum(labels, 1), dtype=np.float64)


def weights(n: int, groups: ArrayLike | None = None, samples: int = SAMPLES, seed: int = 0) -> Floats:
    """Return how often each of n songs is in each bootstrap sample, shape (samples, n); songs of one group together."""
    place = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    m, rng = int(place.max()) + 1, np.random.default_rng(seed)
    samples = max(100, min(samples, _CELLS // max(n, 1)))
    drawn = np.stack([np.bincount(rng.integers(0, m, m), minlength=m) for _ in range(samples)])
    return np.asarray(drawn[:, place], dtype=np.float32)


def f1s(hits: NDArray[Any], totals: NDArray[Any]) -> dict[str, Floats]:
    """Return micro and macro F1 from sums over songs, shape (samples, k).

    Parameters
    ----------
    hits
        Right predictions of each label.
    totals
        Songs with each label, plus predictions of it.
    """
    occur = totals > 0
    each = np.where(occur, 2 * hits / np.where(occur, totals, 1), 0)
    return {
        "micro_f1": np.asarray(2 * hits.sum(axis=1) / np.maximum(totals.sum(axis=1), 1), dtype=np.float64),
        "macro_f1": np.asarray(each.sum(axis=1) / np.maximum(occur.sum(axis=1), 1), dtype=np.float64),
    }


def paired(
    truth: Sequence[Sequence[str]], first: Bools, second: Bools, classes: Sequence[str], groups: ArrayLike | None = None
) -> dict[str, dict[str, float]]:
    """Compare micro and macro F1 of two models on the same songs by a bootstrap.

    Parameters
    ----------
    truth
        The labels of each song.
    first, second
        What each model predicts, shape (n, k).
    classes
        The k labels.
    groups
        The cluster of each song.

    Returns
    -------
    dict
        For ``micro_f1`` and ``macro_f1``: as `lyrist.metrics.intervals.paired_bootstrap_loss`.
    """
    labels = [*classes, *sorted({label for own in truth for label in own} - set(classes))]
    Y = indicators(truth, labels)
    wide = [np.pad(one, ((0, 0), (0, len(labels) - len(classes)))) for one in (first, second)]
    drawn, found = weights(len(Y), groups), []
    for one in wide:
        hits, totals = (Y & one).astype(np.float32), Y.astype(np.float32) + one
        observed = f1s(hits.sum(axis=0)[None], totals.sum(axis=0)[None])
        found.append((observed, f1s(drawn @ hits, drawn @ totals)))
    (a, of_a), (b, of_b) = found
    return {key: compared(float(a[key][0] - b[key][0]), of_a[key] - of_b[key], 0.95) for key in a}


def constant(train: Sequence[Sequence[str]]) -> tuple[list[str], Floats, list[str]]:
    """Return the labels of training songs, their frequencies, and the same labels for every song with the best micro F1."""
    labels, counts = np.unique([label for own in train for label in own], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    f1 = 2 * np.cumsum(counts[order]) / (counts.sum() + np.arange(1, len(counts) + 1) * len(train))
    best = labels[order[: int(f1.argmax()) + 1]].tolist()
    return labels.tolist(), np.asarray(counts / len(train), dtype=np.float64), best


def with_unknown(
    truth: Sequence[Sequence[str]], probabilities: ArrayLike, classes: Sequence[str]
) -> tuple[Floats, Bools, list[str]]:
    """Return probabilities and truth with a column for each label, also for those that the model does not know."""
    P = checked(probabilities, len(truth), len(classes))
    labels = [*map(str, classes), *sorted({label for own in truth for label in own} - set(map(str, classes)))]
    return np.pad(P, ((0, 0), (0, len(labels) - len(classes)))), indicators(truth, labels), labels


def _with_interval(value: Any, drawn: NDArray[Any]) -> dict[str, float]:
    """Return a figure with its interval, shifted by the bias of the resamples: some of them have no song of a rare label."""
    low, high = np.clip(np.quantile(drawn, [0.025, 0.975]) + float(value) - float(np.median(drawn)), 0, 1)
    return {"value": float(value), "low": float(low), "high": float(high)}
