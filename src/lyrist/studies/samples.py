"""Evaluation of the songs that writers write: fluency, conditioning accuracy, originality and songcraft.

Every writer of a study writes the same number of songs for the same conditions with the same sampling options, and no song is
selected by hand. The same figures are computed for real held-out songs, since they mean little alone. The songs are stored in
the run, as ``samples.jsonl``.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist import files, progress, text
from lyrist.errors import LyristError
from lyrist.evaluation.conditioning import Judge, conditioning_accuracy
from lyrist.evaluation.fluency import Reader, judges_of_lines
from lyrist.evaluation.originality import Index, originality
from lyrist.evaluation.songcraft import beside, cut_alike
from lyrist.generation.batching import sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import Vocabulary, start
from lyrist.text.languages import main_language
from lyrist.text.pronunciation import common
from lyrist.training.dataset import LYRICS
from lyrist.training.runs import Run
from lyrist.training.schedule import threads
from lyrist.training.writer import Writer
from lyrist.training.writing_task import WritingTask

SAMPLES = "samples.jsonl"

VALUES = 6
"""Conditions for which songs are written: the most frequent ones."""

SONGS = 30
"""Songs that each writer writes, over all conditions."""

REAL = 300
"""Maximum number of real held-out songs for comparison."""

VOCABULARY = 20_000
"""Maximum number of training songs whose words are known words."""

JUDGED = 1_000
"""Maximum number of training songs that the judge of n-grams reads."""

ROUNDS = 6
"""Rounds of the game of a writer: a real song and a written one."""

TOKENS = 200
"""Maximum number of tokens of a written song: a verse and a chorus."""

SAMPLING = SamplingOptions()
"""The defaults of `lyrist write`."""

HOW = f"Sampled with {SAMPLING.describe()}, at most {TOKENS} tokens."


@dataclass(frozen=True)
class SampleEvaluation:
    """Has writers write songs and evaluates them."""

    task: WritingTask
    seed: int
    index: Index
    conditions: tuple[Mapping[str, str], ...]
    """The conditions for which each writer writes."""
    songs: pl.DataFrame
    """Real held-out songs."""
    judges: Mapping[str, Judge]
    """By column: the classifier that predicts it from lyrics; none where there is one value only."""
    reader: Reader
    """Compares written songs with real songs of the validation split."""
    language: str = "en"
    _folder: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, task: WritingTask, seed: int) -> SampleEvaluation:
        """Prepare the evaluation for the writers of a corpus: index its training songs, fit the classifiers."""
        songs = task.held["test"].head(REAL)
        index, folder = _index(task)
        conditions = frequent_conditions(task)
        judges = {}
        for column in task.condition:
            with contextlib.suppress(LyristError):  # one genre only, for example
                judges[column] = Judge.fit(task.corpus, column, [given[column] for given in conditions], seed=seed)
        language = main_language(task.corpus.info["counts"].get("languages", {})) or "en"
        real = _alike(task.held["validation"], conditions, SONGS)[LYRICS].to_list()
        known = _known_words(task.training_texts(VOCABULARY), language)
        reader = Reader(index, known, real, judges_of_lines(task.training_texts(JUDGED), language, seed), seed)
        return cls(task, seed, index, conditions, songs, judges, reader, language, folder)

    def run(self, writer: Writer, folder: Path) -> dict[str, Any]:
        """Have a writer write, store the songs as ``samples.jsonl`` in ``folder``, and return their figures."""
        each = -(-SONGS // len(self.conditions))
        songs: list[dict[str, Any]] = []
        vocabulary = Vocabulary(writer)
        with progress.task(f"{writer.recipe} writes", "songs") as advance:
            for number, given in enumerate(self.conditions):
                advance(number * each, each * len(self.conditions))
                texts = _written(writer, vocabulary, given, each, self.seed * VALUES + number)
                songs += [{"given": dict(given), "text": text} for text in texts]
        files.write_text(folder / SAMPLES, "".join(json.dumps(song, ensure_ascii=False) + "\n" for song in songs))
        return self.figures(songs, writer)

    def figures(self, songs: Sequence[Mapping[str, Any]], writer: Writer | None = None) -> dict[str, Any]:
        """Return fluency, originality, songcraft and conditioning accuracy of written songs."""
        texts = [song["text"] for song in songs]
        found: dict[str, Any] = {
            "originality": originality(self.index, texts),
            "fluency": self.reader.figures(texts, writer),
        }
        with contextlib.suppress(LyristError):  # the writer wrote no word
            found["songcraft"] = beside(texts, self.songs[LYRICS].to_list(), seed=self.seed, language=self.language)
            found["obedience"] = {
                column: conditioning_accuracy(judge, texts, [song["given"][column] for song in songs], seed=self.seed)
                for column, judge in self.judges.items()
            }
        return found

    def read(self, run: Run) -> dict[str, Any]:
        """Return the fluency of the songs of a run that was made before fluency was measured."""
        return self.reader.figures([song["text"] for song in samples(run.path)], run.writer)

    def real(self, folders: Sequence[Path]) -> dict[str, Any]:
        """Return originality and fluency of real test songs, cut to the lengths of the songs that some runs wrote."""
        real, written = self.songs[LYRICS].to_list(), [song["text"] for folder in folders for song in samples(folder)]
        other = _alike(self.task.held["test"], self.conditions, SONGS)[LYRICS].to_list()
        with contextlib.suppress(LyristError):
            real, other = (cut_alike(songs, written, seed=self.seed) for songs in (real, other))
        about = {judge.name: judge.about for judge in self.reader.judges}
        return {"originality": originality(self.index, real), "fluency": {**self.reader.figures(other), "about": about}}

    def game(self, folder: Path) -> list[dict[str, Any]]:
        """Return pairs of a song of a run and a real song for the same condition, of the same length, in random order."""
        written = [song for song in _first_of_each(samples(folder)) if text.words(song["text"])][:ROUNDS]
        rng, real = np.random.default_rng(self.seed), self.task.held["test"]
        rounds, used = [], [-1]
        for song in written:
            fresh = real.filter(~pl.col("id").is_in(used))
            row = _alike(fresh if len(fresh) else real, (song["given"],), 1, int(rng.integers(1 << 31))).row(
                0, named=True
            )
            used.append(row["id"])
            sides = [cut_alike([row[LYRICS]], [song["text"]])[0], song["text"]]
            first = int(rng.integers(2))
            rounds.append(
                {
                    "given": song["given"], "songs": sides[::-1] if first else sides, "real": first,
                    "name": named(row.get("artist") or "", row.get("title") or ""),
                }
            )  # fmt: skip
        return rounds

    def shown(self, folder: Path) -> list[dict[str, Any]]:
        """Return for the page the first song of each condition, with its longest copied run marked."""
        found = _first_of_each(samples(folder))
        copies = self.index.copied_all([song["text"] for song in found])
        return [
            {**song, "span": span(song["text"], copy.words), "note": note(copy)}
            for song, copy in zip(found, copies, strict=True)
        ]


def samples(folder: Path) -> list[dict[str, Any]]:
    """Return the songs that were written in a run: the conditions and the text of each."""
    path = folder / SAMPLES
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    return [json.loads(line) for line in lines if line]


def frequent_conditions(task: WritingTask) -> tuple[Mapping[str, str], ...]:
    """Return the most frequent combinations of conditions in the training songs; an empty one where there are none."""
    if not task.condition:
        return ({},)
    columns = list(task.condition)
    counted = task.corpus.scan("train").select(pl.col(columns).cast(pl.String)).drop_nulls().group_by(columns).len()
    rows = counted.sort(["len", *columns], descending=[True, *(False for _ in columns)]).head(VALUES).collect()
    if rows.is_empty():
        raise LyristError(
            f"No training song has a value in all of {', '.join(columns)}; give fewer of them as --condition."
        )
    return tuple(dict(zip(columns, row, strict=True)) for row in rows.select(columns).rows())


def _first_of_each(songs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first song of each condition."""
    first = {json.dumps(song["given"], sort_keys=True): song for song in reversed(songs)}
    return [song for song in songs if first[json.dumps(song["given"], sort_keys=True)] is song]


