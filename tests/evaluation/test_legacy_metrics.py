"""The reports' ways of counting, on models whose every probability is known."""

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from lyrist.errors import LyristError
from lyrist.evaluation import legacy_metrics as reported
from lyrist.evaluation.legacy_metrics import as_reported, table
from lyrist.models.language_model import IMPOSSIBLE

PAD, BOS, EOS, RAP = 0, 1, 2, 7
LETTERS = {"a": 3, "b": 4, "c": 5, "d": 6}
SIZE = 8


class Even:
    """A writer that gives the four letters and the end the logit ``level``; padding and the rest what is given."""

    seq2seq = False
    context = 0
    bos, eos = BOS, EOS

    def __init__(self, level: float = 0.0, padding: float = IMPOSSIBLE, conditions: bool = False) -> None:
        self.level, self.padding = level, padding
        self.conditions = {"genre": ("rap",)} if conditions else {}
        self.tokenizer = SimpleNamespace(
            pad_token_id=PAD, get_vocab=lambda: {"<|genre:rap|>": RAP, "[PAD]": PAD, **LETTERS}
        )
        self.model: Any = self
        self.config = SimpleNamespace(vocab_size=SIZE)
        self.masks: list[Tensor] = []

    def eval(self) -> Any:
        return self

    def encode(self, text: str) -> list[int]:
        return [LETTERS[letter] for letter in text]

    def prefix(self, given: dict[str, str]) -> list[int]:
        return [BOS, *([RAP] if given else [])]

    def source(self, given: dict[str, str]) -> list[int]:
        return [*self.prefix(given), EOS]

    def __call__(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> Any:
        self.masks.append(attention_mask)
        shape = input_ids.shape if labels is None else labels.shape
        logits = torch.full((*shape, SIZE), IMPOSSIBLE)
        logits[..., EOS:RAP] = self.level
        logits[..., PAD] = self.padding
        logits[..., LETTERS["a"]] += math.log(4)  # so that "a" is the likeliest: 4 / 8, the others 1 / 8 each
        return SimpleNamespace(logits=logits)


def rows(writer: Any, *lyrics: str, width: int = 8, **more: list[str]) -> dict[str, dict[str, Any]]:
    found = as_reported(writer, pl.DataFrame({"lyrics": list(lyrics), **more}), width=width)
    json.dumps(found, allow_nan=False)
    return {row["name"]: row for row in found["rows"]}


def test_real_tokens_by_hand() -> None:
    # a, a, b and the end: two of 1/2, two of 1/8.
    found = rows(Even(), "aab")["real tokens"]
    assert found["loss"] == pytest.approx((2 * math.log(2) + 2 * math.log(8)) / 4)
    assert found["perplexity"] == pytest.approx(4)
    assert found["accuracy"] == 0.5


def test_padding_makes_any_figure() -> None:
    never, often = rows(Even(padding=-20.0), "aab"), rows(Even(padding=20.0), "aab")
    assert never["real tokens"]["perplexity"] == pytest.approx(4, rel=1e-6)
    # Four real tokens and four of padding, each at 20 + log 8 nats.
    assert never["padding scored too"]["loss"] == pytest.approx((4 * math.log(4) + 4 * (20 + math.log(8))) / 8)
    assert never["padding scored too"]["accuracy"] == 0.25
    assert never["padding scored, and learnt"]["loss"] == pytest.approx(math.log(4) / 2)
    assert never["padding scored, and learnt"]["perplexity"] == pytest.approx(2)
    assert never["padding scored, and learnt"]["accuracy"] == 0.75
    assert often["padding scored too"]["accuracy"] == 0.5  # the paddings alone


def test_a_model_that_cannot_write_padding_is_given_a_row_at_zero_for_it() -> None:
    found = rows(Even(level=math.log(3)), "aab")
    assert found["real tokens"]["perplexity"] == pytest.approx(4)
    pads = math.log(8 * 3 + 1)
    assert found["padding scored too"]["loss"] == pytest.approx((4 * math.log(4) + 4 * pads) / 8)


def test_averages_by_song_differ_from_those_over_tokens() -> None:
    found = rows(Even(), "aaa", "bbbbbbb")
    songs = [(3 * math.log(2) + math.log(8)) / 4, math.log(8)]
    assert found["real tokens"]["loss"] == pytest.approx((4 * songs[0] + 8 * songs[1]) / 12)
    assert found["real tokens, by song"]["perplexity"] == pytest.approx(np.exp(songs).mean())
    assert found["real tokens, by song"]["loss"] == pytest.approx(np.mean(songs))
    learnt = [songs[0] / 2, songs[1]]
    assert found["padding learnt, by song"]["perplexity"] == pytest.approx(np.exp(learnt).mean())


def test_untrained_rows_cost_what_the_logits_lie_below_zero() -> None:
    for level in (5.0, -20.0, -115.0):
        found = rows(Even(level=level, conditions=True), "aab", genre=["rap"])
        total = level + math.log(8)
        both = math.log(2)  # the genre's row and that of padding
        cost = np.logaddexp(total, both) - total
        assert found["real tokens"]["perplexity"] == pytest.approx(4, rel=1e-5)
        assert found["2 added rows at zero"]["loss"] == pytest.approx(math.log(4) + cost, rel=1e-5)
        low = found["2 added rows at zero, low logits"]
        assert low["loss"] == pytest.approx(math.log(4) + both + reported.LOW, rel=1e-5)
        assert low["accuracy"] == 0
        assert 1e50 < low["perplexity"] < 1e53
        mended = found["2 added rows at the mean"]["perplexity"]
        assert 4 < mended < 6
    assert found["2 added rows at zero"]["accuracy"] == 0


def test_rows_that_were_trained_do_not_count_as_others() -> None:
    # Were the genre's own row high, it would take probability; as an added row it is replaced.
    writer = Even(conditions=True)
    plain = writer.__call__

    class High(Even):
        def __call__(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> Any:
            found = plain(input_ids, attention_mask, labels)
            found.logits[..., RAP] = 50.0
            return found

    assert rows(High(conditions=True), "aab", genre=["rap"])["real tokens"]["perplexity"] == pytest.approx(4)


def test_songs_with_and_without_a_condition_stand_side_by_side() -> None:
    writer = Even(conditions=True)
    found = as_reported(writer, pl.DataFrame({"lyrics": ["aab", "ba"], "genre": ["rap", None]}), width=6)
    assert found["rows"][0]["loss"] == pytest.approx((4 * math.log(4) + math.log(8) + math.log(2) + math.log(8)) / 7)
    assert sorted(int(row.sum()) for mask in writer.masks for row in mask) == [4, 6]
    assert found["tokens"] == 7
    assert found["padding"] == pytest.approx(5 / 12)


def test_an_encoder_reads_the_condition() -> None:
    writer = Even()
    writer.seq2seq = True  # type: ignore[misc]
    assert rows(writer, "aab")["real tokens"]["perplexity"] == pytest.approx(4)
    assert [mask.tolist() for mask in writer.masks] == [[[1, 1]]]


def test_what_is_cut_and_dropped_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    songs = pl.DataFrame({"lyrics": ["a" * 15, "b" * 31]})
    found = as_reported(Even(), songs, width=8)
    assert found["cut"] == pytest.approx(1 - 16 / 48)
    assert found["dropped"] == 0.5
    assert found["padding"] == 0
    limited = Even()
    limited.context = 5  # type: ignore[misc]
    assert as_reported(limited, songs, width=8)["width"] == 4
    monkeypatch.setattr(reported, "SONGS", 1)
    assert as_reported(Even(), songs)["n"] == 1
    with pytest.raises(LyristError, match="no song"):
        as_reported(Even(), songs.head(0))


def test_the_table_explains_each_row() -> None:
    found = as_reported(Even(), pl.DataFrame({"lyrics": ["aab"]}), width=8)
    lines = table(found).splitlines()
    assert len(lines) == 2 + len(found["rows"])
    assert all(row["note"] for row in found["rows"])
    assert lines[2].split()[:3] == ["real", "tokens", "4"]
