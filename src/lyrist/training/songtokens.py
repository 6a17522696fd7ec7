"""The tokens of a corpus's songs, made once and kept beside it, as arrays that are mapped into memory, not read.

    CORPUS/tokens/NAME-HASH/
        tokens.json             what they were made from, the known conditions, the ledger of the length filters
        tokenizer.json ...      the tokenizer
        {split}.ids.npy         the tokens of all songs of the split, one after another, without beginning or end
        {split}.starts.npy      where each song starts, and where the last one ends
        {split}.songs.npy       the id of each song
        {split}.conditions.npy  (songs, conditions): number of each song's value, -1 where it has none

The hash is that of the corpus and of every setting that decides about a token, so that a second run starts at once and
a changed corpus is never mistaken for the old one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
import psutil
from numpy.typing import NDArray
from transformers import AutoTokenizer

from lyrist import files, progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, unknown
from lyrist.models.network import hushed
from lyrist.training import vocabularies

FORMAT = 1
FOLDER, MARKER = "tokens", "tokens.json"
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
    """All splits, and what is needed to read their tokens."""

    splits: Mapping[str, Split]
    tokenizer: Any
    conditions: dict[str, tuple[str, ...]]
    """Column to its known values, in the order of their numbers."""
    ledger: dict[str, dict[str, Any]]
    """By split: songs read, kept, and dropped by reason."""
    lyrics: int
    """Ids from this one on are conditions."""
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
        """Return the written sequences ``[BOS] [conditions] lyrics [EOS]`` of a split."""
        return Sequences(self.splits[split], self.condition_ids, bos, eos)


class Sequences(Sequence[NDArray[np.int32]]):
    """Written sequences, put together when they are asked for."""

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

    def prefix(self, place: int) -> NDArray[np.int32]:
        """Return the beginning and the conditions of a song."""
        codes = self.split.conditions[place]
        found = [ids[code] for ids, code in zip(self._conditions, codes, strict=True) if code >= 0]
        return np.array([self.bos, *found], dtype=np.int32)

    def lyrics(self, place: int) -> NDArray[np.int32]:
        """Return the tokens of a song's lyrics."""
        start, end = self.split.starts[place], self.split.starts[place + 1]
        return np.asarray(self.split.ids[start:end], dtype=np.int32)


def tokenise(corpus: Corpus, options: Any, condition: Sequence[str] = ()) -> SongTokens:
    """Return the tokens of a corpus, made now or found beside it.

    Parameters
    ----------
    corpus
        Where the songs are.
    options
        A `WriterOptions`, or those of a pretrained recipe, whose own tokenizer is then used.
    condition
        Columns of the corpus that each song is conditioned on.

    Raises
    ------
    LyristError
        The corpus has no such column, no value in it, no songs of the length that is asked for, or cannot be written
        for lack of space. (Where it may not be written at all, the tokens are kept in a temporary folder.)
    """
    _check(corpus, condition)
    settings = _settings(corpus, options, condition)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in str(settings["tokenizer"]))[-40:].strip("-.")
    place = corpus.path / FOLDER / f"{name}-{digest}"
    if (place / MARKER).is_file():
        return _open(place)
    try:
        with _built(place) as building:
            _make(corpus, options, condition, settings, building)
    except PermissionError:
        temporary = tempfile.TemporaryDirectory(prefix="lyrist-tokens-")
        _make(corpus, options, condition, settings, Path(temporary.name))
        return _open(Path(temporary.name), temporary)
    return _open(place)


@contextlib.contextmanager
def _built(place: Path) -> Iterator[Path]:
    """Build a folder beside ``place`` and rename it; where another process was faster, its folder stays."""
    building = place.with_name(f".{place.name}-{os.getpid()}.partial")
    try:
        building.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PermissionError from error
        raise
    _clear(place)
    try:
        with files.explained(building):
            yield building
        with contextlib.suppress(OSError):
            building.replace(place)
        if not (place / MARKER).is_file():
            raise LyristError(f"{place} is there but not whole; delete it, and it will be made again.")
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _clear(place: Path) -> None:
    """Take away what processes that were killed had begun, here or (an hour ago) on another machine."""
    long_ago = time.time() - 3600
    for left in place.parent.glob(f".{place.name}-*.partial"):
        process = left.name.removesuffix(".partial").rpartition("-")[2]
        if process.isdigit() and not psutil.pid_exists(int(process)) and left.stat().st_mtime < long_ago:
            shutil.rmtree(left, ignore_errors=True)


