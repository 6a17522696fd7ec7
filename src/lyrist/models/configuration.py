"""Configurations of Lyrist's networks: the contents of ``config.json``, one class per architecture.

They are separate from the networks so that `transformers` can load a configuration without the network.
"""

from __future__ import annotations

from typing import Any, Literal

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
    column_count: int = 0
    """Features of other columns of the table."""
    columns: dict[str, list[Any]] | None = None
    """What turns other columns into features: the attributes of a `ColumnFeatures`."""
    artist_number: bool = False
    """The number of the artist, divided by nothing, is one more feature of the output layer: a published mistake."""
    as_reported: bool = False
    """Padding is read like words: a published mistake."""
    pad_to: int = 0
    """With ``as_reported``: all songs are padded to this number of tokens; 0 pads to the longest of a batch."""
    pad_left: bool = False
    """With ``as_reported``: padding precedes the song."""
    pad_batch: bool = False
    """With ``as_reported``: ``pad_to`` stays 0, so the scores of a song depend on its batch."""
    recipe: str = ""


class RecurrentConfig(TextConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `RecurrentClassifier`."""

    model_type = "lyrist-recurrent"

    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    hidden: int = 128
    layers: int = 1
    bidirectional: bool = True
    pooling: str = "mean-max"


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


class LyricsConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration common to the language models that Lyrist trains itself; see `WriterOptions` for most fields."""

    model_type = "lyrist-lyrics"

    vocab_size: int = 260
    lyrics_size: int = 260
    """Number of token ids that lyrics can contain; ids from this one on are conditions."""
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    context: int = 1024
    """Context length in tokens; 0: unlimited."""
    recipe: str = ""


class RecurrentLyricsConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `RecurrentWriter`."""

    model_type = "lyrist-recurrent-lyrics"

    cell: Literal["gru", "lstm"] = "gru"
    embedding_size: int = 256
    hidden: int = 512
    layers: int = 1
    dense: int = 0
    tied: bool = True
    window: int = 0
    dropout: float = 0.0
    embedding_dropout: float = 0.0


class GPTLyricsConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `GPTWriter`."""

    model_type = "lyrist-gpt"

    width: int = 256
    layers: int = 4
    heads: int = 2
    feedforward: int = 1024
    dropout: float = 0.0
    pairs: int = 0
    copying: bool = True
    num_hidden_layers: int = 5
    """Layers of the cache that transformers creates: one more than ``layers``, for the pointer."""


class NgramConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of an `NgramWriter`."""

    model_type = "lyrist-ngram"

    order: int = 6
    largest: int = 20_000_000
    sizes: list[int] | None = None
    """Number of n-grams of 2, 3, ... tokens in the tables; None before counting."""
    lengths: list[int] | None = None
    """Lengths of the contexts that are looked up in the song so far."""
    knots: list[float] | None = None
    """Knots of the mixture weights; a single one for n-grams without a network."""


class MixtureConfig(NgramConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `MixtureWriter`."""

    model_type = "lyrist-mixture"

    network: dict[str, Any] | None = None
    """The configuration of its network, with its ``model_type``."""


class PictureConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration common to all image networks."""

    model_type = "lyrist-picture"

    image_size: int = 32
    num_channels: int = 3
    mean: list[float] | None = None
    """Mean of each colour channel in the training pictures, of values from 0 to 1."""
    std: list[float] | None = None
    label_smoothing: float = 0.0
    crop: int = 0
    flip: bool = False
    cutout: int = 0
    output: str = "softmax"
    """Output activation: ``softmax``, or ``sigmoid`` (binary cross-entropy of each class)."""
    mirrored: bool = False
    """Predict with the mean over a picture and its mirror image."""
    recipe: str = ""


class PictureCnnConfig(PictureConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `PictureCnn`: stages of convolutions, then a dense layer."""

    model_type = "lyrist-picture-cnn"

    channels: list[int] | None = None
    activation: str = "relu"
    skip: bool = False
    hidden: int = 256
    dropout: float = 0.5


class PictureResnetConfig(PictureConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `PictureResnet`: residual blocks with batch normalisation, then global max pooling."""

    model_type = "lyrist-picture-resnet"

    channels: list[int] | None = None
    dropout: float = 0.0


class AutoencoderConfig(PictureConfig):  # type: ignore[no-untyped-call]
    """Configuration of an `Autoencoder`."""

    model_type = "lyrist-picture-autoencoder"

    channels: list[int] | None = None
    dense: int = 128
    code: int = 64


class TransferConfig(PictureConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `TransferClassifier`: the features of another network with a new head."""

    model_type = "lyrist-picture-transfer"

    source: dict[str, Any] | None = None
    """The configuration of the source network."""
    reads: str = "maps"
    """``maps``: the feature maps of the convolutions; ``code``: the code of the autoencoder."""
    hidden: int = 256
    dropout: float = 0.5


_CONFIGS: tuple[type[PreTrainedConfig], ...] = (
    RecurrentConfig,
    ConvolutionalConfig,
    RecurrentLyricsConfig,
    GPTLyricsConfig,
    NgramConfig,
    MixtureConfig,
    PictureCnnConfig,
    PictureResnetConfig,
    AutoencoderConfig,
    TransferConfig,
)
for _kind in _CONFIGS:
    AutoConfig.register(_kind.model_type, _kind)
