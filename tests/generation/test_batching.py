"""Free writing: seeds, batches, caches, windows, and nothing half a word."""

from itertools import pairwise

import pytest
import torch
from tinywriter import TinyWriter
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from lyrist.errors import UsageError
from lyrist.generation.batching import DecodingState, sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.output import whole
from lyrist.generation.prompts import Vocabulary, start

FREE = SamplingOptions(temperature=1.0, min_p=0.0)


def written(writer: TinyWriter, songs: int = 4, **given: object) -> list[str]:
    begin = start(writer, {}, None)
    settings = {"max_tokens": 30, "seed": 3, **given}
    drafts = sample(begin, Vocabulary(writer), given.pop("sampling", FREE), songs, **settings)  # type: ignore[arg-type]
    return [draft.text for draft in drafts]


def test_the_same_seed_writes_the_same_songs_whatever_the_batch(writer: TinyWriter) -> None:
    whole_batch = written(writer, 5)
    assert len(set(whole_batch)) == 5
    assert written(writer, 5, batch=1) == whole_batch
    assert written(writer, 5, batch=3) == whole_batch
    assert written(writer, 2) == whole_batch[:2]
    assert written(writer, 5, seed=4) != whole_batch


def test_the_cache_changes_nothing(writer: TinyWriter) -> None:
    assert written(writer, 3, cached=False) == written(writer, 3)


def test_greedy_is_what_transformers_writes(writer: TinyWriter) -> None:
    begin = start(writer, {"genre": "folk"}, "The ferryman")
    [draft] = sample(begin, Vocabulary(writer), SamplingOptions(temperature=0, max_repeats=0), 1, max_tokens=12)
    ids = torch.tensor([[*begin.prefix, *begin.ids]])
    theirs = writer.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
    assert writer.decode(theirs[0].tolist()).startswith(draft.text)


def test_a_song_outgrows_the_context(writer: TinyWriter) -> None:
    [draft] = sample(start(writer, {}, None), Unending(writer), FREE, 1, max_tokens=200)
    assert draft.tokens == 200


class Unending(Vocabulary):
    """A vocabulary in which the end of a song is never written."""

    def __init__(self, writer: TinyWriter) -> None:
        super().__init__(writer)
        self.banned = torch.cat([self.banned, torch.tensor([self.eos])])


def test_a_window_keeps_the_beginning_and_the_last_words(writer: TinyWriter) -> None:
    prefix = writer.prefix({"genre": "rock"})
    reading = DecodingState(writer.model, prefix, 20)
    ids = torch.arange(10, 45)[None]
    for token in ids.T:
        reading.feed(token[None])
    assert reading.ids.shape == (1, 35)
    again = DecodingState(writer.model, prefix, 64)
    held = reading.ids.shape[1] - reading._from
    assert 9 <= held <= 18
    again.feed(ids[:, -held:])
    assert torch.allclose(reading.logits, again.logits, atol=1e-5)


def test_nothing_special_and_no_broken_word_is_written(writer: TinyWriter) -> None:
    says: list[str] = []
    begin = start(writer, {}, None)
    drafts = sample(
        begin, Vocabulary(writer), SamplingOptions(temperature=3.0, min_p=0.0), 3, max_tokens=40,
        on_text=lambda song, text, ended: says.append(whole(text)) if song == 0 else None,
    )  # fmt: skip
    for draft in drafts:
        assert "<|" not in draft.text
        assert draft.ended == "end" or draft.tokens == 40
    for earlier, later in pairwise(says):
        assert later.startswith(earlier)


def test_a_cut_song_ends_in_a_whole_word(writer: TinyWriter) -> None:
    begin = start(writer, {}, None)
    [long] = sample(begin, Unending(writer), FREE, 1, max_tokens=30)
    for tokens in range(3, 12):
        [short] = sample(begin, Unending(writer), FREE, 1, max_tokens=tokens)
        assert long.text.startswith(short.text)
        assert not short.text or not long.text[len(short.text) :][:1].strip(), (short.text, long.text)


def test_the_prompt_is_the_beginning(writer: TinyWriter) -> None:
    for draft in sample(start(writer, {}, "the river runs\\nand"), Vocabulary(writer), FREE, 3, max_tokens=8):
        assert draft.text.startswith("the river runs\nand")


@pytest.mark.parametrize(
    ("given", "prompt", "said"),
    [
        ({}, "", "empty"),
        ({}, "  \n ", "empty"),
        ({}, "river " * 80, "reads 62 at most"),
        ({"genre": "rapp"}, None, "folk, rock"),
        ({"artist": "x"}, None, "genre"),
    ],
)
def test_starts_that_are_refused(writer: TinyWriter, given: dict[str, str], prompt: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        start(writer, given, prompt)


def test_any_causal_model(writer: TinyWriter) -> None:
    torch.manual_seed(1)
    size = len(writer.tokenizer)
    gpt2 = GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=32, bos_token_id=1, eos_token_id=2)
    ).eval()
    other = TinyWriter(gpt2, writer.tokenizer, context=32)
    texts = written(other, 4, max_tokens=50)
    assert texts == written(other, 4, max_tokens=50, batch=2)
    assert texts == written(other, 4, max_tokens=50, cached=False)


def test_a_sequence_to_sequence_model(writer: TinyWriter) -> None:
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(writer.tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    other = TinyWriter(T5ForConditionalGeneration(config).eval(), writer.tokenizer, seq2seq=True)
    texts = written(other, 4)
    assert texts == written(other, 4, batch=1)
    assert texts == written(other, 4, cached=False)
    begin = start(other, {"genre": "rock"}, "the river")
    assert begin.encoding is not None
    read = [*other.prefix({"genre": "rock"}), *begin.ids, 2]
    [draft] = sample(begin, Vocabulary(other), SamplingOptions(temperature=0, max_repeats=0), 1, max_tokens=10)
    theirs = other.model.generate(torch.tensor([read]), max_new_tokens=10, do_sample=False)
    assert draft.text.startswith("the river")
    assert ("the river" + other.decode(theirs[0].tolist())).startswith(draft.text)


def test_a_decoder_goes_on_from_what_its_encoder_reads(writer: TinyWriter) -> None:
    torch.manual_seed(2)
    config = T5Config(
        vocab_size=len(writer.tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    other = TinyWriter(T5ForConditionalGeneration(config).eval(), writer.tokenizer, context=16, seq2seq=True)
    assert written(other, 3, max_tokens=60) == written(other, 3, max_tokens=60, cached=False)
    reading = DecodingState.of(start(other, {}, "the river"))
    ids = torch.arange(20, 60)[None]
    for token in ids.T:
        reading.feed(token[None])
    encoding = reading.encoding
    assert encoding is not None
    late = DecodingState(other.model, [0], 16, ids=reading.ids[0, : reading._from].tolist(), encoding=encoding)
    late.feed(reading.ids[:, reading._from :])
    assert torch.allclose(reading.logits, late.logits, atol=1e-5)
