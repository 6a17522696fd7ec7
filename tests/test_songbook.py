"""The songbook is what it says: enough songs, by hand, under CC0; and its table holds what was planted."""

import csv
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from lyrist.songbook import Planted, Song, songbook, write_songbook
from lyrist.text import lines, words


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return songbook()


def lyric_lines(song: Song) -> list[str]:
    return [line for line in lines(song.lyrics) if not line.startswith("[")]


def test_four_acts_in_four_genres_have_forty_songs_or_more(songs: list[Song]) -> None:
    acts = Counter((song.artist, song.genre) for song in songs)
    assert len(acts) == len({genre for _, genre in acts}) == 4
    assert len(songs) >= 160
    assert min(acts.values()) >= 40


def test_every_song_has_sections_and_60_to_200_words(songs: list[Song]) -> None:
    for song in songs:
        count = sum(len(words(line)) for line in lyric_lines(song))
        assert 60 <= count <= 200, (song.title, count)
        assert song.lyrics.startswith("["), song.title
        assert song.lyrics.count("[Verse") >= 2, song.title
    assert sum("[Chorus]" in song.lyrics or "[Hook]" in song.lyrics for song in songs) > 0.7 * len(songs)


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
