"""`POST /v1/export`: Word files that Word's own rules accept, whatever a song holds."""

import io

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st
from servekit import Running

from lyrist.serving.export import DOCX, ExportRequest, ExportSection, docx_of

texts = st.text(st.characters(codec="utf-8"), max_size=30)


def test_title_headings_and_lines(server: Running) -> None:
    body = {
        "title": "The <ferry>",
        "artist": "Anna",
        "sections": [{"name": "Verse 1", "lines": ["one & two", "three"]}, {"lines": ["x"]}],
    }
    found = server.http.post("/v1/export", json=body)
    assert found.headers["content-type"] == DOCX
    assert "attachment" in found.headers["content-disposition"]
    document = Document(io.BytesIO(found.content))
    assert [p.text for p in document.paragraphs] == ["The <ferry>", "Anna", "Verse 1", "one & two\nthree", "x"]
    assert document.core_properties.title == "The <ferry>"


@settings(max_examples=25, deadline=None)
@given(texts, st.lists(st.builds(ExportSection, name=texts, lines=st.lists(texts, max_size=4)), max_size=3))
def test_any_text_makes_a_file_that_opens(title: str, sections: list[ExportSection]) -> None:
    document = Document(io.BytesIO(docx_of(ExportRequest(title=title, sections=sections))))
    expected = [title, *(text for section in sections for text in (section.name, *section.lines))]
    found = "".join(p.text for p in document.paragraphs)
    assert kept(found) == kept("".join(expected))
    assert len(document.paragraphs) == sum(bool(s.name.strip()) + 1 for s in sections) + bool(title.strip())


def kept(text: str) -> str:
    """Return the visible characters in order; those that XML does not allow are written as `�`."""
    return "".join(c for c in text if c != "�" and not c.isspace() and c.isprintable())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sections": "x"},
        {"sections": [], "format": "exe"},
        {"sections": [{"lines": [1]}]},
        {"sections": [], "path": "x"},
    ],
)
def test_a_wrong_request_is_refused(server: Running, body: dict[str, object]) -> None:
    found = server.http.post("/v1/export", json=body)
    assert found.status_code == 400
    assert found.json()["error"]["message"]
