"""Requests in the engine: limits, the errors of unserved requests, pending requests with a deadline, and admission.

All of it is independent of HTTP: the studio and Python callers use it too.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from lyrist.errors import LyristError, UsageError

Answer = TypeVar("Answer")

MEBIBYTE = 2**20
OPTIONS = {
    "seconds": "limit-seconds", "characters": "max-characters", "body": "max-bytes", "connections": "max-connections",
    "connections_each": "max-connections-each",
}  # fmt: skip
"""Names of limits on the command line, if they differ."""


@dataclass(frozen=True)
class Limits:
    """Limits of a request and of the queue; checked when created."""

    queue: int = 128
    """Requests queued or in progress; further ones are refused."""
    batch: int = 32
    """Songs in a batch of a writer, and texts in a batch of a classifier."""
    seconds: float = 60.0
    """Seconds of a request, including its time in the queue."""
    max_tokens: int = 2_048
    """Tokens of a song."""
    songs: int = 8
    """Songs for one prompt (``n``)."""
    texts: int = 64
    """Texts, prompts or pictures of a request."""
    explained: int = 8
    """Texts of a request with explanations."""
    characters: int = 20_000
    """Characters of one text or prompt."""
    body: int = 4 * MEBIBYTE
    """Bytes of a request."""
    connections: int = 1_024
    """Connections in all; fewer if the file descriptors of the process do not suffice."""
    connections_each: int = 256
    """Connections from one address."""
    header_seconds: float = 10.0
    """Seconds in which the header of a request must arrive."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                option = OPTIONS.get(name, name.replace("_", "-"))
                raise UsageError(f"--{option} must be above 0, got {value:g}.")


def check_count(what: str, count: int, most: int) -> None:
    """Raise a `UsageError` unless ``count`` is between 1 and ``most``."""
    if not 1 <= count <= most:
        raise UsageError(f"{what} must be between 1 and {most:,} on this server, got {count:,}.")


def check_text(what: str, text: str, most: int) -> None:
    """Raise a `UsageError` for a text that is too long or is not valid Unicode text."""
    if len(text) > most:
        raise UsageError(f"{what} has {len(text):,} characters; this server accepts at most {most:,}.")
    if "\x00" in text:
        raise UsageError(f"{what} contains a NUL character; remove it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} contains half of a surrogate pair (character {error.start + 1:,}); send whole characters."
        ) from None


class Busy(LyristError):  # noqa: N818 - a state of the server, not a defect
    """The queue is full."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The queue of this server is full; try again in {retry_after} seconds.")
        self.retry_after = retry_after


class Closing(LyristError):  # noqa: N818
    """The server is shutting down."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down and accepts no further requests.")


class Cancelled(LyristError):  # noqa: N818
    """The client cancelled the request or disconnected."""

    def __init__(self) -> None:
        super().__init__("The client cancelled the request.")


class TimedOut(LyristError):  # noqa: N818
    """A request exceeded its time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request took longer than the limit of {seconds:g} seconds; request less, "
            "or start the server with a larger --limit-seconds."
        )


class Unavailable(LyristError):  # noqa: N818
    """Something that the request needs, such as the corpus of a model, is not available."""


Item = TypeVar("Item")
client: ContextVar[str] = ContextVar("client", default="")
"""The client whose request is handled, for the order of the queues."""


class FairQueue(Generic[Item]):
    """A queue in which the next item is of the client for whom the least was computed.

    A client that is new, or comes back, starts with the least of those that wait: nothing is saved up.
    """

    def __init__(self) -> None:
        self._items: dict[str, deque[Item]] = {}
        self._spent: dict[str, float] = {}

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def put(self, client: str, item: Item) -> None:
        """Queue an item of a client."""
        if client not in self._items:
            least = min((self._spent.get(other, 0.0) for other in self._items), default=0.0)
            if not self._items:
                self._spent = {}
            self._spent[client] = max(self._spent.get(client, 0.0), least)
            self._items[client] = deque()
        self._items[client].append(item)

    def first(self) -> Item:
        """Return the next item without taking it."""
        return self._items[self._client()][0]

    def take(self) -> Item:
        """Return the next item and remove it."""
        client = self._client()
        item = self._items[client].popleft()
        if not self._items[client]:
            del self._items[client]
        return item

    def charge(self, client: str, cost: float) -> None:
        """Count what was computed for a client; a negative cost takes back an estimate."""
        self._spent[client] = self._spent.get(client, 0.0) + cost

    def _client(self) -> str:
        return min(self._items, key=lambda client: self._spent.get(client, 0.0))


class PendingRequest(Generic[Answer]):
    """An admitted request and its future answer."""

    def __init__(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        self.future: Future[Answer] = Future()
        self.seconds, self.began = seconds, time.monotonic()
        self._deadline = self.began + seconds
        self.cancelled = cancelled or threading.Event()
        self.client = client.get()
        """Whose request it is."""
        self.prompt = ""
        """The cleaned prompt that the songs start with; set before their first text."""

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def renew(self) -> None:
        """Begin the time limit again: a part of the answer was computed."""
        self._deadline = time.monotonic() + self.seconds

    def result(self) -> Answer:
        """Wait for the answer.

        Raises
        ------
        TimedOut, Cancelled, LyristError
            There is none.
        """
        try:
            return self.future.result(self.left + 0.05)
        except FutureTimeout:
            self.cancel()
            raise TimedOut(self.seconds) from None
        except BaseException as error:
            if self.future.cancelled():
                raise Cancelled from None
            raise error

    def cancel(self) -> None:
        """Cancel the request; no effect once it is answered."""
        self.cancelled.set()
        self.future.cancel()

    # For workers.

    def start(self) -> bool:
        """Mark the request as in progress; return whether an answer is still needed."""
        if self.future.cancelled() or self.future.done():
            return False
        if not self.future.running() and not self.future.set_running_or_notify_cancel():
            return False
        reason = self.expired()
        if reason is not None:
            self.fail(reason)
        return reason is None

    def expired(self) -> Exception | None:
        """Return why no answer is needed any more; None if one is."""
        if self.cancelled.is_set():
            return Cancelled()
        return TimedOut(self.seconds) if not self.left else None

    def answer(self, answer: Answer) -> None:
        """Set the answer."""
        if not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Set an error instead of an answer."""
        if not self.future.done():
            self.future.set_exception(error)


class AdmissionGate:
    """Admits a bounded number of requests at once."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.inside = capacity, 0
        self._open, self._lock = True, threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._durations: deque[float] = deque(maxlen=64)

    def enter(self, pending: PendingRequest[Answer]) -> None:
        """Admit a request; it leaves when its future is done.

        Raises
        ------
        Busy
            The queue is full.
        Closing
            The gate is closed.
        """
        with self._lock:
            if not self._open:
                raise Closing
            if self.inside >= self.capacity:
                raise Busy(self._retry_after())
            self.inside += 1

        def leave(_: Future[Answer]) -> None:
            with self._lock:
                self.inside -= 1
                self._durations.append(time.monotonic() - pending.began)
                if not self.inside:
                    self._empty.notify_all()

        pending.future.add_done_callback(leave)

    def close(self) -> None:
        """Admit no further requests."""
        with self._lock:
            self._open = False

    def wait(self, seconds: float) -> None:
        """Wait until all requests have left, at most so many seconds."""
        with self._lock:
            self._empty.wait_for(lambda: not self.inside, seconds)

    def _retry_after(self) -> int:
        """Return the seconds after which a retry is likely to succeed: half the median duration, 1 to 30."""
        return int(min(30, max(1, round(statistics.median(self._durations or [2.0]) / 2))))
