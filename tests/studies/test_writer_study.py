"""A study of writers fits them on the same songs, reads what they write beside real songs, and goes on after a kill."""

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from redrawing import assert_redrawn

from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.evaluation.fluency import Counts
from lyrist.models import registry
from lyrist.studies import samples as sampling
from lyrist.studies.comparison import Request
from lyrist.studies.plans import Entry, Plan, load, plans
from lyrist.studies.samples import samples, span
from lyrist.studies.study import Studied, study
from lyrist.training.estimators import configure
from lyrist.training.train import Selection
from lyrist.training.writing_task import WritingTask
from songtables.fouracts import songbook
from tinytokenizer import gpt2_model

SIZES = "hidden = 8, embedding_size = 8, vocabulary = 300, context = 64, threads = 1"
PLAN = f"""
condition = ["genre"]
[[recipes]]
name = "gru & <b>more</b>"
recipe = "gru"
options = {{ steps = 6, {SIZES} }}
[[recipes]]
recipe = "lstm-lm"
options = {{ minutes = 3, {SIZES} }}
[[reported]]
name = "window"
recipe = "gru"
report = "An invented report"
value = 0.1
options = {{ window = 4, tied = false, dense = 4, {SIZES} }}
protocol = {{ epochs = 2, batch_size = 1, library = "keras" }}
"""
STEPS = {"steps": 3}


@pytest.fixture(scope="module", autouse=True)
def short() -> Any:
    """Have writers write little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "SONGS", 4)
        patch.setattr(sampling, "TOKENS", 24)
        patch.setattr(sampling, "judges_of_lines", lambda songs, language, seed: [Counts(songs, language, seed)])
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of four genres with a hostile title and artist."""
    folder = tmp_path_factory.mktemp("writerstudy")
    songs = [song for number, song in enumerate(songbook()) if number % 3 == 0]
    columns = {name: [getattr(song, name) for song in songs] for name in ("artist", "title", "genre", "lyrics")}
    columns["title"] = ["<script>alert(1)</script>"] * len(songs)
    pl.DataFrame(columns).write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), validation=0.2, test=0.2)
    (folder / "quick.toml").write_text(PLAN)
    return folder / "corpus"


@pytest.fixture(scope="module")
def studied(corpus: Path) -> Studied:
    found = study(str(corpus.parent / "quick.toml"), str(corpus), out=str(corpus.parent / "study"), **STEPS)
    assert isinstance(found, Studied)
    return found


