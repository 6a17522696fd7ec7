"""A corpus as a classifier sees it: labelled songs in three splits, the corpus's own or another drawn from it.

A view holds the labels of all songs, and their lyrics or not. Without them it takes some 60 bytes a song, and the lyrics
are read from the corpus block by block, each time they are needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from lyrist.corpus.arrays import hashed
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.labels import LISTS, Labels, labels_of
from lyrist.corpus.names import masked
from lyrist.corpus.splits import Split, assign
from lyrist.errors import LyristError, UsageError, unknown
from lyrist.metrics.multilabel import indicators
from lyrist.metrics.ordinal import above, names

BLOCK = 8_192
"""Songs whose lyrics are in memory at one time where they are read block by block."""

MIXED = 8
"""Row groups of the corpus that are read together and shuffled: a table in the order of its genres is mixed by them."""

LYRICS = "lyrics"
FEATURE = "feature: "
"""Begins the name of a column that a model reads beside the lyrics."""
_MEASURED = 10_000


@dataclass(frozen=True)
class View:
    """The songs of one question: which songs, which label, which split."""

    corpus: Corpus
    labels: Labels
    """The column that is predicted, and what it holds."""
    songs: pl.DataFrame
    """id, artist, cluster, ``label`` (never null; a list where a song has several, a number where they are ordered) and
    ``split``, and mostly title, genre and lyrics; in the order of id. Not for single labels: ``stratum``, see `stratum`."""
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
    features: tuple[str, ...] = ()
    """Other columns that a model reads beside the lyrics; in ``songs`` their names begin with `FEATURE`."""

    def part(self, split: str) -> pl.DataFrame:
        """Return the songs of one split."""
        return self.songs.filter(pl.col("split") == split)

    @cached_property
    def classes(self) -> list[str]:
        """The labels in the training split, sorted; of an ordered target the edges between its numbers."""
        found = self.part("train")["label"]
        if self.labels.kind == "ordinal":
            return names(found.to_numpy())
        return sorted((found.explode() if self.labels.multi else found).unique())

    @property
    def every_label(self) -> list[str]:
        """The labels in all splits, sorted; of an ordered target its edges."""
        if self.labels.kind == "ordinal":
            return self.classes
        found = self.songs["label"]
        return sorted((found.explode() if self.labels.multi else found).unique())

    @property
    def stratum(self) -> str:
        """The column whose shares every split shall have: the label; of several the rarest; of a number its quantile."""
        return "label" if self.labels.kind == "single" else "stratum"

    @property
    def target(self) -> str:
        """The column that is predicted."""
        return self.labels.column

    @cached_property
    def several_labels(self) -> str:
        """A sentence on the labels if the target holds several a song; else empty."""
        if not self.labels.multi:
            return ""
        counts = self.songs["label"].list.len()
        mark = "lists" if self.labels.separator == LISTS else f"separated by '{self.labels.separator}'"
        return (
            f"{int((counts > 1).sum()):,} of {len(counts):,} songs have several labels in the column {self.target} ({mark}); "
            f"each of {len(self.classes):,} labels is predicted on its own (--multi-label off: combinations are classes)."
        )

    def y(self, songs: pl.DataFrame) -> Any:
        """Return the labels of songs as an estimator takes them: texts, or 0 and 1 in a column for each of `classes`."""
        if self.labels.kind == "single":
            return songs["label"].to_list()
        if self.labels.multi:
            values: Any = indicators(songs["label"].to_list(), self.classes).astype(np.int64)
        else:
            values = above(songs["label"].to_numpy(), self.classes)
        return pl.DataFrame(values, schema=self.classes)

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
        label = train[self.stratum].rank("dense").to_numpy().astype(np.int64)
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
        order = self.songs.filter(train).with_columns(chance=pl.col("id").hash(seed)).sort(self.stratum, "chance")
        counted = order.with_columns(place=pl.int_range(pl.len()).over(self.stratum), size=pl.len().over(self.stratum))
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
            drawn = assign(left, Split(by=by, validation=0, test=1 / number, seed=seed + number, stratify=self.stratum))
            tests.append(left.filter(drawn == "test")["id"])
            left = left.filter(drawn != "test")
        share = min(self.corpus.info["settings"]["split"]["validation"] * count / (count - 1), 0.4)
        found = []
        for number, test in enumerate([*tests, left["id"]]):
            tested = self.songs["id"].is_in(test.implode())
            rest = self.songs.filter(~tested)
            side = assign(rest, Split(by=by, validation=share, test=0, seed=seed + number, stratify=self.stratum))
            of_rest = rest.select("id", side=side)
            sides = self.songs.select("id").join(of_rest, on="id", how="left", maintain_order="left")["side"]
            songs = self.songs.with_columns(split=sides.fill_null("test"))
            found.append(
                _checked(dataclasses.replace(self, songs=songs, seed=seed + number, available=None, own=False))
            )
        return found

    def with_validation(self) -> View:
        """Return the same question with the validation songs among the training songs, except those of unknown labels."""
        held = pl.col("split") == "validation"
        songs = (
            self.songs.filter(~held | pl.col("label").is_in(self.classes))
            if self.labels.kind == "single"
            else self.songs
        )
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
        split = Split(by=by, validation=settings["validation"], test=settings["test"], seed=seed, stratify=self.stratum)
        drawn = self.songs.with_columns(split=assign(self.songs, split))
        view = dataclasses.replace(self, songs=drawn, split_by=by, seed=seed, available=None, own=False)
        return _checked(view)


def view(
    corpus: Corpus,
    target: str,
    only: tuple[str, ...] = (),
    *,
    most: int | None = None,
    seed: int = 0,
    lyrics: bool = True,
    multi_label: str = "auto",
    ordinal: bool = False,
    mask_labels: bool = False,
    features: tuple[str, ...] = (),
) -> View:
    """Return the labelled songs of a corpus with its own split.

    Parameters
    ----------
    corpus
        The corpus.
    target
        The column whose values are the labels; ``year`` becomes decades.
    only
        Labels to keep; empty for all. Parts of one label that has commas in it are taken for that label. Of several labels a
        song the others are left out, and songs without any.
    most
        The most training songs, drawn at random; None for all.
    seed
        Draws them.
    lyrics
        Whether the lyrics are held in memory, or read when they are asked for.
    multi_label, ordinal
        What the column holds, see `lyrist.corpus.labels.labels_of`.
    mask_labels
        Whether the name of its label is replaced in the lyrics of each song, as by ``prepare --mask-labels``. It needs one
        label a song.
    features
        Other columns that a model reads beside the lyrics.

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
    check_features(corpus, features, target)
    columns = list(dict.fromkeys(["id", *shown, "artist", "cluster", target, *group, "split", *features]))
    labels = labels_of(corpus, target, multi_label, ordinal)
    read = corpus.songs(columns=columns)
    songs = read.with_columns(labels.read(read[target]).alias("label"))
    songs = songs.with_columns(pl.col(name).alias(f"{FEATURE}{name}") for name in features)
    unlabelled = songs["label"].null_count()
    songs = songs.drop_nulls("label")
    if only:
        if labels.kind == "ordinal":
            raise UsageError("--only keeps labels, and --ordinal predicts a number; leave one of them out.")
        every = songs["label"].explode() if labels.multi else songs["label"]
        only = _meant(only, every.unique().sort().to_list(), target)
        songs = only_labels(songs, only, labels)
    if labels.kind != "single":
        songs = songs.with_columns(stratum=_strata(songs["label"], labels))
    by = "column" if settings["column"] else settings["by"]
    if mask_labels and labels.kind != "single":
        raise UsageError(f"--mask-labels needs one label a song, and {target} is another kind of target; leave it out.")
    if mask_labels and lyrics:
        songs = songs.with_columns(masked(songs[LYRICS], songs["label"]))
    found = _checked(View(corpus, labels, songs, by, unlabelled, settings["seed"], only, features=features))
    return found if most is None else _checked(found.at_most(most, seed))


