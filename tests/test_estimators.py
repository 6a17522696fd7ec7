"""The public estimators keep scikit-learn's contract, work inside its own estimators, and are saved as runs."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import validate_data

import lyrist
from lyrist import estimators, progress
from lyrist.errors import LyristError
from lyrist.estimators import (
    CharSVM,
    Majority,
    StreamedLogistic,
)
from lyrist.songbook import write_songbook

CHECKED = (
    "CharSVM", "NBSVM", "ComplementNaiveBayes", "TfidfLogistic", "LyricEnsemble", "StreamedLogistic", "StreamedEnsemble",
    "TunedTree", "BagOfEmbeddings", "LayoutClassifier", "Majority", "LabelMention",
)  # fmt: skip
SLOW = ("TunedTree", "BagOfEmbeddings", "NBSVM", "StreamedLogistic", "StreamedEnsemble")
UMASK = os.umask(0)
os.umask(UMASK)
QUICK = {"steps": 2, "embedding_size": 4, "hidden": 4, "device": "cpu", "precision": "float32"}
SMALL: dict[str, Any] = {
    "CharSVM": {"low": 2, "high": 2},
    "NBSVM": {"char_low": 2, "char_high": 2, "word_high": 1},
    "ComplementNaiveBayes": {"word_high": 1},
    "LyricEnsemble": {"char_low": 2, "char_high": 2, "word_high": 1},
    "BagOfEmbeddings": {"size": 8, "epochs": 8, "batch_size": 64, "learning_rate": 0.2, "word_high": 1},
    "NeuralClassifier": {"options": QUICK},
    "StreamedEnsemble": {"landmarks": 10, "epochs": 4},
    "TunedTree": {"folds": 2},
    "NGrams": {"low": 2, "high": 2},
}

COUNTED = "n-grams and their document frequencies are counted over the songs, whatever their weights are"
NO_WORDS = "a baseline that does not read the words of the lyrics does not separate the classes"
EXPECTED: dict[str, dict[str, str]] = {
    **{
        name: {"check_sample_weight_equivalence_on_dense_data": COUNTED}
        for name in (
            "CharSVM",
            "NBSVM",
            "ComplementNaiveBayes",
            "TfidfLogistic",
            "StreamedLogistic",
            "StreamedEnsemble",
            "TunedTree",
        )
    },
    "BagOfEmbeddings": {"check_sample_weight_equivalence_on_dense_data": COUNTED},
    "LyricEnsemble": {
        "check_sample_weight_equivalence_on_dense_data": COUNTED,
        "check_class_weight_classifiers": "`prior` corrects the members, which are weighted, to the frequencies of the songs",
    },
    "LayoutClassifier": {
        "check_sample_weight_equivalence_on_dense_data": "the kernel is scaled by the layouts of all songs, without weights",
        "check_classifiers_train": NO_WORDS,
        "check_methods_subset_invariance": "single precision: a kernel of several songs is rounded otherwise than of one",
    },
    "Majority": {"check_classifiers_train": NO_WORDS},
    "LabelMention": {"check_classifiers_train": NO_WORDS},
}
"""The checks of scikit-learn that an estimator does not pass, each with the reason."""


class Digits:
    """Reads the numbers of scikit-learn's checks as texts: the tokens of a number name its column and the sizes it exceeds."""

    def _read(self, X: Any, fitting: bool = False) -> Any:
        X = validate_data(self, X, reset=fitting)
        steps = np.linspace(-4, 4, 17)
        letters = "abcdefghijklmnopq"
        return [
            " ".join(
                f"{chr(97 + column % 26)}{letters[place]}"
                for column, value in enumerate(row)
                for place in np.flatnonzero(value > steps)
            )
            for row in np.asarray(X, dtype=float).tolist()
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string, tags.input_tags.two_d_array = False, True
        return tags


def made(name: str) -> Any:
    return getattr(estimators, name)(**SMALL.get(name, {}))


NUMERIC = {
    name: type(f"Digits{name}", (Digits, getattr(estimators, name)), {"__module__": __name__}) for name in CHECKED
}
globals().update({kind.__name__: kind for kind in NUMERIC.values()})  # scikit-learn pickles them


def numeric(*names: str) -> Any:
    return parametrize_with_checks(
        [NUMERIC[name](**SMALL.get(name, {})) for name in names],
        expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__.removeprefix("Digits")],
    )


@numeric(*(name for name in CHECKED if name not in SLOW))
@pytest.mark.filterwarnings("ignore")
def test_classifiers_pass_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@numeric(*SLOW)
@pytest.mark.filterwarnings("ignore")
def test_slower_classifiers_pass_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


