"""The thread that generates songs with one writer.

Songs without constraints use continuous batching: requests join the batch while it runs and leave when they are done. Songs with
constraints are written line by line (`write_constrained`), the lines of several requests in one batch.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lyrist.errors import UsageError
from lyrist.evaluation.originality import Index
from lyrist.generation.batching import BatchScheduler, SongSequence
from lyrist.generation.config import MAX_TOKENS, GenerationConfig
from lyrist.generation.language_model import Composition
from lyrist.generation.prompts import SongStart, Vocabulary, cleaned, start
from lyrist.generation.write import OnText, WrittenSong, compose_in_steps
from lyrist.serving.requests import FairQueue, PendingRequest
from lyrist.training.scoring import token_scores


@dataclass(frozen=True)
class Token:
    """A token as it is returned to a client."""

    text: str
    """Its text; a character of several tokens belongs to the last of them."""
    offset: int
    """Where its text begins in the song with its prompt."""
    logprob: float | None
    """None for a token that nothing precedes."""
    top: tuple[tuple[str, float], ...] = ()
    """The most likely tokens at its place, with their log-probabilities."""

    @property
    def end(self) -> int:
        """Where its text ends."""
        return self.offset + len(self.text)


class TokenTexts:
    """Finds the text of each token of a song, one after another, in time that does not grow with the song."""

    def __init__(self, decode: Callable[[Sequence[int]], str], before: Sequence[int], offset: int) -> None:
        self._decode, self._last, self._offset = decode, list(before[-1:]), offset
        self._held: list[int] = []

    def add(self, number: int, logprob: float | None, top: Sequence[tuple[int, float]] = ()) -> Token:
        """Return the next token of the song."""
        self._held.append(number)
        text = self._decode([*self._last, *self._held])[len(self._decode(self._last)) :]
        if text.endswith("\ufffd"):  # the first bytes of a character
            text = ""
        else:
            self._last, self._held = [number], []
        alternatives = {self._decode([other]): value for other, value in reversed(top)}
        token = Token(text, self._offset, logprob, tuple(reversed(alternatives.items())))
        self._offset += len(text)
        return token


def cut(tokens: Sequence[Token], end: int) -> tuple[Token, ...]:
    """Return the tokens of a text that ends at a place, cut there, too; the texts of tokens beyond it are empty."""
    return tuple(replace(token, text=token.text[: max(0, end - token.offset)]) for token in tokens)


@dataclass(frozen=True)
class ScoredPrompt:
    """A prompt with the log-probabilities of its tokens."""

    text: str
    tokens: tuple[Token, ...]
    read: int
    """Number of tokens, those of the conditions included."""


@dataclass(frozen=True)
class ServedSong(WrittenSong):
    """A generated song with what the API reports about it."""

    prompt: str = ""
    """The cleaned prompt that ``text`` starts with."""
    prompt_tokens: int = 0
    """Tokens read before the first generated one: start token, conditions and prompt."""
    pieces: tuple[Token, ...] = ()
    """Its generated tokens with log-probabilities, if requested; see `cut`."""


@dataclass(frozen=True)
class GenerationRequest:
    """A request for songs."""

    config: GenerationConfig = field(default_factory=GenerationConfig)
    """Number of songs, sampling and constraints. The same seed writes the same songs, whatever else is in the batch."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Conditions of the writer: column to value."""
    prompt: str | None = None
    ids: tuple[int, ...] | None = None
    """Tokens of the prompt, instead of its text."""
    messages: tuple[Mapping[str, str], ...] = ()
    """A conversation for the chat template of the model, instead of a prompt."""
    stops: tuple[str, ...] = ()
    """A song ends before the first of these strings; not with constraints."""
    top_logprobs: int | None = None
    """Record the log-probability of each token, and of this many most likely alternatives; not with constraints."""
    on_text: OnText | None = None
    """``on_text(song, text, ended)`` is called in the generating thread after each token, or each line of a form.

    The text includes the prompt. The function must neither block nor raise."""
    on_token: Callable[[int, Token], object] | None = None
    """``on_token(song, token)`` is called before ``on_text`` for each generated token, if log-probabilities are requested."""


def own_tokenizer(writer: Any) -> Any:
    """Return the writer with a copy of its tokenizer: encoding changes a tokenizer, so each thread needs its own."""
    mine = copy.copy(writer)
    mine.tokenizer = copy.deepcopy(writer.tokenizer)
    return mine


@dataclass(eq=False)
class _Active:
    """A request in the worker, and its songs."""

    pending: PendingRequest[tuple[ServedSong, ...]]
    request: GenerationRequest
    songs: list[SongSequence] = field(default_factory=list)
    waiting: list[SongSequence] = field(default_factory=list)
    """Songs that have not joined the batch."""

    @property
    def most(self) -> int:
        """Maximum tokens of all songs."""
        return self.request.config.n * (self.request.config.max_tokens or MAX_TOKENS)


