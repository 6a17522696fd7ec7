"""Checkpoints that are whole or absent: built under another name, and renamed when their last file is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from torch import nn
from transformers import Trainer

from lyrist import files
from lyrist.training.journal import CHECKPOINTS

SAVE_SECONDS = 20.0
"""Checkpoints are written at validations, but not more often than this."""


class Resumable(Trainer):
    """A Trainer whose checkpoints appear in ``folder / CHECKPOINTS`` in one step, the newest alone."""

    folder: Path
    """The run's folder."""
    _building: Path | None = None

    def write_progress(self, folder: Path) -> None:
        """Write into a checkpoint what the Trainer itself does not know; called in every process."""

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._building or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        home = self.folder / CHECKPOINTS
        self._building = home / "partial"
        main = self.is_world_process_zero()
        with files.explained(home):
            if main:
                _clear(home)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            name = f"checkpoint-{self.state.global_step}"
            self.write_progress(self._building / name)
            self.accelerator.wait_for_everyone()
            if main:
                _replace(self._building / name, home / name)
        self.accelerator.wait_for_everyone()


def _clear(home: Path) -> None:
    """Take away what is no checkpoint: what a kill, or a full disk, left half made or half deleted."""
    for left in ("partial", "replaced"):
        shutil.rmtree(home / left, ignore_errors=True)


def _replace(built: Path, place: Path) -> None:
    """Put a finished checkpoint in its place, then delete the older ones; at no time is there none, or a part of one."""
    if place.exists():
        place.replace(built.with_name("replaced"))
    built.replace(place)
    for other in place.parent.iterdir():
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
