"""Which tables a user means: files, patterns, folders and archives become a list of sources, each with its format.

The content decides the format; the ending of a name only says which files of a folder are tables. What is in a folder may
come from others, so that only regular files inside it are read. Others are named as left out: FIFOs, sockets and devices,
which may never end, and links that lead out of the folder. So are hidden files, READMEs, and files that are no table and no song.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lyrist.corpus.columns import ARTISTS, PRESETS, has_lyrics
from lyrist.corpus.reading import remote
from lyrist.corpus.reading.delimited import shape_of
from lyrist.corpus.reading.remote import (
    PACKED,
    STORES,
    WEB,
    Address,
    SourceError,
    is_remote,
    is_table,
    without_secrets,
)
from lyrist.corpus.reading.songfiles import SONG_ENDINGS, TEXT_ENDINGS, is_text, stem
from lyrist.corpus.reading.songtext import MARKED, BrokenTextError, in_format, is_note
from lyrist.corpus.reading.streams import (
    AUTO,
    ZIP,
    archive,
    encoding_of,
    explained,
    head,
    not_a_file,
    on_disk,
    opened,
    special,
)
from lyrist.errors import LyristError, UsageError, nearest

CSV, JSON, JSONL, PARQUET, SONG_FILES = "csv", "json", "jsonl", "parquet", "songs"
SHEET, SQLITE, ARROW = "sheet", "sqlite", "arrow"
CONTAINERS = (SHEET, SQLITE, ARROW)
"""Formats that are read from the disk; a source is one sheet, one table or one file."""

FORMATS = (
    "Tables are read as CSV, TSV, JSON, JSONL, Parquet, Arrow, SQLite or workbooks, songs as text, LRC, subtitles, ChordPro "
    "or UltraStar files; any of these in folders and in zip or tar archives"
)
_OTHER = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x04", "a pickle, which can run any program"),
    (b"ID3", "a recording"),
    (b"OggS", "a recording"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "a document in RTF"),
)


_BAG = re.compile(
    r"^TR[A-Z0-9]{16},\d+,\d+:\d+|\A\ufeff?(?=[^\n]*\bword\b)(?=[^\n]*\bcount\b)[\"\w]+(?:[,;\t|][\"\w]*){2,5}\r?$",
    re.MULTILINE,
)
"""A line of a bag of words of musiXmatch, or the header of one with a row for each word."""
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".ods")


@dataclass(frozen=True)
class Source:
    """One table, or one folder of songs, as it was found."""

    path: str
    """Its path, as the user gave it."""
    name: str
    """Its name in the corpus; no two sources of one call have the same name."""
    format: str
    """``csv`` (any delimiter), ``json``, ``jsonl``, ``parquet``, ``sheet``, ``sqlite``, ``arrow`` or ``songs`` (text files)."""
    bytes: int
    """Its size as it is stored; of a member of a zip archive, the size unpacked."""
    member: str = ""
    """The member of the archive at ``path``."""
    part: str = ""
    """The sheet of a workbook, or the table of a database."""
    files: tuple[str, ...] = ()
    """The text files of a folder of songs, or members of the archive at ``path``."""
    root: str = ""
    """The folder that was given, in which ``files`` are."""
    archived: bool = False
    """Whether ``files`` are members of an archive."""
    given: bool = True
    """Whether the user named it, and not a folder that it is in, or a pattern."""
    artists: bool = False
    """Whether it is a table about artists that belongs to one of songs (preset sixgenres); it has no songs."""


Unread = dict[str, str]
"""Files that were found in folders and by patterns, and why they are not read."""


def find_sources(tables: Sequence[str | Path], unread: Unread | None = None) -> list[Source]:
    """Return the sources that files, patterns (``*.csv``) and folders refer to, each once, in order (artists last).

    A folder or archive refers to all tables and song files in it and below, and to the text files in those of its folders
    that hold no table; the folder of a corpus refers to its songs. Where ``unread`` is given, files of folders, archives
    and patterns that are not read are noted there with the reason, as long as there are others.

    Raises
    ------
    LyristError
        There is no such file, nothing matches a pattern, a folder holds nothing to read, a file may not be read or is in
        a format that is not read.
    """
    found: list[Source] = []
    loose: list[tuple[str, str]] = []
    left: Unread = {}
    wrong: dict[str, LyristError] = {}
    for table in tables:
        for path, in_folder, root in _expanded(table if isinstance(table, Address) else str(table), left):
            given = path == str(table) or path == str(Path(table).expanduser())
            try:
                sources = [replace(source, given=given) for source in _found(path, in_folder, root, left)]
            except (SourceError, UsageError):
                raise
            except LyristError as error:
                if given or unread is None:
                    raise
                wrong[path] = error
                continue
            found += [source for source in sources if source.format != SONG_FILES or source.files]
            loose += [
                (root, _here(source.path)) for source in sources if source.format == SONG_FILES and not source.files
            ]
    if wrong and not found and not loose:
        raise next(iter(wrong.values()))
    if unread is not None:
        unread |= left | {path: str(error) for path, error in wrong.items()}
    found.extend(_song_files(loose))
    unique: dict[tuple[object, ...], Source] = {}
    for source in found:
        unique.setdefault((_real(source.path), source.member, source.part, source.files[:1]), source)
    several = {path for path, count in Counter(source.path for source in unique.values()).items() if count > 1}
    found = [replace(each, given=each.given and not (each.part and each.path in several)) for each in unique.values()]
    return _named(sorted(found, key=lambda source: source.artists))


def _here(path: str) -> str:
    """Return the path of the text of one song; it must be on a disk."""
    if isinstance(path, Address):
        raise LyristError(f"{path} is the text of one song; songs in files of their own are read from disks only.")
    return path


def _real(path: str) -> str:
    """Return the path without links, which is the same for two paths of one file."""
    return path.real if isinstance(path, Address) else os.path.realpath(path)


def _name(path: str) -> str:
    return path.name if isinstance(path, Address) else Path(path).name


def _expanded(given: str, left: Unread) -> Iterator[tuple[str, bool, str]]:
    """Yield the files that an argument refers to, whether each was chosen by its name alone, and the folder it must be in."""
    if is_remote(given):
        found = remote.expanded(given if isinstance(given, Address) else Address(given))
        yield from ((path, by_name, "") for path, by_name in found)
        return
    path = Path(given).expanduser()
    with explained(given):
        if path.is_dir():
            yield from ((str(file), True, str(path)) for file in _in_folder(path, left))
            return
        if path.exists():
            yield str(path), False, ""
            return
        if not glob.has_magic(given):
            raise _not_found(given, path)
        root = str(Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts)))
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - any path
        if not matches:
            raise _not_found(given, path)
        for match in map(Path, matches):
            if match.is_dir() and _inside(str(match), root):
                yield from ((str(file), True, root) for file in _in_folder(match, left))
            elif is_text(match.name) and is_note(stem(match.name)):
                left[str(match)] = NOTE
            else:
                yield str(match), False, root


def _found(path: str, in_folder: bool, root: str, left: Unread) -> list[Source]:
    """Return the sources in one file; a text file in a folder is a song unless its first line names columns."""
    if not isinstance(path, Address):
        _check_file(path, root)
    if in_folder and not is_table(path):
        with explained(path), Path(path).open("rb") as raw:
            if _is_song_by_look(raw.read(1 << 12), path):
                return [Source(path, _name(path), SONG_FILES, 0)]
    return list(_sources(path, left))


def _is_song_by_look(start: bytes, path: str) -> bool:
    """Return whether a text file need not be examined further: there is no sign of a table or of what is no text."""
    line = start.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0].decode("utf-8", "replace")
    is_table = has_lyrics(re.split(r"[,;\t|]", line)) or line.startswith(("# ", "%", "{", "[{"))
    return not is_table and b"\0" not in start and not any(start.startswith(magic) for magic, _ in _OTHER)


def _check_file(path: str, root: str) -> None:
    """Refuse what is not a regular file, and a link that leads out of the folder ``root``."""
    if root and not _inside(path, root):
        raise LyristError(f"{path} is a link that leads out of {root}; give the file itself if you trust it.")
    with explained(path):
        if what := special(Path(path).stat()):
            raise not_a_file(path, what)


def _inside(path: str, root: str) -> bool:
    """Return whether a path, followed through links, is in a folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _not_found(given: str, path: Path) -> LyristError:
    if "://" in given:
        known = ", ".join(f"{scheme}://" for scheme in (*WEB, *STORES))
        return LyristError(
            f"{without_secrets(given)} is an address of a kind that is not read; those that are: {known}."
        )
    if glob.has_magic(given):
        return LyristError(f"No file matches {given}; quote the pattern or check the folder.")
    folder = path.parent
    if not folder.is_dir():
        return LyristError(f"There is no file {given}: its folder {folder} does not exist either.")
    return LyristError(f"There is no file {given}.{nearest(path.name, [file.name for file in folder.iterdir()])}")


