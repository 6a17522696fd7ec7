"""What writers wrote, read with a critical eye: whether it is what was asked for, their own, and a song.

Every writer of a study writes the same number of songs for the same conditions, drawn in the same way, and nothing is
selected. What is said of them is said of real held-out songs too, for such a figure means nothing alone. The songs stand
in the run, as ``samples.jsonl``.
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

import polars as pl

from lyrist import files, progress
from lyrist.errors import LyristError
from lyrist.evaluation.conditioning import Judge, obedience
from lyrist.evaluation.originality import Index, originality
from lyrist.evaluation.songcraft import beside, cut_alike
from lyrist.generation.batching import sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import Vocabulary, start
from lyrist.training.trainwriter import LYRICS, Task
from lyrist.training.writer import Writer

SAMPLES = "samples.jsonl"

VALUES = 6
"""Conditions that writers are asked for: the commonest."""

SONGS = 30
"""Songs that each writer writes, over all conditions."""

REAL = 300
"""Real held-out songs that they stand beside, at most."""

TOKENS = 200
"""Tokens of a written song at most: a verse and a chorus."""

DRAWN = SamplingOptions()
"""How songs are drawn: as `lyrist write` does."""

HOW = f"Drawn with {DRAWN.describe()}, at most {TOKENS} tokens."


@dataclass(frozen=True)
class Critic:
    """Has writers write, and reads it."""

    asked: Task
    seed: int
    index: Index
    asks: tuple[Mapping[str, str], ...]
    """What each writer is asked for."""
    songs: pl.DataFrame
    """Real held-out songs."""
    judges: Mapping[str, Judge]
    """By condition: who tells it from the lyrics; none where there is nothing to tell apart."""
    _folder: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, asked: Task, seed: int) -> Critic:
        """Make a critic of the writers of a corpus: it knows all training songs, and some held-out ones."""
        songs = asked.held["test"].head(REAL)
        index, folder = _index(asked)
        wanted = asks(asked)
        judges = {}
        for column in asked.condition:
            with contextlib.suppress(LyristError):  # one genre alone, say: there is nothing to recognise
                judges[column] = Judge.fit(asked.corpus, column, [given[column] for given in wanted], seed=seed)
        return cls(asked, seed, index, wanted, songs, judges, folder)

    def read(self, writer: Writer, folder: Path) -> dict[str, Any]:
        """Have a writer write, keep that as ``samples.jsonl`` in ``folder``, and return what is to be said of it."""
        each = -(-SONGS // len(self.asks))
        songs: list[dict[str, Any]] = []
        vocabulary = Vocabulary(writer)
        with progress.task(f"{writer.recipe} writes", "songs") as advance:
            for number, given in enumerate(self.asks):
                advance(number * each, each * len(self.asks))
                texts = _written(writer, vocabulary, given, each, self.seed * VALUES + number)
                songs += [{"given": dict(given), "text": text} for text in texts]
        files.write_text(folder / SAMPLES, "".join(json.dumps(song, ensure_ascii=False) + "\n" for song in songs))
        return self.said(songs)

    def said(self, songs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what is to be said of songs that were written."""
        texts = [song["text"] for song in songs]
        found: dict[str, Any] = {"originality": originality(self.index, texts)}
        with contextlib.suppress(LyristError):  # not one word was written: there is no craft to speak of
            found["songcraft"] = beside(texts, self.songs[LYRICS].to_list(), seed=self.seed)
            found["obedience"] = {
                column: obedience(judge, texts, [song["given"][column] for song in songs], seed=self.seed)
                for column, judge in self.judges.items()
            }
        return found

    def real(self, folders: Sequence[Path]) -> dict[str, Any]:
        """Return how original real held-out songs are, cut to the lengths of those that were written in some runs."""
        real, written = self.songs[LYRICS].to_list(), [song["text"] for folder in folders for song in samples(folder)]
        with contextlib.suppress(LyristError):
            real = cut_alike(real, written, seed=self.seed)
        return {"originality": originality(self.index, real)}

    def shown(self, folder: Path) -> list[dict[str, Any]]:
        """Return for the page the first song that was written for each condition, its longest copied run marked."""
        songs = samples(folder)
        first = {json.dumps(song["given"], sort_keys=True): song for song in reversed(songs)}
        found = [song for song in songs if first[json.dumps(song["given"], sort_keys=True)] is song]
        copies = self.index.copied_all([song["text"] for song in found])
        return [
            {**song, "span": span(song["text"], copy.words), "note": note(copy)}
            for song, copy in zip(found, copies, strict=True)
        ]


def samples(folder: Path) -> list[dict[str, Any]]:
    """Return what was written in a run: the conditions and the text of each song; none where nothing was."""
    path = folder / SAMPLES
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    return [json.loads(line) for line in lines if line]


def asks(asked: Task) -> tuple[Mapping[str, str], ...]:
    """Return the commonest combinations of conditions in the training songs; one without any, where there are none."""
    if not asked.condition:
        return ({},)
    columns = list(asked.condition)
    counted = asked.corpus.scan("train").select(pl.col(columns).cast(pl.String)).drop_nulls().group_by(columns).len()
    rows = counted.sort(["len", *columns], descending=[True, *(False for _ in columns)]).head(VALUES).collect()
    if rows.is_empty():
        raise LyristError(
            f"No training song has a value in all of {', '.join(columns)}; give fewer of them as --condition."
        )
    return tuple(dict(zip(columns, row, strict=True)) for row in rows.select(columns).rows())


def _index(asked: Task) -> tuple[Index, Any]:
    """Return the index of the training songs, beside the corpus, or where that cannot be written, in a temporary folder."""
    try:
        return Index.of(asked.corpus), None
    except files.DiskFullError:
        raise
    except LyristError:
        folder = tempfile.TemporaryDirectory(prefix="lyrist-phrases-")
        return Index.of(asked.corpus, Path(folder.name) / "phrases"), folder


def _written(writer: Writer, vocabulary: Vocabulary, given: Mapping[str, str], count: int, seed: int) -> list[str]:
    drafts = sample(start(writer, given, None), vocabulary, DRAWN, count, max_tokens=TOKENS, seed=seed)
    return [draft.text for draft in drafts]


def note(copy: Any) -> str:
    """Say what of a song stands in a training song."""
    if not copy.song:
        return "No four words of it stand together in a training song."
    return f"Longest run that stands in a training song: {copy.longest_run} words, of {named(copy.song.artist, copy.song.title)}."


def named(artist: str, title: str) -> str:
    """Return the name of a song."""
    return f"{artist or '?'}: {title or '?'}"


_APOSTROPHES = "'’`"


def span(text: str, words: str) -> tuple[int, int] | None:
    """Return where a run of plain words (lower case, no marks) stands in a text, in characters; None where it does not."""
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
