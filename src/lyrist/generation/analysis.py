"""The analysis of a song while it is written: syllables, stress, rhymes and copied runs of each line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lyrist.corpus.languages import check_languages, detect
from lyrist.generation.form import partners, rhyme_scheme
from lyrist.text import rhyme
from lyrist.text.rhyme import Rhyme

if TYPE_CHECKING:
    from lyrist.evaluation.originality import Index, Passage, TrainingSong

CERTAIN = 0.6
"""Score from which a detected language replaces the default: a draft of a few words is often mistaken."""
COPIED = 5
"""Words of the shortest copied run that is reported."""
_HEADER = re.compile(r"\[([^\[\]\n]{1,60})\]")


class Section(NamedTuple):
    """A section of a song; empty lines are kept, so that line numbers are those of the editor."""

    name: str
    lines: Sequence[str]


@dataclass(frozen=True)
class CopiedRun:
    """The part in one line of a run of words that occurs in a training song."""

    start: int
    end: int
    """Its first character in the line, and the one after its last."""
    words: int
    """Words of the whole run, which may continue in the next lines."""
    song: TrainingSong


@dataclass(frozen=True)
class AnalysedLine:
    """A line with what was measured."""

    text: str
    syllables: int | None
    """None: not measured in this language or script."""
    stress: str | None
    """A digit for each syllable, 1 stressed and 0 unstressed; None: not known."""
    letter: str | None
    """Letter of the rhyme within the section; None for an empty line."""
    grade: Rhyme
    """The best rhyme with another line of this letter."""
    rhyme_met: bool | None
    """Whether it rhymes as the requested scheme says; None without a scheme or for a line that begins a rhyme."""
    syllables_met: bool | None
    """Whether its syllables are within one of the requested number; None without a number."""
    copied: tuple[CopiedRun, ...]


@dataclass(frozen=True)
class AnalysedSong:
    """A song with what was measured, line by line."""

    language: str
    source: str
    """Where the pronunciations are from."""
    sections: tuple[tuple[str, tuple[AnalysedLine, ...]], ...]
    """Name and lines of each section."""


def sections_of(text: str) -> list[Section]:
    """Return the sections of a text: separated by empty lines, and named by a line in square brackets."""
    found: list[tuple[str, list[str]]] = []
    name = ""
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        header = _HEADER.fullmatch(line.strip())
        if lines and (header or not line.strip()):
            found.append((name, lines))
            name, lines = "", []
        if header:
            name = header[1].strip()
        elif line.strip():
            lines.append(line)
    return [Section(*each) for each in found]


def analyse(
    sections: Sequence[Section],
    *,
    language: str | None = None,
    default: str = "en",
    scheme: str | None = None,
    syllables: int | None = None,
    index: Index | None = None,
) -> AnalysedSong:
    """Measure each line of a song.

    Parameters
    ----------
    sections
        Its sections.
    language
        Code of its language; None: detected, or ``default`` if the text is too short.
    default
        Code of the language of a short text.
    scheme
        The requested rhyme scheme, such as AABB.
    syllables
        The requested syllables of each line.
    index
        The phrases of the training songs, for copied runs.

    Raises
    ------
    UsageError
        The rhyme scheme is invalid, or the language unknown.
    """
    wanted = rhyme_scheme(scheme)
    lines = [line for section in sections for line in section.lines]
    whole = "\n".join(lines).encode("utf-8", "replace").decode()  # half of a surrogate pair becomes a question mark
    code = check_languages([language])[0] if language else _detected(whole) or default
    copied = _copied(lines, [] if index is None else index.passages(whole, COPIED))
    found, done = [], 0
    for name, own in sections:
        letters, grades = _rhymes(own, code)
        met = _rhymes_met(own, wanted, code)
        counts = [rhyme.line_syllables(line, code) for line in own]
        found.append((name, tuple(
            AnalysedLine(
                line, count, rhyme.stress(line, code), letter, grade, rhymed,
                None if syllables is None or count is None or not line.strip() else abs(count - syllables) <= 1,
                copied[done + place],
            )
            for place, (line, count, letter, grade, rhymed) in enumerate(zip(own, counts, letters, grades, met, strict=True))
        )))  # fmt: skip
        done += len(own)
    return AnalysedSong(code, rhyme.source(code), tuple(found))


def _detected(text: str) -> str | None:
    codes, scores = detect(pl.Series([text]))
    return codes[0] if scores[0] >= CERTAIN and codes[0] != "und" else None


def _rhymes(lines: Sequence[str], language: str) -> tuple[list[str | None], list[Rhyme]]:
    """Return the letter of each line, and its best rhyme with another line of the letter."""
    filled = [line for line in lines if line.strip()]
    ends = [rhyme.last_word(line) for line in filled]
    scheme = rhyme.scheme(filled, language=language)
    grades = [
        max(
            (rhyme.rhymes(a, b, language) for j, b in enumerate(ends) if i != j and scheme[i] == scheme[j]),
            default=Rhyme.NONE,
        )
        for i, a in enumerate(ends)
    ]
    each = iter(zip(scheme, grades, strict=True))
    both = [next(each) if line.strip() else (None, Rhyme.NONE) for line in lines]
    return [letter for letter, _ in both], [grade for _, grade in both]


def _rhymes_met(lines: Sequence[str], scheme: str, language: str) -> list[bool | None]:
    """Return whether each line rhymes with the earlier line that the scheme names."""
    filled = [line for line in lines if line.strip()]
    ends = [rhyme.last_word(line) for line in filled]
    each = iter(
        None if partner is None else rhyme.rhymes(end, ends[partner], language) >= Rhyme.NEAR
        for end, partner in zip(ends, partners(scheme, len(filled)), strict=True)
    )
    return [next(each) if line.strip() else None for line in lines]


def _copied(lines: Sequence[str], passages: Sequence[Passage]) -> list[tuple[CopiedRun, ...]]:
    """Return the copied runs of each line; a run over several lines has a part in each."""
    found: list[list[CopiedRun]] = [[] for _ in lines]
    for passage in passages:
        begin = 0
        for number, line in enumerate(lines):
            start, end = max(passage.start - begin, 0), min(passage.end - begin, len(line))
            if start < end:
                found[number].append(CopiedRun(start, end, passage.words, passage.song))
            begin += len(line) + 1
    return [tuple(each) for each in found]
