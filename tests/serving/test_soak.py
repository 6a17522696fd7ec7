"""Sixty-four clients, good, bad, huge, slow and gone, all at once: every good one gets its own answer, and memory stays."""

import json
import random
import socket
import threading
import time
from collections import Counter
from typing import Any

import httpx
import psutil
import pytest
from servekit import LINES, Running, serving

from lyrist.generation.write import Wishes, compose
from lyrist.serving.shelf import Shelf

CLIENTS = 64
SECONDS = 6.0


class Clients:
    """What they send, what they must get, and what went wrong."""

    def __init__(self, server: Running, shelf: Shelf) -> None:
        self.server, self.until = server, 0.0
        writer, classifier = shelf.items["ngram"].model, shelf.items["genres"].model
        self.songs = {
            s: compose(writer, prompt="I hold", wishes=Wishes(max_tokens=12, seed=s))[0].text for s in range(40)
        }
        self.labels = {line: str(classifier.predict([line])[0]) for line in LINES}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)

    def _client(self, number: int) -> None:
        dice = random.Random(number)
        acts = [self._song, self._song, self._stream, self._label, self._bad, self._huge, self._gone, self._slow]
        with httpx.Client(base_url=self.server.url, timeout=30) as http:
            while time.monotonic() < self.until:
                act = dice.choice(acts)
                try:
                    act(http, dice)
                except Exception as error:
                    self.wrong.append(f"{act.__name__}: {error!r}")
                self.counts[act.__name__] += 1

    def _song(self, http: httpx.Client, dice: random.Random, stream: bool = False) -> None:
        seed = dice.randrange(40)
        body = {"model": "ngram", "prompt": "I hold", "max_tokens": 12, "seed": seed, "stream": stream}
        answer = http.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        if stream:
            lines = [line[6:] for line in answer.text.split("\n\n") if line.startswith("data: {")]
            text = "".join(json.loads(line)["choices"][0]["text"] for line in lines)
            assert answer.text.endswith("data: [DONE]\n\n")
        else:
            text = answer.json()["choices"][0]["text"]
        assert "I hold" + text == self.songs[seed]

    def _stream(self, http: httpx.Client, dice: random.Random) -> None:
        self._song(http, dice, stream=True)

    def _label(self, http: httpx.Client, dice: random.Random) -> None:
        lines = dice.sample(LINES, 3)
        answer = http.post("/v1/classify", json={"model": "genres", "texts": lines})
        assert [each["label"] for each in answer.json()["data"]] == [self.labels[line] for line in lines]

    def _bad(self, http: httpx.Client, dice: random.Random) -> None:
        body = dice.choice([b"{", b"\xff", b'{"model": "ngram", "n": 999}', b'{"model": "x"}', b"[" * 5_000])
        answer = http.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 404), answer.text

    def _huge(self, http: httpx.Client, dice: random.Random) -> None:
        content = (b"x" * 65_536 for _ in range(8)) if dice.random() < 0.5 else b"x" * 300_000
        try:
            answer = http.post("/v1/completions", content=content, headers={"Content-Type": "application/json"})
        except httpx.TransportError:
            return  # the server has answered and closed before all was sent
        assert answer.status_code == 413, answer.text

    def _gone(self, http: httpx.Client, dice: random.Random) -> None:
        body = {"model": "ngram", "prompt": "I hold", "max_tokens": 1_000, "seed": 1, "stream": True}
        with http.stream("POST", "/v1/completions", json=body) as answer:
            for number, _ in enumerate(answer.iter_raw()):
                if number >= dice.randrange(3):
                    break

    def _slow(self, http: httpx.Client, dice: random.Random) -> None:
        body = json.dumps({"model": "ngram", "prompt": "I hold", "max_tokens": 2}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(self.server.server.servers[0].sockets[0].getsockname(), timeout=30) as line:
            line.sendall(head % len(body))
            for place in range(0, len(body), 16):
                line.sendall(body[place : place + 16])
                time.sleep(0.02)
            if dice.random() < 0.7:
                assert line.recv(64).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_every_good_request_is_served_its_own_answer(shelf: Shelf) -> None:
    only: Any = Shelf({name: shelf.items[name] for name in ("ngram", "genres")})
    with serving(only, body=200_000, queue=256) as server:
        clients = Clients(server, shelf)
        clients.run(SECONDS / 3)
        before = psutil.Process().memory_info().rss
        clients.run(SECONDS * 2 / 3)
        grown = psutil.Process().memory_info().rss - before
        assert clients.wrong == []
        assert all(count > 5 for count in clients.counts.values()), clients.counts
        assert grown < 40 * 2**20, f"{grown / 2**20:.0f} MiB more"
        until = time.monotonic() + 10
        while server.desk.inside:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert server.http.get("/healthz").json()["inside"] == 0
