"""Copies and near-copies: what is one song is found, what is two songs is not, and nothing depends on order or shards."""

import csv
import os
import random
import shutil
import tempfile
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrist import text
from lyrist.corpus import duplicates
from lyrist.corpus.duplicates import (
    BAND_NAMES,
    FOUND_SCHEMA,
    SIGNATURE_SCHEMA,
    covers,
    find_clusters,
    shingled,
    sketched,
)
from lyrist.corpus.parallel import Workers
from lyrist.corpus.shingles import ShingleSets, hashed_texts, normalised, shingle_hashes
from songtables.fouracts import songbook

DATA = Path(os.environ.get("LYRIST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "songs"

WORDS = ("river", "lantern", "gravel", "window", "copper", "sparrow", "harbour", "thunder", "velvet", "orchard")
PAIR = ("one song and the other one", "and quite another song to sing tonight")

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real tables are not here")


def song(seed: int, words: int = 90) -> str:
    """Return a song of invented words, which shares no three-word sequence with another seed's."""
    rng = random.Random(seed)
    return " ".join(f"{rng.choice(WORDS)}{rng.randrange(40)}" for _ in range(words))


def changed(lyrics: str, words: int, seed: int) -> str:
    """Return the text with some of its words replaced."""
    rng = random.Random(seed)
    found = lyrics.split(" ")
    for place in rng.sample(range(len(found)), min(words, len(found))):
        found[place] = f"changed{rng.randrange(10**9)}"
    return " ".join(found)


@cache
def shingles(lyrics: str) -> frozenset[tuple[str, ...]]:
    words = text.key(lyrics).split()
    return frozenset(tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1)))


def jaccard(a: str, b: str) -> float:
    one, other = shingles(a), shingles(b)
    return len(one & other) / len(one | other)


def stored(work: Path, songs: dict[int, str], shard: int = 1000, scale: int | None = None) -> None:
    """Write what the text pass leaves of some songs, in shards of so many."""
    for name in ("signatures", "clean", "sketches"):
        shutil.rmtree(work / name, ignore_errors=True)
        (work / name).mkdir(parents=True)
    ids = sorted(songs)
    for number, start in enumerate(range(0, len(ids), shard)):
        own = pl.Series("id", ids[start : start + shard], dtype=pl.Int64)
        lyrics = pl.Series("lyrics", [songs[song] for song in own], dtype=pl.String)
        signed, sketch = sketched(lyrics, scale)
        pl.DataFrame([own, *signed]).write_parquet(work / "signatures" / f"{number:05d}.parquet")
        pl.DataFrame([own, lyrics]).write_parquet(work / "clean" / f"{number:05d}.parquet")
        if scale:
            sketch.tofile(work / "sketches" / f"{number:05d}.u64")


def found_in(work: Path, count: int = 1, **options: Any) -> pl.DataFrame:
    with Workers(count=count) as workers:
        return find_clusters(work, workers, **options)


def clusters_of(songs: dict[int, str], shard: int = 1000, count: int = 1, **options: Any) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as work:
        stored(Path(work), songs, shard)
        return found_in(Path(work), count, **options)


def planted() -> tuple[dict[int, str], dict[int, int]]:
    """Return the songbook with near-copies of every third song, one to many words changed, and whose copy each is."""
    originals = [entry.lyrics for entry in songbook()]
    songs, origin = dict(enumerate(originals)), {i: i for i in range(len(originals))}
    for number, lyrics in enumerate(originals[::3]):
        for words in (1, 4, 8, 12):
            copy = len(songs)
            songs[copy] = changed(text.key(lyrics), words, seed=copy)
            origin[copy] = 3 * number
    return songs, origin


# --- texts as numbers


@given(st.lists(st.text(), min_size=1))
def test_a_normalised_column_is_the_key_pattern_applied(texts: list[str]) -> None:
    lyrics = pl.Series(texts)
    plain = lyrics.str.to_lowercase().str.replace_all(text.KEY_PATTERN, " ").str.strip_chars(" ")
    assert normalised(lyrics).to_list() == plain.to_list()


