"""Which words tell a genre or an artist from the rest, and which words a corpus is about.

TF-IDF with damped counts, each song's weights scaled to length 1 (Salton and Buckley, "Term-weighting approaches in
automatic text retrieval", 1988); a word's weight for a group is its mean over the group's songs less its mean over all
others, so that a word that everybody uses tells nothing. A word must stand in several songs of the group: the refrain
of one hit is not the voice of its singer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array, csr_array, diags_array
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

Floats = npt.NDArray[np.float64]

VOCABULARY = 50_000
"""At most so many words, those in most songs."""
COMMON = 0.4
"""In a language without a list of stop words, a word in more than this share of its songs is one."""
ENOUGH = 5
"""So many songs of a language are needed to tell its stop words; so many of a group, to tell its words."""
ENGLISH = ("en", "und", None)
"""Languages that have the English stop words: songs of unknown language are mostly in English here."""

_ENDINGS = ("'s", "'m", "'re", "'ve", "'ll", "'d", "n't")
_SPOKEN = """
im ive ill id youre youve youll youd hes shes thats theres whats lets its dont cant wont aint isnt didnt doesnt
couldnt wouldnt shouldnt wasnt werent havent hasnt hadnt can't won't ain't shan't let's y'all 'em em cause 'cause
just did does doing having being ll ve re don didn doesn isn wasn couldn wouldn
"""
_STOP = ENGLISH_STOP_WORDS.union(_SPOKEN.split())


@dataclass(frozen=True)
class Weighted:
    """The words of a sample, weighed."""

    words: list[str]
    weights: csr_array
    """(songs, words) TF-IDF; stop words weigh nothing."""
    songs: npt.NDArray[np.int64]
    """In how many songs each word stands (as no stop word of the song's language)."""


def is_stop_word(word: str) -> bool:
    """Return whether ``word`` (in lower case) is an English stop word, alone or contracted (``you're``, ``didn't``)."""
    return word in _STOP or any(word.endswith(end) and word.removesuffix(end) in _STOP for end in _ENDINGS)


def weigh(sample: pl.DataFrame) -> Weighted:
    """Weigh the words of a sample of songs.

    Parameters
    ----------
    sample
        ``tokens`` (the words of each song) and ``language``.
    """
    words, counts = _counts(sample["tokens"])
    counts = _without_stop_words(counts, words, sample["language"].cast(pl.String).to_list())
    songs = np.bincount(counts.indices, minlength=len(words)).astype(np.int64)
    n = counts.shape[0]
    weights = counts.astype(float)
    weights.data = (1 + np.log(weights.data)) * (np.log((1 + n) / (1 + songs)) + 1)[weights.indices]
    lengths = np.sqrt(np.asarray((weights * weights).sum(axis=1)).ravel())
    scaled = diags_array(1 / np.maximum(lengths, 1e-12)) @ weights
    return Weighted(words, csr_array(scaled), songs)


def _counts(texts: pl.Series) -> tuple[list[str], csr_array]:
    """Return the vocabulary, the commonest words first, and how often each song has each of its words."""
    rare = 3 if len(texts) >= 100 else 1
    long = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "word": texts}).explode("word").drop_nulls()
    # two letters at least: numbers and single letters tell little
    long = long.filter(pl.col("word").str.contains(r"\p{L}.*\p{L}|\p{Lo}"))
    pairs = long.group_by("row", "word").len("count")
    words = pairs.group_by("word").len("songs").filter(pl.col("songs") >= rare)
    words = words.sort("songs", "word", descending=[True, False]).head(VOCABULARY).with_row_index("place")
    cells = pairs.join(words.select("word", "place"), on="word").sort("row", "place")
    shape = (len(texts), len(words))
    table = coo_array((cells["count"].to_numpy(), (cells["row"].to_numpy(), cells["place"].to_numpy())), shape=shape)
    return words["word"].to_list(), csr_array(table)


def _without_stop_words(counts: csr_array, words: Sequence[str], languages: Sequence[str | None]) -> csr_array:
    """Take from each song the stop words of its language."""
    english = np.array([not is_stop_word(word) for word in words], dtype=bool)
    keep = np.ones(counts.nnz, dtype=bool)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    spoken = np.array([language or "" for language in languages])
    for language in dict.fromkeys(languages):
        theirs = spoken == (language or "")
        if language in ENGLISH:
            content = english
        elif (n := int(theirs.sum())) >= ENOUGH:
            content = np.bincount(counts.indices[theirs[rows]], minlength=len(words)) <= COMMON * n
        else:
            continue
        keep &= ~theirs[rows] | content[counts.indices]
    cells = (counts.data[keep], (rows[keep], counts.indices[keep]))
    return csr_array(coo_array(cells, shape=counts.shape))


def telling(
    found: Weighted, labels: Sequence[str | None], groups: Sequence[str], most: int = 12
) -> dict[str, list[tuple[str, float, int]]]:
    """Return the words that tell each group from all other songs.

    Parameters
    ----------
    found
        The weighed words of n songs.
    labels
        The group of each of the n songs; None for none.
    groups
        The groups wanted.
    most
        Words a group.

    Returns
    -------
    dict
        For each group with at least `ENOUGH` songs its words: (word, weight above 0, songs of the group that have it),
        the weightiest first. Nothing is told of a group that is all there is.
    """
    names = np.array([label if label is not None else "\0" for label in labels])
    total = np.asarray(found.weights.sum(axis=0)).ravel()
    told: dict[str, list[tuple[str, float, int]]] = {}
    for group in groups:
        theirs = names == group
        n = int(theirs.sum())
        if n < ENOUGH or n == len(names):
            continue
        own = found.weights[theirs]
        sums = np.asarray(own.sum(axis=0)).ravel()
        songs = np.bincount(own.indices, minlength=len(found.words))
        weight = sums / n - (total - sums) / (len(names) - n)
        weight[songs < min(3, 2 + n // 20)] = 0
        best = [i for i in np.argsort(-weight, kind="stable")[:most] if weight[i] > 0]
        told[group] = [(found.words[i], float(weight[i]), int(songs[i])) for i in best]
    return told


def common(found: Weighted, rows: npt.NDArray[np.bool_], most: int = 100) -> dict[str, float]:
    """Return the words in most of the songs marked in ``rows``, and the share of these songs that have each."""
    own = found.weights[rows]
    songs = np.bincount(own.indices, minlength=len(found.words))
    best = [i for i in np.argsort(-songs, kind="stable")[:most] if songs[i]]
    return {found.words[i]: float(songs[i]) / max(int(rows.sum()), 1) for i in best}
