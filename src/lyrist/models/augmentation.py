"""Pictures are moved, mirrored and cut into, a whole batch at a time, as bytes on whatever device they are.

Moving and mirroring are one look-up of rows and columns; a point beyond the edge is taken from its reflection.
"""

from __future__ import annotations

import torch
from torch import Tensor


def augment(pictures: Tensor, crop: int = 0, flip: bool = False, cutout: int = 0) -> Tensor:
    """Return the pictures, each changed by chance, in the memory order channels-last.

    Parameters
    ----------
    pictures
        (batch, 3, side, side) of any type.
    crop
        Each is moved by up to so many pixels in either direction.
    flip
        Mirror half of them.
    cutout
        Side of a square that is painted grey in each (DeVries and Taylor 2017); 0: none.
    """
    moved = pictures.permute(0, 2, 3, 1)
    batch, height, width = moved.shape[:3]
    if crop or flip:
        rows, columns = _places(batch, height, crop, moved.device), _places(batch, width, crop, moved.device)
        if flip:
            turned = torch.rand(batch, 1, device=moved.device) < 0.5
            columns = torch.where(turned, columns.flip(1), columns)
        which = torch.arange(batch, device=moved.device)[:, None, None]
        moved = moved[which, rows[:, :, None], columns[:, None, :]]
    if cutout:
        hidden = (
            _span(batch, height, cutout, moved.device)[:, :, None] & _span(batch, width, cutout, moved.device)[:, None]
        )
        moved = moved.masked_fill(hidden.unsqueeze(-1), 128 if not moved.is_floating_point() else 0.0)
    return moved.permute(0, 3, 1, 2)


def _places(batch: int, side: int, crop: int, device: torch.device) -> Tensor:
    """Return for each picture the place that each of its rows (or columns) is taken from."""
    start = torch.randint(-crop, crop + 1, (batch, 1), device=device)
    places = (torch.arange(side, device=device) + start).abs()
    return torch.where(places >= side, 2 * (side - 1) - places, places)


def _span(batch: int, side: int, size: int, device: torch.device) -> Tensor:
    middle = torch.randint(0, side, (batch, 1), device=device)
    apart = torch.arange(side, device=device) - middle
    return (apart >= -(size // 2)) & (apart < size - size // 2)