@given(st.text(alphabet="aB éÜñ1,.-'’\n\t_()", max_size=60))
def test_a_normalised_column_is_the_key_of_each_text(lyrics: str) -> None:
    assert normalised(pl.Series([lyrics])).to_list() == [text.key(lyrics)]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), min_size=2, max_size=6))
def test_jaccard_is_that_of_the_sets_of_word_triples(texts: list[str]) -> None:
    sets = ShingleSets(hashed_texts(iter([(np.arange(len(texts)), pl.Series(texts))])))
    left, right = np.array(list(combinations(range(len(texts)), 2))).T
    wanted = [jaccard(texts[a], texts[b]) for a, b in zip(left, right, strict=True)]
    assert sets.jaccard(left, right).tolist() == pytest.approx(wanted)


def test_shingle_sets_do_not_depend_on_chunks() -> None:
    texts = [song(seed, words=10 + seed) for seed in range(20)]
    counts, hashes = shingle_hashes(pl.Series(texts))
    parts = [shingle_hashes(pl.Series(texts[i : i + 7])) for i in range(0, 20, 7)]
    assert counts.tolist() == [n for part, _ in parts for n in part]
    assert hashes.tolist() == [h for _, part in parts for h in part]


def test_signatures_tell_texts_apart_but_for_case_punctuation_and_layout() -> None:
    key = sketched(pl.Series(["Blow, siren, blow!\nBlow!", "blow siren  BLOW blow", "blow siren blow", None, "  ?! "]))[
        0
    ]["key"]
    assert key[0] == key[1] != key[2]
    assert key[3] == key[4]


def test_a_key_is_the_same_on_every_machine_and_in_every_version() -> None:
    key = int(sketched(pl.Series(["Blow, siren, blow!"]))[0]["key"][0])
    assert key.to_bytes(8, "little").hex() == "266f7452b7eeb657"


def test_signatures_have_their_schema_whatever_the_texts() -> None:
    for texts in ([], [""], [None], ["one"], ["one two"], ["one two three"]):
        found = sketched(pl.Series(texts, dtype=pl.String))[0]
        assert found.schema == SIGNATURE_SCHEMA
        assert len(found) == len(texts)
        assert found.null_count().sum_horizontal()[0] == 0


def test_bands_estimate_jaccard() -> None:
    base = song(1, words=300)
    texts = [base, *(changed(base, words, seed=words) for words in (3, 10, 20, 40))]
    bands = sketched(pl.Series(texts))[0].select(BAND_NAMES).to_numpy(order="c").view(np.uint16)
    for other in range(1, len(texts)):
        assert np.mean(bands[0] == bands[other]) == pytest.approx(jaccard(base, texts[other]), abs=0.15)


# --- clusters


def test_near_copies_are_found_as_by_brute_force_and_nothing_else() -> None:
    songs, origin = planted()
    found = clusters_of(songs)
    cluster = dict(zip(found["id"], found["cluster"], strict=True))
    pairs = [(a, b, jaccard(songs[a], songs[b])) for a, b in combinations(songs, 2)]
    for least, recall in ((0.5, 0.95), (0.6, 0.98), (0.7, 1.0)):
        alike = [(a, b) for a, b, j in pairs if j >= least]
        hit = sum(cluster.get(a, -1) == cluster.get(b, -2) for a, b in alike)
        assert len(alike) > 100
        assert hit >= recall * len(alike)
    alike_to_any = {i for a, b, j in pairs if j >= 0.5 for i in (a, b)}
    assert set(cluster) <= alike_to_any
    assert all(origin[member] == origin[first] for member, first in cluster.items())


def test_the_first_of_a_cluster_is_its_smallest_id_and_jaccard_is_the_similarity_to_it() -> None:
    songs, _ = planted()
    found = clusters_of(songs)
    assert found.schema == FOUND_SCHEMA
    assert found["id"].is_sorted()
    for member, first, kind, similarity in found.iter_rows():
        assert first <= member
        assert (kind == "first") == (first == member)
        assert similarity == pytest.approx(jaccard(songs[first], songs[member]))
    assert found.group_by("cluster").len()["len"].min() >= 2


