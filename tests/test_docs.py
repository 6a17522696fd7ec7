"""The documentation is true: its commands run, its links lead somewhere, and every option is named."""

import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

from lyrist import LISTINGS, VERBS
from lyrist.cli import run
from lyrist.sample.songbook import write_songbook

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = {"study": ["--steps", "4"], "train": []}


def commands(page: Path, program: str) -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(f"{program} ")]


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_songbook(tmp_path / "songs.csv")
    found = commands(ROOT / "README.md", "lyrist")
    assert {command[0] for command in found} >= {
        "prepare",
        "explore",
        "study",
        "classify",
        "train",
        "evaluate",
        "compare",
    }
    for command in found:
        assert run([*command, *QUICK.get(command[0], []), "--quiet"]) == 0, command
    assert (tmp_path / "study" / "report.html").is_file()


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {command[0] for command in commands(ROOT / "README.md", "make")}
    assert named == {"demo", "test"}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    for link in links:
        if not link.startswith("https://"):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_named_on_its_verbs_page(verb: str) -> None:
    text = (ROOT / "docs" / f"{verb}.md").read_text(encoding="utf-8")
    for name, parameter in inspect.signature(getattr(importlib.import_module(VERBS[verb]), verb)).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert f"--{name.replace('_', '-')}" in text, name


def test_every_listing_is_told() -> None:
    text = (ROOT / "docs" / "listing.md").read_text(encoding="utf-8")
    assert all(f"lyrist {name}" in text for name in LISTINGS)
