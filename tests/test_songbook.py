"""The songbook is what it says: enough songs, by hand, under CC0; and its table holds what was planted."""

import csv
from collections import Counter
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from lyrist.corpus.languages import detect
from lyrist.songbook import Planted, Song, songbook, write_songbook
from lyrist.text import lines, words


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return songbook()


def lyric_lines(song: Song) -> list[str]:
    return [line for line in lines(song.lyrics) if not line.startswith("[")]


def test_three_acts_in_each_of_four_genres_have_thirty_songs_or_more(songs: list[Song]) -> None:
    acts = Counter((song.artist, song.genre) for song in songs)
    assert Counter(genre for _, genre in acts) == dict.fromkeys(("folk", "pop", "rap", "rock"), 3)
    assert len({artist for artist, _ in acts}) == 12
    assert min(acts.values()) >= 30
    assert len(songs) >= 360


def test_every_song_has_verses_and_a_chorus_that_returns(songs: list[Song]) -> None:
    for song in songs:
        count = sum(len(words(line)) for line in lyric_lines(song))
        assert 60 <= count <= 300, (song.title, count)
        assert song.lyrics.startswith("["), song.title
        assert song.lyrics.count("[Verse") >= 2, song.title
        assert song.lyrics.count("[Chorus]\n") >= 2, song.title


def test_some_songs_are_in_spanish_french_and_portuguese(songs: list[Song]) -> None:
    found = Counter(detect(pl.Series([song.lyrics for song in songs]))[0])
    assert found.keys() == {"en", "es", "fr", "pt"}
    assert all(count >= 2 for count in found.values())


def test_all_acts_share_a_layout(songs: list[Song]) -> None:
    """Punctuation and capitals say nothing about the act: lines begin with a capital, and no comma or full stop ends them."""
    for song in songs:
        for line in lyric_lines(song):
            assert line[0].isupper(), (song.title, line)
            assert line[-1].isalnum(), (song.title, line)


def test_songs_are_not_made_from_templates(songs: list[Song]) -> None:
    homes = Counter(line.lower() for song in songs for line in set(lyric_lines(song)))
    assert sum(count == 1 for count in homes.values()) >= 0.9 * len(homes)
    assert len({word for song in songs for word in words(song.lyrics)}) >= 2_500


def test_titles_differ_and_years_are_sensible(songs: list[Song]) -> None:
    assert len({song.title for song in songs}) == len(songs)
    assert all(1970 <= song.year <= 2025 for song in songs)


def test_the_songs_are_dedicated_to_the_public_domain() -> None:
    text = (files("lyrist.songbook") / "README.md").read_text(encoding="utf-8")
    assert "CC0 1.0" in text


def test_the_table_holds_every_song_and_what_was_planted(songs: list[Song], tmp_path: Path) -> None:
    planted = write_songbook(tmp_path / "songs.csv")
    with (tmp_path / "songs.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))[1:]
    assert len(rows) == planted.rows
    assert [row[4] for row in rows[: len(songs)]] == [song.lyrics for song in songs]
    assert sum(len(row) != 5 for row in rows) == Planted.malformed
    assert sum("You might also like" in row[4] for row in rows) == Planted.exact
    write_songbook(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "songs.csv").read_bytes()
