"""The reports' CNNs: `cnn-relu`, `cnn-tanh`, `cnn-sigmoid` (the last layer) and `cnn-skip`.

Three stages of a 3 x 3 convolution and 2 x 2 pooling, a dense layer, dropout, the classes: one architecture, in which one
thing is changed at a time. With skip connections each stage is followed by a residual block: two convolutions with batch
normalisation, whose result is added to what went in and starts at zero, so that the network starts as the basic one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForImageClassification

from lyrist.models.registry import option, register
from lyrist.models.vision import AugmentOptions, PictureClassifier, PictureShape, common
from lyrist.models.visionconfig import PictureCnnConfig

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": functional.relu, "tanh": torch.tanh}


@dataclass(frozen=True)
class PictureCnnOptions(AugmentOptions):
    """Options of the CNNs for pictures."""

    channels: tuple[int, ...] = option((32, 64, 128), "filters of each stage")
    hidden: int = option(256, "units of the dense layer")
    dropout: float = option(0.5, "share of the units that are dropped before and after the dense layer in training")
    label_smoothing: float = option(0.0, "share of the target given to all classes alike in training")

    schedule: ClassVar[Mapping[str, Any]] = {
        "schedule": "plateau",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "patience": 8,
        "pace": 10.0,
        "warmup": 0.0,
    }


def begin(network: nn.Module, activation: str) -> None:
    """Draw first weights that suit the activation: those of He et al. (2015) for ReLU, of Glorot and Bengio (2010) for tanh."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            if activation == "relu":
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class Stages(nn.Module):
    """Convolution and pooling, over and over, with or without a residual block after each."""

    def __init__(self, channels: list[int], activation: str, skip: bool) -> None:
        super().__init__()
        sizes = [3, *channels]
        self.activation = ACTIVATIONS[activation]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(sizes, channels, strict=False))
        self.blocks = nn.ModuleList(Residual(size, activation) for size in channels) if skip else None

    def forward(self, values: Tensor) -> Tensor:
        """Return the maps of the last stage."""
        for place, convolution in enumerate(self.convolutions):
            # The same as activating first, since both activations rise, on a quarter of the points.
            values = self.activation(functional.max_pool2d(convolution(values), 2))
            if self.blocks is not None:
                values = self.blocks[place](values)
        return values


class Residual(nn.Module):
    """Two convolutions with batch normalisation, added to what went in (He et al. 2016)."""

    def __init__(self, size: int, activation: str) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.first = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(size)
        self.second = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(size)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, values: Tensor) -> Tensor:
        """Return maps of the same shape."""
        found = self.activation(self.first_norm(self.first(values)))
        added: Tensor = self.activation(values + self.second_norm(self.second(found)))
        return added


class CnnBody(nn.Module):
    """The stages, laid flat: what a transfer reads."""

    def __init__(self, config: PictureCnnConfig) -> None:
        super().__init__()
        channels = list(config.channels or [32, 64, 128])
        self.stages = Stages(channels, config.activation, config.skip)
        self.size = channels[-1] * (config.image_size // 2 ** len(channels)) ** 2

    def forward(self, values: Tensor) -> Tensor:
        """Return (batch, `size`)."""
        found: Tensor = self.stages(values).flatten(1)
        return found


class PictureCnn(PictureClassifier):  # type: ignore[no-untyped-call]
    """Stages of convolutions, a dense layer, the classes."""

    config_class = PictureCnnConfig

    def __init__(self, config: PictureCnnConfig) -> None:
        super().__init__(config)
        self.body = CnnBody(config)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(self.body.size, config.hidden)
        self.head = nn.Linear(config.hidden, len(config.id2label or {}))
        self.activation = ACTIVATIONS[config.activation]
        if not config.skip:  # with it PyTorch's own weights did better (docs/log.md)
            begin(self, config.activation)
        self.post_init()  # type: ignore[no-untyped-call]

    def scores(self, values: Tensor) -> Tensor:
        """Return the scores of the classes."""
        hidden = self.activation(self.dense(self.dropout(self.body(values))))
        found: Tensor = self.head(self.dropout(hidden))
        return found


def _cnn(options: PictureCnnOptions, shape: PictureShape, recipe: str, **settings: Any) -> PictureCnn:
    config = PictureCnnConfig(
        **common(options, shape, recipe), channels=list(options.channels), hidden=options.hidden,
        dropout=options.dropout, label_smoothing=options.label_smoothing, **settings,
    )  # fmt: skip
    return PictureCnn(config)


@register(
    "cnn-relu",
    "pictures: three stages of convolution and pooling, a dense layer",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="report 002, part 2",
)
def cnn_relu(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the basic CNN."""
    return _cnn(options, shape, "cnn-relu")


@register(
    "cnn-tanh",
    "pictures: the same with tanh in the hidden layers",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="report 002, part 2",
)
def cnn_tanh(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with tanh."""
    return _cnn(options, shape, "cnn-tanh", activation="tanh")


@register(
    "cnn-sigmoid",
    "pictures: the same with a sigmoid for each class, and the binary cross-entropy that goes with it",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="report 002, part 2",
)
def cnn_sigmoid(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with a sigmoid output; `transformers` pipelines read that from the problem type."""
    return _cnn(options, shape, "cnn-sigmoid", output="sigmoid", problem_type="multi_label_classification")


@register(
    "cnn-skip",
    "pictures: the same with a residual block after each stage",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="report 002, part 2; He et al., Deep residual learning for image recognition, 2016",
)
def cnn_skip(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with skip connections."""
    return _cnn(options, shape, "cnn-skip", skip=True)


AutoModelForImageClassification.register(PictureCnnConfig, PictureCnn)
