"""`study`: fit several recipes on the same songs, pick one on validation, tell how sure that is, write the report."""

from __future__ import annotations

import csv
import dataclasses
import inspect
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files, progress
from lyrist._version import __version__
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.results import Result
from lyrist.studies import comparison
from lyrist.studies import repeats as further
from lyrist.studies.comparison import ChooseBy
from lyrist.studies.plans import Plan, directory, load
from lyrist.training import estimators
from lyrist.training.dataset import View, view
from lyrist.training.train import Fitted, budget, fit, fitted_before, majority, scored, space_for

MARKER = "results.json"


@dataclass(frozen=True)
class Studied:
    """A finished study."""

    path: Path
    results: dict[str, Any]

    def summary(self) -> str:
        """Return a line for each recipe, which was picked and why, and where the report is."""
        results = self.results
        width = max(len(line["name"]) for line in results["recipes"])
        lines = [
            f"{results['study']}: {results['target']} ({len(results['classes'])} classes), split by {results['split_by']}"
        ]
        for line in results["recipes"]:
            mark = "*" if line["name"] == results["picked"] else " "
            lines.append(f"{mark} {line['name']:<{width}}  {line['seconds']:>7.1f} s  test {scored(line['test'])}")
        lines.append(f"* picked by {results['chosen_by']}. {results['verdict']}")
        if "repeats" in results:
            found = results["repeats"]
            lines.append(f"over {found['n']} splits (mean and standard deviation of test accuracy):")
            for line in [*found["recipes"], {"name": "the pick", **found["pick"]}]:
                lines.append(
                    f"  {line['name']:<{width}}  {line['accuracy']['mean']:.3f} +- {line['accuracy']['sd']:.3f}"
                )
        other = results.get("other_split")
        if other:
            lines.append(f"split by {other['split_by']} instead:")
            for line in other["recipes"]:
                lines.append(f"  {line['name']:<{width}}  {'':>7}    test {scored(line['test'])}")
        lines.append(f"report: {self.path / 'report.html'}")
        return "\n".join(lines)

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds."""
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
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    choose_by: ChooseBy = "loss",
    other_split: bool | None = None,
    repeats: int = 1,
    learning_curve: bool = False,
    seed: int = 0,
    resume: bool = False,
) -> Result:
    """Fit and compare several models on the same songs; write report.html, results.json and results.csv.

    Parameters
    ----------
    study
        A named study (``lyrist studies`` lists them), or a TOML file of your own.
    data
        A corpus directory, made by ``lyrist prepare``.
    out
        The study directory.
    target
        What is told from the lyrics: artist, genre, or another column; by default the study's own.
    condition
        In a study of writers, the columns that they are told first, separated by commas; by default the study's own.
    only
        Labels to keep, separated by commas; empty keeps all.
    max_songs
        Learn from at most so many training songs, drawn at random, of each label alike; by default from all.
    steps
        The budget of each network in updates of its weights.
    minutes
        The budget of each network in wall-clock minutes.
    batch_size
        Songs an update of a network.
    device
        auto, cpu or cuda.
    choose_by
        The validation figure that picks the best recipe: loss, accuracy or macro_f1.
    other_split
        Show the figures by the other kind of split as well: by artist beside by song (default: unless artists are told).
    repeats
        Fit everything on so many different splits: means, spreads, and tests over all of them.
    learning_curve
        Fit everything on a tenth, a quarter and half of the training songs as well.
    seed
        Decides everything that is drawn at random.
    resume
        Go on with an interrupted study.

    Raises
    ------
    LyristError
        The corpus, the target, the study, a recipe or an option is not there or cannot be used.
    """
    asked: dict[str, Any] = {"target": target, "condition": condition, "only": only, "max_songs": max_songs}
    asked |= {"steps": steps, "minutes": minutes, "batch_size": batch_size, "device": device, "choose_by": choose_by}
    asked |= {"other_split": other_split, "repeats": repeats, "learning_curve": learning_curve}
    plan = dataclasses.replace(load(study), asked=_command(study, data, out, seed, asked))
    given = {"steps": steps, "minutes": minutes, "batch_size": batch_size, "device": device}
    if plan.task == "picture":
        refused = {"target": target, "condition": condition, "only": only, "other-split": other_split}
        refused |= {"repeats": repeats > 1, "learning-curve": learning_curve, "max-songs": max_songs is not None}
        from lyrist.studies.picturestudy import study_pictures

        return study_pictures(
            plan, data, Path(out), given=given, choose_by=choose_by, seed=seed, resume=resume, refused=refused
        )
    from lyrist.reports import page
    from lyrist.studies import evidence, redraw, report

    corpus = Corpus.open(data)
    if plan.task == "write":
        refused = {"only": only, "other_split": other_split, "repeats": repeats > 1, "learning_curve": learning_curve}
        refused |= {"max_songs": max_songs is not None}
        from lyrist.studies.writerstudy import study_writers

        return study_writers(
            plan,
            corpus,
            Path(out),
            target=target,
            condition=condition,
            given=given,
            seed=seed,
            resume=resume,
            refused=refused,
        )
    if condition is not None:
        raise UsageError(
            f"--condition is for studies of writers; '{plan.name}' tells a label from lyrics: leave it out."
        )
    target = target or plan.target
    labels = tuple(part.strip() for part in only.split(",") if part.strip())
    question = view(corpus, target, labels, most=max_songs, seed=seed)
    lines = [
        (entry.title, entry.recipe, {**entry.options, **budget(entry.recipe, **given)}) for entry in plan.lines(target)
    ]
    for _, recipe, options in lines:
        estimators.make_estimator(recipe, options, seed)
        space_for(question, recipe, options)
    further.check(question, repeats)
    final = Path(out)
    if resume and redraw.finished(final, redraw.stored(plan, lines, corpus.fingerprint)):
        return Studied(final, redraw.report(out).results)
    with files.staged(final, resume=resume, marker=MARKER, again=("runs", "scores")) as building:
        job = _Job(lines, seed, resume)
        fitted = job.fit_all(question, building / "runs")
        results = gather(plan, question, fitted, choose_by)
        results |= {"seed": seed, "only": list(question.only), "max_songs": max_songs}
        results |= redraw.stored(plan, lines, corpus.fingerprint)
        results["explanations"] = evidence.explanations(fitted[results["picked"]], question)
        results["deciding_words"] = report.deciding_words(fitted, results["picked"])
        other = _other(question, other_split, seed)
        if isinstance(other, View):
            again = job.fit_all(other, building / "runs" / f"by-{other.split_by}")
            tests = {"first": results["picked"], "against": _tests(results["picked"], again)}
            results["other_split"] = {**_lines(other, again), "tests": tests}
        elif other:
            results["notes"].append(other)
        scores = building / "scores"
        if repeats > 1:
            results["repeats"] = further.repeated(question, lines, fitted, repeats, seed, choose_by, scores)
        if learning_curve:
            results["learning_curve"] = further.learning_curve(question, lines, fitted, seed, scores)
        files.write_json(building / MARKER, results)
        files.write_text(building / "results.csv", _csv(results))
        page.write(report.compose(plan, question, fitted, results, final), building / "report.html")
    return Studied(final, results)


def _command(name: str, data: str, out: str, seed: int, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command that asks for just this study: every option that is not as it is where nobody gives it."""
    usual = inspect.signature(study).parameters
    words = ["lyrist", "study", name, data]
    for option, value in options.items():
        flag = option.replace("_", "-")
        if value != usual[option].default:
            words += (
                [f"--{flag}"] if value is True else [f"--no-{flag}"] if value is False else [f"--{flag}", str(value)]
            )
    return (*words, "--seed", str(seed), "--out", out)


