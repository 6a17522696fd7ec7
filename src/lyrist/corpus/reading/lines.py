"""Tables with one row per line of a song: rows are joined to songs, in order, whatever their order in the table.

Such tables are small, since each row repeats the title; all their text is held in memory, up to `MOST_CHARACTERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lyrist.corpus.columns import Columns, kept_name
from lyrist.corpus.reading.chunks import TEXT, Chunk, rejected_table
from lyrist.corpus.reading.records import CHUNK_ROWS
from lyrist.errors import LyristError

MOST_CHARACTERS = 1 << 30
STRAY = "stray-line"
"""Why a line is dropped of which nothing says in which song it is, or where."""


class Lines:
    """The songs that the rows of a table make; afterwards, how many rows there were.

    Parameters
    ----------
    chunks
        Rows, with the columns by which they are joined and that of line numbers.
    columns
        Which those are.
    path
        Names the table in errors.
    """

    def __init__(self, chunks: Iterable[Chunk], columns: Columns, path: str) -> None:
        self._chunks, self._columns, self._path = chunks, columns, path
        self._given = {"title": columns.title, "artist": columns.artist}
        self.rows = self.songs = 0

    def note(self) -> str:
        """Return the sentence that reports what was joined."""
        order = f"by '{self._columns.line}'" if self._columns.line else "as in the table"
        by = ", ".join(f"'{name}'" for name in self._columns.joined_by)
        return (
            f"its {self.rows:,} rows are lines, joined to {self.songs:,} songs by {by}, ordered {order}; if each row is a "
            "song, give --lines keep"
        )

    def joined(self) -> Iterator[Chunk]:
        """Yield the songs, numbered in the order of their first lines, and then the rows that are in none.

        Raises
        ------
        LyristError
            The table is too long, or most rows do not say of which song they are.
        """
        rejected: list[tuple[int, str, str]] = []
        tables: list[pa.Table] = []
        size = 0
        for chunk in self._chunks:
            tables.append(chunk.songs)
            rejected += zip(*(column.to_pylist() for column in chunk.rejected.columns), strict=True)
            size += pc.sum(pc.utf8_length(chunk.songs["lyrics"])).as_py() or 0
            if size > MOST_CHARACTERS:
                raise LyristError(
                    f"{self._path} has one row per line and more than {MOST_CHARACTERS:,} characters; divide it into files "
                    "that hold whole songs, or join the lines first."
                )
        rows = pa.concat_tables(tables)
        self.rows = rows.num_rows
        songs, stray = self._songs(rows)
        if len(stray) > rows.num_rows / 2:
            by = ", ".join(self._columns.joined_by)
            raise LyristError(
                f"{self._path} has one row per line, and most rows have no value of {by}; fill in these columns for every row."
            )
        self.songs = len(songs)
        first = rows.take([lines[0] for lines in songs])
        texts = rows["lyrics"].to_pylist()
        joined = pa.array(["\n".join(texts[line] or "" for line in lines) for lines in songs], TEXT)
        first = first.set_column(first.column_names.index("lyrics"), "lyrics", joined)
        first = first.set_column(0, "row", pa.array(range(1, len(songs) + 1), pa.int64()))
        for start in range(0, len(songs), CHUNK_ROWS):
            yield Chunk(first.slice(start, CHUNK_ROWS), rejected_table([]))
        rejected += [(0, STRAY, f"row {row} of the table: {why}") for row, why in stray]
        numbered = [(len(songs) + i, reason, detail) for i, (_, reason, detail) in enumerate(rejected, 1)]
        if numbered:
            yield Chunk(first.slice(0, 0), rejected_table(numbered))

    def _songs(self, rows: pa.Table) -> tuple[list[list[int]], list[tuple[int, str]]]:
        """Return the indices of the lines of each song, in order, and the rows that are in no song, with the reason."""
        names = [
            next((r for r, c in self._given.items() if c == name), kept_name(name)) for name in self._columns.joined_by
        ]
        keys: Iterable[tuple[Any, ...]] = zip(*(rows[name].to_pylist() for name in names), strict=True)
        numbers = self._numbers(rows)
        groups: dict[tuple[Any, ...], list[int]] = {}
        stray: list[tuple[int, str]] = []
        for index, key in enumerate(keys):
            if any(part is not None for part in key):
                groups.setdefault(key, []).append(index)
            else:
                stray.append((rows["row"][index].as_py(), f"no value of {', '.join(self._columns.joined_by)}"))
        songs: list[list[int]] = []
        for lines in groups.values():
            found = _ordered(lines, numbers) if numbers else [lines]
            songs += found
            if not found:
                stray += [(rows["row"][line].as_py(), "its line number occurs twice in this song") for line in lines]
        return sorted(songs, key=min), stray

    def _numbers(self, rows: pa.Table) -> list[float] | None:
        if not self._columns.line:
            return None
        found = [_number(text) for text in rows[kept_name(self._columns.line)].to_pylist()]
        return found if None not in found else None  # type: ignore[return-value]


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _ordered(lines: Sequence[int], numbers: Sequence[float]) -> list[list[int]]:
    """Return the songs of one title in the order of their lines; none where two lines have one number and no order.

    Where numbers begin again, another song of the same title begins.
    """
    if len({numbers[line] for line in lines}) == len(lines):
        return [sorted(lines, key=lambda line: numbers[line])]
    songs: list[list[int]] = []
    for line in lines:
        if not songs or numbers[line] <= numbers[songs[-1][-1]]:
            songs.append([])
        songs[-1].append(line)
    starts = {numbers[song[0]] for song in songs}
    return songs if len(starts) == 1 else []
