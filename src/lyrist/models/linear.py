"""Linear classifiers on n-grams: fast, strong baselines for any table of songs.

All are scikit-learn estimators for plain texts or a table. Each is a feature matrix times a weight matrix, so predictions can be
explained exactly. Probabilities are calibrated on leave-one-out or out-of-fold scores of the training songs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from lyrist.models.features import NGrams
from lyrist.models.least_squares_svm import (
    ClassWeight,
    Floats,
    LinearFit,
    fit_and_score,
    fit_svm,
    folds,
    song_weights,
)
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, LinearSongs
from lyrist.models.weighting import SongFeatures, class_counts, log_count_ratios, total_counts


@register(
    "char-svm",
    "TF-IDF of character 3- to 5-grams, support vector machine",
    family="linear",
    source="Suykens & Vandewalle (1999), Least squares support vector machine classifiers",
)
@dataclass(eq=False, repr=False)
class CharSVM(LinearSongs):
    """A linear support vector machine on TF-IDF of character n-grams.

    Parameters
    ----------
    low
        Shortest character n-gram.
    high
        Longest character n-gram.
    within_words
        Use no n-gram that spans a blank.
    C
        Inverse of the regularisation strength.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    low: int = 3
    high: int = 5
    within_words: bool = False
    C: float = 2.5
    class_weight: ClassWeight = 1.0
    min_df: int = 2
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, lengths=3, machines=True, weights=2)

    def _features(self) -> SongFeatures:
        grams = NGrams("char", self.low, self.high, self.within_words, False, self.min_df, self.max_features)
        return SongFeatures.beside((grams,), "log-tfidf", self.features)

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        rows, k = self.features_.weigh(counts, X), len(self.classes_)
        weights = song_weights(index, self.classes_, self.class_weight, weights)
        return fit_svm(rows, index, k, weights=weights, C=self.C, seed=self.random_state)


@register(
    "nb-svm",
    "word and character n-grams scaled by naive Bayes log-count ratios, support vector machine",
    family="linear",
    source="Wang & Manning (2012), Baselines and bigrams: simple, good sentiment and topic classification",
)
@dataclass(eq=False, repr=False)
class NBSVM(LinearSongs):
    """A linear support vector machine on word and character n-grams scaled by naive Bayes log-count ratios.

    The ratios use the labels, so leave-one-out scores of the SVM alone would be too optimistic. The calibration scores are from
    cross-validation folds in which the ratios are fitted again.

    Parameters
    ----------
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    char_low
        Shortest character n-gram.
    char_high
        Longest character n-gram.
    alpha
        Additive smoothing of the log-count ratios.
    power
        Exponent of the log-count ratio in the scale of an n-gram: 0 ignores the labels, 1 uses the ratio unchanged.
    C
        Inverse of the regularisation strength.
    class_weight
        Class weights: 0 (or None) gives every song the same weight, 1 (or ``balanced``) every class; or a dict.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of word n-grams, and of character n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    word_high: int = 2
    char_low: int = 3
    char_high: int = 5
    alpha: float = 1.0
    power: float = 0.5
    C: float = 2.5
    class_weight: ClassWeight = 1.0
    min_df: int = 2
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, lengths=3, words=True, machines=True, weights=2)

    def _features(self) -> SongFeatures:
        least, most = self.min_df, self.max_features
        characters = NGrams("char", self.char_low, self.char_high, min_df=least, max_features=most)
        words = NGrams("word", 1, self.word_high, marks=True, min_df=least, max_features=most)
        return SongFeatures.beside((characters, words), "presence-idf", self.features)

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        presence, k, idf = counts.sign(), len(self.classes_), self.features_.scale_
        settings: dict[str, Any] = {"C": self.C, "seed": self.random_state}
        of_songs = song_weights(index, self.classes_, self.class_weight, weights)
        splits = folds(len(index), self.random_state)
        scores = []
        for inside, outside in splits:
            ratios = log_count_ratios(presence[inside], index[inside], k, self.alpha, weights[inside])
            rows = self.features_.weigh(counts, X, idf * ratios**self.power)
            part = {"weights": of_songs[inside], **settings}
            scores.append(fit_and_score(rows[inside], index[inside], rows[outside], k, **part))
        self.features_.scale_ = idf * log_count_ratios(presence, index, k, self.alpha, weights) ** self.power
        rows = self.features_.weigh(counts, X)
        found = fit_svm(rows, index, k, weights=of_songs, calibrate=False, **settings)
        held = np.concatenate([outside for _, outside in splits])
        return dataclasses.replace(found, rows=held, scores=np.concatenate(scores))


@register(
    "ridge",
    "ridge classifier on TF-IDF of words 1-2 and characters 2-6: a strong baseline",
    family="linear",
    source="Hoerl & Kennard (1970), Ridge regression; Pedregosa et al. (2011), Scikit-learn: machine learning in Python",
)
@dataclass(eq=False, repr=False)
class NGramRidge(LinearSongs):
    """A ridge classifier on TF-IDF of word and character n-grams: what a good engineer tries first.

    It is the least-squares support vector machine without class weights; above 6,000 songs a linear support vector machine is
    fitted instead.

    Parameters
    ----------
    word_high
        Longest word n-gram.
    char_low
        Shortest character n-gram.
    char_high
        Longest character n-gram.
    ridge
        Regularisation strength (``alpha`` of scikit-learn's ``RidgeClassifier``).
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of word n-grams, and of character n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    word_high: int = 2
    char_low: int = 2
    char_high: int = 6
    ridge: float = 1.0
    min_df: int = 2
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, lengths=5, words=True, machines=True, weights=2)

    def _features(self) -> SongFeatures:
        least, most = self.min_df, self.max_features
        words = NGrams("word", 1, self.word_high, min_df=least, max_features=most)
        characters = NGrams("char", self.char_low, self.char_high, min_df=least, max_features=most)
        return SongFeatures.beside((words, characters), "log-tfidf", self.features)

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        rows, k = self.features_.weigh(counts, X), len(self.classes_)
        return fit_svm(rows, index, k, weights=weights, C=0.5 / self.ridge, seed=self.random_state)


