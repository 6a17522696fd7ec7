"""Words, lines, syllables; and text that cannot harm a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist.text import key, lines, printable, repetition, syllables, words


def test_words_and_lines() -> None:
    assert words("Don’t STOP, rock'n'roll — 99 times_x") == ["don't", "stop", "rock'n'roll", "99", "times", "x"]
    assert lines("  one \n\n two\n") == ["one", "two"]
    assert key("  Don't,\nSTOP!! ") == "don t stop"


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("water", 2),
        ("love", 1),
        ("table", 2),
        ("banana", 3),
        ("walked", 1),
        ("wanted", 2),
        ("don't", 1),
        ("hmm", 1),
        ("times", 1),
        ("roses", 2),
    ],
)
def test_syllables(word: str, count: int) -> None:
    assert syllables(word) == count


def test_repetition_is_repeated_words_over_all_words() -> None:
    assert repetition("la la la la") == 0.75
    assert repetition("all words differ here") == 0
    assert repetition("") == 0


@given(st.text())
def test_what_is_printed_cannot_move_the_cursor(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in shown if c not in "\n\t")
    assert printable(shown) == shown


@given(st.text())
def test_the_key_does_not_depend_on_case_and_punctuation(text: str) -> None:
    assert key(key(text)) == key(text)
    assert key(text + " !!") == key(text)