NOTE = "it is a README or licence, not a song; give it by its own name to read it"
BESIDE = "it is a text beside a table; give it by its own name to read it as a song"
HIDDEN = "it is hidden"
OUTSIDE = "its path leads out of the archive"
NEITHER = "its ending is not that of a table or song; give it by its own name to read it"
CACHE = "it is a cache of the library datasets"


def _in_folder(folder: Path, left: Unread) -> list[Path]:
    """Return the tables and songs in a folder and below, and links to other folders; note in ``left`` what is neither."""
    root = folder
    if (folder / "corpus.json").is_file() and (folder / "songs").is_dir():
        folder = folder / "songs"
    names: list[str] = []
    links: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        here = Path(place).relative_to(folder).as_posix()
        hidden = [name for name in folders if name.startswith((".", "__MACOSX"))]
        left |= {str(Path(place, name)): HIDDEN for name in sorted(hidden)}
        folders[:] = sorted(set(folders) - set(hidden))
        names += [name if here == "." else f"{here}/{name}" for name in files]
        links += [
            path for name in folders if (path := Path(place, name)).is_symlink() and not _inside(str(path), str(root))
        ]
    found = _sorted_out(names, left, lambda name: str(folder / name), lambda name: (folder / name).is_file())
    chosen = [folder / name for name in found]
    if not chosen:
        raise LyristError(f"The folder {folder} holds no table and no .txt file. {FORMATS}.")
    return chosen + links


