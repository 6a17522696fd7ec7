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

from lyrist.models.configuration import PictureCnnConfig, PictureConfig, PictureResnetConfig
from lyrist.models.registry import option, register


@dataclass(frozen=True)
class PictureShape:
    """The properties of an image network that depend on the data."""

    side: int
    """Width and height in pixels."""
    labels: tuple[str, ...] = ()
    """Class names, in the order of the logits."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Mean of each colour channel in the training pictures, of values from 0 to 1."""
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    source: PreTrainedModel | None = None
    """The fitted network whose features a transfer model uses."""


@dataclass(frozen=True)
class AugmentOptions:
    """Augmentation of the training pictures."""

    crop: int = option(0, "shift each training picture by up to this many pixels")
    flip: bool = option(False, "flip half of the training pictures horizontally")
    cutout: int = option(0, "side of a square that is erased in each training picture (0: none)")

    schedule: ClassVar[Mapping[str, Any]] = {}
    """Defaults of the training schedule for this recipe."""


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


def augment(pictures: Tensor, crop: int = 0, flip: bool = False, cutout: int = 0) -> Tensor:
    """Return randomly augmented pictures, in the memory order channels-last.

    The whole batch is shifted and flipped by one look-up of rows and columns, on bytes, on the device of the batch. A pixel
    beyond the edge is taken from its reflection.

    Parameters
    ----------
    pictures
        (batch, 3, side, side) of any type.
    crop
        Shift each picture by up to this many pixels in each direction.
    flip
        Flip each picture horizontally with probability 0.5.
    cutout
        Side of a grey square at a random position in each picture (DeVries and Taylor 2017); 0: none.
    """
    moved = pictures.permute(0, 2, 3, 1)
    batch, height, width = moved.shape[:3]
    if crop or flip:
        rows, columns = _places(batch, height, crop, moved.device), _places(batch, width, crop, moved.device)
        if flip:
            turned = torch.rand(batch, 1, device=moved.device) < 0.5
            columns = torch.where(turned, columns.flip(1), columns)
        which = torch.arange(batch, device=moved.device)[:, None, None]
        moved = moved[which, rows[:, :, None], columns[:, None, :]]
    if cutout:
        hidden = (
            _span(batch, height, cutout, moved.device)[:, :, None] & _span(batch, width, cutout, moved.device)[:, None]
        )
        moved = moved.masked_fill(hidden.unsqueeze(-1), 128 if not moved.is_floating_point() else 0.0)
    return moved.permute(0, 3, 1, 2)


def _places(batch: int, side: int, crop: int, device: torch.device) -> Tensor:
    """Return for each picture the source index of each of its rows (or columns)."""
    start = torch.randint(-crop, crop + 1, (batch, 1), device=device)
    places = (torch.arange(side, device=device) + start).abs()
    return torch.where(places >= side, 2 * (side - 1) - places, places)


