"""Features of the linear models: weighted n-grams and artists, and the contribution of each character to a score.

One class serves all linear recipes: counts of several kinds of n-grams, weighted and scaled to norm 1, and optionally one column
per artist. Since the positions of each n-gram in a text are known, a score is exactly a sum over characters, which explanations
add up to words and lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.errors import LyristError
from lyrist.models.columns import ColumnFeatures
from lyrist.models.features import NGrams, count
from lyrist.models.inputs import ARTIST_NUMBER, SongInput, artists_of, lyrics_of, names_of, with_artist

_MARKS, _BREAKS = str.maketrans({" ": "·", "\n": "↵"}), str.maketrans({"\n": " "})

Weighting = Literal["tfidf", "log-tfidf", "presence", "presence-idf"]


@dataclass(frozen=True)
class Contributions:
    """The contributions of the characters of a text, and of everything else, to the score of one class."""

    characters: NDArray[np.float64]
    """One number per character of the text."""
    other: dict[str, float]
    """Contributions of everything else: ``artist``, ``layout`` and ``intercept``."""


class SongFeatures(SongInput, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Weighted n-grams of songs, and their artists.

    Parameters
    ----------
    grams
        The kinds of n-grams, `NGrams` each.
    weighting
        ``tfidf``: count times inverse document frequency; ``log-tfidf``: 1 + log(count) instead of the count; ``presence``:
        1 for n-grams that occur; ``presence-idf``: the inverse document frequency of n-grams that occur.
    artist
        Add one column for each artist of the training songs. ``"number"`` repeats a published mistake: the number of the artist
        is the value of the first of these columns, and the others are empty.
    columns
        Other columns of the table to add, see `lyrist.models.columns`.

    Attributes
    ----------
    grams_ : list of NGrams
        The fitted kinds.
    scale_ : array of float32, shape (n_ngrams,)
        The factor of each column before rows are scaled to norm 1.
    artists_ : array of str
        The artists, in the order of their columns, which follow those of the n-grams.
    """

    parts: ClassVar[tuple[type, ...]] = (NGrams, ColumnFeatures)
    added: ClassVar[dict[str, Any]] = {"columns": ()}
    """Parameters that files of earlier versions do not have, with their values."""
    columns_: Any = None

    def __init__(
        self,
        grams: Sequence[NGrams] = (NGrams(),),
        weighting: Weighting = "log-tfidf",
        artist: bool | str = False,
        columns: tuple[str, ...] = (),
    ) -> None:
        self.grams = grams
        self.weighting = weighting
        self.artist = artist
        self.columns = columns

    @classmethod
    def beside(cls, grams: Sequence[NGrams], weighting: Weighting, features: str) -> SongFeatures:
        """Return the features of n-grams and of the columns that an option ``features`` names."""
        artist = "number" if features == ARTIST_NUMBER else with_artist(features)
        return cls(grams, weighting, artist, names_of(features))

    def fit(self, X: Any, y: Any = None) -> SongFeatures:
        """Fit the n-grams, their weights and the artists."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> sp.csr_matrix:
        """Fit on songs and return their feature matrix, float32, shape (n_songs, n_features)."""
        counts = self.fit_counts(X)
        return self.weigh(counts, X)

    def fit_counts(self, X: Any) -> sp.csr_matrix:
        """Fit on songs and return the plain n-gram counts; `weigh` computes the features from them."""
        texts = lyrics_of(X)
        self.grams_ = [NGrams(**kind.get_params()) for kind in self.grams]
        counts = _side_by_side([kind.fit_transform(texts) for kind in self.grams_])
        df = np.concatenate([kind.df_ for kind in self.grams_])
        if not len(df):
            raise LyristError(f"The {len(texts)} training songs share no words, so no feature is left; use more songs.")
        idf = np.log((1 + len(texts)) / (1 + df)) + 1
        self.scale_ = np.ones(len(df), np.float32) if self.weighting == "presence" else idf.astype(np.float32)
        self.artists_ = np.unique([a for a in artists_of(X) if a]) if self.artist else np.zeros(0, dtype="<U1")
        if self.columns:
            self.columns_ = ColumnFeatures(self.columns).fit(X)
        return counts

    def transform(self, X: Any) -> sp.csr_matrix:
        """Return the feature matrix of songs, float32, shape (n_songs, n_features)."""
        check_is_fitted(self, "scale_")
        return self.weigh(self.counts(X), X)

    def counts(self, X: Any) -> sp.csr_matrix:
        """Return the plain counts of the known n-grams, float32, shape (n_songs, n_ngrams)."""
        return _side_by_side(self.counts_by_kind(X))

    def counts_by_kind(self, X: Any) -> list[sp.csr_matrix]:
        """Return the counts of the known n-grams of each kind."""
        return count(self.grams_, lyrics_of(X))

    def weigh(self, counts: sp.csr_matrix, X: Any = None, scale: NDArray[np.float32] | None = None) -> sp.csr_matrix:
        """Return the features from counts: weighted, scaled to norm 1, with the artist columns of ``X``."""
        rows = counts.copy()
        if self.weighting.startswith("presence"):
            rows.data[:] = 1
        elif self.weighting == "log-tfidf":
            rows.data = 1 + np.log(rows.data)
        rows.data *= (self.scale_ if scale is None else scale)[rows.indices]
        rows = unit_rows(rows)
        return _side_by_side([rows, self.other_columns(X)]) if self.artist or self.columns else rows

    def contributions(self, X: Any, coef: NDArray[Any]) -> Contributions:
        """Return the contributions of each character and of the columns to the score with weights ``coef``, shape (d,).

        ``X`` is one song: a list of one text, or a table of one row.
        """
        value = np.asarray(self.transform(X).toarray()).ravel() * coef
        return Contributions(
            self.by_character(lyrics_of(X)[0], value[: len(self.scale_)]), self.by_column(value[len(self.scale_) :])
        )

    def by_column(self, value: NDArray[Any]) -> dict[str, float]:
        """Return the sum of the values of the features of each column, shape (width,): the artist and the others."""
        found, start = {}, 0
        for name, width in self._widths():
            found[name] = float(value[start : start + width].sum())
            start += width
        return found

    @property
    def width(self) -> int:
        """The number of features that are no n-grams."""
        return sum(width for _, width in self._widths())

    def _widths(self) -> list[tuple[str, int]]:
        own = [("artist", len(self.artists_))] if self.artist else []
        return [*own, *(self.columns_.widths() if self.columns_ is not None else [])]

    def _other_names(self) -> list[str]:
        found = [f"artist: {a}" for a in self.artists_]
        return [*found, *(self.columns_.shown_names() if self.columns_ is not None else [])]

    def by_character(self, text: str, value: NDArray[Any]) -> NDArray[np.float64]:
        """Distribute the value of each n-gram, shape (n_ngrams,), over the characters of a text.

        A value is split evenly over the occurrences of the n-gram, and there over its characters that are not blanks, so the
        result has the same sum.
        """
        shares, offset = np.zeros(len(text)), 0
        visible = np.array([not c.isspace() for c in text], dtype=bool)
        for kind in self.grams_:
            start, end, column = kind.places(text)
            here = value[offset : offset + len(kind.buckets_)]
            here = here / np.maximum(np.bincount(column, minlength=len(kind.buckets_)), 1)
            shares += _distributed(visible, start, end, here[column])
            offset += len(kind.buckets_)
        return shares

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.str_]:
        """Return the name of each column: the n-gram, the artist, or another column with its value."""
        check_is_fitted(self, "scale_")
        return np.concatenate([*(kind.names_ for kind in self.grams_), self._other_names()]).astype(np.str_)

    def shown_names(self) -> NDArray[np.str_]:
        """Return the display name of each column: in character n-grams ``·`` is a blank and ``↵`` a line end."""
        check_is_fitted(self, "scale_")
        names: list[str] = []
        for kind in self.grams_:
            mark = _MARKS if kind.unit == "char" else _BREAKS
            names.extend(name.translate(mark) for name in kind.names_.tolist())
        return np.array([*names, *self._other_names()], dtype=np.str_)

    def spread(self) -> NDArray[np.float32]:
        """Return an estimate of the standard deviation of each column over the training songs, shape (n_features,).

        Rows have norm 1, so the sum of the mean squares of all columns is 1, which determines the scale.
        """
        check_is_fitted(self, "scale_")
        share = np.concatenate([kind.df_ / kind.n_songs_ for kind in self.grams_])
        unit = np.sqrt(np.sum(self.scale_**2 * share))
        ngrams = self.scale_ * np.sqrt(share * (1 - share)) / max(unit, 1e-12)
        return np.concatenate([ngrams, np.full(self.width, 0.1)]).astype(np.float32)

    def other_columns(self, X: Any) -> sp.csr_matrix:
        """Return the features of the artist and of other columns, shape (n_songs, width)."""
        parts = [self.artist_columns(X)] if self.artist else []
        return _side_by_side([*parts, *([self.columns_.transform(X)] if self.columns_ is not None else [])])

    def artist_columns(self, X: Any) -> sp.csr_matrix:
        """Return the one-hot artists, shape (n_songs, n_artists); zeros for artists that are not in training."""
        artists = artists_of(X)
        if not len(self.artists_):
            return sp.csr_matrix((len(artists), 0), dtype=np.float32)
        column = np.minimum(np.searchsorted(self.artists_, artists), len(self.artists_) - 1)
        known = np.flatnonzero(self.artists_[column] == np.array(artists))
        if self.artist == "number":
            values, places = (column[known] + 1).astype(np.float32), np.zeros_like(known)
        else:
            values, places = np.ones(len(known), dtype=np.float32), column[known]
        return sp.csr_matrix((values, (known, places)), shape=(len(artists), len(self.artists_)))


def unit_rows(X: sp.csr_matrix) -> sp.csr_matrix:
    """Scale each row of ``X`` to norm 1, in place; empty rows stay empty."""
    length = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.where(length > 0, length, 1), np.diff(X.indptr)).astype(np.float32)
    return X


def log_count_ratios(
    presence: sp.csr_matrix, index: NDArray[np.int64], k: int, smoothing: float, weights: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Return the largest absolute naive Bayes log-count ratio of each n-gram over the classes, shape (d,).

    Wang & Manning (2012), Baselines and bigrams, use a ratio ``log(p / q)`` per class, of the n-gram's share in the class and
    outside it, and so a feature matrix per class. The largest absolute ratio over the classes is one scale for all: one Gram
    matrix, k times less work, and the same accuracy (docs/log.md).
    """
    inside = class_counts(presence, index, k, weights)
    total = total_counts(presence, inside, index, weights) + 2 * smoothing
    scale = np.zeros(presence.shape[1], dtype=np.float32)
    for c in range(k):  # one class at a time, so that no dense matrix of classes by n-grams is needed
        p = inside[c].toarray().ravel() + smoothing
        q = total - p
        np.maximum(scale, np.abs(np.log(p / p.sum()) - np.log(q / q.sum())), out=scale)
    return scale


