"""Songs in files of their own: what their paths and their contents say about each.

Paths are ``Artist - Title.txt``, ``Artist/Title.txt`` or ``Artist/Album/01 - Title.txt``, also below folders of letters or
genres. What a file says of itself (``[ti:...]``, ``#ARTIST:``, ``{title: ...}``) comes before what its path says.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from lyrist.corpus.columns import normal
from lyrist.corpus.reading import records
from lyrist.corpus.reading.records import MANY_SONGS, UNREADABLE, Item, Rejected, oversized
from lyrist.corpus.reading.songtext import (
    BrokenTextError,
    ManySongsError,
    MarkupError,
    SongText,
    may_be_several,
    songs_in,
)
from lyrist.corpus.reading.streams import AUTO, DamageError, archive, decoded, encoding_of, file
from lyrist.errors import LyristError

SONG_ENDINGS = (
    ".lrc",
    ".srt",
    ".vtt",
    ".ttml",
    ".ass",
    ".ssa",
    ".sbv",
    ".cho",
    ".chopro",
    ".chordpro",
    ".crd",
    ".onsong",
)
"""Endings of files that hold one song, whatever is beside them."""
TEXT_ENDINGS = (".txt", ".text", ".lyrics", ".lyric")
_NAMED = re.compile(r"(?P<artist>.+?) (?:--?|[–—]) (?P<title>.+)")
_NUMBERED = re.compile(r"(?:\d{1,2}-)?\d{1,3}\s*[-–—._)]\s+|0\d\s+|\d{1,2}-\d\d\s+")
_BARE_NUMBER = re.compile(r"\d{1,3}[\s._-]+(?=\S)")
_YEAR_FIRST = re.compile(r"[(\[]?(?:19|20)\d\d[)\]]?\b|.*[(\[](?:19|20)\d\d[)\]]$")
_PLAIN_FOLDERS = {
    "lyrics",
    "lyric",
    "songs",
    "song",
    "texts",
    "text",
    "txt",
    "data",
    "dataset",
    "corpus",
    "files",
    "lrc",
    ".",
}
"""Names of folders that are not the name of an artist."""
_LETTER = re.compile(r"[^\W\d_]|\d|#|[a-z0-9]\W+[a-z0-9]|num(?:bers?|eric)?|others?|misc|symbols?", re.IGNORECASE)
_DISC = re.compile(r"(?:cd|dis[ck])[\s_-]*\d+", re.IGNORECASE)
_GENRES = {
    "rock", "pop", "rap", "hip_hop", "hiphop", "r_b", "rnb", "country", "metal", "heavy_metal", "jazz", "blues", "folk",
    "soul", "funk", "reggae", "punk", "indie", "electronic", "dance", "disco", "latin", "gospel", "alternative", "classical",
}  # fmt: skip


class Named(NamedTuple):
    """What a path says about a song."""

    title: str
    artist: str | None
    album: str | None = None
    genre: str | None = None


def is_text(name: str) -> bool:
    """Return whether a file may be the text of a song, by its name: ``Title.txt``, or a title without an ending."""
    suffix = Path(name).suffix
    return name.casefold().endswith(TEXT_ENDINGS) or not re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,9}", suffix)


def stem(name: str) -> str:
    """Return the name of a file without the ending of a text; a title may have a full stop of its own."""
    known = next((ending for ending in (*SONG_ENDINGS, *TEXT_ENDINGS) if name.casefold().endswith(ending)), "")
    return name[: len(name) - len(known)] if len(name) > len(known) else name


class Layout:
    """What the paths of some files say about their songs.

    Parameters
    ----------
    files
        The files.
    root
        The folder that was given; empty where files were given one by one. Only folders below it are artists and albums.
    archived
        Whether the files are members of an archive.
    """

    def __init__(self, files: Sequence[str], root: str, archived: bool = False) -> None:
        self._root, self._archived = PurePosixPath(Path(root).as_posix()), archived
        self._numbered: Counter[str] = Counter()
        self._tracks: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        for name in files:
            path = self._path(name)
            self._files[str(path.parent)] += 1
            self._numbered[str(path.parent)] += bool(_BARE_NUMBER.match(path.name))
            self._tracks[str(path.parent)] += bool(_NUMBERED.match(path.name))
        self.albums = 0
        self.artists: dict[str, int] = {}
        """Artists whose name was taken from a folder without albums, and their files."""

    def _path(self, name: str) -> PurePosixPath:
        """Return a path; in an archive it is relative, whatever it says."""
        return PurePosixPath(name.lstrip("/") if self._archived else Path(name).as_posix())

    def __call__(self, name: str, several: bool = False) -> Named:
        """Return what a path says; a file of several songs at the top is one of an artist, by its name."""
        path = self._path(name)
        count, numbered = self._files[str(path.parent)], self._numbered[str(path.parent)]
        title = stem(path.name)
        title = title.replace("_", " ") if "_" in title and " " not in title.strip() else title
        number = (_BARE_NUMBER if count > 2 and numbered == count else _NUMBERED).match(title)
        title = title.removeprefix(number[0] if number else "").strip() or title
        before, dash, after = (
            re.split(r"( (?:--?|[–—]) )", title, maxsplit=1) if _NAMED.fullmatch(title) else ("", "", "")
        )
        title = after if dash and before.casefold() in _PLAIN_FOLDERS else title  # "Lyrics - Title"
        artist, album, genre = self._of_folders(path)
        if several and (path.parent == self._root or (artist and _LETTER.fullmatch(artist))):
            artist = None
        found = _NAMED.fullmatch(title)
        if not found or (artist and (album or 2 * self._tracks[str(path.parent)] > count)):
            parts = re.split(" (?:--?|[–—]) ", title)
            if artist and len(parts) > 1 and normal(parts[0]) == normal(artist):
                rest = [part for part in parts[1:] if not part.isdecimal() and normal(part) != normal(album or "")]
                title = " - ".join(rest)
            if artist and not album:
                self.artists[artist] = self.artists.get(artist, 0) + 1
            return Named(title.strip() or stem(path.name), artist, album, genre)
        parts = re.split(" (?:--?|[–—]) ", found["title"])
        at = next((i for i, part in enumerate(parts[:-1]) if re.fullmatch(r"\d{1,3}", part.strip())), -1)
        return Named(" - ".join(parts[at + 1 :]).strip(), found["artist"].strip(), album, genre)

    def _of_folders(self, path: PurePosixPath) -> tuple[str | None, str | None, str | None]:
        """Return artist, album and genre by the folders between the root and a file."""
        root = self._root if self._archived or (self._root.parts and path.is_relative_to(self._root)) else path.parent
        above = "" if self._archived else Path(root).absolute().name
        folders: list[str] = [] if path.parent == root else [*path.relative_to(root).parts[:-1]]
        if not folders:
            folders, above = [above], ""
        folders = [
            each for each in folders if each and each.casefold() not in _PLAIN_FOLDERS and not _DISC.fullmatch(each)
        ]
        if len(folders) > 1 and _LETTER.fullmatch(folders[0]):
            folders = folders[1:]
        genre = folders.pop(0) if len(folders) > 1 and normal(folders[0]) in _GENRES else None
        if not folders:
            return None, None, genre
        if len(folders) > 1:
            self.albums += 1
            return folders[-2], folders[-1], genre
        if above and above.casefold() not in _PLAIN_FOLDERS and _YEAR_FIRST.match(folders[0]):
            return above, folders[0], genre
        return folders[0], None, genre


class SongFiles:
    """The songs of some files, one file after another; afterwards their common hash and what was found.

    Parameters
    ----------
    path
        The folder, file or archive.
    files
        The files, or the members of the archive.
    root
        The folder that was given.
    encoding
        How text is encoded where nothing in a file says so.
    archived
        Whether ``path`` is an archive.
    """

    HEADER = ("title", "artist", "lyrics", "album", "genre", "year", "language")

    def __init__(self, path: str, files: Sequence[str], root: str, encoding: str, archived: bool = False) -> None:
        self._path, self._files, self._encoding, self._archived = path, files, encoding, archived
        self._layout = Layout(files, root, archived)
        self._hash = hashlib.sha256()
        self._forms: Counter[str] = Counter()
        self._several: dict[str, int] = {}
        self._undivided: list[str] = []
        self._encodings: Counter[str] = Counter()
        self.count = 0

    def items(self) -> Iterator[Item]:
        """Yield each song: the number of its file, its characters, and the values of `HEADER` or why it is rejected."""
        with contextlib.ExitStack() as stack:
            opening: Callable[[str], IO[bytes]] = (
                stack.enter_context(archive(self._path)).open if self._archived else file
            )
            for number, name in enumerate(self._files, 1):
                yield from self._songs(number, name, opening)

    def _songs(self, number: int, name: str, opening: Callable[[str], IO[bytes]]) -> Iterator[Item]:
        base = Path(name).name
        try:
            with opening(name) as raw:
                data = raw.read(records.RECORD_LIMIT + 1)
        except (OSError, LyristError, DamageError) as error:
            why = getattr(error, "strerror", None) or str(error)
            yield number, 0, Rejected(UNREADABLE, f"{base}: {why}")
            return
        if len(data) > records.RECORD_LIMIT:
            yield number, 0, oversized(base)
            return
        self.count += len(data)
        for part in (base.encode("utf-8", "surrogateescape"), b"\0", hashlib.sha256(data).digest()):
            self._hash.update(part)
        encoding = encoding_of(data, self._encoding)
        self._encodings[encoding.removesuffix("-sig")] += bool(data) and not data.isascii()
        try:
            songs = songs_in(decoded(data, encoding))
        except ManySongsError as error:
            yield (
                number,
                len(data),
                Rejected(MANY_SONGS, f"{base}: {error}; divide it, or write 'Title: ...' before each"),
            )
            return
        except BrokenTextError as error:
            yield number, len(data), Rejected(UNREADABLE, f"{base}: {error}; fetch it again")
            return
        except MarkupError as error:
            yield number, len(data), Rejected(UNREADABLE, f"{base}: {error}; save it as plain text")
            return
        self._forms[songs[0].form] += 1
        if len(songs) > 1:
            self._several[base] = len(songs)
        self._undivided += [base] * (len(songs) == 1 and not songs[0].form and may_be_several(songs[0].lyrics))
        several = len(songs) > 1 and not songs[0].form
        by_name = self._layout(name, several)
        for song in songs:
            yield number, len(data), _values(song, by_name, several)

    def notes(self) -> list[str]:
        """Return what a person should know about how the files were read."""
        forms = [f"{count:,} {form}" for form, count in sorted(self._forms.items()) if form]
        notes = [f"read as {', '.join(forms)}: times, chords and marks are left out"] if forms else []
        others = [
            f"{count:,} as {name}" for name, count in sorted(self._encodings.items()) if name != "utf-8" and count
        ]
        if others and self._encoding == AUTO:
            notes.append(f"encodings detected: {', '.join(others)}; --encoding names another")
        if self._several:
            some = ", ".join(f"{name} {count}" for name, count in list(self._several.items())[:5])
            files = f"{len(self._several):,} file{'s' * (len(self._several) > 1)}"
            notes.append(f"{files} with several songs, or a song and its translation ({some})")
        if self._undivided:
            some = ", ".join(self._undivided[:5]) + (" ..." if len(self._undivided) > 5 else "")
            notes.append(
                f"{len(self._undivided):,} with lines of dashes, wide gaps or titles between parts, read as one song each "
                f"({some}); if they are several songs, write 'Title: ...' before each"
            )
        if self._layout.albums:
            notes.append(f"artist and album of {self._layout.albums:,} songs by their folders, Artist/Album/Title")
        if artists := self._layout.artists:
            some = ", ".join([*artists][:3]) + (" ..." if len(artists) > 3 else "")
            notes.append(f"artist of {sum(artists.values()):,} songs by their folder ({some})")
        return notes

    def finish(self) -> str:
        """Return the SHA-256 over the names and the SHA-256s of the files read, in order."""
        return self._hash.hexdigest()


def _values(song: SongText, by_name: Named, several: bool) -> list[str | None]:
    """Return the values of `SongFiles.HEADER`; a file of several songs has the name of their artist."""
    artist = song.artist or by_name.artist or (by_name.title if several else None)
    title = song.title or by_name.title
    return [
        title,
        artist,
        song.lyrics,
        song.album or by_name.album,
        song.genre or by_name.genre,
        song.year,
        song.language,
    ]
