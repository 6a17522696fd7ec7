"""A rerun of a report: its settings and no others, one training run with two selections, and its cost limited."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.models.image_networks import PictureShape
from lyrist.models.network import initialise
from lyrist.models.recurrent import StackedOptions, stacked_lstm
from lyrist.models.registry import Shape
from lyrist.training.classifier import NeuralClassifier
from lyrist.training.dataset import View, view
from lyrist.training.image_training import PictureExamples, classification
from lyrist.training.protocol import Choice, ReportedTask, follow
from lyrist.training.runs import open_run
from lyrist.training.schedule import Protocol
from lyrist.training.train import fit
from songtables.fouracts import songbook

PLAIN: dict[str, Any] = {
    "embedding_size": 8, "hidden": 8, "bidirectional": False, "as_reported": True, "dropout": 0.0, "word_dropout": 0.0,
    "label_smoothing": 0.0, "min_count": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> View:
    folder = tmp_path_factory.mktemp("protocol")
    rows = songbook()
    columns = {name: [getattr(song, name) for song in rows] for name in ("artist", "title", "genre", "lyrics")}
    pl.DataFrame(columns).write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), validation=0.2, test=0.2)
    return view(Corpus.open(str(folder / "corpus")), "artist")


@pytest.mark.parametrize(
    ("rule", "patience", "accuracy", "loss", "at"),
    [
        ("best", 0, [0.5, 0.7, 0.7, 0.6], [1.0, 0.9, 0.8, 0.7], 2),  # the first of equal ones
        ("last", 0, [0.5, 0.7, 0.7, 0.6], [1.0, 0.9, 0.8, 0.9], 4),
        ("stop", 2, [0.5, 0.7, 0.7, 0.6, 0.9], [1.0, 0.9, 1.0, 1.1, 0.1], 4),  # keeps the last weights
        ("stop", 2, [0.5, 0.7, 0.7, 0.6], [1.0, 0.9, 1.0, 0.8], 4),
    ],
)
def test_each_rule_selects_its_epoch(
    rule: Any, patience: int, accuracy: list[float], loss: list[float], at: int
) -> None:
    choice = Choice(rule, patience)
    for number, (share, nats) in enumerate(zip(accuracy, loss, strict=True), 1):
        choice.offer(number, {"accuracy": share, "loss": nats}, number)
    assert choice.at == choice.kept == at


def test_one_training_run_has_the_biased_and_the_honest_selection(songs: View, tmp_path: Path) -> None:
    task = ReportedTask(songs, Protocol(epochs=5, batch_size=16, learning_rate=0.02, rule="best"))
    found = fit(task, "stacked-lstm", tmp_path / "run", options=PLAIN, seed=3)
    run, rerun = found.run, found.run.results["rerun"]
    assert [each["number"] for each in rerun["candidates"]] == [1, 2, 3, 4, 5]
    test = [each["test"]["accuracy"] for each in rerun["candidates"]]
    validation = [each["validation"]["accuracy"] for each in rerun["candidates"]]
    assert rerun["biased"]["accuracy"]["value"] == max(test)
    assert rerun["honest"]["number"] == 1 + validation.index(max(validation))
    # The saved model is the honest one, and is opened and scored like any other run.
    assert run.results["test"]["accuracy"]["value"] == pytest.approx(test[rerun["honest"]["number"] - 1])
    assert run.info["protocol"]["rule"] == "best"
    assert {row["split"] for row in run.metrics} == {"train", "validation", "test"}
    assert (run.path / "curves.svg").is_file()
    steps = run.info["steps"]
    assert len([row for row in run.metrics if row["split"] == "train"]) == steps
    opened = open_run(tmp_path / "run").model
    texts = songs.texts("test")["lyrics"].to_list()
    together, alone = opened.predict_proba(texts), opened.predict_proba(texts[:1])
    assert together[:1] == pytest.approx(alone, abs=1e-6)  # all songs are padded to one length


def test_a_rerun_that_costs_too_much_is_refused_with_its_cost(songs: View, tmp_path: Path) -> None:
    task = ReportedTask(songs, Protocol(epochs=100_000, batch_size=16), limit=1.0)
    with pytest.raises(LyristError, match=r"the rerun takes about [\d,.]+ CPU-minutes"):
        fit(task, "stacked-lstm", tmp_path / "run", options=PLAIN)
    assert not (tmp_path / "run").exists()


def test_the_points_of_a_grid_are_selected_like_epochs(songs: View, tmp_path: Path) -> None:
    task = ReportedTask(songs, Protocol(grid={"max_features": [2, 2000]}))
    rerun = fit(task, "tfidf-logistic", tmp_path / "run", options={}).run.results["rerun"]
    assert [each["options"] for each in rerun["candidates"]] == [{"max_features": 2}, {"max_features": 2000}]
    assert rerun["biased"]["number"] == rerun["honest"]["number"] == 2


def pictures(
    output: str, test: np.ndarray[Any, Any], protocol: Protocol, afford: Callable[[float], float] = lambda _: 1.0
) -> tuple[Any, dict[str, Any]]:
    """Return the outcome of 32 dark and light pictures; ``test`` has the labels of the 16 test pictures."""
    rng = np.random.default_rng(0)
    targets = np.arange(48) % 2
    pixels = (
        rng.integers(0, 100, (48, 8, 8, 3)).astype(np.uint8) + (targets * 120).astype(np.uint8)[:, None, None, None]
    )
    options = registry.get(f"cnn-{output}").options(channels=(4,), hidden=4, dropout=0.0)
    network: Any = registry.get(f"cnn-{output}").build(options, PictureShape(8, ("dark", "light")))
    labels = {"validation": targets[:16], "test": test}
    parts = {part: PictureExamples(pixels[:16], held.astype(np.int64)) for part, held in labels.items()}
    return follow(
        network, PictureExamples(pixels[16:], targets[16:].astype(np.int64)), parts, protocol, seed=1, folder=None, title="",
        afford=afford, measure=classification(network.config.output),
    )  # fmt: skip


@pytest.mark.parametrize("output", ["relu", "sigmoid"])
def test_a_picture_network_is_trained_by_a_protocol(output: str) -> None:
    protocol = Protocol(
        epochs=30, batch_size=16, learning_rate=0.01, rule="stop", patience=5, plateau=2, library="keras"
    )
    outcome, rerun = pictures(output, np.arange(16) % 2, protocol)
    assert rerun["biased"] == rerun["honest"]  # the same pictures
    assert rerun["honest"]["accuracy"]["value"] > 0.9
    assert outcome.steps == 2 * len(rerun["candidates"])


def test_a_network_that_does_not_fit_is_trained_for_the_epochs_that_do() -> None:
    protocol = Protocol(epochs=8, batch_size=16, rule="best")
    outcome, rerun = pictures("relu", np.arange(16) % 2, protocol, lambda _: 0.4)
    assert len(rerun["candidates"]) == 3 == outcome.epochs
    assert rerun["share"] == 3 / 8
    assert rerun["estimate"] > 0
    task = ReportedTask(cast("View", None), protocol, limit=100.0)
    assert task.afford(99.0) == 1.0
    assert task.afford(200.0) == 0.25
    with pytest.raises(LyristError, match=r"takes about 10\.0 CPU-minutes, and 1\.7 are left"):
        task.afford(600.0)


@pytest.mark.parametrize("plateau", [0, 1])
def test_the_test_labels_change_nothing_of_the_training(plateau: int) -> None:
    protocol = Protocol(epochs=8, batch_size=16, learning_rate=0.01, plateau=plateau, library="keras")
    right, wrong = (pictures("relu", labels, protocol)[1] for labels in (np.arange(16) % 2, np.arange(1, 17) % 2))
    assert [row["validation"] for row in right["candidates"]] == [row["validation"] for row in wrong["candidates"]]
    assert right["honest"]["number"] == wrong["honest"]["number"]
    assert right["honest"]["accuracy"]["value"] + wrong["honest"]["accuracy"]["value"] == 1


@pytest.mark.parametrize("library", ["torch", "keras"])
def test_a_plain_network_is_what_the_library_computes(library: Any) -> None:
    """The same weights in PyTorch's own modules give the same logits: padding is read, and nothing is added."""
    network: Any = stacked_lstm(StackedOptions(**PLAIN), Shape(30, 0, ("a", "b", "c")))  # type: ignore[arg-type]
    network.config.pad_to = 12
    torch.manual_seed(0)
    initialise(network, library)
    plain = nn.LSTM(8, 8, num_layers=2, batch_first=True)
    for number, layer in enumerate(network.recurrence.forwards):
        for name, weights in layer.named_parameters():
            getattr(plain, name.replace("l0", f"l{number}")).data.copy_(weights)
    ids = torch.tensor([[5, 6, 7, 0], [8, 9, 10, 11]])
    states, _ = plain(network.embedding(nn.functional.pad(ids, (0, 8))))
    found = network.train()(input_ids=ids, attention_mask=(ids > 0).long()).logits
    assert torch.allclose(found, network.head(states[:, -1]), atol=1e-6)
    forget = network.recurrence.forwards[0].bias_ih_l0[8:16]
    assert bool((forget == 1).all()) == (library == "keras")
    assert network.embedding.padding_idx is None


def test_the_artist_as_one_integer_is_one_feature(songs: View) -> None:
    train = songs.texts("train")
    model = NeuralClassifier("lstm", {**PLAIN, "features": "artist-number"})
    model.build(train.select("lyrics", "artist"), train["label"].to_list())
    assert model.model_.head.in_features == 9
    lyrics, artists = train["lyrics"].to_list()[:1], [train["artist"][0], "unknown"]
    pairs = pl.DataFrame({"lyrics": lyrics * 2, "artist": artists})
    known, unknown = model.predict_proba(pairs)
    assert math.dist(known, unknown) > 1e-6
