"""`label`: predict the label of every song of a table, of any size, with a saved run.

The table is read as `prepare` reads it, in shards; each shard is cleaned as the songs of the run were, labelled and
written on its own, so that memory does not grow with the table, several processes or a Ray cluster share the work, and an
interrupted run is resumed at the next shard. Every row of the input is a row of the output.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lyrist import files, progress
from lyrist.corpus.cleaning import clean_series
from lyrist.corpus.columns import ROLES, kept_name
from lyrist.corpus.ingest import Tables, ingest, read_shard
from lyrist.corpus.labels import Labels
from lyrist.corpus.languages import detect
from lyrist.corpus.parallel import Workers, check_engine
from lyrist.errors import LyristError, UsageError
from lyrist.metrics.conformal import uniform_of
from lyrist.metrics.intervals import wilson
from lyrist.metrics.ordinal import WITHIN, quantiles
from lyrist.models.inputs import songs as as_input
from lyrist.results import Result
from lyrist.training.domain import Domain
from lyrist.training.predictions import Predictions
from lyrist.training.runs import MARKER, MODEL, Run, is_network, open_run

FORMATS = (".parquet", ".csv", ".jsonl")

PICTURES = 256
"""Pictures in memory at one time."""

BLOCK = 2_048
"""Songs whose n-grams are in memory at one time."""

STEP = 64
"""Songs of a step of `label_in_steps`."""

ID_COLUMNS = ("title", "artist")
"""Columns of the input that are in the output, beside source, row and the kept ones."""

NO_TEXT = "no text"
NO_LABEL = "no label reaches its threshold"
UNKNOWN = "unknown"


@dataclass(frozen=True, repr=False)
class Labelled(Result):
    """A labelled table."""

    run: Path
    out: Path | None
    counts: dict[str, Any]
    """``read``, ``labelled``, ``reasons`` (why rows have no label), ``flags``, ``labels`` (songs by label), ``seconds``,
    and ``accuracy`` where the table has the label column."""
    _frame: pl.DataFrame | None = None

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The labelled table, with a row for each row of the input, in its order."""
        if self._frame is not None:
            return self._frame
        assert self.out is not None  # noqa: S101 - there is a frame where there is no file
        if self.out.suffix == ".parquet":
            return pl.read_parquet(self.out, glob=False)
        with self.out.open("rb") as file:  # a path would be a pattern
            return pl.read_csv(file) if self.out.suffix == ".csv" else pl.read_ndjson(file)

    def summary(self) -> str:
        """Return how many rows were labelled, and why others were not."""
        counts = self.counts
        rate = counts["read"] / max(counts["seconds"], 1e-9)
        lines = [
            f"{counts['labelled']:,} of {counts['read']:,} rows labelled in {counts['seconds']:.1f} s ({rate:,.0f}/s)"
        ]
        for what in ("reasons", "flags"):
            shown = ", ".join(f"{name} {count:,}" for name, count in _ranked(counts[what]))
            if shown:
                lines.append(f"  {'without a label' if what == 'reasons' else 'unlike the training songs'}: {shown}")
        most = _ranked(counts["labels"])
        lines.append(
            "  labels: " + ", ".join(f"{name} {count:,}" for name, count in most[:8]) + (" ..." * (len(most) > 8))
        )
        if truncated := counts.get("truncated"):
            lines.append(
                f"  {truncated:,} songs are longer than the network reads; see the columns tokens_read and tokens"
            )
        if accuracy := counts.get("accuracy"):
            name = "all labels right" if "micro_f1" in counts else f"within {WITHIN}" if "mae" in counts else "accuracy"
            more = f"micro F1 {counts['micro_f1']:.3f}, " if "micro_f1" in counts else ""
            more += f"mean absolute error {counts['mae']:.2f}, " if "mae" in counts else ""
            lines.append(
                f"  compared with the table's own labels: {more}{name} {accuracy['value']:.3f} [{accuracy['low']:.3f}, "
                f"{accuracy['high']:.3f}] (n = {accuracy['n']:,}); songs that the run was fitted on are not left out"
            )
        if other := counts.get("labels_unknown_to_the_run"):
            lines.append(
                f"  {other:,} rows have a label of the table that the run does not know; they are not compared"
            )
        if self.out is None:
            lines += [
                f"  {_shown(row['label'])}  {row['title'] or ''}" for row in self.frame.head(10).iter_rows(named=True)
            ]
        return "\n".join([*lines, *([f"labels: {self.out}"] if self.out else [])])

    def figures(self) -> dict[str, Any]:
        """Return the counts; the labelled rows too where no file was written."""
        rows = {} if self.out else {"rows": self.frame.to_dicts()}
        return {"run": str(self.run), "out": str(self.out) if self.out else None, **self.counts, **rows}


