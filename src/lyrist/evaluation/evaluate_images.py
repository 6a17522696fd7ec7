"""`evaluate` and `classify` for image models. PyTorch, Pillow and Matplotlib are imported only when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError, UsageError
from lyrist.metrics.classification import describe_pictures, score_pictures, score_reconstructions
from lyrist.results import Result

if TYPE_CHECKING:
    from lyrist.images.pictureset import Pictures
    from lyrist.reports.blocks import Page
    from lyrist.training.image_training import PictureModel
    from lyrist.training.runs import Run

SHOWN = 5
"""Labels shown for each picture."""


def open_pictures(run: Run) -> PictureModel:
    """Return the fitted network of a run of an image model."""
    from lyrist.training.image_training import PictureModel
    from lyrist.training.runs import MODEL

    return PictureModel.load(run.path / MODEL)


@dataclass(frozen=True, repr=False)
class EvaluatedPictures(Result):
    """The scores of a run on one split of a set of pictures."""

    run: Path
    data: Path
    split: str
    scores: dict[str, Any]
    note: str
    """A caveat about these figures; may be empty."""

    def summary(self) -> str:
        """Return the figures with their intervals, and the note."""
        lines = [f"{self.run} on the {self.split} split of {self.data}", f"  {describe_pictures(self.scores)}"]
        if self.scores.get("unseen_labels"):
            lines.append(f"  not in training, so counted as wrong: {', '.join(self.scores['unseen_labels'][:8])}")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def figures(self) -> dict[str, Any]:
        """Return the scores for ``--json``."""
        return {"run": str(self.run), "data": str(self.data), "split": self.split, "note": self.note, **self.scores}


def evaluate_pictures(run: Run, data: str | None, split_name: str, batch_size: int) -> EvaluatedPictures:
    """Score a saved run on pictures.

    Parameters
    ----------
    run
        The run.
    data
        A set of pictures; by default the one that the run was fitted on, and the same block of its classes.
    split_name
        train, validation or test.
    batch_size
        Pictures per batch; the figures do not depend on it.

    Raises
    ------
    LyristError
        The pictures do not exist or are damaged, or none of the split has a class of the run.
    """
    from lyrist.images.pictureset import SPLITS, read

    if split_name not in SPLITS:
        raise UsageError(f"--split must be train, validation or test, got '{split_name}'.")
    model, info = open_pictures(run), run.info
    pictures = read(data or info["corpus"], model.side)
    same = pictures.fingerprint == info["fingerprint"]
    if not (same or data):
        from lyrist.training.runs import changed

        raise changed(run)
    pixels, labels = _own(pictures, info, split_name) if same else _others(pictures, info, split_name)
    if model.is_autoencoder:
        scores = score_reconstructions(pixels, model.reconstruct(pixels, batch_size))
    else:
        scores = score_pictures(labels, model.predict_proba(pixels, batch_size), model.classes_)
    note = (
        "" if same else "These are not the pictures the run was fitted on: some may be copies of its training pictures."
    )
    if same and split_name == "train":
        note = "These images were used for training, so the figures say nothing about new images."
    return EvaluatedPictures(run.path, pictures.path, split_name, scores, note)


def _own(pictures: Pictures, info: Mapping[str, Any], part: str) -> tuple[NDArray[np.uint8], list[str]]:
    from lyrist.images.pictureset import block

    own_block = block(pictures, info["block"], info["split_seed"])
    if info.get("per_class") and part == "train":
        own_block = own_block.with_at_most(info["per_class"], info["seed"])
    return own_block.pixels(part), own_block.labels(part)


def _others(pictures: Pictures, info: Mapping[str, Any], part: str) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the pictures of other data whose class the run knows."""
    from lyrist.images.pictureset import SPLITS, split

    known = [place for place, label in enumerate(pictures.classes) if label in info["block_classes"]]
    rows = np.flatnonzero((split(pictures, info["split_seed"]) == SPLITS.index(part)) & np.isin(pictures.labels, known))
    if not len(rows):
        raise LyristError(
            f"No picture in the {part} split of {pictures.path} has one of the classes that the run knows "
            f"({', '.join(info['block_classes'][:8])})."
        )
    return pictures.pixels[rows], [pictures.classes[number] for number in pictures.labels[rows]]


