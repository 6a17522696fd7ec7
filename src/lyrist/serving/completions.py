"""``POST /v1/completions``: OpenAI's completions become songs, whole or piece by piece."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lyrist.generation.batching import TokenLogprob
from lyrist.generation.constrained import CANDIDATES
from lyrist.generation.output import whole
from lyrist.generation.sampling import SamplingOptions
from lyrist.generation.write import Wishes
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.requests import PendingRequest
from lyrist.serving.responses import ApiError, Events, answers, arrived, as_api_error, unless_gone
from lyrist.serving.schemas import SEED, Choice, Completion, CompletionRequest, Logprobs, Usage
from lyrist.serving.songworker import ServedSong

COLDEST = 0.01
"""Temperatures below this one are greedy: what is left to chance there is less than what numbers can hold."""

STOPS = 16
SONGS = 64
"""Songs of one request, all its prompts together."""

DRAWN = ("top_p", "top_k", "min_p", "style", "repetition_penalty", "no_repeat_ngram", "max_repeats")

log = logging.getLogger(__name__)

Asked = tuple[list[str | None], dict[str, Any]]


async def complete(engine: InferenceEngine, request: Request, body: CompletionRequest) -> Completion | Response:
    """Write what is asked for."""
    prompts, given = _asked(body)
    count = len(prompts) * given["wishes"].songs
    if not 1 <= count <= min(SONGS, engine.limits.texts * engine.limits.songs):
        raise ApiError(400, f"prompt and n ask for {count} songs; this server writes from 1 to {SONGS}.", param="n")
    if body.stream:
        stage = _Stage(engine, body, prompts, given)
        await unless_gone(request, stage.first())
        return Events(stage.events())
    written = await answers(request, _pending(engine, body, prompts, given))
    return Completion(**_head(body), choices=_choices(written, bool(body.echo)), usage=_usage(written))


def _pending(
    engine: InferenceEngine,
    body: CompletionRequest,
    prompts: Sequence[str | None],
    given: dict[str, Any],
    says: Any = None,
) -> list[PendingRequest[tuple[ServedSong, ...]]]:
    """Ask for the songs of all prompts, or for none where there is no room for all."""
    pending_requests: list[PendingRequest[tuple[ServedSong, ...]]] = []
    try:
        for number, prompt in enumerate(prompts):
            say = None if says is None else says(number)
            pending_requests.append(engine.submit_write(body.model, prompt=prompt, say=say, **given))
    except BaseException:
        for pending in pending_requests:
            pending.give_up()
        raise
    return pending_requests


# What is asked.


def _asked(body: CompletionRequest) -> Asked:
    """Return the prompts, and the rest as `InferenceEngine.submit_write` takes it."""
    _refuse_what_is_not_offered(body)
    seed = secrets.randbits(48) if body.seed is None else body.seed % (2 * SEED)
    wishes = Wishes(
        songs=body.n or 1, max_tokens=body.max_tokens, seed=seed, form=body.form or None, rhyme=body.rhyme or None,
        syllables=body.syllables, hook=body.hook or None, original=body.original, candidates=body.candidates or CANDIDATES,
    )  # fmt: skip
    drawn = {name: value for name in DRAWN if (value := getattr(body, name)) is not None}
    if body.temperature is not None:
        drawn["temperature"] = body.temperature if body.temperature >= COLDEST else 0.0
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if len(stops) > STOPS:
        raise ApiError(400, f"stop has {len(stops)} strings; it has {STOPS} at most.", param="stop")
    prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt]
    return [prompt or None for prompt in prompts], {
        "given": conditions(body), "sampling": SamplingOptions(**drawn), "wishes": wishes,
        "stops": tuple(stop for stop in stops if stop), "top": body.logprobs,
    }  # fmt: skip


def conditions(body: Any) -> dict[str, str]:
    """Return the conditions of a request: genre, artist and others."""
    named = {"genre": body.genre, "artist": body.artist}
    return {**(body.conditions or {}), **{column: value for column, value in named.items() if value}}


def _refuse_what_is_not_offered(body: CompletionRequest) -> None:
    """Refuse what would change the songs if it were offered; silence about it would be a lie."""
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise ApiError(400, "best_of is not offered; ask for n songs and choose.", param="best_of")
    for name in ("suffix", "logit_bias"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not offered; leave it out.", param=name)
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not offered; repetition_penalty and max_repeats are.", param=name)
    if body.logprobs is not None and (body.stream or body.echo):
        raise ApiError(400, "logprobs are told of whole songs only; leave stream and echo out.", param="logprobs")
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "stream_options are for a stream.", param="stream_options")


# What is answered.


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
            logprobs=_logprobs(song) if song.likely else None,
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
        tokens=list(song.pieces), token_logprobs=[each.logprob for each in song.likely],
        top_logprobs=[_top(each, song) for each in song.likely] if song.likely[0].top else None, text_offset=offsets,
    )  # fmt: skip


def _top(each: TokenLogprob, song: ServedSong) -> dict[str, float]:
    """Return the likeliest tokens; of several that are written alike (parts of characters), the likeliest."""
    return {song.others[number]: logprob for number, logprob in reversed(each.top)}


# Piece by piece.


class _Stage:
    """The songs of a request while they are written: what is new of each since it was last told."""

    def __init__(
        self, engine: InferenceEngine, body: CompletionRequest, prompts: Sequence[str | None], given: dict[str, Any]
    ) -> None:
        self._body, self._n, self._stops = body, given["wishes"].songs, given["stops"]
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._texts: dict[int, str] = {}
        self._told: dict[int, int] = {}
        self._pending = _pending(engine, body, prompts, given, self._sayer)
        self._head = {**_head(body), "object": "text_completion"}
        for pending in self._pending:
            pending.future.add_done_callback(lambda _: self._wake())

    def _sayer(self, number: int) -> Any:
        def say(song: int, text: str, ended: bool) -> None:
            self._texts[number * self._n + song] = text
            self._wake()

        return say

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return

    async def first(self) -> None:
        """Wait until something was written, so that what is wrong with the request is told with its own status."""
        try:
            while not self._texts and not all(pending.future.done() for pending in self._pending):
                if any(t.future.done() and (t.future.cancelled() or t.future.exception()) for t in self._pending):
                    break
                await self._wait()
            if not self._texts:
                for pending in self._pending:
                    await arrived(pending)
        except BaseException:
            self._let_go()
            raise

    async def _wait(self) -> None:
        left = min(pending.left for pending in self._pending) + 0.1
        try:
            await asyncio.wait_for(self._news.wait(), left)
        except TimeoutError:
            for pending in self._pending:
                if not pending.future.done():
                    await arrived(pending)
        self._news.clear()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what a client of OpenAI's expects of a stream; an error in its midst is the last event."""
        try:
            ended: set[int] = set()
            while len(ended) < len(self._pending):
                for number, pending in enumerate(self._pending):
                    if pending.future.done() and number not in ended:
                        ended.add(number)
                        for event in self._ending(number, await arrived(pending)):
                            yield event
                for song, text in list(self._texts.items()):
                    if song // self._n not in ended and (piece := self._new(song, text)):
                        yield self._event(song, piece, None)
                if len(ended) < len(self._pending):
                    await self._wait()
            options = self._body.stream_options
            if options is not None and options.include_usage:
                written = [pending.future.result() for pending in self._pending]
                yield {**self._head, "choices": [], "usage": _usage(written).model_dump()}
        except Exception as error:
            yield _last(error)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for pending in self._pending:
            pending.give_up()

    def _ending(self, number: int, songs: tuple[ServedSong, ...]) -> Iterator[dict[str, Any]]:
        for place, song in enumerate(songs):
            index = number * self._n + place
            start = self._told.get(index, 0 if self._body.echo else len(song.prompt))
            yield self._event(index, song.text[start:], _reason(song))

    def _new(self, song: int, text: str) -> str:
        """Return what is new of a song's text and sure to stay: whole words, and not what a stop may begin with."""
        if song not in self._told:
            prompt = self._pending[song // self._n].begins
            if not self._body.echo and prompt.startswith(text):
                return ""  # a song to a plan that is still at the lines that were given
            self._told[song] = len(prompt) if text.startswith(prompt) and not self._body.echo else 0
        start = self._told[song]
        held = max((_begun(text, stop) for stop in self._stops), default=0)
        sure = min(len(whole(text).rstrip()), len(text) - held)
        if sure <= start:
            return ""
        self._told[song] = sure
        return text[start:sure]

    def _event(self, song: int, text: str, reason: str | None) -> dict[str, Any]:
        choice = {"index": song, "text": text, "finish_reason": reason, "logprobs": None}
        return {**self._head, "choices": [choice]}


def _last(error: Exception) -> dict[str, Any]:
    """Return the event that ends a stream which cannot go on."""
    told = as_api_error(error)
    if told.status == 500:
        log.error("A stream failed", exc_info=error)
    return told.body()


def _begun(text: str, stop: str) -> int:
    """Return how many of the last characters of a text are the first ones of a stop."""
    return next((size for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size])), 0)
