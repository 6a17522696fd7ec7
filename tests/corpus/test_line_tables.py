"""Tables with one row per line: rows become songs in order, whatever the columns are called, and nothing is half read."""

import csv
import io
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lyrist.cli import run
from lyrist.corpus.columns import recognise
from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.errors import LyristError

NOUNS = ["harbour", "kettle", "lantern", "pocket", "winter", "ribbon", "marble", "gravel", "saddle", "thunder"]
VERBS = ["carries", "follows", "borrows", "buries", "colours", "forgets"]


def line(chance: random.Random) -> str:
    return f"the {chance.choice(NOUNS)} {chance.choice(VERBS)} the {chance.choice(NOUNS)} {chance.randrange(999)}"


def songs(count: int = 5, seed: int = 1) -> dict[tuple[str, str], list[str]]:
    chance = random.Random(seed)
    return {
        (f"Artist {i % 2}", f"Song {i}"): [line(chance) for _ in range(chance.randint(8, 14))] for i in range(count)
    }


def rows_of(lyrics: dict[tuple[str, str], list[str]]) -> list[dict[str, Any]]:
    return [
        {"artist": artist, "title": title, "number": n, "text": text}
        for (artist, title), lines in lyrics.items()
        for n, text in enumerate(lines, 1)
    ]


