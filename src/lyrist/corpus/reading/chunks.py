"""A batch of records as Arrow tables: songs with one set of columns, and rejected records with their reasons.

Text is checked by Arrow, which refuses what is not UTF-8; only then is the faulty value searched. A NUL, which is valid text
but ends it for many programs, is removed and counted.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lyrist.corpus.columns import Columns, kept_name
from lyrist.corpus.encodings import code_page_of
from lyrist.corpus.reading import records
from lyrist.corpus.reading.records import CUT, NOT_UTF8, OVERSIZED, STRUCTURE, Batch, Rejected
from lyrist.corpus.reading.songtext import MARKED, BrokenTextError, in_format
from lyrist.corpus.reading.values import PRINTED, CutError, lyrics_of, text_of, unprinted

TEXT = pa.large_string()
REJECTED = pa.schema([("row", pa.int64()), ("reason", TEXT), ("detail", TEXT)])
FIELDS = ("title", "artist", "genre", "year", "language", "split", "lyrics")
"""The columns of songs between ``row`` and the kept ones."""

NUL = "nul-byte"
TRANSLATION = "translation"
ENCODED = "encoding-"
"""With the name of an encoding: what was repaired by reading single values in it."""
_NOTHING = ("", "NA", "nan", "NaN", "<NA>", "N/A", "n/a", r"\N")
_NO_LABEL = ("None", "none", "NULL", "null", "NONE", "Null", *_NOTHING)
"""Not applied to titles and lyrics: there are songs called "None"."""
_YEAR = re.compile(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)")
_SPLIT_LETTER = "^[ \t\r\n\u00a0]*[ÂÃÐÑ].*[ÂÃÐÑØÙ]\u00a0$|^[ÂÃÐÑØÙ]\u00a0$"
"""A name that was decoded by the wrong encoding: the space at its end is half a letter."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Chunk:
    """Some thousand records of a source, in order, each in one of the two tables."""

    songs: pa.Table
    """row (int64, from 1), title, artist, genre, year (int32), language, split, lyrics and the kept columns (text)."""
    rejected: pa.Table
    """row, reason, detail."""


