"""A byte-level tokenizer for tiny pretrained models, and a tiny chat model."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lyrist.models.network import hushed

END = "<|endoftext|>"


def byte_tokenizer(texts: list[str], size: int = 290, special: tuple[str, ...] = (END,)) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of ``texts``; the first special token is BOS, the last EOS."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=special[0], eos_token=special[-1])


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ bos_token + message['role'] + '\n' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ bos_token + 'assistant\n' }}{% endif %}"
)
"""A template like that of SmolLM2."""


def chat_model(folder: Path, texts: list[str]) -> Path:
    """Write a chat model with random weights and a tokenizer of ``texts`` into ``folder``."""
    tokenizer = byte_tokenizer(texts, 400, special=("<|begin|>", "<|stop|>"))
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=512, tie_word_embeddings=True,
    )  # fmt: skip
    with hushed():
        tokenizer.save_pretrained(str(folder))
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
