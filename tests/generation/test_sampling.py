"""Drawing: known answers of each setting, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.errors import UsageError
from lyrist.generation.config import SamplingOptions
from lyrist.generation.sampling import TokenSampler, add_style_bias, overused

NONE = torch.zeros(0, dtype=torch.long)
NO_HISTORY = torch.zeros((1, 0), dtype=torch.long)
LOGITS = torch.tensor([[0.5, 0.25, 0.125, 0.0625, 0.0625]]).log()
PLAIN = {"temperature": 1.0, "min_p": 0.0}


def possible(history: torch.Tensor = NO_HISTORY, banned: torch.Tensor = NONE, **given: float) -> list[int]:
    drawer = TokenSampler(SamplingOptions(**{**PLAIN, **given}), banned, NONE)
    scores = drawer.scores(LOGITS, history)
    return torch.nonzero(torch.isfinite(scores[0])).squeeze(1).tolist()


def test_what_can_be_drawn() -> None:
    assert possible() == [0, 1, 2, 3, 4]
    assert possible(top_k=2) == [0, 1]
    assert possible(top_p=0.7) == [0, 1]
    assert possible(top_p=0.4) == [0]
    assert possible(min_p=0.2) == [0, 1, 2]
    assert possible(min_p=0.6) == [0]
    assert possible(banned=torch.tensor([0, 4])) == [1, 2, 3]
    assert possible(history=torch.tensor([[1, 3, 1]]), no_repeat_ngram=2) == [0, 1, 2, 4]


def test_where_in_the_distribution_a_token_lies() -> None:
    drawer = TokenSampler(SamplingOptions(**PLAIN), NONE, NONE)
    places = [0.0, 0.49, 0.51, 0.74, 0.76, 0.874, 0.876, 1 - 1e-12]
    drawn = drawer.draw(LOGITS.expand(len(places), -1), NO_HISTORY, torch.tensor(places, dtype=torch.float64))
    assert drawn.tolist() == [0, 0, 1, 1, 2, 2, 3, 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_cannot_be_drawn_never_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(size=(4, 12)) * 3)
    drawer = TokenSampler(SamplingOptions(top_p=0.8, top_k=6, min_p=0.02), torch.tensor([11]), NONE)
    scores = drawer.scores(logits, NO_HISTORY.expand(4, -1))
    for place in (0.0, float(rng.random()), 1 - 1e-16):
        drawn = drawer.draw(logits, NO_HISTORY.expand(4, -1), torch.full((4,), place, dtype=torch.float64))
        assert torch.isfinite(scores.gather(1, drawn[:, None])).all()


def test_frequencies_are_probabilities() -> None:
    places = torch.tensor(np.random.default_rng(0).random(20_000))
    drawn = TokenSampler(SamplingOptions(**PLAIN), NONE, NONE).draw(LOGITS.expand(20_000, -1), NO_HISTORY, places)
    shares = torch.bincount(drawn, minlength=5) / 20_000
    assert torch.allclose(shares, LOGITS[0].exp(), atol=0.01)


def test_whole_numbers_are_taken() -> None:
    whole, real = (
        TokenSampler(SamplingOptions(temperature=number, repetition_penalty=number, top_p=1), NONE, NONE)
        for number in (2, 2.0)
    )
    places = torch.tensor([0.6])
    assert whole.draw(LOGITS, NO_HISTORY, places).tolist() == real.draw(LOGITS, NO_HISTORY, places).tolist()


def test_greedy_takes_the_likeliest_whatever_the_number() -> None:
    drawer = TokenSampler(SamplingOptions(temperature=0), torch.tensor([0]), NONE)
    assert drawer.draw(LOGITS, NO_HISTORY, torch.tensor([0.999])).tolist() == [1]


def test_a_loop_is_left() -> None:
    phrase = [5, 6, 7, 8, 9]
    thrice = np.array([[*phrase * 3, 5]])
    assert list(overused(thrice[:, :-1], 3)) == []
    assert list(overused(np.array([[*phrase, 1, *phrase, 1, *phrase, 1, *phrase]]), 3)) == [(0, 1)]
    assert list(overused(np.array([[*phrase, 1, *phrase, 2, *phrase, 1, *phrase]]), 3)) == []
    assert list(overused(np.array([[*phrase, 1, *phrase, 2, *phrase, 1, *phrase]]), 1)) == [(0, 1), (0, 2)]
    assert list(overused(np.array([[4] * 8]), 3)) == [(0, 4)]
    assert list(overused(np.zeros((2, 0), dtype=int), 3)) == []
    drawer = TokenSampler(SamplingOptions(**PLAIN, max_repeats=1), NONE, torch.tensor([0, 4]))
    history = torch.tensor([[1, 2, 1, 2, 3, 0, 3, 1, 2, 1, 2, 3], [1, 2, 3, 1, 2, 3, 1, 3, 2, 2, 0, 0]])
    scores = drawer.scores(LOGITS.expand(2, -1), history)
    assert torch.isinf(scores).tolist() == [[True] + [False] * 4, [True] + [False] * 4]


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 4))
def test_what_is_banned_stands_there_often_enough(history: list[int], times: int) -> None:
    banned = {token for _, token in overused(np.array([history], dtype=int).reshape(1, -1), times)}
    for token in range(3):
        run = [*history[-5:], token]
        count = sum(history[i : i + 6] == run for i in range(len(history) - 5))
        assert (token in banned) == (len(run) == 6 and count >= times)


def test_a_frequency_penalty_counts_three_times_and_spares_line_ends() -> None:
    sampler = TokenSampler(SamplingOptions(**PLAIN, frequency_penalty=0.5), NONE, torch.tensor([0]))
    history = torch.tensor([[0, 0, 1, 2, 2, 3, 3, 3, 3, 3]])
    found = sampler.scores(torch.zeros(1, 5), history)
    assert found[0].tolist() == [0, -0.5, -1.0, -1.5, 0]


def test_a_repetition_penalty_spares_line_ends() -> None:
    history = torch.tensor([[0, 1]])
    drawer = TokenSampler(SamplingOptions(**PLAIN, repetition_penalty=2.0), NONE, torch.tensor([0]))
    scores = drawer.scores(LOGITS, history)
    assert scores[0, 0] == LOGITS[0, 0]
    assert scores[0, 1] == pytest.approx(float(2 * LOGITS[0, 1]))
    assert scores[0, 2] == LOGITS[0, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"temperature": -0.1}, "--temperature"),
        ({"temperature": float("nan")}, "--temperature"),
        ({"top_k": -1}, "--top-k"),
        ({"top_p": 0.0}, "--top-p"),
        ({"top_p": 1.1}, "--top-p"),
        ({"min_p": 1.0}, "--min-p"),
        ({"min_p": -0.1}, "--min-p"),
        ({"style": -1.0}, "--style"),
        ({"style": float("nan")}, "--style"),
        ({"repetition_penalty": 0.9}, "below 1 rewards repetition"),
        ({"max_repeats": -1}, "--max-repeats"),
        ({"no_repeat_ngram": -1}, "--no-repeat-ngram"),
    ],
)
def test_settings_that_cannot_be_meant(given: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SamplingOptions(**given)


def test_the_settings_are_told() -> None:
    assert "greedy" in SamplingOptions(temperature=0).describe()
    told = SamplingOptions(0.8, 40, 0.9, 0.1, 1.2, 3).describe()
    assert all(part in told for part in ("0.8", "top-k 40", "top-p 0.9", "min-p 0.1", "penalty 1.2", "no 3-gram twice"))


def test_logits_lean_to_what_is_usual() -> None:
    lean = torch.tensor([0.5, -1.0])
    found = add_style_bias(LOGITS, lean, 2.0)
    assert found[0, :2].tolist() == pytest.approx([float(LOGITS[0, 0]) + 1, float(LOGITS[0, 1]) - 2])
    assert torch.equal(found[:, 2:], LOGITS[:, 2:])
    assert add_style_bias(LOGITS, None, 2.0) is LOGITS
    assert add_style_bias(LOGITS, lean, 0.0) is LOGITS
    longer = torch.cat([torch.zeros(LOGITS.shape[1]), torch.ones(3)])  # conditions, which are never written
    assert torch.equal(add_style_bias(LOGITS, longer, 1.0), LOGITS)
