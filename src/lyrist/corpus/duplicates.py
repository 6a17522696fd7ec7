"""Copies and near-copies of songs: exact copies by a hash, near-copies by MinHash, each pair confirmed by its text.

The text is read at most twice: once for the signatures, shard by shard, and again for the songs that some signature pairs.
A band holds four MinHash values of 16 bits, not a hash of them, so that the bands also estimate the Jaccard similarity to
+-0.05. That rules out most false candidates before any text is read, and allows many short bands: of pairs at similarity
0.6, 16 bands of 8 find 24%, 32 bands of 4 find 99%.

The exact share of two songs is computed on sorted 30-bit hashes of word triples in one flat array; scripts without spaces
between words are split by character. Two different triples collide about once in 25,000 pairs.

MinHash and banding: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and Ullman,
*Mining of Massive Datasets*, chapter 3. Truncated values: Li and König, "b-Bit Minwise Hashing" (2010).
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
from lyrist.corpus.arrays import Ints, components, distinct, run_starts
from lyrist.progress import Advance
from lyrist.text import KEY_PATTERN

WIDTH = 3
"""Words in a shingle."""

_BITS = 30
_TEXTS_AT_ONCE = 2_048  # some 50 MB while they are hashed
_PAIRS_AT_ONCE = 16_384
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)

# `text.KEY_PATTERN` with a space, written so that the single spaces between words are no matches: half the time.
_NOT_KEY = r"[^\p{L}\p{N} ][^\p{L}\p{N}]*| [^\p{L}\p{N}]+"
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""A character of a script that puts no space between words; a regular expression of Rust's `regex` syntax."""


def normalised(lyrics: pl.Series) -> pl.Series:
    """Return the texts in lower case with every run of other than letters and digits as one space; null is empty.

    The same as `lyrist.text.key`, on a column.
    """
    return lyrics.fill_null("").str.to_lowercase().str.replace_all(_NOT_KEY, " ").str.strip_chars(" ")


def spaced(normal: pl.Series) -> pl.Series:
    """Return normalised texts with a space after each character of a script that puts none between words."""
    return normal.str.replace_all(f"({UNSPACED}) ?", "$1 ").str.strip_chars_end(" ")


def shingle_hashes(lyrics: pl.Series) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return the shingle sets of the texts.

    Returns
    -------
    counts
        (n,) size of each set, at least 1: a text of fewer than three words is one shingle.
    hashes
        The sets one after the other, each sorted, without repeats; values in [0, 2**30).
    """
    words = spaced(normalised(lyrics)).str.split(" ")
    lengths = words.list.len().to_numpy().astype(np.int64)
    hashed = words.explode().hash().to_numpy()
    song = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(hashed)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    mixed = hashed * _MIX[0]
    for step in range(1, WIDTH):
        inside = place[:-step] + step < lengths[song[:-step]]
        mixed[:-step] += np.where(inside, hashed[step:], 0) * _MIX[step]
    starts = place < np.maximum(lengths - WIDTH + 1, 1)[song]
    found = distinct((song[starts] << _BITS) | (mixed[starts] >> np.uint64(64 - _BITS)).astype(np.int64))
    return np.bincount(found >> _BITS, minlength=len(lengths)), (found & ((1 << _BITS) - 1)).astype(np.int32)


class ShingleSets:
    """The shingle sets of many songs, to be compared pair by pair.

    Parameters
    ----------
    lyrics
        Chunks of song ids, (n,) int64, and their texts, in any order, each id once.
    """

    def __init__(self, lyrics: Iterator[tuple[Ints, pl.Series]]) -> None:
        from scipy.sparse import csr_array  # here, as in `arrays`

        ids, counts, hashes = bytearray(), bytearray(), bytearray()  # they grow in place, a list of arrays is copied
        for chunk_ids, chunk in lyrics:
            ids += np.asarray(chunk_ids, dtype=np.int64).tobytes()
            for part in chunk.to_frame().iter_slices(_TEXTS_AT_ONCE):
                part_counts, part_hashes = shingle_hashes(part.to_series())
                counts += part_counts.tobytes()
                hashes += part_hashes.tobytes()
        self._ids = np.frombuffer(ids, np.int64)
        self._order = np.argsort(self._ids)
        self._counts = np.frombuffer(counts, np.int64)
        columns = np.frombuffer(hashes, np.int32)
        ends = np.append(0, np.cumsum(self._counts))
        ends = ends.astype(np.int32 if ends[-1] < 1 << 31 else np.int64)  # else SciPy widens the columns too
        self._sets = csr_array((np.ones(len(columns), np.bool_), columns, ends), shape=(len(self._ids), 1 << _BITS))
        self._sets.has_canonical_format = True  # sorted and without repeats, as `shingle_hashes` gives them

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Return, for each pair of ids, the size of the intersection of their sets over that of the union.

        Raises
        ------
        KeyError
            No text came for one of the ids.
        """
        a, b = self._rows(left), self._rows(right)
        common = np.empty(len(a), np.int64)
        for start in range(0, len(a), _PAIRS_AT_ONCE):
            block = slice(start, start + _PAIRS_AT_ONCE)
            common[block] = np.diff(self._sets[a[block]].multiply(self._sets[b[block]]).tocsr().indptr)
        return np.asarray(common / (self._counts[a] + self._counts[b] - common))

    def _rows(self, ids: Ints) -> Ints:
        if not len(self._ids):
            rows, known = ids, np.zeros(len(ids), np.bool_)
        else:
            place = np.searchsorted(self._ids, ids, sorter=self._order)
            rows = self._order[np.minimum(place, len(self._order) - 1)]
            known = self._ids[rows] == ids
        if not known.all():
            raise KeyError(f"no lyrics came for {np.count_nonzero(~known)} songs, one of them with id {ids[~known][0]}")
        return rows


