"""``python benchmarks/generate.py ROWS PATH``: write a large test table."""

from __future__ import annotations

import argparse
import sys

from lyrist.errors import LyristError
from songtables.generating import generate


def main() -> int:
    """Write the table that the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/generate.py", description="Write a large table of invented songs."
    )
    parser.add_argument("rows", type=int)
    parser.add_argument("path", help="ends in .csv, .jsonl (also .gz, .zst) or .parquet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=("genius", "songdata"), default="genius")
    given = parser.parse_args()
    try:
        truth = generate(given.rows, given.path, given.seed, layout=given.layout)
    except LyristError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    told = ", ".join(f"{count:,} {kind}" for kind, count in truth.planted.items())
    sys.stdout.write(
        f"{truth.path}: {truth.rows:,} rows, among them {told or 'nothing planted'}. The truth: {truth.file}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
