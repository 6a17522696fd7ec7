"""Training and generation of language models: layouts of songs, recipes at equal cost, generation with and without a KV cache.

Each way of laying songs out (whole songs by length, packed blocks, padded to 300 tokens) and each recipe gets
the same CPU seconds of training on the same songs, and is scored in bits per byte on the same held-out songs, read whole.

    python benchmarks/writers.py [--corpus DIR] [--seconds 60] [--recipes gpt gru] [--layouts songs packed padded] [--json]
        [--out PAGE.md]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.files import write_text
from lyrist.training.writer import Writer, fit_writer
from songtables import generate

REPORTED = {
    "hidden": 128, "layers": 2, "dense": 64, "tied": False, "embedding_size": 128, "dropout": 0.0, "average": 0.0,
    "schedule": "constant", "warmup": 0.0, "learning_rate": 1e-3, "layout": "padded",
}  # fmt: skip
"""The replicated two-layer GRU, the usual rate of its optimizer, and songs padded to 300 tokens."""

SMALL: dict[str, Any] = {}
"""Options of every way, for a quick look."""

TRIAL = 6
"""Updates by which the cost of one is measured."""


def fitted(corpus: Corpus, recipe: str, options: dict[str, Any], seconds: float) -> tuple[Writer, float]:
    """Return a writer that was trained for about so many CPU seconds, and how many it took.

    The cost of an update is measured first, so that the learning rate falls to its end just in time and a busy machine
    does not shorten the training.
    """
    given = {**SMALL, "validation_songs": 8, "evaluate_every": 10**9, "threads": 1, **options}
    # What a run costs that makes no updates to speak of: tokens, the network, two validations.
    costs = []
    for steps in (1, 1 + TRIAL):
        began = time.process_time()
        fit_writer(corpus, recipe, {**given, "steps": steps})
        costs.append(time.process_time() - began)
    each = max((costs[1] - costs[0]) / TRIAL, 1e-3)
    began = time.process_time()
    writer = fit_writer(corpus, recipe, {**given, "steps": max(2, round(seconds / each))})
    return writer, time.process_time() - began


def bits_per_byte(writer: Writer, songs: Sequence[str]) -> float:
    """Return the bits that each byte of the songs costs, their ends included."""
    nats = sum(float(each.sum()) for each in writer.losses(songs))
    return nats / math.log(2) / sum(len(song.encode()) for song in songs)


def trained(
    corpus: Corpus, name: str, recipe: str, options: dict[str, Any], seconds: float, songs: int
) -> dict[str, Any]:
    """Return the figures of one way of training."""
    writer, cpu = fitted(corpus, recipe, options, seconds)
    outcome = writer.outcome
    assert outcome is not None
    held = corpus.songs("test")["lyrics"].to_list()[:songs]
    return {
        "name": name,
        "recipe": recipe,
        "parameters": writer.parameters(),
        "cpu_seconds": round(cpu, 1),
        "steps": outcome.steps,
        "tokens": outcome.tokens,
        "tokens_per_second": round(outcome.tokens / cpu, 1),
        "padding": outcome.padding,
        "bits_per_byte": round(bits_per_byte(writer, held), 4),
    }


def generated(corpus: Corpus, length: int) -> dict[str, Any]:
    """Return tokens a CPU second of an untrained `gpt`, with the cache and without, alone and 32 at once."""
    writer = fit_writer(corpus, "gpt", {"steps": 1, "validation_songs": 1, "threads": 1})

    def rate(batch: int, cache: bool, tokens: int) -> float:
        ids = torch.tensor([writer.prefix()] * batch)
        began = time.process_time()
        writer.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False,
            use_cache=cache,
        )  # fmt: skip
        return batch * tokens / (time.process_time() - began)

    rate(1, True, 8)
    found = {
        f"{'' if cache else 'un'}cached, {batch} at once": rate(batch, cache, length)
        for batch in (1, 32)
        for cache in (True, False)
    }
    return {"tokens": length, **{name: round(value, 1) for name, value in found.items()}}


def results(corpus: Corpus, given: argparse.Namespace) -> dict[str, Any]:
    """Measure everything and return the figures, JSON-ready."""
    torch.set_num_threads(1)
    progress.quiet()
    layouts = [
        trained(corpus, f"{recipe}, {layout}", recipe, {"layout": layout, "batch_size": 8 if layout != "packed" else 4},
                given.seconds, given.songs)
        for recipe in given.recipes
        for layout in given.layouts
    ]  # fmt: skip
    rivals = [trained(corpus, "gru, replicated", "gru", REPORTED, given.seconds, given.songs)]
    counts = corpus.info["counts"]["splits"]
    return {
        "settings": {"seconds": given.seconds, "train": counts["train"], "songs": min(given.songs, counts["test"])},
        "cores": os.cpu_count(),
        "trained": [*layouts, *rivals],
        "generated": generated(corpus, given.tokens),
    }


def page(found: dict[str, Any]) -> str:
    """Return the page of the documentation."""
    settings, made = found["settings"], found["generated"]
    lines = [
        "# Benchmark: writers",
        "",
        "Made by `python benchmarks/writers.py`; not written by hand.",
        "",
        f"{settings['train']:,} training songs; {settings['seconds']:.0f} CPU seconds of training each, on one thread of "
        f"{found['cores']} cores; bits per byte on {settings['songs']} held-out songs, read whole.",
        "",
        "| way | weights | updates | real tokens/s | padding | bits per byte |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in found["trained"]:
        lines.append(
            f"| {row['name']} | {row['parameters']:,} | {row['steps']:,} | {row['tokens_per_second']:,.0f} "
            f"| {row['padding']:.1%} | {row['bits_per_byte']:.3f} |"
        )
    lines += [
        "",
        f"Generation of {made['tokens']} tokens by `gpt`, in tokens a CPU second:",
        "",
        "| songs at once | with the cache | without | times |",
        "|---:|---:|---:|---:|",
    ]
    for batch in (1, 32):
        cached, uncached = (made[f"{kind}, {batch} at once"] for kind in ("cached", "uncached"))
        lines.append(f"| {batch} | {cached:,.0f} | {uncached:,.0f} | {cached / uncached:.1f} |")
    lines.append("")
    return "\n".join(lines)


def sample(folder: Path, songs: int) -> Corpus:
    """Return a corpus of generated songs."""
    table = folder / "songs.csv"
    generate(songs, table, seed=0)
    prepare(str(table), out=str(folder / "corpus"))
    return Corpus.open(folder / "corpus")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", help="a corpus directory, instead of generated songs")
    parser.add_argument("--generate", type=int, default=2000, help="songs to generate where there is no --corpus")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds of training for each way")
    parser.add_argument("--songs", type=int, default=100, help="held-out songs that are scored")
    parser.add_argument("--tokens", type=int, default=150, help="tokens that are generated")
    parser.add_argument("--recipes", nargs="+", default=["gpt", "gru"])
    parser.add_argument("--layouts", nargs="+", default=["songs", "packed", "padded"])
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--out", type=Path, help="write the page of the documentation here")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus.open(given.corpus) if given.corpus else sample(Path(folder), given.generate)
        found = results(corpus, given)
    print(json.dumps(found, indent=2) if given.json else page(found))
    if given.out:
        write_text(given.out, page(found))


if __name__ == "__main__":
    main()
