"""From clean shards and a verdict for every song to the files of the corpus, in the order of id.

The verdict is twelve bytes a song and is looked up by id; the text is read and written once and never joined.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.corpus.corpus import SPLITS
from lyrist.corpus.textpass import DROPPED

FILE_BYTES = 256 << 20
"""A file of ``songs/`` is closed when it holds so much text."""

ROW_GROUP = 8_192

_DROPPED_SCHEMA = pl.Schema({**dict.fromkeys(DROPPED, pl.String), "id": pl.Int64, "row": pl.Int64})
_DROPPED_ROWS = 65_536


def write_songs(work: Path, out: Path, verdict: pl.DataFrame, details: pl.DataFrame, keep: tuple[str, ...]) -> None:
    """Write ``out/songs`` and append to ``work/dropped`` the songs that the narrow stages dropped.

    Parameters
    ----------
    work
        Holds ``clean/NNNNN.parquet``.
    out
        The corpus under construction.
    verdict
        id (sorted), split (null: dropped), cluster, reason: one row a song of ``clean``.
    details
        id, detail: what is to be told of some of those that are dropped.
    keep
        Kept columns of the table, after the standard ones.
    """
    writers = {split: _Writer(out / "songs", split, keep) for split in SPLITS}
    ids, split, cluster = verdict["id"].to_numpy(), verdict["split"], verdict["cluster"]
    shards = sorted((work / "clean").glob("*.parquet"))
    done = 0
    with progress.task("writing") as advance:
        for shard in shards:
            songs = pl.read_parquet(shard)
            places = pl.Series(np.searchsorted(ids, songs["id"].to_numpy()))
            songs = songs.with_columns(split=split.gather(places), cluster=cluster.gather(places))
            for name, writer in writers.items():
                writer.write(songs.filter(pl.col("split") == name))
            gone = songs["split"].is_null()
            if gone.any():
                lost = songs.filter(gone).with_columns(reason=verdict["reason"].gather(places.filter(gone)))
                lost = lost.join(details, on="id", how="left", maintain_order="left")
                lost = lost.with_columns(pl.col("reason").cast(pl.String)).select(DROPPED)
                lost.write_parquet(work / "dropped" / f"narrow-{shard.name}")
            done += len(songs)
            advance(done, len(ids))
    for writer in writers.values():
        writer.close()


class _Writer:
    """Writes the songs of one split to numbered files of bounded size."""

    def __init__(self, folder: Path, split: str, keep: tuple[str, ...]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.split, self.number, self.bytes = folder, split, 0, 0
        text = pa.string()
        fields = {"id": pa.int64(), "title": text, "artist": text, "genre": text, "year": pa.int32(), "language": text}
        fields |= {"lyrics": text, "cluster": pa.int64(), **dict.fromkeys(keep, text)}
        self.schema = pa.schema(fields)
        self.open: pq.ParquetWriter | None = None

    def write(self, songs: pl.DataFrame) -> None:
        if songs.is_empty():
            return
        if self.open is None:
            path = self.folder / f"{self.split}-{self.number:05d}.parquet"
            self.open = pq.ParquetWriter(path, self.schema, compression="zstd")
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
    rejected = [pl.scan_parquet(file).select(DROPPED) for file in sorted((work / "rejected").glob("*.parquet"))]
    waiting = pl.concat([pl.DataFrame(schema=_DROPPED_SCHEMA).lazy(), *rejected]).sort("id").collect()
    schema = waiting.drop("id").to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with pq.ParquetWriter(folder / "00000.parquet", schema, compression="zstd") as writer:

        def write(rows: pl.DataFrame) -> None:
            if len(rows):
                table = rows.sort("id").drop("id").to_arrow(compat_level=pl.CompatLevel.oldest())
                writer.write_table(table.cast(schema), row_group_size=_DROPPED_ROWS)

        for shard in sorted((work / "clean").glob("*.parquet")):
            files = [work / "dropped" / name for name in (shard.name, f"narrow-{shard.name}")]
            rows = pl.concat([waiting.clear(), *(pl.read_parquet(f).select(DROPPED) for f in files if f.exists())])
            last = rows["id"].max()
            if last is not None:
                before = pl.col("id") <= last  # rows that could not be read stand between those that could
                write(pl.concat([rows, waiting.filter(before)]))
                waiting = waiting.filter(~before)
        write(waiting)
