"""Recurrent language models: `gru` and `lstm-lm`.

Dropout uses one mask per song, the same at every token (Gal and Ghahramani, 2016), and drops whole words of the vocabulary
(AWD-LSTM, Merity et al., 2018). The output layer shares its weights with the word vectors. Padding never changes a state: songs
with different padding are computed in groups, each without its padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lyrist.errors import UsageError
from lyrist.models.configuration import RecurrentLyricsConfig
from lyrist.models.language_model import LyricsModel, State, WriterOptions, WriterShape, common, register_for_auto
from lyrist.models.registry import option, register

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class RecurrentWriterOptions(WriterOptions):
    """Options of `gru`."""

    embedding_size: int = option(256, "size of word vectors")
    hidden: int = option(512, "units per recurrent layer")
    layers: int = option(1, "recurrent layers")
    dense: int = option(0, "units of a dense ReLU layer before the output (0: none)")
    tied: bool = option(True, "share the weights of the output layer with the word vectors")
    window: int = option(
        0,
        "repeat a published mistake: read the numbers of so many tokens as plain numbers instead of word vectors (0: no)",
    )
    dropout: float = option(0.1, "dropout rate, with the same mask at every token of a song")
    embedding_dropout: float = option(0.0, "share of the words of the vocabulary that are dropped per update")

    schedule: ClassVar[Mapping[str, Any]] = {"learning_rate": 4e-3, "batch_size": 16, "average": 0.99}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 0 or (self.window and self.tied):
            raise UsageError(f"--window must be a number of tokens and needs --tied false, got {self.window}.")


@dataclass(frozen=True)
class LstmWriterOptions(RecurrentWriterOptions):
    """Options of `lstm-lm`."""

    layers: int = option(2, "recurrent layers")
    dropout: float = option(0.2, "dropout rate, with the same mask at every token of a song")
    embedding_dropout: float = option(0.05, "share of the words of the vocabulary that are dropped per update")


class Memory(State):
    """The recurrent states of all layers after the last token, each (layers, batch, hidden); an LSTM has two."""

    joins = True

    def __init__(self, parts: tuple[Tensor, ...], length: int) -> None:
        self.parts, self.length = parts, length

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of tokens read."""
        return self.length

    def select(self, rows: Tensor) -> None:
        """Keep these songs."""
        self.parts = tuple(part.index_select(1, rows.to(part.device)) for part in self.parts)

    def join(self, other: Memory) -> None:
        """Append the songs of another state."""
        pairs = zip(self.parts, other.parts, strict=True)
        self.parts, self.length = tuple(torch.cat(pair, dim=1) for pair in pairs), max(self.length, other.length)

    def __len__(self) -> int:
        return self.parts[0].shape[1]


