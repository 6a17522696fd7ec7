"""The report of a study of writers: how many bits a byte of lyrics costs each, and whether what they write is any good.

A low figure can be had by copying the song's own lines: so samples, obedience, originality and songcraft stand beside it.
Everything on the page comes from what ``results.json`` holds and from the journals of the runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lyrist.corpus.corpus import Corpus
from lyrist.reports import figures
from lyrist.reports.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Details,
    Facts,
    Items,
    Lyrics,
    Page,
    Prose,
    Section,
    Table,
)
from lyrist.studies.curves import writer_curves
from lyrist.studies.plans import Plan
from lyrist.studies.provenance import corpus_section

UNIT = "bits per byte"

HEAD = (
    "recipe",
    Column("parameters", ",.0f"),
    Column("seconds", ",.0f", note="to fit"),
    Column("validation", ".3f", note=UNIT),
    Column("test", ".3f", note=UNIT),
    "95% interval",
    Column("perplexity", ",.1f", note="a token"),
    Column("tokens", ",.0f"),
    Column("n", ",.0f", note="songs"),
)

CRAFT = {
    "rhyme_density": Column("rhyme density", ".2f", note="of line ends"),
    "syllables": Column("syllables", ".1f", note="a line"),
    "repetition": Column("repetition", ".2f", note="repeated words"),
    "words": Column("words", ",.0f", note="a song"),
    "lines": Column("lines", ",.0f", note="a song"),
    "section_lines": Column("lines a section", ".1f"),
}
"""How the figures of songcraft are shown; others are shown by their names."""

Line = Mapping[str, Any]
"""A line of ``results["recipes"]``."""


def compose(plan: Plan, corpus: Corpus, results: Mapping[str, Any], journals: Mapping[str, Any], out: Path) -> Page:
    """Return the page of a finished study of writers.

    Parameters
    ----------
    plan
        What was asked.
    corpus
        The songs.
    results
        What ``results.json`` holds.
    journals
        By name of a line: the rows of its ``metrics.jsonl``; empty where nothing was trained in steps.
    out
        Where the study will stand; the commands on the page name it.
    """
    told = " and ".join(results["condition"]) or "nothing"
    sections = [
        _comparison(results),
        *_samples(results),
        *_obedience(results),
        *_originality(results),
        *_songcraft(results),
        *_training(results, journals),
        *_reported(results),
        corpus_section(corpus, results["songs"], results["split_by"], results["split_seed"]),
        _again(plan, corpus, results, out),
    ]
    return Page(
        title=f"Who writes lyrics, told the {told}?" if results["condition"] else "Who writes lyrics?",
        subtitle=f"Study {plan.name}: {len(results['recipes'])} writers, {results['songs']['train']:,} songs to learn from, "
        f"split by {results['split_by']}",
        kicker="Lyrist study",
        lead=(_facts(results), Prose(results["verdict"]), *([Prose(plan.why.strip())] if plan.why else [])),
        sections=sections,
        footer=f"Made by Lyrist {results['lyrist']} from the corpus {results['fingerprint']}.",
    )


def _picked(results: Mapping[str, Any]) -> Line:
    line: Line = next(line for line in results["recipes"] if line["name"] == results["picked"])
    return line


def _facts(results: Mapping[str, Any]) -> Facts:
    best = _picked(results)
    cost = best["test"]["bits_per_byte"]
    facts = [
        ("picked", results["picked"], f"by {results['chosen_by']}"),
        ("test", f"{cost['value']:.3f}", f"{UNIT}, 95% interval {_span(cost)}"),
    ]
    for line in results["baselines"]:
        facts.append((line["name"], f"{line['test']['bits_per_byte']['value']:.3f}", f"{UNIT}, {line['summary']}"))
    facts.append(("test songs", f"{best['test']['n']:,}", "read once, at the end"))
    return Facts(facts)


def _span(interval: Mapping[str, float], spec: str = ".3f") -> str:
    """Return an interval as text that is not broken over lines."""
    return f"{interval['low']:{spec}}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{interval['high']:{spec}}"


# ------------------------------------------------------------------------------------------------------ bits per byte


def _comparison(results: Mapping[str, Any]) -> Section:
    lines = [*results["baselines"], *results["recipes"]]
    dots = [(line["name"], *(line["test"]["bits_per_byte"][k] for k in ("value", "low", "high"))) for line in lines]
    free = min(results["baselines"], key=lambda line: line["test"]["bits_per_byte"]["value"], default=None)
    picture = figures.intervals(
        dots,
        reference=(free["name"], free["test"]["bits_per_byte"]["value"]) if free else None,
        highlight=(results["picked"],),
        xlabel="bits per byte (less is better), 95% interval",
        percent=False,
        spec=".3f",
        title="What a byte of an unseen song costs",
        name="bits-per-byte",
    )
    chosen = [i for i, line in enumerate(lines) if line["name"] == results["picked"]]
    table = Table(HEAD, [_row(line) for line in lines], highlight=chosen, caption="Every writer, on the same songs")
    blocks: list[Block] = [picture, table, *_paired(results)]
    if results["notes"]:
        blocks.append(Items(results["notes"]))
    intro = (
        "A model of language is as good as the songs that it has not seen are cheap to it: the fewer bits a byte costs, the more "
        "it knows. Bits per byte do not depend on how a model cuts words into tokens, as perplexity does. Padding is not scored, "
        f"nor is what the writer was told. The writer was picked by {results['chosen_by']}; the test songs had no part in any "
        "choice. Intervals: bootstrap over songs, 95%. A low figure may come from repeating the song's own lines: read on."
    )
    return Section("How good", blocks, intro)


def _row(line: Line) -> tuple[Cell, ...]:
    test = line["test"]
    cost = test["bits_per_byte"]
    return (
        line["name"],
        line.get("parameters"),
        line["seconds"],
        line["validation"]["bits_per_byte"]["value"],
        cost["value"],
        _span(cost),
        test.get("perplexity"),
        test.get("tokens"),
        test["n"],
    )


def _paired(results: Mapping[str, Any]) -> list[Block]:
    tests = results["tests"]
    rows = [(n, t["difference"], _span(t, "+.3f"), t["p"], t["p_holm"]) for n, t in tests["against"].items()]
    if not rows:
        return []
    head = (
        f"{tests['first']} against",
        Column("difference", "+.3f", note=UNIT),
        "95% interval",
        Column("p", ".3g"),
        Column("p, corrected", ".3g", note="Holm"),
    )
    note = (
        "Below zero: the picked writer is cheaper. Bootstrap of the differences song by song, on the same test songs."
    )
    return [Details("The picked writer against each other one, in pairs", [Table(head, rows, note=note)])]


# ------------------------------------------------------------------------------------------------------------ samples


def _samples(results: Mapping[str, Any]) -> list[Section]:
    """Show what the picked writer wrote, and the others under a click."""
    every = results["samples"]
    blocks: list[Block] = []
    for name in sorted(every, key=lambda name: name != results["picked"]):
        shown: list[Block] = [_song(song) for song in every[name]]
        blocks += shown if name == results["picked"] else [Details(f"What {name} wrote", shown)]
    if not blocks:
        return []
    how = results["written"]["how"]
    intro = (
        f"Written by {results['picked']}, the first songs that it drew for each condition: nothing was selected. {how} Marked: "
        "the longest run of words that also stands in a song it learnt from."
    )
    return [Section("Samples", blocks, intro)]


def _song(song: Mapping[str, Any]) -> Lyrics:
    told = ", ".join(f"{column}: {value}" for column, value in song["given"].items()) or "told nothing"
    spans = [tuple(song["span"])] if song.get("span") else []
    return Lyrics(song["text"] or "(an empty song)", [(a, b, 1.0) for a, b in spans], title=told, note=song["note"])


# ------------------------------------------------------------------------------------- obedience, originality, craft


def _obedience(results: Mapping[str, Any]) -> list[Section]:
    sections = []
    for column, real in results["obedience"].items():
        rows: list[tuple[Cell, ...]] = [("real held-out songs", *_judged(real["real"]))]
        rows += [
            (line["name"], *_judged(line["obedience"][column]))
            for line in results["recipes"]
            if column in line.get("obedience", {})
        ]
        head = ("written by", Column("recognised", ".1%", bar=True), "95% interval", Column("by chance", ".1%"), "n")
        note = f"The judge: {real['judge']}, fitted on the training songs."
        intro = (
            f"A classifier that tells the {column} of a song reads what was written for each {column}. How often it recognises "
            "what was asked for stands beside how often it is right on real songs: a writer cannot be expected to do better."
        )
        table = Table(head, rows, highlight=[0], note=note)
        sections.append(Section(f"Does it obey the {column}?", [table], intro, anchor=f"obedience-{column}"))
    return sections


def _judged(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    share = found["accuracy"]
    return share["value"], _span(share, ".1%"), found.get("chance"), found["n"]


def _originality(results: Mapping[str, Any]) -> list[Section]:
    lines = [line for line in results["recipes"] if line.get("originality")]
    real = results.get("originality")
    if not lines:
        return []
    lengths = sorted({int(n) for line in lines for n in line["originality"]["shares"]})
    told = [("real held-out songs", real)] if real else []
    told += [(line["name"], line["originality"]) for line in lines]
    rows: list[tuple[Cell, ...]] = []
    for name, found in told:
        longest = found["longest"]
        rows.append((name, *(found["shares"].get(str(n)) for n in lengths), longest["words"], longest["song"]))
    head: tuple[str | Column, ...] = (
        "written by",
        *(Column(f"{n}", ".1%") for n in lengths),
        Column("longest", note="words"),
        "in the song",
    )
    note = "The columns with a number: the share of written runs of so many words that stand in a training song."
    runs = [
        Prose(f"{name}: “{found['longest']['text']}” ({found['longest']['song']})")
        for name, found in told
        if found["longest"]["words"]
    ]
    intro = (
        "How much of what was written stands word for word in the training songs, beside the same for real songs that nobody "
        "learnt from: phrases are common property, long runs are not."
    )
    blocks: list[Block] = [Table(head, rows, highlight=[0] if real else [], note=note)]
    if runs:
        blocks.append(Details("The longest copied runs", runs))
    return [Section("Originality", blocks, intro)]


def _songcraft(results: Mapping[str, Any]) -> list[Section]:
    told = [("real held-out songs", results["songcraft"])] if results.get("songcraft") else []
    told += [(line["name"], line["songcraft"]) for line in results["recipes"] if line.get("songcraft")]
    if len(told) < 2:
        return []
    names = [name for name, value in told[0][1].items() if isinstance(value, int | float)]
    head: tuple[str | Column, ...] = (
        "written by",
        *(CRAFT.get(name, Column(name.replace("_", " "), ".3g")) for name in names),
    )
    rows: list[tuple[Cell, ...]] = [(who, *(found.get(name) for name in names)) for who, found in told]
    intro = "Is it a song? The nearer a writer's figures are to those of real songs, the better; more is not better."
    return [Section("Songcraft", [Table(head, rows, highlight=[0])], intro)]


# ----------------------------------------------------------------------------------------------------------- training


def _training(results: Mapping[str, Any], journals: Mapping[str, Any]) -> list[Section]:
    trained = [line for line in results["recipes"] if journals.get(line["name"])]
    if not trained:
        return []
    first = min(trained, key=lambda line: line["validation"]["bits_per_byte"]["value"])["name"]
    blocks: list[Block] = []
    for line in sorted(trained, key=lambda line: line["name"] != first):
        drawn: list[Block] = list(writer_curves(journals[line["name"]], line["name"], line.get("best_step")))
        drawn.append(Prose(_cost(line)))
        blocks += drawn if line["name"] == first else [Details(f"How {line['name']} was trained", drawn)]
    intro = (
        "Loss in nats a token, against global steps. Validation is scored before the first update and again as it goes; the "
        "weights with the lowest validation loss are kept. Losses of writers with different tokens cannot be compared: bits per "
        "byte can."
    )
    return [Section("Training", blocks, intro)]


def _cost(line: Line) -> str:
    return (
        f"{line['name']}: {line['steps']:,} steps in {line['seconds']:,.0f} s on {line['device']} ({line['precision']}), "
        f"{line['tokens_per_second']:,.0f} real tokens/s, {line['padding']:.1%} padding, step {line['best_step']:,} kept."
    )


def _reported(results: Mapping[str, Any]) -> list[Section]:
    found = results.get("as_reported")
    if not found:
        return []
    head = (
        "how it is computed",
        Column("accuracy", ".3f"),
        Column("loss", ".3f", note="nats"),
        Column("perplexity", ",.4g"),
        "",
    )
    rows = [
        (r["name"], r.get("accuracy"), r.get("loss"), r.get("perplexity"), r.get("note", "")) for r in found["rows"]
    ]
    intro = (
        "The older reports gave a perplexity of 5.7e51 before tuning, 8.5 after it, and an accuracy of 0.84. This is how such "
        f"figures come about, computed on {found['name']} and the same test songs in each way: the model does not change, the "
        "figure does. Only the first row means anything."
    )
    return [Section("As the reports counted", [Table(head, rows, highlight=[0], note=found.get("note", ""))], intro)]


def _again(plan: Plan, corpus: Corpus, results: Mapping[str, Any], out: Path) -> Section:
    run = str(out / "runs" / results["directories"][results["picked"]])
    ask = [word for column, values in results["conditions"].items() if values for word in (f"--{column}", values[0])]
    lines = [
        shlex.join(["lyrist", "study", plan.name, str(corpus.path), "--seed", str(results["seed"]), "--out", str(out)]),
        shlex.join(["lyrist", "evaluate", run, str(corpus.path)]),
        shlex.join(["lyrist", "write", run, *ask, "-n", "2"]),
    ]
    return Section("How to run it again", [Code("\n".join(lines))])
