"""What a fit will take is estimated from above, grows with what it should, and is told before it is fitted."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist.errors import LyristError, UsageError
from lyrist.models import registry
from lyrist.models.least_squares_svm import GRAM_LIMIT, MANY_GRAM_LIMIT
from lyrist.models.memory import memory_estimate
from lyrist.studies.study import study
from lyrist.training import memoryguard as module
from lyrist.training.memoryguard import Room, available, room, room_to_count
from lyrist.training.train import train

KNOWN = [recipe.name for recipe in registry.recipes("classify") if recipe.name != "encoder"]

PEAK = """
import re, sys, numpy as np
from pathlib import Path
from lyrist import progress
from lyrist.training.estimators import make_estimator
progress.quiet()
name, n, k = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
words = np.array(["".join(rng.choice(list("abcdefghijklmnop"), rng.integers(2, 9))) for _ in range(9000)])
ranks = np.minimum(rng.zipf(1.3, (n, 240)) - 1, 8999)
songs = ["\\n".join(" ".join(words[row[i : i + 6]]) for i in range(0, 240, 6)) for row in ranks]
labels = [f"act {i % k}" for i in range(n)]
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
make_estimator("char-svm").fit(["a b", "c d"] * 10, ["x", "y"] * 10)
before = peak()
make_estimator(name).fit(songs, labels)
print(peak() - before, round(sum(map(len, songs)) / n))
"""


@pytest.mark.parametrize("name", KNOWN)
def test_every_recipe_has_an_estimate_that_grows_with_the_songs(name: str) -> None:
    found = [memory_estimate(name, songs, 10) for songs in (100, 1_000, 5_000, 200_000)]
    assert all(isinstance(size, int) for size in found)
    assert found == sorted(found)  # type: ignore[type-var]
    assert found[0] < 2e9  # type: ignore[operator]


@pytest.mark.parametrize("name", ["tfidf-logistic", "nb-svm", "char-svm", "complement-nb", "ensemble", "lstm"])
def test_it_grows_with_classes_and_with_the_length_of_songs(name: str) -> None:
    small = memory_estimate(name, 3_000, 3) or 0
    assert (memory_estimate(name, 3_000, 300) or 0) > small
    assert (memory_estimate(name, 3_000, 3, characters=5_000) or 0) > small


def test_fewer_features_take_less_and_options_are_read_as_the_command_line_gives_them() -> None:
    few = memory_estimate("char-svm", 5_000, 300, {"max-features": "1000"})
    assert few == memory_estimate("char-svm", 5_000, 300, {"max_features": 1_000})
    assert (few or 0) < (memory_estimate("char-svm", 5_000, 300) or 0)
    wide = memory_estimate("lstm", 5_000, 3, {"hidden": "512", "steps": "9", "batch_size": "64"})
    assert (wide or 0) > (memory_estimate("lstm", 5_000, 3, {"batch_size": 64}) or 0)
    with pytest.raises(UsageError, match="a whole number"):
        memory_estimate("char-svm", 10, 2, {"max_features": "lots"})


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert memory_estimate("encoder", 1_000, 3) is None
    with pytest.raises(UsageError, match="There is no recipe"):
        memory_estimate("chars-vm", 1_000, 3)


def test_the_matrix_of_all_songs_counts_as_long_as_there_is_one() -> None:
    one = memory_estimate("char-svm", GRAM_LIMIT, 3, characters=10) or 0
    assert one > 4 * GRAM_LIMIT**2 * 2
    assert (memory_estimate("char-svm", GRAM_LIMIT + 1, 3, characters=10) or 0) < one
    assert (memory_estimate("char-svm", MANY_GRAM_LIMIT, 300, characters=10) or 0) > 4 * MANY_GRAM_LIMIT**2 * 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's own figures")
@pytest.mark.parametrize("name", ["complement-nb", "ensemble"])
def test_what_is_estimated_was_not_exceeded(name: str) -> None:
    songs, classes = 1_200, 60
    command = [sys.executable, "-c", PEAK, name, str(songs), str(classes)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    peak, characters = map(int, done.stdout.split())
    estimate = memory_estimate(name, songs, classes, characters=characters) or 0
    assert peak <= estimate < 5 * peak + 100e6


def test_what_takes_much_is_reported_and_what_takes_little_is_not() -> None:
    assert Room(600, 1_000).note == "takes about 0 MB of 0 MB of memory"
    assert Room(3 * 10**9, 4 * 10**9).note == "takes about 3.0 GB of 4.0 GB of memory"
    assert Room(400, 1_000).note == ""
    assert Room(None, 0).note == "has no memory estimate"
    assert Room(None, 7).figures() == {"memory_available": 7}
    assert Room(5, 7).figures() == {"memory_estimate": 5, "memory_available": 7}


def test_too_much_is_one_sentence_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda: 2_000_000_000)
    with pytest.raises(LyristError, match=r"about 2\.\d GB of memory and 2\.0 GB are available") as told:
        room("char-svm", {}, 10_500, 300, 1_400)
    assert "--only" in str(told.value)
    assert "tfidf-logistic" in str(told.value)
    assert room("complement-nb", {}, 10_500, 300, 1_400).note
    with pytest.raises(LyristError, match="--max-features 20000"):
        room("complement-nb", {}, 60_000, 900, 1_400)
    monkeypatch.setenv(module.ANYWAY, "1")
    assert (room("char-svm", {}, 10_500, 300, 1_400).needed or 0) > 2e9


def test_a_container_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTAINER", tmp_path)
    free = available()
    assert free > 0
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert available() > 10_000
    (tmp_path / "memory.max").write_text("5000\n")
    assert available() == 4_000


@pytest.fixture
def corpus(make_corpus: Any) -> str:
    lyrics = [f"{word} and the {word} of {word}\nline {i}" for i in range(20) for word in ("tide", "wire")]
    made = make_corpus(pl.DataFrame({"lyrics": lyrics, "artist": ["ann", "bob"] * 20}))
    return str(made.path)


def test_a_run_says_what_was_estimated(corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: Any = train("complement-nb", corpus, out=str(tmp_path / "run"))
    assert fitted.run.info["memory_estimate"] == pytest.approx(
        memory_estimate("complement-nb", 32, 2, {}, 32), rel=0.05
    )
    assert fitted.run.info["memory_available"] > 0
    assert "of memory" not in fitted.summary()
    monkeypatch.setattr(module, "available", lambda: 60_000_000)
    assert "it takes about" in train("complement-nb", corpus, out=str(tmp_path / "run")).summary()


def test_nothing_is_begun_without_room(corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda: 1_000_000)
    with pytest.raises(LyristError, match="Fitting 'complement-nb' to 32 songs of 2 classes"):
        train("complement-nb", corpus, out=str(tmp_path / "run"))
    with pytest.raises(LyristError, match="Fitting 'majority'"):
        study("ladder", corpus, out=str(tmp_path / "study"))
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "study").exists()


def test_counting_too_many_songs_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = registry.configure(registry.get("ngram").options, {}, "ngram")
    monkeypatch.setattr(module, "available", lambda: 10**10)
    assert (room_to_count(settings, 10_000, 1_300).needed or 0) < 10**10
    with pytest.raises(LyristError, match="--largest 5000000") as told:
        room_to_count(settings, 1_000_000, 1_300)
    assert "10.0 GB are available" in str(told.value)
    monkeypatch.setenv(module.ANYWAY, "1")
    assert (room_to_count(settings, 1_000_000, 1_300).needed or 0) > 10**10


def test_too_many_songs_for_a_classifier_are_reported_how_many_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda: 16 * 10**9)
    with pytest.raises(LyristError, match="'streamed-ensemble' learns from all") as told:
        room("nb-svm", {}, 700_000, 6, 1_300)
    found = re.search(r"--max-songs (\d+)", str(told.value))
    assert found
    most = int(found[1])
    assert 50_000 < most < 200_000
    assert (memory_estimate("nb-svm", most, 6) or 0) < 0.8 * 16e9
    assert room("streamed-ensemble", {}, 6_000_000, 6, 1_300).needed
