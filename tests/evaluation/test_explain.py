"""What decided is told exactly where a model is a sum, and by leaving words out where it is not."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.explain import EXACT, OCCLUSION, explain, telling_words
from lyrist.models.baselines import Majority
from lyrist.models.ensemble import LyricEnsemble
from lyrist.models.inputs import artists_of, lyrics_of
from lyrist.models.linear import CharSVM
from lyrist.training.estimators import make_estimator

LYRICS = [f"the {word} is here {i % 3}\n{word} again, {word}!" for i in range(12) for word in ("river", "engine")]
LABELS = ["ann", "bob"] * 12
TEXT = "The river, the river\n\nand an engine\nand an engine"


@pytest.fixture(scope="module")
def linear() -> Any:
    return CharSVM().fit(LYRICS, LABELS)


@pytest.fixture(scope="module")
def neural() -> Any:
    progress.quiet()
    torch.set_num_threads(1)
    options = {"steps": 60, "embedding_size": 8, "hidden": 8, "min_count": 1, "learning_rate": 0.02, "device": "cpu"}
    return make_estimator("lstm", options).fit(LYRICS, LABELS)


def test_the_shares_of_a_linear_model_add_up_to_its_logit(linear: Any) -> None:
    logits = linear._scores([TEXT])[0].astype(float) * linear.sharpness_
    for label in ("ann", "bob"):
        told = explain(linear, TEXT, label, top=100)
        assert (told.label, told.method) == (label, EXACT)
        whole = logits[list(linear.classes_).index(label)] - logits.mean()
        assert sum(w for _, w in told.words) + sum(told.other.values()) == pytest.approx(whole, abs=1e-4)
        assert {word for word, _ in told.words} <= {"the", "river", "and", "an", "engine"}
        lines = dict(told.lines)
        assert set(lines) <= {"The river, the river", "and an engine"}  # what is sung twice is one line
        outside = {key: value for key, value in told.other.items() if key != "marks and blanks"}
        assert sum(lines.values()) + sum(outside.values()) == pytest.approx(whole, abs=1e-4)


def test_words_stand_in_the_order_of_their_weight_and_no_more_than_asked_for(linear: Any) -> None:
    told = explain(linear, TEXT, "ann", top=2)
    assert len(told.words) == len(told.lines) == 2
    sizes = [abs(weight) for _, weight in told.words]
    assert sizes == sorted(sizes, reverse=True)
    assert dict(explain(linear, TEXT, "ann").words)["river"] > 0 > dict(explain(linear, TEXT, "ann").words)["engine"]


def test_by_default_the_likeliest_label_is_explained(linear: Any) -> None:
    assert explain(linear, "river river").label == "ann"
    assert explain(linear, "engine engine").label == "bob"
    with pytest.raises(UsageError, match=r"There is no label 'anne'\. Did you mean 'ann'"):
        explain(linear, TEXT, "anne")


def test_a_network_is_asked_again_without_each_word(neural: Any) -> None:
    told = explain(neural, TEXT, "ann")
    assert told.method == OCCLUSION
    assert not told.other
    words = dict(told.words)
    logs = np.log(neural.predict_proba([TEXT, TEXT.replace("river", ""), TEXT.replace("engine", "")])[:, 0])
    assert words["river"] == pytest.approx(logs[0] - logs[1], abs=1e-6)
    assert words["engine"] == pytest.approx(logs[0] - logs[2], abs=1e-6)
    assert words["river"] > 0 > words["engine"]
    lines = dict(told.lines)
    without = np.log(neural.predict_proba(["The river, the river\n\n"])[0, 0])
    assert lines["and an engine"] == pytest.approx(logs[0] - without, abs=1e-6)


@pytest.mark.parametrize("text", ["", "...", "\n\n", "word", "’’’", "🎵 🎵"])
def test_any_text_can_be_explained(text: str, linear: Any, neural: Any) -> None:
    for model in (linear, neural, LyricEnsemble().fit(LYRICS, LABELS)):
        told = explain(model, text, "ann")
        assert all(np.isfinite(weight) for _, weight in [*told.words, *told.lines])


class Counting:
    """A model of two labels: "river" and the artist Ann speak for the first, "engine" for the second."""

    classes_ = np.array(["ann", "bob"])

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def predict_proba(self, X: Any) -> Any:
        self.seen = list(zip(lyrics_of(X), artists_of(X), strict=True))
        logits = [text.count("river") - 4 * text.count("engine") + (artist == "Ann") for text, artist in self.seen]
        first = 1 / (1 + np.exp(-np.array(logits, dtype=float)))
        return np.stack([first, 1 - first], axis=1)


def test_each_word_and_each_line_is_left_out_with_its_line_end() -> None:
    model = Counting()
    found = explain(model, "a river\n\nan engine\nso far", "ann", artist="Ann")
    assert model.seen == [
        (text, "Ann")
        for text in (
            "a river\n\nan engine\nso far",
            " river\n\nan engine\nso far", "a \n\nan engine\nso far", "a river\n\n engine\nso far",
            "a river\n\nan \nso far", "a river\n\nan engine\n far", "a river\n\nan engine\nso ",
            "\nan engine\nso far", "a river\n\nso far", "a river\n\nan engine\n",
        )
    ]  # fmt: skip
    assert [name for name, _ in found.words] == ["engine", "river"]  # by size, whatever the sign; 0 is left out
    assert [np.sign(weight) for _, weight in found.words] == [-1, 1]
    assert [name for name, _ in found.lines] == ["an engine", "a river"]
    assert explain(model, "la", artist="Ann").label == "ann"
    assert explain(model, "an engine", artist="Ann").label == "bob"


def test_the_artist_is_part_of_an_exact_explanation() -> None:
    class Summing(Counting):
        def contributions(self, X: Any, label: str) -> Any:
            self.seen = list(zip(lyrics_of(X), artists_of(X), strict=True))
            return SimpleNamespace(characters=np.array([1.0, 2, 3, -9, 5]), other={"artist": 0.5})

    model = Summing()
    found = explain(model, "ab\n c", "ann", artist="Ann")
    assert model.seen == [("ab\n c", "Ann")]
    assert found.words == [("c", 5.0), ("ab", 3.0)]
    assert found.lines == [("c", -4.0), ("ab", 3.0)]
    assert found.other == {"artist": 0.5, "marks and blanks": -6.0}


def test_of_many_words_the_commonest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyrist.evaluation.explain.MOST_LEFT_OUT", 1)
    assert [name for name, _ in explain(Counting(), "engine river river", "ann").words] == ["river"]


def test_the_strongest_features_are_merged_into_words() -> None:
    class Linear:
        def feature_weights(self) -> Any:
            many = np.random.default_rng(0).permutation(60)
            yield "bob", np.array([f"w{weight:02}" for weight in many]), many.astype(float)
            names = [
                "·riv",
                "ver·",
                "e·riv",
                "moo",
                "stone",
                "·",
                "ri",
                "engine",
                "cold moon",
                "zzz",
                "artist: ann",
                "川の水",
            ]
            yield "ann", np.array(names), np.array([3.0, 2, 1, 4, 0.5, 9, 9, -4, 2, 9, 9, 0.25])

    lines = [
        "The river of the stone",
        "Rivers, moon, the cold river’s engine",
        "the river, moonlight",
        *[f"w{n:02}" for n in range(60)],
    ]
    songs = pl.DataFrame({"label": ["ann"] * 3 + ["bob"] * 60, "lyrics": lines})
    found = telling_words(Linear(), songs, top=4)
    assert found["ann"] == [("river", 6.0), ("moon", 4.0), ("stone", 0.5), ("川の水", 0.25)]
    assert telling_words(Linear(), songs, top=2)["ann"] == found["ann"][:2]
    assert [name for name, _ in telling_words(Linear(), songs, top=30)["bob"]] == [f"w{n}" for n in range(59, 29, -1)]
    assert telling_words(Linear(), songs.filter(pl.col("label") == "bob"))["ann"] == [("川の水", 0.25)]


def test_a_model_gone_astray_is_reported() -> None:
    class Astray:
        classes_ = np.array(["a", "b"])

        def predict_proba(self, X: Any) -> Any:
            return np.full((len(X), 2), np.nan)

    with pytest.raises(LyristError, match="diverged"):
        explain(Astray(), "any words", "a")


def test_the_words_that_tell_a_class_are_words_of_its_songs() -> None:
    songs = pl.DataFrame({"label": LABELS, "lyrics": LYRICS})
    found = telling_words(CharSVM(low=2, high=5).fit(LYRICS, LABELS), songs, top=5)
    assert set(found) == {"ann", "bob"}
    for label, words in found.items():
        own = " ".join(songs.filter(pl.col("label") == label)["lyrics"]).lower()
        assert words
        assert all(set(name.split()) <= set(re.findall(r"[\w']+", own)) and weight > 0 for name, weight in words)
    assert "river" in dict(found["ann"])
    assert telling_words(Majority().fit(LYRICS, LABELS), songs) == {}