def _span(batch: int, side: int, size: int, device: torch.device) -> Tensor:
    middle = torch.randint(0, side, (batch, 1), device=device)
    apart = torch.arange(side, device=device) - middle
    return (apart >= -(size // 2)) & (apart < size - size // 2)


class PictureNetwork(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Base class of the image networks."""

    config_class = PictureConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"
    accepts_loss_kwargs = True

    def __init__(self, config: PictureConfig) -> None:
        super().__init__(config)
        for name, values in (("mean", config.mean or [0.5] * 3), ("std", config.std or [0.25] * 3)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def prepared(self, pixel_values: Tensor) -> Tensor:
        """Return normalised pictures, channels last; in training, bytes are augmented first."""
        if pixel_values.is_floating_point():
            return pixel_values.contiguous(memory_format=torch.channels_last)
        config = self.config
        if self.training and (config.crop or config.flip or config.cutout):
            pixel_values = augment(pixel_values, config.crop, config.flip, config.cutout)
        values = pixel_values.to(torch.float32).div_(255).sub_(self.get_buffer("mean")).div_(self.get_buffer("std"))
        return values.contiguous(memory_format=torch.channels_last)

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights of the constructors; restore buffers that are not saved."""
        if module is self:
            for name, values in (("mean", self.config.mean or [0.5] * 3), ("std", self.config.std or [0.25] * 3)):
                with torch.no_grad():
                    self.get_buffer(name).copy_(torch.tensor(values).view(1, 3, 1, 1))


class PictureClassifier(PictureNetwork):  # type: ignore[no-untyped-call]
    """Base class of the image classifiers; subclasses implement `scores`."""

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
        """Return the logits (batch, classes), and the mean loss if ``labels`` are passed.

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

    With a sigmoid output each class has its own probability; these are normalised to sum to 1.
    """
    if output == "sigmoid":
        each = functional.logsigmoid(logits.float())
        return each - each.logsumexp(dim=-1, keepdim=True)
    return logits.float().log_softmax(dim=-1)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": functional.relu, "tanh": torch.tanh}


@dataclass(frozen=True)
class PictureCnnOptions(AugmentOptions):
    """Options of the image CNNs."""

    channels: tuple[int, ...] = option((32, 64, 128), "filters of each stage")
    hidden: int = option(256, "units of the dense layer")
    dropout: float = option(0.5, "dropout rate before and after the dense layer")
    label_smoothing: float = option(0.0, "label smoothing: share of the target spread evenly over all classes")

    schedule: ClassVar[Mapping[str, Any]] = {
        "schedule": "plateau",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "patience": 8,
        "pace": 10.0,
        "warmup": 0.0,
    }


def initialise(network: nn.Module, activation: str) -> None:
    """Initialise the weights by the activation: He et al. (2015) for ReLU, Glorot and Bengio (2010) for tanh."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            if activation == "relu":
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class Stages(nn.Module):
    """Stages of convolution and pooling, each optionally followed by a residual block."""

    def __init__(self, channels: list[int], activation: str, skip: bool) -> None:
        super().__init__()
        sizes = [3, *channels]
        self.activation = ACTIVATIONS[activation]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(sizes, channels, strict=False))
        self.blocks = nn.ModuleList(Residual(size, activation) for size in channels) if skip else None

    def forward(self, values: Tensor) -> Tensor:
        """Return the feature maps of the last stage."""
        for place, convolution in enumerate(self.convolutions):
            # Pooling before the activation gives the same result, as both activations are monotonic, and is cheaper.
            values = self.activation(functional.max_pool2d(convolution(values), 2))
            if self.blocks is not None:
                values = self.blocks[place](values)
        return values


class Residual(nn.Module):
    """A residual block: two convolutions with batch normalisation, added to the input (He et al. 2016)."""

    def __init__(self, size: int, activation: str) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.first = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(size)
        self.second = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(size)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, values: Tensor) -> Tensor:
        """Return feature maps of the same shape."""
        found = self.activation(self.first_norm(self.first(values)))
        added: Tensor = self.activation(values + self.second_norm(self.second(found)))
        return added


class CnnBody(nn.Module):
    """The stages and a flatten layer: the features that a transfer model uses."""

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
    """Stages of convolutions, a dense layer and the output layer."""

    config_class = PictureCnnConfig

    def __init__(self, config: PictureCnnConfig) -> None:
        super().__init__(config)
        self.body = CnnBody(config)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(self.body.size, config.hidden)
        self.head = nn.Linear(config.hidden, len(config.id2label or {}))
        self.activation = ACTIVATIONS[config.activation]
        if not config.skip:  # with skip connections PyTorch's default initialisation is better (docs/log.md)
            initialise(self, config.activation)
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
    "pictures: three stages of convolution and pooling, then a dense layer; ReLU",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="LeCun et al. (1998), Gradient-based learning applied to document recognition",
)
def cnn_relu(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with ReLU."""
    return _cnn(options, shape, "cnn-relu")


@register(
    "cnn-tanh",
    "pictures: cnn-relu with tanh instead of ReLU",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="LeCun et al. (1998), Gradient-based learning applied to document recognition",
)
def cnn_tanh(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with tanh."""
    return _cnn(options, shape, "cnn-tanh", activation="tanh")


@register(
    "cnn-sigmoid",
    "pictures: cnn-relu with sigmoid outputs and binary cross-entropy",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="LeCun et al. (1998), Gradient-based learning applied to document recognition",
)
def cnn_sigmoid(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with a sigmoid output; pipelines of `transformers` apply it because of the problem type."""
    return _cnn(options, shape, "cnn-sigmoid", output="sigmoid", problem_type="multi_label_classification")


@register(
    "cnn-skip",
    "pictures: cnn-relu with a residual block after each stage",
    task="picture",
    family="neural",
    options=PictureCnnOptions,
    source="He et al. (2016), Deep residual learning for image recognition",
)
def cnn_skip(options: PictureCnnOptions, shape: PictureShape) -> PictureCnn:
    """Build the CNN with skip connections."""
    return _cnn(options, shape, "cnn-skip", skip=True)


AutoModelForImageClassification.register(PictureCnnConfig, PictureCnn)


@dataclass(frozen=True)
class PictureResnetOptions(AugmentOptions):
    """Options of `fast-resnet`."""

    channels: tuple[int, ...] = option((32, 64, 128), "filters of each stage")
    dropout: float = option(0.0, "dropout rate before the output layer")
    label_smoothing: float = option(0.1, "label smoothing: share of the target spread evenly over all classes")
    crop: int = option(3, "shift each training picture by up to this many pixels")
    flip: bool = option(True, "flip half of the training pictures horizontally (unsuitable for letters and digits)")

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
        """Return the activated feature maps."""
        return functional.relu(self.norm(self.convolution(values)))


class ResnetBody(nn.Module):
    """The layers from pictures to one feature vector per picture."""

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
    """Residual blocks and a linear output layer."""

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
    "pictures: a small residual network with augmentation, label smoothing and a one-cycle schedule",
    task="picture",
    family="neural",
    options=PictureResnetOptions,
    source="Page (2019), How to train your ResNet; Jordan (2024), 94% on CIFAR-10 in 3.29 seconds",
)
def fast_resnet(options: PictureResnetOptions, shape: PictureShape) -> PictureResnet:
    """Build the residual network."""
    config = PictureResnetConfig(
        **common(options, shape, "fast-resnet"), channels=list(options.channels), dropout=options.dropout,
        label_smoothing=options.label_smoothing, mirrored=options.flip,
    )  # fmt: skip
    return PictureResnet(config)


AutoModelForImageClassification.register(PictureResnetConfig, PictureResnet)
