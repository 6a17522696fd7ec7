"""The log of a server, on standard error, written by a thread of its own.

Where nobody reads standard error, writing to it waits for ever sooner or later; the loop that serves all must not.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
from collections.abc import Iterator

LINES = 1_000
"""Entries that wait to be written; what comes then is lost."""


class Aside(logging.Handler):
    """Hands what is logged to a thread, and never waits."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("lyrist: %(levelname)s: %(message)s"))
        self._entries: queue.Queue[str | None] = queue.Queue(LINES)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take an entry."""
        with contextlib.suppress(queue.Full):
            self._entries.put_nowait(self.format(record))

    def close(self) -> None:
        """Wait a moment for what was taken to be written."""
        with contextlib.suppress(queue.Full):
            self._entries.put_nowait(None)
        self._thread.join(1)
        super().close()

    def _write(self) -> None:
        while (entry := self._entries.get()) is not None:
            sys.stderr.write(entry + "\n")
            sys.stderr.flush()


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Have all that is logged in this block written by a thread."""
    root, handler = logging.getLogger(), Aside()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
