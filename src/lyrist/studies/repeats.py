"""The same comparison on several splits, and on smaller training sets.

Only the scores of these fits are stored, in a small JSON file each, so that an interrupted study can be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lyrist import files, progress
from lyrist.errors import LyristError
from lyrist.metrics.intervals import corrected_resampled_t, mean_sd, wilson
from lyrist.metrics.kinds import figures_of, value_of
from lyrist.studies import ranking
from lyrist.studies.comparison import Line
from lyrist.studies.ranking import ChooseBy
from lyrist.training.classification_task import ClassificationTask
from lyrist.training.dataset import View
from lyrist.training.train import Fitted

SHARES = (0.1, 0.25, 0.5)
"""Shares of the training songs in a learning curve; all of them are the study itself."""


FEW = 1_000
"""Songs below which one split is not enough."""


def check(dataset: View, repeats: int) -> None:
    """Raise where other splits cannot be drawn."""
    if repeats < 1:
        raise LyristError(f"--repeats must be at least 1, got {repeats}.")
    if repeats > 1 and dataset.split_by in ("column", "year"):
        what = "the table's own split" if dataset.split_by == "column" else "a split by year"
        raise LyristError(
            f"The corpus has {what}, which cannot be drawn again; prepare it with --split-by song, "
            "or leave --repeats out."
        )


def advice(dataset: View, repeats: int) -> list[str]:
    """Return a sentence where one split is not enough to compare recipes."""
    n, tested = len(dataset.songs), len(dataset.part("test"))
    if repeats > 1 or n >= FEW:
        return []
    return [
        f"{tested:,} test songs of {n:,} are too few to compare good recipes: one split is not enough. Run the study again "
        "with --repeats 5, which tests every song once."
    ]


def repeated(
    dataset: View,
    lines: Sequence[Line],
    first: Mapping[str, Fitted],
    repeats: int,
    seed: int,
    choose_by: ChooseBy,
    folder: Path,
) -> dict[str, Any]:
    """Cross-validate every line: every song is tested once; return means, spreads and paired tests over the splits.

    Parameters
    ----------
    dataset
        The songs; the splits keep together what its own split does.
    lines
        What is fitted.
    first
        The study's own fits, by which baselines are known.
    repeats
        Number of splits.
    seed
        The seed of the fits.
    choose_by
        The validation figure by which each split picks its recipe.
    folder
        Where scores are kept.
    """
    scores, splits = [], dataset.folds(repeats, dataset.seed)
    with progress.task("repeats", "fits") as advance:
        for number, again in enumerate(splits):
            found = {}
            for place, line in enumerate(lines):
                advance(number * len(lines) + place, repeats * len(lines), line.name)
                path = folder / f"{number}-{place}.json"
                found[line.name] = _scored(again, line, seed, path)["results"]
            scores.append(found)
    return summarised(scores, first, choose_by, len(splits[0].part("train")), len(splits[0].part("test")))


def _scored(dataset: View, line: Line, seed: int, path: Path) -> dict[str, Any]:
    """Return the scores in ``path``, or fit and write them there."""
    options = {key: str(value) for key, value in line.options.items()}
    key = {"recipe": line.recipe, "options": options, "seed": seed, "n": len(dataset.songs)}
    key |= {"fingerprint": dataset.corpus.fingerprint, "split_by": dataset.split_by, "target": dataset.target}
    key |= dataset.labels.described
    if path.exists():
        kept = files.read_json(path, "an unfinished study")
        if kept["key"] == key:
            return dict(kept)
    kept = {"key": key, **ClassificationTask(dataset).fit_scores(line.recipe, line.options, seed, line.name)}
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, kept)
    return kept


def summarised(
    scores: Sequence[Mapping[str, Mapping[str, Any]]],
    first: Mapping[str, Fitted],
    choose_by: ChooseBy,
    n_train: int,
    n_test: int,
) -> dict[str, Any]:
    """Return mean and spread of each line over the splits, the same for what each split picked, and paired tests.

    Returns
    -------
    dict
        ``n``; ``recipes`` and ``pick``: name, and for accuracy and macro F1 of the test songs mean, sd, low, high
        (95%, corrected for overlapping training sets after Nadeau and Bengio 2003) and values; ``against``: for each
        line but the best in the mean, the test of their difference in accuracy, and in ``macro_f1``, with Holm's
        correction.
    """
    names = list(scores[0])
    main, second, *_ = figures_of(scores[0][names[0]]["test"])
    keys = (main.key, second.key)
    models = list(ranking.models({name: {} for name in names}, first))
    kinds = ranking.families(first)
    picks = [
        ranking.select({name: found[name]["validation"] for name in models}, choose_by, kinds).name for found in scores
    ]
    values = {name: {key: [value_of(found[name]["test"], key) for found in scores] for key in keys} for name in names}
    picked = {
        key: [value_of(found[name]["test"], key) for found, name in zip(scores, picks, strict=True)] for key in keys
    }
    best = (min if main.lower else max)(names, key=lambda name: mean_sd(values[name][main.key])[0])
    tests: dict[str, dict[str, Any]] = {}
    for name in names:
        if name != best:
            ours, theirs = values[best], values[name]
            tests[name] = {
                **corrected_resampled_t(_less(ours[main.key], theirs[main.key]), n_train, n_test),
                second.key: corrected_resampled_t(_less(ours[second.key], theirs[second.key]), n_train, n_test),
            }
    ranking.correct(list(tests.values()))
    ranking.correct([test[second.key] for test in tests.values()])
    return {
        "n": len(scores),
        "recipes": [
            {
                "name": name,
                **{k: _spread(v, n_train, n_test) for k, v in values[name].items()},
                "all_songs": _pooled([found[name] for found in scores], main.key),
            }
            for name in names
        ],
        "pick": {
            "names": picks,
            **{k: _spread(v, n_train, n_test) for k, v in picked.items()},
            "all_songs": _pooled([found[name] for found, name in zip(scores, picks, strict=True)], main.key),
        },
        "best": best,
        "against": tests,
    }


def _pooled(scores: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Return the main figure over the test songs of all splits: the accuracy with its interval, or the mean by songs."""
    sizes = [found["test"]["n"] for found in scores]
    if key != "accuracy":
        parts = [found["test"][key] for found in scores]
        mean = {
            part: float(np.average([each[part] for each in parts], weights=sizes)) for part in ("value", "low", "high")
        }
        half = (mean["high"] - mean["low"]) / 2 / len(scores) ** 0.5  # the splits have different test songs
        return {
            "n": sum(sizes),
            key: {"value": mean["value"], "low": mean["value"] - half, "high": mean["value"] + half},
        }
    right = sum(round(value_of(found["test"], "accuracy") * n) for found, n in zip(scores, sizes, strict=True))
    low, high = wilson(right, sum(sizes))
    return {"n": sum(sizes), "accuracy": {"value": right / sum(sizes), "low": low, "high": high}}