class Chunks:
    """Converts batches to chunks, and counts what had to be repaired.

    Parameters
    ----------
    columns
        Which column is which.
    extra
        Columns that are wanted besides.
    guess
        Whether values that are not UTF-8 are read in the encoding that they seem to be in.
    """

    def __init__(self, columns: Columns, extra: Sequence[str] = (), guess: bool = False) -> None:
        self._columns = columns
        self._extra = extra
        self._guess = guess
        self.repaired: dict[str, int] = {}
        """Songs in which something was repaired, by kind (``nul-byte``)."""
        self.first_repaired: dict[str, int] = {}
        """The record number of the first of them."""

    def chunk(self, batch: Batch) -> Chunk:
        """Return the tables of a batch."""
        wrong: dict[int, Rejected] = {}
        with_nul: set[int] = set()
        other: dict[str, set[int]] = {}
        columns: dict[str, pa.Array] = {"row": pa.array(batch.rows, pa.int64())}
        for name, column in self._outputs().items():
            if not column or not batch.rows:
                columns[name] = pa.nulls(len(batch.rows), TEXT)
            else:
                values = _checked(batch, column, wrong, lyrics_of if name == "lyrics" else text_of, self._guess, other)
                columns[name] = _tidy(self._read_printed(batch, values, name, wrong), name, with_nul)
        columns["year"] = pa.array([_year(text) for text in columns["year"].to_pylist()], pa.int32())
        songs = pa.table(columns)
        rejected = batch.rejected
        if wrong:
            rejected = sorted(rejected + [(batch.rows[i], *why) for i, why in wrong.items()])
            songs = songs.filter(pa.array([i not in wrong for i in range(len(batch.rows))]))
        self._count(NUL, sorted(batch.rows[i] for i in with_nul - set(wrong)))
        for page, found in other.items():
            self._count(f"{ENCODED}{page}", sorted(batch.rows[i] for i in found - set(wrong)))
        return Chunk(songs, rejected_table(rejected))

    def _outputs(self) -> dict[str, str | None]:
        """Return the columns to make, and the column of the source that each comes from."""
        named = {name: getattr(self._columns, name) for name in FIELDS}
        return named | {kept_name(name): name for name in (*self._columns.keep, *self._extra)}

    def _read_printed(self, batch: Batch, values: pa.Array, name: str, wrong: dict[int, Rejected]) -> pa.Array:
        """Return text with what Python or Excel wrote in place of text read: ``['a', 'b']``, ``b'...'``, ``_x000D_``."""
        if pc.any(holding := pc.match_substring_regex(values, "_x000")).as_py():
            values = pc.if_else(holding, pc.replace_substring_regex(values, r"_x000[dD]_\n?|_x000[aA]_", "\n"), values)
        if name == "lyrics" and pc.any(marked := pc.match_substring_regex(values, MARKED)).as_py():
            values = self._read_formats(batch, values, marked)
        printed = pc.match_substring_regex(values, PRINTED)
        if not pc.any(printed).as_py():
            return values
        texts = values.to_pylist()
        for i in pc.indices_nonzero(pc.fill_null(printed, False)).to_pylist():
            try:
                found = unprinted(texts[i], lyrics=name == "lyrics")
            except ValueError as error:
                reason = CUT if isinstance(error, CutError) else STRUCTURE
                place = f"{batch.origin.unit} {batch.places[i]}, column {getattr(self._columns, name, None) or name}"
                wrong.setdefault(i, Rejected(reason, f"{place}: {error}"))
                continue
            texts[i] = texts[i] if found is None else found
        return pa.array(texts, TEXT)

    def _read_formats(self, batch: Batch, values: pa.Array, marked: pa.Array) -> pa.Array:
        """Return lyrics with those in a format of karaoke, subtitles or chords read; of a song and its translation, the song."""
        texts = values.to_pylist()
        two = []
        for i in pc.indices_nonzero(pc.fill_null(marked, False)).to_pylist():
            songs = []
            with contextlib.suppress(BrokenTextError):
                songs = in_format(texts[i])
            if songs:
                texts[i] = songs[0].lyrics
                two += [batch.rows[i]] if len(songs) > 1 else []
        self._count(TRANSLATION, two)
        return pa.array(texts, TEXT)

    def _count(self, kind: str, rows: list[int]) -> None:
        if rows:
            self.repaired[kind] = self.repaired.get(kind, 0) + len(rows)
            self.first_repaired.setdefault(kind, rows[0])


def _tidy(values: pa.Array, name: str, with_nul: set[int]) -> pa.Array:
    """Return text without NULs, and null for a value such as NA; all but lyrics lose the spaces around them."""
    holding = pc.match_substring_regex(values, r"\x00")
    if pc.any(holding).as_py():
        values = pc.replace_substring(values, "\0", "")
        with_nul.update(pc.indices_nonzero(holding).to_pylist())
    if name != "lyrics":
        damaged = pc.match_substring_regex(values, _SPLIT_LETTER)
        trimmed = pc.utf8_trim_whitespace(values)
        values = pc.if_else(damaged, pc.utf8_trim(values, " \t\r\n"), trimmed) if pc.any(damaged).as_py() else trimmed
    nothing = pc.is_in(values, pa.array(_NOTHING if name in ("title", "lyrics") else _NO_LABEL, TEXT))
    return pc.if_else(nothing, pa.scalar(None, TEXT), values) if pc.any(nothing).as_py() else values


def rejected_table(rejected: Sequence[tuple[int, str, str]]) -> pa.Table:
    """Return the table of rejected records."""
    rows, reasons, details = zip(*rejected, strict=True) if rejected else ((), (), ())
    details = tuple(_SURROGATE.sub("\ufffd", detail) for detail in details)
    return pa.table([pa.array(rows, pa.int64()), pa.array(reasons, TEXT), pa.array(details, TEXT)], schema=REJECTED)


