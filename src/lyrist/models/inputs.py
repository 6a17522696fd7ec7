"""The input of classifiers: plain texts, or a table with the column ``lyrics`` and, for some recipes, ``artist``; and labels.

scikit-learn can index lists, arrays and data frames, so `cross_val_score` and pipelines work with each of these types. Every
estimator of Lyrist reads its input through the functions below. No data frame library is imported: polars, pandas and pyarrow
tables all have ``column_names`` or ``columns``, and ``[name]``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import InputError, UsageError, nearest

LYRICS = "lyrics"
ARTIST = "artist"
ARTIST_NUMBER = "artist-number"
"""A published mistake: the artist as one integer."""
NOT_COLUMNS = ("none", "", ARTIST, ARTIST_NUMBER)
"""What an option ``features`` names besides other columns."""


class SongInput:
    """Mixin of the estimators that read texts: scikit-learn's tags of the input."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


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
    InputError
        ``X`` is one string, has no such column, or contains something else than text.
    """
    return _texts(_column(X, LYRICS) if is_table(X) else X, LYRICS)


def artists_of(X: Any) -> list[str]:
    """Return the artist of each song in the table ``X``, in order; ``""`` if it is missing.

    Raises
    ------
    InputError
        ``X`` is not a table, or has no column ``artist``.
    """
    if not is_table(X):
        raise InputError(
            "This model needs the artist of each song, but the input is plain texts; "
            "pass a table with the columns 'lyrics' and 'artist', or choose a recipe that uses only the lyrics."
        )
    return _texts(_column(X, ARTIST), ARTIST)


def names_of(features: str) -> tuple[str, ...]:
    """Return the columns that an option ``features`` names, without the artist, which has features of its own.

    Raises
    ------
    UsageError
        The lyrics are among them.
    """
    names = tuple(dict.fromkeys(name for part in features.split(",") if (name := part.strip()) not in NOT_COLUMNS))
    if LYRICS in names:
        raise UsageError("--features names columns beside the lyrics; leave 'lyrics' out of it.")
    return names


def with_artist(features: str) -> bool:
    """Return whether an option ``features`` names the artist."""
    return ARTIST in (part.strip() for part in features.split(","))


def column_of(X: Any, name: str) -> list[str]:
    """Return another column of the table ``X`` as texts, in order; ``""`` where a value is missing.

    Plain texts have no such column, and neither has a table without it: then all values are missing.
    """
    if not is_table(X) or name not in [str(c) for c in getattr(X, "column_names", X.columns)]:
        return [""] * (len(X) if is_table(X) else len(lyrics_of(X)))
    values = X[name]
    values = (
        values.to_pylist() if hasattr(values, "to_pylist") else values.tolist() if hasattr(values, "tolist") else values
    )
    return ["" if _missing(value) else _encodable(_plain(value)) for value in values]


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def songs(lyrics: Sequence[str], artists: Sequence[str] | None = None, columns: Mapping[str, Any] | None = None) -> Any:
    """Return ``X`` for a classifier: the texts themselves, or a polars table of texts, artists and other columns."""
    if artists is None and not columns:
        return list(lyrics)
    import polars as pl

    named = [_encodable(name) for name in artists or [""] * len(lyrics)]
    found = pl.DataFrame(
        {LYRICS: [_encodable(text) for text in lyrics], ARTIST: named}, schema={LYRICS: pl.String, ARTIST: pl.String}
    )
    return found.with_columns(pl.Series(name, values) for name, values in (columns or {}).items())


def labels_of(y: Any) -> NDArray[Any]:
    """Return the labels ``y``, any sequence, as an array of their own type, shape (n,).

    Raises
    ------
    InputError
        A label is missing (None or NaN), or ``y`` has several columns, or numbers that are no classes.
    """
    # here: reports import this module and need no scikit-learn
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import column_or_1d

    if y is None:
        raise InputError("A classifier requires y to be passed, but the target y is None.")
    values = np.asarray(y)
    if values.dtype.kind in "Of":
        for place, value in enumerate(values.ravel().tolist()):
            if _missing(value) or value in (math.inf, -math.inf):
                raise InputError(
                    f"Training song {place + 1} has no label (it is {value}, and NaN or infinity is no class); "
                    "remove songs without a label."
                )
    labels: NDArray[Any] = column_or_1d(values, warn=True)
    try:
        check_classification_targets(labels)
    except TypeError:
        raise InputError("The labels are of several types, such as text and numbers; convert them to text.") from None
    return labels


def encoded(y: Any, n: int, least: int = 2) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes, of the type of ``y``, and the class of each of the n songs.

    With several labels a song, ``y`` has a column of 0 and 1 for each label; then the labels are the names of its columns, or
    their numbers, and the second array has the shape (n, k).

    Raises
    ------
    InputError
        There are no songs, not as many labels as songs, fewer classes than ``least``, or other numbers than 0 and 1.
    """
    if (several := _indicators(y)) is not None:
        classes, Y = several
        if len(Y) != n:
            raise InputError(f"There are {n} songs and {len(Y)} rows of labels; pass one row per song.")
        return classes, Y
    labels = labels_of(y)
    if len(labels) != n:
        raise InputError(f"There are {n} songs and {len(labels)} labels; pass one label per song.")
    if n == 0:
        raise InputError("There are no training songs.")
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < least:
        raise InputError(
            f"All {n} training songs have the label '{classes[0]}', one class; a classifier needs at least two classes."
        )
    return classes, index.astype(np.int64)


