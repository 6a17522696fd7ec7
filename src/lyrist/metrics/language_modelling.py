"""Scores of language models on held-out songs: bits per byte, which do not depend on the tokenizer.

Losses are summed by song. Intervals therefore resample songs, which are independent, and not tokens, which are not. Two models
with different tokenizers can be compared song by song, and the figures do not depend on the order or the batches of scoring.
Only the tokens of the lyrics and the end of the song are scored; conditions (genre, artist) and padding are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist import files, progress
from lyrist.errors import LyristError, unreadable
from lyrist.metrics.intervals import bootstrap_ratio, paired_bootstrap_ratio

BATCHES_AT_ONCE = 16
"""Batches passed to the model in one call, so that it can group songs of similar length."""

Given = Mapping[str, str]


class Scored(Protocol):
    """The interface of a language model that this module needs."""

    @property
    def conditions(self) -> Mapping[str, Sequence[str]]:
        """Return the columns that the model can be conditioned on, each with its known values."""
        ...

    def losses(
        self, lyrics: Sequence[str], given: Sequence[Given] | None = None, batch_size: int = 16
    ) -> Sequence[NDArray[np.floating[Any]]]:
        """Return the loss in nats of each lyric token and of the end, one array per song."""
        ...


@dataclass(frozen=True)
class SongLosses:
    """The losses of a language model on n songs."""

    nats: NDArray[np.float64]
    """(n,) total loss in nats of the lyric tokens and the end of each song."""
    tokens: NDArray[np.int64]
    """(n,) number of these tokens."""
    bytes: NDArray[np.int64]
    """(n,) size of the lyrics in UTF-8."""

    def __len__(self) -> int:
        return len(self.nats)

    def of(self, rows: NDArray[np.bool_]) -> SongLosses:
        """Return the losses of some of the songs."""
        return SongLosses(self.nats[rows], self.tokens[rows], self.bytes[rows])


def song_losses(writer: Scored, songs: pl.DataFrame, *, batch_size: int = 16, title: str = "scoring") -> SongLosses:
    """Return the loss of each song of a frame, in its order.

    Parameters
    ----------
    writer
        A language model, such as `lyrist.training.writer.Writer`.
    songs
        ``lyrics`` and the columns that the model is conditioned on. Values that it does not know are not passed to it.
    batch_size
        Songs per batch; the figures do not depend on it.

    Raises
    ------
    LyristError
        There is no song, a song is empty, or a loss is not a number.
    """
    lyrics = songs["lyrics"].to_list()
    if not lyrics:
        raise LyristError("There is no song to score.")
    given = known_values(songs, writer.conditions)
    nats, tokens = np.empty(len(lyrics)), np.empty(len(lyrics), dtype=np.int64)
    step = max(1, batch_size) * BATCHES_AT_ONCE
    with progress.task(title) as advance:
        for start in range(0, len(lyrics), step):
            part = slice(start, start + step)
            found = writer.losses(lyrics[part], given[part], batch_size=batch_size)
            # fsum rounds only once, so the result does not depend on the order of the additions.
            nats[part] = [math.fsum(np.asarray(each, dtype=np.float64)) for each in found]
            tokens[part] = [len(each) for each in found]
            advance(min(start + step, len(lyrics)), len(lyrics))
    if not np.isfinite(nats).all():
        raise LyristError("A loss is not a number: the training of this model diverged; train it again.")
    return SongLosses(nats, tokens, _sizes(lyrics))


def known_values(songs: pl.DataFrame, conditions: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return the conditions of each song: the values that are present and that the model knows."""
    found: list[dict[str, str]] = [{} for _ in range(len(songs))]
    for column, values in conditions.items():
        if column not in songs.columns:
            continue
        known = set(values)
        for place, value in enumerate(songs[column].cast(pl.String).to_list()):
            if value in known:
                found[place][column] = value
    return found


