"""Parquet: read by row groups, in batches whose size follows from that of the rows, so that memory stays bounded.

A row group may be as large as the file; it is read through a small buffer, which took a third of the memory when measured.
Where a row group cannot be read, its rows are rejected one by one (the footer says how many there are) and the next group is
tried. Arrow has no limit on the size of a page or a value, so the headers of the pages are read first: see `_check_pages`.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lyrist.corpus.reading import records
from lyrist.corpus.reading.records import CHUNK_CHARACTERS, CHUNK_ROWS, OVERSIZED, TRUNCATED, Batch, Origin, Part
from lyrist.corpus.reading.streams import BLOCK, DamageError, explained, unreadable
from lyrist.corpus.reading.values import text_of

PAGE_RECORDS = 16
"""A page may unpack to as many bytes as so many records of the maximum size."""
DICTIONARY_BYTES = 256 << 20
"""A batch has so few rows that no more bytes come from a dictionary, if each row repeats its longest value."""


@contextlib.contextmanager
def opened_parquet(path: str, packed: IO[bytes] | None = None, whole: IO[bytes] | None = None) -> Iterator[Any]:
    """Open a Parquet file; one in an archive is unpacked to a temporary file first.

    Parameters
    ----------
    path
        Where it is; opened unless one of the others is given.
    packed
        Its bytes as a stream, which are copied to the disk.
    whole
        Its bytes, which can be read from any position.

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
            source = stack.enter_context(pa.PythonFile(file, "r") if file is not path else pa.OSFile(path))
            opened = stack.enter_context(
                pq.ParquetFile(source, buffer_size=BLOCK, pre_buffer=False, page_checksum_verification=True)
            )
        except (pa.ArrowException, OSError, UnicodeDecodeError, DamageError) as error:
            raise unreadable(path, _short(error)) from error
        yield Table(path, source, opened)


