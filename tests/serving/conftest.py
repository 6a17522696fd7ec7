"""Runs that are served in tests, on disk, and a server of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from servekit import OPTIONS, Running, describe, make_writer, serving, songs

from lyrist.corpus.corpus import Corpus
from lyrist.models import registry
from lyrist.models.image_networks import PictureShape
from lyrist.models.inputs import songs as as_input
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.training import runs
from lyrist.training.estimators import make_estimator
from lyrist.training.image_training import PictureModel
from lyrist.training.writer import Writer


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(make_corpus: Callable[..., Corpus]) -> Corpus:
    return make_corpus(songs())


@pytest.fixture(scope="session")
def writers(corpus: Corpus) -> dict[str, Writer]:
    return {recipe: make_writer(corpus, recipe) for recipe in OPTIONS}


@pytest.fixture(scope="session")
def saved(corpus: Corpus, writers: dict[str, Writer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run directories by name: ``ngram``, ``gpt``, ``genres``, ``pictures`` and, not to be served, ``painter``."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("ngram", "gpt"):
        writers[name].save(folder / name / "model")
        describe(folder / name, name, "write", corpus)
    table = corpus.songs("train")
    classifier = make_estimator("complement-nb", {}).fit(as_input(table["lyrics"].to_list()), table["genre"].to_list())
    runs.save_model(classifier, folder / "genres")
    describe(folder / "genres", "complement-nb", "classify", corpus, classes=list(classifier.classes_), target="genre")
    for name, recipe in (("pictures", "cnn-relu"), ("painter", "autoencoder")):
        entry = registry.get(recipe)
        PictureModel(entry.build(entry.options(), PictureShape(16, ("day", "night")))).save(folder / name / "model")
        describe(folder / name, recipe, "picture", corpus)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def models(saved: dict[str, Path]) -> ModelRegistry:
    return ModelRegistry.open(saved[name] for name in ("ngram", "gpt", "genres", "pictures"))


@pytest.fixture(scope="module")
def server(models: ModelRegistry) -> Iterator[Running]:
    with serving(models) as running:
        yield running
