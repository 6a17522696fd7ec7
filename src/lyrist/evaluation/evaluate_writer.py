"""`evaluate` for language models: bits per byte with an interval, and a paired comparison with PPMd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.compression import PRIMER, Read, read_by_ppmd
from lyrist.evaluation.fluency import passes, strongest
from lyrist.metrics.language_modelling import SongLosses, figures, paired, song_losses
from lyrist.results import Result
from lyrist.training.runs import Run
from lyrist.training.writing_task import LARGEST, held

OF_WRITTEN = ("fluency", "originality", "songcraft", "obedience")
"""Keys of ``results.json`` about generated samples, present if the run generated any."""


@dataclass(frozen=True, repr=False)
class EvaluatedWriter(Result):
    """The scores of a language model on one split of a corpus."""

    run: Path
    corpus: Path
    split: str
    scores: dict[str, Any]
    """As `lyrist.metrics.language_modelling.figures`."""
    ppmd: dict[str, Any]
    """As `lyrist.evaluation.compression.ppmd`, on the same songs; and ``against``: the paired difference, model minus PPMd."""
    note: str
    """A caveat about these figures; may be empty."""
    reported: dict[str, Any] | None = None
    """As `lyrist.evaluation.legacy_metrics.as_reported`, if requested."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """Fluency, originality, songcraft and conditioning accuracy (key ``obedience``) of the samples, from ``results.json``."""

    def summary(self) -> str:
        """Return the figures with their intervals, those of PPMd, and the notes."""
        s = self.scores
        lines = [
            f"{self.run} on the {self.split} split of {self.corpus}",
            f"  {_bits(s)} (n = {s['n']:,} songs, {s['bytes']:,} bytes), {s['nats_per_byte']['value']:.3f} nats per byte, "
            f"perplexity per token {s['perplexity']:,.2f} ({s['tokens']:,} tokens)",
            f"  PPMd: {_bits(self.ppmd)} (n = {self.ppmd['n']:,}) after {self.ppmd['primer_bytes']:,} bytes, "
            f"{self.ppmd['cpu_seconds']:.1f} CPU seconds; {_sentence(self.ppmd['against'])}",
            *_of_written(self.written),
            *self._legacy_table(),
            *([self.note] if self.note else []),
        ]
        return "\n".join(lines)

    def _legacy_table(self) -> list[str]:
        if not self.reported:
            return []
        from lyrist.evaluation.legacy_metrics import table

        return [table(self.reported)]

    def figures(self) -> dict[str, Any]:
        """Return the scores for ``--json``: under the name of the split, and each at the top level."""
        legacy = {"as_reported": self.reported} if self.reported else {}
        return {
            "run": str(self.run), "corpus": str(self.corpus), "split": self.split, "note": self.note,
            self.split: self.scores, **self.scores, "ppmd": self.ppmd, **self.written, **legacy,
        }  # fmt: skip


def evaluate_writer(
    opened: Run, corpus: Corpus, split: str, *, batch_size: int = 16, as_reported: bool = False, note: str = ""
) -> EvaluatedWriter:
    """Score a language model on a split of a corpus.

    Parameters
    ----------
    opened
        A run of a language model.
    corpus
        The corpus to score on; its training songs are the primer of PPMd.
    split
        train, validation or test; if it has more than `LARGEST` songs, a sample by the seed of the split.
    batch_size
        Songs per batch; the figures do not depend on it.
    as_reported
        Also compute the legacy metrics.
    note
        A caveat for the reader.

    Raises
    ------
    LyristError
        The split has no song, or the run is damaged or cannot be scored.
    """
    writer = opened.writer
    songs = held(corpus, split, list(writer.conditions))
    losses = song_losses(writer, songs, batch_size=batch_size)
    read = read_by_ppmd(_primer_songs(corpus), songs["lyrics"].to_list())
    return EvaluatedWriter(
        opened.path,
        corpus.path,
        split,
        figures(losses),
        {**read.figures(), "against": _against(losses, read)},
        note,
        _legacy_figures(writer, songs) if as_reported else None,
        {name: opened.results[name] for name in OF_WRITTEN if name in opened.results},
    )


def _legacy_figures(writer: Any, songs: pl.DataFrame) -> dict[str, Any]:
    from lyrist.evaluation import legacy_metrics

    return legacy_metrics.as_reported(writer, songs)


def _primer_songs(corpus: Corpus) -> list[str]:
    """Return training songs for PPMd: all, or a sample about twice as large as the primer."""
    mean = corpus.scan("train").select(pl.col("lyrics").head(LARGEST).str.len_bytes().mean()).collect().item()
    share = 2 * PRIMER / (mean * int(corpus.info["counts"]["splits"]["train"]))
    rng = np.random.default_rng(0)
    sample: list[str] = []
    for frame in corpus.batches("train", ["lyrics"]):
        sample += frame["lyrics"].filter(pl.Series(rng.random(len(frame)) < share)).to_list()
    return sample


def _against(losses: SongLosses, read: Read) -> dict[str, float]:
    some = SongLosses(*(getattr(losses, name)[read.places] for name in ("nats", "tokens", "bytes")))
    return paired(some, read.losses)


def _bits(scores: Mapping[str, Any]) -> str:
    bits = scores["bits_per_byte"]
    return f"{bits['value']:.3f} bits per byte [{bits['low']:.3f}, {bits['high']:.3f}]"


def _sentence(test: Mapping[str, float]) -> str:
    difference = f"difference of the model {test['difference']:+.3f} [{test['low']:+.3f}, {test['high']:+.3f}]"
    if test["low"] <= 0 <= test["high"]:
        return f"{difference}: not significant"
    return f"{difference}: {'better than the compressor' if test['high'] < 0 else 'worse than the compressor'}"


def _of_written(written: Mapping[str, Any]) -> list[str]:
    """Return one line for each figure of the generated samples."""
    lines = []
    if auc := strongest(written.get("fluency", {})):
        lines.append(
            f"  recognised as generated: {auc['value']:.0%} of pairs with a real line [{auc['low']:.0%}, {auc['high']:.0%}], by "
            f"the judge {auc['judge']}; 50% is guessing"
        )
    if "originality" in written:
        found = written["originality"]
        lines.append(
            f"  {found['n']} generated songs: {found['shares']['4']['value']:.1%} of runs of 4 words occur in a training "
            f"song, {found['shares']['8']['value']:.1%} of runs of 8 words; longest run {found['longest']['run']} words"
        )
    fluent = "fluency" not in written or passes(written["fluency"])
    for column, found in written.get("obedience", {}).items() if fluent else ():
        generated, real = (found[side]["accuracy"]["value"] for side in ("written", "real"))
        reference = "" if real is None else f" (real songs {real:.0%}, chance {found['guessing']:.0%})"
        lines.append(f"  conditioning accuracy by {column}: {generated:.0%}{reference}")
    if "rhyme_density" in written.get("songcraft", {}).get("written", {}):
        generated, real = (written["songcraft"][side]["rhyme_density"]["value"] for side in ("written", "real"))
        lines.append(f"  lines that rhyme {generated:.0%} (real songs {real:.0%})")
    return lines
