from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from lyrist import estimators
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import Classified, classify
from lyrist.evaluation.label import label
from lyrist.models.hub import licence_of
from lyrist.training import cards
from lyrist.training.batches import drawn
from lyrist.training.classifier import NeuralClassifier, hold_out
from lyrist.training.estimators import make_estimator, resolved

QUICK = {"steps": 12, "embedding_size": 8, "hidden": 8, "min_count": 1, "device": "cpu", "batch_size": 8}


def songs(n: int = 40, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return songs of two acts that are easy to tell apart."""
    rng = np.random.default_rng(seed)
    words = {"ann": ["river", "moon", "stone"], "bob": ["neon", "engine", "wire"]}
    labels = [["ann", "bob"][n % 2] for n in range(n)]
    return ["\n".join(" ".join(rng.choice(words[who], 5)) for _ in range(3)) for who in labels], labels


def test_it_follows_the_contract_of_scikit_learn() -> None:
    lyrics, labels = songs()
    model = NeuralClassifier("lstm", {**QUICK, "steps": 40, "learning_rate": 0.02}, random_state=1)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert model.fit(lyrics, labels) is model
    assert model.classes_.tolist() == ["ann", "bob"]
    chances = model.predict_proba(lyrics)
    assert chances.shape == (40, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)
    assert (model.predict(lyrics) == np.array(labels)).mean() > 0.9
    assert (copy.fit(lyrics, labels).predict_proba(lyrics) == chances).all()


def test_cross_validation_with_lists_of_strings() -> None:
    lyrics, labels = songs()
    scores = cross_val_score(NeuralClassifier("cnn-multi", {**_cnn(), "steps": 40}), lyrics, labels, cv=2)
    assert scores.mean() > 0.8


def _cnn() -> dict[str, Any]:
    return {**{k: v for k, v in QUICK.items() if k != "hidden"}, "channels": 8, "learning_rate": 0.02}


def test_batch_size_and_neighbours_never_change_a_score() -> None:
    lyrics, labels = songs()
    lyrics[3] = lyrics[3] * 20
    model = make_estimator("lstm", {**QUICK, "precision": "float32"}).fit(lyrics, labels)
    whole = model.predict_proba(lyrics)
    for size in (1, 3, 40):
        np.testing.assert_allclose(model.predict_proba(lyrics, batch_size=size), whole, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(lyrics[:1]), whole[:1], atol=1e-5)


def test_saved_and_opened_it_is_exact(tmp_path: Path) -> None:
    lyrics, labels = songs()
    model = make_estimator("lstm", QUICK, seed=3).fit(lyrics, labels)
    model.save(tmp_path)
    opened = NeuralClassifier.load(tmp_path)
    assert (opened.decision_function(lyrics) == model.decision_function(lyrics)).all()
    assert opened.classes_.tolist() == ["ann", "bob"]
    assert opened.recipe == "lstm"
    assert opened.parameters() == model.parameters()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_or_damaged_file_is_told(name: str, tmp_path: Path) -> None:
    lyrics, labels = songs(12)
    make_estimator("lstm", {**QUICK, "steps": 1}).fit(lyrics, labels).save(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:40])
    with pytest.raises(LyristError, match="damaged"):
        NeuralClassifier.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(LyristError, match=f"no {name}"):
        NeuralClassifier.load(tmp_path)


def test_the_artist_is_an_input_and_unknown_ones_have_a_value() -> None:
    lyrics, _ = songs(40)
    artists = [f"artist {n % 4}" for n in range(40)]
    genre = ["rock" if n % 4 < 2 else "soul" for n in range(40)]  # the lyrics tell nothing about it
    table = pl.DataFrame({"lyrics": lyrics, "artist": artists})
    options = {**QUICK, "features": "artist", "steps": 120, "learning_rate": 0.02, "artist_size": 8}
    model = make_estimator("lstm", options).fit(table, genre)
    assert (model.predict(table) == np.array(genre)).mean() > 0.9
    strange = table.with_columns(artist=pl.lit("nobody before"))
    nobody = table.with_columns(artist=pl.lit(None, dtype=pl.String))
    np.testing.assert_array_equal(model.predict_proba(strange), model.predict_proba(nobody))
    assert model.predict_proba(strange).max() < model.predict_proba(table).max()
    with pytest.raises(LyristError, match="artist"):
        model.predict(lyrics)


def test_the_artists_are_saved_with_the_model(tmp_path: Path) -> None:
    lyrics, labels = songs(20)
    table = pl.DataFrame({"lyrics": lyrics, "artist": ["x", "y"] * 10})
    model = make_estimator("cnn", {**_cnn(), "features": "artist"}).fit(table, labels)
    model.save(tmp_path)
    assert (NeuralClassifier.load(tmp_path).predict_proba(table) == model.predict_proba(table)).all()


def test_validation_songs_with_new_labels_are_left_out() -> None:
    lyrics, labels = songs(20)
    model = make_estimator("lstm", QUICK).fit(lyrics, labels, validation=(lyrics[:3], ["ann", "bob", "zoe"]))
    assert model.classes_.tolist() == ["ann", "bob"]
    assert model.outcome_.best_loss is not None


@pytest.mark.parametrize("count", [1, 2, 3, 9, 40])
def test_what_is_held_out_has_every_class_but_never_all_of_one(count: int) -> None:
    target = np.array([0] * count + [1] * 20, dtype=np.int64)
    kept, held = hold_out(target, 5)
    assert sorted([*kept, *held]) == list(range(len(target)))
    assert (target[kept] == 0).any()
    assert (target[held] == 0).sum() == (0 if count == 1 else max(1, round(count / 10)))
    assert hold_out(target, 5)[1].tolist() == held.tolist()


def test_what_cannot_be_learnt_is_told() -> None:
    lyrics, labels = songs(10)
    with pytest.raises(LyristError, match="All 10 training songs have the label"):
        make_estimator("lstm", QUICK).fit(lyrics, ["ann"] * 10)
    with pytest.raises(LyristError, match="10 songs and 9 labels"):
        make_estimator("lstm", QUICK).fit(lyrics, labels[:9])
    with pytest.raises(LyristError, match="no words"):
        make_estimator("lstm", QUICK).fit([""] * 10, labels)


def test_an_empty_text_gets_an_answer() -> None:
    lyrics, labels = songs(20)
    for recipe, options in (("lstm", QUICK), ("cnn-multi", _cnn())):
        model = make_estimator(recipe, {**options, "steps": 2}).fit(lyrics, labels)
        assert np.isfinite(model.predict_proba(["", "\n", "unheard"])).all()
        assert model.predict_proba([]).shape == (0, 2)


def test_wrong_options_are_told_before_anything_is_fitted() -> None:
    with pytest.raises(UsageError, match="hidden"):
        make_estimator("lstm", {"hiden": 3})
    with pytest.raises(UsageError, match="pooling"):
        make_estimator("lstm", {"pooling": "median"})
    with pytest.raises(UsageError, match="lstm"):
        make_estimator("lstmm")
    with pytest.raises(LyristError, match="not a network"):
        NeuralClassifier("majority").fit(*songs(10))


def test_options_have_their_resolved_values() -> None:
    settings = resolved("lstm", {"hidden": "32", "epochs": 3}, seed=4)
    assert settings["hidden"] == 32
    assert settings["epochs"] == 3.0
    assert settings["seed"] == 4
    assert settings["batch_size"] == 16
    assert make_estimator("majority").get_params() is not None


def test_a_word_vector_file_is_used_and_its_coverage_told(tmp_path: Path) -> None:
    lyrics, labels = songs(20)
    path = tmp_path / "vectors.txt"
    path.write_text("river 1 2 3\nneon -1 -2 -3\nunused 0 0 0\n")
    options = {k: v for k, v in QUICK.items() if k != "embedding_size"}
    model = make_estimator("lstm", {**options, "embedding": str(path), "freeze_embedding": True}).fit(lyrics, labels)
    table = model.model_.get_input_embeddings().weight
    word = model.tokenizer_.get_vocab()["river"]
    assert table[word].tolist() == [1.0, 2.0, 3.0]
    assert not table.requires_grad
    assert model.coverage_["found"] == 2
    assert model.coverage_["size"] == 3


def test_reading_after_the_padding_depends_on_the_batch() -> None:
    lyrics, labels = songs(20)
    lyrics[0] += "\n" + "river moon " * 60
    options = {**QUICK, "as_reported": True, "pooling": "last", "bidirectional": False, "precision": "float32"}
    model = make_estimator("lstm", options).fit(lyrics, labels)
    alone, together = model.predict_proba(lyrics[1:2]), model.predict_proba(lyrics[:2])[1:]
    assert np.abs(alone - together).max() > 1e-4


def test_what_a_network_does_not_read_of_a_song_is_said(tmp_path: Path) -> None:
    """``classify`` and ``label`` say how many tokens were read of how many."""
    lyrics, labels = songs(12)
    model = NeuralClassifier("cnn-multi", {**_cnn(), "steps": 1, "max_length": 4}).fit(lyrics, labels)
    long = " ".join(["river moon"] * 10)
    assert model.tokens_read([long, "moon"]).tolist() == [[4, 20], [1, 1]]
    estimators.save(model, tmp_path / "run")
    labelled = classify(str(tmp_path / "run"), long)
    assert isinstance(labelled, Classified)
    assert "read the first 4 of 20 tokens only" in labelled.summary()
    assert (labelled.figures()[0]["tokens_read"], labelled.figures()[0]["tokens"]) == (4, 20)
    pl.DataFrame({"lyrics": [long, "moon river"]}).write_csv(tmp_path / "table.csv")
    table = label(str(tmp_path / "run"), str(tmp_path / "table.csv"), workers=1)
    assert table.frame["tokens"].to_list() == [20, 2]
    assert table.frame["tokens_read"].to_list() == [4, 2]
    assert table.counts["truncated"] == 1
    assert "1 songs are longer than the network reads" in table.summary()


def test_the_card_names_the_base_model_its_licence_and_what_is_read() -> None:
    info = {
        "recipe": "encoder", "target": "genre", "classes": ["folk", "pop"], "languages": ["en"], "precision": "float32",
        "config": {}, "lyrist": "0", "base": {"name": "maker/small", "licence": "apache-2.0"},
        "tokens_of_test": {"read": 600, "of": 21_600, "truncated": 1},
    }  # fmt: skip
    text = cards.card(info, {})
    for part in (
        "folk, pop",
        ": en.",
        "`maker/small` (licence apache-2.0)",
        "600 of the 21,600 tokens",
        "Intended use",
        "How to open",
    ):
        assert part in text
    text = cards.card(info | {"base": {"name": "maker/small", "licence": None}}, {})
    assert "its licence is not recorded" in text


@pytest.mark.parametrize(("card", "expected"), [("---\nlicense: mit\n---\n", "mit"), ("# Model\n", None), (None, None)])
def test_the_licence_is_that_of_the_card(card: str | None, expected: str | None, tmp_path: Path) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert licence_of(str(tmp_path)) == expected


def test_songs_are_drawn_in_proportion_to_their_weights() -> None:
    weights = np.array([1.0, 3.0, 0.5, 0.0, 2.5, 1.0])
    counts = np.mean([np.bincount(drawn(weights, np.random.default_rng(n)), minlength=6) for n in range(400)], axis=0)
    np.testing.assert_allclose(counts, weights / weights.sum() * 6, atol=0.1)
    assert sorted(drawn(np.full(7, 0.25), np.random.default_rng(0)).tolist()) == list(range(7))


def test_weights_of_songs_and_classes_change_what_a_network_predicts() -> None:
    """All songs have the same words, so the network learns the share of the weights of each label."""
    lyrics, labels = ["river moon"] * 24, ["ann"] * 18 + ["bob"] * 6
    options = {**_cnn(), "steps": 40}
    validation = ["river moon"] * 2, ["ann", "bob"]
    models = {
        "none": NeuralClassifier("cnn-multi", options).fit(lyrics, labels),
        "songs": NeuralClassifier("cnn-multi", options).fit(lyrics, labels, [1] * 18 + [9] * 6, validation),
        "classes": NeuralClassifier("cnn-multi", options, class_weight="balanced").fit(
            lyrics, labels, None, validation
        ),
        "option": NeuralClassifier("cnn-multi", {**options, "balance": 1.0}).fit(lyrics, labels, None, validation),
        "left out": NeuralClassifier("cnn-multi", options).fit([*lyrics, "stone"], [*labels, "zoe"], [1] * 24 + [0]),
    }
    chance = {name: float(model.predict_proba(["river moon"])[0, 1]) for name, model in models.items()}
    assert chance["none"] < chance["classes"]
    assert chance["none"] < chance["songs"]
    assert chance["option"] == chance["classes"]
    assert models["left out"].classes_.tolist() == ["ann", "bob"]
