"""The studio in real Chromium: each tab is used for its job, by hand, by keyboard, on a phone, with hostile songs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from servekit import LINES, Running, serving
from studiokit import HOSTILE, KIND, Visit

from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.text import printable

READABLE = printable(HOSTILE)


def lines(page: Any, where: str = "#song-sheet") -> list[str]:
    """Return the lines as they are read, without the numbers of the songs that they copy."""
    script = """found => found.map(line => {
      const copy = line.cloneNode(true);
      copy.querySelectorAll('sup').forEach(number => number.remove());
      return copy.textContent;
    })"""
    return list(page.locator(f"{where} .line .words").evaluate_all(script))


def written(page: Any) -> list[str]:
    page.wait_for_selector("#song-sheet .key")
    page.wait_for_selector("#write-song:not([disabled])")
    return lines(page)


def test_a_song_is_written_kept_in_part_redrawn_and_downloaded(visit: Visit) -> None:
    page = visit.page
    visit.pick("Genre", KIND)
    visit.pick("Artist", READABLE[:20])
    page.get_by_label("First words").fill("the river runs away\nsilver")
    page.get_by_label("Form").fill("verse:4,chorus:2,chorus")
    page.get_by_label("Rhyme", exact=True).fill("AABB")
    page.locator("#write-song").click()
    first = written(page)
    assert len(first) == 8
    assert first[0] == "the river runs away"
    assert first[1].startswith("silver")
    assert first[4:6] == first[6:8], "a chorus is repeated"
    assert KIND in page.locator("#song-sheet .title").inner_text()
    assert all(int(count) > 0 for count in page.locator("#song-sheet .line .beats").all_inner_texts())
    assert page.locator("#song-sheet .copies").count() == 1

    for number in (0, 6):  # the chorus is kept where it is repeated, which keeps it where it stands first
        page.locator("button.lock").nth(number).click()
        page.wait_for_selector(f"#song-sheet .line:nth-child({[1, 0, 0, 0, 0, 0, 9][number]}).fast")
    assert page.locator("#song-sheet .line.fast").count() == 3
    page.locator("#keep-draft").click()
    page.wait_for_selector("#drafts .draft")
    how = page.locator("#song-sheet .how").inner_text()
    page.locator("#redraw").click()
    page.wait_for_function(
        "old => ![old, ''].includes(document.querySelector('#song-sheet .how').innerText.trim())", arg=how.strip()
    )
    second = written(page)
    assert [second[i] for i in (0, 4, 6)] == [first[i] for i in (0, 4, 6)]
    assert all(second[i] != first[i] for i in (1, 2, 3, 5, 7))
    assert second[5] == second[7]

    page.locator("#keep-draft").click()
    page.wait_for_selector("#drafts .draft:nth-child(2)")
    with page.expect_download() as got:
        page.locator("#song-sheet").get_by_text("Download as text").click()
    text = Path(got.value.path()).read_text("utf-8")
    assert [line for line in text.splitlines() if line] == second
    page.get_by_label("Work on draft 1").click()
    page.wait_for_function(
        "text => document.querySelectorAll('#song-sheet .words')[1].innerText.startsWith(text)", arg=first[1]
    )
    page.get_by_label("Remove draft 1").click()
    page.wait_for_selector("#drafts .draft:nth-child(2)", state="detached")
    assert lines(page, "#drafts") == second


def test_it_streams_and_stops_and_nobody_sees_another_ones_song(visits: Callable[..., Visit], running: Running) -> None:
    visit, other = visits(), visits()
    page = visit.page
    visit.pick("Writer", "slow")
    page.locator("#write-song").click()
    page.wait_for_selector("#song-sheet .caret")
    words = "[...document.querySelectorAll('#song-sheet .words')].map(each => each.innerText).join(' ')"
    page.wait_for_function(f"{words}.trim().split(' ').length > 3")
    assert page.locator("#stop-song").is_enabled()
    page.locator("#stop-song").click()
    text = "\n".join(written(page))
    assert "stopped" in page.locator("#song-sheet .how").inner_text()
    assert text
    page.wait_for_timeout(300)
    assert running.engine.inside == 0, "the writer was stopped too"
    page.locator("#keep-draft").click()
    page.wait_for_selector("#drafts .draft")
    third = visits()
    third.pick("Writer", "slow")
    third.page.locator("#write-song").click()
    third.page.wait_for_selector("#song-sheet .caret")
    assert running.engine.inside == 1
    third.page.goto("about:blank")
    page.wait_for_timeout(1500)
    assert running.engine.inside == 0, "who goes away in the midst of it needs no more of it"
    third.wrong = [told for told in third.wrong if "abort" not in told.lower() and "Connection errored" not in told]
    other.page.reload()
    other.page.wait_for_selector("#song-sheet .empty")
    assert other.page.locator("#drafts .draft").count() == 0


def test_what_cannot_be_meant_is_told_in_a_sentence(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Form").fill("vers<b>")
    page.locator("#write-song").click()
    told = page.locator("#write-said .error")
    told.wait_for()
    assert "'vers<b>', which is not a section" in told.inner_text()
    assert "--" not in told.inner_text()
    assert page.locator("#write-song").is_enabled()


def test_words_are_labelled_and_those_that_decided_are_marked(visit: Visit) -> None:
    page = visit.tab("Classify")
    page.locator("#label-it").click()
    page.wait_for_selector("#answer .error")
    page.get_by_label("Lyrics", exact=True).fill("\n".join([*LINES[4:8], "oh <u onclick=window.hit=1>u</u> a < b"]))
    page.locator("#label-it").click()
    page.wait_for_selector("#answer .weights li")
    labels = page.locator("#answer .answers .label").all_inner_texts()
    assert set(labels) > {"Anna Reed", "The Stone Kites"}
    assert any(READABLE[:20] in label for label in labels)
    assert page.locator("#answer mark").count() > 3
    assert page.locator("#answer .answers .share").first.inner_text().endswith("%")
    assert not page.get_by_label("Artist", exact=True).locator("visible=true").count()
    visit.pick("Run", "genres")
    page.get_by_label("Artist", exact=True).locator("visible=true").fill("Anna Reed")
    page.locator("#label-it").click()
    page.wait_for_selector("#answer .answers")
    assert KIND in page.locator("#answer .answers").inner_text()


def test_a_picture_is_labelled_when_it_is_dropped(visit: Visit, drawings: Path, tmp_path: Path) -> None:
    page = visit.tab("Classify")
    visit.pick("Run", "colours")
    page.locator("#picture input").set_input_files(drawings / "red" / "3.png")
    page.wait_for_selector("#answer .answers")
    assert set(page.locator("#answer .label").all_inner_texts()) == {"red", "blue", "green", "white"}
    assert page.locator("#picture img").is_visible()
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png", compress_level=1)
    assert (tmp_path / "large.png").stat().st_size > 3_500_000
    page.locator("#picture input").set_input_files(tmp_path / "large.png")
    page.get_by_text("made smaller").wait_for()
    page.wait_for_selector("#answer .answers")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n nothing")
    page.locator("#picture input").set_input_files(tmp_path / "broken.png")
    page.wait_for_selector("#answer .error")
    assert "cannot be read" in page.locator("#answer .error").inner_text()


def test_runs_stand_side_by_side_and_one_is_looked_at_closely(visit: Visit) -> None:
    page = visit.tab("Compare")
    page.wait_for_selector("#runs table")
    told = page.locator("#runs").inner_text()
    assert all(name in told for name in ("poet", "<i>singers", "genres", "colours", "different targets"))
    assert page.locator("#runs svg").count() == 3
    visit.pick("Run", "genres")
    page.wait_for_selector("#run svg")
    assert "Confusion on test" in page.locator("#run").inner_text()
    assert page.locator("#run svg").count() == 3
    frame = page.frame_locator("#report iframe")
    frame.get_by_text("What the study found").wait_for()
    assert page.locator("#report iframe").get_attribute("sandbox") == ""
    blocked = [told for told in visit.wrong if "Blocked script execution" in told]
    assert len(blocked) == 1, "whatever a report holds, nothing in it runs"
    visit.wrong.remove(blocked[0])


def test_songs_are_searched_and_read(visit: Visit) -> None:
    page = visit.tab("Corpus")
    page.wait_for_selector("#songs .found")
    assert "Songs 1 to 25" in page.locator("#songs .counted").inner_text()
    page.get_by_role("button", name="More songs").click()
    page.get_by_text("Songs 26 to 50").wait_for()
    page.get_by_label("Search").fill("  window.HIT=1")
    page.get_by_text("Songs 1 to 12").wait_for()
    page.locator("#songs button").first.click()
    page.wait_for_selector("#opened .read")
    song = page.locator("#opened").inner_text()
    assert READABLE.strip() in song
    assert "\u202e" not in song
    assert page.locator("#opened .text mark").count() == 3
    page.get_by_label("Search").fill("window.hit=1 nowhere")
    page.get_by_text("No song has this").wait_for()
    page.get_by_label("Search").fill("")
    visit.pick("Genre", "rock")
    page.get_by_text("Songs 1 to 25").wait_for()
    page.wait_for_function("[...document.querySelectorAll('#songs .more')].every(e => e.innerText.startsWith('rock'))")
    page.get_by_text("Look at the whole corpus").click()
    page.get_by_role("button", name="Draw its page").click()
    page.frame_locator("#explored iframe").get_by_text("72 songs, looked at closely").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(visits: Callable[..., Visit], scheme: str) -> None:
    visit = visits(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True, is_mobile=True)
    page = visit.page
    assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == (
        "rgb(28, 32, 36)" if scheme == "light" else "rgb(233, 231, 226)"
    )
    for name, there in (
        ("Write", "#song-sheet"),
        ("Classify", "#answer"),
        ("Compare", "#runs table"),
        ("Corpus", "#songs .found"),
    ):
        visit.tab(name)
        page.wait_for_selector(there)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_all_of_it_can_be_done_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Form").fill("verse:2")
    page.keyboard.press("Enter")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if reached[-1] == "write-song":
            break
    assert reached[-1] == "write-song", reached
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    written(page)
    page.locator("button.lock").first.focus()
    page.keyboard.press("Space")
    page.wait_for_selector("#song-sheet .line.fast")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true", (
        "the focus stays where it was"
    )
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, textarea, iframe')].filter(e => e.checkVisibility() &&
        !(e.innerText || e.ariaLabel || e.title || e.labels?.length || e.closest('label'))).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []


def test_with_a_token_the_browser_asks_for_it(chromium: Any, served: ModelRegistry) -> None:
    only = ModelRegistry({"poet": served.items["poet"]})
    with serving(only, ServerSettings(token="a-secret-token")) as running:
        assert running.http.get("/", headers={"Authorization": ""}).status_code == 401
        visit = Visit(chromium, running.url, http_credentials={"username": "me", "password": "a-secret-token"})
        visit.page.get_by_label("Form").fill("verse:1")
        visit.page.locator("#write-song").click()
        assert len(written(visit.page)) == 1
        visit.wrong = [told for told in visit.wrong if "401" not in told]  # the browser asks first without it
        visit.leave()