@dataclass(frozen=True)
class _Job:
    """What is fitted, whichever way the songs are split."""

    lines: further.Lines
    """Name, recipe and options of each."""
    seed: int
    resume: bool

    def fit_all(self, question: View, folder: Path) -> dict[str, Fitted]:
        """Fit every line of the plan; those that an interrupted study has finished are read."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {}
        with progress.task(f"study by {question.split_by}", "recipes") as advance:
            for number, (name, recipe, options) in enumerate(self.lines):
                advance(number, len(self.lines), name)
                out = folder / directory(name)
                before = fitted_before(out, recipe, options, self.seed, question) if self.resume else None
                found[name] = before or fit(
                    question, recipe, out, options=options, seed=self.seed, resume=self.resume, name=name
                )
            advance(len(self.lines), len(self.lines))
        return found


def gather(plan: Plan, question: View, fitted: Mapping[str, Fitted], choose_by: ChooseBy) -> dict[str, Any]:
    """Return what ``results.json`` holds: every figure, what was picked on validation, and the paired tests."""
    validation = {name: one.run.results["validation"] for name, one in fitted.items()}
    ranked = comparison.rank(comparison.models(validation, fitted), choose_by)
    tests = _tests(ranked[0], fitted)
    verdict = comparison.sentence(ranked[0], ranked[1], tests[ranked[1]]) if len(ranked) > 1 else ""
    notes = comparison.strong_controls(ranked[0], validation, fitted, choose_by, question.target)
    if question.available:
        drawn = f"{len(question.part('train')):,} of {question.available:,} training songs"
        notes.append(f"Everything learnt from {drawn}, drawn at random, of each {question.target} alike (--max-songs).")
    if question.unlabelled:
        notes.append(f"{question.unlabelled:,} songs have no {question.target} and were left out.")
    counts = question.songs["label"].value_counts()
    lonely = int((counts["count"] < 3).sum())
    if lonely:
        notes.append(
            f"{lonely:,} classes have fewer than three songs: they cannot stand in training, validation and test."
        )
    return {
        "study": plan.name,
        "lyrist": __version__,
        "picked": ranked[0],
        "chosen_by": f"validation {choose_by.replace('_', ' ')}",
        "verdict": verdict,
        "target": question.target,
        "corpus": str(question.corpus.path.resolve()),
        "fingerprint": question.corpus.fingerprint,
        "classes": sorted(question.songs["label"].unique()),
        "songs": {split: len(question.part(split)) for split in ("train", "validation", "test")},
        "tests": {"first": ranked[0], "against": tests},
        "notes": notes,
        **_lines(question, fitted),
    }


def _tests(first: str, fitted: Mapping[str, Fitted]) -> dict[str, dict[str, Any]]:
    """Test one line against each other one on the test songs."""
    tested = {name: one.judged["test"] for name, one in fitted.items()}
    return comparison.against(tested[first], {name: tested[name] for name in fitted if name != first})


def _lines(question: View, fitted: Mapping[str, Fitted]) -> dict[str, Any]:
    """Return one object a recipe, and the majority's figures, for one way of splitting."""
    recipes = [
        {
            "name": name,
            "recipe": one.run.info["recipe"],
            "parameters": one.run.info["parameters"],
            "seconds": one.run.info["seconds"],
            "cpu_seconds": one.run.info["cpu_seconds"],
            "validation": one.run.results["validation"],
            "test": one.run.results["test"],
        }
        for name, one in fitted.items()
    ]
    return {"split_by": question.split_by, "majority": majority(question), "recipes": recipes}


