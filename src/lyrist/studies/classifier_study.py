"""A study of classifiers of lyrics: what is stored of it, and its report.

The report says how good each recipe is, how certain that is, and on which songs it errs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist import files
from lyrist.corpus import doubtful
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.languages import UNKNOWN
from lyrist.corpus.names import mentions
from lyrist.corpus.profile_page import doubtful_table
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import spans
from lyrist.evaluation.explain import explain, telling_words
from lyrist.metrics.classification import by_group
from lyrist.metrics.intervals import auroc
from lyrist.metrics.kinds import Figure, check_choice, figures_of, main_of, value_of
from lyrist.models import registry
from lyrist.reports import figures
from lyrist.reports.blocks import Block, Column, Details, Facts, Items, Lyrics, Page, Prose, Section, Table
from lyrist.studies import ranking, repeats, replication, sections
from lyrist.studies.comparison import Comparison, Job, Line, Request
from lyrist.studies.plans import Plan, Reported, directory
from lyrist.text import counted
from lyrist.training.classification_task import ClassificationTask, KindError, RefitTask, inputs, selected
from lyrist.training.dataset import FEATURE, View, view
from lyrist.training.domain import RARE_LANGUAGE, Domain, unlikeness
from lyrist.training.predictions import Predictions
from lyrist.training.protocol import ReportedTask
from lyrist.training.runs import MODEL, open_run
from lyrist.training.train import Fitted

COLUMNS = "columns"
"""The baseline that reads only the columns of --features."""

SHOWN = 4
"""Songs of each kind on the page."""

LEFT_OUT = 5
"""One artist in so many is left out of training to measure songs of unknown artists."""

MEASURED = 2_000
"""Maximum number of songs of each kind that are measured there."""

LONGEST = 3_000
"""Maximum number of characters of a song on the page."""

KINDS = (
    ("hardest", "Hardest: predicted wrongly, with the lowest probability for the true label", False),
    ("most_telling", "Clearest: predicted rightly, with the highest probability", True),
)
"""Songs on the page: the key, the title, and whether they are predicted rightly."""


@dataclass(frozen=True)
class ClassifierStudy(Comparison):
    """A comparison of classifiers."""

    kind: ClassVar[str] = "classify"
    folders: ClassVar[tuple[str, ...]] = ("runs", "refit", "scores", "out-of-domain")
    plan: Plan
    dataset: View
    lines: Sequence[Line] = ()
    request: Request | None = None
    refused: tuple[str, ...] = ()
    """A sentence for each line whose recipe cannot predict this kind of target."""

    @property
    def first_share(self) -> float:  # type: ignore[override]
        """Half of a time limit, because the other split follows."""
        if self.request is None or self.request.time_limit is None:
            return 1.0
        return 0.4 if isinstance(_other_split(self.dataset, self.request), View) else 0.8

    @classmethod
    def open(cls, request: Request) -> ClassifierStudy:
        """Open the corpus and check every line and option."""
        plan, selection = request.plan, request.selection
        if selection.condition is not None:
            raise UsageError(
                f"--condition is for studies of writers; '{plan.name}' predicts a label from lyrics: leave it out."
            )
        if request.time_limit is not None and (request.repeats > 1 or request.learning_curve):
            raise UsageError("--time-limit is for one split: leave it out, or --repeats and --learning-curve.")
        target = selection.target or plan.target
        dataset = selected(Corpus.open(request.data), target, selection, request.seed, features=request.features)
        check_choice(request.choose_by, dataset.labels.kind)
        task, lines, refused = ClassificationTask(dataset), [], []
        wanted = [
            Line(entry.title, entry.recipe, request.options(entry), entry.optional) for entry in plan.lines(target)
        ]
        if request.features and all(line.recipe != COLUMNS for line in wanted):
            wanted.insert(0, Line(COLUMNS, COLUMNS, {"features": request.features}))
        for line in wanted:
            try:
                task.check(line.recipe, line.options, request.seed)
            except KindError as error:
                refused.append(f"The line '{line.name}' was left out: {error}")
                continue
            task.memory(line.recipe, line.options)
            lines.append(line)
        if not lines:
            raise LyristError(f"No line of the study can be fitted. {' '.join(refused)}")
        repeats.check(dataset, request.repeats)
        return cls(plan, dataset, lines, request, tuple(refused))

    @classmethod
    def reopen(cls, plan: Plan, results: Mapping[str, Any], data: str) -> ClassifierStudy:
        """Open the corpus of a finished study."""
        only, most = tuple(results["only"]), results["max_songs"]
        kind: dict[str, Any] = {
            "multi_label": results.get("separator") or "off",
            "ordinal": results.get("kind") == "ordinal",
            "mask_labels": results.get("mask_labels", False),
            "features": tuple(results.get("features", ())),
        }
        return cls(plan, view(Corpus.open(data), results["target"], only, most=most, seed=results["seed"], **kind))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the corpus."""
        return self.dataset.corpus.fingerprint

    def task(self, line: Line, fitted: Mapping[str, Fitted]) -> ClassificationTask:
        """Return the task, which is the same for all lines."""
        return ClassificationTask(self.dataset)

    def rerun(self, reported: Reported, limit: float, fitted: Mapping[str, Fitted]) -> ReportedTask:
        """Return the task of training a reported model by its own protocol, on the same songs as every line."""
        if self.dataset.labels.kind != "single":
            what = "has several" if self.dataset.labels.multi else "is a number"
            raise LyristError(f"the reports predicted one label a song, but the {self.dataset.target} {what}.")
        return ReportedTask(self.dataset, reported.protocol, limit)

    def basis(self) -> dict[str, Any]:
        """Return the corpus, the target and the songs that are used."""
        dataset = self.dataset
        return {
            "target": dataset.target,
            "only": list(dataset.only),
            "max_songs": self.request.selection.max_songs if self.request else None,
            "mask_labels": bool(self.request and self.request.selection.mask_labels),
            "majority": ClassificationTask(dataset).majority(),
            "corpus": str(dataset.corpus.path.resolve()),
            "split_by": dataset.split_by,
            **dataset.labels.described,
            **({"features": list(dataset.features)} if dataset.features else {}),
            "classes": dataset.every_label,
            "songs": {split: len(dataset.part(split)) for split in SPLITS},
        }

    def after(self) -> Callable[[Any, Path], Mapping[str, Any]] | None:
        """Return nothing: all that is stored of a classifier is its predictions and scores."""
        return None

    def gather(self, fitted: Mapping[str, Fitted], left_out: Sequence[str], job: Job) -> dict[str, Any]:
        """Return every figure, the recipe selected on validation, the paired tests, and what the page shows of a model."""
        assert self.request is not None  # noqa: S101 - only a study that was opened by a request is gathered
        request, dataset = self.request, self.dataset
        validation = {name: one.run.results["validation"] for name, one in fitted.items()}
        candidates = ranking.models(validation, fitted)
        selected = ranking.select(candidates, request.choose_by, ranking.families(fitted))
        picked, tests = selected.name, _tests(selected.name, fitted)
        others = [name for name in ranking.rank(candidates, request.choose_by) if name != picked]
        results = {
            "picked": picked,
            "chosen_by": f"validation {request.choose_by.replace('_', ' ')}",
            "selection": dataclasses.asdict(selected) | {"reason": selected.sentence(request.choose_by)},
            "verdict": ranking.sentence(picked, others[0], tests[others[0]]) if others else "",
            **self.basis(),
            "tests": {"first": picked, "against": tests},
            "notes": [
                *ranking.strong_baselines(picked, validation, fitted, request.choose_by, dataset.target),
                *_notes(dataset),
                *repeats.advice(dataset, request.repeats),
                *self.refused,
                *left_out,
            ],
            **_lines(dataset, fitted),
            "mentions": mentions_of(fitted, dataset) if dataset.labels.kind == "single" else {},
            "doubtful": doubtful_labels(fitted[picked], dataset, job.folder)
            if dataset.labels.kind != "ordinal"
            else {},
            "explanations": explanations(fitted[picked], dataset),
            "deciding_words": deciding_words(fitted, picked, dataset),
        }
        lines = [line for line in self.lines if line.name in fitted]
        line = next(line for line in lines if line.name == picked)
        other = _other_split(dataset, request)
        if isinstance(other, View):
            task = ClassificationTask(other)
            again, late = job.fit(lines, lambda *_: task, f"runs/by-{other.split_by}", share=0.8)
            results["notes"] += [f"Split by {other.split_by}: {note}" for note in late]
            if picked in again:
                paired: dict[str, Any] = {"first": picked, "against": _tests(picked, again)}
                results["other_split"] = {**_lines(other, again), "tests": paired}
        elif other:
            results["notes"].append(other)
        if request.refit:
            if refit := _refit(dataset, line, fitted[picked], job):
                results["refit"] = refit
            else:
                results["notes"].append(f"{picked} was not fitted again on the validation songs: no time was left.")
        results["out_of_domain"] = out_of_domain(dataset, line, job)
        scores = job.folder / "scores"
        if request.repeats > 1:
            results["repeats"] = repeats.repeated(
                dataset, lines, fitted, request.repeats, request.seed, request.choose_by, scores
            )
        if request.learning_curve:
            results["learning_curve"] = repeats.learning_curve(dataset, lines, fitted, request.seed, scores)
        return results

    @staticmethod
    def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        """Return the header and the rows of ``results.csv``: a row for each recipe and split."""
        shown, first = figures_of(results), results["recipes"][0]["test"] if results["recipes"] else {}
        ends = {
            figure.key: ("", "_low", "_high") if isinstance(first.get(figure.key), dict) else ("",) for figure in shown
        }
        names = ["n", *(f"{key}{end}" for key, each in ends.items() for end in each)]
        head = [f"{split}_{name}" for split in ("validation", "test") for name in names]
        rows = []
        for part in (results, results.get("other_split") or {}):
            for line in part.get("recipes", ()):
                row = [line["name"], line["recipe"], results["target"], part["split_by"], line["parameters"]]
                row.append(line["seconds"])
                for split in ("validation", "test"):
                    scores = line[split]
                    row.append(scores["n"])
                    for key, each in ends.items():
                        row += (
                            [scores[key][part] for part in ("value", "low", "high")] if len(each) > 1 else [scores[key]]
                        )
                rows.append([*row, _milliseconds(line)])
        head = [*head, "prediction_ms"]
        return ["name", "recipe", "target", "split_by", "parameters", "seconds", *head], rows

    @staticmethod
    def summary(results: Mapping[str, Any]) -> list[str]:
        """Return a line for each recipe, which one was selected and why."""
        width = max(len(line["name"]) for line in results["recipes"])
        scored, main = ClassificationTask.scored, main_of(results)
        lines = [f"{results['study']}: {results['target']} ({_classes(results)}), split by {results['split_by']}"]
        for line in results["recipes"]:
            mark = "*" if line["name"] == results["picked"] else " "
            lines.append(f"{mark} {line['name']:<{width}}  {line['seconds']:>7.1f} s  test {scored(line['test'])}")
        lines.append(f"* selected by {results['chosen_by']}. {results['verdict']}".rstrip())
        if reason := results.get("selection", {}).get("reason"):
            lines.append(f"  {reason}")
        if refit := results.get("refit"):
            lines.append(
                f"fitted again on {refit['songs']:,} training and validation songs: test {scored(refit['test'])}"
            )
        if found := results.get("repeats"):
            lines.append(f"over {found['n']} splits (test {main.name}: mean, standard deviation, all songs together):")
            for line in [*found["recipes"], {"name": "selected", **found["pick"]}]:
                accuracy, together = line[main.key], line["all_songs"][main.key]
                spread = f"{accuracy['mean']:.3f} +- {accuracy['sd']:.3f}"
                whole = f"{together['value']:.3f} [{together['low']:.3f}, {together['high']:.3f}]"
                lines.append(f"  {line['name']:<{width}}  {spread}  {whole}")
        if other := results.get("other_split"):
            lines.append(f"split by {other['split_by']} instead:")
            for line in other["recipes"]:
                lines.append(f"  {line['name']:<{width}}  {'':>7}    test {scored(line['test'])}")
        if named := results.get("mentions", {}).get("named"):
            lines.append(
                f"{named:,} of {results['mentions']['n']:,} test songs name their {results['target']} in the lyrics"
            )
        return [*lines, *replication.summary(results), *results["notes"]]

    def page(self, results: Mapping[str, Any], folder: Path, out: Path) -> Page:
        """Return the report; everything on it comes from files."""
        dataset = self.dataset
        names = [line["name"] for line in results["recipes"]]
        fitted = {name: Fitted(open_run(folder / "runs" / directory(name))) for name in names}
        run = str(out / results.get("refit", {}).get("run", f"runs/{directory(results['picked'])}"))
        songs = {split: len(dataset.part(split)) for split in SPLITS}
        return sections.page(
            self.plan,
            results,
            f"Which {dataset.target} is it?",
            f"{counted(len(names), 'recipe')}, {_classes(results)}, {sum(results['songs'].values()):,} songs, "
            f"split by {dataset.split_by}",
            (*_answer(results), _chart(results, results["picked"], main_of(results).key), _facts(results)),
            [
                *replication.sections(results),
                _comparison(results),
                *_mentions(results),
                *_other_section(results),
                *_repeats(results),
                *_learning_curve(results),
                *_training(fitted),
                _mistakes(fitted[results["picked"]].predicted("test"), dataset),
                *_prediction_sets(results),
                *_out_of_domain(results),
                *_doubtful(results),
                _songs(results["explanations"], dataset),
                *_deciding_words(results),
                sections.corpus_section(dataset.corpus, songs, dataset.split_by, dataset.seed),
                sections.again_section(
                    self.plan,
                    ["lyrist", "evaluate", run, str(dataset.corpus.path)],
                    ["lyrist", "classify", run, "--explain", "--file", "SONG.txt"],
                ),
            ],
            f"The task was to predict the {dataset.target} ({_classes(results)}) of songs from their lyrics: "
            f"{songs['train']:,} training, {songs['validation']:,} validation and {songs['test']:,} test songs, split by "
            f"{dataset.split_by}, with near-copies and contained versions on one side [Broder]. Models were selected by "
            f"{results['chosen_by']}; the test set was not used for selection. {_METHODS[dataset.labels.kind]}",
        )


