"""The models of published reports beside what becomes of them: four columns for each, in every study that has such models.

1. ``report``: what the report says.
2. ``reported``: the model trained by the report's protocol and selected by its own rule, by the test songs: biased.
3. ``honest``: the same training run, selected by the validation songs; the test songs are read once.
4. ``right``: what Lyrist's recipe has on the same songs.

A study takes part by ``[[reported]]`` tables in its TOML file and by `Comparison.rerun`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lyrist.errors import UsageError
from lyrist.metrics.intervals import wilson
from lyrist.reports.blocks import Block, Column, Details, Items, Page, Prose, Section, Table
from lyrist.studies.comparison import Comparison, Job, Line, Request
from lyrist.studies.plans import Plan, Reported, directory
from lyrist.text import counted
from lyrist.training.train import Fitted

FOLDER = "reported"
"""The folder of a study with the runs of the reported models."""

COLUMNS = {
    "report": "the report says",
    "reported": "rerun, its own rule (biased)",
    "honest": "rerun, honest selection",
    "right": "done right",
}
"""What each column is called."""


def check(request: Request) -> None:
    """Raise where an option of the reruns has no meaning or a wrong value."""
    if request.budget_scale <= 0 or request.cpu_minutes < 0:
        raise UsageError("--budget-scale must be above 0, and --cpu-minutes at least 0.")
    if request.plan.reported:
        if request.protocol in ("reported", "honest") and request.time_limit is not None:
            raise UsageError(
                "--time-limit is for Lyrist's recipes; limit the reruns of reported models by --cpu-minutes."
            )
    elif request.protocol != "all":
        raise UsageError(f"The study '{request.plan.name}' has no models of published reports; leave --protocol out.")


def gather(comparison: Comparison, request: Request, found: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """Train the reported models by their own protocols; return the key ``replication`` of ``results.json``, if there are any.

    Parameters
    ----------
    comparison, request
        The study.
    found
        Its results so far: the lines that are done right.
    job
        Where the models are trained; those that an interrupted study has finished are read.
    """
    entries = {each.name: _scaled(each, request) for each in request.plan.reruns(found["target"])}
    if not entries or request.protocol == "right":
        return {}
    if request.time_limit is not None:
        note = "The models of the reports were not trained under --time-limit."
        return {"replication": {"protocol": "right", "budget_scale": 1.0, "models": [], "notes": [note]}}

    def task(line: Line, fitted: Mapping[str, Fitted]) -> Any:
        spent = sum(one.run.info["cpu_seconds"] for one in fitted.values())
        return comparison.rerun(entries[line.name], request.cpu_minutes * 60 - spent, fitted)

    lines = [Line(each.name, each.recipe, each.options, optional=True) for each in entries.values()]
    fitted, left_out = job.fit(lines, task, FOLDER)
    notes = []
    if request.budget_scale != 1:
        notes.append(f"The epochs of the reported models were multiplied by {request.budget_scale:g} (--budget-scale).")
    for name, one in fitted.items():
        if "share" in (rerun := one.run.results["rerun"]):
            notes.append(
                f"{name} was trained for {rerun['share']:.0%} of its epochs: all of them take about "
                f"{rerun['estimate'] / 60:,.0f} CPU-minutes (--cpu-minutes)."
            )
    if request.loop.get("steps"):
        notes.append(f"The reported models were trained for at most {request.loop['steps']:,} updates (--steps).")
    return {
        "replication": {
            "protocol": request.protocol,
            "budget_scale": request.budget_scale,
            "models": [_model(each, fitted.get(name), found, request.protocol) for name, each in entries.items()],
            "notes": [*notes, *left_out],
        }
    }


def _scaled(reported: Reported, request: Request) -> Reported:
    protocol = reported.protocol.scaled(request.budget_scale)
    steps = request.loop.get("steps") or protocol.steps
    return dataclasses.replace(reported, protocol=dataclasses.replace(protocol, steps=steps))


def _model(reported: Reported, fitted: Fitted | None, found: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """Return the columns of one model, the sentence on their differences, and every candidate of its training."""
    rows = [_report_row(reported)]
    model: dict[str, Any] = {
        "name": reported.name, "report": reported.report, "measure": reported.measure, "rows": rows
    }  # fmt: skip
    if fitted:
        info, rerun = fitted.run.info, fitted.run.results["rerun"]
        cost = {key: info[key] for key in ("parameters", "seconds", "cpu_seconds")}
        for column, key in (("reported", "biased"), ("honest", "honest"))[: 1 if protocol == "reported" else 2]:
            scores = rerun[key]
            differs = len(rerun["candidates"]) > 1 or scores[reported.measure] != rerun["honest"][reported.measure]
            at = {
                "biased": key == "biased" and differs,
                "selected": scores["number"],
                "of": len(rerun["candidates"]),
            }
            figure = {"measure": reported.measure, **scores[reported.measure], "n": scores["n"]}
            if key == "honest" and "bits_per_byte" in fitted.run.results["test"]:
                figure["bits_per_byte"] = fitted.run.results["test"]["bits_per_byte"]["value"]
            if "share" in rerun:
                at["planned"] = round(len(rerun["candidates"]) / rerun["share"])
            rows.append({"protocol": column, **figure, **cost, **at, "unit": rerun["unit"]})
        model |= {"run": f"{FOLDER}/{directory(reported.name)}", "rerun": rerun, "rule": reported.protocol.rule}
    name = reported.right or found.get("picked")
    line = next((line for line in found["recipes"] if line["name"] == name), None)
    if line:
        again = found["refit"] if name == found.get("picked") and "refit" in found else line
        cost = {key: again.get(key) for key in ("parameters", "seconds", "cpu_seconds")}
        measure = "bits_per_byte" if "bits_per_byte" in again["test"] else reported.measure
        figure = {"measure": measure, **again["test"][measure], "n": again["test"]["n"]}
        rows.append({"protocol": "right", "line": name, **figure, **cost})
    return {
        **model,
        "sentence": _sentence(model, reported),
        "says": reported.says,
        "assumed": list(reported.assumed),
        "reported_parameters": reported.parameters,
    }


def _report_row(reported: Reported) -> dict[str, Any]:
    row: dict[str, Any] = {"protocol": "report", "measure": reported.measure, "value": reported.value}
    row |= {"n": reported.n, "biased": True}
    if reported.value is not None and reported.n and reported.measure == "accuracy":
        row["low"], row["high"] = wilson(round(reported.value * reported.n), reported.n)
    return {**row, "seconds": reported.seconds, "device": reported.device, "parameters": reported.parameters}


def _sentence(model: Mapping[str, Any], reported: Reported) -> str:
    """Return what the figures of a model show, and where the differences come from."""
    rows = {row["protocol"]: row for row in model["rows"]}
    said, biased, honest, right = (rows.get(name) for name in COLUMNS)
    parts = []
    if biased and said and said["value"] is not None:
        inside = biased["low"] <= said["value"] <= biased["high"]
        parts.append(
            f"The reported {_figure(said)} is {'within' if inside else 'outside'} the interval of the rerun on this data, "
            f"{_figure(biased)} ({_span(biased)})."
        )
    if biased and model["rule"] != "last" and biased["of"] > 1:
        last = {**biased, **model["rerun"]["last"][biased["measure"]]}
        sentence = f"Selected by the test set it has {_figure(biased)}"
        sentence += f", by validation {_figure(honest)}" if honest else ""
        sentence += f", and at its last {model['rerun']['unit']} {_figure(last)}: the difference is the selection."
        parts.append(sentence)
    if biased and honest and model["rule"] == "last" and biased["value"] != honest["value"]:
        share = model["rerun"]["candidates"][-1]["test"]["padding"]
        parts.append(
            f"Of the tokens that the report counts, {share:.0%} are padding; over those of the lyrics alone it has "
            f"{_figure(honest)}."
        )
    if right:
        parts.append(f"Done right ({right['line']}): {_figure(right)} ({_span(right)}).")
    return " ".join([*parts, reported.why]).strip() if parts else ""  # nothing was measured, so nothing is explained


def _span(row: Mapping[str, Any]) -> str:
    if row.get("low") is None:
        return "no interval"
    spec = FORMATS[row.get("measure", "accuracy")][0]
    return f"{row['low']:{spec}} to {row['high']:{spec}}"


FORMATS = {
    "accuracy": (".3f", ""), "mse": (".4f", " mean squared error"), "perplexity": (",.4g", " perplexity"),
    "bits_per_byte": (".3f", " bits per byte"),
}  # fmt: skip
"""How the figure of a measure is written, and what follows it."""


def _figure(row: Mapping[str, Any]) -> str:
    spec, unit = FORMATS[row.get("measure", "accuracy")]
    return f"{row['value']:{spec}}{unit}"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return ""
    more = f"; {row['bits_per_byte']:.3f} bits per byte" if "bits_per_byte" in row else ""
    more += f"; {row['of']} of {row['planned']} {row['unit']}s" if "planned" in row else ""
    return f"{_figure(row)} ({_span(row)}; n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{row['n'] or '?'}){more}"


def columns(models: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row of text for each model: its name, and a cell for each of `COLUMNS`."""
    by = [(model["name"], {row["protocol"]: row for row in model["rows"]}) for model in models]
    return [(name, *(_cell(rows.get(column)) for column in COLUMNS)) for name, rows in by]


