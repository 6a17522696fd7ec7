"""The report of a study: one page that says how good each recipe is, how sure that is, and why it can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lyrist.corpus.corpus import SPLITS
from lyrist.evaluation.explain import telling_features
from lyrist.metrics.classification import by_group, confusion
from lyrist.reports import figures, heatmaps
from lyrist.reports.blocks import Block, Column, Details, Facts, Items, Page, Prose, Section, Table
from lyrist.studies import evidence
from lyrist.studies.plans import Plan, directory
from lyrist.studies.provenance import again_section, corpus_section
from lyrist.training.curves import curves
from lyrist.training.dataset import Predictions, View
from lyrist.training.train import Fitted

CLASSES_SHOWN = 40
"""Rows of the table of classes."""

HEAD = (
    "recipe",
    Column("parameters", ",.0f"),
    Column("seconds", ",.1f"),
    Column("validation accuracy", ".3f"),
    Column("test accuracy", ".3f", bar=True),
    "95% interval",
    Column("macro F1", ".3f"),
    Column("loss", ".3f", note="nats"),
    Column("n", ",.0f"),
)


def compose(plan: Plan, question: View, fitted: Mapping[str, Fitted], results: Mapping[str, Any], out: Path) -> Page:
    """Return the page of a finished study.

    Parameters
    ----------
    plan, question
        What was asked.
    fitted
        The fitted recipes by name, as the corpus was split.
    results
        What ``results.json`` holds.
    out
        Where the study will stand; the commands on the page name it.
    """
    picked = fitted[results["picked"]]
    judged, run = picked.judged["test"], str(out / "runs" / directory(results["picked"]))
    sections = [
        _comparison(results),
        *_other_split(results),
        *_repeats(results),
        *_learning(results),
        *_training(fitted),
        _mistakes(judged, question),
        *([evidence.songs(results["explanations"], question)] if "explanations" in results else []),
        *_deciding_words(results),
        corpus_section(question.corpus, {p: len(question.part(p)) for p in SPLITS}, question.split_by, question.seed),
        again_section(
            plan,
            ["lyrist", "evaluate", run, str(question.corpus.path)],
            ["lyrist", "classify", run, "--explain", "--file", "SONG.txt"],
        ),
    ]
    return Page(
        title=f"Which {question.target} is it?",
        subtitle=f"Study {plan.name}: {len(fitted)} recipes, {len(results['classes']):,} classes, "
        f"{sum(results['songs'].values()):,} songs, split by {question.split_by}",
        kicker="Lyrist study",
        lead=(_facts(results), Prose(results["verdict"]), *([Prose(plan.why.strip())] if plan.why else [])),
        sections=sections,
        footer=f"Made by Lyrist {results['lyrist']} from the corpus {results['fingerprint']}.",
    )


def _facts(results: Mapping[str, Any]) -> Facts:
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    accuracy, majority = best["test"]["accuracy"], results["majority"]
    return Facts(
        [
            ("picked", results["picked"], f"by {results['chosen_by']}"),
            ("test accuracy", f"{accuracy['value']:.1%}", _between(accuracy)),
            ("macro F1", f"{best['test']['macro_f1']:.3f}", "every class counts alike"),
            ("majority", f"{majority['accuracy']['value']:.1%}", f"always '{majority['label']}'"),
            ("test songs", f"{best['test']['n']:,}", "read once, at the end"),
        ]
    )


def _between(interval: Mapping[str, float]) -> str:
    return f"95% interval {interval['low']:.1%} to {interval['high']:.1%}"


def _picture(part: Mapping[str, Any], picked: str, name: str) -> Block:
    dots = [
        (line["name"], *(line["test"]["accuracy"][k] for k in ("value", "low", "high"))) for line in part["recipes"]
    ]
    return figures.intervals(
        dots,
        reference=("majority", part["majority"]["accuracy"]["value"]),
        highlight=(picked,),
        xlabel="test accuracy with 95% interval",
        title=f"Test accuracy, split by {part['split_by']}",
        name=name,
    )


def _table(part: Mapping[str, Any], picked: str) -> Table:
    rows, majority = [], part["majority"]
    for line in part["recipes"]:
        test = line["test"]
        accuracy = test["accuracy"]
        rows.append(
            (
                line["name"],
                line["parameters"],
                line["seconds"],
                line["validation"]["accuracy"]["value"],
                accuracy["value"],
                f"{accuracy['low']:.3f} to {accuracy['high']:.3f}",
                test["macro_f1"],
                test["loss"],
                test["n"],
            )
        )
    at = majority["accuracy"]
    said = f"(always '{majority['label']}')"
    rows.append(
        (said, None, None, None, at["value"], f"{at['low']:.3f} to {at['high']:.3f}", None, None, majority["n"])
    )
    chosen = [i for i, line in enumerate(part["recipes"]) if line["name"] == picked]
    return Table(HEAD, rows, highlight=chosen, caption="Every recipe, on the same songs")


def _comparison(results: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [_picture(results, results["picked"], "accuracy"), _table(results, results["picked"])]
    blocks += _paired(results["tests"])
    if results["notes"]:
        blocks.append(Items(results["notes"]))
    intro = (
        f"Selected by {results['chosen_by']}; baselines excluded. The test set was not used for selection. Intervals: Wilson, "
        "95%. Where two intervals overlap, the paired tests decide whether there is a difference."
    )
    return Section("How good", blocks, intro)


def _paired(tests: Mapping[str, Any]) -> list[Block]:
    """Return the table of paired tests, of accuracy and of macro F1, folded up; nothing where there was one recipe."""
    rows = []
    for name, test in tests["against"].items():
        f1 = test["macro_f1"]
        told = (name, test["difference"], test["only_first"], test["only_other"], test["p"], test["p_holm"])
        rows.append((*told, f1["difference"], f"{f1['low']:+.3f} to {f1['high']:+.3f}", f1["p_holm"]))
    if not rows:
        return []
    head = (
        f"{tests['first']} against",
        Column("accuracy", "+.3f", note="difference"),
        "it alone right",
        "the other alone",
        Column("p", ".3g"),
        Column("p, corrected", ".3g", note="Holm"),
        Column("macro F1", "+.3f", note="difference"),
        Column("95% interval"),
        Column("p, corrected ", ".3g", note="Holm"),
    )
    note = (
        "Accuracy: exact McNemar test on the same test songs. Macro F1: bootstrap of these songs. Corrected: for the number "
        "of comparisons."
    )
    return [Details("Paired tests of the picked recipe against each other one", [Table(head, rows, note=note)])]


def _other_split(results: Mapping[str, Any]) -> list[Section]:
    other = results.get("other_split")
    if not other:
        return []
    here, there = (
        next(line["test"]["accuracy"]["value"] for line in part["recipes"] if line["name"] == results["picked"])
        for part in (results, other)
    )
    intro = (
        f"Split by {results['split_by']}, {results['picked']} reaches {here:.1%}; split by {other['split_by']}, {there:.1%}. "
        "By song, the artists of the test songs are known from training, so a model may know the singer rather than the "
        f"{results['target']}. By artist, no artist stands on both sides: that is the figure for a singer never heard before."
    )
    name = f"Split by {other['split_by']}"
    blocks = [_picture(other, results["picked"], "accuracy-other"), _table(other, results["picked"])]
    return [Section(name, [*blocks, *_paired(other["tests"])], intro)]


def _repeats(results: Mapping[str, Any]) -> list[Section]:
    found = results.get("repeats")
    if not found:
        return []
    rows = [{"name": "(the pick of each split)", **found["pick"]}, *found["recipes"]]
    dots = [(row["name"], *(row["accuracy"][k] for k in ("mean", "low", "high"))) for row in rows]
    table = []
    for row in rows:
        test = found["against"].get(row["name"], {})
        a, f = row["accuracy"], row["macro_f1"]
        ahead = (test.get("mean"), test.get("p_holm"), test.get("macro_f1", {}).get("p_holm"))
        table.append((row["name"], a["mean"], a["sd"], f["mean"], f["sd"], *ahead))
    head = (
        "recipe",
        Column("accuracy", ".3f", note="mean"),
        Column("sd", ".3f"),
        Column("macro F1", ".3f", note="mean"),
        Column("sd ", ".3f"),
        Column("behind the best", ".3f", note="accuracy"),
        Column("p, corrected", ".3g", note="accuracy"),
        Column("p, corrected ", ".3g", note="macro F1"),
    )
    note = (
        f"Best in the mean: {found['best']}. Intervals and tests after Nadeau and Bengio (2003): the training sets of the "
        "splits overlap, so that a plain t-test would be too sure. Corrected: by Holm, for the number of comparisons."
    )
    picture = figures.intervals(dots, xlabel="mean test accuracy with 95% interval", name="repeats")
    intro = f"Everything fitted again on {found['n']} different splits of the same songs."
    return [Section("Over several splits", [picture, Table(head, table, note=note)], intro)]


def _learning(results: Mapping[str, Any]) -> list[Section]:
    points = results.get("learning_curve")
    if not points:
        return []
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for point in points:
        x, y = lines.setdefault(point["name"], ([], []))
        x.append(point["songs"])
        y.append(point["accuracy"]["value"])
    picture = figures.curves(
        lines,
        xlabel="training songs",
        ylabel="test accuracy",
        percent=True,
        markers=True,
        name="learning-curve",
        width=720,
    )
    head = ("recipe", Column("songs", ",.0f"), Column("accuracy", ".3f"), "95% interval", Column("seconds", ",.1f"))
    rows = [(p["name"], p["songs"], p["accuracy"]["value"], _span(p["accuracy"]), p["seconds"]) for p in points]
    table = Details("Every point, with its cost", [Table(head, rows)])
    return [
        Section("Learning curve", [picture, table], "What more songs would be worth: the same test songs throughout.")
    ]


def _training(fitted: Mapping[str, Fitted]) -> list[Section]:
    blocks: list[Block] = []
    for name, one in fitted.items():
        drawn = curves(one.run.metrics, name, one.run.info.get("best_step"))
        blocks += drawn
        if drawn:
            info = one.run.info
            told = f"{info['tokens_per_second']:,.0f} real tokens/s, {info['padding']:.1%} padding"
            told += f", step {info['best_step']:,} kept"
            blocks.append(Prose(f"{name}: {info['steps']:,} steps in {info['seconds']:.0f} s, {told}."))
    intro = (
        "Against global steps. Validation is scored on all its songs; the step with the lowest validation loss is kept."
    )
    return [Section("Training", blocks, intro)] if blocks else []


def _mistakes(judged: Predictions, question: View) -> Section:
    classes = sorted({*judged.classes, *judged.truth})
    matrix = np.asarray(confusion(judged.truth, judged.answers, classes))
    blocks: list[Block] = [heatmaps.confusion(matrix, classes, title="Confusion, test songs")]
    rows = by_class(matrix, classes)
    head = ("class", Column("songs", ",.0f"), Column("found", ".1%", note="recall"), "most often taken for")
    blocks.append(Table(head, rows[:CLASSES_SHOWN], caption=f"Classes, commonest first{_of(len(rows), CLASSES_SHOWN)}"))
    if question.target != "artist" and question.part("test")["artist"].is_not_null().any():
        artists = question.part("test")["artist"].fill_null("(none)").to_list()
        groups = by_group(judged.truth, judged.answers, artists)
        table = [(g, v["n"], v["accuracy"]["value"], _span(v["accuracy"])) for g, v in list(groups.items())[:20]]
        head = ("artist", Column("songs", ",.0f"), Column("accuracy", ".1%", bar=True), "95% interval")
        blocks.append(Details("Accuracy by artist", [Table(head, table, caption="The twenty with most test songs")]))
    return Section("Where it errs", [*blocks, evidence.calibration(judged)])


def by_class(matrix: Any, classes: list[str]) -> list[tuple[str, int, float | None, str]]:
    """Return for each class of the test songs: name, songs, recall, and what it is most often taken for."""
    rows = []
    for place, name in enumerate(classes):
        songs = int(matrix[place].sum())
        wrong = matrix[place].copy()
        wrong[place] = 0
        taken = f"{classes[int(wrong.argmax())]} ({int(wrong.max())})" if wrong.max() else ""
        if songs:
            rows.append((name, songs, float(matrix[place, place]) / songs, taken))
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _span(interval: Mapping[str, float]) -> str:
    return f"{interval['low']:.1%} to {interval['high']:.1%}"


def _of(count: int, shown: int) -> str:
    return f" ({shown} of {count:,})" if count > shown else ""


def deciding_words(fitted: Mapping[str, Fitted], selected: str) -> dict[str, Any]:
    """Return the features with the largest weights of the selected recipe, or of a linear one that has them.

    This needs the model; the result is the key ``deciding_words`` of ``results.json``.
    """
    for name in [selected, *(n for n in ("tfidf-logistic", "nb-svm", "char-svm") if n in fitted and n != selected)]:
        found = telling_features(fitted[name].run.model, top=12)
        if found:
            return {"name": name, "classes": {label: [word for word, _ in words] for label, words in found.items()}}
    return {}


def _deciding_words(results: Mapping[str, Any]) -> list[Section]:
    found = results.get("deciding_words")
    if not found:
        return []
    rows = [(label, ", ".join(words)) for label, words in list(found["classes"].items())[:CLASSES_SHOWN]]
    table = Table(("class", "features, largest weight first"), rows)
    return [Section("Words that decide", [table], f"The largest weights of {found['name']} for each class.")]
