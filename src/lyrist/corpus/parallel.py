"""One function over many tasks: in this process, in several, or on a Ray cluster.

A task is small, such as the path of a shard: a worker reads its files, works on them and writes its results beside them
under a temporary name. Only tasks and counts pass between processes, as JSON, never a text. So memory stays at one task a
worker, the result does not depend on the number of workers or their order, and an interrupted run goes on at the next task.

Local workers are processes that live as long as the run and take one line of JSON for each task. They do not import the
main module again, as `multiprocessing` does, and end with their standard input, however the run ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import import_module
from typing import Any, Self

from lyrist.errors import LyristError, UsageError, needed_by
from lyrist.files import DiskFullError

Work = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""What is done for a task: ``work(task, settings) -> counts``; a function at the top of a module, with JSON in and out."""


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_engine(engine: str) -> None:
    """Raise unless ``engine`` is ``local``, ``ray`` or ``ray://HOST:PORT`` and what it needs is installed."""
    if engine != "local" and engine != "ray" and not engine.startswith("ray://"):
        raise UsageError(f"--engine is local, ray or ray://HOST:PORT; '{engine}' is none of them.")
    if engine != "local":
        with needed_by("--engine ray"):
            import_module("ray")


class Workers:
    """The workers of one run; each starts when it is first needed, and all end with the block.

    Parameters
    ----------
    engine
        ``local``, ``ray`` (a cluster started here or already running) or ``ray://HOST:PORT``.
    count
        Number of processes; by default one a core, or all that the cluster has.
    """

    def __init__(self, engine: str = "local", count: int | None = None) -> None:
        self._engine, self._count = engine, count
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._started: list[subprocess.Popen[str]] = []
        self._elsewhere = self._here = 0.0
        self.seconds: dict[str, list[float]] = {}
        """CPU-seconds of each finished task, by the name of the function."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._end()

    def clock(self) -> float:
        """Return the CPU-seconds of this process and of all tasks that others have finished."""
        return time.process_time() + self._elsewhere

    def own(self) -> float:
        """Return the CPU-seconds of this process without those of tasks."""
        return time.process_time() - self._here

    def map(self, work: Work, tasks: Sequence[Any], settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the counts of each task as it is finished, in any order.

        One worker, or a single task, needs no other process.

        Parameters
        ----------
        work
            A function at the top of a module (workers import it by name).
        tasks
            JSON values, such as paths; on a cluster every machine must see the files under the same name.
        settings
            Passed to each call; JSON.

        Raises
        ------
        LyristError
            A task failed, or a worker ended before its task.
        """
        if self._engine != "local":
            yield from self._on_ray(work, tasks, settings)
        elif min(self._count or cores(), len(tasks)) <= 1:
            for task in tasks:
                started = time.process_time()
                found = work(task, settings)
                self._here += time.process_time() - started
                self.seconds.setdefault(work.__qualname__, []).append(time.process_time() - started)
                yield found
        else:
            yield from self._in_processes(work, tasks, settings)

    def _in_processes(self, work: Work, tasks: Sequence[Any], settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
        given = json.dumps(settings)
        threads = ThreadPoolExecutor(min(self._count or cores(), len(tasks)))
        try:
            calls = [threads.submit(self._one, work.__module__, work.__qualname__, task, given) for task in tasks]
            for call in as_completed(calls):
                yield self._counts(work, call.result())
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            self._end()
            raise
        finally:
            threads.shutdown()

    def _one(self, module: str, function: str, task: Any, settings: str) -> dict[str, Any]:
        """Let a worker do a task; return its answer."""
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = self._start()
        try:
            worker.stdin.write(json.dumps([module, function, task, settings]) + "\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
            answer: dict[str, Any] = json.loads(worker.stdout.readline())  # type: ignore[union-attr]
        except (OSError, ValueError) as error:
            raise _lost("A worker") from error
        self._idle.put(worker)
        return answer

    def _start(self) -> subprocess.Popen[str]:
        threads = str(max(1, cores() // (self._count or cores())))
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", "from lyrist.corpus.parallel import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={"POLARS_MAX_THREADS": threads, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._started.append(worker)
        return worker

    def _end(self) -> None:
        """End all workers, those at work too."""
        while self._started:
            worker = self._started.pop()
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        self._idle = queue.SimpleQueue()

    def _on_ray(self, work: Work, tasks: Sequence[Any], settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
        import ray

        _join_cluster(self._engine)
        given, waiting = json.dumps(settings), list(reversed(tasks))
        remote: Any = ray.remote(num_cpus=1, max_retries=5)(answer)
        try:
            running: list[Any] = []
            while running or waiting:
                while waiting and len(running) < (self._count or len(tasks)):
                    running.append(remote.remote(work.__module__, work.__qualname__, waiting.pop(), given))
                done, running = ray.wait(running)
                for found in ray.get(done):
                    yield self._counts(work, found)
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise _lost(f"A worker of {self._engine}") from error

    def _counts(self, work: Work, found: dict[str, Any]) -> dict[str, Any]:
        """Return the counts in the answer of a worker; raise the error that it reports."""
        if "failed" in found:
            raise (DiskFullError if found["full"] else LyristError)(found["failed"])
        if "fault" in found:
            raise RuntimeError(f"in a worker:\n{found['fault']}")
        self.seconds.setdefault(work.__qualname__, []).append(found["seconds"])
        self._elsewhere += found["seconds"]
        counts: dict[str, Any] = found["counts"]
        return counts


def answer(module: str, function: str, task: Any, settings: str) -> dict[str, Any]:
    """Do a task in a worker; return its counts, or why it failed."""
    try:
        work: Work = getattr(import_module(module), function)
        started = time.process_time()  # what is imported is part of the start of a worker
        counts = work(task, json.loads(settings))
        return {"counts": counts, "seconds": time.process_time() - started}
    except LyristError as error:
        return {"failed": str(error), "full": isinstance(error, DiskFullError)}
    except Exception:
        return {"fault": traceback.format_exc()}


class _Hidden:
    """Makes pandas look absent: pyarrow imports it wherever it is installed, in as much time as all that a worker needs."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def serve() -> None:
    """Do the tasks that come on standard input, a line of JSON each, and answer each with a line."""
    sys.meta_path.insert(0, _Hidden())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run ends its workers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    with contextlib.suppress(BrokenPipeError):
        for line in sys.stdin:
            answers.write(json.dumps(answer(*json.loads(line))) + "\n")
            answers.flush()


def _lost(who: str) -> LyristError:
    return LyristError(
        f"{who} ended before its work did: it was killed, perhaps for want of memory; run again with --resume (what is "
        "finished is kept), with fewer --workers if memory is short."
    )


def _join_cluster(engine: str) -> None:
    """Start a Ray cluster here, or join one; its workers' messages stay in Ray's own logs."""
    import ray

    address = None if engine == "ray" else engine
    if not ray.is_initialized():
        try:
            ray.init(
                address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=None if address else False
            )
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            reason = " ".join(str(error).split())[:160].rstrip(":. ")
            raise LyristError(
                f"The Ray cluster {engine} cannot be reached ({reason}); is it up, at that address, and does it ask for a "
                "token (RAY_AUTH_MODE=token, RAY_AUTH_TOKEN)?"
            ) from error
