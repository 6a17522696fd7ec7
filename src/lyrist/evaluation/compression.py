"""The line that costs nothing: what a file compressor pays for the same songs, in the same bits a byte.

PPMd (Shkarin 2002, variant H, as in 7-Zip) predicts each byte from up to 24 before it. It is not a model of songs at all,
learns in seconds, and small networks lose to it. A table of writers without it cannot tell whether they learnt anything.

How it is measured, so that it can stand beside a writer's figure: PPMd reads the training songs (the primer); then each
held-out song is encoded by a copy of that state, alone, as if no other held-out song existed. A song ends with a zero byte,
which is charged like a writer's end of song. What a song costs is what it adds to the compressed length, in whole bytes, so
that the coder's own ending is not counted. (Encoding all held-out songs in one go lets each learn from those before.)
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lyrist.errors import LyristError
from lyrist.metrics.language_modelling import SongLosses, figures

ORDER = 24
"""Bytes of context. Measured on 5,266 songs: 1.72 bits a byte at order 6, 1.43 at 12, 1.34 at 24."""

PRIMER = 16_000_000
"""Bytes of training songs that PPMd reads at most; of more, songs are drawn at random."""

SONGS = 1_000
"""Held-out songs that are encoded at most, drawn at random: each takes a process, some ten milliseconds."""

_MEMORY_PER_BYTE = 72  # measured: 55 bytes a byte at order 24; when memory is full PPMd forgets everything
_SPARE = 32 << 20
_END = b"\0"


def ppmd(train: Sequence[str], songs: Sequence[str], *, order: int = ORDER, seed: int = 0) -> dict[str, Any]:
    """Return what PPMd pays for held-out songs after it has read the training songs.

    Parameters
    ----------
    train
        The primer; beyond `PRIMER` bytes a random part of it.
    songs
        The held-out songs; beyond `SONGS` a random part of them.
    order
        Bytes of context, 2 to 64.
    seed
        Draws the parts.

    Returns
    -------
    dict
        ``bits_per_byte``: value, and low and high of the 95% interval by a bootstrap over songs; ``n`` songs, their
        ``bytes``; ``primer_bytes``; ``order``; ``cpu_seconds`` of it all.

    Raises
    ------
    LyristError
        There is no song on either side, or the compressor failed (for lack of memory).
    """
    read = read_by_ppmd(train, songs, order=order, seed=seed)
    return read.figures()


@dataclass(frozen=True)
class Read:
    """What PPMd paid for each of some held-out songs."""

    places: list[int]
    """Which of the songs that were given these are."""
    losses: SongLosses
    """Its bytes as nats; its tokens are bytes, the end of a song among them."""
    primer_bytes: int
    order: int
    cpu_seconds: float

    def figures(self) -> dict[str, Any]:
        """Return what `ppmd` returns."""
        scored = figures(self.losses)
        return {
            **{name: scored[name] for name in ("bits_per_byte", "n", "bytes")},
            "primer_bytes": self.primer_bytes,
            "order": self.order,
            "cpu_seconds": self.cpu_seconds,
        }


def read_by_ppmd(train: Sequence[str], songs: Sequence[str], *, order: int = ORDER, seed: int = 0) -> Read:
    """Return what PPMd pays for each song, to be compared with a writer song by song; parameters as `ppmd`."""
    if not train or not songs:
        raise LyristError("PPMd needs songs to read and songs to be scored on.")
    rng = np.random.default_rng(seed)
    primer = _primer(train, rng)
    drawn = np.sort(rng.choice(len(songs), SONGS, replace=False)) if len(songs) > SONGS else np.arange(len(songs))
    places: list[int] = drawn.tolist()
    texts = [songs[place].encode() for place in places]
    started = _children()
    nats = np.array(_run(primer, texts, order), dtype=np.float64) * 8 * math.log(2)
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    losses = SongLosses(nats, sizes + len(_END), sizes)
    return Read(places, losses, len(primer), order, _children() - started)


def _primer(train: Sequence[str], rng: np.random.Generator) -> bytes:
    """Return training songs, each with its end, in a random order so that no artist stands last, up to the limit."""
    found: list[bytes] = []
    size = 0
    for place in rng.permutation(len(train)):
        song = train[place].encode() + _END
        size += len(song)
        if size > PRIMER and found:
            break
        found.append(song)
    return b"".join(found)


def _run(primer: bytes, songs: list[bytes], order: int) -> list[int]:
    """Return the bytes that each song adds; see `lyrist.evaluation.ppmd`."""
    memory = _MEMORY_PER_BYTE * (len(primer) + max(map(len, songs))) + _SPARE
    ended = [song + _END for song in songs]
    lengths = " ".join(str(len(part)) for part in [primer, *ended])
    told = b"".join([f"{order} {memory}\n{lengths}\n".encode(), primer, *ended])
    command = [sys.executable, "-m", "lyrist.evaluation.ppmd"]
    # Large pages halve what a fork costs; where the C library or the system has none, this changes nothing.
    surroundings = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    done = subprocess.run(command, input=told, capture_output=True, check=False, env=surroundings)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise LyristError(f"PPMd failed ({reason}); it needs some {memory >> 20} MB of memory for these songs.")
    return [int(line) for line in done.stdout.split()]


def _children() -> float:
    used = os.times()
    return used.children_user + used.children_system
