"""`study` for writers: several are fitted on the same songs, one is picked by what unseen songs cost it, and all are read.

What is unusual: beside the writers stands a compressor of files, PPMd, that knows nothing of lyrics and has no part in the
choice: a writer that costs more has learnt little. And a writer is judged by what it writes too, which its bits per byte
do not tell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files, progress
from lyrist._version import __version__
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.compression import ppmd
from lyrist.evaluation.legacy_metrics import as_reported
from lyrist.metrics.intervals import holm
from lyrist.metrics.language_modelling import paired
from lyrist.models import registry
from lyrist.reports import page
from lyrist.studies import redraw, writerreport
from lyrist.studies.plans import Entry, Plan, directory
from lyrist.studies.samples import HOW, SONGS, Critic
from lyrist.training import trainwriter, writer
from lyrist.training.trainwriter import HELD, Task, Written, scored, sentence

MARKER = "results.json"

CHOSEN_BY = "validation bits per byte"


@dataclass(frozen=True)
class StudiedWriters:
    """A finished study of writers."""

    path: Path
    results: dict[str, Any]

    def summary(self) -> str:
        """Return a line for each writer, which was picked, how sure that is, and where the report is."""
        results = self.results
        every = [*results["baselines"], *results["recipes"]]
        width = max(len(line["name"]) for line in every)
        told = f", told the {' and '.join(results['condition'])}" if results["condition"] else ""
        lines = [f"{results['study']}: lyrics{told}, split by {results['split_by']}"]
        for line in every:
            mark = "*" if line["name"] == results["picked"] else " "
            lines.append(f"{mark} {line['name']:<{width}}  {line['seconds']:>7.1f} s  test {scored(line['test'])}")
        lines.append(f"* picked by {results['chosen_by']}. {results['verdict']}")
        return "\n".join([*lines, *results["left_out"], f"report: {self.path / 'report.html'}"])

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds."""
        return {"study_directory": str(self.path), **self.results}


