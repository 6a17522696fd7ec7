"""A run on disk: one fitted model with everything that is known about its training.

    run.json        recipe, task, target, resolved options, data fingerprint, parameters, seconds, versions, seed
    metrics.jsonl   the log of the training
    results.json    scores on validation and test
    model/          the artefact: a Hugging Face directory, or ``estimator.json`` and ``estimator.safetensors``
    predictions/    validation.parquet, test.parquet: id, truth, prediction, probabilities

A run is built under a temporary name and renamed when it is complete. Nothing in it is code or a pickle, so a run of
another person can be opened (`lyrist.training.saved`, `lyrist.models.hub`, SECURITY.md).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lyrist import files
from lyrist._version import __version__
from lyrist.corpus.cleaning import Cleaning
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError, needed_by, unreadable
from lyrist.models.inputs import names_of
from lyrist.training import journal
from lyrist.training.journal import CHECKPOINTS, last_checkpoint, other_settings
from lyrist.training.schedule import FREE

if TYPE_CHECKING:
    from lyrist.training.writer import Writer

FORMAT = 1
"""Version of the layout above; a run of another one is refused."""

MARKER = "run.json"
RESULTS = "results.json"
MODEL = "model"
ASKED = "asked"
"""The folder, in a run that is not finished, with the identity of what is fitted."""
PREDICTIONS = "predictions"

PACKAGES = ("torch", "transformers", "tokenizers", "scikit-learn", "safetensors", "polars", "numpy")


@contextlib.contextmanager
def create(out: Path, *, resume: bool = False, asked: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Build a run directory: yield where to write, and rename it to ``out`` when the block ends without an error.

    Under torchrun the first process owns the directory; the others get it to read from, and write nothing.

    Parameters
    ----------
    out
        The run directory: it does not exist, is empty, or holds an earlier run.
    resume
        Keep the files of an interrupted run, so that training continues.
    asked
        What decides the outcome, by name, the options under ``config``; an interrupted run of anything else is not
        continued.

    Raises
    ------
    LyristError
        ``out`` holds something else, cannot be written, or holds an interrupted run of something else.
    """
    if not is_main():
        yield files.staging_path(out.absolute())
        _meet()
        return
    with files.staged(out, resume=resume, marker=MARKER, scaffold=(CHECKPOINTS, ASKED)) as building:
        _begin(building, asked or {})
        yield building
    _meet()


def _begin(folder: Path, asked: Mapping[str, Any]) -> None:
    """Store what decides the outcome of a run; if there is a checkpoint, compare it with what was stored before.

    A checkpoint has the schedule and the sizes of the network, but not the target or the selection of songs.
    """
    note = folder / ASKED / "asked.json"
    whole = {**asked, **{name: value for name, value in asked.get("config", {}).items() if name not in FREE}}
    now = json.loads(json.dumps({name: value for name, value in whole.items() if name != "config"}))
    if note.exists() and last_checkpoint(folder):
        before = files.read_json(note, "a run")
        if changed := {name for name in now if now[name] != before.get(name)}:
            raise other_settings(folder, changed)
    with files.explained(folder):
        note.parent.mkdir(exist_ok=True)
        files.write_json(note, now)


def _meet() -> None:
    """Wait for the other processes of a run, where there are any: none reads the directory before it is in place."""
    if "RANK" in os.environ:
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()


