"""A folder of good and bad files: the good ones are in the corpus, the bad ones are named, and the sums match."""

import gzip
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lyrist.cli import run
from lyrist.corpus.columns import recognise
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.errors import LyristError
from songtables.fouracts import songbook


def frame(part: int) -> pl.DataFrame:
    songs = songbook()[part::8]
    return pl.DataFrame({name: [getattr(s, name) for s in songs] for name in ("artist", "title", "genre", "lyrics")})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six tables that are whole or nearly so, and nine files that are not."""
    place = tmp_path / "tables"
    (place / "deep").mkdir(parents=True)
    frame(0).write_csv(place / "a.csv")
    frame(1).write_parquet(place / "b.parquet")
    frame(2).write_ndjson(place / "deep" / "c.jsonl")
    (place / "d.csv.gz").write_bytes(gzip.compress(frame(3).write_csv().encode()))
    (place / "e.json").write_text(frame(4).write_json())
    packed = gzip.compress(frame(5).write_csv().encode(), mtime=0)
    (place / "half.csv.gz").write_bytes(packed[: len(packed) // 2])
    whole = (place / "b.parquet").read_bytes()
    (place / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (place / "head.parquet").write_bytes(b"PAR1")
    (place / "empty.csv").write_bytes(b"")
    (place / "header.csv").write_text("artist,title,lyrics\n")
    (place / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    (place / "broken.json").write_text('[{"artist": "a", "lyrics": ')
    (place / "nothing.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with zipfile.ZipFile(place / "sheet.zip", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    (place / "numbers.csv").write_text("a,b\n1,2\n3,4\n")
    return place


BAD = {
    "cut.parquet",
    "head.parquet",
    "empty.csv",
    "header.csv",
    "picture.csv",
    "broken.json",
    "nothing.zip",
    "sheet.zip",
}
BAD |= {"numbers.csv"}


@pytest.mark.parametrize("pattern", ["", "/**/*"])
def test_the_good_are_read_and_the_bad_are_named(
    folder: Path, pattern: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corpus"
    assert run(["prepare", f"{folder}{pattern}", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out
    corpus = Corpus.open(out)
    unread = json.loads((out / "ledger.json").read_text())["unread"]
    assert {Path(name).name for name in unread} == BAD
    assert unread == corpus.info["unread"]
    for name in BAD:
        assert f"{name}" in said
        assert name in (out / "README.md").read_text()
    assert "9 files were not read:" in said
    rows = {Path(source["name"]).name: source["rows"] for source in corpus.info["sources"]}
    assert set(rows) == {"a.csv", "b.parquet", "c.jsonl", "d.csv.gz", "e.json", "half.csv.gz"}
    assert all(
        rows[name] == len(frame(part))
        for part, name in enumerate(["a.csv", "b.parquet", "c.jsonl", "d.csv.gz", "e.json"])
    )
    assert 0 < rows["half.csv.gz"] < len(frame(5))
    assert sum(rows.values()) == corpus.ledger.read == corpus.ledger.kept + sum(corpus.ledger.dropped.values())
    assert len(corpus.songs()) == corpus.ledger.kept
    again = prepare(f"{folder}{pattern}", out=str(tmp_path / "again"))
    assert again.corpus.fingerprint == corpus.fingerprint
    assert again.figures()["unread"] == unread


def test_a_file_that_is_named_must_be_good(folder: Path, tmp_path: Path) -> None:
    for name in sorted(BAD):
        with pytest.raises(LyristError, match=name):
            prepare(str(folder / name), str(folder / "a.csv"), out=str(tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def test_a_folder_of_bad_files_only_is_an_error(folder: Path, tmp_path: Path) -> None:
    for path in [*folder.iterdir(), folder / "deep" / "c.jsonl"]:
        if path.is_file() and path.name not in BAD:
            path.unlink()
    with pytest.raises(LyristError, match=r"damaged|empty|no songs|cannot be"):
        prepare(str(folder), out=str(tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def test_a_table_whose_rows_cannot_be_read_is_named_and_its_rows_counted(folder: Path, tmp_path: Path) -> None:
    path = folder / "bad-rows.parquet"
    frame(6).write_parquet(path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[40 : len(data) // 2] = bytes(len(data) // 2 - 40)
    path.write_bytes(data)
    corpus = prepare(str(folder), out=str(tmp_path / "c")).corpus
    assert "bad-rows.parquet" in {Path(name).name for name in corpus.info["unread"]}
    assert corpus.ledger.dropped["truncated-file"] >= len(frame(6))
    assert len(corpus.songs()) == corpus.ledger.kept


BEGINNINGS = [
    b"",
    b"title,lyrics\n",
    b"title\tlyrics\n",
    b'{"lyrics": ',
    b"[",
    b'[{"lyrics": "',
    b"PAR1",
    b"\x1f\x8b\x08\0",
]
BEGINNINGS += [
    b"PK\x03\x04",
    b"(\xb5/\xfd",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0\0\xfe\xff",
    b"sep=;\n",
]
pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b'"', b",", b"\n", b"\r\n", b"\0", b"\\", b"{", b"}", b"[", b"la,la\n", b'"la\nla",x\n', b"PAR1"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(BEGINNINGS),
    st.lists(pieces, max_size=12),
    st.sampled_from(["csv", "json", "jsonl", "parquet", "zip", "txt"]),
)
@example(b"PK\x05\x06", [b"\0" * 18], "zip")
@example(b'{"lyrics": ', [b"[" * 60 + b"]" * 60, b"}"], "json")
def test_any_bytes_are_rows_or_one_clear_error(
    tmp_path: Path, beginning: bytes, rest: list[bytes], ending: str
) -> None:
    path = tmp_path / f"songs.{ending}"
    path.write_bytes(beginning + b"".join(rest))
    try:
        for source in find_sources([path]):
            header, sample = sniff(source)
            reader = Reader(source, recognise(header, sample=sample, source_name=source.name))
            rows = sum(chunk.songs.num_rows + chunk.rejected.num_rows for chunk in reader)
            assert rows == reader.rows > 0
    except LyristError as error:
        assert path.name in str(error)
