"""Any table of songs becomes a stream of chunks in which no record is missing.

Every record of a source has a number, counted from 1, and is in exactly one chunk: as a song, or as rejected with a reason
and a place. Chunks have a bounded size, so that memory does not grow with the table. Which columns are read is decided
before (`lyrist.corpus.columns`), from what `sniff` returns. A new format is one function here, next to `_delimited`, and one
name in `lyrist.corpus.reading.sources`.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lyrist.corpus.columns import ARTISTS, LINES_OF, NAMES, ROLES, Columns, kept_name, normal, recognise
from lyrist.corpus.reading import records
from lyrist.corpus.reading.chunks import Chunk, Chunks
from lyrist.corpus.reading.delimited import Table, shape_of
from lyrist.corpus.reading.json_records import json_lines, json_values
from lyrist.corpus.reading.lines import Lines
from lyrist.corpus.reading.parquet import opened_parquet
from lyrist.corpus.reading.parts import SHAPE_BYTES
from lyrist.corpus.reading.records import STRUCTURE, Batch, Item, Origin, Part, Rejected, batches
from lyrist.corpus.reading.songfiles import SongFiles
from lyrist.corpus.reading.sources import (
    ARROW,
    CONTAINERS,
    CSV,
    JSONL,
    PARQUET,
    SONG_FILES,
    SQLITE,
    Source,
    find_sources,
)
from lyrist.corpus.reading.streams import (
    AUTO,
    BLOCK,
    DamageError,
    Opened,
    Section,
    encoding_of,
    explained,
    file,
    head,
    lines,
    on_disk,
    opened,
    pieces,
    seekable,
    unreadable,
)
from lyrist.corpus.reading.values import lyrics_of, text_of
from lyrist.errors import LyristError, UsageError
from lyrist.text import counted

__all__ = ["Chunk", "Reader", "Source", "find_sources", "read", "sniff"]

_COLUMN_NAMES = frozenset(name for names in NAMES.values() for name in names)
SAMPLE_ROWS = 100
SAMPLE_CHARACTERS = 4 << 20
"""What `sniff` returns has at most so many records, and little more than so many characters."""

Sample = tuple[list[str], list[dict[str, str | None]]]
"""The columns of a source, and some of its songs as text."""


class Reader(Iterator[Chunk]):
    """The chunks of one source, in order; afterwards, what was read.

    Parameters
    ----------
    source
        What to read.
    columns
        Which column is which.
    encoding
        How text is encoded where no byte order mark says so; ``auto``: as it seems to be.
    beside
        The sources of the same call, which may include the table of artists of the six-genres data.
    part
        What to read of it; all by default. The part of a table without joins: no lines, no table of artists.

    Raises
    ------
    LyristError
        While reading: the source cannot be opened, has no records, is damaged before its first song, or changes.
    """

    def __init__(
        self,
        source: Source,
        columns: Columns,
        encoding: str = "utf-8",
        beside: Sequence[Source] = (),
        part: Part | None = None,
    ) -> None:
        self.source = source
        self.columns = columns
        self.rows = 0
        """Records so far: songs and rejected."""
        self.sha256: str | None = None
        """SHA-256 of the file as it is stored (of a zip: of the member, unpacked); None until all is read."""
        self._encoding = encoding
        self._beside = beside
        self._part = part
        self._tap: Counted | None = None
        extra = [name for name in (columns.link, columns.line, *columns.joined_by) if name]
        self._chunks_of = Chunks(columns, extra, guess=encoding == AUTO)
        self._notes: list[str] = []
        self._chunks = self._all()

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        return next(self._chunks)

    @property
    def bytes_read(self) -> int:
        """Bytes of the source read so far, of ``source.bytes``."""
        return self._tap.count if self._tap else 0

    @property
    def repaired(self) -> dict[str, int]:
        """Songs in which something was repaired, by kind: ``nul-byte`` (a NUL was removed)."""
        return self._chunks_of.repaired

    @property
    def notes(self) -> list[str]:
        """What a person should know about how the source was read, each without its name; complete after all is read."""
        return self._notes

    @property
    def first_repaired(self) -> dict[str, int]:
        """The record number of the first song repaired, by kind."""
        return self._chunks_of.first_repaired

    def _all(self) -> Iterator[Chunk]:
        if self.columns.preset == ARTISTS:
            if all(source.artists for source in self._beside):
                raise LyristError(
                    f"{self.source.path} is a table of artists without lyrics; give that of the songs too."
                )
            with opened(self.source.path, self.source.member) as raw:
                self.sha256 = raw.tap.finish()
            return
        artists = self._artists() if self.columns.link else {}
        with opened_source(self.source, self._encoding, self._part) as source, explained(self.source.path):
            self._tap = source.tap
            chunks = map(self._chunks_of.chunk, source.batches(self.columns))
            lines = Lines(chunks, self.columns, self.source.path) if self.columns.joined_by else None
            titles: set[int] = set()
            for chunk in lines.joined() if lines else map(self._one_header, chunks):
                if self.columns.short:
                    titles.update(
                        map(hash, zip(*(chunk.songs[n].to_pylist() for n in ("title", "artist")), strict=True))
                    )
                self.rows += chunk.songs.num_rows + chunk.rejected.num_rows
                yield self._joined(chunk, artists)
            self._notes += [*source.notes(), *([lines.note()] if lines else [])]
            self.sha256 = None if self._part else source.tap.finish()
            source.check()
        if self._part:
            return
        if not self.rows:
            raise no_songs(self.source.path)
        if self.columns.short and self.columns.title and self.rows >= LINES_OF * len(titles):
            raise UsageError(
                f"The rows of {self.source.path} look like single lines, {self.rows / len(titles):.1f} for each title; give "
                "--lines join to join them, in the order of the table, or --lines keep if each row is a song."
            )

    def _one_header(self, chunk: Chunk) -> Chunk:
        """Return a chunk; raise where a row is a second header with other columns, since all rows after it would be wrong."""
        cells = {role: chunk.songs[role] for role in ("title", "artist", "lyrics")}
        if not chunk.songs.num_rows:
            return chunk
        lengths = pc.fill_null(pc.binary_length(cells["lyrics"]), 99).to_numpy()
        short = np.flatnonzero(lengths < 2 * max(map(len, NAMES["lyrics"]))).tolist()
        for row in short:
            names = {role: normal(str(column[row].as_py() or "")) for role, column in cells.items()}
            if all(name in _COLUMN_NAMES for name in names.values()) and any(
                name not in NAMES[role] for role, name in names.items()
            ):
                raise LyristError(
                    f"{self.source.path} has a second header, with other columns than the first, in its row "
                    f"{chunk.songs['row'][row].as_py():,}; divide the file there and give both parts."
                )
        return chunk

    def _artists(self) -> Artists:
        """Return the lookup of artists, when their table is among the sources."""
        source = next((source for source in self._beside if source.artists), None)
        if source is None:
            return {}
        columns = recognise(sniff(source, self._encoding)[0], preset=ARTISTS, source_name=source.name)
        link = columns.link or ""
        with opened_source(source, self._encoding) as table, explained(source.path):
            made = Chunks(columns, [link])
            return artists_of((made.chunk(batch).songs for batch in table.batches(columns)), link)

    def _joined(self, chunk: Chunk, artists: Artists) -> Chunk:
        columns, songs = self.columns, chunk.songs
        extra = {kept_name(name) for name in (columns.link, columns.line, *columns.joined_by) if name}
        if not extra:
            return chunk
        if columns.link:
            name, genre = columns.artist == columns.link, columns.genre is None
            songs = joined(songs, columns.link, artists, name=name, genre=genre)
        return replace(chunk, songs=songs.drop_columns(sorted(extra - {kept_name(name) for name in columns.keep})))


def read(source: Source, columns: Columns, encoding: str = "utf-8", beside: Sequence[Source] = ()) -> Reader:
    """Return the chunks of a source, to be iterated once; see `Reader`."""
    return Reader(source, columns, encoding, beside)


def sniff(source: Source, encoding: str = "utf-8") -> Sample:
    """Return the columns of a source and up to 100 of its first songs, as text.

    Raises
    ------
    LyristError
        The source cannot be opened, has no records, or is damaged before its first song.
    UsageError
        There is no such encoding.
    """
    with opened_source(source, encoding) as found, explained(source.path):
        return found.sniff()


# Formats ------------------------------------------------------------------------------------------------------------


class Counted(Protocol):
    """Counts and hashes the bytes of a source while they are read."""

    count: int
    """Bytes so far."""

    def finish(self) -> str:
        """Return the SHA-256 of all of them."""


@dataclass(frozen=True)
class Open:
    """A source that has been opened; either function can be called, once."""

    sniff: Callable[[], Sample]
    batches: Callable[[Columns], Iterator[Batch]]
    tap: Counted
    check: Callable[[], None] = lambda: None
    """Raises an error if the source changed since it was opened."""
    notes: Callable[[], list[str]] = list
    """What a person should know about how it is read, after all of it was."""


@contextlib.contextmanager
def opened_source(source: Source, encoding: str, part: Part | None = None) -> Iterator[Open]:
    """Open a source of any format, or a part of one.

    Raises
    ------
    LyristError
        It cannot be opened or is empty.
    UsageError
        There is no such encoding.
    """
    if source.format == SONG_FILES:
        encoding_of(b"", encoding)  # refuses a wrong name
        names = "utf-8" if encoding == AUTO else encoding
        files = SongFiles(source.path, source.files, source.root, encoding, source.archived)
        found = _lists(
            list(SongFiles.HEADER),
            files.items(),
            Origin(source.path, "file", names),
            files,
        )
        yield replace(found, sniff=lambda: _filled(found.sniff()), notes=files.notes)
        return
    with opened(source.path, source.member) as raw, contextlib.ExitStack() as stack:
        if source.format == PARQUET and raw.remote and not raw.packed:
            yield _remote_parquet(source.path, raw)
            return
        if source.format == PARQUET:
            with opened_parquet(source.path, raw.data if raw.packed else None) as table:
                yield replace(_parquet(source.path, table, raw.tap, part), check=raw.check)
            return
        if source.format in CONTAINERS:
            with on_disk(raw, source.path) as place:
                yield replace(_container(source, place, raw.tap), check=raw.check)
            return
        start, whole = head(source.path, source.member, SHAPE_BYTES)
        given, encoding = encoding, encoding_of(start, encoding)
        if part and part.start:
            whole_file = stack.enter_context(file(source.path))
            section = Section(whole_file, part.start, source.bytes - part.start)
            raw = replace(raw, data=io.BufferedReader(section, BLOCK))
        if source.format == CSV:
            found = _delimited(source.path, raw, encoding, start.decode(encoding, "replace"), whole, part)
        elif source.format == JSONL:
            within = encoding.removesuffix("-sig") if part and part.start else encoding
            items = json_lines(chain.from_iterable(lines(raw.data, within, records.RECORD_LIMIT + 1)), part)
            found = _objects(items, Origin(source.path, "line", encoding), raw.tap)
        else:
            found = _objects(json_values(pieces(raw.data, encoding)), Origin(source.path, "object", encoding), raw.tap)
        detected = given == AUTO and encoding not in ("utf-8", "utf-8-sig")
        notes = [f"read as {encoding}, detected; --encoding names another"] if detected else []
        yield replace(found, check=raw.check, notes=lambda: notes + found.notes())


def _container(source: Source, place: str, tap: Counted) -> Open:
    """Open a sheet, a table of a database or an Arrow file."""
    from lyrist.corpus.reading import containers

    path, origin = source.path, Origin(source.path, "row")
    if source.format == ARROW:
        table = containers.ArrowTable(place, path)
        return Open(
            lambda: (table.names, table.sample(SAMPLE_ROWS)),
            lambda columns: table.batches(wanted(columns), origin),
            tap,
        )
    if source.format == SQLITE:
        header, items, note = containers.table(place, source.part, path)
        return replace(_lists(header, items, origin, tap), notes=lambda: [note] if note else [])
    header, named, items = containers.sheet(place, source.part, path)
    found = _lists(header, items, origin, tap)
    return found if named else replace(found, notes=lambda: [nameless(len(header))])


def _filled(sample: Sample) -> Sample:
    """Return a sample without the columns that are empty in all of it, but for title, artist and lyrics."""
    header, songs = sample
    return [name for i, name in enumerate(header) if i < 3 or any(song[name] for song in songs)], songs


def no_songs(path: str) -> LyristError:
    """Return the error for a table that has a header at most."""
    return LyristError(f"{path} has no songs: there is no row after the header.")


def _parquet(path: str, table: Any, tap: Counted, part: Part | None = None) -> Open:
    def sniffed() -> Sample:
        if not table.rows:
            raise no_songs(path)
        return table.names, table.sample(SAMPLE_ROWS)

    return Open(sniffed, lambda columns: table.batches(wanted(columns), Origin(path, "row"), part), tap)


def _remote_parquet(path: str, raw: Opened) -> Open:
    """Open a remote file: a sample fetches the parts it needs; all rows are read from a copy, fetched and hashed once."""

    def sniffed() -> Sample:
        with contextlib.ExitStack() as stack:
            whole = seekable(stack.enter_context(file(path)), stack)
            return _parquet(path, stack.enter_context(opened_parquet(path, whole=whole)), raw.tap).sniff()

    def copied(columns: Columns) -> Iterator[Batch]:
        with opened_parquet(path, raw.data) as copy:
            yield from copy.batches(wanted(columns), Origin(path, "row"))

    return Open(sniffed, copied, raw.tap)


def _delimited(path: str, raw: Opened, encoding: str, start: str, whole: bool, part: Part | None) -> Open:
    shape = shape_of(start, whole)
    if shape is None:
        raise LyristError(f"{path} is empty; give a table with a header and songs.")
    origin = Origin(path, "line", encoding, line_breaks=True)
    within = encoding.removesuffix("-sig") if part and part.start else encoding  # a mark is one at the beginning only
    text = lines(raw.data, within, records.RECORD_LIMIT + 1)
    found = _lists(list(shape.header), Table(text, shape, part).records(), origin, raw.tap)
    notes = [] if shape.named else [nameless(shape.fields)]
    if shape.above:
        notes.append(f"{counted(shape.above, 'line')} above the header left out")
    return replace(found, notes=lambda: notes) if notes else found


def nameless(columns: int) -> str:
    """Return the note on a table without a header."""
    return (
        f"its first row is a song, no header: its columns are called column_1 to column_{columns}; name them, as in "
        "--artist column_1"
    )


def _lists(header: list[str], items: Iterator[Item], origin: Origin, tap: Counted) -> Open:
    """Open a source whose records are lists, with a value for each column."""

    def sniffed() -> Sample:
        return header, [dict(zip(header, row, strict=True)) for row in _first_of(items, origin.path)]

    def chosen(columns: Columns) -> Iterator[Batch]:
        names = wanted(columns)
        pick = itemgetter(*(header.index(name) for name in names), -1)  # the last value is not used: always a tuple
        rows = (item if type(item[2]) is Rejected else (item[0], item[1], pick(item[2])) for item in items)
        return batches(rows, origin, names)

    return Open(sniffed, chosen, tap)


def _objects(items: Iterator[Item], origin: Origin, tap: Counted) -> Open:
    """Open a source whose records are objects; its columns are the keys that the first of them have."""

    def sniffed() -> Sample:
        songs = _united(_first_of(items, origin.path))
        header = list(dict.fromkeys(key for song in songs for key in song))
        return header, [{key: sampled(value) for key, value in song.items()} for song in songs]

    def chosen(columns: Columns) -> Iterator[Batch]:
        roles = {name: role for role in ROLES if (name := getattr(columns, role))}
        readers = {name: lyrics_of if name == columns.lyrics else text_of for name in wanted(columns)}

        def rows() -> Iterator[Item]:
            for place, size, song in items:
                if type(song) is Rejected:
                    yield place, size, song
                else:  # only the texts are kept: an object may take thirty times the memory of its text
                    try:
                        texts = [read(_value(song, name, roles.get(name, ""))) for name, read in readers.items()]
                    except ValueError as error:
                        yield place, size, Rejected(STRUCTURE, f"{origin.unit} {place}: the lyrics are {error}")
                        continue
                    yield place, sum(len(text) for text in texts if text), texts

        return batches(rows(), origin, list(readers))

    return Open(sniffed, chosen, tap)


def _united(songs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return objects in which one field has one name, where some have another name for it and none has both."""
    names = dict.fromkeys(key for song in songs for key in song)
    for role in ROLES:
        alike = [name for name in names if normal(name) in NAMES[role]]
        if len(alike) > 1 and all(sum(bool(song.get(name)) for name in alike) <= 1 for song in songs):
            songs = [
                {key: value for key, value in song.items() if key not in alike}
                | {alike[0]: _value(song, alike[0], role)}
                for song in songs
            ]
    return songs


