"""The protocol of a published report for writers: padding is learnt and counted where the report did so.

A causal model (GPT-2) reads songs that are truncated or padded to `AS_REPORTED` tokens; it learns the padding, and the rows of
its added tokens are random. An encoder-decoder (T5) reads an instruction and the first tokens of a song and writes those that
follow, padded likewise. A network that reads a window of token numbers (GRU) has no padding.

Each validation has two kinds of figures. Those that are ``counted`` as in the report include the padding, and their perplexity
is the mean over songs of the exponential of the loss. Those that are ``real`` are of the tokens of the lyrics and the end, and
added tokens have probability 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lyrist.metrics.intervals import bootstrap_mean, bootstrap_ratio
from lyrist.metrics.language_modelling import perplexity
from lyrist.models.language_model import IMPOSSIBLE, SLICE
from lyrist.training import estimators, writer
from lyrist.training.batches import IGNORED, Batch
from lyrist.training.journal import Sums
from lyrist.training.protocol import Reported, follow
from lyrist.training.song_tokens import (
    AS_REPORTED,
    LINE,
    Sequences,
    SongExamples,
    SongTokens,
    Split,
    chosen,
    padded,
    tokenised,
)
from lyrist.training.train import HELD
from lyrist.training.writing_task import WritingTask

HIGHEST = 600.0
"""Largest loss in nats of a song whose exponential is averaged: means stay finite."""


class Songs:
    """Songs as a report's program had them: whole songs of a causal model, each with its padding as labels.

    Parameters
    ----------
    sequences
        The songs.
    padding
        The padding id.
    width
        Truncate or pad songs to so many tokens, and label the padding and the conditions too; 0: songs are not padded.
    """

    def __init__(self, sequences: Sequences, padding: int, width: int) -> None:
        self._songs = SongExamples(sequences, padding, fixed=width)
        self._counted, self.lengths = bool(width), self._songs.lengths

    def __len__(self) -> int:
        return len(self._songs)

    def parts(self, rows: NDArray[np.int64]) -> tuple[Batch, Tensor, Tensor]:
        """Return a batch, the tokens that are predicted (songs, places), and which of them are lyrics or the end."""
        batch = self._songs.collate(rows)
        real = batch["labels"] != IGNORED
        if self._counted:
            batch["labels"] = batch["input_ids"].clone()
        return batch, batch["labels"][:, 1:], real[:, 1:]

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return the arguments of the model's ``forward``."""
        return self.parts(rows)[0]


class Snippets:
    """An instruction with the first tokens of a song, and the tokens that follow, padded, as labels of a decoder.

    Parameters
    ----------
    split
        The songs; those without a token after the snippet are left out.
    model
        The encoder-decoder.
    """

    def __init__(self, split: Split, model: writer.Writer) -> None:
        self._split, self._writer = split, model
        self._rows = np.flatnonzero(split.lengths > LINE)
        self.lengths: NDArray[np.int64] = np.minimum(split.lengths[self._rows] + 1 - LINE, AS_REPORTED)

    def __len__(self) -> int:
        return len(self._rows)

    def parts(self, rows: NDArray[np.int64]) -> tuple[Batch, Tensor, Tensor]:
        """Return a batch, the tokens that are predicted (songs, places), and which of them are lyrics or the end."""
        model, split = self._writer, self._split
        read: list[list[int]] = []
        written: list[list[int]] = []
        for number in self._rows[rows]:
            ids = [*split.ids[split.starts[number] : split.starts[number + 1]].tolist(), model.eos]
            codes = zip(model.conditions.items(), split.conditions[number], strict=True)
            given = {column: values[code] for (column, values), code in codes if code >= 0}
            read.append(model.source(given, ids[:LINE]))
            written.append(ids[LINE : LINE + AS_REPORTED])
        padding = int(model.tokenizer.pad_token_id)
        sources, mask = padded(read, padding)
        labels = torch.full((len(rows), AS_REPORTED), padding)
        for place, row in enumerate(written):
            labels[place, : len(row)] = torch.tensor(row)
        real = torch.arange(AS_REPORTED) < torch.tensor([[len(row)] for row in written])
        return {"input_ids": sources, "attention_mask": mask, "labels": labels}, labels, real

    def collate(self, rows: NDArray[np.int64]) -> Batch:
        """Return the arguments of the model's ``forward``."""
        return self.parts(rows)[0]


