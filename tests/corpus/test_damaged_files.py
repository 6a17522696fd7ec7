"""Files that are cut short or damaged: what came before the damage is kept, and one record says where it is."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from test_bad_tables import broken, error_of

from lyrist.corpus.corpus import Corpus
from lyrist.corpus.search import common
from lyrist.errors import LyristError


def json_table() -> bytes:
    return json.dumps([{"title": str(i), "lyrics": "la " * 50} for i in range(5000)], indent=1).encode()


def test_a_cut_json_list(tmp_path: Path) -> None:
    data = json_table()
    songs, rejected = broken(tmp_path / "songs.json", data[: len(data) // 2])
    assert 2400 < len(songs) < 2600
    assert [row["reason"] for row in rejected] == ["truncated-file"]
    assert f"after object {len(songs)}" in rejected[0]["detail"]
    assert "not one song" in error_of(tmp_path / "songs.json", data[:60])


def noisy_table(kind: str) -> bytes:
    """Return a table that does not pack well, so that half of the packed bytes hold about half of the rows."""
    chance = random.Random(1)
    songs = [
        {"title": str(i), "lyrics": "\n".join(f"{chance.random()}, {chance.random()}" for _ in range(20))}
        for i in range(900)
    ]
    if kind == "json":
        return json.dumps(songs).encode()
    if kind == "jsonl":
        return "\n".join(map(json.dumps, songs)).encode()
    out = io.StringIO()
    writer = csv.DictWriter(out, ["title", "lyrics"])
    writer.writeheader()
    writer.writerows(songs)
    return out.getvalue().encode()


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_cut_packed_table_keeps_what_came_before(tmp_path: Path, kind: str, packing: str) -> None:
    data = noisy_table(kind)
    packed = gzip.compress(data) if packing == "gz" else zstandard.ZstdCompressor().compress(data)
    path = tmp_path / f"songs.{kind}.{packing}"
    songs, rejected = broken(path, packed[: len(packed) // 2])
    whole, _ = broken(tmp_path / "whole", data)
    assert 300 < len(songs) < 700
    assert songs == whole[: len(songs)]
    assert [row["reason"] for row in rejected] == ["truncated-file"]
    assert "is damaged and not one song" in error_of(path, packed[:12])


def test_a_wrong_checksum_at_the_end_keeps_what_came_before(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(noisy_table("csv")))
    packed[-6] ^= 1
    songs, rejected = broken(tmp_path / "songs.csv.gz", bytes(packed))
    assert len(songs) > 850
    assert [row["reason"] for row in rejected] == ["truncated-file"]


def test_a_damaged_member_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("songs.csv", noisy_table("csv"))
    packed = bytearray((tmp_path / "all.zip").read_bytes())
    packed[len(packed) // 2 : len(packed) // 2 + 50] = b"\xff" * 50
    songs, rejected = broken(tmp_path / "all.zip", bytes(packed))
    assert 300 < len(songs) < 700
    assert rejected[-1]["reason"] == "truncated-file"


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("songs.csv", "title,lyrics\na,la\n")
    data = bytearray((tmp_path / "all.zip").read_bytes())
    data[6] |= 1  # the flag of encryption, in the member and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in error_of(tmp_path / "all.zip", bytes(data))


def test_cut_and_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "songs.parquet"
    lyrics = [str(random.Random(i).random()) * 20 for i in range(9000)]
    pq.write_table(
        pa.table({"lyrics": lyrics}), path, row_group_size=3000, use_dictionary=False, write_page_checksum=True
    )
    data = bytearray(path.read_bytes())
    assert "not one song" in error_of(path, bytes(data[:-100]))
    place = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0).data_page_offset
    data[place : place + 40] = b"\xff" * 40
    songs, rejected = broken(path, bytes(data))
    assert [song["row"] for song in songs] == [*range(1, 3001), *range(6001, 9001)]
    assert (len(rejected), rejected[0]["row"], rejected[0]["reason"]) == (3000, 3001, "truncated-file")


def test_a_panic_while_a_corpus_is_read_is_one_sentence(
    make_corpus: Callable[..., Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """polars panics on some pages of Parquet; a panic is not an `Exception`."""
    corpus = make_corpus(pl.DataFrame({"lyrics": ["la la"] * 10, "genre": ["pop"] * 10}))

    def panics(*_: Any, **__: Any) -> None:
        raise pl.exceptions.PanicException("left == right")

    monkeypatch.setattr(pl.LazyFrame, "collect", panics)
    monkeypatch.setattr(pl, "read_parquet", panics)
    for read in (corpus.songs, corpus.dropped, lambda: common(corpus, "genre"), lambda: corpus.duplicates):
        with pytest.raises(LyristError, match="damaged or missing"):
            read()


@pytest.mark.parametrize("kind", [pa.ipc.new_file, pa.ipc.new_stream])
def test_an_arrow_file_with_names_that_are_no_text_is_one_sentence(tmp_path: Path, kind: Any) -> None:
    table, out = pa.table({"title": ["a"], "lyrics": ["la la la"]}), io.BytesIO()
    with kind(out, table.schema) as writer:
        writer.write_table(table)
    assert "is damaged" in error_of(tmp_path / "songs.arrow", out.getvalue().replace(b"title", b"\xdfitle"))
