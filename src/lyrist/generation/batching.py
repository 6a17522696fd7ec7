"""Decoding songs in batches: the state of a model, songs of one start together, and continuous batching.

`sample` writes songs of the same start: they have the same length, so there is no padding and no mask. `BatchScheduler` writes
songs of different starts, which join and leave while it runs. Each song has its own options, random numbers, limit and stop
strings, and does not depend on the rest of the batch (except for rounding in the last bit, which can change a token once in many
songs). In models with a KV cache, shorter sequences are padded on the left and masked; a recurrent state needs no padding. New
prompts are prefilled `PREFILL` tokens at a time between the steps of the other songs, so a long prompt does not delay them.
"""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from lyrist.generation.config import RUN, SamplingOptions
from lyrist.generation.output import whole
from lyrist.generation.prompts import EncoderInput, SongStart, Vocabulary
from lyrist.generation.sampling import TokenSampler, add_style_bias
from lyrist.models import kv_cache

PREFILL = 128
"""Prompt tokens read between two steps of the songs in progress."""


@dataclass(frozen=True)
class TokenLogprob:
    """A generated token with its log-probability before any sampling option is applied."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]
    """The most likely tokens and their log-probabilities."""


@dataclass(eq=False)
class SongSequence:
    """A song in progress."""

    start: SongStart
    sampling: SamplingOptions
    limit: int
    """Maximum tokens, without the prompt."""
    seed: int = 0
    number: int = 0
    """Its number among the songs of its seed."""
    stops: tuple[str, ...] = ()
    """It ends before the first of these strings."""
    top: int | None = None
    """Number of most likely tokens to record at each position; None: record nothing."""
    on_text: Callable[[str], object] | None = None
    """Called with the whole text after each token."""
    ids: list[int] = field(init=False)
    """Its tokens, including the prompt."""
    since: int = field(default=0, init=False)
    """Start in ``ids`` of the window that the model reads."""
    ended: str = field(default="", init=False)
    """``"end"``: by the writer, ``"stop"``: by one of ``stops``, ``"length"``: by ``limit``."""
    text: str = field(default="", init=False)
    """The whole text with the prompt, once the song has ended."""
    logprobs: list[TokenLogprob] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.ids = list(self.start.ids)
        self.rng = generator(self.seed, self.number)

    @property
    def tokens(self) -> int:
        """Number of generated tokens."""
        return len(self.ids) - len(self.start.ids)

    @property
    def window(self) -> list[int]:
        """Tokens that the model reads: the prefix and the last tokens of the song."""
        return [*self.start.prefix, *self.ids[self.since :]]

    def add(self, token: int, eos: int) -> None:
        """Add a token; the song may end with it."""
        if token == eos:
            self._end("end", self._text())
            return
        self.ids.append(token)
        text = self._text() if self.stops or self.on_text is not None else ""
        found = [place for stop in self.stops if (place := text.find(stop, len(self.start.prompt))) >= 0]
        if found:
            self._end("stop", text[: min(found)])
        elif self.tokens >= self.limit:
            text = text or self._text()
            self._end("length", whole(text) if len(whole(text)) >= len(self.start.prompt) else text)
        elif self.on_text is not None:
            self.on_text(text)

    def _end(self, how: str, text: str) -> None:
        self.ended, self.text = how, text.rstrip()

    def _text(self) -> str:
        return self.start.writer.decode(self.ids)


class BatchScheduler:
    """Writes songs of one writer with continuous batching."""

    def __init__(self, writer: Any, vocabulary: Vocabulary) -> None:
        self.writer, self.vocabulary, self.model = writer, vocabulary, writer.model
        self._samplers: dict[SamplingOptions, TokenSampler] = {}
        self._parts: list[PaddedSongs | EqualSongs] = []
        self._prefills: list[_Prefill] = []

    def __len__(self) -> int:
        return sum(len(part.songs) for part in self._parts) + sum(len(each.songs) for each in self._prefills)

    def join(self, songs: Sequence[SongSequence]) -> None:
        """Add songs; they are written from the next step on, or after their prompts are prefilled."""
        by_start: dict[tuple[int, ...], list[SongSequence]] = defaultdict(list)
        for song in songs:
            by_start[tuple(song.window)].append(song)
        for window, alike in by_start.items():
            if self.writer.seq2seq:
                self._parts.append(EqualSongs(alike, DecodingState.of(alike[0].start).fork(len(alike))))
            else:
                self._prefills.append(_Prefill(alike, list(window)))

    def leave(self, songs: Sequence[SongSequence]) -> None:
        """Remove songs."""
        gone = set(map(id, songs))
        for each in [*self._prefills, *self._parts]:
            if any(id(song) in gone for song in each.songs):
                each.keep([row for row, song in enumerate(each.songs) if id(song) not in gone])
        self._tidy()

    @torch.inference_mode()
    def step(self) -> list[SongSequence]:
        """Write a token of every prefilled song; return the songs that ended."""
        self._prefill()
        ended: list[SongSequence] = []
        for part in list(self._parts):
            ended += self._write(part)
        self._tidy()
        return ended

    def _write(self, part: PaddedSongs | EqualSongs) -> list[SongSequence]:
        tokens = self._drawn(part.logits, part.songs)
        for song, token in zip(part.songs, tokens, strict=True):
            song.add(token, self.vocabulary.eos)
        ended = [song for song in part.songs if song.ended]
        staying = [row for row, song in enumerate(part.songs) if not song.ended]
        if isinstance(part, PaddedSongs):
            moved = [part.songs[row] for row in staying if self._slides(part.songs[row])]
            staying = [row for row in staying if part.songs[row] not in moved]
            self.join(moved)
        if len(staying) < len(part.songs):
            part.keep(staying)
            tokens = [tokens[row] for row in staying]
        if staying:
            part.feed(self.model, tokens)
        return ended

    def _slides(self, song: SongSequence) -> bool:
        """Return whether a song exceeds the context, and move its window if so."""
        context, before = song.start.context, len(song.start.prefix)
        if before + len(song.ids) - song.since <= context:
            return False
        song.since = len(song.ids) - max((context - before) // 2, 1)
        return True

    def _drawn(self, logits: Tensor, songs: Sequence[SongSequence]) -> list[int]:
        """Return the next token of each song."""
        places = [song.rng.random() for song in songs]
        tokens, biased = [0] * len(songs), _biased(logits, songs)
        for rows, history in _alike(songs, self.vocabulary.eos):
            sampler = self._drawer(songs[rows[0]].sampling)
            some = torch.tensor([places[row] for row in rows], dtype=torch.float64)
            found = sampler.draw(biased if len(rows) == len(songs) else biased[rows], history, some)
            for row, token in zip(rows, found.tolist(), strict=True):
                tokens[row] = token
        _note(logits, songs, tokens)
        return tokens

    def _drawer(self, sampling: SamplingOptions) -> TokenSampler:
        if sampling not in self._samplers:
            if len(self._samplers) >= 256:  # clients choose the settings
                self._samplers.clear()
            self._samplers[sampling] = TokenSampler(
                sampling, self.vocabulary.banned, self.vocabulary.spared, self.vocabulary.whole_words
            )
        return self._samplers[sampling]

    def _prefill(self) -> None:
        """Prefill up to `PREFILL` tokens, and add songs whose prompts are complete to the batch."""
        budget = PREFILL
        while self._prefills and budget > 0:
            first = self._prefills[0]
            left = len(first.window) - first.read
            if left > PREFILL:
                first.go_on(self.model, PREFILL)
                return
            same = [each for each in self._prefills if not each.read and len(each.window) == left]
            batch = [first] if first.read else same[: max(1, PREFILL // left)]
            self._prefills = [each for each in self._prefills if each not in batch]
            self._settle(_read(self.model, batch))
            budget -= left * len(batch)

    def _settle(self, part: PaddedSongs) -> None:
        """Join prefilled songs with the others, if the model's cache allows it."""
        others = [each for each in self._parts if isinstance(each, PaddedSongs)]
        if others and kv_cache.joinable(part.past):
            others[0].join(part)
        else:
            self._parts.append(part)

    def _tidy(self) -> None:
        self._parts = [part for part in self._parts if part.songs]
        self._prefills = [each for each in self._prefills if each.songs]


