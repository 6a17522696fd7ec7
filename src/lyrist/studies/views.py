"""A corpus as a classifier sees it: labelled songs in three splits, the corpus's own or another drawn from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.splits import Split, assign
from lyrist.errors import LyristError, unknown


@dataclass(frozen=True)
class View:
    """The songs of one question: which songs, which label, which split."""

    corpus: Corpus
    target: str
    """The column that is to be told."""
    songs: pl.DataFrame
    """id, title, artist, genre, lyrics, cluster, ``label`` (never null) and ``split``, in the order of id."""
    split_by: str
    """``song``, ``artist`` or ``column``: what stands on one side of the split together."""
    unlabelled: int
    """Songs left out because they have no label."""
    seed: int
    only: tuple[str, ...] = ()
    """The labels that were asked for; empty for all."""

    def part(self, split: str) -> pl.DataFrame:
        """Return the songs of one split."""
        return self.songs.filter(pl.col("split") == split)

    @property
    def classes(self) -> list[str]:
        """The labels in the training split, sorted."""
        return sorted(self.part("train")["label"].unique())

    def with_share(self, share: float, seed: int) -> View:
        """Return the same question with a seeded share of the training songs, of each label alike; at least one each."""
        train = pl.col("split") == "train"
        order = self.songs.filter(train).with_columns(chance=pl.col("id").hash(seed)).sort("label", "chance")
        counted = order.with_columns(place=pl.int_range(pl.len()).over("label"), size=pl.len().over("label"))
        kept = counted.filter(pl.col("place") < (pl.col("size") * share).ceil())["id"]
        songs = self.songs.filter(~train | pl.col("id").is_in(kept.to_list()))
        return dataclasses.replace(self, songs=songs)

    def resplit(self, by: str, seed: int) -> View:
        """Draw another split of the same songs, by song or by artist, with the same shares.

        Raises
        ------
        LyristError
            There are too few groups, or a label stands on one side only, so that nothing could be learnt.
        """
        settings = self.corpus.info["settings"]["split"]
        split = Split(by=by, validation=settings["validation"], test=settings["test"], seed=seed, stratify="label")  # type: ignore[arg-type]
        drawn = self.songs.with_columns(split=assign(self.songs, split))
        return _checked(View(self.corpus, self.target, drawn, by, self.unlabelled, seed, self.only))


def view(corpus: Corpus, target: str, only: tuple[str, ...] = ()) -> View:
    """Return the labelled songs of a corpus with its own split.

    Parameters
    ----------
    corpus
        The corpus.
    target
        The column whose values are the labels.
    only
        Labels to keep; empty for all.

    Raises
    ------
    LyristError
        The column is missing or empty, a label in ``only`` does not occur, there is one class, or a split is empty.
    """
    corpus.check_target(target)
    columns = list(dict.fromkeys(["id", "title", "artist", "genre", "lyrics", "cluster", target, "split"]))
    songs = corpus.songs(columns=columns).with_columns(label=pl.col(target).cast(pl.String))
    unlabelled = songs["label"].null_count()
    songs = songs.drop_nulls("label")
    if only:
        known = songs["label"].unique().sort().to_list()
        for label in only:
            if label not in known:
                raise unknown(target, label, known)
        songs = songs.filter(pl.col("label").is_in(only))
    settings = corpus.info["settings"]["split"]
    by = "column" if settings["column"] else settings["by"]
    return _checked(View(corpus, target, songs, by, unlabelled, settings["seed"], only))


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
