import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from lyrist.models import registry
from lyrist.models.network import Pool, hushed, reversed_in_length
from lyrist.models.recurrent import Recurrence, RecurrentOptions, lstm
from lyrist.models.registry import Shape

SHAPE = Shape(30, 0, ("a", "b", "c"), artists=4)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {}),
    ("lstm", {}),
    ("lstm", {"pooling": "last"}),
    ("lstm", {"pooling": "attention", "bidirectional": False}),
    ("lstm", {"features": "artist", "pooling": "mean"}),
    ("stacked-lstm", {"layers": 3, "pooling": "last"}),
    ("stacked-lstm", {"bidirectional": False, "pooling": "max"}),
    ("cnn", {"kernel": 4}),
    ("cnn", {"pooling": "attention", "layers": 1}),
    ("cnn-multi", {"kernels": "1,2,5"}),
    ("cnn-lstm", {}),
    ("cnn-lstm", {"pooling": "last"}),
    ("cnn-flat-lstm", {"segments": 5}),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def build(name: str, options: dict[str, Any]) -> Any:
    recipe = registry.get(name)
    small = {"embedding_size": 6, "hidden": 5, "channels": 4}
    known = {key: value for key, value in small.items() if hasattr(recipe.options, key)}
    torch.manual_seed(0)
    return recipe.build(registry.configure(recipe.options, {**known, **options}, name), SHAPE).eval()


NETWORKS = [build(name, options) for name, options in VARIANTS]


def batch(lengths: list[int], longest: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    mask = np.arange(longest) < np.array(lengths)[:, None]
    ids = np.where(mask, rng.integers(1, 30, mask.shape), 0)
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(NETWORKS),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    more=st.integers(0, 9),
    seed=st.integers(0, 1000),
)
def test_padding_and_neighbours_never_change_a_score(model: Any, lengths: list[int], more: int, seed: int) -> None:
    ids, mask = batch(lengths, max(lengths) + more, seed)
    with torch.no_grad():
        together = model(ids, mask).logits
        for row, length in enumerate(lengths):
            alone = model(ids[row : row + 1, :length], mask[row : row + 1, :length]).logits
            torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(together, model(ids).logits, atol=1e-5, rtol=0)  # the mask follows from the ids


@pytest.mark.parametrize("number", range(len(VARIANTS)), ids=[f"{name} {options}" for name, options in VARIANTS])
def test_saved_and_opened_by_transformers_it_is_exact(number: int, tmp_path: Path) -> None:
    model = NETWORKS[number]
    ids, mask = batch([3, 9], 9, 1)
    with hushed():
        model.save_pretrained(tmp_path)
        opened = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(opened) is type(model)
    assert opened.config.id2label == {0: "a", 1: "b", 2: "c"}
    with torch.no_grad():
        assert torch.equal(opened(ids, mask).logits, model(ids, mask).logits)


def test_transformers_opens_it_after_the_networks_are_registered(tmp_path: Path) -> None:
    with hushed():
        NETWORKS[1].save_pretrained(tmp_path)
    code = (
        "import lyrist, sys; assert 'transformers' not in sys.modules and 'torch' not in sys.modules; "
        "import lyrist.models.auto; from transformers import AutoConfig, AutoModelForSequenceClassification as Auto; "
        f"print(AutoConfig.from_pretrained({str(tmp_path)!r}).model_type, "
        f"type(Auto.from_pretrained({str(tmp_path)!r})).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.stdout.split() == ["lyrist-recurrent", "RecurrentClassifier"], done.stderr


@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_every_weight_is_trained(number: int) -> None:
    model = NETWORKS[number].train()
    ids, mask = batch([8, 12, 5], 12, 2)
    artists = torch.tensor([0, 1, 2]) if model.config.artist_count else None
    loss = model(ids, mask, artist_ids=artists, labels=torch.tensor([0, 1, 2])).loss
    loss.backward()
    unused = [name for name, weights in model.named_parameters() if weights.grad is None]
    model.zero_grad(set_to_none=True)
    model.eval()
    assert unused == []


def test_the_loss_is_over_the_items_it_is_reported() -> None:
    model = NETWORKS[1]
    ids, mask = batch([3, 4], 4, 0)
    labels = torch.tensor([0, 1])
    one = model(ids, mask, labels=labels).loss
    assert model(ids, mask, labels=labels, num_items_in_batch=8).loss.item() == pytest.approx(one.item() / 4)
    torch.testing.assert_close(one, torch.nn.functional.cross_entropy(model(ids, mask).logits, labels))


def test_vectors_may_be_given_instead_of_ids() -> None:
    model = NETWORKS[1]
    ids, mask = batch([3, 4], 4, 0)
    vectors = model.get_input_embeddings()(ids)
    assert torch.equal(model(inputs_embeds=vectors, attention_mask=mask).logits, model(ids, mask).logits)
    with pytest.raises(ValueError, match="input_ids or inputs_embeds"):
        model()


def test_words_and_artists_are_dropped_in_training_alone() -> None:
    torch.manual_seed(0)
    options = RecurrentOptions(embedding_size=6, hidden=5, dropout=0.0, word_dropout=0.5, features="artist")
    model = lstm(options, SHAPE)
    ids, mask = batch([12, 12], 12, 0)
    model.train()
    assert not torch.equal(model(ids, mask).logits, model(ids, mask).logits)
    model.eval()
    assert torch.equal(model(ids, mask).logits, model(ids, mask).logits)
    unknown = model(ids, mask, artist_ids=torch.zeros(2, dtype=torch.long)).logits
    assert torch.equal(model(ids, mask).logits, unknown)
    assert not torch.equal(model(ids, mask, artist_ids=torch.tensor([1, 2])).logits, unknown)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_reversing_within_the_length_twice_changes_nothing(lengths: list[int]) -> None:
    _, mask = batch(lengths, 9, 0)
    states = torch.randn(len(lengths), 9, 3)
    once = reversed_in_length(states, mask.bool())
    assert torch.equal(reversed_in_length(once, mask.bool()), states)
    for row, length in enumerate(lengths):
        assert torch.equal(once[row, :length], states[row, :length].flip(0))


def test_two_directions_equal_the_packed_ones_of_torch() -> None:
    torch.manual_seed(0)
    mine = Recurrence("lstm", 4, 3, 1, bidirectional=True, dropout=0.0)
    theirs = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    for suffix, layer in (("", mine.forwards[0]), ("_reverse", mine.backwards[0])):
        for name, weights in layer.named_parameters():
            getattr(theirs, name + suffix).data.copy_(weights.data)
    lengths = torch.tensor([5, 2, 4])
    mask = torch.arange(5)[None] < lengths[:, None]
    vectors = torch.randn(3, 5, 4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    expected, (ends, _) = theirs(packed)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    states, end = mine(vectors, mask)
    torch.testing.assert_close(states[mask], padded[mask])
    torch.testing.assert_close(end, torch.cat([ends[0], ends[1]], dim=-1))


@pytest.mark.parametrize(
    ("kind", "expected"), [("mean", [2.0]), ("max", [3.0]), ("last", [2.0]), ("mean-max", [2.0, 3.0])]
)
def test_pooling_leaves_padding_out(kind: Any, expected: list[float]) -> None:
    states = torch.tensor([[[1.0], [3.0], [2.0], [90.0]]])
    mask = torch.tensor([[True, True, True, False]])
    assert Pool(kind, 1)(states, mask).tolist() == [expected]
