"""Invariance of the networks that write: padding, cache, blocks."""

from typing import Any

import pytest
import torch

from lyrist.models import registry
from lyrist.models.language_model import IGNORED, IMPOSSIBLE, WriterShape

SHAPE = WriterShape(vocabulary=60, padding=0, bos=1, eos=2, context=64, lyrics=55)
SMALL: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 16, "embedding_size": 12},
    "lstm-lm": {"hidden": 16, "embedding_size": 12},
    "gpt": {"width": 16, "feedforward": 32, "layers": 2, "heads": 2, "pairs": 97},
}
REPORTED = {"hidden": 16, "layers": 2, "dense": 8, "tied": False, "embedding_size": 8}


@pytest.fixture(autouse=True)
def _calm() -> None:
    torch.set_num_threads(1)


def network(recipe: str, **options: Any) -> Any:
    torch.manual_seed(0)
    found = registry.get(recipe)
    model = found.build(registry.configure(found.options, {**SMALL[recipe], **options}, recipe), SHAPE)
    with torch.no_grad():
        for weights in model.parameters():  # some begin at zero, which would hide what they do
            weights.add_(0.3 * torch.randn_like(weights))
    return model.eval()


def songs(*lengths: int) -> list[torch.Tensor]:
    drawn = torch.Generator().manual_seed(3)
    return [torch.cat([torch.tensor([1, 57]), torch.randint(3, 55, (n,), generator=drawn)]) for n in lengths]


