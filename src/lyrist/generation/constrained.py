"""Constrained writing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from lyrist import text as texts
from lyrist.corpus.cleaning.rules import KEPT
from lyrist.errors import LyristError, UsageError
from lyrist.generation.batching import DecodingState, generator
from lyrist.generation.config import SamplingOptions
from lyrist.generation.form import FormSection, SongLine, SongPlan, partners
from lyrist.generation.output import whole
from lyrist.generation.prompts import SongStart, Vocabulary
from lyrist.generation.sampling import TokenSampler, add_style_bias
from lyrist.text.rhyme import Rhyme, last_word, line_syllables, rhymes

REDRAWS = 6
"""How often a line is drawn again where all candidates copy, a little wilder each time."""
HOTTER = 1.25
LONGEST = 40
"""Tokens of a line at most."""
TRIED = 3
"""Rhyming words that are looked at after each beginning."""
NOISE = 0.5
"""Size of the (Gumbel) noise that the choice has, in nats: the best of two equals is not always the same."""

# What a line gains or loses, in nats. A constraint outweighs any wording; among lines that meet it the wording decides.
MISSED_RHYME = -20.0
PERFECT_RHYME = 1.0
SYLLABLE_OFF = (0.0, -1.0, -6.0)
FURTHER_OFF = -4.0
SAME_LINE = -8.0
SAME_END = -5.0
USED_END = -1.5
WEAK_END = -6.0
HARD_TO_RHYME = -3.0
UNTIDY = -4.0
COPIED = -100.0
HALF_WORD = 0.5
"""Share of the ways to go on after a word that would go on with the word itself, from which on it is only half of one."""
FRESH = 5
"""Tokens of a run that is not drawn again in a song to a plan, whose repetitions are the plan's own."""
FEW = 6
"""Words that rhyme with a line's end; with fewer, a line that others shall rhyme with is avoided."""

WEAK = frozenset(
    ["a", "an", "the", "of", "to", "and", "or", "but", "with", "for", "from", "at", "as", "than", "that", "is", "i"]
)
"""Words that a line seldom ends with: a rhyme on one of them is a line broken in its middle."""

FAULTS = (
    re.compile(r"^\s*[,.;:!?)\]}]"),
    re.compile(r"[,;:]\s*[,;:.!?]"),
    re.compile(rf"\b({'|'.join(sorted(WEAK))})(?=,? \1\b)", re.IGNORECASE),
    re.compile(
        r"\b(an?|the) (?!\1\b)(?:an?|the|and|or|but|of|to|at|is|as|than|that|it|in|i|you|we|they|he|she)\b",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w'.&-])[b-hj-np-z](?![\w'.&-])"),
)
"""What no songwriter would leave standing: a comma that begins a line, two in a row, 'the, the', 'a the', a lone letter."""

Runs = Callable[[Sequence[str]], list[int]]
"""Words of the longest run in each text that stands in a training song."""


@dataclass(frozen=True)
class LineSpec:
    """What a line is to be like."""

    rhyme: str = ""
    """The word that its end is to rhyme with."""
    opens: bool = False
    """Whether a later line is to rhyme with it."""
    syllables: int | None = None
    about: int | None = None
    """Syllables that would suit it, where none are asked for: those of the line that it rhymes with."""
    any_end: bool = False
    """Whether it may be empty or end the song; else it is a line with words."""
    taken: frozenset[str] = frozenset()
    """Words at the ends of the lines around it."""
    used: frozenset[str] = frozenset()
    """Words at the ends of all lines of the song so far."""
    before: frozenset[str] = frozenset()
    """The lines of the song so far, as `lyrist.text.key` has them."""
    words: str = ""
    """The song's words so far, where runs that are copied count."""
    max_copied: int | None = None
    """Words that a run copied from a training song may have."""


@dataclass(frozen=True)
class LineCandidate:
    """A line that was drawn, or drawn and finished."""

    ids: tuple[int, ...]
    """Its tokens, without the line end."""
    text: str
    put: float = 0.0
    """Log-probability of what was put there instead of drawn."""
    mean: float = 0.0
    """Mean log-probability of its tokens."""
    end: str = "line"
    """``line``, ``song``, or ``cut``: it found no end."""


@dataclass(frozen=True)
class ChosenLine:
    """The line that was chosen."""

    line: LineCandidate
    copied: int | None = None
    """Words of the longest copied run that it has part in, where runs are looked up."""


@dataclass
class _Row:
    """A line while it is drawn."""

    ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Ending:
    """A beginning and a rhyming word that may end it."""

    score: float
    ids: tuple[int, ...]
    total: float
    """Log-probability of the beginning and the word."""
    word: float
    """That of the word."""


