"""`benchmarks/style.py`, on next to nothing: that it measures what it says, not how good it is."""

import importlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.training.train import train


def test_more_style_is_told_more_often(make_corpus: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    module = importlib.import_module("style")
    progress.quiet()
    words = {"rap": "money", "pop": "love"}
    songs = [
        {
            "genre": genre,
            "lyrics": f"I was walking down the long road to you\nthere was {words[genre]} and the rain\n" * 3,
        }
        for genre in ("rap", "pop") * 30
    ]
    corpus = make_corpus(pl.DataFrame(songs))
    run = tmp_path / "run"
    train("ngram", str(corpus.path), out=str(run), target="lyrics", condition="genre", vocabulary="400")
    module.main([str(run), "--style", "0", "10", "--songs", "8", "--tokens", "40", "--json"])
    free, leaning = json.loads(capsys.readouterr().out)
    assert (free["style"], leaning["style"], free["songs"], free["guessing"]) == (0, 10, 16, 0.5)
    assert leaning["written"]["value"] > max(0.9, free["written"]["value"])
    module.main([str(run), "--style", "1", "--songs", "1", "--tokens", "5"])
    assert "| `ngram` | 1 | " in capsys.readouterr().out