@dataclass(frozen=True, repr=False)
class ClassifiedPictures(Result):
    """Predictions of a run for some images, in the order of the input."""

    answers: list[tuple[str, dict[str, float]]]
    """The path of each, and every label with its probability, the most probable first."""
    rejected: list[tuple[str, str]]
    """Path and reason of each that could not be read."""
    html: Path | None = None

    def summary(self) -> str:
        """Return the most probable labels of each picture."""
        lines = []
        for name, shares in self.answers:
            first, *others = list(shares.items())[:SHOWN]
            lines.append(f"{name}: {first[0]}  {first[1]:.1%}")
            lines.append("  then " + ", ".join(f"{label} {share:.1%}" for label, share in others))
        lines += [f"{name}: skipped ({reason})" for name, reason in self.rejected]
        return "\n".join([*lines, *([f"page: {self.html}"] if self.html else [])])

    def figures(self) -> list[dict[str, Any]]:
        """Return label and probabilities of each picture for ``--json``, and the reason where own_block are none."""
        labelled: list[dict[str, Any]] = [
            {"picture": name, "label": next(iter(shares)), "probabilities": shares} for name, shares in self.answers
        ]
        return labelled + [{"picture": name, "label": None, "reason": reason} for name, reason in self.rejected]


def classify_pictures(run: Run, paths: Sequence[str], html: str | None = None) -> ClassifiedPictures:
    """Label pictures with a saved run.

    Parameters
    ----------
    run
        The run.
    paths
        Picture files, and folders of them.
    html
        A page to write: each picture with its labels.

    Raises
    ------
    LyristError
        The run is damaged or an autoencoder, or no picture can be read.
    """
    if not paths:
        raise UsageError("classify needs a picture: lyrist classify RUN PICTURE...")
    model = open_pictures(run)
    if model.is_autoencoder:
        raise LyristError(
            f"{run.path} is an autoencoder, which predicts no class; train the recipe autoencoder-classifier on it."
        )
    kept, rejected = [], []
    for path in spread(paths):
        pixels = decoded(path, model.side)
        if isinstance(pixels, str):
            rejected.append((str(path), pixels))
        else:
            kept.append((str(path), pixels))
    if not kept:
        raise LyristError(f"{rejected[0][0]} cannot be labelled: {rejected[0][1]}.")
    probabilities = model.predict_proba(np.stack([pixels for _, pixels in kept]))
    classes = model.classes_
    answers = [
        (name, {classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")})
        for (name, _), row in zip(kept, probabilities, strict=True)
    ]
    found = ClassifiedPictures(answers, rejected, Path(html) if html else None)
    if html:
        from lyrist.reports import page

        page.write(_page(found, [pixels for _, pixels in kept], run.info), Path(html))
    return found


def spread(paths: Sequence[str]) -> list[Path]:
    """Return the files, those inside folders too."""
    found: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            found.append(path)
    if not found:
        raise LyristError(f"There is no file in {paths[0]}; give a picture or a folder of pictures.")
    return found


def decoded(path: Path, side: int) -> NDArray[np.uint8] | str:
    """Return the pixels of a picture file, (side, side, 3), or the reason why it cannot be read."""
    from lyrist.images.decoding import UndecodableError, careful, decode

    try:
        data = path.read_bytes()
        with careful():
            return decode(data, side)
    except OSError as error:
        return error.strerror or "it cannot be read"
    except UndecodableError as error:
        return str(error)


def _page(found: ClassifiedPictures, pixels: Sequence[NDArray[np.uint8]], info: Mapping[str, Any]) -> Page:
    from lyrist.reports import figures
    from lyrist.reports.blocks import Page, Section
    from lyrist.reports.figures import Shot, sheet

    sections = []
    for (name, shares), picture in zip(found.answers, pixels, strict=True):
        label = next(iter(shares))
        drawn = figures.bars(dict(list(shares.items())[:10]), spec=".1%", name="labels")
        sections.append(Section(f"{Path(name).name}: {label}", [sheet([Shot([picture])], size=160), drawn]))
    return Page(
        "Predicted classes",
        sections,
        subtitle=f"{info['recipe']}, fitted on {info['pictures']['train']:,} pictures",
        kicker="Lyrist classify",
    )
