"""Copies and near-copies of songs: exact copies by a hash, near-copies by MinHash, each pair confirmed by its text.

The text is read at most twice: once for the signatures, shard by shard, and again for the songs that some signature pairs.
All steps are tasks of `Workers` that hold a bounded number of songs or pairs, whatever their order.
A band holds four MinHash values of 16 bits, not a hash of them, so that the bands also estimate the Jaccard similarity to
+-0.05. That rules out most false candidates before any text is read, and allows many short bands: of pairs at similarity
0.6, 16 bands of 8 find 24%, 32 bands of 4 find 99%.

The exact share of two songs is computed on sorted 30-bit hashes of word triples in one flat array (`shingles`); scripts
without spaces between words are split by character. Two different triples collide about once in 25,000 pairs.

MinHash and banding: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and Ullman,
*Mining of Massive Datasets*, chapter 3. One hash a shingle for all values: Li, Owen and Zhang, "One Permutation Hashing"
(2012), empty bins filled as by Shrivastava and Li (2014). Truncated values: Li and König, "b-Bit Minwise Hashing" (2010).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.corpus.arrays import Ints, Numbers, components, distinct, packed, run_starts, unpacked
from lyrist.corpus.names import artist_key, title_key
from lyrist.corpus.parallel import Workers
from lyrist.corpus.shingles import (
    WIDTH,
    ShingleSets,
    hashed_runs,
    mixed,
    normalised,
    save,
    spaced,
    take_shingles,
    taken,
)
from lyrist.files import whole
from lyrist.progress import Advance
from lyrist.text import singers

THRESHOLD = 0.5
"""Two songs are near-copies when they share at least this much of all their three-word sequences (Jaccard).

In 7,000 songs of two real tables every pair above 0.5 was one song (covers, versions, a text inside another); between
0.35 and 0.5 there are covers still, but also different songs that share verses. Unrelated songs lie below 0.05.
"""

HASHES = 128
_BIN_BITS = 7  # HASHES is two to this
_EMPTY = np.uint64(1 << (53 - _BIN_BITS))
BANDS = 32
BAND_NAMES = tuple(f"band_{band:02}" for band in range(BANDS))
SIGNATURE_SCHEMA = pl.Schema({"key": pl.UInt64, **dict.fromkeys(BAND_NAMES, pl.UInt64)})
FOUND_SCHEMA = pl.Schema({"id": pl.Int64, "cluster": pl.Int64, "kind": pl.String, "jaccard": pl.Float64})

SKETCH_WIDTH = 5
"""Words in a run of the sketch; runs of three are too common: at 480,000 songs two in five would be stop words."""

PLACE = np.uint64((1 << 16) - 1)
"""The bits of a sketch's entry that say its text."""

_MARGIN = 0.15  # the sketch's standard error at 0.5 is 0.044: a pair at the threshold is ruled out once in 3,000
_SMALL = 16  # in buckets up to this size all pairs are candidates
_ANCHORS = 2  # in larger ones each song with the first few, and with the one before it
_SONGS_AT_ONCE = 8_192  # songs whose shingles are held at one time: about 20 MB
_SONG_BYTES, _PAIR_BYTES = 64, 64  # that a task holds of each song, or of each band that a pair shares

MEMORY = 256 << 20
"""Bytes that a task of looking for copies may hold, about."""

Fetch = Callable[[Ints], Iterator[tuple[Ints, pl.Series]]]
"""``fetch(ids)`` streams the lyrics of these songs (sorted ids) as chunks of ids and texts, in any order."""


