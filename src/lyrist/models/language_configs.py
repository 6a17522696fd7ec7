"""Configurations of Lyrist's own language models: the contents of ``config.json``, one class per architecture."""

from __future__ import annotations

from typing import Any, Literal

from transformers import AutoConfig, PreTrainedConfig


class LyricsConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration common to the language models that Lyrist trains itself; see `WriterOptions` for most fields."""

    model_type = "lyrist-lyrics"

    vocab_size: int = 260
    lyrics_size: int = 260
    """Number of token ids that lyrics can contain; ids from this one on are conditions."""
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    context: int = 1024
    """Context length in tokens; 0: unlimited."""
    recipe: str = ""


class RecurrentLyricsConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `RecurrentWriter`."""

    model_type = "lyrist-recurrent-lyrics"

    cell: Literal["gru", "lstm"] = "gru"
    embedding_size: int = 256
    hidden: int = 512
    layers: int = 1
    dense: int = 0
    tied: bool = True
    dropout: float = 0.0
    embedding_dropout: float = 0.0


class GPTLyricsConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `GPTWriter`."""

    model_type = "lyrist-gpt"

    width: int = 256
    layers: int = 4
    heads: int = 2
    feedforward: int = 1024
    dropout: float = 0.0
    pairs: int = 0
    copying: bool = True
    num_hidden_layers: int = 5
    """Layers of the cache that transformers creates: one more than ``layers``, for the pointer."""


class NgramConfig(LyricsConfig):  # type: ignore[no-untyped-call]
    """Configuration of an `NgramWriter`."""

    model_type = "lyrist-ngram"

    order: int = 6
    largest: int = 20_000_000
    sizes: list[int] | None = None
    """Number of n-grams of 2, 3, ... tokens in the tables; None before counting."""
    lengths: list[int] | None = None
    """Lengths of the contexts that are looked up in the song so far."""
    knots: list[float] | None = None
    """Knots of the mixture weights; a single one for n-grams without a network."""


class MixtureConfig(NgramConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `MixtureWriter`."""

    model_type = "lyrist-mixture"

    network: dict[str, Any] | None = None
    """The configuration of its network, with its ``model_type``."""


_CONFIGS: tuple[type[LyricsConfig], ...] = (RecurrentLyricsConfig, GPTLyricsConfig, NgramConfig, MixtureConfig)
for _kind in _CONFIGS:
    AutoConfig.register(_kind.model_type, _kind)
