"""A study of writers: bits per byte of unseen songs, and an evaluation of the lyrics that each writer writes.

A general file compressor, PPMd, is reported beside the writers and cannot be selected: a writer with more bits per byte has
learnt little about lyrics. A low figure can be reached by copying a song's own lines, so a writer is selected among those whose
lines are not recognisable as generated, and samples, fluency, originality and songcraft are reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.names import mentions
from lyrist.errors import UsageError
from lyrist.evaluation.compression import ppmd
from lyrist.evaluation.fluency import RECOGNISABLE, passes, strongest
from lyrist.evaluation.songcraft import MEASURES, Measure
from lyrist.metrics.intervals import holm
from lyrist.metrics.language_modelling import SongLosses, paired
from lyrist.metrics.language_modelling import figures as scores_of
from lyrist.models import registry
from lyrist.reports import figures
from lyrist.reports.blocks import (
    Block,
    Cell,
    Column,
    Details,
    Facts,
    Game,
    Items,
    Lyrics,
    Page,
    Prose,
    Round,
    Section,
    Table,
)
from lyrist.studies import replication, sections
from lyrist.studies.comparison import Comparison, Job, Line, Request
from lyrist.studies.plans import Plan, Reported, directory
from lyrist.text import counted
from lyrist.training import estimators
from lyrist.training.dataset import LYRICS
from lyrist.training.runs import open_run
from lyrist.training.train import HELD, Fitted
from lyrist.training.writing_task import WritingTask, losses, sentence

if TYPE_CHECKING:
    from lyrist.training.reported_writing import ReportedWritingTask

UNIT = "bits per byte"

FLUENT = " among writers whose lines are not recognisable as generated"

PRIMER = 50_000
"""Maximum number of training songs that the compressor reads before it is scored; it reads 16 MB of them."""


@dataclass(frozen=True)
class WriterStudy(Comparison):
    """A comparison of writers."""

    kind: ClassVar[str] = "write"
    folders: ClassVar[tuple[str, ...]] = ("runs",)
    plan: Plan
    songs: WritingTask
    lines: Sequence[Line] = ()
    seed: int = 0

    @classmethod
    def open(cls, request: Request) -> WriterStudy:
        """Open the corpus and check every line and option."""
        plan, selection = request.plan, request.selection
        if selection.target not in (None, LYRICS):
            raise UsageError(
                f"The study '{plan.name}' is of writers, which do not predict the {selection.target} of a song; leave --target "
                "out, or choose a study of classifiers ('lyrist studies' lists them)."
            )
        request.refuse("writers", but=("target", "condition"))
        corpus = Corpus.open(request.data)
        songs = WritingTask.of(corpus, plan.condition if selection.condition is None else selection.condition)
        lines = [
            Line(entry.title, entry.recipe, request.options(entry), entry.optional) for entry in plan.lines(LYRICS)
        ]
        for line in lines:
            estimators.configure(line.recipe, line.options, request.seed, "write")
        return cls(plan, songs, lines, request.seed)

    @classmethod
    def reopen(cls, plan: Plan, results: Mapping[str, Any], data: str) -> WriterStudy:
        """Open the corpus of a finished study."""
        return cls(plan, WritingTask(Corpus.open(data), tuple(results["condition"])))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the corpus."""
        return self.songs.fingerprint

    def task(self, line: Line, fitted: Mapping[str, Fitted]) -> WritingTask:
        """Return the task, which is the same for all lines."""
        return self.songs

    def rerun(self, reported: Reported, limit: float, fitted: Mapping[str, Fitted]) -> ReportedWritingTask:
        """Return the task of training a reported writer by its own protocol, on the same songs as every line."""
        from lyrist.training.reported_writing import ReportedWritingTask

        return ReportedWritingTask(self.songs.corpus, self.songs.condition, protocol=reported.protocol, limit=limit)

    def basis(self) -> dict[str, Any]:
        """Return the corpus, the conditions and the songs."""
        songs = self.songs
        return {
            "target": LYRICS,
            "condition": list(songs.condition),
            "split_by": songs.split_by,
            "split_seed": songs.split_seed,
            "corpus": str(songs.corpus.path.resolve()),
            "songs": {split: songs.songs(split) for split in SPLITS},
        }

    @cached_property
    def _evaluation(self) -> Any:
        from lyrist.studies.samples import SampleEvaluation

        return SampleEvaluation.of(self.songs, self.seed)

    def after(self) -> Callable[[Any, Path], Mapping[str, Any]] | None:
        """Return what has each fitted writer write songs and evaluates them."""
        found: Callable[[Any, Path], Mapping[str, Any]] = self._evaluation.run
        return found

    def gather(self, fitted: Mapping[str, Fitted], left_out: Sequence[str], job: Job) -> dict[str, Any]:
        """Return every figure, the writer selected on validation, the paired tests and the samples."""
        from lyrist.studies.samples import HOW, SONGS

        songs, evaluation = self.songs, self._evaluation
        scores = {name: one.run.results for name, one in fitted.items()}
        ranked = sorted(fitted, key=lambda name: scores[name]["validation"]["bits_per_byte"]["value"])
        fluency = {name: one.run.results.get("fluency") or evaluation.read(one.run) for name, one in fitted.items()}
        fluent = [name for name in ranked if passes(fluency[name])]
        first = (fluent or ranked)[0]
        second = next((name for name in ranked if name != first), None)
        real = evaluation.real([one.run.path for one in fitted.values()])
        cost = {name: losses(one.run, "test")[1] for name, one in fitted.items()}
        tests: dict[str, dict[str, float]] = {name: paired(cost[first], cost[name]) for name in fitted if name != first}
        for test, p in zip(tests.values(), holm([test["p"] for test in tests.values()]), strict=True):
            test["p_holm"] = p
        results = {
            "picked": first,
            "chosen_by": f"validation {UNIT}" + (FLUENT if 0 < len(fluent) < len(ranked) else ""),
            "verdict": " ".join(
                [
                    *([sentence(first, second, tests[second])] if second else []),
                    *_recognised(first, ranked, fluency, real["fluency"]),
                ]
            ),
            **self.basis(),
            "conditions": {column: list(values) for column, values in fitted[first].run.info["conditions"].items()},
            "recipes": [{**_line(name, one), "fluency": fluency[name]} for name, one in fitted.items()],
            "baselines": [self._compressor()],
            "tests": {"first": first, "against": tests},
            "left_out": list(left_out),
            "mentions": self._mentions(cost),
            **real,
            "written": {"how": HOW, "songs": SONGS},
            "samples": {name: evaluation.shown(one.run.path) for name, one in fitted.items()},
            "game": {name: evaluation.game(one.run.path) for name, one in fitted.items()},
            "directories": {name: directory(name) for name in fitted},
        }
        results["notes"] = [*_notes(results, songs), *left_out]
        results["as_reported"] = self._as_reported(results, fitted)
        return results

    def _mentions(self, cost: Mapping[str, SongLosses]) -> dict[str, Any]:
        """Return, for each condition, how many test songs name its value, and the bits per byte of these and the others.

        Returns
        -------
        dict
            By column: ``n`` and ``named`` count test songs; ``recipes`` has an object a writer: ``name``, and under
            ``named`` and ``others`` the ``n`` and ``bits_per_byte``, where there are such songs.
        """
        test, found = self.songs.held["test"], {}
        for column in self.songs.condition:
            named = test.select(mentions(pl.col(LYRICS), pl.col(column).cast(pl.String))).to_series().to_numpy()
            parts = {"named": named, "others": ~named}
            lines = [
                {
                    "name": name,
                    **{
                        part: {key: scored[key] for key in ("n", "bits_per_byte")}
                        for part, rows in parts.items()
                        if rows.any() and (scored := scores_of(each.of(rows)))
                    },
                }
                for name, each in cost.items()
            ]
            found[column] = {"n": len(named), "named": int(named.sum()), "recipes": lines}
        return found

    def _compressor(self) -> dict[str, Any]:
        """Return the line of the compressor on the same held-out songs."""
        primer = self.songs.training_texts(PRIMER)
        line: dict[str, Any] = {"name": "PPMd", "summary": "a file compressor", "seconds": 0.0}
        for split, songs in self.songs.held.items():
            line[split] = ppmd(primer, songs[LYRICS].to_list(), seed=self.seed)
            line["seconds"] += line[split]["cpu_seconds"]
        return line

    def _as_reported(self, results: Mapping[str, Any], fitted: Mapping[str, Fitted]) -> dict[str, Any]:
        """Return the older reports' figures for the network with the fewest bits per byte, or for the selected writer."""
        from lyrist.evaluation.legacy_metrics import as_reported

        networks = [line for line in results["recipes"] if registry.get(line["recipe"]).family == "neural"]
        best = min(networks, key=lambda line: line["validation"]["bits_per_byte"]["value"], default=None)
        name = best["name"] if best else results["picked"]
        return {"name": name, **as_reported(fitted[name].run.writer, self.songs.held["test"], seed=self.seed)}

    @staticmethod
    def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Return the header and the rows of ``results.csv``: a row for each writer and for the compressor."""
        names = ("n", "bits_per_byte", "bits_per_byte_low", "bits_per_byte_high", "perplexity", "tokens", "bytes")
        head = [f"{split}_{name}" for split in HELD for name in names]
        rows = []
        for line in [*results["recipes"], *results.get("baselines", [])]:  # none in a study of the reruns alone
            row = [line["name"], line.get("recipe", ""), "+".join(results["condition"]), results["split_by"]]
            row += [line.get("parameters", ""), line["seconds"]]
            for split in HELD:
                found = line[split]
                row += [found["n"], *(found["bits_per_byte"][key] for key in ("value", "low", "high"))]
                row += [found.get(key, "") for key in ("perplexity", "tokens", "bytes")]
            auc = strongest(line.get("fluency", {})) or {}
            row += [auc.get(key, "") for key in ("judge", "value", "low", "high")]
            row += [
                (line.get("fluency", {}).get(key) or {}).get("value", "") for key in ("copied_lines", "known_words")
            ]
            rows.append(row)
        head += ["judge", "recognised", "recognised_low", "recognised_high", "copied_lines", "known_words"]
        return ["name", "recipe", "condition", "split_by", "parameters", "seconds", *head], rows

    @staticmethod
    def summary(results: Mapping[str, Any]) -> list[str]:
        """Return a line for each writer, which one was selected, and what was left out."""
        every = [*results["baselines"], *results["recipes"]]
        width = max(len(line["name"]) for line in every)
        given = f", conditioned on {' and '.join(results['condition'])}" if results["condition"] else ""
        lines = [f"{results['study']}: lyrics{given}, split by {results['split_by']}"]
        for line in every:
            mark = "*" if line["name"] == results["picked"] else " "
            auc = strongest(line.get("fluency", {}))
            found = f"; recognised as generated {auc['value']:.0%} ({auc['judge']})" if auc else ""
            scores = WritingTask.scored(line["test"]) + found
            lines.append(f"{mark} {line['name']:<{width}}  {line['seconds']:>7.1f} s  test {scores}")
        lines.append(f"* selected by {results['chosen_by']}. {results['verdict']}")
        return [*lines, *replication.summary(results), *results["left_out"]]

    def page(self, results: Mapping[str, Any], folder: Path, out: Path) -> Page:
        """Return the report; everything on it comes from files."""
        condition = " and ".join(results["condition"])
        fitted = {name: Fitted(open_run(folder / "runs" / directory(name))) for name in results["directories"]}
        run = str(out / "runs" / directory(results["picked"]))
        given = [
            word for column, values in results["conditions"].items() if values for word in (f"--{column}", values[0])
        ]
        corpus = self.songs.corpus
        return sections.page(
            self.plan,
            results,
            f"Which writer is best, conditioned on {condition}?" if condition else "Which writer is best?",
            f"{counted(len(results['recipes']), 'writer')}, {results['songs']['train']:,} training songs, split by "
            f"{results['split_by']}",
            (_facts(results), Prose(results["verdict"])),
            [
                _comparison(results),
                *replication.sections(results),
                *_fluency(results),
                *_game(results),
                *_samples(results),
                *_conditioning(results),
                *_named(results),
                *_originality(results),
                *_songcraft(results),
                *_training(results, fitted),
                *_legacy(results),
                sections.corpus_section(corpus, results["songs"], results["split_by"], results["split_seed"]),
                sections.again_section(
                    self.plan,
                    ["lyrist", "evaluate", run, str(corpus.path)],
                    ["lyrist", "write", run, *given, "-n", "2"],
                ),
            ],
            f"Language models were fitted on {results['songs']['train']:,} songs and evaluated on {results['songs']['test']:,} "
            f"held-out songs, split by {results['split_by']}, with near-copies and contained versions on one side [Broder], in "
            f"bits per byte, which do not depend on the tokenizer. Models were selected by {results['chosen_by']}; the test set "
            "was not used for selection. Written lines were compared with real ones of the validation split by a linear "
            "classifier on representations of a judge, cross-validated by song (AUC). Intervals are bootstrap intervals over "
            "songs [Efron], also of paired differences.",
        )


def _line(name: str, one: Fitted) -> dict[str, Any]:
    """Return a writer's line of ``results.json``."""
    always = ("recipe", "parameters", "seconds", "cpu_seconds")
    trained = ("steps", "best_step", "tokens_per_second", "padding", "device", "precision")
    info = one.run.info
    return {
        "name": name,
        **{key: info[key] for key in always},
        **{key: info[key] for key in trained if key in info},
        **one.run.results,
    }


