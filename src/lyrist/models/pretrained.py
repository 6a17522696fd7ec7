"""Pretrained language models: `causal` fine-tunes any causal language model, `t5` any encoder-decoder.

A model is a known name, a name on the Hugging Face hub, a folder, a run, or a file ``*.gguf`` (see `lyrist.models.hub`). The
conditions of a model with a chat template are part of its prompt (see `lyrist.models.instructions`). Those of another model are
added tokens whose embeddings are initialised with the mean of all others, so that they do not take probability from real words. A
model with untrained added tokens is never scored (see `Writer.check_scorable`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel

from lyrist.errors import LyristError, UsageError, needed_by
from lyrist.models.adapter import CONFIG, Adapter, with_lora
from lyrist.models.hub import adapted_network, located, pretrained_network, pretrained_tokenizer
from lyrist.models.instructions import PROMPT, format_of
from lyrist.models.language_model import WriterShape
from lyrist.models.registry import option, register


@dataclass(frozen=True)
class PretrainedOptions:
    """Options of both recipes."""

    model: str = option(
        "openai-community/gpt2", "known name (lyrist models), name on the Hugging Face hub, folder, run, or .gguf file"
    )
    context: int = option(1024, "largest context length in tokens; longer songs are split into overlapping windows")
    min_tokens: int = option(0, "drop songs with fewer tokens (0: none)")
    max_tokens: int = option(0, "drop songs with more tokens (0: none)")
    condition_dropout: float = option(0.1, "probability of hiding each condition of a training song")
    validation_songs: int = option(64, "largest number of validation songs for the selection of the best step (0: all)")
    lora: bool = option(
        False,
        "train low-rank additions to the weights instead of all weights; they are saved as an adapter (with added tokens for "
        "conditions they are merged)",
    )
    lora_rank: int = option(16, "rank of the additions")

    seq2seq: ClassVar[bool] = False
    whole: ClassVar[Mapping[str, Any]] = {
        "epochs": 1.0, "learning_rate": 5e-5, "schedule": "linear", "warmup": 0.05, "batch_size": 4, "accumulate": 1,
        "evaluate_every": 200,
    }  # fmt: skip
    """Defaults of the training schedule."""
    low_rank: ClassVar[Mapping[str, Any]] = {
        **whole, "epochs": None, "pace": 1.0, "learning_rate": 3e-3, "warmup": 0.2, "batch_size": 4
    }  # fmt: skip
    """The same with ``lora``: a few hundred songs are enough for a style."""

    @property
    def schedule(self) -> Mapping[str, Any]:
        """The defaults of the training schedule."""
        return self.low_rank if self.lora else self.whole

    def __post_init__(self) -> None:
        if self.context < 16:
            raise UsageError(f"--context must be at least 16 tokens, got {self.context}.")
        if self.lora_rank < 1:
            raise UsageError(f"--lora-rank must be at least 1, got {self.lora_rank}.")
        if not 0 <= self.condition_dropout < 1:
            raise UsageError(f"--condition-dropout must be at least 0 and less than 1, got {self.condition_dropout}.")

    def pretrained(self) -> PretrainedOptions:
        """Return the options of the pretrained network, whose tokenizer is used: these."""
        return self

    def prompt(self, tokenizer: Any) -> str:
        """Return how conditions are passed: ``chat`` for a model with a chat template, else "" for added tokens."""
        return "chat" if not self.seq2seq and format_of(tokenizer) == "chat" else ""

    def tokenizer(self) -> Any:
        """Return the tokenizer that the model was pretrained with.

        Raises
        ------
        LyristError
            It cannot be loaded, or has no fast version or no end token.
        """
        found = pretrained_tokenizer(self.model)
        if not found.is_fast or found.eos_token_id is None:
            raise LyristError(
                f"The tokenizer of '{self.model}' has no fast form or no end token; choose another --model."
            )
        if found.chat_template and not self.seq2seq and self.context < 2 * PROMPT:
            raise UsageError(
                f"--context must be at least {2 * PROMPT} for a model with a chat template, got {self.context}."
            )
        if found.pad_token_id is None:
            found.pad_token = found.eos_token  # padding is always masked
        backend = found.backend_tokenizer
        if "\n" not in backend.decode(backend.encode("a\nb", add_special_tokens=False).ids):
            # T5's vocabulary has no line end, which songs need.
            backend.add_tokens([AddedToken("\n", normalized=False)])
        return found


@dataclass(frozen=True)
class CausalOptions(PretrainedOptions):
    """Options of `causal`."""


@dataclass(frozen=True)
class T5Options(PretrainedOptions):
    """Options of `t5`."""

    model: str = option("google-t5/t5-small", "name on the Hugging Face hub, or folder")
    context: int = option(512, "largest number of tokens of a continuation, and twice that of the snippet before it")

    seq2seq: ClassVar[bool] = True
    whole: ClassVar[Mapping[str, Any]] = {**PretrainedOptions.whole, "learning_rate": 3e-4, "batch_size": 8}


@register(
    "causal",
    "a fine-tuned pretrained causal language model (--model NAME, folder or .gguf; --lora)",
    family="neural",
    task="write",
    options=CausalOptions,
    source="Radford et al. (2019), Language models are unsupervised multitask learners; Hu et al. (2022), LoRA",
)
def causal(options: CausalOptions, shape: WriterShape) -> Any:
    """Load the pretrained model and add the tokens of the conditions."""
    return _built(AutoModelForCausalLM, options, shape, "CAUSAL_LM")


@register(
    "t5",
    "a fine-tuned pretrained encoder-decoder: from an instruction and a snippet to the continuation of the song",
    family="neural",
    task="write",
    options=T5Options,
    source="Raffel et al. (2020), Exploring the limits of transfer learning (T5)",
)
def t5(options: T5Options, shape: WriterShape) -> Any:
    """Load the pretrained model."""
    return _built(AutoModelForSeq2SeqLM, options, shape, "SEQ_2_SEQ_LM")


def _built(kind: Any, options: PretrainedOptions, shape: WriterShape, task: str) -> Any:
    folder = Path(located(options.model))
    before = Adapter.load(folder) if (folder / CONFIG).is_file() else None
    model = adapted_network(before) if before else pretrained_network(kind, options.model, dtype=torch.float32)
    add_token_rows(model, options.model, shape, len(options.tokenizer()) if shape.vocabulary > shape.lyrics > 0 else 0)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = shape.padding
    if before:
        model = before.added_to(model, trainable=options.lora)
        return model if options.lora else model.merge_and_unload().requires_grad_(True)
    return _with_additions(model, options, shape, task) if options.lora else model


def add_token_rows(model: PreTrainedModel, name: str, shape: WriterShape, trained: int = 0) -> None:
    """Add a row of the embedding and of the output layer for each added token, with the mean of the others.

    Parameters
    ----------
    model, name
        The pretrained model and its name.
    shape
        The tokens with the conditions.
    trained
        Number of tokens that the model was trained with, conditions of an earlier tuning included.

    Raises
    ------
    LyristError
        The tokenizer has more tokens of its own than the model.
    """
    embedding: Any = model.get_input_embeddings()
    rows = int(embedding.weight.shape[0])
    own = shape.lyrics or shape.vocabulary
    if own > rows + 1:  # one more for the line end, which T5 does not have
        raise LyristError(
            f"The tokenizer of '{name}' does not match its model: it has {own:,} tokens, the model {rows:,} rows; "
            "set --model to a folder with both as published."
        )
    first = max(own, trained)
    if shape.vocabulary > rows:
        model.resize_token_embeddings(shape.vocabulary, mean_resizing=True)
    whole: Any = model
    layers = [whole.get_input_embeddings(), whole.get_output_embeddings()]
    for layer in layers:
        weights = None if layer is None else layer.weight
        if isinstance(weights, torch.Tensor) and shape.vocabulary > first:
            with torch.no_grad():  # also rows that the model has but the tokenizer did not use
                weights[first : shape.vocabulary] = weights[:own].mean(dim=0)


def _with_additions(model: PreTrainedModel, options: PretrainedOptions, shape: WriterShape, task: str) -> Any:
    """Return the model with low-rank additions to train, and the rows of the added tokens."""
    with needed_by("--lora"):
        from peft import LoraConfig
    added = list(range(shape.lyrics or shape.vocabulary, shape.vocabulary))
    config = LoraConfig(
        task_type=task,
        r=options.lora_rank,
        lora_alpha=2 * options.lora_rank,
        lora_dropout=0.0,  # most songs are read once, and its random numbers take a quarter of a step on a CPU
        target_modules="all-linear",
        trainable_token_indices=added or None,
    )
    return with_lora(model, config)
