"""What is told of a recipe's options: every default that `train` will use."""

from lyrist.models import registry
from lyrist.studies.listing import recipes
from lyrist.training import estimators, writer


def test_defaults_that_a_recipe_has_of_its_own_for_the_training_loop_are_told() -> None:
    listed = {row["name"]: row["default"] for row in recipes("gpt").rows}
    resolved = writer.resolved("gpt", {})
    assert listed["--optimizer"] == resolved["optimizer"] == "muon"
    assert listed["--learning-rate"] == resolved["learning_rate"]
    assert {row["name"] for row in recipes("mixture").rows} >= {"--network", "--learning-rate"}  # those of its network
    for recipe in registry.recipes("classify"):
        resolved = estimators.resolved(recipe.name)
        for row in recipes(recipe.name).rows:
            assert resolved[row["name"][2:].replace("-", "_")] == row["default"]
