r"""What a song begins with, checked: the writer's conditions, the words that are given, and which tokens mean what.

A prompt is cleaned as the corpus was. The two characters ``\n`` in it stand for a line end, since a shell has no easy
way to type one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lyrist.corpus.cleaning import Cleaning, clean
from lyrist.errors import UsageError
from lyrist.text.rhyme import Rhyme, rhymes, syllables

ENDLESS = sys.maxsize
"""The context of a model that reads any number of tokens."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_MARKS = ("Ġ", "▁")  # how byte-level and SentencePiece tokenizers write the space before a word


class WriterProtocol(Protocol):
    """What is needed of a writer; `lyrist.training.writer.Writer` has it."""

    model: Any
    tokenizer: Any
    context: int
    seq2seq: bool

    def prefix(self, given: Mapping[str, str] | None = None) -> list[int]:
        """Return the tokens before the lyrics."""

    def lean(self, given: Mapping[str, str] | None = None) -> NDArray[np.float32] | None:
        """Return how usual each token is for the conditions; None where nothing is known."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of lyrics."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the lyrics of tokens."""


@dataclass(frozen=True)
class EncoderInput:
    """The input of the encoder of a sequence-to-sequence model: an instruction, the song so far, and the end token."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    most: int
    """Tokens of the song that the encoder reads, counted from its end."""


@dataclass(frozen=True)
class SongStart:
    """Where every song starts: what is read before it, and the words that are given."""

    writer: WriterProtocol
    prefix: tuple[int, ...]
    prompt: str
    ids: tuple[int, ...]
    """The tokens of the prompt."""
    encoding: EncoderInput | None = None
    """What the encoder of a sequence-to-sequence model reads."""
    bias: Tensor | None = None
    """How usual each token is for what is given, (vocabulary,); see `lyrist.training.logit_bias`."""

    @property
    def context(self) -> int:
        """Tokens that the model reads at once."""
        return self.writer.context or ENDLESS


def start(writer: WriterProtocol, given: Mapping[str, str], prompt: str | None) -> SongStart:
    """Check what is given and return where the songs start.

    Raises
    ------
    UsageError
        The prompt is empty or longer than the model's context, or the writer does not know a condition.
    """
    text = "" if prompt is None else _cleaned(prompt)
    prefix, ids = writer.prefix(given), writer.encode(text) if text else []
    context = writer.context or ENDLESS
    room = 2 * context if writer.seq2seq else context - len(prefix) - 1
    if len(ids) > room:
        raise UsageError(
            f"The prompt has {len(ids):,} tokens, but this writer reads {room:,} at most; give its last lines only."
        )
    usual = writer.lean(given)
    bias = None if usual is None else torch.from_numpy(usual).to(writer.model.device)
    if not writer.seq2seq:
        return SongStart(writer, tuple(prefix), text, tuple(ids), bias=bias)
    first = int(writer.model.config.decoder_start_token_id)
    encoding = EncoderInput(tuple(prefix), (int(writer.tokenizer.eos_token_id),), room)
    return SongStart(writer, (first,), text, tuple(ids), encoding, bias)


def _cleaned(prompt: str) -> str:
    """Return a prompt as the songs of a corpus are cleaned, with a line end at its end where it had one."""
    prompt = prompt.replace("\\n", "\n")
    text = clean(prompt, Cleaning(sections="keep"))
    if not text.strip():
        raise UsageError(
            "The prompt is empty; give some words, or leave --prompt out to have the writer begin by itself."
        )
    return text + "\n" * min(len(prompt) - len(prompt.rstrip("\n")), 2)


class Vocabulary:
    """Which tokens of a writer end a line, begin a word, are a word, or are never written."""

    def __init__(self, writer: WriterProtocol) -> None:
        self.writer = writer
        tokenizer = writer.tokenizer
        self.size = int(writer.model.config.vocab_size)
        self.eos = int(tokenizer.eos_token_id)
        known = min(len(tokenizer), self.size)
        special = {int(i) for i in tokenizer.all_special_ids} | _added(tokenizer) - {self.eos}
        self.banned = torch.tensor(sorted((special - {self.eos}) | set(range(known, self.size))), dtype=torch.long)
        names = tokenizer.convert_ids_to_tokens(list(range(known)))
        ends = [i for i, name in enumerate(names) if i not in special and _has_line_end(name)]
        self.line_ends = torch.tensor(ends, dtype=torch.long)
        """Tokens with a line end in them."""
        self._names = names
        self._rhyming: dict[str, Tensor] = {}

    @cached_property
    def spared(self) -> Tensor:
        """Line ends and the end: what a repetition penalty leaves alone."""
        return torch.tensor([*self.line_ends.tolist(), self.eos], dtype=torch.long)

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens after which a line is over."""
        return frozenset(self.spared.tolist())

    @cached_property
    def continuing(self) -> Tensor:
        """Tokens that go on with the word before them."""
        found = [i for i, name in enumerate(self._names) if name[:1].isalpha() and name[:1] not in (*_MARKS, "Ċ")]
        return torch.tensor(found, dtype=torch.long)

    @cached_property
    def words(self) -> dict[int, str]:
        """The tokens that are a space and a whole word, and the word in lower case."""
        found = {}
        for number, name in enumerate(self._names):
            if name[:1] in _MARKS:
                word = name[1:].lower()
                if _WORD.fullmatch(word) and (len(word) > 1 or word == "i") and word.isascii():
                    found[number] = word
        return found

    def rhyming(self, word: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return the words that rhyme with ``word``: token ids, how well (`Rhyme`), and their syllables, (n,) each."""
        if word not in self._rhyming:
            found = [(number, rhymes(word, other), syllables(other)) for number, other in self.words.items()]
            self._rhyming[word] = torch.tensor([e for e in found if e[1] >= Rhyme.SLANT], dtype=torch.long).reshape(
                -1, 3
            )
        table = self._rhyming[word]
        return table[:, 0], table[:, 1], table[:, 2]

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self.writer.encode(text)


def _added(tokenizer: Any) -> set[int]:
    """Return the tokens for conditions, however they were added; not those for sections, which are words of a song."""
    return {int(i) for name, i in tokenizer.get_added_vocab().items() if name.startswith("<|")}


def _has_line_end(name: str) -> bool:
    """Return whether a token, as the tokenizer writes it, holds a line end (byte-level tokenizers write it Ċ)."""
    return "Ċ" in name or "\n" in name or name == "<0x0A>"
