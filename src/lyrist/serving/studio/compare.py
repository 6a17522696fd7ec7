"""The tab that sets the served runs side by side, and looks at one of them: curves, confusion, its study's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np

from lyrist.errors import LyristError
from lyrist.metrics.classification import confusion
from lyrist.reports import figures, heatmaps
from lyrist.reports.blocks import Block, Column, Facts, Items, Prose, Table
from lyrist.reports.page import fragment
from lyrist.serving.modelregistry import ModelRegistry, ServedModel
from lyrist.serving.studio.reading import Pages, draw, framed
from lyrist.serving.studio.shown import empty, failed, note, plain
from lyrist.serving.studio.widgets import panel
from lyrist.studies.compare import compare
from lyrist.training.curves import curves, writer_curves

KINDS = {"write": "Writers", "classify": "Classifiers of lyrics", "picture": "Classifiers of pictures"}
CLASSES = 40
"""Classes of a confusion matrix: those that most test songs have."""


def build(models: ModelRegistry, pages: Pages, demo: gr.Blocks) -> None:
    """Put the tab's controls where Gradio stands, and say what they do."""
    panel(
        '<p class="lede">How good each run was on songs that it had not seen, how sure that is, and how it learnt.</p>'
    )
    table = panel(elem_classes="page", elem_id="runs")
    panel('<h2 class="heading">One run, closely</h2>')
    names = list(models.items)
    chosen = gr.Dropdown([(plain(name), name) for name in names], value=names[0], label="Run")
    closely = panel(elem_classes="page", elem_id="run")
    report = panel(elem_id="report")
    made: dict[str, str] = {}

    def together() -> str:
        if "" not in made:
            made[""] = _together(models)
        return made[""]

    def one(name: str) -> Iterator[tuple[str, str]]:
        served = models.items[name]
        address = pages.report(served)
        framed_ = framed(address, "the report of its study") if address else ""
        if name not in made:
            yield note("Drawing its curves.", "busy"), framed_
            try:
                made[name] = _closely(served)
            except Exception as error:
                yield failed(error), framed_
                return
        yield made[name], framed_

    demo.load(together, None, table, show_progress="hidden", api_visibility="private")
    for event in (demo.load, chosen.change):
        event(one, chosen, [closely, report], show_progress="hidden", api_visibility="private")


def _together(models: ModelRegistry) -> str:
    """Return all runs, those of one kind in one table."""
    pieces = []
    for task, title in KINDS.items():
        runs = [served for served in models.items.values() if served.task == task]
        if not runs:
            continue
        try:
            with draw:
                pieces.append(f'<h2 class="heading">{title}</h2>{fragment(_table(task, runs))}')
        except Exception as error:
            pieces.append(f'<h2 class="heading">{title}</h2>{failed(error)}')
    return "".join(pieces) or empty("No run", "Start the server with runs: lyrist serve RUN RUN.")


def _table(task: str, runs: Sequence[ServedModel]) -> list[Block]:
    writes = task == "write"
    key, spec = ("bits_per_byte", ".3f") if writes else ("accuracy", ".1%")
    rows: list[list[Any]] = []
    dots, notes = [], []
    good = []
    for served in runs:
        try:
            row, dot = _row(served, key, spec)
        except LyristError as error:  # one that is damaged, or was never scored, hides no other
            notes.append(_named(str(error), runs))
            continue
        rows.append(row)
        dots.append(dot)
        good.append(served)
    measure = "bits per byte, less is better" if writes else "accuracy on test, 95% interval"
    head: list[str | Column] = ["run", "recipe", "told before it writes" if writes else "target"]
    head += [
        Column("parameters", ",.0f"),
        Column("seconds", ",.1f"),
        Column(measure.split(",")[0].split(" on ")[0], spec),
    ]
    head += ["95% interval", Column("n", ",.0f")]
    head += [Column("perplexity", ",.1f")] if writes else [Column("macro F1", ".3f"), Column("loss", ".3f")]
    if not rows:
        return [Prose(told, "warning") for told in notes]
    drawn = figures.intervals(dots, xlabel=measure, percent=not writes, spec=spec, name=f"runs-{task}")
    return [drawn, Table(head, rows), *_beware(good), *(Prose(told, "warning") for told in notes)]


def _row(served: ServedModel, key: str, spec: str) -> tuple[list[Any], tuple[str, float, float, float]]:
    """Return a run's cells, and its figure with the interval."""
    info, test = served.run.info, served.run.results["test"]
    a = test[key]
    writes = served.task == "write"
    what = " and ".join(info["condition"]) or "nothing" if writes else str(info["target"])
    cells = [served.name, served.recipe, what, info["parameters"], info["seconds"], a["value"]]
    more = [test["perplexity"]] if writes else [test["macro_f1"], test["loss"]]
    span = f"{a['low']:{spec}} to {a['high']:{spec}}"
    return [*cells, span, test["n"], *more], (served.name, a["value"], a["low"], a["high"])


def _beware(runs: Sequence[ServedModel]) -> list[Block]:
    """Return what `compare` says of the runs: what keeps them from being comparable, and whether two can be told apart."""
    if len(runs) < 2:
        return []
    try:
        found = compare(*(str(served.path) for served in runs))
    except LyristError as error:
        return [Prose(_named(str(error), runs), "warning")]
    told = list(found.summary().splitlines()[len(runs) :])
    return [Items([_named(line, runs) for line in told])] if told else []


def _named(text: str, runs: Sequence[ServedModel]) -> str:
    """Return a sentence with the runs' names in place of their paths."""
    for served in sorted(runs, key=lambda each: -len(str(each.path))):
        text = text.replace(str(served.path), served.name)
    return text


def _closely(served: ServedModel) -> str:
    info = served.run.info
    told = [("recipe", served.recipe, f"seed {info.get('seed', 0)}")]
    told.append(("parameters", f"{info['parameters']:,}", ""))
    told.append(
        (
            "seconds of training",
            f"{info['seconds']:,.1f}",
            f"{info.get('steps', 0):,} steps on {info.get('device', 'cpu')}",
        )
    )
    counted = info.get("songs") or info.get("pictures")
    if isinstance(counted, dict) and "train" in counted:
        what = "songs" if info.get("songs") else "pictures"
        told.append((f"training {what}", f"{counted['train']:,}", f"{counted.get('test', 0):,} to test"))
    blocks: list[Block] = [Facts(told)]
    with draw:
        rows = served.run.metrics
        drawing = writer_curves if served.task == "write" else curves
        drawn = drawing(rows, plain(served.name, 30), info.get("best_step")) if rows else []
        blocks += drawn
        if not drawn:
            blocks.append(
                Prose("It is not trained in steps, so there are no curves: it counts, or solves at once.", "note")
            )
        if served.task != "write":
            blocks += _confusion(served)
        return fragment(blocks)


def _confusion(served: ServedModel) -> list[Block]:
    try:
        found = served.run.predictions("test")
    except LyristError as error:
        return [Prose(str(error).replace(str(served.path), served.name), "note")]
    common = [str(name) for name in found["truth"].value_counts(sort=True)["truth"].head(CLASSES)]
    classes = [name for name in served.labels if name in set(common)]
    rest = len(served.labels) - len(classes)
    kept = found.filter(found["truth"].is_in(classes) & found["prediction"].is_in(classes))
    matrix = np.asarray(confusion(kept["truth"].to_list(), kept["prediction"].to_list(), classes))
    caption = f"The {len(classes)} classes with the most test songs; {rest} others are left out." if rest else ""
    return [heatmaps.confusion(matrix, classes, title="Confusion on test", caption=caption)]
