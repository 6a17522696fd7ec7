"""`evaluate`: score a saved run on the corpus that it was fitted on or on another one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.labels import Labels, labels_of
from lyrist.errors import LyristError, UsageError
from lyrist.metrics.kinds import phrase
from lyrist.models.inputs import songs as as_input
from lyrist.results import Result
from lyrist.training.dataset import check_features, only_labels
from lyrist.training.predictions import kind_of
from lyrist.training.runs import is_network, open_run


@dataclass(frozen=True, repr=False)
class Evaluated(Result):
    """The scores of a run on one split of a corpus."""

    run: Path
    corpus: Path
    split: str
    scores: dict[str, Any]
    note: str
    """A caveat about these figures; may be empty."""

    def summary(self) -> str:
        """Return the figures with their intervals, and the note."""
        s = self.scores
        error = f", calibration error {s['calibration']['ece']:.3f}" if "calibration" in s else ""
        lines = [f"{self.run} on the {self.split} split of {self.corpus}", f"  {phrase(s)}{error}"]
        if s.get("unseen_labels"):
            lines.append(f"  not in training, so counted as wrong: {', '.join(s['unseen_labels'][:8])}")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def figures(self) -> dict[str, Any]:
        """Return the scores for ``--json``."""
        return {"run": str(self.run), "corpus": str(self.corpus), "split": self.split, "note": self.note, **self.scores}


def evaluate(
    run: str,
    data: str | None = None,
    *,
    split: str = "test",
    batch_size: int = 64,
    as_reported: bool = False,
) -> Result:
    """Score a saved run.

    Parameters
    ----------
    run
        The run directory.
    data
        A corpus directory; by default the one that the run was fitted on.
    split
        train, validation or test.
    batch_size
        Songs per batch; the figures do not depend on it.
    as_reported
        For a language model: also compute perplexity and accuracy in the inconsistent ways of published reports (padding
        scored, averaged by song, untrained token rows), and explain the differences. See docs/scoring.md.

    Raises
    ------
    UsageError
        ``as_reported`` for a run that is not a language model.
    LyristError
        The run or the corpus does not exist, is damaged or (without ``data``) is another one, or no song of the split has
        the label that the run predicts.
    """
    opened = open_run(run)
    if batch_size < 1:
        raise LyristError(f"--batch-size must be at least 1, got {batch_size}.")
    if as_reported and opened.info["task"] != "write":
        raise UsageError(f"--as-reported is for language models; the task of {run} is {opened.info['task']}.")
    if opened.info["task"] == "picture":
        from lyrist.evaluation.evaluate_images import evaluate_pictures

        return evaluate_pictures(opened, data, split, batch_size)
    corpus = Corpus.open(data) if data else opened.corpus()
    if opened.info["task"] == "write":
        from lyrist.evaluation.evaluate_writer import evaluate_writer

        caveat = note(opened.info, corpus, split)
        return evaluate_writer(opened, corpus, split, batch_size=batch_size, as_reported=as_reported, note=caveat)
    target, labels = opened.info["target"], Labels.of(opened.info)
    corpus.check_target(target)
    if labels.multi and not labels.separator:  # an estimator that was saved as a run
        labels = labels_of(corpus, target)
    options = {"batch_size": batch_size} if is_network(opened.model) else {}
    known = [str(label) for label in opened.model.classes_]
    read, parts = [], []
    check_features(corpus, opened.features, target)
    columns = list(dict.fromkeys(["id", "cluster", "lyrics", "artist", target, *opened.features]))
    done, tokens = 0, np.zeros(3, dtype=np.int64)
    with progress.task(
        f"scoring on {split}"
    ) as advance:  # in blocks: n-gram features take ten times the memory of the text
        for block in corpus.batches(split, columns):
            songs = block.with_columns(labels.read(block[target], known).alias("label")).drop_nulls("label")
            if only := opened.info["only"]:
                songs = only_labels(songs, only, labels)
            if len(songs):
                others = {name: songs[name] for name in opened.features}
                texts = as_input(songs["lyrics"].to_list(), songs["artist"].fill_null("").to_list(), others)
                parts.append(np.asarray(opened.model.predict_proba(texts, **options), dtype=float))
                read.append(songs.select("id", "cluster", "label"))
                if is_network(opened.model):
                    of = opened.model.tokens_read(texts)
                    tokens += (*of.sum(axis=0), (of[:, 0] < of[:, 1]).sum())
                done += len(songs)
                advance(done, corpus.info["counts"]["splits"].get(split))
    if not parts:
        raise LyristError(f"No song in the {split} split of {corpus.path} has a {target}; choose another --split.")
    scored, limits = pl.concat(read), opened.info.get("thresholds")
    predicted = kind_of(opened.info)(
        scored["id"].to_numpy(), scored["label"].to_list(), np.concatenate(parts), known,
        None if limits is None else np.array(limits), scored["cluster"].to_numpy(),
    )  # fmt: skip
    caveat = note(opened.info, corpus, split)
    if tokens[2]:
        read_of = f"Read {tokens[0]:,} of {tokens[1]:,} tokens: {tokens[2]:,} songs are longer than the network reads."
        caveat = f"{read_of} {caveat}".strip()
    return Evaluated(Path(run), corpus.path, split, predicted.score(), caveat)


def note(info: dict[str, Any], corpus: Corpus, split: str) -> str:
    """Return a caveat if songs of this split may have been used for training; else an empty string."""
    if info["fingerprint"] != corpus.fingerprint:
        return "This is not the corpus the run was fitted on: it may contain training songs of the run."
    own = corpus.info["settings"]["split"]
    if info["split_by"] != ("column" if own["column"] else own["by"]):
        return f"The run was fitted on a split by {info['split_by']}: some of these songs were used for training."
    seen = split in info.get("fitted_on", ["train"])
    return "These songs were used for training, so the figures say nothing about new songs." if seen else ""
