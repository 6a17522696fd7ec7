"""Contained versions: what is inside another song is found as by brute force, and is never in two splits."""

import os
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_duplicates import clusters_of, stored

from lyrist import text
from lyrist.corpus import containment
from lyrist.corpus.containment import find_contained, scale_of, united
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.duplicates import FOUND_SCHEMA
from lyrist.corpus.parallel import Workers
from lyrist.corpus.prepare import prepare
from lyrist.errors import LyristError
from lyrist.training.dataset import view

DATA = Path(os.environ.get("LYRIST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "songs"
TABLES = ("songdata_part", "billboard_1950_2015", "public_domain")

WORDS = ("river", "lantern", "gravel", "window", "copper", "sparrow", "harbour", "thunder", "velvet", "orchard")


def song(seed: int, words: int = 120) -> str:
    """Return lines of invented words that share no sequence of three with another seed's."""
    rng = random.Random(seed)
    found = [f"{rng.choice(WORDS)}{rng.randrange(60)}" for _ in range(words)]
    return "\n".join(" ".join(found[start : start + 6]) for start in range(0, words, 6))


def edited(lyrics: str, every: int) -> str:
    """Return the text with one word in so many replaced."""
    words = lyrics.split()
    words[every // 2 :: every] = [f"changed{place}" for place in range(len(words[every // 2 :: every]))]
    return " ".join(words)


def triples(lyrics: str) -> set[tuple[str, ...]]:
    words = text.key(lyrics).split()
    return {tuple(words[place : place + 3]) for place in range(max(len(words) - 2, 1))}


def brute_force(songs: dict[int, str]) -> set[tuple[int, int]]:
    """Return the pairs (smaller id first) of which one contains the other, by comparing all."""
    sets = {number: triples(lyrics) for number, lyrics in songs.items()}
    found = set()
    for one, other in combinations(sorted(songs), 2):
        shared = len(sets[one] & sets[other])
        if shared >= 20 and shared >= 0.5 * min(len(sets[one]), len(sets[other])):
            found.add((one, other))
    return found


def planted() -> dict[int, str]:
    """Return songs with excerpts, longer versions, edited versions of both, and what only shares a chorus."""
    songs = {number: song(number, 60 + 12 * number) for number in range(24)}
    for number in range(0, 24, 2):
        words = songs[number].split()
        songs[100 + number] = " ".join(words[len(words) // 4 : -len(words) // 4])
        songs[200 + number] = f"{songs[number]}\n{song(500 + number, 300)}"
        songs[300 + number] = edited(songs[100 + number], 7 + number)
        songs[400 + number] = f"{song(700 + number, 90)}\n{' '.join(words[:24])}\n{song(900 + number, 90)}"
    return songs


def pairs_of(
    songs: dict[int, str],
    work: Path,
    *,
    shard: int = 1000,
    scale: int = 1,
    clusters: pl.DataFrame | None = None,
    count: int = 1,
    memory: int = 1 << 28,
) -> pl.DataFrame:
    """Return what is found among the songs, put into shards in their order."""
    stored(work, songs, shard, scale)
    with Workers(count=count) as workers:
        return find_contained(work, FOUND_SCHEMA.to_frame() if clusters is None else clusters, workers, memory)


def as_set(pairs: pl.DataFrame) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in pairs.select("id", "within").iter_rows()}


# --- which pairs


def test_pairs_are_found_as_by_brute_force_and_nothing_else(tmp_path: Path) -> None:
    songs = planted()
    wanted = brute_force(songs)
    assert len(wanted) > 40
    found = pairs_of(songs, tmp_path)
    assert as_set(found) == wanted
    for part, whole, shared, share, jaccard in found.iter_rows():
        a, b = triples(songs[part]), triples(songs[whole])
        assert len(a) <= len(b)
        assert (shared, share) == (len(a & b), pytest.approx(len(a & b) / len(a)))
        assert jaccard == pytest.approx(len(a & b) / len(a | b))


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_sparser_sketch_finds_nothing_else_and_nearly_all_of_what_is_whole(tmp_path: Path, scale: int) -> None:
    songs = {number: song(number, 240) for number in range(400)}
    for number in range(400):
        words = songs[number].split()
        songs[1000 + number] = " ".join(words[60 : 60 + 100])
    wanted, found = {(number, 1000 + number) for number in range(400)}, as_set(pairs_of(songs, tmp_path, scale=scale))
    assert found <= wanted
    assert len(found) >= 0.98 * len(wanted)


@pytest.mark.parametrize(("shard", "memory"), [(5, 1 << 28), (60, 60_000), (1000, 20_000)])
def test_nothing_depends_on_shards_or_on_the_memory_of_a_task(tmp_path: Path, shard: int, memory: int) -> None:
    songs = planted()
    divided = pairs_of(songs, tmp_path / "divided", shard=shard, memory=memory)
    assert divided.equals(pairs_of(songs, tmp_path / "whole"))


def test_blocks_of_pairs_and_several_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    songs = planted()
    whole = pairs_of(songs, tmp_path)
    monkeypatch.setattr(containment, "_PAIRS", 7)
    assert pairs_of(songs, tmp_path, shard=40, count=2, memory=100_000).equals(whole)


@pytest.mark.parametrize(("shared", "found"), [(21, False), (22, True), (40, True)])
def test_twenty_shared_sequences_are_needed(tmp_path: Path, shared: int, found: bool) -> None:
    part = " ".join(song(1, 300).split()[:shared])
    songs = {1: song(1, 300), 2: part}
    assert len(triples(part)) == shared - 2
    assert bool(len(pairs_of(songs, tmp_path))) == found == bool(brute_force(songs))


def test_a_sequence_that_many_songs_have_pairs_none_of_them(tmp_path: Path) -> None:
    refrain = song(0, 30)
    songs = {number: f"{refrain}\n{song(number, 24)}" for number in range(1, 60)}
    assert pairs_of(songs, tmp_path).is_empty()
    assert not pairs_of(dict(list(songs.items())[:30]), tmp_path).is_empty()


def test_a_song_with_many_versions_is_counted_as_one(tmp_path: Path) -> None:
    """Sixty near-copies of a song would make each of its sequences a stop word."""
    base = song(1, 200)
    songs = {number: edited(base, 60 + number) for number in range(60)} | {99: " ".join(base.split()[:90])}
    clusters = clusters_of(songs)
    assert clusters["cluster"].unique().to_list() == [0]
    assert as_set(pairs_of(songs, tmp_path, clusters=clusters)) > {(0, 99)}


def test_no_songs_and_empty_songs(tmp_path: Path) -> None:
    assert pairs_of({}, tmp_path).schema == containment.PAIR_SCHEMA
    assert pairs_of({1: "", 2: "", 3: "la"}, tmp_path).is_empty()


def test_small_tables_have_whole_sketches() -> None:
    assert [scale_of(rows) for rows in (0, 1, 25_000, 25_001, 60_000, 200_000, 10**8)] == [1, 1, 1, 2, 4, 8, 8]


# --- clusters and medleys


def joined(count: int, *pairs: tuple[int, int], titles: dict[int, str] | None = None) -> tuple[list[int], list[int]]:
    """Return the cluster of each of ``count`` songs, and the medleys, from pairs (part, whole)."""
    titles = titles or {}
    frame = pl.DataFrame(
        {
            "id": [part for part, _ in pairs],
            "within": [whole for _, whole in pairs],
            "title": [titles.get(part, f"song {part}") for part, _ in pairs],
            "within_title": [titles.get(whole, f"song {whole}") for _, whole in pairs],
        },
        schema={"id": pl.Int64, "within": pl.Int64, "title": pl.String, "within_title": pl.String},
    )
    cluster, medley = united(np.arange(count), np.arange(count), frame)
    return cluster.tolist(), np.flatnonzero(medley).tolist()


def test_what_contains_and_what_is_contained_are_one_cluster() -> None:
    assert joined(5, (1, 0), (3, 1)) == ([0, 0, 2, 0, 4], [])
    assert joined(4, (0, 3), (1, 3)) == ([0, 0, 2, 0], [])  # a medley of two joins them


def test_a_medley_joins_nothing() -> None:
    assert joined(5, (0, 4), (1, 4), (2, 4)) == ([0, 1, 2, 3, 4], [4])
    assert joined(7, (0, 5), (1, 5), (2, 5), (2, 6), (3, 6), (4, 6)) == ([0, 1, 2, 3, 4, 5, 6], [5, 6])


def test_versions_of_one_song_make_no_medley() -> None:
    """The whole contains three versions that contain each other, or three parts of the same title."""
    assert joined(4, (0, 3), (1, 3), (2, 3), (0, 1), (1, 2))[1] == []
    titles = dict(enumerate(("Low Tide (Intro)", "Low Tide - Live", "LOW TIDE [Remix]", "Low Tide")))
    assert joined(4, (0, 3), (1, 3), (2, 3), titles=titles) == ([0, 0, 0, 0], [])


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] != pair[1]), max_size=20))
def test_every_pair_without_a_medley_is_in_one_cluster(pairs: list[tuple[int, int]]) -> None:
    cluster, medleys = joined(12, *pairs)
    for part, whole in pairs:
        assert cluster[part] == cluster[whole] or {part, whole} & set(medleys)
    assert all(cluster[first] == first <= place for place, first in enumerate(cluster))


