"""A judge who knows real songs, and what it says of obedient and of disobedient writers."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.errors import LyristError
from lyrist.evaluation import conditioning as module
from lyrist.evaluation.conditioning import Judge, conditioning_accuracy
from lyrist.metrics.intervals import wilson
from lyrist.models.inputs import lyrics_of

WORDS = {
    "rap": ["street", "money", "beat", "hustle", "flow", "crew"],
    "pop": ["heart", "summer", "dance", "baby", "tonight", "star"],
}


def song(genre: str, seed: int, lines: int = 12) -> str:
    rng = np.random.default_rng((seed, len(genre), lines))
    return "\n".join(" ".join([*rng.choice(WORDS[genre], 4), "and", "the"]) for _ in range(lines))


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Any:
    genres = ["rap", "rap", "pop"] * 40
    return make_corpus(
        pl.DataFrame(
            {
                "lyrics": [song(genre, seed) if seed % 7 else "no words of any" for seed, genre in enumerate(genres)],
                "genre": genres,
                "artist": ["one"] * len(genres),
            }
        )
    )


@pytest.fixture(scope="module")
def judge(corpus: Any) -> Judge:
    return Judge.fit(corpus, "genre", ["rap", "pop"])


def test_an_obedient_writer_is_recognised(judge: Judge) -> None:
    labels = ["rap"] * 10 + ["pop"] * 10
    found = conditioning_accuracy(judge, [song(label, 900 + i, lines=4) for i, label in enumerate(labels)], labels)
    assert found["column"] == "genre"
    assert found["judge"] == "char-svm"
    assert found["labels"] == 2
    assert found["guessing"] == 0.5
    assert found["written"]["n"] == 20
    assert found["written"]["accuracy"]["value"] == 1
    assert found["written"]["accuracy"]["low"] == pytest.approx(0.839, abs=0.001)
    assert found["real"]["n"] == 12
    assert 0.6 < found["real"]["accuracy"]["value"] < 1  # some songs have no words of any genre
    assert sum(each["real"]["n"] for each in found["by_label"].values()) == 12
    assert found["by_label"]["pop"]["written"]["n"] == 10


def test_a_disobedient_writer_is_not(judge: Judge) -> None:
    found = conditioning_accuracy(judge, [song("pop", seed) for seed in range(8)], ["rap"] * 8)
    assert found["written"]["accuracy"]["value"] == 0
    assert found["guessing"] == 0.5
    assert found["by_label"].keys() == {"rap"}
    assert found["real"]["n"] == found["by_label"]["rap"]["real"]["n"]


def test_a_writer_that_ignores_what_it_was_given_is_no_better_than_chance(judge: Judge) -> None:
    labels = ["rap", "pop"] * 10
    found = conditioning_accuracy(judge, [song("rap", seed) for seed in range(20)], labels)
    assert found["written"]["accuracy"]["value"] == found["guessing"] == 0.5


def test_real_songs_count_in_the_mix_of_what_was_written(judge: Judge) -> None:
    labels = ["rap"] * 3 + ["pop"] * 9
    found = conditioning_accuracy(judge, [song(label, seed) for seed, label in enumerate(labels)], labels)
    each = {label: part["real"]["accuracy"]["value"] for label, part in found["by_label"].items()}
    accuracy = found["real"]["accuracy"]
    assert accuracy["value"] == pytest.approx(0.25 * each["rap"] + 0.75 * each["pop"])
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert module._mixed([(2, {"n": 0, "accuracy": {"value": None}})])["n"] == 0
    one = module._mixed([(2, {"n": 40, "accuracy": {"value": 0.5}}), (5, {"n": 0, "accuracy": {"value": None}})])
    assert (one["accuracy"]["low"], one["accuracy"]["high"]) == pytest.approx(wilson(20, 40))


def test_it_is_made_up_for_how_rare_a_label_is() -> None:
    # To a judge who learnt from nine rap songs and one of pop, 0.7 for rap speaks for pop: 0.3 by the root of 0.1 is more.
    told = {"a": [0.3, 0.7], "b": [0.2, 0.8]}
    model = SimpleNamespace(predict_proba=lambda texts: np.array([told[text] for text in lyrics_of(texts)]))
    judge = Judge("genre", "fake", ("pop", "rap"), np.array([0.1, 0.9]), model, pl.DataFrame())
    assert judge.recognised(["a", "b"], ["pop", "pop"]) == [True, False]
    assert judge.recognised([], []) == []


def test_where_one_label_was_wanted_others_stand_beside_it(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Judge.fit(corpus, "genre", ["pop"], seed=3).labels == ("pop", "rap")
    monkeypatch.setattr(module, "TRAINING", 30)
    songs = module._labelled(corpus, "train", "genre")
    drawn = module._limited(songs, seed=3)
    assert dict(drawn["label"].value_counts().iter_rows()) == {"rap": 15, "pop": 15}
    assert drawn.equals(module._limited(songs, seed=3))


def test_bad_wishes_are_reported(corpus: Any, judge: Judge) -> None:
    with pytest.raises(LyristError, match="'polka', for which lyrics were generated"):
        Judge.fit(corpus, "genre", ["polka"])
    with pytest.raises(LyristError, match="one artist"):
        Judge.fit(corpus, "artist", ["one"])
    with pytest.raises(LyristError, match="no target column"):
        Judge.fit(corpus, "mood", ["sad"])
    with pytest.raises(LyristError, match="No lyrics were generated"):
        conditioning_accuracy(judge, [], [])
