"""The sheet in real Chromium: typed, pasted, moved, undone, kept; takes, words, plan, versions and files."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from servekit import Running, serving, soon
from studiokit import HOSTILE, SONG, Visit, numbered, takes

from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry

MOD = "Control"


def wait_for(visit: Visit, lines: list[str]) -> None:
    visit.until(
        """lines => JSON.stringify([...document.querySelectorAll('song-sheet .text')].map(e => e.textContent))
        === JSON.stringify(lines)""",
        lines,
    )


def saved(visit: Visit) -> dict[str, Any]:
    """The song in the database of the browser, once it is the one on the sheet."""
    load = "(await import('/store.js')).load(location.hash.split('/')[2])"
    visit.until(
        f"""async () => {{ const song = await {load}, sheet = [...document.querySelectorAll('song-sheet .text')];
        return song && song.title === document.querySelector('.title').value
        && song.sections.flatMap(part => part.lines).map(line => line.text).join()
        === sheet.map(line => line.textContent).join(); }}"""
    )
    assert visit.page.locator(".saved").inner_text().startswith("Saved")
    return dict(visit.page.evaluate(f"async () => {load}"))


@pytest.fixture
def composed(visit: Visit) -> list[dict[str, Any]]:
    """Requests for takes, which are answered with numbered lines."""
    seen: list[dict[str, Any]] = []
    visit.page.route("**/v1/compose", takes(numbered, seen))
    return seen


def test_lines_are_typed_split_joined_and_undone(visit: Visit) -> None:
    page = visit.page
    assert page.evaluate("document.activeElement.classList.contains('text')"), "the first line has the focus"
    visit.type("one two", "three", "", "")
    assert visit.song == [["Verse 1", "one two", "three"], ["Verse 2", ""]], (
        "Enter in an empty last line starts a section"
    )
    page.keyboard.press("Backspace")
    page.keyboard.press("ArrowUp")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert visit.lines == ["one", "two", "three"]
    page.keyboard.press("Backspace")
    assert visit.lines == ["one two", "three"]
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    assert visit.lines == ["one two three"]
    states = []
    while page.get_by_label("Undo").is_enabled():
        page.keyboard.press(f"{MOD}+z")
        states.append(visit.lines)
    assert states[-1] == [""]
    while page.get_by_label("Redo").is_enabled():
        page.keyboard.press(f"{MOD}+Shift+z")
    assert visit.lines == ["one two three"]
    assert "one two three" in saved(visit)["sections"][0]["lines"][0]["text"]


def test_a_pasted_song_gets_sections_syllables_stress_rhymes_and_copied_runs(visit: Visit) -> None:
    page = visit.page
    visit.paste("\n".join([*SONG[:2], "", "[Chorus]", *SONG[2:], "", "a line <b>of</b> its own", ""]))
    assert [section[0] for section in visit.song] == ["Verse 1", "Chorus", "Verse 2"]
    page.wait_for_selector(".line .letter.perfect")
    rows = page.locator("song-sheet .line").evaluate_all(
        """rows => rows.map(row => ['.letter.perfect, .letter.near', '.count', '.stress'].map(
        name => row.querySelector(name)?.textContent ?? ''))"""
    )
    assert [row[0] for row in rows] == ["A", "A", "A", "A", ""]
    assert all(int(row[1]) >= 4 and len(row[2]) in (0, int(row[1])) for row in rows)
    assert page.evaluate("CSS.highlights.get('rhyme-1').size") == 4
    about = page.locator(".line .unseen").first.inner_text()
    assert "syllables" in about
    assert "rhyme A, perfect" in about
    page.wait_for_selector(".line .source:not([hidden])")
    assert "words as in Song " in page.locator(".line .source").first.inner_text()
    assert page.evaluate("CSS.highlights.get('copied').size") >= 2


def test_lines_and_sections_move_by_keyboard_and_by_drag(visit: Visit) -> None:
    page = visit.page
    visit.paste("one\ntwo\nthree\n\nfour\nfive")
    page.locator(".text").nth(1).click()
    page.keyboard.press("Alt+ArrowUp")
    assert visit.lines == ["two", "one", "three", "four", "five"]
    page.keyboard.press("Shift+ArrowDown")
    assert page.locator(".line.selected").count() == 2
    for _ in range(2):
        page.keyboard.press("Alt+ArrowDown")
    assert visit.song == [["Verse 1", "three"], ["Verse 2", "two", "one", "four", "five"]], (
        "over the border of a section"
    )
    page.keyboard.press("Escape")
    assert page.locator(".line.selected").count() == 0
    page.keyboard.press("Alt+Shift+ArrowUp")
    assert [section[0] for section in visit.song] == ["Verse 2", "Verse 1"]
    assert page.evaluate("document.activeElement.textContent") == "one", "the caret moves along"
    page.locator(".line").nth(3).hover()
    page.locator(".line .grip").nth(3).hover()
    page.mouse.down()
    page.mouse.move(*centre(page, ".line", 0, up=12), steps=4)
    page.mouse.up()
    assert visit.lines == ["five", "two", "one", "four", "three"]
    page.locator(".part").nth(1).locator(".grip").first.hover()
    page.mouse.down()
    page.mouse.move(*centre(page, ".part", 0, up=40), steps=4)
    page.mouse.up()
    assert [section[0] for section in visit.song] == ["Verse 1", "Verse 2"]


def centre(page: Any, selector: str, number: int, up: float = 0) -> tuple[float, float]:
    box = page.locator(selector).nth(number).bounding_box()
    return box["x"] + 60, box["y"] + box["height"] / 2 - up


def test_selected_lines_are_copied_overtyped_and_removed(visit: Visit) -> None:
    page = visit.page
    visit.paste("one\ntwo\nthree\n\nfour\nfive")
    page.locator(".text").first.click()
    page.keyboard.press("Shift+ArrowDown")
    copied = page.evaluate(
        """() => { const data = new DataTransfer();
        document.activeElement.dispatchEvent(new ClipboardEvent('copy', {clipboardData: data, bubbles: true, cancelable: true}));
        return data.getData('text/plain'); }"""
    )
    assert copied == "one\ntwo"
    page.keyboard.type("x")
    assert visit.lines == ["x", "three", "four", "five"]
    for _ in range(2):
        page.keyboard.press(f"{MOD}+a")
    assert page.locator(".line.selected").count() == 4
    page.keyboard.press("Delete")
    assert visit.song == [["Verse 1", ""]]
    page.keyboard.press(f"{MOD}+z")
    assert visit.lines == ["x", "three", "four", "five"]


def test_takes_are_used_by_number_mixed_and_written_again(visit: Visit, composed: list[dict[str, Any]]) -> None:
    page = visit.page
    visit.type(*SONG[:2])
    visit.until("() => document.querySelectorAll('.letter.perfect').length === 2")
    page.keyboard.press(f"{MOD}+Enter")
    page.wait_for_selector(".take:nth-child(5)")
    assert composed[0]["sheet"]["sections"][0]["syllables"] == [10, 10], "without a plan, the line as it is now"
    page.keyboard.press("2")
    assert visit.lines == [SONG[0], "take 2 of line 2"]
    assert page.evaluate("document.activeElement.textContent") == "take 2 of line 2", "the focus returns to the line"
    page.keyboard.press("Alt+4")
    assert visit.lines[1] == "take 4 of line 2"
    assert not {"temperature", "candidates"} & set(composed[-1])
    page.get_by_text("Advanced").click()
    page.get_by_label("Temperature").fill("1.2")
    page.get_by_label("Candidates").fill("99")
    page.get_by_label("Candidates").press("Tab")
    assert page.get_by_label("Candidates").input_value() == "16", "out of range: the default again"
    page.get_by_role("button", name="stranger").click()
    visit.until("() => document.querySelectorAll('.take').length === 5")
    assert (composed[-1]["tone"], composed[-1]["target"]) == (
        "stranger",
        {"section": 0, "line": 1, "rhyme_with": [0, 0]},
    )
    assert composed[-1]["temperature"] == 1.2
    page.get_by_label("More takes like take 3").click()
    visit.until("() => document.querySelectorAll('.take').length === 5")
    assert composed[-1]["like"] == "take 3 of line 2"
    page.locator(".text").first.click()
    page.get_by_label("To rhyme with").select_option(label="take 4 of line 2")
    page.get_by_role("button", name="Write 5 takes").click()
    visit.until("() => document.querySelectorAll('.take').length === 5")
    assert composed[-1]["target"] == {"section": 0, "line": 0, "rhyme_with": [0, 1]}
    page.get_by_role("button", name="Write 5 takes").wait_for()
    page.get_by_label("To rhyme with").select_option(label="nothing")
    page.get_by_role("button", name="Write 5 takes").click()
    visit.until("() => document.querySelectorAll('.take').length === 5")
    assert composed[-1]["target"] == {"section": 0, "line": 0}
    assert composed[-1]["sheet"]["sections"][0]["syllables"] is None
    page.get_by_text("New line after it").click()
    page.get_by_role("button", name="Write 5 takes").click()
    page.locator(".take .use").first.click()
    assert visit.lines == [SONG[0], "take 1 of line 2", "take 4 of line 2"]
    page.locator(".take .use").nth(2).click()
    assert visit.lines == [SONG[0], "take 3 of line 2", "take 4 of line 2"], "another take replaces the new line"


def test_sections_are_continued_filled_like_another_and_kept_lines_stay(
    visit: Visit, composed: list[dict[str, Any]]
) -> None:
    page = visit.page
    visit.paste("\n".join(SONG))
    page.wait_for_selector(".line .letter.perfect")
    page.get_by_role("button", name="Add a section").click()
    page.get_by_text("Whole section").click()
    page.get_by_label("Metre and rhyme").select_option(label="like Verse 1")
    page.keyboard.press(f"{MOD}+Enter")
    page.wait_for_selector(".take:nth-child(5)")
    part = composed[-1]["sheet"]["sections"][1]
    assert len(part["lines"]) == 4
    assert part["rhyme"] == "AABB" or len(set(part["rhyme"])) < 4
    assert len(part["syllables"]) == 4
    page.keyboard.press("1")
    assert visit.song[1] == ["Verse 2", *(f"take 1 of line {n}" for n in range(1, 5))]
    page.locator(".take-line", has_text="take 5 of line 3").click()
    assert visit.song[1][3] == "take 5 of line 3", "one line of another take"
    page.locator(".text").nth(5).click()
    page.keyboard.press("Alt+l")
    page.wait_for_selector(".line.locked")
    page.keyboard.press(f"{MOD}+Enter")
    page.wait_for_selector(".take-line.kept")
    assert [line["locked"] for line in composed[-1]["sheet"]["sections"][1]["lines"]] == [False, True, False, False]
    page.keyboard.press("3")
    assert visit.song[1][2] == "take 1 of line 2"
    page.locator(".text").nth(1).click()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press(f"{MOD}+Enter")
    visit.until("() => document.querySelectorAll('.take-line.kept').length === 10")
    assert [line["locked"] for line in composed[-1]["sheet"]["sections"][0]["lines"]] == [True, False, False, True]


def test_a_template_keeps_the_lines_that_exist_and_the_plan_is_shown(
    visit: Visit, composed: list[dict[str, Any]]
) -> None:
    page = visit.page
    visit.type(SONG[0])
    page.get_by_role("tab", name="Plan").click()
    page.get_by_label("Choose a template").select_option(label="Limerick")
    page.get_by_role("button", name="Use it").click()
    assert visit.song == [["Limerick", SONG[0], "", "", "", ""]]
    assert "AABBA" in page.locator(".planned").first.inner_text()
    page.wait_for_selector(".count.off")
    assert page.locator(".count").first.inner_text().endswith("/8")
    assert page.locator(".letter.plan").all_inner_texts() == ["A", "A", "B", "B", "A"]
    page.get_by_label("Tempo").fill("120")
    page.get_by_text("The song takes 0:20.").wait_for()
    page.get_by_label("Beats a line").fill("4")
    page.locator(".pace", has_text="0:10; the fastest line has").wait_for()
    assert "0:10" in page.locator(".planned").first.inner_text()
    assert page.locator(".count").first.get_attribute("title").endswith("syllables a second")
    page.get_by_label("Lines", exact=True).fill("3")
    page.get_by_label("Lines", exact=True).press("Tab")
    assert visit.song == [["Limerick", SONG[0], "", ""]]
    page.get_by_label("Lines", exact=True).fill("5")
    page.get_by_label("Lines", exact=True).press("Tab")
    page.get_by_text("The song takes 0:10.").wait_for()
    page.get_by_label("Words to use").fill("lantern, light")
    page.get_by_label("Words to avoid").fill("ferryman")
    page.get_by_label("Topic").fill("a ferry")
    assert page.locator("song-plan .tag").all_inner_texts() == [
        "lantern: not yet",
        "light ✓",
        "ferryman: to be avoided",
    ]
    page.get_by_label("Rhyme", exact=True).fill("abba")
    page.locator(".text").nth(1).click()
    page.keyboard.press(f"{MOD}+Enter")
    page.wait_for_selector(".take")
    sheet = composed[-1]["sheet"]
    assert (sheet["topic"], sheet["use"], sheet["avoid"]) == ("a ferry", ["lantern", "light"], ["ferryman"])
    assert sheet["sections"][0]["rhyme"] == "ABBA"
    assert sheet["sections"][0]["syllables"] == [8, 8, 5, 5, 8]
    kept = saved(visit)
    assert (kept["tempo"], kept["sections"][0]["beats"]) == (120, 4)


def test_versions_are_compared_and_brought_back(visit: Visit) -> None:
    page = visit.page
    visit.type("one", "two")
    page.keyboard.press(f"{MOD}+s")
    page.wait_for_selector("#live:not(:empty)")
    page.keyboard.type(" changed")
    page.get_by_role("tab", name="Versions").click()
    page.wait_for_selector(".diff ins")
    assert page.locator(".diff del").all_inner_texts() == ["two"]
    assert page.locator(".diff ins").all_inner_texts() == ["two changed"]
    page.get_by_role("button", name="Bring the first one back").click()
    assert visit.lines == ["one", "two"]
    visit.until("() => document.querySelectorAll('song-versions select')[0].options.length === 2")
    page.keyboard.press(f"{MOD}+z")
    assert visit.lines == ["one", "two changed"], "bringing back can be undone"


def test_a_reload_and_another_tab_show_the_same_song_and_a_deleted_one_is_gone(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Title of the song").fill(HOSTILE)
    page.locator(".text").first.click()
    visit.type(*SONG[:2])
    song = saved(visit)
    page.reload()
    wait_for(visit, SONG[:2])
    assert page.get_by_label("Title of the song").input_value() == HOSTILE.replace("\x1b", "\x1b")
    other = visit.tab(f"#/write/{song['id']}")
    other.locator(".text", has_text=SONG[1]).wait_for()
    other.get_by_role("button", name="Songs").click()
    other.get_by_role("menuitem", name="New song").click()
    other.locator(".text", has_text=SONG[1]).wait_for(state="detached")
    other.get_by_role("button", name="Songs").click()
    other.get_by_role("menuitem", name="Open a song").click()
    other.locator(".song-list strong").nth(1).wait_for()
    assert "<img src=x" in other.locator(".song-list strong").all_inner_texts()[1]
    other.close()
    page.get_by_role("button", name="Songs").click()
    page.get_by_role("menuitem", name="Delete this song").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    visit.until("() => document.querySelectorAll('song-sheet .text').length === 1")
    page.goto("about:blank")
    page.goto(f"{visit.url}/#/write/{song['id']}")
    page.get_by_text("This browser has no song of this address").wait_for()


FORMATS = {
    "Text (.txt)": "The ferry\n\n[Verse 1]\none\ntwo\n\n[Chorus]\nthree *now*\n",
    "Markdown (.md)": "# The ferry\n\n## Verse 1\n\none  \ntwo\n\n## Chorus\n\nthree \\*now\\*\n",
    "ChordPro (.cho)": "{title: The ferry}\n\n{start_of_verse: Verse 1}\none\ntwo\n{end_of_verse}\n\n"
    "{start_of_chorus: Chorus}\nthree *now*\n{end_of_chorus}\n",
}


def exported(page: Any, name: str) -> Path:
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as got:
        page.get_by_role("menuitem", name=name).click()
    return Path(got.value.path())


def test_every_format_is_written_and_read_back(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.get_by_label("Title of the song").fill("The ferry")
    page.locator(".text").first.click()
    visit.paste("one\ntwo\n\n[Chorus]\nthree *now*")
    page.locator(".text").first.click()
    page.keyboard.press("Alt+l")
    song = visit.song
    files = {name: exported(page, name) for name in [*FORMATS, "Song with its plan (.json)", "Word (.docx)"]}
    assert {name: files[name].read_text("utf-8") for name in FORMATS} == FORMATS
    document = Document(str(files["Word (.docx)"]))
    assert [p.text for p in document.paragraphs] == ["The ferry", "Verse 1", "one\ntwo", "Chorus", "three *now*"]
    assert [p.style.name for p in document.paragraphs if p.style] == [
        "Title",
        "Heading 2",
        "Normal",
        "Heading 2",
        "Normal",
    ]
    for name, path in files.items():
        page.locator("input[type=file]").set_input_files(
            {"name": f"song.{name.rpartition('.')[2][:-1]}", "mimeType": "text/plain", "buffer": path.read_bytes()}
        )
        visit.until("() => document.querySelectorAll('song-sheet .part').length === 2")
        assert visit.song == song, name
        assert page.get_by_label("Title of the song").input_value() == "The ferry"
        assert (page.locator(".line.locked").count() == 1) == ("json" in name)
        page.get_by_role("button", name="Songs").click()
        page.get_by_role("menuitem", name="New song").click()
        visit.until("() => document.querySelectorAll('song-sheet .part').length === 1")
    many = json.dumps({"sections": [{"lines": [{"text": "la"}] * 401}]}).encode()
    for name, data, problem in [
        ("bad.json", b'{"a": 1}', "is not a song"),
        ("bad.docx", b"PK\x03\x04 nothing", "is not a song"),
        ("bad.txt", b"\x00\x01", "is not a song"),
        ("large.json", many, "401 lines in 1 sections; a song has at most 400"),
    ]:
        page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})
        page.locator("dialog").get_by_text(problem).wait_for()
        page.get_by_label("Close").click()
    page.locator(".text").first.click()
    visit.paste("la\n" * 401)
    page.locator("dialog").get_by_text("402 lines in 2 sections").wait_for()
    assert visit.lines == [""], "nothing is pasted in part"


def test_the_whole_session_by_keyboard(visit: Visit) -> None:
    line, exported = session_by_keyboard(visit)
    assert line in exported


@pytest.mark.slow
def test_the_whole_session_by_keyboard_on_a_pretrained_writer(chromium: Any, smollm2: str) -> None:
    with serving(ModelRegistry.open([smollm2]), ServerSettings(studio=True), seconds=600) as running:
        visit = Visit(chromium, running.url)
        visit.context.set_default_timeout(600_000)
        line, exported = session_by_keyboard(visit)
        assert line in exported
        visit.check()
        visit.context.close()


def session_by_keyboard(visit: Visit) -> tuple[str, str]:
    """Open, choose a template, type two lines, get takes, accept, find a rhyme, move a section, undo, reload, export.

    Returns the line that the rhyme ends, and the paragraph of the exported document that must have it.
    """
    page = visit.page
    press = page.keyboard.press
    press("Alt+p")
    until(page, "el => el.getAttribute('aria-label') === 'Choose a template'")
    page.keyboard.type("Verse")
    press("Tab")
    press("Enter")
    visit.until("() => document.querySelectorAll('song-sheet .part').length === 6")
    assert page.evaluate("document.activeElement.classList.contains('text')"), "the first line has the focus"
    visit.type("the windows of the town are bright", "I hold the lantern to the night")
    press("Enter")
    press(f"{MOD}+Enter")
    page.get_by_text("Click a take or press its number").wait_for()
    take = page.locator(".take .take-lines").nth(2).inner_text()
    press("3")
    assert visit.lines[:4] == [
        "the windows of the town are bright",
        "I hold the lantern to the night",
        take,
        "",
    ]
    press("Enter")
    page.keyboard.type("and all ")
    press("Alt+r")
    visit.until("() => document.activeElement.classList.contains('word')")
    press("ArrowRight")
    word = page.evaluate("document.activeElement.textContent")
    press("Enter")
    visit.until("() => document.activeElement.classList.contains('text')")
    assert visit.lines[3] == f"and all {word}"
    names = [section[0] for section in visit.song]
    press("Alt+Shift+ArrowDown")
    assert [section[0] for section in visit.song] == [names[1], names[0], *names[2:]]
    press(f"{MOD}+z")
    assert [section[0] for section in visit.song] == names
    before = visit.song
    saved(visit)
    page.reload()
    visit.until("() => document.querySelectorAll('song-sheet .part').length === 6")
    assert visit.song == before
    press("Shift+Tab")
    until(page, "el => el.getAttribute('aria-label') === 'Export'", "Shift+Tab")
    press("Enter")
    for _ in range(4):
        press("ArrowDown")
    with page.expect_download() as got:
        press("Enter")
    content = Path(got.value.path()).read_bytes()
    assert "word/document.xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    return f"and all {word}", Document(io.BytesIO(content)).paragraphs[1].text


def until(page: Any, script: str, key: str = "Tab") -> None:
    """Press a key until the focused element is the one."""
    for _ in range(40):
        if page.evaluate(f"({script})(document.activeElement)"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{script} was never focused")


def test_songs_are_kept_on_the_server_and_a_change_from_another_browser_is_a_version(
    chromium: Any, served: ModelRegistry, tmp_path: Path
) -> None:
    only = ModelRegistry({"poet": served.items["poet"]})
    with serving(only, ServerSettings(projects=str(tmp_path / "songs"))) as running:
        first = Visit(chromium, running.url)
        first.type(*SONG[:2])
        first.page.route("**/v1/projects/*", lambda route: route.abort())
        first.page.keyboard.type("!")
        first.page.get_by_text("not on the server").wait_for()
        first.page.get_by_text("The server does not answer").wait_for()
        first.page.unroute("**/v1/projects/*")
        first.page.get_by_text("Saved here and on the server").wait_for()
        soon(lambda: any("tonight!" in path.read_text() for path in (tmp_path / "songs").glob("project-*.json")))
        first.page.keyboard.press("Backspace")
        first.page.get_by_text("Saved here and on the server").wait_for()
        soon(lambda: any(SONG[1] in path.read_text() for path in (tmp_path / "songs").glob("project-*.json")))
        other = Visit(chromium, running.url)
        other.page.locator(".text", has_text=SONG[1]).wait_for()
        other.page.locator(".text").nth(1).click()
        other.page.keyboard.press("End")
        other.page.keyboard.type(" again")
        soon(lambda: any("tonight again" in path.read_text() for path in (tmp_path / "songs").glob("project-*.json")))
        first.page.keyboard.type(" and again")
        first.page.get_by_role("tab", name="Versions").click()
        first.page.locator(".diff del", has_text="tonight again").wait_for()
        assert first.lines[1] == f"{SONG[1]} and again"
        assert {said.split()[0] for said in first.wrong} <= {"412", "Failed"}
        first.wrong.clear()
        refusal = {"error": {"message": "The project has too many bytes.", "type": "x", "param": None, "code": None}}
        first.page.route("**/v1/projects/*", lambda route: route.fulfill(status=413, json=refusal))
        first.page.locator(".text").nth(1).click()
        first.page.keyboard.type(".")
        first.page.get_by_text("The project has too many bytes.").wait_for()
        first.page.unroute("**/v1/projects/*")
        first.wrong.clear()
        other.leave()
        first.leave()


def test_another_tab_shows_each_change_and_undo_returns_to_what_was_there(visit: Visit) -> None:
    page = visit.page
    visit.type("one", "two")
    other = visit.tab(f"#/write/{saved(visit)['id']}")
    other.locator(".text").nth(1).click()
    other.keyboard.press("End")
    other.keyboard.type(" three")
    wait_for(visit, ["one", "two three"])
    page.bring_to_front()
    page.keyboard.press(f"{MOD}+z")
    assert visit.lines == ["one", "two"]
    other.locator(".text", has_text="three").wait_for(state="detached")
    assert other.locator(".text").nth(1).inner_text() == "two"


def test_a_browser_that_stores_nothing_says_so_and_can_be_used(chromium: Any, running: Running) -> None:
    visit = Visit(chromium, running.url, None)
    for name in ("localStorage", "indexedDB"):
        visit.page.add_init_script(
            f"Object.defineProperty(window, '{name}', {{get() {{ throw new DOMException('no', 'SecurityError'); }}}})"
        )
    visit._go(visit.page, "")
    visit.type(*SONG[:2])
    visit.page.get_by_text("Not saved: this browser stores nothing").wait_for()
    visit.page.get_by_label("Colours: as the system").click()
    visit.page.get_by_label("Colours: light").wait_for()
    visit.page.keyboard.press("Control+s")
    visit.page.get_by_role("tab", name="Versions").click()
    visit.page.get_by_text("The two are the same").wait_for()
    assert visit.lines == SONG[:2]
    visit.leave()


def test_takes_stop_and_an_error_is_a_sentence(visit: Visit) -> None:
    page = visit.page
    visit.type(SONG[0])
    waiting: list[Any] = []
    page.route("**/v1/compose", lambda route: waiting.append(route))
    page.keyboard.press(f"{MOD}+Enter")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("The writer found no line").wait_for()
    page.unroute("**/v1/compose")
    problem = {
        "error": {"message": "The queue of this server is full; <b>wait</b>.", "type": "x", "param": None, "code": None}
    }
    page.route(
        "**/v1/compose",
        lambda route: route.fulfill(
            status=200, content_type="text/event-stream", body=f"data: {json.dumps(problem)}\n\n"
        ),
    )
    page.keyboard.press(f"{MOD}+Enter")
    page.locator(".say.error").wait_for()
    assert page.locator(".say.error").inner_text() == "The queue of this server is full; <b>wait</b>."
    page.unroute("**/v1/compose")
    take = {"take": {"lines": ["one that arrived"], "score": 0.0, "met": {"syllables": [4], "uses": []}}}
    page.route(
        "**/v1/compose",
        lambda route: route.fulfill(status=200, content_type="text/event-stream", body=f"data: {json.dumps(take)}\n\n"),
    )
    page.keyboard.press(f"{MOD}+Enter")
    page.get_by_text("The server stopped before its answer was complete").wait_for()
    page.keyboard.press("1")
    assert visit.lines == ["one that arrived"]


def test_two_hundred_lines_are_typed_without_delay(visit: Visit) -> None:
    visit.paste("\n\n".join("\n".join(f"line {n} of a long song that goes on" for n in range(10)) for _ in range(20)))
    assert len(visit.lines) == 200
    longest = visit.page.evaluate(
        """() => { const text = document.querySelectorAll('song-sheet .text')[100]; text.focus();
        const times = Array.from({length: 20}, () => { const began = performance.now();
          document.execCommand('insertText', false, 'a'); return performance.now() - began; });
        return Math.max(...times); }"""
    )
    print(f"longest key: {longest:.1f} ms")  # noqa: T201 - a figure, not a bound: it depends on the load of the machine
    assert visit.lines[100].count("a") >= 20


def test_a_new_song_that_is_empty_is_there_after_a_reload(visit: Visit) -> None:
    visit.page.reload()
    wait_for(visit, [""])
    assert visit.song == [["Verse 1", ""]]
