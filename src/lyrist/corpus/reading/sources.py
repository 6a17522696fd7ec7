"""Which tables a user means: files, patterns and folders become a list of sources, each with its format.

The content decides the format; the ending of a name only says which files of a folder are tables. What is in a folder may
come from others, so that only regular files inside it are read. Others are named as left out: FIFOs, sockets and devices,
which may never end, and links that lead out of the folder.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lyrist.corpus.columns import ARTISTS, PRESETS, has_lyrics
from lyrist.corpus.reading import remote
from lyrist.corpus.reading.delimited import shape_of
from lyrist.corpus.reading.remote import STORES, WEB, Address, SourceError, is_remote, is_table, without_secrets
from lyrist.corpus.reading.streams import check_ratio, encoding_of, explained, head, not_a_file, seekable, special
from lyrist.corpus.reading.streams import file as opened_file
from lyrist.errors import LyristError, UsageError, nearest

CSV, JSON, JSONL, PARQUET, SONG_FILES = "csv", "json", "jsonl", "parquet", "songs"

FORMATS = (
    "Tables are read as CSV, TSV, JSON, JSONL (also .gz, .zst, .bz2, .xz or in a .zip) or Parquet, "
    "songs as a folder of .txt files"
)
_OTHER = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an Excel or Word file of the old kind"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ARROW1", "an Arrow file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
)


@dataclass(frozen=True)
class Source:
    """One table, or one folder of songs, as it was found."""

    path: str
    """Its path, as the user gave it."""
    name: str
    """Its name in the corpus; no two sources of one call have the same name."""
    format: str
    """``csv`` (any delimiter), ``json``, ``jsonl``, ``parquet`` or ``songs`` (text files)."""
    bytes: int
    """Its size as it is stored; of a member of a zip archive, the size unpacked."""
    member: str = ""
    """The member of the zip archive at ``path``."""
    files: tuple[str, ...] = ()
    """The text files of a folder of songs."""
    given: bool = True
    """Whether the user named it, and not a folder that it is in, or a pattern."""
    artists: bool = False
    """Whether it is a table about artists that belongs to one of songs (preset sixgenres); it has no songs."""


Unread = dict[str, str]
"""Files that were found in folders and by patterns, and why they are not read."""


def find_sources(tables: Sequence[str | Path], unread: Unread | None = None) -> list[Source]:
    """Return the sources that files, patterns (``*.csv``) and folders refer to, each once, in order (artists last).

    A folder refers to all tables in it and below, or, when there are none, to one song in each ``.txt`` file; the folder of a
    corpus refers to its songs. Hidden files are left out. Where ``unread`` is given, files of folders and patterns that
    cannot be read are noted there, as long as there are others.

    Raises
    ------
    LyristError
        There is no such file, nothing matches a pattern, a folder holds nothing to read, a file may not be read or is in
        a format that is not read.
    """
    found: list[Source] = []
    loose: list[str] = []
    wrong: dict[str, LyristError] = {}
    for table in tables:
        for path, in_folder, root in _expanded(table if isinstance(table, Address) else str(table)):
            given = path == str(table) or path == str(Path(table).expanduser())
            try:
                sources = [replace(source, given=given) for source in _found(path, in_folder, root)]
            except (SourceError, UsageError):
                raise
            except LyristError as error:
                if given or unread is None:
                    raise
                wrong[path] = error
                continue
            found += [source for source in sources if source.format != SONG_FILES]
            loose += [_here(source.path) for source in sources if source.format == SONG_FILES]
    if wrong and not found and not loose:
        raise next(iter(wrong.values()))
    if unread is not None:
        unread |= {path: str(error) for path, error in wrong.items()}
    found.extend(_song_files(_once(loose)))
    unique: dict[tuple[object, ...], Source] = {}
    for source in found:
        unique.setdefault((_real(source.path), source.member, source.files[:1]), source)
    return _named(sorted(unique.values(), key=lambda source: source.artists))


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


def _expanded(given: str) -> Iterator[tuple[str, bool, str]]:
    """Yield the files that an argument refers to, whether each was chosen by its name alone, and the folder it must be in."""
    if is_remote(given):
        found = remote.expanded(given if isinstance(given, Address) else Address(given))
        yield from ((path, by_name, "") for path, by_name in found)
        return
    path = Path(given).expanduser()
    with explained(given):
        if path.is_dir():
            yield from ((str(file), True, str(path)) for file in _in_folder(path))
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
                yield from ((str(file), True, root) for file in _in_folder(match))
            else:
                yield str(match), False, root


def _found(path: str, in_folder: bool, root: str) -> list[Source]:
    """Return the sources in one file; a text file in a folder is one song without a look at it."""
    if not isinstance(path, Address):
        _check_file(path, root)
    if in_folder and path.casefold().endswith(".txt"):
        return [Source(path, _name(path), SONG_FILES, 0)]
    return list(_sources(path))


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


def _in_folder(folder: Path) -> list[Path]:
    """Return the tables in a folder and below, or the text files when there is no table; and links to other folders."""
    root = folder
    if (folder / "corpus.json").is_file() and (folder / "songs").is_dir():
        folder = folder / "songs"
    files: list[Path] = []
    links: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        files += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        links += [
            path for name in folders if (path := Path(place, name)).is_symlink() and not _inside(str(path), str(root))
        ]
    tables = [file for file in files if is_table(file.name) or file.suffix.casefold() == ".zip"]
    if not any(file.is_file() for file in tables):
        tables += [file for file in files if file.suffix.casefold() == ".txt"]
    if not tables:
        raise LyristError(f"The folder {folder} holds no table and no .txt file. {FORMATS}.")
    return tables + links


def _refuse(error: OSError) -> None:
    raise error


def _sources(path: str) -> Iterator[Source]:
    """Yield the source that a file is, or those in a zip archive."""
    with explained(path):
        size = remote.size(path) if isinstance(path, Address) else Path(path).stat().st_size
    data, whole = head(path)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _members(path)
    else:
        kind = identify(data, whole, path)
        yield Source(path, _name(path), kind, size, artists=_is_of_artists(data, whole, kind))


def _members(path: str) -> Iterator[Source]:
    with explained(path), contextlib.ExitStack() as stack:
        raw = seekable(stack.enter_context(opened_file(path)), stack)
        archive = stack.enter_context(zipfile.ZipFile(raw))
        infos = [info for info in archive.infolist() if not info.is_dir()]
        check_ratio(path, raw.seek(0, os.SEEK_END), sum(info.file_size for info in infos))
    names = [info.filename for info in infos]
    if "[Content_Types].xml" in names:
        raise LyristError(f"{path} is an Excel or Word file, which is not read; save the sheet as CSV. {FORMATS}.")
    tables = [info for info in infos if is_table(info.filename) and not _hidden(info.filename)]
    if not tables:
        raise LyristError(f"The archive {path} holds no table, only {_some(names)}. {FORMATS}.")
    for info in sorted(tables, key=lambda info: info.filename):
        place = f"{path}/{info.filename}"
        data, whole = head(path, info.filename)
        kind = identify(data, whole, place)
        artists = _is_of_artists(data, whole, kind)
        yield Source(
            path,
            f"{path.name if isinstance(path, Address) else Path(path).name}/{info.filename}",
            kind,
            info.file_size,
            info.filename,
            artists=artists,
        )


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


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
    other = next((what for magic, what in _OTHER if data.startswith(magic)), "")
    if data[257:262] == b"ustar":
        other = "a tar archive: unpack it and give the folder"
    encoding = encoding_of(data, "utf-8")
    text = data.decode(encoding, "replace")
    if not other and _binary(text):
        other = "not text"
    if other:
        raise LyristError(f"{path} cannot be read as a table: it is {other}. {FORMATS}.")
    if not text.strip("\ufeff\0 \t\r\n"):
        raise LyristError(f"{path} is empty; give a table with a header and songs.")
    return _json_kind(text, path) or (SONG_FILES if _is_song(text, whole, path) else CSV)


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
    """Return whether a .txt file is the text of one song: it is a table only when its first line names the lyrics."""
    if not path.casefold().endswith(".txt"):
        return False
    shape = shape_of(text, whole)
    return shape is None or shape.fields < 2 or not has_lyrics(shape.header)


def _is_of_artists(data: bytes, whole: bool, kind: str) -> bool:
    shape = shape_of(data.decode(encoding_of(data, "utf-8"), "replace"), whole) if kind == CSV else None
    return shape is not None and PRESETS[ARTISTS].matches(shape.header) > 0 and not has_lyrics(shape.header)


def _song_files(files: Sequence[str]) -> Iterator[Source]:
    """Yield one source for all text files; it is named after the folder that they have in common."""
    if not files:
        return
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])  # noqa: PTH100, PTH120
    name = Path(files[0]).name if len(files) == 1 else f"{Path(folder).name or folder}/*.txt"
    size = 0
    for file in files:
        with explained(file):
            size += os.path.getsize(file)  # noqa: PTH202
    yield Source(files[0] if len(files) == 1 else folder, name, SONG_FILES, size, files=tuple(files))


def _once(files: Sequence[str]) -> list[str]:
    return list({os.path.realpath(file): file for file in reversed(files)}.values())[::-1]


def _named(sources: list[Source]) -> list[Source]:
    """Give sources of one name the names of their paths."""
    names = [source.name for source in sources]
    return [
        replace(source, name="/".join(filter(None, (source.path, source.member))))
        if names.count(source.name) > 1
        else source
        for source in sources
    ]
