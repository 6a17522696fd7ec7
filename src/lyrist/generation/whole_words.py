"""Whole words: writers that learnt their tokenizer on a corpus write only words of its training songs, not halves or compounds.

Byte-pair tokens are pieces of words, and a small model joins them at will ("canyouyouyou"). The words of the training songs are
therefore a trie of tokens: inside a word only its continuations can follow, and after a whole word no other word without a space.
Punctuation, digits and line ends are free.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTES = {name: byte for byte, name in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]
"""The bytes behind the characters of byte-level tokens."""

MOST = 4_096
"""Masks that are kept."""

State = tuple[int, ...]
"""The tokens of the word in progress; empty between words."""


class WholeWords:
    """Says which tokens can follow a song so that all of its words are known ones."""

    def __init__(self, tokenizer: Any, words: Collection[str], size: int) -> None:
        """Build the trie.

        Parameters
        ----------
        tokenizer
            A byte-level tokenizer that divides texts into words first (see `lyrist.training.vocabularies`).
        words
            The known words, as they are written.
        size
            Tokens of the model.
        """
        known = sorted(words)
        texts = [*known, *(f" {word}" for word in known)]
        encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)
        self._whole = {tuple(ids) for ids in encoded["input_ids"]}
        self._next: dict[State, set[int]] = {}
        for ids in self._whole:
            for end in range(len(ids)):
                self._next.setdefault(ids[:end], set()).add(ids[end])
        names = tokenizer.convert_ids_to_tokens(list(range(min(len(tokenizer), size))))
        added = set(tokenizer.get_added_vocab().values())
        pieces = [number for number, name in enumerate(names) if number not in added and _has_letter(name)]
        self._free = torch.ones(size, dtype=torch.bool)
        self._free[pieces] = False
        self._spaced = [number for number in self._next.get((), ()) if names[number].startswith("Ġ")]
        self._breaks = frozenset(n for n, name in enumerate(names) if name[:1] in "ĠĊ") | added
        self._masks: dict[State, Tensor] = {}

    def allowed(self, history: Tensor) -> Tensor:
        """Return which tokens can follow each song, (songs, time) -> (songs, tokens)."""
        return torch.stack([self._mask(self._state(row)) for row in history.tolist()])

    def _state(self, ids: Sequence[int]) -> State:
        """Return the word in progress; tokens of a prompt may belong to no known word."""
        first = next((place for place in range(len(ids) - 1, -1, -1) if ids[place] in self._breaks), 0)
        state: State = ()
        for token in ids[first:]:
            if token in self._next.get(state, ()):
                state = (*state, token)
            else:
                state = (token,) if token in self._next[()] and not state else ()
        return state

    def _mask(self, state: State) -> Tensor:
        if state not in self._masks:
            if len(self._masks) >= MOST:
                self._masks.clear()
            # After a space, or an apostrophe that follows a whole word, no word has to follow.
            mark = bool(state) and bool(self._free[state[-1]])
            whole = not state or state in self._whole or (mark and (not state[:-1] or state[:-1] in self._whole))
            mask = self._free.clone() if whole else torch.zeros_like(self._free)
            if whole and state:
                mask[self._spaced] = True
            mask[list(self._next.get(state, ()))] = True
            self._masks[state] = mask
        return self._masks[state]


def _has_letter(name: str) -> bool:
    """Return whether a byte-level token has a letter, or a part of one."""
    try:
        return any(letter.isalpha() for letter in bytes(BYTES[part] for part in name).decode())
    except (KeyError, UnicodeDecodeError):
        return True