_METHODS = {
    "single": "Accuracy has 95% Wilson intervals [Wilson]. "
    "Paired differences were tested by McNemar's exact test [McNemar], corrected for multiple comparisons [Holm], and "
    "differences of macro F1 by the bootstrap [Efron]. Prediction sets are adaptive [Romano].",
    "multi": "A label was predicted where its probability reached a threshold chosen on the validation songs. Figures have 95% "
    "bootstrap intervals over clusters of near-copies [Efron]; paired differences were tested by the same bootstrap, corrected "
    "for multiple comparisons [Holm]. Prediction sets control the share of missed labels [Angelopoulos].",
    "ordinal": "The probability of exceeding each of several edges was learnt, and the median of the distribution predicted "
    "[Frank]. Figures have 95% bootstrap intervals over clusters of near-copies [Efron]; paired differences were tested by the "
    "same bootstrap, corrected for multiple comparisons [Holm]. Intervals of single songs are conformal [Lei].",
}
"""How each kind of target was evaluated, for a paper."""


def _classes(results: Mapping[str, Any]) -> str:
    """Return how many classes or labels a study has."""
    kind, count = results.get("kind", "single"), len(results["classes"])
    return {"single": f"{count:,} classes", "multi": f"{count:,} labels, several a song"}.get(kind, "a number")


