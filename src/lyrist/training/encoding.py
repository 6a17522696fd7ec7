"""The tokens of one shard of a corpus, computed in any number of processes; a worker does not import torch.

A tokenizer that was learnt here never merges tokens across the pieces of its pre-tokenization (`PIECES`), so the pieces of a
block of songs are found by polars, each distinct piece is encoded once, and the tokens of a song are those of its pieces.
Pretrained tokenizers encode song by song.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lyrist import files
from lyrist.corpus.cleaning.rules import KINDS
from lyrist.corpus.corpus import read_blocks

WORD = r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*"
"""A word with its apostrophes, in the syntax of Rust's `regex`."""

_SIMPLE = (
    r"\n"
    rf"| ?{WORD}"  # don't, rock'n'roll
    r"| ?\p{N}+"
    r"| ?[^\s\p{L}\p{M}\p{N}]+"
)
PIECES = rf"{_SIMPLE}|[^\S\n]+(?!\S)|[^\S\n]"
"""Pre-tokenization: no token crosses these pieces. A space belongs to the word after it."""

_SECTION = rf"\[(?:{'|'.join(map(re.escape, KINDS))})\]"
_PLAIN = rf"{_SECTION}|{_SIMPLE}|[^\S\n]"
"""The pieces of songs that are not `_UNUSUAL`, without the look-ahead that the engine of polars does not have."""
_UNUSUAL = rf"[^\S\n]{{2}}|[^\n]{_SECTION}"
"""Songs in which the pieces of `_PLAIN` can differ; they are encoded whole."""

REASONS = ("no tokens", "fewer than {least} tokens", "more than {most} tokens")
"""Why songs are left out, in the order of `wanted`."""


def open_backend(path: str) -> Any:
    """Return a tokenizer that encodes special tokens in a text as plain text."""
    backend = Tokenizer.from_file(path)
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()
    return backend


def encode_flat(backend: Any, texts: pl.Series, learnt: bool) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the tokens of all texts, one text after another, and the number of tokens of each.

    Parameters
    ----------
    backend
        The result of `open_backend`.
    texts
        The songs.
    learnt
        Whether the tokenizer was learnt by `lyrist.training.vocabularies`; pretrained ones have other pieces.
    """
    if not learnt:
        return _flat(backend, texts.to_list())
    pieces = _pieces(texts)
    column = pieces.explode(empty_as_null=False).to_arrow().dictionary_encode()
    ids, lengths = _flat(backend, column.dictionary.to_pylist())
    starts = np.cumsum(lengths) - lengths
    piece = column.indices.to_numpy(zero_copy_only=False)
    sizes = lengths[piece]
    ends = np.cumsum(sizes)
    first = np.repeat(starts[piece] - (ends - sizes), sizes)
    of_text = np.append(0, ends)[np.append(0, np.cumsum(pieces.list.len().to_numpy().astype(np.int64)))]
    return ids[first + np.arange(len(first))], np.diff(of_text)


def _pieces(texts: pl.Series) -> pl.Series:
    text = pl.col("text")
    whole = pl.when(text == "").then(pl.lit([], pl.List(pl.String))).otherwise(pl.concat_list(text))
    pieces = pl.when(text.str.contains(_UNUSUAL)).then(whole).otherwise(text.str.extract_all(_PLAIN))
    return texts.alias("text").to_frame().select(pieces.alias("pieces"))["pieces"]


def _flat(backend: Any, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    rows = [encoded.ids for encoded in backend.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    return np.fromiter((i for row in rows for i in row), dtype=np.int32, count=int(lengths.sum())), lengths


def part_of(folder: Path, shard: str) -> Path:
    """Return the file with the tokens of a shard."""
    return folder / "parts" / f"{Path(shard).stem}.npz"


def encode_shard(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Write the tokens of a shard of ``songs/`` unless that is done; return the number of its songs.

    Parameters
    ----------
    shard
        The Parquet file.
    settings
        ``folder`` with ``tokenizer.json``; ``learnt``; ``kind``, the type of the ids; ``known``, the values of each condition;
        ``least`` and ``most`` tokens of a song (0: any).
    """
    part = part_of(Path(settings["folder"]), shard)
    if part.exists():
        with np.load(part, allow_pickle=False) as done:
            return {"songs": int(done["read"])}
    backend, known = _backend(str(part.parents[1] / "tokenizer.json")), settings["known"]
    found: list[tuple[NDArray[Any], ...]] = []
    dropped, read = np.zeros(len(REASONS), dtype=np.int64), 0
    for block in read_blocks(Path(shard), ["id", "lyrics", *known]):
        ids, lengths = encode_flat(backend, block["lyrics"], settings["learnt"])
        kept, left_out = wanted(lengths, settings["least"], settings["most"])
        dropped += left_out
        read += len(lengths)
        chosen = ids[np.repeat(kept, lengths)].astype(settings["kind"])
        found.append((chosen, lengths[kept], block["id"].to_numpy()[kept], codes(block, known)[kept]))
    names = ("ids", "lengths", "songs", "conditions")
    arrays: dict[str, Any] = {
        name: np.concatenate(each) for name, each in zip(names, zip(*found, strict=True), strict=True)
    }
    with files.explained(part):
        building = part.with_suffix(".writing")
        with building.open("wb") as handle:
            np.savez(handle, read=np.int64(read), dropped=dropped, **arrays)
        building.replace(part)
    return {"songs": read}


def wanted(lengths: NDArray[np.int64], least: int, most: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which songs have the requested number of tokens, and how many others there are for each of `REASONS`."""
    wrong = [lengths == 0, (lengths > 0) & (lengths < least), (lengths > most) & (most > 0)]
    return ~np.any(wrong, axis=0), np.sum(wrong, axis=1)


@lru_cache(maxsize=1)
def _backend(path: str) -> Any:
    return open_backend(path)


def codes(block: pl.DataFrame, known: Mapping[str, Sequence[str]]) -> NDArray[np.int32]:
    """Return the number of each song's value in each column, -1 for a missing value or one that is not in training."""
    found = np.full((len(block), len(known)), -1, dtype=np.int32)
    for place, (column, values) in enumerate(known.items()):
        number = {value: code for code, value in enumerate(values)}
        found[:, place] = [number.get(value, -1) for value in block[column].cast(pl.String).to_list()]
    return found
