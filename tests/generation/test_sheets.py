"""A song sheet in a file: its empty lines are written, or takes for its target, and faults of the file are one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from tinywriter import LINES

from lyrist.cli import run
from lyrist.errors import LyristError
from lyrist.generation.config import GenerationConfig
from lyrist.generation.sheets import SheetFile
from lyrist.generation.write import TakesResult, WriteResult, write
from tinytokenizer import chat_model

SHEET: dict[str, Any] = {
    "title": "Paper Boats",
    "use": ["river"],
    "sections": [
        {
            "name": "Verse 1",
            "rhyme": "AABB",
            "syllables": 8,
            "lines": [{"text": "I hold the light", "locked": True}, {}, {}, {}],
        },
        {"name": "chorus", "lines": [{}, {"text": "a copper key"}]},
        {"name": "Verse 2", "lines": ["the morning bird", ""]},
        {"name": "chorus", "lines": []},
    ],
}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chat_model(tmp_path_factory.mktemp("sheets") / "chat", LINES)


def file_of(folder: Path, content: Any) -> Path:
    path = folder / "sheet.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_sheet_becomes_the_lines_and_constraints_of_a_song(tmp_path: Path) -> None:
    config = SheetFile.open(file_of(tmp_path, {"sheet": SHEET})).applied(GenerationConfig(seed=3, about="childhood"))
    assert config.form == "verse:4 AABB 8, chorus:2 free, verse:2 free, chorus:2 free"
    assert config.sheet[:4] == ("I hold the light", None, None, None)
    assert config.sheet[4:] == ("", None, "a copper key", "", "the morning bird", None, "", None, None)
    assert (config.title, config.about, config.use, config.seed) == ("Paper Boats", "childhood", "river", 3)


def test_the_empty_lines_are_written_and_the_others_kept(chat: Path, tmp_path: Path) -> None:
    found = write(str(chat), sheet=str(file_of(tmp_path, SHEET)), candidates=4)
    assert isinstance(found, WriteResult)
    stanzas = [each.split("\n") for each in found.songs[0].text.split("\n\n")]
    assert [len(each) for each in stanzas] == [4, 2, 2, 2]
    assert stanzas[0][0] == "I hold the light"
    assert stanzas[1][1] == "a copper key"
    assert stanzas[2][0] == "the morning bird"
    assert stanzas[3] == stanzas[1]
    assert found.figures()["met"]["syllables"]["wanted"] > 0


def test_takes_for_a_target_are_those_of_the_api(
    chat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {"model": "x", "sheet": SHEET, "target": {"section": 0, "line": 1}, "n": 2, "seed": 1}
    path = file_of(tmp_path, request)
    found = write(str(chat), sheet=str(path))
    assert isinstance(found, TakesResult)
    assert [len(take["lines"]) for take in found.takes] == [1, 1]
    assert run(["write", str(chat), "--sheet", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["takes"] == list(found.takes)
    assert "2 takes" in found.summary()
    assert "syllables: " in found.summary()
    with pytest.raises(LyristError, match="leave --out out"):
        write(str(chat), sheet=str(path), out=str(tmp_path / "o.txt"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read as JSON"),
        ([1], "must be a JSON object"),
        ({"sections": []}, "the sheet has no sections"),
        ({"sections": [{"lines": [{}]}], "moood": "calm"}, "'moood'"),
        ({"sheet": SHEET, "targt": {}}, "'targt'"),
        ({"sections": [{"lines": [{"txt": "a"}]}]}, "'txt'"),
        ({"sections": [{"lines": [{"text": 3}]}]}, "must be a text"),
        ({"sections": [{"syllables": [8, 6], "lines": [{}]}]}, "must be one number"),
        ({"sections": [{"syllables": "8", "lines": [{}]}]}, "must be one number"),
        ({"sections": [{"syllables": 99, "lines": [{}]}]}, "1 to 40 syllables"),
        ({"sections": [{"rhyme": "A1", "lines": [{}]}]}, "A1"),
        ({"sections": [{"lines": ["all", "there"]}]}, "every line has a text"),
        ({"sections": [{"lines": [{}]}], "use": "river"}, "'use' must be a list of words"),
        ({"sections": [{"lines": [{}]}], "title": 3}, "'title' must be a text"),
        ({"sections": [{"lines": [{}]}], "use": ["sea"], "avoid": ["sea"]}, "--use and --avoid both have 'sea'"),
        ({"sections": [{"lines": [{}], "metre": "iambic"}, {"lines": [{}]}]}, "the same metre"),
        ({"sheet": SHEET, "target": {"section": 9}}, "the sheet has 4 sections"),
        ({"sheet": SHEET, "target": {"section": 0, "line": 0}}, "locked"),
        ({"sheet": SHEET, "target": {"section": 0, "lin": 0}}, "'lin'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_fault_of_the_file_is_one_sentence(
    content: Any, says: str, chat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["write", str(chat), "--sheet", str(file_of(tmp_path, content))]) in (1, 2)
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--sheet", "none.json"], "There is no file none.json"),
        (["--sheet", "{path}", "--form", "verse"], "--form cannot be combined with --sheet"),
        (["--sheet", "{path}", "--rhyme", "AABB"], "--rhyme cannot be combined with --sheet"),
        (["--sheet", "{path}", "--first-line", "Oh"], "--first-line cannot be combined with --sheet"),
        (["--sheet", "{path}", "--prompt", "Oh"], "prompt cannot be combined with a sheet"),
        # contradictions of other options
        (["--use", "sea, moon", "--avoid", "moon"], "--use and --avoid both have 'moon'"),
        (["--form", "verse,chorus,chorus", "--last-line", "Oh"], "--last-line would change a repeated chorus"),
        (["--form", "verse", "--first-line", "Oh sea", "--avoid", "sea"], "--first-line has the word 'sea'"),
        (["--form", "verse:2", "--rhyme", "AA", "--first-line", "the colour orange"], "orange"),
        (["--form", "verse", "--rhyme", "AABB", "--language", "ru"], "ru"),
        (["--form", "verse", "--hook", "Oh"], "--form with a chorus"),
        (["--form", "vers"], "not a section"),
        (["--syllables", "50"], "at most 40"),
        (["--rhyme-syllables", "2", "--form", "verse"], "needs a --rhyme scheme"),
        (["--endpoint", "http://127.0.0.1:1/v1"], "--endpoint-model"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_contradictions_on_the_command_line_are_one_sentence(
    options: list[str], says: str, chat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(tmp_path, SHEET)
    assert run(["write", str(chat), *(option.format(path=path) for option in options)]) in (1, 2)
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_the_summary_has_the_settings_of_free_writing(chat: Path) -> None:
    found = write(str(chat), max_tokens=8)
    assert isinstance(found, WriteResult)
    assert "no 4-gram twice, frequency penalty 0.25" in found.summary()
    assert found.settings["no_repeat_ngram"] == 4
    assert found.settings["frequency_penalty"] == 0.25
