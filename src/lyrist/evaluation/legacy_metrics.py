"""Legacy metrics: how the same model can have a perplexity of 5.7e51, then 8.5, and an accuracy of 0.84.

The published reports that Lyrist replicates (docs/replication.md) computed perplexity and accuracy in several inconsistent
ways: with padding scored or not, with the exponential of the loss averaged by song or over tokens, and with untrained rows of
the output layer for added tokens. This module computes each of them for the user's own model and songs. The model stays the
same, only the figure changes; only the first row is a valid score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.metrics.language_modelling import known_values, perplexity
from lyrist.models.language_model import IMPOSSIBLE, SLICE

WIDTH = 300
"""Length in tokens to which the replicated report padded and truncated its songs."""

SONGS = 100
"""Largest number of songs: this is an illustration, not a measurement."""

KEPT = (20, 400)
"""The replicated report kept songs with more than the first and fewer than the second number of tokens."""

LOW = 115.0
"""Logits of an untuned model must be this far below 0 for a perplexity of 5.7e51. Those of GPT-2 are near -100."""

Places = NDArray[np.float64]


@dataclass(frozen=True)
class _Scored:
    """Statistics of the logits at the p positions of some songs, padding included."""

    song: NDArray[np.int64]
    padding: NDArray[np.bool_]
    right: Places
    """The logit of the true token."""
    total: Places
    """Log-sum-exp of the logits, without those of added tokens."""
    highest: Places
    """The largest of these logits."""
    middle: Places
    """Their mean."""


def as_reported(writer: Any, songs: pl.DataFrame, *, width: int = WIDTH, seed: int = 0) -> dict[str, Any]:
    """Return the figures of a language model on the same songs, computed in each of the legacy ways.

    Parameters
    ----------
    writer
        A `lyrist.training.writer.Writer` of any recipe.
    songs
        ``lyrics`` and the columns that the model is conditioned on; a random sample if there are more than `SONGS`.
    width
        Length in tokens to which each song, with its end, is truncated or padded.
    seed
        Seed of the sample.

    Returns
    -------
    dict
        ``rows``: for each way its ``name``, ``perplexity``, ``loss`` (nats), ``accuracy`` (top-1 accuracy of the next
        token) and a ``note`` that explains it; ``note``: what this is computed on; ``n`` songs; ``width``; ``tokens``
        that are not padding; ``padding``: its share of all positions; ``cut``: the share of tokens beyond the width;
        ``dropped``: the share of songs that the report would have dropped; ``added``: output rows added for conditions
        and padding.

    Raises
    ------
    LyristError
        There is no song.
    """
    if songs.is_empty():
        raise LyristError("There is no song to score.")
    drawn = songs.sample(min(SONGS, len(songs)), seed=seed)
    ids = [[*writer.encode(lyrics), writer.eos] for lyrics in drawn["lyrics"].to_list()]
    before = writer.source if writer.seq2seq else writer.prefix
    prefixes = [before(given) for given in known_values(drawn, writer.conditions)]
    if writer.context:
        width = min(width, max(2, writer.context - (0 if writer.seq2seq else max(map(len, prefixes)))))
    scored = _score(writer, prefixes, [song[:width] for song in ids], width)
    sizes = np.array([len(song) for song in ids])
    added = max(1, len(_added(writer)))
    share = float(scored.padding.mean())
    return {
        "rows": _rows(scored, added),
        "note": (
            f"{len(ids)} songs, each truncated or padded to {width} tokens: {share:.0%} of all positions are padding. The "
            f"replicated report kept songs of {KEPT[0]} to {KEPT[1]} tokens, which drops {_dropped(sizes):.0%} of these."
        ),
        "n": len(ids),
        "width": width,
        "tokens": int((~scored.padding).sum()),
        "padding": share,
        "cut": float(1 - np.minimum(sizes, width).sum() / sizes.sum()),
        "dropped": _dropped(sizes),
        "added": added,
    }


def table(found: Mapping[str, Any]) -> str:
    """Return the rows as text for a terminal."""
    width = max(len(row["name"]) for row in found["rows"])
    lines = [f"legacy metrics: {found['note']}", f"  {'':<{width}}  perplexity  accuracy"]
    for row in found["rows"]:
        lines.append(f"  {row['name']:<{width}}  {row['perplexity']:>10,.4g}  {row['accuracy']:>8.3f}  {row['note']}")
    return "\n".join(lines)


def _dropped(sizes: NDArray[np.int64]) -> float:
    return float(1 - ((sizes > KEPT[0]) & (sizes < KEPT[1])).mean())


def _rows(scored: _Scored, added: int) -> list[dict[str, Any]]:
    """Return one row for each way of computing the figures."""
    real, everywhere = ~scored.padding, np.ones(len(scored.padding), dtype=np.bool_)
    plain, hit = scored.total - scored.right, scored.right >= scored.highest
    learnt, hit_learnt = np.where(real, plain, 0), np.where(real, hit, True)
    row, by_song = _row(scored), _row(scored, by_song=True)
    zero, mean, low = (_with_rows(scored, level) for level in _levels(scored, added))
    rows = f"{added} added {'row' if added == 1 else 'rows'}"
    return [
        row("real tokens", plain, hit, real, "what Lyrist reports: padding is not scored, every token has the same weight"),
        row("padding scored too", plain, hit, everywhere, "for a model that was not trained on padding"),
        row(
            "padding scored, and learnt", learnt, hit_learnt, everywhere,
            "each padding token has loss 0 and counts as correct, as after training on it: the origin of 8.5 and 0.84",
        ),
        by_song("real tokens, by song", plain, hit, real, "the mean over songs of the exponential of their loss"),
        by_song("padding scored, by song", plain, hit, everywhere, "the average of the replicated report"),
        by_song("padding learnt, by song", learnt, hit_learnt, everywhere, "the same average, after training on padding"),
        row(f"{rows} at zero", *zero, real, "rows of new tokens before training: logit 0, whatever the other logits are"),
        row(
            f"{rows} at zero, low logits", *low, real,
            f"the same, with this model's logits shifted to -{LOW:.0f}, the range of GPT-2: the shift alone changes nothing, "
            "with rows at zero the perplexity is 5.7e51",
        ),
        row(f"{rows} at the mean", *mean, real, "rows of new tokens set to the mean of the others: the fix"),
    ]  # fmt: skip


def _row(scored: _Scored, *, by_song: bool = False) -> Callable[..., dict[str, Any]]:
    """Return a function that makes a row from the nats and hits at the positions that are scored."""

    def row(name: str, nats: Places, hits: NDArray[np.bool_], where: NDArray[np.bool_], note: str) -> dict[str, Any]:
        losses, song = nats[where], scored.song[where]
        loss, value = float(losses.mean()), perplexity(float(losses.mean()))
        if by_song:
            counts = np.bincount(song)
            means = (np.bincount(song, losses) / np.maximum(counts, 1))[counts > 0]
            loss = float(means.mean())
            value = math.fsum(perplexity(mean) / len(means) for mean in means)
        return {"name": name, "accuracy": float(hits[where].mean()), "loss": loss, "perplexity": value, "note": note}

    return row


def _levels(scored: _Scored, added: int) -> tuple[Places, Places, Places]:
    """Return the log-sum-exp of the added rows: at zero, at the mean, and at zero with low logits of the others."""
    real = ~scored.padding
    several = math.log(added)
    zero = np.full(len(scored.total), several)
    return zero, scored.middle + several, zero + LOW + float(scored.total[real].mean())


def _with_rows(scored: _Scored, level: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Return nats and hits when the added rows take their share of the probability."""
    total = np.logaddexp(scored.total, level)
    return total - scored.right, (scored.right >= scored.highest) & (scored.right >= level)