THRESHOLD = 0.5
"""Two songs are near-copies when they share at least this much of all their three-word sequences (Jaccard).

In 7,000 songs of two real tables every pair above 0.5 was one song (covers, versions, a text inside another); between
0.35 and 0.5 there are covers still, but also different songs that share verses. Unrelated songs lie below 0.05.
"""

HASHES = 128
BANDS = 32
_LANES = HASHES // BANDS
BAND_NAMES = tuple(f"band_{band:02}" for band in range(BANDS))
SIGNATURE_SCHEMA = pl.Schema({"key": pl.UInt64, **dict.fromkeys(BAND_NAMES, pl.UInt64)})
FOUND_SCHEMA = pl.Schema({"id": pl.Int64, "cluster": pl.Int64, "kind": pl.String, "jaccard": pl.Float64})

_SEED = 1
_MARGIN = 0.15  # the sketch's standard error at 0.5 is 0.044: a pair at the threshold is ruled out once in 3,000
_SMALL = 16  # in buckets up to this size all pairs are candidates
_ANCHORS = 2  # in larger ones each song with the first few, and with the one before it
_SONGS_AT_ONCE = 262_144  # texts whose shingles are held at one time: about 250 MB

Numbers = npt.NDArray[np.uint64]
Fetch = Callable[[Ints], Iterator[tuple[Ints, pl.Series]]]
"""``fetch(ids)`` streams the lyrics of these songs (sorted ids) as chunks of ids and texts, in any order."""


