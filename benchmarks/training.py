"""Training speed of recurrent networks: Lyrist's loop, a plain PyTorch loop and a minimal one, in one run.

The ways take turns in several rounds and the median over the rounds counts, since a machine that others use as well
speeds up and slows down. Ratios are taken within a round.

    python benchmarks/training.py [--songs 480] [--steps 12] [--rounds 3] [--threads 1] [--corpus DIR] [--json] [--out PAGE.md]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from loops import Sample, Settings, Songs, Way, bare, lyrist, network, read, reported
from lyrist import __version__
from lyrist.files import write_text
from lyrist.models import registry
from lyrist.training.schedule import half_precision

RECIPES = {1: "lstm", 2: "stacked-lstm"}
"""The recipe of each depth."""

SMALL = 16
"""Size of the vectors and states of the small network that shows what the loop costs."""


# What is compared.


def speed_ways(layers: int, songs: Songs, settings: Settings) -> dict[str, Way]:
    """Return all ways to train one network, by name."""
    recipe = RECIPES[layers]
    return {
        "lyrist": lyrist(recipe, songs, settings, settings.size, "float32"),
        "lyrist, bf16": lyrist(recipe, songs, settings, settings.size, "bf16"),
        "table": reported(layers, songs, songs.whole, settings, table=True),
        "batch": reported(layers, songs, songs.whole, settings),
        "table, cut": reported(layers, songs, songs.cut, settings, table=True),
        "batch, cut": reported(layers, songs, songs.cut, settings),
        "packed, cut": reported(layers, songs, songs.cut, settings, packed=True),
    }


WAYS = {
    "lyrist": "Lyrist",
    "lyrist, bf16": "Lyrist, bf16 autocast",
    "table": "random, whole songs, padded to the longest of the table",
    "batch": "random, whole songs, padded to the longest of the batch",
    "table, cut": "random, songs cut, padded to the longest of the table",
    "batch, cut": "random, songs cut, padded to the longest of the batch",
    "packed, cut": "random, songs cut, pack_padded_sequence",
}
"""What each way is called in the table."""


def rounds(ways: Mapping[str, Way], settings: Settings) -> dict[str, list[Sample]]:
    """Let the ways take turns."""
    found: dict[str, list[Sample]] = {name: [] for name in ways}
    for number in range(settings.rounds):
        for name, way in ways.items():
            found[name].append(way(number))
    return found


def speed(songs: Songs, settings: Settings, layers: int) -> dict[str, Any]:
    """Return real tokens a second of every way, and how many times the others' Lyrist's are."""
    found = rounds(speed_ways(layers, songs, settings), settings)
    rate = {name: statistics.median(s.tokens / s.seconds for s in samples) for name, samples in found.items()}
    return {
        "layers": layers,
        "recipe": RECIPES[layers],
        "parameters": network(RECIPES[layers], songs, settings.size).num_parameters(),
        "ways": {
            name: {
                "tokens_per_second": round(rate[name], 1),
                "padding": round(1 - sum(s.tokens for s in samples) / sum(s.places for s in samples), 4),
                "milliseconds_per_step": round(1e3 * statistics.median(s.seconds / s.steps for s in samples), 2),
                "float32_ratio": round(ratio(found["lyrist"], samples), 2),
                "bf16_ratio": round(ratio(found["lyrist, bf16"], samples), 2),
            }
            for name, samples in found.items()
        },
    }


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    """Return the median over the rounds of how many times their real tokens a second ours are."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median((a.tokens / a.seconds) / (b.tokens / b.seconds) for a, b in pairs)


def overhead(songs: Songs, settings: Settings, size: int) -> dict[str, Any]:
    """Return what an update costs in Lyrist's loop and in a bare one."""
    ways = {"loop": lyrist("lstm", songs, settings, size, "float32"), "bare": bare("lstm", songs, settings, size)}
    found = rounds(ways, settings)
    each = {name: [1e3 * s.seconds / s.steps for s in samples] for name, samples in found.items()}
    return {
        "size": size,
        "loop_milliseconds": round(statistics.median(each["loop"]), 2),
        "bare_milliseconds": round(statistics.median(each["bare"]), 2),
        "ratio": round(statistics.median(a / b for a, b in zip(each["loop"], each["bare"], strict=True)), 3),
    }


