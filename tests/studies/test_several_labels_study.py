"""Studies, reports and comparisons of songs with several labels, and of ordered labels."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lyrist
from lyrist.errors import UsageError

PLAN = """name = "small"
summary = "Quick."
why = "Quick."

[[recipes]]
recipe = "majority"

[[recipes]]
recipe = "decision-tree"

[[recipes]]
recipe = "tfidf-logistic"

[[recipes]]
recipe = "complement-nb"
"""
WORDS = {
    "folk": ["willow", "river", "meadow"],
    "pop": ["dance", "baby", "floor"],
    "rock": ["engine", "thunder", "wire"],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, rows = np.random.default_rng(0), []
    for number in range(200):
        labels = rng.choice([*WORDS], rng.integers(1, 3), replace=False).tolist()
        year = int(rng.integers(1960, 2020))
        words = [word for label in labels for word in rng.choice(WORDS[label], 6)] + [f"tune{year // 10}"] * 4
        words += rng.choice(["lantern", "window", "letter", "morning"], 6).tolist()
        text = "\n".join(" ".join(rng.permutation(words)[:5]) for _ in range(5))
        rows.append(
            {
                "title": f"Song {number}",
                "artist": f"Act {number % 30}",
                "genre": ", ".join(labels),
                "year": year,
                "lyrics": text,
            }
        )
    folder = tmp_path_factory.mktemp("study")
    pl.DataFrame(rows).write_csv(folder / "songs.csv")
    (folder / "small.toml").write_text(PLAN)
    lyrist.prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), test=0.2, validation=0.2, duplicates="keep")
    return folder / "corpus"


def studied(corpus: Path, name: str, **options: Any) -> Any:
    return lyrist.study(str(corpus.parent / "small.toml"), str(corpus), out=str(corpus.parent / name), **options)


def test_a_study_of_several_labels(corpus: Path) -> None:
    found = studied(corpus, "genres", target="genre", repeats=2, learning_curve=True)
    results, folder = found.results, corpus.parent / "genres"
    assert results["kind"] == "multi"
    assert results["separator"] == ", "
    assert results["classes"] == ["folk", "pop", "rock"]
    assert results["picked"] in ("tfidf-logistic", "complement-nb")
    assert any("'decision-tree' predicts one label a song" in note for note in results["notes"])
    test = results["tests"]["against"]["majority"]
    assert test["micro_f1"]["low"] > 0
    assert test["macro_f1"]["p_holm"] < 0.05
    assert results["repeats"]["pick"]["all_songs"]["micro_f1"]["value"] > 0.7
    assert {"micro_f1", "macro_f1"} <= {*results["learning_curve"][0]}
    assert results["other_split"]["kind"] == "multi"
    assert "micro F1" in found.summary()
    head = (folder / "results.csv").read_text().splitlines()[0].split(",")
    assert {"test_micro_f1_low", "test_average_precision_high", "test_subset_accuracy", "validation_loss"} <= {*head}
    page = (folder / "report.html").read_text()
    for text in (
        "average precision",
        "all labels right",
        "conformal risk control",
        "Labels of the test songs",
        "paired bootstrap",
    ):
        assert text in page
    assert results["doubtful"]["read"] > 0
    assert "Songs with a doubtful genre" in page or not results["doubtful"]["listed"]
    listed = pl.read_csv(folder / "doubtful.csv")
    assert len(listed) == results["doubtful"]["listed"]
    assert (listed["given"] != listed["suggested"]).all()
    before = page
    lyrist.report(str(folder))
    assert (folder / "report.html").read_text() == before
    compared: Any = lyrist.compare(
        str(folder / "runs" / "tfidf-logistic"), str(folder / "runs" / "complement-nb"), out=str(folder / "c.html")
    )
    assert "micro F1" in compared.summary()
    assert "micro F1" in (folder / "c.html").read_text()


def test_a_study_of_years_as_numbers(corpus: Path) -> None:
    found = studied(corpus, "years", target="year", ordinal=True, other_split=False, choose_by="mae")
    results = found.results
    assert results["kind"] == "ordinal"
    line = next(line for line in results["recipes"] if line["name"] == results["picked"])
    assert line["test"]["mae"]["value"] < results["majority"]["mae"]["value"]
    assert results["tests"]["against"]["majority"]["mae"]["difference"] < 0
    page = (corpus.parent / "years" / "report.html").read_text()
    for text in ("mean absolute error", "within 5", "Prediction intervals", "true number"):
        assert text in page


def test_figures_of_another_kind_select_nothing(corpus: Path) -> None:
    with pytest.raises(UsageError, match="--choose-by accuracy is no figure of this target; choose one of micro_f1"):
        studied(corpus, "x", target="genre", choose_by="accuracy")


def test_other_columns_beside_the_lyrics(corpus: Path) -> None:
    found = studied(corpus, "features", target="genre", features="year,language", other_split=False, refit=False)
    results = found.results
    assert results["features"] == ["year", "language"]
    assert "columns" in [line["name"] for line in results["recipes"]]
    run = corpus.parent / "features" / "runs" / "tfidf-logistic"
    evaluated: Any = lyrist.evaluate(str(run))
    test = next(line["test"] for line in results["recipes"] if line["name"] == "tfidf-logistic")
    assert evaluated.scores["micro_f1"] == test["micro_f1"]
    labelled = lyrist.label(str(run), str(corpus.parent / "songs.csv"))
    assert labelled.counts["micro_f1"] > 0.7
    classified: Any = lyrist.classify(str(run), "dance baby dance on the floor", column=("year=1999",), explain=True)
    assert "year" in classified.labels[0].explanation.other
    before = (corpus.parent / "features" / "report.html").read_text()
    lyrist.report(str(corpus.parent / "features"))
    assert (corpus.parent / "features" / "report.html").read_text() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "genre"}, "--features genre is the target itself"),
        ({"features": "mood"}, "There is no column 'mood'"),
        ({"features": "lyrics"}, "leave 'lyrics' out"),
    ],
)
def test_columns_that_cannot_be_features(corpus: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        lyrist.train("tfidf-logistic", str(corpus), target="genre", out=str(corpus.parent / "y"), **options)


def test_columns_of_a_text(corpus: Path) -> None:
    run = corpus.parent / "plain"
    lyrist.train("complement-nb", str(corpus), target="genre", out=str(run))
    with pytest.raises(UsageError, match="--column is NAME=VALUE"):
        lyrist.classify(str(run), "a text of words", column=("year",))
    with pytest.raises(UsageError, match="no column of the run called 'year'"):
        lyrist.classify(str(run), "a text of words", column=("year=1999",))
