"""KV caches: a layer with spare capacity, and functions that join the caches of several songs into one batch.

The `DynamicCache` of transformers concatenates at each token, which takes a tenth of the time for 32 songs. `PreallocatedLayer`
writes the keys and values of new tokens into capacity allocated before. To batch songs of different lengths, the shorter cache is
padded on the left and the caller masks the padding. A `lyrist.models.language_model.State` has no columns to pad, or delegates to
the network that it contains.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, cat
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from lyrist.models.language_model import State

SPARE = 64
"""Positions allocated initially; later, half of those in use."""


class PreallocatedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer whose ``keys`` and ``values`` are the filled parts of larger tensors."""

    _buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens, (songs, heads, time, size), and return all so far."""
        if torch.is_grad_enabled():  # in-place updates would overwrite values that the gradients need
            super().update(key_states, value_states, *args, **kwargs)
            return cast(Tensor, self.keys), cast(Tensor, self.values)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        seen, new = self.get_seq_length(), key_states.shape[-2]
        keys, values = self._buffers = self._with_capacity(key_states, value_states, seen, seen + new)
        keys.narrow(2, seen, new).copy_(key_states)
        values.narrow(2, seen, new).copy_(value_states)
        self.keys, self.values = keys.narrow(2, 0, seen + new), values.narrow(2, 0, seen + new)
        return self.keys, self.values

    def _with_capacity(self, keys: Tensor, values: Tensor, seen: int, length: int) -> tuple[Tensor, Tensor]:
        """Return buffers of at least ``length`` positions that contain those seen so far."""
        old_keys, old_values = cast(Tensor, self.keys), cast(Tensor, self.values)
        buffers = self._buffers
        # After a selection or reordering of songs, the keys are no longer a view of the buffer.
        if buffers and buffers[0].shape[-2] >= length and buffers[0].data_ptr() == old_keys.data_ptr():
            return buffers
        buffers = _buffer(keys, length), _buffer(values, length)
        if seen:
            for buffer, old in zip(buffers, (old_keys, old_values), strict=True):
                buffer.narrow(2, 0, seen).copy_(old)
        return buffers


def _buffer(like: Tensor, length: int) -> Tensor:
    return like.new_empty(*like.shape[:2], length + max(SPARE, length // 2), like.shape[-1])


def preallocated_cache(layers: int) -> DynamicCache:
    """Return an empty cache of ``layers`` layers."""
    cache = DynamicCache()
    cache.layers = [PreallocatedLayer() for _ in range(layers)]  # type: ignore[no-untyped-call]
    return cache


def copied(past: Any) -> Any:
    """Return a copy of a cache. Attention caches share their tensors, which are replaced and never changed in place."""
    if not joinable(past) or isinstance(past, State):
        return copy.deepcopy(past)
    other = copy.copy(past)
    other.layers = [copy.copy(layer) for layer in past.layers]
    for layer in other.layers:  # a buffer is filled in place
        _set(layer, layer.keys, layer.values)
    return other


def joinable(past: Any) -> bool:
    """Return whether songs of this cache can be joined with songs of another length."""
    if isinstance(past, State):
        return past.joins
    # A layer with a sliding window, or with something else than keys and values, cannot be padded.
    return isinstance(past, DynamicCache) and all(
        type(layer) in (DynamicLayer, PreallocatedLayer) for layer in past.layers
    )


def columns(past: Any) -> int | None:
    """Return the number of columns of the attention mask, or None if the model needs no mask."""
    return past.columns() if isinstance(past, State) else int(past.get_seq_length())


def join(past: Any, other: Any) -> None:
    """Append the songs of ``other`` to ``past``, in place; the shorter cache is padded on the left."""
    if isinstance(past, State):
        past.join(other)
        return
    for mine, theirs in zip(past.layers, other.layers, strict=True):
        width = max(mine.keys.shape[-2], theirs.keys.shape[-2])
        _set(
            mine, *(cat([_wide(getattr(each, name), width) for each in (mine, theirs)]) for name in ("keys", "values"))
        )


def trim(past: Any, kept: int) -> None:
    """Keep only the last ``kept`` columns, in place."""
    if isinstance(past, State):
        past.trim(kept)
        return
    for layer in past.layers:
        if layer.keys.shape[-2] > kept:
            _set(layer, layer.keys[..., -kept:, :].clone(), layer.values[..., -kept:, :].clone())


def select(past: Any, kept: Sequence[int]) -> None:
    """Keep some columns of a joinable cache, in this order, in place."""
    for layer in past.layers:
        at = torch.tensor(kept, device=layer.keys.device)
        _set(layer, layer.keys.index_select(2, at), layer.values.index_select(2, at))


def _wide(values: Tensor, width: int) -> Tensor:
    return functional.pad(values, (0, 0, width - values.shape[-2], 0))


def _set(layer: Any, keys: Tensor, values: Tensor) -> None:
    layer.keys, layer.values = keys, values
    if isinstance(layer, PreallocatedLayer):
        cast(Any, layer)._buffers = None
