"""The form of a song: sections, lines, rhyme scheme, and how many constraints were met.

A form is written ``verse,chorus,verse,chorus``, or with lengths ``verse:8,chorus:4``. A later section of the same name gets new
lines, except a chorus (or hook, refrain), which is repeated word for word. A section can have its own rhyme scheme and syllables:
``verse:8 ABAB 8, chorus:4 AABB 6``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lyrist.errors import UsageError
from lyrist.text.rhyme import Rhyme, stress

REPEATED = ("chorus", "hook", "refrain")
SECTIONS = ("verse", "chorus", "hook", "refrain", "bridge", "intro", "outro", "pre-chorus", "post-chorus", "interlude")
SHORT = {"intro": 2, "outro": 2, "pre-chorus": 2, "post-chorus": 2, "interlude": 2}
LINES = 4
"""Default lines of a section that is not in `SHORT`."""
MOST = 32
MOST_SYLLABLES = 40
LONGEST = 400
"""Maximum lines of a sheet."""
DEFAULT = "verse,verse,verse,verse"
"""The form of songs with a rhyme scheme or a number of syllables but without a form."""

_ENTRY = re.compile(r"([a-z-]+)(?: *: *([0-9]+))?(?: +([a-z]{2,16}))?(?: +([0-9]+))?")


@dataclass(frozen=True)
class FormSection:
    """A section of a form."""

    name: str
    lines: int
    repeats: int | None = None
    """Index of the earlier section that this one repeats word for word."""
    scheme: str | None = None
    """Its own rhyme scheme; None: that of the song."""
    syllables: int | None = None
    """Its own syllables of a line; None: those of the song."""


@dataclass(frozen=True)
class SongPlan:
    """The constraints of a song that is written line by line."""

    sections: tuple[FormSection, ...] = ()
    """Empty: the writer decides where sections and the song end."""
    scheme: str = ""
    syllables: int | None = None
    max_copied: int | None = None
    """Maximum words of a run copied from a training song."""
    sheet: tuple[str | None, ...] = ()
    """Lines of all sections of an existing song: text is kept, None is written."""
    rejected: frozenset[str] = frozenset()
    """Lines that must not be written again, as keys of `lyrist.text.key`."""
    title: str = ""
    """Words for the first line of the chorus."""
    subject: str = ""
    """Title and topic."""
    near: bool = False
    """Whether near rhymes count as met."""
    use: frozenset[str] = frozenset()
    avoid: frozenset[str] = frozenset()
    language: str = "en"
    metre: str = ""
    """Pattern of stresses, such as 01."""
    internal: bool = False
    """Whether lines should have a rhyme inside them."""
    matched: int = 1
    """Syllables at the ends of lines that must rhyme."""

    def scheme_of(self, section: FormSection) -> str:
        """Return the rhyme scheme of a section."""
        return self.scheme if section.scheme is None else section.scheme

    def syllables_of(self, section: FormSection) -> int | None:
        """Return the syllables of the lines of a section."""
        return self.syllables if section.syllables is None else section.syllables


@dataclass(frozen=True)
class SongLine:
    """A line of a song with its constraints and whether they were met."""

    text: str
    section: int
    """Index of its section in the form."""
    syllables: int
    wanted_syllables: int | None = None
    rhymes_with: int | None = None
    """Index in the song of the earlier line that it must rhyme with."""
    rhyme: Rhyme | None = None
    """How well it rhymes; None without a rhyme constraint."""
    given: bool = False
    """Taken from the prompt, the hook or the sheet, not generated."""
    answered: bool = False
    """Given, and the line that must rhyme with it was generated."""
    repeated: bool = False
    """Part of a repeated section; not counted again."""
    copied: int | None = None
    """Words of the longest run from a training song that this line is part of; None if copies were not looked up."""
    near: bool = False
    """Whether a near rhyme is sufficient."""
    multi: bool | None = None
    """Whether as many syllables rhyme as requested; None if one is sufficient."""
    metre_misses: int | None = None
    """Stressed syllables in weak positions of the metre; None without a metre."""
    internal: bool | None = None
    """Whether it has a rhyme inside it; None if that was not requested."""

    @property
    def rhyme_met(self) -> bool | None:
        """Whether it rhymes as well as required; None without a rhyme constraint."""
        if self.rhyme is None or self.multi is not None:
            return None if self.rhyme is None else self.multi
        return self.rhyme >= (Rhyme.NEAR if self.near else Rhyme.PERFECT)

    @property
    def syllables_met(self) -> bool | None:
        """Whether its syllables are within one of the requested number; None without that constraint."""
        return None if self.wanted_syllables is None else abs(self.syllables - self.wanted_syllables) <= 1

    @property
    def metre_met(self) -> bool | None:
        """Whether at most one stressed syllable is in a weak position; None without a metre."""
        return None if self.metre_misses is None else self.metre_misses <= 1

    def figures(self) -> dict[str, Any]:
        """Return the line for JSON."""
        more = {"metre_met": self.metre_met, "internal_rhyme": self.internal}
        return {
            **{name: value for name, value in more.items() if value is not None},
            "text": self.text,
            "section": self.section,
            "syllables": self.syllables,
            "wanted_syllables": self.wanted_syllables,
            "syllables_met": self.syllables_met,
            "rhymes_with": self.rhymes_with,
            "rhyme": None if self.rhyme is None else self.rhyme.name.lower(),
            "rhyme_met": self.rhyme_met,
            "given": self.given,
            "repeated": self.repeated,
            "copied_words": self.copied,
        }


def parse(form: str) -> tuple[FormSection, ...]:
    """Return the sections of a form.

    Raises
    ------
    UsageError
        A part is not a known section, or its number of lines is out of range.
    """
    found: list[FormSection] = []
    first: dict[str, int] = {}
    for number, part in enumerate(form.lower().split(",")):
        match = _ENTRY.fullmatch(part.strip())
        if not match or match[1] not in SECTIONS:
            raise UsageError(
                f"--form has '{part.strip()}', which is not a section; write a form such as verse,chorus,verse:8,chorus with "
                f"{', '.join(SECTIONS)}."
            )
        name, scheme = match[1], rhyme_scheme(match[3]) if match[3] else None
        syllables = int(match[4]) if match[4] else None
        same = found[first[name]] if name in first else None
        lines = int(match[2]) if match[2] else same.lines if same else SHORT.get(name, LINES)
        if not 1 <= lines <= MOST:
            raise UsageError(f"--form has '{part.strip()}'; a section must have 1 to {MOST} lines.")
        if syllables is not None and not 1 <= syllables <= MOST_SYLLABLES:
            raise UsageError(f"--form has '{part.strip()}'; a line must have 1 to {MOST_SYLLABLES} syllables.")
        repeats = first[name] if same and name in REPEATED else None
        if repeats is not None and lines != found[repeats].lines:
            raise UsageError(
                f"--form has '{part.strip()}' after one of {found[repeats].lines} lines; a repeated {name} keeps its length."
            )
        if same and scheme is None:
            scheme = same.scheme
        if same and syllables is None:
            syllables = same.syllables
        found.append(FormSection(name, lines, repeats, scheme, syllables))
        first.setdefault(name, number)
    return tuple(found)


def stanzas(sheet: Sequence[str | None]) -> list[list[str | None]]:
    """Return the lines of a sheet by section; an empty line ends a section.

    Raises
    ------
    UsageError
        The sheet has more than `LONGEST` lines.
    """
    found: list[list[str | None]] = [[]]
    for line in sheet:
        if line is None or line.strip():
            found[-1].append(None if line is None else " ".join(line.split()))
        elif found[-1]:
            found.append([])
    found = [stanza for stanza in found if stanza]
    if sum(map(len, found)) > LONGEST:
        raise UsageError(f"The sheet has more than {LONGEST} lines; split it into two songs.")
    return found


def rhyme_scheme(given: str | None) -> str:
    """Return a rhyme scheme in upper case; empty for ``free`` and None.

    Raises
    ------
    UsageError
        The scheme is not two or more letters, or no letter occurs twice.
    """
    if given is None or given.lower() == "free":
        return ""
    scheme = given.upper()
    if not re.fullmatch(r"[A-Z]{2,16}", scheme) or len(set(scheme)) == len(scheme):
        raise UsageError(
            f"--rhyme must be a letter for each line of a stanza, with the same letter for rhyming lines, such as AABB, ABAB or "
            f"ABCB, or free; got '{given}'."
        )
    return scheme


def partners(scheme: str, lines: int) -> list[int | None]:
    """Return for each line of a section the nearest earlier line with its letter, or None.

    The scheme starts again with new rhymes after its last letter.
    """
    if not scheme:
        return [None] * lines
    found: list[int | None] = []
    for line in range(lines):
        stanza = line - line % len(scheme)
        letter = scheme[line % len(scheme)]
        before = [i for i in range(stanza, line) if scheme[i - stanza] == letter]
        found.append(before[-1] if before else None)
    return found


METRES = {"iambic": "01", "trochaic": "10", "anapestic": "001", "dactylic": "100"}


def metre(given: str | None) -> str:
    """Return the pattern of stresses of a metre; empty for None.

    Raises
    ------
    UsageError
        The metre is unknown.
    """
    if given is None:
        return ""
    if given.lower() not in METRES:
        raise UsageError(f"--metre must be one of {', '.join(METRES)}; got '{given}'.")
    return METRES[given.lower()]


def metre_misses(line: str, pattern: str, language: str = "en") -> int:
    """Count the stressed syllables in weak positions of a metre; unstressed ones in strong positions are common in verse.

    Examples
    --------
    >>> metre_misses("I wandered lonely as a cloud", "01"), metre_misses("Wandering lonely as a cloud", "01")
    (0, 1)
    """
    beats = stress(line, language) or ""
    return sum(beat == "1" and pattern[place % len(pattern)] == "0" for place, beat in enumerate(beats))


def counts(lines: Sequence[SongLine]) -> dict[str, Any]:
    """Count the constraints of generated lines and how many were met; repeated and given lines are left out.

    A rhyme counts where one of its two lines was generated.

    Returns
    -------
    dict
        ``rhymes``: {"wanted", "met" (as well as required), "perfect", "near"};
        ``syllables``: {"wanted", "met" (within one), "exact"}.
    """
    fresh = [line for line in lines if not line.repeated and not line.given]
    answered = [line for line in lines if line.answered and not line.repeated]
    rhyming = [line for line in [*fresh, *answered] if line.rhyme is not None]
    counted = [line for line in fresh if line.wanted_syllables is not None]
    more = {"metre": [each.metre_met for each in fresh], "internal_rhymes": [each.internal for each in fresh]}
    wanted = {name: [met for met in found if met is not None] for name, found in more.items()}
    return {
        **{name: {"wanted": len(found), "met": sum(found)} for name, found in wanted.items() if found},
        "rhymes": {
            "wanted": len(rhyming),
            "met": sum(bool(line.rhyme_met) for line in rhyming),
            "perfect": sum(line.rhyme == Rhyme.PERFECT for line in rhyming),
            "near": sum(line.rhyme == Rhyme.NEAR for line in rhyming),
        },
        "syllables": {
            "wanted": len(counted),
            "met": sum(bool(line.syllables_met) for line in counted),
            "exact": sum(line.syllables == line.wanted_syllables for line in counted),
        },
    }
