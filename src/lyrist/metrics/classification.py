"""Scores of a classifier: accuracy, macro F1, cross-entropy, calibration and figures by class, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lyrist.errors import LyristError
from lyrist.metrics.intervals import bootstrap_macro_f1, macro_f1, mean_of, proportion

FLOOR = 1e-7
"""Smallest probability in a loss (16.1 nats), about the resolution of a float32 near 1. A label that does not occur in
training has no predicted probability and gets this one, for every model."""

BINS = 10


@dataclass(frozen=True)
class _Predictions:
    """Truth and predictions as class numbers: the classes of the model first, then labels that it does not know."""

    labels: list[str]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    known: int


def score(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Return all scores of a classifier on n songs.

    Parameters
    ----------
    y_true
        The labels of n songs.
    probabilities
        The predicted probabilities, shape (n, k); each row sums to 1.
    classes
        The k labels, in the order of the columns.

    Returns
    -------
    dict
        ``n``; ``accuracy``: value, and low and high of the 95% Wilson interval; ``macro_f1`` (over the classes that occur
        in the truth or the predictions) and ``macro_f1_interval`` by bootstrap; ``loss``: mean cross-entropy in nats, and
        ``loss_se`` its standard error;
        ``top3``: top-3 accuracy; ``calibration`` as `calibration_of`; ``by_class``: n, precision, recall and F1 of each
        label; ``unseen_labels``: labels of songs that the model does not know, which count as wrong. Plain numbers only.

    Raises
    ------
    LyristError
        There is no song, or the shapes do not match.
    """
    encoded = _encode(y_true, probabilities, classes)
    n, right = len(encoded.truth), encoded.truth == encoded.predicted
    matrix, nats = _matrix(encoded), _losses(encoded)
    f1_low, f1_high = bootstrap_macro_f1(matrix)
    return {
        "n": n,
        "accuracy": proportion(int(right.sum()), n),
        "macro_f1": float(macro_f1(matrix)),
        "macro_f1_interval": {"low": f1_low, "high": f1_high},
        **mean_loss(nats),
        "top3": _top(encoded, 3),
        "calibration": _calibration(encoded),
        "by_class": _by_class(matrix, encoded.labels),
        "unseen_labels": encoded.labels[encoded.known :],
    }


def losses(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return each song's cross-entropy in nats, shape (n,); at most ``-log(FLOOR)``."""
    return _losses(_encode(y_true, probabilities, classes))


def top_k(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str], k: int) -> float:
    """Return the top-k accuracy: the share of songs whose label is among the ``k`` most probable."""
    return _top(_encode(y_true, probabilities, classes), k)


def calibration_of(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Return how well the predicted probabilities agree with the observed accuracy.

    Returns
    -------
    dict
        ``ece``: the expected calibration error (Naeini et al. 2015), the mean absolute difference between confidence (the
        largest probability) and accuracy over ten equal bins of confidence; ``bins``: low, high, n, the mean
        ``confidence`` and the ``accuracy`` of each bin that is not empty.
    """
    return _calibration(_encode(y_true, probabilities, classes))


def confusion(y_true: Sequence[str], y_pred: Sequence[str], classes: Sequence[str]) -> list[list[int]]:
    """Return the confusion matrix: songs by true (rows) and predicted label (columns), in the order of ``classes``.

    Raises
    ------
    LyristError
        A label is not among ``classes``.
    """
    place = {label: number for number, label in enumerate(classes)}
    unknown = sorted({*y_true, *y_pred} - set(place))
    if unknown:
        raise LyristError(f"The label '{unknown[0]}' is not among the {len(place)} classes of the confusion matrix.")
    matrix = np.zeros((len(place), len(place)), dtype=np.int64)
    np.add.at(matrix, ([place[t] for t in y_true], [place[p] for p in y_pred]), 1)
    found: list[list[int]] = matrix.tolist()
    return found


def by_group(y_true: Sequence[str], y_pred: Sequence[str], groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return n and accuracy (value, low, high) for each group of songs, such as each artist; largest groups first."""
    counted: dict[str, list[int]] = {}
    for truth, predicted, group in zip(y_true, y_pred, groups, strict=True):
        tally = counted.setdefault(str(group), [0, 0])
        tally[0] += truth == predicted
        tally[1] += 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1][1], item[0]))
    return {group: {"n": n, "accuracy": proportion(right, n)} for group, (right, n) in ordered}


def checked(probabilities: ArrayLike, n: int, k: int) -> NDArray[np.float64]:
    """Return the probabilities of n songs for k classes.

    Raises
    ------
    LyristError
        There is no song, the shape is another one, or a probability is not a number.
    """
    P = np.asarray(probabilities, dtype=np.float64)
    if not n:
        raise LyristError("There is no song to score.")
    if P.shape != (n, k):
        raise LyristError(
            f"The probabilities of {n} songs for {k} classes have the shape {P.shape}; "
            "they are from another model or other songs."
        )
    if not np.isfinite(P).all():
        raise LyristError(
            "A predicted probability is not a number: the training of this model diverged; train it again."
        )
    return P


def mean_loss(nats: NDArray[np.float64]) -> dict[str, float]:
    """Return ``loss``, the mean over songs, and ``loss_se``, its standard error (0 for one song)."""
    error = float(nats.std(ddof=1) / len(nats) ** 0.5) if len(nats) > 1 else 0.0
    return {"loss": float(nats.mean()), "loss_se": error}


