"""Large test tables of songs with planted and recorded truth.

The table is made a chunk at a time and looks like what people download: the columns of Genius or of songdata, artists
and genres as unequal as there, songs of a kilobyte or two with choruses, and rows that a good preparation must find.
Every such row is in ``TABLE.truth.parquet``, with what it is and what it was made from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from lyrist import progress
from lyrist.errors import UsageError, unknown
from songtables.planting import PLANTED, TRUTH_SCHEMA, Chunks
from songtables.sinks import format_of, sink

CHUNK = 8192
"""Rows made at a time: some 80 MB of memory."""

CSV_ONLY = ("malformed", "invalid-utf8")
"""Kinds of rows that only a CSV can hold."""

Layout = Literal["genius", "songdata"]


@dataclass(frozen=True)
class Truth:
    """What `generate` wrote."""

    path: Path
    """The table."""
    rows: int
    seed: int
    planted: Mapping[str, int]
    """How many rows there are of each planted kind; all others are English songs, each different."""

    @property
    def file(self) -> Path:
        """The Parquet file with the truth."""
        return truth_path(self.path)

    def table(self) -> pl.DataFrame:
        """Return the truth, a row for every planted row of the table.

        Returns
        -------
        DataFrame
            ``row``: number in the table, from 1, the header not counted. ``kind``: a key of `PLANTED`. ``of``: for copies,
            the row of the original, which is earlier. ``language``: code of what is sung; null where nothing is.
            ``jaccard``: for copies, the similarity to the original by word 3-shingles. ``detail``: which of its kind.
        """
        return pl.read_parquet(self.file)


def truth_path(path: Path) -> Path:
    """Return where the truth about the table ``path`` stands."""
    return path.with_name(path.name + ".truth.parquet")


def generate(
    rows: int,
    path: str | Path,
    seed: int = 0,
    *,
    layout: Layout = "genius",
    artists: int | None = None,
    planted: Mapping[str, float] | None = None,
) -> Truth:
    """Write a table of invented songs, and beside it the truth about what was planted in it.

    Parameters
    ----------
    rows
        Number of rows, at least 1. A million make a CSV of about 1.5 GB.
    path
        Its ending says the format: ``.csv``, ``.jsonl`` (each also with ``.gz`` or ``.zst``) or ``.parquet``.
    seed
        The same seed, and otherwise the same arguments, give the same table.
    layout
        The columns: those of ``genius`` (with genres, years and languages) or of ``songdata``.
    artists
        How many; by default 300, or more in a table of more than 5,000 rows.
    planted
        Shares of planted rows, by kind, that differ from `PLANTED`; 0 plants none.

    Raises
    ------
    UsageError
        A number out of its range, an unknown ending, layout or kind, or a kind that the format cannot hold.
    LyristError
        The table cannot be written.
    """
    path = Path(path)
    shares = _shares(planted or {}, csv=format_of(path) == ".csv")
    artists = max(300, math.isqrt(18 * rows)) if artists is None else artists
    for name, value, least in (("rows", rows, 1), ("seed", seed, 0), ("artists", artists, 2)):
        if value < least:
            raise UsageError(f"{name} is at least {least}, not {value}.")
    if layout not in ("genius", "songdata"):
        raise unknown("layout", layout, ("genius", "songdata"))
    chunks = Chunks(seed, artists, shares, layout)
    counts: Counter[str] = Counter()
    with sink(path) as table, sink(truth_path(path)) as truth, progress.task("generating", "rows") as advance:
        for number, first in enumerate(range(0, rows, CHUNK)):
            chunk = chunks.make(number, first + 1, min(CHUNK, rows - first))
            table.write(chunk.table, chunk.faults)
            truth.write(chunk.truth.match_to_schema(TRUTH_SCHEMA), {})
            counts.update(chunk.truth["kind"])
            advance(first + len(chunk.table), rows)
    return Truth(path, rows, seed, {kind: counts[kind] for kind in PLANTED if counts[kind]})


def _shares(planted: Mapping[str, float], *, csv: bool) -> dict[str, float]:
    """Return the share of every kind, those of CSV only left out elsewhere."""
    shares = dict(PLANTED)
    for kind, share in planted.items():
        if kind not in PLANTED:
            raise unknown("kind of planted row", kind, PLANTED)
        if not 0 <= share <= 1:
            raise UsageError(f"The share of {kind} rows is between 0 and 1, not {share}.")
        if share and kind in CSV_ONLY and not csv:
            raise UsageError(f"Only a CSV can hold {kind} rows; leave them out or give a name that ends in .csv.")
        shares[kind] = share
    if not csv:
        shares |= dict.fromkeys(CSV_ONLY, 0.0)
    if sum(shares.values()) > 1:
        raise UsageError(f"The shares of planted rows sum to {sum(shares.values()):.3g}, which is more than 1.")
    return shares
