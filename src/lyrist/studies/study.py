"""`study`: fit several recipes on the same data, select one on validation, test the differences, write a report.

`report` draws the report of a finished study again. No model is opened for a report: what needs one (explanations, samples,
reconstructions) is stored when the study is made.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import files
from lyrist._version import __version__
from lyrist.errors import LyristError, UsageError
from lyrist.results import Result
from lyrist.studies import replication
from lyrist.studies.comparison import Clock, Comparison, Job, Protocols, Request, comparison_class
from lyrist.studies.plans import Plan, directory, load
from lyrist.studies.ranking import ChooseBy
from lyrist.training.train import Selection, json_ready

MARKER = "results.json"

FORMAT = 1
"""Version of ``results.json``; the report of a study of another version cannot be drawn again."""


@dataclass(frozen=True, repr=False)
class Studied(Result):
    """A finished study."""

    path: Path
    results: dict[str, Any]
    """The content of ``results.json``."""
    report: Path
    """The page."""

    def summary(self) -> str:
        """Return a line for each recipe, which one was selected and why, and the path of the report."""
        kind = comparison_class(self.results["task"])
        lines = kind.summary(self.results) if self.results["recipes"] else replication.summary(self.results)
        return "\n".join([*lines, f"report: {self.report}"])

    def figures(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        return {"study_directory": str(self.path), **self.results}


def study(
    study: str,
    data: str,
    *,
    out: str,
    target: str | None = None,
    condition: str | None = None,
    only: str = "",
    max_songs: int | None = None,
    multi_label: str = "auto",
    ordinal: bool = False,
    mask_labels: bool = False,
    features: str = "",
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    choose_by: ChooseBy = "loss",
    other_split: bool | None = None,
    repeats: int = 1,
    learning_curve: bool = False,
    refit: bool = True,
    time_limit: str | None = None,
    protocol: Protocols = "all",
    budget_scale: float = 1.0,
    cpu_minutes: float = 30.0,
    seed: int = 0,
    resume: bool = False,
) -> Result:
    """Fit and compare several models on the same data; write report.html, results.json and results.csv.

    Parameters
    ----------
    study
        A named study (``lyrist studies`` lists them), or a TOML file of your own.
    data
        A corpus directory, made by ``lyrist prepare``; for a study of pictures, a folder of pictures.
    out
        The study directory.
    target
        The column to predict from the lyrics: artist, genre, or another one; by default the study's own.
    condition
        In a study of writers, the columns that they are conditioned on, separated by commas; by default the study's own.
    only
        Labels to keep, separated by commas; empty keeps all.
    max_songs
        Maximum number of training songs, sampled at random and stratified by label; by default all.
    multi_label
        Several labels a song in the target: auto (as prepare found it), off, or the text between two labels, such as "|".
    ordinal
        The target is a number, such as year: predict the number instead of decades.
    mask_labels
        Replace the name of its label by ___ in the lyrics of each song, so that a model cannot read it there.
    features
        Columns that the models read beside the lyrics, separated by commas, such as year,language; these columns alone are
        a further baseline.
    steps
        The budget of each network in updates of its weights.
    minutes
        The budget of each network in wall-clock minutes.
    batch_size
        Songs in a batch of a network.
    device
        auto, cpu or cuda.
    choose_by
        The validation figure that selects the best recipe: loss, accuracy or macro_f1; with several labels a song micro_f1,
        macro_f1, average_precision or subset_accuracy; of a number mae, within_5 or median_error.
    other_split
        Report the other kind of split as well: by artist beside by song (default: yes, unless the target is the artist).
    repeats
        Fit everything on so many different splits: means, spreads, and tests over all of them.
    learning_curve
        Fit everything on a tenth, a quarter and half of the training songs as well.
    refit
        Fit the selected classifier again on training and validation songs, and report its test figures beside those of the fit
        on the training songs.
    time_limit
        The wall-clock time that the whole study may take, such as 90s, 10m or 1h. Recipes are fitted in the order of their
        expected value; those that did not fit in are named.
    protocol
        For a study with models of published reports, what is made: reported (each model trained and selected as in its report),
        honest (the same training, selected on validation), right (Lyrist's recipes), or all. One training run gives the first
        two.
    budget_scale
        Factor on the epochs of the reported models, such as 0.1 for a quick look; every table says it.
    cpu_minutes
        CPU minutes that the reruns of reported models may take together. A network that does not fit is trained for as many of
        its epochs as fit into half of what is left, at least a fifth, or is left out; the table says it, with the cost of all.
    seed
        Seed of everything that is random.
    resume
        Continue an interrupted study.

    Raises
    ------
    LyristError
        The data, the target, the study, a recipe or an option does not exist or cannot be used.
    """
    loop = {"steps": steps, "minutes": minutes, "batch_size": batch_size, "device": device}
    given = {"target": target, "condition": condition, "only": only, "max_songs": max_songs, **loop}
    given |= {"multi_label": multi_label, "ordinal": ordinal, "features": features}
    given |= {"mask_labels": mask_labels}
    given |= {"choose_by": choose_by, "other_split": other_split, "repeats": repeats, "learning_curve": learning_curve}
    given |= {"refit": refit, "time_limit": time_limit}
    given |= {"protocol": protocol, "budget_scale": budget_scale, "cpu_minutes": cpu_minutes}
    limit = None if time_limit is None else _seconds(time_limit)
    plan = load(study)
    plan = dataclasses.replace(plan, command=_command(study, data, out, seed, given))
    selection = Selection(target, condition, only, max_songs, multi_label, ordinal, mask_labels)
    request = Request(
        plan, data, selection, loop, choose_by, other_split, repeats, learning_curve, seed, refit, limit, protocol, budget_scale,
        cpu_minutes, features,
    )  # fmt: skip
    replication.check(request)
    comparison = comparison_class(plan.task).open(request)
    path, key = Path(out), _key(comparison, plan)
    if resume and _finished(path, key):
        return report(out)
    with files.staged(path, resume=resume, marker=MARKER, again=(*comparison.folders, replication.FOLDER)) as building:
        job = Job(building, seed, resume, Clock(limit))
        if protocol in ("reported", "honest"):
            found: dict[str, Any] = {**comparison.basis(), "recipes": [], "notes": []}
        else:
            fitted, left_out = job.fit(
                comparison.lines, comparison.task, after=comparison.after(), share=comparison.first_share
            )
            found = comparison.gather(fitted, left_out, job)
        found["recipes"] = [{**line, "protocol": "right"} for line in found["recipes"]]
        results = {
            "study": plan.name,
            "task": plan.task,
            "lyrist": __version__,
            "seed": seed,
            "data": data,
            "fingerprint": comparison.fingerprint,
            **found,
            **replication.gather(comparison, request, found, job),
            **key,
        }
        files.write_json(building / MARKER, results)
        head, rows = comparison.table(results)
        rows = [[round(cell, 6) if isinstance(cell, float) else cell for cell in row] for row in rows]
        table = pl.DataFrame(rows, schema=head, orient="row", infer_schema_length=None)
        files.write_text(building / "results.csv", files.spreadsheet_safe(table).write_csv())
        _draw(comparison, results, building, path, building / "report.html")
    return Studied(path, results, path / "report.html")


def report(study: str, *, data: str | None = None, out: str | None = None) -> Studied:
    """Draw report.html of a finished study again, from its files and its data, without opening a model.

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
        The directory is no finished study, its format is another one, or its data or a run is missing.
    """
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
    plan = Plan(results["study"], described["summary"], (), why=described["why"], command=tuple(described["command"]))
    where = data or results["corpus"]
    comparison = comparison_class(results["task"]).reopen(plan, results, where)
    if results["fingerprint"] != comparison.fingerprint:
        raise LyristError(f"{where} has changed since the study was made; run 'lyrist study' again on the new data.")
    place = Path(out) if out else path / "report.html"
    _draw(comparison, results, path, path, place)
    return Studied(path, results, place)


def _draw(comparison: Comparison, results: Mapping[str, Any], folder: Path, out: Path, place: Path) -> None:
    from lyrist.reports import page

    drawn = comparison.page(results, folder, out) if results["recipes"] else replication.page(comparison.plan, results)
    page.write(drawn, place)


def _command(name: str, data: str, out: str, seed: int, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command that requests this study, with every option that differs from its default."""
    usual = inspect.signature(study).parameters
    words = ["lyrist", "study", name, data]
    for option, value in options.items():
        flag = option.replace("_", "-")
        if value != usual[option].default:
            words += (
                [f"--{flag}"] if value is True else [f"--no-{flag}"] if value is False else [f"--{flag}", str(value)]
            )
    return (*words, "--seed", str(seed), "--out", out)


def _seconds(limit: str) -> float:
    """Return a duration such as 90s, 10m or 1h in seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh])\s*", str(limit))
    if not found or not float(found[1]):
        raise UsageError(f"--time-limit is a duration such as 90s, 10m or 1h, got '{limit}'.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _key(comparison: Comparison, plan: Plan) -> dict[str, Any]:
    """Return the keys of ``results.json`` by which a study is redrawn and, with ``--resume``, recognised."""
    command = list(plan.command)
    identity = {
        "command": command[: command.index("--out")],
        "fingerprint": comparison.fingerprint,
        "lines": [dataclasses.asdict(line) for line in comparison.lines],
    }
    described = {"why": plan.why, "summary": plan.summary, "command": command}
    found: dict[str, Any] = json_ready({"format": FORMAT, "plan": described, "identity": identity})
    return found


def _finished(path: Path, key: Mapping[str, Any]) -> bool:
    """Return whether a directory holds a finished study with this key, and all its runs."""
    if not (path / MARKER).is_file():
        return False
    results = files.read_json(path / MARKER, "a study")
    if not isinstance(results, dict) or any(results.get(name) != key[name] for name in ("format", "identity")):
        return False
    runs = [path / "runs" / directory(line["name"]) / "run.json" for line in results["recipes"]]
    if other := results.get("other_split"):
        runs += [path / "runs" / f"by-{other['split_by']}" / run.parent.name / "run.json" for run in runs]
    if refit := results.get("refit"):
        runs.append(path / refit["run"] / "run.json")
    return all(run.is_file() for run in runs)
