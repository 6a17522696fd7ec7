"""Files, patterns and folders become sources, whatever their names; what cannot be read is reported in one sentence."""

import gzip
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lyrist.corpus.reading import Source, find_sources, sniff
from lyrist.errors import LyristError

TABLE = "title,lyrics\nOne,la la\n"


def write(path: Path, text: str | bytes = TABLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(*tables: Path | str) -> list[str]:
    return [source.name for source in find_sources(tables)]


def error_of(*tables: Path | str) -> str:
    with pytest.raises(LyristError) as caught:
        find_sources(tables)
    assert caught.value.exit_code == 1
    return str(caught.value)


def test_a_file_is_a_source(tmp_path: Path) -> None:
    path = write(tmp_path / "songs.csv")
    assert find_sources([path]) == [Source(str(path), "songs.csv", "csv", len(TABLE))]


def test_globs_and_folders_stand_for_their_tables_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.tsv", "deep/c.csv.gz", ".hidden.csv", "notes.txt", "picture.png"):
        write(tmp_path / name, gzip.compress(TABLE.encode()) if name.endswith("gz") else TABLE)
    assert names(f"{tmp_path}/*.csv") == ["b.csv"]
    assert names(f"{tmp_path}/**/*.csv*") == ["b.csv", "c.csv.gz"]
    assert names(tmp_path) == ["a.tsv", "b.csv", "c.csv.gz"]
    assert names(f"{tmp_path}/d*") == ["c.csv.gz"]


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path: Path) -> None:
    assert names(write(tmp_path / "songs [1].csv")) == ["songs [1].csv"]


def test_a_source_given_twice_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "songs.csv")
    assert names(path, tmp_path, f"{tmp_path}/../{tmp_path.name}/songs.csv") == ["songs.csv"]


def test_sources_of_one_name_are_named_by_their_paths(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "songs.csv"), write(tmp_path / "b" / "songs.csv")
    assert names(one, two) == [str(one), str(two)]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TABLE, "csv"),
        ("title\tlyrics\nOne\tla\n", "csv"),
        ('[{"title": "One", "lyrics": "la"}]', "json"),
        ('{"title": "One", "lyrics": "la"}', "json"),
        ('{\n "songs": [\n  {"title": "One", "lyrics": "la"},\n  {"title": "Two", "lyrics": "la"}\n ]\n}\n', "json"),
        ('\ufeff{"title": "One"}\n{"title": "Two"}\n', "jsonl"),
        ('{"title": "One", "ly\n{"title": "Two", "lyrics": "la"}\n', "jsonl"),
        ("[Verse],lyrics\na,b\n", "csv"),
    ],
)
def test_the_content_decides_the_format(tmp_path: Path, content: str, kind: str) -> None:
    for name in ("songs.csv", "songs.jsonl.json", "songs.dat", "songs"):
        assert [source.format for source in find_sources([write(tmp_path / name, content)])] == [kind]


def test_parquet_is_recognised_without_its_ending(tmp_path: Path) -> None:
    pq.write_table(pa.table({"lyrics": ["la"]}), tmp_path / "songs.csv")
    assert find_sources([tmp_path / "songs.csv"])[0].format == "parquet"


def test_a_zip_stands_for_the_tables_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("b.csv", TABLE)
        archive.writestr("deep/a.json", '[{"title": "One", "lyrics": "la"}]')
        archive.writestr("README.md", "read me")
        archive.writestr("__MACOSX/._b.csv", b"\0\1\2")
    found = find_sources([tmp_path])
    assert [(s.name, s.format, s.member) for s in found] == [
        ("all.zip/b.csv", "csv", "b.csv"),
        ("all.zip/deep/a.json", "json", "deep/a.json"),
    ]
    assert found[0].bytes == len(TABLE)


def test_a_folder_of_text_files_is_one_source(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "cover.png"):
        write(tmp_path / name, "la la")
    (source,) = find_sources([tmp_path])
    assert (source.name, source.format, source.bytes) == (f"{tmp_path.name}/*.txt", "songs", 15)
    assert [Path(file).name for file in source.files] == ["a.txt", "b.txt", "c.txt"]
    assert names(f"{tmp_path}/*.txt") == [f"{tmp_path.name}/*.txt"]


