"""A song as the studio shows it: line by line, with syllables, rhymes, and what of it stands in the training songs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from urllib.parse import quote

from lyrist.corpus.cleaning.rules import KEPT
from lyrist.evaluation.originality import Passage
from lyrist.reports.labels import visible
from lyrist.serving.studio.shown import isolated, short, shown
from lyrist.text import WORD, key
from lyrist.text.rhyme import line_syllables, scheme

COLOURS = 8
"""Colours that rhymes have; their letters tell them apart as well."""
LONGEST = 400
"""Lines of a song that are shown."""

_HEADER = re.compile(KEPT)

_LOCK = (
    '<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.6"/>'
    '<path d="{shackle}" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/></svg>'
)
_CLOSED, _OPEN = (_LOCK.format(shackle=d) for d in ("M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2", "M5.2 7V4.6a2.8 2.8 0 0 1 5.4-1"))

_GAP = '<li class="gap" aria-hidden="true"></li>'
_WAITING = '<li class="line wait" aria-hidden="true"><span class="lock"></span><span class="words">&nbsp;</span></li>'


@dataclass(frozen=True)
class Draft:
    """A song that was written, or is being written."""

    text: str
    title: str = ""
    """Which writer wrote it, and like what."""
    settings: str = ""
    """How it was written, in a line."""
    ended: str = "end"
    """As in `lyrist.generation.write.WrittenSong`; ``"stopped"``: by the person."""
    form: str | None = None
    """The form that it has, where it was written to one and is whole."""
    rhyme: str | None = None
    syllables: int | None = None
    passages: tuple[Passage, ...] | None = None
    """What stands in the training songs; None where that was not looked up."""
    locked: frozenset[int] = frozenset()
    """Lines that stand fast, by their number in `lines`."""
    twins: dict[int, int] = field(default_factory=dict)
    """Lines of a repeated chorus: number to that of the line that they repeat."""
    given: tuple[tuple[str, str], ...] = ()
    """The conditions that it was written under: column and value."""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines, empty ones between stanzas included."""
        return tuple(self.text.split("\n")[:LONGEST]) if self.text.strip() else ()

    @property
    def standing(self) -> frozenset[int]:
        """Lines that stand fast, with those that repeat them and headers of sections."""
        headers = {i for i, line in enumerate(self.lines) if _HEADER.fullmatch(line.strip())}
        return self.locked | headers | {i for i, first in self.twins.items() if first in self.locked}

    def toggled(self, line: int) -> Draft:
        """Return the draft with a line locked or let go; of a line that repeats another, the other."""
        line = self.twins.get(line, line)
        if not 0 <= line < len(self.lines) or not self.lines[line].strip():
            return self
        return replace(self, locked=self.locked ^ {line})

    def sheet(self) -> tuple[str | None, ...]:
        """Return the lines for `GenerationConfig.sheet`: None for each line that is written again."""
        fast = self.standing
        return tuple(line if i in fast or not line.strip() else None for i, line in enumerate(self.lines))

    def loose(self) -> tuple[str, ...]:
        """Return the lines that are to be written anew, as they are now."""
        return tuple(line for line, kept in zip(self.lines, self.sheet(), strict=True) if kept is None)


def rhymes(lines: Sequence[str]) -> list[str]:
    """Return a letter for each line that rhymes with another of its stanza, from A on in each; else an empty string."""
    found = [""] * len(lines)
    stanza: list[int] = []
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            stanza.append(number)
            continue
        letters = scheme([lines[i] for i in stanza])
        often, names = Counter(letters), dict[str, str]()
        for i, letter in zip(stanza, letters, strict=True):
            if often[letter] > 1 and letter != "?":
                found[i] = names.setdefault(letter, chr(ord("A") + len(names) % 26))
        stanza = []
    return found


def drawn(draft: Draft, *, busy: bool = False, locks: bool = True, to_come: Sequence[bool] = ()) -> str:
    """Return a draft as HTML.

    Parameters
    ----------
    draft
        The song.
    busy
        It is still being written: a mark stands where the next word comes.
    locks
        With a button beside each line that locks it.
    to_come
        For each line that is still to come whether it has words.
    """
    lines, letters, starts = draft.lines, rhymes(draft.lines), _starts(draft.lines)
    runs = list(zip(draft.passages or (), _numbers(draft), strict=True))
    last = max((i for i, line in enumerate(lines) if line.strip()), default=-1)
    rows = []
    for number, line in enumerate(lines):
        if not line.strip():
            rows.append(_GAP)
            continue
        words = _marked(line, starts[number], runs, letters[number])
        caret = '<span class="caret" aria-hidden="true"></span>' if busy and number == last else ""
        lock = _button(draft, number) if locks and not busy else '<span class="lock"></span>'
        rows.append(
            f'<li class="line{" fast" if number in draft.standing else ""}">{lock}'
            f'<span class="words" dir="auto">{words}{caret}</span>{_letter(letters[number])}'
            f'<span class="beats" title="syllables">{line_syllables(line) or ""}</span></li>'
        )
    rows += [_WAITING if has_words else _GAP for has_words in to_come]
    return f'<ol class="song" aria-busy="{"true" if busy else "false"}">{"".join(rows)}</ol>'


