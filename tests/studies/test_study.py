"""A study compares recipes on the same songs, picks on validation, goes on after an interruption, and tells it all."""

import csv
import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from redrawing import assert_redrawn

from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.evaluation.classify import classify
from lyrist.evaluation.evaluate import evaluate
from lyrist.studies.compare import compare
from lyrist.studies.study import Studied, report, study
from lyrist.training.classification_task import ClassificationTask
from lyrist.training.runs import open_run
from lyrist.training.train import train
from songtables.fouracts import songbook

PLAN = """
summary = "Quick ones."
[[recipes]]
recipe = "majority"
[[recipes]]
recipe = "layout"
[[recipes]]
recipe = "artist-lookup"
unless_target = ["artist"]
[[recipes]]
name = "words & <b>more</b>"
recipe = "tfidf-logistic"
[[recipes]]
recipe = "lstm"
options = { steps = 6, hidden = 8, embedding_size = 8 }
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus where a genre has three artists each, and one title is hostile."""
    folder = tmp_path_factory.mktemp("study")
    songs = songbook()
    frame = pl.DataFrame(
        {
            "artist": [f"{song.artist} {number % 3}" for number, song in enumerate(songs)],
            "title": ["<script>alert(1)</script>", *(song.title for song in songs[1:])],
            "genre": [song.genre for song in songs],
            "lyrics": [song.lyrics for song in songs],
        }
    )
    frame.write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), validation=0.2, test=0.2)
    (folder / "quick.toml").write_text(PLAN)
    return folder / "corpus"


@pytest.fixture(scope="module")
def studied(corpus: Path) -> Studied:
    return study(str(corpus.parent / "quick.toml"), str(corpus), out=str(corpus.parent / "study"), target="genre")


