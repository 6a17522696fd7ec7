"""PPMd as a writer that costs nothing: each song alone after the primer."""

import zlib

import numpy as np
import pyppmd
import pytest

from lyrist.errors import LyristError
from lyrist.evaluation import compression

WORDS = [
    "river",
    "light",
    "window",
    "paper",
    "morning",
    "stone",
    "garden",
    "seven",
    "yellow",
    "silence",
    "engine",
    "mirror",
]


def songs(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["\n".join(" ".join(rng.choice(WORDS, 6)) for _ in range(12)) for _ in range(count)]


def alone(primer: bytes, song: bytes, order: int) -> int:
    """What a song adds to the compressed length of the primer, from scratch."""
    sizes = []
    for text in (primer, primer + song):
        encoder = pyppmd.Ppmd7Encoder(order, 64 << 20)
        sizes.append(len(encoder.encode(text)) + len(encoder.flush()))
    return sizes[1] - sizes[0]


def test_each_song_costs_what_it_adds_to_the_primer_alone() -> None:
    held = songs(6, seed=1)
    primer = "\0".join([*songs(20, seed=2), ""]).encode()
    found = compression._run(primer, [text.encode() for text in held], 8)
    assert found == [alone(primer, text.encode() + b"\0", 8) for text in held]


def test_figures_have_an_interval_and_say_what_was_read() -> None:
    train, held = songs(40, seed=3), songs(10, seed=4)
    found = compression.ppmd(train, held)
    bits = found["bits_per_byte"]
    assert bits["low"] <= bits["value"] <= bits["high"]
    assert found["n"] == 10
    assert found["bytes"] == sum(map(len, held))
    assert found["primer_bytes"] == sum(map(len, train)) + 40
    assert found["cpu_seconds"] > 0
    # Twelve words at random are 3.6 bits each; the letters of a known word are free.
    per_word = np.log2(12) / np.mean([len(word) + 1 for word in WORDS])
    assert per_word < bits["value"] < 1.6 * per_word
    assert bits["value"] < 8 * len(zlib.compress("".join(held).encode(), 9)) / found["bytes"]


def test_held_out_songs_do_not_help_each_other() -> None:
    train = songs(10, seed=5)
    strange = "Quizzical zephyrs vex bold jackdaws by the waxing moon\n" * 2
    one, many = compression.ppmd(train, [strange]), compression.ppmd(train, [strange] * 5)
    assert many["bits_per_byte"]["value"] == one["bits_per_byte"]["value"]


def test_more_than_the_limits_is_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "SONGS", 3)
    monkeypatch.setattr(compression, "PRIMER", 2_000)
    first, again = (compression.ppmd(songs(30, seed=6), songs(9, seed=7), seed=1) for _ in range(2))
    assert first["n"] == 3
    assert first["primer_bytes"] <= 2_000
    assert {**first, "cpu_seconds": 0} == {**again, "cpu_seconds": 0}


def test_failures_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LyristError, match="needs songs"):
        compression.ppmd([], ["a"])
    monkeypatch.setattr(compression, "_SPARE", -(1 << 60))  # no such memory
    with pytest.raises(LyristError, match="PPMd failed"):
        compression._run(b"primer", [b"song"], 24)
