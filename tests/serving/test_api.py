"""The API as programs use it: the published client of OpenAI, unchanged, and plain HTTP for the rest."""

import base64
import copy
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import polars as pl
import pytest
from PIL import Image
from servekit import LINES, Running, serving, several_moods, slowed, soon

from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.label import label
from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose
from lyrist.metrics.language_modelling import figures, song_losses
from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.songworker import GenerationRequest
from lyrist.training.train import train
from lyrist.training.writer import Writer

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_models_are_listed_and_told(client: openai.OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert list(models) == ["ngram", "gpt", "genres", "pictures"]
    assert models["ngram"].conditions == {"genre": ["folk", "rock"]}  # type: ignore[attr-defined]
    assert client.models.retrieve("genres").labels == ["folk", "rock"]  # type: ignore[attr-defined]
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("nothing/like/it")
    assert error.value.code == "model_not_found"


def test_completions_are_the_songs_of_the_verb(client: openai.OpenAI, models: ModelRegistry) -> None:
    found = client.completions.create(
        model="ngram", prompt="the river", n=2, max_tokens=25, seed=7, temperature=0.8, top_p=0.9,
        extra_body={"genre": "folk"},
    )  # fmt: skip

    songs = compose(
        models.items["ngram"].model, given={"genre": "folk"}, prompt="the river",
        config=GenerationConfig(0.8, top_p=0.9, n=2, max_tokens=25, seed=7),
    )  # fmt: skip
    assert ["the river" + choice.text for choice in found.choices] == [song.text for song in songs]
    assert [choice.finish_reason for choice in found.choices] == [
        "length" if song.ended == "length" else "stop" for song in songs
    ]
    assert found.usage is not None
    assert found.usage.completion_tokens == sum(song.tokens for song in songs)
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.object == "text_completion"


def test_a_list_of_prompts_echo_stop_and_logprobs(client: openai.OpenAI) -> None:
    both = client.completions.create(model="gpt", prompt=["I hold", "the river"], n=2, max_tokens=9, seed=1, echo=True)
    assert [choice.index for choice in both.choices] == [0, 1, 2, 3]
    assert [choice.text.split()[0] for choice in both.choices] == ["I", "I", "the", "the"]
    stopped = client.completions.create(model="ngram", prompt="the river", max_tokens=99, seed=1, stop=["\n"])
    assert "\n" not in stopped.choices[0].text
    assert stopped.choices[0].finish_reason == "stop"
    likely = client.completions.create(model="ngram", max_tokens=9, seed=1, logprobs=2, prompt="I hold").choices[0]
    told = likely.logprobs
    assert told is not None
    assert told.tokens is not None
    assert told.token_logprobs is not None
    assert len(told.tokens) == len(told.token_logprobs) == len(told.text_offset or []) == len(told.top_logprobs or [])
    assert "".join(told.tokens).startswith(likely.text)
    assert max(told.token_logprobs) <= 0


@pytest.mark.parametrize("more", [{}, {"stop": ["e"]}, {"stop": ["er", "\n"]}, {"max_tokens": 3}, {"temperature": 9.0}])
@pytest.mark.parametrize("model", ["ngram", "gpt"])
def test_tokens_are_cut_where_the_text_is_cut(client: openai.OpenAI, model: str, more: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "model": model,
        "prompt": ["the river", "Ça "],
        "max_tokens": 20,
        "seed": 5,
        "logprobs": 3,
        **more,
    }
    whole = client.completions.create(**given)
    for choice, prompt in zip(whole.choices, ("the river", "Ça"), strict=True):
        if choice.logprobs is None:
            assert choice.text == ""
            continue
        assert "".join(choice.logprobs.tokens or []) == choice.text
        assert (choice.logprobs.text_offset or [])[0] == len(prompt)
        for token, value, top in zip(*_columns(choice), strict=True):
            assert len(top) <= 3
            assert value <= max(top.values()) + 1e-6, token
    streamed: dict[int, list[Any]] = {}
    for chunk in client.completions.create(**given, stream=True):
        [choice] = chunk.choices
        streamed.setdefault(choice.index, []).append(choice)
    for index, pieces in streamed.items():
        text = "".join(piece.text for piece in pieces)
        assert text == whole.choices[index].text
        for piece in pieces:
            assert "".join(piece.logprobs.tokens if piece.logprobs else []) == piece.text
        tokens = [token for piece in pieces if piece.logprobs for token in piece.logprobs.tokens]
        expected = whole.choices[index].logprobs
        assert tokens == (expected.tokens if expected else [])


def _columns(choice: Any) -> tuple[Any, Any, Any]:
    return choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs


def test_texts_are_represented_by_neural_models(client: openai.OpenAI, server: Running) -> None:
    texts = ["the river runs away", "the river runs away again", " ".join(["a copper key a candle"] * 40)]
    found = client.embeddings.create(model="gpt", input=texts)  # in base64, as this client requests
    vectors = np.array([each.embedding for each in found.data])
    assert vectors.shape == (3, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert found.usage.prompt_tokens == found.usage.total_tokens > 64, "longer than the context"
    single = server.http.post("/v1/embeddings", json={"model": "gpt", "input": texts[0]}).json()
    assert single["data"][0]["embedding"] == pytest.approx(vectors[0].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"model": "ngram"}, "no representation"), ({"model": "genres"}, "no representation"), ({"input": [1, 2]}, "send texts"),
        ({"model": "pictures"}, "no representation"), ({"input": []}, "texts"), ({"dimensions": 5}, "32 dimensions"),
        ({"input": " \u00a0"}, "empty"), ({"input": "a\x00"}, "NUL"), ({"encoding_format": "int8"}, "encoding_format"),
    ],
)  # fmt: skip
def test_what_cannot_be_represented_is_refused(server: Running, body: dict[str, Any], says: str) -> None:
    found = server.http.post("/v1/embeddings", json={"model": "gpt", "input": "the river", **body})
    assert found.status_code == 400, found.text
    assert says in found.json()["error"]["message"]


