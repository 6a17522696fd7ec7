"""The documentation is true: its commands run, its links lead somewhere, and nothing that there is goes unnamed."""

import dataclasses
import importlib
import inspect
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest

from lyrist import COMMANDS, LISTINGS
from lyrist.cli import _app, run
from lyrist.corpus.cleaning import RULES
from lyrist.corpus.columns import PRESETS
from lyrist.corpus.ledger import REASONS
from lyrist.models.registry import get, recipes
from lyrist.songbook import write_songbook
from lyrist.studies.plans import plans
from lyrist.training import writer
from lyrist.training.estimators import make_estimator
from lyrist.training.schedule import Schedule

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
QUICK = {"study": ["--steps", "4"]}
LAUNCHED = re.compile(r"^(?:lyrist|torchrun .*-m lyrist) ")


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    found: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return found


def commands(page: Path, program: str = "lyrist") -> list[list[str]]:
    """Return the arguments of each line of the page's shell blocks that calls a program."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(f"{program} ")]


def mentioned(page: Path) -> list[list[str]]:
    """Return the arguments of every call of lyrist on the page, in its sentences too."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    calls = [" ".join(call.split()) for call in [*lines, *inline]]
    found = [shlex.split(LAUNCHED.sub("", call), comments=True) for call in calls if LAUNCHED.match(call)]
    return [[word for word in command if word not in ("--json", "--quiet")] for command in found]


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_songbook(tmp_path / "songs.csv")
    found = commands(README)
    assert {command[0] for command in found} == COMMANDS.keys() - {"demo"}
    for command in found:
        if command[0] == "serve":
            assert_served(command)
        else:
            assert run([*command, *QUICK.get(command[0], []), "--quiet"]) == 0, command
    assert (tmp_path / "study" / "report.html").is_file()
    for code in blocks(README, "python"):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the README's own code


def assert_served(command: list[str]) -> None:
    """Assert that a server starts, names its runs, answers, and stops when it is told to."""
    launch = [sys.executable, "-m", "lyrist", *command, "--port", "0"]
    with subprocess.Popen(launch, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        told = re.fullmatch(r"lyrist: serving writer, char-svm at (http://127.0.0.1:\d+) \(Ctrl-C stops\)\n", line)
        try:
            assert told, line
            assert httpx.get(told[1] + "/healthz", timeout=120).json()["models"] == 2
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(120) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    for command in mentioned(page):
        function, bound, _ = _app(command).parse_args(command, exit_on_error=False, print_error=False)
        assert function.__name__ in {*COMMANDS, *LISTINGS}
        if function.__name__ == "train":
            recipe = get(bound.arguments["recipe"])
            {"classify": make_estimator, "write": writer.configure}.get(recipe.task, lambda *_: None)(
                recipe.name, bound.arguments.get("options", {})
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {command[0] for command in commands(page, "make")}
    named |= set(re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")))
    assert named <= targets
    assert page != README or named >= {"demo", "test"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            assert (page.parent / link).exists(), link


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert all(f"]({page.name})" in index for page in PAGES if page.parent == ROOT / "docs" and page.name != "index.md")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_is_named_on_its_verbs_page(verb: str) -> None:
    function = getattr(importlib.import_module(COMMANDS[verb]), verb)
    options = [name for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert options
    check(f"{verb}.md", (f"--{name.replace('_', '-')}" for name in options))


def test_every_listing_is_told() -> None:
    check("listing.md", (f"lyrist {name}" for name in LISTINGS))


def test_every_name_is_on_its_page() -> None:
    fields = [field.name.replace("_", "-") for field in dataclasses.fields(Schedule)]
    check("train.md", (f"--{name}" for name in fields))
    own = [each for task in ("classify", "write") for each in recipes(task) if each.module.startswith("lyrist.")]
    check("train.md", (f"`{recipe.name}`" for recipe in own))
    check("study.md", (f"`{plan.name}`" for plan in plans()))
    check("prepare.md", (f"`{name}`" for name in (*PRESETS, *(rule.name for rule in RULES), *REASONS)))


def check(page: str, wanted: Iterable[str]) -> None:
    """Assert that a page has each of these texts."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    missing = [name for name in wanted if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    assert not missing, f"docs/{page} does not tell of {missing}"
