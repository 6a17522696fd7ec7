"""What becomes of each clean song: copies go, classes are levelled, and what is left is dealt out."""

from pathlib import Path
from typing import Any

import polars as pl

from lyrist.corpus import splits
from lyrist.corpus.duplicates import FOUND_SCHEMA, copy_details, with_names
from lyrist.corpus.splits import Split, read_labels

SONGS = 40


def keys(folder: Path, **columns: Any) -> Path:
    """Write what the text pass leaves of 40 songs: two shards, the later first."""
    (folder / "keys").mkdir()
    frame = pl.DataFrame(
        {
            "id": range(10, 10 + SONGS),
            "title": [f"t{number}" for number in range(SONGS)],
            "artist": [None if number % 7 == 0 else f"Artist {number % 5}" for number in range(SONGS)],
            "genre": ["rap" if number % 4 else "pop" for number in range(SONGS)],
            **columns,
        }
    )
    frame[20:].write_parquet(folder / "keys" / "0.parquet")
    frame[:20].write_parquet(folder / "keys" / "1.parquet")
    return folder


def clusters(*rows: tuple[int, int, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FOUND_SCHEMA, orient="row")


COPIES = clusters((10, 10, "first", 1.0), (12, 10, "exact", 1.0), (30, 10, "near", 0.751), (49, 49, "first", 1.0))


def decide(work: Path, **given: Any) -> tuple[pl.DataFrame, int]:
    asked = {"drop": True, "balanced": None, "seed": 0, **given}
    songs = read_labels(work, ["artist", "genre", "artist"])
    return splits.decide(songs, with_names(work, COPIES), Split(), **asked)


def test_copies_go_and_each_other_song_has_a_side(tmp_path: Path) -> None:
    found, leaked = decide(keys(tmp_path))
    assert found["id"].to_list() == list(range(10, 10 + SONGS))
    assert dict(found.drop_nulls("reason").select("id", "reason").iter_rows()) == {
        12: "exact-duplicate",
        30: "near-duplicate",
    }
    assert (found["split"].is_null() == found["reason"].is_not_null()).all()
    assert found.filter(pl.col("id").is_in([12, 30]))["cluster"].to_list() == [10, 10]
    assert leaked == 0


def test_copies_that_stay_stand_on_one_side(tmp_path: Path) -> None:
    found, leaked = decide(keys(tmp_path), drop=False)
    assert found["reason"].null_count() == SONGS
    assert found.filter(pl.col("cluster") == 10)["split"].n_unique() == 1
    assert leaked == 0


def test_a_balance_takes_no_copy_for_a_song(tmp_path: Path) -> None:
    found, _ = decide(keys(tmp_path), balanced="genre")
    genre = read_labels(tmp_path, ["genre"]).with_columns(pl.col("genre").cast(pl.String))
    stay = found.join(genre, on="id").drop_nulls("split")["genre"].value_counts()
    assert set(stay["count"]) == {9}  # one of the ten pop songs is a copy
    assert "balance" in found["reason"].cast(pl.String).to_list()


def test_what_a_copy_is_of_is_told_in_words(tmp_path: Path) -> None:
    told = copy_details(with_names(keys(tmp_path), COPIES))
    assert told.rows() == [(12, "of id 10 (? - t0), Jaccard 1.0"), (30, "of id 10 (? - t0), Jaccard 0.75")]
