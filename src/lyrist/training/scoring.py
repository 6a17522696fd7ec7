"""Losses of a language model on whole songs: the nats of every token, each exactly once.

A song that is longer than the context of the model is split into windows that overlap by half. Each token is scored in the first
window that contains it, so no token is skipped and each has at least half a window of context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
"""Largest number of tokens per batch, padding included."""


@dataclass(frozen=True)
class TokenScores:
    """Log-probabilities of the n tokens of a sequence."""

    logprobs: NDArray[np.float64]
    """(n,); NaN for a token without one before it."""
    top: NDArray[np.int64]
    """(n, k): the most likely tokens at each position, the most likely first."""
    top_logprobs: NDArray[np.float64]
    """(n, k)"""


def token_scores(
    writer: Any, sequences: Sequence[tuple[Sequence[int], Sequence[int]]], top: int = 0, batch_size: int = 16
) -> list[TokenScores]:
    """Return the log-probabilities of tokens, with the windows of `losses` for long sequences.

    Parameters
    ----------
    writer
        A causal language model.
    sequences
        For each sequence the tokens that the model reads first (conditions), and the tokens that are scored.
    top
        Number of most likely tokens.
    batch_size
        Largest number of windows per batch.
    """
    model, parts = writer.model.eval(), []
    vocabulary = int(model.config.vocab_size)
    found = [
        TokenScores(np.full(len(ids), np.nan), np.zeros((len(ids), top), np.int64), np.zeros((len(ids), top)))
        for _, ids in sequences
    ]
    for number, (prefix, ids) in enumerate(sequences):
        before = [*prefix] or [*ids[:1]]
        skipped = len(before) - len(prefix)  # a first token that nothing precedes
        end_token = int(writer.tokenizer.eos_token_id)
        whole = (
            [*ids] if ids and ids[-1] == end_token else [*ids, end_token]
        )  # so that the windows are those of `losses`
        size = (writer.context or len(before) + len(whole)) - len(before)
        for start, first, end in windows(len(whole) - skipped, size, REREAD):
            window = [*before, *whole[skipped + start : skipped + end]]
            parts.append((window, number, start + skipped, first + skipped, end + skipped))
    parts.sort(key=lambda part: (-len(part[0]), part[1], part[3]))
    with torch.inference_mode(), threads(model):
        for batch in _batches(parts, min(batch_size, max(1, SLICE // vocabulary))):
            rows, mask = _padded([part[0] for part in batch], writer.tokenizer.pad_token_id or 0, torch.device("cpu"))
            logits = model(input_ids=rows, attention_mask=mask).logits
            for row, (window, number, start, first, end) in enumerate(batch):
                behind = len(window) - (end - start)
                end = min(end, len(sequences[number][1]))
                places = slice(behind + first - start - 1, behind + end - start - 1)
                shares = logits[row, places].float().log_softmax(dim=-1)
                own, scores = rows[row, places.start + 1 : places.stop + 1, None], found[number]
                scores.logprobs[first:end] = shares.gather(1, own)[:, 0].double().numpy()
                values, likely = shares.topk(min(top, shares.shape[1])) if top else (shares[:, :0], own[:, :0])
                scores.top[first:end], scores.top_logprobs[first:end] = likely.numpy(), values.double().numpy()
    return found


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
    # Sorted by length: songs of similar length are computed together, and a lack of memory is noticed at the start.
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
"""Tokens of a window; its song; and its start, the first scored position and its end in the song."""


def _windows(writer: Any, texts: Sequence[list[int]], given: Sequence[Mapping[str, str]]) -> list[Part]:
    parts: list[Part] = []
    for song, (ids, conditions) in enumerate(zip(texts, given, strict=True)):
        prefix, whole = writer.prefix(conditions), [*ids, writer.eos]
        size = (writer.context or len(prefix) + len(whole)) - len(prefix)
        for start, scored, end in windows(len(whole), size, REREAD):
            parts.append(([*prefix, *whole[start:end]], song, start, scored, end))
    return parts


def _batches(parts: Sequence[Part], size: int) -> list[Sequence[Part]]:
    """Return batches of at most ``size`` windows and `PLACES` tokens; ``parts`` must be sorted by decreasing length."""
    found, start = [], 0
    while start < len(parts):
        count = max(1, min(size, PLACES // len(parts[start][0])))
        found.append(parts[start : start + count])
        start += count
    return found


def _nats(model: Any, rows: Sequence[Sequence[int]], padding: int, device: torch.device) -> NDArray[np.float64]:
    """Return the nats of all tokens but the first, (rows, longest - 1)."""
    ids, mask = _padded(rows, padding, device)
    scored = model.token_losses(ids, mask) if hasattr(model, "token_losses") else from_logits(model, ids, mask)
    found: NDArray[np.float64] = scored.double().cpu().numpy()
    return found


def _padded(rows: Sequence[Sequence[int]], padding: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return rows of tokens padded on the right, and their mask, (rows, longest)."""
    ids = torch.full((len(rows), max(map(len, rows))), padding, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids.to(device), mask.to(device)


def from_logits(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the nats of all tokens but the first from the logits of any causal model, in slices."""
    count = max(1, SLICE // (ids.shape[1] * int(model.config.vocab_size)))
    parts = []
    for start in range(0, len(ids), count):
        some = ids[start : start + count]
        logits = model(input_ids=some, attention_mask=mask[start : start + count]).logits[:, :-1].float()
        parts.append(functional.cross_entropy(logits.transpose(1, 2), some[:, 1:], reduction="none"))
    return torch.cat(parts)
