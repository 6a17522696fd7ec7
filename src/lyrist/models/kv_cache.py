"""KV caches: a layer with spare capacity, and how songs that were read apart become one batch.

transformers' `DynamicCache` concatenates at each token, which takes a tenth of the time for 32 songs; `RoomyLayer` writes a
token's own keys and values into capacity allocated before. To batch songs of different lengths the shorter cache is padded
on the left and the caller masks the padding. A `lyrist.models.language_model.State` has no columns to pad, or delegates to
the network that it contains.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, cat
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from lyrist.models.language_model import State

ROOM = 64
"""Places that are set aside at first; from then on, half of those in use."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer whose ``keys`` and ``values`` are the filled parts of larger tensors."""

    _rooms: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add what new tokens gave, (songs, heads, time, size), and return all so far."""
        if torch.is_grad_enabled():  # what gradients need is not to be written over
            super().update(key_states, value_states, *args, **kwargs)
            return cast(Tensor, self.keys), cast(Tensor, self.values)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        seen, new = self.get_seq_length(), key_states.shape[-2]
        keys, values = self._rooms = self._with_room(key_states, value_states, seen, seen + new)
        keys.narrow(2, seen, new).copy_(key_states)
        values.narrow(2, seen, new).copy_(value_states)
        self.keys, self.values = keys.narrow(2, 0, seen + new), values.narrow(2, 0, seen + new)
        return self.keys, self.values

    def _with_room(self, keys: Tensor, values: Tensor, seen: int, length: int) -> tuple[Tensor, Tensor]:
        """Return where there is room for ``length`` places, those seen filled."""
        old_keys, old_values = cast(Tensor, self.keys), cast(Tensor, self.values)
        rooms = self._rooms
        # Where songs were chosen or put in order since, what is left of them is somewhere else.
        if rooms and rooms[0].shape[-2] >= length and rooms[0].data_ptr() == old_keys.data_ptr():
            return rooms
        rooms = _room(keys, length), _room(values, length)
        if seen:
            for room, old in zip(rooms, (old_keys, old_values), strict=True):
                room.narrow(2, 0, seen).copy_(old)
        return rooms


def _room(like: Tensor, length: int) -> Tensor:
    return like.new_empty(*like.shape[:2], length + max(ROOM, length // 2), like.shape[-1])


def roomy_cache(layers: int) -> DynamicCache:
    """Return an empty cache of so many layers."""
    cache = DynamicCache()
    cache.layers = [RoomyLayer() for _ in range(layers)]  # type: ignore[no-untyped-call]
    return cache


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
