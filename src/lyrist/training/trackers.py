"""Where else the figures of a training run go: TensorBoard, or any tracker that `transformers` can talk to.

``metrics.jsonl`` is written whatever is asked for here; a tracker only sees the same rows as they are made.
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
"""The tracker that needs no account; also the folder in the run that its files stand in."""


def tracker(name: str, folder: Path) -> tuple[TrainerCallback, ...]:
    """Return what passes rows on to a tracker; nothing for an empty name, or in any process but the first.

    Parameters
    ----------
    name
        As `transformers` calls it: tensorboard, mlflow, wandb, trackio ...
    folder
        The run; TensorBoard's files go to ``tensorboard`` in it.

    Raises
    ------
    UsageError
        There is no tracker of this name.
    LyristError
        Its package is not installed.
    """
    if not name or os.environ.get("RANK", "0") != "0":  # of torchrun's processes, one tells
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
        raise LyristError(f"--track {name} needs a package that is not there ({error}); {way}.") from None


def as_logged(row: Mapping[str, Any]) -> dict[str, float]:
    """Return a row of ``metrics.jsonl`` under the names that trackers know: ``eval_`` before what was validated."""
    begin = "eval_" if row["split"] == "validation" else ""
    return {begin + name: value for name, value in row.items() if name not in ("step", "split")}
