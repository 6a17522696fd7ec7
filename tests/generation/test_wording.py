"""Slips that no line is to have."""

import pytest

from lyrist.generation.wording import faults


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Maybe a raccoon, maybe a gopher,", 0),
        ('\'Cause (oh) the-the night... I said, "no"', 0),
        ("Never, never, never (never) say: that", 0),
        (", and the bank", 1),
        ("yeah,, yeah", 1),
        ("off the the pier", 1),
        ("rather be blue)", 1),
        (") of The the (", 2),
        ("and, and and the a lantern", 3),
        ("rock 'n' roll at five a.m., R&B, plan B", 0),
        ("of the p on the r", 2),
    ],
)
def test_slips_are_counted(line: str, count: int) -> None:
    assert faults(line) == count
