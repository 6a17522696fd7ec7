"""The verb: what it returns, writes and shows, and how it refuses."""

import dataclasses
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tinywriter import LINES, TinyWriter

from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.originality import Index
from lyrist.generation import output
from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose, write
from lyrist.text import rhyme
from lyrist.training import runs


class FakeRun:
    """A run that was opened."""

    def __init__(self, writer: TinyWriter, corpus: str = "", task: str = "write") -> None:
        self.writer, self.info = writer, {"task": task, "recipe": "gpt", "corpus": corpus}

    def corpus(self) -> Any:
        raise LyristError("The corpus was moved.")


@pytest.fixture
def run(writer: TinyWriter, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    opened = FakeRun(writer)
    monkeypatch.setattr(runs, "open_run", lambda path: opened)
    return opened


def test_songs_are_the_same_from_python_and_the_verb(run: FakeRun, writer: TinyWriter) -> None:
    written = write("RUN", genre="folk", n=2, max_tokens=20, seed=4)
    songs = compose(writer, given={"genre": "folk"}, config=GenerationConfig(n=2, max_tokens=20, seed=4))
    assert [song.text for song in written.songs] == [song.text for song in songs]
    figures = json.loads(json.dumps(written.figures(), allow_nan=False))
    assert figures["songs"][1]["lyrics"] == songs[1].text
    assert figures["settings"]["genre"] == "folk"
    summary = written.summary()
    assert songs[0].text in summary
    assert "2 songs" in summary
    assert "seed 4" in summary


@pytest.mark.parametrize("form", [{}, {"form": "verse", "candidates": 2}])
def test_a_small_model_is_computed_on_one_thread_and_the_setting_is_restored(
    writer: TinyWriter, form: dict[str, Any]
) -> None:
    seen: set[int] = set()
    torch.set_num_threads(2)
    try:
        config = GenerationConfig(n=1, max_tokens=20, **form)
        compose(writer, config=config, on_text=lambda *_: seen.add(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == {1}


def test_a_planned_song_tells_what_was_met(run: FakeRun) -> None:
    written = write("RUN", form="verse,chorus,chorus", rhyme="AABB", syllables=9, seed=1)
    figures = written.figures()
    lines = figures["songs"][0]["lines"]
    fresh = [line for line in lines if not line["repeated"]]
    assert figures["met"]["rhymes"]["wanted"] == sum(line["rhyme_met"] is not None for line in fresh) == 4
    assert figures["met"]["rhymes"]["met"] == sum(line["rhyme_met"] is True for line in fresh)
    assert all(line["syllables"] == rhyme.line_syllables(line["text"]) for line in lines)
    assert f"rhymes met: {figures['met']['rhymes']['met']} of 4" in written.summary()
    for line in fresh:
        if line["rhyme_met"] is False:
            assert f"no rhyme: {line['text']}" in written.summary()


def test_the_summary_states_the_syllables_of_sections_and_words_that_are_missing(run: FakeRun) -> None:
    form = "verse:2 AA 6, bridge:2 AA 9"
    summary = write("RUN", form=form, use="tree, xylophone", candidates=6, seed=1).summary()
    assert "lines within a syllable of 6 or 9: " in summary
    assert "xylophone" in summary.split("not in song 1: ")[1]


@pytest.mark.parametrize("more", [{"max_tokens": 60}, {"form": "verse,chorus", "candidates": 6}])
def test_songs_lean_to_what_is_usual(run: FakeRun, writer: TinyWriter, more: dict[str, Any]) -> None:
    usual = np.zeros(len(writer.tokenizer), dtype=np.float32)
    usual[writer.encode(" river")] = 1.5
    run.writer = dataclasses.replace(writer, usual={"rock": usual})

    def rivers(**settings: Any) -> int:
        return sum(song.text.count("river") for song in write("RUN", n=2, seed=3, **settings, **more).songs)

    assert rivers(genre="rock", style=6) > 5 + 2 * rivers(genre="rock", style=0)
    assert rivers(genre="rock", style=0) == rivers(genre="rock", style=0, temperature=0.9)
    assert rivers(genre="folk", style=3) == rivers(genre="folk", style=0)


def test_greedy_is_stated(run: FakeRun) -> None:
    written = write("RUN", temperature=0, max_tokens=5)
    assert "greedy" in written.summary()


@pytest.mark.parametrize("name", ["songs.jsonl", "deep/songs.txt"])
def test_the_file_holds_the_settings_that_made_it(run: FakeRun, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written = write("RUN", n=3, max_tokens=15, out=str(path), seed=2)
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in content.splitlines()]
        assert [row["lyrics"] for row in rows] == [song.text for song in written.songs]
        assert all(row["settings"] == written.settings for row in rows)
    else:
        assert "# seed: 2\n" in content
        assert all(f"--- {i} ---\n{song.text}\n" in content for i, song in enumerate(written.songs, 1))
    assert str(path) in written.summary()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n": 0}, "-n must be at least 1, got 0"),
        ({"max_tokens": 0}, "--max-tokens"),
        ({"seed": -1}, "--seed"),
        ({"syllables": 0}, "--syllables must be at least 1 and at most 40, got 0"),
        ({"syllables": 99}, "got 99"),
        ({"original": 2}, "--original"),
        ({"candidates": 0}, "--candidates"),
        ({"temperature": -1}, "--temperature"),
        ({"repetition_penalty": 0.5}, "--repetition-penalty"),
        ({"form": "nonsense"}, "--form"),
        ({"rhyme": "XYZ"}, "--rhyme"),
        ({"hook": "la"}, "--hook"),
        ({"out": "songs.xyz"}, "--out"),
        ({"out": "songs.txt", "format": "pdf"}, "--format"),
        ({"genre": "polka"}, "folk, rock"),
        ({"artist": "ABBA"}, "artist"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "la " * 500}, "tokens"),
    ],
)
def test_what_is_refused(run: FakeRun, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        write("RUN", **given)
    assert "\n" not in str(caught.value)


def test_a_run_that_does_not_write(writer: TinyWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "open_run", lambda path: FakeRun(writer, task="classify"))
    with pytest.raises(LyristError, match="does not write lyrics"):
        write("RUN")


def test_original_songs(writer: TinyWriter, tmp_path: Path) -> None:
    import polars as pl

    lyrics = ["\n".join(LINES[i : i + 4]) for i in range(0, 12, 4)]
    songs = pl.DataFrame({"id": [0, 1, 2], "title": ["a", "b", "c"], "artist": ["x", "y", "z"], "lyrics": lyrics})
    index = Index.build([songs], tmp_path / "phrases")
    config = GenerationConfig(n=2, max_tokens=40, original=4)
    free = compose(writer, config=GenerationConfig(n=2, max_tokens=40))
    kept = compose(writer, config=config, index=index)
    assert max(index.copied(song.text).longest_run for song in free) > 6, "the tiny writer recites"
    for song in kept:
        assert song.copied is not None
        assert song.copied.longest_run == index.copied(song.text).longest_run
    worst = sorted(index.copied(song.text).longest_run for song in kept)
    assert worst[0] <= 4
    with pytest.raises(UsageError, match="index"):
        compose(writer, config=config)


def test_copies_are_not_looked_for_in_a_corpus_that_was_prepared_anew(
    run: FakeRun, tmp_path: Path, make_corpus: Any
) -> None:
    import polars as pl

    corpus = make_corpus(pl.DataFrame({"artist": ["x"] * 12, "lyrics": LINES[:12]}))
    run.path, run.info["corpus"], run.info["fingerprint"] = tmp_path / "RUN", str(corpus.path), "another"
    with pytest.raises(LyristError, match=r"other songs than those that .*RUN was trained on"):
        write("RUN", original=4)
    run.info["fingerprint"] = corpus.fingerprint
    assert write("RUN", original=4, max_tokens=20).songs[0].copied is not None


# Shown while written.


def test_what_is_shown_is_what_was_written(run: FakeRun) -> None:
    for wishes in ({"n": 3, "max_tokens": 25}, {"n": 2, "rhyme": "AABB", "form": "verse"}):
        shown: list[str] = []
        with output.shown(shown.append):
            written = write("RUN", **wishes)  # type: ignore[arg-type]
        expected = output.together([song.text for song in written.songs])
        assert "".join(shown).split() == expected.split()
        assert len(shown) > 5
        assert written.songs[0].text not in written.summary(), "told once"
    assert not output.listening()


def test_songs_appear_in_order_and_by_whole_words() -> None:
    shown: list[str] = []
    with output.shown(shown.append):
        stage = output.Stage(2)
        stage.update(1, "second so")
        stage.update(0, "the riv")
        assert "".join(shown) == "--- 1 ---\nthe "
        stage.update(0, "the river\n")
        stage.update(1, "second song", True)
        stage.update(0, "the river\nruns", True)
    assert "".join(shown) == "--- 1 ---\nthe river\nruns\n\n--- 2 ---\nsecond song\n"


@given(st.lists(st.text(max_size=6), max_size=6))
def test_nothing_shown_can_move_the_cursor(parts: list[str]) -> None:
    shown: list[str] = []
    with output.shown(shown.append):
        stage = output.Stage(1)
        for end in range(len(parts)):
            stage.update(0, "".join(parts[: end + 1]))
        stage.update(0, "".join(parts), True)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in "".join(shown) if c not in "\n\t")
    assert len("".join(shown)) == len("".join(parts)) + 1


def test_formats() -> None:
    assert output.kind(Path("a.JSONL"), None) == "jsonl"
    assert output.kind(Path("a.txt"), "jsonl") == "jsonl"