class RecurrentWriter(LyricsModel):  # type: ignore[no-untyped-call]
    """Word vectors, recurrent layers, an optional dense layer, and the output layer."""

    config_class = RecurrentLyricsConfig

    def __init__(self, config: RecurrentLyricsConfig) -> None:
        super().__init__(config)
        if not config.window:
            self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)
            nn.init.normal_(self.embedding.weight, std=config.embedding_size**-0.5)
        sizes = [config.window or config.embedding_size, *[config.hidden] * (config.layers - 1)]
        self.cells = nn.ModuleList(CELLS[config.cell](size, config.hidden, batch_first=True) for size in sizes)
        last = config.hidden
        self.dense = nn.Linear(last, config.dense) if config.dense else None
        last = config.dense or last
        # A tied output layer needs vectors of the size of the word vectors.
        self.bridge = nn.Linear(last, config.embedding_size) if config.tied and last != config.embedding_size else None
        self.head = None if config.tied else nn.Linear(last, config.lyrics_size)
        self.bias = nn.Parameter(torch.zeros(config.lyrics_size)) if config.tied else None
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights of `__init__`."""

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        song_ids: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the states of the last layer, and the states of all layers after the last token."""
        if song_ids is not None:
            return self._blocks(input_ids, song_ids), None
        mask = None if attention_mask is None else attention_mask[:, -input_ids.shape[1] :].bool()
        if mask is None or bool(mask.all()) or (not use_cache and bool(mask[:, 0].all())):
            return self._run(input_ids, past_key_values, use_cache)
        return self._groups(input_ids, mask, past_key_values, use_cache)

    def logits(self, states: Tensor) -> Tensor:
        """Return the logits of the tokens that lyrics can contain."""
        if self.dense is not None:
            states = functional.relu(self.dense(states))
        if self.head is not None:
            return self._without_special(self.head(states).float())
        if self.bridge is not None:
            states = self.bridge(states)
        weights = self.embedding.weight[: self.config.lyrics_size]
        return self._without_special(functional.linear(states, weights, self.bias).float())

    def _run(self, ids: Tensor, past: Memory | None, keep: bool) -> tuple[Tensor, Memory | None]:
        """Compute sequences without padding before or between their tokens."""
        if self.config.window:
            return self._windows(ids, past, keep)
        vectors = functional.embedding(ids, self._words())
        # Word vectors have norm 1 because of the tied output layer; the recurrence needs components of variance 1.
        states = self._locked(vectors * self.config.embedding_size**0.5)
        ends = []
        for number, cell in enumerate(self.cells):
            before = None if past is None else tuple(part[number : number + 1].contiguous() for part in past.parts)
            given: Any = before if before is None or self.config.cell == "lstm" else before[0]
            states, end = cell(states, given)
            states = self._locked(states)
            ends.append(end if isinstance(end, tuple) else (end,))
        if not keep:
            return states, None
        parts = tuple(torch.cat(layer) for layer in zip(*ends, strict=True))
        return states, Memory(parts, ids.shape[1] + (past.length if past else 0))

    def _windows(self, ids: Tensor, past: Memory | None, keep: bool) -> tuple[Tensor, Memory | None]:
        """Compute each token from the numbers of the last tokens, 0 before the first: one step, without a state between."""
        size = self.config.window
        before = torch.zeros(len(ids), size, device=ids.device) if past is None else past.parts[0][0]
        numbers = torch.cat([before, ids.to(before.dtype)], dim=1)
        states = numbers.unfold(1, size, 1)[:, 1:].reshape(-1, 1, size)
        for cell in self.cells:
            states = cell(states)[0]
        kept = Memory((numbers[:, -size:].unsqueeze(0),), ids.shape[1] + (past.length if past else 0))
        return states.view(*ids.shape, -1), kept if keep else None

    def _words(self) -> Tensor:
        weights = self.embedding.weight
        if not self.training or not self.config.embedding_dropout:
            return weights
        kept = torch.rand(len(weights), 1, device=weights.device) >= self.config.embedding_dropout
        dropped: Tensor = weights * kept / (1 - self.config.embedding_dropout)
        return dropped

    def _locked(self, states: Tensor) -> Tensor:
        """Drop the same units at every token of a song."""
        if not self.training or not self.config.dropout:
            return states
        kept = torch.rand(states.shape[0], 1, states.shape[2], device=states.device) >= self.config.dropout
        dropped: Tensor = states * kept.to(states.dtype) / (1 - self.config.dropout)
        return dropped

    def _groups(self, ids: Tensor, mask: Tensor, past: Memory | None, keep: bool) -> tuple[Tensor, Memory | None]:
        """Compute songs with the same first and last position together, without their padding."""
        places = torch.arange(mask.shape[1], device=mask.device)
        first = torch.where(mask, places, mask.shape[1]).amin(dim=1)
        last = torch.where(mask, places + 1, 0).amax(dim=1)
        states = torch.zeros(*ids.shape, self.config.hidden, device=ids.device)
        parts: list[Tensor] = []
        for start, end in {(int(a), int(b)) for a, b in zip(first, last, strict=True) if a < b}:
            rows = torch.nonzero((first == start) & (last == end)).squeeze(1)
            some = None if past is None else Memory(tuple(part[:, rows] for part in past.parts), past.length)
            found, kept = self._run(ids[rows, start:end], some, keep)
            states[rows, start:end] = found.to(states.dtype)
            if kept is not None:
                parts = parts or [part.new_zeros(part.shape[0], len(ids), part.shape[2]) for part in kept.parts]
                for whole, part in zip(parts, kept.parts, strict=True):
                    whole[:, rows] = part
        return states, Memory(tuple(parts), ids.shape[1] + (past.length if past else 0)) if keep else None

    def _blocks(self, ids: Tensor, songs: Tensor) -> Tensor:
        """Compute blocks of several songs, each song from an initial state, as a batch of single songs."""
        begins = functional.pad(songs[:, 1:] != songs[:, :-1], (1, 0), value=True)
        starts = torch.nonzero(begins.flatten()).squeeze(1)
        lengths = torch.diff(starts, append=torch.tensor([ids.numel()], device=ids.device))
        places = torch.arange(int(lengths.max()), device=ids.device)
        real = places < lengths[:, None]
        alone = ids.flatten()[(starts[:, None] + places).clamp(max=ids.numel() - 1)]
        states, _ = self._run(alone, None, False)
        return states[real].view(*ids.shape, -1)


def _build(
    options: RecurrentWriterOptions, shape: WriterShape, cell: Literal["gru", "lstm"], recipe: str
) -> RecurrentWriter:
    config = RecurrentLyricsConfig(**common(options, shape, recipe, RecurrentLyricsConfig), cell=cell)
    return RecurrentWriter(config)


@register(
    "gru",
    "a GRU language model",
    family="neural",
    task="write",
    options=RecurrentWriterOptions,
    source="Cho et al. (2014), Learning phrase representations using RNN encoder-decoder",
)
def gru(options: RecurrentWriterOptions, shape: WriterShape) -> RecurrentWriter:
    """Build the GRU."""
    return _build(options, shape, "gru", "gru")


@register(
    "lstm-lm",
    "an LSTM language model with variational dropout, tied and averaged weights",
    family="neural",
    task="write",
    options=LstmWriterOptions,
    source="Merity et al. (2018), Regularizing and optimizing LSTM language models",
)
def lstm_lm(options: LstmWriterOptions, shape: WriterShape) -> RecurrentWriter:
    """Build the LSTM."""
    return _build(options, shape, "lstm", "lstm-lm")


register_for_auto(RecurrentLyricsConfig, RecurrentWriter)
