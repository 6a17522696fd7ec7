"""The desk: many at once get what each would get alone, places are bounded, and who goes away frees a place."""

import asyncio
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from servekit import LINES, slowed, soon

from lyrist.errors import UsageError
from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose
from lyrist.serving import requests
from lyrist.serving.inferenceengine import InferenceEngine, ServerMetrics
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.requests import Busy, Cancelled, Closing, Limits, PendingRequest, TimedOut
from lyrist.serving.responses import arrived
from lyrist.serving.songworker import GenerationRequest

SONG = "\n".join(LINES[:6])


@pytest.fixture(scope="module")
def engine(models: ModelRegistry) -> Any:
    made = InferenceEngine(models, Limits(), threads=1)
    yield made
    made.close()


def test_many_writers_at_once_each_get_the_song_that_the_verb_writes(engine: InferenceEngine) -> None:
    writer = engine.models.items["ngram"].model
    configs = [GenerationConfig(n=1 + i % 2, max_tokens=20 + i, seed=i) for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda each: engine.write("ngram", GenerationRequest(each, prompt="the river")), configs))
    for songs, each in zip(found, configs, strict=True):
        alone = compose(writer, prompt="the river", config=each)
        assert [song.text for song in songs] == [song.text for song in alone]
        assert [song.ended for song in songs] == [song.ended for song in alone]


def test_songs_to_a_plan_and_without_copies(engine: InferenceEngine) -> None:
    [song] = engine.write(
        "ngram", GenerationRequest(GenerationConfig(form="verse,chorus,chorus", rhyme="AABB", seed=2, original=6))
    )
    assert len(song.lines) == 12
    assert song.ended == "plan"
    assert song.copied is not None
    with pytest.raises(UsageError, match="have no stop"):
        engine.write("ngram", GenerationRequest(GenerationConfig(form="verse"), stops=("x",)))


@pytest.mark.parametrize(("name", "batch"), [("ngram", 32), ("gpt", 32), ("ngram", 1)])
def test_songs_to_a_plan_are_composed_together_as_alone(
    models: ModelRegistry, name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = slowed(models, name, 0.0)
    model: Any = slow.items[name].model.model
    model.go.clear()  # until all are submitted
    together: list[int] = []
    metrics = ServerMetrics()
    monkeypatch.setattr(metrics, "computed", lambda _, __, size: together.append(size))
    engine = InferenceEngine(slow, Limits(batch=batch), threads=1, metrics=metrics)
    configs = [GenerationConfig(form="verse:2", rhyme="AA", candidates=8, seed=seed) for seed in range(4)]
    pending = [engine.submit_write(name, GenerationRequest(each)) for each in configs]
    model.go.set()
    songs = [each.result()[0] for each in pending]
    engine.close()
    assert (max(together) > 1) == (batch > 1), "requests of several songs in one batch"
    assert [song.text for song in songs] == [compose(slow.items[name].model, config=each)[0].text for each in configs]


def test_words_are_told_as_they_come(engine: InferenceEngine) -> None:
    said: list[str] = []
    [song] = engine.write(
        "ngram",
        GenerationRequest(GenerationConfig(max_tokens=30, seed=1), on_text=lambda _, text, __: said.append(text)),
    )
    assert len(said) >= song.tokens - 1
    assert all(later.startswith(text.rstrip("�")) for text, later in pairwise(said))


def test_labels_are_those_of_the_model_whoever_asks_beside(engine: InferenceEngine) -> None:
    texts = [" ".join([line] * 2) for line in LINES]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda text: engine.classify("genres", [text])[0], texts))
    alone = engine.classify("genres", texts)
    assert [each.probabilities for each in together] == [each.probabilities for each in alone]
    assert [each.text for each in together] == texts


def test_explained_labels_name_the_words(engine: InferenceEngine) -> None:
    found = engine.classify("genres", [SONG, LINES[-1]], explain=True)
    assert all(each.explanation is not None and each.explanation.words for each in found)
    assert found[0].explanation.label == found[0].label  # type: ignore[union-attr]