# --- prepare


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of songs, of which every fifth has an excerpt and a longer version by others, and two medleys."""
    rng = random.Random(0)
    rows = []
    for number in range(150):
        own = {"artist": f"Act {number % 15}", "title": f"Song {number}", "genre": ("rap", "folk", "pop")[number % 3]}
        rows.append({**own, "lyrics": song(number)})
        if number % 5 == 0:
            words = song(number).split()
            rows.append({**own, "title": f"Song {number} (Edit)", "lyrics": " ".join(words[20:70])})
            longer = {"title": f"Song {number} Remix", "artist": f"Guest {number}", "genre": "rap"}
            rows.append({**own, **longer, "lyrics": f"{song(number)}\n{song(1000 + number, 300)}"})
    for medley in (1, 2):
        lyrics = "\n".join(song(20 * medley + place) for place in range(1, 5))
        rows.append({"artist": "Act 1", "title": f"Medley {medley}", "genre": "pop", "lyrics": lyrics})
    rng.shuffle(rows)
    path = tmp_path_factory.mktemp("table") / "songs.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def across(songs: pl.DataFrame) -> list[tuple[str, str]]:
    """Return the titles of contained pairs in two splits, by brute force."""
    rows = dict(enumerate(songs.iter_rows(named=True)))
    pairs = brute_force({number: row["lyrics"] for number, row in rows.items()})
    return [(rows[a]["title"], rows[b]["title"]) for a, b in pairs if rows[a]["split"] != rows[b]["split"]]


WAYS: dict[str, dict[str, Any]] = {
    "song": {},
    "artist": {"split_by": "artist"},
    "genre": {"stratify": "genre"},
    "seed": {"seed": 7},
    "shares": {"validation": 0.3, "test": 0.3},
    "grouped copies": {"duplicates": "group"},
    "balance": {"balance": "genre"},
}


@pytest.mark.parametrize("way", list(WAYS))
def test_no_contained_pair_is_in_two_splits(table: Path, tmp_path: Path, way: str) -> None:
    corpus = prepare(str(table), out=str(tmp_path / "c"), **WAYS[way]).corpus
    assert across(corpus.songs()) == []
    counts = corpus.info["counts"]["contained"]
    assert counts["across_splits"] == 0
    assert counts["medleys"] == corpus.ledger.dropped["medley"] == 2
    assert counts["songs"] >= 10


def test_another_split_of_the_same_corpus_parts_none_either(table: Path, tmp_path: Path) -> None:
    songs = view(prepare(str(table), out=str(tmp_path / "c")).corpus, "genre")
    for seed in range(3):
        for by in ("song", "artist"):
            try:
                other = songs.resplit(by, seed)
            except LyristError:
                continue
            assert across(other.songs) == []
            assert across(other.with_share(0.5, seed).songs) == []


def test_contained_songs_are_reported_with_their_titles(table: Path, tmp_path: Path) -> None:
    prepared = prepare(str(table), out=str(tmp_path / "c"))
    assert "60 songs inside others" in prepared.summary()
    told = prepare(out=str(tmp_path / "c"), show_dropped="contained").summary()
    assert "contained: 90 pairs" in told
    assert "Act 0 - Song 30 (Edit) is in Guest 30 - Song 30 Remix (100%)" in told
    pairs = Corpus.open(tmp_path / "c").contained
    kept = pairs.drop_nulls(["split", "within_split"])
    assert (kept["split"] == kept["within_split"]).all()
    assert set(pairs.filter(pl.col("within_title") == "Medley 1")["title"]) >= {f"Song {n}" for n in range(21, 25)}
    assert prepared.corpus.ledger.to_json()["dropped"] == {"medley": 2}
    shown = prepare(out=str(tmp_path / "c"), show_dropped="medley").summary()
    assert "contains 4 songs: id " in shown or "contains 6 songs: id " in shown
    assert prepared.figures()["counts"]["contained"]["songs"] == 60


def test_contained_songs_can_be_dropped_or_ignored(table: Path, tmp_path: Path) -> None:
    dropped = prepare(str(table), out=str(tmp_path / "d"), contained="drop").corpus
    assert dropped.ledger.dropped == {"contained": 60, "medley": 2}
    assert brute_force(dict(enumerate(dropped.songs()["lyrics"]))) == set()
    assert set(dropped.dropped("contained")["detail"].str.slice(0, 6)) == {"in id "}
    kept = prepare(str(table), out=str(tmp_path / "k"), contained="keep").corpus
    assert kept.ledger.dropped == {}
    assert kept.contained.is_empty()
    assert kept.songs()["cluster"].to_list() == kept.songs()["id"].to_list()


@pytest.mark.skipif(not DATA.exists(), reason="the real tables are not here")
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("by", ["song", "artist"])
def test_no_contained_pair_of_a_real_table_is_in_two_splits(tmp_path: Path, name: str, by: Any) -> None:
    """All pairs by a product of sparse sets, which shares no code with the search."""
    from scipy.sparse import csr_array

    corpus = prepare(str(DATA / f"{name}.csv"), out=str(tmp_path / "c"), split_by=by).corpus
    songs = corpus.songs()
    places: dict[tuple[str, ...], int] = {}
    sets = [[places.setdefault(found, len(places)) for found in triples(lyrics)] for lyrics in songs["lyrics"]]
    sizes = np.array([len(found) for found in sets])
    columns = np.concatenate([np.array(found) for found in sets])
    table = csr_array((np.ones(len(columns), np.int32), columns, np.append(0, np.cumsum(sizes))))
    shared = (table @ table.T).tocoo()
    one, other = shared.coords
    inside = (one < other) & (shared.data >= 20) & (shared.data >= 0.5 * np.minimum(sizes[one], sizes[other]))
    sides = songs["split"].to_numpy()
    assert inside.sum() >= 5
    assert not (sides[one[inside]] != sides[other[inside]]).any()