def _checked(
    batch: Batch,
    column: str,
    wrong: dict[int, Rejected],
    text_of: Callable[[Any], str | None],
    guess: bool,
    other: dict[str, set[int]],
) -> pa.Array:
    """Return the values of a column as text in UTF-8 of limited size; elsewhere put null, and note why in ``wrong``.

    Where ``guess`` holds, values that are not UTF-8 are decoded as what they are together, noted in ``other``.
    """
    values = batch.values[column]
    try:
        if isinstance(values, pa.Array | pa.ChunkedArray):
            values = array = _within_limit(_as_text(values, batch, column, wrong, text_of), batch, column, wrong)
            array.validate(full=True)
            return array
        return pa.array(values, TEXT)
    except (UnicodeError, pa.ArrowInvalid):
        pass
    texts = _decoded(values) if isinstance(values, pa.Array | pa.ChunkedArray) else list(values)
    faulty = [i for i, text in enumerate(texts) if text and _SURROGATE.search(text)]
    raw = {i: _bytes_of(texts[i] or "") for i in faulty} if guess and batch.origin.encoding.startswith("utf-8") else {}
    page = code_page_of(b"\n".join(data for data in raw.values() if data)) if any(raw.values()) else ""
    for i in faulty:
        text, found = texts[i] or "", _SURROGATE.search(texts[i] or "")
        try:
            texts[i] = (raw.get(i) or b"\xff").decode(page or "ascii")
            other.setdefault(page, set()).add(i)
        except UnicodeDecodeError:
            texts[i] = None
            if found:
                wrong.setdefault(i, Rejected(NOT_UTF8, _where(batch, i, column, text, found.start())))
    return pa.array(texts, TEXT)


def _bytes_of(text: str) -> bytes:
    """Return the bytes of a text that were no UTF-8; none where it holds half a character of UTF-16."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""


def _within_limit(array: pa.Array, batch: Batch, column: str, wrong: dict[int, Rejected]) -> pa.Array:
    """Return ``array`` with null in place of values that are longer than a record may be."""
    sizes = pc.binary_length(array)
    if (pc.max(sizes).as_py() or 0) <= records.RECORD_LIMIT:
        return array
    long = pc.fill_null(pc.greater(sizes, records.RECORD_LIMIT), False)
    for i in pc.indices_nonzero(long).to_pylist():
        place = f"{batch.origin.unit} {batch.places[i]}, column {column}"
        wrong.setdefault(i, Rejected(OVERSIZED, f"{place}: a value of more than {records.RECORD_LIMIT:,} bytes"))
    return pc.if_else(long, pa.scalar(None, TEXT), array)


def _as_text(
    values: Any, batch: Batch, column: str, wrong: dict[int, Rejected], text_of: Callable[[Any], str | None]
) -> pa.Array:
    """Return an Arrow column of any type as text, without checking it: a wrong value must not make the column fail."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values.cast(TEXT)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return values.cast(pa.large_binary()).view(TEXT)
    texts: list[str | None] = []
    for i, value in enumerate(values.to_pylist()):
        try:
            texts.append(text_of(value))
        except ValueError as error:
            texts.append(None)
            place = f"{batch.origin.unit} {batch.places[i]}, column {column}"
            wrong.setdefault(i, Rejected(STRUCTURE, f"{place}: the lyrics are {error}"))
    return pa.array(texts, TEXT)


def _decoded(values: Any) -> list[str | None]:
    binary = values.view(pa.large_binary())
    return [None if value is None else value.decode("utf-8", "surrogateescape") for value in binary.to_pylist()]


def _where(batch: Batch, i: int, column: str, text: str, at: int) -> str:
    """Return a sentence on the first wrong byte of a value and its place."""
    code = ord(text[at])
    what = f"byte 0x{code - 0xDC00:02X}" if 0xDC00 <= code <= 0xDCFF else f"\\u{code:04x}, half a character,"
    origin, place = batch.origin, batch.places[i]
    if origin.line_breaks:
        place += len(_LINE_END.findall(text, 0, at))
    return f"{origin.unit} {place}, column {column}: {what} is not text in {origin.encoding.upper()}"


@lru_cache(maxsize=4096)
def _year(text: str | None) -> int | None:
    """Return the one year from 1000 to 2099 that a text names, or None."""
    found = set(_YEAR.findall(text or ""))
    return int(found.pop()) if len(found) == 1 else None
