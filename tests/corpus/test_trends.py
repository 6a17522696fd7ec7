"""Trends: the test has its known value, planted changes are found, and noise is not."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from lyrist.corpus import trends
from lyrist.corpus.explore import explore
from lyrist.corpus.profile import find
from lyrist.corpus.profile_page import trends_of

FILLER = [f"word{i}" for i in range(400)]


def songs_of(n: int, seed: int, *, planted: bool, years: int = 60) -> pl.DataFrame:
    """Return songs of six decades; with ``planted`` they get longer, and a word in them more frequent."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        year = 1950 + int(rng.integers(years))
        words = list(rng.choice(FILLER, 120 + (2 * (year - 1950) if planted else 0)))
        if planted and rng.random() < (year - 1950) / years:
            words[5] = "rocket"
        text = "\n".join(" ".join(words[j : j + 6]) for j in range(0, len(words), 6))
        rows.append({"title": f"Song {i}", "artist": f"Act {i % 40}", "genre": ["folk", "pop"][i % 2], "year": year,
                     "language": "en", "lyrics": text})  # fmt: skip
    return pl.DataFrame(rows)


@given(st.integers(1, 200), st.integers(1, 200), st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1900, 2000))
def test_with_two_periods_the_trend_is_the_test_of_two_proportions(n: int, m: int, p: float, q: float, at: int) -> None:
    a, b = round(n * p), round(m * q)
    z = trends.trend(np.array([[a, b]], float), np.array([n, m], float), np.array([at, at + 10.0]))[0]
    if not 0 < a + b < n + m:
        assert z == 0
        return
    chi = chi2_contingency([[a, n - a], [b, m - b]], correction=False).statistic
    assert z**2 == pytest.approx(chi, rel=1e-6, abs=1e-9)
    assert (z > 0) == (b / m > a / n) or z == pytest.approx(0, abs=1e-6)


def test_a_planted_change_is_found_with_its_size(make_corpus: Any) -> None:
    explored = explore(str(make_corpus(songs_of(900, 1, planted=True)).path))
    found = explored.found["trends"]
    assert found["length"] == 10
    assert [row["period"] for row in found["periods"]] == [1950, 1960, 1970, 1980, 1990, 2000]
    for row in found["all"]["words"]:
        middle = 120 + 2 * (row["period"] + 4.5 - 1950)
        assert row["low"] - 2 < middle < row["high"] + 2
    assert found["rising"][0]["word"] == "rocket"
    assert found["falling"] == []
    shares = found["rising"][0]["shares"]
    assert shares[-1] - shares[0] == pytest.approx(5 / 6, abs=0.15)
    assert {row["genre"] for row in found["genre"]} == {"folk", "pop"}
    html = (explored.path / "explore.html").read_text(encoding="utf-8")
    assert "Change over the years" in html
    assert "words in a song rose from" in html
    table = pl.read_csv(explored.path / "tables" / "trends.csv")
    assert set(table["by"]) >= {"all", "genre"}
    assert table.filter((pl.col("by") == "all") & (pl.col("measure") == "words"))["n"].sum() == 900


def test_noise_has_no_trend(make_corpus: Any) -> None:
    found = find(make_corpus(songs_of(600, 2, planted=False)), 5)["trends"]
    assert found["rising"] == found["falling"] == []


def test_songs_of_one_artist_count_as_one_cluster() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(100, 20, 10)
    songs = pl.DataFrame(
        {
            "id": range(400),
            "period": [1950] * 400,
            "artist": [f"a{i % 10}" for i in range(400)],
            "words": [level[i % 10] for i in range(400)],
        }
    )
    (row,) = trends._mean_by_period(songs, "words")
    expected = trends.Z * level.std(ddof=1) / np.sqrt(10)
    assert (row["high"] - row["low"]) / 2 == pytest.approx(expected)
    (single,) = trends._mean_by_period(songs.with_columns(artist=pl.lit(None, dtype=pl.String)), "words")
    assert single["high"] - single["low"] < (row["high"] - row["low"]) / 5


@pytest.mark.parametrize("years", [[None] * 90, [1999] * 90, [1900 + i for i in range(90)]])
def test_without_two_periods_of_enough_songs_there_is_no_section(make_corpus: Any, years: list[int | None]) -> None:
    songs = songs_of(90, 4, planted=False).with_columns(year=pl.Series(years, dtype=pl.Int64))
    found = find(make_corpus(songs), 5)
    assert found["trends"] is None
    assert trends_of(found) == []


def test_songs_of_few_years_are_grouped_by_year(make_corpus: Any) -> None:
    found = find(make_corpus(songs_of(200, 5, planted=False, years=4)), 5)["trends"]
    assert found["length"] == 1
    assert [row["period"] for row in found["periods"]] == [1950, 1951, 1952, 1953]
