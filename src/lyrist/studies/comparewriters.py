"""`compare` for writers: bits per byte of saved runs side by side, in pairs where they were scored on the same songs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist.errors import LyristError
from lyrist.metrics.language_modelling import common, paired
from lyrist.reports import figures, page
from lyrist.reports.blocks import Block, Column, Items, Page, Section, Table
from lyrist.training.runs import Run
from lyrist.training.trainwriter import losses, scored, sentence


@dataclass(frozen=True)
class ComparedWriters:
    """Writers in one table."""

    runs: list[Run]
    notes: list[str]
    """What keeps the runs from being comparable, and what is missing beside them."""
    pairs: dict[str, dict[str, float]]
    """The first run against each other one, by path, where songs were scored by both."""
    out: Path | None

    def summary(self) -> str:
        """Return a line for each run, the paired comparisons, and what to beware of."""
        width = max(len(str(run.path)) for run in self.runs)
        lines = [f"{run.path!s:<{width}}  {run.info['recipe']:<16} {scored(run.results['test'])}" for run in self.runs]
        lines += [sentence(str(self.runs[0].path), name, test) for name, test in self.pairs.items()]
        return "\n".join([*lines, *self.notes, *([f"page: {self.out}"] if self.out else [])])

    def figures(self) -> list[dict[str, Any]]:
        """Return cost and scores of each run for ``--json``."""
        keys = ("recipe", "target", "condition", "split_by", "fingerprint", "parameters", "seconds")
        return [
            {"run": str(run.path), **{k: run.info[k] for k in keys}, "test": run.results["test"]} for run in self.runs
        ]


def compare_writers(runs: list[Run], notes: list[str], out: Path | None) -> ComparedWriters:
    """Compare saved runs of writers.

    Parameters
    ----------
    runs
        Opened runs, all of writers.
    notes
        What is already known to keep them from being comparable.
    out
        An HTML file for the table and the chart.
    """
    told = list(notes)
    if len({tuple(run.info["condition"]) for run in runs}) > 1:
        told.append("The writers were told different columns before they wrote.")
    if not any(run.info["recipe"] == "ngram" for run in runs):
        told.append("No run of 'ngram' is among them: it takes seconds, and shows what a network is worth.")
    first, pairs = losses(runs[0], "test"), {}
    for run in runs[1:]:
        try:
            pairs[str(run.path)] = paired(*common(first, losses(run, "test")))
        except LyristError as error:
            told.append(f"{runs[0].path} and {run.path}: {error}")
    found = ComparedWriters(runs, told, pairs, out)
    if out:
        page.write(_page(found), out)
    return found


def _page(found: ComparedWriters) -> Page:
    rows, dots = [], []
    for run in found.runs:
        test = run.results["test"]
        cost = test["bits_per_byte"]
        cells = [str(run.path), run.info["recipe"], " and ".join(run.info["condition"]) or "nothing"]
        interval = f"{cost['low']:.3f} to {cost['high']:.3f}"
        more = (run.info["parameters"], run.info["seconds"], cost["value"], interval, test["n"], test["perplexity"])
        rows.append((*cells, *more))
        dots.append((str(run.path), cost["value"], cost["low"], cost["high"]))
    head = (
        "run",
        "recipe",
        "told",
        "parameters",
        "seconds",
        Column("bits per byte", ".3f"),
        "95% interval",
        "n",
        "perplexity",
    )
    blocks: list[Block] = [
        figures.intervals(
            dots, xlabel="bits per byte (less is better)", percent=False, spec=".3f", name="bits-per-byte"
        ),
        Table(columns=head, rows=rows, caption="Test figures"),
        Items([sentence(str(found.runs[0].path), name, test) for name, test in found.pairs.items()] + found.notes),
    ]
    return Page(title="Writers compared", subtitle=f"{len(rows)} runs", sections=(Section("Bits per byte", blocks),))