def table(header: dict[str, str], rows: list[dict[str, Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([list(header), *([row.get(value, value) for value in header.values()] for row in rows)])
    return out.getvalue()


def read(path: Path, lines: str = "auto", **given_: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Reader]:
    (source,) = find_sources([path])
    header, sample = sniff(source)
    columns = recognise(header, given=given_, sample=sample, source_name=source.name, lines=lines)
    reader = Reader(source, columns)
    found, rejected = [], []
    for chunk in reader:
        found += chunk.songs.to_pylist()
        rejected += chunk.rejected.to_pylist()
    assert sorted(row["row"] for row in found + rejected) == [*range(1, reader.rows + 1)]
    return found, rejected, reader


def lyrics_of(found: list[dict[str, Any]]) -> dict[tuple[str, str], list[str]]:
    return {(song["artist"], song["title"]): song["lyrics"].split("\n") for song in found}


HEADERS = [
    {"artist": "artist", "track_title": "title", "track_n": "1", "lyric": "text", "line": "number"},
    {"Artist": "artist", "Song": "title", "Line Number": "number", "Text": "text"},
    {"song_name": "title", "artist_name": "artist", "album_name": "An album", "lyric": "text", "line_number": "number"},
    {"singer": "artist", "title": "title", "lyrics": "text"},
    {"interpret": "artist", "titel": "title", "zeile_nr": "number", "text": "text"},
]


@pytest.mark.parametrize("header", HEADERS)
def test_the_lines_of_each_song_are_joined_in_order_and_it_is_reported(tmp_path: Path, header: dict[str, str]) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(table(header, rows_of(songs())))
    found, rejected, reader = read(path)
    assert lyrics_of(found) == songs()
    assert rejected == []
    (note,) = reader.notes
    assert note.startswith(f"its {len(rows_of(songs())):,} rows are lines, joined to 5 songs by ")
    assert "--lines keep" in note


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_numbered_lines_are_put_in_order_wherever_they_are(tmp_path: Path, chance: random.Random) -> None:
    rows = rows_of(songs())
    chance.shuffle(rows)
    path = tmp_path / "lines.csv"
    path.write_text(table(HEADERS[1], rows))
    found, rejected, _ = read(path)
    assert (lyrics_of(found), rejected) == (songs(), [])


def test_two_songs_of_one_title_are_two(tmp_path: Path) -> None:
    one = rows_of(songs(1))
    path = tmp_path / "lines.csv"
    path.write_text(table(HEADERS[1], [*one, *one[:5]]))
    found, rejected, _ = read(path)
    assert [song["lyrics"].split("\n") for song in found] == [[row["text"] for row in rows] for rows in (one, one[:5])]
    random.Random(3).shuffle(both := [*one, *one[:5]])
    path.write_text(table(HEADERS[1], [*both, *rows_of(songs(5, seed=2))]))
    found, rejected, _ = read(path)
    assert {row["reason"] for row in rejected} == {"stray-line"}
    assert len(rejected) + sum(song["lyrics"].count("\n") + 1 for song in found) == len(both) + len(
        rows_of(songs(5, seed=2))
    )


def test_blank_lines_part_sections_and_lines_without_a_title_are_named(tmp_path: Path) -> None:
    rows = rows_of(songs(2))
    rows[3]["text"] = ""
    rows[5] |= {"title": "", "artist": ""}
    path = tmp_path / "lines.csv"
    path.write_text(table(HEADERS[1], rows))
    found, rejected, _ = read(path)
    assert found[0]["lyrics"].split("\n")[3] == ""
    assert [(row["row"], row["reason"]) for row in rejected] == [(3, "stray-line")]
    assert "row 6 of the table" in rejected[0]["detail"]
    for row in rows:
        row |= {"title": "", "artist": ""} if row["number"] > 1 else {}
    path.write_text(table(HEADERS[1], rows))
    with pytest.raises(
        LyristError, match=r"lines\.csv has one row per line, and most rows have no value of Song, Artist"
    ):
        read(path, "join")


def test_lines_in_a_column_called_line_are_text_and_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(table({"artist": "artist", "song": "title", "line": "text"}, rows_of(songs())))
    assert lyrics_of(read(path)[0]) == songs()


def test_rows_that_look_like_lines_are_never_silently_songs(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    rows = rows_of(songs())
    path.write_text(table({"line": "number", "lyric": "text"}, rows))
    with pytest.raises(LyristError, match=r"lines\.csv look like single lines.*no column says of which song.*--title"):
        read(path)
    path.write_text("text\n" + "\n".join(row["text"] for row in rows))
    with pytest.raises(LyristError, match="no column says of which song"):
        read(path)
    random.Random(1).shuffle(rows := rows_of(songs(200)))
    path.write_text(table(HEADERS[3], rows))
    with pytest.raises(LyristError, match=r"look like single lines, 1\d\.\d for each title; give --lines join"):
        read(path)
    path.write_text(table(HEADERS[3], rows_of(songs(200))[::7]))
    with pytest.raises(LyristError, match=r"songs have [12]\.\d rows in its first part; sort the table.*--lines keep"):
        read(path)
    words = [{**row, "text": word} for row in rows_of(songs()) for word in row["text"].split()]
    path.write_text(table(HEADERS[1], words))
    with pytest.raises(LyristError, match=r"The rows of lines\.csv are single words; join the words"):
        read(path)

    path.write_text(table({"work": "title", "number": "number", "text": "text"}, rows_of(songs())))
    with pytest.raises(LyristError, match=r"look like single lines.*'work' may say of which song.*--title work"):
        read(path)


@pytest.mark.parametrize("section", ["verse", "number"])
def test_rows_of_sections_are_joined_to_songs(tmp_path: Path, section: str) -> None:
    parts = [
        {
            "artist": "Ann",
            "title": f"Song {song}",
            "number": part,
            "verse": f"Verse {part}",
            "text": f"one {song} {part}\ntwo",
        }
        for song in range(4)
        for part in (1, 2, 3)
    ]
    path = tmp_path / "sections.csv"
    random.Random(0).shuffle(parts) if section == "number" else None
    path.write_text(table({"artist": "artist", "title": "title", "section": section, "lyrics": "text"}, parts))
    found, rejected, reader = read(path)
    wanted = {("Ann", f"Song {n}"): [f"one {n} 1", "two", f"one {n} 2", "two", f"one {n} 3", "two"] for n in range(4)}
    assert (lyrics_of(found), rejected) == (wanted, [])
    assert "joined to 4 songs" in reader.notes[0]
    assert len(read(path, "keep")[0]) == len(parts)


def test_each_row_is_a_song_where_it_is_said_or_shows(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(table(HEADERS[1], rows_of(songs())))
    found, _, reader = read(path, "keep")
    assert len(found) == len(rows_of(songs()))
    assert reader.notes == []
    whole = [
        {"artist": "A", "title": "T", "text": "\n".join(lines), "number": n} for n, lines in enumerate(songs().values())
    ]
    path.write_text(table(HEADERS[1], whole * 4))
    assert len(read(path)[0]) == 20
    rhymes = [
        {"artist": "A", "title": f"T {n}", "text": text["text"], "number": n} for n, text in enumerate(rows_of(songs()))
    ]
    path.write_text(table(HEADERS[1], rhymes))
    assert len(read(path)[0]) == len(rhymes)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_corpus_of_lines_adds_up_and_says_so(tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.DataFrame(rows_of(songs(12))).rename({"number": "line", "text": "lyric"}).with_columns(year=pl.lit(2001))
    path = tmp_path / f"lines.{ending}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[ending](path)
    assert run(["prepare", str(path), "--out", str(tmp_path / "c"), "--validation", "0", "--test", "0", "--quiet"]) == 0
    assert f"lines.{ending}: its {len(frame)} rows are lines, joined to 12 songs" in capsys.readouterr().out
    corpus = prepare(str(path), out=str(tmp_path / "c2"), validation=0, test=0).corpus
    assert corpus.ledger.read == 12 == corpus.ledger.kept + sum(corpus.ledger.dropped.values())
    assert set(corpus.songs()["year"]) == {2001}
    assert {s["title"]: s["lyrics"].split("\n") for s in corpus.songs().to_dicts()} == {
        title: lines for (_, title), lines in songs(12).items()
    }
