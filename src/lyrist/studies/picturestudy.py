"""`study` for pictures: fit every line on its block of classes, and ask what transfer buys with few pictures."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files, progress
from lyrist._version import __version__
from lyrist.errors import UsageError
from lyrist.images.blocks import block
from lyrist.images.pictureset import Pictures, read
from lyrist.metrics.images import describe, score_pictures
from lyrist.reports import page
from lyrist.studies import comparison, picturereport, redraw
from lyrist.studies.comparison import ChooseBy
from lyrist.studies.picturefindings import Line, equal_time, order, transfer_gains
from lyrist.studies.plans import Entry, Plan, directory
from lyrist.training import image_training as training
from lyrist.training.dataset import Predictions
from lyrist.training.trainpictures import FittedPictures, Question, fit, fitted_before, learn, limited, refuse

MARKER = "results.json"
SIZES = (50, 500)
"""Training pictures of each class, of which the learning curves are made; the last point is all there are."""

OURS = ("block", "source", "curve", "instead_of")
"""Keys in the options of a line that the study reads itself."""


@dataclass(frozen=True)
class StudiedPictures:
    """A finished study of pictures."""

    path: Path
    results: dict[str, Any]

    def summary(self) -> str:
        """Return a line for each recipe, what was found, and where the report is."""
        results = self.results
        lines = [f"{results['study']}: {len(results['classes'])} classes in two blocks, {results['form']}"]
        width = max(len(line["name"]) for line in results["recipes"])
        for part, found in results["blocks"].items():
            lines.append(
                f"block {part}: {', '.join(found['classes'][:12])}{' ...' if len(found['classes']) > 12 else ''}"
            )
            for line in results["recipes"]:
                if line["block"] == part:
                    mark = "*" if line["name"] == found["picked"] else " "
                    lines.append(
                        f"{mark} {line['name']:<{width}}  {line['seconds']:>6.1f} s  test {describe(line['test'])}"
                    )
        lines += [f"* picked by {results['chosen_by']}", *results["findings"], *results["notes"]]
        return "\n".join([*lines, f"report: {self.path / 'report.html'}"])

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds."""
        return {"study_directory": str(self.path), **self.results}


def study_pictures(
    plan: Plan,
    data: str,
    out: Path,
    *,
    given: Mapping[str, Any],
    choose_by: ChooseBy,
    seed: int,
    resume: bool,
    refused: Mapping[str, Any],
) -> StudiedPictures:
    """Fit and compare the lines of a study of pictures; `lyrist.studies.study.study` hands it over.

    Parameters
    ----------
    plan
        The study.
    data
        A set of pictures, as `lyrist.images.pictureset.read` takes it.
    out
        The study directory.
    given
        Budget, batch size and device, of all lines.
    choose_by
        The validation figure that picks the best line of a block.
    seed
        Decides the blocks, the splits and everything else that is drawn.
    resume
        Go on with an interrupted study.
    refused
        Options of `study` that have no meaning here, with what was given.

    Raises
    ------
    LyristError
        The pictures, a recipe or an option are not there or cannot be used.
    """
    refuse(refused, plan.name)
    lines = read_lines(plan, {key: value for key, value in given.items() if value is not None}, seed)
    found = read(data)
    questions = {part: Question(block(found, part, seed)) for part in sorted({line.block for line in lines})}
    key = redraw.stored(
        plan,
        [(line.name, line.recipe, dataclasses.asdict(line)) for line in lines],
        next(iter(questions.values())).fingerprint,
    )
    if resume and redraw.finished(out, key):
        return StudiedPictures(out, redraw.report(str(out)).results)
    with files.staged(out, resume=resume, marker=MARKER, again=("runs", "points")) as building:
        fitted = _fit_all(lines, questions, building / "runs", seed, resume)
        points = _curves(lines, questions, fitted, building / "points", seed, resume)
        results = gather(plan, found, questions, lines, fitted, points, choose_by, seed)
        results |= key | {"data": data}
        picturereport.reconstruct(questions, fitted, building)
        files.write_json(building / MARKER, results)
        files.write_text(building / "results.csv", _csv(results))
        page.write(
            picturereport.compose(plan, questions, fitted, results, data, out, building), building / "report.html"
        )
    return StudiedPictures(out, results)


def read_lines(plan: Plan, given: Mapping[str, Any], seed: int) -> list[Line]:
    """Return the lines of a plan with every option checked.

    Raises
    ------
    UsageError
        A recipe or an option is unknown, a source is no earlier line, or a block is none.
    """
    lines: list[Line] = []
    for entry in plan.recipes:
        lines.append(_line(entry, given, {line.name: line for line in lines}, plan))
        training.configure(lines[-1].recipe, lines[-1].options, seed)
    return lines


