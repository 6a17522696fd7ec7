"""`prepare` as a whole: every row is accounted for, nothing leaks, and the same table gives the same corpus."""

import csv
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.corpus import ingest, shards
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError, UsageError
from lyrist.files import staging_path
from songtables.fouracts import Planted, songbook, write_songbook


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    path = tmp_path_factory.mktemp("table") / "songs.csv"
    return path, write_songbook(path)


@pytest.fixture(scope="module")
def corpus(table: tuple[Path, Planted], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    out = tmp_path_factory.mktemp("out") / "corpus"
    return prepare(str(table[0]), out=str(out), languages="en").corpus


def songs_of(corpus: Corpus) -> list[tuple[Any, ...]]:
    return corpus.songs().rows()


def test_every_row_ends_in_the_corpus_or_in_the_ledger(corpus: Corpus, table: tuple[Path, Planted]) -> None:
    planted = table[1]
    ledger = corpus.ledger
    assert ledger.read == planted.rows
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    assert len(corpus.songs()) == ledger.kept
    dropped = corpus.dropped()
    assert dict(dropped["reason"].value_counts().iter_rows()) == ledger.dropped
    rows = sorted([*dropped["row"], *(corpus.songs()["id"] + 1)])
    assert rows == list(range(1, planted.rows + 1))


def test_what_was_planted_is_found(corpus: Corpus, table: tuple[Path, Planted]) -> None:
    planted, dropped = table[1], corpus.ledger.dropped
    assert dropped == {
        "exact-duplicate": planted.exact,
        "near-duplicate": planted.covers,
        "instrumental": planted.instrumental,
        "empty": planted.empty,
        "too-short": planted.short,
        "malformed-row": planted.malformed,
        "other-language": 3,
    }
    assert corpus.info["counts"]["clusters"]["covers"] == planted.covers


def test_songs_are_clean_and_whole(corpus: Corpus) -> None:
    found = corpus.songs()
    originals = {(song.artist, song.title): song for song in songbook()}
    for row in found.iter_rows(named=True):
        song = originals[row["artist"], row["title"]]
        assert "[" not in row["lyrics"]
        words = [w for line in song.lyrics.split("\n") if not line.startswith("[") for w in line.split()]
        assert row["lyrics"].split() == words
        assert row["year"] == song.year
        assert row["genre"] == song.genre


def test_the_directory_is_what_the_design_says(corpus: Corpus) -> None:
    names = {path.name for path in corpus.path.iterdir()}
    assert names == {
        "corpus.json",
        "ledger.json",
        "songs",
        "dropped",
        "duplicates.parquet",
        "contained.parquet",
        "README.md",
    }
    for split in ("train", "validation", "test"):
        columns = pl.read_parquet(corpus.path / "songs" / f"{split}-00000.parquet").columns
        assert columns == ["id", "title", "artist", "genre", "year", "language", "lyrics", "cluster"]
    assert not staging_path(corpus.path).exists()


def test_the_same_table_gives_the_same_corpus_on_one_worker_or_several(
    table: tuple[Path, Planted], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SHARD_ROWS", 40)
    several = prepare(str(table[0]), out=str(tmp_path / "c"), languages="en", workers=2).corpus
    assert songs_of(several) == songs_of(corpus)
    assert several.fingerprint == corpus.fingerprint
    assert several.dropped().rows() == corpus.dropped().rows()


def test_another_seed_gives_another_split_of_the_same_songs(
    table: tuple[Path, Planted], corpus: Corpus, tmp_path: Path
) -> None:
    other = prepare(str(table[0]), out=str(tmp_path / "c"), languages="en", seed=1).corpus
    assert set(other.songs()["id"]) == set(corpus.songs()["id"])
    assert other.songs()["split"].to_list() != corpus.songs()["split"].to_list()
    assert other.fingerprint != corpus.fingerprint


def test_near_copies_are_dropped_grouped_or_kept(table: tuple[Path, Planted], tmp_path: Path) -> None:
    planted = table[1]
    copies = planted.exact + planted.covers
    group = prepare(str(table[0]), out=str(tmp_path / "g"), languages="en", duplicates="group").corpus
    keep = prepare(str(table[0]), out=str(tmp_path / "k"), languages="en", duplicates="keep").corpus
    assert group.ledger.kept == keep.ledger.kept == planted.songs - 3 + copies
    songs = group.songs()
    assert songs["cluster"].n_unique() == planted.songs - 3
    assert songs.group_by("cluster").agg(pl.col("split").n_unique())["split"].max() == 1
    assert keep.songs()["cluster"].to_list() == keep.songs()["id"].to_list()


def test_by_artist_no_artist_stands_on_two_sides(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(["artist", "song", "text"])
        for number, song in enumerate(songbook()):
            rows.writerow([f"act {number % 25}", song.title, song.lyrics])
    corpus = prepare(str(path), out=str(tmp_path / "c"), split_by="artist").corpus
    songs = corpus.songs()
    assert songs.group_by("artist").agg(pl.col("split").n_unique())["split"].max() == 1
    assert set(songs["split"]) == {"train", "validation", "test"}


def test_songs_of_a_split_are_in_a_random_order_that_is_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = pl.DataFrame([{"artist": song.artist, "title": song.title, "lyrics": song.lyrics} for song in songbook()])
    songs.sort("artist").write_csv(tmp_path / "songs.csv")

    def order(out: str, **given: Any) -> list[int]:
        corpus = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / out), **given).corpus
        return [number for batch in corpus.batches("train", ["id"]) for number in batch["id"].to_list()]

    one = order("a")
    assert one != sorted(one)
    assert np.mean(np.diff(one) == 1) < 0.1  # no runs of neighbours
    assert order("b", seed=1) != one
    monkeypatch.setattr(ingest, "SHARD_ROWS", 40)
    monkeypatch.setattr("lyrist.corpus.prepare.FILE_BYTES", 4_000)
    assert order("c") == one


def test_by_year_and_by_a_kept_column(tmp_path: Path) -> None:
    rows = []
    for number, song in enumerate(songbook()[:120]):
        year = None if number == 7 else 1980 + number % 40
        rows.append({"artist": song.artist, "lyrics": song.lyrics, "year": year, "album": f"album {number % 30}"})
    rows.append({**rows[0], "lyrics": str(rows[0]["lyrics"]) + " and one more word", "year": 2019})
    pl.DataFrame(rows).write_csv(tmp_path / "songs.csv")
    table = str(tmp_path / "songs.csv")
    corpus = prepare(table, out=str(tmp_path / "y"), split_by="year", train_until=2010, duplicates="group").corpus
    songs = corpus.songs()
    assert corpus.ledger.dropped == {"unlabelled": 1, "later-version": 1}
    assert songs.filter(pl.col("split") == "test")["year"].min() == 2011
    assert songs.filter(pl.col("split") != "test")["year"].max() == 2010
    songs = prepare(table, out=str(tmp_path / "g"), split_by="album", keep=("album",), stable=True).corpus.songs()
    assert songs.group_by("album").agg(pl.col("split").n_unique())["split"].max() == 1
    with pytest.raises(LyristError, match=r"--split-by album needs the column 'album'.*--keep 'album'"):
        prepare(table, out=str(tmp_path / "e"), split_by="album")


def test_a_stable_split_survives_more_songs_in_another_order(tmp_path: Path) -> None:
    songs = pl.DataFrame([{"artist": song.artist, "lyrics": song.lyrics} for song in songbook()])
    songs.head(90).write_csv(tmp_path / "some.csv")
    songs.reverse().write_csv(tmp_path / "all.csv")
    sides = []
    for name in ("some.csv", "all.csv"):
        corpus = prepare(str(tmp_path / name), out=str(tmp_path / f"{name}-c"), stable=True).corpus
        sides.append(dict(corpus.songs(columns=["lyrics", "split"]).iter_rows()))
    assert len(sides[0]) > 60
    assert all(sides[1][lyrics] == side for lyrics, side in sides[0].items())


def test_balance_and_genres(table: tuple[Path, Planted], tmp_path: Path) -> None:
    corpus = prepare(str(table[0]), out=str(tmp_path / "c"), genres="Rap,folk", balance="genre", languages="en").corpus
    counts = dict(corpus.songs()["genre"].value_counts().iter_rows())
    assert set(counts) == {"rap", "folk"}
    assert counts["rap"] == counts["folk"]
    assert corpus.ledger.dropped["unwanted-genre"] > 80


def test_any_label_can_balance_and_stratify(table: tuple[Path, Planted], tmp_path: Path) -> None:
    songs = prepare(str(table[0]), out=str(tmp_path / "c"), balance="year", stratify="language").corpus.songs()
    assert len(set(songs["year"].value_counts()["count"])) == 1
    songs = prepare(str(table[0]), out=str(tmp_path / "c"), balance="language", stratify="year").corpus.songs()
    assert len(set(songs["language"].value_counts()["count"])) == 1


def test_a_kept_column_may_have_any_name_that_the_corpus_has_not(tmp_path: Path) -> None:
    songs = pl.DataFrame(
        [{"lyrics": song.lyrics, "key": "C#", "band_00": "x", "kind": "y"} for song in songbook()[:40]]
    )
    songs.write_csv(tmp_path / "songs.csv")
    keep = ("key", "band_00", "kind")
    corpus = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "c"), keep=keep, stratify="key").corpus
    assert set(corpus.songs(columns=keep).rows()) == {("C#", "x", "y")}


