"""The phrase index against a search by hand, and what it says about copies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lyrist.errors import LyristError
from lyrist.evaluation import originality as phrases
from lyrist.evaluation.originality import BREAK, LENGTHS, Index, hashed_words, originality, plain, word_spans
from lyrist.files import read_json, write_json


def songs(texts: Sequence[str], first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": range(first, first + len(texts)),
            "title": [f"Title {first + i}" for i in range(len(texts))],
            "artist": ["Someone"] * len(texts),
            "lyrics": list(texts),
        },
        schema={"id": pl.Int64, "title": pl.String, "artist": pl.String, "lyrics": pl.String},
    )


def by_hand(train: Sequence[str], text: str) -> tuple[int, dict[int, int]]:
    """Return the longest run of at least four words of one training song, and how many n-grams stand in any."""
    known = [song.split() for song in train]
    words = text.split()

    def stands(run: list[str]) -> bool:
        return any(song[i : i + len(run)] == run for song in known for i in range(len(song)))

    longest = max(
        (n for n in range(4, len(words) + 1) for i in range(len(words) - n + 1) if stands(words[i : i + n])), default=0
    )
    return longest, {n: sum(stands(words[i : i + n]) for i in range(len(words) - n + 1)) for n in LENGTHS}


texts = st.lists(st.sampled_from("abc"), max_size=30).map(" ".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=6), st.lists(texts, min_size=1, max_size=3), st.booleans())
def test_it_finds_what_a_search_by_hand_finds(
    tmp_path: Path, train: list[str], written: list[str], small: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if small:  # several parts and buckets, as for a large corpus
            patch.setattr(phrases, "_PART", 8)
            patch.setattr(phrases, "_PER_BUCKET", 1)
            patch.setattr(phrases, "_CHUNK", 16)
        index = Index.build([songs(train)], tmp_path / "index")
    for text, found in zip(written, index.copied_all(written), strict=True):
        longest, counts = by_hand(train, text)
        assert found.longest_run == longest == index.extends_all([text])[0]
        assert found.found == counts
        assert found.count == len(text.split())
        if longest:
            assert found.song is not None
            assert f" {found.words} " in f" {train[found.song.id]} "
            assert f" {found.words} " in f" {text} "
        else:
            assert found.song is None


def test_the_song_is_named_and_layout_makes_no_difference(tmp_path: Path) -> None:
    frames = [
        songs(["one two three four\nfive six", "Don't stop the rolling river's flow tonight"]),
        songs(["la la la la la la", "other words there are none"], first=2),
    ]
    index = Index.build(iter(frames), tmp_path / "index")
    found = index.copied("Oh: DON’T stop,\n\nthe rolling (rivers) flow!")
    assert found.longest_run == 6
    assert found.words == "dont stop the rolling rivers flow"
    assert found.song is not None
    assert (found.song.id, found.song.title, found.song.artist) == (1, "Title 1", "Someone")
    assert found.shares[4] == pytest.approx(3 / 4)
    assert found.shares[6] == pytest.approx(1 / 2)
    assert found.shares[7] == 0
    assert found.runs[7] == 1
    assert found.runs[8] == 0


def test_a_run_does_not_go_on_into_the_next_song(tmp_path: Path) -> None:
    index = Index.build([songs(["a b c d e", "f g h i j"])], tmp_path / "index")
    assert index.copied("a b c d e f g h i j").longest_run == 5
    assert index.copied("c d e f g").longest_run == 0
    assert index.copied("").shares[4] == 0
    assert index.copied("a b c").longest_run == 0
    # Two texts at once do not run into each other either.
    assert [each.longest_run for each in index.copied_all(["a b c", "d e", "f g h i"])] == [0, 0, 4]


def test_the_longest_of_several_places_is_taken(tmp_path: Path) -> None:
    shared = " ".join("abcdefghijklmno")
    index = Index.build([songs([f"{shared} x y", f"{shared} p q r s", f"z {shared}"])], tmp_path / "index")
    found = index.copied(f"z {shared} p q r t")
    assert found.longest_run == 18
    assert found.song is not None
    assert found.song.id == 1


def test_a_copy_is_all_found_and_a_long_one_to_its_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train = [" ".join(f"w{n}" for n in rng.integers(0, 30, 200)) for _ in range(20)]
    index = Index.build([songs(train)], tmp_path / "index")
    found = index.copied(train[7])
    assert found.longest_run == found.count == 200
    assert set(found.shares.values()) == {1.0}
    assert found.song is not None
    assert found.song.id == 7


def test_lines_are_judged_with_the_words_before_them(tmp_path: Path) -> None:
    index = Index.build([songs(["the road is long and the night is cold and dark"])], tmp_path / "index")
    assert index.extends_all(["night is cold and", "so the road is long", ""]) == [4, 4, 0]
    assert index.extends_all(["the road is long", "", "nothing of it here at all"]) == [4, 0, 0]


def test_figures_over_texts(tmp_path: Path) -> None:
    index = Index.build([songs(["a b c d e f g h"])], tmp_path / "index")
    found = originality(index, ["a b c d x", "p q r s t", "a b"])
    assert found["n"] == 3
    assert found["shares"]["4"]["value"] == pytest.approx(1 / 4)
    assert found["shares"]["4"]["low"] <= 1 / 4 <= found["shares"]["4"]["high"]
    assert found["shares"]["12"] == {"value": 0.0, "low": 0.0, "high": 1.0}
    assert found["longest_run"]["value"] == pytest.approx(4 / 3)
    assert found["longest"]["run"] == 4
    assert found["longest"]["song"]["title"] == "Title 0"
    assert originality(index, ["nothing"])["longest"]["song"] is None
    with pytest.raises(LyristError, match="no text"):
        originality(index, [])


def test_words_do_not_depend_on_case_marks_or_neighbours() -> None:
    words, starts = hashed_words(pl.Series(["Don't, STOP\n\nnow", "", "dont stop", "夜空"]))
    assert starts.tolist() == [0, 4, 5, 8, 11]
    assert words[0] == words[5]
    assert words[1] == words[6]
    assert (words[[3, 4, 7, 10]] == BREAK).all()
    assert len(set(words[[0, 1, 2]].tolist())) == 3
    assert plain(pl.Series(["The  rivers’ END"]))[0] == "the rivers end"
    assert hashed_words(pl.Series([], dtype=pl.String))[1].tolist() == [0]


def test_words_have_numbers_of_their_own() -> None:
    many = [f"word{number}" for number in range(50_000)]
    words, _ = hashed_words(pl.Series([" ".join(many)]))
    assert len(np.unique(words)) == 50_001
    long = "x" * 70
    pair, _ = hashed_words(pl.Series([f"{long}a {long}b"]))
    assert pair[0] != pair[1]


def test_the_index_of_a_corpus_is_made_once(make_corpus, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    corpus = make_corpus(pl.DataFrame({"lyrics": [f"song number {i} has words" for i in range(20)]}))
    first = Index.of(corpus)
    assert first.folder == corpus.path / "phrases"
    assert first.info["songs"] == 16
    assert first.info["words"] == 80
    made = (first.folder / "index.json").stat().st_mtime_ns
    assert (Index.of(corpus).folder / "index.json").stat().st_mtime_ns == made
    info = read_json(first.folder / "index.json", "an index")
    write_json(first.folder / "index.json", {**info, "fingerprint": "of another corpus"})
    assert Index.of(corpus).info["fingerprint"] == corpus.fingerprint
    # Songs of the test split are not in it.
    assert Index.of(corpus, tmp_path / "elsewhere").copied("song number 9 has words").longest_run == 0


def test_damage_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with pytest.raises(LyristError, match="not an index of phrases"):
        Index.open(folder)
    Index.build([songs(["a b c d e"])], folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    (folder / "words.u32").write_bytes(b"1234")
    with pytest.raises(LyristError, match="too short"):
        Index.open(folder)
    (folder / "words.u32").write_bytes(b"123")
    with pytest.raises(LyristError, match="is damaged"):
        Index.open(folder)
    write_json(folder / "index.json", {"format": 99})
    with pytest.raises(LyristError, match="another format"):
        Index.open(folder)
    with pytest.raises(LyristError, match="no song to index"):
        Index.build([], tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab' `’İßΣ漢字กข \n"))))
def test_the_place_of_every_word_is_known(text: str) -> None:
    words = plain(pl.Series([text], dtype=pl.String))[0]
    assert len(word_spans(text)) == len(words.split())
    assert all(text[start:end].strip() == text[start:end] for start, end in word_spans(text))


def test_the_place_of_every_copied_run_is_reported(tmp_path: Path) -> None:
    index = Index.build(
        [songs(["one two three four five six seven", "the cat's bell rang out at dawn"])], tmp_path / "i"
    )
    text = "well, TWO three\nfour, five six! and\nthe cats bell: rang out – one two three four"
    found = index.passages(text)
    assert [(text[run.start : run.end], run.words, run.song.id) for run in found] == [
        ("TWO three\nfour, five six", 5, 0),
        ("the cats bell: rang out", 5, 1),
    ]
    assert [run.words for run in index.passages(text, least=4)] == [5, 5, 4]
    assert len(index.passages(text, least=4, most=1)) == 1
    assert index.passages("") == []
