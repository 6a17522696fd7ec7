from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from lyrist.errors import LyristError
from lyrist.models.network import TokenOptions
from lyrist.training.tokens import encode, learn

TEXTS = ["Hello, world don’t you\nknow\n\n\n  it's me", "hello world you you\n\nthe end"]
EVERY = TokenOptions(min_count=1)


def words(text: str, options: TokenOptions) -> list[str]:
    tokenizer = learn(TEXTS, options)
    (ids,) = encode(tokenizer, [text], options.max_length)
    return [str(token) for token in tokenizer.convert_ids_to_tokens(ids.tolist())]


def test_words_are_lower_case_and_line_ends_are_tokens() -> None:
    expected = ["hello", ",", "world", "don't", "you", "\n", "know", "\n\n", "it's", "me"]
    assert words(TEXTS[0], EVERY) == expected


def test_options_leave_things_out() -> None:
    plain = TokenOptions(min_count=1, punctuation=False, newlines=False)
    assert words(TEXTS[0], plain) == ["hello", "world", "don't", "you", "know", "it's", "me"]
    content = TokenOptions(min_count=1, drop_words=True)
    assert words("Don't you know the world? Another world", content) == ["know", "world", "[UNK]", "world"]
    assert words(TEXTS[0], TokenOptions(min_count=2)).count("[UNK]") == 6


def test_the_vocabulary_is_that_of_the_training_texts_most_frequent_first() -> None:
    tokenizer = learn(TEXTS, TokenOptions(min_count=1, max_words=5))
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["[PAD]", "[UNK]", "you"]
    assert len(tokenizer) == 5
    again = learn(TEXTS, TokenOptions(min_count=1, max_words=5))
    assert tokenizer.get_vocab() == again.get_vocab()


def test_markers_of_the_tokenizer_in_a_song_are_mere_text() -> None:
    tokenizer = learn(TEXTS, EVERY)
    (ids,) = encode(tokenizer, ["[PAD] hello [UNK]"], 10)
    assert 0 not in ids.tolist()


@pytest.mark.parametrize("kind", ["words", "subwords"])
def test_saved_and_opened_it_gives_the_same_ids(kind: str, tmp_path: Path) -> None:
    tokenizer = learn(TEXTS, TokenOptions(min_count=1, tokens=kind))  # type: ignore[arg-type]
    tokenizer.save_pretrained(str(tmp_path))
    opened = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS, "something else entirely\n\n", ""]
    for mine, theirs in zip(encode(tokenizer, texts, 9), encode(opened, texts, 9), strict=True):
        assert mine.tolist() == theirs.tolist()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200), limit=st.integers(1, 20))
def test_any_text_has_between_one_and_the_limit_of_tokens(text: str, limit: int) -> None:
    (ids,) = encode(learn(TEXTS, EVERY), [text], limit)
    assert 1 <= len(ids) <= limit
    assert ids.dtype == np.int32
    assert (ids > 0).all()


def test_texts_without_words_are_told() -> None:
    with pytest.raises(LyristError, match="no words"):
        learn(["", "  "], EVERY)


def test_no_texts_have_no_tokens() -> None:
    assert encode(learn(TEXTS, EVERY), [], 10) == []
