"""The pass over the text of a shard (clean, filter, detect the language, compute signatures), and the corpus files after it.

Kept songs go to ``clean/``, their labels to ``keys/``, their signatures to ``signatures/`` and dropped rows to ``dropped/``.
Each file has the number of its shard and is whole or absent, so that an interrupted pass can continue. The decisions
take twelve bytes a song and are looked up by id; the text is read and written once.
"""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.corpus.arrays import Ints, hashed
from lyrist.corpus.cleaning import (
    Cleaning,
    bits,
    clean_names,
    clean_rows,
    is_instrumental,
    is_placeholder,
    non_songs,
    word_count,
)
from lyrist.corpus.corpus import SPLITS
from lyrist.corpus.duplicates import sketched
from lyrist.corpus.languages import detect
from lyrist.corpus.names import masked
from lyrist.files import explained, read_json, write_json
from lyrist.text import repetition

DROPPED = ("id", "source", "row", "reason", "detail", "title", "artist")
"""What is kept of a dropped row."""

SAMPLED = 256
"""Songs a shard, evenly spread, on which the repetition score is measured before and after cleaning."""

_LETTERS_A_WORD = 24
"""A text is read so far, for each word that it needs at least, before all its words are counted."""


@dataclass(frozen=True)
class Filters:
    """Which songs are kept; all limits are inclusive."""

    languages: tuple[str, ...] = ()
    """Language codes; empty for all."""
    genres: tuple[str, ...] = ()
    """Genres, in lower case; empty for all."""
    min_words: int = 10
    """A song of fewer words is too short."""
    max_words: int = 5_000
    """A song of more words is too long: whole books are in some tables."""
    labelled: tuple[str, ...] = ()
    """Columns that must not be empty."""
    non_songs: bool = False
    """Whether lists (tour dates, discographies, tracks) and translations are kept."""


