"""The paths that need no generation: analysis, words, corpora, songs and results."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servekit import LINES, Running, serving, songs, soon

from lyrist import files
from lyrist.serving.modelregistry import ModelRegistry


def post(server: Running, path: str, status: int = 200, **body: Any) -> Any:
    answer = server.http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(server: Running, path: str, status: int = 200, **query: Any) -> Any:
    answer = server.http.get(path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_song_is_analysed_with_copies_of_the_training_songs(server: Running) -> None:
    body = {"sections": [{"name": "Verse", "lines": [LINES[0], LINES[1], ""]}], "rhyme": "AA", "syllables": 10}
    found = post(server, "/v1/analyse", **body)
    assert found["copies"] == "unavailable"
    soon(lambda: post(server, "/v1/analyse", model="ngram", **body)["copies"] == "looked up")
    found = post(server, "/v1/analyse", model="ngram", **body)
    [section] = found["sections"]
    first, second, empty = section["lines"]
    assert section["name"] == "Verse"
    assert first["rhyme"] == {"letter": "A", "grade": "perfect", "met": None}
    assert second["rhyme"] == {"letter": "A", "grade": "perfect", "met": True}
    assert second["syllables"] == 10
    assert second["syllables_met"] is True
    assert empty["rhyme"]["letter"] is None
    [run] = first["copied"]
    assert LINES[0][run["start"] : run["end"]] == LINES[0]
    assert run["source"]["title"].startswith("Song ")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"text": "a", "sections": []}, {"text": "a\n" * 500}, {"text": "x" * 20_001}, {"text": "a\x00"},
        {"sections": [{"lines": ["a\nb"]}]}, {"sections": [{"lines": ["a"], "colour": 1}]}, {"text": "a", "rhyme": "A1"},
        {"text": "a", "syllables": 0}, {"sections": [{"name": "x" * 200, "lines": []}]}, {"sections": [{"lines": ["\ud800"]}]},
        {"text": "a", "language": "klingon"},
    ],
)  # fmt: skip
def test_what_cannot_be_analysed_is_refused_with_a_reason(server: Running, body: dict[str, Any]) -> None:
    answer = server.http.post("/v1/analyse", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "some", "never"),
    [
        ({"word": "light"}, "night", "time"), ({"word": "light", "grade": "near"}, "night", "river"),
        ({"word": "motion", "grade": "multi"}, "ocean", "man"), ({"word": "hold the light!"}, "night", "hold"),
    ],
)  # fmt: skip
def test_rhymes_have_grade_syllables_and_stress(server: Running, body: dict[str, Any], some: str, never: str) -> None:
    found = {each["word"]: each for each in post(server, "/v1/rhymes", limit=300, **body)["rhymes"]}
    assert some in found
    assert never not in found
    assert found[some]["syllables"] == len(found[some]["stress"])
    assert found[some]["logprob"] is None
    if body.get("grade", "perfect") == "perfect":
        assert {each["grade"] for each in found.values()} == {"perfect"}


def test_a_model_ranks_rhymes_by_what_is_likely_at_the_place(server: Running) -> None:
    body = {
        "word": "light",
        "model": "ngram",
        "prefix": "the ferryman is counting every light\nthe river runs away from us",
    }
    found = post(server, "/v1/rhymes", **body)["rhymes"]
    logprobs = [each["logprob"] for each in found]
    assert found[0]["word"] == "tonight"
    assert logprobs == sorted(logprobs, reverse=True)
    assert max(logprobs) < 0
    assert {each["logprob"] for each in post(server, "/v1/rhymes", **body | {"model": "genres"})["rhymes"]} == {None}


def test_rhymes_of_another_language_are_words_of_the_corpus(server: Running) -> None:
    assert post(server, "/v1/rhymes", word="amor", language="es")["rhymes"] == []
    assert "light" not in str(post(server, "/v1/rhymes", word="amor", language="es", model="ngram")["rhymes"])
    assert "language" in post(server, "/v1/rhymes", 400, word="x", language="klingon")["error"]["message"]
    assert len(post(server, "/v1/rhymes", word="light", limit=2)["rhymes"]) == 2


def test_related_words_come_from_the_corpus_of_the_model(server: Running) -> None:
    found = post(server, "/v1/words", model="ngram", word="river")
    assert found["word"] == "river"
    assert "runs" in found["together"]
    assert post(server, "/v1/words", model="pictures", word="river") == {"word": "river", "similar": [], "together": []}
    post(server, "/v1/words", 404, model="nothing", word="river")


def test_models_say_their_corpus(server: Running) -> None:
    models = {model["id"]: model for model in get(server, "/v1/models")["data"]}
    assert {name: model["corpus"] for name, model in models.items()} == {
        "ngram": True, "gpt": True, "genres": True, "pictures": False,
    }  # fmt: skip
    assert not any(model["changed"] for model in models.values())


def test_the_songs_of_a_corpus_are_searched_and_read(server: Running) -> None:
    [corpus] = get(server, "/v1/corpora")["data"]
    assert corpus["models"] == ["ngram", "gpt", "genres"]
    assert corpus["songs"] == 60
    assert {genre["name"]: genre["songs"] for genre in corpus["genres"]} == {"folk": 30, "rock": 30}
    page = get(server, "/v1/corpus/search", model="ngram", q="Song 1", lyrics=False, limit=5)
    assert len(page["data"]) == 5
    assert page["more"]
    assert all(song["title"].startswith("Song 1") for song in page["data"])
    rest = get(server, "/v1/corpus/search", model="ngram", q="Song 1", lyrics=False, start=5, limit=100)
    assert len(rest["data"]) == 6
    assert not rest["more"]
    number = page["data"][0]["id"]
    song = get(server, f"/v1/corpus/songs/{number}", model="genres")
    similar = get(server, f"/v1/corpus/songs/{number}/similar", model="genres", limit=3)["data"]
    assert [each["similarity"] for each in similar] == sorted((each["similarity"] for each in similar), reverse=True)
    assert len(similar) == 3
    assert number not in [each["id"] for each in similar]
    assert get(server, "/v1/corpus/songs/99999/similar", 404, model="genres")["error"]["param"] == "number"
    assert song["lyrics"] == songs().row(number, named=True)["lyrics"]
    assert song["copies"] == song["contained"] == []


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("search", {"model": "nothing"}, 404), ("search", {}, 400), ("search", {"model": "pictures"}, 409),
        ("search", {"model": "ngram", "limit": 0}, 400), ("search", {"model": "ngram", "limit": "x"}, 400),
        ("search", {"model": "ngram", "q": "\x00"}, 400), ("songs/10000", {"model": "ngram"}, 404),
        ("songs/" + "9" * 30, {"model": "ngram"}, 404), ("songs/x", {"model": "ngram"}, 400),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(server: Running, path: str, query: dict[str, Any], status: int) -> None:
    assert get(server, f"/v1/corpus/{path}", status, **query)["error"]["message"]


# The directory of a run, or its corpus, changes while it is served.


@pytest.fixture
def moving(saved: dict[str, Path], tmp_path: Path) -> Iterator[tuple[Running, Path, Path]]:
    """A server of a copy of a run with a copy of its corpus."""
    run, corpus = tmp_path / "ngram", tmp_path / "corpus"
    shutil.copytree(saved["ngram"], run)
    about = files.read_json(run / "run.json", "a run")
    shutil.copytree(about["corpus"], corpus)
    files.write_json(run / "run.json", {**about, "corpus": str(corpus)})
    with serving(ModelRegistry.open([run])) as running:
        yield running, run, corpus


def test_a_moved_run_still_answers_and_says_so(moving: tuple[Running, Path, Path]) -> None:
    server, run, _ = moving
    song = {"model": "ngram", "prompt": "the river", "seed": 1, "max_tokens": 8}
    before = post(server, "/v1/completions", **song)["choices"]
    run.rename(run.with_name("elsewhere"))
    assert get(server, "/v1/models/ngram")["changed"]
    assert post(server, "/v1/completions", **song)["choices"] == before
    [compared] = get(server, "/v1/comparisons")["data"]
    assert compared["runs"] == []
    assert "moved, removed or replaced" in compared["notes"][0]


def test_a_corpus_that_was_prepared_again_is_refused(moving: tuple[Running, Path, Path]) -> None:
    server, _, corpus = moving
    assert get(server, "/v1/corpus/search", model="ngram", q="river")["data"]
    soon(lambda: post(server, "/v1/analyse", model="ngram", text=LINES[0])["copies"] == "looked up")
    about = files.read_json(corpus / "corpus.json", "a corpus")
    files.write_json(corpus / "corpus.json", {**about, "fingerprint": "another"})
    assert not get(server, "/v1/models/ngram")["corpus"]
    assert "prepared again" in get(server, "/v1/corpus/search", 409, model="ngram", q="river")["error"]["message"]
    found = post(server, "/v1/analyse", model="ngram", text=LINES[0])
    assert found["copies"] == "unavailable"
    assert found["sections"][0]["lines"][0]["copied"] == []
    assert post(server, "/v1/score", model="ngram", texts=LINES[0])["data"][0]["originality"] is None
    files.write_json(corpus / "corpus.json", about)
    assert get(server, "/v1/corpus/search", model="ngram", q="river")["data"]


def test_results_of_the_runs_are_compared(saved: dict[str, Path], tmp_path: Path) -> None:
    figure = {"value": 1.5, "low": 1.4, "high": 1.6}
    runs = []
    for name in ("ngram", "gpt"):
        runs.append(shutil.copytree(saved[name], tmp_path / name))
        about = files.read_json(runs[-1] / "run.json", "a run")
        files.write_json(runs[-1] / "run.json", {**about, "condition": ["genre"], "parameters": 5, "seconds": 1.0})
        files.write_json(runs[-1] / "results.json", {"test": {"bits_per_byte": figure, "n": 6}})
    with serving(ModelRegistry.open([*runs, saved["genres"]])) as running:
        classified, written = get(running, "/v1/comparisons")["data"]
    assert (classified["task"], classified["runs"]) == ("classify", [])
    assert "genres" in classified["notes"][0]
    assert [(run["model"], run["test"]["bits_per_byte"]["value"]) for run in written["runs"]] == [
        ("ngram", 1.5),
        ("gpt", 1.5),
    ]
    assert not any(str(tmp_path) in text for text in [*written["pairs"], *written["notes"]])