def _line(entry: Entry, given: Mapping[str, Any], before: Mapping[str, Line], plan: Plan) -> Line:
    own = {key: value for key, value in entry.options.items() if key in OURS}
    options = {key: value for key, value in entry.options.items() if key not in OURS}
    for key in ("source", "instead_of"):
        if own.get(key) is not None and own[key] not in before:
            raise UsageError(
                f"The line '{entry.title}' of the study '{plan.name}' names '{own[key]}' as its {key}, which is no line above it."
            )
    part = str(own.get("block", "1"))
    if part not in ("1", "2", "all"):
        raise UsageError(
            f"The line '{entry.title}' of the study '{plan.name}' names block '{part}'; blocks are 1, 2 and all."
        )
    if "steps" in given or "minutes" in given:  # the budget that was given replaces the line's own
        options = {key: value for key, value in options.items() if key not in ("steps", "minutes", "epochs", "pace")}
    return Line(
        entry.title, entry.recipe, {**options, **given}, part, own.get("source"), bool(own.get("curve")), own.get("instead_of")
    )  # fmt: skip


def _fit_all(
    lines: Sequence[Line], questions: Mapping[str, Question], folder: Path, seed: int, resume: bool
) -> dict[str, FittedPictures]:
    """Fit every line; those that an interrupted study has finished are read."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, FittedPictures] = {}
    with progress.task("study", "recipes") as advance:
        for number, line in enumerate(lines):
            advance(number, len(lines), line.name)
            out, question = folder / directory(line.name), questions[line.block]
            source = found[line.source] if line.source else None
            before = fitted_before(out, question, line.recipe, line.options, seed, source) if resume else None
            found[line.name] = before or fit(
                question,
                line.recipe,
                out,
                options=line.options,
                seed=seed,
                resume=resume,
                name=line.name,
                source=source,
            )
        advance(len(lines), len(lines))
    return found


def _curves(
    lines: Sequence[Line],
    questions: Mapping[str, Question],
    fitted: Mapping[str, FittedPictures],
    folder: Path,
    seed: int,
    resume: bool,
) -> list[dict[str, Any]]:
    """Fit the lines that ask for it on few training pictures; return every point, those on all pictures too."""
    folder.mkdir(parents=True, exist_ok=True)
    points = []
    for line in [line for line in lines if line.curve or line.instead_of]:
        question = questions[line.block]
        most = most_per_class(question)
        for size in [size for size in SIZES if size < most and line.curve]:
            place = folder / f"{directory(line.name)}-{size}.json"
            if not place.is_file():
                files.write_json(place, _point(line, limited(question, size, seed), fitted, seed))
            points.append(files.read_json(place, "a study"))
        info, test = fitted[line.name].run.info, fitted[line.name].run.results["test"]
        answers = fitted[line.name].judged("test")
        points.append(_told(line, most, info["pictures"]["train"], info["seconds"], test, answers))
    return points


def most_per_class(question: Question) -> int:
    """Return the training pictures of the largest class."""
    labels = question.block.labels("train")
    return max(labels.count(label) for label in question.block.classes)


def _point(line: Line, question: Question, fitted: Mapping[str, FittedPictures], seed: int) -> dict[str, Any]:
    source = fitted[line.source] if line.source else None
    options = dict(line.options)
    if options.get("minutes"):  # fewer pictures, fewer minutes, as with a budget that follows from the pictures
        share = len(question.block.rows("train")) / fitted[line.name].run.info["pictures"]["train"]
        options["minutes"] = float(options["minutes"]) * share**0.5
    title = f"{line.name}, {question.per_class} a class"
    model, cost = learn(question, line.recipe, options=options, seed=seed, name=title, source=source)
    there = question.block
    truth, probabilities = there.labels("test"), model.predict_proba(there.pixels("test"))
    test = score_pictures(truth, probabilities, model.classes_)
    answers = Predictions(there.rows("test"), truth, probabilities, model.classes_)
    return _told(line, question.per_class or 0, len(there.rows("train")), cost["seconds"], test, answers)


def _told(
    line: Line, size: int, pictures: int, seconds: float, test: Mapping[str, Any], answers: Predictions
) -> dict[str, Any]:
    return {
        "name": line.name,
        "instead_of": line.instead_of,
        "per_class": size,
        "pictures": pictures,
        "seconds": seconds,
        "accuracy": test["accuracy"],
        "top5": test["top5"],
        "right": answers.right.astype(int).tolist(),
    }


def gather(
    plan: Plan,
    found: Pictures,
    questions: Mapping[str, Question],
    lines: Sequence[Line],
    fitted: Mapping[str, FittedPictures],
    points: list[dict[str, Any]],
    choose_by: ChooseBy,
    seed: int,
) -> dict[str, Any]:
    """Return what ``results.json`` holds."""
    blocks = {part: _block(question, part, lines, fitted, choose_by) for part, question in questions.items()}
    first = next(iter(blocks.values()))
    gains = transfer_gains(points)
    equal = equal_time(lines, fitted)
    recipes = [_recipe(line, fitted[line.name]) for line in lines]
    ledger = found.ledger()
    notes = []
    if ledger["rejected"]:
        one = ledger["files"][0]
        notes.append(
            f"Left out: {ledger['rejected']:,} of {ledger['read']:,} files; the first: {one['name']} ({one['reason']})."
        )
    for part, told_ in blocks.items():
        copies = told_["copies"]
        if copies["with_copy_in_training"]:
            notes.append(
                f"Block {part}: {copies['with_copy_in_training']:,} of {copies['test_pictures']:,} test pictures have a "
                f"near-copy in training or validation ({copies['exact']:,} exact); the table has the figure without them too."
            )
    return {
        "study": plan.name,
        "lyrist": __version__,
        "picked": first["picked"],
        "chosen_by": f"validation {choose_by.replace('_', ' ')}",
        "target": "class",
        "split_by": "picture",
        "majority": first["majority"],
        "corpus": str(found.path.resolve()),
        "form": found.form,
        "checksum": found.checksum,
        "fingerprint": next(iter(questions.values())).fingerprint,
        "side": found.side,
        "seed": seed,
        "classes": sorted(found.classes),
        "blocks": blocks,
        "recipes": recipes,
        "equal_time": equal,
        "transfer": {"points": [{k: v for k, v in p.items() if k != "right"} for p in points], "gains": gains},
        "findings": [*order(recipes), *[e["sentence"] for e in equal], *[g["sentence"] for g in gains]],
        "notes": notes,
        "ledger": ledger,
    }


def _block(
    question: Question, part: str, lines: Sequence[Line], fitted: Mapping[str, FittedPictures], choose_by: ChooseBy
) -> dict[str, Any]:
    """Return what one block of classes is, and which line was picked on it."""
    here = {line.name: fitted[line.name] for line in lines if line.block == part and not fitted[line.name].paints}
    told_: dict[str, Any] = {
        "classes": list(question.block.classes),
        "pictures": question.block.counts(),
        "majority": question.majority(),
        "copies": question.copies.summary(len(question.block.rows("test"))),
        "picked": "",
        "tests": {},
    }
    if here:
        picked = comparison.pick({name: one.run.results["validation"] for name, one in here.items()}, choose_by)
        tested = {name: one.judged("test") for name, one in here.items()}
        others = {name: judged for name, judged in tested.items() if name != picked}
        told_ |= {"picked": picked, "tests": {"first": picked, "against": comparison.against(tested[picked], others)}}
    return told_


def _recipe(line: Line, one: FittedPictures) -> dict[str, Any]:
    info, results = one.run.info, one.run.results
    keys = ("recipe", "block", "source", "parameters", "seconds", "cpu_seconds", "pictures_per_second", "steps")
    return {
        "name": line.name,
        **{key: info[key] for key in keys},
        "validation": results["validation"],
        "test": results["test"],
        "test_without_copies": results.get("test_without_copies"),
    }


def _csv(results: Mapping[str, Any]) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    figures = ("n", "top1", "top1_low", "top1_high", "top5", "top5_low", "top5_high", "loss", "mse")
    head = [f"{split}_{figure}" for split in ("validation", "test") for figure in figures]
    rows.writerow(["name", "recipe", "block", "source", "parameters", "seconds", "pictures_per_second", *head])
    for line in results["recipes"]:
        cells: list[Any] = [line[key] for key in ("name", "recipe", "block", "source", "parameters")]
        cells += [round(line["seconds"], 3), line["pictures_per_second"]]
        for split in ("validation", "test"):
            s = line[split]
            if "mse" in s:
                cells += [s["n"], *[""] * 7, round(s["mse"]["value"], 6)]
                continue
            shares = [s[key][part] for key in ("accuracy", "top5") for part in ("value", "low", "high")]
            cells += [s["n"], *(round(v, 6) for v in (*shares, s["loss"])), ""]
        rows.writerow(cells)
    return out.getvalue()
