"""Workbooks, SQLite databases and Arrow files: each sheet, table or file is a source of its own.

They are read from the disk; one in an archive or at an address is copied there first (`lyrist.corpus.reading.streams.on_disk`).
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.feather

from lyrist.corpus.columns import has_lyrics
from lyrist.corpus.reading.delimited import header_like, numbered
from lyrist.corpus.reading.records import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    CUT,
    RECORD_LIMIT,
    TRUNCATED,
    Batch,
    Item,
    Origin,
    Rejected,
    oversized,
)
from lyrist.corpus.reading.streams import DamageError, unreadable
from lyrist.corpus.reading.values import text_of
from lyrist.errors import LyristError, needed_by

CELL = 32_767
"""Characters that a cell of Excel can hold; a text of exactly so many was cut."""
_HEADER_WITHIN = 10
"""The header of a sheet is the first of so many rows that names the lyrics; otherwise the first that is not blank."""


# Workbooks -----------------------------------------------------------------------------------------------------------


def _workbook(place: str, path: str) -> Any:
    with needed_by("Reading workbooks", ", or save the sheet as CSV."):
        import python_calamine
    try:
        return python_calamine.CalamineWorkbook.from_path(place)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise LyristError(
            f"{path} cannot be read as a workbook: {' '.join(str(error).split())}; save the sheet as CSV."
        ) from error


def sheets(place: str, path: str) -> list[str]:
    """Return the names of the sheets of a workbook that are not blank."""
    book = _workbook(place, path)
    found = [name for name in book.sheet_names if book.get_sheet_by_name(name).height]
    if not found:
        raise LyristError(f"{path} is empty; give a workbook with a header and songs.")
    return found


def sheet(place: str, name: str, path: str) -> tuple[list[str], bool, Iterator[Item]]:
    """Return the columns of a sheet, whether its header names them, and its rows."""
    rows = _workbook(place, path).get_sheet_by_name(name).to_python(skip_empty_area=True)
    texts = [[text_of(cell) or "" for cell in row] for row in rows]
    filled = [(i, row) for i, row in enumerate(texts, 1) if any(cell.strip() for cell in row)]
    first = next(
        (i for i, (_, row) in enumerate(filled[:_HEADER_WITHIN]) if has_lyrics(row) and sum(map(bool, row)) > 1), 0
    )
    if not filled:
        raise LyristError(f"{path}: the sheet {name} is empty.")
    header = [cell.strip() for cell in filled[first][1]]
    named = header_like(header, [row for _, row in filled[first + 1 : first + 101]])
    if not named:
        header = numbered(len(header))
    return header, named, _cells(filled[first + named :])


def _cells(rows: Sequence[tuple[int, list[str]]]) -> Iterator[Item]:
    for number, row in rows:
        why = Rejected(CUT, f"row {number}: a cell of 32,767 characters, where Excel cuts a text")
        yield number, sum(map(len, row)), why if any(len(cell) == CELL for cell in row) else row


# SQLite --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _database(place: str, path: str) -> Iterator[sqlite3.Connection]:
    waiting = Path(f"{place}-wal")
    mode = "mode=ro" if waiting.exists() and waiting.stat().st_size else "mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"{Path(place).absolute().as_uri()}?{mode}", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            yield connection
    except sqlite3.Error as error:
        raise unreadable(path, str(error)) from error


def tables(place: str, path: str) -> tuple[list[str], dict[str, str]]:
    """Return the names of the tables to read, and the other tables and views with the reason why not.

    Raises
    ------
    LyristError
        It is damaged, has no table, or is the bag of words of musiXmatch.
    """
    with _database(place, path) as database:
        query = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite@_%' ESCAPE '@'"
        found = list(database.execute(f"{query} ORDER BY name"))
        names = [name for kind, name in found if kind == "table"]
        if "lyrics" in names and {"word", "count"} <= set(_columns(database, "lyrics")):
            raise bag_of_words(path)
        sung = [name for name in names if has_lyrics(_columns(database, name), lines=True)]
        joined = {join.parent for name in sung for join in _joins(database, name)}.difference(sung)
    if not names:
        raise LyristError(f"{path} is an SQLite database without a table; give one with songs.")
    left = {
        name: "it is a view of other tables; save it as a table to read it" for kind, name in found if kind == "view"
    }
    left |= {name: f"its columns are joined to the rows of {', '.join(sung)}" for name in names if name in joined}
    return [name for name in names if name not in joined], left


def bag_of_words(path: str) -> LyristError:
    """Return the error for the data set of musiXmatch."""
    return LyristError(
        f"{path} is a bag of words, as musiXmatch gives it: counts of words without their order, of which no lyrics can be "
        "made; give a table with the text of each song."
    )


def _columns(database: sqlite3.Connection, name: str) -> list[str]:
    return [column[0] for column in database.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0").description]  # noqa: S608


class _Join(NamedTuple):
    """A table that holds more about the rows of another, and how both are joined."""

    child: str
    column: str
    parent: str
    key: str


_REFERENCE = re.compile(r"(?i)(?:id_(.+)|(.+?)_?id)")


def _joins(database: sqlite3.Connection, name: str, known: frozenset[str] = frozenset()) -> list[_Join]:
    """Return the tables that the foreign keys of a table lead to, and those of these: songs of lyrics, artists of songs.

    A column such as ``artist_id`` is a foreign key too if a table ``artist`` or ``artists`` has a column ``id`` or
    ``artist_id`` without repeated values.
    """
    known = known | {name}
    declared = {
        row[3]: (row[2], row[4] or "id") for row in database.execute(f"PRAGMA foreign_key_list({_quoted(name)})")
    }
    every = {str(row[0]) for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found: list[_Join] = []
    for column in _columns(database, name):
        match = _REFERENCE.fullmatch(column)
        stem = (match[1] or match[2]).casefold() if match else ""
        parent, key = declared.get(column, ("", ""))
        if not parent and stem:
            parent = next((each for each in every if each.casefold() in (stem, f"{stem}s", f"{stem}es")), "")
            keys = {each.casefold(): each for each in _columns(database, parent)} if parent else {}
            key = keys.get("id") or keys.get(column.casefold()) or ""
        if parent in every - known and key in _columns(database, parent) and _is_key(database, parent, key):
            found += [_Join(name, column, parent, key), *_joins(database, parent, known)]
    return found


def _is_key(database: sqlite3.Connection, table: str, column: str) -> bool:
    query = f"SELECT count(*) = count(DISTINCT {_quoted(column)}) FROM {_quoted(table)}"  # noqa: S608
    return bool(database.execute(query).fetchone()[0])


def table(place: str, name: str, path: str) -> tuple[list[str], Iterator[Item], str]:
    """Return the columns and the rows of a table of a database, with those of the tables joined to it, and a note on these."""
    with _database(place, path) as database:
        columns = _columns(database, name)
        chosen = [f"{_quoted(name)}.{_quoted(column)}" for column in columns]
        source, joined = _quoted(name), list[str]()
        for join in _joins(database, name) if has_lyrics(columns, lines=True) else []:
            if join.parent in joined or has_lyrics(_columns(database, join.parent)):
                continue
            on = f"{_quoted(join.child)}.{_quoted(join.column)} = {_quoted(join.parent)}.{_quoted(join.key)}"
            source += f" LEFT JOIN {_quoted(join.parent)} ON {on}"
            joined.append(join.parent)
            for column in _columns(database, join.parent):
                label = _label(join.parent, column)
                if column != join.key and label not in columns:
                    columns.append(label)
                    chosen.append(f"{_quoted(join.parent)}.{_quoted(column)}")
    query = f"SELECT {', '.join(chosen)} FROM {source}"  # noqa: S608
    note = f"joined with the tables {', '.join(joined)}" if joined else ""
    return columns, _records(place, query, path), note


def _label(table: str, column: str) -> str:
    """Return the name of a joined column: ``artist`` for the ``name`` in a table of artists."""
    one = table.casefold().removesuffix("s")
    return one if column.casefold() == "name" or (column.casefold() == "title" and one == "album") else column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _records(place: str, query: str, path: str) -> Iterator[Item]:
    with _database(place, path) as database:
        number = 0
        try:
            for number, row in enumerate(database.execute(query), 1):
                texts = [text_of(value) for value in row]
                size = sum(len(text) for text in texts if text)
                yield number, size, oversized(f"row {number}") if size > RECORD_LIMIT else texts
        except sqlite3.Error as error:
            raise DamageError(str(error)) from error


# Arrow ---------------------------------------------------------------------------------------------------------------


class ArrowTable:
    """An Arrow file (also called Feather), or a stream as the library datasets saves it."""

    def __init__(self, place: str, path: str) -> None:
        self._place, self._path = place, path
        with self._reading() as (schema, _):
            self.names = [str(name) for name in schema.names]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        try:
            with pa.memory_map(self._place) as data:
                start = data.read(6)
                data.seek(0)
                if start.startswith(b"FEA1"):
                    whole = pyarrow.feather.read_table(data)
                    yield whole.schema, iter(whole.to_batches())
                elif start == b"ARROW1":
                    file = pa.ipc.open_file(data)
                    yield file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
                else:
                    stream = pa.ipc.open_stream(data)
                    yield stream.schema, iter(stream)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise unreadable(self._path, " ".join(str(error).split())[:120]) from error

    def sample(self, rows: int) -> list[dict[str, str | None]]:
        """Return the first rows as text."""
        batch = next(self.batches(self.names, Origin(self._path, "row"), rows), None)
        if batch is None:
            return []
        columns = [batch.values[name].to_pylist() for name in self.names] if batch.rows else []
        return [dict(zip(self.names, map(text_of, row), strict=True)) for row in zip(*columns, strict=True)]

    def batches(self, columns: Sequence[str], origin: Origin, most: int = CHUNK_ROWS) -> Iterator[Batch]:
        """Yield all rows, with these columns only; what damage cuts off is one rejected row."""
        row = 0
        with self._reading() as (_, found):
            try:
                for batch in found:
                    part = batch.select(list(columns))
                    for column in part.columns:
                        _check(column)
                    size = max(1, min(most, CHUNK_CHARACTERS * part.num_rows // max(part.nbytes, 1)))
                    for start in range(0, part.num_rows, size):
                        record = part.slice(start, size)
                        rows = list(range(row + 1, row + record.num_rows + 1))
                        row += record.num_rows
                        yield Batch(origin, rows, rows, dict(zip(columns, record.columns, strict=True)))
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                if not row:
                    raise
                why = " ".join(str(error).split())[:120]
                yield Batch(
                    origin, rejected=[(row + 1, TRUNCATED, f"after row {row}: the file ends before it should ({why})")]
                )


def _check(column: Any) -> None:
    """Refuse offsets that lead out of the data; whether text is UTF-8 is checked later, value by value."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = column.view(pa.binary() if pa.types.is_string(kind) else pa.large_binary())
    column.validate(full=True)
