"""One model, many figures: how the reports came by a perplexity of 5.7e51, then 8.5, and an accuracy of 0.84.

All of it is computed on the user's own writer and songs, in each way that the reports counted: padding scored or not, the
exponential of the loss averaged by song or over tokens, and added rows of the output layer as they are before training. The
model does not change, the figure does; only the first row means anything.
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
"""Tokens to which report 003 padded and cut its songs."""

SONGS = 100
"""Songs that are computed at most: this is an explanation, not a measurement."""

KEPT = (20, 400)
"""Songs with so many tokens were kept by report 003 (strictly between), others dropped."""

LOW = 115.0
"""How far below 0 the logits of an untuned model must lie for a perplexity of 5.7e51. GPT-2's lie near -100."""

Places = NDArray[np.float64]


@dataclass(frozen=True)
class _Scored:
    """What a model says at the p places of some songs, padding included."""

    song: NDArray[np.int64]
    padding: NDArray[np.bool_]
    right: Places
    """The logit of the token that stands there."""
    total: Places
    """The logarithm of the sum of the exponentials of the logits of all rows that were not added."""
    highest: Places
    """The highest of these logits."""
    middle: Places
    """Their mean."""


def as_reported(writer: Any, songs: pl.DataFrame, *, width: int = WIDTH, seed: int = 0) -> dict[str, Any]:
    """Return the figures of a writer on the same songs, computed in each of the reports' ways.

    Parameters
    ----------
    writer
        As `lyrist.training.writer.Writer`; of any recipe.
    songs
        ``lyrics`` and the columns by which the writer is conditioned; of more than `SONGS` a random part.
    width
        Tokens to which each song is cut or padded, its end included.
    seed
        Draws the part.

    Returns
    -------
    dict
        ``rows``: for each way its ``name``, ``perplexity``, ``loss`` (nats), ``accuracy`` (share of next tokens that were
        the likeliest) and a ``note`` that explains it; ``note``: what this is computed on; ``n`` songs, ``width``,
        ``tokens`` that are real, ``padding``: its share of all places; ``cut``: the share of tokens beyond the width;
        ``dropped``: the share of songs that the report would not have kept; ``added``: rows that were added for
        conditions and padding.

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
            f"{len(ids)} songs, each cut or padded to {width} tokens: {share:.0%} of all places are padding. The report kept "
            f"songs of {KEPT[0]} to {KEPT[1]} tokens, which drops {_dropped(sizes):.0%} of these."
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
    lines = [f"as the reports counted: {found['note']}", f"  {'':<{width}}  perplexity  accuracy"]
    for row in found["rows"]:
        lines.append(f"  {row['name']:<{width}}  {row['perplexity']:>10,.4g}  {row['accuracy']:>8.3f}  {row['note']}")
    return "\n".join(lines)


def _dropped(sizes: NDArray[np.int64]) -> float:
    return float(1 - ((sizes > KEPT[0]) & (sizes < KEPT[1])).mean())


def _rows(scored: _Scored, added: int) -> list[dict[str, Any]]:
    """Return one row for each way of counting."""
    real, everywhere = ~scored.padding, np.ones(len(scored.padding), dtype=np.bool_)
    plain, hit = scored.total - scored.right, scored.right >= scored.highest
    learnt, hit_learnt = np.where(real, plain, 0), np.where(real, hit, True)
    row, by_song = _row(scored), _row(scored, by_song=True)
    zero, mean, low = (_with_rows(scored, level) for level in _levels(scored, added))
    told = f"{added} added {'row' if added == 1 else 'rows'}"
    return [
        row("real tokens", plain, hit, real, "what Lyrist tells: padding has no part, every token counts alike"),
        row("padding scored too", plain, hit, everywhere, "of a model that never learnt to write padding"),
        row(
            "padding scored, and learnt", learnt, hit_learnt, everywhere,
            "each padding free and right, as after training on it: so come 8.5 and 0.84 about",
        ),
        by_song("real tokens, by song", plain, hit, real, "the mean over songs of the exponential of their loss"),
        by_song("padding scored, by song", plain, hit, everywhere, "how report 003 averaged"),
        by_song("padding learnt, by song", learnt, hit_learnt, everywhere, "how report 003 averaged, after training"),
        row(f"{told} at zero", *zero, real, "rows of new tokens before training: logit 0, whatever the other logits are"),
        row(
            f"{told} at zero, low logits", *low, real,
            f"the same, this model's logits moved down to -{LOW:.0f}, where GPT-2's lie: alone that changes nothing, "
            "with rows at zero it is 5.7e51",
        ),
        row(f"{told} at the mean", *mean, real, "rows of new tokens set to the mean of the others: the mend"),
    ]  # fmt: skip


def _row(scored: _Scored, *, by_song: bool = False) -> Callable[..., dict[str, Any]]:
    """Return what makes a row of the nats and hits at those places that count."""

    def row(name: str, nats: Places, hits: NDArray[np.bool_], where: NDArray[np.bool_], note: str) -> dict[str, Any]:
        told, song = nats[where], scored.song[where]
        loss, value = float(told.mean()), perplexity(float(told.mean()))
        if by_song:
            counts = np.bincount(song)
            means = (np.bincount(song, told) / np.maximum(counts, 1))[counts > 0]
            loss = float(means.mean())
            value = math.fsum(perplexity(mean) / len(means) for mean in means)
        return {"name": name, "accuracy": float(hits[where].mean()), "loss": loss, "perplexity": value, "note": note}

    return row


def _levels(scored: _Scored, added: int) -> tuple[Places, Places, Places]:
    """Return what the added rows together weigh, as a logarithm: at zero, at the mean, at zero beside low logits."""
    real = ~scored.padding
    several = math.log(added)
    zero = np.full(len(scored.total), several)
    return zero, scored.middle + several, zero + LOW + float(scored.total[real].mean())


def _with_rows(scored: _Scored, level: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Return nats and hits where added rows take their part of the probability."""
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
    """Compute every place of all songs, each padded to the width."""
    pad = writer.eos if writer.tokenizer.pad_token_id is None else int(writer.tokenizer.pad_token_id)
    rows = max(1, SLICE // (width * int(writer.model.config.vocab_size)))
    strange = [row for row in _added(writer) if row != pad]
    found: list[_Scored] = []
    model = writer.model.eval()
    with torch.inference_mode(), progress.task("counting as reported") as advance:
        for start in range(0, len(songs), rows):
            part = slice(start, start + rows)
            logits, labels, scored = _logits(model, prefixes[part], songs[part], width, pad, writer.seq2seq)
            found.append(_measured(logits, labels, scored, pad, strange, start))
            advance(min(start + rows, len(songs)), len(songs))
    return _Scored(*(np.concatenate([getattr(part, name) for part in found]) for name in _Scored.__dataclass_fields__))


def _logits(
    model: Any, prefixes: Sequence[Sequence[int]], songs: Sequence[Sequence[int]], width: int, pad: int, seq2seq: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (songs, width, rows), the tokens that stand there, and which of them are real."""
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
    # Songs with fewer conditions start earlier; each is read off from its own first token on.
    places = torch.tensor([[len(prefix) - 1] for prefix in prefixes]) + torch.arange(width)
    return logits[torch.arange(len(songs))[:, None], places], labels, real


def _filled(rows: Sequence[Sequence[int]], pad: int, width: int) -> Tensor:
    found = torch.full((len(rows), width), pad, dtype=torch.long)
    for place, row in enumerate(rows):
        found[place, : len(row)] = torch.tensor(row)
    return found


def _measured(logits: Tensor, labels: Tensor, real: Tensor, pad: int, strange: Sequence[int], first: int) -> _Scored:
    """Return what is needed of the logits, flat.

    A model that cannot write padding at all (as Lyrist's own) gets a row at zero for it where padding is scored: that is
    what it would have had.
    """
    if strange:
        logits = logits.index_fill(-1, torch.tensor(strange), IMPOSSIBLE)
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
