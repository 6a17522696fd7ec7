"""The runs that are served: opened once, each under a name of its own.

A client names a run by what stands here and by nothing else, so that no path that it sends is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lyrist.errors import LyristError, UsageError, unknown
from lyrist.evaluation.pictures import open_pictures
from lyrist.training.runs import Run, open_run

Task = Literal["classify", "write", "picture"]

DOES = {"classify": "labels lyrics", "write": "writes lyrics", "picture": "labels pictures"}
"""What a run of each task does, for messages."""


@dataclass(frozen=True)
class ServedModel:
    """A run that is served."""

    name: str
    """What clients call it: the name of its directory, with those above it where two are called the same."""
    path: Path
    run: Run
    task: Task
    conditions: dict[str, tuple[str, ...]]
    """Of a writer: column to the values that it was trained with."""
    labels: tuple[str, ...]
    """Of a classifier: what it answers with."""
    model: Any
    """The fitted classifier, the `Writer` or the `PictureModel`."""

    @property
    def recipe(self) -> str:
        """Return the recipe that it was fitted with."""
        return str(self.run.info["recipe"])


@dataclass(frozen=True)
class ModelRegistry:
    """The runs that are served, by name, in the order in which they were given."""

    items: dict[str, ServedModel]

    @classmethod
    def open(cls, paths: Iterable[str | Path]) -> ModelRegistry:
        """Open runs; a directory that is given twice is served once.

        Raises
        ------
        UsageError
            There is none.
        LyristError
            One is not there or damaged, or is an autoencoder, which answers no question.
        """
        folders = list(dict.fromkeys(Path(path).absolute() for path in paths))
        if not folders:
            raise UsageError("serve needs a run: lyrist serve RUN...; 'lyrist train' makes one.")
        return cls({name: _opened(name, path) for name, path in zip(_names(folders), folders, strict=True)})

    def get(self, name: str, *tasks: Task) -> ServedModel:
        """Return a run by its name.

        Raises
        ------
        UsageError
            There is none of this name, or it does none of the tasks.
        """
        if name not in self.items:
            raise unknown("model", name, self.items)
        found = self.items[name]
        if tasks and found.task not in tasks:
            raise UsageError(
                f"The model '{name}' {DOES[found.task]}; it is not one that {' or '.join(DOES[t] for t in tasks)}."
            )
        return found

    def of(self, *tasks: Task) -> list[ServedModel]:
        """Return the runs of some tasks."""
        return [served for served in self.items.values() if served.task in tasks]


def _opened(name: str, path: Path) -> ServedModel:
    run = open_run(path)
    task = run.info["task"]
    if task == "write":
        writer = run.writer
        writer.model.eval()
        return ServedModel(name, path, run, "write", dict(writer.conditions), (), writer)
    if task == "picture":
        model = open_pictures(run)
        if model.paints:
            raise LyristError(
                f"{path} is an autoencoder, which names no class; serve an autoencoder-classifier that was trained on it."
            )
        return ServedModel(name, path, run, "picture", {}, tuple(model.classes_), model)
    if task == "classify":
        return ServedModel(name, path, run, "classify", {}, tuple(str(c) for c in run.model.classes_), run.model)
    raise LyristError(f"{path} is a run of the task '{task}', which this version of Lyrist cannot serve.")


def _names(folders: list[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell all of them apart."""
    names = []
    for path in folders:
        for count in range(1, len(path.parts) + 1):
            name = "/".join(path.parts[-count:])
            if sum(other.parts[-count:] == path.parts[-count:] for other in folders) == 1:
                break
        names.append(name)
    return names