# Scores of prompts, as lm-eval requests them.


def lm_eval_rolling(client: openai.OpenAI, model: str, songs: list[list[int]], bos: int) -> list[float]:
    """The requests of lm-eval 0.4 (`local-completions`, a batch of token lists) and what it reads of the answers."""
    answer = client.completions.create(
        model=model,
        prompt=[[bos, *ids] for ids in songs],
        temperature=0,
        max_tokens=1,
        logprobs=1,
        seed=1234,
        echo=True,
    )
    found = []
    for choice in sorted(answer.choices, key=lambda each: each.index):
        _, logprobs, top = _columns(choice)
        assert len(logprobs[1:-1]) == len(top[1:-1])
        assert all(
            value <= max(likely.values()) + 1e-6 for value, likely in zip(logprobs[1:-1], top[1:-1], strict=True)
        )
        found.append(sum(logprobs[1:-1]))
    return found


@pytest.mark.parametrize("model", ["ngram", "gpt"])
def test_lm_eval_finds_the_bits_per_byte_of_evaluate(client: openai.OpenAI, models: ModelRegistry, model: str) -> None:
    writer: Writer = models.items[model].model
    texts = ["\n".join(LINES[:2]), LINES[4], "I hold the lantern"]
    losses = writer.losses(texts, device="cpu")
    ids = [writer.encode(text) for text in texts]
    found = lm_eval_rolling(client, model, ids, writer.bos)
    assert found == pytest.approx([-each[:-1].sum() for each in losses], rel=1e-4)
    # with the end token of each song it is the figure of `lyrist evaluate`
    found = lm_eval_rolling(client, model, [[*each, writer.eos] for each in ids], writer.bos)
    frame = pl.DataFrame({"lyrics": texts})
    bits = -sum(found) / math.log(2) / sum(len(text.encode()) for text in texts)
    assert bits == pytest.approx(figures(song_losses(writer, frame))["bits_per_byte"]["value"], rel=1e-4)


