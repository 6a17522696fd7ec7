"""The demo does on the songbook what a user does on a table; its figures are neither perfect nor at chance."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lyrist.errors import LyristError
from lyrist.models import fetch
from lyrist.songbook import Planted
from lyrist.studies.demo import Shown, _pretrained, demo
from lyrist.studies.study import study
from tinytokenizer import chat_model


def not_there(name: str) -> None:
    raise LyristError(f"The model {name} is not in this test.")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    with pytest.MonkeyPatch.context() as patch:  # the pretrained model and the network would take minutes
        patch.setattr(fetch, "fetch", not_there)
        patch.setattr("lyrist.studies.demo.study", functools.partial(study, steps=4))
        return demo(out=str(tmp_path_factory.mktemp("demo") / "demo"))


@pytest.mark.slow
def test_the_page_links_to_files_that_exist_and_shows_every_step(shown: Shown) -> None:
    index = (shown.path / "index.html").read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"#]+)"', index) if not link.startswith("http")]
    assert len(links) >= 5
    assert all((shown.path / link).is_file() for link in links)
    for text in ("near-duplicate", "Live in Barstow", "artist-lookup", "prediction set", "Rhymes met"):
        assert text in index
    assert all(f"{genre}, written by" in index for genre in ("folk", "pop", "rap", "rock"))
    assert str(shown.path / "index.html") in shown.summary()
    assert "The pretrained model was not used: The model smollm2 is not in this test." in index


def test_the_pretrained_model_writes_if_it_can_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYRIST_CACHE", str(tmp_path))
    place = fetch.place("smollm2")
    place.mkdir(parents=True)
    chat_model(place, ["paper boats\n"] * 9)
    (place / fetch.CARD).write_text('{"name": "smollm2", "files": {}}')
    writer, without = _pretrained()
    assert writer is not None
    assert (writer.prompt, without) == ("chat", "")
    monkeypatch.setattr(fetch, "fetch", not_there)
    assert _pretrained() == (None, "The model smollm2 is not in this test.")


@pytest.mark.slow
def test_the_page_is_accessible(shown: Shown, check_report: Callable[[Path], None]) -> None:
    check_report(shown.path / "index.html")


@pytest.mark.slow
def test_the_ledger_has_what_was_planted(shown: Shown) -> None:
    ledger = json.loads((shown.path / "corpus" / "ledger.json").read_text())
    assert ledger["dropped"]["near-duplicate"] == Planted.covers
    assert len(shown.prepared.corpus.contained) >= 5


@pytest.mark.slow
def test_words_decide_and_layout_does_not(shown: Shown) -> None:
    """The songbook is neither too easy nor too hard: baselines, the selected recipe, and the genre of unknown acts differ."""
    results = shown.studied.results
    lines = {line["name"]: line["test"] for line in results["recipes"]}
    picked = lines[results["picked"]]
    assert picked["n"] >= 60
    assert 0.7 <= picked["accuracy"]["value"] <= 0.95
    assert lines["layout"]["accuracy"]["value"] <= 0.4
    genre = shown.genre.results
    by_song, by_artist = (
        next(line for line in lines if line["name"] == genre["picked"])["test"]["accuracy"]
        for lines in (genre["recipes"], genre["other_split"]["recipes"])
    )
    assert by_artist["high"] < by_song["low"]


@pytest.mark.slow
def test_songs_in_other_languages_are_flagged(shown: Shown) -> None:
    frame = shown.labelled.frame
    foreign = frame.filter(frame["detected_language"] != "en")
    assert len(foreign) >= 10
    assert all("other language" in flags for flags in foreign["flags"])


@pytest.mark.slow
def test_the_writer_finds_its_corpus(shown: Shown) -> None:
    run = json.loads((shown.path / "writer" / "run.json").read_text())
    assert Path(run["corpus"]) == shown.path / "corpus"  # so that evaluate and write find it


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LyristError, match=r"no songbook\.csv"):
        demo(out=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
