"""Sections that the reports of all studies have: paired tests, mistakes, the corpus, and the commands to repeat the study."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrist.corpus.corpus import Corpus
from lyrist.metrics.classification import calibration_of, confusion
from lyrist.metrics.kinds import FIGURES, Figure, interval_of
from lyrist.metrics.ordinal import WITHIN
from lyrist.models import registry
from lyrist.reports import figures
from lyrist.reports.blocks import Block, Code, Column, Details, Items, Page, Prose, Section, Table
from lyrist.studies import ranking
from lyrist.studies.plans import Plan

if TYPE_CHECKING:
    from lyrist.training.predictions import Predictions

CLASSES_SHOWN = 40
"""Rows of the table of classes."""


def page(
    plan: Plan,
    results: Mapping[str, Any],
    title: str,
    subtitle: str,
    lead: Sequence[Block],
    sections: Sequence[Section],
    methods: str = "",
) -> Page:
    """Return the page of a study: what it is for follows the lead; ``methods`` describes the evaluation, for a paper."""
    return Page(
        title=title,
        subtitle=f"Study {plan.name}: {subtitle}",
        kicker="Lyrist study",
        lead=(*lead, *([Prose(plan.why.strip())] if plan.why else [])),
        sections=[*sections, _methods(plan, results, methods)] if methods else sections,
        footer=f"Made by Lyrist {results['lyrist']} from data with the fingerprint {results['fingerprint']}.",
    )


PAPERS = (
    "Wilson (1927), Probable inference, the law of succession, and statistical inference; "
    "McNemar (1947), Note on the sampling error of the difference between correlated proportions; "
    "Holm (1979), A simple sequentially rejective multiple test procedure; "
    "Efron (1979), Bootstrap methods: another look at the jackknife; "
    "Broder (1997), On the resemblance and containment of documents; "
    "Romano et al. (2020), Classification with valid and adaptive coverage; "
    "Angelopoulos et al. (2024), Conformal risk control; "
    "Frank & Hall (2001), A simple approach to ordinal classification; "
    "Lei et al. (2018), Distribution-free predictive inference for regression"
)
"""The papers of the statistics; a methods text names them by `citation_key`."""


def citation_key(paper: str) -> str:
    """Return the citation key of a paper given as ``"Authors (year), Title"``: ``kim2014convolutional``."""
    authors, year, title = _paper(paper)
    word = next(iter(re.findall(r"[a-z]{4,}", title.lower())), "")
    return re.sub(r"[^a-z0-9]", "", re.split(r"[ ,]", authors.lower())[0] + year + word) or "source"


def bibtex(paper: str) -> str:
    """Return the BibTeX entry of a paper given as ``"Authors (year), Title"``; what has another form becomes a note."""
    authors, year, title = _paper(paper)
    people = re.sub(r" et al\.$", " and others", authors.replace(" & ", " and "))
    fields = {"author": people, "title": title and f"{{{title}}}", "year": year} if year else {"note": paper}
    escaped = {name: re.sub(r"([%&#_$])", r"\\\1", value) for name, value in fields.items() if value}
    written = [f"  {name} = {{{value}}}" for name, value in escaped.items()]
    return f"@misc{{{citation_key(paper)},\n" + ",\n".join(written) + "\n}"


def _paper(paper: str) -> tuple[str, str, str]:
    """Return authors, year and title; all of it as authors, if it has another form."""
    found = re.fullmatch(r"(.+?) \((\d{4})\)(?:, (.+))?", paper)
    return (found[1], found[2], found[3] or "") if found else (paper, "", "")


def _methods(plan: Plan, results: Mapping[str, Any], methods: str) -> Section:
    """Return the section with a text for a paper and its references; ``[Wilson]`` in the text becomes a citation key."""
    names = list(dict.fromkeys(line["recipe"] for line in results["recipes"]))
    known = {recipe.name: recipe.source for recipe in registry.recipes() if recipe.name in names and recipe.source}
    sources = {paper.partition(" ")[0].rstrip(","): paper for paper in PAPERS.split("; ")}
    cited = [paper for name, paper in sources.items() if f"[{name}]" in methods]
    for name, paper in sources.items():
        methods = methods.replace(f"[{name}]", f"[{citation_key(paper)}]")
    models = ", ".join(
        f"{name} [{'; '.join(map(citation_key, known[name].split('; ')))}]" if name in known else name for name in names
    )
    text = f"We compared {models}. {methods} All were fitted with Lyrist {results['lyrist']} (data {results['fingerprint']})."
    papers = sorted({*cited, *(paper for source in known.values() for paper in source.split("; "))})
    blocks: list[Block] = [Prose(text), Details("BibTeX", [Code("\n\n".join(map(bibtex, papers)))])]
    return Section("Methods, for a paper", blocks, anchor="methods")


def percent(interval: Mapping[str, float]) -> str:
    """Return an interval of shares as text."""
    return f"{interval['low']:.1%} to {interval['high']:.1%}"


def interval(scores: Mapping[str, Any], figure: Figure) -> str:
    """Return the 95% interval of a figure as text; empty if it has none."""
    found = interval_of(scores, figure.key)
    if found is None:
        return ""
    return (
        percent(dict(zip(("low", "high"), found, strict=True)))
        if figure.percent
        else f"{found[0]:.3f} to {found[1]:.3f}"
    )


def label_figures(by_class: Mapping[str, Mapping[str, Any]]) -> Section:
    """Return the section on each of several labels a song."""
    rows = [
        (label, *(each[key] for key in ("n", "precision", "recall", "f1", "average_precision", "threshold")))
        for label, each in sorted(by_class.items(), key=lambda item: (-item[1]["n"], item[0]))
    ]
    head = (
        "label",
        Column("songs", ",.0f"),
        Column("precision", ".1%"),
        Column("recall", ".1%"),
        Column("F1", ".3f", bar=True),
        Column("average precision", ".3f"),
        Column("threshold", ".2f", note="chosen on validation"),
    )
    shown = f" ({CLASSES_SHOWN} of {len(rows):,})" if len(rows) > CLASSES_SHOWN else ""
    table = Table(head, rows[:CLASSES_SHOWN], caption=f"Labels of the test songs, most frequent first{shown}")
    intro = "A label is predicted where its probability reaches its threshold."
    return Section("Labels", [table], intro)


def errors_by_size(predicted: Predictions) -> Section:
    """Return the section on how far predicted numbers are off, for small and for large true numbers."""
    truth, answers = np.array(predicted.truth), np.array(predicted.answers)
    ends = np.unique(np.quantile(truth, np.linspace(0, 1, 6)))
    rows = []
    for low, high in itertools.pairwise(ends):
        own = (truth >= low) & ((truth < high) | (high == ends[-1]))
        if own.any():
            off = answers[own] - truth[own]
            rows.append((f"{low:g} to {high:g}", int(own.sum()), float(np.abs(off).mean()), float(off.mean())))
    head = (
        "true number",
        Column("songs", ",.0f"),
        Column("mean absolute error", ".2f", bar=True),
        Column("bias", "+.2f"),
    )
    intro = "Bias: predicted minus true. Predictions are drawn to the middle, since a median is predicted."
    return Section("Errors", [Table(head, rows, caption="Test songs, in five parts by their number")], intro)


def paired_tests(tests: Mapping[str, Any], note: str) -> list[Block]:
    """Return the table of McNemar tests, and of macro F1 where it was tested, folded; nothing where there was one recipe."""
    if not tests or not tests["against"]:
        return []
    named = {figure.key: figure.name for kind in FIGURES.values() for figure in kind}
    compared = ranking.bootstrapped(next(iter(tests["against"].values())))
    what = {"micro_f1": "all labels right", "mae": f"within {WITHIN}"}
    right = next((name for key, name in what.items() if key in compared), "accuracy")
    head: list[str | Column] = [
        f"{tests['first']} against",
        Column(right, "+.3f", note="difference"),
        "it alone right",
        "the other alone",
        Column("p", ".3g"),
        Column("p, corrected", ".3g", note="Holm"),
    ]
    for number, key in enumerate(compared, 1):
        head += [
            Column(named[key], "+.3f", note="difference"),
            Column("95% interval"),
            Column("p, corrected" + " " * number, ".3g", note="Holm"),
        ]
    if compared:
        names = " and ".join(named[key] for key in compared)
        note += f" {names[:1].upper()}{names[1:]}: bootstrap of these songs."
    rows = []
    for name, test in tests["against"].items():
        row = [name, *(test[key] for key in ("difference", "only_first", "only_other", "p", "p_holm"))]
        for key in compared:
            own = test[key]
            row += [own["difference"], f"{own['low']:+.3f} to {own['high']:+.3f}", own["p_holm"]]
        rows.append(row)
    note = f"{right[:1].upper()}{right[1:]}: exact McNemar test on the same {note} Corrected: for the number of comparisons."
    return [Details("Paired tests of the selected recipe against each other one", [Table(head, rows, note=note)])]


def mistakes(predicted: Predictions, unit: str, title: str) -> list[Block]:
    """Return the confusion matrix and the table of classes; ``unit`` names what is classified, such as songs."""
    classes = sorted({*predicted.classes, *predicted.truth})
    matrix = np.asarray(confusion(predicted.truth, predicted.answers, classes))
    rows = _by_class(matrix, classes)
    head = ("class", Column(unit, ",.0f"), Column("recall", ".1%"), "most often predicted instead")
    shown = f" ({CLASSES_SHOWN} of {len(rows):,})" if len(rows) > CLASSES_SHOWN else ""
    table = Table(head, rows[:CLASSES_SHOWN], caption=f"Classes, most frequent first{shown}")
    return [figures.confusion(matrix, classes, title=title), table]


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
