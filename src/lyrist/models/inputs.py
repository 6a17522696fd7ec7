"""What a classifier is given: plain texts, or a table with the column ``lyrics`` and, for some recipes, ``artist``.

scikit-learn indexes lists, arrays and data frames alike, so `cross_val_score` and pipelines work with each of these
shapes; every estimator of Lyrist reads them through the functions below and through nothing else. No data frame library
is imported: polars, pandas and pyarrow tables all answer to ``column_names`` or ``columns`` and to ``[name]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

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
        n texts; a missing one (None, NaN) is the empty text, and the halves of broken surrogate pairs are question marks.

    Raises
    ------
    LyristError
        ``X`` is one string, has no such column, or holds something else than text.
    """
    return _texts(_column(X, LYRICS) if is_table(X) else X, LYRICS)


def artists_of(X: Any) -> list[str]:
    """Return the artist of each song in the table ``X``, in order; ``""`` where it is missing.

    Raises
    ------
    LyristError
        ``X`` is no table, or has no column ``artist``.
    """
    if not is_table(X):
        raise LyristError(
            "The artist of each song is needed here, but plain texts were given; "
            "give a table with the columns 'lyrics' and 'artist', or choose a recipe that reads the lyrics alone."
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
    """Return the labels ``y`` as a list of strings, whatever sequence they came in.

    Raises
    ------
    LyristError
        A label is missing (None or NaN).
    """
    values = y.tolist() if hasattr(y, "tolist") else list(y)
    for place, value in enumerate(values):
        if _missing(value):
            raise LyristError(f"Song {place + 1} of those to learn from has no label; leave out songs without one.")
    return [str(value) for value in values]


def _encodable(text: str) -> str:
    """Return ``text`` with the halves of broken surrogate pairs, which no table or tokenizer holds, as question marks."""
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
        raise LyristError("One text was given where a list of texts is needed; put it in a list.")
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
    # NaN is the one value that differs from itself; pandas' NA refuses to be compared, and numpy's NaT too differs.
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"
