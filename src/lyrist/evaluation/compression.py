"""The baseline for language models: the file compressor PPMd on the same songs, in the same bits per byte.

PPMd (Shkarin 2002, variant H, as in 7-Zip) predicts each byte from up to 24 preceding bytes. It knows nothing about songs
and runs in seconds, yet small networks score worse. A language model that does not beat it has learnt little.

To be comparable with a language model, PPMd first reads the training songs (the primer). Then each held-out song is encoded
on its own by a copy of that state. (In one stream, each held-out song would benefit from those before it.) A song ends with
a zero byte, which counts like the end-of-song token of a language model. The size of a song is what it adds to the compressed
length, in whole bytes, without the bytes that the coder writes at the end of every stream.
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
"""Bytes of context. Measured on 5,266 songs: 1.72 bits per byte at order 6, 1.43 at 12, 1.34 at 24."""

PRIMER = 16_000_000
"""Largest primer in bytes; of a larger training split a random sample is read."""

SONGS = 1_000
"""Largest number of held-out songs, sampled at random: each takes a process, about ten milliseconds."""

_MEMORY_PER_BYTE = 72  # measured: 55 bytes per byte at order 24; PPMd discards its model when memory is full
_SPARE = 32 << 20
_END = b"\0"


def ppmd(train: Sequence[str], songs: Sequence[str], *, order: int = ORDER, seed: int = 0) -> dict[str, Any]:
    """Return the score of PPMd on held-out songs after it has read the training songs.

    Parameters
    ----------
    train
        The primer; a random sample of it if it is larger than `PRIMER` bytes.
    songs
        The held-out songs; a random sample if there are more than `SONGS`.
    order
        Bytes of context, 2 to 64.
    seed
        Seed of both samples.

    Returns
    -------
    dict
        ``bits_per_byte``: value, and low and high of its 95% bootstrap interval over songs; ``n`` songs and their
        ``bytes``; ``primer_bytes``; ``order``; ``cpu_seconds``.

    Raises
    ------
    LyristError
        A list is empty, or the compressor failed (usually for lack of memory).
    """
    read = read_by_ppmd(train, songs, order=order, seed=seed)
    return read.figures()


@dataclass(frozen=True)
class Read:
    """The compressed size of each held-out song."""

    places: list[int]
    """Indices of these songs in the list that was passed."""
    losses: SongLosses
    """Compressed bytes as nats; the tokens are bytes, including the end of each song."""
    primer_bytes: int
    order: int
    cpu_seconds: float

    def figures(self) -> dict[str, Any]:
        """Return the scores in the format of `ppmd`."""
        scored = figures(self.losses)
        return {
            **{name: scored[name] for name in ("bits_per_byte", "n", "bytes")},
            "primer_bytes": self.primer_bytes,
            "order": self.order,
            "cpu_seconds": self.cpu_seconds,
        }


def read_by_ppmd(train: Sequence[str], songs: Sequence[str], *, order: int = ORDER, seed: int = 0) -> Read:
    """Return the compressed size of each song, for a paired comparison with a language model; parameters as `ppmd`."""
    if not train or not songs:
        raise LyristError("PPMd needs songs: at least one to read as the primer and one to score.")
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
    """Return training songs in random order (so that no artist is always last), up to the size limit."""
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
    """Return the compressed bytes that each song adds; see `lyrist.evaluation.ppmd`."""
    memory = _MEMORY_PER_BYTE * (len(primer) + max(map(len, songs))) + _SPARE
    ended = [song + _END for song in songs]
    lengths = " ".join(str(len(part)) for part in [primer, *ended])
    stdin = b"".join([f"{order} {memory}\n{lengths}\n".encode(), primer, *ended])
    command = [sys.executable, "-m", "lyrist.evaluation.ppmd"]
    # Large pages halve the cost of a fork; a C library or system without them ignores this.
    environment = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise LyristError(f"PPMd failed ({reason}); it needs some {memory >> 20} MB of memory for these songs.")
    return [int(line) for line in done.stdout.split()]


def _children() -> float:
    used = os.times()
    return used.children_user + used.children_system
