"""Songs with several labels, and ordered labels, from a table to labelled songs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lyrist
from lyrist import estimators
from lyrist.errors import UsageError
from lyrist.training.predictions import Predictions
from lyrist.training.runs import open_run

WORDS = {
    "folk": ["willow", "river", "harvest", "meadow"],
    "pop": ["dance", "baby", "floor", "tonight"],
    "rock": ["engine", "thunder", "highway", "wire"],
}
LINEAR = (
    "nb-svm",
    "ridge",
    "complement-nb",
    "tfidf-logistic",
    "ensemble",
    "streamed-logistic",
    "streamed-ensemble",
    "bag-of-embeddings",
)
BASELINES = ("layout", "majority", "artist-lookup", "label-mention")


def table(n: int = 240) -> pl.DataFrame:
    """Return invented songs in which each label has words of its own, and later songs have later words."""
    rng, rows = np.random.default_rng(0), []
    for number in range(n):
        labels = rng.choice([*WORDS], rng.integers(1, 3), replace=False).tolist()
        year = int(rng.integers(1960, 2020))
        own = [word for label in labels for word in rng.choice(WORDS[label], 6)]
        words = [*own, *rng.choice(["lantern", "window", "letter", "morning"], 6), *[f"tune{year // 10}"] * 4]
        text = "\n".join(" ".join(rng.permutation(words)[place : place + 4]) for place in range(0, len(words), 4))
        names = {"title": f"Song {number}", "artist": f"Act {number % 40}", "genre": "|".join(labels)}
        rows.append({**names, "year": year, "lyrics": text})
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    table().write_csv(folder / "songs.csv")
    lyrist.prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), test=0.2, validation=0.2, duplicates="keep")
    return folder


@pytest.fixture(scope="module")
def run(songs: Path) -> Path:
    lyrist.train("char-svm", str(songs / "corpus"), target="genre", out=str(songs / "run"), high="4")
    return songs / "run"


def test_prepare_stores_and_reports_the_separator(songs: Path) -> None:
    corpus = lyrist.prepare(str(songs / "songs.csv"), out=str(songs / "again"), duplicates="keep")
    assert corpus.corpus.info["multi_label"]["genre"]["separator"] == "|"
    assert "several labels a song in genre: 3 labels, separated by '|'" in corpus.summary()
    assert corpus.figures()["multi_label"]["genre"]["labels"] == 3
    off = lyrist.prepare(str(songs / "songs.csv"), out=str(songs / "off"), duplicates="keep", multi_label="off")
    assert off.corpus.info["multi_label"] == {}
    assert off.corpus.fingerprint == corpus.corpus.fingerprint


def test_a_run_with_several_labels(songs: Path, run: Path) -> None:
    opened = open_run(run)
    assert opened.info["kind"] == "multi"
    assert opened.info["separator"] == "|"
    assert opened.info["classes"] == ["folk", "pop", "rock"]
    test, baseline = opened.results["test"], opened.results["majority"]
    assert test["micro_f1"]["value"] > 0.9 > baseline["micro_f1"]["high"]
    assert test["prediction_sets"]["coverage"]["value"] > 0.8
    held = Predictions.of(opened, "validation")
    assert held.score()["micro_f1"] == opened.results["validation"]["micro_f1"]
    model = estimators.load(run)
    assert model.multilabel_
    assert model.thresholds_.tolist() == opened.info["thresholds"]
    predicted = model.predict(["dance baby dance on the floor tonight"])
    assert predicted.tolist() == [[0, 1, 0]]
    assert "micro F1" in (run / "model" / "README.md").read_text()


def test_it_is_evaluated(run: Path) -> None:
    found: Any = lyrist.evaluate(str(run))
    assert found.scores["micro_f1"] == open_run(run).results["test"]["micro_f1"]
    assert "average precision" in found.summary()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_table_is_labelled(songs: Path, run: Path, suffix: str) -> None:
    out = songs / f"labels{suffix}"
    labelled = lyrist.label(str(run), str(songs / "songs.csv"), out=str(out), top=2, probabilities=True)
    assert len(labelled.frame) == 240
    assert labelled.counts["micro_f1"] > 0.9
    assert "micro F1" in labelled.summary()
    row = labelled.frame.row(0, named=True)
    labels = row["label"].split("; ") if suffix == ".csv" else row["label"]
    assert set(labels) <= {*WORDS}
    assert {"top_1", "top_probability_2", "p_folk", "prediction_set", "flags"} <= {*labelled.frame.columns}


def test_a_song_without_a_label_says_so(run: Path) -> None:
    rows = pl.DataFrame({"title": ["a", "b"], "lyrics": ["dance baby floor tonight dance", "zzz qqq"]})
    path = run.parent / "odd.csv"
    rows.write_csv(path)
    frame = lyrist.label(str(run), str(path)).frame
    assert frame["label"][0].to_list() == ["pop"]
    assert (frame["label"][1] is None) == (frame["reason"][1] is not None)


def test_texts_are_classified(run: Path) -> None:
    text = "dance with me baby on the floor tonight\nthe engine and the thunder on the highway wire"
    found: Any = lyrist.classify(str(run), text, explain=True)
    figures = found.figures()[0]
    assert sorted(figures["label"]) == ["pop", "rock"]
    assert set(figures["probabilities"]) == {*WORDS}
    assert figures["words"]
    assert "pop" in found.summary().splitlines()[0]


def test_combinations_are_classes_on_request(songs: Path) -> None:
    found: Any = lyrist.train(
        "complement-nb", str(songs / "corpus"), target="genre", out=str(songs / "off-run"), multi_label="off"
    )
    assert "kind" not in found.run.info
    assert "folk|pop" in found.run.info["classes"]


def test_some_labels_only(songs: Path) -> None:
    found: Any = lyrist.train(
        "complement-nb", str(songs / "corpus"), target="genre", out=str(songs / "only"), only="folk,pop"
    )
    assert found.run.info["classes"] == ["folk", "pop"]


def test_a_recipe_without_several_labels_says_so(songs: Path) -> None:
    with pytest.raises(
        UsageError, match="'decision-tree' predicts one label a song, and the target genre is several labels"
    ):
        lyrist.train("decision-tree", str(songs / "corpus"), target="genre", out=str(songs / "tree"))


@pytest.mark.parametrize("recipe", [*LINEAR, *BASELINES])
def test_recipes_learn_several_labels(songs: Path, recipe: str) -> None:
    quick = {"epochs": "4"} if recipe == "bag-of-embeddings" else {}
    found: Any = lyrist.train(recipe, str(songs / "corpus"), target="genre", out=str(songs / recipe), **quick)
    test = found.run.results["test"]
    good = recipe not in BASELINES
    assert test["micro_f1"]["value"] > (0.85 if good else 0.3)
    assert test["loss"] < (1.9 if good else 2.7)
    saved = json.loads((songs / recipe / "run.json").read_text())
    assert len(saved["thresholds"]) == 3
    evaluated: Any = lyrist.evaluate(str(songs / recipe))
    assert evaluated.scores["micro_f1"] == test["micro_f1"]


def test_years_are_predicted_as_numbers(songs: Path) -> None:
    run = songs / "years"
    found: Any = lyrist.train("char-svm", str(songs / "corpus"), target="year", ordinal=True, out=str(run), high="4")
    test, baseline = found.run.results["test"], found.run.results["majority"]
    assert test["mae"]["high"] < baseline["mae"]["low"]
    assert test["within_5"]["value"] > 0.6
    assert "mean absolute error" in found.summary()
    evaluated: Any = lyrist.evaluate(str(run))
    assert evaluated.scores["mae"] == test["mae"]
    labelled = lyrist.label(str(run), str(songs / "songs.csv"))
    row = labelled.frame.row(0, named=True)
    assert row["low"] < row["label"] < row["high"]
    assert labelled.counts["mae"] < 10
    classified: Any = lyrist.classify(str(run), "tune198 tune198 letter morning window", explain=True)
    assert 1975 < classified.figures()[0]["label"] < 1995
    with pytest.raises(UsageError, match="--only"):
        lyrist.train("char-svm", str(songs / "corpus"), target="year", ordinal=True, out=str(songs / "x"), only="1990")


def test_estimators_take_columns_of_labels() -> None:
    texts = ["dance baby floor"] * 20 + ["engine thunder wire"] * 20 + ["dance baby engine thunder"] * 20
    y = np.array([[1, 0]] * 20 + [[0, 1]] * 20 + [[1, 1]] * 20)
    model = estimators.CharSVM(high=3).fit(texts, pl.DataFrame(y, schema=["pop", "rock"]))
    assert model.classes_.tolist() == ["pop", "rock"]
    assert model.score(texts, y) == 1
    assert model.decision_function(texts).shape == model.predict_proba(texts).shape == (60, 2)
    again = estimators.CharSVM(high=3).fit(texts, y)
    assert again.classes_.tolist() == [0, 1]
    assert np.allclose(again.predict_proba(texts), model.predict_proba(texts))
    single = again.fit(texts, y[:, 0])
    assert single.predict(texts).shape == (60,)
    with pytest.raises(ValueError, match="0 or 1"):
        estimators.CharSVM().fit(texts, y * 2)
    with pytest.raises(ValueError, match="one row per song"):
        estimators.CharSVM().fit(texts, y[:5])
    with pytest.raises(ValueError, match="one label a song"):
        estimators.TunedTree().fit(texts, y)


def test_a_network_learns_several_labels(songs: Path) -> None:
    quick = {"embedding_size": "16", "kernels": "1", "channels": "16", "learning_rate": "0.01", "word_dropout": "0"}
    out = songs / "network"
    found: Any = lyrist.train(
        "cnn-multi", str(songs / "corpus"), target="genre", out=str(out), steps=60, device="cpu", **quick
    )
    test = found.run.results["test"]
    assert test["micro_f1"]["value"] > 0.85
    assert json.loads((out / "model" / "config.json").read_text())["problem_type"] == "multi_label_classification"
    model = estimators.load(out)
    assert model.thresholds_.tolist() == pytest.approx(found.run.info["thresholds"])
    assert model.predict(["dance baby dance on the floor tonight"]).tolist() == [[0, 1, 0]]
    evaluated: Any = lyrist.evaluate(str(out))
    assert evaluated.scores["micro_f1"]["value"] == pytest.approx(test["micro_f1"]["value"])
    assert lyrist.classify(str(out), "dance baby floor", explain=True).figures()[0]["words"]  # type: ignore[attr-defined]


def test_a_fitted_estimator_is_saved_as_a_run(songs: Path) -> None:
    frame = table()
    y = pl.DataFrame({name: frame["genre"].str.split("|").list.contains(name).cast(int) for name in WORDS})
    model = estimators.CharSVM(high=4).fit(frame["lyrics"].to_list(), y)
    out = estimators.save(model, songs / "saved", target="genre")
    evaluated: Any = lyrist.evaluate(str(out), str(songs / "corpus"))
    assert evaluated.scores["micro_f1"]["value"] > 0.9
    assert estimators.load(out).thresholds_.tolist() == [0.5] * 3
