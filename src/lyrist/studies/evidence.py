"""Songs as evidence: those that a model got most wrong and most right, with the words that decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from lyrist.evaluation.classify import spans
from lyrist.evaluation.explain import explain
from lyrist.metrics.classification import calibration_of, hardest, most_telling
from lyrist.reports import figures
from lyrist.reports.blocks import Block, Details, Figure, Lyrics, Prose, Section
from lyrist.training.dataset import Predictions, View
from lyrist.training.train import Fitted

SHOWN = 4
"""Songs of each kind."""

LONGEST = 3_000
"""Characters of a song that the page shows."""


KINDS = (
    ("hardest", "Hardest: wrong, the truth held for least likely", hardest),
    ("most_telling", "Most telling: right, and most sure", most_telling),
)


def explanations(selected: Fitted, dataset: View) -> dict[str, list[dict[str, Any]]]:
    """Return the hardest and the most telling test songs of a model, with the words that decided.

    This needs the model. The result is a part of ``results.json``, so that a report is drawn without one.

    Returns
    -------
    dict
        By kind (``hardest``, ``most_telling``) a list of objects: ``id`` of the song, ``truth``, ``prediction``,
        ``probability`` of the prediction, ``words`` (pairs of word and weight) and ``method``.
    """
    judged = selected.judged["test"]
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, _, find in KINDS:
        found[kind] = []
        for place in find(judged.truth, judged.probabilities, judged.classes, SHOWN):
            number = int(judged.ids[place])
            song = dataset.songs.row(by_predicate=pl.col("id") == number, named=True)
            label = judged.answers[place]
            text = (song["lyrics"] or "")[:LONGEST]
            explanation = explain(selected.run.model, text, label=label, artist=song["artist"] or "")
            found[kind].append(
                {
                    "id": number,
                    "truth": judged.truth[place],
                    "prediction": label,
                    "probability": float(np.float32(judged.probabilities[place].max())),  # as it is stored
                    "words": [[word, float(weight)] for word, weight in explanation.words],
                    "method": explanation.method,
                }
            )
    return found


def songs(explained: Mapping[str, Sequence[Mapping[str, Any]]], dataset: View) -> Section:
    """Return the section of the hardest and the most telling test songs, drawn from what `explanations` found."""
    blocks: list[Block] = []
    for kind, title, _ in KINDS:
        shown = explained[kind]
        blocks += [
            Prose(f"{title}{'' if shown else ' (there is none)'}."),
            *(_song(one, dataset) for one in shown),
        ]
    return Section("Songs", blocks, "Marked: the words that spoke for the prediction, stronger where they weigh more.")


def _song(one: Mapping[str, Any], dataset: View) -> Details:
    song = dataset.songs.row(by_predicate=pl.col("id") == one["id"], named=True)
    text = (song["lyrics"] or "")[:LONGEST]
    title = (
        f"{song['artist'] or '?'}: {song['title'] or '?'} (truly {one['truth']}, predicted {one['prediction']} "
        f"with {one['probability']:.0%})"
    )
    words = [(word, weight) for word, weight in one["words"]]
    return Details(title, [Lyrics(text, spans(text, words), note=f"By {one['method']}.")])


def calibration(judged: Predictions) -> Figure:
    """Return the picture of how often the model was right against how sure it was."""
    found = calibration_of(judged.truth, judged.probabilities, judged.classes)
    bins = [(b["confidence"], b["accuracy"], b["n"]) for b in found["bins"]]
    return figures.calibration(
        bins,
        title="How sure, how right",
        caption=f"Expected calibration error {found['ece']:.3f}: on the diagonal, a model that is 80% sure is right in 80%.",
    )
