"""Songs on disk, with the settings that made them: JSON lines, or text to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lyrist.errors import UsageError
from lyrist.files import explained, write_text

FORMATS = ("jsonl", "text")
SUFFIXES = {".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl", ".txt": "text", ".text": "text", ".md": "text"}


def kind(path: Path, given: str | None) -> str:
    """Return the format to write: the given one, else by the name's ending.

    Raises
    ------
    UsageError
        There is no such format, or the name does not tell.
    """
    if given is not None:
        if given not in FORMATS:
            raise UsageError(f"--format is '{given}'; it is one of {', '.join(FORMATS)}.")
        return given
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise UsageError(f"--out {path} does not tell its format; end it in .jsonl or .txt, or give --format.")
    return found


def write_songs(path: Path, form: str, songs: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Write songs to a file: whole, or not at all.

    JSON lines hold one song each with the settings beside it, so that any line tells how it came to be. In text the
    settings stand once, in lines that begin with ``#``, and songs are parted by a line ``--- 2 ---``.
    """
    with explained(path):
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    if form == "jsonl":
        lines = [
            json.dumps({**song, "settings": dict(settings)}, ensure_ascii=False, allow_nan=False) for song in songs
        ]
        write_text(path, "".join(line + "\n" for line in lines))
        return
    head = [f"# {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    parts = [f"--- {number} ---\n{song['lyrics']}\n" for number, song in enumerate(songs, 1)]
    write_text(path, "\n".join(["\n".join(head) + "\n", *parts]))
