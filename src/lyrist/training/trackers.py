"""Experiment trackers: TensorBoard, or any tracker that `transformers` supports.

``metrics.jsonl`` is always written; a tracker gets the same rows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations import integration_utils

from lyrist.errors import LyristError, unknown

TENSORBOARD = "tensorboard"
"""The tracker that needs no account; also the name of its folder in the run."""


def tracker(name: str, folder: Path) -> tuple[TrainerCallback, ...]:
    """Return the callback of a tracker; none for an empty name, or in processes other than the first.

    Parameters
    ----------
    name
        Its name in `transformers`: tensorboard, mlflow, wandb, trackio ...
    folder
        The run; the files of TensorBoard are in its folder ``tensorboard``.

    Raises
    ------
    UsageError
        There is no tracker of this name.
    LyristError
        Its package is not installed.
    """
    if not name or os.environ.get("RANK", "0") != "0":  # only one of the processes of torchrun logs
        return ()
    known = integration_utils.INTEGRATION_TO_CALLBACK
    if name not in known:
        raise unknown("tracker", name, known)
    try:
        if name == TENSORBOARD:
            from torch.utils.tensorboard import SummaryWriter

            writer: Any = SummaryWriter(str(folder / TENSORBOARD))
            return (known[name](writer),)
        return (known[name](),)
    except (ImportError, RuntimeError) as error:
        way = "pip install 'lyrist[track]'" if name == TENSORBOARD else f"install the package of {name}"
        raise LyristError(f"--track {name} needs a package that is not installed ({error}); {way}.") from None


def as_logged(row: Mapping[str, Any]) -> dict[str, float]:
    """Return a row of ``metrics.jsonl`` with the names of trackers: the prefix ``eval_`` for validation."""
    begin = "eval_" if row["split"] == "validation" else ""
    return {begin + name: value for name, value in row.items() if name not in ("step", "split")}
