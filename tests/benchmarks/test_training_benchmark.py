"""`benchmarks/training.py`, on next to nothing: that it measures what it says, not how fast it is."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import torch

TINY = ["--steps", "2", "--rounds", "1", "--size", "4", "--batch-size", "4"]


@pytest.fixture
def benchmark() -> Iterator[ModuleType]:
    module = importlib.import_module("training")
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_figures_of_every_way(benchmark: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    benchmark.main(["--songs", "40", "--layers", "1", *TINY, "--json", "--out", str(page)])
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["songs"] == 40
    (part,) = found["speed"]
    assert part["recipe"] == "lstm"
    assert list(part["ways"]) == list(benchmark.WAYS)
    assert all(way["tokens_per_second"] > 0 for way in part["ways"].values())
    assert part["ways"]["lyrist"]["float32_ratio"] == 1
    assert part["ways"]["lyrist"]["padding"] < part["ways"]["table"]["padding"]
    assert [line["size"] for line in found["overhead"]] == [benchmark.SMALL, 4]
    text = page.read_text()
    assert "--songs 40" in text
    assert str(tmp_path) not in text
    assert all(name in text for name in benchmark.WAYS.values())


def test_a_corpus_and_two_layers(
    benchmark: ModuleType, make_corpus: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["river stone and light", "engine road tonight", "harbour bell my love"]
    songs = pl.DataFrame(
        {
            "artist": [f"act {n % 3}" for n in range(30)],
            "lyrics": [f"{words[n % 3]}\n" * (n % 7 + 1) for n in range(30)],
        }
    )
    corpus = make_corpus(songs)
    benchmark.main(["--corpus", str(corpus.path), "--layers", "2", *TINY])
    told = capsys.readouterr().out
    assert "stacked-lstm" in told
    assert "24 songs of a corpus" in told
    assert "bare" in told


def test_real_tokens_are_counted_after_the_first_updates(benchmark: ModuleType) -> None:
    import loops  # type: ignore[import-not-found]

    counted = [(1, 2)] * loops.WARM + [(30, 40), (50, 60)]
    assert loops.sample(counted, 2.0) == loops.Sample(steps=2, tokens=80, places=100, seconds=2.0)
    ours = [loops.Sample(1, 300, 300, 1.0), loops.Sample(1, 100, 100, 1.0)]
    theirs = [loops.Sample(1, 100, 200, 1.0), loops.Sample(1, 100, 200, 2.0)]
    assert benchmark.ratio(ours, theirs) == 2.5
