"""`train` for writers: fit one, score it on validation and, once, on test, in bits per byte, and write the run.

A writer reads every song of the training split, so that nothing is chosen here but the columns it is told. Held-out songs
are scored whole; of a very large split a sample is scored, the same for every writer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import files
from lyrist._version import __version__
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.metrics.language_modelling import SongLosses, figures, read_losses, song_losses, write_losses
from lyrist.models import registry
from lyrist.training import journal, runs, writer
from lyrist.training.cards import writer_card
from lyrist.training.curves import beside, writer_curves
from lyrist.training.memoryguard import room_to_count

HELD = ("validation", "test")

MEASURED = 10_000
"""Songs whose mean length tells what counting will take."""

LYRICS = "lyrics"

LARGEST = 2_000
"""Songs of a split that are scored at most: the interval is narrow by then, and a million songs would take days."""


def held(corpus: Corpus, split: str, columns: list[str]) -> pl.DataFrame:
    """Return id, lyrics and those ``columns`` that there are of the songs by which writers are scored, in the order of id.

    Raises
    ------
    LyristError
        There is none.
    """
    known = [column for column in columns if column in corpus.columns]
    songs = corpus.songs(split, list(dict.fromkeys(["id", "lyrics", *known])))
    if songs.is_empty():
        raise LyristError(
            f"The {split} split of {corpus.path} has no song; choose another --split, or prepare with a larger share."
        )
    if len(songs) > LARGEST:
        seed = int(corpus.info["settings"]["split"]["seed"])
        drawn = songs.select("id").with_columns(chance=pl.col("id").hash(seed)).sort("chance", "id")
        songs = songs.filter(pl.col("id").is_in(drawn["id"].head(LARGEST).to_list()))
    return songs


@dataclass(frozen=True)
class Task:
    """What writers are to learn: the songs of a corpus, told some of their columns first."""

    corpus: Corpus
    condition: tuple[str, ...]
    """The columns that are told, in this order."""

    @property
    def split_by(self) -> str:
        """Return what stands on one side of the split together: ``song``, ``artist`` or ``column``."""
        settings = self.corpus.info["settings"]["split"]
        return "column" if settings["column"] else str(settings["by"])

    @property
    def split_seed(self) -> int:
        """Return the seed of the split."""
        return int(self.corpus.info["settings"]["split"]["seed"])

    @cached_property
    def held(self) -> dict[str, pl.DataFrame]:
        """Return the songs by which writers are scored, by split: at most a sample of them, in the order of id."""
        return {split: held(self.corpus, split, ["title", "artist", *self.condition]) for split in HELD}

    def training_texts(self, most: int) -> list[str]:
        """Return the lyrics of training songs, of very many a sample of about ``most``."""
        songs = self.corpus.scan("train").select("id", LYRICS)
        total = self.songs("train")
        if total > most:
            songs = songs.filter(pl.col("id").hash(self.split_seed) % total < most)
        found: list[str] = songs.collect()[LYRICS].to_list()
        return found

    def room(self, settings: Any) -> dict[str, int]:
        """Return what ``run.json`` says of the memory that a recipe of counts takes; nothing for another recipe.

        Raises
        ------
        LyristError
            There is too little.
        """
        if not hasattr(settings, "largest"):
            return {}
        mean = self.corpus.scan("train").select(pl.col(LYRICS).head(MEASURED).str.len_chars().mean()).collect().item()
        return room_to_count(settings, self.songs("train"), round(mean or 0)).told()

    def songs(self, split: str) -> int:
        """Return the number of songs in a split."""
        return int(self.corpus.info["counts"]["splits"].get(split, 0))


def task(corpus: Corpus, condition: str | tuple[str, ...] = ()) -> Task:
    """Return the task of writing the songs of a corpus, told the columns ``condition`` (separated by commas).

    Raises
    ------
    LyristError
        A column is not there or empty, named twice, or a split has no song.
    """
    parts = condition.split(",") if isinstance(condition, str) else condition
    columns = tuple(part.strip() for part in parts if part.strip())
    for column in columns:
        corpus.check_target(column)
        if columns.count(column) > 1:
            raise UsageError(f"--condition names '{column}' twice; name it once.")
    return Task(corpus, columns)


@dataclass(frozen=True)
class Written:
    """A writer that was fitted and scored."""

    run: runs.Run

    def summary(self) -> str:
        """Return what unseen songs cost it, and where the run is."""
        info, results = self.run.info, self.run.results
        told = f", told the {' and '.join(info['condition'])}" if info["condition"] else ""
        lines = [f"{info['recipe']} writes lyrics{told}: {info['parameters']:,} parameters, {info['seconds']:.1f} s"]
        lines += [f"  {split:<11} {scored(results[split])}" for split in HELD]
        return "\n".join([*lines, f"run: {self.run.path}"])

    def figures(self) -> dict[str, Any]:
        """Return what ``results.json`` holds, with the run's path and cost."""
        info = self.run.info
        return {
            "run": str(self.run.path),
            **{k: info[k] for k in ("recipe", "parameters", "seconds")},
            **self.run.results,
        }

    def losses(self, split: str) -> SongLosses:
        """Return what each held-out song cost."""
        return losses(self.run, split)[1]


