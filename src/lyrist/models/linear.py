"""Linear models of n-grams: the first thing to try on any table of songs, and hard to beat.

All are scikit-learn estimators that read plain texts or a table, and all are a matrix of features times a matrix of
weights, so that every one can say exactly which words decided. Their probabilities are calibrated on scores that each
training song got from a model without it.
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
from lyrist.models.margins import Floats, Margins, fit_margins, folds, learn_and_score
from lyrist.models.registry import option, register
from lyrist.models.songclassifier import Features, LinearSongs, estimator_parameters
from lyrist.models.weighting import SongFeatures, class_counts, log_count_ratios


class CharSVM(LinearSongs):
    """A support vector machine on character n-grams.

    Parameters
    ----------
    low, high
        The shortest and longest n-gram.
    within_words
        No n-gram reaches over a blank.
    C
        The cost of errors against the length of the weights.
    balance
        From 0 (every song counts the same) to 1 (every class counts the same).
    min_df, max_features
        As in `NGrams`.
    features
        ``artist``: the artist's name as a feature beside the lyrics.
    random_state
        Deals the calibration songs of very large sets.
    """

    def __init__(
        self,
        low: int = 3,
        high: int = 5,
        within_words: bool = False,
        C: float = 2.5,
        balance: float = 1.0,
        min_df: int = 2,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.low = low
        self.high = high
        self.within_words = within_words
        self.C = C
        self.balance = balance
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def _features(self) -> SongFeatures:
        grams = NGrams("char", self.low, self.high, self.within_words, False, self.min_df, self.max_features)
        return SongFeatures((grams,), "log-tfidf", self.features == "artist")

    def _learn(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64]) -> Margins:
        rows = self.features_.weigh(counts, X)
        k = len(self.classes_)
        return fit_margins(rows, index, k, C=self.C, balance=self.balance, seed=self.random_state)


class NBSVM(LinearSongs):
    """A support vector machine on words and characters scaled by naive Bayes log-count ratios.

    The ratios see the labels, so leaving a song out of the machine alone would flatter it: the calibration scores come
    from folds in which the ratios are learnt anew.

    Parameters
    ----------
    word_high
        Word n-grams of 1 to this; punctuation marks and line ends are words too.
    char_low, char_high
        Character n-grams.
    smoothing
        Added to every count of the ratios.
    power
        The power of the ratio in the scale of an n-gram, beside its inverse document frequency: 0 leaves the labels out,
        1 takes the ratio as it is. Wang & Manning blend the ratios with equal weights for the same end.
    C, balance, min_df, max_features, features, random_state
        As in `CharSVM`; ``max_features`` holds for words and for characters each.
    """

    def __init__(
        self,
        word_high: int = 2,
        char_low: int = 3,
        char_high: int = 5,
        smoothing: float = 1.0,
        power: float = 0.5,
        C: float = 2.5,
        balance: float = 1.0,
        min_df: int = 2,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.word_high = word_high
        self.char_low = char_low
        self.char_high = char_high
        self.smoothing = smoothing
        self.power = power
        self.C = C
        self.balance = balance
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def _features(self) -> SongFeatures:
        least, most = self.min_df, self.max_features
        characters = NGrams("char", self.char_low, self.char_high, min_df=least, max_features=most)
        words = NGrams("word", 1, self.word_high, marks=True, min_df=least, max_features=most)
        return SongFeatures((characters, words), "presence-idf", self.features == "artist")

    def _learn(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64]) -> Margins:
        presence, k, idf = counts.sign(), len(self.classes_), self.features_.scale_
        settings: dict[str, Any] = {"C": self.C, "balance": self.balance, "seed": self.random_state}
        dealt = folds(len(index), self.random_state)
        scores = []
        for inside, outside in dealt:
            ratios = log_count_ratios(presence[inside], index[inside], k, self.smoothing)
            rows = self.features_.weigh(counts, X, idf * ratios**self.power)
            scores.append(learn_and_score(rows[inside], index[inside], rows[outside], k, **settings))
        self.features_.scale_ = idf * log_count_ratios(presence, index, k, self.smoothing) ** self.power
        found = fit_margins(self.features_.weigh(counts, X), index, k, calibrate=False, **settings)
        held = np.concatenate([outside for _, outside in dealt])
        return dataclasses.replace(found, rows=held, scores=np.concatenate(scores))


class ComplementNaiveBayes(LinearSongs):
    """Complement naive Bayes (Rennie et al. 2003) on which words a song has, its score scaled by the song's length.

    A class's weights come from the songs of all other classes, which steadies small classes.

    Parameters
    ----------
    word_high
        Word n-grams of 1 to this; punctuation marks and line ends are words too.
    smoothing
        Added to every count of every class.
    min_df, max_features, features, random_state
        As in `CharSVM`.
    """

    def __init__(
        self,
        word_high: int = 2,
        smoothing: float = 0.1,
        min_df: int = 2,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.word_high = word_high
        self.smoothing = smoothing
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def _features(self) -> SongFeatures:
        grams = NGrams("word", 1, self.word_high, marks=True, min_df=self.min_df, max_features=self.max_features)
        return SongFeatures((grams,), "presence", self.features == "artist")

    def _learn(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64]) -> Margins:
        k = len(self.classes_)
        rows = self.features_.weigh(counts, X)
        scores = np.zeros((len(index), k), dtype=np.float32)
        dealt = KFold(min(5, len(index)), shuffle=True, random_state=self.random_state)
        for inside, outside in dealt.split(index):
            scores[outside] = rows[outside] @ self._weights(rows[inside], index[inside], k)
        return Margins(self._weights(rows, index, k), np.zeros(k, dtype=np.float32), np.arange(len(index)), scores)

    def _weights(self, rows: sp.csr_matrix, index: NDArray[np.int64], k: int) -> Floats:
        inside = class_counts(rows.sign(), index, k)
        outside = np.asarray(inside.sum(axis=0)) - inside.toarray() + np.float32(self.smoothing * (k - 1))
        weights = np.log(outside.sum(axis=1, keepdims=True)) - np.log(outside)
        return np.ascontiguousarray((weights - weights.mean(axis=0)).T, dtype=np.float32)


class TfidfLogistic(LinearSongs):
    """Multinomial logistic regression on TF-IDF of words, scikit-learn's defaults: the usual baseline.

    Its probabilities are its own, not calibrated: this is the rung that others are measured against.

    Parameters
    ----------
    C
        The inverse of the regularisation.
    word_high
        Word n-grams of 1 to this.
    min_df, max_features, features, random_state
        As in `CharSVM`.
    """

    def __init__(
        self,
        C: float = 1.0,
        word_high: int = 1,
        min_df: int = 1,
        max_features: int = 200_000,
        features: Features = "none",
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.word_high = word_high
        self.min_df = min_df
        self.max_features = max_features
        self.features = features
        self.random_state = random_state

    def _features(self) -> SongFeatures:
        grams = NGrams("word", 1, self.word_high, min_df=self.min_df, max_features=self.max_features)
        return SongFeatures((grams,), "tfidf", self.features == "artist")

    def _learn(self, counts: sp.csr_matrix, X: Any, index: NDArray[np.int64]) -> Margins:
        # The default solver finds the same weights in six times the seconds where there are many classes.
        model = LogisticRegression(C=self.C, max_iter=1000, solver="newton-cg", random_state=self.random_state)
        model.fit(self.features_.weigh(counts, X), index)
        coef, intercept = model.coef_.T, model.intercept_
        if len(self.classes_) == 2:
            coef, intercept = np.hstack([-coef / 2, coef / 2]), np.array([-intercept[0] / 2, intercept[0] / 2])
        nobody = np.zeros((0, len(self.classes_)), dtype=np.float32)
        return Margins(coef.astype(np.float32), intercept.astype(np.float32), np.zeros(0, dtype=np.int64), nobody)


@dataclass(frozen=True)
class TfidfLogisticOptions:
    """Options of `tfidf-logistic`."""

    c: float = option(1.0, "inverse of the regularisation")
    word_high: int = option(1, "word n-grams of 1 to this")
    min_df: int = option(1, "leave out n-grams in fewer songs")
    max_features: int = option(200_000, "keep this many n-grams, the most widespread")
    features: Features = option("none", "artist: the artist as a feature beside the lyrics")
    seed: int = option(0, "decides everything that is drawn at random")


@dataclass(frozen=True)
class NBSVMOptions:
    """Options of `nb-svm`."""

    word_high: int = option(2, "word n-grams of 1 to this")
    char_low: int = option(3, "shortest character n-gram")
    char_high: int = option(5, "longest character n-gram")
    smoothing: float = option(1.0, "added to every count of the log-count ratios")
    power: float = option(0.5, "power of the ratios: 0 leaves them out, 1 takes them as they are")
    c: float = option(2.5, "cost of errors against the length of the weights")
    balance: float = option(1.0, "0: every song counts the same, 1: every class does")
    min_df: int = option(2, "leave out n-grams in fewer songs")
    max_features: int = option(200_000, "keep this many n-grams, the most widespread, of each kind")
    features: Features = option("none", "artist: the artist as a feature beside the lyrics")
    seed: int = option(0, "decides everything that is drawn at random")


@dataclass(frozen=True)
class CharSVMOptions:
    """Options of `char-svm`."""

    low: int = option(3, "shortest character n-gram")
    high: int = option(5, "longest character n-gram")
    within_words: bool = option(False, "no n-gram reaches over a blank")
    c: float = option(2.5, "cost of errors against the length of the weights")
    balance: float = option(1.0, "0: every song counts the same, 1: every class does")
    min_df: int = option(2, "leave out n-grams in fewer songs")
    max_features: int = option(200_000, "keep this many n-grams, the most widespread")
    features: Features = option("none", "artist: the artist as a feature beside the lyrics")
    seed: int = option(0, "decides everything that is drawn at random")


@dataclass(frozen=True)
class ComplementNBOptions:
    """Options of `complement-nb`."""

    word_high: int = option(2, "word n-grams of 1 to this")
    smoothing: float = option(0.1, "added to every count")
    min_df: int = option(2, "leave out n-grams in fewer songs")
    max_features: int = option(200_000, "keep this many n-grams, the most widespread")
    features: Features = option("none", "artist: the artist as a feature beside the lyrics")
    seed: int = option(0, "decides everything that is drawn at random")


@register(
    "tfidf-logistic",
    "words, TF-IDF and logistic regression: the usual baseline",
    family="linear",
    options=TfidfLogisticOptions,
    source="report 002",
)
def build_tfidf_logistic(options: TfidfLogisticOptions) -> TfidfLogistic:
    """Build `TfidfLogistic`."""
    return TfidfLogistic(**estimator_parameters(options))


@register(
    "nb-svm",
    "words and characters scaled by naive Bayes ratios, support vector machine",
    family="linear",
    options=NBSVMOptions,
    source="Wang & Manning (2012), Baselines and bigrams: simple, good sentiment and topic classification",
)
def build_nb_svm(options: NBSVMOptions) -> NBSVM:
    """Build `NBSVM`."""
    return NBSVM(**estimator_parameters(options))


@register(
    "char-svm",
    "characters 3-5, TF-IDF, support vector machine",
    family="linear",
    options=CharSVMOptions,
    source="Suykens & Vandewalle (1999), Least squares support vector machine classifiers",
)
def build_char_svm(options: CharSVMOptions) -> CharSVM:
    """Build `CharSVM`."""
    return CharSVM(**estimator_parameters(options))


@register(
    "complement-nb",
    "words and complement naive Bayes: the fastest",
    family="linear",
    options=ComplementNBOptions,
    source="Rennie et al. (2003), Tackling the poor assumptions of naive Bayes text classifiers",
)
def build_complement_nb(options: ComplementNBOptions) -> ComplementNaiveBayes:
    """Build `ComplementNaiveBayes`."""
    return ComplementNaiveBayes(**estimator_parameters(options))
