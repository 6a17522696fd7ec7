"""A study of pictures: every line on its block of classes, and what transfer gains with few training pictures."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lyrist import files
from lyrist.errors import LyristError, UsageError
from lyrist.images.pictureset import block, read
from lyrist.metrics.classification import describe_pictures, score_pictures
from lyrist.metrics.intervals import mcnemar
from lyrist.reports import figures
from lyrist.reports.blocks import Block, Column, Details, Facts, Items, Page, Prose, Section, Table
from lyrist.reports.figures import Shot, sheet
from lyrist.studies import ranking, replication, sections
from lyrist.studies.comparison import Comparison, Job, Line, Request
from lyrist.studies.plans import Entry, Plan, Reported, directory
from lyrist.studies.ranking import ChooseBy
from lyrist.text import counted
from lyrist.training import estimators
from lyrist.training.picture_task import PictureTask, network, reconstructs
from lyrist.training.predictions import Predictions
from lyrist.training.protocol import ReportedPictureTask
from lyrist.training.runs import open_run
from lyrist.training.train import Fitted

SIZES = (50, 500)
"""Training pictures of each class at the points of the learning curves; the last point is all pictures."""

SHOWN = 24
"""Pictures on a sheet."""

RECONSTRUCTIONS = "reconstructions"
"""The folder of a study with the reconstructions of its autoencoders."""

STUDY_OPTIONS = ("block", "source", "curve", "instead_of")
"""Keys in the options of a line that the study reads itself."""

TOP5 = Column("test, top-5", note="95% interval")
"""Left out where there are five classes or fewer, because it is then always 1."""

HEAD = (
    "recipe",
    Column("test", note="top-1, 95% interval"),
    TOP5,
    Column("no copies", ".1%", note="test, top-1"),
    Column("loss", ".3f", note="nats"),
    Column("validation", note="top-1, 95% interval"),
    Column("seconds", ",.1f"),
    Column("pictures/s", ",.0f"),
    Column("parameters", ",.0f"),
)


@dataclass(frozen=True)
class PictureStudy(Comparison):
    """A comparison of networks for pictures."""

    kind: ClassVar[str] = "picture"
    folders: ClassVar[tuple[str, ...]] = ("runs", "points")
    plan: Plan
    tasks: Mapping[str, PictureTask]
    """By block of classes."""
    lines: Sequence[Line] = ()
    choose_by: ChooseBy = "loss"
    seed: int = 0

    @classmethod
    def open(cls, request: Request) -> PictureStudy:
        """Open the pictures and check every line and option."""
        request.refuse("pictures")
        lines = read_lines(request)
        pictures = read(request.data)
        parts = sorted({line.block for line in lines})
        tasks = {part: PictureTask(block(pictures, part, request.seed)) for part in parts}
        return cls(request.plan, tasks, lines, request.choose_by, request.seed)

    @classmethod
    def reopen(cls, plan: Plan, results: Mapping[str, Any], data: str) -> PictureStudy:
        """Open the pictures of a finished study."""
        pictures = read(data)
        return cls(plan, {part: PictureTask(block(pictures, part, results["seed"])) for part in results["blocks"]})

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the pictures."""
        return next(iter(self.tasks.values())).fingerprint

    def task(self, line: Line, fitted: Mapping[str, Fitted]) -> PictureTask:
        """Return the task of a line's block, with the earlier line whose features it reads."""
        task = self.tasks[line.block]
        return PictureTask(task.block, task.per_class, fitted[line.source]) if line.source else task

    def rerun(self, reported: Reported, limit: float, fitted: Mapping[str, Fitted]) -> ReportedPictureTask:
        """Return the task of training a reported model by its own protocol, on its block of classes."""
        source = fitted.get(reported.source)
        if reported.source and source is None:
            raise LyristError(f"the model '{reported.source}', whose features it reads, was left out.")
        return ReportedPictureTask(
            self.tasks[reported.block].block, source=source, protocol=reported.protocol, limit=limit
        )

    def basis(self) -> dict[str, Any]:
        """Return the pictures and their blocks."""
        pictures = next(iter(self.tasks.values())).block.pictures
        return {
            "target": "class",
            "split_by": "picture",
            "corpus": str(pictures.path.resolve()),
            "classes": sorted(pictures.classes),
            "blocks": {part: {"pictures": task.block.counts()} for part, task in self.tasks.items()},
        }

    def after(self) -> Callable[[Any, Path], Mapping[str, Any]] | None:
        """Return nothing: all that is stored of a network is its predictions and scores."""
        return None

    def gather(self, fitted: Mapping[str, Fitted], left_out: Sequence[str], job: Job) -> dict[str, Any]:
        """Return every figure: of each block, of transfer with few pictures, and at equal time."""
        lines = [line for line in self.lines if line.name in fitted]
        points = self._points(lines, fitted, job.folder / "points")
        self._reconstruct(fitted, job.folder)
        blocks = {part: _block(task, part, lines, fitted, self.choose_by) for part, task in self.tasks.items()}
        first = next(iter(blocks.values()))
        pictures = next(iter(self.tasks.values())).block.pictures
        gains, equal = transfer_gains(points), equal_time(lines, fitted)
        recipes = [_recipe(line, fitted[line.name]) for line in lines]
        ledger = pictures.ledger()
        return {
            "picked": first["picked"],
            "chosen_by": f"validation {self.choose_by.replace('_', ' ')}",
            "target": "class",
            "split_by": "picture",
            "majority": first["majority"],
            "corpus": str(pictures.path.resolve()),
            "form": pictures.form,
            "checksum": pictures.checksum,
            "side": pictures.side,
            "classes": sorted(pictures.classes),
            "blocks": blocks,
            "recipes": recipes,
            "equal_time": equal,
            "transfer": {"points": [{k: v for k, v in p.items() if k != "right"} for p in points], "gains": gains},
            "findings": [*order(recipes), *[e["sentence"] for e in equal], *[g["sentence"] for g in gains]],
            "notes": [*_notes(ledger, blocks), *left_out],
            "ledger": ledger,
        }

    def _points(self, lines: Sequence[Line], fitted: Mapping[str, Fitted], folder: Path) -> list[dict[str, Any]]:
        """Fit the lines that ask for it on few training pictures; return every point, those on all pictures too."""
        folder.mkdir(parents=True, exist_ok=True)
        points = []
        for line in [line for line in lines if line.curve or line.instead_of]:
            task, one = self.task(line, fitted), fitted[line.name]
            most = most_per_class(task)
            for size in [size for size in SIZES if size < most and line.curve]:
                place = folder / f"{directory(line.name)}-{size}.json"
                if not place.is_file():
                    files.write_json(place, _fit_point(line, task.limited(size, self.seed), one, self.seed))
                points.append(files.read_json(place, "a study"))
            info = one.run.info
            scores, predicted = one.run.results["test"], one.predicted("test")
            points.append(_point(line, most, info["pictures"]["train"], info["seconds"], scores, predicted))
        return points

    def _reconstruct(self, fitted: Mapping[str, Fitted], folder: Path) -> None:
        """Store each autoencoder's reconstructions of some test pictures as ``reconstructions/NAME.npy``."""
        for name, one in fitted.items():
            if reconstructs(one.run):
                place = folder / RECONSTRUCTIONS / f"{directory(name)}.npy"
                place.parent.mkdir(exist_ok=True)
                np.save(place, network(one).reconstruct(_some(self.tasks[one.run.info["block"]])))

    @staticmethod
    def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Return the header and the rows of ``results.csv``."""
        names = ("n", "top1", "top1_low", "top1_high", "top5", "top5_low", "top5_high", "loss", "mse")
        head = [f"{split}_{name}" for split in ("validation", "test") for name in names]
        rows = []
        for line in results["recipes"]:
            row: list[Any] = [line[key] for key in ("name", "recipe", "block", "source", "parameters")]
            row += [line["seconds"], line["pictures_per_second"]]
            for split in ("validation", "test"):
                scores = line[split]
                if "mse" in scores:
                    row += [scores["n"], *[""] * 7, scores["mse"]["value"]]
                else:
                    shares = [scores[key][part] for key in ("accuracy", "top5") for part in ("value", "low", "high")]
                    row += [scores["n"], *shares, scores["loss"], ""]
            rows.append(row)
        return ["name", "recipe", "block", "source", "parameters", "seconds", "pictures_per_second", *head], rows

    @staticmethod
    def summary(results: Mapping[str, Any]) -> list[str]:
        """Return a line for each recipe, and what was found."""
        lines = [f"{results['study']}: {len(results['classes'])} classes in two blocks, {results['form']}"]
        width = max(len(line["name"]) for line in results["recipes"])
        for part, found in results["blocks"].items():
            more = " ..." if len(found["classes"]) > 12 else ""
            lines.append(f"block {part}: {', '.join(found['classes'][:12])}{more}")
            for line in results["recipes"]:
                if line["block"] == part:
                    mark = "*" if line["name"] == found["picked"] else " "
                    lines.append(
                        f"{mark} {line['name']:<{width}}  {line['seconds']:>6.1f} s  test {describe_pictures(line['test'])}"
                    )
        return [
            *lines,
            f"* selected by {results['chosen_by']}",
            *results["findings"],
            *replication.summary(results),
            *results["notes"],
        ]

    def page(self, results: Mapping[str, Any], folder: Path, out: Path) -> Page:
        """Return the report; everything on it comes from files."""
        names = [line["name"] for line in results["recipes"]]
        fitted = {name: Fitted(open_run(folder / "runs" / directory(name))) for name in names}
        run, data = str(out / "runs" / directory(results["picked"])), results["data"]
        blocks = results["blocks"]
        return sections.page(
            self.plan,
            results,
            "What is in the picture?",
            f"{counted(len(names), 'recipe')}, {len(results['classes'])} classes in {len(self.tasks)} blocks, "
            f"{results['ledger']['kept']:,} pictures of {results['side']} x {results['side']} pixels",
            (_facts(results), Items(results["findings"])),
            [
                *(_comparison(part, found, results) for part, found in blocks.items()),
                *replication.sections(results),
                *_equal_time(results, fitted),
                *_transfer(results),
                _training(fitted),
                *(
                    _mistakes(part, self.tasks[part], fitted[found["picked"]])
                    for part, found in blocks.items()
                    if found["picked"]
                ),
                *_reconstructions(self.tasks, fitted, folder),
                _pictures(self.tasks, results),
                sections.again_section(
                    self.plan, ["lyrist", "evaluate", run, data], ["lyrist", "classify", run, "PICTURE.png"]
                ),
            ],
            f"Image classifiers were fitted on {len(blocks)} blocks of {len(results['classes'])} classes, pictures of "
            f"{results['side']} x {results['side']} pixels. Models were selected by {results['chosen_by']}; the test set was not "
            "used for selection. Accuracy has 95% Wilson intervals [Wilson]; paired differences were tested by McNemar's exact "
            "test [McNemar], corrected for multiple comparisons [Holm].",
        )


def read_lines(request: Request) -> list[Line]:
    """Return the lines of a plan with every option checked.

    Raises
    ------
    UsageError
        A recipe or an option is unknown, a source is no earlier line, or a block is none.
    """
    lines: list[Line] = []
    for entry in request.plan.recipes:
        lines.append(_read_line(request, entry, [line.name for line in lines]))
        estimators.configure(lines[-1].recipe, lines[-1].options, request.seed, "picture")
    return lines


def _read_line(request: Request, entry: Entry, before: Sequence[str]) -> Line:
    options = request.options(entry)
    own = {key: options.pop(key) for key in STUDY_OPTIONS if key in options}
    where = f"The line '{entry.title}' of the study '{request.plan.name}' names"
    for key in ("source", "instead_of"):
        if own.get(key) is not None and own[key] not in before:
            raise UsageError(f"{where} '{own[key]}' as its {key}, which is no line above it.")
    part = str(own.get("block", "1"))
    if part not in ("1", "2", "all"):
        raise UsageError(f"{where} block '{part}'; blocks are 1, 2 and all.")
    return Line(
        entry.title,
        entry.recipe,
        options,
        entry.optional,
        part,
        own.get("source"),
        bool(own.get("curve")),
        own.get("instead_of"),
    )


def most_per_class(task: PictureTask) -> int:
    """Return the number of training pictures of the largest class."""
    return int(np.bincount(task.block.targets("train")).max())


def _fit_point(line: Line, task: PictureTask, whole: Fitted, seed: int) -> dict[str, Any]:
    """Fit a line on few pictures and score it on the test pictures."""
    options = dict(line.options)
    if options.get("minutes"):  # fewer pictures, fewer minutes, as with a budget that follows from the pictures
        share = len(task.block.rows("train")) / whole.run.info["pictures"]["train"]
        options["minutes"] = float(options["minutes"]) * share**0.5
    started = time.monotonic()
    model = task.learn(line.recipe, options, seed=seed, title=f"{line.name}, {task.per_class} a class")
    seconds, there = time.monotonic() - started, task.block
    truth, probabilities = there.labels("test"), model.predict_proba(there.pixels("test"))
    scores = score_pictures(truth, probabilities, model.classes_)
    predicted = Predictions(there.rows("test"), truth, probabilities, model.classes_)
    return _point(line, task.per_class or 0, len(there.rows("train")), seconds, scores, predicted)


def _point(
    line: Line, size: int, pictures: int, seconds: float, scores: Mapping[str, Any], predicted: Predictions
) -> dict[str, Any]:
    return {
        "name": line.name,
        "instead_of": line.instead_of,
        "per_class": size,
        "pictures": pictures,
        "seconds": seconds,
        "accuracy": scores["accuracy"],
        "top5": scores["top5"],
        "right": predicted.right.astype(int).tolist(),
    }


def _block(
    task: PictureTask, part: str, lines: Sequence[Line], fitted: Mapping[str, Fitted], choose_by: ChooseBy
) -> dict[str, Any]:
    """Return the data of one block of classes, the line selected on it, and the paired tests."""
    here = {line.name: fitted[line.name] for line in lines if line.block == part}
    classifiers = {name: one for name, one in here.items() if not reconstructs(one.run)}
    found: dict[str, Any] = {
        "classes": list(task.block.classes),
        "pictures": task.block.counts(),
        "majority": task.majority(),
        "copies": task.copies.summary(len(task.block.rows("test"))),
        "picked": "",
        "tests": {},
    }
    if classifiers:
        picked = ranking.best({name: one.run.results["validation"] for name, one in classifiers.items()}, choose_by)
        predicted = {name: one.predicted("test") for name, one in classifiers.items()}
        first = predicted.pop(picked)
        found |= {"picked": picked, "tests": {"first": picked, "against": ranking.against(first, predicted)}}
    return found


def _recipe(line: Line, one: Fitted) -> dict[str, Any]:
    """Return a line of ``results.json``."""
    info, results = one.run.info, one.run.results
    keys = ("recipe", "block", "source", "parameters", "seconds", "cpu_seconds", "pictures_per_second", "steps")
    return {
        "name": line.name,
        **{key: info[key] for key in keys},
        "validation": results["validation"],
        "test": results["test"],
        "test_without_copies": results.get("test_without_copies"),
    }


def _notes(ledger: Mapping[str, Any], blocks: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know about the pictures."""
    notes = []
    if ledger["rejected"]:
        one = ledger["files"][0]
        notes.append(
            f"Left out: {ledger['rejected']:,} of {ledger['read']:,} files; the first: {one['name']} ({one['reason']})."
        )
    for part, found in blocks.items():
        copies = found["copies"]
        if copies["with_copy_in_training"]:
            notes.append(
                f"Block {part}: {copies['with_copy_in_training']:,} of {copies['test_pictures']:,} test pictures have a "
                f"near-copy in training or validation ({copies['exact']:,} exact); the table has the figure without them too."
            )
    return notes


