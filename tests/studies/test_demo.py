"""The demo does on the songbook what a user does on a table, and leaves pages that lead to each other."""

import json
import re
from pathlib import Path

import pytest

from lyrist.errors import LyristError
from lyrist.songbook import Planted
from lyrist.studies.demo import demo


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    shown = demo(out=str(tmp_path / "demo"))
    index = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"#]+)"', index) if not link.startswith("http")]
    assert len(links) >= 3
    assert all((tmp_path / "demo" / link).is_file() for link in links)
    ledger = json.loads((tmp_path / "demo" / "corpus" / "ledger.json").read_text())
    assert ledger["dropped"]["near-duplicate"] == Planted.covers
    results = shown.studied.results
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    assert best["test"]["accuracy"]["low"] > results["majority"]["accuracy"]["value"]
    assert str(tmp_path / "demo" / "index.html") in shown.summary()
    songs = (tmp_path / "demo" / "writer" / "songs.html").read_text(encoding="utf-8")
    assert all(f">{genre}<" in songs for genre in ("folk", "pop", "rap", "rock"))
    assert "Rhymes met" in songs
    run = json.loads((tmp_path / "demo" / "writer" / "run.json").read_text())
    assert Path(run["corpus"]) == tmp_path / "demo" / "corpus"  # so that evaluate and write find it


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LyristError, match=r"no songbook\.csv"):
        demo(out=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