def test_texts_are_cleaned_by_the_rules_of_the_runs_corpus(models: ModelRegistry) -> None:
    items = {name: models.items[name] for name in ("genres", "ngram")}
    for name, served in items.items():
        info = {**served.run.info, "cleaning": {"parentheses": "drop"}}
        items[name] = dataclasses.replace(served, run=dataclasses.replace(served.run, info=info))
    engine = InferenceEngine(ModelRegistry(items), Limits(), threads=1)
    try:
        assert engine.classify("genres", [f"{SONG} (ooh)"])[0].text == SONG
        assert engine.score("ngram", [f"{SONG} (ooh)"], {})[0].text == SONG
    finally:
        engine.close()


def test_one_bad_text_fails_alone(engine: InferenceEngine) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [engine.submit_classify("genres", [text]) for text in [SONG, "   ", SONG, "12 !!", SONG]]
        found = list(pool.map(lambda pending: pending.future.exception(120), asked))
    assert [type(error) for error in found[:3]] == [type(None), UsageError, type(None)]
    assert asked[4].result()[0].label in ("folk", "rock")


def test_scores_are_bits_and_copies(engine: InferenceEngine) -> None:
    [copied, new] = engine.score("ngram", [SONG, "a quite unheard of sentence about zebras"], {"genre": "folk"})
    nats = engine.models.items["ngram"].model.losses([SONG], [{"genre": "folk"}])[0]
    assert copied.nats == pytest.approx(float(nats.sum()))
    assert copied.tokens == len(nats)
    assert copied.copied is not None
    assert copied.copied.longest_run >= 7
    assert copied.copied.song is not None
    assert new.bits_per_byte > copied.bits_per_byte
    assert new.copied is not None
    assert new.copied.longest_run == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"prompt": "x" * 30_000}, "30,000 characters"),
        ({"prompt": "a\x00b"}, "NUL"),
        ({"prompt": "a\ud800b"}, "surrogate"),
        ({"prompt": " \n "}, "empty"),
        ({"conditions": {"genre": "polka"}}, "polka"),
        ({"conditions": {"planet": "mars"}}, "planet"),
        ({"config": GenerationConfig(n=9)}, "n must be between 1 and 8 on this server, got 9"),
        ({"config": GenerationConfig(max_tokens=10**6)}, "max_tokens"),
        ({"config": GenerationConfig(form=",".join(["verse:32"] * 13))}, "lines of the form"),
    ],
)
def test_what_cannot_be_meant_is_refused(engine: InferenceEngine, given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        engine.write("ngram", GenerationRequest(**given))
    assert engine.inside == 0


def test_beyond_its_places_it_is_busy_and_says_when_to_come_again(models: ModelRegistry) -> None:
    engine = InferenceEngine(slowed(models, "gpt", 0.05), Limits(queue=3), threads=1)
    pending_requests = [
        engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=200, seed=i))) for i in range(3)
    ]
    with pytest.raises(Busy) as busy:
        engine.submit_write("gpt")
    assert 1 <= busy.value.retry_after <= 30
    for pending in pending_requests:
        pending.cancel()
    soon(lambda: engine.inside == 0)
    assert engine.write("gpt", GenerationRequest(GenerationConfig(max_tokens=1)))
    assert b'outcome="refused"' in engine.metrics.text()
    engine.close()
    with pytest.raises(Closing):
        engine.write("gpt")


def test_they_are_written_together(models: ModelRegistry) -> None:
    slow = slowed(models, "gpt", 0.01)
    engine = InferenceEngine(slow, Limits(batch=8), threads=1)
    slow.items["gpt"].model.model.go.clear()
    pending_requests = [
        engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=12, seed=i, temperature=0.5 + i / 20)))
        for i in range(20)
    ]
    slow.items["gpt"].model.model.go.set()
    for pending in pending_requests:
        pending.result()
    together = slow.items["gpt"].model.model.together
    assert max(together) == 8
    assert len(together) < 20 * 12 / 3
    engine.close()


