"""`benchmarks/generation.py`, on next to nothing: that it measures what it says, not how fast it is."""

import importlib
import json

import pytest
import torch


def test_figures(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("generation")
    small = module.built("gru", {"vocabulary": 280, "embedding_size": 8, "hidden": 8})
    monkeypatch.setattr(module, "built", lambda recipe: small)
    threads = torch.get_num_threads()
    for flags in (["--json"], []):
        module.main(["--recipes", "gru", "--tokens", "4", "--batch", "2", "--rounds", "1", *flags])
    torch.set_num_threads(threads)
    figures, _, table = capsys.readouterr().out.partition("\n]\n")
    (row,) = json.loads(figures + "]")
    assert row["writer"] == "gru"
    assert set(row["tokens_per_second"]) == {"cached", "uncached", "some cached", "some uncached", "batch"}
    assert set(row["ratios"]) == set(module.AIMS)
    assert "aims: cache 4x, batch 8x" in table
