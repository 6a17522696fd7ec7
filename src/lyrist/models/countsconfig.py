"""Configurations of the writers that count: what ``config.json`` says of the sizes of their tables."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig

from lyrist.models.writingconfig import LyricsConfig


class NgramConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of an `NgramWriter`."""

    model_type = "lyrist-ngram"

    order: int = 6
    largest: int = 20_000_000
    sizes: list[int] | None = None
    """Number of n-grams of 2, 3, ... tokens in the tables; None before anything was counted."""
    lengths: list[int] | None = None
    """Contexts that are looked up in the song so far."""
    knots: list[float] | None = None
    """Where the weights may change; one for n-grams alone."""


class MixtureConfig(NgramConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `MixtureWriter`."""

    model_type = "lyrist-mixture"

    network: dict[str, Any] | None = None
    """The configuration of its network, with its ``model_type``."""


for _kind in (NgramConfig, MixtureConfig):
    AutoConfig.register(_kind.model_type, _kind)
