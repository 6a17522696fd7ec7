"""A request on its way: when it must be answered, whether anybody still waits for it, and the place that it takes up."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Generic, TypeVar

from lyrist.serving.limits import Busy, Cancelled, Closing, TimedOut

Answer = TypeVar("Answer")


class Ticket(Generic[Answer]):
    """A request that was let in, and its answer to come."""

    def __init__(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        self.future: Future[Answer] = Future()
        self.seconds, self.began = seconds, time.monotonic()
        self.cancelled = cancelled or threading.Event()
        self.begins = ""
        """What songs begin with that were asked for: the prompt as it was cleaned, known before the first is told."""

    @property
    def left(self) -> float:
        """Return the seconds that are left, at least 0."""
        return max(0.0, self.began + self.seconds - time.monotonic())

    def result(self) -> Answer:
        """Wait for the answer.

        Raises
        ------
        TimedOut, Cancelled, LyristError
            There is none.
        """
        try:
            return self.future.result(self.left + 0.05)
        except Late:
            self.give_up()
            raise TimedOut(self.seconds) from None
        except BaseException as error:
            if self.future.cancelled():
                raise Cancelled from None
            raise error

    def give_up(self) -> None:
        """Let go of the request: nobody waits for the answer. What has not begun never does."""
        self.cancelled.set()
        self.future.cancel()

    # What who works on it does.

    def taken(self) -> bool:
        """Say that it is worked on from now on; return whether that is still wanted."""
        if self.future.cancelled() or self.future.done():
            return False
        if not self.future.running() and not self.future.set_running_or_notify_cancel():
            return False
        reason = self.over()
        if reason is not None:
            self.fail(reason)
        return reason is None

    def over(self) -> Exception | None:
        """Return why the request needs no answer any more; None where it does."""
        if self.cancelled.is_set():
            return Cancelled()
        return TimedOut(self.seconds) if not self.left else None

    def answer(self, answer: Answer) -> None:
        """Give the answer."""
        if not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Say that there is none."""
        if not self.future.done():
            self.future.set_exception(error)


class Gate:
    """Lets in so many requests at once."""

    def __init__(self, places: int) -> None:
        self.places, self.inside = places, 0
        self._open, self._lock = True, threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._took: deque[float] = deque(maxlen=64)

    def enter(self, ticket: Ticket[Answer], then: Callable[[float], object] = lambda seconds: None) -> None:
        """Let a request in; it has left when it is answered or given up, and ``then`` is told how long it took.

        Raises
        ------
        Busy
            All places are taken.
        Closing
            Nothing is let in any more.
        """
        with self._lock:
            if not self._open:
                raise Closing
            if self.inside >= self.places:
                raise Busy(self._again())
            self.inside += 1

        def leave(_: Future[Answer]) -> None:
            took = time.monotonic() - ticket.began
            with self._lock:
                self.inside -= 1
                self._took.append(took)
                if not self.inside:
                    self._empty.notify_all()
            then(took)

        ticket.future.add_done_callback(leave)

    def close(self) -> None:
        """Let nothing in any more."""
        with self._lock:
            self._open = False

    def wait(self, seconds: float) -> None:
        """Wait until all have left, but not longer than so many seconds."""
        with self._lock:
            self._empty.wait_for(lambda: not self.inside, seconds)

    def _again(self) -> int:
        """Return after how many seconds a place is likely free: half of what requests took of late, 1 to 30."""
        return int(min(30, max(1, round(statistics.median(self._took or [2.0]) / 2))))
