"""Languages with rules: labelled words, lines as they are sung, refusals of others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import MORE, WORDS

from lyrist.errors import UsageError
from lyrist.text import languages, rhyme
from lyrist.text.rhyme import Rhyme


def labelled(language: str) -> list[tuple[str, int, int]]:
    """Return each word with its syllables and the number of its rhyme."""
    return [
        (word, int(count), group)
        for group, line in enumerate(WORDS[language].split("\n"))
        for word, count in re.findall(r"([\w'-]+?)(\d)", line)
        if not word.startswith("_")
    ]


@pytest.mark.parametrize("language", sorted(WORDS))
def test_syllables_and_rhymes_of_labelled_words(language: str) -> None:
    words = labelled(language)
    assert len(words) >= 200
    right = [rhyme.line_syllables(word.replace("-", " "), language) == count for word, count, _ in words]
    assert sum(right) / len(words) >= 0.97
    pairs = [
        (group == other_group, rhyme.rhymes(word, other, language) == Rhyme.PERFECT)
        for place, (word, _, group) in enumerate(words)
        for other, _, other_group in words[:place]
    ]
    found = [truth for truth, predicted in pairs if predicted]
    assert sum(found) / len(found) >= 0.97, "precision"
    assert sum(found) / sum(truth for truth, _ in pairs) >= 0.97, "recall"


@pytest.mark.parametrize("language", sorted(MORE))
def test_syllables_of_more_words(language: str) -> None:
    words = re.findall(r"(\w+)(\d)", MORE[language])
    assert sum(rhyme.syllables(word, language) == int(count) for word, count in words) / len(words) >= 0.97


@pytest.mark.parametrize(
    ("language", "line", "count", "beats"),
    [
        ("es", "La vida es un sueño", 6, "010010"),
        ("es", "Llueve, y yo espero", 6, "100010"),
        ("es", "Espera, ahora", 6, "010010"),
        ("pt", "Minha alma espera", 5, "01010"),
        ("pt", "O rio é o caminho", 6, "010010"),
        ("it", "Il cielo è una vela", 6, "010010"),
        ("it", "Dell'anima vera", 6, "010010"),
        ("fr", "Une petite lampe", 6, "000101"),
        ("fr", "Une petite étoile", 6, "000101"),
        ("fr", "La lune, elle dort", 5, "01001"),
        ("de", "Über den Dächern", 5, "00010"),
        ("de", "Der Regenbogen leuchtet", 7, "0101010"),
        ("en", "The water is wide tonight", 7, "0100101"),
        ("en", "In 1985 we were 21", 11, None),
    ],
)
def test_lines_are_counted_as_they_are_sung(language: str, line: str, count: int, beats: str | None) -> None:
    assert rhyme.line_syllables(line, language) == count
    if beats is not None:
        assert rhyme.stress(line, language) == beats


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("he", "שיר של ערב"), ("ar", "أغنية المساء"), ("ko", "저녁 노래"), ("ru", "вечерняя песня"), ("sv", "sång om kvällen"),
        ("en", "вечерняя песня"), ("es", "저녁 노래"), ("de", "夜の歌"), ("en", "the song 夜"), ("es", "tengo 20 años"),
    ],
)  # fmt: skip
def test_another_language_or_script_is_not_measured(language: str, line: str) -> None:
    assert rhyme.line_syllables(line, language) is None
    assert rhyme.stress(line, language) is None
    if language not in languages.SUPPORTED:
        a, b = line.split()[0], line.split()[-1]
        assert rhyme.rhymes(a, b, language) == Rhyme.NONE
        with pytest.raises(UsageError, match=rf"no rules for the language '{language}'; choose one of en \(English\)"):
            languages.check_language(language)


@pytest.mark.parametrize(
    ("language", "a", "b", "grade"),
    [
        ("es", "casa", "cama", Rhyme.NEAR), ("es", "amor", "corazón", Rhyme.NEAR), ("es", "luna", "cielo", Rhyme.NONE),
        ("pt", "amor", "dor", Rhyme.PERFECT), ("pt", "avó", "avô", Rhyme.NEAR), ("pt", "lua", "chuva", Rhyme.NEAR),
        ("it", "notte", "note", Rhyme.NEAR), ("it", "amore", "sole", Rhyme.NEAR), ("it", "cuore", "luna", Rhyme.NONE),
        ("fr", "mer", "mère", Rhyme.PERFECT), ("fr", "brun", "vin", Rhyme.NEAR), ("fr", "amour", "nuit", Rhyme.NONE),
        ("de", "Blick", "Glück", Rhyme.NEAR), ("de", "schön", "gehn", Rhyme.NEAR), ("de", "Sonnenschein", "Wein", Rhyme.PERFECT),
        ("de", "Liebe", "Leben", Rhyme.NONE),
    ],
)  # fmt: skip
def test_grades_of_rhymes(language: str, a: str, b: str, grade: Rhyme) -> None:
    assert rhyme.rhymes(a, b, language) == rhyme.rhymes(b, a, language) == grade


def test_the_language_of_a_corpus_is_its_most_frequent_known_one() -> None:
    assert languages.main_language({"und": 9, "pt": 3, "en": 2}) == "pt"
    assert languages.main_language({"und": 9}) is None
    assert languages.check_language(" Portuguese ") == "pt"
    assert rhyme.source("pt") == "rules"


@given(st.sampled_from(languages.SUPPORTED), st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_a_result_in_every_language(language: str, a: str, b: str) -> None:
    assert rhyme.rhymes(a, b, language) == rhyme.rhymes(b, a, language)
    assert rhyme.rhymes(a, a, language) == Rhyme.NONE
    beats = rhyme.stress(f"{a} {b}", language)
    assert beats is None or set(beats) <= {"0", "1"}
