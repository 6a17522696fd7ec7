"""What the names of tables end with."""

from __future__ import annotations

TABLES = (".csv", ".tsv", ".tab", ".psv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
PACKED = ("", ".gz", ".zst", ".bz2", ".xz")


def is_table(name: str) -> bool:
    """Return whether a file name ends as those of tables do."""
    return name.casefold().endswith(tuple(ending + packed for ending in TABLES for packed in PACKED))
