"""What a column of labels holds: one label a song, several labels a song, or a number that is ordered.

This is the one place where the kind of a target is decided. `prepare` looks for columns of several labels and stores them in
``corpus.json``; `train`, `study`, `evaluate` and `label` read them from there.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.errors import LyristError, UsageError

Kind = Literal["single", "multi", "ordinal"]

SEPARATORS = {"|": 0.5, ";": 0.5, ", ": 0.7, ",": 0.7, "/": 0.7}
"""Separators of several labels of one song, and the share of the parts between them that must occur in other values too."""

LISTS = "list"
"""The separator of a column whose values are lists in brackets, as JSON or Python prints them."""

SEVERAL = 0.02
"""The share of songs with a separator in their label from which a column can hold several labels a song."""

VARIED = 0.3
"""The share of the parts that must also occur alone or at another place."""

PRINTED = 0.95
"""The share of values that must be lists in brackets."""

SAMPLE = 50_000
"""Songs whose labels are looked at."""

NAMES = ("artist", "title")
"""Columns of names, which may hold separators: they are split only on request."""

_LIST = r"^\s*\[.*\]\s*$"


@dataclass(frozen=True)
class Labels:
    """The labels of songs in one column."""

    column: str
    kind: Kind = "single"
    separator: str = ""
    """Of several labels: the text between two, or `LISTS`."""

    @property
    def multi(self) -> bool:
        """Whether a song has several labels."""
        return self.kind == "multi"

    @property
    def described(self) -> dict[str, str]:
        """The keys of ``run.json`` and ``results.json`` that say so; none for single labels."""
        if self.kind == "single":
            return {}
        return {"kind": self.kind, **({"separator": self.separator} if self.multi else {})}

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Labels:
        """Return the labels that a run or a study was made for."""
        return cls(info["target"], info.get("kind", "single"), info.get("separator", ""))

    def read(self, values: pl.Series, classes: Sequence[str] = ()) -> pl.Series:
        """Return the labels of each song from the values of its column; null for a song without a label.

        Parameters
        ----------
        values
            The column.
        classes
            The classes of a fitted model; those of version 0.1 are single years.

        Returns
        -------
        Series
            Texts for single labels (of a year the decade, such as ``1990s``), sorted lists of texts for several labels, and
            numbers for ordered ones.
        """
        if self.kind == "ordinal":
            return values.cast(pl.Float64, strict=False)
        if self.multi:
            return _split(values.cast(pl.String), self.separator)
        if self.column != "year" or (classes and not any(name.endswith("s") for name in classes)):
            return values.cast(pl.String)
        decades = pl.format("{}s", pl.col("year").cast(pl.Int64, strict=False) // 10 * 10)
        return values.alias("year").to_frame().select(decades).to_series()

    def rows(self, songs: pl.DataFrame, column: str = "") -> pl.DataFrame:
        """Return one row for each label of each song; for single labels the songs as they are.

        Parameters
        ----------
        songs
            One row a song.
        column
            The name of the column in ``songs``, where it is another.
        """
        if not self.multi:
            return songs
        column = column or self.column
        return songs.with_columns(self.read(songs[column])).explode(column)


def labels_of(corpus: Corpus, column: str, multi_label: str = "auto", ordinal: bool = False) -> Labels:
    """Return what a column of a corpus holds.

    Parameters
    ----------
    corpus
        The corpus.
    column
        The column that is predicted.
    multi_label
        ``auto``: as `prepare` found it; ``off``: one label a song; else the separator of several labels.
    ordinal
        Whether the values are numbers whose order counts.

    Raises
    ------
    UsageError
        Both kinds are requested.
    LyristError
        ``ordinal`` for a column without numbers.
    """
    if ordinal and multi_label not in ("auto", "off"):
        raise UsageError("--ordinal predicts a number and --multi-label several labels; give one of them.")
    if ordinal:
        values = corpus.scan().select(pl.col(column).drop_nulls().head(SAMPLE)).collect()[column]
        if values.cast(pl.Float64, strict=False).null_count() > 0.5 * len(values):
            raise LyristError(
                f"--ordinal needs a column of numbers, and '{column}' has '{values[0]}'; choose another --target."
            )
        return Labels(column, "ordinal")
    if multi_label == "off":
        return Labels(column)
    if multi_label != "auto":
        return Labels(column, "multi", multi_label)
    stored = corpus.info.get("multi_label")
    if stored is None:  # a corpus of version 0.1
        stored = {column: {"separator": mark}} if (mark := _separator_in(corpus, column)) else {}
    return Labels(column, "multi", stored[column]["separator"]) if column in stored else Labels(column)


def stored_columns(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Return the columns with several labels a song as `prepare` stored them; in a corpus of version 0.1 they are looked for."""
    found: dict[str, dict[str, Any]] | None = corpus.info.get("multi_label")
    return multi_columns(corpus, "auto") if found is None else found


