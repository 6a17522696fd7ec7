"""The recipe `gpt`: a small transformer decoder, trained from scratch in minutes on a CPU.

Songs repeat themselves, so the architecture makes copying easy. Experiments are listed in docs/log.md.

- The input is the embedding of each token plus that of the previous token plus one of the pair, from a hashed table. So the
  first attention layer can already find earlier occurrences of the same pair.
- The output mixes the softmax over the vocabulary with a pointer over the tokens of the song so far, by a gate (pointer
  sentinel).
- Rotary positions, RMS norm without weights, normalised queries and keys, squared ReLU; matrices are trained with Muon.

In training on a CPU, attention is written out as matrix products in bfloat16, which takes half the time of the fused kernel.
Everywhere else it is PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from lyrist.models.configuration import GPTLyricsConfig
from lyrist.models.kv_cache import preallocated_cache
from lyrist.models.language_model import LyricsModel, Read, WriterOptions, WriterShape, common, register_for_auto
from lyrist.models.registry import option, register

MASKED = -1e4
"""Added to attention scores of masked positions."""

BASE = 10_000.0
"""Base of the wavelengths of rotary positions."""

FIRST, SECOND = 1_000_003, 7_919
"""Primes that hash a pair of tokens."""


@dataclass(frozen=True)
class GPTWriterOptions(WriterOptions):
    """Options of `gpt`."""

    width: int = option(192, "width of the hidden layers")
    layers: int = option(3, "transformer layers")
    heads: int = option(2, "attention heads per layer")
    feedforward: int = option(768, "units of each feed-forward layer")
    dropout: float = option(0.0, "dropout rate")
    pairs: int = option(32_768, "rows of the hashed embedding of token pairs (0: none)")
    copying: bool = option(True, "add a pointer over the tokens of the song so far to the output")

    schedule: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 6e-3, "optimizer": "muon", "batch_size": 8, "schedule": "linear", "warmup": 0.02,
        "weight_decay": 0.01, "average": 0.98,
    }  # fmt: skip


def norm(x: Tensor) -> Tensor:
    """Return the vectors scaled to root mean square 1."""
    return functional.rms_norm(x, (x.shape[-1],))


def rotation(positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return cosines and signed sines, (batch, 1, time, size), for `rotated`.

    Source: Su et al., RoFormer, 2021.
    """
    wavelengths = BASE ** (-torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size)
    angles = positions[:, None, :, None].float() * wavelengths
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def rotated(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Return vectors (batch, heads, time, size) rotated by the angles of their positions."""
    cos, sin = turns
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)


@dataclass(frozen=True)
class AttentionMask:
    """The attention mask: (batch, 1, time, seen), True where a token may attend; None: all tokens up to itself."""

    mask: Tensor | None
    causal: bool

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the attention output for queries, keys and values (batch, heads, time, size)."""
        if queries.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            return _product(queries, keys, values, self.bias(queries, keys))
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=self.mask, is_causal=self.mask is None and self.causal
        )

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the bias that is added to the scores, (batch or 1, 1, time, seen)."""
        mask = self.mask
        if mask is None:
            mask = torch.ones(queries.shape[-2], keys.shape[-2], dtype=torch.bool, device=queries.device)
            mask = (mask.tril(keys.shape[-2] - queries.shape[-2]) if self.causal else mask)[None, None]
        return torch.zeros(mask.shape, device=queries.device, dtype=queries.dtype).masked_fill(~mask, MASKED)


def _product(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    batch, heads = queries.shape[:2]
    flat = bias.expand(batch, heads, -1, -1).flatten(0, 1)
    scale = queries.shape[-1] ** -0.5
    scores = torch.baddbmm(flat, queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2), alpha=scale)
    return torch.bmm(scores.softmax(dim=-1), values.flatten(0, 1)).view_as(queries)


class Block(nn.Module):
    """A transformer block with pre-normalisation: attention, then a feed-forward layer."""

    def __init__(self, config: GPTLyricsConfig, number: int) -> None:
        super().__init__()
        self.number, self.heads, self.share = number, config.heads, config.dropout
        width = config.width
        self.into = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward, width, bias=False)
        for layer in (self.into, self.up):
            nn.init.uniform_(layer.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
        for layer in (self.out, self.down):
            nn.init.zeros_(layer.weight)  # each block starts as the identity
        self.sharpness = nn.Parameter(torch.full((config.heads, 1, 1), 3.0))

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], mask: AttentionMask, past: Any) -> Tensor:
        """Return the vectors (batch, time, width) after this block."""
        batch, time, width = x.shape
        whole = self.into(norm(x)).view(batch, time, 3 * self.heads, -1).transpose(1, 2)
        both, values = whole.split([2 * self.heads, self.heads], dim=1)
        # Normalised queries and keys bound the scores; the scale of each head is learnt.
        queries, keys = rotated(norm(both), turns).chunk(2, dim=1)
        queries = queries * self.sharpness.to(queries.dtype)
        if past is not None:
            keys, values = past.update(keys, values, self.number)
        found = mask.attend(queries.to(values.dtype), keys.to(values.dtype), values)
        x = x + self._drop(self.out(found.transpose(1, 2).reshape(batch, time, width)))
        return x + self._drop(self.down(functional.relu(self.up(norm(x))).square()))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.share, self.training) if self.share else x


class GPTWriter(LyricsModel):  # type: ignore[no-untyped-call]
    """A transformer decoder with a pointer; see the module."""

    config_class = GPTLyricsConfig
    _supports_sdpa = True

    def __init__(self, config: GPTLyricsConfig) -> None:
        super().__init__(config)
        width = config.width
        self.embedding = nn.Embedding(config.vocab_size, width)
        nn.init.normal_(self.embedding.weight)
        self.before = nn.Parameter(torch.full((width,), 0.3))
        self.pairs = nn.Embedding(config.pairs, width) if config.pairs else None
        if self.pairs is not None:
            nn.init.zeros_(self.pairs.weight)
        self.blocks = nn.ModuleList(Block(config, number) for number in range(config.layers))
        self.head = nn.Linear(width, config.lyrics_size, bias=False)
        nn.init.normal_(self.head.weight, std=0.02)
        if config.copying:
            self.pointer = nn.Linear(width, 2 * POINTER, bias=False)
            self.gate = nn.Linear(width, 1)
            nn.init.zeros_(self.gate.weight)
            nn.init.constant_(self.gate.bias, -1.0)
            self.focus = nn.Parameter(torch.tensor(10.0))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights of `__init__`."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return True

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        song_ids: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the normalised vectors after the last block, and the cache."""
        past = past_key_values
        if past is None and use_cache:
            past = preallocated_cache(self.config.num_hidden_layers)
        seen = past.get_seq_length() if past is not None else 0
        mask, positions, follows = _attention_mask(input_ids, attention_mask, song_ids, seen)
        x = self._enter(input_ids, follows, past if seen else None)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))  # saves a conversion before every product
        cos, sin = rotation(positions, self.config.width // self.config.heads)
        turns = cos.to(x.dtype), sin.to(x.dtype)
        for block in self.blocks:
            x = block(x, turns, mask, past)
        x = norm(x)
        if past is not None:
            keys = self._keys(x) if self.config.copying else x[..., :1]
            past.update(keys[:, None].float(), input_ids[:, None, :, None].float(), self.config.layers)
        return x, past

    def logits(self, states: Tensor) -> Tensor:
        """Return the logits of the vocabulary, without the pointer."""
        return self._without_special(self.head(states).float())

    def scores(self, states: Tensor, read: Read, keep: int | Tensor) -> Tensor:
        """Return the log-probabilities of the mixture of vocabulary and pointer."""
        kept = states[:, -keep:] if isinstance(keep, int) else states[:, keep]
        logits = self.logits(kept)
        if not self.config.copying:
            return logits
        weights, copied, can_copy = self._weights(states, read)
        can_copy = can_copy[:, -keep:] if isinstance(keep, int) else can_copy[:, keep]
        weights = weights[:, -keep:] if isinstance(keep, int) else weights[:, keep]
        gate = self._gate(kept, can_copy)[..., None]
        copying = gate.sigmoid()
        probabilities = torch.addcmul(TINY * copying, logits.softmax(dim=-1), (-gate).sigmoid())
        # A condition is never copied: its pointer weights are zero (see `_weights`).
        index = copied.clamp(max=logits.shape[-1] - 1)[:, None].expand_as(weights)
        probabilities.scatter_add_(2, index, weights.float() * copying)
        return probabilities.clamp_(min=torch.finfo(probabilities.dtype).tiny).log_()

    def nats(self, states: Tensor, targets: Tensor, scored: Tensor, read: Read) -> Tensor:
        """Return the nats of the targets under the mixture."""
        plain = super().nats(states, targets, scored, read)
        if not self.config.copying:
            return plain
        weights, copied, can_copy = self._weights(states, read)
        same = (copied[:, None] == targets[:, :, None]).to(weights.dtype)
        share = (weights[:, :-1] * same).sum(dim=-1)[scored].float()
        gate = self._gate(states[:, :-1][scored], can_copy[:, :-1][scored])
        return -torch.logaddexp(
            functional.logsigmoid(-gate) - plain, functional.logsigmoid(gate) + (share + TINY).log()
        )

    def _gate(self, states: Tensor, can_copy: Tensor) -> Tensor:
        """Return the log-odds of copying, very low where there is nothing to copy."""
        odds: Tensor = self.gate(states).float().squeeze(-1).masked_fill(~can_copy, MASKED)
        return odds

    def _keys(self, states: Tensor) -> Tensor:
        return norm(self.pointer(states)[..., POINTER:])

    def _weights(self, states: Tensor, read: Read) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pointer weights (batch, time, seen - 1), the tokens they point at, and whether there are any.

        Position t attends to earlier positions j with a similar context, and points at the token after j. Padding,
        conditions and other songs of a block are masked.
        """
        ids, mask = read.input_ids, read.attention_mask
        queries = norm(self.pointer(states)[..., :POINTER]) * self.focus.to(states.dtype)
        if read.past is None:
            keys = self._keys(states)
        else:
            layer = read.past.layers[self.config.layers]
            keys, ids = layer.keys[:, 0].to(states.dtype), layer.values[:, 0, :, 0].long()
        time, seen = queries.shape[1], ids.shape[1]
        scores = queries @ keys[:, :-1].to(queries.dtype).transpose(1, 2)
        written = (ids[:, 1:] < self.config.lyrics_size) & (ids[:, 1:] != self.config.pad_token_id)
        if mask is not None:
            written = written & mask[:, :-1].bool() & mask[:, 1:].bool()
        allowed = written[:, None]
        if time > 1:
            allowed = allowed & torch.ones(time, seen - 1, dtype=torch.bool, device=ids.device).tril(seen - time - 1)
        if read.song_ids is not None:
            allowed = allowed & (read.song_ids[:, :, None] == read.song_ids[:, None, :-1])
            allowed = allowed & (read.song_ids[:, :, None] == read.song_ids[:, None, 1:])
        weights = scores.float().masked_fill(~allowed, MASKED).softmax(dim=-1) if seen > 1 else scores.float()
        return weights * allowed, ids[:, 1:], allowed.any(dim=-1)

    def _enter(self, ids: Tensor, follows: Tensor, past: Any) -> Tensor:
        """Return the input vectors: the embeddings of tokens, previous tokens and pairs."""
        if past is None:
            whole = functional.pad(ids, (1, 0))
        else:
            whole = torch.cat([past.layers[self.config.layers].values[:, 0, -1:, 0].long(), ids], dim=1)
        follows = follows[..., None]
        vectors = self.embedding(whole)
        x = vectors[:, 1:] + self.before * vectors[:, :-1] * follows
        if self.pairs is not None:
            row = (ids * FIRST + whole[:, :-1] * SECOND) % self.config.pairs
            x = x + self.pairs(row) * follows
        return norm(x)


POINTER = 64
"""Size of the queries and keys of the pointer."""

TINY = 1e-9


def _attention_mask(
    ids: Tensor, mask: Tensor | None, songs: Tensor | None, seen: int
) -> tuple[AttentionMask, Tensor, Tensor]:
    """Return the attention mask, the positions, and whether a token follows another; (batch or 1, time)."""
    time = ids.shape[1]
    places = torch.arange(seen + time, device=ids.device)
    if songs is not None:
        begins = functional.pad(songs[:, 1:] != songs[:, :-1], (1, 0), value=True)
        first = torch.where(begins, places, 0).cummax(dim=1).values
        same = songs[:, :, None] == songs[:, None, :]
        return AttentionMask((same & (places[:, None] >= places))[:, None], True), places - first, ~begins
    if mask is None or bool(mask.all()) or (not seen and bool(mask[:, 0].all())):
        # Only padding can attend to padding on the right.
        positions = places[None, seen:]
        return AttentionMask(None, time > 1), positions, (positions > 0)
    real = mask.bool()
    positions = (real.cumsum(dim=1) - 1).clamp(min=0)
    sees = real[:, None, :] & (places[seen:, None] >= places)
    sees = sees | (places[seen:, None] == places)  # padding attends to itself, so that its softmax is defined
    follows = functional.pad(real[:, :-1], (1, 0)) & real
    return AttentionMask(sees[:, None], True), positions[:, seen:], follows[:, seen:]


@register(
    "gpt",
    "a small transformer decoder, trained from scratch, with a pointer to the song so far",
    family="neural",
    task="write",
    options=GPTWriterOptions,
    source="Radford et al. (2019), GPT-2; Merity et al. (2017), Pointer sentinel mixture models; Jordan et al. (2024), Muon",
)
def gpt(options: GPTWriterOptions, shape: WriterShape) -> GPTWriter:
    """Build the transformer."""
    settings = common(options, shape, "gpt", GPTLyricsConfig)
    return GPTWriter(GPTLyricsConfig(**settings, num_hidden_layers=options.layers + 1))


register_for_auto(GPTLyricsConfig, GPTWriter)
