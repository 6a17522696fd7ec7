"""Workbooks, databases, Arrow files and saved datasets are read as tables are; what is no table of songs is named."""

import datetime
import gzip
import sqlite3
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.feather
import pytest

from lyrist.cli import run
from lyrist.corpus.columns import recognise
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.errors import LyristError

ROWS = [
    ("Ann", "Low Tide", 1999, "one line\nanother"),
    ("Bea", "Noon", None, "la la"),
    (None, "Kettle", 2001, "lo <&> lo"),
]
HEADER = ("artist", "title", "year", "lyrics")
EXPECTED = [
    ("Ann", "Low Tide", 1999, "one line\nanother"),
    ("Bea", "Noon", None, "la la"),
    (None, "Kettle", 2001, "lo <&> lo"),
]
Sheets = dict[str, Sequence[Sequence[Any]]]


def write_xlsx(path: Path, sheets: Sheets) -> None:
    """Write a workbook with its texts in the cells; numbers are numbers."""
    names = list(sheets)
    kind = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(path, "w") as book:
        types = "".join(
            f'<Override PartName="/xl/worksheets/s{i}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'  # noqa: E501
            for i in range(len(names))
        )
        main = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        book.writestr("[Content_Types].xml", f'<Types xmlns="{kind}/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{main}"/>{types}</Types>')  # fmt: skip # noqa: E501
        book.writestr("_rels/.rels", f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r" Type="{kind}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>')  # fmt: skip # noqa: E501
        listed = "".join(f'<sheet name="{escape(n)}" sheetId="{i + 1}" r:id="r{i}"/>' for i, n in enumerate(names))
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{kind}/spreadsheetml/2006/main" xmlns:r="{kind}/officeDocument/2006/relationships"><sheets>{listed}</sheets></workbook>')  # fmt: skip # noqa: E501
        links = "".join(f'<Relationship Id="r{i}" Type="{kind}/officeDocument/2006/relationships/worksheet" Target="worksheets/s{i}.xml"/>' for i in range(len(names)))  # fmt: skip # noqa: E501
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{kind}/package/2006/relationships">{links}</Relationships>')  # fmt: skip # noqa: E501
        for i, rows in enumerate(sheets.values()):
            body = ""
            for r, row in enumerate(rows, 1):
                cells = (
                    f'<c r="{chr(65 + c)}{r}"><v>{value}</v></c>'
                    if isinstance(value, int | float)
                    else f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
                    for c, value in enumerate(row)
                    if value is not None
                )
                body += f'<row r="{r}">{"".join(cells)}</row>'
            book.writestr(f"xl/worksheets/s{i}.xml", f'<worksheet xmlns="{kind}/spreadsheetml/2006/main"><sheetData>{body}</sheetData></worksheet>')  # fmt: skip # noqa: E501


def write_ods(path: Path, sheets: Sheets) -> None:
    """Write an OpenDocument sheet."""
    office, table, text = (f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "table", "text"))
    body = ""
    for name, rows in sheets.items():
        lines = ""
        for row in rows:
            for value in row:
                if value is None:
                    lines += "<table:table-cell/>"
                elif isinstance(value, int):
                    lines += f'<table:table-cell office:value-type="float" office:value="{value}"/>'
                else:
                    parts = "".join(f"<text:p>{escape(line)}</text:p>" for line in value.split("\n"))
                    lines += f'<table:table-cell office:value-type="string">{parts}</table:table-cell>'
            lines = f"{lines}</table:table-row><table:table-row>"
        lines = f"<table:table-row>{lines}</table:table-row>"
        body += f'<table:table table:name="{name}">{lines}</table:table>'
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("content.xml", f'<office:document-content xmlns:office="{office}" xmlns:table="{table}" xmlns:text="{text}"><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>')  # fmt: skip # noqa: E501
        book.writestr("META-INF/manifest.xml", "<m/>")


def write_sqlite(path: Path, sheets: Sheets) -> None:
    with sqlite3.connect(path) as database:
        for name, (header, *rows) in sheets.items():
            columns = ", ".join(f'"{column}"' for column in header)
            database.execute(f'CREATE TABLE "{name}" ({columns})')
            database.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(header))})', rows)  # noqa: S608
    database.close()


def arrow_table(sheets: Sheets) -> pa.Table:
    header, *rows = next(iter(sheets.values()))
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(header)})


def write_stream(path: Path, sheets: Sheets) -> None:
    table = arrow_table(sheets)
    with pa.OSFile(str(path), "w") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


WRITERS = {
    "xlsx": write_xlsx,
    "ods": write_ods,
    "sqlite": write_sqlite,
    "arrow": write_stream,
    "feather": lambda path, sheets: pyarrow.feather.write_feather(arrow_table(sheets), str(path)),
    "ipc": lambda path, sheets: pyarrow.feather.write_feather(
        arrow_table(sheets), str(path), compression="uncompressed"
    ),
}


