"""Sampling of the next token with transformers' logits processors and one random number per song.

A token is the inverse of the cumulative distribution at a number from the song's own generator, so a song depends on its seed and
number only, not on the batch.

Writers that learnt their tokenizer on a corpus write only words of its training songs (`WholeWords`), not halves or compounds.
Byte-pair tokens are pieces of words, and a small model joins them at will ("canyouyouyou"). The words of the training songs are
therefore a trie of tokens: inside a word only its continuations can follow, and after a whole word no other word without a space.
Punctuation, digits and line ends are free.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessor
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.generation import logits_process as warpers

from lyrist.generation.config import COUNTED, RUN, SamplingOptions


def overused(history: NDArray[np.integer[Any]], times: int) -> Iterator[tuple[int, int]]:
    """Yield (song, token) if the token would complete a run of `RUN` tokens that occurs ``times`` times in the song.

    Songs repeat lines, but small models and models with song memory can enter a loop that they do not leave.

    Parameters
    ----------
    history
        Tokens so far, (songs, time).
    times
        Maximum occurrences of a run.
    """
    length = history.shape[1]
    if length < RUN + times - 1:
        return
    windows = np.lib.stride_tricks.sliding_window_view(history, RUN, axis=1)
    same = (windows[:, :, :-1] == history[:, None, 1 - RUN :]).all(axis=2)
    for song in np.flatnonzero(same.sum(axis=1) >= times).tolist():
        tokens, counts = np.unique(windows[song, same[song], -1], return_counts=True)
        for token in tokens[counts >= times].tolist():
            yield song, token


class MinP(LogitsProcessor):
    """``MinPLogitsWarper`` of transformers on log-probabilities, without softmax and sorting: a third of the time."""

    def __init__(self, least: float) -> None:
        """Exclude tokens with less than ``least`` of the probability of the most likely one."""
        self.least = math.log(least)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores, ``-inf`` for excluded tokens."""
        return scores.masked_fill(scores < scores.amax(dim=-1, keepdim=True) + self.least, -torch.inf)


class FrequencyPenalty(LogitsProcessor):
    """Lowers the logits of tokens in proportion to their number in the song, at most `COUNTED`."""

    def __init__(self, penalty: float) -> None:
        """Lower logits by ``penalty`` for each occurrence."""
        self.penalty = penalty

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores, lowered for tokens in ``input_ids``."""
        counts = torch.zeros_like(scores).scatter_add_(1, input_ids, torch.ones_like(input_ids, dtype=scores.dtype))
        return scores - self.penalty * counts.clamp(max=COUNTED)


def add_style_bias(logits: Tensor, bias: Tensor | None, style: float) -> Tensor:
    """Return logits with the style bias added.

    Parameters
    ----------
    logits
        Logits, (songs, vocabulary) or (vocabulary,).
    bias
        Bias of each token, (vocabulary,), of possibly fewer or more tokens than the logits; see `lyrist.training.logit_bias`.
    style
        Weight of the bias; see `SamplingOptions`.
    """
    if bias is None or not style:
        return logits
    both = min(bias.shape[-1], logits.shape[-1])
    found = logits.float().clone()
    found[..., :both] += style * bias[..., :both]
    return found


def _each(processors: Sequence[LogitsProcessor], history: Tensor, scores: Tensor) -> Tensor:
    """Return the scores after all processors; transformers' own list inspects each signature at every call."""
    for processor in processors:
        scores = processor(history, scores)
    return scores


