"""How many of the songs that are listed as doubtful have a wrong label: measured on planted wrong labels.

The label of a share of the songs, drawn at random, is replaced by another one, drawn evenly. Then songs with a doubtful label
are listed as by ``lyrist explore CORPUS --doubtful COLUMN``. Labels of the table that are wrong by themselves count as right,
so the precision is a lower bound.

    OMP_NUM_THREADS=1 python benchmarks/doubtful.py CORPUS --target genre [--noise 0.05 0.1] [--labels 10]
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus import doubtful
from lyrist.corpus.corpus import Corpus


def planted(songs: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Return the songs with a share of wrong labels, marked in ``wrong``."""
    rng = np.random.default_rng(seed)
    labels = songs["label"].to_numpy().astype(str)
    classes = np.unique(labels)
    wrong = rng.permutation(len(labels))[: round(share * len(labels))]
    place = np.searchsorted(classes, labels)
    place[wrong] = (place[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    marked = np.isin(np.arange(len(labels)), wrong)
    return songs.with_columns(label=pl.Series(classes[place]), wrong=pl.Series(marked))


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--target", default="genre")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--labels", type=int, default=1_000, help="only the most frequent labels")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    progress.quiet()
    corpus = Corpus.open(given.corpus)
    columns = list(dict.fromkeys(["id", "artist", "title", "cluster", "lyrics", given.target]))
    every = corpus.songs(columns=columns).with_columns(label=pl.col(given.target).cast(pl.String)).drop_nulls("label")
    frequent = every["label"].value_counts(sort=True).head(given.labels)["label"]
    every = doubtful.sample(every.filter(pl.col("label").is_in(frequent.implode())))
    sys.stdout.write(f"{len(every):,} songs, {every['label'].n_unique()} values of {given.target}\n")
    sys.stdout.write("noise  reason      listed  wrong  precision  of the wrong  CPU-s\n")
    for share in given.noise:
        songs, started = planted(every, share, given.seed), time.process_time()
        artists = given.target != "artist"
        rules = doubtful.by_rules(songs, corpus.contained, artists=artists)
        classes, probabilities = doubtful.out_of_fold(songs, artists=artists)
        rows = doubtful.merged([rules, doubtful.by_model(songs, classes, probabilities)])
        spent = time.process_time() - started
        rows = rows.join(songs.select("id", "wrong"), on="id", how="left", maintain_order="left")
        total = int(songs["wrong"].sum())
        named = {reason: rows.filter(pl.col("reasons").str.contains(reason)) for reason in doubtful.REASONS}
        half = rows.filter(pl.col("reasons").str.contains("words")).sort("probability").head(total // 2)
        for reason, part in {**named, "words, top": half, "all": rows}.items():
            hits = int(part["wrong"].sum())
            precision = f"{hits / len(part):.2f}" if len(part) else "-"
            row = (
                f"{share:>5.0%}  {reason:<10} {len(part):>7,} {hits:>6,}  {precision:>9}  {hits / max(total, 1):>12.2f}"
            )
            sys.stdout.write(f"{row}  {spent:>5.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
