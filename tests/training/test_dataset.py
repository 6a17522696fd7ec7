"""Views: fewer songs of each label alike, and lyrics that are read from the corpus in blocks instead of being held."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.labels import Labels
from lyrist.errors import UsageError
from lyrist.training import dataset
from lyrist.training.dataset import view
from lyrist.training.train import train


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    progress.quiet()
    rng = np.random.default_rng(0)
    words = {"rock": "neon engine wire chrome", "folk": "river moon stone tide", "pop": "oh la na hey"}
    genres = rng.choice(list(words), 300, p=[0.6, 0.3, 0.1]).tolist()
    lyrics = [f"{number} " + " ".join(rng.choice(words[genre].split(), 9)) for number, genre in enumerate(genres)]
    frame = pl.DataFrame({"lyrics": lyrics, "genre": genres, "artist": [f"a{number % 20}" for number in range(300)]})
    return make_corpus(frame)  # type: ignore[no-any-return]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_lyrics_read_from_the_corpus_are_those_held_in_memory(
    corpus: Corpus, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "BLOCK", 7)
    held, lean = view(corpus, "genre"), view(corpus, "genre", lyrics=False)
    assert "lyrics" not in lean.songs.columns
    wanted = held.part(split).select("id", "label", "lyrics")
    assert lean.texts(split).select("id", "label", "lyrics").equals(wanted)
    for one in (held, lean):
        blocks = list(one.blocks(split))
        assert max(map(len, blocks)) <= 7
        assert pl.concat(block.select("id", "label", "lyrics") for block in blocks).equals(wanted)
        mixed = pl.concat(block.select("id", "label", "lyrics") for block in one.mixed(split, 3))
        assert mixed.sort("id").equals(wanted)
        assert not mixed["id"].is_sorted()
        assert mixed["id"].equals(pl.concat(one.mixed(split, 3))["id"])


def test_lyrics_are_found_in_another_split_than_the_files(corpus: Corpus) -> None:
    lean = view(corpus, "genre", lyrics=False).resplit("artist", 5)
    assert (
        lean.texts("test")
        .select("id", "lyrics")
        .equals(view(corpus, "genre").resplit("artist", 5).part("test").select("id", "lyrics"))
    )


def test_fewer_songs_have_each_label_alike(corpus: Corpus) -> None:
    whole = view(corpus, "genre")
    some = view(corpus, "genre", most=100, seed=2)
    assert (len(some.part("train")), some.available) == (100, len(whole.part("train")))
    assert some.part("test").equals(whole.part("test"))
    shares = [dict(v.part("train")["label"].value_counts(normalize=True).iter_rows()) for v in (whole, some)]
    assert all(abs(shares[0][label] - shares[1][label]) <= 0.01 for label in shares[0])
    assert some.songs.equals(view(corpus, "genre", most=100, seed=2).songs)
    assert not some.songs.equals(view(corpus, "genre", most=100, seed=3).songs)
    assert view(corpus, "genre", most=10_000).available is None


def test_no_songs_are_refused(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="max-songs"):
        view(corpus, "genre", most=0)


@pytest.mark.parametrize("recipe", ["complement-nb", "streamed-logistic"])
def test_a_run_tells_how_many_songs_it_learnt_from(corpus: Corpus, tmp_path: Path, recipe: str) -> None:
    out = tmp_path / "run"
    fitted: Any = train(recipe, str(corpus.path), out=str(out), target="genre", max_songs=90)
    info = fitted.run.info
    assert (info["songs"]["train"], info["songs_available"]) == (90, 240)
    assert "90 of 240 training songs" in fitted.summary()
    assert "random sample of 240" in (out / "model" / "README.md").read_text()
    again: Any = train(recipe, str(corpus.path), out=str(out), target="genre", max_songs=90, resume=True)
    assert again.run.info == info
    whole: Any = train(recipe, str(corpus.path), out=str(tmp_path / "whole"), target="genre")
    assert "songs_available" not in whole.run.info
    assert whole.run.results["test"]["accuracy"]["value"] > 0.8
    some = np.array(fitted.run.model.predict_proba(["neon wire", "river tide"]))
    np.testing.assert_allclose(some.sum(axis=1), 1)


def test_a_label_may_hold_commas(make_corpus: Any) -> None:
    acts = ["Tyler, The Creator", "Tyler", "Earth, Wind & Fire", "Wind"]
    songs = pl.DataFrame({"lyrics": [f"song {i}" for i in range(40)], "artist": acts * 10})
    found = view(make_corpus(songs), "artist", ("Tyler", "Earth", "Wind & Fire", "Tyler", "The Creator"))
    assert found.only == ("Tyler", "Earth, Wind & Fire", "Tyler, The Creator")
    assert set(found.songs["label"]) == set(found.only)
    with pytest.raises(UsageError, match="no artist 'The Creator'"):
        view(make_corpus(songs), "artist", ("Wind", "The Creator"))


@pytest.mark.parametrize(("by", "count"), [("song", 2), ("song", 5), ("artist", 3)])
def test_folds_test_every_song_once_and_keep_groups_together(by: str, count: int, make_corpus: Any) -> None:
    n = 120
    songs = pl.DataFrame(
        {
            "lyrics": [f"words {i}" for i in range(n)],
            "artist": [f"act {i % 24}" for i in range(n)],
            "genre": ["folk" if i % 24 < 12 else "rap" for i in range(n)],
            "cluster": [i - i % 2 for i in range(n)] if by == "song" else list(range(n)),
        }
    )
    whole = dataclasses.replace(view(make_corpus(songs), "genre"), split_by=by)
    found = whole.folds(count, 0)
    assert len(found) == count
    tested = pl.concat([fold.part("test")["id"] for fold in found])
    assert sorted(tested) == list(range(n))
    for fold in found:
        assert len(fold.songs) == n
        group = "artist" if by == "artist" else "cluster"
        assert fold.songs.group_by(group).agg(pl.col("split").n_unique())["split"].max() == 1
        assert n / count * 0.6 <= len(fold.part("test")) <= n / count * 1.5
        assert len(fold.part("validation"))


def test_years_are_predicted_as_decades(make_corpus: Any) -> None:
    years = [1969, 1970, 1979, 1980, None, 2003] * 20
    songs = pl.DataFrame({"lyrics": [f"words {i}" for i in range(120)], "artist": ["ann"] * 120, "year": years})
    found = view(make_corpus(songs), "year")
    assert found.classes == ["1960s", "1970s", "1980s", "2000s"]
    assert found.unlabelled == 20
    assert Labels("year").read(pl.Series([1969, None]), ["1969", "1970"]).to_list() == ["1969", None]  # of version 0.1


def test_several_labels_are_said(make_corpus: Any) -> None:
    genres = ["pop|rock", "rock", "pop", "rock|folk", "folk|pop", "folk"] * 20
    songs = pl.DataFrame({"lyrics": [f"words {i}" for i in range(120)], "artist": ["ann"] * 120, "genre": genres})
    assert "60 of 120 songs have several labels in the column genre" in view(make_corpus(songs), "genre").several_labels