def clean_shard(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Clean one raw shard; return its counts.

    Parameters
    ----------
    path
        ``work/raw/NNNNN.parquet``: id, source, row, title, artist, genre, year, language, split, lyrics and kept columns.
    settings
        ``cleaning`` and ``filters`` (the fields of `Cleaning` and `Filters`), ``signatures`` (whether to make them),
        ``scale`` (of the sketches; null for none), ``keep`` (kept columns), ``mask`` (columns masked in the lyrics).

    Returns
    -------
    dict
        ``shard``, ``read``, ``kept``, ``reasons``, ``seconds`` by step and ``repetition`` (songs measured, sums before
        and after).
    """
    raw = Path(path)
    work = raw.parents[1]
    done = work / "counts" / f"{raw.stem}.json"
    if done.exists():
        counts: dict[str, Any] = read_json(done, "a shard")
        return counts
    clock = _Clock()
    songs = pl.read_parquet(raw, glob=False)
    sample = np.linspace(0, max(len(songs) - 1, 0), min(SAMPLED, len(songs))).astype(np.int64)
    before = songs["lyrics"].gather(sample)
    how = Cleaning(**_tuples(settings["cleaning"]))
    cleaned, changed = clean_rows(songs["lyrics"].fill_null(""), how)
    songs = songs.with_columns(
        lyrics=cleaned, title=clean_names(songs["title"], how), artist=clean_names(songs["artist"], how)
    )
    hidden = {}
    for column in settings["mask"]:
        texts = masked(songs["lyrics"], songs[column].cast(pl.String))
        hidden[column] = songs["lyrics"] != texts
        songs = songs.with_columns(lyrics=texts)
    clock.step("clean")
    songs = judge(songs, Filters(**_tuples(settings["filters"])), clock)
    kept = songs.filter(pl.col("reason").is_null())
    keys = kept.select("id", "title", "artist", "genre", "year", "language", "split", *settings["keep"])
    signed, sketch = sketched(
        kept["lyrics"] if settings["signatures"] else pl.Series(dtype=pl.String), settings["scale"]
    )
    clock.step("signatures")
    with explained(work):
        _write(keys, work / "keys" / raw.name)
        rules = pl.Series("rules", bits(changed)).filter(songs["reason"].is_null())
        masks = [pl.Series(f"masked {name}", rows).filter(songs["reason"].is_null()) for name, rows in hidden.items()]
        _write(kept.select("id", "language").with_columns(rules, *masks), work / "changed" / raw.name)
        if settings["signatures"]:
            _write(signed.insert_column(0, kept["id"]), work / "signatures" / raw.name)
        if settings["scale"]:
            _whole(work / "sketches" / f"{raw.stem}.u64", lambda part: sketch.tofile(part))
        _write(songs.filter(pl.col("reason").is_not_null()).select(DROPPED), work / "dropped" / raw.name)
        _write(kept.drop("reason", "detail"), work / "clean" / raw.name)
    clock.step("write")
    counts = {
        "shard": raw.stem,
        "read": len(songs),
        "kept": len(kept),
        "reasons": dict(songs["reason"].drop_nulls().value_counts().iter_rows()),
        "seconds": clock.seconds,
        "repetition": _repetition(before, songs[sample]),
        "peak_bytes": _peak_bytes(),
    }
    write_json(done, counts)
    return counts


def judge(songs: pl.DataFrame, filters: Filters, clock: _Clock | None = None) -> pl.DataFrame:
    """Return the songs with ``reason`` and ``detail`` (null for a song that stays) and the language that was heard.

    The cheap filters come first, so that languages are predicted only where they decide.
    """
    lyrics = songs["lyrics"]
    count = _deciding_count(lyrics, filters)
    everything = pl.repeat(value=True, n=len(songs), dtype=pl.Boolean, eager=True)
    genre = songs["genre"].str.to_lowercase().fill_null("")
    listed = pl.Series([None] * len(songs), dtype=pl.String)
    if not filters.non_songs:
        listed = non_songs(songs["title"], songs["artist"], lyrics)
    tests = {
        "instrumental": is_instrumental(lyrics),
        "empty": (count == 0) | is_placeholder(lyrics),
        "non-song": listed.is_not_null(),
        "too-short": count < filters.min_words,
        "too-long": count > filters.max_words,
        "unlabelled": ~songs.select(
            pl.all_horizontal(everything, *(pl.col(c).is_not_null() for c in filters.labelled))
        ).to_series(),
        "unwanted-genre": ~(genre.is_in(filters.genres) if filters.genres else everything),
    }
    reason, detail = pl.Series([None] * len(songs), dtype=pl.String), pl.Series([None] * len(songs), dtype=pl.String)
    for name, fails in reversed(tests.items()):
        reason = reason.set(fails, name)
    short = reason.is_in(["too-short", "too-long"]).fill_null(value=False)
    detail = detail.zip_with(~short, pl.select(pl.format("{} words", count)).to_series())
    detail = detail.zip_with((reason != "non-song").fill_null(value=True), listed)
    detail = detail.zip_with((reason != "unwanted-genre").fill_null(value=True), songs["genre"])
    if clock:
        clock.step("filter")
    language, heard = _languages(lyrics, reason.is_null())
    if filters.languages:
        foreign = reason.is_null() & ~language.is_in(filters.languages)
        reason, detail = reason.set(foreign, "other-language"), detail.zip_with(~foreign, heard)
    if clock:
        clock.step("language")
    return songs.with_columns(language=language, reason=reason, detail=detail)


def _deciding_count(lyrics: pl.Series, filters: Filters) -> pl.Series:
    """Return the number of words of each text, exact where it decides; elsewhere one that passes as the true one would.

    To count all words takes as long as a third of the cleaning. Nearly every song shows in its first characters that it
    has enough words, and has too few bytes to have too many: words and what is between them take two bytes at least.
    """
    enough = max(filters.min_words, 1)
    count = word_count(lyrics.str.slice(0, _LETTERS_A_WORD * enough)).clip(upper_bound=enough)
    open_ = (count < enough) | (lyrics.str.len_bytes() > 2 * filters.max_words) | (enough > filters.max_words)
    places = open_.arg_true()
    return count.scatter(places, word_count(lyrics.gather(places))) if len(places) else count


def _languages(lyrics: pl.Series, wanted: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the language code of each wanted text (else null), and code and score as the detail of a dropped row."""
    places = wanted.arg_true()
    codes, scores = detect(lyrics.gather(places))
    details = pl.DataFrame(
        {"i": places, "code": codes, "heard": pl.select(pl.format("{} {}", codes, scores.round(2))).to_series()}
    )
    every = pl.DataFrame({"i": pl.Series(range(len(lyrics)), dtype=places.dtype)})
    joined = every.join(details, on="i", how="left", maintain_order="left")
    return joined["code"], joined["heard"]


def _peak_bytes() -> int:
    """Return the peak memory of this process in bytes; 0 on Windows, which has no `resource`."""
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class _Clock:
    """CPU seconds by step: they are what a busy machine does not distort."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def step(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now


def _repetition(before: pl.Series, after: pl.DataFrame) -> list[float]:
    """Return how many kept songs were measured, and the sums of their repetition score before and after cleaning."""
    pairs = [
        (b or "", a) for b, a, reason in zip(before, after["lyrics"], after["reason"], strict=True) if reason is None
    ]
    return [len(pairs), sum(repetition(b) for b, _ in pairs), sum(repetition(a) for _, a in pairs)]


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the dataclasses have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _write(frame: pl.DataFrame, path: Path) -> None:
    _whole(path, lambda part: frame.write_parquet(part, compression="zstd", compression_level=1))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    # Another process may be at the same shard still: one that outlived a kill, or that a cluster took for lost.
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    write(temporary)
    temporary.replace(path)


FILE_BYTES = 256 << 20
"""A file of ``songs/`` is closed when it holds so much text."""

ROW_GROUP = 8_192

_DROPPED_SCHEMA = pl.Schema({**dict.fromkeys(DROPPED, pl.String), "id": pl.Int64, "row": pl.Int64})
_DROPPED_ROWS = 65_536


def write_songs(
    work: Path, out: Path, decisions: pl.DataFrame, details: pl.DataFrame, keep: tuple[str, ...], seed: int
) -> None:
    """Write ``out/songs`` and append to ``work/dropped`` the songs that the narrow stages dropped.

    The songs of a split are in random order: a table in the order of its artists would otherwise give runs of one label.
    Each song has its place in the order beforehand; the shards are divided into ranges of places, files that fit into
    memory, and each of these is sorted.

    Parameters
    ----------
    work
        Holds ``clean/NNNNN.parquet``.
    out
        The corpus under construction.
    decisions
        id (sorted), split (null: dropped), cluster, reason: one row a song of ``clean``.
    details
        id, detail: the detail of some of those that are dropped.
    keep
        Kept columns of the table, after the standard ones.
    seed
        Of the order.
    """
    ids, split, cluster = decisions["id"].to_numpy(), decisions["split"], decisions["cluster"]
    shards = sorted((work / "clean").glob("*.parquet"))
    place = _places(ids, split, seed)
    ranges = _Ranges(work / "shuffled", _songs_in_memory(shards), _schema(keep))
    done = 0
    with progress.task("writing") as advance:
        for shard in shards:
            songs = pl.read_parquet(shard, glob=False)
            rows = pl.Series(np.searchsorted(ids, songs["id"].to_numpy()))
            songs = songs.with_columns(split=split.gather(rows), cluster=cluster.gather(rows))
            gone = songs["split"].is_null()
            ranges.add(songs.filter(~gone), place[rows.filter(~gone).to_numpy()])
            if gone.any():
                lost = songs.filter(gone).with_columns(reason=decisions["reason"].gather(rows.filter(gone)))
                lost = lost.join(details, on="id", how="left", maintain_order="left")
                lost = lost.with_columns(pl.col("reason").cast(pl.String)).select(DROPPED)
                lost.write_parquet(work / "dropped" / f"narrow-{shard.name}")
            done += len(songs)
            advance(done, len(ids))
        for name in SPLITS:
            writer = _Writer(out / "songs", name, _schema(keep))
            for songs in ranges.sorted(name):
                writer.write(songs)
            writer.close()


def _places(ids: Ints, split: pl.Series, seed: int) -> Ints:
    """Return the place of each song in the random order of its split."""
    sides = split.to_physical().fill_null(len(SPLITS)).to_numpy()
    order = np.lexsort((hashed(ids, seed), sides))
    starts = np.searchsorted(sides[order], np.arange(len(SPLITS) + 1))
    place = np.empty(len(ids), np.int64)
    place[order] = np.arange(len(ids)) - starts[sides[order]]
    return place


def _songs_in_memory(shards: Sequence[Path]) -> int:
    """Return how many songs of these shards come to about `FILE_BYTES`."""
    read = [pq.read_metadata(shard) for shard in shards]
    size = sum(one.row_group(number).total_byte_size for one in read for number in range(one.num_row_groups))
    return max(1_024, int(FILE_BYTES * sum(one.num_rows for one in read) / max(size, 1)))


class _Ranges:
    """The songs of each split in files by ranges of their places in the random order."""

    def __init__(self, folder: Path, size: int, schema: pa.Schema) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.folder, self.size = folder, size
        self.columns = [*schema.names, "place"]
        self.writers: dict[tuple[str, int], pa.RecordBatchStreamWriter] = {}

    def add(self, songs: pl.DataFrame, places: Ints) -> None:
        """Append songs that have a ``split``, with their places."""
        songs = songs.with_columns(place=pl.Series(places), range=pl.Series(places // self.size))
        for (split, number), part in songs.group_by("split", "range"):
            key = str(split), int(number)
            table = part.select(self.columns).to_arrow(compat_level=pl.CompatLevel.oldest())
            if key not in self.writers:
                self.writers[key] = pa.ipc.new_stream(self._file(*key), table.schema)
            self.writers[key].write_table(table)

    def sorted(self, split: str) -> Iterator[pl.DataFrame]:
        """Yield the songs of one split in their order, one range at a time."""
        for key in sorted(key for key in self.writers if key[0] == split):
            self.writers[key].close()
            yield pl.read_ipc_stream(self._file(*key)).sort("place")
            self._file(*key).unlink()

    def _file(self, split: str, number: int) -> Path:
        return self.folder / f"{split}-{number:05d}.arrow"


def _schema(keep: tuple[str, ...]) -> pa.Schema:
    """Return the columns of ``songs/``."""
    text = pa.string()
    fields = {"id": pa.int64(), "title": text, "artist": text, "genre": text, "year": pa.int32(), "language": text}
    return pa.schema(fields | {"lyrics": text, "cluster": pa.int64(), **dict.fromkeys(keep, text)})


class _Writer:
    """Writes the songs of one split to numbered files of bounded size."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.split, self.number, self.bytes = folder, split, 0, 0
        self.schema = schema
        self.open: pq.ParquetWriter | None = None

    def write(self, songs: pl.DataFrame) -> None:
        if songs.is_empty():
            return
        if self.open is None:
            path = self.folder / f"{self.split}-{self.number:05d}.parquet"
            self.open = pq.ParquetWriter(path, self.schema, compression="zstd", write_page_checksum=True)
        table = songs.select(self.schema.names).to_arrow().cast(self.schema)
        self.open.write_table(table, row_group_size=ROW_GROUP)
        self.bytes += table.nbytes
        if self.bytes >= FILE_BYTES:
            self.close()

    def close(self) -> None:
        if self.open is not None:
            self.open.close()
            self.open, self.bytes, self.number = None, 0, self.number + 1


def write_dropped(work: Path, out: Path) -> None:
    """Gather every dropped row, whichever stage dropped it, into ``out/dropped``, in the order of id.

    The shards follow each other in the order of id, so each is sorted alone: where a balance takes nine songs in ten,
    all of them at once would take more memory than everything before.
    """
    folder = out / "dropped"
    folder.mkdir(exist_ok=True)
    rejected = [
        pl.scan_parquet(file, glob=False).select(DROPPED) for file in sorted((work / "rejected").glob("*.parquet"))
    ]
    waiting = pl.concat([pl.DataFrame(schema=_DROPPED_SCHEMA).lazy(), *rejected]).sort("id").collect()
    schema = waiting.drop("id").to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with pq.ParquetWriter(folder / "00000.parquet", schema, compression="zstd", write_page_checksum=True) as writer:

        def write(rows: pl.DataFrame) -> None:
            if len(rows):
                table = rows.sort("id").drop("id").to_arrow(compat_level=pl.CompatLevel.oldest())
                writer.write_table(table.cast(schema), row_group_size=_DROPPED_ROWS)

        for shard in sorted((work / "clean").glob("*.parquet")):
            files = [work / "dropped" / name for name in (shard.name, f"narrow-{shard.name}")]
            rows = pl.concat(
                [waiting.clear(), *(pl.read_parquet(f, glob=False).select(DROPPED) for f in files if f.exists())]
            )
            last = rows["id"].max()
            if last is not None:
                before = pl.col("id") <= last  # rows that could not be read are between those that could
                write(pl.concat([rows, waiting.filter(before)]))
                waiting = waiting.filter(~before)
        write(waiting)
