"""Training of image recipes in the common training loop.

The whole data set is in memory as bytes, and a batch is one index operation, in the memory order channels-last. There are no
worker processes and no decoding during training. A transfer model keeps its features frozen for a share of the budget, inside
the same run.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from lyrist import files
from lyrist.errors import LyristError, UsageError
from lyrist.models import auto
from lyrist.models.hub import open_network
from lyrist.models.image_networks import PictureShape, log_probabilities
from lyrist.models.image_transfer import Autoencoder, CodeOptions, TransferClassifier
from lyrist.models.network import hushed
from lyrist.training.batches import Batch
from lyrist.training.estimators import configure
from lyrist.training.journal import Sums
from lyrist.training.loop import Loop, Measure, Outcome, seeded, train
from lyrist.training.schedule import Schedule, device_for, threads

PROCESSOR = "preprocessor_config.json"
"""The preprocessing configuration for image pipelines of `transformers`."""


class PictureExamples:
    """Pictures as bytes, optionally with class numbers.

    Parameters
    ----------
    pixels
        (n, side, side, 3).
    labels
        (n,) class numbers, or None.
    """

    def __init__(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> None:
        self._pixels, self._labels = pixels, labels
        self.lengths: NDArray[np.int64] = np.ones(len(pixels), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._pixels)

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return ``pixel_values``, (pictures, 3, side, side) bytes channels-last, and ``labels`` if set."""
        batch = {"pixel_values": torch.from_numpy(self._pixels[rows]).permute(0, 3, 1, 2)}
        if self._labels is not None:
            batch["labels"] = torch.from_numpy(self._labels[rows])
        return batch


class PictureModel:
    """An image network, fitted or loaded from a directory.

    Attributes
    ----------
    network : PreTrainedModel
        The network.
    outcome : Outcome or None
        Figures of the training.
    before : Outcome or None
        Figures of the training of its autoencoder, if that was fitted for this network.
    """

    def __init__(self, network: PreTrainedModel, outcome: Outcome | None = None, before: Outcome | None = None) -> None:
        self.network, self.outcome, self.before = network, outcome, before

    @property
    def classes_(self) -> list[str]:
        """The labels in the order of the probabilities; none for an autoencoder."""
        config: Any = self.network.config
        return [] if self.is_autoencoder else [str(config.id2label[place]) for place in range(config.num_labels)]

    @property
    def is_autoencoder(self) -> bool:
        """Whether this is an autoencoder, which outputs pictures."""
        return isinstance(self.network, Autoencoder)

    @property
    def side(self) -> int:
        """The side length of its pictures."""
        return int(self.network.config.image_size)

    def parameters(self) -> int:
        """Return the number of parameters."""
        return sum(weights.numel() for weights in self.network.parameters())

    def predict_proba(self, pixels: NDArray[np.uint8], batch_size: int = 256, device: str = "auto") -> NDArray[Any]:
        """Return the probabilities, (n, classes), of pictures (n, side, side, 3); rows sum to 1."""
        found = np.zeros((len(pixels), len(self.classes_)), dtype=np.float64)
        for rows, outputs in self._outputs(pixels, batch_size, device):
            logits = log_probabilities(outputs.logits, self.network.config.output)
            found[rows] = logits.double().softmax(dim=-1).cpu().numpy()
        return found

    def reconstruct(self, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.uint8]:
        """Return the reconstructions of an autoencoder, (n, side, side, 3)."""
        found = np.zeros_like(pixels)
        for rows, outputs in self._outputs(pixels, batch_size, "auto"):
            reconstructed = outputs.reconstruction.clamp(0, 1).mul(255).round().to(torch.uint8)
            found[rows] = reconstructed.permute(0, 2, 3, 1).cpu().numpy()
        return found

    def _outputs(self, pixels: NDArray[np.uint8], batch_size: int, device: str) -> Any:
        where = device_for(device)
        network: Any = self.network
        network.to(where).eval()
        examples = PictureExamples(pixels)
        with torch.inference_mode(), threads(network):
            for start in range(0, len(pixels), batch_size):
                rows = np.arange(start, min(start + batch_size, len(pixels)))
                yield rows, network(pixel_values=examples.collate(rows)["pixel_values"].to(where))
        network.to("cpu")

    def save(self, folder: Path) -> None:
        """Write the network as a Hugging Face directory, with the preprocessing configuration."""
        config = self.network.config
        with hushed(), files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            network: Any = self.network
            network.to("cpu", memory_format=torch.contiguous_format).save_pretrained(folder)
        side = {"height": config.image_size, "width": config.image_size}
        steps = {"do_resize": True, "size": side, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True}
        known = {"image_processor_type": "ViTImageProcessor", "image_mean": config.mean, "image_std": config.std}
        files.write_json(folder / PROCESSOR, {**known, **steps, "resample": 3, "rescale_factor": 1 / 255})

    @classmethod
    def load(cls, folder: Path) -> PictureModel:
        """Open what `save` wrote.

        Raises
        ------
        LyristError
            A file is missing, damaged or does not match the others.
        """
        auto.register()
        config = files.read_json(folder / "config.json", "a saved network")
        is_autoencoder = isinstance(config, dict) and config.get("model_type") == "lyrist-picture-autoencoder"
        return cls(open_network(AutoModel if is_autoencoder else AutoModelForImageClassification, folder, own=True))


