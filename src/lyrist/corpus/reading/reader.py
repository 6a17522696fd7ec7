"""Any table of songs becomes a stream of chunks in which no record is missing.

Every record of a source has a number, counted from 1, and stands in exactly one chunk: as a song, or as rejected with the
reason. Nothing is held but the chunk at hand, so memory does not grow with the table. Which columns are read is decided
before (`lyrist.corpus.columns`), from what `sniff` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lyrist.corpus.columns import ARTISTS, Columns, recognise
from lyrist.corpus.reading.chunks import Chunk, Chunks
from lyrist.corpus.reading.formats import Counted, no_songs, opened_source
from lyrist.corpus.reading.sixgenres import Artists, artists_of, joined
from lyrist.corpus.reading.sources import Source, find_sources
from lyrist.corpus.reading.streams import explained, opened
from lyrist.errors import LyristError

__all__ = ["Chunk", "Reader", "Source", "find_sources", "read", "sniff"]


class Reader(Iterator[Chunk]):
    """The chunks of one source, in order; afterwards, what was read.

    Parameters
    ----------
    source
        What to read.
    columns
        Which column is which.
    encoding
        How text is encoded where no byte order mark says so.
    beside
        The sources of the same call, among which the table of artists of the six-genres data is looked for.

    Raises
    ------
    LyristError
        While reading: the source cannot be opened, has no records, or is damaged before its first song.
    """

    def __init__(
        self, source: Source, columns: Columns, encoding: str = "utf-8", beside: Sequence[Source] = ()
    ) -> None:
        self.source = source
        self.columns = columns
        self.rows = 0
        """Records so far: songs and rejected."""
        self.sha256: str | None = None
        """SHA-256 of the file as it lies on the disk (of a zip: of the member, unpacked); None until all is read."""
        self._encoding = encoding
        self._beside = beside
        self._tap: Counted | None = None
        self._made = Chunks(columns, [columns.link] if columns.link else [])
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
        """Songs in which something was repaired, by kind: ``nul-byte`` (a NUL was taken out)."""
        return self._made.repaired

    @property
    def first_repaired(self) -> dict[str, int]:
        """The record number of the first song repaired, by kind."""
        return self._made.first_repaired

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
        with opened_source(self.source, self._encoding) as source, explained(self.source.path):
            self._tap = source.tap
            for batch in source.batches(self.columns):
                chunk = self._made.chunk(batch)
                self.rows += chunk.songs.num_rows + chunk.rejected.num_rows
                yield self._joined(chunk, artists)
            self.sha256 = source.tap.finish()
        if not self.rows:
            raise no_songs(self.source.path)

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
        columns = self.columns
        if not columns.link:
            return chunk
        name, genre = columns.artist == columns.link, columns.genre is None
        songs = joined(chunk.songs, columns.link, artists, name=name, genre=genre)
        return replace(chunk, songs=songs if columns.link in columns.keep else songs.drop_columns([columns.link]))


def read(source: Source, columns: Columns, encoding: str = "utf-8", beside: Sequence[Source] = ()) -> Reader:
    """Return the chunks of a source, to be iterated once; see `Reader`."""
    return Reader(source, columns, encoding, beside)


def sniff(source: Source, encoding: str = "utf-8") -> tuple[list[str], list[dict[str, str | None]]]:
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