# The estimators read texts, so only the checks of their interface apply without `Digits`.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SkipTestWarning)
    INTERFACE = [pair for name in estimators.ESTIMATORS for pair in estimator_checks_generator(made(name))]


def identifier(value: Any) -> str:
    """Return the name of an estimator or of a check: a `repr` has an address, which differs between two processes."""
    return getattr(getattr(value, "func", value), "__name__", type(value).__name__)


@pytest.mark.parametrize(("estimator", "check"), INTERFACE, ids=identifier)
def test_every_estimator_passes_the_checks_of_its_interface(estimator: Any, check: Any) -> None:
    check(estimator)


def songs(n: int = 48, k: int = 3) -> tuple[list[str], list[str]]:
    """Return songs in which each class has words of its own, and some that all share."""
    rng = np.random.default_rng(0)
    own = [["river", "moon", "willow", "tide"], ["neon", "engine", "wire", "road"], ["hey", "baby", "dance", "floor"]]
    every = [word for words in own for word in words]
    lyrics = [" ".join([*rng.choice(own[i % k], 5), *rng.choice(every, 4)]) for i in range(n)]
    return lyrics, [("ann", "bob", "zoe")[i % k] for i in range(n)]


LYRICS, LABELS = songs()
TWO, TWO_LABELS = songs(40, 2)
SCORED = (
    "CharSVM",
    "NBSVM",
    "ComplementNaiveBayes",
    "TfidfLogistic",
    "LyricEnsemble",
    "StreamedLogistic",
    "BagOfEmbeddings",
)


@pytest.mark.parametrize("name", ["CharSVM", "LyricEnsemble", "LayoutClassifier", "TunedTree", "NeuralClassifier"])
@pytest.mark.parametrize("labels", [(3, 7), (False, True), ("ann", "bob"), np.array(["ann", "bob"], dtype=object)])
def test_two_classes_have_one_score_and_predictions_the_type_of_the_labels(name: str, labels: Any) -> None:
    y = np.array([labels[int(name == "bob")] for name in TWO_LABELS], dtype=np.asarray(labels).dtype)
    model = made(name).fit(TWO, y)
    assert model.predict(TWO).dtype == y.dtype
    assert set(model.predict(TWO).tolist()) <= set(y.tolist())
    chances = model.predict_proba(TWO)
    assert chances.shape == (40, 2)
    if hasattr(model, "decision_function"):
        scores = model.decision_function(TWO)
        assert scores.shape == (40,)
        assert (model.predict(TWO) == model.classes_[(scores > 0).astype(int)]).all()
        assert ((chances[:, 1] > chances[:, 0]) == (scores > 0)).all()


@pytest.mark.parametrize("name", SCORED)
def test_scores_rank_and_average_precision_is_defined(name: str) -> None:
    model = made(name).fit(TWO, TWO_LABELS)
    truth = np.array(TWO_LABELS) == "bob"
    assert roc_auc_score(truth, model.decision_function(TWO)) > 0.95
    assert average_precision_score(truth, model.decision_function(TWO)) > 0.95
    assert cross_val_score(made(name), TWO, TWO_LABELS, cv=2, scoring="roc_auc").min() > 0.6


@pytest.mark.parametrize("lyrics", [TWO, LYRICS], ids=["two", "three"])
@pytest.mark.parametrize(
    "around",
    [
        CalibratedClassifierCV(cv=2),
        CalibratedClassifierCV(cv=2, ensemble=False),
        CalibratedClassifierCV(cv=2, method="isotonic"),
        OneVsRestClassifier(None),
        CalibratedClassifierCV(OneVsRestClassifier(None), cv=2),
        OneVsRestClassifier(CalibratedClassifierCV(cv=2)),
    ],
    ids=["calibrated", "calibrated once", "isotonic", "rest", "calibrated rest", "rest calibrated"],
)
def test_they_work_inside_the_estimators_of_scikit_learn(around: Any, lyrics: list[str]) -> None:
    """Two columns of scores for two classes made `OneVsRestClassifier` write outside a sparse matrix, which aborted Python."""
    nested = "estimator__estimator" in around.get_params()
    model = clone(around).set_params(**{"estimator__estimator" if nested else "estimator": CharSVM(2, 2)})
    labels = TWO_LABELS if lyrics is TWO else LABELS
    assert (model.fit(lyrics, labels).predict(lyrics) == np.array(labels)).mean() > 0.9


