"""The options of writing are declared once: the config, `write`, its command line and the API agree on them."""

import inspect
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest

from lyrist.errors import UsageError
from lyrist.generation.config import GenerationConfig, SamplingOptions, options
from lyrist.generation.write import in_language_of, write

PUBLIC = {each.name: each for each in options(GenerationConfig)}


def test_write_has_every_option_with_its_default_and_help() -> None:
    parameters = inspect.signature(write).parameters
    assert {name: parameters[name].default for name in PUBLIC} == {name: each.default for name, each in PUBLIC.items()}
    assert list(parameters)[:2] == ["run", "genre"]
    hints = get_type_hints(write)
    assert all(hints[name] == hint for name, hint in get_type_hints(GenerationConfig).items() if name in PUBLIC)
    assert all(
        f"    {name}\n        {each.metadata['help']}\n" in (write.__doc__ or "") for name, each in PUBLIC.items()
    )


def test_the_api_has_the_same_ranges() -> None:
    from lyrist.serving.schemas import CompletionRequest

    properties: dict[str, Any] = CompletionRequest.model_json_schema()["properties"]
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    for name, each in PUBLIC.items():
        if name in ("seed", "max_tokens"):  # OpenAI's clients send negative seeds, and 0 tokens to score a prompt
            continue
        number = properties[name]["anyOf"][0]
        assert {key: number[names[key]] for key in each.metadata["bounds"]} == each.metadata["bounds"], name
        assert properties[name]["description"].startswith(each.metadata["help"].split("--")[0][:20])


@pytest.mark.parametrize("name", [name for name, each in PUBLIC.items() if each.metadata["bounds"]])
def test_each_bound_is_checked(name: str) -> None:
    bounds = PUBLIC[name].metadata["bounds"]
    below = bounds["ge"] - 1 if "ge" in bounds else bounds["gt"]
    flag = "-n" if name == "n" else "--" + name.replace("_", "-")
    with pytest.raises(UsageError, match=f"^{flag} must be .*, got {below}"):
        GenerationConfig(**{name: below})
    above = bounds.get("lt", bounds.get("le", -1) + 1)
    if above:
        with pytest.raises(UsageError, match=f"^{flag} must be "):
            GenerationConfig(**{name: above})


def test_the_sampling_options_are_part_of_the_config() -> None:
    config = GenerationConfig(temperature=0.5, top_k=7, n=3, form="verse")
    assert config.sampling == SamplingOptions(temperature=0.5, top_k=7)
    assert {each.name for each in options(SamplingOptions)} < set(PUBLIC)
    assert config.settings()["songs"] == 3
    assert "sheet" not in config.settings()


@pytest.mark.parametrize("module", ["lyrist.generation.config", "lyrist.generation.write", "lyrist.serving.serve"])
def test_options_are_listed_without_torch_and_without_a_command_line_library(module: str) -> None:
    code = (
        "import sys; sys.modules['lyrist.models.opening'] = type(sys)('none'); "
        "sys.modules['lyrist.models.opening'].install = lambda: None; "
        f"import {module}; print(*sorted({{'torch', 'transformers', 'cyclopts', 'fastapi', 'polars'}} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_language_without_rules_is_refused() -> None:
    assert GenerationConfig(language="pt").settings()["language"] == "pt"
    with pytest.raises(
        UsageError, match=r"^Rhymes and syllables have no rules for the language 'he'; choose one of en "
    ):
        GenerationConfig(language="he")


def test_the_language_is_that_of_the_corpus() -> None:
    def corpus(**languages: int) -> Any:
        return lambda: SimpleNamespace(info={"counts": {"languages": languages}})

    rhyming = GenerationConfig(form="verse", rhyme="AABB")
    assert in_language_of(corpus(pt=3, en=1), rhyming).language == "pt"
    assert in_language_of(corpus(und=3), rhyming).language is None
    assert in_language_of(corpus(pt=3), GenerationConfig(language="en")).language == "en"
    assert in_language_of(corpus(ru=3), GenerationConfig(form="verse")).language is None, (
        "nothing that needs its sounds"
    )
    with pytest.raises(UsageError, match="no rules for the language 'ru'"):
        in_language_of(corpus(ru=3), rhyming)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"use": "sea, salt", "avoid": "Salt", "form": "verse"}, "--use and --avoid both have 'salt'"),
        ({"hook": "salt and sea", "avoid": "salt", "form": "chorus"}, "--hook has the word 'salt'"),
        ({"title": "Salt Road", "avoid": "salt", "form": "chorus"}, "--title has the word 'salt'"),
        ({"use": "!?", "form": "chorus"}, "--use has no word"),
        ({"first_line": "a", "hook": "b", "form": "chorus"}, "--first-line"),
        ({"last_line": "a", "form": "chorus,verse,chorus"}, "repeated chorus"),
        ({"first_line": "a", "form": "verse:1"}, "longer --form"),
        ({"first_line": " ", "form": "verse"}, "--first-line is empty"),
        ({"metre": "sapphic"}, "--metre"),
        ({"rhyme_syllables": 2, "form": "verse"}, "--rhyme-syllables needs a --rhyme"),
        ({"original": 2}, "--original must be 0"),
    ],
)
def test_constraints_that_contradict_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        GenerationConfig(**given)
    assert "\n" not in str(caught.value)
