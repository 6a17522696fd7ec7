"""Configurations of Lyrist's networks: what ``config.json`` says, one class for each architecture.

They stand apart from the networks because `transformers` may ask for them alone (see `lyrist.models.opening`).
"""

from __future__ import annotations

from typing import Literal

from transformers import AutoConfig, PreTrainedConfig

FRESH_SIZE = 128
"""Length of a word's vector where neither the user nor a file decides."""


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
    """Configuration of a `ConvolutionalClassifier`: branches of layers, then what reads them."""

    model_type = "lyrist-convolutional"

    kernels: list[int] | None = None
    """One branch of convolutions for each."""
    channels: int = 128
    layers: int = 1
    reader: str = "pool"
    """What comes after the convolutions: ``pool``, ``lstm`` or ``flat-lstm``."""
    hidden: int = 128
    bidirectional: bool = True
    pooling: str = "max"
    segments: int = 8


for _kind in (RecurrentConfig, ConvolutionalConfig):
    AutoConfig.register(_kind.model_type, _kind)
