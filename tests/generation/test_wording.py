"""Slips that no line is to have."""

import pytest

from lyrist.generation.wording import apposed, cliches, end_words, ends_with, faults, three_grams, unknown_words, weak


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Maybe a raccoon, maybe a gopher,", 0),
        ('\'Cause (oh) the-the night... I said, "no"', 0),
        ("Never, never, never (never) say: that", 0),
        (", and the bank", 1),
        ("yeah,, yeah", 1),
        ("off the the pier", 1),
        ("rather be blue)", 1),
        (") of The the (", 2),
        ("and, and and the a lantern", 3),
        ("rock 'n' roll at five a.m., R&B, plan B", 0),
        ("of the p on the r", 2),
    ],
)
def test_slips_are_counted(line: str, count: int) -> None:
    assert faults(line) == count


def test_halves_of_words_and_words_run_together_are_unknown() -> None:
    assert unknown_words("I passed a bus shel, canyouyouyou see it, Zorblax don't") == {"shel", "canyouyouyou"}


def test_line_ends_are_content_words_with_rhymes() -> None:
    found = end_words(None, "en")
    assert {"night", "day", "sky"} <= set(found)
    assert not {"the", "was", "orange", "something"} & set(found)
    assert all(weak(word) for word in ("the", "was", "of", "too"))


def test_cliches_count_unless_they_are_the_subject() -> None:
    assert cliches("In twilight's hush I whisper low") == 3
    assert cliches("Whispers on the line", "Whispers") == 0


def test_three_grams_are_runs_of_words() -> None:
    assert three_grams("The sea was calm.") == {("the", "sea", "was"), ("sea", "was", "calm")}


def test_a_phrase_after_a_comma_is_recognised_by_its_first_word() -> None:
    assert apposed("My brother's lantern, a light")
    assert apposed("We kept the boat, The oars")
    assert not apposed("Oh, carry me home")
    assert not apposed("A lantern on the hill")


def test_a_word_that_ends_with_the_other_is_a_repetition_unless_it_has_no_more_syllables() -> None:
    assert all(ends_with(*pair) for pair in (("tonight", "night"), ("way", "away"), ("sleep", "asleep")))
    assert not any(
        ends_with(*pair) for pair in (("train", "rain"), ("recall", "all"), ("night", "light"), ("sea", "sea"))
    )
