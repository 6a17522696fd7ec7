"""The script of a page in a real browser: tables are sorted, filtered and saved, charts are saved, and nothing is reached for."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lyrist.reports import figures
from lyrist.reports.blocks import Column, Game, Page, Round, Section, Table
from lyrist.reports.page import write

HOSTILE = '<img src=x onerror="document.title=1">'
ROWS: list[list[Any]] = [
    ["beta", 0.25, "12 to 30"],
    ["alpha", 0.123456789, "5 to 9"],
    ["gamma", None, "–"],
    ["=1+1", 1234.5, 'a "b", c'],
    [HOSTILE, -3, "x"],
    *([f"row {n:02d}", n, "50% & more_"] for n in range(10)),
]


@pytest.fixture(scope="module")
def page(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("page") / "page.html"
    table = Table(["name", Column("share", ".2f"), "interval"], ROWS, caption="All rows")
    chart = figures.bars({"one": 1, HOSTILE: 2.34567}, title="A chart", spec=".1f")
    game = Game([Round("first", ("one", HOSTILE), 0, HOSTILE), Round("", ("three", "four"), 1, "B: Four")])
    write(Page("Title", [Section("A section", [table, chart, Table(["empty"], []), game])]), path)
    opened = chromium.new_page(accept_downloads=True)
    opened.faults = []
    opened.on("console", lambda message: opened.faults.append(message.text))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("request", lambda request: opened.faults.append(request.url) if "://" in request.url else None)
    opened.goto(path.as_uri())
    opened.faults.remove(path.as_uri())
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def again(page: Any) -> Iterator[None]:
    page.reload()
    page.faults.clear()
    yield
    assert [fault for fault in page.faults if not fault.startswith(("data:image/svg", "file:", "blob:"))] == []
    assert page.title() == "Title"


def names(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("tbody tr:visible > th").all_text_contents()]


def saved(page: Any, label: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).first.click()
    return Path(waiting.value.path()).read_bytes()


def test_a_click_sorts_by_number_and_another_the_other_way(page: Any) -> None:
    head = page.get_by_role("button", name="share")
    head.click()
    assert names(page)[:3] == ["=1+1", "row 09", "row 08"]
    assert names(page)[-1] == "gamma"  # missing values are last
    head.click()
    assert names(page)[:2] == [HOSTILE, "row 00"]
    assert names(page)[-1] == "gamma"
    assert page.locator("thead th").nth(1).get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="name").click()
    assert names(page)[-1] == "row 09"
    assert page.locator("thead th").nth(1).get_attribute("aria-sort") is None


def test_sorting_works_by_keyboard(page: Any) -> None:
    page.get_by_role("button", name="share").focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "=1+1"


def test_the_filter_shows_rows_with_all_words(page: Any) -> None:
    page.get_by_role("searchbox").fill("row 50% 03")
    assert names(page) == ["row 03"]
    assert page.locator(".tools [role=status]").text_content() == "1 of 15"
    assert b"alpha" not in saved(page, "Save as CSV")
    page.get_by_role("searchbox").fill("")
    assert len(names(page)) == 15


def test_csv_has_exact_values_and_no_formula(page: Any) -> None:
    rows = list(csv.reader(io.StringIO(saved(page, "Save as CSV").decode())))
    assert rows[0] == ["name", "share", "interval"]
    assert rows[2] == ["alpha", "0.12345679", "5 to 9"]
    assert rows[3] == ["gamma", "–", "–"]
    assert rows[4] == ["'=1+1", "1234.5", 'a "b", c']
    assert rows[5] == [HOSTILE, "-3", "x"]


def test_markdown_and_latex_show_what_the_page_shows(page: Any) -> None:
    markdown = saved(page, "Save as Markdown").decode().splitlines()
    assert markdown[:3] == ["| name | share | interval |", "|---|---:|---|", "| beta | 0.25 | 12 to 30 |"]
    latex = saved(page, "Save as LaTeX").decode()
    assert latex.startswith("\\begin{tabular}{lrl}\n\\toprule\nname & share & interval \\\\\n\\midrule\n")
    assert "row 00 & 0.00 & 50\\% \\& more\\_ \\\\" in latex
    assert latex.endswith("\\bottomrule\n\\end{tabular}\n")


def test_charts_are_saved_as_svg_and_png(page: Any) -> None:
    svg = saved(page, "Save as SVG")
    assert svg.startswith(b"<svg")
    assert b"2.34567" in svg  # the exact value is the text for the pointer
    assert saved(page, "Save as PNG").startswith(b"\x89PNG\r\n\x1a\n")


def test_without_the_script_there_is_no_button(page: Any, tmp_path: Path) -> None:
    context = page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page.url)
    assert plain.locator("button").count() == 0
    assert plain.locator("tbody tr").count() == 16
    context.close()


def test_guesses_are_counted_and_open_the_answer(page: Any) -> None:
    answers = page.locator(".game details")
    assert not any(answers.nth(place).is_visible() for place in range(2))
    page.get_by_role("button", name="Pair 1: A is real").press("Enter")
    assert answers.nth(0).locator("p").is_visible()
    assert "A is real: " in answers.nth(0).inner_text()
    assert page.get_by_role("button", name="Pair 1: B is real").is_disabled()
    page.get_by_role("button", name="Pair 2: A is real").click()
    assert page.locator(".guess span").all_text_contents() == ["Right.", "Wrong."]
    assert page.locator(".score").inner_text().startswith("Your score: 1 of 2.")


def test_the_game_is_readable_without_a_script(page: Any, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page.url)
    assert plain.get_by_text("four", exact=True).is_visible()
    plain.get_by_text("Answer").nth(1).click()
    assert plain.get_by_text("B is real: B: Four").is_visible()
    assert plain.locator(".guess").count() == 0
    context.close()
