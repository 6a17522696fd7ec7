"""The reports' writers: padding learnt and counted, untrained rows, and the same network over the tokens of the lyrics alone."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from lyrist.corpus.corpus import Corpus
from lyrist.models import registry
from lyrist.models.language_model import WriterShape
from lyrist.training.reported_writing import ReportedWritingTask
from lyrist.training.runs import open_run
from lyrist.training.schedule import Protocol
from lyrist.training.train import Fitted, fit
from tinytokenizer import gpt2_model, t5_model

GRU = {"window": 10, "tied": False, "hidden": 8, "layers": 2, "dense": 8, "dropout": 0.0, "vocabulary": 290}
PLAIN = {"condition_dropout": 0.0}


@pytest.fixture(scope="module")
def corpus(make_corpus: Any, two_genres: Any) -> Corpus:
    return make_corpus(two_genres(range(1, 5)))


@pytest.fixture(scope="module")
def gpt2(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gpt2_model(tmp_path_factory.mktemp("gpt2"), corpus.songs("train")["lyrics"].to_list())


def rerun(corpus: Corpus, recipe: str, protocol: Protocol, out: Path, **options: Any) -> Fitted:
    return fit(ReportedWritingTask(corpus, ("genre",), protocol=protocol), recipe, out, options={**PLAIN, **options})


def test_gpt2_learns_its_padding_which_raises_its_figures(corpus: Corpus, gpt2: Path, tmp_path: Path) -> None:
    protocol = Protocol(epochs=4, batch_size=4, learning_rate=0.01, every=5, library="pretrained")
    found = rerun(corpus, "causal", protocol, tmp_path / "run", model=str(gpt2))
    figures = found.run.results["rerun"]
    assert figures["unit"] == "validation"
    assert [each["step"] for each in figures["candidates"]] == [1, 5, 10, 15, 20, 25, 30, 32]
    test = figures["candidates"][-1]["test"]
    assert 0.2 < test["padding"] < 0.9
    for measure, sign in (("accuracy", 1), ("perplexity", -1)):
        counted, real = figures["biased"][measure], figures["honest"][measure]
        assert sign * counted["value"] > sign * real["value"]
        assert counted["low"] <= counted["value"] <= counted["high"]
    assert {row["split"] for row in found.run.metrics} == {"train", "validation", "test"}
    assert (found.run.path / "curves.svg").is_file()
    # The figures of the report, computed again from the saved model in its own way.
    writer = open_run(tmp_path / "run").writer
    losses = []
    for lyrics, genre in corpus.songs("test", ["lyrics", "genre"]).select("lyrics", "genre").iter_rows():
        ids = [*writer.prefix({"genre": genre}), *writer.encode(lyrics), writer.eos][:40]
        row = torch.tensor([ids + [writer.eos] * (40 - len(ids))])
        mask = torch.tensor([[1] * len(ids) + [0] * (40 - len(ids))])
        logits = writer.model(input_ids=row, attention_mask=mask).logits.detach()
        losses.append(float(functional.cross_entropy(logits[0, :-1], row[0, 1:])))
    assert figures["last"]["perplexity"]["value"] == pytest.approx(np.mean(np.exp(losses)), rel=1e-4)


def test_an_untuned_model_is_scored_with_its_untrained_rows(corpus: Corpus, gpt2: Path, tmp_path: Path) -> None:
    protocol = Protocol(epochs=0, batch_size=4, library="pretrained")
    figures = rerun(corpus, "causal", protocol, tmp_path / "run", model=str(gpt2)).run.results["rerun"]
    assert [each["step"] for each in figures["candidates"]] == [0]
    assert math.isfinite(figures["biased"]["perplexity"]["value"])
    rows = open_run(tmp_path / "run").writer.model.get_input_embeddings().weight
    torch.testing.assert_close(rows[-1], rows[:-2].mean(dim=0))  # saved without its random rows, it can be scored
    assert protocol.scaled(5).epochs == 0


@pytest.mark.parametrize("every", [0, 2])
def test_t5_counts_padding_as_correct(corpus: Corpus, tmp_path: Path, every: int) -> None:
    protocol = Protocol(epochs=2, batch_size=4, learning_rate=0.05, every=every, library="pretrained")
    model = t5_model(tmp_path / "t5")
    figures = rerun(corpus, "t5", protocol, tmp_path / "run", model=str(model)).run.results["rerun"]
    assert figures["unit"] == ("validation" if every else "epoch")
    share = figures["candidates"][-1]["test"]["padding"]
    assert share > 0.5
    counted, real = (figures[way]["accuracy"]["value"] for way in ("last", "honest"))
    assert counted == pytest.approx(share + (1 - share) * real, abs=1e-6)  # padding is always right


def test_the_window_network_reads_numbers_without_padding(corpus: Corpus, tmp_path: Path) -> None:
    protocol = Protocol(epochs=2, batch_size=1, library="keras")
    found = rerun(corpus, "gru", protocol, tmp_path / "run", **GRU)
    figures = found.run.results["rerun"]
    assert figures["candidates"][-1]["test"]["padding"] == 0
    assert figures["biased"]["accuracy"] == figures["honest"]["accuracy"]
    model = open_run(tmp_path / "run").writer.model
    ids = torch.arange(3, 40).reshape(1, -1)
    far, near = ids.clone(), ids.clone()
    far[0, 26], near[0, 27] = 99, 99
    same, changed = (model(input_ids=each).logits[0, 36] for each in (far, near))
    whole = model(input_ids=ids).logits[0, 36]
    assert torch.equal(same, whole)  # the eleventh token before the next one is not read
    assert not torch.equal(changed, whole)
    assert registry.get("gru").options(**GRU).window == 10
    first = model(input_ids=ids[:, :20], use_cache=True)
    rest = model(input_ids=ids[:, 20:], past_key_values=first.past_key_values, use_cache=True)
    torch.testing.assert_close(rest.logits[0, -1], whole)
    assert registry.get("gru").build(registry.get("gru").options(**GRU), WriterShape(300, 0, 1, 2, 64, 290)) is not None
