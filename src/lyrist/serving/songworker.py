"""The thread that writes with one writer: requests for songs join the crowd while it writes, and leave when they are done."""

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
from lyrist.generation.prompts import SongStart, Vocabulary, start
from lyrist.generation.sampling import SamplingOptions
from lyrist.generation.write import MAX_TOKENS, Wishes, WrittenSong, compose
from lyrist.serving.requests import PendingRequest

Say = Callable[[int, str, bool], object]
"""``say(song, text, ended)``: the text of a song so far, prompt included; called in the thread that writes."""


@dataclass(frozen=True)
class ServedSong(WrittenSong):
    """A song as it is served."""

    prompt: str = ""
    """What ``text`` begins with: the prompt, cleaned as the corpus was."""
    prompt_tokens: int = 0
    """Tokens that were read before it: what stands before every song, conditions, and the prompt."""
    likely: tuple[TokenLogprob, ...] = ()
    """What the model thought of each token, where that was asked for."""
    pieces: tuple[str, ...] = ()
    """The texts of the tokens in ``likely``."""
    others: Mapping[int, str] = field(default_factory=dict)
    """The texts of the other tokens in ``likely``."""


@dataclass(frozen=True)
class GenerationRequest:
    """What songs are asked for."""

    given: Mapping[str, str]
    prompt: str | None
    sampling: SamplingOptions
    wishes: Wishes
    stops: tuple[str, ...] = ()
    top: int | None = None
    say: Say | None = None


def own(writer: Any) -> Any:
    """Return the writer with a tokenizer of its own: a tokenizer is changed while it encodes, and a thread must not see it."""
    mine = copy.copy(writer)
    mine.tokenizer = copy.deepcopy(writer.tokenizer)
    return mine


@dataclass(eq=False)
class _Request:
    pending: PendingRequest[tuple[ServedSong, ...]]
    payload: GenerationRequest
    songs: list[SongSequence] = field(default_factory=list)
    waiting: list[SongSequence] = field(default_factory=list)
    """Those of its songs that have not joined the crowd."""


class GenerationWorker:
    """Writes songs freely, those of many requests at once."""

    def __init__(
        self,
        name: str,
        writer: Any,
        most: int,
        threads: int | None = None,
        watch: Callable[[int], object] = lambda songs: None,
    ) -> None:
        """Start the thread.

        Parameters
        ----------
        name
            For a person who looks at the threads.
        writer
            A `lyrist.training.writer.Writer`.
        most
            Songs that are written at once.
        threads
            Threads that PyTorch computes with; None: as it is set.
        watch
            Told how many songs are written at each step.
        """
        self._writer, self._most, self._threads, self._watch = own(writer), most, threads, watch
        self._vocabulary = Vocabulary(self._writer)
        self._scheduler = BatchScheduler(self._writer, self._vocabulary)
        self._new: deque[_Request] = deque()
        self._inside: list[_Request] = []
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, pending: PendingRequest[tuple[ServedSong, ...]], payload: GenerationRequest) -> None:
        """Let a request wait for its turn."""
        with self._change:
            self._new.append(_Request(pending, payload))
            self._change.notify()

    def close(self) -> None:
        """Let the thread end when nothing is left to write."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(5)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        while self._wait():
            self._drop()
            self._let_in()
            try:
                if len(self._scheduler):
                    self._watch(len(self._scheduler))
                    self._scheduler.step()
            except Exception as error:  # whatever it was, those who wait must hear of it, and others be served
                for request in self._inside:
                    request.pending.fail(error)
                self._inside, self._scheduler = [], BatchScheduler(self._writer, self._vocabulary)
            self._hand_out()

    def _wait(self) -> bool:
        """Wait until there is something to do; return whether there is."""
        with self._change:
            self._change.wait_for(lambda: self._new or self._inside or not self._open)
            return bool(self._new or self._inside or self._open)

    def _drop(self) -> None:
        """Take out requests that nobody waits for, or that took too long."""
        for request in list(self._inside):
            reason = request.pending.over()
            if reason is not None:
                self._scheduler.leave(request.songs)
                self._inside.remove(request)
                request.pending.fail(reason)

    def _let_in(self) -> None:
        """Let in songs while there is room: those of requests that have begun first, then the next in the queue."""
        for request in self._inside:
            self._join(request)
        while len(self._scheduler) < self._most:
            with self._change:
                if not self._new:
                    return
                request = self._new.popleft()
            if request.pending.taken():
                try:
                    self._begin(request)
                except Exception as error:  # told to who asked
                    request.pending.fail(error)
                    continue
                self._inside.append(request)
                self._join(request)

    def _join(self, request: _Request) -> None:
        room = self._most - len(self._scheduler)
        if room > 0 and request.waiting:
            self._scheduler.join(request.waiting[:room])
            request.waiting = request.waiting[room:]

    def _begin(self, request: _Request) -> None:
        payload, wishes = request.payload, request.payload.wishes
        begin = start(self._writer, payload.given, payload.prompt)
        request.pending.begins = begin.prompt
        request.songs = [
            SongSequence(
                begin, payload.sampling, wishes.max_tokens or MAX_TOKENS, wishes.seed, number, payload.stops, payload.top,
                _saying(payload.say, number),
            )
            for number in range(wishes.songs)
        ]  # fmt: skip
        request.waiting = list(request.songs)

    def _hand_out(self) -> None:
        """Answer the requests of which all songs have ended."""
        for request in list(self._inside):
            if all(song.ended for song in request.songs):
                self._inside.remove(request)
                try:
                    request.pending.answer(tuple(self._written(song) for song in request.songs))
                except Exception as error:  # told to who asked
                    request.pending.fail(error)

    def _written(self, song: SongSequence) -> ServedSong:
        begin, decode = song.start, self._writer.decode
        others = {token for each in song.likely for token, _ in each.top}
        return ServedSong(
            song.text, song.tokens, song.ended, prompt=begin.prompt, prompt_tokens=_read(begin),
            likely=tuple(song.likely), pieces=tuple(decode([each.id]) for each in song.likely),
            others={number: decode([number]) for number in sorted(others)},
        )  # fmt: skip


def _saying(say: Say | None, number: int) -> Callable[[str], object] | None:
    return None if say is None else lambda text: say(number, text, False)


def _read(begin: SongStart) -> int:
    """Return how many tokens are read before the first is written."""
    return len(begin.encoding.before if begin.encoding else begin.prefix) + len(begin.ids)


def composed(
    writer: Any, payload: GenerationRequest, pending: PendingRequest[Any], index: Index | None
) -> tuple[ServedSong, ...]:
    """Write songs line by line, to a plan; the ticket is looked at after each line.

    Raises
    ------
    Cancelled, TimedOut
        Nobody waits for them any more.
    """

    def say(song: int, text: str, ended: bool) -> None:
        reason = pending.over()
        if reason is not None:
            raise reason
        if payload.say is not None and not ended:
            payload.say(song, text, ended)

    begin = start(writer, payload.given, payload.prompt)
    pending.begins = begin.prompt
    songs = compose(
        writer,
        given=payload.given,
        prompt=payload.prompt,
        sampling=payload.sampling,
        wishes=payload.wishes,
        index=index,
        say=say,
    )
    return tuple(_planned(song, begin) for song in songs)


def _planned(song: WrittenSong, begin: SongStart) -> ServedSong:
    prompt = begin.prompt if song.text.startswith(begin.prompt) else ""
    return ServedSong(
        song.text, song.tokens, song.ended, song.lines, song.copied, prompt=prompt, prompt_tokens=_read(begin)
    )
