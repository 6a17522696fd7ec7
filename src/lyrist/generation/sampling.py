"""How the next token is drawn: the settings, checked; transformers' own warpers; and one number between 0 and 1 a song.

What is unusual: a token is drawn by the inverse of the cumulative distribution at a number that comes from the song's
own generator. So a song depends on its seed and its number alone, not on how many are written beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessor
from transformers.generation import logits_process as warpers

from lyrist.generation.config import RUN, SamplingOptions


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


def add_style_bias(logits: Tensor, bias: Tensor | None, style: float) -> Tensor:
    """Return logits that lean to what is usual.

    Parameters
    ----------
    logits
        (songs, vocabulary), or of one song.
    lean
        (vocabulary,), perhaps of fewer or more tokens than the logits; see `lyrist.training.logit_bias`. None: to nothing.
    style
        How far; see `SamplingOptions`.
    """
    if bias is None or not style:
        return logits
    both = min(bias.shape[-1], logits.shape[-1])
    found = logits.float().clone()
    found[..., :both] += style * bias[..., :both]
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
