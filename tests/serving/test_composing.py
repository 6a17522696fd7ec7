"""Takes over HTTP: streamed as they are found, the same as `lyrist.generation.takes`, in turn between clients."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from servekit import LINES, Running, serving, soon

from lyrist.generation import takes
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.requests import PendingRequest

VERSE = [{"text": LINES[0], "locked": True}, {"text": LINES[1]}, {"text": ""}, {"text": LINES[8]}]
SHEET = {"title": "Ferry", "use": ["river"], "sections": [{"name": "verse", "rhyme": "AABB", "lines": VERSE}]}
LINE: dict[str, Any] = {"model": "ngram", "sheet": SHEET, "target": {"section": 0, "line": 1}, "n": 3, "seed": 4}


def events(server: Running, body: dict[str, Any]) -> Iterator[Any]:
    """The events of a stream; the last must be [DONE]."""
    with server.http.stream("POST", "/v1/compose", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        last = ""
        for line in answer.iter_lines():
            if line:
                last = line.removeprefix("data: ")
                if last != "[DONE]":
                    yield json.loads(last)
        assert last == "[DONE]"


@pytest.fixture(scope="module", autouse=True)
def indexed(server: Running) -> None:
    """The index of the training songs exists, so that every request is checked for copies."""
    soon(lambda: server.engine.corpora["ngram"].index_if_ready() is not None)


@pytest.mark.parametrize(
    "target",
    [
        {"section": 0, "line": 1},
        {"section": 0, "line": 1, "insert": True},
        {"section": 0},
        {"section": 0, "line": 2, "rhyme_with": [0, 0]},
    ],
)
def test_takes_are_streamed_and_ranked(server: Running, target: dict[str, Any]) -> None:
    *single, last = events(server, {**LINE, "target": target})
    found = [event["take"] for event in single]
    assert 1 <= len(found) <= 3
    assert last == {"takes": sorted(found, key=lambda take: -take["score"])}
    for take in found:
        assert set(take) == {"lines", "score", "met"}
        assert set(take["met"]) == {"rhyme", "syllables", "copied", "uses"}
    whole = server.http.post("/v1/compose", json={**LINE, "target": target, "stream": False}).json()
    assert whole["takes"] == last["takes"]


@pytest.mark.parametrize("stream", [True, False])
def test_the_time_limit_begins_again_with_each_line_of_streamed_takes(
    server: Running, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    renewed: list[float] = []
    monkeypatch.setattr(PendingRequest, "renew", lambda self: renewed.append(self.left))
    answer = server.http.post("/v1/compose", json={**LINE, "stream": stream})
    assert len(renewed) >= answer.text.count('"take":')
    assert bool(renewed) == stream


def test_takes_are_those_of_python(server: Running, models: ModelRegistry) -> None:
    corpus = server.engine.corpora["ngram"]
    *single, _ = events(server, LINE)
    expected = takes(models.items["ngram"].model, SHEET, LINE["target"], 3, 4, index=corpus.index())
    assert [event["take"] for event in single] == list(expected)
    *single, _ = events(server, {**LINE, "temperature": 1.5, "candidates": 4})
    options = {"index": corpus.index(), "temperature": 1.5, "candidates": 4}
    expected = takes(models.items["ngram"].model, SHEET, LINE["target"], 3, 4, **options)
    assert [event["take"] for event in single] == list(expected)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"model": "nothing"}, 404), ({"model": "genres"}, 400), ({"target": {"section": 5}}, 400), ({"n": 0}, 400),
        ({"target": {"section": 0, "line": 0}}, 400), ({"target": {"section": 0, "line": 9}}, 400), ({"tone": "louder"}, 400),
        ({"sheet": {"sections": []}}, 400), ({"sheet": {**SHEET, "language": "xx"}}, 400), ({"like": "\x00"}, 400),
        ({"sheet": {"sections": [{"lines": [{"text": "x" * 20_001}]}]}}, 400), ({"sheet": {**SHEET, "genre": "polka"}}, 400),
        ({"temperature": 9}, 400), ({"candidates": 65}, 400),
        ({"sheet": {"sections": [{"lines": [{}] * 401}]}}, 400), ({"sheet": {"sections": [{}] * 101}}, 400),
        ({"target": {"section": 0, "line": 1, "rhyme_with": [0]}}, 400), ({"sheet": {**SHEET, "use": ["x"] * 201}}, 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_sheets_that_are_not_possible_are_refused(
    server: Running, more: dict[str, Any], status: int, stream: bool
) -> None:
    answer = server.http.post("/v1/compose", json={**LINE, "stream": stream, **more})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert server.engine.inside == 0


def test_takes_of_several_clients_are_found_in_turn(models: ModelRegistry) -> None:
    """A line needs at most six attempts, so a client's first take is found within seven takes of another one."""
    with serving(ModelRegistry({"ngram": models.items["ngram"]})) as running:
        order, both = list[str](), threading.Event()
        held = running.engine.submit_takes(
            "ngram", SHEET, {"section": 0}, n=8, on_take=lambda _: (order.append("first"), both.wait(60))
        )
        soon(lambda: order)
        other = running.engine.submit_takes(
            "ngram", SHEET, {"section": 0}, n=2, on_take=lambda _: order.append("second")
        )
        both.set()
        assert len(held.result()) == 8
        assert len(other.result()) == 2
    assert order.index("second") < len(order) - 1 - order[::-1].index("first")


def test_a_client_that_leaves_frees_its_place(models: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(ModelRegistry({"ngram": models.items["ngram"]})) as running:
        submit, submitted, left = running.engine.submit_takes, [], threading.Event()

        def stopping_after_the_first_take(*args: Any, on_take: Any, **more: Any) -> Any:
            submitted.append(submit(*args, on_take=lambda take: (on_take(take), left.wait()), **more))
            return submitted[0]

        monkeypatch.setattr(running.engine, "submit_takes", stopping_after_the_first_take)
        with running.http.stream("POST", "/v1/compose", json={**LINE, "target": {"section": 0}, "n": 16}) as answer:
            next(answer.iter_lines())
            assert running.engine.inside == 1
        soon(submitted[0].cancelled.is_set)
        left.set()
        soon(lambda: running.engine.inside == 0)
        soon(lambda: running.engine.metrics.outcomes().get("cancelled") == 1)
