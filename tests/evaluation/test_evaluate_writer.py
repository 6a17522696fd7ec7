"""`evaluate` of a writer, from the run to the summary; and that nothing but the songs moves its figures."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation import evaluate_writer as writing
from lyrist.evaluation.evaluate import evaluate
from lyrist.evaluation.evaluate_writer import EvaluatedWriter
from lyrist.files import read_json, write_json
from lyrist.metrics.language_modelling import song_losses
from lyrist.training import writing_task
from lyrist.training.runs import FORMAT
from lyrist.training.scoring import from_logits
from lyrist.training.writer import Writer, fit_writer
from songtables.fouracts import songbook


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    songs = [song for number, song in enumerate(songbook()) if number % 3 == 0]
    found: Corpus = make_corpus(
        pl.DataFrame({name: [getattr(song, name) for song in songs] for name in ("title", "artist", "genre", "lyrics")})
    )
    return found


@pytest.fixture(scope="module")
def writer(corpus: Corpus) -> Writer:
    torch.set_num_threads(1)
    options = {"vocabulary": 400, "context": 400, "steps": 3, "threads": 1, "hidden": 16, "embedding_size": 16}
    return fit_writer(corpus, "gru", options, ["genre"])


@pytest.fixture(scope="module")
def run(corpus: Corpus, writer: Writer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory, as `train` writes it."""
    path = tmp_path_factory.mktemp("runs") / "gru"
    writer.save(path / "model")
    info = {
        "format": FORMAT, "task": "write", "target": "lyrics", "recipe": "gru", "condition": ["genre"],
        "corpus": str(corpus.path), "fingerprint": corpus.fingerprint, "split_by": "song",
    }  # fmt: skip
    write_json(path / "run.json", info)
    write_json(path / "results.json", {})
    return path


SMALL = {
    "gru": {"steps": 3, "threads": 1, "hidden": 16, "embedding_size": 16},
    "gpt": {"steps": 3, "threads": 1, "width": 32, "layers": 2, "feedforward": 64, "pairs": 256},
    "ngram": {},
    "mixture": {"steps": 3, "threads": 1, "network": "gru", "network_options": "hidden=16,embedding_size=16"},
}


@pytest.fixture(scope="module", params=SMALL)
def anyone(corpus: Corpus, request: pytest.FixtureRequest) -> Writer:
    """A writer of each family: recurrent, of attention, of counts, and a mixture."""
    torch.set_num_threads(1)
    options = {"vocabulary": 400, "context": 64, **SMALL[request.param]}
    return fit_writer(corpus, request.param, options, ["genre"])


lyrics = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)


@settings(max_examples=10, deadline=None)
@given(st.lists(lyrics, min_size=1, max_size=6), st.integers(1, 5), st.data())
def test_the_writers_own_losses_do_not_depend_on_the_batch(
    anyone: Writer, songs: list[str], batch: int, data: st.DataObject
) -> None:
    genres = data.draw(st.lists(st.sampled_from(["pop", None, "polka"]), min_size=len(songs), max_size=len(songs)))
    frame = pl.DataFrame({"lyrics": songs, "genre": pl.Series(genres, dtype=pl.String)})
    alone = [song_losses(anyone, frame[i], batch_size=1) for i in range(len(frame))]
    together = song_losses(anyone, frame, batch_size=batch)
    assert together.nats == pytest.approx(np.concatenate([one.nats for one in alone]), rel=1e-5)
    assert together.tokens.tolist() == [len(anyone.encode(song)) + 1 for song in songs]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(3, 300), min_size=2, max_size=20), st.integers(0, 6), st.integers(0, 6))
def test_padding_on_either_side_changes_no_loss(anyone: Writer, ids: list[int], left: int, right: int) -> None:
    def losses(before: int, after: int) -> torch.Tensor:
        row = torch.tensor([[0] * before + [1, *ids] + [0] * after])
        mask = torch.tensor([[0] * before + [1] * (len(ids) + 1) + [0] * after])
        with torch.inference_mode():
            return from_logits(anyone.model, row, mask)[0, before : before + len(ids)]

    torch.testing.assert_close(losses(left, right), losses(0, 0), rtol=1e-5, atol=1e-5)


