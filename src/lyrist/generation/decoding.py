"""Songs written freely, many at once: one pass of the model a token for all of them, and those that end leave the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lyrist.generation.prompts import Start, Vocabulary
from lyrist.generation.sampling import Drawer, Sampling, leaning
from lyrist.generation.streaming import whole

BATCH = 32
"""Songs that are written at once."""

Say = Callable[[int, str, bool], object]
"""``say(song, text, ended)``: a song's whole text so far; called for each token where somebody listens."""


@dataclass(frozen=True)
class Draft:
    """A song as it was drawn."""

    text: str
    tokens: int
    """How many were written, the prompt not counted."""
    ended: str
    """``"end"``: by the writer; ``"length"``: by --max-tokens, after the last whole word."""


def generator(seed: int, song: int) -> np.random.Generator:
    """Return the random numbers of one song: they depend on the seed and on its number, and on nothing else."""
    return np.random.default_rng([seed, song])


def sample(
    start: Start,
    vocabulary: Vocabulary,
    sampling: Sampling,
    songs: int,
    *,
    max_tokens: int,
    seed: int = 0,
    batch: int = BATCH,
    cached: bool = True,
    say: Say | None = None,
) -> list[Draft]:
    """Write songs.

    Parameters
    ----------
    start
        Where they start.
    vocabulary
        Of the same writer.
    sampling
        How tokens are drawn.
    songs
        How many.
    max_tokens
        Tokens of each at most, the prompt not counted.
    seed
        Song i of the same seed is the same whatever ``songs`` and ``batch`` are (but for rounding in the last bit, which
        may once in many songs tip a draw).
    batch
        Songs written at once.
    cached
        Carry keys and values on; off for comparison only.
    say
        Called with each song's text so far after each token.
    """
    found: list[Draft] = []
    for first in range(0, songs, batch):
        numbers = range(first, min(first + batch, songs))
        found += _batch(start, vocabulary, sampling, numbers, max_tokens, seed, cached, say)
    return found


@torch.inference_mode()
def _batch(
    start: Start,
    vocabulary: Vocabulary,
    sampling: Sampling,
    numbers: Sequence[int],
    max_tokens: int,
    seed: int,
    cached: bool,
    say: Say | None,
) -> list[Draft]:
    drawer = Drawer(sampling, vocabulary.banned, vocabulary.spared)
    dice = [generator(seed, number) for number in numbers]
    written: list[list[int]] = [[] for _ in numbers]
    drafts: dict[int, Draft] = {}
    reading = start.reading(cached=cached).fork(len(numbers))
    going = list(range(len(numbers)))
    for _ in range(max_tokens):
        places = torch.tensor([dice[song].random() for song in going], dtype=torch.float64)
        logits = leaning(reading.logits, start.lean, sampling.style)
        tokens = drawer.draw(logits, reading.ids, places)
        staying = []
        for row, (song, token) in enumerate(zip(going, tokens.tolist(), strict=True)):
            if token == vocabulary.eos:
                drafts[song] = _draft(start, written[song], "end")
            else:
                written[song].append(token)
                staying.append(row)
            if say is not None:
                say(numbers[song], _text(start, written[song]), song in drafts)
        if not staying:
            break
        if len(staying) < len(going):
            rows = torch.tensor(staying)
            reading.keep(rows)
            tokens, going = tokens[rows], [going[row] for row in staying]
        reading.feed(tokens[:, None])
    for song in range(len(numbers)):
        if song not in drafts:
            drafts[song] = _draft(start, written[song], "length")
            if say is not None:
                say(numbers[song], drafts[song].text, True)
    return [drafts[song] for song in range(len(numbers))]


def _text(start: Start, ids: Sequence[int]) -> str:
    return start.writer.decode([*start.ids, *ids])


def _draft(start: Start, ids: Sequence[int], ended: str) -> Draft:
    """Return the song: the prompt and what follows; of one that was cut, the words that are whole."""
    text = _text(start, ids)
    if ended == "length" and len(whole(text)) >= len(start.prompt):
        text = whole(text)
    return Draft(text.rstrip(), len(ids), ended)
