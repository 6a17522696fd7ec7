"""Tables of any form become raw shards: Parquet files of some thousand songs with one set of columns.

A row gets its number here. Every later stage works on shards alone, so that only this module depends on tables, delimiters
and presets.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.corpus.columns import Columns, recognise
from lyrist.corpus.parallel import Workers
from lyrist.corpus.reading import Reader, Source, find_sources, sniff
from lyrist.corpus.reading.parts import PART_BYTES, of_row_groups, of_surveys, stretches, survey
from lyrist.corpus.reading.records import Part
from lyrist.corpus.reading.remote import Address, SourceError, is_remote
from lyrist.corpus.reading.sources import PARQUET
from lyrist.corpus.reading.streams import check_unchanged
from lyrist.errors import LyristError, UsageError
from lyrist.files import DiskFullError, explained, read_json, sha256, write_json

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
        tables: Iterable[Any],
        preset: str,
        keep: Iterable[str],
        encoding: str,
        lines: str = "auto",
        **columns: str | None,
    ) -> Tables:
        """Return the tables that a command names; ``columns`` are the columns named for fields, None where none is.

        Raises
        ------
        UsageError
            A table is no path or address.
        """
        tables = list(tables)
        for table in tables:
            if not isinstance(table, str | os.PathLike):
                raise UsageError(
                    f"A table is a path, got {type(table).__name__}; give several as further arguments, 'a.csv', 'b.csv'."
                )
        places = tuple(Address(table) if is_remote(table) else table for table in map(str, tables))
        return cls(places, preset, tuple((k, v) for k, v in columns.items() if v), tuple(keep), encoding, lines)


def ingest(tables: Tables, work: Path, workers: Workers) -> dict[str, Any]:
    """Read all tables into ``work/raw`` and ``work/rejected`` (see `read_shard`); return what was read.

    Each source is read by one worker, or each part of a large one (`lyrist.corpus.reading.parts`). Row numbers follow from
    the counts of what comes before.

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
    started = workers.clock()
    unread: dict[str, str] = {}
    first: LyristError | None = None
    sources = find_sources(tables.tables, unread)
    shards = _Shards(work)
    described: list[dict[str, Any]] = []
    repaired: dict[str, int] = {}
    for tasks in _read_all(sources, tables, work / "parts", workers):
        shards.add(tasks)
        for number, results in groupby((found for task in tasks for found in task["found"]), key=itemgetter("number")):
            source, parts = sources[number], list(results)
            error = parts[-1]["error"]
            if error and (source.given or (error["usage"] and not source.part)):
                raise _as_error(error)
            if error:
                unread[source.name] = error["message"]
                first = first or _as_error(error)
                continue
            described.append(parts[0]["described"] | {"rows": sum(part["rows"] for part in parts)})
            for part in parts:
                for kind, count in part["repaired"].items():
                    repaired[kind] = repaired.get(kind, 0) + count
    if first and not described:
        raise first
    if not shards.rows:
        raise LyristError(f"{', '.join(s.name for s in sources)}: there is not one row; give a table that has songs.")
    shutil.rmtree(work / "parts")
    result = {
        "sources": described,
        "read": shards.rows,
        "shards": shards.number,
        "rejected": shards.rejected,
        "repaired": repaired,
        "unread": unread,
        "seconds": workers.clock() - started,
    }
    write_json(done, result)
    return result


