"""Image classifiers: the base class of all image networks, the CNNs (`cnn-*`) and the residual network (`fast-resnet`).

A batch is bytes, (batch, 3, side, side) in the memory order channels-last: a quarter of the memory of floats, and fast to
augment. The network itself normalises; it also takes floats that were normalised before (as the image processors of
`transformers` do). It augments in training, and only bytes.

The CNNs share one architecture in which one thing changes at a time: three stages of a 3 x 3 convolution and 2 x 2 pooling, a
dense layer, dropout, the classes. With skip connections each stage is followed by a residual block that starts at zero.

`fast-resnet` is a small residual network with batch normalisation, half the resolution from the first layer on, and global
max pooling instead of a large dense layer. It trains with augmentation, label smoothing, a one-cycle learning rate and
averaged weights, and predicts with the mean over an image and its mirror image. After the DAWNBench entries of Page (How to
train your ResNet, 2019) and Jordan (94% on CIFAR-10 in 3.29 seconds on a single GPU, 2024).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForImageClassification, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from lyrist.models.augmentation import augment
from lyrist.models.image_configs import PictureCnnConfig, PictureConfig, PictureResnetConfig
from lyrist.models.registry import option, register


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