def _alike(songs: pl.DataFrame, conditions: Sequence[Mapping[str, str]], count: int, seed: int = 0) -> pl.DataFrame:
    """Return ``count`` songs, as far as there are so many, with the conditions in equal parts; others fill up what is missing."""
    each = -(-count // len(conditions))
    order = songs.sample(fraction=1, shuffle=True, seed=seed)
    parts = [
        order.filter(pl.lit(True), *(pl.col(name).cast(pl.String) == value for name, value in given.items()))
        for given in conditions
    ]
    chosen = pl.concat([part.head(each) for part in parts])
    rest = order.filter(~pl.col("id").is_in(chosen["id"].to_list()))
    return pl.concat([chosen, rest]).head(count)


def _known_words(songs: Sequence[str], language: str) -> frozenset[str]:
    """Return the words of training songs, and common words of English."""
    return frozenset(word for song in songs for word in text.words(song)) | frozenset(
        common() if language == "en" else ()
    )


def _index(task: WritingTask) -> tuple[Index, Any]:
    """Return the index of the training songs, stored beside the corpus or, where that is read-only, in a temporary folder."""
    try:
        return Index.of(task.corpus), None
    except files.DiskFullError:
        raise
    except LyristError:
        folder = tempfile.TemporaryDirectory(prefix="lyrist-phrases-")
        return Index.of(task.corpus, Path(folder.name) / "phrases"), folder


def _written(writer: Writer, vocabulary: Vocabulary, given: Mapping[str, str], count: int, seed: int) -> list[str]:
    with threads(writer.model):
        drafts = sample(start(writer, given, None), vocabulary, SAMPLING, count, max_tokens=TOKENS, seed=seed)
    return [draft.text for draft in drafts]


def note(copy: Any) -> str:
    """Return a sentence on the longest run of words that a song shares with a training song."""
    if not copy.song:
        return "No run of four words occurs in a training song."
    return f"Longest run that occurs in a training song: {copy.longest_run} words, of {named(copy.song.artist, copy.song.title)}."


def named(artist: str, title: str) -> str:
    """Return the name of a song."""
    return f"{artist or '?'}: {title or '?'}"


_APOSTROPHES = "'’`"


def span(text: str, words: str) -> tuple[int, int] | None:
    """Return the place of a run of plain words (lower case, no marks) in a text, in characters; None if there is none."""
    if not words:
        return None
    plain, places = [], []
    for place, character in enumerate(text):
        if character in _APOSTROPHES:
            continue
        for letter in character.lower():
            if letter.isalnum():
                plain.append(letter)
                places.append(place)
            elif plain and plain[-1] != " ":
                plain.append(" ")
                places.append(place)
    found = re.search(rf"(?<!\S){re.escape(words)}(?!\S)", "".join(plain))
    return (places[found.start()], places[found.end() - 1] + 1) if found else None
