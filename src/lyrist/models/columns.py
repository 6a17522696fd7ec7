"""Other columns of a table as features: categories, numbers and dates, with missing values.

A category is a column of 0 and 1 for each value that recurs. A number, or a date as a year with its fraction, is spread over the
two nearest of some quantiles of the training songs, so that a linear model can follow any shape. A missing value has a column of
its own; a value that training has not seen has none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.models.inputs import SongInput, column_of

KNOTS = 8
"""The most quantiles of a number."""
NUMBERS = 0.95
"""The share of values that must be numbers, or dates, for a column of numbers, or of dates."""
FEW = 8
"""Numbers with so few different values are categories."""
CATEGORIES = 1_000
"""The most values of a category: those of the most songs."""

_DATE = re.compile(r"(\d{4})-(\d\d?)(?:-(\d\d?))?(?:[T ].*)?")


@dataclass(eq=False, repr=False)
class ColumnFeatures(SongInput, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The features of columns other than the lyrics.

    Parameters
    ----------
    columns
        The names of the columns.

    Attributes
    ----------
    kinds_ : list of str
        ``number``, ``date`` or ``category`` for each column.
    knots_ : list of array
        The quantiles of each column of numbers or dates; empty for a category.
    values_ : list of array of str
        The values of each category; empty for a column of numbers or dates.
    """

    columns: tuple[str, ...] = ()

    def fit(self, X: Any, y: Any = None) -> ColumnFeatures:
        """Decide the kind of each column, its quantiles or its values."""
        self.kinds_: list[str] = []
        self.knots_: list[NDArray[np.float64]] = []
        self.values_: list[NDArray[np.str_]] = []
        for name in self.columns:
            texts = [text for text in column_of(X, name) if text]
            kind, numbers = _read(texts)
            self.kinds_.append(kind)
            if kind == "category":
                counts = Counter(texts).most_common(CATEGORIES)
                self.values_.append(np.array(sorted(text for text, n in counts if n > 1), dtype=np.str_))
                self.knots_.append(np.zeros(0))
            else:
                known = numbers[~np.isnan(numbers)]
                self.knots_.append(np.unique(np.quantile(known, np.linspace(0, 1, KNOTS))))
                self.values_.append(np.zeros(0, dtype="<U1"))
        return self

    def transform(self, X: Any) -> sp.csr_matrix:
        """Return the features of songs, float32, shape (n_songs, n_features); each column has a norm of at most 1."""
        check_is_fitted(self, "kinds_")
        parts = [self._encoded(place, column_of(X, name)) for place, name in enumerate(self.columns)]
        return sp.csr_matrix(sp.hstack(parts, format="csr", dtype=np.float32))

    def widths(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each column and the number of its features."""
        for name, knots, values in zip(self.columns, self.knots_, self.values_, strict=True):
            yield name, len(knots) + len(values) + 1

    def shown_names(self) -> list[str]:
        """Return the display name of each feature."""
        found = []
        for name, knots, values in zip(self.columns, self.knots_, self.values_, strict=True):
            found += [f"{name}: {knot:g}" for knot in knots] + [f"{name}: {value}" for value in values.tolist()]
            found.append(f"{name}: (missing)")
        return found

    def _encoded(self, place: int, texts: Sequence[str]) -> sp.csr_matrix:
        knots, values, n = self.knots_[place], self.values_[place], len(texts)
        missing = np.array([not text for text in texts], dtype=bool)
        if self.kinds_[place] == "category":
            own = np.array(texts, dtype=np.str_)
            at = np.minimum(np.searchsorted(values, own), max(len(values) - 1, 0))
            known = np.flatnonzero(values[at] == own) if len(values) else np.zeros(0, dtype=np.int64)
            rows, columns, share = known, at[known], np.ones(len(known))
        else:
            numbers = _numbers(texts, self.kinds_[place])
            missing = np.isnan(numbers)
            inside = np.flatnonzero(~missing)
            spot = np.interp(numbers[inside], knots, np.arange(len(knots)))
            low = np.minimum(spot.astype(np.int64), max(len(knots) - 2, 0))
            high = np.minimum(low + 1, len(knots) - 1)
            rows = np.concatenate([inside, inside])
            columns, share = np.concatenate([low, high]), np.concatenate([1 - (spot - low), spot - low])
        gone = np.flatnonzero(missing)
        width = len(knots) + len(values) + 1
        where = np.concatenate([rows, gone]), np.concatenate([columns, np.full(len(gone), width - 1)])
        ones = np.concatenate([share, np.ones(len(gone))]).astype(np.float32)
        return sp.csr_matrix((ones, where), shape=(n, width))


def _read(texts: Sequence[str]) -> tuple[str, NDArray[np.float64]]:
    """Return the kind of a column, and its numbers if it has them."""
    for kind in ("number", "date"):
        numbers = _numbers(texts, kind)
        known = numbers[~np.isnan(numbers)]
        if len(known) and len(known) >= NUMBERS * len(texts) and len(np.unique(known)) > FEW:
            return kind, numbers
    return "category", np.zeros(0)


def _numbers(texts: Sequence[str], kind: str) -> NDArray[np.float64]:
    """Return texts as numbers or as years with their fraction; NaN where they are none."""
    return np.array([_date(text) if kind == "date" else _number(text) for text in texts], dtype=np.float64)


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _date(text: str) -> float:
    found = _DATE.fullmatch(text.strip())
    if not found:
        return _number(text)
    return int(found[1]) + (int(found[2]) - 1) / 12 + (int(found[3] or 1) - 1) / 366
