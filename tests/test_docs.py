"""The documentation is true: its commands and notebooks run, its links lead somewhere, and every option has a place."""

import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

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
from lyrist.training.estimators import configure
from lyrist.training.schedule import Schedule

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GALLERY = ROOT / "docs" / "gallery.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
QUICK = {"study": ["--steps", "4"]}
REPLAYED = (
    "tutorial",
    "researcher",
    "student",
    "leaks",
    "prepare",
    "explore",
    "study",
    "classify",
    "evaluate",
    "compare",
)
"""Pages whose outputs are compared, beside the README."""
SKIPPED = r"many|large|repeated|s3:|-m lyrist|recipes char-svm|--out lstm|--lyrics words"
"""Commands on these pages that need other tables or minutes, or that fail on purpose."""
NUMBER = r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
TIME = r"(?:CPU[ -])?(?:ns|us|µs|ms|s|min|h|seconds?|minutes?|hours?)"
MEASURED = rf"\d[\d.,]*(?:[eE][+-]?\d+)?((?:[ -]{TIME}|(?: [\w-]+)?/{TIME}|[ -][kMGT]i?B)\b)"
"""A duration, a rate or an amount of memory: it differs from machine to machine, so that only its unit is compared."""
UNSTABLE = r"fingerprint \w+|p = [\d.e-]+"
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


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """Run every command of the README in a folder with the songbook; return the folder, and where the output differs."""
    folder = tmp_path_factory.mktemp("readme")
    with contextlib.chdir(folder):
        write_songbook(folder / "songs.csv")
        yield folder, differences(README)


@pytest.mark.slow
@pytest.mark.timeout(900)  # the fixture runs every command
def test_every_command_of_the_readme_runs_and_prints_what_is_shown(
    workplace: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, differing = workplace
    assert not differing, "\n".join(differing)
    assert {command[0] for command in commands(README)} >= COMMANDS.keys() - {"demo"}
    assert (folder / "study" / "report.html").is_file()
    write_songbook(tmp_path / "songs.csv")
    with contextlib.chdir(tmp_path):  # elsewhere: it makes a corpus of the same name
        for code in blocks(README, "python"):
            exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the README's own code


def test_the_song_of_the_readme_is_the_first_of_the_gallery() -> None:
    quoted, gallery = (re.findall(r"^> .+", page.read_text(encoding="utf-8"), re.M) for page in (README, GALLERY))
    assert quoted == gallery[: len(quoted)] != []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["study/report.html", "corpus/explore/explore.html"])
def test_reports_are_accessible_and_small(
    page: str, workplace: tuple[Path, list[str]], check_report: Callable[[Path], None]
) -> None:
    check_report(workplace[0] / page)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", REPLAYED)
def test_commands_of_a_page_print_what_is_shown(name: str, workplace: tuple[Path, list[str]]) -> None:
    with contextlib.chdir(workplace[0]):
        differing = differences(ROOT / "docs" / f"{name}.md")
    assert not differing, "\n".join(differing)


def differences(page: Path) -> list[str]:
    """Run the shell blocks of a page; compare what the commands print with the text block that follows each.

    With ``LYRIST_UPDATE_DOCS=1`` the text blocks are rewritten: the first and last lines around a ``...`` line stay as many.
    """
    text, printed, differing = page.read_text(encoding="utf-8"), "", []
    for block in re.findall(r"^```(?:sh|text)\n.*?^```\n", text, re.DOTALL | re.MULTILINE):
        language, content = block[3:-4].split("\n", 1)
        if language == "sh":
            skipped = page != README and re.search(SKIPPED, content)
            printed = "" if skipped else "".join(map(output_of, continued(content)))
        elif printed:
            if os.environ.get("LYRIST_UPDATE_DOCS"):
                text = text.replace(block, f"```text\n{elided(content, printed)}```\n", 1)
            elif not shown_by(content.splitlines(), printed.splitlines()):
                differing.append(f"{page.name} shows\n{content}\nbut the commands print\n{printed}")
            printed = ""
    if os.environ.get("LYRIST_UPDATE_DOCS"):
        page.write_text(text, encoding="utf-8")
    return differing


