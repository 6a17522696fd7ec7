"""The ledger: its counts add up, and it says so in words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist.corpus.ledger import REASONS, Ledger
from lyrist.errors import LyristError

counts = st.integers(0, 10**9)
ledgers = st.builds(
    lambda kept, dropped: Ledger(kept + sum(dropped.values()), kept, dropped),
    counts,
    st.dictionaries(st.sampled_from(sorted(REASONS)) | st.text(min_size=1), counts),
)


def without_zeros(ledger: Ledger) -> dict[str, int]:
    return {reason: count for reason, count in ledger.dropped.items() if count}


@given(ledgers)
def test_what_is_written_is_read_again(ledger: Ledger) -> None:
    found = Ledger.from_json(json.loads(json.dumps(ledger.to_json())))
    assert (found.read, found.kept, found.dropped) == (ledger.read, ledger.kept, without_zeros(ledger))


@given(ledgers, ledgers)
def test_the_ledgers_of_two_shards_add_up(one: Ledger, other: Ledger) -> None:
    both = one + other
    both.check()
    assert both.read == one.read + other.read
    assert both.to_json() == (other + one).to_json()
    assert (one + Ledger()).to_json() == one.to_json()


@given(ledgers, st.integers(-(10**6), 10**6).filter(bool))
def test_a_row_that_is_lost_or_counted_twice_is_noticed(ledger: Ledger, off: int) -> None:
    ledger.check()
    with pytest.raises(LyristError, match=r"does not add up.*fault in Lyrist"):
        Ledger(ledger.read + off, ledger.kept, ledger.dropped).check()


@given(ledgers)
def test_the_commonest_reason_comes_first(ledger: Ledger) -> None:
    written = list(ledger.to_json()["dropped"].items())
    assert written == sorted(written, key=lambda item: (-item[1], item[0]))
    assert list(Ledger(5, 0, {"b": 2, "c": 1, "a": 2}).to_json()["dropped"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"read": 3, "kept": 3},
        {"read": 3, "kept": 2, "dropped": {}},
        {"read": 3, "kept": 4, "dropped": {"empty": -1}},
        {"read": 3.0, "kept": 3, "dropped": {}},
        {"read": "3", "kept": 3, "dropped": {}},
        {"read": True, "kept": 1, "dropped": {}},
        {"read": 3, "kept": 3, "dropped": [["empty", 0]]},
    ],
)
def test_a_damaged_ledger_is_told_in_one_sentence(damaged: Any) -> None:
    with pytest.raises(LyristError, match=r"ledger\.json is damaged"):
        Ledger.from_json(damaged)


def test_a_person_reads_what_went_and_why() -> None:
    told = Ledger(2970, 2967, {"exact-duplicate": 2, "my-own-reason": 1, "empty": 0}).sentences()
    assert told == [
        "2,970 rows read, 2,967 songs kept, 3 dropped (0.1%).",
        f"2 rows dropped as exact-duplicate: {REASONS['exact-duplicate']}.",
        "1 row dropped as my-own-reason.",
    ]
    assert Ledger(1, 1).sentences() == ["1 row read, 1 song kept, 0 dropped."]


def test_every_reason_has_a_line() -> None:
    assert all(line and len(line) < 100 and not line.endswith(".") for line in REASONS.values())
