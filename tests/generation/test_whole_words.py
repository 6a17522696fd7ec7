"""A writer that knows the words of its songs writes no others, whatever its weights say."""

import re
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tinywriter import LINES

from lyrist.corpus.corpus import Corpus
from lyrist.generation.batching import BatchScheduler, SongSequence, sample
from lyrist.generation.config import GenerationConfig, SamplingOptions
from lyrist.generation.prompts import Vocabulary, start
from lyrist.generation.sampling import WholeWords
from lyrist.generation.write import compose
from lyrist.training import vocabularies
from lyrist.training.writer import Writer, fit_writer

SONGS = [
    "\n".join(LINES[place : place + 4]) + "\n(don't you, walkin' home) ¿qué—you’re — well-known!" for place in range(8)
]
SIZES = {"hidden": 8, "embedding_size": 8, "vocabulary": 300, "context": 64, "threads": 1, "steps": 1}


@pytest.fixture(scope="module")
def writer(make_corpus: Any) -> Writer:
    """A network with hardly trained weights, whose tokens are pieces of words."""
    return fit_writer(make_corpus(pl.DataFrame({"lyrics": SONGS * 3})), "gru", SIZES)


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text))


def unlimited(writer: Writer) -> Writer:
    return Writer(writer.model, writer.tokenizer, {}, context=writer.context)


def test_the_words_are_those_of_the_training_songs(writer: Writer) -> None:
    assert writer.words == set().union(*map(words, SONGS))
    assert {"don't", "you’re", "The", "the", "qué"} <= writer.words
    assert Vocabulary(writer).whole_words is Vocabulary(writer).whole_words  # built once, not for each request
    assert Vocabulary(unlimited(writer)).whole_words is None


@pytest.mark.parametrize(
    "options", [{}, {"no_repeat_ngram": 2}, {"temperature": 3.0, "min_p": 0.0}, {"temperature": 0.0}]
)
def test_every_written_word_is_known(writer: Writer, options: dict[str, Any]) -> None:
    sampling = SamplingOptions(**options)
    found = sample(start(writer, {}, None), Vocabulary(writer), sampling, 6, max_tokens=60)
    assert all(words(draft.text) <= writer.words for draft in found)
    if not options:
        free = sample(start(writer, {}, None), Vocabulary(unlimited(writer)), sampling, 6, max_tokens=60)
        assert not words(free[0].text) <= writer.words


def test_it_holds_for_songs_of_a_server_and_line_by_line(writer: Writer) -> None:
    scheduler = BatchScheduler(writer, Vocabulary(writer))
    songs = [SongSequence(start(writer, {}, None), SamplingOptions(), 40, number=number) for number in range(3)]
    scheduler.join(songs)
    while len(scheduler):
        scheduler.step()
    assert all(words(song.text) <= writer.words for song in songs)
    (song,) = compose(writer, config=GenerationConfig(form="verse", candidates=4))
    assert words(song.text) <= writer.words


def test_a_prompt_with_an_unknown_word_is_kept(writer: Writer) -> None:
    (draft,) = sample(start(writer, {}, "Zzyzx and the "), Vocabulary(writer), SamplingOptions(), 1, max_tokens=20)
    assert draft.text.startswith("Zzyzx and the")
    assert words(draft.text) <= writer.words | {"Zzyzx"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([" ", "\n", ", ", "'", '"', "!", "1", "-", "the", "The", "don't", "road", " silver", "qué"])
    )
)
def test_texts_of_known_words_can_be_written(writer: Writer, parts: list[str]) -> None:
    text = "".join(parts)
    ids = writer.encode(text)
    if not words(text) <= writer.words:
        return
    vocabulary = Vocabulary(writer)
    assert vocabulary.whole_words is not None
    for end, token in enumerate(ids):
        assert bool(vocabulary.whole_words.allowed(torch.tensor([ids[:end]], dtype=torch.long))[0, token]), (
            text,
            ids[:end],
            token,
        )


def test_they_are_saved_with_the_writer_and_older_writers_have_none(writer: Writer, tmp_path: Any) -> None:
    writer.save(tmp_path)
    assert Writer.load(tmp_path).words == writer.words
    (tmp_path / "words.txt").unlink()
    assert Writer.load(tmp_path).words == frozenset()
    assert Vocabulary(Writer.load(tmp_path)).whole_words is None
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(Exception, match=r"words.txt is damaged"):
        Writer.load(tmp_path)


def test_scripts_without_spaces_have_no_known_words(make_corpus: Any) -> None:
    corpus: Corpus = make_corpus(pl.DataFrame({"lyrics": ["月が綺麗ですね\n夜の海"] * 4}))
    assert vocabularies.known_words(corpus) == frozenset()


def test_a_tokenizer_with_few_tokens_writes_by_bytes() -> None:
    tokenizer = vocabularies.learn(["café au lait"], 262)
    limits = WholeWords(tokenizer, {"café"}, len(tokenizer))
    ids = tokenizer(" caf", add_special_tokens=False)["input_ids"]
    allowed = limits.allowed(torch.tensor([ids]))[0].nonzero().flatten().tolist()
    assert allowed == tokenizer("é", add_special_tokens=False)["input_ids"][:1]
