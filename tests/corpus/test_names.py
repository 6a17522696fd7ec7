"""Names are compared without what spells one artist or title in several ways, and kept as the table has them."""

import html
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist.corpus.cleaning import Cleaning, clean_names
from lyrist.corpus.duplicates import covers, notices
from lyrist.corpus.names import artist_key, masked, mentions, title_key
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.text import artist_of, singers
from songtables.fouracts import songbook

ONE_ARTIST = [
    [
        "Zoë & The Élans",
        "Zoe\u0308 &amp; The E\u0301lans",
        "ZOË AND THE ÉLANS",
        "zoë &amp;amp; the élans",
        "Zoë + the Élans!",
    ],
    ["The Low Tides", "Low Tides, The", "low tides", "THE LOW TIDES", " The  Low Tides "],
    [
        "Ann Gravel",
        "Ann Gravel feat. Bob Copper",
        "Ann Gravel (ft. Bob)",
        "ANN GRAVEL featuring Bob",
        "Ann Gravel, feat. B.",
    ],
    ["Gravel 'n' Sand", "Gravel ’n’ Sand", "Gravel n Sand"],
    ["The The", "THE THE"],
    ["G.R.V.", "GRV", "g.r.v."],
    ["!!!", " !!! "],
    ["Ｆｕｌｌｗｉｄｔｈ", "fullwidth"],
]


@pytest.mark.parametrize("spellings", ONE_ARTIST)
def test_spellings_of_one_artist_have_one_key(spellings: list[str]) -> None:
    assert len({artist_of(name) for name in spellings}) == 1


def test_different_artists_have_different_keys() -> None:
    names = [spellings[0] for spellings in ONE_ARTIST]
    names += ["Feat", "Defeat", "Ann", "Featherweight", "Low Tide", "Theo", "Anderson", "Android", "Left Eye"]
    assert len({artist_of(name) for name in names}) == len(names)


@given(st.text(max_size=30))
def test_a_key_does_not_depend_on_the_form_of_unicode_on_entities_or_on_case(name: str) -> None:
    found = artist_of(name)
    assert artist_of(unicodedata.normalize("NFD", name)) == artist_of(unicodedata.normalize("NFC", name))
    assert artist_of(html.escape(name)) == found
    assert artist_of(found) == found or "the" in found or "feat" in found or "ft" in found


@given(st.lists(st.none() | st.text(max_size=12), max_size=20))
def test_the_expression_gives_each_row_its_key(names: list[str | None]) -> None:
    table = pl.DataFrame({"artist": names}, schema={"artist": pl.String})
    assert table.select(artist_key()).to_series().to_list() == [
        artist_of(name) or None if name else None for name in names
    ]


def test_editions_of_a_title_are_one_title() -> None:
    titles = [
        "Low Tide",
        "Low Tide (Live)",
        "LOW TIDE - Remix",
        "Low Tide [2009]",
        "Low Tide, Pt. 2",
        "low tide remastered",
    ]
    table = pl.DataFrame({"title": [*titles, "(Untitled)", "Live", None]})
    assert table.select(title_key()).to_series().to_list() == ["low tide"] * 6 + ["untitled", "live", None]


# --- covers and notes


def cluster(*songs: tuple[str | None, str]) -> bool:
    found = pl.DataFrame(
        {"id": range(len(songs)), "cluster": 0, "artist": [a for a, _ in songs], "title": [t for _, t in songs]}
    )
    return bool(covers(found)["cover"][0])


@pytest.mark.parametrize(
    ("songs", "cover"),
    [
        ([("Ann", "Tide"), ("Bob", "Tide")], True),
        ([("Ann & Bob", "Tide"), ("Ann", "Tide"), ("Bob", "Tide")], False),
        ([("Ann feat. Bob", "Tide"), ("Bob feat. Ann", "Tide")], False),
        ([("Ann", "Tide (feat. Bob)"), ("Bob", "Tide")], False),
        ([("Ann, Bob and Cleo", "Tide"), ("Cleo", "Tide")], False),
        ([("Ann & Bob", "Tide"), ("Cleo", "Tide")], True),
        ([("The Anns", "Tide"), ("Anns, The", "Tide"), (None, "Tide")], False),
    ],
)
def test_a_song_listed_under_each_of_its_singers_is_no_cover(songs: list[tuple[str | None, str]], cover: bool) -> None:
    assert cluster(*songs) == cover


def test_one_text_under_many_titles_is_a_note_and_a_carol_is_none() -> None:
    carol = [
        (f"Act {number}", f"Silent Tide{edition}") for number, edition in enumerate(["", " (Live)", " - Remix"] * 9)
    ]
    note = [(f"Act {number % 3}", f"Song {number}") for number in range(9)]
    rows = [(0, *song) for song in carol] + [(1, *song) for song in note] + [(2, f"Act {n}", None) for n in range(8)]
    frame = pl.DataFrame(rows, schema=["cluster", "artist", "title"], orient="row")
    assert notices(frame).rows() == [(1, 9, 3), (2, 0, 8)]


NOTE = "These words were taken down at the wish of those who own them, and we cannot show them on this page any more."


def test_a_note_is_dropped_with_its_text_and_copies_nothing(tmp_path: Path) -> None:
    rows = [{"artist": song.artist, "title": song.title, "lyrics": song.lyrics} for song in songbook()[:60]]
    rows += [
        {"artist": f"Act {n % 4}", "title": f"Lost {n}", "lyrics": NOTE if n % 2 else NOTE.upper()} for n in range(8)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    prepared = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "c"))
    corpus = prepared.corpus
    assert corpus.ledger.dropped == {"site-notice": 8}
    assert "under 8 titles and 4 artists" in prepared.summary()
    assert NOTE[:60].lower() in prepared.summary().lower()
    assert corpus.info["counts"]["clusters"]["covers"] == 0
    assert corpus.duplicates.is_empty()


