"""Pages: whole, safe with hostile text, without network, and with what a reader with another tool than eyes needs."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.reports import figures
from lyrist.reports.blocks import Code, Column, Details, Facts, Items, Links, Lyrics, Page, Prose, Section, Table
from lyrist.reports.page import figures_of, render, write

HOSTILE = '</title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="x\u202e\x1b[31m\u2066'
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Checks that elements nest, and gathers tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(page: Page) -> Reader:
    reader = Reader()
    reader.feed(render(page))
    reader.close()
    assert reader.open == []
    return reader


def everywhere(text: str) -> Page:
    """A page with ``text`` in every place that takes one."""
    blocks = [
        Prose(text),
        Prose(text, "warning"),
        Items([text]),
        Facts([(text, text, text)]),
        Table([text, Column(text, bar=True, note=text)], [[text, 1], [text, None]], caption=text, note=text),
        Lyrics(text, [(0, 3, 1.0), (2, 9, -0.5)], title=text, note=text),
        Code(text, title=text),
        Links([(text, text, text)]),
        Details(text, [Prose(text), figures.bars({text: 1}, title=text, caption=text, alt=text)]),
        figures.bars({text: 1}, title=text, caption=text),
    ]
    sections = [Section(text, blocks, intro=text) for _ in range(4)]
    return Page(text, sections, subtitle=text, kicker=text, lead=blocks, footer=text)


def test_hostile_text_stays_text() -> None:
    html = render(everywhere(HOSTILE))
    reader = read(everywhere(HOSTILE))
    assert not {tag for tag, _ in reader.tags} & {"img", "iframe", "object", "link"}
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in reader.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", html)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1))
def test_any_text_makes_a_whole_page(text: str) -> None:
    page = Page(text, [Section(text, [Prose(text), Table([text], [[text]]), Lyrics(text), Code(text)])])
    reader = read(page)
    assert "img" not in {tag for tag, _ in reader.tags}
    assert [tag for tag, _ in reader.tags].count("script") == 1
    render(page).encode("utf-8")


def test_the_page_needs_no_network_and_allows_one_script_by_its_hash() -> None:
    html = render(everywhere("a text"))
    assert "default-src 'none'" in html
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    html = html.replace(script, "")
    assert not re.search(r"@import|src=|url\((?!#)", html)
    addresses = {address for address in re.findall(r'https?://[^\s"<]+', html) if "w3.org" not in address}
    assert addresses == set()


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("study/report.html", "study/report.html"),
        ("a b.html", "a%20b.html"),
        ("#s", "#s"),
        ("https://example.org/", "https://example.org/"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("data:text/html,x", "data%3Atext/html%2Cx"),
        ("//evil.example/x", "/evil.example/x"),
    ],
)
def test_links_lead_beside_the_page_or_to_https_only(href: str, address: str) -> None:
    page = Page("t", [Section("s", [Links([("a", href, "")])])])
    found = [a["href"] for tag, a in read(page).tags if tag == "a" and a.get("class") != "permalink"]
    assert found == ["#main", address]


def test_a_long_page_has_contents_and_every_entry_leads_somewhere() -> None:
    sections = [Section(name) for name in ("Same name", "Same name", "日本語", "Fourth & last")]
    reader = read(Page("t", sections))
    ids = [a["id"] for tag, a in reader.tags if tag == "section"]
    assert ids == ["same-name", "same-name-2", "section", "fourth-last"]
    links = [(str(a["href"])[1:], a.get("class")) for tag, a in reader.tags if tag == "a"]
    assert [address for address, kind in links if kind != "permalink"] == ["main", *ids]
    assert [address for address, kind in links if kind == "permalink"] == ids
    assert "nav" not in [tag for tag, _ in read(Page("t", sections[:3])).tags]
    assert "nav" in [tag for tag, _ in read(Page("t", sections[:1], contents=True)).tags]


def test_no_two_elements_share_an_identifier() -> None:
    ids = [a["id"] for _, a in read(everywhere("text")).tags if a.get("id")]
    distinct_pictures = {i for i in ids if str(i).startswith("f")}
    others = [i for i in ids if i not in distinct_pictures]
    assert len(others) == len(set(others))


def test_tables_name_their_rows_and_columns() -> None:
    reader = read(Page("t", [Section("s", [Table(["recipe", "accuracy"], [["svm", 0.8], ["lstm", 0.7]])])]))
    scopes = [a.get("scope") for tag, a in reader.tags if tag == "th"]
    assert scopes == ["col", "col", "row", "row"]


def cells(table: Table) -> list[str]:
    html = render(Page("t", [Section("s", [table])]))
    return re.findall(r"<(?:td|th scope=\"row\")[^>]*><bdi>([^<]*)</bdi>", html)


def test_numbers_are_written_for_people() -> None:
    table = Table(
        ["name", "n", Column("share", ".1%"), "value"],
        [["a", 1234567, 0.1234, 0.123456], ["b", 0, None, 12345.6], ["c", 3, float("nan"), float("inf")]],
    )
    assert cells(table) == ["a", "1,234,567", "12.3%", "0.123", "b", "0", "–", "12,346", "c", "3", "–", "–"]


def test_columns_of_numbers_stand_to_the_right() -> None:
    html = render(Page("t", [Section("s", [Table(["a", "b", "c"], [["x", 1, "y"], ["z", None, None]])])]))
    assert html.count('class="right"') == 3


def test_bars_are_shares_of_the_largest() -> None:
    html = render(Page("t", [Section("s", [Table(["a", Column("b", bar=True)], [["x", 10], ["y", 5], ["z", None]])])]))
    assert re.findall(r"--share: ([\d.]+%)", html) == ["100.0%", "50.0%"]


def test_highlighted_rows_and_empty_tables() -> None:
    html = render(Page("t", [Section("s", [Table(["a"], [["x"], ["y"]], highlight={1}), Table(["a", "b"], [])])]))
    assert html.count('<tr class="strong">') == 1
    assert '<td colspan="2" class="none">none</td>' in html


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="row 1 of the table has 1 cells for 2 columns"):
        render(Page("t", [Section("s", [Table(["a", "b"], [["x", 1], ["y"]])])]))


def marks(lyrics: Lyrics) -> list[tuple[str, str, str]]:
    html = render(Page("t", [Section("s", [lyrics])]))
    return re.findall(r'<mark class="(\w+)" style="--strength: ([\d.]+)">([^<]*)</mark>', html)


def test_what_decided_is_marked_with_its_strength() -> None:
    assert marks(Lyrics("love and hate", [(0, 4, 2.0), (9, 13, -1.0)])) == [
        ("for", "1.00", "love"),
        ("against", "0.50", "hate"),
    ]


def test_overlapping_marks_add_up_and_bad_ones_are_left_out() -> None:
    assert marks(Lyrics("abcdef", [(0, 4, 1.0), (2, 6, 1.0)])) == [
        ("for", "0.50", "ab"),
        ("for", "1.00", "cd"),
        ("for", "0.50", "ef"),
    ]
    assert marks(Lyrics("abc", [(2, 2, 1.0), (5, 9, 1.0), (0, 1, float("nan")), (-3, 1, 1.0)])) == [
        ("for", "1.00", "a")
    ]


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70), st.floats()), max_size=6))
@settings(max_examples=40, deadline=None)
def test_marks_lose_no_character(text: str, spans: list[tuple[int, int, float]]) -> None:
    from lyrist.reports.page import _pieces

    assert "".join(piece for piece, _, _ in _pieces(Lyrics(text, spans))) == text


def test_line_breaks_and_paragraphs_are_kept() -> None:
    html = render(Page("t", [Section("s", [Lyrics("one\ntwo\n\nthree")], intro="first\n\nsecond")]))
    assert "one\ntwo\n\nthree" in html
    assert "<p><bdi>first</bdi></p>" in html
    assert "<p><bdi>second</bdi></p>" in html


def test_commands_in_backticks_are_set_as_code_and_stay_text() -> None:
    html = render(Page("t", [Section("s", [Prose("run `lyrist explore <x>` or ` and `", "note")])]))
    assert "<p><bdi>run <code>lyrist explore &lt;x&gt;</code> or <code> and </code></bdi></p>" in html
    assert "<code>" not in render(Page("t", [Section("s", [Prose("a single ` backtick\nand `\n`")])]))


def test_pictures_come_with_their_alternative_text_and_are_found_again() -> None:
    picture, hidden = figures.bars({"a": 1}, title="Songs", alt="One song"), figures.bars({"b": 2}, name="inner")
    page = Page("t", [Section("s", [picture, Details("more", [hidden])])], lead=[picture])
    assert [f.name for f in figures_of(page)] == ["bars", "bars", "inner"]
    assert 'aria-label="One song"' in render(page)
    assert render(page).count("<svg") == 3


def test_the_page_is_dark_where_the_reader_wants_it_and_prints() -> None:
    html = render(Page("t", []))
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_a_page_is_written_whole_and_the_same_every_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write(everywhere("text"), path)
    first = path.read_bytes()
    write(everywhere("text"), path)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
