"""What a model has read: one forward pass a token, with keys and values (or a state) carried on, for many songs at once.

All songs of a `Reading` have the same length, since they begin with the same words and those that end leave: there is
no padding, no mask, and nothing that could depend on the other songs. A song that outgrows the model's context is read
again from its prefix (the beginning and its conditions) and its last words: half the context. A sequence-to-sequence
model has the song so far in its encoder, and its decoder goes on from there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput


@dataclass(frozen=True)
class Encoding:
    """What the encoder of a sequence-to-sequence model reads: an instruction, the song so far, and the end."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    most: int
    """Tokens of the song that it reads, the last ones."""


class Reading:
    """The songs read so far by one model, and what it says of the token that follows each."""

    def __init__(
        self,
        model: Any,
        prefix: Sequence[int],
        context: int,
        *,
        ids: Sequence[int] = (),
        cached: bool = True,
        encoding: Encoding | None = None,
    ) -> None:
        """Begin to read.

        Parameters
        ----------
        model
            A causal model of `transformers`, or a sequence-to-sequence one.
        prefix
            The tokens that every song begins with and that stay when the window slides; of a sequence-to-sequence model,
            those that its decoder begins with.
        context
            Tokens that the model (the decoder) reads at once.
        ids
            The first tokens of the song.
        cached
            Carry keys and values on; without, everything is computed anew for each token (for comparison only).
        encoding
            For a sequence-to-sequence model.
        """
        self.model, self.prefix, self.context, self.cached = model, list(prefix), context, cached
        self.encoding = encoding
        self.device = next((weights.device for weights in model.parameters()), torch.device("cpu"))
        self.ids = torch.tensor([list(ids)], dtype=torch.long, device=self.device)
        """(songs, tokens): what was read after the prefix."""
        self.logits: Tensor
        """(songs, vocabulary): what the model says of the next token of each."""
        self._past: Any = None
        self._from = 0 if encoding is None else len(ids)
        self._encoded: Tensor | None = None
        with torch.inference_mode():
            self._begin()

    def __len__(self) -> int:
        return self.ids.shape[0]

    @torch.inference_mode()
    def feed(self, tokens: Tensor) -> Tensor:
        """Read more of each song: ``tokens`` (songs, n); return the logits after each of them, (songs, n, vocabulary)."""
        self.ids = torch.cat([self.ids, tokens.to(self.device)], dim=1)
        new = tokens.shape[1]
        if len(self.prefix) + self.ids.shape[1] - self._from > self.context:
            kept = (self.context - len(self.prefix)) // 2 if self.encoding is None else 0
            self._from, self._encoded = self.ids.shape[1] - max(kept, new), None
            return self._begin()[:, -new:]
        if not self.cached:
            return self._begin()[:, -new:]
        logits = self._forward(tokens.to(self.device))
        self.logits = logits[:, -1]
        return logits

    def _begin(self) -> Tensor:
        """Read anew: the prefix, and each song from the place where its window begins."""
        prefix = self._same(self.prefix)
        self._past = None
        if self.encoding is not None and self._encoded is None:
            self._encoded = self._encode(self.encoding)
        logits = self._forward(torch.cat([prefix, self.ids[:, self._from :]], dim=1))
        self.logits = logits[:, -1]
        return logits

    def _encode(self, encoding: Encoding) -> Tensor:
        """Have the encoder read the songs up to where the decoder's window begins; return its (songs, time, size)."""
        songs = self.ids[:, max(0, self._from - encoding.most) : self._from]
        given = torch.cat([self._same(encoding.before), songs, self._same(encoding.after)], dim=1)
        hidden: Tensor = self.model.get_encoder()(input_ids=given).last_hidden_state
        return hidden

    def _same(self, ids: Sequence[int]) -> Tensor:
        """Return the same tokens for each song."""
        return torch.tensor([list(ids)], dtype=torch.long, device=self.device).expand(len(self), -1)

    def _forward(self, ids: Tensor) -> Tensor:
        given: dict[str, Any] = {"past_key_values": self._past, "use_cache": self.cached}
        if self._encoded is None:
            given["input_ids"] = ids
        else:
            given |= {"decoder_input_ids": ids, "encoder_outputs": BaseModelOutput(last_hidden_state=self._encoded)}
        found = self.model(**given)
        self._past = found.past_key_values if self.cached else None
        logits: Tensor = found.logits
        return logits

    @torch.inference_mode()
    def keep(self, rows: Tensor) -> None:
        """Keep these songs, in this order; a number may stand there more than once."""
        self.ids, self.logits = self.ids[rows], self.logits[rows]
        if self._encoded is not None:
            self._encoded = self._encoded[rows]
        if self._past is not None:
            self._past.batch_select_indices(rows)

    @torch.inference_mode()
    def fork(self, times: int) -> Reading:
        """Return a reading of its own in which each song stands ``times`` times, one copy beside the other."""
        other = copy.copy(self)
        other._past = copy.deepcopy(self._past)
        other.keep(torch.arange(len(self), device=self.device).repeat_interleave(times))
        return other