def test_exact_copies_belong_to_the_cluster_of_what_they_copy() -> None:
    base = song(1)
    near = changed(base, 4, seed=2)
    songs = {10: song(3), 20: base, 30: base.upper(), 40: near, 50: near + "!", 60: song(4), 70: song(4)}
    found = clusters_of(songs)
    assert found.select("id", "cluster", "kind").rows() == [
        (20, 20, "first"),
        (30, 20, "exact"),
        (40, 20, "near"),
        (50, 20, "exact"),
        (60, 60, "first"),
        (70, 60, "exact"),
    ]
    similarity = dict(zip(found["id"], found["jaccard"], strict=True))
    assert similarity[30] == similarity[70] == 1
    assert similarity[50] == similarity[40] == pytest.approx(jaccard(base, near))


def test_a_chain_is_one_cluster_and_tells_how_far_its_end_is_from_its_first() -> None:
    base = song(1, words=120)
    words = base.split(" ")
    ends = [" ".join(words[:90]), " ".join(words[15:105]), " ".join(words[30:])]
    assert jaccard(ends[0], ends[2]) < 0.55 < jaccard(ends[0], ends[1])
    found = clusters_of(dict(enumerate(ends)), threshold=0.6)
    assert found["cluster"].to_list() == [0, 0, 0]
    assert found["jaccard"][2] == pytest.approx(jaccard(ends[0], ends[2]))


def test_songs_that_share_a_chorus_are_not_one_song() -> None:
    chorus = song(0, words=40)
    songs = {i: f"{song(2 * i + 1, 60)}\n{chorus}\n{song(2 * i + 2, 60)}\n{chorus}\n{chorus}" for i in range(60)}
    assert clusters_of(songs).is_empty()


def test_hundreds_of_variants_of_one_text_are_one_cluster_and_others_stay_out() -> None:
    base = song(1, words=150)
    songs = {i: changed(base, 3, seed=i) for i in range(400)} | {1000 + i: song(i + 5) for i in range(100)}
    found = clusters_of(songs)
    assert found["id"].to_list() == list(range(400))
    assert found["cluster"].unique().to_list() == [0]


@pytest.mark.parametrize("texts", [["one", "two"], ["one two", "one too"], ["la", "la la", "la la la"], ["", "x"]])
def test_texts_of_a_word_or_two_are_near_nothing(texts: list[str]) -> None:
    assert clusters_of(dict(enumerate(texts))).is_empty()


def test_texts_of_a_word_or_two_are_exact_copies_all_the_same() -> None:
    assert clusters_of({1: "Hey you", 2: "hey, YOU!", 3: "hey"})["kind"].to_list() == ["first", "exact"]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    rng = random.Random(0)
    base = "".join(chr(rng.randrange(0x4E00, 0x5800)) for _ in range(120))
    near = base[:50] + "变" + base[51:]
    other = "".join(chr(rng.randrange(0x4E00, 0x5800)) for _ in range(120))
    assert clusters_of({1: base, 2: near, 3: other})["id"].to_list() == [1, 2]


def test_the_threshold_is_kept_to_exactly() -> None:
    base = song(1, words=120)
    songs = {i: changed(base, 2 * i, seed=i) if i else base for i in range(12)}
    for threshold in (0.5, 0.6, 0.8, 1.0):
        found = clusters_of(songs, threshold=threshold)
        linked = {i for i, j in combinations(songs, 2) if jaccard(songs[i], songs[j]) >= threshold}
        assert set(found.filter(pl.col("kind") == "first")["id"]) <= linked


