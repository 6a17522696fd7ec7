"""The models of reports: four columns from one study, what is left out with its cost, and one training for two columns."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from redrawing import assert_redrawn
from transformers import T5Config, T5ForConditionalGeneration

from lyrist.corpus.prepare import prepare
from lyrist.errors import UsageError
from lyrist.models import pretrained, registry
from lyrist.models.language_model import WriterShape
from lyrist.models.registry import Shape
from lyrist.studies.plans import Reported, load, plans
from lyrist.studies.replication import columns
from lyrist.studies.study import Studied, study
from lyrist.training.estimators import configure, make_estimator
from songtables.fouracts import songbook

PLAN = """
[[recipes]]
recipe = "majority"
[[recipes]]
recipe = "tfidf-logistic"
[networks]
report = "An invented report"
why = "Padding is read."
protocol = { epochs = 4, batch_size = 16, learning_rate = 0.02, rule = "best" }
options = { embedding_size = 8, bidirectional = false, as_reported = true, dropout = 0.0, word_dropout = 0.0 }
[[reported]]
name = "two LSTMs"
recipe = "stacked-lstm"
options = { hidden = 8 }
value = 0.5
n = 40
seconds = 600
assumed = ["Adam."]
[[reported]]
name = "costly"
recipe = "stacked-lstm"
options = { hidden = 8 }
protocol = { epochs = 1000000 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replication")
    songs = songbook()
    columns = {name: [getattr(song, name) for song in songs] for name in ("artist", "title", "lyrics")}
    pl.DataFrame(columns).write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), validation=0.2, test=0.2)
    (folder / "plan.toml").write_text(PLAN)
    return folder


@pytest.fixture(scope="module")
def studied(folder: Path) -> Studied:
    found = study(str(folder / "plan.toml"), str(folder / "corpus"), out=str(folder / "all"), cpu_minutes=2)
    assert isinstance(found, Studied)
    return found


def test_a_part_of_the_epochs_is_in_the_cell() -> None:
    row = {"protocol": "honest", "measure": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "n": 43, "unit": "epoch"}
    part = {**row, "of": 15, "planned": 150}
    (_, _, _, cell, _), (_, _, _, whole, _) = columns([{"name": "LSTM", "rows": [each]} for each in (part, row)])
    assert cell == f"{whole}; 15 of 150 epochs"


def test_the_four_columns_have_n_interval_and_cost(studied: Studied) -> None:
    model, costly = json.loads((studied.path / "results.json").read_text())["replication"]["models"]
    rows = {row["protocol"]: row for row in model["rows"]}
    assert list(rows) == ["report", "reported", "honest", "right"]
    assert (rows["report"]["value"], rows["report"]["n"], rows["report"]["seconds"]) == (0.5, 40, 600)
    for name in ("reported", "honest", "right"):
        assert rows[name]["low"] <= rows[name]["value"] <= rows[name]["high"]
        assert rows[name]["cpu_seconds"] > 0
        assert rows[name]["n"] == studied.results["songs"]["test"]
    assert (rows["reported"]["biased"], rows["honest"]["biased"]) == (True, False)
    assert rows["reported"]["value"] >= rows["honest"]["value"]
    assert rows["right"]["line"] == studied.results["picked"]
    assert model["sentence"].endswith("Padding is read.")
    assert [row["protocol"] for row in costly["rows"]] == ["report", "right"]
    assert {line["protocol"] for line in studied.results["recipes"]} == {"right"}


def test_what_costs_too_much_is_named_with_its_cost(studied: Studied, tmp_path: Path) -> None:
    assert "The line 'costly' was left out: the rerun takes about" in studied.summary()
    assert "rerun, its own rule (biased)" in studied.summary()
    page = studied.report.read_text()
    assert "The reports, rerun and done right" in page
    assert "test (biased)" in page
    assert_redrawn(studied.path, tmp_path)


