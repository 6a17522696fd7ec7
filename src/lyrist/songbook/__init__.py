"""The built-in songbook: original songs by twelve invented acts in four genres, and the table that the demo prepares.

The songs are in the ``.txt`` files of this folder, one file for each act, and are dedicated to the public domain (CC0). All acts
share form and layout and differ in words, so that a model must read the lyrics.
`write_songbook` writes them to a CSV file like those on the web: with section headers, and with a few planted defects that a good
preparation must find.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from lyrist.files import explained

HEADING = re.compile(r"# (?P<title>.+) \((?P<year>\d{4})\)")

COLUMNS = ("artist", "title", "year", "genre", "lyrics")


@dataclass(frozen=True)
class Song:
    """One song of the songbook."""

    artist: str
    title: str
    year: int
    genre: str
    lyrics: str
    """Sections with headers such as ``[Chorus]``, separated by empty lines."""


@dataclass(frozen=True)
class Planted:
    """The number of planted rows of each kind in the table of `write_songbook`; the ledger of the demo must find them."""

    songs: int
    """Rows that must be kept: the songs themselves, and those in other languages."""
    exact: int = 3
    """Copies of songs with debris of lyric sites."""
    covers: int = 4
    """Near-copies: songs of one act under the name of another, with some words changed."""
    instrumental: int = 2
    empty: int = 1
    short: int = 1
    malformed: int = 1
    """A row with too many fields."""

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.songs + self.exact + self.covers + self.instrumental + self.empty + self.short + self.malformed


CHANGES = {"the": "this", "and": "but", "was": "is", "my": "our", "said": "says", "old": "odd", "night": "dark"}
"""The words whose first occurrence is changed in a cover."""


def songbook(folder: Traversable | None = None) -> list[Song]:
    """Return all songs of the songbook (or of the ``.txt`` files of a folder), act by act."""
    folder = folder or files("lyrist.songbook")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".txt"))
    return [song for name in names for song in _parse((folder / name).read_text(encoding="utf-8"))]


def _parse(text: str) -> list[Song]:
    """Parse the file of one act: ``act:`` and ``genre:`` lines, then songs under ``# Title (year)``."""
    head, *parts = re.split(r"^(?=# )", text, flags=re.MULTILINE)
    fields = dict(line.split(": ", 1) for line in head.strip().splitlines())
    songs = []
    for part in parts:
        heading, _, lyrics = part.partition("\n")
        found = HEADING.fullmatch(heading.strip())
        if found is None:
            raise ValueError(f"{fields['act']}: not a heading: {heading!r}")
        songs.append(Song(fields["act"], found["title"], int(found["year"]), fields["genre"], _sung(lyrics)))
    return songs


def _sung(lyrics: str) -> str:
    """Return the lyrics with a header for each section; a header without lines repeats the earlier section of that name."""
    sections: dict[str, str] = {}
    sung = []
    verses = 0
    for section in lyrics.strip().split("\n\n"):
        if section.startswith("["):
            header = section.partition("\n")[0]
        else:
            verses += 1
            header = f"[Verse {verses}]"
            section = f"{header}\n{section}"
        if section == header:
            section = sections[header]
        sections[header] = section
        sung.append(section)
    return "\n\n".join(sung)


def write_songbook(path: Path, songs: list[Song] | None = None) -> Planted:
    """Write the songbook (or other songs) as a CSV table with planted defects to ``path``; return their numbers."""
    songs = songs or songbook()
    rows = [_row(song) for song in songs]
    every = len(songs) // 3
    for number in range(Planted.exact):
        rows.append(_debris(songs[number * every + 5], number))
    for number in range(Planted.covers):
        rows.append(_cover(songs[number * len(songs) // Planted.covers + 9], songs))
    first = songs[0]
    rows += [[act, "Interlude", "2001", genre, "[Instrumental]"] for act, genre in _acts(songs)[: Planted.instrumental]]
    rows += [
        [first.artist, "Lost Page", "1988", first.genre, ""],
        [first.artist, "Jingle", "1990", first.genre, "Ding dong, we sell bread"],
    ]
    rows.append(
        [first.artist, "Torn Page", "1987", first.genre, "A line that was torn from the book", "a field too many"]
    )
    with explained(path), Path(path).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return Planted(songs=len(songs))


def _row(song: Song) -> list[str]:
    return [song.artist, song.title, str(song.year), song.genre, song.lyrics]


def _acts(songs: list[Song]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((song.artist, song.genre) for song in songs))


def _debris(song: Song, number: int) -> list[str]:
    """Return the row of a song with debris of a lyric site."""
    lyrics = f"{12 + number} Contributors{song.title} Lyrics{song.lyrics}"
    middle = lyrics.index("\n\n") + 1
    lyrics = f"{lyrics[:middle]}You might also like\n{lyrics[middle:]}{34 + number}Embed"
    return [song.artist, song.title, str(song.year), song.genre, lyrics]


def _cover(song: Song, songs: list[Song]) -> list[str]:
    """Return the row of a cover of a song by another act."""
    acts = _acts(songs)
    act, genre = acts[(acts.index((song.artist, song.genre)) + 1) % len(acts)]
    lyrics = song.lyrics
    for old, new in CHANGES.items():
        lyrics = re.sub(rf"\b{old}\b", new, lyrics, count=1)
    return [act, song.title, str(song.year + 7), genre, lyrics]
