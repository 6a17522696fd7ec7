"""What the tests of all studies share."""

import re
import shutil
from pathlib import Path

from lyrist.studies.study import Studied, report


def assert_redrawn(study: Path, folder: Path) -> tuple[Path, Studied]:
    """Assert that a copy of a study without its models gives the same report; return the copy and what was redrawn."""
    copy = folder / "study"
    shutil.copytree(study, copy)
    for model in copy.rglob("model"):
        shutil.rmtree(model)
    whole = (copy / "report.html").read_text(encoding="utf-8")
    (copy / "report.html").unlink()
    found = report(str(copy))
    drawn = (copy / "report.html").read_text(encoding="utf-8")
    pages = [re.sub("<svg.*?</svg>", "<svg/>", text, flags=re.DOTALL) for text in (whole, drawn)]
    assert pages[1].replace(str(copy), str(study)) == pages[0]
    return copy, found
