"""Runs and studies of pictures: fitted, scored, opened again, asked, resumed; bad input is told in one sentence."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from redrawing import assert_redrawn

import lyrist
from lyrist.cli import run as command
from lyrist.errors import LyristError, UsageError
from lyrist.models import registry
from lyrist.studies import picture_study
from lyrist.studies.comparison import Request
from lyrist.studies.picture_study import transfer_gains
from lyrist.studies.plans import load
from lyrist.studies.study import Studied
from lyrist.training.image_training import PictureModel
from lyrist.training.train import Fitted, Selection

PLAN = """
name = "tiny"
summary = "tiny"
[[recipes]]
recipe = "cnn-relu"
options = { channels = [4, 6], hidden = 8 }
[[recipes]]
recipe = "autoencoder"
options = { channels = [4, 6], dense = 8, code = 4 }
[[recipes]]
recipe = "autoencoder-classifier"
options = { source = "autoencoder", hidden = 8 }
[[recipes]]
recipe = "fast-resnet"
options = { channels = [64, 96] } # so wide that others have been validated by the time that it is done
[[recipes]]
name = "scratch"
recipe = "cnn-relu"
options = { block = "2", curve = true, channels = [4, 6], hidden = 8 }
[[recipes]]
name = "moved"
recipe = "transfer"
options = { block = "2", source = "cnn-relu", curve = true, instead_of = "scratch", hidden = 8 }
[common]
report = "An invented report"
protocol = { epochs = 2, batch_size = 32, library = "keras" }
[[reported]]
name = "code"
recipe = "autoencoder"
measure = "mse"
right = "autoencoder"
options = { channels = [4], dense = 8, code = 4 }
[[reported]]
name = "features"
recipe = "transfer"
source = "code"
block = "2"
value = 0.5
right = "moved"
options = { dropout = 0.5, hidden = 8 }
"""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of discs, boxes and bars in two colours each, with a broken file and a copy."""
    root, rng = tmp_path_factory.mktemp("pictures") / "set", np.random.default_rng(0)
    for shape in ("disc", "box", "bar"):
        for colour in ("red", "blue"):
            folder = root / f"{colour} {shape}"
            folder.mkdir(parents=True)
            for number in range(14):
                picture = Image.new("RGB", (24, 18), tuple(int(v) for v in rng.integers(0, 90, 3)))
                x, y, size = (int(v) for v in rng.integers(1, 8, 3))
                box = (x, y, x + size + 4, y + (3 if shape == "bar" else size + 4))
                pen = ImageDraw.Draw(picture)
                (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=colour)
                picture.save(folder / f"{number:02d}.png")
    (root / "red disc" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def studied(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Studied:
    folder = tmp_path_factory.mktemp("study")
    (folder / "tiny.toml").write_text(PLAN)
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_study, "SIZES", (3,))
        found = lyrist.study(str(folder / "tiny.toml"), str(drawn), out=str(folder / "out"), steps=8, batch_size=16)
    assert isinstance(found, Studied)
    return found


def test_a_study_has_a_figure_with_an_interval_for_every_line(studied: Studied) -> None:
    results = studied.results
    assert {"picked", "chosen_by", "target", "split_by", "majority", "recipes", "blocks"} <= set(results)
    first, second = (set(results["blocks"][part]["classes"]) for part in ("1", "2"))
    assert not first & second
    assert sorted(first | second) == results["classes"]
    for line in results["recipes"]:
        assert line["parameters"] > 0
        assert line["pictures_per_second"] > 0
        for part in ("validation", "test"):
            shares = [line[part]["mse"]] if line["recipe"] == "autoencoder" else [
                line[part]["accuracy"], line[part]["top5"]
            ]  # fmt: skip
            assert all(share["low"] <= share["value"] <= share["high"] for share in shares)
    assert json.loads((studied.path / "results.json").read_text()) == json.loads(json.dumps(results))
    rows = (studied.path / "results.csv").read_text().splitlines()
    assert len(rows) == 1 + len(results["recipes"])


def test_reported_pictures_are_rerun_by_their_protocols(studied: Studied) -> None:
    code, features = studied.results["replication"]["models"]
    assert [row["measure"] for row in code["rows"]] == ["mse"] * 4
    assert [row["value"] for row in code["rows"][1:3]] == [
        code["rerun"][way]["mse"]["value"] for way in ("biased", "honest")
    ]
    assert [row["measure"] for row in features["rows"]] == ["accuracy"] * 4
    assert "mean squared error (" in studied.summary()
    networks: list[Any] = [
        PictureModel.load(studied.path / "reported" / name / "model").network for name in ("features", "code")
    ]
    body, source = (network.body for network in networks)
    for name, weights in source.named_parameters():  # the features are read as they are
        assert torch.equal(body.get_parameter(name), weights)


def test_transfer_is_compared_at_each_number_of_pictures(studied: Studied) -> None:
    transfer = studied.results["transfer"]
    most = max(point["per_class"] for point in transfer["points"])
    assert {(p["name"], p["per_class"]) for p in transfer["points"]} == {
        (name, size) for name in ("scratch", "moved") for size in (3, most)
    }
    assert [(gain["name"], gain["per_class"]) for gain in transfer["gains"]] == [("moved", 3), ("moved", most)]
    assert all(sentence in studied.summary() for sentence in studied.results["findings"])


def test_the_report_shows_it_all_and_reaches_for_nothing(studied: Studied) -> None:
    html = (studied.path / "report.html").read_text()
    for text in ("At equal time", "Gain of transfer", "global step", "Confusion", "Reconstructions", "broken.png"):
        assert text in html
    assert "top-5" not in html + studied.summary()  # blocks have three classes
    assert "data:image/png;base64," in html
    assert "://" not in html.replace("http://www.w3.org/", "")


def test_the_report_is_accessible(studied: Studied, check_report: Callable[[Path], None]) -> None:
    check_report(studied.path / "report.html")


def test_runs_are_model_directories_that_are_evaluated_and_asked(studied: Studied, drawn: Path, tmp_path: Path) -> None:
    run = studied.path / "runs" / "cnn-relu"
    for name in ("run.json", "results.json", "metrics.jsonl", "curves.svg", "model/config.json", "model/README.md"):
        assert (run / name).is_file()
    info = json.loads((run / "run.json").read_text())
    assert (info["task"], info["block"], info["steps"]) == ("picture", "1", 8)
    wanted = json.loads((run / "results.json").read_text())["test"]
    for batch_size in (7, 256):
        scores = lyrist.evaluate(str(run), batch_size=batch_size).scores
        assert scores["accuracy"] == wanted["accuracy"]
        assert scores["loss"] == pytest.approx(wanted["loss"], abs=1e-4)
    picture = next((drawn / info["classes"][0]).glob("*.png"))
    page = tmp_path / "page.html"
    found = lyrist.classify(str(run), str(picture), str(drawn / "red disc"), html=str(page))
    assert found.answers[0][0] == str(picture)
    assert sum(found.answers[0][1].values()) == pytest.approx(1)
    assert [Path(name).name for name, _ in found.rejected] == ["broken.png"]
    assert "broken.png" in found.summary()
    assert "data:image/png" in page.read_text()


def test_an_autoencoder_is_scored_against_the_mean_picture(studied: Studied) -> None:
    run = studied.path / "runs" / "autoencoder"
    scores = lyrist.evaluate(str(run), split="validation").scores
    assert scores["mse"]["value"] == pytest.approx(
        json.loads((run / "results.json").read_text())["validation"]["mse"]["value"]
    )
    assert scores["mean_mse"] > 0
    with pytest.raises(LyristError, match="predicts no class"):
        lyrist.classify(str(run), "x.png")


def test_other_pictures_are_scored_with_a_note(studied: Studied, drawn: Path, tmp_path: Path) -> None:
    run = studied.path / "runs" / "cnn-relu"
    shutil.copytree(drawn, tmp_path / "other")
    (tmp_path / "other" / "red disc" / "00.png").unlink()
    found = lyrist.evaluate(str(run), str(tmp_path / "other"))
    assert "not the pictures the run was fitted on" in found.summary()
    for folder in list((tmp_path / "other").iterdir()):
        folder.rename(folder.with_name(f"x{folder.name}"))
    with pytest.raises(LyristError, match="No picture in the test split"):
        lyrist.evaluate(str(run), str(tmp_path / "other"))


def test_a_study_that_was_interrupted_goes_on_and_ends_alike(
    studied: Studied, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_study, "SIZES", (3,))
    (tmp_path / "tiny.toml").write_text(PLAN)
    building = tmp_path / "out.partial"
    shutil.copytree(studied.path / "runs", building / "runs")
    shutil.copytree(studied.path / "points", building / "points")
    shutil.rmtree(building / "runs" / "moved")
    given = {"steps": 8, "batch_size": 16, "resume": True}
    again = lyrist.study(str(tmp_path / "tiny.toml"), str(drawn), out=str(tmp_path / "out"), **given)
    figures = [
        [(line["name"], line["test"], line["validation"]) for line in s.results["recipes"]] for s in (studied, again)
    ]
    assert figures[0] == figures[1]


def test_train_fits_one_recipe_on_a_block_and_a_transfer_on_its_run(drawn: Path, tmp_path: Path) -> None:
    small = {"channels": "4,6", "side": "16", "steps": 4, "batch_size": 16}
    first = lyrist.train("cnn-skip", str(drawn), out=str(tmp_path / "one"), block="1", **small)
    assert isinstance(first, Fitted)
    second = lyrist.train(
        "transfer",
        str(drawn),
        out=str(tmp_path / "two"),
        block="2",
        source=str(tmp_path / "one"),
        steps=4,
        per_class="3",
    )
    assert not set(first.run.info["classes"]) & set(second.run.info["classes"])
    assert (second.run.info["side"], second.run.info["pictures"]["train"]) == (16, 9)
    assert "left out    1 files, the first: red disc/broken.png" in first.summary()
    own = lyrist.train("autoencoder-classifier", str(drawn), out=str(tmp_path / "three"), steps=2, side="16")
    assert own.run.info["autoencoder"]["steps"] == 2
    assert len(own.run.info["classes"]) == 6
    with pytest.raises(UsageError, match="needs an autoencoder"):
        lyrist.train(
            "autoencoder-classifier", str(drawn), out=str(tmp_path / "four"), source=str(tmp_path / "one"), steps=2
        )


def test_the_same_seed_gives_the_same_run(drawn: Path, tmp_path: Path) -> None:
    small = {"channels": "4,6", "side": "16", "steps": 6, "batch_size": 16, "block": "1"}
    runs = [lyrist.train("fast-resnet", str(drawn), out=str(tmp_path / name), **small) for name in "ab"]
    assert runs[0].run.results == runs[1].run.results


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["train", "cnn-relu", "SET", "--block", "3"], 2, "--block must be 1, 2 or all"),
        (["train", "cnn-relu", "SET", "--side", "9"], 2, "multiple of 4"),
        (["train", "cnn-relu", "SET", "--side", "big"], 2, "whole number"),
        (["train", "cnn-relu", "SET", "--target", "genre"], 2, "leave --target out"),
        (["train", "cnn-relu", "SET", "--chanels", "4"], 2, "channels"),
        (["train", "transfer", "SET", "--steps", "1"], 2, "--source RUN"),
        (["train", "transfer", "SET", "--source", "nowhere"], 1, "no run directory"),
        (["train", "cnn-relu", "nowhere"], 1, "no file or folder"),
        (["study", "image-blocks", "SET", "--repeats", "2"], 2, "leave --repeats out"),
        (["study", "image-blocks", "nowhere"], 1, "no file or folder"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], code: int, told: str, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(drawn) if word == "SET" else word for word in arguments]
    assert command([*words, "--out", str(tmp_path / "out"), "--quiet"]) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_shipped_study_names_lines_that_can_be_fitted() -> None:
    plan = load("image-blocks")
    assert plan.task == "picture"
    request = Request(plan, "pictures", Selection(), {"steps": 5})
    lines = picture_study.read_lines(request)
    assert {line.recipe for line in lines} == {recipe.name for recipe in registry.recipes("picture")}
    assert all(line.options["steps"] == 5 for line in lines)
    broken = dataclasses.replace(plan, recipes=plan.recipes[5:])
    with pytest.raises(UsageError, match="no line above it"):
        picture_study.read_lines(dataclasses.replace(request, plan=broken))


def test_gains_are_told_with_their_test() -> None:
    def point(name: str, right: list[int], instead: str | None) -> dict[str, object]:
        share = {"value": sum(right) / len(right), "low": 0.0, "high": 1.0}
        return {"name": name, "instead_of": instead, "per_class": 5, "accuracy": share, "right": right}

    (gain,) = transfer_gains([point("new", [1] * 40, "old"), point("old", [0] * 20 + [1] * 20, None)])
    assert gain["gain"] == 0.5
    assert gain["p"] < 1e-4
    assert "transfer helps" in gain["sentence"]
    (gain,) = transfer_gains([point("new", [1, 0], "old"), point("old", [0, 1], None)])
    assert "not significant" in gain["sentence"]


def test_the_report_is_drawn_from_disk_without_a_model(studied: Studied, tmp_path: Path) -> None:
    assert_redrawn(studied.path, tmp_path)
