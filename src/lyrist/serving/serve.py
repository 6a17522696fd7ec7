"""The command `serve`: saved runs at one port until it is stopped; requests in progress are finished first.

The log goes to standard error through a thread of its own: writing to a standard error that nothing reads blocks sooner or later,
and the event loop must not block.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from lyrist import progress
from lyrist.errors import LyristError, UsageError, needed_by

if TYPE_CHECKING:
    from lyrist.serving.access import ServerSettings


BACKLOG = 1_024
"""Connections that wait to be accepted."""
REST = 2
"""Seconds that idle connections, such as an open studio, get at shutdown."""


@dataclass(frozen=True)
class ServeResult:
    """The result of `serve`."""

    url: str
    models: tuple[str, ...]
    requests: dict[str, int]
    """By outcome."""
    seconds: float

    def summary(self) -> str:
        """Return a line."""
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.requests.items())) or "none"
        return f"{self.url} stopped after {self.seconds:.0f} s; requests: {counts}"

    def figures(self) -> dict[str, Any]:
        """Return the same for ``--json``."""
        return {
            "url": self.url, "models": list(self.models), "requests": self.requests, "seconds": round(self.seconds, 1),
        }  # fmt: skip


def serve(
    *runs: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    queue: int = 128,
    batch: int = 32,
    limit_seconds: float = 60.0,
    max_tokens: int = 2_048,
    max_characters: int = 20_000,
    max_bytes: int = 4 * 2**20,
    max_connections: int = 1_024,
    max_connections_each: int = 256,
    threads: int | None = None,
    studio: bool = True,
    projects: str | None = None,
    allow_origin: tuple[str, ...] = (),
) -> ServeResult:
    """Serve saved runs: an HTTP API, and a studio in the browser.

    Parameters
    ----------
    runs
        Run directories of classifiers, writers and picture classifiers.
    host
        Address to listen on; any address but this machine's own requires a token.
    port
        Port to listen on; 0: any free port.
    token
        Secret of the clients, at least 8 characters; by default the environment variable LYRIST_TOKEN.
    queue
        Maximum requests queued or in progress; further ones get status 429.
    batch
        Songs in a batch of a writer, and texts in a batch of a classifier.
    limit_seconds
        Maximum seconds of a request, including its time in the queue.
    max_tokens
        Maximum tokens of a song.
    max_characters
        Maximum characters of a text or prompt.
    max_bytes
        Maximum bytes of a request.
    max_connections
        Maximum connections; fewer if the process may not open so many files.
    max_connections_each
        Maximum connections from one address.
    threads
        PyTorch threads of each run; by default 1 if all models are small.
    studio
        Serve the studio as well as the API.
    projects
        Folder in which the studio keeps projects; by default they are kept in the browser only.
    allow_origin
        Origin of other pages that may use the API, such as http://localhost:3000; may be given several times.

    Raises
    ------
    UsageError
        No run is given, a limit is out of range, or a host needs a token.
    LyristError
        A run is missing or damaged, the port is in use, or the extra `serve` is not installed.
    """
    _check_installed()
    from lyrist.serving.access import ServerSettings
    from lyrist.serving.app import build
    from lyrist.serving.inferenceengine import InferenceEngine
    from lyrist.serving.modelregistry import ModelRegistry
    from lyrist.serving.requests import Limits

    settings = ServerSettings(
        host, port, token or os.environ.get("LYRIST_TOKEN") or None, studio, projects, allow_origin
    )
    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be above 0, got {threads}.")
    limits = Limits(
        queue=queue,
        batch=batch,
        seconds=limit_seconds,
        max_tokens=max_tokens,
        characters=max_characters,
        body=max_bytes,
        connections=max_connections,
        connections_each=max_connections_each,
    )
    with _bound(settings) as place:
        models = ModelRegistry.open(runs)
        settings = dataclasses.replace(settings, port=place.getsockname()[1])
        progress.quiet()  # requests of clients show no progress in this terminal
        engine = InferenceEngine(models, limits, threads=threads or _threads(models))
        app = build(engine, settings)
        began = time.monotonic()
        _listen(place, settings)
        names = ", ".join(models.items)
        _run(app, place, engine, lambda: _say(f"lyrist: serving {names} at {settings.url} (Ctrl-C stops)"))
    return ServeResult(settings.url, tuple(models.items), engine.metrics.outcomes(), time.monotonic() - began)


def _check_installed() -> None:
    with needed_by("'lyrist serve'"):
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401


def _say(line: str) -> None:
    """Print a line to standard error; standard output is for the result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _threads(models: Any) -> int | None:
    """Return 1 if all models are small, for which more threads are slower; else None (PyTorch's setting)."""
    from torch.nn import Module

    from lyrist.training.schedule import SMALL

    def size(model: Any) -> int:
        networks = (getattr(model, name, None) for name in ("network", "model", "model_"))
        return sum(w.numel() for network in networks if isinstance(network, Module) for w in network.parameters())

    return 1 if all(size(served.model) < SMALL for served in models.items.values()) else None


