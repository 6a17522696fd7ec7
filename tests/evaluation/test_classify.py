"""Texts get labels, probabilities and what decided; bad texts and files get a sentence."""

import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist import progress
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import classify, spans
from lyrist.training.train import train


@pytest.fixture(scope="module")
def runs(make_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    progress.quiet()
    lyrics = [f"{word} and the {word} tonight\nline {i} of {word}" for i in range(20) for word in ("river", "engine")]
    corpus = make_corpus(
        pl.DataFrame(
            {"lyrics": lyrics, "artist": [f"act {i // 2 % 5}" for i in range(40)], "genre": ["folk", "rock"] * 20}
        )
    )
    folder = tmp_path_factory.mktemp("classify")
    found = {}
    for name, options in (("plain", {}), ("artist", {"features": "artist"})):
        found[name] = str(folder / name)
        train("char-svm", str(corpus.path), out=found[name], target="genre", **options)
    found["majority"] = str(folder / "majority")
    train("majority", str(corpus.path), out=found["majority"], target="genre")
    return found


def test_the_likeliest_label_comes_first_and_all_add_up(runs: dict[str, str]) -> None:
    found: Any = classify(runs["plain"], "the river\nthe river", "engine of the engine")
    assert [one.label for one in found.labels] == ["folk", "rock"]
    for one in found.labels:
        values = list(one.probabilities.values())
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1)
    assert found.summary().startswith("folk")
    assert [one["label"] for one in found.figures()] == ["folk", "rock"]
    assert "words" not in found.figures()[0]


def test_what_decided_is_reported(runs: dict[str, str]) -> None:
    found: Any = classify(runs["plain"], "the river, the engine and the river", explain=True)
    figures = found.figures()[0]
    assert dict(figures["words"])["river"] > 0 > dict(figures["words"])["engine"]
    assert "decided by (exact shares of the logit)" in found.summary()
    json.dumps(found.figures(), allow_nan=False)


def test_where_no_word_decided_that_is_reported(runs: dict[str, str]) -> None:
    found: Any = classify(runs["majority"], "the river", explain=True)
    assert "no word or line changes the prediction" in found.summary()
    assert "decided by" not in found.summary()


def test_a_text_is_cleaned_as_the_corpus_was(runs: dict[str, str]) -> None:
    found: Any = classify(runs["plain"], "[Chorus]\r\nriver   river\n\n\n\n")
    assert found.labels[0].text == "river river"


def test_a_text_is_cleaned_by_the_rules_of_the_corpus(make_corpus: Any, tmp_path: Path) -> None:
    songs = pl.DataFrame({"lyrics": ["the river", "the engine"] * 20, "genre": ["folk", "rock"] * 20})
    cleaning = {"sections": "keep", "parentheses": "drop", "off": ["spaces"]}
    corpus = make_corpus(songs, settings={"cleaning": cleaning})
    train("char-svm", str(corpus.path), out=str(tmp_path / "run"), target="genre")
    found: Any = classify(str(tmp_path / "run"), "[Chorus: All]\nriver   river (engine)")
    assert found.labels[0].text == "[chorus]\nriver   river"


def test_texts_come_from_a_file_and_from_standard_input(
    runs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "song.txt").write_text("engine engine", encoding="utf-8")
    both: Any = classify(runs["plain"], "river", file=str(tmp_path / "song.txt"))
    assert [one.label for one in both.labels] == ["folk", "rock"]
    monkeypatch.setattr("sys.stdin", io.StringIO("river river"))
    assert classify(runs["plain"], file="-").labels[0].label == "folk"  # type: ignore[union-attr]


def test_the_artist_may_be_given(runs: dict[str, str]) -> None:
    known: Any = classify(runs["artist"], "river", artist="act 0", explain=True)
    nobody: Any = classify(runs["artist"], "river")
    assert known.labels[0].label == nobody.labels[0].label == "folk"


def test_the_page_marks_words_and_lets_nothing_through(runs: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    classify(runs["plain"], "river <script>alert(1)</script> river & engine", html=str(page))
    html = page.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "<mark" in html


@pytest.mark.parametrize("text", ["x" * 5_000 + ".", "a\0.b", "songs.csv is a fine song", "no.file"])
def test_a_text_that_is_no_name_of_a_file_is_labelled(text: str, runs: dict[str, str]) -> None:
    found: Any = classify(runs["plain"], text)
    assert found.labels[0].label in ("folk", "rock")


def test_a_text_that_is_unlike_the_training_songs_is_flagged(runs: dict[str, str]) -> None:
    found: Any = classify(
        runs["plain"], "the river tonight", "\N{ROCKET} \N{ROCKET}", "Sternlein prangen Himmel hell Mond"
    )
    assert [one["flags"] for one in found.figures()] == [[], ["no words"], ["unfamiliar words"]]
    assert found.summary().count("caution: unlike the training songs") == 2


@pytest.mark.parametrize("text", ["", "   ", "[Chorus]", "\n\n"])
def test_a_text_that_is_empty_after_cleaning_is_reported(text: str, runs: dict[str, str]) -> None:
    with pytest.raises(LyristError, match="Text 2 is empty after cleaning"):
        classify(runs["plain"], "river", text)


def test_files_that_cannot_be_read_and_no_text_at_all(runs: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a text"):
        classify(runs["plain"])
    with pytest.raises(LyristError, match="No such file"):
        classify(runs["plain"], file=str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(LyristError, match="not UTF-8 text"):
        classify(runs["plain"], file=str(tmp_path / "latin.txt"))
    with pytest.raises(LyristError, match="There is no run directory"):
        classify(str(tmp_path / "none"), "river")


def test_a_run_that_writes_has_no_labels(runs: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "writer").mkdir()
    info = json.loads((Path(runs["plain"]) / "run.json").read_text())
    (tmp_path / "writer" / "run.json").write_text(json.dumps({**info, "task": "write"}))
    with pytest.raises(UsageError, match="run of a language model"):
        classify(str(tmp_path / "writer"), "river")


def test_words_are_found_whole_wherever_they_stand() -> None:
    assert spans("River, riverside river", [("river", 0.5), (" ", 1.0)]) == [(0, 5, 0.5), (17, 22, 0.5)]
    assert spans("a.b a+b", [("a+b", 1.0)]) == [(4, 7, 1.0)]
