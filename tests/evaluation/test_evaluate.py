"""A saved run is scored again on any split of its corpus or of another; what makes the figures mean less is said."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.evaluate import evaluate
from lyrist.training.train import train


def songs(words: tuple[str, ...] = ("river", "engine", "dance")) -> pl.DataFrame:
    rows = [
        {
            "lyrics": f"{word} and the {word} tonight\nline {i} of {word}",
            "artist": f"act {i % 4}" if i % 9 else None,
            "genre": {"river": "folk", "engine": "rock", "dance": "pop", "zither": "jazz"}[word] if i % 8 else None,
        }
        for i in range(20)
        for word in words
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    progress.quiet()
    return make_corpus(songs())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluate") / "run"
    train("complement-nb", str(corpus.path), out=str(out), target="genre")
    return out


def test_the_test_figures_are_those_of_the_fit(run: Path, corpus: Corpus) -> None:
    saved = json.loads((run / "results.json").read_text())
    for split in ("validation", "test"):
        found = evaluate(str(run), split=split)
        assert found.figures()["accuracy"] == saved[split]["accuracy"]
        assert found.figures()["loss"] == pytest.approx(saved[split]["loss"])
        assert found.note == ""
    assert evaluate(str(run), str(corpus.path)).scores["n"] == saved["test"]["n"]


def test_songs_of_training_are_reported(run: Path) -> None:
    found = evaluate(str(run), split="train")
    assert "used for training" in found.note
    assert found.note in found.summary()


def test_another_corpus_and_labels_that_training_lacks_are_reported(run: Path, make_corpus: Any) -> None:
    other = make_corpus(songs(("river", "zither", "engine")))
    info = json.loads((other.path / "corpus.json").read_text())
    (other.path / "corpus.json").write_text(json.dumps({**info, "fingerprint": "fedcba9876543210"}))
    found: Any = evaluate(str(run), str(other.path))
    assert "not the corpus" in found.note
    assert found.scores["unseen_labels"] == ["jazz"]
    assert 0.4 < found.scores["accuracy"]["value"] < 0.9
    assert "not in training, so counted as wrong: jazz" in found.summary()


def test_figures_do_not_depend_on_the_batch(run: Path) -> None:
    assert evaluate(str(run), batch_size=1).figures() == evaluate(str(run), batch_size=64).figures()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"split": "dev"}, "There is no split 'dev'"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"as_reported": True}, "for language models"),
        ({"data": "nowhere"}, "There is no corpus nowhere"),
    ],
)
def test_what_cannot_be_scored_is_reported(run: Path, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(LyristError, match=says):
        evaluate(str(run), **arguments)


def test_a_corpus_without_the_label_is_reported(run: Path, make_corpus: Any) -> None:
    bare = make_corpus(songs().with_columns(genre=pl.lit(None, dtype=pl.String)))
    with pytest.raises(LyristError, match="genre"):
        evaluate(str(run), str(bare.path))


@pytest.mark.parametrize("key", ["task", "target", "only", "fingerprint"])
def test_a_run_that_does_not_say_all_is_damaged(run: Path, key: str, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run, tmp_path / "run")
    info = json.loads((run / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({k: v for k, v in info.items() if k != key}))
    with pytest.raises(LyristError, match=f"has no '{key}'"):
        evaluate(str(tmp_path / "run"))


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_what_is_no_run_is_reported(path: str, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="run"):
        evaluate(str(tmp_path / path))


def test_asked_wrongly_it_is_wrong_usage(run: Path) -> None:
    with pytest.raises(UsageError):
        evaluate(str(run), split="dev")