def results(settings: Settings) -> dict[str, Any]:
    """Measure everything and return the figures, JSON-ready."""
    torch.set_num_threads(settings.threads)
    songs = read(settings)
    settings = dataclasses.replace(settings, songs=len(songs.cut))
    return {
        "settings": dataclasses.asdict(settings),
        "machine": {
            "cores": os.cpu_count(),
            "bf16_is_fast": half_precision("auto", torch.device("cpu")),
            "lyrist": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "seconds": "CPU seconds" if settings.threads == 1 else "wall seconds",
        "songs": {
            "tokens": int(songs.whole.lengths.mean()),
            "longest": int(songs.whole.lengths.max()),
            "cut_at": int(registry.get("lstm").options().max_length),
            "vocabulary": songs.vocabulary,
        },
        "speed": [speed(songs, settings, layers) for layers in settings.layers],
        "overhead": [overhead(songs, settings, size) for size in (SMALL, settings.size)],
    }


# What is printed.


def about(found: dict[str, Any]) -> str:
    """Return what was measured, in words."""
    settings, machine, songs = found["settings"], found["machine"], found["songs"]
    source = "of a corpus" if settings["corpus"] else "(the songbook, and generated ones)"
    return (
        f"{settings['songs']:,} songs {source}, {songs['tokens']} tokens on average, the longest {songs['longest']:,}; Lyrist "
        f"reads the first {songs['cut_at']}. Batches of {settings['batch_size']}, vocabulary {songs['vocabulary']:,}, word "
        f"vectors and states of {settings['size']}, both directions. Medians of {settings['rounds']} rounds of "
        f"{settings['steps']} updates a way, taking turns; {settings['threads']} thread(s) of {machine['cores']} cores, "
        f"{found['seconds']}. Lyrist {machine['lyrist']}, torch {machine['torch']}, transformers {machine['transformers']}; "
        f"the processor {'computes' if machine['bf16_is_fast'] else 'does not compute'} in bf16."
    )


def tables(found: dict[str, Any]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Return titles and tables; the first line of each is its head."""
    head = ("real tokens/s", "tokens/s", "padding", "ms an update", "Lyrist is faster", "in bf16")
    made: list[tuple[str, list[tuple[str, ...]]]] = []
    for part in found["speed"]:
        lines: list[tuple[str, ...]] = [
            (
                WAYS[name], f"{way['tokens_per_second']:,.0f}", f"{way['padding']:.1%}",
                f"{way['milliseconds_per_step']:.1f}", f"{way['float32_ratio']:.2f} x", f"{way['bf16_ratio']:.2f} x",
            )
            for name, way in part["ways"].items()
        ]  # fmt: skip
        made.append((f"{part['recipe']}, {part['parameters']:,} weights", [head, *lines]))
    costs: list[tuple[str, ...]] = [("lstm of size", "loop, ms", "bare loop, ms", "more, ms", "ratio")]
    for line in found["overhead"]:
        loop, alone = line["loop_milliseconds"], line["bare_milliseconds"]
        costs.append((str(line["size"]), f"{loop:.1f}", f"{alone:.1f}", f"{loop - alone:.1f}", f"{line['ratio']:.2f}"))
    return [*made, ("An update in Lyrist's loop and in a bare one", costs)]


def plain(found: dict[str, Any]) -> str:
    """Return the tables for a terminal."""
    told = [about(found)]
    for title, lines in tables(found):
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        told += ["", title]
        told += [
            "  ".join(
                f"{cell:{'>' if place else '<'}{width}}"
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
    return "\n".join(told)


def page(found: dict[str, Any], command: str) -> str:
    """Return the page of the documentation."""
    text = [
        "# Benchmark: training recurrent networks",
        "",
        f"Made by `{command}`; not written by hand.",
        "",
        about(found),
    ]
    for title, (head, *lines) in tables(found):
        text += ["", f"## {title}", "", f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
        text += [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*text, "", NOTES])


NOTES = """## How it is measured

- *Lyrist* is `lyrist.training.loop.train` with the recipe as it is: batches of nearly equal length, masks, dropout, clipping,
  a learning-rate schedule, logging; no validation. *bf16*: the same under autocast.
- The other ways are plain PyTorch: word vectors, `nn.LSTM` of the same sizes and directions, the last time step, a linear
  layer, Adam, nothing logged. Batches are drawn at random; songs are read whole, as the reports did, or cut as Lyrist cuts
  them. The ratios are medians over the rounds of Lyrist's real tokens a second over theirs.
- The *bare loop* makes the same updates as Lyrist's (network, batches, AdamW, clipping, schedule) and nothing else.
- The first update of each round is not counted.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--songs", type=int, default=480)
    parser.add_argument("--steps", type=int, default=12, help="updates of each way in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="of word vectors and states")
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2], choices=list(RECIPES))
    parser.add_argument("--corpus", help="a corpus directory, instead of built-in and generated songs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--out", type=Path, help="write the page of the documentation here")
    given = vars(parser.parse_args(arguments))
    as_json, out = given.pop("json"), given.pop("out")
    found = results(Settings(**{**given, "layers": tuple(given["layers"])}))
    print(json.dumps(found, indent=2) if as_json else plain(found))
    if out:
        write_text(out, page(found, f"python benchmarks/training.py {_flags(given)}"))


def _flags(given: dict[str, Any]) -> str:
    told = {**given, "layers": " ".join(map(str, given["layers"])), "corpus": given["corpus"] and "CORPUS"}
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in told.items() if value is not None)


if __name__ == "__main__":
    main()
