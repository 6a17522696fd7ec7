"""`autoencoder`: pictures through a narrow code and back, with no labels.

The report's: convolutions of 32 and 64 filters with pooling, dense layers of 128 and 64 (the code), the same way back by
up-sampling, batch normalisation, a sigmoid at the end, and the mean squared error of values from 0 to 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel
from transformers.utils.generic import ModelOutput

from lyrist.models.registry import option, register
from lyrist.models.vision import AugmentOptions, PictureNetwork, PictureShape, common
from lyrist.models.visionconfig import AutoencoderConfig


@dataclass(frozen=True)
class AutoencoderOptions(AugmentOptions):
    """Options of `autoencoder`."""

    channels: tuple[int, ...] = option((32, 64), "filters of each stage")
    dense: int = option(128, "units between the stages and the code")
    code: int = option(64, "numbers that a picture is squeezed into")

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
    """What an autoencoder returns."""

    loss: Tensor | None = None
    """Mean squared error of values from 0 to 1."""
    reconstruction: Tensor | None = None
    """(batch, 3, side, side), values from 0 to 1."""
    code: Tensor | None = None
    """(batch, code)."""


class Encoder(nn.Module):
    """From pictures to their code."""

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
        """Return what the convolutions found, laid flat, (batch, `flat`)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = functional.relu(functional.max_pool2d(norm(convolution(values)), 2))
        return values.flatten(1)

    def forward(self, values: Tensor) -> Tensor:
        """Return the code, (batch, code)."""
        found: Tensor = self.code(functional.relu(self.dense(self.maps(values))))
        return found


class Decoder(nn.Module):
    """From codes to pictures."""

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
    """Pictures to codes and back."""

    config_class = AutoencoderConfig

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.body = Encoder(config)
        self.decoder = Decoder(config, self.body)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, pixel_values: Tensor | None = None, labels: Tensor | None = None, **_: Any) -> AutoencoderOutput:
        """Return codes, reconstructions and their mean squared error; labels are not looked at."""
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
    "pictures: through a code of 64 numbers and back, without labels",
    task="picture",
    family="neural",
    options=AutoencoderOptions,
    source="report 002, part 2",
)
def autoencoder(options: AutoencoderOptions, shape: PictureShape) -> Autoencoder:
    """Build the autoencoder."""
    config = AutoencoderConfig(
        **common(options, shape, "autoencoder"), channels=list(options.channels), dense=options.dense, code=options.code
    )
    return Autoencoder(config)


AutoModel.register(AutoencoderConfig, Autoencoder)
