"""Takes for a sheet: they fit the lines around them, differ from each other, and say what they meet."""

from typing import Any

import pytest
from tinywriter import LINES, TinyWriter

from lyrist import text
from lyrist.errors import UsageError
from lyrist.generation import takes
from lyrist.text import rhyme


def sheet(*lines: str, **more: Any) -> dict[str, Any]:
    section = {"name": "verse", "rhyme": "AABB", "syllables": 9, "lines": [{"text": line} for line in lines]}
    return {"title": "Ferry", "sections": [section], **more}


def test_takes_of_a_line_rhyme_and_differ(writer: TinyWriter) -> None:
    found = list(takes(writer, sheet(LINES[0], "", LINES[4], LINES[5]), {"section": 0, "line": 1}, n=3))
    assert len(found) == 3
    lines = [take["lines"] for take in found]
    assert all(len(each) == 1 for each in lines)
    assert len({text.key(each[0]) for each in lines}) == 3
    for take in found:
        (line,) = take["lines"]
        grade = rhyme.rhymes(rhyme.last_word(line), "light")
        assert take["met"]["rhyme"] == {3: "perfect", 2: "near"}.get(grade, "none")
        assert take["met"]["syllables"] == [rhyme.line_syllables(line)]
        assert take["met"]["copied"] is False
        assert isinstance(take["score"], float)
    assert sum(take["met"]["rhyme"] == "perfect" for take in found) >= 2
    assert list(takes(writer, sheet(LINES[0], "", LINES[4], LINES[5]), {"section": 0, "line": 1}, n=3)) == found


def test_an_inserted_line_rhymes_with_the_named_one(writer: TinyWriter) -> None:
    target = {"section": 0, "line": 1, "insert": True, "rhyme_with": [0, 1]}
    met = [take["met"]["rhyme"] for take in takes(writer, sheet(LINES[4], LINES[0]), target, n=3)]
    assert met.count("perfect") >= 2


def test_takes_of_a_section_keep_its_locked_lines(writer: TinyWriter) -> None:
    given = sheet("", LINES[1], "", "")
    given["sections"][0]["lines"][1]["locked"] = True
    found = list(takes(writer, given, {"section": 0}, n=2))
    assert [take["lines"][1] for take in found] == [LINES[1]] * 2
    assert all(len(take["lines"]) == 4 and all(take["lines"]) for take in found)
    assert found[0]["lines"] != found[1]["lines"]
    assert all(len(take["met"]["syllables"]) == 3 for take in found)
    empty = {"sections": [{"name": "chorus", "lines": []}]}
    assert len(next(takes(writer, empty, {"section": 0}, n=1))["lines"]) == 4


def test_tone_and_likeness(writer: TinyWriter) -> None:
    target = {"section": 0, "line": 1}
    plain = next(takes(writer, sheet(LINES[0], ""), target, n=1))
    short = next(takes(writer, sheet(LINES[0], ""), target, n=1, tone="shorter"))
    assert short["met"]["syllables"][0] <= plain["met"]["syllables"][0]
    like = "the river runs away from us"
    (again,) = takes(writer, sheet(LINES[0], ""), target, n=1, like=like)
    assert text.key(again["lines"][0]) != text.key(like)


def test_words_to_use_and_to_avoid(writer: TinyWriter) -> None:
    given = sheet(LINES[4], "", use=["tree"], avoid=["morning"])
    found = list(takes(writer, given, {"section": 0, "line": 1}, n=2))
    assert any(take["met"]["uses"] == ["tree"] for take in found)
    assert not any("morning" in take["lines"][0] for take in found)


@pytest.mark.parametrize(
    ("given", "target", "options", "message"),
    [
        (sheet("a"), {"section": 1, "line": 0}, {}, "section 1"),
        (sheet("a"), {"section": 0, "line": 1}, {}, "line 1"),
        (sheet("a"), {"section": 0, "line": 0}, {"tone": "sad"}, "plainer"),
        (sheet("a"), {"section": 0, "line": 0}, {"n": 0}, "takes"),
        (sheet("a", ""), {"section": 0, "line": 0, "rhyme_with": [0, 1]}, {}, "empty"),
        (sheet("a", language="xx"), {"section": 0, "line": 0}, {}, "language"),
        (sheet("a", use=["x"], avoid=["x"]), {"section": 0, "line": 0}, {}, "--use and --avoid"),
        ({"sections": [{"lines": [{"text": "a", "locked": True}]}]}, {"section": 0}, {}, "locked"),
        ({"sections": [{"lines": [{"text": "a", "locked": True}]}]}, {"section": 0, "line": 0}, {}, "locked"),
        ({"sections": [{"syllables": 99, "lines": ["a"]}]}, {"section": 0, "line": 0}, {}, "syllables"),
    ],
)
def test_what_is_refused(
    writer: TinyWriter, given: dict[str, Any], target: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        takes(writer, given, target, **options)