def _sorted_out(
    names: Sequence[str], left: Unread, place: Callable[[str], str], regular: Callable[[str], bool] = bool
) -> list[str]:
    """Return which files of a folder or archive are read: tables first, then songs; note in ``left`` why others are not."""
    tables: list[str] = []
    songs: list[str] = []
    texts: list[str] = []
    saved = {
        name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in ("dataset_dict.json", "state.json")
    }
    for name in sorted(names):
        folder, _, base = name.rpartition("/")
        if any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
            left[place(name)] = OUTSIDE if ".." in name.split("/") else HIDDEN
        elif folder in saved and base in ("dataset_dict.json", "state.json", "dataset_info.json"):
            continue  # they describe the Arrow files beside them
        elif base.startswith("cache-") and base.endswith(".arrow"):
            left[place(name)] = CACHE
        elif is_table(base):
            tables.append(name)
        elif base.casefold().endswith(SONG_ENDINGS):
            songs.append(name)
        elif not is_text(base):
            left[place(name)] = NOTE if is_note(stem(base).partition(".")[0]) else NEITHER
        elif is_note(stem(base)):
            left[place(name)] = NOTE
        else:
            texts.append(name)
    beside = {name.rpartition("/")[0] for name in tables if regular(name)}
    left |= {place(name): BESIDE for name in texts if name.rpartition("/")[0] in beside}
    return tables + sorted([*songs, *(name for name in texts if name.rpartition("/")[0] not in beside)])


def _refuse(error: OSError) -> None:
    raise error


