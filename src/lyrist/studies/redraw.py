"""`report`: draw the report of a finished study again, from the files of the study and its corpus.

No model is opened: what needs one (explanations, samples, reconstructions) is stored when the study is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files
from lyrist.errors import LyristError
from lyrist.studies.plans import Plan, directory

FORMAT = 1
"""Version of ``results.json``; a study of another version is refused."""

MARKER = "results.json"


@dataclass(frozen=True)
class Redrawn:
    """A study whose report was drawn again."""

    path: Path
    results: dict[str, Any]
    page: Path

    def summary(self) -> str:
        """Return where the report is."""
        return f"{self.results['study']}: report drawn again\nreport: {self.page}"

    def figures(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        return {"study_directory": str(self.path), **self.results}


def stored(plan: Plan, lines: Iterable[tuple[str, str, Mapping[str, Any]]], fingerprint: str) -> dict[str, Any]:
    """Return the keys of ``results.json`` by which a study is redrawn and, with ``--resume``, recognised.

    Parameters
    ----------
    plan
        The study, with the command that runs it.
    lines
        Name, recipe and options of each line.
    fingerprint
        The fingerprint of the data.
    """
    command = list(plan.asked)
    identity = {
        "command": command[: command.index("--out")] if "--out" in command else command,
        "fingerprint": fingerprint,
        "lines": [[name, recipe, dict(options)] for name, recipe, options in lines],
    }
    described = {"why": plan.why, "summary": plan.summary, "command": command}
    found: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, "plan": described, "identity": identity}))
    return found


def finished(path: Path, key: Mapping[str, Any]) -> bool:
    """Return whether a directory holds a finished study with this key, and all its runs."""
    if not (path / MARKER).is_file():
        return False
    results = files.read_json(path / MARKER, "a study")
    if not isinstance(results, dict) or any(results.get(name) != key[name] for name in ("format", "identity")):
        return False
    runs = [path / "runs" / directory(line["name"]) / "run.json" for line in results["recipes"]]
    if other := results.get("other_split"):
        runs += [path / "runs" / f"by-{other['split_by']}" / run.parent.name / "run.json" for run in runs]
    return all(run.is_file() for run in runs)


def report(study: str, *, data: str | None = None, out: str | None = None) -> Redrawn:
    """Draw report.html of a finished study again, from its files and its corpus, without opening a model.

    Parameters
    ----------
    study
        A study directory, made by ``lyrist study``.
    data
        The corpus or the pictures of the study, if they have moved; by default where they were.
    out
        The HTML file to write; by default report.html in the study directory.

    Raises
    ------
    LyristError
        The directory is no finished study, its format is another one, or its corpus or a run is missing.
    """
    from lyrist.reports import page

    path = Path(study)
    if not path.is_dir():
        raise LyristError(f"There is no study directory {path}; 'lyrist study' makes one.")
    results = files.read_json(path / MARKER, "a study")
    if not isinstance(results, dict) or "recipes" not in results or "study" not in results:
        raise LyristError(f"{path / MARKER} does not describe a study; give a directory that 'lyrist study' made.")
    if results.get("format") != FORMAT:
        raise LyristError(
            f"{path} was made by an earlier or later version of Lyrist, whose report cannot be drawn again; "
            "run 'lyrist study' again to get one."
        )
    described = results["plan"]
    plan = Plan(results["study"], described["summary"], (), why=described["why"], asked=tuple(described["command"]))
    place = Path(out) if out else path / "report.html"
    page.write(_PAGES[_task(results)](plan, {**results, "corpus": data or results["corpus"]}, path), place)
    return Redrawn(path, results, place)


def _task(results: Mapping[str, Any]) -> str:
    return "picture" if "blocks" in results else str(results.get("task", "classify"))


def _labels(plan: Plan, results: Mapping[str, Any], path: Path) -> Any:
    from lyrist.corpus.corpus import Corpus
    from lyrist.studies.report import compose
    from lyrist.training.dataset import view
    from lyrist.training.runs import open_run
    from lyrist.training.train import HELD, Fitted, judged_before

    dataset = view(
        Corpus.open(results["corpus"]),
        results["target"],
        tuple(results["only"]),
        most=results["max_songs"],
        seed=results["seed"],
    )
    _check_fingerprint(results, dataset.corpus.fingerprint)
    fitted = {}
    for line in results["recipes"]:
        run = open_run(path / "runs" / directory(line["name"]))
        fitted[line["name"]] = Fitted(run, {split: judged_before(run, split) for split in HELD})
    return compose(plan, dataset, fitted, results, path)


def _writing(plan: Plan, results: Mapping[str, Any], path: Path) -> Any:
    from lyrist.corpus.corpus import Corpus
    from lyrist.studies.writerreport import compose
    from lyrist.training import journal

    corpus = Corpus.open(results["corpus"])
    _check_fingerprint(results, corpus.fingerprint)
    journals = {name: journal.read(path / "runs" / folder) for name, folder in results["directories"].items()}
    return compose(plan, corpus, results, journals, path)


def _pictures(plan: Plan, results: Mapping[str, Any], path: Path) -> Any:
    from lyrist.images.blocks import block
    from lyrist.images.pictureset import read
    from lyrist.studies.picturereport import compose
    from lyrist.training.runs import open_run
    from lyrist.training.trainpictures import FittedPictures, Question

    found = read(results["corpus"])
    questions = {part: Question(block(found, part, results["seed"])) for part in results["blocks"]}
    _check_fingerprint(results, next(iter(questions.values())).fingerprint)
    names = [line["name"] for line in results["recipes"]]
    fitted = {name: FittedPictures(open_run(path / "runs" / directory(name))) for name in names}
    return compose(plan, questions, fitted, results, results["data"], path, path)


_PAGES = {"classify": _labels, "write": _writing, "picture": _pictures}
"""What draws the page of a study, by task."""


def _check_fingerprint(results: Mapping[str, Any], fingerprint: str) -> None:
    if results["fingerprint"] != fingerprint:
        raise LyristError(
            f"{results['corpus']} has changed since the study was made; run 'lyrist study' again on the new data."
        )
