"""Songs for an encoder-decoder: an instruction and a snippet are read, and what follows in the song is written.

Each song becomes as many pairs as it takes to write every token of it exactly once: the first from the instruction
alone, each further one from the instruction and the end of what came before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lyrist.models.writing import IGNORED, SLICE
from lyrist.training.batches import Batch
from lyrist.training.packing import chosen
from lyrist.training.songtokens import SongTokens

SNIPPET = 0.5
"""Length of the longest snippet, as a share of the context."""

LINE = 40
"""Tokens, about, after which a song is cut in training, so that short snippets are learnt as well."""

Source = Callable[[dict[str, str], Sequence[int]], list[int]]
"""From the conditions and the tokens of a snippet to what the encoder reads."""


def pairs(length: int, context: int, first: int = 0) -> list[tuple[int, int, int]]:
    """Return (snippet from, start, end) for a song of ``length`` tokens: each is written once, from ``start`` to ``end``.

    Parameters
    ----------
    length
        Tokens of the song, its end included.
    context
        Tokens that are written at once.
    first
        Tokens of the first piece; 0: as many as fit.
    """
    found, start, end = [], 0, min(length, first or context)
    while start < length:
        found.append((max(0, start - int(SNIPPET * context)), start, end))
        start, end = end, min(length, end + context)
    return found


class Continuations:
    """Pairs of what is read and what is written, as examples for the loop."""

    bucketed = True

    def __init__(
        self, tokens: SongTokens, split: str, source: Source, padding: int, eos: int, context: int, hidden: float, most: int
    ) -> None:  # fmt: skip
        self._songs, self._source, self._padding, self._eos = tokens.splits[split], source, padding, eos
        self._names, self._hidden = tokens.conditions, hidden
        lengths = self._songs.lengths + 1
        self._pairs = np.array(
            [
                (song, *pair)
                for song in chosen(len(lengths), most)
                for pair in pairs(int(lengths[song]), context, LINE if hidden else 0)
            ],
            dtype=np.int64,
        ).reshape(-1, 4)
        self.lengths: NDArray[np.int64] = self._pairs[:, 3] - self._pairs[:, 1]

    def __len__(self) -> int:
        return len(self._pairs)

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return ``input_ids`` and ``attention_mask`` of the encoder, and ``labels`` of the decoder."""
        read, written = zip(*(self._row(int(row)) for row in rows), strict=True)
        ids, mask = padded(read, self._padding)
        return {"input_ids": ids, "attention_mask": mask, "labels": padded(written, IGNORED)[0]}

    def _row(self, number: int) -> tuple[list[int], list[int]]:
        song, snippet, start, end = (int(value) for value in self._pairs[number])
        first = self._songs.starts[song]
        whole = [*self._songs.ids[first : self._songs.starts[song + 1]].tolist(), self._eos]
        given = {}
        for (column, values), code in zip(self._names.items(), self._songs.conditions[song], strict=True):
            if code >= 0 and (not self._hidden or float(torch.rand(())) >= self._hidden):
                given[column] = values[code]
        return self._source(given, whole[snippet:start]), whole[start:end]


def padded(rows: Sequence[Sequence[int]], filling: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of ids filled up on the right, and their mask."""
    ids = torch.full((len(rows), max(map(len, rows))), filling, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def losses(
    writer: Any, texts: Sequence[list[int]], given: Sequence[dict[str, str]], size: int, device: torch.device
) -> list[NDArray[np.float64]]:
    """Return the nats of each token of each song and of its end, each written once."""
    found = [np.zeros(len(ids) + 1) for ids in texts]
    parts = []
    for song, ids in enumerate(texts):
        whole = [*ids, writer.eos]
        for snippet, start, end in pairs(len(whole), writer.context):
            parts.append((writer.source(given[song], whole[snippet:start]), whole[start:end], song, start))
    parts.sort(key=lambda part: (-len(part[1]), -len(part[0]), part[2], part[3]))
    rows = max(1, min(size, SLICE // (writer.context * int(writer.model.config.vocab_size))))
    for at in range(0, len(parts), rows):
        some = parts[at : at + rows]
        read, mask = padded([part[0] for part in some], writer.tokenizer.pad_token_id or 0)
        labels, _ = padded([part[1] for part in some], IGNORED)
        out = writer.model(input_ids=read.to(device), attention_mask=mask.to(device), labels=labels.to(device))
        logits = out.logits.float().transpose(1, 2)
        nats = functional.cross_entropy(logits, labels.to(device), reduction="none", ignore_index=IGNORED)
        for row, (_, written, song, start) in zip(nats.double().cpu().numpy(), some, strict=True):
            found[song][start : start + len(written)] = row[: len(written)]
    return found