# What is stored.


def _tests(first: str, fitted: Mapping[str, Fitted]) -> dict[str, dict[str, Any]]:
    """Test one line against each other one on the test songs."""
    predicted = {name: one.predicted("test") for name, one in fitted.items()}
    return ranking.against(predicted[first], {name: predicted[name] for name in fitted if name != first})


def _refit(dataset: View, line: Line, first: Fitted, job: Job) -> dict[str, Any] | None:
    """Fit the selected recipe again on training and validation songs; return its figures on the test songs.

    The validation figures and predictions of the new run are those of the fit on the training songs, since the new model has
    seen the validation songs; prediction sets are calibrated by them. None if the time limit is over.
    """
    task = RefitTask(dataset.with_validation(), first=first.run.path)
    again = job.fit([line], lambda *_: task, "refit")[0].get(line.name)
    if again is None:
        return None
    info = again.run.info
    return {
        "run": f"refit/{directory(line.name)}",
        "songs": len(task.view.part("train")),
        **{key: info[key] for key in ("parameters", "seconds", "cpu_seconds")},
        "test": again.run.results["test"],
    }


def out_of_domain(dataset: View, line: Line, job: Job) -> dict[str, Any]:
    """Return how well the out-of-domain score separates songs of artists, and in languages, that training has never seen.

    The selected recipe is fitted again without a fifth of the artists and without the languages that would be flagged. Then
    test songs of the other artists are compared with the songs that were left out.

    Returns
    -------
    dict
        ``unseen_artists`` and ``other_languages``: the AUROC with its interval, ``n`` (songs left out) and ``against`` (test
        songs of known artists), or None without such songs. ``artists`` left out, ``languages`` left out. Or only ``note``:
        why nothing was measured.
    """
    if dataset.labels.kind == "ordinal":
        return {
            "note": "A predicted number has no probability of its own, so the out-of-domain score was not measured."
        }
    named = dataset.songs["artist"].drop_nulls().unique().sort()
    if len(named) < 2 * LEFT_OUT:
        return {"note": f"There are fewer than {2 * LEFT_OUT} artists, so no artist was left out of training."}
    artists = named.sample(len(named) // LEFT_OUT, seed=job.seed)
    languages = dataset.corpus.songs(columns=["id", "language"])
    counted = dataset.part("train").select("id").join(languages, on="id")["language"].value_counts(normalize=True)
    usual = counted.filter(pl.col("proportion") >= RARE_LANGUAGE)["language"].fill_null(UNKNOWN)
    rare = languages.filter(~pl.col("language").fill_null(UNKNOWN).is_in(usual.implode()))
    unseen, common = pl.col("artist").is_in(artists.implode()), ~pl.col("id").is_in(rare["id"].implode())
    try:
        kept = dataset.only_songs(~unseen.fill_null(value=False) & common)
        run = job.fit([line], lambda *_: ClassificationTask(kept), "out-of-domain")[0][line.name].run
    except KeyError:
        return {"note": "Songs unlike the training songs were not measured: no time was left."}
    except LyristError as error:
        return {"note": f"Songs unlike the training songs could not be measured: {error}"}
    domain = Domain.load(run.path / MODEL)
    assert domain is not None  # noqa: S101 - a run that was fitted here has one

    def scores(songs: pl.DataFrame) -> NDArray[np.float64]:
        return unlikeness(
            np.asarray(run.model.predict_proba(inputs(songs)), dtype=np.float64), domain.flags(songs["lyrics"])[0]
        )

    trained = kept.part("train")["artist"].drop_nulls().unique()
    reference = scores(kept.part("test").filter(pl.col("artist").is_in(trained.implode())).head(MEASURED))
    rare = rare.join(dataset.songs, on="id", how="semi")
    found: dict[str, Any] = {"artists": len(artists), "languages": sorted(rare["language"].drop_nulls().unique())}
    for name, left_out in (("unseen_artists", unseen & common), ("other_languages", ~common)):
        songs = dataset.songs.filter(left_out).head(MEASURED)
        found[name] = auroc(reference, scores(songs)) if len(songs) and len(reference) else None
    return found


def _lines(dataset: View, fitted: Mapping[str, Fitted]) -> dict[str, Any]:
    """Return the figures of each recipe and of the majority class for one way of splitting."""
    keys = ("recipe", "parameters", "seconds", "cpu_seconds")
    recipes = [
        {
            "name": name,
            **{key: one.run.info[key] for key in keys},
            "prediction": one.run.results.get("prediction"),
            **{split: one.run.results[split] for split in ("validation", "test")},
        }
        for name, one in fitted.items()
    ]
    return {
        **dataset.labels.described,
        "split_by": dataset.split_by,
        "majority": ClassificationTask(dataset).majority(),
        "recipes": recipes,
    }


def _notes(dataset: View) -> list[str]:
    """Return what a reader must know about the songs."""
    notes = []
    if dataset.available:
        used = f"{len(dataset.part('train')):,} of {dataset.available:,} training songs"
        notes.append(f"Fitted on {used}, sampled at random and stratified by {dataset.target} (--max-songs).")
    if dataset.several_labels:
        notes.append(dataset.several_labels)
    if dataset.unlabelled:
        notes.append(f"{dataset.unlabelled:,} songs have no {dataset.target} and were left out.")
    counted = dataset.songs["label"].explode() if dataset.labels.multi else dataset.songs["label"]
    rare = int((counted.value_counts()["count"] < 3).sum())
    if rare and dataset.labels.kind != "ordinal":
        notes.append(f"{rare:,} classes have fewer than three songs: they cannot be in training, validation and test.")
    return notes


def _other_split(dataset: View, request: Request) -> View | str | None:
    """Return the same songs split the other way; a sentence where that is impossible; None where it is not wanted."""
    artists, wanted = dataset.songs["artist"].drop_nulls().n_unique(), request.other_split
    if wanted is False or (
        wanted is None and (dataset.target == "artist" or dataset.split_by == "column" or not artists)
    ):
        return None
    by = "artist" if dataset.split_by != "artist" else "song"
    if dataset.target == "artist":
        raise LyristError(
            "Split by artist, no artist of the test split is in training; --other-split needs another --target."
        )
    try:
        return dataset.resplit(by, request.seed)
    except LyristError as error:
        return f"The split by {by} could not be drawn: {error}"


def explanations(selected: Fitted, dataset: View) -> dict[str, list[dict[str, Any]]]:
    """Return the hardest and the clearest test songs of a model, with the words that decided.

    This needs the model. The result is a part of ``results.json``, so that a report is drawn without one.

    Returns
    -------
    dict
        By kind (``hardest``, ``most_telling``) a list of objects: ``id`` of the song, ``truth``, ``prediction``,
        ``probability`` of the prediction, ``words`` (pairs of word and weight) and ``method``.
    """
    predicted = selected.predicted("test")
    answers = predicted.answers
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, _, right in KINDS:
        found[kind] = []
        for place in predicted.examples(right=right, most=SHOWN):
            number, label = int(predicted.ids[place]), predicted.explained(place)
            song = dataset.songs.row(by_predicate=pl.col("id") == number, named=True)
            text = (song["lyrics"] or "")[:LONGEST]
            columns = {name: song[f"{FEATURE}{name}"] for name in dataset.features}
            explanation = explain(selected.run.model, text, label=label, artist=song["artist"] or "", columns=columns)
            found[kind].append(
                {
                    "id": number,
                    "truth": predicted.shown(predicted.truth[place]),
                    "prediction": predicted.shown(answers[place]),
                    "probability": float(predicted.probabilities[place].max()),
                    "words": [[word, float(weight)] for word, weight in explanation.words],
                    "method": explanation.method,
                }
            )
    return found


def mentions_of(fitted: Mapping[str, Fitted], dataset: View) -> dict[str, Any]:
    """Return how many test songs name their label in the lyrics, and how good each recipe is on them and on the others.

    Returns
    -------
    dict
        ``n`` and ``named`` count test songs; ``recipes`` has an object a recipe: ``name``, and under ``named`` and
        ``others`` the ``n`` and the ``accuracy`` with its interval, where there are such songs.
    """
    songs = dataset.texts("test").select("id", named=mentions(pl.col("lyrics"), pl.col("label")))
    named = dict(songs.iter_rows())
    recipes = []
    for name, one in fitted.items():
        predicted = one.predicted("test")
        groups = ["named" if named[int(number)] else "others" for number in predicted.ids]
        recipes.append({"name": name, **by_group(predicted.truth, predicted.answers, groups)})
    return {"n": len(named), "named": sum(named.values()), "recipes": recipes}


def doubtful_labels(selected: Fitted, dataset: View, folder: Path) -> dict[str, Any]:
    """Return the songs whose label is probably wrong, and write them to ``doubtful.csv``.

    The selected model judges the validation and test songs; the rules on copies and artists compare all songs.
    """
    songs = dataset.songs.select("id", "artist", "title", "cluster", "label")
    judge = doubtful.by_model
    if dataset.labels.multi:
        songs = songs.with_columns(labels="label", label=pl.col("label").list.join(doubtful.JOINER))
        judge = doubtful.by_labels
    parts = [doubtful.by_rules(songs, dataset.corpus.contained, artists=dataset.target != "artist")]
    read = 0
    for split in ("validation", "test"):
        predicted = selected.predicted(split)
        held = pl.DataFrame({"id": predicted.ids}).join(songs, on="id", how="left", maintain_order="left")
        parts.append(judge(held, predicted.classes, predicted.probabilities))
        read += len(held)
    rows = doubtful.merged(parts)
    files.write_text(folder / "doubtful.csv", files.spreadsheet_safe(rows).write_csv())
    return {"column": dataset.target, "songs": len(songs), "read": read, **doubtful.listed(rows)}


def deciding_words(fitted: Mapping[str, Fitted], selected: str, dataset: View) -> dict[str, Any]:
    """Return the words with the largest weights in the selected recipe, or in a linear one that has them.

    This needs the model; the result is the key ``deciding_words`` of ``results.json``.
    """
    if dataset.labels.kind == "ordinal":
        return {}
    songs = dataset.texts("train").select("label", "lyrics")
    songs = songs.explode("label") if dataset.labels.multi else songs
    for name in [selected, *(n for n in ("tfidf-logistic", "nb-svm", "char-svm") if n in fitted and n != selected)]:
        found = telling_words(fitted[name].run.model, songs, top=12)
        if found:
            return {"name": name, "classes": {label: [word for word, _ in words] for label, words in found.items()}}
    return {}


# The sections of the report.


def _answer(results: Mapping[str, Any]) -> list[Block]:
    """Return the result in a sentence with its uncertainty, and a warning for each baseline that is as good."""
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    test, main = results.get("refit", best)["test"], main_of(results)
    value, majority = format(value_of(test, main.key), main.spec), results["majority"]
    again = ", fitted again on training and validation songs," if "refit" in results else ""
    baseline = format(value_of(majority, main.key), main.spec)
    if main.key == "accuracy":
        said = f"predicts the {results['target']} of {value} of {test['n']:,} test songs correctly"
        usual = f"always predicting the most frequent one gives {baseline}"
    else:
        said = f"predicts the {results['target']} of {test['n']:,} test songs with a {main.name} of {value}"
        usual = f"always predicting {majority['label']} gives {baseline}"
    sentence = f"{results['picked']}{again} {said} (95% interval {sections.interval(test, main)}); {usual}. {results['verdict']}"
    tests, equal = results["tests"]["against"], []
    for line in results["recipes"]:
        if not _is_baseline(line) or line["name"] == results["picked"]:
            continue
        better = []
        for figure in figures_of(results):
            theirs, own = (value_of(scores, figure.key) for scores in (line["test"], best["test"]))
            if theirs <= own if figure.lower else theirs >= own:
                better.append(figure.name)
        if better:
            equal.append(f"The baseline {line['name']} is at least as good by {', '.join(better)}: {_NOT_WORDS}")
        elif line["name"] in tests and tests[line["name"]].get(main.key, tests[line["name"]])["p_holm"] > 0.05:
            equal.append(f"The baseline {line['name']} is not significantly worse: {_NOT_WORDS}")
    return [Prose(sentence), *(Prose(text, "warning") for text in equal)]


_NOT_WORDS = "this study does not show that the words of the songs decide."


def _facts(results: Mapping[str, Any]) -> Facts:
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    majority, test = results["majority"], results.get("refit", best)["test"]
    main, second, *_ = figures_of(results)
    fitted = "fitted on training and validation songs" if "refit" in results else "fitted on training songs"
    return Facts(
        [
            ("selected", results["picked"], f"by {results['chosen_by']}; {fitted}"),
            (
                f"test {main.name}",
                format(value_of(test, main.key), main.spec),
                f"95% interval {sections.interval(test, main)}",
            ),
            (second.name, format(value_of(test, second.key), second.spec), _SECOND.get(second.key, "")),
            (_baseline(main), format(value_of(majority, main.key), main.spec), f"always '{majority['label']}'"),
            ("test songs", f"{best['test']['n']:,}", "read once, at the end"),
        ]
    )


_SECOND = {"macro_f1": "every class has the same weight"}


def _baseline(main: Figure) -> str:
    """Return the name of the baseline that predicts the same for every song."""
    return "majority" if main.key == "accuracy" else "constant"


def _chart(part: Mapping[str, Any], picked: str, name: str) -> Block:
    main = main_of(part)
    dots = [
        (_marked(line), *(line["test"][main.key][key] for key in ("value", "low", "high"))) for line in part["recipes"]
    ]
    return figures.intervals(
        sorted(dots, key=lambda dot: dot[1] if main.lower else -dot[1]),
        reference=(_baseline(main), value_of(part["majority"], main.key)),
        percent=main.percent,
        spec="" if main.percent else ".3f",
        highlight=[_marked(line) for line in part["recipes"] if line["name"] == picked],
        xlabel=f"test {main.name} with 95% interval",
        title=f"Test {main.name}, split by {part['split_by']}",
        name=name,
        width=600,
    )


def _marked(line: Mapping[str, Any]) -> str:
    """Return the name of a line, marked if it is a baseline."""
    return f"{line['name']} (baseline)" if _is_baseline(line) else str(line["name"])


def _is_baseline(line: Mapping[str, Any]) -> bool:
    """Return whether the recipe of a line is a baseline; one that is not installed here is none."""
    return any(recipe.name == line["recipe"] and recipe.family == "baseline" for recipe in registry.recipes())


def _table(part: Mapping[str, Any], picked: str) -> Table:
    main, *others = figures_of(part)
    intervals = {f.key: isinstance(part["recipes"][0]["test"][f.key], Mapping) for f in others}
    head: list[str | Column] = [
        "recipe",
        Column(f"test {main.name}", main.spec, bar=True),
        "95% interval",
    ]
    for figure in others:
        note = "nats" if figure.key == "loss" else ""
        head += [Column(figure.name, figure.spec, note=note), *(["95% interval"] if intervals[figure.key] else [])]
    head += [
        Column("n", ",.0f"),
        Column(f"validation {main.name}", main.spec),
        Column("seconds", ",.1f"),
        Column("ms a song", ",.2f", note="prediction, CPU"),
        Column("parameters", ",.0f"),
    ]

    def cells(scores: Mapping[str, Any]) -> list[Any]:
        """Return the cells of the test figures; a baseline lacks some."""
        found: list[Any] = [value_of(scores, main.key), sections.interval(scores, main)]
        for figure in others:
            there = figure.key in scores
            found.append(value_of(scores, figure.key) if there else None)
            found += ([sections.interval(scores, figure) if there else ""]) if intervals[figure.key] else []
        return [*found, scores["n"]]

    rows: list[tuple[Any, ...]] = []
    for line in part["recipes"]:
        cost = (line["seconds"], _milliseconds(line), line["parameters"])
        rows.append((line["name"], *cells(line["test"]), value_of(line["validation"], main.key), *cost))
    rows.append((f"(always '{part['majority']['label']}')", *cells(part["majority"]), *[None] * 4))
    chosen = [place for place, line in enumerate(part["recipes"]) if line["name"] == picked]
    return Table(head, rows, highlight=chosen, caption="Every recipe, on the same songs")


def _milliseconds(line: Mapping[str, Any]) -> float | None:
    """Return the CPU milliseconds of a prediction, if they were measured."""
    cost = line.get("prediction")
    return 1_000 * float(cost["cpu_seconds"]) / cost["songs"] if cost and cost["songs"] else None


def _tested(tests: Mapping[str, Any]) -> list[Block]:
    return sections.paired_tests(tests, "test songs.")


def _comparison(results: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [_table(results, results["picked"])]
    blocks += _tested(results["tests"])
    if results["notes"]:
        blocks.append(Items(results["notes"]))
    again = ""
    if refit := results.get("refit"):
        main = main_of(results)
        value = f"{format(value_of(refit['test'], main.key), main.spec)} ({sections.interval(refit['test'], main)})"
        again = (
            f" All lines were fitted on the training songs. {results['picked']} was then fitted again on all {refit['songs']:,} "
            f"training and validation songs: test {main.name} {value}."
        )
    reason = results.get("selection", {}).get("reason", "")
    intro = (
        f"Selected by {results['chosen_by']}; baselines excluded. {reason}{again} The test set was not used for selection. "
        f"Intervals: {'Wilson' if results.get('kind') is None else 'bootstrap'}, 95%. "
        "Where two intervals overlap, the paired tests decide whether there is a difference."
    )
    return Section("How good", blocks, intro)


def _mentions(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on songs that name their label, if there are any."""
    found, target = results.get("mentions"), results["target"]
    if not found or not found["named"]:
        return []
    head = (
        "recipe",
        Column("named", ".3f", bar=True),
        "95% interval",
        Column("others", ".3f", bar=True),
        "95% interval",
    )
    rows = []
    for line in found["recipes"]:
        row: list[Any] = [line["name"]]
        for group in ("named", "others"):
            accuracy = line[group]["accuracy"] if group in line else None
            row += [accuracy["value"], sections.percent(accuracy)] if accuracy else [None, ""]
        rows.append(row)
    chosen = [place for place, row in enumerate(rows) if row[0] == results["picked"]]
    intro = (
        f"{found['named']:,} of {found['n']:,} test songs name their {target} in the lyrics ({found['named'] / found['n']:.1%}). "
        f"There the {target} can be read; the accuracy on the others is that of how songs are written. A corpus without the "
        f"names: lyrist prepare --mask-labels {target}; a study without them: lyrist study --mask-labels."
    )
    caption = f"Test accuracy on songs that name their {target}, and on the others"
    return [Section(f"Songs that name their {target}", [Table(head, rows, highlight=chosen, caption=caption)], intro)]


def _other_section(results: Mapping[str, Any]) -> list[Section]:
    other = results.get("other_split")
    if not other:
        return []
    main = main_of(results)
    here, there = (
        next(value_of(line["test"], main.key) for line in part["recipes"] if line["name"] == results["picked"])
        for part in (results, other)
    )
    name = "an accuracy" if main.key == "accuracy" else f"a {main.name}"
    intro = (
        f"Split by {results['split_by']}, {results['picked']} has {name} of {here:{main.spec}}; split by {other['split_by']}, "
        f"{there:{main.spec}}. Split by song, the artists of the test songs occur in training, so a model may recognise the "
        f"artist rather than the {results['target']}. Split by artist, no artist is on both sides: the figure for an artist "
        "who does not occur in training."
    )
    blocks = [_chart(other, results["picked"], f"{main.key}-other"), _table(other, results["picked"])]
    return [Section(f"Split by {other['split_by']}", [*blocks, *_tested(other["tests"])], intro)]


def _repeats(results: Mapping[str, Any]) -> list[Section]:
    found = results.get("repeats")
    if not found:
        return []
    main, second, *_ = figures_of(results)
    rows = [{"name": "(selected on each split)", **found["pick"]}, *found["recipes"]]
    dots = [(row["name"], *(row[main.key][key] for key in ("mean", "low", "high"))) for row in rows]
    table = []
    for row in rows:
        test = found["against"].get(row["name"], {})
        first, then = row[main.key], row[second.key]
        behind = (test.get("mean"), test.get("p_holm"), test.get(second.key, {}).get("p_holm"))
        table.append((row["name"], first["mean"], first["sd"], then["mean"], then["sd"], *behind))
    head = (
        "recipe",
        Column(main.name, ".3f", note="mean"),
        Column("sd", ".3f"),
        Column(second.name, ".3f", note="mean"),
        Column("sd ", ".3f"),
        Column("behind the best", ".3f", note=main.name),
        Column("p, corrected", ".3g", note=main.name),
        Column("p, corrected ", ".3g", note=second.name),
    )
    note = (
        f"Best mean: {found['best']}. Intervals and tests after Nadeau and Bengio (2003): the training sets of the splits "
        "overlap, so the variance of a plain t-test would be too small. Corrected for the number of comparisons by Holm."
    )
    xlabel = f"mean test {main.name} with 95% interval"
    chart = figures.intervals(
        dots, xlabel=xlabel, percent=main.percent, spec="" if main.percent else ".3f", name="repeats"
    )
    tested = found["pick"]["all_songs"]
    whole = f"{value_of(tested, main.key):{main.spec}} ({sections.interval(tested, main)})"
    intro = f"Everything fitted again on {found['n']} splits, in which every song is a test song once. What each split selects "
    if main.key == "accuracy":
        intro += f"is right on {whole} of all {tested['n']:,} songs."
    else:
        intro += f"has a {main.name} of {whole} over all {tested['n']:,} songs."
    return [Section("Over several splits", [chart, Table(head, table, note=note)], intro)]


def _learning_curve(results: Mapping[str, Any]) -> list[Section]:
    points = results.get("learning_curve")
    if not points:
        return []
    main = main_of(results)
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for point in points:
        x, y = lines.setdefault(point["name"], ([], []))
        x.append(point["songs"])
        y.append(value_of(point, main.key))
    chart = figures.curves(
        lines,
        xlabel="training songs",
        ylabel=f"test {main.name}",
        percent=main.percent,
        markers=True,
        name="learning-curve",
        width=720,
    )
    head = ("recipe", Column("songs", ",.0f"), Column(main.name, ".3f"), "95% interval", Column("seconds", ",.1f"))
    rows = [(p["name"], p["songs"], value_of(p, main.key), sections.interval(p, main), p["seconds"]) for p in points]
    table = Details("Every point, with its cost", [Table(head, rows)])
    return [
        Section(
            "Learning curve",
            [chart, table],
            f"{main.name[:1].upper()}{main.name[1:]} on the same test songs after fitting on fewer songs.",
        )
    ]


def _training(fitted: Mapping[str, Fitted]) -> list[Section]:
    blocks: list[Block] = []
    for name, one in fitted.items():
        drawn = one.task.curves(one.run)
        blocks += drawn
        if drawn:
            info = one.run.info
            speed = f"{info['tokens_per_second']:,.0f} real tokens/s, {info['padding']:.1%} padding"
            blocks.append(
                Prose(
                    f"{name}: {info['steps']:,} steps in {info['seconds']:.0f} s, {speed}, step {info['best_step']:,} kept."
                )
            )
    intro = (
        "Against global steps. Validation is scored on all its songs; the step with the lowest validation loss is kept."
    )
    return [Section("Training", blocks, intro)] if blocks else []


def _mistakes(predicted: Predictions, dataset: View) -> Section:
    if dataset.labels.multi:
        return sections.label_figures(predicted.score()["by_class"])
    if dataset.labels.kind == "ordinal":
        return sections.errors_by_size(predicted)
    blocks = sections.mistakes(predicted, "songs", "Confusion, test songs")
    if dataset.target != "artist" and dataset.part("test")["artist"].is_not_null().any():
        artists = dataset.part("test")["artist"].fill_null("(none)").to_list()
        groups = by_group(predicted.truth, predicted.answers, artists)
        rows = [
            (name, each["n"], each["accuracy"]["value"], sections.percent(each["accuracy"]))
            for name, each in list(groups.items())[:20]
        ]
        head = ("artist", Column("songs", ",.0f"), Column("accuracy", ".1%", bar=True), "95% interval")
        blocks.append(Details("Accuracy by artist", [Table(head, rows, caption="The twenty with most test songs")]))
    return Section("Mistakes", [*blocks, sections.calibration(predicted)])


def _prediction_sets(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on coverage and size of the prediction sets of each recipe, and of each class."""
    lines = [(line["name"], line["test"].get("prediction_sets")) for line in results["recipes"]]
    found = {name: sets for name, sets in lines if sets}
    if not found:
        return []
    if results.get("kind") == "ordinal":
        return _number_intervals(found, results["picked"])
    rows = []
    for name, sets in found.items():
        size, covered = sets["mean_size"], sets["coverage"]
        interval = f"{size['low']:.2f} to {size['high']:.2f}"
        rows.append((name, covered["value"], sections.percent(covered), size["value"], interval, sets["single"]))
    head = (
        "recipe",
        Column("coverage", ".1%"),
        "95% interval",
        Column("labels a set", ".2f", note="mean"),
        "95% interval ",
        Column("sets of one label", ".1%"),
    )
    chosen = [place for place, name in enumerate(found) if name == results["picked"]]
    blocks: list[Block] = [Table(head, rows, highlight=chosen)]
    first = found.get(results["picked"]) or next(iter(found.values()))
    if results["picked"] in found:
        classes = sorted(first["by_class"].items(), key=lambda item: (-item[1]["n"], item[0]))[: sections.CLASSES_SHOWN]
        table = [
            (name, each["n"], each["coverage"]["value"], sections.percent(each["coverage"])) for name, each in classes
        ]
        columns = ("class", Column("songs", ",.0f"), Column("coverage", ".1%"), "95% interval")
        blocks.append(Details(f"Coverage by class of {results['picked']}", [Table(columns, table)]))
    what = (
        f"that shall contain {first['target']:.0%} of the true labels of a song in the mean (conformal risk control,"
        if results.get("kind") == "multi"
        else f"that shall contain the true one in {first['target']:.0%} of cases (adaptive prediction sets,"
    )
    intro = (
        f"For each test song, a set of labels {what} calibrated on {first['calibration_songs']:,} validation songs). Of two "
        "recipes with the same coverage, the one with smaller sets knows more. A class of few songs may be covered less often."
    )
    return [Section("Prediction sets", blocks, intro)]


def _number_intervals(found: Mapping[str, Any], picked: str) -> list[Section]:
    """Return the section on the intervals around predicted numbers."""
    rows = [
        (
            name,
            each["coverage"]["value"],
            sections.percent(each["coverage"]),
            None if each["radius"] is None else 2 * each["radius"],
        )
        for name, each in found.items()
    ]
    head = ("recipe", Column("coverage", ".1%"), "95% interval", Column("width", ".1f"))
    first = next(iter(found.values()))
    intro = (
        f"Around each prediction, an interval that shall contain the true number in {first['target']:.0%} of cases (split "
        f"conformal prediction, calibrated on {first['calibration_songs']:,} validation songs). The narrower, the better."
    )
    chosen = [place for place, name in enumerate(found) if name == picked]
    return [Section("Prediction intervals", [Table(head, rows, highlight=chosen)], intro)]


def _out_of_domain(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on how well songs unlike the training songs are recognised."""
    found = results.get("out_of_domain")
    if not found:
        return []
    title = "Songs unlike the training songs"
    if "note" in found:
        return [Section(title, [], found["note"])]
    rows = []
    for name, what in (("unseen_artists", "artists that training never saw"), ("other_languages", "other languages")):
        area = found[name]
        row = (
            [area["value"], f"{area['low']:.3f} to {area['high']:.3f}", area["n"]]
            if area
            else [None, "no such songs", 0]
        )
        rows.append([what, *row])
    head = ("songs of", Column("AUROC", ".3f"), "95% interval", Column("songs", ",.0f"))
    known = next((found[name]["against"] for name in ("unseen_artists", "other_languages") if found[name]), 0)
    intro = (
        f"The out-of-domain score is one minus the highest probability, plus one for a song with a flag (`lyrist label`). "
        f"{results['picked']} was fitted again without {found['artists']:,} artists and without the languages that would be "
        f"flagged; {known:,} test songs of known artists are compared with the songs that were left out. 0.5 is a guess, 1 a "
        "perfect separation."
    )
    return [Section(title, [Table(head, rows)], intro)]


def _doubtful(results: Mapping[str, Any]) -> list[Section]:
    """Return the section on songs whose label is probably wrong, if there are any."""
    found, target = results.get("doubtful"), results["target"]
    if not found or not found["listed"]:
        return []
    intro = (
        f"{found['listed']:,} songs, also in `doubtful.csv`. {results['picked']} judged {found['read']:,} validation and test "
        f"songs, on which it was not fitted. `lyrist explore CORPUS --doubtful {target}` judges the training songs too."
    )
    return [Section(f"Songs with a doubtful {target}", [doubtful_table(found)], intro, anchor="doubtful")]


def _songs(explained: Mapping[str, Sequence[Mapping[str, Any]]], dataset: View) -> Section:
    """Return the section of the hardest and the clearest test songs, drawn from what `explanations` found."""
    blocks: list[Block] = []
    for kind, title, _ in KINDS:
        shown = explained[kind]
        blocks += [Prose(f"{title}{'' if shown else ' (none)'}."), *(_song(one, dataset) for one in shown)]
    return Section(
        "Songs", blocks, "Marked: the words that support the prediction, darker where their weight is larger."
    )


def _song(one: Mapping[str, Any], dataset: View) -> Details:
    song = dataset.songs.row(by_predicate=pl.col("id") == one["id"], named=True)
    text = (song["lyrics"] or "")[:LONGEST]
    title = (
        f"{song['artist'] or '?'}: {song['title'] or '?'} (true label {one['truth']}, predicted {one['prediction'] or 'none'} "
        f"with {one['probability']:.0%})"
    )
    words = [(word, weight) for word, weight in one["words"]]
    return Details(title, [Lyrics(text, spans(text, words), note=f"By {one['method']}.")])


def _deciding_words(results: Mapping[str, Any]) -> list[Section]:
    found = results.get("deciding_words")
    if not found:
        return []
    rows = [(label, ", ".join(words)) for label, words in list(found["classes"].items())[: sections.CLASSES_SHOWN]]
    table = Table(("class", "words, largest weight first"), rows)
    intro = f"The largest weights of {found['name']} for each class. Character n-grams are merged into words that contain them."
    return [Section("Words that decide", [table], intro)]