def test_the_study_directory_is_what_the_design_says(studied: Studied) -> None:
    results = json.loads((studied.path / "results.json").read_text())
    assert {"picked", "chosen_by", "target", "split_by", "majority", "recipes"} <= set(results)
    names = [line["name"] for line in results["recipes"]]
    assert names == ["majority", "layout", "artist-lookup", "words & <b>more</b>", "lstm"]
    for line in results["recipes"]:
        assert {"name", "recipe", "parameters", "seconds", "validation", "test"} <= set(line)
        assert line["test"]["accuracy"]["low"] <= line["test"]["accuracy"]["value"] <= line["test"]["accuracy"]["high"]
        assert line["test"]["n"] == results["songs"]["test"]
    with (studied.path / "results.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2 * len(names)  # by song and by artist
    assert float(rows[0]["test_accuracy"]) == pytest.approx(
        results["recipes"][0]["test"]["accuracy"]["value"], abs=1e-6
    )


def test_songs_with_a_doubtful_label_are_listed(studied: Studied) -> None:
    found, songs = studied.results["doubtful"], studied.results["songs"]
    assert found["column"] == "genre"
    assert found["read"] == songs["validation"] + songs["test"]
    table = pl.read_csv(studied.path / "doubtful.csv")
    assert table["id"].to_list() == [row["id"] for row in found["list"]]
    assert len(table) == found["listed"]


def test_songs_of_unknown_artists_are_compared_with_those_of_known_ones(studied: Studied) -> None:
    found = studied.results["out_of_domain"]
    area = found["unseen_artists"]
    assert 0 <= area["low"] <= area["value"] <= area["high"] <= 1
    assert area["n"] > 0
    assert area["against"] <= studied.results["songs"]["test"]
    assert found["artists"] > 0
    assert found["other_languages"] is None  # the songbook is in English
    assert "Songs unlike the training songs" in studied.report.read_text(encoding="utf-8")


def test_the_recipe_is_picked_on_validation(studied: Studied) -> None:
    controls = ("majority", "layout", "artist-lookup")  # they are there to be beaten, not to be picked
    lines = [line for line in studied.results["recipes"] if line["recipe"] not in controls]
    losses = {line["name"]: line["validation"]["loss"] for line in lines}
    assert studied.results["picked"] == min(losses, key=losses.__getitem__)
    assert studied.results["chosen_by"] == "validation loss"
    assert studied.results["selection"]["name"] == studied.results["picked"]
    assert studied.results["selection"]["reason"] in studied.summary()


def test_the_selected_recipe_is_fitted_again_on_validation_songs_too(studied: Studied, corpus: Path) -> None:
    results, picked = studied.results, studied.results["picked"]
    refit, first = results["refit"], next(line for line in results["recipes"] if line["name"] == picked)
    assert refit["songs"] == results["songs"]["train"] + results["songs"]["validation"]
    assert refit["test"]["n"] == first["test"]["n"]
    run = open_run(studied.path / refit["run"])
    assert run.info["fitted_on"] == ["train", "validation"]
    assert run.results["validation"] == first["validation"]  # its own model has seen these songs
    assert evaluate(str(run.path)).figures()["accuracy"] == refit["test"]["accuracy"]
    assert "used for training" in evaluate(str(run.path), split="validation").figures()["note"]
    assert "fitted again on" in studied.summary()
    assert "fitted again on all" in studied.report.read_text()


def test_a_control_that_does_as_well_is_told(studied: Studied) -> None:
    lines = {line["recipe"]: line["validation"]["loss"] for line in studied.results["recipes"]}
    better = [name for name in ("majority", "layout", "artist-lookup") if lines[name] <= lines["tfidf-logistic"]]
    told = [note for note in studied.results["notes"] if "The baseline" in note]
    assert "artist-lookup" in better
    assert [name for name in better if any(f"'{name}'" in note for note in told)] == better
    assert len(told) == len(better)


def test_a_genre_study_reports_both_splits(studied: Studied) -> None:
    other = studied.results["other_split"]
    assert (studied.results["split_by"], other["split_by"]) == ("song", "artist")
    by_artist = {line["name"]: line["test"]["accuracy"]["value"] for line in other["recipes"]}
    by_song = {line["name"]: line["test"]["accuracy"]["value"] for line in studied.results["recipes"]}
    assert by_song["artist-lookup"] == 1.0  # the artist gives the genre away ...
    assert by_artist["artist-lookup"] < 0.6  # ... unless the artist is new


def test_the_report_is_self_contained_and_harmless(studied: Studied) -> None:
    html = (studied.path / "report.html").read_text(encoding="utf-8")
    assert "Hardest: predicted wrongly" in html
    assert "<script>alert" not in html
    assert "<b>more</b>" not in html
    for outside in ('src="http', "url(http", '<link rel="stylesheet"', "@import"):
        assert outside not in html
    assert all(line["name"].split()[0] in html for line in studied.results["recipes"])
    assert "global step" in html


def test_an_interrupted_study_goes_on_where_it_stood(
    corpus: Path, studied: Studied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fitted = ClassificationTask.learn, []

    def counting(task: Any, recipe: str, *a: Any, **k: Any) -> Any:
        fitted.append(recipe)
        if recipe == "tfidf-logistic" and fitted.count(recipe) == 1:
            raise KeyboardInterrupt
        return real(task, recipe, *a, **k)

    monkeypatch.setattr(ClassificationTask, "learn", counting)
    arguments: dict[str, Any] = {"out": str(tmp_path / "s"), "target": "genre", "other_split": False}
    with pytest.raises(KeyboardInterrupt):
        study(str(corpus.parent / "quick.toml"), str(corpus), **arguments)
    assert not (tmp_path / "s").exists()
    resumed = study(str(corpus.parent / "quick.toml"), str(corpus), **arguments, resume=True)
    assert fitted == [
        "majority",
        "layout",
        "artist-lookup",
        "tfidf-logistic",
        "tfidf-logistic",
        "lstm",
        "tfidf-logistic",  # again, on training and validation songs
        "tfidf-logistic",  # without some artists, for the out-of-domain score
    ]
    same = [{k: line[k] for k in ("name", "validation", "test")} for line in resumed.results["recipes"]]
    assert same == [{k: line[k] for k in ("name", "validation", "test")} for line in studied.results["recipes"]]


def test_a_saved_run_scores_and_labels_as_when_it_was_fitted(studied: Studied, corpus: Path) -> None:
    for name in ("words-b-more-b", "lstm"):
        run = studied.path / "runs" / name
        saved = json.loads((run / "results.json").read_text())["test"]
        for batch_size in (1, 64):
            again = evaluate(str(run), str(corpus), batch_size=batch_size).scores
            assert again["accuracy"] == saved["accuracy"]
            assert again["loss"] == pytest.approx(saved["loss"], abs=1e-6)
        test = Corpus.open(corpus).songs("test")
        told = classify(str(run), *test["lyrics"][:5], explain=True)
        predicted = pl.read_parquet(run / "predictions" / "test.parquet").sort("id")
        assert [label.label for label in told.labels] == predicted["prediction"][:5].to_list()
        assert all(np.isclose(sum(label.probabilities.values()), 1) for label in told.labels)
        assert all(label.explanation is not None and label.explanation.words for label in told.labels)


def test_the_words_that_decided_are_marked_on_a_page(studied: Studied, tmp_path: Path) -> None:
    run = str(studied.path / "runs" / "words-b-more-b")
    found = classify(run, "the harbour <i>and</i> the tide, the ferryman's bell", html=str(tmp_path / "w.html"))
    html = (tmp_path / "w.html").read_text(encoding="utf-8")
    assert "<mark" in html
    assert "<i>and" not in html
    assert str(tmp_path / "w.html") in found.summary()


def test_the_run_directory_is_what_the_design_says(studied: Studied) -> None:
    run = studied.path / "runs" / "lstm"
    names = {path.name for path in run.iterdir()}
    assert names == {"run.json", "metrics.jsonl", "results.json", "model", "predictions", "curves.svg"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        p.name for p in (run / "model").iterdir()
    }
    info = json.loads((run / "run.json").read_text())
    assert {
        "recipe",
        "task",
        "target",
        "config",
        "fingerprint",
        "parameters",
        "seconds",
        "steps",
        "tokens",
        "device",
        "versions",
        "seed",
    } <= set(info)


def test_runs_are_compared(studied: Studied, tmp_path: Path) -> None:
    runs = [str(studied.path / "runs" / name) for name in ("layout", "words-b-more-b")]
    found = compare(*runs, out=str(tmp_path / "c.html"))
    assert "McNemar" in found.summary()
    assert "layout" in (tmp_path / "c.html").read_text()
    other = str(studied.path / "runs" / "by-artist" / "layout")
    assert "different splits" in compare(runs[0], other).summary()


def test_the_pick_is_tested_in_pairs_on_both_splits(studied: Studied) -> None:
    found = studied.results
    for part in (found, found["other_split"]):
        lines = {line["name"]: line["test"] for line in part["recipes"]}
        assert part["tests"]["first"] == found["picked"]
        assert set(part["tests"]["against"]) == set(lines) - {found["picked"]}
        for name, test in part["tests"]["against"].items():
            ours, theirs = lines[found["picked"]], lines[name]
            assert test["difference"] == pytest.approx(ours["accuracy"]["value"] - theirs["accuracy"]["value"])
            f1 = test["macro_f1"]
            assert f1["difference"] == pytest.approx(ours["macro_f1"] - theirs["macro_f1"])
            assert f1["low"] <= f1["difference"] <= f1["high"]
            assert f1["p_holm"] >= f1["p"] > 0


def test_repeats_and_the_learning_curve(corpus: Path, tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(
        '[[recipes]]\nrecipe = "majority"\n[[recipes]]\nrecipe = "layout"\n[[recipes]]\nrecipe = "complement-nb"'
    )
    found = study(
        str(plan),
        str(corpus),
        out=str(tmp_path / "s"),
        target="genre",
        repeats=3,
        learning_curve=True,
        other_split=False,
    )
    repeats = found.results["repeats"]
    assert repeats["n"] == 3
    for line in repeats["recipes"]:
        values = line["accuracy"]["values"]
        assert line["all_songs"]["n"] == sum(found.results["songs"].values())  # every song is tested once
        assert min(values) <= line["all_songs"]["accuracy"]["value"] <= max(values)
        assert line["accuracy"]["mean"] == pytest.approx(np.mean(values))
        assert line["accuracy"]["sd"] == pytest.approx(np.std(values, ddof=1))
    assert len(set(repeats["recipes"][2]["accuracy"]["values"])) > 1  # other splits, other figures
    for test in (repeats["against"]["majority"], repeats["against"]["majority"]["macro_f1"]):
        assert test["p_holm"] >= test["p"]
    means = {line["name"]: line["macro_f1"]["mean"] for line in repeats["recipes"]}
    behind = repeats["against"]["majority"]["macro_f1"]["mean"]
    assert behind == pytest.approx(means[repeats["best"]] - means["majority"])
    curve = [point for point in found.results["learning_curve"] if point["name"] == "complement-nb"]
    assert [point["songs"] for point in curve] == sorted(point["songs"] for point in curve)
    assert len(curve) == 4
    assert curve[-1]["accuracy"] == found.results["recipes"][2]["test"]["accuracy"]
    html = (found.path / "report.html").read_text(encoding="utf-8")
    assert "Over several splits" in html
    assert "Learning curve" in html
    assert list((found.path / "scores").iterdir())  # so that --resume need not fit them again


def test_one_split_of_few_songs_is_not_enough_and_that_is_said(studied: Studied) -> None:
    assert any("--repeats 5" in note for note in studied.results["notes"])


def test_the_cost_of_a_prediction_is_reported(studied: Studied) -> None:
    for line in studied.results["recipes"]:
        assert line["prediction"]["songs"] == line["validation"]["n"] + line["test"]["n"]
        assert line["prediction"]["cpu_seconds"] >= 0
    with (studied.path / "results.csv").open() as handle:
        assert all(float(row["prediction_ms"]) >= 0 for row in csv.DictReader(handle))
    assert "ms a song" in studied.report.read_text()


def test_a_time_limit_holds_for_the_whole_study(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("lyrist.studies.comparison.time", SimpleNamespace(monotonic=lambda: now[0]))
    real = ClassificationTask.learn

    def slow(task: Any, recipe: str, *a: Any, **k: Any) -> Any:
        now[0] += {"tfidf-logistic": 20.0, "complement-nb": 30.0}.get(recipe, 1.0)
        return real(task, recipe, *a, **k)

    monkeypatch.setattr(ClassificationTask, "learn", slow)
    plan = tmp_path / "p.toml"
    names = ["tfidf-logistic", "complement-nb", "char-svm", "majority"]
    plan.write_text("".join(f'[[recipes]]\nrecipe = "{name}"\n' for name in names))
    arguments: dict[str, Any] = {"target": "genre", "other_split": False, "time_limit": "1m"}
    found = study(str(plan), str(corpus), out=str(tmp_path / "s"), **arguments)
    # 43 of 60 seconds are for the lines: after 1 + 20 + 30 no other linear recipe, nor the last fit, is expected to fit in
    assert [line["name"] for line in found.results["recipes"]] == ["tfidf-logistic", "complement-nb", "majority"]
    assert any("'char-svm' was left out: it did not fit in the time limit" in note for note in found.results["notes"])
    assert "refit" not in found.results
    assert any("was not fitted again" in note for note in found.results["notes"])


@pytest.mark.parametrize("limit", ["", "10", "m", "0m", "-1m", "1 day"])
def test_a_time_limit_that_is_no_duration_is_refused(limit: str, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="such as 90s, 10m or 1h"):
        study("ladder", str(corpus), out=str(tmp_path / "s"), time_limit=limit)


def test_the_report_tells_the_commands_that_do_it_again(corpus: Path) -> None:
    plan, out = str(corpus.parent / "again.toml"), str(corpus.parent / "again")
    Path(plan).write_text(
        '[[recipes]]\nname = "all words"\nrecipe = "complement-nb"\n[[recipes]]\nrecipe = "majority"\n'
    )
    found = study(
        plan,
        str(corpus),
        out=out,
        target="genre",
        only="rap,folk",
        max_songs=60,
        choose_by="macro_f1",
        other_split=False,
    )
    page = (found.path / "report.html").read_text(encoding="utf-8").split("How to run it again")[-1]
    lines = unescape(re.sub(r"</.*", "", page[page.index("lyrist study") :], flags=re.DOTALL)).strip().splitlines()
    again, scored, labelled = map(shlex.split, lines)
    assert again[:4] == ["lyrist", "study", plan, str(corpus)]
    options = "--target genre --only rap,folk --max-songs 60 --choose-by macro_f1 --no-other-split --seed 0 --out"
    assert again[4:] == [*options.split(), out]
    assert Path(scored[2]).is_dir()
    assert labelled[2] == scored[2]


def test_some_labels_only(corpus: Path, tmp_path: Path) -> None:
    fitted = train("layout", str(corpus), out=str(tmp_path / "r"), target="genre", only="rap,folk")
    assert fitted.run.info["classes"] == ["folk", "rap"]
    with pytest.raises(LyristError, match="rap"):
        train("layout", str(corpus), out=str(tmp_path / "r2"), target="genre", only="rapp")


def test_a_report_is_drawn_from_disk_without_a_model(
    studied: Studied, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, found = assert_redrawn(studied.path, tmp_path)
    drawn = (copy / "report.html").read_text(encoding="utf-8")
    assert found.results == studied.results
    assert drawn.count("<svg") > 3
    assert "Words that decide" in drawn
    elsewhere = tmp_path / "page.html"
    report(str(copy), out=str(elsewhere))
    assert elsewhere.read_text(encoding="utf-8") == drawn


def test_a_finished_study_is_resumed_without_fitting_or_opening_a_model(
    studied: Studied, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "study"
    shutil.copytree(studied.path, copy)
    for folder in copy.rglob("model"):
        shutil.rmtree(folder)

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(ClassificationTask, "learn", never)
    plan = str(corpus.parent / "quick.toml")
    (copy / "report.html").unlink()
    again = study(plan, str(corpus), out=str(copy), target="genre", resume=True)
    assert again.results == studied.results
    assert (copy / "report.html").is_file()
    with pytest.raises(AssertionError):  # another seed is another study
        study(plan, str(corpus), out=str(copy), target="genre", seed=1, resume=True)


def test_a_study_that_cannot_be_redrawn_is_refused(studied: Studied, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="no study directory"):
        report(str(tmp_path / "none"))
    old = tmp_path / "old"
    old.mkdir()
    results = {key: value for key, value in studied.results.items() if key != "format"}
    (old / "results.json").write_text(json.dumps(results))
    with pytest.raises(LyristError, match="earlier or later version"):
        report(str(old))
    (old / "results.json").write_text(json.dumps({**studied.results, "fingerprint": "other"}))
    with pytest.raises(LyristError, match="has changed"):
        report(str(old))


def test_songs_that_name_their_label_are_scored_apart(tmp_path: Path) -> None:
    rows = []
    for number, song in enumerate(songbook()[:90]):
        artist = ("Ann Gravel", "The Low Tides", "Bob & Cleo")[number % 3]
        rows.append({"artist": artist, "lyrics": f"{artist} sings\n{song.lyrics}" if number % 2 else song.lyrics})
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "corpus"), validation=0.2, test=0.3)
    (tmp_path / "named.toml").write_text("[[recipes]]\nrecipe = 'majority'\n[[recipes]]\nrecipe = 'label-mention'\n")
    done = study(str(tmp_path / "named.toml"), str(tmp_path / "corpus"), out=str(tmp_path / "study"), target="artist")
    found = json.loads((done.path / "results.json").read_text())["mentions"]
    assert found["n"] == 27
    assert 8 <= found["named"] <= 20
    mention = next(line for line in found["recipes"] if line["name"] == "label-mention")
    assert mention["named"] == {"n": found["named"], "accuracy": {**mention["named"]["accuracy"], "value": 1.0}}
    assert mention["others"]["accuracy"]["value"] < 0.7
    assert f"{found['named']} of 27 test songs name their artist" in done.summary()
    assert "Songs that name their artist" in (done.path / "report.html").read_text(encoding="utf-8")
    hidden = study(
        str(tmp_path / "named.toml"),
        str(tmp_path / "corpus"),
        out=str(tmp_path / "h"),
        target="artist",
        mask_labels=True,
    )
    assert hidden.results["mentions"]["named"] == 0
    assert "--mask-labels" in hidden.results["plan"]["command"]
    mention = next(line for line in hidden.results["recipes"] if line["name"] == "label-mention")
    majority = hidden.results["majority"]["accuracy"]["value"]
    assert mention["test"]["accuracy"]["value"] == majority


def test_prediction_sets_are_reported_for_every_recipe(studied: Studied) -> None:
    for line in studied.results["recipes"]:
        sets = line["test"]["prediction_sets"]
        assert sets["target"] == 0.9
        assert sets["n"] == line["test"]["n"]
        assert sets["coverage"]["low"] <= sets["coverage"]["value"] <= sets["coverage"]["high"]
        assert 0 <= sets["mean_size"]["value"] <= len(studied.results["classes"])
        assert sum(each["n"] for each in sets["by_class"].values()) == sets["n"]
    assert "Prediction sets" in (studied.path / "report.html").read_text(encoding="utf-8")
