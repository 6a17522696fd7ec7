"""Songs as examples for the loop: whole, packed into blocks, or padded to one length as the reports did.

What is unusual: no token is dropped. A song that is longer than the model's context becomes several windows, each with
the conditions before it and a part of the song so far that is read but not scored again. In a packed block each song
begins at place 0 and sees nothing of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lyrist.models.writing import IGNORED
from lyrist.training.batches import Batch
from lyrist.training.songtokens import Sequences, SongTokens

OVERLAP = 0.25
"""Share of a window that is a repetition of the one before, in training; in scoring it is `REREAD`."""

REREAD = 0.5

AS_REPORTED = 300
"""Tokens that report 003 padded its songs to."""


def windows(length: int, size: int, overlap: float) -> list[tuple[int, int, int]]:
    """Return (start, scored, end) of windows of at most ``size`` that score each of ``length`` tokens exactly once."""
    if length <= size:
        return [(0, 0, length)]
    found, scored = [(0, 0, size)], size
    while scored < length:
        end = min(length, scored + size - int(size * overlap))
        found.append((end - size, scored, end))
        scored = end
    return found


def chosen(songs: int, most: int) -> NDArray[np.int64]:
    """Return the numbers of all songs, or of ``most`` of them (0: all), drawn always in the same way."""
    drawn = np.random.default_rng(0).permutation(songs)[: most or None]
    found: NDArray[np.int64] = np.sort(drawn)
    return found


class SongExamples:
    """Whole songs, each in a row of its own, padded on the right.

    Parameters
    ----------
    sequences
        The songs.
    padding
        The id that fills up the shorter ones of a batch.
    context
        Tokens of a row at most, the conditions included; 0: no limit.
    hidden
        Share of the conditions that are left out, drawn anew each time a song is read.
    fixed
        Cut each song to so many tokens and pad it to exactly so many, as report 003 did (0: no).
    most
        Take so many songs at most, drawn always in the same way (0: all).
    """

    def __init__(
        self,
        sequences: Sequences,
        padding: int,
        context: int = 0,
        hidden: float = 0.0,
        fixed: int = 0,
        most: int = 0,
    ) -> None:
        self._sequences, self._padding, self._hidden, self._fixed = sequences, padding, hidden, fixed
        self.bucketed = not fixed
        lyrics = sequences.split.lengths + 1
        self._before = 1 + sequences.split.conditions.shape[1]
        size = (fixed or context or int(lyrics.max(initial=0)) + self._before) - self._before
        found = _all_windows(np.minimum(lyrics, size) if fixed else lyrics, size)
        if most:
            found = found[np.isin(found[:, 0], chosen(len(lyrics), most))]
        self._windows = found
        self.lengths: NDArray[np.int64] = found[:, 3] - found[:, 1] + self._before

    def __len__(self) -> int:
        return len(self._windows)

    def row(self, number: int) -> tuple[NDArray[np.int32], int]:
        """Return the tokens of a row and the place of the first that is scored."""
        song, start, scored, end = (int(value) for value in self._windows[number])
        prefix = self._sequences.prefix(song)
        if self._hidden and len(prefix) > 1:
            prefix = prefix[np.append(True, torch.rand(len(prefix) - 1).numpy() >= self._hidden)]
        body = np.append(self._sequences.lyrics(song), np.int32(self._sequences.eos))[start:end]
        return np.concatenate([prefix, body]), len(prefix) + scored - start

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return ``input_ids``, ``attention_mask`` and ``labels``, (songs, longest)."""
        found = [self.row(int(number)) for number in rows]
        width = self._fixed or max(len(ids) for ids, _ in found)
        ids = np.full((len(found), width), self._padding, dtype=np.int64)
        mask, labels = np.zeros_like(ids), np.full_like(ids, IGNORED)
        for place, (tokens, first) in enumerate(found):
            ids[place, : len(tokens)] = tokens
            mask[place, : len(tokens)] = 1
            labels[place, first : len(tokens)] = tokens[first:]
        return {
            name: torch.from_numpy(v) for name, v in (("input_ids", ids), ("attention_mask", mask), ("labels", labels))
        }


class PackedExamples:
    """Blocks of equal size, filled with several songs as far as they go; a song sees no other.

    Blocks are filled with the longest songs first, each into the block where it fits most tightly; a few places are left
    over and hold padding.
    """

    def __init__(self, songs: SongExamples, padding: int, block: int) -> None:
        self._songs, self._padding, self._block, self.bucketed = songs, padding, block, False
        self._blocks = pack(songs.lengths, block)
        self.lengths: NDArray[np.int64] = np.full(len(self._blocks), block, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._blocks)

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return ``input_ids``, ``attention_mask``, ``labels`` and ``song_ids`` (0: none), (blocks, block)."""
        ids = np.full((len(rows), self._block), self._padding, dtype=np.int64)
        songs, labels = np.zeros_like(ids), np.full_like(ids, IGNORED)
        for place, block in enumerate(rows):
            at = 0
            for count, number in enumerate(self._blocks[int(block)], 1):
                tokens, first = self._songs.row(number)
                ids[place, at : at + len(tokens)] = tokens
                songs[place, at : at + len(tokens)] = count
                labels[place, at + first : at + len(tokens)] = tokens[first:]
                at += len(tokens)
        arrays = {"input_ids": ids, "attention_mask": (songs > 0).astype(np.int64), "labels": labels, "song_ids": songs}
        return {name: torch.from_numpy(value) for name, value in arrays.items()}


def pack(lengths: NDArray[np.int64], size: int) -> list[list[int]]:
    """Return which rows stand in which block, so that no block holds more than ``size`` tokens (best fit decreasing)."""
    blocks: list[list[int]] = []
    room: list[list[int]] = [[] for _ in range(size + 1)]  # by tokens left: the blocks
    open_ = 0  # bit n is set where a block has n tokens left, so that the tightest fit is found at once
    for number in np.argsort(-lengths, kind="stable"):
        length = int(lengths[number])
        fitting = open_ >> length << length
        left = (fitting & -fitting).bit_length() - 1 if fitting else size
        if fitting:
            block = room[left].pop()
            open_ &= ~(0 if room[left] else 1 << left)
        else:
            block = len(blocks)
            blocks.append([])
        blocks[block].append(int(number))
        room[left - length].append(block)
        open_ |= 1 << (left - length)
    return blocks


def _all_windows(lengths: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return (song, start, scored, end) of every window of every song."""
    whole = np.stack([np.arange(len(lengths)), np.zeros_like(lengths), np.zeros_like(lengths), lengths], axis=1)
    parts = [whole[lengths <= size]]
    for song in np.flatnonzero(lengths > size):
        parts.append(np.array([(song, *window) for window in windows(int(lengths[song]), size, OVERLAP)]))
    found: NDArray[np.int64] = np.concatenate(parts).astype(np.int64)
    return found[np.argsort(found[:, 0], kind="stable")]


def examples(tokens: SongTokens, split: str, options: Any, shape: Any, *, training: bool) -> Any:
    """Return the songs of a split as the options lay them out; validation always reads whole songs."""
    sequences = tokens.sequences(split, shape.bos, shape.eos)
    most = 0 if training else options.validation_songs
    layout = getattr(options, "layout", "songs") if training else "songs"
    hidden = options.condition_dropout if training else 0.0
    fixed = AS_REPORTED if layout == "padded" else 0
    songs = SongExamples(sequences, shape.padding, shape.context, hidden, fixed, most)
    return PackedExamples(songs, shape.padding, shape.context) if layout == "packed" else songs