def _sources(path: str, left: Unread) -> Iterator[Source]:
    """Yield the source that a file is, or those in an archive, workbook or database."""
    with explained(path):
        size = remote.size(path) if isinstance(path, Address) else Path(path).stat().st_size
    data, whole = head(path)
    if is_archive(data) and not _is_workbook(path, data):
        yield from _members(path, left)
    else:
        yield from _parts(Source(path, _name(path), SHEET if data.startswith(ZIP) else "", size), data, whole, left)


def is_archive(data: bytes) -> bool:
    """Return whether a file that begins with ``data`` is a zip or tar archive."""
    return data.startswith(ZIP) or data[257:262] == b"ustar"


def _is_workbook(path: str, data: bytes) -> bool:
    if not data.startswith(ZIP):
        return False
    with archive(path) as opened_archive:
        return _holds_workbook(opened_archive.sizes)


def _holds_workbook(names: Container[str]) -> bool:
    return "[Content_Types].xml" in names or ("content.xml" in names and "mimetype" in names)


def _parts(source: Source, data: bytes, whole: bool, left: Unread) -> Iterator[Source]:
    """Yield a file as a source, or the sheets of a workbook, or the tables of a database."""
    place = f"{source.path}/{source.member}" if source.member else source.path
    kind = source.format or identify(data, whole, place)
    if kind not in (SHEET, SQLITE):
        yield replace(source, format=kind, artists=_is_of_artists(data, whole, kind))
        return
    from lyrist.corpus.reading import containers

    with opened(source.path, source.member) as raw, on_disk(raw, source.path) as disk:
        names, others = (containers.sheets(disk, place), {}) if kind == SHEET else containers.tables(disk, place)
    left |= {f"{place}/{name}": why for name, why in others.items()}
    for name in names:
        shown = f"{source.name}/{name}" if len(names) > 1 else source.name
        yield replace(source, format=kind, name=shown, part=name)


def _members(path: str, left: Unread) -> Iterator[Source]:
    """Yield the tables of an archive, and its song files as one source."""
    with archive(path) as opened_archive:
        sizes, links = opened_archive.sizes, opened_archive.links
        left |= {f"{path}/{name}": "it is a link in an archive" for name in links}
        songs: list[str] = []
        tables = 0
        first: LyristError | None = None
        for name in _sorted_out(list(sizes), left, lambda name: f"{path}/{name}"):
            data, whole = head(path, name, within=opened_archive)
            place = f"{path}/{name}"
            try:
                ending = name.casefold()
                if ending.endswith(SONG_ENDINGS) or (is_text(name) and _is_song_by_look(data[: 1 << 12], name)):
                    songs.append(name)
                    continue
                if is_archive(data) and not ending.endswith(WORKBOOKS):
                    raise LyristError(f"{place} is an archive in an archive; unpack it and give it itself.")
                source = Source(path, f"{_name(path)}/{name}", SHEET if data.startswith(ZIP) else "", sizes[name], name)
                for part in _parts(source, data, whole, left):
                    tables += 1
                    yield part
            except LyristError as error:
                left[place] = str(error)
                first = first or error
    if songs:
        size = sum(sizes[name] for name in songs)
        yield Source(path, f"{_name(path)}/*.txt", SONG_FILES, size, files=tuple(songs), archived=True)
    elif first and not tables:
        raise first
    elif not tables:
        raise LyristError(f"The archive {path} holds no table and no song, only {_some(list(sizes))}. {FORMATS}.")


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:5]) + (" ..." if len(names) > 5 else "")) or "nothing"


