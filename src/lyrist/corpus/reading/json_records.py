"""JSON and JSON Lines: songs as objects, one by one, whatever the size of the file.

An object that is no song but holds songs, in lists or objects of any depth, is read as those songs, which have the names of
the artist and the album around them. A whole text may also be an object with titles for keys, or a table as pandas writes
it. Only such a text may be longer than a record, up to `DOCUMENT_RECORDS` times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lyrist.corpus.columns import NAMES, has_lyrics, normal
from lyrist.corpus.reading import records
from lyrist.corpus.reading.records import NOT_JSON, OVERSIZED, Item, Part, Rejected, oversized
from lyrist.corpus.reading.streams import DamageError, skip_line
from lyrist.corpus.reading.values import text_of

DOCUMENT_RECORDS = 8
"""A text that is one object (an artist, a table by columns) may be as long as so many records of the maximum size."""
DENSITY = 8
"""Such a text has fewer than one comma or bracket in so many characters: text is cheap to decode, empty lists are not."""

_YEAR = re.compile(r"(?:18|19|20)\d\d")
_BLANK = re.compile(r"[\s,]*")
_FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]|\\.)*+")\s*:')
ARTIST_KEYS = ("artist", "primary_artist", "primary_artist_names", "artist_names")

_DECODER = json.JSONDecoder()


def json_lines(lines: Iterator[str], part: Part | None = None) -> Iterator[Item]:
    """Yield the songs of a text with one JSON object a line: line, characters, and the object or why it is rejected."""
    part = part or Part(0, 0)
    for number, line in enumerate(lines, part.before + 1):
        if part.stop(number - 1):
            return
        if line.isspace():
            continue
        if len(line) > records.RECORD_LIMIT:
            skip_line(line, lines)
            yield number, 0, oversized(f"line {number}")
            continue
        for value in _objects_of_line(line, number):
            yield number, len(line), value


def _objects_of_line(line: str, number: int) -> Iterator[dict[str, Any] | Rejected]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield Rejected(NOT_JSON, f"line {number}: {_reason(error)}")
        return
    if isinstance(value, dict):
        for song in songs_of(value):
            yield song._replace(detail=f"line {number}: {song.detail}") if isinstance(song, Rejected) else song
    else:
        yield Rejected(NOT_JSON, f"line {number}: {_kind(value)}, not an object")


def json_values(pieces: Iterator[str]) -> Iterator[Item]:
    """Yield the songs of one JSON text: a list of objects, one object, or several one after another.

    Raises
    ------
    DamageError
        The text ends inside an object or list.
    """
    number = 0
    for size, value, alone in _Stream(pieces).values():
        if isinstance(value, dict):
            for song in songs_of(value, alone):
                number += 1
                yield number, size, song
        else:
            number += 1
            why = value if isinstance(value, Rejected) else Rejected(NOT_JSON, f"{_kind(value)}, not an object")
            yield number, size, why._replace(detail=f"object {number}: {why.detail}")


def songs_of(value: dict[str, Any], alone: bool = False) -> Iterator[dict[str, Any] | Rejected]:
    """Yield the songs of an object: itself, or those inside it.

    Parameters
    ----------
    value
        The object.
    alone
        Whether it is the whole text. Then its list may have any name, otherwise only ``songs``; or it may be a table, or
        have the titles of songs, and of albums and artists, for its keys.
    """
    for song in _songs(value, alone):
        about = {} if isinstance(song, Rejected) else song
        facts = next((part for key in _ABOUT if isinstance(part := about.get(key), dict)), None)
        yield _with_facts(about, facts) if facts else song


def _songs(value: dict[str, Any], alone: bool) -> Iterator[dict[str, Any] | Rejected]:
    if not isinstance(value.get("songs"), list) and _is_song(tuple(value)):
        yield from (alone and _rows(value)) or [value]
        return
    found: list[dict[str, Any] | Rejected] = [*(_rows(value) or _by_keys(value))] if alone else []
    found = found or list(_within(value, {}, "", _DEEPEST))
    lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if not found and alone and len(lists) == 1:
        found = [child if isinstance(child, dict) else _no_song(child) for child in lists[0]]
    if len(found) == 1 and isinstance(found[0], dict):
        found = [_with_facts(found[0], value)]
    if found or isinstance(value.get("songs"), list):
        yield from found
    else:
        yield value


def _no_song(value: Any) -> Rejected:
    return Rejected(NOT_JSON, f"{_kind(value)} in the list of songs")


@lru_cache(maxsize=1024)
def _is_song(keys: tuple[str, ...]) -> bool:
    return has_lyrics(keys)


_ABOUT = ("track", "song", "metadata", "meta", "info")
"""Keys of a song under which an object may have its facts."""
_DEEPEST = 6
"""Songs are looked for in objects of so many levels."""
_LEVELS = {"artists": "artist", "artist": "artist", "albums": "album", "album": "album", "discography": "album"}
"""What the objects under a key are, whose name all songs in them have."""
_INHERITED = ("genre", "year", "language")


def _within(
    value: dict[str, Any], given: dict[str, Any], level: str, depth: int
) -> Iterator[dict[str, Any] | Rejected]:
    """Yield the songs inside an object that is no song itself, with what the objects around them say."""
    own = given | {key: value[key] for key in _INHERITED if isinstance(value.get(key), str | int)}
    label = value.get("name") or value.get("title")
    if level == "album" and label:
        own["album"] = label
    if artist := text_of(value.get("artist") or (label if level != "album" else None)):
        own = {"artist": artist} | own if level == "album" else own | {"artist": artist}
    for key, part in value.items():
        for child in part if isinstance(part, list) else [part]:
            if not isinstance(child, dict):
                if key == "songs" and isinstance(part, list):
                    yield _no_song(child)
            elif _is_song(tuple(child)) and not isinstance(child.get("songs"), list):
                yield _completed(child, own)
            elif depth:
                inside = list(_within(child, own, _LEVELS.get(key.casefold(), ""), depth - 1))
                yield from inside or ([_completed(child, own)] if key == "songs" and isinstance(part, list) else [])


def _completed(song: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a song with what is known from the objects around it, where it does not say so itself."""
    missing = {key: value for key, value in given.items() if not song.get(key)}
    if any(song.get(key) for key in ARTIST_KEYS):
        missing.pop("artist", None)
    elif "artist" in missing:
        missing |= {key: missing["artist"] for key in ARTIST_KEYS if key in song}  # an empty one
    return song | missing if missing else song


