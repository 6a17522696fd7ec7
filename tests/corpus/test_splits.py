"""Splits: nothing stands on two sides, the shares are as asked, and neither order nor chance outside the seed decides."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus.splits import Split, assign, balance, leak, leaks
from lyrist.errors import LyristError, UsageError
from lyrist.text import key

SIDES = ("train", "validation", "test")


def songs(
    cluster: Any = None, artist: Any = None, genre: Any = None, count: int | None = None, **columns: Any
) -> pl.DataFrame:
    """Return a table of songs; what is not given is null, or a cluster of one's own."""
    size = next(len(column) for column in (cluster, artist, genre, range(count or 0)) if column is not None)
    ids = np.arange(size)
    table = {"id": ids, "cluster": ids if cluster is None else cluster, "artist": artist, "genre": genre, **columns}
    return pl.DataFrame(
        {name: [None] * size if values is None else values for name, values in table.items()},
        schema_overrides={"id": pl.Int64, "cluster": pl.Int64, "artist": pl.String, "genre": pl.String},
    )


def sizes(sides: pl.Series) -> dict[str, int]:
    return {side: int((sides == side).sum()) for side in SIDES}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Tables with near-copies, also across artists, missing artists and missing genres, in any proportion."""
    size = draw(st.integers(3, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups, artists, genres = (draw(st.integers(1, size)) for _ in range(3))
    link = rng.integers(0, groups, size)
    names = ["Ann", "ANN!", "ann", *(f"act {n}" for n in range(artists))]
    frame = songs(
        cluster=[int(np.flatnonzero(link == c)[0]) for c in link],
        artist=[None if rng.random() < 0.1 else names[rng.integers(len(names))] for _ in range(size)],
        genre=[None if rng.random() < 0.1 else f"genre {rng.integers(genres)}" for _ in range(size)],
    )
    return frame.with_columns(pl.col("id") * 37 - 500, pl.col("cluster") * 37 - 500)


splits = st.builds(
    Split,
    by=st.sampled_from(["song", "artist"]),
    validation=st.sampled_from([0.0, 0.05, 0.1, 0.3]),
    test=st.sampled_from([0.0, 0.1, 0.2, 0.6]),
    seed=st.integers(0, 5),
    stratify=st.sampled_from([None, "genre", "artist"]),
)


def dealt(frame: pl.DataFrame, split: Split) -> pl.Series | None:
    """Return the sides, or None where there are too few groups."""
    try:
        return assign(frame, split)
    except LyristError:
        return None


def groups_of(frame: pl.DataFrame, by: str) -> list[int]:
    """Return the group of each song, by brute force."""
    group = frame["id"].to_list()
    names = [key(artist) if artist else None for artist in frame["artist"]]
    links = [frame["cluster"].to_list()] + ([names] if by == "artist" else [])
    for _ in range(len(group)):
        for link in links:
            least: dict[Any, int] = {}
            for value, own in zip(link, group, strict=True):
                least[value] = min(own, least.get(value, own))
            group = [own if v is None else least[v] for v, own in zip(link, group, strict=True)]
    return group


@settings(max_examples=150, deadline=None)
@given(tables(), splits)
def test_every_song_has_one_side_and_no_group_stands_on_two(frame: pl.DataFrame, split: Split) -> None:
    group = groups_of(frame, split.by)
    sides = dealt(frame, split)
    asked = [side for side, share in zip(SIDES[1:], (split.validation, split.test), strict=True) if share]
    if sides is None:
        assert len(set(group)) <= len(asked) or frame["artist"].is_null().all()
        return
    assert sides.name == "split"
    assert sides.null_count() == 0
    assert leaks(frame, sides) == 0
    assert len(set(zip(group, sides, strict=True))) == len(set(group))
    assert set(sides) == {"train", *asked}


@settings(max_examples=80, deadline=None)
@given(tables(), splits, st.integers(0, 99))
def test_the_order_of_the_rows_decides_nothing(frame: pl.DataFrame, split: Split, seed: int) -> None:
    sides = dealt(frame, split)
    if sides is None:
        return
    wanted = frame.select("id", split=sides).sort("id")
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    assert shuffled.select("id", split=assign(shuffled, split)).sort("id").equals(wanted)


@settings(max_examples=80, deadline=None)
@given(tables(), splits)
def test_a_class_with_a_group_for_each_side_stands_on_all_sides(frame: pl.DataFrame, split: Split) -> None:
    """On all sides where no song has two classes in its group; in training always."""
    sides = dealt(frame, split)
    if sides is None:
        return
    needed = 1 + (split.validation > 0) + (split.test > 0)
    column = split.stratify or ("genre" if frame["genre"].is_not_null().any() else None)
    if column != "genre":
        return
    table = frame.with_columns(group=pl.Series(groups_of(frame, split.by)), side=sides)
    mixed = set(table.group_by("group").agg(pl.col("genre").n_unique()).filter(pl.col("genre") > 1)["group"])
    for (genre,), part in table.drop_nulls("genre").group_by("genre"):
        if part["group"].n_unique() >= needed:
            assert "train" in part["side"], genre
            if not mixed and not (table["genre"].is_null().any()):
                assert part["side"].n_unique() == needed, genre


def test_another_seed_gives_another_split() -> None:
    frame = songs(artist=[f"act {i % 50}" for i in range(500)], genre=[f"g{i % 4}" for i in range(500)])
    for by in ("song", "artist"):
        found = [assign(frame, Split(by=by, seed=seed)).to_list() for seed in (0, 0, 1)]
        assert found[0] == found[1] != found[2]


def test_the_split_of_a_table_never_changes() -> None:
    """A corpus made today and one made by the next version must have the same test songs."""
    frame = songs(artist=[f"act {i % 7}" for i in range(30)])
    held = [i for i, side in enumerate(assign(frame, Split(seed=5))) if side == "test"]
    assert held == [2, 5, 7, 13, 18, 22, 24]


@pytest.mark.parametrize("by", ["song", "artist"])
@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.05, 0.2), (0.3, 0.3), (0, 0.1), (0.01, 0)])
def test_many_small_groups_are_dealt_as_asked(by: Any, validation: float, test: float) -> None:
    rng = np.random.default_rng(1)
    frame = songs(
        artist=[f"act {i}" for i in rng.integers(0, 800, 4000)], genre=[f"g{i}" for i in rng.integers(0, 5, 4000)]
    )
    found = sizes(assign(frame, Split(by=by, validation=validation, test=test)))
    assert found["validation"] == pytest.approx(4000 * validation, abs=20)
    assert found["test"] == pytest.approx(4000 * test, abs=20)


@pytest.mark.parametrize("by", ["song", "artist"])
def test_every_class_has_its_share_on_every_side(by: Any) -> None:
    rng = np.random.default_rng(2)
    genre = rng.choice(["rock", "pop", "jazz"], p=[0.6, 0.3, 0.1], size=300)
    acts = rng.integers(0, 300, 5000)
    frame = songs(artist=[f"act {i}" for i in acts], genre=genre[acts].tolist())
    table = frame.with_columns(assign(frame, Split(by=by)))
    for (name,), part in table.group_by("genre"):
        for side in ("validation", "test"):
            assert (part["split"] == side).mean() == pytest.approx(0.1, abs=0.015), name


def test_songs_are_stratified_by_genre_and_where_there_is_none_by_artist() -> None:
    artist = [f"act {i % 20}" for i in range(400)]
    for frame, column in (
        (songs(artist=artist), "artist"),
        (songs(artist=artist, genre=[a[-1] for a in artist]), "genre"),
    ):
        counted = frame.with_columns(assign(frame, Split())).group_by(column, "split").len()
        for side in ("validation", "test"):
            here = counted.filter(pl.col("split") == side)["len"]
            assert len(here) == frame[column].n_unique()
            assert here.max() - here.min() <= 1


def test_a_class_of_three_songs_stands_on_three_sides_and_one_of_two_in_training() -> None:
    genre = ["rock"] * 100 + ["polka"] * 3 + ["ska"] * 2 + ["dub"]
    table = songs(genre=genre)
    table = table.with_columns(assign(table, Split()))
    side = {name: sorted(part["split"]) for (name,), part in table.group_by("genre")}
    assert side["polka"] == ["test", "train", "validation"]
    assert side["ska"] == ["train", "train"]
    assert side["dub"] == ["train"]


def test_a_class_that_never_stands_alone_is_in_training_too() -> None:
    """The largest artist of each rarer class is kept for training, and none of the two sings jazz."""
    acts = [["jazz", "ska"], ["jazz", "ska"], ["ska"] * 3, ["jazz", "dub"], ["jazz", "dub"], ["dub"] * 3]
    frame = songs(
        artist=[f"act {number}" for number, act in enumerate(acts) for _ in act], genre=[g for act in acts for g in act]
    )
    for seed in range(10):
        table = frame.with_columns(assign(frame, Split(by="artist", seed=seed)))
        assert "train" in table.filter(pl.col("genre") == "jazz")["split"]
        assert table["split"].n_unique() == 3


def test_thousands_of_tiny_classes_do_not_blow_up_a_side() -> None:
    frame = songs(artist=[f"act {i % 2000}" for i in range(8000)])
    found = sizes(assign(frame, Split()))
    assert 800 <= found["test"] <= 1010
    assert 800 <= found["validation"] <= 1010


def test_a_column_of_hardly_any_classes_is_no_reason_to_put_all_in_training() -> None:
    frame = songs(artist=[f"act {i}" for i in range(1000)])
    assert sizes(assign(frame, Split(stratify="artist"))) == {"train": 800, "validation": 100, "test": 100}


def test_large_artists_go_to_training() -> None:
    frame = songs(artist=["huge"] * 500 + ["large"] * 150 + [f"act {i // 5}" for i in range(350)])
    table = frame.with_columns(assign(frame, Split(by="artist")))
    assert set(table.filter(pl.col("artist").is_in(["huge", "large"]))["split"]) == {"train"}
    assert sizes(table["split"]) == {"train": 800, "validation": 100, "test": 100}


@pytest.mark.parametrize("acts", [[40, 30, 30], [100, 50, 30, 20], [10, 10, 10, 10, 10], [1000, 1, 1]])
def test_few_large_artists_leave_no_side_empty(acts: list[int]) -> None:
    frame = songs(artist=[f"act {i}" for i, songs_ in enumerate(acts) for _ in range(songs_)])
    found = sizes(assign(frame, Split(by="artist")))
    assert min(found.values()) >= min(acts)
    assert found["train"] >= max(acts)


def test_artists_who_sing_the_same_song_stay_together() -> None:
    artist = [f"act {i // 10}" for i in range(200)]
    cluster = list(range(200))
    cluster[15], cluster[25] = 5, 15 - 10  # songs of act 1 and act 2 are copies of one of act 0
    frame = songs(artist=artist, cluster=cluster)
    for seed in range(5):
        sides = assign(frame, Split(by="artist", seed=seed))
        assert len(set(sides[:30])) == 1
        assert leaks(frame, sides) == 0


def test_the_songs_of_no_artist_are_no_group() -> None:
    frame = songs(artist=["act"] * 10 + [None] * 90)
    assert sizes(assign(frame, Split(by="artist"))) == {"train": 80, "validation": 10, "test": 10}


# --- the table's own split


def test_the_tables_own_split_is_taken_under_its_common_names() -> None:
    values = ["train", "Training ", "VALIDATION", "val", "dev", "valid", "test", "Testing"]
    found = assign(songs(count=8, split=values), Split(column="fold"))
    assert found.to_list() == ["train"] * 2 + ["validation"] * 4 + ["test"] * 2


def test_the_tables_own_split_is_kept_where_it_tears_near_copies_apart() -> None:
    frame = songs(cluster=[0, 0, 2, 2, 4], split=["train", "test", "dev", "dev", "test"])
    sides = assign(frame, Split(column="fold"))
    assert leaks(frame, sides) == 1
    assert sides.to_list() == ["train", "test", "validation", "validation", "test"]


def test_songs_without_a_side_tear_nothing_apart() -> None:
    assert leaks(songs(cluster=[0, 0, 0]), pl.Series(["train", None, "train"])) == 0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["train", "holdout", "holdout"], r"'fold' says 'holdout' in 2 rows, which names no split"),
        (["a", "b", "b"], r"says 'b' in 2 rows \(and 1 other values\)"),
        (["train", None, ""], r"is empty in 2 rows"),
        ([1, 2, 2], r"says '2' in 2 rows"),
    ],
)
def test_a_value_that_names_no_side_is_told_with_its_rows(values: list[Any], told: str) -> None:
    with pytest.raises(LyristError, match=told):
        assign(songs(count=3, split=values), Split(column="fold"))


# --- by year


def test_by_year_training_ends_before_the_test_begins() -> None:
    frame = songs(count=200, year=[1990 + number % 20 for number in range(200)])
    for split in (Split(by="year"), Split(by="year", train_until=2007)):
        table = frame.with_columns(assign(frame, split))
        years = {side: table.filter(pl.col("split") == side)["year"] for side in SIDES}
        assert max(years["train"].max(), years["validation"].max()) == 2007  # type: ignore[type-var]
        assert years["test"].min() == 2008
        assert sizes(table["split"]) == {"train": 160, "validation": 20, "test": 20}


def test_a_later_version_of_an_earlier_song_is_on_no_side() -> None:
    frame = songs(cluster=[0, 0, *range(2, 40)], year=[1990, 2010, *[2000] * 28, *[2010] * 10])
    sides = assign(frame, Split(by="year", train_until=2005))
    assert sides[1] is None
    assert sides.null_count() == 1
    assert sides[0] != "test"
    assert leaks(frame, sides) == 0


@pytest.mark.parametrize(("until", "told"), [(2000, "no song is later"), (1980, "every song is later")])
def test_a_year_that_divides_nothing_is_an_error_with_the_years_there_are(until: int, told: str) -> None:
    frame = songs(count=20, year=[1990 + number % 5 for number in range(20)])
    with pytest.raises(LyristError, match=f"{told}.*1990 to 1994.*--train-until"):
        assign(frame, Split(by="year", train_until=until))


# --- by a column, and stable


def test_the_songs_of_a_group_are_on_one_side() -> None:
    frame = songs(count=300, album=[f"album {number % 40}" if number % 9 else None for number in range(300)])
    for stable in (False, True):
        table = frame.with_columns(assign(frame, Split(by="album", stable=stable)))
        assert table.drop_nulls("album").group_by("album").agg(pl.col("split").n_unique())["split"].max() == 1
        assert table["split"].n_unique() == 3
    with pytest.raises(LyristError, match="No song has a value in the column 'album'"):
        assign(frame.with_columns(album=pl.lit(None, pl.String)), Split(by="album"))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["song", "artist", "album"]), st.integers(0, 9), st.integers(0, 99))
def test_a_stable_split_keeps_every_side_when_songs_are_added_or_ids_change(by: str, seed: int, order: int) -> None:
    columns = {"artist": [f"act {i % 97}" for i in range(500)], "album": [f"album {i % 83}" for i in range(500)]}
    frame = songs(**columns, key=[int(hash_) for hash_ in np.arange(500) * 977])
    split = Split(by=by, stable=True, seed=seed)
    whole = frame.select("key", split=assign(frame, split))
    some = frame.head(300).sample(fraction=1, shuffle=True, seed=order).with_columns(id=pl.int_range(pl.len()))
    some = some.with_columns(cluster=pl.col("id"))
    before = some.select("key", split=assign(some, split))
    assert before.join(whole, on="key").select((pl.col("split") == pl.col("split_right")).all()).item()


def test_a_stable_split_has_nearly_the_shares_that_are_requested() -> None:
    frame = songs(count=5000, key=[int(hash_) for hash_ in np.arange(5000) * 977])
    found = sizes(assign(frame, Split(stable=True, test=0.2)))
    assert found["test"] == pytest.approx(1000, abs=100)
    assert found["validation"] == pytest.approx(500, abs=75)
    with pytest.raises(LyristError, match="leave --stable out"):
        assign(frame.head(3), Split(stable=True))


# --- errors


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"validation": -0.1}, "--validation is a share"),
        ({"test": 1.0}, "--test is a share"),
        ({"test": float("nan")}, "--test is a share"),
        ({"validation": 0.5, "test": 0.5}, "leave no song for training"),
        ({"by": ""}, "song, artist, year or a column"),
        ({"train_until": 2000}, "needs --split-by year"),
        ({"by": "year", "stable": True}, "--stable is for"),
        ({"seed": -1}, "--seed is 0 or above"),
    ],
)
def test_shares_that_cannot_be_are_wrong_usage(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Split(**options)


def test_too_few_groups_are_told_with_the_way_out() -> None:
    with pytest.raises(LyristError, match="2 different songs cannot be divided into 3 splits; add songs"):
        assign(songs(cluster=[0, 0, 0, 3]), Split())
    with pytest.raises(LyristError, match=r"1 group of artists and near-copies .* use --split-by song"):
        assign(songs(artist=["a", "A", "a!"]), Split(by="artist", validation=0))
    with pytest.raises(LyristError, match="No song has an artist"):
        assign(songs(artist=[None, " ", ""]), Split(by="artist"))
    with pytest.raises(LyristError, match="0 different songs"):
        assign(songs(count=0), Split())
    assert assign(songs(cluster=[0, 0, 0]), Split(validation=0, test=0)).to_list() == ["train"] * 3


# --- balance and leak


@given(st.lists(st.sampled_from(["rock", "pop", "jazz", None]), min_size=1), st.integers(0, 9))
def test_balanced_classes_are_as_many_as_the_rarest(genre: list[str | None], seed: int) -> None:
    frame = songs(genre=genre)
    kept = frame.filter(pl.col("id").is_in(balance(frame, "genre", seed).implode()))
    counted = Counter(genre)
    counted.pop(None, None)
    assert Counter(kept["genre"]) == dict.fromkeys(counted, min(counted.values(), default=0))
    again = balance(frame.reverse(), "genre", seed)
    assert again.is_sorted()
    assert again.equals(kept["id"])


def test_what_a_random_split_leaks_is_measured() -> None:
    pairs = [i - i % 2 for i in range(4000)]
    alone = songs(artist=[f"act {i}" for i in range(4000)])
    assert leak(alone) == {"test": 400, "artist": 0.0, "near_copy": 0.0}
    found = leak(songs(cluster=pairs, artist=["act"] * 3999 + [None]), seed=3)
    assert found["artist"] >= 0.99
    assert found["near_copy"] == pytest.approx(0.8, abs=0.06)
    assert leak(songs(artist=[None] * 10)) == {"test": 1, "artist": 0.0, "near_copy": 0.0}
    assert leak(songs(count=0))["near_copy"] == 0
