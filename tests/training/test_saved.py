"""Estimators on disk: every recipe comes back exact, a file cannot run code, and what cannot be opened is not saved."""

import copy
import io
import json
import math
import operator
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import safetensors.numpy
import skops.io
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.models.inputs import lyrics_of
from lyrist.models.inputs import songs as as_input
from lyrist.training import saved
from lyrist.training.estimators import make_estimator

LYRICS = ["river moon\nstone, river", "neon engine wire\n(wire)", "moon river", "engine wire of the"] * 6
LABELS = ["ann", "bob"] * 12
SONGS = as_input(LYRICS, [f"artist {n % 5}" for n in range(24)])
ESTIMATORS = [each.name for each in registry.recipes("classify") if each.family != "neural"]
SMALL = {"max_features": 500, "epochs": 2, "size": 4}

Change = Callable[[Any], Any]


def fitted(name: str) -> Any:
    known = {option.name for option in registry.get(name).parameters}
    return make_estimator(name, {key: value for key, value in SMALL.items() if key in known}).fit(SONGS, LABELS)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    progress.quiet()
    return {name: fitted(name) for name in ESTIMATORS}


def split_words(text: str) -> list[str]:
    return text.split()


class Words(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Counts and naive Bayes of scikit-learn.

    Parameters
    ----------
    alpha
        Added to every count.
    """

    parts: ClassVar[tuple[Any, ...]] = (
        CountVectorizer(analyzer="char", ngram_range=(1, 2)),
        CountVectorizer(tokenizer=split_words, token_pattern=None),
        MultinomialNB,
    )

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> "Words":
        self.counts_ = CountVectorizer(**getattr(self, "counted", {"analyzer": "char", "ngram_range": (1, 2)}))
        self.model_ = MultinomialNB(alpha=self.alpha).fit(self.counts_.fit_transform(lyrics_of(X)), y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(self.counts_.transform(lyrics_of(X)))

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture(scope="module", autouse=True)
def _recipe() -> Iterator[None]:
    """Register `Words` while the tests of this file run: other files test every registered recipe."""
    name = "words-of-a-contributor"
    registry.register(name, "counts of words and naive Bayes, for the tests", family="linear")(Words)
    yield
    for known in (registry._outside, registry._definitions):
        del known[name]


def words(**counted: Any) -> Words:
    made = Words()
    if counted:
        made.counted = counted
    made.fit(LYRICS, LABELS)
    vars(made).pop("counted", None)
    return made


# What is saved comes back.


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_of_version_0_1_is_read(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    skops.io.dump(models[name], tmp_path / saved.SKOPS)
    again = saved.load(tmp_path, name)
    np.testing.assert_array_equal(again.predict_proba(SONGS), models[name].predict_proba(SONGS))
    saved.save(again, tmp_path)
    (tmp_path / saved.SKOPS).unlink()
    np.testing.assert_array_equal(saved.load(tmp_path).predict_proba(SONGS), models[name].predict_proba(SONGS))


def test_a_module_that_was_renamed_since_version_0_1_is_no_matter(models: dict[str, Any], tmp_path: Path) -> None:
    repack(models["majority"], tmp_path, lambda schema: schema.update(__module__="lyrist.models.controls"))
    assert saved.load(tmp_path, "majority").predict(["la"]) == models["majority"].predict(["la"])


VALUES = {
    "numbers": [None, True, -3, 2.5, 10**30, math.inf, "text \ud800 ↵"],
    "containers": {"a": (1, [2]), 3: {4, 5}, (6, 7): frozenset({"x"})},
    "scalars": [np.float32(0.1), np.float64("nan"), np.int8(-3), np.bool_(True), np.str_("é")],
    "texts": np.array([["a", "bb"], ["", "\ud800"]]),
    "no texts": np.zeros((0,), dtype="<U1"),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "strided": np.arange(20)[::3],
    "big endian": np.arange(4, dtype=">i4"),
    "nothing": np.zeros((0, 3)),
    "zero dimensions": np.array(5.0),
    "objects": np.array([["x", None], [1, (2,)]], dtype=object),
    "sparse": [sparse.random(5, 4, 0.5, format=kind, random_state=0) for kind in ("csr", "csc")],
    "sparse array": sparse.csr_array(np.eye(3, dtype=np.float32)),
}


def same(one: Any, other: Any) -> bool:
    if sparse.issparse(one) or isinstance(one, sparse.sparray):
        return type(one) is type(other) and one.dtype == other.dtype and (one != other).nnz == 0
    if isinstance(one, np.ndarray) and one.dtype == object:
        return one.shape == other.shape and all(map(same, one.ravel(), other.ravel()))
    if isinstance(one, np.ndarray):
        native = one.dtype.newbyteorder("=")
        return other.dtype == native and one.shape == other.shape and bool(np.array_equal(one, other))
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))


@pytest.mark.parametrize("name", VALUES)
def test_every_kind_of_value_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model = words()
    model.extra_ = VALUES[name]
    saved.save(model, tmp_path)
    again = saved.load(tmp_path).extra_
    assert same(VALUES[name], again)
    if name == "fortran":
        assert again.flags.f_contiguous


def test_the_same_estimator_gives_the_same_files(models: dict[str, Any], tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        saved.save(copy.deepcopy(models["ensemble"]), tmp_path / folder)
    for name in (saved.DESCRIPTION, saved.ARRAYS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


# What cannot be opened is not saved.


def holds(value: Any) -> Words:
    model = words()
    model.extra_ = {"deep": [value]}
    return model


ring: list[Any] = []
ring.append(ring)

UNSAVABLE = {
    "a function": (lambda: holds(len), r"extra_\['deep'\]\[0\]"),
    "a lambda": (lambda: holds(lambda: 0), "function"),
    "a class": (lambda: holds(dict), "builtins.type"),
    "a generator": (lambda: holds(iter([1])), "list_iterator"),
    "a lock": (lambda: holds(threading.Lock()), "lock"),
    "bytes": (lambda: holds(b"x"), "bytes"),
    "a class that is not declared": (lambda: holds(np.random.RandomState(0)), "RandomState"),
    "an estimator that is not declared": (lambda: holds(fitted("majority")), r"add it to `parts` of Words"),
    "complex numbers": (lambda: holds(np.zeros(2, dtype=complex)), "complex128"),
    "times": (lambda: holds(np.zeros(2, dtype="datetime64[s]")), "datetime64"),
    "a sparse matrix of another format": (lambda: holds(sparse.eye(3, format="lil")), "tocsr"),
    "a value that holds itself": (lambda: holds(ring), "holds itself"),
    "a text parameter that is not declared": (lambda: words(analyzer="char_wb"), r"CountVectorizer\(analyzer=...\)"),
    "a function that is not declared": (lambda: words(tokenizer=str.split, token_pattern=None), "tokenizer"),
    "an estimator without a recipe": (MultinomialNB, "no recipe"),
}


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_could_not_be_opened_again_is_not_saved(name: str, tmp_path: Path) -> None:
    make, says = UNSAVABLE[name]
    with pytest.raises(LyristError, match=says) as told:
        saved.save(make(), tmp_path)
    assert str(told.value).count(". ") == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "counted", [{}, {"tokenizer": split_words, "token_pattern": None}, {"min_df": 2, "analyzer": "char"}]
)
def test_declared_texts_and_functions_are_saved_and_come_from_the_recipe(counted: Any, tmp_path: Path) -> None:
    model = words(**counted)
    saved.save(model, tmp_path)
    assert "split_words" not in (tmp_path / saved.DESCRIPTION).read_text()
    again = saved.load(tmp_path, "words-of-a-contributor")
    assert again.counts_.tokenizer is counted.get("tokenizer")
    np.testing.assert_array_equal(again.predict_proba(LYRICS), model.predict_proba(LYRICS))


# What a file may not do.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved")
    saved.save(words(), path)
    return path


def state(tree: Any) -> Any:
    return tree["estimator"]["object"][1]


def vectorizer(tree: Any) -> Any:
    return state(tree)["counts_"]["object"][1]


def put(place: Callable[[Any], Any], **values: Any) -> Change:
    return lambda tree: place(tree).update(values)


def named(name: str) -> Change:
    return lambda tree: state(tree)["model_"]["object"].__setitem__(0, name)


FORGED: dict[str, tuple[Change, str]] = {
    "a class that opens a file": (named("sklearn.datasets._covtype.GzipFile"), "not a part of the recipe"),
    "a class that connects": (named("sklearn.callback._transport.Client"), "not a part of the recipe"),
    "a function": (named("os.system"), "not a part of the recipe"),
    "a class of Lyrist": (named("lyrist.models.baselines.Majority"), "not a part of the recipe"),
    "another class as the root": (
        lambda tree: tree.update(estimator=state(tree)["model_"]), "not the model of the recipe"
    ),
    "files as texts": (put(vectorizer, input="filename"), "input='filename', which is not declared"),
    "another analyzer": (put(vectorizer, analyzer="char_wb"), "not declared"),
    "a function's name as a text": (put(vectorizer, tokenizer="os.system"), "not declared"),
    "a function that is not declared": (put(vectorizer, preprocessor={"declared": "preprocessor"}), "StopIteration"),
    "a hidden method": (put(state, predict_proba="x"), "'predict_proba' is not an attribute"),
    "a hidden method of a part": (put(vectorizer, transform=None), "'transform' is not an attribute"),
    "a property": (put(lambda tree: state(tree)["model_"]["object"][1], __class__="x"), "'__class__' is not"),
    "a class for the object": (put(state, __dict__=3), "'__dict__' is not"),
    "a name with a dot": (put(state, **{"a.b": 3}), "'a.b' is not"),
    "a missing parameter": (lambda tree: state(tree).pop("alpha"), "parameter 'alpha'"),
    "a parameter of the wrong type": (put(state, alpha="1.0"), "wrong type"),
    "an object for a parameter": (lambda tree: state(tree).update(alpha=state(tree)["counts_"]), "wrong type"),
    "a parameter out of range": (put(state, alpha=math.nan), "finite"),
    "an unknown kind of value": (put(state, extra_={"call": ["os.system", "x"]}), "which is no value"),
    "two kinds at once": (put(state, extra_={"tuple": [], "list": []}), "which is no value"),
    "an array that is not there": (put(state, extra_={"array": "nowhere"}), "nowhere"),
    "a scalar of an unknown kind": (put(state, extra_={"scalar": ["object", 1]}), "KeyError"),
    "objects of another shape": (put(state, extra_={"objects": [[1, 2, 3], [2, 2]]}), "damaged"),
    "a list as a key": (put(state, extra_={"dict": [[[], 1]]}), "unhashable"),
    "nothing": (lambda tree: tree.clear(), "KeyError"),
    "no estimator": (lambda tree: tree.update(estimator=None), "not the model"),
    "another format": (lambda tree: tree.update(format=99), "format 99"),
    "another recipe": (lambda tree: tree.update(recipe="majority"), "run.json says"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_description_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    change, says = FORGED[name]
    tree = json.loads((folder / saved.DESCRIPTION).read_text())
    change(tree)
    (tmp_path / saved.DESCRIPTION).write_text(json.dumps(tree))
    (tmp_path / saved.ARRAYS).write_bytes((folder / saved.ARRAYS).read_bytes())
    with pytest.raises(LyristError, match="is not opened") as told:
        saved.load(tmp_path, "words-of-a-contributor")
    assert says in str(told.value)


def test_options_are_those_of_the_run(folder: Path) -> None:
    saved.load(folder, "words-of-a-contributor", {"alpha": 1.0, "unknown": 3})
    with pytest.raises(LyristError, match=r"alpha is 1\.0, but run\.json says 2"):
        saved.load(folder, "words-of-a-contributor", {"alpha": 2})


def test_nesting_without_end_is_refused(folder: Path, tmp_path: Path) -> None:
    tree = (folder / saved.DESCRIPTION).read_text().replace('"alpha": 1.0', '"alpha": ' + "[" * 100_000 + "]" * 100_000)
    (tmp_path / saved.DESCRIPTION).write_text(tree)
    (tmp_path / saved.ARRAYS).write_bytes((folder / saved.ARRAYS).read_bytes())
    with pytest.raises(LyristError, match="is not opened"):
        saved.load(tmp_path)


ARRAYS: dict[str, tuple[str, Any, str]] = {
    "an index outside a sparse matrix": ("extra_.indices", np.array([0, 99], dtype=np.int32), "extra_"),
    "a negative index": ("extra_.indices", np.array([-5, 1], dtype=np.int32), "extra_"),
    "pointers outside the data": ("extra_.indptr", np.array([0, 1, 900], dtype=np.int32), "extra_"),
    "a text beyond Unicode": ("classes_", np.full((2, 3), 0x110000, dtype=np.uint32), "texts"),
    "a text without width": ("classes_", np.zeros((2, 0), dtype=np.uint32), "texts"),
    "fewer classes": ("classes_", np.full((1, 3), 97, dtype=np.uint32), "do not match"),
    "numbers that are no numbers": ("model_.feature_log_prob_", np.full((2, 40), np.nan), ""),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_do_not_fit_are_refused(name: str, tmp_path: Path) -> None:
    key, value, _ = ARRAYS[name]
    model = words()
    model.extra_ = sparse.csr_matrix(np.eye(2))
    saved.save(model, tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / saved.ARRAYS)
    assert key in arrays
    safetensors.numpy.save_file({**arrays, key: value}, tmp_path / saved.ARRAYS)
    with pytest.raises(LyristError, match="is not opened"):
        saved.load(tmp_path)


TREES: dict[str, Change] = {
    "a child outside": lambda nodes: nodes["left_child"].__setitem__(0, 10**6),
    "a child before its parent": lambda nodes: nodes["right_child"].__setitem__(0, 0),
    "half a leaf": lambda nodes: nodes["left_child"].__setitem__(0, -1),
    "a negative feature": lambda nodes: nodes["feature"].__setitem__(0, -7),
    "a feature outside": lambda nodes: nodes["feature"].__setitem__(0, 10**7),
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_that_would_read_foreign_memory_is_refused(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    saved.save(models["decision-tree"], tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / saved.ARRAYS)
    prefix = "tree_.tree_['nodes']"
    nodes = {key.removeprefix(f"{prefix}['").removesuffix("']"): key for key in arrays if key.startswith(prefix)}
    assert "left_child" in nodes
    found = {column: arrays[key].copy() for column, key in nodes.items()}
    TREES[name](found)
    changed = {nodes[column]: value for column, value in found.items()}
    safetensors.numpy.save_file({**arrays, **changed}, tmp_path / saved.ARRAYS)
    with pytest.raises(LyristError, match="a tree is damaged"):
        saved.load(tmp_path)


def test_a_tree_fitted_to_more_features_than_its_estimator_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    saved.save(models["decision-tree"], tmp_path)
    tree = json.loads((tmp_path / saved.DESCRIPTION).read_text())
    state(tree)["tree_"]["object"][1]["n_features_in_"] = 3
    (tmp_path / saved.DESCRIPTION).write_text(json.dumps(tree))
    with pytest.raises(LyristError, match="another number of features"):
        saved.load(tmp_path)


# The archives of version 0.1.


def repack(model: Any, folder: Path, change: Change, **options: Any) -> None:
    """Write ``model.skops`` with a changed tree."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as source:
        files = {entry.filename: source.read(entry) for entry in source.infolist()}
    schema = json.loads(files["schema.json"])
    change(schema)
    with zipfile.ZipFile(folder / saved.SKOPS, "w", **options) as target:
        for name, content in {**files, "schema.json": json.dumps(schema).encode()}.items():
            target.writestr(name, content)


def node(value: Any) -> Any:
    """Return how skops writes a value."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(value))) as archive:
        found = json.loads(archive.read("schema.json"))
    return {key: item for key, item in found.items() if key not in ("protocol", "_skops_version")}


def calls(loader: str, module: str, name: str, *arguments: Any, **more: Any) -> Any:
    return {"__class__": name, "__module__": module, "__loader__": loader, "content": node(arguments), **more}


TOUCHED = "touched"
SKOPS: dict[str, Any] = {
    "a file that is written": lambda path: calls(
        "ConstructorFromReduceNode", "sklearn.datasets._covtype", "GzipFile", str(path), "wb"
    ),
    "a connection": lambda path: calls(
        "ConstructorFromReduceNode", "sklearn.callback._transport", "Client", ["127.0.0.1", 9]
    ),
    "a loss that is any class": lambda path: calls(
        "LossNode", "sklearn.datasets._covtype", "GzipFile",
        __reduce__={"args": node((str(path), "wb"))}, content=node({}),
    ),
    "an object of any class": lambda path: calls("ObjectNode", "sklearn.datasets._covtype", "GzipFile"),
    "a partial": lambda path: node(partial(os.mkdir, str(path))),
    "a method": lambda path: {
        **calls("MethodNode", "builtins", "str"), "content": {"func": "upper", "obj": node("x")}
    },
    "a function": lambda path: node(split_words),
    "a builtin": lambda path: node(len),
    "a method caller": lambda path: node(operator.methodcaller("upper")),
    "an attribute getter": lambda path: node(operator.attrgetter("__class__")),
    "a type": lambda path: node(dict),
    "a generator": lambda path: node(np.random.default_rng(0)),
    "a bit generator of any name": lambda path: {
        **node(np.random.default_rng(0)), "__loader__": "RandomGeneratorNode"
    },
    "a named tuple": lambda path: {**node((1,)), "__class__": "GzipFile", "__module__": "gzip", "__loader__": "X"},
    "bytes": lambda path: {"__class__": "bytes", "__module__": "builtins", "__loader__": "BytesNode", "file": "schema.json"},
    "a list in a scalar": lambda path: {**node(1), "content": "[1]"},
    "a masked array": lambda path: node(np.ma.masked_array([1], [0])),
    "an array of Python objects": lambda path: node(np.array([None, 1], dtype=object)),
    "a tree where none is declared": lambda path: {**node(1), "__loader__": "TreeNode"},
}  # fmt: skip


@pytest.mark.parametrize("name", SKOPS)
def test_a_forged_archive_is_refused_and_touches_nothing(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    forged = SKOPS[name](tmp_path / TOUCHED)
    repack(models["majority"], tmp_path, lambda schema: schema["content"]["content"].update(share_=forged))
    with pytest.raises(LyristError, match="is not opened"):
        saved.load(tmp_path, "majority")
    assert not (tmp_path / TOUCHED).exists()


def test_a_collection_class_in_an_archive_is_not_called(models: dict[str, Any], tmp_path: Path) -> None:
    def change(schema: Any) -> None:
        for each in ("key_types", "share_"):
            place = schema["content"] if each == "key_types" else schema["content"]["content"]
            place[each] = {**node([1]), "__class__": "GzipFile", "__module__": "gzip"}

    repack(models["majority"], tmp_path, change)
    with pytest.raises(LyristError, match="is not opened"):
        saved.load(tmp_path, "majority")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(models: dict[str, Any], tmp_path: Path) -> None:
    repack(models["majority"], tmp_path, lambda schema: None, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(LyristError, match="compressed"):
        saved.load(tmp_path, "majority")


def test_an_archive_that_overlaps_itself_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / saved.SKOPS, "w") as target:
        target.writestr("schema.json", b"x" * 5_000)
        first = target.infolist()[0]
        for number in range(20):
            target.filelist.append(copy.copy(first))
            target.filelist[-1].filename = f"copy {number}"
    with pytest.raises(LyristError, match="overlaps"):
        saved.load(tmp_path, "majority")


HEADERS = {
    "python": "{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (2,), }",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "times": "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (2,), }",
    "records": "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }",
    "too large": "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9999), }",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }",
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_array_with_a_strange_header_is_refused(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    header = HEADERS[name].encode() + b" " * 20 + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + np.zeros(2).tobytes()
    repack(models["majority"], tmp_path, lambda schema: schema["content"]["content"]["share_"].update(file="x.npy"))
    with zipfile.ZipFile(tmp_path / saved.SKOPS, "a") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(LyristError, match="is not opened"):
        saved.load(tmp_path, "majority")


def test_an_archive_is_opened_as_the_recipe_of_its_run_alone(models: dict[str, Any], tmp_path: Path) -> None:
    skops.io.dump(models["char-svm"], tmp_path / saved.SKOPS)
    for recipe in (None, "nb-svm", "majority", "lstm", "nowhere"):
        with pytest.raises(LyristError, match="is not opened"):
            saved.load(tmp_path, recipe)
