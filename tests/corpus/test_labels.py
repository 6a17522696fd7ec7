"""Which columns hold several labels a song."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus.labels import LISTS, Labels, labels_of, multi_columns, separator_of
from lyrist.errors import LyristError, UsageError

GENRES = ["pop", "rock", "dance pop", "folk", "r&b", "hip-hop", "new wave", "soul", "jazz", "country"]
WORDS = st.text("abcdefghijklmnop &-'", min_size=1, max_size=12).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("labels", "mark"),
    [
        (["pop|rock", "rock", "pop", "rock|folk", "folk|pop"] * 9, "|"),
        (["dance pop, pop", "pop", "rock, pop", "dance pop", "rock, dance pop"] * 9, ", "),
        (["pop;rock", "rock", "jazz;pop", "folk"] * 9, ";"),
        (['["pop", "rock"]', '["rock"]', "[]"] * 9, LISTS),
        (["['pop', 'folk, old']", "['rock']"] * 9, LISTS),
        (['["pop"]', '["rock"]'] * 9, None),  # lists of one
        (["pop", "rock", "r&b/soul"] * 30, None),  # one name with a stroke in it
        (["rock", "pop", "hip-hop/rnb", "electronic/dance", "alternative/indie"] * 9, None),
        (["hymn", "hymn/advent", "hymn/praise", "hymn/trust", "ballad"] * 9, None),  # a kind and its parts
        (["pop", "rock", "folk"] * 30, None),
        ([f"Act {i}, The" for i in range(40)], None),
        (
            ["Ann, Fog & Rain", "Ann, Fog, Rain and Dew", "Tin, Brass and Rust", "Pat, Tess and May", "Dot, The Maker"],
            None,
        ),
        (
            ["Harbour, North", "Harbour, South", "Mill, North", "Mill, East", "Quay, South", "Quay, East"],
            None,
        ),  # name, first name
        (["Lisle, France", "Arles, France", "Leeds, Britain", "York, Britain"] * 4, None),
        (["pop"] * 99 + ["pop|rock"], None),  # one odd song
        ([None, None], None),
    ],
)
def test_several_labels_of_one_song_are_recognised(labels: list[str | None], mark: str | None) -> None:
    assert separator_of(pl.Series("label", labels, pl.String)) == mark


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from(GENRES), min_size=1, max_size=4), min_size=60, max_size=90),
    st.sampled_from(["|", ";", ", "]),
    st.randoms(use_true_random=False),
)
def test_labels_in_any_combination_are_recognised_and_read_again(songs: list[set[str]], mark: str, rng: Any) -> None:
    songs = [*songs, *({name} for name in GENRES)]  # each label is the only one of some song
    if sum(len(labels) > 1 for labels in songs) < 3:
        return
    rows = [mark.join(rng.sample(sorted(labels), len(labels))) for labels in songs]
    values = pl.Series("genre", rows)
    found = separator_of(values)
    assert found == mark
    assert Labels("genre", "multi", found).read(values).to_list() == [sorted(labels) for labels in songs]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(WORDS, min_size=2, max_size=4, unique=True), min_size=2, max_size=20),
    st.sampled_from(["|", ";", ", ", ",", "/"]),
    st.data(),
)
def test_names_with_separators_are_not_split(names: list[list[str]], mark: str, data: st.DataObject) -> None:
    """Names whose parts are their own, however often each occurs."""
    own = [mark.join(f"{part}{number}" for part in name) for number, name in enumerate(names)]
    rows = own + data.draw(st.lists(st.sampled_from([*own, "pop", "rock"]), max_size=60))
    assert separator_of(pl.Series("name", rows)) is None
    assert separator_of(pl.Series("name", data.draw(st.permutations(rows)))) is None


def test_each_value_counts_once() -> None:
    rare = ["Ann, Fog & Rain", "pop", "rock", "folk", "jazz", "Dot, The Maker"]
    assert (
        separator_of(pl.Series("name", rare))
        is separator_of(pl.Series("name", rare + ["Ann, Fog & Rain"] * 500))
        is None
    )


@pytest.mark.parametrize(
    ("labels", "values", "read"),
    [
        (Labels("genre"), ["pop|rock", None], ["pop|rock", None]),
        (Labels("genre", "multi", "|"), ["rock| pop|rock", "", "|", None], [["pop", "rock"], None, None, None]),
        (
            Labels("genre", "multi", LISTS),
            ['["b", "a"]', "['c, d']", "[]", "free"],
            [["a", "b"], ["c, d"], None, ["free"]],
        ),
        (Labels("year"), ["1969", None], ["1960s", None]),
        (Labels("year", "ordinal"), ["1969", "x", None], [1969.0, None, None]),
    ],
)
def test_labels_are_read(labels: Labels, values: list[Any], read: list[Any]) -> None:
    assert labels.read(pl.Series("any", values, pl.String)).to_list() == read
    assert Labels.of({"target": labels.column, **labels.described}) == labels


def test_the_kind_of_a_target(make_corpus: Any) -> None:
    genres = ["pop|rock", "rock", "pop", "rock|folk", "folk|pop", "folk"] * 20
    songs = {
        "lyrics": [f"words {i}" for i in range(120)],
        "artist": ["ann|bob", "bob"] * 60,
        "genre": genres,
        "year": [1990] * 120,
    }
    corpus = make_corpus(pl.DataFrame(songs))
    assert labels_of(corpus, "genre") == Labels("genre", "multi", "|")
    assert labels_of(corpus, "genre", "off") == labels_of(corpus, "genre", "auto", ordinal=False).__class__("genre")
    assert labels_of(corpus, "artist") == Labels("artist")
    assert labels_of(corpus, "artist", "|").multi
    assert labels_of(corpus, "year", ordinal=True).kind == "ordinal"
    assert multi_columns(corpus, "auto") == {"genre": {"separator": "|", "labels": 3, "several": 60}}
    assert multi_columns(corpus, "off") == {}
    assert multi_columns(corpus, ";") == {}
    with pytest.raises(UsageError, match="give one of them"):
        labels_of(corpus, "year", "|", ordinal=True)
    with pytest.raises(LyristError, match="needs a column of numbers"):
        labels_of(corpus, "genre", ordinal=True)