def losses(run: runs.Run, split: str) -> tuple[list[int], SongLosses]:
    """Return the ids of the songs by which a run was scored, and what each cost."""
    return read_losses(run.path / runs.PREDICTIONS / f"{split}.parquet")


def scored(scores: Mapping[str, Any]) -> str:
    """Return bits per byte with interval and n, and the perplexity where there are tokens, as text."""
    cost = scores["bits_per_byte"]
    told = f"{cost['value']:.3f} bits per byte [{cost['low']:.3f}, {cost['high']:.3f}] (n = {scores['n']:,})"
    return f"{told}, perplexity {scores['perplexity']:,.1f} a token" if "perplexity" in scores else told


def sentence(first: str, second: str, test: Mapping[str, float]) -> str:
    """Say in words what the paired comparison of two writers found."""
    told = (
        f"On the same test songs {first} costs {abs(test['difference']):.3f} bits per byte "
        f"{'less' if test['difference'] <= 0 else 'more'} than {second} "
        f"(difference {test['difference']:+.3f}, 95% interval {test['low']:+.3f} to {test['high']:+.3f})"
    )
    if test["low"] <= 0 <= test["high"]:
        return f"{told}: these songs cannot tell them apart."
    return f"{told}: {first if test['difference'] < 0 else second} is better."


def train(
    recipe: str,
    data: str,
    *,
    out: str,
    target: str | None,
    condition: str,
    only: str,
    given: Mapping[str, Any],
    seed: int,
    resume: bool,
) -> Written:
    """Fit one writer and score it; the parameters are those of `lyrist.training.train.train`.

    Raises
    ------
    LyristError
        The corpus, the recipe, a condition or an option is not there or cannot be used together.
    """
    check(recipe, target, only)
    corpus = Corpus.open(data)
    writer.configure(recipe, given, seed)
    return fit(task(corpus, condition), recipe, Path(out), options=given, seed=seed, resume=resume)


def check(recipe: str, target: str | None, only: str) -> None:
    """Raise where what is asked for is not what the recipe is for."""
    if registry.get(recipe).task != "write":
        known = ", ".join(each.name for each in registry.recipes("write"))
        raise UsageError(
            f"'{recipe}' does not write, so it has no use for --target lyrics; recipes that write: {known}. For '{recipe}' "
            "give --target artist, genre or another column."
        )
    if target not in (None, LYRICS):
        raise UsageError(
            f"'{recipe}' writes lyrics and does not tell the {target} of a song; leave --target {target} out (and give "
            f"--condition {target} to have it write by {target}), or choose a recipe that classifies."
        )
    if only:
        raise UsageError(
            "--only is for recipes that classify; for a writer of some genres alone, prepare a corpus with --genres."
        )


