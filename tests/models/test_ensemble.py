"""The ensemble is a sum of its members, weighed on songs that they had not seen, and the sum can be told."""

import numpy as np
import polars as pl
import pytest

from lyrist.errors import InputError
from lyrist.models.ensemble import MEMBERS, LyricEnsemble
from lyrist.models.linear import NGramRidge

ACTS = {"ann": "river moon stone tide willow water", "bob": "neon engine wire chrome static motor"}


def songs(n: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return songs of two acts that differ in their words and in the length of their lines."""
    rng = np.random.default_rng(seed)
    labels = [list(ACTS)[i % 2] for i in range(n)]
    lyrics = []
    for label in labels:
        width = 3 if label == "ann" else 5
        words = rng.choice([*ACTS[label].split(), "the", "and", "of", "in", "you"], 40).tolist()
        lyrics.append("\n".join(" ".join(words[i : i + width]) for i in range(0, 40, width)))
    return lyrics, labels


LYRICS, LABELS = songs()


@pytest.fixture(scope="module")
def fitted() -> LyricEnsemble:
    return LyricEnsemble().fit(LYRICS, LABELS)


def test_it_weighs_every_member_with_zero_or_more(fitted: LyricEnsemble) -> None:
    assert tuple(fitted.weights_) == MEMBERS
    assert all(weight >= 0 for weight in fitted.weights_.values())
    assert sum(fitted.weights_.values()) > 0
    new, truth = songs(40, seed=1)
    assert (fitted.predict(new) == np.array(truth)).mean() > 0.9


def test_the_logits_are_the_weighed_sum_of_the_members(fitted: LyricEnsemble) -> None:
    views = fitted._views(fitted._gather(LYRICS[:5]))
    total = fitted.offset_ + sum(fitted.weights_[name] * (views[name] @ fitted.coefs_[name]) for name in MEMBERS)
    np.testing.assert_allclose(fitted._scores(LYRICS[:5]), total, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", [LYRICS[0], "", "unheard of", "THE River\n\n neon, wire!"])
def test_the_shares_add_up_to_the_logit(text: str, fitted: LyricEnsemble) -> None:
    logits = fitted._scores([text])[0]
    for c, label in enumerate(fitted.classes_):
        found = fitted.contributions([text], label)
        assert set(found.other) == {"layout", "intercept"}
        total = found.characters.sum() + sum(found.other.values())
        assert total == pytest.approx(logits[c] - logits.mean(), abs=1e-5)


def test_with_groups_it_is_less_sure_of_songs_by_others() -> None:
    rng = np.random.default_rng(0)
    lyrics, labels = songs(80)
    acts = [
        f"{label} {rng.integers(6)}" for label in labels
    ]  # each act has words of its own, and the label little in common
    texts = [f"{act.replace(' ', 'x')} " * 12 + lyric for act, lyric in zip(acts, lyrics, strict=True)]
    mixed = rng.permutation(labels).tolist()
    by_act = dict(zip(acts, mixed, strict=True))
    truth = [by_act[act] for act in acts]
    models = [LyricEnsemble(char_high=2).fit(texts, truth, groups=groups) for groups in (None, acts)]
    surest = [float(model.predict_proba(lyrics[:20]).max(axis=1).mean()) for model in models]
    assert surest[1] < surest[0]
    with pytest.raises(InputError, match="80 songs and 3 groups"):
        LyricEnsemble().fit(texts, truth, groups=[1, 2, 3])
    with pytest.raises(InputError, match="NGramRidge does not use groups"):
        NGramRidge().fit(texts, truth, groups=acts)


def test_the_artist_is_one_of_the_shares() -> None:
    table = pl.DataFrame({"lyrics": LYRICS, "artist": [f"{label} & co" for label in LABELS]})
    model = LyricEnsemble(features="artist").fit(table, LABELS)
    found = model.contributions(table[:1], "ann")
    assert found.other["artist"] > 0
    logits = model._scores(table[:1])[0]
    assert found.characters.sum() + sum(found.other.values()) == pytest.approx(logits[0] - logits.mean(), abs=1e-5)


def test_the_weightiest_features_are_the_act_s_own(fitted: LyricEnsemble) -> None:
    for label, names, weights in fitted.feature_weights():
        assert len(names) == len(weights) == len(fitted.ratio_scale_)
        best = names[np.argsort(-weights)[:5]].tolist()
        own = [name for name in best if any(part in ACTS[label] for part in name.replace("·", " ").split())]
        assert len(own) >= 3, best


def test_without_a_prior_rare_classes_are_answered_more_often() -> None:
    rng = np.random.default_rng(0)
    lyrics, _ = songs(120, seed=3)
    labels = ["often" if rng.random() < 0.85 else "rare" for _ in lyrics]  # nothing to be learnt but the shares
    answers = [
        np.mean(LyricEnsemble(prior=prior, char_high=2).fit(lyrics, labels).predict_proba(lyrics)[:, 1])
        for prior in (0.0, 1.0)
    ]
    assert answers[0] > answers[1]


def test_above_the_limit_all_members_are_scored_on_the_same_songs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAM_LIMIT", "MANY_GRAM_LIMIT"):
        monkeypatch.setattr(f"lyrist.models.least_squares_svm.{name}", 50)
    lyrics, labels = songs(200)
    model = LyricEnsemble().fit(lyrics, labels)
    new, truth = songs(40, seed=1)
    assert (model.predict(new) == np.array(truth)).mean() > 0.9