def multi_columns(corpus: Corpus, multi_label: str) -> dict[str, dict[str, Any]]:
    """Return the columns with several labels a song: separator, number of different labels, songs with more than one.

    Parameters
    ----------
    corpus
        The corpus.
    multi_label
        ``auto``: genre and kept columns are looked at; ``off``: none; else the separator, which is used for each of these
        columns that has it.
    """
    found: dict[str, dict[str, Any]] = {}
    if multi_label == "off":
        return found
    for column in ["genre", *corpus.info["settings"].get("keep", [])]:
        mark = _separator_in(corpus, column) if multi_label == "auto" else multi_label
        if not mark:
            continue
        values = corpus.scan().select(column).collect()[column]
        labels = Labels(column, "multi", mark).read(values).drop_nulls()
        several = int((labels.list.len() > 1).sum())
        if several:
            found[column] = {"separator": mark, "labels": labels.explode().n_unique(), "several": several}
    return found


def _separator_in(corpus: Corpus, column: str) -> str | None:
    if column in (*NAMES, "language", "year"):
        return None
    if not any(corpus.info["counts"]["splits"].get(split) for split in SPLITS):
        return None
    return separator_of(corpus.scan().select(pl.col(column).drop_nulls().head(SAMPLE)).collect()[column])


def separator_of(values: pl.Series) -> str | None:
    """Return what separates several labels of one song, as in ``pop|rock``, if a column holds such labels.

    Labels recur: most parts between separators occur in other values of the column as well. The parts of a name, as in
    "Earth, Wind & Fire" or "hip-hop/rnb", do not. Labels also occur alone, or at another place among others; the parts of
    "Smith, John" do not. Each different value counts once, so that a frequent name decides nothing.

    Returns
    -------
    str or None
        A key of `SEPARATORS`, `LISTS`, or None for one label a song.
    """
    texts = values.cast(pl.String).drop_nulls()
    counts = texts.value_counts()
    names, songs = counts[texts.name], counts["count"]
    total = float(songs.sum())
    if not total:
        return None
    printed = names.str.contains(_LIST)
    if songs.filter(printed).sum() >= PRINTED * total:
        return LISTS if (_split(names, LISTS).list.len() > 1).any() else None
    for mark, share in SEPARATORS.items():
        joined = _split(names, mark).list.len() > 1
        if songs.filter(joined).sum() < SEVERAL * total:
            continue
        every = pl.DataFrame({"value": names, "part": names.str.split(mark)}).with_columns(n=pl.col("part").list.len())
        every = every.with_columns(place=pl.int_ranges("n")).explode("part", "place").filter(pl.col("n") > 0)
        role = pl.when(pl.col("n") == 1).then(0).when(pl.col("place") == 0).then(1).otherwise(2)
        every = every.with_columns(pl.col("part").str.strip_chars(), role=role).filter(pl.col("part") != "")
        inside = every.with_columns(
            free=pl.col("value").n_unique().over("part") > 1, varied=pl.col("role").n_unique().over("part") > 1
        ).filter(pl.col("n") > 1)
        if inside["free"].mean() >= share and inside["varied"].mean() >= VARIED:  # type: ignore[operator]
            return mark
    return None


def _split(values: pl.Series, separator: str) -> pl.Series:
    """Return the sorted different labels of each value; null for a value without one."""
    if separator == LISTS:
        each = values.unique().drop_nulls()
        known = pl.DataFrame(
            {"value": each, "found": [_listed(text) for text in each]},
            {"value": pl.String, "found": pl.List(pl.String)},
        )
        split = values.alias("value").to_frame().join(known, on="value", how="left", maintain_order="left")["found"]
    else:
        split = values.str.split(separator)
    tidy = pl.element().str.strip_chars()
    cleaned = split.list.eval(tidy.filter(tidy != "")).list.unique().list.sort()
    return (
        cleaned.to_frame("found")
        .select(pl.when(pl.col("found").list.len() > 0).then("found"))
        .to_series()
        .alias(values.name)
    )


def _listed(text: str) -> list[str]:
    """Return the texts of a printed list; the text itself if it is none."""
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple):
            return [str(part) for part in found if part is not None]
    return [text]
