"""Bits a byte by hand, and that neither the batch nor the order nor the tokenizer can move them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lyrist.errors import LyristError
from lyrist.metrics import language_modelling as language
from lyrist.metrics.intervals import bootstrap_ratio, paired_bootstrap_ratio


class Letters:
    """A writer that pays for each character by its code, and one nat for the end; it notes what it was given."""

    conditions: Mapping[str, Sequence[str]] = {"genre": ("rap", "pop")}

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.told: list[Mapping[str, str]] = []
        self.sizes: list[int] = []

    def losses(
        self, lyrics: Sequence[str], given: Sequence[Mapping[str, str]] | None = None, batch_size: int = 16
    ) -> list[NDArray[np.floating[Any]]]:
        self.told += given or []
        self.sizes.append(batch_size)
        return [np.array([*(self.scale * (ord(c) % 7) for c in text), 1.0]) for text in lyrics]


def frame(*lyrics: str, **more: Sequence[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"lyrics": list(lyrics), **{name: list(values) for name, values in more.items()}})


def test_figures_by_hand() -> None:
    losses = language.SongLosses(np.array([2.0, 6.0]), np.array([2, 2]), np.array([4, 8]))
    found = language.figures(losses)
    assert found["n"] == 2
    assert found["tokens"] == 4
    assert found["bytes"] == 12
    assert found["loss"] == 2
    assert found["perplexity"] == pytest.approx(math.exp(2))
    assert found["nats_per_byte"]["value"] == pytest.approx(8 / 12)
    bits = found["bits_per_byte"]
    assert bits["value"] == pytest.approx(8 / 12 / math.log(2))
    # Resamples of two songs: only the first (2/4), only the second (6/8), or both.
    assert bits["low"] == pytest.approx(0.5 / math.log(2))
    assert bits["high"] == pytest.approx(0.75 / math.log(2))


def test_bytes_are_those_of_utf8() -> None:
    losses = language.song_losses(Letters(), frame("né", "歌", "a\nb"))
    assert losses.bytes.tolist() == [3, 3, 3]
    assert losses.tokens.tolist() == [3, 2, 4]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=40), st.integers(1, 9), st.randoms())
def test_neither_batch_nor_order_moves_a_figure(lyrics: list[str], batch: int, random: Any) -> None:
    alone = language.song_losses(Letters(), frame(*lyrics), batch_size=1)
    batched = language.song_losses(Letters(), frame(*lyrics), batch_size=batch)
    assert np.array_equal(alone.nats, batched.nats)
    order = list(range(len(lyrics)))
    random.shuffle(order)
    shuffled = language.song_losses(Letters(), frame(*[lyrics[i] for i in order]), batch_size=batch)
    assert np.array_equal(shuffled.nats, alone.nats[order])
    mine, theirs = language.figures(alone), language.figures(shuffled)
    assert theirs["bits_per_byte"]["value"] == pytest.approx(mine["bits_per_byte"]["value"], rel=1e-12)


def test_a_writer_is_given_what_it_knows_and_nothing_else() -> None:
    writer = Letters()
    language.song_losses(writer, frame("a", "b", "c", genre=["rap", None, "polka"]), batch_size=3)
    assert writer.told == [{"genre": "rap"}, {}, {}]
    assert writer.sizes == [3]
    assert language.known_values(frame("a"), {"artist": ("ABBA",)}) == [{}]


def test_two_writers_on_the_same_songs() -> None:
    songs = frame(*(f"song {i} la la" for i in range(60)))
    good, bad = (language.song_losses(Letters(scale), songs) for scale in (1.0, 1.5))
    found = language.paired(good, bad)
    assert found["difference"] == pytest.approx((good.nats - bad.nats).sum() / good.bytes.sum() / math.log(2))
    assert found["low"] <= found["difference"] <= found["high"] < 0
    assert found["p"] < 0.01
    same = language.paired(good, good)
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)


def test_other_songs_cannot_be_compared() -> None:
    first, second = (language.song_losses(Letters(), frame(*texts)) for texts in (("a", "bb"), ("bb", "a")))
    with pytest.raises(LyristError, match="not scored on the same songs"):
        language.paired(first, second)


def test_what_was_scored_is_kept(tmp_path: Path) -> None:
    losses = language.song_losses(Letters(), frame("a", "bb", "ccc"))
    path = tmp_path / "predictions" / "test.parquet"
    language.write_losses(path, [7, 3, 9], losses)
    ids, found = language.read_losses(path)
    assert ids == [7, 3, 9]
    assert np.array_equal(found.nats, losses.nats)
    assert [p.name for p in path.parent.iterdir()] == ["test.parquet"]
    first, second = language.common((ids, found), ([9, 1, 7], losses))
    assert first.bytes.tolist() == [1, 3]
    assert second.bytes.tolist() == [3, 1]
    with pytest.raises(LyristError, match="no song in common"):
        language.common((ids, found), ([1], losses))


def test_damaged_or_missing_losses_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="not scored on these songs"):
        language.read_losses(tmp_path / "test.parquet")
    (tmp_path / "test.parquet").write_text("no table")
    with pytest.raises(LyristError, match="is damaged"):
        language.read_losses(tmp_path / "test.parquet")


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(LyristError, match="no song"):
        language.song_losses(Letters(), frame("x").head(0))
    with pytest.raises(LyristError, match="no lyrics at all"):
        language.song_losses(Letters(), frame("x", ""))
    with pytest.raises(LyristError, match="diverged"):
        language.song_losses(Letters(math.nan), frame("x"))


def test_an_endless_perplexity_stays_a_number() -> None:
    assert language.perplexity(119.2) == pytest.approx(5.85e51, rel=0.01)
    assert math.isfinite(language.perplexity(5_000))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100), st.integers(1, 99)), min_size=1, max_size=30))
def test_an_interval_holds_its_ratio_between_the_extremes(rows: list[tuple[float, float, int]]) -> None:
    first, second, size = (np.array(column) for column in zip(*rows, strict=True))
    low, high = bootstrap_ratio(first, size)
    assert (first / size).min() - 1e-9 <= low <= high <= (first / size).max() + 1e-9
    found = paired_bootstrap_ratio(first, second, size)
    swapped = paired_bootstrap_ratio(second, first, size)
    assert found["difference"] == pytest.approx(-swapped["difference"])
    assert found["low"] == pytest.approx(-swapped["high"])


def test_a_ratio_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_ratio([], [])
    with pytest.raises(ValueError, match="the same songs"):
        paired_bootstrap_ratio([1.0], [1.0, 2.0], [1])
