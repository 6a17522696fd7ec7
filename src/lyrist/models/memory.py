"""Estimates of the memory that a fit takes, made before it begins.

A recipe declares its estimate by a method ``memory(size)`` beside its options: of the estimator class, or of the dataclass
of a network's options. A recipe without one has no estimate, which the summary of a run says.

An estimate serves as a warning, so it errs upwards: measured peaks were between a quarter and 85% of it, and less where songs
have few words. N-grams grow with the songs and their length, weights with classes times features, the Gram matrix with the
square of the songs (as long as there is one, see `least_squares_svm.by_gram`), a network with its vocabulary and with the
longest batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lyrist.models import registry

CHARACTERS = 1_300
"""Characters of a song, as in the tables of songs that we know; `memory_estimate` takes another mean."""

CHARACTERS_A_TOKEN = 3.2
"""Of lyrics, with a vocabulary of some thousand pieces; with a larger vocabulary there are more."""

_BASE = 40 << 20  # tables of hash buckets, and what Python itself allocates
_SYMBOL = 64  # bytes of one character while its block is searched for n-grams
_ENTRY = 32  # bytes of one n-gram of one song: counted, kept, weighed and copied once
_LIBLINEAR = 36  # ... and its copy in liblinear
_GRAM = 2.2  # the Gram matrix, and the products that are added to it
_DENSE = 8_000  # bytes of one song's commonest n-grams as a dense block
_NETWORK = 150 << 20  # what the training loop itself allocates
_WEIGHT = 20  # bytes of a weight: itself, its gradient, two moments and their average
_STATES = 24  # numbers kept for the gradient of each unit at each time step
_BATCH = 16  # songs an update where nothing else is said, as in the schedule


@dataclass(frozen=True)
class DataSize:
    """The size of the data that a recipe is fitted to."""

    songs: int
    classes: int = 0
    """0 for a recipe that writes."""
    characters: int = CHARACTERS
    """The mean length of a song."""
    batch_size: int = _BATCH
    """Songs an update of a network."""

    @property
    def tokens(self) -> int:
        """About the tokens of all songs, with a vocabulary of some thousand pieces."""
        return int(self.songs * (self.characters / CHARACTERS_A_TOKEN + 4))


def memory_estimate(
    recipe: str,
    n_songs: int,
    n_classes: int,
    options: Mapping[str, Any] | None = None,
    characters: int = CHARACTERS,
) -> int | None:
    """Return about how many bytes fitting a recipe takes at its peak; None if the recipe declares no estimate.

    Parameters
    ----------
    recipe
        The name of a recipe.
    n_songs, n_classes
        The size of the training set.
    options
        The recipe's options, as they would be given to fit it; those of the training loop may be among them.
    characters
        The mean length of a song.

    Raises
    ------
    UsageError
        There is no such recipe, or an option's value does not fit.
    """
    found, given = registry.get(recipe), dict(options or {})
    known = {each.name for each in found.parameters}
    own = {name: value for name, value in given.items() if name.replace("-", "_") in known}
    settings = registry.configure(found.options, own, recipe)
    batch = given.get("batch_size") or getattr(settings, "schedule", {}).get("batch_size", _BATCH)
    declared = getattr(settings, "memory", None)
    return None if declared is None else int(declared(DataSize(n_songs, n_classes, characters, int(batch))))


def of_ngrams(
    size: DataSize,
    max_features: int = 200_000,
    *,
    lengths: int = 0,
    words: bool = False,
    machines: bool = False,
    weights: int = 0,
    layout: bool = False,
    vector: int = 0,
) -> int:
    """Return an estimate for an estimator that reads n-grams, in bytes.

    Parameters
    ----------
    size
        The data.
    max_features
        N-grams of characters that are kept at most, and as many of words.
    lengths
        Lengths of n-grams of characters that are counted together.
    words
        Whether words are counted.
    machines
        Whether a support vector machine is fitted.
    weights
        Tables of features by classes that are held at once.
    layout
        Whether the layout kernel is computed.
    vector
        Numbers that are learnt for each feature with Adam.
    """
    # here: reports and comparisons import this module and need no scikit-learn
    from lyrist.models.features import BLOCK
    from lyrist.models.layout import LANDMARKS
    from lyrist.models.least_squares_svm import by_gram

    # Vocabularies grow with the square root of the text (Heaps' law).
    root = (size.songs * size.characters / CHARACTERS) ** 0.5
    columns = min(max_features, int(2_700 * root)) * (lengths > 0) + min(max_features, int(1_200 * root)) * words
    entries = int(size.songs * size.characters * (0.45 * lengths + 0.2 * words))
    total = _BASE + 4 * size.songs * size.characters + _ENTRY * entries + 4 * columns * size.classes * weights
    if entries:
        total += _SYMBOL * min(size.songs, BLOCK) * size.characters
    if layout:
        total += 3 * 4 * size.songs * min(size.songs, LANDMARKS) * 2
    if machines and by_gram(size.songs, size.classes):
        total += int(4 * size.songs * size.songs * _GRAM) + size.songs * _DENSE
    elif machines:
        total += _LIBLINEAR * entries
    return total + 4 * columns * vector * 4  # the vectors, their first values and the moments of Adam


def of_network(size: DataSize, *, max_words: int, max_length: int, width: int, units: int, layers: int = 1) -> int:
    """Return an estimate for a network that is trained from scratch: its weights, and the states of the longest batch.

    Parameters
    ----------
    size
        The data.
    max_words, max_length
        The largest vocabulary, and the tokens that are read of each song.
    width, units, layers
        Numbers of a word's vector, units of a layer, and layers.
    """
    vocabulary = min(max_words, int(600 * (size.songs * size.characters / CHARACTERS) ** 0.5) + 2)
    weights = vocabulary * width + layers * units * 4 * (width + units) + 2 * units * size.classes
    states = size.batch_size * min(max_length, size.characters // 3) * (4 * width + _STATES * layers * units)
    return int(_NETWORK + _WEIGHT * weights + 4 * states + 4 * size.songs * size.characters)
