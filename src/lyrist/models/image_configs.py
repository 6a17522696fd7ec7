"""Configurations of the image networks: the contents of ``config.json``, one class per architecture."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig


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


for _kind in (PictureCnnConfig, PictureResnetConfig, AutoencoderConfig, TransferConfig):
    AutoConfig.register(_kind.model_type, _kind)
