"""Songs and related words of a corpus, looked up on a corpus written by hand."""

from collections.abc import Callable

import polars as pl
import pytest

from lyrist.corpus import search
from lyrist.corpus.corpus import Corpus

MakeCorpus = Callable[..., Corpus]


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    songs = pl.DataFrame({
        "title": ["Ferry", "Lantern", "Ferry (live)", "50% (off)"],
        "artist": ["Anna Reed", "Anna Reed", "Anna Reed", "The Stone Kites"],
        "genre": ["folk", "folk", None, "rock"],
        "lyrics": ["the river runs\nand I am home", "hold the Lantern\nup", "the river runs\nand I am home\nonce more", "x.y"],
    })  # fmt: skip
    copies = pl.DataFrame({
        "id": [0, 2, 9], "cluster": [0, 0, 0], "kind": ["near"] * 3, "jaccard": [1.0, 0.7, 0.6],
        "title": ["Ferry", "Ferry (live)", "Ferry II"], "artist": ["Anna Reed"] * 3, "split": ["train", "train", None],
    })  # fmt: skip
    made = make_corpus(songs.with_columns(split=pl.lit("train")), copies)
    pair = {
        "id": 0, "within": 2, "shared": 4, "containment": 1.0, "jaccard": 0.7, "title": "Ferry", "artist": "Anna Reed",
        "within_title": "Ferry (live)", "within_artist": "Anna Reed", "split": "train", "within_split": "train",
    }  # fmt: skip
    pl.DataFrame([pair]).write_parquet(made.path / "contained.parquet")
    return Corpus.open(made.path)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"text": "RIVER  runs"}, [0, 2]),
        ({"text": "lantern"}, [1]),
        ({"text": "% (OFF"}, [3]),
        ({"text": "x.y"}, [3]),
        ({"text": "xay"}, []),
        ({"text": "river", "lyrics": False}, []),
        ({"text": "ferry", "lyrics": False}, [0, 2]),
        ({"genre": "folk"}, [0, 1]),
        ({"artist": "The Stone Kites"}, [3]),
        ({"start": 1, "limit": 2}, [1, 2]),
    ],
)
def test_search_finds_what_was_typed(corpus: Corpus, options: dict[str, object], found: list[int]) -> None:
    page = search.search(corpus, **options)  # type: ignore[arg-type]
    assert [song["id"] for song in page.songs] == found
    assert page.more is ("limit" in options)


def test_a_hit_in_the_lyrics_comes_with_its_line(corpus: Corpus) -> None:
    assert [song["line"] for song in search.search(corpus, "am").songs] == ["and I am home", "and I am home"]
    assert [song["line"] for song in search.search(corpus, "ferry", lyrics=False).songs] == ["", ""]


def test_the_page_of_a_song_has_its_copies_and_versions(corpus: Corpus) -> None:
    found = search.song(corpus, 0)
    assert found is not None
    assert found["lyrics"].startswith("the river")
    assert [(copy["id"], copy["split"]) for copy in found["copies"]] == [(2, "train"), (9, None)]
    assert [(pair["id"], pair["within"], pair["title"]) for pair in found["contained"]] == [(2, True, "Ferry (live)")]
    other = search.song(corpus, 2)
    assert other is not None
    assert [(pair["id"], pair["within"], pair["title"]) for pair in other["contained"]] == [(0, False, "Ferry")]
    assert search.song(corpus, 77) is None


def test_common_values_are_counted(corpus: Corpus) -> None:
    assert search.common(corpus, "genre") == [("folk", 2), ("rock", 1)]
    assert search.common(corpus, "artist") == [("Anna Reed", 3), ("The Stone Kites", 1)]


def related() -> search.RelatedWords:
    """A corpus in which ships and boats are on water, and cars and carts on roads."""
    lines = []
    sails, rolls = ("sea", "sails"), ("road", "rolls")
    for vehicle, (place, verb) in (("ship", sails), ("boat", sails), ("car", rolls), ("cart", rolls)):
        lines += [f"the {vehicle} {verb} on the {place} {number}" for number in range(6)]
    return search.RelatedWords([pl.Series(["\n".join(lines[place::4]) for place in range(4)])])


def test_related_words_have_the_same_neighbours_or_are_neighbours() -> None:
    words = related()
    assert words.similar("ship")[0] == "boat"
    assert words.similar("Cart")[0] == "car"
    assert set(words.together("sea")[:3]) == {"sails", "ship", "boat"}
    assert "road" not in words.together("ship")


@pytest.mark.parametrize("word", ["", "nothing", "two words", "ship's\u0000", "☃"])
def test_an_unknown_word_has_no_related_words(word: str) -> None:
    words = related()
    assert words.similar(word) == words.together(word) == []


def test_a_repeated_line_counts_once_per_song_and_an_empty_corpus_has_no_words(corpus: Corpus) -> None:
    once = search.RelatedWords([pl.Series(["la moon\n" * 50, "la moon", "la sun"])])
    assert once.words == ["la"]
    assert search.RelatedWords([]).words == []
    assert search.RelatedWords.of(corpus).similar("river") == []


def test_similar_songs_use_the_same_words(corpus: Corpus) -> None:
    songs = search.SimilarSongs.of(corpus)
    found = songs.to("the river runs and I am home once more")
    assert [song["id"] for song in found] == [2, 0, 1]
    assert 0 < found[1]["similarity"] < found[0]["similarity"] <= 1 + 1e-9
    assert songs.to("the river runs", 1, but=[0])[0] == {"id": 2, "title": "Ferry (live)", "artist": "Anna Reed"} | {
        "similarity": pytest.approx(songs.to("the river runs")[1]["similarity"])
    }
    assert songs.to("") == songs.to("zebra") == []
