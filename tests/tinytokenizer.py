"""A byte-level tokenizer for tiny pretrained models, and tiny ones with random weights: a chat model, GPT-2 and T5."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

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


def gpt2_model(folder: Path, texts: list[str]) -> Path:
    """Write a GPT-2 with random weights and a tokenizer of ``texts`` into ``folder``."""
    tokenizer = byte_tokenizer(texts)
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=40, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def t5_model(folder: Path) -> Path:
    """Write a T5 with random weights and a tokenizer of letters into ``folder``."""
    made = Tokenizer(models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)] + [
        (letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyz0123456789:,"
    ], unk_id=2))  # fmt: skip
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", extra_special_tokens={}
    )
    tokenizer.save_pretrained(str(folder))
    config = T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder
