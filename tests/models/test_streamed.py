"""The streamed recipe: what it learns does not depend on how the songs come, and explains itself as its neighbours do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lyrist import estimators, progress
from lyrist.errors import LyristError
from lyrist.models import streamed
from lyrist.models.inputs import songs
from lyrist.models.streamed import StreamedEnsemble, StreamedLogistic

WORDS = {"folk": "river moon stone tide pine", "rock": "neon engine wire chrome loud", "pop": "oh la na hey dance"}


def table(n: int = 600) -> tuple[list[str], list[str], list[str]]:
    """Return lyrics, labels and artists; one word in three is of another genre."""
    rng = np.random.default_rng(0)
    labels = [list(WORDS)[i % 3] for i in range(n)]
    every = " ".join(WORDS.values()).split()
    lyrics = [" ".join(rng.choice(every if rng.random() < 0.3 else WORDS[x].split(), 12)) for x in labels]
    return lyrics, labels, [f"{label} band" for label in labels]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    progress.quiet()
    yield
    progress.quiet(on=False)


def test_it_learns() -> None:
    lyrics, labels, _ = table()
    model = StreamedLogistic(batch_size=16).fit(lyrics[:450], labels[:450])
    assert np.mean(model.predict(lyrics[450:]) == labels[450:]) > 0.7  # three songs in ten are of any genre
    probabilities = model.predict_proba(lyrics[450:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.classes_.tolist() == ["folk", "pop", "rock"]


def test_blocks_of_any_size_teach_the_same() -> None:
    lyrics, labels, _ = table(300)
    sizes = {label: labels.count(label) for label in WORDS}

    def cut(size: int) -> Any:
        return lambda: ((lyrics[i : i + size], labels[i : i + size]) for i in range(0, 300, size))

    settings = {"batch_size": 30, "epochs": 3}
    one, other = (StreamedLogistic(**settings).fit_blocks(cut(size), sizes) for size in (300, 60))  # type: ignore[arg-type]
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-5)
    assert one.sharpness_ == pytest.approx(other.sharpness_, rel=1e-4)


def test_songs_that_calibrate_are_not_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    lyrics, labels, _ = table(300)
    taught: list[int] = []
    step = streamed._Learner.step

    def counted(self: Any, rows: Any, index: Any, weights: Any, dense: Any = None) -> None:
        taught.append(len(index))
        step(self, rows, index, weights, dense)

    monkeypatch.setattr(streamed._Learner, "step", counted)
    StreamedLogistic(epochs=2).fit(lyrics, labels)
    assert sum(taught) == 2 * (300 - 30)


def test_a_step_goes_down_the_gradient() -> None:
    rng = np.random.default_rng(1)
    import scipy.sparse as sp

    rows = sp.csr_matrix(rng.random((8, 5)).astype(np.float32) * (rng.random((8, 5)) < 0.5))
    index = rng.integers(0, 3, 8)
    learner = streamed._Learner(5, 3, 0.1)

    def loss() -> float:
        logits = rows @ learner.coef + learner.intercept
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), index]))

    first = loss()
    dense = rows.toarray()
    wrong = np.full((8, 3), 1 / 3)
    wrong[np.arange(8), index] -= 1
    gradient = dense.T @ wrong / 8
    learner.step(rows, index, np.ones(8, np.float32))
    moved = learner.coef
    some = np.abs(gradient) > 1e-3
    np.testing.assert_allclose(moved[some], -0.1 * np.sign(gradient[some]), rtol=1e-2)
    assert loss() < first


def test_several_steps_are_those_of_adagrad() -> None:
    """The sums of squared gradients grow with each step, for the weights of n-grams and for the intercepts."""
    import scipy.sparse as sp

    rng = np.random.default_rng(2)
    learner, weights = streamed._Learner(6, 3, 0.1), np.array([1, 2, 0.5], np.float32)
    coef, intercept = np.zeros((6, 3)), np.zeros(3)
    taught, taught_intercept = np.full((6, 3), 1e-8), np.full(3, 1e-8)
    for _ in range(4):
        rows = rng.random((8, 6)) * (rng.random((8, 6)) < 0.4)
        index = rng.integers(0, 3, 8)
        logits = rows @ coef + intercept
        wrong = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        wrong[np.arange(8), index] -= 1
        wrong *= weights[index, None] / 8
        taught += (rows.T @ wrong) ** 2
        taught_intercept += wrong.sum(axis=0) ** 2
        coef -= 0.1 * (rows.T @ wrong) / np.sqrt(taught)
        intercept -= 0.1 * wrong.sum(axis=0) / np.sqrt(taught_intercept)
        learner.step(sp.csr_matrix(rows.astype(np.float32)), index, weights[index])
        np.testing.assert_allclose(learner.coef, coef, atol=1e-3)
        np.testing.assert_allclose(learner.intercept, intercept, atol=1e-3)


def test_balance_and_artists() -> None:
    lyrics, labels, artists = table(330)
    kept = [i for i in range(330) if labels[i] != "pop" or i < 60]
    lyrics, labels, artists = ([column[i] for i in kept] for column in (lyrics, labels, artists))
    plain, balanced = (StreamedLogistic(class_weight=b).fit(lyrics, labels).intercept_ for b in (0.0, 1.0))
    pop = 1
    assert balanced[pop] - balanced.mean() > plain[pop] - plain.mean()
    model = StreamedLogistic(features="artist").fit(songs(lyrics, artists), labels)
    assert model.predict(songs(["la"], ["rock band"])).tolist() == ["rock"]
    shares = model.contributions(songs(["neon wire"], ["rock band"]), "rock")
    assert shares.other["artist"] > 0


def test_what_a_character_carries_adds_up() -> None:
    lyrics, labels, _ = table(300)
    model = StreamedLogistic().fit(lyrics, labels)
    shares = model.contributions([lyrics[0]], "rock")
    logits = model.decision_function([lyrics[0]])[0] * model.sharpness_
    expected = logits[2] - logits.mean()
    assert shares.characters.sum() + sum(shares.other.values()) == pytest.approx(expected, abs=1e-3)


def test_one_label_is_refused() -> None:
    with pytest.raises(LyristError, match="one label"):
        StreamedLogistic().fit_blocks(lambda: iter([(["a b"], ["x"])]), {"x": 1})


def test_the_ensemble_reads_words_characters_and_layout() -> None:
    """Of half the songs the words say nothing, but their lines are long: only the layout separates them."""
    lyrics, labels, _ = table(400)
    rng, every = np.random.default_rng(3), " ".join(WORDS.values()).split()
    shape = {"folk": 2, "rock": 5, "pop": 12}
    for i in range(0, 400, 2):
        chosen = rng.choice(every, 24).tolist()
        width = shape[labels[i]]
        lyrics[i] = "\n".join(" ".join(chosen[start : start + width]) for start in range(0, 24, width))
    scores = {}
    for name, model in {"words": StreamedLogistic(epochs=4), "ensemble": StreamedEnsemble(epochs=4)}.items():
        model.fit(lyrics[:300], labels[:300])
        scores[name] = np.mean(model.predict(lyrics[300:]) == labels[300:])
        np.testing.assert_allclose(model.predict_proba(lyrics[300:]).sum(axis=1), 1)
    assert scores["ensemble"] > max(scores["words"] + 0.1, 0.75)


def test_the_contributions_of_the_ensemble_add_up_and_it_is_saved_whole(tmp_path: Path) -> None:
    lyrics, labels, _ = table(120)
    model = StreamedEnsemble(landmarks=20, characters=True).fit(lyrics, labels)
    shares = model.contributions([lyrics[0]], "rock")
    logits = model.decision_function([lyrics[0]])[0] * model.sharpness_
    assert shares.characters.sum() + sum(shares.other.values()) == pytest.approx(logits[2] - logits.mean(), abs=1e-3)
    assert set(shares.other) == {"layout", "intercept"}
    estimators.save(model, tmp_path / "run")
    np.testing.assert_allclose(
        estimators.load(tmp_path / "run").predict_proba(lyrics), model.predict_proba(lyrics), atol=1e-6
    )


def test_the_ensemble_learns_several_labels_a_song() -> None:
    lyrics, labels, _ = table(300)
    Y = np.array([[label == "folk", label != "pop"] for label in labels]).astype(int)
    found = StreamedEnsemble(landmarks=20).fit(lyrics, Y).predict(lyrics)
    assert found.shape == Y.shape
    assert (found == Y).mean() > 0.8


def test_the_weights_of_the_second_half_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    lyrics, labels, _ = table(200)
    monkeypatch.setattr(streamed, "EVERY", 1)
    seen: list[Any] = []
    step = streamed._Learner.step

    def kept(self: Any, *given: Any) -> None:
        step(self, *given)
        seen.append((self.coef.copy(), self.dense.copy()))

    monkeypatch.setattr(streamed._Learner, "step", kept)
    model = StreamedEnsemble(epochs=2, batch_size=18, landmarks=20).fit(lyrics, labels)
    assert len(seen) == 20  # 180 songs twice, 18 each
    np.testing.assert_allclose(model.coef_, np.mean([coef for coef, _ in seen[10:]], axis=0), atol=1e-5)
    np.testing.assert_allclose(model.layout_coef_, np.mean([dense for _, dense in seen[10:]], axis=0), atol=1e-5)


@pytest.mark.parametrize(("songs_read", "expected"), [(50, 20), (30_000, 3), (2_000_000, 1)])
def test_few_songs_are_read_more_often(songs_read: int, expected: int) -> None:
    assert StreamedEnsemble()._epochs(songs_read) == expected
    assert StreamedEnsemble(epochs=2)._epochs(songs_read) == 2
