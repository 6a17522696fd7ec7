"""CSV and similar formats, read by Python's `csv` module, one record at a time, without losing a row.

A quotation mark that is never closed makes any CSV reader take the following rows, or the rest of the file, for one field.
This reader is strict, so that the error shows at the next quotation mark. Then the lines of the faulty record are set aside
up to the next line at which a plausible record begins, and reading resumes there. A record is plausible when it has the
right number of fields and its longest field is not much shorter than in other records. The single lines of a broken song
may have as many commas, but they are shorter.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import statistics
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lyrist.corpus.columns import NAMES, normal
from lyrist.corpus.reading import records
from lyrist.corpus.reading.records import MALFORMED, UNCLOSED, Item, Part, Rejected, oversized
from lyrist.corpus.reading.streams import DamageError, skip_line
from lyrist.text import counted

csv.field_size_limit(min(sys.maxsize, 2**62))  # lyrics of 5 MB are read; `_fed` decides what is too long

DELIMITERS = ",;\t|"
MOST_LINES_ASIDE = 5_000
"""So many faulty lines become one rejected record; then the search for the next good record starts again."""
_ENOUGH = 5  # records before a fault show what a table looks like
_PLAUSIBLE = 8
"""A record is plausible when its longest field has at least this fraction of the usual length."""
_VISIBLE = 60
"""A record inside another one that is well formed is detected only when a field has so many characters."""
_LONG_NAME = 100
"""No column has a name of so many characters."""
_ABOVE = 20
"""A table begins within so many lines."""
_OPEN = 1 << 20
"""A record of so many characters is read line by line, as is one that may have more than the limit."""
_MORE = "unexpected end of data"
"""What `csv.reader` says where a quoted field goes on after the last line."""
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\s*\Z", re.IGNORECASE)


_ESCAPED = re.compile(r"\\[Nnrt]")
_ESCAPES = re.compile(r"\\(.)")


def _unescaped(found: re.Match[str]) -> str:
    r"""Return an escape as `csv.reader` takes it, which knows none: databases write ``\n`` in text, ``\N`` for null."""
    return {"n": "\\\n", "t": "\\\t", "r": "", "N": ""}.get(found[1], found[0])


def header_like(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bool:
    """Return whether the first record of a table names its columns, given some of the records that follow it.

    It is a song where no field is a common name of a column and one is long, of several lines, a number, or occurs again in
    its column.
    """
    if any(normal(name) in known for name in names for known in NAMES.values()) or names == [
        *map(str, range(len(names)))
    ]:
        return True
    if any(len(name) > _LONG_NAME or "\n" in name.strip() or re.fullmatch(r"-?\d+(?:\.\d+)?", name) for name in names):
        return False
    columns = [{row[i] for row in rows if i < len(row)} for i in range(len(names))]
    return not any(name and name in column for name, column in zip(names, columns, strict=True)) or len(names) < 2


def numbered(count: int) -> list[str]:
    """Return names for columns without one."""
    return [f"column_{i}" for i in range(1, count + 1)]


@dataclass(frozen=True)
class Shape:
    """What a delimited table looks like, by its first records."""

    header: tuple[str, ...]
    skip: int
    """Physical lines up to the end of the header."""
    delimiter: str
    escape: str | None
    """A backslash where quotation marks inside a field are written with one."""
    several_lines: bool
    """Whether fields with line breaks occur."""
    longest: float
    """Median length of the longest field of a record, in characters."""
    named: bool = True
    """Whether the first record names the columns; otherwise it is a song, and they are called ``column_1`` ..."""
    quote: str = '"'
    above: int = 0
    """Lines above the header that are no part of the table: comments, or a title."""

    @cached_property
    def opening(self) -> str:
        """How a quoted field begins, when it is not the first."""
        return self.delimiter + self.quote

    @property
    def fields(self) -> int:
        """The number of fields of a record."""
        return len(self.header)

    def reader(self, lines: Iterable[str]) -> Any:
        """Return a strict `csv.reader` over ``lines``."""
        if self.escape:
            lines = (_ESCAPES.sub(_unescaped, line) if _ESCAPED.search(line) else line for line in lines)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, escapechar=self.escape, strict=True)

    def plausible(self, fields: list[str]) -> bool:
        """Return whether the longest field is long enough for a record of this table."""
        return max(map(len, fields)) * _PLAUSIBLE >= self.longest


def shape_of(sample: str, whole: bool) -> Shape | None:
    """Return the shape of the table that begins with ``sample``, or None when it is blank.

    Parameters
    ----------
    sample
        The beginning of the text, some hundred kilobytes where it is as long.
    whole
        Whether ``sample`` is all there is; otherwise its last record is cut and does not count.
    """
    lines = list(io.StringIO(sample, newline=""))
    blank = next((i for i, line in enumerate(lines) if line.strip()), None)
    if blank is None:
        return None
    named = _SEPARATOR_LINE.match(lines[blank])
    skip = blank + 1 if named else blank
    escapes = (None, "\\") if "\\" in sample else (None,)
    shapes = [
        Shape((), skip, delimiter, escape, False, 0.0)
        for delimiter in (named.group(1) if named else DELIMITERS)
        for escape in escapes
    ]
    shapes += [
        replace(shape, skip=skip + above, above=above) for shape in shapes if (above := _above(lines[skip:], shape))
    ]
    dividing = [shape for shape in shapes if len(_header(lines[shape.skip :], shape)[0]) > 1]
    singles = [replace(shape, quote="'") for shape in dividing]
    dividing += [
        one for one, other in zip(singles, dividing, strict=True) if _opened(sample, one) > _opened(sample, other)
    ]
    tried = [_measured(lines[shape.skip :], shape, whole) for shape in dividing or shapes[:1]]
    return max(tried, key=lambda found: found[0])[1]  # the first of equals: a comma, quotation marks, no backslash


def _opened(sample: str, shape: Shape) -> int:
    """Return how many fields begin with the quotation mark of a dialect."""
    return sample.startswith(shape.quote) + sample.count(f"\n{shape.quote}") + sample.count(shape.opening)


def _above(lines: list[str], shape: Shape) -> int:
    """Return how many lines are above the header: comments, or lines of one field, above two common names of columns."""
    for i, line in enumerate(lines[:_ABOVE]):
        names = _header([line], shape)[0] if shape.delimiter in line else []
        if sum(any(normal(name) in known for known in NAMES.values()) for name in names) > 1:
            return i
        if sum(map(bool, names)) > 1 and not line.startswith("#"):
            break
    return 0


def _measured(lines: list[str], shape: Shape, whole: bool) -> tuple[tuple[float, int, bool], Shape]:
    """Return the shape complete, and how well its dialect fits.

    The fit is the share of records as wide as the header, then the fields of the header as it is written: a name that was
    added for a column without one is no reason to prefer a dialect. Last, whether most fields are still in quotation marks.
    """
    names, used = _header(lines, shape)
    records: list[list[str]] = []
    several = wrong = 0
    seen: list[str] = []
    reader = shape.reader(_fed(iter(lines[used:]), seen))
    while True:
        seen.clear()
        try:
            fields = next(reader, None)
        except csv.Error:
            wrong += 1
            if len(records) >= _ENOUGH:  # what follows an unclosed quotation mark says nothing about the table
                break
            continue
        if fields is None:
            break
        if fields:
            records.append(fields)
            several += len(seen) > 1
    if not whole and records:
        records.pop()
    named = header_like(names, records[:100])
    if not named:
        names, used = numbered(len(names)), 0
    header = _completed(names, records)
    good = [fields for fields in records if len(fields) == len(header)]
    share = len(good) / max(len(records) + wrong, 1)
    longest = statistics.median([max(map(len, fields)) for fields in good]) if good else 0.0
    several_lines = several > 0.05 * len(records) or len(records) < 3
    skip = shape.skip + used
    shape = replace(shape, header=tuple(header), skip=skip, several_lines=several_lines, longest=longest, named=named)
    marked = [field[:1] == field[-1:] != "" and field[:1] in "\"'" for fields in good for field in fields]
    return (round(share, 2), sum(map(bool, names)), 2 * sum(marked) <= len(marked)), shape


def _header(lines: list[str], shape: Shape) -> tuple[list[str], int]:
    """Return the names of the columns and the physical lines they take; a broken header is read as one line."""
    seen: list[str] = []
    header: list[str]
    try:
        header = next(shape.reader(_fed(iter(lines), seen)), [])
    except csv.Error:
        seen = lines[:1]
        header = next(csv.reader(seen, delimiter=shape.delimiter), [])
    return [name.strip().lstrip("\ufeff") for name in header], len(seen)


def _completed(header: list[str], records: list[list[str]]) -> list[str]:
    """Return the header with a name for a column that has none: R leaves out that of row names, others end rows in a comma."""
    if not header or len(records) < 2 or any(len(fields) != len(header) + 1 for fields in records):
        return header
    return [*header, ""] if all(not fields[-1] for fields in records) else ["", *header]


def _fed(lines: Iterator[str], seen: list[str]) -> Iterator[str]:
    """Pass ``lines`` on and note them in ``seen``, which the caller empties after each record."""
    note, limit, size = seen.append, records.RECORD_LIMIT, 0
    for line in lines:
        note(line)
        size = size + len(line) if len(seen) > 1 else len(line)
        if size > limit:
            if len(line) > limit:
                skip_line(line, lines)
                seen[-1] = line[:-1] + "\n"  # one line, however long it was
            raise csv.Error("a record longer than the limit")
        yield line


class Table:
    """The records of a delimited text, whose lines come some at a time."""

    def __init__(self, lines: Iterator[list[str]], shape: Shape, part: Part | None = None) -> None:
        self._part = part or Part(0, 0)
        self._lines = lines
        self._shape = shape
        self._back: deque[str] = deque()
        """Lines that were read but belong to records yet to come."""
        self._line = self._part.before
        """Physical lines before the current record."""
        self._damage: DamageError | None = None
        """Why the lines ended too early, when they did."""

    def records(self) -> Iterator[Item]:
        """Yield every record: its first line (from 1), its characters, and its fields or why it is rejected.

        Raises
        ------
        DamageError
            The source ends before it should; all whole records have been yielded.
        """
        if not self._line:
            for _ in range(self._shape.skip):
                self._more([])
            self._line = self._shape.skip
        reading = True
        while reading and not self._part.stop(self._line):
            reading = yield from self._plain_records()
        if self._damage:
            raise self._damage

    def _plain_records(self) -> Generator[Item, None, bool]:
        """Yield records up to one that has to be examined, and how that is read; return whether there may be more.

        The lines go to `csv.reader` a list at a time: to note each of them takes half as long as to parse them.
        """
        shape, stops, size = self._shape, frozenset(self._part.stops), 0
        most = min(_OPEN, records.RECORD_LIMIT // 4)
        while size < most and (size or self._back or self._fill()):
            lines = list(self._back)
            reader = shape.reader(iter(lines))
            start = size = 0
            plain = True
            try:
                for fields in reader:
                    end, characters = reader.line_num, sum(map(len, fields))
                    plain = (
                        len(fields) == shape.fields
                        and characters < most
                        and (end == start + 1 or self._alone(lines[end - 1]))
                    )
                    if not plain:
                        break
                    yield self._line + 1, characters, fields
                    self._line += end - start
                    start = end
                    if self._line in stops:
                        break
            except csv.Error as error:
                plain = str(error) == _MORE and self._fill()
                size = sum(map(len, lines[start:]))  # of the record that goes on in the lines that follow
            for _ in range(start):
                self._back.popleft()
            if self._line in stops:
                return True
            if not plain:
                break
        return (yield from self._careful_record())

    def _careful_record(self) -> Generator[Item, None, bool]:
        """Yield one record, whatever is wrong with it; return whether there was one."""
        seen: list[str] = []
        fault: list[str] | None = None
        with contextlib.suppress(csv.Error):
            fault = next(self._shape.reader(_fed(self._pending(), seen)), None)
            if fault is None:
                return False
            length = len(seen)
            if self._fits(fault, seen):
                if len(fault) == self._shape.fields:
                    yield self._line + 1, sum(map(len, fault)), fault
                self._line += length
                self._back.extendleft(reversed(seen[length:]))  # lines that were read to look ahead
                return True
        mended = self._mend(seen, fault)
        if fault or self._back or not self._damage:  # otherwise it is the record that the damage cut
            yield mended
        return True

    def _pending(self) -> Iterator[str]:
        """Yield the lines yet to be read."""
        while self._back or self._fill():
            yield self._back.popleft()

    def _fill(self) -> bool:
        """Read more lines; return whether there were any. Damage ends them."""
        try:
            more = next(self._lines, [])
        except DamageError as error:
            self._damage, more = error, []
        self._back.extend(more)
        return bool(more)

    def _more(self, seen: list[str]) -> bool:
        """Read one more line into ``seen``; return whether there was one."""
        with contextlib.suppress(csv.Error):  # it is too long, which shows when it is parsed
            return next(_fed(self._pending(), seen), None) is not None
        return True

    def _fits(self, fields: list[str], seen: list[str]) -> bool:
        """Return whether a record is good, or a blank line; a record that may contain another one is examined.

        That is a record of several lines in a table of single lines, or one that ends where a field may begin.
        """
        shape = self._shape
        if len(fields) != shape.fields:
            return len(seen) == 1 and not seen[0].strip()
        return len(seen) == 1 or self._alone(seen[-1]) or not self._within(seen, len(seen))

    def _alone(self, line: str) -> bool:
        """Return whether a record of several lines that ends with this one cannot contain another."""
        return self._shape.several_lines and not line.rstrip("\r\n").endswith(self._shape.opening)

    def _mend(self, seen: list[str], fields: list[str] | None) -> Item:
        """Return how the faulty record is read, and leave the lines after it to be read."""
        value: list[str] | Rejected
        length = len(seen)  # looking ahead makes `seen` longer
        if len(seen[0]) > records.RECORD_LIMIT:
            value, used = oversized(f"line {self._line + 1}"), 1
        elif other := self._second_opinion(seen, length, fields):
            value, used = other
        elif fields is None:
            used = self._resumes(seen)
            value = self._unclosed(used)
        elif used := self._within(seen, length):
            value = self._unclosed(used)
        else:
            alone = not self._shape.several_lines or self._shape.plausible(fields)
            used = length if alone else self._resumes(seen)
            value = self._malformed(fields, used)
        first, size = self._line + 1, sum(map(len, seen[:used]))
        self._back.extendleft(reversed(seen[used:]))
        self._line += used
        return first, size, value

    def _second_opinion(self, seen: list[str], length: int, fields: list[str] | None) -> tuple[list[str], int] | None:
        """Return the record as read by another convention of quoting, where that gives a plausible one.

        Empty fields beyond the last column are left out, as some programs write them.
        Backslashed quotes may first occur deep in a file; `"Weird Al" Yankovic` occurs in tables without any quoting.
        """
        shape = self._shape
        if fields and len(fields) > shape.fields and not any(fields[shape.fields :]) and shape.plausible(fields):
            return fields[: shape.fields], length
        if any("\\" in line for line in seen):
            other, used = self._attempt(seen, 0, replace(shape, escape=None if shape.escape else "\\"))
            if other and len(other) == shape.fields and shape.plausible(other):
                return other, used
        if fields is None and seen[0].count(shape.quote) % 2 == 0:
            other = seen[0].rstrip("\r\n").split(shape.delimiter)
            if len(other) == shape.fields > 1 and shape.plausible(other):
                return other, 1
        return None

    def _resumes(self, seen: list[str]) -> int:
        """Return how many lines to set aside: up to that at which the next plausible record begins."""
        at, size = 1, len(seen[0])
        if not self._shape.several_lines:
            return at
        while at < MOST_LINES_ASIDE and size <= records.RECORD_LIMIT and (at < len(seen) or self._more(seen)):
            if self._begins(seen, at, whole=False):
                return at
            size += len(seen[at])
            at += 1
        return at

    def _within(self, seen: list[str], end: int) -> int:
        """Return the first line of a record of ``end`` lines at which another visibly begins; 0 when none does."""
        return next((at for at in range(1, end) if self._begins(seen, at, whole=True)), 0)

    def _begins(self, seen: list[str], at: int, whole: bool) -> bool:
        """Return whether a plausible record begins at a line; ``whole``: and visibly so, with the right number of fields."""
        if not seen[at].strip():
            return False
        fields, _ = self._attempt(seen, at, self._shape)
        if not fields or not self._shape.plausible(fields):
            return False
        if whole:
            return len(fields) == self._shape.fields and max(map(len, fields)) >= _VISIBLE
        return len(fields) == self._shape.fields or len(fields) > 1

    def _attempt(self, seen: list[str], at: int, shape: Shape) -> tuple[list[str] | None, int]:
        """Return the record that begins at a line of ``seen`` (which grows as needed), and the line after it."""
        end = at

        def lines() -> Iterator[str]:
            nonlocal end
            while end < len(seen) or self._more(seen):
                end += 1
                yield seen[end - 1]

        try:
            fields = next(shape.reader(_fed(lines(), [])), None)
        except csv.Error:
            fields = None
        return fields, end

    def _unclosed(self, used: int) -> Rejected:
        first = self._line + 1
        return Rejected(UNCLOSED, f"{_lines(first, used)}: a quotation mark that opens in line {first} is not closed")

    def _malformed(self, fields: list[str], used: int) -> Rejected:
        count = counted(len(fields), "field")
        return Rejected(MALFORMED, f"{_lines(self._line + 1, used)}: {count} where {self._shape.fields} were expected")


def _lines(first: int, count: int) -> str:
    return f"line {first}" if count == 1 else f"lines {first} to {first + count - 1}"