def _bound(settings: ServerSettings) -> socket.socket:
    """Return a bound socket that does not listen yet."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"--host {settings.host} is not an address of this machine ({error.strerror}).") from None
    place = socket.socket(family, kind, protocol)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except OSError as error:
        place.close()
        raise _unbound(settings, error) from None
    return place


def _listen(place: socket.socket, settings: ServerSettings) -> None:
    try:
        place.listen(BACKLOG)
    except OSError as error:  # another process listens on it since
        raise _unbound(settings, error) from None


def _unbound(settings: ServerSettings, error: OSError) -> LyristError:
    if error.errno == errno.EADDRINUSE:
        return LyristError(
            f"Port {settings.port} of {settings.host} is in use by another server; give another --port, or 0 for any free port."
        )
    return LyristError(f"This machine cannot listen on {settings.host}, port {settings.port}: {error.strerror}.")


def _run(app: Any, place: socket.socket, engine: Any, started: Callable[[], object]) -> None:
    import uvicorn

    server = _server(uvicorn, uvicorn_config(app, engine), engine, started)
    with background_logging():
        try:
            if _in_an_event_loop():
                with ThreadPoolExecutor(1, "server") as thread, server.capture_signals():
                    thread.submit(asyncio.run, server.serve([place])).result()
            else:
                asyncio.run(server.serve([place]))
        finally:
            engine.close()


def _in_an_event_loop() -> bool:
    """Return whether this thread runs an event loop, as a notebook does: it cannot run another one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def uvicorn_config(app: Any, engine: Any) -> Any:
    """Return the configuration of the HTTP server of an application."""
    import uvicorn

    from lyrist.serving.connections import ACCEPTED, Connections, protocol

    return uvicorn.Config(
        app, http=protocol(Connections(engine.limits)), ws="none", backlog=ACCEPTED, log_config=None,
        log_level="critical", access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=REST,
        timeout_keep_alive=30,
    )  # fmt: skip


def _server(uvicorn: Any, config: Any, engine: Any, started: Callable[[], object]) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]
        """A server that finishes its requests on the first signal and stops at once on the second interrupt."""

        until: float | None = None

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for each in sockets or ():
                each.listen(BACKLOG)  # uvicorn's backlog is also the number of connections that are accepted at once
            started()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Start the shutdown without raising the signal again, as uvicorn would: this is the normal way to stop."""
            if self.until is not None and sig == signal.SIGINT:
                self.force_exit = self.should_exit = True
                return
            self.until = time.monotonic() + engine.limits.seconds + 1
            engine.refuse()

        async def on_tick(self, counter: int) -> bool:
            if self.until is not None and (not engine.inside or time.monotonic() > self.until):
                self.should_exit = True
            stop: bool = await super().on_tick(counter)
            return stop

    return Server(config)


LINES = 1_000
"""Maximum queued log entries; further ones are dropped."""
ALIKE, WINDOW = 10, 60.0
"""Maximum entries of one kind in so many seconds; the others are counted."""


class BackgroundLogHandler(logging.Handler):
    """A log handler that writes in a thread and never blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("lyrist: %(levelname)s: %(message)s"))
        self._entries: queue.Queue[str | None] = queue.Queue(LINES)
        self._kinds: dict[tuple[str, str], list[float]] = {}
        """By logger and message: start of the window, entries in it."""
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue an entry, unless there were many of its kind."""
        kind = record.name, str(record.msg)[:200]
        if len(self._kinds) > LINES:
            self._kinds.clear()
        begin, count = self._kinds.get(kind, (record.created, 0))
        left_out = max(0, int(count) - ALIKE)
        if record.created - begin > WINDOW:
            begin, count = record.created, 0
        self._kinds[kind] = [begin, count + 1]
        if count >= ALIKE:
            return
        more = f" ({left_out:,} entries like this were left out)" if left_out and not count else ""
        with contextlib.suppress(queue.Full):
            self._entries.put_nowait(self.format(record) + more)

    def close(self) -> None:
        """Wait up to a second for queued entries."""
        with contextlib.suppress(queue.Full):
            self._entries.put_nowait(None)
        self._thread.join(1)
        super().close()

    def _write(self) -> None:
        while (entry := self._entries.get()) is not None:
            sys.stderr.write(entry + "\n")
            sys.stderr.flush()


@contextlib.contextmanager
def background_logging() -> Iterator[None]:
    """Write all log entries of this block in a thread."""
    root, handler = logging.getLogger(), BackgroundLogHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