def signatures(lyrics: pl.Series) -> pl.DataFrame:
    """Return what tells copies and near-copies of these texts, in the same order.

    Returns
    -------
    DataFrame of `SIGNATURE_SCHEMA`
        ``key``: BLAKE2b of the normalised text, cut to 64 bits: equal for texts that differ in case, punctuation and
        layout only; the same on every machine and version. ``band_00`` ...: MinHash values of the word 3-shingles,
        16 bits of four in each; the same for one version of Daft.
    """
    import daft  # here: the import takes a second, and other uses of this module need no signatures

    normal = normalised(lyrics)
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in normal.to_list())
    shingled = daft.Series.from_arrow(spaced(normal).to_arrow())
    hashed = shingled.minhash(num_hashes=HASHES, ngram_size=WIDTH, seed=_SEED, hash_function="xxhash").to_arrow()
    lanes = hashed.flatten().to_numpy().astype("<u2")
    bands = lanes.view("<u8").reshape(-1, BANDS)
    columns = {name: np.ascontiguousarray(bands[:, band]) for band, name in enumerate(BAND_NAMES)}
    return pl.DataFrame({"key": np.frombuffer(digests, "<u8"), **columns}, schema=SIGNATURE_SCHEMA)


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
        Told how many of the stages are done.

    Returns
    -------
    DataFrame of `FOUND_SCHEMA`, by id
        ``cluster`` is the smallest id of the cluster. ``kind``: ``first`` for the song with that id; ``exact`` where a
        song with a smaller id has the same text but for case, punctuation and layout; ``near`` otherwise.
        ``jaccard`` is the similarity to the first, which may lie below the threshold where a third song links them.
    """
    if table is None:
        return FOUND_SCHEMA.to_frame()
    tell = advance or (lambda done, total: None)
    scan = _Scan(table)
    copies, originals = _exact_copies(scan.ids, scan.column("key"))
    tell(1, 2 * BANDS + 2)
    pairs = _candidates(scan, np.isin(scan.ids, copies, invert=True), lambda done: tell(1 + done, 2 * BANDS + 2))
    pairs = _plausible(scan, pairs, threshold - _MARGIN, lambda done: tell(1 + BANDS + done, 2 * BANDS + 2))
    near = _confirmed(scan.ids, pairs, fetch, threshold)
    tell(2 * BANDS + 2, 2 * BANDS + 2)
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


def _candidates(scan: _Scan, alone: npt.NDArray[np.bool_], tell: Callable[[int], None]) -> Numbers:
    """Return the pairs of positions (left < right, in the halves of 64 bits) that share a band, each once, sorted."""
    positions = np.flatnonzero(alone)
    pairs = np.empty(0, np.uint64)
    for done, name in enumerate(BAND_NAMES, start=1):
        left, right = _bucket_pairs(scan.column(name)[positions])
        pairs = distinct(np.append(pairs, _packed(positions[left], positions[right])))
        tell(done)
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


def _packed(left: Ints, right: Ints) -> Numbers:
    return (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)


def _unpacked(pairs: Numbers) -> tuple[Ints, Ints]:
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _plausible(scan: _Scan, pairs: Numbers, least: float, tell: Callable[[int], None]) -> Numbers:
    """Return the pairs whose MinHash values agree in at least the share ``least``."""
    agreeing = np.zeros(len(pairs), np.uint8)
    for done, name in enumerate(BAND_NAMES, start=1):
        values = scan.column(name) if len(pairs) else np.empty(0, np.uint64)
        for block in range(0, len(pairs), 1 << 20):
            left, right = _unpacked(pairs[block : block + (1 << 20)])
            lanes = (values[left] ^ values[right]).view(np.uint16).reshape(-1, _LANES)
            agreeing[block : block + (1 << 20)] += np.count_nonzero(lanes == 0, axis=1).astype(np.uint8)
        tell(done)
    return pairs[agreeing >= least * HASHES]


@dataclass(frozen=True)
class _Near:
    """Songs in clusters of near-copies: their ids, sorted, the first of each cluster and the similarity to it."""

    ids: Ints
    firsts: Ints
    jaccard: npt.NDArray[np.float64]


def _confirmed(ids: Ints, pairs: Numbers, fetch: Fetch, threshold: float) -> _Near:
    """Compare the candidate pairs by their texts, a number of whole components at a time."""
    nodes, ends = np.unique(np.concatenate(_unpacked(pairs)), return_inverse=True)
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


def artist_key(column: str = "artist") -> pl.Expr:
    """Return the expression for an artist's name without case, punctuation and layout; null where there is none.

    A name of symbols alone is kept as it is.
    """
    name = pl.col(column).str.to_lowercase().str.strip_chars()
    plain = name.str.replace_all(KEY_PATTERN, " ").str.strip_chars(" ")
    return pl.when(plain != "").then(plain).when(name != "").then(name).otherwise(None)


def covers(found: pl.DataFrame) -> pl.DataFrame:
    """Tell the clusters that hold covers from those that hold copies under one artist.

    Parameters
    ----------
    found
        ``id``, ``cluster`` and ``artist`` (as in the table; null where it is missing) of the songs in clusters.

    Returns
    -------
    DataFrame, by cluster
        ``cluster``, ``songs``, ``artists`` (different names, missing ones not counted) and ``cover`` (bool): whether
        the song stands under two artists or more.
    """
    return (
        found.with_columns(artist=artist_key())
        .group_by("cluster")
        .agg(songs=pl.len(), artists=pl.col("artist").drop_nulls().n_unique())
        .with_columns(cover=pl.col("artists") > 1)
        .sort("cluster")
    )


def near_copies(work: Path, *, ignore: bool = False) -> pl.DataFrame:
    """Return the clusters of copies and near-copies among the clean songs (see `find_clusters`); none with ``ignore``."""
    shards = sorted((work / "clean").glob("*.parquet"))

    def fetch(ids: Ints) -> Iterator[tuple[Ints, pl.Series]]:
        for shard in shards:
            texts = pl.scan_parquet(shard).select("id", "lyrics")
            texts = texts.filter(pl.col("id").is_in(pl.Series(ids).implode()))
            found = texts.collect()
            yield found["id"].to_numpy(), found["lyrics"]

    if ignore:
        return find_clusters(None, fetch)
    with progress.task("near-copies", "stages") as advance:
        return find_clusters(pl.scan_parquet(work / "signatures" / "*.parquet"), fetch, advance=advance)


def with_names(work: Path, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the clusters with the titles and artists of their songs, by id."""
    keys = pl.scan_parquet(work / "keys" / "*.parquet").select("id", "title", "artist")
    known = keys.filter(pl.col("id").is_in(clusters["id"].implode())).collect()
    return clusters.join(known, on="id", how="left", maintain_order="left")


def copy_details(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return why a song is a copy in words: ``id`` and ``detail`` of every song of `with_names` but the first of a cluster."""
    shown = pl.format("{} - {}", pl.col("artist").fill_null("?"), pl.col("title").fill_null("?"))
    first = clusters.select(cluster="id", first=shown)
    copies = clusters.filter(pl.col("cluster") != pl.col("id")).join(first, on="cluster", how="left")
    told = pl.format("of id {} ({}), Jaccard {}", "cluster", "first", pl.col("jaccard").round(2))
    return copies.select("id", detail=told).sort("id")
