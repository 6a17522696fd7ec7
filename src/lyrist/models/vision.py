"""What all networks for pictures share: options, bytes to numbers, augmentation, the loss, the answers.

A batch is bytes, (batch, 3, side, side) in the memory order channels-last: that is a quarter of the memory of numbers,
and what augmentation is fast on. The network itself subtracts the mean and divides; it also takes numbers that were
normalised before (as the image processors of `transformers` do). While it is trained, and only on bytes, it augments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from lyrist.models.augmentation import augment
from lyrist.models.registry import option
from lyrist.models.visionconfig import PictureConfig


@dataclass(frozen=True)
class PictureShape:
    """What the data decide about a network for pictures."""

    side: int
    """Width and height in pixels."""
    labels: tuple[str, ...] = ()
    """Class names, in the order of the answers."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Of each colour in the training pictures, of values from 0 to 1."""
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    source: PreTrainedModel | None = None
    """The fitted network whose features a transfer reads."""


@dataclass(frozen=True)
class AugmentOptions:
    """How training pictures are changed by chance."""

    crop: int = option(0, "move each training picture by up to so many pixels")
    flip: bool = option(False, "mirror half of the training pictures")
    cutout: int = option(0, "side of a square that is hidden in each training picture (0: none)")

    schedule: ClassVar[Mapping[str, Any]] = {}
    """Settings of the training schedule that suit this recipe better than the general ones."""


def common(options: AugmentOptions, shape: PictureShape, recipe: str) -> dict[str, Any]:
    """Return the arguments of a `PictureConfig` that follow from the options and from the data."""
    labels = {
        "id2label": dict(enumerate(shape.labels)),
        "label2id": {label: number for number, label in enumerate(shape.labels)},
    }
    return {
        "image_size": shape.side,
        "mean": list(shape.mean),
        "std": list(shape.std),
        "crop": options.crop,
        "flip": options.flip,
        "cutout": options.cutout,
        "recipe": recipe,
        **(labels if shape.labels else {}),
    }


class PictureNetwork(PreTrainedModel):  # type: ignore[no-untyped-call]
    """A network that reads pictures."""

    config_class = PictureConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"
    accepts_loss_kwargs = True

    def __init__(self, config: PictureConfig) -> None:
        super().__init__(config)
        for name, values in (("mean", config.mean or [0.5] * 3), ("std", config.std or [0.25] * 3)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def prepared(self, pixel_values: Tensor) -> Tensor:
        """Return numbers around 0, channels last; bytes are augmented first while the network is trained."""
        if pixel_values.is_floating_point():
            return pixel_values.contiguous(memory_format=torch.channels_last)
        config = self.config
        if self.training and (config.crop or config.flip or config.cutout):
            pixel_values = augment(pixel_values, config.crop, config.flip, config.cutout)
        values = pixel_values.to(torch.float32).div_(255).sub_(self.get_buffer("mean")).div_(self.get_buffer("std"))
        return values.contiguous(memory_format=torch.channels_last)

    def _init_weights(self, module: nn.Module) -> None:
        """Keep what the constructors drew; buffers that no file holds are made again."""
        if module is self:
            for name, values in (("mean", self.config.mean or [0.5] * 3), ("std", self.config.std or [0.25] * 3)):
                with torch.no_grad():
                    self.get_buffer(name).copy_(torch.tensor(values).view(1, 3, 1, 1))


class PictureClassifier(PictureNetwork):  # type: ignore[no-untyped-call]
    """A network from pictures to classes; subclasses say what scores the classes."""

    def scores(self, values: Tensor) -> Tensor:
        """Return the scores (batch, classes) of prepared pictures."""
        raise NotImplementedError

    def forward(
        self,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **_: Any,
    ) -> ImageClassifierOutput:
        """Return the logits (batch, classes), and the mean loss where ``labels`` are given.

        Parameters
        ----------
        pixel_values
            (batch, 3, side, side): bytes, or numbers that were normalised with the configuration's mean and std.
        labels
            Class numbers, (batch,).
        """
        if pixel_values is None:
            raise ValueError("pixel_values are needed")
        values = self.prepared(pixel_values)
        logits = self.scores(values).float()
        if self.config.mirrored and not self.training:
            logits = (logits + self.scores(values.flip(3)).float()) / 2
        return ImageClassifierOutput(
            loss=None if labels is None else self._loss(logits, labels, num_items_in_batch), logits=logits
        )

    def _loss(self, logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
        """Return cross-entropy, or with a sigmoid output the binary cross-entropy summed over the classes, per picture."""
        smoothing = self.config.label_smoothing if self.training else 0.0
        if self.config.output == "sigmoid":
            target = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
            target = target * (1 - smoothing) + smoothing / logits.shape[1]
            total = functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        else:
            total = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")
        return total / (len(labels) if items is None else items)


def log_probabilities(logits: Tensor, output: str) -> Tensor:
    """Return log-probabilities that sum to 1 over the classes.

    After a sigmoid the classes are judged one by one; their probabilities are divided by their sum.
    """
    if output == "sigmoid":
        each = functional.logsigmoid(logits.float())
        return each - each.logsumexp(dim=-1, keepdim=True)
    return logits.float().log_softmax(dim=-1)
