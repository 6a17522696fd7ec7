"""Scores of models that read images: top-1 and top-5 accuracy of classifiers, reconstruction error of autoencoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError
from lyrist.metrics.classification import score, top_k
from lyrist.metrics.intervals import mean_of, proportion


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


def describe(scores: Mapping[str, Any]) -> str:
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
