"""Sections that the reports of all studies have: paired tests, mistakes, the corpus, and the commands to repeat the study."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrist.corpus.corpus import Corpus
from lyrist.metrics.classification import calibration_of, confusion
from lyrist.reports import figures, heatmaps
from lyrist.reports.blocks import Block, Code, Column, Details, Items, Page, Prose, Section, Table
from lyrist.studies.plans import Plan

if TYPE_CHECKING:
    from lyrist.training.dataset import Predictions

CLASSES_SHOWN = 40
"""Rows of the table of classes."""


def page(
    plan: Plan,
    results: Mapping[str, Any],
    title: str,
    subtitle: str,
    lead: Sequence[Block],
    sections: Sequence[Section],
) -> Page:
    """Return the page of a study: what it is for follows the lead."""
    return Page(
        title=title,
        subtitle=f"Study {plan.name}: {subtitle}",
        kicker="Lyrist study",
        lead=(*lead, *([Prose(plan.why.strip())] if plan.why else [])),
        sections=sections,
        footer=f"Made by Lyrist {results['lyrist']} from data with the fingerprint {results['fingerprint']}.",
    )


def percent(interval: Mapping[str, float], digits: int = 1) -> str:
    """Return an interval of shares as text."""
    return f"{interval['low']:.{digits}%} to {interval['high']:.{digits}%}"


def paired_tests(tests: Mapping[str, Any], note: str) -> list[Block]:
    """Return the table of McNemar tests, and of macro F1 where it was tested, folded; nothing where there was one recipe."""
    if not tests or not tests["against"]:
        return []
    head: list[str | Column] = [
        f"{tests['first']} against",
        Column("accuracy", "+.3f", note="difference"),
        "it alone right",
        "the other alone",
        Column("p", ".3g"),
        Column("p, corrected", ".3g", note="Holm"),
    ]
    with_f1 = all("macro_f1" in test for test in tests["against"].values())
    if with_f1:
        head += [
            Column("macro F1", "+.3f", note="difference"),
            Column("95% interval"),
            Column("p, corrected ", ".3g", note="Holm"),
        ]
        note += " Macro F1: bootstrap of these songs."
    rows = []
    for name, test in tests["against"].items():
        row = [name, *(test[key] for key in ("difference", "only_first", "only_other", "p", "p_holm"))]
        if with_f1:
            f1 = test["macro_f1"]
            row += [f1["difference"], f"{f1['low']:+.3f} to {f1['high']:+.3f}", f1["p_holm"]]
        rows.append(row)
    note = f"Accuracy: exact McNemar test on the same {note} Corrected: for the number of comparisons."
    return [Details("Paired tests of the selected recipe against each other one", [Table(head, rows, note=note)])]


def mistakes(predicted: Predictions, unit: str, title: str) -> list[Block]:
    """Return the confusion matrix and the table of classes; ``unit`` names what is classified, such as songs."""
    classes = sorted({*predicted.classes, *predicted.truth})
    matrix = np.asarray(confusion(predicted.truth, predicted.answers, classes))
    rows = _by_class(matrix, classes)
    head = ("class", Column(unit, ",.0f"), Column("recall", ".1%"), "most often predicted instead")
    shown = f" ({CLASSES_SHOWN} of {len(rows):,})" if len(rows) > CLASSES_SHOWN else ""
    table = Table(head, rows[:CLASSES_SHOWN], caption=f"Classes, most frequent first{shown}")
    return [heatmaps.confusion(matrix, classes, title=title), table]


def _by_class(matrix: Any, classes: list[str]) -> list[tuple[str, int, float | None, str]]:
    """Return for each class with test examples: name, number, recall, and the most frequent wrong prediction."""
    rows = []
    for place, name in enumerate(classes):
        count = int(matrix[place].sum())
        wrong = matrix[place].copy()
        wrong[place] = 0
        instead = f"{classes[int(wrong.argmax())]} ({int(wrong.max())})" if wrong.max() else ""
        if count:
            rows.append((name, count, float(matrix[place, place]) / count, instead))
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def calibration(predicted: Predictions) -> Block:
    """Return the chart of accuracy against predicted probability."""
    found = calibration_of(predicted.truth, predicted.probabilities, predicted.classes)
    bins = [(b["confidence"], b["accuracy"], b["n"]) for b in found["bins"]]
    return figures.calibration(
        bins,
        title="Calibration",
        caption=f"Expected calibration error {found['ece']:.3f}. On the diagonal, predictions with a probability of 80% "
        "are right in 80% of cases.",
    )


def corpus_section(corpus: Corpus, songs: Mapping[str, int], split_by: str, seed: int) -> Section:
    """Return the section on how a corpus was made.

    Parameters
    ----------
    corpus
        The corpus.
    songs
        By split, how many songs the study used.
    split_by, seed
        How they were split.
    """
    info, ledger = corpus.info, corpus.ledger
    counts = info["counts"]
    sources = [(s["name"], s["bytes"], s["rows"], s["sha256"][:16]) for s in info["sources"]]
    dropped = sorted(ledger.dropped.items(), key=lambda item: -item[1])
    facts = [
        f"{ledger.read:,} rows were read; {ledger.kept:,} songs were kept and {ledger.read - ledger.kept:,} dropped, each with "
        "a reason.",
        f"{counts['clusters']['songs']:,} songs are in {counts['clusters']['clusters']:,} clusters of near-copies; "
        f"{counts['near_copies_across_splits']:,} clusters are divided between splits.",
        f"Training {songs['train']:,}, validation {songs['validation']:,}, test {songs['test']:,} songs, split by {split_by} "
        f"with seed {seed}.",
    ]
    blocks: list[Block] = [Items(facts), Table(("table", "bytes", "rows", "sha256"), sources, caption="Sources")]
    if dropped:
        blocks.append(Table(("reason", "rows"), dropped, caption="What was dropped"))
    return Section("How the corpus was made", blocks)


def again_section(plan: Plan, *further: Sequence[str]) -> Section:
    """Return the section with the command of this study and further commands, one per line."""
    return Section("How to run it again", [Code("\n".join(map(shlex.join, (plan.command, *further))))])
