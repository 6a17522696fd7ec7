"""The composer: songs line by line over any language model, each line the best of many candidates.

For a line, the model samples a dozen or two lines. Few of them end as required, but each contains many beginnings. After each
beginning the model has a probability for every word, so its most likely words that may end the line are tried there: those that
rhyme, or, where a later line must rhyme, content words with several rhymes. Sampled and completed lines are compared by their
log-probability and by the constraints that they meet. A constraint outweighs the wording, which decides between lines that meet
all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lyrist import text as texts
from lyrist.corpus.cleaning.rules import KEPT
from lyrist.errors import UsageError
from lyrist.generation.batching import generator
from lyrist.generation.config import SamplingOptions
from lyrist.generation.form import REPEATED, FormSection, SongLine, SongPlan, metre_misses, partners
from lyrist.generation.language_model import Composition, Continuation, LanguageModel, LineRequest, ModelFailedError
from lyrist.generation.wording import (
    apposed,
    cliches,
    content_words,
    end_words,
    ends_with,
    faults,
    known_words,
    three_grams,
    unknown_words,
    weak,
)
from lyrist.text.rhyme import (
    Rhyme,
    agreeing_syllables,
    internal_rhymes,
    last_word,
    line_syllables,
    rhymes,
    rhyming,
    syllables,
)

ATTEMPTS = 6
"""Most attempts for a line whose candidates all copy or miss a constraint, each at a higher temperature."""
HOTTER = 1.25
TRIED = 3
"""Words tried after each beginning."""
COMPLETED = {True: 16, False: 8}
"""Completed lines that are scored, for models that write words in pieces, which are small, and for others."""
UNSEEN = 3
"""Factor of `COMPLETED` for a model that does not rank the words beforehand."""
RERANKED = 2
"""Best candidates whose relation to the title and to the next given line is scored."""
NOISE = 0.5
"""Scale of the Gumbel noise of the selection, in nats, which varies the choice between equal candidates."""
HEADED = 0.5
"""Probability that the candidates of the hook line start with the title; otherwise they can end with it."""
RETRIED = -7.0
"""Sum of the scores of missed constraints at which a line is sampled again."""

# Scores in nats.
MISSED = -15.0
"""A rhyme, a syllable count off by more than one, a repeated run of three words, or an avoided word."""
NEAR = -5.0
SYLLABLE_OFF = (0.0, -2.0, -8.0)
FURTHER_OFF = -4.0
SAME_LINE = -8.0
SAME_END = -6.0
SAME_WORD = -4.0
"""A rhyme of *tonight* with *night*."""
USED_END = -1.5
WEAK_END = -8.0
HARD_TO_RHYME = -6.0
UNTIDY = -4.0
REPEATED_WORDS = -4.0
"""If all content words of a line occur in earlier lines."""
TWICE = -3.0
"""For each content word that a line repeats."""
PIECE = -6.0
"""For each word that is not a common one, by a model that writes words in pieces."""
SAME_OPENING = -1.5
"""The first two words of an earlier line."""
SAME_START = -0.7
"""For each of the last `RECENT` lines that starts with the same word."""
RECENT = 4
APPOSED = -2.0
"""For a phrase after a comma (see `wording.apposed`), for each earlier line with one, up to two."""
CLICHE = -3.0
EMPTY = -2.0
"""Fewer than two content words."""
USED_WORD = 5.0
TITLE = 8.0
LIKE = 2.0
"""For each content word of a line that it should resemble, up to three."""
INTERNAL = 4.0
MULTI = -4.0
"""For each further syllable that should rhyme."""
STRESS_OFF = -2.5
COPIED = -100.0
TOPIC = 0.4
"""Weight of the gain in log-probability by title and topic."""
GAIN = 5.0
"""Largest gain that counts, in nats; a candidate that it cannot make the best is not scored."""
FOLLOWING = 0.3
"""Weight of the log-probability of the given next line."""
INSERTED = 0.65
"""Weight of the log-probability of an inserted end."""

Runs = Callable[[Sequence[str]], list[int]]
"""Returns for each text the words of its longest run from a training song."""


@dataclass(frozen=True)
class LineSpec:
    """Constraints of a line."""

    rhyme: str = ""
    """Word that the line end must rhyme with."""
    rhyming_line: str = ""
    """Line that ends with this word."""
    opens: bool = False
    """Whether a later line must rhyme with it."""
    syllables: int | None = None
    about: int | None = None
    """Preferred syllables without a syllable constraint: those of the rhyming line."""
    metre: str = ""
    near: bool = False
    """Whether a near rhyme is as good as a perfect one."""
    internal: bool = False
    """Whether two words in the line should rhyme."""
    matched: int = 1
    """Syllables at the end that must agree in their vowels."""
    language: str = "en"
    subject: str = ""
    """Title and topic of the song."""
    title: str = ""
    """Words that the line should contain: the title in the hook."""
    use: frozenset[str] = frozenset()
    """Words that should occur and have not yet."""
    avoid: frozenset[str] = frozenset()
    any_end: bool = False
    """Whether the line may be empty or end the song."""
    taken: frozenset[str] = frozenset()
    """Last words of the lines in its section."""
    lines: tuple[str, ...] = ()
    """Lines so far."""
    rejected: frozenset[str] = frozenset()
    """Further lines that must not be written, as keys of `lyrist.text.key`."""
    like: tuple[str, ...] = ()
    """Lines that it should resemble."""
    next: str = ""
    """The following line, if it is given."""
    words: str = ""
    """Last words of the song, where copied runs may start."""
    max_copied: int | None = None
    """Maximum words of a run copied from a training song."""


@dataclass(frozen=True)
class LineCandidate:
    """A candidate line, sampled whole or completed with a word."""

    text: str
    mean: float
    """Mean log-probability of its sampled words."""
    put: float = 0.0
    """Log-probability of the inserted words and of the end after them."""
    total: float = 0.0
    """Log-probability of the line."""
    ended: str = "line"
    value: float = 0.0
    missed: bool = False
    """Whether it misses a constraint."""
    copied: int | None = None
    """Words of the longest copied run that includes part of the line, if looked up."""


class LineWriter:
    """Writes single lines with a language model."""

    def __init__(
        self,
        model: LanguageModel,
        sampling: SamplingOptions,
        *,
        candidates: int = 24,
        runs: Runs | None = None,
        generic: LanguageModel | None = None,
    ) -> None:
        """Create the writer.

        Parameters
        ----------
        model
            The language model.
        sampling
            Its sampling options; the temperature rises with each attempt.
        candidates
            Lines sampled for each line; 1 if sampling is greedy.
        runs
            Finds runs copied from training songs.
        generic
            The same model without title and topic; lines that are likelier with them than without are preferred.
        """
        self.model, self.sampling, self.runs, self.generic = model, sampling, runs, generic
        self.candidates = 1 if sampling.greedy else candidates
        self._rhyming = lru_cache(maxsize=512)(self._find_rhyming)

    def write(
        self, prefix: str, rng: np.random.Generator, spec: LineSpec, head: str = ""
    ) -> Composition[LineCandidate]:
        """Find the next line of a song.

        Parameters
        ----------
        prefix
            The song so far, up to a line end.
        rng
            Random generator of the song.
        spec
            Constraints of the line.
        head
            The given beginning of the line.
        """
        best = (yield from self.rank(prefix, rng, spec, head))[0]
        for attempt in range(1, ATTEMPTS):
            copies = best.copied is not None and spec.max_copied is not None and best.copied > spec.max_copied
            if not copies and (self.sampling.greedy or not best.missed):
                break
            other = (yield from self.rank(prefix, rng, spec, head, attempt))[0]
            best = max(best, other, key=lambda each: each.value)
        return best

    def rank(
        self, prefix: str, rng: np.random.Generator, spec: LineSpec, head: str = "", attempt: int = 0
    ) -> Composition[list[LineCandidate]]:
        """Find the candidates of one attempt, the best first."""
        temperature = (self.sampling.temperature or 0.8) * HOTTER**attempt if attempt else self.sampling.temperature
        heads = [(head, self.candidates)]
        if spec.title and not head and rng.random() < HEADED:
            heads = [(spec.title, self.candidates)]
        elif spec.like and not head:
            headed = self.candidates // 3
            heads = [("", self.candidates - headed), (" ".join(" ".join(spec.like).split()[:2]), headed)]
        songs = frozenset(run for line in spec.lines for run in three_grams(line)) - three_grams(spec.title)
        keep = None if spec.any_end else partial(self._promising, spec, songs)
        hint = "" if self.model.scores or spec.any_end else self._hint(spec)
        drawn: list[tuple[str, Continuation]] = []
        for start, count in heads:
            if count:
                promising = None if keep is None else partial(keep, start)
                seed = int(rng.integers(2**31))
                lines = yield LineRequest(
                    self.model, prefix + start, count, temperature, seed, promising, spec.any_end, hint
                )
                drawn += [(start, line) for line in lines]
        sampled = [_sampled(start, line) for start, line in drawn]
        usual = float(np.median([each.mean for each in sampled]))
        found = [each for each in sampled if each.ended != "cut"]
        if not spec.any_end and self.model.scores:
            found += self._completed(prefix, drawn, spec, rng)
        if spec.title and not head and spec.syllables and abs(length(spec.title, spec.language) - spec.syllables) <= 1:
            found.append(LineCandidate(spec.title, usual))
        found = found or [replace(each, text=_whole_words(each.text)) for each in sampled]
        judged = [self._judged(each, spec, usual, songs) for each in dict.fromkeys(found)]
        judged = self._without_copies(judged, spec)
        if not self.sampling.greedy:
            noise = NOISE * rng.gumbel(size=len(judged))
            judged = [replace(each, value=each.value + more) for each, more in zip(judged, noise.tolist(), strict=True)]
        judged.sort(key=lambda each: -each.value)
        if not spec.any_end and self.model.scores:
            close = [each for each in judged[:RERANKED] if spec.next or judged[0].value - each.value < 2 * TOPIC * GAIN]
            if len(close) > 1:
                judged[: len(close)] = self._reranked(prefix, close, spec)
        return sorted(judged, key=lambda each: -each.value)

    def _promising(self, spec: LineSpec, songs: frozenset[tuple[str, ...]], start: str, begun: str) -> bool:
        """Return whether a beginning of whole words is worth continuing.

        Lines end with inserted words where the model can score them, so a line that lacks one syllable is not continued.
        """
        begun = start + begun
        if spec.syllables is not None:
            most = spec.syllables - 2 if self.model.scores and len(self.ends(spec)[0]) else spec.syllables + 1
            if length(begun, spec.language) > most:
                return False
        if spec.metre and metre_misses(begun, spec.metre, spec.language) > 1:
            return False
        return not (three_grams(begun) & songs) and not (spec.avoid and spec.avoid & set(texts.words(begun)))

    def _hint(self, spec: LineSpec) -> str:
        """Return the constraints of a line in words."""
        parts = [f"It has {spec.syllables} syllables."] if spec.syllables else []
        if spec.rhyme:
            parts.append(f"Its last word rhymes with '{spec.rhyme}', such as {', '.join(self.ends(spec)[0][:8])}.")
        parts += [f'It contains "{spec.title}".'] if spec.title else []
        parts += [f"It contains the word {min(spec.use)}."] if spec.use else []
        return " ".join(parts)

    # Completing.

    def _completed(
        self, prefix: str, drawn: Sequence[tuple[str, Continuation]], spec: LineSpec, rng: np.random.Generator
    ) -> list[LineCandidate]:
        """Return beginnings of the sampled lines, each with an end that the model finds likely there."""
        begun: dict[str, float] = {}
        for start, line in drawn:
            for text, logprob in _beginnings(start, line):
                begun.setdefault(text, logprob)
        lengths = {text: length(text, spec.language) for text in begun}
        pairs = self._with_title(begun, lengths, spec) + self._with_words(prefix, begun, lengths, spec, rng)
        lines = [f"{text} {end}" for text, end in pairs]
        totals = self.model.score(prefix, [line + "\n" for line in lines])
        return [
            LineCandidate(line, begun[text] / max(1, len(texts.words(text))), total - begun[text], total)
            for line, total, (text, _) in zip(lines, totals, pairs, strict=True)
        ]

    def _with_words(
        self, prefix: str, begun: dict[str, float], lengths: dict[str, int], spec: LineSpec, rng: np.random.Generator
    ) -> list[tuple[str, str]]:
        """Return the most promising pairs of a beginning and a word that ends the line."""
        ends, grades, beats = self.ends(spec)
        if not ends or not begun:
            return []
        known = {word for line in spec.lines for word in texts.words(line)} | spec.taken | spec.avoid
        base = np.where(np.isin(ends, list(known)), -np.inf, 0.0) + np.where(grades == Rhyme.PERFECT, 0.0, NEAR)
        wanted = np.isin(ends, list(spec.use))
        found: list[tuple[float, str, str]] = []
        for text, length in lengths.items():
            off = _off(length + beats, spec)
            value = base + off + USED_WORD * wanted
            value[(off <= SYLLABLE_OFF[-1]) | (length < 1)] = -np.inf
            if not np.isfinite(value).any():
                continue
            if self.model.vocabulary is not None:
                value = value + np.array(self.model.next_words(prefix + text, ends))
            else:  # a call for each beginning would be slow: frequent words are tried at random
                value = value - np.log1p(np.arange(len(ends))) / 2 + rng.gumbel(size=len(ends))
            for place in np.argsort(-value, kind="stable")[: TRIED * spec.matched]:
                if np.isfinite(value[place]):
                    found.append((float(value[place]) + self._sound(f"{text} {ends[place]}", spec), text, ends[place]))
        found.sort(key=lambda each: -each[0])
        most = COMPLETED[self.model.pieces] * (1 if self.model.vocabulary is not None else UNSEEN)
        return [(text, word) for _, text, word in found[:most]]

    def _sound(self, line: str, spec: LineSpec) -> float:
        """Return the part of a line's value that its sound decides, besides rhyme and syllables."""
        found = STRESS_OFF * metre_misses(line, spec.metre, spec.language) if spec.metre else 0.0
        if spec.rhyme and spec.matched > 1:
            found += MULTI * max(0, spec.matched - agreeing_syllables(spec.rhyming_line, line, spec.language))
        return found + (INTERNAL if spec.internal and internal_rhymes([line], spec.language) else 0.0)

    def _with_title(self, begun: dict[str, float], lengths: dict[str, int], spec: LineSpec) -> list[tuple[str, str]]:
        """Return beginnings that the title can complete, if it may end the line."""
        end = last_word(spec.title)
        if (
            not end
            or weak(end, spec.language)
            or (spec.rhyme and rhymes(end, spec.rhyme, spec.language) < _least(spec))
        ):
            return []
        if spec.opens and end not in end_words(self.model.vocabulary, spec.language):
            return []
        beats = length(spec.title, spec.language)
        off = {text: float(_off(np.array(lengths[text] + beats), spec)) for text in begun}
        fitting = sorted(
            (text for text in begun if off[text] > SYLLABLE_OFF[-1] and lengths[text]), key=lambda t: -off[t]
        )
        return [(text, spec.title) for text in fitting[: COMPLETED[False] // 2]]

    def ends(self, spec: LineSpec) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
        """Return the words that may end the line, their grades as rhymes and their syllables."""
        if spec.rhyme:
            return self._rhyming(spec.rhyme, spec.language, _least(spec))
        if spec.opens or spec.syllables is not None:
            return self._rhyming("", spec.language, Rhyme.PERFECT)
        return (), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    def _find_rhyming(
        self, word: str, language: str, least: Rhyme
    ) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
        """Return the known words that rhyme with ``word``, or without one those that have rhymes."""
        if word:
            known = known_words(self.model.vocabulary, language)
            found = rhyming(word, language, least, vocabulary=known)
            found = [other for other in found if not ends_with(word, other, language)] or found
            graded = [(other, rhymes(word, other, language)) for other in found]
        else:
            graded = [(other, Rhyme.PERFECT) for other in end_words(self.model.vocabulary, language)]
        words = tuple(other for other, _ in graded)
        grades = np.array([int(grade) for _, grade in graded], dtype=np.int64)
        return words, grades, np.array([syllables(other, language) or 0 for other in words], dtype=np.int64)

    def check_rhyme(self, line: str, plan: SongPlan) -> None:
        """Raise an error if the last word of a given line has no rhyme.

        Raises
        ------
        UsageError
            Neither the model nor the list of common words has one.
        """
        word, least = last_word(line), Rhyme.NEAR if plan.near or plan.matched > 1 else Rhyme.PERFECT
        if not self._rhyming(word, plan.language, least)[0] and not rhyming(word, plan.language, least):
            raise UsageError(
                f"No {'perfect ' if least == Rhyme.PERFECT else ''}rhyme with '{word}' is known, so '{line}' cannot be rhymed "
                f"with; change the line{', or use --near-rhymes' if least == Rhyme.PERFECT else ''}."
            )

    # Selecting.

    def _judged(
        self, line: LineCandidate, spec: LineSpec, usual: float, songs: frozenset[tuple[str, ...]]
    ) -> LineCandidate:
        """Return a candidate with its value in nats.

        Wording scores best near the ``usual`` mean log-probability of the candidates: the most likely lines are repetitions
        (Meister et al., Locally typical sampling, 2023).
        """
        if spec.any_end:
            return line  # no constraints: any sampled line will do
        text, end = line.text, last_word(line.text)
        words, content = texts.words(text), content_words(text, spec.language)
        value = INSERTED * line.put - 2.0 * max(0.0, usual - line.mean) - max(0.0, line.mean - usual)
        hard = 0.0 if end else COPIED
        if spec.rhyme:
            grade = Rhyme.NONE if end in spec.taken else rhymes(end, spec.rhyme, spec.language)
            hard += 0.0 if grade >= _least(spec) else NEAR if grade == Rhyme.NEAR else MISSED
            value += SAME_WORD * ends_with(end, spec.rhyme, spec.language)
        off = float(_off(np.array(length(text, spec.language)), spec))
        value += self._sound(text, spec)
        hard += MISSED if three_grams(text) & songs else 0.0
        hard += MISSED if spec.avoid & set(words) else 0.0
        hard += WEAK_END if weak(end, spec.language) and (spec.rhyme or spec.opens) else 0.0
        hard += SAME_END if end in spec.taken else 0.0
        if spec.opens and end not in end_words(self.model.vocabulary, spec.language):
            hard += HARD_TO_RHYME
        key = texts.key(text)
        hard += SAME_LINE if key in spec.rejected or key in map(texts.key, spec.lines) else 0.0
        used = {word for each in spec.lines for word in content_words(each, spec.language)}
        value += REPEATED_WORDS * len(used & set(content)) / max(1, len(content))
        value += USED_END if end in {last_word(each) for each in spec.lines} else 0.0
        value += SAME_OPENING * any(texts.words(each)[:2] == words[:2] for each in spec.lines)
        value += SAME_START * sum(texts.words(each)[:1] == words[:1] for each in spec.lines[-RECENT:])
        value += APPOSED * min(2, sum(map(apposed, spec.lines))) * apposed(text)
        value += EMPTY if len(set(content)) < 2 else 0.0
        value += TWICE * (len(content) - len(set(content)))
        if self.model.pieces and spec.language == "en":
            value += PIECE * len(unknown_words(text) - set(texts.words(" ".join([*spec.lines, spec.subject]))))
        value += UNTIDY * faults(text) + CLICHE * cliches(text, spec.subject)
        value += USED_WORD * len(spec.use & set(words))
        value += TITLE if spec.title and texts.key(spec.title) in key and off > SYLLABLE_OFF[-1] else 0.0
        value += 0.0 if weak(end, spec.language) else 1.0
        value += LIKE * min(
            3, len({word for each in spec.like for word in content_words(each, spec.language)} & set(content))
        )
        return replace(line, value=value + hard + off, missed=hard + off <= RETRIED)

    def _without_copies(self, found: list[LineCandidate], spec: LineSpec) -> list[LineCandidate]:
        """Return the candidates with the length of copied runs; those above the maximum lose."""
        if self.runs is None:
            return found
        copied = self.runs([f"{spec.words} {line.text}" for line in found])
        most = 10**9 if spec.max_copied is None else spec.max_copied
        return [
            replace(line, copied=int(count), value=line.value + (COPIED - count if count > most else 0.0))
            for line, count in zip(found, copied, strict=True)
        ]

    def _reranked(self, prefix: str, best: list[LineCandidate], spec: LineSpec) -> list[LineCandidate]:
        """Return the best candidates with the gain of the title and the probability of the given next line in their values."""
        lines = [line.text + "\n" for line in best]
        gains = np.zeros(len(best))
        if self.generic is not None:
            without = np.array(self.generic.score(prefix, lines))
            gains += TOPIC * np.clip([line.total for line in best] - without, -GAIN, GAIN)
        if spec.next:
            following = [self.model.score(prefix + line, [spec.next + "\n"])[0] for line in lines]
            gains += FOLLOWING * (np.array(following) - np.mean(following))
        return [replace(line, value=line.value + gain) for line, gain in zip(best, gains.tolist(), strict=True)]


def _least(spec: LineSpec) -> Rhyme:
    """Return the lowest grade that counts as a rhyme."""
    return Rhyme.NEAR if spec.near or spec.matched > 1 else Rhyme.PERFECT


def length(text: str, language: str) -> int:
    """Return the syllables of a text; 0 if they are not measured."""
    return line_syllables(text, language) or 0


def tidy(text: str) -> str:
    """Return a line without the punctuation at its end, except ! and ?, and without the spaces around it."""
    return re.sub(r"[\s,.;:…-]+$", "", text.strip())


def _whole_words(text: str) -> str:
    """Return a text without its last word, which may be incomplete, if it has others."""
    return text.rpartition(" ")[0] or text


def _sampled(start: str, line: Continuation) -> LineCandidate:
    sampled = sum(logprob for _, logprob in line.tokens)
    mean = sampled / max(1, len(texts.words(line.text)))
    return LineCandidate(start + line.text, mean, total=line.logprob, ended=line.ended)


def _beginnings(start: str, line: Continuation) -> Iterator[tuple[str, float]]:
    """Yield the beginnings of a sampled line that end with a whole word, with their log-probabilities."""
    text, total = start, 0.0
    for (piece, logprob), (following, _) in pairwise([*line.tokens, (" ", 0.0)]):
        text, total = text + piece, total + logprob
        if following.startswith(" ") and text.strip() and text[-1:].isalnum():
            yield text, total


def _off(beats: NDArray[np.int64], spec: LineSpec) -> NDArray[np.float64]:
    """Return the penalty for the wrong number of syllables, or for very short and long lines."""
    if spec.syllables is not None:
        off = np.abs(beats - spec.syllables)
        near = np.array(SYLLABLE_OFF)[np.minimum(off, len(SYLLABLE_OFF) - 1)]
        found: NDArray[np.float64] = near + FURTHER_OFF * np.maximum(off - len(SYLLABLE_OFF) + 1, 0)
        return found
    if spec.about is not None:  # up to a third shorter or longer than the rhyming line is free
        return np.asarray(-1.0 * np.maximum(np.abs(beats - spec.about) - max(2, spec.about // 3), 0))
    return np.asarray(-2.0 * np.maximum(3 - beats, 0) - 1.0 * np.maximum(beats - 16, 0))


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
    """``"plan"``: the form is complete; ``"end"``: by the writer; ``"length"``: by --max-tokens; ``"failed"``: the model
    failed after these lines."""
    failure: str = ""
    """Why the model failed."""


class Composer:
    """Writes songs line by line."""

    def __init__(self, writer: LineWriter, plan: SongPlan, max_tokens: int = 10**9, prompt: str = "") -> None:
        self.writer, self.plan, self.max_tokens, self.prompt = writer, plan, max_tokens, prompt

    def write(
        self, number: int, seed: int, on_text: Callable[[str], object] | None = None
    ) -> Composition[ComposedSong]:
        """Write song ``number``; ``on_text`` is called with its text after each line."""
        song = _Song(self, number, seed, on_text)
        try:
            return (yield from song.planned() if self.plan.sections else song.free())
        except ModelFailedError as error:
            if not song.tokens:
                raise
            return replace(song.done("failed"), failure=str(error))


class _Song:
    """One song in progress."""

    def __init__(self, composer: Composer, number: int, seed: int, on_text: Callable[[str], object] | None) -> None:
        self.composer, self.plan, self.on_text = composer, composer.plan, on_text
        self.rng = generator(seed, number)
        self.lines: list[SongLine] = []
        self.text = self.prefix = ""
        self.tokens = 0

    # With a form.

    def planned(self) -> Composition[ComposedSong]:
        """Write the sections of the form."""
        given, head = _given(self.composer.prompt)
        if len(given) > sum(section.lines for section in self.plan.sections if section.repeats is None):
            raise UsageError(f"The prompt has {len(given)} lines, more than --form has; give a longer form.")
        self._check_given()
        for number, section in enumerate(self.plan.sections):
            if self.tokens >= self.composer.max_tokens:
                return self.done("length")
            if section.name in self.composer.writer.model.headers:
                self.prefix += f"[{section.name}]\n"
            if section.repeats is not None:
                self._repeat(section.repeats, number)
            else:
                given, head = yield from self._section(section, number, given, head)
        return self.done("plan")

    def _check_given(self) -> None:
        """Raise an error if a given line must rhyme with a new one but has no rhyme."""
        first, plan = 0, self.plan
        for section in plan.sections:
            lines = plan.sheet[first : first + section.lines]
            for place, partner in enumerate(partners(plan.scheme_of(section), section.lines)):
                pair = [] if partner is None or not lines else [lines[place], lines[partner]]
                if section.repeats is None and len(pair) == 2 and pair.count(None) == 1:
                    self.composer.writer.check_rhyme(next(line for line in pair if line is not None), plan)
            first += section.lines

    def _section(
        self, section: FormSection, number: int, given: list[str], head: str
    ) -> Composition[tuple[list[str], str]]:
        """Write one section; return the rest of the prompt."""
        first = len(self.lines)
        with_whom = partners(self.plan.scheme_of(section), section.lines)
        for place in range(section.lines):
            partner = with_whom[place]
            partner = None if partner is None else first + partner
            end = "\n\n" if place + 1 == section.lines else "\n"
            locked = self.plan.sheet[first + place] if self.plan.sheet else None
            if locked is None and given:
                locked, given = given[0], given[1:]
            if locked is not None:
                self._add(locked, number, partner, end)
            else:
                spec = self._spec(section, first, place, partner, with_whom)
                line = yield from self.composer.writer.write(self.prefix, self.rng, spec, head)
                self._add(tidy(line.text), number, partner, end, line)
                head = ""
        return given, head

    def _spec(
        self, section: FormSection, first: int, place: int, partner: int | None, with_whom: Sequence[int | None]
    ) -> LineSpec:
        """Return the constraints of line ``place`` in the section that starts at line ``first``."""
        plan = self.plan
        locked = {i: line for i, line in enumerate(plan.sheet[first : first + len(with_whom)]) if line is not None}
        to_come = [line for i, line in locked.items() if i > place]
        other = None if partner is None else self.lines[partner].text
        if other is None:  # the later line of the pair is locked: rhyme with it
            other = next((line for i, line in locked.items() if i > place and with_whom[i] == place), None)
        before, around = ([line.text for line in lines] for lines in (self.lines, self.lines[first:]))
        opening = place == 0 and section.name in REPEATED
        return LineSpec(
            rhyme="" if other is None else last_word(other),
            rhyming_line=other or "",
            metre=plan.metre,
            internal=plan.internal,
            matched=plan.matched,
            opens=any(with_whom[i] == place for i in range(place + 1, len(with_whom)) if i not in locked),
            syllables=plan.syllables_of(section),
            about=None if other is None else length(other, plan.language),
            near=plan.near,
            language=plan.language,
            title=plan.title if opening else "",
            subject=plan.subject,
            use=plan.use - {word for line in before for word in texts.words(line)},
            avoid=plan.avoid,
            taken=frozenset(map(last_word, [*around, *to_come])),
            lines=(*before, *to_come),
            rejected=plan.rejected,
            next=locked.get(place + 1, ""),
            words=self._words(),
            max_copied=plan.max_copied,
        )

    def _add(self, text: str, section: int, partner: int | None, end: str, line: LineCandidate | None = None) -> None:
        """Add a line to the song; without a candidate, a given one."""
        text = text.strip()
        plan, other = self.plan, None if partner is None else self.lines[partner]
        rhyme = multi = None
        if other is not None:
            rhyme = rhymes(last_word(text), last_word(other.text), plan.language)
            multi = agreeing_syllables(other.text, text, plan.language) >= plan.matched if plan.matched > 1 else None
        self.lines.append(
            SongLine(
                text, section, length(text, plan.language), plan.syllables_of(plan.sections[section]), partner, rhyme,
                given=line is None, answered=line is None and other is not None and not other.given,
                copied=line.copied if line else None, near=plan.near, multi=multi,
                metre_misses=metre_misses(text, plan.metre, plan.language) if plan.metre else None,
                internal=bool(internal_rhymes([text], plan.language)) if plan.internal else None,
            )
        )  # fmt: skip
        self.tokens += self.composer.writer.model.count(text) + 1 if line else 0
        self._show(text + end)

    def _repeat(self, section: int, number: int) -> None:
        """Repeat an earlier section word for word."""
        old = [line for line in self.lines if line.section == section and not line.repeated]
        for place, line in enumerate(old):
            end = "\n\n" if place + 1 == len(old) else "\n"
            moved = None if line.rhymes_with is None else line.rhymes_with + len(self.lines) - self.lines.index(line)
            self.lines.append(replace(line, section=number, rhymes_with=moved, repeated=True))
            self._show(line.text + end)

    # Without a form.

    def free(self) -> Composition[ComposedSong]:
        """Write lines until the writer ends the song, avoiding runs copied from training songs."""
        before, line_end, head = self.composer.prompt.rpartition("\n")
        self._show(before + line_end)
        while self.tokens < self.composer.max_tokens:
            spec = LineSpec(any_end=True, words=self._words(), max_copied=self.plan.max_copied)
            line = yield from self.composer.writer.write(self.prefix, self.rng, spec, head)
            self.lines.append(SongLine(line.text, 0, length(line.text, self.plan.language), copied=line.copied))
            self.tokens += self.composer.writer.model.count(line.text) + 1
            if line.ended == "song":
                self._show(line.text)
                return self.done("end")
            self._show(line.text + "\n")
            head = ""
        return self.done("length")

    # Both.

    def _words(self) -> str:
        """Return the last words of the song, where copied runs may start."""
        if self.plan.max_copied is None:
            return ""
        return " ".join(self.text.split()[-(self.plan.max_copied + _REACH) :])

    def _show(self, text: str) -> None:
        self.text, self.prefix = self.text + text, self.prefix + text
        if self.on_text is not None:
            self.on_text(self.text)

    def done(self, ended: str) -> ComposedSong:
        """Return the song as it is."""
        return ComposedSong(self.text.rstrip(), tuple(line for line in self.lines if line.text), self.tokens, ended)


def _given(prompt: str) -> tuple[list[str], str]:
    """Return the complete lines of a prompt, and the beginning of its last line."""
    *whole, head = prompt.split("\n")
    lines = [line for line in whole if line.strip() and not _HEADER.fullmatch(line.strip())]
    return lines, head
