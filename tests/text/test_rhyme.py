"""Rhymes: graded, never with itself, the same by dictionary and by spelling where it matters."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import PAIRS

from lyrist import text
from lyrist.text import pronunciation as spelling
from lyrist.text import rhyme
from lyrist.text.rhyme import Rhyme

GRADES = [
    ("night", "light", Rhyme.PERFECT),
    ("love", "above", Rhyme.PERFECT),
    ("tonight", "right", Rhyme.PERFECT),
    ("motion", "ocean", Rhyme.PERFECT),
    ("away", "day", Rhyme.PERFECT),
    ("walked", "talked", Rhyme.PERFECT),
    ("time", "mine", Rhyme.NEAR),
    ("line", "lines", Rhyme.NEAR),
    ("baby", "me", Rhyme.NEAR),
    ("time", "light", Rhyme.ASSONANCE),
    ("moon", "love", Rhyme.NONE),
    ("stone", "gone", Rhyme.NONE),
    ("night", "Night", Rhyme.NONE),
    ("don't", "don’t", Rhyme.NONE),
    ("", "light", Rhyme.NONE),
    ("星", "光", Rhyme.NONE),
    ("99", "light", Rhyme.NONE),
]

COMMON = """
day way night light right time mine line love heart apart start eyes skies fire desire rain pain again door
floor more before home alone stone phone tears years fears hand stand land mind find behind true you blue
through cold old hold gold sea me free tree moon soon tune road load street feet sweet song long strong wrong
dance chance glance place face grace space side ride hide inside tonight sight fight bright dream seem stream
sleep deep keep name same game flame gone on fall call all wall town down around sound ground found goodbye
cry sky high lie
"""


@pytest.fixture(params=["CMU dictionary", "rules"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways to know how a word sounds."""
    caches = (
        rhyme._dictionary,
        rhyme._pronunciations,
        rhyme._endings,
        rhyme._rhymes,
        rhyme._beats,
        rhyme.stress,
        rhyme._vocabulary,
    )
    if request.param == "rules":
        monkeypatch.setitem(sys.modules, "pronouncing", None)
    else:
        pytest.importorskip("pronouncing")
    for cache in caches:
        cache.cache_clear()
    yield str(request.param)
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(("a", "b", "grade"), GRADES)
def test_how_well_words_rhyme(source: str, a: str, b: str, grade: Rhyme) -> None:
    assert rhyme.source() == source
    assert rhyme.rhymes(a, b) == grade
    assert rhyme.rhymes(b, a) == grade


def test_grades_of_labelled_pairs(source: str) -> None:
    pairs = [(grade, *pair.split("/")) for grade, listed in PAIRS.items() for pair in listed.split()]
    assert len(pairs) >= 500
    found = [(grade, _name(rhyme.rhymes(a, b))) for grade, a, b in pairs]
    for grade, least in (("perfect", 0.99), ("near", 0.95)):
        predicted = [truth == grade for truth, given in found if given == grade]
        actual = [given == grade for truth, given in found if truth == grade]
        assert sum(predicted) / len(predicted) >= least, f"precision of {grade}"
        assert sum(actual) / len(actual) >= 0.95, f"recall of {grade}"


def _name(grade: Rhyme) -> str:
    return grade.name.lower() if grade >= Rhyme.NEAR else "none"


@pytest.mark.parametrize(
    "pair",
    [
        "it/book",
        "sick/luck",
        "big/good",
        "kiss/bush",
        "floor/depart",
        "he/the",
        "a/day",
        "bus/his",
        "loan/don't",
        "own/don't",
        "was/us",
        "heart/shore",
    ],
)
def test_stressed_vowels_are_never_merged_and_articles_do_not_rhyme(source: str, pair: str) -> None:
    a, b = pair.split("/")
    assert rhyme.rhymes(a, b) <= (Rhyme.NEAR if b == "don't" else Rhyme.ASSONANCE)


def test_words_that_rhyme_are_found(source: str) -> None:
    found = rhyme.rhyming("night")
    assert {"light", "tonight", "bright", "midnight"} <= set(found)
    assert not {"night", "time", "the"} & set(found)
    assert all(rhyme.rhymes("night", word) == Rhyme.PERFECT for word in found)
    near = rhyme.rhyming("night", at_least=Rhyme.NEAR)
    assert near[: len(found)] == found
    assert "ride" in near
    assert rhyme.rhyming("amor", "es", vocabulary=["flor", "luna", "calor"]) == ["flor", "calor"]
    assert rhyme.rhyming("amor", "es") == rhyme.rhyming("☃") == rhyme.rhyming("the") == []


