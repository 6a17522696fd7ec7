"""The recipe `ngram`: Kneser-Ney n-grams of the training songs, mixed with n-grams of the song so far.

It has no network, fits in seconds, and is the baseline for any network. It is a model of `transformers` like the others: its
tables are buffers in ``model.safetensors``, and ``generate`` works. The mixture weights depend on the longest context found in
the song so far and are fitted on validation songs. Whole songs are scored by sorting (`token_losses`); for generation token by
token a state contains the tokens read so far (`Reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lyrist.errors import UsageError
from lyrist.models import kneser_ney, kv_cache, song_memory
from lyrist.models.configuration import NgramConfig
from lyrist.models.kneser_ney import Ints, KneserNey, Level, Tokens
from lyrist.models.language_model import (
    IMPOSSIBLE,
    LyricsModel,
    State,
    WriterOptions,
    WriterShape,
    common,
    register_for_auto,
)
from lyrist.models.memory import DataSize
from lyrist.models.registry import option, register
from lyrist.models.song_memory import LENGTHS, SongMemory

FITTED = 400_000
"""Largest number of validation tokens for the fit of the mixture weights."""

Array = NDArray[np.float64]
TOGETHER = 2**15
"""Tokens per look-up."""

Songs = Sequence[NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class NgramOptions(WriterOptions):
    """Options of `ngram`."""

    context: int = option(1024, "not used: the context is the whole song so far")
    order: int = option(6, "order of the n-grams of the training songs")
    largest: int = option(20_000_000, "if there are more distinct n-grams of a length, drop those that occur once")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.order, self.largest)

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of counting, in bytes."""
        return kneser_ney.memory(size.tokens, self.order, self.largest)


def check(order: int, largest: int) -> None:
    """Raise a `UsageError` for invalid orders and sizes."""
    if not 1 <= order <= 16:
        raise UsageError(f"--order must be between 1 and 16 tokens, got {order}.")
    if largest < 1:
        raise UsageError(f"--largest must be at least 1 n-gram, got {largest}.")


class Reading(State):
    """The state of songs during generation: their tokens, their contexts in the tables, and the cache of a network."""

    def __init__(self, songs: int, order: int, written: NDArray[np.bool_], lengths: Sequence[int]) -> None:
        self.memory = SongMemory(songs, written, lengths)
        self.contexts = np.full((songs, order), -1, dtype=np.int64)
        self.network: Any = None
        self.read = 0

    def __len__(self) -> int:
        return len(self.contexts)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of tokens read, padding included."""
        return self.read

    def select(self, rows: Tensor) -> None:
        """Keep these songs."""
        chosen = rows.cpu().numpy()
        self.memory, self.contexts = self.memory.select(chosen), self.contexts[chosen]
        if self.network is not None:
            self.network.batch_select_indices(rows)

    @property
    def joins(self) -> bool:  # type: ignore[override]
        """Return whether songs of different lengths can be joined: only a network can prevent it."""
        return self.network is None or kv_cache.joinable(self.network)

    def join(self, other: Reading) -> None:
        """Append the songs of another state."""
        self.memory.join(other.memory)
        self.contexts, self.read = np.concatenate([self.contexts, other.contexts]), max(self.read, other.read)
        if self.network is not None:
            kv_cache.join(self.network, other.network)

    def columns(self) -> int | None:
        """Return the number of columns of the network's attention mask."""
        return None if self.network is None else kv_cache.columns(self.network)

    def trim(self, kept: int) -> None:
        """Keep only the last ``kept`` columns of the network's cache."""
        if self.network is not None:
            kv_cache.trim(self.network, kept)

    def step(self, counts: KneserNey, ids: Ints, real: NDArray[np.bool_]) -> None:
        """Read one token of each song; tokens that are not ``real`` are padding."""
        rows = np.flatnonzero(real)
        self.contexts[rows] = counts.advance(self.contexts[rows], ids[rows])
        self.memory.append(rows, ids[rows])
        self.read += 1


