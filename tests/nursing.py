"""The side of the tests: who gives orders to nursery.py, and kills what it started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = list[str]
"""A change of the file system: what it was, and of which paths."""


@dataclass
class Nursery:
    """Starts and kills commands; see nursery.py."""

    process: "subprocess.Popen[str]"
    folder: Path

    def start(self, arguments: list[str], events: Path | None = None, die_at: int = 0) -> int:
        order = {"arguments": [*arguments, "--quiet"], "log": str(self.folder / "log"), "watch": str(self.folder)}
        if events:
            events.unlink(missing_ok=True)
            order |= {"events": str(events), "die_at": die_at}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def give(self, **order: Any) -> int:
        """Give any order, see nursery.py; return how it ended."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"log": str(self.folder / "log"), **order}) + "\n")
        self.process.stdin.flush()
        self.answer()
        return self.answer()

    def run(self, arguments: list[str]) -> list[Event]:
        """Run a command to its end; return what it changed."""
        events = self.folder / "events"
        self.start(arguments, events)
        code = self.answer()
        assert code == 0, (self.folder / "log").read_text()
        return [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []

    def kill_before(self, arguments: list[str], change: int) -> None:
        self.start(arguments, self.folder / "events", change)
        assert self.answer() in (-signal.SIGKILL, 0)

    def kill_after(self, arguments: list[str], seconds: float) -> None:
        child = self.start(arguments)
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.killpg(child, signal.SIGKILL)
        assert self.answer() in (-signal.SIGKILL, 0)


@contextlib.contextmanager
def nursery_in(folder: Path) -> Iterator[Nursery]:
    """Start a nursery that works in a folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    script = [sys.executable, str(Path(__file__).with_name("nursery.py"))]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(script, env=environment, **pipes) as process:
        yield Nursery(process, folder)
        assert process.stdin
        process.stdin.close()
