"""A generated table is what it says: its columns, its unequal artists, and a truth that the table bears out."""

import csv
import gzip
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus.cleaning import clean_series, is_instrumental, word_count
from lyrist.corpus.languages import detect
from lyrist.errors import LyristError, UsageError
from lyrist.text import key
from songtables import Truth, generate
from songtables.copies import changed, jaccard
from songtables.debris import DEBRIS
from songtables.foreign import FOREIGN
from songtables.planting import CONTAINED, DRESSES, PLANTED, TRUTH_SCHEMA
from songtables.sinks import FEWER, MORE

GENERATE = Path(__file__).parents[2] / "benchmarks" / "generate.py"
ROWS = 9_000  # more than one chunk
GENIUS = ["title", "tag", "artist", "year", "views", "features", "lyrics", "id"]
GENIUS += ["language_cld3", "language_ft", "language"]
NONE = dict.fromkeys(PLANTED, 0.0)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(ROWS, tmp_path_factory.mktemp("table") / "songs.parquet", seed=3)


@pytest.fixture(scope="module")
def table(truth: Truth) -> pl.DataFrame:
    """The table with what is known of each row, and the cleaned lyrics."""
    songs = pl.read_parquet(truth.path).with_row_index("row", 1).cast({"row": pl.Int64})
    known = truth.table().rename({"language": "sung"})
    songs = songs.join(known, on="row", how="left", maintain_order="left").with_columns(
        pl.col("kind").fill_null("song")
    )
    return songs.with_columns(clean=clean_series(songs["lyrics"])[0])


