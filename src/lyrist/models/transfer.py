"""`transfer` and `autoencoder-classifier`: the features of a fitted network under a new head.

First the features stay as they are and the head learns to read them; then everything is tuned together. Both happen in
one run of the one loop: a share of the budget is spent frozen, and `TransferClassifier.frozen` says where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForImageClassification

from lyrist.errors import UsageError
from lyrist.models.autoencoder import Encoder
from lyrist.models.picturecnn import CnnBody
from lyrist.models.pictureresnet import ResnetBody
from lyrist.models.registry import option, register
from lyrist.models.vision import AugmentOptions, PictureClassifier, PictureShape, common
from lyrist.models.visionconfig import (
    AutoencoderConfig,
    PictureCnnConfig,
    PictureResnetConfig,
    TransferConfig,
)


@dataclass(frozen=True)
class TransferOptions(AugmentOptions):
    """Options of `transfer`."""

    reads: Literal["maps", "code"] = option(
        "maps", "what is read of an autoencoder: its convolutions' maps or its code"
    )
    frozen: float = option(0.5, "share of the budget in which the features stay as they are, 0 to 1")
    hidden: int = option(256, "units of the dense layer")
    dropout: float = option(0.5, "share of the units that are dropped before and after the dense layer in training")
    label_smoothing: float = option(0.0, "share of the target given to all classes alike in training")

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
            raise UsageError(f"--frozen is a share of the budget, from 0 to 1; {self.frozen} is not.")


@dataclass(frozen=True)
class CodeOptions(TransferOptions):
    """Options of `autoencoder-classifier`."""

    reads: Literal["maps", "code"] = option(
        "code", "what is read of the autoencoder: its convolutions' maps or its code"
    )


class TransferClassifier(PictureClassifier):  # type: ignore[no-untyped-call]
    """The body of another network, dropout, a dense layer, the classes.

    Attributes
    ----------
    frozen : bool
        While it is trained: leave the body as it is.
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
    """Return the features that a configuration describes, and how many there are."""
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
    raise UsageError(f"A network of the kind '{kind}' has no features that can be transferred; name another --source.")


_KEPT = ("model_type", "image_size", "channels", "activation", "skip", "dense", "code")
"""What a body is built from."""


def _transfer(options: TransferOptions, shape: PictureShape, recipe: str) -> TransferClassifier:
    if shape.source is None:
        raise UsageError(f"The recipe '{recipe}' reads the features of a fitted network; give one: --source RUN.")
    own = shape.source.config
    if own.image_size != shape.side:
        raise UsageError(
            f"The source was fitted on pictures of {own.image_size} pixels, these have {shape.side}; "
            f"give --side {own.image_size}."
        )
    inner = own.source if isinstance(own, TransferConfig) else {k: v for k, v in own.to_dict().items() if k in _KEPT}
    reads = own.reads if isinstance(own, TransferConfig) else options.reads
    # The features expect the brightness and contrast that they were fitted with.
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
    "pictures: the features of a fitted network (--source RUN) under a new head, frozen, then tuned",
    task="picture",
    family="neural",
    options=TransferOptions,
    source="report 002, part 2; Yosinski et al., How transferable are features in deep neural networks?, 2014",
)
def transfer(options: TransferOptions, shape: PictureShape) -> TransferClassifier:
    """Build the new head on the source's features."""
    return _transfer(options, shape, "transfer")


@register(
    "autoencoder-classifier",
    "pictures: a classifier on the code of an autoencoder, which is fitted first where no --source is given",
    task="picture",
    family="neural",
    options=CodeOptions,
    source="report 002, part 2",
)
def autoencoder_classifier(options: CodeOptions, shape: PictureShape) -> TransferClassifier:
    """Build the classifier on the autoencoder's code."""
    return _transfer(options, shape, "autoencoder-classifier")


AutoModelForImageClassification.register(TransferConfig, TransferClassifier)
