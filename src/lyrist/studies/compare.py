"""`compare`: saved runs of one task side by side, of one study or of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrist.errors import LyristError, UsageError
from lyrist.metrics.kinds import figures_of, value_of
from lyrist.results import Result
from lyrist.studies import ranking
from lyrist.training.predictions import Predictions
from lyrist.training.runs import Run, open_run
from lyrist.training.train import task_class

if TYPE_CHECKING:
    from lyrist.reports.blocks import Block, Page


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """Runs in one table."""

    runs: list[Run]
    pairs: list[str]
    """What the paired tests found, a sentence for each."""
    notes: list[str]
    """What makes the runs hard to compare."""
    out: Path | None

    def summary(self) -> str:
        """Return a line for each run, the paired tests and the notes."""
        width = max(len(str(run.path)) for run in self.runs)
        scored = task_class(self.runs[0].info["task"]).scored
        lines = [f"{run.path!s:<{width}}  {run.info['recipe']:<16} {scored(run.results['test'])}" for run in self.runs]
        return "\n".join([*lines, *self.pairs, *self.notes, *([f"page: {self.out}"] if self.out else [])])

    def figures(self) -> list[dict[str, Any]]:
        """Return cost and scores of each run for ``--json``."""
        keys = ("recipe", "target", "condition", "split_by", "fingerprint", "parameters", "seconds")
        return [
            {
                "run": str(run.path),
                **{key: run.info[key] for key in keys if key in run.info},
                "test": run.results["test"],
            }
            for run in self.runs
        ]


def compare(*runs: str, out: str | None = None) -> Result:
    """Compare saved runs in one table and one chart.

    Parameters
    ----------
    runs
        Run directories.
    out
        An HTML file for the table and the chart.

    Raises
    ------
    LyristError
        A run does not exist or is damaged, or the runs are of different tasks.
    """
    if not runs:
        raise UsageError("compare needs run directories: lyrist compare RUN RUN...")
    opened = [open_run(path) for path in runs]
    tasks = sorted({run.info["task"] for run in opened})
    if len(tasks) > 1:
        raise LyristError(f"Runs that {' and '.join(tasks)} have no figure in common; compare runs of one task.")
    if any("mse" in run.results["test"] for run in opened):
        raise LyristError("An autoencoder predicts no class, so it has no accuracy to compare; leave its run out.")
    notes = [
        f"The runs have different {what}: their figures are not of the same {'pictures' if key == 'block' else 'songs'}."
        for key, what in (
            ("target", "targets"),
            ("kind", "kinds of targets"),
            ("fingerprint", "corpora"),
            ("split_by", "splits"),
            ("block", "blocks of classes"),
        )
        if len({run.info.get(key) for run in opened}) > 1
    ]
    pairs = _writers(opened, notes) if tasks == ["write"] else _classifiers(opened, notes)
    found = Compared(opened, pairs, notes, Path(out) if out else None)
    if out:
        from lyrist.reports import page

        page.write(_page(found), Path(out))
    return found


def _classifiers(runs: list[Run], notes: list[str]) -> list[str]:
    """Return the paired test of two classifiers on the same test examples."""
    if len(runs) != 2 or notes:
        return []
    first, second = (Predictions.of(run, "test") for run in runs)
    test = ranking.against(first, {"second": second})["second"]
    return [ranking.sentence(str(runs[0].path), str(runs[1].path), test)]


def _writers(runs: list[Run], notes: list[str]) -> list[str]:
    """Return the paired test of the first writer against each other one; add what makes them hard to compare to ``notes``."""
    from lyrist.metrics.language_modelling import common, paired
    from lyrist.training.writing_task import losses, sentence

    if len({tuple(run.info["condition"]) for run in runs}) > 1:
        notes.append("The writers are conditioned on different columns.")
    if not any(run.info["recipe"] == "ngram" for run in runs):
        notes.append("No run of 'ngram' is among them: it takes seconds and is the baseline of every network.")
    first, pairs = losses(runs[0], "test"), []
    for run in runs[1:]:
        try:
            test = paired(*common(first, losses(run, "test")))
        except LyristError as error:
            notes.append(f"{runs[0].path} and {run.path}: {error}")
            continue
        pairs.append(sentence(str(runs[0].path), str(run.path), test))
    return pairs


def _page(found: Compared) -> Page:
    from lyrist.reports import figures
    from lyrist.reports.blocks import Column, Items, Page, Section, Table

    writes = found.runs[0].info["task"] == "write"
    main, *others = figures_of(found.runs[0].results["test"])
    measure = "bits_per_byte" if writes else main.key
    rows, dots = [], []
    for run in found.runs:
        info, test = run.info, run.results["test"]
        value = test[measure]
        about = " and ".join(info["condition"]) or "nothing" if writes else info["target"]
        more = (test["perplexity"],) if writes else tuple(value_of(test, figure.key) for figure in others)
        interval = f"{value['low']:.3f} to {value['high']:.3f}"
        cost = (info["parameters"], info["seconds"])
        rows.append((str(run.path), info["recipe"], about, *cost, value["value"], interval, test["n"], *more))
        dots.append((str(run.path), value["value"], value["low"], value["high"]))
    name = "bits per byte" if writes else main.name
    head = (
        "run",
        "recipe",
        "conditioned on" if writes else "target",
        "parameters",
        "seconds",
        Column(name, ".3f"),
        "95% interval",
        "n",
        *(("perplexity",) if writes else [figure.name for figure in others]),
    )
    label = "bits per byte (lower is better)" if writes else f"test {main.name} with 95% interval"
    blocks: list[Block] = [
        figures.intervals(
            dots,
            xlabel=label,
            percent=main.percent and not writes,
            spec="" if main.percent and not writes else ".3f",
            name=measure.replace("_", "-"),
        ),
        Table(columns=head, rows=rows, caption="Test figures"),
        *([Items([*found.pairs, *found.notes])] if found.pairs or found.notes else []),
    ]
    title = "Writers compared" if writes else "Runs compared"
    return Page(title=title, subtitle=f"{len(rows)} runs", sections=(Section(f"Test {name}", blocks),))