def _check(corpus: Corpus, condition: Sequence[str]) -> None:
    known = [name for name in corpus.columns if name not in ("id", "title", "lyrics", "cluster")]
    for place, column in enumerate(condition):
        if column not in known:
            raise unknown("column to condition on,", column, known)
        if column in condition[:place]:
            raise LyristError(f"The condition '{column}' is given twice; give it once.")


def _settings(corpus: Corpus, options: Any, condition: Sequence[str]) -> dict[str, Any]:
    """Return what decides about the tokens."""
    pretrained = hasattr(options, "tokenizer")
    return {
        "format": FORMAT,
        "corpus": corpus.fingerprint,
        "tokenizer": _identity(options) if pretrained else f"bpe-{options.vocabulary}",
        "sections": getattr(options, "sections", False),
        "min_tokens": options.min_tokens,
        "max_tokens": options.max_tokens,
        "condition": list(condition),
    }


def _identity(options: Any) -> str:
    """Return the name of a pretrained tokenizer and a hash of what is in it."""
    content = options.tokenizer().backend_tokenizer.to_str()
    return f"{hashlib.sha256(content.encode()).hexdigest()[:12]}-{Path(options.model).stem}"


def _make(corpus: Corpus, options: Any, condition: Sequence[str], settings: Any, folder: Path) -> None:
    known = {column: _values(corpus, column) for column in condition}
    with hushed():
        if hasattr(options, "tokenizer"):  # a pretrained model's own
            tokenizer = options.tokenizer()
        else:
            texts = (text for texts in _texts(corpus, "train", "learning tokens") for text in texts)
            tokenizer = vocabularies.learn(texts, options.vocabulary, options.sections)
        lyrics = len(tokenizer)
        if not getattr(options, "seq2seq", False):  # an encoder reads its conditions as words
            vocabularies.add_conditions(tokenizer, known)
    ledger = {}
    for split in SPLITS:
        ledger[split] = _write_split(corpus, split, tokenizer, known, options, folder)
    if not ledger["train"]["kept"]:
        raise LyristError(
            f"No training song of {corpus.path} has the length asked for (--min-tokens {options.min_tokens}, "
            f"--max-tokens {options.max_tokens}); give other lengths, or prepare the corpus with training songs."
        )
    tokenizer.save_pretrained(str(folder))
    files.write_json(folder / MARKER, {**settings, "conditions": known, "lyrics": lyrics, "ledger": ledger})


def _values(corpus: Corpus, column: str) -> list[str]:
    """Return the values that the training songs have in a column, sorted."""
    found = corpus.scan("train").select(pl.col(column).cast(pl.String)).unique().drop_nulls().collect()
    values = sorted(value for value in found[column].to_list() if value.strip())
    if not values:
        raise LyristError(
            f"No training song of {corpus.path} has a value in the column '{column}', so nothing can be conditioned on it; "
            "name the column when the corpus is prepared, or leave it out of --condition."
        )
    return values


def _texts(corpus: Corpus, split: str, title: str) -> Iterator[list[str]]:
    with progress.task(title, "songs") as advance:
        done = 0
        for batch in corpus.batches(split, ["lyrics"]):
            yield batch["lyrics"].to_list()
            done += len(batch)
            advance(done, corpus.info["counts"]["splits"].get(split))


