"""The report of a study of writers: how many bits a byte of lyrics costs each, and whether what they write is any good.

A low figure can be had by copying the song's own lines: so samples, obedience, originality and songcraft stand beside it.
Everything on the page comes from what ``results.json`` holds and from the journals of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.songcraft import MEASURES, Measure
from lyrist.reports import figures
from lyrist.reports.blocks import (
    Block,
    Cell,
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
from lyrist.studies.plans import Plan
from lyrist.studies.provenance import again_section, corpus_section
from lyrist.training.curves import writer_curves

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
    for column in results["condition"]:
        lines = [
            (line["name"], line["obedience"][column])
            for line in results["recipes"]
            if column in line.get("obedience", {})
        ]
        if not lines:
            continue
        rows: list[tuple[Cell, ...]] = []
        for name, found in lines:
            written, real = found["written"], found["real"]
            cells = (written["accuracy"]["value"], _span(written["accuracy"], ".0%"), written["n"])
            rows.append((name, *cells, real["accuracy"]["value"], real["n"], found["guessing"]))
        head = (
            "written by",
            Column("recognised", ".1%", bar=True),
            "95% interval",
            Column("n", note="written songs"),
            Column("real songs", ".1%", note="recognised"),
            Column("n ", note="real songs"),
            Column("guessing", ".1%"),
        )
        judge, told = lines[0][1]["judge"], lines[0][1]["labels"]
        note = f"The judge: {judge}, fitted on the training songs to tell {told:,} values of {column} apart."
        intro = (
            f"A classifier that tells the {column} of a song reads what was written for each {column}. How often it recognises "
            "what was asked for stands beside how often it does so in real held-out songs, cut to the same lengths: a writer "
            "cannot be expected to do better, and one that does overdoes it."
        )
        blocks: list[Block] = [Table(head, rows, highlight=_place(lines, results["picked"]), note=note)]
        blocks += _by_label(dict(lines).get(results["picked"]), column, results["picked"])
        sections.append(Section(f"Does it obey the {column}?", blocks, intro, anchor=f"obedience-{column}"))
    return sections


def _place(lines: Sequence[tuple[str, Any]], picked: str) -> list[int]:
    return [number for number, (name, _) in enumerate(lines) if name == picked]


def _by_label(found: Mapping[str, Any] | None, column: str, name: str) -> list[Block]:
    if not found:
        return []
    rows = [(label, each["written"]["n"], each["real"]["n"], *_both(each)) for label, each in found["by_label"].items()]
    head = (
        column,
        Column("n", note="written"),
        Column("n ", note="real"),
        Column("written", ".0%"),
        Column("real", ".0%"),
    )
    return [Details(f"By {column}: what {name} wrote, and real songs", [Table(head, rows)])]


def _both(each: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return each["written"]["accuracy"]["value"], each["real"]["accuracy"]["value"]


def _originality(results: Mapping[str, Any]) -> list[Section]:
    told = _beside_real(results, "originality")
    if len(told) < 2:
        return []
    lengths = [n for n in told[0][1]["shares"] if int(n) % 2 == 0]
    rows: list[tuple[Cell, ...]] = []
    for name, found in told:
        shares = (found["shares"][n]["value"] for n in lengths)
        rows.append((name, *shares, found["longest_run"]["value"], found["longest"]["run"], _source(found["longest"])))
    runs_of = [Column(f"{n} words", ".1%") for n in lengths]
    longest = (Column("run", ".1f", note="mean of songs"), Column("longest", note="words"), "which stands in")
    head: tuple[str | Column, ...] = ("written by", *runs_of, *longest)
    note = (
        "The columns with a number of words: the share of all runs of so many words that stand in a training song. Run: the "
        "longest of each song."
    )
    longest_of = [(name, found["longest"]) for name, found in told]
    quoted = [Prose(f"{name}: “{run['words']}” ({_source(run)})") for name, run in longest_of if run["run"]]
    intro = (
        "How much of what was written stands word for word in the training songs, beside the same for real songs that nobody "
        "learnt from: phrases are common property, long runs are not."
    )
    blocks: list[Block] = [Table(head, rows, highlight=[0], note=note)]
    if quoted:
        blocks.append(Details("The longest copied runs", quoted))
    return [Section("Originality", blocks, intro)]


def _source(longest: Mapping[str, Any]) -> str:
    song = longest["song"]
    return f"{song['artist'] or '?'}: {song['title'] or '?'}" if song else "no training song"


def _beside_real(results: Mapping[str, Any], what: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the figures of real songs, then of each writer."""
    told = [("real held-out songs", results[what])] if results.get(what) else []
    return told + [(line["name"], line[what]) for line in results["recipes"] if line.get(what)]


def _songcraft(results: Mapping[str, Any]) -> list[Section]:
    lines = [line for line in results["recipes"] if line.get("songcraft")]
    if not lines:
        return []
    shown = next((line for line in lines if line["name"] == results["picked"]), lines[0])
    rows: list[tuple[Cell, ...]] = []
    for name, measure in MEASURES.items():
        written, real, away = (shown["songcraft"][part][name] for part in ("written", "real", "difference"))
        between = "–" if away["low"] is None else f"{_signed(away['low'], measure)} to {_signed(away['high'], measure)}"
        told = (
            format(written["value"], measure.spec),
            format(real["value"], measure.spec),
            _signed(away["value"], measure),
        )
        rows.append((measure.label, *told, between))
    right = [Column(name, align="right") for name in (shown["name"], "real songs", "difference")]
    table = Table(
        ("a song's", *right, "95% interval"), rows, caption=f"What {shown['name']} wrote, beside real held-out songs"
    )
    every = [
        (measure.label, *(format(line["songcraft"]["written"][name]["value"], measure.spec) for line in lines))
        for name, measure in MEASURES.items()
    ]
    others = Table(("a song's", *(Column(line["name"], align="right") for line in lines)), every)
    intro = (
        "Is it a song? The nearer a writer's figures are to those of real songs, the better: more rhymes or fewer repeats are "
        "not. Real songs are cut to the lengths of the written ones."
    )
    return [Section("Songcraft", [table, Details("The same of every writer", [others])], intro)]


def _signed(value: float, measure: Measure) -> str:
    return format(value, f"+{measure.spec}")


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
    return again_section(plan, ["lyrist", "evaluate", run, str(corpus.path)], ["lyrist", "write", run, *ask, "-n", "2"])
