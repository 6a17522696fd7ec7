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
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.arrays import Bools, Ints, Numbers, components, distinct, packed, run_starts, unpacked
from lyrist.corpus.duplicates import MEMORY, PLACE, block_of, pairs_from, shingled
from lyrist.corpus.names import title_key
from lyrist.corpus.parallel import Workers
from lyrist.corpus.shingles import save
from lyrist.files import whole

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
_ENTRY_BYTES, _PAIR_BYTES = 48, 32  # that a task holds of each entry of a sketch, or pair
_FEW = 1 << 18  # entries for which one task is enough
_PAIRS = 16_384  # pairs whose texts are compared in one task
_EVERY, _SPARSEST = 25_000, 8


def scale_of(rows: int) -> int:
    """Return how many five-word sequences there are to one of the sketch: 1 for small tables, at most 8."""
    return min(1 << max(0, -(-rows // _EVERY) - 1).bit_length(), _SPARSEST)


def find_contained(work: Path, clusters: pl.DataFrame, workers: Workers, memory: int = MEMORY) -> pl.DataFrame:
    """Return the pairs of songs of which one is contained in the other.

    Parameters
    ----------
    work
        In shards of the same names: ``clean/*.parquet`` (``id``, in order, and ``lyrics``) and ``sketches/*.u64`` (`sketched`).
    clusters
        ``id``, ``cluster`` and ``kind`` of the songs that have near-copies, as `find_clusters` returns them.
    workers
        What does the tasks.
    memory
        Bytes that a task may hold, about; more songs make more tasks.

    Returns
    -------
    DataFrame of `PAIR_SCHEMA`, sorted
        ``id`` is contained in ``within``; ``shared`` is the number of three-word sequences in both, ``containment`` their
        share of those of ``id``. Exact copies are not compared, songs of one cluster are no pairs.
    """
    files = sorted((work / "sketches").glob("*.u64"))
    own = [
        pl.read_parquet(work / "clean" / f"{file.stem}.parquet", columns=["id"], glob=False)["id"].to_numpy()
        for file in files
    ]
    ids = np.concatenate([np.empty(0, np.int64), *own])
    node = np.arange(len(ids))
    node[np.searchsorted(ids, clusters["id"].to_numpy())] = np.searchsorted(ids, clusters["cluster"].to_numpy())
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        np.save(folder / "node.npy", node)
        starts = np.cumsum([0, *map(len, own)]).tolist()
        entries = sum(file.stat().st_size // 8 for file in files)
        bits = max(3 if entries > _FEW else 0, (entries * _ENTRY_BYTES // memory).bit_length())
        given = {"work": str(work), "folder": name, "bits": bits, "starts": starts}
        sizes, pairs = np.zeros(len(ids), np.int64), 0
        with progress.task("contained versions", "ranges of hashes") as advance:
            for done, counts in enumerate(workers.map(share_entries, list(range(1 << bits)), given), 1):
                sizes += np.load(folder / counts["sizes"], mmap_mode="r")
                pairs += counts["pairs"]
                advance(done, 1 << bits)
        least = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(least, node, sizes)
        np.save(folder / "least.npy", least)
        ranges = max(-(-pairs * _PAIR_BYTES // memory), min(8, pairs >> 18), 1)
        cuts = [len(ids) * number // ranges for number in range(ranges + 1)]
        candidates = [np.load(folder / counts["file"]) for counts in workers.map(often, list(pairwise(cuts)), given)]
        candidates.sort(key=lambda part: tuple(part[:, 0]) if part.size else ())
        joined = np.concatenate([np.empty((2, 0), np.int64), *candidates], axis=1)
        exact = clusters.filter(pl.col("kind") == "exact")["id"].to_numpy()
        different = np.ones(len(ids), bool)
        different[np.searchsorted(ids, exact)] = False
        return _confirmed(ids, *_between_members(joined, node, sizes, different), work, folder, workers)


def share_entries(part: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Write every pair of clusters that share an entry in a range of hashes, once for each entry; a task of `Workers`.

    Parameters
    ----------
    part
        The number of the range: the first bits of the hashes.
    settings
        ``work``, ``folder`` (for what is written), ``bits`` (how many) and ``starts`` (of each shard: the songs before it).
    """
    folder, bits = Path(settings["folder"]), settings["bits"]
    node = np.load(folder / "node.npy", mmap_mode="r")
    low = max(len(node).bit_length(), 1)
    limits = np.array([part << (64 - bits), ((part + 1) << (64 - bits)) - 1], np.uint64)
    sizes = np.zeros(len(node), np.uint16)
    found = [np.empty(0, np.uint64)]
    for start, stop, file in zip(
        settings["starts"],
        settings["starts"][1:],
        sorted(Path(settings["work"], "sketches").glob("*.u64")),
        strict=False,
    ):
        sketch = np.memmap(file, np.uint64, "r") if file.stat().st_size else np.empty(0, np.uint64)
        first, end = np.searchsorted(sketch, limits)  # no entry is the last number: its hash would be all ones
        entries = np.asarray(sketch[first : len(sketch) if part == (1 << bits) - 1 else end])
        text = (entries & PLACE).astype(np.int64)
        sizes[start:stop] = np.bincount(text, minlength=stop - start)
        hashed = (entries & ~PLACE) << np.uint64(bits)
        found.append((hashed >> np.uint64(low) << np.uint64(low)) | node[start + text].astype(np.uint64))
    pairs = np.sort(_pairs(distinct(np.concatenate(found)), low))
    whole(folder / f"shared-{part}.npy", partial(save, pairs))
    whole(folder / f"sizes-{part}.npy", partial(save, sizes))
    return {"pairs": len(pairs), "sizes": f"sizes-{part}.npy"}


def often(task: list[int], settings: dict[str, Any]) -> dict[str, Any]:
    """Write the pairs of clusters that share enough entries for the sizes of their sketches; a task of `Workers`.

    Parameters
    ----------
    task
        The first of the smaller clusters, and the one after the last.
    settings
        ``folder`` (of what `share_entries` wrote).
    """
    folder = Path(settings["folder"])
    least = np.load(folder / "least.npy", mmap_mode="r")
    pairs = np.sort(pairs_from(folder.glob("shared-*.npy"), task))
    starts = run_starts(pairs)
    count = np.diff(np.append(starts, len(pairs)))
    left, right = unpacked(pairs[starts])
    enough = (count >= _LEAST) & (count >= _SHARE * np.minimum(least[left], least[right]))
    place = folder / f"often-{task[0]}.npy"
    whole(place, partial(save, np.stack([left[enough], right[enough]])))
    return {"file": place.name}


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


def _confirmed(ids: Ints, left: Ints, right: Ints, work: Path, folder: Path, workers: Workers) -> pl.DataFrame:
    """Compare pairs of songs by their texts, some pairs at a time; return those of which one contains the other."""
    shingled(work, folder, workers, ids[distinct(np.concatenate([left, right]))])
    blocks = range(0, len(left), _PAIRS)
    for start in blocks:
        mine = slice(start, start + _PAIRS)
        np.save(folder / f"block-{start}.npy", np.stack([ids[left[mine]], ids[right[mine]]]))
    found = [PAIR_SCHEMA.to_frame()]
    with progress.task("contained versions", "pairs") as advance:
        for done in workers.map(compare, list(blocks), {"folder": str(folder)}):
            found.append(pl.read_parquet(folder / done["file"], glob=False))
            advance(min(len(found) * _PAIRS, len(left)), len(left))
    return pl.concat(found).sort("id", "within")


def compare(block: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Write which of some pairs of songs contain each other; a task of `Workers`.

    Parameters
    ----------
    block
        The number of the file of pairs.
    settings
        ``folder`` (of pairs and shingles).
    """
    folder = Path(settings["folder"])
    one, other, sets = block_of(folder, block)
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
    pairs = pairs.filter(pl.col("shared") >= SHARED, pl.col("containment") >= THRESHOLD)
    place = folder / f"contained-{block}.parquet"
    whole(place, pairs.write_parquet)
    return {"file": place.name}


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


def contained_pairs(work: Path, clusters: pl.DataFrame, workers: Workers, memory: int = MEMORY) -> pl.DataFrame:
    """Return the pairs among the clean songs of which one contains the other, with titles and artists; see `find_contained`."""
    keys = pl.scan_parquet(sorted((work / "keys").glob("*.parquet")), glob=False).select("id", "title", "artist")
    pairs = find_contained(work, clusters, workers, memory)
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
