"""One shard: every row leaves with a reason or as a song, and a shard that is done is not done again."""

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus.cleaning import Cleaning
from lyrist.corpus.shards import Filters, clean_shard, judge
from lyrist.text import words
from songtables.fouracts import songbook

SONG = songbook()[0].lyrics


def table(**columns: Any) -> pl.DataFrame:
    size = len(columns["lyrics"])
    empty = dict.fromkeys(("title", "artist", "genre", "language", "split"), [None] * size)
    frame = pl.DataFrame({**empty, **columns}, schema_overrides=dict.fromkeys(empty, pl.String))
    return frame.with_columns(
        id=pl.int_range(size), source=pl.lit("t.csv"), row=pl.int_range(size) + 1, year=pl.lit(None, pl.Int32)
    )


@pytest.mark.parametrize(
    ("lyrics", "filters", "reason"),
    [
        (SONG, Filters(), None),
        ("\n".join(f"{day}/05 the hall of town {day}" for day in range(10, 22)), Filters(), "non-song"),
        ("\n".join(f"{day}/05 the hall of town {day}" for day in range(10, 22)), Filters(non_songs=True), None),
        ("", Filters(), "empty"),
        ("[Instrumental]", Filters(), "instrumental"),
        ("la la la", Filters(), "too-short"),
        (SONG, Filters(max_words=20), "too-long"),
        (SONG, Filters(labelled=("genre",)), "unlabelled"),
        (SONG, Filters(genres=("rap",)), "unwanted-genre"),
        (SONG, Filters(languages=("de",)), "other-language"),
        (SONG, Filters(languages=("en",)), None),
    ],
)
def test_each_reason(lyrics: str, filters: Filters, reason: str | None) -> None:
    assert judge(table(lyrics=[lyrics]), filters)["reason"].to_list() == [reason]


@settings(max_examples=60, deadline=None)
@given(
    lyrics=st.text(alphabet="ab'’ \n.é_漢", max_size=60),
    least=st.integers(0, 6),
    most=st.integers(0, 8),
)
def test_length_limits_use_the_full_word_count(lyrics: str, least: int, most: int) -> None:
    long = lyrics + " " * 200 + "a" if least % 2 else lyrics  # one word more, after what is read first
    count = len(words(long))
    reason = judge(table(lyrics=[long]), Filters(min_words=least, max_words=most))["reason"][0]
    assert reason == ("empty" if not count else "too-short" if count < least else "too-long" if count > most else None)


def test_the_language_is_told_of_songs_that_stay_only() -> None:
    told = judge(table(lyrics=[SONG, "la la la", SONG]), Filters())
    assert told["language"].to_list() == ["en", None, "en"]


def test_a_shard_is_accounted_for_and_not_done_twice(tmp_path: Path) -> None:
    for name in ("raw", "clean", "keys", "signatures", "dropped", "counts", "changed"):
        (tmp_path / name).mkdir()
    shard = tmp_path / "raw" / "00000-0-0.parquet"
    table(lyrics=[SONG, None, "too short", SONG.upper()], mood=["a", "b", "c", "d"]).write_parquet(shard)
    settings = {
        "cleaning": dataclasses.asdict(Cleaning()),
        "filters": dataclasses.asdict(Filters()),
        "signatures": True,
        "scale": None,
        "mask": [],
        "keep": ["mood"],
    }
    counts = clean_shard(str(shard), settings)
    assert counts["read"] == 4 == counts["kept"] + sum(counts["reasons"].values())
    keys = pl.read_parquet(tmp_path / "keys" / "00000-0-0.parquet")
    assert keys["mood"].to_list() == ["a", "d"]
    assert counts["reasons"] == {"empty": 1, "too-short": 1}
    signed = pl.read_parquet(tmp_path / "signatures" / "00000-0-0.parquet")
    assert signed["id"].to_list() == keys["id"].to_list()
    assert signed["key"].n_unique() == 1  # the same text but for case
    shard.unlink()
    assert clean_shard(str(shard), settings) == counts
