"""The training loops that ``benchmarks/training.py`` compares: Lyrist's, a plain PyTorch loop, and a minimal one.

Each is a function from the number of a round to what it took. All count the same: real tokens, which stand in a song, and
all places of the batches, padding included. With one thread seconds are CPU seconds of this process, which depend least
on what else the machine does; with more they are wall seconds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence
from transformers import PreTrainedModel, TrainerCallback

from lyrist.corpus.corpus import Corpus
from lyrist.models import registry
from lyrist.training import tokens
from lyrist.training.batches import Batch, Stream, TokenExamples, real_tokens
from lyrist.training.classifier import configure
from lyrist.training.loop import seeded, train
from lyrist.training.schedule import Schedule
from songtables import generate
from songtables.fouracts import songbook
from songtables.planting import PLANTED

WARM = 2
"""Updates before the clock starts."""

FUSED = None
"""How Lyrist's loop has AdamW computed; the bare loop does the same, so that only the loops differ."""

UNCUT = 1_000_000
"""More tokens than any song has."""


@dataclass(frozen=True)
class Settings:
    """What is measured, and how long."""

    songs: int
    steps: int
    rounds: int
    threads: int
    batch_size: int
    size: int
    layers: tuple[int, ...]
    corpus: str | None
    seed: int


@dataclass(frozen=True)
class Sample:
    """Some updates under the clock."""

    steps: int
    tokens: int
    """Real ones."""
    places: int
    """Padding included."""
    seconds: float


@dataclass(frozen=True)
class Songs:
    """The songs as token ids, whole and as the recipe cuts them."""

    whole: TokenExamples
    cut: TokenExamples
    vocabulary: int
    labels: tuple[str, ...]


Way = Callable[[int], Sample]
"""From the number of the round to what was measured."""


class Clock(TrainerCallback):
    """Times the updates of a run of `lyrist.training.loop`, but for the first ones and for what comes before and after."""

    def __init__(self, threads: int) -> None:
        self._now = clock(threads)
        self.began = self.ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time."""
        self.ended = self._now()
        if state.global_step == WARM:
            self.began = self.ended


def clock(threads: int) -> Callable[[], float]:
    """Return the clock that suits the number of threads."""
    return time.process_time if threads == 1 else time.monotonic


# The songs.


def read(settings: Settings) -> Songs:
    """Return the songs of the corpus, or those of the songbook and, beyond them, generated ones, drawn by the seed."""
    lyrics, artists = _table(settings)
    order = np.random.default_rng(settings.seed).permutation(len(lyrics))[: settings.songs]
    lyrics, artists = [lyrics[row] for row in order], [artists[row] for row in order]
    options = registry.get("lstm").options()
    tokenizer = tokens.learn(lyrics, options)
    labels = tuple(sorted(set(artists)))
    classes = np.array([labels.index(artist) for artist in artists], dtype=np.int64)

    def examples(longest: int) -> TokenExamples:
        return TokenExamples(tokens.encode(tokenizer, lyrics, longest), tokenizer.pad_token_id, classes)

    return Songs(examples(UNCUT), examples(options.max_length), len(tokenizer), labels)


def _table(settings: Settings) -> tuple[list[str], list[str]]:
    if settings.corpus:
        frame = Corpus.open(settings.corpus).songs("train").drop_nulls(["artist", "lyrics"])
        return frame["lyrics"].to_list(), frame["artist"].to_list()
    book = songbook()
    lyrics, artists = [song.lyrics for song in book], [song.artist for song in book]
    more = max(settings.songs - len(book), 0)
    if more:
        with tempfile.TemporaryDirectory(prefix="lyrist-bench-") as folder:
            path = Path(folder) / "songs.parquet"
            generate(more, path, settings.seed, artists=20, planted=dict.fromkeys(PLANTED, 0.0))
            frame = pl.read_parquet(path)
        lyrics, artists = lyrics + frame["lyrics"].to_list(), artists + frame["artist"].to_list()
    return lyrics, artists


# Lyrist's way.


def network(recipe: str, songs: Songs, size: int) -> PreTrainedModel:
    """Return the untrained network of a recipe with vectors and states of ``size``."""
    found, options, _ = configure(recipe, {"embedding_size": size, "hidden": size}, 0)
    shape = registry.Shape(songs.vocabulary, 0, songs.labels)
    with seeded(0):
        model: PreTrainedModel = found.build(options, shape)
    model.train()
    return model


def schedule(recipe: str, settings: Settings, number: int, precision: str) -> Schedule:
    """Return the recipe's own schedule, for as many updates as one round has."""
    given = {"steps": WARM + settings.steps, "batch_size": settings.batch_size, "precision": precision}
    return configure(recipe, {**given, "threads": settings.threads, "device": "cpu"}, number)[2]


