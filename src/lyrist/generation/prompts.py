r"""The start of songs (conditions and prompt, checked), and the classes of tokens in a vocabulary.

A prompt is cleaned like the corpus. The two characters ``\n`` in it mean a line end, which is hard to type in a shell.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lyrist.corpus.cleaning import Cleaning, clean
from lyrist.errors import LyristError, UsageError
from lyrist.generation.sampling import WholeWords

ENDLESS = sys.maxsize
"""Context of a model without a limit."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_PUNCTUATION = frozenset([",", ".", "!", "?", ";", ":", "...", "…"])
_LIST = re.compile(r"[ĠĊ▁\s]*[\d*#•>–-]")
_CONTROL = re.compile("[\u0100-\u0109\u010b-\u011f]")
"""Control characters but the line end, as byte-level tokenizers write them."""
_MARKS = ("Ġ", "▁")  # how byte-level and SentencePiece tokenizers write the space before a word
_WHOLE_WORDS: WeakKeyDictionary[Any, WholeWords] = WeakKeyDictionary()
"""By the tokenizer of a writer: a server has a vocabulary for each request, and 16,000 words take a second."""


class WriterProtocol(Protocol):
    """The part of `lyrist.training.writer.Writer` that generation uses."""

    model: Any
    tokenizer: Any
    context: int
    seq2seq: bool
    prompt: str
    """How conditions are passed; not empty if the model reads a request, with details of the song."""

    def prefix(self, given: Mapping[str, str] | None = None) -> list[int]:
        """Return the tokens before the lyrics."""

    def style_bias(self, given: Mapping[str, str] | None = None) -> NDArray[np.float32] | None:
        """Return the logit bias of each token for the conditions; None without one."""

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
    """The start of songs: the prefix that the model reads, and the prompt."""

    writer: WriterProtocol
    prefix: tuple[int, ...]
    prompt: str
    ids: tuple[int, ...]
    """The tokens of the prompt."""
    encoding: EncoderInput | None = None
    """Input of the encoder of a sequence-to-sequence model."""
    bias: Tensor | None = None
    """Logit bias of the conditions, (vocabulary,); see `lyrist.training.logit_bias`."""

    @property
    def context(self) -> int:
        """Context of the model in tokens."""
        return self.writer.context or ENDLESS


def start(writer: WriterProtocol, given: Mapping[str, str], prompt: str | None) -> SongStart:
    """Check conditions and prompt, and return the start of the songs.

    Raises
    ------
    UsageError
        The prompt is empty or longer than the context, or a condition is unknown.
    """
    text = "" if prompt is None else cleaned(prompt)
    prefix, ids = writer.prefix(given), writer.encode(text) if text else []
    context = writer.context or ENDLESS
    room = 2 * context if writer.seq2seq else context - len(prefix) - 1
    if len(ids) > room:
        raise UsageError(
            f"The prompt has {len(ids):,} tokens, but this writer reads {room:,} at most; give only the last lines."
        )
    usual = writer.style_bias(given)
    bias = None if usual is None else torch.from_numpy(usual).to(writer.model.device)
    if not writer.seq2seq:
        return SongStart(writer, tuple(prefix), text, tuple(ids), bias=bias)
    first = int(writer.model.config.decoder_start_token_id)
    encoding = EncoderInput(tuple(prefix), (int(writer.tokenizer.eos_token_id),), room)
    return SongStart(writer, (first,), text, tuple(ids), encoding, bias)


def cleaned(prompt: str) -> str:
    """Return a prompt cleaned like a corpus, keeping a final line end."""
    prompt = prompt.replace("\\n", "\n")
    text = clean(prompt, Cleaning(sections="keep"))
    if not text.strip():
        raise UsageError("The prompt is empty; give some words, or leave --prompt out.")
    return text + "\n" * min(len(prompt) - len(prompt.rstrip("\n")), 2)


class Vocabulary:
    """Classes of tokens: line ends, whole words, continuations, and tokens that are never written."""

    def __init__(self, writer: WriterProtocol) -> None:
        self.writer = writer
        tokenizer = writer.tokenizer
        self.size = int(writer.model.config.vocab_size)
        self.eos = int(tokenizer.eos_token_id)
        known = min(len(tokenizer), self.size)
        special = {int(i) for i in tokenizer.all_special_ids} | _added(tokenizer) - {self.eos}
        names = tokenizer.convert_ids_to_tokens(list(range(known)))
        if writer.prompt and any(
            name.startswith("Ġ") for name in names[:1000]
        ):  # byte-level, with all control characters
            special |= {i for i, name in enumerate(names) if _CONTROL.search(name)}
        self.banned = torch.tensor(sorted((special - {self.eos}) | set(range(known, self.size))), dtype=torch.long)
        ends = [i for i, name in enumerate(names) if i not in special and _has_line_end(name)]
        self.line_ends = torch.tensor(ends, dtype=torch.long)
        """Tokens that contain a line end."""
        self._names = names

    @cached_property
    def spared(self) -> Tensor:
        """Line ends and the end token, which have no repetition penalty."""
        return torch.tensor([*self.line_ends.tolist(), self.eos], dtype=torch.long)

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens that end a line."""
        return frozenset(self.spared.tolist())

    @cached_property
    def not_first(self) -> Tensor:
        """Tokens that do not begin a line: line ends, the end token, and for a pretrained model those of lists and markup."""
        lists = [i for i, name in enumerate(self._names) if self.writer.prompt and _LIST.match(name)]
        return torch.tensor([*self.spared.tolist(), *lists], dtype=torch.long)

    @cached_property
    def closing(self) -> Tensor:
        """Tokens that can follow the last word of a line: line ends, the end token and punctuation marks."""
        marks = [i for i, name in enumerate(self._names) if name in _PUNCTUATION]
        return torch.tensor([*self.spared.tolist(), *marks], dtype=torch.long)

    @cached_property
    def whole_words(self) -> WholeWords | None:
        """What keeps the words of a writer whole that knows the words of its training songs."""
        words, tokenizer = getattr(self.writer, "words", ()), self.writer.tokenizer
        if words and tokenizer not in _WHOLE_WORDS:
            _WHOLE_WORDS[tokenizer] = WholeWords(tokenizer, words, self.size)
        return _WHOLE_WORDS[tokenizer] if words else None

    def check_line_end(self) -> None:
        """Raise an error if no token has a line end."""
        if not len(self.line_ends):
            raise LyristError(
                "The tokenizer of this writer has no line end, so it cannot write line by line; "
                "leave --form, --rhyme, --syllables, --hook and --original out."
            )

    @cached_property
    def words(self) -> dict[int, str]:
        """Tokens of a space and a whole word, with the word in lower case."""
        found = {}
        for number, name in enumerate(self._names):
            if name[:1] in _MARKS:
                word = name[1:] if name.isascii() or name[1:].isascii() else self.writer.decode([number]).strip()
                if word == "I" or (len(word) > 1 and word.islower() and _WORD.fullmatch(word)):
                    found[number] = word.lower()
        return found

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self.writer.encode(text)


def _added(tokenizer: Any) -> set[int]:
    """Return the tokens of conditions; section headers are part of a song."""
    return {int(i) for name, i in tokenizer.get_added_vocab().items() if name.startswith("<|")}


def _has_line_end(name: str) -> bool:
    """Return whether a token contains a line end, which byte-level tokenizers write as Ċ."""
    return "Ċ" in name or "\n" in name or name == "<0x0A>"
