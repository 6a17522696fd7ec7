"""`train`: fit one recipe on one data set, score it on validation and, once, on test, and write the run.

Each kind of task (classification of lyrics, writing, classification of pictures) is a `Task` in a module of its own;
the run directory, resuming, costs, the model card and the curves are written here, once for all of them.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lyrist import files
from lyrist.errors import UsageError
from lyrist.models import registry
from lyrist.results import Result
from lyrist.training import journal, runs
from lyrist.training.dataset import LYRICS
from lyrist.training.memoryguard import Room
from lyrist.training.predictions import Predictions

if TYPE_CHECKING:
    from lyrist.reports.blocks import Figure

HELD = ("validation", "test")
"""The splits on which every run is scored."""

TASKS = {
    "classify": ("lyrist.training.classification_task", "ClassificationTask"),
    "write": ("lyrist.training.writing_task", "WritingTask"),
    "picture": ("lyrist.training.picture_task", "PictureTask"),
}
"""Module and class of each kind of task; ``Recipe.task`` and ``run.json`` name the kind."""


@dataclass(frozen=True)
class Selection:
    """The part of a data set that a task uses, as options of `train` and `study` name it."""

    target: str | None = None
    condition: str | tuple[str, ...] | None = None
    only: str = ""
    max_songs: int | None = None
    multi_label: str = "auto"
    ordinal: bool = False
    mask_labels: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels to keep; empty for all."""
        return tuple(part.strip() for part in self.only.split(",") if part.strip())

    def given(self) -> list[str]:
        """Return the names of the options that were given, as flags without dashes."""
        values = {"target": self.target, "condition": self.condition, "only": self.only, "max-songs": self.max_songs}
        values |= {"multi-label": self.multi_label != "auto", "ordinal": self.ordinal}
        return [name for name, value in values.items() if value]


class Task(ABC):
    """What can be fitted and scored: one kind of task on one data set.

    `fit` calls `identity`, `memory`, `learn`, `save` and `score` in this order. The static methods need only what is in the run.
    """

    kind: ClassVar[str]
    """The key in `TASKS`."""

    @classmethod
    @abstractmethod
    def open(
        cls, recipe: str, data: str, selection: Selection, options: Mapping[str, Any], seed: int
    ) -> tuple[Self, dict[str, Any]]:
        """Return the task on the data at a path, and the options that are left for the recipe.

        Raises
        ------
        LyristError
            The data, the selection, the recipe or an option cannot be used.
        """

    @abstractmethod
    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome, JSON-ready."""

    @abstractmethod
    def memory(self, recipe: str, options: Mapping[str, Any]) -> Room:
        """Return the memory that the fit is estimated to take, and what is available.

        Raises
        ------
        LyristError
            Too little is available.
        """

    @abstractmethod
    def learn(
        self,
        recipe: str,
        options: Mapping[str, Any],
        *,
        seed: int,
        folder: Path | None = None,
        resume: bool = False,
        title: str = "",
    ) -> Any:
        """Return the fitted model; its training log and checkpoints go into ``folder``."""

    @abstractmethod
    def describe(self, model: Any) -> dict[str, Any]:
        """Return the keys of ``run.json`` that describe the fitted model and its data."""

    @abstractmethod
    def score(self, model: Any, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the content of ``results.json``; predictions are written into ``folder`` where one is given."""

    @abstractmethod
    def save(self, model: Any, folder: Path) -> None:
        """Write the fitted model into a run directory."""

    @staticmethod
    @abstractmethod
    def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
        """Return the model card in Markdown."""

    @staticmethod
    @abstractmethod
    def curves(run: runs.Run) -> list[Figure]:
        """Return the training curves; none for a model that is not trained in steps."""

    @staticmethod
    @abstractmethod
    def headline(run: runs.Run) -> list[str]:
        """Return the lines of the summary that precede the scores."""

    @staticmethod
    @abstractmethod
    def remarks(run: runs.Run) -> list[str]:
        """Return the lines of the summary that follow the scores."""

    @staticmethod
    @abstractmethod
    def scored(scores: Mapping[str, Any]) -> str:
        """Return the scores of one split as a phrase."""


def task_class(kind: str) -> type[Task]:
    """Return the class of a kind of task; its module is imported now."""
    module, name = TASKS[kind]
    found: type[Task] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True, repr=False)
class Fitted(Result):
    """A recipe that was fitted, scored and saved."""

    run: runs.Run
    before: bool = False
    """Whether it was finished before, so that there was nothing to resume."""

    @property
    def task(self) -> type[Task]:
        """The class of its task."""
        return task_class(self.run.info["task"])

    def summary(self) -> str:
        """Return the scores and the path of the run."""
        run, task = self.run, self.task
        lines = [*task.headline(run), *(f"  {split:<11} {task.scored(run.results[split])}" for split in HELD)]
        if note := Room(run.info.get("memory_estimate"), run.info.get("memory_available", 0)).note:
            lines.append(f"  it {note}")
        lines += ["it was finished before: there was nothing to resume"] if self.before else []
        return "\n".join([*lines, *task.remarks(run), f"run: {run.path}"])

    def figures(self) -> dict[str, Any]:
        """Return the content of ``results.json``, with the path and the cost of the run."""
        keys = ("recipe", "parameters", "seconds", "pictures_per_second")
        cost = {key: self.run.info[key] for key in keys if key in self.run.info}
        return {"run": str(self.run.path), **cost, **({"resumed": False} if self.before else {}), **self.run.results}

    def predicted(self, split: str) -> Predictions:
        """Return the predictions of a classifier on ``validation`` or ``test``."""
        return Predictions.of(self.run, split)


