"""Precision and recall of the cleaning rules on labelled lines: `python tests/corpus/test_cleaning_lines.py` prints them.

With a number, only so many rows at the end of the file count.
"""

import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from lyrist.corpus.cleaning.cleaner import clean_rows
from lyrist.text import lines

BEFORE = ["The harbour sleeps tonight", "and every lamp is low"]
AFTER = ["A rope is creaking slowly", "where do the sailors go"]


class Case(NamedTuple):
    rule: str
    """The rule that has to remove the line; ``sung`` if none may."""
    line: str
    song: str
    expected: list[str]


def in_songs(rule: str, group: str, line: str, left: str) -> list[Case]:
    """Return the songs in which a line is tried: where lines of its kind are found."""
    kept = [left] if left else []
    middle = Case(rule, line, "\n".join([*BEFORE, line, *AFTER]), [*BEFORE, *kept, *AFTER])
    head = Case(rule, line, "\n".join([*BEFORE, "", line, *AFTER]), [*BEFORE, *kept, *AFTER])
    if rule == "sung":
        return [middle] if "single words" in group else [middle, head]
    if rule == "sections":
        return [Case(rule, line, f"[Verse 1]\n{head.song}", head.expected)]
    if rule in ("credits", "links", "debris"):
        return [Case(rule, line, "\n".join([*BEFORE, *AFTER, *([""] * (rule != "debris")), line]), middle.expected)]
    return [middle]


def cases(last: int = 0) -> list[Case]:
    found: list[Case] = []
    group = ""
    for row in Path(__file__).with_name("cleaning_lines.txt").read_text(encoding="utf-8").splitlines()[-last:]:
        if row.startswith("## "):
            group = row[3:]
        elif row and not row.startswith("# "):
            rule = group.split(":")[0]
            line, _, left = row.partition(" | ") if group.endswith("end of a line") else (row, "", "")
            found += in_songs(rule, group, line, line if rule == "sung" else left)
    return found


class Counts(NamedTuple):
    right: int
    """Lines that the rule has to remove, and that are gone, with nothing else."""
    all: int
    removed: int
    """Songs that the rule changed."""
    wrong: int
    """Those of them with a sung line only."""

    @property
    def precision(self) -> float:
        return 1 - self.wrong / self.removed

    @property
    def recall(self) -> float:
        return self.right / self.all


@cache
def measured(last: int = 0) -> tuple[dict[str, Counts], tuple[str, ...]]:
    """Return the counts of each rule, and the lines that were treated wrongly."""
    every = cases(last)
    texts, changed = clean_rows(pl.Series([case.song for case in every]))
    faults = [lines(text) != case.expected for text, case in zip(texts, every, strict=True)]
    sung = [case.rule == "sung" for case in every]
    total, bad = Counter(case.rule for case in every), Counter(c.rule for c, f in zip(every, faults, strict=True) if f)
    rules = {
        rule: Counts(
            n - bad[rule],
            n,
            int(changed[rule].sum()),
            sum(s and bool(c) for s, c in zip(sung, changed[rule], strict=True)),
        )
        for rule, n in total.items()
        if rule != "sung"
    }
    return rules, tuple(case.line for case, fault in zip(every, faults, strict=True) if fault)


RULES = ("sections", "repeats", "credits", "debris", "links", "timestamps", "chords", "annotations")


def test_the_set_is_large_and_has_every_rule() -> None:
    every = cases()
    assert len({case.line for case in every}) >= 600
    assert {case.rule for case in every} == {*RULES, "sung"}


@pytest.mark.parametrize("rule", RULES)
def test_precision_and_recall(rule: str) -> None:
    rules, faults = measured()
    assert rules[rule].precision >= 0.995, faults
    assert rules[rule].recall >= 0.95, faults


def test_sung_lines_stay() -> None:
    every = [case for case in cases() if case.rule == "sung"]
    texts, _ = clean_rows(pl.Series([case.song for case in every]))
    changed = [case.line for text, case in zip(texts, every, strict=True) if lines(text) != case.expected]
    assert len(changed) <= 0.005 * len(every), changed


if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    found, wrong = measured(rows)
    labels = {case.line: case.rule for case in cases(rows)}
    sung = {line for line, rule in labels.items() if rule == "sung"}
    counts = f"{len(labels)} lines, {len(sung)} of them sung; {len(sung & {*wrong})} of these are changed"
    table = [f"| {name} | {c.all} | {c.precision:.3f} | {c.recall:.3f} |" for name, c in found.items()]
    sys.stdout.write(
        "\n".join([counts, "", "| rule | lines | precision | recall |", "|---|---|---|---|", *table, *wrong, ""])
    )
