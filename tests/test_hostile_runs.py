"""A few hundred mutated runs, opened in a process of their own: audit hooks cannot be taken off again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from hostile_runs import fuzz
count, opened, wrong = fuzz(int(sys.argv[2]), lambda count: count >= 300)
print(count, opened, len(wrong))
print(*wrong[:20], sep="\\n")
"""


@pytest.mark.slow
def test_mutated_runs_touch_nothing_and_fail_in_one_sentence() -> None:
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), "7"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    first, _, findings = done.stdout.partition("\n")
    count, opened, wrong = map(int, first.split())
    assert wrong == 0, findings
    assert count == 300
    assert 30 < opened < 270  # some mutations do no harm, and many are found