class GenerationWorker:
    """Generates songs without constraints for many requests at once."""

    def __init__(
        self,
        name: str,
        writer: Any,
        batch_size: int,
        threads: int | None = None,
        on_batch: Callable[[int], object] = lambda songs: None,
    ) -> None:
        """Start the thread.

        Parameters
        ----------
        name
            Name of the thread.
        writer
            A `lyrist.training.writer.Writer`.
        batch_size
            Maximum songs in the batch.
        threads
            PyTorch threads; None: PyTorch's setting.
        on_batch
            Called before each step with the number of songs in the batch.
        """
        self._writer, self._batch_size, self._threads, self._on_batch = (
            own_tokenizer(writer),
            batch_size,
            threads,
            on_batch,
        )
        self._vocabulary = Vocabulary(self._writer)
        self._scheduler = BatchScheduler(self._writer, self._vocabulary)
        self._queue: FairQueue[_Active] = FairQueue()
        self._active: list[_Active] = []
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, pending: PendingRequest[tuple[ServedSong, ...]], request: GenerationRequest) -> None:
        """Queue a request."""
        with self._change:
            self._queue.put(pending.client, _Active(pending, request))
            self._change.notify()

    def close(self) -> None:
        """Let the thread end when its queue is empty."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(5)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        while self._wait():
            self._drop_expired()
            self._admit()
            try:
                if len(self._scheduler):
                    self._on_batch(len(self._scheduler))
                    self._scheduler.step()
            except Exception as error:  # fail the active requests and serve the next ones
                for active in self._active:
                    active.pending.fail(error)
                self._active, self._scheduler = [], BatchScheduler(self._writer, self._vocabulary)
            self._answer_finished()

    def _wait(self) -> bool:
        """Wait for work; return False if the worker is closed and has none."""
        with self._change:
            self._change.wait_for(lambda: self._queue or self._active or not self._open)
            return bool(self._queue or self._active or self._open)

    def _drop_expired(self) -> None:
        """Remove requests that were cancelled or timed out."""
        for active in list(self._active):
            reason = active.pending.expired()
            if reason is not None:
                self._scheduler.leave(active.songs)
                self._active.remove(active)
                active.pending.fail(reason)

    def _admit(self) -> None:
        """Fill the batch: songs of active requests first, then the next requests of the queue."""
        for active in self._active:
            self._join(active)
        while len(self._scheduler) < self._batch_size:
            with self._change:
                if not self._queue:
                    return
                active = self._queue.take()
                self._queue.charge(active.pending.client, active.most)
            if not active.pending.start():
                continue
            try:
                self._begin(active)
            except Exception as error:  # reported to the client
                active.pending.fail(error)
                continue
            self._active.append(active)
            self._join(active)

    def _join(self, active: _Active) -> None:
        free = self._batch_size - len(self._scheduler)
        if free > 0 and active.waiting:
            self._scheduler.join(active.waiting[:free])
            active.waiting = active.waiting[free:]

    def _begin(self, active: _Active) -> None:
        request, config = active.request, active.request.config
        begin = start_of(self._writer, request)
        active.pending.prompt = begin.prompt
        limit, sampling = config.max_tokens or MAX_TOKENS, config.sampling
        active.songs = [
            SongSequence(
                begin, sampling, limit, config.seed, number, request.stops, request.top_logprobs,
            )
            for number in range(config.n)
        ]  # fmt: skip
        for song in active.songs if request.on_text is not None else ():
            song.on_text = self._callback(song, request)
        active.waiting = list(active.songs)

    def _answer_finished(self) -> None:
        """Answer the requests whose songs have all ended."""
        for active in list(self._active):
            if all(song.ended for song in active.songs):
                self._active.remove(active)
                with self._change:
                    self._queue.charge(active.pending.client, sum(song.tokens for song in active.songs) - active.most)
                try:
                    active.pending.answer(tuple(self._served(song) for song in active.songs))
                except Exception as error:  # reported to the client
                    active.pending.fail(error)

    def _served(self, song: SongSequence) -> ServedSong:
        texts = TokenTexts(self._writer.decode, song.start.ids, len(song.start.prompt))
        pieces = [texts.add(each.id, each.logprob, each.top) for each in song.logprobs]
        if pieces:  # it may end with half of a character
            pieces[-1] = replace(pieces[-1], text=pieces[-1].text + song.text[pieces[-1].end :])
        return ServedSong(
            song.text, song.tokens, song.ended, prompt=song.start.prompt, prompt_tokens=_prompt_tokens(song.start),
            pieces=cut(pieces, len(song.text)),
        )  # fmt: skip

    def _callback(self, song: SongSequence, request: GenerationRequest) -> Callable[[str], object]:
        """Return what is called with the text of a song after each token."""
        texts = TokenTexts(self._writer.decode, song.start.ids, len(song.start.prompt))

        def on_text(text: str) -> None:
            if request.on_token is not None and song.logprobs:
                last = song.logprobs[-1]
                request.on_token(song.number, texts.add(last.id, last.logprob, last.top))
            if request.on_text is not None:
                request.on_text(song.number, text, False)

        return on_text


def start_of(writer: Any, request: GenerationRequest) -> SongStart:
    """Return the start of the songs of a request: its prompt as text, as tokens or as a conversation.

    Raises
    ------
    UsageError
        The prompt is not possible with this model.
    """
    if request.ids is None and not request.messages:
        return start(writer, request.conditions, request.prompt)
    begin = start(writer, request.conditions, None)
    if writer.seq2seq:
        raise UsageError("A model with an encoder takes prompts as text only; send no tokens.")
    if request.messages:
        chat = writer.tokenizer.apply_chat_template(list(request.messages), tokenize=False, add_generation_prompt=True)
        prefix: tuple[int, ...] = ()
        ids = tuple(map(int, writer.tokenizer(chat, add_special_tokens=False).input_ids))
    else:
        prefix, ids = split_prompt(writer, begin.prefix, request.ids or ())
    if not prefix and not ids:
        raise UsageError("The prompt has no token; send some words.")
    room = begin.context - len(prefix)
    if len(ids) > room:
        raise UsageError(f"The prompt has {len(ids):,} tokens, but this model reads {room:,} at most; shorten it.")
    return replace(begin, prefix=prefix, prompt=writer.decode(ids), ids=ids)


def split_prompt(writer: Any, prefix: Sequence[int], ids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens of a prompt as those before the song and those of the song.

    Tokens that begin with the start token are complete; others get the start token and the conditions before them.
    """
    size = int(writer.model.config.vocab_size)
    wrong = next((number for number in ids if not 0 <= number < size), None)
    if wrong is not None:
        raise UsageError(f"The prompt has the token {wrong}, but this model knows the tokens 0 to {size - 1:,} only.")
    if prefix and tuple(ids[: len(prefix)]) == tuple(prefix):
        return tuple(prefix), tuple(ids[len(prefix) :])
    if prefix and ids and ids[0] == prefix[0]:
        return tuple(ids[:1]), tuple(ids[1:])
    return tuple(prefix), tuple(ids)


