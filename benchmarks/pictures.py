"""Pictures per second in data loading and training: Lyrist compared with a DataLoader that decodes each picture.

    python benchmarks/pictures.py [--pictures 4000] [--steps 60] [--data FOLDER] [--json]

Both use the same files, one folder per class (generated here, or ``--data``), and the same augmentation: random shifts of up to
three pixels and random flips. The comparison is a typical notebook: a Dataset that opens, augments and converts each file with
Pillow, a DataLoader, and a training step in float32. CPU seconds are compared, in one process on one thread, first of data
loading alone, then of training the basic CNN. The initial reading of all files by Lyrist is a separate line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lyrist import progress
from lyrist.images.pictureset import block, read
from lyrist.models import registry
from lyrist.models.image_networks import PictureShape, augment
from lyrist.training.batches import Stream
from lyrist.training.image_training import PictureExamples
from lyrist.training.schedule import half_precision

BATCH, CROP = 64, 3
CLASSES = 10


class Files(Dataset[tuple[Tensor, int]]):
    """The notebook's way: one picture at a time, from its file."""

    def __init__(self, paths: list[Path], labels: list[int]) -> None:
        self.paths, self.labels = paths, labels

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[place]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        padded = np.pad(pixels, ((CROP, CROP), (CROP, CROP), (0, 0)), mode="reflect")
        y, x = np.random.randint(0, 2 * CROP + 1, 2)
        side = pixels.shape[0]
        pixels = padded[y : y + side, x : x + side]
        if np.random.rand() < 0.5:
            pixels = pixels[:, ::-1]
        values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float().div(255)
        return (values - 0.5) / 0.25, self.labels[place]


def draw(folder: Path, count: int) -> None:
    """Write pictures of 32 x 32 pixels with shapes of some size, as JPEG, a folder a class."""
    rng = np.random.default_rng(0)
    for number in range(count):
        rough = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(rough).resize((32, 32), Image.Resampling.BICUBIC)
        place = folder / f"class {number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number:06d}.jpg", quality=90)


def rate(batches: Iterator[Any], step: Callable[[Any], None], steps: int, warm: int = 3) -> float:
    """Return pictures a CPU second over so many batches."""
    for _ in range(warm):
        step(next(batches))
    started = time.process_time()
    for _ in range(steps):
        step(next(batches))
    return steps * BATCH / (time.process_time() - started)


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield batches for ever."""
    while True:
        yield from loader


def network(labels: tuple[str, ...], changes: bool) -> Any:
    """Return the basic CNN."""
    recipe = registry.get("cnn-relu")
    given = {"crop": CROP, "flip": True} if changes else {}
    torch.manual_seed(0)
    return recipe.build(registry.configure(recipe.options, given, "cnn-relu"), PictureShape(32, labels))


def plain(paths: list[Path], targets: list[int], labels: tuple[str, ...], steps: int) -> tuple[float, float]:
    """Return pictures a second of feeding, and of training, the notebook's way."""
    loader = DataLoader(Files(paths, targets), batch_size=BATCH, shuffle=True, drop_last=True)
    feeding = rate(endless(loader), lambda batch: None, steps)
    model = network(labels, changes=False).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(batch: Any) -> None:
        loss = model(pixel_values=batch[0], labels=batch[1]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return feeding, rate(endless(loader), step, steps)


def ours(pixels: Any, targets: Any, labels: tuple[str, ...], steps: int) -> tuple[float, float]:
    """Return pictures a second of feeding, and of training, from memory, in batches, channels-last."""
    examples = PictureExamples(pixels, targets)

    def batches() -> Iterator[Any]:
        return iter(Stream(examples, BATCH, 10**6, bucketed=False))

    feeding = rate(batches(), lambda batch: (augment(batch["pixel_values"], CROP, True), None)[1], steps)
    model = network(labels, changes=True).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    half = half_precision("auto", torch.device("cpu"))

    def step(batch: Any) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return feeding, rate(batches(), step, steps)


def measure(folder: Path, steps: int) -> dict[str, float]:
    """Return every figure."""
    started = time.process_time()
    found = read(folder)
    reading = time.process_time() - started
    there = block(found, "all", 0)
    rows = there.rows("train")
    paths = [folder / found.names[row] for row in rows]
    targets = there.targets("train")
    a, b = ours(there.pixels("train"), targets, there.classes, steps)
    c, d = plain(paths, targets.tolist(), there.classes, steps)
    return {
        "pictures": len(found.labels),
        "read once, pictures/s": len(found.labels) / reading,
        "feeding, pictures/s": a,
        "feeding, plain": c,
        "feeding, times": a / c,
        "training, pictures/s": b,
        "training, plain": d,
        "training, times": b / d,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--data", type=Path, help="a folder of 32 x 32 pictures, a folder a class")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    progress.quiet()
    with tempfile.TemporaryDirectory() as drawn:
        if given.data is None:
            draw(Path(drawn), given.pictures)
        found = measure(given.data or Path(drawn), given.steps)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(f"{name:<24} {value:>12,.1f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
