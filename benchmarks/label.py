"""How fast songs are labelled: Lyrist's classifiers against scikit-learn's own pipeline, on the same songs.

The rival is what a good engineer writes first: ``TfidfVectorizer(analyzer="char", ngram_range=(3, 5))`` and
``LinearSVC``, fitted on the same training songs. Both predict the same texts in one process with one thread, in turns;
CPU seconds are compared, and the median ratio of the rounds is printed. ``--end-to-end`` measures the command
``lyrist label`` on a table as well, with reading, cleaning, language detection and writing.

    OMP_NUM_THREADS=1 python benchmarks/label.py --corpus CORPUS [--target artist] [--songs 4000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.label import label
from lyrist.training.dataset import view
from lyrist.training.runs import open_run
from lyrist.training.train import train

RECIPES = ("char-svm", "nb-svm", "ensemble")


def seconds_of(predict: Any, texts: list[str]) -> float:
    """Return the CPU seconds of one prediction of all texts."""
    started = time.process_time()
    predict(texts)
    return time.process_time() - started


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--target", default="artist")
    parser.add_argument("--songs", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--end-to-end", action="store_true")
    given = parser.parse_args()
    progress.quiet()
    songs = view(Corpus.open(given.corpus), given.target)
    fitted, every = songs.texts("train"), songs.songs
    texts = (every["lyrics"].to_list() * (given.songs // len(every) + 1))[: given.songs]
    rival = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(3, 5)), LinearSVC())
    rival.fit(fitted["lyrics"].to_list(), fitted["label"].to_list())
    sys.stdout.write(f"{len(texts):,} songs, {len(songs.classes)} classes, {given.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        for recipe in given.recipes:
            run = str(Path(folder) / recipe)
            train(recipe, given.corpus, out=run, target=given.target)
            model = open_run(run).model
            pairs = [(seconds_of(rival.predict, texts), seconds_of(model.predict, texts)) for _ in range(given.rounds)]
            theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            line = f"{recipe:<10} {1e6 * ours / len(texts):>7,.0f} us a song, scikit-learn {1e6 * theirs / len(texts):>7,.0f}"
            sys.stdout.write(f"{line}: {ratio:.2f} times\n")
            if given.end_to_end:
                table = Path(folder) / "songs.parquet"
                pl.DataFrame({"lyrics": texts}).write_parquet(table)
                started = time.process_time()
                label(run, str(table), out=str(Path(folder) / "o.parquet"), workers=1, overwrite=True)
                spent = time.process_time() - started
                sys.stdout.write(f"{'':<10} {1e6 * spent / len(texts):>7,.0f} us a song for the command\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
