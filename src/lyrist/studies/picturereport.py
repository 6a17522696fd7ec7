"""The page of a study of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lyrist.metrics.classification import calibration_of, confusion, hardest
from lyrist.reports import figures, heatmaps
from lyrist.reports.blocks import Block, Column, Details, Facts, Items, Page, Prose, Section, Table
from lyrist.reports.pixels import Shot, sheet
from lyrist.studies.plans import Plan, directory
from lyrist.studies.provenance import again_section
from lyrist.studies.report import by_class
from lyrist.training.curves import curves
from lyrist.training.trainpictures import PAINTED, UNITS, FittedPictures, Question

SHOWN = 24
"""Pictures on a sheet."""

CLASSES_SHOWN = 40

RECONSTRUCTIONS = "reconstructions"
"""The folder of a study with the reconstructions of its autoencoders."""

HEAD = (
    "recipe",
    Column("parameters", ",.0f"),
    Column("seconds", ",.1f"),
    Column("pictures/s", ",.0f"),
    Column("validation", note="top-1, 95% interval"),
    Column("test", note="top-1, 95% interval"),
    Column("test, top-5", note="95% interval"),
    Column("no copies", ".1%", note="test, top-1"),
    Column("loss", ".3f", note="nats"),
)


def compose(
    plan: Plan,
    questions: Mapping[str, Question],
    fitted: Mapping[str, FittedPictures],
    results: Mapping[str, Any],
    data: str,
    out: Path,
    folder: Path,
) -> Page:
    """Return the page of a finished study.

    Parameters
    ----------
    plan, questions
        What was asked, and the blocks of classes by name.
    fitted
        The fitted lines by name.
    results
        What ``results.json`` holds.
    data
        The path of the pictures, as it was given.
    out
        The final path of the study, for the commands on the page.
    folder
        The folder of the study's files, where the reconstructions are.
    """
    sections = [
        *(_comparison(part, found, results) for part, found in results["blocks"].items()),
        *_equal_time(results, fitted),
        *_transfer(results),
        _training(fitted),
        *(
            _mistakes(part, questions[part], fitted[found["picked"]])
            for part, found in results["blocks"].items()
            if found["picked"]
        ),
        *_paintings(questions, fitted, folder),
        _pictures(questions, results),
        _again(plan, results, data, out),
    ]
    return Page(
        title="What is in the picture?",
        subtitle=f"Study {plan.name}: {len(fitted)} recipes, {len(results['classes'])} classes in {len(questions)} blocks, "
        f"{results['ledger']['kept']:,} pictures of {results['side']} x {results['side']} pixels",
        kicker="Lyrist study",
        lead=(_facts(results), Items(results["findings"]), *([Prose(plan.why.strip())] if plan.why else [])),
        sections=sections,
        footer=f"Made by Lyrist {results['lyrist']} from the pictures {results['fingerprint']}.",
    )


def _facts(results: Mapping[str, Any]) -> Facts:
    facts = []
    for part, found in results["blocks"].items():
        line = next((line for line in results["recipes"] if line["name"] == found["picked"]), None)
        if line:
            share = line["test"]["accuracy"]
            facts.append(
                (f"block {part}: {found['picked']}", f"{share['value']:.1%}", f"test, 95% interval {_span(share)}")
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
    rows.append((always, *[None] * 4, _share(majority), None, None, None))
    counts = found["pictures"]
    said = (
        f"n = {counts['validation']:,} validation and {counts['test']:,} test pictures; training {counts['train']:,}."
    )
    chosen = [place for place, line in enumerate(judged) if line["name"] == found["picked"]]
    blocks: list[Block] = [
        figures.intervals(
            dots, reference=("majority", majority["value"]), highlight=(found["picked"],), name=f"accuracy-{part}",
            xlabel="test accuracy (top-1) with 95% interval", title=f"Test accuracy, block {part}",
        ),
        Table(HEAD, rows, highlight=chosen, caption=f"Block {part}: every recipe on the same pictures", note=said),
    ]  # fmt: skip
    blocks += _tests(found["tests"])
    painted = [line for line in lines if "mse" in line["test"]]
    if painted:
        head = ("autoencoder", Column("parameters", ",.0f"), Column("seconds", ",.1f"), Column("pictures/s", ",.0f"),
                Column("test error", ".4f", note="mean squared, 0 to 1"), "95% interval",
                Column("of the mean picture", ".4f"), Column("n", ",.0f"))  # fmt: skip
        told = [
            (line["name"], line["parameters"], line["seconds"], line["pictures_per_second"], test["mse"]["value"],
             f"{test['mse']['low']:.4f} to {test['mse']['high']:.4f}", test["mean_mse"], test["n"])
            for line in painted
            for test in [line["test"]]
        ]  # fmt: skip
        blocks.append(Table(head, told, caption="Without labels"))
    intro = (
        f"Classes: {', '.join(found['classes'])}. The best was picked by {results['chosen_by']}; the test pictures had no part "
        "in any choice. Intervals: Wilson's, 95%. cnn-sigmoid ends in a sigmoid for each class and is fitted by the binary "
        "cross-entropy that goes with it; its probabilities are divided by their sum. `no copies`: without the test pictures "
        "that have a near-copy in training."
    )
    return Section(f"How good, block {part}", blocks, intro)


def _row(line: Mapping[str, Any]) -> tuple[Any, ...]:
    held, test, alone = line["validation"], line["test"], line["test_without_copies"]
    return (
        line["name"], line["parameters"], line["seconds"], line["pictures_per_second"], _share(held["accuracy"]),
        _share(test["accuracy"]), _share(test["top5"]), alone["accuracy"]["value"] if alone else None, test["loss"],
    )  # fmt: skip


def _tests(tests: Mapping[str, Any]) -> list[Block]:
    if not tests or not tests["against"]:
        return []
    head = (f"{tests['first']} against", Column("difference", "+.3f"), "it alone right", "the other alone",
            Column("p", ".3g"), Column("p, corrected", ".3g", note="Holm"))  # fmt: skip
    rows = [
        (name, t["difference"], t["only_first"], t["only_other"], t["p"], t["p_holm"])
        for name, t in tests["against"].items()
    ]
    note = "Exact McNemar test on the same test pictures. Corrected: for the number of comparisons."
    return [Details("Paired tests of the picked recipe against each other one", [Table(head, rows, note=note)])]


def _equal_time(results: Mapping[str, Any], fitted: Mapping[str, FittedPictures]) -> list[Section]:
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
        blocks.append(Prose("No other network had been scored on validation by the time the fast one was done."))
    intro = "What each network that starts from random weights had reached when the fast one was done, in wall-clock seconds."
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
    head = ("recipe", Column("pictures a class", ",.0f"), Column("test", ".3f", note="top-1"), "95% interval",
            Column("top-5", ".3f"), Column("seconds", ",.1f"))  # fmt: skip
    rows = [
        (p["name"], p["per_class"], p["accuracy"]["value"], _span(p["accuracy"]), p["top5"]["value"], p["seconds"])
        for p in points
    ]
    compared = (
        "transfer",
        "from nothing",
        Column("pictures a class", ",.0f"),
        Column("gain", "+.3f"),
        Column("p", ".2g"),
    )
    told = [(g["name"], g["instead_of"], g["per_class"], g["gain"], g["p"]) for g in gains]
    intro = (
        "Features from block 1 under a new head (dropout 0.5, dense 256), first frozen, then tuned, against networks that begin "
        "from nothing: the same test pictures throughout, and the same validation pictures to stop by."
    )
    note = "Exact McNemar test at each point, not corrected for their number."
    return [
        Section(
            "What transfer bought",
            [picture, Table(compared, told, caption="Gain", note=note), Details("Every point", [Table(head, rows)])],
            intro,
        )
    ]


def _training(fitted: Mapping[str, FittedPictures]) -> Section:
    blocks: list[Block] = []
    for name, one in fitted.items():
        info = one.run.info
        blocks += curves(one.run.metrics, name, info["best_step"], PAINTED if one.paints else UNITS)
        told = f"{info['steps']:,} steps in {info['seconds']:.0f} s, {info['pictures_per_second']:,.0f} pictures/s"
        blocks.append(
            Prose(f"{name}: {told}, step {info['best_step']:,} kept ({info['precision']}, {info['device']}).")
        )
    intro = "Against global steps. Training figures are of pictures as the network saw them: moved, mirrored and with dropout."
    return Section("Training", blocks, intro)


def _mistakes(part: str, question: Question, picked: FittedPictures) -> Section:
    judged, there = picked.judged("test"), question.block
    classes = sorted({*judged.classes, *judged.truth})
    matrix = np.asarray(confusion(judged.truth, judged.answers, classes))
    blocks: list[Block] = [heatmaps.confusion(matrix, classes, title=f"Confusion, block {part}")]
    found = calibration_of(judged.truth, judged.probabilities, judged.classes)
    bins = [(b["confidence"], b["accuracy"], b["n"]) for b in found["bins"]]
    blocks.append(
        figures.calibration(
            bins, title="How sure, how right", caption=f"Expected calibration error {found['ece']:.3f}."
        )
    )
    rows = by_class(matrix, classes)
    head = ("class", Column("pictures", ",.0f"), Column("found", ".1%", note="recall"), "most often taken for")
    blocks.append(Table(head, rows[:CLASSES_SHOWN], caption="Classes"))
    shots = []
    for place in hardest(judged.truth, judged.probabilities, judged.classes, SHOWN):
        sure = float(judged.probabilities[place].max())
        lines = (judged.truth[place], f"{judged.answers[place]} {sure:.0%}")
        shots.append(Shot([there.pictures.pixels[int(judged.ids[place])]], lines))
    if shots:
        title = "Hardest pictures: wrong, the truth held for least likely"
        caption = "Under each: what it is, and what it was taken for."
        blocks.append(sheet(shots, title=title, caption=caption, name=f"hardest-{part}"))
    return Section(f"Where it errs, block {part}", blocks, f"Of {picked.run.info['name']}, the recipe that was picked.")


def reconstruct(questions: Mapping[str, Question], fitted: Mapping[str, FittedPictures], folder: Path) -> None:
    """Store what each autoencoder makes of some test pictures as ``reconstructions/NAME.npy``; this needs the models."""
    for name, one in fitted.items():
        if one.paints:
            place = folder / RECONSTRUCTIONS / f"{directory(name)}.npy"
            place.parent.mkdir(exist_ok=True)
            np.save(place, one.model.reconstruct(_some(questions[one.run.info["block"]])))


def _some(question: Question) -> Any:
    """Return up to 12 test pictures, evenly spaced."""
    pixels = question.block.pixels("test")
    return pixels[np.linspace(0, len(pixels) - 1, min(12, len(pixels))).astype(int)]


def _paintings(questions: Mapping[str, Question], fitted: Mapping[str, FittedPictures], folder: Path) -> list[Section]:
    blocks: list[Block] = []
    for name, one in fitted.items():
        place = folder / RECONSTRUCTIONS / f"{directory(name)}.npy"
        if one.paints and place.is_file():
            pairs = zip(_some(questions[one.run.info["block"]]), np.load(place), strict=True)
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
    return [Section("Reconstructions", blocks, "Test pictures through the code and back.")] if blocks else []


def _pictures(questions: Mapping[str, Question], results: Mapping[str, Any]) -> Section:
    ledger = results["ledger"]
    facts = [
        f"{ledger['read']:,} pictures or other files were read; {ledger['kept']:,} were kept, {ledger['rejected']:,} left out.",
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
        rows = [(one["name"], one["reason"]) for one in ledger["files"][:CLASSES_SHOWN]]
        blocks.append(
            Details(f"What was left out ({len(rows)} of {ledger['rejected']:,})", [Table(("file", "reason"), rows)])
        )
    for part, question in questions.items():
        copies, there = question.copies, question.block
        seen = np.concatenate([there.rows("train"), there.rows("validation")])
        shots = [
            Shot([there.pixels("test")[i], there.pictures.pixels[seen[j]]], ("same" if exact else f"{alike:.2f}",))
            for i, j, exact, alike in list(zip(copies.test, copies.train, copies.exact, copies.alike, strict=True))[:16]
        ]
        if shots:
            told = "Above from test, below from training; how alike they are. Mirrored ones count."
            blocks.append(
                sheet(
                    shots, across=12, size=56, title=f"Near-copies, block {part}", caption=told, name=f"copies-{part}"
                )
            )
    return Section("The pictures", blocks)


def _again(plan: Plan, results: Mapping[str, Any], data: str, out: Path) -> Section:
    run = str(out / "runs" / directory(results["picked"]))
    return again_section(plan, ["lyrist", "evaluate", run, data], ["lyrist", "classify", run, "PICTURE.png"])


def _span(interval: Mapping[str, float]) -> str:
    return f"{interval['low']:.1%} to {interval['high']:.1%}"


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.1%} ({100 * interval['low']:.1f}–{100 * interval['high']:.1f})"
