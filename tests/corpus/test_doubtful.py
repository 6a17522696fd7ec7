"""Songs with a wrong label are listed: by a model that was not fitted on them, and by copies and other songs of the artist."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.corpus import doubtful
from lyrist.corpus.corpus import PAIRS
from lyrist.corpus.explore import explore
from lyrist.errors import LyristError, UsageError

WORDS = {
    "sea": ["harbour", "sail", "tide", "anchor", "gull", "salt", "mast"],
    "city": ["neon", "subway", "taxi", "tower", "siren", "kerb", "lobby"],
    "farm": ["barley", "tractor", "fence", "hen", "plough", "silo", "mare"],
}


def songs_of(n: int = 120, wrong: tuple[int, ...] = (), own_artists: bool = True) -> pl.DataFrame:
    rng, labels = np.random.default_rng(0), [list(WORDS)[i % 3] for i in range(n)]
    lyrics = [
        "\n".join(" ".join(rng.choice([*WORDS[label], "the", "and", "we"], 6)) for _ in range(8)) for label in labels
    ]
    given = [list(WORDS)[(i + 1) % 3] if i in wrong else label for i, label in enumerate(labels)]
    artist = [f"Act {i if own_artists else i % 9}" for i in range(n)]
    return pl.DataFrame({"title": [f"Song {i}" for i in range(n)], "artist": artist, "genre": given, "lyrics": lyrics})


def test_planted_wrong_labels_are_found_by_the_words(make_corpus: Any) -> None:
    wrong = (4, 31, 77)
    found = doubtful.find(make_corpus(songs_of(wrong=wrong)), "genre", by_words=True)
    listed = {row["id"]: row for row in found["list"]}
    assert set(wrong) <= set(listed)
    assert len(listed) <= 6
    for song in wrong:
        assert listed[song]["suggested"] == list(WORDS)[song % 3]
        assert listed[song]["given"] == list(WORDS)[(song + 1) % 3]
        assert listed[song]["reasons"] == "words"
        assert listed[song]["probability"] < 0.05
    assert (found["songs"], found["read"]) == (120, 120)


def test_planted_labels_among_several_are_found(make_corpus: Any) -> None:
    """Every second song has two labels and the words of both; song 4 has a wrong one, and song 31 misses one."""
    songs, names = songs_of(160), list(WORDS)
    rng = np.random.default_rng(1)
    sets = [{names[i % 3], names[(i + 1) % 3]} if i % 2 else {names[i % 3]} for i in range(len(songs))]
    lyrics = [
        "\n".join(" ".join(rng.choice([w for name in sorted(each) for w in WORDS[name]], 6)) for _ in range(12))
        for each in sets
    ]
    given = [sorted(each) for each in sets]
    given[4], given[31] = ["farm", "sea"], ["city"]  # the words: city; city and farm
    songs = songs.with_columns(lyrics=pl.Series(lyrics), genre=pl.Series(["|".join(each) for each in given]))
    found = doubtful.find(make_corpus(songs), "genre", by_words=True)
    listed = {row["id"]: row for row in found["list"]}
    assert (listed[4]["given"], listed[4]["suggested"]) == ("farm, sea", "city")
    assert (listed[31]["given"], listed[31]["suggested"]) == ("city", "city, farm")
    assert len(listed) <= 8
    assert found["read"] == len(songs)


def test_each_of_several_labels_is_judged_by_hand() -> None:
    P = np.array(
        [[0.9, 0.9, 0.1], [0.9, 0.01, 0.2], [0.2, 0.9, 0.2], [0.9, 0.1, 0.999], [0.8, 0.2, 0.1], [0.1, 0.8, 0.3]]
    )
    labels = [["a", "b"], ["a", "b"], ["b", "other"], ["a"], ["a", "c"], ["b"]]
    songs = frame([(i, "Act", i, ", ".join(each)) for i, each in enumerate(labels)]).with_columns(
        labels=pl.Series(labels)
    )
    found = doubtful.by_labels(songs, ["a", "b", "c"], P)
    assert found.select("id", "suggested", "probability").rows() == [
        (1, "a", pytest.approx(0.01)),
        (3, "a, c", pytest.approx(0.001)),
    ]
    assert doubtful.by_labels(songs.clear(), ["a"], np.zeros((0, 1))).is_empty()


def test_confident_learning_by_hand() -> None:
    """Song 3 is confidently of class 1 and its label improbable; song 4 is improbable, but confidently of no class."""
    P = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.02, 0.98], [0.3, 0.7]])
    given = [0, 0, 1, 0, 0]
    # thresholds: (0.9 + 0.8 + 0.02 + 0.3) / 4 = 0.505 and 0.9
    assert doubtful.doubtful(given, P, ratio=1.0).tolist() == [3]
    assert doubtful.doubtful(given, P, ratio=0.01).tolist() == []
    assert doubtful.doubtful([], np.zeros((0, 2))).tolist() == []


def test_the_least_probable_label_is_first() -> None:
    P = np.array([[0.96, 0.04, 0], [0.99, 0.01, 0], [0.9, 0.05, 0.05], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert doubtful.doubtful([1, 1, 0, 1, 2], P).tolist() == [1, 0]


def frame(rows: list[tuple[int, str | None, int, str]]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=["id", "artist", "cluster", "label"], orient="row")
    return table.with_columns(title=pl.format("Song {}", "id"))


@pytest.mark.parametrize(
    ("rows", "pairs", "expected"),
    [
        pytest.param(
            [(1, "A", 1, "pop"), (2, "B", 1, "pop"), (3, "C", 1, "rap")], [], [(3, "pop", "near-copy", "Song 1")],
            id="minority-of-copies",
        ),
        pytest.param(
            [(1, "A", 1, "pop"), (2, "B", 1, "rap")], [],
            [(1, "rap", "near-copy", "Song 2"), (2, "pop", "near-copy", "Song 1")],
            id="two-copies",
        ),
        pytest.param([(1, "A", 1, "pop"), (2, "B", 2, "rap")], [(1, 2)], [(1, "rap", "contained", "Song 2")], id="contained"),
        pytest.param([(1, "A", 1, "pop"), (2, "B", 2, "pop")], [(1, 2)], [], id="contained-same-label"),
        pytest.param(
            [*((n, "A", n, "pop") for n in range(4)), (4, "A", 4, "rap")], [], [(4, "pop", "artist", None)], id="odd-song"
        ),
        pytest.param([*((n, "A", n, "pop") for n in range(3)), (4, "A", 4, "rap")], [], [], id="few-songs-of-the-artist"),
        pytest.param([*((n, None, n, "pop") for n in range(9)), (9, None, 9, "rap")], [], [], id="no-artist"),
        pytest.param(
            [*((n, "A", n, "pop") for n in range(4)), (4, "A", 4, "rap"), (5, "A", 5, "folk")], [], [], id="two-odd-songs"
        ),
    ],
)  # fmt: skip
def test_rules(rows: list[Any], pairs: list[tuple[int, int]], expected: list[Any]) -> None:
    contained = PAIRS.to_frame()
    if pairs:
        columns = {"id": [a for a, _ in pairs], "within": [b for _, b in pairs]}
        contained = pl.DataFrame({**columns, "within_title": [f"Song {b}" for _, b in pairs]})
    found = doubtful.merged([doubtful.by_rules(frame(rows), contained, artists=True)])
    assert found.select("id", "suggested", "reasons", "other").sort("id").rows() == expected


def test_a_song_with_two_reasons_is_one_row_and_first() -> None:
    rows = frame([*((n, "A", n, "pop") for n in range(4)), (4, "A", 0, "rap"), (5, "B", 5, "pop"), (6, "B", 5, "rap")])
    found = doubtful.merged([doubtful.by_rules(rows, PAIRS.to_frame(), artists=True)])
    assert found.row(0, named=True)["id"] == 4
    assert found.row(0, named=True)["reasons"] == "near-copy, artist"
    assert found["id"].is_unique().all()


def test_near_copies_are_never_fitted_on_each_other() -> None:
    songs = songs_of(60).with_columns(id=pl.int_range(60), cluster=pl.int_range(60) // 2, label="genre")
    songs = songs.with_columns(label=pl.col("genre"))
    classes, probabilities = doubtful.out_of_fold(songs, artists=False)
    assert classes == sorted(WORDS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_explore_lists_them(make_corpus: Any) -> None:
    explored = explore(str(make_corpus(songs_of(60, (5,))).path), doubtful="genre", top=1)
    table = pl.read_csv(explored.path / "tables" / "doubtful.csv")
    assert 5 in table["id"].to_list()
    page = (explored.path / "explore.html").read_text(encoding="utf-8")
    assert "Songs with a doubtful genre" in page
    assert "--doubtful genre" in page
    assert "songs with a doubtful genre" in explored.summary()


def test_what_cannot_be_judged_is_said(make_corpus: Any) -> None:
    path = str(make_corpus(songs_of(12)).path)
    with pytest.raises(UsageError, match="colour"):
        explore(path, doubtful="colour")
    with pytest.raises(LyristError, match="no model can judge"):
        explore(path, doubtful="artist")
