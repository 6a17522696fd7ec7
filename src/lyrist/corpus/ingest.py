"""Tables of any form become raw shards: Parquet files of some thousand songs with one set of columns.

A row gets its number here. Every later stage works on shards alone, so that only this module depends on tables, delimiters
and presets.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.corpus.columns import Columns, recognise
from lyrist.corpus.reading import Reader, Source, find_sources, sniff
from lyrist.corpus.reading.remote import Address, SourceError, is_remote
from lyrist.errors import LyristError, UsageError
from lyrist.files import DiskFullError, read_json, write_json

SHARD_ROWS = 16_384
SHARD_BYTES = 32 << 20
"""A shard is closed when it has so many rows or bytes: it must fit into a worker's memory several times."""


@dataclass(frozen=True)
class Tables:
    """Which tables to read, and how; the fields of ``prepare`` that concern reading."""

    tables: tuple[str, ...]
    """Paths, patterns, folders, and addresses (as `Address`, which is saved without its secrets)."""
    preset: str = "auto"
    given: tuple[tuple[str, str], ...] = ()
    """Pairs of a field (``title``, ``lyrics`` ...) and the column named for it by option."""
    keep: tuple[str, ...] = ()
    encoding: str = "auto"
    lines: str = "auto"
    """Whether rows that are single lines of songs are joined: ``auto``, ``join`` or ``keep``."""

    @classmethod
    def of(
        cls,
        tables: Iterable[str],
        preset: str,
        keep: Iterable[str],
        encoding: str,
        lines: str = "auto",
        **columns: str | None,
    ) -> Tables:
        """Return the tables that a command names; ``columns`` are the columns named for fields, None where none is."""
        places = tuple(Address(table) if is_remote(table) else table for table in map(str, tables))
        return cls(places, preset, tuple((k, v) for k, v in columns.items() if v), tuple(keep), encoding, lines)


def ingest(tables: Tables, work: Path) -> dict[str, Any]:
    """Read all tables into ``work/raw`` and ``work/rejected``; return what was read.

    Returns
    -------
    dict
        ``sources`` (name, bytes, sha256, rows, preset, columns, notes), ``read`` (all records), ``shards``, ``repaired``
        (kind: count), ``unread`` (file: why), ``seconds`` (CPU).

    Raises
    ------
    LyristError
        No such table, no permission, no lyrics column, or no row in any table.
    """
    done = work / "ingest.json"
    if done.exists():
        found: dict[str, Any] = read_json(done, "an unfinished corpus")
        return found
    started = time.process_time()
    unread: dict[str, str] = {}
    first: LyristError | None = None
    sources = find_sources(tables.tables, unread)
    writer = _Shards(work, list(tables.keep))
    described: list[dict[str, Any]] = []
    repaired: dict[str, int] = {}
    before, total = 0, sum(source.bytes for source in sources)
    with progress.task("reading") as advance:
        for source in sources:
            report = partial(_report, advance, writer, before, total)
            try:
                described.append(_read(source, sources, tables, writer, repaired, report))
            except (SourceError, DiskFullError):
                raise
            except LyristError as error:
                if source.given or (isinstance(error, UsageError) and not source.part):
                    raise
                unread[source.name] = str(error)
                first = first or error
            before += source.bytes
    if first and not described:
        raise first
    writer.close()
    if not writer.next_id:
        raise LyristError(f"{', '.join(s.name for s in sources)}: there is not one row; give a table that has songs.")
    result = {
        "sources": described,
        "read": writer.next_id,
        "shards": writer.shards,
        "rejected": writer.rejected,
        "repaired": repaired,
        "unread": unread,
        "seconds": time.process_time() - started,
    }
    write_json(done, result)
    return result


def _report(advance: progress.Advance, writer: _Shards, before: int, total: int, read: int) -> None:
    advance(writer.next_id, None, f"{(before + read) / 1e6:,.0f} of {total / 1e6:,.0f} MB")


