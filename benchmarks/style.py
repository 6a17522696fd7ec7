"""Conditioning accuracy by the strength of the logit bias (``lyrist write --style``).

    OMP_NUM_THREADS=1 python benchmarks/style.py RUN... [--style 0 2.5 3.5] [--songs 20] [--tokens 160]

The judge is that of the studies (``lyrist.evaluation.conditioning``), fitted on the training songs; the real songs are validation
songs cut to the same lengths. Distinct words are counted too, because a few repeated words could suffice for the judge.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.conditioning import Judge, conditioning_accuracy
from lyrist.generation.config import GenerationConfig, SamplingOptions
from lyrist.generation.write import compose, open_writer
from lyrist.text import words as words_of

VALUES = 6
"""Number of genres to generate for: the most frequent ones."""


def measured(run: Path, styles: list[float], songs: int, tokens: int, seed: int) -> list[dict[str, Any]]:
    """Return the conditioning accuracy of a model for each setting."""
    opened = open_writer(run)
    corpus, (column, *_) = Corpus.open(opened.info["corpus"]), opened.writer.conditions
    counts = corpus.songs("train", [column]).drop_nulls()[column].cast(pl.String).value_counts(sort=True)
    values = counts[column].head(VALUES).to_list()
    judge = Judge.fit(corpus, column, values, split="validation", seed=seed)
    found = []
    for style in styles:
        settings: dict[str, Any] = {"config": GenerationConfig(style=style, n=songs, max_tokens=tokens, seed=seed)}
        written = {
            value: [song.text for song in compose(opened.writer, given={column: value}, **settings)] for value in values
        }
        texts = [text for each in written.values() for text in each]
        scores = conditioning_accuracy(
            judge, texts, [value for value, each in written.items() for _ in each], seed=seed
        )
        words = [word for text in texts for word in words_of(text)]
        found.append({
            "run": run.name, "recipe": opened.info["recipe"], "style": style, "songs": len(texts),
            "written": scores["written"]["accuracy"], "real": scores["real"]["accuracy"], "guessing": scores["guessing"],
            "different_words_in_a_thousand": 1000 * len(set(words)) / max(len(words), 1),
        })  # fmt: skip
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| writer | style | recognised [95%] | real songs, cut alike | guessing | different words in 1,000 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        interval = "{value:.2f} [{low:.2f}, {high:.2f}]".format(**one["written"])
        real, own = one["real"]["value"], one["different_words_in_a_thousand"]
        lines.append(
            f"| `{one['recipe']}` | {one['style']:g} | {interval} | {real:.2f} | {one['guessing']:.2f} | {own:.0f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="writers that were trained with a condition")
    parser.add_argument("--style", nargs="+", type=float, default=[0.0, 2.5, SamplingOptions.style])
    parser.add_argument("--songs", type=int, default=20, help="for each genre")
    parser.add_argument("--tokens", type=int, default=160, help="of a song, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    progress.quiet()
    found = [one for run in given.runs for one in measured(run, given.style, given.songs, given.tokens, given.seed)]
    print(json.dumps(found, indent=2) if given.json else table(found))


if __name__ == "__main__":
    main()
