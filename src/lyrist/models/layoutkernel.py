"""A Gaussian kernel on the layout features, as explicit features for linear models.

Each layout feature is used twice: standardised, and as its normal score (rank) among the training songs. The kernel is
approximated by Nystroem's method with random landmark songs; with at most ``landmarks`` songs it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.models.inputs import SongInput, lyrics_of
from lyrist.models.layout import layout

LANDMARKS = 1_000
KNOTS = 257

Floats = NDArray[np.float32]


@dataclass(eq=False, repr=False)
class LayoutKernel(SongInput, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Nystroem features of a Gaussian kernel on the layout of songs.

    Parameters
    ----------
    width
        The kernel is ``exp(-d / (width * D))``, where d is the squared distance of two layouts and D its median.
    random_state
        Seed of the choice of landmarks.
    landmarks
        Maximum number of landmarks.

    Attributes
    ----------
    mean_, spread_ : arrays of float64, shape (p,)
        Mean and standard deviation of each layout feature.
    knots_ : array of float64, shape (KNOTS, p)
        Quantiles of each layout feature, for its rank.
    landmarks_ : array of float32, shape (m, 2 p)
    distance_ : float
        The median squared distance of two songs.
    root_ : array of float32, shape (m, r)
        Inverse square root of the kernel matrix of the landmarks.
    """

    width: float = 2.0
    random_state: int = 0
    landmarks: int = LANDMARKS

    def fit(self, X: Any, y: Any = None) -> LayoutKernel:
        """Fit the scaling and choose the landmarks."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Floats:
        """Fit on songs and return their features, float32, shape (n, r)."""
        raw = layout(lyrics_of(X))
        self.mean_, self.spread_ = raw.mean(axis=0), raw.std(axis=0) + 1e-6
        self.knots_ = np.quantile(raw, np.linspace(0, 1, KNOTS), axis=0)
        rows = self._rows(raw)
        rng = np.random.default_rng(self.random_state)
        chosen = np.sort(rng.permutation(len(rows))[: self.landmarks])
        self.landmarks_ = rows[chosen]
        apart = _distances(self.landmarks_, self.landmarks_)
        self.distance_ = float(np.median(apart)) or 1.0
        values, vectors = np.linalg.eigh(self._similarities(apart).astype(np.float64))
        kept = values > values[-1] * 1e-6
        self.root_ = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        self.n_features_in_ = 1
        return self._features(rows)

    def transform(self, X: Any) -> Floats:
        """Return the features of songs, float32, shape (n, r)."""
        check_is_fitted(self, "root_")
        return self._features(self._rows(layout(lyrics_of(X))))

    def product(self, X: Any, coef: NDArray[Any]) -> NDArray[np.float64]:
        """Return ``transform(X) @ coef``; with many songs the root is multiplied by ``coef`` first, which is much less work.

        The root has large entries of both signs, so the products are in float64.
        """
        check_is_fitted(self, "root_")
        similarities = self._similarities(_distances(self._rows(layout(lyrics_of(X))), self.landmarks_))
        factors = (similarities, self.root_, coef)
        return np.asarray(np.linalg.multi_dot([factor.astype(np.float64) for factor in factors]))

    def _features(self, rows: Floats) -> Floats:
        return np.asarray(self._similarities(_distances(rows, self.landmarks_)) @ self.root_, dtype=np.float32)

    def _similarities(self, apart: Floats) -> Floats:
        return np.asarray(np.exp(-apart / np.float32(self.width * self.distance_)), dtype=np.float32)

    def _rows(self, raw: NDArray[np.float64]) -> Floats:
        standard = np.clip((raw - self.mean_) / self.spread_, -4, 4)
        ranks = np.empty_like(raw)
        for p in range(raw.shape[1]):
            low = np.searchsorted(self.knots_[:, p], raw[:, p], side="left")
            high = np.searchsorted(self.knots_[:, p], raw[:, p], side="right")
            ranks[:, p] = (low + high + 1) / (2 * (KNOTS + 1))
        return np.hstack([standard, ndtri(np.clip(ranks, 0.002, 0.998))]).astype(np.float32)


def _distances(a: Floats, b: Floats) -> Floats:
    """Return the squared distances of the rows of ``a`` and ``b``, shape (len(a), len(b))."""
    found = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.asarray(np.maximum(found, 0), dtype=np.float32)
