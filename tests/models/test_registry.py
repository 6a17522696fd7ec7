"""Every classifying recipe keeps one contract, whatever it is fitted to and asked; new recipes are covered as they come."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.models import registry
from lyrist.models.inputs import songs as as_input
from lyrist.models.network import hushed
from lyrist.training import runs
from lyrist.training.estimators import make_estimator

NAMES = [recipe.name for recipe in registry.recipes("classify")]
NEURAL = [recipe.name for recipe in registry.recipes("classify") if recipe.family == "neural"]
QUICK = {
    "embedding_size": 6, "hidden": 5, "channels": 4, "min_count": 1, "kernels": "1,2", "epochs": 3, "folds": 2, "size": 4,
}  # fmt: skip
LOOP = {"steps": 4, "batch_size": 8, "device": "cpu", "precision": "float32", "learning_rate": 0.02}
WORDS = {"ann": "river moon stone tide willow", "bob": "neon engine wire chrome static", "zoe": "oh la na hey yeah"}
HOSTILE = [
    "",
    "\n \t\r\n",
    "\x00\x1b[31m\x07",
    "\u202eevil\u2066 <script>alert(1)</script>",
    "\ud800 half a pair",
    "🎵" * 50,
    "ﬁ İ ẞ ǅ" * 9,
    "a" * 30_000,
    "x\n" * 3_000,
    "[PAD] [UNK] [CLS] <|endoftext|> </s>",
    "=cmd|' /C calc'!A0",
    "́" * 200,
]

Make = Callable[..., Any]


class Songs(NamedTuple):
    table: pl.DataFrame
    labels: list[str]


def songs(n: int = 36, seed: int = 0, classes: tuple[str, ...] = ("ann", "bob", "zoe")) -> Songs:
    """Return n songs with artists, the classes in turn, each with words of its own."""
    rng = np.random.default_rng(seed)
    labels = [classes[i % len(classes)] for i in range(n)]
    lyrics = []
    for label in labels:
        words = WORDS.get(label, f"{label} the of and").split()
        lyrics.append("\n".join(" ".join(rng.choice(words, rng.integers(2, 6))) for _ in range(rng.integers(2, 5))))
    artists = [f"artist {i % 7}" for i in range(n)]
    return Songs(pl.DataFrame({"lyrics": lyrics, "artist": artists}), labels)


@pytest.fixture(scope="module", autouse=True)
def _calm() -> None:
    progress.quiet()
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a tiny pretrained encoder."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder")
    names = ["[PAD]", "[UNK]", *" ".join(WORDS.values()).split()]
    config = BertConfig(
        vocab_size=len(names), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=32,
    )  # fmt: skip
    words = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with hushed():
        BertForMaskedLM(config).save_pretrained(path)
        PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(str(path))
    return str(path)


@pytest.fixture(scope="module")
def make(encoder: str) -> Make:
    """Return a function that makes the unfitted estimator of a recipe, as small as it goes."""

    def unfitted(name: str, **more: Any) -> Any:
        recipe = registry.get(name)
        known = {option.name for option in recipe.parameters}
        given = {key: value for key, value in QUICK.items() if key in known}
        given |= LOOP if recipe.family == "neural" else {}
        given |= {"model": encoder, "max_length": 32} if name == "encoder" else {}
        return make_estimator(name, {**given, **more}, seed=3)

    return unfitted


@pytest.fixture(scope="module")
def fitted(make: Make) -> Callable[[str], Any]:
    """Return a function that gives the estimator of a recipe, fitted once to `songs`."""

    @cache
    def once(name: str) -> Any:
        table, labels = songs()
        return make(name).fit(table, labels)

    return once


def seen(name: str, lyrics: list[str]) -> Any:
    """Return texts as the recipe is asked about them: plain where it reads nothing else."""
    return as_input(lyrics, ["nobody"] * len(lyrics)) if name == "artist-lookup" else lyrics


def check(chances: Any, n: int, k: int) -> None:
    assert chances.shape == (n, k)
    assert np.isfinite(chances).all()
    assert (chances >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_documented(name: str) -> None:
    recipe = registry.get(name)
    assert 10 < len(recipe.summary) < 100
    assert recipe.family in ("baseline", "linear", "tree", "ensemble", "neural")
    for option in recipe.parameters:
        assert option.help, option.name


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_are_probabilities_and_the_answer_is_the_likeliest(name: str, fitted: Any) -> None:
    table, _ = songs()
    model = fitted(name)
    assert model.classes_.tolist() == ["ann", "bob", "zoe"]
    chances = model.predict_proba(table)
    check(chances, 36, 3)
    assert model.predict(table).tolist() == model.classes_[chances.argmax(axis=1)].tolist()
    assert model.predict_proba(table[:0]).shape == (0, 3)
    assert model.predict(table[:0]).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_a_clone_with_the_same_seed_gives_the_same_answers(name: str, fitted: Any) -> None:
    table, labels = songs()
    model = fitted(name)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    np.testing.assert_array_equal(copy.fit(table, labels).predict_proba(table), model.predict_proba(table))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "artist-lookup"])
def test_cross_validation_with_lists_of_strings(name: str, make: Make) -> None:
    table, labels = songs(30)
    scores = cross_val_score(make(name), table["lyrics"].to_list(), labels, cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_neighbours_change_a_score(name: str, fitted: Any) -> None:
    table, _ = songs(40, seed=8)
    model = fitted(name)
    whole = model.predict_proba(table)
    order = np.random.default_rng(1).permutation(40)
    np.testing.assert_allclose(model.predict_proba(table[order.tolist()]), whole[order], atol=1e-5)
    for size in (1, 7):
        if name in NEURAL:
            parts = model.predict_proba(table, batch_size=size)
        else:
            parts = np.concatenate([model.predict_proba(table[i : i + size]) for i in range(0, 40, size)])
        np.testing.assert_allclose(parts, whole, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_opened_again_it_is_exact(name: str, fitted: Any, tmp_path: Path) -> None:
    table, _ = songs(20, seed=5)
    model = fitted(name)
    runs.save_model(model, tmp_path)
    opened = runs.load_model(tmp_path / runs.MODEL)
    assert opened.classes_.tolist() == model.classes_.tolist()
    np.testing.assert_array_equal(opened.predict_proba(table), model.predict_proba(table))
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".txt"}


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_hostile_texts_get_an_answer(name: str, fitted: Any) -> None:
    model = fitted(name)
    check(model.predict_proba(seen(name, HOSTILE)), len(HOSTILE), 3)
    again = model.predict_proba(seen(name, HOSTILE[:1]))
    np.testing.assert_allclose(again, model.predict_proba(seen(name, HOSTILE))[:1], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_and_names_among_those_it_learns_from(name: str, make: Make) -> None:
    table, labels = songs(24, classes=("<b>a</b>", "../../b\n"))
    strange = [text.replace("\ud800", "?")[:3_000] for text in HOSTILE]
    table = pl.concat([table, pl.DataFrame({"lyrics": strange, "artist": strange})])
    model = make(name).fit(table, labels + ["../../b\n", "<b>a</b>"] * 6)
    assert model.classes_.tolist() == ["../../b\n", "<b>a</b>"]
    check(model.predict_proba(table), 36, 2)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_is_refused_in_a_sentence_or_always_answered(name: str, make: Make) -> None:
    table, _ = songs(12)
    try:
        model = make(name).fit(table, ["ann"] * 12)
    except LyristError as error:
        assert "ann" in str(error) or "same label" in str(error)
    else:
        assert registry.get(name).family == "baseline"
        assert set(model.predict(table)) == {"ann"}


@pytest.mark.parametrize("name", NAMES)
def test_a_class_with_one_song_is_learnt_from(name: str, make: Make) -> None:
    table, labels = songs(25, classes=("ann", "bob"))
    model = make(name).fit(table, [*labels[:-1], "alone"])
    assert model.classes_.tolist() == ["alone", "ann", "bob"]
    check(model.predict_proba(table), 25, 3)


@pytest.mark.parametrize("name", NAMES)
def test_sixty_classes_with_few_songs_each(name: str, make: Make) -> None:
    table, labels = songs(150, classes=tuple(f"act {i:02}" for i in range(60)))
    model = make(name).fit(table, labels)
    check(model.predict_proba(table), 150, 60)


@pytest.mark.parametrize("name", NAMES)
def test_songs_and_labels_that_do_not_match_are_reported(name: str, make: Make) -> None:
    table, labels = songs(12)
    with pytest.raises(LyristError, match="11"):
        make(name).fit(table, labels[:11])
    with pytest.raises(LyristError):
        make(name).fit(table[:0], [])
    with pytest.raises(LyristError, match="no label"):
        make(name).fit(table, [None, *labels[1:]])


READS_ARTISTS = [r.name for r in registry.recipes("classify") if "features" in {option.name for option in r.parameters}]


@pytest.mark.parametrize("name", READS_ARTISTS)
def test_the_artist_may_be_read_too_and_unknown_ones_are_no_trouble(name: str, make: Make) -> None:
    table, labels = songs()
    model = make(name, features="artist").fit(table, labels)
    strange = table.with_columns(artist=pl.lit("nobody before"))
    nobody = table.with_columns(artist=pl.lit(None, dtype=pl.String))
    check(model.predict_proba(strange), 36, 3)
    if name != "encoder":  # which reads the name as words
        np.testing.assert_allclose(model.predict_proba(strange), model.predict_proba(nobody), atol=1e-9)
    if name == "columns":  # for which any column may be missing
        assert model.predict(table["lyrics"].to_list()).tolist() == model.predict(nobody).tolist()
        return
    with pytest.raises(LyristError, match="artist"):
        model.predict(table["lyrics"].to_list())


def test_controls_and_linear_models_find_what_is_easy_to_find(fitted: Any) -> None:
    table, labels = songs(30, seed=9)
    for name in ("nb-svm", "char-svm", "complement-nb", "tfidf-logistic", "ensemble"):
        assert (fitted(name).predict(table) == np.array(labels)).all(), name
    assert set(fitted("majority").predict(table)) == {"ann"}


@pytest.mark.parametrize("asked", ["lstmm", "LSTM", "nb_svm"])
def test_an_unknown_recipe_is_reported_with_the_nearest(asked: str) -> None:
    with pytest.raises(UsageError, match=r"Did you mean '(lstm|nb-svm)'\?"):
        registry.get(asked)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_reported(name: str) -> None:
    with pytest.raises(UsageError, match="There is no option"):
        make_estimator(name, {"depth_of_field": "3"})


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("hidden", "many", "must be a whole number"),
        ("hidden", "1.5", "a whole number"),
        ("dropout", "x", "a number"),
        ("pooling", "median", "one of"),
        ("pooling", "meen", r"did you mean mean\?"),
        ("bidirectional", "perhaps", "true or false"),
    ],
)
def test_a_value_that_does_not_fit_is_reported(option: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make_estimator("lstm", {option: value})


def test_options_are_read_from_strings_numbers_and_lists() -> None:
    kind = registry.get("cnn-multi").options
    for kernels in ("2,3", [2, 3], (2, 3)):
        assert registry.configure(kind, {"kernels": kernels}, "cnn-multi").kernels == (2, 3)
    lstm = registry.get("lstm").options
    assert registry.configure(lstm, {"embedding-size": "none"}, "lstm").embedding_size is None
    assert registry.configure(lstm, {"hidden": 7.0, "bidirectional": "no"}, "lstm") == registry.configure(
        lstm, {"hidden": "7", "bidirectional": False}, "lstm"
    )


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        registry.register("lstm", "again", family="neural", options=object)(lambda options: options)


@pytest.mark.parametrize(
    ("recipe", "option", "value", "says"),
    [
        ("char-svm", "c", "0", "more than 0"),
        ("char-svm", "c", "-1", "more than 0"),
        ("char-svm", "c", "nan", "not a finite number"),
        ("char-svm", "balance", "1.5", "at most 1"),
        ("char-svm", "max_features", "0", "at least 1"),
        ("char-svm", "low", "0", "at least 1"),
        ("complement-nb", "smoothing", "-1", "more than 0"),
        ("decision-tree", "folds", "1", "at least 2"),
        ("bag-of-embeddings", "size", "0", "at least 1"),
        ("lstm", "hidden", "-3", "at least 1"),
        ("lstm", "dropout", "7", "less than 1"),
        ("lstm", "max_length", "0", "at least 1"),
        ("lstm", "learning_rate", "nan", "not a finite number"),
        ("lstm", "embedding_size", "0", "at least 1"),
        ("stacked-lstm", "layers", "0", "at least 1"),
        ("cnn", "kernel", "0", "at least 1"),
        ("cnn-multi", "kernels", "2,0", "at least 1"),
    ],
)
def test_numbers_that_make_no_sense_are_reported_before_anything_is_fitted(
    recipe: str, option: str, value: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as told:
        make_estimator(recipe, {option: value})
    assert f"--{option.replace('_', '-')}" in str(told.value)


@pytest.mark.parametrize("name", [recipe.name for recipe in registry.recipes()])
def test_the_defaults_of_every_recipe_are_in_range(name: str) -> None:
    recipe = registry.get(name)
    given = {option.name: option.default for option in recipe.parameters}
    assert registry.values(registry.configure(recipe.options, given, name)) == given


def test_recipes_are_listed_in_one_order_whatever_was_imported_first() -> None:
    assert NAMES[:4] == ["majority", "artist-lookup", "label-mention", "layout"]
    assert NAMES.index("char-svm") < NAMES.index("decision-tree") < NAMES.index("ensemble") < NAMES.index("lstm")


def test_an_unknown_family_or_task_is_refused() -> None:
    for given in ({"family": "nearest"}, {"family": "linear", "task": "label"}):
        with pytest.raises(ValueError, match="family is one of"):
            registry.register("other", "a recipe", options=object, **given)(lambda options: options)
