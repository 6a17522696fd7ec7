"""The pages beside the sheet in real Chromium, and what holds for all: accessibility, phones, colours, hostile names, a token."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from PIL import Image
from servekit import LINES, Running, serving
from studiokit import HOSTILE, KIND, SONG, Visit

from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.text import printable

READABLE = printable(HOSTILE)
PAGES = ("Write", "Classify", "Compare", "Corpus", "Models")
AXE = AXE_FILE_PATH.read_text("utf-8")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def test_words_are_labelled_and_those_that_decided_are_marked(visit: Visit) -> None:
    page = visit.open("Classify")
    page.get_by_role("button", name="Classify").click()
    page.locator(".say.error").wait_for()
    page.get_by_label("Model").select_option("<i>singers")
    page.get_by_label("Lyrics").fill("\n".join([*LINES[4:8], "oh <u onclick=window.hit=1>u</u> a < b"]))
    page.keyboard.press("Control+Enter")
    page.locator(".weights li").first.wait_for()
    labels = page.locator(".bars bdi").all_inner_texts()
    assert set(labels) > {"Anna Reed", "The Stone Kites"}
    assert any(READABLE[:20] in label for label in labels)
    assert page.locator(".marked mark").count() > 3
    assert "a < b" in page.locator(".marked").inner_text()
    assert page.locator(".bars .number").first.inner_text().endswith("%")


def test_all_predicted_labels_are_shown(visit: Visit, tmp_path: Path) -> None:
    page = visit.open("Classify")
    page.get_by_label("Model").select_option("moods")
    for words, expected in (
        ("lantern window midnight shadow\nharbour water sailor anchor", {"night", "sea"}),
        ("zzz qqq", set()),
    ):
        page.get_by_label("Lyrics").fill(words)
        page.keyboard.press("Control+Enter")
        heading = page.locator(".answer h2").filter(has_text="%" if expected else "No label reaches its threshold")
        heading.wait_for()
        assert set(heading.locator("bdi").all_inner_texts()) == expected
        assert heading.inner_text().count("%") == len(expected)
        assert page.locator(".bars bdi").count() == 3
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for path in files:
        path.write_text("lantern window midnight shadow\nharbour water sailor anchor")
    page.locator(".drop input").first.set_input_files(files)
    cells = page.locator("table tbody tr").first.locator("td")
    cells.nth(2).wait_for()
    assert set(cells.nth(1).inner_text().split("; ")) == {"night", "sea"}
    assert cells.nth(2).inner_text().count("%") == 2


def test_dropped_files_are_labelled_and_the_table_is_downloaded(visit: Visit, tmp_path: Path) -> None:
    page = visit.open("Classify")
    page.get_by_label("Model").select_option("<i>singers")
    files = [tmp_path / "=one.txt", tmp_path / "two.txt"]
    for path, line in zip(files, LINES, strict=False):
        path.write_text(line)
    page.locator(".drop input").first.set_input_files(files)
    page.locator("table tbody tr").nth(1).wait_for()
    with page.expect_download() as got:
        page.get_by_role("button", name="Download the labelled table").click()
    rows = Path(got.value.path()).read_bytes().decode().split("\r\n")
    assert rows[0] == "file,label,probability,prediction_set,note"
    assert rows[1].startswith('"\'=one.txt",')
    page.locator(".drop input").first.set_input_files(files[1])
    page.locator(".weights li").first.wait_for()
    assert page.get_by_label("Lyrics").input_value() == LINES[1]
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "three.txt").write_text(LINES[2])
    (tmp_path / "inside" / "cover.png").write_bytes(b"\x89PNG")
    page.get_by_label("Choose a folder of texts").set_input_files(tmp_path)
    page.get_by_text("1 file is no text and was left out").wait_for()
    cells = page.locator("table tbody tr", has_text="inside/three.txt").locator("td")
    assert cells.nth(3).inner_text() != "", "a prediction set"
    assert page.locator("table tbody tr").count() == 3


def test_a_picture_is_labelled_when_it_is_dropped(visit: Visit, drawings: Path, tmp_path: Path) -> None:
    page = visit.open("Classify")
    page.get_by_label("Model").select_option("colours")
    page.locator(".drop input").first.set_input_files(drawings / "red" / "3.png")
    page.locator(".bars li").first.wait_for()
    assert set(page.locator(".bars bdi").all_inner_texts()) == {"red", "blue", "green", "white"}
    assert page.locator(".drop img").is_visible()
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png", compress_level=1)
    assert (tmp_path / "large.png").stat().st_size > 3_500_000
    page.locator(".drop input").first.set_input_files(tmp_path / "large.png")
    page.get_by_text("made smaller").wait_for()
    page.locator(".bars li").first.wait_for()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n nothing")
    page.locator(".drop input").first.set_input_files(tmp_path / "broken.png")
    page.locator(".say.error").wait_for()
    assert "cannot be read" in page.locator(".say.error").inner_text()
    assert len(visit.wrong) == 2
    assert all("400" in said for said in visit.wrong)
    visit.wrong.clear()


def test_runs_are_sorted_filtered_and_one_is_looked_at_closely(visit: Visit) -> None:
    page = visit.open("Compare")
    names = lambda: page.locator("table.runs td:first-child").all_inner_texts()  # noqa: E731
    page.locator("table.runs").first.wait_for()
    assert set(names()) >= {"poet", "<i>singers", "genres", "colours"}
    assert "different targets" in page.locator(".notes").all_inner_texts()[0] + page.locator("main").inner_text()
    assert page.locator("svg.interval title").count() >= 4
    table = page.locator("table.runs", has_text="genres")
    table.locator("th button").first.click()
    assert table.locator("td:first-child").all_inner_texts() == ["<i>singers", "genres", "moods"]
    table.locator("th button").first.click()
    assert table.locator("td:first-child").all_inner_texts() == ["moods", "genres", "<i>singers"]
    assert table.locator("th").first.get_attribute("aria-sort") == "descending"
    page.get_by_label("Filter the runs").fill("SING")
    assert names() == ["<i>singers"]
    page.locator("label.narrow select").select_option("genres")
    frames = page.locator(".closely iframe")
    frames.nth(1).wait_for()
    assert [frame.get_attribute("sandbox") for frame in frames.all()] == ["", ""]
    page.frame_locator(".closely iframe >> nth=0").get_by_text("Confusion on test").first.wait_for()
    frames.nth(1).scroll_into_view_if_needed()
    page.frame_locator(".closely iframe >> nth=1").get_by_text("What the study found").wait_for()


def test_songs_are_searched_and_read(visit: Visit) -> None:
    page = visit.open("Corpus")
    page.get_by_text("Songs 1 to 25").wait_for()
    page.get_by_role("button", name="More songs").click()
    page.get_by_text("Songs 26 to 50").wait_for()
    page.get_by_label("Search").fill("  window.HIT=1")
    page.get_by_text("Songs 1 to 12").wait_for()
    page.locator(".rows button").first.click()
    page.locator(".read").wait_for()
    song = page.locator(".read").inner_text()
    assert READABLE.strip() in song
    assert "\u202e" not in song
    assert page.locator(".lyrics mark").count() == 3
    page.get_by_role("heading", name="Similar songs").wait_for()
    other = page.locator(".others button").last
    title = other.inner_text()
    assert page.locator(".others .hint").last.inner_text().endswith("%")
    other.click()
    page.locator(".read h2", has_text=title).wait_for()
    page.get_by_label("Search").fill("window.hit=1 nowhere")
    page.get_by_text("No song has this").wait_for()
    page.get_by_label("Search").fill("")
    page.get_by_label("Genre").fill("rock")
    page.get_by_text("Songs 1 to 25").wait_for()
    visit.until("() => [...document.querySelectorAll('.rows .more')].every(e => e.innerText.startsWith('rock'))")
    page.get_by_text("The whole corpus").click()
    page.frame_locator(".whole iframe").get_by_text("72 songs").first.wait_for()


def test_models_are_described(visit: Visit) -> None:
    page = visit.open("Models")
    page.locator(".card").nth(4).wait_for()
    text = page.locator("main").inner_text()
    assert all(name in text for name in ("poet", "<i>singers", "genres", "colours", KIND, "nb-svm", "writes lyrics"))
    page.locator(".card", has_text="genres").get_by_role("link", name="Results").click()
    page.get_by_role("heading", level=1, name="Compare").wait_for()
    visit.until("() => document.querySelector('main select')?.value === 'genres'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(visit: Visit, scheme: str) -> None:
    rules = WCAG if scheme == "light" else ["color-contrast"]
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.evaluate(AXE)
    visit.paste("\n".join([*SONG, "", *SONG[:2]]))
    visit.page.locator(".letter.perfect").first.wait_for()
    for name in PAGES:
        if name != "Write":
            visit.open(name)
            visit.until("() => !document.querySelector('.say.busy')")
        assert problems(visit.page, rules) == [], name
    visit.page.get_by_role("link", name="Write", exact=True).first.click()
    visit.page.locator("song-sheet").wait_for()
    for panel in ("Words", "Plan", "Versions"):
        visit.page.get_by_role("tab", name=panel).click()
        assert problems(visit.page, rules) == [], panel
    visit.page.keyboard.press("F1")
    assert problems(visit.page, rules) == [], "help"


def problems(page: Any, rules: list[str]) -> list[Any]:
    """Return what axe finds: the rule, its help, and the first elements that break it."""
    script = """options => axe.run(document, options).then(found => found.violations.map(
        each => [each.id, each.help, each.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]))"""
    return list(page.evaluate(script, {"runOnly": rules, "iframes": False, "resultTypes": ["violations"]}))


def edges(page: Any, name: str, width: int) -> tuple[float, float]:
    """Return the left and the right edge of a page and its link in a window of a width."""
    page.set_viewport_size({"width": width, "height": 844})
    link = page.get_by_role("link", name=name, exact=True).first.bounding_box()
    return link["x"], max(link["x"] + link["width"], page.evaluate("document.documentElement.scrollWidth"))


def test_every_page_fits_a_window(visit: Visit) -> None:
    visit.type(*SONG[:2])
    for name in PAGES:
        if name != "Write":
            visit.open(name)
        for width in (1440, 2560):
            left, right = edges(visit.page, name, width)
            assert 0 <= left <= right <= width, (name, width)


def test_every_page_fits_a_phone_and_a_tablet_and_the_song_comes_first(chromium: Any, running: Running) -> None:
    visit = Visit(chromium, running.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visit.page
    page.locator(".text").first.click()
    visit.type(*SONG[:2])
    for name in PAGES:
        if name != "Write":
            visit.open(name)
        for width in (768, 390):
            left, right = edges(page, name, width)
            assert 0 <= left <= right <= width, (name, width)
    page.get_by_role("link", name="Write", exact=True).first.click()
    for width in (390, 768):
        page.set_viewport_size({"width": width, "height": 844})
        page.locator("song-sheet").wait_for()
        sheet, tools = page.locator("song-sheet").bounding_box(), page.get_by_role("tab", name="Takes").bounding_box()
        assert sheet["y"] < tools["y"]
        assert tools["y"] + tools["height"] <= 844
        page.get_by_role("tab", name="Plan").click()
        assert page.get_by_label("Topic").is_visible()
        page.get_by_role("tab", name="Plan").click()
        assert not page.get_by_label("Topic").is_visible(), "the same tab closes the panel"
    visit.leave()


def test_colours_follow_the_system_or_the_choice(visit: Visit) -> None:
    page = visit.page
    page.emulate_media(color_scheme="dark")
    paper = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    assert paper() == "rgb(21, 23, 27)"
    page.get_by_label("Colours: as the system").click()
    assert paper() == "rgb(252, 251, 248)"
    page.reload()
    page.get_by_label("Colours: light").wait_for()
    assert paper() == "rgb(252, 251, 248)"


def test_with_a_token_the_browser_asks_for_it(chromium: Any, served: ModelRegistry) -> None:
    only = ModelRegistry({"poet": served.items["poet"]})
    with serving(only, ServerSettings(token="a-secret-token")) as running:
        assert running.http.get("/", headers={"Authorization": ""}).status_code == 401
        visit = Visit(chromium, running.url, http_credentials={"username": "me", "password": "a-secret-token"})
        visit.type(*SONG[:2])
        visit.page.locator(".letter.perfect").first.wait_for()
        visit.wrong = [text for text in visit.wrong if "401" not in text]  # the browser asks first without it
        visit.leave()