def _read_all(sources: Sequence[Source], tables: Tables, folder: Path, workers: Workers) -> list[list[dict[str, Any]]]:
    """Return the results of all tasks of reading, in order; those of the parts of one source are together.

    A task is a source, or some small ones, or a part of a large one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    beside = [source for source in sources if source.artists][:1] + [s for s in sources if not s.artists][:1]
    near = any(is_remote(source.path) for source in beside)  # an address has its secrets in this process only
    here = [near or is_remote(source.path) for source in sources]
    columns, parts = _divided(sources, here, tables, workers)
    how = {
        "tables": dataclasses.asdict(dataclasses.replace(tables, tables=())),
        "shard_rows": SHARD_ROWS,
        "beside": [] if near else [dataclasses.asdict(source) for source in beside],
    }

    def task(numbers: Sequence[int], part: int | None = None) -> dict[str, Any]:
        given = {"numbers": list(numbers), "sources": [dataclasses.asdict(sources[number]) for number in numbers]}
        given["folder"] = str(folder / f"{numbers[0]}-{'whole' if part is None else part}")
        if part is None:
            return given
        return given | {"columns": columns[numbers[0]], "part": dataclasses.asdict(parts[numbers[0]][part])}

    groups = _grouped(sources, here, [bool(found) for found in parts])
    tasks = [
        task(group, part)
        for group in groups
        if not here[group[0]]
        for part in (range(len(parts[group[0]])) if parts[group[0]] else [None])
    ]
    divided = [number for number, found in enumerate(parts) if found]
    before = {number: Path(sources[number].path).stat() for number in divided}
    found: dict[int, list[dict[str, Any]]] = {group[0]: [] for group in groups}
    total = sum(source.bytes for source in sources)
    rows = read = 0
    with progress.task("reading") as advance, ThreadPoolExecutor(1) as thread:
        hashes = {number: thread.submit(sha256, Path(sources[number].path)) for number in divided}

        def note(result: dict[str, Any]) -> None:
            nonlocal rows, read
            found[result["found"][0]["number"]].append(result)
            rows, read = rows + result["rows"], read + sum(each["bytes"] for each in result["found"])
            advance(rows, None, f"{min(read, total) / 1e6:,.0f} of {total / 1e6:,.0f} MB")

        for result in workers.map(read_part, tasks, how):
            note(result)
        for group in groups:
            if here[group[0]]:
                named = [(number, sources[number]) for number in group]
                note(_read(named, None, None, tables, sources, folder / f"{group[0]}-whole", SHARD_ROWS))
        for number in divided:
            used = _chained(found[number])
            check_unchanged(sources[number].path, before[number])
            if used:
                used[0]["found"][0]["described"]["sha256"] = hashes[number].result()
            found[number] = used  # none: a fault that concerns all of it
        for result in workers.map(read_part, [task([number]) for number in divided if not found[number]], how):
            note(result)
    return list(found.values())


def _grouped(sources: Sequence[Source], here: Sequence[bool], divided: Sequence[bool]) -> list[list[int]]:
    """Return the numbers of the sources by task: small ones that follow each other are read together."""
    groups: list[list[int]] = []
    size = 0
    for number, source in enumerate(sources):
        together = groups and here[number] == here[number - 1] and not divided[number] and not divided[number - 1]
        if together and size + source.bytes <= PART_BYTES:
            groups[-1].append(number)
            size += source.bytes
        else:
            groups.append([number])
            size = source.bytes
    return groups


def _divided(
    sources: Sequence[Source], here: Sequence[bool], tables: Tables, workers: Workers
) -> tuple[dict[int, dict[str, Any]], list[list[Part]]]:
    """Return the columns of each source that may be divided, and the parts of each source; none where it is read whole."""
    columns: dict[int, dict[str, Any]] = {}
    parts: list[list[Part]] = [[] for _ in sources]
    waiting = []
    for number, source in enumerate(sources):
        if here[number] or source.bytes < 2 * PART_BYTES:
            continue
        with contextlib.suppress(LyristError):  # the reader says so
            found = _columns(source, tables)
            columns[number] = dataclasses.asdict(found)
            parts[number] = of_row_groups(source, found)
            waiting += stretches(source, found, tables.encoding)
    surveyed: dict[str, list[dict[str, Any]]] = {}
    for stretch in workers.map(survey, waiting, {}):
        surveyed.setdefault(stretch["path"], []).append(stretch)
    for number, source in enumerate(sources):
        if number in columns and source.path in surveyed:
            parts[number] = of_surveys(surveyed[source.path])
    return columns, [found if len(found) > 1 else [] for found in parts]


def _chained(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results of the parts that make up a source, in order; none where it has to be read whole."""
    by_start = {result["before"]: result for result in results}
    used = [by_start[0]]
    while used[-1]["end"] >= 0 and not used[-1]["found"][0]["error"]:
        used.append(by_start[used[-1]["end"]])
    return used if not used[-1]["found"][0]["error"] and any(result["rows"] for result in used) else []