def sketched(lyrics: pl.Series, scale: int | None = None) -> tuple[pl.DataFrame, Numbers]:
    """Return what identifies copies, near-copies and contained versions of these texts, from one pass over them.

    Parameters
    ----------
    lyrics
        Texts.
    scale
        The sketch holds one in so many runs of `SKETCH_WIDTH` words, a power of 2; None for no sketch.

    Returns
    -------
    signatures : DataFrame of `SIGNATURE_SCHEMA`
        ``key``: BLAKE2b of the normalised text, cut to 64 bits: equal for texts that differ in case, punctuation and
        layout only. ``band_00`` ...: MinHash values of the word 3-shingles, 16 bits of four in each. Both are the same on
        every machine and in every version.
    sketch : array of uint64
        The runs whose hash is below 2**64 / scale, sorted: the upper 48 bits are the hash (times the scale), the lower 16
        the place of the text.
    """
    normal = normalised(lyrics)
    digests = b"".join(blake2b(text, digest_size=8).digest() for text in normal.cast(pl.Binary).to_list())
    lanes = np.empty((len(normal), HASHES), "<u2")
    entries = []
    for first, count, runs in hashed_runs(spaced(normal), [WIDTH] if scale is None else [WIDTH, SKETCH_WIDTH]):
        lanes[first : first + count] = _minhash(count, *runs[0])
        if scale is not None:
            song, run = runs[1]
            kept = np.flatnonzero(run <= np.uint64((1 << 64) // scale - 1))
            hashed = (run[kept] * np.uint64(scale)) & ~PLACE
            entries.append(hashed | (song[kept] + first).astype(np.uint64))
    bands = lanes.view("<u8")
    columns = {name: np.ascontiguousarray(bands[:, band]) for band, name in enumerate(BAND_NAMES)}
    table = pl.DataFrame({"key": np.frombuffer(digests, "<u8"), **columns}, schema=SIGNATURE_SCHEMA)
    return table, distinct(np.concatenate([np.empty(0, np.uint64), *entries]))


def _minhash(count: int, song: Ints, run: Numbers) -> npt.NDArray[np.uint16]:
    """Return `HASHES` values a text: a shingle's hash says the bin and the value; an empty bin takes the next filled one's."""
    bins = (song << _BIN_BITS) | (run >> np.uint64(64 - _BIN_BITS)).astype(np.int64)
    values = np.full(count * HASHES, _EMPTY)
    np.minimum.at(values, bins, (run >> np.uint64(11)) & (_EMPTY - np.uint64(1)))
    filled = (values != _EMPTY).reshape(count, HASHES).T
    own = np.arange(2 * HASHES, dtype=np.int16)[:, None]  # bins twice over, a text in each column
    following = np.where(np.concatenate([filled, filled]), own, np.int16(2 * HASHES))
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1][:HASHES].T
    taken = values[(following & np.int16(HASHES - 1)) + HASHES * np.arange(count)[:, None]]
    far = (following - np.arange(HASHES, dtype=np.int16)).astype(np.uint64)
    return (mixed(taken + far * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(48)).astype(np.uint16)


def find_clusters(
    work: Path, workers: Workers, *, threshold: float = THRESHOLD, memory: int = MEMORY, advance: Advance | None = None
) -> pl.DataFrame:
    """Return the clusters of two or more songs that are copies or near-copies of each other.

    Parameters
    ----------
    work
        ``signatures/*.parquet`` (``id`` and the columns of `signatures`) and ``clean/*.parquet`` (``id`` and ``lyrics``), each in
        shards of the same names, in the order of the ids.
    workers
        What does the tasks.
    threshold
        The least Jaccard similarity of near-copies, in (0.35, 1]; below 0.6 the bands miss a growing share of pairs
        (2% of those at 0.6, 13% at 0.5).
    memory
        Bytes that a task may hold, about; more songs make more tasks.
    advance
        Called with the number of finished tasks.

    Returns
    -------
    DataFrame of `FOUND_SCHEMA`, by id
        ``cluster`` is the smallest id of the cluster. ``kind``: ``first`` for the song with that id; ``exact`` where a
        song with a smaller id has the same text but for case, punctuation and layout; ``near`` otherwise.
        ``jaccard`` is the similarity to the first, which may lie below the threshold where a third song links them.
    """
    report = advance or (lambda done, total: None)
    files = sorted((work / "signatures").glob("*.parquet"))
    ids = np.concatenate([np.empty(0, np.int64), *(column(file, "id") for file in files)])
    if np.any(ids[1:] <= ids[:-1]):
        raise ValueError("an id occurs twice in the signatures, or they are not in order")
    parts = -(-len(ids) * _SONG_BYTES // memory) or 1
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        given = {"work": str(work), "folder": name, "parts": parts, "threshold": threshold}
        total = (BANDS + 1) * parts
        found = [
            _loaded(folder, done) for done in workers.map(pairs_by, [["key", part] for part in range(parts)], given)
        ]
        copies, originals = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
        order = np.argsort(copies)
        copies, originals = copies[order], originals[order]
        np.save(folder / "copies.npy", copies)
        report(parts, total)
        pairs = 0
        tasks = [[band, part] for band in BAND_NAMES for part in range(parts)]
        for done, counts in enumerate(workers.map(pairs_by, tasks, given), parts + 1):
            pairs += counts["pairs"]
            report(done, total)
        ranges = max(-(-pairs * _PAIR_BYTES // memory), min(8, pairs >> 15), 1)
        cuts = [len(ids) * number // ranges for number in range(ranges + 1)]
        kept = [_loaded(folder, done) for done in workers.map(plausible, list(pairwise(cuts)), given)]
        near = _confirmed(
            work, folder, workers, ids, np.sort(np.concatenate([np.empty(0, np.uint64), *kept])), threshold
        )
        report(total, total)
    return _found(near, ids[copies], ids[originals])


def _loaded(folder: Path, counts: dict[str, Any]) -> npt.NDArray[Any]:
    """Return the array that a task wrote."""
    array: npt.NDArray[Any] = np.load(folder / counts["file"])
    return array


def column(file: Path, name: str) -> npt.NDArray[Any]:
    """Return a column of numbers of a Parquet file."""
    return pl.read_parquet(file, columns=[name], glob=False)[name].to_numpy()


def pairs_by(task: list[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Write the pairs of positions of songs that share a band, or exact copies and what they copy; a task of `Workers`.

    Parameters
    ----------
    task
        The column, and the part of its values: a hash of a value says in which part it is, so that equal ones are together.
    settings
        ``work``, ``folder`` (for what is written) and ``parts`` (how many).
    """
    name, part = task
    parts, folder = settings["parts"], Path(settings["folder"])
    found_positions, found_values, start = [np.empty(0, np.int64)], [np.empty(0, np.uint64)], 0
    for file in sorted(Path(settings["work"], "signatures").glob("*.parquet")):
        values = column(file, name)
        mine = (
            np.flatnonzero(mixed(values.copy()) % np.uint64(parts) == np.uint64(part))
            if parts > 1
            else np.arange(len(values))
        )
        found_positions.append(mine + start)
        found_values.append(values[mine])
        start += len(values)
    positions, values = np.concatenate(found_positions), np.concatenate(found_values)
    if name == "key":
        found: npt.NDArray[Any] = np.stack(_exact_copies(positions, values))
    else:
        alone = np.ones(start, bool)
        alone[np.load(folder / "copies.npy")] = False
        positions, values = positions[alone[positions]], values[alone[positions]]
        left, right = _bucket_pairs(values)
        found = distinct(packed(positions[left], positions[right]))
    file = folder / f"{name}-{part}.npy"
    whole(file, partial(save, found))
    return {"file": file.name, "pairs": found.shape[-1]}


def _exact_copies(positions: Ints, keys: Numbers) -> tuple[Ints, Ints]:
    """Return the positions of all but the first song of each text, and of those first songs."""
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order[1:]] == keys[order[:-1]]) + 1
    starts = np.ones(len(keys), bool)
    starts[repeated] = False
    first = np.maximum.accumulate(np.where(starts, np.arange(len(keys)), 0))
    return positions[order[repeated]], positions[order[first[repeated]]]


def _bucket_pairs(values: Numbers) -> tuple[Ints, Ints]:
    """Return the pairs of places (left < right) to be compared because their values are equal."""
    order = np.argsort(values)  # takes a third of the time of a stable sort
    same = values[order[1:]] == values[order[:-1]]
    rows = np.flatnonzero(np.append(same, False) | np.append(False, same))
    order = order[rows]
    order = order[np.lexsort((order, values[order]))]
    starts = run_starts(values[order])
    sizes = np.diff(np.append(starts, len(rows)))
    start, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    place = np.arange(len(rows)) - start
    left, right = [], []
    for back in range(1, _SMALL):
        later = np.flatnonzero((place >= back) & ((size <= _SMALL) | (back == 1)))
        left.append(order[later - back])
        right.append(order[later])
    for anchor in range(_ANCHORS):
        later = np.flatnonzero((place > anchor + 1) & (size > _SMALL))
        left.append(order[start[later] + anchor])
        right.append(order[later])
    return np.concatenate(left), np.concatenate(right)


def pairs_from(files: Iterable[Path], limits: Sequence[int]) -> Numbers:
    """Return the packed pairs, of files that are sorted, whose left number is in a range."""
    packed_limits = np.array(limits, np.uint64) << np.uint64(32)
    found = (np.load(file, mmap_mode="r") for file in files)
    parts = [pairs[slice(*np.searchsorted(pairs, packed_limits))] for pairs in found]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def plausible(task: list[int], settings: dict[str, Any]) -> dict[str, Any]:
    """Write the pairs whose MinHash values agree often enough to be near-copies; a task of `Workers`.

    Parameters
    ----------
    task
        The first position of the left songs, and the one after the last.
    settings
        ``work``, ``folder`` (of the pairs that `pairs_by` wrote) and ``threshold``.
    """
    folder = Path(settings["folder"])
    pairs = distinct(pairs_from(folder.glob("band_*.npy"), task))
    ends = distinct(np.concatenate(unpacked(pairs)))
    bands, start = np.empty((len(ends), BANDS), np.uint64), 0
    for file in sorted(Path(settings["work"], "signatures").glob("*.parquet")):
        size = pq.read_metadata(file).num_rows
        rows = slice(*np.searchsorted(ends, [start, start + size]))
        if rows.stop > rows.start:
            table = pl.read_parquet(file, columns=list(BAND_NAMES), glob=False)
            bands[rows] = table[ends[rows] - start].to_numpy()
        start += size
    agreeing = np.zeros(len(pairs), np.uint8)
    for block in range(0, len(pairs), 1 << 16):
        one, other = (bands[np.searchsorted(ends, end)] for end in unpacked(pairs[block : block + (1 << 16)]))
        agreeing[block : block + (1 << 16)] = np.count_nonzero((one ^ other).view(np.uint16) == 0, axis=1)
    place = folder / f"plausible-{task[0]}.npy"
    whole(place, partial(save, pairs[agreeing >= (settings["threshold"] - _MARGIN) * HASHES]))
    return {"file": place.name}


@dataclass(frozen=True)
class _Near:
    """Songs in clusters of near-copies: their ids, sorted, the first of each cluster and the similarity to it."""

    ids: Ints
    firsts: Ints
    jaccard: npt.NDArray[np.float64]


def _confirmed(work: Path, folder: Path, workers: Workers, ids: Ints, pairs: Numbers, threshold: float) -> _Near:
    """Compare the candidate pairs by their texts, a number of whole components at a time."""
    nodes, ends = np.unique(np.concatenate(unpacked(pairs)), return_inverse=True)
    left, right = np.split(ends, 2)
    component = components(len(nodes), left, right)
    block = (np.cumsum(np.bincount(component, minlength=1)) // _SONGS_AT_ONCE)[component]
    shingled(work, folder, workers, ids[nodes])
    blocks = distinct(block)
    for number in blocks:
        mine = np.flatnonzero(block[left] == number)
        np.save(folder / f"block-{number}.npy", np.stack([ids[nodes[left[mine]]], ids[nodes[right[mine]]]]))
    given = {"folder": str(folder), "threshold": threshold}
    done = [_loaded(folder, counts) for counts in workers.map(confirm, blocks.tolist(), given)]
    found = np.concatenate([np.empty(0, _NEAR), *done])
    found = found[np.argsort(found["id"])]
    return _Near(found["id"], found["first"], found["jaccard"])


_NEAR = np.dtype([("id", np.int64), ("first", np.int64), ("jaccard", np.float64)])


def confirm(block: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Write the clusters of near-copies among some pairs of songs; a task of `Workers`.

    Parameters
    ----------
    block
        The number of the file of pairs.
    settings
        ``folder`` (of pairs and shingles) and ``threshold``.
    """
    folder = Path(settings["folder"])
    left, right, sets = block_of(folder, block)
    near = _clusters(left, right, sets, settings["threshold"])
    found = np.empty(len(near.ids), _NEAR)
    found["id"], found["first"], found["jaccard"] = near.ids, near.firsts, near.jaccard
    place = folder / f"near-{block}.npy"
    whole(place, partial(save, found))
    return {"file": place.name}


def block_of(folder: Path, block: int) -> tuple[Ints, Ints, ShingleSets]:
    """Return the pairs of a block, and the shingle sets of their songs; see `shingled`."""
    left, right = np.load(folder / f"block-{block}.npy")
    return left, right, ShingleSets(taken(folder, distinct(np.concatenate([left, right]))))


def shingled(work: Path, folder: Path, workers: Workers, ids: Ints) -> None:
    """Let the workers take the shingle sets of these clean songs (sorted ids) into a folder; see `taken`."""
    np.save(folder / "wanted.npy", ids)
    given = {"wanted": str(folder / "wanted.npy"), "folder": str(folder)}
    shards = [str(path) for path in sorted((work / "clean").glob("*.parquet"))] if len(ids) else []
    for _ in workers.map(take_shingles, shards, given):
        pass


def _clusters(left: Ints, right: Ints, sets: ShingleSets, threshold: float) -> _Near:
    """Return the components of the pairs (of ids) at or above the threshold."""
    alike = sets.jaccard(left, right) >= threshold
    ids, ends = np.unique(np.concatenate([left[alike], right[alike]]), return_inverse=True)
    component = components(len(ids), *np.split(ends, 2))
    _, first = np.unique(component, return_index=True)  # the ids are sorted, so the first of each is the smallest
    firsts = ids[first[component]]
    return _Near(ids, firsts, sets.jaccard(firsts, ids))


def _found(near: _Near, copies: Ints, originals: Ints) -> pl.DataFrame:
    """Put the exact copies into the clusters of the songs that they copy."""
    known = pl.DataFrame({"id": near.ids, "cluster": near.firsts, "jaccard": near.jaccard})
    copied = pl.DataFrame({"id": copies, "original": originals}).join(
        known, left_on="original", right_on="id", how="left", maintain_order="left"
    )
    copied = copied.with_columns(
        pl.col("cluster").fill_null(pl.col("original")), pl.col("jaccard").fill_null(1.0), kind=pl.lit("exact")
    )
    lone = np.setdiff1d(originals, near.ids)
    alone = pl.DataFrame({"id": lone, "cluster": lone, "jaccard": np.ones(len(lone))})
    others = pl.concat([known, alone]).with_columns(
        kind=pl.when(pl.col("id") == pl.col("cluster")).then(pl.lit("first")).otherwise(pl.lit("near"))
    )
    columns = list(FOUND_SCHEMA)
    return pl.concat([others.select(columns), copied.select(columns)]).sort("id").cast(FOUND_SCHEMA)


def covers(found: pl.DataFrame) -> pl.DataFrame:
    """Return which clusters hold covers, not copies under one artist.

    Parameters
    ----------
    found
        ``id``, ``cluster`` and ``artist`` (as in the table; null where it is missing) of the songs in clusters, and
        ``title`` where the table has it.

    Returns
    -------
    DataFrame, by cluster
        ``cluster``, ``songs``, ``artists`` (different names, missing ones not counted) and ``cover`` (bool): whether
        two of the songs have no singer in common, also not through a third song: a song by two singers that is listed
        under each of them is no cover.
    """
    titled = found if "title" in found.columns else found.with_columns(title=pl.lit(None, pl.String))
    counted = (
        titled.with_columns(key=artist_key())
        .group_by("cluster")
        .agg(pl.col("artist", "title"), songs=pl.len(), artists=pl.col("key").drop_nulls().n_unique())
        .sort("cluster")
    )
    several = counted.filter(pl.col("artists") > 1).select("cluster", "artist", "title")
    apart = [cluster for cluster, artists, titles in several.iter_rows() if _strangers(artists, titles)]
    cover = pl.col("cluster").is_in(pl.Series(apart, dtype=counted["cluster"].dtype).implode())
    return counted.select("cluster", "songs", "artists", cover=cover)


def _strangers(artists: list[str | None], titles: list[str | None]) -> bool:
    """Return whether the singers of some songs have nothing to do with those of the others."""
    groups: list[frozenset[str]] = []
    for artist, title in zip(artists, titles, strict=True):
        own = singers(artist or "", title or "") if artist else frozenset()
        if own:
            groups = [g for g in groups if not g & own] + [own.union(*(g for g in groups if g & own))]
    return len(groups) > 1


NOTICE_TITLES = 4
"""A text under so many titles that have nothing to do with each other, or more, is a note of the site and no song."""


def notices(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the clusters of one text under many titles: a note such as "removed at the request of ...".

    Parameters
    ----------
    clusters
        Songs with near-copies, by `with_names`.

    Returns
    -------
    DataFrame
        ``cluster``, ``titles`` and ``artists`` (how many different ones) of each cluster with at least `NOTICE_TITLES`
        titles without their editions, and at least half as many titles as songs: a carol in thirty versions has two or
        three. Where there are no titles, twice as many artists are needed.
    """
    counted = (
        clusters.with_columns(song=title_key(), singer=artist_key())
        .group_by("cluster")
        .agg(pl.len(), titles=pl.col("song").drop_nulls().n_unique(), artists=pl.col("singer").drop_nulls().n_unique())
    )
    many = (pl.col("titles") >= NOTICE_TITLES) & (2 * pl.col("titles") >= pl.col("len"))
    untitled = (pl.col("titles") == 0) & (pl.col("artists") >= 2 * NOTICE_TITLES)
    return counted.filter(many | untitled).select("cluster", "titles", "artists").sort("cluster")


def notice_details(work: Path, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return ``id`` and ``detail`` (under how many names, and the text) of every song of a cluster of `notices`."""
    found = notices(clusters)
    read = [pl.DataFrame({"cluster": ids, "text": text}) for ids, text in texts_of(work)(found["cluster"].to_numpy())]
    texts = pl.concat([pl.DataFrame(schema={"cluster": pl.Int64, "text": pl.String}), *read])
    text = pl.col("text").str.replace_all(r"\s+", " ").str.slice(0, 160)
    details = found.join(texts, on="cluster").select(
        "cluster", detail=pl.format('under {} titles and {} artists: "{}"', "titles", "artists", text)
    )
    return clusters.select("id", "cluster").join(details, on="cluster").select("id", "detail").sort("id")


def near_copies(work: Path, workers: Workers, memory: int = MEMORY, *, ignore: bool = False) -> pl.DataFrame:
    """Return the clusters of copies and near-copies among the clean songs (see `find_clusters`); none with ``ignore``."""
    if ignore:
        return FOUND_SCHEMA.to_frame()
    with progress.task("near-copies", "tasks") as advance:
        return find_clusters(work, workers, memory=memory, advance=advance)


def texts_of(work: Path) -> Fetch:
    """Return what reads the lyrics of clean songs."""
    shards = sorted((work / "clean").glob("*.parquet"))

    def fetch(ids: Ints) -> Iterator[tuple[Ints, pl.Series]]:
        for shard in shards if len(ids) else []:
            texts = pl.scan_parquet(shard, glob=False).select("id", "lyrics")
            texts = texts.filter(pl.col("id").is_in(pl.Series(ids).implode()))
            found = texts.collect()
            yield found["id"].to_numpy(), found["lyrics"]

    return fetch


def with_names(work: Path, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the clusters with the titles and artists of their songs, by id."""
    keys = pl.scan_parquet(sorted((work / "keys").glob("*.parquet")), glob=False).select("id", "title", "artist")
    known = keys.filter(pl.col("id").is_in(clusters["id"].implode())).collect()
    return clusters.join(known, on="id", how="left", maintain_order="left")


def copy_details(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return why a song is a copy in words: ``id`` and ``detail`` of every song of `with_names` but the first of a cluster."""
    shown = pl.format("{} - {}", pl.col("artist").fill_null("?"), pl.col("title").fill_null("?"))
    first = clusters.select(cluster="id", first=shown)
    copies = clusters.filter(pl.col("cluster") != pl.col("id")).join(first, on="cluster", how="left")
    detail = pl.format("of id {} ({}), Jaccard {}", "cluster", "first", pl.col("jaccard").round(2))
    return copies.select("id", detail=detail).sort("id")
