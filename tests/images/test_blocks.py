"""Blocks and splits are disjoint, complete and drawn by the seed; copies between the splits are found."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lyrist.errors import LyristError, UsageError
from lyrist.images.blocks import Block, block, halves
from lyrist.images.copies import find
from lyrist.images.pictureset import SPLITS, Pictures


def pictures(counts: list[int], given_split: list[int] | None = None, seed: int = 0) -> Pictures:
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    split = np.array(given_split if given_split is not None else [-1] * len(labels), dtype=np.int8)
    names = tuple(f"{n}.png" for n in range(len(labels)))
    return Pictures(
        Path("set"), "folders", pixels, labels, split, tuple(f"c{n}" for n in range(len(counts))), names, (), ""
    )


@given(st.lists(st.text(min_size=1), min_size=4, max_size=60, unique=True), st.integers(0, 2**31))
def test_every_class_is_in_one_block_and_none_in_both(classes: list[str], seed: int) -> None:
    first, second = halves(classes, seed)
    assert sorted([*first, *second]) == sorted(classes)
    assert not set(first) & set(second)
    assert len(first) - len(second) in (0, 1)
    assert halves(classes, seed) == (first, second)


@given(st.lists(st.integers(3, 30), min_size=4, max_size=8), st.integers(0, 1000))
def test_every_picture_is_in_one_split_of_one_block(counts: list[int], seed: int) -> None:
    found = pictures(counts)
    parts = [block(found, name, seed) for name in ("1", "2")]
    rows = np.concatenate([part.rows(split) for part in parts for split in SPLITS])
    assert sorted(rows) == list(range(len(found.labels)))
    for part in parts:
        for split in SPLITS:
            assert set(part.labels(split)) == set(part.classes)
            assert [found.classes[n] for n in found.labels[part.rows(split)]] == part.labels(split)
    whole = block(found, "all", seed)
    for split in SPLITS:  # a picture has the same split in its block as in the whole
        assert set(whole.rows(split)) == {*parts[0].rows(split), *parts[1].rows(split)}


def test_a_given_test_part_is_kept_and_validation_comes_out_of_training() -> None:
    found = pictures([20] * 4, ([0] * 15 + [2] * 5) * 4)
    made = block(found, "all", 3)
    assert (found.given[made.rows("test")] == 2).all()
    assert made.counts() == {"train": 52, "validation": 8, "test": 20}
    assert (found.given[made.rows("validation")] == 0).all()
    own = block(pictures([20] * 4, ([0] * 10 + [1] * 5 + [2] * 5) * 4), "all", 3)
    assert own.counts() == {"train": 40, "validation": 20, "test": 20}


def test_another_seed_draws_other_blocks() -> None:
    names = [f"c{n}" for n in range(20)]
    assert len({halves(names, seed) for seed in range(10)}) > 5


def test_fewer_training_pictures_lie_within_more() -> None:
    made = block(pictures([40] * 4), "all", 0)
    few, some = made.with_at_most(5, 1), made.with_at_most(12, 1)
    assert set(few.rows("train")) < set(some.rows("train")) < set(made.rows("train"))
    assert np.bincount(few.targets("train")).tolist() == [5] * 4
    assert few.counts()["test"] == made.counts()["test"]


def test_equal_pictures_stand_on_one_side() -> None:
    found = pictures([30] * 4)
    found.pixels[1::2] = found.pixels[::2]
    made: Block = block(found, "all", 0)
    splits = made.splits.reshape(-1, 2)
    assert (splits[:, 0] == splits[:, 1]).all()


def test_a_class_with_too_few_pictures_is_named_and_so_is_an_unknown_block() -> None:
    with pytest.raises(LyristError, match="class 'c2' in set has 1 pictures, none of them in"):
        block(pictures([9, 9, 1, 9]))
    with pytest.raises(UsageError, match="1, 2 or all"):
        block(pictures([9] * 4), "3")


def smooth(count: int, seed: int) -> NDArray[np.uint8]:
    """Return pictures with large shapes, as photographs have."""
    rough = np.random.default_rng(seed).normal(size=(count, 5, 5, 3))
    places = np.linspace(0, 3.999, 32)
    low, part = places.astype(int), places - places.astype(int)
    rows = rough[:, low] * (1 - part)[None, :, None, None] + rough[:, low + 1] * part[None, :, None, None]
    both = rows[:, :, low] * (1 - part)[None, None, :, None] + rows[:, :, low + 1] * part[None, None, :, None]
    return np.clip(both * 50 + 128, 0, 255).astype(np.uint8)


def test_near_copies_are_found_and_nothing_else() -> None:
    train, test = smooth(400, 1), smooth(120, 2)
    rng = np.random.default_rng(0)
    test[3] = train[17]
    test[40] = np.clip(train[99].astype(int) + rng.integers(-6, 7, (32, 32, 3)), 0, 255)
    test[41] = np.clip(train[120] * 0.8 + 20, 0, 255)  # darker, with less contrast
    test[42] = train[130][:, ::-1]
    test[43] = np.roll(train[140], 1, axis=1)
    found = find(train, test)
    assert dict(zip(found.test.tolist(), found.train.tolist(), strict=True)) == {
        3: 17, 40: 99, 41: 120, 42: 130, 43: 140,
    }  # fmt: skip
    assert found.test[found.exact].tolist() == [3]
    told = found.summary(len(test))
    assert (told["with_copy_in_training"], told["exact"], told["near"]) == (5, 1, 4)


def test_plain_pictures_are_no_copies_of_each_other() -> None:
    train = np.full((5, 8, 8, 3), 40, dtype=np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None]
    test = np.full((2, 8, 8, 3), 90, dtype=np.uint8)
    assert len(find(train, test).test) == 0
    assert len(find(train, train[:2]).test) == 2  # the same to the last byte
    assert len(find(train[:0], test).test) == 0
    assert len(find(train, test[:0]).test) == 0


def test_the_short_cut_for_very_large_sets_finds_what_is_very_close(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = smooth(300, 1), smooth(50, 2)
    test[7] = train[5]
    test[8] = np.clip(train[6].astype(int) + 3, 0, 255)
    monkeypatch.setattr("lyrist.images.copies._ALL", 10)
    assert find(train, test).test.tolist() == [7, 8]


def test_pictures_that_are_all_alike_are_no_copies_but_a_copy_among_them_is() -> None:
    rng = np.random.default_rng(0)
    pattern = smooth(1, 9).astype(int)
    many = np.clip(pattern + (smooth(300, 3).astype(int) - 128) // 8, 0, 255).astype(np.uint8)
    train, test = many[:240], many[240:]
    test[5] = np.clip(train[50].astype(int) + rng.integers(-1, 2, (32, 32, 3)), 0, 255)
    found = find(train, test)
    assert found.test.tolist() == [5]
    assert found.train.tolist() == [50]
