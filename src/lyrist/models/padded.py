"""LSTM layers that read padding like words, as some published programs do, without computing most of the padding.

The state after the last time step is the same as that of ``torch.nn.LSTM`` over padded songs, up to rounding, and so are the
gradients. The fused layers of PyTorch read segments of `CHUNK` time steps, each with only the songs that need it:

- A song leaves after the segment with its last word. Then all songs read padding, each from its own end. The input is constant
  there, so the state approaches a fixed point: once no state changes any more in 32-bit arithmetic, the rest changes nothing.
- A song that ends in the fixed point has no influence on the result, and its words have no gradient: it is read without one.
- Padding before songs gives all of them the same state: it is read once, and each song joins at the segment with its first word.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK = 32
"""Time steps of a segment."""

States = list[tuple[Tensor, Tensor]]
"""State and cell of each layer, (rows, units) each."""

UNCHANGED = 1.2e-7
"""Largest change of a state of size 1 that is rounding."""


@dataclass(frozen=True)
class Padding:
    """How songs are padded, and by which layers they are read."""

    layers: Sequence[nn.Module]
    """``torch.nn.LSTM`` of one layer and one direction each."""
    table: Tensor
    """The word vectors, (words, size)."""
    token: int
    """The id of the padding."""
    time: int
    """The length to which all songs are padded."""
    left: bool = False
    """Whether padding precedes the song."""

    def read(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the state of the last layer after all time steps, (songs, units).

        Parameters
        ----------
        ids, lengths
            Token ids (songs, longest), and the number of tokens of each song.
        """
        order = torch.argsort(lengths, descending=True, stable=True)
        back, ids, lengths = torch.argsort(order), ids[order], lengths[order]
        if self.left:
            return self._padding_first(ids, lengths)[back]
        if not self._settles():
            vectors = functional.embedding(self._padded(ids, lengths).t(), self.table)  # time first is faster
            layers: list[Any] = list(self.layers)
            weights = [weight for layer in layers for weight in layer._flat_weights]
            start = [torch.stack(each) for each in zip(*self._zero(len(ids)), strict=True)]
            train = torch.is_grad_enabled()
            return torch.lstm(vectors, start, weights, True, len(layers), 0.0, train, False, False)[1][-1][back]
        if torch.is_grad_enabled() and self.table.requires_grad:
            with torch.no_grad():
                ended, settled, steps = self._words_first(ids, lengths)
            if settled:
                # The state of the last songs is the fixed point of the padding, so no word of theirs has a gradient.
                fixed = self._pad([(h[-1:], c[-1:]) for h, c in ended], steps)[-1][0].expand(settled, -1)
                rest = len(ids) - settled
                found = [self._words_first(ids[:rest], lengths[:rest])[0][-1][0], fixed] if rest else [fixed]
                return torch.cat(found)[back]
        return self._words_first(ids, lengths)[0][-1][0][back]

    @torch.no_grad()
    def _settles(self) -> bool:
        """Return whether padding alone leads to its fixed point in half of the time."""
        states = self._zero(1)
        for _ in range(self.time // 2 // CHUNK):
            before, states = states, self._pad(states, CHUNK)
            if _unchanged(before, states):
                return True
        return False

    def _padded(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the ids with padding up to the last time step."""
        ids = functional.pad(ids, (0, self.time - ids.shape[1]))
        return ids.masked_fill(torch.arange(self.time) >= lengths.unsqueeze(1), self.token)

    def _words_first(self, ids: Tensor, lengths: Tensor) -> tuple[States, int, int]:
        """Return the states of songs, how many of the last ones are in the fixed point, and the steps that led there."""
        ends = self._ends()
        starts = [0, *ends[:-1]]
        going = [int((lengths > start).sum()) for start in starts]  # the first songs have words in a segment
        ids = self._padded(ids, lengths)
        parts = [ids[:n, start:end] for n, start, end in zip(going, starts, ends, strict=True) if n]
        states = self._zero(len(ids))
        for n, vectors in zip(going, self._vectors(parts), strict=False):
            read = self._run(vectors, [(h[:n], c[:n]) for h, c in states])
            states = _joined(read, [(h[n:], c[n:]) for h, c in states])
        steps, settled = 0, 0
        # A song has a segment of padding for each one without its words, so those with the most padding are the last.
        for first, following in itertools.pairwise(reversed(going)):
            if first == len(ids) or settled:
                break
            waiting, before = [(h[:first], c[:first]) for h, c in states], [(h[first:], c[first:]) for h, c in states]
            after = self._pad(before, CHUNK)
            states, steps = _joined(waiting, after), steps + CHUNK
            settled = len(ids) - following if _unchanged(before, after) else 0
        return states, settled, steps

    def _padding_first(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the states of the last layer after songs that follow their padding."""
        ends = self._ends()
        joined = [int((self.time - lengths < end).sum()) for end in ends]
        place = torch.arange(self.time) - (self.time - lengths).unsqueeze(1)
        right = ids.gather(1, place.clamp(min=0)).masked_fill(place < 0, self.token)
        right = torch.cat([right, right.new_full((1, self.time), self.token)])  # the last row has no words
        parts = [right[[*range(n), -1], max(0, end - CHUNK) : end] for n, end in zip(joined, ends, strict=True)]
        states = self._zero(1)
        for n, vectors in zip(joined, self._vectors(parts), strict=True):
            new = n + 1 - len(states[0][0])
            states = [
                (torch.cat([h, h[-1:].expand(new, -1)]), torch.cat([c, c[-1:].expand(new, -1)])) for h, c in states
            ]
            states = self._run(vectors, states)
        return states[-1][0][:-1]

    def _ends(self) -> list[int]:
        """Return the ends of the segments; the first one may be shorter than `CHUNK`."""
        return list(range(self.time % CHUNK or CHUNK, self.time + 1, CHUNK))

    def _zero(self, rows: int) -> States:
        sizes: list[Any] = [layer.hidden_size for layer in self.layers]
        return [(self.table.new_zeros(rows, n), self.table.new_zeros(rows, n)) for n in sizes]

    def _vectors(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Return the word vectors of segments: one look-up, because the gradient of each has the size of the table."""
        flat = functional.embedding(torch.cat([ids.flatten() for ids in parts]), self.table)
        vectors = torch.split(flat, [ids.numel() for ids in parts])
        return [each.view(*ids.shape, -1) for each, ids in zip(vectors, parts, strict=True)]

    def _run(self, vectors: Tensor, states: States) -> States:
        """Return the states after a segment with these word vectors, (rows, time, size)."""
        after = []
        for layer, (h, c) in zip(self.layers, states, strict=True):
            vectors, (h, c) = layer(vectors, (h.unsqueeze(0), c.unsqueeze(0)))
            after.append((h[0], c[0]))
        return after

    def _pad(self, states: States, steps: int) -> States:
        """Return the states after so many steps of padding."""
        return self._run(self.table[self.token].expand(len(states[0][0]), steps, -1), states)


def _joined(one: States, other: States) -> States:
    """Return the states of the songs of both."""
    return [(torch.cat([h, i]), torch.cat([c, d])) for (h, c), (i, d) in zip(one, other, strict=True)]


def _unchanged(before: States, after: States) -> bool:
    """Return whether no state changed by more than rounding."""
    pairs = [pair for layers in zip(before, after, strict=True) for pair in zip(*layers, strict=True)]
    return all(bool(((new - old).abs() <= UNCHANGED * old.abs().clamp(min=1.0)).all()) for old, new in pairs)
