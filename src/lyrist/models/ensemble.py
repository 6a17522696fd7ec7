"""The ensemble: four linear models of n-grams and layout, combined with weights fitted on out-of-fold scores.

All members use one table of n-gram counts (characters 2-4, words and punctuation 1-2), which is computed once:

- ``ratios``: binary n-grams scaled by naive Bayes log-count ratios; SVM (see `NBSVM`);
- ``form``: TF-IDF of characters and of words, concatenated with the layout kernel; SVM;
- ``bayes``: binary words; multinomial naive Bayes, with the score divided by the number of words;
- ``layout``: the layout kernel alone; SVM.

Their accuracies are similar but their errors differ, so the combination is better than each member. Alternatives that did not
help (longer n-grams, masked text, line ends, other kernels, plain means) are listed in docs/log.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lyrist.models.calibration import mix
from lyrist.models.features import NGrams
from lyrist.models.inputs import class_shares, lyrics_of
from lyrist.models.layout import LayoutKernel
from lyrist.models.least_squares_svm import (
    ClassWeight,
    Floats,
    Groups,
    LinearFit,
    by_gram,
    fit_and_score,
    fit_svm,
    folds,
    song_weights,
)
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, ScoringClassifier
from lyrist.models.weighting import Contributions, SongFeatures, class_counts, log_count_ratios, total_counts, unit_rows

MEMBERS = ("ratios", "form", "bayes", "layout")

_LAYOUT_PART = 0.45  # norm of the layout features in `form`; the characters and the words have norm 0.63 each
_TEXT_PART = np.float32(np.sqrt((1 - _LAYOUT_PART**2) / 2))


@dataclass(frozen=True)
class _Songs:
    """The features of songs that all members share."""

    counts: sp.csr_matrix
    presence: sp.csr_matrix
    layout: sp.csr_matrix
    X: Any


@register(
    "ensemble",
    "four linear models of n-grams and layout, combined by weights fitted on out-of-fold scores",
    family="ensemble",
    source="Genest & Zidek (1986), Combining probability distributions",
)
@dataclass(eq=False, repr=False)
class LyricEnsemble(ScoringClassifier):
    """A weighted combination of four linear models of n-grams and layout.

    Parameters
    ----------
    char_low
        Shortest character n-gram.
    char_high
        Longest character n-gram.
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    C
        Inverse of the regularisation strength of the member ``ratios``; the other members use a fixed multiple of it.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    alpha
        Additive smoothing of the log-count ratios; naive Bayes uses a tenth of it.
    prior
        Exponent of the class frequencies: 1 for the best loss and accuracy, 0 for the best macro F1.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of word n-grams, and of character n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array, shape (k,)
    features_ : SongFeatures
        The fitted n-gram features.
    layout_ : LayoutKernel
    ratio_scale_ : array of float32, shape (d,)
        The scale of each n-gram in ``ratios``.
    coefs_ : dict of array of float32
        Weights of each member, (features, k).
    weights_ : dict of float
        The weight of each member in the logits.
    offset_ : array of float64, shape (k,)
        Added to the logits.
    """

    parts: ClassVar[tuple[type, ...]] = (SongFeatures, LayoutKernel)
    multilabel: ClassVar[bool] = True
    grouped: ClassVar[bool] = True

    char_low: int = 2
    char_high: int = 4
    word_high: int = 2
    C: float = 2.5
    class_weight: ClassWeight = 1.0
    alpha: float = 1.0
    prior: float = 0.5
    min_df: int = 2
    max_features: int = 100_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, lengths=3, words=True, machines=True, weights=3, layout=True)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats, groups: Groups = None) -> None:
        k = len(self.classes_)
        self.features_ = SongFeatures.beside(self._grams(), "log-tfidf", self.features)
        counts = self.features_.fit_counts(X)
        self.layout_ = LayoutKernel(random_state=self.random_state)
        songs = _Songs(counts, counts.sign(), sp.csr_matrix(self.layout_.fit_transform(X)), X)
        of_songs = song_weights(index, self.classes_, self.class_weight, weights)
        held, scores = self._out_of_fold(songs, index, k, weights, of_songs, groups)
        self.ratio_scale_ = self._ratio_scale(songs.presence, index, k, weights)
        views = self._views(songs)
        fitted = {"bayes": self._bayes(views["bayes"], index, k, weights)}
        for name, cost in self._costs().items():
            exact = name not in scores  # leave-one-out scores by the formula of `solve`
            settings: dict[str, Any] = {"weights": of_songs, "C": cost, "seed": self.random_state, "groups": groups}
            fitted[name] = fit_svm(views[name], index, k, calibrate=exact, **settings)
            if exact:
                scores[name] = fitted[name].scores[held]
        shares = class_shares(index, k, weights)
        found = mix([scores[name] for name in MEMBERS], index[held], shares, self.prior, weights[held])
        self.weights_ = dict(zip(MEMBERS, found.weights.tolist(), strict=True))
        self.coefs_ = {name: fitted[name].coef for name in MEMBERS}
        self.offset_ = found.offset + sum(self.weights_[name] * fitted[name].intercept for name in MEMBERS)

    def _scores(self, X: Any) -> NDArray[np.float64]:
        d, a, weights, coefs = len(self.ratio_scale_), self.features_.width, self.weights_, self.coefs_
        of_layout = weights["form"] * _LAYOUT_PART * coefs["form"][d + a :] + weights["layout"] * coefs["layout"]
        logits = self.offset_ + self._text_logits(X) + self.layout_.product(X, of_layout)
        if a:
            of_columns = weights["ratios"] * coefs["ratios"][d:] + weights["form"] * coefs["form"][d : d + a]
            logits += self.features_.other_columns(X) @ of_columns
        return np.asarray(logits)

    def contributions(self, X: Any, label: str) -> Contributions:
        """Return the contribution of each character of one song, its layout and its artist to the logit of ``label``.

        With one label a song they are relative to the mean over all classes. ``X`` is a list of one text, or a table of one row.
        """
        check_is_fitted(self, "coefs_")
        c = int(np.flatnonzero(self.classes_ == label)[0])
        views, share = self._views(self._gather(X)), {}
        for name in MEMBERS:
            coef = self.coefs_[name][:, c] - self._mean(self.coefs_[name])
            share[name] = self.weights_[name] * np.asarray(views[name].toarray()).ravel() * coef
        d, a = len(self.ratio_scale_), self.features_.width
        value = share["ratios"][:d] + share["form"][:d]
        value[self._characters() :] += share["bayes"]
        other = {"layout": float(share["form"][d + a :].sum() + share["layout"].sum())}
        other |= self.features_.by_column(share["ratios"][d:] + share["form"][d : d + a])
        other["intercept"] = float(self.offset_[c] - (0.0 if self.multilabel_ else self.offset_.mean()))
        return Contributions(self.features_.by_character(lyrics_of(X)[0], value), other)

    def feature_weights(self) -> Iterator[tuple[str, NDArray[np.str_], NDArray[np.float64]]]:
        """Yield for each class (label, feature names, standardised weights relative to the mean over all classes)."""
        check_is_fitted(self, "coefs_")
        names, d, first = self.features_.shown_names(), len(self.ratio_scale_), self._characters()
        share = np.concatenate([kind.df_ / kind.n_songs_ for kind in self.features_.grams_])
        spread = np.sqrt(share * (1 - share))
        parts = []  # (weights of the first d columns, standard deviation of these columns in the rows of this member)
        for name, scale in (("ratios", self.ratio_scale_), ("form", self.features_.scale_)):
            unit = self.weights_[name] / np.sqrt((scale**2 * share).sum())
            parts.append((self.coefs_[name][:d], unit * scale * spread))
        words = np.zeros((d, len(self.classes_)), dtype=np.float32)
        words[first:] = self.coefs_["bayes"]
        parts.append((words, self.weights_["bayes"] / share[first:].sum() * spread))
        means = [self._mean(coef) for coef, _ in parts]
        for c, label in enumerate(self.classes_):
            total = sum((coef[:, c] - mean) * far for (coef, far), mean in zip(parts, means, strict=True))
            yield str(label), names[:d], np.asarray(total, dtype=np.float64)

    def _mean(self, coef: NDArray[Any]) -> Any:
        """Return the mean weight over the classes, to which explanations are relative; 0 with several labels a song."""
        return 0.0 if self.multilabel_ else coef.mean(axis=1)

    def _grams(self) -> tuple[NGrams, NGrams]:
        characters = NGrams("char", self.char_low, self.char_high, min_df=self.min_df, max_features=self.max_features)
        words = NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features)
        return characters, words

    def _costs(self) -> dict[str, float]:
        return {"ratios": self.C, "form": self.C / 1.5, "layout": self.C / 2.5}

    def _characters(self) -> int:
        return len(self.features_.grams_[0].buckets_)

    def _gather(self, X: Any) -> _Songs:
        counts = self.features_.counts(X)
        return _Songs(counts, counts.sign(), sp.csr_matrix(self.layout_.transform(X)), X)

    def _text_logits(self, X: Any) -> NDArray[np.float64]:
        """Return the part of the n-grams in the logits, shape (n, k).

        The members differ in the values of the same sparse counts, and a row is scaled after its product with the
        coefficients, so no feature matrix is built.
        """
        characters, words = self.features_.counts_by_kind(X)
        d, ratios, squares = characters.shape[1], np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
        presence, _ = _product(words, np.ones_like(words.data), self.coefs_["bayes"])
        logits = self.weights_["bayes"] * presence / np.maximum(np.diff(words.indptr), 1)[:, None]
        for rows, columns in ((characters, slice(0, d)), (words, slice(d, d + words.shape[1]))):
            scale = self.ratio_scale_[columns][rows.indices]
            found, size = _product(rows, scale, self.coefs_["ratios"][columns])
            ratios, squares = ratios + found, squares + size
            scale = (1 + np.log(rows.data)) * self.features_.scale_[columns][rows.indices]
            found, size = _product(rows, scale, self.coefs_["form"][columns])
            logits += self.weights_["form"] * _TEXT_PART * found / np.sqrt(np.where(size > 0, size, 1))
        return np.asarray(logits + self.weights_["ratios"] * ratios / np.sqrt(np.where(squares > 0, squares, 1)))

    def _views(self, songs: _Songs) -> dict[str, sp.csr_matrix]:
        """Return the feature matrix of each member."""
        return {
            "ratios": self._ratios(songs, self.ratio_scale_),
            "form": self._form(songs),
            "bayes": self._words(songs.presence),
            "layout": songs.layout,
        }

    def _ratio_scale(self, presence: sp.csr_matrix, index: NDArray[np.int64], k: int, weights: Floats) -> Floats:
        ratios = log_count_ratios(presence, index, k, self.alpha, weights)
        return np.asarray(self.features_.scale_ * ratios, dtype=np.float32)

    def _ratios(self, songs: _Songs, scale: Floats) -> sp.csr_matrix:
        return self.features_.weigh(songs.presence, songs.X, scale)

    def _form(self, songs: _Songs) -> sp.csr_matrix:
        first = self._characters()
        rows = songs.counts.copy()
        rows.data = (1 + np.log(rows.data)) * self.features_.scale_[rows.indices]
        text = [unit_rows(part) * _TEXT_PART for part in (rows[:, :first], rows[:, first:])]
        others = [self.features_.other_columns(songs.X)] if self.features_.width else []
        return sp.hstack([*text, *others, songs.layout * _LAYOUT_PART], format="csr", dtype=np.float32)

    def _words(self, presence: sp.csr_matrix) -> sp.csr_matrix:
        """Return the binary words of each song, divided by their number."""
        rows = presence[:, self._characters() :].copy()
        found = np.diff(rows.indptr)
        rows.data /= np.repeat(np.maximum(found, 1), found).astype(np.float32)
        return rows

    def _bayes(self, rows: sp.csr_matrix, index: NDArray[np.int64], k: int, weights: Floats) -> LinearFit:
        """Fit multinomial naive Bayes on binary words, without class priors: the combination has its own."""
        inside, smoothing = class_counts(rows.sign(), index, k, weights), np.float32(self.alpha / 10)
        logs = _log_shares(inside.toarray() + smoothing)
        if index.ndim == 2:  # a label against the songs without it
            mean = _log_shares(total_counts(rows.sign(), inside, index, weights) - inside.toarray() + smoothing)
        else:
            mean = logs.mean(axis=0)
        coef = np.ascontiguousarray((logs - mean).T, dtype=np.float32)
        return LinearFit(coef, np.zeros(k, np.float32), np.zeros(0, np.int64), np.zeros((0, k), np.float32))

    def _out_of_fold(
        self, songs: _Songs, index: NDArray[np.int64], k: int, weights: Floats, of_songs: Floats, groups: Groups
    ) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Return held-out songs, and each member's scores of them by a fit without them."""
        splits = folds(len(index), self.random_state, groups)
        machines = ("ratios",) if by_gram(len(index), k) else ("ratios", "form", "layout")
        scores: dict[str, list[NDArray[Any]]] = {name: [] for name in (*machines, "bayes")}
        words = self._words(songs.presence)
        for inside, outside in splits:
            scale = self._ratio_scale(songs.presence[inside], index[inside], k, weights[inside])
            for name in machines:
                rows = self._ratios(songs, scale) if name == "ratios" else self._views_of(name, songs)
                settings: dict[str, Any] = {
                    "weights": of_songs[inside],
                    "C": self._costs()[name],
                    "seed": self.random_state,
                    "groups": None if groups is None else groups[inside],
                }
                scores[name].append(fit_and_score(rows[inside], index[inside], rows[outside], k, **settings))
            scores["bayes"].append(words[outside] @ self._bayes(words[inside], index[inside], k, weights[inside]).coef)
        held = np.concatenate([outside for _, outside in splits])
        return held, {name: np.concatenate(parts) for name, parts in scores.items()}

    def _views_of(self, name: str, songs: _Songs) -> sp.csr_matrix:
        return self._form(songs) if name == "form" else songs.layout


def _log_shares(counts: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.log(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)))


def _product(rows: sp.csr_matrix, values: Floats, coef: Floats) -> tuple[Floats, Floats]:
    """Return the product of the matrix with other values, (n, k), and the sum of squares of each of its rows, (n, 1)."""
    product = sp.csr_matrix((values, rows.indices, rows.indptr), shape=rows.shape) @ coef
    squares = np.add.reduceat(np.append(values * values, np.float32(0)), rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)
    return product, squares[:, None]
