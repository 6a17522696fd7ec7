"""The ensemble: four linear views of the same n-grams and of the layout, weighed on songs that they had not seen.

All members read one table of counts (characters 2-4, words and marks 1-2), which is found once:

- ``ratios``: which n-grams occur, scaled by naive Bayes log-count ratios; support vector machine (see `NBSVM`);
- ``form``: TF-IDF of characters, of words, and the layout kernel side by side; support vector machine;
- ``bayes``: which words occur; multinomial naive Bayes, the score per word;
- ``layout``: the layout kernel alone.

Their errors differ more than their accuracies do: each leaves the others' mistakes behind somewhere. What else was tried
(longer n-grams, masked text, line ends, kernels of other shapes, plain means) stands in docs/log.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from lyrist.models.features import NGrams
from lyrist.models.inputs import lyrics_of
from lyrist.models.labels import class_shares, classes_and_index
from lyrist.models.layoutkernel import LayoutKernel
from lyrist.models.margins import Floats, Margins, by_gram, fit_margins, folds, learn_and_score, softmax
from lyrist.models.mixing import mix
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features
from lyrist.models.weighting import Contributions, SongFeatures, class_counts, log_count_ratios, unit_rows

MEMBERS = ("ratios", "form", "bayes", "layout")

_LAYOUT_PART = 0.45  # length of a song's layout beside its characters and its words, of length 0.63 each, in `form`
_TEXT_PART = np.float32(np.sqrt((1 - _LAYOUT_PART**2) / 2))


@dataclass(frozen=True)
class _Songs:
    """What is found in songs once and read by all members."""

    counts: sp.csr_matrix
    presence: sp.csr_matrix
    layout: sp.csr_matrix
    X: Any


@register(
    "ensemble",
    "four linear views of n-grams and layout, weighed on songs they had not seen",
    family="ensemble",
    source="Genest & Zidek (1986), Combining probability distributions",
)
class Ensemble(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear models of n-grams and layout, mixed.

    Parameters
    ----------
    char_low
        Shortest character n-gram.
    char_high
        Longest character n-gram.
    word_high
        Longest word n-gram, from 1; punctuation marks and line ends count as words.
    C
        Cost of training errors against the size of the weights, in ``ratios``; the other members use a fixed
        multiple.
    balance
        Class weights: 0 weighs every song equally, 1 every class.
    smoothing
        Added to the counts of the log-count ratios, and a tenth of it to those of naive Bayes.
    prior
        Exponent of the class shares: 1 for the best loss and accuracy, 0 for the best macro F1.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Keep this many n-grams of words, and as many of characters, those in the most songs.
    features
        ``artist`` adds the artist as a feature beside the lyrics.
    random_state
        Seed of everything that is drawn at random.

    Attributes
    ----------
    classes_ : array of str, shape (k,)
    features_ : SongFeatures
        Finds and counts n-grams.
    layout_ : LayoutKernel
    ratio_scale_ : array of float32, shape (d,)
        What multiplies each n-gram in ``ratios``.
    coefs_ : dict of array of float32
        Weights of each member, (features, k).
    weights_ : dict of float
        How much each member counts in the logits.
    offset_ : array of float64, shape (k,)
        Added to the logits.
    """

    def __init__(
        self,
        char_low: int = 2,
        char_high: int = 4,
        word_high: int = 2,
        C: float = 2.5,
        balance: float = 1.0,
        smoothing: float = 1.0,
        prior: float = 0.5,
        min_df: int = 2,
        max_features: int = 100_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.char_low = char_low
        self.char_high = char_high
        self.word_high = word_high
        self.C = C
        self.balance = balance
        self.smoothing = smoothing
        self.prior = prior
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Ensemble:
        """Learn from songs and their labels."""
        self.classes_, index = classes_and_index(X, y)
        k = len(self.classes_)
        self.features_ = SongFeatures(self._grams(), "log-tfidf", self.features == "artist")
        counts = self.features_.fit_counts(X)
        self.layout_ = LayoutKernel(random_state=self.random_state)
        songs = _Songs(counts, counts.sign(), sp.csr_matrix(self.layout_.fit_transform(X)), X)
        held, honest = self._honest(songs, index, k)
        self.ratio_scale_ = self._ratio_scale(songs.presence, index, k)
        views = self._views(songs)
        fitted = {"bayes": self._bayes(views["bayes"], index, k)}
        for name, cost in self._costs().items():
            exact = name not in honest  # a formula leaves every song out of these
            fitted[name] = fit_margins(
                views[name], index, k, C=cost, balance=self.balance, seed=self.random_state, calibrate=exact
            )
            if exact:
                honest[name] = fitted[name].scores[held]
        found = mix([honest[name] for name in MEMBERS], index[held], class_shares(index, k), self.prior)
        self.weights_ = dict(zip(MEMBERS, found.weights.tolist(), strict=True))
        self.coefs_ = {name: fitted[name].coef for name in MEMBERS}
        self.offset_ = found.offset + sum(self.weights_[name] * fitted[name].intercept for name in MEMBERS)
        self.n_features_in_ = 1
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of each class for each song, shape (n, k), for two classes too."""
        check_is_fitted(self, "coefs_")
        views = self._views(self._read(X))
        logits = np.tile(self.offset_, (views["layout"].shape[0], 1))
        for name in MEMBERS:
            logits += self.weights_[name] * (views[name] @ self.coefs_[name])
        return logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each song, shape (n, k)."""
        return softmax(self.decision_function(X))

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the likeliest label of each song."""
        labels: NDArray[np.str_] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return labels

    def contributions(self, X: Any, label: str) -> Contributions:
        """Return what each character of one song, its layout and its artist add to the logit of ``label``.

        Everything is compared with the mean of all classes. ``X`` is a list of one text, or a table of one row.
        """
        check_is_fitted(self, "coefs_")
        c = int(np.flatnonzero(self.classes_ == label)[0])
        views, share = self._views(self._read(X)), {}
        for name in MEMBERS:
            coef = self.coefs_[name][:, c] - self.coefs_[name].mean(axis=1)
            share[name] = self.weights_[name] * np.asarray(views[name].toarray()).ravel() * coef
        d, artists = len(self.ratio_scale_), len(self.features_.artists_)
        value = share["ratios"][:d] + share["form"][:d]
        value[self._characters() :] += share["bayes"]
        other = {"layout": float(share["form"][d + artists :].sum() + share["layout"].sum())}
        if self.features == "artist":
            other["artist"] = float(share["ratios"][d:].sum() + share["form"][d : d + artists].sum())
        other["the class itself"] = float(self.offset_[c] - self.offset_.mean())
        return Contributions(self.features_.deal(lyrics_of(X)[0], value), other)

    def feature_weights(self) -> Iterator[tuple[str, NDArray[np.str_], NDArray[np.float64]]]:
        """Yield (label, feature names, standardised weights compared with the mean of all classes), class by class."""
        check_is_fitted(self, "coefs_")
        names, d, first = self.features_.shown_names(), len(self.ratio_scale_), self._characters()
        share = np.concatenate([kind.df_ / kind.n_songs_ for kind in self.features_.grams_])
        spread = np.sqrt(share * (1 - share))
        parts = []  # (weights of the first d columns, how far a column spreads in rows of this member)
        for name, scale in (("ratios", self.ratio_scale_), ("form", self.features_.scale_)):
            unit = self.weights_[name] / np.sqrt((scale**2 * share).sum())
            parts.append((self.coefs_[name][:d], unit * scale * spread))
        words = np.zeros((d, len(self.classes_)), dtype=np.float32)
        words[first:] = self.coefs_["bayes"]
        parts.append((words, self.weights_["bayes"] / share[first:].sum() * spread))
        means = [coef.mean(axis=1) for coef, _ in parts]
        for c, label in enumerate(self.classes_):
            total = sum((coef[:, c] - mean) * far for (coef, far), mean in zip(parts, means, strict=True))
            yield str(label), names[:d], np.asarray(total, dtype=np.float64)

    def _grams(self) -> tuple[NGrams, NGrams]:
        characters = NGrams("char", self.char_low, self.char_high, min_df=self.min_df, max_features=self.max_features)
        words = NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features)
        return characters, words

    def _costs(self) -> dict[str, float]:
        return {"ratios": self.C, "form": self.C / 1.5, "layout": self.C / 2.5}

    def _characters(self) -> int:
        return len(self.features_.grams_[0].buckets_)

    def _read(self, X: Any) -> _Songs:
        counts = self.features_.counts(X)
        return _Songs(counts, counts.sign(), sp.csr_matrix(self.layout_.transform(X)), X)

    def _views(self, songs: _Songs) -> dict[str, sp.csr_matrix]:
        """Return the rows that each member reads."""
        return {
            "ratios": self._ratios(songs, self.ratio_scale_),
            "form": self._form(songs),
            "bayes": self._words(songs.presence),
            "layout": songs.layout,
        }

    def _ratio_scale(self, presence: sp.csr_matrix, index: NDArray[np.int64], k: int) -> Floats:
        ratios = log_count_ratios(presence, index, k, self.smoothing)
        return np.asarray(self.features_.scale_ * ratios, dtype=np.float32)

    def _ratios(self, songs: _Songs, scale: Floats) -> sp.csr_matrix:
        return self.features_.weigh(songs.presence, songs.X, scale)

    def _form(self, songs: _Songs) -> sp.csr_matrix:
        first = self._characters()
        rows = songs.counts.copy()
        rows.data = (1 + np.log(rows.data)) * self.features_.scale_[rows.indices]
        text = [unit_rows(part) * _TEXT_PART for part in (rows[:, :first], rows[:, first:])]
        artists = [self.features_.artist_columns(songs.X)] if self.features == "artist" else []
        return sp.hstack([*text, *artists, songs.layout * _LAYOUT_PART], format="csr", dtype=np.float32)

    def _words(self, presence: sp.csr_matrix) -> sp.csr_matrix:
        """Return the words of each song, each as its share of them all."""
        rows = presence[:, self._characters() :].copy()
        found = np.diff(rows.indptr)
        rows.data /= np.repeat(np.maximum(found, 1), found).astype(np.float32)
        return rows

    def _bayes(self, rows: sp.csr_matrix, index: NDArray[np.int64], k: int) -> Margins:
        """Fit multinomial naive Bayes to which words occur; no priors, since the mix has its own."""
        counts = class_counts(rows.sign(), index, k).toarray() + np.float32(self.smoothing / 10)
        logs = np.log(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12))
        coef = np.ascontiguousarray((logs - logs.mean(axis=0)).T, dtype=np.float32)
        return Margins(coef, np.zeros(k, np.float32), np.zeros(0, np.int64), np.zeros((0, k), np.float32))

    def _honest(
        self, songs: _Songs, index: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Return songs, and each member's scores of them by a fit without them."""
        dealt = folds(len(index), self.random_state)
        machines = ("ratios",) if by_gram(len(index), k) else ("ratios", "form", "layout")
        scores: dict[str, list[NDArray[Any]]] = {name: [] for name in (*machines, "bayes")}
        words = self._words(songs.presence)
        for inside, outside in dealt:
            scale = self._ratio_scale(songs.presence[inside], index[inside], k)
            for name in machines:
                rows = self._ratios(songs, scale) if name == "ratios" else self._views_of(name, songs)
                settings: dict[str, Any] = {
                    "C": self._costs()[name],
                    "balance": self.balance,
                    "seed": self.random_state,
                }
                scores[name].append(learn_and_score(rows[inside], index[inside], rows[outside], k, **settings))
            scores["bayes"].append(words[outside] @ self._bayes(words[inside], index[inside], k).coef)
        held = np.concatenate([outside for _, outside in dealt])
        return held, {name: np.concatenate(parts) for name, parts in scores.items()}

    def _views_of(self, name: str, songs: _Songs) -> sp.csr_matrix:
        return self._form(songs) if name == "form" else songs.layout
