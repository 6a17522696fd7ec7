"""A network mixed with counts and the song so far: exact every way, and better than its parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from lyrist.errors import UsageError
from lyrist.models import registry
from lyrist.models.language_model import IMPOSSIBLE, WriterShape
from lyrist.models.mixture import MixtureWriter

SHAPE = WriterShape(vocabulary=14, padding=0, bos=1, eos=2, context=64, lyrics=12)
NETWORKS = {
    "gru": ("hidden=12", "embedding_size=8", "dropout=0"),
    "gpt": ("width=16", "layers=1", "feedforward=16", "pairs=31"),
}


def songs(count: int, seed: int) -> list[np.ndarray[Any, np.dtype[np.int32]]]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        lines = [random.integers(3, 12, random.integers(2, 9)).tolist() for _ in range(3)]
        ids = [token for line in random.integers(0, 3, 6) for token in lines[line]]
        found.append(np.array([1, *([12 + number % 2] if number % 3 else []), *ids, 2], dtype=np.int32))
    return found


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = registry.get("mixture")
    given = {"network": request.param, "network_options": NETWORKS[request.param], "order": 3}
    built: Any = recipe.build(registry.configure(recipe.options, given, "mixture"), SHAPE)
    with torch.no_grad():
        for weights in built.network.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
    built.learn(songs(30, 0), songs(20, 1))
    return built.eval()


def padded(rows: list[np.ndarray[Any, Any]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows)) + 1
    ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    for place, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[place, where], mask[place, where] = torch.from_numpy(row).long(), 1
    return ids, mask


@pytest.mark.parametrize("left", [False, True])
@torch.no_grad()
def test_scores_depend_on_neither_padding_nor_batch_and_logits_agree(model: Any, left: bool) -> None:
    rows = songs(5, 2)
    ids, mask = padded(rows, left)
    losses, logits = model.token_losses(ids, mask), model(ids, mask).logits
    for place, row in enumerate(rows):
        alone = torch.from_numpy(row).long()[None]
        expected = model.token_losses(alone)[0]
        real = (mask[place, 1:] * mask[place, :-1]).bool()
        assert torch.allclose(losses[place][real], expected, atol=1e-4)
        whole = model(alone).logits[0]
        assert torch.allclose(logits[place][mask[place].bool()].exp(), whole.exp(), atol=1e-5)
        assert torch.allclose(whole.double().exp().sum(dim=-1), torch.ones(len(row), dtype=torch.double), atol=1e-5)
        scored = alone[0, 1:] < 12
        assert torch.allclose(-whole[:-1].gather(1, alone[0, 1:, None])[scored, 0], expected[scored], atol=1e-4)
        assert (whole[:, [0, 1, 12, 13]] == IMPOSSIBLE).all()


@torch.no_grad()
def test_token_by_token_with_songs_rearranged_is_as_the_whole(model: Any) -> None:
    ids = torch.from_numpy(np.stack([row[:14] for row in songs(3, 3)])).long()
    whole = model(ids).logits
    state = model(ids[:, :5], use_cache=True).past_key_values
    rows = torch.tensor([2, 0, 1, 1])
    state.batch_select_indices(rows)
    for place in range(5, 14):
        mask = torch.ones(4, place + 1, dtype=torch.long)
        out = model(ids[rows, place : place + 1], attention_mask=mask, past_key_values=state, use_cache=True)
        assert torch.allclose(out.logits[:, 0], whole[rows, place], atol=1e-3)


@torch.no_grad()
def test_it_beats_its_network_alone(model: Any) -> None:
    ids, mask = padded(songs(10, 4), False)
    assert model.token_losses(ids, mask).sum() < model.network.token_losses(ids, mask).sum()


@torch.no_grad()
def test_saved_and_opened_by_transformers_to_the_last_bit(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    opened: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    opened.eval()
    assert isinstance(opened, MixtureWriter)
    ids, mask = padded(songs(4, 5), True)
    assert torch.equal(opened.token_losses(ids, mask), model.token_losses(ids, mask))
    assert opened.size() == model.size()


@pytest.mark.parametrize("way", [{"do_sample": True}, {"num_beams": 2}])
def test_it_writes_what_may_be_written(model: Any, way: dict[str, Any]) -> None:
    torch.manual_seed(0)
    prompts, mask = padded([np.array([1, 12, 5, 6]), np.array([1, 7])], True)
    written = model.generate(
        prompts, attention_mask=mask, max_new_tokens=20, pad_token_id=0, eos_token_id=2, bos_token_id=1, **way
    )
    new = written[:, prompts.shape[1] :]
    assert ((new < 12) & (new != 1)).all()


def test_its_options_are_those_of_its_network_too() -> None:
    recipe = registry.get("mixture")
    options = registry.configure(recipe.options, {"network": "gru", "network-options": "hidden=12,layers=2"}, "mixture")
    assert recipe.build(options, SHAPE).network.config.layers == 2
    assert dict(options.schedule) == dict(registry.get("gru").options().schedule)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network": "bert"}, "--network of mixture must be one of .*gru"),
        ({"network": "ngram"}, "--network of mixture must be one of"),
        ({"network": "gru", "network_options": "hidden"}, "NAME=VALUE"),
        ({"network": "gru", "network_options": "hiden=3"}, "hidden"),
        ({"order": "99"}, "--order"),
    ],
)
def test_bad_options_are_reported_in_a_sentence(given: dict[str, str], message: str) -> None:
    recipe = registry.get("mixture")
    with pytest.raises(UsageError, match=message):
        recipe.build(registry.configure(recipe.options, given, "mixture"), SHAPE)