def _with_facts(song: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Return a song with the title, the artist and other facts that an object around or in it has and the song has not."""
    facts = {
        key: text_of(value)
        for names in NAMES.values()
        if not any(normal(key) in names and value for key, value in song.items())
        for key, value in around.items()
        if normal(key) in names and (isinstance(value, str | int | float) or names is NAMES["artist"])
    }
    return facts | song


_WRAPPERS = {"data", "items", "results", "songs", "tracks", "lyrics", "response", "hits", "records", "rows", "entries",
             "message", "body", "header", "result", "payload", "meta", "metadata", "artists", "albums"}  # fmt: skip
"""Keys that are not the name of an artist, an album or a song."""


class _NoNamesError(ValueError):
    """The keys of an object are not the names of songs."""


def _by_keys(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the songs of an object with titles for keys, within artists, or artists and albums; none where it is not one."""
    try:
        found = list(_leaves(value, (), 3))
    except _NoNamesError:
        return []
    texts = [len(text) for song in found for key in ("lyrics",) if isinstance(text := song.get(key), str)]
    if texts and sorted(texts)[len(texts) // 2] < _TEXT:
        return []
    named = [str(song.get("title")).partition(" - ") for song in found if not any(map(song.get, ARTIST_KEYS))]
    if len(named) == len(found) and all(artist and title for artist, _, title in named):  # as files are called
        return [song | {"artist": name[0], "title": name[2]} for song, name in zip(found, named, strict=True)]
    return found


_TEXT = 30
"""A text in an object of titles has so many characters, half of the time at least."""


def _is_field(key: str) -> bool:
    return normal(key) in _WRAPPERS or any(normal(key) in known for known in NAMES.values())


def _several_artists(songs: Any) -> bool:
    if not isinstance(songs, list) or not all(isinstance(song, dict) for song in songs):
        return False
    return len({text_of(song[key]) for song in songs for key in ARTIST_KEYS if song.get(key)}) > 1


def _leaves(value: Any, path: tuple[str, ...], depth: int, mixed: bool = False) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and not (path and _is_song(tuple(value))):
        if not value or not depth or any(_is_field(key) for key in value):
            raise _NoNamesError
        mixed = any(map(_several_artists, value.values()))
        for key, part in value.items():
            yield from _leaves(part, (*path, key), depth - 1, mixed)
    elif isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        if not all(_is_song(tuple(part)) for part in value):
            raise _NoNamesError
        for part in value:
            yield _titled(part, (*path, ""), mixed)
    elif isinstance(value, dict):
        yield _titled(value, path)
    elif isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value)):
        yield _titled({"lyrics": value}, path)
    else:
        raise _NoNamesError


def _titled(song: dict[str, Any], path: tuple[str, ...], mixed: bool = False) -> dict[str, Any]:
    """Return a song with the title, the album and the artist that its keys say, and the year if one of them is a year.

    If lists hold songs of several artists (``mixed``), the key of a list is the genre.
    """
    *outer, title = path
    given = {"title": title} if title else {}
    years = [key for key in outer if _YEAR.fullmatch(key)]
    given |= {"year": years[0]} if years else {}
    outer = [key for key in outer if key not in years]
    given |= {"genre": outer.pop()} if mixed and outer else {}
    given |= {"artist": outer[0]} if outer else {}
    return _completed(song, given | ({"album": outer[1]} if len(outer) > 1 else {}))


