"""Constrained writing: songs line by line, each line the best of many candidates.

About two dozen candidate lines are sampled at once. Few of them end as required, but each contains many beginnings: after each of
them the writer has a probability for every word, so its most likely rhyming words are tried as the end. Such a line is weighted
by the probability of the inserted word (importance weighting: the beginning is sampled, the end is not).
"""

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
"""Attempts for a line whose candidates all copy, each at a higher temperature."""
HOTTER = 1.25
LONGEST = 40
"""Maximum tokens of a line."""
TRIED = 3
"""Rhyming words tried after each beginning."""
NOISE = 0.5
"""Scale of the Gumbel noise of the selection, in nats, which varies the choice between equal candidates."""

# Scores in nats. A constraint outweighs the wording, which decides between lines that meet all constraints.
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
"""Probability of continuing a word above which it counts as incomplete."""
FRESH = 5
"""Tokens of a run that is not sampled again in a song with a form, whose only repetitions are those of the form."""
FEW = 6
"""Rhyming words below which a line end is penalised if a later line must rhyme with it."""

WEAK = frozenset(
    ["a", "an", "the", "of", "to", "and", "or", "but", "with", "for", "from", "at", "as", "than", "that", "is", "i"]
)
"""Words that rarely end a line: a rhyme on them breaks the line in its middle."""

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
"""Slips: a comma at the start of a line, two in a row, 'the, the', 'a the', a single letter."""

Runs = Callable[[Sequence[str]], list[int]]
"""Returns for each text the words of its longest run from a training song."""


@dataclass(frozen=True)
class LineSpec:
    """Constraints of a line."""

    rhyme: str = ""
    """Word that the line end must rhyme with."""
    opens: bool = False
    """Whether a later line must rhyme with it."""
    syllables: int | None = None
    about: int | None = None
    """Preferred syllables without a syllable constraint: those of the rhyming line."""
    any_end: bool = False
    """Whether the line may be empty or end the song."""
    taken: frozenset[str] = frozenset()
    """Last words of the lines in its section."""
    used: frozenset[str] = frozenset()
    """Last words of all lines so far."""
    before: frozenset[str] = frozenset()
    """Lines so far, as keys of `lyrist.text.key`."""
    words: str = ""
    """Last words of the song, where copied runs may start."""
    max_copied: int | None = None
    """Maximum words of a run copied from a training song."""


@dataclass(frozen=True)
class LineCandidate:
    """A candidate line, sampled whole or completed with a rhyming word."""

    ids: tuple[int, ...]
    """Tokens without the line end."""
    text: str
    put: float = 0.0
    """Log-probability of the inserted tokens."""
    mean: float = 0.0
    """Mean log-probability of the tokens."""
    end: str = "line"
    """``line``, ``song``, or ``cut`` (no end found)."""


@dataclass(frozen=True)
class ChosenLine:
    """The selected line."""

    line: LineCandidate
    copied: int | None = None
    """Words of the longest copied run that includes part of the line, if looked up."""