@pytest.mark.parametrize(("shard", "memory"), [(4, 1 << 28), (30, 2_500)])
def test_nothing_depends_on_shards_or_on_the_memory_of_a_task(shard: int, memory: int) -> None:
    songs = {7 * i: changed(song(i % 20), i // 20, seed=i) for i in range(60)}
    assert clusters_of(songs, shard, memory=memory).equals(clusters_of(songs))


def test_several_workers_and_partitions_give_the_same() -> None:
    songs, _ = planted()
    with tempfile.TemporaryDirectory() as work:
        stored(Path(work), songs, 200)
        with Workers(count=2) as workers:
            found = find_clusters(Path(work), workers, memory=len(songs) * 33)
            assert len(workers.seconds["pairs_by"]) == 2 * (len(BAND_NAMES) + 1)
            assert len(workers.seconds["plausible"]) > 2
        assert {path.name for path in Path(work).iterdir()} == {"signatures", "clean", "sketches"}
    assert found.equals(clusters_of(songs))


def test_ids_may_be_any_numbers() -> None:
    ids = [-(2**62), -5, 3, 2**40, 2**62]
    songs = dict(zip(ids, [song(1), song(2), changed(song(1), 3, 0), song(2), song(9)], strict=True))
    assert clusters_of(songs)["cluster"].to_list() == [-(2**62), -5, -(2**62), -5]


def test_texts_are_compared_a_block_at_a_time_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    songs, _ = planted()
    wanted = clusters_of(songs)
    stored(tmp_path, songs)
    monkeypatch.setattr(duplicates, "_SONGS_AT_ONCE", 30)
    with Workers(count=1) as workers:
        assert find_clusters(tmp_path, workers).equals(wanted)
        assert len(workers.seconds["confirm"]) > 3


def test_only_the_texts_of_candidates_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    songs = {i: song(i) for i in range(500)} | {500: changed(song(3), 2, seed=1)}
    asked: list[int] = []

    def noted(work: Path, folder: Path, workers: Workers, ids: Any) -> None:
        asked.extend(map(int, ids))
        shingled(work, folder, workers, ids)

    monkeypatch.setattr(duplicates, "shingled", noted)
    assert clusters_of(songs)["id"].to_list() == [3, 500]
    assert asked == [3, 500]


def test_nothing_to_compare_gives_an_empty_table() -> None:
    assert clusters_of({}).schema == FOUND_SCHEMA
    assert clusters_of({1: song(1)}).is_empty()


def test_faults_of_the_caller_are_errors(tmp_path: Path) -> None:
    near = {1: song(1), 2: changed(song(1), 2, seed=0)}
    stored(tmp_path, near)
    pl.read_parquet(tmp_path / "clean" / "00000.parquet")[:1].write_parquet(tmp_path / "clean" / "00000.parquet")
    with pytest.raises(KeyError, match="no lyrics came for 1 songs"):
        found_in(tmp_path)
    stored(tmp_path, near, shard=1)
    shutil.copy(tmp_path / "signatures" / "00000.parquet", tmp_path / "signatures" / "00001.parquet")
    with pytest.raises(ValueError, match="id occurs twice"):
        found_in(tmp_path)


def test_progress_runs_to_its_end() -> None:
    told: list[tuple[float, float]] = []
    clusters_of({1: song(1), 2: song(1)}, advance=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


# --- covers


def test_covers_are_clusters_under_several_artists() -> None:
    found = pl.DataFrame(
        {
            "id": range(9),
            "cluster": [0, 0, 2, 2, 4, 4, 6, 6, 6],
            "artist": ["ABBA", "Abba!", "Cher", "Alfie's Band", "Cher", None, "!!!", "???", " "],
        }
    )
    assert covers(found).select("cluster", "songs", "artists", "cover").rows() == [
        (0, 2, 1, False),
        (2, 2, 2, True),
        (4, 2, 1, False),
        (6, 3, 2, True),
    ]


# --- real tables


def real(name: str, artist: str, lyrics: str) -> tuple[list[str], dict[int, str]]:
    csv.field_size_limit(1 << 30)
    with (DATA / name).open(encoding="utf-8", errors="replace", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [text.key(row[artist]) for row in rows], {i: row[lyrics] for i, row in enumerate(rows)}


@needs_data
def test_the_covers_of_a_real_table_are_found_and_no_cluster_grows_beyond_a_song() -> None:
    artists, songs = real("songdata_part.csv", "artist", "text")
    found = clusters_of(songs)
    told = covers(found.with_columns(artist=pl.Series([artists[i] for i in found["id"]])))
    assert told["cover"].sum() >= 20
    assert told["songs"].max() <= 6
    assert found["jaccard"].min() >= 0.5


@needs_data
def test_the_exact_copies_of_a_real_table_are_found() -> None:
    _, songs = real("billboard_1950_2015.csv", "artist", "lyrics")
    found = clusters_of(songs)
    different = len({text.key(lyrics) for lyrics in songs.values()})
    assert (found["kind"] == "exact").sum() == len(songs) - different >= 160
