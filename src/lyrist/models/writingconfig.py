"""Configurations of Lyrist's own writers: what ``config.json`` says, one class for each architecture."""

from __future__ import annotations

from typing import Literal

from transformers import AutoConfig, PreTrainedConfig


class LyricsConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration common to the writers that Lyrist trains itself; see `WriterOptions` for most fields."""

    model_type = "lyrist-lyrics"

    vocab_size: int = 260
    lyrics_size: int = 260
    """Ids that a song can hold; those from here on are conditions."""
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    context: int = 1024
    """Tokens that it reads at once; 0: any number."""
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
    """What transformers makes its cache by: one more than the layers, for what the model copies from."""


for _kind in (RecurrentLyricsConfig, GPTLyricsConfig):
    AutoConfig.register(_kind.model_type, _kind)
