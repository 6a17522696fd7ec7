"""LSTM layers over padding: the states and gradients of PyTorch's own layers over padded songs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lyrist.models.padded import CHUNK, Padding


def plain(layers: Sequence[nn.Module], table: Tensor, ids: Tensor, lengths: Tensor, time: int, left: bool) -> Tensor:
    padded = torch.zeros(len(ids), time, dtype=torch.long)
    for row, n in enumerate(lengths.tolist()):
        start = time - n if left else 0
        padded[row, start : start + n] = ids[row, :n]
    states = table[padded]
    for layer in layers:
        states = layer(states)[0]
    return states[:, -1]


@pytest.mark.parametrize("left", [False, True], ids=["padding-after", "padding-before"])
@pytest.mark.parametrize("forget", [0.0, 3.0], ids=["short-memory", "long-memory"])
@pytest.mark.parametrize(
    ("lengths", "time"),
    [
        ([7], 7),
        ([3, 9, 1], 9),
        ([5, 5, 2], CHUNK + 5),
        ([1, 20, 4, 20], 2 * CHUNK),
        ([30, 2], 12 * CHUNK + 1),
        ([380, 9, 30, 2], 12 * CHUNK + 1),
    ],
    ids=str,
)
def test_states_and_gradients_are_those_of_pytorch(lengths: list[int], time: int, forget: float, left: bool) -> None:
    torch.manual_seed(sum(lengths))
    layers = [nn.LSTM(4, 6, batch_first=True), nn.LSTM(6, 6, batch_first=True)]
    for layer in layers:
        layer.bias_ih_l0.data[6:12] += forget
    table, n = nn.Embedding(9, 4), torch.tensor(lengths)
    ids = torch.randint(1, 9, (len(lengths), max(lengths)))
    weights = [table.weight, *(weight for layer in layers for weight in layer.parameters())]
    found, grads = [], []
    for state in (
        Padding(layers, table.weight, 0, time, left).read(ids, n),
        plain(layers, table.weight, ids, n, time, left),
    ):
        found.append(state)
        grads.append(torch.autograd.grad((state * torch.linspace(-1, 1, 6)).sum(), weights))
    assert torch.allclose(*found, atol=2e-6)
    for one, other in zip(*grads, strict=True):
        assert torch.allclose(one, other, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("forget", [0.0, 9.0], ids=["short-memory", "long-memory"])
def test_padding_is_skipped_only_where_it_leads_to_a_fixed_point(forget: float) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(4, 6, batch_first=True)
    layer.bias_ih_l0.data[6:12] += forget
    padding = Padding([layer], nn.Embedding(9, 4).weight, 0, 12 * CHUNK)
    assert padding._settles() == (forget == 0.0)
    assert not dataclasses.replace(padding, time=CHUNK)._settles()  # too short to gain anything
