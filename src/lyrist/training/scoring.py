"""What a writer thinks of songs: the nats of every token, each exactly once, whatever the length of the song.

What is unusual: a song that is longer than the model's context is read in windows that overlap by half, and each token
is scored in the first window that reaches it, so that none is dropped and each has at least half a window before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lyrist.models.language_model import SLICE
from lyrist.training import song_tokens, vocabularies
from lyrist.training.schedule import device_for, threads
from lyrist.training.song_tokens import REREAD, windows

PLACES = 2**15
"""Tokens, padding included, that are computed together at most."""


def losses(
    writer: Any, lyrics: Sequence[str], given: Sequence[Mapping[str, str]], batch_size: int, device: str
) -> list[NDArray[np.float64]]:
    """Return the nats of each token of each song and of its end; see `Writer.losses`."""
    writer.check_scorable()
    where = device_for(device)
    texts = vocabularies.encode(writer.tokenizer, lyrics)
    model = writer.model.to(where).eval()
    if writer.seq2seq:
        with torch.inference_mode(), threads(writer.model):
            scored = song_tokens.continuation_losses(writer, texts, [dict(g) for g in given], batch_size, where)
        writer.model.to("cpu")
        return scored
    found = [np.zeros(len(ids) + 1) for ids in texts]
    parts = _windows(writer, texts, given)
    # The longest first: songs of nearly equal length are computed together, and a lack of memory shows at once.
    parts.sort(key=lambda part: (-len(part[0]), part[1], part[3]))
    with torch.inference_mode(), threads(model):
        for batch in _batches(parts, batch_size):
            nats = _nats(model, [part[0] for part in batch], writer.tokenizer.pad_token_id or 0, where)
            for (ids, song, start, first, end), row in zip(batch, nats, strict=True):
                before = len(ids) - (end - start)
                found[song][first:end] = row[before + first - start - 1 : len(ids) - 1]
    writer.model.to("cpu")
    return found


Part = tuple[list[int], int, int, int, int]
"""Tokens of a window; its song; and where in the song it starts, is scored from, and ends."""


def _windows(writer: Any, texts: Sequence[list[int]], given: Sequence[Mapping[str, str]]) -> list[Part]:
    parts: list[Part] = []
    for song, (ids, conditions) in enumerate(zip(texts, given, strict=True)):
        prefix, whole = writer.prefix(conditions), [*ids, writer.eos]
        size = (writer.context or len(prefix) + len(whole)) - len(prefix)
        for start, scored, end in windows(len(whole), size, REREAD):
            parts.append(([*prefix, *whole[start:end]], song, start, scored, end))
    return parts


def _batches(parts: Sequence[Part], size: int) -> list[Sequence[Part]]:
    """Return runs of windows of at most ``size``, and of at most `PLACES` tokens; those in ``parts`` get shorter."""
    found, start = [], 0
    while start < len(parts):
        count = max(1, min(size, PLACES // len(parts[start][0])))
        found.append(parts[start : start + count])
        start += count
    return found


def _nats(model: Any, rows: Sequence[Sequence[int]], padding: int, device: torch.device) -> NDArray[np.float64]:
    """Return the nats of all tokens but the first, (rows, longest - 1)."""
    ids = torch.full((len(rows), max(map(len, rows))), padding, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    ids, mask = ids.to(device), mask.to(device)
    scored = model.token_losses(ids, mask) if hasattr(model, "token_losses") else from_logits(model, ids, mask)
    found: NDArray[np.float64] = scored.double().cpu().numpy()
    return found


def from_logits(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the nats of all tokens but the first, from the logits of any causal model, a few rows at a time."""
    count = max(1, SLICE // (ids.shape[1] * int(model.config.vocab_size)))
    parts = []
    for start in range(0, len(ids), count):
        some = ids[start : start + count]
        logits = model(input_ids=some, attention_mask=mask[start : start + count]).logits[:, :-1].float()
        parts.append(functional.cross_entropy(logits.transpose(1, 2), some[:, 1:], reduction="none"))
    return torch.cat(parts)
