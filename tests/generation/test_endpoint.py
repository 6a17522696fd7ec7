"""A language model on a server: what each kind of server offers is found and used, and failures keep what is written."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tinywriter import LINES, TinyWriter

from lyrist.errors import LyristError, UsageError
from lyrist.generation.endpoint import Endpoint
from lyrist.generation.language_model import LocalModel, ModelFailedError
from lyrist.generation.prompts import Vocabulary, start
from lyrist.generation.write import write
from lyrist.text import rhyme


@dataclass
class Server:
    """A server of the tiny writer with some of the endpoints, and faults."""

    model: LocalModel
    kind: str = "scored"
    faults: list[tuple[int, str]] = field(default_factory=list)
    """Status and Retry-After of the next answers."""
    after: int = 10**9
    """Requests after which every answer is a failure."""
    seen: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any], str]:
        self.seen.append((path, body, key))
        if len(self.seen) > self.after:
            return 503, {"error": {"message": "out of memory"}}, "0"
        if self.faults:
            status, wait = self.faults.pop(0)
            return status, {"error": {"message": "slow down"}}, wait
        if path == "/v1/chat/completions" and self.kind == "chat":
            lines = LINES if "such as" in body["messages"][-1]["content"] else LINES[:4]
            choices = [{"message": {"content": f'1. "{line}"'}} for line in lines[: body.get("n", 1)]]
            return 200, {"choices": choices, "usage": {"prompt_tokens": 20, "completion_tokens": 8}}, ""
        if path == "/apply-template" and self.kind == "template":
            return 200, {"prompt": "<user>" + body["messages"][-1]["content"] + "<assistant>"}, ""
        if self.kind == "single" and body.get("max_tokens") == 0:
            return 500, {}, ""
        if path != "/v1/completions" or self.kind in ("chat", "none"):
            return 404, {"error": {"message": "not found"}}, ""
        return 200, {"choices": self.choices(body), "usage": {"prompt_tokens": 10, "completion_tokens": 5}}, ""

    def choices(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        if body.get("echo") and self.kind == "scored":
            return [{"index": i, "text": each, "logprobs": self.logprobs(each)} for i, each in enumerate(prompts)]
        if body["max_tokens"] < 2:
            return [{"text": "la", "finish_reason": "length"}]
        song = prompts[0].rpartition("<assistant>")[2]
        if self.kind == "single" and "stop" in body and len(self.seen) % 2:
            return [{"text": "", "finish_reason": "stop"}]
        lines = self.model.lines(
            song, 1 if self.kind == "single" else body["n"], temperature=body["temperature"], seed=body["seed"]
        )
        return [
            {
                "text": line.text,
                "finish_reason": "stop",
                "logprobs": {"tokens": [t for t, _ in line.tokens], "token_logprobs": [v for _, v in line.tokens]},
            }
            for line in lines
        ]

    def logprobs(self, text: str) -> dict[str, Any]:
        writer: Any = self.model.start.writer
        before, ids = writer.prefix(), writer.encode(text)
        with torch.inference_mode():
            scores = writer.model(input_ids=torch.tensor([before + ids])).logits[0].float().log_softmax(-1)
        values = [float(scores[len(before) + place - 1, token]) for place, token in enumerate(ids)]
        return {"tokens": [writer.decode([token]) for token in ids], "token_logprobs": [None, *values[1:]]}


@pytest.fixture
def serve(writer: TinyWriter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("LYRIST_API_KEY", raising=False)
    opened = []

    def start_server(**settings: Any) -> Server:
        server = Server(LocalModel(start(writer, {}, None), Vocabulary(writer)), **settings)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer, wait = server.answer(self.path, body, self.headers.get("authorization"))
                content = json.dumps(answer).encode()
                self.send_response(status)
                if wait:
                    self.send_header("Retry-After", wait)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *arguments: object) -> None:
                pass

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        opened.append(httpd)
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        return server

    yield start_server
    for httpd in opened:
        httpd.shutdown()
        httpd.server_close()


OPTIONS = {"form": "verse:2", "rhyme": "AA", "syllables": 8, "candidates": 6}


@pytest.mark.parametrize(("kind", "mode"), [("scored", "scored"), ("completions", "completions"), ("chat", "chat")])
def test_each_kind_of_server_writes_and_the_summary_says_how(
    serve: Callable[..., Server], kind: str, mode: str
) -> None:
    server = serve(kind=kind)
    written = write(endpoint=server.url, endpoint_model="tiny", title="Ferry", **OPTIONS)  # type: ignore[arg-type]
    lines = written.songs[0].text.split("\n")
    assert len(lines) == 2
    assert all(rhyme.last_word(line) for line in lines)
    summary = written.summary()
    assert {"scored": "rhyming words", "completions": "without log-probabilities", "chat": "chat only"}[mode] in summary
    assert "tokens in" in summary
    assert all(body["model"] == "tiny" for _, body, _ in server.seen)
    if kind == "chat":
        assert any("rhymes with" in json.dumps(body) for _, body, _ in server.seen)


def test_a_server_that_ignores_n_and_fails_at_what_it_does_not_know_writes(serve: Callable[..., Server]) -> None:
    """As `transformers serve` does: one choice, status 500 for no tokens, and lines that begin with a line end."""
    server = serve(kind="single")
    waits: list[float] = []
    model = Endpoint(server.url, "tiny", wait=waits.append)
    assert model.mode == "completions"
    assert len(waits) == 1, "one failure could be an accident"
    for _ in range(2):
        lines = model.lines(LINES[0] + "\n", 4, temperature=1.0, seed=1)
        assert len(lines) == 4
        assert any(line.text.strip() and "\n" not in line.text for line in lines)
    assert len({body["seed"] for path, body, _ in server.seen if "seed" in body}) == 4


def test_scores_are_those_of_the_model(serve: Callable[..., Server], writer: TinyWriter) -> None:
    server = serve()
    model = Endpoint(server.url + "/v1/", "tiny")
    assert model.scores
    prefix, texts = LINES[0] + "\nthe river", [" runs away", " is singing"]
    model._before = ""  # without a page
    assert model.score(prefix, texts) == pytest.approx(server.model.score(prefix, texts), abs=1e-3)
    assert model.next_words(prefix, ["runs"]) == pytest.approx(server.model.score(prefix, [" runs"]), abs=1e-3)


def test_the_chat_template_of_the_server_is_applied(serve: Callable[..., Server]) -> None:
    server = serve(kind="template")
    write(endpoint=server.url, endpoint_model="tiny", title="Ferry", **OPTIONS)  # type: ignore[arg-type]
    prompts = [body["prompt"] for path, body, _ in server.seen if path == "/v1/completions" and body.get("n")]
    assert prompts
    assert all(each.startswith('<user>Write a song called "Ferry"') for each in prompts)


def test_rate_limits_and_failures_are_waited_for(serve: Callable[..., Server]) -> None:
    server, waits = serve(faults=[(429, "3"), (500, "")]), list[float]()
    model = Endpoint(server.url, "tiny", wait=waits.append)
    assert model.mode == "scored"
    assert waits[0] == pytest.approx(3, abs=0.2)
    assert waits[1] == pytest.approx(4, abs=0.2)


def test_an_endpoint_that_fails_in_mid_song_keeps_what_is_written(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyrist.generation.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    server = serve(kind="completions", after=12)
    written = write(endpoint=server.url, endpoint_model="tiny", **{**OPTIONS, "form": "verse:16"})  # type: ignore[arg-type]
    (song,) = written.songs
    assert song.ended == "failed"
    assert 1 <= len(song.lines) < 16
    assert "stopped early" in written.summary()
    assert "out of memory" in written.summary()


def test_keys_come_from_the_environment_and_are_not_sent_unencrypted(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYRIST_API_KEY", "secret-1")
    server = serve()
    Endpoint(server.url, "tiny")
    assert {key for _, _, key in server.seen} == {"Bearer secret-1"}
    with pytest.raises(UsageError, match=r"unencrypted to models\.example") as caught:
        Endpoint("http://models.example/v1", "tiny")
    assert "secret-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "ftp://x", "endpoint_model": "m"}, "must be an address"),
        ({"endpoint": "http://localhost:1"}, "needs --endpoint-model"),
        ({"endpoint": "http://localhost:1", "endpoint_model": "m", "run": "RUN"}, "no run"),
        ({}, "Name a run"),
    ],
)
def test_what_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write(**options)  # type: ignore[arg-type]


def test_no_server_and_another_server(serve: Callable[..., Server]) -> None:
    server = serve(kind="none")
    with pytest.raises(LyristError, match="refused a request with status 404: not found"):
        Endpoint(server.url, "tiny")
    with pytest.raises(ModelFailedError, match="cannot be reached"):
        Endpoint("http://127.0.0.1:9", "tiny", wait=lambda seconds: None)
