"""Word vectors from a file in GloVe or word2vec text format, for the words of a vocabulary.

The file is read once, line by line, and only the vectors of words that are needed are parsed: a file of two million
words takes seconds and no more memory than the vocabulary does.
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
"""Numbers that a line must have at least to be a vector."""


@dataclass(frozen=True)
class Vectors:
    """The vectors that a file has for a vocabulary."""

    rows: NDArray[np.int64]
    """Token ids that the file knows, (found,)."""
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
        """Return how many words of the vocabulary were found."""
        found = len(self.rows)
        return {
            "file": self.name,
            "size": self.size,
            "vocabulary": self.vocabulary,
            "found": found,
            "share": round(found / max(self.vocabulary, 1), 4),
        }

    def place(self, model: Any) -> None:
        """Put the vectors into the model's table; words that the file lacks keep their random vectors, at its scale."""
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
        Text, or text in gzip: a word and its numbers on each line, with spaces between; a first line of two whole
        numbers (word2vec) is a header. Words may hold spaces.
    vocabulary
        Word to token id.
    size
        The length that the vectors should have, or None for any.

    Raises
    ------
    LyristError
        The file is not there, is not text, or a line has another shape; the message names the line.
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
        raise LyristError(f"{path} is empty; --embedding wants word vectors in GloVe or word2vec text format.")
    if size is not None and size != width:
        raise LyristError(
            f"The vectors in {path} have {width} numbers, but --embedding-size asks for {size}; leave it out."
        )
    values = np.stack(list(found.values())) if found else np.zeros((0, width), dtype=np.float32)
    return Vectors(np.array(list(found), dtype=np.int64), values, len(vocabulary), path.name)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines, in UTF-8."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
            for number, raw in enumerate(handle, 1):
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise LyristError(f"There is no file of word vectors {path}; give --embedding a file, or 'fresh'.") from None
    except UnicodeDecodeError:
        raise LyristError(
            f"{path}, line {number}: not UTF-8; --embedding wants GloVe or word2vec text, not a binary file."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise LyristError(f"{path} cannot be read after line {number} ({error}); get the file again.") from None


def _header(line: str) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _first(path: Path, line: str) -> int:
    """Return how many numbers stand at the end of the first line of data."""
    fields = line.split()[1:]
    width = next((n for n, field in enumerate(reversed(fields)) if not _is_number(field)), len(fields))
    if width < SMALLEST:
        raise LyristError(f"{path}, line 1: a word and its numbers were expected; this is not a file of word vectors.")
    return width


def _split(path: Path, number: int, line: str, width: int) -> tuple[str, list[str]]:
    """Return the word and its numbers; a word may hold spaces, so the numbers are counted from the end."""
    fields = line.split() if "\t" in line else line.rstrip().split(" ")
    words, numbers = fields[:-width], fields[-width:]
    # A word of several parts never ends in a number: there, a line has more of them than it should.
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
        raise LyristError(f"{path}, line {number}: the vector holds an infinite number or NaN.")
    return values