def padded(rows: list[torch.Tensor], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    for place, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[place, where], mask[place, where] = row, 1
    return ids, mask


RECIPES = [*((name, {}) for name in SMALL), ("gru", REPORTED), ("gpt", {"copying": False, "pairs": 0})]


@pytest.fixture(params=RECIPES, ids=lambda p: f"{p[0]}{'-' if p[1] else ''}{'-'.join(p[1])}")
def model(request: pytest.FixtureRequest) -> Any:
    return network(request.param[0], **request.param[1])


@pytest.mark.parametrize("left", [False, True])
@torch.no_grad()
def test_padding_on_either_side_changes_nothing(model: Any, left: bool) -> None:
    rows = songs(9, 14, 5)
    ids, mask = padded(rows, left)
    together, losses = model(ids, mask).logits, model.token_losses(ids, mask)
    for place, row in enumerate(rows):
        alone = model(row[None]).logits[0]
        assert alone.shape == (len(row), SHAPE.vocabulary)
        real = mask[place].bool()
        assert torch.allclose(together[place][real], alone, atol=1e-4)
        expected = model.token_losses(row[None])[0]
        assert torch.allclose(losses[place][(mask[place, 1:] * mask[place, :-1]).bool()], expected, atol=1e-4)


@torch.no_grad()
def test_losses_are_those_of_the_logits_and_conditions_are_never_written(model: Any) -> None:
    (row,) = songs(12)
    logits = model(row[None]).logits[0]
    logits = logits.log_softmax(dim=-1)
    expected = -logits[1:-1].gather(1, row[2:, None]).squeeze(1)
    assert torch.allclose(model.token_losses(row[None])[0, 1:], expected, atol=1e-4)
    assert model.token_losses(row[None])[0, 0] == 0  # the condition
    assert (logits[:, [0, 1, *range(55, 60)]] < IMPOSSIBLE / 100).all() or (
        logits[:, [0, 1, *range(55, 60)]].exp() < 1e-6
    ).all()
    labels = row.clone()
    labels[:2] = IGNORED
    assert model(row[None], labels=labels[None]).loss == pytest.approx(expected.mean().item(), rel=1e-4)
    summed = model(row[None], labels=labels[None], num_items_in_batch=3).loss
    assert summed == pytest.approx(expected.sum().item() / 3, rel=1e-4)
    model.loss_only = True
    assert model(row[None], labels=labels[None]).logits is None


@torch.no_grad()
def test_a_cache_gives_the_same_logits_as_none(model: Any) -> None:
    rows = songs(10, 6)
    ids, mask = padded(rows, left=True)
    whole = model(ids, mask).logits
    out = model(ids[:, :7], mask[:, :7], use_cache=True)
    assert torch.allclose(out.logits[0], whole[0, :7], atol=1e-4)
    assert out.past_key_values.get_seq_length() == 7
    for place in range(7, ids.shape[1]):
        out = model(
            ids[:, place : place + 1], mask[:, : place + 1], past_key_values=out.past_key_values, use_cache=True
        )
        assert torch.allclose(out.logits[:, 0], whole[:, place], atol=1e-4)


@torch.no_grad()
def test_a_cache_can_be_repeated_and_reordered(model: Any) -> None:
    rows = songs(8, 8)
    ids = torch.stack(rows)
    past = model(ids[:, :6], use_cache=True).past_key_values
    past.batch_repeat_interleave(2)
    out = model(ids[:, 6:7].repeat_interleave(2, dim=0), past_key_values=past, use_cache=True)
    whole = model(ids[:, :7]).logits[:, -1]
    assert torch.allclose(out.logits[:, 0], whole.repeat_interleave(2, dim=0), atol=1e-4)
    past = model(ids[:, :6], use_cache=True).past_key_values
    past.reorder_cache(torch.tensor([1, 0]))
    assert torch.allclose(model(ids[[1, 0], 6:7], past_key_values=past).logits[:, 0], whole[[1, 0]], atol=1e-4)
    past = model(ids[:, :6], use_cache=True).past_key_values
    past.batch_select_indices(torch.tensor([1]))
    assert torch.allclose(model(ids[1:, 6:7], past_key_values=past).logits[:, 0], whole[1:], atol=1e-4)


@torch.no_grad()
def test_songs_of_a_block_do_not_see_each_other(model: Any) -> None:
    rows = songs(9, 5, 7)
    lengths = [len(row) for row in rows]
    ids = torch.cat([*rows, torch.zeros(4, dtype=torch.long)])[None]
    numbers = torch.repeat_interleave(torch.tensor([1, 2, 3, 0]), torch.tensor([*lengths, 4]))[None]
    logits = model(ids, (numbers > 0).long(), song_ids=numbers).logits[0]
    start = 0
    for row in rows:
        assert torch.allclose(logits[start : start + len(row)], model(row[None]).logits[0], atol=1e-4)
        start += len(row)
    labels = torch.where(ids == 1, IGNORED, ids).masked_fill(numbers == 0, IGNORED).masked_fill(ids >= 55, IGNORED)
    expected = torch.cat([model.token_losses(row[None])[0, 1:] for row in rows]).mean()
    found = model(ids, (numbers > 0).long(), labels=labels, song_ids=numbers).loss
    assert found == pytest.approx(expected.item(), rel=1e-4)


def test_generation_with_and_without_the_cache_is_the_same(model: Any) -> None:
    ids, mask = padded(songs(6, 3), left=True)
    settings = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    written = model.generate(ids, attention_mask=mask, use_cache=True, **settings)
    assert written.tolist() == model.generate(ids, attention_mask=mask, use_cache=False, **settings).tolist()
    beams = model.generate(ids[:1], attention_mask=mask[:1], num_beams=3, num_return_sequences=2, **settings)
    assert len(beams) == 2


def test_only_the_last_logits_where_no_others_are_asked_for(model: Any) -> None:
    (row,) = songs(7)
    with torch.no_grad():
        whole = model(row[None]).logits
        assert torch.allclose(model(row[None], logits_to_keep=2).logits, whole[:, -2:], atol=1e-5)


def test_dropout_is_the_same_at_every_token_of_a_song() -> None:
    model = network("lstm-lm", dropout=0.5, embedding_dropout=0.5)
    model.train()
    kept = model._locked(torch.ones(3, 5, 16))
    assert (kept == kept[:, :1]).all()
    assert not (kept[0] == kept[1]).all()
    rows = model._words().abs().sum(dim=1)
    assert 0 < (rows == 0).sum() < len(rows)
