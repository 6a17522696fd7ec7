"""A tiny writer with random weights, and its corpus of a few lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lyrist.errors import unknown

LINES = """The ferryman is counting every light
the river runs away from us tonight
and all the windows of the town are bright
I hold the lantern and I hold it right
come down come down the water to the sea
the morning bird is singing in the tree
there never was another one but me
a copper key a candle and a bee
oh carry me along the silver road
I cannot put away this heavy load
the winter came the garden was too cold
the story of the house was never told
""".splitlines()
GENRES = ("folk", "rock")


@dataclass
class TinyWriter:
    """What `lyrist.training.writer.Writer` is to generation."""

    model: Any
    tokenizer: Any
    context: int = 64
    seq2seq: bool = False
    prompt: str = ""
    usual: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """How usual each token is, by genre."""

    def prefix(self, given: Mapping[str, str] | None = None) -> list[int]:
        for column, value in (given or {}).items():
            if column != "genre":
                raise unknown("condition", column, ["genre"])
            if value not in GENRES:
                raise unknown("genre", value, GENRES)
        names = [f"<|genre:{value}|>" for value in (given or {}).values()]
        return [self.tokenizer.bos_token_id, *self.tokenizer.convert_tokens_to_ids(names)]

    def style_bias(self, given: Mapping[str, str] | None = None) -> NDArray[np.float32] | None:
        return self.usual.get((given or {}).get("genre", ""))

    def encode(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return found

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level, line ends alone, with whole words for the words of `LINES`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("\n"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|song|>", "<|end|>", *(f"<|genre:{genre}|>" for genre in GENRES)]
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" " + line + "\n" for line in LINES] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|pad|>", bos_token="<|song|>", eos_token="<|end|>"
    )


def make_writer() -> TinyWriter:
    """Return a small Llama that has seen `LINES` for a second or two, so that its lines end and have words."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + 3,  # rows that no token has, as in padded vocabularies
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    found = TinyWriter(model, tokenizer)
    _learn(found)
    model.eval()
    return found


def _learn(writer: TinyWriter) -> None:
    optimizer = torch.optim.AdamW(writer.model.parameters(), lr=1e-2)
    songs = [
        [
            *writer.prefix(),
            *writer.encode("\n".join([*LINES[i : i + 4], "", *LINES[(i + 4) % 8 : (i + 4) % 8 + 4]])),
            2,
        ][:64]
        for i in range(0, 12, 2)
    ]
    batch = torch.zeros((len(songs), 64), dtype=torch.long)
    for row, song in enumerate(songs):
        batch[row, : len(song)] = torch.tensor(song)
    labels = batch.masked_fill(batch == 0, -100)
    for _ in range(40):
        loss = writer.model(input_ids=batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
