"""LSTM layers that read padding like words, as some published programs do, without computing most of the padding.

The state after the last time step is the same as that of ``torch.nn.LSTM`` over padded songs, up to rounding, and so are the
gradients. Five things make it several times faster:

- The input of the first layer is multiplied by its weights once for each different word of a batch, not for each token.
- Songs are read without padding first. Then all continue with padding, each from its own end. The input is constant there, so the
  state approaches a fixed point: once no state changes any more in 32-bit arithmetic, the rest of the padding changes nothing.
- A song that ends in the fixed point has no influence on the result, and its words have no gradient: it is read without one.
- Padding before a song starts from the same state for all songs, so it is read once for the longest.
- The gradient of the weights is one product of matrices over all time steps (`Steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK = 32
"""Steps of padding between two checks whether the state still changes."""

States = list[tuple[Tensor, Tensor]]
"""State and cell of each layer, (rows, units) each."""

UNCHANGED = 1.2e-7
"""Largest change of a state of size 1 in one step that is rounding."""


class Steps(torch.autograd.Function):
    """The recurrence of one LSTM layer over packed sequences: at step t, the first ``sizes[t]`` rows go on."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weights: Tensor, h: Tensor, c: Tensor, sizes: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Return all states and cells, packed like ``x``.

        Parameters
        ----------
        ctx
            What the backward pass needs.
        x
            (sum of ``sizes``, 4 units): the inputs times their weights, with the biases.
        weights
            (4 units, units).
        h, c
            (rows, units): state and cell before the first step.
        sizes
            Number of rows at each step; it never increases.
        """
        units = h.shape[1]
        gates, hs, cs, tanh = (x.new_empty(sum(sizes), width) for width in (4 * units, units, units, units))
        before, at, transposed = (h, c), 0, weights.t()
        for n in sizes:
            here = slice(at, at + n)
            gate, cell, state = gates[here], cs[here], hs[here]
            torch.addmm(x[here], before[0][:n], transposed, out=gate)
            gate[:, : 2 * units].sigmoid_()
            gate[:, 2 * units : 3 * units].tanh_()
            gate[:, 3 * units :].sigmoid_()
            i, f, z, o = gate.chunk(4, dim=1)
            torch.mul(f, before[1][:n], out=cell)
            cell.addcmul_(i, z)
            torch.tanh(cell, out=tanh[here])
            torch.mul(o, tanh[here], out=state)
            before, at = (state, cell), at + n
        ctx.sizes = sizes
        ctx.save_for_backward(weights, h, c, gates, hs, cs, tanh)
        return hs, cs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        """Return the gradients of ``x``, ``weights``, ``h`` and ``c``."""
        weights, h, c, gates, hs, cs, tanh = ctx.saved_tensors
        sizes, units = ctx.sizes, h.shape[1]
        starts = [0]
        for n in sizes[:-1]:
            starts.append(starts[-1] + n)
        previous = torch.cat(
            [torch.arange(s, s + n) for s, n in zip(starts[:-1], sizes[1:], strict=True)] or [torch.arange(0)]
        )
        h_before, c_before = torch.cat([h[: sizes[0]], hs[previous]]), torch.cat([c[: sizes[0]], cs[previous]])
        i, f, z, o = gates.chunk(4, dim=1)
        of_cell = o * (1 - tanh * tanh)
        d_gates = torch.cat([z * i * (1 - i), c_before * f * (1 - f), i * (1 - z * z), tanh * o * (1 - o)], dim=1)
        d_h, d_c = torch.zeros_like(h), torch.zeros_like(c)
        for at, n in zip(reversed(starts), reversed(sizes), strict=True):
            here, gate = slice(at, at + n), d_gates[at : at + n]
            state = grads[0][here] + d_h[:n]
            cell = (grads[1][here] + d_c[:n]).addcmul_(state, of_cell[here])
            gate[:, : 3 * units] *= cell.repeat(1, 3)
            gate[:, 3 * units :].mul_(state)
            torch.mul(cell, f[here], out=d_c[:n])
            torch.mm(gate, weights, out=d_h[:n])
        return d_gates, d_gates.t() @ h_before, d_h, d_c, None


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
        if self.left or not torch.is_grad_enabled() or not self.table.requires_grad:
            return self._read(ids, lengths)[0]
        with torch.no_grad():
            found, settled, steps, states = self._read(ids, lengths)
        if not len(settled):
            return self._read(ids, lengths)[0]
        # The state of these songs is the fixed point of the padding, so no word of theirs has a gradient.
        found = found.clone()
        fixed = _run(self.layers, self._input([self.token]), [1] * steps, [(h[:1], c[:1]) for h, c in states])
        found[settled] = fixed[-1][0][-1]
        others = torch.ones(len(ids), dtype=torch.bool)
        others[settled] = False
        if others.any():
            found[others] = self._read(ids[others], lengths[others])[0]
        return found

    def _input(self, words: Any) -> Tensor:
        """Return the input of the first layer for words: their vectors times its weights."""
        first: Any = self.layers[0]
        return functional.linear(self.table[words], first.weight_ih_l0, first.bias_ih_l0 + first.bias_hh_l0)

    def _read(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, int, States]:
        """Return the states, the songs that ended in the fixed point, the steps until then, and all states there."""
        order = torch.argsort(lengths, descending=True, stable=True)
        length = lengths[order]
        counts = length.tolist()
        song = (torch.arange(counts[0]).unsqueeze(1) < length).nonzero()  # (tokens, 2): time and song, packed
        words, word = ids[order][song[:, 1], song[:, 0]].unique(return_inverse=True)  # type: ignore[no-untyped-call]
        idle = self._input([self.token])
        sizes = [int(getattr(layer, "hidden_size")) for layer in self.layers]  # noqa: B009
        states: States = [(idle.new_zeros(len(counts), n), idle.new_zeros(len(counts), n)) for n in sizes]
        if self.left and self.time > counts[-1]:
            begun = _run(self.layers, idle, [1] * (self.time - counts[-1]), [(h[:1], c[:1]) for h, c in states])
            # A song of n tokens starts from the state after (time - n) steps of padding; without padding, from zero.
            start = self.time - length
            states = [(_after_zero(h)[start], _after_zero(c)[start]) for h, c in begun]
        going = torch.bincount(song[:, 0])
        ends = (going.cumsum(0) - going)[length - 1] + torch.arange(len(counts))
        packed = _run(self.layers, functional.embedding(word, self._input(words)), going.tolist(), states)
        states = [(hs[ends], cs[ends]) for hs, cs in packed]
        settled, steps = 0, 0
        if not self.left:
            pads = [self.time - n for n in reversed(counts)]
            states, settled, steps = _pad(self.layers, idle, pads, [(h.flip(0), c.flip(0)) for h, c in states])
            order = order.flip(0)
        return states[-1][0][torch.argsort(order)], order[:settled], steps, states


def _after_zero(states: Tensor) -> Tensor:
    return torch.cat([states.new_zeros(1, states.shape[1]), states])


def _run(
    layers: Sequence[nn.Module], x: Tensor, sizes: Sequence[int], states: Sequence[tuple[Tensor, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """Return the packed states and cells of every layer; ``x`` is one row if the input is constant."""
    x, found = x.expand(sum(sizes), -1), []
    for number, (layer, (h, c)) in enumerate(zip(layers, states, strict=True)):
        own: Any = layer
        if number:
            x = functional.linear(x, own.weight_ih_l0, own.bias_ih_l0 + own.bias_hh_l0)
        hs, cs = Steps.apply(x, own.weight_hh_l0, h[: sizes[0]], c[: sizes[0]], sizes)  # type: ignore[no-untyped-call]
        found.append((hs, cs))
        x = hs
    return found


def _pad(layers: Sequence[nn.Module], idle: Tensor, pads: Sequence[int], states: States) -> tuple[States, int, int]:
    """Return the states after so many steps of padding for each song; ``pads`` never increases.

    Returns
    -------
    list
        State and cell of each layer.
    int
        How many songs, the first ones, have more padding than was read, because their states did not change any more.
    int
        The steps that were read.
    """
    ended: list[States] = []
    going, done, settled = len(pads), 0, 0
    while pads[0] > done and not settled:
        # Songs whose padding is over leave at the end of the rows.
        going = sum(n > done for n in pads)
        ended.append([(h[going:], c[going:]) for h, c in states])
        sizes = [sum(n > done + k for n in pads) for k in range(min(CHUNK, pads[0] - done))]
        packed = _run(layers, idle, sizes, [(h[:going], c[:going]) for h, c in states])
        taken = torch.tensor([min(n - done, len(sizes)) for n in pads[:going]])
        rows = torch.tensor(sizes)
        ends = (rows.cumsum(0) - rows)[taken - 1] + torch.arange(going)
        states, done = [(hs[ends], cs[ends]) for hs, cs in packed], done + len(sizes)
        if len(sizes) > 1 and _unchanged(packed, sizes):
            settled = sum(n > done for n in pads)
    for before in reversed(ended):
        states = [(torch.cat([h, g]), torch.cat([c, d])) for (h, c), (g, d) in zip(states, before, strict=True)]
    return states, settled, done


def _unchanged(packed: Sequence[tuple[Tensor, Tensor]], sizes: Sequence[int]) -> bool:
    """Return whether the last step changed no state of a song that goes on by more than rounding."""
    n, before = sizes[-1], sizes[-2]
    for both in packed:
        for values in both:
            new = values[len(values) - n :].detach()
            old = values[len(values) - n - before : len(values) - before].detach()
            if bool(((new - old).abs() > UNCHANGED * old.abs().clamp(min=1.0)).any()):
                return False
    return True
