"""From songs to the rows that linear models read, and back: which characters of a song carried a class's score.

One class serves every linear recipe: counts of several kinds of n-grams side by side, weighted, scaled to length 1, and
the artist as a column of its own where it is asked for. Since each column knows where its n-grams stand in a text, a
score falls apart exactly into shares of single characters, which explanations add up to words and lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.errors import LyristError
from lyrist.models.features import NGrams
from lyrist.models.inputs import artists_of, lyrics_of, songs

_MARKS, _BREAKS = str.maketrans({" ": "·", "\n": "↵"}), str.maketrans({"\n": " "})

Weighting = Literal["tfidf", "log-tfidf", "presence", "presence-idf"]


@dataclass(frozen=True)
class Contributions:
    """What each character of a text, and what stands outside it, adds to the score of one class."""

    characters: NDArray[np.float64]
    """One number a character of the text."""
    other: dict[str, float]
    """Shares of what is not text: ``artist``, ``layout: ...`` and ``the class itself`` (the intercept)."""


class SongFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Weighted n-grams of songs, and their artists.

    Parameters
    ----------
    grams
        The kinds of n-grams, `NGrams` each.
    weighting
        ``tfidf``: count times inverse document frequency; ``log-tfidf``: 1 + log(count) in its place; ``presence``: 1
        where the n-gram occurs; ``presence-idf``: its inverse document frequency there.
    artist
        A column for each artist of the training songs; an artist not seen in training has none.

    Attributes
    ----------
    grams_ : list of NGrams
        The fitted kinds.
    scale_ : array of float32, shape (n_ngrams,)
        What each column is multiplied by before rows are scaled to length 1.
    artists_ : array of str
        The artists with a column, after those of the n-grams, in order.
    """

    def __init__(
        self, grams: Sequence[NGrams] = (NGrams(),), weighting: Weighting = "log-tfidf", artist: bool = False
    ) -> None:
        self.grams = grams
        self.weighting = weighting
        self.artist = artist

    def fit(self, X: Any, y: Any = None) -> SongFeatures:
        """Learn the n-grams, their weights and the artists."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> sp.csr_matrix:
        """Learn from the songs and return their rows, float32, shape (n_songs, n_features)."""
        counts = self.fit_counts(X)
        return self.weigh(counts, X)

    def fit_counts(self, X: Any) -> sp.csr_matrix:
        """Learn from the songs and return the plain counts of their n-grams; `weigh` makes rows of them."""
        texts = lyrics_of(X)
        self.grams_ = [NGrams(**kind.get_params()) for kind in self.grams]
        counts = _side_by_side([kind.fit_transform(texts) for kind in self.grams_])
        df = np.concatenate([kind.df_ for kind in self.grams_])
        if not len(df):
            raise LyristError(f"The {len(texts)} songs to learn from share no words; there is nothing to learn.")
        idf = np.log((1 + len(texts)) / (1 + df)) + 1
        self.scale_ = np.ones(len(df), np.float32) if self.weighting == "presence" else idf.astype(np.float32)
        self.artists_ = np.unique([a for a in artists_of(X) if a]) if self.artist else np.zeros(0, dtype="<U1")
        return counts

    def transform(self, X: Any) -> sp.csr_matrix:
        """Return the rows of songs, float32, shape (n_songs, n_features)."""
        check_is_fitted(self, "scale_")
        return self.weigh(self.counts(X), X)

    def counts(self, X: Any) -> sp.csr_matrix:
        """Return the plain counts of the known n-grams, float32, shape (n_songs, n_ngrams)."""
        texts = lyrics_of(X)
        return _side_by_side([kind.transform(texts) for kind in self.grams_])

    def weigh(self, counts: sp.csr_matrix, X: Any = None, scale: NDArray[np.float32] | None = None) -> sp.csr_matrix:
        """Return rows from counts: weighted, scaled to length 1, and the artists of ``X`` beside them."""
        rows = counts.copy()
        if self.weighting.startswith("presence"):
            rows.data[:] = 1
        elif self.weighting == "log-tfidf":
            rows.data = 1 + np.log(rows.data)
        rows.data *= (self.scale_ if scale is None else scale)[rows.indices]
        rows = unit_rows(rows)
        return _side_by_side([rows, self.artist_columns(X)]) if self.artist else rows

    def contributions(self, text: str, artist: str, coef: NDArray[Any]) -> Contributions:
        """Return what each character, and the artist, adds to the score with the weights ``coef``, shape (d,)."""
        row = self.transform(songs([text], [artist]) if self.artist else [text])
        value = np.asarray(row.toarray()).ravel() * coef
        others = {"artist": float(value[len(self.scale_) :].sum())} if self.artist else {}
        return Contributions(self.deal(text, value[: len(self.scale_)]), others)

    def deal(self, text: str, value: NDArray[Any]) -> NDArray[np.float64]:
        """Deal the value of each n-gram, shape (n_ngrams,), out to the characters of a text.

        A value goes in equal parts to the places where the n-gram stands, and there to its characters that are no blanks,
        so that the shares add up to the values.
        """
        shares, offset = np.zeros(len(text)), 0
        visible = np.array([not c.isspace() for c in text], dtype=bool)
        for kind in self.grams_:
            start, end, column = kind.places(text)
            here = value[offset : offset + len(kind.buckets_)]
            here = here / np.maximum(np.bincount(column, minlength=len(kind.buckets_)), 1)
            shares += _dealt(visible, start, end, here[column])
            offset += len(kind.buckets_)
        return shares

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.str_]:
        """Return the name of each column: the n-gram, or the artist."""
        check_is_fitted(self, "scale_")
        return np.concatenate([*(kind.names_ for kind in self.grams_), [f"artist: {a}" for a in self.artists_]]).astype(
            np.str_
        )

    def shown_names(self) -> NDArray[np.str_]:
        """Return the name of each column as people read it: in n-grams of characters ``·`` is a blank, ``↵`` a line end."""
        check_is_fitted(self, "scale_")
        names: list[str] = []
        for kind in self.grams_:
            mark = _MARKS if kind.unit == "char" else _BREAKS
            names.extend(name.translate(mark) for name in kind.names_.tolist())
        return np.array([*names, *(f"artist: {a}" for a in self.artists_)], dtype=np.str_)

    def spread(self) -> NDArray[np.float32]:
        """Return about how far the values of each column spread over the training songs, shape (n_features,).

        Rows have length 1, so the mean of their squares over all columns is known, and with it their unit.
        """
        check_is_fitted(self, "scale_")
        share = np.concatenate([kind.df_ / kind.n_songs_ for kind in self.grams_])
        unit = np.sqrt(np.sum(self.scale_**2 * share))
        ngrams = self.scale_ * np.sqrt(share * (1 - share)) / max(unit, 1e-12)
        return np.concatenate([ngrams, np.full(len(self.artists_), 0.1)]).astype(np.float32)

    def artist_columns(self, X: Any) -> sp.csr_matrix:
        """Return a one for each song's artist, shape (n_songs, n_artists); nothing for artists not seen in training."""
        artists = artists_of(X)
        if not len(self.artists_):
            return sp.csr_matrix((len(artists), 0), dtype=np.float32)
        column = np.minimum(np.searchsorted(self.artists_, artists), len(self.artists_) - 1)
        known = np.flatnonzero(self.artists_[column] == np.array(artists))
        ones = np.ones(len(known), dtype=np.float32)
        return sp.csr_matrix((ones, (known, column[known])), shape=(len(artists), len(self.artists_)))