def _alike(songs: Sequence[SongSequence], filling: int) -> Iterator[tuple[list[int], Tensor]]:
    """Yield rows of songs that can be sampled together, and their tokens so far, (songs, time).

    Shorter songs are padded on the left with the end token, which occurs in no song and has no penalty. Options that look back
    do so over few tokens; songs shorter than that are grouped by length.
    """
    groups: dict[tuple[SamplingOptions, int], list[int]] = defaultdict(list)
    for row, song in enumerate(songs):
        few = max(RUN, song.sampling.no_repeat_ngram)
        groups[song.sampling, min(len(song.ids), few)].append(row)
    for rows in groups.values():
        longest = max(len(songs[row].ids) for row in rows)
        history = [[filling] * (longest - len(songs[row].ids)) + songs[row].ids for row in rows]
        yield rows, torch.tensor(history, dtype=torch.long).reshape(len(rows), longest)


def _biased(logits: Tensor, songs: Sequence[SongSequence]) -> Tensor:
    """Return the logits of each song with its style bias."""
    if all(song.start.bias is None or not song.sampling.style for song in songs):
        return logits
    each = zip(logits, songs, strict=True)
    return torch.stack([add_style_bias(own.float(), song.start.bias, song.sampling.style) for own, song in each])


def _note(logits: Tensor, songs: Sequence[SongSequence], tokens: Sequence[int]) -> None:
    """Record log-probabilities for the songs that request them."""
    for row, song in enumerate(songs):
        if song.top is None:
            continue
        shares = logits[row].float().log_softmax(dim=-1)
        values, ids = shares.topk(song.top) if song.top else (shares[:0], torch.tensor([], dtype=torch.long))
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        song.logprobs.append(TokenLogprob(tokens[row], float(shares[tokens[row]]), top))


