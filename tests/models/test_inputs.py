"""Texts and artists are read from every shape that people hold songs in."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from lyrist.errors import LyristError
from lyrist.models.inputs import artists_of, is_table, labels_of, lyrics_of, songs

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


def test_labels_become_strings_and_none_may_be_missing() -> None:
    assert labels_of(np.array([1990, 2000])) == ["1990", "2000"]
    assert labels_of(pl.Series(["b", "a"])) == ["b", "a"]
    with pytest.raises(LyristError, match="song 2"):
        labels_of(["a", None])
