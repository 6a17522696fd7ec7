"""A table that is read in parts gives the rows, numbers and rejections that it gives when one reader reads it whole."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus import ingest
from lyrist.corpus.ingest import Tables, read_shard
from lyrist.corpus.parallel import Workers
from lyrist.corpus.reading import parts
from lyrist.errors import LyristError

LINES = (
    "lantern on the water",
    'she said "stay", and I stayed',
    "7,three,one line that looks like a record of this table and is none",
    '"',
    'a quote at the end"',
    "",
    "naïve café 漢字",
    'x","y',
)


def songs(chance: random.Random, count: int = 60) -> list[list[str]]:
    """Return songs whose lines look like records, like quoted fields, or like the end of one."""
    return [
        [f"t{number}", f"a{number % 7}", "\n".join(chance.choices(LINES, k=chance.randint(1, 12)))]
        for number in range(count)
    ]


def table(rows: list[list[str]], **dialect: Any) -> str:
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerow(["title", "artist", "lyrics"])
    writer.writerows(rows)
    return out.getvalue()


def read(path: Path, size: int, folder: Path, count: int = 1) -> tuple[Any, ...]:
    """Return the tasks of a table that is read in parts of so many bytes, and all that comes out, or the error."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, Workers(count=count) as workers:
        for module in (parts, ingest):
            patch.setattr(module, "PART_BYTES", size)
        try:
            found = ingest.ingest(Tables.of([str(path)], "auto", (), "auto"), folder, workers)
        except LyristError as error:
            return 0, type(error), str(error)
        tasks = len(workers.seconds["read_part"])
    rows = [
        [row for place in sorted((folder / name).glob("*.parquet")) for row in read_shard(place).rows()]
        for name in ("raw", "rejected")
    ]
    kept = {name: value for name, value in found.items() if name not in ("seconds", "shards")}
    return tasks, kept, *rows


def both(path: Path, size: int, folder: Path, count: int = 1) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return what comes out of a table read whole, and in parts."""
    return read(path, 1 << 40, folder / "whole"), read(path, size, folder / "divided", count)


FAULTS = {
    "none": lambda text, at: text,
    "quote lost": lambda text, at: text[:at] + text[at:].replace('"', "", 1),
    "quote added": lambda text, at: f'{text[:at]}"{text[at:]}',
    "fields added": lambda text, at: f"{text[:at]}\nx,y,z,w\n{text[at:]}",
    "cut": lambda text, at: text[:at],
    "line ends": lambda text, at: text[:at].replace("\r\n", "\n") + text[at:],
}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    faults=st.lists(st.tuples(st.sampled_from(sorted(FAULTS)), st.floats(0.1, 0.8)), max_size=3),
    size=st.integers(300, 3_000),
    end=st.sampled_from(["\r\n", "\n"]),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_any_table_of_any_damage(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    faults: list[tuple[str, float]],
    size: int,
    end: str,
    mark: str,
) -> None:
    text = table(songs(random.Random(seed)), lineterminator=end)
    for fault, place in faults:
        text = FAULTS[fault](text, int(place * len(text)))
    folder = tmp_path_factory.mktemp("parts")
    (folder / "songs.csv").write_bytes(text.encode(mark))
    whole, divided = both(folder / "songs.csv", size, folder)
    assert divided[1:] == whole[1:]


@pytest.mark.parametrize("count", [1, 2])
def test_a_sound_table_is_read_in_many_parts_whatever_the_workers(tmp_path: Path, count: int) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(table([[f"t{i}", "a", f"one, two\nthree {i}\n" * 9] for i in range(400)]))
    whole, divided = both(path, 8_000, tmp_path, count)
    assert divided[1:] == whole[1:]
    assert divided[0] > 8
    assert not divided[3]


def test_places_of_faults_count_from_the_beginning_of_the_table(tmp_path: Path) -> None:
    rows = [[f"t{i}", "a", f"one, two\nthree {i}\n" * 9] for i in range(400)]
    rows[300].append("one field more")
    path = tmp_path / "songs.csv"
    path.write_text(table(rows))
    whole, (_, *divided) = both(path, 8_000, tmp_path)
    assert divided == [*whole[1:]]
    rejected = divided[2]
    assert [row[0] for row in rejected] == [301]
    assert any("lines 5702 to 5720: 4 fields" in str(value) for value in rejected[0])


def test_json_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"title": f"t{i}", "lyrics": f"lantern {i} on the water\n" * 9}) for i in range(300)]
    lines[100] = "{broken"
    lines[200] += "\n\n   \n"
    path = tmp_path / "songs.jsonl"
    path.write_text("\n".join(lines))
    whole, (tasks, *divided) = both(path, 4_000, tmp_path)
    assert divided == [*whole[1:]]
    rejected = divided[2]
    assert tasks > 8
    assert "line 101" in str(rejected[0])


@pytest.mark.parametrize("damaged", [False, True])
def test_parquet_by_row_groups(tmp_path: Path, damaged: bool) -> None:
    path = tmp_path / "songs.parquet"
    frame = pl.DataFrame(
        {"title": [f"t{i}" for i in range(300)], "lyrics": [f"lantern {i}\n" * 20 for i in range(300)]}
    )
    pq.write_table(
        frame.to_arrow().cast(pa.schema({"title": pa.string(), "lyrics": pa.string()})), path, row_group_size=50
    )
    if damaged:
        place = pq.read_metadata(path).row_group(3).column(1).data_page_offset
        data = bytearray(path.read_bytes())
        data[place : place + 60] = bytes(60)
        path.write_bytes(data)
    whole, (tasks, *divided) = both(path, 4_000, tmp_path)
    assert divided == [*whole[1:]]
    rejected = divided[2]
    assert tasks == 6 + damaged  # a part of which nothing can be read: the whole is read again
    assert [row[0] for row in rejected] == (list(range(151, 201)) if damaged else [])


def test_a_second_header_deep_in_a_table_is_named_by_its_row(tmp_path: Path) -> None:
    text = table([[f"t{i}", "a", "lantern on the water\n" * 9] for i in range(200)])
    path = tmp_path / "songs.csv"
    path.write_text(text + text.replace("title,artist,lyrics", "artist,title,lyrics"))
    found = read(path, 4_000, tmp_path / "divided")
    assert "in its row 201" in found[2]
    assert found == read(path, 1 << 40, tmp_path / "whole")
