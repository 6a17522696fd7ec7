"""The input of classifiers: plain texts, or a table with the column ``lyrics`` and, for some recipes, ``artist``; and labels.

scikit-learn can index lists, arrays and data frames, so `cross_val_score` and pipelines work with each of these types. Every
estimator of Lyrist reads its input through the functions below. No data frame library is imported: polars, pandas and pyarrow
tables all have ``column_names`` or ``columns``, and ``[name]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError, nearest

LYRICS = "lyrics"
ARTIST = "artist"


def is_table(X: Any) -> bool:
    """Return whether ``X`` has named columns (a polars, pandas or pyarrow table) rather than being a list of texts."""
    return hasattr(X, "columns") and hasattr(X, "__getitem__")


def lyrics_of(X: Any) -> list[str]:
    """Return the lyrics in ``X``, in order.

    Parameters
    ----------
    X
        A sequence of n strings (list, tuple, numpy array, series), or a table of n rows with the column ``lyrics``.

    Returns
    -------
    list of str
        n texts; a missing one (None, NaN) is the empty text, and unpaired surrogates are replaced by question marks.

    Raises
    ------
    LyristError
        ``X`` is one string, has no such column, or contains something else than text.
    """
    return _texts(_column(X, LYRICS) if is_table(X) else X, LYRICS)


def artists_of(X: Any) -> list[str]:
    """Return the artist of each song in the table ``X``, in order; ``""`` if it is missing.

    Raises
    ------
    LyristError
        ``X`` is not a table, or has no column ``artist``.
    """
    if not is_table(X):
        raise LyristError(
            "This model needs the artist of each song, but the input is plain texts; "
            "pass a table with the columns 'lyrics' and 'artist', or choose a recipe that uses only the lyrics."
        )
    return _texts(_column(X, ARTIST), ARTIST)


def songs(lyrics: Sequence[str], artists: Sequence[str] | None = None) -> Any:
    """Return ``X`` for a classifier: the texts themselves, or a polars table of texts and artists."""
    if artists is None:
        return list(lyrics)
    import polars as pl

    columns = {LYRICS: [_encodable(text) for text in lyrics], ARTIST: [_encodable(name) for name in artists]}
    return pl.DataFrame(columns, schema={LYRICS: pl.String, ARTIST: pl.String})


def labels_of(y: Any) -> list[str]:
    """Return the labels ``y``, any sequence, as a list of strings.

    Raises
    ------
    LyristError
        A label is missing (None or NaN).
    """
    values = y.tolist() if hasattr(y, "tolist") else list(y)
    for place, value in enumerate(values):
        if _missing(value):
            raise LyristError(f"Training song {place + 1} has no label; remove songs without a label.")
    return [str(value) for value in values]


def classes_and_index(X: Any, y: Any) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the sorted class names and the class of each song.

    Raises
    ------
    LyristError
        There are no songs, not as many labels as songs, or only one class.
    """
    labels, n = labels_of(y), len(lyrics_of(X))
    if len(labels) != n:
        raise LyristError(f"There are {n} songs and {len(labels)} labels; pass one label per song.")
    if n == 0:
        raise LyristError("There are no training songs.")
    classes, index = np.unique(np.array(labels, dtype=np.str_), return_inverse=True)
    if len(classes) < 2:
        raise LyristError(
            f"All {n} training songs have the label '{classes[0]}'; a classifier needs at least two labels."
        )
    return classes, index.astype(np.int64)


def class_shares(index: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the class frequencies with additive smoothing of 0.5, shape (k,)."""
    return np.asarray((np.bincount(index, minlength=k) + 0.5) / (len(index) + 0.5 * k), dtype=np.float64)


def _encodable(text: str) -> str:
    """Return ``text`` with unpaired surrogates, which tables and tokenizers cannot store, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _column(X: Any, name: str) -> Any:
    names = [str(c) for c in (X.column_names if hasattr(X, "column_names") else X.columns)]
    if name not in names:
        raise LyristError(
            f"The table has no column '{name}' (its columns: {', '.join(names[:20])}).{nearest(name, names)} "
            f"Rename the column, or prepare the table with 'lyrist prepare'."
        )
    return X[name]


def _texts(values: Any, name: str) -> list[str]:
    if isinstance(values, str | bytes):
        raise LyristError("The input is one text, but a list of texts is needed; put it in a list.")
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()
    elif hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, Iterable):
        raise LyristError(f"A list of texts is needed for '{name}', not {type(values).__name__}.")
    return [_text(value, place, name) for place, value in enumerate(values)]


def _text(value: Any, place: int, name: str) -> str:
    if isinstance(value, str):
        return _encodable(value)
    if _missing(value):
        return ""
    if isinstance(value, list) and len(value) == 1:  # a numpy array of one column
        return _text(value[0], place, name)
    raise LyristError(f"Row {place + 1} of '{name}' is {type(value).__name__}, not text.")


def _missing(value: Any) -> bool:
    # Only NaN (and numpy's NaT) differs from itself; pandas' NA raises an error in a comparison.
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"
