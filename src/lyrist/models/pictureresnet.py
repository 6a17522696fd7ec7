"""`fast-resnet`: what the same minutes can do with what has been learnt since.

A small residual network with batch normalisation, half the resolution from the first layer on, and the largest response
of each filter instead of a large dense layer; moved, mirrored training pictures, label smoothing, a one-cycle learning
rate, an average of the weights, and answers that are the mean over a picture and its mirror image. After the DAWNBench
entries of Page (How to train your ResNet, 2019) and Jordan (94% on CIFAR-10 in 3.29 seconds on a single GPU, 2024).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForImageClassification

from lyrist.models.registry import option, register
from lyrist.models.vision import AugmentOptions, PictureClassifier, PictureShape, common
from lyrist.models.visionconfig import PictureResnetConfig


@dataclass(frozen=True)
class PictureResnetOptions(AugmentOptions):
    """Options of `fast-resnet`."""

    channels: tuple[int, ...] = option((32, 64, 128), "filters of each stage")
    dropout: float = option(0.0, "share of the features that are dropped before the classes in training")
    label_smoothing: float = option(0.1, "share of the target given to all classes alike in training")
    crop: int = option(3, "move each training picture by up to so many pixels")
    flip: bool = option(True, "mirror half of the training pictures (not for letters and digits)")

    schedule: ClassVar[Mapping[str, Any]] = {
        "schedule": "one-cycle",
        "learning_rate": 8e-3,
        "batch_size": 64,
        "weight_decay": 0.05,
        "average": 0.98,
        "pace": 6.0,
    }


class Unit(nn.Module):
    """Convolution, batch normalisation, activation."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Return the activated maps."""
        return functional.relu(self.norm(self.convolution(values)))


class ResnetBody(nn.Module):
    """From pictures to one vector each."""

    def __init__(self, config: PictureResnetConfig) -> None:
        super().__init__()
        channels = list(config.channels or [32, 64, 128])
        self.stem = Unit(3, channels[0], stride=2)
        self.downs = nn.ModuleList(Unit(a, b) for a, b in itertools.pairwise(channels))
        self.blocks = nn.ModuleList(nn.Sequential(Unit(size, size), Unit(size, size)) for size in channels)
        self.size = channels[-1]

    def forward(self, values: Tensor) -> Tensor:
        """Return (batch, `size`)."""
        values = self.stem(values)
        for place, block in enumerate(self.blocks):
            if place:
                values = functional.max_pool2d(self.downs[place - 1](values), 2)
            values = values + block(values)
        return values.amax(dim=(2, 3))


class PictureResnet(PictureClassifier):  # type: ignore[no-untyped-call]
    """Residual blocks and a linear layer."""

    config_class = PictureResnetConfig

    def __init__(self, config: PictureResnetConfig) -> None:
        super().__init__(config)
        self.body = ResnetBody(config)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.body.size, len(config.id2label or {}))
        self.post_init()  # type: ignore[no-untyped-call]

    def scores(self, values: Tensor) -> Tensor:
        """Return the scores of the classes."""
        found: Tensor = self.head(self.dropout(self.body(values)))
        return found


@register(
    "fast-resnet",
    "pictures: a small residual network, augmentation, label smoothing, one-cycle",
    task="picture",
    family="neural",
    options=PictureResnetOptions,
    source="Page, How to train your ResNet, 2019; Jordan, 94% on CIFAR-10 in 3.29 seconds, 2024",
)
def fast_resnet(options: PictureResnetOptions, shape: PictureShape) -> PictureResnet:
    """Build the fast network."""
    config = PictureResnetConfig(
        **common(options, shape, "fast-resnet"), channels=list(options.channels), dropout=options.dropout,
        label_smoothing=options.label_smoothing, mirrored=options.flip,
    )  # fmt: skip
    return PictureResnet(config)


AutoModelForImageClassification.register(PictureResnetConfig, PictureResnet)
