"""How the next token is drawn: the settings, checked; transformers' own warpers; and one number between 0 and 1 a song.

What is unusual: a token is drawn by the inverse of the cumulative distribution at a number that comes from the song's
own generator. So a song depends on its seed and its number alone, not on how many are written beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessorList
from transformers.generation import logits_process as warpers

from lyrist.errors import UsageError


@dataclass(frozen=True)
class Sampling:
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
        drawn += f", repetition penalty {self.repetition_penalty:g}" if self.repetition_penalty > 1 else ""
        return drawn + (f", no {self.no_repeat_ngram} tokens twice" if self.no_repeat_ngram else "")


class Drawer:
    """Draws next tokens for some songs at once."""

    def __init__(self, sampling: Sampling, banned: Tensor, spared: Tensor) -> None:
        """Prepare the warpers.

        Parameters
        ----------
        sampling
            The settings.
        banned
            Ids that are never written: special tokens but the end.
        spared
            Ids that the repetition penalty leaves alone: line ends and the end. A song is full of them, and to punish
            them makes lines longer and longer.
        """
        self.sampling, self.banned, self.spared = sampling, banned, spared
        self._history = LogitsProcessorList()
        if sampling.repetition_penalty > 1:
            self._history.append(warpers.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        if sampling.no_repeat_ngram:
            self._history.append(warpers.NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram))
        self._warpers = LogitsProcessorList()
        if not sampling.greedy:
            if sampling.temperature != 1:
                self._warpers.append(warpers.TemperatureLogitsWarper(float(sampling.temperature)))
            if sampling.top_k:
                self._warpers.append(warpers.TopKLogitsWarper(sampling.top_k))
            if sampling.top_p < 1:
                self._warpers.append(warpers.TopPLogitsWarper(sampling.top_p))
            if sampling.min_p:
                self._warpers.append(warpers.MinPLogitsWarper(sampling.min_p))

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
        scores[:, self.banned] = -torch.inf
        if also_banned is not None:
            scores[:, also_banned] = -torch.inf
        if len(self._history) and history.shape[1]:
            kept = scores[:, self.spared]
            scores = self._history(history, scores)  # type: ignore[arg-type]
            scores[:, self.spared] = kept
        return self._warpers(history, scores) if len(self._warpers) else scores  # type: ignore[arg-type]

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
        heaped = scores.double().softmax(dim=-1).cumsum(dim=-1)
        found = torch.searchsorted(heaped, (numbers.to(heaped) * heaped[:, -1])[:, None], right=True).squeeze(1)
        # The very end of the distribution may round to a token after the last possible one.
        last = scores.shape[1] - 1 - torch.isfinite(scores).int().flip(1).argmax(dim=1)
        return torch.minimum(found, last)