def score_prompts(writer: Any, requests: Sequence[GenerationRequest]) -> list[ScoredPrompt]:
    """Return the log-probabilities of the tokens of prompts."""
    prompts: list[tuple[tuple[int, ...], tuple[int, ...], int]] = []
    for request in requests:
        begin = start(writer, request.conditions, None)
        if writer.seq2seq:
            raise UsageError("A model with an encoder has no log-probabilities of a prompt; leave echo out.")
        if request.ids is not None:
            prefix, ids = split_prompt(writer, begin.prefix, request.ids)
        else:
            text = "" if request.prompt is None else cleaned(request.prompt)
            prefix, ids = begin.prefix, tuple(writer.encode(text))
        prompts.append((prefix, ids, len(request.ids or ids) - len(ids)))
    scores = token_scores(
        writer, [(prefix, ids) for prefix, ids, _ in prompts], max(r.top_logprobs or 0 for r in requests)
    )
    found = []
    for request, (prefix, ids, shown), score in zip(requests, prompts, scores, strict=True):
        count = request.top_logprobs or 0
        texts = TokenTexts(writer.decode, (), 0)
        tokens = [Token("", 0, None) for _ in range(shown)]  # what the client sent of the tokens before the song
        for number, logprob, top, values in zip(ids, score.logprobs, score.top, score.top_logprobs, strict=True):
            likely = list(zip(top[:count].tolist(), values[:count].tolist(), strict=True))
            tokens.append(texts.add(number, None if math.isnan(logprob) else float(logprob), likely))
        found.append(ScoredPrompt(writer.decode(ids), tuple(tokens), len(prefix) + len(ids)))
    return found


def _prompt_tokens(begin: SongStart) -> int:
    return len(begin.encoding.before if begin.encoding else begin.prefix) + len(begin.ids)


def write_constrained(
    writer: Any, request: GenerationRequest, pending: PendingRequest[Any], index: Index | None
) -> Composition[tuple[ServedSong, ...]]:
    """Write songs line by line; the deadline and the cancellation are checked after each line.

    Raises
    ------
    Cancelled, TimedOut
        The request has expired.
    """

    def on_text(song: int, text: str, ended: bool) -> None:
        reason = pending.expired()
        if reason is not None:
            raise reason
        if request.on_text is not None and not ended:
            request.on_text(song, text, ended)

    begin = start(writer, request.conditions, request.prompt)
    pending.prompt = begin.prompt
    songs = yield from compose_in_steps(writer, request.conditions, request.prompt, request.config, index, on_text)
    read = _prompt_tokens(begin)
    return tuple(
        ServedSong(
            song.text, song.tokens, song.ended, song.lines, song.copied, prompt_tokens=read,
            prompt=begin.prompt if song.text.startswith(begin.prompt) else "",
        )
        for song in songs
    )  # fmt: skip