def test_a_prompt_alone_is_scored_and_echoed(client: openai.OpenAI, models: ModelRegistry) -> None:
    writer: Writer = models.items["gpt"].model
    ids = writer.encode("the river runs")
    alone = client.completions.create(
        model="gpt", prompt="the river runs", max_tokens=0, echo=True, logprobs=0
    ).choices[0]
    assert alone.text == "the river runs"
    assert alone.finish_reason == "length"
    assert alone.logprobs is not None
    assert "".join(alone.logprobs.tokens or []) == alone.text
    assert alone.logprobs.token_logprobs == pytest.approx(
        (-writer.losses([alone.text], device="cpu")[0][:-1]).tolist(), rel=1e-4
    )
    for prompt, before in ((ids, 0), ([writer.bos, *ids], 1)):
        same = client.completions.create(model="gpt", prompt=prompt, max_tokens=0, echo=True, logprobs=0).choices[0]
        assert same.logprobs is not None
        assert (same.logprobs.token_logprobs or [])[before:] == pytest.approx(alone.logprobs.token_logprobs)
        assert (same.logprobs.token_logprobs or [])[:before] == [None] * before
    conditioned = client.completions.create(
        model="gpt", prompt=ids, max_tokens=0, echo=True, logprobs=0, extra_body={"genre": "folk"}
    )
    expected = -writer.losses([alone.text], [{"genre": "folk"}], device="cpu")[0][:-1]
    assert conditioned.choices[0].logprobs is not None
    assert conditioned.choices[0].logprobs.token_logprobs == pytest.approx(expected.tolist(), rel=1e-4)
    nothing = client.completions.create(model="gpt", prompt="the river", max_tokens=0)
    assert nothing.choices[0].text == ""
    assert nothing.usage is not None
    assert nothing.usage.completion_tokens == 0
    assert nothing.usage.prompt_tokens > 1


def test_a_prompt_longer_than_the_context_is_scored_in_windows(client: openai.OpenAI, models: ModelRegistry) -> None:
    writer: Writer = models.items["gpt"].model
    text = "\n".join(LINES * 3)
    assert len(writer.encode(text)) > writer.context
    found = client.completions.create(model="gpt", prompt=text, max_tokens=0, echo=True, logprobs=0).choices[0].logprobs
    assert found is not None
    assert sum(found.token_logprobs or []) == pytest.approx(
        -writer.losses([text], device="cpu")[0][:-1].sum(), rel=1e-4
    )


def test_tokens_as_a_prompt_write_what_their_text_writes(client: openai.OpenAI, models: ModelRegistry) -> None:
    writer: Writer = models.items["ngram"].model
    given: dict[str, Any] = {"model": "ngram", "seed": 3, "extra_body": {"max_completion_tokens": 12}}
    text = client.completions.create(prompt="the river", **given).choices[0].text
    ids = writer.encode("the river")
    for prompt in (ids, [ids], [writer.bos, *ids]):
        assert client.completions.create(prompt=prompt, **given).choices[0].text == text
    for prompt in ([10**6], [-1], [[10**6]]):
        with pytest.raises(openai.BadRequestError, match="token"):
            client.completions.create(prompt=prompt, **given)


# Conversations.


def test_a_conversation_is_the_song_so_far(client: openai.OpenAI) -> None:
    given: dict[str, Any] = {"model": "ngram", "seed": 2, "max_tokens": 15}
    answer = client.chat.completions.create(messages=[{"role": "user", "content": "the river runs"}], **given)
    assert answer.object == "chat.completion"
    text = client.completions.create(prompt="the river runs\n", **given).choices[0].text
    assert answer.choices[0].message.content == text
    assert answer.usage is not None
    assert answer.usage.total_tokens > answer.usage.completion_tokens > 0
    more = client.chat.completions.create(
        messages=[
            {"role": "system", "content": "You are a songwriter."}, {"role": "user", "content": "the river runs"},
            {"role": "assistant", "content": text}, {"role": "user", "content": [{"type": "text", "text": "I hold"}]},
        ],
        **given,
    )  # fmt: skip
    expected = client.completions.create(prompt="the river runs\n" + text.strip("\n") + "\nI hold\n", **given)
    assert more.choices[0].message.content == expected.choices[0].text


