"""How the next token is drawn: the settings, checked; transformers' own warpers; and one number between 0 and 1 a song.

What is unusual: a token is drawn by the inverse of the cumulative distribution at a number that comes from the song's
own generator. So a song depends on its seed and its number alone, not on how many are written beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessor
from transformers.generation import logits_process as warpers

from lyrist.errors import UsageError


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn; the defaults were chosen by reading what they write."""

    temperature: float = 0.9
    """Above 0; less is safer, more is wilder. 0 takes the likeliest token always (greedy)."""
    top_k: int = 0
    """Draw among this many likeliest tokens; 0: all."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that together have this probability, in (0, 1]."""
    min_p: float = 0.05
    """Draw among tokens at least this times as likely as the likeliest, in [0, 1); Nguyen and others, 2024."""
    repetition_penalty: float = 1.0
    """At least 1: logits of tokens that were written are divided by it (Keskar and others, 2019); line ends are not."""
    no_repeat_ngram: int = 0
    """No run of so many tokens is written twice; 0: any may be."""
    style: float = 3.5
    """How far to lean to words that are usual for the genre or artist, at least 0; 0: not beyond what the model does."""
    max_repeats: int = 3
    """No run of `RUN` tokens stands in a song more than so many times; 0: no limit."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(
                f"--temperature is {self.temperature:g}; it is at least 0 (0 is greedy: the likeliest token always)."
            )
        if self.top_k < 0:
            raise UsageError(f"--top-k is {self.top_k}; it is a number of tokens, or 0 for all of them.")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p is {self.top_p:g}; it is a share of the probability, above 0 and at most 1.")
        if not 0 <= self.min_p < 1:
            raise UsageError(f"--min-p is {self.min_p:g}; it is at least 0 and below 1.")
        if not 1 <= self.repetition_penalty < float("inf"):
            raise UsageError(
                f"--repetition-penalty is {self.repetition_penalty:g}; below 1 it would reward repeating, "
                "until nothing else is written: give 1 (none) or a little more, such as 1.1."
            )
        if self.no_repeat_ngram < 0:
            raise UsageError(
                f"--no-repeat-ngram is {self.no_repeat_ngram}; it is a number of tokens, or 0 for no limit."
            )
        if not 0 <= self.style < float("inf"):
            raise UsageError(
                f"--style is {self.style:g}; it is at least 0 (0: the genre or artist is left to the writer alone)."
            )
        if self.max_repeats < 0:
            raise UsageError(f"--max-repeats is {self.max_repeats}; it is a number of times, or 0 for no limit.")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken always."""
        return self.temperature == 0

    def told(self) -> str:
        """Return the settings in words, for a summary."""
        if self.greedy:
            drawn = "greedy (temperature 0: always the likeliest token)"
        else:
            drawn = f"temperature {self.temperature:g}"
            drawn += f", top-k {self.top_k}" if self.top_k else ""
            drawn += f", top-p {self.top_p:g}" if self.top_p < 1 else ""
            drawn += f", min-p {self.min_p:g}" if self.min_p else ""
        drawn += f", style {self.style:g}" if self.style else ""
        drawn += f", repetition penalty {self.repetition_penalty:g}" if self.repetition_penalty > 1 else ""
        drawn += f", nothing more than {self.max_repeats} times" if self.max_repeats else ""
        return drawn + (f", no {self.no_repeat_ngram} tokens twice" if self.no_repeat_ngram else "")


RUN = 6
"""Tokens of a run whose repetitions are counted."""


def overused(history: NDArray[np.integer[Any]], times: int) -> Iterator[tuple[int, int]]:
    """Yield (song, token) where that token would complete a run of `RUN` tokens that the song has ``times`` times.

    A song repeats itself: a refrain, *la la la*. A loop that a model cannot leave is something else, and small models and
    those with a memory of the song fall into one sooner or later.

    Parameters
    ----------
    history
        (songs, time): what was written of each.
    times
        How often a run may stand in a song.
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
    """transformers' ``MinPLogitsWarper`` on logarithms, which needs neither a softmax nor an order: a third of the time."""

    def __init__(self, least: float) -> None:
        """Leave out tokens less than ``least`` times as likely as the likeliest."""
        self.least = math.log(least)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores, ``-inf`` for what is left out."""
        return scores.masked_fill(scores < scores.amax(dim=-1, keepdim=True) + self.least, -torch.inf)


def add_style_bias(logits: Tensor, lean: Tensor | None, style: float) -> Tensor:
    """Return logits that lean to what is usual.

    Parameters
    ----------
    logits
        (songs, vocabulary), or of one song.
    lean
        (vocabulary,), perhaps of fewer or more tokens than the logits; see `lyrist.training.style`. None: to nothing.
    style
        How far; see `SamplingOptions`.
    """
    if lean is None or not style:
        return logits
    both = min(lean.shape[-1], logits.shape[-1])
    found = logits.float().clone()
    found[..., :both] += style * lean[..., :both]
    return found


def _each(processors: Sequence[LogitsProcessor], history: Tensor, scores: Tensor) -> Tensor:
    """Return the scores after all processors; transformers' own list looks at the signature of each every time."""
    for processor in processors:
        scores = processor(history, scores)
    return scores


class TokenSampler:
    """Draws next tokens for some songs at once."""

    def __init__(self, sampling: SamplingOptions, banned: Tensor, spared: Tensor) -> None:
        """Prepare the warpers.

        Parameters
        ----------
        sampling
            The settings.
        banned
            Ids that are never written: special tokens but the end.
        spared
            Ids that the repetition penalty leaves alone: line ends and, last of them, the end. A song is full of
            them, and to punish them makes lines longer and longer.
        """
        self.sampling, self.banned, self.spared = sampling, banned, spared
        self._history: list[LogitsProcessor] = []
        if sampling.repetition_penalty > 1:
            self._history.append(warpers.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
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
        """Return what tokens are drawn from: logits after all settings, ``-inf`` for what cannot be drawn.

        Parameters
        ----------
        logits
            (songs, vocabulary).
        history
            (songs, time): what was written of each, the prompt included.
        also_banned
            Further ids that are not to be written now.
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
        return _each(self._warpers, history, scores)

    def _no_gap(self, scores: Tensor, history: Tensor) -> None:
        """Forbid a third line end in a row, in place: one empty line parts sections, more are a gap."""
        if history.shape[1] > 1 and len(self.spared):
            gap = torch.isin(history[:, -2:], self.spared).all(dim=1)
            scores[gap[:, None] & torch.isin(torch.arange(scores.shape[1]), self.spared[:-1])] = -torch.inf

    def draw(self, logits: Tensor, history: Tensor, numbers: Tensor, also_banned: Tensor | None = None) -> Tensor:
        """Return the next token of each song, (songs,).

        Parameters
        ----------
        logits, history, also_banned
            As for `scores`.
        numbers
            (songs,), float64 in [0, 1): where in the cumulative distribution the token lies.
        """
        scores = self.scores(logits, history, also_banned)
        if self.sampling.greedy:
            return scores.argmax(dim=-1)
        heaped = scores.softmax(dim=-1).cumsum(dim=-1, dtype=torch.float64)
        whole = heaped[:, -1]
        # Less than all of it, or rounding could end at a token after the last possible one.
        aim = torch.minimum(numbers.to(heaped) * whole, torch.nextafter(whole, torch.zeros_like(whole)))
        return torch.searchsorted(heaped, aim[:, None], right=True).squeeze(1)
