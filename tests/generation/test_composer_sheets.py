"""Songs of which some lines stand fast: these stay to the letter, the others are new and suit them."""

import pytest
from tinywriter import LINES, TinyWriter

from lyrist import text
from lyrist.errors import UsageError
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import counts
from lyrist.generation.write import WrittenSong, compose
from lyrist.text import rhyme

SHEET = (LINES[0], None, None, LINES[3], "", None, LINES[5], LINES[6], None)


def redrawn(writer: TinyWriter, sheet: tuple[str | None, ...] = SHEET, **options: object) -> WrittenSong:
    config = GenerationConfig(sheet=sheet, temperature=1.0, **{"candidates": 12, "seed": 0, **options})  # type: ignore[arg-type]
    return compose(writer, config=config)[0]


def test_lines_that_stand_fast_stay_and_the_others_are_written(writer: TinyWriter) -> None:
    song = redrawn(writer)
    lines = song.text.split("\n")
    assert len(lines) == len(SHEET)
    assert [line for line, stands in zip(lines, SHEET, strict=True) if stands is not None] == [
        line for line in SHEET if line is not None
    ]
    assert lines[4] == ""
    assert all(rhyme.last_word(line) for line in lines if line)
    assert [line.given for line in song.lines] == [line is not None for line in SHEET if line != ""]
    assert redrawn(writer, seed=1).text != song.text


def test_a_new_line_rhymes_with_a_later_one_that_stands(writer: TinyWriter) -> None:
    met = 0
    for seed in range(4):
        song = redrawn(writer, (None, LINES[4], None, LINES[1]), rhyme="AABB", seed=seed, candidates=24)
        met += sum(bool(line.rhyme_met) for line in song.lines)
        assert not {text.key(line.text) for line in song.lines if not line.given} & {
            text.key(LINES[1]),
            text.key(LINES[4]),
        }
        assert counts(song.lines)["rhymes"]["wanted"] == 2, "a given line that rhymes with a new one counts"
    assert met >= 5, "of eight"


def test_a_repeated_chorus_follows_the_first(writer: TinyWriter) -> None:
    sheet = (None, None, "", LINES[0], None, "", None, None, "", LINES[0], None)
    parts = redrawn(writer, sheet, form="verse:2,chorus:2,verse,chorus").text.split("\n\n")
    assert parts[1] == parts[3]
    assert parts[1].startswith(LINES[0] + "\n")


def test_what_was_refused_is_not_written_again(writer: TinyWriter) -> None:
    first = redrawn(writer, (None, LINES[1]), seed=3).lines[0].text
    assert redrawn(writer, (None, LINES[1]), seed=3, rejected=(first.upper() + "!",)).lines[0].text != first


@pytest.mark.parametrize(
    ("sheet", "wishes", "told"),
    [
        ((LINES[0], LINES[1]), {}, "unlock at least one line"),
        ((None, LINES[1]), {"form": "verse:3"}, "not have the lengths"),
        ((None,), {"hook": "oh"}, "put it into the sheet"),
        ((None,) * 401, {}, "more than 400 lines"),
    ],
)
def test_sheets_that_cannot_be_meant(sheet: tuple[str | None, ...], wishes: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        GenerationConfig(sheet=sheet, **wishes)  # type: ignore[arg-type]


def test_a_sheet_and_a_prompt_are_not_given_together(writer: TinyWriter) -> None:
    with pytest.raises(UsageError, match="into the sheet"):
        compose(writer, prompt="come down", config=GenerationConfig(sheet=SHEET))
