"""A judge compares lines of real songs with those of writers whose faults are known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from lyrist import text
from lyrist.evaluation import fluency
from lyrist.evaluation.fluency import (
    Counts,
    Pretrained,
    Reader,
    distinct,
    judges_of_lines,
    passes,
    recognised,
    strongest,
)
from lyrist.evaluation.originality import Index
from lyrist.models import fetch
from lyrist.songbook import songbook
from tinytokenizer import chat_model

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def songs() -> list[str]:
    """Songs of the built-in songbook in random order, each once."""
    found = list(dict.fromkeys(song.lyrics for song in songbook()))
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))]


@pytest.fixture(scope="module")
def reader(songs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Reader:
    train = songs[:300]
    frame = pl.DataFrame({"id": range(300), "title": ["t"] * 300, "artist": ["a"] * 300, "lyrics": train})
    index = Index.build([frame], tmp_path_factory.mktemp("fluency") / "phrases")
    known = {word for song in train for word in text.words(song)}
    return Reader(index, known, songs[300:340], [Counts(train)])


def by_line(change: Any, songs: list[str]) -> list[str]:
    return ["\n".join(change(line) for line in song.split("\n")) for song in songs]


def shuffled(line: str) -> str:
    return " ".join(RNG.permutation(line.split()))


def halves(line: str) -> str:
    """Return a line whose longer words are cut, or two in one."""
    return " ".join(word[:-2] + "youyou" if len(word) > 4 else word for word in line.split())


def test_other_real_songs_are_hardly_recognised_and_their_order_is(reader: Reader, songs: list[str]) -> None:
    found = reader.figures(songs[340:380])
    own = found["judges"]["n-grams"]
    assert own["recognised"]["low"] < 0.6
    assert own["recognised"]["value"] < 0.7
    assert own["line_order"]["low"] > 0.5
    assert found["known_words"]["value"] > 0.9
    assert passes(found)
    assert found["n"] == 40


def test_a_writer_that_shuffles_words_is_recognised(reader: Reader, songs: list[str]) -> None:
    found = reader.figures(by_line(shuffled, songs[340:380]))
    assert found["judges"]["n-grams"]["recognised"]["low"] > 0.8
    assert found["copied_lines"]["value"] < 0.02
    assert found["known_words"]["value"] > 0.9  # whole words, and still salad


def test_a_writer_that_copies_is_not_called_real(reader: Reader, songs: list[str]) -> None:
    found = reader.figures(songs[:40])
    assert found["copied_lines"]["low"] > 0.5
    assert found["known_words"]["value"] == 1
    whole = reader.figures(
        ["\n".join(line for line in song.split("\n") if len(text.words(line)) > 4) for song in songs[:40]]
    )
    assert whole["copied_lines"]["value"] == 1
    assert whole["judges"]["n-grams"]["recognised"] is None  # there is no line of its own
    assert not passes(whole)


def test_a_writer_that_repeats_one_line_is_recognised_and_has_no_order(reader: Reader) -> None:
    found = reader.figures(["\n".join(["it it it"] * 20)] * 30)["judges"]["n-grams"]
    assert found["recognised"]["value"] > 0.9
    assert found["line_order"] is None


def test_a_writer_of_half_words_is_recognised(reader: Reader, songs: list[str]) -> None:
    found = reader.figures(by_line(halves, songs[340:380]))
    assert found["known_words"]["high"] < 0.9
    assert not passes(found)
    best = strongest(found)
    assert best is not None
    assert best["judge"] == "n-grams"


def test_lines_in_random_order_have_no_order(reader: Reader, songs: list[str]) -> None:
    lines = [line for song in songs[340:] for line in distinct(song, 20)]
    mixed = ["\n".join(RNG.choice(lines, 8)) for _ in range(60)]
    order = reader.figures(mixed)["judges"]["n-grams"]["line_order"]
    assert order["low"] < 0.5 < order["high"]


def test_nothing_written_is_not_measured_and_does_not_pass(reader: Reader) -> None:
    found = reader.figures(["", "..."])
    assert found["copied_lines"] is None or found["copied_lines"]["value"] == 0
    assert found["known_words"] is None
    assert found["judges"]["n-grams"] == {"recognised": None, "line_order": None}
    assert strongest(found) is None
    assert not passes(found)


def test_the_auc_is_that_of_scikit_learn_and_its_interval_is_over_songs() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    real, far = rng.normal(size=(100, 4)), rng.normal(size=(100, 4)) + np.eye(1, 4)[0] * 8
    found = recognised((groups, real), (groups, far))
    assert found == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 100}
    near = real + rng.normal(size=(100, 4)) * 0.1 + np.eye(1, 4)[0] * 0.5
    found = recognised((groups, real), (groups + 7, near))
    assert found is not None
    assert found["low"] < found["value"] < found["high"]
    simple = roc_auc_score([0] * 100 + [1] * 100, np.concatenate([real[:, 0], near[:, 0]]))
    assert abs(found["value"] - simple) < 0.1
    # a song's lines alike, and songs of both sides alike: many lines of few songs do not narrow the interval
    same = np.repeat(rng.normal(size=(20, 4)), 5, axis=0)
    wide = recognised((groups, same), (groups, np.repeat(rng.normal(size=(20, 4)), 5, axis=0)))
    assert wide is not None
    assert wide["high"] - wide["low"] > 0.25
    assert recognised((groups[:15], real[:15]), (groups, far)) is None  # three songs


def test_a_pretrained_model_reads_lines_whatever_is_in_the_batch(
    songs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Pretrained(str(chat_model(tmp_path / "model", songs[:20])))
    lines = [line for song in songs[:5] for line in distinct(song, 6)]
    together = judge.vectors(lines)
    assert together.shape == (len(lines), 16)
    np.testing.assert_allclose(together[3:4], judge.vectors(lines[3:4]), atol=1e-2)
    scores = judge.scores([lines[:4], lines[:2], lines[:1]])
    assert scores[0] < scores[1] < scores[2] < 0
    np.testing.assert_allclose(scores[1:2], judge.scores([lines[:2]]), rtol=1e-2)
    assert judge.made(SimpleNamespace(model=judge.model))
    assert judge.made(SimpleNamespace(model=SimpleNamespace(network=judge.model)))
    other = SimpleNamespace(model=SimpleNamespace(config=SimpleNamespace(model_type="lyrist-gru")))
    assert not judge.made(other)


def test_a_judge_leaves_out_writers_of_its_own_model(
    reader: Reader, songs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "made", lambda self, writer: writer == "mine")
    assert reader.figures(songs[340:350], "mine")["judges"] == {"n-grams": {"own": True}}
    assert strongest(reader.figures(songs[340:350], "mine")) is None
    assert "own" not in reader.figures(songs[340:350], "other")["judges"]["n-grams"]


@pytest.mark.parametrize(
    ("cached", "language", "found"),
    [
        ("there", "en", ["model", "n-grams"]),
        ("there", "es", ["n-grams"]),  # the model reads English
        (None, "en", ["n-grams"]),
    ],
)
def test_the_judges_are_those_that_can_be_had(
    monkeypatch: pytest.MonkeyPatch, cached: str | None, language: str, found: list[str]
) -> None:
    monkeypatch.setattr(fetch, "cached", lambda name: cached)
    monkeypatch.setattr(fluency, "Pretrained", lambda name: SimpleNamespace(name="model"))
    assert [judge.name for judge in judges_of_lines(["one line\nanother line\nand a third"] * 5, language)] == found
