"""`explore`: right figures, whole pages of any corpus, nothing hostile let through, nothing half-written."""

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus import profile
from lyrist.corpus.corpus import PAIRS, Corpus
from lyrist.corpus.explore import Explored, _write_tables, explore
from lyrist.corpus.prepare import prepare
from lyrist.corpus.profile import find
from lyrist.errors import LyristError, UsageError
from lyrist.text import lines, repetition, words

DATA = Path(os.environ.get("LYRIST_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOSTILE = "</style><script>alert(1)</script>\u202e\x1b[31m<img src=x onerror=alert(1)> $x_1$ 日本語"
VERSES = {
    "rock": "thunder on the highway and a guitar in the rain we ride until the engine burns the road away",
    "pop": "glitter on the dance floor and a heartbeat in the light you call me on the phone all night",
    "folk": "my grandfather planted an orchard by the river and the geese come home when apples fall",
}


def songs_of(n: int = 90, **changed: Any) -> pl.DataFrame:
    genres = [list(VERSES)[i % 3] for i in range(n)]
    base = {
        "title": [f"Song {i}" for i in range(n)],
        "artist": [f"Act {i % 7}" for i in range(n)],
        "genre": genres,
        "year": [1960 + i % 40 for i in range(n)],
        "language": ["en"] * n,
        "lyrics": [f"{VERSES[g]}\n{VERSES[g]} number{i}\n\nand the last line {i}\n" * 3 for i, g in enumerate(genres)],
    }
    return pl.DataFrame(base | changed)


def html_of(explored: Explored) -> str:
    return (explored.path / "explore.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def usual(make_corpus: Any) -> Explored:
    return explore(str(make_corpus(songs_of(), dropped={"empty": 3, "too-short": 2}).path))


def test_the_page_pictures_tables_and_figures_are_there(usual: Explored) -> None:
    explored = usual
    assert explored.path.name == "explore"
    found = json.loads((explored.path / "explore.json").read_text(encoding="utf-8"))
    assert found == explored.found
    assert {path.name for path in explored.path.iterdir()} == {"explore.html", "explore.json", "figures", "tables"}
    pictures = {path.stem for path in (explored.path / "figures").iterdir()}
    assert not {"artists", "genres"} & pictures  # charts of equal bars are a sentence
    assert "Each artist has about as many songs: 12 to 13." in html_of(explored)
    assert {"years", "words", "lines", "repetition", "diversity", "leak", "dropped"} <= pictures
    assert {"cloud", "cloud-genre-1", "cloud-artist-1", "repetition-by-genre"} <= pictures
    for path in (explored.path / "figures").iterdir():
        ET.parse(path)  # noqa: S314 - our own
    assert html_of(explored).count("<svg") == len(pictures)
    tables = {path.stem: pl.read_csv(path) for path in (explored.path / "tables").iterdir()}
    assert tables["artists"]["songs"].sum() == 90
    assert tables["dropped"].rows() == [
        ("empty", 3, 3 / 95, tables["dropped"]["meaning"][0]),
        *tables["dropped"].rows()[1:],
    ]
    assert explored.figures()["page"].endswith("explore.html")
    assert "90 songs by 7 artists" in explored.summary()


def test_the_figures_are_right(make_corpus: Any) -> None:
    songs = songs_of()
    found = find(make_corpus(songs), top=30)
    texts = songs["lyrics"].to_list()
    assert found["lengths"]["words"]["spread"]["mean"] == pytest.approx(np.mean([len(words(t)) for t in texts]))
    assert found["lengths"]["lines"]["spread"]["p50"] == np.median([len(lines(t)) for t in texts])
    assert found["repetition"]["songs"]["mean"] == pytest.approx(np.mean([repetition(t) for t in texts]), abs=1e-6)
    assert sum(found["lengths"]["words"]["histogram"]["counts"]) == 90
    assert [(row["genre"], row["songs"]) for row in found["genres"]["songs"]] == [
        ("folk", 30),
        ("pop", 30),
        ("rock", 30),
    ]
    assert found["years"]["songs"][0] == {"year": 1960, "songs": 3}
    assert found["artists"]["songs_each"] == [
        {"songs": name, "artists": n, "songs_in_all": in_all}
        for name, n, in_all in (
            ("1", 0, 0),
            ("2 to 4", 0, 0),
            ("5 to 9", 0, 0),
            ("10 to 49", 7, 90),
            ("50 or more", 0, 0),
        )
    ]


def test_words_that_tell_a_genre_are_found(make_corpus: Any) -> None:
    found = find(make_corpus(songs_of()), top=30)
    told = {row["genre"]: [word["word"] for word in row["words"]] for row in found["words"]["genre"]}
    assert {"thunder", "highway", "guitar"} <= set(told["rock"])
    assert {"glitter", "heartbeat"} <= set(told["pop"])
    assert "orchard" in told["folk"]
    for some in told.values():
        assert not {"the", "and", "on", "a", "you"} & set(some)


def test_the_same_corpus_gives_the_same_page(usual: Explored, tmp_path: Path) -> None:
    again = explore(str(usual.path.parent), out=str(tmp_path / "again"))
    assert html_of(again) == html_of(usual)
    assert again.found == usual.found


def test_a_corpus_with_hardly_anything_is_told_in_sentences(make_corpus: Any) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": ["one two three"], "split": ["train"]}))
    explored = explore(str(corpus.path))
    html = html_of(explored)
    for told in (
        "No song has an artist",
        "No song has a genre",
        "No song has a year",
        "None were found",
        "too few songs for a test",
    ):
        assert told in html
    assert "nothing to show" not in html
    assert "1 song, looked at closely" in html
    assert explored.found["diversity"]["songs"] is None
    assert "1 songs by 0 artists" in explored.summary()


def test_songs_without_words_are_no_trouble(make_corpus: Any) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": ["...", "!", "?", "la"] * 5, "artist": ["a", "b"] * 10}))
    found = explore(str(corpus.path)).found
    assert found["repetition"]["songs"]["mean"] == 0
    assert "nothing to show" not in (corpus.path / "explore" / "explore.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", ["artist", "genre", "year", "language", "title"])
def test_any_column_may_be_empty(make_corpus: Any, column: str) -> None:
    found = find(make_corpus(songs_of(30).with_columns(pl.lit(None).alias(column))), top=30)
    if column != "title":
        assert found[f"{column}s"]["missing"] == 30
    assert found["leak"]["random"]["artist"] is (None if column == "artist" else found["leak"]["random"]["artist"])


def test_hostile_text_is_escaped_everywhere(make_corpus: Any) -> None:
    songs = songs_of(30, artist=[HOSTILE] * 15 + ["b"] * 15, genre=[HOSTILE] * 15 + ["b"] * 15, language=[HOSTILE] * 30)
    songs = songs.with_columns(lyrics=pl.lit(f"{HOSTILE}\n" * 9), title=pl.lit(HOSTILE), mood=pl.col("artist"))
    copies = pl.DataFrame({
        "id": [0, 1], "cluster": [0, 0], "kind": ["first", "near"], "jaccard": [1.0, 0.6],
        "title": [HOSTILE, HOSTILE], "artist": [HOSTILE, "b"], "split": ["train", None],
    })  # fmt: skip
    explored = explore(str(make_corpus(songs, duplicates=copies).path))
    html = html_of(explored)
    assert html.count("<script") == 1  # the page's own
    assert "<img" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", html)
    assert "&lt;script&gt;" in html
    assert "\x1b" not in explored.summary()
    for path in (explored.path / "figures").iterdir():
        assert not [e for e in ET.parse(path).iter() if e.tag.endswith("}script")]  # noqa: S314 - our own


def test_covers_stand_side_by_side_and_the_leak_is_measured(make_corpus: Any) -> None:
    copies = pl.DataFrame(
        {
            "id": [0, 1000, 7, 14],
            "cluster": [0, 0, 7, 7],
            "kind": ["first", "near", "first", "exact"],
            "jaccard": [1.0, 0.625, 1.0, 1.0],
            "title": ["Yesterday's Rain", "Yesterdays Rain", "Alone", "Alone (live)"],
            "artist": ["Act 0", "Somebody Else", "Act 0", "ACT 0"],
            "split": ["train", None, "train", "train"],
        }
    )
    explored = explore(str(make_corpus(songs_of(), duplicates=copies).path))
    copies_found = explored.found["near_copies"]
    assert (copies_found["clusters"], copies_found["covers"]) == (2, 1)
    assert copies_found["list"][0]["cover"] is True
    assert copies_found["list"][0]["jaccard"] == 0.625
    html = html_of(explored)
    assert "Act 0 – Yesterday&#39;s Rain" in html
    assert "Somebody Else – Yesterdays Rain (dropped)" in html
    leak = explored.found["leak"]
    assert leak["random"]["test"] == 9
    assert leak["random"]["artist"] == 1
    assert leak["corpus"] == {"test": 9, "artist": 1.0, "near_copy": 0.0}


def test_songs_that_name_their_label_and_contained_songs_are_told(make_corpus: Any, tmp_path: Path) -> None:
    songs = pl.DataFrame(
        {
            "artist": ["Ann Gravel", "The Tides", "Bob", None] * 10,
            "genre": ["rap", "folk"] * 20,
            "lyrics": ["Ann Gravel here\nwe go", "tides come\nand go", "no names\nin this", "rap and rap"] * 10,
        }
    )
    corpus = make_corpus(songs)
    pair = {"id": 1, "within": 5, "shared": 30, "containment": 0.75, "jaccard": 0.2, "title": "<b>Tide</b>"}
    pair |= {
        "artist": "The Tides",
        "within_title": "High Tide",
        "within_artist": "Bob",
        "split": "train",
        "within_split": "train",
    }
    pl.DataFrame([pair], schema=PAIRS).write_parquet(corpus.path / "contained.parquet")
    explored = explore(str(corpus.path), out=str(tmp_path / "e"))
    assert explored.found["mentions"] == {"artist": {"known": 30, "named": 20}, "genre": {"known": 40, "named": 0}}
    assert "artist in 20 of 30 songs (66.7%)" in explored.summary()
    assert "contained in other songs (live versions, excerpts, remixes): 1 song" in explored.summary()
    page = (tmp_path / "e" / "explore.html").read_text(encoding="utf-8")
    assert "Labels that the lyrics name" in page
    assert "High Tide" in page
    assert "<b>Tide</b>" not in page
    assert "High Tide" in (tmp_path / "e" / "tables" / "contained.csv").read_text(encoding="utf-8")


def test_near_copies_that_were_not_looked_for_are_not_called_absent(make_corpus: Any) -> None:
    explored = explore(str(make_corpus(songs_of(), settings={"duplicates": "keep"}).path))
    assert explored.found["leak"]["random"]["near_copy"] is None
    assert "not looked for" in html_of(explored)
    assert "near-cop" not in explored.summary()


def test_section_headers_are_counted_where_they_are_kept(make_corpus: Any) -> None:
    text = "[verse]\none two three\nfour\n\n[chorus]\nfive six\n\n[verse]\nseven"
    songs = pl.DataFrame({"lyrics": [text, "plain words only", text] * 10})
    cleaning = {"sections": "keep", "parentheses": "keep", "off": []}
    found = find(make_corpus(songs, settings={"cleaning": cleaning}), top=30)
    assert found["sections"] == {"kept": True, "songs_with": 20, "kinds": {"verse": 20, "chorus": 20}}
    assert found["lengths"]["words"]["spread"]["max"] == 7
    assert found["lengths"]["lines"]["spread"]["max"] == 4


def test_lost_line_breaks_are_told(make_corpus: Any) -> None:
    songs = songs_of(30).with_columns(lyrics=pl.col("lyrics").str.replace_all("\n", " "))
    explored = explore(str(make_corpus(songs).path))
    assert explored.found["lengths"]["one_line"] == 30
    assert "had lost their line breaks" in html_of(explored)


def test_an_artist_written_in_two_ways_is_one(make_corpus: Any) -> None:
    songs = songs_of(30, artist=["The Band"] * 20 + ["the band!"] * 9 + [None])
    artists = find(make_corpus(songs), top=30)["artists"]
    assert artists["songs"] == [{"artist": "The Band", "songs": 29, "share": 1.0}]
    assert artists["missing"] == 1


def test_many_artists_and_genres_are_shown_as_the_commonest(make_corpus: Any) -> None:
    n = 1500
    songs = songs_of(n, artist=[f"Artist {i % 1308}" for i in range(n)], genre=[f"genre {i % 40}" for i in range(n)])
    explored = explore(str(make_corpus(songs).path), top=10)
    assert explored.found["artists"]["different"] == 1308
    assert len(explored.found["artists"]["songs"]) == 10
    html = html_of(explored)
    assert "The 10 artists with the most songs" in html
    assert "25 others" in html
    assert "--top 10" in html


def test_kept_columns_are_shown(make_corpus: Any) -> None:
    songs = songs_of(60).with_columns(
        mood=pl.Series(["glad", "sad", None] * 20), link=pl.Series([f"l{i}" for i in range(60)])
    )
    explored = explore(str(make_corpus(songs).path))
    assert explored.found["columns"]["mood"]["missing"] == 20
    assert "Songs by mood" in html_of(explored)
    assert "link: 60 different values" in html_of(explored)


def test_a_song_with_several_labels_counts_for_each(make_corpus: Any) -> None:
    labels = ["rock|pop", "pop|rock", "folk", "rock", "pop | folk", "pop"]
    table = songs_of(240).with_columns(
        genre=pl.Series([labels[i % 6] for i in range(240)]), year=pl.int_range(240) // 120 * 10 + 1970
    )
    table = table.with_columns(
        lyrics=pl.col("genre").str.replace_all("|", " and ", literal=True) + "\n" + pl.col("lyrics")
    )
    table = table.with_columns(genre=pl.when(pl.int_range(240) >= 6).then("genre"), mood=pl.col("genre"))
    explored = explore(str(make_corpus(table).path))
    found = explored.found
    genres = found["genres"]
    assert [(row["genre"], row["songs"], row["share"]) for row in genres["songs"]] == [
        ("pop", 156, 156 / 234), ("rock", 117, 0.5), ("folk", 78, 78 / 234),
    ]  # fmt: skip
    assert (genres["different"], genres["known"], genres["missing"], genres["labels"]) == (3, 234, 6, 351)
    assert [(row["genre"], row["songs"], row["artists"]) for row in genres["profiles"]] == [
        ("pop", 156, 7), ("rock", 117, 7), ("folk", 78, 7),
    ]  # fmt: skip
    assert found["mentions"]["genre"] == {"known": 234, "named": 234}
    assert {row["genre"]: row["songs"] for row in found["words"]["genre"]} == {"pop": 156, "rock": 117, "folk": 78}
    telling = {row["genre"]: {w["word"]: w["songs"] for w in row["words"]} for row in found["words"]["genre"]}
    assert all(
        words[genre] == found["genres"]["songs"][place]["songs"] for place, (genre, words) in enumerate(telling.items())
    )
    assert [(row["genre"], row["songs"]) for row in found["trends"]["genre"]] == [
        ("pop", 156),
        ("rock", 117),
        ("folk", 78),
    ]
    assert [(row["value"], row["songs"]) for row in found["columns"]["mood"]["songs"]] == [
        ("pop", 160),
        ("rock", 120),
        ("folk", 80),
    ]
    assert set(pl.read_csv(explored.path / "tables" / "genres.csv")["genre"]) == {"pop", "rock", "folk"}
    assert "genres: 3, most pop (66.7%); a song with several genres counts for each" in explored.summary()
    assert html_of(explored).count("A song with several genres counts for each") == 1
    assert "rock|pop" not in html_of(explored)


def test_a_single_label_is_not_said_to_count_several_times(usual: Explored) -> None:
    assert "labels" not in usual.found["genres"]
    assert "counts for each" not in usual.summary() + html_of(usual)


def test_the_order_of_several_labels_is_no_doubt(make_corpus: Any) -> None:
    labels = ["rock|pop", "pop|rock", "folk", "rock", "pop", "pop|folk"]
    table = songs_of(60).with_columns(
        genre=pl.Series([labels[i % 2] if i < 20 else labels[i % 6] for i in range(60)]),
        artist=pl.Series(["Pair" if i < 20 else f"Act {i}" for i in range(60)]),
    )
    assert find(make_corpus(table), 30)["doubtful"]["listed"] == 0


def test_a_kept_column_may_be_called_as_what_is_measured(make_corpus: Any) -> None:
    names = ["words", "lines", "tokens", "sections", "repetition", "songs", "share", "n", "general"]
    songs = songs_of(60)
    explored = explore(str(make_corpus(songs.with_columns(pl.lit("a").alias(name) for name in names)).path))
    assert list(explored.found["columns"]) == names
    for told in explored.found["columns"].values():
        assert told["songs"] == [{"value": "a", "songs": 60, "share": 1.0}]
    assert explored.found["lengths"] == find(make_corpus(songs), top=30)["lengths"]


def test_years_far_off_do_not_stretch_the_picture(make_corpus: Any) -> None:
    songs = songs_of(500, year=[1] + [1990 + i % 20 for i in range(498)] + [9999])
    assert "2 songs of years outside are at the ends." in html_of(explore(str(make_corpus(songs).path)))


def test_wrong_use_is_told(make_corpus: Any, tmp_path: Path) -> None:
    corpus = make_corpus(songs_of(30))
    with pytest.raises(UsageError, match="--top is a number of artists"):
        explore(str(corpus.path), top=0)
    with pytest.raises(LyristError, match="There is no corpus"):
        explore(str(tmp_path / "nowhere"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(LyristError, match="choose another --out"):
        explore(str(corpus.path), out=str(tmp_path / "taken"))
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["thesis.txt"]


def test_exploring_again_replaces_the_earlier_page(make_corpus: Any) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": ["a few words"]}))
    explore(str(corpus.path), top=5)
    assert explore(str(corpus.path), top=6).found["top"] == 6
    assert not list(corpus.path.glob("*.partial"))
    assert Corpus.open(corpus.path).songs().height == 1


# --------------------------------------------------------------------------------------------------------- measures


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abÉß'’ \n-.1日ñ_İ"), min_size=1, max_size=6))
def test_measures_of_columns_are_those_of_the_words(texts: list[str]) -> None:
    found = profile._measured(pl.DataFrame({"id": range(len(texts)), "lyrics": texts}), headers=False)
    assert found["tokens"].to_list() == [words(text) for text in texts]
    assert found["words"].to_list() == [len(words(text)) for text in texts]
    assert found["lines"].to_list() == [len(lines(text)) for text in texts]
    assert found["repetition"].to_list() == pytest.approx([repetition(text) for text in texts])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=12), min_size=1, max_size=6), st.integers(1, 6))
def test_diversity_is_the_mean_over_all_windows(texts: list[list[str]], window: int) -> None:
    frame = pl.DataFrame(
        {"id": range(len(texts)), "tokens": texts}, schema={"id": pl.Int64, "tokens": pl.List(pl.String)}
    )
    expected = {
        i: np.mean([len(set(text[start : start + window])) / window for start in range(len(text) - window + 1)])
        for i, text in enumerate(texts)
        if len(text) >= window
    }
    found = dict(profile.diversity(frame, window).iter_rows())
    assert found.keys() == expected.keys()
    for i, value in expected.items():
        assert found[i] == pytest.approx(value)


def test_a_sample_is_drawn_by_hash_and_holds_the_commonest_artists() -> None:
    n = 5_000
    artists = ["Common"] * 200 + ["Second"] * 100 + [f"Rare {i}" for i in range(n - 300)]
    labels = pl.DataFrame({"id": range(n), "artist": artists})
    drawn = profile.draw(labels, top=2, seed=0, most=300)
    assert len(drawn) <= 300
    assert drawn["id"].n_unique() == len(drawn)
    assert drawn["general"].sum() == 180
    theirs = drawn.join(labels, on="id")["artist"].value_counts()
    counts = dict(theirs.iter_rows())
    assert counts["Common"] >= 55
    assert counts["Second"] >= 55
    assert profile.draw(labels.reverse(), top=2, seed=0, most=300).sort("id").equals(drawn.sort("id"))
    assert not profile.draw(labels, top=2, seed=1, most=300).sort("id").equals(drawn.sort("id"))
    assert len(profile.draw(labels, top=2, seed=0, most=n)) == n


@given(st.lists(st.integers(0, 5000), max_size=50))
def test_histograms_lose_no_song(values: list[int]) -> None:
    found = profile.binned(pl.Series(values, dtype=pl.Int64))
    assert sum(found["counts"]) == len(values)
    assert len(found["edges"]) == len(found["counts"]) + 1


# ------------------------------------------------------------------------------------------------------------ terms


def weighed(texts: list[str], languages: list[str | None]) -> profile.Weighted:
    return profile.weigh(pl.DataFrame({"tokens": [words(text) for text in texts], "language": languages}))


def test_stop_words_and_their_contractions_weigh_nothing() -> None:
    for word in ("the", "you're", "didn't", "won't", "dont", "we've", "that's"):
        assert profile.is_stop_word(word)
    for word in ("love", "night", "rock'n'roll", "baby's"):
        assert not profile.is_stop_word(word)


def test_stop_words_of_another_language_are_told_by_how_many_songs_have_them() -> None:
    german = [f"die nacht und der wald {word}" for word in ("fluss", "berg", "stern", "haus", "wind", "feuer")]
    english = ["we die in the night of fire", "they die by the river"]
    found = weighed([*german, *english], ["de"] * 6 + ["en"] * 2)
    weight = {word: found.weights[:, [i]].toarray().ravel() for i, word in enumerate(found.words)}
    assert not weight["die"][:6].any()
    assert weight["die"][6:].all()
    assert weight["stern"].any()


def test_the_refrain_of_one_song_does_not_tell_an_artist() -> None:
    texts = ["hello moon " * 9] + ["ocean waves"] * 9 + ["desert sand"] * 10
    found = weighed(texts, ["en"] * 20)
    told = profile.characteristic(found, ["a"] * 10 + ["b"] * 10, ["a", "b", "c"])
    assert [word for word, _, _ in told["a"]] == ["ocean", "waves"]
    assert {word for word, _, _ in told["b"]} == {"desert", "sand"}
    assert "c" not in told


def test_nothing_is_told_of_a_group_that_is_all_there_is() -> None:
    assert profile.characteristic(weighed(["moon river"] * 8, ["en"] * 8), ["a"] * 8, ["a"]) == {}


def test_no_text_at_all_has_no_words() -> None:
    found = weighed(["", "1 2 3"], [None, None])
    assert found.words == []
    assert profile.common(found, np.ones(2, dtype=bool)) == {}


# -------------------------------------------------------------------------------------------------------- real data


@pytest.mark.skipif(not (DATA / "songs" / "songdata_part.csv").exists(), reason="the real table is not here")
def test_a_real_table(tmp_path: Path) -> None:
    corpus = prepare(str(DATA / "songs" / "songdata_part.csv"), out=str(tmp_path / "corpus")).corpus
    found = find(corpus, top=30)
    assert found["artists"]["different"] == 67
    assert len(found["artists"]["songs"]) == 30
    assert found["near_copies"]["covers"] >= 10
    assert found["leak"]["random"]["near_copy"] > 0
    assert found["leak"]["corpus"]["near_copy"] == 0
    assert 0.3 < found["repetition"]["songs"]["p50"] < 0.8


def test_a_spreadsheet_reads_no_cell_of_the_tables_as_a_formula(make_corpus: Any, tmp_path: Path) -> None:
    starts = ["=", "+", "-", "@", "\t", "\r"]
    corpus = make_corpus(songs_of(artist=[f"{starts[i % 6]}act{i % 6}" for i in range(90)]))
    found = find(corpus, 30)
    for raw, before in ((False, "'"), (True, "")):
        folder = tmp_path / f"raw-{raw}"
        _write_tables(found, folder, raw)
        tables = [pl.read_csv(file, infer_schema=False) for file in folder.glob("*.csv")]
        artists = {name for table in tables if "artist" in table.columns for name in table["artist"].to_list()}
        assert artists - {None} == {f"{before}{start}act{i}" for i, start in enumerate(starts)}
