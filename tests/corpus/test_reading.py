"""Tables of every form read alike: delimiters, quoting, encodings, packings, JSON, Parquet, text files, joins."""

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lyrist.corpus.columns import recognise
from lyrist.corpus.reading import Reader, find_sources, read, sniff
from lyrist.errors import LyristError, UsageError

SONGS = [
    ("One, two", "The Band", 'la la\nla, "la"\n\nlast line'),
    ("Ünï; code|", "", "'quoted'\tand \\ back\nこんにちは\n"),
    ("Three", 'Singer "Nick" Name', "x"),
]
SONGBOOK = Path(os.environ.get("LYRIST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "songs"
SCHEMA = ["row", "title", "artist", "genre", "year", "language", "split", "lyrics"]


def readers(*tables: Path, encoding: str = "utf-8", keep: tuple[str, ...] = (), **given_: str) -> list[Reader]:
    found = find_sources(tables)
    made = []
    for source in found:
        header, sample = sniff(source, encoding)
        columns = recognise(header, given=given_, keep=keep, sample=sample, source_name=source.name)
        made.append(Reader(source, columns, encoding, beside=found))
    return made


def rows(*tables: Path, **options: Any) -> list[dict[str, Any]]:
    found = []
    for reader in readers(*tables, **options):
        for chunk in reader:
            assert chunk.songs.column_names[:8] == SCHEMA
            assert chunk.rejected.num_rows == 0, chunk.rejected.to_pylist()
            found += chunk.songs.to_pylist()
    return found


def triples(*tables: Path, **options: Any) -> list[tuple[Any, ...]]:
    return [(song["title"], song["artist"] or "", song["lyrics"]) for song in rows(*tables, **options)]


def table(**dialect: Any) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, **dialect)
    writer.writerows([("title", "artist", "lyrics"), *SONGS])
    return out.getvalue()


DIALECTS: dict[str, dict[str, Any]] = {
    "comma": {},
    "semicolon": {"delimiter": ";"},
    "tab": {"delimiter": "\t"},
    "bar": {"delimiter": "|"},
    "unix line ends": {"lineterminator": "\n"},
    "old mac line ends": {"lineterminator": "\r", "quoting": csv.QUOTE_ALL},
    "all quoted": {"quoting": csv.QUOTE_ALL},
    "backslashed": {"doublequote": False, "escapechar": "\\", "quoting": csv.QUOTE_ALL},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_alike(tmp_path: Path, dialect: str) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(table(**DIALECTS[dialect]), encoding="utf-8", newline="")
    assert triples(path) == SONGS
    assert [song["row"] for song in rows(path)] == [1, 2, 3]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_recognised_by_its_mark_or_its_zeros(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(table(), encoding=encoding, newline="")
    assert triples(path) == SONGS


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes("title,lyrics\nÉté,ça\n".encode("cp1252"))
    assert triples(path, encoding="cp1252") == [("Été", "", "ça")]
    with pytest.raises(UsageError, match="no encoding 'utf-ate'"):
        rows(path, encoding="utf-ate")
    with pytest.raises(UsageError, match="no encoding 'base64'"):
        rows(path, encoding="base64")


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "gz in two parts": lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:]) + b"\0" * 99,
    "zst": zstandard.ZstdCompressor().compress,
    "zst in two frames": lambda data: b"".join(zstandard.ZstdCompressor().compress(p) for p in (data[:9], data[9:])),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
CONTENTS: dict[str, Callable[[], bytes]] = {
    "csv": lambda: table().encode(),
    "tsv": lambda: table(delimiter="\t").encode(),
    "json": lambda: json.dumps(
        [dict(zip(("title", "artist", "lyrics"), song, strict=True)) for song in SONGS]
    ).encode(),
    "jsonl": lambda: "\n".join(
        json.dumps(dict(zip(("title", "artist", "lyrics"), song, strict=True)), ensure_ascii=False) for song in SONGS
    ).encode(),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_of_every_format_reads_alike(tmp_path: Path, packing: str, content: str) -> None:
    data = PACKINGS[packing](CONTENTS[content]())
    path = tmp_path / f"songs.{content}.{packing.split()[0]}"
    path.write_bytes(data)
    (reader,) = readers(path)
    found = [song for chunk in reader for song in chunk.songs.to_pylist()]
    assert [(song["title"], song["artist"] or "", song["lyrics"]) for song in found] == SONGS
    assert reader.sha256 == hashlib.sha256(data).hexdigest()
    assert (reader.bytes_read, reader.source.bytes) == (len(data), len(data))


def test_the_members_of_a_zip_are_sources_with_hashes_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for content, make in CONTENTS.items():
            archive.writestr(f"songs.{content}", make())
        packed = gzip.compress(CONTENTS["csv"]())
        archive.writestr("songs.csv.gz", packed)
        parquet = io.BytesIO()
        pq.write_table(pa.table({"title": ["P"], "lyrics": ["la"]}), parquet)
        archive.writestr("songs.parquet", parquet.getvalue())
    assert triples(tmp_path / "all.zip").count(SONGS[1]) == 5
    by_name = {reader.source.member: reader for reader in readers(tmp_path / "all.zip")}
    assert sum(chunk.songs.num_rows for reader in by_name.values() for chunk in reader) == 16
    for member, data in [("songs.csv.gz", packed), ("songs.parquet", parquet.getvalue())]:
        assert by_name[member].sha256 == hashlib.sha256(data).hexdigest()


def test_loose_tables(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    for text, expected in [
        ('a 7" disc,la "la" la\n', [('a 7" disc', 'la "la" la')]),
        ('"Weird Al" Yankovic,la la\n', [('"Weird Al" Yankovic', "la la")]),
        ("\n\nA,la\n  \n\nB,lo\n\n", [("A", "la"), ("B", "lo")]),
        ('A,"two\r\nlines"', [("A", "two\r\nlines")]),
    ]:
        for mark in ("", "\ufeff"):
            path.write_text(f"{mark}\n title ,lyrics\n{text}", newline="", encoding="utf-8")
            assert [(song["title"], song["lyrics"]) for song in rows(path)] == expected


def test_a_line_that_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("sep=;\ntitle;lyrics\nOne;a, b, c\n")
    assert triples(path) == [("One", "", "a, b, c")]


@pytest.mark.parametrize(
    ("above", "count"),
    [
        ("# made by hand, version 2\n#\n", 2),
        ("Songs of the archive\n\n", 2),
        ("Songs of the archive,,\n,,\n", 2),
        ("#title,artist,lyrics\nNone,Ann,lu lu\n", 0),
        ("None,Ann,lu lu\n", 0),
    ],
)
def test_lines_above_the_header_are_left_out_and_counted(above: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(
        f"{above}title,artist,lyrics\nOne,Ann,la la\nTwo,Bob,lo\n" if count else f"{above}One,Ann,la\nTwo,Bob,lo\n"
    )
    (reader,) = readers(path, lyrics="column_3") if above.startswith("None") else readers(path)
    found = [song["lyrics"] for chunk in reader for song in chunk.songs.to_pylist()]
    assert found == (["la la", "lo"] if count else ["lu lu", "la", "lo"])
    assert [note for note in reader.notes if "above the header" in note] == (
        [f"{count} lines above the header left out"] if count else []
    )


@pytest.mark.parametrize("lyrics", ["la, la\nlo", "it is ''late''", 'la "la"'])
def test_fields_in_single_quotation_marks(lyrics: str, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(
        "".join(f"'{title}','{lyrics}'\n" for title in ("title", "One", "Two")).replace(f"'{lyrics}'", "'lyrics'", 1)
    )
    assert triples(path) == [(title, "", lyrics.replace("''", "'")) for title in ("One", "Two")]


@pytest.mark.parametrize("lyrics", ["'til the end, 'cause", "la 'la'", "'la' lo"])
def test_an_apostrophe_is_no_quotation_mark(lyrics: str, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(f"title;lyrics\n'Cause;{lyrics}\nTwo;'round\n")
    assert triples(path) == [("'Cause", "", lyrics), ("Two", "", "'round")]


def test_a_header_that_lacks_a_name(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text('"title","lyrics"\n"1","One","la"\n"2","Two","lo"\n')  # as R writes row names
    assert triples(path) == [("One", "", "la"), ("Two", "", "lo")]
    path.write_text("title,lyrics\nOne,la,\nTwo,lo,\n")
    assert triples(path) == [("One", "", "la"), ("Two", "", "lo")]


def test_what_says_nothing_is_null_and_years_are_found(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    cases = [("1999", 1999), ("1999-05-02", 1999), ("1999.0", 1999), ("May 2, 1999", 1999), ("02/05/1999", 1999)]
    cases += [("", None), ("nan", None), ("112", None), ("19999", None), ("1999 or 2001", None), ("soon", None)]
    lines = [f'" One ",NA,None,"{year}", en ,la' for year, _ in cases]
    path.write_text("\n".join(["title,artist,genre,year,language,lyrics", *lines, "None,A,pop,1,en,  la \n"]))
    found = rows(path)
    assert [song["year"] for song in found[:-1]] == [year for _, year in cases]
    assert {k: found[0][k] for k in SCHEMA[1:4]} == {"title": "One", "artist": None, "genre": None}
    assert found[0]["language"] == "en"
    assert (found[-1]["title"], found[-1]["lyrics"]) == ("None", "  la ")


def test_json_values_become_text(tmp_path: Path) -> None:
    path = tmp_path / "songs.jsonl"
    songs = [
        {
            "title": 99,
            "artist": ["A", None, "B"],
            "genre": float("nan"),
            "year": 1999,
            "lyrics": ["one", "two"],
            "n": 1.0,
        },
        {
            "title": True,
            "artist": {"id": 3, "name": "C"},
            "genre": None,
            "year": 1999.0,
            "lyrics": "la",
            "n": {"x": [1]},
        },
        {"title": 1.5, "year": "?", "lyrics": None, "n": [[1], "b"], "unheard": 1},
    ]
    path.write_text("\n\n".join(map(json.dumps, songs)))
    found = rows(path, keep=("n",))
    assert [song["title"] for song in found] == ["99", "true", "1.5"]
    assert [song["artist"] for song in found] == ["A, B", "C", None]
    assert [song["lyrics"] for song in found] == ["one\ntwo", "la", None]
    assert [song["year"] for song in found] == [1999, 1999, None]
    assert [song["n"] for song in found] == ["1", '{"x": [1]}', "[1], b"]
    assert {song["genre"] for song in found} == {None}


def genius_song(**more: Any) -> dict[str, Any]:
    return {"title": "One", "release_date": "1999-05-02", "lyrics": "la", "featured_artists": [{"name": "F"}], **more}


def test_lyricsgenius_by_song_and_by_artist(tmp_path: Path) -> None:
    expected = ("One", "The Band", "la", 1999)
    band = {"primary_artist": {"id": 1, "name": "The Band"}}
    for document in (
        genius_song(**band),
        {"name": "X", "songs": [genius_song(**band)]},
        {"artist": "The Band", "alternate_names": ["B"], "songs": [genius_song(album=None, image="", year="1999")]},
        [{"name": "The Band", "songs": [genius_song(primary_artist={})]}, {"name": "Empty", "songs": []}],
        {"data": [genius_song(**band)], "total": 1},
    ):
        for indent in (None, 1):
            path = tmp_path / "Lyrics_TheBand.json"
            path.write_text(json.dumps(document, indent=indent))
            (song,) = rows(path)
            assert tuple(song[name] for name in ("title", "artist", "lyrics", "year")) == expected
    assert readers(tmp_path / "Lyrics_TheBand.json")[0].columns.preset == "lyricsgenius"


@pytest.mark.parametrize("orient", ["columns", "index", "list", "records"])
def test_json_as_pandas_writes_it(tmp_path: Path, orient: str) -> None:
    songs = [
        {"artist": None, "title": "One", "lyrics": "first line"},
        {"artist": "B", "title": "Two", "lyrics": "second line"},
    ]
    columns = {name: [song[name] for song in songs] for name in songs[0]}
    forms = {
        "columns": {name: {str(row): value for row, value in enumerate(each)} for name, each in columns.items()},
        "index": {str(row): song for row, song in enumerate(songs)},
        "list": columns,
        "records": songs,
    }
    (tmp_path / "songs.json").write_text(json.dumps(forms[orient]))
    assert [{name: song[name] for name in songs[0]} for song in rows(tmp_path / "songs.json")] == songs


def test_json_larger_than_its_window(tmp_path: Path) -> None:
    songs = [{"title": str(i), "lyrics": f"{i} " * 200_000} for i in range(9)]
    (tmp_path / "songs.json").write_text(json.dumps(songs, indent=2))
    assert [(song["title"], song["lyrics"]) for song in rows(tmp_path / "songs.json")] == [
        (song["title"], song["lyrics"]) for song in songs
    ]


def test_parquet_of_any_types(tmp_path: Path) -> None:
    columns = {
        "title": pa.array(["a", "b", None]).dictionary_encode(),
        "artist": pa.array([["x", "y"], None, []]),
        "year": pa.array([1999.0, None, 7.0]),
        "date_": pa.array([date(1999, 5, 2), None, None]),
        "genre": pa.array([b"pop", b"rap", None]),
        "lyrics": pa.array(["la", "", "lo"], pa.string_view()),
    }
    pq.write_table(pa.table(columns), tmp_path / "songs.parquet", row_group_size=2)
    (reader,) = readers(tmp_path / "songs.parquet", keep=("date_",))
    found = [song for chunk in reader for song in chunk.songs.to_pylist()]
    assert [
        tuple(song[k] for k in ("row", "title", "artist", "year", "genre", "lyrics", "date_")) for song in found
    ] == [
        (1, "a", "x, y", 1999, "pop", "la", "1999-05-02"),
        (2, "b", None, None, "rap", None, None),
        (3, None, None, None, None, "lo", None),
    ]
    assert reader.sha256 == hashlib.sha256((tmp_path / "songs.parquet").read_bytes()).hexdigest()


def test_a_folder_of_songs(tmp_path: Path) -> None:
    files = {
        "lyrics/The Band/One.txt": ("One", "The Band"),
        "lyrics/The Band/02. Two - Too.txt": ("Too", "Two"),
        "lyrics/The Band/99 Balloons.txt": ("99 Balloons", "The Band"),
        "lyrics/Singer - A - B.txt": ("A - B", "Singer"),
        "lyrics/Alone.txt": ("Alone", None),
    }
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\xef\xbb\xbfla\r\nlo")
    found = {(song["title"], song["artist"]): song["lyrics"] for song in rows(tmp_path / "lyrics")}
    assert found == dict.fromkeys(files.values(), "la\r\nlo")
    assert {readers(tmp_path / "lyrics")[0].columns.preset} == {"names"}
    digests = []
    for text in ("la", "lo", "la"):
        (tmp_path / "lyrics/Alone.txt").write_text(text)
        (reader,) = readers(tmp_path / "lyrics")
        assert [chunk.songs.num_rows for chunk in reader] == [5]
        digests.append(reader.sha256)
    assert digests[0] == digests[2] != digests[1]


def test_options_and_kept_columns_reach_the_songs(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("lyrics,text,part,views\nla,short,train,3\n")
    (song,) = rows(path, lyrics="text", split="part", keep=("views",))
    assert (song["lyrics"], song["split"], song["views"]) == ("short", "train", "3")


def test_chunks_are_bounded_by_rows_and_by_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "many.csv").write_text("n,lyrics\n" + "".join(f"{i},la\n" for i in range(20_000)))
    sizes = [chunk.songs.num_rows for chunk in readers(tmp_path / "many.csv")[0]]
    assert sizes == [8192, 8192, 3616]
    monkeypatch.setattr("lyrist.corpus.reading.records.CHUNK_CHARACTERS", 100_000)
    (tmp_path / "long.csv").write_text("n,lyrics\n" + "".join(f"{i},{'la ' * 5_000}\n" for i in range(14)))
    assert [chunk.songs.num_rows for chunk in readers(tmp_path / "long.csv")[0]] == [7, 7]


def test_a_field_of_five_megabytes(tmp_path: Path) -> None:
    long = "a line of words\n" * 320_000
    (tmp_path / "songs.csv").write_text(f'title,lyrics\nOne,"{long}"\nTwo,la\n')
    assert triples(tmp_path / "songs.csv") == [("One", "", long), ("Two", "", "la")]


def test_header_only(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text("title,lyrics\n\n")
    (tmp_path / "songs.jsonl").write_text('{"songs": []}\n{"songs": []}\n')
    pq.write_table(pa.table({"lyrics": pa.array([], pa.string())}), tmp_path / "songs.parquet")
    for source in find_sources([tmp_path]):
        with pytest.raises(LyristError, match="has no songs"):
            sniff(source)
        with pytest.raises(LyristError, match="has no songs"):
            list(read(source, recognise(["title", "lyrics"])))


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
PIECES = st.lists(
    st.sampled_from(['"', '""', ",", ";", "\t", "|", "\n", "\r\n", "\\", '\\"', "la", " ", "é"]), max_size=9
)
ROUND = [name for name in DIALECTS if name not in ("unix line ends", "backslashed")]
"""With unix line ends, Python 3.11 leaves a field with a lone carriage return unquoted: no reader can read it back. And only a
backslashed quote shows that backslashes are doubled."""
FIELD = TEXT | PIECES.map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@example(songs=[("", '\\",0')] * 2, dialect="comma")  # a backslash before a quote, as if it escaped it
@given(songs=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=12), dialect=st.sampled_from(ROUND))
def test_what_csv_writes_reads_back(tmp_path: Path, songs: list[tuple[str, str]], dialect: str) -> None:
    path = tmp_path / "songs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **DIALECTS[dialect])
        writer.writerows([("link", "lyrics"), *songs])
    nothing = {"", "NA", "nan", "NaN", "<NA>", "N/A", "n/a"}
    found = rows(path)
    assert [song["lyrics"] or "" for song in found] == ["" if text in nothing else text for _, text in songs]
    assert [song["row"] for song in found] == list(range(1, len(songs) + 1))


@pytest.mark.skipif(not SONGBOOK.exists(), reason="the real tables are not here")
def test_real_tables_are_read_whole() -> None:
    counts = {"billboard_1950_2015.csv": (4028, "billboard"), "public_domain.csv": (1837, "names")}
    counts["songdata_part.csv"] = (2970, "songdata")
    for reader in readers(SONGBOOK):
        songs = rejected = 0
        for chunk in reader:
            songs += chunk.songs.num_rows
            rejected += chunk.rejected.num_rows
        assert (songs, rejected, reader.rows) == (counts[reader.source.name][0], 0, songs)
        assert reader.columns.preset == counts[reader.source.name][1]
