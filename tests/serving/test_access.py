"""Who may come in, with how much; and every answer, also the worst, is JSON in the shape of OpenAI's errors."""

import gc
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from servekit import Running, serving, slowed, soon

from lyrist.errors import UsageError
from lyrist.generation.config import GenerationConfig
from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.songworker import GenerationRequest


@pytest.fixture(scope="module")
def small(models: ModelRegistry) -> Iterator[Running]:
    with serving(ModelRegistry({"ngram": models.items["ngram"]}), body=2_000) as running:
        yield running


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    [[name, error]] = answer.json().items()
    assert name == "error"
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return dict(error)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "10.0.0.1:80"]
)
def test_other_names_of_this_machine_are_refused(small: Running, host: str) -> None:
    assert problem(small.http.get("/v1/models", headers={"Host": host}), 403)["message"]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:99", "127.0.0.1:8000", "127.0.0.2", "[::1]:8000", "LOCALHOST."]
)
def test_its_own_names_are_not(small: Running, host: str) -> None:
    assert small.http.get("/v1/models", headers={"Host": host}).status_code == 200


def test_pages_of_other_origins_are_refused_and_told_nothing(small: Running) -> None:
    body = {"model": "ngram", "prompt": "I", "max_tokens": 1}
    answer = small.http.post("/v1/completions", json=body, headers={"Origin": "http://evil.example"})
    assert problem(answer, 403)["code"] == "other_origin"
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = small.http.options("/v1/completions", headers=preflight)
    assert answer.status_code in (403, 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    same = small.http.post("/v1/completions", json=body, headers={"Origin": small.url})
    assert same.status_code == 200


ORIGIN = "http://localhost:3000"


@pytest.fixture(scope="module")
def shared(models: ModelRegistry) -> Iterator[Running]:
    settings = ServerSettings(studio=False, token="long-enough", allow_origin=(ORIGIN, "https://music.example"))
    with serving(ModelRegistry({"genres": models.items["genres"]}), settings) as running:
        yield running


def allowed(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


def test_pages_of_an_allowed_origin_may_use_the_api(shared: Running) -> None:
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Authorization": ""}
    answer = shared.http.options("/v1/classify", headers=preflight)
    assert answer.status_code == 204
    assert allowed(answer)["access-control-allow-origin"] == ORIGIN
    assert "POST" in allowed(answer)["access-control-allow-methods"]
    assert "Authorization" in allowed(answer)["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed(answer)
    body = {"model": "genres", "texts": "the river"}
    for origin in (ORIGIN, "https://music.example"):
        answer = shared.http.post("/v1/classify", json=body, headers={"Origin": origin})
        assert answer.status_code == 200
        assert allowed(answer)["access-control-allow-origin"] == origin
        assert "Origin" in answer.headers["vary"]
    refused = shared.http.post("/v1/classify", json={}, headers={"Origin": ORIGIN})
    assert problem(refused, 400)
    assert allowed(refused)["access-control-allow-origin"] == ORIGIN
    wrong = shared.http.post("/v1/classify", json=body, headers={"Origin": ORIGIN, "Authorization": "Bearer wrong"})
    assert problem(wrong, 401)


@pytest.mark.parametrize(
    "origin", ["http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil.example", "null"]
)
def test_pages_of_other_origins_are_still_refused(shared: Running, origin: str) -> None:
    answer = shared.http.post("/v1/classify", json={}, headers={"Origin": origin})
    assert problem(answer, 403)["code"] == "other_origin"
    assert not allowed(answer)
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert not allowed(shared.http.options("/v1/classify", headers=preflight))
    assert not allowed(shared.http.get("/v1/models", headers={"Origin": origin}))


def test_an_allowed_origin_does_not_open_other_paths_or_hosts(models: ModelRegistry) -> None:
    settings = ServerSettings(studio=False, allow_origin=(ORIGIN,))
    with serving(ModelRegistry({"genres": models.items["genres"]}), settings) as running:
        assert not allowed(running.http.get("/", headers={"Origin": ORIGIN}))
        assert not allowed(running.http.get("/metrics", headers={"Origin": ORIGIN}))
        rebound = running.http.options("/v1/classify", headers={"Origin": ORIGIN, "Host": "evil.example"})
        assert problem(rebound, 403)


@pytest.mark.parametrize("origin", ["*", "localhost", "http://a/", "http://a b", "null", "ftp://a", "http://a\r\nX: 1"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match="--allow-origin"):
        ServerSettings(allow_origin=(origin,))


def test_another_host_needs_a_token(models: ModelRegistry) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "music.example"):  # noqa: S104 - refused
        with pytest.raises(UsageError, match="needs a --token"):
            ServerSettings(host=host)
        assert not ServerSettings(host=host, token="long-enough").loopback
    for token in ("short", "long enough", "long-enough\r", "long-enough\n", "long-énough"):
        with pytest.raises(UsageError, match="at least 8 printable ASCII characters"):
            ServerSettings(token=token)
    with pytest.raises(UsageError, match="--port"):
        ServerSettings(port=70_000)


def test_bodies_are_limited_with_a_length_and_without(small: Running) -> None:
    large = json.dumps({"model": "ngram", "prompt": "x" * 3_000}).encode()
    headers = {"Content-Type": "application/json"}
    assert (
        problem(small.http.post("/v1/completions", content=large, headers=headers), 413)["code"] == "request_too_large"
    )
    pieces = (large[i : i + 100] for i in range(0, len(large), 100))
    problem(small.http.post("/v1/completions", content=pieces, headers=headers), 413)
    endless = raw(
        small, b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"
    )
    assert endless.startswith(b"HTTP/1.1 413")


def test_a_body_that_never_comes_is_not_waited_for(models: ModelRegistry) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    with serving(ModelRegistry({"ngram": models.items["ngram"]}), seconds=0.5) as running:
        assert raw(running, head).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b'{"model": "ngram", "temperature": NaN}', b'{"model": "ngram", "temperature": 1e999}',
        b'{"model": "ngram", "n": "2"}', b'{"model": "ngram", "n": 2.5}', b'{"model": "ngram", "n": true}', b"\xff\xfe{}",
        b"[" * 1_900, b'{"model": "ngram", "n": ' + b"9" * 1_900 + b"}", b'{"model": "ngram", "max_tokens": -1}',
        b'{"model": "ngram", "prompt": {"a": 1}}', b'{"model": "ngram", "prompt": "\\ud800"}', b'{"model": 5}',
        b'{"model": "ngram", "prompt": "\\u0000"}', b'{"model": "ngram", "seed": 1e3}', b'{"model": "ngram", "stop": [1]}',
        b'{"model": "ngram", "conditions": {"\\ud800": "x"}}', b'{"\\ud800": 1}', b'{"model": "ngram", "genre": "\\ud800"}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_a_reason(small: Running, body: bytes) -> None:
    answer = small.http.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 400)["type"] == "invalid_request_error"


def test_a_model_of_a_wild_name_is_not_there(small: Running) -> None:
    answer = small.http.post(
        "/v1/completions", content=b'{"model": "\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert problem(answer, 404)["code"] == "model_not_found"


def test_other_kinds_of_bodies_paths_and_methods(small: Running) -> None:
    problem(small.http.post("/v1/completions", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    problem(small.http.post("/v1/completions", content=b"{}", headers={"Content-Type": ""}), 415)
    problem(small.http.get("/v1/nothing"), 404)
    problem(small.http.get("/v1"), 404)
    problem(small.http.get("/nothing"), 404)
    problem(small.http.post("/healthz"), 405)
    for path, allowed in (("/v1/completions", "POST"), ("/v1/models", "GET"), ("/healthz", "GET")):
        answer = small.http.delete(path)
        problem(answer, 405)
        assert allowed in answer.headers["allow"]


def test_a_defect_says_nothing_of_itself(models: ModelRegistry, caplog: pytest.LogCaptureFixture) -> None:
    slow = slowed(models, "gpt", 0.0)
    slow.items["gpt"].model.model._seconds = "never"
    with serving(slow) as running:
        body = {"model": "gpt", "prompt": "I"}
        error = problem(running.http.post("/v1/completions", json=body), 500)
        assert "TypeError" not in json.dumps(error)
        problem(running.http.post("/v1/completions", json={**body, "stream": True}), 500)
        assert running.http.get("/healthz").json()["inside"] == 0
    assert "A request failed" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_away_frees_a_place(models: ModelRegistry, stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    with serving(slowed(models, "gpt", 0.02), queue=2) as running:
        body = json.dumps({"model": "gpt", "prompt": "I", "max_tokens": 2_000, "stream": stream}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        lines = [socket.create_connection(running.server.servers[0].sockets[0].getsockname()) for _ in range(2)]
        for line in lines:
            line.sendall(head % len(body) + body)
        soon(lambda: running.engine.inside == 2)
        assert running.http.post("/v1/completions", json={"model": "gpt"}).status_code == 429
        for line in lines:
            line.close()
        soon(lambda: running.engine.inside == 0)
        assert running.http.post("/v1/completions", json={"model": "gpt", "max_tokens": 1}).status_code == 200
    gc.collect()
    assert not caplog.records, "nothing of it is worth a line in the log"


def test_who_goes_away_while_waiting_to_be_streamed_frees_a_place(models: ModelRegistry) -> None:
    with serving(slowed(models, "gpt", 0.02), batch=1) as running:
        first = running.engine.submit_write("gpt", GenerationRequest(GenerationConfig(max_tokens=2_000)))
        body = json.dumps({"model": "gpt", "stream": True}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(running.server.servers[0].sockets[0].getsockname()) as line:
            line.sendall(head % len(body) + body)
            soon(lambda: running.engine.inside == 2)
        soon(lambda: running.engine.inside == 1)
        assert running.engine.inside == 1, "the other song is still being written"
        first.cancel()


def raw(running: Running, sent: bytes) -> bytes:
    with socket.create_connection(running.server.servers[0].sockets[0].getsockname(), timeout=120) as line:
        line.sendall(sent)
        return line.recv(4_096)
