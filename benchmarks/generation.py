"""Speed of generation: with and without a KV cache, and batches compared with single songs.

Models have random weights (speed does not depend on training) and generate to the full length, because the end of a song is never
sampled. The variants alternate in several rounds; ratios are computed within a round, and the median is reported. CPU seconds, by
default on one thread.

    python benchmarks/generation.py [--recipes gpt gru] [--run RUN ...] [--tokens 150] [--batch 32] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lyrist.generation.batching import sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import SongStart, Vocabulary, start
from lyrist.models import registry
from lyrist.models.language_model import WriterShape
from lyrist.training import vocabularies
from lyrist.training.runs import open_run
from lyrist.training.writer import Writer
from songtables.fouracts import songbook

AIMS = {"cache": 4.0, "some": 4.0, "batch": 8.0}
"""What each ratio must reach: cached against not, the same for a few songs at once, and many songs against one."""
SOME = 8
"""A few songs: with one, a small model spends its time on other things than computing."""


class Endless(Vocabulary):
    """A vocabulary in which the end of a song is never written."""

    def __init__(self, writer: Any) -> None:
        super().__init__(writer)
        self.banned = torch.cat([self.banned, torch.tensor([self.eos])])


def built(recipe: str, given: Mapping[str, Any] | None = None) -> Writer:
    """Return a writer of a recipe (with some options) with random weights and a vocabulary of the songbook."""
    found = registry.get(recipe)
    options = registry.configure(found.options, dict(given or {}), recipe)
    tokenizer = vocabularies.learn((song.lyrics for song in songbook()), options.vocabulary)
    size = len(tokenizer)
    shape = WriterShape(size, tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, options.context)
    torch.manual_seed(0)
    model = found.build(options, shape).eval()
    return Writer(model, tokenizer, {}, recipe, options.context)


def rate(begin: SongStart, vocabulary: Vocabulary, tokens: int, songs: int, *, cached: bool) -> float:
    """Return tokens a CPU second."""
    began = time.process_time()
    drafts = sample(
        begin, vocabulary, SamplingOptions(max_repeats=0), songs, max_tokens=tokens, batch=songs, cached=cached
    )
    return sum(draft.tokens for draft in drafts) / (time.process_time() - began)


def measure(name: str, writer: Any, tokens: int, batch: int, rounds: int) -> dict[str, Any]:
    """Return tokens a second of each way, and the ratios."""
    begin, vocabulary = start(writer, {}, None), Endless(writer)
    ways: dict[str, Callable[[], float]] = {
        "cached": lambda: rate(begin, vocabulary, tokens, 1, cached=True),
        "uncached": lambda: rate(begin, vocabulary, tokens, 1, cached=False),
        "some cached": lambda: rate(begin, vocabulary, tokens, SOME, cached=True),
        "some uncached": lambda: rate(begin, vocabulary, tokens, SOME, cached=False),
        "batch": lambda: rate(begin, vocabulary, tokens, batch, cached=True),
    }
    rate(begin, vocabulary, 5, batch, cached=True)  # what is computed once
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            found[way].append(run())
    ratios = {
        "cache": ("cached", "uncached"),
        "some": ("some cached", "some uncached"),
        "batch": ("batch", "cached"),
    }
    return {
        "writer": name,
        "parameters": sum(weights.numel() for weights in writer.model.parameters()),
        "tokens": tokens,
        "songs": batch,
        "tokens_per_second": {way: round(statistics.median(values), 1) for way, values in found.items()},
        "ratios": {
            ratio: round(statistics.median(a / b for a, b in zip(found[x], found[y], strict=True)), 2)
            for ratio, (x, y) in ratios.items()
        },
    }


def plain(found: Sequence[dict[str, Any]]) -> str:
    """Return the figures as a table."""
    lines = [f"{'writer':12} {'cached':>9} {'batch':>9}   cache   cache, {SOME} songs   batch"]
    for row in found:
        speeds, ratios = row["tokens_per_second"], row["ratios"]
        lines.append(
            f"{row['writer'][-12:]:12} {speeds['cached']:9,.0f} {speeds['batch']:9,.0f} "
            f"{ratios['cache']:6.1f}x {ratios['some']:15.1f}x {ratios['batch']:6.1f}x"
        )
    aims = f"aims: cache {AIMS['cache']:g}x, batch {AIMS['batch']:g}x"
    return "\n".join([*lines, f"tokens a CPU second at {found[0]['tokens']} tokens, {found[0]['songs']} songs; {aims}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", nargs="*", default=["gpt", "gru"])
    parser.add_argument("--run", nargs="*", default=[], help="saved writers, measured as well")
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    writers = {name: built(name) for name in given.recipes} | {run: open_run(run).writer for run in given.run}
    if not writers:
        parser.error("name a recipe or a run")
    found = [measure(name, writer, given.tokens, given.batch, given.rounds) for name, writer in writers.items()]
    print(json.dumps(found, indent=2) if given.json else plain(found))


if __name__ == "__main__":
    main()
