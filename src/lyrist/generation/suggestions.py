"""Takes: suggestions for a line or a section of a song sheet, from any language model.

The sheet holds the song as its author has it: sections with a rhyme scheme, syllables and lines, some of them locked. A target
names what to write. Each take fits the lines around it: it rhymes with the line that the scheme names, before or after it, and
the next line is likely after it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrist import text as texts
from lyrist.errors import UsageError
from lyrist.generation.batching import generator
from lyrist.generation.composer import LineCandidate, LineSpec, LineWriter, length, tidy
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import metre as metre_pattern
from lyrist.generation.form import rhyme_scheme
from lyrist.generation.language_model import Continuation, LineRequest
from lyrist.generation.write import line_writer, open_model
from lyrist.text.languages import check_language
from lyrist.text.rhyme import Rhyme, last_word, rhymes

if TYPE_CHECKING:
    from lyrist.evaluation.originality import Index

CANDIDATES = 16
"""Default number of lines sampled for each line."""
TEMPERATURE = 0.9
"""Default sampling temperature."""
TONES = {"": 1.0, "plainer": 0.75, "stranger": 1.35, "shorter": 1.0}
"""Factor of the temperature for each tone."""
SHORTER = 2
"""Syllables fewer in the tone ``shorter``."""
A_ROUND = 2
"""Takes of a line from the same candidates."""
ROUNDS = 3
"""Rounds for each take before a take that repeats the end of another one is accepted."""
LINES = 4
"""Lines of an empty section without a rhyme scheme."""

Takes = Generator[LineRequest | dict[str, Any], list[Continuation], None]
"""A computation that yields its requests for lines, and takes."""


@dataclass(frozen=True)
class _Section:
    """A section of the sheet; an empty text is a line that is not yet written."""

    name: str
    scheme: str
    syllables: tuple[int, ...]
    """Of each line, from the first on again after the last; empty: not given."""
    metre: str
    lines: tuple[str, ...]
    locked: frozenset[int]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> _Section:
        """Return the section of a sheet in JSON."""
        lines = [each if isinstance(each, Mapping) else {"text": each} for each in given.get("lines") or ()]
        syllables = given.get("syllables")
        counts = () if syllables is None else tuple(syllables) if isinstance(syllables, list | tuple) else (syllables,)
        if not all(isinstance(count, int) and 1 <= count <= 40 for count in counts):
            raise UsageError(f"The syllables of a section must be between 1 and 40, got {syllables}.")
        return cls(
            str(given.get("name") or "verse").lower(), rhyme_scheme(given.get("rhyme") or None), counts,
            str(given.get("metre") or ""), tuple(" ".join(str(each.get("text") or "").split()) for each in lines),
            frozenset(place for place, each in enumerate(lines) if each.get("locked")),
        )  # fmt: skip

    def planned(self, line: int) -> int | None:
        """Return the syllables of a line; None if they are not given."""
        return self.syllables[line % len(self.syllables)] if self.syllables else None

    def partners(self, line: int) -> list[int]:
        """Return the lines that rhyme with a line by the scheme: the nearest earlier ones first, then the later ones."""
        if not self.scheme:
            return []
        first = line - line % len(self.scheme)
        stanza = range(first, min(first + len(self.scheme), len(self.lines)))
        letter = self.scheme[line % len(self.scheme)]
        same = [each for each in stanza if self.scheme[each % len(self.scheme)] == letter and each != line]
        return [*reversed([each for each in same if each < line]), *(each for each in same if each > line)]


def takes(
    model_or_run: Any,
    sheet: Mapping[str, Any],
    target: Mapping[str, Any],
    n: int = 5,
    seed: int = 0,
    like: str | Sequence[str] | None = None,
    tone: str = "",
    *,
    index: Index | None = None,
    candidates: int = CANDIDATES,
    temperature: float = TEMPERATURE,
) -> Iterator[dict[str, Any]]:
    """Yield takes for a line or a section as they are found.

    Parameters
    ----------
    model_or_run
        A writer or a language model that is open, a run directory, or the name of a pretrained model.
    sheet
        ``{"title", "topic", "mood", "genre", "artist", "use": [...], "avoid": [...], "language", "near_rhymes", "sections":
        [...]}``; a section has ``name``, ``rhyme``, ``syllables``, ``metre`` and ``lines``, each ``{"text", "locked"}``.
    target
        ``{"section": i, "line": j}``: replace a line; with ``"insert": true`` write one before it; ``{"section": i}``: the lines
        of a section that are not locked. ``"rhyme_with": [section, line]`` names the line to rhyme with.
    n
        Number of takes.
    seed
        Random seed.
    like
        A take that the new ones should resemble.
    tone
        plainer, stranger, shorter, or empty.
    index
        Phrase index of the training songs; lines with a run of more than five words from one are avoided.
    candidates
        Lines sampled for each line.
    temperature
        Sampling temperature, before the factor of the tone.

    Yields
    ------
    dict
        ``{"lines": [...], "score": float, "met": {"rhyme", "syllables", "copied", "uses"}}``; a higher score is better.

    Raises
    ------
    UsageError
        The sheet or the target is not as described, or the model is unknown.
    """
    task = TakesTask(
        model_or_run, sheet, target, n, seed, like, tone, index=index, candidates=candidates, temperature=temperature
    )
    return _alone(task.steps())


def _alone(steps: Takes) -> Iterator[dict[str, Any]]:
    """Yield the takes; each request for lines is answered alone."""
    lines: list[Continuation] | None = None
    while True:
        try:
            step = steps.send(lines) if lines is not None else next(steps)
        except StopIteration:
            return
        lines = step.answer() if isinstance(step, LineRequest) else None
        if not isinstance(step, LineRequest):
            yield step


class TakesTask:
    """A request for takes with the arguments of `takes`; its steps can share a batch with those of other sheets."""

    def __init__(
        self, model_or_run: Any, sheet: Mapping[str, Any], target: Mapping[str, Any], n: int, seed: int,
        like: str | Sequence[str] | None, tone: str, index: Index | None, candidates: int, temperature: float,
    ) -> None:  # fmt: skip
        if tone not in TONES:
            raise UsageError(f"The tone must be {', '.join(filter(None, TONES))} or empty, got '{tone}'.")
        self.sections = [_Section.of(each) for each in sheet.get("sections") or ()]
        self.section, self.line = _target(target, self.sections)
        self.insert = bool(target.get("insert"))
        own = self.sections[self.section]
        if self.line is None and not own.lines:
            own = replace(own, lines=("",) * max(LINES, len(own.scheme)))
        if self.line is not None and self.insert:
            locked = frozenset(each + (each >= self.line) for each in own.locked)
            own = replace(own, lines=(*own.lines[: self.line], "", *own.lines[self.line :]), locked=locked)
        if self.line is not None and self.line in own.locked and not self.insert:
            raise UsageError("The line of the target is locked; unlock it first.")
        self.old = own.lines
        if self.line is None:
            kept = tuple(line if place in own.locked else "" for place, line in enumerate(own.lines))
            own = replace(own, lines=kept)
            if all(kept):
                raise UsageError("Every line of the section is locked; unlock at least one line to write.")
        self.sections[self.section] = own
        self.partner = _other_line(target, self.sections, self.section)
        self.seed, self.tone = seed, tone
        self.like = [like] if isinstance(like, str) else list(like or ())
        language = check_language(sheet.get("language") or "en")
        self.config = GenerationConfig(
            title=sheet.get("title") or None, about=sheet.get("topic") or None, mood=sheet.get("mood") or None,
            use=", ".join(sheet.get("use") or ()) or None, avoid=", ".join(sheet.get("avoid") or ()) or None,
            near_rhymes=bool(sheet.get("near_rhymes")), rhyme=own.scheme or None, syllables=own.planned(0), language=language,
            temperature=temperature * TONES[tone], candidates=candidates, form="verse",
        )  # fmt: skip
        self.plan = self.config.plan()
        self.index = index
        given = {name: str(sheet[name]) for name in ("genre", "artist") if sheet.get(name)}
        self.writer: LineWriter = line_writer(open_model(model_or_run), self.config, given, index)
        if not 1 <= n <= 100:
            raise UsageError(f"The number of takes must be between 1 and 100, got {n}.")
        self.n = n

    def steps(self) -> Takes:
        """Find the takes."""
        return self._of_section() if self.line is None else self._of_line(self.line)

    # A line, a section.

    def _of_line(self, place: int) -> Takes:
        """Yield takes of one line: the best of each round with other ends than before."""
        spec = self._spec(place)
        prefix, found = self._prefix(place), 0
        for number in range(self.n * ROUNDS):
            rng = generator(self.seed, number)
            candidates = yield from self.writer.rank(prefix, rng, spec)
            ranked = [each for each in candidates if tidy(each.text)]
            strict = number < self.n * (ROUNDS - 1)
            for line in [each for each in ranked if not (strict and each.missed)][:A_ROUND]:
                text = tidy(line.text)
                if texts.key(text) in spec.rejected or (strict and last_word(text) in spec.taken):
                    continue
                yield self._take([(place, text, line)])
                found += 1
                spec = replace(spec, rejected=spec.rejected | {texts.key(text)}, taken=spec.taken | {last_word(text)})
                if found == self.n:
                    return

    def _of_section(self) -> Takes:
        """Yield takes of the lines of a section that are not locked."""
        empty = self.sections[self.section]
        for number in range(self.n):
            rng = generator(self.seed, number)
            self.sections[self.section] = empty
            written: list[tuple[int, str, LineCandidate]] = []
            for place, line in enumerate(empty.lines):
                if line:
                    continue
                best = yield from self.writer.write(self._prefix(place), rng, self._spec(place))
                text = tidy(best.text)
                written.append((place, text, best))
                own = self.sections[self.section]
                self.sections[self.section] = replace(
                    own, lines=tuple(text if at == place else each for at, each in enumerate(own.lines))
                )
            yield self._take(written)

    def _take(self, written: list[tuple[int, str, LineCandidate]]) -> dict[str, Any]:
        """Return a take with the constraints that it meets."""
        own = self.sections[self.section]
        grades = [grade for place, text, _ in written if (grade := self._grade(place, text, own)) is not None]
        words = {word for _, text, _ in written for word in texts.words(text)}
        lines = [text for _, text, _ in written]
        return {
            "lines": lines if self.line is not None else list(own.lines),
            "score": round(float(np.mean([line.value for _, _, line in written])), 4),
            "met": {
                "rhyme": None
                if not grades
                else {Rhyme.PERFECT: "perfect", Rhyme.NEAR: "near"}.get(min(grades), "none"),
                "syllables": [length(text, self.config.language or "en") for text in lines],
                "copied": any(line.copied is not None and line.copied >= 5 for _, _, line in written),
                "uses": sorted(self.plan.use & words) if self.plan else [],
            },
        }

    def _grade(self, place: int, text: str, own: _Section) -> Rhyme | None:
        """Return the grade of the rhyme of a line; None if it has nothing to rhyme with."""
        word = self._rhyme(place, own)
        return rhymes(last_word(text), word, self.config.language or "en") if word else None

    def _rhyme(self, place: int, own: _Section) -> str:
        """Return the word that a line must rhyme with."""
        if self.partner and self.line is not None:
            return last_word(self.partner)
        return next((last_word(own.lines[each]) for each in own.partners(place) if own.lines[each]), "")

    # The context of a line.

    def _prefix(self, place: int) -> str:
        """Return the text before a line."""
        blocks = []
        for number, section in enumerate(self.sections[: self.section + 1]):
            lines = section.lines[:place] if number == self.section else section.lines
            header = f"[{section.name}]\n" if section.name in self.writer.model.headers else ""
            block = header + "".join(line + "\n" for line in lines if line)
            blocks += [block] if block or number == self.section else []
        return "\n".join(blocks)

    def _spec(self, place: int) -> LineSpec:
        """Return the constraints of a line."""
        own, language = self.sections[self.section], self.config.language or "en"
        word = self._rhyme(place, own)
        others = [line for at, line in enumerate(own.lines) if line and at != place]
        every = [line for section in self.sections for line in section.lines if line]
        every = [line for line in every if line != own.lines[place]]
        replaced = self.old[place] if place < len(self.old) else ""
        syllables = own.planned(place)
        if self.tone == "shorter":
            syllables = max(1, (syllables or length(replaced, language) or 8) - SHORTER)
        follows = own.lines[place + 1] if place + 1 < len(own.lines) else ""
        plan = self.plan
        assert plan is not None  # noqa: S101 - a form is given
        return LineSpec(
            rhyme=word,
            opens=not word and bool(own.partners(place)),
            syllables=syllables,
            about=length(next((each for each in others), ""), language) or None if syllables is None else None,
            near=plan.near,
            metre=metre_pattern(own.metre or None),
            language=language,
            subject=plan.subject,
            like=tuple(self.like),
            use=plan.use - {word for line in every for word in texts.words(line)},
            avoid=plan.avoid,
            taken=frozenset(map(last_word, others)),
            lines=tuple(every),
            rejected=frozenset(texts.key(line) for line in (replaced, *self.like) if line),
            next=follows,
            max_copied=None if self.index is None else 4,
        )


def _target(target: Mapping[str, Any], sections: Sequence[_Section]) -> tuple[int, int | None]:
    """Return the section and the line of a target.

    Raises
    ------
    UsageError
        It names none of the sheet.
    """
    section, line = target.get("section"), target.get("line")
    if not isinstance(section, int) or not 0 <= section < len(sections):
        raise UsageError(
            f"The target has section {section}, but the sheet has {len(sections)} sections, counted from 0."
        )
    lines = len(sections[section].lines) + bool(target.get("insert"))
    if line is not None and not (isinstance(line, int) and 0 <= line < lines):
        raise UsageError(f"The target has line {line}, but its section has {lines} lines, counted from 0.")
    return section, line


def _other_line(target: Mapping[str, Any], sections: Sequence[_Section], own: int) -> str:
    """Return the line that the target names to rhyme with; empty without one."""
    given = target.get("rhyme_with")
    if given is None:
        return ""
    section, line = _target({"section": given[0], "line": given[1]}, sections)
    if target.get("insert") and section == own and (line or 0) >= target["line"]:
        line = (line or 0) + 1
    found = sections[section].lines[line or 0]
    if not found:
        raise UsageError("The line to rhyme with is empty; choose another one.")
    return found
