"""A fault in a table costs the faulty rows and no others; each has its number, a reason and the place."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lyrist.corpus.columns import recognise
from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.corpus.reading.delimited import shape_of
from lyrist.errors import LyristError

Rows = list[dict[str, Any]]


def read_all(path: Path, encoding: str = "utf-8") -> tuple[Rows, Rows, Reader]:
    """Return the songs and the rejected of a table, after checking that every number occurs once."""
    (source,) = find_sources([path])
    header, sample = sniff(source, encoding)
    reader = Reader(source, recognise(header, sample=sample, source_name=source.name), encoding)
    songs, rejected = [], []
    for chunk in reader:
        songs += chunk.songs.to_pylist()
        rejected += chunk.rejected.to_pylist()
    numbers = sorted(row["row"] for row in songs + rejected)
    assert numbers == list(range(1, reader.rows + 1))
    assert reader.sha256 is not None
    return songs, rejected, reader


def broken(path: Path, text: str | bytes) -> tuple[Rows, Rows]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_all(path)[:2]


def error_of(path: Path, text: bytes) -> str:
    path.write_bytes(text)
    with pytest.raises(LyristError) as caught:
        read_all(path)
    assert path.name in str(caught.value)
    assert caught.value.exit_code == 1
    return str(caught.value)


WORDS = [f"word{i}" for i in range(200)]


def song(chance: random.Random) -> str:
    """Return a song of some twenty lines, many with commas, some with quotation marks."""
    lines = []
    for _ in range(chance.randint(12, 30)):
        line = " ".join(chance.choices(WORDS, k=chance.randint(3, 8)))
        lines.append(line.replace(" ", ", ", chance.choice((0, 0, 1, 2, 3))))
    lines[chance.randrange(len(lines))] += ' "hey", she said'
    return "\n".join(lines)


def songbook(
    rows: int = 1000, several_lines: bool = True, quoting: int = csv.QUOTE_MINIMAL, last: bool = True, form: str = "{}"
) -> tuple[list[str], list[str]]:
    """Return the lyrics of a table, and its records as text, the header first; ``last``: the lyrics are the last column."""
    chance = random.Random(rows)
    lyrics = [form.format(song(chance)) for _ in range(rows)]
    if not several_lines:
        lyrics = [text.replace("\n", " / ").replace(",", "").replace('"', "") for text in lyrics]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", quoting=quoting)
    records = []
    for row in [
        ["title", "artist", "views", "lyrics"],
        *([f"T {i}", f"A, {i % 9}", i, t] for i, t in enumerate(lyrics)),
    ]:
        writer.writerow(row if last else [*row, "id"])
        records.append(out.getvalue())
        out.seek(0)
        out.truncate()
    return lyrics, records


def without(text: str, at: int) -> str:
    return text[:at] + text[at + 1 :]


FAULTS: dict[str, tuple[Callable[[str], str], int, str]] = {
    "lyrics not closed": (lambda r: without(r, r.rindex('"')), 1, "unclosed-quote"),
    "artist not closed": (lambda r: without(r, r.index('",')), 1, "unclosed-quote"),
    "lyrics not opened": (lambda r: r.replace(',"', ",", 2).replace(",A", ',"A', 1), 1, "malformed-row"),
    "a quote in the lyrics": (lambda r: r.replace('""hey""', '"hey"'), 1, "unclosed-quote"),
    "a field too many": (lambda r: "more," + r, 1, "malformed-row"),
    "a field too few": (lambda r: r[r.index(",") + 1 :], 1, "malformed-row"),
    "a line cut out": (lambda r: r[: r.index("\n")] + "\n", 1, "unclosed-quote"),
}


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("row", [0, 500, 999])
def test_a_fault_among_a_thousand_songs_costs_one(tmp_path: Path, fault: str, row: int, last: bool) -> None:
    lyrics, records = songbook(last=last)
    change, lost, reason = FAULTS[fault]
    line = "".join(records[: row + 1]).count("\n") + 1
    records[row + 1] = change(records[row + 1])
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    kept = [song["lyrics"] for song in songs if len(song["lyrics"]) > 100]
    assert kept == lyrics[:row] + lyrics[row + 1 :]
    assert len(rejected) <= lost
    assert len(songs) - len(kept) <= 1  # the first line of a song, when it is alone, has the form of a song
    if len(songs) == len(kept):
        assert (rejected[0]["reason"], rejected[0]["row"]) == (reason, row + 1)
        assert f"line {line}" in rejected[0]["detail"] or f"lines {line} to" in rejected[0]["detail"]


@pytest.mark.parametrize("last", [True, False])
def test_an_unclosed_quote_before_lyrics_that_begin_with_an_empty_line(tmp_path: Path, last: bool) -> None:
    lyrics, records = songbook(last=last, form="\n{}\nand so on,")
    records[501] = without(records[501], records[501].rindex('"'))
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert [song["lyrics"] for song in songs] == lyrics[:500] + lyrics[501:]
    assert [(row["row"], row["reason"]) for row in rejected] == [(501, "unclosed-quote")]


def test_songs_that_end_as_a_field_begins_lose_nothing(tmp_path: Path) -> None:
    lyrics, records = songbook(100, form="{}\nand so on,")
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert ([song["lyrics"] for song in songs], rejected) == (lyrics, [])


def test_a_song_of_several_lines_among_single_lines_loses_nothing(tmp_path: Path) -> None:
    _, records = songbook(100, several_lines=False)
    lyrics, several = songbook(3)
    for row in (50, 51, 100):
        records[row] = several[row % 3 + 1]
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert (len(songs), rejected) == (100, [])
    assert [songs[row - 1]["lyrics"] for row in (50, 51, 100)] == [lyrics[row % 3] for row in (50, 51, 100)]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_unclosed_quotes_in_a_table_of_single_lines(tmp_path: Path, quoting: int) -> None:
    lyrics, records = songbook(several_lines=False, quoting=quoting)
    at = [2, 300, 301, 700, 999]
    for row in at:
        records[row + 1] = f'T,A,{row},"' + lyrics[row] + "\n"
    records[900 + 1] = 'T,A,900,12" disc 7"\n'
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert {row["reason"] for row in rejected} == {"unclosed-quote"}
    assert {row["row"] - 1 for row in rejected} == set(at)
    assert len(songs) == 995


def test_every_tenth_song_has_an_unclosed_quote(tmp_path: Path) -> None:
    lyrics, records = songbook()
    for row in range(0, 1000, 10):
        records[row + 1] = FAULTS["lyrics not closed"][0](records[row + 1])
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert [song["lyrics"] for song in songs] == [text for row, text in enumerate(lyrics) if row % 10]
    assert len(rejected) == 100


def test_backslashed_quotes_that_first_occur_deep_in_a_table(tmp_path: Path) -> None:
    lyrics, records = songbook()
    records[901] = records[901].replace('""hey""', '\\"hey\\"')
    songs, rejected = broken(tmp_path / "songs.csv", "".join(records))
    assert [song["lyrics"] for song in songs] == lyrics
    assert rejected == []


def test_a_second_header_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    song = '"the harbour sleeps\nbelow the hill"'
    path.write_text(f"artist,title,lyrics\nAnn,Low,{song}\nsong,singer,text\nHigh,Bob,{song}\n")
    (source,) = find_sources([path])
    with pytest.raises(
        LyristError, match=r"two\.csv has a second header, with other columns .* in its row 2; divide the file"
    ):
        list(Reader(source, recognise(*sniff(source)[:1])))
    path.write_text(f"artist,title,lyrics\nAnn,Low,{song}\nartist,title,lyrics\nBob,High,{song}\n")
    ledger = prepare(
        str(path), out=str(tmp_path / "c"), min_words=1, validation=0, test=0, duplicates="keep"
    ).corpus.ledger
    assert (ledger.read, ledger.kept) == (3, 2)


def test_ragged_rows_are_counted_one_by_one(tmp_path: Path) -> None:
    songs, rejected = broken(tmp_path / "songs.csv", "title,artist,lyrics\na,b,la\na,b\na,b,c,d\nx\na,b,lo\n")
    assert [song["lyrics"] for song in songs] == ["la", "lo"]
    assert [(row["row"], row["reason"], row["detail"]) for row in rejected] == [
        (2, "malformed-row", "line 3: 2 fields where 3 were expected"),
        (3, "malformed-row", "line 4: 4 fields where 3 were expected"),
        (4, "malformed-row", "line 5: 1 field where 3 were expected"),
    ]


def test_a_quotation_mark_that_opens_the_rest_of_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyrist.corpus.reading.records.RECORD_LIMIT", 200_000)
    path = tmp_path / "songs.csv"
    line = f"a,{'la ' * 30}\n"
    songs, rejected = broken(path, f"title,lyrics\n{line * 10}" + f'a,"{"la " * 30}\n' + line * 20_000)
    assert (len(songs), len(rejected)) == (20_010, 1)
    assert rejected[0]["row"] == 11


def test_wrong_bytes_are_reported_with_line_and_value(tmp_path: Path) -> None:
    text = b'title,lyrics\nOne,la\nTwo,"la\nla \xe9t\xe9"\nThr\xffee,la\nFour,la\n'
    songs, rejected = broken(tmp_path / "songs.csv", text)
    assert [song["title"] for song in songs] == ["One", "Four"]
    assert [(row["row"], row["reason"], row["detail"]) for row in rejected] == [
        (2, "invalid-utf8", "line 4, column lyrics: byte 0xE9 is not text in UTF-8"),
        (3, "invalid-utf8", "line 5, column title: byte 0xFF is not text in UTF-8"),
    ]


def test_wrong_bytes_in_other_encodings_and_formats(tmp_path: Path) -> None:
    path = tmp_path / "songs.jsonl"
    _, rejected = broken(path, b'{"lyrics": "a"}\n{"lyrics": "\xe9"}\n{"lyrics": "\\n\\ud83d"}\n')
    assert [row["detail"] for row in rejected] == [
        "line 2, column lyrics: byte 0xE9 is not text in UTF-8",
        "line 3, column lyrics: \\ud83d, half a character, is not text in UTF-8",
    ]
    path.write_bytes(b"title,lyrics\na,la\nb,\x81\n")
    _, rejected, _ = read_all(path, "cp1252")
    assert [row["detail"] for row in rejected] == ["line 3, column lyrics: byte 0x81 is not text in CP1252"]
    path.write_bytes("title,lyrics\na,la\nb,x\n".encode("utf-16")[:-4] + b"\x00\xdc\n\0")
    _, rejected, _ = read_all(path)
    assert [(row["row"], row["reason"]) for row in rejected] == [(2, "invalid-utf8")]
    binary = pa.array([b"la", b"\xe9", None], pa.binary())
    for lyrics in (binary, binary.view(pa.string())):
        pq.write_table(pa.table({"lyrics": lyrics}), path)
        songs, rejected, _ = read_all(path)
        assert [song["lyrics"] for song in songs] == ["la", None]
        assert rejected[0]["detail"] == "row 2, column lyrics: byte 0xE9 is not text in UTF-8"


def test_wrong_bytes_in_a_folder_of_songs(tmp_path: Path) -> None:
    for name, text in [("a", b"la"), ("b", b"\xe9"), ("c", b"")]:
        (tmp_path / f"{name}.txt").write_bytes(text)
    songs, rejected, _ = read_all(tmp_path)
    assert [(song["title"], song["lyrics"]) for song in songs] == [("a", "la"), ("c", None)]
    assert rejected[0]["detail"].startswith("file 2, column lyrics: byte 0xE9")


def test_a_text_file_that_goes_while_reading(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("la")
    (source,) = find_sources([tmp_path])
    header, _ = sniff(source)
    (tmp_path / "a.txt").unlink()
    (chunk,) = Reader(source, recognise(header))
    assert chunk.rejected.to_pylist() == [
        {"row": 1, "reason": "unreadable-file", "detail": "a.txt: No such file or directory"}
    ]
    assert chunk.songs["row"].to_pylist() == [2]


def test_nuls_are_removed_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes(b"title,lyrics\na,la\nb\0,l\0a\nc,\0\nd,la\n")
    songs, rejected, reader = read_all(path)
    assert [(song["title"], song["lyrics"]) for song in songs] == [("a", "la"), ("b", "la"), ("c", None), ("d", "la")]
    assert (rejected, reader.repaired, reader.first_repaired) == ([], {"nul-byte": 2}, {"nul-byte": 2})


def test_json_lines_that_are_none(tmp_path: Path) -> None:
    lines = [
        '{"lyrics": "a"}',
        '{"lyrics": "b',
        "[1]",
        "null",
        "",
        '{"lyrics": ' + "[" * 9999,
        '{"lyrics": 1e999}',
        "{}",
    ]
    songs, rejected = broken(tmp_path / "songs.jsonl", "\n".join(lines))
    assert [(song["row"], song["lyrics"]) for song in songs] == [(1, "a"), (6, "inf"), (7, None)]
    assert {row["reason"] for row in rejected} == {"damaged-json"}
    assert [row["detail"].split(":")[0] for row in rejected] == ["line 2", "line 3", "line 4", "line 6"]
    assert "a list, not an object" in rejected[1]["detail"]


@pytest.mark.parametrize(
    "fault", ['{"title": "x" "lyrics": "y"}', '{"title": "x, "lyrics": "y"}', '{"title": }', "7", "[7]"]
)
def test_damage_inside_a_json_list_costs_one_song(tmp_path: Path, fault: str) -> None:
    objects = [json.dumps({"title": str(i), "lyrics": "la " * 40_000, "album": {"name": "A"}}) for i in range(30)]
    for row in (0, 15, 29):
        changed = [*objects[:row], fault, *objects[row + 1 :]]
        songs, rejected = broken(tmp_path / "songs.json", "[\n" + ",\n".join(changed) + "\n]\n")
        if len(songs) < 29:  # with no object after it, damage looks like the end of the file
            assert row == 29
        assert [song["title"] for song in songs] == [str(i) for i in range(30) if i != row]
        assert len(rejected) == 1
        assert rejected[0]["row"] == row + 1
        assert rejected[0]["reason"] in ("damaged-json", *["truncated-file"] * (row == 29))


def test_nothing_but_faults(tmp_path: Path) -> None:
    assert "the first fault is in line 2" in error_of(tmp_path / "songs.csv", b"title,lyrics\na\nb\n")
    assert "the first fault is in object 1" in error_of(tmp_path / "songs.json", b'["a", "b"]')


@pytest.fixture(scope="module")
def small() -> dict[str, bytes]:
    """Return one table in several forms."""
    lyrics, records = songbook(30)
    objects = [{"title": str(i), "lyrics": text} for i, text in enumerate(lyrics)]
    return {
        "csv": "".join(records).encode(),
        "gz": gzip.compress("".join(records).encode(), mtime=0),
        "json": json.dumps(objects, indent=1).encode(),
        "jsonl": "\n".join(map(json.dumps, objects)).encode(),
    }


BYTES = st.binary(max_size=3) | st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"\0", b'\\"', b"\xff", b'",\n', b""])
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 300), BYTES), min_size=1, max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(changes=CHANGES, form=st.sampled_from(["csv", "csv", "gz", "json", "jsonl"]))
@example(changes=[(0.0, 0, b"\xff\xfe")], form="csv")
@example(changes=[(0.0, 0, b'"')], form="csv")
def test_any_damage_gives_rows_or_one_clear_error(
    tmp_path: Path, small: dict[str, bytes], changes: list[tuple[float, int, bytes]], form: str
) -> None:
    data = small[form]
    for place, length, new in changes:
        at = int(place * len(data))
        data = data[:at] + new + data[at + length :]
    path = tmp_path / "songs.csv"
    path.write_bytes(data)
    try:
        songs, rejected, reader = read_all(path)
    except LyristError as error:
        assert str(error)
    else:
        assert reader.rows == len(songs) + len(rejected) > 0


def test_a_record_is_plausible_from_an_eighth_of_the_usual_length() -> None:
    shape = shape_of("title,lyrics\n" + f"a,{'x' * 80}\n" * 5, whole=True)
    assert shape is not None
    assert [shape.plausible(["a", "x" * length]) for length in (9, 10)] == [False, True]
