"""Songs of different beginnings in one batch, with models of transformers' own: two decoders, and one with an encoder."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from tinywriter import TinyWriter
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from lyrist.generation.batching import BatchScheduler, SongSequence, sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import Vocabulary, start
from lyrist.models import kv_cache

FREE = SamplingOptions(temperature=1.0, min_p=0.0)
PROMPTS = [None, "the river", "come down come down the water to the sea\nthe morning bird is", "a bee"]


def writers(writer: TinyWriter, kind: str) -> TinyWriter:
    torch.manual_seed(1)
    size = len(writer.tokenizer)
    if kind == "llama":
        return TinyWriter(copy.deepcopy(writer.model).double(), writer.tokenizer, context=32)
    if kind == "gpt2":
        config: Any = GPT2Config(
            vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=32, bos_token_id=1, eos_token_id=2
        )
        return TinyWriter(GPT2LMHeadModel(config).eval().double(), writer.tokenizer, context=32)
    config = T5Config(
        vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    return TinyWriter(T5ForConditionalGeneration(config).eval().double(), writer.tokenizer, seq2seq=True)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
def test_songs_are_the_same_together_and_alone(writer: TinyWriter, kind: str) -> None:
    own = writers(writer, kind)
    own.usual = {"rock": np.random.default_rng(0).normal(size=len(own.tokenizer)).astype(np.float32)}
    vocabulary = Vocabulary(own)
    begun = [start(own, {"genre": "rock"} if i % 2 else {}, PROMPTS[i % 4]) for i in range(4)]
    alone = [sample(each, vocabulary, FREE, 2, max_tokens=45, seed=i) for i, each in enumerate(begun)]
    scheduler = BatchScheduler(own, vocabulary)
    songs = [[SongSequence(each, FREE, 45, i, number) for number in (0, 1)] for i, each in enumerate(begun)]
    for two in songs:
        scheduler.join(two)
        for _ in range(3):
            scheduler.step()
    while len(scheduler):
        scheduler.step()
    assert [[song.text for song in two] for two in songs] == [[draft.text for draft in two] for two in alone]


def test_columns_that_nobody_needs_are_given_back(writer: TinyWriter) -> None:
    scheduler = BatchScheduler(writer, Vocabulary(writer))
    long = SongSequence(start(writer, {}, PROMPTS[2]), SamplingOptions(temperature=0), 40)
    short = SongSequence(start(writer, {}, None), SamplingOptions(temperature=0), 40)
    scheduler.join([long, short])
    scheduler.step()
    [part] = scheduler._parts
    before = kv_cache.columns(part.past)  # type: ignore[union-attr]
    scheduler.leave([long])
    after = kv_cache.columns(part.past)  # type: ignore[union-attr]
    assert before is not None
    assert after is not None
    assert after < before - 8
    scheduler.step()
    assert len(scheduler) == 1