def test_figures_of_a_saved_run(run: Path, corpus: Corpus) -> None:
    found = evaluate(str(run))
    assert isinstance(found, EvaluatedWriter)
    scores_json = found.figures()
    json.dumps(scores_json, allow_nan=False)
    scores = scores_json["test"]
    assert scores["n"] == len(corpus.songs("test"))
    assert scores["bytes"] == int(corpus.songs("test")["lyrics"].str.len_bytes().sum())
    bits = scores["bits_per_byte"]
    assert 0 < bits["low"] <= bits["value"] <= bits["high"] < 9
    assert scores["loss"] * scores["tokens"] / scores["bytes"] / math.log(2) == pytest.approx(bits["value"])
    assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
    assert scores_json["bits_per_byte"] == bits
    difference = scores_json["ppmd"]["against"]["difference"]
    assert difference == pytest.approx(bits["value"] - scores_json["ppmd"]["bits_per_byte"]["value"])
    other = evaluate(str(run), str(corpus.path), batch_size=3)
    assert other.scores["bits_per_byte"]["value"] == pytest.approx(bits["value"], rel=1e-6)


def test_the_summary_says_how_it_stands_to_ppmd_and_what_to_beware_of(run: Path) -> None:
    lines = evaluate(str(run), split="train").summary().splitlines()
    assert lines[0].startswith(f"{run} on the train split")
    assert "bits per byte [" in lines[1]
    assert "perplexity" in lines[1]
    assert lines[2].startswith("  PPMd: ")
    assert "used for training" in lines[-1]


def test_as_reported_is_reported_on_demand(run: Path) -> None:
    plain, more = evaluate(str(run)), evaluate(str(run), as_reported=True)
    assert "as_reported" not in plain.figures()
    rows = {row["name"]: row for row in more.figures()["as_reported"]["rows"]}
    assert rows["padding scored, and learnt"]["perplexity"] <= rows["real tokens"]["perplexity"]
    assert rows["5 added rows at zero, low logits"]["perplexity"] > 1e50
    assert "legacy metrics:" in more.summary()


def test_what_was_written_is_reported(run: Path) -> None:
    share = {"n": 1, "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9}}
    said = {
        "originality": {"n": 3, "shares": {"4": {"value": 0.25}, "8": {"value": 0.125}}, "longest": {"run": 9}},
        "obedience": {"genre": {"written": share, "real": share, "guessing": 0.25}},
        "songcraft": {"written": {"rhyme_density": {"value": 0.4}}, "real": {"rhyme_density": {"value": 0.3}}},
    }
    write_json(run / "results.json", said)
    found = evaluate(str(run))
    write_json(run / "results.json", {})
    assert found.figures()["originality"] == said["originality"]
    assert "12.5% of runs of 8 words; longest run 9 words" in found.summary()
    assert "conditioning accuracy by genre: 50% (real songs 50%, chance 25%)" in found.summary()
    assert "lines that rhyme 40% (real songs 30%)" in found.summary()


def test_of_very_many_songs_a_part_is_scored(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing_task, "LARGEST", 3)
    monkeypatch.setattr(writing, "PRIMER", 2_000)
    songs = writing.held(corpus, "train", ["genre", "mood"])
    assert songs.columns == ["id", "lyrics", "genre"]
    assert len(songs) == 3
    assert songs["id"].is_sorted()
    assert writing.held(corpus, "train", []).equals(songs.select("id", "lyrics"))
    some = writing._primer_songs(corpus)
    assert 2_000 < sum(map(len, some)) < sum(map(len, corpus.songs("train")["lyrics"]))


def test_bad_wishes_are_reported(run: Path, make_corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="at least 1"):
        evaluate(str(run), batch_size=0)
    empty = make_corpus(pl.DataFrame({"lyrics": ["a song", "another"]}))
    with pytest.raises(LyristError, match="no song"):
        evaluate(str(run), str(empty.path), split="validation")
    other = tmp_path / "judge"
    other.mkdir()
    write_json(other / "run.json", {**read_json(run / "run.json", "a run"), "task": "classify"})
    with pytest.raises(UsageError, match="--as-reported is for language models"):
        evaluate(str(other), as_reported=True)