@dataclass
class _Row:
    """A candidate line in progress."""

    ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Ending:
    """A beginning completed with a rhyming word."""

    score: float
    ids: tuple[int, ...]
    total: float
    """Log-probability of the beginning and the word."""
    word: float
    """Log-probability of the word."""


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
        """Return the next line of one song; the decoding state is not changed.

        Parameters
        ----------
        song
            State of one song.
        dice
            Random generator of the song.
        spec
            Constraints of the line.
        head
            Tokens of the line that are already read.
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
        """Sample candidates and return the best."""
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

    # Sampling.

    def _drawn(
        self, song: DecodingState, rng: np.random.Generator, spec: LineSpec, head: list[int], sampler: TokenSampler
    ) -> tuple[list[LineCandidate], list[_Ending]]:
        """Sample lines; return them and the rhyming words that can complete their beginnings."""
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
                elif spec.syllables is None or (line_syllables(whole(begun[place])) or 0) <= spec.syllables + 1:
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
        """Return excluded tokens: with a form, the end of the song and empty lines."""
        if spec.any_end:
            return None
        return torch.tensor([self.vocabulary.eos]) if begun else self.vocabulary.spared

    def _cut(self, row: _Row, head: list[int]) -> LineCandidate:
        """Return a line without an end, cut after its last whole word."""
        kept = len(row.ids)
        while kept > 1 and whole(self._text(head + row.ids[:kept]) + " ") != self._text(head + row.ids[:kept]) + " ":
            kept -= 1
        mean = sum(row.scores[:kept]) / max(kept, 1)
        return LineCandidate(tuple(row.ids[:kept]), self._text(head + row.ids[:kept]), mean=mean, end="cut")

    def _text(self, ids: Sequence[int]) -> str:
        return self.vocabulary.writer.decode(ids)

    # Completing.

    def _ends_here(
        self, rows: Sequence[_Row], going: Sequence[int], scores: Tensor, begun: Sequence[str], spec: LineSpec
    ) -> list[LineCandidate]:
        """Return beginnings with the required syllables, if no rhyme is required."""
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
        """Return the most likely rhyming words after each beginning that give an acceptable length."""
        if not spec.rhyme:
            return []
        ids, grades, beats = self.vocabulary.rhyming(spec.rhyme)
        if not len(ids):
            return []
        have = torch.tensor([line_syllables(text) or 0 for text in begun])
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
        """Read the most promising lines, and keep those that the writer would end there.

        A token can be a word in one place and the start of one in another (" re" of " rest"), so lines are dropped where the
        writer is likely to continue the word.
        """
        best: dict[tuple[int, ...], _Ending] = {}
        for ending in sorted(endings, key=lambda each: -each.score):
            best.setdefault(ending.ids, ending)
        chosen = list(best.values())[: max(self.candidates, 24)]
        if not chosen:
            return []
        length = max(len(ending.ids) for ending in chosen)
        padded = torch.tensor(
            [[*e.ids, *[e.ids[-1]] * (length - len(e.ids))] for e in chosen]
        )  # causal attention ignores the padding
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

    # Selecting.

    def _value(self, line: LineCandidate, spec: LineSpec, usual: float) -> float:
        """Return the score of a line in nats: inserted tokens, wording, and constraints.

        Wording scores best near the ``usual`` mean log-probability of the candidates: the most likely lines are repetitions
        (Meister et al., Locally typical sampling, 2023).
        """
        if spec.any_end:
            return 0.0  # no constraints: any sampled line will do
        end, key = last_word(line.text), texts.key(line.text)
        value = line.put - abs(line.mean - usual)
        if not end:
            return value + COPIED
        if spec.rhyme:
            grade = Rhyme.NONE if end in spec.taken else rhymes(end, spec.rhyme)
            value += PERFECT_RHYME if grade == Rhyme.PERFECT else 0.0 if grade == Rhyme.NEAR else MISSED_RHYME
        value += float(_off(torch.tensor(line_syllables(line.text) or 0), spec))
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
    """Count the slips of a line: `FAULTS` and unbalanced brackets."""
    odd = line.count("(") != line.count(")") or line.count("[") != line.count("]")
    return sum(len(fault.findall(line)) for fault in FAULTS) + odd


def _wilder(sampling: SamplingOptions) -> list[SamplingOptions]:
    """Return the options of each attempt: a higher temperature and a longer tail every time."""
    hot = sampling.temperature or 0.8
    return [sampling] + [
        replace(sampling, temperature=hot * HOTTER**again, min_p=sampling.min_p / 4**again, top_k=0, top_p=1.0)
        for again in range(1, REDRAWS)
    ]


def _runs(ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
    """Return the tokens that followed each run of `FRESH` - 1 tokens."""
    found: dict[tuple[int, ...], list[int]] = {}
    for end in range(FRESH - 1, len(ids)):
        found.setdefault(tuple(ids[end - FRESH + 1 : end]), []).append(ids[end])
    return found


def _without(logits: Tensor, ids: Tensor, overused: dict[tuple[int, ...], list[int]]) -> Tensor:
    """Return logits that exclude runs of `FRESH` tokens already in the song."""
    if not overused:
        return logits
    logits = logits.clone()
    for row, last in enumerate(ids[:, 1 - FRESH :].tolist()):
        logits[
            row, overused.get(tuple(last), [])
        ] = -1e4  # finite, so that it can still be sampled if nothing else is left
    return logits


NDArrayInt = np.ndarray[tuple[int], np.dtype[np.int64]]


def _off(syllables: Tensor, spec: LineSpec) -> Tensor:
    """Return the penalty for the wrong number of syllables, or for very short and long lines."""
    if spec.syllables is not None:
        off = (syllables - spec.syllables).abs()
        near = torch.tensor(SYLLABLE_OFF)[off.clamp(max=len(SYLLABLE_OFF) - 1)]
        return near + FURTHER_OFF * (off - len(SYLLABLE_OFF) + 1).clamp(min=0)
    if spec.about is not None:  # up to a third shorter or longer than the rhyming line is free
        off = ((syllables - spec.about).abs() - max(2, spec.about // 3)).clamp(min=0)
        return -1.0 * off
    return -2.0 * (3 - syllables).clamp(min=0) - 1.0 * (syllables - 16).clamp(min=0)


_HEADER = re.compile(KEPT)
_REACH = 24
"""Words before a line in which a copied run may start, beyond the maximum run."""


@dataclass(frozen=True)
class ComposedSong:
    """A song written line by line."""

    text: str
    lines: tuple[SongLine, ...]
    tokens: int
    ended: str
    """``"plan"``: the form is complete; ``"end"``: by the writer; ``"length"``: by --max-tokens."""


class Composer:
    """Writes songs line by line."""

    def __init__(
        self, start: SongStart, vocabulary: Vocabulary, writer: LineWriter, plan: SongPlan, max_tokens: int
    ) -> None:
        if not len(vocabulary.line_ends):
            raise LyristError(
                "The tokenizer of this writer has no line end, so it cannot write line by line; "
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
    """One song in progress."""

    def __init__(self, composer: Composer, number: int, seed: int, on_text: Callable[[str], object] | None) -> None:
        self.composer, self.plan, self.on_text = composer, composer.plan, on_text
        self.vocabulary = composer.vocabulary
        self.rng = generator(seed, number)
        self.lines: list[SongLine] = []
        self.text = ""
        self.tokens = 0
        self.reading: DecodingState

    # With a form.

    def planned(self) -> ComposedSong:
        """Write the sections of the form."""
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
        """Write one section; return the rest of the prompt."""
        first = len(self.lines)
        with_whom = partners(self.plan.scheme, section.lines)
        for place in range(section.lines):
            partner = with_whom[place]
            partner = None if partner is None else first + partner
            end = "\n\n" if place + 1 == section.lines else "\n"
            locked = self.plan.sheet[first + place] if self.plan.sheet else None
            if locked is not None:
                self._add(locked, number, partner, end, given=True)
            elif given:
                self._add(given[0], number, partner, end, given=True)
                given = given[1:]
            elif place == 0 and self.plan.hook and section.name in ("chorus", "hook", "refrain"):
                self._add(self.plan.hook, number, partner, end, given=True)
            else:
                spec = self._spec(first, place, partner, with_whom)
                before = self.vocabulary.ids(head) if head else []
                if before:
                    self.reading.feed(torch.tensor([before]))
                chosen = self.composer.writer.write(self.reading, self.rng, spec, before)
                self._add(chosen.line.text, number, partner, end, chosen=chosen)
                head = ""
        return given, head

    def _spec(self, first: int, place: int, partner: int | None, with_whom: Sequence[int | None]) -> LineSpec:
        """Return the constraints of line ``place`` in the section that starts at line ``first``."""
        locked = {i: line for i, line in enumerate(self.plan.sheet[first : first + len(with_whom)]) if line is not None}
        to_come = [line for i, line in locked.items() if i > place]
        other = None if partner is None else self.lines[partner].text
        if other is None:  # the later line of the pair is locked: rhyme with it
            other = next((line for i, line in locked.items() if i > place and with_whom[i] == place), None)
        before, around = ([line.text for line in lines] for lines in (self.lines, self.lines[first:]))
        return LineSpec(
            rhyme="" if other is None else last_word(other),
            opens=any(with_whom[i] == place for i in range(place + 1, len(with_whom)) if i not in locked),
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
        """Add a line to the song and to the decoding state."""
        text = text.strip()
        self.lines.append(
            SongLine(
                text,
                section,
                line_syllables(text) or 0,
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
        self._show(text + end)

    def _repeat(self, section: int, number: int) -> None:
        """Repeat an earlier section word for word."""
        old = [line for line in self.lines if line.section == section and not line.repeated]
        for place, line in enumerate(old):
            end = "\n\n" if place + 1 == len(old) else "\n"
            moved = None if line.rhymes_with is None else line.rhymes_with + len(self.lines) - self.lines.index(line)
            self.lines.append(replace(line, section=number, rhymes_with=moved, repeated=True))
            self._read(self.vocabulary.ids(line.text + end))
            self._show(line.text + end)

    def _header(self, section: FormSection) -> None:
        """Read the header of a section, if the vocabulary has it; headers are not part of the text."""
        header = f"[{section.name}]"
        if header in self.composer.start.writer.tokenizer.get_added_vocab():
            self._read(self.vocabulary.ids(f"{header}\n"))

    # Without a form.

    def free(self) -> ComposedSong:
        """Write lines until the writer ends the song, avoiding runs copied from training songs."""
        self.reading = DecodingState.of(self.composer.start)
        prompt = self.composer.start.prompt
        self._show(prompt)
        head = self.vocabulary.ids(prompt.rpartition("\n")[2])
        while self.tokens < self.composer.max_tokens:
            spec = LineSpec(any_end=True, words=self._words(), max_copied=self.plan.max_copied)
            chosen = self.composer.writer.write(self.reading, self.rng, spec, head)
            text = chosen.line.text
            new = text[len(self.composer.start.writer.decode(head)) :] if head else text
            self.lines.append(SongLine(text, 0, line_syllables(text) or 0, copied=chosen.copied))
            self.tokens += len(chosen.line.ids) + 1
            if chosen.line.end == "song":
                self._show(new)
                return self._song("end")
            self._read([*chosen.line.ids, *self.vocabulary.ids("\n")])
            self._show(new + "\n")
            head = []
        return self._song("length")

    # Both.

    def _words(self) -> str:
        """Return the last words of the song, where copied runs may start."""
        if self.plan.max_copied is None:
            return ""
        return " ".join(self.text.split()[-(self.plan.max_copied + _REACH) :])

    def _read(self, ids: Sequence[int]) -> None:
        if ids:
            self.reading.feed(torch.tensor([list(ids)]))

    def _show(self, text: str) -> None:
        self.text += text
        if self.on_text is not None:
            self.on_text(self.text)

    def _song(self, ended: str) -> ComposedSong:
        return ComposedSong(self.text.rstrip(), tuple(line for line in self.lines if line.text), self.tokens, ended)


def _given(prompt: str) -> tuple[list[str], str]:
    """Return the complete lines of a prompt, and the beginning of its last line."""
    *whole, head = prompt.split("\n")
    lines = [line for line in whole if line.strip() and not _HEADER.fullmatch(line.strip())]
    return lines, head
