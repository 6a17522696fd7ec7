# ruff: noqa: E501 - a table of cases
"""JSON of many shapes holds the same songs: objects by title, artists and albums, exports of lyric services."""

import json
from pathlib import Path
from typing import Any

import pytest

from lyrist.corpus.columns import recognise
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.errors import LyristError

LINES = {i: [f"the harbour number{i} sleeps at {j}" for j in range(8)] for i in range(3)}
TEXT = {i: "\n".join(lines) for i, lines in LINES.items()}
SONG = {i: {"title": f"S{i}", "lyrics": text} for i, text in TEXT.items()}
ALL = [("Ann", "S0", TEXT[0]), ("Ann", "S1", TEXT[1]), ("Bea", "S2", TEXT[2])]
NAMELESS = [(None, title, lyrics) for _, title, lyrics in ALL]


def timed(i: int, key: str = "words") -> list[dict[str, Any]]:
    return [{"startTimeMs": str(n), key: line, "syllables": []} for n, line in enumerate(LINES[i])]


SHAPES: dict[str, tuple[Any, list[tuple[str | None, str | None, str]]]] = {
    "titles": ({f"S{i}": text for i, text in TEXT.items()}, NAMELESS),
    "titles with lists": ({f"S{i}": lines for i, lines in LINES.items()}, NAMELESS),
    "artists and titles": ({"Ann": {"S0": TEXT[0], "S1": TEXT[1]}, "Bea": {"S2": TEXT[2]}}, ALL),
    "artists, albums and titles": ({"Ann": {"Low": {"S0": TEXT[0], "S1": TEXT[1]}}, "Bea": {"High": {"S2": TEXT[2]}}}, ALL),
    "years, artists and titles": ({"1994": {"Ann": {"S0": TEXT[0], "S1": TEXT[1]}}, "1995": {"Bea": {"S2": TEXT[2]}}}, ALL),
    "artists and lists": ({"Ann": [SONG[0], SONG[1]], "Bea": [SONG[2]]}, ALL),
    "titles and objects": ({f"S{i}": {"artist": a, "lyrics": TEXT[i]} for i, a in enumerate(["Ann", "Ann", "Bea"])}, ALL),
    "artists, albums and songs": (
        {"artists": [{"name": "Ann", "albums": [{"title": "Low", "songs": [SONG[0]]}, {"title": "High", "songs": [SONG[1]]}]},
                     {"name": "Bea", "albums": [{"title": "Noon", "songs": [SONG[2]]}]}]},
        ALL,
    ),
    "a list of artists": (
        [{"artist": "Ann", "albums": [{"name": "Low", "tracks": [SONG[0], SONG[1]]}]}, {"artist": "Bea", "songs": [SONG[2]]}],
        ALL,
    ),
    "answers of a server": ([{"response": {"song": SONG[i] | {"artist": "Bea" if i > 1 else "Ann"}}} for i in range(3)], ALL),
    "pandas, split": ({"columns": ["title", "lyrics"], "index": [0, 1, 2], "data": [[f"S{i}", TEXT[i]] for i in TEXT]}, NAMELESS),
    "names that change": ([{"artist": "Ann", "title": "S0", "lyrics": TEXT[0]}, {"singer": "Ann", "song": "S1", "text": TEXT[1]},
                           {"artist": "Bea", "title": "S2", "text": TEXT[2]}], ALL),
    "Spotify": ([{"artist": ALL[i][0], "title": f"S{i}", "lyrics": {"syncType": "LINE_SYNCED", "lines": timed(i)}} for i in TEXT], ALL),
    "one song of Spotify with its provider": ({"lyrics": {"lines": timed(0), "provider": "P", "language": "en"}}, [(None, None, TEXT[0])]),
    "facts inside the song": (
        {"results": [{"track": {"name": f"S{i}", "artists": [{"name": ALL[i][0]}]}, "lyrics": TEXT[i]} for i in TEXT]}, ALL),
    "artists and titles in one key": ({f"{ALL[i][0]} - S{i}": TEXT[i] for i in TEXT}, ALL),
    "one song of Spotify": ({"lyrics": {"syncType": "LINE_SYNCED", "lines": timed(0)}, "colors": {"text": -1}}, [(None, None, TEXT[0])]),
    "LRCLIB": (
        [{"id": 1, "trackName": "S0", "artistName": "Ann", "plainLyrics": TEXT[0], "syncedLyrics": "[00:01.00]x"},
         {"id": 2, "trackName": "S1", "artistName": "Ann", "plainLyrics": None,
          "syncedLyrics": "".join(f"[00:{n:02}.00]{line}\n" for n, line in enumerate(LINES[1]))}],
        ALL[:2],
    ),
    "Musixmatch": ({"message": {"header": {"status_code": 200}, "body": {"lyrics": {"lyrics_id": 1, "lyrics_body": TEXT[0]}}}}, [(None, None, TEXT[0])]),
    "Musixmatch with times": (
        {"message": {"body": {"subtitle": {"subtitle_body": json.dumps([{"text": line, "time": {"total": 1}} for line in LINES[0]])}}}},
        [(None, None, TEXT[0])],
    ),
    "Musixmatch beside names": (
        [{"message": {"body": {"lyrics": {"lyrics_body": TEXT[i]}}}, "track_name": f"S{i}", "artist_name": ALL[i][0]} for i in TEXT], ALL),
    "pairs of time and line": (
        [{"title": f"S{i}", "artist": ALL[i][0], "lyrics": [[4.5 * n, line] for n, line in enumerate(LINES[i])]} for i in TEXT], ALL),
    "lists of words beside names": (
        [{"title": f"S{i}", "artist": ALL[i][0], "lines": [{"words": [{"string": w, "time": 1} for w in line.split()]} for line in LINES[i]]}
         for i in TEXT], ALL),
    "sections beside the title": (
        [{"title": "S0", "artist": "Ann", "sections": [{"type": "verse", "lines": LINES[0]}]}], [("Ann", "S0", f"[verse]\n{TEXT[0]}")]),
    "lines beside the title": ([{"title": f"S{i}", "lines": LINES[i]} for i in TEXT], NAMELESS),
    "sections": ([{"title": "S0", "artist": "Ann", "lyrics": [{"section": "Verse 1", "lines": LINES[0]}]}], [("Ann", "S0", f"[Verse 1]\n{TEXT[0]}")]),
}  # fmt: skip


