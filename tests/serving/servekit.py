"""What the tests of serving share: writers of every kind, tiny and untrained, slow models, and servers that run."""

import contextlib
import copy
import faulthandler
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import torch
import uvicorn

from lyrist import files
from lyrist.corpus.corpus import Corpus
from lyrist.models import registry
from lyrist.models.language_model import WriterShape
from lyrist.serving.access import ServerSettings
from lyrist.serving.app import build
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ModelRegistry, ServedModel
from lyrist.serving.requests import Limits
from lyrist.serving.serve import _server, uvicorn_config
from lyrist.training import runs, vocabularies
from lyrist.training.writer import Writer

LINES = """the ferryman is counting every light
the river runs away from us tonight
and all the windows of the town are bright
I hold the lantern and I hold it right
come down come down the water to the sea
the morning bird is singing in the tree
there never was another one but me
a copper key a candle and a bee
oh carry me along the silver road
I cannot put away this heavy load""".splitlines()
GENRES = {"folk": "Anna Reed", "rock": "The Stone Kites"}
OPTIONS: dict[str, dict[str, Any]] = {
    "ngram": {"order": 3},
    "gru": {"hidden": 12, "embedding_size": 8, "dropout": 0},
    "gpt": {"width": 32, "layers": 2, "feedforward": 32, "pairs": 31},
    "mixture": {"network": "gpt", "network_options": ("width=16", "layers=1", "feedforward=16"), "order": 3},
}


def songs() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(60):
        genre = list(GENRES)[number % 2]
        lines = rng.choice(LINES[:6] if number % 2 else LINES[4:], 8)
        rows.append({"title": f"Song {number}", "artist": GENRES[genre], "genre": genre, "lyrics": "\n".join(lines)})
    return pl.DataFrame(rows)


def several_moods(n: int = 120) -> pl.DataFrame:
    """Songs with one or two of three genres, each with words of its own."""
    own = {
        "night": ["lantern", "window", "midnight", "shadow"],
        "sea": ["harbour", "water", "sailor", "anchor"],
        "town": ["market", "tower", "tavern", "street"],
    }
    rng, rows = np.random.default_rng(0), []
    for number in range(n):
        genres = rng.choice([*own], rng.integers(1, 3), replace=False).tolist()
        words = [
            *(word for genre in genres for word in rng.choice(own[genre], 6)),
            *rng.choice(["letter", "morning"], 4),
        ]
        lines = [" ".join(rng.permutation(words)[place : place + 4]) for place in range(0, len(words), 4)]
        rows.append(
            {
                "title": f"Song {number}",
                "artist": f"Act {number % 20}",
                "genre": "|".join(genres),
                "lyrics": "\n".join(lines),
            }
        )
    return pl.DataFrame(rows)


def make_writer(corpus: Corpus, recipe: str) -> Writer:
    """A writer with random weights, but for what counts."""
    texts = corpus.songs("train")["lyrics"].to_list()
    tokenizer = vocabularies.learn(texts, 330)
    lyrics, conditions = len(tokenizer), {"genre": tuple(GENRES)}
    vocabularies.add_conditions(tokenizer, conditions)
    shape = WriterShape(len(tokenizer), 0, 1, 2, 64, lyrics)
    entry = registry.get(recipe)
    torch.manual_seed(0)
    model: Any = entry.build(registry.configure(entry.options, OPTIONS[recipe], recipe), shape)
    with torch.no_grad():
        for weights in model.parameters():
            if recipe != "ngram" and weights.requires_grad:
                weights.add_(0.2 * torch.randn_like(weights))
    if entry.family != "neural":
        read = [np.array([1, *ids, 2], dtype=np.int32) for ids in vocabularies.encode(tokenizer, texts)]
        model.learn(read, read[:8])
    return Writer(model.eval(), tokenizer, conditions, recipe, int(model.config.context))


def describe(run: Path, recipe: str, task: str, corpus: Corpus, **more: Any) -> None:
    about = {
        "format": runs.FORMAT,
        "lyrist": "0",
        "recipe": recipe,
        "task": task,
        "corpus": str(corpus.path),
        "fingerprint": corpus.fingerprint,
        **more,
    }
    files.write_json(run / "run.json", about)


class SlowModel:
    """A model that takes its time, computes only while ``go`` is set, ends no song, and counts the songs of a batch."""

    def __init__(self, model: Any, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self.go = threading.Event()
        self.go.set()
        self.forward = model.forward
        self.together: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, **given: Any) -> Any:
        self.go.wait()
        time.sleep(self._seconds)
        self.together.append(len(given["input_ids"]))
        found = self._model(**given)
        found.logits[..., self._model.config.eos_token_id] = -1e4
        return found


def slowed(models: ModelRegistry, name: str, seconds: float) -> ModelRegistry:
    """The shelf with one writer alone, which takes so long for each token."""
    served = models.items[name]
    writer = copy.copy(served.model)
    writer.model = SlowModel(writer.model, seconds)
    return ModelRegistry({name: ServedModel(name, served.path, served.run, "write", served.conditions, (), writer)})


class Running:
    """A server that runs."""

    def __init__(self, models: ModelRegistry, limits: Limits, settings: ServerSettings) -> None:
        self.engine = InferenceEngine(models, limits, threads=1)
        self.app = build(self.engine, settings)
        place = socket.create_server((settings.host, 0))
        self.url = f"http://{settings.host}:{place.getsockname()[1]}"
        started = threading.Event()
        self.server = _server(uvicorn, uvicorn_config(self.app, self.engine), self.engine, started.set)
        self._thread = threading.Thread(target=lambda: self._serve(place), daemon=True)
        self._thread.start()
        assert started.wait(120)
        token = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        self.http = httpx.Client(base_url=self.url, timeout=120, headers=token)

    def _serve(self, place: socket.socket) -> None:
        with place:
            self.server.run([place])

    def stop(self) -> None:
        self.http.close()
        self.server.handle_exit(15, None)
        self._thread.join(300)
        if self._thread.is_alive():
            faulthandler.dump_traceback(sys.__stderr__)
            raise AssertionError(f"the server has not stopped; requests inside: {self.engine.inside}")


def soon(true: Callable[[], object]) -> None:
    """Wait for what another thread does; the bound only ends a test that has failed."""
    until = time.monotonic() + 300
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@contextlib.contextmanager
def serving(models: ModelRegistry, settings: ServerSettings | None = None, **limits: Any) -> Iterator[Running]:
    running = Running(models, Limits(**limits), settings or ServerSettings(studio=False))
    try:
        yield running
    finally:
        running.stop()
