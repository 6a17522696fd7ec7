"""Convolutional classifiers: `cnn`, `cnn-multi`, and convolutions before an LSTM: `cnn-lstm`, `cnn-flat-lstm`.

Activations at padding are set to zero before every convolution, so the result for a song does not depend on the other songs of
its batch. For the same reason there is no batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForSequenceClassification

from lyrist.models.configuration import ConvolutionalConfig
from lyrist.models.network import NetworkOptions, Pool, TextClassifier, common
from lyrist.models.recurrent import Recurrence
from lyrist.models.registry import Shape, option, register


@dataclass(frozen=True)
class CnnOptions(NetworkOptions):
    """Options of `cnn`."""

    kernel: int = option(3, "kernel size, in words")
    channels: int = option(128, "filters per layer")
    layers: int = option(3, "convolutional layers")
    pooling: Literal["last", "mean", "max", "attention", "mean-max"] = option(
        "max", "pooling over the song: last, mean, max, attention or mean-max"
    )

    schedule: ClassVar[Mapping[str, Any]] = {"average": 0.97, "learning_rate": 2e-3, "batch_size": 16}


@dataclass(frozen=True)
class CnnMultiOptions(NetworkOptions):
    """Options of `cnn-multi`."""

    kernels: tuple[int, ...] = option((1, 2, 3, 4, 5), "kernel sizes in words, such as 2,3,4")
    channels: int = option(100, "filters per kernel size")
    pooling: Literal["last", "mean", "max", "attention", "mean-max"] = option(
        "max", "pooling over the song: last, mean, max, attention or mean-max"
    )

    schedule: ClassVar[Mapping[str, Any]] = {"average": 0.97, "learning_rate": 2e-3, "batch_size": 16}


@dataclass(frozen=True)
class CnnLstmOptions(NetworkOptions):
    """Options of `cnn-lstm`."""

    kernel: int = option(3, "kernel size, in words")
    channels: int = option(128, "filters")
    layers: int = option(1, "convolutional layers before the LSTM")
    hidden: int = option(64, "units of the LSTM in each direction")
    bidirectional: bool = option(True, "use a second LSTM that reads the song backwards")
    pooling: Literal["last", "mean", "max", "attention", "mean-max"] = option(
        "max", "pooling over the song: last, mean, max, attention or mean-max"
    )

    schedule: ClassVar[Mapping[str, Any]] = {"average": 0.97, "learning_rate": 2e-3, "batch_size": 16}


@dataclass(frozen=True)
class CnnFlatLstmOptions(NetworkOptions):
    """Options of `cnn-flat-lstm`."""

    kernel: int = option(3, "kernel size, in words")
    channels: int = option(128, "filters")
    layers: int = option(1, "convolutional layers before the LSTM")
    hidden: int = option(64, "units of the LSTM")
    segments: int = option(8, "equal parts of a song; the maximum of each part is concatenated")

    schedule: ClassVar[Mapping[str, Any]] = {"average": 0.97, "learning_rate": 2e-3, "batch_size": 16}


class Convolution(nn.Module):
    """Convolutional layers of one kernel size that keep the length and ignore padding."""

    def __init__(self, inputs: int, channels: int, kernel: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.padding = ((kernel - 1) // 2, kernel // 2)
        sizes = [inputs, *[channels] * (layers - 1)]
        self.layers = nn.ModuleList(nn.Conv1d(size, channels, kernel) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return the activations (batch, time, channels): not negative, zero at padding."""
        real = mask.unsqueeze(1)
        states = vectors.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            states = functional.pad(states * real, self.padding)
            states = functional.relu(layer(self.dropout(states) if number else states))
        return (states * real).transpose(1, 2)


