"""CPU and wall seconds of a command with all its children, and their peak memory."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

EVERY = 0.1
"""Seconds between two looks at the memory, in the first minute; five times as much later."""


@dataclass(frozen=True)
class Run:
    """What one command took."""

    output: str
    """Its standard output."""
    cpu: float
    """CPU seconds of the process and its children, user and system."""
    wall: float
    peak: int
    """Bytes: the most that the processes held together. Shared pages count once (PSS), where the system tells them."""
    peaks: dict[str, int] = field(default_factory=dict)
    """The same by stage."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall seconds by stage, to the interval between two looks."""


def measure(command: list[str], stage: Callable[[], str] | None = None) -> Run:
    """Run ``command`` to its end.

    Parameters
    ----------
    command
        The program and its arguments.
    stage
        Tells at any time in which stage the command is; None: there are none.

    Raises
    ------
    SystemExit
        It failed; with the end of what it wrote to standard error.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        with out.open("wb") as told, err.open("wb") as complained:
            process = subprocess.Popen(command, stdout=told, stderr=complained)
        watch = _Watch(process.pid, stage)
        watch.start()
        code = process.wait()
        wall = time.monotonic() - started
        watch.join()
        if code:
            raise SystemExit(f"{' '.join(command[:3])} ... failed:\n{err.read_text()[-2000:]}")
        output = out.read_text()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(output, max(cpu, watch.cpu()), wall, watch.peak, watch.peaks, watch.walls)


class _Watch(threading.Thread):
    """Looks at a process and its children until it ends."""

    def __init__(self, pid: int, stage: Callable[[], str] | None) -> None:
        super().__init__(daemon=True)
        self._pid, self._stage = pid, stage
        self.peak = 0
        self.peaks: dict[str, int] = {}
        self.walls: dict[str, float] = {}
        self._seconds: dict[int, float] = {}

    def run(self) -> None:
        started = last = time.monotonic()
        try:
            root = psutil.Process(self._pid)
            while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
                held = sum(map(self._look, [root, *root.children(recursive=True)]))
                self.peak = max(self.peak, held)
                now = time.monotonic()
                if self._stage:
                    stage = self._stage()
                    self.peaks[stage] = max(self.peaks.get(stage, 0), held)
                    self.walls[stage] = self.walls.get(stage, 0.0) + now - last
                last = now
                time.sleep(EVERY if now - started < 60 else 5 * EVERY)
        except psutil.NoSuchProcess:
            pass

    def _look(self, process: psutil.Process) -> int:
        """Return the memory of one process; note its CPU seconds, in case nobody waits for it."""
        try:
            times = process.cpu_times()
            self._seconds[process.pid] = times.user + times.system
            memory = process.memory_full_info()
            return int(getattr(memory, "pss", memory.rss))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return 0

    def cpu(self) -> float:
        return sum(self._seconds.values())
