"""Tokenised songs: the token store of a corpus, and the examples that language models train on.

Tokens of a corpus are written to disk once for each set of options and are memory-mapped, so any number of songs fits in
memory. `SongExamples` and `PackedExamples` make batches for causal models (whole songs, padded songs, or blocks of several
songs); `Continuations` makes pairs of a snippet and its continuation for encoder-decoders.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
import psutil
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lyrist import files, progress
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.parallel import Workers
from lyrist.errors import LyristError, unknown
from lyrist.models import instructions
from lyrist.models.hub import open_tokenizer
from lyrist.models.language_model import IGNORED, SLICE
from lyrist.models.network import hushed
from lyrist.training import encoding, vocabularies
from lyrist.training.batches import Batch

FORMAT = 1
FOLDER, MARKER = "tokens", "tokens.json"
VOCABULARY = "vocabulary.json"
"""Is in an unfinished folder when its tokenizer is complete."""
ALONE = 50_000
"""So many songs are encoded in one process, because starting others takes longer."""
SPLITS = ("train", "validation")
"""The splits that training reads."""


@dataclass(frozen=True)
class Split:
    """The songs of one split as tokens."""

    ids: NDArray[Any]
    starts: NDArray[np.int64]
    songs: NDArray[np.int64]
    conditions: NDArray[np.int32]
    """(songs, conditions), -1 for none."""

    def __len__(self) -> int:
        return len(self.songs)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the tokens of each song's lyrics."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class SongTokens:
    """All splits, and their tokenizer and conditions."""

    splits: Mapping[str, Split]
    tokenizer: Any
    conditions: dict[str, tuple[str, ...]]
    """Column to its known values, in the order of their numbers."""
    ledger: dict[str, dict[str, Any]]
    """By split: songs read, kept, and dropped by reason."""
    lyrics: int
    """Ids from this one on are conditions."""
    prompt: str = ""
    """How conditions are passed: by added tokens (empty), or in a ``chat`` (see `lyrist.models.instructions`)."""
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """With a prompt, the title of each song by split."""
    path: Path | None = None
    _temporary: Any = field(default=None, repr=False)

    @property
    def condition_ids(self) -> list[NDArray[np.int32]]:
        """Return, for each condition, the token of each value."""
        name, known = vocabularies.condition_token, self.conditions
        return [
            np.array(self.tokenizer.convert_tokens_to_ids([name(c, v) for v in values]), dtype=np.int32)
            for c, values in known.items()
        ]

    def sequences(self, split: str, bos: int, eos: int) -> Sequences:
        """Return the sequences ``[BOS] [conditions] lyrics [EOS]`` of a split, or those with a prompt."""
        if self.prompt:
            return PromptedSequences(self, split, eos)
        return Sequences(self.splits[split], self.condition_ids, bos, eos)


class Sequences(Sequence[NDArray[np.int32]]):
    """The sequences of a split, assembled on access."""

    def __init__(self, split: Split, conditions: Sequence[NDArray[np.int32]], bos: int, eos: int) -> None:
        self.split, self._conditions, self.bos, self.eos = split, conditions, bos, eos

    def __len__(self) -> int:
        return len(self.split)

    @overload
    def __getitem__(self, place: int) -> NDArray[np.int32]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[NDArray[np.int32]]: ...
    def __getitem__(self, place: int | slice) -> NDArray[np.int32] | Sequence[NDArray[np.int32]]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        prefix, lyrics = self.prefix(place), self.lyrics(place)
        return np.concatenate([prefix, lyrics, np.array([self.eos], dtype=np.int32)])

    @property
    def longest_prefix(self) -> int:
        """The largest number of tokens before the lyrics."""
        return 1 + len(self._conditions)

    def prefix(self, place: int, hidden: float = 0.0) -> NDArray[np.int32]:
        """Return BOS and the conditions of a song, each of which is hidden with a probability."""
        codes = self.split.conditions[place]
        found = [ids[code] for ids, code in zip(self._conditions, codes, strict=True) if code >= 0]
        prefix = np.array([self.bos, *found], dtype=np.int32)
        if hidden and found:
            prefix = prefix[np.append(True, torch.rand(len(found)).numpy() >= hidden)]
        return prefix

    def lyrics(self, place: int) -> NDArray[np.int32]:
        """Return the tokens of a song's lyrics."""
        start, end = self.split.starts[place], self.split.starts[place + 1]
        return np.asarray(self.split.ids[start:end], dtype=np.int32)


