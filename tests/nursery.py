"""Runs `lyrist` many times, each in a process of its own that can be killed, without importing it each time.

This process imports everything once and then, for each line on its standard input, forks a child that leads a process group
of its own. Orders and answers are JSON, a line each: ``arguments`` of the command line, ``log`` for its output, ``watch``: a
folder whose every change (a rename, a deletion, a file opened for writing) is told in ``events``, and ``die_at``: the
number of the change before which the child kills its whole group, as `kill -9` would. Answers: the child's id, then how
it ended.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, MS_REMOUNT = 0x20000, 0x10000000, 32
DELETIONS = {"os.remove", "os.rmdir"}
CHANGES = {"os.rename", "os.mkdir", "os.link", *DELETIONS}


def watch(folder: str, events: str, die_at: int) -> None:
    """Tell every change below ``folder``; die before that with this number."""
    told = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(arguments[1], str) and arguments[1][:1] in "wax"
        if not writes and event not in CHANGES:
            return
        inside = str(arguments[0]).startswith(folder)
        if not inside and not (event in DELETIONS and arguments[1] != -1):  # a tree is deleted by names relative to it
            return
        count += 1
        os.write(told, (json.dumps([event, *map(str, arguments[:2])]) + "\n").encode())
        if count == die_at:
            os.killpg(0, signal.SIGKILL)

    sys.addaudithook(hook)


def small_disk(folder: str, room: str, again: bool) -> None:
    """Lay a disk over ``folder``, for this process and its children alone; or change the room that is left on it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not again:
        user, group = os.getuid(), os.getgid()
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), "unshare")
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as handle:  # noqa: PTH123
                handle.write(line)
    there = os.statvfs(folder)
    used = (there.f_blocks - there.f_bfree) * there.f_frsize // 1024 if again else 0
    size = used + int(room[:-1]) * {"k": 1, "m": 1024}[room[-1]]
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", MS_REMOUNT if again else 0, f"size={size}k".encode()):
        raise OSError(ctypes.get_errno(), "mount")


def on_small_disk(order: dict[str, Any]) -> int:
    """Run the steps of an order, each with so much room on it, and copy what is on the disk after each.

    The commands of a step run in children of this one: those that failed would leave buffers behind. Ends with 77 where
    this system allows no disk of one's own.
    """
    for number, step in enumerate(order["steps"]):
        try:
            small_disk(order["disk"], step["room"], number > 0)
        except OSError:
            return 77
        code = 0
        if step["arguments"] and (pid := os.fork()) == 0:
            os._exit(child({**order, "steps": None, "arguments": step["arguments"], "log": f"{order['log']}.{number}"}))
        elif step["arguments"]:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        shutil.copytree(order["disk"], f"{order['copies']}/{number}", symlinks=True)
        Path(f"{order['copies']}/{number}.code").write_text(str(code))
    return 0


def child(order: dict[str, Any]) -> int:
    """Run one command, or several on a small disk."""
    if order.get("steps"):
        return on_small_disk(order)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order.get("events"):
        watch(order["watch"], order["events"], order.get("die_at", 0))
    from lyrist.cli import run

    return run(order["arguments"])


def main() -> None:
    import torch

    import lyrist.corpus.prepare
    import lyrist.studies.study  # noqa: F401 - so that children need not
    from lyrist.corpus import ingest
    from lyrist.models import auto, registry
    from lyrist.training import loop

    auto.register()
    for recipe in registry.recipes():
        assert recipe.options  # imports its module
    torch.set_num_threads(1)
    ingest.SHARD_ROWS = 1
    loop.SAVE_SECONDS = 0.0
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            code = 99
            try:
                code = child(json.loads(line))
            finally:
                sys.stdout.flush()
                os._exit(code)
        with contextlib.suppress(OSError):  # whichever is first, so that it can be killed from here on
            os.setpgid(pid, pid)
        answers.write(f"{pid}\n")
        answers.flush()
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    main()
