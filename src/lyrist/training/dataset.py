"""A corpus as a classifier sees it: labelled songs in three splits, the corpus's own or another drawn from it.

A view holds the labels of all songs, and their lyrics or not. Without them it takes some 60 bytes a song, and the lyrics
are read from the corpus block by block, as often as somebody asks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from lyrist.corpus.arrays import hashed
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.splits import Split, assign
from lyrist.errors import LyristError, UsageError, unknown
from lyrist.training.runs import Run

BLOCK = 8_192
"""Songs whose lyrics are in memory at one time where they are read block by block."""

MIXED = 8
"""Row groups of the corpus that are read together and shuffled: a table in the order of its genres is mixed by them."""

LYRICS = "lyrics"
_MEASURED = 10_000


@dataclass(frozen=True)
class View:
    """The songs of one question: which songs, which label, which split."""

    corpus: Corpus
    target: str
    """The column that is predicted."""
    songs: pl.DataFrame
    """id, artist, cluster, ``label`` (never null) and ``split``, and mostly title, genre and lyrics; in the order of id."""
    split_by: str
    """``song``, ``artist`` or ``column``: what is on one side of the split together."""
    unlabelled: int
    """Songs left out because they have no label."""
    seed: int
    only: tuple[str, ...] = ()
    """The labels that were asked for; empty for all."""
    available: int | None = None
    """Training songs there are, where only some of them are in the view (``most``)."""
    own: bool = True
    """Whether the split is that of the corpus's files."""

    def part(self, split: str) -> pl.DataFrame:
        """Return the songs of one split."""
        return self.songs.filter(pl.col("split") == split)

    @property
    def classes(self) -> list[str]:
        """The labels in the training split, sorted."""
        return sorted(self.part("train")["label"].unique())

    @cached_property
    def several_labels(self) -> str:
        """A sentence if the target seems to hold several labels a song; else empty."""
        mark = None if self.target == "artist" else separator_of(self.songs["label"])
        if mark is None:
            return ""
        joined = self.songs["label"].filter(self.songs["label"].str.contains(mark, literal=True))
        return (
            f"{len(joined):,} songs have several labels in the column {self.target}, such as '{joined[0]}': each combination is "
            f"a class of its own here, {self.songs['label'].n_unique():,} in all. Keep one label a song to predict single labels."
        )

    @cached_property
    def characters(self) -> int:
        """The mean length of the training songs' lyrics, of some thousand of them where they are not in memory."""
        if LYRICS in self.songs.columns:
            return round(self.part("train")[LYRICS].str.len_chars().mean() or 0)  # type: ignore[arg-type]
        lengths = self.corpus.scan().select(pl.col(LYRICS).head(_MEASURED).str.len_chars().mean())
        return round(lengths.collect().item() or 0)

    def blocks(self, split: str) -> Iterator[pl.DataFrame]:
        """Yield the songs of one split with their lyrics in the order of the files, at most `BLOCK` at a time."""
        part = self.part(split)
        if LYRICS in part.columns:
            yield from part.iter_slices(BLOCK)
            return
        for name in (split,) if self.own else SPLITS:
            for read in self.corpus.batches(name, ["id", LYRICS], BLOCK):
                if len(found := read.join(part, on="id", how="inner", maintain_order="left")):
                    yield found

    def texts(self, split: str) -> pl.DataFrame:
        """Return the songs of one split with their lyrics, in the order of id."""
        part = self.part(split)
        if LYRICS in part.columns:
            return part
        # Through Arrow's plain layout, which copies: a slice of a block would hold the text of the whole block.
        copies = [pl.DataFrame(block.to_arrow(compat_level=pl.CompatLevel.oldest())) for block in self.blocks(split)]
        return pl.concat(copies).sort("id") if copies else part.with_columns(lyrics=pl.lit(None, pl.String))

    def mixed(self, split: str, seed: int) -> Iterator[pl.DataFrame]:
        """Yield the songs of one split with their lyrics in a random order that is the same for the same seed.

        Row groups of the corpus are drawn at random, `MIXED` at a time, and their songs shuffled together.
        """
        part = self.part(split)
        if LYRICS in part.columns:
            order = np.argsort(hashed(part["id"].to_numpy(), seed))
            yield from part[order].iter_slices(BLOCK)
            return
        groups = [
            (file, number)
            for name in ((split,) if self.own else SPLITS)
            for file in self.corpus.files(name)
            for number in range(pq.read_metadata(file).num_row_groups)
        ]
        order = np.argsort(hashed(np.arange(len(groups)), seed))
        for start in range(0, len(order), MIXED):
            tables = [self._group(*groups[place]) for place in order[start : start + MIXED]]
            read = pl.concat(tables).join(part, on="id", how="inner")
            yield from read[np.argsort(hashed(read["id"].to_numpy(), seed))].iter_slices(BLOCK)

    @staticmethod
    def _group(file: object, number: int) -> pl.DataFrame:
        with pq.ParquetFile(file) as opened:
            return pl.DataFrame(opened.read_row_group(number, columns=["id", LYRICS]))

    def at_most(self, most: int, seed: int) -> View:
        """Return the same question with at most so many training songs, drawn by the seed, of each label alike.

        Each label keeps its share of the songs, to one song.
        """
        train = self.part("train")
        if len(train) <= most:
            return self
        label = train["label"].rank("dense").to_numpy().astype(np.int64)
        ids = train["id"].to_numpy()
        order = np.lexsort((hashed(ids, seed), label))
        sizes = np.bincount(label)
        place = np.empty(len(ids))
        place[order] = np.arange(len(ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        start = hashed(np.arange(len(sizes)), seed)[label] / 2.0**64
        first = np.argsort((place + start) / sizes[label], kind="stable")[:most]
        kept = pl.Series(np.sort(ids[first]))
        songs = self.songs.filter((pl.col("split") != "train") | pl.col("id").is_in(kept.implode()))
        return dataclasses.replace(self, songs=songs, available=len(train))

    def only_songs(self, kept: pl.Expr) -> View:
        """Return the same question on some of the songs.

        Raises
        ------
        LyristError
            A split is empty, or there is one class.
        """
        return _checked(dataclasses.replace(self, songs=self.songs.filter(kept), own=False))

    def with_share(self, share: float, seed: int) -> View:
        """Return the same question with a seeded share of the training songs, of each label alike; at least one each."""
        train = pl.col("split") == "train"
        order = self.songs.filter(train).with_columns(chance=pl.col("id").hash(seed)).sort("label", "chance")
        counted = order.with_columns(place=pl.int_range(pl.len()).over("label"), size=pl.len().over("label"))
        kept = counted.filter(pl.col("place") < (pl.col("size") * share).ceil())["id"]
        songs = self.songs.filter(~train | pl.col("id").is_in(kept.to_list()))
        return dataclasses.replace(self, songs=songs)

    def folds(self, count: int, seed: int) -> list[View]:
        """Return so many splits of the same songs, in which every song is a test song once (cross-validation).

        The splits keep together what this one does, and each has the validation share of the corpus.

        Raises
        ------
        LyristError
            There are too few groups, or a label is on one side only.
        """
        by, left, tests = self.split_by, self.songs, []
        for number in range(count, 1, -1):
            drawn = assign(left, Split(by=by, validation=0, test=1 / number, seed=seed + number, stratify="label"))
            tests.append(left.filter(drawn == "test")["id"])
            left = left.filter(drawn != "test")
        share = min(self.corpus.info["settings"]["split"]["validation"] * count / (count - 1), 0.4)
        found = []
        for number, test in enumerate([*tests, left["id"]]):
            tested = self.songs["id"].is_in(test.implode())
            rest = self.songs.filter(~tested)
            side = assign(rest, Split(by=by, validation=share, test=0, seed=seed + number, stratify="label"))
            of_rest = rest.select("id", side=side)
            sides = self.songs.select("id").join(of_rest, on="id", how="left", maintain_order="left")["side"]
            songs = self.songs.with_columns(split=sides.fill_null("test"))
            view = View(self.corpus, self.target, songs, by, self.unlabelled, seed + number, self.only, own=False)
            found.append(_checked(view))
        return found

    def with_validation(self) -> View:
        """Return the same question with the validation songs among the training songs, except those of unknown labels."""
        held = pl.col("split") == "validation"
        songs = self.songs.filter(~held | pl.col("label").is_in(self.classes))
        split = pl.when(held).then(pl.lit("train")).otherwise("split")
        return dataclasses.replace(self, songs=songs.with_columns(split=split), own=False)

    def resplit(self, by: str, seed: int) -> View:
        """Draw another split of the same songs, by song or by artist, with the same shares.

        Raises
        ------
        LyristError
            There are too few groups, or a label is on one side only, so that nothing could be learnt.
        """
        settings = self.corpus.info["settings"]["split"]
        split = Split(by=by, validation=settings["validation"], test=settings["test"], seed=seed, stratify="label")
        drawn = self.songs.with_columns(split=assign(self.songs, split))
        return _checked(View(self.corpus, self.target, drawn, by, self.unlabelled, seed, self.only, own=False))


def label_of(target: str, classes: Sequence[str] = ()) -> pl.Expr:
    """Return the label of a song from its column: the value as text; of a year the decade, such as ``1990s``.

    Parameters
    ----------
    target
        The column.
    classes
        The classes of a fitted model; those of version 0.1 are single years.
    """
    if target != "year" or (classes and not any(name.endswith("s") for name in classes)):
        return pl.col(target).cast(pl.String)
    return pl.format("{}s", pl.col(target).cast(pl.Int64, strict=False) // 10 * 10)


SEPARATORS = ("|", ";", ", ", "/", ",")
"""Separators of several labels of one song."""

SEVERAL = 0.05
"""The share of songs with a separator in their label from which a column seems to hold several labels a song."""


def separator_of(labels: pl.Series) -> str | None:
    """Return what separates several labels of one song, as in ``pop|rock``, if a column holds such labels.

    Its parts must recur: most of them are parts of other values as well, and there are fewer parts than values.
    """
    counts = labels.drop_nulls().value_counts()
    names, songs = counts[labels.name], counts["count"]
    for mark in SEPARATORS:
        joined = names.str.contains(mark, literal=True)
        parts = names.filter(joined).str.split(mark).explode().str.strip_chars()
        if songs.filter(joined).sum() < SEVERAL * float(songs.sum()) or not len(parts):
            continue
        every = pl.concat([parts, names.filter(~joined)]).value_counts(name="n")["n"]
        if len(every) < len(names) and (every > 1).mean() > 0.5:  # type: ignore[operator]
            return mark
    return None


def view(
    corpus: Corpus,
    target: str,
    only: tuple[str, ...] = (),
    *,
    most: int | None = None,
    seed: int = 0,
    lyrics: bool = True,
) -> View:
    """Return the labelled songs of a corpus with its own split.

    Parameters
    ----------
    corpus
        The corpus.
    target
        The column whose values are the labels; ``year`` becomes decades (see `label_of`).
    only
        Labels to keep; empty for all. Parts of one label that has commas in it are taken for that label.
    most
        The most training songs, drawn at random; None for all.
    seed
        Draws them.
    lyrics
        Whether the lyrics are held in memory, or read when they are asked for.

    Raises
    ------
    UsageError
        ``most`` is no number of songs.
    LyristError
        The column is missing or empty, a label in ``only`` does not occur, there is one class, or a split is empty.
    """
    corpus.check_target(target)
    if most is not None and most < 1:
        raise UsageError(f"--max-songs is the most training songs, 1 or more; {most} is not.")
    shown = ["title", "genre", LYRICS] if lyrics else []
    settings = corpus.info["settings"]["split"]
    group = [settings["by"]] if settings["by"] in corpus.columns else []
    columns = list(dict.fromkeys(["id", *shown, "artist", "cluster", target, *group, "split"]))
    songs = corpus.songs(columns=columns).with_columns(label=label_of(target))
    unlabelled = songs["label"].null_count()
    songs = songs.drop_nulls("label")
    if only:
        only = _meant(only, songs["label"].unique().sort().to_list(), target)
        songs = songs.filter(pl.col("label").is_in(only))
    by = "column" if settings["column"] else settings["by"]
    found = _checked(View(corpus, target, songs, by, unlabelled, settings["seed"], only))
    return found if most is None else _checked(found.at_most(most, seed))


def _meant(parts: tuple[str, ...], known: list[str], target: str) -> tuple[str, ...]:
    """Return the labels that were meant by a list that was split at its commas: "Tyler, The Creator" is one."""
    whole = {tuple(part.strip() for part in label.split(",") if part.strip()): label for label in known}
    whole |= {(label,): label for label in known}
    found = []
    while parts:
        most = next((n for n in range(len(parts), 0, -1) if parts[:n] in whole), 0)
        if not most:
            raise unknown(target, parts[0], known)
        found.append(whole[parts[:most]])
        parts = parts[most:]
    return tuple(found)


def _checked(view: View) -> View:
    """Raise where a comparison would mean nothing; return the view."""
    target, path = view.target, view.corpus.path
    labels = view.songs["label"].unique()
    if len(labels) < 2:
        only = f" ('{labels[0]}')" if len(labels) else ""
        raise LyristError(
            f"Every song in {path} has the same {target}{only}: there is nothing to tell apart; choose another --target."
        )
    for split in SPLITS:
        if view.part(split).is_empty():
            raise LyristError(
                f"The {split} split of {path} has no song with a {target}; prepare with a larger share or more songs."
            )
    if len(view.classes) < 2:
        raise LyristError(
            f"Split by {view.split_by}, all training songs have the {target} '{view.classes[0]}', so nothing could be "
            "learnt: there are too few groups; prepare with --split-by song."
        )
    return view


@dataclass(frozen=True)
class Predictions:
    """The predicted probabilities of one split, with the true labels."""

    ids: npt.NDArray[np.int64]
    truth: list[str]
    probabilities: npt.NDArray[np.float64]
    """Shape (songs, classes), rows sum to 1."""
    classes: list[str]

    @classmethod
    def of(cls, run: Run, split: str) -> Predictions:
        """Return the predictions that a run has stored for ``validation`` or ``test``."""
        table = run.predictions(split)
        probabilities = np.array(table["probabilities"].to_list(), dtype=float)
        return cls(table["id"].to_numpy(), table["truth"].to_list(), probabilities, list(run.info["classes"]))

    @property
    def answers(self) -> list[str]:
        """The most probable label of each song."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is right."""
        return np.array([a == t for a, t in zip(self.answers, self.truth, strict=True)], dtype=bool)
