"""The analysis of a song: what each line measures, against known answers and for any text."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.errors import UsageError
from lyrist.evaluation.originality import Index
from lyrist.generation.analysis import Section, analyse, sections_of
from lyrist.text.rhyme import Rhyme

VERSE = [
    "I walk alone beneath the light",
    "The river runs away",
    "",
    "And all the windows keep the night",
    "I hold the hollow day",
]


def test_syllables_letters_and_grades_of_a_verse() -> None:
    song = analyse([Section("verse", VERSE), Section("", ["a lonely line"])])
    assert song.language == "en"
    [(name, lines), (_, alone)] = song.sections
    assert name == "verse"
    assert [line.text for line in lines] == VERSE
    assert [line.syllables for line in lines] == [8, 6, 0, 8, 6]
    assert [line.letter for line in lines] == ["A", "B", None, "A", "B"]
    assert [line.grade for line in lines if line.letter] == [Rhyme.PERFECT] * 4
    assert (alone[0].letter, alone[0].grade) == ("A", Rhyme.NONE)
    assert {line.rhyme_met for line in lines} == {line.syllables_met for line in lines} == {None}


@pytest.mark.parametrize(
    ("scheme", "met"), [("ABAB", [None, None, None, True, True]), ("AABB", [None, False, None, None, False])]
)
def test_a_requested_scheme_and_syllables_are_compared(scheme: str, met: list[bool | None]) -> None:
    [(_, lines)] = analyse([Section("verse", VERSE)], scheme=scheme, syllables=7).sections
    assert [line.rhyme_met for line in lines] == met
    assert [line.syllables_met for line in lines] == [True, True, None, True, True]
    [(_, lines)] = analyse([Section("verse", VERSE)], syllables=8).sections
    assert [line.syllables_met for line in lines] == [True, False, None, True, False]


def test_an_invalid_scheme_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="rhyme"):
        analyse([Section("", ["a"])], scheme="A1")


def test_a_text_is_split_into_named_sections() -> None:
    text = "first\nsecond\n\n\n[Chorus]\nthird\n[Verse 2]\nfourth\n\nfifth\n"
    assert sections_of(text) == [
        ("", ["first", "second"]), ("Chorus", ["third"]), ("Verse 2", ["fourth"]), ("", ["fifth"])
    ]  # fmt: skip
    assert sections_of("\n \n") == []


def test_copied_runs_are_found_in_each_line(tmp_path: object) -> None:
    songs = pl.DataFrame(
        {"id": [7], "title": ["Ferry"], "artist": ["Anna"], "lyrics": ["count every light and every wave on the river"]}
    )
    index = Index.build([songs], f"{tmp_path}/index")
    lines = ["Oh, count every light", "and every wave tonight", "nothing of it"]
    [(_, found)] = analyse([Section("", lines)], index=index).sections
    marked = [[line.text[run.start : run.end] for run in line.copied] for line in found]
    assert marked == [["count every light"], ["and every wave"], []]
    assert {(run.words, run.song.title) for line in found for run in line.copied} == {(6, "Ferry")}


@pytest.mark.parametrize(
    ("lines", "language"),
    [
        (["el río se va corriendo lejos de nosotros esta noche", "y todas las ventanas del pueblo duermen ya"], "es"),
        (["oh oh"], "de"),
        (["the river runs away from us tonight and every window sleeps"], "en"),
    ],
)
def test_the_language_is_detected_from_enough_text(lines: list[str], language: str) -> None:
    assert analyse([Section("", lines)], default="de").language == language
    assert analyse([Section("", lines)], language="fr").language == "fr"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=8), st.lists(st.text(st.characters(exclude_characters="\n"), max_size=40), max_size=6)
        ),
        max_size=4,
    )
)
def test_every_line_of_any_song_is_in_the_analysis(sections: list[tuple[str, list[str]]]) -> None:
    song = analyse([Section(*each) for each in sections], scheme="AABB", syllables=8)
    assert [(name, [line.text for line in lines]) for name, lines in song.sections] == sections
    for _, lines in song.sections:
        assert all((line.letter is None) == (not line.text.strip()) for line in lines)