def train(
    recipe: str,
    data: str,
    *,
    out: str,
    target: str | None = None,
    condition: str = "",
    only: str = "",
    max_songs: int | None = None,
    multi_label: str = "auto",
    ordinal: bool = False,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    seed: int = 0,
    resume: bool = False,
    **options: str,
) -> Result:
    """Fit one model and score it on validation and test.

    Parameters
    ----------
    recipe
        The model; ``lyrist recipes`` lists them.
    data
        A corpus directory, made by ``lyrist prepare``; for a recipe for pictures, a folder of pictures.
    out
        The run directory.
    target
        The column to predict from the lyrics: artist (the default), genre, year (as decades), or another column; ``lyrics``
        for a recipe that writes.
    condition
        For a recipe that writes: the columns that it is conditioned on, separated by commas, such as genre,artist.
    only
        Labels to keep, separated by commas; empty keeps all.
    max_songs
        Maximum number of training songs, sampled at random and stratified by label; by default all.
    multi_label
        Several labels a song in the target: auto (as prepare found it), off, or the text between two labels, such as "|".
    ordinal
        The target is a number, such as year: predict the number instead of decades.
    steps
        The budget of a network in updates of its weights.
    minutes
        The budget of a network in wall-clock minutes.
    batch_size
        Songs in a batch of a network.
    device
        auto, cpu or cuda.
    seed
        Seed of everything that is random.
    resume
        Continue an interrupted run; a finished one is returned as it is.
    options
        Any option of the recipe; ``lyrist train RECIPE --help`` lists them.

    Raises
    ------
    LyristError
        The corpus, the target, the recipe or an option does not exist or cannot be used.
    """
    given = {**loop_options(recipe, steps=steps, minutes=minutes, batch_size=batch_size, device=device), **options}
    kind = "write" if target == LYRICS else registry.get(recipe).task
    selection = Selection(target, condition, only, max_songs, multi_label, ordinal)
    task, own = task_class(kind).open(recipe, data, selection, given, seed)
    return fit(task, recipe, Path(out), options=own, seed=seed, resume=resume)


def loop_options(recipe: str, **given: Any) -> dict[str, Any]:
    """Return the options of the training loop that were given for one recipe.

    Raises
    ------
    UsageError
        The recipe is not trained in steps, so the option has no meaning.
    """
    used = budget(recipe, **given)
    for name, value in given.items():
        if value not in (None, "cpu", "auto") and name not in used:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"'{recipe}' is fitted on the CPU in one pass, so {flag} has no effect; leave it out.")
    return used


def budget(recipe: str, **given: Any) -> dict[str, Any]:
    """Return the options of the training loop that were given, for a network; none for other recipes."""
    if not registry.get(recipe).trained_in_steps:
        return {}
    return {name: value for name, value in given.items() if value is not None}


def fit(
    task: Task,
    recipe: str,
    out: Path,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    name: str = "",
    after: Callable[[Any, Path], Mapping[str, Any]] | None = None,
) -> Fitted:
    """Fit a recipe and write the run directory ``out``.

    The validation split selects the step of a network; the test split is read once, at the end.

    Parameters
    ----------
    task
        The task and its data.
    recipe, options, seed
        What is fitted.
    out
        The run directory.
    resume
        Continue an interrupted run. A finished run with the same identity is returned as it is.
    name
        The name of the line in a study; by default the recipe's.
    after
        Called with the fitted model and the directory of the run; what it returns is added to ``results.json``.
    """
    identity = task.identity(recipe, options, seed)
    if resume and files.finished(out, runs.MARKER) and (before := fitted_before(out, identity)):
        return before
    name = name or recipe
    room = task.memory(recipe, options)
    with runs.create(out, resume=resume, asked=identity) as folder:
        started, cpu = time.monotonic(), time.process_time()
        model = task.learn(recipe, options, seed=seed, folder=folder, resume=resume, title=name)
        cost = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        if runs.is_main():
            task.save(model, folder)
            results = {**task.score(model, folder, name), **(after(model, folder) if after else {})}
            runs.write_results(folder, results)
            info = {**identity, "name": name, "task": task.kind, **task.describe(model), **cost, **room.figures()}
            written = runs.Run(folder, runs.write_run(folder, info))
            files.write_text(folder / runs.MODEL / "README.md", task.card(written.info, results))
            if journal.read(folder):
                from lyrist.training.curves import beside

                files.write_text(folder / "curves.svg", beside(task.curves(written)))
    return Fitted(runs.open_run(out))


def fitted_before(out: Path, identity: Mapping[str, Any]) -> Fitted | None:
    """Return the finished run in ``out`` if it has this identity (see `Task.identity`); else None."""
    files.complete(out)
    if not (out / runs.MARKER).is_file():
        return None
    run = runs.open_run(out)
    return Fitted(run, before=True) if all(run.info.get(key) == value for key, value in identity.items()) else None


def json_ready(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(value))
