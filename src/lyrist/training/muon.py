"""Muon for the hidden matrices of a network and AdamW for other parameters, as one PyTorch optimizer.

Muon updates a matrix by the orthogonalised momentum, so that all directions have the same step size. Matrices of the same shape
are orthogonalised together, in bfloat16 on devices that are fast at it.

Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024; Liu et al., Muon is scalable for
LLM training, 2025 (the scale by shape).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

ROUNDS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MOMENTUM = 0.95
BETAS = (0.9, 0.95)
EPSILON = 1e-10


def orthogonal(matrices: Tensor, half: bool) -> Tensor:
    """Return matrices (n, rows, columns) with nearly the same singular vectors and singular values near 1.

    Five steps of a Newton-Schulz iteration of degree 5; the singular values are then between about 0.7 and 1.2.
    """
    a, b, c = COEFFICIENTS
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if half else x
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    for _ in range(ROUNDS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = (x.transpose(1, 2) if tall else x).to(matrices.dtype)
    return found


class Muon(torch.optim.Optimizer):
    """Muon for some matrices, AdamW for all other parameters.

    Parameters
    ----------
    matrices
        Two-dimensional weights for Muon.
    others
        Parameters for AdamW.
    lr
        Learning rate of AdamW; that of Muon is the same, times ``sqrt(max(1, rows / columns))`` and `GAIN`.
    weight_decay
        Decoupled, for both, but not for vectors.
    half
        Compute in bfloat16.
    """

    def __init__(
        self, matrices: Iterable[Tensor], others: Iterable[Tensor], lr: float, weight_decay: float, half: bool
    ) -> None:
        others = list(others)
        groups = [
            {"params": list(matrices), "muon": True, "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim >= 2], "muon": False, "weight_decay": 0.0},
            {"params": [p for p in others if p.ndim < 2], "muon": False, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "half": half})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter with a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if group["muon"]:
                self._by_muon(moved, group)
            else:
                for parameter in moved:
                    self._by_adam(parameter, group)
        return loss

    def _by_muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for parameter in parameters:
            by_shape.setdefault(parameter.shape, []).append(parameter)
        for shape, some in by_shape.items():
            moments = []
            for parameter in some:
                state, gradient = self.state[parameter], parameter.grad
                assert gradient is not None  # noqa: S101 - the caller checks this
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(gradient, 1 - MOMENTUM)
                moments.append(gradient.lerp(state["momentum"], MOMENTUM))
            steps = orthogonal(torch.stack(moments), group["half"])
            rate = group["lr"] * GAIN * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, step in zip(some, steps, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-rate)

    def _by_adam(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None  # noqa: S101 - the caller checks this
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        first, second = BETAS
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        count = float(state["step"])
        scale = group["lr"] * (1 - second**count) ** 0.5 / (1 - first**count)
        parameter.addcdiv_(state["mean"], state["square"].sqrt().add_(EPSILON), value=-scale)


GAIN = 4.0
"""Ratio of the learning rate of Muon to that of AdamW."""


def split(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return the hidden matrices of a network, and its other parameters: vectors, embeddings, the output layer."""
    outer = {id(p) for m in network.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False)}
    outer |= {id(p) for name in OUTER for p in getattr(network, name, nn.Module()).parameters()}
    trained: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
    inner = [p for p in trained if p.ndim == 2 and id(p) not in outer]
    chosen = {id(p) for p in inner}
    return inner, [p for p in trained if id(p) not in chosen]


OUTER = ("head", "lm_head", "gate", "pointer")
"""Layers whose matrices are updated by AdamW."""