def _rows(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the songs of a table in one object, by columns or by the index of its rows; no songs where it is not a table."""
    if (
        isinstance(value.get("columns"), list)
        and isinstance(rows := value.get("data"), list)
        and has_lyrics(value["columns"])
    ):
        return [dict(zip(value["columns"], row, strict=True)) for row in rows if len(row) == len(value["columns"])]
    first, *others = value.values() or (None,)
    named = has_lyrics(list(value))
    if (
        isinstance(first, list)
        and others
        and named
        and all(isinstance(o, list) and len(o) == len(first) for o in others)
    ):
        return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    if not isinstance(first, dict) or not all(isinstance(other, dict) for other in others):
        return []
    if named and all(other.keys() == first.keys() for other in others) and (others or all(map(str.isdecimal, first))):
        return [{name: column[row] for name, column in value.items()} for row in first]
    if not has_lyrics(list(first)):
        return []
    return [song if normal(key).isdecimal() else _completed(song, {"title": key}) for key, song in value.items()]


class _OversizedError(ValueError):
    """A value is longer than it may be."""


class _Stream:
    """The values of a JSON text, decoded from a window that moves over the text."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._window = ""
        self._at = 0
        self._size = 0
        self._ended = False
        self._damage: DamageError | None = None
        self._start: re.Pattern[str] | None = None
        """How objects of this text begin: with the key of the first one. After damage, the next object is found by it."""

    def values(self) -> Iterator[tuple[int, Any, bool]]:
        """Yield each value of the outermost lists: its characters, itself or `Rejected`, whether it is in no list."""
        in_list = False
        while first := self._skip_blank():
            if (first == "[" and not in_list) or (first == "]" and in_list):
                in_list = not in_list
                self._at += 1
                continue
            self._note_start()
            try:
                value = self._value(records.RECORD_LIMIT * (1 if in_list else DOCUMENT_RECORDS))
            except (ValueError, RecursionError) as error:
                long = isinstance(error, _OversizedError)
                cut = self._ended and not long
                why = Rejected(OVERSIZED if long else NOT_JSON, _reason(error, self._at))
                if not self._resume():
                    if cut:
                        raise self._damage or DamageError("it ends inside an object") from error
                    in_list = False  # it may have been closed: nothing after the damage can be known
                yield 0, why, False
            else:
                yield self._size, value, not in_list
        if self._damage or in_list:
            raise self._damage or DamageError("its list is not closed")

    def _value(self, limit: int) -> Any:
        """Decode the next value, reading on while it may only be cut; one longer than ``limit`` is `Rejected`."""
        while True:
            try:
                self._check_density()
                value, end = _DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                maybe_cut = error.pos > len(self._window) - 16 or error.msg.startswith("Unterminated")
                if self._ended or not maybe_cut:
                    raise
                missing = limit + 1 - (len(self._window) - self._at)
                if missing <= 0:
                    raise _OversizedError(_longer_than(limit)) from error
                self._read(min(len(self._window), missing))
            else:
                self._size, self._at = end - self._at, end
                return value if self._size <= limit else Rejected(OVERSIZED, _longer_than(limit))

    def _check_density(self) -> None:
        """Refuse a long text of which little is text: decoded, it would take many times the memory."""
        size = len(self._window) - self._at
        if size > 2 * records.RECORD_LIMIT and DENSITY * sum(self._window.count(c, self._at) for c in ",[{") > size:
            raise _OversizedError("a long text of which little is text")

    def _note_start(self) -> None:
        found = _FIRST_KEY.match(self._window, self._at)
        if found and not self._start:
            self._start = re.compile(r"\{\s*" + re.escape(found.group(1)) + r"\s*:")

    def _resume(self) -> bool:
        """Move from a damaged value to the beginning of the next object; return whether there is one."""
        self._at += 1
        while self._start:
            found = self._start.search(self._window, self._at)
            if found:
                self._at = found.start()
                return True
            self._at = max(self._at, len(self._window) - 1000)  # a beginning may be cut by the end of the window
            if self._ended:
                break
            self._read(1)
        self._at = len(self._window)
        return False

    def _skip_blank(self) -> str:
        """Move to the next character other than a space or comma, and return it; empty at the end."""
        while True:
            self._at = _BLANK.match(self._window, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._window):
                return self._window[self._at]
            if self._ended:
                return ""
            self._read(1)

    def _read(self, size: int) -> None:
        """Move the start of the window to the next value, and grow it by ``size`` characters, or by one piece."""
        grown = [self._window[self._at :]]
        length = 0
        while not self._ended and length < max(size, 1):
            try:
                piece = next(self._pieces, "")
            except DamageError as error:
                self._damage, piece = error, ""
            grown.append(piece)
            length += len(piece)
            self._ended = not piece
        self._window, self._at = "".join(grown), 0


def _longer_than(limit: int) -> str:
    return f"a record of more than {limit:,} characters"


def _kind(value: Any) -> str:
    names = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _reason(error: Exception, begin: int = 0) -> str:
    if isinstance(error, _OversizedError):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at its character {error.pos - begin + 1} ({error.msg})"
    return "nested too deeply" if isinstance(error, RecursionError) else f"not JSON ({error})"
