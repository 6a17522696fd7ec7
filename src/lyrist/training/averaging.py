"""An exponential moving average of the weights of a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


class Average:
    """An exponential moving average of the weights of a network, with a decay that increases during warm-up.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.keep = keep
        self.weights = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        """Update the average with the weights of ``network`` after update number ``step``."""
        keep = min(self.keep, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    self.weights[name].lerp_(value, 1 - keep)
                else:
                    self.weights[name].copy_(value)

    @contextlib.contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Set the weights of ``network`` to the average while the block runs."""
        own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)
