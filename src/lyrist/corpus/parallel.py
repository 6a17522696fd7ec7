"""One function over many shards: in this process, in several, or on a Ray cluster, through Daft.

A shard is a Parquet file of some thousand songs. Only paths and counts pass through Daft, never a text: a worker reads
its shard, works on it and writes its results beside it under a temporary name. So memory stays at one shard a worker,
the result does not depend on the number of workers or their order, and an interrupted run goes on at the next shard.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from lyrist.errors import LyristError, UsageError, needed_by
from lyrist.files import DiskFullError

Work = Callable[[str, dict[str, Any]], dict[str, Any]]
"""What is done to a shard: ``work(path, settings) -> counts``; a function at the top of a module, with JSON in and out."""


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


def over_shards(
    work: Work, shards: Sequence[str], settings: dict[str, Any], *, engine: str = "local", workers: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the counts of each shard as it is finished, in any order.

    Parameters
    ----------
    work
        A function at the top of a module (workers import it by name).
    shards
        Paths; on a cluster every machine must see them under the same name.
    settings
        Passed to each call; JSON.
    engine
        ``local``, ``ray`` (a cluster started here or already running) or ``ray://HOST:PORT``.
    workers
        Number of processes; by default one a core. One worker, or a single shard, needs no other process.
    """
    workers = min(workers or cores(), len(shards))
    if engine == "local" and workers <= 1:
        for shard in shards:
            yield work(shard, settings)
    else:
        yield from _through_daft(work, shards, settings, engine, max(workers, 1))


def _join_cluster(engine: str) -> None:
    """Start a Ray cluster here, or join one; its workers' chatter stays in Ray's own logs."""
    import daft
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
    daft.set_runner_ray(address, noop_if_initialized=True)


def _through_daft(
    work: Work, shards: Sequence[str], settings: dict[str, Any], engine: str, workers: int
) -> Iterator[dict[str, Any]]:
    import daft

    if engine != "local":
        _join_cluster(engine)

    @daft.cls(use_process=True, max_concurrency=workers)
    class Worker:
        """What Daft starts in each process: it imports the function once and calls it shard by shard."""

        def __init__(self, module: str, function: str, settings: str) -> None:
            self.work: Work = getattr(import_module(module), function)
            self.settings = json.loads(settings)

        @daft.method.batch(return_dtype=daft.DataType.string(), batch_size=1)  # type: ignore[untyped-decorator]
        def run(self, paths: Any) -> list[str]:
            return [json.dumps(self.one(path)) for path in paths.to_pylist()]

        def one(self, path: str) -> dict[str, Any]:
            try:
                return self.work(path, self.settings)
            except LyristError as error:
                return {"failed": str(error), "full": isinstance(error, DiskFullError)}

    frame = daft.from_pydict({"shard": list(shards)})
    if engine != "local":
        frame = frame.into_partitions(len(shards))
    worker = Worker(work.__module__, work.__qualname__, json.dumps(settings))
    with daft.execution_config_ctx(maintain_order=False), _losses_told(engine):
        for row in frame.select(worker.run(daft.col("shard")).alias("counts")).iter_rows():
            counts: dict[str, Any] = json.loads(row["counts"])
            if "failed" in counts:
                raise (DiskFullError if counts["full"] else LyristError)(counts["failed"])
            yield counts


_LOST = re.compile(
    r"closed the connection unexpectedly|actor.*(?:died|unavailable)|node.*died|worker.*(?:died|crash)", re.I
)


@contextlib.contextmanager
def _losses_told(engine: str) -> Iterator[None]:
    """Turn what Daft and Ray say of workers that ended, or of a cluster that did, into one sentence."""
    try:
        yield
    except Exception as error:
        if isinstance(error, LyristError) or not _LOST.search(str(error)):
            raise
        where = "A worker" if engine == "local" else f"A worker of {engine}"
        raise LyristError(
            f"{where} ended before its work did: it was killed, perhaps for want of memory; run again with --resume (what is "
            "finished is kept), with fewer --workers if memory is short."
        ) from error
