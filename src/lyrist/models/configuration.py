"""Configurations of Lyrist's text classifiers: the contents of ``config.json``, one class per architecture.

They are separate from the networks so that `transformers` can load a configuration without the network.
"""

from __future__ import annotations

from typing import Literal

from transformers import AutoConfig, PreTrainedConfig

FRESH_SIZE = 128
"""Default length of word vectors."""


class TextConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration common to Lyrist's text classifiers; see `NetworkOptions` for most fields."""

    model_type = "lyrist-text"

    vocab_size: int = 2
    pad_token_id: int | None = 0
    unk_token_id: int = 1
    embedding_size: int = FRESH_SIZE
    freeze_embedding: bool = False
    dropout: float = 0.0
    word_dropout: float = 0.0
    label_smoothing: float = 0.0
    artists: list[str] | None = None
    artist_count: int = 0
    artist_size: int = 32
    artist_dropout: float = 0.0
    recipe: str = ""


class RecurrentConfig(TextConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `RecurrentClassifier`."""

    model_type = "lyrist-recurrent"

    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    hidden: int = 128
    layers: int = 1
    bidirectional: bool = True
    pooling: str = "mean-max"
    as_reported: bool = False


class ConvolutionalConfig(TextConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `ConvolutionalClassifier`: branches of convolutions, then pooling or an LSTM."""

    model_type = "lyrist-convolutional"

    kernels: list[int] | None = None
    """Kernel sizes, one branch of convolutions for each."""
    channels: int = 128
    layers: int = 1
    reader: str = "pool"
    """The layer after the convolutions: ``pool``, ``lstm`` or ``flat-lstm``."""
    hidden: int = 128
    bidirectional: bool = True
    pooling: str = "max"
    segments: int = 8


for _kind in (RecurrentConfig, ConvolutionalConfig):
    AutoConfig.register(_kind.model_type, _kind)