@dataclasses.dataclass(frozen=True)
class Material:
    """The training and validation data of an image network."""

    labels: tuple[str, ...]
    train: NDArray[np.uint8]
    """(n, side, side, 3)."""
    targets: NDArray[np.int64]
    validation: NDArray[np.uint8]
    validation_targets: NDArray[np.int64]

    def shape(self, source: PreTrainedModel | None) -> PictureShape:
        """Return the properties of the network that depend on these pictures."""
        part = self.train[:: max(1, len(self.train) // 10_000)].reshape(-1, 3) / 255.0
        mean, std = part.mean(axis=0), np.maximum(part.std(axis=0), 1e-3)
        middle, spread = (tuple(round(float(v), 4) for v in values) for values in (mean, std))
        return PictureShape(int(self.train.shape[1]), self.labels, middle, spread, source)


def learn(
    recipe: str,
    options: Mapping[str, Any],
    material: Material,
    *,
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    source: PictureModel | None = None,
    title: str = "",
) -> PictureModel:
    """Fit an image recipe.

    Parameters
    ----------
    recipe
        Its name.
    options
        Options of the recipe and of the `Schedule`, by name; strings are converted as on the command line.
    material
        Training data, and validation data for the selection of the best step.
    seed
        Seed of the initial weights, the order of the pictures and the augmentation.
    folder
        The folder for ``metrics.jsonl`` and checkpoints; None: none are written.
    resume
        Continue from the checkpoint in ``folder``.
    source
        The network whose features a transfer model uses.
    title
        The title of the progress bar.

    Raises
    ------
    UsageError
        An option is unknown or has a wrong value, or a transfer has no source.
    LyristError
        The loss is no longer a number, or the checkpoint is of a run with other settings.
    """
    entry, settings, schedule = configure(recipe, options, seed, "picture")
    before = None
    if source is None and isinstance(settings, CodeOptions):
        shared = {f.name: getattr(schedule, f.name) for f in dataclasses.fields(Schedule) if f.name in SHARED}
        source = learn("autoencoder", shared, material, seed=seed, title=f"{title or recipe}: its autoencoder")
        before = source.outcome
    if source is not None and isinstance(settings, CodeOptions) and not source.is_autoencoder:
        raise UsageError(f"The recipe '{recipe}' needs an autoencoder as --source; choose a run of one.")
    with hushed(), seeded(schedule.seed):
        network: Any = entry.build(settings, material.shape(source.network if source else None))
    network.to(memory_format=torch.channels_last)
    callbacks = [partial(Unfreeze, network, settings.frozen)] if isinstance(network, TransferClassifier) else []
    outcome = train(
        network,
        PictureExamples(material.train, material.targets),
        PictureExamples(material.validation, material.validation_targets) if len(material.validation) else None,
        schedule, measure=reconstruction if isinstance(network, Autoencoder) else classification(network.config.output),
        folder=folder, resume=resume, bucketed=False, title=title or recipe, callbacks=callbacks,
    )  # fmt: skip
    return PictureModel(network, outcome, before)


SHARED = ("steps", "minutes", "epochs", "batch_size", "precision", "threads", "device")
"""Settings that an autoencoder shares with the classifier that it is fitted for."""


class Unfreeze(TrainerCallback):
    """Keeps the features of a transfer model frozen for a share of the budget, then unfreezes them."""

    def __init__(self, network: TransferClassifier, share: float, loop: Loop) -> None:
        if share and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise LyristError("Frozen features need a single process; start without torchrun, or use --frozen 0.")
        self.network, self.share, self.loop = network, share, loop

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Set whether the features are frozen in the next step."""
        self.network.frozen = self.loop.done(state.global_step) < self.share
        return control


def classification(output: str) -> Measure:
    """Return a function for the sums of loss (nats per picture) and of correct predictions."""

    def measure(outputs: Any, batch: Batch) -> Sums:
        found, labels = log_probabilities(outputs.logits, output), batch["labels"]
        return {
            "loss": (-found.gather(1, labels.unsqueeze(1)).sum(), len(labels)),
            "accuracy": ((found.argmax(dim=-1) == labels).sum(), len(labels)),
        }

    return measure


def reconstruction(outputs: Any, batch: Batch) -> Sums:
    """Return the sum of the mean squared errors of the pictures."""
    loss: Tensor = outputs.loss
    count = len(batch["pixel_values"])
    return {"loss": (loss * count, count)}


def pictures_per_second(outcomes: Sequence[Outcome | None]) -> float:
    """Return training pictures per second over one or several trainings, without validation."""
    real = [o for o in outcomes if o is not None and o.tokens_per_second]
    seconds = sum(o.tokens / o.tokens_per_second for o in real)
    return round(sum(o.tokens for o in real) / seconds, 1) if seconds else 0.0
