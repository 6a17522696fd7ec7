"""The gallery: eight titles, a verse and a chorus each, as a pretrained model wrote them, and what they reach.

    python benchmarks/gallery.py [--model smollm2] [--seed 0] [--corpus DIR] [--out docs/gallery.md]

Nothing is selected: one seed, one song a title. With ``--corpus`` runs of words that also occur in its songs are counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

from lyrist.corpus.corpus import Corpus
from lyrist.evaluation.originality import Index
from lyrist.files import write_text
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import counts
from lyrist.generation.wording import three_grams, weak
from lyrist.generation.write import WrittenSong, compose
from lyrist.text import words
from lyrist.text.pronunciation import common
from lyrist.text.rhyme import last_word, source
from lyrist.training.writer import Writer

TITLES = [
    ("Last Bus to Harlow", "missing someone"),
    ("My Sister's Bicycle", "growing up"),
    ("Salt on the Window", "a house by the sea"),
    ("The Rent Is Late", "having no money"),
    ("Lighthouse Keeper", "waiting for a letter"),
    ("Two Tickets", "leaving home"),
    ("Paper Lanterns", "a city at night"),
    ("Radio Summer", "being young"),
]
SCHEMES = ("AABB", "ABAB")
SYLLABLES = 8


def written(writer: Writer, number: int, seed: int) -> tuple[WrittenSong, float]:
    """Return the song of a title and its CPU seconds."""
    title, about = TITLES[number]
    config = GenerationConfig(
        title=title, about=about, form="verse,chorus", rhyme=SCHEMES[number % 2], syllables=SYLLABLES, seed=seed
    )  # fmt: skip
    began = time.process_time()
    (song,) = compose(writer, config=config)
    return song, time.process_time() - began


def figures(songs: list[WrittenSong], seconds: list[float], index: Index | None) -> dict[str, Any]:
    """Return what the songs reach."""
    lines = [line for song in songs for line in song.lines]
    met = counts(lines)
    grams = [sum(a & b != set() for n, a in enumerate(each) for b in each[:n]) for each in map(_grams, songs, TITLES)]
    unknown = [word for line in lines for word in words(line.text) if word.replace("'", "") not in _known()]
    found = {
        "lines": len(lines),
        "perfect rhymes": f"{met['rhymes']['perfect']} of {met['rhymes']['wanted']}",
        "near rhymes": met["rhymes"]["near"],
        "lines within a syllable of 8": f"{met['syllables']['met']} of {met['syllables']['wanted']}",
        "lines of exactly 8": met["syllables"]["exact"],
        "function words at line ends": sum(weak(last_word(line.text)) for line in lines),
        "pairs of lines that share three words in a row, the title aside": sum(grams),
        "words that are not in the list of common words": ", ".join(sorted(set(unknown))) or "none",
        "CPU seconds a line": f"{sum(seconds) / len(lines):.2f}",
        "source of rhymes": source(),
    }
    if index is not None:
        found["lines with five copied words"] = sum(index.copied(line.text).longest_run >= 5 for line in lines)
    return found


def _grams(song: WrittenSong, titled: tuple[str, str]) -> list[set[tuple[str, ...]]]:
    return [three_grams(line.text) - three_grams(titled[0]) for line in song.lines]


def _known() -> set[str]:
    return {word.replace("'", "") for word in common()}


def page(songs: list[WrittenSong], found: dict[str, Any], command: str, model: str, seed: int) -> str:
    """Return the gallery as Markdown."""
    head = (
        f"# Gallery\n\nSongs that `{model}` wrote, untuned, as they came: seed {seed}, one for each title, nothing selected.\n"
        f"The page was written by\n\n```sh\n{command}\n```\n\n| | |\n|---|---:|\n"
    )
    rows = "".join(f"| {name} | {value} |\n" for name, value in found.items())
    parts = [
        f"## {title}\n\nabout {about}; {SCHEMES[number % 2]}, {SYLLABLES} syllables\n\n"
        + "\n\n".join("\n".join(f"> {line}  " for line in part.split("\n")) for part in song.text.split("\n\n"))
        for number, ((title, about), song) in enumerate(zip(TITLES, songs, strict=False))
    ]
    return head + rows + "\n" + "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the songs and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--titles", type=int, default=len(TITLES))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    writer = Writer.pretrained(given.model)
    songs, seconds = zip(*(written(writer, number, given.seed) for number in range(given.titles)), strict=True)
    index = Index.of(Corpus.open(given.corpus)) if given.corpus else None
    command = " ".join(["python", "benchmarks/gallery.py", *sys.argv[1:]])
    text = page(list(songs), figures(list(songs), list(seconds), index), command, given.model, given.seed)
    if given.out:
        write_text(given.out, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
