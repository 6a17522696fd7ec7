"""What is usual for a genre is what more of its songs have than songs at large; a saved writer still knows it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.models.language_model import WriterOptions
from lyrist.training import logit_bias
from lyrist.training.logit_bias import NAME, PRIOR, Style
from lyrist.training.song_tokens import tokenise
from lyrist.training.writer import Writer, fit_writer

ROAD = "I was walking down the road to you\n" * 4


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    """Forty songs to learn from: a truck in each country song, a dance in each of pop, and forty trains in one of pop."""
    lyrics = [
        f"oh my truck is mine\n{ROAD}" if n % 2 else "oh we dance\n" + "on a train " * (40 * (n == 0)) + f"\n{ROAD}"
        for n in range(40)
    ]
    songs = {"lyrics": lyrics, "genre": ["country" if n % 2 else "pop" for n in range(40)], "artist": ["A"] * 40}
    frame = pl.DataFrame(songs)
    return make_corpus(pl.concat([frame, frame[:4]]).with_columns(split=pl.Series(["train"] * 40 + ["test"] * 4)))


def leans(corpus: Corpus, *condition: str) -> dict[tuple[str, str], float]:
    """Return how far each value leans to each word."""
    tokens = tokenise(corpus, WriterOptions(vocabulary=400), condition)
    table = logit_bias.learn(tokens).table
    words = [name.strip("Ġ") for name in tokens.tokenizer.convert_ids_to_tokens(table["token"].to_list())]
    return dict(zip(zip(table["value"], words, strict=True), table["lean"], strict=True))


def test_songs_are_counted_not_words(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    found = leans(corpus, "genre")
    assert found["country", "truck"] > 0.4 > -0.4 > found["pop", "truck"]
    assert found["pop", "dance"] > 0.4
    assert abs(found["pop", "train"]) < 0.15  # forty times in one song
    assert max(abs(found.get((genre, "road"), 0.0)) for genre in ("pop", "country")) < 0.15  # in all of both
    assert all(word.isalpha() for _, word in found)
    monkeypatch.setattr(logit_bias, "BLOCK", 7)
    assert leans(corpus, "genre") == found


def test_the_ratio_is_that_of_songs_by_hand(corpus: Corpus) -> None:
    tokens = tokenise(corpus, WriterOptions(vocabulary=400), ["genre"])
    split, code = tokens.splits["train"], tokens.conditions["genre"].index("country")
    sets = [set(split.ids[a:b].tolist()) for a, b in zip(split.starts[:-1], split.starts[1:], strict=True)]
    mine = [own for own, codes in zip(sets, split.conditions[:, 0], strict=True) if codes == code]
    (token,) = tokens.tokenizer.convert_tokens_to_ids(["Ġtruck"])
    expected = sum(map(len, mine)) * sum(token in own for own in sets) / sum(map(len, sets))
    lean = Style.bias(logit_bias.learn(tokens), {"genre": "country"}, tokens.lyrics)
    assert lean is not None
    assert lean[token] == pytest.approx(math.log((len(mine) + PRIOR) / (expected + PRIOR)), abs=1e-6)


def test_several_conditions_are_averaged_and_unknown_ones_say_nothing(corpus: Corpus) -> None:
    known = logit_bias.learn(tokenise(corpus, WriterOptions(vocabulary=400), ["genre", "artist"]))
    genre = known.bias({"genre": "pop"}, 400)
    assert genre is not None
    assert known.bias({"genre": "pop", "artist": "nobody"}, 400) == pytest.approx(genre)
    assert known.bias({"genre": "polka"}, 400) is None
    assert known.bias({}, 400) is None
    table = pl.concat(
        [known.table, pl.DataFrame({"column": "artist", "value": "B", "token": 300, "lean": 1.0})],
        how="vertical_relaxed",
    )
    both = Style(table).bias({"genre": "pop", "artist": "B"}, 400)
    alone = Style(table).bias({"artist": "B"}, 400)
    assert both is not None
    assert alone is not None
    assert both == pytest.approx((genre + alone) / 2)


def test_few_songs_say_nothing_of_what_is_usual(make_corpus: Any) -> None:
    artists = ["A"] * 2 + ["B"] * 3 + [None] * 5
    songs = {"lyrics": [f"oh my {'truck' if n < 5 else 'train'} is mine\n{ROAD}" for n in range(10)], "artist": artists}
    found = leans(make_corpus(pl.DataFrame(songs).with_columns(split=pl.lit("train"))), "artist")
    assert {artist for artist, _ in found} == {"B"}
    tokens = tokenise(
        make_corpus(pl.DataFrame(songs).head(2).with_columns(split=pl.lit("train"))),
        WriterOptions(vocabulary=400),
        ["artist"],
    )
    assert logit_bias.learn(tokens).bias({"artist": "A"}, 400) is None


@pytest.fixture(scope="module")
def saved(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Writer, Path]:
    writer = fit_writer(corpus, "ngram", {"vocabulary": 400}, ["genre"])
    folder = tmp_path_factory.mktemp("writer")
    writer.save(folder)
    return writer, folder


def test_a_saved_writer_knows_it(saved: tuple[Writer, Path]) -> None:
    writer, folder = saved
    again = Writer.load(folder)
    for genre in ("pop", "country"):
        own: Any = writer.style_bias({"genre": genre})
        np.testing.assert_array_equal(again.style_bias({"genre": genre}), own)
        assert own.any()
    assert writer.style_bias() is None


def test_a_writer_without_it_opens_and_a_damaged_one_is_told(saved: tuple[Writer, Path]) -> None:
    _, folder = saved
    whole = (folder / NAME).read_bytes()
    for broken in (whole[:100], b"", b"PAR1"):
        (folder / NAME).write_bytes(broken)
        with pytest.raises(LyristError, match=r"style.parquet is damaged .*train the writer again"):
            Writer.load(folder)
    Style(pl.DataFrame({"column": "genre", "value": "pop", "token": 5, "lean": math.nan})).save(folder)
    with pytest.raises(LyristError, match="values are missing"):
        Writer.load(folder)
    (folder / NAME).unlink()
    assert Writer.load(folder).style_bias({"genre": "pop"}) is None