# --- cleaning


def test_titles_and_artists_are_repaired_and_otherwise_stay() -> None:
    raw = [
        "Zo\u00c3\u00ab &amp; Co",
        "cafe\u0301",
        "\ufeffOne\u00a0Two ",
        "Don’t",
        "[Intro]",
        "Lyrics (x2)",
        None,
        "\u200b",
    ]
    names = pl.Series([*raw, "a\nb"])
    wanted = ["Zoë & Co", "café", "One Two", "Don't", "[Intro]", "Lyrics (x2)", None, None, "a b"]
    assert clean_names(names).to_list() == wanted
    assert clean_names(names, Cleaning(off=("entities",)))[0] == "Zoë &amp; Co"


def test_one_artist_in_several_spellings_is_on_one_side_and_keeps_them(tmp_path: Path) -> None:
    rows = []
    for number, song in enumerate(songbook()[:120]):
        spellings = ONE_ARTIST[number % 4] if number % 3 else [f"Act {number % 10}"]
        rows.append({"artist": spellings[number // 7 % len(spellings)], "title": song.title, "lyrics": song.lyrics})
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    for seed in range(3):
        songs = prepare(
            str(tmp_path / "songs.csv"), out=str(tmp_path / f"{seed}"), split_by="artist", seed=seed
        ).corpus.songs()
        sides = (
            songs.with_columns(key=artist_key())
            .group_by("key")
            .agg(pl.col("split").n_unique(), pl.col("artist").n_unique())
        )
        assert sides["split"].max() == 1
        assert sides["artist"].max() >= 3


def test_the_summary_counts_the_kept_songs_only(tmp_path: Path) -> None:
    rows = [{"artist": song.artist, "title": song.title, "lyrics": song.lyrics} for song in songbook()[:60]]
    rows += [{**row, "lyrics": "[Verse]\n" + str(row["lyrics"]) + "\n"} for row in rows[:20]]
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    corpus = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "c")).corpus
    counts = corpus.info["counts"]
    assert sum(counts["languages"].values()) == corpus.ledger.kept == 60
    assert max(counts["rules"].values()) <= 60


def test_singers() -> None:
    assert singers("Ann & the Bobs feat. Cleo", "Tide (with Dan)") == {"ann", "bobs", "cleo", "dan"}
    assert singers("X") == {"x"}


# --- labels that a text names


SAYS = [
    ("The Low Tides are here tonight", "Low Tides, The", True, "The ___ are here tonight"),
    ("it's zoë & the élans again", "Zoë and The Élans", True, "it's ___ again"),
    ("GRAVEL'S on the mic", "Gravel", False, "___ on the mic"),
    ("Guns 'n' Sand, guns n sand", "Guns N' Sand", True, "___, ___"),
    ("nothing to see", "Ann", False, "nothing to see"),
    ("Annual leave", "Ann", False, "Annual leave"),
    ("Ann and Cleo", "Ann feat. Cleo", True, "___ and ___"),
    ("x marks it", "X", False, "x marks it"),
    ("no label", None, False, "no label"),
    ("我是周杰伦啊", "周杰伦", True, "我是___啊"),
    ("김바다의 노래", "김바다", True, "___의 노래"),
    ("it is Zoe Elan and zoë élan", "Zoë Élan", True, "it is ___ and ___"),
    ("zoetrope", "Zoe", False, "zoetrope"),
]


@pytest.mark.parametrize(("lyrics", "artist", "named", "hidden"), SAYS)
def test_a_text_that_names_its_label_is_found_and_masked(
    lyrics: str, artist: str | None, named: bool, hidden: str
) -> None:
    table = pl.DataFrame({"lyrics": [lyrics], "artist": [artist]}, schema={"lyrics": pl.String, "artist": pl.String})
    assert table.select(mentions(pl.col("lyrics"), pl.col("artist"))).item() == named
    assert masked(table["lyrics"], table["artist"]).to_list() == [hidden]


@given(st.text(max_size=40), st.text(max_size=10))
def test_a_masked_text_is_masked_no_further_and_names_nothing(lyrics: str, artist: str) -> None:
    table = pl.DataFrame({"lyrics": [lyrics], "artist": [artist]})
    once = masked(table["lyrics"], table["artist"])
    assert masked(once, table["artist"]).to_list() == once.to_list()


def test_masked_labels_are_in_no_song_of_their_own(tmp_path: Path) -> None:
    rows = []
    for number, song in enumerate(songbook()[:60]):
        artist = ("Ann Gravel", "The Low Tides", "Bob & Cleo")[number % 3]
        rows.append({"artist": artist, "lyrics": f"{artist} sings\n{song.lyrics}" if number % 2 else song.lyrics})
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    plain = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "p")).corpus.songs()
    assert plain.select(mentions(pl.col("lyrics"), pl.col("artist")).sum()).item() == 30
    prepared = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "m"), mask_labels="artist")
    songs = prepared.corpus.songs()
    assert songs.select(mentions(pl.col("lyrics"), pl.col("artist")).sum()).item() == 0
    assert songs["lyrics"].str.contains("___ sings", literal=True).sum() == 30
    assert "masked: the artist in 30 songs" in prepared.summary()
    with pytest.raises(LyristError, match=r"--mask-labels album needs the column 'album'"):
        prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "e"), mask_labels="album")
