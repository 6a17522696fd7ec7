"""Pretrained word vectors from a file in GloVe or word2vec text format.

The file is read once, line by line, and only the vectors of words in the vocabulary are parsed. A file of two million words
takes seconds, and memory only for the vocabulary.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lyrist.errors import LyristError

SMALLEST = 2
"""Smallest number of components of a vector."""


@dataclass(frozen=True)
class Vectors:
    """The vectors in a file for the words of a vocabulary."""

    rows: NDArray[np.int64]
    """Token ids of the words that are in the file, (found,)."""
    values: NDArray[np.float32]
    """Their vectors, (found, size)."""
    vocabulary: int
    """Words in the vocabulary."""
    name: str
    """The file's name."""

    @property
    def size(self) -> int:
        """Return the length of a vector."""
        return int(self.values.shape[1])

    @property
    def coverage(self) -> dict[str, Any]:
        """Return how many words of the vocabulary are in the file."""
        found = len(self.rows)
        return {
            "file": self.name,
            "size": self.size,
            "vocabulary": self.vocabulary,
            "found": found,
            "share": round(found / max(self.vocabulary, 1), 4),
        }

    def place(self, model: Any) -> None:
        """Copy the vectors into the embedding of a model; other words keep random vectors, rescaled to the same spread."""
        table = model.get_input_embeddings().weight.data
        if len(self.rows):
            scale = float(self.values.std()) / max(float(table[2:].std()), 1e-12)
            table *= scale
            table[torch.from_numpy(self.rows)] = torch.from_numpy(self.values)


def read(path: Path, vocabulary: Mapping[str, int], size: int | None = None) -> Vectors:
    """Return the vectors in ``path`` of the words in ``vocabulary``.

    Parameters
    ----------
    path
        Text, or gzipped text (.gz): a word and its components on each line, separated by spaces. A first line of two integers
        (word2vec) is a header. Words may contain spaces.
    vocabulary
        Word to token id.
    size
        The required length of the vectors, or None for any.

    Raises
    ------
    LyristError
        The file does not exist, is not text, or a line has another number of components; the message names the line.
    """
    found: dict[int, NDArray[np.float32]] = {}
    width = lines = 0
    for number, line in _lines(path):
        if not line.strip():
            continue
        if number == 1 and _header(line):
            width = int(line.split()[1])
            continue
        width, lines = width or _first(path, line), lines + 1
        word, numbers = _split(path, number, line, width)
        place = vocabulary.get(word, vocabulary.get(word.lower()))
        if place is not None and place not in found:
            found[place] = _parse(path, number, numbers)
    if not lines:
        raise LyristError(f"{path} is empty; --embedding needs word vectors in GloVe or word2vec text format.")
    if size is not None and size != width:
        raise LyristError(
            f"The vectors in {path} have {width} components, but --embedding-size is {size}; leave that option out."
        )
    values = np.stack(list(found.values())) if found else np.zeros((0, width), dtype=np.float32)
    return Vectors(np.array(list(found), dtype=np.int64), values, len(vocabulary), path.name)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines, decoded from UTF-8."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
            for number, raw in enumerate(handle, 1):
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise LyristError(
            f"There is no file of word vectors {path}; set --embedding to a file or to 'fresh'."
        ) from None
    except UnicodeDecodeError:
        raise LyristError(
            f"{path}, line {number}: not UTF-8; --embedding needs GloVe or word2vec text format, not a binary file."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise LyristError(f"{path} cannot be read after line {number} ({error}); download the file again.") from None


def _header(line: str) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _first(path: Path, line: str) -> int:
    """Return the number of components in the first line of data."""
    fields = line.split()[1:]
    width = next((n for n, field in enumerate(reversed(fields)) if not _is_number(field)), len(fields))
    if width < SMALLEST:
        raise LyristError(f"{path}, line 1: a word and its numbers were expected; this is not a file of word vectors.")
    return width


def _split(path: Path, number: int, line: str, width: int) -> tuple[str, list[str]]:
    """Return the word and its components; a word may contain spaces, so the components are counted from the end."""
    fields = line.split() if "\t" in line else line.rstrip().split(" ")
    words, numbers = fields[:-width], fields[-width:]
    # If the last part of the word is a number, the line has too many components.
    if not words or (len(words) > 1 and _is_number(words[-1])):
        raise LyristError(
            f"{path}, line {number}: {len(fields) - 1} numbers after the word where {width} were expected; "
            "the file is damaged or mixes vectors of several sizes."
        )
    return " ".join(words), numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parse(path: Path, number: int, numbers: list[str]) -> NDArray[np.float32]:
    try:
        values = np.array(numbers, dtype=np.float32)
    except ValueError:
        raise LyristError(f"{path}, line {number}: not all of '{' '.join(numbers)[:40]}...' are numbers.") from None
    if not np.isfinite(values).all():
        raise LyristError(f"{path}, line {number}: the vector contains infinity or NaN.")
    return values
