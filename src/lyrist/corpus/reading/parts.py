"""Parts of a large table that are read at the same time, and together give what one reader would.

A reader of CSV or JSON lines that is between two records knows nothing of what came before. So a part may begin wherever a
record does. Where that is cannot be seen for certain: a line of a song in a quoted field may look like a record. Therefore the
beginnings are guesses, and each part is read on until its reader is between two records exactly where another part was guessed to
begin. Parts that no reader arrives at are not used: a wrong guess costs time, never a row. Damage is no exception.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lyrist.corpus.columns import Columns
from lyrist.corpus.reading.delimited import Shape, shape_of
from lyrist.corpus.reading.records import Part
from lyrist.corpus.reading.remote import Address
from lyrist.corpus.reading.sources import CSV, JSONL, PARQUET, Source
from lyrist.corpus.reading.streams import encoding_of, head, opened

SHAPE_BYTES = 1 << 18
"""So much of a delimited table is examined for its delimiter and the form of its records."""

PART_BYTES = 32 << 20
"""Bytes of a part, as stored; a table of less than two such parts is read whole."""

STOPS = 64
"""A part knows where so many of the next ones begin."""

ONE_BYTE = ("utf-8", "utf-8-sig", "ascii", "latin-1", "iso8859", "cp125", "cp874", "koi8", "mac")
"""Encodings, by how their names begin, in which a byte with the value of a line end is one."""

_WINDOW = 1 << 20  # bytes in which the beginning of a record is looked for
_RECORDS = 4  # so many records in a row must look like records
_LINES = 1_000  # lines at which a record is looked for, and of each attempt


def stretches(source: Source, columns: Columns, encoding: str) -> list[dict[str, Any]]:
    """Return the stretches of a large table that are to be surveyed; none where it is read whole, or is Parquet.

    Parameters
    ----------
    source
        What is read.
    columns
        Which column is which.
    encoding
        As requested.
    """
    if source.format not in (CSV, JSONL) or not _divisible(source, columns):
        return []
    with opened(source.path) as raw:
        start, whole = head(source.path, size=SHAPE_BYTES)
        packed = raw.packed
    found = encoding_of(start, encoding)
    if packed or not found.startswith(ONE_BYTE):
        return []
    shape = shape_of(start.decode(found, "replace"), whole) if source.format == CSV else None
    given = {
        "path": source.path,
        "size": PART_BYTES,
        "shape": asdict(shape) if shape else None,
        "encoding": found.removesuffix("-sig"),
    }
    return [{**given, "start": start} for start in range(0, source.bytes, PART_BYTES)]


def _divisible(source: Source, columns: Columns) -> bool:
    joined = columns.joined_by or columns.link or columns.short or not columns.lyrics
    local = not isinstance(source.path, Address) and not source.member
    return local and not joined and source.bytes >= 2 * PART_BYTES


def survey(stretch: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the lines of a stretch of a file, and where the first record in it may begin.

    Parameters
    ----------
    stretch
        ``path``, ``start`` and ``size`` (bytes), ``encoding``, and ``shape``: the form of the table; null for a record a line.
    settings
        Not used.

    Returns
    -------
    dict
        ``path``, ``start``, ``lines`` (line ends in these bytes), ``at`` (the byte at which a record may begin; -1 for none) and
        ``before`` (line ends from ``start`` up to it).
    """
    path, start, size = stretch["path"], stretch["start"], stretch["size"]
    shape = Shape(**stretch["shape"] | {"header": tuple(stretch["shape"]["header"])}) if stretch["shape"] else None
    with Path(path).open("rb") as file:
        file.seek(max(start - 1, 0))
        data = file.read(size + (2 if start else 1))
    skip = 1 if start else 0  # the byte before says whether a line begins here
    end = min(skip + size, len(data))
    found = {"path": path, "start": start, "lines": _line_ends(data, skip, end), "at": -1, "before": 0}
    first = skip if not start or data.startswith(b"\n") else data.find(b"\n", skip, end) + 1
    if first >= skip:
        found_at = 0 if shape is None else _record(data[first : min(first + _WINDOW, end)], shape, stretch["encoding"])
        if found_at >= 0 and first + found_at < end:
            at = first + found_at
            found |= {"at": start - skip + at, "before": _line_ends(data, skip, at)}
    return found


def _line_ends(data: bytes, first: int, end: int) -> int:
    """Return the line ends in some bytes: a line feed, a carriage return, or both as one, which ends with the second."""
    returns = data.count(b"\r", first, end)
    return data.count(b"\n", first, end) + (returns - data.count(b"\r\n", first, end + 1) if returns else 0)


def _record(data: bytes, shape: Shape, encoding: str) -> int:
    """Return the first byte at which records of this shape seem to begin, with a line; below zero for none."""
    lines = io.BytesIO(data).readlines()
    texts = [line.decode(encoding, "replace") for line in lines]
    at = 0
    for number, line in enumerate(lines[:_LINES]):
        if _looks_like_records(texts, number, shape):
            return at
        at += len(line)
    return -1


def _looks_like_records(lines: list[str], first: int, shape: Shape) -> bool:
    try:
        records = list(islice(shape.reader(islice(lines, first, first + _LINES)), _RECORDS))
    except csv.Error:
        return False
    good = [fields for fields in records if len(fields) == shape.fields]
    return len(good) == len(records) == _RECORDS and shape.plausible(good[0])


def of_surveys(found: list[dict[str, Any]]) -> list[Part]:
    """Return the parts of a file from the surveys of all its stretches, in any order."""
    parts, lines = [Part(0, 0)], 0
    for stretch in sorted(found, key=itemgetter("start")):
        if stretch["start"] and stretch["at"] >= 0:
            parts.append(Part(stretch["at"], lines + stretch["before"]))
        lines += stretch["lines"]
    return _with_stops(parts)


def of_row_groups(source: Source, columns: Columns) -> list[Part]:
    """Return the parts of a large Parquet file: row groups up to `PART_BYTES` unpacked, one at least; none of another source."""
    if source.format != PARQUET or not _divisible(source, columns):
        return []
    try:
        metadata = pq.read_metadata(source.path)
    except (pa.ArrowException, OSError):
        return []
    parts, rows, size = [Part(0, 0)], 0, 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if size and size + group.total_byte_size > PART_BYTES:
            parts.append(Part(number, rows))
            size = 0
        rows, size = rows + group.num_rows, size + group.total_byte_size
    return _with_stops(parts)


def _with_stops(parts: list[Part]) -> list[Part]:
    """Return parts that know where the next ones begin."""
    befores = [part.before for part in parts]
    return [Part(part.start, part.before, tuple(befores[i + 1 : i + 1 + STOPS])) for i, part in enumerate(parts)]