def identify(data: bytes, whole: bool, path: str) -> str:
    """Return the format of a file that begins with ``data``.

    Raises
    ------
    LyristError
        It is empty, or not a table that can be read.
    """
    if not data.strip():
        raise LyristError(f"{path} is empty; give a table with a header and songs.")
    if data.startswith(b"PAR1"):
        return PARQUET
    if data.startswith(b"SQLite format 3\0"):
        return SQLITE
    if data.startswith((b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")):
        return ARROW
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return SHEET
    other = next((what for magic, what in _OTHER if data.startswith(magic)), "")
    encoding = encoding_of(data, AUTO if data.isascii() else "utf-8")
    text = data.decode(encoding, "replace")
    if not other and _binary(text):
        other = "not text"
    if other:
        raise LyristError(f"{path} cannot be read as a table: it is {other}. {FORMATS}.")
    if not text.strip("\ufeff\0 \t\r\n"):
        raise LyristError(f"{path} is empty; give a table with a header and songs.")
    if _BAG.search(text[: 1 << 14]):
        from lyrist.corpus.reading import containers

        raise containers.bag_of_words(path)
    if re.match(MARKED, text.lstrip("\ufeff")) and _in_format(text):
        return SONG_FILES
    return _json_kind(text, path) or (SONG_FILES if _is_song(text, whole, path) else CSV)


def _in_format(text: str) -> bool:
    try:
        return bool(in_format(text))
    except BrokenTextError:  # the text is only its beginning, or it shows when it is read
        return True


def _binary(text: str) -> bool:
    """Return whether a text has too many control and unreadable characters to be one."""
    sample = text[:4096]
    odd = sum(c < " " and c not in "\t\r\n\f\0" for c in sample)
    if len(sample) < 256:
        return False
    return odd > 0.05 * len(sample) or sample.count("\0") > 0.2 * len(sample)


def _json_kind(text: str, path: str) -> str:
    """Return ``json``, ``jsonl``, or nothing when the text does not begin as JSON."""
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        return JSON if text[1:].lstrip()[:1] in set('{["]n-0123456789') else ""
    if not text.startswith("{"):
        return ""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) == 1:
        return JSONL if path.casefold().rstrip(".gzstbx2").endswith(("jsonl", "ndjson")) else JSON
    opens = (
        lines[0].rstrip().endswith(("{", "[", ","))
    )  # such a line is not an object of its own, not even a damaged one
    if _is_object(lines[0]) or (not opens and any(_is_object(line) for line in lines[1:20] if line.startswith("{"))):
        return JSONL
    return JSON if text[1:].lstrip()[:1] in ('"', "}") else ""


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_song(text: str, whole: bool, path: str) -> bool:
    """Return whether a file is a song, by its ending and its first line.

    With the ending of a table it is none. With that of a text it is one unless the first line names the lyrics. With any
    other (then it was given by its own name) it must have one column as well.
    """
    name = path.casefold()
    for packed in PACKED[1:]:
        name = name.removesuffix(packed)
    if is_table(name):
        return False
    shape = shape_of(text, whole)
    if shape is None or (shape.fields < 2 and not has_lyrics(shape.header)):
        return True
    return name.endswith((*SONG_ENDINGS, *TEXT_ENDINGS)) and not has_lyrics(shape.header)


def _is_of_artists(data: bytes, whole: bool, kind: str) -> bool:
    shape = shape_of(data.decode(encoding_of(data, "utf-8"), "replace"), whole) if kind == CSV else None
    return shape is not None and PRESETS[ARTISTS].matches(shape.header) > 0 and not has_lyrics(shape.header)


def _song_files(files: Sequence[tuple[str, str]]) -> Iterator[Source]:
    """Yield one source for the text files of each folder given; it is named after the folder that they have in common."""
    once = {os.path.realpath(file): (root, file) for root, file in reversed(files)}
    by_root: dict[str, list[str]] = {}
    for root, path in reversed(once.values()):
        by_root.setdefault(root, []).append(path)
    for root, paths in by_root.items():
        folder = os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in paths])  # noqa: PTH100, PTH120
        name = Path(paths[0]).name if len(paths) == 1 else f"{Path(folder).name or folder}/*.txt"
        size = 0
        for path in paths:
            with explained(path):
                size += os.path.getsize(path)  # noqa: PTH202
        yield Source(paths[0] if len(paths) == 1 else folder, name, SONG_FILES, size, files=tuple(paths), root=root)


def _named(sources: list[Source]) -> list[Source]:
    """Give sources of one name the names of their paths."""
    names = [source.name for source in sources]
    return [
        replace(source, name="/".join(filter(None, (source.path, source.member, source.part))))
        if names.count(source.name) > 1
        else source
        for source in sources
    ]
