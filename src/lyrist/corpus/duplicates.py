"""Copies and near-copies of songs: exact copies by a hash, near-copies by MinHash, each pair confirmed by its text.

The text is read at most twice: once for the signatures, shard by shard, and again for the songs that some signature pairs.
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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist import progress
from lyrist.corpus.arrays import Ints, Numbers, components, distinct, packed, run_starts, unpacked
from lyrist.corpus.names import artist_key, title_key
from lyrist.corpus.shingles import WIDTH, ShingleSets, hashed_runs, mixed, normalised, spaced
from lyrist.progress import Advance
from lyrist.text.names import singers

THRESHOLD = 0.5
"""Two songs are near-copies when they share at least this much of all their three-word sequences (Jaccard).

In 7,000 songs of two real tables every pair above 0.5 was one song (covers, versions, a text inside another); between
0.35 and 0.5 there are covers still, but also different songs that share verses. Unrelated songs lie below 0.05.
"""

HASHES = 128
_BIN_BITS = 7  # HASHES is two to this
BANDS = 32
_LANES = HASHES // BANDS
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
_SONGS_AT_ONCE = 262_144  # texts whose shingles are held at one time: about 250 MB

Fetch = Callable[[Ints], Iterator[tuple[Ints, pl.Series]]]
"""``fetch(ids)`` streams the lyrics of these songs (sorted ids) as chunks of ids and texts, in any order."""


def signatures(lyrics: pl.Series) -> pl.DataFrame:
    """Return what identifies copies and near-copies of these texts, in the same order; see `sketched`."""
    return sketched(lyrics)[0]


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
    keys = np.sort((song.astype(np.uint64) << np.uint64(53)) | (run >> np.uint64(11)))
    bins = keys >> np.uint64(53 - _BIN_BITS)
    least = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    places = bins[least].astype(np.int64)
    values = np.zeros(count * HASHES, np.uint64)
    values[places] = keys[least] & np.uint64((1 << (53 - _BIN_BITS)) - 1)
    following = np.full((2 * HASHES, count), 2 * HASHES, np.int16)  # bins twice over, a text in each column
    for turn in (0, HASHES):
        following[(places & (HASHES - 1)) + turn, places >> _BIN_BITS] = (places & (HASHES - 1)) + turn
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1][:HASHES].T
    taken = values[(following & np.int16(HASHES - 1)) + HASHES * np.arange(count)[:, None]]
    far = (following - np.arange(HASHES, dtype=np.int16)).astype(np.uint64)
    return (mixed(taken + far * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(48)).astype(np.uint16)


def find_clusters(
    table: pl.LazyFrame | None, fetch: Fetch, *, threshold: float = THRESHOLD, advance: Advance | None = None
) -> pl.DataFrame:
    """Return the clusters of two or more songs that are copies or near-copies of each other.

    Parameters
    ----------
    table
        ``id`` (int64, each once) and the columns of `signatures`, in any order; scanned twice a column. None is an
        empty table.
    fetch
        Gives the lyrics of the songs that have to be compared.
    threshold
        The least Jaccard similarity of near-copies, in (0.35, 1]; below 0.6 the bands miss a growing share of pairs
        (2% of those at 0.6, 13% at 0.5).
    advance
        Called with the number of finished stages.

    Returns
    -------
    DataFrame of `FOUND_SCHEMA`, by id
        ``cluster`` is the smallest id of the cluster. ``kind``: ``first`` for the song with that id; ``exact`` where a
        song with a smaller id has the same text but for case, punctuation and layout; ``near`` otherwise.
        ``jaccard`` is the similarity to the first, which may lie below the threshold where a third song links them.
    """
    if table is None:
        return FOUND_SCHEMA.to_frame()
    report = advance or (lambda done, total: None)
    scan = _Scan(table)
    copies, originals = _exact_copies(scan.ids, scan.column("key"))
    report(1, 2 * BANDS + 2)
    pairs = _candidates(scan, np.isin(scan.ids, copies, invert=True), lambda done: report(1 + done, 2 * BANDS + 2))
    pairs = _plausible(scan, pairs, threshold - _MARGIN, lambda done: report(1 + BANDS + done, 2 * BANDS + 2))
    near = _confirmed(scan.ids, pairs, fetch, threshold)
    report(2 * BANDS + 2, 2 * BANDS + 2)
    return _found(near, copies, originals)


class _Scan:
    """The columns of a table one at a time, always in the order of the ids."""

    def __init__(self, table: pl.LazyFrame) -> None:
        self._table = table.with_columns(pl.col("id").cast(pl.Int64))
        ids = self._table.select("id").collect()["id"].to_numpy()
        self.ids: Ints = np.sort(ids)
        if np.any(self.ids[1:] == self.ids[:-1]):
            raise ValueError("an id occurs twice in the table of signatures")

    def column(self, name: str) -> Numbers:
        frame = self._table.select("id", name).collect()
        ids, values = frame["id"].to_numpy(), frame[name].to_numpy()
        return values if np.array_equal(ids, self.ids) else values[np.argsort(ids)]


def _exact_copies(ids: Ints, keys: Numbers) -> tuple[Ints, Ints]:
    """Return the ids of all but the first song of each text (sorted), and the ids of those first songs."""
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order[1:]] == keys[order[:-1]]) + 1
    starts = np.ones(len(ids), bool)
    starts[repeated] = False
    first = np.maximum.accumulate(np.where(starts, np.arange(len(ids)), 0))
    copies, originals = ids[order[repeated]], ids[order[first[repeated]]]
    by_id = np.argsort(copies)
    return copies[by_id], originals[by_id]


def _candidates(scan: _Scan, alone: npt.NDArray[np.bool_], report: Callable[[int], None]) -> Numbers:
    """Return the pairs of positions (left < right, in the halves of 64 bits) that share a band, each once, sorted."""
    positions = np.flatnonzero(alone)
    pairs = np.empty(0, np.uint64)
    for done, name in enumerate(BAND_NAMES, start=1):
        left, right = _bucket_pairs(scan.column(name)[positions])
        pairs = distinct(np.append(pairs, packed(positions[left], positions[right])))
        report(done)
    return pairs


def _bucket_pairs(values: Numbers) -> tuple[Ints, Ints]:
    """Return the pairs of places (left < right) to be compared because their values are equal."""
    order = np.argsort(values, kind="stable")
    same = values[order[1:]] == values[order[:-1]]
    rows = np.flatnonzero(np.append(same, False) | np.append(False, same))
    order = order[rows]
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


def _plausible(scan: _Scan, pairs: Numbers, least: float, report: Callable[[int], None]) -> Numbers:
    """Return the pairs whose MinHash values agree in at least the share ``least``."""
    agreeing = np.zeros(len(pairs), np.uint8)
    for done, name in enumerate(BAND_NAMES, start=1):
        values = scan.column(name) if len(pairs) else np.empty(0, np.uint64)
        for block in range(0, len(pairs), 1 << 20):
            left, right = unpacked(pairs[block : block + (1 << 20)])
            lanes = (values[left] ^ values[right]).view(np.uint16).reshape(-1, _LANES)
            agreeing[block : block + (1 << 20)] += np.count_nonzero(lanes == 0, axis=1).astype(np.uint8)
        report(done)
    return pairs[agreeing >= least * HASHES]


@dataclass(frozen=True)
class _Near:
    """Songs in clusters of near-copies: their ids, sorted, the first of each cluster and the similarity to it."""

    ids: Ints
    firsts: Ints
    jaccard: npt.NDArray[np.float64]


def _confirmed(ids: Ints, pairs: Numbers, fetch: Fetch, threshold: float) -> _Near:
    """Compare the candidate pairs by their texts, a number of whole components at a time."""
    nodes, ends = np.unique(np.concatenate(unpacked(pairs)), return_inverse=True)
    left, right = np.split(ends, 2)
    component = components(len(nodes), left, right)
    sizes = np.bincount(component, minlength=1)
    block = (np.cumsum(sizes) // _SONGS_AT_ONCE)[component]
    parts = []
    for number in distinct(block):
        mine = np.flatnonzero(block[left] == number)
        songs = ids[nodes[block == number]]
        sets = ShingleSets(fetch(songs))
        parts.append(_clusters(ids[nodes[left[mine]]], ids[nodes[right[mine]]], sets, threshold))
    if not parts:
        return _Near(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    joined = [np.concatenate(column) for column in zip(*((p.ids, p.firsts, p.jaccard) for p in parts), strict=True)]
    order = np.argsort(joined[0])
    return _Near(joined[0][order], joined[1][order], joined[2][order])


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


def near_copies(work: Path, *, ignore: bool = False) -> pl.DataFrame:
    """Return the clusters of copies and near-copies among the clean songs (see `find_clusters`); none with ``ignore``."""
    if ignore:
        return find_clusters(None, texts_of(work))
    with progress.task("near-copies", "stages") as advance:
        return find_clusters(
            pl.scan_parquet(sorted((work / "signatures").glob("*.parquet")), glob=False),
            texts_of(work),
            advance=advance,
        )


def texts_of(work: Path) -> Fetch:
    """Return what reads the lyrics of clean songs."""
    shards = sorted((work / "clean").glob("*.parquet"))

    def fetch(ids: Ints) -> Iterator[tuple[Ints, pl.Series]]:
        for shard in shards:
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
