"""Words, lines, syllables; and text that cannot harm a terminal."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist.text import WORD, WORD_PATTERN, key, lines, printable, repetition, syllables, words


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


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("我把灯放在窗边", "我 把 灯 放 在 窗 边"),
        ("窓辺にランプを置いた", "窓 辺 に ランプ を 置 い た"),
        ("종이배는 빗속에서", "종이배 는 빗속에 서"),
        ("เรานับรถไฟ", "เรานับ รถไฟ"),
        ("ខ្ញុំស្រលាញ់អ្នក", "ខ្ញុំស្រលា ញ់អ្នក"),
        ("हिन्दी का गीत", "हिन्दी का गीत"),
        ("love東京 cafe\u0301 don’t", "love 東 京 cafe\u0301 don't"),
        ("שִׁיר של ערב", "שִׁיר של ערב"),
    ],
)
def test_words_of_scripts_without_spaces_are_cut_by_rule(line: str, found: str) -> None:
    assert words(line) == found.split()
    assert len("".join(found.split())) == len(line.replace(" ", "")), "nothing is lost"


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=40))
def test_columns_have_as_many_words_as_texts(text: str) -> None:
    assert pl.Series([text]).str.count_matches(WORD_PATTERN)[0] == len(WORD.findall(text))


def test_ascii_text_has_the_same_words_as_other_text() -> None:
    line = "Rock'n'roll in '99, don't_stop 'til 5"
    assert words(line) == words(line + " —")
