"""Atomic checkpoints: written under a temporary name, and renamed after the last file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from torch import nn
from transformers import Trainer

from lyrist import files
from lyrist.training.journal import CHECKPOINTS

SAVE_SECONDS = 20.0
"""Smallest time between checkpoints, which are written after validations."""


class Resumable(Trainer):
    """A Trainer with atomic checkpoints in ``folder / CHECKPOINTS``, of which only the newest is kept."""

    folder: Path
    """The run's folder."""
    _building: Path | None = None

    def write_progress(self, folder: Path) -> None:
        """Add the state of the loop to a checkpoint; called in every process."""

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
    """Delete incomplete checkpoints after a kill or a full disk."""
    for left in ("partial", "replaced"):
        shutil.rmtree(home / left, ignore_errors=True)


def _replace(built: Path, place: Path) -> None:
    """Rename a finished checkpoint into place, then delete older ones; there is a complete one at any time."""
    if place.exists():
        place.replace(built.with_name("replaced"))
    built.replace(place)
    for other in place.parent.iterdir():
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