def of_kind(table: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    return table.filter(pl.col("kind").is_in(kinds))


def records(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        return list(csv.reader(handle))


def shingles(text: str) -> set[tuple[str, ...]]:
    words = key(re.sub(r"(?m)^\[[^\]\n]*\]$", " ", text)).split()
    return set(zip(words, words[1:], words[2:], strict=False))


def share(left: str, right: str) -> float:
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b)


def test_the_table_has_the_columns_and_proportions_of_genius(truth: Truth, table: pl.DataFrame) -> None:
    assert pl.read_parquet_schema(truth.path).names() == GENIUS
    assert len(table) == ROWS
    shares = dict(table["tag"].value_counts(normalize=True).iter_rows())
    assert shares["pop"] == pytest.approx(0.43, abs=0.05)
    assert shares["rap"] == pytest.approx(0.33, abs=0.05)
    by_artist = table["artist"].value_counts(sort=True)["count"]
    assert len(by_artist) > 300
    assert by_artist[0] > 20 * by_artist.median()
    usual = table.group_by("artist").agg(pl.col("tag").mode().first().alias("usual"))
    assert table.join(usual, on="artist").select((pl.col("tag") == pl.col("usual")).mean()).item() > 0.85


def test_songs_are_as_long_as_songs_and_all_different(table: pl.DataFrame) -> None:
    songs = of_kind(table, "song")
    assert 1_200 < songs["lyrics"].str.len_bytes().mean() < 1_700
    words = word_count(songs["clean"])
    assert words.min() >= 20
    assert words.max() <= 5_000
    assert songs["lyrics"].n_unique() == len(songs)
    repeated = songs["clean"].str.split("\n\n").list.eval(pl.element().n_unique() < pl.len()).list.first().mean()
    assert 0.5 < repeated < 0.95  # a chorus comes back
    assert 0.5 < songs["lyrics"].str.starts_with("[").mean() < 0.9


def test_unrelated_songs_share_next_to_nothing(table: pl.DataFrame) -> None:
    rng = np.random.default_rng(0)
    for kind, limit in (("song", 0.05), ("foreign", 0.15)):
        lyrics = of_kind(table, kind)["lyrics"]
        left, right = rng.integers(0, len(lyrics), (2, 2_000))
        apart = left != right
        assert jaccard(lyrics[left[apart]], lyrics[right[apart]]).max() < limit


def test_the_language_identifier_hears_what_the_truth_says(table: pl.DataFrame) -> None:
    english = of_kind(table, "song", "near", "cover", "debris").sample(1_500, seed=1)
    assert (detect(english["clean"])[0] == "en").mean() >= 0.99
    foreign = of_kind(table, "foreign")
    assert set(foreign["sung"]) == set(FOREIGN)
    assert (detect(foreign["clean"])[0] == foreign["sung"]).mean() >= 0.98


def test_every_planted_row_is_recorded(truth: Truth, table: pl.DataFrame) -> None:
    found = truth.table()
    assert found.schema == TRUTH_SCHEMA
    assert dict(found["kind"].value_counts().iter_rows()) == truth.planted
    for kind, count in truth.planted.items():
        assert count == pytest.approx(PLANTED[kind] * ROWS, rel=0.4)
    no_csv = {"malformed", "invalid-utf8"}
    assert set(PLANTED) - set(truth.planted) == {*no_csv, *CONTAINED}  # these are planted where they are requested
    copies = found.filter(pl.col("kind").is_in(["exact", "near", "cover"]))
    assert (copies["of"] < copies["row"]).all()
    assert not set(copies["of"]) & set(found["row"])  # originals are songs
    assert found.filter(~pl.col("kind").is_in(["exact", "near", "cover"]))["of"].is_null().all()


def test_exact_copies_are_equal_once_cleaned(table: pl.DataFrame) -> None:
    text = dict(table.select("row", "clean").iter_rows())
    exact = of_kind(table, "exact")
    assert [key(text[row]) for row in exact["row"]] == [key(text[row]) for row in exact["of"]]
    assert {detail.split(":")[0] for detail in exact["detail"]} == set(DRESSES)


def test_near_copies_have_the_jaccard_that_is_recorded(table: pl.DataFrame) -> None:
    text = dict(table.select("row", "lyrics").iter_rows())
    copies = of_kind(table, "near", "cover")
    assert (copies["row"] - copies["of"]).max() > 8_192 // 2
    assert copies["jaccard"].min() < 0.5 < 0.95 < copies["jaccard"].max()
    for row, of, recorded in copies.select("row", "of", "jaccard").head(120).iter_rows():
        assert share(text[row], text[of]) == pytest.approx(recorded, abs=1e-6)


def test_a_cover_is_by_another_artist_and_a_near_copy_by_the_same(table: pl.DataFrame) -> None:
    artist = dict(table.select("row", "artist").iter_rows())
    assert all(artist[row] != artist[of] for row, of in of_kind(table, "cover").select("row", "of").iter_rows())
    assert all(artist[row] == artist[of] for row, of in of_kind(table, "near", "exact").select("row", "of").iter_rows())


def test_contained_versions_hold_or_are_held_as_recorded(tmp_path: Path) -> None:
    truth = generate(
        2_000, tmp_path / "songs.parquet", planted={**NONE, "excerpt": 0.03, "extended": 0.03, "medley": 0.01}
    )
    text = pl.read_parquet(truth.path)["lyrics"]
    found = truth.table()
    assert set(found["kind"]) == set(CONTAINED)
    for row, kind, of, recorded, detail in found.select("row", "kind", "of", "containment", "detail").iter_rows():
        parts = [int(part) for part in detail.split()[1:]] if kind == "medley" else [of]
        assert max(parts) < row
        assert parts[0] == of
        shares = []
        for part in parts:
            a, b = shingles(text[part - 1]), shingles(text[row - 1])
            shares.append(len(a & b) / min(len(a), len(b)))
        assert min(shares) == pytest.approx(recorded, abs=1e-6)
        assert recorded > 0.4
    assert found.filter(kind="excerpt")["jaccard"].median() < 0.6


def test_debris_of_every_kind_is_there_and_rows_without_songs_have_none(table: pl.DataFrame) -> None:
    assert set(of_kind(table, "debris")["detail"]) == set(DEBRIS)
    assert is_instrumental(of_kind(table, "instrumental")["clean"]).all()
    assert (word_count(of_kind(table, "empty")["clean"]) == 0).all()
    short = word_count(of_kind(table, "short")["clean"])
    assert 0 < short.min() <= short.max() < 10


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"])
def test_the_same_seed_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    generate(300, tmp_path / name, seed=5)
    first = (tmp_path / name).read_bytes()
    generate(300, tmp_path / name, seed=5)
    assert (tmp_path / name).read_bytes() == first
    generate(300, tmp_path / name, seed=6)
    assert (tmp_path / name).read_bytes() != first
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.truth.parquet"}


def test_all_formats_hold_the_same_songs(tmp_path: Path) -> None:
    for name in ("t.csv.gz", "t.jsonl.zst", "t.jsonl", "t.parquet"):
        generate(200, tmp_path / name, planted={"malformed": 0})
    with gzip.open(tmp_path / "t.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        lyrics = [row["lyrics"] for row in csv.DictReader(handle)]
    for frame in (
        pl.read_ndjson(tmp_path / "t.jsonl"),
        pl.read_ndjson(tmp_path / "t.jsonl.zst"),
        pl.read_parquet(tmp_path / "t.parquet"),
    ):
        assert frame["lyrics"].to_list() == lyrics


def test_malformed_rows_of_a_csv_are_where_the_truth_says(tmp_path: Path) -> None:
    truth = generate(1_000, tmp_path / "t.csv", planted={"malformed": 0.05})
    rows = records(truth.path)
    assert rows[0] == GENIUS
    wrong = {number: len(row) for number, row in enumerate(rows) if len(row) != len(GENIUS)}
    faults = {MORE: len(GENIUS) + 1, FEWER: len(GENIUS) - 2}
    told = truth.table().filter(kind="malformed")
    assert wrong == {row: faults[detail] for row, detail in told.select("row", "detail").iter_rows()}
    assert set(wrong.values()) == set(faults.values())


def test_rows_with_invalid_utf8_are_where_the_truth_says(tmp_path: Path) -> None:
    truth = generate(1_000, tmp_path / "t.csv", planted={"invalid-utf8": 0.02})
    broken = [number for number, row in enumerate(records(truth.path)) if any("�" in field for field in row)]
    assert broken == truth.table().filter(kind="invalid-utf8")["row"].to_list()
    assert broken


def test_the_layout_of_songdata(tmp_path: Path) -> None:
    truth = generate(200, tmp_path / "t.csv", layout="songdata", planted=NONE)
    rows = records(truth.path)
    assert rows[0] == ["artist", "song", "link", "text"]
    assert len(rows) == 201
    assert all(len(row) == 4 and re.fullmatch(r"/[\w-]+/[\w-]+_\d+\.html", row[2]) for row in rows[1:])
    assert truth.planted == {}
    assert len(truth.table()) == 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"rows": 0}, "rows is at least 1"),
        ({"seed": -1}, "seed is at least 0"),
        ({"artists": 1}, "artists is at least 2"),
        ({"path": "t.xlsx"}, "a table ends in .csv"),
        ({"path": "t.parquet.gz"}, "a table ends in .csv"),
        ({"layout": "geniuss"}, "Did you mean 'genius'"),
        ({"planted": {"exakt": 0.1}}, "Did you mean 'exact'"),
        ({"planted": {"exact": 1.5}}, "between 0 and 1"),
        ({"planted": {"exact": 0.95}}, "more than 1"),
        ({"planted": {"malformed": 0.1}, "path": "t.jsonl"}, "Only a CSV"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, object], told: str, tmp_path: Path) -> None:
    asked = {"rows": 10, **asked, "path": tmp_path / str(asked.get("path", "t.csv"))}
    with pytest.raises(UsageError, match=told):
        generate(**asked)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="no folder"):
        generate(10, tmp_path / "absent" / "t.csv")


