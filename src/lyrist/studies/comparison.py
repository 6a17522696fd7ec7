"""What every study has in common, whatever its task: the request, the lines that are compared, and how they are fitted."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from lyrist import files, progress
from lyrist.errors import LyristError, UsageError
from lyrist.models import registry
from lyrist.studies.plans import Entry, Plan, Reported, directory
from lyrist.studies.ranking import ChooseBy
from lyrist.training.train import Fitted, Selection, Task, budget, fit

if TYPE_CHECKING:
    from lyrist.reports.blocks import Page

Protocols = Literal["reported", "honest", "right", "all"]

COMPARISONS = {
    "classify": ("lyrist.studies.classifier_study", "ClassifierStudy"),
    "write": ("lyrist.studies.writer_study", "WriterStudy"),
    "picture": ("lyrist.studies.picture_study", "PictureStudy"),
}
"""Module and class by kind of task; see `Comparison`."""

BUDGETS = ("steps", "minutes", "epochs", "pace")
"""Options of a line that a budget on the command line replaces."""


@dataclass(frozen=True)
class Request:
    """A study with the options that the user gave."""

    plan: Plan
    data: str
    selection: Selection
    loop: Mapping[str, Any]
    """The options of the training loop that were given for all networks: steps, minutes, batch_size, device."""
    choose_by: ChooseBy = "loss"
    other_split: bool | None = None
    repeats: int = 1
    learning_curve: bool = False
    seed: int = 0
    refit: bool = True
    """Fit the selected classifier again on training and validation songs."""
    time_limit: float | None = None
    """Seconds that the whole study may take."""
    protocol: Protocols = "all"
    """Which columns of reported models are made, see `lyrist.studies.replication`."""
    budget_scale: float = 1.0
    """Factor on the epochs of reported models."""
    cpu_minutes: float = 30.0
    """CPU minutes that the reruns of reported models may take together."""
    features: str = ""
    """Columns that classifiers read beside the lyrics."""

    def options(self, entry: Entry) -> dict[str, Any]:
        """Return the options of a line; a budget that the user gives replaces the one of the plan."""
        given = budget(entry.recipe, **self.loop)
        if self.features and any(each.name == "features" for each in registry.get(entry.recipe).parameters):
            given["features"] = self.features
        replaced = BUDGETS if any(name in given for name in BUDGETS) else ()
        return {**{name: value for name, value in entry.options.items() if name not in replaced}, **given}

    def refuse(self, kind: str, but: Sequence[str] = ()) -> None:
        """Raise where an option of classifiers was given that has no meaning for this kind of model: all ``but`` some."""
        selection = self.selection
        given = {
            "target": selection.target,
            "condition": selection.condition is not None,
            "only": selection.only,
            "max-songs": selection.max_songs is not None,
            "multi-label": selection.multi_label != "auto",
            "ordinal": selection.ordinal,
            "features": self.features,
            "other-split": self.other_split,
            "repeats": self.repeats != 1,
            "learning-curve": self.learning_curve,
            "time-limit": self.time_limit is not None,
            "mask-labels": selection.mask_labels,
        }
        for name, value in given.items():
            if value and name not in but:
                raise UsageError(
                    f"--{name} is not for studies of {kind} such as '{self.plan.name}'; leave --{name} out."
                )


@dataclass(frozen=True)
class Line:
    """One line of a comparison."""

    name: str
    recipe: str
    options: Mapping[str, Any]
    """Options of the recipe and of the training loop."""
    optional: bool = False
    """Leave the line out, with a note, where it cannot be fitted."""
    block: str = ""
    """Pictures: the block of classes."""
    source: str | None = None
    """Pictures: the earlier line whose features it reads."""
    curve: bool = False
    """Pictures: fit it on few pictures too."""
    instead_of: str | None = None
    """Pictures: the line that starts from random weights, with which a transfer is compared."""


class Comparison(ABC):
    """A study of one kind of task on one data set.

    `lyrist.studies.study.study` fits the lines, calls `gather`, and writes the page, which is drawn from files only.
    """

    kind: ClassVar[str]
    """The key in `COMPARISONS`."""
    folders: ClassVar[tuple[str, ...]]
    """The folders of the study directory that an interrupted study keeps."""
    plan: Plan
    lines: Sequence[Line]
    first_share: float = 1.0
    """Share of a time limit for the lines; the rest is for what follows them."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """The fingerprint of the data."""

    @classmethod
    @abstractmethod
    def open(cls, request: Request) -> Self:
        """Open the data and check every option before anything is fitted.

        Raises
        ------
        LyristError
            The data, a recipe or an option does not exist or cannot be used.
        """

    @abstractmethod
    def task(self, line: Line, fitted: Mapping[str, Fitted]) -> Task:
        """Return the task of a line; ``fitted`` are the lines before it."""

    def rerun(self, reported: Reported, limit: float, fitted: Mapping[str, Fitted]) -> Task:
        """Return the task of training a reported model by its own protocol within so many CPU seconds.

        ``fitted`` are the reported models before it.
        Its results have the key ``rerun``, see `lyrist.training.protocol`.
        """
        raise NotImplementedError

    def basis(self) -> dict[str, Any]:
        """Return the keys of ``results.json`` that `reopen` reads: the data and the part of it that is used."""
        raise NotImplementedError

    @abstractmethod
    def after(self) -> Callable[[Any, Path], Mapping[str, Any]] | None:
        """Return what is called with each fitted model and its directory, see `lyrist.training.train.fit`."""

    @abstractmethod
    def gather(self, fitted: Mapping[str, Fitted], left_out: Sequence[str], job: Job) -> dict[str, Any]:
        """Return the content of ``results.json``."""

    @classmethod
    @abstractmethod
    def reopen(cls, plan: Plan, results: Mapping[str, Any], data: str) -> Self:
        """Open the data of a finished study to draw its page again."""

    @abstractmethod
    def page(self, results: Mapping[str, Any], folder: Path, out: Path) -> Page:
        """Return the page of a finished study whose files are in ``folder`` and will be in ``out``."""

    @staticmethod
    @abstractmethod
    def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Return the header and the rows of ``results.csv``."""

    @staticmethod
    @abstractmethod
    def summary(results: Mapping[str, Any]) -> list[str]:
        """Return the lines of the summary."""