def _read(
    source: Source,
    sources: Sequence[Source],
    tables: Tables,
    writer: _Shards,
    repaired: dict[str, int],
    report: Callable[[int], None],
) -> dict[str, Any]:
    """Read one source into the shards; return what it was. Rows that came before an error are in the shards and counted."""
    columns = _columns(source, tables)
    reader = Reader(source, columns, encoding=tables.encoding, beside=sources)
    rows = 0
    try:
        for chunk in reader:
            rows += writer.add(chunk.songs, chunk.rejected, source.name)
            report(reader.bytes_read)
    finally:
        writer.end_source(rows)
    for kind, count in reader.repaired.items():
        repaired[kind] = repaired.get(kind, 0) + count
    return _describe(source, reader, columns, rows)


def _columns(source: Source, tables: Tables) -> Columns:
    header, sample = sniff(source, tables.encoding)
    given: Mapping[str, str] = dict(tables.given)
    return recognise(
        header,
        preset=tables.preset,
        given=given,
        keep=tables.keep,
        sample=sample,
        source_name=source.name,
        lines=tables.lines,
    )


def _describe(source: Source, reader: Reader, columns: Columns, rows: int) -> dict[str, Any]:
    mapping = {k: v for k, v in dataclasses.asdict(columns).items() if v and k not in ("preset", "short")}
    return {
        "name": source.name,
        "bytes": source.bytes or reader.bytes_read,  # some servers do not say before
        "sha256": reader.sha256,
        "rows": rows,
        "preset": columns.preset,
        "columns": mapping,
        "notes": reader.notes,
    }


class _Shards:
    """Collects chunks and writes a shard whenever it has enough rows or bytes: its songs, and its rejected rows if any."""

    def __init__(self, work: Path, keep: Sequence[str]) -> None:
        self.raw, self.rejects = work / "raw", work / "rejected"
        for folder in (self.raw, self.rejects):
            folder.mkdir(exist_ok=True)
            for left in folder.glob("*.parquet"):
                left.unlink()
        self.keep = list(keep)
        self.songs: list[pa.Table] = []
        self.faulty: list[pl.DataFrame] = []
        self.next_id = self.offset = self.shards = 0
        self.rejected: dict[str, int] = {}

    def add(self, songs: pa.Table, rejected: pa.Table, name: str) -> int:
        """Add the rows of one chunk; return how many there were."""
        self.songs.append(self._numbered(songs, name))
        if rejected.num_rows:
            self._reject(rejected, name)
        rows = int(songs.num_rows + rejected.num_rows)
        self.next_id += rows
        held = sum(table.num_rows for table in self.songs) + sum(map(len, self.faulty))
        if held >= SHARD_ROWS or sum(table.nbytes for table in self.songs) >= SHARD_BYTES:
            self._flush()
        return rows

    def end_source(self, rows: int) -> None:
        self.offset += rows

    def close(self) -> None:
        self._flush()

    def _numbered(self, songs: pa.Table, name: str) -> pa.Table:
        ids = pa.array(songs["row"].to_numpy() + (self.offset - 1), pa.int64())
        named = pa.DictionaryArray.from_arrays(pa.array([0] * songs.num_rows, pa.int32()), pa.array([name]))
        return songs.add_column(0, "id", ids).add_column(1, "source", named.cast(pa.string()))

    def _reject(self, rejected: pa.Table, name: str) -> None:
        frame = pl.DataFrame(rejected).with_columns(
            id=pl.col("row") + (self.offset - 1),
            source=pl.lit(name),
            title=pl.lit(None, pl.String),
            artist=pl.lit(None, pl.String),
        )
        self.faulty.append(frame)
        for reason, count in frame["reason"].value_counts().iter_rows():
            self.rejected[reason] = self.rejected.get(reason, 0) + count

    def _flush(self) -> None:
        if self.songs:
            path = self.raw / f"{self.shards:05d}.parquet"
            pq.write_table(
                pa.concat_tables(self.songs), path, compression="lz4", use_dictionary=["source", "artist", "genre"]
            )
            if self.faulty:
                pl.concat(self.faulty).write_parquet(self.rejects / path.name)
            self.shards += 1
            self.songs, self.faulty = [], []