Reader = Callable[[writer.Writer, Path], Mapping[str, Any]]
"""Has a fitted writer write, and returns what is to be said about that; files go into the folder of the run."""


def fit(
    task: Task,
    recipe: str,
    out: Path,
    *,
    options: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    name: str = "",
    read: Reader | None = None,
) -> Written:
    """Fit a recipe on the training songs of a corpus and write the run directory ``out``.

    The validation songs choose the step of a network and the weights of a mixture; the test songs are read once. With
    ``resume``, a run of just this that is finished is returned.
    """
    if resume and files.finished(out, runs.MARKER):
        before = fitted_before(out, recipe, options, seed, task)
        if before:
            return before
    space = task.room(writer.configure(recipe, options, seed)[1])
    with runs.create(out, resume=resume, asked=_asked(recipe, options, seed, task)) as folder:
        started, cpu = time.monotonic(), time.process_time()
        fitted = writer.fit_writer(
            task.corpus, recipe, options, task.condition, seed=seed, folder=folder, resume=resume
        )
        cost = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        fitted.check_scorable()
        if runs.is_main():
            fitted.save(folder / runs.MODEL)
            results: dict[str, Any] = {}
            for split, songs in task.held.items():
                found = song_losses(fitted, songs, title=f"{name or recipe}: {split}")
                write_losses(folder / runs.PREDICTIONS / f"{split}.parquet", songs["id"].to_list(), found)
                results[split] = figures(found)
            if read:
                results |= read(fitted, folder)
            info = _info(task, recipe, fitted, options, seed) | {"name": name or recipe, **cost, **space}
            files.write_json(folder / runs.MARKER, info)
            runs.write_results(folder, results)
            files.write_text(folder / runs.MODEL / "README.md", writer_card(info, results, fitted.seq2seq))
            drawn = writer_curves(journal.read(folder), recipe, info.get("best_step"))
            if drawn:
                files.write_text(folder / "curves.svg", beside(drawn))
    return Written(runs.open_run(out))


def _info(task: Task, recipe: str, fitted: writer.Writer, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    trained = fitted.outcome.summary() if fitted.outcome else {"device": "cpu", "steps": 0}
    return {
        "format": runs.FORMAT,
        "lyrist": __version__,
        "parameters": fitted.parameters(),
        **trained,
        "vocabulary": len(fitted.tokenizer),
        "context": fitted.context,
        "recipe": recipe,
        "task": "write",
        "target": LYRICS,
        "condition": list(task.condition),
        "conditions": {column: list(values) for column, values in fitted.conditions.items()},
        "split_by": task.split_by,
        "split_seed": task.split_seed,
        "songs": {split: task.songs(split) for split in SPLITS},
        "left_out": fitted.ledger,
        "config": writer.resolved(recipe, options, seed),
        "corpus": str(task.corpus.path.resolve()),
        "cleaning": task.corpus.info["settings"]["cleaning"],
        "fingerprint": task.corpus.fingerprint,
        "seed": seed,
        "versions": runs.versions(),
    }


def fitted_before(out: Path, recipe: str, options: Mapping[str, Any], seed: int, task: Task) -> Written | None:
    """Return the finished run in ``out`` if it is of just this recipe, options, seed, corpus and conditions; else None."""
    files.complete(out)
    if not (out / runs.MARKER).is_file():
        return None
    run, same = runs.open_run(out), _asked(recipe, options, seed, task)
    return Written(run) if all(run.info.get(key) == value for key, value in same.items()) else None


def _asked(recipe: str, options: Mapping[str, Any], seed: int, task: Task) -> dict[str, Any]:
    """Return what decides the outcome of a run, as ``run.json`` has it."""
    same = {"recipe": recipe, "seed": seed, "fingerprint": task.corpus.fingerprint, "condition": list(task.condition)}
    return {**same, "config": json.loads(json.dumps(writer.resolved(recipe, options, seed)))}
