"""Lyrist's models as scikit-learn estimators; ``from lyrist.estimators import CharSVM`` imports only the module of that class.

Each takes a list of texts or a table (polars, pandas, pyarrow) with the column ``lyrics``, and labels of any type. `load` opens
the model of a run, and `save` makes a run of a fitted estimator.
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

ESTIMATORS = {
    "ArtistLookup": "lyrist.models.baselines",
    "ColumnsClassifier": "lyrist.models.baselines",
    "BagOfEmbeddings": "lyrist.models.bags",
    "CharSVM": "lyrist.models.linear",
    "ComplementNaiveBayes": "lyrist.models.linear",
    "LabelMention": "lyrist.models.baselines",
    "LayoutClassifier": "lyrist.models.baselines",
    "LyricEnsemble": "lyrist.models.ensemble",
    "Majority": "lyrist.models.baselines",
    "NBSVM": "lyrist.models.linear",
    "NGramRidge": "lyrist.models.linear",
    "NeuralClassifier": "lyrist.training.classifier",
    "StreamedEnsemble": "lyrist.models.streamed",
    "StreamedLogistic": "lyrist.models.streamed",
    "TfidfLogistic": "lyrist.models.linear",
    "TunedTree": "lyrist.models.trees",
    "LayoutKernel": "lyrist.models.layout",
    "NGrams": "lyrist.models.features",
    "SongFeatures": "lyrist.models.weighting",
}
"""The module of each estimator; the last three are transformers of texts into features."""

__all__ = ["ESTIMATORS", "load", "save", *ESTIMATORS]


def __getattr__(name: str) -> Any:
    if name in ESTIMATORS:
        from lyrist.errors import needed_by

        with needed_by(f"lyrist.estimators.{name}"):
            return getattr(import_module(ESTIMATORS[name]), name)
    raise AttributeError(f"module 'lyrist.estimators' has no attribute '{name}'")


def load(run: str | Path) -> Any:
    """Return the fitted estimator of a run of a classifier.

    Raises
    ------
    LyristError
        There is no such run, it is damaged, or it is of another task.
    """
    from lyrist.errors import UsageError
    from lyrist.training.runs import open_run

    opened = open_run(run)
    if opened.info["task"] != "classify":
        raise UsageError(
            f"{run} is no classifier of lyrics (its task is {opened.info['task']}); open it by its command."
        )
    return opened.model


def save(estimator: Any, out: str | Path, *, target: str = "label") -> Path:
    """Write a fitted estimator as a run, which `load` and the commands ``classify``, ``label``, ``evaluate`` and ``serve`` open.

    Parameters
    ----------
    estimator
        A fitted classifier of this module, or of another package that registers a recipe.
    out
        The run directory; an earlier run is replaced.
    target
        What the labels are; ``evaluate`` compares with this column of a corpus. Of several labels, the columns of ``y`` had
        their names.

    Returns
    -------
    Path
        The run directory.

    Raises
    ------
    NotFittedError
        The estimator is not fitted.
    LyristError
        It is not the estimator of a recipe, or ``out`` is something else than a run.
    """
    from sklearn.utils.validation import check_is_fitted

    from lyrist import files
    from lyrist.corpus.cleaning import RULES
    from lyrist.models import registry
    from lyrist.training import cards, estimators, runs
    from lyrist.training.train import json_ready

    check_is_fitted(estimator)
    if runs.is_network(estimator):
        recipe, options = (
            estimator.recipe,
            estimators.resolved(estimator.recipe, estimator.options, estimator.random_state),
        )
    else:
        found = registry.recipe_of(type(estimator))
        recipe, options = (found.name, registry.values(estimator)) if found else ("", {})
    with runs.create(Path(out)) as folder:
        started = time.monotonic()
        runs.save_model(estimator, folder)
        as_given = {"sections": "keep", "parentheses": "keep", "off": [rule.name for rule in RULES]}
        info = {
            "recipe": recipe, "name": recipe, "task": "classify", "target": target, "only": [], "split_by": "", "corpus": "",
            "fingerprint": "", "cleaning": as_given, "config": json_ready(options), "seed": options.get("seed", 0),
            "songs": {}, **({"kind": "multi"} if getattr(estimator, "multilabel_", False) else {}), **runs.describe(estimator),
            "seconds": time.monotonic() - started,
        }  # fmt: skip
        info = runs.write_run(folder, info)
        runs.write_results(folder, {})
        files.write_text(folder / runs.MODEL / "README.md", cards.card(info, {}))
    return Path(out)