def sources(draft: Draft) -> str:
    """Return the list of copied runs with the songs that they stand in."""
    if draft.passages is None:
        return ""
    if not draft.passages:
        return '<p class="copies none">No five words in a row stand in a training song.</p>'
    numbers = _numbers(draft)
    rows = []
    for number in range(1, max(numbers) + 1):
        run, times = draft.passages[numbers.index(number)], numbers.count(number)
        song = f"<cite>{short(run.song.title or 'a song without a title')}</cite>"
        by = f" by {short(run.song.artist, 40)}" if run.song.artist else ""
        often = f", {times} times" if times > 1 else ""
        rows.append(
            f'<li value="{number}"><q>{short(_words(draft, run), 80)}</q> {run.words} words in {song}{by}{often}</li>'
        )
    return f'<div class="copies"><p class="name">Also in training songs</p><ol>{"".join(rows)}</ol></div>'


def _words(draft: Draft, run: Passage) -> str:
    return " ".join(draft.text[run.start : run.end].split())


def _numbers(draft: Draft) -> list[int]:
    """Return the number of each copied run: the same for the same words of the same song."""
    seen: dict[tuple[str, int], int] = {}
    return [seen.setdefault((key(_words(draft, run)), run.song.id), len(seen) + 1) for run in draft.passages or ()]


def download(draft: Draft, name: str) -> str:
    """Return the link by which a browser saves the song as text; it asks the server for nothing."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "song"
    address = "data:text/plain;charset=utf-8," + quote(visible(draft.text) + "\n", safe="")
    return f'<a class="act" download="{stem}.txt" href="{address}">Download as text</a>'


def _starts(lines: Sequence[str]) -> list[int]:
    """Return the place of each line's first character in the text."""
    found, place = [], 0
    for line in lines:
        found.append(place)
        place += len(line) + 1
    return found


def _button(draft: Draft, number: int) -> str:
    fast, twin = number in draft.standing, draft.twins.get(number)
    says = f"Keep line {number + 1}" + (f", which repeats line {twin + 1}" if twin is not None else "")
    return (
        f'<button type="button" class="lock" data-act="lock" data-line="{number}" aria-pressed="{str(fast).lower()}" '
        f'aria-label="{says}" title="{"Kept; press to let it go" if fast else "Press to keep this line"}">'
        f"{_CLOSED if fast else _OPEN}</button>"
    )


def _letter(letter: str) -> str:
    if not letter:
        return '<span class="rhyme"></span>'
    return f'<span class="rhyme r{_colour(letter)}" title="rhyme {letter}">{letter}</span>'


def _colour(letter: str) -> int:
    return (ord(letter) - ord("A")) % COLOURS + 1


def _marked(line: str, start: int, copied: Sequence[tuple[Passage, int]], letter: str) -> str:
    """Return a line with its copied runs (each with its number) underlined, and its last word in the colour of its rhyme."""
    ends = [match.span() for match in WORD.finditer(line)][-1:] if letter else []
    runs = [
        (max(run.start - start, 0), min(run.end - start, len(line)), run, number)
        for run, number in copied
        if run.start < start + len(line) and run.end > start
    ]
    cuts = sorted({0, len(line), *(p for a, b in ends for p in (a, b)), *(p for a, b, _, _ in runs for p in (a, b))})
    pieces = []
    for a, b in pairwise(cuts):
        piece = shown(line[a:b])
        if any(first <= a and b <= last for first, last in ends):
            piece = f'<span class="end r{_colour(letter)}">{piece}</span>'
        for first, last, run, number in runs:
            if first <= a and b <= last:
                from_ = f"“{run.song.title}”" + (f" by {run.song.artist}" if run.song.artist else "")
                piece = f'<span class="copied" title="{shown(from_)}">{piece}</span>'
                piece += f"<sup>{number}</sup>" if b == last and run.end <= start + len(line) else ""
        pieces.append(piece)
    return "".join(pieces)


def card(draft: Draft, number: int) -> str:
    """Return a draft that was kept, to stand beside others, with what can be done with it."""
    name = f"draft {number + 1}"
    acts = "".join(
        f'<button type="button" class="act" data-act="{act}" data-line="{number}" aria-label="{told} {name}">{word}</button>'
        for act, told, word in (("take", "Work on", "Work on this"), ("drop", "Remove", "Remove"))
    )
    return (
        f'<article class="draft" aria-label="{name}"><header><p class="name">{isolated(draft.title)}</p>'
        f'<p class="how">{shown(draft.settings)}</p></header>{drawn(draft, locks=False)}'
        f"<footer>{acts}{download(draft, draft.title)}</footer></article>"
    )
