"""The figures of the reliability page are those of the commands, and a check that ended is not run again."""

import importlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_kills" name="test_k[lora]"><properties><property name="kills" value="3"/></properties></testcase>
<testcase classname="tests.test_kills" name="test_k[gpt]"><properties><property name="kills" value="2"/></properties></testcase>
<testcase classname="tests.test_kills" name="test_b"><skipped/></testcase>
<testcase classname="tests.test_kills" name="test_c"><failure/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(scope="module")
def reliability() -> Any:
    return importlib.import_module("reliability")


def test_the_report_of_tests_is_counted(reliability: Any, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    found = reliability.outcomes("", tmp_path / "report.xml")
    assert found["kills"] == {"lora": 3, "gpt": 2}
    assert found["passed"] == {"test_kills": 2}
    assert (found["skipped"], found["failed"]) == (1, ["test_kills::test_c"])


def test_executions_are_counted(reliability: Any) -> None:
    printed = "#8\tNEW cov: 3\n#4096\tpulse  cov: 9\nDone 5120 runs in 9 second(s)\n"
    assert reliability.guided(printed, Path()) == {
        "tried": {"guided by branches: readers and cleaner": 5120},
        "findings": 0,
    }
    assert reliability.fuzzed_runs("12 mutations, 5 opened, 1 findings\nx", Path())["findings"] == 1


def test_a_check_that_ended_is_not_run_again(reliability: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(name: str, given: Any) -> dict[str, Any]:
        ran.append(name)
        if name == "runs":
            raise KeyboardInterrupt
        return {"version": "1", "command": f"python {name}", "tried": {"csv": 1234}, "findings": 0}

    monkeypatch.setattr(reliability, "run", run)
    (tmp_path / "page.md").write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    given = ["--results", str(tmp_path / "r.json"), "--page", str(tmp_path / "page.md"), "--only", "disk", "inputs"]
    monkeypatch.setattr("sys.argv", ["reliability.py", *given, "runs"])
    with pytest.raises(KeyboardInterrupt):
        reliability.main()
    assert list(json.loads((tmp_path / "r.json").read_text())) == ["disk", "inputs"]
    monkeypatch.setattr("sys.argv", ["reliability.py", *given, "--again", "disk"])
    reliability.main()
    assert ran == ["disk", "inputs", "runs", "disk"]
    page = (tmp_path / "page.md").read_text()
    assert "| csv | 1,234 |" in page
    assert "python inputs" in page
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page


def test_a_few_mutated_inputs_give_rows_or_one_sentence(tmp_path: Path) -> None:
    from hostile_inputs import Fuzz

    fuzz = Fuzz(tmp_path)
    for number in range(20):
        fuzz.one(random.Random(f"test {number}"))
    assert fuzz.wrong == []
    assert sum(fuzz.tried.values()) == 20
