"""The pass over the text of a shard (clean, filter, detect the language, compute signatures), and the corpus files after it.

Kept songs go to ``clean/``, their labels to ``keys/``, their signatures to ``signatures/`` and dropped rows to ``dropped/``.
Each file has the number of its shard and is whole or absent, so that an interrupted pass can continue. The decisions
take twelve bytes a song and are looked up by id; the text is read and written once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist.corpus.arrays import Ints, hashed
from lyrist.corpus.cleaning import (
    RULES,
    Cleaning,
    bits,
    clean_names,
    clean_rows,
    is_instrumental,
    is_placeholder,
    non_songs,
    word_count,
)
from lyrist.corpus.duplicates import sketched
from lyrist.corpus.ingest import read_shard
from lyrist.corpus.languages import detect
from lyrist.corpus.names import masked
from lyrist.files import explained, read_json, sha256, whole, write_json
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
        In ``work/raw``: source, row, title, artist, genre, year, language, split, lyrics and kept columns (`read_shard`).
    settings
        ``cleaning`` and ``filters`` (the fields of `Cleaning` and `Filters`), ``signatures`` (whether to make them),
        ``scale`` (of the sketches; null for none), ``keep`` (kept columns), ``mask`` (columns masked in the lyrics).

    Returns
    -------
    dict
        ``shard``, ``read``, ``kept``, ``bytes`` (of the kept lyrics), ``reasons``, ``seconds`` by step and ``repetition``
        (songs measured, sums before and after).
    """
    raw = Path(path)
    work = raw.parents[1]
    done = work / "counts" / f"{raw.stem}.json"
    if done.exists():
        counts: dict[str, Any] = read_json(done, "a shard")
        return counts
    clock = _Clock()
    songs = read_shard(raw)
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
            whole(work / "sketches" / f"{raw.stem}.u64", lambda part: sketch.tofile(part))
        _write(songs.filter(pl.col("reason").is_not_null()).select(DROPPED), work / "dropped" / raw.name)
        _write(kept.drop("reason", "detail"), work / "clean" / raw.name)
    clock.step("write")
    counts = {
        "shard": raw.stem,
        "read": len(songs),
        "kept": len(kept),
        "bytes": int(kept["lyrics"].str.len_bytes().sum()),
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
    whole(path, lambda part: frame.write_parquet(part, compression="zstd", compression_level=1))


FILE_BYTES = 64 << 20
"""A file of ``songs/`` holds about so many bytes of lyrics."""

ROW_GROUP = 8_192


def decided(work: Path, decisions: pl.DataFrame, details: pl.DataFrame, kept: Mapping[str, int]) -> None:
    """Divide the decisions by shard, for `place_songs`: ``work/decided``.

    Parameters
    ----------
    work
        Where the stages leave their files.
    decisions
        id (sorted), split (null: dropped), cluster, reason: one row a song of ``clean``.
    details
        id, detail: the detail of some of those that are dropped.
    kept
        The songs of each shard in ``clean``, in the order of the shards.
    """
    (work / "decided").mkdir(exist_ok=True)
    decisions = decisions.join(details, on="id", how="left", maintain_order="left")
    start = 0
    for shard, count in kept.items():
        decisions.slice(start, count).write_parquet(work / "decided" / f"{shard}.parquet", compression="lz4")
        start += count


def place_songs(shard: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Divide the songs of a clean shard among the files of the corpus, and write its dropped rows.

    The songs of a split are in random order: a table in the order of its artists would otherwise give runs of one label.
    The order is that of a hash of the id, and each file of a split holds a range of hashes. So every shard is divided
    alone, and every file is sorted alone.

    Parameters
    ----------
    shard
        The name of the shard.
    settings
        ``work`` and ``out`` (folders), ``files`` (how many each split has), ``keep`` (kept columns) and ``seed`` (of the
        order).

    Returns
    -------
    dict
        Of the kept songs: how many each rule of cleaning changed, each label masked, and each language has.
    """
    work, out = Path(settings["work"]), Path(settings["out"])
    songs = pl.read_parquet(work / "clean" / f"{shard}.parquet", glob=False)
    fate = pl.read_parquet(work / "decided" / f"{shard}.parquet", glob=False)
    rows = pl.Series(np.searchsorted(fate["id"].to_numpy(), songs["id"].to_numpy()))
    songs = songs.with_columns(fate.drop("id")[rows])
    kept, gone = songs.filter(pl.col("split").is_not_null()), songs.filter(pl.col("split").is_null())
    gone = gone.with_columns(pl.col("reason").cast(pl.String)).select(DROPPED)
    dropped = pl.concat([gone, pl.read_parquet(work / "dropped" / f"{shard}.parquet", glob=False).select(DROPPED)])
    if (rejected := work / "rejected" / f"{shard}.parquet").exists():
        dropped = pl.concat([dropped, read_shard(rejected).select(DROPPED)])
    counts, ends = list(settings["files"].values()), np.cumsum([0, *settings["files"].values()])
    side = kept["split"].to_physical().to_numpy()
    chance = hashed(kept["id"].to_numpy(), settings["seed"])
    share = (chance >> np.uint64(32)) * np.array(counts, np.uint64)[side] >> np.uint64(32)
    file = ends[side] + share.astype(np.int64)
    order = np.argsort(file, kind="stable")
    cuts = np.searchsorted(file[order], np.arange(ends[-1] + 1))
    schema = _schema(settings["keep"])
    table = _table(kept[order], schema)
    with explained(out):
        place = out / "dropped" / f"{shard.partition('-')[0]}.parquet"
        whole(place, lambda part: _write_dropped(dropped.sort("id").drop("id"), part))
        whole(work / "placed" / f"{shard}.arrow", lambda part: _write_parts(table, cuts, part))
    return _changes(pl.read_parquet(work / "changed" / f"{shard}.parquet", glob=False), kept["id"])


def _write_dropped(rows: pl.DataFrame, part: Path) -> None:
    pq.write_table(
        rows.to_arrow(compat_level=pl.CompatLevel.oldest()), part, compression="zstd", write_page_checksum=True
    )


def _write_parts(table: pa.Table, cuts: Ints, part: Path) -> None:
    """Write a table so that each part of it can be read alone: one record batch for each, which may be empty."""
    table = table.combine_chunks()
    empty = pa.RecordBatch.from_pylist([], table.schema)
    with pa.ipc.new_file(part, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for start, end in pairwise(cuts.tolist()):
            writer.write_batch(table.slice(start, end - start).to_batches()[0] if end > start else empty)


def _changes(songs: pl.DataFrame, kept: pl.Series) -> dict[str, Any]:
    """Return what cleaning changed in the songs that were kept, from ``changed/``."""
    songs = songs.filter(pl.col("id").is_in(kept.implode()))
    rules = songs["rules"].to_numpy()
    return {
        "rules": [int(np.count_nonzero(rules & np.uint32(1 << bit))) for bit in range(len(RULES))],
        "languages": dict(songs["language"].value_counts().iter_rows()),
        "masked": {name.removeprefix("masked "): int(songs[name].sum()) for name in songs.columns[3:]},
    }


def write_files(names: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Write some files of ``songs/`` from the parts that `place_songs` left for them.

    Parameters
    ----------
    names
        ``SPLIT-NNNNN``.
    settings
        As for `place_songs`.

    Returns
    -------
    dict
        The SHA-256 of each file by its path in the corpus; a file without a song is not written.
    """
    work, out = Path(settings["work"]), Path(settings["out"])
    splits = list(settings["files"])
    written = {}
    for name in names:
        split, number = name.rsplit("-", 1)
        place = sum(settings["files"][before] for before in splits[: splits.index(split)]) + int(number)
        parts = []
        for file in sorted((work / "placed").glob("*.arrow")):
            with pa.memory_map(str(file)) as opened:
                parts.append(pa.ipc.open_file(opened).get_batch(place))
        songs = pa.Table.from_batches(parts)
        if songs.num_rows:
            songs = songs.take(np.argsort(hashed(songs["id"].to_numpy(), settings["seed"])))
            target = out / "songs" / f"{name}.parquet"
            with explained(out):
                whole(target, partial(_write_file, songs))
                written[f"songs/{name}.parquet"] = sha256(target)
    return written


def _write_file(songs: pa.Table, part: Path) -> None:
    with pq.ParquetWriter(part, songs.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(songs, row_group_size=ROW_GROUP)


def _schema(keep: Sequence[str]) -> pa.Schema:
    """Return the columns of ``songs/``."""
    text = pa.string()
    fields = {"id": pa.int64(), "title": text, "artist": text, "genre": text, "year": pa.int32(), "language": text}
    return pa.schema(fields | {"lyrics": text, "cluster": pa.int64(), **dict.fromkeys(keep, text)})


def _table(songs: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return songs.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
