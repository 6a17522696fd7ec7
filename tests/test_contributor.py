"""What a contributor adds in one place each: a classifier, a cleaning rule, a table preset, a study; then all is used.

The additions are written into a copy of Lyrist, or for a package outside Lyrist into a folder with an entry point, and run in
another process, as a contributor would run them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lyrist

SOURCE = Path(lyrist.__file__).parents[1]
KIT = Path(__file__).parent / "serving"

CLASSIFIER = '''
"""The recipe `nearest`: the songs of the training set that are most alike."""

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from lyrist.models.features import NGrams
from lyrist.models.registry import register
from lyrist.models.weighting import SongFeatures


@register("{name}", "the most alike training songs, by their words", family="linear", source="Fix and Hodges (1951)")
class NearestSongs(ClassifierMixin, BaseEstimator):
    """The k training songs with the most alike words.

    Parameters
    ----------
    neighbours
        Songs that are compared.
    """

    parts = (SongFeatures, KNeighborsClassifier(metric="cosine"))

    def __init__(self, neighbours: int = 3) -> None:
        self.neighbours = neighbours

    def fit(self, X, y):
        self.features_ = SongFeatures((NGrams("word", 1, 1, min_df=1),), "tfidf")
        self.nearest_ = KNeighborsClassifier(self.neighbours, metric="cosine").fit(self.features_.fit_transform(X), y)
        self.classes_ = self.nearest_.classes_
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X):
        return self.nearest_.predict_proba(self.features_.transform(X))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
'''

RULE = """

RULES += (
    Rule(
        "ampersands",
        "An ampersand between words becomes the word 'and'.",
        "sun & moon",
        "sun and moon",
        replacing((" & ", " and ")),
        " & ",
    ),
)
"""

PRESET = """
    Preset(
        "jukebox",
        "a jukebox's table",
        ("tune", "singer", "words"),
        {"title": ("tune",), "artist": ("singer",), "lyrics": ("words",)},
    ),
"""

STUDY = """
name = "alike"
summary = "Is likeness enough?"
why = "It compares the most alike songs with the commonest label."

[[recipes]]
recipe = "majority"

[[recipes]]
recipe = "nearest"
"""

USE = """
import json, sys
from pathlib import Path
from lyrist.cli import run
from lyrist.serving.modelregistry import ModelRegistry
sys.path.insert(0, {kit!r})
from servekit import serving

def done(*words):
    code = run([*words, "--quiet"])
    assert code == 0, (words, code)

name, study = sys.argv[1], sys.argv[2]
done("prepare", "songs.csv", "--out", "corpus", "--languages", "")
done("train", name, "corpus", "--out", "run", "--neighbours", "5")
assert json.loads(Path("run/run.json").read_text())["config"] == {{"neighbours": 5}}
assert "estimator.json" in [path.name for path in Path("run/model").iterdir()]
done("classify", "run", "river moon stone")
done("evaluate", "run")
done("recipes", name)
if study:
    done("study", study, "corpus", "--out", "study")
    assert json.loads(Path("study/results.json").read_text())["study"] == study
with serving(ModelRegistry.open(["run"])) as server:
    answer = server.http.post("/v1/classify", json={{"model": "run", "texts": ["river moon stone", "neon engine wire"]}})
    print("served:", answer.status_code, [one["label"] for one in answer.json()["data"]], file=sys.stderr)
"""


def table(folder: Path, header: str) -> None:
    lines = [header]
    for number in range(40):
        words, name = (("river", "moon", "stone"), "Ann") if number % 2 else (("neon", "engine", "wire"), "Bob")
        text = " ".join(words[(number + place * (number // 6 + 1)) % 3] for place in range(9 + number % 5))
        lines.append(f"song {number},{name},{text} & verse{number} of{number * 7}")
    (folder / "songs.csv").write_text("\n".join(lines) + "\n")


def used(folder: Path, source: Path, *arguments: str) -> str:
    """Train, classify, evaluate, study and serve in another process; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(folder)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", USE.format(kit=str(KIT)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    assert "served: 200 ['Ann', 'Bob']" in done.stderr, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_additions_to_lyrist_are_one_place_each(tmp_path: Path) -> None:
    inside = tmp_path / "src" / "lyrist"
    for path in SOURCE.joinpath("lyrist").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            copy = inside / path.relative_to(SOURCE / "lyrist")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (inside / "models" / "nearest.py").write_text(CLASSIFIER.format(name="nearest"))
    (inside / "studies" / "alike.toml").write_text(STUDY)
    with (inside / "corpus" / "cleaning" / "rules.py").open("a") as rules:
        rules.write(RULE)
    columns = inside / "corpus" / "columns.py"
    columns.write_text(columns.read_text().replace("_PRESETS = (\n", "_PRESETS = (" + PRESET, 1))
    table(tmp_path, "tune,singer,words")
    printed = used(tmp_path, tmp_path / "src", "nearest", "alike")
    assert "has no memory estimate" in printed
    assert "jukebox" in (tmp_path / "corpus" / "corpus.json").read_text()
    assert '"ampersands"' in (tmp_path / "corpus" / "corpus.json").read_text()


@pytest.mark.slow
def test_a_package_outside_lyrist_adds_a_recipe_by_its_entry_point(tmp_path: Path) -> None:
    (tmp_path / "alike_songs.py").write_text(CLASSIFIER.format(name="alike-songs"))
    about = tmp_path / "alike_songs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: alike-songs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lyrist.recipes]\nalike = alike_songs\n")
    table(tmp_path, "title,artist,lyrics")
    printed = used(tmp_path, SOURCE, "alike-songs", "")
    assert "has no memory estimate" in printed
