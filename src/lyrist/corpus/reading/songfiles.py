"""A folder with a text file a song: the title is the name of the file, the artist is in it too or is the folder's name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lyrist.corpus.reading.records import UNREADABLE, Item, Rejected
from lyrist.corpus.reading.streams import encoding_of

HEADER = ("title", "artist", "lyrics")

_NAMED = re.compile(r"(?P<artist>.+?) [-–—] (?P<title>.+)")
_NUMBERED = re.compile(r"\d{1,3}\s*[-–—._)]\s+|0\d\s+")
_PLAIN_FOLDERS = {"lyrics", "lyric", "songs", "song", "texts", "text", "txt", "data", "dataset", "corpus", "files", "."}
"""Names of folders that are no artist's."""


class SongFiles:
    """The songs of a folder, file by file; afterwards their common hash."""

    def __init__(self, files: Sequence[str], encoding: str) -> None:
        self._files = files
        self._encoding = encoding
        self._hash = hashlib.sha256()
        self.count = 0

    def items(self) -> Iterator[Item]:
        """Yield each song: the number of its file, its characters, and title, artist, lyrics or why it is rejected."""
        for number, file in enumerate(self._files, 1):
            path = Path(file)
            try:
                data = path.read_bytes()
            except OSError as error:
                yield number, 0, Rejected(UNREADABLE, f"{path.name}: {error.strerror or error}")
                continue
            self.count += len(data)
            for part in (path.name.encode("utf-8", "surrogateescape"), b"\0", hashlib.sha256(data).digest()):
                self._hash.update(part)
            encoding = encoding_of(data, self._encoding)
            errors = "surrogateescape" if encoding.startswith("utf-8") else "lyrist-escape"
            yield number, len(data), [*named(path), data.decode(encoding, errors)]

    def finish(self) -> str:
        """Return the SHA-256 over the names and the SHA-256s of the files read, in order."""
        return self._hash.hexdigest()


def named(path: Path) -> tuple[str, str | None]:
    """Return the title and artist that the place of a file tells: ``Artist - Title.txt`` or ``Artist/Title.txt``.

    A number in front (``07 - Title.txt``) is that of a track. Folders with names such as ``lyrics`` are no artist.
    """
    stem = path.stem.removeprefix(number[0] if (number := _NUMBERED.match(path.stem)) else "").strip() or path.stem
    found = _NAMED.fullmatch(stem)
    if found:
        return found["title"].strip(), found["artist"].strip()
    folder = path.absolute().parent.name
    return stem, None if folder.casefold() in _PLAIN_FOLDERS or not folder else folder