def is_main() -> bool:
    """Return whether this process is the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


class _Content(dict[str, Any]):
    """The content of a file of a run; a missing key is a `LyristError` with the path."""

    def __init__(self, content: Mapping[str, Any], path: Path) -> None:
        super().__init__(content)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise LyristError(f"{self.path} is damaged: it has no '{key}'; train the model again.")


@dataclass(frozen=True)
class Run:
    """A run directory that was opened."""

    path: Path
    info: dict[str, Any]
    """The content of ``run.json``."""

    @property
    def name(self) -> str:
        """Return the directory's name."""
        return self.path.name

    @cached_property
    def results(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        found = files.read_json(self.path / RESULTS, "a whole run")
        if not isinstance(found, dict):
            raise LyristError(f"{self.path / RESULTS} is damaged: it holds no scores; train the model again.")
        return _Content(found, self.path / RESULTS)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``; none for a model that is not trained in steps."""
        return journal.read(self.path)

    @property
    def cleaning(self) -> Cleaning:
        """Return how the training songs were cleaned; texts to predict are cleaned in the same way."""
        settings = self.info.get("cleaning", {})
        try:
            return Cleaning(**{**settings, "off": tuple(settings.get("off", ()))})
        except (TypeError, AttributeError) as error:
            raise LyristError(f"{self.path / MARKER} is damaged (cleaning: {error}); train the model again.") from None

    @property
    def features(self) -> tuple[str, ...]:
        """Return the columns that the model reads beside lyrics and artist."""
        return names_of(str(self.info.get("config", {}).get("features", "")))

    @cached_property
    def model(self) -> Any:
        """Return the fitted classifier."""
        with needed_by(f"The run {self.path}"):
            return load_model(self.path / MODEL, self.info["recipe"], self.info.get("config"))

    @cached_property
    def writer(self) -> Writer:
        """Return the writer of a run whose task is to write.

        Raises
        ------
        UsageError
            The run is of another task.
        """
        if self.info.get("task") != "write":
            raise UsageError(
                f"{self.path} is a run of '{self.info.get('recipe')}', which does not write lyrics; "
                "'lyrist train RECIPE CORPUS --target lyrics' makes one that does."
            )
        with needed_by(f"The run {self.path}"):
            from lyrist.training.writer import Writer

            return Writer.load(self.path / MODEL, self.info["recipe"])

    def corpus(self) -> Corpus:
        """Return the corpus that the run was fitted on.

        ``run.json`` names its directory, which may lead anywhere: only a corpus with the run's fingerprint is opened.

        Raises
        ------
        LyristError
            It is not there, or is another one.
        """
        place = str(self.info["corpus"])
        if place.startswith(("//", "\\\\")):  # a machine in the network
            raise changed(self)
        corpus = Corpus.open(place)
        if corpus.fingerprint != self.info["fingerprint"]:
            raise changed(self)
        return corpus

    def predictions(self, split: str) -> pl.DataFrame:
        """Return the predictions on ``validation`` or ``test``: id, truth, prediction, probabilities.

        Raises
        ------
        LyristError
            There are none for this split, or the file is damaged.
        """
        path = self.path / PREDICTIONS / f"{split}.parquet"
        if not path.is_file():
            raise LyristError(
                f"The run {self.path} has no predictions on the {split} split; 'lyrist evaluate' makes them."
            )
        try:
            return pl.read_parquet(path, glob=False)
        except unreadable() as error:
            raise LyristError(f"{path} is damaged ({error}); train the model again.") from error


@contextlib.contextmanager
def answering(run: Run) -> Iterator[None]:
    """Convert what a model with damaged numbers raises when it is used into a `LyristError`."""
    try:
        yield
    except LyristError:
        raise
    except Exception as error:
        raise LyristError(
            f"The model of {run.path} failed ({type(error).__name__}: {error}); its files are damaged, or do not belong "
            "together: train it again."
        ) from error


def changed(run: Run) -> LyristError:
    """Return the error that the data of a run are not what it was fitted on."""
    return LyristError(
        f"{run.info['corpus']} is not the data that {run.path} was fitted on, so it is not opened by itself; name the data that "
        f"you mean: lyrist evaluate {run.path} DATA."
    )


def _check_files(path: Path) -> None:
    """Raise where a run directory holds something else than files and folders, or a link that leads out of it."""
    whole = path.resolve()
    for folder, folders, names in os.walk(whole):
        for name in (*folders, *names):
            place = Path(folder, name)
            inside = place.resolve().is_relative_to(whole)
            if not inside or not (place.is_file() or place.is_dir()):
                what = "a link that leads out of the run" if not inside else "neither a file nor a folder"
                raise LyristError(
                    f"{place} is {what}, so the run is not opened; replace it by a copy of what you need."
                )


def open_run(path: Path | str) -> Run:
    """Open a run directory.

    Raises
    ------
    LyristError
        It is not there, is no run, is damaged, was written in another format, or holds a link that leads out of it.
    """
    path = Path(path)
    if not path.is_dir():
        raise LyristError(f"There is no run directory {path}; 'lyrist train' makes one.")
    _check_files(path)
    info = files.read_json(path / MARKER, "a run directory")
    if not isinstance(info, dict) or "format" not in info:
        raise LyristError(f"{path / MARKER} is damaged: it is not the description of a run; train the model again.")
    if info["format"] != FORMAT:
        raise LyristError(
            f"The run {path} has format {info['format']}, written by Lyrist {info.get('lyrist', 'unknown')}; "
            f"this is Lyrist {__version__}, which reads format {FORMAT}: use that version, or train the model again."
        )
    kinds = {"recipe": str, "task": str, "corpus": str, "fingerprint": str, "config": dict, "cleaning": dict}
    for name, kind in kinds.items():
        if not isinstance(info.get(name, kind()), kind):
            raise LyristError(f"{path / MARKER} is damaged: '{name}' has a wrong value; train the model again.")
    return Run(path, _Content(info, path / MARKER))


def write_run(folder: Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``run.json`` and return its content.

    Parameters
    ----------
    folder
        The run directory under construction.
    info
        JSON-ready: recipe, task, target, options, data fingerprint, parameters, seed, seconds ...
    """
    whole = {"format": FORMAT, "lyrist": __version__, **info, "versions": versions()}
    if is_main():
        files.write_json(folder / MARKER, whole)
    return whole


def describe(estimator: Any) -> dict[str, Any]:
    """Return the description of a fitted estimator: parameters and, for a network, steps, tokens, device ..."""
    figures: dict[str, Any] = {"parameters": parameters(estimator), "classes": [str(c) for c in estimator.classes_]}
    if getattr(estimator, "multilabel_", False):
        figures["thresholds"] = [float(limit) for limit in estimator.thresholds_]
    outcome = getattr(estimator, "outcome_", None)
    if outcome is not None:
        figures |= {**outcome.summary(), "vocabulary": len(estimator.tokenizer_)}
    else:
        figures |= {"device": "cpu", "steps": 0}
    if getattr(estimator, "coverage_", None):
        figures["embedding_coverage"] = estimator.coverage_
    return figures


def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages that a result depends on and that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def is_network(estimator: Any) -> bool:
    """Return whether an estimator is a `lyrist.training.classifier.NeuralClassifier`, without importing PyTorch."""
    return hasattr(estimator, "tokenizer_") or hasattr(estimator, "model_")


def parameters(estimator: Any) -> int:
    """Return how many numbers a fitted model has learnt.

    For networks these are the weights; for the rest all numbers in fitted attributes (names ending in ``_``) of the
    estimator and of those inside it: coefficients, intercepts, inverse document frequencies, tree nodes.
    """
    if is_network(estimator):
        return int(estimator.parameters())
    return _count(estimator, set())


def _count(value: Any, seen: set[int]) -> int:
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return sum(_count(item, seen) for item in value.ravel() if _is_estimator(item))
        return value.size if value.dtype.kind == "f" else 0
    if type(value).__module__.startswith("scipy.sparse"):
        return int(value.nnz)
    if hasattr(value, "node_count"):  # a decision tree: feature, threshold and the values of the leaves
        return int(2 * value.node_count + value.value.size)
    if isinstance(value, list | tuple):
        return sum(_count(item, seen) for item in value)
    if isinstance(value, dict):
        return sum(_count(item, seen) for item in value.values() if _is_estimator(item))
    if not _is_estimator(value):
        return 0
    held = vars(value)
    fitted = [item for name, item in held.items() if name.endswith("_") and not name.startswith("feature_names")]
    # A pipeline keeps its fitted parts in `steps`; what else has no trailing underscore was given, not learnt.
    return sum(_count(item, seen) for item in [*fitted, held.get("steps"), held.get("_tfidf")])


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and hasattr(value, "__dict__") and not isinstance(value, type)


def save_model(estimator: Any, run: Path) -> None:
    """Write the fitted estimator into the run's ``model``."""
    if not is_main():
        return
    folder = run / MODEL
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if is_network(estimator):
            estimator.save(folder)
        else:
            from lyrist.training import saved

            saved.save(estimator, folder)
            files.write_json(folder / "labels.json", [str(label) for label in estimator.classes_])


def load_model(folder: Path, recipe: str | None = None, config: Mapping[str, Any] | None = None) -> Any:
    """Open the fitted estimator in ``folder``, of either kind.

    Parameters
    ----------
    folder
        The folder ``model`` of a run.
    recipe
        The recipe that ``run.json`` names; None: the one that the files name.
    config
        The options of the recipe that ``run.json`` names; those of an estimator must be the same.

    Raises
    ------
    LyristError
        A file is missing or damaged, or holds something that the recipe does not declare.
    """
    if (folder / "config.json").is_file():
        from lyrist.training.classifier import NeuralClassifier

        return NeuralClassifier.load(folder, recipe)
    from lyrist.training import saved

    return saved.load(folder, recipe, config)


def write_results(run: Path, results: Mapping[str, Any]) -> None:
    """Write ``results.json``."""
    if is_main():
        files.write_json(run / RESULTS, dict(results))