class PromptedSequences(Sequences):
    """The sequences of a split with the prompt of a chat model before the lyrics.

    In training a prompt also has, at random, the title and a topic: frequent words of the song that are rare in others.
    """

    TITLED, TOPICAL = 0.7, 0.5
    """Shares of the training prompts with a title and with a topic."""
    TOPIC = 3
    """Largest number of words of a topic."""
    SAMPLE = 500
    """Songs in which the frequency of words is counted."""

    def __init__(self, tokens: SongTokens, split: str, eos: int) -> None:
        super().__init__(tokens.splits[split], [], eos, eos)
        self._tokenizer, self._known, self._titles = tokens.tokenizer, tokens.conditions, tokens.titles[split]

    @property
    def longest_prefix(self) -> int:
        """The largest number of tokens before the lyrics."""
        return instructions.PROMPT

    def prefix(self, place: int, hidden: float = 0.0) -> NDArray[np.int32]:
        """Return the prompt of a song; with ``hidden``, that of a training song."""
        codes = zip(self._known.items(), self.split.conditions[place], strict=True)
        given = {column: values[code] for (column, values), code in codes if code >= 0}
        if hidden:
            chances = torch.rand(len(given) + 2).tolist()
            given = {
                name: value
                for (name, value), chance in zip(given.items(), chances[2:], strict=True)
                if chance >= hidden
            }
            given |= {"title": self._titles[place]} if chances[0] < self.TITLED else {}
            given |= {"about": self.topic(place)} if chances[1] < self.TOPICAL else {}
        while len(ids := instructions.prompt_ids(self._tokenizer, given)) > instructions.PROMPT and given:
            given.popitem()
        return np.array(ids[-instructions.PROMPT :], dtype=np.int32)

    def topic(self, place: int) -> str:
        """Return the most typical words of a song, with commas between them."""
        counts = Counter(self._words(place))
        value = {word: count * math.log(self.SAMPLE / (1 + self._spread[word])) for word, count in counts.items()}
        typical = sorted(value, key=lambda word: (-value[word], word))
        return ", ".join(word for word in typical[: self.TOPIC] if value[word] > 0)

    @cached_property
    def _spread(self) -> Counter[str]:
        """Of a sample of songs, the number with each word."""
        drawn = chosen(len(self), self.SAMPLE)
        return Counter(word for place in drawn for word in set(self._words(int(place))))

    def _words(self, place: int) -> list[str]:
        text = vocabularies.decode(self._tokenizer, self.lyrics(place).tolist())
        return [word for word in text.lower().replace("’", "'").split() if len(word) > 3 and word.isalpha()]


def tokenise(corpus: Corpus, options: Any, condition: Sequence[str] = ()) -> SongTokens:
    """Return the tokens of a corpus, from its token store or computed now.

    Parameters
    ----------
    corpus
        The corpus.
    options
        A `WriterOptions`, or the options of a pretrained recipe, whose tokenizer is then used.
    condition
        Columns of the corpus that songs are conditioned on.

    Raises
    ------
    LyristError
        The corpus has no such column, no value in it, no songs of the requested length, or the disk is full. (If the corpus
        is read-only, the tokens are stored in a temporary folder.)
    """
    _check(corpus, condition)
    settings = _settings(corpus, options, condition)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in str(settings["tokenizer"]))[-40:].strip("-.")
    place = corpus.path / FOLDER / f"{name}-{digest}"
    if (place / MARKER).is_file():
        return _titled(_open(place), corpus)
    try:
        with _built(place) as building:
            _make(corpus, options, condition, settings, building)
    except PermissionError:
        temporary = tempfile.TemporaryDirectory(prefix="lyrist-tokens-")
        _make(corpus, options, condition, settings, Path(temporary.name))
        return _titled(_open(Path(temporary.name), temporary), corpus)
    return _titled(_open(place), corpus)


def _titled(tokens: SongTokens, corpus: Corpus) -> SongTokens:
    """Return the tokens with the titles of the songs, if they are prompted."""
    if not tokens.prompt:
        return tokens
    titles = {}
    for split, songs in tokens.splits.items():
        known = dict(corpus.songs(split, ["id", "title"]).iter_rows())
        titles[split] = [known.get(number) or "" for number in songs.songs.tolist()]
    return replace(tokens, titles=titles)


