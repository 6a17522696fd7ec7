import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.tree import DecisionTreeClassifier

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.training import runs, saved
from lyrist.training.estimators import make_estimator
from lyrist.training.predictions import Predictions

LYRICS = ["river moon stone", "neon engine wire", "moon river", "engine wire"] * 5
LABELS = ["ann", "bob"] * 10


@pytest.fixture(scope="module")
def linear() -> Any:
    return make_estimator("tfidf-logistic").fit(LYRICS, LABELS)


@pytest.fixture(scope="module")
def neural() -> Any:
    progress.quiet()
    options = {"steps": 2, "embedding_size": 8, "hidden": 8, "min_count": 1, "device": "cpu"}
    return make_estimator("lstm", options).fit(LYRICS, LABELS)


def write(out: Path, estimator: Any) -> dict[str, Any]:
    with runs.create(out) as folder:
        runs.save_model(estimator, folder)
        chances = estimator.predict_proba(LYRICS)
        Predictions(np.arange(20), LABELS, chances, estimator.classes_.tolist()).write(folder, "test")
        runs.write_results(folder, {"test": {"n": 20}})
        recipe = "lstm" if runs.is_network(estimator) else "tfidf-logistic"
        info = {**runs.describe(estimator), "recipe": recipe, "seed": 3, "seconds": 0.5}
        return runs.write_run(folder, info)


@pytest.mark.parametrize("kind", ["linear", "neural"])
def test_a_run_comes_back_whole(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    estimator = request.getfixturevalue(kind)
    info = write(tmp_path / "run", estimator)
    run = runs.open_run(tmp_path / "run")
    assert run.info == json.loads(json.dumps(info))
    assert run.name == "run"
    assert run.info["classes"] == ["ann", "bob"]
    assert {"torch", "python", "scikit-learn"} <= set(run.info["versions"])
    assert run.results == {"test": {"n": 20}}
    np.testing.assert_array_equal(run.model.predict_proba(LYRICS), estimator.predict_proba(LYRICS))
    assert not (tmp_path / "run.partial").exists()
    assert not list((tmp_path / "run").rglob("*.pkl"))


def test_a_network_tells_how_it_was_trained(neural: Any, tmp_path: Path) -> None:
    info = write(tmp_path / "run", neural)
    told = {"steps", "tokens", "tokens_per_second", "padding", "device", "precision", "best_step", "vocabulary"}
    assert told <= set(info)
    assert info["parameters"] == sum(weights.numel() for weights in neural.model_.parameters())


def test_predictions_are_a_table_of_ids_and_probabilities(linear: Any, tmp_path: Path) -> None:
    write(tmp_path / "run", linear)
    table = runs.open_run(tmp_path / "run").predictions("test")
    assert table.schema == {
        "id": pl.Int64, "truth": pl.String, "prediction": pl.String, "probabilities": pl.List(pl.Float32),
    }  # fmt: skip
    assert table["truth"].to_list() == LABELS
    assert table["prediction"].to_list() == linear.predict(LYRICS).tolist()
    with pytest.raises(LyristError, match="no predictions on the validation split"):
        runs.open_run(tmp_path / "run").predictions("validation")


def test_parameters_of_linear_models_and_trees(linear: Any) -> None:
    assert runs.parameters(linear) == linear.features_.scale_.size + linear.coef_.size + linear.intercept_.size
    tree = DecisionTreeClassifier().fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    assert runs.parameters(tree) == 2 * tree.tree_.node_count + tree.tree_.value.size


def test_what_is_no_run_or_damaged_is_told(linear: Any, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="no run directory"):
        runs.open_run(tmp_path / "nowhere")
    with pytest.raises(LyristError, match=r"no run\.json"):
        runs.open_run(tmp_path)
    write(tmp_path / "run", linear)
    folder = tmp_path / "run"
    (folder / "model" / saved.DESCRIPTION).write_bytes(b"{nonsense")
    (folder / "predictions" / "test.parquet").write_bytes(b"nonsense")
    (folder / "metrics.jsonl").write_text('{"step": 0}\n{"st')
    (folder / "results.json").write_text("{")
    run = runs.open_run(folder)
    with pytest.raises(LyristError, match="is not opened"):
        run.model  # noqa: B018 - it is opened when it is read
    for ask in (lambda: run.predictions("test"), lambda: run.metrics, lambda: run.results):
        with pytest.raises(LyristError, match="damaged"):
            ask()
    (folder / "model" / saved.DESCRIPTION).unlink()
    with pytest.raises(LyristError, match="holds no model"):
        runs.load_model(folder / "model")
    (folder / "run.json").write_text('{"format": 99, "lyrist": "9.9"}')
    with pytest.raises(LyristError, match=r"format 99, written by Lyrist 9\.9"):
        runs.open_run(folder)
    (folder / "run.json").write_text("[]")
    with pytest.raises(LyristError, match="damaged"):
        runs.open_run(folder)


def test_a_run_that_fails_leaves_nothing_that_looks_whole(linear: Any, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), runs.create(tmp_path / "run") as folder:
        runs.save_model(linear, folder)
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()


def test_only_the_first_process_writes(linear: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with runs.create(tmp_path / "run") as folder:
        runs.save_model(linear, folder)
        runs.write_run(folder, {})
        runs.write_results(folder, {})
        Predictions(np.array([1]), ["ann"], np.array([[0.5, 0.5]]), ["ann", "bob"]).write(folder, "test")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_out_of_a_run_is_refused(linear: Any, tmp_path: Path) -> None:
    write(tmp_path / "run", linear)
    folder = tmp_path / "run"
    (folder / "inside").symlink_to(folder / "run.json")
    runs.open_run(folder)
    (tmp_path / "linked").symlink_to(folder)
    runs.open_run(tmp_path / "linked")  # the user gave this link
    (tmp_path / "secret").write_text("secret")
    for target in (tmp_path / "secret", "../../secret", "/dev/zero", tmp_path):
        (folder / "model" / "labels.json").unlink()
        (folder / "model" / "labels.json").symlink_to(target)
        with pytest.raises(LyristError, match="link that leads out of the run"):
            runs.open_run(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_run_is_refused_and_not_waited_for(linear: Any, tmp_path: Path) -> None:
    write(tmp_path / "run", linear)
    (tmp_path / "run" / "results.json").unlink()
    os.mkfifo(tmp_path / "run" / "results.json")
    with pytest.raises(LyristError, match="neither a file nor a folder"):
        runs.open_run(tmp_path / "run")


def test_the_corpus_of_a_run_is_opened_by_its_fingerprint_alone(linear: Any, make_corpus: Any, tmp_path: Path) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": LYRICS, "artist": LABELS}))
    write(tmp_path / "run", linear)
    run = runs.open_run(tmp_path / "run")
    run.info.update(corpus=str(corpus.path), fingerprint=corpus.fingerprint)
    assert run.corpus().path == corpus.path
    for place in ("//server/share", "\\\\server\\share"):
        run.info["corpus"] = place
        with pytest.raises(LyristError, match="is not opened by itself"):
            run.corpus()
    run.info.update(corpus=str(corpus.path), fingerprint="of another")
    with pytest.raises(LyristError, match="is not opened by itself"):
        run.corpus()
    run.info["corpus"] = str(tmp_path / "gone")
    with pytest.raises(LyristError, match="no corpus"):
        run.corpus()