class Tables(nn.Module):
    """A `KneserNey` model as buffers, and the mixture weights."""

    def __init__(self, config: NgramConfig, parts: int) -> None:
        super().__init__()
        sizes = list(config.sizes or [])
        lengths, knots = list(config.lengths or []), list(config.knots or [])
        self.vocabulary, self.count = config.vocab_size, len(sizes)
        self._put("first", torch.zeros(config.vocab_size))
        # A parameter, because transformers determines the device of a model from its first parameter.
        self.weights = nn.Parameter(torch.zeros(song_memory.groups(lengths), len(knots), parts), requires_grad=False)
        self._put("left1", torch.ones(config.vocab_size if sizes else 0))
        for n, size in enumerate(sizes, start=2):
            self._put(f"keys{n}", torch.zeros(size, dtype=torch.int64))
            self._put(f"kept{n}", torch.zeros(size))
            self._put(f"left{n}", torch.ones(size if n <= len(sizes) else 0))
        self._counts: KneserNey | None = None

    def _put(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values)

    def _array(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = self.get_buffer(name).detach().cpu().numpy()
        return found

    @property
    def counts(self) -> KneserNey:
        """Return the tables for look-up; on the CPU they share the memory of the buffers."""
        if self._counts is None:
            levels = [
                Level(*(self._array(f"{part}{n}") for part in ("keys", "kept", "left")))
                for n in range(2, self.count + 2)
            ]
            self._counts = KneserNey(self.vocabulary, self._array("first"), self._array("left1"), levels)
        return self._counts

    def fill(self, counts: KneserNey) -> None:
        """Copy a fitted model into the buffers."""
        self.count = len(counts.levels)
        self.first, self.left1 = torch.from_numpy(counts.first), torch.from_numpy(counts.left)
        for n, level in enumerate(counts.levels, start=2):
            for part in ("keys", "kept", "left"):
                self._put(f"{part}{n}", torch.from_numpy(getattr(level, part)))
        self._counts = None


class NgramWriter(LyricsModel):  # type: ignore[no-untyped-call]
    """Kneser-Ney n-grams and the song so far. Its "hidden states" are log-probabilities."""

    config_class = NgramConfig
    before = 1
    """Number of parts before those of `song_memory`."""

    def __init__(self, config: NgramConfig) -> None:
        super().__init__(config)
        self.tables = Tables(config, self.before + song_memory.parts(list(config.lengths or [])))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the tables unchanged."""

    def size(self) -> int:
        """Return the number of n-grams in the tables, including unigrams and mixture weights."""
        return int(self.config.vocab_size + sum(self.config.sizes or []) + self.tables.weights.numel())

    @property
    def written(self) -> NDArray[np.bool_]:
        """Return which tokens can be predicted, including the end, shape (vocabulary,)."""
        config = self.config
        found: NDArray[np.bool_] = np.arange(config.vocab_size) < config.lyrics_size
        found[[n for n in (config.pad_token_id, config.bos_token_id) if n is not None]] = False
        found[config.eos_token_id] = True
        return found

    @property
    def _weights(self) -> Array:
        return self.tables.weights.detach().cpu().numpy().astype(np.float64)

    # Learning.

    def learn(self, train: Songs, validation: Songs) -> None:
        """Count the n-grams of ``train`` and fit the mixture weights on ``validation``.

        Parameters
        ----------
        train, validation
            Token ids of each song: BOS, conditions, lyrics, EOS.

        Raises
        ------
        LyristError
            There are no tokens to count.
        """
        config = self.config
        counts = kneser_ney.learn(train, config.order, config.vocab_size, self.written, config.largest)
        self.tables.fill(counts)
        config.sizes = [len(level.keys) for level in counts.levels]
        self.tables.weights.data = torch.from_numpy(self._fitted(evenly(validation, FITTED)).astype(np.float32))

    def _fitted(self, songs: Songs) -> Array:
        """Return the weights that maximise the likelihood of ``songs``; the prior if there are none."""
        prior = self._prior()
        if not len(songs):
            return np.repeat(prior[:, None], len(self.config.knots), axis=1)
        found = [self._evidence(part) for part in kneser_ney.parts(songs, TOGETHER)]
        probabilities, group, share = (np.concatenate(each) for each in zip(*found, strict=True))
        return kneser_ney.fit_weights(probabilities, group, share, prior)

    def _prior(self) -> Array:
        """Return default weights: the longer the context found in the song, the lower the weight of the tables."""
        allowed = song_memory.allowed(self.config.lengths)
        longest = song_memory.depths(self.config.lengths)[:, None]
        own = np.where(allowed, 0.5 ** np.maximum(longest - np.arange(allowed.shape[1]), 0), 0.0)
        tables = np.full((len(allowed), self.before), 1 / self.before) * np.maximum(0.9 - 0.15 * longest, 0.1)
        own *= (1 - tables.sum(axis=1, keepdims=True)) / np.maximum(own.sum(axis=1, keepdims=True), 1e-9)
        found = np.concatenate([tables, own], axis=1)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def _evidence(self, songs: Songs) -> tuple[Array, Ints, Array]:
        """Return the probability of each token by each part, its group, and its knot weights; without first tokens."""
        tokens = Tokens.of(songs)
        own, group = song_memory.shares(tokens, self.written, self.config.lengths)
        first, share = self._parts(songs, tokens)
        real = (tokens.place > 0) & self.written[tokens.ids]
        return np.concatenate([first, own], axis=1)[real], group[real], share[real]

    def _parts(self, songs: Songs, tokens: Tokens) -> tuple[Array, Array]:
        """Return the probability of each token by the parts before those of the song so far, and its knot weights."""
        return self.tables.counts.probabilities(tokens)[:, None], np.ones((len(tokens.ids), 1))

    # Scoring whole songs.

    def token_losses(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the nats of each token but the first, (batch, time - 1), float32; 0 for padding and conditions."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        ids, real = input_ids.cpu().numpy(), mask.cpu().numpy().astype(bool)
        found = np.zeros((ids.shape[0], ids.shape[1]), dtype=np.float32)
        songs = [row[kept] for row, kept in zip(ids, real, strict=True)]
        probabilities, group, share = self._evidence(songs)
        weights = kneser_ney.mix_weights(self._weights, group, share)
        probability = np.einsum("nk,nk->n", weights, probabilities)
        places = np.concatenate([np.flatnonzero(kept) + row * ids.shape[1] for row, kept in enumerate(real)])
        tokens = Tokens.of(songs)
        scored = (tokens.place > 0) & (tokens.ids < self.config.lyrics_size)
        flat = found.reshape(-1)
        flat[places[scored]] = -IMPOSSIBLE  # tokens that cannot be predicted keep this value
        flat[places[scored & self.written[tokens.ids]]] = -_log(probability)
        return torch.from_numpy(found[:, 1:]).to(input_ids.device)

    # Token by token.

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        song_ids: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the log-probabilities of the next token at each position, and the state."""
        if song_ids is not None:
            raise ValueError("n-gram models need one song per row, not blocks of several songs")
        ids = input_ids.cpu().numpy()
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask[:, -ids.shape[1] :]
        real = mask.cpu().numpy().astype(bool)
        reading = past_key_values
        if reading is None:
            reading = Reading(len(ids), self.config.order, self.written, self.config.lengths)
        first = self._network(input_ids, attention_mask, reading)
        found = np.empty((*ids.shape, self.config.lyrics_size), dtype=np.float32)
        for place in range(ids.shape[1]):
            reading.step(self.tables.counts, ids[:, place], real[:, place])
            found[:, place] = _log(self._next(reading, None if first is None else first[:, place]))
        return torch.from_numpy(found).to(input_ids.device), reading if use_cache else None

    def logits(self, states: Tensor) -> Tensor:
        """Return the states, which are log-probabilities."""
        return states

    def _network(self, input_ids: Tensor, attention_mask: Tensor | None, reading: Reading) -> Tensor | None:
        """Return the log-probabilities (batch, time, lyrics) of a network and update its cache in ``reading``; here None."""
        return None

    def _next(self, reading: Reading, network: Tensor | None) -> Array:
        """Return the probabilities of the next token of each song, (songs, lyrics)."""
        group, place = reading.memory.group()
        own, share = self._own(network, len(group))
        weights = kneser_ney.mix_weights(self._weights, group, share)
        lyrics = self.config.lyrics_size
        found = reading.memory.distribution(place, weights[:, self.before :], lyrics)
        found += weights[:, self.before - 1, None] * self.tables.counts.distribution(reading.contexts)[:, :lyrics]
        for part, probabilities in enumerate(own):
            found += weights[:, part, None] * probabilities
        found[:, ~self.written[:lyrics]] = 0  # a network may assign a little probability to these
        return found

    def _own(self, network: Tensor | None, songs: int) -> tuple[list[Array], Array]:
        """Return the distributions of the parts before the tables, and the knot weights."""
        return [], np.ones((songs, 1))


def _log(probabilities: Array) -> NDArray[np.float32]:
    """Return logarithms; `IMPOSSIBLE` for probability 0."""
    single = probabilities.astype(np.float32)
    return np.where(single > 0, np.log(np.maximum(single, np.finfo(np.float32).tiny)), np.float32(IMPOSSIBLE))


def evenly(songs: Songs, most: int) -> Songs:
    """Return evenly spaced songs with about ``most`` tokens in total; all if they have fewer."""
    sample = [len(songs[n]) for n in range(0, len(songs), max(1, len(songs) // 100))]
    every = -(-int(np.mean(sample) * len(songs)) // most) if sample else 1
    return [songs[n] for n in range(0, len(songs), max(1, every))]


def settings(options: Any, shape: WriterShape, recipe: str, config: type[NgramConfig]) -> dict[str, Any]:
    """Return the arguments of the configuration of an n-gram model."""
    found = common(options, shape, recipe, config)
    return {**found, "sizes": [], "lengths": list(LENGTHS), "knots": [0.0]}


@register(
    "ngram",
    "Kneser-Ney n-grams mixed with n-grams of the song so far; no network",
    family="counts",
    task="write",
    options=NgramOptions,
    source="Chen and Goodman (1998), An empirical study of smoothing techniques; "
    "Kuhn and De Mori (1990), A cache-based natural language model for speech recognition",
)
def ngram(options: NgramOptions, shape: WriterShape) -> NgramWriter:
    """Build the model with empty tables; `NgramWriter.learn` fills them."""
    return NgramWriter(NgramConfig(**settings(options, shape, "ngram", NgramConfig) | {"context": 0}))


register_for_auto(NgramConfig, NgramWriter)
