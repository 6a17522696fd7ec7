"""``POST /v1/compose``: takes for a line or a section of a song sheet, streamed as they are found."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request

from lyrist.generation.suggestions import CANDIDATES, TEMPERATURE
from lyrist.serving import schemas
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.requests import PendingRequest
from lyrist.serving.responses import EVENT, EventStream, answers, arrived, as_api_error, known, unless_disconnected

log = logging.getLogger(__name__)


def add_composing(app: FastAPI, engine: InferenceEngine) -> None:
    """Add the path to an application."""

    @app.post(
        "/v1/compose", operation_id="compose", tags=["writing"], response_model=schemas.Takes,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )  # fmt: skip
    async def compose(body: schemas.ComposeRequest, request: Request) -> Any:
        """Suggest lines for a sheet, as server-sent events: each take as it is found, then all takes by rank."""
        known(engine.models.items, body.model)
        takes: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(take: dict[str, Any] | None) -> None:
            try:
                loop.call_soon_threadsafe(takes.put_nowait, take)
            except RuntimeError:  # the loop is closed
                return

        seed = secrets.randbits(48) if body.seed is None else body.seed
        pending = engine.submit_takes(
            body.model, body.sheet.model_dump(exclude_none=True), body.target.model_dump(exclude_none=True),
            n=body.n or 5, seed=seed, like=body.like, tone=body.tone or "",
            on_take=None if body.stream is False else put,
            candidates=body.candidates or CANDIDATES, temperature=body.temperature or TEMPERATURE,
        )  # fmt: skip
        if body.stream is False:
            [found] = await answers(request, [pending])
            return schemas.Takes(model=body.model, seed=seed, takes=[schemas.Take(**each) for each in found])
        pending.future.add_done_callback(lambda _: put(None))
        try:
            first = await unless_disconnected(request, _next(takes, pending))
        except BaseException:
            pending.cancel()
            raise
        return EventStream(_events(takes, pending, first))


async def _next(takes: asyncio.Queue[dict[str, Any] | None], pending: PendingRequest[Any]) -> dict[str, Any] | None:
    """Return the next take, or None after the last one; raises the error of a request that failed."""
    while True:
        try:
            async with asyncio.timeout(pending.left + 0.1):
                take = await takes.get()
        except TimeoutError:
            if pending.left:  # renewed meanwhile
                continue
            take = None
        if take is None:
            await arrived(pending)
        return take


async def _events(
    takes: asyncio.Queue[dict[str, Any] | None], pending: PendingRequest[Any], take: dict[str, Any] | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield each take, then all by rank; an error is the last event."""
    try:
        while take is not None:
            yield {"take": take}
            take = await _next(takes, pending)
        yield {"takes": await arrived(pending)}
    except Exception as error:
        found = as_api_error(error)
        if found.status == 500:
            log.error("A stream failed", exc_info=error)
        yield found.body()
    finally:
        pending.cancel()