def test_errors_and_summaries_tell_commands_that_can_be_typed(tmp_path: Path) -> None:
    songs = pl.DataFrame([{"lyrics": f"{song.lyrics}  ", "mood": None} for song in songbook()[:40]])
    songs[[*range(40), 0]].write_csv(tmp_path / "songs.csv")
    prepared = prepare(str(tmp_path / "songs.csv"), out=str(tmp_path / "my corpus"), keep=("mood",))
    assert f"--out '{tmp_path}/my corpus' --show-dropped exact-duplicate" in prepared.summary()
    assert "as in --artist COLUMN" in prepared.summary()
    with pytest.raises(LyristError, match="--out 'no corpus'"):
        Corpus.open("no corpus")
    for target, way in (("mood", "choose another"), ("artist", "--artist COLUMN"), ("tempo", "--keep COLUMN")):
        with pytest.raises(LyristError, match=way):
            prepared.corpus.check_target(target)


def test_the_tables_own_split_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(["artist", "title", "lyrics", "part"])
        for number, song in enumerate(songbook()[:60]):
            rows.writerow([song.artist, song.title, song.lyrics, ("train", "dev", "test")[number % 3]])
    corpus = prepare(str(path), out=str(tmp_path / "c"), split_column="part").corpus
    assert corpus.info["counts"]["splits"] == {"train": 20, "validation": 20, "test": 20}