def test_the_reruns_alone_on_a_smaller_budget(folder: Path, tmp_path: Path) -> None:
    plan, corpus, out = str(folder / "plan.toml"), str(folder / "corpus"), folder / "honest"
    found = study(plan, corpus, out=str(out), protocol="honest", budget_scale=0.5, cpu_minutes=2)
    assert isinstance(found, Studied)
    assert found.results["recipes"] == []
    model = found.results["replication"]["models"][0]
    assert [row["protocol"] for row in model["rows"]] == ["report", "reported", "honest"]
    assert model["rows"][1]["of"] == 2
    assert "multiplied by 0.5 (--budget-scale)" in found.summary()
    assert_redrawn(found.path, tmp_path)


def test_a_study_without_reported_models_has_no_protocol(folder: Path) -> None:
    with pytest.raises(UsageError, match="has no models of published reports"):
        study("ladder", str(folder / "corpus"), out=str(folder / "none"), protocol="honest")
    with pytest.raises(UsageError, match="--budget-scale must be above 0"):
        study(str(folder / "plan.toml"), str(folder / "corpus"), out=str(folder / "none"), budget_scale=0)


@pytest.mark.parametrize("plan", [plan for plan in plans() if plan.reported], ids=lambda plan: plan.name)
def test_no_reported_model_has_an_improvement_of_lyrist(plan: object) -> None:
    for model in load(getattr(plan, "name")).reported:  # noqa: B009 - the type of a parameter
        if model.block == "1" and registry.get(model.recipe).task == "classify":
            make_estimator(model.recipe, model.options, seed=0)
        assert model.report
        assert model.why
        reported = {"dropout": 0.5} if registry.get(model.recipe).name in ("transfer", "autoencoder-classifier") else {}
        for name in ("dropout", "word_dropout", "label_smoothing", "condition_dropout", "average"):
            assert model.options.get(name, 0.0) == reported.get(name, 0.0)


def _parameters(model: Reported, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the number of parameters of a preset with the words of its report."""
    recipe = registry.get(model.recipe)
    if recipe.task == "classify":
        options = registry.configure(recipe.options, dict(model.options), recipe.name)
        network = recipe.build(options, Shape(12_352, 0, ("a", "b", "c")))
    else:
        options = configure(model.recipe, model.options, task="write")[1]
        if (
            model.recipe == "t5"
        ):  # the published configuration without its weights, and its 32,100 tokens with the line end
            config = T5Config(vocab_size=32_128, d_model=512, d_ff=2048, num_layers=6, num_heads=8)
            monkeypatch.setattr(pretrained, "pretrained_network", lambda *_, **__: T5ForConditionalGeneration(config))
            assert options.model == "google-t5/t5-small"
        words = 32_101 if model.recipe == "t5" else 109
        with torch.device("meta"):
            network = recipe.build(options, WriterShape(words, 0, 1, 1, options.context, words))
    return sum(weights.numel() for weights in network.parameters())


COUNTED = [model for plan in plans() for model in plan.reported if model.parameters]


@pytest.mark.parametrize("model", COUNTED, ids=lambda model: model.name)
def test_a_preset_has_the_reported_number_of_parameters(model: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _parameters(model, monkeypatch) == model.parameters


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = 'x'\nrecipe = 'lstm'\nsource = 'none'", "reported model above 'x'"),
        ("name = 'two LSTMs'\nrecipe = 'lstm'", "two reported models called"),
        ("name = 'x'\nrecipe = 'lstm'\nprotocol = { epoch = 3 }", "epochs"),
        ("name = 'x'\nrecipe = 'lstm'\nright = 'ensembel'", "line in"),
        ("name = 'x'\nrecipe = 'lstm'\ncolour = 'red'", "colour"),
        ("name = 'x'\nrecipe = 'lstn'", "lstm"),
        ("name = 'x'\nrecipe = 'lstm'\noptions = 3", "'options' of a reported model in .* is not a table"),
        ("name = 'x'\nrecipe = 'lstm'\n[common]\nprotocol = 3", "'protocol' of a reported model in .* is not a table"),
    ],
)
def test_a_wrong_reported_model_is_explained(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{PLAN}[[reported]]\n{text}\n")
    with pytest.raises(UsageError, match=says):
        load(str(tmp_path / "mine.toml"))
