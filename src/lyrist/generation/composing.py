"""Songs written line by line: to a plan of sections, with rhymes and syllables, or freely where nothing may be copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from lyrist import text as texts
from lyrist.corpus.cleaning.headers import KEPT
from lyrist.errors import LyristError, UsageError
from lyrist.generation.decoding import generator
from lyrist.generation.form import Line, Section, partners
from lyrist.generation.lines import Chosen, LineWriter, Wish
from lyrist.generation.prompts import Start, Vocabulary
from lyrist.generation.reading import Reading
from lyrist.rhyme import last_word, line_syllables, rhymes

_HEADER = re.compile(KEPT)
_REACH = 24
"""Words before a line that a copied run is looked for in, beyond those that are allowed."""


@dataclass(frozen=True)
class Plan:
    """What a song that is written line by line is to be like."""

    sections: tuple[Section, ...] = ()
    """Empty: the writer decides where sections and the song end."""
    scheme: str = ""
    syllables: int | None = None
    hook: str = ""
    """The line that a chorus begins with."""
    most_copied: int | None = None
    sheet: tuple[str | None, ...] = ()
    """Of a song that stands already, every line of every section: its words where it stays, None where it is written."""
    refused: frozenset[str] = frozenset()
    """Lines that are not wanted, as `lyrist.text.key` has them."""


@dataclass(frozen=True)
class Song:
    """A song with its lines."""

    text: str
    lines: tuple[Line, ...]
    tokens: int
    ended: str
    """``"plan"``: it is whole; ``"end"``: the writer ended it; ``"length"``: by --max-tokens."""


class Composer:
    """Writes one song after another, line by line."""

    def __init__(self, start: Start, vocabulary: Vocabulary, writer: LineWriter, plan: Plan, max_tokens: int) -> None:
        if not len(vocabulary.line_ends):
            raise LyristError(
                "This writer's tokenizer has no line end, so it cannot write line by line; "
                "leave --form, --rhyme, --syllables, --hook and --original out."
            )
        self.start, self.vocabulary, self.writer, self.plan, self.max_tokens = (
            start,
            vocabulary,
            writer,
            plan,
            max_tokens,
        )

    def write(self, number: int, seed: int, say: Callable[[str], object] | None = None) -> Song:
        """Write song ``number``; ``say`` is called with its text after each line."""
        piece = _Piece(self, number, seed, say)
        return piece.planned() if self.plan.sections else piece.free()


class _Piece:
    """One song while it is written."""

    def __init__(self, composer: Composer, number: int, seed: int, say: Callable[[str], object] | None) -> None:
        self.composer, self.plan, self.say = composer, composer.plan, say
        self.vocabulary = composer.vocabulary
        self.dice = generator(seed, number)
        self.lines: list[Line] = []
        self.text = ""
        self.tokens = 0
        self.reading: Reading

    # To a plan.

    def planned(self) -> Song:
        """Write the sections of the plan one after another."""
        self.reading = replace(self.composer.start, prompt="", ids=()).reading()
        given, head = _given(self.composer.start.prompt)
        if len(given) > sum(section.lines for section in self.plan.sections if section.repeats is None):
            raise UsageError(f"The prompt has {len(given)} lines, more than --form has; give a longer form.")
        for number, section in enumerate(self.plan.sections):
            if self.tokens >= self.composer.max_tokens:
                return self._song("length")
            self._header(section)
            if section.repeats is not None:
                self._repeat(section.repeats, number)
            else:
                given, head = self._section(section, number, given, head)
        return self._song("plan")

    def _section(self, section: Section, number: int, given: list[str], head: str) -> tuple[list[str], str]:
        """Write one section; return what is left of the prompt."""
        first = len(self.lines)
        with_whom = partners(self.plan.scheme, section.lines)
        for place in range(section.lines):
            partner = with_whom[place]
            partner = None if partner is None else first + partner
            end = "\n\n" if place + 1 == section.lines else "\n"
            stands = self.plan.sheet[first + place] if self.plan.sheet else None
            if stands is not None:
                self._add(stands, number, partner, end, given=True)
            elif given:
                self._add(given[0], number, partner, end, given=True)
                given = given[1:]
            elif place == 0 and self.plan.hook and section.name in ("chorus", "hook", "refrain"):
                self._add(self.plan.hook, number, partner, end, given=True)
            else:
                wish = self._wish(first, place, partner, with_whom)
                before = self.vocabulary.ids(head) if head else []
                if before:
                    self.reading.feed(torch.tensor([before]))
                chosen = self.composer.writer.write(self.reading, self.dice, wish, before)
                self._add(chosen.line.text, number, partner, end, chosen=chosen)
                head = ""
        return given, head

    def _wish(self, first: int, place: int, partner: int | None, with_whom: Sequence[int | None]) -> Wish:
        """Return what line ``place`` of the section that begins at line ``first`` is to be like."""
        fast = {i: line for i, line in enumerate(self.plan.sheet[first : first + len(with_whom)]) if line is not None}
        to_come = [line for i, line in fast.items() if i > place]
        other = None if partner is None else self.lines[partner].text
        if other is None:  # where the later line of two that rhyme stands already, this one follows it
            other = next((line for i, line in fast.items() if i > place and with_whom[i] == place), None)
        before, around = ([line.text for line in lines] for lines in (self.lines, self.lines[first:]))
        return Wish(
            rhyme="" if other is None else last_word(other),
            opens=any(with_whom[i] == place for i in range(place + 1, len(with_whom)) if i not in fast),
            syllables=self.plan.syllables,
            about=None if other is None else line_syllables(other),
            taken=frozenset(map(last_word, [*around, *to_come])),
            used=frozenset(map(last_word, before)),
            before=self.plan.refused | frozenset(map(texts.key, [*before, *to_come])),
            words=self._words(),
            most_copied=self.plan.most_copied,
        )

    def _add(
        self,
        text: str,
        section: int,
        partner: int | None,
        end: str,
        *,
        given: bool = False,
        chosen: Chosen | None = None,
    ) -> None:
        """Put a line into the song and have the model read it."""
        text = text.strip()
        self.lines.append(
            Line(
                text,
                section,
                line_syllables(text),
                self.plan.syllables,
                partner,
                None if partner is None else rhymes(last_word(text), last_word(self.lines[partner].text)),
                given,
                copied=chosen.copied if chosen else None,
            )
        )
        ids = list(chosen.line.ids) if chosen else self.vocabulary.ids(text)
        self.tokens += len(ids) + 1 if chosen else 0
        self._read([*ids, *self.vocabulary.ids(end)])
        self._tell(text + end)

    def _repeat(self, section: int, number: int) -> None:
        """Put an earlier section into the song once more, word for word."""
        old = [line for line in self.lines if line.section == section and not line.repeated]
        for place, line in enumerate(old):
            end = "\n\n" if place + 1 == len(old) else "\n"
            moved = None if line.rhymes_with is None else line.rhymes_with + len(self.lines) - self.lines.index(line)
            self.lines.append(replace(line, section=number, rhymes_with=moved, repeated=True))
            self._read(self.vocabulary.ids(line.text + end))
            self._tell(line.text + end)

    def _header(self, section: Section) -> None:
        """Have the model read the section's header, if it knows such headers; they are not part of the text."""
        header = f"[{section.name}]"
        if header in self.composer.start.writer.tokenizer.get_added_vocab():
            self._read(self.vocabulary.ids(f"{header}\n"))

    # Freely.

    def free(self) -> Song:
        """Write lines until the writer ends the song; only runs copied from training songs are kept out."""
        self.reading = self.composer.start.reading()
        prompt = self.composer.start.prompt
        self._tell(prompt)
        head = self.vocabulary.ids(prompt.rpartition("\n")[2])
        while self.tokens < self.composer.max_tokens:
            wish = Wish(any_end=True, words=self._words(), most_copied=self.plan.most_copied)
            chosen = self.composer.writer.write(self.reading, self.dice, wish, head)
            text = chosen.line.text
            new = text[len(self.composer.start.writer.decode(head)) :] if head else text
            self.lines.append(Line(text, 0, line_syllables(text), copied=chosen.copied))
            self.tokens += len(chosen.line.ids) + 1
            if chosen.line.end == "song":
                self._tell(new)
                return self._song("end")
            self._read([*chosen.line.ids, *self.vocabulary.ids("\n")])
            self._tell(new + "\n")
            head = []
        return self._song("length")

    # Both.

    def _words(self) -> str:
        """Return the last words of the song, where copied runs are looked for."""
        if self.plan.most_copied is None:
            return ""
        return " ".join(self.text.split()[-(self.plan.most_copied + _REACH) :])

    def _read(self, ids: Sequence[int]) -> None:
        if ids:
            self.reading.feed(torch.tensor([list(ids)]))

    def _tell(self, text: str) -> None:
        self.text += text
        if self.say is not None:
            self.say(self.text)

    def _song(self, ended: str) -> Song:
        return Song(self.text.rstrip(), tuple(line for line in self.lines if line.text), self.tokens, ended)


def _given(prompt: str) -> tuple[list[str], str]:
    """Return the whole lines of a prompt, and the beginning of the line that goes on."""
    *whole, head = prompt.split("\n")
    lines = [line for line in whole if line.strip() and not _HEADER.fullmatch(line.strip())]
    return lines, head