def _less(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def _spread(values: Sequence[float], n_train: int, n_test: int) -> dict[str, Any]:
    mean, sd = mean_sd(values)
    found = corrected_resampled_t(values, n_train, n_test)
    return {"mean": mean, "sd": sd, "low": found["low"], "high": found["high"], "values": list(values)}


def learning_curve(
    dataset: View, lines: Sequence[Line], whole: Mapping[str, Fitted], seed: int, folder: Path
) -> list[dict[str, Any]]:
    """Fit every line on shares of the training songs; return songs, test accuracy with interval, and cost of each.

    The test songs are the same throughout, and nothing is chosen by them.
    """
    rows = []
    with progress.task("learning curve", "fits") as advance:
        for step, share in enumerate(SHARES):
            smaller = dataset.with_share(share, seed)
            for place, line in enumerate(lines):
                advance(step * len(lines) + place, len(SHARES) * len(lines), line.name)
                kept = _scored(smaller, line, seed, folder / f"share-{step}-{place}.json")
                rows.append(_point(line.name, len(smaller.part("train")), kept["results"]["test"], kept))
    for name, one in whole.items():
        rows.append(_point(name, len(dataset.part("train")), one.run.results["test"], one.run.info))
    return sorted(rows, key=lambda row: (list(whole).index(row["name"]), row["songs"]))


def _point(name: str, songs: int, test: Mapping[str, Any], cost: Mapping[str, Any]) -> dict[str, Any]:
    seconds = {key: cost[key] for key in ("seconds", "cpu_seconds")}
    shown = {figure.key: test[figure.key] for figure in figures_of(test)[:2]}
    return {"name": name, "songs": songs, **shown, **seconds}
