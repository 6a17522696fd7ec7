"""Labels as numbers, and the errors about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError
from lyrist.models.inputs import labels_of, lyrics_of


def classes_and_index(X: Any, y: Any) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the sorted class names and the class of each song.

    Raises
    ------
    LyristError
        There are no songs, not as many labels as songs, or only one class.
    """
    labels, n = labels_of(y), len(lyrics_of(X))
    if len(labels) != n:
        raise LyristError(f"There are {n} songs and {len(labels)} labels; give one label a song.")
    if n == 0:
        raise LyristError("There are no songs to learn from.")
    classes, index = np.unique(np.array(labels, dtype=np.str_), return_inverse=True)
    if len(classes) < 2:
        raise LyristError(f"All {n} songs to learn from have the label '{classes[0]}'; there is nothing to tell apart.")
    return classes, index.astype(np.int64)


def class_shares(index: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the share of each class among the songs, none 0: half a song is added to each, shape (k,)."""
    return np.asarray((np.bincount(index, minlength=k) + 0.5) / (len(index) + 0.5 * k), dtype=np.float64)