def costs(models: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return for each model and column: names, n, parameters, seconds, CPU seconds, and what was selected."""
    found = []
    for model in models:
        for row in model["rows"]:
            selected = f"{row['unit']} {row['selected']} of {row['of']}" if "selected" in row else row.get("line", "")
            cost = (row["parameters"], row["seconds"], row.get("cpu_seconds"), selected or row.get("device", ""))
            found.append((model["name"], COLUMNS[row["protocol"]], row["n"], *cost))
    return found


COST_HEAD = (
    "model",
    "column",
    Column("n", ",.0f"),
    Column("parameters", ",.0f"),
    Column("seconds", ",.1f"),
    Column("CPU-seconds", ",.1f"),
    "selected, line or machine",
)


def summary(results: Mapping[str, Any]) -> list[str]:
    """Return the four columns of each model as lines of text."""
    found = results.get("replication")
    if not found:
        return []
    lines = ["models of published reports, test accuracy where no other figure is named:"]
    for name, *cells in columns(found["models"]):
        lines.append(f"  {name}")
        lines += [f"    {title:<30} {cell}" for title, cell in zip(COLUMNS.values(), cells, strict=True) if cell]
    return [*lines, *found["notes"]]


def sections(results: Mapping[str, Any]) -> list[Section]:
    """Return the section of the report with the four columns, their cost, their curves, and what explains them."""
    found = results.get("replication")
    if not found or (not found["models"] and not found["notes"]):
        return []
    models = found["models"]
    table = Table(
        ("model", *COLUMNS.values()),
        columns(models),
        caption="Test accuracy (Wilson) or the figure that is named, 95% interval, and n",
    )
    note = "One training run gives both columns of a rerun, so their cost is that of one run."
    blocks: list[Block] = [table, Items([f"{m['name']}: {m['sentence']}" for m in models if m["sentence"]])]
    if found["notes"]:
        blocks.append(Items(found["notes"]))
    blocks.append(Details("Cost of every column", [Table(COST_HEAD, costs(models), note=note)]))
    for model in models:
        settings = [f"{model['report']}. {model['says']}".strip(), *model["assumed"]]
        blocks.append(Details(f"{model['name']}: settings and training", [Items(settings), *_curve(model)]))
    intro = (
        "Each model of a published report at its own settings, with none of Lyrist's improvements. The second column selects by "
        "the test songs, as the report did, which is biased: it is the best of many figures. The third is the same training run, "
        "selected by the validation songs. The model was trained on the training songs alone, so on fewer songs than the report "
        "where that had no validation songs. Of a writer the second column counts as the report did, padding included, and the "
        "third counts the tokens of the lyrics and the end."
    )
    return [Section("The reports, rerun and done right", blocks, intro, anchor="replication")]


def _curve(model: Mapping[str, Any]) -> list[Block]:
    from lyrist.reports import figures

    candidates = model.get("rerun", {}).get("candidates", [])
    if len(candidates) < 2 or "step" not in candidates[0]:
        return []
    steps = [float(each["step"]) for each in candidates]
    drawn = []
    units = (("accuracy", "share"), ("loss", "mean squared error" if model["measure"] == "mse" else "nats"))
    for measure, unit in units:
        if measure not in candidates[0]["test"]:
            continue
        lines = {
            title: (steps, [float(each[split][measure]) for each in candidates])
            for split, title in (("validation", "validation"), ("test", "test (biased)"))
        }
        title = f"{model['name']}: {measure}"
        drawn.append(figures.curves(lines, xlabel="global step", ylabel=unit, title=title, name=directory(title)))
    return [*drawn, Prose(f"Every update and epoch: metrics.jsonl and curves.svg in {model['run']}.")]


def page(plan: Plan, results: Mapping[str, Any]) -> Page:
    """Return the page of a study that has only the reported models."""
    from lyrist.studies import sections as common

    models = results["replication"]["models"]
    title, shown = "What the reports say, and what a rerun has", f"{counted(len(models), 'model')} of published reports"
    found = [*sections(results), common.again_section(plan)]
    return common.page(plan, results, title, shown, (), found)