@contextlib.contextmanager
def _built(place: Path) -> Iterator[Path]:
    """Build a folder next to ``place`` and rename it; if another process was faster, its folder is kept.

    What a killed process left is continued. (On another machine of a shared disk its number may be in use; then it is not.)
    """
    building = place.with_name(f".{place.name}-{os.getpid()}.partial")
    _adopt(place, building)
    try:
        building.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PermissionError from error
        raise
    try:
        with files.explained(building):
            yield building
        with contextlib.suppress(OSError):
            building.replace(place)
        if not (place / MARKER).is_file():
            raise LyristError(f"{place} is incomplete; delete it, and it will be built again.")
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _adopt(place: Path, building: Path) -> None:
    """Continue in the folder of a killed process, if there is one: rename it to that of this process."""
    for left in sorted(place.parent.glob(f".{place.name}-*.partial")):
        process = left.name.removesuffix(".partial").rpartition("-")[2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            with contextlib.suppress(OSError):  # another process was faster, or it is the second one that was left
                left.replace(building)
            shutil.rmtree(left, ignore_errors=True)


def _check(corpus: Corpus, condition: Sequence[str]) -> None:
    known = [name for name in corpus.columns if name not in ("id", "title", "lyrics", "cluster")]
    for place, column in enumerate(condition):
        if column not in known:
            raise unknown("column to condition on,", column, known)
        if column in condition[:place]:
            raise LyristError(f"The condition '{column}' is repeated; name it once.")


def _settings(corpus: Corpus, options: Any, condition: Sequence[str]) -> dict[str, Any]:
    """Return the settings that determine the tokens."""
    pretrained = pretrained_of(options)
    prompt = pretrained.prompt(pretrained.tokenizer()) if pretrained is options else ""
    return {
        **({"prompt": prompt} if prompt else {}),
        "format": FORMAT,
        "corpus": corpus.fingerprint,
        "tokenizer": _identity(pretrained) if pretrained else f"bpe-{options.vocabulary}",
        "sections": getattr(options, "sections", False),
        "min_tokens": options.min_tokens,
        "max_tokens": options.max_tokens,
        "condition": list(condition),
    }


def pretrained_of(options: Any) -> Any:
    """Return the options of the pretrained model whose tokenizer is used; None if a tokenizer is learnt."""
    found = getattr(options, "pretrained", None)
    return found() if found else None


def _identity(options: Any) -> str:
    """Return the name of a pretrained tokenizer and a hash of its content."""
    content = options.tokenizer().backend_tokenizer.to_str()
    return f"{hashlib.sha256(content.encode()).hexdigest()[:12]}-{Path(options.model).stem}"


def _make(corpus: Corpus, options: Any, condition: Sequence[str], settings: Any, folder: Path) -> None:
    known = {column: _values(corpus, column) for column in condition}
    tokenizer, lyrics = _tokenizer(corpus, options, settings, known, folder)
    shards = {split: [str(file) for file in corpus.files(split)] for split in SPLITS}
    work = {
        "folder": str(folder),
        "learnt": pretrained_of(options) is None,
        "kind": "uint16" if len(tokenizer) <= 2**16 else "int32",
        "known": known,
        "least": options.min_tokens,
        "most": options.max_tokens,
    }
    total = sum(corpus.info["counts"]["splits"].get(split, 0) for split in SPLITS)
    every = [shard for split in SPLITS for shard in shards[split]]
    with progress.task("tokens", "songs") as advance, Workers(count=None if total > ALONE else 1) as workers:
        done = 0
        for counts in workers.map(encoding.encode_shard, every, work):
            done += counts["songs"]
            advance(done, total)
    ledger = {split: _joined(split, shards[split], work, options, folder) for split in SPLITS}
    if not ledger["train"]["kept"]:
        raise LyristError(
            f"No training song of {corpus.path} has the requested length (--min-tokens {options.min_tokens}, "
            f"--max-tokens {options.max_tokens}); change these, or prepare the corpus with training songs."
        )
    shutil.rmtree(folder / "parts")
    (folder / VOCABULARY).unlink()
    files.write_json(folder / MARKER, {**settings, "conditions": known, "lyrics": lyrics, "ledger": ledger})


def _tokenizer(
    corpus: Corpus, options: Any, settings: Any, known: Mapping[str, Sequence[str]], folder: Path
) -> tuple[Any, int]:
    """Return the tokenizer, and the first id of a condition; both from ``folder`` if an interrupted run saved them there."""
    if (folder / VOCABULARY).exists():
        return open_tokenizer(folder), int(files.read_json(folder / VOCABULARY, "unfinished tokens")["lyrics"])
    with hushed():
        if pretrained := pretrained_of(options):
            tokenizer = pretrained.tokenizer()
        else:
            tokenizer = vocabularies.learn(_texts(corpus), options.vocabulary, options.sections)
        lyrics = len(tokenizer)
        if not settings.get("prompt") and not getattr(
            options, "seq2seq", False
        ):  # others read their conditions as words
            lyrics = vocabularies.add_conditions(tokenizer, known)
    (folder / "parts").mkdir(exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    files.write_json(folder / VOCABULARY, {"lyrics": lyrics})
    return tokenizer, lyrics


def _values(corpus: Corpus, column: str) -> list[str]:
    """Return the distinct values of a column in the training songs, sorted."""
    found = corpus.scan("train").select(pl.col(column).cast(pl.String)).unique().drop_nulls().collect()
    values = sorted(value for value in found[column].to_list() if value.strip())
    if not values:
        raise LyristError(
            f"No training song of {corpus.path} has a value in the column '{column}', so it cannot be a condition; "
            "map the column when you prepare the corpus, or remove it from --condition."
        )
    return values


def _texts(corpus: Corpus) -> Iterator[str]:
    with progress.task("learning tokens", "songs") as advance:
        done = 0
        most = vocabularies.LEARNT_FROM
        for texts in vocabularies.sampled(corpus, most):
            yield from texts.to_list()
            done += len(texts)
            advance(done, min(most, corpus.info["counts"]["splits"].get("train", 0)))


def tokenised(songs: pl.DataFrame, tokenizer: Any, known: Mapping[str, Sequence[str]], options: Any) -> Split:
    """Return songs (``id``, ``lyrics`` and conditions) as tokens; those of another length than requested are left out."""
    ids = vocabularies.encode(tokenizer, songs["lyrics"].to_list())
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    kept, _ = encoding.wanted(lengths, options.min_tokens, options.max_tokens)
    flat = np.fromiter((i for row, one in zip(ids, kept, strict=True) if one for i in row), dtype=np.int32)
    starts = np.append(0, np.cumsum(lengths[kept]))
    return Split(flat, starts, songs["id"].to_numpy()[kept], encoding.codes(songs, known)[kept])


def _joined(split: str, shards: Sequence[str], work: Mapping[str, Any], options: Any, folder: Path) -> dict[str, Any]:
    """Write the arrays of a split from those of its shards, and return its ledger.

    The ids are written and not memory-mapped: on a full disk a write to mapped memory would kill the process.
    """
    arrays: dict[str, list[Any]] = {
        "lengths": [np.zeros(0, np.int64)],
        "songs": [np.zeros(0, np.int64)],
        "conditions": [np.zeros((0, len(work["known"])), np.int32)],
    }
    parts = [encoding.part_of(folder, shard) for shard in shards]
    dropped, read = np.zeros(len(encoding.REASONS), dtype=np.int64), 0
    for part in parts:
        with np.load(part, allow_pickle=False) as found:
            dropped, read = dropped + found["dropped"], read + int(found["read"])
            for name, values in arrays.items():
                values.append(found[name])
    whole = {name: np.concatenate(values) for name, values in arrays.items()}
    starts = np.concatenate([[0], np.cumsum(whole.pop("lengths"))]).astype(np.int64)
    place = folder / f"{split}.ids.npy"
    about = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(work["kind"])),
        "fortran_order": False,
        "shape": (int(starts[-1]),),
    }
    with files.explained(place):
        with place.open("wb") as target:
            np.lib.format.write_array_header_1_0(target, about)
            for part in parts:
                with np.load(part, allow_pickle=False) as found:
                    target.write(found["ids"].tobytes())
        for name, array in {"starts": starts, **whole}.items():
            np.save(folder / f"{split}.{name}.npy", array)
    reasons = [reason.format(least=options.min_tokens, most=options.max_tokens) for reason in encoding.REASONS]
    return {
        "read": read,
        "kept": len(starts) - 1,
        "dropped": {reason: int(count) for reason, count in zip(reasons, dropped, strict=True) if count},
    }


