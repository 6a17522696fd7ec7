"""Image autoencoder (`autoencoder`), and classifiers on the features of a fitted network (`transfer`, `autoencoder-classifier`).

The autoencoder has convolutions of 32 and 64 filters with pooling and dense layers of 128 and 64 units (the code). The decoder
mirrors it with up-sampling. It uses batch normalisation, a sigmoid output and the mean squared error of values from 0 to 1.
The classifiers put a new head on a copy of the source's layers, which stay frozen for a part of training and are then tuned.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoModelForImageClassification
from transformers.utils.generic import ModelOutput

from lyrist.errors import UsageError
from lyrist.models.configuration import (
    AutoencoderConfig,
    PictureCnnConfig,
    PictureResnetConfig,
    TransferConfig,
)
from lyrist.models.image_networks import (
    AugmentOptions,
    CnnBody,
    PictureClassifier,
    PictureNetwork,
    PictureShape,
    ResnetBody,
    common,
)
from lyrist.models.registry import option, register


@dataclass(frozen=True)
class AutoencoderOptions(AugmentOptions):
    """Options of `autoencoder`."""

    channels: tuple[int, ...] = option((32, 64), "filters of each stage")
    dense: int = option(128, "units between the stages and the code")
    code: int = option(64, "dimension of the code")

    schedule: ClassVar[Mapping[str, Any]] = {
        "schedule": "plateau",
        "learning_rate": 2e-3,
        "batch_size": 64,
        "patience": 8,
        "pace": 4.0,
        "warmup": 0.0,
    }


@dataclass
class AutoencoderOutput(ModelOutput):
    """The output of an autoencoder."""

    loss: Tensor | None = None
    """Mean squared error of values from 0 to 1."""
    reconstruction: Tensor | None = None
    """(batch, 3, side, side), values from 0 to 1."""
    code: Tensor | None = None
    """(batch, code)."""


class Encoder(nn.Module):
    """The encoder, from pictures to codes."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = list(config.channels or [32, 64])
        sizes = [3, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(sizes, channels, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in channels)
        self.side = config.image_size // 2 ** len(channels)
        self.flat = channels[-1] * self.side**2
        self.dense = nn.Linear(self.flat, config.dense)
        self.code = nn.Linear(config.dense, config.code)

    def maps(self, values: Tensor) -> Tensor:
        """Return the flattened feature maps, (batch, `flat`)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = functional.relu(functional.max_pool2d(norm(convolution(values)), 2))
        return values.flatten(1)

    def forward(self, values: Tensor) -> Tensor:
        """Return the code, (batch, code)."""
        found: Tensor = self.code(functional.relu(self.dense(self.maps(values))))
        return found


class Decoder(nn.Module):
    """The decoder, from codes to pictures."""

    def __init__(self, config: AutoencoderConfig, encoder: Encoder) -> None:
        super().__init__()
        channels = list(config.channels or [32, 64])[::-1]
        self.shape = (channels[0], encoder.side, encoder.side)
        self.dense = nn.Linear(config.code, config.dense)
        self.spread = nn.Linear(config.dense, encoder.flat)
        sizes = [*channels, channels[-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(sizes)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in sizes[1:])
        self.last = nn.Conv2d(sizes[-1], 3, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """Return (batch, 3, side, side), values from 0 to 1."""
        values = functional.relu(self.spread(functional.relu(self.dense(code)))).view(-1, *self.shape)
        values = values.contiguous(memory_format=torch.channels_last)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = functional.interpolate(functional.relu(norm(convolution(values))), scale_factor=2.0)
        return torch.sigmoid(self.last(values))


class Autoencoder(PictureNetwork):  # type: ignore[no-untyped-call]
    """A convolutional autoencoder."""

    config_class = AutoencoderConfig

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.body = Encoder(config)
        self.decoder = Decoder(config, self.body)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, pixel_values: Tensor | None = None, labels: Tensor | None = None, **_: Any) -> AutoencoderOutput:
        """Return codes, reconstructions and the mean squared error; labels are ignored."""
        if pixel_values is None:
            raise ValueError("pixel_values are needed")
        values = self.prepared(pixel_values)
        code = self.body(values)
        reconstruction = self.decoder(code).float()
        target = values * self.get_buffer("std") + self.get_buffer("mean")
        loss = functional.mse_loss(reconstruction, target)
        return AutoencoderOutput(loss=loss, reconstruction=reconstruction, code=code.float())


@register(
    "autoencoder",
    "pictures: a convolutional autoencoder with a code of 64 numbers; uses no labels",
    task="picture",
    family="neural",
    options=AutoencoderOptions,
    source="Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks",
)
def autoencoder(options: AutoencoderOptions, shape: PictureShape) -> Autoencoder:
    """Build the autoencoder."""
    config = AutoencoderConfig(
        **common(options, shape, "autoencoder"), channels=list(options.channels), dense=options.dense, code=options.code
    )
    return Autoencoder(config)


AutoModel.register(AutoencoderConfig, Autoencoder)


@dataclass(frozen=True)
class TransferOptions(AugmentOptions):
    """Options of `transfer`."""

    reads: Literal["maps", "code"] = option(
        "maps", "features of an autoencoder: the feature maps of its convolutions, or its code"
    )
    frozen: float = option(0.5, "share of the training budget in which the source's layers are frozen, 0 to 1")
    hidden: int = option(256, "units of the dense layer")
    dropout: float = option(0.5, "dropout rate before and after the dense layer")
    label_smoothing: float = option(0.0, "label smoothing: share of the target spread evenly over all classes")

    schedule: ClassVar[Mapping[str, Any]] = {
        "schedule": "one-cycle",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "patience": 8,
        "pace": 8.0,
        "warmup": 0.1,
    }

    def __post_init__(self) -> None:
        if not 0 <= self.frozen <= 1:
            raise UsageError(f"--frozen must be a share of the budget between 0 and 1, got {self.frozen}.")


@dataclass(frozen=True)
class CodeOptions(TransferOptions):
    """Options of `autoencoder-classifier`."""

    reads: Literal["maps", "code"] = option(
        "code", "features of the autoencoder: the feature maps of its convolutions, or its code"
    )


class TransferClassifier(PictureClassifier):  # type: ignore[no-untyped-call]
    """The layers of another network, then dropout, a dense layer and the output layer.

    Attributes
    ----------
    frozen : bool
        In training, do not update the layers of the source.
    """

    config_class = TransferConfig

    def __init__(self, config: TransferConfig) -> None:
        super().__init__(config)
        self.body, size = _body(config.source or {}, config.reads)
        self.frozen = False
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(size, config.hidden)
        self.head = nn.Linear(config.hidden, len(config.id2label or {}))
        self.post_init()  # type: ignore[no-untyped-call]

    def scores(self, values: Tensor) -> Tensor:
        """Return the scores of the classes."""
        if self.frozen and self.training:
            self.body.eval()
            with torch.no_grad():
                features = self._read(values)
        else:
            features = self._read(values)
        hidden = functional.relu(self.dense(self.dropout(features)))
        found: Tensor = self.head(self.dropout(hidden))
        return found

    def _read(self, values: Tensor) -> Tensor:
        read = self.body.maps if isinstance(self.body, Encoder) and self.config.reads == "maps" else self.body
        found: Tensor = read(values)
        return found


def _body(source: Mapping[str, Any], reads: str) -> tuple[nn.Module, int]:
    """Return the layers that a configuration describes, and the number of their features."""
    given = {key: value for key, value in source.items() if key != "model_type"}
    kind = source.get("model_type")
    if kind == PictureCnnConfig.model_type:
        cnn = CnnBody(PictureCnnConfig(**given))
        return cnn, cnn.size
    if kind == PictureResnetConfig.model_type:
        resnet = ResnetBody(PictureResnetConfig(**given))
        return resnet, resnet.size
    if kind == AutoencoderConfig.model_type:
        config = AutoencoderConfig(**given)
        encoder = Encoder(config)
        return encoder, encoder.flat if reads == "maps" else config.code
    raise UsageError(f"A network of type '{kind}' has no features that can be transferred; choose another --source.")


_KEPT = ("model_type", "image_size", "channels", "activation", "skip", "dense", "code")
"""Keys of the configuration that determine the layers."""


def _transfer(options: TransferOptions, shape: PictureShape, recipe: str) -> TransferClassifier:
    if shape.source is None:
        raise UsageError(f"The recipe '{recipe}' needs a fitted image network; name its run with --source RUN.")
    own = shape.source.config
    if own.image_size != shape.side:
        raise UsageError(
            f"The source was fitted on pictures of {own.image_size} pixels, these have {shape.side}; "
            f"use --side {own.image_size}."
        )
    inner = own.source if isinstance(own, TransferConfig) else {k: v for k, v in own.to_dict().items() if k in _KEPT}
    reads = own.reads if isinstance(own, TransferConfig) else options.reads
    # The features expect pictures normalised as in their own training.
    settings = {**common(options, shape, recipe), "mean": own.mean, "std": own.std}
    config = TransferConfig(
        **settings, source=inner, reads=reads, hidden=options.hidden, dropout=options.dropout,
        label_smoothing=options.label_smoothing,
    )  # fmt: skip
    made = TransferClassifier(config)
    body: Any = shape.source.body
    made.body.load_state_dict(body.state_dict())
    return made


@register(
    "transfer",
    "pictures: a new head on the features of a fitted network (--source RUN), frozen first, then tuned",
    task="picture",
    family="neural",
    options=TransferOptions,
    source="Yosinski et al. (2014), How transferable are features in deep neural networks?",
)
def transfer(options: TransferOptions, shape: PictureShape) -> TransferClassifier:
    """Build the new head on the source's features."""
    return _transfer(options, shape, "transfer")


@register(
    "autoencoder-classifier",
    "pictures: a classifier on the code of an autoencoder, which is fitted first if no --source is given",
    task="picture",
    family="neural",
    options=CodeOptions,
    source="Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks",
)
def autoencoder_classifier(options: CodeOptions, shape: PictureShape) -> TransferClassifier:
    """Build the classifier on the code of the autoencoder."""
    return _transfer(options, shape, "autoencoder-classifier")


AutoModelForImageClassification.register(TransferConfig, TransferClassifier)
