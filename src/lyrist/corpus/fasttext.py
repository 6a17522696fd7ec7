"""Predictions of a quantised fastText classifier for many texts at once.

fastText's own interface predicts one text after another, and sums the vectors of all n-grams of each. Songs share most
of their words: here the n-grams of a word are hashed and summed once a call, in NumPy, which takes a quarter of the time.
The probabilities are those of fastText but for the rounding of the last digits.

Format and model: fastText 0.9.2 (`args.cc`, `dictionary.cc`, `productquantizer.cc`, `loss.cc`); Joulin et al.,
"FastText.zip: Compressing text classification models" (2016).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.arrays import Ints

Floats = npt.NDArray[np.float32]

_MAGIC, _VERSION, _HIERARCHICAL, _SUPERVISED = 793712314, 12, 1, 3
_WORDS_AT_ONCE, _TEXTS_AT_ONCE = 8_192, 1_024  # 30 MB each
_END = "</s>"
_LOWEST = np.float32(-80)  # exp(80) is a number in 32 bits; the probability is 0 by then
_EPSILON = np.float32(1e-5)  # that fastText adds before each logarithm


class Classifier:
    """A supervised fastText model with hierarchical softmax, quantised (``.ftz``).

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        The file is another kind of model.
    """

    labels: list[str]
    """Labels without their prefix, in the order of the columns of `probabilities`."""

    def __init__(self, path: Path) -> None:
        read = _Reader(path.read_bytes())
        magic, version = read("ii")
        self._size, _, _, _, _, word_n_grams, loss, model, buckets, self._least, self._most, _ = read("12i")
        read("d")
        if (magic, version, loss, model, word_n_grams) != (_MAGIC, _VERSION, _HIERARCHICAL, _SUPERVISED, 1):
            raise ValueError(f"{path} is not a fastText classifier with hierarchical softmax and single words.")
        _, words, labels, _, pruned = read("3iqq")
        entries = [read.entry() for _ in range(words + labels)]
        self._words = {word: place for place, (word, _) in enumerate(entries[:words])}
        self.labels = [word.removeprefix("__label__") for word, _ in entries[words:]]
        self._rows = np.full(buckets, -1, np.int32)
        bucket, row = read.array(np.int32, 2 * pruned).reshape(-1, 2).T
        self._rows[bucket] = words + row
        self._vectors = np.concatenate([read.quantised(), np.zeros((1, self._size), np.float32)])  # the last of no word
        if read("?")[0]:
            raise ValueError(f"{path} has a quantised output matrix; only the input may be quantised.")
        rows, columns = read("qq")
        output = read.array(np.float32, rows * columns).reshape(rows, columns)
        self._nodes = np.ascontiguousarray(output[: labels - 1].T)
        self._paths = _paths([count for _, count in entries[words:]])

    def probabilities(self, texts: pl.Series) -> Floats:
        """Return the probability of each label for each text, (texts, labels); words have one space between them."""
        words = (texts.to_frame("word").select(pl.col("word") + f" {_END}")).to_series().str.strip_chars_start(" ")
        lists = words.str.split(" ")
        tokens = lists.explode().to_frame()
        known = tokens.unique(maintain_order=True).with_row_index("place")
        each = tokens.join(known, on="word", how="left", maintain_order="left")["place"].to_numpy()
        sums, counts = self._summed(known["word"].to_list())
        sizes = lists.list.len().to_numpy().astype(np.int64)
        starts = np.cumsum(sizes) - sizes
        found = np.empty((len(texts), len(self.labels)), np.float32)
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            part = slice(first, first + _TEXTS_AT_ONCE)
            begin = starts[part] - starts[first]
            own_tokens = each[starts[first] :][: sizes[part].sum()]
            hidden = np.add.reduceat(sums[own_tokens], begin) / np.add.reduceat(counts[own_tokens], begin)[:, None]
            right = 1 / (1 + np.exp(-np.maximum(hidden @ self._nodes, _LOWEST)))
            logs = np.log(np.concatenate([1 - right, right], axis=1) + _EPSILON)
            found[part] = np.exp(logs @ self._paths)
        return found

    def _summed(self, words: list[str]) -> tuple[Floats, Floats]:
        """Return for each word the sum of the vectors of itself and its n-grams, and how many vectors these are."""
        sums, counts = np.empty((len(words), self._size), np.float32), np.empty(len(words), np.float32)
        for first in range(0, len(words), _WORDS_AT_ONCE):
            part = words[first : first + _WORDS_AT_ONCE]
            own = np.array([self._words.get(word, -1) for word in part], np.int64)
            word, row = self._n_grams(part)
            order = np.argsort(np.concatenate([np.arange(len(part)), word]), kind="stable")
            rows = np.concatenate([own, row])[order]
            begin = np.flatnonzero(order < len(part))
            sums[first : first + len(part)] = np.add.reduceat(self._vectors[rows], begin)
            counts[first : first + len(part)] = (own >= 0) + np.bincount(word, minlength=len(part))
        if _END in words:  # the end of a line has no n-grams
            sums[words.index(_END)], counts[words.index(_END)] = self._vectors[self._words[_END]], 1
        return sums, counts

    def _n_grams(self, words: list[str]) -> tuple[Ints, Ints]:
        """Return the n-grams of characters that the model has: the word's number and the vector's row; FNV-1a hashes."""
        data = np.frombuffer("".join(f"<{word}>" for word in words).encode("utf-8", "replace"), np.int8)
        starts = np.flatnonzero((data.view(np.uint8) & 0xC0) != 0x80)  # of characters
        lengths = np.diff(np.append(starts, len(data)))
        signed = data.astype(np.uint32)  # with its sign, as fastText does
        sizes = np.array([len(word) + 2 for word in words])
        word = np.repeat(np.arange(len(words)), sizes)
        left = np.repeat(np.cumsum(sizes), sizes) - np.arange(
            len(word)
        )  # characters from this one to the end of its word
        code, found = np.full(len(starts), 2166136261, np.uint32), []
        for n in range(1, self._most + 1):
            begin = np.flatnonzero(left >= n)
            letter = begin + n - 1
            folded = code[begin]
            for byte in range(int(lengths.max(initial=0))):
                has = lengths[letter] > byte
                with_byte = (folded ^ signed[np.minimum(starts[letter] + byte, len(data) - 1)]) * np.uint32(16777619)
                folded = with_byte if byte == 0 else np.where(has, with_byte, folded)
            code[begin] = folded
            if n >= self._least:
                row = self._rows[folded % np.uint32(len(self._rows))]
                found.append(np.stack([word[begin], row])[:, row >= 0])
        both = np.concatenate(found, axis=1)
        return both[0], both[1]


class _Reader:
    """Reads the parts of a model's file one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def __call__(self, layout: str) -> tuple[Any, ...]:
        """Return numbers, as `struct` describes them."""
        found = struct.unpack_from(f"<{layout}", self._data, self._place)
        self._place += struct.calcsize(f"<{layout}")
        return found

    def entry(self) -> tuple[str, int]:
        """Return a word or a label, and how often it occurred."""
        end = self._data.index(0, self._place)
        word = self._data[self._place : end].decode("utf-8", "replace")
        self._place = end + 1
        count, _ = self("qb")
        return word, count

    def array(self, kind: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """Return an array of numbers."""
        found = np.frombuffer(self._data, kind, count, self._place)
        self._place += found.nbytes
        return found

    def quantised(self) -> Floats:
        """Return a matrix that is stored as centroids of parts of its rows, and, if at all, of the norms of its rows."""
        _, normed, rows, columns, size = self("??qqi")
        codes = self.array(np.uint8, size).reshape(rows, -1)
        parts = self._centroids()
        matrix = np.concatenate([part[code] for part, code in zip(parts, codes.T, strict=True)], axis=1)
        if normed:
            norms = self.array(np.uint8, rows)
            matrix *= self._centroids()[0][norms]
        return np.ascontiguousarray(matrix[:, :columns])

    def _centroids(self) -> Floats:
        size, parts, width, last = self("4i")
        if last != width:
            raise ValueError("The parts of the quantised rows have different widths, which is not supported.")
        return self.array(np.float32, size * 256).reshape(parts, 256, width)


def _paths(counts: list[int]) -> Floats:
    """Return which steps lead to which label: steps to the left at each inner node, then those to the right; 0 or 1.

    The tree is that of Huffman, built as fastText builds it: the labels come by falling counts, and an inner node
    precedes a label with the same count.
    """
    labels = len(counts)
    weights = [*counts, *[10**15] * (labels - 1)]  # of the labels, then of the inner nodes
    below = [[label] for label in range(labels)]
    paths = np.zeros((2, labels - 1, labels), np.float32)
    leaf, node = labels - 1, labels
    for inner in range(labels - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        for side, child in enumerate(children):
            paths[side, inner, below[child]] = 1
        weights[labels + inner] = sum(weights[child] for child in children)
        below.append(below[children[0]] + below[children[1]])
    return paths.reshape(-1, labels)
