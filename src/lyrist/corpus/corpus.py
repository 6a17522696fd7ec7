"""What is on disk after ``prepare``: a directory that says where every song came from and where every row went.

corpus.json          settings, sources, columns, counts, fingerprint, checksums of the files of songs/, format version
ledger.json          {"read", "kept", "dropped": {reason: count}}
songs/               {train,validation,test}-*.parquet, in random order
dropped/             source, row, reason, detail, title, artist of every dropped row
duplicates.parquet   every song of a near-duplicate cluster, those dropped among them
contained.parquet    every pair of songs of which one contains the other (live versions, excerpts, remixes)
README.md            dataset card
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from shlex import quote
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist.corpus.ledger import Ledger
from lyrist.errors import LyristError, UsageError, needed_by, unknown, unreadable
from lyrist.files import read_json, sha256, staging_path

FORMAT = 1
"""The version of this layout; a reader refuses what it does not know."""

SPLITS = ("train", "validation", "test")

PAIRS = pl.Schema(
    {
        **dict.fromkeys(("id", "within", "shared"), pl.Int64),
        **dict.fromkeys(("containment", "jaccard"), pl.Float64),
        **dict.fromkeys(("title", "artist", "within_title", "within_artist", "split", "within_split"), pl.String),
    }
)
"""The columns of ``contained.parquet``: ``id`` is contained in ``within``; ``shared`` counts three-word sequences."""

COLUMNS = ("id", "title", "artist", "genre", "year", "language", "lyrics", "cluster")
"""The columns that every corpus has; kept columns of the table follow them."""


def checksums(path: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of ``songs/``, by its path in the corpus."""
    return {f"songs/{file.name}": sha256(file) for file in sorted(path.glob("songs/*.parquet"))}


def _described(info: dict[str, Any]) -> bool:
    """Return whether a description of a corpus has the types that its readers expect."""
    counts, settings, written = info.get("counts"), info.get("settings"), info.get("checksums", {})
    splits = counts.get("splits") if isinstance(counts, dict) else None
    keep = settings.get("keep", []) if isinstance(settings, dict) else None
    return (
        isinstance(splits, dict)
        and all(type(count) is int and count >= 0 for count in splits.values())
        and isinstance(keep, list)
        and all(isinstance(name, str) for name in keep)
        and isinstance(written, dict)
        and isinstance(info.get("fingerprint"), str)
    )


@contextlib.contextmanager
def _readable(corpus: Path) -> Iterator[None]:
    """Turn what a damaged or missing file of a corpus does to its reader into one sentence."""
    try:
        yield
    except unreadable(pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LyristError(
            f"A file of the corpus {corpus} is damaged or missing ({reason}); prepare it again."
        ) from error


def read_blocks(file: Path, columns: Sequence[str], size: int = 8192) -> Iterator[pl.DataFrame]:
    """Yield the songs of a file of ``songs/`` in blocks of at most ``size``."""
    with _readable(file.parents[1]), pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=size, columns=list(columns)):
            yield pl.DataFrame(pa.Table.from_batches([batch]))


