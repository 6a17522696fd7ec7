"""Every row of a table is labelled, or has a reason; formats, processes and kills do not change the result."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import lyrist
from lyrist import progress
from lyrist.cli import run as command
from lyrist.corpus import ingest
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation import label as module
from lyrist.evaluation.label import label
from lyrist.training.runs import open_run
from lyrist.training.train import train

WORDS = {
    "folk": "river harbour tide lantern ferry meadow",
    "rock": "engine wire chrome neon motor thunder",
    "pop": "baby heart dance tonight summer kiss",
}


def lyric(genre: str, rng: np.random.Generator) -> str:
    return "\n".join(" ".join(rng.choice(WORDS[genre].split(), 5)) for _ in range(4))


@pytest.fixture(scope="module")
def songs() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    genres = [list(WORDS)[i % 3] for i in range(120)]
    return pl.DataFrame(
        {"lyrics": [lyric(g, rng) for g in genres], "artist": [f"act {i % 7}" for i in range(120)], "genre": genres}
    )


@pytest.fixture(scope="module")
def runs(songs: pl.DataFrame, make_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    progress.quiet()
    corpus, folder = make_corpus(songs.with_columns(language=pl.lit("en"))), tmp_path_factory.mktemp("label")
    small = {"hidden": "4", "embedding_size": "4", "precision": "float32", "min_count": "1"}
    for name, options in {"char-svm": {}, "ensemble": {}, "lstm": {"steps": 3, **small}}.items():
        train(name, str(corpus.path), out=str(folder / name), target="genre", **options)
    train("ngram", str(corpus.path), out=str(folder / "ngram"), vocabulary="300")
    return {path.name: str(path) for path in folder.iterdir()}


@pytest.fixture
def table(songs: pl.DataFrame, tmp_path: Path) -> Path:
    """A table with an empty text, a text of another kind, a damaged row and names that a spreadsheet would compute."""
    rows = songs.head(40).with_columns(track=pl.format("T{}", pl.int_range(40)), id=100 + pl.int_range(40))
    rows = rows.with_columns(lyrics=pl.when(pl.int_range(40) == 7).then(pl.lit("")).otherwise("lyrics"))
    rows = rows.with_columns(artist=pl.when(pl.int_range(40) == 3).then(pl.lit("=1+1")).otherwise("artist"))
    text = rows.write_ndjson().splitlines()
    text.insert(10, "{not json")
    text.insert(20, json.dumps({"lyrics": "Der Mond ist aufgegangen und die goldnen Sternlein prangen am Himmel hell"}))
    (tmp_path / "songs.jsonl").write_text("\n".join(text) + "\n", encoding="utf-8")
    return tmp_path / "songs.jsonl"


def test_every_row_of_the_input_is_a_row_of_the_output(runs: dict[str, str], table: Path, tmp_path: Path) -> None:
    found = label(runs["char-svm"], str(table), out=str(tmp_path / "o.parquet"), keep=("track", "id"), top=2)
    frame = found.frame
    assert frame["row"].to_list() == list(range(1, 43))
    assert dict(frame["reason"].drop_nulls().value_counts().iter_rows()) == {"no text": 1, "damaged-json": 1}
    assert frame.filter(pl.col("label").is_null())["row"].to_list() == [8, 11]
    assert frame["track"][0] == "T0"
    assert frame["id"][:3].to_list() == ["100", "101", "102"]
    assert frame.filter(pl.col("row") == 21)["flags"].to_list() == [["other language", "unfamiliar words"]]
    model = open_run(runs["char-svm"]).model
    texts = [json.loads(line)["lyrics"] for line in table.read_text(encoding="utf-8").splitlines()[:3]]
    assert frame["label"][:3].to_list() == model.predict(texts).tolist()
    assert frame["probability"][:3].to_list() == pytest.approx(model.predict_proba(texts).max(axis=1))
    both = frame.filter(pl.col("label").is_not_null())
    assert (both["probability"] >= both["probability_2"]).all()
    assert found.counts["labelled"] == 40
    assert found.counts["accuracy"]["n"] == 39
    assert "accuracy" in found.summary()
    json.dumps(found.figures())


def test_the_formats_hold_the_same_and_csv_is_safe_for_spreadsheets(
    runs: dict[str, str], table: Path, tmp_path: Path
) -> None:
    frames = {}
    for ending in ("parquet", "csv", "jsonl"):
        found = label(runs["char-svm"], str(table), out=str(tmp_path / f"o.{ending}"), probabilities=True)
        frames[ending] = found.frame
    for ending in ("csv", "jsonl"):
        for column in ("row", "label", "reason", "title"):
            assert (
                frames[ending][column].cast(pl.String).to_list() == frames["parquet"][column].cast(pl.String).to_list()
            )
    assert frames["csv"]["artist"][3] == "'=1+1"
    assert frames["parquet"]["artist"][3] == "=1+1"
    sums = frames["parquet"].select(pl.sum_horizontal(f"p_{name}" for name in WORDS)).to_series()
    assert sums.filter(frames["parquet"]["label"].is_not_null()).to_list() == pytest.approx([1.0] * 40)
    raw = label(runs["char-svm"], str(table), out=str(tmp_path / "raw.csv"), raw_csv=True)
    assert raw.frame["artist"][3] == "=1+1"


@pytest.mark.parametrize("recipe", ["char-svm", "ensemble", "lstm"])
def test_many_shards_processes_and_a_kill_give_the_file_of_one(
    recipe: str, runs: dict[str, str], table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = label(runs[recipe], str(table), out=str(tmp_path / "one.jsonl")).frame
    monkeypatch.setattr(ingest, "SHARD_ROWS", 10)
    monkeypatch.setattr("lyrist.corpus.reading.records.CHUNK_ROWS", 7)
    real, seen = module.label_shard, []

    def killed(path: str, settings: dict[str, Any]) -> dict[str, Any]:
        seen.append(Path(path).name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(path, settings)

    out = str(tmp_path / "again.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(module, "label_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            label(runs[recipe], str(table), out=out, workers=1)
    assert not Path(out).exists()
    with pytest.raises(LyristError, match="other options"):
        label(runs[recipe], str(table), out=out, top=2, resume=True)
    found = label(runs[recipe], str(table), out=out, workers=1, resume=True).frame
    assert len(seen) > 2
    assert not list(tmp_path.glob("again.jsonl.*"))
    near = ["probability"]
    assert found.drop(near).equals(whole.drop(near))
    assert found["probability"].drop_nulls().to_list() == pytest.approx(
        whole["probability"].drop_nulls().to_list(), abs=1e-5
    )


@pytest.mark.slow
def test_two_processes_give_the_file_of_one(
    runs: dict[str, str], table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SHARD_ROWS", 10)
    monkeypatch.setattr("lyrist.corpus.reading.records.CHUNK_ROWS", 7)
    for workers in (1, 2):
        label(runs["char-svm"], str(table), out=str(tmp_path / f"{workers}.jsonl"), workers=workers)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_prediction_sets_and_songs_that_are_unknown(runs: dict[str, str], table: Path) -> None:
    plain = label(runs["char-svm"], str(table)).frame
    unknown = label(runs["char-svm"], str(table), abstain=True, largest_set=1).frame
    for one, other in zip(plain.iter_rows(named=True), unknown.iter_rows(named=True), strict=True):
        if one["label"] is None:
            continue
        sure = len(one["prediction_set"]) == 1 and not one["flags"]
        assert other["label"] == (one["label"] if sure else None)
        assert other["reason"] == (None if sure else "unknown")
        assert one["label"] in one["prediction_set"] or not one["prediction_set"]
    wide = label(runs["char-svm"], str(table), coverage=0.99).frame
    sizes = [frame["prediction_set"].list.len().fill_null(0) for frame in (plain, wide)]
    assert (sizes[1] >= sizes[0]).all()


def test_standard_input_and_the_command_line(
    runs: dict[str, str], table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table.read_bytes())))
    out = tmp_path / "o.csv"
    assert command(["label", runs["char-svm"], "-", "--out", str(out), "--quiet"]) == 0
    assert "40 of 42 rows labelled" in capsys.readouterr().out
    assert len(pl.read_csv(out)) == 42
    assert command(["label", runs["char-svm"], str(table), "--json", "--quiet"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 42
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert command(["label", runs["char-svm"], "-", "--out", str(tmp_path / "e.csv"), "--quiet"]) == 1
    assert "Standard input is empty; give songs as JSON lines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"out": "o.xls"}, "must end in .parquet, .csv, .jsonl"),
        ({"out": "there.csv"}, "replace it with --overwrite"),
        ({"top": 0}, "--top must be at least 1, got 0"),
        ({"coverage": 1.0}, "--coverage must be between 0 and 1"),
        ({"workers": 0}, "--workers must be at least 1"),
        ({"engine": "spark"}, "--engine is local"),
        ({"lyrics": "words"}, "words"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    given: dict[str, Any], says: str, runs: dict[str, str], table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("mine")
    with pytest.raises(LyristError, match=says) as error:
        label(runs["char-svm"], str(table), **{"out": "new.csv", **given})
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs.jsonl", "there.csv"]
    assert Path("there.csv").read_text() == "mine"
    label(runs["char-svm"], str(table), out="there.csv", overwrite=True)


def test_a_run_that_was_made_again_gives_its_own_labels(
    runs: dict[str, str], songs: pl.DataFrame, table: Path, tmp_path: Path, make_corpus: Any
) -> None:
    shutil.copytree(runs["char-svm"], tmp_path / "run")
    before = label(str(tmp_path / "run"), str(table)).frame
    other = make_corpus(songs.with_columns(genre=pl.col("genre").replace({"folk": "ballad"})))
    train("char-svm", str(other.path), out=str(tmp_path / "run"), target="genre")
    after = label(str(tmp_path / "run"), str(table)).frame
    assert "folk" in before["label"].to_list()
    assert "ballad" in after["label"].to_list()
    assert "folk" not in after["label"].to_list()


def test_a_run_of_another_task_or_no_table_is_refused(runs: dict[str, str], table: Path) -> None:
    with pytest.raises(UsageError, match="writes lyrics and predicts no label"):
        label(runs["ngram"], str(table))
    with pytest.raises(UsageError, match="needs a table"):
        label(runs["char-svm"])
    with pytest.raises(UsageError, match=r"A table is a path, got list; .*'a.csv', 'b.csv'"):
        label(runs["char-svm"], [str(table)])  # type: ignore[arg-type]
    with pytest.raises(LyristError, match=r"'more\.parquet' is the name of a file.* no such file"):
        lyrist.classify(runs["char-svm"], "more.parquet")
    with pytest.raises(UsageError, match="is a file, not a text"):
        lyrist.classify(runs["char-svm"], str(table))


def test_the_secrets_of_an_address_are_not_stored(
    runs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> Any:
        raise LyristError("The table cannot be reached.")

    monkeypatch.setattr(module, "ingest", unreachable)
    address = "https://me:swordfish@127.0.0.1/songs.csv?signature=swordfish"
    with pytest.raises(LyristError, match="reached"):
        label(runs["char-svm"], address, out=str(tmp_path / "o.csv"), resume=True)
    stored = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert any("songs.csv" in text for text in stored)
    assert not any("swordfish" in text for text in stored)


def test_pictures_of_a_folder_are_labelled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for colour in ("red", "blue", "green", "white"):
        (tmp_path / "set" / colour).mkdir(parents=True)
        for number in range(12):
            picture = Image.new("RGB", (16, 16), colour)
            picture.putpixel((int(rng.integers(16)), int(rng.integers(16))), (number, 0, 0))
            picture.save(tmp_path / "set" / colour / f"{number:02d}.png")
    run = str(tmp_path / "run")
    train("cnn-relu", str(tmp_path / "set"), out=run, steps=3, channels="4,4", hidden="4")
    (tmp_path / "set" / "red" / "broken.png").write_bytes(b"none")
    found = label(run, str(tmp_path / "set"), out=str(tmp_path / "o.jsonl"), top=2)
    assert found.counts["read"] == 49
    assert found.counts["labelled"] == 48
    row = found.frame.filter(pl.col("label").is_null()).row(0, named=True)
    assert row["picture"].endswith("broken.png")
    assert row["reason"]