def test_a_txt_file_is_a_table_when_its_first_line_names_the_lyrics(tmp_path: Path) -> None:
    assert find_sources([write(tmp_path / "a.txt", "title\tlyrics\nOne\tla\n")])[0].format == "csv"
    (song,) = find_sources([write(tmp_path / "b.txt", "Hello, hello\nlyrics are here, too\n")])
    assert (song.format, song.name, song.files) == ("songs", "b.txt", (str(tmp_path / "b.txt"),))


def test_the_folder_of_a_corpus_stands_for_its_songs(tmp_path: Path) -> None:
    write(tmp_path / "corpus.json", json.dumps({"format": 1}))
    for place in ("songs/train-00000.parquet", "dropped/00000.parquet"):
        (tmp_path / place).parent.mkdir()
        pq.write_table(pa.table({"lyrics": ["la"]}), tmp_path / place)
    assert names(tmp_path) == ["train-00000.parquet"]


def test_the_table_of_artists_comes_last(tmp_path: Path) -> None:
    write(tmp_path / "artists.csv", "Artist,Songs,Popularity,Link,Genre\nA,1,0,/a/,Rock\n")
    write(tmp_path / "lyrics.csv", "ALink,SName,SLink,Lyric,Idiom\n/a/,One,/a/one,la,ENGLISH\n")
    found = find_sources([tmp_path])
    assert [(source.name, source.artists) for source in found] == [("lyrics.csv", False), ("artists.csv", True)]


def test_no_such_file_has_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path / "songdata.csv")
    assert "Did you mean 'songdata.csv'?" in error_of(tmp_path / "songdat.csv")
    assert "does not exist either" in error_of(tmp_path / "nowhere" / "songs.csv")
    assert "No file matches" in error_of(f"{tmp_path}/*.tsv")
    assert "of a kind that is not read; those that are: http://, https://, s3://" in error_of(
        "ftp://me:pw@localhost/a.csv"
    )


def test_what_cannot_be_read_is_reported_with_the_formats_that_can(tmp_path: Path) -> None:
    for content, what in [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture"),
        (b"%PDF-1.7 ...", "a PDF"),
        (bytes(range(256)) * 40, "not text"),
    ]:
        message = error_of(write(tmp_path / "songs.csv", content))
        assert what in message
        assert "Parquet" in message


def test_a_damaged_tar_archive(tmp_path: Path) -> None:
    assert "not a whole tar archive" in error_of(write(tmp_path / "songs.csv", b"x" * 257 + b"ustar" + b"\0" * 100))


def test_a_spreadsheet_and_an_archive_without_tables(tmp_path: Path) -> None:
    for name in ("[Content_Types].xml", "readme.md"):
        with zipfile.ZipFile(tmp_path / "songs.xlsx", "w") as archive:
            archive.writestr(name, "x")
        message = error_of(tmp_path / "songs.xlsx")
        assert ("save the sheet as CSV" in message) == (name != "readme.md")
        assert ("only readme.md" in message) == (name == "readme.md")


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff", "\ufeff\n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    assert "songs.csv is empty" in error_of(write(tmp_path / "songs.csv", content))


def test_empty_inside_a_packing(tmp_path: Path) -> None:
    assert "is empty" in error_of(write(tmp_path / "songs.csv.gz", gzip.compress(b"")))
    assert "is damaged" in error_of(write(tmp_path / "songs.csv.gz", gzip.compress(b"title,lyrics\n" * 99)[:8]))
    assert "not a whole zip archive" in error_of(write(tmp_path / "songs.zip", b"PK\x03\x04" + b"x" * 50))


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no table" in error_of(tmp_path / "empty")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in error_of(tmp_path / "pipe")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that everybody can enter, unlike tmp_path: permissions count only for others than root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    yield folder
    if root:
        os.seteuid(0)
    for path in folder.iterdir():
        path.chmod(0o755)
    shutil.rmtree(folder)


def drop_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_no_permission(open_folder: Path) -> None:
    secret = write(open_folder / "secret.csv")
    secret.chmod(0)
    closed = write(open_folder / "closed" / "songs.csv").parent
    closed.chmod(0)
    drop_rights()
    assert f"No permission to read {secret}" in error_of(secret)
    assert f"No permission to read {closed}" in error_of(closed)
    assert "No permission to read" in error_of(closed / "songs.csv")


def test_a_file_that_goes_between_finding_and_reading(tmp_path: Path) -> None:
    (source,) = find_sources([write(tmp_path / "songs.csv")])
    Path(source.path).unlink()
    with pytest.raises(LyristError, match="No such file"):
        sniff(source)
