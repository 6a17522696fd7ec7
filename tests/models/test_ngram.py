"""Models of counts: known answers, the same scores every way they can be had, and what must never be written."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from lyrist.errors import LyristError, UsageError
from lyrist.models import kneser_ney, registry, song_memory
from lyrist.models.kneser_ney import Tokens
from lyrist.models.language_model import IMPOSSIBLE, WriterShape
from lyrist.models.ngram import NgramWriter, evenly
from lyrist.models.song_memory import SongMemory

SHAPE = WriterShape(vocabulary=14, padding=0, bos=1, eos=2, context=64, lyrics=12)
CONDITION = 12
WRITTEN = np.array([False, False, *[True] * 10, False, False])

tokens = st.integers(3, 11)
lyrics = st.lists(tokens, max_size=40)
collections = st.lists(lyrics, min_size=1, max_size=8)


def song(ids: Sequence[int], condition: int | None = None) -> NDArray[np.int32]:
    return np.array([1, *([] if condition is None else [condition]), *ids, 2], dtype=np.int32)


def drawn(count: int, seed: int = 0) -> list[NDArray[np.int32]]:
    """Return songs that repeat their lines."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        lines = [random.integers(3, 12, random.integers(2, 9)).tolist() for _ in range(4)]
        order = random.integers(0, 4, 8)
        ids = [token for line in order for token in lines[line]]
        found.append(song(ids, CONDITION + number % 2 if number % 3 else None))
    return found


def learnt(order: int = 4, **options: Any) -> Any:
    recipe = registry.get("ngram")
    model: Any = recipe.build(registry.configure(recipe.options, {"order": order, **options}, "ngram"), SHAPE)
    model.learn(drawn(30), drawn(12, seed=1))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return learnt()


# Kneser-Ney.


def test_bigrams_have_the_probabilities_worked_out_by_hand() -> None:
    written = np.array([False, False, True, True, True])
    a, b, end = 3, 4, 2
    counts = kneser_ney.learn([np.array([1, a, b, a, b, end]), np.array([1, a, a, end])], 2, 5, written)
    # Continuations to the left: a after three tokens, the end after two, b after one; one, two and three occur once each,
    # so the discounts are 1 - 2/3, 2 - 1 and (3, held below 3) 2.95; the third of what is left goes to each.
    spread = (1 / 3 + 1 + 2.95) / 6 / 3
    single = {a: 0.05 / 6 + spread, b: (1 - 1 / 3) / 6 + spread, end: (2 - 1) / 6 + spread}
    assert counts.first == pytest.approx([0, 0, single[end], single[a], single[b]], abs=1e-7)
    # Bigrams: four occur once, two twice, none more often; discounts 1 - 2 * 1/2 * 2/4 and (2, held below 2) 1.95.
    left = (1.95 + 0.5 + 0.5) / 4
    after_a = {b: 0.05 / 4 + left * single[b], a: 0.5 / 4 + left * single[a], end: 0.5 / 4 + left * single[end]}
    found = counts.distribution(np.array([[a, -1]]))[0]
    assert found == pytest.approx([0, 0, after_a[end], after_a[a], after_a[b]], abs=1e-7)


def by_dictionary(songs: Sequence[Sequence[int]], order: int, context: tuple[int, ...], token: int) -> float:
    """Return the probability by the textbook, with dictionaries and recursion."""
    raw = [
        Counter(tuple(s[i : i + n]) for s in songs for i in range(len(s) - n + 1) if WRITTEN[s[i + n - 1]])
        for n in range(1, order + 1)
    ]

    def counts(n: int) -> Counter[tuple[int, ...]]:
        if n == order:
            return raw[n - 1]
        ways: Counter[tuple[int, ...]] = Counter(gram[1:] for gram in raw[n])
        return Counter({gram: ways.get(gram) or count for gram, count in raw[n - 1].items()})

    def probability(context: tuple[int, ...]) -> float:
        n = len(context) + 1
        found = counts(n)
        of_counts = Counter(found.values())
        one, two = of_counts[1], of_counts[2]
        y = one / (one + 2 * two) if one else 0.5
        cut = [0.0]
        for k in (1, 2, 3):
            now, more = of_counts[k], of_counts[k + 1]
            cut.append(min(max(k - (k + 1) * y * more / now, 0.05), k - 0.05) if now else k / 2)
        own = {gram: count for gram, count in found.items() if gram[:-1] == context}
        total = sum(own.values())
        shorter = probability(context[1:]) if context else 1 / WRITTEN.sum()
        if not total:
            return shorter
        left = sum(cut[min(count, 3)] for count in own.values()) / total
        count = own.get((*context, token), 0)
        return (count - cut[min(count, 3)]) / total + left * shorter

    return probability(context)