@pytest.mark.parametrize("more", [{}, {"n": 2}, {"logprobs": True, "top_logprobs": 2}])
def test_a_streamed_answer_is_the_answer(client: openai.OpenAI, more: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "model": "gpt", "seed": 2, "max_completion_tokens": 25, "messages": [{"role": "user", "content": "the river"}], **more,
    }  # fmt: skip
    whole = client.chat.completions.create(**given)
    texts: dict[int, str] = {}
    tokens: dict[int, list[str]] = {}
    usage, roles = None, []
    for chunk in client.chat.completions.create(**given, stream=True, stream_options={"include_usage": True}):
        assert chunk.object == "chat.completion.chunk"
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            roles += [choice.delta.role] if choice.delta.role else []
            tokens.setdefault(choice.index, []).extend(
                each.token for each in (choice.logprobs.content or [] if choice.logprobs else [])
            )
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert roles == ["assistant"] * len(texts)
    assert usage == whole.usage
    if "logprobs" in more:
        assert whole.choices[0].logprobs is not None
        content = whole.choices[0].logprobs.content or []
        assert [each.token for each in content] == tokens[0]
        assert "".join(tokens[0]) == texts[0]
        assert all(bytes(each.bytes or []).decode() == each.token for each in content)
        assert {len(each.top_logprobs) for each in content} <= {1, 2}


@pytest.mark.parametrize(
    "plan", ["form: verse\nRhyme: AABB\nsyllables: 8", '{"form": "verse", "rhyme": "AABB", "syllables": 8}']
)
def test_a_system_message_may_hold_the_plan(client: openai.OpenAI, plan: str) -> None:
    messages: Any = [{"role": "system", "content": plan}, {"role": "user", "content": "I hold the lantern"}]
    answer = client.chat.completions.create(model="ngram", messages=messages, seed=1)
    assert len(answer.choices[0].lines) == 4  # type: ignore[attr-defined]
    with pytest.raises(openai.BadRequestError, match="syllables"):
        client.chat.completions.create(
            model="ngram", messages=[{"role": "system", "content": "form: verse\nsyllables: many"}], seed=1
        )


