import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.training.batches import Stream, TokenExamples, in_order_of_length, real_tokens


def examples(lengths: list[int], labels: bool = True) -> TokenExamples:
    ids = [np.arange(2, 2 + n, dtype=np.int32) for n in lengths]
    return TokenExamples(ids, 0, np.arange(len(ids), dtype=np.int64) if labels else None)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=70),
    size=st.integers(1, 20),
    bucketed=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_an_epoch_has_every_example_once(lengths: list[int], size: int, bucketed: bool, seed: int) -> None:
    stream = Stream(examples(lengths), size, 10**6, seed=seed, bucketed=bucketed)
    for epoch in range(2):
        updates = range(epoch * stream.updates_per_epoch, (epoch + 1) * stream.updates_per_epoch)
        batches = [stream.rows(update) for update in updates]
        assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
        assert max(map(len, batches)) <= size


def test_order_follows_from_the_seed_and_the_number_alone() -> None:
    lengths = list(range(1, 60))
    one, two, other = (Stream(examples(lengths), 8, 100, seed=seed) for seed in (3, 3, 4))
    later = [two.rows(update).tolist() for update in (50, 7)]  # asked for in another order
    assert [one.rows(50).tolist(), one.rows(7).tolist()] == later
    assert [one.rows(n).tolist() for n in range(8)] != [other.rows(n).tolist() for n in range(8)]
    assert one.rows(0).tolist() != one.rows(one.updates_per_epoch).tolist()


def test_a_stream_may_start_anywhere() -> None:
    whole, rest = (Stream(examples(list(range(1, 40))), 8, 12) for _ in range(2))
    rest.start = 5
    expected = [batch["input_ids"].tolist() for batch in whole][5:]
    assert [batch["input_ids"].tolist() for batch in rest] == expected


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 1), (2, 1), (3, 1), (1, 4), (2, 2)])
def test_processes_share_each_batch(processes: int, accumulate: int) -> None:
    data = examples(list(range(1, 31)))
    alone = Stream(data, 7, 6, seed=1)
    streams = [Stream(data, 7, 6, seed=1, process=(n, processes), accumulate=accumulate) for n in range(processes)]
    parts = [list(stream) for stream in streams]
    for update, batch in enumerate(alone):
        part = [p[update * accumulate + n]["labels"].tolist() for p in parts for n in range(accumulate)]
        assert sorted(label for share in part for label in share) == sorted(batch["labels"].tolist())
    assert all(len(stream) == 6 * accumulate for stream in streams)


def test_more_processes_than_songs_repeat_some() -> None:
    streams = [Stream(examples([3, 4]), 2, 1, process=(n, 4)) for n in range(4)]
    assert all(len(next(iter(stream))["labels"]) == 1 for stream in streams)


def test_buckets_leave_little_padding() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(5.3, 0.5, 400).astype(int).clip(1).tolist()
    shares = []
    for bucketed in (True, False):
        stream = Stream(examples(lengths), 16, 50, bucketed=bucketed)
        for batch in stream:
            assert batch["attention_mask"].sum() == (batch["input_ids"] != 0).sum()
        assert stream.tokens <= stream.places
        shares.append(1 - stream.tokens / stream.places)
    assert shares[0] < 0.15 < shares[1]


def test_collate_pads_on_the_right_and_masks() -> None:
    data = TokenExamples(
        [np.array([5, 6, 7], dtype=np.int32), np.array([8], dtype=np.int32)], 0, None, np.array([2, 0])
    )
    batch = data.collate(np.array([1, 0]))
    assert batch["input_ids"].tolist() == [[8, 0, 0], [5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch["artist_ids"].tolist() == [0, 2]
    assert "labels" not in batch
    assert real_tokens(batch) == (4, 6)


def test_scoring_covers_all_once_longest_first() -> None:
    batches = in_order_of_length(examples([3, 9, 1, 7, 7]), 2)
    assert [batch.tolist() for batch in batches] == [[1, 3], [4, 0], [2]]
