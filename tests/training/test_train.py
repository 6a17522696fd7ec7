"""One fit: what its run says, what it refuses, and that two processes give the run of one."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.evaluate import evaluate
from lyrist.models.ensemble import LyricEnsemble
from lyrist.training import loop, runs
from lyrist.training.classification_task import ClassificationTask
from lyrist.training.dataset import view
from lyrist.training.train import TASKS, Task, budget, fit, fitted_before, task_class, train

TINY = {
    "hidden": "4",
    "embedding_size": "4",
    "dropout": "0",
    "word_dropout": "0",
    "precision": "float32",
    "min_count": "1",
}


def songs(n: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = {"ann": "river moon stone tide", "bob": "neon engine wire chrome", "zoe": "oh la na hey"}
    names = [list(words)[i % 3] for i in range(n)]
    lyrics = ["\n".join(" ".join(rng.choice(words[name].split(), 4)) for _ in range(3)) for name in names]
    genres = ["folk" if name == "ann" else "rock" for name in names]
    return pl.DataFrame({"lyrics": lyrics, "artist": names, "genre": genres})


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    progress.quiet()
    return make_corpus(songs())  # type: ignore[no-any-return]


def test_a_run_says_what_it_was_fitted_on(corpus: Corpus, tmp_path: Path) -> None:
    fitted: Any = train("char-svm", str(corpus.path), out=str(tmp_path / "run"), only="ann, bob", high="4", seed=5)
    info = fitted.run.info
    assert info["songs"] == {"train": 32, "validation": 4, "test": 4}
    assert info["classes"] == info["only"] == ["ann", "bob"]
    assert (info["config"]["high"], info["config"]["seed"], info["seed"]) == (4, 5, 5)
    assert {"fingerprint", "parameters", "seconds", "cpu_seconds", "memory_estimate", "memory_available"} <= set(info)
    figures = fitted.figures()
    assert figures["test"]["n"] == 4
    json.dumps(figures, allow_nan=False)
    assert "majority" in fitted.summary()
    assert fitted.run.model.predict(["river moon"]).tolist() == ["ann"]


@pytest.mark.parametrize("by", ["artist", "song"])
def test_artists_are_groups_where_test_songs_are_by_others(
    by: str, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(LyricEnsemble, "_learn", lambda self, X, index, weights, groups=None: found.append(groups))
    question = dataclasses.replace(view(corpus, "genre"), split_by=by)
    nameless = pl.when(pl.col("id") < 4).then(pl.lit("")).otherwise("artist")
    question = dataclasses.replace(question, songs=question.songs.with_columns(artist=nameless))
    ClassificationTask(question).learn("ensemble", {}, seed=0)
    (groups,) = found
    train = question.part("train")
    if by == "song":
        assert groups is None
    else:  # three artists, and each song without one is a group of its own
        assert len(set(groups.tolist())) == 3 + (train["artist"] == "").sum()


def test_scores_belong_to_their_songs_in_files_of_random_order(tmp_path: Path) -> None:
    """A prepared corpus stores songs in random order: each prediction is that of its own song."""
    songs(180).with_columns(title=pl.int_range(pl.len()).cast(pl.String)).write_csv(tmp_path / "songs.csv")
    made = prepare(
        str(tmp_path / "songs.csv"), out=str(tmp_path / "corpus"), min_words=1, duplicates="keep", languages="all"
    ).corpus
    assert not made.scan("test").select("id").collect()["id"].is_sorted()
    fitted: Any = train("complement-nb", str(made.path), out=str(tmp_path / "run"))
    assert fitted.run.results["test"]["accuracy"]["value"] == 1
    scores = evaluate(str(tmp_path / "run")).figures()
    assert scores["accuracy"] == fitted.run.results["test"]["accuracy"]
    assert scores["loss"] == pytest.approx(fitted.run.results["test"]["loss"])
    predicted = fitted.run.predictions("test")
    assert predicted["id"].is_sorted()


def test_what_the_majority_would_reach(corpus: Corpus) -> None:
    found = ClassificationTask(view(corpus, "genre")).majority()
    truth = view(corpus, "genre").part("test")["label"]
    assert found["label"] == "rock"
    assert found["accuracy"]["value"] == pytest.approx((truth == "rock").mean())
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_of_task_has_a_class(kind: str) -> None:
    found = task_class(kind)
    assert found.kind == kind
    assert issubclass(found, Task)
    assert not found.__abstractmethods__


def test_budgets_are_for_networks() -> None:
    assert budget("char-svm", steps=5, minutes=None) == {}
    assert budget("lstm", steps=5, minutes=None) == {"steps": 5}


def test_a_finished_run_of_just_this_is_not_fitted_again(corpus: Corpus, tmp_path: Path) -> None:
    task, out = ClassificationTask(view(corpus, "artist")), tmp_path / "run"
    identity = task.identity("complement-nb", {}, 0)
    assert fitted_before(out, identity) is None
    first = fit(task, "complement-nb", out, options={})
    again = fitted_before(out, identity)
    assert again is not None
    model = task.learn("complement-nb", {}, seed=0)
    for split in ("validation", "test"):
        stored, fresh = again.predicted(split), task.predict(model, split)
        np.testing.assert_allclose(stored.probabilities, fresh.probabilities, atol=1e-6)
        assert stored.truth == fresh.truth == first.predicted(split).truth
    for other in ({"smoothing": "0.5"}, {"features": "artist"}):
        assert fitted_before(out, task.identity("complement-nb", other, 0)) is None
    assert fitted_before(out, task.identity("complement-nb", {}, 1)) is None
    assert fitted_before(out, task.identity("nb-svm", {}, 0)) is None
    assert (
        fitted_before(out, ClassificationTask(view(corpus, "artist", ("ann", "bob"))).identity("complement-nb", {}, 0))
        is None
    )


def test_labels_that_training_lacks_are_told(make_corpus: Any, tmp_path: Path) -> None:
    table = (
        songs()
        .with_row_index("n")
        .with_columns(artist=pl.when(pl.col("n") % 20 == 19).then(pl.lit("late")).otherwise("artist"))
    )
    made = make_corpus(table.drop("n"))
    fitted: Any = train("complement-nb", str(made.path), out=str(tmp_path / "run"))
    assert fitted.run.results["test"]["unseen_labels"] == ["late"]
    assert "not in training, so counted as wrong: late" in fitted.summary()


@pytest.mark.parametrize(
    ("recipe", "arguments", "says"),
    [
        ("chars-vm", {}, "Did you mean 'char-svm'"),
        ("char-svm", {"hihg": "3"}, "Did you mean 'high'"),
        ("char-svm", {"target": "genr"}, "Did you mean 'genre'"),
        ("char-svm", {"only": "anne"}, "Did you mean 'ann'"),
        ("char-svm", {"only": "ann"}, "nothing to tell apart"),
        ("char-svm", {"low": "5", "high": "3"}, "low = 5 and high = 3"),
        ("char-svm", {"min_df": "500"}, "share no words"),
        ("char-svm", {"target": "year"}, "year"),
        ("char-svm", {"condition": "genre"}, "does not write"),
        ("lstm", {"device": "cuda"}, "No CUDA GPU"),
        ("lstm", {"steps": 0}, "more than 0"),
        ("lstm", {"steps": 3, "minutes": 1.0}, "not both"),
        ("lstm", {"embedding": "none.txt"}, "no file of word vectors"),
        ("encoder", {"model": "no/such/folder", "steps": 1}, "The encoder|No encoder|No pretrained"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence_and_leaves_nothing(
    recipe: str, arguments: dict[str, Any], says: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LyristError, match=says) as told:
        train(recipe, str(corpus.path), out=str(tmp_path / "run"), **arguments)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


def test_a_vector_file_of_another_shape_is_told(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("river 1 2 3\nmoon 1 2\n")
    with pytest.raises(LyristError, match="line 2: 2 numbers after the word where 3 were expected"):
        train("lstm", str(corpus.path), out=str(tmp_path / "run"), steps=2, embedding=str(tmp_path / "v.txt"))


def test_what_stands_in_the_way_is_kept(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    (tmp_path / "file").write_text("words")
    for out in ("mine", "file"):
        with pytest.raises(LyristError, match="not an earlier result"):
            train("majority", str(corpus.path), out=str(tmp_path / out))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "words"


def test_an_unknown_recipe_is_wrong_usage(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        train("lstn", str(corpus.path), out=str(tmp_path / "run"))


@pytest.mark.slow
def test_two_processes_started_by_torchrun_give_the_run_of_one(corpus: Corpus, tmp_path: Path) -> None:
    given = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    verb = [
        "-m",
        "lyrist",
        "train",
        "lstm",
        str(corpus.path),
        "--steps=12",
        "--device=cpu",
        "--quiet",
        "--seed=1",
        *given,
    ]
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    told = []
    for name, start in (("one", []), ("two", two)):
        command = [sys.executable, *start, *verb, "--out", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert [text.count("run: ") for text in told] == [1, 1]
    one, two_ = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("one", "two"))
    for split in ("validation", "test"):
        assert one[split]["accuracy"] == two_[split]["accuracy"]
        assert one[split]["loss"] == pytest.approx(two_[split]["loss"], rel=1e-3)
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


@pytest.mark.parametrize("given", [{"steps": 5}, {"minutes": 0.1}, {"batch_size": 8}, {"device": "cuda"}])
def test_a_budget_means_nothing_to_a_recipe_that_is_fitted_in_one_go(given: dict[str, Any], tmp_path: Path) -> None:
    option = "--" + next(iter(given)).replace("_", "-")
    with pytest.raises(UsageError, match=f"'nb-svm' is fitted on the CPU in one pass, so {option} has no effect"):
        train("nb-svm", str(tmp_path), out=str(tmp_path / "run"), **given)
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_begun_for_something_else_is_not_gone_on_with(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    asked = {"steps": 4, "out": str(tmp_path / "run"), "only": "ann, bob", **TINY}
    with monkeypatch.context() as patched:
        patched.setattr(runs, "save_model", killed)  # when all is trained and nothing is written
        with pytest.raises(KeyboardInterrupt):
            train("lstm", str(corpus.path), **asked)
    for other, named in (({"dropout": "0.5"}, "dropout"), ({"only": "", "target": "genre"}, "only, songs, target")):
        with pytest.raises(LyristError, match=rf"other settings \({named}\); use the same"):
            train("lstm", str(corpus.path), resume=True, **{**asked, **other})
    fitted: Any = train("lstm", str(corpus.path), resume=True, **asked, threads="1")
    assert fitted.run.info["steps"] == 4
    assert not (tmp_path / "run" / runs.ASKED).exists()
