"""Records and batches of records: what every reader of a row-wise format yields.

A record that cannot be a song is not left out. It is yielded in its place as `Rejected`, so that row numbers do not depend
on what is wrong with a table. One limit, `RECORD_LIMIT`, bounds the memory that a record can take in any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lyrist.corpus.reading.streams import DamageError, unreadable

MALFORMED = "malformed-row"
UNCLOSED = "unclosed-quote"
NOT_UTF8 = "invalid-utf8"
NOT_JSON = "damaged-json"
OVERSIZED = "oversized-record"
TRUNCATED = "truncated-file"
UNREADABLE = "unreadable-file"
STRUCTURE = "unknown-structure"
CUT = "cut-text"
MANY_SONGS = "many-songs"

CHUNK_ROWS = 8_192
CHUNK_CHARACTERS = 32 << 20
"""A chunk is full when it has so many rows or characters, so that long fields do not fill the memory."""
RECORD_LIMIT = 16 << 20
"""Maximum characters of one record; bytes of a Parquet value or a text file. Longer ones are rejected unread."""


class Rejected(NamedTuple):
    """Why a record is not a song."""

    reason: str
    detail: str


def oversized(place: str) -> Rejected:
    """Return the rejection of a record that is longer than `RECORD_LIMIT`."""
    return Rejected(OVERSIZED, f"{place}: a record of more than {RECORD_LIMIT:,} characters")


Item = tuple[int, int, Any]
"""A record: where it begins (line, or number of the object), its characters, and its value or `Rejected`."""


@dataclass(frozen=True)
class Origin:
    """How the places of records are reported."""

    path: str
    unit: str = "line"
    """What places count: ``line``, ``object``, ``row`` or ``file``."""
    encoding: str = "utf-8"
    line_breaks: bool = False
    """Whether a line break in a value is one in the file too, as in CSV."""


@dataclass
class Batch:
    """Some thousand consecutive records."""

    origin: Origin

    rows: list[int] = field(default_factory=list)
    """Record numbers of the songs, from 1."""
    places: list[int] = field(default_factory=list)
    """The line (or object) at which each song begins."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The values of each column that is read: texts (or None), or an Arrow array."""
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    """Record number, reason and detail of each record that is not a song."""


@dataclass
class Part:
    """A part of a source that is read alone; see `lyrist.corpus.reading.parts`."""

    start: int
    """Its first byte; of Parquet, its first row group."""
    before: int
    """Lines before it; of Parquet, rows."""
    stops: tuple[int, ...] = ()
    """The values of ``before`` of some parts that follow."""
    end: int = -1
    """That of the part that follows, set when this one was read; -1 where the source ended."""

    def stop(self, place: int) -> bool:
        """Return whether another part begins between two records with so many lines before, and note it."""
        if place not in self.stops:
            return False
        self.end = place
        return True


def batches(items: Iterable[Item], origin: Origin, names: Sequence[str]) -> Iterator[Batch]:
    """Gather records into batches of bounded size.

    Parameters
    ----------
    items
        The records in order, each with the values of ``names``; `DamageError` may end them.
    origin
        Where they come from.
    names
        The columns.

    Raises
    ------
    LyristError
        The source is damaged before the end of the first song.
    """
    row = songs = size = place = 0
    batch, values = Batch(origin), list[Sequence[str | None]]()
    try:
        for place, characters, value in items:
            row += 1
            if type(value) is Rejected:
                batch.rejected.append((row, *value))
            else:
                batch.rows.append(row)
                batch.places.append(place)
                values.append(value)
                size += characters
            if size >= CHUNK_CHARACTERS or len(values) + len(batch.rejected) >= CHUNK_ROWS:
                songs += len(values)
                batch.values = dict(zip(names, zip(*values, strict=True), strict=False))
                yield batch
                batch, values, size = Batch(origin), [], 0
    except DamageError as error:
        if not songs + len(values):
            raise unreadable(origin.path, str(error)) from error
        batch.rejected.append(
            (row + 1, TRUNCATED, f"after {origin.unit} {place}: the file ends before it should ({error})")
        )
    if batch.rows or batch.rejected:
        batch.values = dict(zip(names, zip(*values, strict=True), strict=False))
        yield batch