class ConvolutionalClassifier(TextClassifier):  # type: ignore[no-untyped-call]
    """Word vectors, parallel or stacked convolutions, then pooling or an LSTM."""

    config_class = ConvolutionalConfig

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__(config)
        kernels = config.kernels or [3]
        self.branches = nn.ModuleList(
            Convolution(config.embedding_size, config.channels, kernel, config.layers, config.dropout)
            for kernel in kernels
        )
        size = config.channels * len(kernels)
        pooling: Any = config.pooling
        if config.reader == "lstm":
            self.recurrence = Recurrence("lstm", size, config.hidden, 1, config.bidirectional, config.dropout)
            size = self.recurrence.size
        if config.reader == "flat-lstm":
            self.recurrence = Recurrence("lstm", size * config.segments, config.hidden, 1, False, config.dropout)
            self.add_head(config.hidden)
        else:
            self.pool = Pool(pooling, size)
            self.add_head(self.pool.size)

    def summarise(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return one vector per song."""
        states = torch.cat([branch(vectors, mask) for branch in self.branches], dim=-1)
        if self.config.reader == "flat-lstm":
            flat = by_segment(states, mask, self.config.segments).flatten(1).unsqueeze(1)
            _, end = self.recurrence(self.dropout(flat), torch.ones_like(mask[:, :1]))
            return end  # type: ignore[no-any-return]
        if self.config.reader == "lstm":
            states, end = self.recurrence(self.dropout(states), mask)
            if self.config.pooling == "last":
                return end  # type: ignore[no-any-return]
        return self.pool(states, mask)  # type: ignore[no-any-return]


def by_segment(states: Tensor, mask: Tensor, segments: int) -> Tensor:
    """Return the maximum over each of ``segments`` equal parts of every song, (batch, segments, size).

    The parts depend on the length of the song without padding. A part without a word, in songs shorter than ``segments``, is
    zero; ``states`` must not be negative.
    """
    lengths = mask.sum(dim=1, keepdim=True)
    time = torch.arange(states.shape[1], device=states.device).unsqueeze(0)
    part = (time * segments // lengths).clamp(max=segments - 1)
    found = states.new_zeros(len(states), segments, states.shape[-1])
    index = part.unsqueeze(-1).expand_as(states)
    return found.scatter_reduce(1, index, states * mask.unsqueeze(-1), "amax", include_self=True)


def _config(options: NetworkOptions, shape: Shape, recipe: str, **settings: Any) -> ConvolutionalConfig:
    return ConvolutionalConfig(**common(options, shape, recipe), **settings)


@register(
    "cnn",
    "stacked convolutions of one kernel size, max pooling over the song",
    family="neural",
    options=CnnOptions,
    source="Kim (2014), Convolutional neural networks for sentence classification",
)
def cnn(options: CnnOptions, shape: Shape) -> ConvolutionalClassifier:
    """Build the CNN."""
    config = _config(
        options, shape, "cnn", kernels=[options.kernel], channels=options.channels, layers=options.layers,
        pooling=options.pooling,
    )  # fmt: skip
    return ConvolutionalClassifier(config)


@register(
    "cnn-multi",
    "parallel convolutions of several kernel sizes, max pooling over the song",
    family="neural",
    options=CnnMultiOptions,
    source="Kim (2014), Convolutional neural networks for sentence classification",
)
def cnn_multi(options: CnnMultiOptions, shape: Shape) -> ConvolutionalClassifier:
    """Build the CNN of several kernel sizes."""
    config = _config(
        options, shape, "cnn-multi", kernels=list(options.kernels), channels=options.channels, layers=1,
        pooling=options.pooling,
    )  # fmt: skip
    return ConvolutionalClassifier(config)


@register(
    "cnn-lstm",
    "convolutions, then an LSTM over the sequence of their outputs",
    family="neural",
    options=CnnLstmOptions,
    source="Zhou et al. (2015), A C-LSTM neural network for text classification",
)
def cnn_lstm(options: CnnLstmOptions, shape: Shape) -> ConvolutionalClassifier:
    """Build the CNN followed by an LSTM over the sequence."""
    config = _config(
        options, shape, "cnn-lstm", kernels=[options.kernel], channels=options.channels, layers=options.layers,
        reader="lstm", hidden=options.hidden, bidirectional=options.bidirectional, pooling=options.pooling,
    )  # fmt: skip
    return ConvolutionalClassifier(config)


@register(
    "cnn-flat-lstm",
    "convolutions flattened to one vector, then one step of an LSTM",
    family="neural",
    options=CnnFlatLstmOptions,
    source="Zhou et al. (2015), A C-LSTM neural network for text classification",
)
def cnn_flat_lstm(options: CnnFlatLstmOptions, shape: Shape) -> ConvolutionalClassifier:
    """Build the CNN flattened to one vector before an LSTM."""
    config = _config(
        options, shape, "cnn-flat-lstm", kernels=[options.kernel], channels=options.channels, layers=options.layers,
        reader="flat-lstm", hidden=options.hidden, segments=options.segments,
    )  # fmt: skip
    return ConvolutionalClassifier(config)


AutoModelForSequenceClassification.register(ConvolutionalConfig, ConvolutionalClassifier)