def _encode(y_true: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]) -> _Predictions:
    known, truth = [str(label) for label in classes], [str(label) for label in y_true]
    P = checked(probabilities, len(truth), len(known))
    labels = [*known, *sorted(set(truth) - set(known))]
    place = {label: number for number, label in enumerate(labels)}
    return _Predictions(labels, np.array([place[label] for label in truth]), P.argmax(axis=1), P, len(known))


def _matrix(encoded: _Predictions) -> NDArray[np.int64]:
    k = len(encoded.labels)
    return np.bincount(encoded.truth * k + encoded.predicted, minlength=k * k).reshape(k, k)


def _losses(encoded: _Predictions) -> NDArray[np.float64]:
    seen = encoded.truth < encoded.known
    found = np.full(len(encoded.truth), FLOOR)
    found[seen] = encoded.probabilities[np.flatnonzero(seen), encoded.truth[seen]]
    return np.asarray(-np.log(np.clip(found, FLOOR, 1)), dtype=np.float64)


def _top(encoded: _Predictions, k: int) -> float:
    top = np.argsort(-encoded.probabilities, axis=1, kind="stable")[:, :k]
    return float((top == encoded.truth[:, None]).any(axis=1).mean())


def _calibration(encoded: _Predictions) -> dict[str, Any]:
    confidences = encoded.probabilities.max(axis=1)
    right = encoded.truth == encoded.predicted
    which = np.clip(np.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        here = which == number
        n = int(here.sum())
        if n:
            confidence, accuracy = float(confidences[here].mean()), float(right[here].mean())
            bins.append(
                {
                    "low": number / BINS,
                    "high": (number + 1) / BINS,
                    "n": n,
                    "confidence": confidence,
                    "accuracy": accuracy,
                }
            )
            error += n / len(confidences) * abs(confidence - accuracy)
    return {"ece": error, "bins": bins}


def _by_class(matrix: NDArray[np.int64], labels: list[str]) -> dict[str, dict[str, Any]]:
    hits, songs, predictions = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        label: {
            "n": int(songs[c]),
            "precision": float(hits[c] / max(predictions[c], 1)),
            "recall": float(hits[c] / max(songs[c], 1)),
            "f1": float(2 * hits[c] / max(songs[c] + predictions[c], 1)),
        }
        for c, label in enumerate(labels)
    }


def constant_accuracy(label: str, truth: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy of always predicting one label: ``label``, ``n`` and ``accuracy`` with a Wilson interval."""
    right = sum(each == label for each in truth)
    return {"label": label, "n": len(truth), "accuracy": proportion(right, len(truth))}


def score_pictures(truth: Sequence[str], probabilities: NDArray[Any], classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of an image classifier.

    Parameters
    ----------
    truth
        Labels of n images.
    probabilities
        Shape (n, k); each row sums to 1.
    classes
        The k labels, in the order of the columns.

    Returns
    -------
    dict
        The keys of `lyrist.metrics.classification.score`, and ``top5``: ``value``, ``low`` and ``high`` of the 95% Wilson
        interval.

    Raises
    ------
    LyristError
        There is no image, or the shapes do not match.
    """
    found = score(truth, probabilities, classes)
    share = top_k(truth, probabilities, classes, 5)
    return {**found, "top5": proportion(round(share * len(truth)), len(truth))}


def score_reconstructions(images: NDArray[np.uint8], reconstructed: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the reconstruction error of an autoencoder.

    Parameters
    ----------
    images, reconstructed
        Pixel values 0 to 255, the same shape (n, ...).

    Returns
    -------
    dict
        ``n``; ``mse``: mean squared error of pixel values scaled to 0..1, ``value``, and ``low`` and ``high`` of its 95%
        bootstrap interval over images; ``psnr``: peak signal-to-noise ratio in decibels, ``-10 log10(mse)``;
        ``mean_mse``: the baseline error when every image is predicted as the mean image.

    Raises
    ------
    LyristError
        There is no image.
    """
    if not len(images):
        raise LyristError("There is no image to score.")
    true, predicted = (x.reshape(len(x), -1).astype(np.float64) / 255 for x in (images, reconstructed))
    each = ((true - predicted) ** 2).mean(axis=1)
    error = mean_of(each)
    return {
        "n": len(images),
        "mse": error,
        "psnr": float(-10 * np.log10(max(error["value"], 1e-10))),
        "mean_mse": float(true.var(axis=0).mean()),
    }


def describe_pictures(scores: Mapping[str, Any]) -> str:
    """Return the scores of one split as one line of text."""
    if "mse" in scores:
        error = scores["mse"]
        return (
            f"mean squared error {error['value']:.4f} [{error['low']:.4f}, {error['high']:.4f}] (n = {scores['n']:,}), "
            f"{scores['psnr']:.1f} dB; baseline (the mean picture) {scores['mean_mse']:.4f}"
        )
    shares = [("top-1", scores["accuracy"])]
    if len(scores["by_class"]) > 5:  # with five classes or fewer, top-5 is always 1
        shares.append(("top-5", scores["top5"]))
    text = ", ".join(f"{name} {share['value']:.3f} [{share['low']:.3f}, {share['high']:.3f}]" for name, share in shares)
    return f"{text} (n = {scores['n']:,}), loss {scores['loss']:.3f}"
