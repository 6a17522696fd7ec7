"""From Python and in a notebook: the public names, frames as tables, and what results look like."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import lyrist
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import Prepared
from songtables.fouracts import songbook


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.DataFrame([{"artist": s.artist, "title": s.title, "lyrics": s.lyrics} for s in songbook()[::4]])


@pytest.fixture(scope="module")
def prepared(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    result: Prepared = lyrist.prepare(frame, out=str(tmp_path_factory.mktemp("python") / "corpus"))
    return result


def test_dir_lists_the_public_functions_and_nothing_else() -> None:
    assert dir(lyrist) == sorted(lyrist.COMMANDS)
    assert all(callable(getattr(lyrist, name)) for name in lyrist.COMMANDS)


def test_a_frame_of_polars_or_pandas_is_a_table(frame: pl.DataFrame, prepared: Prepared, tmp_path: Path) -> None:
    again = lyrist.prepare(pd.DataFrame(frame.to_dicts()), out=str(tmp_path / "corpus"))
    assert again.corpus.songs().equals(prepared.corpus.songs())
    assert prepared.corpus.ledger.read == len(frame)
    run = lyrist.train("majority", str(prepared.corpus.path), out=str(tmp_path / "run"), target="artist").run.path
    labelled = lyrist.label(str(run), frame.head(3))
    assert labelled.frame["title"].to_list() == frame["title"].head(3).to_list()


def test_a_corpus_is_a_frame_of_polars_or_pandas(prepared: Prepared) -> None:
    corpus = prepared.corpus
    assert corpus.to_polars("test").equals(corpus.songs("test"))
    assert corpus.to_pandas("test")["title"].tolist() == corpus.songs("test")["title"].to_list()
    assert len(corpus.to_pandas()) == corpus.ledger.kept


def test_datasets_of_a_corpus(prepared: Prepared) -> None:
    pytest.importorskip("datasets")
    assert prepared.corpus.to_datasets()["test"]["title"] == prepared.corpus.songs("test")["title"].to_list()


def test_results_are_short_in_a_shell_and_whole_in_a_notebook(prepared: Prepared) -> None:
    corpus = Corpus.open(prepared.corpus.path)
    assert repr(prepared) == f"<Prepared: {prepared.summary().splitlines()[0]}>"
    assert repr(corpus).startswith(f"<Corpus {corpus.path}: {corpus.ledger.kept} songs (train ")
    assert prepared._repr_html_().startswith("<pre>")
    assert "<table" in corpus._repr_html_()
    assert "<b>" not in lyrist.explore(str(corpus.path))._repr_html_()
