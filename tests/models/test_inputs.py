"""Texts and artists are read from every shape that people hold songs in."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from lyrist.errors import LyristError
from lyrist.models.inputs import artists_of, encoded, is_table, labels_of, lyrics_of, songs

TEXTS = ["one\ntwo", "three", ""]


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS)[:, None],
        pl.Series(TEXTS),
        pa.array(TEXTS),
        pl.DataFrame({"lyrics": TEXTS}),
        pa.table({"lyrics": TEXTS}),
    ],
    ids=lambda X: f"{type(X).__module__.split('.')[0]}.{type(X).__name__}",
)
def test_lyrics_come_out_alike_from_every_shape(X: object) -> None:
    assert lyrics_of(X) == TEXTS


def test_missing_texts_are_empty() -> None:
    assert lyrics_of([None, "a"]) == ["", "a"]
    assert lyrics_of(np.array(["a", float("nan")], dtype=object)) == ["a", ""]
    assert artists_of(pl.DataFrame({"lyrics": ["a", "b"], "artist": [None, "ABC"]})) == ["", "ABC"]


def test_pandas_is_read_where_it_is_installed() -> None:
    pd = pytest.importorskip("pandas")
    assert lyrics_of(pd.Series(TEXTS)) == TEXTS
    assert lyrics_of(pd.DataFrame({"lyrics": ["a", None, float("nan"), pd.NA]})) == ["a", "", "", ""]
    with pytest.raises(LyristError, match="no column 'artist'"):
        artists_of(pd.DataFrame({"lyrics": ["a"]}))


def test_songs_make_what_the_readers_read() -> None:
    assert lyrics_of(songs(TEXTS)) == TEXTS
    table = songs(TEXTS, ["a", "b", "c"])
    assert is_table(table)
    assert (lyrics_of(table), artists_of(table)) == (TEXTS, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ("one text", "put it in a list"),
        (pl.DataFrame({"lyric": ["a"]}), "Did you mean 'lyric'"),
        ([1, 2], "Row 1 of 'lyrics' is int"),
        (3, "list of texts"),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(X: object, says: str) -> None:
    with pytest.raises(LyristError, match=says):
        lyrics_of(X)


def test_artists_need_a_table_with_that_column() -> None:
    with pytest.raises(LyristError, match="the input is plain texts"):
        artists_of(["a"])
    with pytest.raises(LyristError, match="no column 'artist'"):
        artists_of(pl.DataFrame({"lyrics": ["a"]}))


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.array([1990, 2000]), np.int64),
        ([True, False], np.bool_),
        (["b", "a"], np.str_),
        (np.array(["b", "a"], dtype=object), np.object_),
        (pl.Series(["b", "a"]), np.str_),
    ],
)
def test_labels_keep_their_type(y: Any, kind: type) -> None:
    classes, index = encoded(y, 2)
    assert labels_of(y).dtype.type is kind
    assert classes[index].tolist() == list(y)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a", None], "song 2"),
        ([1.0, float("nan")], "song 2"),
        ([[0, 2], [1, 0]], "0 or 1"),
        ([0.5, 1.25], "Unknown label type"),
        (["a", "b", "c"], "2 songs and 3 labels"),
        (np.array(["a", 1], dtype=object), "several types"),
        (["a", "a"], "two classes"),
        (None, "requires y"),
    ],
)
def test_labels_that_are_no_classes_are_refused(y: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encoded(y, 2)
