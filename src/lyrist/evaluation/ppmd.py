"""A program of its own: what PPMd pays for each song after it has read a primer. Run by `lyrist.evaluation.compression`.

PPMd's state cannot be copied, and it learns from all that it encodes. So that each song is encoded after the primer alone,
as a writer scores it, the process that has read the primer forks: every child owns a copy of the state (the operating
system copies only the pages that the song changes), encodes its one song and ends. A process that does nothing else may
fork without care for threads, which is why this is not a function.

Standard input: order and memory as one line; then the lengths in bytes of the primer and of the songs as one line;
then all of them. Standard output: the bytes that each song added, one line each.
"""

from __future__ import annotations

import os
import sys

import pyppmd


def main() -> None:
    """Read the primer and the songs from standard input and write what each song cost."""
    order, memory = (int(number) for number in sys.stdin.buffer.readline().split())
    lengths = [int(number) for number in sys.stdin.buffer.readline().split()]
    encoder = pyppmd.Ppmd7Encoder(order, memory)
    encoder.encode(sys.stdin.buffer.read(lengths[0]))
    # The range coder holds back a few bytes until it is flushed: the same few, with or without a song.
    flushed = _apart(encoder, b"")
    for length in lengths[1:]:
        sys.stdout.write(f"{_apart(encoder, sys.stdin.buffer.read(length)) - flushed}\n")


def _apart(encoder: pyppmd.Ppmd7Encoder, song: bytes) -> int:
    """Return the bytes that the encoder writes for ``song`` and its flush, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        size = len(encoder.encode(song)) + len(encoder.flush())
        os.write(writing, str(size).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return int(told)


if __name__ == "__main__":
    main()
