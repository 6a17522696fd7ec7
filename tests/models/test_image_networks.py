"""Networks for pictures: every recipe learns, is saved and opened by `transformers`, and answers alike for bytes and numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForImageClassification, pipeline

from lyrist.errors import UsageError
from lyrist.models import registry
from lyrist.models.image_networks import PictureShape, augment, log_probabilities
from lyrist.models.network import hushed

SHAPE = PictureShape(16, ("a", "b", "c"), (0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
NAMES = [recipe.name for recipe in registry.recipes("picture")]
CLASSIFIERS = [name for name in NAMES if name != "autoencoder"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def build(name: str, source: str = "autoencoder", **options: Any) -> Any:
    recipe = registry.get(name)
    small = {"channels": (4, 6), "hidden": 5, "dense": 8, "code": 4}
    known = {key: value for key, value in small.items() if key in recipe.options.__dataclass_fields__}
    torch.manual_seed(0)
    below = build(source) if "frozen" in recipe.options.__dataclass_fields__ else None
    shape = PictureShape(SHAPE.side, SHAPE.labels, SHAPE.mean, SHAPE.std, below)
    return recipe.build(registry.configure(recipe.options, {**known, **options}, name), shape)


def pictures(count: int = 6, seed: int = 0) -> torch.Tensor:
    made = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return torch.from_numpy(made).permute(0, 3, 1, 2)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (SHAPE.mean, SHAPE.std))
    return (pixels / 255 - mean) / std


def test_the_recipes_of_the_report_and_one_of_today_are_there() -> None:
    wanted = {"cnn-relu", "cnn-tanh", "cnn-sigmoid", "cnn-skip", "autoencoder", "autoencoder-classifier", "transfer"}
    assert set(NAMES) == wanted | {"fast-resnet"}
    assert all(registry.get(name).source for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_normalised_numbers_give_the_same_answer_in_any_batch(name: str) -> None:
    network, pixels = build(name).eval(), pictures()
    key = "reconstruction" if name == "autoencoder" else "logits"
    with torch.no_grad():
        whole = network(pixel_values=pixels)[key]
        torch.testing.assert_close(network(pixel_values=normalised(pixels))[key], whole)
        torch.testing.assert_close(network(pixel_values=pixels[2:3])[key], whole[2:3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_learns_the_pictures_it_is_shown(name: str) -> None:
    network, labels = build(name).train(), torch.tensor([0, 1, 2, 0, 1, 2])
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    pixels = pictures() // 4 + (labels * 70).view(-1, 1, 1, 1).to(torch.uint8)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = network(pixel_values=pixels, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_is_opened_by_transformers(name: str, tmp_path: Path) -> None:
    network, pixels = build(name).eval(), pictures()
    auto = AutoModel if name == "autoencoder" else AutoModelForImageClassification
    with hushed():
        network.save_pretrained(tmp_path)
        opened = auto.from_pretrained(tmp_path)
    key = "reconstruction" if name == "autoencoder" else "logits"
    with torch.no_grad():
        assert torch.equal(opened(pixel_values=pixels)[key], network(pixel_values=pixels)[key])
    if name != "autoencoder":
        assert opened.config.id2label == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_sum_to_one_and_the_loss_is_a_mean(name: str) -> None:
    network, labels = build(name).eval(), torch.tensor([0, 1, 2, 0, 1, 2])
    with torch.no_grad():
        outputs = network(pixel_values=pictures(), labels=labels)
        total = network(pixel_values=pictures(), labels=labels, num_items_in_batch=12).loss
    sums = log_probabilities(outputs.logits, network.config.output).exp().sum(dim=1)
    torch.testing.assert_close(sums, torch.ones(6))
    torch.testing.assert_close(total * 2, outputs.loss)


def test_a_sigmoid_output_is_fitted_by_binary_cross_entropy() -> None:
    network, labels = build("cnn-sigmoid").eval(), torch.tensor([0, 2])
    assert network.config.problem_type == "multi_label_classification"
    with torch.no_grad():
        outputs = network(pixel_values=pictures(2), labels=labels)
    truth = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])
    wanted = torch.nn.functional.binary_cross_entropy(outputs.logits.sigmoid(), truth, reduction="sum") / 2
    torch.testing.assert_close(outputs.loss, wanted)
    shares = log_probabilities(outputs.logits, "sigmoid").exp()
    each = outputs.logits.sigmoid()
    torch.testing.assert_close(shares, each / each.sum(dim=1, keepdim=True))


def test_skip_connections_begin_as_the_basic_network() -> None:
    skip, basic = build("cnn-skip").eval(), build("cnn-relu").eval()
    basic.load_state_dict({key: value for key, value in skip.state_dict().items() if "blocks" not in key})
    with torch.no_grad():
        torch.testing.assert_close(skip(pixel_values=pictures()).logits, basic(pixel_values=pictures()).logits)


@pytest.mark.parametrize("source", ["cnn-relu", "cnn-skip", "fast-resnet", "autoencoder"])
def test_frozen_features_stay_as_they_are_and_thawed_ones_move(source: str) -> None:
    network, labels = build("transfer", source).train(), torch.tensor([0, 1, 2, 0, 1, 2])
    before = {name: value.clone() for name, value in network.body.state_dict().items()}
    below = build(source)
    assert all(torch.equal(value, below.body.state_dict()[name]) for name, value in before.items())
    for frozen in (True, False):
        network.frozen = frozen
        optimizer = torch.optim.AdamW(network.parameters(), 0.01, weight_decay=0.1)
        for _ in range(2):
            network.train()
            network(pixel_values=pictures(), labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        same = [torch.equal(value, before[name]) for name, value in network.body.state_dict().items()]
        assert (
            all(same)
            if frozen
            else not any(
                torch.equal(value, before[name]) for name, value in network.body.named_parameters() if _used(name)
            )
        )


def _used(name: str) -> bool:
    """An autoencoder's dense layers lie behind the maps that a transfer reads."""
    return not name.startswith(("dense", "code"))