@given(collections, lyrics, tokens, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_any_order_has_the_probabilities_of_the_textbook(
    songs: list[list[int]], before: list[int], token: int, order: int
) -> None:
    training = [song(ids, CONDITION) for ids in songs]
    counts = kneser_ney.learn(training, order, 14, WRITTEN)
    found = counts.probabilities(Tokens.of([np.array([1, CONDITION, *before, token])]))[-1]
    context = (1, CONDITION, *before)[max(0, len(before) + 3 - order) :] if order > 1 else ()
    assert found == pytest.approx(by_dictionary([list(s) for s in training], order, context, token), rel=1e-5)


@given(collections, lyrics, st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_probabilities_sum_to_one_and_are_the_same_token_by_token(
    songs: list[list[int]], text: list[int], order: int
) -> None:
    counts = kneser_ney.learn([song(ids, CONDITION) for ids in songs], order, 14, WRITTEN)
    read = song(text, CONDITION)
    whole = counts.probabilities(Tokens.of([read]))
    contexts = np.full((1, order), -1, dtype=np.int64)
    for place, token in enumerate(read[:-1]):
        contexts = counts.advance(contexts, np.array([token], dtype=np.int64))
        chances = counts.distribution(contexts)[0]
        assert chances.sum() == pytest.approx(1, abs=1e-6)
        assert not chances[~WRITTEN].any()
        assert chances[read[place + 1]] == pytest.approx(whole[place + 1], rel=1e-9)


@pytest.mark.parametrize("change", ["order", "blocks"])
def test_tables_depend_neither_on_the_order_of_songs_nor_on_blocks(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = drawn(40)
    one = kneser_ney.learn(songs, 5, 14, WRITTEN)
    if change == "blocks":
        monkeypatch.setattr(kneser_ney, "BLOCK", 100)
    other = kneser_ney.learn(songs if change == "blocks" else songs[::-1], 5, 14, WRITTEN)
    assert np.array_equal(one.first, other.first)
    for level, same in zip(one.levels, other.levels, strict=True):
        assert all(np.array_equal(getattr(level, name), getattr(same, name)) for name in ("keys", "kept", "left"))


def test_rare_ngrams_are_left_out_where_there_are_too_many_and_probabilities_still_sum_to_one() -> None:
    songs = drawn(40)
    whole, few = (kneser_ney.learn(songs, 4, 14, WRITTEN, largest=n) for n in (10**6, 200))
    assert len(few.levels[2].keys) < len(whole.levels[2].keys)
    contexts = np.full((1, 4), -1, dtype=np.int64)
    for token in songs[0][:20]:
        contexts = few.advance(contexts, np.array([token], dtype=np.int64))
        assert few.distribution(contexts)[0].sum() == pytest.approx(1, abs=1e-6)


# The song so far.


def by_looking(ids: Sequence[int], place: int, lengths: Sequence[int]) -> tuple[list[list[int]], int]:
    """Return what followed each length of context, and the latest after the longest, by looking at every place."""
    before = [ids[i] for i in range(place)]
    found, latest = [], -1
    for length in (0, *lengths):
        context = before[place - length :] if place >= length else None
        after = [
            i
            for i in range(place)
            if context is not None and WRITTEN[ids[i]] and i >= length and before[i - length : i] == context
            and all(WRITTEN[t] for t in context)
        ]  # fmt: skip
        found.append([ids[i] for i in after])
        latest = after[-1] if after and length else latest
    return found, latest


@given(lyrics, st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_song_so_far_is_looked_up_as_by_hand_both_ways(text: list[int], condition: bool) -> None:
    lengths = (1, 2, 4)
    read = song([3 + (t - 3) % 3 for t in text], CONDITION if condition else None)
    shares, group = song_memory.shares(Tokens.of([song([5, 5]), read]), WRITTEN, lengths)
    shares, group = shares[4:], group[4:]
    memory = SongMemory(1, WRITTEN, lengths)
    allowed = song_memory.allowed(lengths)
    for place, token in enumerate(read):
        if WRITTEN[token]:
            after, latest = by_looking(read.tolist(), place, lengths)
            expected = [each.count(token) / max(len(each), 1) for each in after]
            expected.append(float(latest >= 0 and read[latest] == token))
            assert shares[place] == pytest.approx(expected)
            rounds = ([0, *lengths][max(sum(map(bool, after)) - 1, 0)]) / (place - latest)
            assert group[place] == 4 * sum(map(bool, after)) + sum(rounds >= each for each in song_memory.ROUNDS)
            own, places = memory.group()
            assert own[0] == group[place]
            weights = np.where(allowed[own], 0.2, 0.0)
            spread = memory.distribution(places, weights, 14)[0]
            assert spread.sum() == pytest.approx(weights.sum())
            assert spread[token] == pytest.approx(weights[0] @ shares[place])
        memory.append(np.array([0]), np.array([token]))


# Weights.


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_weights_are_found_again_and_never_worse_than_the_prior(seed: int) -> None:
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.ones(3))
    parts = random.dirichlet(np.ones(6), size=3)
    came = random.choice(6, size=4000, p=true @ parts)
    chances, group, share = parts[:, came].T, np.zeros(4000, dtype=np.int64), np.ones((4000, 1))
    prior = np.full((2, 3), 1 / 3)
    found = kneser_ney.fit_weights(
        chances, group, share, prior, rounds=300
    )  # parts that are much alike are slow to part
    assert found.sum(axis=-1) == pytest.approx(np.ones((2, 1)))
    assert found[1, 0] == pytest.approx(prior[1])  # nothing was seen of that group
    assert np.log(chances @ found[0, 0]).mean() >= np.log(chances @ prior[0]).mean() - 1e-9
    assert np.log(chances @ found[0, 0]).mean() >= np.log(chances @ true).mean() - 5e-3


def test_weights_change_without_jumps_between_knots() -> None:
    shares = kneser_ney.knot_shares(np.array([-1.0, 0, 0.25, 1, 1.5, 9]), np.array([0.0, 1, 2]))
    assert shares.tolist() == [[1, 0, 0], [1, 0, 0], [0.75, 0.25, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]


def test_a_sample_of_songs_comes_from_all_over() -> None:
    songs = [np.full(10, n) for n in range(100)]
    assert [int(each[0]) for each in evenly(songs, 200)] == list(range(0, 100, 5))
    assert len(evenly(songs, 10**6)) == 100
    assert len(evenly([], 10)) == 0


# The model.


def padded(rows: Sequence[NDArray[np.int32]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows)) + 2
    ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    for place, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[place, where], mask[place, where] = torch.from_numpy(row).long(), 1
    return ids, mask


@pytest.mark.parametrize("left", [False, True])
def test_scores_depend_on_neither_padding_nor_batch_and_logits_agree(model: Any, left: bool) -> None:
    rows = drawn(5, seed=2)
    ids, mask = padded(rows, left)
    losses, logits = model.token_losses(ids, mask), model(ids, mask).logits
    for place, row in enumerate(rows):
        alone = torch.from_numpy(row).long()[None]
        expected = model.token_losses(alone)[0]
        real = (mask[place, 1:] * mask[place, :-1]).bool()
        assert torch.equal(losses[place][real], expected)
        assert not losses[place][~real].any()
        whole = model(alone).logits[0]
        assert torch.equal(logits[place][mask[place].bool()], whole)
        assert torch.allclose(whole.double().exp().sum(dim=-1), torch.ones(len(row), dtype=torch.double), atol=1e-6)
        scored = alone[0, 1:] < 12
        assert torch.allclose(-whole[:-1].gather(1, alone[0, 1:, None])[scored, 0], expected[scored], atol=1e-5)
        assert not expected[~scored].any()  # conditions
        assert (whole[:, ~WRITTEN] == IMPOSSIBLE).all()


@given(st.lists(st.lists(tokens, max_size=25), min_size=1, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_songs_score_the_same_both_ways(model: Any, texts: list[list[int]], left: bool) -> None:
    ids, mask = padded([song(text, CONDITION) for text in texts], left)
    losses, logits = model.token_losses(ids, mask), model(ids, mask).logits
    real = (mask[:, 1:] * mask[:, :-1]).bool() & (ids[:, 1:] < 12)
    generic = -logits[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    assert torch.allclose(losses[real], generic[real], atol=1e-5)


def test_token_by_token_with_songs_rearranged_is_as_the_whole(model: Any) -> None:
    ids = torch.from_numpy(np.stack([row[:20] for row in drawn(3, seed=4)])).long()
    whole = model(ids).logits
    out = model(ids[:, :7], use_cache=True)
    state = out.past_key_values
    assert torch.equal(out.logits, whole[:, :7])
    state.reorder_cache(torch.tensor([2, 0, 1]))
    state.batch_repeat_interleave(2)
    rows = torch.tensor([2, 2, 0, 0, 1, 1])
    for place in range(7, 20):
        out = model(ids[rows, place : place + 1], past_key_values=state, use_cache=True)
        assert torch.equal(out.logits[:, 0], whole[rows, place])
    assert state.get_seq_length() == 20
    assert len(state) == 6


def test_saved_and_opened_by_transformers_to_the_last_bit(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    opened = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(opened, NgramWriter)
    ids, mask = padded(drawn(4, seed=5), True)
    assert torch.equal(opened.token_losses(ids, mask), model.token_losses(ids, mask))
    assert opened.size() == model.size()
    assert list((tmp_path).glob("*.safetensors"))


@pytest.mark.parametrize("way", [{"do_sample": True}, {"num_beams": 3}, {"do_sample": True, "num_return_sequences": 3}])
def test_it_writes_what_may_be_written(model: Any, way: dict[str, Any]) -> None:
    torch.manual_seed(0)
    prompts, mask = padded([np.array([1, 12, 5, 6]), np.array([1, 7])], True)
    written = model.generate(
        prompts, attention_mask=mask, max_new_tokens=30, pad_token_id=0, eos_token_id=2, bos_token_id=1, **way
    )
    new = written[:, prompts.shape[1] :]
    assert new.shape[1] > 5
    assert ((new < 12) & (new != 1)).all()


def test_repeated_lines_become_likely(model: Any) -> None:
    line = [5, 9, 3, 3, 8, 11]
    losses = model.token_losses(torch.from_numpy(song(line * 4)).long()[None])[0]
    assert losses[19:24].mean() < 0.5 * losses[:6].mean()


def test_weights_suit_validation_songs_better_than_the_prior() -> None:
    fitted, plain = learnt(), learnt()
    plain.learn(drawn(30), [])
    ids, mask = padded(drawn(12, seed=6), False)
    assert fitted.token_losses(ids, mask).sum() < plain.token_losses(ids, mask).sum()


def test_a_longer_order_and_one_token_alone_work() -> None:
    for order in (1, 2, 9):
        model = learnt(order)
        ids, mask = padded(drawn(2, seed=7), True)
        logits = model(ids, mask).logits
        assert torch.allclose(logits.double().exp().sum(dim=-1), torch.ones(ids.shape, dtype=torch.double), atol=1e-6)


def test_bad_input_is_reported_in_a_sentence() -> None:
    recipe = registry.get("ngram")
    with pytest.raises(UsageError, match="--order of ngram must be at least 1, got 0"):
        registry.configure(recipe.options, {"order": "0"}, "ngram")
    with pytest.raises(UsageError, match="--largest"):
        registry.configure(recipe.options, {"largest": "0"}, "ngram")
    model = recipe.build(recipe.options(), SHAPE)
    with pytest.raises(LyristError, match="no lyrics"):
        model.learn([], [])
    with pytest.raises(LyristError, match="no lyrics"):
        model.learn([np.array([1, CONDITION])], [])
