"""The HTTP application: the API at /v1, /healthz and /metrics for operators, and the studio at all other paths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from lyrist._version import __version__
from lyrist.errors import LyristError
from lyrist.serving import schemas
from lyrist.serving.access import AccessControl, ServerSettings
from lyrist.serving.completions import chat, complete
from lyrist.serving.composing import add_composing
from lyrist.serving.export import add_export
from lyrist.serving.inferenceengine import CONTENT_TYPE, InferenceEngine
from lyrist.serving.labelling import add_labelling
from lyrist.serving.lookups import add_lookups
from lyrist.serving.modelregistry import ServedModel
from lyrist.serving.projects import Projects, add_projects
from lyrist.serving.responses import EVENT, ApiError, as_api_error, known, loads, phrase
from lyrist.serving.schemas import (
    Model,
)
from lyrist.serving.studio import mount

LARGE = 2**16
"""Bytes of a body that is parsed in a thread, so that it does not block the event loop."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ERRORS = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 429, 500, 503, 504, 507)


def build(engine: InferenceEngine, settings: ServerSettings | None = None) -> FastAPI:
    """Return the application that serves an engine and closes it at the end.

    Parameters
    ----------
    engine
        Answers the requests.
    settings
        Address and access rules.
    """
    settings = settings or ServerSettings()
    app = FastAPI(
        title="Lyrist", version=__version__, summary="Write, classify and score lyrics.", docs_url=None, redoc_url=None,
        redirect_slashes=False, lifespan=_closing(engine),
        responses={status: {"model": schemas.Problems, "description": phrase(status)} for status in ERRORS},
    )  # fmt: skip
    app.router.route_class = _Route
    app.state.engine, app.state.settings = engine, settings
    _add_api(app, engine)
    add_composing(app, engine)
    add_labelling(app, engine)
    add_lookups(app, engine)
    add_export(app)
    if settings.projects is not None:
        add_projects(app, Projects.open(settings.projects))
    _add_operations(app, engine)
    for kind in (RequestValidationError, HTTPException, LyristError, ApiError):
        app.add_exception_handler(kind, _answered)
    _fence(app)
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    if settings.studio:
        mount(app, engine)
    limits = engine.limits
    app.add_middleware(
        AccessControl, settings=settings, most=limits.body, seconds=limits.seconds, responded=engine.metrics.responded
    )
    return app


def _closing(engine: InferenceEngine) -> Any:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(engine.close)

    return lifespan


def _add_api(app: FastAPI, engine: InferenceEngine) -> None:
    @app.get("/v1/models", operation_id="listModels", tags=["models"])
    async def models() -> schemas.Models:
        """List the served runs."""
        entries = lambda: [model_entry(engine, served) for served in engine.models.items.values()]  # noqa: E731
        return schemas.Models(data=await run_in_threadpool(entries))

    @app.get("/v1/models/{name:path}", operation_id="retrieveModel", tags=["models"])
    async def model(name: str) -> schemas.Model:
        """Describe a served run."""
        known(engine.models.items, name)
        return await run_in_threadpool(model_entry, engine, engine.models.items[name])

    @app.post(
        "/v1/completions", operation_id="createCompletion", tags=["writing"], response_model=schemas.Completion,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )  # fmt: skip
    async def completions(body: schemas.CompletionRequest, request: Request) -> Any:
        """Write songs, with or without constraints; with `stream` as server-sent events."""
        known(engine.models.items, body.model)
        return await complete(engine, request, body)

    @app.post(
        "/v1/chat/completions", operation_id="createChatCompletion", tags=["writing"],
        response_model=schemas.ChatCompletion,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )  # fmt: skip
    async def chat_completions(body: schemas.ChatRequest, request: Request) -> Any:
        """Continue a conversation, or the song in it; with `stream` as server-sent events."""
        known(engine.models.items, body.model)
        return await chat(engine, request, body)


def _add_operations(app: FastAPI, engine: InferenceEngine) -> None:
    @app.get("/healthz", operation_id="health", tags=["operations"])
    async def healthz() -> schemas.Health:
        """Return the state of the server."""
        return schemas.Health(
            models=len(engine.models.items), inside=engine.inside, queue=engine.limits.queue,
            projects=app.state.settings.projects is not None, memory_bytes=psutil.Process().memory_info().rss,
        )  # fmt: skip

    @app.get(
        "/metrics", operation_id="metrics", tags=["operations"], response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(engine.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _answered(_: Request, error: Exception) -> JSONResponse:
    return as_api_error(error).response()


def _fence(app: FastAPI) -> None:
    """Answer wrong methods and paths below /v1, which the studio would otherwise answer."""
    known: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, APIRoute):
            known.setdefault(route.path, set()).update(route.methods or ())
    known["/openapi.json"] = {"GET", "HEAD"}
    for path, methods in known.items():
        app.add_api_route(
            path,
            _wrong_method(sorted(methods)),
            methods=[m for m in METHODS if m not in methods],
            include_in_schema=False,
        )
    app.add_api_route("/v1", _nowhere, methods=list(METHODS), include_in_schema=False)
    app.add_api_route("/v1/{rest:path}", _nowhere, methods=list(METHODS), include_in_schema=False)


def _wrong_method(allowed: Sequence[str]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        message = f"{request.url.path} accepts {' or '.join(allowed)}."
        raise ApiError(405, message, headers={"Allow": ", ".join(allowed)})

    return answer


async def _nowhere(request: Request) -> Response:
    raise ApiError(404, "This path does not exist; GET /openapi.json describes the API.")


class _StrictRequest(Request):
    """A request whose JSON is parsed strictly, and in a thread if it is long."""

    async def json(self) -> Any:
        if not hasattr(self, "_read"):
            body = await self.body()
            self._read = await run_in_threadpool(loads, body) if len(body) > LARGE else loads(body)
        return self._read


class _Route(APIRoute):
    """A route with strict JSON bodies."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            request = _StrictRequest(request.scope, request.receive)
            if self.body_field is not None and not _is_json(request.headers.get("content-type", "")):
                raise ApiError(415, "The body must be JSON; send it with 'Content-Type: application/json'.")
            return await handle(request)

        return strict


def _is_json(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == "application/json"


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description without FastAPI's validation errors, which this server does not send."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        for path in found["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for unused in ("HTTPValidationError", "ValidationError"):
            found["components"]["schemas"].pop(unused, None)
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = found
    return app.openapi_schema


def model_entry(engine: InferenceEngine, served: ServedModel) -> Model:
    """Return the description of a served run."""
    corpus = engine.corpora.get(served.name)
    language = None if corpus is None else corpus.language
    info = served.run.info
    config = info.get("config")
    reads_artist = isinstance(config, dict) and "artist" in str(config.get("features", ""))
    return Model(
        id=served.name, created=served.created, task=served.task, recipe=served.recipe,
        conditions={c: list(values) for c, values in served.conditions.items()}, labels=list(served.labels),
        corpus=corpus is not None and corpus.available, language=language, changed=served.changed,
        artist=reads_artist, parameters=info.get("parameters"), seconds=info.get("seconds"),
    )  # fmt: skip
