"""The files of the studio: small, complete, without anything inline or from elsewhere; its policy; the pages that it frames."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from servekit import Running, serving

from lyrist.serving import studio
from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.studio import pages

FILES = sorted(studio.PAGE.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


NAMESPACES = {"http://www.w3.org/2000/svg", "http://schemas.openxmlformats.org/wordprocessingml/2006/main"}
"""Names that are no addresses."""


def test_the_first_page_is_small() -> None:
    """What Write loads: everything but the other pages, uncompressed."""
    others = {"classify.js", "compare.js", "corpus.js", "models.js"}
    assert sum(path.stat().st_size for path in FILES if path.name not in others) < 300_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_has_nothing_inline_and_no_address_of_another_server(path: Path) -> None:
    text = path.read_text("utf-8")
    assert set(re.findall(r"https?://[^\s'\"]+", text)) <= NAMESPACES
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


def test_every_text_is_in_the_file_of_texts_and_every_one_is_used() -> None:
    table = (studio.PAGE / "texts.js").read_text("utf-8")
    known = set(re.findall(r"^  (?:'([\w.-]+)'|(\w+)):", table, re.MULTILINE))
    names = {a or b for a, b in known}
    code = "\n".join(path.read_text("utf-8") for path in SCRIPTS if path.name != "texts.js")
    used = set(re.findall(r"\bt\(\s*'([\w.-]+)'", code)) | set(re.findall(r"[?:(] '([\w-]+\.[\w.-]+)'", code))
    prefixes = tuple(re.findall(r"t\(\s*`([\w.-]+\.)\$\{", code))
    assert {name for name in used if name.split(".")[0] in {each.split(".")[0] for each in names}} <= names
    unused = {name for name in names - used if not name.startswith(prefixes)}
    assert not {name for name in unused if f"'{name}'" not in code}


def test_every_file_has_the_policy_and_is_asked_for_again_only_if_it_changed(running: Running) -> None:
    for path in ("/", *(f"/{each.name}" for each in FILES)):
        found = running.http.get(path)
        assert found.status_code == 200
        assert "script-src 'self'" in found.headers["content-security-policy"]
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["x-content-type-options"] == "nosniff"
        assert running.http.get(path, headers={"If-None-Match": found.headers["etag"]}).status_code == 304
    assert running.http.head("/").status_code == 200
    assert running.http.get("/song.js").headers["content-type"].startswith("text/javascript")


ODD = [
    "/nothing",
    "/../app.py",
    "/%2e%2e/pages.py",
    "/..%2fpages.py",
    "/studio/runs/99",
    "/studio/runs/-1",
    "/studio/runs/x",
]
ODD += ["/studio/reports/0", "/studio/explored/7", "/studio/explored/%2e%2e"]


@pytest.mark.parametrize("path", ODD)
def test_no_path_opens_another_file(running: Running, path: str) -> None:
    found = httpx.get(f"{running.url}{path}")
    assert found.status_code in (400, 404)
    assert "import" not in found.text


def test_the_page_is_not_changed_by_a_client(running: Running) -> None:
    assert running.http.post("/", json={}).status_code == 405
    assert running.http.put("/song.js", content="x").status_code == 405


def test_framed_pages_run_nothing(running: Running, served: ModelRegistry) -> None:
    listed = running.http.get("/studio/pages").json()
    assert [each["model"] for each in listed["runs"]] == list(served.items)
    addresses = [each["page"] for each in listed["runs"]] + [
        each["report"] for each in listed["runs"] if each["report"]
    ]
    for address in [*addresses, *(each["page"] for each in listed["corpora"])]:
        found = running.http.get(address)
        assert found.status_code == 200, address
        assert found.headers["content-security-policy"] == pages.POLICY
        assert found.headers["content-type"].startswith("text/html")
        assert "<i>rai" not in found.text


def test_without_a_studio_there_is_the_api_only(served: ModelRegistry) -> None:
    only: Any = ModelRegistry({"poet": served.items["poet"]})
    with serving(only, ServerSettings(studio=False)) as running:
        assert running.http.get("/").status_code == 404
        assert running.http.get("/studio/pages").status_code == 404
        assert running.http.get("/v1/models").status_code == 200