def check_features(corpus: Corpus, features: Sequence[str], target: str = "") -> None:
    """Raise if a column that a model shall read beside the lyrics is not in the corpus, or is what is predicted."""
    for name in features:
        if name == target:
            raise UsageError(f"--features {name} is the target itself; leave it out.")
        if name not in corpus.columns or name in ("id", "cluster", LYRICS):
            known = [each for each in corpus.columns if each not in ("id", "cluster", LYRICS, target)]
            error = unknown("column", name, known)
            raise UsageError(f"{error} Another column of the table is there after: lyrist prepare --keep COLUMN.")


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


def only_labels(songs: pl.DataFrame, only: Sequence[str], labels: Labels) -> pl.DataFrame:
    """Return the songs with one of these labels in the column ``label``; of several labels a song, the others are left out."""
    if not labels.multi:
        return songs.filter(pl.col("label").is_in(list(only)))
    kept = pl.col("label").list.set_intersection(pl.lit(pl.Series([list(only)]))).list.sort()
    return songs.with_columns(label=kept).filter(pl.col("label").list.len() > 0)


def _strata(label: pl.Series, labels: Labels) -> pl.Series:
    """Return the rarest of several labels of each song, or the tenth of the songs in which its number is."""
    if labels.kind == "ordinal":
        return (label.rank("ordinal") * 10 // (len(label) + 1)).cast(pl.String)
    each = pl.DataFrame({"song": pl.int_range(len(label), eager=True), "label": label}).explode("label")
    sizes = each.with_columns(size=pl.len().over("label")).sort("song", "size", "label")
    return sizes.group_by("song", maintain_order=True).agg(pl.col("label").first())["label"]


def _checked(view: View) -> View:
    """Raise where a comparison would mean nothing; return the view."""
    target, path = view.target, view.corpus.path
    labels = (view.songs["label"].explode() if view.labels.multi else view.songs["label"]).unique()
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
    if len(view.classes) < (1 if view.labels.kind == "ordinal" else 2):
        raise LyristError(
            f"Split by {view.split_by}, all training songs have the {target} '{view.classes[0]}', so nothing could be "
            "learnt: there are too few groups; prepare with --split-by song."
        )
    return view
