"""`benchmarks/writers.py`, on next to nothing: that it measures what it says, not how good it is."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import torch


@pytest.fixture
def benchmark() -> Iterator[ModuleType]:
    module = importlib.import_module("writers")
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_figures_of_every_way(
    benchmark: ModuleType, make_corpus: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    songs = [f"love in the rain {n}\n" * (1 + n % 4) for n in range(20)]
    corpus = make_corpus(pl.DataFrame({"lyrics": songs}))
    benchmark.TRIAL = 1
    benchmark.SMALL = {"vocabulary": 300, "context": 320}
    page = tmp_path / "page.md"
    given = ["--corpus", str(corpus.path), "--seconds", "0.01", "--songs", "2", "--tokens", "3"]
    given += ["--recipes", "gpt", "--layouts", "packed"]
    benchmark.main([*given, "--json", "--out", str(page)])
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["trained"]] == ["gpt, packed", "gru, replicated"]
    assert all(0 < row["bits_per_byte"] < 20 and 0 <= row["padding"] < 1 for row in found["trained"])
    assert found["trained"][1]["padding"] > 0.5  # songs of a few tokens in 300 places
    assert "| gpt, packed |" in page.read_text()
