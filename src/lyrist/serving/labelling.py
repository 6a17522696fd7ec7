"""Paths that label and score: lyrics, pictures and tables."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from lyrist.evaluation.classify import Label
from lyrist.evaluation.originality import Copied
from lyrist.serving import schemas
from lyrist.serving.completions import conditions
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.lookups import song_found
from lyrist.serving.responses import ApiError, answers, known, loads
from lyrist.serving.schemas import Classified, ClassifyRequest, Labelled, Originality, Scored, ScoreRequest, Scores
from lyrist.serving.workers import TextScore

TABLES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".json": "application/json",
}
"""Endings of tables that can be uploaded: text formats, which cannot be larger than they are."""
FORMATS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "jsonl": "application/jsonl"}
"""Formats of a labelled table."""
FIELDS = ("model", "top", "coverage", "probabilities", "abstain", "largest_set", "keep", "lyrics")
"""Fields of a multipart body besides the file."""


Format = Annotated[
    Literal["csv", "parquet", "jsonl"] | None, Query(description="Format of the table; by default JSON.")
]


def add_labelling(app: FastAPI, engine: InferenceEngine) -> None:
    """Add the paths to an application."""

    @app.post("/v1/classify", operation_id="classify", tags=["labels"])
    async def classify(body: schemas.ClassifyRequest, request: Request) -> schemas.Classified:
        """Classify lyrics or pictures, with explanations on request."""
        known(engine.models.items, body.model)
        return await classify_items(engine, request, body)

    @app.post("/v1/embeddings", operation_id="createEmbedding", tags=["scores"])
    async def embeddings(body: schemas.EmbeddingRequest, request: Request) -> schemas.Embeddings:
        """Return a vector for each text, from the hidden states of a neural model."""
        known(engine.models.items, body.model)
        return await embed_texts(engine, request, body)

    @app.post("/v1/score", operation_id="score", tags=["scores"])
    async def score(body: schemas.ScoreRequest, request: Request) -> schemas.Scores:
        """Return the bits per byte of lyrics under a writer, and their overlap with its training songs."""
        known(engine.models.items, body.model)
        return await score_texts(engine, request, body)

    @app.post(
        "/v1/label", operation_id="labelTable", tags=["labels"], response_model=schemas.LabelledTable,
        openapi_extra={"requestBody": {"required": True, "content": {
            "application/json": {"schema": schemas.LabelRequest.model_json_schema()},
            "multipart/form-data": {"schema": schemas.LabelUpload.model_json_schema()},
        }}},
        responses={200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS.values()}}},
    )  # fmt: skip
    async def label(request: Request, format: Format = None) -> Any:  # noqa: A002 - the name in the address
        """Label the rows of a table, as `lyrist label`: texts or rows as JSON, or a file (CSV, TSV or JSON lines)."""
        body, data, suffix = await _table(request)
        known(engine.models.items, body.model)
        pending = engine.submit_label(body.model, data, suffix, body.options(), format)
        [found] = await answers(request, [pending])
        if isinstance(found, bytes):
            named = f'attachment; filename="labels.{format}"'
            return Response(found, media_type=FORMATS[str(format)], headers={"Content-Disposition": named})
        return schemas.LabelledTable(model=body.model, data=found)


# A table is labelled.


async def _table(request: Request) -> tuple[schemas.LabelRequest, bytes, str]:
    """Return the options, the bytes and the ending of the table of a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await run_in_threadpool(_checked, loads(await request.body()))
        if (body.texts is None) == (body.rows is None):
            raise ApiError(400, "Give either texts or rows.", param="texts")
        rows = [{"lyrics": text} for text in body.texts or []] if body.rows is None else body.rows
        if not rows:
            raise ApiError(400, "There is no row to label.", param="texts" if body.rows is None else "rows")
        lines = [json.dumps(row, ensure_ascii=True) for row in rows]
        return body, ("\n".join(lines) + "\n").encode(), ".jsonl"
    if kind != "multipart/form-data":
        raise ApiError(415, "The body must be JSON, or a form with a file (multipart/form-data).")
    async with request.form(max_files=1, max_fields=32) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, "The form has no file; send the table as 'file'.", param="file")
        fields = {name: form.getlist(name) for name in FIELDS if name in form}
        body = _checked(_typed(fields))
        suffix = "." + (file.filename or "").rpartition(".")[2].lower()
        data = await file.read()
    if suffix not in TABLES:
        raise ApiError(400, f"The file must be one of {', '.join(TABLES)}.", param="file")
    return body, data, suffix


