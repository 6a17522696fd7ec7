"""Other columns of a table as features beside the lyrics."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist import estimators
from lyrist.errors import UsageError
from lyrist.models.columns import ColumnFeatures
from lyrist.models.inputs import names_of, with_artist

TABLE = {
    "lyrics": ["a lantern on the river"] * 40,
    "year": [1960 + n for n in range(39)] + [None],
    "language": (["en"] * 20 + ["es"] * 19 + [""]),
    "released": [f"{1990 + n % 12}-0{1 + n % 9}-15" for n in range(40)],
    "mood": [f"mood {n}" for n in range(40)],
    "few": [1.0, 2.0] * 20,
}


def test_kinds_are_recognised() -> None:
    found = ColumnFeatures(("year", "language", "released", "mood", "few")).fit(pl.DataFrame(TABLE))
    assert found.kinds_ == ["number", "category", "date", "category", "category"]
    assert [values.tolist() for values in found.values_][1] == ["en", "es"]
    assert [values.tolist() for values in found.values_][3:] == [[], ["1", "2"]]
    names = found.shown_names()
    assert {"year: 1960", "language: en", "mood: (missing)"} <= {*names}
    rows = found.transform(pl.DataFrame(TABLE)).toarray()
    assert rows.shape == (40, len(names)) == (40, sum(width for _, width in found.widths()))
    assert rows[39, names.index("year: (missing)")] == rows[39, names.index("language: (missing)")] == 1
    assert rows[0, names.index("year: 1960")] == 1
    assert not rows[:, names.index("mood: (missing)")].any()  # known, but no value recurs


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.text(max_size=4)), min_size=1, max_size=30), st.data())
def test_any_column_has_features_of_bounded_norm(values: list[Any], data: st.DataObject) -> None:
    table = {"lyrics": ["x"] * len(values), "any": [None if v is None else str(v) for v in values]}
    found = ColumnFeatures(("any",)).fit(pl.DataFrame(table, schema_overrides={"any": pl.String}))
    others = data.draw(st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=5))
    for rows in (
        pl.DataFrame(table, schema_overrides={"any": pl.String}),
        pl.DataFrame({"any": others}, schema={"any": pl.String}),
    ):
        dense = found.transform(rows).toarray()
        assert np.isfinite(dense).all()
        assert (dense >= 0).all()
        assert (np.linalg.norm(dense, axis=1) <= 1 + 1e-6).all()


def test_a_table_without_the_column_has_missing_values() -> None:
    found = ColumnFeatures(("year",)).fit(pl.DataFrame(TABLE))
    for X in (["a text"], pl.DataFrame({"lyrics": ["a text"]})):
        assert found.transform(X).toarray()[0].tolist() == [0.0] * (len(found.shown_names()) - 1) + [1.0]


def test_names() -> None:
    assert names_of("none") == names_of("artist") == names_of("") == ()
    assert names_of("year, artist,language,year") == ("year", "language")
    assert with_artist("year,artist")
    assert not with_artist("artist-number")
    with pytest.raises(UsageError, match="leave 'lyrics' out"):
        names_of("lyrics")


@pytest.mark.parametrize(
    "name", ["CharSVM", "LyricEnsemble", "StreamedLogistic", "TunedTree", "ColumnsClassifier", "NeuralClassifier"]
)
def test_models_read_columns(name: str) -> None:
    rng = np.random.default_rng(0)
    words = ["lantern", "river", "window", "morning", "letter"]
    table = pl.DataFrame(
        {
            "lyrics": [" ".join(rng.choice(words, 8)) for _ in range(120)],
            "year": rng.integers(1960, 2020, 120),
            "language": rng.choice(["en", "es"], 120),
        }
    )
    y = np.where((table["year"] > 1990) & (table["language"] == "en"), "late", "early")
    columns = "year,language"
    if name == "NeuralClassifier":
        quick = {
            "steps": 120,
            "embedding_size": 8,
            "kernels": "1",
            "channels": 8,
            "device": "cpu",
            "learning_rate": 0.03,
        }
        model = estimators.NeuralClassifier("cnn-multi", {**quick, "features": columns})
    else:
        model = getattr(estimators, name)(features=columns)
    model.fit(table, y)
    assert model.score(table, y) > 0.8
    assert model.predict_proba(table.select("lyrics")).shape == (120, 2)
    if hasattr(model, "contributions"):
        found = model.contributions(table[:1], "late")
        assert {"year", "language"} <= {*found.other}
        label = model.classes_.tolist().index("late")
        total = found.characters.sum() + sum(found.other.values())
        scores = model.decision_function(table[:1])[0] * getattr(model, "sharpness_", 1.0)
        assert total == pytest.approx(scores / 2 if label == 1 else -scores / 2, rel=1e-3, abs=1e-4)