@dataclass(frozen=True, repr=False)
class Corpus:
    """A corpus directory, opened for reading."""

    path: Path
    info: dict[str, Any]
    """What ``corpus.json`` holds."""
    ledger: Ledger

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> Corpus:
        """Open the corpus in the directory ``path``.

        Parameters
        ----------
        path
            The directory.
        verify
            Compare the files of ``songs/`` with the checksums in ``corpus.json``; corpora of version 0.1 have none.

        Raises
        ------
        LyristError
            It is no corpus, not finished, of another format version, or a file of it is damaged or missing.
        """
        path = Path(path)
        if not path.is_dir():
            partial = staging_path(path)
            hint = f" An unfinished one is in {partial}: run prepare again with --resume." if partial.is_dir() else ""
            raise LyristError(
                f"There is no corpus {path}; make one with: lyrist prepare TABLE --out {quote(str(path))}.{hint}"
            )
        info = read_json(path / "corpus.json", "a corpus")
        if not isinstance(info, dict) or info.get("format") != FORMAT:
            found = info.get("format") if isinstance(info, dict) else None
            raise LyristError(f"{path} has corpus format {found}, this Lyrist reads {FORMAT}; prepare it again.")
        if not _described(info):
            raise LyristError(
                f"{path}/corpus.json is damaged: it has not the form that prepare writes; prepare it again."
            )
        corpus = cls(path, info, Ledger.from_json(read_json(path / "ledger.json", "a corpus")))
        for split in SPLITS:
            if info["counts"]["splits"].get(split, 0) and not corpus.files(split):
                raise LyristError(f"{path} is damaged: songs/{split}-*.parquet is missing; prepare it again.")
        if verify and (written := info.get("checksums")):
            stored = checksums(path)
            if changed := sorted(name for name in written.keys() | stored if written.get(name) != stored.get(name)):
                raise LyristError(
                    f"{path} is damaged: {changed[0]} is not as prepare wrote it (SHA-256 differs); prepare it again."
                )
        return corpus

    @property
    def fingerprint(self) -> str:
        """A hash of the songs, their splits and what made them; runs name the corpus by it."""
        return str(self.info["fingerprint"])

    @property
    def columns(self) -> list[str]:
        """The names of the columns of ``songs/``."""
        return [*COLUMNS, *self.info["settings"].get("keep", [])]

    def files(self, split: str | None = None) -> list[Path]:
        """Return the Parquet files of one split, or of all, in order."""
        if split is not None and split not in SPLITS:
            raise unknown("split", split, SPLITS)
        return [
            file
            for name in ([split] if split else SPLITS)
            for file in sorted(self.path.glob(f"songs/{name}-*.parquet"))
        ]

    def scan(self, split: str | None = None) -> pl.LazyFrame:
        """Return a lazy frame over the songs of one split or of all, with a column ``split``."""
        frames = [
            pl.scan_parquet(files, glob=False).with_columns(split=pl.lit(name))
            for name in ([split] if split else SPLITS)
            if (files := self.files(name))
        ]
        if not frames:
            raise LyristError(f"{self.path} has no songs in its {split or 'splits'}; prepare it with a larger share.")
        return pl.concat(frames)

    def songs(self, split: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the songs of one split, or of all, in memory and in the order of id."""
        with self._whole():
            frame = self.scan(split).sort("id")
            return (frame.select(columns) if columns else frame).collect()

    def to_polars(self, split: str | None = None) -> pl.DataFrame:
        """Return the songs of one split, or of all, as a polars frame with a column ``split``."""
        return self.songs(split)

    def to_pandas(self, split: str | None = None) -> Any:
        """Return the songs of one split, or of all, as a pandas frame with a column ``split``."""
        with needed_by("Corpus.to_pandas"):
            return self.songs(split).to_pandas()

    def to_datasets(self) -> Any:
        """Return the songs as a ``DatasetDict`` of Hugging Face's package datasets, one dataset for each split."""
        with needed_by("Corpus.to_datasets"):
            datasets = importlib.import_module("datasets")
        found = {split: self.songs(split).drop("split") for split in SPLITS if self.files(split)}
        return datasets.DatasetDict({split: datasets.Dataset(frame.to_arrow()) for split, frame in found.items()})

    def __repr__(self) -> str:
        """Return the path and the number of songs."""
        shares = ", ".join(f"{split} {count:,}" for split, count in self.info["counts"]["splits"].items())
        return f"<Corpus {self.path}: {self.ledger.kept:,} songs ({shares})>"

    def _repr_html_(self) -> str:
        """Return the number of songs and the first songs for a notebook."""
        first = self.scan().head(5).select("artist", "title", "split", "lyrics").collect()
        return f"<p>{escape(repr(self))}</p>{first._repr_html_()}"

    def batches(self, split: str, columns: Sequence[str], size: int = 8192) -> Iterator[pl.DataFrame]:
        """Yield the songs of a split in blocks of at most ``size``, whatever the size of the corpus."""
        for file in self.files(split):
            yield from read_blocks(file, columns, size)

    @cached_property
    def duplicates(self) -> pl.DataFrame:
        """Every song in a near-duplicate cluster of two or more: id, cluster, kind, jaccard, title, artist, split."""
        with self._whole():
            return pl.read_parquet(self.path / "duplicates.parquet", glob=False)

    @cached_property
    def contained(self) -> pl.DataFrame:
        """Every pair of songs of which one contains the other: `PAIRS`; a null split means dropped."""
        path = self.path / "contained.parquet"
        with self._whole():
            return pl.read_parquet(path, glob=False) if path.exists() else PAIRS.to_frame()

    def dropped(self, reason: str | None = None, limit: int | None = None) -> pl.DataFrame:
        """Return the dropped rows, of one reason if given: source, row, reason, detail, title, artist."""
        with self._whole():
            frame = pl.scan_parquet(sorted((self.path / "dropped").glob("*.parquet")), glob=False)
        if reason is not None:
            if reason not in self.ledger.dropped:
                raise unknown("reason for which rows were dropped,", reason, self.ledger.dropped or ["(none)"])
            frame = frame.filter(pl.col("reason") == reason)
        with self._whole():
            return (frame.head(limit) if limit else frame).collect()

    def _whole(self) -> contextlib.AbstractContextManager[None]:
        return _readable(self.path)

    def check_target(self, target: str) -> None:
        """Raise unless ``target`` is a column by which songs can be classified."""
        known = [name for name in self.columns if name not in ("id", "title", "lyrics", "cluster")]
        if target not in known:
            error = unknown("target column", target, known)
            raise UsageError(f"{error} Another column of the table is there after: lyrist prepare --keep COLUMN.")
        if not self.scan().select(pl.col(target).is_not_null().any()).collect().item():
            kept = target in self.columns[len(COLUMNS) :]
            way = "choose another" if kept else f"name the table's: lyrist prepare --{target} COLUMN"
            raise LyristError(f"No song in {self.path} has a value in the column '{target}'; {way}.")
