"""Figures over several splits, by hand; other splits where there are any; kept scores are not fitted again."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.studies.comparison import Line
from lyrist.studies.repeats import check, learning_curve, repeated, summarised
from lyrist.training.classification_task import ClassificationTask
from lyrist.training.dataset import View, view
from lyrist.training.train import fit

LINES = [Line("majority", "majority", {}), Line("words", "complement-nb", {})]


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    progress.quiet()
    words = {"ann": "river moon", "bob": "neon engine"}
    names = [list(words)[i % 2] for i in range(80)]
    lyrics = [f"{words[name]} the {['neon', 'moon', 'river'][i % 3]} {i}" for i, name in enumerate(names)]
    return make_corpus(pl.DataFrame({"lyrics": lyrics, "artist": names}))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def question(corpus: Corpus) -> View:
    return view(corpus, "artist")


@pytest.fixture(scope="module")
def first(question: View, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("first")
    task = ClassificationTask(question)
    return {line.name: fit(task, line.recipe, folder / line.name, options=line.options) for line in LINES}


def scores(accuracy: float, loss: float) -> dict[str, Any]:
    return {"test": {"n": 10, "accuracy": {"value": accuracy}, "macro_f1": accuracy / 2}, "validation": {"loss": loss}}


def test_means_spreads_picks_and_paired_tests_by_hand() -> None:
    found = [
        {"a": scores(0.5, 0.9), "b": scores(0.7, 0.8)},
        {"a": scores(0.6, 0.5), "b": scores(0.8, 0.8)},
        {"a": scores(0.7, 0.9), "b": scores(0.6, 0.7)},
    ]
    fitted: Any = {n: SimpleNamespace(run=SimpleNamespace(info={"recipe": "char-svm"})) for n in "ab"}
    told = summarised(found, fitted, "loss", 80, 20)
    assert told["n"] == 3
    a, b = told["recipes"]
    assert (a["accuracy"]["mean"], a["accuracy"]["sd"]) == (pytest.approx(0.6), pytest.approx(0.1))
    assert b["macro_f1"]["values"] == pytest.approx([0.35, 0.4, 0.3])
    assert b["accuracy"]["low"] < b["accuracy"]["mean"] < b["accuracy"]["high"]
    assert told["pick"]["names"] == ["b", "a", "b"]  # by validation, whatever the test says
    assert told["pick"]["accuracy"]["values"] == [0.7, 0.6, 0.6]
    assert told["pick"]["all_songs"]["accuracy"]["value"] == pytest.approx(19 / 30)
    assert told["best"] == "b"
    assert set(told["against"]) == {"a"}
    assert told["against"]["a"]["p_holm"] == told["against"]["a"]["p"]


def test_controls_are_not_picked() -> None:
    found = [{"majority": scores(0.9, 0.1), "b": scores(0.7, 0.8)}] * 2
    fitted: Any = {
        "majority": SimpleNamespace(run=SimpleNamespace(info={"recipe": "majority"})),
        "b": SimpleNamespace(run=SimpleNamespace(info={"recipe": "char-svm"})),
    }
    assert summarised(found, fitted, "loss", 80, 20)["pick"]["names"] == ["b", "b"]


def test_every_repeat_is_another_split_and_kept_scores_are_not_fitted_again(
    question: View, first: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = repeated(question, LINES, first, 3, 0, "loss", tmp_path)
    assert told["n"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0-0.json",
        "0-1.json",
        "1-0.json",
        "1-1.json",
        "2-0.json",
        "2-1.json",
    ]
    assert {line["all_songs"]["n"] for line in told["recipes"]} == {len(question.songs)}
    monkeypatch.setattr(ClassificationTask, "learn", lambda *a, **k: pytest.fail("it was fitted again"))
    assert repeated(question, LINES, first, 3, 0, "loss", tmp_path) == told


def test_kept_scores_of_other_options_are_not_used(question: View, first: dict[str, Any], tmp_path: Path) -> None:
    repeated(question, LINES, first, 2, 0, "loss", tmp_path)
    before = (tmp_path / "1-1.json").read_text()
    other = [LINES[0], Line("words", "complement-nb", {"word_high": 1})]
    repeated(question, other, first, 2, 0, "loss", tmp_path)
    assert (tmp_path / "1-1.json").read_text() != before


def test_the_curve_has_the_same_test_songs_and_more_and_more_to_learn_from(
    question: View, first: dict[str, Any], tmp_path: Path
) -> None:
    rows = learning_curve(question, LINES, first, 0, tmp_path)
    for name in ("majority", "words"):
        counts = [row["songs"] for row in rows if row["name"] == name]
        assert counts == sorted(counts)
        assert counts[-1] == len(question.part("train"))
        assert len(counts) == 4
    assert [row["name"] for row in rows] == ["majority"] * 4 + ["words"] * 4
    assert rows[-1]["accuracy"] == first["words"].run.results["test"]["accuracy"]


def test_splits_that_cannot_be_drawn_again_are_told(make_corpus: Any, question: View) -> None:
    check(question, 1)
    with pytest.raises(LyristError, match="at least 1, got 0"):
        check(question, 0)
    own = make_corpus(
        pl.DataFrame({"lyrics": ["a b c"] * 20, "artist": ["ann", "bob"] * 10}),
        settings={"split": {**question.corpus.info["settings"]["split"], "column": "set"}},
    )
    with pytest.raises(LyristError, match="the table's own split"):
        check(view(own, "artist"), 2)
    check(view(own, "artist"), 1)