def songs(path: Path) -> list[tuple[str | None, str | None, str]]:
    (source,) = find_sources([path])
    header, sample = sniff(source)
    found = []
    for chunk in Reader(source, recognise(header, sample=sample, source_name=source.name)):
        assert chunk.rejected.num_rows == 0
        found += [(song["artist"], song["title"], song["lyrics"]) for song in chunk.songs.to_pylist()]
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_songs_of_any_shape(tmp_path: Path, shape: str, indent: int | None) -> None:
    value, expected = SHAPES[shape]
    path = tmp_path / "songs.json"
    path.write_text(json.dumps(value, indent=indent))
    assert songs(path) == expected


@pytest.mark.parametrize(
    "shape", ["a list of artists", "answers of a server", "names that change", "Spotify", "LRCLIB"]
)
def test_one_object_a_line(tmp_path: Path, shape: str) -> None:
    value, expected = SHAPES[shape]
    path = tmp_path / "songs.jsonl"
    path.write_text("\n".join(map(json.dumps, value)))
    assert songs(path) == expected


def test_the_key_of_songs_of_several_artists_is_their_genre(tmp_path: Path) -> None:
    songs = [SONG[i] | {"artist": ALL[i][0]} for i in TEXT]
    (tmp_path / "songs.json").write_text(json.dumps({"rock": [songs[0], songs[2]], "pop": [songs[1]]}))
    (source,) = find_sources([tmp_path / "songs.json"])
    rows = next(iter(Reader(source, recognise(sniff(source)[0])))).songs.to_pylist()
    assert [(row["artist"], row["genre"]) for row in rows] == [("Ann", "rock"), ("Bea", "rock"), ("Ann", "pop")]


def test_albums_genres_and_years_come_from_the_objects_around(tmp_path: Path) -> None:
    value = {
        "artists": [{"name": "Ann", "genre": "pop", "albums": [{"title": "Low", "year": 1999, "songs": [SONG[0]]}]}]
    }
    (tmp_path / "songs.json").write_text(json.dumps(value))
    (source,) = find_sources([tmp_path / "songs.json"])
    columns = recognise(sniff(source)[0], keep=["album"])
    (song,) = next(iter(Reader(source, columns))).songs.to_pylist()
    assert (song["artist"], song["genre"], song["year"], song["album"]) == ("Ann", "pop", 1999, "Low")


@pytest.mark.parametrize(
    "value", [{"name": "x", "version": "1.0", "files": ["a", "b"]}, [{"a": 1}], {"a": {"b": 1}}, {"a": "x", "b": "y"}]
)
def test_what_holds_no_songs_is_one_sentence(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "songs.json"
    path.write_text(json.dumps(value))
    with pytest.raises(LyristError, match=r"No column of songs\.json can be recognised as the lyrics.*--lyrics COLUMN"):
        songs(path)


@pytest.mark.parametrize(("key", "lyrics"), [("songs", "lyrics"), ("data", "x")])
def test_a_song_that_is_no_object_among_songs_is_rejected(tmp_path: Path, key: str, lyrics: str) -> None:
    path = tmp_path / "songs.json"
    rows = [{"title": f"S{i}", lyrics: TEXT[i]} for i in (0, 1)]
    path.write_text(json.dumps({"artist": "Ann", key: [rows[0], 7, rows[1]]}))
    (source,) = find_sources([path])
    (chunk,) = Reader(source, recognise(["title", lyrics, "artist"], given={"lyrics": lyrics}))
    assert chunk.songs["title"].to_pylist() == ["S0", "S1"]
    assert [(row["row"], row["reason"]) for row in chunk.rejected.to_pylist()] == [(2, "damaged-json")]