class TokenSampler:
    """Samples the next tokens of several songs."""

    def __init__(
        self, sampling: SamplingOptions, banned: Tensor, spared: Tensor, words: WholeWords | None = None
    ) -> None:
        """Create the logits processors.

        Parameters
        ----------
        sampling
            Sampling options.
        banned
            Ids that are never sampled: special tokens except the end token.
        spared
            Ids without repetition penalty: line ends and, last, the end token. A penalty on them makes lines longer and
            longer.
        words
            What keeps words whole; it comes before the other options where both would exclude every token.
        """
        self.sampling, self.banned, self.spared, self.words = sampling, banned, spared, words
        self._history: list[LogitsProcessor] = []
        if sampling.repetition_penalty > 1:
            self._history.append(warpers.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        if sampling.frequency_penalty:
            self._history.append(FrequencyPenalty(sampling.frequency_penalty))
        if sampling.no_repeat_ngram:
            self._history.append(warpers.NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram))
        self._warpers: list[LogitsProcessor] = []
        if not sampling.greedy:
            if sampling.temperature != 1:
                self._warpers.append(warpers.TemperatureLogitsWarper(float(sampling.temperature)))
            if sampling.top_k:
                self._warpers.append(warpers.TopKLogitsWarper(sampling.top_k))
            if sampling.top_p < 1:
                self._warpers.append(warpers.TopPLogitsWarper(sampling.top_p))
            if sampling.min_p:
                self._warpers.append(MinP(sampling.min_p))

    def scores(self, logits: Tensor, history: Tensor, also_banned: Tensor | None = None) -> Tensor:
        """Return the logits after all options, ``-inf`` for excluded tokens.

        Parameters
        ----------
        logits
            (songs, vocabulary).
        history
            Tokens so far with the prompt, (songs, time).
        also_banned
            Further excluded ids.
        """
        scores = logits.float().clone()
        scores.index_fill_(1, self.banned, -torch.inf)
        if also_banned is not None:
            scores.index_fill_(1, also_banned, -torch.inf)
        if self._history and history.shape[1]:
            kept = scores[:, self.spared]
            scores = _each(self._history, history, scores)
            scores[:, self.spared] = kept
        if self.sampling.max_repeats:
            for song, token in overused(history.cpu().numpy(), self.sampling.max_repeats):
                scores[song, token] = -torch.inf
            self._no_gap(scores, history)
            self._no_loop(scores, history)
        if self.words is not None:
            halves = ~self.words.allowed(history).to(scores.device)
            stuck = scores.masked_fill(halves, -torch.inf).isneginf().all(dim=1)
            scores[stuck] = logits[stuck].float().index_fill(1, self.banned, -torch.inf)
            scores.masked_fill_(halves, -torch.inf)
        return _each(self._warpers, history, scores)

    def _no_gap(self, scores: Tensor, history: Tensor) -> None:
        """Exclude a third line end in a row, in place: one empty line separates sections."""
        if history.shape[1] > 1 and len(self.spared):
            gap = torch.isin(history[:, -2:], self.spared).all(dim=1)
            rows = torch.nonzero(gap).flatten()
            scores[rows[:, None], self.spared[:-1]] = -torch.inf

    def _no_loop(self, scores: Tensor, history: Tensor) -> None:
        """Exclude the end of a line that occurs `max_repeats` times already, in place: short lines are a loop without a run."""
        if not len(self.spared):
            return
        ends = torch.isin(history, self.spared)
        for row in torch.nonzero(ends.any(dim=1)).flatten().tolist():
            ids, places = history[row].tolist(), torch.nonzero(ends[row]).flatten().tolist()
            line = ids[places[-1] + 1 :]
            if line:
                before = [ids[first + 1 : last] for first, last in pairwise([-1, *places])]
                if before.count(line) >= self.sampling.max_repeats:
                    scores[row, self.spared] = -torch.inf

    def draw(self, logits: Tensor, history: Tensor, numbers: Tensor, also_banned: Tensor | None = None) -> Tensor:
        """Return the next token of each song, (songs,).

        Parameters
        ----------
        logits, history, also_banned
            As for `scores`.
        numbers
            Positions in the cumulative distributions, (songs,), float64 in [0, 1).
        """
        scores = self.scores(logits, history, also_banned)
        if self.sampling.greedy:
            return scores.argmax(dim=-1)
        heaped = scores.softmax(dim=-1).cumsum(dim=-1, dtype=torch.float64)
        whole = heaped[:, -1]
        # Strictly below the total, or rounding could select a token after the last possible one.
        aim = torch.minimum(numbers.to(heaped) * whole, torch.nextafter(whole, torch.zeros_like(whole)))
        return torch.searchsorted(heaped, aim[:, None], right=True).squeeze(1)


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