def _open(folder: Path, temporary: Any = None) -> SongTokens:
    info = files.read_json(folder / MARKER, "a folder of tokens")
    try:
        tokenizer = open_tokenizer(folder)
        splits = {split: Split(*(_array(folder, split, part) for part in _PARTS)) for split in SPLITS}
        for split, found in splits.items():
            if len(found.starts) != len(found) + 1 or found.starts[-1] != len(found.ids):
                raise ValueError(f"the parts of {split} differ in length")
    except (OSError, ValueError, EOFError) as error:
        raise LyristError(f"{folder} is damaged ({error}); delete it, and it will be built again.") from error
    known = {column: tuple(values) for column, values in info["conditions"].items()}
    prompt = info.get("prompt", "")
    return SongTokens(
        splits, tokenizer, known, info["ledger"], info["lyrics"], prompt, path=folder, _temporary=temporary
    )


_PARTS = ("ids", "starts", "songs", "conditions")


def _array(folder: Path, split: str, part: str) -> NDArray[Any]:
    path = folder / f"{split}.{part}.npy"
    found: NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > 4096 else None, allow_pickle=False)
    return found


OVERLAP = 0.25
"""Overlap of successive windows in training; in scoring it is `REREAD`."""

REREAD = 0.5

AS_REPORTED = 300
"""Tokens per song with ``--layout padded``."""


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
    """Return the numbers of all songs, or of a fixed random sample of ``most`` (0: all)."""
    drawn = np.random.default_rng(0).permutation(songs)[: most or None]
    found: NDArray[np.int64] = np.sort(drawn)
    return found


