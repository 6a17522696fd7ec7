"""Citations: every source of a recipe has a citation key and a BibTeX entry."""

import re

import pytest

from lyrist.models.registry import recipes
from lyrist.studies.sections import PAPERS, bibtex, citation_key

SOURCES = sorted(
    {paper for recipe in recipes() if recipe.source for paper in recipe.source.split("; ")} | {*PAPERS.split("; ")}
)


@pytest.mark.parametrize("paper", SOURCES)
def test_every_paper_has_a_whole_entry(paper: str) -> None:
    entry = bibtex(paper)
    assert entry.startswith(f"@misc{{{citation_key(paper)},\n")
    assert re.search(r"\n  year = \{(19|20)\d\d\}\n\}$", entry)
    assert entry.count("{") == entry.count("}")
    assert "et al." not in entry


def test_keys_name_one_paper_each() -> None:
    assert len({citation_key(paper) for paper in SOURCES}) == len(SOURCES)


def test_a_known_entry() -> None:
    assert bibtex("Wang & Manning (2012), Baselines and bigrams: simple, good sentiment") == (
        "@misc{wang2012baselines,\n  author = {Wang and Manning},\n"
        "  title = {{Baselines and bigrams: simple, good sentiment}},\n  year = {2012}\n}"
    )


@pytest.mark.parametrize(
    ("source", "entry"),
    [
        ("Fix and Hodges (1951)", "@misc{fix1951,\n  author = {Fix and Hodges},\n  year = {1951}\n}"),
        ("a blog, 50% right", "@misc{a,\n  note = {a blog, 50\\% right}\n}"),
        ("日本語", "@misc{source,\n  note = {日本語}\n}"),
    ],
)
def test_a_source_of_another_form_has_an_entry_too(source: str, entry: str) -> None:
    assert bibtex(source) == entry