def test_a_model_with_a_chat_template_reads_the_messages_by_it(models: ModelRegistry) -> None:
    served = models.items["gpt"]
    writer = copy.copy(served.model)
    writer.tokenizer = copy.deepcopy(writer.tokenizer)
    writer.tokenizer.chat_template = "{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}the river"
    chatting = dataclasses.replace(served, model=writer)
    with serving(ModelRegistry({"gpt": chatting})) as running:
        body: dict[str, Any] = {"model": "gpt", "seed": 3, "max_tokens": 9}
        messages = [{"role": "system", "content": "You sing"}, {"role": "user", "content": "I hold"}]
        found = running.http.post("/v1/chat/completions", json={**body, "messages": messages}).json()
        ids = writer.encode("system You sing\nuser I hold\nthe river")
        assert found["usage"]["prompt_tokens"] == len(ids)
        assert found["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "more",
    [
        {"messages": []}, {"messages": [{"role": "tool", "content": "x"}]}, {"messages": [{"role": "user", "content": 5}]},
        {"tools": [{"type": "function"}]}, {"response_format": {"type": "json_object"}}, {"top_logprobs": 2},
        {"max_tokens": 5, "max_completion_tokens": 5}, {"logit_bias": {"5": 1}}, {"colour": 1}, {"stream_options": {}},
        {"messages": [{"role": "user", "content": "x" * 20_001}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ],
)  # fmt: skip
def test_conversations_that_are_not_possible_are_refused(server: Running, more: dict[str, Any]) -> None:
    body = {"model": "ngram", "messages": [{"role": "user", "content": "I"}], **more}
    answer = server.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]
    assert server.engine.inside == 0


@pytest.mark.parametrize("more", [{}, {"n": 3}, {"stop": ["the"]}, {"echo": True}])
def test_a_stream_is_the_completion_in_pieces(client: openai.OpenAI, more: dict[str, Any]) -> None:
    asked = {"model": "ngram", "prompt": ["the river", "I"], "max_tokens": 40, "seed": 3, **more}
    whole = client.completions.create(**asked)
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    usage = None
    stream = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    pieces = 0
    for chunk in stream:
        pieces += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            reasons[choice.index] = choice.finish_reason or reasons.get(choice.index)
    assert texts == {choice.index: choice.text for choice in whole.choices}
    assert reasons == {choice.index: choice.finish_reason for choice in whole.choices}
    assert usage == whole.usage
    assert pieces > 4


def test_a_plan_is_kept_and_streamed_by_lines(client: openai.OpenAI) -> None:
    plan = {"form": "verse,chorus", "rhyme": "AABB", "syllables": 8}
    found = client.completions.create(model="ngram", prompt="I hold the lantern\n", seed=1, extra_body=plan)
    [choice] = found.choices
    assert len(choice.lines) == 8  # type: ignore[attr-defined]
    stream = client.completions.create(
        model="ngram", prompt="I hold the lantern\n", seed=1, stream=True, extra_body=plan
    )
    assert "".join(chunk.choices[0].text for chunk in stream) == choice.text


def test_a_free_song_can_be_asked_to_be_original(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "ngram", "prompt": "", "max_tokens": 30, "seed": 1, "extra_body": {"original": 5}}
    whole = client.completions.create(**asked).choices[0]
    assert whole.text
    assert "".join(p.choices[0].text for p in client.completions.create(**asked, stream=True)) == whole.text


def test_errors_have_the_classes_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="gpt-5", prompt="x")
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model="genres", prompt="x")
    assert "labels lyrics" in error.value.message
    more: dict[str, Any]
    for more in (
        {"n": 0}, {"n": 1000}, {"temperature": -1}, {"max_tokens": 10**9}, {"prompt": [10**9]}, {"prompt": []},
        {"prompt": "\x00"}, {"logit_bias": {"5": 1}}, {"best_of": 3}, {"frequency_penalty": 1.0},
        {"stop": ["x"] * 17}, {"extra_body": {"rhyme": "AB"}}, {"extra_body": {"wild": 1}}, {"seed": 2**70},
        {"extra_body": {"genre": "polka"}}, {"extra_body": {"original": 2}}, {"logprobs": 2, "stream": True, "echo": True},
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as error:
            client.completions.create(**{"model": "ngram", "prompt": "x", **more})  # type: ignore[call-overload]
        assert error.value.type == "invalid_request_error", more
        assert "--" not in error.value.message


def test_what_openai_has_and_changes_nothing_is_taken(client: openai.OpenAI) -> None:
    assert client.completions.create(
        model="ngram", prompt="", max_tokens=2, user="somebody", suffix=None, best_of=1, presence_penalty=0, logit_bias={},
        extra_body={"metadata": {"a": "b"}, "store": False, "service_tier": "auto"},
    )  # fmt: skip


def test_a_busy_server_says_when_to_come_again_and_a_slow_one_that_it_was_late(models: ModelRegistry) -> None:
    slow = slowed(models, "gpt", 0.03)
    with (
        serving(slow, queue=1, seconds=1.5) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
    ):
        slow.items["gpt"].model.model.go.clear()
        inside = running.engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=500)))
        with pytest.raises(openai.RateLimitError) as error:
            client.completions.create(model="gpt", prompt="I")
        assert int(error.value.response.headers["retry-after"]) >= 1
        inside.cancel()
        slow.items["gpt"].model.model.go.set()
        soon(lambda: not running.engine.inside)
        with pytest.raises(openai.APIError, match=r"longer than the limit of 1\.5 seconds"):
            for _ in client.completions.create(model="gpt", prompt="I", max_tokens=500, stream=True):
                pass
        with pytest.raises(openai.InternalServerError) as late:
            client.completions.create(model="gpt", prompt="I", max_tokens=500)
        assert late.value.status_code == 504
        assert late.value.code == "timeout"
        patient = client.with_options(max_retries=4)
        assert patient.completions.create(model="gpt", prompt="I", max_tokens=3).choices


