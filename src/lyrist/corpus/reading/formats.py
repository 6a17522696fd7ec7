"""How a source of each format is opened: what tells its columns, and the batches of its records.

A new format is one function here and one name in `lyrist.corpus.reading.sources`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from lyrist.corpus.columns import Columns
from lyrist.corpus.reading.columnar import opened_parquet, parquet_batches, parquet_sample
from lyrist.corpus.reading.delimited import Table, shape_of
from lyrist.corpus.reading.objects import json_lines, json_values
from lyrist.corpus.reading.records import Batch, Item, Origin, Rejected, batches, text_of
from lyrist.corpus.reading.songfiles import HEADER, SongFiles
from lyrist.corpus.reading.sources import CSV, JSONL, PARQUET, SONG_FILES, Source
from lyrist.corpus.reading.streams import (
    DamageError,
    Opened,
    encoding_of,
    file,
    head,
    opened,
    pieces,
    seekable,
    text,
    unreadable,
)
from lyrist.errors import LyristError

SAMPLE_ROWS = 100
SAMPLE_CHARACTERS = 4 << 20
"""What `sniff` returns has at most so many records, and little more than so many characters."""
SAMPLE_BYTES = 1 << 18
"""So much of a delimited table tells its delimiter and what its records look like."""

Sample = tuple[list[str], list[dict[str, str | None]]]
"""The columns of a source, and some of its songs as text."""


class Counted(Protocol):
    """What the bytes of a source run through."""

    count: int
    """Bytes so far."""

    def finish(self) -> str:
        """Return the SHA-256 of all of them."""


@dataclass(frozen=True)
class Open:
    """A source that has been opened; one of the two can be called, once."""

    sniff: Callable[[], Sample]
    batches: Callable[[Columns], Iterator[Batch]]
    tap: Counted


@contextlib.contextmanager
def opened_source(source: Source, encoding: str) -> Iterator[Open]:
    """Open a source of any format.

    Raises
    ------
    LyristError
        It cannot be opened or is empty.
    UsageError
        There is no such encoding.
    """
    if source.format == SONG_FILES:
        encoding_of(b"", encoding)  # so that a wrong name is refused
        files = SongFiles(source.files, encoding)
        yield _lists(list(HEADER), files.items(), Origin(source.path, "file", encoding), files)
        return
    with opened(source.path, source.member) as raw:
        if source.format == PARQUET and raw.remote and not raw.packed:
            yield _remote_parquet(source.path, raw)
            return
        if source.format == PARQUET:
            with opened_parquet(source.path, raw.data if raw.packed else None) as table:
                yield _parquet(source.path, table, raw.tap)
            return
        start, whole = head(source.path, source.member, SAMPLE_BYTES)
        encoding = encoding_of(start, encoding)
        if source.format == CSV:
            yield _delimited(source.path, raw.data, encoding, start.decode(encoding, "replace"), whole, raw.tap)
        elif source.format == JSONL:
            yield _objects(json_lines(text(raw.data, encoding)), Origin(source.path, "line", encoding), raw.tap)
        else:
            yield _objects(json_values(pieces(raw.data, encoding)), Origin(source.path, "object", encoding), raw.tap)


def no_songs(path: str) -> LyristError:
    """Return the error for a table that has a header at most."""
    return LyristError(f"{path} has no songs: there is no row after the header.")


def _parquet(path: str, table: Any, tap: Counted) -> Open:
    origin = Origin(path, "row")

    def sniffed() -> Sample:
        if not table.metadata.num_rows:
            raise no_songs(path)
        return parquet_sample(table, SAMPLE_ROWS)

    return Open(sniffed, lambda columns: parquet_batches(table, wanted(columns), origin), tap)


def _remote_parquet(path: str, raw: Opened) -> Open:
    """Open a remote file: a sample takes the parts it needs; all rows are read from a copy, fetched and hashed once."""

    def sniffed() -> Sample:
        with contextlib.ExitStack() as stack:
            whole = seekable(stack.enter_context(file(path)), stack)
            return _parquet(path, stack.enter_context(opened_parquet(path, whole=whole)), raw.tap).sniff()

    def batches(columns: Columns) -> Iterator[Batch]:
        with opened_parquet(path, raw.data) as copy:
            yield from parquet_batches(copy, wanted(columns), Origin(path, "row"))

    return Open(sniffed, batches, raw.tap)


def _delimited(path: str, data: Any, encoding: str, start: str, whole: bool, tap: Counted) -> Open:
    shape = shape_of(start, whole)
    if shape is None:
        raise LyristError(f"{path} is empty; give a table with a header and songs.")
    origin = Origin(path, "line", encoding, line_breaks=True)
    return _lists(list(shape.header), Table(text(data, encoding), shape).records(), origin, tap)


def _lists(header: list[str], items: Iterator[Item], origin: Origin, tap: Counted) -> Open:
    """Open a source whose records are lists, with a value for each column."""

    def sniffed() -> Sample:
        return header, [dict(zip(header, row, strict=True)) for row in _first_of(items, origin.path)]

    def chosen(columns: Columns) -> Iterator[Batch]:
        places = {name: header.index(name) for name in wanted(columns)}
        return batches(items, origin, lambda rows: {name: [row[i] for row in rows] for name, i in places.items()})

    return Open(sniffed, chosen, tap)


def _objects(items: Iterator[Item], origin: Origin, tap: Counted) -> Open:
    """Open a source whose records are objects; its columns are the keys that the first of them have."""

    def sniffed() -> Sample:
        songs = _first_of(items, origin.path)
        header = list(dict.fromkeys(key for song in songs for key in song))
        return header, [{key: text_of(value) for key, value in song.items()} for song in songs]

    def chosen(columns: Columns) -> Iterator[Batch]:
        joiners = {name: "\n" if name == columns.lyrics else ", " for name in wanted(columns)}
        return batches(
            items, origin, lambda songs: {n: [text_of(song.get(n), j) for song in songs] for n, j in joiners.items()}
        )

    return Open(sniffed, chosen, tap)


def _first_of(items: Iterator[Item], path: str) -> list[Any]:
    """Return the values of some of the first records that can be songs."""
    found: list[Any] = []
    rejected: Rejected | None = None
    try:
        size = 0
        for _, characters, value in islice(items, 10 * SAMPLE_ROWS):
            size += characters
            if isinstance(value, Rejected):
                rejected = rejected or value
            else:
                found.append(value)
            if len(found) == SAMPLE_ROWS or size > SAMPLE_CHARACTERS:
                break
    except DamageError as error:
        if not found:
            raise unreadable(path, str(error)) from error
    if not found and not rejected:
        raise no_songs(path)
    if not found and rejected:
        raise LyristError(f"Not one song can be read from {path}; the first fault is in {rejected.detail}.")
    return found


def wanted(columns: Columns) -> list[str]:
    """Return the columns of the source that are to be read, each once."""
    named = (
        columns.title,
        columns.artist,
        columns.genre,
        columns.lyrics,
        columns.language,
        columns.year,
        columns.split,
    )
    return list(dict.fromkeys(name for name in (*named, *columns.keep, columns.link) if name))