def test_an_interrupted_run_goes_on_and_ends_the_same(
    table: tuple[Path, Planted], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c"
    with monkeypatch.context() as patch:
        patch.setattr("lyrist.corpus.prepare.write_songs", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(str(table[0]), out=str(out), languages="en")
    assert not out.exists()
    with pytest.raises(LyristError, match="--resume"):
        Corpus.open(out)
    with pytest.raises(LyristError, match="other settings"):
        prepare(str(table[0]), out=str(out), languages="all", resume=True)
    with monkeypatch.context() as patch:
        patch.setattr("lyrist.corpus.shards.judge", None)  # the text pass is finished: it must not be done again
        resumed = prepare(str(table[0]), out=str(out), languages="en", resume=True).corpus
    assert songs_of(resumed) == songs_of(corpus)
    assert resumed.fingerprint == corpus.fingerprint


def test_a_killed_run_goes_on_and_ends_the_same(table: tuple[Path, Planted], corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "c"
    command = [sys.executable, "-m", "lyrist", "prepare", str(table[0]), "--out", str(out), "--languages", "en"]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    raw = staging_path(out) / "work" / "raw"
    until = time.monotonic() + 30
    while child.poll() is None and not list(raw.glob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = prepare(str(table[0]), out=str(out), languages="en", resume=True).corpus
    assert songs_of(resumed) == songs_of(corpus)


def test_a_full_disk_is_told_and_the_earlier_corpus_stays(
    table: tuple[Path, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c"
    before = prepare(str(table[0]), out=str(out), languages="en").corpus

    def full(*a: Any, **k: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shards.pq, "ParquetWriter", full)
    with pytest.raises(LyristError, match="disk is full"):
        prepare(str(table[0]), out=str(out), seed=5)
    assert songs_of(Corpus.open(out)) == songs_of(before)


def test_two_processes_on_one_output(
    table: tuple[Path, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(*a: Any) -> None:
        with pytest.raises(LyristError, match="Another process"):
            prepare(str(table[0]), out=str(tmp_path / "c"))
        raise InterruptedError

    monkeypatch.setattr("lyrist.corpus.prepare.write_songs", second)
    with pytest.raises(InterruptedError):
        prepare(str(table[0]), out=str(tmp_path / "c"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "spark"}, "local, ray"),
        ({"languages": "xx"}, "xx"),
        ({"rules_off": "nonsense"}, "nonsense"),
        ({"lyrics": "words"}, "words"),
        ({"test": 1.5}, "share"),
        ({"memory": 0}, "megabytes"),
        ({"validation": 0.6, "test": 0.6}, "training"),
        ({"balance": "mood"}, "--keep 'mood'"),
        ({"stratify": "lyrics"}, "It has: artist"),
        ({"languages": "fr,de", "min_words": 500}, "No song is left"),
    ],
)
def test_wrong_options_are_one_clear_sentence(
    table: tuple[Path, Planted], tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(LyristError) as told:
        prepare(str(table[0]), out=str(tmp_path / "c"), **options)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "c").exists()


def test_out_that_is_something_else_is_not_touched(table: tuple[Path, Planted], tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.txt").write_text("years of work")
    with pytest.raises(LyristError, match="choose another --out"):
        prepare(str(table[0]), out=str(tmp_path / "c"))
    assert (tmp_path / "c" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(UsageError, match="needs a table"):
        prepare(out=str(tmp_path / "d"))


def test_examples_of_what_was_dropped(corpus: Corpus) -> None:
    shown = prepare(out=str(corpus.path), show_dropped="near-duplicate")
    assert "Jaccard" in shown.summary()
    assert len(shown.figures()["examples"]) == corpus.ledger.dropped["near-duplicate"]
    with pytest.raises(LyristError, match="near-duplicate"):
        prepare(out=str(corpus.path), show_dropped="near-duplicates").summary()


def test_a_corpus_from_another_version_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "corpus.json").write_text(json.dumps({**corpus.info, "format": 99}))
    with pytest.raises(LyristError, match="format 99"):
        Corpus.open(tmp_path / "c")


@pytest.mark.parametrize(
    "file", ["songs/train-00000.parquet", "duplicates.parquet", "ledger.json", "songs/test-00000.parquet"]
)
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_corpus_is_told_in_a_sentence(corpus: Corpus, tmp_path: Path, file: str, how: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(corpus.path, copy)
    if how == "cut":
        (copy / file).write_bytes((copy / file).read_bytes()[:-9])
    else:
        (copy / file).unlink()
    with pytest.raises(LyristError, match=r"prepare it again|it has no|make a corpus again"):
        opened = Corpus.open(copy)
        opened.songs()
        list(opened.batches("train", ["lyrics"]))
        opened.duplicates  # noqa: B018 - it is read when it is asked for


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(table: tuple[Path, Planted], tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(LyristError, match="No permission"):
        prepare(str(table[0]), out=str(tmp_path / "locked" / "c"))


def test_a_kept_column_with_the_name_of_one_of_the_corpus_gets_another(tmp_path: Path) -> None:
    lyrics = [
        f"the {word} of song number {i} and more of it\nanother line of words to sing"
        for i, word in enumerate("abcdefgh" * 4)
    ]
    table = pl.DataFrame({"id": [f"S{i}" for i in range(32)], "row": range(32), "lyrics": lyrics})
    table.write_csv(tmp_path / "t.csv")
    kept = {"keep": ("id", "row"), "duplicates": "keep", "split_by": "row"}  # options may name it as the table does
    corpus = prepare(str(tmp_path / "t.csv"), out=str(tmp_path / "c"), **kept).corpus
    assert json.loads((corpus.path / "corpus.json").read_text())["settings"]["split"]["by"] == "table_row"
    songs = corpus.songs()
    assert {"id", "table_id", "table_row"} <= set(songs.columns)
    assert songs.sort("id")["table_id"].to_list() == [f"S{number}" for number in songs.sort("id")["id"]]
    with pytest.raises(LyristError, match="'artist' already"):
        prepare(str(tmp_path / "t.csv"), out=str(tmp_path / "d"), keep=("artist",))


@pytest.mark.parametrize("fault", ["flipped", "cut", "missing", "added"])
def test_a_file_of_songs_that_was_changed_later_is_refused(corpus: Corpus, tmp_path: Path, fault: str) -> None:
    copy = tmp_path / "corpus"
    shutil.copytree(corpus.path, copy)
    file = copy / "songs" / "train-00000.parquet"
    data = file.read_bytes()
    if fault == "flipped":
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif fault == "cut":
        file.write_bytes(data[:-1])
    elif fault == "missing":
        file.unlink()
    else:
        shutil.copy(file, copy / "songs" / "train-00001.parquet")
    with pytest.raises(LyristError, match=r"is damaged: songs/train-.*prepare it again"):
        Corpus.open(copy)


def test_pages_of_songs_have_checksums(corpus: Corpus) -> None:
    import pyarrow.parquet as pq

    file = corpus.files("train")[0]
    raw = bytearray(file.read_bytes())
    column = pq.ParquetFile(file).metadata.row_group(0).column(6)  # lyrics
    start = column.dictionary_page_offset or column.data_page_offset
    raw[start + column.total_compressed_size - 9] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(io.BytesIO(raw), page_checksum_verification=True).read(columns=["lyrics"])


def test_a_table_of_one_text_under_many_titles_says_what_is_left(tmp_path: Path) -> None:
    text = "We are sorry that this page is closed while its owner thinks about what to do"
    rows = pl.DataFrame({"artist": [f"a{i}" for i in range(6)], "title": list("uvwxyz"), "lyrics": [text] * 6})
    rows.write_csv(tmp_path / "t.csv")
    with pytest.raises(LyristError, match=r"No song is left of 6 rows: 6 site-notice\. Loosen"):
        prepare(str(tmp_path / "t.csv"), out=str(tmp_path / "c"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counts", 3),
        ("counts", {"splits": {"train": "many"}}),
        ("counts", {"splits": [1]}),
        ("settings", []),
        ("settings", {"keep": 1}),
        ("checksums", [1]),
        ("fingerprint", None),
    ],
)
def test_a_description_with_other_types_is_one_sentence(corpus: Corpus, tmp_path: Path, name: str, value: Any) -> None:
    shutil.copytree(corpus.path, tmp_path / "copy")
    info = json.loads((corpus.path / "corpus.json").read_text())
    (tmp_path / "copy" / "corpus.json").write_text(json.dumps({**info, name: value}))
    with pytest.raises(LyristError, match=r"corpus\.json is damaged"):
        Corpus.open(tmp_path / "copy")
