"""Output."""

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
"""Takes a piece of text that is to be shown at once."""

_listener: Show | None = None
_WHOLE = re.compile(r".*\s", re.DOTALL)


@contextlib.contextmanager
def shown(show: Show | None) -> Iterator[None]:
    """Have what is written in this block shown as it comes; None shows nothing."""
    global _listener
    before, _listener = _listener, show
    try:
        yield
    finally:
        _listener = before


def listening() -> bool:
    """Return whether somebody wants to see the words as they come."""
    return _listener is not None


def whole(text: str) -> str:
    """Return the beginning of ``text`` that later tokens cannot change: up to the last space or line end.

    What follows it may still be half a word, or half of a character's bytes (which decode as ``�``).
    """
    found = _WHOLE.match(text)
    return found[0] if found else ""


class Stage:
    """Where several songs that are written at once appear one after another: one is heard, the others wait their turn."""

    def __init__(self, songs: int) -> None:
        self.songs = songs
        self._texts = [""] * songs
        self._told = [0] * songs
        self._ended = [False] * songs
        self._turn = 0

    def update(self, song: int, text: str, ended: bool = False) -> None:
        """Tell the whole text of a song so far; what is new in it is shown when it is the song's turn."""
        self._texts[song] = text if ended else whole(text)
        self._ended[song] = self._ended[song] or ended
        self._show()

    def _show(self) -> None:
        while self._turn < self.songs:
            song = self._turn
            if self._told[song] == 0 and self._texts[song] and self.songs > 1:
                _tell(heading(song))
            new = self._texts[song][self._told[song] :]
            self._told[song] += len(new)
            _tell(new)
            if not self._ended[song]:
                return
            _tell("\n\n" if song + 1 < self.songs else "\n")
            self._turn += 1


def heading(song: int) -> str:
    """Return the line above a song where there are several."""
    return f"--- {song + 1} ---\n"


def together(texts: Sequence[str]) -> str:
    """Return songs as they appear on a stage."""
    return "\n\n".join((heading(i) if len(texts) > 1 else "") + text for i, text in enumerate(texts))


def _tell(text: str) -> None:
    if text and _listener is not None:
        _listener(printable(text))


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
