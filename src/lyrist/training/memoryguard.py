"""Whether the memory suffices for a fit, checked before it begins: a killed process gives no message.

What is available is what the system says it could give without swapping, or what is left of the limit of the container
that this process lives in, whichever is less.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.models.memory import DataSize, memory_estimate

ANYWAY = "LYRIST_ANY_MEMORY"
"""The environment variable that lets a fit begin whatever the estimate."""

FEWER = 20_000
"""What ``--max-features`` is tried with."""

FAMILIES = ("linear", "ensemble", "tree")
"""Whose recipes are proposed in place of one that takes too much."""

CONTAINER = Path("/sys/fs/cgroup")
STREAMED = "streamed-ensemble"
"""The recipe whose memory does not grow with the songs."""

LEAST_SONGS = 1_000
"""Fewer are not proposed to learn from."""

FILLED = 0.8
"""What is proposed takes no more than this share of the available memory."""

LARGE = 0.5
"""From this share of the available memory on, the estimate is shown."""


@dataclass(frozen=True)
class Room:
    """What a fit is estimated to take, and what there is."""

    needed: int | None
    """Bytes; None for a recipe that declares no estimate."""
    available: int

    @property
    def note(self) -> str:
        """Return a few words where it takes much of what there is, or where there is no estimate; otherwise nothing."""
        if self.needed is None:
            return "has no memory estimate"
        if self.needed <= LARGE * self.available:
            return ""
        return f"takes about {size(self.needed)} of {size(self.available)} of memory"

    def figures(self) -> dict[str, int]:
        """Return what ``run.json`` says about it."""
        known = {} if self.needed is None else {"memory_estimate": self.needed}
        return {**known, "memory_available": self.available}


def room(recipe: str, options: Mapping[str, Any], songs: int, classes: int, characters: int) -> Room:
    """Return what fitting a recipe will take and what there is.

    Parameters
    ----------
    recipe, options
        What is fitted.
    songs, classes
        How many there are to learn from.
    characters
        The mean length of a song.

    Raises
    ------
    LyristError
        There is less than it will take.
    """
    free, needed = available(), memory_estimate(recipe, songs, classes, options, characters)
    if needed is not None and needed > free and not os.environ.get(ANYWAY):

        def takes(name: str, given: Mapping[str, Any]) -> int:
            return memory_estimate(name, songs, classes, given, characters) or free

        models = {one.name: takes(one.name, {}) for one in registry.recipes("classify") if one.family in FAMILIES}
        smaller = sorted(
            (name for name in models if models[name] < free and name != STREAMED), key=lambda name: -models[name]
        )
        most = _most(lambda count: memory_estimate(recipe, count, classes, options, characters) or free, songs, free)
        ways = [f"--max-songs {most} learns from some of them"] if most >= LEAST_SONGS else []
        if recipe != STREAMED and takes(STREAMED, {}) < free:
            ways.append(f"'{STREAMED}' learns from all")
        ways.append("choose fewer classes with --only")
        if _selects(recipe) and takes(recipe, {**options, "max_features": FEWER}) < free:
            ways.append(f"--max-features {FEWER}")
        if smaller:
            ways.append(f"a recipe that takes less ({', '.join(smaller[:3])})")
        raise LyristError(
            f"Fitting '{recipe}' to {songs:,} songs of {classes:,} classes takes about {size(needed)} of memory and "
            f"{size(free)} are available; {', '.join(ways)}, or set {ANYWAY}=1 to try it all the same."
        )
    return Room(needed, free)


def room_to_count(settings: Any, songs: int, characters: int) -> Room:
    """Return what counting the n-grams of training songs will take and what there is.

    Parameters
    ----------
    settings
        The options of a recipe that counts: ``order`` and ``largest``.
    songs, characters
        How many songs there are to learn from, and their mean length.

    Raises
    ------
    LyristError
        There is less than it will take.
    """
    data = DataSize(songs, characters=characters)
    free, needed = available(), int(settings.memory(data))
    if needed > free and not os.environ.get(ANYWAY):
        ways = [
            f"--{name} {value}"
            for name, value in (("largest", settings.largest // 4), ("order", 4))
            if dataclasses.replace(settings, **{name: value}).memory(data) < free
        ]
        raise LyristError(
            f"Counting the n-grams of {songs:,} songs takes about {size(needed)} of memory and {size(free)} are "
            f"available; {', '.join([*ways, 'prepare a corpus of fewer songs'])}, or set {ANYWAY}=1 to try it all the same."
        )
    return Room(needed, free)


def _most(takes: Callable[[int], int], songs: int, free: int) -> int:
    """Return the largest number of songs, in two digits, that takes no more than most of the memory."""
    fits, fails = 0, songs
    while fails - fits > 1:
        middle = (fits + fails) // 2
        fits, fails = (middle, fails) if takes(middle) <= FILLED * free else (fits, middle)
    digits = max(len(str(fits)) - 2, 0)
    step: int = 10**digits
    return fits // step * step


def available() -> int:
    """Return how many bytes this process could still take."""
    free = int(psutil.virtual_memory().available)
    try:
        most = (CONTAINER / "memory.max").read_text().strip()
        used = (CONTAINER / "memory.current").read_text().strip()
        return min(free, int(most) - int(used))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def size(count: int) -> str:
    """Return bytes as people say them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _selects(recipe: str) -> bool:
    return any(each.name == "max_features" for each in registry.get(recipe).parameters)