def _recognised(
    first: str, ranked: Sequence[str], fluency: Mapping[str, Mapping[str, Any]], real: Mapping[str, Any]
) -> list[str]:
    """Return sentences on how often the writers' lines are recognised as generated; ``ranked`` by bits per byte."""
    found = {name: strongest(fluency[name]) for name in ranked}
    known = {name: auc for name, auc in found.items() if auc}
    if not known:
        return ["Whether lines can be distinguished from real ones was not measured: there are too few songs."]
    sentences = []
    if own := known.get(first):
        floor = (real["judges"].get(own["judge"], {}).get("recognised") or {}).get("value")
        beside = "" if floor is None else f"; of real lines against other real ones {floor:.0%}"
        sentences.append(
            f"Of a line by {first} and a real line, the judge {own['judge']} finds the generated one in "
            f"{own['value']:.0%} of pairs (95% interval {own['low']:.0%} to {own['high']:.0%}{beside})."
        )
    others = [name for name in ranked if not passes(fluency[name])]
    called = ", ".join(
        f"{name} ({known[name]['value']:.0%})" if name in known else f"{name} (not measured)" for name in others
    )
    if len(others) == len(ranked):
        sentences.append(
            f"Every writer is recognisable as generated, or it cannot be excluded (the interval of none ends below "
            f"{RECOGNISABLE:.0%}), so bits per byte alone decided: {called}."
        )
    elif others:
        sentences.append(f"Not selected, because recognisable as generated or possibly so: {called}.")
    return sentences