def test_the_command_writes_a_table_and_says_what_is_in_it(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(GENERATE), "120", str(tmp_path / "t.csv"), "--seed", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "120 rows" in run.stdout
    assert len(records(tmp_path / "t.csv")) == 121
    wrong = subprocess.run([sys.executable, str(GENERATE), "9", "t.doc"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (2, "")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["one", "two", "three", "four", "five", "don't"]), min_size=3, max_size=30),
        min_size=1,
        max_size=4,
    ),
    st.floats(0, 0.9),
    st.integers(0, 99),
)
def test_changing_words_leaves_headers_and_yields_the_similarity_computed(
    songs: list[list[str]], amount: float, seed: int
) -> None:
    texts = pl.Series(["[Verse 1: A B]\n" + " ".join(words) for words in songs])
    other = changed(np.random.default_rng(seed), texts, np.full(len(texts), amount), pl.Series(["harbour", "lamp"]))
    assert other.str.starts_with("[Verse 1: A B]\n").all()
    assert (other != texts).all()
    kept = [(a, b) for a, b in zip(texts, other, strict=True) if len(key(b).split()) >= 6]
    left, right = (pl.Series([pair[side] for pair in kept], dtype=pl.String) for side in (0, 1))
    assert jaccard(left, right) == pytest.approx([share(a, b) for a, b in kept], abs=1e-6)
