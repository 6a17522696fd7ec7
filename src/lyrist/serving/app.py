"""The application: the API at /v1, what operators ask at /healthz and /metrics, and the studio, if wanted, at all else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from lyrist._version import __version__
from lyrist.errors import LyristError
from lyrist.serving import answering, schemas
from lyrist.serving.completions import complete
from lyrist.serving.counters import CONTENT_TYPE
from lyrist.serving.desk import Desk
from lyrist.serving.guard import Guard, Settings
from lyrist.serving.replies import Refused, loads, phrase, refused

STUDIO = "lyrist.serving.studio"
LARGE = 2**16
"""Bytes of a body from which on it is read in a thread, so that nobody waits for it."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ERRORS = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503, 504)


def build(desk: Desk, settings: Settings | None = None) -> FastAPI:
    """Return the application that serves a desk, which is closed with it.

    Parameters
    ----------
    desk
        What answers.
    settings
        Where the server listens and to whom.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="Lyrist", version=__version__, summary="Lyrics written, labelled and scored.", docs_url=None, redoc_url=None,
        redirect_slashes=False, lifespan=_closing(desk),
        responses={status: {"model": schemas.Problems, "description": phrase(status)} for status in ERRORS},
    )  # fmt: skip
    app.router.route_class = _Route
    app.state.desk, app.state.settings = desk, settings
    _add_api(app, desk)
    _add_operations(app, desk)
    for kind in (RequestValidationError, HTTPException, LyristError, Refused):
        app.add_exception_handler(kind, _answered)
    _fence(app)
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    if settings.studio and find_spec(STUDIO) is not None:
        app = getattr(import_module(STUDIO), "mount", lambda app, *_: app)(app, desk, settings) or app
    limits = desk.limits
    app.add_middleware(
        Guard, settings=settings, most=limits.body, seconds=limits.seconds, responded=desk.counters.responded
    )
    return app


def _closing(desk: Desk) -> Any:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    return lifespan


def _add_api(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/models", operation_id="listModels", tags=["models"])
    async def models() -> schemas.Models:
        """List the runs that are served."""
        return schemas.Models(data=[answering.model(served) for served in desk.shelf.items.values()])

    @app.get("/v1/models/{name:path}", operation_id="retrieveModel", tags=["models"])
    async def model(name: str) -> schemas.Model:
        """Tell of one run."""
        _known(desk, name)
        return answering.model(desk.shelf.items[name])

    @app.post(
        "/v1/completions", operation_id="createCompletion", tags=["writing"], response_model=schemas.Completion,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def completions(body: schemas.CompletionRequest, request: Request) -> Any:
        """Write songs, freely or to a plan; with `stream`, piece by piece as server-sent events."""
        _known(desk, body.model)
        return await complete(desk, request, body)

    @app.post("/v1/classify", operation_id="classify", tags=["labels"])
    async def classify(body: schemas.ClassifyRequest, request: Request) -> schemas.Classified:
        """Label lyrics or pictures, and tell what decided."""
        _known(desk, body.model)
        return await answering.classify(desk, request, body)

    @app.post("/v1/score", operation_id="score", tags=["scores"])
    async def score(body: schemas.ScoreRequest, request: Request) -> schemas.Scores:
        """Tell how well a writer foresees lyrics, and what of them it may have read."""
        _known(desk, body.model)
        return await answering.score(desk, request, body)


def _add_operations(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz", operation_id="health", tags=["operations"])
    async def healthz() -> schemas.Health:
        """Tell whether the server serves."""
        return schemas.Health(models=len(desk.shelf.items), inside=desk.inside)

    @app.get(
        "/metrics", operation_id="metrics", tags=["operations"], response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def metrics() -> Response:
        """Return the counters in Prometheus' text format."""
        return Response(desk.counters.text(), headers={"Content-Type": CONTENT_TYPE})


def _known(desk: Desk, name: str) -> None:
    if name not in desk.shelf.items:
        shown = name.encode("utf-8", "replace").decode()[:100]
        raise Refused(
            404,
            f"There is no model '{shown}'; GET /v1/models lists those there are.",
            param="model",
            code="model_not_found",
        )


async def _answered(_: Request, error: Exception) -> JSONResponse:
    return refused(error).response()


def _fence(app: FastAPI) -> None:
    """Answer wrong methods and wrong paths of the API itself; else the studio, which takes all other paths, would."""
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
        message = f"{request.url.path} takes {' or '.join(allowed)}."
        raise Refused(405, message, headers={"Allow": ", ".join(allowed)})

    return answer


async def _nowhere(request: Request) -> Response:
    raise Refused(404, "There is nothing at this path; GET /openapi.json describes what there is.")


class _StrictRequest(Request):
    """A request whose JSON is read strictly, and where it is long, beside the loop that serves all."""

    async def json(self) -> Any:
        if not hasattr(self, "_read"):
            body = await self.body()
            self._read = await run_in_threadpool(loads, body) if len(body) > LARGE else loads(body)
        return self._read


class _Route(APIRoute):
    """A route that reads bodies strictly."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            request = _StrictRequest(request.scope, request.receive)
            if self.body_field is not None and not _is_json(request.headers.get("content-type", "")):
                raise Refused(415, "The body is JSON; send it with 'Content-Type: application/json'.")
            return await handle(request)

        return strict


def _is_json(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == "application/json"


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, without the errors that FastAPI has and this server has not."""
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