def test_a_token_is_asked_for(models: ModelRegistry) -> None:
    only = ModelRegistry({"genres": models.items["genres"]})
    with serving(only, ServerSettings(token=TOKEN, studio=False)) as running:
        for wrong in ("none", TOKEN[:-1], TOKEN + "x"):
            with (
                openai.OpenAI(base_url=f"{running.url}/v1", api_key=wrong, max_retries=0) as client,
                pytest.raises(openai.AuthenticationError),
            ):
                client.models.list()
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKEN, max_retries=0) as client:
            assert client.models.list().data
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        assert running.http.get("/metrics", headers={"Authorization": f"Basic {basic}"}).status_code == 200
        assert running.http.get("/metrics", headers={"Authorization": "Basic !"}).status_code == 401
        asks = running.http.get("/metrics", headers={"Authorization": ""})
        assert asks.headers["www-authenticate"].startswith("Basic")
        assert running.http.get("/healthz", headers={"Authorization": ""}).status_code == 200
        assert running.http.get("/metrics", headers={"Host": "music.example"}).status_code == 200


# Labels and scores.


def test_texts_are_labelled_and_explained(server: Running) -> None:
    answer = server.http.post("/v1/classify", json={"model": "genres", "texts": LINES[:3], "explain": True, "top": 1})
    found = answer.json()["data"]
    assert [each["index"] for each in found] == [0, 1, 2]
    assert all(list(each["probabilities"]) == [each["label"]] for each in found)
    assert all(each["words"] and each["method"] for each in found)
    single = server.http.post("/v1/classify", json={"model": "genres", "texts": LINES[0]}).json()["data"][0]
    assert single["label"] == found[0]["label"]
    assert sum(single["probabilities"].values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def moods(make_corpus: Callable[..., Corpus], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of a run with several labels a song."""
    run = tmp_path_factory.mktemp("several") / "moods"
    train("complement-nb", str(make_corpus(several_moods()).path), target="genre", out=str(run))
    with serving(ModelRegistry.open([run])) as running:
        yield running


NIGHT, SEA = "lantern window midnight shadow", "harbour water sailor anchor"
EITHER = [f"{NIGHT}\n{SEA}", NIGHT, "zzz qqq"]


def test_texts_have_several_labels(moods: Running) -> None:
    both, one, none = moods.http.post("/v1/classify", json={"model": "moods", "texts": EITHER}).json()["data"]
    assert sorted(both["labels"]) == ["night", "sea"]
    assert both["label"] == both["labels"][0]
    assert min(both["probabilities"][label] for label in both["labels"]) > both["probabilities"]["town"]
    assert sum(both["probabilities"].values()) > 1.5  # each label has a probability of its own
    assert (one["labels"], none["labels"]) == (["night"], [])
    body = {"model": "moods", "texts": EITHER[:1], "explain": True, "top": 1}
    [explained] = moods.http.post("/v1/classify", json=body).json()["data"]
    assert explained["labels"] == both["labels"]
    assert list(explained["probabilities"]) == [explained["label"]]
    assert explained["words"]


def test_rows_have_several_labels(moods: Running) -> None:
    body = {"model": "moods", "texts": EITHER, "top": 2, "probabilities": True}
    both, one, none = moods.http.post("/v1/label", json=body).json()["data"]
    assert sorted(both["label"]) == ["night", "sea"]
    assert both["probability"] == [both[f"p_{label}"] for label in both["label"]]
    assert [both["top_1"], both["top_2"]] == both["label"]
    assert one["label"] == ["night"]
    assert (none["label"], none["probability"], none["reason"]) == (None, [], "no label reaches its threshold")
    files = {"file": ("songs.csv", f'id,lyrics\n7,"{EITHER[0]}"\n'.encode())}
    answer = moods.http.post("/v1/label?format=csv", data={"model": "moods", "keep": ["id"]}, files=files)
    row = pl.read_csv(answer.content).row(0, named=True)
    assert row["id"] == 7
    assert sorted(row["label"].split("; ")) == ["night", "sea"]
    assert len(row["probability"].split("; ")) == 2


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> str:
    held = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(held, kind)
    return base64.b64encode(held.getvalue()).decode()


def test_pictures_are_labelled_from_base64(server: Running) -> None:
    lines = base64.encodebytes(base64.b64decode(picture())).decode()
    given = [picture(), picture("JPEG"), "data:image/png;base64," + picture(), lines]
    answer = server.http.post("/v1/classify", json={"model": "pictures", "pictures": given})
    found = answer.json()["data"]
    assert {each["label"] for each in found} <= {"day", "night"}
    assert found[0]["probabilities"] == found[2]["probabilities"] == found[3]["probabilities"]


def test_pictures_that_are_none_are_refused(server: Running) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    script = base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode()
    for bad in ("%%%", "aGVsbG8=", "", base64.b64encode(bomb.getvalue()).decode(), script, picture()[:60]):
        answer = server.http.post("/v1/classify", json={"model": "pictures", "pictures": [bad]})
        assert answer.status_code == 400, answer.text
        assert "Picture 1" in answer.json()["error"]["message"]
    body: dict[str, Any]
    for body in (
        {"pictures": [picture()], "explain": True},
        {"pictures": []},
        {},
        {"texts": "a", "pictures": [picture()]},
    ):
        assert server.http.post("/v1/classify", json={"model": "pictures", **body}).status_code == 400
    assert server.http.post("/v1/classify", json={"model": "genres", "pictures": [picture()]}).status_code == 400


def test_a_text_is_never_the_name_of_a_file(server: Running, tmp_path: Any) -> None:
    held = tmp_path / "secret.txt"
    held.write_text("the ferryman is counting every light")
    for text in (str(held), "-", f"file://{held}", "../../../etc/passwd"):
        for body in ({"model": "genres", "texts": text}, {"model": "pictures", "pictures": [text]}):
            answer = server.http.post("/v1/classify", json=body)
            assert "ferryman" not in answer.text
            assert "root" not in answer.text


def test_scores_name_the_song(server: Running) -> None:
    body = {"model": "ngram", "texts": ["\n".join(LINES[:6]), "unheard of"], "genre": "folk"}
    known, new = server.http.post("/v1/score", json=body).json()["data"]
    assert known["bits_per_byte"] < new["bits_per_byte"]
    assert known["originality"]["song"]["title"].startswith("Song ")
    assert known["originality"]["longest_run"] >= 7
    assert known["originality"]["words"]
    assert new["originality"]["song"] is None
    assert server.http.post("/v1/score", json={"model": "genres", "texts": "x"}).status_code == 400


# Tables.

ROWS = [
    {"title": "One", "artist": "Anna Reed", "lyrics": LINES[0], "code": 1},
    {"title": "=Two", "artist": "The Stone Kites", "lyrics": LINES[9], "code": None},
    {"title": "Three", "artist": "", "lyrics": "   ", "code": 3},
]


def test_rows_are_labelled_as_the_command_labels_them(server: Running, saved: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    expected = label(str(saved["genres"]), str(tmp_path / "table.jsonl"), top=2, keep=("code",)).frame.drop("source")
    body = {"model": "genres", "rows": ROWS, "top": 2, "keep": ["code"]}
    found = server.http.post("/v1/label", json=body).json()["data"]
    assert found == json.loads(json.dumps(expected.to_dicts()))
    assert [row["reason"] for row in found] == [None, None, "no text"]
    texts = server.http.post("/v1/label", json={"model": "genres", "texts": [LINES[0]] * 150}).json()["data"]
    assert [row["row"] for row in texts] == list(range(1, 151))
    assert {row["label"] for row in texts} == {found[0]["label"]}


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_file_is_labelled_and_returned_as_a_file(server: Running, format: str) -> None:  # noqa: A002
    table = pl.DataFrame(ROWS)
    answer = server.http.post(
        f"/v1/label?format={format}", data={"model": "genres", "top": "2", "keep": ["code"]},
        files={"file": ("../../etc/Songs.CSV", table.write_csv().encode())},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="labels.{format}"'
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[format]
    rows = read(io.BytesIO(answer.content))
    assert rows["label"].to_list()[2] is None
    assert set(rows["label_2"].drop_nulls()) <= {"folk", "rock"}
    assert rows["title"].to_list()[1] == ("'=Two" if format == "csv" else "=Two")
    assert "code" in rows.columns


@pytest.mark.parametrize(
    ("name", "data", "more", "reason"),
    [
        ("a.parquet", b"PAR1", {}, "must be one of"), ("a.csv", b"PK\x03\x04\x00", {}, "UTF-8"), ("a.csv", b"\xff", {}, "UTF-8"),
        ("a.csv", b"words\nx\n", {"lyrics": "nothing"}, "nothing"), ("a.csv", b"", {}, "The table"),
        ("a.csv", b"lyrics\nx\n", {"top": "0"}, "top"), ("a.csv", b"lyrics\nx\n", {"top": "many"}, "top"),
        ("a.csv", b"lyrics\nx\n", {"coverage": "2"}, "coverage"), ("a.csv", b"lyrics\nx\n", {"keep": "gone"}, "gone"),
        ("a.csv", b"lyrics\nx\n", {"model": "ngram"}, "writes lyrics"), ("a", b"lyrics\nx\n", {}, "must be one of"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_labelled_are_refused_with_a_reason(
    server: Running, name: str, data: bytes, more: dict[str, str], reason: str
) -> None:
    answer = server.http.post("/v1/label", data={"model": "genres", **more}, files={"file": (name, data)})
    assert answer.status_code == 400, answer.text
    message = answer.json()["error"]["message"]
    assert reason in message
    assert "/tmp" not in message  # noqa: S108


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"texts": ["a"], "rows": [{"lyrics": "a"}]}, 400), ({}, 400), ({"texts": []}, 400), ({"rows": [{"a": []}]}, 400),
        ({"rows": [{"words": 5}]}, 400), ({"texts": "a"}, 400), ({"texts": ["a"], "model": "nothing"}, 404),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_labelled_are_refused(server: Running, body: dict[str, Any], status: int) -> None:
    answer = server.http.post("/v1/label", json={"model": "genres", **body})
    assert answer.status_code == status, answer.text
    assert server.http.post("/v1/label", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert server.http.post("/v1/label", data={"model": "genres"}).status_code == 415
    assert server.engine.inside == 0


# For operators.


def test_health_and_figures_are_told(server: Running) -> None:
    health = server.http.get("/healthz").json()
    assert health.pop("memory_bytes") > 2**20
    assert health == {"status": "ok", "models": 4, "inside": 0, "queue": 128, "projects": False}
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'lyrist_requests_total{kind="classify",model="genres",outcome="answered"}' in answer.text
    assert "lyrist_requests_inside 0.0" in answer.text
    assert 'lyrist_http_responses_total{status="200"}' in answer.text


def test_the_description_asks_nothing_of_the_network_and_names_every_path(server: Running) -> None:
    described = server.http.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/v1/models", "/v1/models/{name}", "/v1/completions", "/v1/chat/completions", "/v1/compose", "/v1/classify", "/v1/label",
        "/v1/score", "/v1/embeddings", "/v1/analyse", "/v1/export", "/v1/corpus/songs/{number}/similar",
        "/v1/words", "/v1/rhymes", "/v1/corpora", "/v1/corpus/search", "/v1/corpus/songs/{number}", "/v1/comparisons", "/healthz",
        "/metrics",
    }  # fmt: skip
    assert "422" not in json.dumps(described)
    assert server.http.get("/docs").status_code == 404
