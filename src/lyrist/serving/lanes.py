"""One thread for each run and kind of work: what waits for it is taken together, and nothing else touches its model.

No time is spent waiting for company: while one batch is computed, the next gathers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from lyrist.serving.tickets import Ticket

Asked = TypeVar("Asked")


@dataclass(eq=False)
class Job(Generic[Asked]):
    """A request that waits in a lane."""

    ticket: Ticket[Any]
    asked: Asked
    weight: int = 1
    """How many texts it has."""
    state: dict[str, Any] = field(default_factory=dict)
    """What was found for it so far."""


Work = Callable[[list[Job[Asked]]], Sequence[Job[Asked]] | None]
"""Answers the jobs; those that it returns come again, after what waits."""


class Lane(Generic[Asked]):
    """A thread that works on what waits."""

    def __init__(self, name: str, work: Work[Asked], most: int, threads: int | None = None) -> None:
        """Start the thread.

        Parameters
        ----------
        name
            For a person who looks at the threads.
        work
            Answers some jobs at once; an error of several is looked for again one by one.
        most
            Weight that is taken at once; a single job may have more.
        threads
            Threads that PyTorch computes with; None: as it is set.
        """
        self._work, self._most, self._threads = work, most, threads
        self._waiting: deque[Job[Asked]] = deque()
        self._change = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Job[Asked]) -> None:
        """Let a job wait."""
        with self._change:
            self._waiting.append(job)
            self._change.notify()

    def close(self) -> None:
        """Let the thread end when nothing waits."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(5)

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        while jobs := self._next():
            wanted = [job for job in jobs if job.ticket.taken()]
            if wanted:
                again = self._answered(wanted)
                with self._change:
                    self._waiting.extend(again)
            del jobs, wanted  # or what was asked last would be held while nothing is asked

    def _next(self) -> list[Job[Asked]]:
        with self._change:
            self._change.wait_for(lambda: self._waiting or not self._open)
            taken: list[Job[Asked]] = []
            while self._waiting and (not taken or sum(j.weight for j in [*taken, self._waiting[0]]) <= self._most):
                taken.append(self._waiting.popleft())
            return taken

    def _answered(self, jobs: list[Job[Asked]]) -> Sequence[Job[Asked]]:
        """Work on the jobs; where that fails, on each alone, so that only the one that is to blame fails."""
        try:
            return self._work(jobs) or []
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].ticket.fail(error)
                return []
        return [later for job in jobs if not job.ticket.future.done() for later in self._answered([job])]
