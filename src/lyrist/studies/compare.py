"""`compare`: saved runs side by side, of one study or of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrist.errors import LyristError, UsageError
from lyrist.results import Result
from lyrist.studies import comparison
from lyrist.training.runs import Run, open_run
from lyrist.training.train import judged_before, scored

if TYPE_CHECKING:
    from lyrist.reports.blocks import Block, Page


@dataclass(frozen=True)
class Compared:
    """Runs in one table."""

    runs: list[Run]
    notes: list[str]
    """What keeps the runs from being comparable."""
    out: Path | None

    def summary(self) -> str:
        """Return a line for each run, and what to beware of."""
        width = max(len(str(run.path)) for run in self.runs)
        lines = [f"{run.path!s:<{width}}  {run.info['recipe']:<16} {scored(run.results['test'])}" for run in self.runs]
        if len(self.runs) == 2 and not self.notes:
            lines.append(self.paired())
        lines += self.notes
        return "\n".join([*lines, *([f"page: {self.out}"] if self.out else [])])

    def paired(self) -> str:
        """Say whether the first two runs can be told apart on the test songs that both answered."""
        first, second = (judged_before(run, "test") for run in self.runs[:2])
        test = comparison.against(first, {"second": second})["second"]
        return comparison.sentence(str(self.runs[0].path), str(self.runs[1].path), test)

    def figures(self) -> list[dict[str, Any]]:
        """Return cost and scores of each run for ``--json``."""
        keys = ("recipe", "target", "split_by", "fingerprint", "parameters", "seconds")
        return [
            {"run": str(run.path), **{k: run.info[k] for k in keys}, "test": run.results["test"]} for run in self.runs
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
        A run is not there or damaged, or the runs are not all of one kind.
    """
    if not runs:
        raise UsageError("compare needs run directories: lyrist compare RUN RUN...")
    opened = [open_run(path) for path in runs]
    notes = []
    for key, what in (("target", "targets"), ("fingerprint", "corpora"), ("split_by", "splits")):
        if len({run.info[key] for run in opened}) > 1:
            notes.append(f"The runs have different {what}: their figures are not of the same songs.")
    tasks = sorted({run.info["task"] for run in opened})
    if len(tasks) > 1:
        raise LyristError(f"Runs that {' and '.join(tasks)} have no figure in common; compare runs of one kind.")
    if tasks == ["write"]:
        from lyrist.studies.comparewriters import compare_writers

        return compare_writers(opened, notes, Path(out) if out else None)
    if any("accuracy" not in run.results["test"] for run in opened):
        raise LyristError("An autoencoder names no class, so it has no accuracy to compare; leave its run out.")
    if len({run.info.get("block") for run in opened}) > 1:
        notes.append("The runs are of different blocks of classes: their figures are not of the same pictures.")
    found = Compared(opened, notes, Path(out) if out else None)
    if out:
        from lyrist.reports import page

        page.write(_page(found), Path(out))
    return found


def _page(found: Compared) -> Page:
    from lyrist.reports import figures
    from lyrist.reports.blocks import Page, Prose, Section, Table

    rows = []
    for run in found.runs:
        test = run.results["test"]
        a = test["accuracy"]
        cells = [str(run.path), run.info["recipe"], run.info["target"], run.info["parameters"], run.info["seconds"]]
        rows.append(
            (*cells, a["value"], f"{a['low']:.3f} to {a['high']:.3f}", test["n"], test["macro_f1"], test["loss"])
        )
    head = ("run", "recipe", "target", "parameters", "seconds", "accuracy", "95% interval", "n", "macro F1", "loss")
    dots = [
        (str(run.path), *(run.results["test"]["accuracy"][k] for k in ("value", "low", "high"))) for run in found.runs
    ]
    blocks: list[Block] = [
        *(Prose(note) for note in found.notes),
        figures.intervals(dots, xlabel="test accuracy with 95% interval", name="accuracy"),
        Table(columns=head, rows=rows, caption="Test figures"),
    ]
    return Page(
        title="Runs compared",
        subtitle=f"{len(found.runs)} runs",
        sections=(Section("Test accuracy", blocks=tuple(blocks)),),
    )
