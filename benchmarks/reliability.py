"""What was tried to break Lyrist, and what came of it: ``docs/reliability.md``.

Each check is a command that anyone can repeat. Its figures are written to the results file as soon as it ends, so an interrupted
run continues with the next check; ``--again NAME`` repeats one, ``--only NAME`` runs no other.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lyrist import __version__

ROOT = Path(__file__).parents[1]
FORMATS = (
    "bad_tables", "damaged_files", "line_tables", "json_shapes", "containers", "songfiles", "encodings", "limits",
    "mixed_folders",
)  # fmt: skip
Figures = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """One command and how its figures are read."""

    title: str
    arguments: Callable[[argparse.Namespace], list[str]]
    """After ``python``."""
    figures: Callable[[str, Path], Figures]
    """From what it printed, and the report of pytest."""
    variables: Callable[[argparse.Namespace], dict[str, str]] = lambda given: {}


def tests(*paths: str) -> Callable[[argparse.Namespace], list[str]]:
    """Return the arguments that run tests."""
    return lambda given: ["-m", "pytest", "-p", "no:cacheprovider", *paths]


def outcomes(_: str, report: Path) -> Figures:
    """Return how many tests of each file passed, were skipped or failed, and the sums of what they counted."""
    found: Figures = {"passed": {}, "skipped": 0, "failed": []}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        name = case.get("classname", "").rpartition(".")[2]
        if case.find("skipped") is not None:
            found["skipped"] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            found["failed"].append(f"{name}::{case.get('name')}")
        else:
            found["passed"][name] = found["passed"].get(name, 0) + 1
        for each in case.iter("property"):
            counted = found.setdefault(each.get("name", ""), {})
            counted[re.sub(r".*\[|\]", "", case.get("name", ""))] = int(each.get("value", "0"))
    return found


def fuzzed_runs(printed: str, _: Path) -> Figures:
    """Return the figures of `tests/hostile_runs.py`."""
    first, *found = printed.splitlines()
    tried, fine, findings = (int(number) for number in re.findall(r"\d+", first))
    note = {"note": "\n".join(found)} if found else {}
    return {"tried": {"run directories": tried}, "read": {"run directories": fine}, "findings": findings, **note}


def fuzzed_inputs(printed: str, _: Path) -> Figures:
    """Return the figures of `tests/hostile_inputs.py`."""
    found: Figures = json.loads(printed.splitlines()[-1])
    return found


def guided(printed: str, _: Path) -> Figures:
    """Return the number of executions by atheris."""
    runs = re.findall(r"^#(\d+)|Done (\d+) runs", printed, re.MULTILINE)
    crashes = len(re.findall(r"^=+ Uncaught|^SUMMARY: libFuzzer", printed, re.MULTILINE))
    most = max((int(number) for pair in runs for number in pair if number), default=0)
    return {"tried": {"guided by branches: readers and cleaner": most}, "findings": crashes}


def requests(printed: str, _: Path) -> Figures:
    """Return the figures of the soak test of the server."""
    found = json.loads(printed[printed.index("{") :])
    memory = [row["mib"] for row in found["memory"]]
    note = f"Memory of the server: {memory[0]:,.0f} MiB at first, at most {max(memory):,.0f}, {memory[-1]:,.0f} at the end."
    return {"tried": found["asked"], "findings": len(found["wrong"]), "note": note}


def seconds(script: str, seed: int, *more: str) -> Callable[[argparse.Namespace], list[str]]:
    """Return the arguments of a fuzzer."""
    return lambda given: [script, str(given.seconds), str(seed), *more]


CHECKS = {
    "kills": Check(
        "Processes killed at any moment, then --resume: the result is equal",
        tests("tests/test_kills.py", "--timeout", "0"),
        outcomes,
        lambda given: {"LYRIST_KILLS": str(given.kills)},
    ),
    "ranks": Check(
        "A process of torchrun killed, then --resume: the figures are equal",
        tests("tests/training/test_loop.py", "-k", "killed_rank or no_thread"),
        outcomes,
    ),
    "disk": Check("A full disk: one sentence, no loss", tests("tests/test_full_disk.py"), outcomes),
    "malformed": Check(
        "Malformed inputs by format",
        tests(*(f"tests/corpus/test_{name}.py" for name in FORMATS)),
        outcomes,
    ),
    "inputs": Check("Fuzzing of readers, cleaner and corpora", seconds("tests/hostile_inputs.py", 7), fuzzed_inputs),
    "guided": Check("Fuzzing with atheris", seconds("tests/hostile_inputs.py", 8, "--atheris"), guided),
    "runs": Check("Fuzzing of run directories under audit hooks", seconds("tests/hostile_runs.py", 1901), fuzzed_runs),
    "requests": Check(
        "Requests under load", lambda given: ["benchmarks/serving.py", "--soak", str(given.minutes)], requests
    ),
    "browsers": Check("Pages in a browser", tests("tests/serving/studio", "tests/reports"), outcomes),
}


def run(name: str, given: argparse.Namespace) -> Figures:
    """Run a check; return its figures, with the command that repeats it."""
    check = CHECKS[name]
    arguments, variables = check.arguments(given), check.variables(given)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        more = [f"--junit-xml={report}", "-o", "junit_family=xunit1"] if "pytest" in arguments else []  # with counts
        done = subprocess.run(
            [sys.executable, *arguments, *more],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, **variables},
        )
        printed = done.stdout if name != "guided" else done.stderr
        try:
            figures = check.figures(printed, report)
        except (ValueError, IndexError, OSError, ElementTree.ParseError):
            sys.exit(f"{name} gave no figures:\n{(done.stderr or done.stdout)[-3000:]}")
    command = " ".join([*(f"{key}={value}" for key, value in variables.items()), "python", shlex.join(arguments)])
    return {"version": __version__, "command": command, **figures}


def page(results: dict[str, Figures]) -> str:
    """Return the page in Markdown."""
    parts = []
    for name, check in CHECKS.items():
        parts.append(f"## {check.title}\n\n{_described(results[name]) if name in results else 'Not run.'}\n")
    return "\n".join(parts)


def _described(figures: Figures) -> str:
    lines = ["```sh", figures["command"], "```", ""]
    rows: list[tuple[str, ...]] = []
    if "kills" in figures:
        rows = [("command", "kills"), *((key, f"{count:,}") for key, count in figures["kills"].items())]
        rows.append(("all, with an equal result", f"{sum(figures['kills'].values()):,}"))
    elif "passed" in figures:
        rows = [("tests of", "passed"), *((key, f"{count:,}") for key, count in figures["passed"].items())]
    elif "tried" in figures:
        read = figures.get("read")
        rows = [("", "executions", *(["read without an error"] if read else []))]
        rows += [
            (key, f"{count:,}", *([f"{read.get(key, 0):,}"] if read else []))
            for key, count in sorted(figures["tried"].items())
        ]
    if rows:
        lines += [f"| {' | '.join(rows[0])} |", "|---" + "|---:" * (len(rows[0]) - 1) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows[1:]]
    if "findings" in figures:
        lines += ["", f"Findings: {figures['findings']}."]
    if "failed" in figures:
        lines += ["", f"Failed: {', '.join(figures['failed']) or 'none'}. Skipped: {figures['skipped']}."]
    if "note" in figures:
        lines += ["", figures["note"]]
    return "\n".join([*lines, "", f"Lyrist {figures['version']}."])


def main() -> None:
    """Run what has no results yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "reliability.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "reliability.md")
    parser.add_argument("--seconds", type=int, default=3600, help="of each fuzzer")
    parser.add_argument("--kills", type=int, default=30, help="of each command, beside those at the boundaries")
    parser.add_argument("--minutes", type=float, default=10, help="of requests")
    parser.add_argument("--only", nargs="*", choices=CHECKS, help="no other checks; without a name, only the page")
    parser.add_argument("--again", nargs="+", default=[], choices=CHECKS)
    given = parser.parse_args()
    results = json.loads(given.results.read_text()) if given.results.exists() else {}
    for name in CHECKS if given.only is None else given.only:
        if name in results and name not in given.again:
            continue
        if name == "guided" and not importlib.util.find_spec("atheris"):
            continue
        results[name] = run(name, given)
        given.results.write_text(json.dumps(results, indent=1) + "\n")
    text = given.page.read_text()
    begin, end = "<!-- measured -->\n", "<!-- /measured -->"
    given.page.write_text(text[: text.index(begin)] + begin + "\n" + page(results) + "\n" + text[text.index(end) :])


if __name__ == "__main__":
    main()
