"""Recurrent classifiers: `rnn`, `lstm`, `stacked-lstm`.

The backward direction is a forward recurrence over each song reversed within its own length. So padding never precedes a song
and sequences need not be packed, which would be three times slower on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from lyrist.models.configuration import RecurrentConfig
from lyrist.models.network import NetworkOptions, Pool, TextClassifier, common, reversed_in_length
from lyrist.models.padded import Padding
from lyrist.models.registry import Shape, option, register

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class RecurrentOptions(NetworkOptions):
    """Options of the recurrent recipes."""

    hidden: int = option(64, "units per layer and direction")
    layers: int = option(1, "recurrent layers")
    bidirectional: bool = option(True, "use a second direction that reads the song backwards")
    pooling: Literal["last", "mean", "max", "attention", "mean-max"] = option(
        "max", "pooling over the song: last, mean, max, attention or mean-max"
    )

    label_smoothing: float = option(0.05, "label smoothing: share of the target spread evenly over all classes")

    schedule: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 8e-3, "batch_size": 16, "average": 0.97,
    }  # fmt: skip


@dataclass(frozen=True)
class StackedOptions(RecurrentOptions):
    """Options of `stacked-lstm`."""

    layers: int = option(2, "recurrent layers")


class Recurrence(nn.Module):
    """Recurrent layers in one or two directions over padded sequences; the result does not depend on the padding.

    Parameters
    ----------
    cell
        ``rnn``, ``gru`` or ``lstm``.
    inputs, hidden
        Sizes of the input vectors, and of the state of each direction.
    layers
        Number of layers, with ``dropout`` between them.
    """

    def __init__(self, cell: str, inputs: int, hidden: int, layers: int, bidirectional: bool, dropout: float) -> None:
        super().__init__()
        self.size = hidden * (2 if bidirectional else 1)
        sizes = [inputs, *[self.size] * (layers - 1)]
        self.forwards = nn.ModuleList(_cell(cell, size, hidden) for size in sizes)
        self.backwards = nn.ModuleList(_cell(cell, size, hidden) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states (batch, time, `size`), and the state after the last token, (batch, `size`)."""
        states = vectors
        for number, layer in enumerate(self.forwards):
            states = self.dropout(states) if number else states
            ends = [layer(states)[0]]
            if self.backwards:
                ends.append(self.backwards[number](reversed_in_length(states, mask))[0])
            rows, final = torch.arange(len(mask), device=mask.device), mask.sum(dim=1) - 1
            end = torch.cat([state[rows, final] for state in ends], dim=-1)
            ends[1:] = [reversed_in_length(state, mask) for state in ends[1:]]
            states = torch.cat(ends, dim=-1)
        return states, end


FORGET = -2.0
"""Initial bias of the forget gates of an LSTM: it starts with a memory of two or three words, not of the whole song.

The usual +1 (Jozefowicz et al., 2015) is for long memories. On a few hundred songs it leads to overfitting: an accuracy of 0.49
instead of 0.72 on three artists (docs/log.md).
"""


def _cell(kind: str, inputs: int, hidden: int) -> nn.Module:
    """Return one layer with PyTorch's initialisation, except for the forget gates of an LSTM (`FORGET`)."""
    layer: nn.Module = CELLS[kind](inputs, hidden, batch_first=True)
    if kind == "lstm":
        for name, weights in layer.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(weights.data)
                if name.startswith("bias_ih"):
                    weights.data[hidden : 2 * hidden] = FORGET
    return layer


class RecurrentClassifier(TextClassifier):  # type: ignore[no-untyped-call]
    """Word vectors, recurrent layers, masked pooling, and a linear output layer."""

    config_class = RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.recurrence = Recurrence(
            config.cell, config.embedding_size, config.hidden, config.layers, config.bidirectional, config.dropout
        )
        pooling: Any = config.pooling
        self.pool = Pool(pooling, self.recurrence.size)
        self.add_head(self.recurrence.size if self._reads_end else self.pool.size)

    @property
    def _reads_end(self) -> bool:
        return bool(self.config.as_reported or self.config.pooling == "last")

    def _read_padding(self, ids: Tensor, mask: Tensor) -> Tensor | None:
        config, dropped = self.config, self.training and (self.config.dropout or self.config.word_dropout)
        if config.cell != "lstm" or config.bidirectional or dropped:
            return None
        layers, time = list(self.recurrence.forwards), max(config.pad_to, ids.shape[1])
        padding = Padding(layers, self.embedding.weight, config.pad_token_id or 0, time, config.pad_left)
        return padding.read(ids, mask.sum(dim=1))

    def summarise(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return one vector per song."""
        states, end = self.recurrence(vectors, mask)
        return end if self._reads_end else self.pool(states, mask)  # type: ignore[no-any-return]


def _build(options: RecurrentOptions, shape: Shape, cell: Literal["rnn", "lstm"], recipe: str) -> RecurrentClassifier:
    config = RecurrentConfig(
        **common(options, shape, recipe),
        cell=cell,
        hidden=options.hidden,
        layers=options.layers,
        bidirectional=options.bidirectional,
        pooling=options.pooling,
    )
    return RecurrentClassifier(config)


@register(
    "rnn",
    "a simple (Elman) recurrent network over words",
    family="neural",
    options=RecurrentOptions,
    source="Elman (1990), Finding structure in time",
)
def rnn(options: RecurrentOptions, shape: Shape) -> RecurrentClassifier:
    """Build the simple recurrent network."""
    return _build(options, shape, "rnn", "rnn")


@register(
    "lstm",
    "one bidirectional LSTM layer over words, max pooling over the song",
    family="neural",
    options=RecurrentOptions,
    source="Hochreiter and Schmidhuber (1997), Long short-term memory",
)
def lstm(options: RecurrentOptions, shape: Shape) -> RecurrentClassifier:
    """Build the LSTM."""
    return _build(options, shape, "lstm", "lstm")


@register(
    "stacked-lstm",
    "two or more LSTM layers over words, in one or both directions",
    family="neural",
    options=StackedOptions,
    source="Graves et al. (2013), Speech recognition with deep recurrent neural networks",
)
def stacked_lstm(options: StackedOptions, shape: Shape) -> RecurrentClassifier:
    """Build the stacked LSTM."""
    return _build(options, shape, "lstm", "stacked-lstm")


AutoModelForSequenceClassification.register(RecurrentConfig, RecurrentClassifier)