@dataclass(eq=False)
class _Prefill:
    """Songs with the same prompt, which is not yet read completely."""

    songs: list[SongSequence]
    window: list[int]
    read: int = 0
    past: Any = None

    def keep(self, rows: Sequence[int]) -> None:
        self.songs = [self.songs[row] for row in rows]

    def go_on(self, model: Any, count: int) -> None:
        piece = torch.tensor([self.window[self.read : self.read + count]])
        self.past = _forward(model, piece, self.past, None)[1]
        self.read += count


def _read(model: Any, batch: Sequence[_Prefill]) -> PaddedSongs:
    """Read the rest of prompts of one length; return the songs, each with its own cache."""
    ids = torch.tensor([each.window[each.read :] for each in batch])
    logits, past = _forward(model, ids, batch[0].past, None)
    rows = torch.tensor([row for row, each in enumerate(batch) for _ in each.songs])
    if len(rows) > len(batch):
        past.batch_select_indices(rows)
        logits = logits[rows]
    songs = [song for each in batch for song in each.songs]
    return PaddedSongs(songs, past, logits, [len(batch[0].window)] * len(songs))


class PaddedSongs:
    """Songs of any length with one cache; shorter ones are padded on the left if the cache has columns."""

    def __init__(self, songs: list[Any], past: Any, logits: Tensor, lengths: list[int]) -> None:
        self.songs, self.past, self.logits, self.lengths = songs, past, logits, lengths

    def join(self, other: PaddedSongs) -> None:
        """Append songs."""
        kv_cache.join(self.past, other.past)
        self.logits = torch.cat([self.logits, other.logits])
        self.songs, self.lengths = self.songs + other.songs, self.lengths + other.lengths

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some songs."""
        self.songs, self.lengths = [self.songs[row] for row in rows], [self.lengths[row] for row in rows]
        kept = torch.tensor(rows, dtype=torch.long)
        self.logits = self.logits[kept]
        if not rows:
            return
        self.past.batch_select_indices(kept)
        if (kv_cache.columns(self.past) or 0) > max(self.lengths):
            kv_cache.trim(self.past, max(self.lengths))

    def feed(self, model: Any, tokens: Sequence[int]) -> None:
        """Read the next token of each song."""
        ids = torch.tensor(tokens)[:, None]
        width = kv_cache.columns(self.past)
        mask = None
        if width is not None and any(length < width for length in self.lengths):
            mask = (torch.arange(width + 1) >= width - torch.tensor(self.lengths)[:, None]).long()
        self.logits, self.past = _forward(model, ids, self.past, mask)
        self.lengths = [length + 1 for length in self.lengths]


class EqualSongs:
    """Songs of one start and length, which are not joined with others."""

    def __init__(self, songs: list[Any], reading: DecodingState) -> None:
        self.songs, self.reading = songs, reading

    @property
    def logits(self) -> Tensor:
        """Logits of the next token, (songs, vocabulary)."""
        return self.reading.logits

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some songs."""
        self.songs = [self.songs[row] for row in rows]
        if rows:
            self.reading.keep(torch.tensor(rows))

    def feed(self, model: Any, tokens: Sequence[int]) -> None:
        """Read the next token of each song."""
        self.reading.feed(torch.tensor(tokens)[:, None])


