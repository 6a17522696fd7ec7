"""A writer is fitted into a run that says what it cost, what is asked of it is checked, and runs are compared in pairs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.metrics.language_modelling import song_losses
from lyrist.models import registry
from lyrist.studies.compare import compare
from lyrist.training import runs
from lyrist.training import writing_task as module
from lyrist.training.train import Fitted, fitted_before, train
from lyrist.training.writing_task import WritingTask, losses
from songtables.fouracts import songbook

TINY: dict[str, dict[str, Any]] = {
    "neural": {"vocabulary": 300, "context": 64, "steps": 3, "threads": 1},
    "mixture": {"vocabulary": 300, "context": 64, "steps": 3, "threads": 1},
    "counts": {"vocabulary": 300},
}
"""Options with which a recipe of each family is fitted in a moment."""

SMALL: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 8, "embedding_size": 8},
    "lstm-lm": {"hidden": 8, "embedding_size": 8},
}
"""More of them, by recipe."""

PRETRAINED = ("causal", "t5")
"""Recipes whose weights come from elsewhere; they have tests of their own."""

OWN = [recipe.name for recipe in registry.recipes("write") if recipe.name not in PRETRAINED]


def tiny(recipe: str) -> dict[str, Any]:
    return {**TINY[registry.get(recipe).family], **SMALL.get(recipe, {})}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writers")
    songs = [song for number, song in enumerate(songbook()) if number % 4 == 0]
    columns = {name: [getattr(song, name) for song in songs] for name in ("artist", "title", "genre", "lyrics")}
    pl.DataFrame(columns).write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), validation=0.2, test=0.2)
    return folder / "corpus"


@pytest.fixture(scope="module")
def fitted(corpus: Path) -> dict[str, Fitted]:
    """Every recipe that writes, fitted in a moment."""
    found = {}
    for recipe in OWN:
        out = str(corpus.parent / recipe)
        one = train(recipe, str(corpus), out=out, target="lyrics", condition="genre", **tiny(recipe))
        assert isinstance(one, Fitted)
        found[recipe] = one
    return found


@pytest.mark.parametrize("recipe", OWN)
def test_the_run_directory_is_what_the_design_says(fitted: dict[str, Fitted], recipe: str) -> None:
    run = fitted[recipe].run
    info, results = run.info, run.results
    assert (info["task"], info["target"], info["condition"], info["recipe"]) == ("write", "lyrics", ["genre"], recipe)
    assert info["conditions"] == {"genre": ["folk", "pop", "rap", "rock"]}
    assert {"config", "fingerprint", "parameters", "seconds", "steps", "device", "versions", "seed"} <= set(info)
    for split in ("validation", "test"):
        cost = results[split]["bits_per_byte"]
        assert 0 < cost["low"] <= cost["value"] <= cost["high"] < 9
        assert {"n", "perplexity", "tokens", "loss", "bytes"} <= set(results[split])
    card = (run.path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"{results['test']['bits_per_byte']['value']:.3f}" in card
    if registry.get(recipe).family != "counts":
        assert {"tokens", "tokens_per_second", "padding", "best_step"} <= set(info)
        assert next(row["step"] for row in run.metrics if row["split"] == "validation") == 0
        assert "first 100 steps" in (run.path / "curves.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", OWN)
def test_a_saved_writer_costs_what_it_cost_when_it_was_fitted(
    fitted: dict[str, Fitted], recipe: str, corpus: Path
) -> None:
    run = fitted[recipe].run
    ids, before = losses(run, "test")
    songs = WritingTask.of(Corpus.open(corpus), "genre").held["test"]
    assert songs["id"].to_list() == ids
    again = song_losses(runs.open_run(run.path).writer, songs)
    np.testing.assert_allclose(again.nats, before.nats, rtol=1e-4)


def test_a_finished_run_is_found_again_by_its_settings(fitted: dict[str, Fitted], corpus: Path) -> None:
    given, task = tiny("gru"), WritingTask.of(Corpus.open(corpus), "genre")
    path = fitted["gru"].run.path
    assert fitted_before(path, task.identity("gru", given, 0))
    assert not fitted_before(path, task.identity("gru", {**given, "steps": 4}, 0))
    assert not fitted_before(path, task.identity("gru", given, 1))
    assert not fitted_before(path, WritingTask.of(Corpus.open(corpus)).identity("gru", given, 0))
    assert not fitted_before(corpus.parent / "nothing", task.identity("gru", given, 0))


def test_a_killed_run_goes_on_to_the_same_writer(
    corpus: Path, fitted: dict[str, Fitted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, options = tmp_path / "run", tiny("gru")

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "song_losses", killed)
        with pytest.raises(KeyboardInterrupt):
            train("gru", str(corpus), out=str(out), condition="genre", **options)
    assert not out.exists()
    again = train("gru", str(corpus), out=str(out), condition="genre", resume=True, **options)
    assert again.run.results["test"] == fitted["gru"].run.results["test"]


@pytest.mark.parametrize(
    ("recipe", "more", "says"),
    [
        ("gru", {"target": "artist"}, "does not predict the artist"),
        ("char-svm", {"target": "lyrics"}, "does not write"),
        ("char-svm", {"condition": "genre"}, "no --condition"),
        ("gru", {"only": "rap"}, "prepare a corpus with --genres"),
        ("gru", {"condition": "mood"}, "target column 'mood'"),
        ("gru", {"condition": "year"}, "--year"),
        ("gru", {"condition": "genre,genre"}, "twice"),
        ("gru", {"hiden": "3"}, "hidden"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_sentence(
    corpus: Path, tmp_path: Path, recipe: str, more: dict[str, str], says: str
) -> None:
    with pytest.raises(LyristError, match=says):
        train(recipe, str(corpus), out=str(tmp_path / "run"), **more)
    assert not (tmp_path / "run").exists()


def test_writers_are_compared_in_pairs(fitted: dict[str, Fitted], tmp_path: Path) -> None:
    runs_ = [str(fitted[name].run.path) for name in ("gru", "lstm-lm")]
    found = compare(*runs_, out=str(tmp_path / "c.html"))
    assert "bits per byte" in found.summary()
    assert "On the same test songs" in found.summary()
    assert [row["recipe"] for row in found.figures()] == ["gru", "lstm-lm"]
    json.dumps(found.figures())
    assert "Writers compared" in (tmp_path / "c.html").read_text(encoding="utf-8")