def continued(content: str) -> list[str]:
    """Return the commands of a shell block; one with a here document is one command."""
    return re.findall(r"^(?:.*<<'END'.*\n(?:.*\n)*?END|.+)$", content, re.MULTILINE)


@functools.cache  # a command that several pages show runs once
def output_of(command: str) -> str:
    """Return what a command prints on standard output; servers and installations are not run here."""
    program, *words = shlex.split(command, comments=True) if "<<" not in command else ["cat"]
    if program == "lyrist" and words[0] == "serve":
        assert_served(words)
        return ""
    if program == "lyrist":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert run([*words, *QUICK.get(words[0], []), "--quiet"]) == 0, command
        return printed.getvalue().replace(str(Path.cwd()), "/home/you")
    if program in ("cat", "printf", "cp"):
        subprocess.run(["bash", "-c", command], check=program != "cp")
    return ""


def elided(shown: str, printed: str) -> str:
    """Return the lines of what is printed that a text block shows: all, or as many as before around one ``...`` line."""
    before, _, after = shown.partition("...\n")
    if before == shown:
        return printed
    lines, first, last = printed.splitlines(keepends=True), before.count("\n"), after.count("\n")
    return "".join([*lines[:first], "...\n", *lines[len(lines) - last :]])


def shown_by(shown: list[str], printed: list[str]) -> bool:
    """Return whether lines are those that were printed; a line ``...`` stands for any number of lines."""
    if not shown or not printed:
        return shown in ([], ["..."]) and not printed
    if shown[0] == "...":
        return any(shown_by(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return alike(shown[0], printed[0]) and shown_by(shown[1:], printed[1:])


def alike(shown: str, printed: str) -> bool:
    """Return whether two lines differ in no word, and in numbers by little: times, fingerprints and networks may differ."""
    if shown.strip().startswith("lstm ") and printed.strip().startswith("lstm "):
        return True  # fitted for a few steps only
    skeletons = [" ".join(re.sub(UNSTABLE, "~", re.sub(MEASURED, r"~\1", line)).split()) for line in (shown, printed)]
    if len({re.sub(NUMBER, "#", line) for line in skeletons}) > 1:
        return False
    pairs = zip(*([float(n.replace(",", "")) for n in re.findall(NUMBER, line)] for line in skeletons), strict=True)
    return all(abs(a - b) <= 0.1 + 0.1 * abs(a) for a, b in pairs)


def test_lines_are_alike_within_a_tolerance() -> None:
    line = "* ensemble  0.4 s  test accuracy 0.805 [0.703, 0.878] (n = 77)"
    assert alike(line, "* ensemble  12.0 s  test accuracy 0.792 [0.689, 0.868] (n = 77)")
    assert not alike(line, "* ensemble  0.4 s  test accuracy 0.505 [0.403, 0.578] (n = 77)")
    assert not alike(line, "  ensemble  0.4 s  test accuracy 0.805 [0.703, 0.878] (n = 77)")
    for time in (" CPU seconds", " s", " ms", "/s", " songs/s", " tokens/second", " minutes", " MB", "-CPU-seconds"):
        assert alike(f"12 songs in 0.8{time}, 5 left", f"12 songs in 1,234.5{time}, 5 left"), time
        assert not alike(f"12 songs in 0.8{time}, 5 left", f"12 songs in 0.8{time}, 7 left"), time
        assert not alike(f"12 songs in 0.8{time}", "12 songs in 0.8 bytes"), time
    assert not alike("0.8 songs", "1.8 songs")
    assert shown_by(["a", "...", "d 2"], ["a", "b", "c", "d 2"])
    assert not shown_by(["a", "...", "d"], ["a", "b", "c"])


class Announced(io.StringIO):
    """Standard error of a server; `line` is set when the first line is complete."""

    def __init__(self) -> None:
        super().__init__()
        self.line = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if "\n" in text:
            self.line.set()
        return count


def assert_served(command: list[str]) -> None:
    """Assert that a server starts, names its runs, answers, and stops when it is interrupted."""
    answers: list[object] = []
    said = Announced()

    def ask_and_stop() -> None:
        try:
            assert said.line.wait(120)
            url = re.findall(r"http://127.0.0.1:\d+", said.getvalue())[0]
            answers.append(httpx.get(url + "/healthz", timeout=120).json()["models"])
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    client = threading.Thread(target=ask_and_stop)
    client.start()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        assert run([*command, "--port", "0"]) == 0, said.getvalue()
    client.join()
    assert answers == [2], said.getvalue()
    line = said.getvalue().splitlines()[0]
    assert re.fullmatch(r"lyrist: serving writer, ensemble at http://127.0.0.1:\d+ \(Ctrl-C stops\)", line)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["compare", "write"])
def test_a_notebook_shows_what_it_computes(name: str, tmp_path: Path) -> None:
    page = ROOT / "docs" / "notebooks" / f"{name}.ipynb"
    notebook = json.loads(page.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with contextlib.chdir(tmp_path):
        computed = executed(["".join(cell["source"]) for cell in cells])
    if os.environ.get("LYRIST_UPDATE_DOCS"):
        for number, (cell, outputs) in enumerate(zip(cells, computed, strict=True), 1):
            cell |= {"execution_count": number, "outputs": outputs}
        page.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for cell, outputs in zip(cells, computed, strict=True):
        shown, printed = (
            ["".join(one.get("text") or one["data"]["text/plain"]) for one in found]
            for found in (cell["outputs"], outputs)
        )
        assert shown_by("\n".join(shown).splitlines(), "\n".join(printed).splitlines()), "\n".join(printed)


def executed(sources: list[str]) -> list[list[dict[str, Any]]]:
    """Run the cells of a notebook; return the outputs of each as a notebook stores them."""
    from IPython.core.displayhook import CapturingDisplayHook
    from IPython.core.interactiveshell import InteractiveShell

    outputs: list[list[dict[str, Any]]] = []
    shell = InteractiveShell.instance()
    for number, source in enumerate(sources, 1):
        results: list[dict[str, Any]] = []
        shell.display_trap.hook = CapturingDisplayHook(shell=shell, outputs=results)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            shell.run_cell(source).raise_error()
        kind = {"output_type": "execute_result", "execution_count": number, "metadata": {}}
        text = printed.getvalue().splitlines(keepends=True)
        stream = {"output_type": "stream", "name": "stdout", "text": text}
        outputs.append([*([stream] if text else []), *(kind | {"data": dict(one["data"])} for one in results)])
    InteractiveShell.clear_instance()
    return outputs


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_requests_nothing(tmp_path: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    with warnings.catch_warnings(action="ignore"):
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path)))  # a broken link is an error
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    assert pages.keys() >= {"index.html", "tutorial.html", "notebooks/write.html", "reference/http.html"}
    for name, html in pages.items():
        loaded = re.findall(r"<(?:script|img|source|iframe)\b[^>]*\bsrc=[\"']?([^\"'\s>]+)", html)
        loaded += re.findall(r"<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?([^\"'\s>]+)", html)
        assert not [url for url in loaded if "//" in url], name
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?https?:", style.read_text()), style
    assert all(f"lyrist-{name}" in pages["reference/cli.html"] for name in COMMANDS)
    assert all(f">{name}<" in pages["reference/python.html"].replace("</span>", "<") for name in ("prepare", "CharSVM"))
    assert 'id="post-v1-completions"' in pages["reference/http.html"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    for command in mentioned(page):
        function, bound, _ = _app(command).parse_args(command, exit_on_error=False, print_error=False)
        assert function.__name__ in {*COMMANDS, *LISTINGS}
        if function.__name__ == "train":
            recipe = get(bound.arguments["recipe"])
            if recipe.task != "picture":  # whose options name the data, too
                configure(recipe.name, bound.arguments.get("options", {}), task=recipe.task)


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