def _notes(results: Mapping[str, Any], songs: WritingTask) -> list[str]:
    """Return what a reader must know about the comparison."""
    notes = []
    cost = {
        line["name"]: line["test"]["bits_per_byte"]["value"] for line in (*results["recipes"], *results["baselines"])
    }
    for line in results["baselines"]:
        worse = [each["name"] for each in results["recipes"] if cost[each["name"]] > cost[line["name"]]]
        if worse:
            notes.append(f"Worse than {line['name']}, {line['summary']}: {', '.join(worse)}.")
    for column, found in results["mentions"].items():
        if found["named"]:
            notes.append(f"{found['named']:,} of {found['n']:,} test songs name their {column} in the lyrics.")
    for split in HELD:
        scored, available = len(songs.held[split]), songs.songs(split)
        if scored < available:
            notes.append(f"Of the {available:,} {split} songs, {scored:,} were sampled and scored, the same for all.")
    return notes


# The sections of the report.


def _picked(results: Mapping[str, Any]) -> Mapping[str, Any]:
    line: Mapping[str, Any] = next(line for line in results["recipes"] if line["name"] == results["picked"])
    return line


def _facts(results: Mapping[str, Any]) -> Facts:
    best = _picked(results)
    cost = best["test"]["bits_per_byte"]
    facts = [
        ("selected", results["picked"], f"by {results['chosen_by']}"),
        ("test", f"{cost['value']:.3f}", f"{UNIT}, 95% interval {_span(cost)}"),
    ]
    if auc := strongest(best.get("fluency", {})):
        facts.append(
            (
                "recognised as generated",
                f"{auc['value']:.0%}",
                f"of pairs with a real line, {_span(auc, '.0%')}; 50%: not at all",
            )
        )
    for line in results["baselines"]:
        facts.append((line["name"], f"{line['test']['bits_per_byte']['value']:.3f}", f"{UNIT}, {line['summary']}"))
    facts.append(("test songs", f"{best['test']['n']:,}", "read once, at the end"))
    return Facts(facts)