@pytest.mark.parametrize("name", [*SCORED, "LayoutClassifier", "Majority", "LabelMention", "TunedTree"])
def test_songs_of_weight_zero_are_left_out(name: str) -> None:
    weights = np.array([1.0] * 30 + [0.0] * 18)
    some = made(name).fit(LYRICS[:30], LABELS[:30])
    weighted = made(name).fit(pd.Series(LYRICS), LABELS, sample_weight=weights)
    np.testing.assert_allclose(weighted.predict_proba(LYRICS), some.predict_proba(LYRICS), atol=1e-6)


@pytest.mark.parametrize("model", [CharSVM(2, 2), StreamedLogistic()])
def test_class_weights_are_those_of_scikit_learn(model: Any) -> None:
    few = [place for place in range(48) if LABELS[place] != "ann" or place < 15]
    lyrics, labels = [LYRICS[place] for place in few], [LABELS[place] for place in few]

    def scores(weight: Any, sample_weight: Any = None) -> Any:
        return clone(model).set_params(class_weight=weight).fit(lyrics, labels, sample_weight)._scores(LYRICS)

    np.testing.assert_allclose(scores("balanced"), scores(1.0), atol=1e-6)
    np.testing.assert_allclose(scores(None), scores(0.0), atol=1e-6)
    own = np.where(np.array(labels) == "ann", 20.0, 1.0)
    np.testing.assert_allclose(scores({"ann": 20.0}), scores(None, own), atol=1e-5)
    assert np.abs(scores({"ann": 20.0}) - scores(None)).max() > 0.01
    with pytest.raises(ValueError, match="class_weight"):
        scores({"nowhere": 1.0})


def test_weights_count_in_the_shares_of_labels() -> None:
    shares = Majority().fit(TWO[:2], ["a", "b"], sample_weight=[3, 1]).predict_proba(TWO[:1])
    assert shares.tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize("name", list(estimators.ESTIMATORS))
def test_what_is_not_fitted_says_so(name: str) -> None:
    table = pl.DataFrame({"lyrics": ["a"], "artist": ["b"]})
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(made(name), method):
            with pytest.raises(NotFittedError):
                getattr(made(name), method)(table)


@pytest.mark.parametrize("name", ["CharSVM", "LyricEnsemble", "TunedTree", "NeuralClassifier"])
def test_a_fitted_estimator_is_saved_as_a_run_and_a_run_is_opened(name: str, tmp_path: Path) -> None:
    model = made(name).fit(TWO, [int(label == "bob") for label in TWO_LABELS])
    run = estimators.save(model, tmp_path / "run", target="mood")
    opened = estimators.load(run)
    assert type(opened) is type(model)
    np.testing.assert_allclose(opened.predict_proba(TWO), model.predict_proba(TWO), atol=1e-6)
    if name != "NeuralClassifier":  # its directory is that of transformers, where labels are texts
        assert (opened.predict(TWO) == model.predict(TWO)).all()
    labels = lyrist.classify(str(run), TWO[0]).labels
    assert max(labels[0].probabilities.values()) == pytest.approx(model.predict_proba(TWO[:1]).max(), abs=1e-5)
    assert "mood" in (run / "model" / "README.md").read_text()
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {oct(0o666 & ~UMASK)}


def test_only_a_fitted_recipe_is_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        estimators.save(CharSVM(), tmp_path / "run")
    with pytest.raises(LyristError, match="no recipe makes it"):
        estimators.save(OneVsRestClassifier(CharSVM(2, 2)).fit(TWO, TWO_LABELS), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_name_imports_only_its_own_module() -> None:
    code = "import sys; from lyrist.estimators import CharSVM; print('torch' in sys.modules, 'polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
    with pytest.raises(AttributeError, match="no attribute 'CharSVMM'"):
        _ = estimators.CharSVMM


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    section = page.split("\n## Estimators\n")[1].split("\n## ")[0]
    progress.quiet()
    monkeypatch.chdir(tmp_path)
    write_songbook(tmp_path / "songs.csv")
    lyrist.prepare("songs.csv", out="corpus", languages="en", workers=1)
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        exec(compile(code, "docs/python.md", "exec"), names)  # noqa: S102 - the page's own code
    assert names["search"].best_score_ > 0.4
    assert names["test"].shape == (2, 3)
    assert (estimators.load("artists").predict(names["lyrics"]) == names["model"].predict(names["lyrics"])).all()
    for name in set(estimators.ESTIMATORS):
        assert f"`{name}`" in section