@dataclass(frozen=True)
class ReportedWritingTask(Reported, WritingTask):
    """Write songs by the protocol of a report."""

    def rerun(
        self, recipe: str, options: Mapping[str, Any], seed: int, folder: Path | None, title: str
    ) -> tuple[writer.Writer, dict[str, Any]]:
        """Train a network; it ends with the weights that validation selects."""
        found, tokens = writer.build(self.corpus, recipe, options, self.condition, seed)
        settings = estimators.configure(recipe, options, seed, "write")[1]
        means = (
            found.model.get_input_embeddings().weight[tokens.lyrics :].detach().clone()
            if self._learns_padding
            else None
        )
        if means is not None and not found.seq2seq:
            _draw_added_rows(found, tokens, seed)
        train = self._examples(found, tokens, tokens.splits["train"], settings)
        held = {}
        for split in HELD:
            songs = self.held[split][chosen(len(self.held[split]), settings.validation_songs)]
            known = {column: list(values) for column, values in tokens.conditions.items()}
            held[split] = self._examples(found, tokens, tokenised(songs, tokens.tokenizer, known, settings), settings)

        def measure(outputs: Any, batch: Batch) -> Sums:
            shift = 0 if found.seq2seq else 1
            labels = batch["labels"][:, shift:]
            logits, scored = outputs.logits[:, : labels.shape[1]], labels != IGNORED
            hits = ((logits.argmax(dim=-1) == labels) & scored).sum()
            return {"loss": (outputs.loss * scored.sum(), scored.sum()), "accuracy": (hits, scored.sum())}

        found.outcome, rerun = follow(
            found.model, train, held, self.protocol, seed=seed, folder=folder, title=title, afford=self.afford,
            measure=measure, score=lambda split: _scores(found, tokens.lyrics, held[split], self.protocol.batch_size),
        )  # fmt: skip
        if means is not None and not found.outcome.steps:  # the untuned model is saved without its random rows
            found.model.get_input_embeddings().weight.data[tokens.lyrics :] = means
        return found, rerun

    @property
    def _learns_padding(self) -> bool:
        return self.protocol.library == "pretrained"

    def _examples(self, model: writer.Writer, tokens: SongTokens, split: Split, settings: Any) -> Songs | Snippets:
        if model.seq2seq:
            return Snippets(split, model)
        padding = int(model.eos if model.tokenizer.pad_token_id is None else model.tokenizer.pad_token_id)
        songs = dataclasses.replace(tokens, splits={"": split}).sequences("", model.bos, model.eos)
        width = min(AS_REPORTED, model.context or AS_REPORTED) if self._learns_padding else 0
        return Songs(songs, padding, width)


def _draw_added_rows(model: writer.Writer, tokens: SongTokens, seed: int) -> None:
    """Draw the rows of the added tokens at random, as a model is enlarged without care."""
    weights = model.model.get_input_embeddings().weight
    spread = float(getattr(model.model.config, "initializer_range", 0.02))
    rows = torch.empty_like(weights[tokens.lyrics :])
    with torch.no_grad():
        weights[tokens.lyrics :] = rows.normal_(0, spread, generator=torch.Generator().manual_seed(seed))


def _scores(model: writer.Writer, lyrics: int, songs: Songs | Snippets, batch_size: int) -> dict[str, Any]:
    """Return loss, accuracy and n as counted by the report, and both kinds of figures; ids from ``lyrics`` on were added."""
    widest = int(songs.lengths.max(initial=AS_REPORTED)) * int(model.model.config.vocab_size)
    size, found = max(1, min(batch_size, SLICE // widest)), []
    network = model.model.eval()
    with torch.inference_mode():
        for start in range(0, len(songs), size):
            batch, targets, real = songs.parts(np.arange(start, min(start + size, len(songs))))
            scored = targets != IGNORED
            logits = network(
                **{name: value for name, value in batch.items() if name != "labels" or model.seq2seq}
            ).logits
            logits = logits[:, : targets.shape[1]].float()
            for mask in (scored, real):
                if mask is real:
                    logits[..., lyrics:] = IMPOSSIBLE
                nats = functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED)
                hits = (logits.argmax(dim=-1) == targets) & mask
                found.append([(each * mask).sum(dim=1).double().numpy() for each in (nats, hits, mask.long())])
    counted, alone = ([np.concatenate(part) for part in zip(*found[way::2], strict=True)] for way in (0, 1))
    by_song = [perplexity(min(loss, HIGHEST)) for loss in counted[0] / counted[2]]
    low, high = bootstrap_mean(by_song)
    shown = {
        "accuracy": _ratio(counted[1], counted[2]),
        "perplexity": {"value": math.fsum(by_song) / len(by_song), "low": low, "high": high},
    }
    loss = _ratio(alone[0], alone[2])
    return {
        "accuracy": shown["accuracy"]["value"],
        "loss": float(counted[0].sum() / counted[2].sum()),
        "n": len(by_song),
        "padding": float(1 - alone[2].sum() / counted[2].sum()),
        "counted": shown,
        "real": {
            "accuracy": _ratio(alone[1], alone[2]),
            "perplexity": {name: perplexity(value) for name, value in loss.items()},
        },
    }


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> dict[str, float]:
    low, high = bootstrap_ratio(over, under)
    return {"value": float(over.sum() / under.sum()), "low": low, "high": high}