def _span(interval: Mapping[str, float], spec: str = ".3f") -> str:
    """Return an interval as text that is not broken over lines."""
    return f"{interval['low']:{spec}}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{interval['high']:{spec}}"


def _comparison(results: Mapping[str, Any]) -> Section:
    lines = [*results["baselines"], *results["recipes"]]
    dots = [(line["name"], *(line["test"]["bits_per_byte"][k] for k in ("value", "low", "high"))) for line in lines]
    free = min(results["baselines"], key=lambda line: line["test"]["bits_per_byte"]["value"], default=None)
    picture = figures.intervals(
        dots,
        reference=(free["name"], free["test"]["bits_per_byte"]["value"]) if free else None,
        highlight=(results["picked"],),
        xlabel="bits per byte (lower is better), 95% interval",
        percent=False,
        spec=".3f",
        title="Bits per byte of unseen songs",
        name="bits-per-byte",
    )
    chosen = [i for i, line in enumerate(lines) if line["name"] == results["picked"]]
    table = Table(_head(), [_row(line) for line in lines], highlight=chosen, caption="Every writer, on the same songs")
    blocks: list[Block] = [picture, table, *_paired(results)]
    if results["notes"]:
        blocks.append(Items(results["notes"]))
    intro = (
        "Bits per byte of unseen songs: lower is better. Unlike perplexity, the figure does not depend on how a model divides "
        "words into tokens. Padding and conditions are not scored. The writer was selected by "
        f"{results['chosen_by']}; the test set was not used for selection. Intervals: bootstrap over songs, 95%. A low figure "
        "may come from repeating a song's own lines; the sections below show whether it does."
    )
    return Section("How good", blocks, intro)


