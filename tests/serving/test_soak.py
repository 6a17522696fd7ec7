"""Sixty-four clients, good, bad, huge, slow and gone, all at once: every good one gets its own answer, and memory stays.

The clients are those of `benchmarks/serving.py --soak`, which does the same for minutes.
"""

import importlib.util
from pathlib import Path
from typing import Any

import psutil
import pytest
from servekit import LINES, serving, soon

from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose
from lyrist.serving.modelregistry import ModelRegistry

FILE = Path(__file__).parents[2] / "benchmarks" / "soaking.py"
SECONDS = 6.0


@pytest.fixture(scope="module")
def soaking() -> Any:
    spec = importlib.util.spec_from_file_location("soaking", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        clients.run(SECONDS / 3)
        before = psutil.Process().memory_info().rss
        clients.run(SECONDS * 2 / 3)
        while min(clients.counts.values()) <= 5 and not clients.wrong:  # on a busy machine it takes longer
            clients.run(SECONDS / 3)
        grown = psutil.Process().memory_info().rss - before
        assert clients.wrong == []
        assert len(clients.counts) == 8
        assert grown < 40 * 2**20, f"{grown / 2**20:.0f} MiB more"
        soon(lambda: not server.engine.inside)
        assert server.http.get("/healthz").json()["inside"] == 0
