"""``POST /v1/completions`` and ``/v1/chat/completions``: OpenAI's formats for songs, complete or streamed.

A conversation with a model that has a chat template is encoded by it. Lyrist's own writers have none: the texts of user and
assistant, a line end after each, are the song so far, and the answer continues it. A system message that holds a plan
(``key: value`` lines or a JSON object with options of writing) sets these options.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from lyrist.generation.config import GenerationConfig, options
from lyrist.generation.output import whole
from lyrist.serving import schemas
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.requests import PendingRequest
from lyrist.serving.responses import ApiError, EventStream, answers, arrived, as_api_error, unless_disconnected
from lyrist.serving.schemas import SEED, ChatRequest, Choice, CompletionRequest, Logprobs, Usage
from lyrist.serving.songworker import GenerationRequest, ScoredPrompt, ServedSong, Token

GREEDY_BELOW = 0.01
"""Lower temperatures are greedy: the remaining randomness is below floating-point resolution."""
STOPS = 16
SONGS = 64
"""Maximum songs of one request, over all its prompts."""

log = logging.getLogger(__name__)


async def complete(engine: InferenceEngine, http: Request, body: CompletionRequest) -> Any:
    """Answer a completion request."""
    _refuse_unsupported(body)
    requests, scored = [replace(_request(body), **prompt) for prompt in _prompts(body)], body.logprobs is not None
    count = len(requests) * (body.n or 1)
    if not 1 <= count <= min(SONGS, engine.limits.texts * engine.limits.songs):
        raise ApiError(400, f"prompt and n request {count} songs; this server writes from 1 to {SONGS}.", param="n")
    write = body.max_tokens != 0
    if body.stream:
        if not write or (body.echo and scored):
            raise ApiError(
                400, "A stream has no max_tokens of 0 and no echo with logprobs; leave stream out.", param="stream"
            )
        return await _streamed(engine, http, body, requests, _text_chunk(body))
    submit: list[Callable[[], PendingRequest[Any]]] = []
    if write:
        submit += [lambda request=each: engine.submit_write(body.model, request) for each in requests]  # type: ignore[misc]
    if not write or (body.echo and scored):
        submit += [lambda request=each: engine.submit_prompt_score(body.model, request) for each in requests]  # type: ignore[misc]
    found = await answers(http, _submitted(submit))
    songs: list[tuple[ServedSong, ...]] = found[: len(requests)] if write else []
    prompts: list[ScoredPrompt] = found[len(songs) :]
    choices = _choices(body, songs, prompts)
    usage = _usage(songs) if write else Usage(
        prompt_tokens=sum(each.read for each in prompts), completion_tokens=0,
        total_tokens=sum(each.read for each in prompts),
    )  # fmt: skip
    return schemas.Completion(**_head(body), choices=choices, usage=usage)


async def chat(engine: InferenceEngine, http: Request, body: ChatRequest) -> Any:
    """Answer a chat request."""
    _refuse_unsupported(body)
    request = _conversation(engine, body)
    if body.stream:
        return await _streamed(engine, http, body, [request], _chat_chunk(body))
    [songs] = await answers(http, [engine.submit_write(body.model, request)])
    choices = [
        schemas.ChatChoice(
            index=index, message=schemas.ChatAnswer(content=song.text[len(song.prompt) :]), finish_reason=_reason(song),
            logprobs=_chat_logprobs(_shown(song)) if request.top_logprobs is not None else None,
            lines=[line.figures() for line in song.lines] or None,
        )
        for index, song in enumerate(songs)
    ]  # fmt: skip
    return schemas.ChatCompletion(**_head(body), choices=choices, usage=_usage([songs]))


def _submitted(submit: Sequence[Callable[[], PendingRequest[Any]]]) -> list[PendingRequest[Any]]:
    """Submit all requests, or none if the queue has no room for all."""
    pending: list[PendingRequest[Any]] = []
    try:
        for each in submit:
            pending.append(each())
    except BaseException:
        for one in pending:
            one.cancel()
        raise
    return pending


# The request.


def _request(body: CompletionRequest | ChatRequest, plan: Mapping[str, Any] | None = None) -> GenerationRequest:
    """Return the generation request of a body without its prompt; the plan holds further options."""
    given = {
        each.name: value for each in options(GenerationConfig) if (value := getattr(body, each.name)) not in (None, "")
    }
    given["max_tokens"] = body.max_completion_tokens or given.get("max_tokens") or None
    given = {**(plan or {}), **{name: value for name, value in given.items() if value is not None}}
    named: dict[str, str] = {name: given.pop(name) for name in ("genre", "artist") if name in given}
    given["seed"] = secrets.randbits(48) if body.seed is None else body.seed % (2 * SEED)
    if given.get("temperature", 1) < GREEDY_BELOW:
        given["temperature"] = 0.0
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if len(stops) > STOPS:
        raise ApiError(400, f"stop has {len(stops)} strings; the maximum is {STOPS}.", param="stop")
    top = body.logprobs if isinstance(body, CompletionRequest) else (body.top_logprobs or 0) if body.logprobs else None
    stops = [stop for stop in stops if stop]
    return GenerationRequest(
        GenerationConfig(**given), {**named, **conditions(body)}, stops=tuple(stops), top_logprobs=top
    )


def _prompts(body: CompletionRequest) -> list[dict[str, Any]]:
    """Return the prompts of a body as fields of a generation request."""
    given: Any = body.prompt
    if isinstance(given, list) and given and isinstance(given[0], int):
        given = [given]
    each: list[Any] = given if isinstance(given, list) else [given]
    return [{"ids": tuple(one)} if isinstance(one, list) else {"prompt": one or None} for one in each]


def conditions(body: Any) -> dict[str, str]:
    """Return the conditions of a request: genre, artist and others."""
    named = {"genre": body.genre, "artist": body.artist}
    return {**(body.conditions or {}), **{column: value for column, value in named.items() if value}}


def _refuse_unsupported(body: CompletionRequest | ChatRequest) -> None:
    """Refuse options of OpenAI that would change the songs but are not supported."""
    if isinstance(body, CompletionRequest):
        if body.best_of is not None and body.best_of != (body.n or 1):
            raise ApiError(400, "best_of is not supported; request n songs and choose.", param="best_of")
        if body.suffix:
            raise ApiError(400, "suffix is not supported; leave it out.", param="suffix")
    else:
        kind = (body.response_format or {}).get("type", "text")
        for name, wrong in (("tools", bool(body.tools)), ("response_format", kind != "text")):
            if wrong:
                raise ApiError(400, f"{name} is not supported; leave it out.", param=name)
        if body.top_logprobs is not None and not body.logprobs:
            raise ApiError(400, "top_logprobs require logprobs.", param="top_logprobs")
    if body.logit_bias:
        raise ApiError(400, "logit_bias is not supported; leave it out.", param="logit_bias")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(body, name):
            raise ApiError(400, f"{name} is not supported; use repetition_penalty or max_repeats.", param=name)
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "stream_options require stream.", param="stream_options")
    if body.max_completion_tokens is not None and body.max_tokens is not None:
        raise ApiError(400, "Give either max_tokens or max_completion_tokens.", param="max_completion_tokens")


def _conversation(engine: InferenceEngine, body: ChatRequest) -> GenerationRequest:
    """Return the generation request of a conversation."""
    if not body.messages:
        raise ApiError(400, "messages is empty; send at least one message.", param="messages")
    tokenizer = engine.models.get(body.model, "write").model.tokenizer
    plan: dict[str, Any] = {}
    messages: list[dict[str, str]] = []
    for message in body.messages:
        system, text = message.role in ("system", "developer"), message.text()
        found = plan_of(text) if system else None
        if found is None:
            messages.append({"role": "system" if system else message.role, "content": text})
        else:
            plan.update(found)
    request = _request(body, plan)
    if getattr(tokenizer, "chat_template", None) and request.config.plan() is None:
        return replace(request, messages=tuple(messages))
    said = [message["content"].strip("\n") for message in messages if message["role"] != "system"]
    prompt = "".join(f"{text}\n" for text in said if text.strip())
    return replace(request, prompt=prompt or None)


_LINE = re.compile(r"\s*([A-Za-z][A-Za-z _-]*?)\s*:\s*(.*?)\s*")


def plan_of(text: str) -> dict[str, Any] | None:
    """Return the options of writing in a system message; None if it is another text.

    Raises
    ------
    ApiError
        An option has a wrong value.
    """
    given: dict[str, Any]
    try:
        given = json.loads(text)
        if not isinstance(given, dict):
            return None
        given = {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    except (ValueError, RecursionError):
        lines = [_LINE.fullmatch(line) for line in text.split("\n") if line.strip()]
        given = {match[1]: match[2] for match in lines if match is not None}
        if len(given) < len(lines):
            return None
    given = {name.lower().replace(" ", "_").replace("-", "_"): value for name, value in given.items()}
    known = schemas.Plan.model_fields
    if not given or not all(name in known for name in given):
        return None
    try:
        plan: dict[str, Any] = schemas.Plan.model_validate_strings(given).model_dump(exclude_none=True)
        return plan
    except ValidationError as error:
        first = error.errors()[0]
        raise ApiError(
            400, f"The plan in the system message: {first['loc'][0]}: {first['msg']}.", param="messages"
        ) from None


# The answer.


def _head(body: CompletionRequest | ChatRequest) -> dict[str, Any]:
    kind = "cmpl" if isinstance(body, CompletionRequest) else "chatcmpl"
    return {"id": f"{kind}-{secrets.token_hex(12)}", "created": int(time.time()), "model": body.model}


def _usage(written: Sequence[Sequence[ServedSong]]) -> Usage:
    read = sum(songs[0].prompt_tokens for songs in written)
    wrote = sum(song.tokens for songs in written for song in songs)
    return Usage(prompt_tokens=read, completion_tokens=wrote, total_tokens=read + wrote)


def _choices(
    body: CompletionRequest, written: Sequence[Sequence[ServedSong]], prompts: Sequence[ScoredPrompt]
) -> list[Choice]:
    """Return the choices, ordered by prompt; with ``max_tokens: 0`` they hold the prompts alone."""
    found: list[Choice] = []
    for number in range(len(written) or len(prompts)):
        prompt = prompts[number] if prompts else None
        for song in written[number] if written else [None] * (body.n or 1):
            text = song.text if song is not None else prompt.text if prompt is not None else ""
            before = len(song.prompt) if song is not None else len(text)
            tokens: list[Token] = [*prompt.tokens] if prompt is not None and body.echo else []
            if (
                song is not None
            ):  # after an echo every generated token is listed, as clients that measure prompts expect
                tokens += song.pieces if body.echo else _shown(song)
            found.append(Choice(
                index=len(found), text=text if body.echo else text[before:],
                finish_reason="length" if song is None else _reason(song),
                logprobs=_logprobs(tokens, body.logprobs) if body.logprobs is not None and tokens else None,
                lines=([line.figures() for line in song.lines] or None) if song is not None else None,
            ))  # fmt: skip
    return found


def _shown(song: ServedSong) -> Sequence[Token]:
    """Return the generated tokens that have a part in the text of a song."""
    last = max((number for number, token in enumerate(song.pieces) if token.text), default=-1)
    return song.pieces[: last + 1]


def _reason(song: ServedSong) -> Any:
    return "length" if song.ended == "length" else "stop"


def _logprobs(tokens: Sequence[Token], top: int | None) -> Logprobs:
    return Logprobs(
        tokens=[token.text for token in tokens], token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[None if token.logprob is None else dict(token.top) for token in tokens] if top else None,
        text_offset=[token.offset for token in tokens],
    )  # fmt: skip


def _chat_logprobs(tokens: Sequence[Token]) -> schemas.ChatLogprobs:
    return schemas.ChatLogprobs(content=[
        schemas.ChatToken(
            token=token.text, logprob=token.logprob or 0.0, bytes=list(token.text.encode()),
            top_logprobs=[schemas.ChatAlternative(token=t, logprob=v, bytes=list(t.encode())) for t, v in token.top],
        )
        for token in tokens
    ])  # fmt: skip


# The stream.

Chunk = Callable[[int, str, str | None, Sequence[Token]], dict[str, Any]]
"""``chunk(index, text, finish_reason, tokens)`` returns a choice of an event."""


def _text_chunk(body: CompletionRequest) -> Chunk:
    def chunk(index: int, text: str, reason: str | None, tokens: Sequence[Token]) -> dict[str, Any]:
        logprobs = _logprobs(tokens, body.logprobs).model_dump() if body.logprobs is not None and tokens else None
        return {"index": index, "text": text, "finish_reason": reason, "logprobs": logprobs}

    return chunk


def _chat_chunk(body: ChatRequest) -> Chunk:
    begun: set[int] = set()

    def chunk(index: int, text: str, reason: str | None, tokens: Sequence[Token]) -> dict[str, Any]:
        role = {} if index in begun else {"role": "assistant"}
        begun.add(index)
        logprobs = _chat_logprobs(tokens).model_dump() if body.logprobs and tokens else None
        return {"index": index, "delta": {**role, "content": text}, "finish_reason": reason, "logprobs": logprobs}

    return chunk


async def _streamed(
    engine: InferenceEngine, http: Request, body: CompletionRequest | ChatRequest, requests: Sequence[GenerationRequest],
    chunk: Chunk,
) -> Response:  # fmt: skip
    stream = _SongStream(engine, body, requests, chunk)
    await unless_disconnected(http, stream.first())
    return EventStream(stream.events())


class _SongStream:
    """The songs of a request in progress, and how much of each was sent."""

    def __init__(
        self, engine: InferenceEngine, body: CompletionRequest | ChatRequest, requests: Sequence[GenerationRequest],
        chunk: Chunk,
    ) -> None:  # fmt: skip
        self._body, self._chunk, self._n, self._stops = body, chunk, body.n or 1, requests[0].stops if requests else ()
        self._echo = isinstance(body, CompletionRequest) and bool(body.echo)
        self._tokens: dict[int, list[Token]] | None = None if requests[0].top_logprobs is None else {}
        self._reported: dict[int, int] = {}
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._texts: dict[int, str] = {}
        self._sent: dict[int, int] = {}
        streamed = [
            replace(each, on_text=self._receiver(number), on_token=self._token_receiver(number))
            for number, each in enumerate(requests)
        ]
        self._pending = _submitted(
            [lambda request=each: engine.submit_write(body.model, request) for each in streamed]  # type: ignore[misc]
        )
        kind = "text_completion" if isinstance(body, CompletionRequest) else "chat.completion.chunk"
        self._head = {**_head(body), "object": kind}
        for pending in self._pending:
            pending.future.add_done_callback(lambda _: self._wake())

    def _receiver(self, number: int) -> Any:
        def on_text(song: int, text: str, ended: bool) -> None:
            self._texts[number * self._n + song] = text
            self._wake()

        return on_text

    def _token_receiver(self, number: int) -> Any:
        def on_token(song: int, token: Token) -> None:
            if self._tokens is not None:
                self._tokens.setdefault(number * self._n + song, []).append(token)

        return on_token

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
            async with asyncio.timeout(left):
                await self._changed.wait()
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
            start = self._sent.get(index, 0 if self._echo else len(song.prompt))
            yield self._event(index, song.text[start:], _reason(song), _shown(song)[self._reported.get(index, 0) :])

    def _new_events(self, ended: set[int]) -> Iterator[dict[str, Any]]:
        for song, text in list(self._texts.items()):
            if song // self._n not in ended and (piece := self._new_text(song, text)):
                yield self._event(song, piece, None, self._new_tokens(song))

    def _new_tokens(self, song: int) -> Sequence[Token]:
        """Return the tokens of the text that is sent now."""
        if self._tokens is None:
            return ()
        reported, sent = self._reported.get(song, 0), self._sent[song]
        tokens = [token for token in list(self._tokens.get(song, ())) if token.end <= sent]
        self._reported[song] = len(tokens)
        return tokens[reported:]

    def _new_text(self, song: int, text: str) -> str:
        """Return the new text of a song that is final: whole words, without a possible start of a stop string."""
        if song not in self._sent:
            prompt = self._pending[song // self._n].prompt
            if not self._echo and prompt.startswith(text):
                return ""  # a song with constraints, still within the given lines
            self._sent[song] = len(prompt) if text.startswith(prompt) and not self._echo else 0
        start = self._sent[song]
        held = max((_partial_stop(text, stop) for stop in self._stops), default=0)
        final = min(len(whole(text).rstrip()), len(text) - held)
        if self._tokens is not None:  # whole tokens only
            final = max((t.end for t in list(self._tokens.get(song, ())) if t.end <= final), default=start)
        if final <= start:
            return ""
        self._sent[song] = final
        return text[start:final]

    def _event(self, song: int, text: str, reason: str | None, tokens: Sequence[Token]) -> dict[str, Any]:
        return {**self._head, "choices": [self._chunk(song, text, reason, tokens)]}


def _partial_stop(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the start of a stop string."""
    return next((size for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size])), 0)
