"""Songs as evidence: those that a model got most wrong and most right, with the words that decided."""

from __future__ import annotations

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


def songs(picked: Fitted, question: View) -> Section:
    """Return the section of the hardest and the most telling test songs of the picked recipe."""
    judged = picked.judged["test"]
    blocks: list[Block] = []
    for title, find in (
        ("Hardest: wrong, the truth held for least likely", hardest),
        ("Most telling: right, and most sure", most_telling),
    ):
        places = find(judged.truth, judged.probabilities, judged.classes, SHOWN)
        blocks += [
            Prose(f"{title}{'' if places else ' (there is none)'}."),
            *(_song(picked, question, judged, place) for place in places),
        ]
    return Section("Songs", blocks, "Marked: the words that spoke for the answer, stronger where they weigh more.")


def _song(picked: Fitted, question: View, judged: Predictions, place: int) -> Details:
    song = question.songs.row(by_predicate=pl.col("id") == int(judged.ids[place]), named=True)
    text = (song["lyrics"] or "")[:LONGEST]
    answer, sure = judged.answers[place], float(judged.probabilities[place].max())
    name = f"{song['artist'] or '?'}: {song['title'] or '?'}"
    said = f"{name} (truly {judged.truth[place]}, taken for {answer} with {sure:.0%})"
    explanation = explain(picked.run.model, text, label=answer, artist=song["artist"] or "")
    return Details(said, [Lyrics(text, spans(text, explanation.words), note=f"By {explanation.method}.")])


def calibration(judged: Predictions) -> Figure:
    """Return the picture of how often the model was right against how sure it was."""
    found = calibration_of(judged.truth, judged.probabilities, judged.classes)
    bins = [(b["confidence"], b["accuracy"], b["n"]) for b in found["bins"]]
    return figures.calibration(
        bins,
        title="How sure, how right",
        caption=f"Expected calibration error {found['ece']:.3f}: on the diagonal, a model that is 80% sure is right in 80%.",
    )
