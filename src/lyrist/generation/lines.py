"""One line of a song, the best of many: drawn, finished where it can rhyme and has its syllables, and chosen.

Two dozen lines are drawn from the writer at once. Few of them end as wanted, but each holds many beginnings: wherever a
beginning leaves room for one more word, the writer has said how likely every word is there, so the rhyming words that
it likes best are tried as its end. A line that was finished in this way is weighed by the probability of what was put
there (importance weighting: the beginning is drawn, the end is not), so the choice stays the writer's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from lyrist import text as texts
from lyrist.generation.prompts import Vocabulary
from lyrist.generation.reading import Reading
from lyrist.generation.sampling import Drawer, Sampling, leaning
from lyrist.generation.streaming import whole
from lyrist.rhyme import Rhyme, last_word, line_syllables, rhymes

CANDIDATES = 24
"""Lines that are drawn for each line."""
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
class Wish:
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
    most_copied: int | None = None
    """Words that a run copied from a training song may have."""


@dataclass(frozen=True)
class Candidate:
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
class Chosen:
    """The line that was chosen."""

    line: Candidate
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
        sampling: Sampling,
        *,
        candidates: int = CANDIDATES,
        runs: Runs | None = None,
        lean: Tensor | None = None,
    ) -> None:
        self.vocabulary, self.sampling, self.lean = vocabulary, sampling, lean
        self.candidates = 1 if sampling.greedy else candidates
        self.runs = runs
        self._drawers = [Drawer(each, vocabulary.banned, vocabulary.spared) for each in _wilder(sampling)]

    def write(self, song: Reading, dice: np.random.Generator, wish: Wish, head: Sequence[int] = ()) -> Chosen:
        """Return the next line of one song; what was read of the song stays as it is.

        Parameters
        ----------
        song
            The song so far: a reading of one.
        dice
            Its random numbers.
        wish
            What the line is to be like.
        head
            Tokens of the line that were read already: it goes on after them.
        """
        best = self._best(song, dice, wish, list(head), self._drawers[0])
        for drawer in self._drawers[1:]:
            if best.copied is None or wish.most_copied is None or best.copied <= wish.most_copied:
                break
            other = self._best(song, dice, wish, list(head), drawer)
            if other.copied is not None and other.copied < best.copied:
                best = other
        return best

    def _best(self, song: Reading, dice: np.random.Generator, wish: Wish, head: list[int], drawer: Drawer) -> Chosen:
        """Draw candidates and return the best."""
        found, endings = self._drawn(song, dice, wish, head, drawer)
        found += self._finished(song, endings, head)
        found = [each for each in found if each.end != "cut" or len(found) == 1] or found
        usual = float(np.median([each.mean for each in found]))
        values = np.array([self._value(each, wish, usual) for each in found])
        copied = self._copied(found, wish)
        if copied is not None and wish.most_copied is not None:
            values += np.where(copied > wish.most_copied, COPIED - copied, 0.0)
        if not self.sampling.greedy:
            values += NOISE * dice.gumbel(size=len(values))
        best = int(values.argmax())
        return Chosen(found[best], None if copied is None else int(copied[best]))

    # Drawing.

    def _drawn(
        self, song: Reading, dice: np.random.Generator, wish: Wish, head: list[int], drawer: Drawer
    ) -> tuple[list[Candidate], list[_Ending]]:
        """Draw lines; return them, and the rhyming words that could end their beginnings."""
        rows = [_Row() for _ in range(self.candidates)]
        going, reading = list(range(len(rows))), song.fork(len(rows))
        found: list[Candidate] = []
        endings: list[_Ending] = []
        worn = {} if wish.any_end else _runs(song.ids[0].tolist())
        for step in range(LONGEST):
            places = torch.tensor(dice.random(len(rows))[going])
            leaned = leaning(reading.logits, self.lean, self.sampling.style)
            scores = leaned.float().log_softmax(dim=-1)
            begun = [self._text(head + rows[i].ids) for i in going]
            if step or head:
                found += self._ends_here(rows, going, scores, begun, wish)
                endings += self._ends_with(rows, going, scores, begun, wish)
            logits = _without(leaned, reading.ids, worn)
            tokens = drawer.draw(logits, reading.ids, places, self._not_now(wish, bool(step or head)))
            staying = []
            for place, token in enumerate(tokens.tolist()):
                row, score = rows[going[place]], float(scores[place, token])
                if token in self.vocabulary.stops:
                    end = "song" if token == self.vocabulary.eos else "line"
                    mean = (sum(row.scores) + score) / (len(row.ids) + 1)
                    found.append(Candidate(tuple(row.ids), begun[place], mean=mean, end=end))
                elif wish.syllables is None or line_syllables(whole(begun[place])) <= wish.syllables + 1:
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

    def _not_now(self, wish: Wish, begun: bool) -> Tensor | None:
        """Return the tokens that cannot come next: where the plan decides, no end of the song and no empty line."""
        if wish.any_end:
            return None
        return torch.tensor([self.vocabulary.eos]) if begun else self.vocabulary.spared

    def _cut(self, row: _Row, head: list[int]) -> Candidate:
        """Return a line that found no end, as far as its words are whole."""
        kept = len(row.ids)
        while kept > 1 and whole(self._text(head + row.ids[:kept]) + " ") != self._text(head + row.ids[:kept]) + " ":
            kept -= 1
        mean = sum(row.scores[:kept]) / max(kept, 1)
        return Candidate(tuple(row.ids[:kept]), self._text(head + row.ids[:kept]), mean=mean, end="cut")

    def _text(self, ids: Sequence[int]) -> str:
        return self.vocabulary.writer.decode(ids)

    # Finishing.

    def _ends_here(
        self, rows: Sequence[_Row], going: Sequence[int], scores: Tensor, begun: Sequence[str], wish: Wish
    ) -> list[Candidate]:
        """Return the beginnings that have their syllables and may end here, where no rhyme is asked for."""
        if wish.syllables is None or wish.rhyme or not len(self.vocabulary.line_ends):
            return []
        ends = scores[:, self.vocabulary.line_ends].logsumexp(dim=-1).tolist()
        found = []
        for place, number in enumerate(going):
            if line_syllables(begun[place]) == wish.syllables:
                row = rows[number]
                mean = (sum(row.scores) + ends[place]) / (len(row.ids) + 1)
                found.append(Candidate(tuple(row.ids), begun[place], put=ends[place], mean=mean))
        return found

    def _ends_with(
        self, rows: Sequence[_Row], going: Sequence[int], scores: Tensor, begun: Sequence[str], wish: Wish
    ) -> list[_Ending]:
        """Return the rhyming words that the writer likes best after each beginning, if they leave it a good length."""
        if not wish.rhyme:
            return []
        ids, grades, beats = self.vocabulary.rhyming(wish.rhyme)
        if not len(ids):
            return []
        have = torch.tensor([line_syllables(text) for text in begun])
        off = _off(have[:, None] + beats, wish)
        weak = torch.tensor([self.vocabulary.words[token] in WEAK for token in ids.tolist()])
        values = scores[:, ids] + PERFECT_RHYME * (grades == Rhyme.PERFECT) + WEAK_END * weak + off
        values = values.masked_fill((off <= FURTHER_OFF) | (have[:, None] < 1), -torch.inf)
        best, which = values.topk(min(TRIED, len(ids)), dim=-1)
        found = []
        for place, number in enumerate(going):
            row = rows[number]
            for value, word in zip(best[place].tolist(), which[place].tolist(), strict=True):
                token = int(ids[word])
                if value > -torch.inf and self.vocabulary.words[token] not in wish.taken:
                    score = float(scores[place, token])
                    found.append(_Ending(value, (*row.ids, token), sum(row.scores) + score, score))
        return found

    def _finished(self, song: Reading, endings: list[_Ending], head: list[int]) -> list[Candidate]:
        """Read the most promising lines to their ends, to see whether the writer would end them there.

        A token may be a word in one place and the beginning of one in another (" re" of " rest"): where the writer would
        rather go on with it, it is no end.
        """
        best: dict[tuple[int, ...], _Ending] = {}
        for ending in sorted(endings, key=lambda each: -each.score):
            best.setdefault(ending.ids, ending)
        chosen = list(best.values())[: max(self.candidates, CANDIDATES)]
        if not chosen:
            return []
        length = max(len(ending.ids) for ending in chosen)
        padded = torch.tensor([[*e.ids, *[e.ids[-1]] * (length - len(e.ids))] for e in chosen])  # nothing looks ahead
        logits = song.fork(len(chosen)).feed(padded)
        last = torch.tensor([len(ending.ids) - 1 for ending in chosen])
        logits = leaning(logits[torch.arange(len(chosen)), last], self.lean, self.sampling.style)
        scores = logits.float().log_softmax(dim=-1)
        ends = scores[:, self.vocabulary.spared].logsumexp(dim=-1).tolist()
        goes_on = scores[:, self.vocabulary.continuing].exp().sum(dim=-1).tolist()
        return [
            Candidate(e.ids, self._text([*head, *e.ids]), e.word + end, (e.total + end) / (len(e.ids) + 1))
            for e, end, share in zip(chosen, ends, goes_on, strict=True)
            if share < HALF_WORD
        ]

    # Choosing.

    def _value(self, line: Candidate, wish: Wish, usual: float) -> float:
        """Return what a line is worth, in nats: what was put there, how it is worded, and what it meets.

        The best worded are those that are about as likely as lines of this writer ``usual``-ly are here: the likeliest are
        the dullest, mere repetitions (Meister et al., Locally typical sampling, 2023).
        """
        if wish.any_end:
            return 0.0  # nothing is asked for: a drawn line is as good as another, and the likeliest are the dullest
        end, key = last_word(line.text), texts.key(line.text)
        value = line.put - abs(line.mean - usual)
        if not end:
            return value + COPIED
        if wish.rhyme:
            grade = Rhyme.NONE if end in wish.taken else rhymes(end, wish.rhyme)
            value += PERFECT_RHYME if grade == Rhyme.PERFECT else 0.0 if grade == Rhyme.SLANT else MISSED_RHYME
        value += float(_off(torch.tensor(line_syllables(line.text)), wish))
        if wish.opens and len(self.vocabulary.rhyming(end)[0]) < FEW:
            value += HARD_TO_RHYME
        value += SAME_END if end in wish.taken else USED_END if end in wish.used else 0.0
        value += WEAK_END if end in WEAK else 0.0
        return value + UNTIDY * faults(line.text) + (SAME_LINE if key in wish.before else 0.0)

    def _copied(self, found: Sequence[Candidate], wish: Wish) -> NDArrayInt | None:
        if self.runs is None:
            return None
        return np.array(self.runs([f"{wish.words} {line.text}" for line in found]))


def faults(line: str) -> int:
    """Return how many slips a line has: `FAULTS`, and brackets without their other half."""
    odd = line.count("(") != line.count(")") or line.count("[") != line.count("]")
    return sum(len(fault.findall(line)) for fault in FAULTS) + odd


def _wilder(sampling: Sampling) -> list[Sampling]:
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


def _without(logits: Tensor, ids: Tensor, worn: dict[tuple[int, ...], list[int]]) -> Tensor:
    """Return logits that complete no run of tokens which the song has already."""
    if not worn:
        return logits
    logits = logits.clone()
    for row, last in enumerate(ids[:, 1 - FRESH :].tolist()):
        logits[row, worn.get(tuple(last), [])] = -1e4  # finite: where nothing else is left, it is drawn after all
    return logits


NDArrayInt = np.ndarray[tuple[int], np.dtype[np.int64]]


def _off(syllables: Tensor, wish: Wish) -> Tensor:
    """Return what lines lose for having other than the wanted syllables, and for being no line at all."""
    if wish.syllables is not None:
        off = (syllables - wish.syllables).abs()
        near = torch.tensor(SYLLABLE_OFF)[off.clamp(max=len(SYLLABLE_OFF) - 1)]
        return near + FURTHER_OFF * (off - len(SYLLABLE_OFF) + 1).clamp(min=0)
    if wish.about is not None:  # a third shorter or longer than its partner is no matter
        off = ((syllables - wish.about).abs() - max(2, wish.about // 3)).clamp(min=0)
        return -1.0 * off
    return -2.0 * (3 - syllables).clamp(min=0) - 1.0 * (syllables - 16).clamp(min=0)
