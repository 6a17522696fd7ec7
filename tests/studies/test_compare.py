"""Runs side by side: what is the same, what is not, and whether the test songs can tell two apart."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.studies.compare import compare
from lyrist.training.train import train


@pytest.fixture(scope="module")
def runs(make_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    progress.quiet()
    lyrics = [f"{word} and the {word} tonight\nline {i} of {word}" for i in range(40) for word in ("river", "engine")]
    table = pl.DataFrame(
        {"lyrics": lyrics, "artist": ["ann", "bob"] * 40, "genre": ["folk", "rock", "pop", "rock"] * 20}
    )
    place = pl.int_range(pl.len()) % 20
    split = (
        pl.when(place < 12).then(pl.lit("train")).when(place < 14).then(pl.lit("validation")).otherwise(pl.lit("test"))
    )
    corpus = str(make_corpus(table.with_columns(split=split)).path)
    folder = tmp_path_factory.mktemp("compare")
    for name, recipe, target in (
        ("a", "majority", "artist"),
        ("b", "complement-nb", "artist"),
        ("c", "majority", "genre"),
    ):
        train(recipe, corpus, out=str(folder / name), target=target)
    return {name: str(folder / name) for name in "abc"}


def test_two_runs_on_the_same_songs_are_tested_in_pairs(runs: dict[str, str], tmp_path: Path) -> None:
    found = compare(runs["b"], runs["a"], out=str(tmp_path / "c.html"))
    assert "alone was right on 12 test songs" in found.summary()
    assert f"{runs['b']} is better (exact McNemar p = 0.000488)" in found.summary()
    assert [one["recipe"] for one in found.figures()] == ["complement-nb", "majority"]
    json.dumps(found.figures(), allow_nan=False)
    html = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "complement-nb" in html
    assert "<svg" in html


def test_the_page_is_accessible(runs: dict[str, str], tmp_path: Path, check_report: Callable[[Path], None]) -> None:
    compare(runs["b"], runs["a"], out=str(tmp_path / "c.html"))
    check_report(tmp_path / "c.html")


def test_runs_of_different_questions_are_told(runs: dict[str, str]) -> None:
    told = compare(runs["a"], runs["c"]).summary()
    assert "different targets" in told
    assert "McNemar" not in told


def test_runs_of_different_corpora_are_told(runs: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(runs["a"], tmp_path / "x")
    info = json.loads((tmp_path / "x" / "run.json").read_text())
    (tmp_path / "x" / "run.json").write_text(json.dumps({**info, "fingerprint": "0" * 16, "split_by": "artist"}))
    told = compare(runs["a"], str(tmp_path / "x")).summary()
    assert "different corpora" in told
    assert "different splits" in told


def test_one_run_alone_or_three(runs: dict[str, str]) -> None:
    assert runs["a"] in compare(runs["a"]).summary()
    assert "McNemar" not in compare(*runs.values()).summary()


def test_nothing_to_compare_or_damage_is_told(runs: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs run directories"):
        compare()
    with pytest.raises(LyristError, match="no run directory"):
        compare(runs["a"], str(tmp_path / "none"))
    shutil.copytree(runs["a"], tmp_path / "x")
    for text, says in (("{", "damaged"), ("[]", "holds no scores"), ("{}", "has no 'test'")):
        (tmp_path / "x" / "results.json").write_text(text)
        with pytest.raises(LyristError, match=says):
            compare(str(tmp_path / "x"))
            compare(str(tmp_path / "x")).summary()
