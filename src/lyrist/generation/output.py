"""Songs on the terminal while they are written, and in files.

Only whole words are shown, in the order of the songs, without moving the cursor. `write` returns its result when all songs are
complete; a caller that shows them earlier (the command line on a terminal) uses `shown`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lyrist.errors import UsageError
from lyrist.files import explained, write_text
from lyrist.text import printable

Show = Callable[[str], object]
"""Shows a piece of text."""

_listener: Show | None = None
_WHOLE = re.compile(r".*\s", re.DOTALL)


@contextlib.contextmanager
def shown(show: Show | None) -> Iterator[None]:
    """Show the songs of this block while they are written; None shows nothing."""
    global _listener
    before, _listener = _listener, show
    try:
        yield
    finally:
        _listener = before


def listening() -> bool:
    """Return whether songs are shown while they are written."""
    return _listener is not None


def whole(text: str) -> str:
    """Return the part of ``text`` that later tokens cannot change: up to the last space or line end.

    The rest may be half a word, or half of the bytes of a character (decoded as ``�``).
    """
    found = _WHOLE.match(text)
    return found[0] if found else ""


class Stage:
    """Shows songs of one batch one after another."""

    def __init__(self, songs: int) -> None:
        self.songs = songs
        self._texts = [""] * songs
        self._shown = [0] * songs
        self._ended = [False] * songs
        self._turn = 0

    def update(self, song: int, text: str, ended: bool = False) -> None:
        """Set the text of a song so far; its new part is shown when all earlier songs are complete."""
        self._texts[song] = text if ended else whole(text)
        self._ended[song] = self._ended[song] or ended
        self._advance()

    def _advance(self) -> None:
        while self._turn < self.songs:
            song = self._turn
            if self._shown[song] == 0 and self._texts[song] and self.songs > 1:
                _show(heading(song))
            new = self._texts[song][self._shown[song] :]
            self._shown[song] += len(new)
            _show(new)
            if not self._ended[song]:
                return
            _show("\n\n" if song + 1 < self.songs else "\n")
            self._turn += 1


def heading(song: int) -> str:
    """Return the line above each of several songs."""
    return f"--- {song + 1} ---\n"


def together(texts: Sequence[str]) -> str:
    """Return songs in one text, as `Stage` shows them."""
    return "\n\n".join((heading(i) if len(texts) > 1 else "") + text for i, text in enumerate(texts))


def _show(text: str) -> None:
    if text and _listener is not None:
        _listener(printable(text))


FORMATS = ("jsonl", "text")
SUFFIXES = {".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl", ".txt": "text", ".text": "text", ".md": "text"}


def kind(path: Path, given: str | None) -> str:
    """Return the format to write: the given one, else by the name's ending.

    Raises
    ------
    UsageError
        The format is unknown, or the file name does not determine it.
    """
    if given is not None:
        if given not in FORMATS:
            raise UsageError(f"--format must be {' or '.join(FORMATS)}, got '{given}'.")
        return given
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise UsageError(f"--out {path} does not determine the format; use .jsonl or .txt, or give --format.")
    return found


def write_songs(path: Path, form: str, songs: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Write songs to a file atomically.

    Each JSON line holds a song and the settings. A text file has the settings first, in lines that start with ``#``, and a line
    ``--- 2 ---`` before each song.
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