def test_a_request_has_so_many_seconds_and_can_be_given_up(models: ModelRegistry) -> None:
    slow = slowed(models, "gpt", 0.02)
    engine = InferenceEngine(slow, Limits(seconds=0.4), threads=1)
    with pytest.raises(TimedOut, match=r"0\.4 seconds"):
        engine.write("gpt", GenerationRequest(GenerationConfig(max_tokens=500)))
    assert len(slow.items["gpt"].model.model.together) < 500
    cancelled = threading.Event()
    pending = engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=500)), cancelled=cancelled)
    cancelled.set()
    with pytest.raises(Cancelled):
        pending.result()
    soon(lambda: engine.inside == 0)
    engine.close()


def test_scores_that_nobody_waits_for_any_more_hold_up_nobody(models: ModelRegistry) -> None:
    slow = slowed(models, "gpt", 0.0)
    writer, go = slow.items["gpt"].model, threading.Event()
    scored: list[int] = []

    def losses(texts: list[str], *_: Any, **__: Any) -> Any:
        scored.append(len(texts))
        if len(scored) > 1:
            go.wait()
        return [np.ones(3) for _ in texts]

    writer.losses = losses
    engine = InferenceEngine(slow, Limits(seconds=600), threads=1)
    pending = engine.submit_score("gpt", ["la " * 6_000] * 20)
    soon(lambda: len(scored) > 1)
    pending.cancel()
    go.set()
    assert len(engine.score("gpt", [SONG])) == 1
    assert sum(scored) < 10
    scored.clear()
    assert len(engine.score("gpt", ["la " * 6_000] * 8)) == 8
    assert scored == [3, 3, 2]
    engine.close()


def test_closing_finishes_what_was_begun(models: ModelRegistry) -> None:
    engine = InferenceEngine(slowed(models, "gpt", 0.01), Limits(), threads=1)
    pending = engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=30, seed=1)))
    engine.close()
    assert pending.future.done()
    assert pending.result()[0].tokens


def test_what_does_not_end_is_waited_for_once_however_often_it_is_closed(
    models: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, waited, now = InferenceEngine(models, Limits(seconds=2), threads=1), [], [100.0]
    monkeypatch.setattr("lyrist.serving.inferenceengine.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(engine._gate, "wait", waited.append)
    engine.refuse()
    for passed in (0.5, 1.0, 9.0):
        now[0] += passed
        engine.close()
    assert waited == [2.5, 1.5, 0.0]


def test_an_error_in_the_model_fails_those_it_hit_and_nobody_after(models: ModelRegistry) -> None:
    slow = slowed(models, "gpt", 0.0)
    model = slow.items["gpt"].model.model
    engine = InferenceEngine(slow, Limits(), threads=1)
    model._seconds = "never"
    with pytest.raises(TypeError):
        engine.write("gpt", GenerationRequest(GenerationConfig(max_tokens=3)))
    model._seconds = 0
    assert engine.write("gpt", GenerationRequest(GenerationConfig(max_tokens=3)))
    engine.close()


def test_a_wait_that_is_cancelled_as_the_answer_arrives_is_cancelled() -> None:
    """Otherwise a stream goes on for a client that has gone."""

    async def cancelled_at_the_answer() -> bool:
        pending: PendingRequest[int] = PendingRequest(60)
        waiting = asyncio.ensure_future(arrived(pending))
        await asyncio.sleep(0)
        pending.answer(1)
        await asyncio.sleep(0)  # the loop has the answer, the waiting task does not
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    with ThreadPoolExecutor(1) as alone:  # the tests with a browser leave a running event loop in the main thread
        assert alone.submit(lambda: asyncio.run(cancelled_at_the_answer())).result()


def test_a_renewed_request_has_its_whole_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(requests, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pending: PendingRequest[str] = PendingRequest(60)
    now[0] += 59
    assert pending.left == 1
    pending.renew()
    now[0] += 59
    assert pending.expired() is None
    now[0] += 1
    assert isinstance(pending.expired(), TimedOut)
