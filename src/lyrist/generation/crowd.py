"""Songs of different beginnings written together: one pass of the model a token for all, and they come and go while it runs.

What is unusual: every song has settings, random numbers, a limit and stops of its own, and what it becomes does not
depend on who is written beside it (but for rounding in the last bit, which may once in many songs tip a draw). Songs of
unequal length are padded on the left and masked, for models that carry keys and values; those that carry a state need no
padding. A model that can do neither writes each group of songs that began alike for itself.

A newcomer's beginning is read `PIECE` tokens at a time between the steps of the others, so that a long one holds up nobody.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lyrist.generation.decoding import generator
from lyrist.generation.prompts import Start, Vocabulary
from lyrist.generation.reading import Reading
from lyrist.generation.sampling import RUN, Drawer, Sampling, leaning
from lyrist.generation.streaming import whole
from lyrist.models import pasts

PIECE = 128
"""Tokens of newcomers' beginnings that are read between two steps of the songs that are being written."""


@dataclass(frozen=True)
class Likely:
    """A token that was written, with what the model thought of it before any setting was applied."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]
    """The likeliest tokens there, and their log-probabilities."""


@dataclass(eq=False)
class Song:
    """A song while it is written."""

    start: Start
    sampling: Sampling
    limit: int
    """Tokens at most, the prompt not counted."""
    seed: int = 0
    number: int = 0
    """Which of the songs of its seed it is."""
    stops: tuple[str, ...] = ()
    """It ends where one of these would stand in it, without it."""
    top: int | None = None
    """How many of the likeliest tokens are noted at each place; None: nothing is noted."""
    say: Callable[[str], object] | None = None
    """Called with its whole text after each token."""
    ids: list[int] = field(init=False)
    """Its tokens, those of the prompt first."""
    since: int = field(default=0, init=False)
    """Where in ``ids`` the window begins that the model reads."""
    ended: str = field(default="", init=False)
    """``"end"``: by the writer, ``"stop"``: by one of ``stops``, ``"length"``: by ``limit``."""
    text: str = field(default="", init=False)
    """All of it, the prompt included, once it has ended."""
    likely: list[Likely] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.ids = list(self.start.ids)
        self.dice = generator(self.seed, self.number)

    @property
    def tokens(self) -> int:
        """Return how many tokens were written."""
        return len(self.ids) - len(self.start.ids)

    @property
    def window(self) -> list[int]:
        """Return what the model reads of it: what stands before every song, and its last tokens."""
        return [*self.start.prefix, *self.ids[self.since :]]

    def add(self, token: int, eos: int) -> None:
        """Write a token, and see whether the song has ended with it."""
        if token == eos:
            self._end("end", self._text())
            return
        self.ids.append(token)
        text = self._text() if self.stops or self.say is not None else ""
        found = [place for stop in self.stops if (place := text.find(stop, len(self.start.prompt))) >= 0]
        if found:
            self._end("stop", text[: min(found)])
        elif self.tokens >= self.limit:
            text = text or self._text()
            self._end("length", whole(text) if len(whole(text)) >= len(self.start.prompt) else text)
        elif self.say is not None:
            self.say(text)

    def _end(self, how: str, text: str) -> None:
        self.ended, self.text = how, text.rstrip()

    def _text(self) -> str:
        return self.start.writer.decode(self.ids)


class Crowd:
    """Songs of one writer that are written together."""

    def __init__(self, writer: Any, vocabulary: Vocabulary) -> None:
        self.writer, self.vocabulary, self.model = writer, vocabulary, writer.model
        self._drawers: dict[Sampling, Drawer] = {}
        self._parts: list[_Padded | _Alike] = []
        self._coming: list[_Coming] = []

    def __len__(self) -> int:
        return sum(len(part.songs) for part in self._parts) + sum(len(each.songs) for each in self._coming)

    def join(self, songs: Sequence[Song]) -> None:
        """Let songs in; they are written from the next step on, or when their beginnings have been read."""
        by_start: dict[tuple[int, ...], list[Song]] = defaultdict(list)
        for song in songs:
            by_start[tuple(song.window)].append(song)
        for window, alike in by_start.items():
            if self.writer.seq2seq:
                self._parts.append(_Alike(alike))
            else:
                self._coming.append(_Coming(alike, list(window)))

    def leave(self, songs: Sequence[Song]) -> None:
        """Take songs out, wherever they are."""
        gone = set(map(id, songs))
        for each in [*self._coming, *self._parts]:
            if any(id(song) in gone for song in each.songs):
                each.keep([row for row, song in enumerate(each.songs) if id(song) not in gone])
        self._tidy()

    @torch.inference_mode()
    def step(self) -> list[Song]:
        """Write a token of every song that can be gone on with; return those that ended with it."""
        self._let_in()
        ended: list[Song] = []
        for part in list(self._parts):
            ended += self._write(part)
        self._tidy()
        return ended

    def _write(self, part: _Padded | _Alike) -> list[Song]:
        tokens = self._drawn(part.logits, part.songs)
        for song, token in zip(part.songs, tokens, strict=True):
            song.add(token, self.vocabulary.eos)
        ended = [song for song in part.songs if song.ended]
        staying = [row for row, song in enumerate(part.songs) if not song.ended]
        if isinstance(part, _Padded):
            moved = [part.songs[row] for row in staying if self._slides(part.songs[row])]
            staying = [row for row in staying if part.songs[row] not in moved]
            self.join(moved)
        if len(staying) < len(part.songs):
            part.keep(staying)
            tokens = [tokens[row] for row in staying]
        if staying:
            part.feed(self.model, tokens)
        return ended

    def _slides(self, song: Song) -> bool:
        """Return whether a song has outgrown what the model reads at once, and move its window if so."""
        context, before = song.start.context, len(song.start.prefix)
        if before + len(song.ids) - song.since <= context:
            return False
        song.since = len(song.ids) - max((context - before) // 2, 1)
        return True

    def _drawn(self, logits: Tensor, songs: Sequence[Song]) -> list[int]:
        """Return the next token of each song."""
        places = [song.dice.random() for song in songs]
        tokens, leaned = [0] * len(songs), _leaned(logits, songs)
        for rows, history in _alike(songs, self.vocabulary.eos):
            drawer = self._drawer(songs[rows[0]].sampling)
            some = torch.tensor([places[row] for row in rows], dtype=torch.float64)
            found = drawer.draw(leaned if len(rows) == len(songs) else leaned[rows], history, some)
            for row, token in zip(rows, found.tolist(), strict=True):
                tokens[row] = token
        _note(logits, songs, tokens)
        return tokens

    def _drawer(self, sampling: Sampling) -> Drawer:
        if sampling not in self._drawers:
            if len(self._drawers) >= 256:  # clients choose the settings
                self._drawers.clear()
            self._drawers[sampling] = Drawer(sampling, self.vocabulary.banned, self.vocabulary.spared)
        return self._drawers[sampling]

    def _let_in(self) -> None:
        """Read of newcomers' beginnings as much as may be read at once, and let in whom that suffices."""
        budget = PIECE
        while self._coming and budget > 0:
            first = self._coming[0]
            left = len(first.window) - first.read
            if left > PIECE:
                first.go_on(self.model, PIECE)
                return
            same = [each for each in self._coming if not each.read and len(each.window) == left]
            batch = [first] if first.read else same[: max(1, PIECE // left)]
            self._coming = [each for each in self._coming if each not in batch]
            self._settle(_read(self.model, batch))
            budget -= left * len(batch)

    def _settle(self, part: _Padded) -> None:
        """Put newcomers beside the others, where the model's state allows it."""
        others = [each for each in self._parts if isinstance(each, _Padded)]
        if others and pasts.joinable(part.past):
            others[0].join(part)
        else:
            self._parts.append(part)

    def _tidy(self) -> None:
        self._parts = [part for part in self._parts if part.songs]
        self._coming = [each for each in self._coming if each.songs]


def _alike(songs: Sequence[Song], filling: int) -> Iterator[tuple[list[int], Tensor]]:
    """Yield rows of songs that can be drawn for together, and what was written of each, (songs, time).

    Shorter songs are filled up on the left with the end, which stands in no song and which no penalty is for: beyond a few
    tokens, the settings that look back cannot tell. With fewer, songs of one length are taken together.
    """
    groups: dict[tuple[Sampling, int], list[int]] = defaultdict(list)
    for row, song in enumerate(songs):
        few = max(RUN, song.sampling.no_repeat_ngram)
        groups[song.sampling, min(len(song.ids), few)].append(row)
    for rows in groups.values():
        longest = max(len(songs[row].ids) for row in rows)
        history = [[filling] * (longest - len(songs[row].ids)) + songs[row].ids for row in rows]
        yield rows, torch.tensor(history, dtype=torch.long).reshape(len(rows), longest)


def _leaned(logits: Tensor, songs: Sequence[Song]) -> Tensor:
    """Return the logits of each song, leaning to what is usual for what it was given."""
    if all(song.start.lean is None or not song.sampling.style for song in songs):
        return logits
    each = zip(logits, songs, strict=True)
    return torch.stack([leaning(own.float(), song.start.lean, song.sampling.style) for own, song in each])


def _note(logits: Tensor, songs: Sequence[Song], tokens: Sequence[int]) -> None:
    """Note what the model thought, for the songs that want it."""
    for row, song in enumerate(songs):
        if song.top is None:
            continue
        shares = logits[row].float().log_softmax(dim=-1)
        values, ids = shares.topk(song.top) if song.top else (shares[:0], torch.tensor([], dtype=torch.long))
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        song.likely.append(Likely(tokens[row], float(shares[tokens[row]]), top))


@dataclass(eq=False)
class _Coming:
    """Songs that begin alike, whose beginning is yet to be read."""

    songs: list[Song]
    window: list[int]
    read: int = 0
    past: Any = None

    def keep(self, rows: Sequence[int]) -> None:
        self.songs = [self.songs[row] for row in rows]

    def go_on(self, model: Any, count: int) -> None:
        piece = torch.tensor([self.window[self.read : self.read + count]])
        self.past = _forward(model, piece, self.past, None)[1]
        self.read += count


def _read(model: Any, batch: Sequence[_Coming]) -> _Padded:
    """Read what is left of beginnings of one length, and return the songs, each with a past of its own."""
    ids = torch.tensor([each.window[each.read :] for each in batch])
    logits, past = _forward(model, ids, batch[0].past, None)
    rows = torch.tensor([row for row, each in enumerate(batch) for _ in each.songs])
    if len(rows) > len(batch):
        past.batch_select_indices(rows)
        logits = logits[rows]
    songs = [song for each in batch for song in each.songs]
    return _Padded(songs, past, logits, [len(batch[0].window)] * len(songs))


class _Padded:
    """Songs of any lengths with one past, the shorter ones padded on the left where it has columns."""

    def __init__(self, songs: list[Song], past: Any, logits: Tensor, lengths: list[int]) -> None:
        self.songs, self.past, self.logits, self.lengths = songs, past, logits, lengths

    def join(self, other: _Padded) -> None:
        pasts.join(self.past, other.past)
        self.logits = torch.cat([self.logits, other.logits])
        self.songs, self.lengths = self.songs + other.songs, self.lengths + other.lengths

    def keep(self, rows: Sequence[int]) -> None:
        self.songs, self.lengths = [self.songs[row] for row in rows], [self.lengths[row] for row in rows]
        kept = torch.tensor(rows, dtype=torch.long)
        self.logits = self.logits[kept]
        if not rows:
            return
        self.past.batch_select_indices(kept)
        if (pasts.columns(self.past) or 0) > max(self.lengths):
            pasts.trim(self.past, max(self.lengths))

    def feed(self, model: Any, tokens: Sequence[int]) -> None:
        ids = torch.tensor(tokens)[:, None]
        width = pasts.columns(self.past)
        mask = None
        if width is not None and any(length < width for length in self.lengths):
            mask = (torch.arange(width + 1) >= width - torch.tensor(self.lengths)[:, None]).long()
        self.logits, self.past = _forward(model, ids, self.past, mask)
        self.lengths = [length + 1 for length in self.lengths]


class _Alike:
    """Songs that began alike, for a model with an encoder, which nothing else can be put beside."""

    def __init__(self, songs: list[Song]) -> None:
        self.songs = songs
        self.reading: Reading = songs[0].start.reading().fork(len(songs))

    @property
    def logits(self) -> Tensor:
        return self.reading.logits

    def keep(self, rows: Sequence[int]) -> None:
        self.songs = [self.songs[row] for row in rows]
        if rows:
            self.reading.keep(torch.tensor(rows))

    def feed(self, model: Any, tokens: Sequence[int]) -> None:
        self.reading.feed(torch.tensor(tokens)[:, None])


def _forward(model: Any, ids: Tensor, past: Any, mask: Tensor | None) -> tuple[Tensor, Any]:
    """Return what the model says of the next token of each song, (songs, vocabulary), and what it carries on."""
    device = next((weights.device for weights in model.parameters()), torch.device("cpu"))
    given: dict[str, Any] = {"input_ids": ids.to(device), "past_key_values": past, "use_cache": True}
    knows = inspect.signature(model.forward).parameters
    if "logits_to_keep" in knows:
        given["logits_to_keep"] = 1
    if mask is not None:
        given["attention_mask"] = mask.to(device)
        if "position_ids" in knows:
            given["position_ids"] = (mask.sum(dim=1, keepdim=True) - 1).to(device)
    found = model(**given)
    return found.logits[:, -1], found.past_key_values