def read(place: Path, unread: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    found = []
    for source in find_sources([place], unread):
        header, sample = sniff(source)
        reader = Reader(source, recognise(header, sample=sample, source_name=source.name))
        for chunk in reader:
            found += [tuple(song[name] for name in HEADER) for song in chunk.songs.to_pylist()]
            assert chunk.rejected.num_rows == 0
        assert reader.sha256
        assert reader.rows
    return found


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("within", ["as a file", "without its ending", "in a folder", "in a zip", "packed"])
def test_every_container_reads_as_a_table(tmp_path: Path, ending: str, within: str) -> None:
    (folder := tmp_path / "d").mkdir()
    path = folder / f"songs.{ending}"
    WRITERS[ending](path, {"Songs": [HEADER, *ROWS]})
    place = {"as a file": path, "in a folder": folder}.get(within, tmp_path / "other")
    if within == "without its ending":
        path.rename(place)
    elif within == "in a zip":
        with zipfile.ZipFile(place, "w") as archive:
            archive.write(path, f"deep/{path.name}")
    elif within == "packed":
        place.write_bytes(gzip.compress(path.read_bytes()))
        if ending in ("xlsx", "ods"):
            pytest.skip("a workbook is packed already")
    assert read(place) == EXPECTED


@pytest.mark.parametrize("ending", ["xlsx", "ods", "sqlite"])
def test_sheets_and_tables_without_songs_are_named(
    tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"songs.{ending}"
    long = [(f"Artist {i}", f"Song {i}", 2000, " ".join(f"word{j}x{i}" for j in range(30))) for i in range(4)]
    WRITERS[ending](path, {"Songs": [HEADER, *long], "Notes": [("what", "when"), ("bought", "Monday")]})
    out = tmp_path / "c"
    assert (
        run(
            ["prepare", str(path), "--out", str(out), "--validation", "0", "--test", "0", "--quiet", "--title", "title"]
        )
        == 0
    )
    said = capsys.readouterr().out
    corpus = Corpus.open(out)
    assert corpus.ledger.read == corpus.ledger.kept == 4
    assert list(corpus.info["unread"]) == [f"songs.{ending}/Notes"]
    assert f"songs.{ending}/Notes " in said


def test_a_sheet_with_a_heading_above_and_blank_rows(tmp_path: Path) -> None:
    rows = [("My collection", None, None, None), (), HEADER, ROWS[0], (None, None, None, None), *ROWS[1:]]
    write_xlsx(tmp_path / "a.xlsx", {"S": rows})
    assert read(tmp_path / "a.xlsx") == EXPECTED
    write_xlsx(tmp_path / "a.xlsx", {"S": [(a, t, y, f"{lyrics}\nla") for a, t, y, lyrics in ROWS]})
    (source,) = find_sources([tmp_path / "a.xlsx"])
    header, sample = sniff(source)
    reader = Reader(source, recognise(header, given={"lyrics": "column_4"}, sample=sample))
    assert sum(chunk.songs.num_rows for chunk in reader) == 3
    assert "no header" in reader.notes[0]


def test_a_cell_that_excel_cut_is_no_song(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS, ("Cyd", "Long", 1, "x" * 32_767)]})
    (source,) = find_sources([tmp_path / "a.xlsx"])
    (chunk,) = Reader(source, recognise(HEADER))
    assert chunk.songs.num_rows == 3
    assert [(row["row"], row["reason"]) for row in chunk.rejected.to_pylist()] == [(4, "cut-text")]


def test_values_of_a_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute('CREATE TABLE "my ""songs""" (title, year, lyrics)')
        rows = [
            ("a", datetime.date(1999, 5, 2).isoformat(), "café".encode()),
            (1.0, 1999.0, b"\xff"),
            (None, None, None),
        ]
        database.executemany('INSERT INTO "my ""songs""" VALUES (?, ?, ?)', rows)
        database.execute('CREATE VIEW all_songs AS SELECT * FROM "my ""songs"""')
    database.close()
    unread: dict[str, str] = {}
    (source,) = find_sources([tmp_path / "a.db"], unread)
    (chunk,) = Reader(source, recognise(["title", "year", "lyrics"]))
    assert [(s["title"], s["year"], s["lyrics"]) for s in chunk.songs.to_pylist()] == [
        ("a", 1999, "café"),
        (None, None, None),
    ]
    assert [row["reason"] for row in chunk.rejected.to_pylist()] == ["invalid-utf8"]
    assert "a view of other tables" in unread[f"{tmp_path / 'a.db'}/all_songs"]


