"""`benchmarks/scale.py` at one tiny size: that it measures every stage, and that its checks see what is wrong."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.corpus.corpus import Corpus

ROWS = 1_500


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    module = importlib.import_module("scale")
    progress.quiet()
    return module


@pytest.fixture(scope="module")
def folder(benchmark: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measure one size; the corpus is kept."""
    place = tmp_path_factory.mktemp("scale")
    asked = ["--rows", str(ROWS), "--folder", str(place), "--results", str(place / "found.json"), "--keep"]
    benchmark.main(asked)
    return place


def test_every_stage_is_measured_and_the_page_is_made(benchmark: ModuleType, folder: Path) -> None:
    (found,) = json.loads((folder / "found.json").read_text())
    assert set(benchmark.STAGES) <= set(found["seconds"])
    assert found["cpu"] > 0
    assert found["peak"] == max(found["peaks"].values()) > 0
    page = folder / "page.md"
    page.write_text(f"# Scale\n\n{benchmark.BEGIN}\nearlier words\n{benchmark.END}\n\nthe rest\n")
    benchmark.main(["--results", str(folder / "found.json"), "--page", str(page)])
    text = page.read_text()
    assert "earlier words" not in text
    assert text.endswith("the rest\n")
    assert f"| songs read | {ROWS:,} |" in text
    assert (folder / "page.svg").read_text().startswith("<svg")


def test_what_was_planted_is_found(folder: Path) -> None:
    (found,) = json.loads((folder / "found.json").read_text())
    checked = found["check"]
    assert checked["recall"]["found"] == 1.0
    assert checked["copies"]["exact"]["n"] > 5
    assert checked["merges"]["false"] == 0
    assert checked["ledger"] == {"read": ROWS, "kept": found["kept"], "agrees": True}
    assert checked["splits"]["artists_on_two_sides"] == checked["splits"]["clusters_on_two_sides"] == 0
    assert all(kind["found"] == 1.0 for kind in checked["no_songs"].values())
    assert checked["languages"]["en"]["right"] == 1.0
    assert checked["lost"] == 0


def test_what_is_wrong_is_seen(benchmark: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, corpus = folder / f"songs-{ROWS}-1.csv", Corpus.open(folder / f"corpus-{ROWS}-1")
    whole: Any = corpus.duplicates
    first = whole["cluster"][0]
    worse = whole.filter(pl.col("cluster") != first)  # one cluster overlooked, and a stranger in another
    stranger = worse[:1].with_columns(id=pl.lit(ROWS - 1, pl.Int64), kind=pl.lit("near"))
    monkeypatch.setitem(corpus.__dict__, "duplicates", pl.concat([worse, stranger]))
    found = benchmark.check(corpus, table)
    assert found["merges"]["false"] == found["merges"]["mixed_clusters"] == 1
    parts = [share for share in found["copies"].values() if share["n"]]
    assert sum(round(share["n"] * (1 - share["found"])) for share in parts) > 0