def _value(song: dict[str, Any], name: str, role: str) -> Any:
    """Return the value of a field, under another common name for it where the object does not have this one."""
    value = song.get(name)
    if value or not role or (role != "lyrics" and name in song):
        return value
    return next((other for key, other in song.items() if other and normal(key) in NAMES[role]), value)


def sampled(value: Any) -> str | None:
    """Return a value as text, for a sample: a list of lines has line ends."""
    try:
        return lyrics_of(value) if isinstance(value, list | dict) else text_of(value)
    except ValueError:
        return text_of(value)


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
        raise LyristError(
            f"Not one song can be read from {path}; the first fault is in {rejected.detail}. Give a table, or JSON in which "
            "each song is an object with its lyrics."
        )
    return found


def wanted(columns: Columns) -> list[str]:
    """Return the columns of the source that are read, each once."""
    named = (
        columns.title,
        columns.artist,
        columns.genre,
        columns.lyrics,
        columns.language,
        columns.year,
        columns.split,
    )
    joining = (columns.link, columns.line, *columns.joined_by)
    return list(dict.fromkeys(name for name in (*named, *columns.keep, *joining) if name))


# The join of the six-genres data -------------------------------------------------------------------------------------
# Its songs name an artist by a link, and the genre is in the table of artists. That table is small (thousands of rows) and
# is held in memory. Of an artist's genres the first counts. Without the table an artist has the name in the link
# (``/10000-maniacs/``), and there are no genres.

