"""Contained versions in a generated table: how many are found, how many are false, and what the search costs.

    python benchmarks/containment.py --rows 20000 100000 300000 [--folder FOLDER] [--results FILE.json]

Excerpts, extended versions and medleys are planted. Each table is prepared with and without the search for contained
versions, in a process of its own on one worker, as often as ``--runs`` says, in turns; the cost is the median of the
differences in CPU-seconds. Recall is by the containment that the generator measured; a pair is false if the generator
made neither song of the other, directly or through further copies. Planted pairs that share fewer sequences than a
contained song has to are left out.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus.arrays import components
from lyrist.corpus.containment import SHARED
from lyrist.corpus.corpus import Corpus
from lyrist.files import write_json
from measuring import measure
from songtables import generate
from songtables.generating import truth_path
from songtables.planting import CONTAINED

PLANTED = {"excerpt": 0.015, "extended": 0.015, "medley": 0.003}
BANDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


def measured(rows: int, folder: Path, runs: int, seed: int) -> dict[str, Any]:
    """Generate a table, prepare it with and without contained versions, and return all figures."""
    table = folder / f"contained-{rows}-{seed}.csv"
    if not table.exists():
        generate(rows, table, seed=seed, planted=PLANTED)
    cpu: dict[str, list[float]] = {"group": [], "keep": []}
    peak = dict.fromkeys(cpu, 0)
    for turn in range(runs):
        for mode in sorted(cpu, reverse=bool(turn % 2)):
            corpus = folder / f"corpus-{mode}"
            shutil.rmtree(corpus, ignore_errors=True)
            command = [sys.executable, "-m", "lyrist", "prepare", str(table), "--out", str(corpus), "--quiet"]
            run = measure([*command, "--contained", mode, "--workers", "1"])
            cpu[mode].append(1e6 * run.cpu / rows)
            peak[mode] = max(peak[mode], run.peak)
    added = statistics.median(group - keep for group, keep in zip(cpu["group"], cpu["keep"], strict=True))
    found = check(Corpus.open(folder / "corpus-group"), pl.read_parquet(truth_path(table)))
    return {"rows": rows, "cpu": cpu, "added": added, "peak": peak, **found}


def check(corpus: Corpus, truth: pl.DataFrame) -> dict[str, Any]:
    """Return recall by containment, false pairs, and the planted pairs that are in two splits."""
    rows = int(corpus.ledger.read) + 1
    links = truth.filter(pl.col("of").is_not_null())
    medleys = links.filter(pl.col("kind") == "medley")
    parts = medleys.select("row", of=pl.col("detail").str.extract_all(r"\d+").list.eval(pl.element().cast(pl.Int64)))
    parts = parts.explode("of")
    every = pl.concat([links.filter(pl.col("kind") != "medley").select("row", "of"), parts])
    kin = components(rows, every["row"].to_numpy(), every["of"].to_numpy())
    near = np.arange(rows)
    copies = corpus.duplicates
    near[copies["id"].to_numpy() + 1] = copies["cluster"].to_numpy() + 1
    pairs = corpus.contained
    one, other = pairs["id"].to_numpy() + 1, pairs["within"].to_numpy() + 1
    known = {tuple(sorted(pair)) for pair in zip(near[one].tolist(), near[other].tolist(), strict=True)}
    planted = links.filter(pl.col("kind").is_in(CONTAINED[:2]))
    planted = pl.concat([planted.select("row", "of", "containment", "shared"), _medley_parts(medleys, parts)])
    planted = planted.filter(pl.col("shared") >= SHARED)
    gone = _without_text(corpus)
    planted = planted.filter(~pl.col("row").is_in(gone) & ~pl.col("of").is_in(gone))
    ends = near[planted["row"].to_numpy()], near[planted["of"].to_numpy()]
    hit = [a == b or tuple(sorted((a, b))) in known for a, b in zip(*(end.tolist() for end in ends), strict=True)]
    planted = planted.with_columns(hit=pl.Series(hit))
    recall = {}
    for least, most in itertools.pairwise(BANDS):
        band = planted.filter(pl.col("containment") >= least, pl.col("containment") < most)
        recall[f"{least}"] = {"n": len(band), "found": float(band["hit"].cast(pl.Float64).mean() or 0)}  # type: ignore[arg-type]
    high = planted.filter(pl.col("containment") >= 0.8)
    return {
        "recall": recall,
        "recall_at_0.8": {"n": len(high), "found": float(high["hit"].cast(pl.Float64).mean() or 0)},  # type: ignore[arg-type]
        "pairs": len(pairs),
        "false": int((kin[one] != kin[other]).sum()),
        "medleys": {"n": len(medleys), "dropped": _dropped(corpus, medleys)},
        "across_splits": corpus.info["counts"]["contained"]["across_splits"],
    }


def _medley_parts(medleys: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of medleys; the least containment of their parts is that of all."""
    least = medleys.select("row", "containment", "shared")
    return parts.join(least, on="row").select("row", "of", "containment", "shared")


def _dropped(corpus: Corpus, medleys: pl.DataFrame) -> int:
    """Return how many medleys were dropped, as medleys or as near-copies of the song that most of their lines are from."""
    return int(medleys["row"].is_in(corpus.dropped()["row"].implode()).sum())


def _without_text(corpus: Corpus) -> list[int]:
    """Return the rows that were dropped before texts were compared."""
    kept = ("exact-duplicate", "near-duplicate", "medley", "contained", "balance")
    rows = corpus.dropped().filter(~pl.col("reason").is_in(kept))["row"]
    return [int(row) for row in rows]


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    sizes = [f"{one['rows']:,}" for one in found]
    lines = [["rows", *sizes]]
    for band in found[0]["recall"]:
        lines.append([f"recall at containment {band} and more", *(_share(one["recall"][band]) for one in found)])
    lines.append(["recall at 0.8 and more", *(_share(one["recall_at_0.8"]) for one in found)])
    lines.append(["false pairs", *(f"{one['false']:,} of {one['pairs']:,}" for one in found)])
    lines.append(["medleys dropped", *(f"{one['medleys']['dropped']:,} of {one['medleys']['n']:,}" for one in found)])
    lines.append(["pairs across splits", *(f"{one['across_splits']:,}" for one in found)])
    lines.append(["CPU-microseconds a song, added", *(f"{one['added']:.0f}" for one in found)])
    for mode, name in (("keep", "without the search"), ("group", "with it")):
        lines.append(
            [f"CPU-microseconds a song {name}", *(f"{statistics.median(one['cpu'][mode]):.0f}" for one in found)]
        )
        lines.append([f"peak memory {name}", *(f"{one['peak'][mode] / 1e6:,.0f} MB" for one in found)])
    head, *rest = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, "|---|" + "---:|" * len(found), *rest])


def _share(found: dict[str, Any]) -> str:
    return f"{found['found']:.2%} of {found['n']:,}" if found["n"] else "-"


def main() -> None:
    """Measure, and print or write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("scale"), help="where tables and corpora are put")
    parser.add_argument("--results", type=Path, help="JSON file for the figures")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = [measured(rows, given.folder, given.runs, given.seed) for rows in given.rows]
    sys.stdout.write(table(found) + "\n")
    if given.results:
        write_json(given.results, found)


if __name__ == "__main__":
    main()
