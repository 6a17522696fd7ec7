"""Estimates of the memory that fitting a recipe takes.

The estimate is conservative: measured peaks were between a quarter and 85% of it, and less for songs with few words. N-grams grow
with the number and the length of songs, weights with classes times features, the Gram matrix with the square of the number of
songs (if it is used, see `least_squares_svm.by_gram`), a network with its vocabulary and the longest batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lyrist.models import registry

CHARACTERS = 1_300
"""Default for the mean length of a song in characters."""

_BASE = 40 << 20  # tables of hash buckets, and what Python itself allocates
_SYMBOL = 64  # bytes of one character while its block is searched for n-grams
_ENTRY = 32  # bytes of one n-gram of one song: counted, kept, weighed and copied once
_LIBLINEAR = 36  # ... and its copy in liblinear
_GRAM = 2.2  # the Gram matrix, and the products that are added to it
_DENSE = 8_000  # bytes of the most frequent n-grams of one song as a dense block
_NETWORK = 150 << 20  # what the training loop itself allocates
_WEIGHT = 20  # bytes of a weight: itself, its gradient, two moments and their average
_STATES = 24  # numbers kept for the gradient of each unit at each time step
_LABELLED = 500  # bytes of a song whose lyrics are on disk: its id, artist, label and split, and its probabilities
_BATCH = 16  # default batch size, as in the schedule


@dataclass(frozen=True)
class _Size:
    """The properties of a recipe that determine its memory."""

    lengths: int = 0
    """Number of lengths of character n-grams."""
    words: bool = False
    machines: bool = False
    """Whether a support vector machine is fitted."""
    weights: int = 0
    """Number of matrices of features by classes in memory at once."""
    layout: bool = False
    streamed: bool = False
    """Whether songs are read block by block, so that the memory does not grow with their number."""


_SIZES = {
    "majority": _Size(),
    "artist-lookup": _Size(),
    "label-mention": _Size(),
    "layout": _Size(machines=True, weights=1, layout=True),
    "tfidf-logistic": _Size(words=True, weights=4),
    "nb-svm": _Size(lengths=3, words=True, machines=True, weights=2),
    "char-svm": _Size(lengths=3, machines=True, weights=2),
    "complement-nb": _Size(words=True, weights=7),
    "streamed-logistic": _Size(words=True, weights=2, streamed=True),
    "decision-tree": _Size(words=True),
    "bag-of-embeddings": _Size(words=True),
    "ensemble": _Size(lengths=3, words=True, machines=True, weights=3, layout=True),
}


def memory_estimate(
    recipe: str,
    n_songs: int,
    n_classes: int,
    options: Mapping[str, Any] | None = None,
    characters: int = CHARACTERS,
) -> int | None:
    """Return the estimated peak memory of a fit in bytes; None if there is no estimate.

    There is no estimate for pretrained networks and for recipes of other packages.

    Parameters
    ----------
    recipe
        The name of a classification recipe.
    n_songs, n_classes
        The size of the training set.
    options
        Options of the recipe and of the training loop, as for the fit.
    characters
        The mean length of a song.

    Raises
    ------
    UsageError
        There is no such recipe, or the value of an option is invalid.
    """
    found, given = registry.get(recipe), dict(options or {})
    known = {each.name for each in found.parameters}
    own = {name: value for name, value in given.items() if name.replace("-", "_") in known}
    settings = registry.configure(found.options, own, recipe)
    if found.family == "neural":
        batch = given.get("batch_size") or getattr(settings, "schedule", {}).get("batch_size", _BATCH)
        return _network(settings, n_songs, n_classes, characters, int(batch))
    return _estimator(_SIZES[recipe], settings, n_songs, n_classes, characters) if recipe in _SIZES else None


def _estimator(size: _Size, settings: Any, n_songs: int, n_classes: int, characters: int) -> int:
    # here: reports and comparisons import this module and need no scikit-learn
    from lyrist.models.features import BLOCK
    from lyrist.models.layoutkernel import LANDMARKS
    from lyrist.models.least_squares_svm import by_gram
    from lyrist.models.streamed import SAMPLE

    if size.streamed:
        labels, n_songs = _LABELLED * n_songs, min(n_songs, SAMPLE)
        return labels + _estimator(dataclasses.replace(size, streamed=False), settings, n_songs, n_classes, characters)
    columns, entries = _ngrams(size, n_songs, characters, getattr(settings, "max_features", 200_000))
    total = _BASE + 4 * n_songs * characters + _ENTRY * entries + 4 * columns * n_classes * size.weights
    if entries:
        total += _SYMBOL * min(n_songs, BLOCK) * characters
    if size.layout:
        total += 3 * 4 * n_songs * min(n_songs, LANDMARKS) * 2
    if size.machines and by_gram(n_songs, n_classes):
        total += int(4 * n_songs * n_songs * _GRAM) + n_songs * _DENSE
    elif size.machines:
        total += _LIBLINEAR * entries
    if hasattr(settings, "size"):  # vectors, their first values and the moments of Adam
        total += 4 * columns * settings.size * 4
    return int(total)


def _ngrams(size: _Size, n_songs: int, characters: int, most: int) -> tuple[int, int]:
    """Return the number of features and of entries: vocabularies grow with the square root of the text (Heaps' law)."""
    root = (n_songs * characters / CHARACTERS) ** 0.5
    columns = min(most, int(2_700 * root)) * (size.lengths > 0) + min(most, int(1_200 * root)) * size.words
    entries = n_songs * characters * (0.45 * size.lengths + 0.2 * size.words)
    return columns, int(entries)


def _network(settings: Any, n_songs: int, n_classes: int, characters: int, batch: int) -> int | None:
    """Return the estimate for a network trained from scratch: its weights, and the states of the longest batch."""
    if not hasattr(settings, "max_words"):
        return None
    vocabulary = min(settings.max_words, int(600 * (n_songs * characters / CHARACTERS) ** 0.5) + 2)
    width = settings.embedding_size or 128
    units = getattr(settings, "channels", 0) * len(getattr(settings, "kernels", "1"))
    units += getattr(settings, "hidden", 0) * (1 + getattr(settings, "bidirectional", False))
    layers = getattr(settings, "layers", 1)
    weights = vocabulary * width + layers * units * 4 * (width + units) + 2 * units * n_classes
    states = batch * min(settings.max_length, characters // 3) * (4 * width + _STATES * layers * units)
    return int(_NETWORK + _WEIGHT * weights + 4 * states + 4 * n_songs * characters)