def _indicators(y: Any) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Return the labels and the 0 and 1 of several labels a song; None for one label a song."""
    values = y.toarray() if hasattr(y, "toarray") else y
    if not hasattr(values, "shape"):
        if (
            not isinstance(values, list | tuple)
            or not len(values)
            or not isinstance(values[0], list | tuple | np.ndarray)
        ):
            return None
        try:
            values = np.asarray(values)
        except ValueError:
            raise InputError(_INDICATORS) from None
    if len(values.shape) != 2 or values.shape[1] < 2:
        return None
    names = list(values.columns) if is_table(values) else list(range(values.shape[1]))
    found = np.asarray(values)
    try:
        Y = found.astype(np.int64)
    except (TypeError, ValueError):
        raise InputError(_INDICATORS) from None
    if not np.array_equal(found, Y) or not np.isin(Y, (0, 1)).all():
        raise InputError(_INDICATORS)
    if not len(Y):
        raise InputError("There are no training songs.")
    return np.array(names, dtype=object if isinstance(names[0], str) else None), Y


_INDICATORS = (
    "Labels in several columns must be 0 or 1, a column for each label; pass one label per song, or indicators."
)


def members(index: NDArray[np.int64], k: int) -> NDArray[np.float32]:
    """Return 1 for each label of each song and 0 for the others, shape (n, k), from what `encoded` returns."""
    if index.ndim == 2:
        return index.astype(np.float32)
    found = np.zeros((len(index), k), dtype=np.float32)
    found[np.arange(len(index)), index] = 1
    return found


def class_sizes(index: NDArray[np.int64], k: int, weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Return the number of songs of each label, or the sum of their weights, shape (k,)."""
    if index.ndim == 2:
        return np.asarray((np.ones(len(index)) if weights is None else weights) @ index, dtype=np.float64)
    return np.asarray(np.bincount(index, weights, minlength=k), dtype=np.float64)


def class_shares(index: NDArray[np.int64], k: int, weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Return the class frequencies with additive smoothing of 0.5, shape (k,); with several labels they do not sum to 1."""
    if index.ndim == 2:
        total = float(len(index) if weights is None else weights.sum())
        return np.asarray((class_sizes(index, k, weights) + 0.5) / (total + 1), dtype=np.float64)
    sizes = np.bincount(index, weights, minlength=k)
    return np.asarray((sizes + 0.5) / (sizes.sum() + 0.5 * k), dtype=np.float64)


def _encodable(text: str) -> str:
    """Return ``text`` with unpaired surrogates, which tables and tokenizers cannot store, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _column(X: Any, name: str) -> Any:
    names = [str(c) for c in (X.column_names if hasattr(X, "column_names") else X.columns)]
    if name not in names:
        raise InputError(
            f"The table has no column '{name}' (its columns: {', '.join(names[:20])}).{nearest(name, names)} "
            f"Rename the column, or prepare the table with 'lyrist prepare'."
        )
    return X[name]


def _texts(values: Any, name: str) -> list[str]:
    if isinstance(values, str | bytes):
        raise InputError("The input is one text, but a list of texts is needed; put it in a list.")
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()
    elif hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, Iterable):
        raise InputError(f"A list of texts is needed for '{name}', not {type(values).__name__}.")
    return [_text(value, place, name) for place, value in enumerate(values)]


def _text(value: Any, place: int, name: str) -> str:
    if isinstance(value, str):
        return _encodable(value)
    if _missing(value):
        return ""
    if isinstance(value, list) and len(value) == 1:  # a numpy array of one column
        return _text(value[0], place, name)
    raise InputError(f"Row {place + 1} of '{name}' is {type(value).__name__}, not text.")


def _missing(value: Any) -> bool:
    # Only NaN (and numpy's NaT) differs from itself; pandas' NA raises an error in a comparison.
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"