@register(
    "complement-nb",
    "complement naive Bayes on words: the fastest recipe",
    family="linear",
    source="Rennie et al. (2003), Tackling the poor assumptions of naive Bayes text classifiers",
)
@dataclass(eq=False, repr=False)
class ComplementNaiveBayes(LinearSongs):
    """Complement naive Bayes (Rennie et al. 2003) on binary words, with the score normalised by the length of the song.

    The weights of a class are estimated from the songs of all other classes, which is more robust for small classes.

    Parameters
    ----------
    word_high
        Longest word n-gram; punctuation marks and line ends count as words.
    alpha
        Additive smoothing of the counts.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``.
    random_state
        Seed.
    """

    word_high: int = 2
    alpha: float = 0.1
    min_df: int = 2
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, words=True, weights=7)

    def _features(self) -> SongFeatures:
        grams = NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features)
        return SongFeatures.beside((grams,), "presence", self.features)

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        k = len(self.classes_)
        rows = self.features_.weigh(counts, X)
        scores = np.zeros((len(index), k), dtype=np.float32)
        splits = KFold(min(5, max(len(index), 2)), shuffle=True, random_state=self.random_state)
        for inside, outside in splits.split(index):
            scores[outside] = rows[outside] @ self._weights(rows[inside], index[inside], k, weights[inside])
        coef = self._weights(rows, index, k, weights)
        return LinearFit(coef, np.zeros(k, dtype=np.float32), np.arange(len(index)), scores)

    def _weights(self, rows: sp.csr_matrix, index: NDArray[np.int64], k: int, weights: Floats) -> Floats:
        inside = class_counts(rows.sign(), index, k, weights)
        total = total_counts(rows.sign(), inside, index, weights)
        outside = total - inside.toarray() + np.float32(self.alpha * (k - 1))
        logs = np.log(outside.sum(axis=1, keepdims=True)) - np.log(outside)
        every = np.log(total + self.alpha * k) - np.log((total + self.alpha * k).sum())
        return np.ascontiguousarray((logs + every if index.ndim == 2 else logs - logs.mean(axis=0)).T, dtype=np.float32)


@register(
    "tfidf-logistic",
    "TF-IDF of words, logistic regression: the usual baseline",
    family="linear",
    source="Pedregosa et al. (2011), Scikit-learn: machine learning in Python",
)
@dataclass(eq=False, repr=False)
class TfidfLogistic(LinearSongs):
    """Multinomial logistic regression on TF-IDF of words with scikit-learn's defaults: the usual baseline.

    Its probabilities are not calibrated further.

    Parameters
    ----------
    C
        Inverse of the regularisation strength.
    word_high
        Longest word n-gram.
    min_df
        Ignore n-grams that occur in fewer training songs.
    max_features
        Largest number of n-grams: those in the most songs are kept.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``;
        ``artist-number``, a published mistake, is the artist as one integer.
    random_state
        Seed.
    """

    C: float = 1.0
    word_high: int = 1
    min_df: int = 1
    max_features: int = 200_000
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, words=True, weights=4)

    def _features(self) -> SongFeatures:
        grams = NGrams("word", 1, self.word_high, min_df=self.min_df, max_features=self.max_features)
        return SongFeatures.beside((grams,), "tfidf", self.features)

    def _weigh(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64], weights: Floats) -> LinearFit:
        # The default solver finds the same weights, but takes six times as long with many classes.
        model = LogisticRegression(C=self.C, max_iter=1000, solver="newton-cg", random_state=self.random_state)
        rows = self.features_.weigh(counts, X)
        if index.ndim == 2:
            fitted = [_logistic(model, rows, index[:, c], weights) for c in range(index.shape[1])]
            coef, intercept = np.stack([one for one, _ in fitted], axis=1), np.array([own for _, own in fitted])
        else:
            model.fit(rows, index, sample_weight=weights)
            coef, intercept = model.coef_.T, model.intercept_
        if len(self.classes_) == 2 and index.ndim == 1:
            coef, intercept = np.hstack([-coef / 2, coef / 2]), np.array([-intercept[0] / 2, intercept[0] / 2])
        no_scores = np.zeros((0, len(self.classes_)), dtype=np.float32)
        return LinearFit(coef.astype(np.float32), intercept.astype(np.float32), np.zeros(0, dtype=np.int64), no_scores)


def _logistic(
    model: LogisticRegression, rows: sp.csr_matrix, own: NDArray[np.int64], weights: Floats
) -> tuple[Floats, float]:
    """Return the weights and the intercept of one label; without a choice, those of its smoothed frequency."""
    if 0 < own.sum() < len(own):
        model.fit(rows, own, sample_weight=weights)
        return model.coef_[0], float(model.intercept_[0])
    odds = np.log(2 * len(own) + 1)
    return np.zeros(rows.shape[1], np.float32), float(odds if own.any() else -odds)
