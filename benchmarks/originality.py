"""Cost of the phrase index (build, size and look-up) on a table of invented songs.

    python benchmarks/originality.py [--rows 100000] [--texts 200] [--json]

It prints CPU seconds (set POLARS_MAX_THREADS=1 and OMP_NUM_THREADS=1 for those of one thread) and the additional peak memory
of the process. Half of the texts are songs of the table (all their words are found), half are songs of another seed (few
are). A line has ten words.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lyrist import progress
from lyrist.evaluation.originality import COLUMNS, Index
from songtables import generate


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    progress.quiet()
    with tempfile.TemporaryDirectory() as folder:
        found = benchmark(Path(folder), given.rows, given.texts)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name:<28} {value:>16,.6g}")


def benchmark(folder: Path, rows: int, texts: int) -> dict[str, float]:
    """Return the figures for ``rows`` songs and ``texts`` questions."""
    table, other = folder / "songs.parquet", folder / "others.parquet"
    generate(rows, str(table), 0)
    generate(max(texts, 100), str(other), 1)
    before = _memory()
    index, build = timed(lambda: Index.build(frames(table), folder / "index"))
    asked = [next(frames(path))["lyrics"].head(texts // 2).to_list() for path in (table, other)]
    words = index.info["words"]
    whole = [*asked[0], *asked[1]]
    lines = [" ".join(text.split()[:10]) for text in whole]
    return {
        "songs": rows,
        "words": words,
        "build_cpu_seconds": build,
        "songs_a_cpu_second": rows / build,
        "peak_memory_mb": (_memory() - before) / 1e6,
        "disk_bytes_a_word": sum(file.stat().st_size for file in index.folder.iterdir()) / words,
        "ms_a_text_one_by_one": 1e3 / len(whole) * timed(lambda: [index.copied(text) for text in whole])[1],
        "ms_a_text_together": 1e3 / len(whole) * timed(lambda: index.copied_all(whole))[1],
        "ms_a_line_one_by_one": 1e3 / len(whole) * timed(lambda: [index.extends_all([line]) for line in lines])[1],
        "ms_a_line_together": 1e3 / len(whole) * timed(lambda: index.extends_all(lines))[1],
    }


def frames(table: Path) -> Iterator[pl.DataFrame]:
    """Yield the songs of a generated table as `Corpus.batches` does."""
    with pq.ParquetFile(table) as opened:
        for batch in opened.iter_batches(batch_size=8192, columns=list(COLUMNS)):
            frame = pl.DataFrame(pa.Table.from_batches([batch]))
            yield frame.with_columns(pl.col("lyrics").fill_null(""))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work gives and its CPU seconds."""
    started = time.process_time()
    return work(), time.process_time() - started


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