def figures(losses: SongLosses) -> dict[str, Any]:
    """Return the scores over some songs as plain numbers.

    Returns
    -------
    dict
        ``n`` songs, ``tokens``, ``bytes``; ``bits_per_byte``: total bits over total bytes, with low and high of the 95%
        bootstrap interval over songs; ``nats_per_byte`` likewise; ``loss``: nats per token; ``perplexity``: the
        exponential of the loss per token, which is comparable only between models with the same tokenizer.
    """
    if not len(losses):
        raise LyristError("There is no song to score.")
    nats, tokens, size = (float(x.sum()) for x in (losses.nats, losses.tokens, losses.bytes))
    low, high = bootstrap_ratio(losses.nats, losses.bytes)
    per_byte = {"value": nats / size, "low": low, "high": high}
    return {
        "n": len(losses),
        "bits_per_byte": {name: value / math.log(2) for name, value in per_byte.items()},
        "nats_per_byte": per_byte,
        "perplexity": perplexity(nats / tokens),
        "loss": nats / tokens,
        "tokens": int(tokens),
        "bytes": int(size),
    }


def perplexity(loss: float) -> float:
    """Return the exponential of a loss in nats, at most the largest float (JSON has no infinity)."""
    return math.exp(min(loss, 709.78))


def paired(first: SongLosses, second: SongLosses) -> dict[str, float]:
    """Compare two language models on the same songs; their tokenizers may differ.

    Returns
    -------
    dict
        ``difference`` in bits per byte (first minus second; below 0 the first is better), ``low`` and ``high`` of its 95%
        bootstrap interval over songs, and the two-sided ``p`` value.

    Raises
    ------
    LyristError
        They were not scored on the same songs.
    """
    if len(first) != len(second) or not np.array_equal(first.bytes, second.bytes):
        raise LyristError("The two models were not scored on the same songs, so they cannot be compared song by song.")
    bits = 1 / math.log(2)
    return paired_bootstrap_ratio(first.nats * bits, second.nats * bits, first.bytes)


def write_losses(path: Path, ids: Sequence[int], losses: SongLosses) -> None:
    """Write the losses of each song to a Parquet file (id, nats, tokens, bytes), atomically."""
    table = pl.DataFrame(
        {
            "id": pl.Series(list(ids), dtype=pl.Int64),
            "nats": losses.nats,
            "tokens": losses.tokens,
            "bytes": losses.bytes,
        }
    )
    with files.explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        table.write_parquet(temporary)
        temporary.replace(path)


def read_losses(path: Path) -> tuple[list[int], SongLosses]:
    """Return what `write_losses` wrote: the ids of the songs, and their losses.

    Raises
    ------
    LyristError
        The file does not exist or is damaged.
    """
    if not path.is_file():
        raise LyristError(f"There is no {path}: the model was not scored on these songs; run 'lyrist evaluate'.")
    try:
        table = pl.read_parquet(path, glob=False)
        columns = [table[name].to_numpy() for name in ("nats", "tokens", "bytes")]
    except unreadable() as error:
        raise LyristError(f"{path} is damaged ({error}); train the model again.") from error
    return table["id"].to_list(), SongLosses(*columns)


def common(
    first: tuple[Sequence[int], SongLosses], second: tuple[Sequence[int], SongLosses]
) -> tuple[SongLosses, SongLosses]:
    """Return the losses of the songs that both models were scored on, in the order of their ids."""
    ids, a, b = np.intersect1d(np.asarray(first[0]), np.asarray(second[0]), return_indices=True)
    if not len(ids):
        raise LyristError("The two models were scored on no song in common; score both on the same corpus and split.")
    return _take(first[1], a), _take(second[1], b)


def _take(losses: SongLosses, places: NDArray[np.intp]) -> SongLosses:
    return SongLosses(losses.nats[places], losses.tokens[places], losses.bytes[places])


def _sizes(lyrics: Sequence[str]) -> NDArray[np.int64]:
    sizes = np.fromiter((len(text.encode()) for text in lyrics), dtype=np.int64, count=len(lyrics))
    if not sizes.all():
        raise LyristError("A song has no lyrics at all, so there is nothing to score; prepare the corpus again.")
    return sizes
