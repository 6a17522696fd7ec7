"""``POST /v1/completions``: OpenAI's completions for songs, complete or streamed."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lyrist.generation.batching import TokenLogprob
from lyrist.generation.config import GenerationConfig, options
from lyrist.generation.output import whole
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.requests import PendingRequest
from lyrist.serving.responses import ApiError, EventStream, answers, arrived, as_api_error, unless_disconnected
from lyrist.serving.schemas import SEED, Choice, Completion, CompletionRequest, Logprobs, Usage
from lyrist.serving.songworker import GenerationRequest, ServedSong

GREEDY_BELOW = 0.01
"""Lower temperatures are greedy: the remaining randomness is below floating-point resolution."""
STOPS = 16
SONGS = 64
"""Maximum songs of one request, over all its prompts."""

log = logging.getLogger(__name__)


async def complete(engine: InferenceEngine, http: Request, body: CompletionRequest) -> Completion | Response:
    """Answer a completion request."""
    requests = _generation_requests(body)
    count = len(requests) * (body.n or 1)
    if not 1 <= count <= min(SONGS, engine.limits.texts * engine.limits.songs):
        raise ApiError(400, f"prompt and n request {count} songs; this server writes from 1 to {SONGS}.", param="n")
    if body.stream:
        stream = _SongStream(engine, body, requests)
        await unless_disconnected(http, stream.first())
        return EventStream(stream.events())
    written = await answers(http, _submit(engine, body.model, requests))
    return Completion(**_head(body), choices=_choices(written, bool(body.echo)), usage=_usage(written))


def _submit(
    engine: InferenceEngine, model: str, requests: Sequence[GenerationRequest]
) -> list[PendingRequest[tuple[ServedSong, ...]]]:
    """Submit all requests, or none if the queue has no room for all."""
    pending: list[PendingRequest[tuple[ServedSong, ...]]] = []
    try:
        for request in requests:
            pending.append(engine.submit_write(model, request))
    except BaseException:
        for each in pending:
            each.cancel()
        raise
    return pending


# The request.


def _generation_requests(body: CompletionRequest) -> list[GenerationRequest]:
    """Return a generation request for each prompt."""
    _refuse_unsupported(body)
    given = {
        each.name: value for each in options(GenerationConfig) if (value := getattr(body, each.name)) not in (None, "")
    }
    given["seed"] = secrets.randbits(48) if body.seed is None else body.seed % (2 * SEED)
    if given.get("temperature", 1) < GREEDY_BELOW:
        given["temperature"] = 0.0
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if len(stops) > STOPS:
        raise ApiError(400, f"stop has {len(stops)} strings; the maximum is {STOPS}.", param="stop")
    request = GenerationRequest(
        GenerationConfig(**given), conditions(body), None, tuple(stop for stop in stops if stop), body.logprobs
    )
    prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt]
    return [replace(request, prompt=prompt or None) for prompt in prompts]


def conditions(body: Any) -> dict[str, str]:
    """Return the conditions of a request: genre, artist and others."""
    named = {"genre": body.genre, "artist": body.artist}
    return {**(body.conditions or {}), **{column: value for column, value in named.items() if value}}


def _refuse_unsupported(body: CompletionRequest) -> None:
    """Refuse options of OpenAI that would change the songs but are not supported."""
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise ApiError(400, "best_of is not supported; request n songs and choose.", param="best_of")
    for name in ("suffix", "logit_bias"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not supported; leave it out.", param=name)
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not supported; use repetition_penalty or max_repeats.", param=name)
    if body.logprobs is not None and (body.stream or body.echo):
        raise ApiError(400, "logprobs are not available with stream or echo; leave those out.", param="logprobs")
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "stream_options require stream.", param="stream_options")


# The answer.


def _head(body: CompletionRequest) -> dict[str, Any]:
    return {"id": f"cmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": body.model}


def _usage(written: Sequence[Sequence[ServedSong]]) -> Usage:
    read = sum(songs[0].prompt_tokens for songs in written)
    wrote = sum(song.tokens for songs in written for song in songs)
    return Usage(prompt_tokens=read, completion_tokens=wrote, total_tokens=read + wrote)


def _choices(written: Sequence[Sequence[ServedSong]], echo: bool) -> list[Choice]:
    songs = [song for each in written for song in each]
    return [
        Choice(
            index=index, text=song.text if echo else song.text[len(song.prompt) :], finish_reason=_reason(song),
            logprobs=_logprobs(song) if song.logprobs else None,
            lines=[line.figures() for line in song.lines] or None,
        )
        for index, song in enumerate(songs)
    ]  # fmt: skip


def _reason(song: ServedSong) -> Any:
    return "length" if song.ended == "length" else "stop"


def _logprobs(song: ServedSong) -> Logprobs:
    offsets, place = [], len(song.prompt)
    for piece in song.pieces:
        offsets.append(place)
        place += len(piece)
    return Logprobs(
        tokens=list(song.pieces), token_logprobs=[each.logprob for each in song.logprobs],
        top_logprobs=[_top(each, song) for each in song.logprobs] if song.logprobs[0].top else None, text_offset=offsets,
    )  # fmt: skip


def _top(each: TokenLogprob, song: ServedSong) -> dict[str, float]:
    """Return the most likely tokens; of tokens with the same text (parts of characters), the most likely one."""
    return {song.alternatives[number]: logprob for number, logprob in reversed(each.top)}


# The stream.


class _SongStream:
    """The songs of a request in progress, and how much of each was sent."""

    def __init__(self, engine: InferenceEngine, body: CompletionRequest, requests: Sequence[GenerationRequest]) -> None:
        self._body, self._n, self._stops = body, body.n or 1, requests[0].stops if requests else ()
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._texts: dict[int, str] = {}
        self._sent: dict[int, int] = {}
        streamed = [replace(each, on_text=self._receiver(number)) for number, each in enumerate(requests)]
        self._pending = _submit(engine, body.model, streamed)
        self._head = {**_head(body), "object": "text_completion"}
        for pending in self._pending:
            pending.future.add_done_callback(lambda _: self._wake())

    def _receiver(self, number: int) -> Any:
        def on_text(song: int, text: str, ended: bool) -> None:
            self._texts[number * self._n + song] = text
            self._wake()

        return on_text

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # the loop is closed
            return

    async def first(self) -> None:
        """Wait for the first text, so that an invalid request is answered with its own status."""
        try:
            while not self._texts and not all(pending.future.done() for pending in self._pending):
                if any(p.future.done() and (p.future.cancelled() or p.future.exception()) for p in self._pending):
                    break
                await self._wait()
            if not self._texts:
                for pending in self._pending:
                    await arrived(pending)
        except BaseException:
            self._cancel()
            raise

    async def _wait(self) -> None:
        left = min(pending.left for pending in self._pending) + 0.1
        try:
            await asyncio.wait_for(self._changed.wait(), left)
        except TimeoutError:
            for pending in self._pending:
                if not pending.future.done():
                    await arrived(pending)
        self._changed.clear()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of OpenAI's stream format; an error is the last event."""
        try:
            ended: set[int] = set()
            while len(ended) < len(self._pending):
                for number, pending in enumerate(self._pending):
                    if pending.future.done() and number not in ended:
                        ended.add(number)
                        for event in self._last_events(number, await arrived(pending)):
                            yield event
                for event in self._new_events(ended):
                    yield event
                if len(ended) < len(self._pending):
                    await self._wait()
            stream_options = self._body.stream_options
            if stream_options is not None and stream_options.include_usage:
                written = [pending.future.result() for pending in self._pending]
                yield {**self._head, "choices": [], "usage": _usage(written).model_dump()}
        except Exception as error:
            known = as_api_error(error)
            if known.status == 500:
                log.error("A stream failed", exc_info=error)
            yield known.body()
        finally:
            self._cancel()

    def _cancel(self) -> None:
        for pending in self._pending:
            pending.cancel()

    def _last_events(self, number: int, songs: tuple[ServedSong, ...]) -> Iterator[dict[str, Any]]:
        for place, song in enumerate(songs):
            index = number * self._n + place
            start = self._sent.get(index, 0 if self._body.echo else len(song.prompt))
            yield self._event(index, song.text[start:], _reason(song))

    def _new_events(self, ended: set[int]) -> Iterator[dict[str, Any]]:
        for song, text in list(self._texts.items()):
            if song // self._n not in ended and (piece := self._new_text(song, text)):
                yield self._event(song, piece, None)

    def _new_text(self, song: int, text: str) -> str:
        """Return the new text of a song that is final: whole words, without a possible start of a stop string."""
        if song not in self._sent:
            prompt = self._pending[song // self._n].prompt
            if not self._body.echo and prompt.startswith(text):
                return ""  # a song with constraints, still within the given lines
            self._sent[song] = len(prompt) if text.startswith(prompt) and not self._body.echo else 0
        start = self._sent[song]
        held = max((_partial_stop(text, stop) for stop in self._stops), default=0)
        final = min(len(whole(text).rstrip()), len(text) - held)
        if final <= start:
            return ""
        self._sent[song] = final
        return text[start:final]

    def _event(self, song: int, text: str, reason: str | None) -> dict[str, Any]:
        choice = {"index": song, "text": text, "finish_reason": reason, "logprobs": None}
        return {**self._head, "choices": [choice]}


def _partial_stop(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the start of a stop string."""
    return next((size for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size])), 0)
