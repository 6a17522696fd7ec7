"""Pretrained writers: `causal` fine-tunes any causal language model, `t5` any encoder-decoder that follows instructions.

A model is named as on the Hugging Face hub, or by a folder, or by a file ``*.gguf`` (see `lyrist.models.hub`). What is
unusual: conditions are added
tokens whose rows start at the mean of all others, so that they neither take probability from real words nor stand out;
a model whose added rows were never trained is never scored (see `Writer.check_scorable`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel

from lyrist.errors import LyristError, UsageError, needed_by
from lyrist.models.hub import pretrained_network, pretrained_tokenizer
from lyrist.models.language_model import WriterShape
from lyrist.models.registry import option, register


@dataclass(frozen=True)
class PretrainedOptions:
    """What both recipes can be told."""

    model: str = option("openai-community/gpt2", "name on the Hugging Face hub, folder, or .gguf file")
    context: int = option(1024, "tokens that are read at once, at most; longer songs are cut into overlapping windows")
    min_tokens: int = option(0, "leave out songs with fewer tokens (0: none)")
    max_tokens: int = option(0, "leave out songs with more tokens (0: none)")
    condition_dropout: float = option(0.1, "share of the songs that hide each of their conditions in training")
    validation_songs: int = option(64, "validation songs that are read to choose the best step, at most (0: all)")
    lora: bool = option(
        False, "train low-rank additions to the weights instead of all of them; they are merged at the end"
    )
    lora_rank: int = option(16, "rank of the additions")

    seq2seq: ClassVar[bool] = False
    schedule: ClassVar[Mapping[str, Any]] = {
        "epochs": 1.0, "learning_rate": 5e-5, "schedule": "linear", "warmup": 0.05, "batch_size": 4, "accumulate": 1,
        "evaluate_every": 200,
    }  # fmt: skip

    def __post_init__(self) -> None:
        if self.context < 16:
            raise UsageError(f"--context is at least 16 tokens; {self.context} is not.")
        if self.lora_rank < 1:
            raise UsageError(f"--lora-rank is at least 1; {self.lora_rank} is not.")
        if not 0 <= self.condition_dropout < 1:
            raise UsageError(f"--condition-dropout is at least 0 and less than 1; {self.condition_dropout} is not.")

    def tokenizer(self) -> Any:
        """Return the tokenizer that the model was pretrained with.

        Raises
        ------
        LyristError
            It cannot be opened, or has no fast form or no end token.
        """
        found = pretrained_tokenizer(self.model)
        if not found.is_fast or found.eos_token_id is None:
            raise LyristError(
                f"The tokenizer of '{self.model}' has no fast form or no end token; choose another --model."
            )
        if found.pad_token_id is None:
            found.pad_token = found.eos_token  # it never counts: every place has its mask
        backend = found.backend_tokenizer
        if "\n" not in backend.decode(backend.encode("a\nb", add_special_tokens=False).ids):
            # T5's pieces know no line end; a song without lines is no song.
            backend.add_tokens([AddedToken("\n", normalized=False)])
        return found


@dataclass(frozen=True)
class CausalOptions(PretrainedOptions):
    """Options of `causal`."""


@dataclass(frozen=True)
class T5Options(PretrainedOptions):
    """Options of `t5`."""

    model: str = option("google-t5/t5-small", "name on the Hugging Face hub, or folder")
    context: int = option(512, "tokens of a continuation, and twice those of the snippet before it, at most")

    seq2seq: ClassVar[bool] = True
    schedule: ClassVar[Mapping[str, Any]] = {**PretrainedOptions.schedule, "learning_rate": 3e-4, "batch_size": 8}


@register(
    "causal",
    "a pretrained causal language model, fine-tuned (--model NAME, folder or .gguf; --lora)",
    family="neural",
    task="write",
    options=CausalOptions,
    source="report 003; Radford et al., Language models are unsupervised multitask learners, 2019; Hu et al., LoRA, 2022",
)
def causal(options: CausalOptions, shape: WriterShape) -> Any:
    """Open the pretrained model and make room for the conditions."""
    return _built(AutoModelForCausalLM, options, shape, "CAUSAL_LM")


@register(
    "t5",
    "a pretrained encoder-decoder: an instruction and a snippet in, the song's continuation out",
    family="neural",
    task="write",
    options=T5Options,
    source="report 004; Raffel et al., Exploring the limits of transfer learning (T5), 2020",
)
def t5(options: T5Options, shape: WriterShape) -> Any:
    """Open the pretrained model."""
    return _built(AutoModelForSeq2SeqLM, options, shape, "SEQ_2_SEQ_LM")


def _built(kind: Any, options: PretrainedOptions, shape: WriterShape, task: str) -> Any:
    model = pretrained_network(kind, options.model, dtype=torch.float32)
    make_room(model, options.model, shape)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = shape.padding
    return _with_additions(model, options, shape, task) if options.lora else model


def make_room(model: PreTrainedModel, name: str, shape: WriterShape) -> None:
    """Give each added token a row of the embedding and of the output layer, at the mean of the others.

    Raises
    ------
    LyristError
        The tokenizer has more tokens of its own than the model.
    """
    embedding: Any = model.get_input_embeddings()
    rows = int(embedding.weight.shape[0])
    own = shape.lyrics or shape.vocabulary
    if own > rows + 1:  # one more is the line end that t5 lacks
        raise LyristError(
            f"The tokenizer of '{name}' does not match its model: it has {own:,} tokens, the model {rows:,} rows; "
            "give --model a folder with both as they were published."
        )
    if shape.vocabulary > rows:
        model.resize_token_embeddings(shape.vocabulary, mean_resizing=True)
    whole: Any = model
    layers = [whole.get_input_embeddings(), whole.get_output_embeddings()]
    for layer in layers:
        weights = None if layer is None else layer.weight
        if isinstance(weights, torch.Tensor) and shape.vocabulary > own:
            with torch.no_grad():  # also those that the model already had, for a tokenizer that never used them
                weights[own : shape.vocabulary] = weights[:own].mean(dim=0)


def _with_additions(model: PreTrainedModel, options: PretrainedOptions, shape: WriterShape, task: str) -> Any:
    """Return the model with low-rank additions to train, and the rows of the added tokens."""
    with needed_by("--lora"):
        from peft import LoraConfig, get_peft_model
    added = list(range(shape.lyrics or shape.vocabulary, shape.vocabulary))
    config = LoraConfig(
        task_type=task,
        r=options.lora_rank,
        lora_alpha=2 * options.lora_rank,
        lora_dropout=0.05,
        target_modules="all-linear",
        trainable_token_indices=added or None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells which way the matrices of GPT-2 lie, and turns them itself
        return get_peft_model(model, config)


def instruction(given: Mapping[str, str]) -> str:
    """Return what an encoder-decoder is told to do; what comes after it is the song so far."""
    told = "".join(f", {column}: {value}" for column, value in given.items())
    return f"continue the lyrics{told}: "