class LineWriter:
    """Writes single lines."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        sampling: SamplingOptions,
        *,
        candidates: int = 24,
        runs: Runs | None = None,
        bias: Tensor | None = None,
    ) -> None:
        self.vocabulary, self.sampling, self.bias = vocabulary, sampling, bias
        self.candidates = 1 if sampling.greedy else candidates
        self.runs = runs
        self._samplers = [TokenSampler(each, vocabulary.banned, vocabulary.spared) for each in _wilder(sampling)]

    def write(
        self, song: DecodingState, rng: np.random.Generator, spec: LineSpec, head: Sequence[int] = ()
    ) -> ChosenLine:
        """Return the next line of one song; what was read of the song stays as it is.

        Parameters
        ----------
        song
            The song so far: a reading of one.
        dice
            Its random numbers.
        spec
            What the line is to be like.
        head
            Tokens of the line that were read already: it goes on after them.
        """
        best = self._best(song, rng, spec, list(head), self._samplers[0])
        for sampler in self._samplers[1:]:
            if best.copied is None or spec.max_copied is None or best.copied <= spec.max_copied:
                break
            other = self._best(song, rng, spec, list(head), sampler)
            if other.copied is not None and other.copied < best.copied:
                best = other
        return best

    def _best(
        self, song: DecodingState, rng: np.random.Generator, spec: LineSpec, head: list[int], sampler: TokenSampler
    ) -> ChosenLine:
        """Draw candidates and return the best."""
        found, endings = self._drawn(song, rng, spec, head, sampler)
        found += self._finished(song, endings, head)
        found = [each for each in found if each.end != "cut" or len(found) == 1] or found
        usual = float(np.median([each.mean for each in found]))
        values = np.array([self._value(each, spec, usual) for each in found])
        copied = self._copied(found, spec)
        if copied is not None and spec.max_copied is not None:
            values += np.where(copied > spec.max_copied, COPIED - copied, 0.0)
        if not self.sampling.greedy:
            values += NOISE * rng.gumbel(size=len(values))
        best = int(values.argmax())
        return ChosenLine(found[best], None if copied is None else int(copied[best]))

    # Drawing.

    def _drawn(
        self, song: DecodingState, rng: np.random.Generator, spec: LineSpec, head: list[int], sampler: TokenSampler
    ) -> tuple[list[LineCandidate], list[_Ending]]:
        """Draw lines; return them, and the rhyming words that could end their beginnings."""
        rows = [_Row() for _ in range(self.candidates)]
        going, reading = list(range(len(rows))), song.fork(len(rows))
        found: list[LineCandidate] = []
        endings: list[_Ending] = []
        overused = {} if spec.any_end else _runs(song.ids[0].tolist())
        for step in range(LONGEST):
            places = torch.tensor(rng.random(len(rows))[going])
            biased = add_style_bias(reading.logits, self.bias, self.sampling.style)
            scores = biased.float().log_softmax(dim=-1)
            begun = [self._text(head + rows[i].ids) for i in going]
            if step or head:
                found += self._ends_here(rows, going, scores, begun, spec)
                endings += self._ends_with(rows, going, scores, begun, spec)
            logits = _without(biased, reading.ids, overused)
            tokens = sampler.draw(logits, reading.ids, places, self._not_now(spec, bool(step or head)))
            staying = []
            for place, token in enumerate(tokens.tolist()):
                row, score = rows[going[place]], float(scores[place, token])
                if token in self.vocabulary.stops:
                    end = "song" if token == self.vocabulary.eos else "line"
                    mean = (sum(row.scores) + score) / (len(row.ids) + 1)
                    found.append(LineCandidate(tuple(row.ids), begun[place], mean=mean, end=end))
                elif spec.syllables is None or line_syllables(whole(begun[place])) <= spec.syllables + 1:
                    row.ids.append(token)
                    row.scores.append(score)
                    staying.append(place)
            if not staying:
                break
            kept = torch.tensor(staying)
            if len(staying) < len(going):
                reading.keep(kept)
                going = [going[place] for place in staying]
            reading.feed(tokens[kept][:, None])
        if not found:
            found = [self._cut(rows[i], head) for i in range(len(rows))]
        return found, endings

    def _not_now(self, spec: LineSpec, begun: bool) -> Tensor | None:
        """Return the tokens that cannot come next: where the plan decides, no end of the song and no empty line."""
        if spec.any_end:
            return None
        return torch.tensor([self.vocabulary.eos]) if begun else self.vocabulary.spared

    def _cut(self, row: _Row, head: list[int]) -> LineCandidate:
        """Return a line that found no end, as far as its words are whole."""
        kept = len(row.ids)
        while kept > 1 and whole(self._text(head + row.ids[:kept]) + " ") != self._text(head + row.ids[:kept]) + " ":
            kept -= 1
        mean = sum(row.scores[:kept]) / max(kept, 1)
        return LineCandidate(tuple(row.ids[:kept]), self._text(head + row.ids[:kept]), mean=mean, end="cut")

    def _text(self, ids: Sequence[int]) -> str:
        return self.vocabulary.writer.decode(ids)

    # Finishing.

    def _ends_here(
        self, rows: Sequence[_Row], going: Sequence[int], scores: Tensor, begun: Sequence[str], spec: LineSpec
    ) -> list[LineCandidate]:
        """Return the beginnings that have their syllables and may end here, where no rhyme is asked for."""
        if spec.syllables is None or spec.rhyme or not len(self.vocabulary.line_ends):
            return []
        ends = scores[:, self.vocabulary.line_ends].logsumexp(dim=-1).tolist()
        found = []
        for place, number in enumerate(going):
            if line_syllables(begun[place]) == spec.syllables:
                row = rows[number]
                mean = (sum(row.scores) + ends[place]) / (len(row.ids) + 1)
                found.append(LineCandidate(tuple(row.ids), begun[place], put=ends[place], mean=mean))
        return found

    def _ends_with(
        self, rows: Sequence[_Row], going: Sequence[int], scores: Tensor, begun: Sequence[str], spec: LineSpec
    ) -> list[_Ending]:
        """Return the rhyming words that the writer likes best after each beginning, if they leave it a good length."""
        if not spec.rhyme:
            return []
        ids, grades, beats = self.vocabulary.rhyming(spec.rhyme)
        if not len(ids):
            return []
        have = torch.tensor([line_syllables(text) for text in begun])
        off = _off(have[:, None] + beats, spec)
        weak = torch.tensor([self.vocabulary.words[token] in WEAK for token in ids.tolist()])
        values = scores[:, ids] + PERFECT_RHYME * (grades == Rhyme.PERFECT) + WEAK_END * weak + off
        values = values.masked_fill((off <= FURTHER_OFF) | (have[:, None] < 1), -torch.inf)
        best, which = values.topk(min(TRIED, len(ids)), dim=-1)
        found = []
        for place, number in enumerate(going):
            row = rows[number]
            for value, word in zip(best[place].tolist(), which[place].tolist(), strict=True):
                token = int(ids[word])
                if value > -torch.inf and self.vocabulary.words[token] not in spec.taken:
                    score = float(scores[place, token])
                    found.append(_Ending(value, (*row.ids, token), sum(row.scores) + score, score))
        return found

    def _finished(self, song: DecodingState, endings: list[_Ending], head: list[int]) -> list[LineCandidate]:
        """Read the most promising lines to their ends, to see whether the writer would end them there.

        A token may be a word in one place and the beginning of one in another (" re" of " rest"): where the writer would
        rather go on with it, it is no end.
        """
        best: dict[tuple[int, ...], _Ending] = {}
        for ending in sorted(endings, key=lambda each: -each.score):
            best.setdefault(ending.ids, ending)
        chosen = list(best.values())[: max(self.candidates, 24)]
        if not chosen:
            return []
        length = max(len(ending.ids) for ending in chosen)
        padded = torch.tensor([[*e.ids, *[e.ids[-1]] * (length - len(e.ids))] for e in chosen])  # nothing looks ahead
        logits = song.fork(len(chosen)).feed(padded)
        last = torch.tensor([len(ending.ids) - 1 for ending in chosen])
        logits = add_style_bias(logits[torch.arange(len(chosen)), last], self.bias, self.sampling.style)
        scores = logits.float().log_softmax(dim=-1)
        ends = scores[:, self.vocabulary.spared].logsumexp(dim=-1).tolist()
        goes_on = scores[:, self.vocabulary.continuing].exp().sum(dim=-1).tolist()
        return [
            LineCandidate(e.ids, self._text([*head, *e.ids]), e.word + end, (e.total + end) / (len(e.ids) + 1))
            for e, end, share in zip(chosen, ends, goes_on, strict=True)
            if share < HALF_WORD
        ]

    # Choosing.

    def _value(self, line: LineCandidate, spec: LineSpec, usual: float) -> float:
        """Return what a line is worth, in nats: what was put there, how it is worded, and what it meets.

        The best worded are those that are about as likely as lines of this writer ``usual``-ly are here: the likeliest are
        the dullest, mere repetitions (Meister et al., Locally typical sampling, 2023).
        """
        if spec.any_end:
            return 0.0  # nothing is asked for: a drawn line is as good as another, and the likeliest are the dullest
        end, key = last_word(line.text), texts.key(line.text)
        value = line.put - abs(line.mean - usual)
        if not end:
            return value + COPIED
        if spec.rhyme:
            grade = Rhyme.NONE if end in spec.taken else rhymes(end, spec.rhyme)
            value += PERFECT_RHYME if grade == Rhyme.PERFECT else 0.0 if grade == Rhyme.SLANT else MISSED_RHYME
        value += float(_off(torch.tensor(line_syllables(line.text)), spec))
        if spec.opens and len(self.vocabulary.rhyming(end)[0]) < FEW:
            value += HARD_TO_RHYME
        value += SAME_END if end in spec.taken else USED_END if end in spec.used else 0.0
        value += WEAK_END if end in WEAK else 0.0
        return value + UNTIDY * faults(line.text) + (SAME_LINE if key in spec.before else 0.0)

    def _copied(self, found: Sequence[LineCandidate], spec: LineSpec) -> NDArrayInt | None:
        if self.runs is None:
            return None
        return np.array(self.runs([f"{spec.words} {line.text}" for line in found]))


def faults(line: str) -> int:
    """Return how many slips a line has: `FAULTS`, and brackets without their other half."""
    odd = line.count("(") != line.count(")") or line.count("[") != line.count("]")
    return sum(len(fault.findall(line)) for fault in FAULTS) + odd


def _wilder(sampling: SamplingOptions) -> list[SamplingOptions]:
    """Return the settings, and those with which a line is drawn again: hotter each time, and with a longer tail."""
    hot = sampling.temperature or 0.8
    return [sampling] + [
        replace(sampling, temperature=hot * HOTTER**again, min_p=sampling.min_p / 4**again, top_k=0, top_p=1.0)
        for again in range(1, REDRAWS)
    ]


def _runs(ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
    """Return which tokens followed each run of `FRESH` tokens less one."""
    found: dict[tuple[int, ...], list[int]] = {}
    for end in range(FRESH - 1, len(ids)):
        found.setdefault(tuple(ids[end - FRESH + 1 : end]), []).append(ids[end])
    return found


def _without(logits: Tensor, ids: Tensor, overused: dict[tuple[int, ...], list[int]]) -> Tensor:
    """Return logits that complete no run of tokens which the song has already."""
    if not overused:
        return logits
    logits = logits.clone()
    for row, last in enumerate(ids[:, 1 - FRESH :].tolist()):
        logits[row, overused.get(tuple(last), [])] = -1e4  # finite: where nothing else is left, it is drawn after all
    return logits


NDArrayInt = np.ndarray[tuple[int], np.dtype[np.int64]]


def _off(syllables: Tensor, spec: LineSpec) -> Tensor:
    """Return what lines lose for having other than the wanted syllables, and for being no line at all."""
    if spec.syllables is not None:
        off = (syllables - spec.syllables).abs()
        near = torch.tensor(SYLLABLE_OFF)[off.clamp(max=len(SYLLABLE_OFF) - 1)]
        return near + FURTHER_OFF * (off - len(SYLLABLE_OFF) + 1).clamp(min=0)
    if spec.about is not None:  # a third shorter or longer than its partner is no matter
        off = ((syllables - spec.about).abs() - max(2, spec.about // 3)).clamp(min=0)
        return -1.0 * off
    return -2.0 * (3 - syllables).clamp(min=0) - 1.0 * (syllables - 16).clamp(min=0)


_HEADER = re.compile(KEPT)
_REACH = 24
"""Words before a line that a copied run is looked for in, beyond those that are allowed."""


@dataclass(frozen=True)
class ComposedSong:
    """A song with its lines."""

    text: str
    lines: tuple[SongLine, ...]
    tokens: int
    ended: str
    """``"plan"``: it is whole; ``"end"``: the writer ended it; ``"length"``: by --max-tokens."""


class Composer:
    """Writes one song after another, line by line."""

    def __init__(
        self, start: SongStart, vocabulary: Vocabulary, writer: LineWriter, plan: SongPlan, max_tokens: int
    ) -> None:
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

    def write(self, number: int, seed: int, on_text: Callable[[str], object] | None = None) -> ComposedSong:
        """Write song ``number``; ``on_text`` is called with its text after each line."""
        piece = _Piece(self, number, seed, on_text)
        return piece.planned() if self.plan.sections else piece.free()


class _Piece:
    """One song while it is written."""

    def __init__(self, composer: Composer, number: int, seed: int, on_text: Callable[[str], object] | None) -> None:
        self.composer, self.plan, self.on_text = composer, composer.plan, on_text
        self.vocabulary = composer.vocabulary
        self.rng = generator(seed, number)
        self.lines: list[SongLine] = []
        self.text = ""
        self.tokens = 0
        self.reading: DecodingState

    # To a plan.

    def planned(self) -> ComposedSong:
        """Write the sections of the plan one after another."""
        self.reading = DecodingState.of(replace(self.composer.start, prompt="", ids=()))
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

    def _section(self, section: FormSection, number: int, given: list[str], head: str) -> tuple[list[str], str]:
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
                spec = self._wish(first, place, partner, with_whom)
                before = self.vocabulary.ids(head) if head else []
                if before:
                    self.reading.feed(torch.tensor([before]))
                chosen = self.composer.writer.write(self.reading, self.rng, spec, before)
                self._add(chosen.line.text, number, partner, end, chosen=chosen)
                head = ""
        return given, head

    def _wish(self, first: int, place: int, partner: int | None, with_whom: Sequence[int | None]) -> LineSpec:
        """Return what line ``place`` of the section that begins at line ``first`` is to be like."""
        fast = {i: line for i, line in enumerate(self.plan.sheet[first : first + len(with_whom)]) if line is not None}
        to_come = [line for i, line in fast.items() if i > place]
        other = None if partner is None else self.lines[partner].text
        if other is None:  # where the later line of two that rhyme stands already, this one follows it
            other = next((line for i, line in fast.items() if i > place and with_whom[i] == place), None)
        before, around = ([line.text for line in lines] for lines in (self.lines, self.lines[first:]))
        return LineSpec(
            rhyme="" if other is None else last_word(other),
            opens=any(with_whom[i] == place for i in range(place + 1, len(with_whom)) if i not in fast),
            syllables=self.plan.syllables,
            about=None if other is None else line_syllables(other),
            taken=frozenset(map(last_word, [*around, *to_come])),
            used=frozenset(map(last_word, before)),
            before=self.plan.rejected | frozenset(map(texts.key, [*before, *to_come])),
            words=self._words(),
            max_copied=self.plan.max_copied,
        )

    def _add(
        self,
        text: str,
        section: int,
        partner: int | None,
        end: str,
        *,
        given: bool = False,
        chosen: ChosenLine | None = None,
    ) -> None:
        """Put a line into the song and have the model read it."""
        text = text.strip()
        self.lines.append(
            SongLine(
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

    def _header(self, section: FormSection) -> None:
        """Have the model read the section's header, if it knows such headers; they are not part of the text."""
        header = f"[{section.name}]"
        if header in self.composer.start.writer.tokenizer.get_added_vocab():
            self._read(self.vocabulary.ids(f"{header}\n"))

    # Freely.

    def free(self) -> ComposedSong:
        """Write lines until the writer ends the song; only runs copied from training songs are kept out."""
        self.reading = DecodingState.of(self.composer.start)
        prompt = self.composer.start.prompt
        self._tell(prompt)
        head = self.vocabulary.ids(prompt.rpartition("\n")[2])
        while self.tokens < self.composer.max_tokens:
            spec = LineSpec(any_end=True, words=self._words(), max_copied=self.plan.max_copied)
            chosen = self.composer.writer.write(self.reading, self.rng, spec, head)
            text = chosen.line.text
            new = text[len(self.composer.start.writer.decode(head)) :] if head else text
            self.lines.append(SongLine(text, 0, line_syllables(text), copied=chosen.copied))
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
        if self.plan.max_copied is None:
            return ""
        return " ".join(self.text.split()[-(self.plan.max_copied + _REACH) :])

    def _read(self, ids: Sequence[int]) -> None:
        if ids:
            self.reading.feed(torch.tensor([list(ids)]))

    def _tell(self, text: str) -> None:
        self.text += text
        if self.on_text is not None:
            self.on_text(self.text)

    def _song(self, ended: str) -> ComposedSong:
        return ComposedSong(self.text.rstrip(), tuple(line for line in self.lines if line.text), self.tokens, ended)


def _given(prompt: str) -> tuple[list[str], str]:
    """Return the whole lines of a prompt, and the beginning of the line that goes on."""
    *whole, head = prompt.split("\n")
    lines = [line for line in whole if line.strip() and not _HEADER.fullmatch(line.strip())]
    return lines, head
