"""N-grams are counted as anyone would count them, and each knows where it stands in the text."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.errors import LyristError
from lyrist.models.features import LONGEST_NAME, NGrams, count

TEXTS = [
    "The tide, the tide\nand the moon",
    "Don’t  go\r\n\r\ngo down",
    "A\tb\u00a0c",
    "the moon and the tide and the TIDE",
    "",
    "naïve café, 99 times",
]
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def smoothed(text: str) -> str:
    """Return a text as the n-grams of characters see it."""
    text = f" {text.lower()} ".replace("’", "'")
    return re.sub(r"\s+", lambda run: "\n" if re.search("[\r\n]", run[0]) else " ", text)


def by_hand(text: str, low: int, high: int) -> Counter[str]:
    text = smoothed(text)
    return Counter(text[i : i + n] for n in range(low, high + 1) for i in range(len(text) - n + 1))


def counted(found: NGrams, row: object) -> Counter[str]:
    dense = np.asarray(row.toarray()).ravel()  # type: ignore[attr-defined]
    names = [name.replace("’", "'") for name in found.get_feature_names_out().tolist()]
    return Counter({names[i]: int(dense[i]) for i in np.flatnonzero(dense)})


def test_characters_are_counted_as_by_hand() -> None:
    grams = NGrams("char", 1, 3, min_df=1)
    counts = grams.fit_transform(TEXTS)
    assert counts.dtype == np.float32
    for row, text in enumerate(TEXTS):
        assert counted(grams, counts[row]) == by_hand(text, 1, 3)
    assert grams.df_.tolist() == np.asarray((counts > 0).sum(axis=0)).ravel().tolist()


def test_words_and_pairs_are_counted_as_by_hand() -> None:
    grams = NGrams("word", 1, 2, min_df=1)
    counts = grams.fit_transform(TEXTS)
    for row, text in enumerate(TEXTS):
        words = WORD.findall(text.lower().replace("’", "'"))
        expected = Counter([*words, *(" ".join(pair) for pair in itertools.pairwise(words))])
        found = {re.sub(r"[\W_]*[\s,]+", " ", name): n for name, n in counted(grams, counts[row]).items()}
        assert Counter(found) == expected


def test_marks_and_line_ends_are_words_where_they_are_asked_for() -> None:
    grams = NGrams("word", 1, 1, marks=True, min_df=1).fit(["stop, you!\nstop"])
    assert sorted(grams.get_feature_names_out().tolist()) == ["\n", "!", ",", "stop", "you"]


def test_within_words_no_n_gram_reaches_over_a_blank() -> None:
    names = NGrams("char", 3, 4, within_words=True, min_df=1).fit(["the tide"]).get_feature_names_out().tolist()
    assert "he " in names
    assert not [name for name in names if " " in name[1:-1]]


def test_rare_n_grams_are_left_out_of_many_songs_and_kept_of_few() -> None:
    texts = ["common word"] * 19 + ["rare one"]
    assert "rare" not in NGrams("word", 1, 1).fit(texts).names_.tolist()
    assert "rare" in NGrams("word", 1, 1, min_df=2).fit(texts[-19:]).names_.tolist()
    few = NGrams("word", 1, 1, min_df=1, max_features=2).fit(texts)
    assert sorted(few.names_.tolist()) == ["common", "word"]


def test_no_n_gram_is_longer_than_the_longest_song() -> None:
    texts = ["la la land", "a road"] * 20
    bounded, endless = (NGrams("char", 3, high).fit(texts) for high in (len(texts[0]) + 2, 10**9))
    assert endless.names_.tolist() == bounded.names_.tolist()
    assert (endless.transform(["a land"]) != bounded.transform(["a land"])).nnz == 0
    assert NGrams("word", 3, 4).fit(texts).transform(["a road"]).nnz == 0


def test_unknown_n_grams_and_no_songs() -> None:
    grams = NGrams("word", 1, 1, min_df=1).fit(["a b"])
    assert grams.transform(["c d", "a a"]).toarray().tolist() in ([[0, 0], [2, 0]], [[0, 0], [0, 2]])
    assert grams.transform([]).shape == (0, 2)
    with pytest.raises(LyristError, match="low = "):
        NGrams("char", 4, 2).fit(["a"])


def test_blocks_of_songs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = TEXTS * 5
    whole = NGrams("char", 2, 4).fit(texts)
    counts = whole.transform(texts)
    monkeypatch.setattr("lyrist.models.features.BLOCK", 7)
    parts = NGrams("char", 2, 4).fit(texts)
    assert parts.names_.tolist() == whole.names_.tolist()
    assert (parts.transform(texts) != counts).nnz == 0


def test_several_kinds_are_counted_together_as_each_alone() -> None:
    kinds = [NGrams("char", 2, 4, min_df=1).fit(TEXTS), NGrams("word", 1, 2, marks=True, min_df=1).fit(TEXTS)]
    for kind, found in zip(kinds, count(kinds, TEXTS), strict=True):
        assert (kind.transform(TEXTS) != found).nnz == 0
        assert found.nnz > 0


def test_a_name_is_no_longer_than_it_can_be_shown() -> None:
    names = NGrams("word", 1, 2, min_df=1).fit(["x" * 500 + " y"]).names_
    assert max(map(len, names)) == LONGEST_NAME


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60))
def test_every_place_holds_the_n_gram_that_it_is_said_to_hold(text: str) -> None:
    text = text.encode("utf-8", "replace").decode("utf-8")
    grams = NGrams("char", 1, 3, min_df=1)
    counts = np.asarray(grams.fit_transform([text]).toarray()).ravel()
    start, end, column = grams.places(text)
    np.testing.assert_array_equal(np.bincount(column, minlength=len(counts)), counts)
    assert (start >= 0).all()
    assert (end <= len(text)).all()
    assert (start <= end).all()
