"""Accuracy against the number of training songs, and CPU seconds, of recipes on one corpus.

Each recipe is fitted on stratified random samples of the training songs (``--max-songs`` of ``lyrist train``) and scored on the
same test songs, at most 10,000. CPU seconds are those of the fit and of the predictions.

    OMP_NUM_THREADS=1 python benchmarks/curve.py CORPUS --target genre --songs 5000 20000 --recipes ensemble streamed-ensemble
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.metrics.classification import score
from lyrist.models.inputs import songs as as_input
from lyrist.training.classification_task import ClassificationTask
from lyrist.training.dataset import view

TEST = 10_000


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--target", default="genre")
    parser.add_argument("--songs", type=int, nargs="+", default=[1_000, 5_000, 20_000, 10**9])
    parser.add_argument("--recipes", nargs="+", default=["ensemble", "streamed-logistic", "streamed-ensemble"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    progress.quiet()
    sys.stdout.write(
        "recipe              songs  CPU-s fit  CPU-ms predict  accuracy  [95%]           macro F1   loss\n"
    )
    for songs in given.songs:
        some = view(Corpus.open(given.corpus), given.target, most=songs, seed=given.seed, lyrics=False)
        task, test = ClassificationTask(some), some.texts("test").head(TEST)
        inputs = as_input(test["lyrics"].to_list(), test["artist"].fill_null("").to_list())
        for recipe in given.recipes:
            started = time.process_time()
            model = task.learn(recipe, {}, seed=given.seed)
            fitted = time.process_time()
            probabilities = np.concatenate(
                [model.predict_proba(inputs[i : i + 2_048]) for i in range(0, len(test), 2_048)]
            )
            spent = 1_000 * (time.process_time() - fitted) / len(test)
            found = score(test["label"].to_list(), probabilities, [str(name) for name in model.classes_])
            right = found["accuracy"]
            cost = f"{recipe:<18} {len(some.part('train')):>6,}  {fitted - started:>9.1f}  {spent:>14.2f}"
            interval = f"{right['value']:>8.4f}  [{right['low']:.4f}, {right['high']:.4f}]"
            sys.stdout.write(f"{cost}  {interval}  {found['macro_f1']:>8.3f}  {found['loss']:>5.3f}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
