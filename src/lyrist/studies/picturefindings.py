"""What a study of pictures found, in sentences that its figures bear out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lyrist.metrics.intervals import mcnemar
from lyrist.training.trainpictures import FittedPictures


@dataclass(frozen=True)
class Line:
    """One line of the study."""

    name: str
    recipe: str
    options: Mapping[str, Any]
    block: str
    source: str | None
    """The earlier line whose features it reads."""
    curve: bool
    """Fit it on few pictures too."""
    instead_of: str | None
    """The line that begins from nothing, with which a transfer is compared."""


def order(recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how the reports' networks stand on validation, and whether that can be told."""
    names = [n for n in ("cnn-skip", "cnn-relu", "cnn-tanh") if any(line["name"] == n for line in recipes)]
    if len(names) < 2:
        return []
    by_name = {line["name"]: line["validation"]["accuracy"] for line in recipes if line["name"] in names}
    ranked = sorted(names, key=lambda name: -by_name[name]["value"])
    parts = [f"{n} {by_name[n]['value']:.1%} ({by_name[n]['low']:.1%} to {by_name[n]['high']:.1%})" for n in ranked]
    clear = all(by_name[a]["low"] > by_name[b]["high"] for a, b in itertools.pairwise(ranked))
    said = "no two intervals overlap" if clear else "intervals overlap: not every difference can be told"
    return [f"On validation: {', '.join(parts)}; {said}."]


def equal_time(lines: Sequence[Line], fitted: Mapping[str, FittedPictures]) -> list[dict[str, Any]]:
    """Compare each block's fast network with what the others had reached in its time, on validation."""
    found = []
    for line in lines:
        if line.recipe != "fast-resnet":
            continue
        run = fitted[line.name].run
        budget, own = float(run.info["seconds"]), float(run.results["validation"]["accuracy"]["value"])
        rows = [
            _in_time(other, fitted, budget)
            for other in lines
            if other.block == line.block and other.recipe not in ("fast-resnet", "transfer", "autoencoder")
        ]
        reached = [row for row in rows if row["accuracy"] is not None]
        if not reached:
            continue
        nearest = max(reached, key=lambda row: row["accuracy"])
        word = "more than" if own > nearest["accuracy"] else "no more than"
        sentence = (
            f"Block {line.block}: {line.name} reached {own:.1%} on validation in {budget:.0f} s, {word} any other network "
            f"that starts from nothing had in that time (at best {nearest['name']}, {nearest['accuracy']:.1%})."
        )
        found.append(
            {
                "name": line.name,
                "block": line.block,
                "seconds": budget,
                "accuracy": own,
                "others": rows,
                "sentence": sentence,
            }
        )
    return found


def head_start(line: Line, fitted: Mapping[str, FittedPictures]) -> float:
    """Return the seconds that went into what a line starts from: its source, or its own autoencoder."""
    if line.source:
        return float(fitted[line.source].run.info["seconds"])
    return float((fitted[line.name].run.info.get("autoencoder") or {}).get("seconds", 0.0))


def _in_time(line: Line, fitted: Mapping[str, FittedPictures], seconds: float) -> dict[str, Any]:
    """Return the best validation accuracy that a run had seen after so many seconds, those of what it starts from counted."""
    one, before = fitted[line.name], head_start(line, fitted)
    rows = [r for r in one.run.metrics if r["split"] == "validation" and r["seconds"] + before <= seconds]
    best = max(rows, key=lambda row: row["accuracy"], default=None)
    return {
        "name": line.name,
        "before": before,
        "accuracy": best["accuracy"] if best else None,
        "step": best["step"] if best else None,
        "in_the_end": one.run.results["validation"]["accuracy"]["value"],
        "seconds": one.run.info["seconds"],
    }


def transfer_gains(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare each transfer with its line from scratch, on the same test pictures, at each number of training pictures."""
    by_place = {(p["name"], p["per_class"]): p for p in points}
    found = []
    for point in points:
        other = by_place.get((point["instead_of"], point["per_class"])) if point["instead_of"] else None
        if other is None:
            continue
        pairs = list(zip(point["right"], other["right"], strict=True))
        alone, against = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
        gain, p = point["accuracy"]["value"] - other["accuracy"]["value"], mcnemar(alone, against)
        said = "they cannot be told apart" if p >= 0.05 else "transfer helps" if gain > 0 else "transfer does harm"
        found.append(
            {
                "name": point["name"],
                "instead_of": other["name"],
                "per_class": point["per_class"],
                "gain": gain,
                "p": p,
                "sentence": f"With {point['per_class']:,} training pictures a class, {point['name']} reaches "
                f"{point['accuracy']['value']:.1%} on test, {other['name']} {other['accuracy']['value']:.1%}: {said} "
                f"(exact McNemar p = {p:.2g}).",
            }
        )
    return found
