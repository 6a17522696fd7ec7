"""The recipe `encoder`: fine-tuning of a pretrained transformer encoder, from the Hugging Face hub or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from transformers import AutoModelForSequenceClassification, PreTrainedModel

from lyrist.errors import LyristError
from lyrist.models.hub import pretrained_network, pretrained_tokenizer
from lyrist.models.registry import Shape, option, register


@dataclass(frozen=True)
class EncoderOptions:
    """Options of `encoder`."""

    model: str = option(
        "distilbert/distilroberta-base", "name on the Hugging Face hub, or folder, of a pretrained encoder"
    )
    max_length: int = option(512, "truncate songs to this number of tokens")
    dropout: float | None = option(None, "dropout rate (default: that of the model)")
    freeze: bool = option(False, "train only the output layer")
    balance: float = option(0.0, "class weights: 0 draws every song alike, 1 every class")
    features: Literal["none", "artist"] = option("none", "'artist' puts the name of the artist before the lyrics")

    schedule: ClassVar[Mapping[str, Any]] = {
        "epochs": 3.0, "learning_rate": 3e-5, "schedule": "linear", "warmup": 0.1, "batch_size": 16,
    }  # fmt: skip


DROPOUTS = ("hidden_dropout_prob", "dropout", "seq_classif_dropout", "classifier_dropout", "mlp_dropout")
"""Names of the dropout rates in the configurations of different encoders."""


@register(
    "encoder",
    "a fine-tuned pretrained transformer encoder (--model NAME or folder)",
    family="neural",
    options=EncoderOptions,
    source="Devlin et al. (2019), BERT",
)
def encoder(options: EncoderOptions, shape: Shape) -> PreTrainedModel:
    """Load the pretrained encoder with a new output layer."""
    labels = dict(enumerate(shape.labels))
    head = {"id2label": labels, "label2id": {label: n for n, label in labels.items()}}
    model = pretrained_network(
        AutoModelForSequenceClassification,
        options.model,
        head,
        ignore_mismatched_sizes=True,
        attn_implementation="sdpa",
    )
    if options.dropout is not None:
        _set_dropout(model, options.dropout)
    if options.freeze:
        for weights in model.base_model.parameters():
            weights.requires_grad_(False)
    # The loss of these models is the mean over the batch; they ignore `num_items_in_batch`.
    model.accepts_loss_kwargs = False  # type: ignore[assignment]
    if model.config.pad_token_id is None:
        model.config.pad_token_id = shape.padding
    return model


def tokenizer(options: EncoderOptions) -> Any:
    """Return the tokenizer that the encoder was pretrained with.

    Raises
    ------
    LyristError
        It is neither a folder nor available from the hub, or it has no fast tokenizer with padding.
    """
    found = pretrained_tokenizer(options.model)
    if not found.is_fast or found.pad_token_id is None:
        raise LyristError(
            f"The tokenizer of '{options.model}' has no fast form or no padding token; choose another --model."
        )
    found.padding_side = "right"
    found.model_max_length = min(options.max_length, found.model_max_length)
    return found


def _set_dropout(model: PreTrainedModel, share: float) -> None:
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
    for name in DROPOUTS:
        if hasattr(model.config, name):
            setattr(model.config, name, share)
