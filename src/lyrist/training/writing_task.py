"""The task of writing lyrics: the fit, and the scores in bits per byte.

A writer is fitted on all training songs. Held-out songs are scored whole; of a very large split a sample is scored, the
same for every writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.metrics.language_modelling import SongLosses, figures, read_losses, song_losses, write_losses
from lyrist.models import registry
from lyrist.training import estimators, runs
from lyrist.training.cards import writer_card
from lyrist.training.dataset import LYRICS
from lyrist.training.memoryguard import Room, available, room_to_count
from lyrist.training.train import HELD, Selection, Task, json_ready

if TYPE_CHECKING:
    from lyrist.reports.blocks import Figure
    from lyrist.training.writer import Writer

MEASURED = 10_000
"""Songs whose mean length is used to estimate the memory of counting."""

LARGEST = 2_000
"""Maximum number of songs of a split that are scored: the interval is narrow then, and a million songs would take days."""


def held(corpus: Corpus, split: str, columns: list[str]) -> pl.DataFrame:
    """Return id, lyrics and the existing ``columns`` of the songs on which writers are scored, ordered by id.

    Raises
    ------
    LyristError
        There is none.
    """
    known = [column for column in columns if column in corpus.columns]
    songs = corpus.songs(split, list(dict.fromkeys(["id", LYRICS, *known])))
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
class WritingTask(Task):
    """Write songs like those of a corpus, conditioned on some columns."""

    kind: ClassVar[str] = "write"
    corpus: Corpus
    condition: tuple[str, ...] = ()
    """The columns that a writer is conditioned on, in this order."""

    @classmethod
    def open(
        cls, recipe: str, data: str, selection: Selection, options: Mapping[str, Any], seed: int
    ) -> tuple[WritingTask, dict[str, Any]]:
        """Return the task of writing the songs of a corpus."""
        if registry.get(recipe).task != "write":
            known = ", ".join(each.name for each in registry.recipes("write"))
            raise UsageError(
                f"'{recipe}' does not write, so --target lyrics cannot be used with it; recipes that write: {known}. For "
                f"'{recipe}' give --target artist, genre or another column."
            )
        if selection.target not in (None, LYRICS):
            raise UsageError(
                f"'{recipe}' writes lyrics and does not predict the {selection.target} of a song; leave --target "
                f"{selection.target} out (and give --condition {selection.target} to have it write by {selection.target}), "
                "or choose a recipe that classifies."
            )
        if selection.only:
            raise UsageError(
                "--only is for recipes that classify; for a writer of some genres alone, prepare a corpus with --genres."
            )
        if selection.max_songs is not None:
            raise UsageError(f"'{recipe}' writes; --max-songs is for recipes that classify: leave it out.")
        estimators.configure(recipe, options, seed, "write")
        return cls.of(Corpus.open(data), selection.condition or ()), dict(options)

    @classmethod
    def of(cls, corpus: Corpus, condition: str | tuple[str, ...] = ()) -> WritingTask:
        """Return the task for a corpus and the columns ``condition`` (a tuple, or names separated by commas).

        Raises
        ------
        LyristError
            A column does not exist, is empty, or is named twice.
        """
        parts = condition.split(",") if isinstance(condition, str) else condition
        columns = tuple(part.strip() for part in parts if part.strip())
        for column in columns:
            corpus.check_target(column)
            if columns.count(column) > 1:
                raise UsageError(f"--condition names '{column}' twice; name it once.")
        return cls(corpus, columns)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the corpus."""
        return self.corpus.fingerprint

    @property
    def split_by(self) -> str:
        """What is kept on one side of the split: ``song``, ``artist`` or ``column``."""
        settings = self.corpus.info["settings"]["split"]
        return "column" if settings["column"] else str(settings["by"])

    @property
    def split_seed(self) -> int:
        """The seed of the split."""
        return int(self.corpus.info["settings"]["split"]["seed"])

    @cached_property
    def held(self) -> dict[str, pl.DataFrame]:
        """The songs on which writers are scored, by split; see `held`."""
        return {split: held(self.corpus, split, ["title", "artist", *self.condition]) for split in HELD}

    def songs(self, split: str) -> int:
        """Return the number of songs in a split."""
        return int(self.corpus.info["counts"]["splits"].get(split, 0))

    def training_texts(self, most: int) -> list[str]:
        """Return the lyrics of the training songs, or of a sample of about ``most`` of them."""
        songs = self.corpus.scan("train").select("id", LYRICS)
        total = self.songs("train")
        if total > most:
            songs = songs.filter(pl.col("id").hash(self.split_seed) % total < most)
        found: list[str] = songs.collect()[LYRICS].to_list()
        return found

    def identity(self, recipe: str, options: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the keys of ``run.json`` that decide the outcome."""
        return {
            "recipe": recipe,
            "seed": seed,
            "fingerprint": self.fingerprint,
            "condition": list(self.condition),
            "config": json_ready(estimators.resolved(recipe, options, seed, "write")),
        }

    def memory(self, recipe: str, options: Mapping[str, Any]) -> Room:
        """Return the memory that counting is estimated to take; for networks there is no estimate."""
        settings = estimators.configure(recipe, options, task="write")[1]
        if not hasattr(settings, "memory"):
            return Room(None, available())
        mean = self.corpus.scan("train").select(pl.col(LYRICS).head(MEASURED).str.len_chars().mean()).collect().item()
        return room_to_count(settings, self.songs("train"), round(mean or 0))

    def learn(
        self,
        recipe: str,
        options: Mapping[str, Any],
        *,
        seed: int,
        folder: Path | None = None,
        resume: bool = False,
        title: str = "",
    ) -> Writer:
        """Return the fitted writer; validation songs select the step of a network and the weights of a mixture."""
        from lyrist.training import writer

        fitted = writer.fit_writer(
            self.corpus, recipe, options, self.condition, seed=seed, folder=folder, resume=resume
        )
        fitted.check_scorable()
        return fitted

    def describe(self, model: Writer) -> dict[str, Any]:
        """Return the keys of ``run.json`` that describe the writer and its songs."""
        trained = model.outcome.summary() if model.outcome else {"device": "cpu", "steps": 0}
        prompt = {"prompt": model.described_prompt()} if model.prompt else {}
        return {
            **prompt,
            "parameters": model.parameters(),
            **trained,
            "vocabulary": len(model.tokenizer),
            "context": model.context,
            "seq2seq": model.seq2seq,
            "target": LYRICS,
            "conditions": {column: list(values) for column, values in model.conditions.items()},
            "split_by": self.split_by,
            "split_seed": self.split_seed,
            "songs": {split: self.songs(split) for split in SPLITS},
            "left_out": model.ledger,
            "corpus": str(self.corpus.path.resolve()),
            "cleaning": self.corpus.info["settings"]["cleaning"],
        }

    def score(self, model: Writer, folder: Path | None = None, title: str = "") -> dict[str, Any]:
        """Return the bits per byte of validation and test songs; the losses of each song are stored in ``folder``."""
        results: dict[str, Any] = {}
        for split, songs in self.held.items():
            found = song_losses(model, songs, title=f"{title}: {split}")
            if folder:
                write_losses(folder / runs.PREDICTIONS / f"{split}.parquet", songs["id"].to_list(), found)
            results[split] = figures(found)
        return results

    def save(self, model: Writer, folder: Path) -> None:
        """Write the writer into a run directory."""
        model.save(folder / runs.MODEL)

    @staticmethod
    def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
        """Return the model card in Markdown."""
        return writer_card(info, results)

    @staticmethod
    def curves(run: runs.Run) -> list[Figure]:
        """Return the training curves; none for a model that is not trained in steps."""
        from lyrist.training.curves import writer_curves

        return writer_curves(run.metrics, run.info["name"], run.info.get("best_step"))

    @staticmethod
    def headline(run: runs.Run) -> list[str]:
        """Return the line of the summary that precedes the scores."""
        info = run.info
        given = f", conditioned on {' and '.join(info['condition'])}" if info["condition"] else ""
        return [f"{info['recipe']} writes lyrics{given}: {info['parameters']:,} parameters, {info['seconds']:.1f} s"]

    @staticmethod
    def remarks(run: runs.Run) -> list[str]:
        """Return no further lines."""
        return []

    @staticmethod
    def scored(scores: Mapping[str, Any]) -> str:
        """Return bits per byte with interval and n, and the perplexity where there are tokens, as text."""
        cost = scores["bits_per_byte"]
        text = f"{cost['value']:.3f} bits per byte [{cost['low']:.3f}, {cost['high']:.3f}] (n = {scores['n']:,})"
        return f"{text}, perplexity {scores['perplexity']:,.1f} a token" if "perplexity" in scores else text


def losses(run: runs.Run, split: str) -> tuple[list[int], SongLosses]:
    """Return the ids of the songs on which a writer was scored, and the losses of each."""
    return read_losses(run.path / runs.PREDICTIONS / f"{split}.parquet")


def sentence(first: str, second: str, test: Mapping[str, float]) -> str:
    """Return the result of the paired comparison of two writers as a sentence."""
    text = (
        f"On the same test songs {first} costs {abs(test['difference']):.3f} bits per byte "
        f"{'less' if test['difference'] <= 0 else 'more'} than {second} "
        f"(difference {test['difference']:+.3f}, 95% interval {test['low']:+.3f} to {test['high']:+.3f})"
    )
    if test["low"] <= 0 <= test["high"]:
        return f"{text}: the difference is not significant."
    return f"{text}: {first if test['difference'] < 0 else second} is better."