def gather(
    plan: Plan, task: Task, fitted: Mapping[str, Written], baselines: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the figures of the comparison: every line, what was picked on validation, and the paired tests."""
    results = {name: one.run.results for name, one in fitted.items()}
    ranked = sorted(fitted, key=lambda name: results[name]["validation"]["bits_per_byte"]["value"])
    first = ranked[0]
    tests: dict[str, dict[str, float]] = {
        name: paired(fitted[first].losses("test"), one.losses("test")) for name, one in fitted.items() if name != first
    }
    for test, p in zip(tests.values(), holm([test["p"] for test in tests.values()]), strict=True):
        test["p_holm"] = p
    verdict = sentence(first, ranked[1], tests[ranked[1]]) if len(ranked) > 1 else ""
    return {
        "study": plan.name,
        "task": "write",
        "lyrist": __version__,
        "picked": first,
        "chosen_by": CHOSEN_BY,
        "verdict": verdict,
        "target": "lyrics",
        "condition": list(task.condition),
        "conditions": {column: list(values) for column, values in fitted[first].run.info["conditions"].items()},
        "split_by": task.split_by,
        "split_seed": task.split_seed,
        "corpus": str(task.corpus.path.resolve()),
        "fingerprint": task.corpus.fingerprint,
        "songs": {split: task.songs(split) for split in SPLITS},
        "recipes": [_line(name, one) for name, one in fitted.items()],
        "baselines": list(baselines),
        "tests": {"first": first, "against": tests},
    }


KEPT = ("recipe", "parameters", "seconds", "cpu_seconds")
TRAINED = ("steps", "best_step", "tokens_per_second", "padding", "device", "precision")


def _line(name: str, one: Written) -> dict[str, Any]:
    info = one.run.info
    trained = {key: info[key] for key in TRAINED if key in info}
    return {"name": name, **{key: info[key] for key in KEPT}, **trained, **one.run.results}


def table(results: Mapping[str, Any]) -> str:
    """Return ``results.csv``: a line for each writer and each compressor."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    figures = ("n", "bits_per_byte", "bits_per_byte_low", "bits_per_byte_high", "perplexity", "tokens", "bytes")
    head = [f"{split}_{figure}" for split in HELD for figure in figures]
    rows.writerow(["name", "recipe", "condition", "split_by", "parameters", "seconds", *head])
    for line in [*results["recipes"], *results["baselines"]]:
        cells: list[Any] = [line["name"], line.get("recipe", ""), "+".join(results["condition"]), results["split_by"]]
        cells += [line.get("parameters", ""), round(line["seconds"], 3)]
        for split in HELD:
            found = line[split]
            cost = found["bits_per_byte"]
            cells += [found["n"], *(round(cost[key], 6) for key in ("value", "low", "high"))]
            cells += [found.get(key, "") for key in ("perplexity", "tokens", "bytes")]
        rows.writerow(cells)
    return out.getvalue()


def study_writers(
    plan: Plan,
    corpus: Corpus,
    out: Path,
    *,
    target: str | None = None,
    condition: str | None = None,
    given: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    refused: Mapping[str, Any] | None = None,
) -> StudiedWriters:
    """Fit and compare several writers; write report.html, results.json, results.csv and a run for each.

    Parameters
    ----------
    plan, corpus
        What is compared, on which songs.
    out
        The study directory.
    target
        ``lyrics``, or None.
    condition
        The columns that the writers are told, separated by commas; None: the study's own.
    given
        The budget and what else was given for all networks.
    seed, resume
        As in `lyrist.studies.study.study`.
    refused
        Options of a study of classifiers, and whether they were given.

    Raises
    ------
    LyristError
        The corpus lacks a column, an option is unknown, or nothing could be fitted.
    """
    _check(plan, target, refused or {})
    asked = trainwriter.task(corpus, plan.condition if condition is None else condition)
    lines = [(entry, options_of(entry, given)) for entry in plan.lines(trainwriter.LYRICS)]
    for entry, options in lines:
        writer.configure(entry.recipe, options, seed)
    key = redraw.stored(plan, [(entry.title, entry.recipe, options) for entry, options in lines], corpus.fingerprint)
    if resume and redraw.finished(out, key):
        return StudiedWriters(out, redraw.report(str(out)).results)
    with files.staged(out, resume=resume, marker=MARKER, again=("runs",)) as building:
        critic = Critic.of(asked, seed)
        fitted, left_out = _fit_all(lines, asked, building / "runs", seed, resume, critic)
        results = gather(plan, asked, fitted, _compressor(asked, seed))
        results |= key | {"seed": seed, "left_out": left_out, "notes": [*_notes(results, asked), *left_out]}
        results |= critic.real([one.run.path for one in fitted.values()]) | {"written": {"how": HOW, "songs": SONGS}}
        results["samples"] = {name: critic.shown(one.run.path) for name, one in fitted.items()}
        results["as_reported"] = _as_reported(results, fitted, asked)
        results["directories"] = {name: directory(name) for name in fitted}
        files.write_json(building / MARKER, results)
        files.write_text(building / "results.csv", table(results))
        journals = {name: one.run.metrics for name, one in fitted.items()}
        page.write(writerreport.compose(plan, corpus, results, journals, out), building / "report.html")
    return StudiedWriters(out, results)


def _check(plan: Plan, target: str | None, refused: Mapping[str, Any]) -> None:
    if target not in (None, trainwriter.LYRICS):
        raise UsageError(
            f"The study '{plan.name}' is of writers, which do not tell the {target} of a song; leave --target out, or choose a "
            "study of classifiers ('lyrist studies' lists them)."
        )
    for name, value in refused.items():
        if value:
            raise UsageError(
                f"--{name.replace('_', '-')} is for studies of classifiers; '{plan.name}' compares writers: leave it out."
            )


BUDGETS = ("steps", "minutes", "epochs")


def options_of(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a line; a budget that the user gives takes the place of the study's own."""
    family = registry.get(entry.recipe).family
    ours = {name: value for name, value in given.items() if value is not None and family in writer.TRAINED}
    replaced = BUDGETS if any(name in ours for name in BUDGETS) else ()
    return {**{name: value for name, value in entry.options.items() if name not in replaced}, **ours}


def _fit_all(
    lines: Sequence[tuple[Entry, Mapping[str, Any]]], asked: Task, folder: Path, seed: int, resume: bool, critic: Critic
) -> tuple[dict[str, Written], list[str]]:
    """Fit every line; those that an interrupted study has finished are read. Return them, and what was left out."""
    folder.mkdir(parents=True, exist_ok=True)
    found, left_out = {}, []
    with progress.task("study of writers", "recipes") as advance:
        for number, (entry, options) in enumerate(lines):
            advance(number, len(lines), entry.title)
            out = folder / directory(entry.title)
            try:
                before = trainwriter.fitted_before(out, entry.recipe, options, seed, asked) if resume else None
                found[entry.title] = before or trainwriter.fit(
                    asked,
                    entry.recipe,
                    out,
                    options=options,
                    seed=seed,
                    resume=resume,
                    name=entry.title,
                    read=critic.read,
                )
            except files.DiskFullError:
                raise
            except LyristError as error:
                if not entry.optional:
                    raise
                left_out.append(f"The line '{entry.title}' was left out: {error}")
        advance(len(lines), len(lines))
    if not found:
        raise LyristError(f"No writer could be fitted. {' '.join(left_out)}")
    return found, left_out


def _compressor(asked: Task, seed: int) -> list[dict[str, Any]]:
    """Return the line that costs nothing: what PPMd pays for the same held-out songs."""
    primer = asked.training_texts(PRIMER)
    line: dict[str, Any] = {"name": "PPMd", "summary": "a compressor of files"}
    line["seconds"] = 0.0
    for split, songs in asked.held.items():
        found = ppmd(primer, songs[trainwriter.LYRICS].to_list(), seed=seed)
        line["seconds"] += found["cpu_seconds"]
        line[split] = found
    return [line]


def _as_reported(results: Mapping[str, Any], fitted: Mapping[str, Written], asked: Task) -> dict[str, Any]:
    """Compute the older reports' figures in each of their ways, on the network that costs least, else on the pick."""
    networks = [line for line in results["recipes"] if registry.get(line["recipe"]).family == "neural"]
    best = min(networks, key=lambda line: line["validation"]["bits_per_byte"]["value"], default=None)
    name = best["name"] if best else results["picked"]
    return {"name": name, **as_reported(fitted[name].run.writer, asked.held["test"], seed=results["seed"])}


PRIMER = 50_000
"""Training songs that the compressor is given at most; it reads 16 MB of them."""


def _notes(results: Mapping[str, Any], asked: Task) -> list[str]:
    """Return what a critic of the comparison must know."""
    notes = []
    cost = {
        line["name"]: line["test"]["bits_per_byte"]["value"] for line in (*results["recipes"], *results["baselines"])
    }
    for line in results["baselines"]:
        dearer = [each["name"] for each in results["recipes"] if cost[each["name"]] > cost[line["name"]]]
        if dearer:
            notes.append(f"Dearer than {line['name']}, which knows nothing of lyrics: {', '.join(dearer)}.")
    for split in HELD:
        scored_, all_ = len(asked.held[split]), asked.songs(split)
        if scored_ < all_:
            notes.append(f"Of the {all_:,} {split} songs, {scored_:,} were drawn and scored, the same for all.")
    return notes