def comparison_class(kind: str) -> type[Comparison]:
    """Return the class for a kind of task; its module is imported now."""
    module, name = COMPARISONS[kind]
    found: type[Comparison] = getattr(import_module(module), name)
    return found


ORDER = ("baseline", "ensemble", "linear", "tree", "counts", "neural", "mixture")
"""Families in the order of their expected value, in which lines are fitted under a time limit."""

REPORTING = 0.1
"""Share of a time limit that is left for the report."""


class Clock:
    """The time that is left of a time limit in seconds; None is no limit."""

    def __init__(self, limit: float | None) -> None:
        self.limit, self._start = limit, time.monotonic()
        self.longest: dict[str, float] = {}
        """The longest fit so far by family."""

    def left(self, share: float = 1.0) -> float:
        """Return the seconds until a share of the limit, without what the report needs, is over."""
        if self.limit is None:
            return math.inf
        return self.limit * (1 - REPORTING) * share - (time.monotonic() - self._start)

    def fits(self, recipe: str, share: float = 1.0) -> bool:
        """Return whether a recipe is expected to end in time: networks stop by themselves, others take like the last one."""
        family = registry.get(recipe).family
        return self.left(share) > max(self.longest.get(family, 0.0), 1.0 if self.longest else 0.0)

    def options(self, line: Line, share: float = 1.0) -> Mapping[str, Any]:
        """Return the options of a line; a network gets no more minutes than are left."""
        if self.limit is None or not registry.get(line.recipe).trained_in_steps:
            return line.options
        minutes = max(self.left(share), 1.0) / 60
        if "steps" in line.options or "epochs" in line.options:
            return line.options
        return {**line.options, "minutes": min(float(line.options.get("minutes") or minutes), minutes)}


@dataclass(frozen=True)
class Job:
    """Where the lines of a study are fitted, and how."""

    folder: Path
    """The study directory under construction."""
    seed: int
    resume: bool
    clock: Clock = field(default_factory=lambda: Clock(None))

    def fit(
        self,
        lines: Sequence[Line],
        task: Callable[[Line, Mapping[str, Fitted]], Task],
        folder: str = "runs",
        after: Callable[[Any, Path], Mapping[str, Any]] | None = None,
        share: float = 1.0,
    ) -> tuple[dict[str, Fitted], list[str]]:
        """Fit every line; those that an interrupted study has finished are read.

        Under a time limit the lines are fitted in the order of their expected value, until ``share`` of the limit is over.

        Returns
        -------
        dict
            The fitted lines by name.
        list of str
            A sentence for each line that was left out.
        """
        wanted, clock = list(lines), self.clock
        if clock.limit is not None:
            lines = sorted(lines, key=lambda line: ORDER.index(registry.get(line.recipe).family))
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        found: dict[str, Fitted] = {}
        left_out: list[str] = []
        with progress.task("study" if folder == "runs" else folder, "recipes") as advance:
            for number, line in enumerate(lines):
                advance(number, len(lines), line.name)
                if not clock.fits(line.recipe, share):
                    left_out.append(f"The line '{line.name}' was left out: it did not fit in the time limit.")
                    continue
                started = time.monotonic()
                try:
                    found[line.name] = fit(
                        task(line, found),
                        line.recipe,
                        place / directory(line.name),
                        options=clock.options(line, share),
                        seed=self.seed,
                        resume=self.resume,
                        name=line.name,
                        after=after,
                    )
                except files.DiskFullError:
                    raise
                except LyristError as error:
                    if not line.optional:
                        raise
                    left_out.append(f"The line '{line.name}' was left out: {error}")
                family = registry.get(line.recipe).family
                clock.longest[family] = max(clock.longest.get(family, 0.0), time.monotonic() - started)
            advance(len(lines), len(lines))
        if not found and folder == "runs":
            raise LyristError(f"No line of the study could be fitted. {' '.join(left_out)}")
        return {line.name: found[line.name] for line in wanted if line.name in found}, left_out
