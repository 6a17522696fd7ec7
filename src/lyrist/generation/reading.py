"""What a model has read: one forward pass a token, with keys and values (or a state) carried on, for many songs at once.

All songs of a `Reading` have the same length, since they begin with the same words and those that end leave: there is
no padding, no mask, and nothing that could depend on the other songs. A song that outgrows the model's context is read
again from its prefix (the beginning and its conditions) and its last words: half the context.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Reading:
    """The songs read so far by one model, and what it says of the token that follows each."""

    def __init__(
        self,
        model: Any,
        prefix: Sequence[int],
        context: int,
        *,
        cached: bool = True,
        encoder: Sequence[int] | None = None,
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
            Tokens that the model reads at once.
        cached
            Carry keys and values on; without, everything is computed anew for each token (for comparison only).
        encoder
            What the encoder of a sequence-to-sequence model reads.
        """
        self.model, self.prefix, self.context, self.cached = model, list(prefix), context, cached
        self.device = next(model.parameters()).device if any(True for _ in model.parameters()) else torch.device("cpu")
        self.ids = torch.zeros((1, 0), dtype=torch.long, device=self.device)
        """(songs, tokens): what was read after the prefix."""
        self.logits: Tensor
        """(songs, vocabulary): what the model says of the next token of each."""
        self._past: Any = None
        self._from = 0
        self._encoded: Any = None
        with torch.no_grad():
            if encoder is not None:
                given = torch.tensor([list(encoder)], device=self.device)
                self._encoded = model.get_encoder()(input_ids=given)
            self._begin()

    def __len__(self) -> int:
        return self.ids.shape[0]

    @torch.no_grad()
    def feed(self, tokens: Tensor) -> Tensor:
        """Read more of each song: ``tokens`` (songs, n); return the logits after each of them, (songs, n, vocabulary)."""
        self.ids = torch.cat([self.ids, tokens.to(self.device)], dim=1)
        new = tokens.shape[1]
        if len(self.prefix) + self.ids.shape[1] - self._from > self.context:
            self._from = self.ids.shape[1] - max((self.context - len(self.prefix)) // 2, new)
            return self._begin()[:, -new:]
        if not self.cached:
            return self._begin()[:, -new:]
        logits = self._forward(tokens.to(self.device))
        self.logits = logits[:, -1]
        return logits

    def _begin(self) -> Tensor:
        """Read anew: the prefix, and each song from the place where its window begins."""
        prefix = torch.tensor([self.prefix], dtype=torch.long, device=self.device).expand(len(self), -1)
        self._past = None
        logits = self._forward(torch.cat([prefix, self.ids[:, self._from :]], dim=1))
        self.logits = logits[:, -1]
        return logits

    def _forward(self, ids: Tensor) -> Tensor:
        given: dict[str, Any] = {"past_key_values": self._past, "use_cache": self.cached}
        if self._encoded is None:
            given["input_ids"] = ids
        else:
            hidden = self._encoded.last_hidden_state.expand(len(ids), -1, -1)
            given |= {"decoder_input_ids": ids, "encoder_outputs": type(self._encoded)(last_hidden_state=hidden)}
        found = self.model(**given)
        self._past = found.past_key_values if self.cached else None
        logits: Tensor = found.logits
        return logits

    @torch.no_grad()
    def keep(self, rows: Tensor) -> None:
        """Keep these songs, in this order; a number may stand there more than once."""
        self.ids, self.logits = self.ids[rows], self.logits[rows]
        if self._past is not None:
            self._past.batch_select_indices(rows)

    @torch.no_grad()
    def fork(self, times: int) -> Reading:
        """Return a reading of its own in which each song stands ``times`` times, one copy beside the other."""
        other = copy.copy(self)
        other._past = copy.deepcopy(self._past)
        other.keep(torch.arange(len(self), device=self.device).repeat_interleave(times))
        return other