def _other(question: View, wanted: bool | None, seed: int) -> View | str | None:
    """Return the same songs split the other way; a sentence where that cannot be done; None where nobody asked."""
    artists = question.songs["artist"].drop_nulls().n_unique()
    if wanted is False or (
        wanted is None and (question.target == "artist" or question.split_by == "column" or not artists)
    ):
        return None
    by = "artist" if question.split_by != "artist" else "song"
    if question.target == "artist":
        raise LyristError(
            "By artist no artist in test would be known from training; --other-split needs another --target."
        )
    try:
        return question.resplit(by, seed)
    except LyristError as error:
        return f"The split by {by} could not be drawn: {error}"


def _csv(results: Mapping[str, Any]) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    figures = ("n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "loss")
    head = [f"{split}_{figure}" for split in ("validation", "test") for figure in figures]
    rows.writerow(["name", "recipe", "target", "split_by", "parameters", "seconds", *head])
    for part in (results, results.get("other_split") or {}):
        for line in part.get("recipes", ()):
            cells: list[Any] = [line["name"], line["recipe"], results["target"], part["split_by"], line["parameters"]]
            cells.append(round(line["seconds"], 3))
            for split in ("validation", "test"):
                s = line[split]
                a = s["accuracy"]
                cells += [s["n"], *(round(v, 6) for v in (a["value"], a["low"], a["high"], s["macro_f1"], s["loss"]))]
            rows.writerow(cells)
    return out.getvalue()