def _typed(fields: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the fields of a form with the types of JSON."""
    found: dict[str, Any] = {}
    for name, values in fields.items():
        if any(isinstance(value, UploadFile) for value in values):
            raise ApiError(400, f"{name} is a file; send it as a field.", param=name)
        if name == "keep":
            found[name] = values
        elif name in ("model", "lyrics"):
            found[name] = values[0]
        else:
            try:
                found[name] = json.loads(values[0])
            except ValueError:
                raise ApiError(
                    400, f"{name} must be a number, true or false, got '{values[0][:40]}'.", param=name
                ) from None
    return found


def _checked(body: Any) -> schemas.LabelRequest:
    try:
        return schemas.LabelRequest.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


# Texts are labelled and scored.


async def classify_items(engine: InferenceEngine, request: Request, body: ClassifyRequest) -> Classified:
    """Classify lyrics or pictures."""
    if (body.texts is None) == (body.pictures is None):
        raise ApiError(400, "Give either texts or pictures.", param="texts")
    if body.pictures is not None:
        return await _pictures(engine, request, body, body.pictures)
    texts = [body.texts] if isinstance(body.texts, str) else body.texts or []
    pending = engine.submit_classify(body.model, texts, artist=body.artist, explain=bool(body.explain))
    [labels] = await answers(request, [pending])
    return Classified(model=body.model, data=[_labelled(*each, body.top) for each in enumerate(labels)])


async def _pictures(
    engine: InferenceEngine, request: Request, body: ClassifyRequest, pictures: list[str]
) -> Classified:
    if body.artist or body.explain:
        raise ApiError(400, "Pictures have no words; leave artist and explain out.", param="pictures")
    engine.models.get(body.model, "picture")
    files = await run_in_threadpool(lambda: [_bytes(number, text) for number, text in enumerate(pictures, 1)])
    [found] = await answers(request, [engine.submit_pictures(body.model, files)])
    data = [
        Labelled(index=i, label=next(iter(each)), probabilities=_top(each, body.top)) for i, each in enumerate(found)
    ]
    return Classified(model=body.model, data=data)


def _bytes(number: int, text: str) -> bytes:
    try:
        given = text.partition(",")[2] if text.startswith("data:") else text
        return base64.b64decode("".join(given.split()), validate=True)  # many tools break it into lines
    except (binascii.Error, ValueError):
        raise ApiError(400, f"Picture {number} is not base64.", param="pictures") from None


def _labelled(index: int, one: Label, top: int | None) -> Labelled:
    explanation = one.explanation
    found = Labelled(index=index, label=one.label, probabilities=_top(one.probabilities, top))
    if isinstance(one.predicted, float):
        found.value = one.predicted
    elif one.predicted is not None:
        found.labels = list(one.predicted)
    if explanation is not None:
        found.words, found.lines, found.method = explanation.words, explanation.lines, explanation.method
    return found


def _top(probabilities: dict[str, float], top: int | None) -> dict[str, float]:
    return dict(list(probabilities.items())[:top])


async def embed_texts(engine: InferenceEngine, request: Request, body: schemas.EmbeddingRequest) -> schemas.Embeddings:
    """Represent texts."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(
            400, "Tokens are not supported, as clients do not know those of the model; send texts. (In LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False).)", param="input",
        )  # fmt: skip
    [(vectors, tokens)] = await answers(request, [engine.submit_embedding(body.model, [str(text) for text in texts])])
    if body.dimensions not in (None, vectors.shape[1]):
        raise ApiError(
            400, f"The representation of '{body.model}' has {vectors.shape[1]} dimensions; leave dimensions out.",
            param="dimensions",
        )  # fmt: skip
    packed = body.encoding_format == "base64"
    data = [
        schemas.Embedding(index=i, embedding=base64.b64encode(row.tobytes()).decode() if packed else row.tolist())
        for i, row in enumerate(vectors)
    ]
    usage = schemas.EmbeddingUsage(prompt_tokens=sum(tokens), total_tokens=sum(tokens))
    return schemas.Embeddings(model=body.model, data=data, usage=usage)


async def score_texts(engine: InferenceEngine, request: Request, body: ScoreRequest) -> Scores:
    """Score lyrics."""
    texts = [body.texts] if isinstance(body.texts, str) else body.texts
    [scores] = await answers(request, [engine.submit_score(body.model, texts, conditions(body))])
    return Scores(model=body.model, data=[_scored(index, each) for index, each in enumerate(scores)])


def _scored(index: int, one: TextScore) -> Scored:
    return Scored(
        index=index, bits_per_byte=one.bits_per_byte, tokens=one.tokens, bytes=one.bytes,
        originality=None if one.copied is None else _originality(one.copied),
    )  # fmt: skip


def _originality(copied: Copied) -> Originality:
    song = copied.song
    return Originality(
        longest_run=copied.longest_run, words=copied.words,
        song=None if song is None else song_found(song),
        shares={str(n): share for n, share in copied.shares.items()},
    )  # fmt: skip
