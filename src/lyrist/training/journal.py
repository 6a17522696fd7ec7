"""``metrics.jsonl``: one object per logged global step, and the sums from which its figures are computed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrist import files
from lyrist.errors import LyristError

if TYPE_CHECKING:
    import torch

FILE = "metrics.jsonl"

CHECKPOINTS = "checkpoints"
"""The folder of checkpoints in a run that is not finished."""

Sums = Mapping[str, tuple[Any, Any]]
"""Name of a figure to (sum, number of items); tensors or numbers."""


class Tally:
    """Running sums over several batches; they stay on the device until `means`."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Any, Any]] = {}

    def add(self, sums: Sums) -> None:
        """Add the sums of one batch."""
        for name, (value, count) in sums.items():
            old, number = self._sums.get(name, (0.0, 0))
            value = value.detach().double() if hasattr(value, "detach") else value
            self._sums[name] = (old + value, number + count)

    def __bool__(self) -> bool:
        return bool(self._sums)

    def means(self, reduce: Any, device: torch.device) -> dict[str, float]:
        """Return sum / number of each figure, over all processes, and reset the sums.

        Parameters
        ----------
        reduce
            Sums a tensor over all processes.
        device
            The device of the tensors that processes exchange.
        """
        found = sorted(self._sums)
        table = [[float(part) for part in self._sums.get(name, (0.0, 0))] for name in found]
        import torch

        kind = torch.float32 if device.type == "mps" else torch.float64
        total = reduce(torch.tensor(table, dtype=kind, device=device)).tolist()
        self._sums = {}
        return {name: value / count for name, (value, count) in zip(found, total, strict=True) if count}


class Journal:
    """The rows of a run, in memory and, if there is a folder, in its ``metrics.jsonl``."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder else None
        self.rows: list[dict[str, Any]] = []

    def start(self, rows: list[dict[str, Any]]) -> None:
        """Start with the rows of an interrupted run, or with none; the file is replaced."""
        self.rows = list(rows)
        if self._path:
            files.write_text(self._path, "".join(_line(row) for row in rows))

    def add(self, row: dict[str, Any]) -> None:
        """Append a row and write it to the file."""
        self.rows.append(row)
        if self._path:
            with files.explained(self._path), self._path.open("a", encoding="utf-8") as handle:
                handle.write(_line(row))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of ``metrics.jsonl`` in ``folder``; none if the model has no training steps.

    Raises
    ------
    LyristError
        A line is not a JSON object.
    """
    path = folder / FILE
    if not path.exists():
        return []
    return [_row(path, number, line) for number, line in enumerate(_lines(path), 1)]


def read_whole(folder: Path, last_step: int) -> list[dict[str, Any]]:
    """Return the rows up to ``last_step`` of an interrupted run; an incomplete last line is dropped."""
    rows = []
    for line in _lines(folder / FILE) if (folder / FILE).exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if row["step"] <= last_step:
            rows.append(row)
    return rows


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise LyristError(f"{path} is damaged: line {number} is not a JSON object; train the model again.")
    return row


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, or None."""
    found = (folder / CHECKPOINTS).glob("checkpoint-*")
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def other_settings(folder: Path, changed: Iterable[str]) -> LyristError:
    """Return the error for resuming a run with other settings."""
    return LyristError(
        f"The interrupted run in {folder} had other settings ({', '.join(sorted(changed))}); "
        "use the same ones, or start again without --resume."
    )
