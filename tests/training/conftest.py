"""What the tests of training share: one thread, no progress, and songs of two genres."""

from collections.abc import Callable

import polars as pl
import pytest
import torch

from lyrist import progress


@pytest.fixture(autouse=True)
def calm() -> None:
    progress.quiet()
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def two_genres() -> Callable[..., pl.DataFrame]:
    """Return a function of forty songs of two genres, each with words of its own; ``counts[n % len(counts)]`` lines."""

    def songs(counts: range, more: Callable[[int], str] = lambda n: "") -> pl.DataFrame:
        words = {"rap": "money on my mind", "pop": "love in the rain"}
        genres = ["rap" if n % 2 else "pop" for n in range(40)]
        lyrics = [
            "".join(f"{words[genre]} {k}\n{more(n)}" for k in range(counts[n % len(counts)]))
            for n, genre in enumerate(genres)
        ]
        return pl.DataFrame({"lyrics": lyrics, "genre": genres})

    return songs
