"""Where the songs of a study came from: the section that every report ends with."""

from __future__ import annotations

from collections.abc import Mapping

from lyrist.corpus.corpus import Corpus
from lyrist.reports.blocks import Block, Items, Section, Table


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