def test_multi_syllable_rhymes(source: str) -> None:
    assert rhyme.agreeing_syllables("education", "celebration") == 4
    assert rhyme.agreeing_syllables("rotation", "celebration") == 2
    assert rhyme.agreeing_syllables("palm trees", "bomb these") == 2
    assert rhyme.agreeing_syllables("night", "light") == 1
    assert rhyme.agreeing_syllables("night", "night") == rhyme.agreeing_syllables("moon", "love") == 0
    multi = rhyme.rhyming("elevation", at_least=Rhyme.NEAR, syllables=4)
    assert "celebration" in multi
    assert "nation" not in multi


def test_internal_rhymes(source: str) -> None:
    lines = ["The bright light of the city", "turned the night into a pretty fight"]
    found = rhyme.internal_rhymes(lines, at_least=Rhyme.PERFECT)
    assert ((0, 1), (0, 2), Rhyme.PERFECT) in found, "bright and light"
    assert ((0, 5), (1, 5), Rhyme.PERFECT) in found, "city and pretty"
    assert ((0, 2), (1, 2), Rhyme.PERFECT) in found, "light and night"
    assert not rhyme.internal_rhymes(["the light", "the night"]), "both at the end"


def test_keys_are_the_sounds_from_the_stress_on(source: str) -> None:
    assert rhyme.rhyme_key("tonight") == rhyme.rhyme_key("light") == "AY T"
    assert rhyme.rhyme_key("Light!") == "AY T" or source == "CMU dictionary"
    assert rhyme.rhyme_key("☃") == ""


def test_schemes_and_lines(source: str) -> None:
    stanza = ["I saw the light", "it was last night", "you are the sea", "so come with me"]
    assert rhyme.scheme(stanza) == "AABB"
    assert rhyme.scheme([stanza[0], stanza[2], stanza[1], stanza[3]]) == "ABAB"
    assert rhyme.scheme(["by the light"] * 2) == "AB", "a refrain is no rhyme"
    assert rhyme.scheme(stanza, Rhyme.PERFECT) == "AABB"
    assert rhyme.last_word("Hold on (tonight)!") == "tonight"
    assert rhyme.last_word("...") == ""
    assert rhyme.line_syllables("The water is wide") == 5
    assert rhyme.line_syllables("") == 0


def test_what_the_dictionary_lacks_is_spelt_out() -> None:
    pytest.importorskip("pronouncing")
    assert rhyme.rhymes("blorbnight", "light") == Rhyme.PERFECT
    assert rhyme.rhymes("gettin", "forgettin") == Rhyme.PERFECT


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("cat", "K AE1 T"),
        ("hoped", "HH OW1 P T"),
        ("wanted", "W AO1 N T IH0 D"),
        ("roses", "R OW1 Z IH0 Z"),
        ("sky", "S K AY1"),
    ],
)
def test_spelling_rules(word: str, sounds: str) -> None:
    assert tuple(sounds.split()) in spelling.sound(word)


def test_spelling_agrees_with_the_dictionary_on_common_words() -> None:
    pronouncing = pytest.importorskip("pronouncing")
    common = COMMON.split()
    agreed = 0
    for word in common:
        known = {
            tuple(rhyme._merged([s.rstrip("012") for s in said.split()[_stress(said.split()) :]]))
            for said in pronouncing.phones_for_word(word)
        }
        spelt = spelling.sound(word)[0]
        agreed += tuple(rhyme._merged([s.rstrip("012") for s in spelt[_stress(spelt) :]])) in known
    assert agreed / len(common) > 0.95


def _stress(sounds: list[str] | tuple[str, ...]) -> int:
    places = [i for i, sound in enumerate(sounds) if sound[-1].isdigit()]
    return ([i for i in places if sounds[i][-1] != "0"] or places)[-1]


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_can_be_asked(a: str, b: str) -> None:
    assert rhyme.rhymes(a, b) == rhyme.rhymes(b, a)
    assert rhyme.rhymes(a, a) == Rhyme.NONE
    assert rhyme.line_syllables(a) is None or (rhyme.line_syllables(a) != 0) == bool(text.words(a))
    spelling.sound(a.lower())


@given(st.lists(st.sampled_from(["light", "night", "sea", "me", "moon"]), max_size=12))
def test_letters_of_a_scheme_are_rhymes(ends: list[str]) -> None:
    letters = rhyme.scheme([f"a {end}" for end in ends])
    assert len(letters) == len(ends)
    for place, letter in enumerate(letters):
        before = [i for i in range(place) if letters[i] == letter]
        assert not before or any(rhyme.rhymes(ends[i], ends[place]) for i in before)
