"""The form of a song: its sections and how many lines each has, which lines rhyme, and what of this was met.

A plan is ``verse,chorus,verse,chorus``, or with lengths ``verse:8,chorus:4``. A section that stands there again with the
same name is written anew, except a chorus (or hook, refrain), which is repeated word for word: that is what makes it one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lyrist.errors import UsageError
from lyrist.text.rhyme import Rhyme

REPEATED = ("chorus", "hook", "refrain")
SECTIONS = ("verse", "chorus", "hook", "refrain", "bridge", "intro", "outro", "pre-chorus", "post-chorus", "interlude")
SHORT = {"intro": 2, "outro": 2, "pre-chorus": 2, "post-chorus": 2, "interlude": 2}
LINES = 4
"""Lines of a section, unless the plan says so or it is one of the `SHORT`."""
MOST = 32
LONGEST = 400
"""Lines of a song that is given, some of them to be written anew."""
DEFAULT = "verse,verse,verse,verse"
"""The plan where rhymes or syllables are asked for and no form is."""

_ENTRY = re.compile(r"([a-z-]+)(?::([0-9]+))?")


@dataclass(frozen=True)
class FormSection:
    """A section of a plan."""

    name: str
    lines: int
    repeats: int | None = None
    """The number of the earlier section that this one repeats word for word."""


@dataclass(frozen=True)
class SongLine:
    """A line of a song that was written to a plan, and whether it met it."""

    text: str
    section: int
    """Which section of the plan it stands in."""
    syllables: int
    wanted_syllables: int | None = None
    rhymes_with: int | None = None
    """The number of the earlier line whose end it was to rhyme with, counted over the song."""
    rhyme: Rhyme | None = None
    """How well it does; None where it had not to."""
    given: bool = False
    """From the prompt or the hook, not written."""
    repeated: bool = False
    """A repetition of an earlier section: not counted again."""
    copied: int | None = None
    """Words of the longest run that this line ends or is part of and that stands in a training song, where asked for."""

    @property
    def rhyme_met(self) -> bool | None:
        """Whether it rhymes (slant or better) as it was to; None where it had not to."""
        return None if self.rhyme is None else self.rhyme >= Rhyme.SLANT

    @property
    def syllables_met(self) -> bool | None:
        """Whether it has the wanted number of syllables, or one more or less; None where none was wanted."""
        return None if self.wanted_syllables is None else abs(self.syllables - self.wanted_syllables) <= 1

    def figures(self) -> dict[str, Any]:
        """Return the line for JSON."""
        return {
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
    """Return the plan that ``form`` tells.

    Raises
    ------
    UsageError
        A part of it is no section, or has no sensible number of lines.
    """
    found: list[FormSection] = []
    first: dict[str, int] = {}
    for number, part in enumerate(form.lower().split(",")):
        match = _ENTRY.fullmatch(part.strip())
        if not match or match[1] not in SECTIONS:
            raise UsageError(
                f"--form has '{part.strip()}', which is no section; a plan is like verse,chorus,verse:8,chorus, of: "
                f"{', '.join(SECTIONS)}."
            )
        name = match[1]
        same = found[first[name]] if name in first else None
        lines = int(match[2]) if match[2] else same.lines if same else SHORT.get(name, LINES)
        if not 1 <= lines <= MOST:
            raise UsageError(f"--form has '{part.strip()}'; a section has 1 to {MOST} lines.")
        repeats = first[name] if same and name in REPEATED else None
        if repeats is not None and lines != found[repeats].lines:
            raise UsageError(
                f"--form has '{part.strip()}' after one of {found[repeats].lines} lines; it is repeated as it is."
            )
        found.append(FormSection(name, lines, repeats))
        first.setdefault(name, number)
    return tuple(found)


def stanzas(sheet: Sequence[str | None]) -> list[list[str | None]]:
    """Return the lines of a sheet, section by section: an empty line ends one.

    Raises
    ------
    UsageError
        It has more than `LONGEST` lines.
    """
    found: list[list[str | None]] = [[]]
    for line in sheet:
        if line is None or line.strip():
            found[-1].append(None if line is None else " ".join(line.split()))
        elif found[-1]:
            found.append([])
    found = [stanza for stanza in found if stanza]
    if sum(map(len, found)) > LONGEST:
        raise UsageError(f"The sheet has more than {LONGEST} lines; make two songs of it.")
    return found


def as_they_stand(parts: Sequence[Sequence[str | None]]) -> tuple[FormSection, ...]:
    """Return the plan of a song that has sections of these lines already."""
    return tuple(FormSection("verse", len(part)) for part in parts)


def rhyme_scheme(given: str | None) -> str:
    """Return a rhyme scheme in capitals; empty for ``free`` and None.

    Raises
    ------
    UsageError
        It is not made of two letters or more, or none of them comes twice.
    """
    if given is None or given.lower() == "free":
        return ""
    scheme = given.upper()
    if not re.fullmatch(r"[A-Z]{2,16}", scheme) or len(set(scheme)) == len(scheme):
        raise UsageError(
            f"--rhyme is '{given}'; it is a letter for each line of a stanza, the same for lines that rhyme, such as "
            "AABB, ABAB or ABCB, or free."
        )
    return scheme


def partners(scheme: str, lines: int) -> list[int | None]:
    """Return for each line of a section the line before it that it rhymes with: the nearest with its letter.

    The scheme begins anew when it is used up, with new rhymes.
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


def counts(lines: Sequence[SongLine]) -> dict[str, Any]:
    """Return how much of what was wanted was met, over lines that were written, each once.

    Returns
    -------
    dict
        ``rhymes``: {"wanted", "met", "perfect"}; ``syllables``: {"wanted", "met" (within one), "exact"}.
    """
    fresh = [line for line in lines if not line.repeated and not line.given]
    rhyming = [line.rhyme for line in fresh if line.rhyme is not None]
    counted = [line for line in fresh if line.wanted_syllables is not None]
    return {
        "rhymes": {
            "wanted": len(rhyming),
            "met": sum(rhyme >= Rhyme.SLANT for rhyme in rhyming),
            "perfect": sum(rhyme == Rhyme.PERFECT for rhyme in rhyming),
        },
        "syllables": {
            "wanted": len(counted),
            "met": sum(bool(line.syllables_met) for line in counted),
            "exact": sum(line.syllables == line.wanted_syllables for line in counted),
        },
    }
