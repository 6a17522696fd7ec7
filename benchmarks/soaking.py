"""The clients of the soak test: good, bad, huge, slow and disconnecting ones, and the check of their responses."""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping

import httpx

PROMPT = "I hold"
TOKENS = 12
CLIENTS = 64
TLS = ssl.create_default_context()  # shared: a client that makes its own takes longer than its requests


class Clients:
    """What they send, what they must get, and what went wrong."""

    def __init__(self, port: int, runs: Mapping[str, str], songs: Mapping[int, str], labels: Mapping[str, str]) -> None:
        """Prepare the clients.

        Parameters
        ----------
        port
            Where the server listens on this machine.
        runs
            The names of a run that writes (``write``) and of one that classifies (``classify``).
        songs
            Seed to the song of `TOKENS` tokens after `PROMPT` that the writer writes alone.
        labels
            Text to the label that it must get.
        """
        self.port, self.runs, self.songs, self.labels, self.until = port, runs, songs, labels, 0.0
        self.bits: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, seconds: float) -> None:
        """Let `CLIENTS` clients ask for so many seconds."""
        self.until = time.monotonic() + seconds
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads)

    def _client(self, number: int) -> None:
        dice = random.Random(number)
        good = [self._song, self._song, self._stream, self._label, self._score, self._takes, self._analyse]
        acts = [*good, self._bad, self._huge, self._gone, self._slow]
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120, verify=TLS) as http:
            while time.monotonic() < self.until:
                act = dice.choice(acts)
                try:
                    act(http, dice)
                except Exception as error:
                    self.wrong.append(f"{act.__name__}: {error!r}")
                self.counts[act.__name__] += 1

    def _song(self, http: httpx.Client, dice: random.Random, stream: bool = False) -> None:
        seed = dice.choice(list(self.songs))
        body = {"model": self.runs["write"], "prompt": PROMPT, "max_tokens": TOKENS, "seed": seed, "stream": stream}
        answer = http.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        if stream:
            lines = [line[6:] for line in answer.text.split("\n\n") if line.startswith("data: {")]
            text = "".join(json.loads(line)["choices"][0]["text"] for line in lines)
            assert answer.text.endswith("data: [DONE]\n\n")
        else:
            text = answer.json()["choices"][0]["text"]
        assert PROMPT + text == self.songs[seed]

    def _stream(self, http: httpx.Client, dice: random.Random) -> None:
        self._song(http, dice, stream=True)

    def _label(self, http: httpx.Client, dice: random.Random) -> None:
        lines = dice.sample(list(self.labels), 3)
        answer = http.post("/v1/classify", json={"model": self.runs["classify"], "texts": lines})
        assert [each["label"] for each in answer.json()["data"]] == [self.labels[line] for line in lines]

    def _score(self, http: httpx.Client, dice: random.Random) -> None:
        text = dice.choice(list(self.labels))
        answer = http.post("/v1/score", json={"model": self.runs["write"], "texts": text})
        [found] = answer.json()["data"]
        assert self.bits.setdefault(text, found["bits_per_byte"]) == found["bits_per_byte"]

    def _takes(self, http: httpx.Client, dice: random.Random) -> None:
        lines = [{"text": dice.choice(list(self.labels)), "locked": True}, {}]
        sheet = {"sections": [{"rhyme": "AA", "lines": lines}]}
        body = {
            "model": self.runs["write"],
            "sheet": sheet,
            "target": {"section": 0, "line": 1},
            "n": 1,
            "candidates": 2,
        }
        answer = http.post("/v1/compose", json={**body, "stream": False})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["takes"]) <= 1

    def _analyse(self, http: httpx.Client, dice: random.Random) -> None:
        text = "\n".join(dice.sample(list(self.labels), 2))
        answer = http.post("/v1/analyse", json={"model": self.runs["write"], "text": text})
        assert [line["text"] for line in answer.json()["sections"][0]["lines"]] == text.split("\n")

    def _bad(self, http: httpx.Client, dice: random.Random) -> None:
        body = dice.choice([b"{", b"\xff", b'{"model": 5, "n": 999}', b'{"model": "x"}', b"[" * 5_000])
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
        body = {"model": self.runs["write"], "prompt": PROMPT, "max_tokens": 1_000, "seed": 1, "stream": True}
        with http.stream("POST", "/v1/completions", json=body) as answer:
            for number, _ in enumerate(answer.iter_raw()):
                if number >= dice.randrange(3):
                    break

    def _slow(self, http: httpx.Client, dice: random.Random) -> None:
        body = json.dumps({"model": self.runs["write"], "prompt": PROMPT, "max_tokens": 2}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as line:
            line.sendall(head % len(body))
            for place in range(0, len(body), 16):
                line.sendall(body[place : place + 16])
                time.sleep(0.02)
            if dice.random() < 0.7:
                assert line.recv(64).startswith(b"HTTP/1.1 200")
