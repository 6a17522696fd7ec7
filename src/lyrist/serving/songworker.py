"""The thread that generates songs with one writer.

Songs without constraints use continuous batching: requests join the batch while it runs and leave when they are done. Songs with
constraints are written one request at a time (`write_constrained`).
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from lyrist.evaluation.originality import Index
from lyrist.generation.batching import BatchScheduler, SongSequence, TokenLogprob
from lyrist.generation.config import MAX_TOKENS, GenerationConfig
from lyrist.generation.prompts import SongStart, Vocabulary, start
from lyrist.generation.write import OnText, WrittenSong, compose
from lyrist.serving.requests import PendingRequest


@dataclass(frozen=True)
class ServedSong(WrittenSong):
    """A generated song with what the API reports about it."""

    prompt: str = ""
    """The cleaned prompt that ``text`` starts with."""
    prompt_tokens: int = 0
    """Tokens read before the first generated one: start token, conditions and prompt."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Log-probabilities of each token, if requested."""
    pieces: tuple[str, ...] = ()
    """Texts of the tokens in ``logprobs``."""
    alternatives: Mapping[int, str] = field(default_factory=dict)
    """Texts of the other tokens in ``logprobs``, by token id."""


@dataclass(frozen=True)
class GenerationRequest:
    """A request for songs."""

    config: GenerationConfig = field(default_factory=GenerationConfig)
    """Number of songs, sampling and constraints. The same seed writes the same songs, whatever else is in the batch."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Conditions of the writer: column to value."""
    prompt: str | None = None
    stops: tuple[str, ...] = ()
    """A song ends before the first of these strings; not with constraints."""
    top_logprobs: int | None = None
    """Record the log-probability of each token, and of this many most likely alternatives; not with constraints."""
    on_text: OnText | None = None
    """``on_text(song, text, ended)`` is called in the generating thread after each token, or each line of a form.

    The text includes the prompt. The function must neither block nor raise."""


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
        self._queue: deque[_Active] = deque()
        self._active: list[_Active] = []
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, pending: PendingRequest[tuple[ServedSong, ...]], request: GenerationRequest) -> None:
        """Queue a request."""
        with self._change:
            self._queue.append(_Active(pending, request))
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
                active = self._queue.popleft()
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
        begin = start(self._writer, request.conditions, request.prompt)
        active.pending.prompt = begin.prompt
        limit, sampling = config.max_tokens or MAX_TOKENS, config.sampling
        active.songs = [
            SongSequence(
                begin, sampling, limit, config.seed, number, request.stops, request.top_logprobs,
                _text_callback(request.on_text, number),
            )
            for number in range(config.n)
        ]  # fmt: skip
        active.waiting = list(active.songs)

    def _answer_finished(self) -> None:
        """Answer the requests whose songs have all ended."""
        for active in list(self._active):
            if all(song.ended for song in active.songs):
                self._active.remove(active)
                try:
                    active.pending.answer(tuple(self._served(song) for song in active.songs))
                except Exception as error:  # reported to the client
                    active.pending.fail(error)

    def _served(self, song: SongSequence) -> ServedSong:
        decode = self._writer.decode
        alternatives = {token for each in song.logprobs for token, _ in each.top}
        return ServedSong(
            song.text, song.tokens, song.ended, prompt=song.start.prompt, prompt_tokens=_prompt_tokens(song.start),
            logprobs=tuple(song.logprobs), pieces=tuple(decode([each.id]) for each in song.logprobs),
            alternatives={number: decode([number]) for number in sorted(alternatives)},
        )  # fmt: skip


def _text_callback(on_text: OnText | None, number: int) -> Callable[[str], object] | None:
    return None if on_text is None else lambda text: on_text(number, text, False)


def _prompt_tokens(begin: SongStart) -> int:
    return len(begin.encoding.before if begin.encoding else begin.prefix) + len(begin.ids)


def write_constrained(
    writer: Any, request: GenerationRequest, pending: PendingRequest[Any], index: Index | None
) -> tuple[ServedSong, ...]:
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
    songs = compose(
        writer, given=request.conditions, prompt=request.prompt, config=request.config, index=index, on_text=on_text
    )  # fmt: skip
    read = _prompt_tokens(begin)
    return tuple(
        ServedSong(
            song.text, song.tokens, song.ended, song.lines, song.copied, prompt_tokens=read,
            prompt=begin.prompt if song.text.startswith(begin.prompt) else "",
        )
        for song in songs
    )  # fmt: skip
