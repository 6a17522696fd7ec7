"""The model registry: the served runs, opened once, each with a unique name.

A client selects a run by its name in the registry only, so no path from a request is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lyrist.errors import LyristError, UsageError, unknown
from lyrist.evaluation.evaluate_images import open_pictures
from lyrist.generation.write import is_run, open_pretrained
from lyrist.serving.requests import Unavailable
from lyrist.training.runs import MARKER, Run, open_run

Task = Literal["classify", "write", "picture"]

DOES = {"classify": "labels lyrics", "write": "writes lyrics", "picture": "labels pictures"}
"""Description of each task, for messages."""


@dataclass(frozen=True)
class ServedModel:
    """A served run."""

    name: str
    """Name of its directory, with parent directories if two runs have the same name."""
    path: Path
    run: Run
    task: Task
    conditions: dict[str, tuple[str, ...]]
    """Of a writer: column to the values it was trained with."""
    labels: tuple[str, ...]
    """Classes of a classifier."""
    model: Any
    """The fitted classifier, the `Writer` or the `PictureModel`."""
    stamp: tuple[int, ...] = ()
    """Identity of its ``run.json`` when it was opened."""

    @property
    def created(self) -> int:
        """Seconds since 1970 at which the run was saved."""
        return self.stamp[-1] // 10**9 if self.stamp else 0

    @property
    def changed(self) -> bool:
        """Whether the run was moved, removed or replaced since it was opened; the opened model still answers."""
        return self.stamp != _stamp(self.path)

    def check_unchanged(self) -> None:
        """Raise `Unavailable` if files of the run can no longer be read as they were."""
        if self.changed:
            raise Unavailable(
                f"The run '{self.name}' was moved, removed or replaced since the server opened it; start the server again."
            )

    @property
    def recipe(self) -> str:
        """Recipe of the run."""
        return str(self.run.info["recipe"])


@dataclass(frozen=True)
class ModelRegistry:
    """The served runs by name, in the order of the command line."""

    items: dict[str, ServedModel]

    @classmethod
    def open(cls, paths: Iterable[str | Path]) -> ModelRegistry:
        """Open runs, and pretrained models by name or directory; a repeated one is served once.

        Raises
        ------
        UsageError
            No run is given.
        LyristError
            A run is missing, damaged, or an autoencoder, which has no classes.
        """
        paths = list(paths)
        runs = [path for path in paths if is_run(path)]
        others = dict.fromkeys(str(path) for path in paths if path not in runs)
        folders = list(dict.fromkeys(Path(path).absolute() for path in runs))
        if not paths:
            raise UsageError("serve needs a run: lyrist serve RUN...; create one with 'lyrist train'.")
        found = {name: _opened(name, path) for name, path in zip(_names(folders), folders, strict=True)}
        return cls(found | {served.name: served for served in map(_pretrained, others)})

    def get(self, name: str, *tasks: Task) -> ServedModel:
        """Return a run by its name.

        Raises
        ------
        UsageError
            There is no run of this name, or it has another task.
        """
        if name not in self.items:
            raise unknown("model", name, self.items)
        found = self.items[name]
        if tasks and found.task not in tasks:
            raise UsageError(
                f"The model '{name}' {DOES[found.task]}, but the request needs one that {' or '.join(DOES[t] for t in tasks)}."
            )
        return found

    def of(self, *tasks: Task) -> list[ServedModel]:
        """Return the runs of these tasks."""
        return [served for served in self.items.values() if served.task in tasks]


def _opened(name: str, path: Path) -> ServedModel:
    run = open_run(path)
    task, stamp = run.info["task"], _stamp(path)
    if task == "write":
        writer = run.writer
        writer.model.eval()
        return ServedModel(name, path, run, "write", dict(writer.conditions), (), writer, stamp)
    if task == "picture":
        model = open_pictures(run)
        if model.is_autoencoder:
            raise LyristError(
                f"{path} is an autoencoder, which has no classes; serve an autoencoder-classifier trained on it."
            )
        return ServedModel(name, path, run, "picture", {}, tuple(model.classes_), model, stamp)
    if task == "classify":
        return ServedModel(name, path, run, "classify", {}, tuple(str(c) for c in run.model.classes_), run.model, stamp)
    raise LyristError(f"{path} is a run of the task '{task}', which this version of Lyrist cannot serve.")


def _pretrained(name: str) -> ServedModel:
    """Open a pretrained model."""
    run = Run(Path(name), {"recipe": "causal", "task": "write"})
    return ServedModel(Path(name).name, Path(name), run, "write", {}, (), open_pretrained(name))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what identifies the file ``run.json`` of a run; empty if it cannot be read."""
    try:
        found = (path / MARKER).stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _names(folders: list[Path]) -> list[str]:
    """Return the shortest unique suffix of each path."""
    names = []
    for path in folders:
        for count in range(1, len(path.parts) + 1):
            name = "/".join(path.parts[-count:])
            if sum(other.parts[-count:] == path.parts[-count:] for other in folders) == 1:
                break
        names.append(name)
    return names