def stream(songs: Songs, settings: Settings, number: int) -> Stream:
    """Return the batches that a recipe trains on in a round."""
    return Stream(songs.cut, settings.batch_size, WARM + settings.steps, seed=number)


def lyrist(recipe: str, songs: Songs, settings: Settings, size: int, precision: str) -> Way:
    """Return the training of a recipe as ``lyrist train`` does it."""

    def run(number: int) -> Sample:
        plan, timer = schedule(recipe, settings, number, precision), Clock(settings.threads)
        train(network(recipe, songs, size), songs.cut, None, plan, callbacks=[lambda loop: timer])
        counted = [real_tokens(made) for made in stream(songs, settings, number)]
        return sample(counted, timer.ended - timer.began)

    return run


# The reports' way.


class Reported(nn.Module):
    """Word vectors, `nn.LSTM`, the last time step, one linear layer; the sizes are those of the recipe."""

    def __init__(self, vocabulary: int, size: int, layers: int, classes: int, *, packed: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=0)
        self.lstm = nn.LSTM(size, size, layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * size, classes)
        self.packed = packed

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits, (batch, classes), from ids (batch, time)."""
        vectors = self.embedding(ids)
        if not self.packed:
            return self.head(self.lstm(vectors)[0][:, -1])  # type: ignore[no-any-return]
        _, (states, _) = self.lstm(pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False))
        return self.head(torch.cat([states[-2], states[-1]], dim=-1))  # type: ignore[no-any-return]


def drawn(count: int, batch_size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield batches of songs drawn at random, without end."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        yield from (order[place : place + batch_size] for place in range(0, count - batch_size + 1, batch_size))


def reported(
    layers: int, songs: Songs, examples: TokenExamples, settings: Settings, *, table: bool = False, packed: bool = False
) -> Way:
    """Return a plain PyTorch loop over random batches, padded to the longest song of the table or of the batch."""
    longest = int(examples.lengths.max())

    def batch(rows: NDArray[np.int64]) -> Batch:
        made = examples.collate(rows)
        if table:
            missing = longest - made["input_ids"].shape[1]
            made |= {name: functional.pad(made[name], (0, missing)) for name in ("input_ids", "attention_mask")}
        return made

    def run(number: int) -> Sample:
        with seeded(0):
            model = Reported(songs.vocabulary, settings.size, layers, len(songs.labels), packed=packed)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

        def update(made: Batch) -> None:
            logits = model(made["input_ids"], made["attention_mask"].sum(dim=1))
            loss = functional.cross_entropy(logits, made["labels"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        rows = drawn(len(examples), min(settings.batch_size, len(examples)), number)
        return timed(settings, (batch(next(rows)) for _ in range(WARM + settings.steps)), update)

    return run


def timed(settings: Settings, batches: Iterator[Batch], update: Callable[[Batch], None]) -> Sample:
    """Make an update of each batch; the making of the batches is on the clock as well."""
    now = clock(settings.threads)
    began, counted = 0.0, []
    for step, made in enumerate(batches, 1):
        update(made)
        counted.append(real_tokens(made))
        if step == WARM:
            began = now()
    return sample(counted, now() - began)


def sample(counted: Sequence[tuple[int, int]], seconds: float) -> Sample:
    """Return what was measured, from the real tokens and places of each update, those before the clock among them."""
    real, places = zip(*counted[WARM:], strict=True)
    return Sample(len(real), sum(real), sum(places), seconds)


# A loop with nothing in it.


def bare(recipe: str, songs: Songs, settings: Settings, size: int) -> Way:
    """Return the same updates of the same network over the same batches, written out: what the loop is compared with."""

    def run(number: int) -> Sample:
        plan = schedule(recipe, settings, number, "float32")
        with seeded(number):
            model = network(recipe, songs, size)
            decayed = [weights for weights in model.parameters() if weights.dim() > 1]
            others = [weights for weights in model.parameters() if weights.dim() <= 1]
            groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
            optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, fused=FUSED)
            rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: plan.rate(step / (plan.steps or 1)))

            def update(made: Batch) -> None:
                model(**made).loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()

            return timed(settings, iter(stream(songs, settings, number)), update)

    return run
