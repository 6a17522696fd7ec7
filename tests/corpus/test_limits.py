"""Input that is too large, never ends or lies elsewhere costs the record or the file, never the memory; each is named."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import socket
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from lyrist.cli import run
from lyrist.corpus.columns import recognise
from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import Reader, find_sources, records, sniff, streams
from lyrist.errors import LyristError

LIMIT = 20_000
LONG = "word " * 6_000
SONGS = [{"title": f"T{i}", "lyrics": LONG if i == 5 else f"some words, {i}"} for i in range(40)]


def read(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the songs and the rejected records of a table."""
    (source,) = find_sources([path])
    header, sample = sniff(source)
    chunks = list(Reader(source, recognise(header, sample=sample, source_name=source.name)))
    return [s for c in chunks for s in c.songs.to_pylist()], [r for c in chunks for r in c.rejected.to_pylist()]


def refused(path: Path) -> str:
    with pytest.raises(LyristError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def as_csv(songs: list[dict[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["title", "lyrics"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(songs)
    return out.getvalue().encode()


def as_parquet(songs: list[dict[str, str]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(songs), out, use_dictionary=False)
    return out.getvalue()


FORMS: dict[str, Callable[[list[dict[str, str]]], bytes]] = {
    "csv": as_csv,
    "jsonl": lambda songs: "\n".join(map(json.dumps, songs)).encode(),
    "json": lambda songs: json.dumps(songs).encode(),
    "indented.json": lambda songs: json.dumps(songs, indent=1).encode(),
    "parquet": as_parquet,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_record_over_the_limit_is_dropped_and_counted(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", LIMIT)
    path = tmp_path / f"songs.{form}"
    path.write_bytes(FORMS[form](SONGS))
    songs, rejected = read(path)
    assert [song["title"] for song in songs] == [f"T{i}" for i in range(40) if i != 5]
    assert [(row["row"], row["reason"]) for row in rejected] == [(6, "oversized-record")]
    assert "more than 20,000" in rejected[0]["detail"]


@pytest.mark.parametrize("row", [0, 20, 39])
def test_a_long_record_of_several_lines_is_dropped(row: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", LIMIT)
    songs = [{"title": f"T{i}", "lyrics": f"a line, {i}\n" * (2_000 if i == row else 20)} for i in range(40)]
    (tmp_path / "songs.csv").write_bytes(as_csv(songs))
    found, rejected = read(tmp_path / "songs.csv")
    whole = [song["title"] for song in found if len(song["lyrics"]) > 150]
    assert whole == [f"T{i}" for i in range(40) if i != row]
    assert rejected[0]["row"] == row + 1


def test_a_long_text_file_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", LIMIT)
    for name, text in (("a", "la la"), ("b", LONG), ("c", "lo lo")):
        (tmp_path / f"{name}.txt").write_text(text)
    songs, rejected = read(tmp_path)
    assert [song["title"] for song in songs] == ["a", "c"]
    assert [(row["row"], row["reason"]) for row in rejected] == [(2, "oversized-record")]


def test_a_text_that_is_one_object_may_be_longer_but_not_without_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", LIMIT)
    path = tmp_path / "songs.json"
    song = {"title": "T", "lyrics": "some words " * 100}
    for songs, columns in ((100, False), (100, True)):
        table = {"title": ["T"] * songs, "lyrics": [song["lyrics"]] * songs} if columns else {"songs": [song] * songs}
        path.write_text(json.dumps(table))
        assert len(read(path)[0]) == songs
    path.write_text(json.dumps({"songs": [song] * 200}))
    assert "a record of more than 160,000 characters" in refused(path)
    path.write_text(json.dumps({"lyrics": "la", "more": [[]] * 25_000}))  # little text, many objects
    assert "a long text of which little is text" in refused(path)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


@pytest.mark.parametrize("packer", [*PACKERS, "zip"])
def test_a_file_that_unpacks_to_far_more_than_text_does_is_refused(
    packer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ALLOWANCE", 1 << 20)
    bomb = as_csv(SONGS[:5]) + b"T,la\n" * 1_000_000
    path = tmp_path / f"songs.csv.{packer}"
    if packer == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("songs.csv", bomb)
    else:
        path.write_bytes(PACKERS[packer](bomb))
    assert "unpacks to more than 100 times its size" in refused(path)


@pytest.mark.parametrize("packer", PACKERS)
def test_one_step_of_unpacking_is_bounded(packer: str, tmp_path: Path) -> None:
    path = tmp_path / f"songs.csv.{packer}"
    path.write_bytes(PACKERS[packer](b"title,lyrics\nT,la\n" + bytes(64 << 20)))
    tracemalloc.start()
    data, whole = streams.head(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.startswith(b"title,lyrics\n")
    assert not whole
    assert peak < 45_000_000


def test_a_total_limit_and_other_methods_in_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = os.urandom(300_000).hex()
    (tmp_path / "songs.csv.gz").write_bytes(gzip.compress(f"title,lyrics\nT,{text}\n".encode()))
    monkeypatch.setattr(streams, "TOTAL", 100_000)
    assert "unpacks to more than 0 GB" in refused(tmp_path / "songs.csv.gz")
    with zipfile.ZipFile(tmp_path / "songs.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("songs.csv", "title,lyrics\nT,la\n")
    assert "by a method other than deflate" in refused(tmp_path / "songs.zip")


def test_a_parquet_page_over_the_limit_costs_its_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "songs.parquet"
    lyrics = ["la la la", "lo lo lo", LONG * 50, "le le le"]
    pq.write_table(pa.table({"lyrics": lyrics}), path, row_group_size=2, use_dictionary=False)
    monkeypatch.setattr(records, "RECORD_LIMIT", LIMIT)
    songs, rejected = read(path)
    assert [song["lyrics"] for song in songs] == lyrics[:2]
    assert [(row["row"], row["reason"]) for row in rejected] == [(3, "oversized-record"), (4, "oversized-record")]
    assert "a page of the column lyrics unpacks to 1,5" in rejected[0]["detail"]


def test_a_parquet_dictionary_that_is_repeated_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "songs.parquet"
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), pa.array(["word " * 2_000_000]))
    pq.write_table(pa.table({"lyrics": long}), path, dictionary_pagesize_limit=1 << 30, store_schema=False)
    before = pa.total_allocated_bytes()
    (source,) = find_sources([path])
    header, sample = sniff(source)
    assert len(sample[0]["lyrics"] or "") == 10_000_000
    peak = 0
    for chunk in Reader(source, recognise(header, sample=sample)):
        peak = max(peak, pa.total_allocated_bytes() - before)
        if chunk.songs["row"][-1].as_py() > 20:
            break
    assert peak < 1_000_000_000  # 50 GB without the limit


def test_lists_and_long_statistics_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "songs.parquet"
    table = pa.table({"artist": [["A", "B"], [], None, ["C"]], "lyrics": [f"{i} " * 3_000 for i in range(4)]})
    for options in ({}, {"data_page_version": "2.0"}, {"compression": "zstd", "write_statistics": True}):
        pq.write_table(table, path, data_page_size=100, write_page_checksum=True, **options)
        songs, rejected = read(path)
        assert ([song["artist"] for song in songs], rejected) == (["A, B", None, None, "C"], [])


# What is not a regular file in the folder ----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good table and one entry of each kind that is not read, and what each is named."""
    place = tmp_path / "tables"
    (place / "deep").mkdir(parents=True)
    (place / "good.csv").write_bytes(as_csv([{"title": f"T{i}", "lyrics": f"some words {i} " * 9} for i in range(20)]))
    os.mkfifo(place / "fifo.csv")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = Path.cwd()
        os.chdir(place)  # the path of a socket is short
        listener.bind("socket.jsonl")
        os.chdir(cwd)
    (place / "device.csv").symlink_to("/dev/zero")
    (tmp_path / "secret.csv").write_bytes(as_csv(SONGS[:3]))
    (place / "deep" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "more.csv").write_bytes(as_csv(SONGS[:3]))
    (place / "folder").symlink_to(tmp_path / "outside")
    (place / "inside.csv").symlink_to("good.csv")
    (place / "inner").symlink_to("deep")
    return place


NOT_READ = {
    "fifo.csv": "is not a file but a FIFO",
    "socket.jsonl": "is not a file but a socket",
    "device.csv": "is a link that leads out of",
    "link.csv": "is a link that leads out of",
    "folder": "is a link that leads out of",
}


def test_in_a_folder_they_are_named_and_left_out(folder: Path, tmp_path: Path) -> None:
    unread: dict[str, str] = {}
    assert [source.name for source in find_sources([folder], unread)] == ["good.csv"]
    assert {Path(path).name for path in unread} == set(NOT_READ)
    for path, why in unread.items():
        assert why.startswith(path)
        assert NOT_READ[Path(path).name] in why
    corpus = prepare(str(folder), out=str(tmp_path / "corpus")).corpus
    assert corpus.info["unread"] == unread
    assert corpus.ledger.read == 20


def test_by_a_pattern_they_are_named_and_left_out(folder: Path) -> None:
    unread: dict[str, str] = {}
    assert [source.name for source in find_sources([f"{folder}/**/*"], unread)] == ["good.csv"]
    assert {Path(path).name for path in unread} >= set(NOT_READ)
    unread = {}
    with pytest.raises(LyristError, match="leads out of"):
        find_sources([f"{folder}/deep/*.csv"], unread)


@pytest.mark.parametrize(
    ("name", "what"), [("fifo.csv", "a FIFO"), ("socket.jsonl", "a socket"), ("device.csv", "a device")]
)
def test_named_directly_they_are_refused(folder: Path, name: str, what: str) -> None:
    with pytest.raises(LyristError, match=f"{name} is not a file but {what}; save what it gives"):
        find_sources([folder / name])


def test_a_link_that_is_named_is_read(folder: Path) -> None:
    assert find_sources([folder / "deep" / "link.csv"])[0].name == "link.csv"
    assert [source.name for source in find_sources([folder / "folder"])] == ["more.csv"]


def test_a_folder_of_songs_leaves_them_out_too(tmp_path: Path) -> None:
    place = tmp_path / "songs"
    place.mkdir()
    (place / "a.txt").write_text("la la")
    os.mkfifo(place / "b.txt")
    (tmp_path / "system").write_text("root:x:0:0")
    (place / "c.txt").symlink_to(tmp_path / "system")
    os.mkfifo(place / "table.csv")
    unread: dict[str, str] = {}
    (source,) = find_sources([place], unread)
    assert [Path(file).name for file in source.files] == ["a.txt"]
    assert {Path(path).name for path in unread} == {"b.txt", "c.txt", "table.csv"}


def test_a_file_that_becomes_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes(as_csv(SONGS))
    (source,) = find_sources([path])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LyristError, match="is not a file but a FIFO"):
        sniff(source)


# A table that changes while it is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("change", ["grows", "same size", "replaced", "deleted"])
def test_a_table_that_changes_while_it_is_read_is_reported(form: str, change: str, tmp_path: Path) -> None:
    path = tmp_path / f"songs.{form}"
    path.write_bytes(FORMS[form](SONGS))
    (source,) = find_sources([path])
    header, sample = sniff(source)
    reader = Reader(source, recognise(header, sample=sample))
    next(reader)
    data = path.read_bytes()
    if change == "grows":
        path.write_bytes(data + b"\n")
    elif change == "same size":
        os.utime(path, ns=(0, 0))
    elif change == "replaced":
        path.rename(tmp_path / "old")
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(LyristError, match=f"{path.name} changed while it was read; run again"):
        list(reader)


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out[1]", "out*", "out?", "{a,b}", "out[!x]", "a b", "-out", "ö" * 100])
def test_an_output_is_never_a_pattern(name: str, tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_bytes(as_csv([{"title": f"T{i}", "lyrics": f"words {i} " * 20} for i in range(30)]))
    (tmp_path / "out1").mkdir()
    out = tmp_path / name
    assert run(["prepare", str(tmp_path / "songs.csv"), "--out", str(out), "--quiet"]) == 0
    corpus = prepare(str(out), out=str(tmp_path / "again")).corpus
    assert corpus.ledger.read > 0
    assert not list((tmp_path / "out1").iterdir())


@pytest.mark.parametrize("length", [240, 250, 255, 256])
def test_long_names_work_or_are_refused(length: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / ("s" * (min(length, 255) - 4) + ".csv")
    table.write_bytes(as_csv([{"title": f"T{i}", "lyrics": f"words {i} " * 20} for i in range(30)]))
    out = tmp_path / ("o" * length)
    if run(["prepare", str(table), "--out", str(out), "--quiet"]):
        assert "is too long a name; choose a shorter --out" in capsys.readouterr().err
    assert run(["prepare", str(table), "--out", str(tmp_path / "c"), "--quiet"]) == 0
    assert run(["prepare", str(tmp_path / ("x" * length)), "--out", str(tmp_path / "d"), "--quiet"]) == 1
    assert "\n" not in capsys.readouterr().err.strip()
