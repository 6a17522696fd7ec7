"""What models carry from token to token, put together: songs that began apart are then written as one batch.

A cache of keys and values has a column for each token, so the shorter of two is padded on the left, and the caller says by
an attention mask which columns are real. A `lyrist.models.writing.State` that can be joined has no columns to pad, or
hands the question on to the network inside it.
"""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, cat
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from lyrist.models.roomycache import RoomyLayer
from lyrist.models.writing import State


def joinable(past: Any) -> bool:
    """Return whether songs of such a past can be put beside others of another length."""
    if isinstance(past, State):
        return past.joins
    # A layer that slides, or keeps something else than keys and values, cannot be padded.
    return isinstance(past, DynamicCache) and all(type(layer) in (DynamicLayer, RoomyLayer) for layer in past.layers)


def columns(past: Any) -> int | None:
    """Return the columns that a mask must have for what was read, or None where there are none to mask."""
    return past.columns() if isinstance(past, State) else int(past.get_seq_length())


def join(past: Any, other: Any) -> None:
    """Put the songs of ``other`` after those of ``past``, in place; the shorter is padded on the left."""
    if isinstance(past, State):
        past.join(other)
        return
    for mine, theirs in zip(past.layers, other.layers, strict=True):
        width = max(mine.keys.shape[-2], theirs.keys.shape[-2])
        _set(
            mine, *(cat([_wide(getattr(each, name), width) for each in (mine, theirs)]) for name in ("keys", "values"))
        )


def trim(past: Any, kept: int) -> None:
    """Leave out all columns but the last ``kept``, in place."""
    if isinstance(past, State):
        past.trim(kept)
        return
    for layer in past.layers:
        if layer.keys.shape[-2] > kept:
            _set(layer, layer.keys[..., -kept:, :].clone(), layer.values[..., -kept:, :].clone())


def _wide(values: Tensor, width: int) -> Tensor:
    return functional.pad(values, (0, 0, width - values.shape[-2], 0))


def _set(layer: Any, keys: Tensor, values: Tensor) -> None:
    layer.keys, layer.values = keys, values
    if isinstance(layer, RoomyLayer):
        cast(Any, layer)._rooms = None
