"""A disk that is really full: one sentence, the earlier result untouched, nothing half made that looks whole, and after
some space was freed the work goes on. The disk is a small one in memory that only the process sees.
"""  # fmt: skip

from pathlib import Path

import pytest

from nursing import Nursery
from songtables.fouracts import write_songbook

TINY = ["--hidden", "8", "--embedding-size", "8", "--steps", "2", "--evaluate-every", "1", "--threads", "1"]
PLAN = '[[recipes]]\nrecipe = "majority"\n[[recipes]]\nrecipe = "tfidf-logistic"\n'


@pytest.fixture(scope="module")
def corpus(nursery: Nursery) -> Path:
    write_songbook(nursery.folder / "book.csv")
    (nursery.folder / "two.toml").write_text(PLAN)
    nursery.run(["prepare", str(nursery.folder / "book.csv"), "--out", str(nursery.folder / "book")])
    return nursery.folder / "book"


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("verb", "room"),
    [("prepare", 240), ("neural", 100), ("study", 60), ("explore", 200)],
)
def test_a_full_disk_is_one_sentence_and_no_loss(
    nursery: Nursery, corpus: Path, tmp_path: Path, verb: str, room: int
) -> None:
    """``room``: kilobytes that are left beside the earlier result."""
    disk, copies = tmp_path / "disk", tmp_path / "copies"
    disk.mkdir()
    copies.mkdir()
    given = {
        "prepare": ["prepare", str(corpus.with_suffix(".csv")), "--workers", "1"],
        "neural": ["train", "lstm", str(corpus), *TINY],
        "study": ["study", str(corpus.with_name("two.toml")), str(corpus)],
        "explore": ["explore", str(corpus)],
    }[verb]
    command = [*given, "--quiet", "--out", str(disk / "out")]
    earlier = [*command, *(["--seed", "1"] if verb != "explore" else ["--top", "5"])]
    again = [*command, *(["--resume"] if verb != "explore" else [])]
    steps = [
        {"room": "64m", "arguments": earlier},
        {"room": f"{room}k", "arguments": command},
        {"room": "64m", "arguments": again},
    ]
    code = nursery.give(steps=steps, disk=str(disk), copies=str(copies), log=str(tmp_path / "log"))
    if code == 77:
        pytest.skip("this system allows no disk of one's own")
    assert code == 0
    assert [(copies / f"{number}.code").read_text() for number in range(3)] == ["0", "1", "0"]
    said = (tmp_path / "log.1").read_text()
    assert said.startswith("lyrist: The disk is full while writing ")
    assert said.count("\n") == 1
    assert files(copies / "1" / "out") == files(copies / "0" / "out")
    assert {path.name for path in (copies / "1").iterdir()} == {"out"} | (
        {"out.partial"} if verb != "explore" else set()
    )
    assert [path.name for path in (copies / "2").iterdir()] == ["out"]
    assert files(copies / "2" / "out") != files(copies / "0" / "out")
