"""A decision tree on words, with its size selected by cross-validation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from lyrist.models.features import NGrams
from lyrist.models.least_squares_svm import Floats
from lyrist.models.memory import DataSize, of_ngrams
from lyrist.models.registry import register
from lyrist.models.songclassifier import Features, SongClassifier
from lyrist.models.weighting import SongFeatures


@register(
    "decision-tree",
    "a decision tree on TF-IDF of words, tuned by cross-validation",
    family="tree",
    source="Breiman et al. (1984), Classification and regression trees",
)
@dataclass(eq=False, repr=False)
class TunedTree(SongClassifier):
    """A decision tree (Breiman et al. 1984) on TF-IDF of words, with depth and leaf size tuned by cross-validation.

    Parameters
    ----------
    max_features
        Largest number of words: those in the most songs are kept.
    folds
        Number of cross-validation folds for the selection of depth and leaf size.
    features
        Columns beside the lyrics, separated by commas, such as ``artist`` or ``year,language``;
        ``artist-number``, a published mistake, is the artist as one integer.
    random_state
        Seed.

    Attributes
    ----------
    classes_ : array, shape (k,)
        The labels, sorted.
    features_ : SongFeatures
        The fitted features.
    tree_ : DecisionTreeClassifier
        The fitted tree.
    chosen_ : dict
        The selected depth and leaf size.
    """

    parts: ClassVar[tuple[type, ...]] = (SongFeatures, DecisionTreeClassifier, Tree)

    max_features: int = 5_000
    folds: int = 3
    features: Features = "none"
    random_state: int = 0

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        return of_ngrams(size, self.max_features, words=True)

    def _learn(self, X: Any, index: NDArray[np.int64], weights: Floats) -> None:
        grams = [NGrams("word", 1, 1, min_df=2, max_features=self.max_features)]
        self.features_ = SongFeatures.beside(grams, "log-tfidf", self.features)
        rows = self.features_.fit_transform(X)
        tree = DecisionTreeClassifier(random_state=self.random_state)
        folds = min(self.folds, int(np.bincount(index).min()))
        with warnings.catch_warnings():  # scikit-learn warns if there are few songs per class
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            if folds < 2:  # a class with one song cannot be cross-validated
                self.chosen_ = {"max_depth": 20, "min_samples_leaf": 2}
                self.tree_ = tree.set_params(**self.chosen_).fit(rows, index, sample_weight=weights)
            else:
                grid = {"max_depth": [5, 10, 20, 40], "min_samples_leaf": [1, 3, 10]}
                split = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
                search = GridSearchCV(tree, grid, scoring="accuracy", cv=split).fit(rows, index, sample_weight=weights)
                self.tree_, self.chosen_ = search.best_estimator_, dict(search.best_params_)

    def _probabilities(self, X: Any) -> NDArray[np.float64]:
        """Return the smoothed class frequencies in the leaf of each song, shape (n, k)."""
        rows = self.features_.transform(X)
        if not rows.shape[0]:  # scikit-learn's tree raises an error for no songs
            return np.zeros((0, len(self.classes_)))
        songs = self.tree_.tree_.n_node_samples[self.tree_.apply(rows)][:, None]
        counts = self.tree_.predict_proba(rows) * songs + 1 / len(self.classes_)
        return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float64)
