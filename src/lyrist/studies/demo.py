"""`demo`: the whole way on the built-in songbook, from a table as found in the wild to a page that can be believed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrist import files
from lyrist.corpus.exploring import explore
from lyrist.corpus.prepare import Prepared, prepare
from lyrist.reports import page
from lyrist.reports.blocks import Code, Facts, Links, Lyrics, Page, Prose, Section
from lyrist.sample.songbook import songbook, write_songbook
from lyrist.studies.study import Studied, study

MARKER = "index.html"
TABLE = "songbook.csv"


@dataclass(frozen=True)
class Shown:
    """A finished demo."""

    path: Path
    prepared: Prepared
    studied: Studied
    seconds: float

    def summary(self) -> str:
        """Return what each step found, and where to look."""
        return "\n\n".join(
            [
                self.prepared.summary(),
                self.studied.summary(),
                f"Open {self.path / MARKER} in a browser. Everything above took {self.seconds:.0f} s.",
            ]
        )

    def figures(self) -> dict[str, Any]:
        """Return the figures of each step."""
        return {"prepare": self.prepared.figures(), "study": self.studied.figures(), "seconds": self.seconds}


def demo(*, out: str = "demo", seed: int = 0) -> Shown:
    """Do everything on the built-in songbook: prepare, explore, study, and one page that leads to all of it.

    Parameters
    ----------
    out
        The directory: songbook.csv, corpus, explore, study and index.html go there.
    seed
        Decides the split and everything else that is drawn at random.

    Raises
    ------
    LyristError
        ``out`` holds something else, or cannot be written.
    """
    started, final = time.monotonic(), Path(out)
    with files.staged(final, marker=MARKER) as folder:
        write_songbook(folder / TABLE)
        prepared = prepare(str(folder / TABLE), out=str(folder / "corpus"), languages="en", seed=seed)
        explore(str(folder / "corpus"), out=str(folder / "explore"))
        studied = study("ladder", str(folder / "corpus"), out=str(folder / "study"), target="artist", seed=seed)
        seconds = time.monotonic() - started
        page.write(_index(prepared, studied, seconds), folder / MARKER)
    corpus = type(prepared.corpus).open(final / "corpus")
    return Shown(final, Prepared(corpus), Studied(final / "study", studied.results), seconds)


def _index(prepared: Prepared, studied: Studied, seconds: float) -> Page:
    ledger, results = prepared.corpus.ledger, studied.results
    best = next(line for line in results["recipes"] if line["name"] == results["picked"])
    accuracy = best["test"]["accuracy"]
    song = next(song for song in songbook() if song.title == "Scrapyard Bishop")
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
        "lyrist study ladder corpus --target artist --out study"
    )
    sections = [
        Section("Look", [links]),
        Section("A song from the songbook", [Lyrics(song.lyrics, title=f"{song.artist}: {song.title} ({song.year})")]),
        Section("On your own songs", [commands], "Any table will do: CSV, Parquet, JSON, or a folder of text files."),
    ]
    why = Prose(
        "The songbook holds 176 original songs by four invented acts, written for Lyrist. Its table is as tables are found: "
        "with section headers, copies, covers, instrumentals and a torn row, all of which the corpus accounts for."
    )
    return Page(
        "Lyrist, on its own songbook",
        sections,
        subtitle="From a table of songs to a page that can be believed",
        kicker="Lyrist demo",
        lead=(facts, why),
    )
