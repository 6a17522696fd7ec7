"""A separate program: compresses each song with PPMd after a primer. Started by `lyrist.evaluation.compression`.

The state of PPMd cannot be copied, and PPMd learns from everything it encodes. Each song has to be encoded after the primer
alone, as a language model scores it. So the process that has read the primer forks: every child has a copy of the state (the
operating system copies only the pages that change), encodes one song and ends. Forking is safe only in a process without
other threads, which is why this is a program and not a function.

Standard input: order and memory as one line; then the lengths in bytes of the primer and of the songs as one line;
then the texts themselves. Standard output: the compressed bytes that each song added, one line each.
"""

from __future__ import annotations

import os
import sys

import pyppmd


def main() -> None:
    """Read the primer and the songs from standard input and write the compressed size of each song."""
    order, memory = (int(number) for number in sys.stdin.buffer.readline().split())
    lengths = [int(number) for number in sys.stdin.buffer.readline().split()]
    encoder = pyppmd.Ppmd7Encoder(order, memory)
    encoder.encode(sys.stdin.buffer.read(lengths[0]))
    # The range coder holds back a few bytes until it is flushed: the same number with or without a song.
    flushed = _size_in_child(encoder, b"")
    for length in lengths[1:]:
        sys.stdout.write(f"{_size_in_child(encoder, sys.stdin.buffer.read(length)) - flushed}\n")


def _size_in_child(encoder: pyppmd.Ppmd7Encoder, song: bytes) -> int:
    """Return the bytes that the encoder writes for ``song`` and the flush, in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        size = len(encoder.encode(song)) + len(encoder.flush())
        os.write(writing, str(size).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        size_text = answer.read()
    os.waitpid(child, 0)
    return int(size_text)


if __name__ == "__main__":
    main()
