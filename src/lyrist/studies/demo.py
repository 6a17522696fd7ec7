"""`demo`: the whole way on the built-in songbook, from a table as found in the wild to a page that can be believed."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files
from lyrist.corpus.explore import explore
from lyrist.corpus.prepare import Prepared, prepare
from lyrist.errors import LyristError
from lyrist.generation import output
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import counts
from lyrist.reports import page
from lyrist.reports.blocks import Code, Facts, Links, Lyrics, Page, Prose, Section
from lyrist.songbook import songbook, write_songbook
from lyrist.studies.study import Studied, study
from lyrist.training.train import Fitted, train

INDEX = "index.html"
TABLE = "songbook.csv"
WRITER = "ngram"
"""The recipe of the writer: there is no time for a network, and it shows how far counting goes."""

SONGS = "songs.html"

GENERATION = GenerationConfig(
    temperature=0.75, min_p=0.1, no_repeat_ngram=6, form="verse,chorus,verse,chorus", rhyme="AABB", seed=1
)
"""Cooler than the default: counts of 140 songs give sentences only close to the training text."""


@dataclass(frozen=True)
class Shown:
    """A finished demo."""

    path: Path
    prepared: Prepared
    studied: Studied
    written: Fitted
    seconds: float

    def summary(self) -> str:
        """Return what each step found, and where to look."""
        return "\n\n".join(
            [
                self.prepared.summary(),
                self.studied.summary(),
                self.written.summary(),
                f"Open {self.path / INDEX} in a browser. Everything above took {self.seconds:.0f} s.",
            ]
        )

    def figures(self) -> dict[str, Any]:
        """Return the figures of each step."""
        return {
            "prepare": self.prepared.figures(),
            "study": self.studied.figures(),
            "train": self.written.figures(),
            "seconds": self.seconds,
        }


def demo(*, out: str = "demo", seed: int = 0) -> Shown:
    """Do everything on the built-in songbook: prepare, explore, study, write, and one page that leads to all of it.

    Parameters
    ----------
    out
        The directory: songbook.csv, corpus, explore, study, writer and index.html go there.
    seed
        Decides the split and everything else that is drawn at random.

    Raises
    ------
    LyristError
        ``out`` holds something else, or cannot be written.
    """
    importlib.import_module("lyrist.studies.samples")  # first: it needs PyTorch, without which no part is begun
    started, folder = time.monotonic(), Path(out)
    _claim(folder)
    with files.explained(folder), files.locked(folder.absolute()):
        return _shown(folder, seed, started)


def _shown(folder: Path, seed: int, started: float) -> Shown:
    write_songbook(folder / TABLE)
    prepared = prepare(str(folder / TABLE), out=str(folder / "corpus"), languages="en", seed=seed)
    explore(str(folder / "corpus"), out=str(folder / "explore"))
    studied = study("ladder", str(folder / "corpus"), out=str(folder / "study"), target="artist", seed=seed)
    assert isinstance(studied, Studied)  # noqa: S101 - the ladder is a study of classifiers
    written = train(WRITER, str(folder / "corpus"), out=str(folder / "writer"), condition="genre", seed=seed)
    assert isinstance(written, Fitted)  # noqa: S101 - it writes
    page.write(_songs(written, prepared), folder / "writer" / SONGS)
    seconds = time.monotonic() - started
    page.write(_index(prepared, studied, written, seconds), folder / INDEX)
    return Shown(folder, prepared, studied, written, seconds)


def _claim(folder: Path) -> None:
    """Make the directory; raise where it holds something else than an earlier demo."""
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / TABLE).is_file():
            raise LyristError(f"{folder} exists and is not an earlier demo (it has no {TABLE}); choose another --out.")


def _songs(written: Fitted, prepared: Prepared) -> Page:
    """Return the page of what the writer wrote: a song for each genre, to a plan, each line that was to rhyme counted."""
    from lyrist.evaluation.originality import Index
    from lyrist.generation.write import compose
    from lyrist.studies.samples import note, span

    writer, index = written.run.writer, Index.of(prepared.corpus)
    sections = []
    with output.shown(None):
        for genre in writer.conditions["genre"]:
            (song,) = compose(writer, given={"genre": genre}, config=GENERATION)
            met, copied = counts(song.lines)["rhymes"], index.copied(song.text)
            marked = span(song.text, copied.words)
            told = f"Rhymes met: {met['met']} of {met['wanted']}, {met['perfect']} of them perfect. {note(copied)}"
            block = Lyrics(song.text, [(*marked, 1.0)] if marked else [], note=told)
            sections.append(Section(genre, [block]))
    cost = written.run.results["test"]["bits_per_byte"]["value"]
    lead = Prose(
        f"Counted, not trained: {written.run.info['songs']['train']} songs, {written.run.info['seconds']:.1f} s. It knows words "
        f"and phrases of the songbook, and no more: {cost:.2f} bits for a byte of a song that it has not seen. Each song is "
        f"written to the form {GENERATION.form} with {GENERATION.rhyme} rhymes, {GENERATION.describe()}; "
        "nothing was selected. Marked: "
        "the longest run of words that also occurs in a training song."
    )
    again = Code(
        "lyrist write writer --genre rap --form verse,chorus,verse,chorus --rhyme AABB --no-repeat-ngram 6 "
        "--temperature 0.75 --min-p 0.1"
    )
    return Page(
        "Lyrics by genre",
        [*sections, Section("On your own", [again])],
        subtitle=f"Fitted by the recipe {WRITER}, conditioned on the genre",
        kicker="Lyrist demo",
        lead=(lead,),
        contents=False,
    )


def _index(prepared: Prepared, studied: Studied, written: Fitted, seconds: float) -> Page:
    ledger, results = prepared.corpus.ledger, studied.results
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    accuracy = best["test"]["accuracy"]
    cost = written.run.results["test"]["bits_per_byte"]["value"]
    song = next(song for song in songbook() if song.title == "Two Keys")
    facts = Facts(
        [
            (
                "rows read",
                f"{ledger.read:,}",
                f"{ledger.kept:,} kept, {ledger.read - ledger.kept:,} dropped with a reason",
            ),
            ("picked", results["picked"], f"of {len(results['recipes'])} recipes, by {results['chosen_by']}"),
            (
                "test accuracy",
                f"{accuracy['value']:.1%}",
                f"95% interval {accuracy['low']:.1%} to {accuracy['high']:.1%}",
            ),
            ("majority", f"{results['majority']['accuracy']['value']:.1%}", "always the commonest artist"),
            ("all in", f"{seconds:.0f} s", "on this machine"),
        ]
    )
    links = Links(
        [
            ("The study", "study/report.html", "every recipe, how good, how sure, where it errs"),
            (
                "Lyrics by genre",
                f"writer/{SONGS}",
                f"new ones, to a plan with rhymes, at {cost:.2f} bits for a byte of an unseen song",
            ),
            (
                "The songs in pictures",
                "explore/explore.html",
                "words, lines, repetition, near-copies, and what was dropped",
            ),
            ("The corpus", "corpus/README.md", "its card; the songs are Parquet files in corpus/songs"),
        ]
    )
    commands = Code(
        "lyrist prepare YOUR_TABLE.csv --out corpus\n"
        "lyrist explore corpus\n"
        "lyrist study ladder corpus --target artist --out study\n"
        "lyrist study writer-by-genre corpus --out writers"
    )
    sections = [
        Section("Look", [links]),
        Section("A song from the songbook", [Lyrics(song.lyrics, title=f"{song.artist}: {song.title} ({song.year})")]),
        Section("On your own songs", [commands], "Any table will do: CSV, Parquet, JSON, or a folder of text files."),
    ]
    why = Prose(
        "The songbook holds original songs by twelve invented acts, written for Lyrist. Its table is as tables are found: "
        "with section headers, copies, covers, instrumentals and a torn row, all of which the corpus accounts for."
    )
    return Page(
        "Lyrist, on its own songbook",
        sections,
        subtitle="From a table of songs to a page that can be believed",
        kicker="Lyrist demo",
        lead=(facts, why),
    )
