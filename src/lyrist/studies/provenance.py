"""How a study came about: where its songs came from, and the commands that do it again. Every report ends with these."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from lyrist.corpus.corpus import Corpus
from lyrist.reports.blocks import Block, Code, Items, Section, Table
from lyrist.studies.plans import Plan


def corpus_section(corpus: Corpus, songs: Mapping[str, int], split_by: str, seed: int) -> Section:
    """Return the section that tells how a corpus was made.

    Parameters
    ----------
    corpus
        The corpus.
    songs
        By split, how many songs the study used.
    split_by, seed
        How they were split.
    """
    info, ledger = corpus.info, corpus.ledger
    counts = info["counts"]
    sources = [(s["name"], s["bytes"], s["rows"], s["sha256"][:16]) for s in info["sources"]]
    dropped = sorted(ledger.dropped.items(), key=lambda item: -item[1])
    facts = [
        f"{ledger.read:,} rows were read; {ledger.kept:,} songs were kept and {ledger.read - ledger.kept:,} dropped, each with "
        "a reason.",
        f"{counts['clusters']['songs']:,} songs stand in {counts['clusters']['clusters']:,} clusters of near-copies; "
        f"{counts['near_copies_across_splits']:,} clusters stand across splits.",
        f"Training {songs['train']:,}, validation {songs['validation']:,}, test {songs['test']:,} songs, split by {split_by} "
        f"with seed {seed}.",
    ]
    blocks: list[Block] = [Items(facts), Table(("table", "bytes", "rows", "sha256"), sources, caption="Sources")]
    if dropped:
        blocks.append(Table(("reason", "rows"), dropped, caption="What was dropped"))
    return Section("How the corpus was made", blocks)


def again_section(plan: Plan, *further: Sequence[str]) -> Section:
    """Return the section of the command that asks for this study again, and of further ones, a line each."""
    return Section("How to run it again", [Code("\n".join(map(shlex.join, (plan.asked, *further))))])
