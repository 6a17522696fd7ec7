"""Requests."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import Generic, TypeVar

from lyrist.errors import LyristError, UsageError

Answer = TypeVar("Answer")


class PendingRequest(Generic[Answer]):
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


class AdmissionGate:
    """Lets in so many requests at once."""

    def __init__(self, places: int) -> None:
        self.places, self.inside = places, 0
        self._open, self._lock = True, threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._took: deque[float] = deque(maxlen=64)

    def enter(self, pending: PendingRequest[Answer], then: Callable[[float], object] = lambda seconds: None) -> None:
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
            took = time.monotonic() - pending.began
            with self._lock:
                self.inside -= 1
                self._took.append(took)
                if not self.inside:
                    self._empty.notify_all()
            then(took)

        pending.future.add_done_callback(leave)

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


MEBIBYTE = 2**20

OPTIONS = {"seconds": "limit-seconds", "characters": "max-characters", "body": "max-bytes"}
"""What limits are called on the command line, where that is another name."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many are served at once; checked when made."""

    queue: int = 128
    """Requests that are inside at once, those that are being answered included; the next is told to come again."""
    batch: int = 32
    """Songs that a writer writes at once, and texts that a classifier labels at once."""
    seconds: float = 60.0
    """Seconds that a request may take, its wait included."""
    max_tokens: int = 2_048
    """Tokens of a song."""
    songs: int = 8
    """Songs for one prompt (``n``)."""
    texts: int = 64
    """Texts, prompts or pictures of a request."""
    explained: int = 8
    """Texts of a request that asks for the words that decided."""
    characters: int = 20_000
    """Characters of one text or prompt."""
    body: int = 4 * MEBIBYTE
    """Bytes of a request."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0 or value == float("inf"):
                option = OPTIONS.get(name, name.replace("_", "-"))
                raise UsageError(f"--{option} is {value:g}; it is a number above 0.")


class Busy(LyristError):  # noqa: N818 - what it says, not that something is wrong
    """Too many requests are inside."""

    def __init__(self, again: int) -> None:
        super().__init__(f"All places are taken; come again in {again} seconds.")
        self.again = again
        """Seconds after which a place may be free."""


class Closing(LyristError):  # noqa: N818
    """The server is shutting down and takes nothing new."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down; what it has begun is finished, and nothing new is taken.")


class Cancelled(LyristError):  # noqa: N818
    """Who asked has gone away."""

    def __init__(self) -> None:
        super().__init__("The request was given up by who made it.")


class TimedOut(LyristError):  # noqa: N818
    """A request took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"This took longer than the {seconds:g} seconds that a request may; ask for less, "
            "or start the server with a larger --limit-seconds."
        )


def check_count(what: str, count: int, most: int) -> None:
    """Raise a `UsageError` where there are none or too many of something."""
    if not 1 <= count <= most:
        raise UsageError(f"{what} is {count:,}; this server takes from 1 to {most:,}.")


def check_text(what: str, text: str, most: int) -> None:
    """Raise a `UsageError` where a text is too long, or holds what no text can hold."""
    if len(text) > most:
        raise UsageError(f"{what} has {len(text):,} characters; this server takes {most:,} at most.")
    if "\x00" in text:
        raise UsageError(f"{what} holds a NUL character, which no text does; leave it out.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} holds half of a surrogate pair (character {error.start + 1:,}), which is no text; send whole characters."
        ) from None