def label(
    run: str,
    *tables: str,
    out: str | None = None,
    top: int = 1,
    probabilities: bool = False,
    coverage: float = 0.9,
    abstain: bool = False,
    largest_set: int = 3,
    preset: str = "auto",
    title: str | None = None,
    artist: str | None = None,
    genre: str | None = None,
    lyrics: str | None = None,
    language: str | None = None,
    year: str | None = None,
    keep: tuple[str, ...] = (),
    encoding: str = "auto",
    lines: Literal["auto", "join", "keep"] = "auto",
    raw_csv: bool = False,
    engine: str = "local",
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Labelled:
    """Label every song of a table with a saved run: one row of output for each row of input.

    Parameters
    ----------
    run
        The run directory of a classifier.
    tables
        Files, globs, folders or addresses, as for ``lyrist prepare``; - for JSON lines on standard input. For a run for
        pictures: picture files, or folders of them.
    out
        The file to write: .parquet, .csv or .jsonl. Without it the rows are only returned (``--json`` prints them).
    top
        Write so many labels with their probabilities, the most probable first.
    probabilities
        Write the probability of every label.
    coverage
        The share of songs whose prediction set shall contain the true label.
    abstain
        Give no label to a song that is unlike the training songs, or whose prediction set is empty or large.
    largest_set
        With --abstain: a prediction set of more labels is large.
    preset
        How the columns are called: auto, or the name of a known table.
    title
        The table's column of titles.
    artist
        The table's column of artists.
    genre
        The table's column of genres.
    lyrics
        The table's column of lyrics.
    language
        The table's column of languages.
    year
        The table's column of years or dates.
    keep
        A further column to copy to the output, such as an id; may be given several times.
    encoding
        The encoding of text: auto detects it file by file, or the name of one, such as utf-8 or cp1252.
    lines
        Tables with one row per line of a song: auto recognises them and joins the rows, join insists on it, keep takes each
        row for a song.
    raw_csv
        Write CSV cells as they are. By default a cell that a spreadsheet would read as a formula is preceded by '.
    engine
        local, ray, or ray://HOST:PORT.
    workers
        Processes; by default one per core, and one for a network.
    resume
        Continue an interrupted run with the same options.
    overwrite
        Replace an existing file.

    Raises
    ------
    LyristError
        The run or a table does not exist or cannot be used, or ``out`` cannot be written.
    """
    opened = open_run(run)
    if not tables:
        raise UsageError("label needs a table: lyrist label RUN TABLE... --out labels.parquet.")
    if opened.info["task"] == "write":
        raise UsageError(f"{run} writes lyrics and predicts no label; give label a run of a recipe that classifies.")
    check_engine(engine)
    for name, value, fits in (
        ("top", top, top >= 1),
        ("coverage", coverage, 0 < coverage < 1),
        ("largest-set", largest_set, largest_set >= 1),
        ("workers", workers, workers is None or workers >= 1),
    ):
        if not fits:
            limit = "between 0 and 1" if name == "coverage" else "at least 1"
            raise UsageError(f"--{name} must be {limit}, got {value}.")
    final = Path(out) if out else None
    if final and final.suffix not in FORMATS:
        raise UsageError(f"--out must end in {', '.join(FORMATS)}, got '{final.name}'.")
    if final and final.is_dir():
        raise LyristError(f"{final} is a directory; give a file name as --out.")
    if final and final.exists() and not overwrite and not (resume and files.staging_path(final.absolute()).exists()):
        raise LyristError(f"{final} exists; choose another --out, or replace it with --overwrite.")
    options = {
        "top": top,
        "probabilities": probabilities,
        "coverage": coverage,
        "abstain": abstain,
        "largest_set": largest_set,
    }
    if opened.info["task"] == "picture":
        return _label_pictures(opened, tables, final, options, raw_csv)
    named = {"title": title, "artist": artist, "genre": genre, "lyrics": lyrics, "language": language, "year": year}
    needed = [name for name in opened.features if name not in (*ROLES, *keep)]
    read = Tables.of(tables, preset, (*keep, *needed), encoding, lines, **named)
    settings: dict[str, Any] = {
        "run": str(opened.path.resolve()),
        "made": (opened.path / MARKER).stat().st_mtime_ns,
        "keep": [kept_name(name) for name in keep],
        "options": options,
    }
    workers = workers or (1 if is_network_run(opened) else None)
    if final is None:
        with tempfile.TemporaryDirectory(prefix="lyrist-label-") as folder:
            counts = _label_tables(read, Path(folder), settings, engine, workers)
            frame = pl.concat(list(_assembled(Path(folder))), how="diagonal_relaxed")
        return Labelled(opened.path, None, counts, frame)
    final = final.absolute()
    work = files.staging_path(final)
    with files.explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(final):
            if work.exists() and not resume:
                shutil.rmtree(work)
            work.mkdir(exist_ok=True)
            try:
                counts = _label_tables(read, work, settings, engine, workers)
                with files.explained(final):
                    write_table(_assembled(work), work / f"whole{final.suffix}", raw_csv)
            except LyristError as error:
                if not resume and not isinstance(error, files.DiskFullError):
                    shutil.rmtree(work)  # an error of the user: there is nothing to resume
                raise
            (work / f"whole{final.suffix}").replace(final)
            shutil.rmtree(work)
    return Labelled(opened.path, final, counts)


def _label_pictures(
    opened: Run, paths: tuple[str, ...], final: Path | None, options: dict[str, Any], raw_csv: bool
) -> Labelled:
    """Label picture files and folders of them: one row for each file, some hundred pictures in memory at one time."""
    from lyrist.evaluation.evaluate_images import decoded, open_pictures, spread

    model, started = open_pictures(opened), time.monotonic()
    if model.is_autoencoder:
        raise LyristError(f"{opened.path} is an autoencoder, which predicts no class; give label another run.")
    labeller = Labeller(opened, model.classes_, prediction_sets(opened, options["coverage"]), None)
    every = spread(paths)
    counts = _Counts(len(every), {})

    def tables() -> Iterator[pl.DataFrame]:
        with progress.task("labelling", "pictures") as advance:
            for start in range(0, len(every), PICTURES):
                some = every[start : start + PICTURES]
                found = [decoded(path, model.side) for path in some]
                pixels = [each for each in found if not isinstance(each, str)]
                read = pl.Series(
                    "picture", [str(p) for p, each in zip(some, found, strict=True) if not isinstance(each, str)]
                )
                p = model.predict_proba(np.stack(pixels)) if pixels else np.zeros((0, len(model.classes_)))
                labels = _labels(labeller, read, p, options)
                reasons = pl.Series([each if isinstance(each, str) else None for each in found], dtype=pl.String)
                table = pl.DataFrame({"picture": [str(path) for path in some]}).join(
                    pl.concat([read.to_frame(), _abstained(labels, options)], how="horizontal"),
                    on="picture",
                    how="left",
                    maintain_order="left",
                )
                table = table.with_columns(reason=pl.coalesce(reasons, "reason"))
                counts.add(_counts_of(table, labeller))
                advance(start + len(some), len(every))
                yield table

    if final is None:
        frame = pl.concat(list(tables()))
        return Labelled(opened.path, None, counts.result(time.monotonic() - started), frame)
    with files.explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        part = final.with_name(f".{final.stem}.part{final.suffix}")
        write_table(tables(), part, raw_csv)
        part.replace(final)
    return Labelled(opened.path, final, counts.result(time.monotonic() - started))


def _label_tables(
    tables: Tables, work: Path, settings: dict[str, Any], engine: str, workers: int | None
) -> dict[str, Any]:
    """Read the tables into shards and label each; what an interrupted run finished is used. Return the counts."""
    started = time.monotonic()
    note, wanted = work / "settings.json", json.loads(json.dumps({**settings, **dataclasses.asdict(tables)}))
    if note.exists() and files.read_json(note, "an interrupted run") != wanted:
        raise LyristError(
            "The interrupted run had other options; give the same ones to --resume it, or leave --resume out."
        )
    files.write_json(note, wanted)
    places = tuple(str(_standard_input(work)) if table == "-" else table for table in tables.tables)
    with Workers(engine, workers) as pool:
        read = ingest(dataclasses.replace(tables, tables=places), work, pool)
        (work / "labels").mkdir(exist_ok=True)
        shards = [str(path) for path in sorted((work / "raw").glob("*.parquet"))]
        counts = _Counts(read["read"], dict(read["rejected"]))
        done = sum(read["rejected"].values())
        with progress.task("labelling", "songs") as advance:
            for found in pool.map(label_shard, shards, settings):
                counts.add(found)
                done += found["read"]
                advance(done, read["read"])
    return counts.result(time.monotonic() - started)


def _standard_input(work: Path) -> Path:
    """Return a copy of standard input, made once."""
    copy = work / "stdin.jsonl"
    if not copy.exists():
        with (work / "stdin.part").open("wb") as handle:
            shutil.copyfileobj(sys.stdin.buffer, handle)
            if not handle.tell():
                raise LyristError(
                    "Standard input is empty; give songs as JSON lines, such as lyrist label RUN - < songs.jsonl."
                )
        (work / "stdin.part").replace(copy)
    return copy


@dataclass
class _Counts:
    """Sums over shards."""

    read: int
    reasons: dict[str, int]
    labels: dict[str, int] = dataclasses.field(default_factory=dict)
    flags: dict[str, int] = dataclasses.field(default_factory=dict)
    labelled: int = 0
    compared: int = 0
    right: int = 0
    other: int = 0
    hits: int = 0
    sizes: int = 0
    off: float = 0.0
    truncated: int = 0

    def add(self, found: Mapping[str, Any]) -> None:
        for name in ("reasons", "labels", "flags"):
            sums = getattr(self, name)
            for key, count in found[name].items():
                sums[key] = sums.get(key, 0) + count
        for name in ("labelled", "compared", "right", "other", "hits", "sizes", "off", "truncated"):
            setattr(self, name, getattr(self, name) + found.get(name, 0))

    def result(self, seconds: float) -> dict[str, Any]:
        found: dict[str, Any] = {
            "read": self.read,
            "labelled": self.labelled,
            "reasons": self.reasons,
            "flags": self.flags,
            "labels": dict(_ranked(self.labels)),
            "seconds": seconds,
        }
        if self.truncated:
            found["truncated"] = self.truncated
        if self.other:
            found["labels_unknown_to_the_run"] = self.other
        if self.compared:
            low, high = wilson(self.right, self.compared)
            found["accuracy"] = {"value": self.right / self.compared, "low": low, "high": high, "n": self.compared}
            if self.sizes:
                found["micro_f1"] = 2 * self.hits / self.sizes
            if self.off:
                found["mae"] = self.off / self.compared
        return found


def is_network_run(run: Run) -> bool:
    """Return whether the model of a run is a network, without opening it."""
    return (run.path / MODEL / "config.json").is_file()


@dataclass(frozen=True)
class Labeller:
    """An opened run with what is computed once for all shards."""

    run: Run
    classes: list[str]
    sets: Any
    """Prediction sets of the kind of the target; None for a run without predictions on validation songs."""
    domain: Domain | None

    @cached_property
    def labels(self) -> Labels:
        """The target of the run."""
        return Labels.of({"target": "", **self.run.info})

    @classmethod
    def of(cls, run: Run, coverage: float) -> Labeller:
        """Return the labeller of a classifier of lyrics."""
        classes = [str(name) for name in run.info["classes"]]
        return cls(run, classes, prediction_sets(run, coverage), Domain.load(run.path / MODEL))

    def label(self, texts: pl.Series, songs: pl.DataFrame, options: Mapping[str, Any]) -> pl.DataFrame:
        """Return a row for each cleaned text; `BLOCK` texts are in memory as n-grams at one time.

        ``songs`` has the artist and the other columns that the model reads.
        """
        model = self.run.model
        more = {"batch_size": 64} if is_network(model) else {}
        parts = []
        for start in range(0, max(len(texts), 1), BLOCK):
            part = texts[start : start + BLOCK]
            rows = songs[start : start + BLOCK]
            others = {name: rows[kept_name(name) if name not in rows.columns else name] for name in self.run.features}
            if "language" in others:  # in a corpus it is predicted from the lyrics
                others["language"] = detect(part)[0]
            inputs = as_input(part.to_list(), rows["artist"].fill_null("").to_list(), others)
            empty = np.zeros((0, len(self.classes)))
            found = np.asarray(model.predict_proba(inputs, **more), dtype=np.float64) if len(part) else empty
            labels = _labels(self, part, found, options)
            if self.domain is None:
                labels = labels.with_columns(flags=pl.lit([], dtype=pl.List(pl.String)))
            else:
                flags, codes = self.domain.flags(part)
                labels = labels.with_columns(flags, codes.alias("detected_language"))
            if is_network(model):
                read = model.tokens_read(inputs) if len(part) else np.zeros((0, 2), np.int64)
                labels = labels.with_columns(tokens_read=pl.Series(read[:, 0]), tokens=pl.Series(read[:, 1]))
            parts.append(_abstained(labels, options))
        return pl.concat(parts)


@functools.lru_cache(maxsize=2)
def _labeller(run: str, made: int, coverage: float) -> Labeller:
    """Open a run that was made at a time, once in each process."""
    return Labeller.of(open_run(run), coverage)


def prediction_sets(run: Run, coverage: float) -> Any:
    """Return prediction sets calibrated on the validation songs of a run; None for a run without predictions on them."""
    try:
        return Predictions.of(run, "validation").sets(coverage)
    except LyristError:
        return None


def label_shard(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Label the songs of one raw shard (see `lyrist.corpus.ingest`); write ``labels/NNNNN.parquet``, return its counts.

    Parameters
    ----------
    path
        The shard.
    settings
        ``run``, ``made`` (the time of its ``run.json``), ``keep`` (columns to copy) and ``options`` (see `label`).
    """
    raw = Path(path)
    done = raw.parents[1] / "labels" / raw.name
    counts = done.with_suffix(".json")
    if done.exists() and counts.exists():
        found: dict[str, Any] = files.read_json(counts, "a shard")
        return found
    options = settings["options"]
    labeller = _labeller(settings["run"], settings["made"], options["coverage"])
    table = label_songs(labeller, read_shard(raw), settings["keep"], options)
    found = _counts_of(table, labeller)
    with files.explained(done):
        part = done.with_suffix(".part")
        table.write_parquet(part)
        part.replace(done)
        files.write_json(counts, found)
    return found


def label_songs(
    labeller: Labeller, songs: pl.DataFrame, keep: Sequence[str], options: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the labels of songs of a raw shard, a row for each."""
    target = labeller.labels.column
    cleaned, _ = clean_series(songs["lyrics"].fill_null(""), labeller.run.cleaning)
    filled = cleaned.str.contains(r"\S")
    labels = labeller.label(cleaned.filter(filled), songs.filter(filled), options)
    place = songs.select("id").filter(filled)
    columns = ["id", "source", "row", *ID_COLUMNS, *(name for name in keep if name not in ID_COLUMNS)]
    if target in songs.columns and target not in columns:
        columns.append(target)
    table = songs.select(columns).join(
        pl.concat([place, labels], how="horizontal"), on="id", how="left", maintain_order="left"
    )
    return table.with_columns(reason=pl.when(~filled).then(pl.lit(NO_TEXT)).otherwise("reason"))


def label_in_steps(
    labeller: Labeller, tables: Tables, options: Mapping[str, Any]
) -> Generator[None, None, pl.DataFrame]:
    """Label tables with an opened run, `STEP` songs at a time, for a server that does other work in between.

    Parameters
    ----------
    labeller
        The opened run.
    tables
        The tables.
    options
        ``top``, ``probabilities``, ``abstain`` and ``largest_set``; see `label`.

    Yields
    ------
    None
        After each step.

    Returns
    -------
    DataFrame
        The labelled table.
    """
    keep = [kept_name(name) for name in tables.keep]
    with tempfile.TemporaryDirectory(prefix="lyrist-label-") as folder:
        work = Path(folder)
        ingest(tables, work, Workers(count=1))
        (work / "labels").mkdir()
        for raw in sorted((work / "raw").glob("*.parquet")):
            songs, parts = read_shard(raw), []
            for start in range(0, len(songs), STEP):
                parts.append(label_songs(labeller, songs[start : start + STEP], keep, options))
                yield
            pl.concat(parts).write_parquet(work / "labels" / raw.name)
        return pl.concat(list(_assembled(work)), how="diagonal_relaxed")


def _labels(
    labeller: Labeller, texts: pl.Series, probabilities: NDArray[np.float64], options: Mapping[str, Any]
) -> pl.DataFrame:
    """Return a row for each text: label, probability, further labels or probabilities, and the prediction set.

    With several labels a song, label and probability are lists of those that reach their threshold, and the most probable
    labels are in columns of their own; of an ordered target the label is a number, and the set an interval.
    """
    if labeller.labels.multi:
        return _several(labeller, probabilities, options)
    if labeller.labels.kind == "ordinal":
        return _numbers(labeller, probabilities, options)
    names = np.array(labeller.classes, dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    columns: dict[str, Any] = {}
    for rank in range(min(options["top"], len(names))):
        suffix = f"_{rank + 1}" if rank else ""
        chosen = order[:, rank]
        columns[f"label{suffix}"] = pl.Series(names[chosen].tolist(), dtype=pl.String)
        columns[f"probability{suffix}"] = probabilities[np.arange(len(chosen)), chosen]
    if labeller.sets:
        members = labeller.sets.members(probabilities, uniform_of(texts.to_list()))
        sizes = members.sum(axis=1).tolist()  # a set holds the most probable labels
        ranked = [names[row[:size]].tolist() for row, size in zip(order, sizes, strict=True)]
        columns["prediction_set"] = pl.Series(ranked, dtype=pl.List(pl.String))
    else:
        columns["prediction_set"] = pl.Series([None] * len(texts), dtype=pl.List(pl.String))
    if options["probabilities"]:
        columns |= {f"p_{name}": probabilities[:, k] for k, name in enumerate(labeller.classes)}
    return pl.DataFrame(columns).with_columns(reason=pl.lit(None, pl.String))


def _several(labeller: Labeller, probabilities: NDArray[np.float64], options: Mapping[str, Any]) -> pl.DataFrame:
    limits = np.array(labeller.run.info["thresholds"], dtype=float)
    order, strings = np.argsort(-probabilities, axis=1, kind="stable"), pl.List(pl.String)

    def listed(chosen: NDArray[np.bool_]) -> list[list[int]]:
        return [[c for c in ranked if own[c]] for ranked, own in zip(order.tolist(), chosen, strict=True)]

    def named(places: Sequence[Sequence[int]]) -> list[list[str]]:
        return [[labeller.classes[c] for c in row] for row in places]

    places = listed(probabilities >= limits)
    columns: dict[str, Any] = {
        "label": pl.Series(named(places), dtype=strings),
        "probability": pl.Series(
            [row[own].tolist() for row, own in zip(probabilities, places, strict=True)], dtype=pl.List(pl.Float64)
        ),
    }
    for rank in range(min(options["top"], len(labeller.classes)) if options["top"] > 1 else 0):
        chosen = order[:, rank]
        columns[f"top_{rank + 1}"] = pl.Series([labeller.classes[c] for c in chosen], dtype=pl.String)
        columns[f"top_probability_{rank + 1}"] = probabilities[np.arange(len(chosen)), chosen]
    sets = named(listed(labeller.sets.members(probabilities))) if labeller.sets else [None] * len(order)
    columns["prediction_set"] = pl.Series(sets, dtype=strings)
    if options["probabilities"]:
        columns |= {f"p_{name}": probabilities[:, k] for k, name in enumerate(labeller.classes)}
    empty = pl.col("label").list.len() == 0
    return pl.DataFrame(columns).with_columns(
        reason=pl.when(empty).then(pl.lit(NO_LABEL)), label=pl.when(~empty).then("label")
    )


def _numbers(labeller: Labeller, probabilities: NDArray[np.float64], options: Mapping[str, Any]) -> pl.DataFrame:
    middle = quantiles(probabilities, labeller.classes).round(1)
    radius = labeller.sets.radius if labeller.sets and math.isfinite(labeller.sets.radius) else None
    columns: dict[str, Any] = {"label": middle}
    for name, side in (("low", -1), ("high", 1)):
        columns[name] = pl.Series([None] * len(middle), dtype=pl.Float64) if radius is None else middle + side * radius
    if options["probabilities"]:
        columns |= {f"p_{name}": probabilities[:, k] for k, name in enumerate(labeller.classes)}
    return pl.DataFrame(columns).with_columns(reason=pl.lit(None, pl.String))


def _shown(value: Any) -> str:
    """Return a label, several labels or a number as text."""
    if value is None:
        return "-"
    return ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def _abstained(labels: pl.DataFrame, options: Mapping[str, Any]) -> pl.DataFrame:
    """Return the labels without those of unknown songs, if that was requested."""
    if not options["abstain"]:
        return labels
    unknown = pl.lit(False)
    if "prediction_set" in labels.columns:
        size = pl.col("prediction_set").list.len()
        unknown = (size == 0) | (size > options["largest_set"])
    if "flags" in labels.columns:
        unknown |= pl.col("flags").list.len() > 0
    return labels.with_columns(
        label=pl.when(unknown).then(None).otherwise("label"),
        reason=pl.when(unknown).then(pl.lit(UNKNOWN)).otherwise("reason"),
    )


def _counts_of(table: pl.DataFrame, labeller: Labeller) -> dict[str, Any]:
    """Return the counts of a labelled table; the labels are compared with its target column, if it has one.

    Only labels that the run knows are compared; the others are counted.
    """
    labels, several = labeller.labels, table["label"].dtype == pl.List(pl.String)
    found: dict[str, Any] = {
        "read": len(table),
        "labelled": len(table) - table["label"].null_count(),
        "labels": _counted(table["label"].explode() if several else table["label"].cast(pl.String)),
        "reasons": _counted(table["reason"]),
    }
    found["flags"] = _counted(table["flags"].explode()) if "flags" in table.columns else {}
    found |= {"compared": 0, "right": 0, "other": 0}
    if "tokens_read" in table.columns:
        found["truncated"] = int(table.select((pl.col("tokens_read") < pl.col("tokens")).sum()).item())
    if labels.column in table.columns:
        truth = labels.read(table[labels.column], labeller.classes)
        both = table.select("label", truth=truth).drop_nulls()
        right = pl.col("label") == pl.col("truth")
        if labels.kind == "ordinal":
            known, right = both, (pl.col("label") - pl.col("truth")).abs() <= WITHIN
            found["off"] = float(both.select((pl.col("label") - pl.col("truth")).abs().sum()).item() or 0.0)
        elif labels.multi:
            known, right = both, pl.col("label").list.sort() == pl.col("truth")
            hits = pl.col("label").list.set_intersection("truth").list.len()
            sizes = pl.col("label").list.len() + pl.col("truth").list.len()
            found |= both.select(hits=hits.sum(), sizes=sizes.sum()).row(0, named=True)
        else:
            known = both.filter(pl.col("truth").is_in(list(labeller.classes)))
        found |= {"compared": len(known), "right": len(known.filter(right)), "other": len(both) - len(known)}
    return found


def _counted(values: pl.Series) -> dict[str, int]:
    return dict(values.drop_nulls().value_counts().iter_rows())


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _assembled(work: Path) -> Iterator[pl.DataFrame]:
    """Yield the labelled shards with the rows that could not be read, in the order of the input."""
    rejected = sorted((work / "rejected").glob("*.parquet"))
    shards = sorted((work / "labels").glob("*.parquet"))
    held: list[pl.DataFrame] = []
    schema: dict[str, Any] = {}
    for path in shards:
        table = pl.read_parquet(path, glob=False)
        schema = dict(table.schema)
        last = table["id"][-1]
        while rejected and pl.scan_parquet(rejected[0], glob=False).select(pl.col("id").min()).collect().item() < last:
            held.append(_unread(pl.read_parquet(rejected.pop(0), glob=False)))
        yield pl.concat([table, *held], how="diagonal_relaxed").sort("id").select(list(schema)).pipe(_named)
        held = []
    for path in rejected:
        found = pl.concat(
            [pl.DataFrame(schema=schema), _unread(pl.read_parquet(path, glob=False))], how="diagonal_relaxed"
        )
        yield (found.select(list(schema)) if schema else found).pipe(_named)


def _named(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table without our own ids, with the id column of the input, if it was kept, under its own name."""
    return table.drop("id").rename({kept_name("id"): "id"}, strict=False)


def _unread(rejected: pl.DataFrame) -> pl.DataFrame:
    """Return rows that could not be read, with the reason."""
    return rejected.select("id", "source", "row", "title", "artist", "reason")


def write_table(tables: Iterable[pl.DataFrame], path: Path, raw_csv: bool = False) -> None:
    """Write tables with one schema to a file whose ending names the format."""
    if path.suffix == ".parquet":
        writer: pq.ParquetWriter | None = None
        try:
            for table in tables:
                arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
                writer = writer or pq.ParquetWriter(path, arrow.schema, write_page_checksum=True)
                writer.write_table(arrow.cast(writer.schema))
        finally:
            if writer:
                writer.close()
        return
    with path.open("wb") as handle:
        for number, table in enumerate(tables):
            if path.suffix == ".jsonl":
                table.write_ndjson(handle)
            else:
                flat = table.with_columns(
                    pl.col(name).cast(pl.List(pl.String)).list.join("; ")
                    for name, kind in table.schema.items()
                    if isinstance(kind, pl.List)
                )
                (flat if raw_csv else files.spreadsheet_safe(flat)).write_csv(handle, include_header=number == 0)