def _named(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on songs that name what a writer is conditioned on, if there are any."""
    blocks: list[Block] = []
    for column, found in results.get("mentions", {}).items():
        if found["named"]:
            head = (
                "recipe", Column("named", ".3f", note=UNIT), "95% interval", Column("others", ".3f", note=UNIT), "95% interval",
            )  # fmt: skip
            rows: list[tuple[Cell, ...]] = []
            for line in found["recipes"]:
                costs = [line[part]["bits_per_byte"] if part in line else None for part in ("named", "others")]
                rows.append(
                    (line["name"], *(cell for c in costs for cell in ((c["value"], _span(c)) if c else (None, ""))))
                )
            caption = (
                f"{found['named']:,} of {found['n']:,} test songs name their {column} in the lyrics, and the others"
            )
            blocks.append(Table(head, rows, caption=caption))
    intro = (
        "A song that names its condition is easier to predict for a writer that is given it. A corpus without the names: "
        "lyrist prepare --mask-labels."
    )
    return [Section("Songs that name their condition", blocks, intro)] if blocks else []


def _head() -> tuple[str | Column, ...]:
    return (
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


def _row(line: Mapping[str, Any]) -> tuple[Cell, ...]:
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
        "Below zero: the selected writer is better. Bootstrap of the differences song by song, on the same test songs."
    )
    return [Details("Paired tests of the selected writer against each other one", [Table(head, rows, note=note)])]


def _fluency(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on how well written lines are distinguished from real ones."""
    real = results.get("fluency")
    written = [(line["name"], line["fluency"]) for line in results["recipes"] if line.get("fluency")]
    if not real or not written:
        return []
    every = [("real songs, against others", real), *written]
    judges = list(real["judges"])
    rows: list[tuple[Cell, ...]] = []
    for name, found in every:
        row: list[Cell] = [name]
        for judge in judges:
            row += _cells(found["judges"].get(judge, {}), "recognised")
        for judge in judges:
            row += _cells(found["judges"].get(judge, {}), "line_order")
        rows.append((*row, *_cells(found, "copied_lines"), *_cells(found, "known_words")))
    head: list[str | Column] = ["written by"]
    for title, names in (("recognised", judges), ("own order", judges), ("copied lines", [""]), ("known words", [""])):
        for judge in names:
            head += [
                Column(title, ".1%" if not judge else ".0%", note=judge),
                Column(f"{title}, 95%", align="right", note=judge),
            ]
    shown = judges[0]
    dots = [
        (name, *(found["judges"][shown]["recognised"][key] for key in ("value", "low", "high")))
        for name, found in every
        if found["judges"].get(shown, {}).get("recognised")
    ]
    blocks: list[Block] = []
    if len(dots) > 1:
        blocks.append(
            figures.intervals(
                dots,
                reference=("indistinguishable", 0.5),
                highlight=(results["picked"],),
                xlabel=f"pairs in which {shown} finds the generated line",
                title="Recognised as generated",
                name="recognised",
            )
        )
    about = "; ".join(f"{name}: {what}" for name, what in real["about"].items())
    note = (
        f"Judges: {about}. Recognised: AUC of lines without a copied run of five words, cross-validated by song; a dash where "
        "the writer was made of the judge's own model. Own order: share of shuffled orders of a song's first lines that the "
        "judge finds less likely than its own. Known words: words that occur in a training song or a list of common words. "
        f"Reading took {max(found['cpu_seconds'] for _, found in every):,.0f} CPU seconds a writer at most."
    )
    blocks.append(
        Table(
            head, rows, highlight=_place([*every], results["picked"]), caption="Written lines and real ones", note=note
        )
    )
    intro = (
        "Bits per byte say nothing about what a writer writes: a loop or a copy can be cheap. A judge that is not the writer "
        "therefore tries to find written lines among real ones of the validation split. 50% is guessing; the first row has real "
        f"songs of the test split instead of written ones. From {RECOGNISABLE:.0%} on a writer is recognisable as generated and "
        "is not selected if there is another one. The figure is of single lines: it finds salad and blandness, not whether a "
        "song makes sense."
    )
    return [Section("Real or generated", blocks, intro, anchor="fluency")]


def _cells(found: Mapping[str, Any], name: str) -> tuple[Cell, Cell]:
    """Return a figure and its interval, or dashes."""
    one = found.get(name)
    return (one["value"], _span(one, ".0%")) if one else (None, "–")


def _game(results: Mapping[str, Any]) -> list[Section]:
    """Return pairs of a real and a written song without their names; those of other writers are folded."""
    every = {name: rounds for name, rounds in results.get("game", {}).items() if rounds}
    blocks: list[Block] = []
    for name in sorted(every, key=lambda name: name != results["picked"]):
        rounds = [
            Round(
                ", ".join(f"{column}: {value}" for column, value in each["given"].items()),
                (each["songs"][0], each["songs"][1]),
                each["real"],
                f"{each['name']}. The other one was written by {name}.",
            )
            for each in every[name]
        ]
        game = Game(rounds)
        blocks.append(game if name == results["picked"] else Details(f"Songs by {name}", [game]))
    if not blocks:
        return []
    intro = (
        "One song of each pair is real and one was written for the same condition, with the same number of words; neither was "
        "selected by hand. Guess before you open the answer."
    )
    return [Section("Which is real?", blocks, intro, anchor="game")]


def _samples(results: Mapping[str, Any]) -> list[Section]:
    """Return samples of the selected writer; those of the others are folded."""
    every = results["samples"]
    blocks: list[Block] = []
    for name in sorted(every, key=lambda name: name != results["picked"]):
        shown: list[Block] = [_song(song) for song in every[name]]
        blocks += shown if name == results["picked"] else [Details(f"What {name} wrote", shown)]
    if not blocks:
        return []
    how = results["written"]["how"]
    intro = (
        f"Written by {results['picked']}: the first sample for each condition, none was selected by hand. {how} Marked: the "
        "longest run of words that also occurs in a training song."
    )
    return [Section("Samples", blocks, intro)]


def _song(song: Mapping[str, Any]) -> Lyrics:
    title = ", ".join(f"{column}: {value}" for column, value in song["given"].items()) or "no condition"
    spans = [tuple(song["span"])] if song.get("span") else []
    return Lyrics(song["text"] or "(an empty song)", [(a, b, 1.0) for a, b in spans], title=title, note=song["note"])


def _conditioning(results: Mapping[str, Any]) -> list[Section]:
    sections = []
    for column in results["condition"]:
        every = [line for line in results["recipes"] if column in line.get("obedience", {})]
        hidden = [line["name"] for line in every if "fluency" in line and not passes(line["fluency"])]
        lines = [(line["name"], line["obedience"][column]) for line in every if line["name"] not in hidden]
        anchor = f"conditioning-{column}"
        left_out = Prose(
            f"Not shown for {', '.join(hidden)}: their lines are recognisable as generated, or this cannot be excluded, and a "
            f"classifier can find a {column} even in noise.",
            "note",
        )
        if hidden and not lines:
            sections.append(Section(f"Conditioning accuracy: {column}", [left_out], anchor=anchor))
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
        judge, values = lines[0][1]["judge"], lines[0][1]["labels"]
        note = f"Classifier: {judge}, fitted on the training songs to predict the {column} among {values:,}."
        intro = (
            f"A classifier of the {column} is applied to the songs written for each {column}. Its accuracy is shown beside its "
            "accuracy on real held-out songs, cut to the same lengths: a writer is not expected to exceed that, and one that "
            "does exaggerates."
        )
        blocks: list[Block] = [Table(head, rows, highlight=_place(lines, results["picked"]), note=note)]
        blocks += _by_label(dict(lines).get(results["picked"]), column, results["picked"])
        blocks += [left_out] if hidden else []
        sections.append(Section(f"Conditioning accuracy: {column}", blocks, intro, anchor=anchor))
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
    return [Details(f"By {column}: songs written by {name}, and real songs", [Table(head, rows)])]


def _both(each: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return each["written"]["accuracy"]["value"], each["real"]["accuracy"]["value"]


def _originality(results: Mapping[str, Any]) -> list[Section]:
    every = _beside_real(results, "originality")
    if len(every) < 2:
        return []
    lengths = [n for n in every[0][1]["shares"] if int(n) % 2 == 0]
    rows: list[tuple[Cell, ...]] = []
    for name, found in every:
        shares = (found["shares"][n]["value"] for n in lengths)
        rows.append((name, *shares, found["longest_run"]["value"], found["longest"]["run"], _source(found["longest"])))
    runs_of = [Column(f"{n} words", ".1%") for n in lengths]
    longest = (Column("run", ".1f", note="mean of songs"), Column("longest", note="words"), "source")
    head: tuple[str | Column, ...] = ("written by", *runs_of, *longest)
    note = (
        "The columns with a number of words: the share of all runs of so many words that occur in a training song. Run: the "
        "longest of each song."
    )
    longest_of = [(name, found["longest"]) for name, found in every]
    quoted = [Prose(f"{name}: “{run['words']}” ({_source(run)})") for name, run in longest_of if run["run"]]
    intro = (
        "The share of the written songs that occurs word for word in the training songs, beside the same for real songs that "
        "were not used for training: short phrases are common, long runs are copies."
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
    real = [("real held-out songs", results[what])] if results.get(what) else []
    return real + [(line["name"], line[what]) for line in results["recipes"] if line.get(what)]


def _songcraft(results: Mapping[str, Any]) -> list[Section]:
    lines = [line for line in results["recipes"] if line.get("songcraft")]
    if not lines:
        return []
    shown = next((line for line in lines if line["name"] == results["picked"]), lines[0])
    rows: list[tuple[Cell, ...]] = []
    for name, measure in MEASURES.items():
        if name not in shown["songcraft"]["written"]:
            rows.append((measure.label, "not measured", "not measured", "", "–"))
            continue
        written, real, away = (shown["songcraft"][part][name] for part in ("written", "real", "difference"))
        between = "–" if away["low"] is None else f"{_signed(away['low'], measure)} to {_signed(away['high'], measure)}"
        values = (
            format(written["value"], measure.spec),
            format(real["value"], measure.spec),
            _signed(away["value"], measure),
        )
        rows.append((measure.label, *values, between))
    right = [Column(name, align="right") for name in (shown["name"], "real songs", "difference")]
    table = Table(
        ("a song's", *right, "95% interval"), rows, caption=f"Songs by {shown['name']}, beside real held-out songs"
    )
    sides = [
        ("real songs", shown["songcraft"]["real"]),
        *((line["name"], line["songcraft"]["written"]) for line in lines),
    ]
    every = [
        (measure.label, *(_with_span(side[name], measure) for _, side in sides))
        for name, measure in MEASURES.items()
        if all(name in side for _, side in sides)
    ]
    others = Table(("a song's, with 95% interval", *(Column(name, align="right") for name, _ in sides)), every)
    intro = (
        "The closer a writer's figures are to those of real songs, the better; more rhymes or fewer repeats are not. Real songs "
        "are cut to the lengths of the written ones. Rhymes and syllables are measured in languages that have rules for them."
    )
    return [Section("Songcraft", [table, Details("The same for every writer", [others])], intro)]


def _with_span(figure: Mapping[str, float], measure: Measure) -> str:
    return f"{figure['value']:{measure.spec}} [{figure['low']:{measure.spec}}, {figure['high']:{measure.spec}}]"


def _signed(value: float, measure: Measure) -> str:
    return format(value, f"+{measure.spec}")


def _training(results: Mapping[str, Any], fitted: Mapping[str, Fitted]) -> list[Section]:
    trained = [line for line in results["recipes"] if fitted[line["name"]].run.metrics]
    if not trained:
        return []
    first = min(trained, key=lambda line: line["validation"]["bits_per_byte"]["value"])["name"]
    blocks: list[Block] = []
    for line in sorted(trained, key=lambda line: line["name"] != first):
        one = fitted[line["name"]]
        drawn: list[Block] = [*one.task.curves(one.run), Prose(_cost(line))]
        blocks += drawn if line["name"] == first else [Details(f"Training of {line['name']}", drawn)]
    intro = (
        "Loss in nats a token, against global steps. Validation is scored before the first update and during training; the "
        "weights with the lowest validation loss are kept. Losses of writers with different tokens cannot be compared; bits per "
        "byte can."
    )
    return [Section("Training", blocks, intro)]


def _cost(line: Mapping[str, Any]) -> str:
    return (
        f"{line['name']}: {line['steps']:,} steps in {line['seconds']:,.0f} s on {line['device']} ({line['precision']}), "
        f"{line['tokens_per_second']:,.0f} real tokens/s, {line['padding']:.1%} padding, step {line['best_step']:,} kept."
    )


def _legacy(results: Mapping[str, Any]) -> list[Section]:
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
        "Other ways to compute perplexity and accuracy, as used in some published reports, all for "
        f"{found['name']} on the same test songs: the model does not change, the figure does. Only the first row is valid."
    )
    return [
        Section(
            "Other ways to compute the figures", [Table(head, rows, highlight=[0], note=found.get("note", ""))], intro
        )
    ]