def order(recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence that ranks the three CNNs on validation, and whether their intervals overlap."""
    names = [n for n in ("cnn-skip", "cnn-relu", "cnn-tanh") if any(line["name"] == n for line in recipes)]
    if len(names) < 2:
        return []
    by_name = {line["name"]: line["validation"]["accuracy"] for line in recipes if line["name"] in names}
    ranked = sorted(names, key=lambda name: -by_name[name]["value"])
    parts = [f"{n} {by_name[n]['value']:.1%} ({by_name[n]['low']:.1%} to {by_name[n]['high']:.1%})" for n in ranked]
    clear = all(by_name[a]["low"] > by_name[b]["high"] for a, b in itertools.pairwise(ranked))
    overlap = "no two intervals overlap" if clear else "intervals overlap, so not every difference is significant"
    return [f"On validation: {', '.join(parts)}; {overlap}."]


def equal_time(lines: Sequence[Line], fitted: Mapping[str, Fitted]) -> list[dict[str, Any]]:
    """Compare each block's fast network with the validation accuracy of the others after the same time."""
    found = []
    for line in lines:
        if line.recipe != "fast-resnet":
            continue
        run = fitted[line.name].run
        budget, own = float(run.info["seconds"]), float(run.results["validation"]["accuracy"]["value"])
        rows = [
            _in_time(other, fitted, budget)
            for other in lines
            if other.block == line.block and other.recipe not in ("fast-resnet", "transfer", "autoencoder")
        ]
        reached = [row for row in rows if row["accuracy"] is not None]
        if not reached:
            continue
        nearest = max(reached, key=lambda row: row["accuracy"])
        word = "more than" if own > nearest["accuracy"] else "no more than"
        sentence = (
            f"Block {line.block}: {line.name} reached {own:.1%} on validation in {budget:.0f} s, {word} any other network "
            f"that starts from random weights had in that time (at best {nearest['name']}, {nearest['accuracy']:.1%})."
        )
        found.append(
            {
                "name": line.name,
                "block": line.block,
                "seconds": budget,
                "accuracy": own,
                "others": rows,
                "sentence": sentence,
            }
        )
    return found


def head_start(line: Line, fitted: Mapping[str, Fitted]) -> float:
    """Return the seconds of fitting what a line starts from: its source, or its own autoencoder."""
    if line.source:
        return float(fitted[line.source].run.info["seconds"])
    return float((fitted[line.name].run.info.get("autoencoder") or {}).get("seconds", 0.0))


def _in_time(line: Line, fitted: Mapping[str, Fitted], seconds: float) -> dict[str, Any]:
    """Return the best validation accuracy of a run within so many seconds, the time of its source included."""
    one, before = fitted[line.name], head_start(line, fitted)
    rows = [r for r in one.run.metrics if r["split"] == "validation" and r["seconds"] + before <= seconds]
    best = max(rows, key=lambda row: row["accuracy"], default=None)
    return {
        "name": line.name,
        "before": before,
        "accuracy": best["accuracy"] if best else None,
        "step": best["step"] if best else None,
        "in_the_end": one.run.results["validation"]["accuracy"]["value"],
        "seconds": one.run.info["seconds"],
    }


def transfer_gains(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare each transfer with its line from random weights, on the same test pictures, by number of training pictures."""
    by_place = {(p["name"], p["per_class"]): p for p in points}
    found = []
    for point in points:
        other = by_place.get((point["instead_of"], point["per_class"])) if point["instead_of"] else None
        if other is None:
            continue
        pairs = list(zip(point["right"], other["right"], strict=True))
        alone, against = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
        gain, p = point["accuracy"]["value"] - other["accuracy"]["value"], mcnemar(alone, against)
        finding = (
            "the difference is not significant" if p >= 0.05 else "transfer helps" if gain > 0 else "transfer does harm"
        )
        found.append(
            {
                "name": point["name"],
                "instead_of": other["name"],
                "per_class": point["per_class"],
                "gain": gain,
                "p": p,
                "sentence": f"With {point['per_class']:,} training pictures a class, {point['name']} reaches "
                f"{point['accuracy']['value']:.1%} on test, {other['name']} {other['accuracy']['value']:.1%}: {finding} "
                f"(exact McNemar p = {p:.2g}).",
            }
        )
    return found


# The sections of the report.


def _facts(results: Mapping[str, Any]) -> Facts:
    facts = []
    for part, found in results["blocks"].items():
        line = next((line for line in results["recipes"] if line["name"] == found["picked"]), None)
        if line:
            share = line["test"]["accuracy"]
            facts.append(
                (
                    f"block {part}: {found['picked']}",
                    f"{share['value']:.1%}",
                    f"test, 95% interval {sections.percent(share)}",
                )
            )
            facts.append(
                (
                    f"block {part}: majority",
                    f"{found['majority']['accuracy']['value']:.1%}",
                    f"always '{found['majority']['label']}'",
                )
            )
    copies = [found["copies"] for found in results["blocks"].values()]
    total, have = (sum(c[key] for c in copies) for key in ("test_pictures", "with_copy_in_training"))
    facts.append(("near-copies", f"{have:,}", f"of {total:,} test pictures have one in training"))
    return Facts(facts)


def _comparison(part: str, found: Mapping[str, Any], results: Mapping[str, Any]) -> Section:
    lines = [line for line in results["recipes"] if line["block"] == part]
    judged = [line for line in lines if "accuracy" in line["test"]]
    dots = [(line["name"], *(line["test"]["accuracy"][k] for k in ("value", "low", "high"))) for line in judged]
    majority = found["majority"]["accuracy"]
    rows = [_row(line) for line in judged]
    always = f"(always '{found['majority']['label']}')"
    rows.append((always, _share(majority), *[None] * 7))
    head: Sequence[Any] = HEAD
    if len(found["classes"]) <= 5:
        place = HEAD.index(TOP5)
        head, *rows = ((*row[:place], *row[place + 1 :]) for row in (HEAD, *rows))
    counts = found["pictures"]
    sizes = (
        f"n = {counts['validation']:,} validation and {counts['test']:,} test pictures; training {counts['train']:,}."
    )
    chosen = [place for place, line in enumerate(judged) if line["name"] == found["picked"]]
    blocks: list[Block] = [
        figures.intervals(
            sorted(dots, key=lambda dot: -dot[1]), reference=("majority", majority["value"]),
            highlight=(found["picked"],), name=f"accuracy-{part}",
            xlabel="test accuracy (top-1) with 95% interval", title=f"Test accuracy, block {part}",
        ),
        Table(head, rows, highlight=chosen, caption=f"Block {part}: every recipe on the same pictures", note=sizes),
    ]  # fmt: skip
    blocks += sections.paired_tests(found["tests"], "test pictures.")
    painted = [line for line in lines if "mse" in line["test"]]
    if painted:
        head = ("autoencoder", Column("parameters", ",.0f"), Column("seconds", ",.1f"), Column("pictures/s", ",.0f"),
                Column("test error", ".4f", note="mean squared, 0 to 1"), "95% interval",
                Column("of the mean picture", ".4f"), Column("n", ",.0f"))  # fmt: skip
        values = [
            (line["name"], line["parameters"], line["seconds"], line["pictures_per_second"], test["mse"]["value"],
             f"{test['mse']['low']:.4f} to {test['mse']['high']:.4f}", test["mean_mse"], test["n"])
            for line in painted
            for test in [line["test"]]
        ]  # fmt: skip
        blocks.append(Table(head, values, caption="Without labels"))
    intro = (
        f"Classes: {', '.join(found['classes'])}. Selected by {results['chosen_by']}; the test set was not used for "
        "selection. Intervals: Wilson, 95%. cnn-sigmoid ends in a sigmoid for each class and is fitted by the binary "
        "cross-entropy that goes with it; its probabilities are divided by their sum. `no copies`: without the test pictures "
        "that have a near-copy in training."
    )
    return Section(f"How good, block {part}", blocks, intro)


def _row(line: Mapping[str, Any]) -> tuple[Any, ...]:
    held, test, alone = line["validation"], line["test"], line["test_without_copies"]
    return (
        line["name"], _share(test["accuracy"]), _share(test["top5"]), alone["accuracy"]["value"] if alone else None,
        test["loss"], _share(held["accuracy"]), line["seconds"], line["pictures_per_second"], line["parameters"],
    )  # fmt: skip


def _equal_time(results: Mapping[str, Any], fitted: Mapping[str, Fitted]) -> list[Section]:
    blocks: list[Block] = []
    for found in results["equal_time"]:
        lines = {}
        for name, before in [(found["name"], 0.0), *((row["name"], row["before"]) for row in found["others"])]:
            rows = [row for row in fitted[name].run.metrics if row["split"] == "validation"]
            lines[name] = ([row["seconds"] + before for row in rows], [row["accuracy"] for row in rows])
        blocks += [
            figures.curves(lines, xlabel="seconds, validation included", ylabel="validation accuracy", percent=True,
                           at=("its time", found["seconds"]), name=f"time-{found['block']}", width=720,
                           title=f"Accuracy against time, block {found['block']}"),
            Prose(found["sentence"]),
        ]  # fmt: skip
    if not blocks:
        blocks.append(Prose("No other network had been scored on validation when the fast one was finished."))
    intro = (
        "Validation accuracy of the networks that start from random weights when the fast one was finished, in seconds."
    )
    has_fast = any(line["recipe"] == "fast-resnet" for line in results["recipes"])
    return [Section("At equal time", blocks, intro)] if has_fast else []


def _transfer(results: Mapping[str, Any]) -> list[Section]:
    points, gains = results["transfer"]["points"], results["transfer"]["gains"]
    if not points:
        return []
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for point in points:
        x, y = lines.setdefault(point["name"], ([], []))
        x.append(point["per_class"])
        y.append(point["accuracy"]["value"])
    picture = figures.curves(
        lines, xlabel="training pictures a class", ylabel="test accuracy", percent=True, markers=True, log="x",
        name="transfer", title="Accuracy on block 2 against the number of training pictures", width=720,
    )  # fmt: skip
    head: list[str | Column] = ["recipe", Column("pictures a class", ",.0f"), Column("test", ".1%", note="top-1"),
                                "95% interval", Column("seconds", ",.1f")]  # fmt: skip
    rows = [
        [p["name"], p["per_class"], p["accuracy"]["value"], sections.percent(p["accuracy"]), p["seconds"]]
        for p in points
    ]
    if len(results["blocks"]["2"]["classes"]) > 5:
        head.append(Column("top-5", ".1%"))
        rows = [[*row, p["top5"]["value"]] for row, p in zip(rows, points, strict=True)]
    compared = (
        "transfer",
        "random weights",
        Column("pictures a class", ",.0f"),
        Column("gain", "+.1%"),
        Column("p", ".2g"),
    )
    compared_rows = [(g["name"], g["instead_of"], g["per_class"], g["gain"], g["p"]) for g in gains]
    intro = (
        "Features from block 1 under a new head (dropout 0.5, dense 256), first frozen, then tuned, against networks that start "
        "from random weights: the same test pictures, and the same validation pictures for early stopping."
    )
    note = "Exact McNemar test at each point, not corrected for their number."
    return [
        Section(
            "Gain of transfer",
            [
                picture,
                Table(compared, compared_rows, caption="Gain", note=note),
                Details("Every point", [Table(head, rows)]),
            ],
            intro,
        )
    ]


def _training(fitted: Mapping[str, Fitted]) -> Section:
    blocks: list[Block] = []
    for name, one in fitted.items():
        info = one.run.info
        blocks += one.task.curves(one.run)
        speed = f"{info['steps']:,} steps in {info['seconds']:.0f} s, {info['pictures_per_second']:,.0f} pictures/s"
        blocks.append(
            Prose(f"{name}: {speed}, step {info['best_step']:,} kept ({info['precision']}, {info['device']}).")
        )
    intro = "Against global steps. Training figures are of augmented pictures (moved, mirrored) and with dropout."
    return Section("Training", blocks, intro)


def _mistakes(part: str, task: PictureTask, picked: Fitted) -> Section:
    predicted, there = picked.predicted("test"), task.block
    confusion, classes = sections.mistakes(predicted, "pictures", f"Confusion, block {part}")
    blocks = [confusion, sections.calibration(predicted), classes]
    shots = []
    for place in predicted.examples(right=False, most=SHOWN):
        probability = float(predicted.probabilities[place].max())
        lines = (predicted.truth[place], f"{predicted.answers[place]} {probability:.0%}")
        shots.append(Shot([there.pictures.pixels[int(predicted.ids[place])]], lines))
    if shots:
        title = "Hardest pictures: predicted wrongly, with the lowest probability for the true class"
        caption = "Under each: the true class, and the predicted one with its probability."
        blocks.append(sheet(shots, title=title, caption=caption, name=f"hardest-{part}"))
    return Section(f"Mistakes, block {part}", blocks, f"Of {picked.run.info['name']}, the selected recipe.")


def _some(task: PictureTask) -> Any:
    """Return up to 12 test pictures, evenly spaced."""
    pixels = task.block.pixels("test")
    return pixels[np.linspace(0, len(pixels) - 1, min(12, len(pixels))).astype(int)]


def _reconstructions(tasks: Mapping[str, PictureTask], fitted: Mapping[str, Fitted], folder: Path) -> list[Section]:
    blocks: list[Block] = []
    for name, one in fitted.items():
        place = folder / RECONSTRUCTIONS / f"{directory(name)}.npy"
        if reconstructs(one.run) and place.is_file():
            pairs = zip(_some(tasks[one.run.info["block"]]), np.load(place), strict=True)
            blocks.append(
                sheet(
                    [Shot([true, made]) for true, made in pairs],
                    across=12,
                    size=56,
                    title=name,
                    caption="Above: test pictures. Below: their reconstructions.",
                    name=f"painted-{len(blocks)}",
                )
            )
    return [Section("Reconstructions", blocks, "Test pictures, encoded and decoded.")] if blocks else []


def _pictures(tasks: Mapping[str, PictureTask], results: Mapping[str, Any]) -> Section:
    ledger = results["ledger"]
    facts = [
        f"{ledger['read']:,} files were read; {ledger['kept']:,} were kept, {ledger['rejected']:,} left out.",
        *(
            f"Block {part}: {len(found['classes'])} classes; training {found['pictures']['train']:,}, validation "
            f"{found['pictures']['validation']:,}, test {found['pictures']['test']:,} pictures."
            for part, found in results["blocks"].items()
        ),
        *results["notes"],
    ]
    if results["checksum"]:
        facts.append(f"Origin: {results['form']}, {results['checksum']}.")
    blocks: list[Block] = [Items(facts)]
    if ledger["files"]:
        rows = [(one["name"], one["reason"]) for one in ledger["files"][: sections.CLASSES_SHOWN]]
        blocks.append(
            Details(f"What was left out ({len(rows)} of {ledger['rejected']:,})", [Table(("file", "reason"), rows)])
        )
    for part, task in tasks.items():
        copies, there = task.copies, task.block
        seen = np.concatenate([there.rows("train"), there.rows("validation")])
        shots = [
            Shot([there.pixels("test")[i], there.pictures.pixels[seen[j]]], ("same" if exact else f"{alike:.2f}",))
            for i, j, exact, alike in list(zip(copies.test, copies.train, copies.exact, copies.alike, strict=True))[:16]
        ]
        if shots:
            caption = (
                "Above from test, below from training or validation, with their similarity. Mirrored copies count."
            )
            blocks.append(
                sheet(
                    shots,
                    across=12,
                    size=56,
                    title=f"Near-copies, block {part}",
                    caption=caption,
                    name=f"copies-{part}",
                )
            )
    return Section("The pictures", blocks)


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.1%} ({100 * interval['low']:.1f}–{100 * interval['high']:.1f})"