@pytest.mark.parametrize(
    ("lyrics", "songs", "artists"),
    [
        ("of REFERENCES song(id), text TEXT", "song(id, title, by REFERENCES artist(id))", "artist(id PRIMARY KEY, name)"),
        ("songId, text", "songs(id, title, artist_id)", "artists(id, name)"),
        ("track_id, lyrics", "tracks(track_id, title, singer_id)", "singers(singer_id, name)"),
        ("id_song, line", "songs(id, title, artist_id)", "artists(id, artist)"),
    ],
)  # fmt: skip
def test_tables_of_a_database_are_joined_by_their_keys(lyrics: str, songs: str, artists: str, tmp_path: Path) -> None:
    names = [table.partition("(")[0] for table in (songs, artists)]
    with sqlite3.connect(tmp_path / "a.db") as database:
        for made in (f"words({lyrics})", songs, artists, "plays(song_id, count)"):
            database.execute(f"CREATE TABLE {made}")
        for number, (artist, title, _, text) in enumerate(ROWS):
            database.execute("INSERT INTO words VALUES (?, ?)", (number, text))
            database.execute(f"INSERT INTO {names[0]} VALUES (?, ?, ?)", (number, title, 9 - number))  # noqa: S608
            database.execute(f"INSERT INTO {names[1]} VALUES (?, ?)", (9 - number, artist))  # noqa: S608
    left: dict[str, str] = {}
    sources = find_sources([tmp_path / "a.db"], left)
    assert [source.part for source in sources] == ["plays", "words"]
    assert [why for why in left.values() if why == "its columns are joined to the rows of words"] == list(left.values())
    assert len(left) == 2
    header, sample = sniff(sources[1])
    reader = Reader(sources[1], recognise(header, sample=sample))
    found = [row for chunk in reader for row in chunk.songs.to_pylist()]
    assert [(row["artist"], row["title"], row["lyrics"]) for row in found] == [(a, t, text) for a, t, _, text in ROWS]
    assert reader.notes == [f"joined with the tables {', '.join(names)}"]


def test_a_table_whose_keys_repeat_is_not_joined(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE songs(title, lyrics, artist_id)")
        database.execute("CREATE TABLE artists(id, name)")
        database.execute("INSERT INTO songs VALUES ('Low', 'la la', 1)")
        database.executemany("INSERT INTO artists VALUES (1, ?)", [("Ann",), ("Bob",)])
    source = next(source for source in find_sources([tmp_path / "a.db"]) if source.part == "songs")
    assert sniff(source) == (["title", "lyrics", "artist_id"], [{"title": "Low", "lyrics": "la la", "artist_id": "1"}])


def test_a_saved_dataset_is_its_arrow_files(tmp_path: Path) -> None:
    for name in ("dataset_dict.json", "train/dataset_info.json", "train/state.json"):
        (tmp_path / "hf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hf" / name).write_text('{"splits": ["train"]}')
    write_stream(tmp_path / "hf/train/data-00000-of-00001.arrow", {"S": [HEADER, *ROWS]})
    write_stream(tmp_path / "hf/train/cache-12ab.arrow", {"S": [HEADER, *ROWS]})
    unread: dict[str, str] = {}
    assert read(tmp_path / "hf", unread) == EXPECTED
    assert [Path(name).name for name in unread] == ["cache-12ab.arrow"]


BAG = "# musiXmatch\n%i,the,you\nTRAAAAV128F421A322,4623710,1:6,2:4,3:2\nTRAAABD128F429CF47,6477168,1:10,3:17\n"


def test_a_bag_of_words_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/mxm.txt").write_text(BAG)
    write_sqlite(tmp_path / "mxm.db", {"lyrics": [("track_id", "mxm_tid", "word", "count"), ("TR", 1, "the", 6)], "words": [("word",), ("the",)]})  # fmt: skip # noqa: E501
    (tmp_path / "s/words.csv").write_text("track_id,mxm_tid,word,count\n" + "TR1,1,the,4\n" * 20)
    for name in ("s/mxm.txt", "s/words.csv", "mxm.db"):
        with pytest.raises(
            LyristError, match=rf"{name} is a bag of words, as musiXmatch gives it.*give a table with the text"
        ):
            find_sources([tmp_path / name])
    (tmp_path / "s/words.csv").unlink()
    (tmp_path / "s/song.txt").write_text("The tide\nis low")
    unread: dict[str, str] = {}
    find_sources([tmp_path], unread)
    assert sum("a bag of words" in why for why in unread.values()) == 2


@pytest.mark.parametrize("ending", WRITERS)
def test_damage_costs_rows_or_is_one_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"songs.{ending}"
    WRITERS[ending](path, {"S": [HEADER, *ROWS * 50]})
    whole = path.read_bytes()
    for size in (20, len(whole) // 3, len(whole) - 30):
        for cut in (whole[:size], whole[:size] + b"\0" * (len(whole) - size)):
            path.write_bytes(cut)
            try:
                for source in find_sources([path]):
                    columns = recognise(sniff(source)[0], source_name=source.name)
                    reader = Reader(source, columns)
                    rows = [row for c in reader for row in c.songs.to_pylist() + c.rejected.to_pylist()]
                    assert sorted(row["row"] for row in rows) == [*range(1, reader.rows + 1)]
            except LyristError as error:
                assert path.name in str(error)
