"""Sixty-four clients, good, bad, huge, slow and gone, all at once: every good one gets its own answer, and memory stays.

The clients are those of `benchmarks/serving.py --soak`, which does the same for minutes.
"""

import importlib
from typing import Any

import psutil
import pytest
from servekit import LINES, serving, soon

from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose
from lyrist.serving.modelregistry import ModelRegistry

SECONDS = 2.0
MOST = 20
"""MiB by which the memory of the server may grow in a round."""


@pytest.fixture(scope="module")
def soaking() -> Any:
    return importlib.import_module("soaking")


@pytest.mark.slow
def test_every_good_request_is_served_its_own_answer(soaking: Any, models: ModelRegistry) -> None:
    writer, classifier = models.items["ngram"].model, models.items["genres"].model
    configs = [GenerationConfig(max_tokens=soaking.TOKENS, seed=seed) for seed in range(40)]
    songs = {each.seed: compose(writer, prompt=soaking.PROMPT, config=each)[0].text for each in configs}
    labels = {line: str(classifier.predict([line])[0]) for line in LINES}
    with serving(
        ModelRegistry({name: models.items[name] for name in ("ngram", "genres")}), body=200_000, queue=256
    ) as server:
        port = int(server.url.rpartition(":")[2])
        clients = soaking.Clients(port, {"write": "ngram", "classify": "genres"}, songs, labels)
        while not clients.wrong and (len(clients.counts) < 8 or min(clients.counts.values()) <= 5):
            clients.run(SECONDS)
        grown = []
        while len(grown) < 4 and (not grown or grown[-1] > MOST):  # a leak shows in every round, a cache in the first
            before = psutil.Process().memory_info().rss
            clients.run(SECONDS)
            grown.append((psutil.Process().memory_info().rss - before) / 2**20)
        assert clients.wrong == []
        assert grown[-1] < MOST, f"MiB more in each round: {grown}"
        soon(lambda: not server.engine.inside)
        assert server.http.get("/healthz").json()["inside"] == 0
