"""Connected components as by brute force, numbered in the order of their first nodes; long chains take few turns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lyrist.corpus.arrays import components, packed, unpacked

LINKS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
)


@given(LINKS)
def test_components_are_those_of_brute_force(given: tuple[int, list[tuple[int, int]]]) -> None:
    count, links = given
    least = list(range(count))
    for _ in range(count):
        for one, other in links:
            least[one] = least[other] = min(least[one], least[other])
    firsts = sorted(set(least))
    ends = np.array(links, np.int64).reshape(-1, 2).T
    assert components(count, *ends).tolist() == [firsts.index(first) for first in least]


def test_a_chain_of_a_million_in_any_order_is_one_component() -> None:
    order = np.random.default_rng(0).permutation(1_000_000)
    assert not components(len(order), order[:-1], order[1:]).any()
    assert components(0, order[:0], order[:0]).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_pairs_are_packed_and_unpacked(pairs: list[tuple[int, int]]) -> None:
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    found = unpacked(packed(left, right))
    assert [found[0].tolist(), found[1].tolist()] == [left.tolist(), right.tolist()]
