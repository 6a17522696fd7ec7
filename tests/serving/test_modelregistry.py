"""Runs are opened once, each under a name of its own; what cannot be served says so."""

import shutil
from pathlib import Path

import pytest

from lyrist import files
from lyrist.errors import LyristError, UsageError
from lyrist.serving.modelregistry import ModelRegistry


def test_runs_of_every_task_are_opened(models: ModelRegistry) -> None:
    assert {name: served.task for name, served in models.items.items()} == {
        "ngram": "write", "gpt": "write", "genres": "classify", "pictures": "picture",
    }  # fmt: skip
    assert models.items["ngram"].conditions == {"genre": ("folk", "rock")}
    assert models.items["genres"].labels == ("folk", "rock")
    assert [served.name for served in models.of("write")] == ["ngram", "gpt"]


def test_runs_of_one_name_are_told_apart_and_one_given_twice_is_served_once(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    for parent in ("one", "two"):
        shutil.copytree(saved["ngram"], tmp_path / parent / "runs" / "ngram")
    given = [tmp_path / "one" / "runs" / "ngram", tmp_path / "two" / "runs" / "ngram", saved["genres"], saved["genres"]]
    assert list(ModelRegistry.open(given).items) == ["one/runs/ngram", "two/runs/ngram", "genres"]


def test_a_name_that_is_not_there_or_does_something_else(models: ModelRegistry) -> None:
    with pytest.raises(UsageError, match=r"no model 'ngrm'\. Did you mean 'ngram'\?"):
        models.get("ngrm")
    with pytest.raises(UsageError, match="'genres' labels lyrics, but the request needs one that writes lyrics"):
        models.get("genres", "write")


def test_what_cannot_be_served_says_so_in_a_sentence(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="serve needs a run"):
        ModelRegistry.open([])
    with pytest.raises(LyristError, match="There is no run directory"):
        ModelRegistry.open([tmp_path / "nothing"])
    with pytest.raises(LyristError, match="autoencoder, which has no classes"):
        ModelRegistry.open([saved["painter"]])
    broken = tmp_path / "broken"
    shutil.copytree(saved["ngram"], broken)
    (broken / "model" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(LyristError, match="damaged"):
        ModelRegistry.open([broken])
    shutil.copytree(saved["genres"], tmp_path / "odd")
    files.write_json(tmp_path / "odd" / "run.json", {"format": 1, "task": "dance", "recipe": "x"})
    with pytest.raises(LyristError, match="task 'dance'"):
        ModelRegistry.open([tmp_path / "odd"])
