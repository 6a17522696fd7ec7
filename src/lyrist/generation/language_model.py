"""The language model of the composer: three calls, and their implementation for models of `transformers` and n-grams.

`lines` samples continuations, `score` returns the log-probability of given ones, `next_words` that of single words. Every call
starts from a prefix: the text of the song so far. The model itself adds what precedes the song (conditions, or the prompt of a
chat model). `LocalModel` keeps the states of the last prefixes, so a song is read once, and the distributions after each token of
the last sampled lines, so `next_words` after one of their beginnings costs a look-up. `lyrist.generation.endpoint` implements the
same calls for servers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from lyrist.errors import LyristError
from lyrist.generation.batching import DecodingState, EqualSongs, PaddedSongs, SongTree, TreeSongs
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import SongStart, Vocabulary
from lyrist.generation.sampling import TokenSampler, add_style_bias

LONGEST = 40
"""Maximum tokens of a line."""
STRAGGLING = 0.6
"""Share of the rows of a request with a check of its beginnings: if fewer are in progress in a pretrained model, they are
returned as beginnings. A pass of a small model costs little."""
REMEMBERED = 3
"""Prefixes whose states are kept, besides the empty one."""
LARGE = 8192
"""Tokens of a vocabulary in which most common words are one token."""
FRESH = {True: 3, False: 5}
"""Tokens of a run that is not sampled again in a song with a form, for large vocabularies and for small ones."""
IMPOSSIBLE = -1e4
"""Logit of an excluded token: finite, so that it can still be sampled if nothing else is left."""

_END = re.compile(r"[\s,.;:!?…-]*\n")


class ModelFailedError(LyristError):
    """The language model failed while it wrote; what is written is kept."""


@dataclass(frozen=True)
class Continuation:
    """A sampled continuation of a prefix, without the stop string."""

    text: str
    logprob: float
    """Of the text and of its end."""
    tokens: tuple[tuple[str, float], ...] = ()
    """Text and log-probability of each token, without the end."""
    ended: str = "line"
    """``line``: at the stop string; ``song``: the model ended the song; ``cut``: neither, the text is a beginning."""


class LanguageModel(Protocol):
    """What the composer needs of a language model."""

    vocabulary: frozenset[str] | None
    """Words that `next_words` scores without a further call of the model; None: no list is known."""
    headers: frozenset[str]
    """Section names that the model reads as headers."""
    scores: bool
    """Whether `score` and `next_words` are available."""
    pieces: bool
    """Whether it was trained on few songs and may join pieces of words to words that do not exist."""

    def lines(
        self,
        prefix: str,
        n: int,
        *,
        stop: str = "\n",
        temperature: float,
        seed: int,
        keep: Callable[[str], bool] | None = None,
        empty: bool = False,
        hint: str = "",
    ) -> list[Continuation]:
        """Sample continuations up to ``stop``.

        Parameters
        ----------
        prefix
            Text of the song so far.
        n
            Number of continuations.
        stop
            The string at which they end.
        temperature
            Sampling temperature; 0 is greedy.
        seed
            Random seed.
        keep
            A beginning for which this is False is not continued and returned as ``cut``; its last word may be incomplete.
        empty
            Whether a continuation may be empty or end the song.
        hint
            The constraints in a sentence, for a model that cannot score words.
        """

    def score(self, prefix: str, continuations: Sequence[str]) -> list[float]:
        """Return the log-probability of each continuation in nats."""

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""

    def next_words(self, prefix: str, words: Sequence[str]) -> list[float]:
        """Return the log-probability of each word, with a space before it, directly after ``prefix``."""


@dataclass(frozen=True)
class LineRequest:
    """The arguments of a call of `LanguageModel.lines`."""

    model: LanguageModel
    prefix: str
    n: int
    temperature: float
    seed: int
    keep: Callable[[str], bool] | None = None
    empty: bool = False
    hint: str = ""

    def answer(self) -> list[Continuation]:
        """Return the continuations."""
        return self.model.lines(
            self.prefix, self.n, temperature=self.temperature, seed=self.seed, keep=self.keep, empty=self.empty,
            hint=self.hint,
        )  # fmt: skip


Answer = TypeVar("Answer")
Composition = Generator[LineRequest, list[Continuation], Answer]
"""A computation that yields its requests for lines and is sent the lines, so that several can share a batch."""


def composed(steps: Composition[Answer]) -> Answer:
    """Return the value of a computation; each of its requests is answered alone."""
    try:
        request = next(steps)
        while True:
            try:
                lines = request.answer()
            except ModelFailedError as error:  # what is written is kept
                request = steps.throw(error)
            else:
                request = steps.send(lines)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def answer_together(requests: Sequence[LineRequest]) -> list[list[Continuation]]:
    """Answer the requests of several songs in one batch; models that cannot be batched are called one after another.

    The lines are those of each request alone, except for rounding in the last bit.
    """
    samplings: dict[int, _LineSampling] = {}
    batches: dict[int, PaddedSongs] = {}
    for place, request in enumerate(requests if len(requests) > 1 else ()):
        if not isinstance(request.model, LocalModel):
            continue
        sampling = _LineSampling(request.model, request)
        part = sampling.song.fork(request.n).padded([sampling] * request.n, LONGEST)
        if part is None:
            continue
        samplings[place] = sampling
        batch = batches.setdefault(id(request.model.start.writer.model), part)
        if batch is not part:
            batch.join(part)
    for batch in batches.values():
        _sample(batch)
    return [samplings[at].found if at in samplings else each.answer() for at, each in enumerate(requests)]


@torch.inference_mode()
def _sample(batch: PaddedSongs | EqualSongs | TreeSongs) -> None:
    """Sample lines token by token until all have ended; ``songs`` of the batch are the sampling of each row."""
    for step in range(LONGEST):
        samplings: list[_LineSampling] = list(dict.fromkeys(batch.songs))
        logits, first = batch.logits, 0
        kept: list[int] = []
        tokens: list[int] = []
        for sampling in samplings:
            rows = len(sampling.going)
            staying = sampling.draw(logits[first : first + rows])
            kept += [first + place for place in staying]
            tokens += sampling.last
            first += rows
        if not kept or step + 1 == LONGEST:
            break
        if len(kept) < first:
            batch.keep(kept)
        batch.feed(samplings[0].model.start.writer.model, tokens)
    for sampling in samplings:
        sampling.end()


@dataclass(eq=False)
class _LineSampling:
    """Continuations of one prefix in progress."""

    model: LocalModel
    request: LineRequest
    found: list[Continuation] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    """The last tokens of the rows in progress."""

    def __post_init__(self) -> None:
        model, request = self.model, self.request
        self.song = model.read(request.prefix)
        self.ids = self.song.ids.expand(request.n, -1)
        self.rng = np.random.default_rng(request.seed)
        self.sampler = model.sampler(request.temperature)
        self.overused = {} if request.empty else model.runs(self.song.ids[0].tolist())
        self.rows: list[list[tuple[int, float]]] = [[] for _ in range(request.n)]
        self.going = list(range(request.n))
        line = request.prefix[: request.prefix.rfind("\n") + 1]
        model.after = {text: scores for text, scores in model.after.items() if text.startswith(line)}

    def draw(self, logits: Tensor) -> list[int]:
        """Sample the next token of each row in progress; return the places of the rows that are continued."""
        model, song, keep = self.model, self.song, self.request.keep
        places = torch.tensor(self.rng.random(len(self.rows))[self.going])
        biased = add_style_bias(logits, model.start.bias, model.sampling.style)
        scores = biased.float().log_softmax(dim=-1)
        texts = [model.text(song, self.rows[row]) for row in self.going]
        model.after |= {self.request.prefix + text: scores[place] for place, text in enumerate(texts)}
        begun = self.ids.shape[1] > song.ids.shape[1]
        excluded = None if self.request.empty else torch.tensor([model.tokens.eos]) if begun else model.tokens.not_first
        tokens = self.sampler.draw(model.without(biased, self.ids, self.overused), self.ids, places, excluded)
        staying = []
        for place, token in enumerate(tokens.tolist()):
            row, logprob = self.rows[self.going[place]], float(scores[place, token])
            if token in model.tokens.stops:
                ended = "song" if token == model.tokens.eos else "line"
                self.found.append(model.continuation(song, row, logprob, ended))
            elif keep is not None and not keep(texts[place]):
                self.found.append(model.continuation(song, row, 0.0, "cut"))
            else:
                row.append((token, logprob))
                staying.append(place)
        if keep is not None and not model.pieces and len(staying) < STRAGGLING * len(self.rows):
            self.going = [self.going[place] for place in staying]
            self.end()
            staying = []
        self.going = [self.going[place] for place in staying]
        self.ids = torch.cat([self.ids[staying], tokens[staying][:, None]], dim=1)
        self.last = tokens[staying].tolist()
        return staying

    def end(self) -> None:
        """Return the rows in progress as beginnings, without their last tokens, which were not read."""
        self.found += [self.model.continuation(self.song, self.rows[row][:-1], 0.0, "cut") for row in self.going]


class LocalModel:
    """A writer of `lyrist.training.writer`, or a pretrained model of `transformers`, on this machine."""

    scores = True

    def __init__(self, start: SongStart, vocabulary: Vocabulary, sampling: SamplingOptions | None = None) -> None:
        """Create the model; the prompt of ``start`` is not read, it is part of the prefixes.

        Raises
        ------
        LyristError
            The tokenizer has no line end.
        """
        self.start, self.tokens = replace(start, prompt="", ids=()), vocabulary
        self.tokens.check_line_end()
        self.sampling = sampling or SamplingOptions()
        self.vocabulary: frozenset[str] | None = frozenset(vocabulary.words.values())
        added = start.writer.tokenizer.get_added_vocab()
        self.headers = frozenset(name[1:-1] for name in added if re.fullmatch(r"\[[a-z-]+\]", name))
        self._ids = {word: number for number, word in reversed(vocabulary.words.items())}
        self._fresh = FRESH[vocabulary.size >= LARGE]
        self._states: dict[str, DecodingState] = {}
        self._tree: tuple[str, int, SongTree] | None = None
        """The last prefix, the largest number of tokens after it, and their tree."""
        self.after: dict[str, Tensor] = {}
        self.pieces = not start.writer.prompt
        if start.writer.prompt:
            _by_column(start.writer.model)
        self.sampler = lru_cache(maxsize=16)(self._make_sampler)
        self._word_ids = lru_cache(maxsize=64)(self._find_words)

    # Sampling.

    @torch.inference_mode()
    def lines(
        self,
        prefix: str,
        n: int,
        *,
        stop: str = "\n",
        temperature: float,
        seed: int,
        keep: Callable[[str], bool] | None = None,
        empty: bool = False,
        hint: str = "",
    ) -> list[Continuation]:
        """Sample continuations; see `LanguageModel.lines`. Lines end at any token with a line end."""
        sampling = _LineSampling(self, LineRequest(self, prefix, n, temperature, seed, keep, empty, hint))
        tree = self._grown(prefix, sampling.song, LONGEST)
        songs = [sampling] * n
        _sample(EqualSongs(songs, sampling.song.fork(n)) if tree is None else TreeSongs(songs, tree))
        return sampling.found

    def continuation(self, song: DecodingState, row: list[tuple[int, float]], end: float, ended: str) -> Continuation:
        """Return a sampled row."""
        texts = [self.text(song, row[:length]) for length in range(len(row) + 1)]
        pieces = [(after[len(before) :], each[1]) for before, after, each in zip(texts, texts[1:], row, strict=False)]
        return Continuation(
            "".join(text for text, _ in pieces), sum(each for _, each in pieces) + end, tuple(pieces), ended
        )

    def _make_sampler(self, temperature: float) -> TokenSampler:
        own = replace(self.sampling, temperature=temperature)
        return TokenSampler(own, self.tokens.banned, self.tokens.spared, self.tokens.whole_words)

    def runs(self, ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
        """Return the tokens that followed each run of tokens, one shorter than `FRESH`."""
        found: dict[tuple[int, ...], list[int]] = {}
        for end in range(self._fresh - 1, len(ids)):
            if ids[end] not in self.tokens.stops:
                found.setdefault(tuple(ids[end - self._fresh + 1 : end]), []).append(ids[end])
        return found

    def without(self, logits: Tensor, ids: Tensor, overused: dict[tuple[int, ...], list[int]]) -> Tensor:
        """Return logits that exclude runs of tokens already in the song."""
        if not overused:
            return logits
        logits = logits.clone()
        for row, last in enumerate(ids[:, 1 - self._fresh :].tolist()):
            logits[row, overused.get(tuple(last), [])] = IMPOSSIBLE
        return logits

    # Scoring.

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self.tokens.ids(text))

    @torch.inference_mode()
    def score(self, prefix: str, continuations: Sequence[str]) -> list[float]:
        """Return log-probabilities; a line end at the end means every token that ends a line, or punctuation."""
        if not continuations:
            return []
        ends = [bool(_END.search(text)) for text in continuations]
        ids = [
            self.tokens.ids(_END.sub("", text) if end else text) for text, end in zip(continuations, ends, strict=True)
        ]
        end_ids = self.tokens.ids("\n")
        # The line end is read too, so that the next line can start there.
        rows = [[*row, *end_ids] if end and len(end_ids) == 1 else row for row, end in zip(ids, ends, strict=True)]
        found = []
        for tokens, logits, end in zip(ids, self._branches(prefix, rows), ends, strict=True):
            logits = logits[: len(tokens) + 1]
            scores = add_style_bias(logits, self.start.bias, self.sampling.style).float().log_softmax(dim=-1)
            total = scores[torch.arange(len(tokens)), torch.tensor(tokens, dtype=torch.long)].sum()
            if end:
                total = total + scores[-1, self.tokens.closing].logsumexp(dim=-1)
            found.append(float(total))
        return found

    @torch.inference_mode()
    def next_words(self, prefix: str, words: Sequence[str]) -> list[float]:
        """Return log-probabilities of words: a look-up for words of one token, `score` for the others."""
        after = self.after.get(prefix)
        if after is None:
            logits = add_style_bias(self.read(prefix).logits[0], self.start.bias, self.sampling.style)
            after = logits.float().log_softmax(dim=-1)
        places, ids, others = self._word_ids(tuple(words))
        if not others:
            found: list[float] = after[ids].tolist()
            return found
        values = np.zeros(len(words))
        values[places] = after[ids].numpy()
        values[list(others)] = self.score(prefix, [f" {words[place]}" for place in others])
        return list(map(float, values))

    def _find_words(self, words: tuple[str, ...]) -> tuple[list[int], Tensor, list[int]]:
        """Return the places of words of one token, their tokens, and the places of the other words."""
        places = [place for place, word in enumerate(words) if word in self._ids]
        ids = torch.tensor([self._ids[words[place]] for place in places], dtype=torch.long)
        return places, ids, [place for place, word in enumerate(words) if word not in self._ids]

    # Reading.

    def read(self, prefix: str) -> DecodingState:
        """Return the state after ``prefix``, from the longest prefix that was read before."""
        state, tokens = self._begun(prefix)
        if tokens:
            state.feed(torch.tensor([tokens]))
        return self._keep(prefix, state)

    def _branches(self, prefix: str, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return the logits before and after each token of several continuations."""
        song, read = self._begun(prefix)
        if not read:
            self._keep(prefix, song)
        tree = self._grown(prefix, song, len(read) + max(map(len, rows)))
        if tree is None:
            return self.read(prefix).feed_padded(rows)
        paths = tree.add([(0, [*read, *row]) for row in rows])
        found = [torch.stack([tree.logits[node] for node in path[len(read) :]]) for path in paths]
        if read:  # the tree began before the prefix
            self._tree = None
            self._keep(prefix, tree.song(read)[0])
        return found

    def _grown(self, prefix: str, song: DecodingState, tokens: int) -> SongTree | None:
        """Return the tree of continuations of a prefix, the last one or a new one; None if the model does not allow it."""
        if self._tree is None or self._tree[0] != prefix or self._tree[1] < tokens:
            tree = song.tree(tokens)
            self._tree = None if tree is None else (prefix, tokens, tree)
        return None if self._tree is None else self._tree[2]

    def _begun(self, prefix: str) -> tuple[DecodingState, list[int]]:
        """Return a state of the longest known beginning of ``prefix``, and the tokens of the rest."""
        if "" not in self._states:
            self._states[""] = DecodingState.of(self.start)
        known = max((text for text in self._states if prefix.startswith(text)), key=len)
        state = self._states.pop(known)
        self._states[known] = state  # the last is the latest
        if known == prefix:
            return state, []
        tokens, tree, self._tree = self.tokens.ids(prefix[len(known) :]), self._tree, None
        if tree is None or tree[0] != known:
            return state.fork(1), tokens
        state, read = tree[2].song(tokens)  # most of the line was sampled or scored there
        return state, tokens[read:]

    def _keep(self, prefix: str, state: DecodingState) -> DecodingState:
        """Keep the state after a prefix, and of others the last ones."""
        self._states[prefix] = state
        for text in [text for text in self._states if text][:-REMEMBERED]:
            del self._states[text]
        return state

    def text(self, song: DecodingState, row: Sequence[tuple[int, float]]) -> str:
        """Return the text of tokens after the song; tokenizers that mark word starts need the tokens before."""
        before = song.ids[0, -2:].tolist()
        decode = self.start.writer.decode
        return decode([*before, *(token for token, _ in row)])[len(decode(before)) :]


def _by_column(model: Any) -> None:
    """Lay the float32 weights of linear layers out by column: products with a dozen rows then take half the time on a CPU."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            weight = layer.weight
            if weight.dtype == torch.float32 and weight.is_cpu and weight.is_contiguous():
                weight.data = weight.data.t().contiguous().t()