def class_counts(
    rows: sp.csr_matrix, index: NDArray[np.int64], k: int, weights: NDArray[Any] | None = None
) -> sp.csr_matrix:
    """Return the sum of the rows of each class, each times its weight, shape (k, d)."""
    share = np.ones(len(index), np.float32) if weights is None else weights.astype(np.float32)
    if index.ndim == 2:
        member = sp.csr_matrix(index.T.astype(np.float32)) @ sp.diags(share, format="csr")
    else:
        member = sp.csr_matrix((share, (index, np.arange(len(index)))), shape=(k, len(index)))
    return sp.csr_matrix(member @ rows)


def total_counts(
    rows: sp.csr_matrix, inside: sp.csr_matrix, index: NDArray[np.int64], weights: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Return the sum of all rows, shape (d,); ``inside`` are the sums of the classes, to which a song may belong repeatedly."""
    if index.ndim == 1:
        return np.asarray(inside.sum(axis=0), dtype=np.float32).ravel()
    share = np.ones(len(index), np.float32) if weights is None else weights.astype(np.float32)
    return np.asarray(share @ rows, dtype=np.float32)


def _side_by_side(parts: list[sp.csr_matrix]) -> sp.csr_matrix:
    return parts[0] if len(parts) == 1 else sp.hstack(parts, format="csr", dtype=np.float32)


def _distributed(
    visible: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64], value: NDArray[Any]
) -> NDArray[np.float64]:
    """Split each value evenly over the visible characters from its start to its end, or a blank if there are none."""
    seen = np.concatenate([[0], np.cumsum(visible)])
    width = seen[end] - seen[start]
    has_visible = width > 0
    change = np.zeros(len(visible) + 1)
    np.add.at(change, start[has_visible], value[has_visible] / width[has_visible])
    np.subtract.at(change, end[has_visible], value[has_visible] / width[has_visible])
    found = np.where(visible, np.cumsum(change)[:-1], 0.0)
    if len(found):  # a line end is an n-gram that consists only of blanks
        np.add.at(found, np.minimum(start[~has_visible], len(found) - 1), value[~has_visible])
    return found
