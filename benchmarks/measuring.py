"""CPU and wall seconds of a command with all its children, and the most memory they held together."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.1
"""Seconds between two looks at the memory."""


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


def measure(command: list[str]) -> Run:
    """Run ``command`` to its end.

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
        watch = _Watch(process.pid)
        watch.start()
        code = process.wait()
        wall = time.monotonic() - started
        watch.join()
        if code:
            raise SystemExit(f"{' '.join(command[:3])} ... failed:\n{err.read_text()[-2000:]}")
        output = out.read_text()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(output, max(cpu, watch.cpu()), wall, watch.peak)


class _Watch(threading.Thread):
    """Looks at a process and its children until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak = 0
        self._seconds: dict[int, float] = {}

    def run(self) -> None:
        try:
            root = psutil.Process(self._pid)
            while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
                self.peak = max(self.peak, sum(map(self._look, [root, *root.children(recursive=True)])))
                time.sleep(EVERY)
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
