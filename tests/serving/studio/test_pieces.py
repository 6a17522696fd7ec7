"""What the studio is made of, without a browser: sheets of songs, searches, what of Gradio can be reached, what is shown."""

import json
import re
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servekit import LINES, Running, soon
from studiokit import HOSTILE, KIND

from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.originality import Passage, TrainingSong
from lyrist.generation.config import SamplingOptions
from lyrist.reports.page import fragment
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.studio import browse, sheet, shown
from lyrist.serving.studio.compare import _table
from lyrist.serving.studio.drafting import Order, WritingSessions, shape
from lyrist.serving.studio.sheet import Draft, rhymes

COUPLETS = "the light\nthe night\nthe sea\nthe tree\n\nalone\nthe stone\nthe end"


class Tags(HTMLParser):
    """Every element with its attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_lines_that_rhyme_have_a_letter_in_each_stanza() -> None:
    assert rhymes(COUPLETS.split("\n")) == ["A", "A", "B", "B", "", "A", "A", ""]
    assert rhymes([]) == []
    assert rhymes(["same end", "same end"]) == ["", ""], "a word does not rhyme with itself"


def test_kept_lines_go_to_the_writer_with_headers_and_twins() -> None:
    draft = Draft("[verse]\none\ntwo\n\nthree\nfour", twins={4: 1, 5: 2})
    assert draft.sheet() == ("[verse]", None, None, "", None, None)
    kept = draft.toggled(5)
    assert kept.locked == {2}
    assert kept.sheet() == ("[verse]", None, "two", "", None, "four")
    assert kept.loose() == ("one", "three")
    assert kept.toggled(2).locked == frozenset()
    assert all(draft.toggled(line) == draft for line in (3, 6, -1, 10**9))


anything = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("<>&\"'${}`\n \u202e\x1b")), max_size=80)


@settings(max_examples=120, deadline=None)
@given(anything, anything, st.integers(0, 60), st.integers(1, 60), st.booleans())
def test_whatever_a_song_holds_it_is_shown_as_text(text: str, name: str, start: int, length: int, busy: bool) -> None:
    passages = (Passage(start, start + length, 5, TrainingSong(1, name, name)),) if start < len(text) else ()
    draft = Draft(text, name, name, passages=passages, locked=frozenset({0}))
    pieces = [
        sheet.drawn(draft, busy=busy),
        sheet.sources(draft),
        sheet.card(draft, 0),
        shown.short(name),
        shown.note(name),
    ]
    for html in pieces:
        tags = Tags(html)
        assert not {tag for tag, _ in tags.found} & {"script", "img", "iframe"}
        assert not [key for _, attributes in tags.found for key in attributes if key.startswith("on")]
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", tags.text)
    words = Tags(sheet.drawn(Draft(text))).text
    assert all(shown.visible(line) in words for line in text.split("\n") if line.strip())


def test_copied_runs_are_underlined_across_lines_and_the_song_is_named() -> None:
    text = "so I sing\nthe river runs away from us\nand so on"
    start, end = text.index("the river"), text.index("\nand") + 4
    html = sheet.drawn(Draft(text, passages=(Passage(start, end, 7, TrainingSong(3, "Low <Water>", "Anna")),)))
    marks = re.findall(r'<span class="copied" title="([^"]*)">(.*?)</span>', html)
    assert [mark[1] for mark in marks] == ["the river runs away from us", "and"]
    assert {mark[0] for mark in marks} == {"“Low &lt;Water&gt;” by Anna"}
    assert html.count("<sup>1</sup>") == 1
    assert "Low &lt;Water&gt;" in sheet.sources(
        Draft(text, passages=(Passage(start, end, 7, TrainingSong(3, "Low <Water>", "")),))
    )


def test_a_run_that_is_copied_often_is_told_once() -> None:
    text, song = "la la la la la\nla la, la la la\nlo lo lo lo lo", TrainingSong(1, "La", "")
    runs = tuple(Passage(start, end, 5, song) for start, end in ((0, 14), (15, 30), (31, 45)))
    told = Tags(sheet.sources(Draft(text, passages=runs)))
    assert [tag for tag, _ in told.found].count("li") == 2
    assert "5 words in La, 2 times" in told.text
    assert re.findall(r"<sup>(\d)</sup>", sheet.drawn(Draft(text, passages=runs))) == ["1", "1", "2"]


def test_a_song_is_found_wherever_the_words_stand(studied: Corpus) -> None:
    assert len(browse.search(studied, "silver ROAD", genre="folk").songs) > 0
    assert browse.search(studied, "silver road", lyrics=False).songs == []
    hits = browse.search(studied, "window.hit=1", lyrics=False)
    assert (len(hits.songs), hits.more) == (12, False)
    assert {song["artist"] for song in hits.songs} == {HOSTILE}
    assert browse.search(studied, ".*(").songs == []
    pages = [browse.search(studied, start=start) for start in (0, 25, 50, 75)]
    assert [len(page.songs) for page in pages] == [25, 25, 22, 0]
    assert [page.more for page in pages] == [True, True, False, False]
    assert len({song["id"] for page in pages for song in page.songs}) == 72
    line = browse.search(studied, "copper").songs[0]["line"]
    assert line == LINES[7]
    number = hits.songs[0]["id"]
    assert browse.song(studied, number)["title"] == hits.songs[0]["title"]  # type: ignore[index]
    assert browse.song(studied, 10**9) is None


def test_the_corpora_of_the_served_runs_are_known_once(served: ModelRegistry, studied: Corpus) -> None:
    (found,) = browse.corpora(served)
    assert found.path == studied.path
    assert set(found.runs) == {"poet", "slow", "genres", "<i>singers"}
    assert dict(found.genres)[KIND] == 12


def test_a_form_tells_how_many_lines_will_come() -> None:
    assert shape(Order("poet"), None) == ()
    assert shape(Order("poet", form="verse:2,chorus:1"), None) == (True, True, False, True)
    assert len(shape(Order("poet", rhyme="AABB"), None)) == 4 * 5 - 1
    with pytest.raises(UsageError, match="not a section"):
        shape(Order("poet", form="x"), None)


def test_only_who_writes_can_stop_it_and_what_came_stays(served: ModelRegistry) -> None:
    engine = InferenceEngine(ModelRegistry({"slow": served.items["slow"]}), threads=1)
    sessions, order = WritingSessions(engine), Order("slow", sampling=SamplingOptions(), seed=1)
    found: dict[str, list[Any]] = {"a": [], "b": []}
    people = {
        who: threading.Thread(target=lambda who=who: found[who].extend(sessions.write(who, order))) for who in "ab"
    }
    for person in people.values():
        person.start()
    soon(lambda: all(len({draft.text for draft, _ in list(drafts)}) > 2 for drafts in found.values()))
    sessions.stop("a")
    sessions.stop("nobody")
    people["a"].join(120)
    assert not people["a"].is_alive()
    assert people["b"].is_alive()
    draft, where = found["a"][-1]
    assert (where, draft.ended) == ("done", "stopped")
    assert draft.text
    assert any(0 < len(early.text) < len(draft.text) for early, _ in found["a"]), "it was seen as it grew"
    sessions.stop("b")
    people["b"].join(120)
    engine.close()
    assert sessions._stops == {}


def test_the_same_seed_writes_the_same_and_a_new_one_is_drawn_else(served: ModelRegistry) -> None:
    engine = InferenceEngine(ModelRegistry({"poet": served.items["poet"]}), threads=1)
    texts = [
        list(WritingSessions(engine).write("a", Order("poet", seed=seed, max_tokens=40)))[-1][0].text
        for seed in (7, 7, None)
    ]
    engine.close()
    assert texts[0] == texts[1] != texts[2]


def test_kept_lines_stay_kept_where_empty_lines_are_lost(served: ModelRegistry) -> None:
    engine = InferenceEngine(ModelRegistry({"poet": served.items["poet"]}), threads=1)
    draft = Draft(f"\n{LINES[0]}\n\n\n{LINES[1]}\n{LINES[2]}").toggled(5)
    assert draft.sheet() == ("", None, "", "", None, LINES[2])
    new, _ = list(WritingSessions(engine).write("a", Order("poet", seed=1), draft))[-1]
    engine.close()
    assert [bool(line) for line in new.lines] == [True, False, True, True]
    assert new.lines[3] == LINES[2]
    assert new.locked == {3}


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file/etc/passwd", "/gradio_api/proxy=http://localhost/", "/gradio_api/runs",
        "/gradio_api/deep_link", "/monitoring", "/gradio_api/openapi.json", "/login", "/gradio_api/token",
        "/studio/reports/1", "/studio/reports/-1", "/studio/reports/x", "/studio/reports/..%2f..%2frun.json",
        "/studio/explored/99999999999999999999", "/studio/explored/٣",
    ],
)  # fmt: skip
def test_nothing_but_the_studio_is_there(running: Running, path: str) -> None:
    answer = running.http.get(path)
    assert answer.status_code == 404
    if not path.startswith("/studio/"):  # those are shown in a frame, to people
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


def test_no_files_come_in_and_no_control_names_one(running: Running) -> None:
    assert running.http.post("/gradio_api/upload", files={"files": b"x"}).status_code == 404
    assert running.http.post("/gradio_api/run/predict", json={}).status_code == 404
    file = {"path": "/etc/passwd", "url": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}
    for data in ([file], [[file]], {"0": file}, "x"):
        answer = running.http.post("/gradio_api/queue/join", json={"fn_index": 0, "session_hash": "s", "data": data})
        assert answer.status_code == 400, data
    for body in (b"", b"[1]", b"[" * 5000, b"nothing"):
        assert running.http.post("/gradio_api/queue/join", content=body).status_code == 400


def test_a_report_lets_nothing_run(running: Running) -> None:
    answer = running.http.get("/studio/reports/0")
    assert "What the study found" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "default-src 'none'" in policy


def test_the_page_names_no_other_machine_to_load_from(running: Running) -> None:
    page = running.http.get("/").text
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:)?//[^"]*"', page)
    assert loaded == []
    config = json.loads(running.http.get("/config").text)
    assert config["analytics_enabled"] is False
    assert "fonts.googleapis" not in page + running.http.get("/theme.css").text


def test_a_run_without_scores_hides_no_other(served: ModelRegistry, tmp_path: Path) -> None:
    shutil.copytree(served.items["poet"].path, tmp_path / "bare")
    (tmp_path / "bare" / "results.json").unlink()
    (bare,) = ModelRegistry.open([tmp_path / "bare"]).items.values()
    html = fragment(_table("write", [served.items["poet"], bare]))
    assert "<bdi>poet</bdi>" in html
    assert "bare is not a whole run" in html
    assert str(tmp_path) not in html


def test_failures_are_told_without_their_insides(caplog: pytest.LogCaptureFixture) -> None:
    told = shown.failed(UsageError("--top-p is <3>; it is at most 1."))
    assert "Top p is &lt;3&gt;" in told
    assert 'role="alert"' in told
    assert shown.failed(LyristError("Gone.")) == '<p class="say error" role="alert" dir="auto">Gone.</p>'
    assert "secret" not in shown.failed(RuntimeError("secret"))
    assert "secret" in caplog.text
