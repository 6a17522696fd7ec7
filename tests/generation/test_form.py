"""Plans, schemes, and what of them was met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist.errors import UsageError
from lyrist.generation.form import (
    REPEATED,
    SECTIONS,
    SongLine,
    counts,
    metre,
    metre_misses,
    parse,
    partners,
    rhyme_scheme,
)
from lyrist.text.rhyme import Rhyme


def test_a_plan() -> None:
    plan = parse("Intro, verse:6,chorus,verse,chorus,bridge:2,chorus")
    assert [(s.name, s.lines, s.repeats) for s in plan] == [
        ("intro", 2, None),
        ("verse", 6, None),
        ("chorus", 4, None),
        ("verse", 6, None),
        ("chorus", 4, 2),
        ("bridge", 2, None),
        ("chorus", 4, 2),
    ]


@pytest.mark.parametrize("form", ["", "verse,,chorus", "vers", "verse:0", "verse:99", "verse:x", "chorus:4,chorus:3"])
def test_plans_that_are_refused(form: str) -> None:
    with pytest.raises(UsageError, match="--form"):
        parse(form)


@given(st.lists(st.sampled_from(SECTIONS), min_size=1, max_size=8))
def test_only_refrains_are_repeated(names: list[str]) -> None:
    plan = parse(",".join(names))
    for number, section in enumerate(plan):
        earlier = names[:number].index(section.name) if section.name in names[:number] else None
        assert section.repeats == (earlier if section.name in REPEATED else None)


def test_schemes() -> None:
    assert rhyme_scheme("abab") == "ABAB"
    assert rhyme_scheme("free") == rhyme_scheme(None) == ""
    assert partners("AABB", 6) == [None, 0, None, 2, None, 4]
    assert partners("ABAB", 4) == [None, None, 0, 1]
    assert partners("AAAA", 4) == [None, 0, 1, 2]
    assert partners("", 2) == [None, None]


@pytest.mark.parametrize("scheme", ["", "A", "ABCD", "A B", "AAB1"])
def test_schemes_that_are_refused(scheme: str) -> None:
    with pytest.raises(UsageError, match="--rhyme"):
        rhyme_scheme(scheme)


def test_what_was_met_is_counted_once_and_only_where_it_was_wanted() -> None:
    lines = [
        SongLine("one", 0, 8, 8),
        SongLine("two", 0, 9, 8, 0, Rhyme.SLANT),
        SongLine("three", 0, 10, 8, 1, Rhyme.NONE),
        SongLine("four", 0, 8, 8, 2, Rhyme.PERFECT),
        SongLine("four", 1, 8, 8, 2, Rhyme.PERFECT, repeated=True),
        SongLine("five", 1, 20, 8, 2, Rhyme.NONE, given=True),
    ]
    assert counts(lines) == {
        "rhymes": {"wanted": 3, "met": 1, "perfect": 1, "near": 1},
        "syllables": {"wanted": 4, "met": 3, "exact": 2},
    }
    assert lines[2].figures()["rhyme_met"] is False
    assert lines[0].figures()["rhyme_met"] is None


def test_sections_have_their_own_scheme_and_syllables() -> None:
    verse, chorus, again = parse("verse:8 ABAB 8, chorus:4 AABB 6, verse")
    assert (verse.lines, verse.scheme, verse.syllables) == (8, "ABAB", 8)
    assert (chorus.lines, chorus.scheme, chorus.syllables) == (4, "AABB", 6)
    assert (again.lines, again.scheme, again.syllables, again.repeats) == (8, "ABAB", 8, None)
    for bad in ("verse:8 ABCD", "verse:8 ABAB 99", "verse ABAB ABAB"):
        with pytest.raises(UsageError):
            parse(bad)


def test_metre_counts_stressed_syllables_in_weak_positions() -> None:
    assert metre("Iambic") == "01"
    assert metre_misses("I wandered lonely as a cloud", metre("iambic")) == 0
    assert metre_misses("Wandering lonely as a cloud", metre("iambic")) == 1
    assert metre_misses("Tell me not in mournful numbers", metre("trochaic")) <= 1
    with pytest.raises(UsageError, match="--metre"):
        metre("sapphic")