def _added(writer: Any) -> list[int]:
    """Return the rows that were added for conditions and padding."""
    known = writer.tokenizer.get_vocab()
    names = [f"<|{column}:{value}|>" for column, values in writer.conditions.items() for value in values]
    pad = writer.tokenizer.pad_token_id
    found = {known[name] for name in names if name in known} | ({int(pad)} if pad not in (None, writer.eos) else set())
    return sorted(found)


def _score(writer: Any, prefixes: Sequence[Sequence[int]], songs: Sequence[Sequence[int]], width: int) -> _Scored:
    """Compute every position of all songs, each padded to the width."""
    pad = writer.eos if writer.tokenizer.pad_token_id is None else int(writer.tokenizer.pad_token_id)
    rows = max(1, SLICE // (width * int(writer.model.config.vocab_size)))
    added = [row for row in _added(writer) if row != pad]
    found: list[_Scored] = []
    model = writer.model.eval()
    with torch.inference_mode(), progress.task("computing legacy metrics") as advance:
        for start in range(0, len(songs), rows):
            part = slice(start, start + rows)
            logits, labels, scored = _logits(model, prefixes[part], songs[part], width, pad, writer.seq2seq)
            found.append(_measured(logits, labels, scored, pad, added, start))
            advance(min(start + rows, len(songs)), len(songs))
    return _Scored(*(np.concatenate([getattr(part, name) for part in found]) for name in _Scored.__dataclass_fields__))


def _logits(
    model: Any, prefixes: Sequence[Sequence[int]], songs: Sequence[Sequence[int]], width: int, pad: int, seq2seq: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (songs, width, vocabulary), the true tokens, and a mask of those that are not padding."""
    labels = _filled(songs, pad, width)
    real = torch.arange(width) < torch.tensor([[len(song)] for song in songs])
    before = _filled(prefixes, pad, max(map(len, prefixes)))
    mask = torch.arange(before.shape[1]) < torch.tensor([[len(prefix)] for prefix in prefixes])
    if seq2seq:
        return model(input_ids=before, attention_mask=mask.long(), labels=labels).logits.float(), labels, real
    size = max(len(prefix) + width for prefix in prefixes)
    whole = _filled([[*prefix, *song] for prefix, song in zip(prefixes, songs, strict=True)], pad, size)
    ends = torch.tensor([[len(prefix) + len(song)] for prefix, song in zip(prefixes, songs, strict=True)])
    logits = model(input_ids=whole, attention_mask=(torch.arange(size) < ends).long()).logits.float()
    # Songs with fewer conditions start earlier, so the offset differs by song.
    places = torch.tensor([[len(prefix) - 1] for prefix in prefixes]) + torch.arange(width)
    return logits[torch.arange(len(songs))[:, None], places], labels, real


def _filled(rows: Sequence[Sequence[int]], pad: int, width: int) -> Tensor:
    found = torch.full((len(rows), width), pad, dtype=torch.long)
    for place, row in enumerate(rows):
        found[place, : len(row)] = torch.tensor(row)
    return found


def _measured(logits: Tensor, labels: Tensor, real: Tensor, pad: int, added: Sequence[int], first: int) -> _Scored:
    """Return the statistics of the logits as flat arrays.

    A model without an output row for padding (as Lyrist's own) gets one at zero where padding is scored, as an untrained
    row would have been.
    """
    if added:
        logits = logits.index_fill(-1, torch.tensor(added), IMPOSSIBLE)
    possible = logits > IMPOSSIBLE / 2
    if not possible[..., pad].any():
        padded = ~real
        logits[..., pad] = torch.where(padded, torch.zeros(()), torch.full((), IMPOSSIBLE))
    middle = (logits * possible).sum(-1) / possible.sum(-1)
    arrays = [
        logits.gather(-1, labels[..., None])[..., 0],
        torch.logsumexp(logits, -1),
        logits.amax(-1),
        middle,
    ]
    song = np.repeat(np.arange(first, first + len(labels)), labels.shape[1])
    return _Scored(song, ~real.numpy().ravel(), *(array.double().numpy().ravel() for array in arrays))
