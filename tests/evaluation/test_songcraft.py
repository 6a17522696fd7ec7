"""Rhymes, syllables, repeats and sections, counted by hand."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist import text
from lyrist.errors import LyristError
from lyrist.evaluation.songcraft import MEASURES, beside, cut_alike, figures, measured

SONG = """[Verse 1]
the cat sat on the mat
with a very big hat
I went down to the sea
and nobody followed me

[Chorus]
oh the night
Oh, the night!
"""


def one(lyrics: str) -> dict[str, float]:
    return {name: float(values[0]) for name, values in measured([lyrics]).items()}


def test_every_measure_by_hand() -> None:
    found = one(SONG)
    assert found["lines"] == 6
    assert found["sections"] == 2
    assert found["lines_a_section"] == 3
    assert found["longest_section"] == 4
    assert found["repeated_lines"] == pytest.approx(1 / 6)
    # mat-hat and sea-me rhyme; a line that ends in the same word is a refrain, not a rhyme.
    assert found["rhyme_density"] == found["perfect_rhyme_density"] == pytest.approx(4 / 6)
    assert found["syllables_a_line"] == pytest.approx((6 + 6 + 6 + 7 + 3 + 3) / 6)
    words = 6 + 5 + 6 + 4 + 3 + 3
    assert found["words_a_line"] == pytest.approx(words / 6)
    assert found["repetition"] == pytest.approx(text.repetition(SONG.replace("[Verse 1]", "").replace("[Chorus]", "")))
    assert found["distinct_1"] == pytest.approx(1 - found["repetition"])
    # "on the" and "to the" are different pairs; "oh the", "the night" come twice, and so does nothing else of two words.
    assert found["distinct_2"] == pytest.approx((words - 1 - 2) / (words - 1))


def test_rhymes_do_not_reach_over_sections_or_far() -> None:
    assert one("the light\n\nthe night")["rhyme_density"] == 0
    near = "so bright\n" + "one door\n" * 3 + "the night"
    far = "so bright\n" + "one door\n" * 4 + "the night"
    assert one(near)["perfect_rhyme_density"] == pytest.approx(2 / 5)
    assert one(far)["perfect_rhyme_density"] == 0


def test_chance_is_below_the_rhymes_of_couplets() -> None:
    ends = ["night", "light", "day", "way", "sea", "free", "cold", "gold", "rain", "pain", "door", "floor"]
    found = one("\n".join(f"and here we come to the {end}" for end in ends))
    assert found["rhyme_density"] == 1
    assert found["rhyme_by_chance"] < 1


def test_figures_have_intervals_and_json_holds_them() -> None:
    found = figures([SONG, "one line only", "", "..."])
    assert found["n"] == 2
    assert found.keys() == {"n", *MEASURES}
    for name in MEASURES:
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    json.dumps(beside([SONG], ["a b c d", "e f g h"]), allow_nan=False)
    with pytest.raises(LyristError, match="None of the texts"):
        figures(["", "!!"])


def test_written_and_real_are_compared_at_equal_length() -> None:
    real = ["\n".join(f"la la la la word{i}" for i in range(40))] * 30
    short = ["\n".join(f"la la la la word{i}" for i in range(8))] * 30
    found = beside(short, real)
    assert found["real"]["lines"]["value"] == 8
    assert found["difference"]["repetition"] == pytest.approx({"value": 0, "low": 0, "high": 0})
    dull = beside(["oh oh oh oh oh\n" * 8] * 30, real)["difference"]["repetition"]
    assert dull["low"] > 0


lines = st.lists(st.sampled_from(["one two", "three", "", "four five six seven"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(lines.map("\n".join), min_size=1, max_size=5), st.integers(1, 40))
def test_a_cut_is_a_beginning_of_whole_lines_of_about_the_length(songs: list[str], size: int) -> None:
    for song, cut in zip(songs, cut_alike(songs, ["w " * size]), strict=True):
        assert song.rstrip("\n").startswith(cut)
        assert song[len(cut) : len(cut) + 1] in ("", "\n")
        parts = song.split("\n")
        counts = [len(text.words("\n".join(parts[: n + 1]))) for n in range(len(parts))]
        nearest = min(filter(None, counts), key=lambda count: (abs(count - size), -count), default=0)
        assert len(text.words(cut)) == nearest


def test_nothing_written_is_reported() -> None:
    with pytest.raises(LyristError, match="cannot be cut"):
        cut_alike(["a song"], [""])


def test_a_language_without_rules_is_not_measured() -> None:
    song = "вечерняя песня\nтихая песня"
    known = measured([song], "ru")
    assert set(MEASURES) - set(known) == {name for name, measure in MEASURES.items() if measure.sounds}
    assert "rhyme_density" not in beside([song], [song], language="ru")["difference"]
    assert float(measured(["el dolor\nel amor"], "es")["perfect_rhyme_density"][0]) == 1
