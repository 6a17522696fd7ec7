"""A studio in a browser: runs fitted on songs some of which are hostile, one server, one Chromium, a page for each test."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw
from servekit import LINES, Running, serving, several_moods, slowed, songs
from studiokit import HOSTILE, KIND, Visit

import lyrist
from lyrist.corpus.corpus import Corpus
from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry


@pytest.fixture(scope="session")
def studied(make_corpus: Callable[..., Corpus]) -> Corpus:
    bad = pl.DataFrame(
        {
            "title": [f"{HOSTILE} {number}" for number in range(12)],
            "artist": [HOSTILE] * 12,
            "genre": [KIND] * 12,
            "lyrics": ["\n".join([LINES[number % 10], HOSTILE, *LINES[:6]]) for number in range(12)],
        }
    )
    return make_corpus(pl.concat([songs(), bad]))


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, dice = tmp_path_factory.mktemp("drawings"), np.random.default_rng(0)
    for colour in ("red", "blue", "green", "white"):
        (folder / colour).mkdir()
        for number in range(12):
            picture = Image.new("RGB", (24, 24), tuple(int(v) for v in dice.integers(0, 60, 3)))
            ImageDraw.Draw(picture).ellipse((number, 4, number + 10, 14), fill=colour)
            picture.save(folder / colour / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def served(
    studied: Corpus, drawings: Path, make_corpus: Callable[..., Corpus], tmp_path_factory: pytest.TempPathFactory
) -> ModelRegistry:
    """A writer, one that takes its time, three classifiers (one in a study, one of several labels), and one of pictures."""
    folder = tmp_path_factory.mktemp("served")
    study = folder / "study"
    words = str(studied.path)
    lyrist.train("ngram", words, out=str(folder / "poet"), target="lyrics", condition="genre,artist", order=3)
    lyrist.train("nb-svm", words, out=str(folder / "<i>singers"), target="artist")
    lyrist.train("cnn", words, out=str(study / "runs" / "genres"), target="genre", features="artist", steps=6)
    lyrist.train("cnn-relu", str(drawings), out=str(folder / "colours"), steps=6, channels=[4, 6, 8], hidden=8)
    (study / "report.html").write_text("<h1>What the study found</h1><script>window.hit=1</script>")
    (study / "results.json").write_text("{}")
    lyrist.train("complement-nb", str(make_corpus(several_moods()).path), target="genre", out=str(folder / "moods"))
    paths = [folder / "poet", folder / "<i>singers", study / "runs" / "genres", folder / "colours", folder / "moods"]
    models = ModelRegistry.open(paths)
    slow = dataclasses.replace(slowed(models, "poet", 0.03).items["poet"], name="slow")
    return ModelRegistry({**models.items, "slow": slow})


@pytest.fixture(scope="session")
def running(served: ModelRegistry) -> Iterator[Running]:
    with serving(served, ServerSettings(studio=True)) as found:
        yield found


@pytest.fixture(scope="session")
def person(chromium: Any, running: Running) -> Iterator[Visit]:
    found = Visit(chromium, running.url, None)
    yield found
    found.context.close()


@pytest.fixture
def visit(person: Visit) -> Iterator[Visit]:
    """The studio in a browser that is used for the first time; a page that is loaded again costs a third of a new one."""
    person.begin()
    yield person
    person.check()