def _write_split(
    corpus: Corpus, split: str, tokenizer: Any, known: Mapping[str, Sequence[str]], options: Any, folder: Path
) -> dict[str, Any]:
    """Write the arrays of one split, block by block, and return its ledger."""
    kind: Any = np.uint16 if len(tokenizer) <= 2**16 else np.int32
    ledger: dict[str, Any] = {"read": 0, "kept": 0, "dropped": {}}
    starts, songs, codes = [np.zeros(1, dtype=np.int64)], [], []
    raw, total = folder / f".{split}.raw", 0
    with files.explained(raw), raw.open("wb") as handle, progress.task(f"tokens of {split}", "songs") as advance:
        for batch in corpus.batches(split, ["id", "lyrics", *known]):
            ids = vocabularies.encode(tokenizer, batch["lyrics"].to_list())
            lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
            kept = _kept(lengths, options, ledger)
            for row in kept:
                handle.write(np.asarray(ids[row], dtype=kind).tobytes())
            starts.append(total + np.cumsum(lengths[kept]))
            total = int(starts[-1][-1]) if len(kept) else total
            songs.append(batch["id"].to_numpy()[kept])
            codes.append(_codes(batch, known)[kept])
            advance(ledger["read"], corpus.info["counts"]["splits"].get(split))
    _copy(raw, folder / f"{split}.ids.npy", kind, total)
    np.save(folder / f"{split}.starts.npy", np.concatenate(starts))
    np.save(folder / f"{split}.songs.npy", np.concatenate([*songs, np.zeros(0, dtype=np.int64)]))
    np.save(folder / f"{split}.conditions.npy", np.concatenate([*codes, np.zeros((0, len(known)), dtype=np.int32)]))
    return ledger


def _kept(lengths: NDArray[np.int64], options: Any, ledger: dict[str, Any]) -> NDArray[np.int64]:
    """Return the rows whose length is as asked for, and count the others by reason."""
    reasons = {
        "no tokens": lengths == 0,
        f"fewer than {options.min_tokens} tokens": (lengths > 0) & (lengths < options.min_tokens),
        f"more than {options.max_tokens} tokens": (lengths > options.max_tokens) & (options.max_tokens > 0),
    }
    wrong = np.zeros(len(lengths), dtype=bool)
    for reason, rows in reasons.items():
        if rows.any():
            ledger["dropped"][reason] = ledger["dropped"].get(reason, 0) + int(rows.sum())
        wrong |= rows
    ledger["read"] += len(lengths)
    ledger["kept"] += int((~wrong).sum())
    return np.flatnonzero(~wrong)


def _codes(batch: pl.DataFrame, known: Mapping[str, Sequence[str]]) -> NDArray[np.int32]:
    """Return the number of each song's value in each column, -1 where it has none that training songs have."""
    found = np.full((len(batch), len(known)), -1, dtype=np.int32)
    for place, (column, values) in enumerate(known.items()):
        number = {value: code for code, value in enumerate(values)}
        found[:, place] = [number.get(value, -1) for value in batch[column].cast(pl.String).to_list()]
    return found


def _copy(raw: Path, place: Path, kind: Any, total: int) -> None:
    """Turn raw numbers into an array file, in pieces that fit into any memory.

    They are written, not laid into memory that is mapped to the file: on a full disk that would kill the process.
    """
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": (total,)}
    with files.explained(place), place.open("wb") as target, raw.open("rb") as source:
        np.lib.format.write_array_header_1_0(target, about)
        shutil.copyfileobj(source, target, 2**24)
    raw.unlink()


def _open(folder: Path, temporary: Any = None) -> SongTokens:
    info = files.read_json(folder / MARKER, "a folder of tokens")
    try:
        with hushed():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        splits = {split: Split(*(_array(folder, split, part) for part in _PARTS)) for split in SPLITS}
        for split, found in splits.items():
            if len(found.starts) != len(found) + 1 or found.starts[-1] != len(found.ids):
                raise ValueError(f"the parts of {split} differ in length")
    except (OSError, ValueError, EOFError) as error:
        raise LyristError(f"{folder} is damaged ({error}); delete it, and it will be made again.") from error
    known = {column: tuple(values) for column, values in info["conditions"].items()}
    return SongTokens(splits, tokenizer, known, info["ledger"], info["lyrics"], folder, temporary)


_PARTS = ("ids", "starts", "songs", "conditions")


def _array(folder: Path, split: str, part: str) -> NDArray[Any]:
    path = folder / f"{split}.{part}.npy"
    found: NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > 4096 else None, allow_pickle=False)
    return found