def test_the_study_directory_is_what_the_design_says(studied: Studied) -> None:
    results = json.loads((studied.path / "results.json").read_text(encoding="utf-8"))
    assert {"picked", "chosen_by", "target", "condition", "split_by", "baselines", "recipes", "songs"} <= set(results)
    assert (results["target"], results["condition"], results["task"]) == ("lyrics", ["genre"], "write")
    for line in results["recipes"]:
        assert {"name", "recipe", "parameters", "seconds", "validation", "test"} <= set(line)
        assert {"fluency", "originality", "songcraft", "obedience"} <= set(line)
        assert line["fluency"]["judges"]["n-grams"]["recognised"]["n"] > 0
        assert line["test"]["n"] == results["songs"]["test"]
        assert line["steps"] == 3  # the budget of the command line, not that of the plan
    assert [line["name"] for line in results["baselines"]] == ["PPMd"]
    with (studied.path / "results.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["name"] for row in rows] == ["gru & <b>more</b>", "lstm-lm", "PPMd"]
    assert float(rows[0]["test_bits_per_byte"]) == pytest.approx(
        results["recipes"][0]["test"]["bits_per_byte"]["value"], abs=1e-5
    )


def test_a_reported_writer_is_rerun_beside_the_lines(studied: Studied) -> None:
    (model,) = studied.results["replication"]["models"]
    rows = {row["protocol"]: row for row in model["rows"]}
    assert list(rows) == ["report", "reported", "honest", "right"]
    assert {row["measure"] for row in model["rows"]} == {"accuracy", "bits_per_byte"}
    assert rows["honest"]["bits_per_byte"] > 0
    assert rows["right"]["line"] == studied.results["picked"]
    assert f"; {rows['honest']['bits_per_byte']:.3f} bits per byte" in studied.summary()
    assert "The reports, rerun and done right" in studied.report.read_text()


def test_reported_writers_are_rerun_alone_and_missing_weights_are_named(corpus: Path, tmp_path: Path) -> None:
    plan = (
        "[[recipes]]\nrecipe = 'ngram'\n[common]\nreport = 'An invented report'\n"
        "protocol = { epochs = 0, library = 'pretrained' }"
        f"\n[[reported]]\nname = 'there'\nrecipe = 'causal'\nmeasure = 'perplexity'\nvalue = 9.0"
        f"\noptions = {{ model = '{gpt2_model(tmp_path / 'gpt2', ['la la land'] * 9)}' }}"
        f"\n[[reported]]\nname = 'gone'\nrecipe = 't5'\noptions = {{ model = '{tmp_path / 'gone'}' }}\n"
    )
    (tmp_path / "plan.toml").write_text(plan)
    found = study(
        str(tmp_path / "plan.toml"), str(corpus), out=str(tmp_path / "out"), condition="genre", protocol="honest"
    )
    assert isinstance(found, Studied)
    there, gone = found.results["replication"]["models"]
    assert [row["protocol"] for row in there["rows"]] == ["report", "reported", "honest"]
    assert {row["measure"] for row in there["rows"]} == {"perplexity"}
    assert [row["protocol"] for row in gone["rows"]] == ["report"]
    assert "The line 'gone' was left out: " in found.summary()
    assert " perplexity (" in found.summary()
    assert_redrawn(found.path, tmp_path)


def test_real_songs_are_read_like_written_ones(studied: Studied) -> None:
    real = studied.results["fluency"]
    assert list(real["about"]) == list(real["judges"]) == ["n-grams"]
    for name, rounds in studied.results["game"].items():
        written = {song["text"] for song in samples(studied.path / "runs" / studied.results["directories"][name])}
        assert 0 < len(rounds) <= 6
        for each in rounds:
            assert each["songs"][1 - each["real"]] in written
            assert each["songs"][each["real"]] not in written


def test_a_writer_is_picked_by_what_validation_costs(studied: Studied) -> None:
    cost = {line["name"]: line["validation"]["bits_per_byte"]["value"] for line in studied.results["recipes"]}
    assert studied.results["picked"] == min(cost, key=cost.__getitem__)
    assert studied.results["chosen_by"] == "validation bits per byte"
    assert "PPMd" not in cost
    other = next(name for name in cost if name != studied.results["picked"])
    test = studied.results["tests"]["against"][other]
    assert test["low"] <= test["difference"] <= test["high"]
    assert studied.results["picked"] in studied.summary()
    assert "Every writer is recognisable as generated" in studied.results["verdict"]  # after three steps
    assert "recognised as generated" in studied.summary()


def test_songs_are_written_for_each_condition_and_read(studied: Studied) -> None:
    for directory in studied.results["directories"].values():
        written = samples(studied.path / "runs" / directory)
        assert {song["given"]["genre"] for song in written} == {"folk", "pop", "rap", "rock"}
    for line in studied.results["recipes"]:
        assert line["originality"]["n"] == len(written)
        assert line["obedience"]["genre"]["written"]["n"] == len(written)


def test_the_report_is_self_contained_and_harmless(studied: Studied) -> None:
    html = (studied.path / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == 1  # the page's own
    assert "<b>more</b>" not in html
    for outside in ('src="http', "url(http", "<link", "@import"):
        assert outside not in html
    sections = ("Real or generated", "Which is real?", "Originality", "Songcraft", "Conditioning accuracy: genre")
    for told in ("PPMd", *sections, "the first 100 steps"):
        assert told in html
    assert "Not shown for" in html  # conditioning accuracy of salad


def test_an_interrupted_study_fits_only_what_is_missing(
    corpus: Path, studied: Studied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fitted = WritingTask.learn, []

    def counting(task: Any, recipe: str, *a: Any, **k: Any) -> Any:
        fitted.append(recipe)
        if fitted == ["gru", "lstm-lm"]:
            raise KeyboardInterrupt
        return real(task, recipe, *a, **k)

    monkeypatch.setattr(WritingTask, "learn", counting)
    plan, out = str(corpus.parent / "quick.toml"), str(tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        study(plan, str(corpus), out=out, **STEPS)
    resumed = study(plan, str(corpus), out=out, **STEPS, resume=True)
    assert fitted == ["gru", "lstm-lm", "lstm-lm"]
    assert isinstance(resumed, Studied)
    for again, first in zip(resumed.results["recipes"], studied.results["recipes"], strict=True):
        assert {k: again[k] for k in ("test", "originality")} == {k: first[k] for k in ("test", "originality")}
        assert again["fluency"]["judges"] == first["fluency"]["judges"]


def test_a_line_whose_weights_are_not_there_is_left_out_with_a_note(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = WritingTask.learn

    def missing(task: Any, recipe: str, *a: Any, **k: Any) -> Any:
        if recipe == "lstm-lm":
            raise LyristError("There are no weights; get them from <i>the hub</i>.")
        return real(task, recipe, *a, **k)

    monkeypatch.setattr(WritingTask, "learn", missing)
    plan = tmp_path / "p.toml"
    plan.write_text(PLAN)
    with pytest.raises(LyristError, match="no weights"):
        study(str(plan), str(corpus), out=str(tmp_path / "s"), condition="", **STEPS)
    plan.write_text(PLAN.replace('recipe = "lstm-lm"', 'recipe = "lstm-lm"\noptional = true'))
    found = study(str(plan), str(corpus), out=str(tmp_path / "s"), condition="", **STEPS)
    assert isinstance(found, Studied)
    assert "'lstm-lm' was left out: There are no weights" in found.summary()
    assert found.results["condition"] == []
    html = (found.path / "report.html").read_text(encoding="utf-8")
    assert "left out" in html
    assert "<i>the" not in html
    assert "Conditioning accuracy" not in html


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"target": "artist"}, "do not predict the artist"),
        ({"repeats": 3}, "--repeats is not for studies of writers"),
        ({"learning_curve": True}, "--learning-curve is not for"),
        ({"only": "rap"}, "--only is not for"),
        ({"condition": "mood"}, "target column 'mood'"),
        ({"condition": "year"}, "--year"),
        ({"steps": 2, "minutes": 1.0}, "not both"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_sentence(
    corpus: Path, tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(LyristError, match=says):
        study(str(corpus.parent / "quick.toml"), str(corpus), out=str(tmp_path / "s"), **more)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("plan", [plan for plan in plans() if plan.task == "write"], ids=lambda plan: plan.name)
def test_every_shipped_study_of_writers_can_be_fitted_in_a_quarter_of_an_hour(plan: Plan) -> None:
    assert plan.summary
    assert plan.condition
    recipes = [entry.recipe for entry in plan.recipes]
    assert recipes[0] == "ngram"  # what costs nothing stands first
    minutes = 0.0
    for entry in plan.recipes:
        assert registry.get(entry.recipe).task == "write"
        _, _, schedule = configure(entry.recipe, Request(plan, "corpus", Selection(), {}).options(entry), task="write")
        minutes += (schedule.minutes or 0) if not entry.optional else 0
    assert 5 <= minutes <= 10
    assert {entry.recipe for entry in plan.recipes if entry.optional} == {"causal", "t5"}


def test_a_study_of_classifiers_takes_no_condition(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="studies of writers"):
        study("ladder", str(corpus), out=str(tmp_path / "s"), condition="genre")


def test_a_study_is_for_one_task(tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text('[[recipes]]\nrecipe = "gru"\n[[recipes]]\nrecipe = "char-svm"')
    with pytest.raises(LyristError, match="one task"):
        load(str(plan))


def test_a_budget_that_is_given_takes_the_place_of_the_plans() -> None:
    entry = Entry("gru", options={"minutes": 2, "hidden": 8})
    plan = Plan("mine", "", (entry,))
    assert Request(plan, "", Selection(), {"steps": 5, "minutes": None}).options(entry) == {"hidden": 8, "steps": 5}
    assert Request(plan, "", Selection(), {"batch_size": 4}).options(entry) == {
        "minutes": 2,
        "hidden": 8,
        "batch_size": 4,
    }


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("Oh -- don't you\nKNOW, my love?", "dont you know my", "don't you\nKNOW, my"),
        ("so-so so so", "so so so", "so-so so"),
        ("nothing here", "not there", None),
        ("the artist", "art", None),
        ("", "", None),
    ],
)
def test_a_copied_run_is_found_in_the_text_as_it_was_written(text: str, words: str, marked: str | None) -> None:
    found = span(text, words)
    assert (text[slice(*found)] if found else None) == marked


def test_the_report_is_drawn_from_disk_without_a_model(studied: Studied, tmp_path: Path) -> None:
    assert_redrawn(studied.path, tmp_path)