class Table:
    """An open Parquet file."""

    def __init__(self, path: str, source: Any, file: Any) -> None:
        self._path, self._source, self._file = path, source, file
        self.names = [str(name) for name in file.schema_arrow.names]
        self.rows = int(file.metadata.num_rows)

    def batches(self, columns: Sequence[str], origin: Origin, part: Part | None = None) -> Iterator[Batch]:
        """Yield all rows, or those of a part, with these columns only.

        Raises
        ------
        LyristError
            No row could be read.
        """
        part, songs = part or Part(0, 0), 0
        row = part.before
        for group in range(part.start, self._file.num_row_groups):
            if part.stop(row):
                break
            before, count = row, self._file.metadata.row_group(group).num_rows
            reason = TRUNCATED
            try:
                for record in self._records(group, columns, CHUNK_ROWS):
                    row += record.num_rows
                    songs += record.num_rows
                    yield _batch(record, row - record.num_rows, origin)
                continue
            except _OversizedError as error:
                reason, why = OVERSIZED, str(error)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                why = _short(error)
            for rejected in _lost(row, before + count - row, group, reason, why):
                yield Batch(origin, rejected=rejected)
            row = before + count
        if row > part.before and not songs:
            raise unreadable(self._path, "no row group can be read")

    def sample(self, rows: int) -> list[dict[str, str | None]]:
        """Return the first rows as text; none where the first row group is damaged, which shows when it is read."""
        try:
            first = next(self._records(0, self.names, rows, sample=True), None)
            columns = [column.to_pylist() for column in first.columns] if first else []
        except (_OversizedError, pa.ArrowException, OSError, UnicodeDecodeError):
            return []
        return [dict(zip(self.names, map(text_of, row), strict=True)) for row in zip(*columns, strict=True)]

    def _records(self, group: int, columns: Sequence[str], most: int, sample: bool = False) -> Iterator[Any]:
        facts = self._file.metadata.row_group(group)
        size = facts.total_byte_size / max(facts.num_rows, 1)
        chunks = [facts.column(i) for i in range(facts.num_columns)]
        wanted = [c for c in chunks if any(f"{c.path_in_schema}.".startswith(f"{name}.") for name in columns)]
        longest = _check_pages(self._source, wanted, most if sample else facts.num_rows)
        rows = int(max(1, min(most, CHUNK_CHARACTERS // max(size, 1), DICTIONARY_BYTES // max(longest, 1))))
        yield from self._file.iter_batches(rows, [group], columns=list(columns), use_threads=False)


class _OversizedError(Exception):
    """A page or a list is larger than it may be."""


def _check_pages(source: Any, chunks: Sequence[Any], rows: int) -> int:
    """Read the page headers of some column chunks, for the first rows; return the bytes of the largest dictionary.

    A value is part of one page, so that a limit for pages limits values. A value of a dictionary can be repeated in every
    row at no cost, and so can the elements of a list.

    Raises
    ------
    _OversizedError
        A page unpacks to more bytes than it may, or the lists of a column have too many elements.
    OSError
        A page header is damaged.
    """
    limit = PAGE_RECORDS * records.RECORD_LIMIT
    largest = 0
    for chunk in chunks:
        column = chunk.path_in_schema
        if chunk.num_values > limit:
            raise _OversizedError(f"the column {column} has {chunk.num_values:,} values")
        at = chunk.dictionary_page_offset or chunk.data_page_offset
        end = at + chunk.total_compressed_size
        values = 0
        while at < end and (values < rows or "." in column):  # a column of lists has more values than rows
            header = _page_header(source, at)
            if header.unpacked > limit:
                raise _OversizedError(f"a page of the column {column} unpacks to {header.unpacked:,} bytes")
            if header.kind == _DICTIONARY:
                largest = max(largest, header.unpacked)
            else:
                values += header.values
            at += header.length + header.packed
    return largest


_DICTIONARY = 2


class _Page(NamedTuple):
    kind: int
    unpacked: int
    packed: int
    values: int
    length: int
    """Bytes of the header itself."""


def _page_header(source: Any, at: int) -> _Page:
    """Return the header of the page at a position: a struct of Thrift's compact protocol.

    Raises
    ------
    OSError
        It is not a page header.
    """
    for size in (1 << 10, 1 << 20):  # usually some 50 bytes, but there may be statistics with long texts
        source.seek(at)
        data = source.read(size)
        found = dict.fromkeys((1, 2, 3), -1)
        counted = {1: 0}
        with contextlib.suppress(IndexError, RecursionError):
            end = _struct(data, 0, found, counted)
            if min(found.values()) >= 0 and end <= len(data):
                return _Page(found[1], found[2], found[3], counted[1], end)
    raise OSError("a page header is damaged")


def _struct(data: bytes, at: int, found: dict[int, int], inner: dict[int, int]) -> int:
    """Read a struct, and its integers into ``found`` where that has their numbers; return where it ends.

    The integers of the headers of data pages, which are structs in it (fields 5 and 8), are read into ``inner``.
    """
    number = 0
    while kind := data[at] & 15:
        step = data[at] >> 4
        at += 1
        if step:
            number += step
        else:
            value, at = _varint(data, at)
            number = value >> 1
        if kind in (4, 5, 6):  # an integer
            value, at = _varint(data, at)
            if number in found:
                found[number] = (value >> 1) ^ -(value & 1)
        elif kind == 8:  # bytes
            value, at = _varint(data, at)
            at += value
        elif kind == 12:
            at = _struct(data, at, inner if number in (5, 8) else {}, {})
        elif kind == 3:
            at += 1
        elif kind == 7:
            at += 8
        elif kind not in (1, 2):  # true, false; lists and maps do not occur in page headers
            raise IndexError
    return at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _batch(record: Any, before: int, origin: Origin) -> Batch:
    rows = list(range(before + 1, before + record.num_rows + 1))
    values = {name: record.column(i) for i, name in enumerate(record.schema.names)}
    return Batch(origin, rows, rows, values)


def _lost(before: int, count: int, group: int, reason: str, why: str) -> Iterator[list[tuple[int, str, str]]]:
    for start in range(0, count, CHUNK_ROWS):
        rows = range(before + start + 1, before + min(start + CHUNK_ROWS, count) + 1)
        yield [(row, reason, f"row {row}: row group {group} cannot be read ({why})") for row in rows]


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else text[:119] + "…"