def _forward(model: Any, ids: Tensor, past: Any, mask: Tensor | None) -> tuple[Tensor, Any]:
    """Return the logits of the next token of each song, (songs, vocabulary), and the cache."""
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


class DecodingState:
    """The state of a model after reading songs of equal length, and the logits of their next tokens.

    A song that exceeds the context is read again from its prefix and its last tokens, half the context. In a sequence-to-sequence
    model the encoder reads the song so far, and the decoder continues from there.
    """

    def __init__(
        self,
        model: Any,
        prefix: Sequence[int],
        context: int,
        *,
        ids: Sequence[int] = (),
        cached: bool = True,
        encoding: EncoderInput | None = None,
    ) -> None:
        """Read the start of a song.

        Parameters
        ----------
        model
            A causal model of `transformers`, or a sequence-to-sequence one.
        prefix
            Tokens before every song, kept when the window moves; of a sequence-to-sequence model, the start of the decoder.
        context
            Context of the model (of the decoder), in tokens.
        ids
            The first tokens of the song.
        cached
            Use the KV cache; False computes everything again for each token (for comparison only).
        encoding
            Input of the encoder of a sequence-to-sequence model.
        """
        self.model, self.prefix, self.context, self.cached = model, list(prefix), context, cached
        self.encoding = encoding
        self.device = next((weights.device for weights in model.parameters()), torch.device("cpu"))
        self.ids = torch.tensor([list(ids)], dtype=torch.long, device=self.device)
        """Tokens after the prefix, (songs, tokens)."""
        self.logits: Tensor
        """Logits of the next token, (songs, vocabulary)."""
        self._past: Any = None
        self._from = 0 if encoding is None else len(ids)
        self._encoded: Tensor | None = None
        with torch.inference_mode():
            self._begin()

    @classmethod
    def of(cls, start: SongStart, *, cached: bool = True) -> DecodingState:
        """Return the state of one song at its start."""
        model, encoding = start.writer.model, start.encoding
        return cls(model, start.prefix, start.context, ids=start.ids, cached=cached, encoding=encoding)

    def __len__(self) -> int:
        return self.ids.shape[0]

    def padded(self, songs: list[Any], tokens: int) -> PaddedSongs | None:
        """Return the songs so that they can be joined with others; None if the model or its context does not allow it.

        ``tokens`` is the number of tokens that will be read.
        """
        length = len(self.prefix) + self.ids.shape[1] - self._from
        fits = self.encoding is None and self.cached and length + tokens <= self.context
        if not fits or not kv_cache.joinable(self._past):
            return None
        return PaddedSongs(songs, self._past, self.logits, [length] * len(self))

    @torch.inference_mode()
    def feed(self, tokens: Tensor) -> Tensor:
        """Read ``tokens``, (songs, n), and return the logits after each of them, (songs, n, vocabulary)."""
        self.ids = torch.cat([self.ids, tokens.to(self.device)], dim=1)
        new = tokens.shape[1]
        if len(self.prefix) + self.ids.shape[1] - self._from > self.context:
            kept = (self.context - len(self.prefix)) // 2 if self.encoding is None else 0
            self._from, self._encoded = self.ids.shape[1] - max(kept, new), None
            return self._begin()[:, -new:]
        if not self.cached:
            return self._begin()[:, -new:]
        logits = self._forward(tokens.to(self.device))
        self.logits = logits[:, -1]
        return logits

    def tree(self, tokens: int) -> SongTree | None:
        """Return a tree of continuations of one song, each of at most ``tokens`` tokens; None if the model does not allow it."""
        length = len(self.prefix) + self.ids.shape[1] - self._from
        attention = getattr(getattr(self.model, "config", None), "_attn_implementation", "")
        full = isinstance(self._past, DynamicCache) and kv_cache.joinable(self._past)
        fits = self.encoding is None and self.cached and length + tokens <= self.context
        masks = attention in ("sdpa", "eager") and "position_ids" in inspect.signature(self.model.forward).parameters
        return SongTree(self.fork(1), length) if full and fits and masks else None

    @torch.inference_mode()
    def feed_padded(self, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return the logits before and after each token of several continuations of one song, read as a batch."""
        length = max(1, *map(len, rows))
        # Causal attention ignores the padding on the right.
        padded = torch.tensor([[*row, *[row[-1] if len(row) else 0] * (length - len(row))] for row in rows])
        logits = self.fork(len(rows)).feed(padded)
        return [torch.cat([self.logits[:1], after[: len(row)]]) for row, after in zip(rows, logits, strict=True)]

    def _begin(self) -> Tensor:
        """Read the prefix and each song from the start of its window."""
        prefix = self._same(self.prefix)
        self._past = None
        if self.encoding is not None and self._encoded is None:
            self._encoded = self._encode(self.encoding)
        logits = self._forward(torch.cat([prefix, self.ids[:, self._from :]], dim=1))
        self.logits = logits[:, -1]
        return logits

    def _encode(self, encoding: EncoderInput) -> Tensor:
        """Encode the songs up to the decoder's window; return the hidden states, (songs, time, size)."""
        songs = self.ids[:, max(0, self._from - encoding.most) : self._from]
        given = torch.cat([self._same(encoding.before), songs, self._same(encoding.after)], dim=1)
        hidden: Tensor = self.model.get_encoder()(input_ids=given).last_hidden_state
        return hidden

    def _same(self, ids: Sequence[int]) -> Tensor:
        """Repeat the same tokens for each song."""
        return torch.tensor([list(ids)], dtype=torch.long, device=self.device).expand(len(self), -1)

    def _forward(self, ids: Tensor) -> Tensor:
        given: dict[str, Any] = {"past_key_values": self._past, "use_cache": self.cached}
        if self._encoded is None:
            given["input_ids"] = ids
        else:
            given |= {"decoder_input_ids": ids, "encoder_outputs": BaseModelOutput(last_hidden_state=self._encoded)}
        found = self.model(**given)
        self._past = found.past_key_values if self.cached else None
        logits: Tensor = found.logits
        return logits

    @torch.inference_mode()
    def keep(self, rows: Tensor) -> None:
        """Select songs by row, in this order; rows may repeat."""
        self.ids, self.logits = self.ids[rows], self.logits[rows]
        if self._encoded is not None:
            self._encoded = self._encoded[rows]
        if self._past is not None:
            self._past.batch_select_indices(rows)

    @torch.inference_mode()
    def fork(self, times: int) -> DecodingState:
        """Return a copy of the state with each song ``times`` times, copies next to each other."""
        other = copy.copy(self)
        other._past = kv_cache.copied(self._past)
        if times > 1:
            other.keep(torch.arange(len(self), device=self.device).repeat_interleave(times))
        return other


class SongTree:
    """Continuations of one song as a tree in one sequence: a token attends to the song and to its ancestors only.

    So the cache of the song exists once for all continuations, what they have in common is read once, and none has to be removed
    from the cache when it ends.
    """

    def __init__(self, state: DecodingState, length: int) -> None:
        """Begin after a song of ``length`` tokens, prefix included; the tree changes the cache of ``state``."""
        self._state, self._length = state, length
        self._known: dict[tuple[int, int], int] = {}
        self._visible = torch.zeros(1, 0, dtype=torch.bool)
        self.logits = [state.logits[0]]
        """Logits after each node; the first node is the end of the song."""

    @torch.inference_mode()
    def add(self, rows: Sequence[tuple[int, Sequence[int]]]) -> list[list[int]]:
        """Read continuations in one pass, each a node and the tokens after it; return the nodes of each, the first included."""
        paths, parents, tokens, old = [[node] for node, _ in rows], list[int](), list[int](), len(self.logits)
        for path, (_, row) in zip(paths, rows, strict=True):
            for token in row:
                node = self._known.setdefault((path[-1], token), old + len(tokens))
                if node == old + len(tokens):
                    parents.append(path[-1])
                    tokens.append(token)
                path.append(node)
        if tokens:
            self._read(parents, tokens)
        return paths

    def _read(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        """Read one new node for each token."""
        state, old = self._state, len(self.logits)
        visible = torch.zeros(
            old + len(tokens), old + len(tokens) - 1, dtype=torch.bool
        )  # the first node has no column
        visible[:old, : old - 1] = self._visible
        for node, parent in enumerate(parents, start=old):
            visible[node] = visible[parent]
            visible[node, node - 1] = True
        self._visible, new = visible, visible[old:]
        seen = torch.cat([torch.ones(len(tokens), self._length, dtype=torch.bool), new], dim=1)
        mask = torch.zeros(seen.shape, dtype=state.model.dtype).masked_fill(~seen, torch.finfo(state.model.dtype).min)
        found = state.model(
            input_ids=torch.tensor([list(tokens)], device=state.device), past_key_values=state._past, use_cache=True,
            attention_mask=mask[None, None].to(state.device),
            position_ids=(self._length - 1 + new.sum(dim=1))[None].to(state.device),
        )  # fmt: skip
        self.logits += found.logits[0].unbind()

    def song(self, tokens: Sequence[int]) -> tuple[DecodingState, int]:
        """Return the state after the longest known beginning of ``tokens``, and its length; the tree ends."""
        state, path = self._state, [0]
        for token in tokens:
            if (path[-1], token) not in self._known:
                break
            path.append(self._known[path[-1], token])
        read = len(path) - 1
        kv_cache.select(state._past, [*range(self._length), *(self._length + node - 1 for node in path[1:])])
        state.ids = torch.cat(
            [state.ids, torch.tensor([list(tokens[:read])], dtype=torch.long, device=state.device)], dim=1
        )
        state.logits = self.logits[path[-1]][None]
        return state, read


class TreeSongs:
    """Songs of one start that are the branches of a tree."""

    def __init__(self, songs: list[Any], tree: SongTree) -> None:
        self.songs, self.tree, self.nodes = songs, tree, [0] * len(songs)

    @property
    def logits(self) -> Tensor:
        """Logits of the next token, (songs, vocabulary)."""
        return torch.stack([self.tree.logits[node] for node in self.nodes])

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some songs."""
        self.songs, self.nodes = [self.songs[row] for row in rows], [self.nodes[row] for row in rows]

    def feed(self, model: Any, tokens: Sequence[int]) -> None:
        """Read the next token of each song."""
        paths = self.tree.add([(node, [token]) for node, token in zip(self.nodes, tokens, strict=True)])
        self.nodes = [path[-1] for path in paths]


BATCH = 32
"""Default batch size."""


@dataclass(frozen=True)
class Draft:
    """A sampled song."""

    text: str
    tokens: int
    """Generated tokens, without the prompt."""
    ended: str
    """``"end"``: by the writer; ``"length"``: by --max-tokens, after the last whole word."""


def generator(seed: int, song: int) -> np.random.Generator:
    """Return the random generator of a song, which depends on the seed and the number of the song only."""
    return np.random.default_rng([seed, song])


def sample(
    start: SongStart,
    vocabulary: Vocabulary,
    sampling: SamplingOptions,
    songs: int,
    *,
    max_tokens: int,
    seed: int = 0,
    batch: int = BATCH,
    cached: bool = True,
    on_text: Callable[[int, str, bool], object] | None = None,
) -> list[Draft]:
    """Write songs.

    Parameters
    ----------
    start
        Start of the songs.
    vocabulary
        Vocabulary of the same writer.
    sampling
        Sampling options.
    songs
        Number of songs.
    max_tokens
        Maximum tokens of a song, without the prompt.
    seed
        Song i of a seed does not depend on ``songs`` and ``batch`` (except for rounding in the last bit, which can change a
        token once in many songs).
    batch
        Songs in a batch.
    cached
        Use the KV cache; False for comparison only.
    say
        ``on_text(song, text, ended)``, called with the text of a song after each token.
    """
    found: list[Draft] = []
    for first in range(0, songs, batch):
        numbers = range(first, min(first + batch, songs))
        found += _batch(start, vocabulary, sampling, numbers, max_tokens, seed, cached, on_text)
    return found


@torch.inference_mode()
def _batch(
    start: SongStart,
    vocabulary: Vocabulary,
    sampling: SamplingOptions,
    numbers: Sequence[int],
    max_tokens: int,
    seed: int,
    cached: bool,
    on_text: Callable[[int, str, bool], object] | None,
) -> list[Draft]:
    sampler = TokenSampler(sampling, vocabulary.banned, vocabulary.spared, vocabulary.whole_words)
    rng = [generator(seed, number) for number in numbers]
    written: list[list[int]] = [[] for _ in numbers]
    drafts: dict[int, Draft] = {}
    reading = DecodingState.of(start, cached=cached).fork(len(numbers))
    going = list(range(len(numbers)))
    for _ in range(max_tokens):
        places = torch.tensor([rng[song].random() for song in going], dtype=torch.float64)
        logits = add_style_bias(reading.logits, start.bias, sampling.style)
        tokens = sampler.draw(logits, reading.ids, places)
        staying = []
        for row, (song, token) in enumerate(zip(going, tokens.tolist(), strict=True)):
            if token == vocabulary.eos:
                drafts[song] = _draft(start, written[song], "end")
            else:
                written[song].append(token)
                staying.append(row)
            if on_text is not None:
                on_text(numbers[song], _text(start, written[song]), song in drafts)
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
            if on_text is not None:
                on_text(numbers[song], drafts[song].text, True)
    return [drafts[song] for song in range(len(numbers))]


def _text(start: SongStart, ids: Sequence[int]) -> str:
    return start.writer.decode([*start.ids, *ids])


def _draft(start: SongStart, ids: Sequence[int], ended: str) -> Draft:
    """Return the song with its prompt; a song that reached the limit ends in a whole word."""
    text = _text(start, ids)
    if ended == "length" and len(whole(text)) >= len(start.prompt):
        text = whole(text)
    return Draft(text.rstrip(), len(ids), ended)
