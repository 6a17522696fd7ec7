"""Every study that comes with Lyrist can be read, wrong files are reported, and the lists have the defaults that `train` uses."""

from pathlib import Path

import pytest

from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.studies.plans import Plan, load, plans, recipes
from lyrist.training import estimators
from lyrist.training.estimators import make_estimator

CLASSIFYING = [plan for plan in plans() if plan.task == "classify"]


@pytest.mark.parametrize("plan", CLASSIFYING, ids=lambda plan: plan.name)
def test_every_shipped_study_names_recipes_and_options_that_are_there(plan: Plan) -> None:
    assert plan.summary
    assert "majority" in [entry.recipe for entry in plan.recipes]
    for entry in plan.recipes:
        assert registry.get(entry.recipe).task == "classify"
        make_estimator(entry.recipe, entry.options, seed=1)


def test_the_ladder_is_the_default() -> None:
    assert plans()[0].name == "ladder"


def test_a_look_up_of_the_artist_has_no_place_where_the_artist_is_asked_for() -> None:
    names = {target: [entry.title for entry in load("ladder").lines(target)] for target in ("artist", "genre")}
    assert "artist-lookup" in names["genre"]
    assert "artist-lookup" not in names["artist"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no recipe"),
        ("[[recipes]]\nrecipe = 'char-svn'", "char-svm"),
        ("[[recipes]]\nrecipe = 'majority'\ncolour = 'red'", "colour"),
        ("recipe = 1\n[[recipes]]\nrecipe = 'majority'", "recipes"),
        ("[[recipes]]\nrecipe = 'majority'\n[[recipes]]\nrecipe = 'majority'", "two lines"),
        ("[[recipes", "not TOML"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(LyristError, match=says):
        load(str(path))


def test_defaults_that_a_recipe_has_of_its_own_for_the_training_loop_are_told() -> None:
    listed = {row["name"]: row["default"] for row in recipes("gpt").rows}
    resolved = estimators.resolved("gpt", task="write")
    assert listed["--optimizer"] == resolved["optimizer"] == "muon"
    assert listed["--learning-rate"] == resolved["learning_rate"]
    assert {row["name"] for row in recipes("mixture").rows} >= {"--network", "--learning-rate"}  # those of its network
    for recipe in registry.recipes("classify"):
        resolved = estimators.resolved(recipe.name)
        for row in recipes(recipe.name).rows:
            assert resolved[row["name"][2:].replace("-", "_")] == row["default"]
