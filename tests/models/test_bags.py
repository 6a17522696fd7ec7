import numpy as np
import pytest
import torch

from lyrist.models.bags import BagOfEmbeddings

LYRICS = [f"{word} line\n{word} and more {i % 5}" for i in range(20) for word in ("tide", "wire")]
LABELS = ["ann", "bob"] * 20


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_probabilities_are_those_of_the_mean_vector() -> None:
    model = BagOfEmbeddings(size=4, epochs=5, random_state=1).fit(LYRICS, LABELS)
    row = model.features_.transform(["tide tide wire"]).sign().toarray()[0]
    mean = (row @ model.embedding_) / row.sum()
    logits = torch.from_numpy(mean @ model.coef_ + model.intercept_)
    np.testing.assert_allclose(model.predict_proba(["tide tide wire"])[0], logits.softmax(0).numpy(), atol=1e-6)


def test_it_learns_and_the_seed_alone_decides() -> None:
    first = BagOfEmbeddings(size=8, random_state=3).fit(LYRICS, LABELS)
    assert (first.predict(LYRICS) == np.array(LABELS)).all()
    unseen = first.predict_proba(["a tide", "wire again"])
    assert unseen[0, 0] > 0.7
    assert unseen[1, 1] > 0.7
    exchanged = BagOfEmbeddings(size=8, random_state=3).fit(LYRICS, ["bob", "ann"] * 20)
    assert (exchanged.predict(["tide", "wire"]) == ["bob", "ann"]).all()
    second = BagOfEmbeddings(size=8, random_state=3).fit(LYRICS, LABELS)
    np.testing.assert_array_equal(first.embedding_, second.embedding_)


@pytest.mark.parametrize(("songs", "passes"), [(40, 25), (2_400, 25), (6_000, 10), (20_000, 3), (900_000, 1)])
def test_many_songs_are_shown_less_often(songs: int, passes: int) -> None:
    assert BagOfEmbeddings()._passes(songs) == passes
    assert BagOfEmbeddings(epochs=7)._passes(songs) == 7


def test_with_everything_left_out_it_still_answers() -> None:
    model = BagOfEmbeddings(size=4, epochs=2, dropout=0.99).fit(LYRICS, LABELS)
    assert np.isfinite(model.predict_proba(["", "tide"])).all()