def _as_error(error: dict[str, Any]) -> LyristError:
    return (UsageError if error["usage"] else LyristError)(error["message"])


def read_part(task: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Read some sources, or a part of one, into shards of their own.

    Parameters
    ----------
    task
        ``sources``, ``numbers`` (of the sources), ``folder`` (for the shards), and of a part ``columns`` and ``part``.
    settings
        ``tables``, ``beside`` (sources) and ``shard_rows``.

    Returns
    -------
    dict
        What `_read` returns.
    """
    sources, beside = (
        [Source(**given | {"files": tuple(given["files"])}) for given in several]
        for several in (task["sources"], settings["beside"])
    )
    given = settings["tables"]
    tables = Tables(**given | {"given": tuple(map(tuple, given["given"])), "keep": tuple(given["keep"]), "tables": ()})
    columns = part = None
    if "part" in task:
        lists = {name: tuple(task["columns"][name]) for name in ("keep", "joined_by")}
        columns = Columns(**task["columns"] | lists)
        part = Part(**task["part"] | {"stops": tuple(task["part"]["stops"])})
    named = list(zip(task["numbers"], sources, strict=True))
    return _read(named, columns, part, tables, beside, Path(task["folder"]), settings["shard_rows"])


def _read(
    sources: Sequence[tuple[int, Source]],
    columns: Columns | None,
    part: Part | None,
    tables: Tables,
    beside: Sequence[Source],
    folder: Path,
    shard_rows: int,
) -> dict[str, Any]:
    """Read sources, or a part of one, into a folder of shards; rows that came before an error are in them and counted.

    Returns
    -------
    dict
        ``folder``, ``shards``, ``rows`` and ``rejected`` (counts); ``before`` and ``end`` (of the part; see `Part`); ``shift``
        (whether its rows are counted from its beginning); ``found``: of each source ``number``, ``rows``, ``bytes``,
        ``repaired``, ``described`` (see `ingest`) and ``error`` (null, or its message and whether it is one of usage).
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a worker that was lost
    writer = _Writer(folder, shard_rows)
    found = []
    with explained(folder):
        folder.mkdir()
        for number, source in sources:
            first = writer.rows
            rows_before = part.before if part and source.format == PARQUET else 0
            result: dict[str, Any] = {"number": number, "error": None, "described": None, "repaired": {}, "bytes": 0}
            try:
                mapping = columns or _columns(source, tables)
                reader = Reader(source, mapping, encoding=tables.encoding, beside=beside, part=part)
                for chunk in reader:
                    writer.add(chunk.songs, chunk.rejected, source.name, first - rows_before - 1)
                result |= {"repaired": reader.repaired, "described": _describe(source, reader, mapping)}
                result["bytes"] = PART_BYTES if part else reader.bytes_read
            except (SourceError, DiskFullError):
                raise
            except LyristError as error:
                result["error"] = {"message": str(error), "usage": isinstance(error, UsageError)}
            found.append(result | {"rows": writer.rows - first})
        writer.flush()
    return {
        "folder": str(folder),
        "shards": writer.shards,
        "rows": writer.rows,
        "rejected": writer.rejected,
        "before": part.before if part else 0,
        "end": part.end if part else -1,
        "shift": part is not None and sources[0][1].format != PARQUET,
        "found": found,
    }


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


def _describe(source: Source, reader: Reader, columns: Columns) -> dict[str, Any]:
    mapping = {k: v for k, v in dataclasses.asdict(columns).items() if v and k not in ("preset", "short")}
    return {
        "name": source.name,
        "bytes": source.bytes or reader.bytes_read,  # some servers do not say before
        "sha256": reader.sha256,
        "rows": reader.rows,
        "preset": columns.preset,
        "columns": mapping,
        "notes": reader.notes,
    }


class _Writer:
    """Writes chunks to shards: songs and rejected rows, numbered from the beginning of the task."""

    def __init__(self, folder: Path, shard_rows: int) -> None:
        self._folder, self._shard_rows = folder, shard_rows
        self._songs: list[pa.Table] = []
        self._rejected: list[pl.DataFrame] = []
        self.rows = self.shards = 0
        self.rejected: dict[str, int] = {}

    def add(self, songs: pa.Table, rejected: pa.Table, source: str, shift: int) -> None:
        """Add the rows of one chunk; ``shift`` is added to their numbers in the source to make ids."""
        ids = pa.array(songs["row"].to_numpy() + shift, pa.int64())
        named = pa.DictionaryArray.from_arrays(pa.array([0] * songs.num_rows, pa.int32()), pa.array([source]))
        self._songs.append(songs.add_column(0, "id", ids).add_column(1, "source", named.cast(pa.string())))
        if rejected.num_rows:
            nothing = pl.lit(None, pl.String)
            frame = pl.DataFrame(rejected).with_columns(
                id=pl.col("row") + shift, source=pl.lit(source), title=nothing, artist=nothing
            )
            self._rejected.append(frame)
            for reason, count in frame["reason"].value_counts().iter_rows():
                self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.rows += int(songs.num_rows + rejected.num_rows)
        held = sum(table.num_rows for table in self._songs) + sum(map(len, self._rejected))
        if held >= self._shard_rows or sum(table.nbytes for table in self._songs) >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one shard."""
        if not self._songs:
            return
        path = self._folder / f"{self.shards}.parquet"
        table = pa.concat_tables(self._songs)
        pq.write_table(table, path, compression="lz4", use_dictionary=["source", "artist", "genre"])
        if self._rejected:
            pl.concat(self._rejected).write_parquet(path.with_suffix(".rejected"))
        self.shards += 1
        self._songs, self._rejected = [], []


class _Shards:
    """Puts the shards of all tasks in their order under their final names, which say where their rows are."""

    def __init__(self, work: Path) -> None:
        self._raw, self._rejects = work / "raw", work / "rejected"
        for folder in (self._raw, self._rejects):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.rows = self.number = 0
        self.rejected: dict[str, int] = {}

    def add(self, tasks: Sequence[dict[str, Any]]) -> None:
        """Add the shards of some sources, or of the parts of one, in order."""
        first = self.rows
        for task in tasks:
            shift = self.rows - first if task["shift"] else 0
            for number in range(task["shards"]):
                path = Path(task["folder"]) / f"{number}.parquet"
                name = f"{self.number:05d}-{shift}-{self.rows}.parquet"
                path.replace(self._raw / name)
                if (rejected := path.with_suffix(".rejected")).exists():
                    rejected.replace(self._rejects / name)
                self.number += 1
            self.rows += task["rows"]
            for reason, count in task["rejected"].items():
                self.rejected[reason] = self.rejected.get(reason, 0) + count


def read_shard(path: Path) -> pl.DataFrame:
    """Return a shard of ``raw/`` or ``rejected/``, with ``id`` and ``row`` (in its source, from 1) as they are in the corpus.

    Its name ``NUMBER-SHIFT-FIRST.parquet`` says what is added to the rows and to the ids in the file: a worker that reads a part
    does not know how many rows come before.
    """
    _, shift, first = map(int, path.stem.split("-"))
    return pl.read_parquet(path, glob=False).with_columns(pl.col("row") + shift, pl.col("id") + first)