def test_a_transfer_needs_a_source_that_fits() -> None:
    recipe = registry.get("transfer")
    with pytest.raises(UsageError, match="--source RUN"):
        recipe.build(recipe.options(), SHAPE)
    with pytest.raises(UsageError, match="--side 16"):
        recipe.build(recipe.options(), PictureShape(32, SHAPE.labels, source=build("cnn-relu")))
    with pytest.raises(UsageError, match="--frozen"):
        recipe.options(frozen=1.5)


def test_augmented_pictures_are_the_same_points_moved_and_mirrored() -> None:
    pixels = pictures(32)
    torch.manual_seed(1)
    changed = augment(pixels, crop=2, flip=True)
    assert changed.dtype == torch.uint8
    assert changed.is_contiguous(memory_format=torch.channels_last)
    inside = changed[:, :, 4:12, 4:12]
    kinds = set()
    for one, made in zip(pixels, inside, strict=True):
        found = [
            (turned, dy, dx)
            for turned in (False, True)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal((one.flip(2) if turned else one)[:, 4 + dy : 12 + dy, 4 + dx : 12 + dx], made)
        ]
        assert found
        kinds.add(found[0])
    assert len(kinds) > 10
    torch.manual_seed(1)
    assert torch.equal(changed, augment(pixels, crop=2, flip=True))
    assert torch.equal(augment(pixels), pixels)


def test_a_cut_out_square_is_grey_and_of_its_size() -> None:
    pixels = torch.zeros(50, 3, 16, 16, dtype=torch.uint8)
    hidden = (augment(pixels, cutout=4) == 128).sum(dim=(2, 3))[:, 0]
    assert hidden.max() == 16
    assert hidden.min() >= 4  # at a corner


def test_only_training_augments() -> None:
    network = build("fast-resnet", crop=2, flip=True)
    with torch.no_grad():
        network.eval()
        assert torch.equal(network(pixel_values=pictures()).logits, network(pixel_values=pictures()).logits)
        network.train()
        assert not torch.equal(network.prepared(pictures()), network.prepared(pictures()))


def test_a_mirrored_picture_has_the_same_answer_where_both_are_asked() -> None:
    network = build("fast-resnet", flip=True).eval()
    with torch.no_grad():
        logits = network(pixel_values=pictures()).logits
        torch.testing.assert_close(network(pixel_values=pictures().flip(3)).logits, logits, rtol=1e-4, atol=1e-5)


def test_the_image_pipeline_of_transformers_opens_a_run(tmp_path: Path) -> None:
    from PIL import Image

    from lyrist.training.image_training import PictureModel

    model = PictureModel(build("cnn-relu").eval())
    model.save(tmp_path)
    pixels = pictures(1).permute(0, 2, 3, 1).numpy()
    with hushed():
        answers = pipeline("image-classification", model=str(tmp_path))(Image.fromarray(pixels[0]))
    probabilities = model.predict_proba(pixels)[0]
    for answer in answers:
        assert answer["score"] == pytest.approx(probabilities[model.classes_.index(answer["label"])], abs=1e-4)
