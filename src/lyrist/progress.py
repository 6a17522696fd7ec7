"""Progress on standard error: a progress bar in a terminal, else a line every ten seconds, nothing with ``--quiet``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Advance = Callable[..., None]
"""``advance(done, total=None, note="")``: the number done so far, the total if known, and a short note."""

_quiet = False


def quiet(on: bool = True) -> None:
    """Turn progress output off, or on again with ``on=False``."""
    global _quiet
    _quiet = on


@contextlib.contextmanager
def task(title: str, unit: str = "songs") -> Iterator[Advance]:
    """Show the progress of one stage while the block runs.

    Parameters
    ----------
    title
        What is being done, such as ``"cleaning"``.
    unit
        What is counted, in the plural.
    """
    if _quiet:
        yield lambda done, total=None, note="": None
    elif sys.stderr.isatty():
        with _bar(title, unit) as advance:
            yield advance
    else:
        with _log(title, unit) as advance:
            yield advance


@contextlib.contextmanager
def _bar(title: str, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description:<14}"),
        BarColumn(24),
        TextColumn("{task.completed:>10,.0f} {task.fields[unit]}  {task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    ]
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as shown:
        bar = shown.add_task(title, total=None, unit=unit, rate="", note="")

        def advance(done: float, total: float | None = None, note: str = "") -> None:
            rate = f"{done / max(time.monotonic() - started, 1e-6):,.0f}/s"
            shown.update(bar, completed=done, total=total, rate=rate, note=note)

        yield advance


@contextlib.contextmanager
def _log(title: str, unit: str) -> Iterator[Advance]:
    """Print a line at most every ten seconds, so that a log file stays readable."""
    started = last = time.monotonic()

    def advance(done: float, total: float | None = None, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 10:
            return
        last = now
        rate = done / (now - started)
        left = f", about {(total - done) / rate:,.0f} s left" if total and rate else ""
        share = f" of {total:,.0f}" if total else ""
        print(f"{title}: {done:,.0f}{share} {unit}, {rate:,.0f}/s{left} {note}".rstrip(), file=sys.stderr, flush=True)  # noqa: T201

    yield advance
