"""Cells that hold lists, objects or what Python printed are read as lyrics, and never half of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lyrist.corpus.columns import recognise
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.corpus.reading.values import CutError, lyrics_of, unprinted

LINES = ["The harbour sleeps", 'It\'s a "low" tide', "the gulls are gone"]
SONG = "\n".join(LINES)
WORDS = ["The", "harbour", "sleeps", "the", "gulls", "are", "gone", "and", "so", "are", "we"]
FIVE = " ".join(WORDS[:5]) + "\n" + " ".join(WORDS[5:])
SECTIONS = f"[Verse 1]\n{LINES[0]}\n{LINES[1]}\n\n[Chorus]\n{LINES[2]}"


def timed(key: str, parts: list[str] = LINES, **more: Any) -> list[dict[str, Any]]:
    return [{"startTimeMs": str(1000 * i), key: part, **more} for i, part in enumerate(parts)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SONG, SONG),
        (LINES, SONG),
        ([], None),
        ({}, None),
        (None, None),
        ({"lines": []}, None),
        ({"syncType": "LINE_SYNCED", "lines": timed("words", syllables=[])}, SONG),
        ({"lyrics": {"lines": timed("words")}, "colors": {"text": -1}}, SONG),
        (timed("text", time={"total": 1.5}), SONG),
        (timed("line"), SONG),
        ([{"ts": 1.0, "te": 2.0, "l": [{"c": "The", "o": 0.0}], "x": LINES[0]}, {"ts": 2, "x": LINES[1]}], "\n".join(LINES[:2])),
        ({"lines": timed("words", ["one two", "♪", "three four"])}, "one two\n\nthree four"),
        (timed("word", WORDS), " ".join(WORDS)),
        (timed("word", [f" {word}" for word in WORDS]), " ".join(WORDS)),
        ([{"word": w, "line": int(i > 4)} for i, w in enumerate(WORDS)], FIVE),
        (WORDS, " ".join(WORDS)),
        ([LINES[:2], LINES[2:]], "\n".join(LINES[:2]) + "\n\n" + LINES[2]),
        ([WORDS[:5], WORDS[5:]], FIVE),
        ([{"section": "Verse 1", "lines": LINES[:2]}, {"section": "[Chorus]", "lines": LINES[2:]}], SECTIONS),
        ([{"type": "verse", "number": 2, "text": "a b\nc d"}], "[verse 2]\na b\nc d"),
        ({"Verse 1": "a b\nc d", "Chorus": ["e f", "g h"]}, "[Verse 1]\na b\nc d\n\n[Chorus]\ne f\ng h"),
        ({"0": "a b", "2": "e f", "1": "c d"}, "a b\nc d\ne f"),
        ({"plainLyrics": SONG, "syncedLyrics": "[00:01.00]x"}, SONG),
        (["a", None, "b"], "a\nb"),
        (3.0, "3"),
    ],
)  # fmt: skip
def test_lyrics_of_any_structure(value: Any, expected: str | None) -> None:
    assert lyrics_of(value) == expected


@pytest.mark.parametrize("value", [{"dom": {"children": 1}}, {"a": 1}, [{"a": 1}], ["a", {"b": 2}], [{"t": [1]}, "x"]])
def test_a_structure_that_is_not_known_is_no_text(value: Any) -> None:
    with pytest.raises(ValueError, match=r"an object with|a list of"):
        lyrics_of(value)


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=12))
@example(["'", '"', "\\", "\n"])
@example(["a', 'b"])
def test_what_python_prints_is_read_back(lines: list[str]) -> None:
    expected = lyrics_of(lines)
    assert unprinted(str(lines)) == expected
    assert unprinted(str((*lines, "end"))) == lyrics_of([*lines, "end"])
    assert unprinted(json.dumps(lines)) == expected
    assert unprinted(str("".join(lines).encode())) == "".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (str(np.array(LINES)), SONG),
        (repr([np.str_(line) for line in LINES]), SONG),
        (str([LINES[:2], LINES[2:]]), "\n".join(LINES[:2]) + "\n\n" + LINES[2]),
        (str(timed("words")), SONG),
        (json.dumps({"lines": timed("words")}), SONG),
        ("b'caf\\xc3\\xa9'", "café"),
        ("b'caf\\xe9'", "café"),
        (repr(SONG), SONG),
        (repr(np.array(LINES, dtype=object)), SONG),
        ("[Verse 1]\n'Tis the harbour", None),
        ("'quoted'", None),
        ("['Cause we're low] the harbour", None),
        ("(\"Hey\") she said, ('no')", None),
        ("{not json}", None),
    ],
)
def test_printed_text(text: str, expected: str | None) -> None:
    assert unprinted(text) == expected


def test_a_list_that_numpy_shortened_is_refused() -> None:
    with np.printoptions(threshold=4, edgeitems=2), pytest.raises(CutError, match="shortened"):
        unprinted(str(np.array(LINES * 9)))


def songs(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    (source,) = find_sources([path])
    header, sample = sniff(source)
    chunks = list(Reader(source, recognise(header, sample=sample)))
    return [s for c in chunks for s in c.songs.to_pylist()], [r for c in chunks for r in c.rejected.to_pylist()]


def test_cells_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    cells = [
        (str(LINES), "['pop', 'rap']", SONG, "pop, rap"),
        ("a b_x000D_\nc d_x000D_\n", "NULL", "a b\nc d\n", None),
        ("a b_x000D_c d", r"\N", "a b\nc d", None),
        (r"\N", "None", None, None),
        ("nan", "nan", None, None),
        ("[Verse]\na b", "b'pop'", "[Verse]\na b", "pop"),
    ]
    rows = [[lyrics.replace('"', '""'), genre] for lyrics, genre, _, _ in cells]
    path.write_text("lyrics,genre\n" + "".join(f'"{lyrics}","{genre}"\n' for lyrics, genre in rows))
    found, rejected = songs(path)
    assert [(song["lyrics"], song["genre"]) for song in found] == [(lyrics, genre) for _, _, lyrics, genre in cells]
    assert rejected == []
    path.write_text("title,lyrics\na,\"['x' ... 'y']\"\nb,\"[{'a': 1}]\"\nc,la\n")
    found, rejected = songs(path)
    assert [song["title"] for song in found] == ["c"]
    assert [(row["row"], row["reason"]) for row in rejected] == [(1, "cut-text"), (2, "unknown-structure")]
    assert rejected[0]["detail"].startswith("line 2, column lyrics: a list that was shortened")


def test_lists_and_structures_in_parquet_and_json(tmp_path: Path) -> None:
    lists = pa.table({"title": ["a", "b"], "lyrics": [LINES, None]})
    structs = pa.table({"title": ["a", "b"], "lyrics": [{"lines": timed("words")}, {"lines": []}]})
    odd = pa.table({"title": ["a", "b"], "lyrics": [{"dom": 1}, None]})
    for table, expected in [(lists, [SONG, None]), (structs, [SONG, None]), (odd, [None])]:
        pq.write_table(table, tmp_path / "songs.parquet")
        (tmp_path / "songs.jsonl").write_text("\n".join(map(json.dumps, table.to_pylist())))
        for name in ("songs.parquet", "songs.jsonl"):
            found, rejected = songs(tmp_path / name)
            assert [song["lyrics"] for song in found] == expected
            assert [row["reason"] for row in rejected] == ["unknown-structure"] * (2 - len(expected))


@pytest.mark.parametrize("quoting", ["plain", "with backslashes"])
def test_escapes_and_nulls_of_databases(tmp_path: Path, quoting: str) -> None:
    path = tmp_path / "dump.tsv"
    end = "\\\n" if quoting == "with backslashes" else "\\n"
    rows = [f"\\N\tT{i}\ta\\\\b\\tc {i}{end}second line{end}third\n" for i in range(6)]
    path.write_text("artist\ttitle\tlyrics\n" + "".join(rows))
    found, rejected = songs(path)
    assert (len(found), rejected) == (6, [])
    assert {song["artist"] for song in found} == {None}
    if quoting == "with backslashes":
        assert found[0]["lyrics"] == "a\\b\tc 0\nsecond line\nthird"


FIRST_ROWS = {
    "long text": ('Artist A,Song A,"one line\nand another"\n', False),
    "one long line": (f"Artist A,Song A,{'word ' * 40}\n", False),
    "an artist again": ("Artist B,Song A,Instrumental\n", False),
    "a number": ("7,Song A,Instrumental\n", False),
    "names of columns": ("artist,title,lyrics\n", True),
    "unusual names": ("wykonawca,tytul,tekst\n", True),
    "numbers by pandas": ("0,1,2\n", True),
}


@pytest.mark.parametrize("first", FIRST_ROWS)
def test_a_table_without_a_header_keeps_its_first_song(tmp_path: Path, first: str) -> None:
    path = tmp_path / "songs.csv"
    text, header = FIRST_ROWS[first]
    body = "".join(f'Artist B,Song {i},"{"la " * 70}\nline {i}"\n' for i in range(5))
    path.write_text(text + body)
    (source,) = find_sources([path])
    names, sample = sniff(source)
    reader = Reader(source, recognise(names, sample=sample))
    found = [song for chunk in reader for song in chunk.songs.to_pylist()]
    assert len(found) == 5 + (not header)
    assert (names == ["column_1", "column_2", "column_3"]) == (not header)
    assert (reader.notes == []) == header
    if not header:
        columns = recognise(names, sample=sample, given={"artist": "column_1"})
        assert columns.artist == "column_1"


def test_empty_fields_beyond_the_last_column_and_alternative_names(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("title,words,\nOne,la,\nTwo,lo,,,\nThree\n")
    (source,) = find_sources([path])
    columns = recognise(sniff(source)[0], given={"lyrics": "text,words"})
    assert columns.lyrics == "words"
    (chunk,) = Reader(source, columns)
    assert [song["title"] for song in chunk.songs.to_pylist()] == ["One", "Two"]
    assert [row["reason"] for row in chunk.rejected.to_pylist()] == ["malformed-row"]
