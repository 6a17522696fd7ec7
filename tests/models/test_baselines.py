import numpy as np
import polars as pl
import pytest

from lyrist.errors import LyristError
from lyrist.models.baselines import ArtistLookup, LayoutClassifier, Majority

TABLE = pl.DataFrame({"lyrics": ["x"] * 6, "artist": ["a", "a", "a", "b", None, ""]})
GENRES = ["rock", "rock", "pop", "pop", "jazz", "rock"]


def test_the_majority_answers_with_the_shares_of_training() -> None:
    model = Majority().fit(TABLE, GENRES)
    assert model.classes_.tolist() == ["jazz", "pop", "rock"]
    np.testing.assert_allclose(model.predict_proba(["any", "thing"]), [[1 / 6, 2 / 6, 3 / 6]] * 2)
    assert model.predict(["any"]).tolist() == ["rock"]


def test_the_look_up_by_hand() -> None:
    model = ArtistLookup(alpha=1.0).fit(TABLE, GENRES)
    overall = np.array([1, 2, 3]) / 6
    found = model.predict_proba(pl.DataFrame({"lyrics": ["", "", "", ""], "artist": ["a", "b", "new", None]}))
    np.testing.assert_allclose(found[0], (np.array([0, 1, 2]) + overall) / 4)
    np.testing.assert_allclose(found[1], (np.array([0, 1, 0]) + overall) / 2)
    np.testing.assert_allclose(found[2:], [overall, overall])


def test_without_artists_the_look_up_is_the_majority() -> None:
    nobody = TABLE.with_columns(artist=pl.lit(None, dtype=pl.String))
    model = ArtistLookup().fit(nobody, GENRES)
    np.testing.assert_allclose(model.predict_proba(TABLE), Majority().fit(TABLE, GENRES).predict_proba(TABLE))


def test_the_look_up_needs_artists() -> None:
    with pytest.raises(LyristError, match="artist"):
        ArtistLookup().fit(["x"], ["rock"])


def test_layout_tells_songs_apart_by_their_build_and_by_no_word() -> None:
    rng = np.random.default_rng(0)
    labels = ["short", "long"] * 20
    lyrics = ["\n".join(["la " * (3 if label == "short" else 9)] * rng.integers(4, 9)) for label in labels]
    model = LayoutClassifier().fit(lyrics, labels)
    assert (model.predict(lyrics) == np.array(labels)).all()
    other = [text.replace("la", "oh") for text in lyrics]
    np.testing.assert_allclose(model.predict_proba(other), model.predict_proba(lyrics), atol=0.02)
    assert ((model.decision_function(lyrics) > 0) == (np.array(labels) == "short")).all()
