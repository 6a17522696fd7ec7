"""Parquet: read by row groups, in batches whose size follows from that of the rows, so that memory stays flat.

A row group may be as large as the file; it is read through a small buffer, which took a third of the memory when measured.
Where a row group cannot be read, its rows are rejected one by one and the next group is tried: the footer tells how many
there are.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lyrist.corpus.reading.records import CHUNK_CHARACTERS, CHUNK_ROWS, TRUNCATED, Batch, Origin, text_of
from lyrist.corpus.reading.streams import BLOCK, DamageError, explained, unreadable


@contextlib.contextmanager
def opened_parquet(path: str, packed: IO[bytes] | None = None, whole: IO[bytes] | None = None) -> Iterator[Any]:
    """Open a Parquet file; one that comes in an archive is unpacked to a temporary file first.

    Parameters
    ----------
    path
        Where it is; opened unless one of the others is given.
    packed
        Its bytes as a stream, which are copied to the disk.
    whole
        Its bytes, which can be read from any place.

    Raises
    ------
    LyristError
        It has no footer, as when it was cut short.
    """
    with contextlib.ExitStack() as stack:
        file: Any = path if whole is None else whole
        try:
            if packed is not None:
                file = stack.enter_context(tempfile.TemporaryFile())
                with explained(path):
                    shutil.copyfileobj(packed, file, BLOCK)
            opened = stack.enter_context(pq.ParquetFile(file, buffer_size=BLOCK, pre_buffer=False))
        except (pa.ArrowException, OSError, DamageError) as error:
            raise unreadable(path, _short(error)) from error
        yield opened


def parquet_batches(file: Any, columns: Sequence[str], origin: Origin) -> Iterator[Batch]:
    """Yield the rows of a Parquet file, only the columns that are asked for.

    Raises
    ------
    LyristError
        Not one row could be read.
    """
    row, songs = 0, 0
    for group in range(file.num_row_groups):
        facts = file.metadata.row_group(group)
        before = row
        try:
            for record in file.iter_batches(_rows_at_once(facts), [group], columns=list(columns), use_threads=False):
                row += record.num_rows
                songs += record.num_rows
                yield _batch(record, row - record.num_rows, origin)
        except (pa.ArrowException, OSError) as error:
            lost = before + facts.num_rows - row
            for rejected in _lost(row, lost, group, _short(error)):
                yield Batch(origin, rejected=rejected)
            row += lost
    if row and not songs:
        raise unreadable(origin.path, "no row group can be read")


def parquet_sample(file: Any, rows: int) -> tuple[list[str], list[dict[str, str | None]]]:
    """Return the names of the columns, and the first rows as text."""
    names = [str(name) for name in file.schema_arrow.names]
    try:
        rows = min(rows, _rows_at_once(file.metadata.row_group(0)))
        first = next(file.iter_batches(rows, use_threads=False), None)
        columns = [column.to_pylist() for column in first.columns] if first else []
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return names, []  # the damage shows, with its place, when the rows are read
    return names, [dict(zip(names, map(text_of, row), strict=True)) for row in zip(*columns, strict=True)]


def _rows_at_once(facts: Any) -> int:
    size = facts.total_byte_size / max(facts.num_rows, 1)
    return int(max(1, min(CHUNK_ROWS, CHUNK_CHARACTERS // max(size, 1))))


def _batch(record: Any, before: int, origin: Origin) -> Batch:
    rows = list(range(before + 1, before + record.num_rows + 1))
    values = {name: record.column(i) for i, name in enumerate(record.schema.names)}
    return Batch(origin, rows, rows, values)


def _lost(before: int, count: int, group: int, why: str) -> Iterator[list[tuple[int, str, str]]]:
    for start in range(0, count, CHUNK_ROWS):
        rows = range(before + start + 1, before + min(start + CHUNK_ROWS, count) + 1)
        yield [(row, TRUNCATED, f"row {row}: row group {group} cannot be read ({why})") for row in rows]


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else text[:119] + "…"