class SongExamples:
    """Whole songs, one per row, padded on the right.

    Parameters
    ----------
    sequences
        The songs.
    padding
        The padding id.
    context
        Largest number of tokens of a row, conditions included; 0: no limit.
    hidden
        Probability of hiding each condition, sampled each time a song is read.
    fixed
        Truncate or pad each song to exactly this many tokens (0: no).
    most
        Use a fixed random sample of this many songs (0: all).
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
        self._before = sequences.longest_prefix
        size = (fixed or context or int(lyrics.max(initial=0)) + self._before) - self._before
        found = _all_windows(np.minimum(lyrics, size) if fixed else lyrics, size)
        if most:
            found = found[np.isin(found[:, 0], chosen(len(lyrics), most))]
        self._windows = found
        self.lengths: NDArray[np.int64] = found[:, 3] - found[:, 1] + self._before

    def __len__(self) -> int:
        return len(self._windows)

    def row(self, number: int) -> tuple[NDArray[np.int32], int]:
        """Return the tokens of a row and the position of the first scored token."""
        song, start, scored, end = (int(value) for value in self._windows[number])
        prefix = self._sequences.prefix(song, self._hidden)
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
    """Blocks of equal size with several songs each, which do not attend to each other.

    Blocks are filled by best fit, the longest songs first; the rest of a block is padding.
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
    """Return the rows of each block, so that no block has more than ``size`` tokens (best fit decreasing)."""
    blocks: list[list[int]] = []
    by_space: list[list[int]] = [[] for _ in range(size + 1)]  # the blocks by free tokens
    spaces = 0  # bit n is set if a block has n free tokens, so that the best fit is found in one operation
    for number in np.argsort(-lengths, kind="stable"):
        length = int(lengths[number])
        fitting = spaces >> length << length
        left = (fitting & -fitting).bit_length() - 1 if fitting else size
        if fitting:
            block = by_space[left].pop()
            spaces &= ~(0 if by_space[left] else 1 << left)
        else:
            block = len(blocks)
            blocks.append([])
        blocks[block].append(int(number))
        by_space[left - length].append(block)
        spaces |= 1 << (left - length)
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
    """Return the songs of a split in the layout of the options; validation always uses whole songs."""
    sequences = tokens.sequences(split, shape.bos, shape.eos)
    most = 0 if training else options.validation_songs
    layout = getattr(options, "layout", "songs") if training else "songs"
    hidden = options.condition_dropout if training else 0.0
    fixed = AS_REPORTED if layout == "padded" else 0
    songs = SongExamples(sequences, shape.padding, shape.context, hidden, fixed, most)
    return PackedExamples(songs, shape.padding, shape.context) if layout == "packed" else songs


SNIPPET = 0.5
"""Longest snippet, as a share of the context."""

LINE = 40
"""Length in tokens of the first piece of a song in training, so that short snippets are learnt as well."""

Source = Callable[[dict[str, str], Sequence[int]], list[int]]
"""From the conditions and the tokens of a snippet to the input of the encoder."""


def pairs(length: int, context: int, first: int = 0) -> list[tuple[int, int, int]]:
    """Return (start of the snippet, start, end) of pieces of a song; each of ``length`` tokens is in one piece.

    Parameters
    ----------
    length
        Tokens of the song, its end included.
    context
        Largest length of a piece.
    first
        Length of the first piece; 0: as long as possible.
    """
    found, start, end = [], 0, min(length, first or context)
    while start < length:
        found.append((max(0, start - int(SNIPPET * context)), start, end))
        start, end = end, min(length, end + context)
    return found


class Continuations:
    """Pairs of encoder input and continuation, as examples for the training loop."""

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
    """Return rows of ids padded on the right, and their mask."""
    ids = torch.full((len(rows), max(map(len, rows))), filling, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def continuation_losses(
    writer: Any, texts: Sequence[list[int]], given: Sequence[dict[str, str]], size: int, device: torch.device
) -> list[NDArray[np.float64]]:
    """Return the nats of each token of each song and of its end, by an encoder-decoder."""
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
