"""The page of a study of writers is made of plain figures: it tells all of them, escapes what it shows, and needs nothing."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.songcraft import MEASURES
from lyrist.reports.blocks import Page
from lyrist.reports.page import render
from lyrist.studies.plans import Entry, Plan, directory
from lyrist.studies.writer_study import WriterStudy, _recognised
from lyrist.training.curves import writer_curves
from lyrist.training.writing_task import WritingTask

HOSTILE = "<script>alert(1)</script> & \u202eevil"


def scores(value: float, n: int = 40) -> dict[str, Any]:
    cost = {"value": value, "low": value - 0.05, "high": value + 0.05}
    return {"n": n, "bits_per_byte": cost, "perplexity": 2 ** (4 * value), "tokens": 9_000, "loss": 3.1}


def original(run: int, words: str) -> dict[str, Any]:
    shares = {str(n): {"value": 0.5 / n, "low": 0.0, "high": 1.0} for n in range(4, 13)}
    song = {"id": 3, "title": HOSTILE, "artist": "A"} if run else None
    return {
        "n": 12,
        "shares": shares,
        "longest_run": {"value": 4.5},
        "longest": {"run": run, "words": words, "song": song},
    }


def fluent(value: float, judge: str = "smollm2") -> dict[str, Any]:
    share = {"value": value, "low": value - 0.05, "high": value + 0.005, "n": 90}
    own = {"smollm2": {"own": True}} if judge != "smollm2" else {}
    figures = {judge: {"recognised": share, "line_order": {**share, "value": 0.66}}}
    return {
        "n": 30,
        "judges": {**own, **figures},
        "copied_lines": {**share, "value": 0.125},
        "known_words": None,
        "cpu_seconds": 17.4,
    }


def obeyed() -> dict[str, Any]:
    share = {"n": 24, "accuracy": {"value": 0.5, "low": 0.3, "high": 0.7}}
    none = {"n": 0, "accuracy": {"value": None, "low": 0.0, "high": 1.0}}
    by_label = {HOSTILE: {"written": share, "real": none}}
    return {"judge": "char-svm", "labels": 4, "written": share, "real": share, "guessing": 0.25, "by_label": by_label}


def line(name: str, value: float) -> dict[str, Any]:
    crafted = {name: {"value": 0.4, "low": 0.3, "high": 0.5} for name in MEASURES}
    return {
        "name": name,
        "recipe": name,
        "parameters": 1_234_567,
        "seconds": 12.5,
        "cpu_seconds": 12.0,
        "steps": 200,
        "best_step": 150,
        "tokens_per_second": 9_876.5,
        "padding": 0.02,
        "device": "cpu",
        "precision": "bf16",
        "validation": scores(value + 0.01),
        "test": scores(value),
        "fluency": fluent(0.83),
        "originality": original(7, f"seven words {HOSTILE} of a song"),
        "songcraft": dict.fromkeys(("written", "real", "difference"), crafted),
        "obedience": {"genre": obeyed()},
    }


def song(genre: str) -> dict[str, Any]:
    text = f"the harbour lights {HOSTILE}\nare on tonight\n\nand seven words"
    return {"given": {"genre": genre}, "text": text, "span": [4, 18], "note": "Longest copied run: 3 words."}


@pytest.fixture
def corpus(make_corpus: Any) -> Corpus:
    found: Corpus = make_corpus(pl.DataFrame({"lyrics": ["la la"] * 10, "genre": ["rap", "pop"] * 5}))
    return found


@pytest.fixture
def results() -> dict[str, Any]:
    lines = [line("ngram", 1.42), line("gru", 2.1), line(f"mixture {HOSTILE}", 1.31)]
    lines[1]["fluency"] = fluent(0.99)
    free = {
        "name": "PPMd",
        "summary": "a file compressor",
        "seconds": 3.0,
        "validation": scores(1.5),
        "test": scores(1.49),
    }
    tests = {
        name: {"difference": -0.1, "low": -0.2, "high": -0.05, "p": 0.002, "p_holm": 0.004} for name in ("ngram", "gru")
    }
    return {
        "study": "writer-by-genre",
        "task": "write",
        "lyrist": "0.1.0",
        "picked": lines[2]["name"],
        "chosen_by": "validation bits per byte",
        "verdict": f"mixture {HOSTILE} costs 0.11 bits per byte less than ngram.",
        "target": "lyrics",
        "condition": ["genre"],
        "conditions": {"genre": ["pop", "rap"]},
        "split_by": "song",
        "split_seed": 0,
        "seed": 0,
        "fingerprint": "0123456789abcdef",
        "songs": {"train": 8, "validation": 1, "test": 1},
        "recipes": lines,
        "baselines": [free],
        "tests": {"first": lines[2]["name"], "against": tests},
        "samples": {each["name"]: [song("pop"), song("rap")] for each in lines},
        "written": {"how": "Temperature 0.9, top-p 0.95."},
        "originality": original(0, ""),
        "fluency": {**fluent(0.53), "about": {"smollm2": f"a model {HOSTILE}"}},
        "game": {
            each["name"]: [
                {"given": {"genre": "pop"}, "songs": ["one song", HOSTILE], "real": 1, "name": f"A: {HOSTILE}"}
            ]
            for each in lines
        },
        "as_reported": {
            "name": "gru",
            "rows": [
                {"name": "real tokens", "accuracy": 0.31, "loss": 3.6, "perplexity": 36.6},
                {
                    "name": "padding scored",
                    "accuracy": 0.84,
                    "loss": 0.9,
                    "perplexity": 5.68e51,
                    "note": "as in report 003",
                },
            ],
        },
        "directories": {each["name"]: each["recipe"] for each in lines} | {lines[2]["name"]: "mixture"},
        "notes": [f"The line 't5' was left out: {HOSTILE}"],
    }


def journal() -> list[dict[str, Any]]:
    rows = [{"step": step, "split": "train", "loss": 3 + 5 * math.exp(-step / 40)} for step in range(1, 201)]
    return rows + [
        {"step": step, "split": "validation", "loss": 3.2 + 5 * math.exp(-step / 40)} for step in range(0, 201, 50)
    ]


def page_of(plan: Plan, corpus: Corpus, results: dict[str, Any], folder: Path, journals: dict[str, Any]) -> Page:
    """Return the page of a study whose runs hold a training log and nothing else."""
    for name in results["directories"]:
        run = folder / "runs" / directory(name)
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"format": 1, "task": "write", "name": name, "best_step": 150}))
        if name in journals:
            (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in journals[name]))
    study = WriterStudy(plan, WritingTask(corpus, tuple(results["condition"])))
    return study.page(results, folder, Path("study"))


def test_the_page_tells_every_figure_and_escapes_what_it_shows(
    corpus: Corpus, results: dict[str, Any], tmp_path: Any, check_report: Callable[[Path], None]
) -> None:
    plan = Plan("writer-by-genre", "", (Entry("ngram"),), why="What it is for.", condition=("genre",))
    html = render(page_of(plan, corpus, results, tmp_path, {"gru": journal()}))
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    check_report(tmp_path / "report.html")
    titles = (
        "How good",
        "Real or generated",
        "Which is real?",
        "Samples",
        "Conditioning accuracy: genre",
        "Originality",
        "Songcraft",
        "Training",
    )
    for section in (*titles, "Other ways to compute the figures"):
        assert f">{section}</" in html.replace("<bdi>", "").replace("</bdi>", "")
    for told in (
        "PPMd",
        "1.490",
        "1.310",
        "-0.100",
        "5.68e+51",
        "9,876",
        "What it is for.",
        "runs/mixture",
        "syllables per line",
    ):
        assert told in html, told
    assert html.count("<script") == 1  # the page's own
    assert "\u202e" not in html
    for outside in ('src="http', "url(http", "<link", "@import"):
        assert outside not in html


def test_the_page_says_who_is_recognised_and_hides_who_seems_to_obey(
    corpus: Corpus, results: dict[str, Any], tmp_path: Any
) -> None:
    html = render(page_of(Plan("mine", "", (Entry("ngram"),)), corpus, results, tmp_path, {}))
    for shown in ("83%", "99%", "53%", "12.5%", "B is real: <bdi>A: ", "Not shown for gru:", "17 CPU seconds"):
        assert shown in html, shown
    assert html.count('data-real="B"') == 3
    accuracy = html[html.index('id="conditioning-genre"') : html.index('id="originality"')]
    assert ">gru<" not in accuracy
    assert ">ngram<" in accuracy


def test_writers_are_called_what_they_are() -> None:
    found = {"a": fluent(0.99), "b": fluent(0.8), "c": fluent(0.7, "n-grams")}
    said = " ".join(_recognised("b", ["a", "b", "c"], found, fluent(0.53)))
    assert (
        "finds the generated one in 80% of pairs (95% interval 75% to 80%; of real lines against other real ones 53%)"
        in said
    )
    assert "Not selected, because recognisable as generated or possibly so: a (99%)." in said
    said = " ".join(_recognised("a", ["a"], found, fluent(0.53)))
    assert "Every writer is recognisable as generated" in said
    none = {"judges": {"n-grams": {"recognised": None}}}
    assert _recognised("a", ["a"], {"a": none}, none) == [
        "Whether lines can be distinguished from real ones was not measured: there are too few songs."
    ]


def test_a_study_of_writers_that_were_told_nothing_has_a_page_too(
    corpus: Corpus, results: dict[str, Any], tmp_path: Any
) -> None:
    bare = {
        **results,
        "condition": [],
        "conditions": {},
        "obedience": {},
        "samples": {},
        "as_reported": None,
        "baselines": [],
    }
    for each in bare["recipes"]:
        for key in ("fluency", "originality", "songcraft", "obedience"):
            del each[key]
    html = render(page_of(Plan("mine", "", (Entry("ngram"),)), corpus, bare, tmp_path, {}))
    assert "Originality" not in html
    assert "Which writer is best?" in html


def test_the_curves_show_the_first_steps_and_validation_from_step_0_and_after_it() -> None:
    drawn = writer_curves(journal(), "gru", 150)
    assert [picture.title.removeprefix("gru: ") for picture in drawn] == [
        "loss",
        "the first 100 steps",
        "validation from step 0",
        "validation after step 0",
    ]
    assert writer_curves([], "ngram") == []