def unit_rows(X: sp.csr_matrix) -> sp.csr_matrix:
    """Scale each row of ``X`` to length 1, in place; empty rows stay empty."""
    length = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.where(length > 0, length, 1), np.diff(X.indptr)).astype(np.float32)
    return X


def log_count_ratios(
    presence: sp.csr_matrix, index: NDArray[np.int64], k: int, smoothing: float
) -> NDArray[np.float32]:
    """Return how unevenly each n-gram is spread over the classes: its largest naive Bayes log-count ratio, shape (d,).

    Wang & Manning (2012), Baselines and bigrams, give each class its own ratio ``log(p / q)`` of the n-gram's share in
    the class and outside it, and so a matrix of its own. The largest absolute ratio over the classes instead is one
    scale for all: one Gram matrix, k times less work, and no worse (docs/log.md).
    """
    inside = class_counts(presence, index, k)
    total = np.asarray(inside.sum(axis=0)).ravel() + 2 * smoothing
    scale = np.zeros(presence.shape[1], dtype=np.float32)
    for c in range(k):  # one class at a time, so that no table of classes by n-grams is needed
        p = inside[c].toarray().ravel() + smoothing
        q = total - p
        np.maximum(scale, np.abs(np.log(p / p.sum()) - np.log(q / q.sum())), out=scale)
    return scale


def class_counts(rows: sp.csr_matrix, index: NDArray[np.int64], k: int) -> sp.csr_matrix:
    """Return the sum of the rows of each class, shape (k, d)."""
    member = sp.csr_matrix((np.ones(len(index), np.float32), (index, np.arange(len(index)))), shape=(k, len(index)))
    return sp.csr_matrix(member @ rows)


def _side_by_side(parts: list[sp.csr_matrix]) -> sp.csr_matrix:
    return parts[0] if len(parts) == 1 else sp.hstack(parts, format="csr", dtype=np.float32)


def _dealt(
    visible: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64], value: NDArray[Any]
) -> NDArray[np.float64]:
    """Give each value in equal parts to the visible characters from its start to its end, or to a blank if there is none."""
    seen = np.concatenate([[0], np.cumsum(visible)])
    width = seen[end] - seen[start]
    some = width > 0
    change = np.zeros(len(visible) + 1)
    np.add.at(change, start[some], value[some] / width[some])
    np.subtract.at(change, end[some], value[some] / width[some])
    found = np.where(visible, np.cumsum(change)[:-1], 0.0)
    if len(found):  # a line end is an n-gram of its own, and of blanks alone
        np.add.at(found, np.minimum(start[~some], len(found) - 1), value[~some])
    return found
