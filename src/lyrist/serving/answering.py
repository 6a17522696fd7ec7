"""``/v1/classify``, ``/v1/score`` and ``/v1/models``: what is asked, put to the desk, and what it says, put into JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from lyrist.evaluation.classify import Label
from lyrist.evaluation.originality import Copied
from lyrist.serving.completions import conditions
from lyrist.serving.desk import Desk
from lyrist.serving.replies import Refused
from lyrist.serving.schemas import (
    Classified,
    ClassifyRequest,
    Labelled,
    Model,
    Originality,
    Scored,
    ScoreRequest,
    Scores,
    SongFound,
)
from lyrist.serving.scoring import Score
from lyrist.serving.shelf import Served
from lyrist.serving.waiting import answers


def model(served: Served) -> Model:
    """Return what is told of a run."""
    return Model(
        id=served.name, created=int((served.path / "run.json").stat().st_mtime), task=served.task,
        recipe=served.recipe, conditions={c: list(values) for c, values in served.conditions.items()},
        labels=list(served.labels),
    )  # fmt: skip


async def classify(desk: Desk, request: Request, body: ClassifyRequest) -> Classified:
    """Label lyrics or pictures."""
    if (body.texts is None) == (body.pictures is None):
        raise Refused(400, "Give either texts or pictures.", param="texts")
    if body.pictures is not None:
        return await _pictures(desk, request, body, body.pictures)
    texts = [body.texts] if isinstance(body.texts, str) else body.texts or []
    asked = desk.ask_classify(body.model, texts, artist=body.artist, explain=bool(body.explain))
    [labels] = await answers(request, [asked])
    return Classified(model=body.model, data=[_labelled(*each, body.top) for each in enumerate(labels)])


async def _pictures(desk: Desk, request: Request, body: ClassifyRequest, pictures: list[str]) -> Classified:
    if body.artist or body.explain:
        raise Refused(400, "Pictures have no words; leave artist and explain out.", param="pictures")
    desk.shelf.get(body.model, "picture")
    files = await run_in_threadpool(lambda: [_bytes(number, text) for number, text in enumerate(pictures, 1)])
    [found] = await answers(request, [desk.ask_pictures(body.model, files)])
    data = [
        Labelled(index=i, label=next(iter(each)), probabilities=_top(each, body.top)) for i, each in enumerate(found)
    ]
    return Classified(model=body.model, data=data)


def _bytes(number: int, text: str) -> bytes:
    try:
        given = text.partition(",")[2] if text.startswith("data:") else text
        return base64.b64decode("".join(given.split()), validate=True)  # many tools break it into lines
    except (binascii.Error, ValueError):
        raise Refused(400, f"Picture {number} is not base64.", param="pictures") from None


def _labelled(index: int, one: Label, top: int | None) -> Labelled:
    told = one.explanation
    found = Labelled(index=index, label=one.label, probabilities=_top(one.probabilities, top))
    if told is not None:
        found.words, found.lines, found.method = told.words, told.lines, told.method
    return found


def _top(probabilities: dict[str, float], top: int | None) -> dict[str, float]:
    return dict(list(probabilities.items())[:top])


async def score(desk: Desk, request: Request, body: ScoreRequest) -> Scores:
    """Score lyrics."""
    texts = [body.texts] if isinstance(body.texts, str) else body.texts
    [scores] = await answers(request, [desk.ask_score(body.model, texts, conditions(body))])
    return Scores(model=body.model, data=[_scored(index, each) for index, each in enumerate(scores)])


def _scored(index: int, one: Score) -> Scored:
    return Scored(
        index=index, bits_per_byte=one.bits_per_byte, tokens=one.tokens, bytes=one.bytes,
        originality=None if one.copied is None else _originality(one.copied),
    )  # fmt: skip


def _originality(copied: Copied) -> Originality:
    song: Any = copied.song
    return Originality(
        longest_run=copied.longest_run, words=copied.words,
        song=None if song is None else SongFound(id=song.id, title=song.title, artist=song.artist),
        shares={str(n): share for n, share in copied.shares.items()},
    )  # fmt: skip
