"""Contained versions: a song whose text is, for at least half, inside another (remix, live, radio edit, snippet, medley).

Jaccard similarity does not see them: a minute of a song of ten minutes shares a tenth of all word sequences with it.
So candidates come from a sketch of five-word sequences (FracMinHash: those whose hash is small), which two songs share
in proportion to what they have in common, whatever their lengths. A sequence that occurs in more than `COMMON` clusters
of near-copies is a stop word; songs are counted by cluster, so that a song with fifty versions is not one. Candidates
are confirmed on their texts, on three-word sequences.

All steps work on sorted arrays of 64-bit numbers, a range of hashes and then a range of pairs at a time, so that memory
stays bounded, and the result does not depend on shards or workers.

FracMinHash: Brown and Irber, "sourmash" (2016); Hera, Pierce-Ward and Koslicki, "Deriving confidence intervals for
mutation rates across a wide range of evolutionary distances using FracMinHash" (2023).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.arrays import Bools, Ints, Numbers, components, distinct, packed, run_starts, unpacked
from lyrist.corpus.duplicates import PLACE, Fetch, texts_of
from lyrist.corpus.names import title_key
from lyrist.corpus.shingles import ShingleSets

THRESHOLD = 0.5
"""A song is contained when at least this share of its three-word sequences is in the other song."""

SHARED = 20
"""... and at least so many: of two short texts, half is soon shared by chance."""

COMMON = 40
"""A five-word sequence in more clusters than this is a stop word."""

PARTS = 3
"""A medley contains at least so many songs that have nothing to do with each other."""

PAIR_SCHEMA = pl.Schema(
    {"id": pl.Int64, "within": pl.Int64, "shared": pl.Int64, "containment": pl.Float64, "jaccard": pl.Float64}
)

_LEAST = 2  # sketch entries that two candidates share ...
_SHARE = 0.125  # ... and their share of the smaller sketch: edits break more sequences of five words than of three
_MEMBERS = 8  # songs of a cluster of near-copies that are compared, evenly spread over its lengths
_ENTRIES = 4 << 20  # of sketches, and of pairs, in memory at one time: about 200 MB
_PAIRS = 131_072  # pairs whose texts are in memory at one time
_EVERY, _SPARSEST = 25_000, 8


def scale_of(rows: int) -> int:
    """Return how many five-word sequences there are to one of the sketch: 1 for small tables, at most 8."""
    return min(1 << max(0, -(-rows // _EVERY) - 1).bit_length(), _SPARSEST)


def find_contained(sketches: Sequence[tuple[Ints, Path]], clusters: pl.DataFrame, fetch: Fetch) -> pl.DataFrame:
    """Return the pairs of songs of which one is contained in the other.

    Parameters
    ----------
    sketches
        For each shard, the ids of its songs in the order of their places, and the file of its sketch (`sketched`).
    clusters
        ``id``, ``cluster`` and ``kind`` of the songs that have near-copies, as `find_clusters` returns them.
    fetch
        Gives the lyrics of the songs that have to be compared.

    Returns
    -------
    DataFrame of `PAIR_SCHEMA`, sorted
        ``id`` is contained in ``within``; ``shared`` is the number of three-word sequences in both, ``containment`` their
        share of those of ``id``. Exact copies are not compared, songs of one cluster are no pairs.
    """
    ids = np.sort(np.concatenate([np.empty(0, np.int64), *(own for own, _ in sketches)]))
    places = [np.searchsorted(ids, own) for own, _ in sketches]
    node = np.arange(len(ids))
    node[np.searchsorted(ids, clusters["id"].to_numpy())] = np.searchsorted(ids, clusters["cluster"].to_numpy())
    with tempfile.TemporaryDirectory(dir=sketches[0][1].parent if sketches else None) as folder:
        spilled = _Pairs(Path(folder), len(ids))
        sizes = _shared_entries(sketches, places, node, spilled)
        least = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(least, node, sizes)
        candidates = [spilled.often(part, least) for part in range(spilled.parts)]
    pairs = np.concatenate([np.empty((2, 0), np.int64), *candidates], axis=1)
    exact = clusters.filter(pl.col("kind") == "exact")["id"].to_numpy()
    different = np.ones(len(ids), bool)
    different[np.searchsorted(ids, exact)] = False
    return _confirmed(ids, *_between_members(pairs, node, sizes, different), fetch)


class _Pairs:
    """Pairs of numbers below ``count``, with repeats, in files by ranges of the smaller one."""

    def __init__(self, folder: Path, count: int) -> None:
        self.parts = max(1, count // (_ENTRIES // 8))
        self.width = -(-count // self.parts) or 1
        self.files = [folder / str(part) for part in range(self.parts)]

    def add(self, pairs: Numbers) -> None:
        """Append packed pairs: the smaller number in the upper half."""
        pairs = np.sort(pairs)
        limits = (np.arange(self.parts + 1) * self.width).astype(np.uint64) << np.uint64(32)
        cuts = np.searchsorted(pairs, limits)
        for file, start, end in zip(self.files, cuts[:-1], cuts[1:], strict=True):
            if end > start:
                with file.open("ab") as handle:
                    pairs[start:end].tofile(handle)

    def often(self, part: int, sizes: Ints) -> Ints:
        """Return the pairs, (2, n), of one range that occur often enough for the sizes of their sketches."""
        if not self.files[part].exists():
            return np.empty((2, 0), np.int64)
        pairs = np.sort(np.fromfile(self.files[part], np.uint64))
        starts = run_starts(pairs)
        shared = np.diff(np.append(starts, len(pairs)))
        left, right = unpacked(pairs[starts])
        enough = (shared >= _LEAST) & (shared >= _SHARE * np.minimum(sizes[left], sizes[right]))
        return np.stack([left[enough], right[enough]])


def _shared_entries(sketches: Sequence[tuple[Ints, Path]], places: Sequence[Ints], node: Ints, spilled: _Pairs) -> Ints:
    """Spill every pair of clusters that share an entry, once for each entry; return the size of each song's sketch."""
    opened = [file for _, file in sketches]
    total = sum(file.stat().st_size // 8 for file in opened)
    bits = max(0, (total // _ENTRIES).bit_length())
    low = max(len(node).bit_length(), 1)
    sizes = np.zeros(len(node), np.int64)
    with progress.task("contained versions", "ranges of hashes") as advance:
        for part in range(1 << bits):
            limits = np.array([part << (64 - bits), ((part + 1) << (64 - bits)) - 1], np.uint64)
            found = []
            for place, file in zip(places, opened, strict=True):
                sketch = np.memmap(file, np.uint64, "r") if file.stat().st_size else np.empty(0, np.uint64)
                start, end = np.searchsorted(sketch, limits)  # no entry is the last number: its hash would be all ones
                entries = np.asarray(sketch[start : len(sketch) if part == (1 << bits) - 1 else end])
                text = (entries & PLACE).astype(np.int64)
                sizes[place] += np.bincount(text, minlength=len(place))
                hashed = (entries & ~PLACE) << np.uint64(bits)
                found.append((hashed >> np.uint64(low) << np.uint64(low)) | node[place[text]].astype(np.uint64))
            spilled.add(_pairs(distinct(np.concatenate([np.empty(0, np.uint64), *found])), low))
            advance(part + 1, 1 << bits)
    return sizes


def _pairs(entries: Numbers, low: int) -> Numbers:
    """Return the packed pairs of clusters in each run of entries of one hash, where these are no more than `COMMON`."""
    starts = run_starts(entries >> np.uint64(low))
    sizes = np.diff(np.append(starts, len(entries)))
    some = (sizes > 1) & (sizes <= COMMON)
    starts, sizes = starts[some], sizes[some]
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    cluster = entries[np.repeat(starts, sizes) + place] & np.uint64((1 << low) - 1)
    found = [np.empty(0, np.uint64)]
    for back in range(1, int(sizes.max(initial=1))):
        later = np.flatnonzero(place >= back)
        found.append(packed(cluster[later - back], cluster[later]))
    return np.concatenate(found)


def _between_members(pairs: Ints, node: Ints, sizes: Ints, different: Bools) -> tuple[Ints, Ints]:
    """Return the pairs of songs to compare for each pair of clusters: those of all their members, or of `_MEMBERS`."""
    wanted = np.zeros(len(node), bool)
    wanted[pairs] = True
    members = np.flatnonzero(wanted[node] & different)
    members = members[np.lexsort((members, sizes[members], node[members]))]
    starts = run_starts(node[members])
    counts = np.diff(np.append(starts, len(members)))
    rank = np.arange(len(members)) - np.repeat(starts, counts)
    count = np.repeat(counts, counts)
    spread = np.maximum((count - 1) / (_MEMBERS - 1), 1)  # the shortest and the longest are among those that stay
    members = members[np.round(np.round(rank / spread) * spread) == rank]
    first = np.searchsorted(node[members], pairs)
    many = np.searchsorted(node[members], pairs, side="right") - first
    product = many[0] * many[1]
    pair = np.repeat(np.arange(len(product)), product)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(product) - product, product)
    left = members[first[0][pair] + place // many[1][pair]]
    right = members[first[1][pair] + place % many[1][pair]]
    return left, right


def _confirmed(ids: Ints, left: Ints, right: Ints, fetch: Fetch) -> pl.DataFrame:
    """Compare pairs of songs by their texts, some pairs at a time; return those of which one contains the other."""
    found = [PAIR_SCHEMA.to_frame()]
    with progress.task("contained versions", "pairs") as advance:
        for start in range(0, len(left), _PAIRS):
            one, other = ids[left[start : start + _PAIRS]], ids[right[start : start + _PAIRS]]
            sets = ShingleSets(fetch(distinct(np.concatenate([one, other]))))
            size, other_size, shared = sets.sizes(one), sets.sizes(other), sets.shared(one, other)
            swap = (size > other_size) | ((size == other_size) & (one < other))  # of two equal ones the first is whole
            columns = {
                "id": np.where(swap, other, one),
                "within": np.where(swap, one, other),
                "shared": shared,
                "containment": shared / np.minimum(size, other_size),
                "jaccard": shared / (size + other_size - shared),
            }
            pairs = pl.DataFrame(columns, schema=PAIR_SCHEMA)
            found.append(pairs.filter(pl.col("shared") >= SHARED, pl.col("containment") >= THRESHOLD))
            advance(min(start + _PAIRS, len(left)), len(left))
    return pl.concat(found).sort("id", "within")


def united(ids: Ints, cluster: Ints, pairs: pl.DataFrame) -> tuple[Ints, Bools]:
    """Join clusters of near-copies of which one contains the other, but not through medleys.

    A medley contains `PARTS` songs or more that are otherwise unconnected and have other titles; joined through medleys,
    songs that have nothing in common would be one cluster.

    Parameters
    ----------
    ids
        Of all songs, sorted.
    cluster
        The id of the first song of each song's cluster of near-copies.
    pairs
        As `find_contained` returns them, with ``title`` and ``within_title`` (null where there is none).

    Returns
    -------
    cluster
        The smallest id of each song's joined cluster.
    medley
        Whether each song is a medley, or a near-copy of one.
    """
    node = np.searchsorted(ids, cluster)
    part, whole = (node[np.searchsorted(ids, pairs[name].to_numpy())] for name in ("id", "within"))
    other_title = (pairs.select(title_key() != title_key("within_title")).to_series()).fill_null(value=True).to_numpy()
    hubs = _containers(whole, part, other_title)
    between = ~np.isin(whole, hubs) & ~np.isin(part, hubs)
    component = components(len(ids), part[between], whole[between])
    medleys = _containers(whole, component[part], other_title & np.isin(whole, hubs))
    medley = np.isin(node, medleys)
    joined = ~medley[whole] & ~medley[part]
    component = components(len(ids), np.append(node, part[joined]), np.append(np.arange(len(ids)), whole[joined]))
    _, first = np.unique(component, return_index=True)  # the ids are sorted, so the first of each is the smallest
    return ids[first[component]], medley


def contained_pairs(work: Path, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs among the clean songs of which one contains the other, with titles and artists; see `find_contained`."""
    keys = pl.scan_parquet(sorted((work / "keys").glob("*.parquet")), glob=False).select("id", "title", "artist")
    sketches = [
        (pl.read_parquet(work / "keys" / f"{file.stem}.parquet", columns=["id"], glob=False)["id"].to_numpy(), file)
        for file in sorted((work / "sketches").glob("*.u64"))
    ]
    pairs = find_contained(sketches, clusters, texts_of(work))
    known = keys.filter(pl.col("id").is_in(pl.concat([pairs["id"], pairs["within"]]).unique().implode())).collect()
    pairs = pairs.join(known, on="id", how="left", maintain_order="left")
    known = known.rename({"id": "within", "title": "within_title", "artist": "within_artist"})
    return pairs.join(known, on="within", how="left", maintain_order="left")


def contained_details(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return ``id`` and ``detail``: of each song, the one that contains it best, or some of those that it contains."""

    def named(prefix: str = "") -> pl.Expr:
        title, artist = (pl.col(f"{prefix}{name}").fill_null("?") for name in ("title", "artist"))
        return pl.format("id {} ({} - {})", pl.col(prefix.rstrip("_") or "id"), artist, title)

    best = pairs.sort("containment", "within", descending=[True, False]).unique("id", keep="first", maintain_order=True)
    inside = best.select(
        "id", detail=pl.format("in {}, containment {}", named("within_"), pl.col("containment").round(2))
    )
    parts = pairs.sort("id").group_by("within", maintain_order=True).agg(pl.len(), named().head(3).str.join(", "))
    names = pl.concat_str([pl.lit("contains "), pl.col("len"), pl.lit(" songs: "), pl.col("id")])
    whole = parts.filter(pl.col("len") >= PARTS).select(id="within", detail=names)
    return pl.concat([whole, inside]).unique("id", keep="first", maintain_order=True)


def _containers(whole: Ints, part: Ints, counted: Bools) -> Ints:
    """Return the numbers that occur in ``whole`` with `PARTS` different ones of ``part`` or more."""
    pairs = distinct(packed(whole[counted], part[counted]))
    found, parts = np.unique(unpacked(pairs)[0], return_counts=True)
    return found[parts >= PARTS]