Artists = Mapping[str, tuple[str | None, str | None]]
"""From the key of an artist's link to name and genre."""

_BETWEEN = re.compile(r"\s*[;,]\s*")


def artists_of(tables: Iterable[pa.Table], link: str) -> Artists:
    """Return the lookup made of the table of artists: columns ``artist``, ``genre`` and that of the links."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for table in tables:
        columns = (table[name].to_pylist() for name in (link, "artist", "genre"))
        for place, artist, genre in zip(*columns, strict=True):
            if place:
                found.setdefault(_key(place), (artist, _first(genre)))
    return found


def joined(songs: pa.Table, link: str, artists: Artists, *, name: bool, genre: bool) -> pa.Table:
    """Return songs with the ``artist`` (when ``name``) and ``genre`` (when ``genre``) that their links lead to."""
    keys = [_key(place) if place else "" for place in songs[link].to_pylist()]
    facts = [artists.get(key, (None, None)) for key in keys]
    if name:
        names = [fact[0] or key.replace("-", " ") or None for fact, key in zip(facts, keys, strict=True)]
        songs = _replaced(songs, "artist", names)
    return _replaced(songs, "genre", [fact[1] for fact in facts]) if genre else songs


def _key(link: str) -> str:
    return link.strip().strip("/").rsplit("/", 1)[-1].casefold()


def _first(genres: str | None) -> str | None:
    return next(filter(None, _BETWEEN.split(genres or "")), None)


def _replaced(songs: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    return songs.set_column(songs.column_names.index(name), name, pa.array(values, songs.schema.field(name).type))
